//! The lines of a script.

use super::{
    ANNOUNCING, Channel, Groups, Prompt, Question, Script, Secret8, SudoPrompt, secrets_of,
};
use crate::shell::arguments::ConnectorArguments;
use crate::shell::builder;
use crate::shell::command::StringCommand;
use crate::shell::privilege::{Cue, Privilege, PromptKind, privileged};
use crate::values::error::Result;
use crate::values::secret::Secret;

/// Looks up the process group, the start time of its leader, and the session, if there is a /proc.
/// The second call reads the time if the leader is another process.
const LOOK_UP: &str = r#"_hl_() { { read -r _hl_x </proc/$1/stat; } 2>&- && set -- ${_hl_x##*) } && _hl_g=$3 _hl_t=${20} _hl_e=$4; }
_hl_g= _hl_t= _hl_e=; _hl_ $$; [ "$_hl_g" = $$ ] || _hl_ "$_hl_g"
"#;

/// Makes the terminal raw, and tests whether input can be decoded. The announcement reports the
/// result.
///
/// In line mode without echo (-echo, icanon), sshd sends as many bytes back as it passes on, to
/// deceive eavesdroppers, and breaks the connection if they do not fit into a packet
/// (`channel_handle_wfd` in OpenSSH 9.2).
const MAKE_RAW: &str = concat!(
    "_hl_w=in\n",
    r#"stty raw -echo -iexten && [ "$(printf 'YQ==\n.\n' | "#,
    "sed -n '/^[.]/q;p' | base64 -d)\" = a ] || _hl_w=unable\n"
);

/// Switches the echo of a terminal off, and on again.
const HIDE: &str = "stty -echo 2>&-\n";
const SHOW: &str = "stty echo 2>&-\n";

/// The command is not run without its input.
const CHECK_RAW: &str = "[ $_hl_w = in ] || exit 126\nunset _hl_w\n";

/// Comes before the command, which is one word. Input that the command leaves unread is read to its
/// end: sudo with use_pty would try for ever to pass it on.
const DECODE: &str =
    "{ sed -n '/^[.]/q;p' | base64 -d | { cat || _hl_x=$(wc -c); }; } 2>&- | eval ";

/// Writes one script's announcements around the command.
pub(super) struct Writer<'a> {
    pub(super) token: String,
    /// The prompt that sudo is to show.
    pub(super) prompt: String,
    pub(super) arguments: &'a ConnectorArguments,
    pub(super) channel: Channel,
    pub(super) groups: Groups,
    privileges: Vec<Privilege<'a>>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        token: String,
        prompt: String,
        arguments: &'a ConnectorArguments,
        channel: Channel,
        groups: Groups,
    ) -> Self {
        let privileges = arguments.privileges().collect();
        let mut writer = Self { token, prompt, arguments, channel, groups, privileges };
        for level in 0..writer.privileges.len() {
            writer.privileges[level].cue = writer.cue(level);
        }
        writer
    }

    /// Puts the announcements and the privilege tools around `innermost`.
    pub(super) fn around(&self, innermost: StringCommand) -> StringCommand {
        let announced = StringCommand::with_separator("");
        let announced = match self.channel {
            Channel::Terminal { has_input: true } => announced
                .raw(format!("{MAKE_RAW}{}{CHECK_RAW}", self.announce("$_hl_w")))
                .raw(format!("{}{DECODE}", self.wait_at_gate()))
                .quoted(innermost),
            _ => announced.raw(self.announce("in")).raw(self.wait_at_gate()).command(innermost),
        };
        if self.privileges.is_empty() {
            return announced;
        }
        let line = privileged(announced, &self.privileges);
        // Nothing that is sent before the command starts may be echoed.
        let hide = if self.gate().is_some() && self.channel.is_terminal() { HIDE } else { "" };
        let announced = StringCommand::with_separator("").raw(hide).raw(self.announce("out"));
        announced.raw("exec ").command(line)
    }

    fn sudo_prompt(&self) -> Option<SudoPrompt> {
        let is_token = |it: &&Privilege<'_>| matches!(it.answer(), Some((PromptKind::Token, _)));
        let cue = self.privileges.iter().find(is_token)?.cue.as_ref()?;
        let text = Secret::from(self.prompt.as_str());
        Some(SudoPrompt { wanted: cue.line.clone(), text })
    }

    /// Returns what the script prints before the tool of this level starts. A prompt that is known
    /// by its colon only comes after the tool's own cue, and before the next one.
    fn cue(&self, level: usize) -> Option<Cue> {
        let prompt = |level: usize| self.privileges[level].answer().map(|(prompt, _)| prompt);
        let (own, outer) = (prompt(level), level.checked_sub(1).map(prompt));
        let is_needed = match (own, outer) {
            (Some(PromptKind::Token), _) => true,
            (_, None) => false,
            (own, Some(outer)) => own.is_some() || outer.is_some_and(|it| it != PromptKind::Token),
        };
        let line = self.other_token(&format!("H{level}"));
        is_needed.then(|| Cue { command: self.print(&line), line })
    }

    /// Prints a line on both outputs, so that it precedes all later text on either.
    fn print(&self, line: &str) -> String {
        let (head, tail) = line.split_at(6);
        let to_stderr = if self.channel == Channel::Pipes {
            format!("; echo {head}''{tail} >&2")
        } else {
            String::new()
        };
        format!("echo {head}''{tail}{to_stderr}")
    }

    /// When a password might be left unread, the innermost shell discards its input up to our
    /// go-ahead line. A command that was cancelled never gets that line.
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
        let may_prompt = |it: &Privilege<'_>| it.always_prompts() || it.answer().is_some();
        self.privileges.iter().any(may_prompt).then(|| format!("{}.go", self.token))
    }

    fn announce(&self, place: &str) -> String {
        let (head, tail) = self.token.split_at(6);
        let to_stderr = if self.channel == Channel::Pipes { r#" echo "$_hl_x" >&2;"# } else { "" };
        let (look_up, forget) = match self.groups {
            Groups::Known => ("", ""),
            Groups::LookedUp => (LOOK_UP, " unset _hl_g _hl_t _hl_e; unset -f _hl_"),
        };
        format!(
            r#"{look_up}{ANNOUNCING}{head}''{tail}" {place} $$ $_hl_g $_hl_t $_hl_e"
echo "$_hl_x";{to_stderr} unset _hl_x;{forget}
"#
        )
    }

    pub(super) fn other_token(&self, letters: &str) -> String {
        format!("{letters}{}", &self.token[2..])
    }

    /// Returns the prompts that can come, in the order in which the tools nest.
    fn prompts(&self) -> Vec<Prompt> {
        let levels = self.privileges.iter().enumerate();
        let prompts = levels.filter_map(|(level, privilege)| {
            let (kind, answer) = privilege.answer()?;
            let cue = |level: usize| Some(self.privileges.get(level)?.cue.as_ref()?.line.clone());
            let (question, from, until) = match kind {
                PromptKind::Token => (Question::Token(self.prompt.clone()), None, None),
                _ => (Question::Colon, cue(level), cue(level + 1)),
            };
            let on_terminal = kind == PromptKind::OnTerminal;
            Some(Prompt { question, answer: answer.clone(), on_terminal, from, until })
        });
        prompts.collect()
    }

    pub(super) fn end_token(&self) -> String {
        format!("{}.end", self.token)
    }

    /// Reads the text up to the end token, and runs it unless it is truncated.
    ///
    /// `read` takes no byte beyond its line from a pipe, so the command's own input follows. Lines
    /// are collected in blocks, and these in larger ones: appending each line to the whole text
    /// would copy it every time.
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
