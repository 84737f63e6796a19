//! Shell commands that are built from parts, and never show secrets.

use std::ffi::OsStr;
use std::fmt;

use crate::shell::quote;
use crate::values::secret::{MASK, Secret};

/// A shell command, built from words that are quoted unless they are added as raw text.
///
/// Words are joined with spaces. `Display` and `Debug` show secrets as `***`.
///
/// ```
/// use hostlink_core::{Secret, StringCommand};
///
/// let command = StringCommand::new()
///     .arg("login")
///     .arg("it's me")
///     .secret("hunter2")
///     .raw(">/dev/null");
/// assert_eq!(command.to_string(), r#"login 'it'"'"'s me' *** >/dev/null"#);
/// assert_eq!(command.get_raw_value(), br#"login 'it'"'"'s me' hunter2 >/dev/null"#);
/// ```
#[derive(Clone)]
pub struct StringCommand {
    parts: Vec<Part>,
    separator: &'static str,
}

#[derive(Clone)]
struct Part {
    piece: Piece,
    quoting: Quoting,
}

#[derive(Clone)]
enum Piece {
    Bytes(Vec<u8>),
    Secret(Secret),
    Command(StringCommand),
}

/// For which reader a part is quoted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quoting {
    Raw,
    Word,
    AnyShell,
    SudoLogin,
}

/// The rendering of secrets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Face {
    Raw,
    Masked,
}

impl Default for StringCommand {
    fn default() -> Self {
        Self { parts: Vec::new(), separator: " " }
    }
}

impl StringCommand {
    /// Returns a command without words.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a command from a line of shell text: pipes, redirections and variables work.
    pub fn shell(line: impl AsRef<OsStr>) -> Self {
        Self::new().raw(line)
    }

    /// Returns the command that starts the user's login shell, for
    /// [`Link::open_terminal`](crate::Link::open_terminal): the one that `SHELL` names, which sudo,
    /// su and doas set to the other user's.
    #[must_use]
    pub fn login_shell() -> Self {
        Self::shell(r#"exec "${SHELL:-/bin/sh}" -l"#)
    }

    /// Returns a command from its words, each quoted.
    pub fn from_words<W: AsRef<OsStr>>(words: impl IntoIterator<Item = W>) -> Self {
        words.into_iter().fold(Self::new(), Self::arg)
    }

    /// Returns a command whose parts are joined with `separator` instead of a space.
    #[must_use]
    pub fn with_separator(separator: &'static str) -> Self {
        Self { parts: Vec::new(), separator }
    }

    /// Appends a word, quoted so that the target receives it unchanged.
    #[must_use]
    pub fn arg(self, word: impl AsRef<OsStr>) -> Self {
        self.push(Piece::Bytes(bytes(word)), Quoting::Word)
    }

    /// Appends text that the shell interprets: an operator, a variable, a redirection.
    #[must_use]
    pub fn raw(self, text: impl AsRef<OsStr>) -> Self {
        self.push(Piece::Bytes(bytes(text)), Quoting::Raw)
    }

    /// Appends a word that is quoted, and masked wherever the command is shown.
    ///
    /// It is in the arguments of the program that gets it, which every user of the target can read
    /// while the program runs. An environment variable is safer if the program accepts one.
    #[must_use]
    pub fn secret(self, secret: impl Into<Secret>) -> Self {
        self.push(Piece::Secret(secret.into()), Quoting::Word)
    }

    /// Appends another command's text without quotes.
    #[must_use]
    pub fn command(self, command: StringCommand) -> Self {
        self.push(Piece::Command(command), Quoting::Raw)
    }

    /// Appends another command as one quoted word, for `sh -c`.
    #[must_use]
    pub fn quoted(self, command: StringCommand) -> Self {
        self.push(Piece::Command(command), Quoting::Word)
    }

    /// Appends one word: a line that runs `script` in `sh`, whatever login shell reads the line.
    pub(crate) fn for_any_shell(self, script: StringCommand) -> Self {
        let line = Self::new().push(Piece::Command(script), Quoting::AnyShell);
        self.quoted(line)
    }

    /// Appends one word: the script for `sudo -i sh -c`.
    pub(crate) fn for_sudo_login(self, script: StringCommand) -> Self {
        let line = Self::new().push(Piece::Command(script), Quoting::SudoLogin);
        self.quoted(line)
    }

    /// Returns the text for a shell, with secrets. It is not necessarily UTF-8.
    #[must_use]
    pub fn get_raw_value(&self) -> Vec<u8> {
        self.render(Face::Raw)
    }

    /// Returns the text to show, with secrets masked, as `Display` does.
    #[must_use]
    pub fn get_masked_value(&self) -> String {
        String::from_utf8_lossy(&self.render(Face::Masked)).into_owned()
    }

    /// Returns whether any part is secret.
    #[must_use]
    pub fn has_secret(&self) -> bool {
        !self.secrets().is_empty()
    }

    pub(crate) fn secrets(&self) -> Vec<Secret> {
        let mut secrets = Vec::new();
        for part in &self.parts {
            match &part.piece {
                Piece::Bytes(_) => {}
                Piece::Secret(secret) => secrets.push(secret.clone()),
                Piece::Command(command) => secrets.extend(command.secrets()),
            }
        }
        secrets
    }

    /// Returns whether the command is empty or only white space.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.get_raw_value().iter().all(u8::is_ascii_whitespace)
    }

