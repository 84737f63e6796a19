//! Parses and checks `[user@]host[:port]` and `ssh://[user@]host[:port]`.
//!
//! What is refused here never reaches the arguments of ssh. A problem is the end of a sentence,
//! without the text itself, which may be a secret.

use std::fmt;
use std::net::Ipv6Addr;

use hostlink_core::MASK;

/// The characters that OpenSSH refuses in a host name: `valid_hostname` in its `ssh.c`.
const NOT_IN_HOSTS: &str = "'`\"$\\;&<>|(){},";
/// The characters that it refuses in a user's name: `valid_ruser`.
const NOT_IN_USERS: &str = "'`\";&<>|(){}";

/// Where to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    pub(crate) user: Option<String>,
    /// A name or an address; IPv6 without brackets.
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
}

impl Destination {
    /// Parses a text. The last `@` ends the user, as with ssh. Only URIs have percent escapes.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let destination = match text.strip_prefix("ssh://") {
            Some(rest) => Self::parse_uri(rest)?,
            None if text.contains("://") => return Err("ssh:// is the only scheme".to_owned()),
            None => Self::parse_plain(text)?,
        };
        if let Some(user) = &destination.user {
            check_user(user).map_err(|problem| format!("the user {problem}"))?;
        }
        check_host(&destination.host).map_err(|problem| format!("the host {problem}"))?;
        Ok(destination)
    }

    fn parse_uri(rest: &str) -> Result<Self, String> {
        let mut found = Self::parse_plain(rest.strip_suffix('/').unwrap_or(rest))?;
        if let Some(user) = &found.user {
            if user.contains(':') {
                return Err("a name holds no password: use ssh_password".to_owned());
            }
            found.user = Some(percent_decoded(user).ok_or("a percent escape is wrong")?);
        }
        Ok(found)
    }

    fn parse_plain(text: &str) -> Result<Self, String> {
        let (user, rest) = match text.rsplit_once('@') {
            Some((user, rest)) => (Some(user.to_owned()), rest),
            None => (None, text),
        };
        let (host, port) = split_port(rest)?;
        let port = port.map(parse_port).transpose()?;
        Ok(Self { user, host: host.to_owned(), port })
    }
}

/// The plain form, with an IPv6 address in brackets.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match self.host.contains(':') {
            true => write!(f, "[{}]", self.host)?,
            false => f.write_str(&self.host)?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Checks a user's name.
pub(crate) fn check_user(user: &str) -> Result<(), String> {
    check_word(user, NOT_IN_USERS)?;
    if user.trim() != user {
        return Err("begins or ends with white space".to_owned());
    }
    // As in `valid_ruser`: the name may be an argument of programs in ssh's configuration.
    if user.split(char::is_whitespace).any(|word| word.starts_with('-')) {
        return Err("holds \"-\" after white space, as options do".to_owned());
    }
    match user.ends_with('\\') {
        true => Err("ends in a backslash".to_owned()),
        false => Ok(()),
    }
}

/// Checks a host name or an address without brackets and port.
pub(crate) fn check_host(host: &str) -> Result<(), String> {
    // A short cut for nearly all hosts of a large inventory.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if !host.is_empty() && !host.starts_with('-') && host.bytes().all(is_plain) {
        return Ok(());
    }
    check_word(host, NOT_IN_HOSTS)?;
    if host.chars().any(char::is_whitespace) {
        return Err("holds white space".to_owned());
    }
    if host.contains(':') && !is_ipv6(host) {
        return Err("contains \":\", but is not an IPv6 address".to_owned());
    }
    // ssh would read a user or a URI in its argument.
    refuse_any(host, "@/[]")
}

/// Refuses what no argument of ssh may be.
fn check_word(word: &str, refused: &str) -> Result<(), String> {
    if word.is_empty() {
        return Err("is empty".to_owned());
    }
    if word.starts_with('-') {
        return Err("begins with \"-\", as options do".to_owned());
    }
    if word.chars().any(char::is_control) {
        return Err("contains a control character".to_owned());
    }
    refuse_any(word, refused)
}

