//! The vendor's published sample values: one app with one player.

use pactolus_protocol::{
    AccessToken, AppSecret, Call as _, Caller, MidasKey, OperatorToken, Pf, Present, SessionKey, UnixSeconds,
    signed_body,
};
use pactolus_server::{AppSettings, LoginMode, Settings};
use pactolus_types::{Amount, AppId, BillNo, Environment, OfferId, OpenId, ZoneId};

/// The sample app, its keys, and its player.
pub(super) struct SampleApp {
    pub(super) caller: Caller,
    pub(super) operator_token: OperatorToken,
    pub(super) access_token: AccessToken,
    pub(super) session_key: SessionKey,
    midas_key: MidasKey,
    wrong_key: MidasKey,
}

#[derive(Clone, Copy)]
pub(super) enum SigningKey {
    RightKey,
    WrongKey,
}

impl SampleApp {
    pub(super) fn new() -> Self {
        const VALID: &str = "a sample keeps the rules";
        Self {
            caller: Caller {
                openid: OpenId::new("odkx20ENSNa2w5y3g_qOkOvBNM1g").expect(VALID),
                appid: AppId::new("wx1234567").expect(VALID),
                offer_id: OfferId::new("12345678").expect(VALID),
                ts: UnixSeconds::new(1_507_530_737).expect(VALID),
                zone_id: ZoneId::new("1").expect(VALID),
                pf: Pf::new("android").expect(VALID),
                user_ip: None,
            },
            operator_token: OperatorToken::new("OPERATORTOKEN").expect(VALID),
            access_token: AccessToken::new("ACCESSTOKEN").expect(VALID),
            session_key: SessionKey::new("V7Q38/i2KXaqrQyl2Yx9Hg==").expect(VALID),
            midas_key: MidasKey::new("zNLgAGgqsEWJOg1nFVaO5r7fAlIQxr1u").expect(VALID),
            wrong_key: MidasKey::new("not-the-key-of-this-app").expect(VALID),
        }
    }

    /// Settings of a bank with the sample app.
    pub(super) fn settings(&self) -> Settings {
        let app = AppSettings {
            login: LoginMode::Open,
            static_access_tokens: vec![self.access_token.clone()],
            ..AppSettings::new(
                self.caller.appid,
                AppSecret::new("APPSECRET").expect("a sample keeps the rules"),
                self.caller.offer_id,
                self.midas_key.clone(),
                self.midas_key.clone(),
            )
        };
        Settings { apps: vec![app], ..Settings::new(self.operator_token.clone()) }
    }

    /// A present call: its path with the query, and its signed body.
    pub(super) fn present(
        &self,
        environment: Environment,
        bill_no: &str,
        present_counts: u64,
        signing_key: SigningKey,
    ) -> (String, String) {
        let call = Present {
            caller: self.caller.clone(),
            present_counts: Amount::new(present_counts).expect("a sample gives something"),
            bill_no: BillNo::new(bill_no).expect("a sample keeps the rules"),
        };
        let key = match signing_key {
            SigningKey::RightKey => &self.midas_key,
            SigningKey::WrongKey => &self.wrong_key,
        };
        let path = format!("{}?access_token={}", Present::path(environment), self.access_token.expose());
        (path, signed_body(&call, environment, key, Some((&self.session_key, &self.access_token))))
    }

    /// Operator API path of the player's session.
    pub(super) fn session_path(&self) -> String {
        format!("/api/v1/apps/{}/players/{}/session", self.caller.appid, self.caller.openid)
    }

    /// Operator API path of the player's account.
    pub(super) fn account_path(&self, environment: Environment) -> String {
        let Caller { appid, openid, zone_id, .. } = &self.caller;
        format!("/api/v1/apps/{appid}/accounts?env={environment}&openid={openid}&zone_id={zone_id}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_present_matches_documented_signatures() {
        let sample = SampleApp::new();
        let known = [
            (
                Environment::Live,
                "c82c534ca46818722a8cbe0004020aea541333aefa7a780fb0bb45d9397da3ef",
                "523537261e0205eda7a7ed2a6e3d7333badc94cc2eb591f733559f3608bbe0af",
            ),
            (
                Environment::Sandbox,
                "d057ab7878e30688ab5f075328a9e600cd3b443ce2980defa69969ef7e364b2b",
                "95204c161bdd55024dabdf91263f10661ba7bc9311d79d57b58efabcff92410a",
            ),
        ];
        for (environment, sig, mp_sig) in known {
            let (_, body) = sample.present(environment, "BillNo_123", 233, SigningKey::RightKey);
            assert!(body.contains(&format!(r#""sig":"{sig}","mp_sig":"{mp_sig}""#)), "{body}");
        }
    }
}
