//! Formats errors as one line: what, where, what to do.

use std::error::Error as _;

use hostlink::{Error, ErrorKind};

use crate::flag_names::of_key;

/// Returns the error for an invalid command line.
pub(crate) fn usage(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Data, message)
}

/// Formats an error and its causes on one line.
pub(crate) fn one_line(error: &Error) -> String {
    with_causes(error, error.to_string())
}

/// Formats an error like [`one_line`], without the target's name, for output that has the name
/// already.
pub(crate) fn without_target(error: &Error) -> String {
    with_causes(error, format!("{error:#}"))
}

/// Adds causes. Some messages contain the cause already.
fn with_causes(error: &Error, mut text: String) -> String {
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = cause.source();
    }
    text.push_str(&flags(error));
    if error.kill_confirmed() == Some(false) {
        text.push_str("; its processes may still be running");
    }
    flatten(&text)
}

/// Returns the flags that set the keys which an error's message advises to set.
fn flags(error: &Error) -> String {
    let flags: Vec<String> = error.remedy().iter().copied().flat_map(of_key).collect();
    match flags.is_empty() {
        true => String::new(),
        false => format!(" (flags: {})", flags.join(", ")),
    }
}

/// Returns the text without line breaks, and without characters that control a terminal.
pub(crate) fn flatten(text: &str) -> String {
    text.replace(|c: char| c.is_control() || is_format(c), " ")
}

/// Returns whether a character shows nothing but changes how others are shown, or breaks the line:
/// Unicode's categories Cf, Zl and Zp. U+202E reverses the text after it.
fn is_format(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
        | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
        | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0001}' | '\u{e0020}'..='\u{e007f}')
}

/// Returns clap's message, without its usage and colors.
pub(crate) fn of_clap(error: &clap::Error) -> Error {
    let text = error.render().to_string();
    let (first, rest) = text.split_once("\n\n").unwrap_or((&text, ""));
    let said = on_one_line(first.trim_start_matches("error: "));
    let tip = rest.lines().find_map(|line| line.trim_start().strip_prefix("tip: "));
    // "To pass it as a value, use `--`" does not help in most cases, and is worded better here in
    // the remaining ones.
    let tip = match tip.filter(|tip| !tip.starts_with("to pass")) {
        None if is_unknown(error, rest, " exec [") => Some("write COMMAND after --"),
        None if is_unknown(error, rest, " rsync [") => Some("write FLAGS after --"),
        tip => tip,
    };
    let tip = tip.map(|tip| format!("; {tip}")).unwrap_or_default();
    usage(format!("{said}{tip}; see hostlink --help"))
}

fn is_unknown(error: &clap::Error, usage: &str, of: &str) -> bool {
    error.kind() == clap::error::ErrorKind::UnknownArgument && usage.contains(of)
}

fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn causes_are_appended_unless_they_were_said() {
        let cause = || io::Error::from(io::ErrorKind::NotFound);
        let error = Error::from_io("cannot read x", cause()).with_target("@local");
        assert_eq!(one_line(&error), "@local: cannot read x: entity not found");
        assert_eq!(without_target(&error), "cannot read x: entity not found");
        let error = Error::from_io("cannot read x: entity not found", cause());
        assert_eq!(one_line(&error), "cannot read x: entity not found");
        assert_eq!(one_line(&usage("a\nb\x1bc")), "a b c");
        assert_eq!(flatten("web\u{202e}1\u{2066}x\u{feff}é日"), "web 1 x é日");
    }

    #[test]
    fn keys_to_set_are_named_by_their_flags_too() {
        let error = usage("set ssh_password").with_remedy(&["ssh_password", "ssh_x", "_get_pty"]);
        let flags = "--ssh-password-file, --ssh-password-prompt, --data ssh_x=VALUE, --get-pty";
        assert_eq!(one_line(&error), format!("set ssh_password (flags: {flags})"));
        assert_eq!(one_line(&usage("set ssh_password")), "set ssh_password");
    }

    #[test]
    fn clap_says_it_on_one_line() {
        let command = || clap::Command::new("x").arg(clap::Arg::new("SRC").required(true));
        let missing = command().try_get_matches_from(["x"]).unwrap_err();
        let text = one_line(&of_clap(&missing));
        assert!(text.contains("not provided: <SRC>; see hostlink --help"), "{text}");
    }
}
