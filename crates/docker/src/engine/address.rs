//! The address of an engine, as in `DOCKER_HOST`.

/// A parsed address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// A Unix socket's path.
    Unix(String),
    /// A host and port; with TLS if the scheme says so.
    Tcp { host: String, port: Option<u16>, tls: bool },
}

const FORMS: &str = "write unix:///PATH, tcp://HOST:PORT or https://HOST:PORT";

impl Address {
    /// Parses an address. A path alone is a socket.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with it, and what to write.
    pub(crate) fn parse(text: &str, word: &str) -> Result<Self, String> {
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(format!("{text:?} is not an engine address: {FORMS}"));
        }
        if text.starts_with('/') {
            return Ok(Self::Unix(text.to_owned()));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(format!("{text:?} is not an engine address: {FORMS}"));
        };
        match scheme {
            "unix" if rest.starts_with('/') => Ok(Self::Unix(rest.to_owned())),
            "unix" => Err(format!("{text:?}: the path of a socket starts with /")),
            "tcp" | "http" => Self::tcp(text, rest, false),
            "https" => Self::tcp(text, rest, true),
            "ssh" => Err(over_ssh(text, rest, word)),
            _ => Err(format!("{text:?}: {scheme}:// is not supported: {FORMS}")),
        }
    }

    fn tcp(text: &str, rest: &str, tls: bool) -> Result<Self, String> {
        let wrong = || format!("{text:?}: write HOST:PORT after ://");
        let place = rest.strip_suffix('/').unwrap_or(rest);
        if place.contains(['/', '@', '?', '#']) {
            return Err(wrong());
        }
        let (host, port) = match place.strip_prefix('[').and_then(|it| it.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, Some(port.strip_prefix(':').ok_or_else(wrong)?)),
            None => match place.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            },
        };
        let port = port.map(str::parse).transpose().map_err(|_| wrong())?;
        // docker does so for `tcp://:2375`.
        let host = if host.is_empty() { "localhost" } else { host };
        Ok(Self::Tcp { host: host.to_owned(), port, tls })
    }
}

fn over_ssh(text: &str, rest: &str, word: &str) -> String {
    // The text before the last @ may contain a password, and is not shown.
    let host = rest.rsplit('@').next().unwrap_or(rest);
    let host = host.split(['/', ':']).next().unwrap_or(host);
    let shown = if rest.contains(':') && rest.contains('@') { "ssh://…" } else { text };
    format!(
        "{shown}: hostlink reaches an engine over SSH by the target's name: write \
         @{word}ssh/{host}:CONTAINER or @ssh/{host}/@{word}/CONTAINER"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let tcp = |host: &str, port, tls| Address::Tcp { host: host.to_owned(), port, tls };
        for (text, address) in [
            ("unix:///run/d.sock", Address::Unix("/run/d.sock".to_owned())),
            ("/run/d.sock", Address::Unix("/run/d.sock".to_owned())),
            ("tcp://10.0.0.1:2375", tcp("10.0.0.1", Some(2375), false)),
            ("tcp://[::1]:2375/", tcp("::1", Some(2375), false)),
            ("http://h", tcp("h", None, false)),
            ("https://h:1", tcp("h", Some(1), true)),
            ("tcp://:2375", tcp("localhost", Some(2375), false)),
        ] {
            assert_eq!(Address::parse(text, "docker"), Ok(address));
        }
    }

    #[test]
    fn what_is_no_address_says_what_to_write() {
        for text in
            ["", "h:2375", "unix://d.sock", "tcp://h:x", "tcp://h/x", "fd://", "npipe:////./p"]
        {
            let problem = Address::parse(text, "docker").unwrap_err();
            assert!(!problem.contains('\n') && problem.contains(": "), "{problem}");
        }
        let problem = Address::parse("ssh://me:hunter2@web1:22/x", "docker").unwrap_err();
        assert!(problem.contains("@dockerssh/web1:CONTAINER or @ssh/web1/@docker/CONTAINER"));
        assert!(!problem.contains("hunter2"), "{problem}");
    }
}
