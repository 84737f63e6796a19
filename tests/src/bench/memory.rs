//! The memory use of this process.

use std::fs;
use std::io;

use super::Failure;

/// The size of the file that a large one is compared with.
pub const SMALL: u64 = 64 << 20;

/// The peaks of putting and getting one file, in MiB.
#[derive(Clone, Copy, Debug)]
pub struct Peaks {
    /// While putting it.
    pub put: f64,
    /// While getting it.
    pub get: f64,
}

/// Returns the line that compares a large file's peaks with those of [`SMALL`].
#[must_use]
pub fn comparison(small: Peaks, large: Peaks, size: u64) -> String {
    let (one, other) = (SMALL >> 20, size >> 20);
    format!(
        "Peak memory of the process: put of {one} MiB {:.1} MiB, of {other} MiB {:.1} MiB; get of {one} MiB {:.1} MiB, \
         of {other} MiB {:.1} MiB.",
        small.put, large.put, small.get, large.get
    )
}

/// Resets the peak to the current use (proc(5), `clear_refs`).
///
/// # Errors
///
/// There is no /proc.
pub fn reset_peak() -> io::Result<()> {
    fs::write("/proc/self/clear_refs", "5")
}

/// Returns the peak in MiB (VmHWM, proc(5)).
///
/// # Errors
///
/// There is no /proc.
pub fn peak() -> Result<f64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    let kibibytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes / 1024.0)
}
