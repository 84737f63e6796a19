//! Reads a directory from a target: as one tar stream, or file by file where the target has no tar.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use tar::EntryType;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio_util::io::SyncIoBridge;

use super::get::{Receiver, get_fast, get_stream};
use super::stage::{Permanent, Stage, refused};
use super::target::Remote;
use super::target_script::Values;
use super::{FileKind, GetOptions, Route, Transferred, tree_without_shell};
use crate::contract::files::blocking;
use crate::contract::files::{Body, Header, Sink, not_passed_on};
use crate::link::Link;
use crate::values::error::{Error, ErrorKind, Result};
use crate::values::report::Event;

/// Bytes between the link and the thread that unpacks.
const PIPE: usize = 256 * 1024;

impl Link {
    /// Makes `destination` on this machine a copy of the directory `path` of the target, with times
    /// and symlinks, and with modes less the umask, unless `preserve` keeps them whole.
    ///
    /// A new directory appears whole; one that is there is merged, and keeps its own mode. The
    /// target is not trusted: entries that lead out of the destination, pass through a symlink, or
    /// come twice are refused, and then nothing of the directory appears. Sockets, pipes and
    /// devices are left out, and files lose their set-ID bits, with a warning to the reporter;
    /// directories lose theirs without one.
    ///
    /// # Errors
    ///
    /// As [`get_file`](Link::get_file), and what is refused.
    ///
    /// # Cancel safety
    ///
    /// As on an error, once [`disconnect`](Link::disconnect) has returned. A directory that had
    /// arrived whole may still appear.
    pub async fn get_dir(
        &self,
        path: &str,
        destination: impl Into<PathBuf>,
        options: &GetOptions,
    ) -> Result<Transferred> {
        let get = async {
            let remote = Remote::new(self.shared(), path, &options.arguments)?;
            if options.run.print_input {
                self.shared().report(Event::Input(&format!("get -r {}", remote.path)));
            }
            let destination = destination.into();
            let tracked = self.shared().background().token();
            let given = options.clone();
            let stage = blocking(move || Stage::create(&destination, &given, tracked)).await?;
            get_tree(&remote, stage).await
        };
        self.shared().noting_failure(get, |_| true).await
    }
}

async fn get_tree(remote: &Remote<'_>, stage: Stage) -> Result<Transferred> {
    let (mut stage, filled) = fill(remote, stage).await?;
    let filled = match filled {
        Err(refusal) if refusal.kind() == ErrorKind::Connect => {
            tree_without_shell::get(remote, &mut stage, refusal).await
        }
        filled => filled.map(|header| (Route::Commands, header)),
    };
    let (route, header) = match filled {
        Ok(filled) => filled,
        Err(error) => {
            // To remove it may take a while.
            let removed = move || {
                drop(stage);
                Ok(())
            };
            return blocking(removed).await.and(Err(error));
        }
    };
    let bytes = stage.bytes;
    for warning in stage.warnings.take() {
        remote.link.report(Event::Warning(&warning));
    }
    blocking(move || stage.commit(header.mode, header.time())).await?;
    Ok(Transferred { bytes, in_place: false, route })
}

/// Fills the stage, and returns it with what the target says of the directory itself.
async fn fill(remote: &Remote<'_>, stage: Stage) -> Result<(Stage, Result<Header>)> {
    let mut values = Values {
        path: &remote.path,
        random: &remote.random,
        guarded: remote.is_privileged(),
        ..Values::default()
    };
    let (writer, reader) = tokio::io::duplex(PIPE);
    let mut reader = Watched { inner: SyncIoBridge::new(reader), has_ended: false };
    let unpacking = tokio::task::spawn_blocking(move || {
        let mut stage = stage;
        let unpacked = unpack(&mut stage, &mut reader);
        (stage, unpacked, reader.has_ended)
    });
    let mut receiver = Receiver::new(remote, TreeBody { pipe: writer });
    let ended = remote.read(values.read_tree(), None, &mut receiver).await;
    let status = receiver.status();
    let received = receiver.finish(ended).map(|(_, header, _)| header);
    let (mut stage, unpacked, has_ended) = unpacking.await.map_err(|error| {
        Error::new(ErrorKind::Transfer, "the directory could not be unpacked").with_source(error)
    })?;
    if let Some(said) = status.strip_prefix("notar ") {
        remote.link.report(Event::Detail("no tar for it there: the directory comes file by file"));
        let (inode, header) = said.split_once(' ').unwrap_or_default();
        inode.clone_into(&mut values.inode);
        let got = get_files(remote, &mut stage, &values).await;
        return Ok((stage, got.map(|()| Header::parse(header))));
    }
    // What failed first is the reason for the other's end.
    let filled = if has_ended {
        received.and_then(|it| unpacked.map(|()| it))
    } else {
        unpacked.and(received)
    };
    Ok((stage, filled))
}

