//! Keeps a script's two outputs apart on a terminal, which has only one.

use std::io;

use async_trait::async_trait;

use crate::values::io::{OutputSink, Stream};

/// The script, with its errors after its output, and a line between them. It sees pipes only: tar,
/// for one, writes no archive to a terminal. It may use descriptor 3 itself.
pub(super) fn with_errors_last(script: &str, random: &str) -> String {
    format!(
        "hl_script() {{\n{script}\n}}\n\
         exec 4>&1; hl_errors=$({{ hl_script 2>&3 3>&- 4>&- | cat >&4 3>&-; }} 3>&1)\n\
         printf '\\nhl %s errors\\n%s' {random} \"$hl_errors\"\n"
    )
}

/// Hands the two outputs of such a script on.
pub(super) struct Apart<'a> {
    sink: &'a mut dyn OutputSink,
    line: Vec<u8>,
    /// The last of the output, which may be the beginning of the line.
    held: Vec<u8>,
    has_line_come: bool,
}

impl<'a> Apart<'a> {
    pub(super) fn new(sink: &'a mut dyn OutputSink, random: &str) -> Self {
        let line = format!("\nhl {random} errors\n").into_bytes();
        Self { sink, line, held: Vec::new(), has_line_come: false }
    }

    /// Hands on what was held back. Where the line has not come, all of it is output.
    pub(super) async fn finish(self) -> io::Result<()> {
        self.sink.write(Stream::Stdout, &self.held).await
    }
}

#[async_trait]
impl OutputSink for Apart<'_> {
    async fn write(&mut self, _stream: Stream, bytes: &[u8]) -> io::Result<()> {
        if self.has_line_come {
            return self.sink.write(Stream::Stderr, bytes).await;
        }
        self.held.extend_from_slice(bytes);
        let at = self.held.windows(self.line.len()).position(|text| text == self.line);
        let Some(at) = at else {
            let ready = self.held.len().saturating_sub(self.line.len() - 1);
            self.sink.write(Stream::Stdout, &self.held[..ready]).await?;
            self.held.drain(..ready);
            return Ok(());
        };
        self.has_line_come = true;
        let held = std::mem::take(&mut self.held);
        self.sink.write(Stream::Stdout, &held[..at]).await?;
        self.sink.write(Stream::Stderr, &held[at + self.line.len()..]).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Both(Vec<u8>, Vec<u8>);

    #[async_trait]
    impl OutputSink for Both {
        async fn write(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
            let of = if stream == Stream::Stdout { &mut self.0 } else { &mut self.1 };
            of.extend_from_slice(bytes);
            Ok(())
        }
    }

    #[tokio::test]
    async fn output_and_errors_come_apart_whatever_the_pieces_are() {
        let text = b"hl made\n\nhl r err\nhl done\n\nhl r errors\ncat: no\n\nhl r errors\n";
        for size in 1..text.len() {
            let mut both = Both::default();
            let mut apart = Apart::new(&mut both, "r");
            for piece in text.chunks(size) {
                apart.write(Stream::Stdout, piece).await.unwrap();
            }
            apart.finish().await.unwrap();
            assert_eq!(both.0, b"hl made\n\nhl r err\nhl done\n", "{size}");
            assert_eq!(both.1, b"cat: no\n\nhl r errors\n", "{size}");
        }
    }

    #[tokio::test]
    async fn without_the_line_all_is_output() {
        let mut both = Both::default();
        let mut apart = Apart::new(&mut both, "r");
        apart.write(Stream::Stdout, b"cut off\nhl r").await.unwrap();
        apart.finish().await.unwrap();
        assert_eq!(both.0, b"cut off\nhl r");
    }
}
