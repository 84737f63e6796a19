//! Files of this machine that hold a secret and that too many can read.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hostlink_core::{Context, Event};

/// Whether others than its owner can read a file. One that is not there is read by nobody.
#[must_use]
pub fn is_readable_by_others(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|about| about.permissions().mode() & 0o044 != 0)
}

/// Warns of a file that holds a secret and that others than its owner can read. `way_out` is what
/// to do about it beside `chmod`.
pub fn warn_of_readable(path: &Path, way_out: &str, context: &Context) {
    let message = format!(
        "{} has a secret in it, and others than its owner can read it: chmod 600{way_out}",
        path.display()
    );
    context.reporter.report("", Event::Warning(&message));
}
