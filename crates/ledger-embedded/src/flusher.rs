//! The flusher: a thread that writes the tail's rows to the views in bulk, one bulk at a time.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::books::Books;
use crate::journal::Mark;
use crate::merger::Merger;
use crate::tail::Bulk;

/// The writer's hold on the flusher.
pub(crate) struct Flusher {
    books: Arc<Books>,
    work: Option<SyncSender<(Bulk, Mark)>>,
    done: Receiver<()>,
    busy: bool,
    thread: Option<JoinHandle<()>>,
}

impl Flusher {
    pub(crate) fn start(books: Arc<Books>) -> std::io::Result<Self> {
        let (work, bulks) = sync_channel::<(Bulk, Mark)>(1);
        let (finished, done) = sync_channel(1);
        let flushed = Arc::clone(&books);
        let merger = Merger::start(Arc::clone(&books))?;
        let thread = std::thread::Builder::new().name("pactolus-flush".into()).spawn(move || {
            for (bulk, reached) in bulks {
                if let Err(error) = flushed.views.write(&bulk, reached) {
                    flushed.fail(&error);
                    // The rows stay in memory, where readers find them.
                    return;
                }
                flushed.tail.thaw(bulk);
                merger.bulk_written();
                if finished.send(()).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { books, work: Some(work), done, busy: false, thread: Some(thread) })
    }

    /// Whether a bulk is under way.
    pub(crate) fn is_busy(&mut self) -> bool {
        if self.busy && self.done.try_recv().is_ok() {
            self.busy = false;
        }
        self.busy
    }

    /// Waits until no bulk is under way; says whether that went well.
    pub(crate) fn wait(&mut self) -> bool {
        if self.busy {
            self.busy = self.done.recv().is_err();
        }
        !self.busy
    }

    /// Begins to write all rows of the tail, which bring the views up to `reached`.
    ///
    /// Says whether it could; not after a bulk failed.
    pub(crate) fn begin(&mut self, reached: Mark) -> bool {
        if !self.wait() {
            return false;
        }
        let bulk = self.books.tail.freeze();
        self.busy = self.work.as_ref().is_some_and(|work| work.send((bulk, reached)).is_ok());
        self.busy
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.work = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the flusher panicked");
        }
    }
}
