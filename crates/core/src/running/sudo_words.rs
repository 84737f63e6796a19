//! sudo's own words, where they rule out that a password is what it lacks.

use crate::shell::arguments::ConnectorArguments;
use crate::values::error::Error;

/// Whether sudo refused for something that no password mends, in whatever language: it wants a
/// terminal, or does not know whom to become.
pub(crate) fn rule_out_a_password(error: &Error, arguments: &ConnectorArguments) -> bool {
    let said = error.stderr_tail().unwrap_or_default();
    let names = [&arguments.sudo_user, &arguments.sudo_group];
    said.lines().filter_map(|line| line.strip_prefix("sudo")).any(|words| {
        let mut names = names.into_iter().flatten();
        speaks_of_a_terminal(words.as_bytes()) || names.any(|name| has_word(words, name))
    })
}

/// Whether a tool says, in whatever language, that it wants a terminal: that word is the same in
/// all of them.
pub(crate) fn speaks_of_a_terminal(said: &[u8]) -> bool {
    let text = String::from_utf8_lossy(said);
    text.split(|c: char| !c.is_alphanumeric()).any(|word| word.eq_ignore_ascii_case("tty"))
}

/// Whether a line is sudo's own, in whatever language.
pub(crate) fn is_of_sudo(said: &[u8]) -> bool {
    String::from_utf8_lossy(said).lines().any(|line| line.starts_with("sudo"))
}

/// Whether a name stands in a text, and not as a part of another one.
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
            ("sudo: \u{672a}\u{77e5}\u{7528}\u{6237}\u{ff1a}req", true),
            ("sudo: unknown user required", false),
        ] {
            let error = Error::new(ErrorKind::Privilege, "no").with_stderr_tail(said.as_bytes());
            assert_eq!(rule_out_a_password(&error, &arguments), is_ruled_out, "{said}");
        }
    }
}
