//! Arguments that name the player of a call.

use pactolus_client::Player;
use pactolus_types::{OpenId, ZoneId};

use crate::cli::args::parse_session_key;
use crate::connect::Connection;

/// A player and a zone.
#[derive(clap::Args)]
pub(crate) struct PlayerArgs {
    /// Player
    #[arg(long, value_name = "OPENID")]
    openid: OpenId,
    /// Zone
    #[arg(long, value_name = "ZONE", default_value = "1")]
    zone: ZoneId,
    /// The player's session key, for banks that require `mp_sig`
    #[arg(long, value_name = "KEY")]
    session_key: Option<String>,
}

impl PlayerArgs {
    /// The player, with the platform (`pf`) of the connection.
    pub(crate) fn player(&self, connection: &Connection) -> anyhow::Result<Player> {
        let session_key = parse_session_key(self.session_key.as_deref())?;
        Ok(Player { zone_id: self.zone, session_key, pf: connection.pf, ..Player::new(self.openid) })
    }
}
