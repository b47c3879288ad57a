//! Positions in the journal: a byte offset, and a boundary between two frames.

use pactolus_ledger::HistoryDigest;

/// Byte offset in the journal: the log sequence number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Position(pub(crate) u64);

impl Position {
    pub(crate) fn plus(self, bytes: usize) -> Self {
        Self(self.0 + bytes as u64)
    }
}

/// A boundary between two frames, and the history before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub(crate) position: Position,
    /// Number of orders before it.
    pub(crate) orders: u64,
    /// Digest of the frame that ends here; it covers everything before it.
    pub(crate) digest: [u8; 32],
}

impl Checkpoint {
    /// The start of the journal.
    pub(crate) const START: Self = Self { position: Position(0), orders: 0, digest: [0; 32] };

    /// The digest of the orders before it.
    pub(crate) fn history(&self) -> HistoryDigest {
        HistoryDigest { orders: self.orders, digest: self.digest }
    }
}
