//! Reads a command's output without waiting for the caller to consume it.
//!
//! The engine keeps the rest of an ended command's output for two seconds. Until it is read, no
//! other command starts in the container, not even a kill. What is not read by then is lost without
//! an error. The rest is what the engine buffers: little more than 1 MiB.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt};
use hostlink_core::Chunk;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::sleep;

use super::Exec;

/// Chunks of a running command that are read ahead.
const AHEAD: usize = 4;

/// Interval of checks of a command's state while its output is not consumed.
const LOOK: Duration = Duration::from_millis(200);

/// If output ends this long after its command, the engine has cut it off (after 2 s): some process
/// still holds it open.
const CUT_OFF: Duration = Duration::from_millis(1900);

/// Maximum bytes that are read without room: more than an engine keeps of an ended command's
/// output.
const MAX_REST: usize = 16 * 1024 * 1024;

type Item = (io::Result<Chunk>, Option<OwnedSemaphorePermit>);

/// Returns the output, read ahead. `over` is notified when it ends. If it was cut off, the stream
/// does not end.
pub(super) fn read(
    exec: Exec,
    output: BoxStream<'static, io::Result<Chunk>>,
    over: oneshot::Sender<()>,
) -> BoxStream<'static, io::Result<Chunk>> {
    let (sender, receiver) = unbounded_channel();
    let reader = Reader { exec, room: Arc::new(Semaphore::new(AHEAD)), sender };
    tokio::spawn(reader.run(output, over));
    let next = |mut receiver: UnboundedReceiver<Item>| async move {
        let (chunk, _room) = receiver.recv().await?;
        Some((chunk, receiver))
    };
    stream::unfold(receiver, next).boxed()
}

struct Reader {
    exec: Exec,
    room: Arc<Semaphore>,
    sender: UnboundedSender<Item>,
}

impl Reader {
    async fn run(
        self,
        mut output: BoxStream<'static, io::Result<Chunk>>,
        over: oneshot::Sender<()>,
    ) {
        let mut rest = MAX_REST;
        loop {
            let chunk = tokio::select! {
                chunk = output.next() => chunk,
                () = self.sender.closed() => return,
            };
            let Some(chunk) = chunk else { break };
            if let Err(error) = &chunk
                && self.is_end(error).await
            {
                break;
            }
            let length = chunk.as_ref().map_or(0, |chunk| chunk.bytes.len());
            let room = self.room(length, &mut rest).await;
            if self.sender.send((chunk, room)).is_err() {
                return;
            }
        }
        if self.exec.is_cut_off_by_engine() && self.exec.life.lock().is_over_since(CUT_OFF) {
            self.sender.closed().await;
        }
        // The receiver may be gone.
        let _ = over.send(());
    }

    /// Returns whether a stream was reset because its command had ended with unread input. A lost
    /// link looks the same, but then the engine does not answer. Over SSH a new login may answer,
    /// so the stream's own login was checked.
    async fn is_end(&self, error: &io::Error) -> bool {
        let is_reset = error.kind() == io::ErrorKind::ConnectionReset;
        is_reset
            && !self.exec.engine().is_by_tcp()
            && self.exec.inspect().await.is_ok()
            && self.exec.life.lock().has_ended()
    }

    /// Waits until there is room for a chunk; `None` if it must be read without room, of which
    /// there is `rest`.
    async fn room(&self, length: usize, rest: &mut usize) -> Option<OwnedSemaphorePermit> {
        while length > *rest || !self.exec.life.lock().has_ended() {
            tokio::select! {
                room = self.room.clone().acquire_owned() => return room.ok(),
                () = self.sender.closed() => return None,
                () = sleep(LOOK) => {}
            }
            // The code that waits for the command's end reports errors.
            let _ = self.exec.inspect().await;
        }
        *rest -= length;
        None
    }
}
