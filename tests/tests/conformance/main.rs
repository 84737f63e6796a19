//! Every connector through the behaviour suite: one line each.

mod chroot;
mod containers;
mod rows;
mod ssh;

use std::process::ExitCode;
use std::sync::Arc;

use hostlink_local::LocalConnector;
use hostlink_testkit::{ConnectorFixture, Signals, SpawnOnlyConnector, Suite, WithoutFastPaths};
use hostlink_tests::engine::Engine;
use hostlink_tests::ssh_host::SshHost;

use crate::chroot::{ChrootFixture, Place};
use crate::containers::{ContainerFixture, Way};
use crate::rows::{LEFT_OUT, UNSUPPORTED};
use crate::ssh::SshFixture;

fn main() -> ExitCode {
    let local = Arc::new(LocalConnector);
    let no_tar = Arc::new(SpawnOnlyConnector::without(["tar"]));
    let bash = Arc::new(SpawnOnlyConnector::with_sh("/bin/bash"));
    let busybox = Arc::new(SpawnOnlyConnector::busybox());
    Suite::new()
        .with(ConnectorFixture::new("local", local.clone(), "@local"))
        .with(
            ConnectorFixture::new("local-stream", local, "@local")
                .wrapped(|link| Box::new(WithoutFastPaths::new(link))),
        )
        .with(ConnectorFixture::new("local-no-tar", no_tar, "@spawnonly").without_tar())
        .with(ConnectorFixture::new("local-bash", bash, "@spawnonly"))
        .with(ConnectorFixture::new("local-busybox", busybox, "@spawnonly"))
        .with(SshFixture::new("ssh", SshHost::root))
        .with(SshFixture::new("ssh-stream", SshHost::root).without_fast_paths())
        .with(SshFixture::new("ssh-dash", || SshHost::with_shell("/bin/dash")))
        .with(SshFixture::new("ssh-fish", || SshHost::with_shell("/usr/bin/fish")))
        .with(SshFixture::new("ssh-tcsh", || SshHost::with_shell("/bin/tcsh")))
        .with(SshFixture::new("ssh-dropbear", SshHost::dropbear))
        .with(SshFixture::new("ssh-busybox", SshHost::busybox))
        .with(SshFixture::new("ssh-with_docker", SshHost::container))
        .with(ChrootFixture::new("chroot", Signals::Numbers, Place::local))
        .with(ChrootFixture::new("ssh-chroot", Signals::Unknown, Place::over_ssh))
        .with(ContainerFixture::new("docker-with_docker", Way::Debian(Engine::Docker)))
        .with(ContainerFixture::new("docker-busybox-with_docker", Way::Busybox))
        .with(ContainerFixture::new("podman-with_docker", Way::Debian(Engine::Podman)))
        .with(ContainerFixture::new("dockerssh-with_docker", Way::OnHost))
        .with(SshFixture::new("dockerssh-sshd-with_docker", SshHost::container_by_name))
        .with(ContainerFixture::new("docker-chroot-with_docker", Way::Root))
        .with_unsupported(UNSUPPORTED)
        .with_left_out(LEFT_OUT)
        .with_matrix(concat!(env!("CARGO_MANIFEST_DIR"), "/conformance.md"))
        .main()
}
