//! Stores one file.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use hostlink_core::transfer::{OpenSource, PutOptions, Transferred, failure};
use hostlink_core::{BoxRead, Error, Result};
use openssh_sftp_client_lowlevel::{
    AwaitableStatusFuture, Data, FileAttrs, Permissions, UnixTimeStamp,
};
use tokio::io::AsyncReadExt;

use super::file::RemoteFile;
use super::place::{self, Place};
use super::session::{Session, Share};
use super::sessions::Sessions;
use super::trouble::Trouble;

pub(super) async fn put(
    sessions: &Arc<Sessions>,
    session: &Arc<Session>,
    source: &mut OpenSource,
    path: &str,
    options: &PutOptions,
) -> Result<Option<Transferred>> {
    // The protocol's times end in 2106, and begin in 1970.
    let time = source.modified.filter(|_| options.preserve).map(UnixTimeStamp::new).transpose();
    let (Ok(time), true) = (time, session.renames_over()) else { return Ok(None) };
    let Some(place) = place::find(sessions, session, path, options.follows()).await? else {
        return Ok(None);
    };
    let source_mode = source.mode;
    let mut put = Put { sessions, session, path, place };
    let done = async {
        let Some(mut attributes) = put.attributes(source_mode, options).await? else {
            return Ok(None);
        };
        if let Some(time) = time {
            attributes.set_time(time, time);
        }
        put.store(source, attributes).await.map(Some)
    };
    let done = done.await;
    // Removes what has not become the destination.
    put.place.temporary.discard().await;
    done
}

struct Put<'a> {
    sessions: &'a Arc<Sessions>,
    session: &'a Arc<Session>,
    path: &'a str,
    place: Place,
}

impl Put<'_> {
    /// The mode that the file gets; `None` if its owner cannot be kept, or the server does not say
    /// who that is.
    async fn attributes(
        &self,
        source_mode: u32,
        options: &PutOptions,
    ) -> Result<Option<FileAttrs>> {
        let wanted = options.mode.or(options.preserve.then_some(source_mode));
        let bits = match (&self.place.existing, wanted) {
            (None, Some(wanted)) => wanted,
            (existing, wanted) => {
                let path = &self.place.destination;
                let newcomer = place::newcomer(self.sessions, self.session, path).await;
                let newcomer = newcomer.map_err(|trouble| trouble.of(self.path))?;
                let Some(newcomer) = newcomer else { return Ok(None) };
                let fresh = source_mode & 0o777 & !newcomer.umask;
                let kept = existing.map_or(Some(fresh), |existing| {
                    existing.get_id().filter(|owner| *owner == newcomer.owner)?;
                    existing.get_permissions().map(|bits| bits.bits())
                });
                let Some(kept) = kept else { return Ok(None) };
                wanted.unwrap_or(kept)
            }
        };
        let mut attributes = FileAttrs::new();
        attributes.set_permissions(Permissions::from_bits_truncate(bits));
        Ok(Some(attributes))
    }

    async fn store(
        &mut self,
        source: &mut OpenSource,
        attributes: FileAttrs,
    ) -> Result<Transferred> {
        let (of, temporary) = (|trouble: Trouble| trouble.of(self.path), &self.place.temporary);
        let mut writes = Writes::new(self.session, temporary);
        let length = source.length;
        writes.copy(source.take_reader(), length, self.path).await?;
        let sent = writes.sent;
        if length.is_some_and(|length| length != sent) {
            return Err(short(sent, self.path));
        }
        // Requests for one file are done in their order (draft-ietf-secsh-filexfer-02, section
        // 4.1).
        let setting = temporary.send(|end, id, handle| {
            Ok(end.send_fsetstat_request(id, Cow::Borrowed(handle), attributes)?.wait())
        });
        let looking = temporary
            .send(|end, id, handle| Ok(end.send_fstat_request(id, Cow::Borrowed(handle))?.wait()));
        writes.finish().await.map_err(of)?;
        self.session.answer(setting).await.map_err(of)?;
        let stored = self.session.answer(looking).await.map_err(of)?;
        if let Some(size) = stored.get_size().filter(|size| *size != sent) {
            return Err(short(size, self.path));
        }
        if self.place.existing.is_some_and(|existing| existing.get_id() != stored.get_id()) {
            return Err(failure("changed", self.path, b""));
        }
        let in_place = self.commit().await.map_err(of)?;
        Ok(Transferred { bytes: sent, in_place })
    }

    /// Gives the file its name. True if it had to be written in place.
    async fn commit(&mut self) -> Result<bool, Trouble> {
        let Place { destination, existing, temporary } = &mut self.place;
        let renaming = self.session.send(|end, id| {
            let (from, to) = (Cow::Borrowed(temporary.name()), Cow::Borrowed(&**destination));
            Ok(end.send_posix_rename_request(id, from, to)?.wait())
        });
        match self.session.answer(renaming).await {
            Ok(()) => {
                temporary.keep();
                let closing = temporary.close();
                self.session.answer(closing).await.map(|()| false)
            }
            // A mount point cannot be renamed over (EBUSY, rename(2)), but written.
            Err(trouble) if trouble.is_refusal() && existing.is_some() => {
                overwrite(self.sessions, self.session, temporary, destination).await?;
                Ok(true)
            }
            Err(trouble) => Err(trouble),
        }
    }
}

