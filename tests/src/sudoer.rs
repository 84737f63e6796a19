//! Users of this machine who may use its sudo.

use crate::keeper::{Keeper, unique_name};

/// What sudo allows a user, until this value ends.
#[derive(Debug)]
pub struct Sudoer {
    _keeper: Keeper,
}

impl Sudoer {
    /// Everything, as whoever it is, without a password.
    #[must_use]
    pub fn without_password(user: &str) -> Self {
        Self::allowed(&format!("{user} ALL=(ALL:ALL) NOPASSWD: ALL"))
    }

    /// Everything, as whoever it is, with the user's password.
    #[must_use]
    pub fn with_password(user: &str) -> Self {
        Self::allowed(&format!("{user} ALL=(ALL:ALL) ALL"))
    }

    /// What this line of sudoers(5) allows.
    ///
    /// # Panics
    ///
    /// If it cannot be written down, or is no such line.
    #[must_use]
    pub fn allowed(line: &str) -> Self {
        let mut keeper = Keeper::start();
        let new = keeper.write("sudoers", 0o440, &format!("{line}\n"));
        let file = format!("/etc/sudoers.d/{}", unique_name());
        // sudo reads no file with a dot in its name, and never sees half a file.
        let script = format!(
            "visudo -cq -f {0} && cp -p {0} {file}.new && mv {file}.new {file}",
            new.display()
        );
        let made = keeper.make(&script, &format!("rm -f {file} {file}.new"));
        assert!(made, "sudoers: {}", keeper.log());
        Self { _keeper: keeper }
    }
}
