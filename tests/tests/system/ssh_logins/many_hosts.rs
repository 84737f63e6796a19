//! A hundred new hosts at the same time, and the file of their keys.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use hostlink_tests::cli::{code, run, stderr, stdout};
use hostlink_tests::keys::{KeyType, Keys};
use hostlink_tests::sshd::Sshd;

use crate::ssh_logins::scene::{file, hostlink, key_of, on, text};

/// Adds a line for a host whose name is hashed, as with `HashKnownHosts`.
fn hashed(line: &str) -> String {
    let plain = file(line);
    let mut hash = Command::new("ssh-keygen");
    assert!(hash.args(["-H", "-f"]).arg(plain.path()).output().unwrap().status.success());
    let hashed = fs::read_to_string(plain.path()).unwrap();
    fs::remove_file(plain.path().with_extension("old")).unwrap();
    assert!(hashed.starts_with("|1|"), "{hashed}");
    hashed
}

fn public_key() -> String {
    Keys::new().make(KeyType::Ed25519).public()
}

#[test]
fn a_hundred_new_hosts_together_give_a_hundred_whole_lines() {
    let sshd = Sshd::builder().listen("0.0.0.0").max_startups("1000").start();
    let (key, port) = (key_of(&sshd), sshd.port());
    let own = fs::read_to_string(sshd.known_hosts()).unwrap();
    let blob = own.split_whitespace().nth(2).unwrap();
    let known_to_us = hashed(&format!("[127.0.2.1]:{port} ssh-ed25519 {blob}\n"));
    // The last line lacks its newline, as some editors leave it.
    let old = format!(
        "# mine\n\n  \t\n{known_to_us}@cert-authority *.example.com {}\n@revoked gone.example.com {}\n\
         not a line\n[127.0.3.1]:{port},other ssh-ed25519 {blob} a remark\nhost-without-end {}",
        public_key(),
        public_key(),
        public_key(),
    );
    let known = file(&old);
    let mut data = on(&sshd, "root")
        .with("ssh_key", text(key.path()))
        .with("ssh_known_hosts_file", text(known.path()));
    data.insert("ssh_strict_host_key_checking", "accept-new");
    let names: Vec<String> = (1..=100).map(|number| format!("127.0.1.{number}")).collect();
    let output = run(hostlink(&names.join(","), &data, "echo hi"));
    assert_eq!((code(&output), stderr(&output)), (0, String::new()));
    assert_eq!((stdout(&output).lines().count(), sshd.logins()), (100, 100));

    let text_now = fs::read_to_string(known.path()).unwrap();
    let added = text_now.strip_prefix(&old).expect("the old lines are as they were");
    assert!(added.starts_with('\n') && added.ends_with('\n'), "{added:?}");
    let lines: Vec<&str> = added.lines().filter(|line| !line.is_empty()).collect();
    let line = |name: &String| format!("[{name}]:{port} ssh-ed25519 {blob}");
    let expected: BTreeSet<String> = names.iter().map(line).collect();
    assert_eq!(lines.len(), 100, "{added}");
    assert_eq!(lines.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), expected);

    // New and old lines are accepted, and nothing is added.
    data.insert("ssh_strict_host_key_checking", "yes");
    let output = run(hostlink("127.0.1.1,127.0.1.100,127.0.2.1,127.0.3.1", &data, "echo hi"));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(fs::read_to_string(known.path()).unwrap(), text_now);
}

#[test]
fn concurrent_new_hosts_are_stored_with_hashed_names() {
    let sshd = Sshd::builder().listen("0.0.0.0").max_startups("1000").start();
    let (key, known) = (key_of(&sshd), file("# mine"));
    let mut data = on(&sshd, "root")
        .with("ssh_key", text(key.path()))
        .with("ssh_options", vec!["HashKnownHosts=yes"])
        .with("ssh_known_hosts_file", text(known.path()))
        .with("ssh_strict_host_key_checking", "accept-new");
    let names: Vec<String> = (1..=20).map(|number| format!("127.0.4.{number}")).collect();
    let output = run(hostlink(&names.join(","), &data, "echo hi"));
    assert_eq!((code(&output), stderr(&output)), (0, String::new()));
    let kept = fs::read_to_string(known.path()).unwrap();
    assert_eq!(kept.lines().filter(|line| line.starts_with("|1|")).count(), 20, "{kept}");
    data.insert("ssh_strict_host_key_checking", "yes");
    let output = run(hostlink(&names.join(","), &data, "echo hi"));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
}
