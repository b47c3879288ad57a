//! Workload mix: the calls of a game's back end and of its operator, their frequencies, and their signatures.

use hyper::Method;
use pactolus_protocol::login::{CHECK_SESSION_PATH, LOGIN_PATH, session_signature};
use pactolus_protocol::token::{STABLE_TOKEN_PATH, TOKEN_PATH};
use pactolus_protocol::{
    AccessToken, AppSecret, Call, Caller, CancelPay, Credentials, FreeText, GetBalance, GrantType, MidasKey,
    Pay, Pf, Present, RefreshMode, SessionKey, StableTokenRequest, UnixSeconds, signed_body,
};
use pactolus_test_support::sample::{APP_SECRET, APPID, MIDAS_KEY, OFFER_ID, SANDBOX_MIDAS_KEY, TS};
use pactolus_types::{AppId, BillNo, OfferId, OpenId, ZoneId};

use super::connection::{ApiRequest, CallerRole};
use super::reconcile::{SoakOrder, SoakOrderKind, environment};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpKind {
    Present,
    Pay,
    CancelPay,
    GetBalance,
    /// A retry of an old order.
    Repeat,
    /// A present with a wrong signature.
    WrongSignature,
    /// The diagnosis of a refused call.
    Explain,
    Statement,
    /// Order look-up by bill number.
    Order,
    Totals,
    /// Login with a `js_code`.
    Login,
    /// A session pushed by the operator.
    PushSession,
    CheckSession,
    Token,
    StableToken,
}

impl OpKind {
    /// Every kind, in the order of its discriminants.
    pub(super) const ALL: [Self; 15] = [
        Self::Present,
        Self::Pay,
        Self::CancelPay,
        Self::GetBalance,
        Self::Repeat,
        Self::WrongSignature,
        Self::Explain,
        Self::Statement,
        Self::Order,
        Self::Totals,
        Self::Login,
        Self::PushSession,
        Self::CheckSession,
        Self::Token,
        Self::StableToken,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Pay => "pay",
            Self::CancelPay => "cancelpay",
            Self::GetBalance => "getbalance",
            Self::Repeat => "an old order again",
            Self::WrongSignature => "a wrong signature",
            Self::Explain => "a refusal explained",
            Self::Statement => "statement",
            Self::Order => "order look-up",
            Self::Totals => "totals",
            Self::Login => "login by a code",
            Self::PushSession => "login pushed",
            Self::CheckSession => "checksession",
            Self::Token => "token",
            Self::StableToken => "stable_token",
        }
    }
}

/// Work of one turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WorkItem {
    /// The worker's next order, a present or a pay.
    NewOrder,
    Other(OpKind),
}

/// Frequency of each item, per thousand turns. Only one worker requests tokens, because a game shares one token among
/// its servers.
const WORKLOAD_MIX: [(u64, WorkItem); 14] = [
    (520, WorkItem::NewOrder),
    (40, WorkItem::Other(OpKind::CancelPay)),
    (248, WorkItem::Other(OpKind::GetBalance)),
    (60, WorkItem::Other(OpKind::Repeat)),
    (30, WorkItem::Other(OpKind::WrongSignature)),
    (5, WorkItem::Other(OpKind::Explain)),
    (30, WorkItem::Other(OpKind::Statement)),
    (30, WorkItem::Other(OpKind::Order)),
    (4, WorkItem::Other(OpKind::Totals)),
    (3, WorkItem::Other(OpKind::Login)),
    (2, WorkItem::Other(OpKind::PushSession)),
    (18, WorkItem::Other(OpKind::CheckSession)),
    (5, WorkItem::Other(OpKind::Token)),
    (5, WorkItem::Other(OpKind::StableToken)),
];

impl WorkItem {
    /// The item for a random number.
    pub(super) fn pick(drawn: u64) -> Self {
        let mut left = drawn % 1000;
        for (share, turn) in WORKLOAD_MIX {
            match left.checked_sub(share) {
                None => return turn,
                Some(rest) => left = rest,
            }
        }
        unreachable!("the shares are a thousand")
    }
}

