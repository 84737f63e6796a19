//! The targets that must be started: servers, containers and root directories.

use hostlink::Data;
use hostlink_tests::chroot::{Root, target, with_mounts};
use hostlink_tests::container::{BUSYBOX, Container, DEBIAN};
use hostlink_tests::engine::{Engine, PODMAN_SOCKET};
use hostlink_tests::ssh_host::SshHost;

use crate::fixture::Place;

/// The filter of system calls would be compiled and loaded again for each command: 10 ms of CPU
/// time that prove nothing. Containers of other tests have it.
const NO_FILTER: &str = "--security-opt=seccomp=unconfined";

/// The root directory in a container that has one.
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

/// A root directory, entered over SSH by a user who is not root.
pub(crate) fn root_over_ssh() -> Place {
    let (root, host) = (Root::debian(), SshHost::sudoer());
    let name = format!("@ssh/{}/{}", host.target, target(&root.dir()));
    let mut data = with_mounts();
    data.merge(&host.data().with("chroot_sudo", true));
    Place::new(name, data, (host, root))
}

/// A Docker container of Debian.
pub(crate) fn debian() -> Place {
    container(Container::start_with(DEBIAN, &[NO_FILTER]))
}

/// A Docker container with only busybox.
pub(crate) fn busybox() -> Place {
    container(Container::start_with(BUSYBOX, &[NO_FILTER]))
}

fn container(container: Container) -> Place {
    Place::new(format!("@docker/{}", container.name()), Data::new(), container)
}

/// A Podman container.
pub(crate) fn podman() -> Place {
    let container = Container::start_on(Engine::Podman, DEBIAN, &[NO_FILTER]);
    let data = Data::new().with("podman_socket", PODMAN_SOCKET);
    Place::new(format!("@podman/{}", container.name()), data, container)
}

/// A Docker container whose engine is reached over SSH.
pub(crate) fn container_on_host() -> Place {
    let container = Container::start_with(DEBIAN, &[NO_FILTER]);
    let host = SshHost::root();
    let name = format!("@dockerssh/{}:{}", host.target, container.name());
    Place::new(name, host.data(), (container, host))
}

/// A root directory with mounts, in a Docker container.
pub(crate) fn root_in_container() -> Place {
    let root = Root::debian();
    let volume = format!("--volume={}:{ROOT}", root.dir().display());
    // `chroot_mounts` needs the right to mount.
    let options = ["--cap-add=SYS_ADMIN", "--security-opt=apparmor=unconfined", NO_FILTER, &volume];
    let container = Container::start_with(DEBIAN, &options);
    let name = format!("@docker/{}/@chroot/{ROOT}", container.name());
    // The container ends before the root in it.
    Place::new(name, with_mounts(), (container, root))
}
