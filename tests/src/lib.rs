//! Fixtures and helpers that the whole-system tests share. The tests themselves are in `tests/`.

pub mod bench;
pub mod busybox;
pub mod chroot;
pub mod cli;
pub mod container;
pub mod docker_host;
pub mod docker_target;
pub mod dropbear;
pub mod engine;
pub mod forwarder;
pub mod forwards;
pub mod keeper;
pub mod keys;
pub mod network;
pub mod own_engine;
pub mod ports;
pub mod processes;
pub mod rootfs;
pub mod rsync;
pub mod rsync_stop;
pub mod secret_search;
pub mod ssh_client;
pub mod ssh_container;
pub mod ssh_host;
pub mod ssh_target;
pub mod sshd;
pub mod sudo_rs;
pub mod sudoer;
pub mod terminal;
pub mod unreachable;
pub mod user;
pub mod users_master;
pub mod vagrant;

use std::path::PathBuf;

/// Returns the command `hostlink` that `cargo xtask test` builds: beside the directory of the
/// test's own binary, or at `HOSTLINK_BIN`.
///
/// # Panics
///
/// If the command does not exist.
#[must_use]
pub fn binary() -> PathBuf {
    let beside = || {
        let test = std::env::current_exe().ok()?;
        Some(test.parent()?.parent()?.join("hostlink"))
    };
    let found = std::env::var_os("HOSTLINK_BIN").map(PathBuf::from).or_else(beside);
    let path = found.expect("a test has a path");
    assert!(path.exists(), "{} is missing: `cargo xtask test` builds it", path.display());
    path
}
