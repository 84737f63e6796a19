//! Prompts the user for secrets: on the terminal, without echo, one prompt at a time.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use async_trait::async_trait;
use hostlink::connect::{NoPrompter, Prompter, SUDO_QUESTION};
use hostlink::{Error, ErrorKind, Result, Secret};
use tokio::sync::{Mutex, MutexGuard};

use crate::explain::flatten;
use crate::tty::{self, Changed};

/// Prompts on the terminal of this process, if the command line allows questions.
#[derive(Debug, Default)]
pub(crate) struct TerminalPrompter {
    policy: OnceLock<Policy>,
    /// The passwords for sudo that were asked for first, by target or for [`ALL_TARGETS`].
    sudo: OnceLock<HashMap<String, Secret>>,
}

/// When the user is asked for what turns out to be needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Never: `--batch`.
    Batch,
    /// Never: there are several targets, whose output a question would interrupt.
    SeveralTargets,
    /// When it is needed.
    Ask,
}

/// The target of a question that is asked for all of them.
pub(crate) const ALL_TARGETS: &str = "all targets";

impl TerminalPrompter {
    /// Sets when the user is asked. Until then, the user is asked.
    pub(crate) fn set_policy(&self, policy: Policy) {
        let _ = self.policy.set(policy);
    }

    /// Asks for sudo's password for each of these targets, one after the other.
    pub(crate) async fn ask_for_sudo(&self, targets: Vec<&str>) -> Result<()> {
        let mut answers = HashMap::with_capacity(targets.len());
        for target in targets {
            let answer = on_terminal(target, SUDO_QUESTION).await;
            // Nothing was started, and a flag that cannot be met is wrong.
            let answer = answer.map_err(|error| error.with_kind(ErrorKind::Data))?;
            answers.insert(target.to_owned(), answer);
        }
        let _ = self.sudo.set(answers);
        Ok(())
    }

    fn known(&self, target: &str, question: &str) -> Option<&Secret> {
        let answers = self.sudo.get().filter(|_| question == SUDO_QUESTION)?;
        answers.get(target).or_else(|| answers.get(ALL_TARGETS))
    }
}

#[async_trait]
impl Prompter for TerminalPrompter {
    async fn ask_secret(&self, target: &str, question: &str) -> Result<Secret> {
        if let Some(answer) = self.known(target, question) {
            return Ok(answer.clone());
        }
        let flag = match question {
            SUDO_QUESTION => "--same-sudo-password",
            _ => "--ssh-password-prompt",
        };
        let why = match self.policy.get().unwrap_or(&Policy::Ask) {
            Policy::Ask => return on_terminal(target, question).await,
            Policy::Batch => "--batch asks nothing".to_owned(),
            Policy::SeveralTargets => {
                format!("several targets are not asked one by one: {flag} asks once")
            }
        };
        let message = format!("{question} is required, and {why}");
        Err(Error::new(ErrorKind::Auth, message).with_target(target))
    }
}

async fn on_terminal(target: &str, question: &str) -> Result<Secret> {
    match ask(&format!("{target}: {question}")).await {
        Ok(Some(answer)) => Ok(answer),
        Ok(None) => NoPrompter.ask_secret(target, question).await,
        Err(error) => {
            let message = format!("{question} is required, and the terminal gave no answer");
            Err(Error::new(ErrorKind::Auth, message).with_source(error).with_target(target))
        }
    }
}

/// Held by the prompt that uses the terminal: there is one at a time, and no output shares its
/// line.
static TURN: Mutex<()> = Mutex::const_new(());

/// Waits until no question is open, if this output goes to a terminal. None is asked while the
/// result is held.
pub(crate) async fn turn_on(output: impl IsTerminal) -> Option<MutexGuard<'static, ()>> {
    match output.is_terminal() {
        true => Some(TURN.lock().await),
        false => None,
    }
}

/// Switches the echo of the terminal off until the result is dropped, if there is a terminal.
pub(crate) fn silence() -> Option<Changed> {
    tty::open().and_then(Changed::without_echo).ok()
}

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
