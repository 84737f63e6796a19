//! Hosts that run a container engine and are reached over SSH: this machine, as users with
//! different rights.

use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::process::Output;
use std::{env, fs};

use hostlink::Data;

use crate::cli;
use crate::keeper::{Keeper, run_tool};
use crate::keys::{Key, KeyType, Keys};
use crate::ssh_client::SshClient;
use crate::ssh_host::login_data;
use crate::sshd::{Sshd, SshdBuilder};
use crate::user::TestUser;

/// Docker's socket on the host.
pub const DOCKER_SOCKET: &str = "/var/run/docker.sock";

/// An sshd on this machine, and one user. Dropping this value removes everything but the engine.
#[derive(Debug)]
pub struct DockerHost {
    sshd: Sshd,
    key: Key,
    login: Login,
    _kept: Option<Keeper>,
}

#[derive(Debug)]
enum Login {
    Root,
    User(TestUser),
}

impl DockerHost {
    /// Logs in as root, who may do everything.
    #[must_use]
    pub fn root() -> Self {
        Self::new(Sshd::builder(), Login::Root)
    }

    /// Logs in as a user who may use the socket and has the `docker` command.
    #[must_use]
    pub fn member() -> Self {
        Self::new(Sshd::builder(), Login::User(member()))
    }

    /// Logs in as a user who may not use the socket, but may become root by `sudo` without a
    /// password. The engine is reached by `docker system dial-stdio` as root.
    ///
    /// # Panics
    ///
    /// If sudo's rule cannot be written.
    #[must_use]
    pub fn sudoer() -> Self {
        let user = TestUser::create("/bin/bash");
        let mut keeper = Keeper::start();
        let rule = format!("/etc/sudoers.d/{}", user.name());
        // The rule is moved in as a whole: an unreadable file would break sudo for every user.
        let make = format!(
            "umask 337; echo '{} ALL=(ALL:ALL) NOPASSWD: ALL' >{rule}.new && mv {rule}.new {rule}",
            user.name()
        );
        assert!(keeper.make(&make, &format!("rm -f {rule} {rule}.new")), "{}", keeper.log());
        Self { _kept: Some(keeper), ..Self::new(Sshd::builder(), Login::User(user)) }
    }

    /// Logs in as a user who may neither use the socket nor become another user.
    #[must_use]
    pub fn stranger() -> Self {
        Self::new(Sshd::builder(), Login::User(TestUser::create("/bin/bash")))
    }

    /// Logs in as a user who may use the socket, with a `PATH` that has all commands but those of
    /// the engines. The engine is reached through the forwarded socket.
    ///
    /// # Panics
    ///
    /// If the links cannot be made.
    #[must_use]
    pub fn without_command() -> Self {
        let keeper = Keeper::start();
        let commands = keeper.dir().join("bin");
        fs::create_dir(&commands).expect("the directory is ours");
        let linked = "for dir in /usr/local/bin /usr/bin /bin; do
            for file in \"$dir\"/*; do
                case ${file##*/} in docker*|podman*|'*') continue;; esac
                [ -e \"$1/${file##*/}\" ] || printf '%s\\0' \"$file\"
            done
        done | xargs -0 ln -sft \"$1\"";
        run_tool("sh", &["-c", linked, "sh", &commands.display().to_string()]);
        let sshd = Sshd::builder().config(&format!("SetEnv PATH={}", commands.display()));
        Self { _kept: Some(keeper), ..Self::new(sshd, Login::User(member())) }
    }

    /// Logs in as a user who has the `docker` command and may use the socket, on a server that
    /// forwards no sockets. The engine is reached by `docker system dial-stdio`.
    #[must_use]
    pub fn without_forwarding() -> Self {
        let sshd = Sshd::builder().config("AllowStreamLocalForwarding no");
        Self::new(sshd, Login::User(member()))
    }

    fn new(sshd: SshdBuilder, login: Login) -> Self {
        let (sshd, key) = (sshd.start(), Keys::new().make(KeyType::Ed25519));
        sshd.authorize(&key.public());
        Self { sshd, key, login, _kept: None }
    }

    /// Returns its address: `HOST` in `@dockerssh/HOST:CONTAINER`.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.sshd.address()
    }

    /// Returns the user who logs in.
    #[must_use]
    pub fn user(&self) -> &str {
        match &self.login {
            Login::Root => "root",
            Login::User(user) => user.name(),
        }
    }

    /// Returns the server, whose log shows how many logins there were.
    #[must_use]
    pub fn sshd(&self) -> &Sshd {
        &self.sshd
    }

    /// Returns the data for a login with a key.
    #[must_use]
    pub fn data(&self) -> Data {
        login_data(self.user(), self.sshd.port(), self.key.path(), &self.sshd.known_hosts())
    }

    /// Runs a line of shell on the host through OpenSSH's own client.
    #[must_use]
    pub fn ssh(&self, line: &str) -> Output {
        cli::run(self.client().run(self.user(), self.address(), self.sshd.port(), line))
    }

    /// Returns whether a line of shell succeeds on the host.
    #[must_use]
    pub fn can(&self, line: &str) -> bool {
        self.ssh(line).status.success()
    }

    /// Returns the engine's answer to a ping through a socket that OpenSSH's own client forwards;
    /// empty if that fails.
    ///
    /// # Panics
    ///
    /// If the client can neither be started nor stopped.
    #[must_use]
    pub fn ping_through_forwarded_socket(&self) -> String {
        let keeper = Keeper::start();
        let socket = keeper.dir().join("docker.sock");
        let forward = format!("{}:{DOCKER_SOCKET}", socket.display());
        // The client listens once it has logged in, and ends with its input.
        let client = self.client().flags(&["-L", &forward]);
        let mut ssh = client.run(self.user(), self.address(), self.sshd.port(), "cat");
        let mut ssh = ssh.stdin(std::process::Stdio::piped()).spawn().expect("there is ssh");
        // Between bind(2) and listen(2) the socket refuses connections.
        let mut stream = None;
        cli::wait_until("ssh listens", || {
            stream = UnixStream::connect(&socket).ok();
            stream.is_some() || ssh.try_wait().is_ok_and(|it| it.is_some())
        });
        let said = stream.map(ping).unwrap_or_default();
        drop(ssh.stdin.take());
        cli::wait_for_exit(&mut ssh);
        said
    }

    fn client(&self) -> SshClient {
        SshClient::new().key(&self.key).knows(&self.sshd.known_hosts())
    }
}

/// Makes a user in the group of the socket.
fn member() -> TestUser {
    assert!(
        env::var_os("DOCKER_HOST").is_none_or(|host| host.is_empty()),
        "the engine is elsewhere"
    );
    let gid = fs::metadata(DOCKER_SOCKET).expect("an engine listens there").gid();
    let user = TestUser::create("/bin/bash");
    user.join_group(gid);
    user
}

/// Returns the first line of the answer, and the rest.
fn ping(mut stream: UnixStream) -> String {
    use std::io::{Read, Write};
    let mut said = Vec::new();
    let request = b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n";
    // A refused forward shows as the end of the connection.
    let _ = stream.write_all(request).and_then(|()| stream.read_to_end(&mut said));
    String::from_utf8_lossy(&said).into_owned()
}
