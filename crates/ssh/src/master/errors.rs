//! Finds out why a login failed or a link was lost, and what to do.

use std::path::Path;
use std::time::Duration;

use hostlink_core::{Error, ErrorKind};

use crate::fields::{KEY_PASSWORD, PASSWORD, PROXY_JUMP_PASSWORD, files};

use super::answers::{Asked, Notes, Question, is_plain_password};
use super::causes::of_peer;
use super::log::Log;
use super::peers::{Peer, Stage};

/// A login that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    /// True if another try may succeed: after a refused connection, a time-out, an overloaded
    /// server.
    pub(crate) retryable: bool,
    /// True if the server refused the connection since it has too many. It may accept one in a
    /// moment.
    pub(crate) turned_away: bool,
    /// True if the time limit was over.
    pub(crate) timed_out: bool,
    /// Its duration, without the time that a user took to answer.
    pub(crate) took: Duration,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, retryable: false, turned_away: false, timed_out: false, took: Duration::ZERO }
    }
}

impl Failure {
    pub(crate) fn named(self, target: &str) -> Self {
        Self { error: self.error.with_target(target), ..self }
    }

    /// Names the keys of host data that the message advises to set or to check.
    pub(super) fn with_remedy(self, keys: &'static [&'static str]) -> Self {
        Self { error: self.error.with_remedy(keys), ..self }
    }
}

/// The facts about a failed login.
#[derive(Debug)]
pub(crate) struct Login<'a> {
    pub(crate) log: &'a Log,
    pub(crate) notes: &'a Notes,
    /// The process id of the target's ssh.
    pub(crate) master: Option<i32>,
    /// Its exit code.
    pub(crate) code: Option<i32>,
}

/// Finds out why ssh ended.
///
/// The process closest to the first hop that reports a reason has the cause. The others only lost
/// their connection.
pub(crate) fn of_exit(login: &Login<'_>) -> Failure {
    if let Some(failure) = no_askpass(login) {
        return failure;
    }
    if let Some(question) = &login.notes.unanswered {
        return unanswered(question, login);
    }
    if let Some(question) = &login.notes.refused {
        return refused_password(question, login);
    }
    if let Some(failure) = of_start(login) {
        return failure;
    }
    let peers = Peer::all(login.log, login.master);
    let known = peers.iter().rev().find_map(|peer| of_peer(peer, login));
    known.unwrap_or_else(|| {
        let words = login.log.last_words().join("\n");
        let error = Error::new(ErrorKind::Connect, "ssh ended before the host was reached");
        Failure::from(error.with_stderr_tail(words.as_bytes()))
    })
}

/// Returns the progress of a login whose time was up, as an error.
pub(crate) fn of_deadline(login: &Login<'_>, limit: Duration) -> Failure {
    let peers = Peer::all(login.log, login.master);
    let stuck = peers.iter().rev().find(|peer| peer.stage() != Stage::Done);
    let (who, stage) = match stuck {
        Some(peer) => (subject(peer), peer.stage()),
        None => ("the host".to_owned(), Stage::Done),
    };
    let seconds = limit.as_secs_f64();
    let what = match stage {
        Stage::LookingUp => format!("{who} was not found in the name service within {seconds} s"),
        Stage::Connecting => {
            format!(
                "connecting to {who} timed out after {seconds} s (no answer: wrong address, or a firewall)"
            )
        }
        Stage::Greeting => format!(
            "connected to {who}, but no SSH banner came within {seconds} s (is it an SSH server, or overloaded?)"
        ),
        Stage::KeyExchange => {
            format!("connected to {who}, but its SSH handshake did not finish within {seconds} s")
        }
        Stage::Authentication => format!("the login to {who} did not finish within {seconds} s"),
        Stage::Done => format!("logged in, but ssh was not ready within {seconds} s"),
    };
    Failure { timed_out: true, ..failure(ErrorKind::Connect, what, true) }
}

/// Returns why a link that was in use is lost.
pub(crate) fn of_lost_link(log: &Log, code: Option<i32>) -> Error {
    let said: Vec<&str> = log.last_words();
    let find = |text: &str| said.iter().rev().find(|line| line.contains(text)).copied();
    let why = if find("not responding").is_some() {
        "the host no longer answers (ssh_server_alive_interval)".to_owned()
    } else if find("closed by remote host").is_some() {
        "the host closed the connection".to_owned()
    } else if let Some(line) = find("client_loop: ").or(find("Connection ")).or(find("disconnect"))
    {
        line.trim_end_matches('.').to_owned()
    } else if let Some(code) = code {
        format!("ssh ended with status {code}")
    } else {
        "ssh was killed".to_owned()
    };
    Error::new(ErrorKind::LinkLost, format!("the connection is lost: {why}"))
}

pub(super) fn failure(kind: ErrorKind, message: impl Into<String>, retryable: bool) -> Failure {
    Failure { retryable, ..Error::new(kind, message).into() }
}

/// Returns `host`, or `the jump host`, with its name if it is known.
pub(super) fn subject(peer: &Peer<'_>) -> String {
    let place = peer.place();
    match (peer.is_jump, place) {
        (true, Some(place)) => format!("the jump host {place}"),
        (true, None) => "the jump host".to_owned(),
        (false, Some(place)) => place,
        (false, None) => "the host".to_owned(),
    }
}

