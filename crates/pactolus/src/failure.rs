//! How a command can fail, and the exit code that says so to a script.
//!
//! The table in `--help` is written from [`Kind`], so the two cannot differ.

use std::error::Error as _;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use pactolus_ledger_embedded::OpenError;
use pactolus_nouns::AppId;

use crate::config::{Problems, StoreUrl};

/// Why a command did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The configuration cannot be read, or something in it is wrong.
    #[error("the configuration is refused\n{0}")]
    Config(Problems),
    /// A clock that can be turned was asked for, and this app is not for development.
    #[error(
        "--clock manual needs login = \"open\" for every app, because it is for development; that of {0} is not open"
    )]
    ManualClock(AppId),
    /// The store cannot be opened.
    #[error("the store {store} cannot be opened")]
    Store {
        /// Which.
        store: StoreUrl,
        /// Why not.
        source: OpenError,
    },
    /// There is no store where one should be.
    #[error("there is no store at {0}; a bank makes its store when it is first served")]
    NoStore(StoreUrl),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The file is there already, and may hold keys that are in use.
    #[error("{} is there already; name another with --config, or overwrite it with --force", .0.display())]
    Exists(PathBuf),
    /// The audit found something; it is printed already.
    #[error("the books are not right")]
    BooksWrong,
    /// Some requests were cut off when the server stopped.
    #[error("some requests took too long and were cut off; whoever sent one may repeat it safely")]
    CutOff,
    /// Something that nobody expects.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl Failure {
    /// What kind of failure it is.
    pub(crate) const fn kind(&self) -> Kind {
        match self {
            Self::Exists(_) | Self::BooksWrong | Self::Other(_) => Kind::Failed,
            Self::Config(_) | Self::ManualClock(_) => Kind::Config,
            Self::Store { .. } | Self::NoStore(_) => Kind::Store,
            Self::Listen { .. } => Kind::Listen,
            Self::CutOff => Kind::CutOff,
        }
    }

    /// What happened and why, each cause after a colon.
    pub(crate) fn in_words(&self) -> String {
        let mut words = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            words.push_str(": ");
            words.push_str(&error.to_string());
            cause = error.source();
        }
        words
    }
}

/// The kinds of failure that a script can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What was asked for was tried, and did not succeed.
    Failed,
    /// The command line was not understood. Only `clap` ends with this one.
    Usage,
    /// The configuration was refused.
    Config,
    /// The store could not be opened.
    Store,
    /// The address could not be listened on.
    Listen,
    /// The bank stopped, and cut off requests that took too long.
    CutOff,
}

impl Kind {
    const ALL: [Self; 6] = [Self::Failed, Self::Usage, Self::Config, Self::Store, Self::Listen, Self::CutOff];

    /// The exit code. These are for scripts: a number, once given, keeps its meaning.
    pub(crate) const fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Config => 3,
            Self::Store => 4,
            Self::Listen => 5,
            Self::CutOff => 6,
        }
    }

    const fn meaning(self) -> &'static str {
        match self {
            Self::Failed => "it failed; for an audit: the books are not right",
            Self::Usage => "the command line was not understood",
            Self::Config => "the configuration was refused",
            Self::Store => "the store could not be opened",
            Self::Listen => "the address could not be listened on",
            Self::CutOff => "the bank stopped, and cut off requests that took too long",
        }
    }
}

impl From<Kind> for ExitCode {
    fn from(kind: Kind) -> Self {
        kind.exit_code().into()
    }
}

/// Every exit code with its meaning, a line each.
pub(crate) fn exit_codes() -> String {
    let failures = Kind::ALL.map(|kind| format!("\n  {}  {}", kind.exit_code(), kind.meaning()));
    format!("  0  done{}", failures.concat())
}
