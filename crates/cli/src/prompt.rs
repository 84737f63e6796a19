//! Prompts the user for secrets: on the terminal, without echo, one prompt at a time.

use std::fs::File;
use std::io::{self, Write};

use async_trait::async_trait;
use hostlink::connect::{NobodyToAsk, Prompter, SUDO_QUESTION};
use hostlink::{Error, ErrorKind, Result, Secret};
use tokio::sync::{Mutex, OnceCell};

use crate::explain::flatten;
use crate::tty::{self, Changed};

/// Prompts on the terminal of this process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TerminalPrompter;

#[async_trait]
impl Prompter for TerminalPrompter {
    async fn ask_secret(&self, target: &str, question: &str) -> Result<Secret> {
        match ask(&format!("{target}: {question}")).await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => NobodyToAsk.ask_secret(target, question).await,
            Err(error) => {
                let message = format!("{question} is required, and the terminal gave no answer");
                Err(Error::new(ErrorKind::Auth, message).with_source(error).with_target(target))
            }
        }
    }
}

/// Prompts for sudo's password once, for all targets, and for other secrets as usual.
#[derive(Debug, Default)]
pub(crate) struct OneAnswer(OnceCell<Secret>);

#[async_trait]
impl Prompter for OneAnswer {
    async fn ask_secret(&self, target: &str, question: &str) -> Result<Secret> {
        if question != SUDO_QUESTION {
            return TerminalPrompter.ask_secret(target, question).await;
        }
        let ask = || TerminalPrompter.ask_secret("all targets", question);
        self.0.get_or_try_init(ask).await.cloned()
    }
}

/// Serializes prompts: two at the same time could not be told apart.
static TURN: Mutex<()> = Mutex::const_new(());

/// Returns the answer to a prompt; `None` if there is no terminal.
///
/// Dropping the future cancels the prompt: the terminal is restored, and the next line is not read.
pub(crate) async fn ask(question: &str) -> io::Result<Option<Secret>> {
    let _turn = TURN.lock().await;
    let Ok(terminal) = tty::open() else { return Ok(None) };
    let asked = Asked::new(terminal, question)?;
    let (terminal, cancelled) = (asked.terminal.try_clone()?, asked.cancelled.0.try_clone()?);
    let line = tokio::task::spawn_blocking(move || tty::read_line(&terminal, &cancelled));
    let line = line.await.map_err(io::Error::other)??;
    let text = String::from_utf8(line)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the answer is not UTF-8"))?;
    Ok(Some(Secret::new(text)))
}

/// A prompt on the terminal.
struct Asked {
    terminal: File,
    /// Its other end is closed when the prompt is cancelled.
    cancelled: (io::PipeReader, io::PipeWriter),
    _silent: Changed,
}

impl Asked {
    /// Shows the prompt after the echo was switched off.
    fn new(mut terminal: File, question: &str) -> io::Result<Self> {
        let silent = Changed::without_echo(&terminal)?;
        terminal.write_all(format!("hostlink: {}: ", flatten(question)).as_bytes())?;
        Ok(Self { terminal, cancelled: io::pipe()?, _silent: silent })
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        // The line ending of the answer was not echoed.
        let _ = self.terminal.write_all(b"\n");
    }
}
