//! Stores and reads a directory file by file, where the target starts no command, by the
//! connection's own [`DirectoryTransfer`].
//!
//! A put fills a hidden directory, and renames it, or moves what is in it into the directory that
//! is there. The hidden directory is inside that one, beside which a user that is confined to it
//! could make none (`ChrootDirectory`, sshd_config(5)).

use std::collections::HashSet;
use std::fs::Metadata;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use futures::TryStreamExt;
use futures::stream::FuturesUnordered;

use super::cleaner::Removal;
use super::failure::failure;
use super::put::put_fast;
use super::stage::Stage;
use super::target::Remote;
use super::tree_get::{Listed, get_listed};
use super::tree_put::{Entry, link_of, not_utf8};
use super::{
    DirectoryTransfer, FileKind, Header, PutOptions, RemoteEntry, Route, Source, Transferred,
};
use crate::contract::files::{hidden_name, mode_of};
use crate::values::error::{Error, ErrorKind, Result};
use crate::values::report::Event;

/// Files that are stored at the same time.
const FILES: usize = 8;

/// Returns what handles directories on a target that refused to start a command.
///
/// # Errors
///
/// `refusal`, if nothing else handles them.
async fn directories<'a>(remote: &Remote<'a>, refusal: Error) -> Result<&'a dyn DirectoryTransfer> {
    let Some(files) = remote.own_transfer() else { return Err(refusal) };
    let directories = remote.within_limit(files.directories()).await?.ok_or(refusal)?;
    remote.link.report(Event::Detail("no shell there: the directory goes file by file"));
    Ok(directories)
}

/// Stores a directory as `remote.path`: itself, and what is in it, parents first.
pub(super) async fn put(
    remote: &Remote<'_>,
    (root, entries): (&Metadata, &[Entry]),
    options: &PutOptions,
    refusal: Error,
) -> Result<Transferred> {
    let directories = directories(remote, refusal).await?;
    let path = &remote.path;
    let existing = match options.follows() {
        true => look_through(directories, path).await?,
        false => directories.look(path).await?,
    };
    let merges = existing.is_some();
    if existing.is_some_and(|found| found.kind != FileKind::Directory) {
        return Err(failure("notdir", path, b""));
    }
    let hidden = hidden_name(&if merges { Path::new(path).join("tree") } else { path.into() })?;
    let stage = hidden.to_str().ok_or_else(|| not_utf8(&hidden))?;
    let mut cleaner = remote.cleaner(Removal::Directory(stage.to_owned()));
    let stored = async {
        make_hidden(directories, stage, path).await?;
        let mask = if options.preserve { 0o7777 } else { mask(directories, stage).await? };
        let put = Put { remote, directories, entries, stage, mask };
        let bytes = put.fill().await.map_err(|error| error.within(path))?;
        if merges {
            put.merge().await?;
            // The destination is whole: a hidden directory that cannot be removed is no failure.
            let _ = remove(directories, stage).await;
        } else {
            put.finish(put.finishing(entries.iter(), stage, |_| 0)?).await?;
            let mode = options.mode.unwrap_or_else(|| mode_of(root) & 0o1777 & mask);
            directories.set(stage, mode, root.modified().unwrap_or(UNIX_EPOCH)).await?;
            directories.rename(stage, path).await?;
        }
        Ok(Transferred { bytes, in_place: false, route: directories.route() })
    };
    let stored = remote.within_limit(stored).await;
    match &stored {
        Ok(_) => cleaner.disarm(),
        Err(error) => cleaner.clean(error).await,
    }
    stored
}

/// Makes the hidden directory for `path`.
async fn make_hidden(directories: &dyn DirectoryTransfer, stage: &str, path: &str) -> Result<()> {
    directories.create_directory(stage, 0o700).await.map_err(|error| {
        match (error.kind(), error.stderr_tail()) {
            (ErrorKind::NotFound, _) => failure("nodir", path, b""),
            (kind, Some(said)) => failure("", path, said.as_bytes()).with_kind(kind),
            _ => error,
        }
    })
}

/// Returns the bits that the target's umask leaves of a mode.
async fn mask(directories: &dyn DirectoryTransfer, stage: &str) -> Result<u32> {
    let probe = format!("{stage}/probe");
    directories.create_directory(&probe, 0o777).await?;
    let made = directories.look(&probe).await?;
    directories.remove(&probe, FileKind::Directory).await?;
    Ok(0o7000 | made.map_or(0o700, |made| made.header.mode & 0o777))
}

/// A directory on its way to the target.
struct Put<'a> {
    remote: &'a Remote<'a>,
    directories: &'a dyn DirectoryTransfer,
    entries: &'a [Entry],
    /// The hidden directory.
    stage: &'a str,
    mask: u32,
}

/// A directory of the target, and the mode and the time that it gets.
type Finishing = (String, u32, SystemTime);

