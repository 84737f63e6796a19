//! Splits streams of bytes into lines.

use crate::values::io::Stream;

/// One line of output, without its line ending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputLine {
    /// The stream that the command wrote it to.
    pub stream: Stream,
    /// Its text; bytes that are not UTF-8 are shown as `U+FFFD`.
    pub line: String,
}

impl OutputLine {
    /// A line of one of the streams.
    pub fn new(stream: Stream, line: impl Into<String>) -> Self {
        Self { stream, line: line.into() }
    }
}

/// Splits two streams into lines, which may span chunks.
///
/// `\n` or `\r\n` ends a line. Only whole lines are decoded, so a character may span chunks, too.
#[derive(Debug, Default)]
pub struct LineSplitter {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    limit: Option<usize>,
}

impl LineSplitter {
    /// Returns a splitter that bounds its memory: it splits lines of more than `bytes`.
    #[must_use]
    pub fn with_limit(bytes: usize) -> Self {
        Self { limit: Some(bytes), ..Self::default() }
    }

    /// Adds a chunk, and passes on every line that it completes.
    pub fn push(&mut self, stream: Stream, bytes: &[u8], mut line: impl FnMut(OutputLine)) {
        let limit = self.limit.unwrap_or(usize::MAX);
        let pending = self.pending(stream);
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            pending.extend_from_slice(&rest[..end]);
            line(decode(stream, pending));
            pending.clear();
            rest = &rest[end + 1..];
        }
        pending.extend_from_slice(rest);
        if pending.len() > limit {
            line(decode(stream, pending));
            pending.clear();
        }
    }

    /// Passes on the last lines, which have no line ending.
    pub fn finish(mut self, mut line: impl FnMut(OutputLine)) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let pending = self.pending(stream);
            if !pending.is_empty() {
                line(decode(stream, pending));
            }
        }
    }

    fn pending(&mut self, stream: Stream) -> &mut Vec<u8> {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }
}

fn decode(stream: Stream, line: &[u8]) -> OutputLine {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    OutputLine { stream, line: String::from_utf8_lossy(line).into_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop};
    use proptest::{prop_assert_eq, proptest};

    use super::*;

    fn split(chunks: &[&[u8]]) -> Vec<String> {
        let mut splitter = LineSplitter::default();
        let mut lines = Vec::new();
        for chunk in chunks {
            splitter.push(Stream::Stdout, chunk, |line| lines.push(line.line));
        }
        splitter.finish(|line| lines.push(line.line));
        lines
    }

    #[test]
    fn endings_are_newline_return_newline_and_the_end() {
        assert_eq!(split(&[b"a\r", b"\nb\n\nc"]), ["a", "b", "", "c"]);
        assert_eq!(split(&["ä".as_bytes(), b"\n"]), ["ä"]);
        assert_eq!(split(&[b"\xc3", b"\xa4\0\n"]), ["ä\0"]);
        assert!(split(&[]).is_empty());
    }

    #[test]
    fn a_limit_breaks_long_lines() {
        let mut splitter = LineSplitter::with_limit(3);
        let mut lines = Vec::new();
        for chunk in [&b"ab"[..], b"cd", b"e\nf\n"] {
            splitter.push(Stream::Stderr, chunk, |line| lines.push(line.line));
        }
        assert_eq!(lines, ["abcd", "e", "f"]);
    }

    proptest! {
        #[test]
        fn the_borders_of_chunks_do_not_matter(
            text in prop::collection::vec(any::<u8>(), 0..200),
            size in 1_usize..20,
        ) {
            let chunks: Vec<&[u8]> = text.chunks(size).collect();
            prop_assert_eq!(split(&chunks), split(&[&text]));
        }
    }
}
