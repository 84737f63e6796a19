//! Terraform, which no package of Debian has: whoever wants its tests puts it on `PATH`.

use std::env;

use crate::components;

/// What the path of a test that needs it contains: the name of the module that it is in.
pub(crate) const WITH_TERRAFORM: &str = "with_terraform";

/// What is to be done about it.
pub(crate) const BY_HAND: &str = "terraform on PATH (listing the hosts that it has made): no package of Debian has it, \
     so --provision cannot install it; see https://developer.hashicorp.com/terraform/install";

/// Whether it is there.
pub(crate) fn is_there() -> bool {
    components::has_command("terraform")
}

/// Whether a run without its tests is a failure: on CI nobody reads that something was left out.
pub(crate) fn is_required() -> bool {
    env::var("CI").is_ok_and(|value| value == "true")
}
