//! The command with fewer descriptors than its targets would take at the same time.

use std::path::Path;

use hostlink_tests::cli::{code, command, run, stderr, stdout};
use hostlink_tests::ssh_target::SshTarget;
use hostlink_tests::sshd::Sshd;

/// Runs `true` on this many hosts, which are one server, under a shell's `ulimit`.
fn run_on(hosts: usize, limit: &str) -> (i32, usize, String) {
    let known = tempfile::NamedTempFile::new().unwrap();
    let builder = Sshd::builder().listen("0.0.0.0").max_startups("2000:30:2000");
    let target = SshTarget::start(builder)
        .with("ssh_known_hosts_file", known.path().display().to_string())
        .with("ssh_strict_host_key_checking", "accept-new");
    let mut words = target.words();
    words.pop();
    let line = format!("ulimit {limit} && exec \"$@\"");
    let mut limited = command(Path::new("sh"), ["-c", &line, "sh"]);
    limited.arg(hostlink_tests::binary()).args(words);
    // A busy machine takes its time.
    limited.args(["--connect-timeout", "300"]);
    let names: Vec<String> = (0..hosts)
        .map(|number| format!("127.0.{}.{}", 1 + number / 200, 1 + number % 200))
        .collect();
    limited.args([&names.join(","), "exec", "--", "echo in"]);
    let output = run(limited);
    (code(&output), stdout(&output).lines().count(), stderr(&output))
}

#[test]
fn three_hundred_hosts_fit_into_256_descriptors() {
    assert_eq!(run_on(300, "-n 256"), (0, 300, String::new()));
}

#[test]
fn the_soft_limit_is_raised_and_only_if_it_has_to_be() {
    assert_eq!(run_on(40, "-S -n 64"), (0, 40, String::new()));
    let line = format!(
        "ulimit -S -n 64; {} @local exec -- 'ulimit -n'",
        hostlink_tests::binary().display()
    );
    let output = run(command(Path::new("sh"), ["-c", &line]));
    assert_eq!((code(&output), stdout(&output)), (0, "64\n".to_owned()), "{}", stderr(&output));
}

#[test]
fn hosts_that_fail_for_lack_of_descriptors_are_some_that_failed() {
    assert_eq!(run_on(8, "-n 64"), (0, 8, String::new()));
    let (status, done, told) = run_on(3, "-n 18");
    assert!(done < 3, "the control: {told}");
    assert_eq!(status, 1, "{told}");
}
