//! Wrappers pass on what the connection that they go through can do.

use std::sync::Arc;

use async_trait::async_trait;
use hostlink::connector::{Connection, Outcome, Process, Script, SpawnOptions};
use hostlink::connectors::{ChrootConnector, LocalConnector};
use hostlink::{Context, Data, Link, Registry, Result, builtin_registry};
use hostlink_example_netns::NetnsConnector;
use hostlink_testkit::{AbleConnector, Cut, Loss, WithoutFastPaths, differences};
use hostlink_tests::chroot::Root;
use hostlink_tests::network::Network;
use hostlink_tests::ssh_host::SshHost;

async fn connect(target: &str) -> Link {
    let mut registry = Registry::new();
    registry.register(Arc::new(AbleConnector::new(LocalConnector)));
    registry.register(Arc::new(ChrootConnector));
    registry.connect(target, &Data::new(), &Context::default()).await.unwrap()
}

/// Starts scripts, and passes on nothing.
#[derive(Debug)]
struct Forgetful(Link);

#[async_trait]
impl Connection for Forgetful {
    async fn spawn(&self, script: &Script, options: &SpawnOptions) -> Result<Process> {
        self.0.connection().spawn(script, options).await
    }

    async fn disconnect(&self, _outcome: Outcome) -> Result<()> {
        self.0.disconnect().await
    }
}

#[tokio::test]
async fn the_control_a_wrapper_that_forgets_is_found() {
    let able = connect("@able").await;
    let forgotten = differences(able.connection(), &Forgetful(able.clone())).await;
    let all = [
        "terminal_beside_pipes",
        "leads_process_groups",
        "is_this_machine",
        "max_terminal_input",
        "input_waits",
        "file_program",
        "file_transfer",
        "sockets",
        "forwards",
        "fits",
        "slot",
        "probe",
    ];
    assert_eq!(forgotten, all);
}

#[tokio::test]
async fn the_wrappers_of_the_testkit_change_what_they_say() {
    let able = connect("@able").await;
    let without = WithoutFastPaths::new(able.clone());
    let changed = differences(able.connection(), &without).await;
    assert_eq!(changed, ["file_program", "file_transfer"]);

    let cut = Cut::new(able.clone(), Loss::Link, 1);
    let changed = differences(able.connection(), &cut).await;
    let (features, others) = changed.split_at(4);
    let of_cut =
        ["terminal_beside_pipes", "leads_process_groups", "is_this_machine", "file_program"];
    assert_eq!(features, of_cut);
    assert_eq!(others, ["file_transfer", "sockets", "forwards"]);
}

#[tokio::test]
async fn a_root_has_what_its_target_has_but_for_files_and_the_machine() {
    let root = Root::busybox();
    let able = connect("@able").await;
    let link = connect(&format!("@able/{}", root.target())).await;
    let changed = differences(able.connection(), link.connection()).await;
    assert_eq!(changed, ["is_this_machine", "file_program", "file_transfer"]);
    link.disconnect().await.unwrap();
}

/// A target through a real connector.
struct Outer {
    name: String,
    data: Data,
    /// A root directory on it.
    root: String,
    /// A network namespace on it. A root has none: `ip netns exec` needs a mount as its `/`.
    namespace: Option<String>,
}

impl Outer {
    async fn connect(&self, name: &str) -> Link {
        let mut registry = builtin_registry();
        registry.register(Arc::new(NetnsConnector));
        registry.connect(name, &self.data, &Context::default()).await.unwrap()
    }

    /// Compares a direct connection with each wrapper of it. `can` is everything that the direct
    /// one can do, in addition to what every connection can.
    async fn check(&self, can: &[&str]) {
        let link = self.connect(&self.name).await;
        let outer = link.connection();
        let name = &self.name;
        let lost = differences(outer, &Forgetful(link.clone())).await;
        assert_eq!(lost, can, "{name}: the control, a wrapper that forgets all of it");
        let changes = |means: &[&str]| -> Vec<&str> {
            can.iter().copied().filter(|ability| means.contains(ability)).collect()
        };

        let without = WithoutFastPaths::new(link.clone());
        let hidden = changes(&["file_program", "file_transfer"]);
        assert_eq!(differences(outer, &without).await, hidden, "{name} without fast paths");

        let cut = Cut::new(link.clone(), Loss::Link, 1);
        let kept = ["max_terminal_input", "input_waits"];
        let hidden: Vec<&str> = can.iter().copied().filter(|it| !kept.contains(it)).collect();
        assert_eq!(differences(outer, &cut).await, hidden, "{name} that is cut");

        let root = self.connect(&format!("{name}/@chroot/{}", self.root)).await;
        let hidden = changes(&["is_this_machine", "file_program", "file_transfer"]);
        assert_eq!(differences(outer, root.connection()).await, hidden, "a root of {name}");
        root.disconnect().await.unwrap();

        if let Some(namespace) = &self.namespace {
            let namespace = self.connect(&format!("{name}/@netns/{namespace}")).await;
            let kept =
                ["terminal_beside_pipes", "max_terminal_input", "input_waits", "file_program"];
            let hidden: Vec<&str> = can.iter().copied().filter(|it| !kept.contains(it)).collect();
            let changed = differences(outer, namespace.connection()).await;
            assert_eq!(changed, hidden, "a namespace of {name}");
            namespace.disconnect().await.unwrap();
        }
        link.disconnect().await.unwrap();
    }
}

