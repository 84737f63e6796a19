//! The command end to end: forwards, on a connector whose both ends are this machine.

use std::io::Write;
use std::path::Path;

use hostlink_tests::cli::{code, hostlink, run, stderr};
use hostlink_tests::forwards::{
    Forwards, connect, echo_server, forwards_carry_bytes_and_leave_nothing,
    one_that_fails_leaves_nothing,
};

const LOGIN: &str = env!("CARGO_BIN_EXE_hostlink-login");

#[test]
fn bytes_are_carried_and_nothing_is_left() {
    forwards_carry_bytes_and_leave_nothing(Path::new(LOGIN), "@login/forwards", &[]);
}

#[test]
fn all_or_none() {
    one_that_fails_leaves_nothing(Path::new(LOGIN), "@login/forwards", &[]);
}

#[test]
fn a_lost_link_is_255() {
    let to = format!("127.0.0.1:0:127.0.0.1:{}", echo_server());
    let forwards = Forwards::start(Path::new(LOGIN), "@login/forwards", &[], &["-L", &to]);
    connect(forwards.port()).write_all(b"LOSE").unwrap();
    assert_eq!(forwards.line(), "hostlink: @login/forwards: the link is lost");
    assert_eq!(forwards.ended().code(), Some(255));
}

#[test]
fn a_connector_that_cannot_says_so() {
    let output = run(hostlink(["@local", "forward", "-L", "0:localhost:80"]));
    assert_eq!(stderr(&output), "hostlink: @local: this connection forwards no ports\n");
    assert_eq!(code(&output), 2);
}
