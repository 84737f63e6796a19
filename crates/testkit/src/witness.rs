//! Checks what a case did on the target, through a second link.
//!
//! A new command for each check would take most of the suite's time: in a container it costs ten
//! times as much as a shell that runs already. So a witness keeps shells, writes each line to the
//! standard input of one, and reads its output up to a mark.

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, bail, ensure};
use async_trait::async_trait;
use hostlink_core::{Link, OutputSink, RunOptions, Stdin, Stream, quote};
use memchr::memmem;
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::random;
use crate::settings::PATIENCE;
use crate::settings::plain;

/// A link with idle shells.
pub(crate) struct Witness {
    link: Link,
    idle: Mutex<Vec<Shell>>,
}

/// The result of a line of shell.
#[derive(Debug)]
pub(crate) struct ShellOutput {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Witness {
    pub(crate) fn new(link: Link) -> Self {
        Self { link, idle: Mutex::default() }
    }

    /// Runs a line of shell in a directory of the target, with an empty standard input.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the line may continue; its shell ends with it.
    pub(crate) async fn sh(&self, directory: &str, line: &[u8]) -> anyhow::Result<ShellOutput> {
        let kept = self.idle().pop();
        let mut shell = kept.unwrap_or_else(|| Shell::start(&self.link));
        let seen = shell.sh(directory, line).await?;
        self.idle().push(shell);
        Ok(seen)
    }

    /// Ends the shells, and closes the link.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        let shells: Vec<_> = self.idle().drain(..).collect();
        for shell in shells {
            shell.end().await?;
        }
        Ok(self.link.disconnect().await?)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Shell>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ShellOutput {
    /// Fails unless the line has succeeded.
    pub(crate) fn check(self) -> anyhow::Result<Self> {
        let Self { code, stderr, .. } = &self;
        ensure!(*code == 0, "exit code {code}: {}", String::from_utf8_lossy(stderr).trim());
        Ok(self)
    }
}

/// A shell that reads lines from its input. It ends when its input does.
struct Shell {
    input: DuplexStream,
    output: UnboundedReceiver<(Stream, Vec<u8>)>,
    /// A text that is in no line and no output.
    mark: String,
    running: JoinHandle<()>,
}

impl Shell {
    fn start(link: &Link) -> Self {
        let (input, read) = duplex(64 * 1024);
        let (sender, output) = unbounded_channel();
        let link = link.clone();
        let running = tokio::spawn(async move {
            let arguments = plain().with_stdin(Stdin::reader(read));
            let options = RunOptions::default().with_output_limit(0);
            // An error shows as the early end of its output.
            let _ = link.run_streaming("sh", &arguments, &options, &mut Sender(sender)).await;
        });
        Self { input, output, mark: format!("hl-mark-{}", random::word()), running }
    }

    /// Closes the shell's input, and waits until the shell has ended.
    async fn end(self) -> anyhow::Result<()> {
        drop(self.input);
        let ended = timeout(PATIENCE, self.running).await;
        Ok(ended.context("a shell of the witness does not end")??)
    }

    async fn sh(&mut self, directory: &str, line: &[u8]) -> anyhow::Result<ShellOutput> {
        let (mark, directory) = (self.mark.as_bytes(), quote::shell(directory.as_bytes()));
        let line = quote::shell(line);
        let parts: [&[u8]; 9] = [
            b"(cd ",
            &directory,
            b" && eval ",
            &line,
            b") </dev/null; printf '",
            mark,
            b" %d\\n' \"$?\"; echo ",
            mark,
            b" >&2\n",
        ];
        self.input.write_all(&parts.concat()).await.context("the shell of the witness is gone")?;
        self.read().await
    }

    /// Reads both streams up to the mark.
    async fn read(&mut self) -> anyhow::Result<ShellOutput> {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let mark = self.mark.as_bytes();
        loop {
            if stderr.ends_with(b"\n")
                && let Some(code) = code_after(&stdout, mark)
                && let Some(end) = last_position(&stderr, mark)
            {
                let start = last_position(&stdout, mark).expect("a code follows it");
                stdout.truncate(start);
                stderr.truncate(end);
                return Ok(ShellOutput { code, stdout, stderr });
            }
            match self.output.recv().await {
                Some((Stream::Stdout, bytes)) => stdout.extend(bytes),
                Some((_, bytes)) => stderr.extend(bytes),
                None => bail!(
                    "the shell of the witness has ended: {}",
                    String::from_utf8_lossy(&stderr)
                ),
            }
        }
    }
}

/// Returns the exit code that a shell has written after the mark, once all of it has arrived.
fn code_after(stdout: &[u8], mark: &[u8]) -> Option<i32> {
    let written = &stdout[last_position(stdout, mark)? + mark.len()..];
    std::str::from_utf8(written.strip_suffix(b"\n")?).ok()?.trim().parse().ok()
}

fn last_position(text: &[u8], mark: &[u8]) -> Option<usize> {
    // The mark is near the end or nowhere: a code has at most three digits.
    let from = text.len().saturating_sub(mark.len() + 8);
    memmem::rfind(&text[from..], mark).map(|place| from + place)
}

/// Sends output to the reader of a shell.
struct Sender(UnboundedSender<(Stream, Vec<u8>)>);

#[async_trait]
impl OutputSink for Sender {
    async fn write(&mut self, stream: Stream, bytes: &[u8]) -> std::io::Result<()> {
        self.0.send((stream, bytes.to_vec())).map_err(std::io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hostlink_core::{Context, Data, Registry};

    use super::*;
    use crate::SpawnOnlyConnector;

    async fn witness() -> Witness {
        let mut registry = Registry::new();
        registry.register(Arc::new(SpawnOnlyConnector::default()));
        let link = registry.connect("@spawnonly", &Data::new(), &Context::default()).await;
        Witness::new(link.unwrap())
    }

    #[tokio::test]
    async fn a_line_returns_all_output_and_leaves_no_state() {
        let witness = witness().await;
        let line = b"x=1; cd /; umask 0; printf \"it's\\0\"; echo oops >&2; cat; exit 7";
        let seen = witness.sh("/tmp", line).await.unwrap();
        assert_eq!((seen.code, &*seen.stdout, &*seen.stderr), (7, &b"it's\0"[..], &b"oops\n"[..]));
        let seen = witness.sh("/tmp", b"pwd; echo \"<$x>\"; umask").await.unwrap();
        let text = String::from_utf8(seen.stdout).unwrap();
        assert!(text.starts_with("/tmp\n<>\n") && !text.ends_with("\n0000\n"), "{text}");
        assert_eq!(witness.idle().len(), 1, "the second line ran in the first one's shell");
        witness.close().await.unwrap();
    }

    #[tokio::test]
    async fn concurrent_lines_do_not_wait_for_each_other() {
        let witness = witness().await;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_str().unwrap();
        let waiting = witness.sh(path, b"until [ -e go ]; do sleep 0.05; done; echo went");
        let (waited, made) = tokio::join!(waiting, witness.sh(path, b">go"));
        assert_eq!((waited.unwrap().stdout, made.unwrap().code), (b"went\n".to_vec(), 0));
    }

    #[tokio::test]
    async fn a_shell_that_ends_is_an_error() {
        let error = witness().await.sh("/", b"kill -KILL $$").await.unwrap_err();
        assert!(error.to_string().contains("has ended"), "{error:#}");
    }
}
