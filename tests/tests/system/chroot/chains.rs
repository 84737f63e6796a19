//! Names, chains, and hosts of inventory-only connectors.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hostlink::connector::{About, Connector, Kind, Listing, NameData};
use hostlink::connectors::{ChrootConnector, LocalConnector, SshConnector};
use hostlink::transfer::{PutOptions, Source};
use hostlink::{
    ConnectorArguments, Context, Data, ErrorKind, Registry, Result, StringCommand, Value,
};
use hostlink_tests::chroot::{Root, with_mounts};
use hostlink_tests::cli::{count_running, unique_seconds, wait_until};
use hostlink_tests::container::{Container, DEBIAN};
use hostlink_tests::ssh_target::said;

use crate::chroot::scene::{Somebody, connect, run};

/// Lists hosts, and how to reach them.
#[derive(Debug)]
struct Lister {
    name: &'static str,
    hosts: Vec<NameData>,
    is_trusted: bool,
}

#[async_trait]
impl Connector for Lister {
    fn about(&self) -> About<'_> {
        About {
            name: self.name,
            description: "Hosts of a test.",
            fields: &[],
            kind: Kind::Lists { trusted: self.is_trusted, reads_only_files: false },
        }
    }

    async fn list(&self, name: Option<&str>, _: &Context) -> Result<Listing> {
        let wanted = |host: &&NameData| name.is_none_or(|name| host.name == name);
        Ok(self.hosts.iter().filter(wanted).cloned().collect::<Vec<_>>().into())
    }
}

fn registry(hosts: Vec<NameData>) -> Registry {
    let mut registry = Registry::new();
    registry.register(Arc::new(LocalConnector));
    registry.register(Arc::new(SshConnector::new()));
    registry.register(Arc::new(ChrootConnector));
    registry.register(Arc::new(Lister { name: "list", hosts: hosts.clone(), is_trusted: true }));
    registry.register(Arc::new(Lister { name: "api", hosts, is_trusted: false }));
    registry
}

async fn names(registry: &Registry, name: &str) -> Result<Vec<String>, String> {
    let resolved = registry.resolve(name, &Context::default()).await;
    let resolved = resolved.map_err(|error| error.to_string())?;
    resolved
        .iter()
        .map(|target| {
            target.check(&Context::default()).map_err(|error| error.to_string())?;
            Ok(format!("{} by @{}", target.name, target.connector().about().name))
        })
        .collect()
}

#[tokio::test]
async fn what_is_not_trusted_neither_runs_code_here_nor_reads_files_here() {
    let listed = |key: &str| NameData::new("web").with_data(key, "x");
    for key in [
        "ssh_proxy_command",
        "ssh_options",
        "ssh_config_file",
        "ssh_forward_agent",
        "x_command",
        "x_file",
    ] {
        let registry = registry(vec![listed(key)]);
        let error = names(&registry, "@api").await.unwrap_err();
        assert!(error.contains(key) && error.contains("--trust-data"), "{error}");
        let trusting = Context { trust_data: true, ..Context::default() };
        for (name, context) in [("@api", trusting), ("@list", Context::default())] {
            assert_eq!(registry.resolve(name, &context).await.unwrap().len(), 1, "{key}");
        }
    }
    for target in ["@local", "@chroot//srv/jail", "@list/here"] {
        let here = NameData::new("here").with_target("@local");
        let registry = registry(vec![NameData::new("web").with_target(target), here]);
        let error = names(&registry, "@api/web").await.unwrap_err();
        assert!(error.contains("would run on this machine"), "{error}");
    }
    let registry = registry(vec![listed("ssh_user").with_data("ssh_proxy_command", Value::Null)]);
    assert_eq!(names(&registry, "@api").await.unwrap(), ["web by @ssh"]);
}

