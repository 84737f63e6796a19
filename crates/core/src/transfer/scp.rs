//! The protocol that `scp -t` and `scp -f` speak, and BSD's `rcp` did, inside the scripts that
//! store and read a file.
//!
//! The script says what takes the bytes: `hl scp`; or `hl noscp` or `hl plain`, and they go through
//! `cat` as they are. All else is the script's: the temporary file, the check, the name.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Bytes, BytesMut};
use futures::stream;
use tokio::io::AsyncReadExt;
use tokio::sync::watch;
use tokio_util::io::StreamReader;

use super::failure::failure;
use crate::values::error::{Error, Result};
use crate::values::io::BoxRead;

/// The file name that is announced to scp. It gets the file itself, but requires a name.
const NAME: &str = "file";

/// The go-aheads for `scp -f`: one before the announcement, one before the bytes, one after them.
pub(super) const GO_ON: &[u8] = b"\0\0\0";

/// A longer announcement or message than any scp has.
const LONGEST_LINE: usize = 8 * 1024;

/// A script's own word is no longer.
const LONGEST_WORD: usize = 16;

const BLOCK: usize = 256 * 1024;

/// What is known of the program that takes the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Waiting,
    Plain,
    /// scp runs.
    Scp,
    /// It takes the bytes.
    Ready,
    /// It does not.
    Refused,
}

/// The two ends of a put: what scp reads, once its answers allow it. The second takes those from
/// the script's output.
pub(super) fn sending(content: BoxRead, length: u64) -> (BoxRead, Answers) {
    let (known, phase) = watch::channel(Phase::Waiting);
    let is_wrong = Arc::new(AtomicBool::new(false));
    let sending = Sending {
        content,
        length,
        left: length,
        is_wrong: is_wrong.clone(),
        phase,
        at: At::Start,
        block: BytesMut::new(),
    };
    let pieces = stream::try_unfold(sending, |mut sending| async {
        let piece = sending.next().await;
        piece.map(|piece| piece.map(|piece| (piece, sending)))
    });
    let answers = Answers {
        phase: known,
        line: Vec::new(),
        acknowledged: 0,
        at: Place::Script,
        refusal: Vec::new(),
        is_missing: false,
        is_wrong,
    };
    (Box::pin(StreamReader::new(Box::pin(pieces))), answers)
}

struct Sending {
    content: BoxRead,
    length: u64,
    left: u64,
    is_wrong: Arc<AtomicBool>,
    phase: watch::Receiver<Phase>,
    at: At,
    block: BytesMut,
}

#[derive(Clone, Copy)]
enum At {
    Start,
    Announced,
    Content,
    Plain,
    Over,
}

impl Sending {
    async fn next(&mut self) -> std::io::Result<Option<Bytes>> {
        loop {
            match self.at {
                At::Start => match self.wait_beyond(Phase::Waiting).await {
                    Phase::Plain => self.at = At::Plain,
                    Phase::Scp | Phase::Ready => {
                        self.at = At::Announced;
                        return Ok(Some(format!("C0600 {} {NAME}\n", self.length).into()));
                    }
                    Phase::Waiting | Phase::Refused => self.at = At::Over,
                },
                At::Announced => match self.wait_beyond(Phase::Scp).await {
                    Phase::Ready => self.at = At::Content,
                    _ => self.at = At::Over,
                },
                At::Content if self.left == 0 => {
                    self.at = At::Over;
                    let more = self.content.read(&mut [0]).await? > 0;
                    self.is_wrong.store(more, Ordering::Relaxed);
                    return Ok((!more).then(|| Bytes::from_static(b"\0")));
                }
                At::Content => {
                    let piece = self.piece(self.left).await?;
                    self.left -= piece.len() as u64;
                    self.is_wrong.store(piece.is_empty(), Ordering::Relaxed);
                    return Ok((!piece.is_empty()).then_some(piece));
                }
                At::Plain => {
                    let piece = self.piece(u64::MAX).await?;
                    return Ok((!piece.is_empty()).then_some(piece));
                }
                At::Over => return Ok(None),
            }
        }
    }

    /// The next phase. `Waiting` if there will be none.
    async fn wait_beyond(&mut self, phase: Phase) -> Phase {
        let known = self.phase.wait_for(|now| *now != phase).await;
        known.map_or(Phase::Waiting, |phase| *phase)
    }

    async fn piece(&mut self, most: u64) -> std::io::Result<Bytes> {
        self.block.reserve(BLOCK);
        (&mut self.content).take(most.min(BLOCK as u64)).read_buf(&mut self.block).await?;
        Ok(self.block.split().freeze())
    }
}

/// Takes scp's answers out of what a script says.
pub(super) struct Answers {
    phase: watch::Sender<Phase>,
    line: Vec<u8>,
    acknowledged: usize,
    at: Place,
    refusal: Vec<u8>,
    is_missing: bool,
    is_wrong: Arc<AtomicBool>,
}

/// Whose byte comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Script,
    /// An answer, or the script again.
    Scp,
    Message,
}

