//! What holds for every privilege tool. What is particular to one is in its row of `TOOLS`.

mod faults;
mod tools;

use crate::shell::arguments::ConnectorArguments;
use crate::shell::command::StringCommand;
use crate::values::secret::Secret;
pub(crate) use faults::{check, faults};
use tools::TOOLS;

/// A program that runs a command with another user's rights.
struct Tool {
    name: &'static str,
    /// The argument that asks for it: a switch, or the name of its user.
    request: Field,
    /// The arguments that count only with it.
    options: &'static [Field],
    password: Option<Password>,
    /// Its command line around what it is to run.
    line: fn(&Privilege<'_>, Inside) -> Inside,
}

/// One field of [`ConnectorArguments`].
struct Field {
    key: &'static str,
    given: for<'a> fn(&'a ConnectorArguments) -> Given<'a>,
}

/// The value of a field, by its purpose.
enum Given<'a> {
    Switch(&'a Option<bool>),
    /// Prepares the other user's environment, which kills and clean-ups do not need.
    SetUp(&'a Option<bool>),
    User(&'a Option<String>),
    Group(&'a Option<String>),
    Shell(&'a Option<String>),
    Password(&'a Option<Secret>),
}

/// The way in which a tool is given a password.
struct Password {
    field: Field,
    /// The variable of hostlink's own environment that may hold it.
    variable: &'static str,
    prompt: PromptKind,
    /// The tool prompts without a password to give, too: no option prevents that.
    always_prompts: bool,
    /// It may be among a host's data for the commands that ask for the tool.
    may_be_unused: bool,
}

/// The form of a prompt, and the stream that it comes on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum PromptKind {
    /// It contains a token of ours, which the script reads from its input for the tool.
    Token,
    /// It ends in a colon.
    Colon,
    /// It ends in a colon, and comes on a terminal only.
    OnTerminal,
}

/// A tool that is asked for.
pub(crate) struct Privilege<'a> {
    tool: &'static Tool,
    arguments: &'a ConnectorArguments,
    /// `None` if no answer depends on it, and in lines that are shown rather than run.
    pub(crate) cue: Option<Cue>,
}

/// A line that a script prints before a tool starts.
pub(crate) struct Cue {
    pub(crate) line: String,
    /// The shell command that prints it.
    pub(crate) command: String,
}

/// The command of a privilege tool.
enum Inside {
    /// A script for `sh -c`.
    Script(StringCommand),
    /// The words of another tool.
    Words(StringCommand),
}

/// The line with every tool of `privileges` around `script`.
pub(crate) fn privileged(script: StringCommand, privileges: &[Privilege<'_>]) -> StringCommand {
    let around = |inside, privilege: &Privilege<'_>| {
        let cue = privilege.cue.as_ref().map(|cue| &*cue.command);
        (privilege.tool.line)(privilege, inside).after(cue)
    };
    privileges.iter().rev().fold(Inside::Script(script), around).into_words()
}

impl<'a> Privilege<'a> {
    /// The password to answer with, and the prompt that it answers.
    pub(crate) fn answer(&self) -> Option<(PromptKind, &'a Secret)> {
        Some((self.tool.password.as_ref()?.prompt, self.tool.password(self.arguments)?))
    }

    /// Returns whether the tool prompts if no password is given.
    pub(crate) fn always_prompts(&self) -> bool {
        self.tool.password.as_ref().is_some_and(|password| password.always_prompts)
    }
}

impl ConnectorArguments {
    /// The tools that these arguments ask for, outermost first.
    pub(crate) fn privileges(&self) -> impl Iterator<Item = Privilege<'_>> {
        let requested = TOOLS.iter().filter(|tool| (tool.request.given)(self).is_on());
        requested.map(|tool| Privilege { tool, arguments: self, cue: None })
    }

    /// Returns the names of all privilege tools, outermost first.
    pub fn tool_names() -> impl Iterator<Item = &'static str> {
        TOOLS.iter().map(|tool| tool.name)
    }

    /// Returns whether these arguments ask for another user's rights, by any tool.
    #[must_use]
    pub fn is_privileged(&self) -> bool {
        self.privileges().next().is_some()
    }

    /// Returns whether a tool may ask for a password. su does not ask if another tool runs it as
    /// root.
    pub(crate) fn may_be_asked(&self) -> bool {
        let mut levels = self.privileges().enumerate();
        levels.any(|(level, it)| it.answer().is_some() || (level == 0 && it.always_prompts()))
    }

    /// The name of a tool that is to take its password from a terminal.
    pub(crate) fn asked_on_terminal(&self) -> Option<&'static str> {
        let prompts = |it: &Privilege<'_>| it.answer().map(|(prompt, _)| prompt);
        let mut privileges = self.privileges();
        privileges.find(|it| prompts(it) == Some(PromptKind::OnTerminal)).map(|it| it.tool.name)
    }

    /// Every password in these arguments, those of tools that are not asked for as well.
    pub(crate) fn passwords(&self) -> impl Iterator<Item = &Secret> {
        TOOLS.iter().filter_map(|tool| tool.password(self))
    }

    /// Only which user to become, for the kill and the clean-up of a command.
    pub(crate) fn privilege_only(&self) -> Self {
        let fields = TOOLS.iter().flat_map(Tool::fields);
        let is_set_up = |field: &Field| matches!((field.given)(self), Given::SetUp(_));
        self.only(|key| fields.clone().any(|field| field.key == key && !is_set_up(field)))
    }

    /// Only which tools are asked for.
    #[must_use]
    pub fn tools_only(&self) -> Self {
        self.only(|key| TOOLS.iter().any(|tool| tool.request.key == key))
    }

    /// These arguments, with the passwords of `defaults` for the tools that they ask for and have
    /// no password for.
    #[must_use]
    pub fn or_passwords(self, defaults: &Self) -> Self {
        let passwords = self.privileges().filter_map(|it| it.tool.password.as_ref());
        let keys: Vec<&str> = passwords.map(|password| password.field.key).collect();
        self.or(&defaults.only(|key| keys.contains(&key)))
    }
}

