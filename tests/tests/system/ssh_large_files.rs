//! Files that are large enough to be read beside SFTP, through ssh alone.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use hostlink::transfer::{GetOptions, PutOptions};
use hostlink::{ErrorKind, Link};
use hostlink_tests::cli::wait_until;
use hostlink_tests::ssh_target::{Details, SshTarget, said};
use hostlink_tests::sshd::{Sshd, Subsystem};
use hostlink_tests::user::TestUser;

/// Well above the size at which that starts.
const LARGE: usize = 12 << 20;

/// A server whose SFTP refuses reads (sftp-server(8), -P).
fn without_reads() -> SshTarget {
    let server = "/usr/lib/openssh/sftp-server -P read".to_owned();
    SshTarget::start(Sshd::builder().subsystem(Subsystem::Command(server)))
}

fn random(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

async fn get(link: &Link, from: &Path, to: &Path) -> hostlink::Result<u64> {
    let got = link.get_file(from.to_str().unwrap(), to, &GetOptions::default()).await;
    got.map(|done| done.bytes)
}

#[tokio::test]
async fn a_large_file_takes_no_reads_of_sftp() {
    let target = without_reads();
    let link = target.connect().await;
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("it's large"), directory.path().join("to"));
    let content = random(LARGE);
    fs::write(&from, &content).unwrap();
    let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1_234_567_890);
    File::options().write(true).open(&from).unwrap().set_modified(modified).unwrap();
    fs::set_permissions(&from, fs::Permissions::from_mode(0o640)).unwrap();

    let options = GetOptions::default().with_preserve(true);
    let done = link.get_file(from.to_str().unwrap(), &*to, &options).await.unwrap();
    assert_eq!(done.bytes, LARGE as u64);
    assert!(!done.in_place);
    assert!(fs::read(&to).unwrap() == content);
    let found = fs::metadata(&to).unwrap();
    assert_eq!(found.permissions().mode() & 0o777, 0o640);
    assert_eq!(found.modified().unwrap(), modified);

    // The control: this server returns nothing over SFTP.
    fs::write(&from, random(1000)).unwrap();
    assert!(get(&link, &from, &to).await.is_err());
    assert!(fs::read(&to).unwrap() == content, "the old file is there");
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_shell_with_something_to_say_has_large_files_go_over_sftp() {
    let user = TestUser::create("/bin/bash");
    user.write(".bashrc", 0o644, "echo noise\n");
    let builder = Sshd::builder().subsystem(Subsystem::InternalSftp);
    let target = SshTarget::as_user(user.name(), builder);
    let details = Details::default();
    let link = target.connect_in(&details.context()).await.unwrap();
    let content = random(LARGE);
    let from = user.home().join("large");
    link.put_file(content.clone(), from.to_str().unwrap(), &PutOptions::default()).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let to = directory.path().join("to");
    for _ in 0..2 {
        assert_eq!(get(&link, &from, &to).await.unwrap(), LARGE as u64);
        assert!(fs::read(&to).unwrap() == content);
        fs::remove_file(&to).unwrap();
    }
    assert_eq!(details.with("over SFTP alone").len(), 1, "found out once");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn where_there_is_one_channel_large_files_go_over_sftp() {
    let target = SshTarget::start(Sshd::builder().max_sessions(1));
    let link = target.connect().await;
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("from"), directory.path().join("to"));
    let content = random(LARGE);
    fs::write(&from, &content).unwrap();
    assert_eq!(get(&link, &from, &to).await.unwrap(), LARGE as u64);
    assert!(fs::read(&to).unwrap() == content);
    link.disconnect().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_file_whose_login_is_killed_midway_leaves_the_old_one() {
    let target = without_reads();
    let link = target.connect().await;
    let directory = tempfile::tempdir().unwrap();
    let there = tempfile::tempdir().unwrap();
    let (from, to) = (there.path().join("from"), directory.path().join("to"));
    // It takes no space, and longer than the test.
    File::create(&from).unwrap().set_len(1 << 40).unwrap();
    fs::write(&to, "old").unwrap();
    let getting = {
        let (link, to) = (link.clone(), to.clone());
        tokio::spawn(async move { get(&link, &from, &to).await })
    };
    let lengths = || {
        let entries = fs::read_dir(directory.path()).unwrap().flatten();
        entries.filter_map(|it| it.metadata().ok()).map(|it| it.len()).collect::<Vec<_>>()
    };
    let has_begun = || lengths().iter().any(|length| *length > 1 << 20);
    tokio::task::block_in_place(|| wait_until("the file is on its way", has_begun));
    target.sshd.kill_sessions();
    let error = getting.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LinkLost, "{error:?}");
    assert_eq!(lengths(), [3]);
    assert_eq!(fs::read(&to).unwrap(), b"old");
    link.disconnect().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_file_that_is_given_up_ends_its_cat_and_leaves_nothing() {
    let target = without_reads();
    let link = target.connect().await;
    let (directory, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (from, to) = (there.path().join("from"), directory.path().join("to"));
    File::create(&from).unwrap().set_len(1 << 40).unwrap();
    let getting = {
        let (link, to) = (link.clone(), to.clone());
        tokio::spawn(async move { get(&link, &from, &to).await })
    };
    let cats = || target.sshd.descendants().iter().filter(|it| it.name == "cat").count();
    tokio::task::block_in_place(|| wait_until("cat runs", || cats() == 1));
    getting.abort();
    let nothing_is_left = || cats() == 0 && fs::read_dir(directory.path()).unwrap().count() == 0;
    tokio::task::block_in_place(|| wait_until("all of it ends", nothing_is_left));
    link.disconnect().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fifo_here_gets_a_large_file_once() {
    let target = SshTarget::start(Sshd::builder());
    let link = target.connect().await;
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("from"), directory.path().join("fifo"));
    let content = random(LARGE);
    fs::write(&from, &content).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&to).status().unwrap().success());
    let reading = std::thread::spawn({
        let to = to.clone();
        move || fs::read(to).unwrap()
    });
    assert_eq!(get(&link, &from, &to).await.unwrap(), LARGE as u64);
    assert!(reading.join().unwrap() == content);
    link.disconnect().await.unwrap();
}

