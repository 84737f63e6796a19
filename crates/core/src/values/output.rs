//! The output of a command, and its exit status.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::values::io::{Chunk, Stream};
use crate::values::lines::{LineSplitter, OutputLine};
use crate::values::secret::Secret;
use crate::values::status::ExitStatus;

/// Options for the output of one command.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Report the command before it runs, with secrets masked. Default: false.
    pub print_input: bool,
    /// Report each line of output as it arrives. Default: false.
    pub print_output: bool,
    /// Keep at most this many bytes of output; the rest is read and dropped. Default: no limit.
    ///
    /// [`ConnectorArguments::retry_until`](crate::ConnectorArguments::retry_until) sees the kept
    /// part.
    pub output_limit: Option<usize>,
    /// Time to keep reading after the command has ended while a background process of it keeps its
    /// output open and writes nothing. Default: 2 s.
    pub output_silence: Duration,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            print_input: false,
            print_output: false,
            output_limit: None,
            output_silence: Duration::from_secs(2),
        }
    }
}

impl RunOptions {
    /// Sets [`print_input`](Self::print_input) and [`print_output`](Self::print_output).
    #[must_use]
    pub fn with_printing(self, input: bool, output: bool) -> Self {
        Self { print_input: input, print_output: output, ..self }
    }

    /// Sets [`output_limit`](Self::output_limit).
    #[must_use]
    pub fn with_output_limit(self, bytes: usize) -> Self {
        Self { output_limit: Some(bytes), ..self }
    }
}

/// The output of a command, and its exit status.
///
/// The bytes are unchanged; lines are a view of them. Each stream is in the command's order; both
/// are interleaved in the order of arrival.
#[derive(Clone)]
pub struct CommandOutput {
    status: Option<ExitStatus>,
    success: bool,
    bytes: Vec<u8>,
    spans: Vec<(Stream, usize)>,
    pub(crate) truncated: bool,
    pub(crate) output_open: bool,
    duration: Duration,
    /// Masked in errors that quote the output.
    pub(crate) secrets: Vec<Secret>,
}

impl CommandOutput {
    /// Returns output from lines, for connectors whose API has nothing else.
    ///
    /// Exit code 0 counts as success.
    pub fn from_lines(
        lines: impl IntoIterator<Item = OutputLine>,
        status: ExitStatus,
        duration: Duration,
    ) -> Self {
        let mut collector = Collector::new(None);
        for OutputLine { stream, line } in lines {
            collector.push(stream, line.as_bytes());
            collector.push(stream, b"\n");
        }
        collector.finish(Some(status), status == ExitStatus::Code(0), duration)
    }

    /// Returns the exit status; `None` in the output of an error: the command was killed or lost.
    #[must_use]
    pub fn status(&self) -> Option<ExitStatus> {
        self.status
    }

