//! Which roots can be entered, and the errors for the others.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use hostlink::connect::Prompter;
use hostlink::forward::{Endpoint, Forward};
use hostlink::{ConnectorArguments, Context, Data, ErrorKind, Result, Secret, builtin_registry};
use hostlink_tests::binary;
use hostlink_tests::chroot::{Root, target};
use hostlink_tests::cli;
use hostlink_tests::ssh_target::said;
use hostlink_tests::terminal::Terminal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::chroot::scene::{PASSWORD, Somebody, connect, enter, plain, refused, run};

#[tokio::test]
async fn a_command_runs_in_the_root_as_plain_chroot_runs_it() {
    let root = Root::debian();
    fs::write(root.path("mark"), "inside\n").unwrap();
    let link = enter(&root).await;
    assert_eq!(said(&link, "pwd; cat mark").await, "/\ninside\n");
    // dash drops variables whose names are not valid in a shell.
    let line = format!("exec chroot {} sh -c env", root.dir().display());
    let plain = std::process::Command::new("dash").args(["-c", &line]).output().unwrap();
    let lines = |text: &str| {
        // Variables that shells set themselves.
        let kept =
            |line: &&str| !["_=", "PWD=", "SHLVL="].iter().any(|name| line.starts_with(name));
        let mut lines: Vec<String> = text.lines().filter(kept).map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let found = lines(&said(&link, "env").await);
    assert_eq!(found, lines(&String::from_utf8(plain.stdout).unwrap()));
    assert!(found.iter().any(|line| line.starts_with("PATH=")), "{found:?}");
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn an_invalid_root_is_reported_before_anything_is_done() {
    let root = Root::busybox();
    fs::write(root.path("file"), "").unwrap();
    fs::create_dir_all(root.path("empty/bin")).unwrap();
    fs::create_dir_all(root.path("dangling/bin")).unwrap();
    symlink("/bin/busybox", root.path("dangling/bin/sh")).unwrap();
    fs::create_dir_all(root.path("shut/bin")).unwrap();
    fs::write(root.path("shut/bin/sh"), "#!/nowhere\n").unwrap();
    symlink("/", root.path("slash")).unwrap();
    for (inside, kind, says) in [
        ("missing", ErrorKind::NotFound, "there is no such directory"),
        ("file", ErrorKind::Data, "is not a directory"),
        ("empty", ErrorKind::NotFound, "has no sh that can be run"),
        // The host has such a file, the root does not.
        ("dangling", ErrorKind::NotFound, "has no sh that can be run"),
        ("shut", ErrorKind::NotFound, "has no sh that can be run"),
        ("slash", ErrorKind::Data, "is the target's own root"),
    ] {
        let error = refused(&target(&root.path(inside)), &Data::new()).await;
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(error.to_string().lines().count(), 1, "{error}");
    }
    // The control: a link that is valid only from inside makes a usable root.
    fs::copy(root.path("bin/busybox"), root.path("dangling/bin/busybox")).unwrap();
    let link = connect(&target(&root.path("dangling")), &Data::new()).await.unwrap();
    assert_eq!(said(&link, "echo in").await, "in\n");
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_missing_right_to_enter_names_its_key() {
    let (root, somebody) = (Root::busybox(), Somebody::asked());
    let name = somebody.target(&root);
    let error = refused(&name, &somebody.ssh.data).await;
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    assert!(error.to_string().contains("set chroot_sudo=true"), "{error}");

    let error = refused(&name, &somebody.data()).await;
    assert_eq!(error.kind(), ErrorKind::Privilege, "{error}");
    assert!(error.to_string().contains("chroot_sudo without chroot_sudo_password"), "{error}");

    let wrong = somebody.data().with("chroot_sudo_password", "hunter2");
    let error = refused(&name, &wrong).await;
    assert_eq!(error.kind(), ErrorKind::Privilege, "{error}");
    assert!(
        error.to_string().contains("chroot_sudo_password: the password was not accepted"),
        "{error}"
    );
    assert!(!format!("{error:?}").contains("hunter2"));

    let right = somebody.data().with("chroot_sudo_password", PASSWORD);
    let link = connect(&name, &right).await.unwrap();
    assert_eq!(said(&link, "id -u; echo ${SUDO_COMMAND-none}").await, "0\nnone\n");
    link.disconnect().await.unwrap();
    let of_nobody = right.with("chroot_sudo_user", "nobody");
    let error = refused(&name, &of_nobody).await;
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    assert!(error.to_string().contains("chroot_sudo_user"), "{error}");
}

/// Knows one answer, and counts the questions.
#[derive(Debug)]
struct Answers(&'static str, AtomicUsize);

#[async_trait]
impl Prompter for Answers {
    async fn ask_secret(&self, _target: &str, question: &str) -> Result<Secret> {
        assert!(question.contains("sudo"), "{question}");
        self.1.fetch_add(1, Ordering::Relaxed);
        Ok(Secret::from(self.0))
    }
}

#[tokio::test]
async fn a_missing_password_is_prompted_for_once() {
    let (root, somebody) = (Root::busybox(), Somebody::asked());
    for (answer, right) in [(PASSWORD, true), ("hunter2", false)] {
        let prompter = Arc::new(Answers(answer, AtomicUsize::new(0)));
        let context = Context { prompter: prompter.clone(), ..Context::default() };
        let registry = builtin_registry();
        match registry.connect(&somebody.target(&root), &somebody.data(), &context).await {
            Ok(link) => {
                assert!(right);
                assert_eq!(said(&link, "id -u").await, "0\n");
                link.disconnect().await.unwrap();
            }
            Err(error) => {
                assert!(!right, "{error}");
                assert_eq!(error.kind(), ErrorKind::Privilege, "{error}");
            }
        }
        assert_eq!(prompter.1.load(Ordering::Relaxed), 1);
    }
}

#[tokio::test]
async fn the_rights_of_a_command_are_those_of_a_user_inside() {
    let root = Root::busybox();
    let link = enter(&root).await;
    // This machine has no such user.
    let arguments = ConnectorArguments::new().with_su_user("insider");
    let output =
        run(&link, "id -u; cat >/tmp/theirs", &arguments.clone().with_stdin("text")).await.unwrap();
    assert_eq!(output.stdout(), b"4711\n", "{output:?}");
    assert_eq!(fs::read(root.path("tmp/theirs")).unwrap(), b"text");
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn chroot_is_found_where_the_user_s_path_does_not_lead() {
    let (root, somebody) = (Root::busybox(), Somebody::trusted());
    // Without sudo's secure_path: the user's own PATH applies inside, and has no directory for
    // administrators.
    let path = said(&somebody.ssh.connect().await, "echo $PATH").await;
    assert!(!path.contains("sbin"), "the control: {path}");
    let error = refused(&somebody.target(&root), &somebody.ssh.data).await;
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "chroot was found, and refused: {error}");
}

#[tokio::test]
async fn long_commands_and_secrets_get_in() {
    let (root, somebody) = (Root::debian(), Somebody::trusted());
    for link in
        [enter(&root).await, connect(&somebody.target(&root), &somebody.data()).await.unwrap()]
    {
        for length in [2_000, 7_000, 20_000, 100_000, 150_000, 300_000] {
            let text = "it's ".repeat(length / 5);
            let line = format!("printf %s \"{text}\" | wc -c; cat");
            let output = run(&link, &line, &plain().with_stdin("input")).await.unwrap();
            assert_eq!(output.stdout_lines().concat(), format!("{length}input"));
        }
        let secret = Secret::from("hunter2");
        let arguments = plain().with_env_var("WORD", secret).with_stdin("input");
        let output = run(&link, "printenv WORD; cat", &arguments).await.unwrap();
        assert_eq!(output.stdout(), b"hunter2\ninput");
        link.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn ports_are_those_of_the_target_and_sockets_are_refused() {
    let root = Root::busybox();
    let link = enter(&root).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut dialled = link.dial(&Endpoint::Tcp("127.0.0.1".into(), port)).await.unwrap();
    let (mut accepted, _) = listener.accept().await.unwrap();
    accepted.write_all(b"x").await.unwrap();
    assert_eq!(dialled.read_u8().await.unwrap(), b'x');

    let socket = root.path("tmp/socket");
    let _listener = tokio::net::UnixListener::bind(&socket).unwrap();
    let inside = Endpoint::Unix("/tmp/socket".into());
    let Err(error) = link.dial(&inside).await else { panic!("it was dialled") };
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    let listen = Endpoint::Unix(socket.with_extension("new").display().to_string());
    let error = link.forward(&Forward::Local { listen, to: inside }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    link.disconnect().await.unwrap();
}

#[test]
fn the_command_line_works_in_a_root() {
    let root = Root::busybox();
    let name = root.target();
    let run = |words: &[&str]| cli::run(cli::hostlink([&[name.as_str()], words].concat()));
    let output = run(&["exec", "--", "cat", "/etc/passwd"]);
    assert!(cli::stdout(&output).contains("insider"), "{}", cli::stderr(&output));
    let here = root.dir().with_file_name("here");
    fs::write(&here, "content").unwrap();
    let here = here.to_str().unwrap();
    assert_eq!(cli::code(&run(&["put", here, "/srv/there"])), 0);
    assert_eq!(fs::read(root.path("srv/there")).unwrap(), b"content");
    assert_eq!(cli::stdout(&run(&["get", "/srv/there", "-"])), "content");
    assert_eq!(cli::code(&run(&["exec", "--", "exit 3"])), 3);
    // This machine's shell does not exist in the root, which has another one.
    let variables = [("SHELL", "/bin/bash")];
    let terminal = Terminal::start(&binary(), [&name, "shell"], &variables);
    terminal.wait_until_taken_over();
    terminal.type_in("echo $((40 + 2)); grep -o insider /etc/passwd; exit 5\r");
    terminal.wait_for("42");
    terminal.wait_for("insider\r");
    assert_eq!(terminal.wait_for_status(), 5);
}

#[test]
fn bad_names_and_data_are_one_line_and_status_2() {
    for (words, says) in [
        (&["@chroot"][..], "@chroot/ and its absolute path"),
        (&["@chroot/srv"], "is not an absolute path"),
        (&["@chroot//"], "is the target itself"),
        (&["@chroot//srv", "--data", "chroot_directory=/other"], "differs from chroot_path"),
        (&["@chroot//srv", "--data", "chroot_sudo_user=x"], "no effect without chroot_sudo"),
        (&["@chroot//srv", "--data", "chroot_mount=true"], "did you mean chroot_mounts?"),
        (&["@chroot//srv/@local"], "@local reaches its targets directly, so it cannot follow"),
        (&["@chroot//srv/@ssh/h"], "@ssh reaches its targets directly, so it cannot follow"),
        (&["@local/@ssh/h"], "@ssh reaches its targets directly, so it cannot follow"),
    ] {
        let (name, options) = words.split_first().unwrap();
        let words = [options, &[name, "exec", "--", "true"]].concat();
        let output = cli::run(cli::hostlink(&words));
        let line = cli::stderr(&output);
        assert_eq!((cli::code(&output), line.lines().count()), (2, 1), "{words:?}: {line}");
        assert!(line.contains(says) && !line.contains("hunter2"), "{words:?}: {line}");
    }
}

#[test]
fn the_list_of_connectors_says_what_they_may_follow() {
    let said = |name: &str| cli::stdout(&cli::run(cli::hostlink(["connectors", name])));
    assert!(said("chroot").contains("It follows another target: @local"));
    assert!(said("ssh").contains("it cannot follow another target"));
}
