//! What privilege tools say of themselves, in whatever language.

use crate::shell::arguments::ConnectorArguments;
use crate::shell::script::ANNOUNCING;
use crate::values::cause::without_position;
use crate::values::error::{Error, Refusal};

/// What sudo refuses for, whatever the password. The names of the flag and the plugin, and the path
/// of the program, are not translated.
const NOT_A_PASSWORD: [&str; 5] = [
    "no new privileges",
    "bin/sudo",
    "sudoers_audit",
    "no valid sudoers sources found",
    "account validation failure",
];

/// Returns whether sudo refused for a reason that a password does not change, in any language: it
/// needs a terminal, or does not know the user or group.
pub(crate) fn rule_out_a_password(error: &Error, arguments: &ConnectorArguments) -> bool {
    let said = error.stderr_tail().unwrap_or_default();
    let names = [&arguments.sudo_user, &arguments.sudo_group];
    said.lines().filter_map(|line| line.strip_prefix("sudo")).any(|words| {
        let mut names = names.into_iter().flatten();
        let is_about_itself = NOT_A_PASSWORD.iter().any(|it| words.contains(it));
        let is_about_terminal = speaks_of_a_terminal(words.as_bytes());
        is_about_itself || is_about_terminal || names.any(|name| has_word(words, name))
    })
}

/// Returns whether a tool says that it needs a terminal: the word "tty" is the same in every
/// language.
pub(crate) fn speaks_of_a_terminal(said: &[u8]) -> bool {
    let text = String::from_utf8_lossy(said);
    text.split(|c: char| !c.is_alphanumeric()).any(|word| word.eq_ignore_ascii_case("tty"))
}

/// Returns whether a line is sudo's own, in any language.
pub(crate) fn is_of_sudo(said: &[u8]) -> bool {
    String::from_utf8_lossy(said).lines().any(|line| line.starts_with("sudo"))
}

/// The longest cause that is shown.
const MAX_CAUSE: usize = 400;

/// Adds what a tool says of the reason why it did not run a script: the lines that begin with its
/// name, or the sentence that quotes the script.
pub(crate) fn with_cause(error: Error, said: &[u8]) -> Error {
    let said = String::from_utf8_lossy(said);
    if let Some(sentence) = quoting_script(&said) {
        let cause = format!("{sentence}: sudoers has to allow sh, which runs every command");
        return error.with_refusal(Refusal::NotAllowed).with_cause(cause);
    }
    let is_tool =
        |name: &str| name == "sudo-rs" || ConnectorArguments::tool_names().any(|it| it == name);
    let mut words: Vec<&str> = Vec::new();
    let mut tool = None;
    let mut before = "";
    for line in said.lines().map(without_position) {
        let Some((name, rest)) = after_prompt(line).split_once(": ").filter(|it| is_tool(it.0))
        else {
            before = line.trim_end();
            continue;
        };
        // PAM has no name before its sentences, and su only says that it failed.
        if name == "su" && words.is_empty() && before.ends_with('.') {
            words.push(before);
        }
        tool.get_or_insert(name);
        if !words.contains(&rest.trim_end()) {
            words.push(rest.trim_end());
        }
    }
    match tool {
        Some(tool) => {
            let cause = format!("{tool}: {}", words.join("; "));
            error.with_cause(cause.chars().take(MAX_CAUSE).collect::<String>())
        }
        None => error,
    }
}

/// Returns the line after `Password: `, which su does not end.
fn after_prompt(line: &str) -> &str {
    line.find(": su: ").map_or(line, |at| &line[at + 2..])
}

/// The sentence of a refusal that quotes the whole script, without the script: sudo prints it when
/// sudoers(5) does not allow `sh`. A start-up file may write `sh -c`, too, but not our script.
fn quoting_script(said: &str) -> Option<String> {
    if !said.contains(ANNOUNCING) {
        return None;
    }
    let line = said.lines().find(|line| line.contains("sh -c "))?;
    let (before, _) = line.split_once("sh -c ")?;
    // The quotation mark is before the path of `sh`, and its counterpart after the script.
    let is_of_path = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let open = before.trim_end_matches(is_of_path).chars().next_back()?;
    let close = match open {
        '\u{ab}' => '\u{bb}',
        '\u{bb}' => '\u{ab}',
        '\u{2018}' => '\u{2019}',
        '\u{201c}' | '\u{201e}' => '\u{201d}',
        other => other,
    };
    let after = said.lines().next_back()?.rsplit_once(close)?.1;
    Some(format!("{before}sh -c \u{2026}{close}{}", after.trim_end()))
}

