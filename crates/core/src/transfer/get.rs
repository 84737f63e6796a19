//! Reads one file from a target.

use async_trait::async_trait;

use super::failure::failure;
use super::target::Remote;
use super::target_script::Values;
use super::{GetOptions, Route, Transferred, scp, tree_without_shell};
use crate::contract::files::{Body, FileBody, Header, Sink};
use crate::link::Link;
use crate::values::error::{Error, ErrorKind, Result};
use crate::values::io::{BoxRead, OutputSink, Stream};
use crate::values::report::Event;

impl Link {
    /// Reads a file from the target.
    ///
    /// `path` is taken as in [`put_file`](Link::put_file). A symlink is followed.
    ///
    /// # Errors
    ///
    /// The file is not there, is not a regular file, or may not be read; it did not arrive whole;
    /// the sink cannot be written. A path as the sink is then as it was.
    ///
    /// # Cancel safety
    ///
    /// As on an error.
    pub async fn get_file(
        &self,
        path: &str,
        sink: impl Into<Sink<'_>>,
        options: &GetOptions,
    ) -> Result<Transferred> {
        let mut sink = sink.into();
        let get = async {
            let remote = Remote::new(self.shared(), path, &options.arguments)?;
            if options.run.print_input {
                self.shared().report(Event::Input(&format!("get {}", remote.path)));
            }
            if let Some(done) = get_fast(&remote, &mut sink, options).await? {
                return Ok(done);
            }
            let values = Values {
                path: &remote.path,
                random: &remote.random,
                scp: remote.wants_scp(),
                ..Values::default()
            };
            match get_stream(&remote, &values, &mut sink, options).await {
                Err(refusal) if refusal.kind() == ErrorKind::Connect => {
                    Err(tree_without_shell::why_not_got(&remote, refusal).await)
                }
                done => done,
            }
        };
        self.shared().noting_failure(get, |_| true).await
    }
}

/// Reads by the connection's own transfer; `None` if it does not handle this file.
pub(super) async fn get_fast(
    remote: &Remote<'_>,
    sink: &mut Sink<'_>,
    options: &GetOptions,
) -> Result<Option<Transferred>> {
    let Some(fast) = remote.own_transfer() else { return Ok(None) };
    remote.fast(fast, fast.get(&remote.path, sink, options)).await
}

pub(super) async fn get_stream(
    remote: &Remote<'_>,
    values: &Values<'_>,
    sink: &mut Sink<'_>,
    options: &GetOptions,
) -> Result<Transferred> {
    let mut receiver = Receiver::new(remote, FileBody { sink, file: None });
    let input = values.scp.then(|| Box::pin(std::io::Cursor::new(scp::GO_ON)) as BoxRead);
    let ended = remote.read(values.read(), input, &mut receiver).await;
    if receiver.lacks_scp {
        remote.link.tell_of_missing_scp();
    }
    let (body, header, bytes) = receiver.finish(ended)?;
    let in_place = body.commit(options.preserve.then_some(&header)).await?;
    Ok(Transferred { bytes, in_place, route: Route::Commands })
}

/// Reads `hl ok MODE MTIME` (`hl scp …` before content that is in scp's frame), the content, and a
/// last line that proves the content whole.
pub(super) struct Receiver<B> {
    body: B,
    path: String,
    end: String,
    head: Vec<u8>,
    header: Option<Header>,
    /// The content's frame.
    scp: Option<scp::Receiving>,
    /// scp was wanted and is not there.
    lacks_scp: bool,
    /// The last bytes, which may be the end line.
    tail: Vec<u8>,
    stderr: Vec<u8>,
    bytes: u64,
    error: Option<Error>,
}

/// The length of the exit code and the newline after the end line's token.
const CODE: usize = 4;
const STDERR: usize = 16 * 1024;
const LONGEST_HEADER: usize = 1024;

impl<B: Body> Receiver<B> {
    pub(super) fn new(remote: &Remote<'_>, body: B) -> Self {
        Self {
            body,
            path: remote.path.clone(),
            end: format!("\nhl {} ", remote.random),
            head: Vec::new(),
            header: None,
            scp: None,
            lacks_scp: false,
            tail: Vec::new(),
            stderr: Vec::new(),
            bytes: 0,
            error: None,
        }
    }

    /// Returns what the target sent instead of content; empty if it sent content.
    pub(super) fn status(&self) -> String {
        if self.header.is_some() {
            return String::new();
        }
        super::target::status(&self.head).unwrap_or_default()
    }

    /// What arrived, if it arrived whole.
    pub(super) fn finish(mut self, ended: Result<()>) -> Result<(B, Header, u64)> {
        // The cause is better known here than in the pump, which saw a sink that failed.
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        ended?;
        let Some(header) = self.header else {
            let said = super::target::status(&self.head).unwrap_or_default();
            return Err(failure(&said, &self.path, &self.stderr));
        };
        match self.tail.strip_prefix(self.end.as_bytes()) {
            Some(b"000\n") if self.scp.is_none_or(|scp| scp.is_whole()) => {
                Ok((self.body, header, self.bytes))
            }
            Some(_) => Err(failure("read", &self.path, &self.stderr)),
            None => {
                let message = format!("{} did not arrive whole", self.path);
                Err(Error::new(ErrorKind::Transfer, message).with_stderr_tail(&self.stderr))
            }
        }
    }

    async fn take(&mut self, mut bytes: &[u8]) -> Result<()> {
        if self.header.is_none() {
            if self.head.len() > LONGEST_HEADER {
                return Err(failure("garbled", &self.path, &self.stderr));
            }
            let Some(at) = bytes.iter().position(|byte| *byte == b'\n') else {
                self.head.extend_from_slice(bytes);
                return Ok(());
            };
            self.head.extend_from_slice(&bytes[..=at]);
            bytes = &bytes[at + 1..];
            let line = String::from_utf8_lossy(&self.head).into_owned();
            let said = line.strip_prefix("hl ").and_then(|said| said.split_once(' '));
            let Some((way @ ("ok" | "scp" | "noscp"), said)) = said else { return Ok(()) };
            self.scp = (way == "scp").then(scp::Receiving::default);
            self.lacks_scp = way == "noscp";
            let header = Header::parse(said.trim_end());
            self.header = Some(header);
            self.body.begin(&header).await?;
        }
        let held = self.end.len() + CODE;
        self.tail.extend_from_slice(bytes);
        let ready = self.tail.len().saturating_sub(held);
        let content = match &mut self.scp {
            Some(scp) => scp.content(&self.tail[..ready], &self.path)?,
            None => &self.tail[..ready],
        };
        self.body.write(content).await?;
        self.bytes += content.len() as u64;
        self.tail.drain(..ready);
        Ok(())
    }

    async fn end(&mut self) -> Result<()> {
        self.body.end().await
    }
}

#[async_trait]
impl<B: Body> OutputSink for Receiver<B> {
    async fn write(&mut self, stream: Stream, bytes: &[u8]) -> std::io::Result<()> {
        if stream == Stream::Stderr {
            let room = STDERR.saturating_sub(self.stderr.len());
            self.stderr.extend_from_slice(&bytes[..bytes.len().min(room)]);
            return Ok(());
        }
        let mut taken = self.take(bytes).await;
        if taken.is_ok() && self.tail.ends_with(b"\n") && self.tail.starts_with(self.end.as_bytes())
        {
            taken = self.end().await;
        }
        taken.map_err(|error| {
            self.error = Some(error);
            std::io::Error::other("the sink failed")
        })
    }
}
