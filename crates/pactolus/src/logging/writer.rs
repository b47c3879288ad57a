//! Log writer of `serve`: a bounded buffer, and a thread that writes it to stderr.
//!
//! Invariant: a thread that logs never waits for stderr and never fails because of it. Lines that find the buffer
//! full, or that stderr refuses, are dropped and counted. The writer logs the count once stderr takes lines again.

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Bytes of lines that wait for stderr: some 8,000 lines. As many again may be in the write under way.
const BUFFER_BYTES_MAX: usize = 1 << 20;

/// Interval between two attempts to log the count of dropped lines after stderr refused a line.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Pause after EAGAIN: another process made the terminal or pipe non-blocking.
const WOULD_BLOCK_PAUSE: Duration = Duration::from_millis(10);

/// The log line for a count of dropped lines, with its line feed.
pub(super) type DropNotice = fn(u64) -> String;

/// A handle of the buffer; clones share it.
#[derive(Clone)]
pub(super) struct LogWriter(Arc<Shared>);

#[derive(Default)]
struct Shared {
    buffer: Mutex<Buffer>,
    filled: Condvar,
    emptied: Condvar,
    /// Lines dropped since the start, reported or not.
    dropped: AtomicU64,
}

#[derive(Default)]
struct Buffer {
    lines: Vec<u8>,
    dropped: u64,
    is_writing: bool,
}

impl LogWriter {
    /// Starts the thread that writes to `sink`. It runs until the process ends.
    pub(super) fn start(sink: impl Write + Send + 'static, notice: DropNotice) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let thread_shared = Arc::clone(&shared);
        std::thread::Builder::new().name("pactolus-log".into()).spawn(move || {
            WriterThread { shared: thread_shared, sink, notice, is_torn: false }.run();
        })?;
        Ok(Self(shared))
    }

