//! The argument of `@dockerssh/`.

use std::net::Ipv6Addr;

use hostlink_core::{Error, ErrorKind, Result};

/// The meaning of a name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Meaning<'a> {
    /// A container or an image on the engine of a host.
    OnHost {
        /// `[user@]host[:port]`.
        host: &'a str,
        /// A container's name or ID, or an image.
        name: &'a str,
    },
    /// A container on this machine's engine, through its own SSH server.
    Container(&'a str),
}

/// Splits `HOST:NAME` at the first colon that is neither in brackets nor before a port. pyinfra
/// does the same without these exceptions.
///
/// # Errors
///
/// [`ErrorKind::Inventory`] if a part is missing.
pub(crate) fn parse<'a>(connector: &str, argument: Option<&'a str>) -> Result<Meaning<'a>> {
    let refused = |problem: &str| {
        let shown = argument.map(|text| format!("/{text}")).unwrap_or_default();
        let forms = format!(
            "write @{connector}/HOST:CONTAINER, @{connector}/HOST:IMAGE or @{connector}/CONTAINER"
        );
        Error::new(ErrorKind::Inventory, format!("@{connector}{shown}: {problem}; {forms}"))
    };
    let text = argument.filter(|text| !text.is_empty()).ok_or_else(|| refused("it is empty"))?;
    if text.contains("://") {
        return Err(refused("write HOST without a scheme"));
    }
    let bare = text.rsplit_once(':').map_or(text, |(host, _)| host);
    if [text, bare].iter().any(|host| host.parse::<Ipv6Addr>().is_ok()) {
        return Err(refused("write an IPv6 address in brackets"));
    }
    let Some(colon) = first_colon(text) else { return Ok(Meaning::Container(text)) };
    let (host, name) = (&text[..colon], &text[colon + 1..]);
    let (host, name) = match name.split_once(':') {
        Some((port, rest)) if is_number(port) => (&text[..colon + 1 + port.len()], rest),
        _ => (host, name),
    };
    if host.is_empty() {
        return Err(refused("there is no host before the colon"));
    }
    if name.is_empty() {
        return Err(refused("there is no container or image after the colon"));
    }
    Ok(Meaning::OnHost { host, name })
}

/// Colons in brackets belong to an IPv6 address.
fn first_colon(text: &str) -> Option<usize> {
    let from = text.find('[').and_then(|open| text[open..].find(']').map(|close| open + close));
    let from = from.unwrap_or(0);
    text[from..].find(':').map(|at| from + at)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_a_name_are_parted_at_the_first_colon() {
        for (text, host, name) in [
            ("web1:app", "web1", "app"),
            ("web1:debian:12", "web1", "debian:12"),
            ("deploy@web1:registry.example/a/b:1", "deploy@web1", "registry.example/a/b:1"),
            ("web1:2222:app", "web1:2222", "app"),
            ("[2001:db8::1]:app", "[2001:db8::1]", "app"),
            ("deploy@[2001:db8::1]:2222:debian:12", "deploy@[2001:db8::1]:2222", "debian:12"),
            ("web1:sha256:0123", "web1", "sha256:0123"),
            ("web1:12", "web1", "12"),
        ] {
            assert_eq!(parse("dockerssh", Some(text)).unwrap(), Meaning::OnHost { host, name });
        }
        assert_eq!(parse("dockerssh", Some("app")).unwrap(), Meaning::Container("app"));
    }

    #[test]
    fn an_empty_name_is_reported_in_one_line() {
        for (argument, problem) in [
            (None, "@dockerssh: it is empty; "),
            (Some(""), "@dockerssh/: it is empty; "),
            (Some(":app"), "@dockerssh/:app: there is no host before the colon; "),
            (Some("web1:"), "@dockerssh/web1:: there is no container or image after the colon; "),
            (Some("ssh://web1:app"), "@dockerssh/ssh://web1:app: write HOST without a scheme"),
            (
                Some("2001:db8::1:c0"),
                "@dockerssh/2001:db8::1:c0: write an IPv6 address in brackets",
            ),
            (Some("::1:app"), "@dockerssh/::1:app: write an IPv6 address in brackets"),
            (Some("web1:22:"), "@dockerssh/web1:22:: there is no container or image"),
        ] {
            let error = parse("dockerssh", argument).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Inventory);
            assert!(error.to_string().starts_with(problem), "{error}");
        }
    }
}
