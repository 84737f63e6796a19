//! The limit of open files, which bounds how many targets are served at once.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The most descriptors that a target takes while it is served. A command over SSH takes 7; files
/// and targets behind others take more.
const OF_TARGET: u64 = 16;

/// The descriptors for everything else.
const OF_PROGRAM: u64 = 40;

/// Returns how many of `targets` fit into the hard limit of open files, at least 1.
pub(crate) fn fitting(targets: usize) -> usize {
    let most = getrlimit(Resource::Nofile)
        .maximum
        .map_or(u64::MAX, |hard| hard.saturating_sub(OF_PROGRAM) / OF_TARGET);
    targets.min(usize::try_from(most).unwrap_or(usize::MAX)).max(1)
}

/// Raises the soft limit of open files if `targets` at once need more. Programs of this machine
/// inherit the limit, so it stays as it is otherwise.
pub(crate) fn make_room_for(targets: usize) {
    let targets = u64::try_from(targets).unwrap_or(u64::MAX);
    let needed = targets.saturating_mul(OF_TARGET).saturating_add(OF_PROGRAM);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some_and(|current| current < needed) {
        let current = Some(maximum.map_or(needed, |maximum| maximum.min(needed)));
        // Below the hard limit it may fail on macOS, where the system has a limit of its own.
        let _ = setrlimit(Resource::Nofile, Rlimit { current, maximum });
    }
}
