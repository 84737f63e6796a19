//! Terraform, which Debian does not package: put it on `PATH` to run its tests.

use std::env;

use crate::components;

/// The name of the modules whose tests need it.
pub(crate) const WITH_TERRAFORM: &str = "with_terraform";

/// How to install it.
pub(crate) const BY_HAND: &str = "terraform on PATH (listing the hosts that it has made): no package of Debian has it, \
     so --provision cannot install it; see https://developer.hashicorp.com/terraform/install";

/// Returns whether it is on `PATH`.
pub(crate) fn is_there() -> bool {
    components::has_command("terraform")
}

/// Returns whether a run without its tests is a failure: on CI a note about skipped tests is not
/// read.
pub(crate) fn is_required() -> bool {
    env::var("CI").is_ok_and(|value| value == "true")
}
