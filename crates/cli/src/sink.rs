//! Passes a command's output on as it arrives: as it is, or line by line with the target's name in
//! front.

use async_trait::async_trait;
use hostlink::run::{OutputSink, Stream};

use crate::messages::Messages;
use crate::results::Results;

/// Where one target's output goes.
#[derive(Debug)]
pub(crate) struct LiveSink {
    results: Results,
    messages: Messages,
    prefixer: Option<Prefixer>,
}

impl LiveSink {
    /// With `prefix`, only whole lines are written, each with it in front.
    pub(crate) fn new(results: Results, messages: Messages, prefix: Option<String>) -> Self {
        Self { results, messages, prefixer: prefix.map(Prefixer::new) }
    }

    /// Writes what has no line ending, and waits until everything is written.
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
            Stream::Stdout if bytes.len() >= MUCH => self.results.begin(bytes).await,
            Stream::Stdout => self.results.write(bytes).await,
            Stream::Stderr => {
                // Both may go to one place.
                self.results.flush().await?;
                self.messages.bytes(bytes.to_vec()).await;
                Ok(())
            }
        }
    }
}

/// Where so much comes at once there is more, which is read while this is written.
const MUCH: usize = 32 * 1024;

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

/// A line of this length is broken up, so that memory stays flat whatever arrives.
const LONGEST_LINE: usize = 1 << 20;

/// Puts a name in front of each line. Bytes are not looked at otherwise.
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

    /// The lines that these bytes complete.
    fn push(&mut self, stream: Stream, bytes: &[u8]) -> Vec<u8> {
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let pending = self.pending(stream);
            pending.extend_from_slice(piece);
            if piece.ends_with(b"\n") || pending.len() >= LONGEST_LINE {
                lines.extend(self.finish(stream));
            }
        }
        lines
    }

    /// What there is of a line, ended.
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
        let chunk = vec![b'x'; LONGEST_LINE / 2];
        assert!(prefixer.push(Stream::Stdout, &chunk).is_empty());
        assert_eq!(prefixer.push(Stream::Stdout, &chunk).len(), LONGEST_LINE + 5);
    }
}
