//! How logins fail, and links break.

use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use hostlink_core::ErrorKind;

use crate::settings::{HostKeyPolicy, Settings};

use super::sshd::{LIMIT, Sshd, failure, free_port, keygen, start, until};

#[tokio::test]
async fn an_unknown_host_key_is_refused_under_the_strict_policy() {
    let sshd = Sshd::start("");
    let settings = Settings { host_keys: Some(HostKeyPolicy::Yes), ..sshd.with_key() };
    let failed = failure(&settings).await;
    assert_eq!((failed.error.kind(), failed.retryable), (ErrorKind::HostKey, false));
    assert!(failed.error.message().contains("is not known"), "{}", failed.error);
}

#[tokio::test]
async fn a_changed_host_key_comes_with_the_line_that_removes_the_old_one() {
    let sshd = Sshd::start("");
    keygen(&sshd.path("old"), "");
    let key = fs::read_to_string(sshd.path("old.pub")).unwrap();
    let known = sshd.path("known_hosts");
    fs::write(&known, format!("# odd\n[127.0.0.1]:{} {key}", sshd.port)).unwrap();
    let failed = failure(&sshd.with_key()).await;
    assert_eq!((failed.error.kind(), failed.retryable), (ErrorKind::HostKey, false));
    let message = failed.error.message();
    assert!(message.contains(&format!("{}:2", known.display())), "{message}");
    let password = Some(hostlink_core::Secret::from("not sent"));
    let lax = Settings { host_keys: Some(HostKeyPolicy::No), password, ..sshd.settings() };
    let error = failure(&lax).await.error;
    assert_eq!((error.kind(), error.message()), (ErrorKind::HostKey, message));
    let (_, remove) = message.split_once("remove it with: ").unwrap();
    assert!(Command::new("sh").args(["-c", remove]).status().unwrap().success());
    start(&sshd.with_key()).await.unwrap();
}

#[tokio::test]
async fn a_refused_connection_may_be_tried_again() {
    let sshd = Sshd::start("");
    let failed = failure(&Settings { port: Some(free_port()), ..sshd.with_key() }).await;
    assert_eq!((failed.error.kind(), failed.retryable), (ErrorKind::Connect, true));
    assert!(failed.error.message().contains("Connection refused"), "{}", failed.error);
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_named() {
    let sshd = Sshd::start("");
    let host = "no-such-host.invalid".to_owned();
    let failed = failure(&Settings { host, ..sshd.with_key() }).await;
    assert_eq!(failed.error.kind(), ErrorKind::Connect);
    assert!(
        failed.error.message().contains("no-such-host.invalid cannot be resolved"),
        "{}",
        failed.error
    );
}

#[tokio::test]
async fn a_listener_without_a_banner_ends_at_the_limit() {
    let sshd = Sshd::start("");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = Some(listener.local_addr().unwrap().port());
    let connect_timeout = Some(Duration::from_millis(700));
    let began = Instant::now();
    let failed = failure(&Settings { port, connect_timeout, ..sshd.with_key() }).await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!((failed.error.kind(), failed.retryable), (ErrorKind::Connect, true));
    assert!(failed.error.message().contains("no SSH banner came within 0.7 s"), "{}", failed.error);
}

#[tokio::test]
async fn an_address_that_does_not_answer_ends_at_the_limit() {
    let sshd = Sshd::start("");
    // A full backlog: the kernel drops what comes further.
    let listener = short_listener();
    let address = listener.local_addr().unwrap();
    let fill: Vec<_> = (0..3)
        .map(|_| std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200)))
        .collect();
    let port = Some(address.port());
    let connect_timeout = Some(Duration::from_millis(700));
    let failed = failure(&Settings { port, connect_timeout, ..sshd.with_key() }).await;
    drop(fill);
    assert_eq!((failed.error.kind(), failed.retryable), (ErrorKind::Connect, true));
    assert!(failed.error.message().contains("timed out after 0.7 s"), "{}", failed.error);
}

/// A listener whose backlog is one connection.
fn short_listener() -> TcpListener {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    listener.into_std().unwrap()
}

#[tokio::test]
async fn a_server_that_hangs_up_may_be_tried_again() {
    let sshd = Sshd::start("");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = Some(listener.local_addr().unwrap().port());
    let serve = std::thread::spawn(move || drop(listener.accept().unwrap()));
    let failed = failure(&Settings { port, ..sshd.with_key() }).await;
    serve.join().unwrap();
    assert_eq!((failed.error.kind(), failed.retryable), (ErrorKind::Connect, true));
    assert!(failed.error.message().contains("before its SSH banner"), "{}", failed.error);
}

#[tokio::test]
async fn an_overloaded_sshd_may_be_tried_again() {
    let sshd = Sshd::start("MaxStartups 1:100:1");
    // The fixture's own connection may still be counted.
    let mut held = None;
    until("one is let in", || {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", sshd.port)).unwrap();
        let mut banner = [0; 4];
        let read = std::io::Read::read_exact(&mut stream, &mut banner);
        held = Some(stream);
        read.is_ok() && &banner == b"SSH-"
    });
    let failed = failure(&sshd.with_key()).await;
    assert_eq!((failed.error.kind(), failed.retryable), (ErrorKind::Connect, true));
    assert!(failed.error.message().contains("MaxStartups"), "{}", failed.error);
    drop(held);
}

