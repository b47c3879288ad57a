//! The deadline of a connection's requests, which come one after the other.
//!
//! They share one timer, which is set anew only when it has run out: to set one for each request costs a tenth of a
//! whole present.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// How long each request of a connection may take.
pub(crate) struct RequestTimer {
    limit: Duration,
    /// Runs out no later than the request at hand may take. Locked while it is looked at, by the one request there is.
    timer: Mutex<Pin<Box<Sleep>>>,
}

impl RequestTimer {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, timer: Mutex::new(Box::pin(tokio::time::sleep(limit))) }
    }

    /// What `work` comes to; nothing if it takes longer.
    pub(crate) async fn timeout<T>(&self, mut work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        let mut deadline = None;
        poll_fn(|context| {
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(Some(done));
            }
            // Most requests come here once, when they begin to wait for the disk.
            let ends = *deadline.get_or_insert_with(|| Instant::now() + self.limit);
            let mut timer = self.timer.lock().unwrap_or_else(PoisonError::into_inner);
            while timer.as_mut().poll(context).is_ready() {
                if timer.deadline() >= ends {
                    return Poll::Ready(None);
                }
                timer.as_mut().reset(ends);
            }
            Poll::Pending
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::pin::pin;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_request_gets_the_full_timeout() {
        let deadline = RequestTimer::new(Duration::from_secs(5));
        let wait = |seconds| tokio::time::sleep(Duration::from_secs(seconds));
        let begun = Instant::now();
        for _ in 0..4 {
            assert_eq!(
                deadline.timeout(pin!(wait(4))).await,
                Some(()),
                "none is cut short by those before it"
            );
        }
        assert_eq!(deadline.timeout(pin!(ready(1))).await, Some(1));
        wait(100).await;
        assert_eq!(deadline.timeout(pin!(wait(4))).await, Some(()), "nor by a rest");
        assert_eq!(begun.elapsed().as_secs(), 120);
        assert_eq!(deadline.timeout(pin!(pending::<()>())).await, None);
        assert_eq!(begun.elapsed().as_secs(), 125);
        assert_eq!(deadline.timeout(pin!(wait(6))).await, None);
        assert_eq!(
            deadline.timeout(pin!(wait(4))).await,
            Some(()),
            "and one that was too late changes nothing"
        );
    }
}
