//! Logins and access tokens of a worker.
//!
//! Read next: `attempts.rs`, the connection and the retries.

use std::net::SocketAddr;

use anyhow::bail;
use pactolus_protocol::{AccessToken, ReplyOutcome, SessionKey, TokenReply};
use pactolus_types::OpenId;
use serde::Deserialize;

use super::replies::ParsedReply;
use super::{DRAW_SESSION_KEY, Worker};
use crate::soak::calls::{self, GameClient, OpKind, PlayerSession, pushed_openid, uses_pushed_login};
use crate::soak::connection::{ApiRequest, Connection};

/// Answer to a login with a `js_code`.
#[derive(Deserialize)]
struct LoginBody {
    openid: String,
    session_key: String,
}

/// Fetches the first access token.
pub(in crate::soak) async fn fetch_token(
    game: &GameClient,
    address: SocketAddr,
) -> anyhow::Result<AccessToken> {
    let mut connection =
        Connection::open(address).await.map_err(|_| anyhow::anyhow!("the bank accepts no connection"))?;
    let answered = connection.exchange(game.token()).await;
    let answered =
        answered.map_err(|trouble| anyhow::anyhow!("the bank gave no token: {}", trouble.name()))?;
    match TokenReply::parse(&answered.body)? {
        ReplyOutcome::Success(reply) => Ok(reply.access_token),
        ReplyOutcome::Refused(refused) => bail!("the bank refused a token: {}", refused.errmsg),
    }
}

impl Worker {
    pub(super) async fn log_in(&mut self, number: u64) -> anyhow::Result<OpKind> {
        let (kind, player) = if uses_pushed_login(number) {
            let drawn = u128::from(self.draw(DRAW_SESSION_KEY)) << 64 | u128::from(number);
            let key = SessionKey::from_bytes(&drawn.to_le_bytes());
            let openid = pushed_openid(number);
            let kind = OpKind::PushSession;
            self.expect_status(kind, &[200], |_| calls::push_session(openid, &key)).await?;
            (kind, PlayerSession { number, openid, key })
        } else {
            let kind = OpKind::Login;
            let answered = self.call_until_answered(kind, |worker| worker.game().login(number)).await?;
            let login: Option<LoginBody> = serde_json::from_slice(&answered.body).ok();
            let read = |login: LoginBody| {
                let (openid, key) =
                    (OpenId::new(&login.openid).ok()?, SessionKey::new(&login.session_key).ok()?);
                Some(PlayerSession { number, openid, key })
            };
            let Some(player) = login.and_then(read) else {
                self.load.record_unexpected(kind, "no session");
                return Ok(kind);
            };
            (kind, player)
        };
        self.players.insert(number, player);
        Ok(kind)
    }

    pub(super) async fn refresh_token(
        &mut self,
        kind: OpKind,
        make: impl Fn(&Self) -> ApiRequest,
    ) -> anyhow::Result<()> {
        let answered = self.call_until_answered(kind, make).await?;
        match TokenReply::parse(&answered.body) {
            Ok(ReplyOutcome::Success(reply)) => self.load.set_token(reply.access_token),
            Ok(ReplyOutcome::Refused(refused)) => {
                self.report_unexpected(kind, &ParsedReply::Refused(refused));
            }
            Err(_) => self.report_unexpected(kind, &ParsedReply::Malformed(answered.status)),
        }
        Ok(())
    }
}