/// A stream that notes its end.
struct Watched<R> {
    inner: R,
    has_ended: bool,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer);
        self.has_ended |= !matches!(read, Ok(length) if length > 0);
        read
    }
}

/// Hands a tar stream to the thread that unpacks it.
struct TreeBody {
    pipe: DuplexStream,
}

#[async_trait]
impl Body for TreeBody {
    async fn begin(&mut self, _header: &Header) -> Result<()> {
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.pipe.write_all(bytes).await.map_err(not_passed_on)
    }

    async fn end(&mut self) -> Result<()> {
        self.pipe.shutdown().await.map_err(not_passed_on)
    }
}

fn unpack(stage: &mut Stage, reader: impl Read) -> Result<()> {
    let mut archive = tar::Archive::new(reader);
    let mut extension = Extension::default();
    // Raw: the crate would read a long name of any length into memory.
    for entry in archive.entries().map_err(broken)?.raw(true) {
        let mut entry = entry.map_err(broken)?;
        if !extension.take(&mut entry)? {
            unpack_entry(stage, &mut entry, std::mem::take(&mut extension))?;
        }
    }
    // What pads the last block is read too, or the target's tar would wait to write it.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(broken)?;
    Ok(())
}

fn broken(error: io::Error) -> Error {
    Error::new(ErrorKind::Transfer, "the target's tar stream cannot be read").with_source(error)
}

/// The names of the next entry that are too long for its header, from entries before it.
#[derive(Default)]
struct Extension {
    path: Option<PathBuf>,
    link: Option<PathBuf>,
}

/// The longest text that such an entry may have. A path has 4 KiB at most (PATH_MAX).
const LONGEST_EXTENSION: u64 = 64 * 1024;

