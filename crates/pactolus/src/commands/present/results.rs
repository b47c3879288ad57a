//! The results file: one row per gift tried, appended and fsynced before the slot of the gift is released.
//!
//! A campaign resumes from it. So at most as many gifts as are in flight can be given without a row here, and they
//! are the first ones without a row. A row is one line.
//!
//! Invariant: the file is changed just before the first gift is sent, never earlier. So a file that is no results file
//! stays as it is, and a header means that gifts may have been sent. Then a torn last line, as a crash may leave it, is
//! truncated. A run that ends in order appends a row with the outcome `end`.
//! Each run writes in its own style, plain or for spreadsheets. Both are read.
//! Read next: `index`, what is recorded of each gift.

mod index;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use csv::Writer;
use jiff::Timestamp;
use pactolus_client::{Clock as _, PresentRequest, SystemClock};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::outcome::SendResult;
use crate::cli::csv::CsvStyle;
pub(crate) use index::{ResultsIndex, hash};

const HEADER: [&str; 9] =
    ["line", "bill_no", "openid", "zone_id", "present_counts", "outcome", "balance", "detail", "at"];

/// Prefix of the bank's label in the last column of the header: a results file belongs to one bank.
const BANK_PREFIX: &str = "of ";

/// Outcome of the row at the end of a run. Every gift that was sent before it has a row.
const END: &str = "end";

/// Maximum number of rows per fsync (group commit): the rows that arrive during the last fsync.
const BATCH_MAX: usize = 1024;

/// A results file, locked by this process.
pub(crate) struct ResultsFile {
    path: PathBuf,
    file: File,
    /// The header line of this bank.
    header: Vec<u8>,
    style: CsvStyle,
}

/// Why a results file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResultsError {
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Another process holds the lock.
    #[error("another process is writing it")]
    InUse,
    /// The header is not that of a results file.
    #[error("it is not a results file")]
    BadHeader,
    /// The file belongs to another bank, app or environment.
    #[error("it belongs to another bank, app or environment: {0}")]
    OtherBank(String),
    /// A row cannot be read.
    #[error("line {0} is not a results row")]
    InvalidRow(u64),
}

