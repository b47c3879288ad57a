//! The merger: a thread that merges runs of the views, so that there are few to look into.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::background::throttle::{Pace, run_after_others};
use crate::state::Books;

/// How many bulks of rows may be written while one merge goes on; the next waits. A merge of everything takes longest.
const BULKS_AHEAD_MAX: usize = 16;

/// The flusher's hold on the merger.
pub(crate) struct Merger {
    bulks: Option<SyncSender<()>>,
    /// How many bulks were written since the merge that goes on began.
    behind: Arc<AtomicUsize>,
    give_up: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Merger {
    pub(crate) fn start(books: Arc<Books>) -> std::io::Result<Self> {
        let (bulks, written) = sync_channel::<()>(BULKS_AHEAD_MAX);
        let give_up = Arc::new(AtomicBool::new(false));
        let behind = Arc::new(AtomicUsize::new(0));
        let (told, waiting) = (Arc::clone(&give_up), Arc::clone(&behind));
        let thread = std::thread::Builder::new().name("pactolus-merge".into()).spawn(move || {
            run_after_others();
            let mut was_put_off = false;
            for () in written {
                waiting.fetch_sub(1, Ordering::Relaxed);
                let is_behind = || waiting.load(Ordering::Relaxed) > 0;
                let is_put_off = match books.views.merge(&told, &Pace::new(&is_behind)) {
                    Ok(is_done) => !is_done,
                    // What was made of it is removed; the runs are as they were.
                    Err(error) if error.is_full() => true,
                    Err(error) => {
                        books.fail(&error);
                        return;
                    }
                };
                if is_put_off && !was_put_off {
                    tracing::warn!("the disk has no room to merge files of the views; look-ups take longer");
                }
                was_put_off = is_put_off;
            }
        })?;
        Ok(Self { bulks: Some(bulks), behind, give_up, thread: Some(thread) })
    }

    /// Says that a bulk of rows was written; waits when the merger is far behind.
    pub(crate) fn bulk_written(&self) {
        self.behind.fetch_add(1, Ordering::Relaxed);
        // Without a merger the store has failed.
        let _ = self.bulks.as_ref().map(|bulks| bulks.send(()));
    }
}

impl Drop for Merger {
    fn drop(&mut self) {
        self.bulks = None;
        self.give_up.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the merger panicked");
        }
    }
}
