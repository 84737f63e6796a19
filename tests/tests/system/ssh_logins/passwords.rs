//! Passwords, requested by each method that servers have.

use hostlink::{Data, ErrorKind};
use hostlink_tests::dropbear::Dropbear;
use hostlink_tests::sshd::{Sshd, SshdBuilder};
use hostlink_tests::user::TestUser;

use crate::ssh_logins::scene::{
    Knows, asking, assert_says, at, connect, connect_to, context, hostlink, on, one_line_of,
    refusal, refusal_of, user_of,
};

const ODD: &str = r#" it's "a  $HOME\ %h `id` für €: "#;

fn user_with(password: &str) -> TestUser {
    let user = TestUser::create("/bin/sh");
    user.set_password(password);
    user
}

fn password_data(sshd: &Sshd, user: &TestUser, password: &str) -> Data {
    on(sshd, user.name()).with("ssh_password", password)
}

/// Checks that the server accepts the password, at the first try.
async fn logs_in(builder: SshdBuilder, password: &str) {
    let (sshd, user) = (builder.start(), user_with(password));
    let link = connect(&sshd, &password_data(&sshd, &user, password)).await;
    assert_eq!(user_of(&link).await, user.name());
    assert_eq!((sshd.logins(), sshd.refused_passwords()), (1, 0), "{}", sshd.log());
}

/// Checks that a wrong password is one try in the server's log, and that the error does not show
/// it.
async fn is_refused_once(builder: SshdBuilder) {
    let (sshd, user) = (builder.start(), user_with("right"));
    let error = refusal(&sshd, &password_data(&sshd, &user, "wr0ng")).await;
    assert_says(&error, ErrorKind::Auth, &[user.name(), "refused the password"]);
    assert!(!format!("{error} {error:?}").contains("wr0ng"), "{error:?}");
    sshd.wait_until_idle();
    assert_eq!((sshd.logins(), sshd.refused_passwords()), (0, 1), "{}", sshd.log());
}

#[tokio::test]
async fn a_password_of_odd_characters_logs_in() {
    logs_in(Sshd::builder().passwords(), ODD).await;
}

#[tokio::test]
async fn a_password_of_odd_characters_logs_in_with_pam() {
    logs_in(Sshd::builder().passwords().pam(), ODD).await;
}

#[tokio::test]
async fn a_password_of_odd_characters_answers_the_server_s_question() {
    logs_in(Sshd::builder().keyboard_interactive(), ODD).await;
}

#[tokio::test]
async fn a_password_logs_in_where_both_ways_are_open() {
    logs_in(Sshd::builder().passwords().keyboard_interactive(), ODD).await;
}

#[tokio::test]
async fn a_password_of_odd_characters_logs_in_on_dropbear() {
    let (server, user) = (Dropbear::start(), user_with(ODD));
    let data = at(server.port(), user.name(), &server.known_hosts());
    let target = server.address().to_string();
    let right = data.clone().with("ssh_password", ODD);
    let link = connect_to(&target, &right, &context()).await;
    assert_eq!(user_of(&link).await, user.name());
    let error = refusal_of(&target, &data.with("ssh_password", "wr0ng"), &context()).await;
    assert_says(&error, ErrorKind::Auth, &[user.name(), "refused the password"]);
    assert_eq!(server.log().matches("Bad password attempt").count(), 1, "{}", server.log());
}

#[tokio::test]
async fn a_wrong_password_is_tried_once() {
    is_refused_once(Sshd::builder().passwords()).await;
}

#[tokio::test]
async fn a_wrong_answer_is_tried_once() {
    is_refused_once(Sshd::builder().keyboard_interactive()).await;
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_where_both_ways_are_open() {
    is_refused_once(Sshd::builder().passwords().keyboard_interactive()).await;
}

#[tokio::test]
async fn a_missing_password_is_prompted_for_or_named_in_the_error() {
    let (sshd, user) = (Sshd::builder().passwords().start(), user_with(ODD));
    let data = on(&sshd, user.name());
    let somebody = Knows::new(&[("password", ODD)]);
    let link = connect_to("127.0.0.1", &data, &asking(&somebody)).await;
    assert_eq!(user_of(&link).await, user.name());
    assert_eq!(somebody.asked(), [format!("the password of {}@127.0.0.1", user.name())]);
    link.disconnect().await.unwrap();
    let error = refusal(&sshd, &data).await;
    let expected = format!("{}@127.0.0.1 wants a password: set ssh_password", user.name());
    assert_says(&error, ErrorKind::Auth, &[&expected]);
    let line = one_line_of(hostlink("127.0.0.1", &data, "true"), 255);
    let flags = "(flags: --ssh-password-file, --ssh-password-prompt)";
    assert!(line.ends_with(&format!("set ssh_password {flags}")), "{line}");
    sshd.wait_until_idle();
    assert_eq!((sshd.logins(), sshd.refused_passwords()), (1, 0), "{}", sshd.log());
}

#[tokio::test]
async fn a_second_question_is_passed_to_the_prompter() {
    let (sshd, user) = (Sshd::builder().two_prompts().start(), user_with(ODD));
    let code = user.second_factor();
    let somebody = Knows::new(&[("Verification code", &code)]);
    let data = password_data(&sshd, &user, ODD);
    let link = connect_to("127.0.0.1", &data, &asking(&somebody)).await;
    assert_eq!(user_of(&link).await, user.name());
    assert_eq!(somebody.asked(), [format!("{}@127.0.0.1: Verification code", user.name())]);
    assert_eq!((sshd.logins(), sshd.refused_passwords()), (1, 0), "{}", sshd.log());
}

#[tokio::test]
async fn a_second_question_without_an_answer_is_quoted() {
    let (sshd, user) = (Sshd::builder().two_prompts().start(), user_with(ODD));
    let _code = user.second_factor();
    let error = refusal(&sshd, &password_data(&sshd, &user, ODD)).await;
    assert_says(&error, ErrorKind::Auth, &[user.name(), "Verification code"]);
    assert_eq!(sshd.logins(), 0);
}

#[tokio::test]
async fn a_wrong_second_answer_is_refused_after_one_try() {
    let (sshd, user) = (Sshd::builder().two_prompts().start(), user_with(ODD));
    let digits: u32 = user.second_factor().parse().unwrap();
    let other = format!("{:06}", (digits + 500_000) % 1_000_000);
    let somebody = Knows::new(&[("Verification code", &other)]);
    let data = password_data(&sshd, &user, ODD);
    let error = refusal_of("127.0.0.1", &data, &asking(&somebody)).await;
    assert_says(&error, ErrorKind::Auth, &[user.name(), "refused"]);
    sshd.wait_until_idle();
    assert_eq!((sshd.logins(), sshd.refused_passwords()), (0, 1), "{}", sshd.log());
    assert_eq!(somebody.asked().len(), 1);
}

#[tokio::test]
async fn a_wrong_password_before_a_second_question_is_refused_after_one_try() {
    let (sshd, user) = (Sshd::builder().two_prompts().start(), user_with(ODD));
    let code = user.second_factor();
    let somebody = Knows::new(&[("Verification code", &code)]);
    let data = password_data(&sshd, &user, "wr0ng");
    let error = refusal_of("127.0.0.1", &data, &asking(&somebody)).await;
    assert_says(&error, ErrorKind::Auth, &[user.name(), "refused"]);
    sshd.wait_until_idle();
    assert_eq!((sshd.logins(), sshd.refused_passwords()), (0, 1), "{}", sshd.log());
}
