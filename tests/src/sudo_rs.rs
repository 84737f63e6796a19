//! sudo-rs, which `cargo xtask test --provision` builds from crates.io, since Debian 12 has no
//! package of it.

/// Where it is: `bin/sudo` below, without the bits that make it act as root.
pub const DIRECTORY: &str = "/var/lib/hostlink-tests/sudo-rs";
