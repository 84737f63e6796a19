//! How each policy treats host keys.

use std::fs;
use std::path::Path;
use std::process::Command;

use hostlink::{Context, Data, ErrorKind};
use hostlink_tests::cli::{run, stderr, stdout};
use hostlink_tests::keys::{KeyType, Keys};
use hostlink_tests::ssh_target::Details;
use hostlink_tests::sshd::Sshd;
use hostlink_tests::user::TestUser;
use tempfile::NamedTempFile;

use crate::ssh_logins::scene::{
    assert_says, connect, connect_to, context, file, hostlink, key_of, on, one_line_of, refusal,
    text, user_of,
};

/// Returns a file with a key for the server that is not the server's.
fn another_key_of(sshd: &Sshd) -> NamedTempFile {
    let key = Keys::new().make(KeyType::Ed25519);
    file(&format!("# mine\n[127.0.0.1]:{} {}\n", sshd.port(), key.public()))
}

/// Returns whether the server's own key is in the file, on a line for it alone.
fn holds_key_of(known_hosts: &Path, sshd: &Sshd) -> bool {
    let blob = fs::read_to_string(sshd.known_hosts()).unwrap();
    let blob = blob.split_whitespace().nth(2).unwrap();
    let line = format!("[127.0.0.1]:{} ssh-ed25519 {blob}", sshd.port());
    fs::read_to_string(known_hosts).unwrap().lines().any(|it| it == line)
}

/// Returns data that log in with a key, with this file under this policy.
fn data(sshd: &Sshd, known_hosts: &Path, policy: &str) -> Data {
    // A copy that lives as long as the server does.
    let own = sshd.dir().join("client_key");
    fs::copy(key_of(sshd).path(), &own).unwrap();
    on(sshd, "root")
        .with("ssh_key", text(&own))
        .with("ssh_known_hosts_file", text(known_hosts))
        .with("ssh_strict_host_key_checking", policy)
}

#[tokio::test]
async fn an_unknown_key_is_refused_under_yes() {
    let (sshd, known) = (Sshd::builder().start(), file(""));
    let data = data(&sshd, known.path(), "yes");
    let error = refusal(&sshd, &data).await;
    let place = format!("127.0.0.1:{}", sshd.port());
    assert_says(&error, ErrorKind::HostKey, &[&place, "is not known", "SHA256:", "accept-new"]);
    assert_eq!(fs::read_to_string(known.path()).unwrap(), "");
    let line = one_line_of(hostlink("127.0.0.1", &data, "true"), 255);
    assert!(line.contains("is not known"), "{line}");
    assert_eq!(sshd.logins(), 0);
}

#[tokio::test]
async fn an_unknown_key_is_kept_under_accept_new() {
    let sshd = Sshd::builder().start();
    let known = sshd.dir().join("not there yet");
    let link = connect(&sshd, &data(&sshd, &known, "accept-new")).await;
    assert_eq!(user_of(&link).await, "root");
    assert!(holds_key_of(&known, &sshd));
    link.disconnect().await.unwrap();
    // A key that was stored is accepted.
    assert_eq!(user_of(&connect(&sshd, &data(&sshd, &known, "yes")).await).await, "root");
}

#[tokio::test]
async fn the_default_is_accept_new() {
    let (sshd, known) = (Sshd::builder().start(), file(""));
    let mut data = data(&sshd, known.path(), "yes");
    data.insert("ssh_strict_host_key_checking", hostlink::Value::Null);
    assert_eq!(user_of(&connect(&sshd, &data).await).await, "root");
    assert!(holds_key_of(known.path(), &sshd));
}

#[tokio::test]
async fn a_key_that_cannot_be_kept_is_warned_of_with_the_file() {
    let sshd = Sshd::builder().start();
    // No file can be made below a file, whoever tries.
    let known = sshd.dir().join("config/known hosts");
    let data = data(&sshd, &known, "accept-new");
    for _ in ["new", "as new as before"] {
        let details = Details::default();
        let context = Context { reporter: details.context().reporter, ..context() };
        let link = connect_to("127.0.0.1", &data, &context).await;
        assert_eq!(user_of(&link).await, "root");
        link.disconnect().await.unwrap();
        let told = details.with(&text(&known));
        assert_eq!(told.len(), 1, "{told:?}");
        let place = format!("the host key of root@127.0.0.1:{}", sshd.port());
        assert!(told[0].contains(&place) && told[0].contains("will not be noticed"), "{told:?}");
    }
    let output = run(hostlink("127.0.0.1", &data, "id -un"));
    let (told, lines) = (stderr(&output), stdout(&output));
    assert_eq!((lines, told.matches("warning: ").count()), ("root\n".to_owned(), 1), "{told}");
    assert!(told.contains(&text(&known)), "{told}");
    // The control: where it can be kept, there is nothing to say.
    let kept =
        hostlink("127.0.0.1", &data.with("ssh_known_hosts_file", text(file("").path())), "true");
    assert_eq!(stderr(&run(kept)), "");
}

