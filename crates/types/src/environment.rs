//! The two environments of an app: live and sandbox.

use std::fmt;
use std::str::FromStr;

/// Live or sandbox: two isolated banks of one app (`docs/protocol/midas.md`, the calls).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Environment {
    /// Players' real coins.
    Live,
    /// Coins for development and tests.
    Sandbox,
}

impl Environment {
    /// Both, live first.
    pub const ALL: [Self; 2] = [Self::Live, Self::Sandbox];

    /// `live` or `sandbox`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Sandbox => "sandbox",
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Parse error: the text is neither `live` nor `sandbox`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownEnvironment;

impl fmt::Display for UnknownEnvironment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is neither live nor sandbox")
    }
}

impl std::error::Error for UnknownEnvironment {}

impl FromStr for Environment {
    type Err = UnknownEnvironment;

    fn from_str(text: &str) -> Result<Self, UnknownEnvironment> {
        Self::ALL.into_iter().find(|environment| environment.as_str() == text).ok_or(UnknownEnvironment)
    }
}
