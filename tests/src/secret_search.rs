//! Searches for secrets where other users could read them, or where they would stay.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A password is not written to a longer file by accident.
const LONGEST: u64 = 16 * 1024 * 1024;

const DEEPEST: usize = 3;

/// Returns the arguments and environments of this machine's processes that contain one of the
/// texts.
///
/// # Panics
///
/// If there is no /proc.
#[must_use]
pub fn processes_with(secrets: &[String]) -> Vec<PathBuf> {
    let pids = fs::read_dir("/proc").expect("there is a /proc").flatten();
    let places = pids.map(|pid| pid.path()).flat_map(|it| [it.join("cmdline"), it.join("environ")]);
    places.filter(|place| holds(place, secrets)).collect()
}

/// Returns the files in these directories that contain one of the texts, in their content or name.
/// Files that were last changed before `since` are skipped, and those deeper than three
/// directories.
#[must_use]
pub fn files_with(roots: &[&Path], since: SystemTime, secrets: &[String]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories: Vec<_> = roots.iter().map(|root| (root.to_path_buf(), 0)).collect();
    while let Some((directory, depth)) = directories.pop() {
        // Other tests remove their files at the same time.
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let (path, Ok(metadata)) = (entry.path(), entry.metadata()) else { continue };
            let shown = path.to_string_lossy();
            let is_new = metadata.modified().is_ok_and(|modified| modified >= since);
            let is_file = metadata.is_file() && is_new && metadata.len() < LONGEST;
            if secrets.iter().any(|secret| shown.contains(secret))
                || is_file && holds(&path, secrets)
            {
                found.push(path);
            } else if metadata.is_dir() && depth < DEEPEST {
                directories.push((path, depth + 1));
            }
        }
    }
    found
}

fn holds(place: &Path, secrets: &[String]) -> bool {
    let bytes = fs::read(place).unwrap_or_default();
    secrets.iter().any(|it| bytes.windows(it.len()).any(|window| window == it.as_bytes()))
}

/// Returns a text that occurs nowhere yet.
///
/// # Panics
///
/// If the system has no random numbers.
#[must_use]
pub fn new_secret() -> String {
    let number = || getrandom::u64().expect("the system has random numbers");
    format!("{:016x}{:016x}", number(), number())
}
