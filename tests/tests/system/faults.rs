//! Broken links, slow kills, noisy shells: faults that no fixture has by itself.
//!
//! Each connection here runs real processes on this machine, with one deliberate fault.

use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use hostlink::connector::{Connection, Outcome, Process, ProcessControl, Script, SpawnOptions};
use hostlink::run::TerminalSize;
use hostlink::transfer::{PutOptions, Source};
use hostlink::{
    ConnectorArguments, Context, Data, Error, ErrorKind, Link, Result, Secret, StringCommand,
    builtin_registry,
};
use hostlink_testkit::SpawnOnly;
use hostlink_tests::cli::{count_running, unique_seconds, wait_until};
use tokio::time::timeout;

/// The fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The link is lost while the command runs.
    Lost,
    /// A kill is slow to start, and the connection cannot kill by itself.
    SlowKill,
    /// What a command writes comes late.
    LateOutput,
}

#[derive(Debug)]
struct Faulty {
    link: Link,
    fault: Fault,
}

#[async_trait]
impl Connection for Faulty {
    async fn spawn(&self, script: &Script, options: &SpawnOptions) -> Result<Process> {
        if options.urgent && self.fault == Fault::SlowKill {
            tokio::time::sleep(Duration::from_millis(800)).await;
        }
        let mut process = self.link.connection().spawn(script, options).await?;
        match self.fault {
            Fault::Lost => {
                process.exit = Box::pin(async {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    Err(Error::new(ErrorKind::LinkLost, "the link is gone"))
                });
            }
            Fault::SlowKill => process.control = Box::new(Powerless),
            Fault::LateOutput => {
                let late = process.output.then(|chunk| async {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    chunk
                });
                process.output = late.boxed();
            }
        }
        Ok(process)
    }

    async fn disconnect(&self, _outcome: Outcome) -> Result<()> {
        Ok(())
    }
}

struct Powerless;

#[async_trait]
impl ProcessControl for Powerless {
    fn kill(&self) -> Option<i32> {
        None
    }

    async fn resize(&self, _size: TerminalSize) -> Result<()> {
        Ok(())
    }
}

async fn faulty(fault: Fault) -> Link {
    let link =
        builtin_registry().connect("@local", &Data::new(), &Context::default()).await.unwrap();
    Link::new(Box::new(Faulty { link, fault }), "faulty", Context::default())
}

#[tokio::test]
async fn a_lost_link_is_an_error_of_its_own_and_no_panic() {
    let link = faulty(Fault::Lost).await;
    let seconds = unique_seconds();
    let command = StringCommand::shell(format!("echo before; sleep {seconds}"));
    let error = link.run_shell_command(&command, &ConnectorArguments::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LinkLost);
    assert_eq!(error.output().unwrap().stdout(), b"before\n");
    wait_until("it is ended", || count_running("sleep", &seconds) == 0);
}

#[tokio::test]
async fn a_kill_that_is_under_way_goes_on_when_its_future_is_dropped() {
    let link = faulty(Fault::SlowKill).await;
    let seconds = unique_seconds();
    let command = StringCommand::shell(format!("sleep {seconds}"));
    let arguments = ConnectorArguments::new().with_timeout(Duration::from_secs(1));
    // Dropped after the timeout, and before the kill was sent.
    let run = link.run_shell_command(&command, &arguments);
    assert!(timeout(Duration::from_millis(1300), run).await.is_err());
    assert_eq!(count_running("sleep", &seconds), 1, "the control: it is not yet killed");
    link.disconnect().await.unwrap();
    // The signal was sent; the kernel ends the process in its own time.
    wait_until("it is ended", || count_running("sleep", &seconds) == 0);
}

#[tokio::test]
async fn a_slow_kill_is_confirmed() {
    let link = faulty(Fault::SlowKill).await;
    let seconds = unique_seconds();
    let command = StringCommand::shell(format!("sleep {seconds}"));
    let arguments = ConnectorArguments::new().with_timeout(Duration::from_secs(1));
    let error = link.run_shell_command(&command, &arguments).await.unwrap_err();
    assert_eq!((error.kind(), error.kill_confirmed()), (ErrorKind::Timeout, Some(true)));
    wait_until("it is ended", || count_running("sleep", &seconds) == 0);
}

/// That a file of this name is ours is known when the target's word has come, so nothing is sent to
/// it before.
#[tokio::test]
async fn a_temporary_file_of_a_given_name_goes_although_the_target_s_words_come_late() {
    let link = faulty(Fault::LateOutput).await;
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
    let (temporary, to) = (path("temporary"), path("file"));
    let options =
        PutOptions { remote_temp_filename: Some(temporary.clone()), ..PutOptions::default() };
    let has_content = || std::fs::metadata(&temporary).is_ok_and(|found| found.len() > 0);
    let filled = async {
        while !has_content() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::select! {
        put = link.put_file(Source::reader(tokio::io::repeat(b'x')), &to, &options) => {
            panic!("it ended: {put:?}")
        }
        filled = timeout(Duration::from_secs(30), filled) => filled.expect("the control"),
    }
    link.disconnect().await.unwrap();
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);

    let link = faulty(Fault::LateOutput).await;
    for source in [Source::bytes("sized"), Source::reader(&b"sized"[..])] {
        link.put_file(source, &to, &options).await.unwrap();
        assert_eq!(std::fs::read(&to).unwrap(), b"sized");
    }
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
    link.disconnect().await.unwrap();
}

/// bash prints the line that has an error, and is `sh` on many targets.
#[tokio::test]
async fn a_syntax_error_shows_no_secret() {
    let connection = SpawnOnly::without(&["sh"]).unwrap();
    std::os::unix::fs::symlink("/bin/bash", connection.programs().join("sh")).unwrap();
    let link = Link::new(Box::new(connection), "bash", Context::default());
    let arguments = ConnectorArguments::new().with_env_var("TOKEN", Secret::from("hunter2"));
    for command in
        [StringCommand::shell("echo ( "), StringCommand::shell("echo ( ").secret("hunter2")]
    {
        let output = link.run_shell_command(&command, &arguments).await.unwrap();
        let error = output.check().unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("syntax error"), "the control: bash complains: {shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
