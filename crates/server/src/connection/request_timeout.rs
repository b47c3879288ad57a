//! Request timeout of a connection, whose requests come one after the other.
//!
//! The requests share one timer, which is reset only when it has fired: a timer per request costs a tenth of a whole
//! present.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// One timer for all requests of a connection.
pub(crate) struct RequestTimer {
    limit: Duration,
    /// Fires no later than the deadline of the current request. Only that request locks it, while it polls.
    timer: Mutex<Pin<Box<Sleep>>>,
}

impl RequestTimer {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, timer: Mutex::new(Box::pin(tokio::time::sleep(limit))) }
    }

    /// The output of `work`; `None` after the timeout.
    pub(crate) async fn timeout<T>(&self, mut work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        let mut deadline = None;
        poll_fn(|context| {
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(Some(done));
            }
            // Most requests get here once, when they begin to wait for the disk.
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
            assert_eq!(deadline.timeout(pin!(wait(4))).await, Some(()), "earlier requests cut none short");
        }
        assert_eq!(deadline.timeout(pin!(ready(1))).await, Some(1));
        wait(100).await;
        assert_eq!(deadline.timeout(pin!(wait(4))).await, Some(()), "nor does an idle time");
        assert_eq!(begun.elapsed().as_secs(), 120);
        assert_eq!(deadline.timeout(pin!(pending::<()>())).await, None);
        assert_eq!(begun.elapsed().as_secs(), 125);
        assert_eq!(deadline.timeout(pin!(wait(6))).await, None);
        assert_eq!(
            deadline.timeout(pin!(wait(4))).await,
            Some(()),
            "a request that timed out changes nothing"
        );
    }
}
