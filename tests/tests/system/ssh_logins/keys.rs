//! Keys, passphrases and certificates.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hostlink::{ErrorKind, Value};
use hostlink_tests::cli::{run, stdout};
use hostlink_tests::dropbear::Dropbear;
use hostlink_tests::keys::{KeyType, Keys};
use hostlink_tests::sshd::Sshd;
use hostlink_tests::user::TestUser;

use crate::ssh_logins::scene::{
    Knows, asking, assert_says, at, connect, connect_to, context, hostlink, key_of, on,
    one_line_of, refusal, refusal_of, text, user_of,
};

const PHRASE: &str = r#" it's "a  $HOME\ %h phrase für €: "#;

#[tokio::test]
async fn a_key_logs_in() {
    let sshd = Sshd::builder().start();
    for key_type in [KeyType::Ed25519, KeyType::Ecdsa, KeyType::Rsa] {
        let key = Keys::new().make(key_type);
        sshd.authorize(&key.public());
        let link = connect(&sshd, &on(&sshd, "root").with("ssh_key", text(key.path()))).await;
        assert_eq!(user_of(&link).await, "root", "{key_type:?}");
        link.disconnect().await.unwrap();
    }
    assert_eq!(sshd.logins(), 3);
}

#[test]
fn a_key_logs_the_command_in() {
    let sshd = Sshd::builder().start();
    let (user, key) = (TestUser::create("/bin/sh"), key_of(&sshd));
    let data = on(&sshd, user.name()).with("ssh_key", text(key.path()));
    let output = run(hostlink(&sshd.address().to_string(), &data, "id -un"));
    assert_eq!(stdout(&output), format!("{}\n", user.name()), "{output:?}");
}

#[tokio::test]
async fn a_key_logs_in_on_dropbear() {
    let (server, user, keys) = (Dropbear::start(), TestUser::create("/bin/sh"), Keys::new());
    let (key, other) = (keys.make(KeyType::Ed25519), keys.make(KeyType::Ed25519));
    user.authorize(&key.public());
    let data = at(server.port(), user.name(), &server.known_hosts());
    let target = server.address().to_string();
    let good = data.clone().with("ssh_key", text(key.path()));
    let link = connect_to(&target, &good, &context()).await;
    assert_eq!(user_of(&link).await, user.name());
    let bad = data.with("ssh_key", text(other.path()));
    let error = refusal_of(&target, &bad, &context()).await;
    assert_says(&error, ErrorKind::Auth, &["refused", &text(other.path())]);
}

#[tokio::test]
async fn a_key_that_is_refused_is_named() {
    let sshd = Sshd::builder().start();
    let key = Keys::new().make(KeyType::Ed25519);
    let data = on(&sshd, "root").with("ssh_key", text(key.path()));
    let error = refusal(&sshd, &data).await;
    let who = format!("root@127.0.0.1:{} refused the login", sshd.port());
    assert_says(&error, ErrorKind::Auth, &[&who, "publickey", &text(key.path()), "check ssh_user"]);
    let line = one_line_of(hostlink("127.0.0.1", &data, "true"), 255);
    assert!(line.contains(&who) && line.contains(&text(key.path())), "{line}");
    sshd.wait_until_idle();
    assert_eq!(sshd.logins(), 0);
}

/// The server would accept the key, so it is no key that was refused.
async fn a_spoiled_key_is_the_cause(spoil: impl Fn(&str) -> String, without_public: bool) {
    let (sshd, user) = (Sshd::builder().passwords().start(), TestUser::create("/bin/sh"));
    let key = key_of(&sshd);
    let content = fs::read_to_string(key.path()).unwrap();
    fs::write(key.path(), spoil(&content)).unwrap();
    if without_public {
        fs::remove_file(key.path().with_extension("pub")).unwrap();
    }
    let line = format!("Load key \"{}\": ", text(key.path()));
    let data = on(&sshd, user.name()).with("ssh_key", text(key.path()));
    let error = refusal(&sshd, &data).await;
    let expected = [&line, "CRLF", "wants a password: set ssh_password"];
    assert_says(&error, ErrorKind::Auth, &expected);
    assert!(error.message().starts_with(&line), "{error}");
    assert!(!error.message().contains("refused the keys"), "{error}");

    let no_password = data.with("ssh_options", vec![Value::from("PasswordAuthentication=no")]);
    let error = refusal(&sshd, &no_password).await;
    assert_says(&error, ErrorKind::Auth, &["no key was tried", "refused the login"]);
    assert!(error.message().starts_with(&line), "{error}");
}

#[tokio::test]
async fn a_key_with_crlf_is_the_cause() {
    a_spoiled_key_is_the_cause(|key| key.replace('\n', "\r\n"), false).await;
}

#[tokio::test]
async fn a_key_without_its_last_newline_is_the_cause() {
    a_spoiled_key_is_the_cause(|key| key.trim_end().to_owned(), true).await;
}

