//! Group-commit queue between request tasks and the writer thread.
//!
//! The time of a receive decides the batch size. A batch costs the machine about a hundred microseconds besides its
//! orders: its write, its sync, the threads that wake for it. So after a large batch the writer waits until three in
//! four of the callers it answered could be back, or a millisecond is over. A caller in a loop is back as soon as it
//! gets a core, and the fourth is served while the disk syncs. The decision and its measurements:
//! `docs/decisions/0024-syncs.md`.

use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::SendError;

/// Batch size above which the cores are busy; after a smaller batch the writer does not wait. With so few callers,
/// each waiting for its reply, the cores would idle during the wait.
const GATHER_ABOVE: usize = 32;

/// Batch size above which waiting gains no more: a microsecond of a batch's cost falls to each order.
const GATHER_MAX: usize = 100;

/// Longest wait after the last batch: a few syncs of a fast disk, and less than one sync of a slow disk, during which
/// enough requests queue up anyway.
const GATHER_WAIT: Duration = Duration::from_millis(1);

/// A queue with capacity for `max` requests.
pub(crate) fn batch_queue<T>(max: usize) -> (BatchQueue<T>, BatchReceiver<T>) {
    with_gather_wait(max, GATHER_WAIT)
}

fn with_gather_wait<T>(max: usize, gather_wait: Duration) -> (BatchQueue<T>, BatchReceiver<T>) {
    let (sender, receiver) = mpsc::channel(max);
    let wakeup = Arc::new(Wakeup::default());
    let receiver = BatchReceiver {
        receiver,
        wakeup: Arc::clone(&wakeup),
        gather_wait,
        last_count: 0,
        last_at: Instant::now(),
    };
    (BatchQueue { sender, wakeup }, receiver)
}

/// The sending end.
pub(crate) struct BatchQueue<T> {
    sender: mpsc::Sender<T>,
    wakeup: Arc<Wakeup>,
}

/// The receiving end, for one thread.
pub(crate) struct BatchReceiver<T> {
    receiver: mpsc::Receiver<T>,
    wakeup: Arc<Wakeup>,
    gather_wait: Duration,
    /// Size and time of the last batch.
    last_count: usize,
    last_at: Instant,
}

/// Wakes the writer when the queue reaches the batch size it waits for.
#[derive(Default)]
struct Wakeup {
    /// Zero while the writer does not wait.
    wake_at: AtomicUsize,
    thread: OnceLock<Thread>,
}

impl<T> BatchQueue<T> {
    /// Enqueues a request, and waits while the queue is full. Fails once the queue is closed.
    pub(crate) async fn send(&self, request: T) -> Result<(), SendError<T>> {
        self.sender.send(request).await?;
        self.wakeup.notify(|| self.len());
        Ok(())
    }

    /// Queued requests.
    pub(crate) fn len(&self) -> usize {
        self.sender.max_capacity() - self.sender.capacity()
    }

    /// Requests that the queue can hold.
    pub(crate) fn capacity(&self) -> usize {
        self.sender.max_capacity()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

impl<T> BatchReceiver<T> {
    /// Receives the queued requests, at least one and at most `max`, once more are not worth the wait. Returns their
    /// number, which is zero when the queue is closed.
    pub(crate) fn recv_batch(&mut self, taken: &mut Vec<T>, max: usize) -> usize {
        if self.last_count > GATHER_ABOVE {
            self.gather();
        }
        self.last_count = self.receiver.blocking_recv_many(taken, max);
        self.last_at = Instant::now();
        self.last_count
    }

    /// Refuses further requests; those in the queue can still be received.
    pub(crate) fn close(&mut self) {
        self.receiver.close();
    }

    /// Waits until enough requests are queued, or `gather_wait` is over.
    fn gather(&self) {
        let wanted = (self.receiver.len() + self.last_count * 3 / 4).min(GATHER_MAX);
        let until = self.last_at + self.gather_wait;
        self.wakeup.wait(wanted, until, || self.receiver.len());
    }
}

impl Wakeup {
    fn wait(&self, wanted: usize, until: Instant, receiver: impl Fn() -> usize) {
        self.thread.get_or_init(thread::current);
        self.wake_at.store(wanted, Ordering::Relaxed);
        // Paired with the fence in `notify`: either this sees the request, or its sender sees the wait.
        fence(Ordering::SeqCst);
        while receiver() < wanted
            && let Some(left) = until.checked_duration_since(Instant::now())
            && !left.is_zero()
        {
            thread::park_timeout(left);
        }
        self.wake_at.store(0, Ordering::Relaxed);
    }

    fn notify(&self, receiver: impl Fn() -> usize) {
        fence(Ordering::SeqCst);
        let wake_at = self.wake_at.load(Ordering::Relaxed);
        if wake_at > 0
            && receiver() >= wake_at
            && self.wake_at.swap(0, Ordering::Relaxed) > 0
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: Duration = Duration::from_secs(3600);

    fn send(queue: &BatchQueue<usize>, count: usize) {
        (0..count).for_each(|number| pollster::block_on(queue.send(number)).unwrap());
    }

    /// Receives a batch, while another thread sends `count` requests once the receiver waits.
    fn recv_while_sending(
        receiver: &mut BatchReceiver<usize>,
        queue: &BatchQueue<usize>,
        count: usize,
    ) -> usize {
        thread::scope(|scope| {
            scope.spawn(|| {
                while queue.wakeup.wake_at.load(Ordering::Relaxed) == 0 {
                    thread::yield_now();
                }
                send(queue, count);
            });
            receiver.recv_batch(&mut Vec::new(), 1000)
        })
    }

    #[test]
    fn small_batch_is_followed_at_once() {
        let (queue, mut receiver) = with_gather_wait(1000, NEVER);
        for count in [1, GATHER_ABOVE, 1] {
            send(&queue, count);
            assert_eq!(receiver.recv_batch(&mut Vec::new(), 1000), count);
        }
    }

    #[test]
    fn large_batch_waits_for_three_quarters() {
        let (queue, mut receiver) = with_gather_wait(1000, NEVER);
        send(&queue, 40);
        assert_eq!(receiver.recv_batch(&mut Vec::new(), 1000), 40);
        send(&queue, 5);
        assert_eq!(recv_while_sending(&mut receiver, &queue, 30), 35);
        assert_eq!(recv_while_sending(&mut receiver, &queue, 26), 26);
    }

    #[test]
    fn gathering_stops_at_the_maximum() {
        let (queue, mut receiver) = with_gather_wait(1000, NEVER);
        send(&queue, 500);
        assert_eq!(receiver.recv_batch(&mut Vec::new(), 1000), 500);
        assert_eq!(recv_while_sending(&mut receiver, &queue, GATHER_MAX), GATHER_MAX);
    }

    #[test]
    fn gathering_times_out() {
        let (queue, mut receiver) = with_gather_wait(1000, Duration::from_millis(1));
        send(&queue, 40);
        assert_eq!(receiver.recv_batch(&mut Vec::new(), 1000), 40);
        send(&queue, 1);
        assert_eq!(receiver.recv_batch(&mut Vec::new(), 1000), 1);
    }

    #[test]
    fn closed_queue_yields_nothing() {
        let (queue, mut receiver) = with_gather_wait::<usize>(1000, NEVER);
        drop(queue);
        assert_eq!(receiver.recv_batch(&mut Vec::new(), 1000), 0);
    }
}
