//! JSON forms of the types that the operator API shares with the protocol: texts and checked numbers.

/// A type that travels as text.
pub(super) mod text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(in crate::operator) fn serialize<T: Display, S: Serializer>(
        value: &T,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub(in crate::operator) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<T, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// An optional text: the field is missing without one.
pub(super) mod optional_text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
    pub(in crate::operator) fn serialize<T: Display, S: Serializer>(
        value: &Option<T>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => to.collect_str(value),
            None => to.serialize_none(),
        }
    }

    pub(in crate::operator) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<T>, D::Error> {
        super::text::deserialize(from).map(Some)
    }
}

/// A text or null; the field is always present.
pub(super) mod or_null {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer};

    pub(in crate::operator) use super::optional_text::serialize;

    pub(in crate::operator) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<T>, D::Error> {
        Option::<String>::deserialize(from)?.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

/// Coins and times: whole numbers.
pub(super) mod number {
    use pactolus_types::{Amount, Coins, UnixMillis};
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(in crate::operator) trait WholeNumber: Sized {
        fn read(number: u64) -> Option<Self>;
        fn number(&self) -> u64;
    }

    impl WholeNumber for Coins {
        fn read(number: u64) -> Option<Self> {
            Self::new(number)
        }

        fn number(&self) -> u64 {
            self.get()
        }
    }

    impl WholeNumber for Amount {
        fn read(number: u64) -> Option<Self> {
            Self::new(number).ok()
        }

        fn number(&self) -> u64 {
            self.get()
        }
    }

    impl WholeNumber for UnixMillis {
        fn read(number: u64) -> Option<Self> {
            Some(Self::new(number))
        }

        fn number(&self) -> u64 {
            self.get()
        }
    }

    pub(in crate::operator) fn serialize<T: WholeNumber, S: Serializer>(
        value: &T,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_u64(value.number())
    }

    pub(in crate::operator) fn deserialize<'de, T: WholeNumber, D: Deserializer<'de>>(
        from: D,
    ) -> Result<T, D::Error> {
        T::read(u64::deserialize(from)?).ok_or_else(|| D::Error::custom("a number is out of range"))
    }
}
