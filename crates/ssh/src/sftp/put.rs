//! Stores one file.

use std::io::SeekFrom;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use hostlink_core::transfer::{OpenSource, PutOptions, Route, Transferred, failure};
use hostlink_core::{BoxRead, Error, Result};
use openssh_sftp_client::error::SftpErrorKind;
use openssh_sftp_client::file::File;
use openssh_sftp_client::metadata::{MetaData, MetaDataBuilder, Permissions, RawPermissions};
use openssh_sftp_client::{Error as Cause, UnixTimeStamp};
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::get::Reads;
use super::pipeline::Pipeline;
use super::place::{Place, owner};
use super::session::Session;
use super::sessions::Sessions;
use super::trouble::{Trouble, explained};

pub(super) async fn put(
    sessions: &Arc<Sessions>,
    session: &Arc<Session>,
    source: &mut OpenSource,
    path: &str,
    options: &PutOptions,
) -> Result<Option<Transferred>> {
    // The protocol's times are those from 1970 to 2106.
    let time = source.modified.filter(|_| options.preserve).map(UnixTimeStamp::new).transpose();
    let (Ok(time), true) = (time, session.renames_over) else { return Ok(None) };
    let finding =
        Place::find(sessions.clone(), session.clone(), path.to_owned(), options.follows());
    let Some(found) = sessions.to_its_end(finding).await else { return Ok(None) };
    let Some(place) = found? else { return Ok(None) };
    let source_mode = source.mode;
    let mut put = Put { sessions, session, path, place };
    let done = async {
        let Some(bits) = put.bits(source_mode, options) else { return Ok(None) };
        let mut attributes = MetaDataBuilder::new();
        attributes.permissions(Permissions::from_raw(RawPermissions::from_bits_truncate(bits)));
        if let Some(time) = time {
            attributes.time(time, time);
        }
        put.store(source, attributes.create()).await.map(Some)
    };
    let done = match done.await {
        Err(error) => Err(explained(session, &put.place.destination, path, error).await),
        done => done,
    };
    // Removes what was not renamed.
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
    /// Returns the mode for the file; `None` if its owner cannot be kept, or the server does not
    /// report the owner.
    fn bits(&self, source_mode: u32, options: &PutOptions) -> Option<u32> {
        let wanted = options.mode.or(options.preserve.then_some(source_mode));
        match (&self.place.existing, wanted) {
            (Some(existing), _) if !self.place.keeps_owner(existing) => None,
            (_, Some(wanted)) => Some(wanted),
            (Some(existing), None) => existing.permissions().map(|bits| bits.as_raw().bits()),
            (None, None) => self.place.new_bits(source_mode),
        }
    }

    async fn store(
        &mut self,
        source: &mut OpenSource,
        attributes: MetaData,
    ) -> Result<Transferred> {
        let of = |trouble: Trouble| trouble.of(self.path);
        let file = self.place.temporary.file();
        let (mut setting, mut looking) = (file.clone(), file.clone());
        let mut writes = Writes::new(self.session, file.clone());
        let length = source.length;
        writes.copy(source.take_reader(), length, self.path).await?;
        let sent = writes.sent;
        if length.is_some_and(|length| length != sent) {
            return Err(short(sent, self.path));
        }
        // The server handles the requests for one file in order (draft-ietf-secsh-filexfer-02,
        // section 4.1).
        let (written, set, stored) = futures::join!(
            writes.finish(),
            self.session.answer(setting.set_metadata(attributes)),
            self.session.answer(looking.metadata()),
        );
        let stored = written.and(set).and(stored).map_err(of)?;
        if let Some(size) = stored.len().filter(|size| *size != sent) {
            return Err(short(size, self.path));
        }
        if self.place.existing.is_some_and(|existing| owner(&existing) != owner(&stored)) {
            return Err(failure("changed", self.path, b""));
        }
        // The clones of a file hold it open.
        drop((setting, looking));
        let in_place = self.commit(sent).await.map_err(of)?;
        Ok(Transferred { bytes: sent, in_place, route: Route::Sftp })
    }

    /// Renames the file. Returns whether the destination had to be written in place.
    async fn commit(&mut self, size: u64) -> Result<bool, Trouble> {
        let Place { destination, existing, temporary, .. } = &mut self.place;
        match temporary.rename(destination).await {
            Ok(()) => temporary.close().await.map(|()| false),
            // A mount point cannot be replaced by a rename (EBUSY, rename(2)), but written.
            Err(trouble) if trouble.is_refusal() && existing.is_some() => {
                self.overwrite(size).await.map(|()| true)
            }
            Err(trouble) => Err(trouble),
        }
    }

    /// Copies what was stored into the existing file, if that is what its name still leads to: by
    /// now, it may be a symlink to another one.
    async fn overwrite(&self, size: u64) -> Result<(), Trouble> {
        let (session, path) = (self.session.clone(), self.place.destination.clone());
        let mut options = session.options();
        options.read(true).write(true);
        let opening = async move { session.answer(options.open(path)).await };
        let mut to = self.sessions.to_its_end(opening).await.unwrap_or(Err(Trouble::Over))?;
        let found = self.session.answer(to.metadata()).await?;
        if self.place.existing.map(identity) != Some(identity(found)) {
            let message = "another file took its name";
            return Err(Trouble::Refused(SftpErrorKind::Failure, message.into()));
        }
        let mut writes = Writes::new(self.session, to.clone());
        let mut reads = Reads::new(self.session, self.place.temporary.file().clone(), size);
        while let Some(mut content) = reads.next().await? {
            while !content.is_empty() {
                let piece = content.split_to(writes.piece.min(content.len()));
                writes.push(piece.freeze()).await?;
            }
        }
        let sent = writes.sent;
        writes.finish().await?;
        self.session.answer(to.set_len(sent)).await?;
        self.session.answer(to.close()).await?;
        if sent == size {
            Ok(())
        } else {
            Err(Trouble::Lost("it returned less than it had stored".into()))
        }
    }
}

