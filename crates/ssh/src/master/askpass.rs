//! Passes ssh's questions to this process, which has the secrets, and the answers back, over FIFOs.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hostlink_core::{Context, Event};
use parking_lot::Mutex;
use rustix::fs::{Mode, OFlags};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::sync::watch;

use super::answers::{Answers, Question, Reply};

/// The script that ssh runs as `SSH_ASKPASS`.
///
/// A question is one write of less than `PIPE_BUF` bytes, so two do not mix (pipe(7)). A longer one
/// does not mix either where `PIPE_BUF` is only 512 (macOS): of the ssh processes of one login,
/// only one authenticates at a time, and it asks one question at a time. The script refuses
/// confirmations, since ssh reads an empty answer as yes.
pub(crate) const SCRIPT: &str = r#"#!/bin/sh
d=${0%/*}
case $SSH_ASKPASS_PROMPT in
confirm) exit 1 ;;
none) printf '%s\0%s\0%s\0%.900s\0' 0 "$PPID" none "$1" >"$d/ask"; exit 0 ;;
esac
umask 077
r=$d/r.$$
mkfifo "$r" || exit 1
printf '%s\0%s\0%s\0%.900s\0' "$$" "$PPID" ask "$1" >"$d/ask"
cat "$r"
rm -f "$r"
"#;

/// Interval of looks for a file that is about to appear.
const POLL: Duration = Duration::from_millis(2);

/// Time limit for the script to open its FIFO. It opens it unless it is killed.
const OPEN_LIMIT: Duration = Duration::from_secs(10);

/// The longest question: see [`SCRIPT`].
const LONGEST: usize = 8 * 1024;

/// Answers the questions of one master.
#[derive(Debug)]
pub(crate) struct Askpass {
    pub(crate) directory: PathBuf,
    /// The master's process id, which marks its own questions.
    pub(crate) master: Option<i32>,
    pub(crate) target: String,
    pub(crate) context: Context,
    pub(crate) answers: Arc<Mutex<Answers>>,
    pub(crate) patience: Patience,
    /// Set when a question has no answer, so that the login must end.
    pub(crate) hopeless: watch::Sender<bool>,
}

/// The time that users took to answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patience(Arc<Mutex<(Duration, Option<Instant>)>>);

impl Patience {
    /// Returns the total so far.
    pub(crate) fn spent(&self) -> Duration {
        let (total, since) = *self.0.lock();
        total + since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn begin(&self) {
        self.0.lock().1 = Some(Instant::now());
    }

    fn end(&self) {
        let mut spent = self.0.lock();
        if let Some(since) = spent.1.take() {
            spent.0 += since.elapsed();
        }
    }
}

/// A question, and the process that waits for its answer.
#[derive(Debug, PartialEq, Eq)]
struct Call {
    script: u32,
    parent: i32,
    is_notice: bool,
    text: String,
}

impl Askpass {
    /// Serves until it is dropped.
    ///
    /// # Errors
    ///
    /// The FIFO cannot be read.
    pub(crate) async fn serve(self) -> io::Result<()> {
        let mut asked = open_ask(&self.directory.join("ask")).await?;
        let mut pending = Vec::new();
        loop {
            let mut bytes = [0; 4096];
            let length = asked.read(&mut bytes).await?;
            pending.extend_from_slice(&bytes[..length]);
            while let Some(call) = next_call(&mut pending) {
                self.handle(call).await;
            }
            if pending.len() > LONGEST {
                pending.clear();
            }
        }
    }

    async fn handle(&self, call: Call) {
        if call.is_notice {
            // For example, "touch your security key".
            self.context.reporter.report(&self.target, Event::Warning(&call.text));
            return;
        }
        let from_target = self.master == Some(call.parent);
        let question = Question { from_target, asker: call.parent, text: call.text };
        let reply = self.answers.lock().decide(&question);
        let reply = match reply {
            Reply::Ask => self.prompt_user(&question).await,
            Reply::Refused => self.give_up().await,
            reply => reply,
        };
        let text: &str = match &reply {
            Reply::Secret(secret) => secret.expose(),
            Reply::No => "no",
            Reply::Ask | Reply::Empty | Reply::Refused => "",
        };
        // It fails only if the script is gone, which needs no answer then.
        let _gone = send(&self.directory.join(format!("r.{}", call.script)), text).await;
    }

    async fn prompt_user(&self, question: &Question) -> Reply {
        let text = question.in_words();
        self.patience.begin();
        let answer = self.context.prompter.ask_secret(&self.target, &text).await;
        self.patience.end();
        match answer {
            Ok(secret) => {
                self.answers.lock().note_answered(question);
                Reply::Secret(secret)
            }
            Err(_) => {
                if self.ends_the_login(question) {
                    self.give_up().await;
                }
                Reply::Empty
            }
        }
    }

    /// Ends the login. An answer would be a wrong try in the server's log.
    async fn give_up(&self) -> Reply {
        self.hopeless.send_replace(true);
        std::future::pending().await
    }

    fn ends_the_login(&self, question: &Question) -> bool {
        let mut answers = self.answers.lock();
        answers.note_unanswered(question);
        answers.notes.unanswered.is_some()
    }
}

/// Makes the FIFO for questions, if that is one system call. On other systems `sh` makes it.
pub(crate) fn make_ask(path: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    rustix::fs::mknodat(
        rustix::fs::CWD,
        path,
        rustix::fs::FileType::Fifo,
        Mode::RUSR | Mode::WUSR,
        0,
    )?;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _made_later = path;
    Ok(())
}

/// Opens the FIFO for reading and writing, so that it never ends.
async fn open_ask(path: &Path) -> io::Result<pipe::Receiver> {
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
    loop {
        match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(file) => return pipe::Receiver::from_owned_fd(file),
            Err(rustix::io::Errno::NOENT) => tokio::time::sleep(POLL).await,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Takes a complete question out of the bytes that were read.
fn next_call(pending: &mut Vec<u8>) -> Option<Call> {
    let ends: Vec<usize> =
        pending.iter().enumerate().filter(|(_, byte)| **byte == 0).map(|(at, _)| at).collect();
    let end = *ends.get(3)?;
    let frame: Vec<u8> = pending.drain(..=end).collect();
    let mut fields = frame.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    let mut field = || fields.next().unwrap_or_default();
    Some(Call {
        script: field().parse().ok()?,
        parent: field().parse().ok()?,
        is_notice: field() == "none",
        text: field().into_owned(),
    })
}

/// Writes the answer, without a copy of the text.
async fn send(path: &Path, text: &str) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let start = Instant::now();
    let reply = loop {
        match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(reply) => break reply,
            // The script has not opened its end yet (fifo(7)).
            Err(rustix::io::Errno::NXIO) if start.elapsed() < OPEN_LIMIT => {
                tokio::time::sleep(POLL).await;
            }
            Err(error) => return Err(error.into()),
        }
    };
    // Both fit in the pipe's buffer.
    rustix::io::write(&reply, text.as_bytes())?;
    rustix::io::write(&reply, b"\n")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_taken_whole_and_in_order() {
        let mut pending = b"7\x008\0ask\0me@h's password: \x009\x008\0none\0touch\x00010".to_vec();
        let first = next_call(&mut pending).unwrap();
        assert_eq!((first.script, first.parent, first.is_notice), (7, 8, false));
        assert_eq!(first.text, "me@h's password: ");
        assert!(next_call(&mut pending).unwrap().is_notice);
        assert_eq!(next_call(&mut pending), None);
        assert_eq!(pending, b"010");
    }
}
