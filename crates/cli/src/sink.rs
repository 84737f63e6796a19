//! Passes a command's output on as it arrives: unchanged, or line by line with the target's name as
//! a prefix.

use async_trait::async_trait;
use hostlink::run::{OutputSink, Stream};

use crate::messages::Messages;
use crate::results::Results;

/// The destination of one target's output.
#[derive(Debug)]
pub(crate) struct LiveSink {
    results: Results,
    messages: Messages,
    prefixer: Option<Prefixer>,
}

impl LiveSink {
    /// With `prefix`, only whole lines are written, each prefixed.
    pub(crate) fn new(results: Results, messages: Messages, prefix: Option<String>) -> Self {
        Self { results, messages, prefixer: prefix.map(Prefixer::new) }
    }

    /// Writes an unfinished line, and waits until everything is written.
    pub(crate) async fn finish(mut self) -> std::io::Result<()> {
        if let Some(mut prefixer) = self.prefixer.take() {
            for stream in [Stream::Stdout, Stream::Stderr] {
                let rest = prefixer.finish(stream);
                self.pass_on(stream, &rest).await?;
            }
        }
        self.results.flush().await
    }

    async fn pass_on(&self, stream: Stream, bytes: &[u8]) -> std::io::Result<()> {
        match stream {
            _ if bytes.is_empty() => Ok(()),
            Stream::Stdout if bytes.len() >= LARGE => self.results.write_behind(bytes).await,
            Stream::Stdout => self.results.write(bytes).await,
            Stream::Stderr => {
                // Both may have the same destination.
                self.results.flush().await?;
                self.messages.bytes(bytes.to_vec()).await;
                Ok(())
            }
        }
    }
}

/// A chunk of this size suggests that more output is coming, which is read while this is written.
const LARGE: usize = 32 * 1024;

#[async_trait]
impl OutputSink for LiveSink {
    async fn write(&mut self, stream: Stream, bytes: &[u8]) -> std::io::Result<()> {
        match &mut self.prefixer {
            None => self.pass_on(stream, bytes).await,
            Some(prefixer) => {
                let lines = prefixer.push(stream, bytes);
                self.pass_on(stream, &lines).await
            }
        }
    }
}

/// A longer line is split, so that memory use stays bounded.
const MAX_LINE: usize = 1 << 20;

/// Prefixes each line with a name. The bytes are otherwise unchanged.
#[derive(Debug)]
struct Prefixer {
    prefix: Vec<u8>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Prefixer {
    fn new(prefix: String) -> Self {
        Self { prefix: prefix.into_bytes(), stdout: Vec::new(), stderr: Vec::new() }
    }

    /// Returns the lines that these bytes complete.
    fn push(&mut self, stream: Stream, bytes: &[u8]) -> Vec<u8> {
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let pending = self.pending(stream);
            pending.extend_from_slice(piece);
            if piece.ends_with(b"\n") || pending.len() >= MAX_LINE {
                lines.extend(self.finish(stream));
            }
        }
        lines
    }

    /// Returns an unfinished line, with a line ending.
    fn finish(&mut self, stream: Stream) -> Vec<u8> {
        let line = std::mem::take(self.pending(stream));
        match line.last() {
            None => line,
            Some(b'\n') => [&*self.prefix, &line].concat(),
            Some(_) => [&*self.prefix, &line, b"\n"].concat(),
        }
    }

    fn pending(&mut self, stream: Stream) -> &mut Vec<u8> {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefixed(chunks: &[&[u8]]) -> Vec<u8> {
        let mut prefixer = Prefixer::new("[a] ".into());
        let mut all = Vec::new();
        for chunk in chunks {
            let lines = prefixer.push(Stream::Stdout, chunk);
            assert!(lines.is_empty() || lines.ends_with(b"\n"), "only whole lines");
            all.extend(lines);
        }
        all.extend(prefixer.finish(Stream::Stdout));
        all
    }

    #[test]
    fn every_line_has_the_name_in_front_wherever_chunks_end() {
        let expected = b"[a] x\n[a] \n[a] \xff\r\n[a] end\n";
        assert_eq!(prefixed(&[b"x\n\n\xff\r\nend"]), expected);
        assert_eq!(prefixed(&[b"x", b"\n", b"\n\xff", b"\r", b"\ne", b"nd"]), expected);
        assert_eq!(prefixed(&[b"", b""]), b"");
    }

    #[test]
    fn the_streams_are_kept_apart() {
        let mut prefixer = Prefixer::new("[a] ".into());
        assert!(prefixer.push(Stream::Stdout, b"out").is_empty());
        assert_eq!(prefixer.push(Stream::Stderr, b"err\n"), b"[a] err\n");
        assert_eq!(prefixer.push(Stream::Stdout, b"put\n"), b"[a] output\n");
    }

    #[test]
    fn a_line_without_end_is_broken_up() {
        let mut prefixer = Prefixer::new("[a] ".into());
        let chunk = vec![b'x'; MAX_LINE / 2];
        assert!(prefixer.push(Stream::Stdout, &chunk).is_empty());
        assert_eq!(prefixer.push(Stream::Stdout, &chunk).len(), MAX_LINE + 5);
    }
}
