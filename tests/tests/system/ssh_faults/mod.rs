//! Servers that stop, die, fill up or refuse: each command ends in time, with an error that names
//! the cause.

mod doors;

use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hostlink::run::RunOptions;
use hostlink::transfer::{GetOptions, PutOptions, Source};
use hostlink::{ConnectorArguments, Context, Error, ErrorKind, Link, StringCommand};
use hostlink_tests::cli::{becomes_true, code, hostlink, run, stderr, stdout};
use hostlink_tests::keeper::Keeper;
use hostlink_tests::ssh_target::{Details, SshTarget, Traces, said};
use hostlink_tests::sshd::{Sshd, Subsystem};
use hostlink_tests::user::TestUser;
use tokio::io::AsyncReadExt;
use tokio::task::spawn_blocking;

/// The limit that a user sets.
const LIMIT: Duration = Duration::from_secs(2);

/// The limit may be exceeded by a second; the rest is for a busy machine.
const SLACK: Duration = Duration::from_secs(10);

/// Returns the result of `work`, which must not take much longer than `limit`.
async fn within<T>(what: &str, limit: Duration, work: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let done = tokio::time::timeout(Duration::from_secs(60), work).await;
    let taken = begun.elapsed();
    println!("{what}: {taken:.2?}, limit {limit:.0?}");
    assert!(taken < limit + SLACK, "{what} took {taken:?}");
    done.unwrap_or_else(|_| panic!("{what} hangs"))
}

fn limited() -> ConnectorArguments {
    ConnectorArguments::new().with_timeout(LIMIT)
}

fn puts(arguments: ConnectorArguments) -> PutOptions {
    PutOptions::default().with_arguments(arguments)
}

async fn run_error(link: &Link, line: &str, arguments: &ConnectorArguments) -> Error {
    let command = StringCommand::shell(line);
    link.run_shell_command(&command, arguments).await.unwrap_err()
}

/// Returns whether the directory's only file is this one, with this content.
fn holds_only(path: &Path, content: &[u8]) -> bool {
    let files = fs::read_dir(path.parent().unwrap()).unwrap().count();
    files == 1 && fs::read(path).is_ok_and(|found| found == content)
}

/// Makes a file alone in a directory, on either side.
fn old_file() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    fs::write(&path, "old").unwrap();
    (directory, path)
}

/// Returns bytes that never end, with a length for scp, which requires one.
fn endless(way: &str) -> Source {
    match way {
        "scp" => Source::sized_reader(tokio::io::repeat(b'x'), 1 << 50),
        _ => Source::reader(tokio::io::repeat(b'x')),
    }
}

/// Makes a file that is far too long to be moved within a test.
fn huge_file() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(1 << 40).unwrap();
    file
}

/// Waits until the file that is being filled, beside `path` or in a directory beside it, has this
/// size.
async fn is_under_way(path: &Path) {
    let directory = path.parent().unwrap().to_owned();
    let filled = move || {
        let beside = fs::read_dir(&directory).unwrap().flatten();
        let within = |it: fs::DirEntry| {
            let inner = fs::read_dir(it.path()).into_iter().flatten().flatten();
            inner.chain([it])
        };
        let lengths = beside.flat_map(within).filter_map(|it| it.metadata().ok());
        lengths.map(|it| it.len()).any(|length| length > 1 << 20)
    };
    assert!(spawn_blocking(|| becomes_true(filled)).await.unwrap(), "the control: it moves");
}