/// Returns whether a text contains a name as a whole word.
fn has_word(text: &str, name: &str) -> bool {
    let is_of_names = |c: char| c.is_alphanumeric() || "_-.".contains(c);
    text.match_indices(name).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + name.len()..]);
        !before.ends_with(is_of_names) && !after.starts_with(is_of_names)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::error::ErrorKind;

    #[test]
    fn a_tool_tells_its_reason() {
        let not_allowed = ": sudoers has to allow sh, which runs every command";
        for (said, cause) in [
            (
                "Sorry, user lim is not allowed to execute '/usr/bin/sh -c _hl_x=a'b'\nid' as root on web1.",
                format!(
                    "Sorry, user lim is not allowed to execute '/usr/bin/sh -c \u{2026}' as root on web1.{not_allowed}"
                ),
            ),
            (
                "Leider darf der Benutzer lim \u{bb}/bin/sh -c _hl_x=a\nid\u{ab} als root auf web1 nicht ausf\u{fc}hren.",
                format!(
                    "Leider darf der Benutzer lim \u{bb}/bin/sh -c \u{2026}\u{ab} als root auf web1 nicht ausf\u{fc}hren.{not_allowed}"
                ),
            ),
            (
                "sudo: Account or password is expired\nsudo: a password is required",
                "sudo: Account or password is expired; a password is required".into(),
            ),
            (
                "Use 'sh -c id' here.\nsudo: a password is required'",
                "sudo: a password is required'".into(),
            ),
            ("motd\nno is not in the sudoers file.", "no is not in the sudoers file.".into()),
            ("Loading: x\nsu: Authentication failure", "su: Authentication failure".into()),
            (
                "Passwort: su: Fehler bei Authentifizierung",
                "su: Fehler bei Authentifizierung".into(),
            ),
            (
                "Your account has expired.\nsu: Authentication failure",
                "su: Your account has expired.; Authentication failure".into(),
            ),
            ("sh: 5: exec: sudo: not found", "sudo: not found".into()),
        ] {
            let error = Error::new(ErrorKind::Privilege, "no").with_stderr_tail(said.as_bytes());
            assert_eq!(with_cause(error, said.as_bytes()).to_string(), format!("no: {cause}"));
        }
    }

    #[test]
    fn a_password_is_ruled_out_by_what_else_is_wrong() {
        let arguments = ConnectorArguments::new().with_sudo(true).with_sudo_user("req");
        for (said, is_ruled_out) in [
            ("sudo: a password is required", false),
            ("sudo: Ein Passwort ist notwendig", false),
            ("sudo: interactive authentication is required", false),
            ("stdin: is not a tty\nsudo: a password is required", false),
            ("sudo: sorry, you must have a tty to run sudo", true),
            ("sudo: Entschuldigung, Sie m\u{fc}ssen ein TTY haben, um sudo auszuf\u{fc}hren", true),
            ("sudo: unknown user req", true),
            ("sudo: unbekannter Benutzer req\nsudo: something else", true),
            ("sudo-rs: user 'req' not found", true),
            ("sudo: The \"no new privileges\" flag is set", true),
            ("sudo: /usr/bin/sudo must be owned by uid 0", true),
            (
                "sudo: /etc/sudoers is world writable\nsudo: no valid sudoers sources found, quitting",
                true,
            ),
            (
                "sudo: /etc/sudoers ist f\u{fc}r alle beschreibbar\nsudo: Audit-Plugin sudoers_audit",
                true,
            ),
            (
                "sudo: account validation failure, is your account locked?\n\
                 sudo: a password is required",
                true,
            ),
            ("sudo: /etc/sudoers.d/x:1: syntax error\nsudo: a password is required", false),
            ("sudo: \u{672a}\u{77e5}\u{7528}\u{6237}\u{ff1a}req", true),
            ("sudo: unknown user required", false),
        ] {
            let error = Error::new(ErrorKind::Privilege, "no").with_stderr_tail(said.as_bytes());
            assert_eq!(rule_out_a_password(&error, &arguments), is_ruled_out, "{said}");
        }
    }
}
