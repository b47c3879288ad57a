//! File contents as sparse pages: a 64 MiB file without writes takes no memory.
//!
//! Clones share pages copy-on-write, so a second copy of a file costs little.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::survival::Survival;

/// Unit of an atomic disk write.
const SECTOR_BYTES: u64 = 512;
const PAGE_BYTES: usize = 4096;
const PAGE: u64 = PAGE_BYTES as u64;

#[derive(Clone, Default)]
pub(super) struct Content {
    length: u64,
    pages: BTreeMap<u64, Arc<[u8; PAGE_BYTES]>>,
}

/// An unsynced change of a file.
pub(super) struct Change {
    /// The operation that made it.
    pub(super) at: u64,
    pub(super) kind: ChangeKind,
}

pub(super) enum ChangeKind {
    Write { offset: u64, bytes: Vec<u8> },
    SetLength(u64),
}

impl Content {
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn allocated_bytes(&self) -> u64 {
        self.pages.len() as u64 * PAGE
    }

    /// Further allocation that a write of `bytes` bytes at `offset` needs.
    pub(super) fn bytes_to_allocate(&self, offset: u64, bytes: usize) -> u64 {
        let pages = offset / PAGE..(offset + bytes as u64).div_ceil(PAGE);
        pages.filter(|page| !self.pages.contains_key(page)).count() as u64 * PAGE
    }

    /// At most `count` bytes from `offset` on.
    pub(super) fn read(&self, offset: u64, count: usize) -> Vec<u8> {
        let end = self.length.min(offset.saturating_add(count as u64));
        let mut bytes = vec![0; to_usize(end.saturating_sub(offset))];
        for (page, at, range) in split_at_units(offset, bytes.len(), PAGE) {
            if let Some(page) = self.pages.get(&page) {
                let length = range.len();
                bytes[range].copy_from_slice(&page[at..at + length]);
            }
        }
        bytes
    }

    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        for (page, at, range) in split_at_units(offset, bytes.len(), PAGE) {
            let page = self.pages.entry(page).or_insert_with(|| Arc::new([0; PAGE_BYTES]));
            let length = range.len();
            Arc::make_mut(page)[at..at + length].copy_from_slice(&bytes[range]);
        }
        self.length = self.length.max(offset + bytes.len() as u64);
    }

    pub(super) fn set_length(&mut self, length: u64) {
        if length < self.length {
            self.pages.split_off(&length.div_ceil(PAGE));
            if let Some(page) = self.pages.get_mut(&(length / PAGE)) {
                Arc::make_mut(page)[to_usize(length % PAGE)..].fill(0);
            }
        }
        self.length = length;
    }

    /// Flips a bit of an existing byte.
    pub(super) fn flip_bit(&mut self, offset: u64, bit: u32) {
        let bytes = self.read(offset, 1).iter().map(|byte| byte ^ (1 << bit)).collect::<Vec<_>>();
        self.write(offset, &bytes);
    }

    /// Ranges of allocated bytes, without holes.
    pub(super) fn allocated_ranges(&self) -> Vec<std::ops::Range<u64>> {
        let page = |page: &u64| page * PAGE..self.length.min((page + 1) * PAGE);
        self.pages.keys().map(page).filter(|range| !range.is_empty()).collect()
    }

    pub(super) fn apply_change(&mut self, change: &ChangeKind) {
        match change {
            ChangeKind::Write { offset, bytes } => self.write(*offset, bytes),
            ChangeKind::SetLength(length) => self.set_length(*length),
        }
    }

    /// Applies the surviving part of unsynced changes to these synced contents.
    ///
    /// Each length change survives or not, and so does each sector of a write. The last write may be torn inside a
    /// sector. Where the file has grown and its data was lost, it reads as zeros or garbage.
    pub(super) fn after_power_cut(mut self, changes: &[Change], survival: &mut Survival) -> Self {
        let last = changes.len().saturating_sub(1);
        for (index, Change { at, kind }) in changes.iter().enumerate() {
            match kind {
                ChangeKind::SetLength(length) => {
                    if survival.survives(*at) {
                        self.set_length(*length);
                    }
                }
                ChangeKind::Write { offset, bytes } => {
                    let torn_at = if index == last { survival.torn_length(bytes.len()) } else { bytes.len() };
                    self.apply_surviving_write(*at, *offset, bytes, torn_at, survival);
                }
            }
        }
        self
    }

    fn apply_surviving_write(
        &mut self,
        at: u64,
        offset: u64,
        bytes: &[u8],
        torn: usize,
        survival: &mut Survival,
    ) {
        let before = self.length;
        let end = offset + bytes.len() as u64;
        if end > before && survival.survives(at) {
            self.set_length(end);
        }
        for (_, _, range) in split_at_units(offset, bytes.len(), SECTOR_BYTES) {
            let start = offset + range.start as u64;
            if start >= self.length {
                break;
            }
            let reached = range.end.min(range.start + to_usize(self.length - start));
            let piece = &bytes[range.start..reached];
            if survival.survives(at) {
                // The torn write's new bytes up to its end; after that the old bytes stay.
                let whole = torn.saturating_sub(range.start).min(piece.len());
                self.write(start, &piece[..whole]);
            } else if start >= before
                && let Some(garbage) = survival.garbage(piece.len())
            {
                self.write(start, &garbage);
            }
        }
    }
}

/// Splits `bytes` bytes at `offset` at unit boundaries: the unit, the offset in it, and the range of the bytes.
fn split_at_units(
    offset: u64,
    bytes: usize,
    unit: u64,
) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let position = offset + at as u64;
        let within = position % unit;
        let end = bytes.min(at + to_usize(unit - within));
        let range = at..end;
        at = end;
        (!range.is_empty()).then(|| (position / unit, to_usize(within), range))
    })
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).expect("a file's bytes are in memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_and_truncated_ranges_read_as_zeros() {
        let mut content = Content::default();
        content.set_length(64 * 1024 * 1024);
        content.write(5000, b"coins");
        assert_eq!(content.read(4998, 9), b"\0\0coins\0\0");
        assert_eq!(content.allocated_bytes(), 4096);
        content.set_length(5002);
        content.set_length(5010);
        assert_eq!(content.read(5000, 100), b"co\0\0\0\0\0\0\0\0");
    }

    #[test]
    fn power_cut_keeps_synced_bytes_and_whole_sectors() {
        let mut synced = Content::default();
        synced.write(0, &[1; 2048]);
        let write =
            |at, byte| Change { at, kind: ChangeKind::Write { offset: 1024, bytes: vec![byte; 2048] } };
        let changes = [write(1, 2), write(2, 3)];
        let (mut lost, mut kept, mut mixed) = (0, 0, 0);
        for seed in 0..200 {
            let left = synced.clone().after_power_cut(&changes, &mut Survival::new(seed, 2));
            assert_eq!(left.read(0, 1024), [1; 1024], "bytes before the writes stay");
            assert!([2048, 3072].contains(&left.length()), "{}", left.length());
            let bytes = left.read(1024, 1024);
            match bytes.as_slice() {
                all if all == [1; 1024] => lost += 1,
                all if all == [3; 1024] => kept += 1,
                all => {
                    assert!(all.iter().all(|byte| [1, 2, 3].contains(byte)));
                    mixed += 1;
                }
            }
        }
        assert!(lost > 10 && kept > 10 && mixed > 10, "{lost} lost, {kept} kept, {mixed} mixed");
    }
}