impl Put<'_> {
    /// Stores the entries in the hidden directory. Returns the bytes of the files.
    async fn fill(&self) -> Result<u64> {
        for entry in self.entries {
            let path = within(self.stage, &entry.name)?;
            match entry.kind {
                FileKind::Directory => self.directories.create_directory(&path, 0o700).await?,
                FileKind::Symlink => {
                    self.directories.create_symlink(&link_of(entry)?, &path).await?;
                }
                FileKind::File | FileKind::Other => {}
            }
        }
        let (mut storing, mut bytes) = (FuturesUnordered::new(), 0);
        for entry in self.entries {
            if entry.kind == FileKind::File {
                storing.push(self.store(entry));
            }
            if storing.len() == FILES {
                bytes += storing.try_next().await?.unwrap_or_default();
            }
        }
        while let Some(stored) = storing.try_next().await? {
            bytes += stored;
        }
        Ok(bytes)
    }

    async fn store(&self, entry: &Entry) -> Result<u64> {
        let file = self.remote.at(&within(self.stage, &entry.name)?)?;
        let mut source = Source::path(&entry.path).open().await?;
        // The protocol has no time before 1970.
        source.modified = source.modified.map(|time| time.max(UNIX_EPOCH));
        let mode = source.mode & self.mask;
        let options = PutOptions::default().with_preserve(true).with_mode(mode);
        let stored = put_fast(&file, &mut source, &options).await?;
        let message = || format!("{} cannot be stored without a command", entry.path.display());
        Ok(stored.ok_or_else(|| Error::new(ErrorKind::Unsupported, message()))?.bytes)
    }

    /// Returns the directories among the entries in `root`. The modes get the bits of `more`.
    fn finishing<'e>(
        &self,
        entries: impl Iterator<Item = &'e Entry>,
        root: &str,
        more: impl Fn(&Entry) -> u32,
    ) -> Result<Vec<Finishing>> {
        let made = entries.filter(|entry| entry.kind == FileKind::Directory);
        made.map(|entry| {
            let mode = mode_of(&entry.metadata) & self.mask | more(entry);
            let time = entry.metadata.modified().unwrap_or(UNIX_EPOCH);
            Ok((within(root, &entry.name)?, mode, time))
        })
        .collect()
    }

    /// Sets modes and times, of children first: a read-only directory cannot be filled.
    async fn finish(&self, made: Vec<Finishing>) -> Result<()> {
        for (path, mode, time) in made.iter().rev() {
            self.directories.set(path, *mode, *time).await?;
        }
        Ok(())
    }

    /// Moves everything into the destination. What is in the way is found before.
    async fn merge(&self) -> Result<()> {
        let destination = &self.remote.path;
        let (mut moved, mut new) = (Vec::new(), HashSet::new());
        for entry in self.entries.iter().filter(|entry| entry.kind != FileKind::Other) {
            let moves = moves_alone(entry, &new);
            let there = match moves {
                true => self.directories.look(&within(destination, &entry.name)?).await?,
                false => None,
            };
            let is_directory = entry.kind == FileKind::Directory;
            match there {
                Some(there) if (there.kind == FileKind::Directory) != is_directory => {
                    return Err(failure("conflict", &within(destination, &entry.name)?, b""));
                }
                Some(_) if is_directory => continue,
                None if is_directory => {
                    new.insert(&*entry.name);
                }
                _ => {}
            }
            if moves {
                moved.push(entry);
            }
        }
        // Before they can be seen: later, something else may be in their place. But a directory
        // that its owner cannot write cannot be moved.
        let is_new = |entry: &&Entry| new.contains(&*entry.name);
        let more = |entry: &Entry| if moves_alone(entry, &new) { 0o200 } else { 0 };
        let made = self.finishing(self.entries.iter().filter(is_new), self.stage, more)?;
        self.finish(made).await?;
        for entry in &moved {
            let name = &entry.name;
            let (from, to) = (within(self.stage, name)?, within(destination, name)?);
            self.directories.rename(&from, &to).await?;
        }
        let lacks_write = |entry: &&Entry| mode_of(&entry.metadata) & 0o200 == 0;
        let read_only = moved.iter().copied().filter(lacks_write);
        let made = self.finishing(read_only, destination, |_| 0)?;
        self.finish(made).await
    }
}

/// Returns whether an entry is not moved with its directory, which is one of the `new` ones.
fn moves_alone(entry: &Entry, new: &HashSet<&Path>) -> bool {
    entry.name.parent().is_none_or(|parent| !new.contains(parent))
}

/// Reads the directory `remote.path` into `stage`. Returns what the directory itself is.
pub(super) async fn get(
    remote: &Remote<'_>,
    stage: &mut Stage,
    refusal: Error,
) -> Result<(Route, Header)> {
    let directories = directories(remote, refusal).await?;
    let header = remote.within_limit(get_entries(remote, directories, stage)).await?;
    Ok((directories.route(), header))
}

