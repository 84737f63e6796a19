//! Stores a directory on a target: as one tar stream, or file by file where the target has no tar.

use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use tokio_util::io::SyncIoBridge;

use super::put::{Storing, guarded, put_stream};
use super::target::{Remote, Stage};
use super::target_script::{Kept, Values, quoted, stamp};
use super::{FileKind, PutOptions, Route, Source, Transferred, tree_without_shell};
use crate::contract::files::blocking;
use crate::contract::files::mode_of;
use crate::link::Link;
use crate::values::error::{Error, ErrorKind, Result};
use crate::values::io::BoxRead;
use crate::values::report::Event;

/// Bytes between the thread that packs and the link.
const PIPE: usize = 256 * 1024;

impl Link {
    /// Makes `path` on the target a copy of the directory `source`, with times and symlinks, and
    /// with modes less the target's umask, unless `preserve` keeps them whole.
    ///
    /// A new directory appears whole. One that is there is merged: files are replaced one by one,
    /// others stay, and its own mode does; symlinks in it are never passed through. Owners are not
    /// taken from the source. Sockets, pipes and devices are left out, with a warning to the
    /// reporter.
    ///
    /// # Errors
    ///
    /// As [`put_file`](Link::put_file), and when something is in the way of a directory. Before the
    /// last step the destination is as it was.
    ///
    /// # Cancel safety
    ///
    /// As on an error.
    pub async fn put_dir(
        &self,
        source: impl Into<PathBuf>,
        path: &str,
        options: &PutOptions,
    ) -> Result<Transferred> {
        let source = source.into();
        let put = async {
            let failed = |error| Error::from_io(format!("cannot read {}", source.display()), error);
            let metadata = tokio::fs::metadata(&source).await.map_err(failed)?;
            if !metadata.is_dir() {
                let message = format!("{} is not a directory", source.display());
                return Err(Error::new(ErrorKind::Data, message));
            }
            let remote = Remote::new(self.shared(), path, &options.arguments)?;
            if options.run.print_input {
                self.shared().report(Event::Input(&format!("put -r {}", remote.path)));
            }
            put_tree(&remote, source.clone(), &metadata, options).await
        };
        self.shared().noting_failure(put, |_| true).await
    }
}

async fn put_tree(
    remote: &Remote<'_>,
    source: PathBuf,
    root: &Metadata,
    options: &PutOptions,
) -> Result<Transferred> {
    let entries = Arc::new(blocking(move || list(&source)).await?);
    for entry in entries.iter().filter(|entry| entry.kind == FileKind::Other) {
        let path = entry.path.display();
        remote.link.report(Event::Warning(&format!("{path} is no file and is left out")));
    }
    let values = Values {
        path: &remote.path,
        temp_dir: remote.beside(options.arguments.temp_dir.as_deref(), &options.arguments),
        random: &remote.random,
        follow: options.follows(),
        waits: remote.input_waits(false),
        guarded: guarded(options),
        mode: format!("{:04o}", options.mode.unwrap_or_else(|| mode_of(root) & 0o1777)),
        kept: match options.mode {
            _ if options.preserve => Kept::All,
            Some(_) => Kept::Root,
            None => Kept::None,
        },
        stamp: root.modified().map(stamp).unwrap_or_default(),
        ..Values::default()
    };
    let mut cleaner = remote.cleaner(values.clean_tree());
    let put = fill_and_commit(remote, entries.clone(), &values).await;
    match put {
        Err(refusal) if refusal.kind() == ErrorKind::Connect && !options.places_temporary() => {
            // Nothing was made there.
            cleaner.disarm();
            tree_without_shell::put(remote, (root, &entries), options, refusal).await
        }
        Err(error) => {
            cleaner.clean(&error).await;
            Err(error)
        }
        Ok(_) => {
            cleaner.disarm();
            put
        }
    }
}

