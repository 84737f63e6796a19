//! The script that a connection runs: a command line that announces itself.
//!
//! A script prints `TOKEN out PID GROUP START SESSION` from its outermost shell and `TOKEN in PID
//! GROUP START SESSION` from the innermost, on standard output and standard error. Any text before
//! the latter is not the command's: rc files, lectures, prompts. GROUP, START (of the group's
//! leader, `/proc/PID/stat` field 22, see proc(5)) and SESSION are missing if the target has no
//! /proc. `unable` instead of `in` means that the command's input cannot go through its terminal,
//! and that the command is not started. The script contains the token only in two pieces, since
//! busybox's sh prints `$0` in its errors.

mod writer;

use std::fmt;

use crate::shell::arguments::{ConnectorArguments, EnvValue};
use crate::shell::builder::{self, CommandText};
use crate::shell::command::StringCommand;
use crate::values::error::{Error, ErrorKind, Result};
use crate::values::random::random_hex;
use crate::values::secret::Secret;
use writer::Writer;

/// Maximum size, in bytes, of a script that is an argument, unless the connection has a lower
/// limit. Linux refuses an argument of 128 KiB (`MAX_ARG_STRLEN`, execve(2)), and a wrapper may
/// quote it again.
pub const MAX_ARGUMENT: usize = 100 * 1024;

/// Set-up and command are on separate lines: bash prints the whole line that has an error, and the
/// set-up may contain a secret.
const STEP: &str = "\n";

/// The beginning of an announcement, by which a tool's message that quotes a script is recognized.
pub(crate) const ANNOUNCING: &str = "_hl_x=";

/// A script for [`Connection::spawn`](crate::Connection::spawn): one argument for `sh -c`.
pub struct Script {
    argument: Secret8,
    stdin: Option<Secret8>,
    display: String,
    secrets: Vec<Secret>,
    token: String,
    sudo_prompt: Option<SudoPrompt>,
    prompts: Vec<Prompt>,
    privileged: bool,
    gate: Option<String>,
}

/// Bytes that may contain a secret, and so have no `Debug`.
pub(crate) struct Secret8(pub(crate) Vec<u8>);

/// A prompt that a script may show before its command starts, and the answer.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// The mark by which the prompt is recognized.
    pub question: Question,
    /// The answer, sent with a newline, once.
    pub answer: Secret,
    /// It is shown on the terminal that exists in addition to the pipes, if there is one.
    pub(crate) on_terminal: bool,
    /// The prompt comes after the script's line `from` and before its line `until`. Earlier or
    /// later text that looks like it is another program's.
    pub(crate) from: Option<String>,
    pub(crate) until: Option<String>,
}

/// The prompt that sudo is to show, sent when the script asks for it.
#[derive(Clone, Debug)]
pub(crate) struct SudoPrompt {
    /// The line by which the script asks for it.
    pub(crate) wanted: String,
    pub(crate) text: Secret,
}

/// The mark by which a prompt is recognized in the output before the command starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// It contains this token of ours, possibly with text around it (sudo-rs).
    Token(String),
    /// It is an unfinished line that ends in a colon and stays silent: su and doas prompt in the
    /// user's language.
    Colon,
}

/// The destination of a script's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Pipes,
    /// `has_input`: the script decodes the command's input, and the command reads it from a pipe.
    /// Its output is not changed either.
    Terminal {
        has_input: bool,
    },
}

impl Channel {
    fn is_terminal(self) -> bool {
        matches!(self, Self::Terminal { .. })
    }
}

/// The source of the script's process group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Groups {
    Known,
    LookedUp,
}

