//! The player of a call, for every command that calls for one.

use pactolus_client::Player;
use pactolus_types::{OpenId, ZoneId};

use crate::cli::args::parse_session_key;
use crate::connect::Connection;

/// Who, and in which zone.
#[derive(clap::Args)]
pub(crate) struct PlayerArgs {
    /// The player
    #[arg(long, value_name = "OPENID")]
    openid: OpenId,
    /// The zone
    #[arg(long, value_name = "ZONE", default_value = "1")]
    zone: ZoneId,
    /// The player's session key, for banks that want `mp_sig`
    #[arg(long, value_name = "KEY")]
    session_key: Option<String>,
}

impl PlayerArgs {
    /// The player, on the platform that the bank's app names.
    pub(crate) fn player(&self, connection: &Connection) -> anyhow::Result<Player> {
        let session_key = parse_session_key(self.session_key.as_deref())?;
        Ok(Player { zone_id: self.zone, session_key, pf: connection.pf, ..Player::new(self.openid) })
    }
}
