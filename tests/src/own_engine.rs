//! A Docker engine for one test, which can be stopped, and ends with the test.
//!
//! It runs in a network namespace: an engine without a bridge deletes `docker0`, which belongs to
//! the machine's engine.

use std::ffi::OsStr;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::cli;
use crate::container::succeed;
use crate::keeper::{Keeper, run_tool};
use crate::network::Network;
use crate::processes::signal;

/// An engine with its own directories and socket, and without networks.
#[derive(Debug)]
pub struct OwnEngine {
    keeper: Keeper,
    /// Dropped after the engine.
    _network: Network,
    host: String,
    /// The directory of the client's certificates.
    certificates: Option<PathBuf>,
    pid: u32,
}

impl OwnEngine {
    /// Starts an engine on a socket, and waits until it answers.
    ///
    /// # Panics
    ///
    /// If it does not.
    #[must_use]
    pub fn start() -> Self {
        let (keeper, network) = (Keeper::start(), Network::one());
        let host = format!("unix://{}", keeper.dir().join("docker.sock").display());
        Self::run(keeper, network, host, None, "")
    }

    /// Starts an engine that listens on a port with TLS, and requires a client certificate.
    ///
    /// # Panics
    ///
    /// If it does not answer, or if openssl fails.
    #[must_use]
    pub fn start_with_tls() -> Self {
        let (keeper, network) = (Keeper::start(), Network::one());
        let certificates = keeper.dir().join("tls");
        let address = network.first().address();
        make_certificates(&certificates, address);
        let dir = certificates.display();
        let flags = format!(
            "--tlsverify --tlscacert={dir}/ca.pem --tlscert={dir}/server.pem \
             --tlskey={dir}/server-key.pem"
        );
        Self::run(keeper, network, format!("tcp://{address}:2376"), Some(certificates), &flags)
    }

    fn run(
        mut keeper: Keeper,
        network: Network,
        host: String,
        certificates: Option<PathBuf>,
        flags: &str,
    ) -> Self {
        let dir = keeper.dir().display().to_string();
        // A killed engine leaves its containers' file systems mounted.
        let undo = format!(
            "grep -o ' {dir}/[^ ]*' /proc/mounts | sort -r | \
             while read -r it; do umount -l \"$it\"; done"
        );
        assert!(keeper.make(":", &undo), "{}", keeper.log());
        // `ip netns exec` would hide the control groups.
        let namespace = network.first().name();
        let line = format!(
            "exec nsenter --net=/run/netns/{namespace} \
             dockerd --log-level=warn --bridge=none --iptables=false --ip6tables=false \
             --host={host} --data-root={dir}/data --exec-root={dir}/exec --pidfile={dir}/pid {flags}"
        );
        let pid = keeper.run(&line);
        let engine = Self { keeper, _network: network, host, certificates, pid };
        let answers = || cli::run(engine.command(["version"])).status.success();
        assert!(engine.keeper.wait_until_ready(answers), "{}", engine.keeper.log());
        engine
    }

    /// Returns the value for `DOCKER_HOST`.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the directory of `ca.pem`, `cert.pem` and `key.pem` of an engine with TLS.
    ///
    /// # Panics
    ///
    /// If it has no TLS.
    #[must_use]
    pub fn certificates(&self) -> &Path {
        self.certificates.as_deref().expect("it was started with TLS")
    }

    /// Returns the docker command for it.
    pub fn command<W: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = W>) -> Command {
        let mut command = cli::command(Path::new("docker"), words);
        command.env("DOCKER_HOST", &self.host).env_remove("DOCKER_CONTEXT");
        if let Some(certificates) = &self.certificates {
            command.env("DOCKER_TLS_VERIFY", "1").env("DOCKER_CERT_PATH", certificates);
        }
        command
    }

    /// Runs the docker command, and returns its output.
    ///
    /// # Panics
    ///
    /// If the command fails.
    #[must_use]
    pub fn docker<W: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = W>) -> String {
        succeed(self.command(words), b"")
    }

    /// Loads an image from the machine's engine.
    ///
    /// # Panics
    ///
    /// If there is no such image.
    pub fn load(&self, image: &str) {
        let mut save = Command::new("docker").args(["save", image]).stdout(Stdio::piped()).spawn();
        let save = save.as_mut().expect("there is docker");
        let mut load = self.command(["load"]);
        load.stdin(save.stdout.take().expect("it is a pipe"));
        let loaded = cli::run(load);
        assert!(save.wait().is_ok_and(|status| status.success()), "docker save {image}");
        assert!(loaded.status.success(), "{}", cli::stderr(&loaded));
    }

    /// Stops it with SIGTERM, and waits for its end.
    pub fn stop(&self) {
        signal(self.pid, Signal::TERM);
        cli::wait_until("the engine ends", || self.keeper.ended().is_some());
    }

    /// Kills it. Processes in its containers run on until the test ends.
    pub fn kill(&self) {
        self.keeper.stop(self.pid);
    }
}

impl Drop for OwnEngine {
    /// An engine that ends by itself leaves no mounts and no control groups.
    fn drop(&mut self) {
        if self.keeper.ended().is_none() {
            signal(self.pid, Signal::TERM);
            cli::becomes_true(|| self.keeper.ended().is_some());
        }
    }
}

/// Makes an authority, and certificates signed by it for the engine and for its client.
fn make_certificates(dir: &Path, address: Ipv4Addr) {
    const SCRIPT: &str = r#"set -e; mkdir "$1"; cd "$1"; umask 077
new='req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
openssl $new -x509 -days 2 -subj /CN=authority -keyout ca-key.pem -out ca.pem
printf 'subjectAltName=IP:%s\nextendedKeyUsage=serverAuth\n' "$2" >server.ext
printf 'extendedKeyUsage=clientAuth\n' >client.ext
openssl $new -subj /CN=engine -keyout server-key.pem -out server.csr
openssl $new -subj /CN=client -keyout key.pem -out client.csr
sign='x509 -req -days 2 -CA ca.pem -CAkey ca-key.pem -CAcreateserial'
openssl $sign -in server.csr -extfile server.ext -out server.pem
openssl $sign -in client.csr -extfile client.ext -out cert.pem"#;
    run_tool("sh", &["-c", SCRIPT, "sh", &dir.display().to_string(), &address.to_string()]);
}
