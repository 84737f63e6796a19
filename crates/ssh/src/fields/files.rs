//! Checks the files that data names.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Keys and certificates are smaller; the rest of a file is not read.
const LOOKED_AT: u64 = 64 * 1024;

/// The permission bits of other users for ssh: `sshkey_perm_ok` in OpenSSH's `authfile.c`.
const RIGHTS_OF_OTHERS: u32 = 0o077;

/// The starts of the types of public keys in OpenSSH's format.
const PUBLIC_KINDS: [&str; 4] = ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"];

/// Returns the absolute path that a text means.
pub(super) fn path(text: &str, home: Option<&Path>) -> Result<PathBuf, String> {
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Err("contains a control character".to_owned());
    }
    if text.contains('"') {
        return Err("contains a double quote, which ssh's configuration cannot contain".to_owned());
    }
    if text.contains("${") {
        return Err("contains ${, and variables are not replaced: write the whole path".to_owned());
    }
    let path = match text.strip_prefix('~') {
        None => PathBuf::from(text),
        Some(rest) if rest.is_empty() || rest.starts_with('/') => home
            .ok_or("begins with ~, and the home directory is not known")?
            .join(rest.trim_start_matches('/')),
        Some(_) => return Err("starts with ~user: write the whole path".to_owned()),
    };
    std::path::absolute(&path).map_err(|error| format!("cannot be made absolute: {error}"))
}

/// Checks a file that will be read, of any kind: `/dev/null` is a valid configuration.
pub(super) fn readable(path: &Path) -> Result<(), String> {
    let metadata = metadata(path)?;
    // Opening a pipe would wait for its writer.
    if metadata.is_file() {
        File::open(path).map_err(|error| unreadable(&error))?;
    }
    Ok(())
}

/// Checks a file that need not exist.
pub(super) fn no_directory(path: &Path) -> Result<(), String> {
    match path.is_dir() {
        true => Err(DIRECTORY.to_owned()),
        false => Ok(()),
    }
}

/// Checks that ssh could log in with a file: a private key, or a public one whose private half an
/// agent has.
pub(super) fn key(path: &Path) -> Result<(), String> {
    let (metadata, content) = read(path)?;
    match Content::of(&content) {
        Content::PrivateKey => check_rights(&metadata),
        Content::PublicKey => Ok(()),
        Content::OtherPublicKey => Err("is a public key: give the private one".to_owned()),
        Content::Certificate => Err("is a certificate: that is ssh_certificate, and \
             ssh_key the private key that it belongs to"
            .to_owned()),
        Content::PuttyKey => Err("is a key of PuTTY: convert it with \
             `puttygen KEY -O private-openssh -o NEW`"
            .to_owned()),
        Content::Other => Err("is not a private key: its first line would be \
             like \"-----BEGIN OPENSSH …\""
            .to_owned()),
    }
}

/// Returns whether a file is a public key in OpenSSH's format.
pub(crate) fn is_public_key(path: &Path) -> bool {
    read(path).is_ok_and(|(_, content)| Content::of(&content) == Content::PublicKey)
}

/// Returns where the private half of a public key is, for messages.
pub(crate) fn private_half(path: &Path) -> &'static str {
    let private = path.with_extension("");
    match path.extension().is_some_and(|it| it == "pub") && private.is_file() {
        true => "the private one is beside it, without .pub",
        false => "give the private one",
    }
}

/// Checks that ssh could take a file as a certificate.
pub(super) fn certificate(path: &Path) -> Result<(), String> {
    let (_, content) = read(path)?;
    match Content::of(&content) {
        Content::Certificate => Ok(()),
        Content::PrivateKey => Err("is a private key: that is ssh_key, and \
             ssh_certificate what was signed for it, often KEY-cert.pub"
            .to_owned()),
        Content::PublicKey | Content::OtherPublicKey => Err("is a public key without a signature \
             (the certificate is often KEY-cert.pub)"
            .to_owned()),
        _ => Err("is not a certificate of OpenSSH".to_owned()),
    }
}

/// Refuses a key of yours that others can read, which ssh does not use.
fn check_rights(metadata: &Metadata) -> Result<(), String> {
    let is_own = metadata.uid() == rustix::process::getuid().as_raw();
    if !is_own || metadata.mode() & RIGHTS_OF_OTHERS == 0 {
        return Ok(());
    }
    let mode = metadata.mode() & 0o7777;
    Err(format!(
        "is open to others (mode {mode:o}), and ssh refuses such keys: `chmod 600` makes it yours alone"
    ))
}

const DIRECTORY: &str = "is a directory, not a file";

fn metadata(path: &Path) -> Result<Metadata, String> {
    let metadata = path.metadata().map_err(|error| unreadable(&error))?;
    match metadata.is_dir() {
        true => Err(DIRECTORY.to_owned()),
        false => Ok(metadata),
    }
}

fn read(path: &Path) -> Result<(Metadata, Vec<u8>), String> {
    let metadata = metadata(path)?;
    if !metadata.is_file() {
        return Err("is not a regular file".to_owned());
    }
    let mut content = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LOOKED_AT).read_to_end(&mut content));
    read.map_err(|error| unreadable(&error))?;
    Ok((metadata, content))
}

fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "does not exist".to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}

/// The content of a file, by its start.
#[derive(Debug, PartialEq, Eq)]
enum Content {
    PrivateKey,
    PublicKey,
    /// In a format that ssh does not read.
    OtherPublicKey,
    Certificate,
    PuttyKey,
    Other,
}

impl Content {
    fn of(content: &[u8]) -> Self {
        let text = String::from_utf8_lossy(content);
        let mut lines = text.lines().map(str::trim_end);
        if lines.clone().any(is_private) {
            return Self::PrivateKey;
        }
        let Some(first) = lines.find(|line| !line.is_empty() && !line.starts_with('#')) else {
            return Self::Other;
        };
        let kind = first.split_whitespace().next().unwrap_or_default();
        if first.starts_with("PuTTY-User-Key-File") {
            Self::PuttyKey
        } else if kind.ends_with("-cert-v01@openssh.com") {
            Self::Certificate
        } else if PUBLIC_KINDS.iter().any(|prefix| kind.starts_with(prefix)) {
            Self::PublicKey
        } else if is_other_public(first) {
            Self::OtherPublicKey
        } else {
            Self::Other
        }
    }
}

fn is_private(line: &str) -> bool {
    let label = line.strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----"));
    label.is_some_and(|label| label.ends_with("PRIVATE KEY"))
}

fn is_other_public(line: &str) -> bool {
    (line.contains("-- BEGIN ") || line.contains("--BEGIN ")) && line.contains("PUBLIC KEY")
}

#[cfg(test)]
mod tests;
