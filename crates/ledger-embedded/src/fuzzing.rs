//! Fuzzed properties of this crate: each function takes any bytes, and panics when its property is broken.
//!
//! The property is always the same: written bytes read back; bytes that the disk has changed since are reported as
//! damage or are missing; nothing passes as an order that was not written as one.
//! Read next: `fuzz/README.md`; `orders`, the input of the targets.

mod orders;

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pactolus_fuzz_support::Choices;
use tempfile::TempDir;

use crate::background::throttle::Throttle;
use crate::backup::{self, BackupError};
use crate::codec::{FORMAT_VERSION, VIEWS_VERSION};
use crate::disk::RealDisk;
use crate::error::OpenError;
use crate::fingerprint::Fingerprint;
use crate::index::{Index, IndexEntry};
use crate::journal::entry::Entry;
use crate::journal::frame::{self, Frame, FrameBuilder, FrameHeader, HEADER_BYTES};
use crate::journal::{Checkpoint, Position, entry, segment};

pub use crate::backup::fuzzing::manifest;
pub use crate::views::fuzzing::views;

thread_local! {
    /// Parent folder of the targets' files.
    static FOLDER: TempDir = TempDir::with_prefix("pactolus-fuzz-").expect("there is room for a folder");
}

/// A folder of this thread's own, for one target.
fn work_folder(name: &str) -> PathBuf {
    let folder = FOLDER.with(|folder| folder.path().join(name));
    fs::create_dir_all(&folder).expect("there is room for a folder");
    folder
}

/// An entry that decodes also round-trips, wherever it stands, and no bytes make decoding panic.
pub fn entry(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let position = Position(choices.number() >> 1);
    let rest = choices.rest();
    let _ = frame::read_entry(rest, position);
    assert!(frame::entries(rest, position).take(rest.len() + 1).count() <= rest.len());
    let Some(read) = Entry::decode(rest, position) else { return };
    let mut again = Vec::new();
    entry::encode(&mut again, &read.receipt.order, &read.receipt.effect(), read.links, position);
    assert!(again.len() <= Entry::BYTES_MAX, "an entry takes more bytes than one may");
    assert_eq!(Entry::decode(&again, position).as_ref(), Some(&read));
    // With its checksum it is one in a frame.
    let mut framed = u16::try_from(again.len()).expect("BYTES_MAX is less").to_le_bytes().to_vec();
    framed.extend_from_slice(&frame::crc(position, &again).to_le_bytes());
    framed.extend_from_slice(&again);
    assert_eq!(frame::read_entry(&framed, position), Some((read, framed.len())));
    assert_eq!(frame::read_entry(&framed, position.plus(1)), None, "it stands elsewhere");
}

