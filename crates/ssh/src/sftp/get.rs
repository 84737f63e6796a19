//! Reads one file.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use bytes::BytesMut;
use hostlink_core::Result;
use hostlink_core::transfer::{GetOptions, Header, Sink, SinkWriter, Transferred, failure};
use openssh_sftp_client_lowlevel::{AwaitableDataFuture, Data, FileAttrs, FileType};

use super::direct;
use super::file::RemoteFile;
use super::session::{Session, Share};
use super::sessions::Sessions;
use super::trouble::Trouble;

pub(super) async fn get(
    sessions: &Arc<Sessions>,
    session: &Arc<Session>,
    path: &str,
    sink: &mut Sink<'_>,
    options: &GetOptions,
) -> Result<Option<Transferred>> {
    let of = |trouble: Trouble| trouble.of(path);
    let found = match look(session, path).await {
        Err(trouble) if trouble.is_missing() => return Err(failure("missing", path, b"")),
        found => found.map_err(of)?,
    };
    if !is_file(&found) {
        return Ok(None);
    }
    if let Some(done) = direct::get(sessions, session, path, &found, sink, options).await? {
        return Ok(Some(done));
    }
    let mut file = RemoteFile::read(sessions, session, path.as_ref()).map_err(of)?;
    file.opened().await.map_err(of)?;
    let looking =
        file.send(|end, id, handle| Ok(end.send_fstat_request(id, Cow::Borrowed(handle))?.wait()));
    let mut reads = Reads::new(session, &file, found.get_size().unwrap_or(0));
    reads.ask().map_err(of)?;
    let opened = session.answer(looking).await.map_err(of)?;
    if !is_file(&opened) {
        return Ok(None);
    }
    let mut writer = SinkWriter::new(sink, header(&opened)).await?;
    let mut bytes = 0;
    while let Some(content) = reads.next().await.map_err(of)? {
        bytes += content.len() as u64;
        if let Some(memory) = session.moving(writer.write(content)).await.map_err(of)?? {
            reads.reuse(memory);
        }
    }
    // Files of /sys have a size that they never fill; one that is cut off has another size than
    // before.
    let announced = opened.get_size().unwrap_or(0);
    if bytes < announced && file.attributes().await.map_err(of)?.get_size() != Some(announced) {
        return Err(failure(&format!("short {bytes}"), path, b""));
    }
    let in_place = writer.finish(options.preserve).await?;
    Ok(Some(Transferred { bytes, in_place }))
}

/// What the server says of a file.
pub(super) async fn look(session: &Session, path: &str) -> Result<FileAttrs, Trouble> {
    let looking =
        session.send(|end, id| Ok(end.send_stat_request(id, Cow::Borrowed(path.as_ref()))?.wait()));
    session.answer(looking).await
}

fn is_file(attributes: &FileAttrs) -> bool {
    attributes.get_filetype() == Some(FileType::RegularFile)
}

pub(super) fn header(attributes: &FileAttrs) -> Header {
    Header {
        mode: attributes.get_permissions().map_or(0o666, |bits| bits.bits()),
        modified: attributes.get_time().map_or(0, |(_, modified)| modified.into_raw().into()),
    }
}

/// Reads that have been asked for, in their order.
struct Reads<'a> {
    session: &'a Session,
    share: Share<'a>,
    file: &'a RemoteFile,
    /// The size that the file is said to have. It may have more, or less.
    size: u64,
    pending: VecDeque<Read>,
    in_flight: usize,
    /// Where the next read begins.
    offset: u64,
    has_ended: bool,
    /// Memory of content that has been passed on.
    spare: Vec<BytesMut>,
}

struct Read {
    offset: u64,
    length: u32,
    answer: AwaitableDataFuture<BytesMut>,
}

impl<'a> Reads<'a> {
    fn new(session: &'a Session, file: &'a RemoteFile, size: u64) -> Self {
        Self {
            session,
            share: session.share(),
            file,
            size,
            pending: VecDeque::new(),
            in_flight: 0,
            offset: 0,
            has_ended: false,
            spare: Vec::new(),
        }
    }

    /// Asks for as much as may be in flight, and for one piece behind the size: its answer is that
    /// there is none.
    fn ask(&mut self) -> Result<(), Trouble> {
        let largest = self.session.read_size;
        let has_asked_behind =
            |reads: &Self| reads.pending.back().is_some_and(|last| last.offset >= reads.size);
        let window = self.share.window().max(largest as usize);
        while self.in_flight + largest as usize <= window && !has_asked_behind(self) {
            let length = match u32::try_from(self.size.saturating_sub(self.offset)) {
                Ok(0) | Err(_) => largest,
                Ok(left) => left.min(largest),
            };
            let read = self.read(self.offset, length)?;
            self.offset += u64::from(length);
            self.pending.push_back(read);
        }
        Ok(())
    }

    fn read(&mut self, offset: u64, length: u32) -> Result<Read, Trouble> {
        let buffer = self.spare.pop().unwrap_or_default();
        let answer = self.file.send(|end, id, handle| {
            let handle = Cow::Borrowed(&**handle);
            Ok(end.send_read_request(id, handle, offset, length, Some(buffer))?.wait())
        })?;
        self.in_flight += length as usize;
        Ok(Read { offset, length, answer })
    }

    /// The next piece of content; `None` at its end.
    async fn next(&mut self) -> Result<Option<BytesMut>, Trouble> {
        if self.has_ended {
            return Ok(None);
        }
        self.ask()?;
        let Some(Read { offset, length, answer }) = self.pending.pop_front() else {
            return Ok(None);
        };
        self.in_flight -= length as usize;
        let content = match self.session.answer(Ok(answer)).await? {
            Data::Buffer(content) if !content.is_empty() => content,
            _ => {
                self.has_ended = true;
                return Ok(None);
            }
        };
        let came = u32::try_from(content.len()).unwrap_or(u32::MAX);
        if came > length {
            return Err(Trouble::Lost("it sends more than it was asked for".to_owned()));
        }
        if came < length {
            self.ask_for_the_rest(offset + u64::from(came), length - came)?;
        }
        Ok(Some(content))
    }

    /// The memory of content that has been passed on serves again: fresh memory costs more than the
    /// copying.
    fn reuse(&mut self, memory: BytesMut) {
        if self.spare.len() * (self.session.read_size as usize) < self.share.window() {
            self.spare.push(memory);
        }
    }

    /// A server may answer with less than there is.
    fn ask_for_the_rest(&mut self, offset: u64, length: u32) -> Result<(), Trouble> {
        if self.pending.is_empty() {
            self.offset = offset;
            return self.ask();
        }
        let read = self.read(offset, length)?;
        self.pending.push_front(read);
        Ok(())
    }
}
