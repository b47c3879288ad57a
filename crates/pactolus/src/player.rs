//! Arguments that name the player of a call.

use std::path::PathBuf;

use pactolus_client::Player;
use pactolus_types::{OpenId, ZoneId};

use crate::cli::exit::CliError;
use crate::cli::secret::read_session_key;
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
    /// File of the session key, or - for standard input; default: the variable PACTOLUS_SESSION_KEY
    #[arg(long, value_name = "FILE", conflicts_with = "session_key")]
    session_key_file: Option<PathBuf>,
}

impl PlayerArgs {
    /// The player, with the platform (`pf`) of the connection.
    pub(crate) fn player(&self, connection: &Connection) -> Result<Player, CliError> {
        let (key, file) = (self.session_key.as_deref(), self.session_key_file.as_deref());
        let session_key = read_session_key(key, file, connection.lang)?;
        Ok(Player { zone_id: self.zone, session_key, pf: connection.pf, ..Player::new(self.openid) })
    }
}
