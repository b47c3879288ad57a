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
const MANY: usize = 32;

/// How many gain no more by waiting for others: a microsecond of a batch's cost falls to each.
const ENOUGH: usize = 100;

/// How long after the last taking waiting is over: a few syncs of a quick disk, and less than one of a slow disk, during
/// which enough gather anyway.
const PATIENCE: Duration = Duration::from_millis(1);

/// A queue with room for `max` requests.
pub(crate) fn queue<T>(max: usize) -> (Queue<T>, Queued<T>) {
    with_patience(max, PATIENCE)
}

fn with_patience<T>(max: usize, patience: Duration) -> (Queue<T>, Queued<T>) {
    let (sender, receiver) = mpsc::channel(max);
    let bell = Arc::new(Bell::default());
    let queued = Queued { receiver, bell: Arc::clone(&bell), patience, taken: 0, taken_at: Instant::now() };
    (Queue { sender, bell }, queued)
}

/// The end where requests go in.
pub(crate) struct Queue<T> {
    sender: mpsc::Sender<T>,
    bell: Arc<Bell>,
}

/// The end where they come out, for one thread.
pub(crate) struct Queued<T> {
    receiver: mpsc::Receiver<T>,
    bell: Arc<Bell>,
    patience: Duration,
    /// How many were taken last, and when.
    taken: usize,
    taken_at: Instant,
}

/// Wakes who takes, once so many have queued up as it waits for.
#[derive(Default)]
struct Bell {
    /// Zero while it does not wait.
    rings_at: AtomicUsize,
    taker: OnceLock<Thread>,
}

impl<T> Queue<T> {
    /// Puts a request in once there is room; an error if nobody will take it.
    pub(crate) async fn send(&self, request: T) -> Result<(), SendError<T>> {
        self.sender.send(request).await?;
        self.bell.ring(|| self.sender.max_capacity() - self.sender.capacity());
        Ok(())
    }

    /// Whether nobody takes any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

impl<T> Queued<T> {
    /// Takes what has queued up, `max` at most, once there is something and more is not worth waiting for; tells how
    /// many, which is none when the queue is closed.
    pub(crate) fn take(&mut self, taken: &mut Vec<T>, max: usize) -> usize {
        if self.taken > MANY {
            self.gather();
        }
        self.taken = self.receiver.blocking_recv_many(taken, max);
        self.taken_at = Instant::now();
        self.taken
    }

    /// Takes no more than what is there.
    pub(crate) fn close(&mut self) {
        self.receiver.close();
    }

    /// Waits for more, if it is not too late.
    fn gather(&self) {
        let wanted = (self.receiver.len() + self.taken * 3 / 4).min(ENOUGH);
        let until = self.taken_at + self.patience;
        self.bell.wait(wanted, until, || self.receiver.len());
    }
}

impl Bell {
    fn wait(&self, wanted: usize, until: Instant, queued: impl Fn() -> usize) {
        self.taker.get_or_init(thread::current);
        self.rings_at.store(wanted, Ordering::Relaxed);
        // Either this sees what was put in, or who put it in sees that it is waited for.
        fence(Ordering::SeqCst);
        while queued() < wanted
            && let Some(left) = until.checked_duration_since(Instant::now())
            && !left.is_zero()
        {
            thread::park_timeout(left);
        }
        self.rings_at.store(0, Ordering::Relaxed);
    }

    fn ring(&self, queued: impl Fn() -> usize) {
        fence(Ordering::SeqCst);
        let rings_at = self.rings_at.load(Ordering::Relaxed);
        if rings_at > 0
            && queued() >= rings_at
            && self.rings_at.swap(0, Ordering::Relaxed) > 0
            && let Some(taker) = self.taker.get()
        {
            taker.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: Duration = Duration::from_secs(3600);

    fn send(queue: &Queue<usize>, count: usize) {
        (0..count).for_each(|number| pollster::block_on(queue.send(number)).unwrap());
    }

    /// Takes, and has another put so many in once they are waited for.
    fn take_waiting_for(queued: &mut Queued<usize>, queue: &Queue<usize>, count: usize) -> usize {
        thread::scope(|scope| {
            scope.spawn(|| {
                while queue.bell.rings_at.load(Ordering::Relaxed) == 0 {
                    thread::yield_now();
                }
                send(queue, count);
            });
            queued.take(&mut Vec::new(), 1000)
        })
    }

    #[test]
    fn after_few_what_is_there_is_taken() {
        let (queue, mut queued) = with_patience(1000, NEVER);
        for count in [1, MANY, 1] {
            send(&queue, count);
            assert_eq!(queued.take(&mut Vec::new(), 1000), count);
        }
    }

    #[test]
    fn after_many_three_in_four_are_waited_for_besides_those_that_are_there() {
        let (queue, mut queued) = with_patience(1000, NEVER);
        send(&queue, 40);
        assert_eq!(queued.take(&mut Vec::new(), 1000), 40);
        send(&queue, 5);
        assert_eq!(take_waiting_for(&mut queued, &queue, 30), 35);
        assert_eq!(take_waiting_for(&mut queued, &queue, 26), 26);
    }

    #[test]
    fn no_more_are_waited_for_than_are_worth_it() {
        let (queue, mut queued) = with_patience(1000, NEVER);
        send(&queue, 500);
        assert_eq!(queued.take(&mut Vec::new(), 1000), 500);
        assert_eq!(take_waiting_for(&mut queued, &queue, ENOUGH), ENOUGH);
    }

    #[test]
    fn patience_ends() {
        let (queue, mut queued) = with_patience(1000, Duration::from_millis(1));
        send(&queue, 40);
        assert_eq!(queued.take(&mut Vec::new(), 1000), 40);
        send(&queue, 1);
        assert_eq!(queued.take(&mut Vec::new(), 1000), 1);
    }

    #[test]
    fn of_a_closed_queue_nothing_is_taken() {
        let (queue, mut queued) = with_patience::<usize>(1000, NEVER);
        drop(queue);
        assert_eq!(queued.take(&mut Vec::new(), 1000), 0);
    }
}