/// The facts that identify a file, as far as the protocol has them.
fn identity(file: MetaData) -> impl PartialEq {
    (owner(&file), file.len(), file.permissions(), file.modified())
}

fn short(came: u64, path: &str) -> Error {
    failure(&format!("short {came}"), path, b"")
}

/// The number of pieces that are read from a source at a time, if there is memory for them: each
/// read of a file takes a switch to another thread and back.
const PIECES: usize = 4;

/// The writes of one file.
struct Writes<'a> {
    session: &'a Session,
    file: File,
    pending: Pipeline<'a, ()>,
    /// The size of one write.
    piece: usize,
    sent: u64,
}

impl<'a> Writes<'a> {
    fn new(session: &'a Session, file: File) -> Self {
        let size = session.sizes.write;
        let pending = Pipeline::new(session, size);
        Self { session, file, pending, piece: size as usize, sent: 0 }
    }

    async fn copy(&mut self, mut reader: BoxRead, length: Option<u64>, path: &str) -> Result<()> {
        let of = |trouble: Trouble| trouble.of(path);
        let piece = self.piece;
        let (mut block, mut read) = (BytesMut::new(), 0);
        loop {
            if block.capacity() == block.len() {
                // With room for one more byte, to see the end.
                let left = length.map_or(u64::MAX, |length| length.saturating_sub(read));
                let left = usize::try_from(left).unwrap_or(usize::MAX).saturating_add(1);
                block.reserve(left.min(self.pending.window().min(PIECES) * piece));
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

    /// Reads into the free space of `block`. Meanwhile it takes answers, so that a full disk is
    /// noticed while a slow source is read.
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
                    answered = self.pending.answer(), if self.pending.len() > 0 => {
                        answered.map(|_| None)
                    }
                }
            });
            if let Some(read) = read.await.map_err(of)?.map_err(of)? {
                return read.map_err(|error| Error::from_io("the input could not be read", error));
            }
        }
    }

    /// Sends a piece once there is room in the window.
    async fn push(&mut self, piece: Bytes) -> Result<(), Trouble> {
        while self.pending.len() >= self.pending.window() {
            self.pending.answer().await?;
        }
        let (file, offset, length) = (self.file.clone(), self.sent, piece.len() as u64);
        self.pending.send(write(file, offset, piece)).await;
        self.sent += length;
        Ok(())
    }

    async fn finish(mut self) -> Result<(), Trouble> {
        while self.pending.answer().await?.is_some() {}
        Ok(())
    }
}

async fn write(mut file: File, offset: u64, piece: Bytes) -> Result<(), Trouble> {
    file.seek(SeekFrom::Start(offset)).await.map_err(Cause::from)?;
    Ok(file.write_all_zero_copy(&mut [piece]).await?)
}