impl Script {
    /// Builds the script for one command.
    ///
    /// It is one argument if `fits` accepts its length and it contains no secret. Otherwise the
    /// argument only announces itself, and reads the rest from standard input, before the command's
    /// own input.
    ///
    /// # Errors
    ///
    /// Those of [`make_unix_command`](crate::make_unix_command), and `Unsupported` for a command
    /// that would have to be sent over standard input on a terminal.
    pub(crate) fn new(
        command: &StringCommand,
        arguments: &ConnectorArguments,
        channel: Channel,
        groups: Groups,
        fits: impl Fn(&[u8]) -> bool,
    ) -> Result<Self> {
        builder::check(command, arguments)?;
        // A privilege tool may start a new session, which only the innermost shell knows. On a
        // terminal, a shell with job control makes new groups, which are found by their session.
        let looks_up = arguments.is_privileged() || channel.is_terminal();
        let groups = if looks_up { Groups::LookedUp } else { groups };
        let token = new_token()?;
        let prompt = format!("HP{}", random_hex()?);
        let writer = Writer::new(token, prompt, arguments, channel, groups);
        let body = builder::body(command, arguments, CommandText::Argument, STEP);
        let has_secret = body.has_secret();
        let whole = writer.around(StringCommand::with_separator("").command(body));
        if !has_secret && fits(&whole.get_raw_value()) {
            return writer.script(command, whole, None);
        }
        if channel.is_terminal() {
            return Err(refused_on_terminal(has_secret, whole.get_raw_value().len()));
        }
        let end = writer.end_token();
        let mut rest =
            builder::body(command, arguments, CommandText::File(&writer.other_token("HP")), STEP)
                .get_raw_value();
        rest.extend_from_slice(format!("\n{end}\n").as_bytes());
        let whole = writer.around(writer.read_and_eval());
        writer.script(command, whole, Some(rest))
    }

    /// Returns the argument for `sh -c`.
    #[must_use]
    pub fn argument(&self) -> &[u8] {
        &self.argument.0
    }

    /// Returns the command to show, without announcements and with secrets masked.
    #[must_use]
    pub fn display(&self) -> &str {
        &self.display
    }

    /// Returns the line that both output streams print when the command starts, for a connection
    /// that does not run the script itself.
    #[must_use]
    pub fn announcement(&self) -> String {
        format!("{} in 0\n", self.token)
    }

    /// Returns what must be masked in the target's output.
    pub(crate) fn secrets(&self) -> &[Secret] {
        &self.secrets
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    pub(crate) fn stdin(&self) -> Option<&[u8]> {
        self.stdin.as_ref().map(|text| &*text.0)
    }

    pub(crate) fn prompts(&self) -> &[Prompt] {
        &self.prompts
    }

    pub(crate) fn sudo_prompt(&self) -> Option<&SudoPrompt> {
        self.sudo_prompt.as_ref()
    }

    /// Returns the line that the script waits for, after its announcement, to start the command.
    pub(crate) fn gate(&self) -> Option<&str> {
        self.gate.as_deref()
    }

    /// Returns whether the script runs the command with another user's rights.
    #[must_use]
    pub fn is_privileged(&self) -> bool {
        self.privileged
    }
}

fn secrets_of(command: &StringCommand, arguments: &ConnectorArguments) -> Vec<Secret> {
    let mut secrets = command.secrets();
    secrets.extend(arguments.env.iter().flatten().filter_map(|(_, value)| match value {
        EnvValue::Secret(secret) => Some(secret.clone()),
        EnvValue::Plain(_) => None,
    }));
    secrets.extend(arguments.passwords().cloned());
    secrets
}

fn refused_on_terminal(has_secret: bool, length: usize) -> Error {
    let message = if has_secret {
        "a command with a secret cannot run on a terminal, which would show it: omit get_pty".into()
    } else {
        format!("the script is too long to run on a terminal ({length} bytes)")
    };
    Error::new(ErrorKind::Unsupported, message)
}

/// Returns 128 random bits, after letters that no shell treats in a special way.
fn new_token() -> Result<String> {
    Ok(format!("HL{}", random_hex()?))
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").field("display", &self.display).finish_non_exhaustive()
    }
}