async fn a_changed_key_is_refused(policy: &str) {
    let sshd = Sshd::builder().start();
    let known = another_key_of(&sshd);
    let before = fs::read_to_string(known.path()).unwrap();
    let data = data(&sshd, known.path(), policy);
    let error = refusal(&sshd, &data).await;
    let place = format!("{}:2", text(known.path()));
    assert_says(&error, ErrorKind::HostKey, &["has changed", &place, "remove it with: ssh-keygen"]);
    assert_eq!((fs::read_to_string(known.path()).unwrap(), sshd.logins()), (before, 0));

    // Runs the suggested command, as a user would paste it.
    let (_, remedy) = error.message().split_once("remove it with: ").unwrap();
    let output = Command::new("sh").args(["-c", remedy]).output().unwrap();
    assert!(output.status.success(), "{remedy}: {output:?}");
    if policy == "yes" {
        assert_says(&refusal(&sshd, &data).await, ErrorKind::HostKey, &["is not known"]);
    } else {
        assert_eq!(user_of(&connect(&sshd, &data).await).await, "root");
        assert!(holds_key_of(known.path(), &sshd));
    }
}

#[tokio::test]
async fn a_changed_key_is_refused_under_accept_new_and_the_remedy_works() {
    a_changed_key_is_refused("accept-new").await;
}

#[tokio::test]
async fn a_changed_key_is_refused_under_yes_and_the_remedy_works() {
    a_changed_key_is_refused("yes").await;
}

#[test]
fn the_command_reports_a_changed_key_in_one_line() {
    let sshd = Sshd::builder().start();
    let known = another_key_of(&sshd);
    let data = data(&sshd, known.path(), "accept-new");
    let line = one_line_of(hostlink("127.0.0.1", &data, "true"), 255);
    assert!(line.contains("has changed") && line.contains("ssh-keygen -R "), "{line}");
}

#[tokio::test]
async fn a_revoked_key_is_refused() {
    let sshd = Sshd::builder().start();
    let known = fs::read_to_string(sshd.known_hosts()).unwrap();
    let known = file(&format!("@revoked {known}"));
    let error = refusal(&sshd, &data(&sshd, known.path(), "accept-new")).await;
    assert_says(&error, ErrorKind::HostKey, &["is marked as revoked"]);
}

#[tokio::test]
async fn every_key_is_good_under_no() {
    let (sshd, known) = (Sshd::builder().start(), file(""));
    let unknown = data(&sshd, known.path(), "no");
    assert_eq!(user_of(&connect(&sshd, &unknown).await).await, "root");
    let known = another_key_of(&sshd);
    let changed = data(&sshd, known.path(), "no");
    assert_eq!(user_of(&connect(&sshd, &changed).await).await, "root");
}

#[tokio::test]
async fn a_changed_key_gets_no_password_also_under_no() {
    let (sshd, user) = (Sshd::builder().passwords().start(), TestUser::create("/bin/sh"));
    user.set_password("pass word");
    let known = another_key_of(&sshd);
    let data = on(&sshd, user.name())
        .with("ssh_password", "pass word")
        .with("ssh_known_hosts_file", text(known.path()))
        .with("ssh_strict_host_key_checking", "no");
    let error = refusal(&sshd, &data).await;
    assert_says(&error, ErrorKind::HostKey, &["has changed", "ssh-keygen -R "]);
    sshd.wait_until_idle();
    assert!(!sshd.log().contains("password for "), "{}", sshd.log());
}

#[tokio::test]
async fn ask_is_refused_before_anything_connects() {
    let (sshd, known) = (Sshd::builder().start(), file(""));
    let data = data(&sshd, known.path(), "ask");
    let error = refusal(&sshd, &data).await;
    let key = "ssh_strict_host_key_checking: ask is not possible";
    assert_says(&error, ErrorKind::Data, &[key, "accept-new", "ssh-keyscan"]);
    let line = one_line_of(hostlink("127.0.0.1", &data, "true"), 2);
    assert!(line.contains(key), "{line}");
    assert!(!sshd.log().contains("Connection from"), "{}", sshd.log());
}
