//! Files of this machine that contain a secret and are readable by other users.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hostlink_core::{Context, Event};

/// Returns whether users other than its owner can read a file. A missing file is readable by no
/// one.
#[must_use]
pub fn is_readable_by_others(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|about| about.permissions().mode() & 0o044 != 0)
}

/// Warns of a file that contains a secret and is readable by other users. `way_out` is what to do
/// about it besides `chmod`.
pub fn warn_of_readable(path: &Path, way_out: &str, context: &Context) {
    let message = format!(
        "{} contains a secret, and other users can read it: chmod 600{way_out}",
        path.display()
    );
    context.reporter.report("", Event::Warning(&message));
}
