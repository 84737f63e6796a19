use super::*;
use crate::arguments::ConnectorArguments;
use crate::command::StringCommand;
use crate::script::{Channel, Groups};

fn script(arguments: &ConnectorArguments) -> Script {
    let command = StringCommand::shell("id");
    Script::new(&command, arguments, Channel::Pipes, Groups::LookedUp, |_| true).unwrap()
}

#[test]
fn the_announcement_is_found_across_the_borders_of_chunks() {
    let script = script(&ConnectorArguments::new());
    let text = format!("motd{} in 7 6 55 5\r\nout", script.token());
    let mut handshake = Handshake::new(&script, false);
    let mut output = Vec::new();
    for byte in text.bytes() {
        output.extend(handshake.hear(Stream::Stdout, Bytes::from(vec![byte])).output);
    }
    assert_eq!(output, b"out");
    assert_eq!(
        handshake.inner,
        Some(Leader { pid: 7, known_group: Some(6), start: Some(55), session: Some(5) })
    );
    assert_eq!(handshake.preamble(), b"motd");
}

#[test]
fn one_stream_opens_without_the_other() {
    let script = script(&ConnectorArguments::new());
    let mut handshake = Handshake::new(&script, false);
    handshake.hear(Stream::Stdout, script.announcement().into());
    assert!(handshake.started());
    assert!(handshake.hear(Stream::Stderr, Bytes::from_static(b"noise")).output.is_empty());
}

#[test]
fn a_prompt_is_answered_once_and_its_return_is_a_refusal() {
    let arguments = ConnectorArguments::new().with_sudo(true).with_sudo_password("pw");
    let script = script(&arguments);
    let Question::Token(token) = &script.prompts()[0].question else { panic!("no token") };
    let ask = Bytes::from(format!("[sudo: {token}] "));
    let mut handshake = Handshake::new(&script, false);
    assert!(handshake.hear(Stream::Stderr, ask.clone()).answers.is_empty(), "nobody asks yet");
    let mut handshake = Handshake::new(&script, false);
    handshake.hear(Stream::Stdout, format!("{} out 7 7 1\n", script.token()).into());
    assert_eq!(handshake.hear(Stream::Stderr, ask.clone()).answers.len(), 1);
    let again = handshake.hear(Stream::Stderr, ask);
    assert!(again.unanswered == Some(Unanswered::Again) && again.answers.is_empty());
}

#[test]
fn what_stands_before_is_bounded() {
    let script = script(&ConnectorArguments::new());
    let mut handshake = Handshake::new(&script, false);
    for _ in 0..100 {
        handshake.hear(Stream::Stdout, Bytes::from(vec![b'x'; 10_000]));
    }
    assert!(handshake.preamble().len() <= 3 * PREAMBLE);
}
