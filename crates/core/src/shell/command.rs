//! Shell commands made of parts, with secrets that are never shown.

use std::ffi::OsStr;
use std::fmt;

use crate::shell::quote;
use crate::values::secret::{MASK, Secret};

/// A shell command, built from words that are quoted unless they are marked as raw.
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

/// Who reads the part next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quoting {
    Raw,
    Word,
    AnyShell,
    SudoLogin,
}

/// Which of the two renderings.
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
    /// A command without any words yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A line for the shell, as it is: pipes, redirections and variables work.
    pub fn shell(line: impl AsRef<OsStr>) -> Self {
        Self::new().raw(line)
    }

    /// The login shell of the user that runs it, for
    /// [`Link::open_terminal`](crate::Link::open_terminal): the one that `SHELL` names, which sudo,
    /// su and doas set to the other user's.
    #[must_use]
    pub fn login_shell() -> Self {
        Self::shell(r#"exec "${SHELL:-/bin/sh}" -l"#)
    }

    /// One command from its words, each quoted.
    pub fn from_words<W: AsRef<OsStr>>(words: impl IntoIterator<Item = W>) -> Self {
        words.into_iter().fold(Self::new(), Self::arg)
    }

    /// A command whose parts are joined with `separator` in the place of a space.
    #[must_use]
    pub fn with_separator(separator: &'static str) -> Self {
        Self { parts: Vec::new(), separator }
    }

    /// Appends a word that arrives as it is, whatever characters it has.
    #[must_use]
    pub fn arg(self, word: impl AsRef<OsStr>) -> Self {
        self.push(Piece::Bytes(bytes(word)), Quoting::Word)
    }

    /// Appends text that the shell reads: an operator, a variable, a redirection.
    #[must_use]
    pub fn raw(self, text: impl AsRef<OsStr>) -> Self {
        self.push(Piece::Bytes(bytes(text)), Quoting::Raw)
    }

    /// Appends a word that is quoted, and masked wherever the command is shown.
    ///
    /// It will stand in the argument list of the one program that it is meant for, which every user
    /// of the target may read while the program runs. An environment variable is safer where the
    /// program takes one.
    #[must_use]
    pub fn secret(self, secret: impl Into<Secret>) -> Self {
        self.push(Piece::Secret(secret.into()), Quoting::Word)
    }

    /// Appends another command's text as it is.
    #[must_use]
    pub fn command(self, command: StringCommand) -> Self {
        self.push(Piece::Command(command), Quoting::Raw)
    }

    /// Appends another command as one quoted word, as `sh -c` takes it.
    #[must_use]
    pub fn quoted(self, command: StringCommand) -> Self {
        self.push(Piece::Command(command), Quoting::Word)
    }

    /// Appends, as one word, a line that runs `script` in `sh` whatever login shell reads the line.
    pub(crate) fn for_any_shell(self, script: StringCommand) -> Self {
        let line = Self::new().push(Piece::Command(script), Quoting::AnyShell);
        self.quoted(line)
    }

    /// Appends, as one word, the script for `sudo -i sh -c`.
    pub(crate) fn for_sudo_login(self, script: StringCommand) -> Self {
        let line = Self::new().push(Piece::Command(script), Quoting::SudoLogin);
        self.quoted(line)
    }

    /// The command as a shell is to read it, secrets included. It may hold bytes that are not
    /// UTF-8.
    #[must_use]
    pub fn get_raw_value(&self) -> Vec<u8> {
        self.render(Face::Raw)
    }

    /// The command as it may be shown, secrets masked. `Display` is the same.
    #[must_use]
    pub fn get_masked_value(&self) -> String {
        String::from_utf8_lossy(&self.render(Face::Masked)).into_owned()
    }

    /// Whether any part of it is secret.
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

    /// Whether there is nothing in it that a shell could run.
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
            // The mask itself stays unquoted: it is for reading, not for a shell.
            Piece::Secret(_) if face == Face::Masked => return MASK.into(),
            Piece::Secret(secret) => secret.expose().as_bytes().to_vec(),
            Piece::Command(command) => command.render(face),
        };
        match (self.quoting, face) {
            (Quoting::Raw, _) => text,
            (Quoting::Word, _) => quote::shell(&text),
            (Quoting::AnyShell, Face::Raw) => quote::any_shell(&text),
            (Quoting::SudoLogin, Face::Raw) => quote::sudo_login(&text),
            // Octal is nothing to show to anybody.
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
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStrExt;
            let command = StringCommand::new().arg(OsStr::from_bytes(b"a\xffb"));
            assert_eq!(command.get_raw_value(), b"'a\xffb'");
        }
    }
}
