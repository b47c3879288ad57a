//! Journal frame: the entries of one batch, written and synced together.
//!
//! ```text
//! frame  = magic "PCTF" · payload bytes u32 · orders before u64 · orders u32 · digest [32] · crc u32 · payload
//! payload = entry*          entry = bytes u16 · crc u32 · body
//! ```
//!
//! Integers are little-endian. The digest is BLAKE3 over the digest of the frame before, the header up to it, and the
//! payload: it covers all frames before it. Both checksums start with the position of their bytes, so that bytes in a
//! wrong place do not pass.

use pactolus_ledger::{Order, OrderEffect};

use super::entry::{self, Entry, Links};
use super::position::{Checkpoint, Position};
use crate::codec::FIRST_FORMAT;

/// Bytes of a frame before its payload.
pub(crate) const HEADER_BYTES: usize = 56;
const MAGIC: [u8; 4] = *b"PCTF";
const DIGEST_AT: usize = 20;
const CRC_AT: usize = 52;

/// Bytes of an entry before its body.
pub(crate) const ENTRY_HEADER_BYTES: usize = 6;

#[derive(Debug)]
pub(crate) struct FrameBuilder {
    before: Checkpoint,
    orders: u32,
    /// The newest format of its entries.
    format: u32,
    bytes: Vec<u8>,
}

impl FrameBuilder {
    /// An empty frame that will stand at `before`, encoded into `bytes`.
    pub(crate) fn new(before: Checkpoint, mut bytes: Vec<u8>) -> Self {
        bytes.clear();
        bytes.resize(HEADER_BYTES, 0);
        Self { before, orders: 0, format: FIRST_FORMAT, bytes }
    }

    /// Adds an entry and returns its position.
    pub(crate) fn add(&mut self, order: &Order, change: &OrderEffect, links: Links) -> Position {
        let at = self.bytes.len();
        let position = self.before.position.plus(at);
        self.bytes.extend_from_slice(&[0; ENTRY_HEADER_BYTES]);
        entry::encode(&mut self.bytes, order, change, links, position);
        let (header, body) = self.bytes[at..].split_at_mut(ENTRY_HEADER_BYTES);
        let length = u16::try_from(body.len()).expect("an entry has at most Entry::BYTES_MAX bytes");
        header[..2].copy_from_slice(&length.to_le_bytes());
        header[2..].copy_from_slice(&crc(position, body).to_le_bytes());
        self.orders += 1;
        self.format = self.format.max(entry::format(order));
        position
    }

    /// A frame at `before` with the first `orders` entries of `whole`, a frame that stands there.
    pub(crate) fn prefix(before: Checkpoint, whole: &[u8], orders: u64) -> Option<Frame> {
        let mut first = Self::new(before, Vec::new());
        while u64::from(first.orders) < orders {
            let at = first.bytes.len();
            let (_, length) = read_entry(whole.get(at..)?, before.position.plus(at))?;
            first.bytes.extend_from_slice(&whole[at..at + length]);
            first.orders += 1;
        }
        first.finish()
    }

    /// An entry added before.
    pub(crate) fn entry(&self, position: Position) -> Option<Entry> {
        entry_in(&self.bytes, self.before.position, position)
    }

    /// The finished frame, or `None` if it has no entry.
    pub(crate) fn finish(mut self) -> Option<Frame> {
        if self.orders == 0 {
            return None;
        }
        let before = self.before;
        let payload = u32::try_from(self.bytes.len() - HEADER_BYTES).expect("a batch is far below 4 GiB");
        self.bytes[..4].copy_from_slice(&MAGIC);
        self.bytes[4..8].copy_from_slice(&payload.to_le_bytes());
        self.bytes[8..16].copy_from_slice(&before.orders.to_le_bytes());
        self.bytes[16..DIGEST_AT].copy_from_slice(&self.orders.to_le_bytes());
        let digest = digest(&before, &self.bytes);
        self.bytes[DIGEST_AT..CRC_AT].copy_from_slice(&digest);
        let header_crc = crc(before.position, &self.bytes[..CRC_AT]);
        self.bytes[CRC_AT..HEADER_BYTES].copy_from_slice(&header_crc.to_le_bytes());
        let after = Checkpoint {
            position: before.position.plus(self.bytes.len()),
            orders: before.orders + u64::from(self.orders),
            digest,
        };
        Some(Frame { before, after, format: self.format, bytes: self.bytes })
    }
}