fn refuse_any(word: &str, refused: &str) -> Result<(), String> {
    match word.chars().find(|c| refused.contains(*c)) {
        Some(found) => Err(format!("holds the character {found}")),
        None => Ok(()),
    }
}

/// Returns the text of an invalid destination, quoted, with a password masked.
pub(crate) fn shown(text: &str) -> String {
    let scheme = text.find("://").map(|at| at + "://".len());
    let start = scheme.unwrap_or(0);
    let masked = text.rfind('@').filter(|at| *at > start).and_then(|end| {
        let colon = start + text[start..end].find(':')?;
        // Without a scheme, a comma ends a hop, whose port follows the colon.
        let is_hop = scheme.is_none() && text[colon..end].contains(',');
        (!is_hop).then(|| format!("{}:{MASK}{}", &text[..colon], &text[end..]))
    });
    format!("{:?}", masked.as_deref().unwrap_or(text))
}

fn split_port(text: &str) -> Result<(&str, Option<&str>), String> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']').ok_or("\"]\" is missing")?;
        return match (rest.is_empty(), rest.strip_prefix(':')) {
            (true, _) => Ok((host, None)),
            (_, Some(port)) => Ok((host, Some(port))),
            _ => Err("only \":port\" may follow \"]\"".to_owned()),
        };
    }
    match text.split_once(':') {
        None => Ok((text, None)),
        Some((host, port)) if !port.contains(':') => Ok((host, Some(port))),
        Some(_) if is_ipv6(text) => Ok((text, None)),
        Some(_) => Err("an IPv6 address with a port is written [address]:port".to_owned()),
    }
}

fn parse_port(text: &str) -> Result<u16, String> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|port| digits && *port > 0);
    port.ok_or_else(|| "the port is not a number from 1 to 65535".to_owned())
}

