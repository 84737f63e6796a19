//! Work on many hosts at the same time.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::stream::{FuturesUnordered, Stream, StreamExt};

use crate::host::Host;

/// The results of work on hosts, each as soon as it is there, from
/// [`Inventory::on_each`](crate::Inventory::on_each).
///
/// A struct and no chain of adaptors: with those, the future of a caller that passes a closure is
/// not `Send` (rust-lang/rust#102211).
#[must_use = "nothing is done unless it is polled"]
pub struct Each<'a, W, F: Future> {
    work: W,
    /// The hosts that wait for their turn, the last one first.
    waiting: Vec<(usize, &'a Host)>,
    running: FuturesUnordered<OnHost<'a, F>>,
    parallel: usize,
}

impl<'a, W, F: Future> Each<'a, W, F> {
    pub(crate) fn new(hosts: impl Iterator<Item = &'a Host>, work: W, parallel: usize) -> Self {
        let mut waiting: Vec<_> = hosts.enumerate().collect();
        waiting.reverse();
        Self { work, waiting, running: FuturesUnordered::new(), parallel: parallel.max(1) }
    }
}

impl<'a, W, F> Each<'a, W, F>
where
    W: Fn(&'a Host) -> F,
    F: Future,
{
    /// All results, in the order of the hosts.
    pub(crate) async fn in_order(mut self) -> Vec<F::Output> {
        let mut results = Vec::with_capacity(self.waiting.len());
        while let Some(done) = std::future::poll_fn(|context| self.poll_done(context)).await {
            results.push(done);
        }
        results.sort_unstable_by_key(|(number, ..)| *number);
        results.into_iter().map(|(.., result)| result).collect()
    }

    fn poll_done(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<(usize, &'a Host, F::Output)>> {
        while self.running.len() < self.parallel
            && let Some((number, host)) = self.waiting.pop()
        {
            let work = Box::pin((self.work)(host));
            self.running.push(OnHost { number, host, work });
        }
        self.running.poll_next_unpin(context)
    }
}

/// The work itself is never pinned here.
impl<W, F: Future> Unpin for Each<'_, W, F> {}

impl<'a, W, F> Stream for Each<'a, W, F>
where
    W: Fn(&'a Host) -> F,
    F: Future,
{
    type Item = (&'a Host, F::Output);

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_done(context).map(|done| done.map(|(_, host, result)| (host, result)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.waiting.len() + self.running.len();
        (left, Some(left))
    }
}

impl<W, F: Future> std::fmt::Debug for Each<'_, W, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (waiting, running) = (self.waiting.len(), self.running.len());
        f.debug_struct("Each").field("waiting", &waiting).field("running", &running).finish()
    }
}

/// Work on one host, with its place among the hosts.
struct OnHost<'a, F> {
    number: usize,
    host: &'a Host,
    work: Pin<Box<F>>,
}

impl<'a, F: Future> Future for OnHost<'a, F> {
    type Output = (usize, &'a Host, F::Output);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let (number, host) = (self.number, self.host);
        self.work.as_mut().poll(context).map(|result| (number, host, result))
    }
}