#[tokio::test]
async fn a_key_of_sshs_configuration_that_cannot_be_used_is_the_cause() {
    let (sshd, key) = (Sshd::builder().start(), Keys::new().make(KeyType::Ed25519));
    sshd.authorize(&key.public());
    fs::set_permissions(key.path(), Permissions::from_mode(0o644)).unwrap();
    for (file, why) in [
        (key.path(), format!("Load key \"{}\": bad permissions; ", text(key.path()))),
        (Path::new("/no/key"), "no such identity: /no/key: No such file or directory; ".to_owned()),
    ] {
        let option = format!("IdentityFile={}", text(file));
        let data = on(&sshd, "root").with("ssh_look_for_keys", true);
        let error = refusal(&sshd, &data.with("ssh_options", vec![Value::from(option)])).await;
        assert_says(&error, ErrorKind::Auth, &[&why, "refused the login"]);
        assert!(!error.message().contains(&format!("tried the keys {}", text(file))), "{error}");
    }
}

#[tokio::test]
async fn the_right_passphrase_unlocks_a_key() {
    let sshd = Sshd::builder().start();
    let key = Keys::new().make_with_passphrase(KeyType::Ed25519, PHRASE);
    sshd.authorize(&key.public());
    let data = on(&sshd, "root").with("ssh_key", text(key.path()));
    let link = connect(&sshd, &data.with("ssh_key_password", PHRASE)).await;
    assert_eq!(user_of(&link).await, "root");
}

#[tokio::test]
async fn a_wrong_passphrase_is_named_with_its_key() {
    let sshd = Sshd::builder().start();
    let key = Keys::new().make_with_passphrase(KeyType::Ed25519, PHRASE);
    sshd.authorize(&key.public());
    let data = on(&sshd, "root").with("ssh_key", text(key.path()));
    let error = refusal(&sshd, &data.with("ssh_key_password", "wr0ng")).await;
    let expected = format!("the passphrase of the key {} is wrong", text(key.path()));
    assert_says(&error, ErrorKind::Auth, &[&expected, "ssh_key_password"]);
    assert!(!format!("{error:?}").contains("wr0ng"), "{error:?}");
}

#[tokio::test]
async fn a_missing_passphrase_is_named_with_its_key() {
    let sshd = Sshd::builder().start();
    let key = Keys::new().make_with_passphrase(KeyType::Ed25519, PHRASE);
    sshd.authorize(&key.public());
    let data = on(&sshd, "root").with("ssh_key", text(key.path()));
    let error = refusal(&sshd, &data).await;
    let expected = format!("the key {} has a passphrase", text(key.path()));
    assert_says(&error, ErrorKind::Auth, &[&expected, "set ssh_key_password"]);
    let line = one_line_of(hostlink("127.0.0.1", &data, "true"), 255);
    assert!(line.contains(&expected), "{line}");
}

#[tokio::test]
async fn the_prompter_is_asked_for_a_missing_passphrase() {
    let sshd = Sshd::builder().start();
    let key = Keys::new().make_with_passphrase(KeyType::Ed25519, PHRASE);
    sshd.authorize(&key.public());
    let data = on(&sshd, "root").with("ssh_key", text(key.path()));
    let somebody = Knows::new(&[("passphrase", PHRASE)]);
    let link = connect_to("127.0.0.1", &data, &asking(&somebody)).await;
    assert_eq!(user_of(&link).await, "root");
    assert_eq!(somebody.asked(), [format!("the passphrase of the key {}", text(key.path()))]);
}

#[tokio::test]
async fn a_certificate_beside_its_key_logs_in() {
    let (sshd, keys) = (Sshd::builder().start(), Keys::new());
    let (authority, key) = (keys.make(KeyType::Ed25519), keys.make(KeyType::Ed25519));
    sshd.trust_authority(&authority.public());
    let data = on(&sshd, "root").with("ssh_key", text(key.path()));
    let error = refusal(&sshd, &data).await;
    assert_says(&error, ErrorKind::Auth, &["refused the login"]);
    assert!(key.certify(&authority, &["root"]).exists());
    assert_eq!(user_of(&connect(&sshd, &data).await).await, "root");
}

#[tokio::test]
async fn a_certificate_elsewhere_logs_in_when_it_is_named() {
    let (sshd, keys) = (Sshd::builder().start(), Keys::new());
    let (authority, key) = (keys.make(KeyType::Ed25519), keys.make(KeyType::Ed25519));
    sshd.trust_authority(&authority.public());
    let beside = key.certify(&authority, &["root"]);
    let elsewhere = beside.with_file_name("it's 100% elsewhere");
    fs::rename(&beside, &elsewhere).unwrap();
    let data = on(&sshd, "root").with("ssh_key", text(key.path()));
    refusal(&sshd, &data).await;
    let data = data.with("ssh_certificate", text(&elsewhere));
    assert_eq!(user_of(&connect(&sshd, &data).await).await, "root");
}

#[tokio::test]
async fn a_certificate_for_another_user_is_refused() {
    let (sshd, keys) = (Sshd::builder().start(), Keys::new());
    let (authority, key) = (keys.make(KeyType::Ed25519), keys.make(KeyType::Ed25519));
    sshd.trust_authority(&authority.public());
    let certificate = key.certify(&authority, &["somebody-else"]);
    let data = on(&sshd, "root")
        .with("ssh_key", text(key.path()))
        .with("ssh_certificate", text(&certificate));
    let error = refusal(&sshd, &data).await;
    assert_says(&error, ErrorKind::Auth, &["refused the login", &text(key.path())]);
}