/// A frame gives back its orders; changed anywhere, it is none.
pub fn frame(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let change = (choices.number(), choices.byte());
    let before = Checkpoint {
        position: Position(choices.number() >> 1),
        orders: choices.number() >> 1,
        digest: std::array::from_fn(|at| u8::try_from(at).expect("32 of them")),
    };
    let case = orders::frame_case(&mut choices, before);
    let Some(frame) = case.frame else { return };
    let read = read_frame(&frame.bytes, &before).expect("it is a frame");
    assert_eq!((&read.0, &read.1), (&frame.after, &case.entries));
    for (position, entry) in &case.entries {
        assert_eq!(frame.entry(*position).as_ref(), Some(entry));
    }
    // It is a later frame to the start of the journal, if there is room for the orders before it.
    let has_room = before.orders > 0 && before.orders <= before.position.0 / 27;
    if has_room {
        assert!(frame::is_later_header(&frame.bytes, before.position, &Checkpoint::START));
    }
    assert!(
        !frame::is_later_header(&frame.bytes, before.position, &before),
        "it is the next, not a later one"
    );
    for count in 1..=case.entries.len() {
        let first = FrameBuilder::prefix(before, &frame.bytes, count as u64).expect("it has so many");
        let read = read_frame(&first.bytes, &before).expect("it is a frame");
        assert_eq!((read.0, &*read.1), (first.after, &case.entries[..count]));
    }
    assert!(FrameBuilder::prefix(before, &frame.bytes, case.entries.len() as u64 + 1).is_none());

    // Elsewhere, or after other orders, it is none.
    assert!(read_frame(&frame.bytes, &Checkpoint { position: before.position.plus(1), ..before }).is_none());
    assert!(read_frame(&frame.bytes, &Checkpoint { orders: before.orders + 1, ..before }).is_none());
    assert!(read_frame(&frame.bytes, &Checkpoint { digest: [0; 32], ..before }).is_none());
    let (at, with) = (usize::try_from(change.0).unwrap_or(usize::MAX) % frame.bytes.len(), change.1);
    if with != 0 {
        let mut changed = frame.bytes.clone();
        changed[at] ^= with;
        assert!(read_frame(&changed, &before).is_none(), "a changed frame is taken");
        let _ = frame::salvage(&changed, before.position);
        let _ = read_frame(&frame.bytes[..at], &before);
    }
    // The bytes behind a right header are still untrusted.
    let rest = choices.rest();
    let _ = frame::salvage(rest, before.position);
    if let Some((_, entries)) = read_frame(&frame_with_checksums(&before, rest, 1), &before) {
        for (position, entry) in &entries {
            orders::assert_round_trip(*position, entry);
        }
    }
}

/// The checkpoint after a frame and its entries, if it follows `before` and all can be read.
fn read_frame(bytes: &[u8], before: &Checkpoint) -> Option<(Checkpoint, Vec<(Position, Entry)>)> {
    let header = FrameHeader::read(bytes, before.position)?;
    let whole = bytes.get(..HEADER_BYTES.checked_add(header.payload_bytes)?)?;
    let after = frame::verify(&header, whole, before)?;
    let entries = frame::entries(&whole[HEADER_BYTES..], before.position.plus(HEADER_BYTES));
    Some((after, entries.collect::<Option<_>>()?))
}

