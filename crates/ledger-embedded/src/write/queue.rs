//! The queue between those who ask and the writer, who takes what has gathered in it.
//!
//! When to take is all that decides how large a batch is. A batch costs the machine about a hundred microseconds
//! besides its orders: its write, its sync, the threads that wake for it. So after a large one the writer waits until
//! three in four of those whom it answered could be back, or a millisecond is over. Whoever calls in a loop is back as
//! soon as a core gets to it, and the fourth is served while the disk syncs. The decision with what was measured:
//! `docs/decisions/0024-syncs.md`.

use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::SendError;

/// How many were taken where cores are busy; after fewer, what is there is taken at once. With so few that each wait for
/// their answers, the cores would rest while more are waited for.
const GATHER_ABOVE: usize = 32;

/// How many gain no more by waiting for others: a microsecond of a batch's cost falls to each.
const GATHER_MAX: usize = 100;

/// How long after the last taking waiting is over: a few syncs of a quick disk, and less than one of a slow disk, during
/// which enough gather anyway.
const GATHER_WAIT: Duration = Duration::from_millis(1);

/// A queue with room for `max` requests.
pub(crate) fn batch_queue<T>(max: usize) -> (BatchQueue<T>, BatchReceiver<T>) {
    with_gather_wait(max, GATHER_WAIT)
}

fn with_gather_wait<T>(max: usize, patience: Duration) -> (BatchQueue<T>, BatchReceiver<T>) {
    let (sender, receiver) = mpsc::channel(max);
    let bell = Arc::new(Wakeup::default());
    let queued = BatchReceiver {
        receiver,
        wakeup: Arc::clone(&bell),
        gather_wait: patience,
        last_count: 0,
        last_at: Instant::now(),
    };
    (BatchQueue { sender, wakeup: bell }, queued)
}

/// The end where requests go in.
pub(crate) struct BatchQueue<T> {
    sender: mpsc::Sender<T>,
    wakeup: Arc<Wakeup>,
}

/// The end where they come out, for one thread.
pub(crate) struct BatchReceiver<T> {
    receiver: mpsc::Receiver<T>,
    wakeup: Arc<Wakeup>,
    gather_wait: Duration,
    /// How many were taken last, and when.
    last_count: usize,
    last_at: Instant,
}

/// Wakes who takes, once so many have queued up as it waits for.
#[derive(Default)]
struct Wakeup {
    /// Zero while it does not wait.
    wake_at: AtomicUsize,
    thread: OnceLock<Thread>,
}

impl<T> BatchQueue<T> {
    /// Puts a request in once there is room; an error if nobody will take it.
    pub(crate) async fn send(&self, request: T) -> Result<(), SendError<T>> {
        self.sender.send(request).await?;
        self.wakeup.notify(|| self.sender.max_capacity() - self.sender.capacity());
        Ok(())
    }

    /// Whether nobody takes any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

impl<T> BatchReceiver<T> {
    /// Takes what has queued up, `max` at most, once there is something and more is not worth waiting for; tells how
    /// many, which is none when the queue is closed.
    pub(crate) fn recv_batch(&mut self, taken: &mut Vec<T>, max: usize) -> usize {
        if self.last_count > GATHER_ABOVE {
            self.gather();
        }
        self.last_count = self.receiver.blocking_recv_many(taken, max);
        self.last_at = Instant::now();
        self.last_count
    }

    /// Takes no more than what is there.
    pub(crate) fn close(&mut self) {
        self.receiver.close();
    }

    /// Waits for more, if it is not too late.
    fn gather(&self) {
        let wanted = (self.receiver.len() + self.last_count * 3 / 4).min(GATHER_MAX);
        let until = self.last_at + self.gather_wait;
        self.wakeup.wait(wanted, until, || self.receiver.len());
    }
}

impl Wakeup {
    fn wait(&self, wanted: usize, until: Instant, queued: impl Fn() -> usize) {
        self.thread.get_or_init(thread::current);
        self.wake_at.store(wanted, Ordering::Relaxed);
        // Either this sees what was put in, or who put it in sees that it is waited for.
        fence(Ordering::SeqCst);
        while queued() < wanted
            && let Some(left) = until.checked_duration_since(Instant::now())
            && !left.is_zero()
        {
            thread::park_timeout(left);
        }
        self.wake_at.store(0, Ordering::Relaxed);
    }

    fn notify(&self, queued: impl Fn() -> usize) {
        fence(Ordering::SeqCst);
        let rings_at = self.wake_at.load(Ordering::Relaxed);
        if rings_at > 0
            && queued() >= rings_at
            && self.wake_at.swap(0, Ordering::Relaxed) > 0
            && let Some(taker) = self.thread.get()
        {
            taker.unpark();
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

    /// Takes, and has another put so many in once they are waited for.
    fn recv_while_sending(
        queued: &mut BatchReceiver<usize>,
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
            queued.recv_batch(&mut Vec::new(), 1000)
        })
    }

    #[test]
    fn small_batch_is_followed_at_once() {
        let (queue, mut queued) = with_gather_wait(1000, NEVER);
        for count in [1, GATHER_ABOVE, 1] {
            send(&queue, count);
            assert_eq!(queued.recv_batch(&mut Vec::new(), 1000), count);
        }
    }

    #[test]
    fn large_batch_waits_for_three_quarters() {
        let (queue, mut queued) = with_gather_wait(1000, NEVER);
        send(&queue, 40);
        assert_eq!(queued.recv_batch(&mut Vec::new(), 1000), 40);
        send(&queue, 5);
        assert_eq!(recv_while_sending(&mut queued, &queue, 30), 35);
        assert_eq!(recv_while_sending(&mut queued, &queue, 26), 26);
    }

    #[test]
    fn gathering_stops_at_the_maximum() {
        let (queue, mut queued) = with_gather_wait(1000, NEVER);
        send(&queue, 500);
        assert_eq!(queued.recv_batch(&mut Vec::new(), 1000), 500);
        assert_eq!(recv_while_sending(&mut queued, &queue, GATHER_MAX), GATHER_MAX);
    }

    #[test]
    fn gathering_times_out() {
        let (queue, mut queued) = with_gather_wait(1000, Duration::from_millis(1));
        send(&queue, 40);
        assert_eq!(queued.recv_batch(&mut Vec::new(), 1000), 40);
        send(&queue, 1);
        assert_eq!(queued.recv_batch(&mut Vec::new(), 1000), 1);
    }

    #[test]
    fn closed_queue_yields_nothing() {
        let (queue, mut queued) = with_gather_wait::<usize>(1000, NEVER);
        drop(queue);
        assert_eq!(queued.recv_batch(&mut Vec::new(), 1000), 0);
    }
}