impl ResultsFile {
    /// Opens or creates the results file of the bank with the label `bank`, locks it, and reads its index. It writes
    /// nothing.
    ///
    /// The flag says whether an earlier run was interrupted: then it may have sent gifts that have no row.
    pub(crate) fn open(
        path: &Path,
        bank: &str,
        style: CsvStyle,
    ) -> Result<(Self, ResultsIndex, bool), ResultsError> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => ResultsError::InUse,
            TryLockError::Error(error) => error.into(),
        })?;
        let mut results = Self { path: path.to_owned(), file, header: header(bank)?, style };
        let has_header = !results.has_torn_header()?;
        let earlier = results.read_index(bank)?;
        let is_interrupted = has_header && !earlier.is_ended();
        Ok((results, earlier, is_interrupted))
    }

    /// Reads the index without locking the file; empty if there is no file.
    pub(crate) fn peek(path: &Path, bank: &str) -> Result<ResultsIndex, ResultsError> {
        match File::open(path) {
            Ok(file) => {
                let (path, header) = (path.to_owned(), header(bank)?);
                Self { path, file, header, style: CsvStyle::Plain }.read_index(bank)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(ResultsIndex::default()),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the file is empty, or holds a part of the header only.
    fn has_torn_header(&mut self) -> io::Result<bool> {
        let headers = [CsvStyle::Plain, CsvStyle::Spreadsheet].map(|style| self.header_in(style));
        let longest = headers.iter().map(Vec::len).max().unwrap_or_default();
        let mut start = Vec::with_capacity(longest);
        self.file.seek(SeekFrom::Start(0))?;
        (&self.file).take(longest as u64).read_to_end(&mut start)?;
        Ok(headers.iter().any(|header| start.len() < header.len() && header.starts_with(&start)))
    }

    fn header_in(&self, style: CsvStyle) -> Vec<u8> {
        [style.start().as_bytes(), &self.header].concat()
    }

    fn read_index(&mut self, bank: &str) -> Result<ResultsIndex, ResultsError> {
        if self.has_torn_header()? {
            return Ok(ResultsIndex::default());
        }
        self.file.seek(SeekFrom::Start(0))?;
        ResultsIndex::read(BufReader::new(&self.file), self.file.metadata()?.len(), bank)
    }

    /// Makes the file ready for rows: writes the header, or truncates a torn last line.
    fn begin(&mut self) -> io::Result<()> {
        if !self.has_torn_header()? {
            return self.truncate_torn_line();
        }
        self.file.set_len(0)?;
        self.file.write_all(&self.header_in(self.style))?;
        self.file.sync_all()?;
        // A file's name is durable only after an fsync of its folder; without it, a power cut may lose the file.
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }

    fn truncate_torn_line(&mut self) -> io::Result<()> {
        const BLOCK: u64 = 4096;
        let length = self.file.metadata()?.len();
        let mut end = length;
        let mut block = Vec::new();
        while end > 0 {
            let start = end.saturating_sub(BLOCK);
            self.file.seek(SeekFrom::Start(start))?;
            block.clear();
            (&self.file).take(end - start).read_to_end(&mut block)?;
            if let Some(at) = block.iter().rposition(|byte| *byte == b'\n') {
                end = start + at as u64 + 1;
                break;
            }
            end = start;
        }
        if end < length {
            self.file.set_len(end)?;
            self.file.sync_all()?;
        }
        Ok(())
    }

    /// Starts the writer thread. It ends when all senders are dropped, or on an I/O error.
    fn spawn_writer(
        self,
        capacity: usize,
    ) -> io::Result<(mpsc::Sender<Entry>, JoinHandle<io::Result<Self>>)> {
        let (sender, entries) = mpsc::channel(capacity);
        let thread = std::thread::Builder::new().name("pactolus-results".into());
        let thread = thread.spawn(move || self.write_loop(entries))?;
        Ok((sender, thread))
    }

    fn write_loop(mut self, mut entries: mpsc::Receiver<Entry>) -> io::Result<Self> {
        let mut batch = Vec::new();
        while let Some(first) = entries.blocking_recv() {
            batch.push(first);
            while batch.len() < BATCH_MAX
                && let Ok(next) = entries.try_recv()
            {
                batch.push(next);
            }
            let at = now();
            let mut bytes = Vec::new();
            for entry in &batch {
                bytes.extend(entry.line(&at, self.style)?);
            }
            self.file.write_all(&bytes)?;
            self.file.sync_data()?;
            // The rows are durable: this releases their slots.
            batch.clear();
        }
        Ok(self)
    }

    /// Appends the row at the end of a run.
    fn write_end(&mut self) -> io::Result<()> {
        let mut cells = vec![String::new(); HEADER.len() + 1];
        (cells[5], cells[8]) = (END.to_owned(), now());
        self.file.write_all(&line(&cells)?)?;
        self.file.sync_data()
    }
}

/// The time as in the column `at`.
fn now() -> String {
    let at = i64::try_from(SystemClock.now().get()).ok();
    let at = at.and_then(|millis| Timestamp::from_millisecond(millis).ok());
    at.map(|at| at.to_string()).unwrap_or_default()
}

/// Appends the outcomes of a run. It begins with the first gift, so a run that sends nothing leaves no header.
pub(crate) enum ResultsWriter {
    Idle(Box<ResultsFile>),
    Running(mpsc::Sender<Entry>, JoinHandle<io::Result<ResultsFile>>),
    Failed,
}

impl ResultsWriter {
    pub(crate) fn new(file: ResultsFile) -> Self {
        Self::Idle(Box::new(file))
    }

    /// The sender of rows. The first call changes the file, and starts the thread with a queue of `capacity` rows.
    pub(crate) fn sender(&mut self, capacity: usize) -> io::Result<mpsc::Sender<Entry>> {
        *self = match std::mem::replace(self, Self::Failed) {
            Self::Idle(mut file) => {
                file.begin()?;
                let (sender, thread) = file.spawn_writer(capacity)?;
                Self::Running(sender, thread)
            }
            other => other,
        };
        match self {
            Self::Running(sender, _) => Ok(sender.clone()),
            Self::Idle(_) | Self::Failed => Err(io::Error::other("the results file cannot be written")),
        }
    }

    /// Waits for the last row, and ends the run if `is_complete`: if every gift that was sent has a row. All clones of
    /// the sender must be dropped.
    pub(crate) fn finish(self, is_complete: bool) -> io::Result<()> {
        match self {
            Self::Running(sender, thread) => {
                drop(sender);
                let file = thread.join().unwrap_or_else(|_| Err(io::Error::other("the writer panicked")));
                let mut file = file?;
                if is_complete {
                    // Without this row the next run takes this one for interrupted, which is safe.
                    let _ = file.write_end();
                }
                Ok(())
            }
            Self::Idle(_) | Self::Failed => Ok(()),
        }
    }
}

/// A row to write. It holds the slot of its gift until it is durable.
pub(crate) struct Entry {
    pub(crate) line: u64,
    pub(crate) present: PresentRequest,
    pub(crate) sent: SendResult,
    pub(crate) _slot: OwnedSemaphorePermit,
}

impl Entry {
    fn line(&self, at: &str, style: CsvStyle) -> io::Result<Vec<u8>> {
        let PresentRequest { player, coins, bill_no } = &self.present;
        let SendResult { outcome, balance, detail, .. } = &self.sent;
        let balance = balance.map(|coins| coins.to_string()).unwrap_or_default();
        // A bank's text must not break the rule that a row is one line.
        let detail = detail.replace(char::is_control, " ");
        let cells = [
            self.line.to_string(),
            bill_no.to_string(),
            player.openid.to_string(),
            player.zone_id.to_string(),
            coins.to_string(),
            outcome.name().to_owned(),
            balance,
            detail,
            at.to_owned(),
            String::new(),
        ];
        line(&cells.map(|cell| style.cell(cell.into()).into_owned()))
    }
}

/// The header line of the bank with the label `bank`.
fn header(bank: &str) -> io::Result<Vec<u8>> {
    let names = HEADER.iter().map(ToString::to_string);
    line(&names.chain([format!("{BANK_PREFIX}{bank}")]).collect::<Vec<_>>())
}

fn line(cells: &[String]) -> io::Result<Vec<u8>> {
    let mut writer = Writer::from_writer(Vec::new());
    writer.write_record(cells)?;
    writer.into_inner().map_err(|error| io::Error::other(error.to_string()))
}

#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing {
    //! Fuzz target of results files.

    use std::sync::Arc;

    use pactolus_client::{Amount, Coins, Player};
    use pactolus_fuzz_support::Choices;
    use pactolus_protocol::Pf;
    use tokio::sync::Semaphore;

    use super::{CsvStyle, Entry, PresentRequest, ResultsIndex, SendResult, header};
    use crate::commands::present::outcome::{GiftOutcome, GiftStatus};

    const VALID: &str = "it keeps the rule";
    const BANK: &str = "http://bank.example";

    /// Any file is read or refused. The index returns the strongest status written for a gift, whatever text the bank
    /// sent, and ignores a torn row.
    pub fn results(bytes: &[u8]) {
        let _ = ResultsIndex::read(bytes, bytes.len() as u64, BANK);
        let mut choices = Choices::new(bytes);
        let cut = choices.number();
        let mut file = header(BANK).expect("a Vec takes every write");
        let (mut written, slots) = (Vec::new(), Arc::new(Semaphore::new(64)));
        while !choices.is_exhausted() && written.len() < 8 {
            let outcome = choices.one_of(&[
                GiftOutcome::Applied,
                GiftOutcome::Replayed,
                GiftOutcome::Refused,
                GiftOutcome::NotSent,
                GiftOutcome::Unknown,
            ]);
            let present = present(&mut choices);
            let balance = choices.flag().then(|| Coins::new(u64::from(choices.byte()))).flatten();
            let sent = SendResult { outcome, balance, detail: choices.text(64), app_misconfigured: false };
            let slot = Arc::clone(&slots).try_acquire_owned().expect("there are enough");
            let entry = Entry { line: choices.number(), present: present.clone(), sent, _slot: slot };
            file.extend(
                entry
                    .line("2017-10-09T06:32:17Z", choices.one_of(&[CsvStyle::Plain, CsvStyle::Spreadsheet]))
                    .expect("a Vec takes every write"),
            );
            written.push((present, outcome.status(), file.len()));
        }
        let known = ResultsIndex::read(&*file, file.len() as u64, BANK).expect("it was written as one");
        assert_agrees(&known, &written);
        // A crash may truncate the file anywhere behind the header.
        let start = written.first().map_or(file.len(), |(.., end)| *end);
        let cut = usize::try_from(cut).unwrap_or(0) % (file.len() - start + 1) + start;
        let whole = file[..cut].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let known = ResultsIndex::read(&file[..whole], whole as u64, BANK).expect("whole lines are left");
        written.retain(|(.., end)| *end <= cut);
        assert_agrees(&known, &written);
        assert!(ResultsIndex::read(&*file, file.len() as u64, "http://another.example").is_err());
    }

    fn present(choices: &mut Choices<'_>) -> PresentRequest {
        let names = choices.byte();
        let player = Player {
            openid: ["one", "two"][usize::from(names & 1)].parse().expect(VALID),
            zone_id: ["1", "2"][usize::from(names >> 1 & 1)].parse().expect(VALID),
            session_key: None,
            pf: Pf::new("android").expect(VALID),
            user_ip: None,
        };
        let bill_no = format!("n|{}", choices.below(8)).parse().expect(VALID);
        PresentRequest { player, coins: Amount::new(1 + u64::from(names >> 7)).expect(VALID), bill_no }
    }

    fn assert_agrees(known: &ResultsIndex, written: &[(PresentRequest, GiftStatus, usize)]) {
        let what = |present: &PresentRequest| {
            (present.player.openid, present.player.zone_id, present.coins, present.bill_no)
        };
        for (present, ..) in written {
            let of_number = written.iter().filter(|(other, ..)| other.bill_no == present.bill_no);
            let strongest =
                of_number.clone().map(|(_, recorded, _)| *recorded).min().expect("itself at least");
            let gave = of_number.filter(|(_, recorded, _)| *recorded == GiftStatus::Applied);
            let is_ours = gave.clone().any(|(other, ..)| what(other) == what(present));
            match known.status(present) {
                GiftStatus::Conflict => assert!(strongest == GiftStatus::Applied, "nothing was given"),
                GiftStatus::Applied => assert!(is_ours, "it was given to another"),
                recorded => assert_eq!(recorded, strongest),
            }
        }
    }
}