/// A player who is logged in.
#[derive(Clone)]
pub(super) struct PlayerSession {
    pub(super) number: u64,
    pub(super) openid: OpenId,
    pub(super) key: SessionKey,
}

/// Whether the operator pushes this player's sessions. The others log in with a `js_code`.
pub(super) fn uses_pushed_login(player: u64) -> bool {
    player.is_multiple_of(3)
}

/// The openid of a player with pushed sessions.
pub(super) fn pushed_openid(player: u64) -> OpenId {
    OpenId::new(&format!("{PUSHED_OPENID_PREFIX}{player}")).expect(VALID)
}

/// The player of such an openid.
pub(super) fn parse_pushed_openid(openid: &str) -> Option<u64> {
    openid.strip_prefix(PUSHED_OPENID_PREFIX)?.parse().ok()
}

const PUSHED_OPENID_PREFIX: &str = "soak-player-";
const VALID: &str = "these values are valid";

/// The game's back end, with its keys.
pub(super) struct GameClient {
    appid: AppId,
    offer: OfferId,
    credentials: Credentials,
    live_key: MidasKey,
    sandbox_key: MidasKey,
    wrong_key: MidasKey,
    /// In UTC.
    today: String,
}

impl GameClient {
    pub(super) fn new(today: &str) -> Self {
        let key = |text| MidasKey::new(text).expect(VALID);
        let appid = AppId::new(APPID).expect(VALID);
        Self {
            appid,
            offer: OfferId::new(OFFER_ID).expect(VALID),
            credentials: Credentials { appid, secret: AppSecret::new(APP_SECRET).expect(VALID) },
            live_key: key(MIDAS_KEY),
            sandbox_key: key(SANDBOX_MIDAS_KEY),
            wrong_key: key("a-key-that-the-bank-does-not-have"),
            today: today.to_owned(),
        }
    }

    /// A present or a pay.
    pub(super) fn order(&self, sent: &SoakOrder, player: &PlayerSession, token: &AccessToken) -> ApiRequest {
        let key = self.midas_key(player);
        match sent.kind {
            SoakOrderKind::Present => signed_request(&self.present(sent, player), player, key, token),
            SoakOrderKind::Pay => {
                let pay = Pay {
                    caller: self.caller(player),
                    amt: sent.coins,
                    bill_no: sent.bill_no,
                    pay_item: FreeText::new("sword*1").ok(),
                    app_remark: None,
                };
                signed_request(&pay, player, key, token)
            }
        }
    }

    pub(super) fn cancel(&self, bill_no: BillNo, player: &PlayerSession, token: &AccessToken) -> ApiRequest {
        let cancel = CancelPay { caller: self.caller(player), bill_no, pay_item: None };
        signed_request(&cancel, player, self.midas_key(player), token)
    }

    pub(super) fn balance(&self, player: &PlayerSession, token: &AccessToken) -> ApiRequest {
        let balance = GetBalance { caller: self.caller(player) };
        signed_request(&balance, player, self.midas_key(player), token)
    }

    /// A present that the bank must refuse.
    pub(super) fn wrong_signature(
        &self,
        sent: &SoakOrder,
        player: &PlayerSession,
        token: &AccessToken,
    ) -> ApiRequest {
        let bill_no = BillNo::new("soak-wrong").expect(VALID);
        let present = Present { bill_no, ..self.present(sent, player) };
        signed_request(&present, player, &self.wrong_key, token)
    }

    pub(super) fn login(&self, player: u64) -> ApiRequest {
        let credentials = self.credentials.to_query(GrantType::AuthorizationCode);
        get(CallerRole::Game, format!("{LOGIN_PATH}?{credentials}&js_code=soak-{player}"))
    }

    pub(super) fn token(&self) -> ApiRequest {
        get(
            CallerRole::Game,
            format!("{TOKEN_PATH}?{}", self.credentials.to_query(GrantType::ClientCredential)),
        )
    }

    pub(super) fn stable_token(&self) -> ApiRequest {
        let asked =
            StableTokenRequest { credentials: self.credentials.clone(), refresh: RefreshMode::WhenExpired };
        post(STABLE_TOKEN_PATH.to_owned(), asked.to_json())
    }

