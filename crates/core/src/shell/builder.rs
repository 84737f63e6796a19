//! The command line that a command and its arguments make on a Unix target.

use crate::shell::arguments::{ConnectorArguments, EnvValue};
use crate::shell::command::StringCommand;
use crate::values::error::Result;
use crate::values::fault::Fault;
use crate::values::reader::faults_to_result;
use crate::values::secret::Secret;

/// The line that runs `command` with `arguments` in a POSIX shell, as pyinfra's function of this
/// name.
///
/// Set-up happens in the innermost `sh`: change the directory, export the environment, run. Around
/// it stand the privilege tools, in the order doas → dzdo → sudo → su. A failing set-up ends the
/// line before the command.
///
/// What [`Link::run_shell_command`](crate::Link::run_shell_command) sends is this text with
/// announcements in it.
///
/// ```
/// use hostlink_core::{ConnectorArguments, StringCommand, make_unix_command};
///
/// let arguments = ConnectorArguments::new().with_sudo(true).with_chdir("/srv");
/// let line = make_unix_command(&StringCommand::shell("ls | wc -l"), &arguments)?;
/// assert_eq!(line.to_string(), "sudo -H -n sh -c 'cd /srv || exit; ls | wc -l'");
/// # Ok::<(), hostlink_core::Error>(())
/// ```
///
/// # Errors
///
/// [`ErrorKind::Data`](crate::ErrorKind::Data) for an environment variable's name, a user, a group
/// or a directory that no shell could take, and for NUL bytes, with every fault at once.
pub fn make_unix_command(
    command: &StringCommand,
    arguments: &ConnectorArguments,
) -> Result<StringCommand> {
    check(command, arguments)?;
    let body = body(command, arguments, CommandText::Argument, "; ");
    Ok(privileged(body, arguments, Cues::default()))
}

/// What a line says while its tools hand on to one another: commands of the shell. Lines that are
/// shown rather than run say nothing.
#[derive(Clone, Copy, Default)]
pub(crate) struct Cues<'a> {
    /// That it reads what sudo is to ask with. That stands neither in the line nor in sudo's
    /// arguments, which everybody may read: whoever knows it could ask in sudo's place.
    pub(crate) reads_sudo_prompt: Option<&'a str>,
    /// That doas and dzdo ask no more.
    pub(crate) doas_is_over: Option<&'a str>,
    /// That su is next.
    pub(crate) su_is_next: Option<&'a str>,
}

/// How another shell than `sh` gets the text of the command.
#[derive(Clone, Copy)]
pub(crate) enum CommandText<'a> {
    /// As an argument.
    Argument,
    /// As a file, for texts that are secret or too long for an argument; ended by a line with this
    /// token.
    File(&'a str),
}

/// The set-up and the command, for the innermost `sh`, with `separator` between the steps.
pub(crate) fn body(
    command: &StringCommand,
    arguments: &ConnectorArguments,
    text: CommandText<'_>,
    separator: &'static str,
) -> StringCommand {
    let mut steps = StringCommand::with_separator(separator);
    if let Some(directory) = &arguments.chdir {
        let step = StringCommand::new().raw("cd").arg(unambiguous(directory)).raw("|| exit");
        steps = steps.command(step);
    }
    for (name, value) in arguments.env.iter().flatten() {
        steps = steps.command(export(name, value));
    }
    steps.command(in_shell(command, arguments, text))
}

