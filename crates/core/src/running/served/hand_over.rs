//! A process whose streams are handed over once the command itself has started.

use futures::future::ready;
use futures::stream::{self, BoxStream, Stream, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::time::{sleep, timeout};

use super::{LAST_CHANCE, Served, broken_off, read_terminal, until};
use crate::contract::process::{NoControl, Process, ProcessControl};
use crate::running::handshake::{Handshake, Heard, START_LIMIT, not_started_in_time, refusal};
use crate::running::kill::{next, resolved};
use crate::shell::script::Script;
use crate::values::error::{Error, ErrorKind, Result};
use crate::values::io::{BoxWrite, Chunk};

impl Served {
    /// Waits until the command itself has started, and hands its streams over: from then on they
    /// hold nothing but its own.
    ///
    /// # Errors
    ///
    /// It was not started; what was there of it has been ended.
    pub(crate) async fn hand_over(mut self, script: &Script) -> Result<Process> {
        let mut stdin = self.stdin.take();
        let first = match timeout(START_LIMIT, self.hear_start(script, &mut stdin)).await {
            Ok(Ok(first)) => first,
            Ok(Err(error)) => return Err(self.end_by_force(error).await),
            Err(_) => return Err(self.end_by_force(not_started_in_time(START_LIMIT)).await),
        };
        let handshake = std::mem::take(&mut self.handshake);
        let leaders = handshake.leaders();
        let rest = self.output.take().unwrap_or_else(|| stream::empty().boxed());
        let control: Box<dyn ProcessControl> = match (self.killer.take(), self.control.upgrade()) {
            (Some(killer), Some(control)) => {
                Box::new(killer.into_control(control, leaders, self.terminal.take()))
            }
            _ => Box::new(NoControl),
        };
        let status = self.status;
        let exit = self.exit.take().unwrap_or_else(|| {
            let unknown = || Error::new(ErrorKind::LinkLost, "its end is not known");
            Box::pin(async move { status.ok_or_else(unknown) })
        });
        let first = stream::iter(first.map(Ok));
        Ok(Process {
            stdin,
            output: first.chain(own_output(handshake, rest)).boxed(),
            exit,
            control,
        })
    }

    /// Answers questions and sends the script's text; returns what the command had already written
    /// when it was heard.
    async fn hear_start(
        &mut self,
        script: &Script,
        stdin: &mut Option<BoxWrite>,
    ) -> Result<Option<Chunk>> {
        let mut first = None;
        let mut text = [0; 1024];
        while !self.handshake.started() {
            let chunk = tokio::select! {
                biased;
                chunk = next(&mut self.output), if self.output.is_some() => chunk,
                Some(status) = resolved(&mut self.exit), if self.status.is_none() => {
                    self.status = Some(status?);
                    continue;
                }
                read = read_terminal(&mut self.terminal, &mut text) => {
                    self.take_terminal_text(&text[..read.unwrap_or(0)]).await;
                    continue;
                }
                () = until(self.asked) => {
                    for secret in self.take_question().await {
                        send(stdin, &[secret.expose().as_bytes(), b"\n"].concat()).await;
                    }
                    if self.refused.is_some() {
                        close(stdin).await;
                    }
                    continue;
                }
                error = refusal(self.refused) => return Err(error),
                () = sleep(LAST_CHANCE), if self.status.is_some() => None,
            };
            let Some(chunk) = chunk else {
                self.output = None;
                let Some(status) = self.status else { continue };
                return self.ended(status, false).map(|_| None);
            };
            let Chunk { stream, bytes } = chunk.map_err(broken_off)?;
            let Heard { output, answers, unanswered } = self.handshake.hear(stream, bytes);
            for answer in answers {
                send(stdin, &[answer.secret.expose().as_bytes(), b"\n"].concat()).await;
            }
            if let Some(why) = unanswered {
                self.refuse(why);
                close(stdin).await;
            }
            self.look_for_question();
            first = Some(Chunk { stream, bytes: output }).filter(|chunk| !chunk.bytes.is_empty());
        }
        self.check_start()?;
        if let Some(gate) = script.gate() {
            send(stdin, format!("{gate}\n").as_bytes()).await;
        }
        if let Some(text) = script.stdin() {
            send(stdin, text).await;
        }
        Ok(first)
    }
}

/// What a command itself writes, once it has started: its second stream may still have an
/// announcement to come.
fn own_output(
    handshake: Handshake,
    output: BoxStream<'static, std::io::Result<Chunk>>,
) -> impl Stream<Item = std::io::Result<Chunk>> + Send + 'static {
    let heard = output.scan(handshake, |handshake, chunk| {
        let heard = chunk.map(|Chunk { stream, bytes }| Chunk {
            stream,
            bytes: handshake.hear(stream, bytes).output,
        });
        ready(Some(heard))
    });
    heard.filter(|chunk| ready(chunk.as_ref().map_or(true, |chunk| !chunk.bytes.is_empty())))
}

/// A command that reads no more has ended, or is about to: that is seen elsewhere.
async fn send(stdin: &mut Option<BoxWrite>, bytes: &[u8]) {
    let Some(writer) = stdin else { return };
    let written = async {
        writer.write_all(bytes).await?;
        writer.flush().await
    };
    if written.await.is_err() {
        *stdin = None;
    }
}

/// The end of the input. A mere drop does not end it everywhere.
async fn close(stdin: &mut Option<BoxWrite>) {
    if let Some(mut writer) = stdin.take() {
        let _ = writer.shutdown().await;
    }
}
