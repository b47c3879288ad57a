//! The file of results: a row for each gift that was tried, appended and synced before its slot is free again.
//!
//! It is what a campaign goes on from. So at most as many gifts as are sent at once can have been given without a row
//! here, and those are the first ones that lack one.
//! A row is one write of one line; a line that was cut off by a crash is cut off when the file is opened again.

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

/// Goes before the name of the bank, in the header's last column, so that one campaign is of one bank.
const BANK_PREFIX: &str = "of ";

/// How many rows are synced together at most: those that wait while the last ones are synced.
const BATCH_MAX: usize = 1024;

/// A file of results, held by this process alone.
pub(crate) struct ResultsFile {
    path: PathBuf,
    file: File,
}

/// What a file of results says of each gift in it: by its number, what it is to give to whom, and what became of it.
///
/// 33 bytes each, sorted, so that a million take 33 MB.
#[derive(Debug, Default)]
pub(crate) struct ResultsIndex(Vec<(Hash, GiftStatus, Hash)>);

type Hash = [u8; 16];

/// Why a file of results cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResultsError {
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Another process writes it.
    #[error("another process is writing it")]
    InUse,
    /// It begins with something else than the header of such a file.
    #[error("it is no file of results")]
    BadHeader,
    /// It belongs to the campaign of another bank, app or environment.
    #[error("it is of another bank, app or environment: {0}")]
    OtherBank(String),
    /// A line of it cannot be read.
    #[error("line {0} is no row of results")]
    InvalidRow(u64),
}

impl ResultsFile {
    /// Opens the results at `path` of the bank called `bank`, or makes them; what they say.
    ///
    /// Whether there were some before is whether an earlier run may have sent what has no row.
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

    /// What is in the results at `path`, without holding them; nothing if there are none.
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
        // The name is in its folder; without this a power cut may forget the file with all in it.
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }

    /// Cuts off what follows the last line end, and says where the file ends then.
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

    /// Begins to write what comes through the channel; the thread ends when nobody can send any more, or on an error.
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
            // Only now are their slots free.
            batch.clear();
        }
        Ok(())
    }
}

/// A gift that was tried, and the slot in which it was sent.
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
        // One row is one line, whatever a bank writes.
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
    /// What results say that end at the byte `last`, of the bank called `bank`.
    fn read(results: impl BufRead, last: u64, bank: &str) -> Result<Self, ResultsError> {
        // A row that is being written meanwhile, or was cut off, is no row yet.
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
        // Of several rows of one gift the strongest word counts: what was given once is given.
        earlier.sort_unstable();
        earlier.dedup_by(|(later, ..), (kept, ..)| later == kept);
        Ok(Self(earlier))
    }

    /// What is said of `present`.
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

/// 128 bits of a digest: of a million gifts, two meet in them with a chance of one in 2^88.
pub(crate) fn hash(parts: &[&str]) -> Hash {
    let digest: [u8; 32] = Sha256::digest(parts.join("\0")).into();
    *digest.first_chunk().expect("a digest has 32 bytes")
}

#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing {
    //! What fuzzing promises of files of results.

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

    /// Any file is read or refused; and what was written of a gift is what is known of it, whatever a bank has said:
    /// of several rows the strongest, and of a row that was cut off nothing.
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
        // Cut off anywhere behind the header, as a crash may leave it.
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
