//! Many futures, of which nearly all are ready at once.

use std::future::{Future, pending};

use futures::FutureExt;
use futures::stream::{FuturesOrdered, StreamExt};
use hostlink_core::Result;
use tokio_util::sync::ReusableBoxFuture;

/// What comes of futures, in their order, `at_once` of them running at the same time. One that is
/// ready when it is first looked at costs no memory of its own, unless others still run before it;
/// nearly all of a large inventory are. Cancel safe if they are.
///
/// # Errors
///
/// The first one in order; the futures that run are dropped.
pub(crate) async fn in_order<'a, T, F>(
    futures: impl Iterator<Item = F>,
    at_once: usize,
) -> Result<Vec<T>>
where
    T: 'a,
    F: Future<Output = Result<T>> + Send + 'a,
{
    let mut outcomes = Vec::with_capacity(futures.size_hint().0);
    let mut running = FuturesOrdered::new();
    let mut next = ReusableBoxFuture::new(pending());
    for future in futures {
        next.set(future);
        // A future after one that is still running waits for its turn.
        let ready = if running.is_empty() { next.get_pin().now_or_never() } else { None };
        if let Some(outcome) = ready {
            outcomes.push(outcome?);
            continue;
        }
        running.push_back(std::mem::replace(&mut next, ReusableBoxFuture::new(pending())));
        if running.len() >= at_once
            && let Some(outcome) = running.next().await
        {
            outcomes.push(outcome?);
        }
    }
    while let Some(outcome) = running.next().await {
        outcomes.push(outcome?);
    }
    Ok(outcomes)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use hostlink_core::{Error, ErrorKind};

    use super::*;

    /// What is in order, and how many ran at once at most. Every `nth` waits, so long that others
    /// could overtake it.
    async fn run(count: usize, nth: usize, at_once: usize) -> (Vec<usize>, usize) {
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (running, most) = (&running, &most);
        let futures = (0..count).map(|number| async move {
            most.fetch_max(running.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            for _ in 0..if number % nth == 0 { 10 + count - number } else { 0 } {
                tokio::task::yield_now().await;
            }
            running.fetch_sub(1, Ordering::Relaxed);
            Ok(number)
        });
        (in_order(futures, at_once).await.unwrap(), most.load(Ordering::Relaxed))
    }

    #[tokio::test]
    async fn outcomes_are_in_order_whether_they_wait_or_not() {
        for nth in [1, 2, 7, 1000] {
            for at_once in [1, 3, 8] {
                let (outcomes, most) = run(50, nth, at_once).await;
                assert_eq!(outcomes, (0..50).collect::<Vec<_>>(), "{nth} {at_once}");
                assert!(most <= at_once && (nth > 1 || most == at_once), "{nth} {at_once}: {most}");
            }
        }
    }

    #[tokio::test]
    async fn what_is_woken_by_others_is_not_forgotten() {
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..20).map(|_| tokio::sync::oneshot::channel()).unzip();
        let sent = tokio::spawn(async move {
            // The last ones first, as far as they are waited for.
            for (number, sender) in senders.into_iter().enumerate().rev() {
                tokio::task::yield_now().await;
                sender.send(number).unwrap();
            }
        });
        let futures = receivers.into_iter().map(|receiver| async { Ok(receiver.await.unwrap()) });
        assert_eq!(in_order(futures, 3).await.unwrap(), (0..20).collect::<Vec<_>>());
        sent.await.unwrap();
    }

    #[tokio::test]
    async fn the_first_error_ends_it() {
        let error = |message: &str| Err::<(), _>(Error::new(ErrorKind::Inventory, message));
        for waits in [false, true] {
            let futures = (0..20).map(|number| async move {
                if waits {
                    tokio::task::yield_now().await;
                }
                assert!(number < 15, "what is behind an error is not begun");
                if number < 3 { Ok(()) } else { error(&number.to_string()) }
            });
            assert_eq!(in_order(futures, 8).await.unwrap_err().message(), "3", "{waits}");
        }
    }
}
