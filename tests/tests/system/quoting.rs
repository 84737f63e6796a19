//! Words and values of any bytes arrive unchanged, through every shell that may read them on the
//! way.
//!
//! Needs the shells and the users `hostlink-fish` and `hostlink-tcsh` that `cargo xtask test
//! --provision` makes.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use hostlink::run::{EnvValue, quote};
use hostlink::{ConnectorArguments, Context, Data, Link, StringCommand, builtin_registry};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Runtime;

/// Words that have caused bugs: each is tried through every shell, beside the random ones.
const HARD: [&[u8]; 21] = [
    b"",
    b" ",
    b"a b",
    b"-n",
    b"--",
    b"'",
    b"\"",
    b"it's \"so\"",
    b"\\",
    b"a\\",
    b"\\n\\0101",
    b"line\nline\n",
    b"$HOME ${x} $(id) `id`",
    b"*",
    b"~ ? [a-z] {a,b}",
    b"!! !x ^a^b",
    b"%s %d %%",
    b"a;b&c|d<e>f#g",
    b"\t\r\x01\x7f",
    "h\u{e4}\u{df} \u{1f980}".as_bytes(),
    b"\xff\xfe\x80 \x81\x88",
];

/// Returns words without NUL, with more special characters than chance would give.
fn word() -> impl Strategy<Value = Vec<u8>> {
    let special = proptest::sample::select(b" '\"\\$`!*?~#&|;<>(){}[]%\n\t-=^".to_vec());
    vec(prop_oneof![special, 1..=255_u8, Just(b'\\')], 0..12)
}

/// Runs `check` on all the hard words together, and on random ones.
fn for_words(cases: u32, check: impl Fn(&[Vec<u8>])) {
    check(&HARD.map(<[u8]>::to_vec));
    let mut runner =
        TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let tried = runner.run(&vec(word(), 1..6), |words| {
        check(&words);
        Ok(())
    });
    tried.unwrap();
}

/// Returns the command that prints each of its words, terminated by NUL.
fn print(words: &[Vec<u8>]) -> StringCommand {
    let print = StringCommand::from_words(["printf", "%s\\0"]);
    words.iter().fold(print, |command, word| command.arg(OsStr::from_bytes(word)))
}

fn ended_by_nul(words: &[Vec<u8>]) -> Vec<u8> {
    words.iter().flat_map(|word| [word, &b"\0"[..]].concat()).collect()
}

/// Checks that a shell parses the line that `line` makes of the command.
fn through_shell(shell: &[&str], line: impl Fn(&[u8]) -> Vec<u8>) {
    for_words(24, |words| {
        let line = line(&print(words).get_raw_value());
        let mut command = Command::new(shell[0]);
        command.args(&shell[1..]).arg("-c").arg(OsStr::from_bytes(&line));
        let output = command.output().unwrap_or_else(|error| panic!("{shell:?}: {error}"));
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.stdout, ended_by_nul(words), "{shell:?}: {words:?}: {errors}");
    });
}

/// Checks that the library sends the command with these arguments.
fn through_link(cases: u32, arguments: &ConnectorArguments) {
    let runtime = Runtime::new().unwrap();
    let link = runtime.block_on(local());
    for_words(cases, |words| {
        let command = print(words);
        let output = runtime.block_on(link.run_shell_command(&command, arguments)).unwrap();
        let errors = output.stderr_lines();
        assert_eq!(output.stdout(), ended_by_nul(words), "{arguments:?} {words:?}: {errors:?}");
    });
}

async fn local() -> Link {
    builtin_registry().connect("@local", &Data::new(), &Context::default()).await.unwrap()
}

fn a() -> ConnectorArguments {
    ConnectorArguments::new()
}

#[test]
fn words_arrive_through_posix_shells() {
    for shell in [&["sh"][..], &["bash"], &["dash"], &["busybox", "sh"]] {
        through_shell(shell, <[u8]>::to_vec);
    }
}

#[test]
fn lines_for_any_shell_arrive_through_each() {
    for shell in [&["sh"][..], &["bash"], &["dash"], &["busybox", "sh"], &["fish"], &["tcsh"]] {
        through_shell(shell, quote::any_shell);
    }
}

