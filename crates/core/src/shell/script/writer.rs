//! The lines of a script.

use super::{Channel, Groups, Prompt, Question, Script, Secret8, SudoPrompt, secrets_of};
use crate::shell::arguments::ConnectorArguments;
use crate::shell::builder::{self, Cues};
use crate::shell::command::StringCommand;
use crate::values::error::Result;
use crate::values::secret::Secret;

/// Sets the process group, the start time of its leader, and the session, where there is a /proc.
/// The second call reads the time where the leader is another process.
const LOOK_UP: &str = r#"_hl_() { { read -r _hl_x </proc/$1/stat; } 2>/dev/null && set -- ${_hl_x##*) } && _hl_g=$3 _hl_t=${20} _hl_e=$4; }
_hl_g= _hl_t= _hl_e=; _hl_ $$; [ "$_hl_g" = $$ ] || _hl_ "$_hl_g"
"#;

/// Makes the terminal raw, and finds out whether what comes can be decoded. The announcement tells
/// which came of it.
///
/// With lines that are not echoed (-echo, icanon), sshd sends as much back as it hands on, to
/// deceive listeners, and breaks the connection if that is more than a packet holds
/// (`channel_handle_wfd` in OpenSSH 9.2).
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

/// What stands before the command, as one word. What it leaves unread is read all the same, to its
/// end: sudo with use_pty would try for ever to hand it on.
const DECODE: &str =
    "{ sed -n '/^[.]/q;p' | base64 -d | { cat || cat >/dev/null; }; } 2>/dev/null | eval ";

/// Writes one script's announcements around the command.
pub(super) struct Writer<'a> {
    pub(super) token: String,
    /// What sudo asks with.
    pub(super) prompt: String,
    pub(super) arguments: &'a ConnectorArguments,
    pub(super) channel: Channel,
    pub(super) groups: Groups,
}

impl Writer<'_> {
    /// `innermost` behind its announcement, in the privilege tools, behind theirs.
    pub(super) fn around(&self, innermost: StringCommand) -> StringCommand {
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

    /// Where an answer may go astray, since only a tool knows whether it asks, the innermost shell
    /// reads away what stands before our word to go on. A command that has been given up never gets
    /// it.
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

    pub(super) fn other_token(&self, letters: &str) -> String {
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

    pub(super) fn end_token(&self) -> String {
        format!("{}.end", self.token)
    }

    /// Reads the text up to the end token, and runs it. A text that is cut off is not run.
    ///
    /// `read` takes no byte too many from a pipe, so the command finds its own input behind the
    /// text. Lines are collected in blocks, and these in larger ones: appending each to the whole
    /// would copy the whole every time.
    pub(super) fn read_and_eval(&self) -> StringCommand {
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

    pub(super) fn script(
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
        })
    }
}
