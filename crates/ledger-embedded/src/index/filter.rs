//! Bloom filter of a run: rules out most fingerprints that the run does not hold, without a read.
//!
//! It is a split-block Bloom filter (Putze, Sanders and Singler; Parquet has the same): a fingerprint's high half
//! chooses a block of 32 bytes, and one bit in each of the block's eight words stands for it, so a look-up touches
//! one cache line.

use crate::fingerprint::Fingerprint;

/// Bits per entry, if there is memory: two in a thousand absent fingerprints are false positives, which cost a read
/// each.
pub(super) const BITS_PER_ENTRY_MAX: u64 = 16;

const WORDS: usize = 8;
const BLOCK_BYTES: usize = WORDS * 4;

#[derive(Debug)]
pub(super) struct Filter {
    /// Blocks of eight little-endian words. Without a block nothing is ruled out.
    bytes: Vec<u8>,
}

impl Filter {
    /// An empty filter for about `records` fingerprints, of about `bytes_max` bytes at most.
    pub(super) fn with_capacity(entries: u64, bytes_max: u64) -> Self {
        let bytes = (entries * BITS_PER_ENTRY_MAX).div_ceil(8).min(bytes_max);
        let bytes = bytes.next_multiple_of(BLOCK_BYTES as u64);
        Self { bytes: vec![0; usize::try_from(bytes).expect("a filter fits into memory")] }
    }

    pub(super) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn insert(&mut self, fingerprint: Fingerprint) {
        let at = self.block_index(fingerprint);
        if let Some(block) = self.bytes.as_chunks_mut::<BLOCK_BYTES>().0.get_mut(at) {
            for (word, bit) in block.as_chunks_mut().0.iter_mut().zip(bits(fingerprint)) {
                *word = (u32::from_le_bytes(*word) | bit).to_le_bytes();
            }
        }
    }

    pub(super) fn may_contain(&self, fingerprint: Fingerprint) -> bool {
        match self.bytes.as_chunks::<BLOCK_BYTES>().0.get(self.block_index(fingerprint)) {
            Some(block) => {
                let words = block.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word));
                words.zip(bits(fingerprint)).all(|(word, bit)| word & bit != 0)
            }
            None => true,
        }
    }

    fn block_index(&self, fingerprint: Fingerprint) -> usize {
        let blocks = self.bytes.len() / BLOCK_BYTES;
        let block = (u128::from(fingerprint.high) * blocks as u128) >> 64;
        usize::try_from(block).expect("it is less than the number of blocks")
    }
}

/// The bits of a fingerprint, one in each word.
fn bits(fingerprint: Fingerprint) -> [u32; WORDS] {
    std::array::from_fn(|word| 1 << ((fingerprint.low >> (5 * word)) & 31))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(number: u64) -> Fingerprint {
        let half = |salt: u64| {
            let mixed = (number ^ salt).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb)
        };
        Fingerprint { high: half(0), low: half(1 << 60) }
    }

    fn filled(bytes_max: u64) -> Filter {
        let mut filter = Filter::with_capacity(100_000, bytes_max);
        (0..100_000).for_each(|number| filter.insert(fingerprint(number)));
        filter
    }

    fn false_positives(filter: &Filter) -> usize {
        assert!((0..100_000).all(|number| filter.may_contain(fingerprint(number))));
        (100_000..200_000).filter(|number| filter.may_contain(fingerprint(*number))).count()
    }

    #[test]
    fn filter_has_no_false_negatives() {
        let filter = filled(u64::MAX);
        assert!(false_positives(&filter) < 300, "{}", false_positives(&filter));
        assert_eq!(false_positives(&Filter::from_bytes(filter.bytes().to_vec())), false_positives(&filter));
    }

    #[test]
    fn smaller_filter_has_more_false_positives() {
        assert!(false_positives(&filled(75_000)) > false_positives(&filled(u64::MAX)));
        assert_eq!(false_positives(&filled(0)), 100_000, "an empty filter rules nothing out");
    }
}