/// A command that starts during transfers of large files does not wait for their ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_find_a_channel_beside_large_files() {
    for sessions in [2, 3] {
        let target = SshTarget::start(Sshd::builder().max_sessions(sessions));
        let link = target.connect().await;
        let (directory, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let from = there.path().join("from");
        File::create(&from).unwrap().set_len(1 << 40).unwrap();
        let getting: Vec<_> = (0..sessions)
            .map(|number| {
                let (link, from) = (link.clone(), from.clone());
                let to = directory.path().join(number.to_string());
                tokio::spawn(async move { get(&link, &from, &to).await })
            })
            .collect();
        let lengths = || {
            let entries = fs::read_dir(directory.path()).unwrap().flatten();
            entries.filter(|it| it.metadata().is_ok_and(|it| it.len() > 1 << 20)).count()
        };
        tokio::task::block_in_place(|| wait_until("they are on their way", || lengths() > 0));
        let asked = std::time::Instant::now();
        assert_eq!(said(&link, "echo here").await, "here\n");
        println!("{sessions} sessions: a command took {:.1?}", asked.elapsed());
        assert!(getting.iter().all(|getting| !getting.is_finished()), "the control");
        for getting in getting {
            getting.abort();
        }
        link.disconnect().await.unwrap();
    }
}

/// A start-up file leaves a process that holds the output open: the file arrives all the same, over
/// SFTP.
#[tokio::test]
async fn output_that_is_held_open_has_the_file_go_over_sftp() {
    let user = TestUser::create("/bin/bash");
    user.write(".bashrc", 0o644, "sleep 4242 &\n");
    let builder = Sshd::builder().subsystem(Subsystem::InternalSftp);
    let target = SshTarget::as_user(user.name(), builder);
    let details = Details::default();
    let link = target.connect_in(&details.context()).await.unwrap();
    let from = user.home().join("large");
    let content = random(LARGE);
    link.put_file(content.clone(), from.to_str().unwrap(), &PutOptions::default()).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let to = directory.path().join("to");
    assert_eq!(get(&link, &from, &to).await.unwrap(), LARGE as u64);
    assert!(fs::read(&to).unwrap() == content);
    assert_eq!(details.with("over SFTP alone").len(), 1);
    link.disconnect().await.unwrap();
}