async fn fill_and_commit(
    remote: &Remote<'_>,
    entries: Arc<Vec<Entry>>,
    values: &Values<'_>,
) -> Result<Transferred> {
    let (bytes, said) = send_tar(remote, entries.clone(), values).await?;
    let bytes = match said.strip_prefix("notar ") {
        Some(stage) => {
            remote.link.report(Event::Detail("no tar there: the directory goes file by file"));
            let stage = Stage { path: stage.to_owned(), guarded: values.guarded };
            let sent = send_files(remote, &entries, &stage).await;
            // Paths in the stage say little.
            sent.map_err(|error| error.within(&remote.path))?
        }
        None => bytes,
    };
    let said = remote.run(values.commit_tree(), None).await?;
    if said.status() != "done" {
        return Err(said.failure(&remote.path));
    }
    Ok(Transferred { bytes, in_place: false, route: Route::Commands })
}

/// Sends the tree as tar; returns the bytes of its files and what the target said of it.
async fn send_tar(
    remote: &Remote<'_>,
    entries: Arc<Vec<Entry>>,
    values: &Values<'_>,
) -> Result<(u64, String)> {
    let (writer, reader) = tokio::io::duplex(PIPE);
    let writer = SyncIoBridge::new(writer);
    let bytes = Arc::new(AtomicU64::new(0));
    let counter = bytes.clone();
    let packing = tokio::task::spawn_blocking(move || pack(&entries, writer, &counter));
    let (mut said, mut input): (_, BoxRead) = (Storing::default(), Box::pin(reader));
    if values.waits {
        input = said.hold_back(input, 0);
    }
    remote.read(values.unpack_tree(), Some(input), &mut said).await?;
    let said = said.said;
    let packed = packing.await.map_err(|error| {
        Error::new(ErrorKind::Transfer, "the directory could not be packed").with_source(error)
    })?;
    let status = said.status();
    if status.starts_with("notar ") {
        return Ok((0, status));
    }
    if status != "stored" {
        return Err(said.failure(&remote.path));
    }
    // Only a stream that was packed to its end may be renamed.
    packed?;
    Ok((bytes.load(Ordering::Relaxed), status))
}

/// A file of the tree.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) path: PathBuf,
    pub(super) name: PathBuf,
    pub(super) metadata: Metadata,
    pub(super) kind: FileKind,
}

/// Everything below `root`, parents first, in the order of names.
fn list(root: &Path) -> Result<Vec<Entry>> {
    let failed = |error: io::Error| {
        Error::from_io(format!("cannot read {}: {error}", root.display()), error)
    };
    let mut entries = Vec::new();
    let mut rest = names_below(root, Path::new("")).map_err(failed)?;
    while let Some(name) = rest.pop() {
        let entry = Entry::read(root, name).map_err(failed)?;
        if entry.kind == FileKind::Directory {
            rest.extend(names_below(root, &entry.name).map_err(failed)?);
        }
        entries.push(entry);
    }
    Ok(entries)
}

/// The paths from `root` to what is in its directory `below`, the last name first.
fn names_below(root: &Path, below: &Path) -> io::Result<Vec<PathBuf>> {
    let mut names = fs::read_dir(root.join(below))?
        .map(|entry| entry.map(|entry| below.join(entry.file_name())))
        .collect::<io::Result<Vec<_>>>()?;
    names.sort_by(|one, other| other.cmp(one));
    Ok(names)
}

impl Entry {
    fn read(root: &Path, name: PathBuf) -> io::Result<Self> {
        let path = root.join(&name);
        let metadata = fs::symlink_metadata(&path)?;
        let kind = match metadata.file_type() {
            kind if kind.is_dir() => FileKind::Directory,
            kind if kind.is_file() => FileKind::File,
            kind if kind.is_symlink() => FileKind::Symlink,
            _ => FileKind::Other,
        };
        Ok(Self { path, name, metadata, kind })
    }
}

fn pack(entries: &[Entry], writer: impl io::Write, bytes: &AtomicU64) -> Result<()> {
    let mut archive = tar::Builder::new(writer);
    let failed = |entry: &Entry, error: io::Error| {
        let message = format!("{} could not be sent: {error}", entry.path.display());
        Error::new(ErrorKind::Transfer, message).with_source(error)
    };
    for entry in entries {
        pack_entry(&mut archive, entry, bytes).map_err(|error| failed(entry, error))?;
    }
    // Once more, children first: busybox's tar sets a directory's mode and time when it comes, not
    // when it is full.
    for entry in entries.iter().rev().filter(|entry| entry.kind == FileKind::Directory) {
        let mut header = header_of(entry);
        let packed = archive.append_data(&mut header, &entry.name, io::empty());
        packed.map_err(|error| failed(entry, error))?;
    }
    let finished = archive.into_inner().and_then(|mut writer| writer.flush());
    finished.map_err(|error| Error::from_io("the directory could not be sent to its end", error))
}