/// A root directory and a namespace of this machine, for connectors whose targets have its files.
struct Here {
    root: Root,
    network: Network,
}

impl Here {
    fn new() -> Self {
        Self { root: Root::busybox(), network: Network::one() }
    }

    fn outer(&self, name: impl Into<String>, data: Data) -> Outer {
        let namespace = Some(self.network.first().name().to_owned());
        let root = self.root.dir().display().to_string();
        Outer { name: name.into(), data, root, namespace }
    }
}

#[tokio::test]
async fn wrappers_of_this_machine_keep_what_they_promise() {
    let can = ["terminal_beside_pipes", "leads_process_groups", "is_this_machine"];
    let outer = Here::new();
    let here = outer.outer("@local", Data::new());
    here.check(&[&can[..], &["file_transfer", "sockets"]].concat()).await;
}

#[tokio::test]
async fn wrappers_of_a_host_over_ssh_keep_what_they_promise() {
    let (here, host) = (Here::new(), SshHost::root());
    let name = format!("@ssh/{}", host.target);
    here.outer(&name, host.data()).check(&["file_transfer", "sockets", "forwards"]).await;
    // With scp, files are moved by a program of the target's.
    let data = host.data().with("ssh_file_transfer_protocol", "scp");
    here.outer(&name, data).check(&["file_program", "sockets", "forwards"]).await;
}

#[tokio::test]
async fn wrappers_of_a_root_keep_what_they_promise() {
    let root = Root::busybox();
    std::fs::create_dir_all(root.path("srv/inner/bin")).unwrap();
    std::fs::copy(root.path("bin/busybox"), root.path("srv/inner/bin/sh")).unwrap();
    let (name, inner) = (root.target(), "/srv/inner".to_owned());
    let outer = Outer { name, data: Data::new(), root: inner, namespace: None };
    outer.check(&["terminal_beside_pipes", "leads_process_groups", "sockets"]).await;
}

mod with_docker {
    use hostlink::Data;
    use hostlink_tests::chroot::Root;
    use hostlink_tests::container::{Container, DEBIAN};
    use hostlink_tests::engine::{Engine, PODMAN_SOCKET};

    use super::Outer;

    /// The root directory in the container.
    const ROOT: &str = "/srv/root";

    /// Gives the right to make namespaces and to mount.
    const RIGHTS: [&str; 4] = [
        "--cap-add=SYS_ADMIN",
        "--cap-add=NET_ADMIN",
        "--security-opt=apparmor=unconfined",
        "--security-opt=seccomp=unconfined",
    ];

    async fn check(engine: Engine, data: Data, can: &[&str]) {
        let root = Root::busybox();
        let volume = format!("--volume={}:{ROOT}", root.dir().display());
        // The image lacks `ip`, and is of this machine's release.
        let libraries = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
        let libraries = format!("--volume={libraries}:{libraries}:ro");
        let own = ["--volume=/bin/ip:/usr/bin/ip:ro", &libraries, &volume];
        let options = [&RIGHTS[..], &own].concat();
        let container = Container::start_on(engine, DEBIAN, &options);
        let _ = container.shell("ip netns add blue");
        let name = format!("@{engine}/{}", container.name());
        let outer = Outer { name, data, root: ROOT.into(), namespace: Some("blue".into()) };
        outer.check(can).await;
    }

    #[tokio::test]
    async fn wrappers_of_a_docker_container_keep_what_they_promise() {
        check(Engine::Docker, Data::new(), &["file_transfer"]).await;
    }

    #[tokio::test]
    async fn wrappers_of_a_podman_container_keep_what_they_promise() {
        let data = Data::new().with("podman_socket", PODMAN_SOCKET);
        check(Engine::Podman, data, &["max_terminal_input", "input_waits", "file_transfer"]).await;
    }
}
