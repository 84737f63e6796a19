//! The ssh processes of a login, the target's and one for each jump host, and the progress of each.

use super::log::Log;

/// One ssh process.
#[derive(Debug)]
pub(crate) struct Peer<'a> {
    /// Whether it is the process for a jump host.
    pub(crate) is_jump: bool,
    lines: Vec<&'a str>,
}

/// The progress of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    LookingUp,
    Connecting,
    Greeting,
    KeyExchange,
    Authentication,
    Done,
}

impl<'a> Peer<'a> {
    /// Returns the processes of a login: the target's first, the first hop's last.
    pub(crate) fn all(log: &'a Log, master: Option<i32>) -> Vec<Self> {
        let mut peers: Vec<(i32, Self)> = Vec::new();
        for line in log.lines() {
            let Some(pid) = line.pid else { continue };
            match peers.iter_mut().find(|(known, _)| *known == pid) {
                Some((_, peer)) => peer.lines.push(&line.text),
                None => {
                    let is_jump = master != Some(pid);
                    peers.push((pid, Self { is_jump, lines: vec![&line.text] }));
                }
            }
        }
        peers.into_iter().map(|(_, peer)| peer).collect()
    }

    /// Returns the last line that contains `text`.
    pub(crate) fn line_with(&self, text: &str) -> Option<&'a str> {
        self.lines.iter().rev().find(|line| line.contains(text)).copied()
    }

    /// Returns the rest of the last line that starts with `start`.
    pub(crate) fn after(&self, start: &str) -> Option<&'a str> {
        self.lines.iter().rev().find_map(|line| line.strip_prefix(start))
    }

    /// Returns the rests of all lines that start with `start`.
    pub(crate) fn every_after(&self, start: &str) -> Vec<&'a str> {
        self.lines.iter().filter_map(|line| line.strip_prefix(start)).collect()
    }

    /// Returns its progress.
    pub(crate) fn stage(&self) -> Stage {
        let has = |start| self.after(start).is_some();
        if has("Authenticated to ") {
            Stage::Done
        } else if has("Host '") || has("Warning: Permanently added ") || has("SSH2_MSG_SERVICE_ACC")
        {
            Stage::Authentication
        } else if has("Remote protocol version ") {
            Stage::KeyExchange
        } else if has("Connection established") || has("Executing proxy command: ") {
            Stage::Greeting
        } else if has("Connecting to ") {
            Stage::Connecting
        } else {
            Stage::LookingUp
        }
    }

    /// Returns `user@host`, `host port 22` or `host`, as far as it is known.
    pub(crate) fn place(&self) -> Option<String> {
        // Authenticating to HOST:PORT as 'USER'
        if let Some((place, user)) =
            self.after("Authenticating to ").and_then(|rest| rest.split_once(" as "))
        {
            return Some(format!("{}@{place}", user.trim_matches('\'')));
        }
        // Connecting to HOST [ADDRESS] port PORT.
        if let Some((host, rest)) =
            self.after("Connecting to ").and_then(|rest| rest.split_once(" ["))
        {
            let port =
                rest.split_once("] port ").map_or("", |(_, port)| port.trim_end_matches('.'));
            return Some(format!("{host}:{port}"));
        }
        self.after("lookup ").map(ToOwned::to_owned)
    }

    /// Returns the files of keys that ssh could not use, each with ssh's message.
    pub(crate) fn unusable_keys(&self) -> Vec<(&'a str, &'a str)> {
        // `load_identity_file` in OpenSSH's `sshconnect2.c`. It reports a missing file only if it
        // was named.
        let file = |line: &'a str| {
            let missing = || line.strip_prefix("no such identity: ")?.split_once(": ");
            let (file, _) = match line.strip_prefix("Load key \"") {
                Some(rest) => rest.rsplit_once("\": ")?,
                None => missing()?,
            };
            Some((file, line))
        };
        self.lines.iter().filter_map(|line| file(line)).collect()
    }

    /// Returns the keys that the server did not accept: file, type and fingerprint.
    ///
    /// If ssh cannot load a key, it has offered the public half, and the server accepted it.
    pub(crate) fn offered_keys(&self) -> Vec<String> {
        let unusable = self.unusable_keys();
        let shown = |key: &&str| {
            let words: Vec<&str> = key.split_whitespace().collect();
            let fingerprint = words.iter().position(|word| word.starts_with("SHA256:"))?;
            let name = words.get(..fingerprint.checked_sub(1)?)?.join(" ");
            let from_agent = words.get(fingerprint + 1..)?.contains(&"agent");
            if unusable.iter().any(|(file, _)| *file == name) {
                return None;
            }
            Some(if from_agent { format!("{name} (agent)") } else { name })
        };
        self.every_after("Offering public key: ").iter().filter_map(shown).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_are_in_the_order_of_their_appearance() {
        let mut log = Log::default();
        log.push(
            b"debug1: s.c:f():1 (pid=1): Executing proxy command: exec ssh\n\
              debug1: s.c:f():1 (pid=2): Connecting to b [10.0.0.1] port 2222.\n\
              debug1: s.c:f():1 (pid=2): Connection established.\n\
              debug1: s.c:f():1 (pid=2): Offering public key: /a b/id ED25519 SHA256:x explicit\n\
              debug1: s.c:f():1 (pid=2): Offering public key: me@h RSA SHA256:x agent\n",
        );
        let peers = Peer::all(&log, Some(1));
        assert_eq!([peers[0].is_jump, peers[1].is_jump], [false, true]);
        assert_eq!([peers[0].stage(), peers[1].stage()], [Stage::Greeting, Stage::Greeting]);
        assert_eq!(peers[1].place().as_deref(), Some("b:2222"));
        assert_eq!(peers[1].offered_keys(), ["/a b/id", "me@h (agent)"]);
        assert_eq!(peers[1].unusable_keys(), []);
    }

    #[test]
    fn a_key_that_cannot_be_loaded_was_not_refused() {
        let mut log = Log::default();
        log.push(
            b"debug1: s.c:f():1 (pid=1): Offering public key: /a \": b ED25519 SHA256:x explicit\n\
              s.c:f():1 (pid=1): Load key \"/a \": b\": error in libcrypto\n\
              s.c:f():1 (pid=1): no such identity: /c: No such file or directory\n",
        );
        let peer = &Peer::all(&log, Some(1))[0];
        assert_eq!(peer.offered_keys(), [""; 0]);
        let files: Vec<&str> = peer.unusable_keys().iter().map(|(file, _)| *file).collect();
        assert_eq!(files, ["/a \": b", "/c"]);
    }
}
