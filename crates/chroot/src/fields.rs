//! The host data that `@chroot` reads.

use hostlink_core::{DataReader, Secret, data_fields};

data_fields! {
    /// The data as given.
    pub(crate) struct Given from DataReader<'_>;

    /// The root directory: DIRECTORY in @chroot/DIRECTORY.
    PATH = "chroot_path", "path" => path: Option<String>, checked(root_path);
    /// Another name of chroot_path, as in pyinfra.
    DIRECTORY = "chroot_directory", "path" => directory: Option<String>, checked(root_path);
    /// Give commands /proc, /sys, /dev and /etc/resolv.conf of the target that the root is on, in
    /// mounts that only they see.
    MOUNTS = "chroot_mounts", "true or false", default: "false" => mounts: bool, or_default();
    /// Enter the root with sudo; _sudo acts inside.
    SUDO = "chroot_sudo", "true or false", default: "false" => sudo: bool, or_default();
    /// The user to enter the root as, instead of root; it must be allowed to.
    SUDO_USER = "chroot_sudo_user", "text" => sudo_user: Option<String>, get();
    /// The password for this sudo, used when it prompts.
    SUDO_PASSWORD = "chroot_sudo_password", "text", secret: true
        => sudo_password: Option<Secret>, get();
}

/// Checks the path of a root.
pub(crate) fn root_path(path: &str) -> Result<String, String> {
    if !path.starts_with('/') {
        return Err(format!("{path:?} is not an absolute path: write @chroot//DIRECTORY"));
    }
    if path.chars().any(char::is_control) {
        return Err(format!("{path:?} contains a control character"));
    }
    // An empty variable in `@chroot/$ROOT/` gives this path, and everything would be done to the
    // target itself.
    if path.split('/').all(|part| part.is_empty() || part == ".") {
        return Err(format!("{path} is the target itself: to use it, leave @chroot out"));
    }
    Ok(path.to_owned())
}
