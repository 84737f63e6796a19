//! Reads a directory from a target: as one tar stream, or file by file where the target has no tar.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use async_trait::async_trait;
use tar::EntryType;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio_util::io::SyncIoBridge;

use super::get::{Receiver, get_stream};
use super::stage::{Stage, Sweeper, refused};
use super::target::Remote;
use super::target_script::Values;
use super::{GetOptions, Transferred};
use crate::contract::files::blocking;
use crate::contract::files::{Body, Header, Sink};
use crate::link::Link;
use crate::values::error::{Error, ErrorKind, Result};
use crate::values::report::Event;

/// Bytes between the link and the thread that unpacks.
const PIPE: usize = 256 * 1024;

impl Link {
    /// Makes `destination` on this machine a copy of the directory `path` of the target, with
    /// modes, times and symlinks.
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
            let stage = blocking(move || Stage::create(&destination, tracked)).await?;
            get_tree(&remote, stage).await
        };
        let done = self.shared().noting_failure(get, |_| true).await;
        done.map_err(|error| error.with_target(self.name()))
    }
}

async fn get_tree(remote: &Remote<'_>, stage: Stage) -> Result<Transferred> {
    let sweeper = Sweeper::of(&stage);
    let values = Values { path: &remote.path, random: &remote.random, ..Values::default() };
    let (writer, reader) = tokio::io::duplex(PIPE);
    let reader = SyncIoBridge::new(reader);
    let unpacking = tokio::task::spawn_blocking(move || {
        let mut stage = stage;
        let unpacked = unpack(&mut stage, reader);
        (stage, unpacked)
    });
    let mut receiver = Receiver::new(remote, TreeBody { pipe: writer });
    let ended = remote.read(values.read_tree(), None, &mut receiver).await;
    let status = receiver.status();
    let received = receiver.finish(ended).map(|(_, header, _)| header);
    let (mut stage, unpacked) = unpacking.await.map_err(|error| {
        Error::new(ErrorKind::Transfer, "the directory could not be unpacked").with_source(error)
    })?;
    let header = match (status.strip_prefix("notar "), received) {
        (Some(header), _) => {
            remote.link.report(Event::Detail("no tar there: the directory comes file by file"));
            get_files(remote, &mut stage, &values).await?;
            Header::parse(header)
        }
        // What was refused is the reason for the stream's end, not the other way round.
        (None, received) => {
            if let Err(error) = unpacked
                && (received.is_ok() || error.kind() == ErrorKind::Transfer && is_refusal(&error))
            {
                return Err(error);
            }
            received?
        }
    };
    let bytes = stage.bytes;
    for warning in stage.warnings.take() {
        remote.link.report(Event::Warning(&warning));
    }
    sweeper.disarm();
    blocking(move || stage.commit(header.mode, header.time())).await?;
    Ok(Transferred { bytes, in_place: false })
}

/// An error about an entry has no cause beneath it; one about the stream does.
fn is_refusal(error: &Error) -> bool {
    std::error::Error::source(error).is_none()
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

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.pipe.write_all(bytes).await
    }

    async fn end(&mut self) -> io::Result<()> {
        self.pipe.shutdown().await
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

/// What entries of their own say of the next one: names that are too long for its header.
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
    let text = text.strip_suffix(b"\0").unwrap_or(text);
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        PathBuf::from(std::ffi::OsStr::from_bytes(text))
    }
    #[cfg(not(unix))]
    PathBuf::from(String::from_utf8_lossy(text).into_owned())
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
        (EntryType::Regular | EntryType::Continuous, _) => stage.file(&path, mode, time, entry),
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
    while let Some(head) = field(&mut list).await? {
        let (path, link) = (field(&mut list).await?, field(&mut list).await?);
        let (Some(path), Some(link)) = (path, link) else { break };
        let (kind, rest) = head.split_once(' ').unwrap_or((&head, ""));
        let header = Header::parse(rest);
        get_listed(remote, stage, kind, Path::new(&path), &link, &header).await?;
    }
    Ok(())
}

/// The next field of the list; `None` at its end.
async fn field(list: &mut BufReader<tokio::fs::File>) -> Result<Option<String>> {
    let mut text = Vec::new();
    let read = list.read_until(0, &mut text).await;
    read.map_err(|error| Error::from_io("the target's list cannot be read", error))?;
    let text = text.strip_suffix(b"\0");
    Ok(text.map(|text| String::from_utf8_lossy(text).into_owned()))
}

async fn get_listed(
    remote: &Remote<'_>,
    stage: &mut Stage,
    kind: &str,
    path: &Path,
    link: &str,
    header: &Header,
) -> Result<()> {
    let time: SystemTime = header.time();
    match kind {
        "d" => stage.directory(path, header.mode, time),
        "l" => stage.symlink(path, Path::new(link), time),
        "f" => {
            let inside = stage.file_path(path, header.mode)?;
            let file = remote.at(&format!("{}/{}", remote.path, path.display()))?;
            let options = GetOptions::default().with_preserve(true);
            let got = get_stream(&file, &mut Sink::Path(inside), &options).await?;
            stage.bytes += got.bytes;
            Ok(())
        }
        _ => {
            stage.leave_out(path);
            Ok(())
        }
    }
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

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        for (number, part) in bytes.split(|byte| *byte == 0).enumerate() {
            self.field = if number == 0 { self.field + part.len() } else { part.len() };
            if self.field > LONGEST_FIELD {
                return Err(io::Error::other("an entry of the target's list is too long"));
            }
        }
        self.list.write_all(bytes).await
    }

    async fn end(&mut self) -> io::Result<()> {
        self.list.flush().await
    }
}
