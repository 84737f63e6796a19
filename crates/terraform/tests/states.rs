//! States of many providers, written by hand from the schemas that the providers publish, and the
//! hosts in them.

#![expect(clippy::unwrap_used, reason = "these are tests, and so is what they share")]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use hostlink_core::{
    Connector, Context, Data, ErrorKind, Event, NameData, Reporter, Result, Value,
};
use hostlink_terraform::TerraformConnector;

/// Keeps what the user is told.
#[derive(Debug, Default)]
struct Notes(Mutex<Vec<String>>);

impl Reporter for Notes {
    fn report(&self, target: &str, event: Event<'_>) {
        let text = match event {
            Event::Notice(text) if target == "@terraform" => text.to_owned(),
            Event::Warning(text) if target.is_empty() => format!("warning: {text}"),
            _ => panic!("{target} {event:?}"),
        };
        self.0.lock().unwrap().push(text);
    }
}

/// Returns the hosts that the connector finds in a file, and its notices.
async fn listed(file: &str, argument: Option<&str>) -> (Result<Vec<NameData>>, Vec<String>) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/states").join(file);
    let (mut found, notes) = listed_all(&path, &[argument]).await;
    (found.swap_remove(0), notes)
}

/// Returns the hosts that one connector finds in a file for several names, and all its notices.
async fn listed_all(
    path: &Path,
    arguments: &[Option<&str>],
) -> (Vec<Result<Vec<NameData>>>, Vec<String>) {
    let notes = Arc::new(Notes::default());
    let context = Context {
        settings: Data::new().with("terraform_state", path.to_str().unwrap()),
        reporter: notes.clone(),
        ..Context::default()
    };
    let (connector, mut found) = (TerraformConnector::new(), Vec::new());
    for argument in arguments {
        found.push(connector.make_names_data(*argument, &context).await);
    }
    let notes = notes.0.lock().unwrap().clone();
    (found, notes)
}

async fn error(file: &str, argument: Option<&str>) -> String {
    let error = listed(file, argument).await.0.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Inventory);
    let text = error.to_string();
    let (_, problem) = text.split_once("tests/states/").expect("the file is named");
    problem.to_owned()
}

/// One host in short: `name = address: groups`, or what is in place of the address.
fn short(host: &NameData) -> String {
    let address = match (host.data.get("ssh_hostname"), &host.target) {
        (Some(Value::String(address)), None) => address.clone(),
        (None, Some(target)) => target.clone(),
        other => panic!("{}: {other:?}", host.name),
    };
    format!("{} = {address}: {}", host.name, host.groups.join(" "))
}

