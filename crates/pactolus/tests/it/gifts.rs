//! Gifts of the sample app, signed as its back end signs them, and the bank's replies.

use pactolus_protocol::reply::parse_reply;
use pactolus_protocol::{
    AccessToken, Call as _, Caller, MidasKey, Pf, Present, PresentReply, ReplyOutcome, SessionKey,
    UnixSeconds, signed_body,
};
use pactolus_types::{Amount, AppId, BillNo, Environment, OfferId, OpenId, ZoneId};
use serde_json::Value;

use crate::http::HttpClient;

/// A player of the sample app, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Player(pub(crate) usize);

impl Player {
    fn openid(self) -> OpenId {
        OpenId::new(&format!("player-{}", self.0)).unwrap()
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

pub(crate) const SESSION_KEY: &str = "V7Q38/i2KXaqrQyl2Yx9Hg==";

pub(crate) fn operator_token() -> AccessToken {
    AccessToken::new("OPERATORTOKEN").unwrap()
}

impl Gift {
    /// The path with its query, and the signed body.
    pub(crate) fn request(&self) -> (String, String) {
        let midas_key = match self.environment {
            Environment::Live => "zNLgAGgqsEWJOg1nFVaO5r7fAlIQxr1u",
            Environment::Sandbox => "another-key-for-the-sandbox",
        };
        self.request_with(&MidasKey::new(midas_key).unwrap(), &AccessToken::new("ACCESSTOKEN").unwrap())
    }

    /// [`Gift::request`] with another key and token.
    pub(crate) fn request_with(&self, midas_key: &MidasKey, token: &AccessToken) -> (String, String) {
        let present = Present {
            caller: Caller {
                openid: self.player.openid(),
                appid: AppId::new("wx1234567").unwrap(),
                offer_id: OfferId::new("12345678").unwrap(),
                ts: UnixSeconds::new(1_507_530_737).unwrap(),
                zone_id: ZoneId::new("1").unwrap(),
                pf: Pf::new("android").unwrap(),
                user_ip: None,
            },
            present_counts: Amount::new(self.coins).unwrap(),
            bill_no: BillNo::new(&self.bill_no).unwrap(),
        };
        let session_key = SessionKey::new(SESSION_KEY).unwrap();
        let path = format!("{}?access_token={}", Present::path(self.environment), token.expose());
        (path, signed_body(&present, self.environment, midas_key, Some((&session_key, token))))
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