    /// Queues one line, or drops it if the buffer is full.
    pub(super) fn push(&self, line: &[u8]) {
        let mut buffer = self.0.lock();
        if buffer.lines.len() + line.len() > BUFFER_BYTES_MAX {
            buffer.dropped += 1;
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        buffer.lines.extend_from_slice(line);
        drop(buffer);
        self.0.filled.notify_one();
    }

    /// Lines dropped since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Waits until every line is written or dropped, at most for `timeout`.
    pub(super) fn flush(&self, timeout: Duration) {
        let pending = |buffer: &mut Buffer| buffer.is_writing || !buffer.lines.is_empty();
        let waited = self.0.emptied.wait_timeout_while(self.0.lock(), timeout, pending);
        drop(waited);
    }
}

impl Shared {
    /// Held for one copy. Ignores poisoning: nothing panics halfway under the lock.
    fn lock(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The formatter writes each line in one call.
impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for LogWriter {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

struct WriterThread<W> {
    shared: Arc<Shared>,
    sink: W,
    notice: DropNotice,
    /// Whether stderr took only the beginning of its last line.
    is_torn: bool,
}

impl<W: Write> WriterThread<W> {
    fn run(mut self) {
        let (mut lines, mut refused) = (Vec::new(), false);
        loop {
            let dropped = self.take(&mut lines, refused);
            let (unreported, lost) = self.write_batch(dropped, &lines);
            refused = unreported + lost > 0;
            self.shared.dropped.fetch_add(lost, Ordering::Relaxed);
            lines.clear();
            let mut buffer = self.shared.lock();
            buffer.dropped += unreported + lost;
            buffer.is_writing = false;
            drop(buffer);
            self.shared.emptied.notify_all();
        }
    }

    /// Waits for lines or for dropped ones, and swaps the buffer with `lines`. Returns the count of dropped lines.
    fn take(&self, lines: &mut Vec<u8>, refused: bool) -> u64 {
        let mut buffer = self.shared.lock();
        if refused {
            let is_empty = |buffer: &mut Buffer| buffer.lines.is_empty();
            let waited = self.shared.filled.wait_timeout_while(buffer, RETRY_INTERVAL, is_empty);
            buffer = waited.unwrap_or_else(PoisonError::into_inner).0;
        } else {
            let is_idle = |buffer: &mut Buffer| buffer.lines.is_empty() && buffer.dropped == 0;
            let waited = self.shared.filled.wait_while(buffer, is_idle);
            buffer = waited.unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(&mut buffer.lines, lines);
        buffer.is_writing = true;
        std::mem::take(&mut buffer.dropped)
    }

    /// Writes the notice, if there is one, and the lines. Returns the count of dropped lines that could not be
    /// reported, and that of the lines that stderr did not take.
    fn write_batch(&mut self, dropped: u64, lines: &[u8]) -> (u64, u64) {
        if dropped > 0 && self.write((self.notice)(dropped).as_bytes()) > 0 {
            return (dropped, count_lines(lines));
        }
        (0, self.write(lines))
    }

    fn write(&mut self, mut rest: &[u8]) -> u64 {
        if self.is_torn && !rest.is_empty() {
            if self.sink.write_all(b"\n").is_err() {
                return count_lines(rest);
            }
            self.is_torn = false;
        }
        let mut is_line_start = true;
        while !rest.is_empty() {
            match self.sink.write(rest) {
                Ok(written @ 1..) => {
                    is_line_start = rest[written - 1] == b'\n';
                    rest = &rest[written..];
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(WOULD_BLOCK_PAUSE),
                Ok(_) | Err(_) => {
                    self.is_torn = !is_line_start;
                    return count_lines(rest);
                }
            }
        }
        0
    }
}

fn count_lines(lines: &[u8]) -> u64 {
    lines.iter().map(|&byte| u64::from(byte == b'\n')).sum()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(60);

    /// A sink that takes each write when the test says how many bytes; 0 refuses it.
    struct SteppedSink {
        steps: Receiver<usize>,
        taken: SyncSender<String>,
    }

    impl Write for SteppedSink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let step = self.steps.recv().unwrap_or(usize::MAX).min(bytes.len());
            if step == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            let _ = self.taken.send(String::from_utf8_lossy(&bytes[..step]).into_owned());
            Ok(step)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn stepped_writer() -> (LogWriter, SyncSender<usize>, Receiver<String>) {
        let (steps_tx, steps) = sync_channel(100);
        let (taken, taken_rx) = sync_channel(100);
        let notice = |dropped| format!("dropped {dropped}\n");
        (LogWriter::start(SteppedSink { steps, taken }, notice).unwrap(), steps_tx, taken_rx)
    }

    #[test]
    fn refused_lines_are_counted_and_reported() {
        let (writer, steps, taken) = stepped_writer();
        writer.push(b"first\n");
        steps.send(0).unwrap();
        writer.flush(TIMEOUT);
        assert_eq!(writer.dropped(), 1);
        // No line follows: the writer tries again on its own.
        steps.send(0).unwrap();
        steps.send(100).unwrap();
        assert_eq!(taken.recv_timeout(TIMEOUT).unwrap(), "dropped 1\n");
        writer.push(b"second\n");
        steps.send(100).unwrap();
        assert_eq!(taken.recv_timeout(TIMEOUT).unwrap(), "second\n");
        assert_eq!(writer.dropped(), 1, "a notice that was refused counts no line again");
    }

    #[test]
    fn torn_line_is_ended_before_the_next() {
        let (writer, steps, taken) = stepped_writer();
        writer.push(b"first\n");
        for step in [3, 0, 100, 100] {
            steps.send(step).unwrap();
        }
        let written: Vec<_> = (0..3).map(|_| taken.recv_timeout(TIMEOUT).unwrap()).collect();
        assert_eq!(written, ["fir", "\n", "dropped 1\n"]);
    }

    #[test]
    fn full_buffer_drops_lines_without_waiting() {
        let (writer, steps, taken) = stepped_writer();
        let line = [b"x".repeat(1023), b"\n".to_vec()].concat();
        let (fitting, excess) = (BUFFER_BYTES_MAX / line.len(), 10);
        writer.push(b"under way\n");
        while !writer.0.lock().is_writing {
            std::thread::yield_now();
        }
        for _ in 0..fitting + excess {
            writer.push(&line);
        }
        writer.flush(Duration::ZERO);
        drop(steps);
        assert_eq!(taken.recv_timeout(TIMEOUT).unwrap(), "under way\n");
        assert_eq!(taken.recv_timeout(TIMEOUT).unwrap(), format!("dropped {excess}\n"));
        assert_eq!(taken.recv_timeout(TIMEOUT).unwrap().len(), BUFFER_BYTES_MAX);
    }
}
