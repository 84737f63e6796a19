//! How much memory this process has in use.

use std::fs;
use std::io;

use super::Failure;

/// The file beside which a large one is moved.
pub const SMALL: u64 = 64 << 20;

/// The peaks of moving one file there and back, in MiB.
#[derive(Clone, Copy, Debug)]
pub struct Peaks {
    /// Of putting it.
    pub put: f64,
    /// Of getting it.
    pub get: f64,
}

/// The line that sets a large file's peaks beside those of [`SMALL`].
#[must_use]
pub fn told(small: Peaks, large: Peaks, size: u64) -> String {
    let (one, other) = (SMALL >> 20, size >> 20);
    format!(
        "Peak memory of the process: put of {one} MiB {:.1} MiB, of {other} MiB {:.1} MiB; get of {one} MiB {:.1} MiB, \
         of {other} MiB {:.1} MiB.",
        small.put, large.put, small.get, large.get
    )
}

/// From now on, the peak is what there is now (proc(5), `clear_refs`).
///
/// # Errors
///
/// There is no /proc.
pub fn forget_peak() -> io::Result<()> {
    fs::write("/proc/self/clear_refs", "5")
}

/// The peak in MiB (VmHWM, proc(5)).
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
