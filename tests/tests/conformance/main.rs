//! Runs every connector through the behavior suite.

mod fixture;
mod lacks;
mod places;

use std::process::ExitCode;
use std::sync::Arc;

use hostlink_local::LocalConnector;
use hostlink_testkit::Signals::{Codes, Numbers, Unknown};
use hostlink_testkit::{ConnectorFixture, SpawnOnlyConnector, Suite, WithoutFastPaths};
use hostlink_tests::ssh_host::SshHost;

use crate::fixture::PlaceFixture;
use crate::lacks::{
    BUSYBOX, CONTAINER, DOCKER, DROPBEAR, NO_TAR, NOT_ROOT, OWN_MOUNTS, PODMAN, SAME_DATA_PATH,
    SPAWN_ONLY,
};
use crate::places::host;

fn main() -> ExitCode {
    let suite = with_containers(with_roots(with_hosts(with_this_machine(Suite::new()))));
    suite.with_matrix(concat!(env!("CARGO_MANIFEST_DIR"), "/conformance.md")).main()
}

fn with_this_machine(suite: Suite) -> Suite {
    let local = || ConnectorFixture::new("local", Arc::new(LocalConnector), "@local");
    let spawn_only = |name, connector: SpawnOnlyConnector| {
        let fixture = ConnectorFixture::new(name, Arc::new(connector), "@spawnonly");
        fixture.lacking(&[SPAWN_ONLY, SAME_DATA_PATH])
    };
    let busybox = spawn_only("local-busybox", SpawnOnlyConnector::busybox());
    let no_tar = spawn_only("local-no-tar", SpawnOnlyConnector::without(["tar"]));
    suite
        .with(local())
        .with(local().named("local-stream").wrapped(|link| Box::new(WithoutFastPaths::new(link))))
        .with(no_tar.lacking(&[NO_TAR]))
        .with(spawn_only("local-bash", SpawnOnlyConnector::with_sh("/bin/bash")))
        .with(busybox.lacking(BUSYBOX))
}

fn with_hosts(suite: Suite) -> Suite {
    let ssh = |name, start| PlaceFixture::new(name, Unknown, start);
    let user = |name, start| ssh(name, start).lacking(&[NOT_ROOT, SAME_DATA_PATH]);
    let busybox = ssh("ssh-busybox", || host(SshHost::busybox())).lacking(BUSYBOX);
    let in_container = |name, start| ssh(name, start).lacking(&[CONTAINER, SAME_DATA_PATH]);
    suite
        .with(ssh("ssh", || host(SshHost::root())))
        .with(ssh("ssh-stream", || host(SshHost::root())).without_fast_paths())
        .with(user("ssh-dash", || host(SshHost::with_shell("/bin/dash"))))
        .with(user("ssh-fish", || host(SshHost::with_shell("/usr/bin/fish"))))
        .with(user("ssh-tcsh", || host(SshHost::with_shell("/bin/tcsh"))))
        .with(user("ssh-dropbear", || host(SshHost::dropbear())).lacking(&[DROPBEAR]))
        .with(busybox.lacking(&[DROPBEAR, SAME_DATA_PATH]))
        .with(in_container("ssh-with_docker", || host(SshHost::container())))
        .with(in_container("dockerssh-sshd-with_docker", || host(SshHost::container_by_name())))
}

fn with_roots(suite: Suite) -> Suite {
    let root = PlaceFixture::new("chroot", Numbers, places::root);
    let over_ssh = PlaceFixture::new("ssh-chroot", Unknown, places::root_over_ssh);
    suite.with(root.lacking(&[OWN_MOUNTS])).with(over_ssh.lacking(&[OWN_MOUNTS, SAME_DATA_PATH]))
}

fn with_containers(suite: Suite) -> Suite {
    let container = |name, start| PlaceFixture::new(name, Codes, start);
    let docker = |name, start| container(name, start).lacking(&[CONTAINER, DOCKER]);
    let busybox = docker("docker-busybox-with_docker", places::busybox).lacking(BUSYBOX);
    let podman = container("podman-with_docker", places::podman).lacking(PODMAN);
    let root = container("docker-chroot-with_docker", places::root_in_container);
    suite
        .with(docker("docker-with_docker", places::debian))
        .with(busybox.lacking(&[SAME_DATA_PATH]))
        .with(podman.lacking(&[CONTAINER, SAME_DATA_PATH]))
        .with(docker("dockerssh-with_docker", places::container_on_host).lacking(&[SAME_DATA_PATH]))
        .with(root.lacking(&[OWN_MOUNTS, DOCKER, SAME_DATA_PATH]))
}
