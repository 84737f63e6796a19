//! `rsync SRC DEST -- FLAGS`: rsync between this machine and one target, through the link.
//!
//! The local rsync starts this program again instead of ssh (`relay`). That process passes its
//! standard streams to the running one (`channel`), which runs the command on the link (`serve`).
//!
//! # How rsync runs
//!
//! The local rsync is a child of the command, which names itself as `--rsh`. rsync starts that
//! second process, the relay (`crates/cli/src/rsync/relay.rs`), with the remote command. The relay
//! sends its two standard streams, as descriptors, and the command over a socket to the first
//! process, and waits for an exit status. So the bytes flow from rsync's socket into the pump,
//! without a second copy. The command runs like any other: the pump handles privilege, passwords
//! and kills. The socket is in a directory of mode 0700, and only connections of the same user are
//! accepted. On a signal, the local rsync first gets SIGTERM; the other one then sees the end of
//! its input and cleans up, or is killed.

mod channel;
mod flags;
mod local;
mod relay;
mod serve;
mod socket;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use clap::ArgMatches;
use hostlink::Result;

use crate::explain::usage;
use crate::grammar::{DEST, FLAGS, SRC};

pub(crate) use relay::relay;
pub(crate) use serve::Session;

/// The target's name for rsync. The real one may look like a path or like an option.
const HOST: &str = "target";

/// The program's name, here and on the target.
const PROGRAM: &str = "rsync";

/// Returns whether this machine has rsync.
pub(crate) fn is_installed() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(PROGRAM).is_file())
}

/// A copy to make: its source, its destination and rsync's flags.
#[derive(Debug)]
pub(crate) struct Rsync {
    flags: Vec<OsString>,
    source: Place,
    destination: Place,
}

/// One end of the copy.
#[derive(Debug, PartialEq)]
enum Place {
    Here(OsString),
    There(OsString),
}

impl Rsync {
    /// Parses and checks the words of a command line.
    pub(crate) fn read(matches: &ArgMatches) -> Result<Self> {
        let place = |id: &str| {
            let path = matches.get_one::<OsString>(id).expect("the grammar requires both paths");
            Place::read(path, id)
        };
        let (source, destination) = (place(SRC)?, place(DEST)?);
        match (&source, &destination) {
            (Place::Here(_), Place::Here(_)) => {
                return Err(usage("neither SRC nor DEST is on the target: put a colon before one"));
            }
            (Place::There(_), Place::There(_)) => {
                return Err(usage(
                    "SRC and DEST are both on the target: rsync copies to or from it",
                ));
            }
            _ => {}
        }
        let flags: Vec<OsString> = matches.get_many(FLAGS).into_iter().flatten().cloned().collect();
        flags::check(&flags)?;
        Ok(Self { flags, source, destination })
    }

    /// Returns the words for the local rsync. `rsh` is the command that it starts instead of ssh.
    fn words(&self, rsh: OsString) -> Vec<OsString> {
        let mut option = OsString::from("--rsh=");
        option.push(rsh);
        // It comes first, so that a user's flag without its value cannot consume it.
        let mut words = vec![option];
        if self.needs_protocol() && !flags::has_old_args(&self.flags) {
            words.push("--secluded-args".into());
        }
        words.extend(self.flags.iter().cloned());
        words.push("--".into());
        words.extend([self.source.operand(), self.destination.operand()]);
        words
    }

    /// Returns whether the remote path must be sent in rsync's protocol: its own escaping for the
    /// shell (since 3.2.4; before, there was none) loses newlines. In the protocol, `~` is not
    /// expanded.
    fn needs_protocol(&self) -> bool {
        [&self.source, &self.destination].into_iter().any(|place| match place {
            Place::Here(_) => false,
            Place::There(path) => {
                let path = path.as_encoded_bytes();
                !path.starts_with(b"~") && !is_plain(path)
            }
        })
    }
}

