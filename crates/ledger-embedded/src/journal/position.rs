//! Where in the journal: a place in its stream of bytes, and a boundary between two frames.

use pactolus_ledger::HistoryDigest;

/// A place in the journal: bytes since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Position(pub(crate) u64);

impl Position {
    /// The place `bytes` further on.
    pub(crate) fn plus(self, bytes: usize) -> Self {
        Self(self.0 + bytes as u64)
    }
}

/// A boundary between two frames, and what is before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub(crate) position: Position,
    /// How many orders are before it.
    pub(crate) orders: u64,
    /// The digest of the frame that ends here, which vouches for everything before it.
    pub(crate) digest: [u8; 32],
}

impl Checkpoint {
    /// Where the journal begins.
    pub(crate) const START: Self = Self { position: Position(0), orders: 0, digest: [0; 32] };

    /// What the orders before it are called.
    pub(crate) fn history(&self) -> HistoryDigest {
        HistoryDigest { orders: self.orders, digest: self.digest }
    }
}
