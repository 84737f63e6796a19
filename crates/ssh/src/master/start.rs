//! The start of a master, until its control socket listens or it has failed.

use std::ffi::OsString;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hostlink_core::{Context, Error, ErrorKind};
use parking_lot::Mutex;
use rustix::fs::{Mode, OFlags};
use tokio::io::AsyncReadExt;
use tokio::sync::watch;

use crate::settings::Settings;

use super::answers::Answers;
use super::askpass::{self, Askpass, Patience};
use super::errors::{self, Failure, Login};
use super::group::{self, Group};
use super::run::{MasterDirectory, Run};
use super::{Master, config, known_hosts, watch_over};

/// Interval of looks for the control socket, which ssh links into place once it listens.
const POLL: Duration = Duration::from_millis(5);

/// How much is read of the settings that `ssh -G` prints.
const MOST_PRINTED: u64 = 1 << 20;

/// A login that is being made.
pub(super) struct Start<'a> {
    run: &'a Run,
    settings: &'a Settings,
    target: &'a str,
    context: &'a Context,
    limit: Duration,
    began: Instant,
    patience: Patience,
}

impl<'a> Start<'a> {
    pub(super) fn new(
        run: &'a Run,
        settings: &'a Settings,
        target: &'a str,
        context: &'a Context,
        limit: Duration,
    ) -> Self {
        let (began, patience) = (Instant::now(), Patience::default());
        Self { run, settings, target, context, limit, began, patience }
    }

    pub(super) async fn run(&self) -> Result<Master, Failure> {
        let directory = self.run.make_master_directory()?;
        config::write(directory.path(), self.settings, self.context)?;
        prepare(&directory).map_err(cannot_start)?;
        known_hosts::end_last_line(self.settings, self.context);
        let jumps = self.jumps(&directory).await?;
        let answers = Arc::new(Mutex::new(Answers::new(self.settings, jumps)));
        let (hopeless, mut is_hopeless) = watch::channel(false);
        let arguments = config::master_arguments(directory.path(), self.settings);
        let (child, group) =
            group::start(&directory, "ssh", &arguments, self.context, Stdio::null())
                .map_err(cannot_start)?;
        let askpass = Askpass {
            directory: directory.path().to_owned(),
            master: group.pid(),
            target: self.target.to_owned(),
            context: self.context.clone(),
            answers: answers.clone(),
            patience: self.patience.clone(),
            hopeless,
        };
        let master = watch_over(child, group, directory, askpass);
        let socket = master.control_path();
        loop {
            tokio::select! {
                biased;
                exit = master.exited() => return Err(self.failed(&master, &answers, exit.code)),
                Ok(_) = is_hopeless.wait_for(|hopeless| *hopeless) => {
                    return Err(self.failed(&master, &answers, None));
                }
                () = tokio::time::sleep(POLL) => {}
            }
            if socket.exists() {
                return Ok(master);
            }
            if self.took() > self.limit {
                let notes = answers.lock().notes.clone();
                let log = master.log.lock();
                let login =
                    Login { log: &log, notes: &notes, master: master.group.pid(), code: None };
                return Err(errors::of_deadline(&login, self.limit));
            }
        }
    }

    /// Returns how long it has taken, without the time that a user took to answer.
    pub(super) fn took(&self) -> Duration {
        self.began.elapsed().saturating_sub(self.patience.spent())
    }

    fn failed(&self, master: &Master, answers: &Mutex<Answers>, code: Option<i32>) -> Failure {
        let notes = answers.lock().notes.clone();
        let mut log = master.log.lock();
        // The user's configuration has the name of a link.
        let link = master.directory().join(config::USERS);
        if let Ok(file) = std::fs::read_link(&link) {
            log.rename(&link.to_string_lossy(), &file.to_string_lossy());
        }
        errors::of_exit(&Login { log: &log, notes: &notes, master: master.group.pid(), code })
    }

    /// Returns the names of the jump hosts in ssh's questions, if there is a password for them.
    async fn jumps(&self, directory: &MasterDirectory) -> Result<Vec<String>, Failure> {
        let (Some(jumps), Some(_)) =
            (&self.settings.proxy_jump, &self.settings.proxy_jump_password)
        else {
            return Ok(Vec::new());
        };
        let queries = jumps.split(',').enumerate().map(|(number, jump)| async move {
            let arguments = config::query_arguments(directory.path(), jump);
            self.query(directory, &format!("jump{number}"), &arguments).await
        });
        let outputs = tokio::time::timeout(self.limit, futures::future::join_all(queries)).await;
        let outputs = outputs.map_err(|_| {
            let message =
                "ssh did not read its configuration in time (a Match exec in ssh_config?)";
            Failure { retryable: true, ..Error::new(ErrorKind::Connect, message).into() }
        })?;
        outputs.into_iter().filter_map(Result::transpose).collect()
    }

    /// Runs `ssh -G`. If the configuration is invalid, the master itself will report it.
    async fn query(
        &self,
        directory: &MasterDirectory,
        name: &str,
        arguments: &[OsString],
    ) -> Result<Option<String>, Failure> {
        let (mut child, group) =
            group::start(directory, name, arguments, self.context, Stdio::piped())
                .map_err(cannot_start)?;
        let group = KillOnDrop(group);
        let mut text = Vec::new();
        let stdout = child.stdout().take();
        let stderr = child.stderr().take();
        let read = async {
            match stdout {
                Some(stdout) => stdout.take(MOST_PRINTED).read_to_end(&mut text).await.map(drop),
                None => Ok(()),
            }
        };
        let drain = async {
            if let Some(mut stderr) = stderr {
                let _unwanted = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
            }
        };
        let (read, ()) = tokio::join!(read, drain);
        let exited = child.wait().await;
        group.0.end();
        read.and(exited.map(drop)).map_err(cannot_start)?;
        Ok(config::login_from_query(&String::from_utf8_lossy(&text)))
    }
}

struct KillOnDrop(Group);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        self.0.kill();
    }
}

/// Makes what the directory's scripts need before ssh starts.
fn prepare(directory: &MasterDirectory) -> std::io::Result<()> {
    askpass::make_ask(&directory.path().join("ask"))?;
    // This process never opens it for writing: see `group`.
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDONLY | OFlags::CLOEXEC;
    rustix::fs::open(directory.path().join("askpass"), flags, Mode::RWXU)?;
    Ok(())
}

fn cannot_start(error: std::io::Error) -> Failure {
    let message = format!("cannot start ssh: {error}");
    Error::new(ErrorKind::Connect, message).with_source(error).into()
}
