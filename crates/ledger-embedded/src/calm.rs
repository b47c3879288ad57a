//! Work in the background that must not keep anybody waiting.
//!
//! Writing a bulk of rows and merging runs take a good second of a core now and then, and nobody waits for them. Run
//! as others are, they have their turns like those who answer requests, and the last percent of requests waits for
//! tens of milliseconds. So their threads run after others.
//!
//! That cannot keep orders waiting for ever. It is a share and no ban: beside a thread that never rests, one of these
//! still gets a tenth of a core. And where memory is at its bound, the committer waits for the bulk that is being
//! written, the writer for the committer, and all requests for the writer: then these threads are the only ones that
//! have anything to do. While they run they hold no lock that a request or the writer asks for, but for the moment in
//! which the views put new runs in the place of old ones: rows leave the tail on a thread that runs as others do.

/// Between 0, how everybody runs, and 19, after everybody else.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// From now on the calling thread runs after others, where the system lets it.
#[cfg(target_os = "linux")]
pub(crate) fn run_after_others() {
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
    fn only_the_thread_that_asks_runs_after_others() {
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let before = nice();
        let calm = std::thread::spawn(move || {
            run_after_others();
            nice()
        });
        assert_eq!(calm.join().unwrap(), NICE.max(before));
        assert_eq!(nice(), before);
    }
}