/// A frame with right checksums and any payload.
fn frame_with_checksums(before: &Checkpoint, payload: &[u8], orders: u32) -> Vec<u8> {
    let mut bytes = b"PCTF".to_vec();
    bytes.extend_from_slice(&u32::try_from(payload.len()).expect("inputs are small").to_le_bytes());
    bytes.extend_from_slice(&before.orders.to_le_bytes());
    bytes.extend_from_slice(&orders.to_le_bytes());
    let mut digest = blake3::Hasher::new();
    digest.update(&before.digest).update(&bytes).update(payload);
    bytes.extend_from_slice(digest.finalize().as_bytes());
    let crc = frame::crc(before.position, &bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A journal gives back its orders; cut anywhere, those before the cut; changed before its last batch, it is refused;
/// changed in its last batch, that batch is cut off or refused; any other files are read or refused.
pub fn journal(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let store = work_folder("journal-store");
    let journal = store.join("journal");
    fs::create_dir_all(&journal).expect("there is room for a folder");
    match choices.below(8) {
        0 => {
            // Arbitrary files, sometimes a second one.
            let second = choices.flag().then(|| (choices.number() >> 1, choices.bytes(1024)));
            let first = choices.rest();
            write_segment(&journal, 0, first);
            if let Some((position, bytes)) = second {
                write_segment(&journal, position, bytes);
            }
            let _ = read_all(&store);
        }
        1 => {
            // A right header, and behind it a frame with arbitrary counts under right checksums.
            let after = segment::first_frame(Checkpoint::START);
            let (orders, until) = (choices.byte(), u64::from(choices.byte()));
            let declared = choices.number();
            let mut frame = frame_with_checksums(&after, choices.rest(), u32::from(orders));
            if declared != 0 {
                let declared = u32::try_from(declared % (1 << 32)).expect("it is less");
                frame[4..8].copy_from_slice(&declared.to_le_bytes());
                let crc = frame::crc(after.position, &frame[..52]);
                frame[52..56].copy_from_slice(&crc.to_le_bytes());
            }
            write_segment(&journal, 0, &[&segment_header(&Checkpoint::START)[..], &frame].concat());
            let _ = read_all(&store);
            check_restore(&store, until);
        }
        _ => check_damage(&mut choices, &store, &journal),
    }
    for file in fs::read_dir(&journal).expect("it is there") {
        fs::remove_file(file.expect("it can be listed").path()).expect("it is ours");
    }
}

/// A store whose journal has these orders, and the result of reading it after its files change.
fn check_damage(choices: &mut Choices<'_>, store: &Path, journal: &Path) {
    let change = (choices.number(), choices.byte(), choices.flag());
    let per_segment = 1 + choices.below(4);
    let (mut end, mut files) = (Checkpoint::START, Vec::<(u64, Vec<u8>)>::new());
    let (mut entries, mut checkpoints) = (Vec::new(), Vec::new());
    for nth in 0..6 {
        if choices.is_exhausted() {
            break;
        }
        if nth % per_segment == 0 {
            files.push((end.position.0, segment_header(&end)));
            end = segment::first_frame(end);
        }
        let case = orders::frame_case(choices, end);
        let Some(Frame { after, bytes, .. }) = case.frame else { break };
        files.last_mut().expect("there is one").1.extend_from_slice(&bytes);
        entries.extend(case.entries.into_iter().map(|(_, entry)| entry.receipt));
        checkpoints.push((end.position.0, after));
        end = after;
    }
    let Some((last_start, _)) = checkpoints.last().copied() else { return };
    for (position, bytes) in &files {
        write_segment(journal, *position, bytes);
    }
    assert_eq!(read_all(store).expect("it is as it was written"), entries);
    check_restore(store, u64::try_from(entries.len()).expect("few") / 2);

    let length: u64 = end.position.0;
    let at = change.0 % length;
    let (nth, (start, bytes)) =
        files.iter_mut().enumerate().rfind(|(_, (start, _))| *start <= at).expect("the first begins at 0");
    let offset = usize::try_from(at - *start).expect("inputs are small");
    if change.2 {
        // Cut: only a file's end can be, and only the last file's without leaving a gap.
        bytes.truncate(offset);
        write_segment(journal, *start, bytes);
        let kept = checkpoints
            .iter()
            .rfind(|(_, after)| after.position.0 <= at)
            .map_or(0, |(_, after)| after.orders);
        match read_all(store) {
            Ok(read) => {
                assert_eq!(read.len() as u64, kept, "all before the cut, and nothing else");
                assert_eq!(read, entries[..read.len()]);
            }
            Err(error) => {
                let is_header = offset < segment::HEADER_BYTES;
                assert!(is_header || nth + 1 < files.len(), "a torn end is refused: {error}");
            }
        }
    } else if change.1 != 0 {
        bytes[offset] ^= change.1;
        write_segment(journal, *start, bytes);
        match read_all(store) {
            Ok(read) => {
                assert!(at >= last_start, "a change in an answered batch is not detected");
                assert_eq!(read, entries[..read.len()]);
            }
            Err(BackupError::Journal(OpenError::Io(error))) => panic!("the disk of this test: {error}"),
            Err(_) => {}
        }
    }
}

/// Every order of a store, or the error.
fn read_all(store: &Path) -> Result<Vec<pactolus_ledger::Receipt>, BackupError> {
    let mut receipts = Vec::new();
    let count = backup::read_orders(store, |receipt| {
        receipts.push(receipt.clone());
        Ok(())
    })?;
    assert!(count >= receipts.len() as u64 || count == 0, "it says {count}, and showed {}", receipts.len());
    Ok(receipts)
}

/// A backup of a store is the store, or fails; restored up to an order, it ends there.
fn check_restore(store: &Path, until: u64) {
    let (to, back) = (work_folder("backup"), work_folder("restored"));
    let copied = backup::back_up(store, &to);
    if let Ok(copied) = copied
        && backup::restore(&to, &back, Some(until)).is_ok()
    {
        let (all, some) = (read_all(store), read_all(&back));
        if let (Ok(all), Ok(some)) = (all, some) {
            assert!(until <= copied.orders && some.len() as u64 <= until);
            assert_eq!(some, all[..some.len()], "the first orders");
        }
    }
    for folder in [to, back] {
        fs::remove_dir_all(folder).expect("it is ours");
    }
}

fn write_segment(folder: &Path, position: u64, bytes: &[u8]) {
    fs::write(folder.join(format!("{position:020}.journal")), bytes).expect("there is room for a file");
}

/// The header that `journal/segment.rs` describes.
fn segment_header(before: &Checkpoint) -> Vec<u8> {
    let mut bytes = b"PCTSGMNT".to_vec();
    bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
    bytes.extend_from_slice(&before.position.0.to_le_bytes());
    bytes.extend_from_slice(&before.orders.to_le_bytes());
    bytes.extend_from_slice(&before.digest);
    let crc = frame::crc(before.position, &bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

/// An index finds each of its entries and no other. Changed anywhere, it still finds them or reports damage: it never
/// says that a used bill number is new.
pub fn index(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let folder = work_folder("index");
    if choices.below(4) == 0 {
        // Arbitrary bytes under a right header.
        let (records, filter_bytes) = (choices.number(), choices.number());
        let wanted = fingerprint(&mut choices);
        let file = run_file(records, filter_bytes, choices.rest());
        fs::write(folder.join(format!("{:016}.run", 1)), file).expect("there is room for a file");
        if let Ok(index) = Index::open(Arc::new(RealDisk), &folder, &[1], 1024, 1024) {
            let _ = index.runs().find(wanted);
        }
        return;
    }
    let change = (choices.number(), choices.byte());
    let filter_bytes = u64::from(choices.byte()) * 16;
    let spread = choices.flag();
    let mut records: Vec<IndexEntry> = Vec::new();
    while !choices.is_exhausted() && records.len() < 600 {
        let fingerprint = if spread { spread_fingerprint(&mut choices) } else { fingerprint(&mut choices) };
        records.push(IndexEntry { fingerprint, position: Position(choices.number()) });
    }
    records.sort_by_key(|record| record.fingerprint);
    records.dedup_by_key(|record| record.fingerprint);
    let index = Index::open(Arc::new(RealDisk), &folder, &[], 1024, filter_bytes).expect("an empty one");
    let run = index
        .write_run(1, records.len(), records.iter().copied(), &Throttle::new(&|| true))
        .expect("there is room for a file");
    let path = run.path.clone();
    index.replace_runs(index.runs().with_newest(run));
    check_lookups(&index, &records);
    drop(index);
    check_lookups(
        &Index::open(Arc::new(RealDisk), &folder, &[1], 1024, filter_bytes).expect("it was finished"),
        &records,
    );

    let file = File::options().write(true).read(true).open(&path).expect("it is there");
    let length = file.metadata().expect("it is there").len();
    let at = change.0 % length;
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).expect("it is within the file");
    file.write_all_at(&[byte[0] ^ change.1], at).expect("there is room for a byte");
    if let Ok(index) = Index::open(Arc::new(RealDisk), &folder, &[1], 1024, filter_bytes) {
        for record in &records {
            match index.runs().find(record.fingerprint) {
                Ok(found) => assert_eq!(found, Some(record.position), "it is lost without an error"),
                Err(_) => assert_ne!(change.1, 0, "nothing was changed"),
            }
        }
    }
}

fn check_lookups(index: &Index, records: &[IndexEntry]) {
    let runs = index.runs();
    for record in records {
        assert_eq!(runs.find(record.fingerprint).expect("it is as written"), Some(record.position));
        let Fingerprint { high, low } = record.fingerprint;
        for other in [Fingerprint { high, low: low ^ 1 }, Fingerprint { high: high ^ 1, low }] {
            let known = records.binary_search_by_key(&other, |record| record.fingerprint).ok();
            let known = known.map(|at| records[at].position);
            assert_eq!(runs.find(other).expect("it is as written"), known);
        }
    }
}

fn fingerprint(choices: &mut Choices<'_>) -> Fingerprint {
    Fingerprint { high: choices.number(), low: choices.number() }
}

/// A fingerprint of two bytes, spread over the whole range, so that an input can fill more than a block.
fn spread_fingerprint(choices: &mut Choices<'_>) -> Fingerprint {
    let bytes = [choices.byte(), choices.byte()];
    let high = u64::from(u16::from_le_bytes(bytes)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Fingerprint { high, low: high.rotate_left(32) }
}

/// A run with a right header, and arbitrary blocks and filter.
fn run_file(records: u64, filter_bytes: u64, rest: &[u8]) -> Vec<u8> {
    let crc = |bytes: &[u8]| {
        let mut hasher = crc32fast::Hasher::new();
        for part in [1_u64, 0] {
            hasher.update(&part.to_le_bytes());
        }
        hasher.update(bytes);
        hasher.finalize()
    };
    let mut file = b"PCTINDEX".to_vec();
    file.extend_from_slice(&VIEWS_VERSION.to_le_bytes());
    for part in [1, records, filter_bytes] {
        file.extend_from_slice(&part.to_le_bytes());
    }
    file.extend_from_slice(
        &crc(&rest[rest.len().saturating_sub(usize::try_from(filter_bytes).unwrap_or(0))..]).to_le_bytes(),
    );
    file.extend_from_slice(&crc(&file).to_le_bytes());
    file.resize(4096, 0);
    file.extend_from_slice(rest);
    file
}

#[cfg(test)]
mod tests {
    use pactolus_fuzz_support::{Choices, run_corpus};

    use super::*;

    /// The bug: a frame's digest covers the number of orders that it claims, not that there are so many.
    /// The loss: `pactolus restore --until` panicked half way. The fix: it reports where the backup is damaged.
    #[test]
    fn overcounted_frame_is_corrupt() {
        let folder = tempfile::tempdir().unwrap();
        let [store, backup, restored] = ["store", "backup", "restored"].map(|name| folder.path().join(name));
        let after = segment::first_frame(Checkpoint::START);
        let case = orders::frame_case(&mut Choices::new(&[0, 1]), after).frame.expect("one order");
        let frame = frame_with_checksums(&after, &case.bytes[HEADER_BYTES..], 5);
        fs::create_dir_all(store.join("journal")).unwrap();
        write_segment(&store.join("journal"), 0, &[&segment_header(&Checkpoint::START)[..], &frame].concat());
        assert_eq!(backup::back_up(&store, &backup).unwrap().orders, 5);
        let refused = backup::restore(&backup, &restored, Some(3)).unwrap_err();
        assert!(matches!(refused, BackupError::Journal(OpenError::Corrupt { .. })), "{refused}");
    }

    #[test]
    fn entry_corpus_passes() {
        run_corpus("entry", super::entry);
    }

    #[test]
    fn frame_corpus_passes() {
        run_corpus("frame", super::frame);
    }

    #[test]
    fn journal_corpus_passes() {
        run_corpus("journal", super::journal);
    }

    #[test]
    fn index_corpus_passes() {
        run_corpus("index", super::index);
    }

    #[test]
    fn views_corpus_passes() {
        run_corpus("views", super::views);
    }

    #[test]
    fn manifest_corpus_passes() {
        run_corpus("manifest", super::manifest);
    }
}
