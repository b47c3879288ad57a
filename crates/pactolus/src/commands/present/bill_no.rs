//! Bill numbers of a campaign, derived from its name and the player, so that a row has the same number in every run.

use std::fmt;
use std::str::FromStr;

use pactolus_types::{BillNo, InvalidText, OpenId, ZoneId};
use sha2::{Digest as _, Sha256};

use super::kind::BatchKind;

/// Name of a campaign: 1 to 36 of the characters that a bill number may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CampaignName {
    name: String,
    kind: BatchKind,
}

/// 26 digits of 5 bits are 130 bits of a digest. Among a hundred million players, two collide with a probability of
/// one in 2^77. The bank would refuse the second as a different order.
const DIGITS: usize = 26;

impl CampaignName {
    /// The same name for orders of this kind, which have other numbers.
    pub(crate) fn of_kind(self, kind: BatchKind) -> Self {
        Self { kind, ..self }
    }

    /// The number of the `nth` gift (from 1) to a player in a zone.
    ///
    /// It does not depend on the coins: a row with edited coins is the same gift, and is given once.
    pub(crate) fn bill_no(&self, openid: &OpenId, zone_id: &ZoneId, nth: u32) -> BillNo {
        // No part can hold the separator, so the text is unique per gift.
        let text = format!("{}\0{}\0{openid}\0{zone_id}\0{nth}", self.kind.digest_domain(), self.name);
        BillNo::new(&format!("{}-{}", self.name, base32(&Sha256::digest(text)))).expect("the name was tried")
    }
}

/// The first 130 bits in base 32, without letters that look like digits.
fn base32(digest: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let bit = |at: usize| usize::from(digest[at / 8] >> (7 - at % 8) & 1);
    let digit = |place: usize| (0..5).fold(0, |digit, at| digit << 1 | bit(place * 5 + at));
    (0..DIGITS).map(|place| char::from(ALPHABET[digit(place)])).collect()
}

impl FromStr for CampaignName {
    type Err = InvalidText;

    fn from_str(name: &str) -> Result<Self, InvalidText> {
        let tried = BillNo::new(&format!("{name}-{}", "0".repeat(DIGITS)));
        let own = |error: InvalidText| InvalidText { max: BillNo::MAX - DIGITS - 1, ..error };
        tried.and_then(|_| BillNo::new(name)).map_err(own)?;
        Ok(Self { name: name.to_owned(), kind: BatchKind::default() })
    }
}

impl fmt::Display for CampaignName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bill_no(campaign: &str, openid: &str, zone: &str, nth: u32) -> String {
        let campaign: CampaignName = campaign.parse().unwrap();
        campaign.bill_no(&openid.parse().unwrap(), &zone.parse().unwrap(), nth).to_string()
    }

    /// Results files and banks hold these numbers: they must never change.
    #[test]
    fn bill_no_is_stable_across_versions() {
        assert_eq!(bill_no("spring", "player-1", "1", 1), "spring-gyaf5e8ax1sy3qy2nsgct9g06r");
    }

    /// The debits of a campaign have numbers of their own, which must never change either.
    #[test]
    fn debits_have_stable_numbers_of_their_own() {
        let debits = "spring".parse::<CampaignName>().unwrap().of_kind(BatchKind::Debits);
        let number = debits.bill_no(&"player-1".parse().unwrap(), &"1".parse().unwrap(), 1);
        assert_eq!(number.as_str(), "spring-7tfzdw3h4bks0wanj85eeq7maq");
    }

    #[test]
    fn bill_no_depends_on_every_key_part() {
        let mut numbers = vec![
            bill_no("spring", "player-1", "1", 1),
            bill_no("autumn", "player-1", "1", 1),
            bill_no("spring", "player-2", "1", 1),
            bill_no("spring", "player-1", "2", 1),
            bill_no("spring", "player-1", "1", 2),
        ];
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 5);
    }

    #[test]
    fn campaign_name_leaves_room_for_digits() {
        let longest = "x".repeat(36);
        assert_eq!(bill_no(&longest, "p", "1", 1).len(), BillNo::MAX);
        for bad in ["", "no spaces", "春", &"x".repeat(37)] {
            assert!(bad.parse::<CampaignName>().is_err(), "{bad}");
        }
        let error = "a b".parse::<CampaignName>().unwrap_err().to_string();
        assert_eq!(error, "holds ' '; 1 to 36 digits, letters or any of _-|*@ are allowed");
    }
}
