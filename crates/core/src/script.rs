//! The script that a connection runs: a command line that announces itself.
//!
//! A script says `TOKEN out PID GROUP START SESSION` from its outermost shell and `TOKEN in PID GROUP START SESSION` from the
//! innermost, on standard output and standard error. What stands before the latter is not the command's: rc files,
//! lectures, prompts. GROUP, START (of the group's leader, `/proc/PID/stat` field 22, see proc(5)) and SESSION are
//! missing where the target has no /proc. `unable` in the place of `in` says that the command's input cannot come through its
//! terminal, and that it is not started. The token never stands whole in the script, since busybox's sh
//! prints `$0` in its errors.

use std::fmt;

use crate::arguments::{ConnectorArguments, EnvValue};
use crate::builder::{self, CommandText, Cues};
use crate::command::StringCommand;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;

/// Longest script that goes as an argument where the connection knows of no lower limit. Linux refuses an argument of 128 KiB (`MAX_ARG_STRLEN`, execve(2)),
/// and a wrapper may quote it once more.
pub const MAX_ARGUMENT: usize = 100 * 1024;

/// Set-up and command stand on lines of their own: bash prints the whole line in which it finds an error, and a secret
/// value may stand in the set-up.
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
    decodes: bool,
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
    /// A line of the script before which it does not come, and one behind which it does not: what looks like it is somebody
    /// else's then.
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
    /// Whatever a line without an end asks with a colon, behind which nothing more comes: the questions of su and doas are
    /// in the user's language.
    Colon,
}

