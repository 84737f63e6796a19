//! The causes that an ssh process may report for the end of a login.

use std::fmt;

use hostlink_core::{ErrorKind, quote};

use crate::fields::{ALLOW_AGENT, KEY, PASSWORD, PORT, USER};

use super::errors::{Failure, Login, failure, locked_key, subject, unusable_keys};
use super::peers::{Peer, Stage};

/// ssh's words before the first line of a server that does not speak SSH.
const FIRST_LINE: &str = "banner line 0: ";

/// OpenSSH's words before it closes a connection since it has too many, from 8.5 and 9.8 on
/// (`drop_connection` in its `sshd.c`). Other servers only close it, as a firewall does.
const TURNING_AWAY: [&str; 2] = ["Exceeded MaxStartups", "Not allowed at this time"];

/// Returns the cause that a process reports.
pub(super) fn of_peer(peer: &Peer<'_>, login: &Login<'_>) -> Option<Failure> {
    host_key(peer)
        .or_else(|| refused_login(peer, login))
        .or_else(|| no_forward(peer))
        .or_else(|| no_connection(peer))
        .or_else(|| no_handshake(peer, login))
}

fn host_key(peer: &Peer<'_>) -> Option<Failure> {
    // With the policy "no", ssh accepts a changed key, but sends no password.
    let no_password = "is disabled to avoid man-in-the-middle attacks";
    peer.after("Host key verification failed").or(peer.line_with(no_password))?;
    let who = subject(peer);
    let mut remedy: &[_] = &[];
    let message = if peer.line_with("REVOKED HOST KEY DETECTED").is_some() {
        format!("the host key of {who} is marked as revoked")
    } else if peer.line_with("IDENTIFICATION HAS CHANGED").is_some() {
        let offending = peer.after("Offending ").and_then(|rest| rest.split_once(" key in "));
        let place = offending.map_or("known_hosts", |(_, place)| place);
        let file = place.rsplit_once(':').map_or(place, |(file, _)| file);
        // `ssh-keygen -f "FILE" -R "NAME"`
        let name = peer.line_with("ssh-keygen -f ").and_then(|line| line.split_once(" -R \""));
        let name = name.map_or("HOST", |(_, name)| name.trim_end_matches('"'));
        let [name, file] = [name, file]
            .map(|word| String::from_utf8_lossy(&quote::shell(word.as_bytes())).into_owned());
        format!(
            "the host key of {who} has changed: someone may intercept the connection. The old key is in {place}; if the host is \
             known to be new, remove it with: ssh-keygen -R {name} -f {file}"
        )
    } else {
        let fingerprint = peer.after("Server host key: ").unwrap_or("of unknown type");
        remedy = &["ssh_strict_host_key_checking"];
        format!(
            "the host key of {who} ({fingerprint}) is not known: add it to known_hosts, or set \
             ssh_strict_host_key_checking=accept-new"
        )
    };
    Some(failure(ErrorKind::HostKey, message, false).with_remedy(remedy))
}

fn refused_login(peer: &Peer<'_>, login: &Login<'_>) -> Option<Failure> {
    let who = subject(peer);
    let keys = peer.offered_keys();
    if peer.line_with("Too many authentication failures").is_some() {
        let message = format!(
            "{who} refused the login after too many tries ({}): name the right key with ssh_key, or set \
             ssh_allow_agent=false",
            Tried(&keys)
        );
        let remedy = &[KEY.key, ALLOW_AGENT.key];
        return Some(failure(ErrorKind::Auth, message, false).with_remedy(remedy));
    }
    let (_, methods) =
        peer.line_with(": Permission denied (")?.split_once(": Permission denied (")?;
    let methods = methods.trim_end_matches(['.', ')']).replace(',', ", ");
    let answered = || login.notes.answered.iter().filter(|name| is_about(peer, name)).count() > 0;
    if let Some(locked) = locked_key(peer, login) {
        return Some(locked);
    }
    if answered() {
        let message = format!("{who} refused the password; it accepts: {methods}");
        return Some(failure(ErrorKind::Auth, message, false));
    }
    let unusable = unusable_keys(peer).unwrap_or_default();
    let message = format!(
        "{unusable}{who} refused the login; it accepts: {methods}; {}: check ssh_user and ssh_key, or set ssh_password",
        Tried(&keys)
    );
    let remedy = &[USER.key, KEY.key, PASSWORD.key];
    Some(failure(ErrorKind::Auth, message, false).with_remedy(remedy))
}

