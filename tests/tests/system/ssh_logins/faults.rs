//! Each cause that prevents a login: its kind, its message, and when it is reported.

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;

use hostlink::{Data, ErrorKind};
use hostlink_tests::ports::free_port;
use hostlink_tests::sshd::Sshd;
use hostlink_tests::unreachable::{Blackhole, Full, Silent};

use crate::ssh_logins::scene::{
    assert_says, believing, context, hostlink, key_of, on, one_line_of, refusal_of, text,
};

/// Returns data for hosts without a login, with a limit of two seconds for silent ones.
fn nothing(port: u16) -> Data {
    believing(Path::new("/dev/null"))
        .with("ssh_user", "root")
        .with("ssh_config_file", "none")
        .with("ssh_port", i64::from(port))
}

fn two_seconds(port: u16) -> Data {
    nothing(port).with("ssh_connect_timeout", 2)
}

/// Checks the library's error, and the same line from the command.
async fn fails(target: &str, data: &Data, kind: ErrorKind, parts: &[&str]) {
    assert_says(&refusal_of(target, data, &context()).await, kind, parts);
    let line = one_line_of(hostlink(target, data, "true"), 255);
    for part in parts {
        assert!(line.contains(part), "{part:?} is missing: {line}");
    }
}

#[tokio::test]
async fn a_refused_connection() {
    let port = free_port(&["127.0.0.1".parse().unwrap()]);
    let place = format!("cannot connect to 127.0.0.1 port {port}: Connection refused");
    fails("127.0.0.1", &nothing(port), ErrorKind::Connect, &[&place, "does sshd listen"]).await;
}

#[tokio::test]
async fn a_name_that_cannot_be_resolved() {
    let name = "no-such-host.invalid";
    fails(name, &nothing(22), ErrorKind::Connect, &["the name of ", name, "DNS"]).await;
}

#[tokio::test]
async fn an_address_that_drops_packets() {
    let hole = Blackhole::new();
    let target = hole.address().to_string();
    let expected = ["timed out after 2 s", &target, "firewall"];
    fails(&target, &two_seconds(22), ErrorKind::Connect, &expected).await;
}

#[tokio::test]
async fn a_listener_whose_queue_is_full() {
    let full = Full::start();
    let data = two_seconds(full.address().port());
    fails("127.0.0.1", &data, ErrorKind::Connect, &["timed out after 2 s", "127.0.0.1"]).await;
}

#[tokio::test]
async fn a_listener_without_a_banner() {
    let silent = Silent::start();
    let port = silent.address().port();
    let place = format!("connected to 127.0.0.1:{port}, but no SSH banner came within 2 s");
    fails("127.0.0.1", &two_seconds(port), ErrorKind::Connect, &[&place, "overloaded"]).await;
}

#[tokio::test]
async fn an_sshd_that_is_stopped() {
    let sshd = Sshd::builder().start();
    sshd.stop();
    let expected = "no SSH banner came within 2 s";
    fails("127.0.0.1", &two_seconds(sshd.port()), ErrorKind::Connect, &[expected]).await;
    sshd.cont();
}

#[tokio::test]
async fn a_server_that_does_not_speak_ssh() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            stream.unwrap().write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        }
    });
    let place = format!("127.0.0.1:{port}");
    fails(
        "127.0.0.1",
        &nothing(port),
        ErrorKind::Connect,
        &[&place, "is no SSH server", "\"HTTP/1.1 400 Bad Request\"", "ssh_port"],
    )
    .await;
}

#[tokio::test]
async fn no_algorithm_in_common() {
    let sshd = Sshd::builder().config("Ciphers aes256-ctr").start();
    let options = vec![hostlink::Value::from("Ciphers=aes128-ctr")];
    let data = on(&sshd, "root").with("ssh_options", options);
    let expected = ["no algorithm in common", "aes256-ctr"];
    fails("127.0.0.1", &data, ErrorKind::Connect, &expected).await;
}

#[tokio::test]
async fn an_account_that_may_not_log_in() {
    let sshd = Sshd::builder().config("PermitRootLogin no").start();
    let key = key_of(&sshd);
    let data = on(&sshd, "root").with("ssh_key", text(key.path()));
    fails("127.0.0.1", &data, ErrorKind::Auth, &["refused the login", "ssh_user"]).await;
}