/// The routes of files.
const ROUTES: [&str; 3] = ["sftp", "stream", "scp"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_stopped_answers_nothing_and_is_left_in_time() {
    for way in ROUTES {
        let target = SshTarget::start(Sshd::builder()).with("ssh_file_transfer_protocol", way);
        let (link, beside) = (target.connect().await, target.connect().await);
        let ((_there, there), (_here, here), huge) = (old_file(), old_file(), huge_file());
        let (path, source) = (there.display().to_string(), huge.path().display().to_string());
        let put = {
            let (link, path) = (link.clone(), path.clone());
            let options = puts(ConnectorArguments::new().with_timeout(Duration::from_secs(8)));
            tokio::spawn(async move {
                let begun = Instant::now();
                (link.put_file(endless(way), &path, &options).await, begun.elapsed())
            })
        };
        let get = {
            let (link, here) = (link.clone(), here.clone());
            let arguments = ConnectorArguments::new().with_timeout(Duration::from_secs(8));
            let options = GetOptions::default().with_arguments(arguments);
            tokio::spawn(async move {
                let begun = Instant::now();
                (link.get_file(&source, here, &options).await, begun.elapsed())
            })
        };
        is_under_way(&there).await;
        is_under_way(&here).await;
        target.sshd.stop();
        for (what, done) in [("put", put), ("get", get)] {
            let (done, taken) = done.await.unwrap();
            println!("{what} over {way}: {taken:.2?}, limit 8 s");
            assert_eq!(done.unwrap_err().kind(), ErrorKind::Timeout);
            assert!(taken < Duration::from_secs(8) + SLACK, "{taken:?}");
        }
        assert!(holds_only(&here, b"old"));
        let error = within("command", LIMIT, run_error(&link, "echo x", &limited())).await;
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        // The first disconnect has kills and clean-ups that cannot arrive.
        let _ = within("disconnect", LIMIT, link.disconnect()).await;
        within("disconnect", LIMIT, beside.disconnect()).await.unwrap();
        let stopped = target.with("ssh_connect_timeout", 2);
        let context = Context::default();
        let error = within("connect", LIMIT, stopped.connect_in(&context)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
        assert_eq!(fs::read(&there).unwrap(), b"old");
        stopped.sshd.cont();
    }
}

/// Silence counts as the end of a background process's output only if the link replies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn output_that_a_stopped_server_holds_back_is_waited_for() {
    let target = SshTarget::start(Sshd::builder());
    let link = target.connect().await;
    let (directory, silence) = (tempfile::tempdir().unwrap(), Duration::from_secs(2));
    let [goes, written] = ["goes", "written"].map(|name| directory.path().join(name));
    let line = format!(
        "(until [ -e {} ]; do sleep 0.05; done; echo late; echo >{}) & echo done",
        goes.display(),
        written.display(),
    );
    let running = {
        let link = link.clone();
        let options = RunOptions { output_silence: silence, ..RunOptions::default() };
        tokio::spawn(async move {
            let (command, arguments) = (StringCommand::shell(line), ConnectorArguments::new());
            link.run_shell_command_with(&command, &arguments, &options).await
        })
    };
    // By now the command has ended, and its background process has not written yet.
    tokio::time::sleep(silence / 2).await;
    target.sshd.stop();
    fs::write(&goes, "").unwrap();
    assert!(spawn_blocking(move || becomes_true(|| written.exists())).await.unwrap());
    tokio::time::sleep(silence * 2).await;
    assert!(!running.is_finished(), "it cannot be known that there is no more");
    target.sshd.cont();
    let output = within("the rest", LIMIT, running).await.unwrap().unwrap();
    assert_eq!((&*output.stdout(), output.output_open()), (&b"done\nlate\n"[..], false));
    link.disconnect().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_stopped_server_kept_from_being_cleaned_up_is_cleaned_up_later() {
    for way in ROUTES {
        let target = SshTarget::start(Sshd::builder()).with("ssh_file_transfer_protocol", way);
        let link = target.connect().await;
        let (_there, there) = old_file();
        let path = there.display().to_string();
        let options = puts(ConnectorArguments::new().with_timeout(Duration::from_secs(4)));
        let put = {
            let link = link.clone();
            tokio::spawn(async move { link.put_file(endless(way), &path, &options).await })
        };
        is_under_way(&there).await;
        target.sshd.stop();
        assert_eq!(put.await.unwrap().unwrap_err().kind(), ErrorKind::Timeout);
        assert!(!holds_only(&there, b"old"), "the control: a part is there");
        target.sshd.cont();
        link.disconnect().await.unwrap();
        assert!(holds_only(&there, b"old"), "{way}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_loses_what_is_under_way() {
    for way in ROUTES {
        let target = SshTarget::start(Sshd::builder()).with("ssh_file_transfer_protocol", way);
        let link = target.connect().await;
        let ((_there, there), (_here, here), huge) = (old_file(), old_file(), huge_file());
        let (path, source) = (there.display().to_string(), huge.path().display().to_string());
        let (putting, getting, running) = (link.clone(), link.clone(), link.clone());
        let (sink, arguments) = (here.clone(), ConnectorArguments::new());
        let put = tokio::spawn(async move {
            putting.put_file(endless(way), &path, &PutOptions::default()).await.unwrap_err()
        });
        let get = tokio::spawn(async move {
            getting.get_file(&source, sink, &GetOptions::default()).await.unwrap_err()
        });
        let ran =
            tokio::spawn(async move { run_error(&running, "echo x; sleep 300", &arguments).await });
        is_under_way(&there).await;
        is_under_way(&here).await;
        target.sshd.kill_sessions();
        for (what, done) in [("put", put), ("get", get), ("command", ran)] {
            let error = within(what, LIMIT, done).await.unwrap();
            assert_eq!(error.kind(), ErrorKind::LinkLost, "{what} over {way}: {error:?}");
        }
        assert_eq!(fs::read(&there).unwrap(), b"old");
        assert!(holds_only(&here, b"old"));
        // The link works again.
        assert_eq!(said(&link, "echo again").await, "again\n");
        let path = there.display().to_string();
        link.put_file(b"new".to_vec(), &path, &PutOptions::default()).await.unwrap();
        assert_eq!(fs::read(&there).unwrap(), b"new");
        within("disconnect", LIMIT, link.disconnect()).await.unwrap();
    }
}

#[tokio::test]
async fn without_an_sftp_server_files_go_through_commands() {
    for subsystem in [Subsystem::Command("/bin/false".into()), Subsystem::None] {
        let (target, details) =
            (SshTarget::start(Sshd::builder().subsystem(subsystem)), Details::default());
        let link = target.connect_in(&details.context()).await.unwrap();
        let (_there, there) = old_file();
        let path = there.display().to_string();
        let (mut got, options) = (Vec::new(), PutOptions::default());
        for content in [&b"one"[..], b"two"] {
            let put = link.put_file(content.to_vec(), &path, &options);
            within("put", LIMIT, put).await.unwrap();
            got.clear();
            link.get_file(&path, &mut got, &GetOptions::default()).await.unwrap();
            assert_eq!(got, content);
        }
        let told = details.with("SFTP");
        assert_eq!(told.len(), 1, "found out once: {told:?}");
        link.disconnect().await.unwrap();

        let insisting = target.with("ssh_file_transfer_protocol", "sftp");
        let link = insisting.connect().await;
        let error = link.put_file(b"x".to_vec(), &path, &PutOptions::default()).await.unwrap_err();
        assert!(error.to_string().contains("SFTP"), "{error}");
        link.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn a_disk_that_is_full_keeps_the_old_file() {
    for way in ROUTES {
        let mut keeper = Keeper::start();
        let disk = keeper.dir().join("disk");
        let at = disk.display();
        let mount = format!("mkdir {at} && mount -t tmpfs -o size=1m tmpfs {at}");
        assert!(keeper.make(&mount, &format!("umount -l {at} 2>/dev/null")), "{}", keeper.log());
        let target = SshTarget::start(Sshd::builder()).with("ssh_file_transfer_protocol", way);
        let link = target.connect().await;
        let (file, path) = (disk.join("file"), format!("{at}/file"));
        let options = PutOptions::default();
        link.put_file(b"old".to_vec(), &path, &options).await.unwrap();
        // scp accepts everything before it reports that it could not write it.
        let long = match way {
            "scp" => Source::sized_reader(tokio::io::repeat(b'x').take(64 << 20), 64 << 20),
            _ => endless(way),
        };
        for source in [Source::bytes(vec![b'x'; 4 << 20]), long] {
            let put = link.put_file(source, &path, &options);
            let error = within("put", LIMIT, put).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Transfer, "{error:?}");
            // An SFTP server reports only that it failed.
            assert!(way == "sftp" || error.to_string().contains("No space left"), "{error}");
            assert!(holds_only(&file, b"old"), "{way}");
        }
        link.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn a_user_without_a_shell_cannot_run_commands() {
    let user = TestUser::create("/usr/sbin/nologin");
    let target = SshTarget::as_user(user.name(), Sshd::builder());
    let link = target.connect().await;
    let error = within("command", LIMIT, run_error(&link, "echo x", &limited())).await;
    println!("{error}");
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.to_string().contains("not available"), "{error}");
    let path = user.home().join("file").display().to_string();
    let options = puts(limited());
    let put = link.put_file(b"x".to_vec(), &path, &options);
    let error = within("put", LIMIT, put).await.unwrap_err();
    println!("{error}");
    assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn an_account_for_sftp_alone_moves_files_and_runs_nothing() {
    let user = TestUser::create("/bin/sh");
    let builder = Sshd::builder()
        .subsystem(Subsystem::InternalSftp)
        .config_where(&format!("User {}", user.name()), "ForceCommand internal-sftp");
    let target = SshTarget::as_user(user.name(), builder);
    let link = target.connect().await;
    let path = user.home().join("file").display().to_string();
    link.put_file(b"content".to_vec(), &path, &PutOptions::default()).await.unwrap();
    let mut got = Vec::new();
    link.get_file(&path, &mut got, &GetOptions::default()).await.unwrap();
    assert_eq!(got, b"content");
    let unlimited = ConnectorArguments::new();
    let error = within("command", LIMIT, run_error(&link, "echo x", &unlimited)).await;
    println!("{error}");
    assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
    let arguments = ConnectorArguments::new().with_stdin("input");
    let error = within("with input", LIMIT, run_error(&link, "cat", &arguments)).await;
    assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_long_temporary_directory_is_no_hindrance() {
    let target = SshTarget::start(Sshd::builder());
    let traces = Traces::new();
    let long = traces.path().join("x".repeat(90));
    fs::create_dir(&long).unwrap();
    let context = Context { runtime_directory: Some(long.clone()), ..Context::default() };
    let link = target.connect_in(&context).await.unwrap();
    assert_eq!(said(&link, "echo here").await, "here\n");
    link.disconnect().await.unwrap();

    let mut words = target.words();
    words.extend(["exec", "--", "echo here"].map(String::from));
    let mut command = hostlink(words);
    command.env("TMPDIR", &long);
    let output = run(command);
    assert_eq!((code(&output), stdout(&output), stderr(&output)), (0, "here\n".into(), "".into()));
    assert_eq!(fs::read_dir(&long).unwrap().count(), 0);
}

#[test]
fn the_command_says_what_is_wrong_in_time() {
    let target = SshTarget::start(Sshd::builder());
    target.sshd.stop();
    let mut words = target.words();
    words.extend(["exec", "--connect-timeout", "2s", "--", "echo x"].map(String::from));
    let begun = Instant::now();
    let output = run(hostlink(words));
    assert!(begun.elapsed() < LIMIT + SLACK, "{:?}", begun.elapsed());
    assert_eq!(code(&output), 255);
    assert!(stderr(&output).contains("no SSH banner came within 2 s"), "{}", stderr(&output));
    target.sshd.cont();
}