impl Extension {
    /// Takes an entry in that is about the next one; false if it is a file of its own.
    fn take<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>) -> Result<bool> {
        let kind = entry.header().entry_type();
        let is_extension = kind.is_gnu_longname() || kind.is_gnu_longlink();
        if !is_extension && !kind.is_pax_local_extensions() && !kind.is_pax_global_extensions() {
            return Ok(false);
        }
        if entry.size() > LONGEST_EXTENSION {
            return Err(refused(Path::new("a name"), "it is too long"));
        }
        let mut text = Vec::new();
        entry.read_to_end(&mut text).map_err(broken)?;
        match kind {
            EntryType::GNULongName => self.path = Some(to_path(&text)),
            EntryType::GNULongLink => self.link = Some(to_path(&text)),
            EntryType::XHeader => self.take_pax(&text)?,
            _ => {}
        }
        Ok(true)
    }

    fn take_pax(&mut self, text: &[u8]) -> Result<()> {
        for record in tar::PaxExtensions::new(text) {
            let record = record.map_err(broken)?;
            match record.key_bytes() {
                b"path" => self.path = Some(to_path(record.value_bytes())),
                b"linkpath" => self.link = Some(to_path(record.value_bytes())),
                b"size" => return Err(refused(Path::new("a size"), "it is not in the header")),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Names of the GNU kind end with NUL.
fn to_path(text: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(text.strip_suffix(b"\0").unwrap_or(text)))
}

fn unpack_entry<R: Read>(
    stage: &mut Stage,
    entry: &mut tar::Entry<'_, R>,
    extension: Extension,
) -> Result<()> {
    let header = entry.header();
    let mode = header.mode().map_err(broken)?;
    let time = Header { mode, modified: header.mtime().map_err(broken)?.cast_signed() }.time();
    let kind = header.entry_type();
    let path = match extension.path {
        Some(path) => path,
        None => header.path().map_err(broken)?.into_owned(),
    };
    let link = match extension.link {
        Some(link) => Some(link),
        None => header.link_name().map_err(broken)?.map(std::borrow::Cow::into_owned),
    };
    match (kind, link) {
        (EntryType::Directory, _) => stage.directory(&path, mode, time),
        (EntryType::Symlink, Some(target)) => stage.symlink(&path, &target, time),
        (EntryType::Link, Some(target)) => stage.hard_link(&path, &target),
        (EntryType::Regular | EntryType::Continuous, _) => {
            stage.file(&path, Permanent { mode, time }, entry, broken)
        }
        (EntryType::Fifo | EntryType::Char | EntryType::Block, _) => {
            stage.leave_out(&path);
            Ok(())
        }
        // A sparse file's holes come out of nothing: a small stream would fill the disk.
        (kind, _) => Err(refused(&path, &format!("it is no file, directory or link ({kind:?})"))),
    }
}

/// Reads the entries one by one.
async fn get_files(remote: &Remote<'_>, stage: &mut Stage, values: &Values<'_>) -> Result<()> {
    let (list, reading) = stage.scratch()?;
    let mut receiver = Receiver::new(remote, ListBody { list: list.into(), field: 0 });
    let ended = remote.read(values.list_tree(), None, &mut receiver).await;
    receiver.finish(ended)?;
    let mut list = BufReader::new(tokio::fs::File::from(reading));
    while let Some(entry) = Listed::next(&mut list).await? {
        get_listed(remote, stage, Some(values), &entry).await?;
    }
    Ok(())
}

/// An entry of the list.
pub(super) struct Listed {
    pub(super) kind: FileKind,
    pub(super) header: Header,
    pub(super) path: String,
    /// The path that a symlink holds.
    pub(super) link: String,
}

impl Listed {
    async fn next(list: &mut BufReader<tokio::fs::File>) -> Result<Option<Self>> {
        let Some(head) = field(list).await? else { return Ok(None) };
        let (path, link) = (field(list).await?, field(list).await?);
        let (Some(path), Some(link)) = (path, link) else { return Ok(None) };
        let (kind, header) = head.split_once(' ').unwrap_or((&head, ""));
        let kind = match kind {
            "d" => FileKind::Directory,
            "l" => FileKind::Symlink,
            "f" => FileKind::File,
            _ => FileKind::Other,
        };
        Ok(Some(Self { kind, header: Header::parse(header), path, link }))
    }
}

/// The next field of the list; `None` at its end.
async fn field(list: &mut BufReader<tokio::fs::File>) -> Result<Option<String>> {
    let mut text = Vec::new();
    let read = list.read_until(0, &mut text).await;
    read.map_err(|error| Error::from_io("the target's list cannot be read", error))?;
    let text = text.strip_suffix(b"\0");
    Ok(text.map(|text| String::from_utf8_lossy(text).into_owned()))
}

/// Reads an entry of the list; without `values`, by the connection's own transfer.
pub(super) async fn get_listed(
    remote: &Remote<'_>,
    stage: &mut Stage,
    values: Option<&Values<'_>>,
    entry: &Listed,
) -> Result<()> {
    let (path, mode, time) = (Path::new(&entry.path), entry.header.mode, entry.header.time());
    match entry.kind {
        FileKind::Directory => stage.directory(path, mode, time),
        FileKind::Symlink => stage.symlink(path, Path::new(&entry.link), time),
        FileKind::File => {
            let made = stage.new_file(path, mode)?;
            let mut writer = tokio::fs::File::from_std(made);
            let file = remote.at(&format!("{}/{}", remote.path, entry.path))?;
            let mut sink = Sink::Writer(&mut writer);
            let got = get_entry(&file, values, entry, &mut sink).await;
            stage.bytes +=
                got.map_err(|error| error.within(stage.destination_of(path).display()))?.bytes;
            stage.finish_file(path, &writer.into_std().await, Permanent { mode, time })
        }
        FileKind::Other => {
            stage.leave_out(path);
            Ok(())
        }
    }
}

async fn get_entry(
    file: &Remote<'_>,
    values: Option<&Values<'_>>,
    entry: &Listed,
    sink: &mut Sink<'_>,
) -> Result<Transferred> {
    let options = GetOptions::default();
    let Some(values) = values else {
        let message = || format!("{} cannot be read without a command", file.path);
        let got = get_fast(file, sink, &options).await?;
        return got.ok_or_else(|| Error::new(ErrorKind::Unsupported, message()));
    };
    let values = Values {
        inside: &entry.path,
        random: &file.random,
        scp: file.wants_scp(),
        ..values.clone()
    };
    get_stream(file, &values, sink, &options).await
}

/// Stores a list of entries in a file of this machine: a target decides how long it is.
struct ListBody {
    list: tokio::fs::File,
    /// The bytes of the field that is coming.
    field: usize,
}

/// The longest field of a list: a path has 4 KiB at most (PATH_MAX).
const LONGEST_FIELD: usize = 64 * 1024;

#[async_trait]
impl Body for ListBody {
    async fn begin(&mut self, _header: &Header) -> Result<()> {
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        for (number, part) in bytes.split(|byte| *byte == 0).enumerate() {
            self.field = if number == 0 { self.field + part.len() } else { part.len() };
            if self.field > LONGEST_FIELD {
                let message = "an entry of the target's list is too long";
                return Err(Error::new(ErrorKind::Transfer, message));
            }
        }
        self.list.write_all(bytes).await.map_err(not_passed_on)
    }

    async fn end(&mut self) -> Result<()> {
        self.list.flush().await.map_err(not_passed_on)
    }
}