fn is_ipv6(text: &str) -> bool {
    let (address, zone) = text.split_once('%').unwrap_or((text, "0"));
    address.parse::<Ipv6Addr>().is_ok() && !zone.is_empty() && !zone.contains([':', '%'])
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2).filter(|it| it.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Option<String>, String, Option<u16>) {
        let found = Destination::parse(text).unwrap_or_else(|problem| panic!("{text}: {problem}"));
        (found.user, found.host, found.port)
    }

    #[test]
    fn every_form_is_taken_apart_and_written_again() {
        for (text, user, host, port, plain) in [
            ("web1", None, "web1", None, "web1"),
            ("WEB_1.example.com.", None, "WEB_1.example.com.", None, "WEB_1.example.com."),
            ("u@h:1", Some("u"), "h", Some(1), "u@h:1"),
            ("h:65535", None, "h", Some(65535), "h:65535"),
            ("me@corp@h", Some("me@corp"), "h", None, "me@corp@h"),
            ("a@b:SSH:c@h", Some("a@b:SSH:c"), "h", None, "a@b:SSH:c@h"),
            ("DOM\\u@h", Some("DOM\\u"), "h", None, "DOM\\u@h"),
            ("u x@h", Some("u x"), "h", None, "u x@h"),
            ("ssh://u%20x@h", Some("u x"), "h", None, "u x@h"),
            ("2001:db8::1", None, "2001:db8::1", None, "[2001:db8::1]"),
            ("[2001:db8::1]:2222", None, "2001:db8::1", Some(2222), "[2001:db8::1]:2222"),
            ("u@[::1]", Some("u"), "::1", None, "u@[::1]"),
            ("u@fe80::1%eth0", Some("u"), "fe80::1%eth0", None, "u@[fe80::1%eth0]"),
            ("[web1]:22", None, "web1", Some(22), "web1:22"),
            ("ssh://h", None, "h", None, "h"),
            ("ssh://u@h:22/", Some("u"), "h", Some(22), "u@h:22"),
            ("ssh://me%40corp@[::1]:22", Some("me@corp"), "::1", Some(22), "me@corp@[::1]:22"),
            ("bücher.example", None, "bücher.example", None, "bücher.example"),
        ] {
            assert_eq!(parsed(text), (user.map(str::to_owned), host.to_owned(), port), "{text}");
            assert_eq!(Destination::parse(text).unwrap().to_string(), plain);
        }
    }

    #[test]
    fn what_is_no_destination_is_refused() {
        for (text, expected) in [
            ("", "the host is empty"),
            ("u@", "the host is empty"),
            (":22", "the host is empty"),
            ("[]:22", "the host is empty"),
            ("ssh://", "the host is empty"),
            ("@h", "the user is empty"),
            ("-oProxyCommand=x", "the host begins with \"-\""),
            ("u@-oProxyCommand=x", "the host begins with \"-\""),
            ("[-oProxyCommand=x]:22", "the host begins with \"-\""),
            ("ssh://-oProxyCommand=x", "the host begins with \"-\""),
            ("-oProxyCommand=x@h", "the user begins with \"-\""),
            ("ssh://%2DoProxyCommand=x@h", "the user begins with \"-\""),
            ("a b", "the host holds white space"),
            ("a\u{a0}b", "the host holds white space"),
            ("a\nb", "the host contains a control character"),
            ("a\0b", "the host contains a control character"),
            ("u\u{1b}@h", "the user contains a control character"),
            ("ssh://u%0a@h", "the user contains a control character"),
            (" u@h", "the user begins or ends with white space"),
            ("u @h", "the user begins or ends with white space"),
            ("u -oProxyCommand=x@h", "the user holds \"-\" after white space"),
            ("u@a b", "the host holds white space"),
            ("$(x)", "the host holds the character $"),
            ("a,b", "the host holds the character ,"),
            ("a;b", "the host holds the character ;"),
            ("a`x`@h", "the user holds the character `"),
            ("ssh://u;fingerprint=x@h", "the user holds the character ;"),
            ("u\\@h", "the user ends in a backslash"),
            ("h/x", "the host holds the character /"),
            ("ssh://h/x", "the host holds the character /"),
            ("h]", "the host holds the character ]"),
            ("[::1", "\"]\" is missing"),
            ("[::1]22", "only \":port\""),
            ("[a:b]:22", "the host contains \":\", but is not"),
            ("fe80::1%", "written [address]:port"),
            ("h:22:33", "written [address]:port"),
            ("h:0", "the port is not a number"),
            ("h:70000", "the port is not a number"),
            ("h:", "the port is not a number"),
            ("h:+22", "the port is not a number"),
            ("h:ssh", "the port is not a number"),
            ("ssh://u%4@h", "a percent escape is wrong"),
            ("ssh://u%+1@h", "a percent escape is wrong"),
            ("ssh://u%ff@h", "a percent escape is wrong"),
            ("ssh://u:hunter2@h", "a name holds no password"),
            ("sftp://h", "ssh:// is the only scheme"),
        ] {
            let problem = Destination::parse(text).expect_err(text);
            assert!(problem.contains(expected), "{text:?}: {problem}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        for (text, expected) in [
            ("ssh://u:hunter2@h:22", "\"ssh://u:***@h:22\""),
            ("ssh://u:hun@ter2@h", "\"ssh://u:***@h\""),
            ("a:22,ssh://u:hunter2@h", "\"a:22,ssh://u:***@h\""),
            ("sftp://:hunter2@h", "\"sftp://:***@h\""),
            ("u:hunter2@h:0", "\"u:***@h:0\""),
            ("a:22,u@h:0", "\"a:22,u@h:0\""),
            ("a\nb:0", "\"a\\nb:0\""),
            ("@a", "\"@a\""),
            ("a@://", "\"a@://\""),
        ] {
            assert_eq!(shown(text), expected);
        }
    }
}
