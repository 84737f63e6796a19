//! The targets that have to be started: servers, containers and root directories.

use hostlink::Data;
use hostlink_tests::chroot::{Root, target, with_mounts};
use hostlink_tests::container::{BUSYBOX, Container, DEBIAN};
use hostlink_tests::engine::{Engine, PODMAN_SOCKET};
use hostlink_tests::ssh_host::SshHost;

use crate::fixture::Place;

/// The filter of system calls would be compiled and loaded again for each command: 10 ms of CPU
/// that prove nothing. The containers of other tests have it.
const NO_FILTER: &str = "--security-opt=seccomp=unconfined";

/// Where the root is in a container that has one.
const ROOT: &str = "/srv/root";

/// A host over SSH.
pub(crate) fn host(host: SshHost) -> Place {
    Place::new(host.target.clone(), host.data(), host)
}

/// A root directory of this machine, with mounts, since the suite looks for processes in /proc.
pub(crate) fn root() -> Place {
    let root = Root::debian();
    Place::new(root.target(), with_mounts(), root)
}

/// A root directory as a user enters it who comes over SSH, and is not root.
pub(crate) fn root_over_ssh() -> Place {
    let (root, host) = (Root::debian(), SshHost::sudoer());
    let name = format!("@ssh/{}/{}", host.target, target(&root.dir()));
    let mut data = with_mounts();
    data.merge(&host.data().with("chroot_sudo", true));
    Place::new(name, data, (host, root))
}

/// A container of Docker's that is made of Debian.
pub(crate) fn debian() -> Place {
    container(Container::start_with(DEBIAN, &[NO_FILTER]))
}

/// A container of Docker's that has busybox and nothing else.
pub(crate) fn busybox() -> Place {
    container(Container::start_with(BUSYBOX, &[NO_FILTER]))
}

fn container(container: Container) -> Place {
    Place::new(format!("@docker/{}", container.name()), Data::new(), container)
}

/// A container of Podman's.
pub(crate) fn podman() -> Place {
    let container = Container::start_on(Engine::Podman, DEBIAN, &[NO_FILTER]);
    let data = Data::new().with("podman_socket", PODMAN_SOCKET);
    Place::new(format!("@podman/{}", container.name()), data, container)
}

/// A container of Docker's, whose engine is reached over SSH.
pub(crate) fn container_on_host() -> Place {
    let container = Container::start_with(DEBIAN, &[NO_FILTER]);
    let host = SshHost::root();
    let name = format!("@dockerssh/{}:{}", host.target, container.name());
    Place::new(name, host.data(), (container, host))
}

/// A root directory with mounts, in a container of Docker's.
pub(crate) fn root_in_container() -> Place {
    let root = Root::debian();
    let volume = format!("--volume={}:{ROOT}", root.dir().display());
    // Who may not mount can have no mounts of a command's own.
    let options = ["--cap-add=SYS_ADMIN", "--security-opt=apparmor=unconfined", NO_FILTER, &volume];
    let container = Container::start_with(DEBIAN, &options);
    let name = format!("@docker/{}/@chroot/{ROOT}", container.name());
    // The container goes before the root in it.
    Place::new(name, with_mounts(), (container, root))
}
