//! Starts servers.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use hostlink_core::{Error, ErrorKind, ExitStatus, Result};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::process::Command;

use crate::sftp::{BoxRead, OpenSftp, Subsystem};
use crate::transport::Writing;

/// A line of shell that is started for each session.
#[derive(Debug)]
pub(super) struct Server {
    line: Mutex<String>,
    started: Mutex<Vec<Pid>>,
    /// How often there is no channel.
    busy: AtomicUsize,
    lie: Mutex<Option<Lie>>,
}

/// What becomes of a packet that the server has sent, without its length.
pub(super) type Lie = fn(&[u8]) -> Vec<u8>;

impl Server {
    pub(super) fn new(line: &str) -> Self {
        Self {
            line: Mutex::new(line.to_owned()),
            started: Mutex::default(),
            busy: AtomicUsize::new(0),
            lie: Mutex::default(),
        }
    }

    /// The next sessions do not say what the server says.
    pub(super) fn lies(&self, lie: Lie) {
        *self.lie.lock().unwrap() = Some(lie);
    }

    /// The next session is started with another line.
    pub(super) fn becomes(&self, line: &str) {
        line.clone_into(&mut self.line.lock().unwrap());
    }

    /// There is no channel for so many times.
    pub(super) fn is_busy(&self, times: usize) {
        self.busy.store(times, Ordering::Relaxed);
    }

    /// How many sessions there have been.
    pub(super) fn sessions(&self) -> usize {
        self.started.lock().unwrap().len()
    }

    /// Kills the one that was started last.
    pub(super) fn kill(&self) {
        let pid = *self.started.lock().unwrap().last().unwrap();
        kill_process(pid, Signal::KILL).unwrap();
    }

    /// Returns whether the one that was started last is gone, and its end is known.
    pub(super) fn has_ended(&self) -> bool {
        let pid = *self.started.lock().unwrap().last().unwrap();
        rustix::process::test_kill_process(pid).is_err()
    }

    /// Returns whether the one that was started last has a file open.
    pub(super) fn has_open(&self, file: &Path) -> bool {
        let pid = self.started.lock().unwrap().last().unwrap().as_raw_nonzero();
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        let mut targets = open.map(|entry| std::fs::read_link(entry.unwrap().path()));
        targets.any(|target| target.is_ok_and(|target| target == file))
    }

    /// Stops it, or lets it go on.
    pub(super) fn signal(&self, signal: Signal) {
        let pid = *self.started.lock().unwrap().last().unwrap();
        kill_process(pid, signal).unwrap();
    }
}

#[async_trait]
impl OpenSftp for Server {
    async fn open(&self) -> Result<Subsystem> {
        let less = |busy: usize| busy.checked_sub(1);
        if self.busy.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok() {
            return Err(Error::new(ErrorKind::Busy, "the host has no free channel"));
        }
        let line = self.line.lock().unwrap().clone();
        let mut child = Command::new("sh")
            .args(["-c", &line])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| Error::from_io("no sh", error))?;
        let pid = Pid::from_raw(child.id().unwrap().cast_signed()).unwrap();
        self.started.lock().unwrap().push(pid);
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let ended = tokio::spawn(async move { child.wait().await });
        let mut output: BoxRead = Box::pin(output);
        if let Some(lie) = *self.lie.lock().unwrap() {
            let (near, far) = tokio::io::duplex(64 * 1024);
            tokio::spawn(retell(output, far, lie));
            output = Box::pin(near);
        }
        Ok(Subsystem {
            input: Box::pin(input),
            output,
            ended: Box::pin(async {
                let _ = ended.await;
            }),
        })
    }

    async fn run_into(&self, script: &str, output: OwnedFd) -> Result<Option<Writing>> {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null()).stdout(output).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| Error::from_io("no sh", error))?;
        let exit = async move {
            let status = child.wait().await;
            let status = status.map_err(|error| Error::from_io("no end", error))?;
            Ok(ExitStatus::Code(status.code().unwrap_or(255)))
        };
        Ok(Some(Writing { exit: Box::pin(exit), written: Box::pin(async {}) }))
    }
}

async fn retell(mut from: BoxRead, mut to: DuplexStream, lie: Lie) -> std::io::Result<()> {
    loop {
        let mut packet = vec![0; from.read_u32().await? as usize];
        from.read_exact(&mut packet).await?;
        let packet = lie(&packet);
        to.write_u32(packet.len().try_into().unwrap()).await?;
        to.write_all(&packet).await?;
    }
}
