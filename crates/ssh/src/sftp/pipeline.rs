//! The requests of one file that are in flight.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;

use futures::future::{BoxFuture, FutureExt, MaybeDone, maybe_done};

use super::session::Session;
use super::trouble::Trouble;
use super::{BUDGET, WINDOW};

/// Requests in the order in which they were sent. Their number is bounded by the file's part of the
/// session's memory.
pub(super) struct Pipeline<'a, T> {
    session: &'a Session,
    sent: VecDeque<Request<T>>,
    /// The size of one request.
    piece: usize,
}

type Answer<T> = Result<T, Trouble>;
type Request<T> = Pin<Box<MaybeDone<BoxFuture<'static, Answer<T>>>>>;

impl<'a, T: 'static> Pipeline<'a, T> {
    pub(super) fn new(session: &'a Session, piece: u32) -> Self {
        session.moving.fetch_add(1, Ordering::Relaxed);
        Self { session, sent: VecDeque::new(), piece: piece as usize }
    }

    /// Returns how many requests may be in flight: at least one.
    pub(super) fn window(&self) -> usize {
        let files = self.session.moving.load(Ordering::Relaxed);
        ((BUDGET / files.max(1)).min(WINDOW) / self.piece).max(1)
    }

    pub(super) fn len(&self) -> usize {
        self.sent.len()
    }

    /// Drops the requests; their answers are ignored.
    pub(super) fn clear(&mut self) {
        self.sent.clear();
    }

    /// Sends a request. The package sends it when its future is first polled.
    pub(super) async fn send(&mut self, request: impl Future<Output = Answer<T>> + Send + 'static) {
        let mut request = Box::pin(maybe_done(request.boxed()));
        let _ = futures::poll!(&mut request);
        self.sent.push_back(request);
    }

    /// Waits for the oldest answer; `None` if no request is in flight. Cancel-safe.
    pub(super) async fn answer(&mut self) -> Result<Option<T>, Trouble> {
        let Some(request) = self.sent.front_mut() else { return Ok(None) };
        let oldest = async {
            request.as_mut().await;
            request.as_mut().take_output().transpose()
        };
        let answered = self.session.answer(oldest).await;
        self.sent.pop_front();
        answered
    }
}

impl<T> Drop for Pipeline<'_, T> {
    fn drop(&mut self) {
        self.session.moving.fetch_sub(1, Ordering::Relaxed);
    }
}
