//! The results file: one row per gift tried, appended and fsynced before the slot of the gift is released.
//!
//! A campaign resumes from it. So at most as many gifts as are in flight can be given without a row here, and they
//! are the first ones without a row. A row is one line. Opening the file truncates a torn last line, as a crash may
//! leave it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use csv::{StringRecord, Writer};
use jiff::Timestamp;
use pactolus_client::{Clock as _, PresentRequest, SystemClock};
use sha2::{Digest as _, Sha256};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::outcome::{GiftOutcome, GiftStatus, SendResult};

const HEADER: [&str; 9] =
    ["line", "bill_no", "openid", "zone_id", "present_counts", "outcome", "balance", "detail", "at"];

/// Prefix of the bank's label in the last column of the header: a results file belongs to one bank.
const BANK_PREFIX: &str = "of ";

/// Maximum number of rows per fsync (group commit): the rows that arrive during the last fsync.
const BATCH_MAX: usize = 1024;

/// A results file, locked by this process.
pub(crate) struct ResultsFile {
    path: PathBuf,
    file: File,
}

/// Index of a results file: per bill number the recorded status, and the hash of player and coins.
///
/// 33 bytes each, sorted: a million gifts take 33 MB.
#[derive(Debug, Default)]
pub(crate) struct ResultsIndex(Vec<(Hash, GiftStatus, Hash)>);

type Hash = [u8; 16];

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
    /// Opens or creates the results file of the bank with the label `bank`, and reads its index.
    ///
    /// The flag says whether the file existed: then an earlier run may have sent gifts that have no row.
    pub(crate) fn open(path: &Path, bank: &str) -> Result<(Self, ResultsIndex, bool), ResultsError> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => ResultsError::InUse,
            TryLockError::Error(error) => error.into(),
        })?;
        let mut results = Self { path: path.to_owned(), file };
        let end = results.truncate_torn_line()?;
        if end == 0 {
            results.write_header(bank)?;
            return Ok((results, ResultsIndex::default(), false));
        }
        let earlier = results.read_index(bank)?;
        Ok((results, earlier, true))
    }

    /// Reads the index without locking the file; empty if there is no file.
    pub(crate) fn peek(path: &Path, bank: &str) -> Result<ResultsIndex, ResultsError> {
        match File::open(path) {
            Ok(file) if file.metadata()?.len() > 0 => Self { path: path.to_owned(), file }.read_index(bank),
            Ok(_) => Ok(ResultsIndex::default()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(ResultsIndex::default()),
            Err(error) => Err(error.into()),
        }
    }

    fn write_header(&mut self, bank: &str) -> io::Result<()> {
        let mut header: Vec<_> = HEADER.iter().map(ToString::to_string).collect();
        header.push(format!("{BANK_PREFIX}{bank}"));
        self.file.write_all(&line(&header)?)?;
        self.file.sync_all()?;
        // A file's name is durable only after an fsync of its folder; without it, a power cut may lose the file.
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }

    /// Truncates a torn last line. Returns the length of the file.
    fn truncate_torn_line(&mut self) -> io::Result<u64> {
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
        Ok(end)
    }

    fn read_index(&mut self, bank: &str) -> Result<ResultsIndex, ResultsError> {
        self.file.seek(SeekFrom::Start(0))?;
        ResultsIndex::read(BufReader::new(&self.file), self.file.metadata()?.len(), bank)
    }

    /// Starts the writer thread. It ends when all senders are dropped, or on an I/O error.
    pub(crate) fn spawn_writer(
        self,
        capacity: usize,
    ) -> io::Result<(mpsc::Sender<Entry>, JoinHandle<io::Result<()>>)> {
        let (sender, entries) = mpsc::channel(capacity);
        let thread = std::thread::Builder::new().name("pactolus-results".into());
        let thread = thread.spawn(move || self.write_loop(entries))?;
        Ok((sender, thread))
    }

    fn write_loop(mut self, mut entries: mpsc::Receiver<Entry>) -> io::Result<()> {
        let mut batch = Vec::new();
        while let Some(first) = entries.blocking_recv() {
            batch.push(first);
            while batch.len() < BATCH_MAX
                && let Ok(next) = entries.try_recv()
            {
                batch.push(next);
            }
            let now = SystemClock.now().get();
            let at = i64::try_from(now).ok().and_then(|millis| Timestamp::from_millisecond(millis).ok());
            let at = at.map(|at| at.to_string()).unwrap_or_default();
            let mut bytes = Vec::new();
            for entry in &batch {
                bytes.extend(entry.line(&at)?);
            }
            self.file.write_all(&bytes)?;
            self.file.sync_data()?;
            // The rows are durable: this releases their slots.
            batch.clear();
        }
        Ok(())
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
    fn line(&self, at: &str) -> io::Result<Vec<u8>> {
        let PresentRequest { player, coins, bill_no } = &self.present;
        let SendResult { outcome, balance, detail, .. } = &self.sent;
        let balance = balance.map(|coins| coins.to_string()).unwrap_or_default();
        // A bank's text must not break the rule that a row is one line.
        let detail = detail.replace(char::is_control, " ");
        line(&[
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
        ])
    }
}

fn line(cells: &[String]) -> io::Result<Vec<u8>> {
    let mut writer = Writer::from_writer(Vec::new());
    writer.write_record(cells)?;
    writer.into_inner().map_err(|error| io::Error::other(error.to_string()))
}

fn check_header(header: &[u8], bank: &str) -> Result<(), ResultsError> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(header);
    let mut record = StringRecord::new();
    let is_record = reader.read_record(&mut record).unwrap_or(false);
    let of = record.get(HEADER.len()).and_then(|last| last.strip_prefix(BANK_PREFIX));
    match of {
        Some(of) if is_record && record.iter().zip(HEADER).all(|(cell, name)| cell == name) => {
            if of == bank {
                Ok(())
            } else {
                Err(ResultsError::OtherBank(of.to_owned()))
            }
        }
        Some(_) | None => Err(ResultsError::BadHeader),
    }
}

