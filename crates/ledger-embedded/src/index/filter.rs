//! A filter: says of most fingerprints that are not in a run that they are not, without looking.
//!
//! It is a split-block Bloom filter (Putze, Sanders and Singler; Parquet has the same): a fingerprint's high half
//! chooses a block of 32 bytes, and one bit in each of the block's eight words stands for it, so that asking touches
//! one line of the processor's cache.

use crate::fingerprint::Fingerprint;

/// Bits for each record where there is room: of a thousand fingerprints that are not there, two are missed, and each
/// costs a read.
pub(super) const BITS_PER_RECORD_MAX: u64 = 16;

const WORDS: usize = 8;
const BLOCK_BYTES: usize = WORDS * 4;

/// The fingerprints of a run, as bits.
#[derive(Debug)]
pub(super) struct Filter {
    /// Blocks of eight little-endian words. None says of everything that it may be there.
    bytes: Vec<u8>,
}

impl Filter {
    /// An empty filter for about `records` fingerprints, of about `bytes_max` bytes at most.
    pub(super) fn for_records(records: u64, bytes_max: u64) -> Self {
        let bytes = (records * BITS_PER_RECORD_MAX).div_ceil(8).min(bytes_max);
        let bytes = bytes.next_multiple_of(BLOCK_BYTES as u64);
        Self { bytes: vec![0; usize::try_from(bytes).expect("a filter fits into memory")] }
    }

    /// A filter of bytes that [`Filter::bytes`] gave.
    pub(super) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn insert(&mut self, fingerprint: Fingerprint) {
        let at = self.block_of(fingerprint);
        if let Some(block) = self.bytes.as_chunks_mut::<BLOCK_BYTES>().0.get_mut(at) {
            for (word, bit) in block.as_chunks_mut().0.iter_mut().zip(bits(fingerprint)) {
                *word = (u32::from_le_bytes(*word) | bit).to_le_bytes();
            }
        }
    }

    pub(super) fn may_hold(&self, fingerprint: Fingerprint) -> bool {
        match self.bytes.as_chunks::<BLOCK_BYTES>().0.get(self.block_of(fingerprint)) {
            Some(block) => {
                let words = block.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word));
                words.zip(bits(fingerprint)).all(|(word, bit)| word & bit != 0)
            }
            None => true,
        }
    }

    fn block_of(&self, fingerprint: Fingerprint) -> usize {
        let blocks = self.bytes.len() / BLOCK_BYTES;
        let block = (u128::from(fingerprint.high) * blocks as u128) >> 64;
        usize::try_from(block).expect("it is less than the number of blocks")
    }
}

/// The bit of each word that stands for a fingerprint.
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
        let mut filter = Filter::for_records(100_000, bytes_max);
        (0..100_000).for_each(|number| filter.insert(fingerprint(number)));
        filter
    }

    fn missed(filter: &Filter) -> usize {
        assert!((0..100_000).all(|number| filter.may_hold(fingerprint(number))));
        (100_000..200_000).filter(|number| filter.may_hold(fingerprint(*number))).count()
    }

    #[test]
    fn what_is_there_is_never_missed_and_what_is_not_seldom_passes() {
        let filter = filled(u64::MAX);
        assert!(missed(&filter) < 300, "{}", missed(&filter));
        assert_eq!(missed(&Filter::from_bytes(filter.bytes().to_vec())), missed(&filter));
    }

    #[test]
    fn with_less_room_more_passes() {
        assert!(missed(&filled(75_000)) > missed(&filled(u64::MAX)));
        assert_eq!(missed(&filled(0)), 100_000, "without room everything may be there");
    }
}
