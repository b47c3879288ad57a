//! Index of a results file: what is recorded of each gift. Nothing here writes.

use std::io::{BufRead, Read as _};

use csv::StringRecord;
use pactolus_client::PresentRequest;
use sha2::{Digest as _, Sha256};

use super::{BANK_PREFIX, END, HEADER, ResultsError};
use crate::commands::present::outcome::{GiftOutcome, GiftStatus};

/// Longest header that is read. The label of a bank holds its address.
const HEADER_BYTES_MAX: u64 = 64 * 1024;

/// Index of a results file: per bill number the recorded status, and the hash of player and coins.
///
/// 33 bytes each, sorted: a million gifts take 33 MB.
#[derive(Debug, Default)]
pub(crate) struct ResultsIndex {
    gifts: Vec<(Hash, GiftStatus, Hash)>,
    /// Whether the last row is that of a run that ended with no gift in flight.
    is_ended: bool,
}

type Hash = [u8; 16];

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
    pub(super) fn read(mut results: impl BufRead, last: u64, bank: &str) -> Result<Self, ResultsError> {
        let mut header = Vec::new();
        results.by_ref().take(HEADER_BYTES_MAX).read_until(b'\n', &mut header)?;
        check_header(&header, bank)?;
        // A torn row, or one being appended meanwhile, does not count yet.
        let lines = results.split(b'\n').enumerate();
        let (mut earlier, mut is_ended) = (Vec::new(), false);
        let mut record = StringRecord::new();
        let mut at = header.len() as u64;
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
                return Err(ResultsError::InvalidRow(index as u64 + 2));
            }
            is_ended = &record[5] == END;
            if is_ended {
                continue;
            }
            let recorded = GiftOutcome::from_name(&record[5])
                .ok_or(ResultsError::InvalidRow(index as u64 + 2))?
                .status();
            let [bill_no, openid, zone_id] = [&record[1], &record[2], &record[3]].map(without_mark);
            earlier.push((hash(&[bill_no]), recorded, hash(&[openid, zone_id, &record[4]])));
        }
        // Of several rows of one gift the strongest status wins: a gift that was given once is given.
        earlier.sort_unstable();
        earlier.dedup_by(|(later, ..), (kept, ..)| later == kept);
        Ok(Self { gifts: earlier, is_ended })
    }

    /// Whether every gift that was sent has a row.
    pub(crate) const fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// The recorded status of `present`.
    pub(crate) fn status(&self, present: &PresentRequest) -> GiftStatus {
        let PresentRequest { player, coins, bill_no } = present;
        let number = hash(&[bill_no.as_str()]);
        let found = self.gifts.binary_search_by(|(known, ..)| known.cmp(&number));
        let found = found.ok().map(|at| self.gifts[at]);
        let ours = || hash(&[player.openid.as_str(), player.zone_id.as_str(), &coins.to_string()]);
        match found {
            None => GiftStatus::Missing,
            Some((_, GiftStatus::Applied, order)) if order != ours() => GiftStatus::Conflict,
            Some((_, recorded, _)) => recorded,
        }
    }
}

/// A cell without the `'` of the style for spreadsheets, with which no bill number, openid or zone begins.
fn without_mark(cell: &str) -> &str {
    cell.strip_prefix('\'').unwrap_or(cell)
}

/// 128 bits of a digest: among a million gifts, two collide with a probability of one in 2^88.
pub(crate) fn hash(parts: &[&str]) -> Hash {
    let digest: [u8; 32] = Sha256::digest(parts.join("\0")).into();
    *digest.first_chunk().expect("a digest has 32 bytes")
}
