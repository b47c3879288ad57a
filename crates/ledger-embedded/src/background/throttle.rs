//! Throttle for background work that must not delay requests.
//!
//! A flush or a merge takes a core for a while, and no request waits for it. At normal priority it would compete with
//! the threads that answer requests, and the slowest percent of requests would wait for tens of milliseconds. So
//! these threads lower their priority and rest now and then ([`Throttle`]).
//!
//! That cannot starve orders. A low priority is a share and no ban: beside a thread that never rests, one of these
//! still gets a tenth of a core. If memory is at its bound, the committer waits for the flush, the writer for the
//! committer, and all requests for the writer: then these threads alone have work. While they run they hold no lock
//! that a request or the writer takes, but for the moment in which the views swap their runs: rows leave the memtable
//! on a thread of normal priority.

use std::cell::Cell;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Time that background work runs before it rests, and time of the rest: a fifth of a core is enough to complete a
/// flush before the next is due, at half of the highest order rate.
const WORK_SLICE: Duration = Duration::from_millis(1);
const SLEEP_SLICE: Duration = Duration::from_millis(4);

/// Steps between two reads of the clock: some tens of microseconds.
const STEPS_PER_CLOCK_READ: u32 = 16;

/// The pace of background work, a long sequence of small steps: it rests now and then, unless it is urgent.
pub(crate) struct Throttle<'a> {
    is_urgent: &'a dyn Fn() -> bool,
    resumed_at: Cell<Instant>,
    steps: Cell<u32>,
}

impl<'a> Throttle<'a> {
    /// Work that begins now, and does not rest while it is urgent.
    pub(crate) fn new(is_urgent: &'a dyn Fn() -> bool) -> Self {
        Self { is_urgent, resumed_at: Cell::new(Instant::now()), steps: Cell::new(0) }
    }

    /// Called after each step, without any lock that another thread takes.
    pub(crate) fn step(&self) {
        self.steps.set(self.steps.get() + 1);
        if self.steps.get() < STEPS_PER_CLOCK_READ {
            return;
        }
        self.steps.set(0);
        if self.resumed_at.get().elapsed() >= WORK_SLICE {
            if !(self.is_urgent)() {
                sleep(SLEEP_SLICE);
            }
            self.resumed_at.set(Instant::now());
        }
    }
}

/// Niceness, from 0 (normal) to 19 (lowest priority).
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Lowers the priority of the calling thread, if the system lets it.
#[cfg(target_os = "linux")]
pub(crate) fn lower_priority() {
    // On Linux a process's priority in this call is that of the calling thread.
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "a background thread runs at normal priority");
    }
}

/// Other systems have no such call for a single thread.
#[cfg(not(target_os = "linux"))]
pub(crate) fn lower_priority() {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn only_the_calling_thread_is_niced() {
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let before = nice();
        let niced = std::thread::spawn(move || {
            lower_priority();
            nice()
        });
        assert_eq!(niced.join().unwrap(), NICE.max(before));
        assert_eq!(nice(), before);
    }
}
