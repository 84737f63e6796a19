//! What many files, and commands, share: channels, and memory.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::join_all;
use hostlink_core::ErrorKind;
use hostlink_core::transfer::Source;
use rustix::process::Signal;
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::sync::CancellationToken;

use super::{LIMIT, Policy, SFTP_SERVER, Scene, bytes, until};

#[tokio::test]
async fn a_channel_is_waited_for_where_sftp_was_asked_for() {
    let scene = Scene::with_policy(SFTP_SERVER, Policy::Sftp, LIMIT);
    scene.server.is_busy(4);
    scene.put(bytes("new"), "file").await.unwrap().unwrap();
    let scene = Scene::with_policy(SFTP_SERVER, Policy::Sftp, Duration::from_millis(100));
    scene.server.is_busy(usize::MAX);
    let error = scene.put(bytes("new"), "file").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    scene.server.is_busy(0);
    until("a session", || async { scene.put(bytes("new"), "file").await.is_ok() }).await;
}

#[tokio::test]
async fn a_command_is_taken_where_no_channel_is_free_and_sftp_the_next_time() {
    let scene = Scene::new();
    scene.server.is_busy(1);
    assert_eq!(scene.put(bytes("new"), "file").await.unwrap(), None);
    scene.put(bytes("new"), "file").await.unwrap().unwrap();
}

/// Gives bytes without end from some moment on, and counts them.
struct Spring {
    opened: Pin<Box<dyn Future<Output = ()> + Send>>,
    is_open: bool,
    /// How many are asked for bytes.
    asked: Arc<AtomicUsize>,
    is_asked: bool,
    given: Arc<AtomicUsize>,
}

impl AsyncRead for Spring {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if !std::mem::replace(&mut self.is_asked, true) {
            self.asked.fetch_add(1, Ordering::Relaxed);
        }
        if !self.is_open {
            std::task::ready!(self.opened.as_mut().poll(context));
            self.is_open = true;
        }
        let room = buffer.remaining();
        buffer.initialize_unfilled();
        buffer.advance(room);
        self.given.fetch_add(room, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn many_files_on_a_connection_that_stalls_share_their_memory() {
    const FILES: usize = 100;
    let scene = Arc::new(Scene::new());
    let open = CancellationToken::new();
    let [asked, given] = [(); 2].map(|()| Arc::<AtomicUsize>::default());
    let puts: Vec<_> = (0..FILES)
        .map(|number| {
            let opened = Box::pin(open.clone().cancelled_owned());
            let (asked, given) = (asked.clone(), given.clone());
            let spring = Spring { opened, is_open: false, asked, is_asked: false, given };
            let (scene, source) = (scene.clone(), Source::sized_reader(spring, 1 << 40));
            tokio::spawn(async move { scene.put(source, &format!("f{number}")).await })
        })
        .collect();
    until("all wait for their sources", || async { asked.load(Ordering::Relaxed) == FILES }).await;
    assert_eq!(scene.leftovers().len(), FILES);
    scene.server.signal(Signal::STOP);
    open.cancel();
    let given = steady(&given).await;
    scene.server.kill();
    for put in join_all(puts).await {
        assert_eq!(put.unwrap().unwrap_err().kind(), ErrorKind::LinkLost);
    }
    assert!(given > FILES * 1000 && given < 128 << 20, "{given} bytes were taken");
}

/// The number when it has stood still for a while.
async fn steady(number: &AtomicUsize) -> usize {
    loop {
        let before = number.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(500)).await;
        if before > 0 && number.load(Ordering::Relaxed) == before {
            return before;
        }
    }
}