impl ResultsIndex {
    /// Reads the index from the first `last` bytes of the results.
    fn read(results: impl BufRead, last: u64, bank: &str) -> Result<Self, ResultsError> {
        // A torn row, or one being appended meanwhile, does not count yet.
        let mut lines = results.split(b'\n').enumerate();
        let header = lines.next().and_then(|(_, line)| line.ok()).unwrap_or_default();
        check_header(&header, bank)?;
        let mut earlier = Vec::new();
        let mut record = StringRecord::new();
        let mut at = header.len() as u64 + 1;
        for (index, line) in lines {
            let mut line = line?;
            at += line.len() as u64 + 1;
            if at > last {
                break;
            }
            line.push(b'\n');
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&*line);
            let is_row = reader.read_record(&mut record).unwrap_or(false) && record.len() == HEADER.len() + 1;
            if !is_row {
                return Err(ResultsError::InvalidRow(index as u64 + 1));
            }
            let recorded = GiftOutcome::from_name(&record[5])
                .ok_or(ResultsError::InvalidRow(index as u64 + 1))?
                .status();
            earlier.push((hash(&[&record[1]]), recorded, hash(&[&record[2], &record[3], &record[4]])));
        }
        // Of several rows of one gift the strongest status wins: a gift that was given once is given.
        earlier.sort_unstable();
        earlier.dedup_by(|(later, ..), (kept, ..)| later == kept);
        Ok(Self(earlier))
    }

    /// The recorded status of `present`.
    pub(crate) fn status(&self, present: &PresentRequest) -> GiftStatus {
        let PresentRequest { player, coins, bill_no } = present;
        let number = hash(&[bill_no.as_str()]);
        let found = self.0.binary_search_by(|(known, ..)| known.cmp(&number)).ok().map(|at| self.0[at]);
        let ours = || hash(&[player.openid.as_str(), player.zone_id.as_str(), &coins.to_string()]);
        match found {
            None => GiftStatus::Missing,
            Some((_, GiftStatus::Applied, order)) if order != ours() => GiftStatus::Conflict,
            Some((_, recorded, _)) => recorded,
        }
    }
}

/// 128 bits of a digest: among a million gifts, two collide with a probability of one in 2^88.
pub(crate) fn hash(parts: &[&str]) -> Hash {
    let digest: [u8; 32] = Sha256::digest(parts.join("\0")).into();
    *digest.first_chunk().expect("a digest has 32 bytes")
}

#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing {
    //! Fuzz target of results files.

    use std::sync::Arc;

    use pactolus_client::{Amount, Coins, Player};
    use pactolus_fuzz_support::Choices;
    use pactolus_protocol::Pf;
    use tokio::sync::Semaphore;

    use super::{
        BANK_PREFIX, Entry, GiftOutcome, GiftStatus, HEADER, PresentRequest, ResultsIndex, SendResult, line,
    };

    const VALID: &str = "it keeps the rule";
    const BANK: &str = "http://bank.example";

    /// Any file is read or refused. The index returns the strongest status written for a gift, whatever text the bank
    /// sent, and ignores a torn row.
    pub fn results(bytes: &[u8]) {
        let _ = ResultsIndex::read(bytes, bytes.len() as u64, BANK);
        let mut choices = Choices::new(bytes);
        let cut = choices.number();
        let header = HEADER.iter().map(ToString::to_string).chain([format!("{BANK_PREFIX}{BANK}")]);
        let mut file = line(&header.collect::<Vec<_>>()).expect("a Vec takes every write");
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
            file.extend(entry.line("2017-10-09T06:32:17Z").expect("a Vec takes every write"));
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
