//! ssh and sshd: logins that fail, and commands of accounts that are limited.

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;

use hostlink::{ConnectorArguments, Context, Data, Error, builtin_registry};
use hostlink_tests::keys::{KeyType, Keys};
use hostlink_tests::ports::free_port;
use hostlink_tests::ssh_target::SshTarget;
use hostlink_tests::sshd::Sshd;
use hostlink_tests::user::TestUser;

use super::{Table, failed};

const HERE: &str = "127.0.0.1";

/// Connects to this machine, and runs a command if that succeeds.
async fn refused(data: &Data) -> Error {
    refused_by(HERE, data).await
}

async fn refused_by(target: &str, data: &Data) -> Error {
    match builtin_registry().connect(target, data, &Context::default()).await {
        Err(error) => error,
        Ok(link) => {
            let error = failed(&link, "kill -KILL $$", &ConnectorArguments::new()).await;
            link.disconnect().await.unwrap();
            error
        }
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn with(data: &Data, key: &str, value: &str) -> Data {
    data.clone().with(key, value)
}

#[tokio::test]
async fn of_hosts_over_ssh() {
    let mut table = Table::new("hosts.txt");
    let user = TestUser::create("/bin/sh");
    user.set_password("correct horse");
    let host = SshTarget::as_user(user.name(), Sshd::builder().passwords().pam());
    let (keys, here) = (Keys::new(), tempfile::tempdir().unwrap());
    let (other, locked) =
        (keys.make(KeyType::Ed25519), keys.make_with_passphrase(KeyType::Ed25519, "secret"));
    host.sshd.authorize(&locked.public());
    let closed = free_port(&[HERE.parse().unwrap()]);
    let (cut, none) = (here.path().join("cut"), here.path().join("none"));
    let private = std::fs::read_to_string(host.key.path()).unwrap();
    std::fs::write(&cut, private.replace('\n', "\r\n")).unwrap();
    let _ = std::fs::set_permissions(&cut, std::os::unix::fs::PermissionsExt::from_mode(0o600));
    let changed = here.path().join("changed");
    let line = format!("[{HERE}]:{} {}", host.sshd.port(), other.public());
    std::fs::write(&changed, line).unwrap();
    std::fs::write(&none, "").unwrap();
    for (path, name) in [(&cut, "CRLF"), (&changed, "OTHER_HOSTS"), (&none, "EMPTY")] {
        table.mask(text(path), name);
    }
    table.mask(text(other.path()), "OTHER_KEY");
    table.mask(text(locked.path()), "LOCKED_KEY");
    table.mask(text(host.key.path()), "KEY");
    table.mask(text(&host.sshd.known_hosts()), "KNOWN_HOSTS");
    table.mask(text(here.path()), "DIR");
    table.mask(user.name(), "USER");
    table.mask(host.sshd.port().to_string(), "PORT");
    table.mask(closed.to_string(), "CLOSED");

    let data = &host.data;
    let password = |password: &str| {
        let mut data = data.clone().with("ssh_password", password).with("ssh_look_for_keys", false);
        data.insert("ssh_key", hostlink::Value::Null);
        data
    };
    for (situation, cause, data) in [
        (
            "a port at which nothing listens",
            "Connection refused",
            data.clone().with("ssh_port", i64::from(closed)),
        ),
        (
            "a key that the server does not know",
            "refused",
            with(data, "ssh_key", &text(other.path())),
        ),
        (
            "a key file that is not there",
            "DIR/absent",
            with(data, "ssh_key", &text(&here.path().join("absent"))),
        ),
        (
            "a key whose passphrase is not given",
            "passphrase",
            with(data, "ssh_key", &text(locked.path())),
        ),
        (
            "a wrong passphrase",
            "passphrase",
            with(&with(data, "ssh_key", &text(locked.path())), "ssh_key_password", "wrong"),
        ),
        ("a key file with CRLF", "CRLF", with(data, "ssh_key", &text(&cut))),
        ("a wrong password", "password", password("wrong")),
        (
            "a host key that is not known",
            "host key",
            with(data, "ssh_known_hosts_file", &text(&none)),
        ),
        (
            "a host key that has changed",
            "host key",
            with(data, "ssh_known_hosts_file", &text(&changed)),
        ),
        (
            "a bastion at which nothing listens",
            "Connection refused",
            with(data, "ssh_proxy_jump", &format!("{HERE}:{closed}")),
        ),
        (
            "a proxy command that fails",
            "no such proxy",
            with(data, "ssh_proxy_command", "sh -c 'echo no such proxy >&2'"),
        ),
        ("a signal that ends the command", "signal", data.clone()),
    ] {
        table.add(situation, cause, &refused(&data).await);
    }
    let name = "no-such-host.invalid";
    table.add("a name that is in no name service", name, &refused_by(name, data).await);

    let listener = TcpListener::bind((HERE, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            stream.unwrap().write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        }
    });
    table.mask(port.to_string(), "HTTP");
    let other = data.clone().with("ssh_port", i64::from(port));
    table.add("a server of another protocol", "is no SSH server", &refused(&other).await);

    for (situation, cause, shell, line) in [
        ("an account without a shell", "not available", "/usr/sbin/nologin", "UseDNS no"),
        ("an account for SFTP only", "sftp", "/bin/sh", "ForceCommand internal-sftp"),
        (
            "an account with another command",
            "only backups",
            "/bin/sh",
            "ForceCommand echo only backups; exit 1",
        ),
        ("an account that may not log in", "refused the login", "/bin/sh", "DenyUsers *"),
        ("a server that opens no session", "session", "/bin/sh", "MaxSessions 0"),
    ] {
        let user = TestUser::create(shell);
        let host = SshTarget::as_user(user.name(), Sshd::builder().config(line));
        table.mask(user.name(), "USER");
        table.mask(host.sshd.port().to_string(), "PORT");
        table.mask(text(host.key.path()), "KEY");
        table.add(situation, cause, &refused(&host.data).await);
    }
    table.compare();
}
