//! The script that a connection runs: a command line that announces itself.
//!
//! A script says `TOKEN out PID GROUP START SESSION` from its outermost shell and `TOKEN in PID
//! GROUP START SESSION` from the innermost, on standard output and standard error. What stands
//! before the latter is not the command's: rc files, lectures, prompts. GROUP, START (of the
//! group's leader, `/proc/PID/stat` field 22, see proc(5)) and SESSION are missing where the target
//! has no /proc. `unable` in the place of `in` says that the command's input cannot come through
//! its terminal, and that it is not started. The token never stands whole in the script, since
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

/// Longest script that goes as an argument where the connection knows of no lower limit. Linux
/// refuses an argument of 128 KiB (`MAX_ARG_STRLEN`, execve(2)), and a wrapper may quote it once
/// more.
pub const MAX_ARGUMENT: usize = 100 * 1024;

/// Set-up and command stand on lines of their own: bash prints the whole line in which it finds an
/// error, and a secret value may stand in the set-up.
const STEP: &str = "\n";

/// What [`Connection::spawn`](crate::Connection::spawn) runs: one argument for `sh -c`.
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

/// Bytes that may hold a secret: shown by nobody.
pub(crate) struct Secret8(pub(crate) Vec<u8>);

/// A question that a script may raise before its command starts, and its answer.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// How the question is known.
    pub question: Question,
    /// The answer, sent with a newline, once.
    pub answer: Secret,
    /// It comes on the terminal beside the streams, where there is one.
    pub(crate) on_terminal: bool,
    /// A line of the script before which it does not come, and one behind which it does not: what
    /// looks like it is somebody else's then.
    pub(crate) from: Option<String>,
    pub(crate) until: Option<String>,
}

/// What sudo is to ask with, told when the script wants to know.
#[derive(Clone, Debug)]
pub(crate) struct SudoPrompt {
    /// The line by which the script asks for it.
    pub(crate) wanted: String,
    pub(crate) text: Secret,
}

/// How a question is known in what stands before the command's own output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// It contains this token of ours. Tools may write around it (sudo-rs does).
    Token(String),
    /// Whatever a line without an end asks with a colon, behind which nothing more comes: the
    /// questions of su and doas are in the user's language.
    Colon,
}

/// Where the output of a script goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Pipes,
    /// `has_input`: the command's input comes encoded, and goes to it decoded, by a pipe. What it
    /// writes is not changed either.
    Terminal {
        has_input: bool,
    },
}

impl Channel {
    fn is_terminal(self) -> bool {
        matches!(self, Self::Terminal { .. })
    }
}

/// Whether a script has to find out its process group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Groups {
    Known,
    LookedUp,
}

impl Script {
    /// The script for one command.
    ///
    /// It goes as an argument while `fits` says that it is short enough, and it holds no secret.
    /// Otherwise the argument only announces and reads the rest from standard input, before the
    /// command's own input.
    ///
    /// # Errors
    ///
    /// What [`make_unix_command`](crate::make_unix_command) refuses, and a command that would have
    /// to go over standard input on a terminal.
    pub(crate) fn new(
        command: &StringCommand,
        arguments: &ConnectorArguments,
        channel: Channel,
        groups: Groups,
        fits: impl Fn(&[u8]) -> bool,
    ) -> Result<Self> {
        builder::check(command, arguments)?;
        // A privilege tool may start a session of its own: only the innermost shell can tell. On a
        // terminal, a shell with job control makes groups of its own, and it takes the session to
        // find them.
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

    /// The one argument that `sh -c` is to be started with.
    #[must_use]
    pub fn argument(&self) -> &[u8] {
        &self.argument.0
    }

    /// The command as it may be shown: secrets masked, announcements left out.
    #[must_use]
    pub fn display(&self) -> &str {
        &self.display
    }

    /// What standard output and standard error begin with once the command has started. For a
    /// connection that does not run the script itself but answers in its place.
    #[must_use]
    pub fn announcement(&self) -> String {
        format!("{} in 0\n", self.token)
    }

    /// What must not be shown although the target may print it.
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

    /// The line that the script waits for once it has announced its command, which is not started
    /// without it.
    pub(crate) fn gate(&self) -> Option<&str> {
        self.gate.as_deref()
    }

    /// Whether it asks for another user's rights.
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
        "a command with a secret cannot run on a terminal, which would show it: leave get_pty out"
            .into()
    } else {
        format!("the command makes a script of {length} bytes: too long to run on a terminal")
    };
    Error::new(ErrorKind::Unsupported, message)
}

/// 128 random bits behind letters that no shell reads in a special way.
fn new_token() -> Result<String> {
    Ok(format!("HL{}", random_hex()?))
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").field("display", &self.display).finish_non_exhaustive()
    }
}
