//! Users of this machine who may use its sudo.

use crate::keeper::{Keeper, unique_name};

/// A rule of sudo for a user, until this value is dropped.
#[derive(Debug)]
pub struct Sudoer {
    _keeper: Keeper,
}

impl Sudoer {
    /// Allows everything, as any user, without a password.
    #[must_use]
    pub fn without_password(user: &str) -> Self {
        Self::allowed(&format!("{user} ALL=(ALL:ALL) NOPASSWD: ALL"))
    }

    /// Allows everything, as any user, with the user's password.
    #[must_use]
    pub fn with_password(user: &str) -> Self {
        Self::allowed(&format!("{user} ALL=(ALL:ALL) ALL"))
    }

    /// Adds this line of sudoers(5).
    ///
    /// # Panics
    ///
    /// If it cannot be written, or if it is not valid.
    #[must_use]
    pub fn allowed(line: &str) -> Self {
        let mut keeper = Keeper::start();
        let new = keeper.write("sudoers", 0o440, &format!("{line}\n"));
        let file = format!("/etc/sudoers.d/{}", unique_name());
        // sudo ignores files with a dot in their name, so it never sees half a file.
        let script = format!(
            "visudo -cq -f {0} && cp -p {0} {file}.new && mv {file}.new {file}",
            new.display()
        );
        let made = keeper.make(&script, &format!("rm -f {file} {file}.new"));
        assert!(made, "sudoers: {}", keeper.log());
        Self { _keeper: keeper }
    }
}
