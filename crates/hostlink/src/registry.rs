//! The one list of built-in connectors.

use std::sync::Arc;

use hostlink_core::{Connector, Registry};

/// Every connector of hostlink, by name, and its value if it is compiled in.
fn builtin() -> [(&'static str, Option<Arc<dyn Connector>>); 11] {
    // One that is used by another connector too: what its connections share is shared by all.
    #[cfg(feature = "ssh")]
    let ssh = Arc::new(hostlink_ssh::SshConnector::new());
    [
        (
            "local",
            #[cfg(feature = "local")]
            Some(Arc::new(hostlink_local::LocalConnector)),
            #[cfg(not(feature = "local"))]
            None,
        ),
        (
            "docker",
            #[cfg(feature = "docker")]
            Some(Arc::new(hostlink_docker::DockerConnector::docker())),
            #[cfg(not(feature = "docker"))]
            None,
        ),
        (
            "podman",
            #[cfg(feature = "docker")]
            Some(Arc::new(hostlink_docker::DockerConnector::podman())),
            #[cfg(not(feature = "docker"))]
            None,
        ),
        (
            "dockerssh",
            #[cfg(feature = "dockerssh")]
            Some(Arc::new(hostlink_dockerssh::DockerSshConnector::docker(ssh.clone()))),
            #[cfg(not(feature = "dockerssh"))]
            None,
        ),
        (
            "podmanssh",
            #[cfg(feature = "dockerssh")]
            Some(Arc::new(hostlink_dockerssh::DockerSshConnector::podman(ssh.clone()))),
            #[cfg(not(feature = "dockerssh"))]
            None,
        ),
        (
            "chroot",
            #[cfg(feature = "chroot")]
            Some(Arc::new(hostlink_chroot::ChrootConnector)),
            #[cfg(not(feature = "chroot"))]
            None,
        ),
        (
            "ansible",
            #[cfg(feature = "inventory")]
            Some(Arc::new(hostlink_inventory::AnsibleConnector)),
            #[cfg(not(feature = "inventory"))]
            None,
        ),
        (
            "sshconfig",
            #[cfg(feature = "inventory")]
            Some(Arc::new(hostlink_inventory::SshConfigConnector)),
            #[cfg(not(feature = "inventory"))]
            None,
        ),
        (
            "ssh",
            #[cfg(feature = "ssh")]
            Some(ssh),
            #[cfg(not(feature = "ssh"))]
            None,
        ),
        (
            "terraform",
            #[cfg(feature = "terraform")]
            Some(Arc::new(hostlink_terraform::TerraformConnector::new())),
            #[cfg(not(feature = "terraform"))]
            None,
        ),
        (
            "vagrant",
            #[cfg(feature = "vagrant")]
            Some(Arc::new(hostlink_vagrant::VagrantConnector::new())),
            #[cfg(not(feature = "vagrant"))]
            None,
        ),
    ]
}

/// A registry with every connector that is compiled in. It knows the names of the others, so that
/// the error for one of them names the feature that adds it. Register your own on top of it.
#[must_use]
pub fn builtin_registry() -> Registry {
    let mut registry = Registry::new();
    for (name, connector) in builtin() {
        match connector {
            Some(connector) => registry.register(connector),
            None => registry.left_out(name, feature(name)),
        }
    }
    registry
}

/// The feature that adds a connector: mostly its name.
fn feature(name: &'static str) -> &'static str {
    match name {
        "podman" => "docker",
        "podmanssh" => "dockerssh",
        "ansible" | "sshconfig" => "inventory",
        name => name,
    }
}
