//! Reads one file.

use std::io::SeekFrom;
use std::sync::Arc;

use bytes::BytesMut;
use hostlink_core::Result;
use hostlink_core::transfer::{GetOptions, Header, Route, Sink, SinkWriter, Transferred, failure};
use openssh_sftp_client::Error as Cause;
use openssh_sftp_client::file::File;
use openssh_sftp_client::metadata::MetaData;
use tokio::io::AsyncSeekExt;

use super::direct;
use super::pipeline::Pipeline;
use super::session::Session;
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
    let found = match session.stat(path.as_ref()).await {
        // The protocol has one code for what is missing and for a circle of symlinks. A command
        // tells them apart.
        Err(trouble) if trouble.is_missing() => match session.lstat(path.as_ref()).await {
            Ok(_) => return Ok(None),
            Err(_) => return Err(failure("missing", path, b"")),
        },
        found => found.map_err(of)?,
    };
    if !is_file(&found) {
        return Ok(None);
    }
    if let Some(done) = direct::get(sessions, session, path, &found, sink, options).await? {
        return Ok(Some(done));
    }
    let mut file = open(sessions, session, path).await.map_err(of)?;
    let mut reads = Reads::new(session, file.clone(), found.len().unwrap_or(0));
    let (first, opened) = futures::join!(reads.next(), session.answer(file.metadata()));
    let (mut next, opened) = (first.map_err(of)?, opened.map_err(of)?);
    let announced = opened.len().unwrap_or(0);
    // Files of /proc have no size, and those of /sys have less than their size: only a command
    // proves their end.
    let has_no_size = reads.came > 0 && announced == 0 || reads.has_ended && reads.came < announced;
    if !is_file(&opened) || has_no_size && !sessions.insists() {
        return Ok(None);
    }
    let mut writer = SinkWriter::new(sink, header(&opened)).await?;
    while let Some(content) = next {
        if let Some(memory) = session.moving(writer.write(content)).await.map_err(of)?? {
            reads.reuse(memory);
        }
        next = reads.next().await.map_err(of)?;
    }
    let bytes = reads.came;
    // The end of a file proves nothing: its length must be its size, unless it has grown.
    if bytes != announced {
        let now = session.answer(file.metadata()).await.map_err(of)?.len();
        if bytes < announced || now < Some(bytes) {
            return Err(failure(&format!("short {bytes}"), path, b""));
        }
    }
    let in_place = writer.finish(options.preserve).await?;
    Ok(Some(Transferred { bytes, in_place, route: Route::Sftp }))
}

async fn open(
    sessions: &Arc<Sessions>,
    session: &Arc<Session>,
    path: &str,
) -> Result<File, Trouble> {
    let (session, path) = (session.clone(), path.to_owned());
    let mut options = session.options();
    options.read(true);
    let opening = async move { session.answer(options.open(path)).await };
    sessions.to_its_end(opening).await.unwrap_or(Err(Trouble::Over))
}

fn is_file(attributes: &MetaData) -> bool {
    attributes.file_type().is_some_and(|kind| kind.is_file())
}

pub(super) fn header(attributes: &MetaData) -> Header {
    Header {
        mode: attributes.permissions().map_or(0o666, |bits| bits.as_raw().bits()),
        modified: attributes.modified().map_or(0, |modified| modified.into_raw().into()),
    }
}

/// The reads of one file, in order.
pub(super) struct Reads<'a> {
    file: File,
    /// The size that the server reports. The file may have more, or less.
    size: u64,
    pending: Pipeline<'a, Piece>,
    /// The size of one read.
    piece: u32,
    /// The offset of the next read.
    offset: u64,
    came: u64,
    has_ended: bool,
    /// Buffers of content that has been passed on.
    spare: Vec<BytesMut>,
}

struct Piece {
    content: BytesMut,
    end: Option<End>,
}

/// Why a piece is the last one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    OfFile,
    /// The server answers with content of no bytes.
    NoBytes,
}

impl<'a> Reads<'a> {
    pub(super) fn new(session: &'a Session, file: File, size: u64) -> Self {
        let piece = session.sizes.read;
        let pending = Pipeline::new(session, piece);
        Self { file, size, pending, piece, offset: 0, came: 0, has_ended: false, spare: Vec::new() }
    }

    /// Returns the next piece of content; `None` at the end of the file.
    pub(super) async fn next(&mut self) -> Result<Option<BytesMut>, Trouble> {
        self.ask().await;
        let Some(Piece { content, end }) = self.pending.answer().await? else {
            return Ok(None);
        };
        self.came += content.len() as u64;
        if end == Some(End::NoBytes) && self.came < self.size {
            return Err(Trouble::Lost("it sent content of no bytes".to_owned()));
        }
        if end.is_some() {
            self.has_ended = true;
            self.pending.clear();
        }
        Ok(Some(content).filter(|content| !content.is_empty()))
    }

    /// Asks for as much as may be in flight, and for one piece after the size, which proves the
    /// end.
    async fn ask(&mut self) {
        let wants = |reads: &Self| {
            let has_asked_after = reads.offset > reads.size && reads.pending.len() > 0;
            !reads.has_ended && !has_asked_after && reads.pending.len() < reads.pending.window()
        };
        while wants(self) {
            let length = match u32::try_from(self.size.saturating_sub(self.offset)) {
                Ok(0) | Err(_) => self.piece,
                Ok(left) => left.min(self.piece),
            };
            let memory = self.spare.pop().unwrap_or_default();
            self.pending.send(read(self.file.clone(), self.offset, length, memory)).await;
            self.offset += u64::from(length);
        }
    }

    /// Keeps the buffer of content that has been passed on: new memory costs more than the copy.
    pub(super) fn reuse(&mut self, memory: BytesMut) {
        if self.spare.len() < self.pending.window() {
            self.spare.push(memory);
        }
    }
}

/// Reads a whole piece, or up to the end of the file. An answer may be shorter than the request.
async fn read(
    mut file: File,
    offset: u64,
    length: u32,
    mut content: BytesMut,
) -> Result<Piece, Trouble> {
    loop {
        let came = content.len();
        let missing = length - u32::try_from(came).unwrap_or(length);
        if missing == 0 {
            return Ok(Piece { content, end: None });
        }
        file.seek(SeekFrom::Start(offset + came as u64)).await.map_err(Cause::from)?;
        match file.read(missing, content.split_off(came)).await? {
            None => return Ok(Piece { content, end: Some(End::OfFile) }),
            Some(more) if more.is_empty() => {
                return Ok(Piece { content, end: Some(End::NoBytes) });
            }
            Some(more) if more.len() > missing as usize => {
                return Err(Trouble::Lost("it sent more than it was asked for".to_owned()));
            }
            Some(more) => content.unsplit(more),
        }
    }
}