/// Returns whether a `user@host` of a question is this peer's.
fn is_about(peer: &Peer<'_>, name: &str) -> bool {
    let place = peer.place().unwrap_or_default().to_lowercase();
    let user = |text: &str| text.rsplit_once('@').map(|(user, _)| user.to_owned());
    place.starts_with(&format!("{}:", name.to_lowercase()))
        // Questions may name the host by its alias.
        || !peer.is_jump && user(&place) == user(&name.to_lowercase())
}

struct Tried<'a>(&'a [String]);

impl fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("no key was tried"),
            keys => write!(f, "tried the keys {}", keys.join(", ")),
        }
    }
}

/// A jump host that cannot reach the next host.
fn no_forward(peer: &Peer<'_>) -> Option<Failure> {
    let (_, why) = peer.line_with(": open failed: ")?.split_once(": open failed: ")?;
    let who = subject(peer);
    let may_not = why.starts_with("administratively prohibited");
    let message = if may_not {
        format!("{who} does not allow connections through it ({why})")
    } else {
        format!("{who} cannot reach the next host: {why}")
    };
    let for_now = ["refused", "timed out", "route", "unreachable", "Temporary"];
    Some(failure(ErrorKind::Connect, message, for_now.iter().any(|word| why.contains(word))))
}

fn no_connection(peer: &Peer<'_>) -> Option<Failure> {
    let jump = if peer.is_jump { "the jump host " } else { "" };
    if let Some(rest) = peer.after("ssh: Could not resolve hostname ") {
        let (host, why) = rest.split_once(": ").unwrap_or((rest, "unknown"));
        let message = format!(
            "the name of {jump}{host} cannot be resolved: {why} (check ssh_hostname, or DNS)"
        );
        return Some(failure(ErrorKind::Connect, message, why.contains("Temporary")));
    }
    let rest = peer.after("ssh: connect to host ")?;
    let (place, why) = rest.split_once(": ").unwrap_or((rest, "unknown"));
    let advice = match why {
        "Connection refused" => " (does sshd listen on that port?)",
        "Connection timed out" => " (wrong address, or a firewall)",
        "No route to host" | "Network is unreachable" => " (check the network, or the address)",
        _ => "",
    };
    let message = format!("cannot connect to {jump}{place}: {why}{advice}");
    Some(failure(ErrorKind::Connect, message, true))
}

/// The connection ended before, or during, the login.
fn no_handshake(peer: &Peer<'_>, login: &Login<'_>) -> Option<Failure> {
    let who = subject(peer);
    if let Some(line) = peer.line_with("Unable to negotiate with ") {
        let (_, why) = line.split_once(": ").unwrap_or(("", line));
        return Some(failure(
            ErrorKind::Connect,
            format!("{who} and ssh have no algorithm in common: {why}"),
            false,
        ));
    }
    if peer.line_with("timed out during banner exchange").is_some() {
        let message =
            format!("connected to {who}, but no SSH banner came (ConnectTimeout of ssh_config)");
        return Some(failure(ErrorKind::Connect, message, true));
    }
    let ends =
        ["Connection closed", "Connection reset", "Received disconnect from ", "Broken pipe"];
    let end = ends.iter().find_map(|end| peer.line_with(end))?;
    if peer.stage() == Stage::Done {
        return None;
    }
    if peer.after("Executing proxy command: ").is_some() && peer.stage() == Stage::Greeting {
        // A proxy that is no ssh of ours has only its words.
        let said = login.log.lines().rev().find(|line| line.pid.is_none()).map(|line| &*line.text);
        let why = said.unwrap_or("it said nothing");
        return Some(failure(
            ErrorKind::Connect,
            format!("the proxy ended before {who} greeted: {why}"),
            true,
        ));
    }
    let said = peer.line_with(FIRST_LINE).and_then(|line| line.split_once(FIRST_LINE));
    let (turned_away, message) = match (peer.stage(), said) {
        (Stage::Greeting, Some((_, said))) if TURNING_AWAY.iter().any(|it| said.contains(it)) => (
            true,
            format!(
                "{who} closed the connection at once, saying \"{said}\" (MaxStartups of its sshd?)"
            ),
        ),
        (Stage::Greeting, Some((_, said))) => {
            let message = format!(
                "{who} is no SSH server: it says \"{said}\" (check ssh_port, or the proxy)"
            );
            let failure = failure(ErrorKind::Connect, message, false);
            return Some(failure.with_remedy(&[PORT.key]));
        }
        (Stage::Greeting, None) => (
            true,
            format!(
                "{who} closed the connection before its SSH banner (MaxStartups of its sshd, or a firewall?)"
            ),
        ),
        (Stage::Authentication, _) => {
            (false, format!("{who} closed the connection during the login: {end}"))
        }
        _ => (false, format!("{who} closed the connection during the SSH handshake: {end}")),
    };
    Some(Failure { turned_away, ..failure(ErrorKind::Connect, message, true) })
}
