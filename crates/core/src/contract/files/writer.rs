//! Writes a file of this machine without blocking the runtime.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use bytes::BytesMut;
use tokio::task::{JoinHandle, spawn_blocking};

/// Content moves to another thread without a copy, and content that arrives meanwhile follows in
/// one step: `tokio::fs::File` would copy each piece and make a round trip for it.
pub(crate) struct FileWriter {
    file: Arc<File>,
    waiting: Vec<BytesMut>,
    /// The bytes in `waiting`.
    length: usize,
    under_way: Option<JoinHandle<(Vec<BytesMut>, io::Result<()>)>>,
    /// Memory of written content, for reuse.
    spare: Vec<BytesMut>,
}

/// Maximum bytes that wait while others are written. With more, the caller waits.
const WAITING: usize = 1024 * 1024;

/// Small pieces are joined up to this size.
const PIECE: usize = 64 * 1024;

impl FileWriter {
    pub(crate) fn new(file: File) -> Self {
        let (waiting, spare) = (Vec::new(), Vec::new());
        Self { file: Arc::new(file), waiting, length: 0, under_way: None, spare }
    }

    /// Takes content, and returns memory that may be reused.
    pub(crate) async fn push(&mut self, content: BytesMut) -> io::Result<Option<BytesMut>> {
        self.length += content.len();
        self.waiting.push(content);
        self.go_on().await?;
        Ok(self.spare.pop())
    }

    /// Takes a copy.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.length += bytes.len();
        match self.waiting.last_mut() {
            Some(last) if last.len() + bytes.len() <= PIECE => last.extend_from_slice(bytes),
            _ => {
                let mut content = self.spare.pop().unwrap_or_default();
                content.extend_from_slice(bytes);
                self.waiting.push(content);
            }
        }
        self.go_on().await
    }

    /// Waits until everything is written.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        while self.under_way.is_some() || self.length > 0 {
            self.wait().await?;
            self.start();
        }
        Ok(())
    }

    async fn go_on(&mut self) -> io::Result<()> {
        let is_free = self.under_way.as_ref().is_none_or(JoinHandle::is_finished);
        if is_free || self.length >= WAITING {
            self.wait().await?;
            self.start();
        }
        Ok(())
    }

    /// It may be dropped and called again.
    async fn wait(&mut self) -> io::Result<()> {
        let Some(under_way) = &mut self.under_way else { return Ok(()) };
        let done = under_way.await;
        self.under_way = None;
        let (mut written, done) = done.map_err(io::Error::other)?;
        written.iter_mut().for_each(BytesMut::clear);
        self.spare = written;
        done
    }

    fn start(&mut self) {
        if self.length == 0 {
            return;
        }
        let (contents, file) = (std::mem::take(&mut self.waiting), self.file.clone());
        self.length = 0;
        self.under_way = Some(spawn_blocking(move || {
            let done = contents.iter().try_for_each(|content| (&*file).write_all(content));
            (contents, done)
        }));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[tokio::test]
    async fn all_content_is_written_in_its_order_with_memory_used_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let mut writer = FileWriter::new(File::create(&path).unwrap());
        let (mut expected, mut spare, mut returned) = (Vec::new(), None, 0);
        for round in 0..2000_usize {
            let bytes: Vec<u8> = (0..round * 7).map(|at| (at + round).to_le_bytes()[0]).collect();
            expected.extend_from_slice(&bytes);
            if round % 3 == 0 {
                writer.write(&bytes).await.unwrap();
                continue;
            }
            let mut content: BytesMut = spare.take().unwrap_or_default();
            assert!(content.is_empty());
            content.extend_from_slice(&bytes);
            spare = writer.push(content).await.unwrap();
            returned += usize::from(spare.is_some());
        }
        writer.flush().await.unwrap();
        assert!(std::fs::read(&path).unwrap() == expected);
        assert!(returned > 0);
    }

    #[tokio::test]
    async fn a_file_that_takes_nothing_is_an_error() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut writer = FileWriter::new(full);
        let written = writer.write(b"x").await;
        assert!(written.is_err() || writer.flush().await.is_err());
    }

    #[tokio::test]
    async fn no_more_than_the_limit_waits_for_a_slow_file() {
        let (mut reader, pipe) = io::pipe().unwrap();
        let mut writer = FileWriter::new(File::from(std::os::fd::OwnedFd::from(pipe)));
        let mut taken = 0;
        let most = 4 * WAITING;
        while taken < most {
            let content = BytesMut::zeroed(PIECE);
            // A pipe without a reader: the writer takes no more at some time.
            let limit = std::time::Duration::from_millis(200);
            let Ok(pushed) = tokio::time::timeout(limit, writer.push(content)).await else { break };
            pushed.unwrap();
            taken += PIECE;
        }
        assert!((WAITING..=2 * WAITING).contains(&taken), "{taken}");
        let reading = std::thread::spawn(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).map(|_| all.len())
        });
        writer.flush().await.unwrap();
        drop(writer);
        // The piece that was being taken when the time was up is there, too.
        assert_eq!(reading.join().unwrap().unwrap(), taken + PIECE);
    }
}