    fn push(mut self, piece: Piece, quoting: Quoting) -> Self {
        self.parts.push(Part { piece, quoting });
        self
    }

    fn render(&self, face: Face) -> Vec<u8> {
        let parts: Vec<Vec<u8>> = self.parts.iter().map(|part| part.render(face)).collect();
        parts.join(self.separator.as_bytes())
    }
}

impl Part {
    fn render(&self, face: Face) -> Vec<u8> {
        let text = match &self.piece {
            Piece::Bytes(bytes) => bytes.clone(),
            // The mask is not quoted: it is for readers, not for a shell.
            Piece::Secret(_) if face == Face::Masked => return MASK.into(),
            Piece::Secret(secret) => secret.expose().as_bytes().to_vec(),
            Piece::Command(command) => command.render(face),
        };
        match (self.quoting, face) {
            (Quoting::Raw, _) => text,
            (Quoting::Word, _) => quote::shell(&text),
            (Quoting::AnyShell, Face::Raw) => quote::any_shell(&text),
            (Quoting::SudoLogin, Face::Raw) => quote::sudo_login(&text),
            // Octal would be unreadable.
            (Quoting::AnyShell, Face::Masked) => [b"exec sh -c ", &*quote::shell(&text)].concat(),
            (Quoting::SudoLogin, Face::Masked) => text,
        }
    }
}

fn bytes(text: impl AsRef<OsStr>) -> Vec<u8> {
    text.as_ref().as_encoded_bytes().to_vec()
}

impl From<&str> for StringCommand {
    fn from(line: &str) -> Self {
        Self::shell(line)
    }
}

impl From<String> for StringCommand {
    fn from(line: String) -> Self {
        Self::shell(line)
    }
}

impl From<&String> for StringCommand {
    fn from(line: &String) -> Self {
        Self::shell(line)
    }
}

impl From<&Self> for StringCommand {
    fn from(command: &Self) -> Self {
        command.clone()
    }
}

impl fmt::Display for StringCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.get_masked_value())
    }
}

impl fmt::Debug for StringCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StringCommand({})", self.get_masked_value())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_nest_raw_and_quoted() {
        let inner = StringCommand::shell("echo $HOME").secret("s3 cret");
        let outer = StringCommand::new().arg("sh").arg("-c").quoted(inner.clone());
        assert_eq!(outer.to_string(), "sh -c 'echo $HOME ***'");
        assert_eq!(outer.get_raw_value(), br#"sh -c 'echo $HOME '"'"'s3 cret'"'"''"#);
        assert!(outer.has_secret());
        assert!(!format!("{outer:?}").contains("s3"));
        assert_eq!(StringCommand::with_separator("&&").command(inner).raw("true").parts.len(), 2);
    }

    #[test]
    fn words_of_any_bytes_stay_whole() {
        use std::os::unix::ffi::OsStrExt;
        let command = StringCommand::new().arg(OsStr::from_bytes(b"a\xffb"));
        assert_eq!(command.get_raw_value(), b"'a\xffb'");
    }
}
