//! Which of the changes that were not synced a power cut leaves: chosen by a seed.

/// What a power cut chooses by.
pub(super) struct Survival {
    random: fastrand::Rng,
    odds: Odds,
    garbage: bool,
}

/// How a cut leaves changes; each way finds what the others hardly meet.
#[derive(Clone, Copy)]
enum Odds {
    DropAll,
    KeepAll,
    /// Those of the first operations: what a disk does that keeps the order.
    KeepPrefix(u64),
    /// Each by itself, with this chance.
    KeepEach(f64),
}

impl Survival {
    /// By this seed; so many operations were made before the cut.
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

    /// Whether a part of what the operation `at` changed is left.
    pub(super) fn survives(&mut self, at: u64) -> bool {
        match self.odds {
            Odds::DropAll => false,
            Odds::KeepAll => true,
            Odds::KeepPrefix(last) => at <= last,
            Odds::KeepEach(chance) => self.random.f64() < chance,
        }
    }

    /// How many of the bytes of the last write were reached.
    pub(super) fn torn_length(&mut self, bytes: usize) -> usize {
        if self.random.bool() { self.random.usize(..=bytes) } else { bytes }
    }

    /// What stands where a file has grown and nothing was written: garbage, or nothing.
    pub(super) fn garbage(&mut self, bytes: usize) -> Option<Vec<u8>> {
        self.garbage.then(|| std::iter::repeat_with(|| self.random.u8(..)).take(bytes).collect())
    }
}