#[tokio::test]
async fn chains_are_read_as_they_are_written() {
    let hosts = vec![
        NameData::new("web"),
        NameData::new("jail").with_target("@chroot//srv/jail"),
        NameData::new("far").with_target("@ssh/h/@chroot//srv/far"),
        NameData::new("loop").with_target("@list/loop"),
        NameData::new("again").with_target("@list/far/@chroot//again"),
        NameData::new("wrong").with_target("@nowhere/x"),
        NameData::new("nonsense").with_target("@chroot//x/@local"),
        NameData::new("bare").with_target("@chroot/relative"),
    ];
    let registry = registry(hosts);
    for (name, expected) in [
        ("@chroot//srv/root", Ok("@chroot//srv/root by @chroot")),
        ("@local/@chroot//srv/root", Ok("@local/@chroot//srv/root by @chroot")),
        ("h/@chroot//a", Ok("h/@chroot//a by @chroot")),
        ("@ssh/h/@chroot//a/@chroot//b", Ok("@ssh/h/@chroot//a/@chroot//b by @chroot")),
        ("@chroot//srv/a@b", Ok("@chroot//srv/a@b by @chroot")),
        ("@list/web", Ok("web by @ssh")),
        ("@list/jail", Ok("jail by @chroot")),
        ("@list/far/@chroot//inner", Ok("@list/far/@chroot//inner by @chroot")),
        ("@list/again", Ok("again by @chroot")),
        ("@chroot//srv/@list/far", Err("@list reaches its targets directly")),
        ("@list/loop", Err("reached through itself, again and again")),
        ("@list/wrong", Err("there is no connector @nowhere")),
        ("@list/nonsense", Err("@local reaches its targets directly")),
        ("@list/bare", Err("is not an absolute path")),
        ("@list/@chroot//x", Err("has 8 targets: a chain can go through one only")),
        ("@list/absent/@chroot//x", Err("has 0 targets")),
        ("@chroot//x/@ssh/h", Err("@ssh reaches its targets directly")),
        ("@ssh/a/@ssh/h", Err("@ssh reaches its targets directly")),
        ("@local/@local", Err("@local reaches its targets directly")),
        ("@docker/c/@ssh/h", Err("there is no connector @docker")),
    ] {
        match (expected, names(&registry, name).await) {
            (Ok(expected), found) => assert_eq!(found, Ok(vec![expected.to_owned()]), "{name}"),
            (Err(says), found) => {
                let error = found.expect_err(name);
                assert!(error.contains(says), "{name}: {error}");
                assert_eq!(error.lines().count(), 1, "{error}");
            }
        }
    }
}

