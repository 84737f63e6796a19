//! Builds the command line that a Unix target runs.

use crate::shell::arguments::{ConnectorArguments, EnvValue, default_of};
use crate::shell::command::StringCommand;
use crate::shell::privilege::{self, privileged};
use crate::values::error::Result;
use crate::values::fault::Fault;
use crate::values::reader::faults_to_result;

/// Returns the line that runs `command` with `arguments` in a POSIX shell, like pyinfra's function
/// of this name.
///
/// The innermost `sh` changes the directory, exports the environment and runs the command. The
/// privilege tools are around it, in the order that [`ConnectorArguments`] names. If the set-up
/// fails, the command is not run.
///
/// [`Link::run_shell_command`](crate::Link::run_shell_command) sends this text with announcements
/// in it.
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
/// [`ErrorKind::Data`](crate::ErrorKind::Data) that lists every invalid name of an environment
/// variable, user, group or directory, and every NUL byte.
pub fn make_unix_command(
    command: &StringCommand,
    arguments: &ConnectorArguments,
) -> Result<StringCommand> {
    check(command, arguments)?;
    let body = body(command, arguments, CommandText::Argument, "; ");
    Ok(privileged(body, &arguments.privileges().collect::<Vec<_>>()))
}

/// The route by which a shell other than `sh` gets the text of the command.
#[derive(Clone, Copy)]
pub(crate) enum CommandText<'a> {
    /// As an argument.
    Argument,
    /// As a here-document that ends with this token: the text is secret, or too long for an
    /// argument.
    File(&'a str),
}

/// Returns the set-up and the command for the innermost `sh`, with `separator` between the steps.
pub(crate) fn body(
    command: &StringCommand,
    arguments: &ConnectorArguments,
    text: CommandText<'_>,
    separator: &'static str,
) -> StringCommand {
    let mut steps = StringCommand::with_separator(separator);
    if let Some(directory) = &arguments.chdir {
        // With `&&`, the second command of `a; b` would run in the wrong directory.
        let step = StringCommand::new().raw("cd").arg(unambiguous(directory)).raw("|| exit");
        steps = steps.command(step);
    }
    for (name, value) in arguments.env.iter().flatten() {
        steps = steps.command(export(name, value));
    }
    steps.command(in_shell(command, arguments, text))
}

/// Anchors a path: `cd` takes `-` for the last directory, and looks up bare names in CDPATH.
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

/// Returns the words of `shell_executable`, unless it is just `sh`.
fn other_shell(arguments: &ConnectorArguments) -> Option<StringCommand> {
    let shell = arguments.shell_executable.clone();
    let shell = shell.unwrap_or_else(|| default_of("_shell_executable"));
    let words: Vec<&str> = shell.split_whitespace().collect();
    (words != ["sh"] && !words.is_empty()).then(|| StringCommand::from_words(words))
}

/// Refuses a command or arguments that the target could not run as meant.
pub(crate) fn check(command: &StringCommand, arguments: &ConnectorArguments) -> Result<()> {
    let mut faults = Vec::new();
    if command.get_raw_value().contains(&0) {
        faults.push(Fault::new("command", "must not contain a NUL byte"));
    }
    for (name, value) in arguments.env.iter().flatten() {
        faults.extend(env_fault(name, value));
    }
    faults.extend(privilege::faults(arguments));
    for (key, text) in
        [("_chdir", &arguments.chdir), ("_shell_executable", &arguments.shell_executable)]
    {
        if text.as_ref().is_some_and(|text| text.is_empty() || text.contains('\0')) {
            faults.push(Fault::new(key, "must not be empty or contain a NUL byte"));
        }
    }
    faults_to_result(faults)
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
    bytes.contains(&0).then(|| Fault::new("_env", format!("the value of {name} has a NUL byte")))
}

#[cfg(test)]
mod tests;
