//! Standard error: hostlink's own messages, and commands' standard error.

use std::fmt;

use hostlink::connect::{Event, Reporter};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::explain::flatten;
use crate::{prompt, tty};

/// Writes to standard error, in the order of the calls. Clones share it. Write errors are ignored:
/// there is nowhere to report them.
#[derive(Clone, Debug)]
pub(crate) struct Messages(UnboundedSender<Message>);

enum Message {
    Text(Vec<u8>),
    /// Notified when everything before it was written.
    Written(oneshot::Sender<()>),
}

impl Messages {
    /// Starts a writer task. A reporter must not block, and standard error may.
    pub(crate) fn start() -> Self {
        let (sender, messages) = unbounded_channel();
        tokio::spawn(write(messages));
        Self(sender)
    }

    /// Writes a message of hostlink itself.
    pub(crate) fn line(&self, text: impl fmt::Display) {
        // A raw terminal needs a carriage return to start a new line.
        let end = if tty::is_changed() { "\r\n" } else { "\n" };
        self.send(format!("hostlink: {text}{end}").into_bytes());
    }

    /// Writes raw bytes and waits until they are written, which slows their source down.
    pub(crate) async fn bytes(&self, bytes: Vec<u8>) {
        self.send(bytes);
        self.flush().await;
    }

    /// Waits until everything was written.
    pub(crate) async fn flush(&self) {
        let (sender, written) = oneshot::channel();
        let _ = self.0.send(Message::Written(sender));
        let _ = written.await;
    }

    fn send(&self, text: Vec<u8>) {
        let _ = self.0.send(Message::Text(text));
    }
}

async fn write(mut messages: UnboundedReceiver<Message>) {
    let mut stderr = tokio::io::stderr();
    while let Some(message) = messages.recv().await {
        match message {
            Message::Text(text) => {
                let _turn = prompt::turn_on(std::io::stderr()).await;
                let _ = stderr.write_all(&text).await;
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

    /// Whether each step is reported.
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
                self.messages.line(format_args!("{of}warning: {}", flatten(text)));
            }
            Event::Notice(text) => {
                self.messages.line(format_args!("{of}{}", flatten(text)));
            }
            Event::Input(text) if self.verbosity.has_steps() => {
                let lines: Vec<String> = text.split('\n').map(flatten).collect();
                let text = lines.join("\n");
                self.messages.send(format!("[{target}] >>> {text}\n").into_bytes());
            }
            Event::Detail(text) if self.verbosity.has_steps() => {
                self.messages.line(format_args!("{of}{}", flatten(text)));
            }
            Event::Program(text) if self.verbosity == Verbosity::Programs => {
                self.messages.line(format_args!("{of}{}", flatten(text)));
            }
            _ => {}
        }
    }
}