/// `cd` reads `-` as the last directory and looks bare names up in CDPATH: neither is meant.
fn unambiguous(directory: &str) -> String {
    let anchored = directory.starts_with('/')
        || [".", ".."].iter().any(|dots| {
            directory
                .strip_prefix(dots)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
    if anchored { directory.to_owned() } else { format!("./{directory}") }
}

fn export(name: &str, value: &EnvValue) -> StringCommand {
    let assignment = StringCommand::with_separator("").raw(name).raw("=");
    let assignment = match value {
        EnvValue::Plain(text) => assignment.arg(text),
        EnvValue::Secret(secret) => assignment.secret(secret.clone()),
    };
    StringCommand::new().raw("export").command(assignment).raw("|| exit")
}

fn in_shell(
    command: &StringCommand,
    arguments: &ConnectorArguments,
    text: CommandText<'_>,
) -> StringCommand {
    let Some(shell) = other_shell(arguments) else { return command.clone() };
    let exec = StringCommand::new().raw("exec").command(shell);
    match text {
        CommandText::Argument => exec.raw("-c").quoted(command.clone()),
        CommandText::File(token) => StringCommand::with_separator("\n")
            .raw(format!("{} /dev/fd/9 9<<'{token}'", exec.get_masked_value()))
            .command(command.clone())
            .raw(token),
    }
}

/// The words of `shell_executable`, where it is not just `sh`.
fn other_shell(arguments: &ConnectorArguments) -> Option<StringCommand> {
    let words = arguments.shell_executable.as_deref().unwrap_or("sh").split_whitespace();
    let words: Vec<&str> = words.collect();
    (words != ["sh"] && !words.is_empty()).then(|| StringCommand::from_words(words))
}

/// What a privilege tool is to run.
enum Inside {
    /// A script for `sh -c`.
    Script(StringCommand),
    /// The words of another tool.
    Words(StringCommand),
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

    /// The same behind a step, if there is one.
    fn behind(self, step: Option<&str>) -> Self {
        let Some(step) = step else { return self };
        let steps = StringCommand::with_separator("; ").raw(step);
        Self::Script(steps.command(self.into_script()))
    }
}

/// The line with every privilege tool that is asked for around `script`.
pub(crate) fn privileged(
    script: StringCommand,
    arguments: &ConnectorArguments,
    cues: Cues<'_>,
) -> StringCommand {
    let mut inside = Inside::Script(script);
    if let Some(user) = &arguments.su_user {
        inside = Inside::Words(su(user, inside.into_script(), arguments)).behind(cues.su_is_next);
    }
    if arguments.sudo == Some(true) {
        inside = sudo(inside, arguments, cues.reads_sudo_prompt);
    }
    inside = inside.behind(cues.doas_is_over);
    let dzdo = ("dzdo -H -n", arguments.dzdo, &arguments.dzdo_user);
    // -n: nobody is asked, on the terminal, for what nobody has given.
    let line = if arguments.doas_password.is_some() { "doas" } else { "doas -n" };
    let doas = (line, arguments.doas, &arguments.doas_user);
    for (tool, _, user) in [dzdo, doas].into_iter().filter(|tool| tool.1 == Some(true)) {
        let tool = as_user(StringCommand::new().raw(tool), user);
        inside = Inside::Words(tool.command(inside.into_words()));
    }
    inside.into_words()
}

fn as_user(tool: StringCommand, user: &Option<String>) -> StringCommand {
    match user {
        Some(user) => tool.raw("-u").arg(user),
        None => tool,
    }
}

/// sudo, with whom it is to become.
fn as_sudo_target(sudo: StringCommand, arguments: &ConnectorArguments) -> StringCommand {
    let sudo = as_user(sudo, &arguments.sudo_user);
    match &arguments.sudo_group {
        Some(group) => sudo.raw("-g").arg(group),
        None => sudo,
    }
}

fn sudo(inside: Inside, arguments: &ConnectorArguments, reads_prompt: Option<&str>) -> Inside {
    let mut line = StringCommand::new().raw("sudo -H");
    line = match (expects_sudo_password(arguments), reads_prompt) {
        (false, _) => line.raw("-n"),
        // -k: the password given is the one that is checked, whatever sudo remembers.
        (true, Some(_)) => line.raw("-S -k"),
        (true, None) => line.raw("-S -k -p hostlink-prompt"),
    };
    let keeps_env = arguments.preserve_sudo_env == Some(true);
    let inside = inside.behind(reads_prompt.filter(|_| keeps_env).map(|_| "unset SUDO_PROMPT"));
    if arguments.use_sudo_login == Some(true) {
        line = line.raw("-i");
    }
    if keeps_env {
        line = line.raw("-E");
    }
    line = as_sudo_target(line, arguments);
    line = if arguments.use_sudo_login == Some(true) {
        line.raw("sh -c").for_sudo_login(inside.into_script())
    } else {
        line.command(inside.into_words())
    };
    let read = "IFS= read -r SUDO_PROMPT || exit; export SUDO_PROMPT";
    let steps = reads_prompt.map(|says| format!("{says}; {read}"));
    Inside::Words(line).behind(steps.as_deref())
}

pub(crate) fn expects_sudo_password(arguments: &ConnectorArguments) -> bool {
    arguments.sudo_password.is_some() || arguments.use_sudo_password == Some(true)
}

fn su(user: &str, script: StringCommand, arguments: &ConnectorArguments) -> StringCommand {
    let mut line = StringCommand::new().raw("su");
    if arguments.use_su_login == Some(true) {
        line = line.raw("-l");
    }
    if arguments.preserve_su_env == Some(true) {
        line = line.raw("-m");
    }
    if let Some(shell) = &arguments.su_shell {
        let lookup = StringCommand::with_separator("").raw("\"$(command -v ").arg(shell).raw(")\"");
        line = line.raw("-s").command(lookup);
    }
    line.arg(user).raw("-c").for_any_shell(script)
}

/// Refuses what could not arrive as it is meant.
pub(crate) fn check(command: &StringCommand, arguments: &ConnectorArguments) -> Result<()> {
    let mut faults = Vec::new();
    if command.get_raw_value().contains(&0) {
        faults.push(Fault::new("command", "a NUL byte cannot stand in a command"));
    }
    for (name, value) in arguments.env.iter().flatten() {
        faults.extend(env_fault(name, value));
    }
    faults.extend(privilege_faults(arguments));
    for (key, text) in
        [("_chdir", &arguments.chdir), ("_shell_executable", &arguments.shell_executable)]
    {
        if text.as_ref().is_some_and(|text| text.is_empty() || text.contains('\0')) {
            faults.push(Fault::new(key, "must not be empty or hold a NUL byte"));
        }
    }
    faults_to_result(faults)
}

/// Refuses what the privilege tools cannot be told, as [`check`] does, for what is no command.
pub(crate) fn check_privilege(arguments: &ConnectorArguments) -> Result<()> {
    faults_to_result(privilege_faults(arguments))
}

fn privilege_faults(arguments: &ConnectorArguments) -> Vec<Fault> {
    let names = [
        ("_sudo_user", &arguments.sudo_user, "user"),
        ("_sudo_group", &arguments.sudo_group, "group"),
        ("_su_user", &arguments.su_user, "user"),
        ("_doas_user", &arguments.doas_user, "user"),
        ("_dzdo_user", &arguments.dzdo_user, "user"),
    ];
    let mut faults: Vec<Fault> = unused_faults(arguments).collect();
    if arguments.use_sudo_password == Some(true) && arguments.sudo_password.is_some() {
        faults.push(Fault::excludes("_use_sudo_password", "_sudo_password"));
    }
    faults.extend(password_faults(arguments));
    let name_faults =
        names.iter().filter_map(|(key, name, of)| name_fault(key, name.as_deref()?, of));
    faults.extend(name_faults);
    faults
}

/// A tool reads one line: what comes behind it would be another try, or the command's input.
fn password_faults(arguments: &ConnectorArguments) -> impl Iterator<Item = Fault> {
    let passwords = [
        ("_sudo_password", &arguments.sudo_password),
        ("_su_password", &arguments.su_password),
        ("_doas_password", &arguments.doas_password),
    ];
    let is_no_line = |password: &Secret| password.expose().contains(['\n', '\r', '\0']);
    let refused = passwords.into_iter().filter(move |(_, it)| it.as_ref().is_some_and(is_no_line));
    refused.map(|(key, _)| {
        Fault::new(key, "must be one line: it has an end of line, or a NUL byte, in it")
    })
}

fn env_fault(name: &str, value: &EnvValue) -> Option<Fault> {
    let head = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    if !head || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        let problem = format!("{name:?} is not a valid variable name: use letters, digits and _");
        return Some(Fault::new("_env", problem));
    }
    let bytes = match value {
        EnvValue::Plain(text) => text.as_encoded_bytes(),
        EnvValue::Secret(secret) => secret.expose().as_bytes(),
    };
    bytes.contains(&0).then(|| Fault::new("_env", format!("{name} has a NUL byte in its value")))
}

/// What is said of a tool that nobody asks for. To say no to a tool says so of all that belongs to
/// it. A password for sudo may stand among a host's data for the commands that ask for it.
fn unused_faults(arguments: &ConnectorArguments) -> impl Iterator<Item = Fault> {
    let is_on = |switch: Option<bool>| switch == Some(true);
    let ConnectorArguments { sudo, sudo_user, sudo_group, .. } = arguments;
    let ConnectorArguments { use_sudo_login, use_sudo_password, preserve_sudo_env, .. } =
        *arguments;
    let ConnectorArguments { su_user, su_shell, su_password, .. } = arguments;
    let ConnectorArguments { use_su_login, preserve_su_env, .. } = *arguments;
    let ConnectorArguments { doas, doas_user, doas_password, dzdo, dzdo_user, .. } = arguments;
    let pairs = [
        ("_sudo_user", sudo_user.is_some(), sudo.is_some(), "_sudo"),
        ("_sudo_group", sudo_group.is_some(), sudo.is_some(), "_sudo"),
        ("_use_sudo_login", is_on(use_sudo_login), sudo.is_some(), "_sudo"),
        ("_use_sudo_password", is_on(use_sudo_password), sudo.is_some(), "_sudo"),
        ("_preserve_sudo_env", is_on(preserve_sudo_env), sudo.is_some(), "_sudo"),
        ("_use_su_login", is_on(use_su_login), su_user.is_some(), "_su_user"),
        ("_preserve_su_env", is_on(preserve_su_env), su_user.is_some(), "_su_user"),
        ("_su_shell", su_shell.is_some(), su_user.is_some(), "_su_user"),
        ("_su_password", su_password.is_some(), su_user.is_some(), "_su_user"),
        ("_doas_user", doas_user.is_some(), doas.is_some(), "_doas"),
        ("_doas_password", doas_password.is_some(), doas.is_some(), "_doas"),
        ("_dzdo_user", dzdo_user.is_some(), dzdo.is_some(), "_dzdo"),
    ];
    let unused = |(key, given, asked_for, by): (_, bool, bool, &str)| {
        (given && !asked_for).then(|| Fault::needs(key, by))
    };
    pairs.into_iter().filter_map(unused)
}

fn name_fault(key: &str, name: &str, of: &str) -> Option<Fault> {
    let refused = name.is_empty() || name.starts_with('-') || name.chars().any(char::is_control);
    refused.then(|| Fault::new(key, format!("{name:?} is not a valid {of} name")))
}

#[cfg(test)]
mod tests;