#[tokio::test]
async fn a_jump_that_may_not_forward_is_named() {
    let bastion = Sshd::start("AllowTcpForwarding no");
    let failed = failure(&through(&bastion, "127.0.0.1", 1)).await;
    assert_eq!((failed.error.kind(), failed.retryable), (ErrorKind::Connect, false));
    let message = failed.error.message();
    let jump = format!("the jump host root@127.0.0.1:{} does not allow", bastion.port);
    assert!(message.starts_with(&jump), "{message}");
}

#[tokio::test]
async fn an_unreachable_target_and_an_unreachable_jump_have_different_errors() {
    let bastion = Sshd::start("");
    let behind = failure(&through(&bastion, "127.0.0.1", free_port())).await;
    let message = behind.error.message();
    assert!(
        message.contains("cannot reach the next host: connect failed: Connection refused"),
        "{message}"
    );
    assert!(behind.retryable);

    let settings = through(&bastion, "127.0.0.1", 1);
    let port = free_port();
    let jump = Some(format!("root@127.0.0.1:{port}"));
    let down = failure(&Settings { proxy_jump: jump, ..settings }).await;
    let message = down.error.message();
    let expected =
        format!("cannot connect to the jump host 127.0.0.1 port {port}: Connection refused");
    assert!(message.starts_with(&expected), "{message}");
    assert!(down.retryable);
}

#[tokio::test]
async fn a_jump_without_a_banner_is_named() {
    let sshd = Sshd::start("");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let settings = Settings {
        proxy_jump: Some(format!("root@127.0.0.1:{port}")),
        connect_timeout: Some(Duration::from_millis(700)),
        ..sshd.with_key()
    };
    let error = failure(&settings).await.error;
    let expected = format!("connected to the jump host 127.0.0.1:{port}, but no SSH banner");
    assert!(error.message().starts_with(&expected), "{error}");
}

/// Settings for a host behind a bastion, with the bastion's key and host key policy for both.
fn through(bastion: &Sshd, host: &str, port: u16) -> Settings {
    let config = bastion.path("ssh_config");
    fs::write(&config, format!("IdentityFile {}\n", bastion.key().display())).unwrap();
    Settings {
        host: host.to_owned(),
        port: Some(port),
        proxy_jump: Some(format!("root@127.0.0.1:{}", bastion.port)),
        config_file: Some(config),
        ..bastion.settings()
    }
}

#[tokio::test]
async fn a_proxy_command_that_fails_is_quoted() {
    let sshd = Sshd::start("");
    let proxy_command = Some("sh -c 'echo the proxy says no >&2; exit 1'".to_owned());
    let error = failure(&Settings { proxy_command, ..sshd.with_key() }).await.error;
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.message().contains("the proxy says no"), "{error}");
}

#[tokio::test]
async fn a_bad_line_of_the_configuration_is_named_with_its_file() {
    let sshd = Sshd::start("");
    let config = sshd.path("ssh_config");
    fs::write(&config, "Host *\nNoSuchKeyword yes\n").unwrap();
    let settings = Settings { config_file: Some(config.clone()), ..sshd.with_key() };
    let failed = failure(&settings).await;
    assert_eq!((failed.error.kind(), failed.retryable), (ErrorKind::Data, false));
    let text = failed.error.to_string();
    assert!(text.contains("line 2: Bad configuration option: nosuchkeyword"), "{text}");
    assert!(text.contains(&*config.display().to_string()), "{text}");

    let options = vec!["NoSuchOption=yes".to_owned()];
    let error = failure(&Settings { options, ..sshd.with_key() }).await.error;
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(error.to_string().contains("ssh_options: "), "{error}");

    let config_file = Some(sshd.path("missing"));
    let error = failure(&Settings { config_file, ..sshd.with_key() }).await.error;
    assert_eq!(error.kind(), ErrorKind::Data);
}

#[tokio::test]
async fn a_server_that_goes_away_ends_the_link() {
    let sshd = Sshd::start("");
    let (_run, master) = start(&sshd.with_key()).await.unwrap();
    kill_sessions(&sshd, "KILL");
    let error = tokio::time::timeout(LIMIT, master.ended()).await.unwrap();
    assert_eq!(error.kind(), ErrorKind::LinkLost);
    assert!(error.message().contains("closed the connection"), "{error}");
    assert!(!master.is_alive());
    master.close().await;
}

#[tokio::test]
async fn a_server_that_falls_silent_is_noticed_within_the_interval() {
    let sshd = Sshd::start("");
    let settings = Settings { server_alive_interval: Some(3), ..sshd.with_key() };
    let (_run, master) = start(&settings).await.unwrap();
    let began = Instant::now();
    kill_sessions(&sshd, "STOP");
    let error = tokio::time::timeout(LIMIT, master.ended()).await.unwrap();
    let after = began.elapsed();
    kill_sessions(&sshd, "KILL");
    assert!(after < Duration::from_secs(10), "{after:?}");
    assert_eq!(error.kind(), ErrorKind::LinkLost);
    assert!(error.message().contains("no longer answers"), "{error}");
}

/// Signals the processes that serve sshd's connections.
fn kill_sessions(sshd: &Sshd, signal: &str) {
    let parent = sshd.pid().to_string();
    let killed = Command::new("pkill").args(["--signal", signal, "-P", &parent]).status().unwrap();
    assert!(killed.success());
}
