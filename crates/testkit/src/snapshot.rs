//! A directory of this machine, to be compared with another.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::ensure;

use crate::random;

/// The kind and content of an entry. The time of a symlink is left out: not every target can set
/// it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Directory { mode: u32, time: i64 },
    File { mode: u32, time: i64, content: Vec<u8> },
    Symlink(PathBuf),
}

/// Returns everything below `root`, by path.
pub(crate) fn of(root: &Path) -> anyhow::Result<BTreeMap<PathBuf, Entry>> {
    let mut entries = BTreeMap::new();
    add(root, Path::new(""), &mut entries)?;
    Ok(entries)
}

fn add(root: &Path, below: &Path, entries: &mut BTreeMap<PathBuf, Entry>) -> anyhow::Result<()> {
    for found in fs::read_dir(root.join(below))? {
        let name = below.join(found?.file_name());
        let path = root.join(&name);
        let metadata = fs::symlink_metadata(&path)?;
        let (mode, time) = (metadata.mode() & 0o7777, metadata.mtime());
        let entry = if metadata.is_symlink() {
            Entry::Symlink(fs::read_link(&path)?)
        } else if metadata.is_dir() {
            add(root, &name, entries)?;
            Entry::Directory { mode, time }
        } else {
            Entry::File { mode, time, content: fs::read(&path)? }
        };
        entries.insert(name, entry);
    }
    Ok(())
}

/// Fails with the first path that differs.
pub(crate) fn expect_equal(wanted: &Path, found: &Path) -> anyhow::Result<()> {
    let (wanted, found) = (of(wanted)?, of(found)?);
    let paths: Vec<_> = wanted.keys().chain(found.keys()).collect();
    for path in paths {
        let (left, right) = (wanted.get(path), found.get(path));
        ensure!(left == right, "{path:?} was {} and is {}", brief(left), brief(right));
    }
    Ok(())
}

fn brief(entry: Option<&Entry>) -> String {
    match entry {
        None => "not there".to_owned(),
        Some(Entry::File { mode, time, content }) => {
            format!("a file of mode {mode:o}, time {time}, {} bytes", content.len())
        }
        Some(other) => format!("{other:?}"),
    }
}

/// Fills `root` with `count` files in directories, with symlinks, odd names, modes and times.
pub(crate) fn fill(root: &Path, count: usize) -> anyhow::Result<()> {
    let folders = ["plain", "with space", "-dash", "it's $HOME", "new\nline", ".hidden", "ünï"];
    for folder in folders {
        fs::create_dir_all(root.join(folder).join("deeper"))?;
    }
    for number in 0..count {
        let folder = root.join(folders[number % folders.len()]);
        let name = ["a b", "-rf", "q'\"`", "..dots", "*", "n\nl", "f"][number / 7 % 7];
        let path = folder.join(format!("{name}{number}"));
        fs::write(&path, random::bytes(number % 2000))?;
        let mode = [0o644, 0o600, 0o755, 0o444, 0o700][number % 5];
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        set_time(&path, 1_000_000_000 + 86_401 * i64::try_from(number)?)?;
    }
    for (name, target) in
        [("inside", "plain/f"), ("outside", "/etc/passwd"), ("dangling", "no\nwhere")]
    {
        std::os::unix::fs::symlink(target, root.join(name))?;
    }
    for folder in folders {
        let folder = root.join(folder);
        fs::set_permissions(folder.join("deeper"), fs::Permissions::from_mode(0o711))?;
        set_time(&folder.join("deeper"), 1_100_000_000)?;
        set_time(&folder, 1_200_000_000)?;
    }
    Ok(())
}

/// Adds a file whose name is not UTF-8.
pub(crate) fn add_bytes_name(root: &Path) -> anyhow::Result<()> {
    let name = std::ffi::OsStr::from_bytes(b"not \xff UTF-8");
    Ok(fs::write(root.join(name), "content")?)
}

/// Sets the modification time, in seconds since 1970.
pub(crate) fn set_time(path: &Path, seconds: i64) -> anyhow::Result<()> {
    let time = UNIX_EPOCH + Duration::from_secs(seconds.try_into()?);
    Ok(fs::File::open(path)?.set_modified(time)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_of_any_kind_is_found() {
        let changes: [fn(&Path); 5] = [
            |root| fs::write(root.join("plain/f"), "other").unwrap(),
            |root| fs::remove_file(root.join("inside")).unwrap(),
            |root| {
                fs::set_permissions(root.join("plain"), fs::Permissions::from_mode(0o700)).unwrap()
            },
            |root| set_time(&root.join("plain"), 5).unwrap(),
            |root| fs::write(root.join("more"), "").unwrap(),
        ];
        for (number, change) in changes.iter().enumerate() {
            let [one, two] = [(), ()].map(|()| tempfile::tempdir().unwrap());
            for root in [&one, &two] {
                fill(root.path(), 0).unwrap();
                fs::write(root.path().join("plain/f"), "one").unwrap();
                for path in ["plain/f", "plain"] {
                    set_time(&root.path().join(path), 7).unwrap();
                }
            }
            expect_equal(one.path(), two.path()).unwrap();
            change(two.path());
            assert!(expect_equal(one.path(), two.path()).is_err(), "change {number}");
        }
    }
}