#[tokio::test]
async fn a_chain_reaches_what_it_names() {
    let (root, inner, somebody) = (Root::debian(), Root::busybox(), Somebody::trusted());
    std::fs::write(root.path("mark"), "outer").unwrap();
    // A root within the root.
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .arg(inner.dir())
        .arg(root.path("srv/in"))
        .status();
    assert!(copied.unwrap().success());
    std::fs::write(root.path("srv/in/mark"), "inner").unwrap();
    for name in ["@local/", ""] {
        let link = connect(&format!("{name}{}", root.target()), &Data::new()).await.unwrap();
        assert_eq!(said(&link, "cat /mark").await, "outer");
        link.disconnect().await.unwrap();
    }
    let deeper = format!("{}/@chroot//srv/in", root.target());
    let link = connect(&deeper, &Data::new()).await.unwrap();
    assert_eq!(said(&link, "cat /mark").await, "inner");
    let seconds = unique_seconds();
    let limited = ConnectorArguments::new().with_timeout(Duration::from_secs(2));
    let error = run(&link, &format!("sleep {seconds} & sleep {seconds}"), &limited).await;
    assert_eq!(error.unwrap_err().kill_confirmed(), Some(true));
    wait_until("nothing is left", || count_running("sleep", &seconds) == 0);
    link.disconnect().await.unwrap();
    let link = connect(&somebody.target(&root), &somebody.data()).await.unwrap();
    assert_eq!(said(&link, "cat /mark").await, "outer");
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_root_within_a_container_is_entered_with_docker() {
    let root = Root::busybox();
    let volume = format!("--volume={}:/r", root.dir().display());
    // Without this capability a command cannot mount.
    let container = Container::start_with(DEBIAN, &["--cap-add=SYS_ADMIN", &volume]);
    let name = format!("@docker/{}/@chroot//r", container.name());
    let link = connect(&name, &Data::new()).await.unwrap();
    let options = PutOptions::default();
    link.put_file(Source::bytes("content"), "/srv/file", &options).await.unwrap();
    assert_eq!(std::fs::read(root.path("srv/file")).unwrap(), b"content");
    assert_eq!(said(&link, "cat /srv/file; ls /proc").await, "content");
    let seconds = unique_seconds();
    let limited = ConnectorArguments::new().with_timeout(Duration::from_secs(2));
    let error = run(&link, &format!("sleep {seconds} & sleep {seconds}"), &limited).await;
    assert_eq!(error.unwrap_err().kill_confirmed(), Some(true));
    wait_until("nothing is left", || count_running("sleep", &seconds) == 0);
    link.disconnect().await.unwrap();
    std::fs::create_dir_all(root.path("proc")).unwrap();
    let link = connect(&name, &with_mounts()).await.unwrap();
    assert_eq!(said(&link, "[ -e /proc/self ] && echo mounted").await, "mounted\n");
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_chroot_that_the_shell_has_within_itself_is_one() {
    let root = Root::busybox();
    std::fs::create_dir_all(root.path("srv/in/bin")).unwrap();
    std::fs::copy(root.path("bin/busybox"), root.path("srv/in/bin/busybox")).unwrap();
    std::os::unix::fs::symlink("busybox", root.path("srv/in/bin/sh")).unwrap();
    std::fs::remove_file(root.path("bin/chroot")).unwrap();
    let deeper = format!("{}/@chroot//srv/in", root.target());
    let link = connect(&deeper, &Data::new()).await.unwrap();
    assert_eq!(said(&link, "echo /*").await, "/bin\n");
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_target_without_chroot_is_reported() {
    let root = Root::debian();
    std::fs::create_dir_all(root.path("srv/in")).unwrap();
    std::fs::remove_file(root.path("usr/sbin/chroot")).unwrap();
    let deeper = format!("{}/@chroot//srv/in", root.target());
    let error = connect(&deeper, &Data::new()).await.map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("the target has no program chroot"), "{error}");
}

#[tokio::test]
async fn a_listed_host_is_reached_as_it_is_listed_with_its_own_data() {
    let root = Root::debian();
    let host = NameData::new("jail").with_target(root.target()).with_data("chroot_mounts", true);
    let registry = registry(vec![host]);
    let link = registry.connect("@list/jail", &Data::new(), &Context::default()).await.unwrap();
    assert_eq!(said(&link, "[ -e /proc/self ] && echo mounted").await, "mounted\n");
    assert_eq!(link.name(), "jail");
    link.disconnect().await.unwrap();
    let over = Data::new().with("chroot_mounts", false);
    let link = registry.connect("@list/jail", &over, &Context::default()).await.unwrap();
    let command = StringCommand::shell("[ -e /proc/self ]");
    let output = link.run_shell_command(&command, &ConnectorArguments::new()).await.unwrap();
    assert!(!output.success(), "what the user says comes first");
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn without_a_connector_of_this_machine_a_root_needs_another_target() {
    let mut registry = Registry::new();
    registry.register(Arc::new(ChrootConnector));
    let connected = registry.connect("@chroot//srv", &Data::new(), &Context::default()).await;
    let error = connected.map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownConnector, "{error}");
    assert!(error.to_string().contains("compile the feature `local` in"), "{error}");
}

#[tokio::test]
async fn closing_a_chain_closes_what_it_went_through() {
    let (root, somebody) = (Root::busybox(), Somebody::trusted());
    let traces = hostlink_tests::ssh_target::Traces::new();
    let registry = hostlink::builtin_registry();
    let link = registry
        .connect(&somebody.target(&root), &somebody.data(), &traces.context())
        .await
        .unwrap();
    let logins = || traces.processes().iter().filter(|line| line.starts_with("ssh ")).count();
    assert_eq!(logins(), 1, "the control: {:?}", traces.processes());
    link.disconnect().await.unwrap();
    wait_until("the login has ended", || logins() == 0);
}
