//! Coin counts: [`Coins`] may be zero, [`Amount`] may not.
//!
//! Arithmetic is checked only: there are no operators and no floats.

use std::fmt;

/// A number of coins, 0 to [`Coins::MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Coins(u64);

impl Coins {
    /// Zero coins.
    pub const ZERO: Self = Self(0);

    /// The maximum: 2^53 − 1 = 9,007,199,254,740,991.
    ///
    /// It is the largest integer that every JSON reader holds exactly, including readers that use 64-bit floats.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// `count` coins, or `None` above [`Coins::MAX`].
    pub const fn new(count: u64) -> Option<Self> {
        if count <= Self::MAX.0 { Some(Self(count)) } else { None }
    }

    /// The count.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Whether the count is zero.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, or `None` above [`Coins::MAX`].
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Self::new(sum),
            None => None,
        }
    }

    /// The difference, or `None` below zero.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(left) => Some(Self(left)),
            None => None,
        }
    }
}

impl fmt::Display for Coins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The coins that an order moves: 1 to [`Coins::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(Coins);

/// Reason why a number is not a valid [`Amount`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidAmount {
    /// Zero. The vendor's page forbids giving or taking 0 coins.
    Zero,
    /// Above [`Coins::MAX`].
    TooLarge,
}

impl fmt::Display for InvalidAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero => f.write_str("is 0; it must be at least 1"),
            Self::TooLarge => write!(f, "is too large; the most is {}", Coins::MAX),
        }
    }
}

impl std::error::Error for InvalidAmount {}

impl Amount {
    /// An amount of `count` coins.
    pub const fn new(count: u64) -> Result<Self, InvalidAmount> {
        match Coins::new(count) {
            Some(Coins::ZERO) => Err(InvalidAmount::Zero),
            Some(coins) => Ok(Self(coins)),
            None => Err(InvalidAmount::TooLarge),
        }
    }

    /// The amount as [`Coins`].
    pub const fn coins(self) -> Coins {
        self.0
    }

    /// The count.
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coin_sums_are_checked() {
        let max = Coins::MAX.get();
        assert_eq!(Coins::new(max), Some(Coins::MAX));
        assert_eq!(Coins::new(max + 1), None);
        let one = Amount::new(1).unwrap().coins();
        assert_eq!(Coins::MAX.checked_add(one), None);
        assert_eq!(Coins::ZERO.checked_sub(one), None);
        assert_eq!(Coins::MAX.checked_sub(Coins::MAX), Some(Coins::ZERO));
    }

    #[test]
    fn amount_rejects_zero_and_overflow() {
        assert_eq!(Amount::new(0), Err(InvalidAmount::Zero));
        assert_eq!(Amount::new(Coins::MAX.get() + 1), Err(InvalidAmount::TooLarge));
        assert_eq!(Amount::new(u64::MAX), Err(InvalidAmount::TooLarge));
        assert_eq!(Amount::new(1).unwrap().get(), 1);
    }
}
