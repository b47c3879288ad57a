//! Listeners: bound sockets, and the requests that each one answers.
//!
//! A bank with one listener answers everything on it. With two, the game's port answers the game alone, and the
//! operator API cannot be reached through it. Both answer `/healthz` and `/readyz`.

use std::net::IpAddr;

use tokio::net::TcpListener;

use crate::tls::TlsIdentity;

/// A bound socket and the requests that it answers.
#[derive(Debug)]
pub struct Listener {
    pub(crate) socket: TcpListener,
    pub(crate) audience: Audience,
    pub(crate) tls: Option<TlsIdentity>,
}

/// Requests that a listener answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Every request of the bank.
    All,
    /// Midas calls, tokens and logins.
    Game,
    /// The operator API and the metrics.
    Operator,
}

impl Listener {
    /// A listener for everything.
    pub const fn shared(socket: TcpListener) -> Self {
        Self { socket, audience: Audience::All, tls: None }
    }

    /// A listener for the game alone.
    pub const fn game(socket: TcpListener) -> Self {
        Self { socket, audience: Audience::Game, tls: None }
    }

    /// A listener for operators alone.
    pub const fn operator(socket: TcpListener) -> Self {
        Self { socket, audience: Audience::Operator, tls: None }
    }

    /// The listener with TLS, if there is a certificate.
    #[must_use]
    pub fn with_tls(self, tls: Option<TlsIdentity>) -> Self {
        Self { tls, ..self }
    }
}

impl Audience {
    /// Whether Midas calls are answered.
    pub(crate) const fn takes_calls(self) -> bool {
        match self {
            Self::All | Self::Game => true,
            Self::Operator => false,
        }
    }
}

/// Address of the peer of a connection, as an extension of its requests other than Midas calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerAddress(pub(crate) IpAddr);