#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) before: Checkpoint,
    pub(crate) after: Checkpoint,
    /// The newest format of its entries, as far as they were added one by one.
    pub(crate) format: u32,
    pub(crate) bytes: Vec<u8>,
}

impl Frame {
    /// The entry at `position`, if it is in this frame.
    pub(crate) fn entry(&self, position: Position) -> Option<Entry> {
        entry_in(&self.bytes, self.before.position, position)
    }
}

/// The entry at `position` of a frame that stands at `start`, if it is in it.
fn entry_in(frame: &[u8], start: Position, position: Position) -> Option<Entry> {
    let at = usize::try_from(position.0.checked_sub(start.0)?).ok()?;
    read_entry(frame.get(at..)?, position).map(|(entry, _)| entry)
}

pub(crate) struct FrameHeader {
    /// Bytes of the payload.
    pub(crate) payload_bytes: usize,
    orders_before: u64,
    orders: u32,
    digest: [u8; 32],
}

impl FrameHeader {
    /// Reads a header that stands at `position`; `None` if the bytes are none.
    pub(crate) fn read(bytes: &[u8], position: Position) -> Option<Self> {
        let bytes = bytes.get(..HEADER_BYTES)?;
        let stored = u32::from_le_bytes(bytes[CRC_AT..].try_into().ok()?);
        if bytes[..4] != MAGIC || crc(position, &bytes[..CRC_AT]) != stored {
            return None;
        }
        Some(Self {
            payload_bytes: usize::try_from(u32::from_le_bytes(bytes[4..8].try_into().ok()?)).ok()?,
            orders_before: u64::from_le_bytes(bytes[8..16].try_into().ok()?),
            orders: u32::from_le_bytes(bytes[16..DIGEST_AT].try_into().ok()?),
            digest: bytes[DIGEST_AT..CRC_AT].try_into().ok()?,
        })
    }
}

/// The checkpoint after the frame `bytes`, header and payload, if it follows `before`.
pub(crate) fn verify(header: &FrameHeader, bytes: &[u8], before: &Checkpoint) -> Option<Checkpoint> {
    if header.orders_before != before.orders || digest(before, bytes) != header.digest {
        return None;
    }
    Some(Checkpoint {
        position: before.position.plus(bytes.len()),
        orders: before.orders + u64::from(header.orders),
        digest: header.digest,
    })
}

/// Whether a whole frame stands at `position`, by its own checksums alone.
///
/// A frame is written only after the one before it was synced; so a whole frame proves that everything before it was
/// once on disk.
pub(crate) fn is_complete(bytes: &[u8], position: Position) -> bool {
    let Some(header) = FrameHeader::read(bytes, position) else {
        return false;
    };
    let Some(payload) = bytes.get(HEADER_BYTES..HEADER_BYTES + header.payload_bytes) else {
        return false;
    };
    let read = entries(payload, position.plus(HEADER_BYTES))
        .try_fold(0_u32, |count, entry| entry.map(|_| count + 1));
    header.orders > 0 && read == Some(header.orders)
}

/// The entries of a payload that stands at `position`; an unreadable entry is `None`, and the last item.
pub(crate) fn entries(payload: &[u8], position: Position) -> impl Iterator<Item = Option<(Position, Entry)>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = payload.get(at..).filter(|rest| !rest.is_empty())?;
        let position = position.plus(at);
        let read = read_entry(rest, position);
        at = read.as_ref().map_or(payload.len(), |(_, length)| at + length);
        Some(read.map(|(entry, _)| (position, entry)))
    })
}

/// The entry at the start of `bytes`, which stands at `position`, and its length.
pub(crate) fn read_entry(bytes: &[u8], position: Position) -> Option<(Entry, usize)> {
    let length = usize::from(u16::from_le_bytes(bytes.get(..2)?.try_into().ok()?));
    let stored = u32::from_le_bytes(bytes.get(2..ENTRY_HEADER_BYTES)?.try_into().ok()?);
    let end = ENTRY_HEADER_BYTES + length;
    let body = bytes.get(ENTRY_HEADER_BYTES..end)?;
    if crc(position, body) != stored {
        return None;
    }
    Some((Entry::decode(body, position)?, end))
}

/// The checksum of bytes that stand at, or belong to, `position`.
pub(crate) fn crc(position: Position, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&position.0.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

fn digest(before: &Checkpoint, frame: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&before.digest);
    hasher.update(&frame[..DIGEST_AT]);
    hasher.update(&frame[HEADER_BYTES..]);
    *hasher.finalize().as_bytes()
}
