//! Commands and files on hosts whose shells print much at the start.

use std::fs;
use std::path::Path;
use std::time::Instant;

use hostlink::transfer::{GetOptions, PutOptions};
use hostlink::{ConnectorArguments, Link, StringCommand};
use hostlink_tests::cli::{code, hostlink, run, stderr};
use hostlink_tests::ssh_client::SshClient;
use hostlink_tests::ssh_target::{Details, SshTarget, said};
use hostlink_tests::sshd::Sshd;
use hostlink_tests::user::TestUser;

/// 100 KiB to each stream, without a newline.
const CHATTER: &str =
    "head -c 102400 /dev/zero | tr '\\0' x\nhead -c 102400 /dev/zero | tr '\\0' y >&2\n";

/// A user whose bash, started by sshd, reads `.bashrc` as well (bash(1), INVOCATION).
fn chatty() -> (TestUser, SshTarget) {
    let user = TestUser::create("/bin/bash");
    user.write(".bashrc", 0o644, CHATTER);
    let target = SshTarget::as_user(user.name(), Sshd::builder());
    let client = SshClient::new().knows(&target.sshd.known_hosts()).key(&target.key);
    let output = run(client.run(user.name(), target.sshd.address(), target.sshd.port(), ":"));
    assert_eq!((output.stdout.len(), output.stderr.len()), (102_400, 102_400), "the control");
    (user, target)
}

fn random(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

async fn streams_are_exact(link: &Link) {
    let command = StringCommand::shell("cat; echo out; echo err >&2; exit 3");
    let input = random(300_000);
    let arguments = ConnectorArguments::new().with_stdin(input.clone());
    let output = link.run_shell_command(&command, &arguments).await.unwrap();
    assert!(output.stdout() == [&input[..], b"out\n"].concat());
    assert_eq!(output.stderr(), b"err\n");
    assert_eq!(output.status().and_then(|status| status.code()), Some(3));
}

/// Puts and gets files and a directory, byte for byte.
async fn files_are_exact(link: &Link, home: &Path) {
    let here = tempfile::tempdir().unwrap();
    let (puts, gets) = (PutOptions::default(), GetOptions::default());
    for length in [0, 1, 3_000_000] {
        let (content, mut got) = (random(length), Vec::new());
        let path = home.join("file").display().to_string();
        link.put_file(content.clone(), &path, &puts).await.unwrap();
        assert!(fs::read(&path).unwrap() == content);
        link.get_file(&path, &mut got, &gets).await.unwrap();
        assert!(got == content);
    }
    let (from, to, back) = (here.path().join("from"), home.join("tree"), here.path().join("back"));
    fs::create_dir_all(from.join("below")).unwrap();
    let names = ["a", "below/b", "below/c d"];
    for name in names {
        fs::write(from.join(name), random(200_000)).unwrap();
    }
    let there = to.display().to_string();
    link.put_dir(&from, &there, &puts).await.unwrap();
    link.get_dir(&there, &back, &gets).await.unwrap();
    for name in names {
        let content = fs::read(from.join(name)).unwrap();
        assert!(fs::read(to.join(name)).unwrap() == content);
        assert!(fs::read(back.join(name)).unwrap() == content);
    }
    fs::remove_dir_all(&to).unwrap();
    fs::remove_file(home.join("file")).unwrap();
}

#[tokio::test]
async fn a_chatty_shell_spoils_nothing() {
    let (user, mut target) = chatty();
    let begun = Instant::now();
    for way in ["auto", "stream"] {
        target = target.with("ssh_file_transfer_protocol", way);
        let details = Details::default();
        let link = target.connect_in(&details.context()).await.unwrap();
        streams_are_exact(&link).await;
        files_are_exact(&link, &user.home()).await;
        println!("{way}: {:.1?}, {:?}", begun.elapsed(), details.with("SFTP"));
        // sshd starts its SFTP server through the same shell.
        let told = details.with("SFTP").len();
        assert_eq!(told, usize::from(way == "auto"), "reported once, if it was tried");
        link.disconnect().await.unwrap();
    }
    let left = fs::read_dir(user.home()).unwrap().flatten();
    let left: Vec<_> = left.filter(|it| it.file_name() != ".cache").map(|it| it.path()).collect();
    assert!(left.iter().all(|path| is_of_new_users(path)), "{left:?}");
}

/// `.bashrc` and the other files that useradd copies (useradd(8), SKEL).
fn is_of_new_users(path: &Path) -> bool {
    let name = path.file_name().unwrap();
    name == ".bashrc" || Path::new("/etc/skel").join(name).exists()
}

#[test]
fn the_command_reports_with_v_why_files_take_another_route() {
    let (user, target) = chatty();
    let (path, source) = (user.home().join("file").display().to_string(), random(50_000));
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), &source).unwrap();
    let from = file.path().display().to_string();
    let put = |flag: &[&str]| {
        let mut words = target.words();
        words.extend(["put", &from, &path].map(String::from));
        words.extend(flag.iter().map(|flag| (*flag).to_owned()));
        let output = run(hostlink(words));
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        assert!(fs::read(&path).unwrap() == source);
        stderr(&output)
    };
    assert_eq!(put(&[]), "");
    let told = put(&["-v"]);
    assert_eq!(told.matches("no SFTP there").count(), 1, "{told}");
}

#[tokio::test]
async fn a_terminal_is_chatty_too_and_has_a_size() {
    let (_user, target) = chatty();
    let link = target.connect().await;
    let arguments = ConnectorArguments::new().with_get_pty(true);
    let command = StringCommand::shell("stty size; tty");
    let output = link.run_shell_command(&command, &arguments).await.unwrap();
    let text = String::from_utf8(output.stdout()).unwrap();
    assert!(text.starts_with("24 80\r\n/dev/pts/"), "{text:?}");
    assert_eq!(said(&link, "tty; :").await, "not a tty\n", "the control");
    link.disconnect().await.unwrap();
}
