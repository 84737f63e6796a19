//! Standard error: hostlink's own messages, and commands' standard error.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hostlink::connect::{Event, Reporter};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::explain::flatten;
use crate::{prompt, tty};

/// Writes to standard error, in the order of the calls. Clones share it. Write errors are ignored:
/// there is nowhere to report them.
#[derive(Clone, Debug)]
pub(crate) struct Messages {
    sender: UnboundedSender<Message>,
    backlog: Arc<Backlog>,
}

/// What waits to be written.
#[derive(Debug, Default)]
struct Backlog {
    bytes: AtomicUsize,
    /// Reports that were left out.
    left_out: AtomicUsize,
}

/// Reports are left out while more bytes wait: a reporter cannot wait for a slow reader, and there
/// is no end to what a proxy command may say.
const MAX_BACKLOG: usize = 4 << 20;

/// What a message takes besides its text.
const OF_MESSAGE: usize = 64;

enum Message {
    Text(Vec<u8>),
    /// Notified when everything before it was written.
    Written(oneshot::Sender<()>),
}

impl Messages {
    /// Starts a writer task. A reporter must not block, and standard error may.
    pub(crate) fn start() -> Self {
        let (own, messages) = Self::new();
        tokio::spawn(write(messages, own.backlog.clone(), tokio::io::stderr()));
        own
    }

    fn new() -> (Self, UnboundedReceiver<Message>) {
        let (sender, messages) = unbounded_channel();
        (Self { sender, backlog: Arc::default() }, messages)
    }

    /// Writes a message of hostlink itself.
    pub(crate) fn line(&self, text: impl fmt::Display) {
        self.send(line(text));
    }

    /// Writes a report, unless too much waits to be written.
    fn report(&self, text: Vec<u8>) {
        if self.backlog.bytes.load(Ordering::Relaxed) > MAX_BACKLOG {
            self.backlog.left_out.fetch_add(1, Ordering::Relaxed);
        } else {
            self.send(text);
        }
    }

    /// Writes raw bytes and waits until they are written, which slows their source down.
    pub(crate) async fn bytes(&self, bytes: Vec<u8>) {
        self.send(bytes);
        self.flush().await;
    }

    /// Waits until everything was written.
    pub(crate) async fn flush(&self) {
        let (sender, written) = oneshot::channel();
        let _ = self.sender.send(Message::Written(sender));
        let _ = written.await;
    }

    fn send(&self, text: Vec<u8>) {
        self.backlog.bytes.fetch_add(text.len() + OF_MESSAGE, Ordering::Relaxed);
        let _ = self.sender.send(Message::Text(text));
    }
}

/// Returns a message of hostlink itself. A raw terminal needs a carriage return to start a new
/// line.
fn line(text: impl fmt::Display) -> Vec<u8> {
    let end = if tty::is_changed() { "\r\n" } else { "\n" };
    format!("hostlink: {text}{end}").into_bytes()
}

fn left_out(count: usize) -> String {
    format!("{count} reports were left out here, since standard error is read too slowly")
}

impl Backlog {
    /// Takes off a message that was written. Once half of them are, it returns how many reports
    /// were left out.
    fn written(&self, length: usize) -> Option<usize> {
        let before = self.bytes.fetch_sub(length + OF_MESSAGE, Ordering::Relaxed);
        let left_out = match before < MAX_BACKLOG / 2 {
            true => self.left_out.swap(0, Ordering::Relaxed),
            false => 0,
        };
        (left_out > 0).then_some(left_out)
    }
}

async fn write(
    mut messages: UnboundedReceiver<Message>,
    backlog: Arc<Backlog>,
    mut stderr: impl AsyncWrite + Unpin,
) {
    while let Some(message) = messages.recv().await {
        match message {
            Message::Text(text) => {
                let _turn = prompt::turn_on(std::io::stderr()).await;
                let _ = stderr.write_all(&text).await;
                if let Some(count) = backlog.written(text.len()) {
                    let note = line(left_out(count));
                    let _ = stderr.write_all(&note).await;
                }
            }
            Message::Written(sender) => {
                let _ = stderr.flush().await;
                let _ = sender.send(());
            }
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Message")
    }
}

/// How much is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verbosity {
    /// Results, warnings and errors.
    Quiet,
    /// `-v`: also each step, and errors in full.
    Steps,
    /// `-vv`: also what the programs say that connect.
    Programs,
}

impl Verbosity {
    /// Returns what this many `-v` ask for.
    pub(crate) fn of_count(count: u8) -> Self {
        match count {
            0 => Self::Quiet,
            1 => Self::Steps,
            _ => Self::Programs,
        }
    }

    /// Returns whether each step is reported.
    pub(crate) fn has_steps(self) -> bool {
        self >= Self::Steps
    }
}

/// Prints the library's reports.
#[derive(Debug)]
pub(crate) struct Teller {
    messages: Messages,
    verbosity: Verbosity,
}

impl Teller {
    pub(crate) fn new(messages: Messages, verbosity: Verbosity) -> Self {
        Self { messages, verbosity }
    }
}

impl Reporter for Teller {
    fn report(&self, target: &str, event: Event<'_>) {
        // A message about no target has no prefix.
        let target = flatten(target);
        let of = if target.is_empty() { String::new() } else { format!("{target}: ") };
        match event {
            Event::Warning(text) => {
                self.messages.report(line(format_args!("{of}warning: {}", flatten(text))));
            }
            Event::Notice(text) => {
                self.messages.report(line(format_args!("{of}{}", flatten(text))));
            }
            Event::Input(text) if self.verbosity.has_steps() => {
                let lines: Vec<String> = text.split('\n').map(flatten).collect();
                let text = lines.join("\n");
                self.messages.report(format!("[{target}] >>> {text}\n").into_bytes());
            }
            Event::Detail(text) if self.verbosity.has_steps() => {
                self.messages.report(line(format_args!("{of}{}", flatten(text))));
            }
            Event::Program(text) if self.verbosity == Verbosity::Programs => {
                self.messages.report(line(format_args!("{of}{}", flatten(text))));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reports_that_are_not_read_are_left_out_and_counted() {
        let (messages, waiting) = Messages::new();
        let teller = Teller::new(messages.clone(), Verbosity::Quiet);
        let long = "x".repeat(1000);
        for _ in 0..100_000 {
            teller.report("web", Event::Warning(&long));
        }
        messages.line("the result");
        let backlog = messages.backlog.clone();
        let kept = backlog.bytes.load(Ordering::Relaxed);
        assert!((MAX_BACKLOG..MAX_BACKLOG + 4096).contains(&kept), "{kept}");
        drop((messages, teller));
        let mut written = Vec::new();
        write(waiting, backlog, &mut written).await;
        let written = String::from_utf8(written).unwrap();
        let (reports, rest) =
            written.lines().partition::<Vec<_>, _>(|line| line.contains("warning"));
        let note = format!("hostlink: {}", left_out(100_000 - reports.len()));
        assert_eq!(rest, [&*note, "hostlink: the result"]);
    }
}
