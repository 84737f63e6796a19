//! sudo-rs, which `cargo xtask test --provision` builds from crates.io, since Debian 12 does not
//! package it.

/// Its directory: `bin/sudo` below it, without the setuid bit.
pub const DIRECTORY: &str = "/var/lib/hostlink-tests/sudo-rs";