/// Where the output of a script goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Pipes,
    /// `has_input`: the command's input comes encoded, and goes to it decoded, by a pipe. What it writes is not changed either.
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
    /// It goes as an argument while `fits` says that it is short enough, and it holds no secret. Otherwise the argument only announces
    /// and reads the rest from standard input, before the command's own input.
    ///
    /// # Errors
    ///
    /// What [`make_unix_command`](crate::make_unix_command) refuses, and a command that would have to go over
    /// standard input on a terminal.
    pub(crate) fn new(
        command: &StringCommand,
        arguments: &ConnectorArguments,
        channel: Channel,
        groups: Groups,
        fits: impl Fn(&[u8]) -> bool,
    ) -> Result<Self> {
        builder::check(command, arguments)?;
        // A privilege tool may start a session of its own: only the innermost shell can tell. On a terminal, a shell with
        // job control makes groups of its own, and it takes the session to find them.
        let looks_up = arguments.is_privileged() || channel.is_terminal();
        let groups = if looks_up { Groups::LookedUp } else { groups };
        let token = new_token()?;
        let prompt = format!("HP{}", random_hex()?);
        let writer = Writer { token, prompt, arguments, channel, groups };
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

    /// What standard output and standard error begin with once the command has started. For a connection
    /// that does not run the script itself but answers in its place.
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

    /// Whether the command's input has to be encoded: the script decodes it.
    pub(crate) fn decodes(&self) -> bool {
        self.decodes
    }

    pub(crate) fn prompts(&self) -> &[Prompt] {
        &self.prompts
    }

    pub(crate) fn sudo_prompt(&self) -> Option<&SudoPrompt> {
        self.sudo_prompt.as_ref()
    }

    /// The line that the script waits for once it has announced its command, which is not started without it.
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
    secrets.extend(arguments.sudo_password.clone());
    secrets.extend(arguments.su_password.clone());
    secrets.extend(arguments.doas_password.clone());
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

/// 32 hexadecimal digits from the system's random source.
pub(crate) fn random_hex() -> Result<String> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(|error| {
        Error::new(ErrorKind::Unsupported, "the system has no random numbers").with_source(error)
    })?;
    Ok(bits.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Sets the process group, the start time of its leader, and the session, where there is a /proc. The second call reads the time where
/// the leader is another process.
const LOOK_UP: &str = r#"_hl_() { { read -r _hl_x </proc/$1/stat; } 2>/dev/null && set -- ${_hl_x##*) } && _hl_g=$3 _hl_t=${20} _hl_e=$4; }
_hl_g= _hl_t= _hl_e=; _hl_ $$; [ "$_hl_g" = $$ ] || _hl_ "$_hl_g"
"#;

/// Makes the terminal raw, and finds out whether what comes can be decoded. The announcement tells which came of it.
///
/// With lines that are not echoed (-echo, icanon), sshd sends as much back as it hands on, to deceive listeners, and breaks the
/// connection if that is more than a packet holds (`channel_handle_wfd` in OpenSSH 9.2).
const MAKE_RAW: &str = concat!(
    "_hl_w=in\n",
    r#"stty raw -echo -iexten && [ "$(printf 'YQ==\n.\n' | "#,
    "sed -n '/^[.]/q;p' | base64 -d)\" = a ] || _hl_w=unable\n"
);

/// Keeps a terminal from showing what is typed, and has it show that again.
const HIDE: &str = "stty -echo 2>/dev/null\n";
const SHOW: &str = "stty echo 2>/dev/null\n";

/// The command is not run without its input.
const CHECK_RAW: &str = "[ $_hl_w = in ] || exit 126\nunset _hl_w\n";

/// What stands before the command, as one word. What it leaves unread is read all the same, to its end: sudo with use_pty would
/// try for ever to hand it on.
const DECODE: &str =
    "{ sed -n '/^[.]/q;p' | base64 -d | { cat || cat >/dev/null; }; } 2>/dev/null | eval ";

/// Writes one script's announcements around the command.
struct Writer<'a> {
    token: String,
    /// What sudo asks with.
    prompt: String,
    arguments: &'a ConnectorArguments,
    channel: Channel,
    groups: Groups,
}

impl Writer<'_> {
    /// `innermost` behind its announcement, in the privilege tools, behind theirs.
    fn around(&self, innermost: StringCommand) -> StringCommand {
        let announced = StringCommand::with_separator("");
        let announced = match self.channel {
            Channel::Terminal { has_input: true } => announced
                .raw(format!("{MAKE_RAW}{}{CHECK_RAW}", self.announce("$_hl_w")))
                .raw(format!("{}{DECODE}", self.wait_at_gate()))
                .quoted(innermost),
            _ => announced.raw(self.announce("in")).raw(self.wait_at_gate()).command(innermost),
        };
        if !self.arguments.is_privileged() {
            return announced;
        }
        let reads = self.sudo_prompt().map(|prompt| self.tell(&prompt.wanted));
        let (doas_is_over, su_is_next) = (self.doas_is_over(), self.su_is_next());
        let [doas_is_over, su_is_next] = [doas_is_over, su_is_next].map(|it| Some(self.tell(&it?)));
        let cues = Cues {
            reads_sudo_prompt: reads.as_deref(),
            doas_is_over: doas_is_over.as_deref(),
            su_is_next: su_is_next.as_deref(),
        };
        let line = builder::privileged(announced, self.arguments, cues);
        // Nothing that is sent before the command starts is to be seen.
        let hide = if self.gate().is_some() && self.channel.is_terminal() { HIDE } else { "" };
        let announced = StringCommand::with_separator("").raw(hide).raw(self.announce("out"));
        announced.raw("exec ").command(line)
    }

    fn sudo_prompt(&self) -> Option<SudoPrompt> {
        let ConnectorArguments { sudo, sudo_password, .. } = self.arguments;
        let has_answer = *sudo == Some(true) && sudo_password.is_some();
        let text = Secret::from(self.prompt.as_str());
        has_answer.then(|| SudoPrompt { wanted: self.other_token("HR"), text })
    }

    /// The line that says that doas has handed on to another tool.
    fn doas_is_over(&self) -> Option<String> {
        let ConnectorArguments { sudo, su_user, doas, dzdo, doas_password, .. } = self.arguments;
        let goes_on = *sudo == Some(true) || su_user.is_some() || *dzdo == Some(true);
        let may_ask = *doas == Some(true) && doas_password.is_some();
        (may_ask && goes_on).then(|| self.other_token("HD"))
    }

    /// The line that says that su is next, where another tool comes first.
    fn su_is_next(&self) -> Option<String> {
        let ConnectorArguments { sudo, su_user, doas, dzdo, su_password, .. } = self.arguments;
        let others = [sudo, doas, dzdo].into_iter().any(|tool| *tool == Some(true));
        (others && su_user.is_some() && su_password.is_some()).then(|| self.other_token("HU"))
    }

    /// Says a line of ours on both outputs: nothing that comes later on either can come before it.
    fn tell(&self, line: &str) -> String {
        let (head, tail) = line.split_at(6);
        let to_stderr = if self.channel == Channel::Pipes {
            format!("; echo {head}''{tail} >&2")
        } else {
            String::new()
        };
        format!("echo {head}''{tail}{to_stderr}")
    }

    /// Where an answer may go astray, since only a tool knows whether it asks, the innermost shell reads away what stands before
    /// our word to go on. A command that has been given up never gets it.
    fn wait_at_gate(&self) -> String {
        let Some(gate) = self.gate() else { return String::new() };
        let (head, tail) = gate.split_at(6);
        let show = match self.channel {
            Channel::Terminal { has_input: false } => SHOW,
            _ => "",
        };
        format!(
            "while IFS= read -r _hl_l && [ \"$_hl_l\" != {head}''{tail} ]; do :; done
[ \"$_hl_l\" = {head}''{tail} ] || exit 1
unset _hl_l
{show}"
        )
    }

    fn gate(&self) -> Option<String> {
        let may_ask = self.arguments.su_user.is_some() || !self.prompts().is_empty();
        may_ask.then(|| format!("{}.go", self.token))
    }

    fn announce(&self, place: &str) -> String {
        let (head, tail) = self.token.split_at(6);
        let to_stderr = if self.channel == Channel::Pipes { r#" echo "$_hl_x" >&2;"# } else { "" };
        let (look_up, forget) = match self.groups {
            Groups::Known => ("", ""),
            Groups::LookedUp => (LOOK_UP, " unset _hl_g _hl_t _hl_e; unset -f _hl_"),
        };
        format!(
            r#"{look_up}_hl_x={head}''{tail}" {place} $$ $_hl_g $_hl_t $_hl_e"
echo "$_hl_x";{to_stderr} unset _hl_x;{forget}
"#
        )
    }

    fn other_token(&self, letters: &str) -> String {
        format!("{letters}{}", &self.token[2..])
    }

    /// The questions that can come, in the order in which the tools nest.
    fn prompts(&self) -> Vec<Prompt> {
        let ConnectorArguments { sudo, sudo_password, su_user, su_password, .. } = self.arguments;
        let ConnectorArguments { doas, doas_password, .. } = self.arguments;
        let prompt = |question, answer| Prompt {
            question,
            answer,
            on_terminal: false,
            from: None,
            until: None,
        };
        let of_doas = doas_password.clone().filter(|_| *doas == Some(true)).map(|answer| Prompt {
            on_terminal: true,
            until: self.doas_is_over(),
            ..prompt(Question::Colon, answer)
        });
        let of_sudo = sudo_password.clone().filter(|_| *sudo == Some(true));
        let of_sudo = of_sudo.map(|answer| prompt(Question::Token(self.prompt.clone()), answer));
        let of_su = su_password
            .clone()
            .filter(|_| su_user.is_some())
            .map(|answer| Prompt { from: self.su_is_next(), ..prompt(Question::Colon, answer) });
        of_doas.into_iter().chain(of_sudo).chain(of_su).collect()
    }

    fn end_token(&self) -> String {
        format!("{}.end", self.token)
    }

    /// Reads the text up to the end token, and runs it. A text that is cut off is not run.
    ///
    /// `read` takes no byte too many from a pipe, so the command finds its own input behind the text. Lines are
    /// collected in blocks, and these in larger ones: appending each to the whole would copy the whole every time.
    fn read_and_eval(&self) -> StringCommand {
        let end = self.end_token();
        let (head, tail) = end.split_at(6);
        StringCommand::with_separator("").raw(format!(
            r#"_hl_s= _hl_b= _hl_c= _hl_n='
'
while IFS= read -r _hl_l && [ "$_hl_l" != {head}''{tail} ]; do _hl_c="$_hl_c$_hl_l$_hl_n"
case ${{#_hl_c}} in ????*) _hl_b="$_hl_b$_hl_c"; _hl_c=
case ${{#_hl_b}} in ?????*) _hl_s="$_hl_s$_hl_b"; _hl_b=; esac; esac; done
[ "$_hl_l" = {head}''{tail} ] || exit 1
eval "unset _hl_s _hl_b _hl_c _hl_l _hl_n
$_hl_s$_hl_b$_hl_c""#
        ))
    }

    fn script(
        self,
        command: &StringCommand,
        line: StringCommand,
        stdin: Option<Vec<u8>>,
    ) -> Result<Script> {
        let display = builder::make_unix_command(command, self.arguments)?.get_masked_value();
        Ok(Script {
            argument: Secret8(line.get_raw_value()),
            stdin: stdin.map(Secret8),
            display,
            secrets: secrets_of(command, self.arguments),
            sudo_prompt: self.sudo_prompt(),
            prompts: self.prompts(),
            gate: self.gate(),
            token: self.token,
            privileged: self.arguments.is_privileged(),
            decodes: self.channel == Channel::Terminal { has_input: true },
        })
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").field("display", &self.display).finish_non_exhaustive()
    }
}