/// The control of the test above: these words break where a line is quoted for POSIX shells only.
#[test]
fn posix_quoting_alone_breaks_in_fish_and_tcsh() {
    let script = print(&HARD.map(<[u8]>::to_vec)).get_raw_value();
    let line = [b"exec sh -c ", &*quote::shell(&script)].concat();
    for shell in ["fish", "tcsh"] {
        let output = Command::new(shell).arg("-c").arg(OsStr::from_bytes(&line)).output().unwrap();
        assert_ne!(output.stdout, ended_by_nul(&HARD.map(<[u8]>::to_vec)), "{shell}");
    }
}

#[test]
fn words_arrive_without_privilege() {
    through_link(50, &a());
}

#[test]
fn words_arrive_through_bash_as_the_shell() {
    through_link(24, &a().with_shell_executable("bash"));
}

#[test]
fn words_arrive_through_sudo() {
    through_link(16, &a().with_sudo(true));
    through_link(16, &a().with_sudo(true).with_sudo_user("nobody"));
}

#[test]
fn words_arrive_through_sudo_login_shells() {
    for user in ["root", "hostlink-fish", "hostlink-tcsh"] {
        let login = a().with_sudo(true).with_use_sudo_login(true).with_sudo_user(user);
        through_link(12, &login);
    }
}

#[test]
fn words_arrive_through_su_login_shells() {
    for user in ["root", "hostlink-fish", "hostlink-tcsh"] {
        through_link(12, &a().with_su_user(user).with_use_su_login(true));
    }
}

#[test]
fn words_arrive_through_su_with_a_chosen_shell() {
    for shell in ["dash", "bash", "fish", "tcsh"] {
        through_link(6, &a().with_su_user("nobody").with_su_shell(shell));
    }
}

#[test]
fn words_arrive_through_nested_privilege() {
    let nested = a().with_sudo(true).with_use_sudo_login(true).with_sudo_user("root");
    through_link(8, &nested.clone().with_su_user("hostlink-fish"));
    through_link(8, &nested.with_su_user("hostlink-tcsh").with_use_su_login(true));
}

#[test]
fn values_of_the_environment_arrive() {
    let runtime = Runtime::new().unwrap();
    let link = runtime.block_on(local());
    let command = StringCommand::shell(r#"printf '%s\0' "$HL_VALUE""#);
    let logins =
        [a(), a().with_sudo(true).with_use_sudo_login(true), a().with_su_user("hostlink-tcsh")];
    for_words(16, |words| {
        for login in &logins {
            for word in words {
                let value = EnvValue::from(OsStr::from_bytes(word).to_owned());
                let arguments = login.clone().with_env_var("HL_VALUE", value);
                let output =
                    runtime.block_on(link.run_shell_command(&command, &arguments)).unwrap();
                assert_eq!(output.stdout(), [word, &b"\0"[..]].concat(), "{login:?}");
            }
        }
    });
}

#[test]
fn long_and_secret_texts_arrive_over_standard_input() {
    let runtime = Runtime::new().unwrap();
    let link = runtime.block_on(local());
    let mut runner = TestRunner::new(Config { cases: 16, ..Config::default() });
    let texts = (vec(word(), 1..4), any::<bool>());
    let tried = runner.run(&texts, |(words, long)| {
        let command = print(&words).raw(if long { "#".repeat(200_000) } else { String::new() });
        let arguments = a()
            .with_env_var("HL_SECRET", hostlink::Secret::new("s3cret 'x'"))
            .with_stdin(b"the input".to_vec());
        let command = command.raw("\nprintf %s \"$HL_SECRET\"; cat");
        let output = runtime.block_on(link.run_shell_command(&command, &arguments)).unwrap();
        let wanted = [ended_by_nul(&words), b"s3cret 'x'the input".to_vec()].concat();
        assert_eq!(output.stdout(), wanted, "{words:?}: {:?}", output.stderr_lines());
        Ok(())
    });
    tried.unwrap();
}
