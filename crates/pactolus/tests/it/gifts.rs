//! Gifts of the sample app, signed as its back end signs them, and the bank's replies.

use pactolus_protocol::reply::parse_reply;
use pactolus_protocol::{AccessToken, Call as _, MidasKey, Present, PresentReply, ReplyOutcome, signed_body};
use pactolus_test_support::sample::{
    self, SESSION_KEY, ZONE_ID, access_token, midas_key, operator_token, session_key,
};
use pactolus_types::{Amount, BillNo, Environment};
use serde_json::Value;

use crate::http::HttpClient;

/// A player of the sample app, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Player(pub(crate) usize);

impl Player {
    fn openid(self) -> String {
        format!("player-{}", self.0)
    }

    /// Sets the player's session through the operator API.
    pub(crate) async fn log_in(self, http: &HttpClient) {
        let path = format!("/api/v1/apps/wx1234567/players/{}/session", self.openid());
        let body = format!(r#"{{"session_key":"{SESSION_KEY}","expires_in":86400}}"#);
        let response = http.put_as_operator(&path, &operator_token(), &body).await.unwrap();
        assert_eq!(response.status, 200, "{}", response.body);
    }

    /// The player's account, read through the operator API.
    pub(crate) async fn account(self, environment: Environment, http: &HttpClient) -> Value {
        let openid = self.openid();
        let path = format!("/api/v1/apps/wx1234567/accounts?env={environment}&openid={openid}&zone_id=1");
        let response = http.get_as_operator(&path, &operator_token()).await.unwrap();
        assert_eq!(response.status, 200, "{}", response.body);
        serde_json::from_str(&response.body).unwrap()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Gift {
    pub(crate) environment: Environment,
    pub(crate) player: Player,
    pub(crate) bill_no: String,
    pub(crate) coins: u64,
}

impl Gift {
    /// The path with its query, and the signed body.
    pub(crate) fn request(&self) -> (String, String) {
        self.request_with(&midas_key(self.environment), &access_token())
    }

    /// [`Gift::request`] with another key and token.
    pub(crate) fn request_with(&self, midas_key: &MidasKey, token: &AccessToken) -> (String, String) {
        let present = Present {
            caller: sample::caller(&self.player.openid(), ZONE_ID),
            present_counts: Amount::new(self.coins).unwrap(),
            bill_no: BillNo::new(&self.bill_no).unwrap(),
        };
        let path = format!("{}?access_token={}", Present::path(self.environment), token.expose());
        (path, signed_body(&present, self.environment, midas_key, Some((&session_key(), token))))
    }

    /// Sends the gift. An error means that no reply came.
    pub(crate) async fn send(&self, http: &HttpClient) -> anyhow::Result<ReplyOutcome<PresentReply>> {
        let (path, body) = self.request();
        let response = http.post(&path, &body).await?;
        Ok(parse_reply::<Present>(response.body.as_bytes())?)
    }

    /// Whether `answer` is an idempotent replay of this very order.
    pub(crate) fn is_replayed_by(&self, answer: &ReplyOutcome<PresentReply>) -> bool {
        let ReplyOutcome::Refused(refused) = answer else { return false };
        let existing = refused.existing.as_ref();
        refused.errcode == 90012 && existing.is_some_and(|order| order.bill_no.as_str() == self.bill_no)
    }
}
