//! The one list of built-in connectors.

use hostlink_core::Registry;

/// Registers what is compiled in, and names the feature of what is not.
macro_rules! register {
    ($registry:ident: $($name:literal in $feature:literal => $connector:expr;)+) => {$(
        #[cfg(feature = $feature)]
        $registry.register(std::sync::Arc::new($connector));
        #[cfg(not(feature = $feature))]
        $registry.left_out($name, $feature);
    )+};
}

/// A registry with every connector that is compiled in. It knows the names of the others, so that
/// the error for one of them names the feature that adds it. Register your own on top of it.
#[must_use]
pub fn builtin_registry() -> Registry {
    let mut registry = Registry::new();
    // Used by another connector too: what its connections share is shared by all.
    #[cfg(feature = "ssh")]
    let ssh = hostlink_ssh::SshConnector::new();
    register! { registry:
        "local" in "local" => hostlink_local::LocalConnector;
        "docker" in "docker" => hostlink_docker::DockerConnector::docker();
        "podman" in "docker" => hostlink_docker::DockerConnector::podman();
        "dockerssh" in "dockerssh" => hostlink_dockerssh::DockerSshConnector::docker(ssh.clone());
        "podmanssh" in "dockerssh" => hostlink_dockerssh::DockerSshConnector::podman(ssh.clone());
        "chroot" in "chroot" => hostlink_chroot::ChrootConnector;
        "ansible" in "inventory" => hostlink_inventory::AnsibleConnector;
        "sshconfig" in "inventory" => hostlink_inventory::SshConfigConnector;
        "ssh" in "ssh" => ssh;
        "terraform" in "terraform" => hostlink_terraform::TerraformConnector::new();
        "vagrant" in "vagrant" => hostlink_vagrant::VagrantConnector::new();
    }
    registry
}