impl Answers {
    /// Returns whether there were fewer bytes than announced, or more. scp then never got the last
    /// byte of its frame, and fails.
    pub(super) fn is_wrong(&self) -> bool {
        self.is_wrong.load(Ordering::Relaxed)
    }

    /// Returns whether the script has said that there is no scp.
    pub(super) fn is_missing(&self) -> bool {
        self.is_missing
    }

    /// What scp has complained of since this was asked last.
    pub(super) fn take_refusal(&mut self) -> Vec<u8> {
        mem::take(&mut self.refusal)
    }

    /// What of `bytes` is the script's own.
    pub(super) fn strip(&mut self, bytes: &[u8]) -> Vec<u8> {
        bytes.iter().copied().filter(|byte| self.is_of_the_script(*byte)).collect()
    }

    fn is_of_the_script(&mut self, byte: u8) -> bool {
        match (self.at, byte) {
            (Place::Scp, 0) => {
                self.acknowledged += 1;
                if self.acknowledged == 2 {
                    self.found(Phase::Scp, Phase::Ready);
                }
                return false;
            }
            (Place::Scp, 1 | 2) => {
                self.at = Place::Message;
                self.found(Phase::Scp, Phase::Refused);
                return false;
            }
            (Place::Message, b'\n') => {
                self.refusal.push(byte);
                self.at = Place::Scp;
                return false;
            }
            (Place::Message, _) => {
                if self.refusal.len() < LONGEST_LINE {
                    self.refusal.push(byte);
                }
                return false;
            }
            (Place::Scp, _) => self.at = Place::Script,
            (Place::Script, _) => {}
        }
        self.script_byte(byte);
        true
    }

    fn script_byte(&mut self, byte: u8) {
        if byte != b'\n' {
            if self.line.len() < LONGEST_WORD {
                self.line.push(byte);
            }
            return;
        }
        match &*mem::take(&mut self.line) {
            b"hl scp" => {
                self.at = Place::Scp;
                self.found(Phase::Waiting, Phase::Scp);
            }
            b"hl noscp" => {
                self.is_missing = true;
                self.found(Phase::Waiting, Phase::Plain);
            }
            b"hl plain" => self.found(Phase::Waiting, Phase::Plain),
            _ => {}
        }
    }

    fn found(&self, before: Phase, now: Phase) {
        self.phase.send_if_modified(|phase| {
            let fits = *phase == before;
            *phase = if fits { now } else { *phase };
            fits
        });
    }
}

/// Takes a file's bytes out of what `scp -f` sends.
#[derive(Default)]
pub(super) struct Receiving {
    line: Vec<u8>,
    /// How many bytes are still to come, once that was announced.
    left: Option<u64>,
    is_whole: bool,
}

impl Receiving {
    /// The content in `bytes`, which is in one piece.
    ///
    /// # Errors
    ///
    /// It is no announcement of a file, or not that many bytes follow; or scp reports a failure.
    pub(super) fn content<'a>(&mut self, mut bytes: &'a [u8], path: &str) -> Result<&'a [u8]> {
        let left = match self.left {
            Some(left) => left,
            None => {
                let Some(rest) = self.take_line(bytes, path)? else { return Ok(&[]) };
                bytes = rest;
                let line = mem::take(&mut self.line);
                announced(&line).ok_or_else(|| complaint(&line, path))?
            }
        };
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let (content, behind) = bytes.split_at(here);
        self.left = Some(left - here as u64);
        match behind {
            [] => {}
            [0] if !self.is_whole && self.line.is_empty() => self.is_whole = true,
            // In the place of the last byte there is a message, which may come in pieces.
            behind => {
                if self.is_whole || self.take_line(behind, path)?.is_some() {
                    return Err(complaint(&self.line, path));
                }
            }
        }
        Ok(content)
    }

    /// Returns whether all that was announced has come, and was not taken back.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Returns what follows the end of the line, once that has come.
    fn take_line<'a>(&mut self, bytes: &'a [u8], path: &str) -> Result<Option<&'a [u8]>> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        self.line.extend_from_slice(&bytes[..end.unwrap_or(bytes.len())]);
        if self.line.len() > LONGEST_LINE {
            return Err(complaint(&self.line, path));
        }
        Ok(end.map(|end| &bytes[end + 1..]))
    }
}

/// The size in `Cmmmm SIZE NAME`. The name is of no use: it was the caller who said which file.
fn announced(line: &[u8]) -> Option<u64> {
    let mut words = line.splitn(3, |byte| *byte == b' ');
    let (mode, size, _name) = (words.next()?, words.next()?, words.next()?);
    let is_mode = mode.len() == 5 && mode[0] == b'C' && mode[1..].iter().all(u8::is_ascii_digit);
    let size = std::str::from_utf8(size).ok().filter(|size| !size.starts_with('+'))?;
    if is_mode { size.parse().ok() } else { None }
}

/// The error that a line of scp's makes: its message, or that it is none.
fn complaint(line: &[u8], path: &str) -> Error {
    match line.split_first() {
        Some((1 | 2, message)) => failure("", path, message),
        _ => failure("", path, b"scp on the target says what is not in its protocol"),
    }
}

#[cfg(test)]
mod tests;
