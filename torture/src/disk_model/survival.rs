//! The unsynced changes that survive a power cut, chosen by a seed.

/// Random choices of one power cut.
pub(super) struct Survival {
    random: fastrand::Rng,
    odds: Odds,
    garbage: bool,
}

/// Survival pattern of a power cut. Each pattern finds defects that the others rarely reach.
#[derive(Clone, Copy)]
enum Odds {
    DropAll,
    KeepAll,
    /// The changes up to this operation survive, as on a disk that keeps the order of writes.
    KeepPrefix(u64),
    /// Each change survives independently with this probability.
    KeepEach(f64),
}

impl Survival {
    /// The choices of a seed, for a cut after so many operations.
    pub(super) fn new(seed: u64, operations: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let odds = match random.u8(..10) {
            0 | 1 => Odds::DropAll,
            2 => Odds::KeepAll,
            3 | 4 => Odds::KeepPrefix(operations.saturating_sub(random.u64(..8))),
            5 => Odds::KeepEach(0.1),
            6 => Odds::KeepEach(0.9),
            _ => Odds::KeepEach(0.5),
        };
        let garbage = random.u8(..4) == 0;
        Self { random, odds, garbage }
    }

    /// Whether a part of the change made by operation `at` survives.
    pub(super) fn survives(&mut self, at: u64) -> bool {
        match self.odds {
            Odds::DropAll => false,
            Odds::KeepAll => true,
            Odds::KeepPrefix(last) => at <= last,
            Odds::KeepEach(chance) => self.random.f64() < chance,
        }
    }

    /// Bytes of the last write that reached the disk.
    pub(super) fn torn_length(&mut self, bytes: usize) -> usize {
        if self.random.bool() { self.random.usize(..=bytes) } else { bytes }
    }

    /// Bytes where a file has grown but its data was lost: garbage, or `None` for zeros.
    pub(super) fn garbage(&mut self, bytes: usize) -> Option<Vec<u8>> {
        self.garbage.then(|| std::iter::repeat_with(|| self.random.u8(..)).take(bytes).collect())
    }
}
