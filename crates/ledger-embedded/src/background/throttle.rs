//! Work in the background that must not keep anybody waiting.
//!
//! Writing a bulk of rows and merging runs take a core for a while now and then, and nobody waits for them. Run as
//! others are, they have their turns like those who answer requests, and the last percent of requests waits for tens
//! of milliseconds. So their threads run after others, and take their time ([`Throttle`]).
//!
//! That cannot keep orders waiting for ever. It is a share and no ban: beside a thread that never rests, one of these
//! still gets a tenth of a core. And where memory is at its bound, the committer waits for the bulk that is being
//! written, the writer for the committer, and all requests for the writer: then these threads are the only ones that
//! have anything to do. While they run they hold no lock that a request or the writer asks for, but for the moment in
//! which the views put new runs in the place of old ones: rows leave the tail on a thread that runs as others do.

use std::cell::Cell;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long background work goes on before it rests, and how long it rests then: a fifth of a core is enough for it to
/// be done with a bulk before the next is gathered, where orders come at half of what is possible.
const WORK_SLICE: Duration = Duration::from_millis(1);
const SLEEP_SLICE: Duration = Duration::from_millis(4);

/// How many steps are taken between two looks at the clock: some tens of microseconds.
const STEPS_PER_CLOCK_READ: u32 = 16;

/// The pace of background work, which is a long row of small steps: it rests now and then, unless it is waited for.
pub(crate) struct Throttle<'a> {
    is_urgent: &'a dyn Fn() -> bool,
    resumed_at: Cell<Instant>,
    steps: Cell<u32>,
}

impl<'a> Throttle<'a> {
    /// Work that begins now, and does not rest while somebody waits for it.
    pub(crate) fn new(is_urgent: &'a dyn Fn() -> bool) -> Self {
        Self { is_urgent, resumed_at: Cell::new(Instant::now()), steps: Cell::new(0) }
    }

    /// Said after each step. No lock that anybody else asks for may be held then.
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

/// Between 0, how everybody runs, and 19, after everybody else.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// From now on the calling thread runs after others, where the system lets it.
#[cfg(target_os = "linux")]
pub(crate) fn lower_priority() {
    // What other systems take for the process is on Linux the calling thread.
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "a background thread runs as others do");
    }
}

/// Elsewhere there is no such thing for a thread alone.
#[cfg(not(target_os = "linux"))]
pub(crate) fn run_after_others() {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn only_the_calling_thread_is_niced() {
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let before = nice();
        let calm = std::thread::spawn(move || {
            lower_priority();
            nice()
        });
        assert_eq!(calm.join().unwrap(), NICE.max(before));
        assert_eq!(nice(), before);
    }
}
