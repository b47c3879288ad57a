//! Damage at the journal's end: what is cut off as a torn write, and what is refused.
//!
//! The bug: a flipped bit in each of the last frames left no whole frame after the first, so all of them were cut off
//! as one torn write. The loss: 20 of 40 answered orders, with a clean audit. The fix: the header of any later frame
//! proves that the frames before it were answered, whatever has become of its payload.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use pactolus_ledger::{Ledger, Memo, Order, Posted};
use pactolus_ledger_embedded::{EmbeddedSettings, EmbeddedStore, OpenError};
use pactolus_test_support::files::copy_folder;
use pactolus_test_support::orders::{numbered_present, order, present};
use pactolus_test_support::sample::NOW;
use pollster::block_on;
use tempfile::{TempDir, tempdir};

const ORDERS: usize = 40;

const FRAME_HEADER_BYTES: usize = 56;

fn open(folder: &Path) -> Result<EmbeddedStore, OpenError> {
    EmbeddedStore::open(folder, &EmbeddedSettings::default())
}

fn post(store: &EmbeddedStore, order: Order) {
    assert!(matches!(block_on(store.post(order, NOW)), Ok(Posted::Applied(_))));
}

fn journal_file(folder: &Path) -> PathBuf {
    folder.join("journal").join(format!("{:020}.journal", 0))
}

/// A store as a crash leaves it, with each order in a frame of its own, and the offsets of the frames.
struct CrashedStore {
    folder: TempDir,
    bytes: Vec<u8>,
    frames: Vec<usize>,
}

impl CrashedStore {
    fn new(orders: impl IntoIterator<Item = Order>) -> Self {
        let live = tempdir().unwrap();
        let store = open(live.path()).unwrap();
        orders.into_iter().for_each(|order| post(&store, order));
        let folder = tempdir().unwrap();
        copy_folder(live.path(), folder.path());
        let bytes = fs::read(journal_file(folder.path())).unwrap();
        let frames =
            bytes.windows(4).enumerate().filter(|(_, four)| four == b"PCTF").map(|(at, _)| at).collect();
        Self { folder, bytes, frames }
    }

    /// Opens it with bits flipped at these offsets.
    fn open_with_flips(&self, flips: &[usize]) -> Result<(EmbeddedStore, TempDir), OpenError> {
        let damaged = tempdir().unwrap();
        copy_folder(self.folder.path(), damaged.path());
        let mut bytes = self.bytes.clone();
        for at in flips {
            bytes[*at] ^= 1;
        }
        fs::write(journal_file(damaged.path()), bytes).unwrap();
        Ok((open(damaged.path())?, damaged))
    }

    /// Asserts that it is refused for the order or the frame that begins at `offset`.
    fn assert_refused_at(&self, flips: &[usize], offset: usize) {
        match self.open_with_flips(flips).map(|_| ()) {
            Err(OpenError::Corrupt { offset: found, .. }) => assert_eq!(found, offset as u64, "{flips:?}"),
            other => panic!("flips at {flips:?} came to {other:?}"),
        }
    }
}

fn crashed_store() -> CrashedStore {
    let crashed = CrashedStore::new((0..ORDERS).map(|bill| numbered_present(bill, 3, 1)));
    assert_eq!(crashed.frames.len(), ORDERS);
    crashed
}

/// A byte of the order in a frame.
fn order_byte(frame: usize) -> usize {
    frame + FRAME_HEADER_BYTES + 20
}

#[test]
fn damage_in_each_of_the_last_frames_is_refused() {
    let crashed = crashed_store();
    for first in ORDERS - 20..ORDERS - 1 {
        let flips: Vec<_> = crashed.frames[first..].iter().map(|frame| order_byte(*frame)).collect();
        crashed.assert_refused_at(&flips, crashed.frames[first] + FRAME_HEADER_BYTES);
    }
}

#[test]
fn damage_in_any_frame_but_the_last_is_refused() {
    let crashed = crashed_store();
    for frame in &crashed.frames[..ORDERS - 1] {
        crashed.assert_refused_at(&[order_byte(*frame)], frame + FRAME_HEADER_BYTES);
        crashed.assert_refused_at(&[frame + 9], *frame);
    }
}

/// Headers of several frames are damaged, and payloads of the others: one sound header is enough.
#[test]
fn one_later_header_is_enough() {
    let crashed = crashed_store();
    for sound in ORDERS - 19..ORDERS {
        let flip = |at: usize| {
            let frame = crashed.frames[at];
            if at == sound { order_byte(frame) } else { frame + 9 }
        };
        let flips: Vec<_> = (ORDERS - 20..ORDERS).map(flip).collect();
        crashed.assert_refused_at(&flips, crashed.frames[ORDERS - 20]);
    }
}

/// The limit of it: nothing after the first damaged frame says that a frame is there.
#[test]
fn damage_in_the_last_frame_or_all_later_headers_is_torn() {
    let crashed = crashed_store();
    let last = crashed.frames[ORDERS - 1];
    let headers: Vec<_> = crashed.frames[ORDERS - 5..].iter().map(|frame| frame + 9).collect();
    for (flips, left) in
        [(vec![order_byte(last)], ORDERS - 1), (vec![last + 9], ORDERS - 1), (headers, ORDERS - 5)]
    {
        let (store, _folder) = crashed.open_with_flips(&flips).unwrap();
        assert_eq!(block_on(store.audit()).unwrap().orders, left as u64);
    }
}

/// A memo that is a frame's header, at the position at which it will stand: 56 bytes of valid UTF-8.
fn forged_header(position: u64, orders_before: u64) -> String {
    for attempt in 0_u64.. {
        let mut bytes = b"PCTF".to_vec();
        bytes.extend_from_slice(&100_u32.to_le_bytes());
        bytes.extend_from_slice(&orders_before.to_le_bytes());
        bytes.extend_from_slice(&1_u32.to_le_bytes());
        bytes.extend_from_slice(format!("{attempt:032}").as_bytes());
        let mut crc = crc32fast::Hasher::new();
        crc.update(&position.to_le_bytes());
        crc.update(&bytes);
        bytes.extend_from_slice(&crc.finalize().to_le_bytes());
        if let Ok(text) = String::from_utf8(bytes) {
            return text;
        }
    }
    unreachable!("one in some dozens is a text")
}

/// A caller who knows a position writes a header into a memo. If a power cut tears that very frame, the memo is no
/// proof that the frame was answered: the frame's own header says that the memo is a part of it.
#[test]
fn header_forged_in_a_memo_is_no_later_frame() {
    let with_remark = |remark: &str| {
        let mut forging = order("player-0", "forged", present(1));
        forging.memo = Memo::new("", remark).unwrap();
        CrashedStore::new([numbered_present(0, 3, 1), numbered_present(1, 3, 1), forging])
    };
    let placeholder = "x".repeat(FRAME_HEADER_BYTES);
    let found = with_remark(&placeholder);
    let at =
        found.bytes.windows(placeholder.len()).position(|window| window == placeholder.as_bytes()).unwrap();
    let forged = with_remark(&forged_header(at as u64, 3));
    assert_eq!(forged.frames.len(), 4, "the forged header stands in the journal");
    assert_eq!(forged.frames[3], at);
    let (store, _folder) = forged.open_with_flips(&[order_byte(forged.frames[2])]).unwrap();
    assert_eq!(block_on(store.audit()).unwrap().orders, 2, "the torn frame is cut off");
    // Whole, it is an order like any other.
    let (store, _folder) = forged.open_with_flips(&[]).unwrap();
    assert_eq!(block_on(store.audit()).unwrap().orders, 3);
}