fn unanswered(question: &Question, login: &Login<'_>) -> Failure {
    let (remedy, role): (&[_; 1], _) = match question.from_target {
        true => (&[PASSWORD.key], ""),
        false => (&[PROXY_JUMP_PASSWORD.key], "the jump host "),
    };
    let [key] = remedy;
    let peers = Peer::all(login.log, login.master);
    let asking = peers.iter().rev().find(|peer| peer.is_jump != question.from_target);
    let is_password = match Asked::parse(&question.text) {
        Asked::Password(who) => Some(who),
        Asked::Interactive(who, text) if is_plain_password(&text) => Some(who),
        _ => None,
    };
    if let Some(locked) = asking.and_then(|peer| locked_key(peer, login)) {
        return locked;
    }
    let remedy = if is_password.is_some() { &remedy[..] } else { &[] };
    let message = match (is_password, asking.map(Peer::offered_keys).unwrap_or_default()) {
        (Some(who), keys) if keys.is_empty() => format!("{role}{who} wants a password: set {key}"),
        (Some(who), keys) => {
            let keys = keys.join(", ");
            format!("{role}{who} refused the keys {keys} and wants a password: set {key}")
        }
        (None, _) => {
            format!("ssh asks for \"{}\", and no user could be asked", question.in_words())
        }
    };
    let unusable = asking.and_then(unusable_keys).unwrap_or_default();
    failure(ErrorKind::Auth, format!("{unusable}{message}"), false).with_remedy(remedy)
}

/// The password was refused, and ssh was ended before it could try it again by another method.
fn refused_password(question: &Question, login: &Login<'_>) -> Failure {
    let peers = Peer::all(login.log, login.master);
    let asking = peers.iter().rev().find(|peer| peer.is_jump != question.from_target);
    let who = asking.map_or_else(|| "the host".to_owned(), subject);
    let methods = asking.and_then(|peer| peer.after("Authentications that can continue: "));
    let methods = methods.unwrap_or("nothing that is known").replace(',', ", ");
    let message = format!("{who} refused the password; it accepts: {methods}");
    failure(ErrorKind::Auth, message, false)
}

/// Returns the failure of a login whose key could not be used without its passphrase.
pub(super) fn locked_key(peer: &Peer<'_>, login: &Login<'_>) -> Option<Failure> {
    let message = match (login.notes.unlocked.first(), peer.after("bad passphrase")) {
        (Some(key), Some(_)) => {
            format!("the passphrase of the key {key} is wrong (ssh_key_password)")
        }
        _ => {
            let key = login.notes.locked.first()?;
            format!(
                "the key {key} has a passphrase: set ssh_key_password, or load it into an agent"
            )
        }
    };
    Some(failure(ErrorKind::Auth, message, false).with_remedy(&[KEY_PASSWORD.key]))
}

/// Returns what ssh reports of keys that it could not use, as the start of a message.
pub(super) fn unusable_keys(peer: &Peer<'_>) -> Option<String> {
    let told = |(file, line): (&str, &str)| {
        let path = Path::new(file);
        if files::is_public_key(path) {
            let where_else = files::private_half(path);
            return format!(
                "the key {file} is a public one, and no agent has its private half: {where_else}; "
            );
        }
        let is_format = ["libcrypto", "invalid format"].iter().any(|why| line.contains(why));
        let advice = match is_format {
            true => " (is it damaged, or without its last newline, or are its line ends CRLF?)",
            false => "",
        };
        format!("{line}{advice}; ")
    };
    let keys = peer.unusable_keys();
    (!keys.is_empty()).then(|| keys.into_iter().map(told).collect())
}

/// ssh needed a secret, and could not run the script that asks us (`ssh_askpass` in OpenSSH's
/// `readpass.c`).
fn no_askpass(login: &Login<'_>) -> Option<Failure> {
    let words = login.log.last_words();
    let (_, rest) = words.iter().find_map(|line| line.split_once("ssh_askpass: exec("))?;
    let (script, why) = rest.split_once("): ").unwrap_or((rest, "unknown"));
    let message = format!(
        "ssh asks for a secret, and cannot run {script} ({why}): where the temporary directory is mounted noexec, \
         set TMPDIR to another directory"
    );
    Some(failure(ErrorKind::Connect, message, false))
}

/// ssh failed before it tried to connect.
fn of_start(login: &Login<'_>) -> Option<Failure> {
    if login.code == Some(127) {
        let message = "OpenSSH's ssh was not found: install the OpenSSH client, or correct PATH";
        return Some(failure(ErrorKind::Connect, message, false));
    }
    let words = login.log.last_words();
    let find = |text: &str| words.iter().find(|line| line.contains(text)).copied();
    if let Some(line) = find("Bad configuration option: logverbose")
        .or(find("Bad configuration option: forkafterauthentication"))
    {
        let message = format!("this ssh is too old ({line}): OpenSSH 8.7 or later is needed");
        return Some(failure(ErrorKind::Connect, message, false));
    }
    if let Some(line) = find("command-line: line 0: ") {
        let what = line.trim_start_matches("command-line: line 0: ");
        return Some(failure(ErrorKind::Data, format!("ssh_options: {what}"), false));
    }
    let is_about_a_line = |line: &&&str| {
        let (place, what) = line.split_once(" line ").unwrap_or_default();
        !place.is_empty() && what.starts_with(|first: char| first.is_ascii_digit())
    };
    let has_ended = find("terminating, ").and(words.iter().find(is_about_a_line).copied());
    let line = has_ended.or(find("Bad owner or permissions on "))?;
    Some(failure(ErrorKind::Data, format!("ssh's configuration: {line}"), false))
}

#[cfg(test)]
mod tests;
