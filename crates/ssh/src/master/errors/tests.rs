//! On messages of OpenSSH 9.2 that the tests with a real sshd do not provoke.

use super::*;

fn of(lines: &str) -> Failure {
    let mut log = Log::default();
    log.push(lines.as_bytes());
    of_exit(&Login { log: &log, notes: &Notes::default(), master: Some(1), code: Some(255) })
}

const HELLO: &str =
    "debug1: sshconnect.c:ssh_login():1585 (pid=1): Authenticating to h:22 as 'me'\n";

#[test]
fn each_message_has_its_kind_and_says_whether_to_try_again() {
    for (line, kind, retryable, message) in [
        (
            "ssh.c:resolve_host():275 (pid=1): ssh: Could not resolve hostname h: Temporary failure in name resolution",
            ErrorKind::Connect,
            true,
            "the name of h cannot be resolved: Temporary failure in name resolution",
        ),
        (
            "sshconnect.c:ssh_connect_direct():517 (pid=1): ssh: connect to host 10.1.1.1 port 22: No route to host",
            ErrorKind::Connect,
            true,
            "cannot connect to 10.1.1.1 port 22: No route to host",
        ),
        (
            "sshconnect.c:ssh_connect_direct():517 (pid=2): ssh: connect to host b port 22: Connection timed out",
            ErrorKind::Connect,
            true,
            "cannot connect to the jump host b port 22: Connection timed out",
        ),
        (
            "packet.c:sshpkt_vfatal():1931 (pid=1): Unable to negotiate with 127.0.0.1 port 4022: no matching cipher found. Their offer: aes128-ctr",
            ErrorKind::Connect,
            false,
            "no algorithm in common: no matching cipher found",
        ),
        (
            "kex.c:kex_exchange_identification():1368 (pid=1): Connection timed out during banner exchange",
            ErrorKind::Connect,
            true,
            "no SSH banner came",
        ),
        ("Bad owner or permissions on /x/config", ErrorKind::Data, false, "/x/config"),
        (
            "/x/c line 1: Bad port 'abc'.\n/x/c: terminating, 1 bad configuration options",
            ErrorKind::Data,
            false,
            "/x/c line 1: Bad port",
        ),
        (
            "something new",
            ErrorKind::Connect,
            false,
            "ssh ended before the host was reached: something new",
        ),
    ] {
        let failure = of(&format!("{HELLO}{line}\r\n"));
        assert_eq!((failure.error.kind(), failure.retryable), (kind, retryable), "{line}");
        assert!(failure.error.to_string().contains(message), "{}", failure.error);
    }
}

#[test]
fn the_process_closest_to_the_first_hop_has_the_cause() {
    let failure = of(&format!(
        "{HELLO}kex.c:kex_exchange_identification():1383 (pid=1): Connection closed by remote host\n\
         debug1: sshconnect.c:ssh_login():1585 (pid=2): Authenticating to b:22 as 'me'\n\
         sshconnect2.c:userauth():640 (pid=2): me@b: Permission denied (publickey).\n"
    ));
    assert_eq!(failure.error.kind(), ErrorKind::Auth);
    assert!(failure.error.message().starts_with("the jump host me@b:22 refused the login"));
}

#[test]
fn a_missing_ssh_is_named() {
    let login =
        Login { log: &Log::default(), notes: &Notes::default(), master: None, code: Some(127) };
    assert!(of_exit(&login).error.message().contains("install the OpenSSH client"));
}
