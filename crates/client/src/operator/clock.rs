//! The bank's clock.

use pactolus_types::UnixMillis;
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};

use super::json::number;

/// A change of a manual clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockChange {
    /// Adds seconds; a negative number sets the clock back. It is not repeated after a lost reply.
    AdvanceSeconds(i64),
    /// Sets the time.
    Set(UnixMillis),
}

impl Serialize for ClockChange {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(1))?;
        match self {
            Self::AdvanceSeconds(seconds) => map.serialize_entry("advance_s", seconds)?,
            Self::Set(now) => map.serialize_entry("now_ms", &now.get())?,
        }
        map.end()
    }
}

/// The bank's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockDetails {
    /// The kind of clock.
    pub clock: ClockKind,
    /// The time.
    #[serde(with = "number")]
    pub now_ms: UnixMillis,
}

/// The kind of clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockKind {
    /// The system clock.
    System,
    /// A clock that changes only on request.
    Manual,
}
