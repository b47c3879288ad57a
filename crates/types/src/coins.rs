//! How many coins: a sum that may be zero, and an amount that may not.
//!
//! There are no operators and no floats: every addition and subtraction is checked where it is written.

use std::fmt;

/// A number of coins, 0 to [`Coins::MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Coins(u64);

impl Coins {
    /// No coins.
    pub const ZERO: Self = Self(0);

    /// The most coins a sum may hold: 2^53 − 1 = 9,007,199,254,740,991.
    ///
    /// It is the largest integer that every JSON reader holds exactly, those that read numbers as 64-bit floats
    /// included.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// The sum of `count` coins, or nothing above [`Coins::MAX`].
    pub const fn new(count: u64) -> Option<Self> {
        if count <= Self::MAX.0 { Some(Self(count)) } else { None }
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Whether there are none.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// This and `other` together, or nothing above [`Coins::MAX`].
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Self::new(sum),
            None => None,
        }
    }

    /// What is left after taking `other` away, or nothing if there are fewer.
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

/// How many coins an order moves: 1 to [`Coins::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(Coins);

/// Why a number is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidAmount {
    /// The vendor's page: a number of coins to give or take cannot be 0.
    Zero,
    /// It is above [`Coins::MAX`].
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
    /// The amount of `count` coins.
    pub const fn new(count: u64) -> Result<Self, InvalidAmount> {
        match Coins::new(count) {
            Some(Coins::ZERO) => Err(InvalidAmount::Zero),
            Some(coins) => Ok(Self(coins)),
            None => Err(InvalidAmount::TooLarge),
        }
    }

    /// The coins that it moves.
    pub const fn coins(self) -> Coins {
        self.0
    }

    /// The number.
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