fn short(came: u64, path: &str) -> Error {
    failure(&format!("short {came}"), path, b"")
}

/// So many pieces are read at once where there is memory for them: each read of a file is a way to
/// another thread and back.
const PIECES: usize = 4;

/// Writes that have been sent and not been answered.
struct Writes<'a> {
    session: &'a Session,
    share: Share<'a>,
    file: &'a RemoteFile,
    pending: VecDeque<(usize, AwaitableStatusFuture<BytesMut>)>,
    in_flight: usize,
    sent: u64,
}

impl<'a> Writes<'a> {
    fn new(session: &'a Session, file: &'a RemoteFile) -> Self {
        let (share, pending) = (session.share(), VecDeque::new());
        Self { session, share, file, pending, in_flight: 0, sent: 0 }
    }

    async fn copy(&mut self, mut reader: BoxRead, length: Option<u64>, path: &str) -> Result<()> {
        let of = |trouble: Trouble| trouble.of(path);
        let piece = self.session.write_size as usize;
        let (mut block, mut read) = (BytesMut::new(), 0);
        loop {
            if block.capacity() == block.len() {
                // One more byte than there should be, for the end to be seen.
                let left = length.map_or(u64::MAX, |length| length.saturating_sub(read));
                let left = usize::try_from(left).unwrap_or(usize::MAX).saturating_add(1);
                let pieces = (self.share.window() / piece).clamp(1, PIECES);
                block.reserve(left.min(pieces * piece));
            }
            let came = self.read(&mut reader, &mut block, path).await?;
            read += came as u64;
            while block.len() >= piece {
                self.push(block.split_to(piece).freeze()).await.map_err(of)?;
            }
            if came == 0 {
                break;
            }
        }
        if !block.is_empty() {
            self.push(block.freeze()).await.map_err(of)?;
        }
        Ok(())
    }

    /// Reads into the room that `block` has. A full disk is noticed while a slow source is waited
    /// for.
    async fn read(
        &mut self,
        reader: &mut BoxRead,
        block: &mut BytesMut,
        path: &str,
    ) -> Result<usize> {
        let of = |trouble: Trouble| trouble.of(path);
        let room = block.capacity() - block.len();
        let mut part = block.limit(room);
        let session = self.session;
        loop {
            let read = session.moving(async {
                tokio::select! {
                    biased;
                    read = reader.read_buf(&mut part) => Ok(Some(read)),
                    answered = self.next_answer(), if !self.pending.is_empty() => {
                        answered.map(|()| None)
                    }
                }
            });
            if let Some(read) = read.await.map_err(of)?.map_err(of)? {
                return read.map_err(|error| Error::from_io("the input could not be read", error));
            }
        }
    }

    async fn push(&mut self, chunk: Bytes) -> Result<(), Trouble> {
        while self.in_flight > 0 && self.in_flight + chunk.len() > self.share.window() {
            self.next_answer().await?;
        }
        let (offset, length) = (self.sent, chunk.len());
        let answer = self.file.send(|end, id, handle| {
            let handle = Cow::Borrowed(&**handle);
            Ok(end.send_write_request_zero_copy(id, handle, offset, &[chunk])?.wait())
        })?;
        self.pending.push_back((length, answer));
        self.in_flight += length;
        self.sent += length as u64;
        Ok(())
    }

    /// Waits for the oldest answer. It may be dropped and called again.
    async fn next_answer(&mut self) -> Result<(), Trouble> {
        let Some((length, answer)) = self.pending.front_mut() else { return Ok(()) };
        let (length, answered) = (*length, self.session.answer(Ok(answer)).await);
        self.in_flight -= length;
        self.pending.pop_front();
        answered
    }

    async fn finish(mut self) -> Result<(), Trouble> {
        while !self.pending.is_empty() {
            self.next_answer().await?;
        }
        Ok(())
    }
}

/// Copies what was stored into the file that is there.
async fn overwrite(
    sessions: &Arc<Sessions>,
    session: &Arc<Session>,
    from: &RemoteFile,
    destination: &Path,
) -> Result<(), Trouble> {
    let mut to = RemoteFile::overwrite(sessions, session, destination)?;
    to.opened().await?;
    let mut writes = Writes::new(session, &to);
    loop {
        let offset = writes.sent;
        let size = session.read_size.min(session.write_size);
        let reading = from.send(|end, id, handle| {
            let (handle, buffer) = (Cow::Borrowed(&**handle), Some(BytesMut::new()));
            Ok(end.send_read_request(id, handle, offset, size, buffer)?.wait())
        });
        match session.answer(reading).await? {
            Data::Buffer(bytes) if !bytes.is_empty() => writes.push(bytes.freeze()).await?,
            _ => break,
        }
    }
    writes.finish().await?;
    let closing = to.close();
    session.answer(closing).await
}