fn pack_entry(
    archive: &mut tar::Builder<impl io::Write>,
    entry: &Entry,
    bytes: &AtomicU64,
) -> io::Result<()> {
    let mut header = header_of(entry);
    match entry.kind {
        FileKind::Directory => {
            header.set_mode(mode_of(&entry.metadata) | 0o700);
            archive.append_data(&mut header, &entry.name, io::empty())
        }
        FileKind::Symlink => {
            archive.append_link(&mut header, &entry.name, fs::read_link(&entry.path)?)
        }
        FileKind::File => {
            let length = entry.metadata.len();
            header.set_size(length);
            let content = Exactly { file: fs::File::open(&entry.path)?, left: length };
            archive.append_data(&mut header, &entry.name, content)?;
            bytes.fetch_add(length, Ordering::Relaxed);
            Ok(())
        }
        FileKind::Other => Ok(()),
    }
}

fn header_of(entry: &Entry) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_metadata(&entry.metadata);
    // A time before 1970 has no place in the header: tar's numbers are not negative.
    if entry.metadata.modified().is_ok_and(|time| time < UNIX_EPOCH) {
        header.set_mtime(0);
    }
    header
}

/// A file read to the length that its header says: a shorter one would shift all that follows.
struct Exactly {
    file: fs::File,
    left: u64,
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let length = self.file.read(&mut buffer[..most])?;
        if length == 0 && most > 0 {
            return Err(io::Error::other("it became shorter while it was read"));
        }
        self.left -= length as u64;
        Ok(length)
    }
}

/// Stores the entries one by one.
async fn send_files(remote: &Remote<'_>, entries: &[Entry], stage: &Stage) -> Result<u64> {
    let mut bytes = 0;
    for entry in entries {
        let name = entry.name.to_str().ok_or_else(|| not_utf8(&entry.name))?;
        let file = remote.inside(stage, name)?;
        match entry.kind {
            FileKind::Directory => must(&file, &format!("mkdir {}", quoted(&file.path))).await?,
            FileKind::Symlink => {
                let target = quoted(&link_of(entry)?);
                must(&file, &format!("ln -s -- {target} {}", quoted(&file.path))).await?;
            }
            FileKind::File => {
                let source = Source::path(&entry.path).open().await?;
                let options = PutOptions::default().with_preserve(true);
                bytes += put_stream(&file, source, &options).await?.bytes;
            }
            FileKind::Other => {}
        }
    }
    for entry in entries.iter().rev().filter(|entry| entry.kind == FileKind::Directory) {
        let file = remote.inside(stage, &entry.name.to_string_lossy())?;
        let (path, mode) = (quoted(&file.path), mode_of(&entry.metadata));
        let time = entry.metadata.modified().map(stamp).unwrap_or_default();
        let set = format!("TZ=UTC0 touch -t {time} {path} && chmod {mode:04o} {path}");
        must(&file, &set).await?;
    }
    Ok(bytes)
}

/// Runs a command for a file of the tree.
async fn must(file: &Remote<'_>, command: &str) -> Result<()> {
    let stage = file.stage.as_ref();
    let values = Values {
        guarded: stage.is_some_and(|stage| stage.guarded),
        stage: stage.map(|stage| &*stage.path),
        ..Values::default()
    };
    let said = file.run(values.must(command), None).await?;
    if said.status() == "done" { Ok(()) } else { Err(said.failure(&file.path)) }
}

/// Returns the path that a symlink holds.
pub(super) fn link_of(entry: &Entry) -> Result<String> {
    let target = fs::read_link(&entry.path)
        .map_err(|error| Error::from_io("a symlink could not be read", error))?;
    target.into_os_string().into_string().map_err(|target| not_utf8(Path::new(&target)))
}

pub(super) fn not_utf8(name: &Path) -> Error {
    let message = format!("{name:?}: without tar, only UTF-8 names can be copied");
    Error::new(ErrorKind::Unsupported, message)
}