impl Tool {
    fn fields(&self) -> impl Iterator<Item = &Field> + Clone {
        let password = self.password.iter().map(|password| &password.field);
        [&self.request].into_iter().chain(self.options).chain(password)
    }

    fn password<'a>(&self, arguments: &'a ConnectorArguments) -> Option<&'a Secret> {
        match (self.password.as_ref()?.field.given)(arguments) {
            Given::Password(password) => password.as_ref(),
            _ => None,
        }
    }
}

impl Given<'_> {
    fn is_on(&self) -> bool {
        match self {
            Self::Switch(it) | Self::SetUp(it) => **it == Some(true),
            Self::User(it) | Self::Group(it) | Self::Shell(it) => it.is_some(),
            Self::Password(it) => it.is_some(),
        }
    }
}

impl Inside {
    fn into_words(self) -> StringCommand {
        match self {
            Self::Script(script) => StringCommand::new().raw("sh -c").quoted(script),
            Self::Words(words) => words,
        }
    }

    fn into_script(self) -> StringCommand {
        match self {
            Self::Script(script) => script,
            Self::Words(words) => StringCommand::new().raw("exec").command(words),
        }
    }

    /// This after a step, if there is one.
    fn after(self, step: Option<&str>) -> Self {
        let Some(step) = step else { return self };
        let steps = StringCommand::with_separator("; ").raw(step);
        Self::Script(steps.command(self.into_script()))
    }
}

const PASSWORDS: usize = {
    let (mut tool, mut count) = (0, 0);
    while tool < TOOLS.len() {
        count += TOOLS[tool].password.is_some() as usize;
        tool += 1;
    }
    count
};

/// Environment variables that hold a secret for hostlink itself: no child process may inherit them.
pub const SECRET_VARIABLES: [&str; PASSWORDS + 1] = {
    let mut names = ["HOSTLINK_SSH_PASSWORD"; PASSWORDS + 1];
    let (mut tool, mut count) = (0, 0);
    while tool < TOOLS.len() {
        if let Some(password) = &TOOLS[tool].password {
            names[count] = password.variable;
            count += 1;
        }
        tool += 1;
    }
    names
};
