//! Finds a place for the masters' private directory.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use hostlink_core::Context;

/// The longest base, in bytes. A socket's path may have 103 (`sun_path` of macOS), of which ssh
/// uses 17 for a suffix while it binds, and we `/hl-0123456789/m/123456/s`.
const LONGEST: usize = 60;

/// Returns the directories to try, best first: the given one or the system's, then others.
///
/// Directories from which programs cannot run come last: there, ssh cannot ask for a secret, but
/// may need none.
pub(super) fn candidates(context: &Context) -> Vec<PathBuf> {
    let mut bases = vec![context.runtime_directory.clone().unwrap_or_else(std::env::temp_dir)];
    bases.extend(["/tmp", "/dev/shm"].map(PathBuf::from));
    bases.extend(context.home.as_ref().map(|home| home.join(".cache")));
    bases.retain(|base| is_usable(base));
    bases.sort_by_key(|base| !runs_programs(base));
    bases
}

/// Returns whether sockets fit in it, and no character has a meaning in ssh_config(5).
fn is_usable(base: &Path) -> bool {
    let bytes = base.as_os_str().as_bytes();
    let is_harmless = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+".contains(byte);
    base.is_absolute() && bytes.len() <= LONGEST && bytes.iter().all(is_harmless)
}

/// Returns whether the askpass script can run there, which a mount with `noexec` prevents.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn runs_programs(base: &Path) -> bool {
    use rustix::fs::{StatVfsMountFlags, statvfs};
    !statvfs(base).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::NOEXEC))
}

/// Other systems do not mount their temporary directory with `noexec`.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn runs_programs(_base: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_short_absolute_and_harmless() {
        for (base, usable) in [
            ("/tmp", true),
            ("/var/folders/zz/zyxvpxvq6csfxvn_n0000000000000/T/", true),
            ("tmp", false),
            ("/tmp/with space", false),
            ("/tmp/%h", false),
        ] {
            assert_eq!(is_usable(Path::new(base)), usable, "{base}");
        }
        assert!(!is_usable(Path::new(&format!("/{}", "x".repeat(90)))));
    }
}