impl Place {
    /// A leading colon means the target.
    fn read(path: &OsStr, id: &str) -> Result<Self> {
        match path.as_encoded_bytes() {
            [] => Err(usage(format!("{id} is empty: name a file or directory"))),
            [b':', b':', ..] => Err(usage(format!(
                "{id}: two colons mean an rsync daemon; a file of such a name is :./:name"
            ))),
            [b':', ..] => Ok(Self::There(without_colon(path))),
            _ => Ok(Self::Here(path.to_owned())),
        }
    }

    /// Returns it as an argument of rsync.
    fn operand(&self) -> OsString {
        let (mut operand, path) = match self {
            Self::Here(path) => (OsString::new(), path),
            Self::There(path) => (OsString::from(format!("{HOST}:")), path),
        };
        if self.needs_dot() {
            operand.push("./");
        }
        operand.push(path);
        operand
    }

    /// Returns whether rsync would read the path as an option, or as one on a host.
    fn needs_dot(&self) -> bool {
        let (Self::Here(path) | Self::There(path)) = self;
        let path = path.as_encoded_bytes();
        let first = path.split(|byte| *byte == b'/').next().unwrap_or_default();
        path.starts_with(b"-") || matches!(self, Self::Here(_)) && first.contains(&b':')
    }
}

/// Returns the path after its colon.
fn without_colon(path: &OsStr) -> OsString {
    OsStr::from_bytes(&path.as_bytes()[1..]).to_owned()
}

/// Returns whether every shell and every rsync read it the same. Wildcards, and a backslash before
/// one, are read on the target in any case.
fn is_plain(path: &[u8]) -> bool {
    const WILDCARDS: &[u8] = b"*?[]";
    let is_plain = |at: usize, byte: u8| match byte {
        b'\\' => path.get(at + 1).is_some_and(|next| WILDCARDS.contains(next)),
        byte if byte.is_ascii_alphanumeric() || !byte.is_ascii() => true,
        byte => WILDCARDS.contains(&byte) || b"@%+=:,./-_~^".contains(&byte),
    };
    path.iter().enumerate().all(|(at, byte)| is_plain(at, *byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(path: &str) -> Place {
        Place::read(path.as_ref(), "SRC").unwrap()
    }

    fn rsync(source: &str, destination: &str, flags: &[&str]) -> Rsync {
        let flags = flags.iter().map(Into::into).collect();
        Rsync { flags, source: place(source), destination: place(destination) }
    }

    #[test]
    fn a_path_is_never_an_option_or_a_host() {
        for (path, operand) in [
            ("a", "a"),
            ("/a:b", "/a:b"),
            ("a/b:c", "a/b:c"),
            ("a:b", "./a:b"),
            ("rsync://x/y", "./rsync://x/y"),
            ("-x", "./-x"),
            (":/a b", "target:/a b"),
            (":a:b", "target:a:b"),
            (":-x", "target:./-x"),
            (":", "target:"),
        ] {
            assert_eq!(place(path).operand(), operand, "{path}");
        }
        for bad in ["", "::module"] {
            assert!(Place::read(bad.as_ref(), "SRC").is_err(), "{bad}");
        }
    }

    #[test]
    fn odd_paths_of_the_target_go_over_the_protocol() {
        let words = |path: &str, flags: &[&str]| rsync("a", path, flags).words("x".into());
        assert_eq!(words(":/b", &["-a"]), ["--rsh=x", "-a", "--", "a", "target:/b"]);
        let odd = ["--rsh=x", "--secluded-args", "-a", "--", "a", "target:/b c"];
        assert_eq!(words(":/b c", &["-a"]), odd);
        for plain in [":~/a b", ":/a*[b]?", ":/a\\*\\[b", ":/ü"] {
            assert_eq!(words(plain, &[]).len(), 4, "{plain}");
        }
        for odd in [":/a\\", ":/a\\b", ":/a\nb", ":/a'", ":/a~ b"] {
            assert_eq!(words(odd, &[]).len(), 5, "{odd}");
        }
        assert_eq!(words(":/b c", &["--old-args"]).len(), 5);
        assert_eq!(rsync("a b", ":/c", &[]).words("x".into()).len(), 4);
    }
}
