use super::*;
use crate::shell::arguments::ConnectorArguments;
use crate::shell::command::StringCommand;
use crate::shell::script::{Channel, Groups, Question};

fn script(arguments: &ConnectorArguments) -> Script {
    let command = StringCommand::shell("id");
    Script::new(&command, arguments, Channel::Pipes, Groups::LookedUp, |_| true).unwrap()
}

#[test]
fn the_announcement_is_found_across_the_borders_of_chunks() {
    let script = script(&ConnectorArguments::new());
    let text = format!("motd{} in 7 6 55 5\r\nout", script.token());
    let mut handshake = Handshake::new(&script, Streams::Two);
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
    let mut handshake = Handshake::new(&script, Streams::Two);
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
    let mut handshake = Handshake::new(&script, Streams::Two);
    assert!(handshake.hear(Stream::Stderr, ask.clone()).answers.is_empty(), "nothing asks yet");
    let mut handshake = Handshake::new(&script, Streams::Two);
    handshake.hear(Stream::Stdout, format!("{} out 7 7 1\n", script.token()).into());
    assert_eq!(handshake.hear(Stream::Stderr, ask.clone()).answers.len(), 1);
    let again = handshake.hear(Stream::Stderr, ask);
    assert!(again.unanswered == Some(NoAnswer::Refused) && again.answers.is_empty());
}

#[test]
fn what_stands_before_is_bounded() {
    let script = script(&ConnectorArguments::new());
    let mut handshake = Handshake::new(&script, Streams::Two);
    for _ in 0..100 {
        handshake.hear(Stream::Stdout, Bytes::from(vec![b'x'; 10_000]));
    }
    assert!(handshake.preamble().len() <= 3 * PREAMBLE);
}

fn out(script: &Script) -> Bytes {
    format!("{} out 7 7 1\n", script.token()).into()
}

/// Returns the answers to an unfinished line that ends in a colon.
fn answered(handshake: &mut Handshake) -> Vec<String> {
    let heard = handshake.take_question();
    heard.answers.iter().map(|answer| answer.secret.expose().to_owned()).collect()
}

#[test]
fn what_sudo_asks_with_is_told_once_when_it_is_wanted_and_stands_in_no_argument() {
    let arguments = ConnectorArguments::new().with_sudo(true).with_sudo_password("pw");
    let script = script(&arguments);
    let prompt = script.sudo_prompt().unwrap().clone();
    let argument = String::from_utf8_lossy(script.argument()).into_owned();
    assert!(argument.contains("IFS= read -r SUDO_PROMPT"), "the control: {argument}");
    assert!(!argument.contains(&prompt.text.expose()[2..]), "{argument}");
    let mut handshake = Handshake::new(&script, Streams::Two);
    handshake.hear(Stream::Stdout, out(&script));
    let wanted = Bytes::from(format!("{}\n", prompt.wanted));
    let told = handshake.hear(Stream::Stdout, wanted.clone()).answers;
    assert_eq!((told.len(), told[0].secret.expose()), (1, prompt.text.expose()));
    assert!(handshake.hear(Stream::Stderr, wanted).answers.is_empty());
    assert!(!handshake.has_answered());
}

#[test]
fn the_password_of_su_is_for_su_and_not_for_the_tools_before_it() {
    let arguments = ConnectorArguments::new().with_sudo(true).with_su_user("x");
    let arguments = arguments.with_sudo_password("of sudo").with_su_password("of su");
    let script = script(&arguments);
    let mut handshake = Handshake::new(&script, Streams::Two);
    handshake.hear(Stream::Stdout, out(&script));
    handshake.hear(Stream::Stderr, Bytes::from_static(b"Current password: "));
    assert!(answered(&mut handshake).is_empty());
    let next = script.prompts()[1].from.clone().unwrap();
    handshake.hear(Stream::Stderr, format!("{next}\nPassword: ").into());
    assert_eq!(answered(&mut handshake), ["of su"]);
}

#[test]
fn the_password_of_doas_is_for_its_own_terminal_and_only_until_it_hands_on() {
    let arguments = ConnectorArguments::new().with_doas(true).with_su_user("x");
    let script = script(&arguments.with_doas_password("of doas"));
    let asking = Bytes::from_static(b"Password: ");
    let mut handshake = Handshake::new(&script, Streams::TwoBesideTerminal);
    handshake.hear(Stream::Stdout, out(&script));
    handshake.hear(Stream::Stderr, asking.clone());
    assert!(answered(&mut handshake).is_empty());
    handshake.hear_terminal(&asking);
    assert_eq!(answered(&mut handshake), ["of doas"]);

    let over = script.prompts()[0].until.clone().unwrap();
    let mut handshake = Handshake::new(&script, Streams::One);
    handshake.hear(Stream::Stdout, out(&script));
    handshake.hear(Stream::Stdout, format!("{over}\n").into());
    handshake.hear(Stream::Stdout, asking);
    assert!(answered(&mut handshake).is_empty());
}
