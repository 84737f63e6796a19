//! The types of resources that are machines, and what their attributes mean.
//!
//! Paths are those of the providers' schemas, as Terraform's registry has them; lists on the way
//! stand for their items. A new provider is a new row.

/// A type of resource that is a machine or a container.
#[derive(Debug)]
pub(crate) struct Kind {
    /// The type's name.
    pub(crate) name: &'static str,
    /// The attributes with its addresses, public ones first.
    pub(crate) addresses: &'static [&'static str],
    /// The attributes with its own name.
    pub(crate) names: &'static [&'static str],
    /// The attributes with its tags or labels: a map, a list, or text.
    pub(crate) tags: &'static [&'static str],
    /// The connector that reaches it by its name, if it is none that SSH reaches.
    pub(crate) connector: Option<&'static str>,
}

/// The row of a type.
pub(crate) fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

type Paths = &'static [&'static str];

const fn machine(name: &'static str, addresses: Paths, names: Paths, tags: Paths) -> Kind {
    Kind { name, addresses, names, tags, connector: None }
}

const AWS: Paths = &["public_ip", "private_ip", "ipv6_addresses"];
const GOOGLE: Paths = &[
    "network_interface.access_config.nat_ip",
    "network_interface.network_ip",
    "network_interface.ipv6_access_config.external_ipv6",
    "network_interface.ipv6_address",
];
const OPENSTACK: Paths = &[
    "network.floating_ip",
    "access_ip_v4",
    "network.fixed_ip_v4",
    "access_ip_v6",
    "network.fixed_ip_v6",
];

const NAME: Paths = &["name"];
const NAME_TAG: Paths = &["tags.Name"];
const TAGS: Paths = &["tags"];
const ALL_TAGS: Paths = &["tags", "tags_all"];
const LABELS: Paths = &["labels"];
const METADATA: Paths = &["tags", "all_tags", "metadata", "all_metadata"];

const KINDS: &[Kind] = &[
    machine("aws_instance", AWS, NAME_TAG, ALL_TAGS),
    machine("aws_spot_instance_request", AWS, NAME_TAG, ALL_TAGS),
    machine(
        "aws_lightsail_instance",
        &["public_ip_address", "private_ip_address", "ipv6_addresses"],
        NAME,
        ALL_TAGS,
    ),
    machine("google_compute_instance", GOOGLE, NAME, &["labels", "tags"]),
    machine("google_compute_instance_from_template", GOOGLE, NAME, &["labels", "tags"]),
    // azurerm_virtual_machine has no address of its own, only the ids of its interfaces.
    machine(
        "azurerm_linux_virtual_machine",
        &["public_ip_address", "public_ip_addresses", "private_ip_address", "private_ip_addresses"],
        NAME,
        TAGS,
    ),
    machine(
        "digitalocean_droplet",
        &["ipv4_address", "ipv4_address_private", "ipv6_address"],
        NAME,
        TAGS,
    ),
    machine("hcloud_server", &["ipv4_address", "network.ip", "ipv6_address"], NAME, LABELS),
    machine(
        "linode_instance",
        &["ip_address", "ipv4", "private_ip_address", "ipv6"],
        &["label"],
        TAGS,
    ),
    machine(
        "vultr_instance",
        &["main_ip", "internal_ip", "v6_main_ip"],
        &["label", "hostname"],
        TAGS,
    ),
    machine("openstack_compute_instance_v2", OPENSTACK, NAME, METADATA),
    machine("opentelekomcloud_compute_instance_v2", OPENSTACK, NAME, METADATA),
    machine("proxmox_virtual_environment_vm", &["ipv4_addresses", "ipv6_addresses"], NAME, TAGS),
    machine(
        "proxmox_vm_qemu",
        &["default_ipv4_address", "ssh_host", "default_ipv6_address"],
        NAME,
        TAGS,
    ),
    machine("libvirt_domain", &["network_interface.addresses"], NAME, &[]),
    machine(
        "vsphere_virtual_machine",
        &["default_ip_address", "guest_ip_addresses"],
        NAME,
        // Its tags are ids.
        &[],
    ),
    machine(
        "scaleway_instance_server",
        &["public_ips.address", "public_ip", "private_ips.address", "private_ip", "ipv6_address"],
        NAME,
        TAGS,
    ),
    machine(
        "exoscale_compute_instance",
        &["public_ip_address", "network_interface.ip_address", "ipv6_address"],
        NAME,
        LABELS,
    ),
    machine(
        "upcloud_server",
        &["network_interface.ip_address"],
        &["hostname", "title"],
        &["labels", "tags"],
    ),
    machine(
        "oci_core_instance",
        &["public_ip", "private_ip"],
        &["display_name"],
        &["freeform_tags"],
    ),
    machine(
        "yandex_compute_instance",
        &[
            "network_interface.nat_ip_address",
            "network_interface.ip_address",
            "network_interface.ipv6_address",
        ],
        NAME,
        LABELS,
    ),
    machine(
        "alicloud_instance",
        &["public_ip", "private_ip", "ipv6_addresses"],
        &["instance_name"],
        TAGS,
    ),
    machine(
        "equinix_metal_device",
        &["access_public_ipv4", "access_private_ipv4", "access_public_ipv6"],
        &["hostname"],
        TAGS,
    ),
    machine("lxd_instance", &["ipv4_address", "ipv6_address"], NAME, &[]),
    machine("incus_instance", &["ipv4_address", "ipv6_address"], NAME, &[]),
    Kind {
        name: "docker_container",
        addresses: &[],
        names: NAME,
        tags: LABELS,
        connector: Some("docker"),
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_can_be_reached_and_named() {
        let names: BTreeSet<&str> = KINDS.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), KINDS.len());
        for kind in KINDS {
            assert_ne!(kind.addresses.is_empty(), kind.connector.is_none(), "{}", kind.name);
            assert!(!kind.names.is_empty(), "{}", kind.name);
        }
    }

    #[test]
    fn every_row_has_a_state_among_the_tests() {
        for kind in KINDS {
            let state =
                format!("{}/tests/states/{}.tfstate", env!("CARGO_MANIFEST_DIR"), kind.name);
            assert!(std::path::Path::new(&state).exists(), "{state}");
        }
    }
}
