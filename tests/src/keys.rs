//! Client keys, certificates and agents, made by OpenSSH's own tools.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use crate::keeper::{Keeper, run_tool, unique_name};

/// A type of key. RSA takes a large part of a second to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// Ed25519.
    Ed25519,
    /// ECDSA with 256 bits.
    Ecdsa,
    /// RSA with 2048 bits, the minimum that OpenSSH makes in Debian's configuration.
    Rsa,
}

impl KeyType {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::Ecdsa => "ecdsa",
            Self::Rsa => "rsa",
        }
    }

    fn bits(self) -> &'static str {
        match self {
            Self::Rsa => "2048",
            // ssh-keygen(1): a key of this type has one length, and the flag is ignored.
            Self::Ed25519 | Self::Ecdsa => "256",
        }
    }
}

/// A directory of keys. It exists as long as this value or one of its keys.
#[derive(Clone, Debug)]
pub struct Keys {
    keeper: Arc<Keeper>,
}

/// One key pair.
#[derive(Clone, Debug)]
pub struct Key {
    path: PathBuf,
    keeper: Arc<Keeper>,
}

impl Keys {
    /// Makes an empty directory.
    #[must_use]
    pub fn new() -> Self {
        Self { keeper: Arc::new(Keeper::start()) }
    }

    /// Makes a key without a passphrase.
    #[must_use]
    pub fn make(&self, key_type: KeyType) -> Key {
        self.make_with_passphrase(key_type, "")
    }

    /// Makes a key with a passphrase of at least five characters. It is briefly in the argument
    /// list of ssh-keygen, so use it for nothing else.
    #[must_use]
    pub fn make_with_passphrase(&self, key_type: KeyType, passphrase: &str) -> Key {
        let path = self.keeper.dir().join(unique_name());
        generate(&path, key_type, passphrase);
        Key { path, keeper: Arc::clone(&self.keeper) }
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self::new()
    }
}

impl Key {
    /// Returns the file of the private key. ssh finds the public key beside it, and the certificate
    /// if there is one.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the public key, as one line.
    ///
    /// # Panics
    ///
    /// If a test removed it.
    #[must_use]
    pub fn public(&self) -> String {
        let text = fs::read_to_string(self.path.with_extension("pub"));
        text.expect("ssh-keygen wrote it").trim_end().to_owned()
    }

    /// Has this key certified by another one for these users, from now for an hour. Returns the
    /// certificate's file.
    #[must_use]
    pub fn certify(&self, authority: &Key, users: &[&str]) -> PathBuf {
        let public = self.path.with_extension("pub");
        let public = public.to_str().expect("our names are ASCII");
        let authority = authority.path.to_str().expect("our names are ASCII");
        // From a minute ago (ssh-keygen -V), in case the clock is set back.
        let words = ["-q", "-s", authority, "-I", "test", "-n", &users.join(","), "-V", "-1m:+1h"];
        run_tool("ssh-keygen", &[&words[..], &[public]].concat());
        let name = self.path.file_name().expect("it has a name").to_string_lossy();
        self.keeper.dir().join(format!("{name}-cert.pub"))
    }
}

/// An ssh-agent for one test.
#[derive(Debug)]
pub struct Agent {
    keeper: Keeper,
}

impl Agent {
    /// Starts an agent and adds these keys, which have no passphrase, in this order.
    ///
    /// # Panics
    ///
    /// If it does not accept them.
    #[must_use]
    pub fn start(keys: &[&Key]) -> Self {
        let mut keeper = Keeper::start();
        let socket = keeper.dir().join("agent");
        keeper.run(&format!("exec ssh-agent -D -a {}", socket.display()));
        let is_ready = keeper.wait_until_ready(|| UnixStream::connect(&socket).is_ok());
        assert!(is_ready, "ssh-agent ended: {}", keeper.log());
        let agent = Self { keeper };
        if !keys.is_empty() {
            agent.add(keys);
        }
        agent
    }

    /// Returns the value for `SSH_AUTH_SOCK`.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.keeper.dir().join("agent")
    }

    fn add(&self, keys: &[&Key]) {
        let mut command = Command::new("ssh-add");
        command.arg("-q").args(keys.iter().map(|it| it.path())).env("SSH_AUTH_SOCK", self.socket());
        let output = command.output().expect("there is ssh-add");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Makes a key pair; an empty passphrase means none.
pub(crate) fn generate(path: &Path, key_type: KeyType, passphrase: &str) {
    let path = path.to_str().expect("our names are ASCII");
    // One round of key derivation: a test's passphrase is not worth 0.1 s of CPU each time.
    let words = ["-q", "-t", key_type.name(), "-b", key_type.bits(), "-a", "1"];
    run_tool("ssh-keygen", &[&words[..], &["-N", passphrase, "-C", "test", "-f", path]].concat());
}
