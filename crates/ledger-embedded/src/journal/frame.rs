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
    /// At least the newest format of its entries.
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

    /// The same, for entries of `format` or an older one.
    pub(crate) fn with_format(self, format: u32) -> Self {
        Self { format, ..self }
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
    /// At least the newest format of its entries, if they were added one by one.
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

    /// The checkpoint after the frame, if it stands at `before` and follows it, by what its header says alone.
    pub(crate) fn claimed_end(&self, before: &Checkpoint) -> Option<Checkpoint> {
        (self.orders_before == before.orders).then(|| Checkpoint {
            position: before.position.plus(HEADER_BYTES + self.payload_bytes),
            orders: before.orders + u64::from(self.orders),
            digest: self.digest,
        })
    }
}

/// The checkpoint after the frame `bytes`, header and payload, if it follows `before`.
pub(crate) fn verify(header: &FrameHeader, bytes: &[u8], before: &Checkpoint) -> Option<Checkpoint> {
    header.claimed_end(before).filter(|after| digest(before, bytes) == after.digest)
}

/// No entry has fewer bytes: its header (6), five names of a byte with their lengths (10), and more than eight others.
const ENTRY_BYTES_MIN: u64 = 24;

/// Whether `bytes` begin with the header of a frame that was written after the frame at `before`, and stand at
/// `position`.
///
/// A frame is written only after the one before it was synced. So such a header proves that everything before it was
/// once on disk, whatever has become of it, and of its own payload.
///
/// A text of an order may look like a header if its author knows its position. That proves nothing: see
/// "Forged frames" in `docs/threat-model.md`. A header counts orders and bytes as no text can without zero bytes.
pub(crate) fn is_later_header(bytes: &[u8], position: Position, before: &Checkpoint) -> bool {
    let Some(header) = FrameHeader::read(bytes, position) else {
        return false;
    };
    let room = position.0.saturating_sub(before.position.0);
    let (orders, payload) = (u64::from(header.orders), header.payload_bytes as u64);
    let counted = header.orders_before.checked_sub(before.orders);
    orders > 0
        && orders.saturating_mul(ENTRY_BYTES_MIN) <= payload
        && counted.is_some_and(|counted| counted > 0 && counted.saturating_mul(ENTRY_BYTES_MIN) <= room)
}

/// The position of the first four bytes of a header in `bytes`.
pub(crate) fn find_magic(bytes: &[u8]) -> Option<usize> {
    bytes.windows(MAGIC.len()).position(|four| four == MAGIC)
}

/// The readable entries of a payload that stands at `position`, and the positions of the unreadable ones: after one
/// of those, the next readable entry is searched for.
pub(crate) fn salvage(payload: &[u8], position: Position) -> Vec<Result<(Position, Entry), Position>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < payload.len() {
        let start = position.plus(at);
        if let Some((entry, length)) = read_entry(&payload[at..], start) {
            found.push(Ok((start, entry)));
            at += length;
            continue;
        }
        found.push(Err(start));
        let is_entry = |at: &usize| {
            // Most lengths found at wrong places are too large, and need no checksum.
            let is_short =
                payload.get(at + 1).is_some_and(|high| usize::from(*high) << 8 <= Entry::BYTES_MAX);
            is_short && read_entry(&payload[*at..], position.plus(*at)).is_some()
        };
        at = (at + 1..payload.len()).find(is_entry).unwrap_or(payload.len());
    }
    found
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
