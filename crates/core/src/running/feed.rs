//! Writes a command's input.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;

use crate::running::handshake::END_OF_TRANSMISSION;
use crate::running::limits::Clock;
use crate::shell::armor::Armor;
use crate::values::error::{Error, ErrorKind, Result};
use crate::values::io::{BoxRead, BoxWrite};

const BUFFER: usize = 256 * 1024;

/// Time that a command without input runs on a terminal before end of input is typed. sudo with
/// use_pty (1.9.13) waits forever if something is typed in the moment in which its command ends;
/// most commands that read nothing are over by then.
const END_HELD_BACK: Duration = Duration::from_secs(1);

/// The standard input of a command.
#[derive(Default)]
pub(crate) struct Input {
    /// `None` is empty.
    pub(crate) source: Option<BoxRead>,
    /// The most bytes that an encoded source may have.
    pub(crate) max_encoded: Option<u64>,
}

/// The form in which input is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Pipe,
    /// The end of the input is typed.
    Terminal,
    /// The script decodes it: the command's input comes through the terminal unchanged.
    EncodedOnTerminal,
}

/// Writes `text`, then what the command is to read, to its standard input.
///
/// Only a source that cannot be read, or is too long, is an error: a command need not read its
/// input. On a terminal, the future does not end.
pub(crate) fn feed(
    stdin: BoxWrite,
    text: Vec<u8>,
    input: Input,
    form: Form,
    clock: &Arc<Clock>,
) -> BoxFuture<'static, Result<()>> {
    let feeder = Feeder { stdin, form, at_line_start: true, clock: clock.clone() };
    Box::pin(feeder.run(text, input))
}

struct Feeder {
    stdin: BoxWrite,
    form: Form,
    at_line_start: bool,
    clock: Arc<Clock>,
}

impl Feeder {
    async fn run(mut self, text: Vec<u8>, input: Input) -> Result<()> {
        self.write(&text).await;
        match input.source {
            Some(source) => self.copy(source, input.max_encoded).await?,
            None if self.form != Form::Pipe => sleep(END_HELD_BACK).await,
            None => {}
        }
        match self.form {
            Form::Pipe => {
                let _ = self.stdin.shutdown().await;
                Ok(())
            }
            // The encoding has its own end, and the session must not end with it.
            Form::EncodedOnTerminal => std::future::pending().await,
            Form::Terminal => {
                // Closing a terminal is not an end of input: ^D at the start of a line is
                // (termios(3), VEOF). Elsewhere the first one only hands the line over.
                if !self.at_line_start {
                    self.write(END_OF_TRANSMISSION).await;
                }
                self.write(END_OF_TRANSMISSION).await;
                std::future::pending().await
            }
        }
    }

    async fn copy(&mut self, mut source: BoxRead, max_encoded: Option<u64>) -> Result<()> {
        let mut buffer = vec![0; BUFFER];
        let mut armor = (self.form == Form::EncodedOnTerminal).then(Armor::default);
        let mut came = 0;
        loop {
            let read = source.read(&mut buffer).await;
            let length =
                read.map_err(|error| Error::from_io("the input could not be read", error))?;
            came += length as u64;
            if let Some(max) = max_encoded.filter(|max| armor.is_some() && came > *max) {
                let message =
                    format!("no more than {max} bytes of input go through a terminal there");
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
            let bytes = match &mut armor {
                Some(armor) => armor.encode(&buffer[..length]),
                None => &buffer[..length],
            };
            self.at_line_start = bytes.last().map_or(self.at_line_start, |last| *last == b'\n');
            if !self.write(bytes).await || length == 0 {
                return Ok(());
            }
        }
    }

    /// Writes all the bytes; false if the command reads no more.
    async fn write(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            match self.stdin.write(bytes).await {
                Ok(0) | Err(_) => return false,
                Ok(length) => bytes = &bytes[length..],
            }
            self.clock.note_movement();
        }
        self.stdin.flush().await.is_ok()
    }
}