    /// Returns the exit code, unless a signal ended the command.
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        self.status?.code()
    }

    /// Returns the signal that ended the command, if there was one and the transport reports it.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        self.status?.signal()
    }

    /// Returns whether the exit code is among `success_exit_codes` (default: only 0).
    #[must_use]
    pub fn success(&self) -> bool {
        self.success
    }

    /// Returns the bytes of standard output.
    #[must_use]
    pub fn stdout(&self) -> Vec<u8> {
        self.bytes_of(Stream::Stdout)
    }

    /// Returns the bytes of standard error.
    #[must_use]
    pub fn stderr(&self) -> Vec<u8> {
        self.bytes_of(Stream::Stderr)
    }

    /// Returns the lines of standard output.
    #[must_use]
    pub fn stdout_lines(&self) -> Vec<String> {
        self.lines_of(Stream::Stdout)
    }

    /// Returns the lines of standard error.
    #[must_use]
    pub fn stderr_lines(&self) -> Vec<String> {
        self.lines_of(Stream::Stderr)
    }

    /// Returns all lines, in the order in which they were completed. `\n`, `\r\n` and the end of
    /// the stream end a line.
    #[must_use]
    pub fn combined_lines(&self) -> Vec<OutputLine> {
        let mut splitter = LineSplitter::default();
        let mut lines = Vec::new();
        for Chunk { stream, bytes } in self.chunks() {
            splitter.push(stream, &bytes, |line| lines.push(line));
        }
        splitter.finish(|line| lines.push(line));
        lines
    }

    /// Returns both outputs in the order of arrival. Adjacent chunks of one stream are joined.
    pub fn chunks(&self) -> impl Iterator<Item = Chunk> {
        let all = Bytes::copy_from_slice(&self.bytes);
        let mut at = 0;
        self.spans.clone().into_iter().map(move |(stream, length)| {
            at += length;
            Chunk { stream, bytes: all.slice(at - length..at) }
        })
    }

    /// Returns whether output beyond the limit was dropped.
    #[must_use]
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    /// Returns whether a background process of the command still had its output open when reading
    /// stopped.
    #[must_use]
    pub fn output_open(&self) -> bool {
        self.output_open
    }

    /// Returns the time from the start of the command to its end.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.duration
    }

    fn bytes_of(&self, wanted: Stream) -> Vec<u8> {
        let mut at = 0;
        let mut bytes = Vec::new();
        for (stream, length) in &self.spans {
            if *stream == wanted {
                bytes.extend_from_slice(&self.bytes[at..at + length]);
            }
            at += length;
        }
        bytes
    }

    fn lines_of(&self, wanted: Stream) -> Vec<String> {
        let lines = self.combined_lines().into_iter();
        lines.filter(|line| line.stream == wanted).map(|line| line.line).collect()
    }
}

impl fmt::Debug for CommandOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandOutput")
            .field("status", &self.status)
            .field("bytes", &self.bytes.len())
            .field("truncated", &self.truncated)
            .field("output_open", &self.output_open)
            .field("duration", &self.duration)
            .finish_non_exhaustive()
    }
}

/// Keeps output in order, up to a limit.
#[derive(Debug)]
pub(crate) struct Collector {
    bytes: Vec<u8>,
    spans: Vec<(Stream, usize)>,
    limit: usize,
    truncated: bool,
}

impl Collector {
    pub(crate) fn new(limit: Option<usize>) -> Self {
        let limit = limit.unwrap_or(usize::MAX);
        Self { bytes: Vec::new(), spans: Vec::new(), limit, truncated: false }
    }

    pub(crate) fn push(&mut self, stream: Stream, bytes: &[u8]) {
        let kept = &bytes[..bytes.len().min(self.limit - self.bytes.len())];
        self.truncated |= kept.len() < bytes.len();
        if kept.is_empty() {
            return;
        }
        self.bytes.extend_from_slice(kept);
        match self.spans.last_mut() {
            Some((last, length)) if *last == stream => *length += kept.len(),
            _ => self.spans.push((stream, kept.len())),
        }
    }

    pub(crate) fn finish(
        self,
        status: Option<ExitStatus>,
        success: bool,
        duration: Duration,
    ) -> CommandOutput {
        CommandOutput {
            status,
            success,
            bytes: self.bytes,
            spans: self.spans,
            truncated: self.truncated,
            output_open: false,
            duration,
            secrets: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_keeps_the_head_and_says_so() {
        let mut collector = Collector::new(Some(4));
        collector.push(Stream::Stdout, b"abc");
        collector.push(Stream::Stderr, b"def");
        let output = collector.finish(Some(ExitStatus::Code(0)), true, Duration::ZERO);
        assert_eq!((output.stdout(), output.stderr()), (b"abc".to_vec(), b"d".to_vec()));
        assert!(output.truncated());
    }

    #[test]
    fn lines_make_an_output_and_an_output_lines() {
        let lines = vec![
            OutputLine { stream: Stream::Stdout, line: "a".into() },
            OutputLine { stream: Stream::Stderr, line: "e".into() },
        ];
        let output = CommandOutput::from_lines(lines.clone(), ExitStatus::Code(3), Duration::ZERO);
        assert_eq!(output.combined_lines(), lines);
        assert_eq!(
            output.check().unwrap_err().to_string(),
            "the command ended with exit code 3: e"
        );
    }
}
