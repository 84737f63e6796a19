//! Host names after `@ssh/`.

use hostlink_core::{Error, ErrorKind, NameData, Result, refuse_unknown_link};

use crate::destination::{self, Destination};
use crate::fields;

const FORMS: &str = "write [user@]host[:port] or ssh://[user@]host[:port]";

/// Returns the host that the argument of `@ssh` means, with the argument as its name.
///
/// Its data always has `ssh_hostname`: in a chain, a target's name is that of the whole chain.
///
/// # Errors
///
/// [`ErrorKind::Inventory`]: there is no argument, or it is no destination.
pub(crate) fn parse(argument: Option<&str>) -> Result<NameData> {
    let Some(text) = argument else {
        return Err(refused("@ssh needs a host: write @ssh/HOST".to_owned()));
    };
    refuse_unknown_link(text, || destination::shown(text)).map_err(|error| {
        let path = destination::shown(text);
        let path = path.trim_matches('"');
        refused(format!("{} (a file of this name is ./{path})", error.message()))
    })?;
    let found = Destination::parse(text).map_err(|problem| {
        refused(format!("{} is not a valid SSH host: {problem}; {FORMS}", destination::shown(text)))
    })?;
    let mut host = NameData::new(text).with_data(fields::HOSTNAME.key, found.host);
    if let Some(user) = found.user {
        host = host.with_named(fields::USER.key, user);
    }
    if let Some(port) = found.port {
        host = host.with_named(fields::PORT.key, port);
    }
    Ok(host)
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::Inventory, message)
}

#[cfg(test)]
mod tests {
    use hostlink_core::Data;

    use super::*;

    #[test]
    fn a_name_becomes_data() {
        let hostname = |host: &str| Data::new().with("ssh_hostname", host);
        for (text, data) in [
            ("web1.example.com", hostname("web1.example.com")),
            (
                "deploy@web1:2222",
                hostname("web1").with("ssh_user", "deploy").with("ssh_port", 2222),
            ),
            ("[2001:db8::1]:2222", hostname("2001:db8::1").with("ssh_port", 2222)),
            ("2001:db8::1", hostname("2001:db8::1")),
            ("ssh://u@h:22", hostname("h").with("ssh_user", "u").with("ssh_port", 22)),
        ] {
            let named = ["ssh_user", "ssh_port"];
            let named = named.into_iter().filter(|key| data.get(key).is_some()).collect();
            let expected = NameData { data, named, ..NameData::new(text) };
            assert_eq!(parse(Some(text)).unwrap(), expected);
        }
    }

    #[test]
    fn an_unknown_host_is_reported_in_one_line() {
        for (argument, expected) in [
            (None, "@ssh needs a host: write @ssh/HOST"),
            (
                Some("-oProxyCommand=x"),
                "\"-oProxyCommand=x\" is not a valid SSH host: the host begins with \"-\", as options do; \
                 write [user@]host[:port] or ssh://[user@]host[:port]",
            ),
            (
                Some("a\nb"),
                "\"a\\nb\" is not a valid SSH host: the host contains a control character; \
                 write [user@]host[:port] or ssh://[user@]host[:port]",
            ),
            (
                Some("h/@dokcer/c"),
                "\"h/@dokcer/c\": there is no connector \"dokcer\" (a file of this name is ./h/@dokcer/c)",
            ),
            (
                Some("h/@dokcer"),
                "\"h/@dokcer\": there is no connector \"dokcer\" (a file of this name is ./h/@dokcer)",
            ),
        ] {
            let error = parse(argument).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Inventory);
            assert_eq!(error.to_string(), expected);
        }
        for text in ["", "h:0", "h:x", "a b", "@h", "-l@h", "ssh://u:hunter2@h"] {
            let error = parse(Some(text)).unwrap_err().to_string();
            assert!(!error.contains('\n') && !error.contains("hunter2"), "{error}");
        }
    }
}