/// A state, its hosts in short, and the resources that are left out.
type Row = (&'static str, &'static [&'static str], &'static [&'static str]);

const ROWS: &[Row] = &[
    (
        "aws_instance.tfstate",
        &[
            "front-1 = 198.51.100.10: aws_instance tag_role_web tag_team_a_b",
            "inner = 10.0.1.10: aws_instance",
            "aws_instance.web-c = 2001:db8:0:1::c: aws_instance",
        ],
        &["aws_instance.web[\"d\"]"],
    ),
    (
        "aws_spot_instance_request.tfstate",
        &["cheap = 198.51.100.11: aws_spot_instance_request"],
        &[],
    ),
    (
        "aws_lightsail_instance.tfstate",
        &["blog = 198.51.100.12: aws_lightsail_instance tag_env_live"],
        &[],
    ),
    (
        "google_compute_instance.tfstate",
        &[
            "g1 = 203.0.113.20: google_compute_instance tag_role_db tag_http-server",
            "g2 = 10.132.0.2: google_compute_instance",
            "g3 = 2600:1900:4000::3: google_compute_instance",
        ],
        &["google_compute_instance.vm[3]"],
    ),
    (
        "google_compute_instance_from_template.tfstate",
        &["t1 = 203.0.113.21: google_compute_instance_from_template"],
        &[],
    ),
    (
        "azurerm_linux_virtual_machine.tfstate",
        &[
            "az1 = 203.0.113.30: azurerm_linux_virtual_machine tag_role_web",
            "az2 = 10.1.0.5: azurerm_linux_virtual_machine",
        ],
        &["azurerm_linux_virtual_machine.vm[\"three\"]"],
    ),
    (
        "digitalocean_droplet.tfstate",
        &["drop1 = 203.0.113.40: digitalocean_droplet tag_web tag_eu_west"],
        &["digitalocean_droplet.d[1]"],
    ),
    (
        "hcloud_server.tfstate",
        &[
            "hz1 = 203.0.113.50: hcloud_server tag_role_db",
            "hz2 = 2a01:4f8::2: hcloud_server",
            "hz3 = 10.0.0.3: hcloud_server",
        ],
        &[],
    ),
    (
        "linode_instance.tfstate",
        &[
            "lin1 = 203.0.113.60: linode_instance tag_app",
            "lin2 = 2a01:7e01::f03c:93ff:fe00:2: linode_instance",
        ],
        &[],
    ),
    ("vultr_instance.tfstate", &["vu1 = 203.0.113.70: vultr_instance tag_edge"], &[]),
    ("vultr_pending.tfstate", &["vu2 = 203.0.113.71: vultr_instance"], &["vultr_instance.v[0]"]),
    (
        "openstack_compute_instance_v2.tfstate",
        &[
            "os1 = 203.0.113.80: openstack_compute_instance_v2 tag_blue tag_role_web",
            "os2 = 2001:db8:5::2: openstack_compute_instance_v2",
            "os3 = 10.20.0.3: openstack_compute_instance_v2",
        ],
        &[],
    ),
    (
        "opentelekomcloud_compute_instance_v2.tfstate",
        &["otc1 = 203.0.113.81: opentelekomcloud_compute_instance_v2 tag_role_web"],
        &[],
    ),
    (
        "proxmox_virtual_environment_vm.tfstate",
        &[
            "pve1 = 192.168.1.101: proxmox_virtual_environment_vm tag_lab tag_web",
            "pve2 = 2001:db8:9::102: proxmox_virtual_environment_vm",
        ],
        &["proxmox_virtual_environment_vm.p[2]"],
    ),
    ("proxmox_vm_qemu.tfstate", &["qm1 = 192.168.1.201: proxmox_vm_qemu tag_lab tag_db"], &[]),
    ("libvirt_domain.tfstate", &["lv1 = 192.168.122.15: libvirt_domain"], &["libvirt_domain.v[1]"]),
    ("vsphere_virtual_machine.tfstate", &["vs1 = 10.30.0.5: vsphere_virtual_machine"], &[]),
    (
        "scaleway_instance_server.tfstate",
        &["scw1 = 203.0.113.90: scaleway_instance_server tag_front"],
        &["scaleway_instance_server.s[1]"],
    ),
    (
        "exoscale_compute_instance.tfstate",
        &["exo1 = 203.0.113.100: exoscale_compute_instance tag_role_web"],
        &[],
    ),
    (
        "upcloud_server.tfstate",
        &["up1.example.com = 203.0.113.110: upcloud_server tag_role_web"],
        &[],
    ),
    (
        "oci_core_instance.tfstate",
        &[
            "oci1 = 203.0.113.120: oci_core_instance tag_role_db",
            "oci2 = 10.60.0.3: oci_core_instance",
        ],
        &[],
    ),
    (
        "yandex_compute_instance.tfstate",
        &["ya1 = 203.0.113.130: yandex_compute_instance tag_role_web"],
        &[],
    ),
    ("alicloud_instance.tfstate", &["ali1 = 203.0.113.140: alicloud_instance tag_role_web"], &[]),
    (
        "equinix_metal_device.tfstate",
        &["metal1 = 203.0.113.150: equinix_metal_device tag_k8s"],
        &[],
    ),
    ("lxd_instance.tfstate", &["lxc1 = 10.90.0.7: lxd_instance"], &[]),
    ("incus_instance.tfstate", &["inc1 = fd42::8: incus_instance"], &[]),
    (
        "docker_container.tfstate",
        &["app = @docker/app: docker_container tag_com.example.role_web"],
        &[],
    ),
    (
        "modules.tfstate",
        &[
            "alone = 203.0.113.1: digitalocean_droplet",
            "web-0 = 203.0.113.2: digitalocean_droplet",
            "web-1 = 203.0.113.3: digitalocean_droplet",
            "module.region-eu.west.digitalocean_droplet.db = 203.0.113.4: digitalocean_droplet module.region",
            "module.region-us.digitalocean_droplet.db = 203.0.113.5: digitalocean_droplet module.region",
            "deep = 203.0.113.6: digitalocean_droplet module.region module.region.module.inner",
            "worn = 203.0.113.7: digitalocean_droplet",
            "aws_instance.nameless-a-b = 198.51.100.20: aws_instance",
        ],
        &["digitalocean_droplet.counted[2]"],
    ),
    (
        "modules.show.json",
        &[
            "web-0 = 203.0.113.2: digitalocean_droplet",
            "web-1 = 203.0.113.3: digitalocean_droplet",
            "worn = 203.0.113.7: digitalocean_droplet",
            "az1 = 203.0.113.30: azurerm_linux_virtual_machine tag_role_web",
            "db = 203.0.113.4: digitalocean_droplet module.region",
            "deep = 203.0.113.6: digitalocean_droplet module.region module.region.module.inner",
        ],
        &[],
    ),
];

#[tokio::test]
async fn the_machines_of_every_provider_are_listed() {
    for (file, hosts, left_out) in ROWS {
        let (found, notes) = listed(file, None).await;
        let found = found.unwrap_or_else(|error| panic!("{file}: {error}"));
        let found: Vec<String> = found.iter().map(short).collect();
        assert_eq!(&found, hosts, "{file}");
        assert_eq!(notes.len(), left_out.len(), "{file}: {notes:?}");
        for (note, address) in notes.iter().zip(*left_out) {
            assert!(note.contains(&format!("{file}: {address} is left out")), "{note}");
        }
    }
}

#[tokio::test]
async fn a_host_has_data_of_its_resource_and_nothing_secret() {
    let mut all = String::new();
    for (file, ..) in ROWS {
        let (found, notes) = listed(file, None).await;
        for host in found.unwrap() {
            // A value that was not marked as a secret would be shown.
            all +=
                &host.data.iter().map(|(key, value)| format!("{key}={value} ")).collect::<String>();
            all += &format!("{host:?} {notes:?}\n");
        }
    }
    assert!(!all.contains("hunter2"), "{all}");
    // The control: the fixtures hold secrets, and what is no secret is there.
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/states");
    let texts = std::fs::read_dir(fixtures)
        .unwrap()
        .map(|it| std::fs::read_to_string(it.unwrap().path()).unwrap());
    assert!(texts.filter(|text| text.contains("hunter2")).count() >= 8);
    assert!(all.contains("terraform_address=\"aws_instance.web[\\\"a\\\"]\""), "{all}");

    let found = listed("aws_instance.tfstate", None).await.0.unwrap();
    let expected = Data::new()
        .with("ssh_hostname", "198.51.100.10")
        .with("terraform_address", "aws_instance.web[\"a\"]")
        .with("terraform_type", "aws_instance")
        .with("terraform_id", "i-0a")
        .with("terraform_addresses", vec!["198.51.100.10", "10.0.1.10"]);
    assert_eq!(found[0].data, expected);
    let worn = listed("modules.tfstate", None).await.0.unwrap().swap_remove(6);
    assert_eq!(worn.data.get("terraform_tainted"), Some(&true.into()));
}

#[tokio::test]
async fn a_state_without_a_machine_that_can_be_reached_is_an_error() {
    let none = "there is no output hostlink_inventory or pyinfra_inventory, and";
    for (file, problem) in [
        ("empty.tfstate", format!("{none} no resource either; is it applied?")),
        (
            "null_output.tfstate",
            "the output hostlink_inventory is null, and hosts are expected".to_owned(),
        ),
        (
            "stopped.tfstate",
            format!(
                "{none} none of its machines has an address (digitalocean_droplet.d[0], digitalocean_droplet.d[1])"
            ),
        ),
        (
            "unknown.tfstate",
            format!("{none} no resource of a type that is known as a machine (aws_vpc, azurerm_virtual_machine)"),
        ),
        (
            "same_names.tfstate",
            "digitalocean_droplet.d[\"a b\"] and digitalocean_droplet.d[\"a-b\"] would both be called \
             digitalocean_droplet.d-a-b: give them names or tags that differ"
                .to_owned(),
        ),
        (
            "version3.tfstate",
            "this state is of version 3, and hostlink reads 4: Terraform 0.12 or later and OpenTofu write it"
                .to_owned(),
        ),
    ] {
        assert_eq!(error(file, None).await, format!("{file}: {problem}"));
    }
    assert_eq!(
        error("empty.tfstate", Some("web")).await,
        "empty.tfstate: there is no output \"web\"; there are none"
    );
}

#[tokio::test]
async fn a_state_with_a_secret_of_a_host_that_others_can_read_is_warned_of_once() {
    let state = |output: &str| {
        format!(r#"{{"version": 4, "outputs": {{"all": {output}}}, "resources": []}}"#)
    };
    let sensitive =
        r#"{"value": [{"name": "web", "motto": "hunter2"}], "sensitive": true, "type": "any"}"#;
    let by_name = r#"{"value": [{"name": "web", "db_password": "hunter2"}], "type": "any"}"#;
    let none = r#"{"value": [{"name": "web", "motto": "hunter2"}], "type": "any"}"#;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("terraform.tfstate");
    for (output, mode, warns) in [
        (sensitive, 0o644, true),
        (by_name, 0o640, true),
        (sensitive, 0o600, false),
        (none, 0o644, false),
    ] {
        // A byte order mark is no part of it.
        std::fs::write(&path, format!("\u{feff}{}", state(output))).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let (found, notes) = listed_all(&path, &[Some("all"), Some("all.0")]).await;
        assert!(found.iter().all(|hosts| hosts.as_ref().unwrap().len() == 1), "{found:?}");
        let warning = format!(
            "warning: {} contains a secret, and other users can read it: chmod 600",
            path.display()
        );
        assert_eq!(notes, if warns { vec![warning] } else { vec![] }, "{output} {mode:o}");
    }
}
