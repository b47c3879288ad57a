//! A call of any wire, by its path.

use std::fmt;

use crate::midas::call::CallPath;
use crate::raw::path::{RawPath, RawWire};

/// A family of calls with names, signatures and codes of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wire {
    /// `/cgi-bin/midas/*`.
    Midas,
    /// `/wxa/game/*` or `/xpay/*`.
    Raw(RawWire),
}

impl Wire {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Midas, Self::Raw(RawWire::Game), Self::Raw(RawWire::Xpay)];

    /// Its name in settings and labels.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Midas => "midas",
            Self::Raw(wire) => wire.name(),
        }
    }
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The path of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WirePath {
    /// On the first wire.
    Midas(CallPath),
    /// On a raw wire.
    Raw(RawPath),
}

impl WirePath {
    /// The path, without host and query.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Midas(path) => path.as_str(),
            Self::Raw(path) => path.as_str(),
        }
    }

    /// Every path.
    pub fn all() -> impl Iterator<Item = Self> {
        let raw = RawPath::ALL.iter().map(|path| Self::Raw(*path));
        CallPath::all().map(Self::Midas).chain(raw)
    }

    /// The call at `path`, which must match exactly.
    pub fn parse(path: &str) -> Option<Self> {
        let raw = || RawPath::parse(path).map(Self::Raw);
        CallPath::parse(path).map(Self::Midas).or_else(raw)
    }

    /// Its wire.
    pub const fn wire(self) -> Wire {
        match self {
            Self::Midas(_) => Wire::Midas,
            Self::Raw(path) => Wire::Raw(path.wire()),
        }
    }
}

impl fmt::Display for WirePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