async fn get_entries(
    remote: &Remote<'_>,
    directories: &dyn DirectoryTransfer,
    stage: &mut Stage,
) -> Result<Header> {
    let root = match look_through(directories, &remote.path).await? {
        Some(found) if found.kind == FileKind::Directory => found.header,
        Some(_) => return Err(failure("notdir", &remote.path, b"")),
        None => return Err(failure("missing", &remote.path, b"")),
    };
    let mut pending = vec![String::new()];
    while let Some(directory) = pending.pop() {
        let mut entries = directories.list(&format!("{}/{directory}", remote.path)).await?;
        while let Some(RemoteEntry { name, kind, header }) = entries.try_next().await? {
            let path = format!("{directory}{name}");
            let link = match kind {
                FileKind::Symlink => {
                    directories.read_link(&format!("{}/{path}", remote.path)).await?
                }
                _ => String::new(),
            };
            if [&name, &link].iter().any(|text| text.contains(char::REPLACEMENT_CHARACTER)) {
                return Err(not_utf8(Path::new(&path)));
            }
            if kind == FileKind::Directory {
                pending.push(format!("{path}/"));
            }
            get_listed(remote, stage, None, &Listed { kind, header, path, link }).await?;
        }
    }
    Ok(root)
}

/// Returns why a put was left to a command, where the target starts none; `refusal`, if nothing is
/// wrong with the destination.
pub(super) async fn why_not_put(remote: &Remote<'_>, refusal: Error) -> Error {
    let Some(directories) = quietly(remote).await else { return refusal };
    remote.within_limit(check_put(remote, directories)).await.err().unwrap_or(refusal)
}

/// As [`why_not_put`], of a file that is read.
pub(super) async fn why_not_got(remote: &Remote<'_>, refusal: Error) -> Error {
    let Some(directories) = quietly(remote).await else { return refusal };
    remote.within_limit(check_get(directories, &remote.path)).await.err().unwrap_or(refusal)
}

async fn quietly<'a>(remote: &Remote<'a>) -> Option<&'a dyn DirectoryTransfer> {
    remote.within_limit(remote.own_transfer()?.directories()).await.ok()?
}

async fn check_put(remote: &Remote<'_>, directories: &dyn DirectoryTransfer) -> Result<()> {
    let path = &*remote.path;
    match directories.look(path).await?.map(|found| found.kind) {
        Some(FileKind::Directory) => Err(failure("isdir", path, b"")),
        Some(FileKind::Other) => Err(failure("special", path, b"")),
        Some(FileKind::Symlink) => {
            let message = format!("{path} is a symlink, and only commands follow one there");
            Err(Error::new(ErrorKind::Unsupported, message))
        }
        found @ (Some(FileKind::File) | None) => {
            let hidden = hidden_name(Path::new(path))?;
            let hidden = hidden.to_str().ok_or_else(|| not_utf8(&hidden))?;
            let mut cleaner = remote.cleaner(Removal::Directory(hidden.to_owned()));
            make_hidden(directories, hidden, path).await?;
            if directories.remove(hidden, FileKind::Directory).await.is_ok() {
                cleaner.disarm();
            }
            let message = format!(
                "only commands replace {path} there: otherwise its owner or group could change"
            );
            let lost = Error::new(ErrorKind::Unsupported, message);
            if found.is_some() { Err(lost) } else { Ok(()) }
        }
    }
}

async fn check_get(directories: &dyn DirectoryTransfer, path: &str) -> Result<()> {
    match look_through(directories, path).await?.map(|found| found.kind) {
        Some(FileKind::Directory) => Err(failure("isdir", path, b"")),
        Some(FileKind::Other) => Err(failure("special", path, b"")),
        Some(FileKind::Symlink) => {
            let message = format!("{path} is a symlink that leads to no regular file");
            Err(Error::new(ErrorKind::NotFound, message))
        }
        None => Err(failure("missing", path, b"")),
        Some(FileKind::File) => Ok(()),
    }
}

/// Removes a directory and all that is in it.
pub(super) async fn remove(directories: &dyn DirectoryTransfer, path: &str) -> Result<()> {
    let (mut pending, mut found) = (vec![path.to_owned()], Vec::new());
    while let Some(directory) = pending.pop() {
        // It may be read-only already.
        directories.set(&directory, 0o700, UNIX_EPOCH).await?;
        let mut entries = directories.list(&directory).await?;
        while let Some(entry) = entries.try_next().await? {
            let path = format!("{directory}/{}", entry.name);
            match entry.kind {
                FileKind::Directory => pending.push(path),
                kind => directories.remove(&path, kind).await?,
            }
        }
        found.push(directory);
    }
    for directory in found.iter().rev() {
        directories.remove(directory, FileKind::Directory).await?;
    }
    Ok(())
}

/// Returns the directory at `path`, or that a symlink there leads to; else what is at `path`.
async fn look_through(
    directories: &dyn DirectoryTransfer,
    path: &str,
) -> Result<Option<RemoteEntry>> {
    match directories.look(&format!("{path}/.")).await? {
        None => directories.look(path).await,
        found => Ok(found),
    }
}

fn within(root: &str, name: &Path) -> Result<String> {
    Ok(format!("{root}/{}", name.to_str().ok_or_else(|| not_utf8(name))?))
}
