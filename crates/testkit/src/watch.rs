//! Watches processes on the target, and waits for conditions.

use std::future::Future;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use memchr::memmem;

use crate::scene::Scene;
use crate::settings::PATIENCE;

/// Pauses between two checks. A check starts processes; the longer a condition takes, the less a
/// longer pause matters.
const PAUSES: Range<Duration> = Duration::from_millis(20)..Duration::from_millis(400);

/// The bit of SIGKILL in a mask of signals.
const KILL: u64 = 1 << 8;

/// Waits until `check` is true.
pub(crate) async fn until<F>(what: &str, mut check: impl FnMut() -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<bool>>,
{
    let started = Instant::now();
    let mut pause = PAUSES.start;
    while !check().await? {
        ensure!(started.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(PAUSES.end);
    }
    Ok(())
}

impl Scene {
    /// Waits until a process has written its pid, and a newline, to `name` in the scratch
    /// directory.
    pub(crate) async fn wait_for_pid(&self, name: &str) -> anyhow::Result<i32> {
        let line = format!("[ ! -e {name} ] || cat {name}");
        until("a process writes its pid", || async { Ok(self.sh(&line).await?.ends_with(b"\n")) })
            .await?;
        Ok(self.sh_text(&line).await?.parse()?)
    }

    /// Returns whether a process on the target runs. A zombie does not.
    pub(crate) async fn is_alive(&self, pid: i32) -> anyhow::Result<bool> {
        self.holds(&format!(
            "{{ read -r s </proc/{pid}/stat; }} 2>/dev/null && s=${{s##*) }} && [ \"${{s%% *}}\" != Z ]"
        ))
        .await
    }

    /// Waits until a process on the target is gone.
    pub(crate) async fn wait_for_death(&self, pid: i32) -> anyhow::Result<()> {
        until("a process ends", || async { Ok(!self.is_alive(pid).await?) }).await
    }

    /// Returns the processes on the target with `text` in an argument.
    pub(crate) async fn with_argument(&self, text: &str) -> anyhow::Result<Vec<i32>> {
        self.scan("cmdline", text).await
    }

    /// Returns the processes on the target with `text` in their environment.
    pub(crate) async fn with_environment(&self, text: &str) -> anyhow::Result<Vec<i32>> {
        self.scan("environ", text).await
    }

    /// Searches on this machine, so that the search cannot find itself. busybox's grep would stop
    /// at the first NUL.
    async fn scan(&self, file: &str, text: &str) -> anyhow::Result<Vec<i32>> {
        let line = format!("head -c 300000 /proc/[0-9]*/{file} 2>/dev/null");
        let output = self.try_sh(&line).await?.stdout;
        let files = split(&output, b"==> /proc/");
        ensure!(files.len() > 2, "the processes of the target cannot be listed");
        let found = files.into_iter().skip(1).filter(|found| contains(found, text.as_bytes()));
        found.map(pid_of).collect()
    }

    /// Returns the processes on the target with `text` in an argument that have received no
    /// SIGKILL. On a busy machine a killed process takes time to end.
    pub(crate) async fn without_kill(&self, text: &str) -> anyhow::Result<Vec<i32>> {
        let mut left = Vec::new();
        for pid in self.with_argument(text).await? {
            // The pending signals, as a mask (proc(5)). A process that is gone by now has none.
            let line = format!("grep SigPnd /proc/{pid}/status 2>/dev/null || :");
            let said = self.try_sh(&line).await?.stdout;
            let said = String::from_utf8_lossy(&said);
            let mask = said.split_whitespace().last().map(|mask| u64::from_str_radix(mask, 16));
            if mask.transpose()?.is_some_and(|mask| mask & KILL == 0) {
                left.push(pid);
            }
        }
        Ok(left)
    }

    /// Waits until no process on the target has `text` in an argument.
    pub(crate) async fn expect_gone(&self, text: &str) -> anyhow::Result<()> {
        until("processes end", || async { Ok(self.with_argument(text).await?.is_empty()) }).await
    }

    /// Waits until at least `count` processes on the target, including the shell, have `text` in an
    /// argument.
    pub(crate) async fn expect_processes(&self, text: &str, count: usize) -> anyhow::Result<()> {
        until(&format!("{count} processes run"), || async {
            Ok(self.with_argument(text).await?.len() >= count)
        })
        .await
    }

    /// Kills processes with `text` in an argument, at the end of a case that let them live.
    pub(crate) async fn end_processes(&self, text: &str) -> anyhow::Result<()> {
        for pid in self.with_argument(text).await? {
            self.sh(&format!("kill -KILL {pid}")).await?;
        }
        self.expect_gone(text).await
    }
}

/// Returns the processes of this machine with `text` in an argument.
pub(crate) fn here_with_argument(text: &str) -> anyhow::Result<Vec<i32>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // A process that is gone by now has no arguments.
        let arguments = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if contains(&arguments, text.as_bytes()) {
            found.push(pid);
        }
    }
    if found.is_empty() && text.is_empty() {
        bail!("/proc has no processes");
    }
    Ok(found)
}

fn contains(text: &[u8], wanted: &[u8]) -> bool {
    memmem::find(text, wanted).is_some()
}

/// Splits `text` at the occurrences of `mark`.
fn split<'a>(text: &'a [u8], mark: &[u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let mut start = 0;
    for at in memmem::find_iter(text, mark) {
        pieces.push(&text[start..at]);
        start = at + mark.len();
    }
    pieces.push(&text[start..]);
    pieces
}

/// Returns the number at the start of a piece.
fn pid_of(piece: &[u8]) -> anyhow::Result<i32> {
    let digits = piece.iter().take_while(|byte| byte.is_ascii_digit()).count();
    Ok(std::str::from_utf8(&piece[..digits])?.parse()?)
}