    pub(super) fn totals(&self) -> ApiRequest {
        let today = &self.today;
        get(CallerRole::Operator, format!("/api/v1/apps/{APPID}/totals?env=live&from={today}&to={today}"))
    }

    fn present(&self, sent: &SoakOrder, player: &PlayerSession) -> Present {
        Present { caller: self.caller(player), present_counts: sent.coins, bill_no: sent.bill_no }
    }

    fn caller(&self, player: &PlayerSession) -> Caller {
        Caller {
            openid: player.openid,
            appid: self.appid,
            offer_id: self.offer,
            ts: UnixSeconds::new(TS).expect(VALID),
            zone_id: ZoneId::new(&zone(player.number)).expect(VALID),
            pf: Pf::new("android").expect(VALID),
            user_ip: None,
        }
    }

    fn midas_key(&self, player: &PlayerSession) -> &MidasKey {
        match environment(player.number) {
            pactolus_types::Environment::Live => &self.live_key,
            pactolus_types::Environment::Sandbox => &self.sandbox_key,
        }
    }
}

/// Pushes a player's session through the operator API.
pub(super) fn push_session(openid: OpenId, key: &SessionKey) -> ApiRequest {
    let key = key.expose();
    ApiRequest {
        method: Method::PUT,
        path_and_query: format!("/api/v1/apps/{APPID}/players/{openid}/session"),
        body: format!(r#"{{"session_key":"{key}","expires_in":172800}}"#).into_bytes(),
        role: CallerRole::Operator,
    }
}

/// Asks whether a player's session key is the current one.
pub(super) fn check_session(player: &PlayerSession, token: &AccessToken) -> ApiRequest {
    let (token, openid, signature) = (token.to_query(), player.openid, session_signature(&player.key));
    let query = format!("{token}&openid={openid}&signature={signature}&sig_method=hmac_sha256");
    get(CallerRole::Game, format!("{CHECK_SESSION_PATH}?{query}"))
}

/// A player's newest orders.
pub(super) fn statement(player: &PlayerSession) -> ApiRequest {
    let (env, openid, zone) = (environment(player.number), player.openid, zone(player.number));
    let query = format!("env={env}&openid={openid}&zone_id={zone}&limit=20");
    get(CallerRole::Operator, format!("/api/v1/apps/{APPID}/statement?{query}"))
}

/// Order look-up by bill number.
pub(super) fn look_up(sent: &SoakOrder) -> ApiRequest {
    let (bill_no, env) = (sent.bill_no, environment(sent.player));
    get(CallerRole::Operator, format!("/api/v1/apps/{APPID}/orders/{bill_no}?env={env}"))
}

/// The diagnosis of a refused call.
pub(super) fn explain(rid: &str) -> ApiRequest {
    get(CallerRole::Operator, format!("/api/v1/rejections/{rid}"))
}

fn signed_request<C: Call>(
    call: &C,
    player: &PlayerSession,
    key: &MidasKey,
    token: &AccessToken,
) -> ApiRequest {
    let environment = environment(player.number);
    let body = signed_body(call, environment, key, Some((&player.key, token)));
    post(format!("{}?{}", C::path(environment), token.to_query()), body.into_bytes())
}

/// A player's game server: one of four.
fn zone(player: u64) -> String {
    (1 + player / 64 % 4).to_string()
}

fn get(by: CallerRole, path_and_query: String) -> ApiRequest {
    ApiRequest { method: Method::GET, path_and_query, body: Vec::new(), role: by }
}

fn post(path_and_query: String, body: Vec<u8>) -> ApiRequest {
    ApiRequest { method: Method::POST, path_and_query, body, role: CallerRole::Game }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workload_mix_shares_add_up_to_a_thousand() {
        assert_eq!(WORKLOAD_MIX.iter().map(|(share, _)| share).sum::<u64>(), 1000);
        for (share, turn) in WORKLOAD_MIX {
            let drawn = (0..1000).filter(|drawn| WorkItem::pick(*drawn) == turn).count();
            assert_eq!(drawn as u64, share, "{turn:?}");
        }
    }

    #[test]
    fn op_kind_discriminant_is_its_index() {
        for (place, kind) in OpKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, place);
        }
    }
}
