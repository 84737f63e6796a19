//! The file of known host keys, as ssh finds it when it adds a new one.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use hostlink_core::Context;

use crate::settings::{HostKeyPolicy, Settings};

/// Many logins begin at once, and one of them is enough to end a line.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Ends the last line of the file that this login may add to.
///
/// OpenSSH 9.2 writes a new key right behind what is there (`add_host_to_hostfile` in its
/// `hostfile.c`). On a line without an end that spoils both keys, and the new host is as unknown as
/// before.
pub(crate) fn end_last_line(settings: &Settings, context: &Context) {
    if settings.host_keys == Some(HostKeyPolicy::Yes) {
        return;
    }
    let default = || context.home.as_ref().map(|home| home.join(".ssh/known_hosts"));
    let file: Option<PathBuf> = settings.known_hosts_file.clone().or_else(default);
    if let Some(path) = file.filter(|path| path.is_absolute() && path.is_file()) {
        let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        // Where we may not write, ssh may not either, and says so.
        let _not_ours = end(&path);
    }
}

fn end(path: &Path) -> io::Result<()> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() == 0 {
        return Ok(());
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last == *b"\n" {
        return Ok(());
    }
    // Appended in one piece, so that it cannot fall into a line that somebody else adds.
    OpenOptions::new().append(true).open(path)?.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_line_without_an_end_gets_one() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (before, after) in [("", ""), ("a\n", "a\n"), ("a\nb", "a\nb\n"), ("\n", "\n")] {
            std::fs::write(file.path(), before).unwrap();
            end(file.path()).unwrap();
            assert_eq!(std::fs::read_to_string(file.path()).unwrap(), after);
        }
    }
}
