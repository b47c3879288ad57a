//! Request id: ends every error reply, and is in the log line of its request.

use std::fmt;
use std::str::FromStr;

use pactolus_types::UnixMillis;

/// Three groups of eight lowercase hex digits; the first is the unix time in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rid {
    seconds: u32,
    random: u64,
}

impl Rid {
    /// The id of a request received at `now`; `random` makes it unique.
    pub fn new(now: UnixMillis, random: u64) -> Self {
        // Eight hex digits hold the seconds until the year 2106, then wrap around.
        let seconds = u32::try_from(now.seconds() & u64::from(u32::MAX)).expect("masked to 32 bits");
        Self { seconds, random }
    }
}

impl fmt::Display for Rid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = (self.random >> 32, self.random & u64::from(u32::MAX));
        write!(f, "{:08x}-{first:08x}-{second:08x}", self.seconds)
    }
}

/// The text is not a request id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidRid;

impl fmt::Display for InvalidRid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is not three groups of eight lowercase hex digits")
    }
}

impl std::error::Error for InvalidRid {}

impl FromStr for Rid {
    type Err = InvalidRid;

    fn from_str(text: &str) -> Result<Self, InvalidRid> {
        let mut groups = text.split('-').map(group);
        match (groups.next(), groups.next(), groups.next(), groups.next()) {
            (Some(Some(seconds)), Some(Some(first)), Some(Some(second)), None) => {
                Ok(Self { seconds, random: u64::from(first) << 32 | u64::from(second) })
            }
            _ => Err(InvalidRid),
        }
    }
}

fn group(text: &str) -> Option<u32> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (text.len() == 8 && text.bytes().all(is_digit)).then(|| u32::from_str_radix(text, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rid_starts_with_its_second_and_round_trips() {
        let rid = Rid::new(UnixMillis::new(1_507_530_737_999), 0x0123_4567_89ab_cdef);
        assert_eq!(rid.to_string(), "59db17f1-01234567-89abcdef");
        assert_eq!(rid.to_string().parse(), Ok(rid));
        let low = Rid::new(UnixMillis::new(0), 7);
        assert_eq!(low.to_string(), "00000000-00000000-00000007");
    }

    #[test]
    fn malformed_rid_is_rejected() {
        let long = "59db17f1-01234567-89abcdef-00000000";
        for bad in
            ["", "-", "59db17f1-01234567", "59DB17F1-01234567-89abcdef", "59db17f1-0123456-789abcdef", long]
        {
            assert_eq!(bad.parse::<Rid>(), Err(InvalidRid), "{bad}");
        }
    }
}
