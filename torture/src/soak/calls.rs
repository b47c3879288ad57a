//! What is asked of the bank, how often, and how it is signed: as a game's back end and its operator ask.

use hyper::Method;
use pactolus_protocol::login::{CHECK_SESSION_PATH, LOGIN_PATH, session_signature};
use pactolus_protocol::token::{STABLE_TOKEN_PATH, TOKEN_PATH};
use pactolus_protocol::{
    AccessToken, AppSecret, Call, Caller, CancelPay, Credentials, FreeText, GetBalance, GrantType, MidasKey,
    Pay, Pf, Present, RefreshMode, SessionKey, StableTokenRequest, UnixSeconds, signed_body,
};
use pactolus_types::{AppId, BillNo, OfferId, OpenId, ZoneId};

use super::connection::{By, Request};
use super::reconcile::{Does, Sent, environment};
use crate::workload::{APP_SECRET, APPID, MIDAS_KEY, OFFER, SANDBOX_MIDAS_KEY};

/// A kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Present,
    Pay,
    CancelPay,
    GetBalance,
    /// An old order once more.
    Repeat,
    /// A present whose signature is wrong.
    WrongSignature,
    /// Why a call was refused.
    Explain,
    Statement,
    /// What a bill number made.
    Order,
    Totals,
    /// A login by a code.
    Login,
    /// A login that the operator pushes.
    PushSession,
    CheckSession,
    Token,
    StableToken,
}

impl Kind {
    /// Every kind, by its place as a number.
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

/// What a turn is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The lane's next order, a present or a pay.
    NewOrder,
    /// Something else.
    Other(Kind),
}

/// How often each turn comes, of a thousand. Tokens are asked for by one lane alone, as a game keeps one token for all
/// its servers.
const TURNS: [(u64, Turn); 14] = [
    (520, Turn::NewOrder),
    (40, Turn::Other(Kind::CancelPay)),
    (248, Turn::Other(Kind::GetBalance)),
    (60, Turn::Other(Kind::Repeat)),
    (30, Turn::Other(Kind::WrongSignature)),
    (5, Turn::Other(Kind::Explain)),
    (30, Turn::Other(Kind::Statement)),
    (30, Turn::Other(Kind::Order)),
    (4, Turn::Other(Kind::Totals)),
    (3, Turn::Other(Kind::Login)),
    (2, Turn::Other(Kind::PushSession)),
    (18, Turn::Other(Kind::CheckSession)),
    (5, Turn::Other(Kind::Token)),
    (5, Turn::Other(Kind::StableToken)),
];

impl Turn {
    /// The turn that a drawn number stands for.
    pub(super) fn of(drawn: u64) -> Self {
        let mut left = drawn % 1000;
        for (share, turn) in TURNS {
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
pub(super) struct Player {
    pub(super) number: u64,
    pub(super) openid: OpenId,
    pub(super) key: SessionKey,
}

/// Whether a player's logins are pushed by the operator; the others log in by a code.
pub(super) fn is_pushed(player: u64) -> bool {
    player.is_multiple_of(3)
}

/// The id of a player whose logins are pushed.
pub(super) fn pushed_openid(player: u64) -> OpenId {
    OpenId::new(&format!("{PUSHED}{player}")).expect(VALID)
}

/// The player whose id that is.
pub(super) fn pushed_player(openid: &str) -> Option<u64> {
    openid.strip_prefix(PUSHED)?.parse().ok()
}

const PUSHED: &str = "soak-player-";
const VALID: &str = "these values are valid";

/// The game that asks, and everything it signs with.
pub(super) struct Game {
    appid: AppId,
    offer: OfferId,
    credentials: Credentials,
    live: MidasKey,
    sandbox: MidasKey,
    wrong: MidasKey,
    /// By UTC.
    today: String,
}

impl Game {
    pub(super) fn new(today: &str) -> Self {
        let key = |text| MidasKey::new(text).expect(VALID);
        let appid = AppId::new(APPID).expect(VALID);
        Self {
            appid,
            offer: OfferId::new(OFFER).expect(VALID),
            credentials: Credentials { appid, secret: AppSecret::new(APP_SECRET).expect(VALID) },
            live: key(MIDAS_KEY),
            sandbox: key(SANDBOX_MIDAS_KEY),
            wrong: key("a-key-that-the-bank-does-not-have"),
            today: today.to_owned(),
        }
    }

    /// A present or a pay.
    pub(super) fn order(&self, sent: &Sent, player: &Player, token: &AccessToken) -> Request {
        let key = self.midas_key(player);
        match sent.does {
            Does::Present => signed(&self.present(sent, player), player, key, token),
            Does::Pay => {
                let pay = Pay {
                    caller: self.caller(player),
                    amt: sent.coins,
                    bill_no: sent.bill_no,
                    pay_item: FreeText::new("sword*1").ok(),
                    app_remark: None,
                };
                signed(&pay, player, key, token)
            }
        }
    }

    pub(super) fn cancel(&self, bill_no: BillNo, player: &Player, token: &AccessToken) -> Request {
        let cancel = CancelPay { caller: self.caller(player), bill_no, pay_item: None };
        signed(&cancel, player, self.midas_key(player), token)
    }

    pub(super) fn balance(&self, player: &Player, token: &AccessToken) -> Request {
        let balance = GetBalance { caller: self.caller(player) };
        signed(&balance, player, self.midas_key(player), token)
    }

    /// A present that must be refused.
    pub(super) fn wrong(&self, sent: &Sent, player: &Player, token: &AccessToken) -> Request {
        let bill_no = BillNo::new("soak-wrong").expect(VALID);
        let present = Present { bill_no, ..self.present(sent, player) };
        signed(&present, player, &self.wrong, token)
    }

    pub(super) fn login(&self, player: u64) -> Request {
        let credentials = self.credentials.to_query(GrantType::AuthorizationCode);
        get(By::Game, format!("{LOGIN_PATH}?{credentials}&js_code=soak-{player}"))
    }

    pub(super) fn token(&self) -> Request {
        get(By::Game, format!("{TOKEN_PATH}?{}", self.credentials.to_query(GrantType::ClientCredential)))
    }

    pub(super) fn stable_token(&self) -> Request {
        let asked =
            StableTokenRequest { credentials: self.credentials.clone(), refresh: RefreshMode::WhenExpired };
        post(STABLE_TOKEN_PATH.to_owned(), asked.to_json())
    }

    pub(super) fn totals(&self) -> Request {
        let today = &self.today;
        get(By::Operator, format!("/api/v1/apps/{APPID}/totals?env=live&from={today}&to={today}"))
    }

    fn present(&self, sent: &Sent, player: &Player) -> Present {
        Present { caller: self.caller(player), present_counts: sent.coins, bill_no: sent.bill_no }
    }

    fn caller(&self, player: &Player) -> Caller {
        Caller {
            openid: player.openid,
            appid: self.appid,
            offer_id: self.offer,
            ts: UnixSeconds::new(1_507_530_737).expect(VALID),
            zone_id: ZoneId::new(&zone(player.number)).expect(VALID),
            pf: Pf::new("android").expect(VALID),
            user_ip: None,
        }
    }

    fn midas_key(&self, player: &Player) -> &MidasKey {
        match environment(player.number) {
            pactolus_types::Environment::Live => &self.live,
            pactolus_types::Environment::Sandbox => &self.sandbox,
        }
    }
}

/// Logs a player in, as the operator does.
pub(super) fn push_session(openid: OpenId, key: &SessionKey) -> Request {
    let key = key.expose();
    Request {
        method: Method::PUT,
        path_and_query: format!("/api/v1/apps/{APPID}/players/{openid}/session"),
        body: format!(r#"{{"session_key":"{key}","expires_in":172800}}"#).into_bytes(),
        by: By::Operator,
    }
}

/// Asks whether a player's session is the one in place.
pub(super) fn check_session(player: &Player, token: &AccessToken) -> Request {
    let (token, openid, signature) = (token.to_query(), player.openid, session_signature(&player.key));
    let query = format!("{token}&openid={openid}&signature={signature}&sig_method=hmac_sha256");
    get(By::Game, format!("{CHECK_SESSION_PATH}?{query}"))
}

/// Asks for a player's newest orders.
pub(super) fn statement(player: &Player) -> Request {
    let (env, openid, zone) = (environment(player.number), player.openid, zone(player.number));
    let query = format!("env={env}&openid={openid}&zone_id={zone}&limit=20");
    get(By::Operator, format!("/api/v1/apps/{APPID}/statement?{query}"))
}

/// Asks what a bill number made.
pub(super) fn look_up(sent: &Sent) -> Request {
    let (bill_no, env) = (sent.bill_no, environment(sent.player));
    get(By::Operator, format!("/api/v1/apps/{APPID}/orders/{bill_no}?env={env}"))
}

/// Asks why a call was refused.
pub(super) fn explain(rid: &str) -> Request {
    get(By::Operator, format!("/api/v1/rejections/{rid}"))
}

fn signed<C: Call>(call: &C, player: &Player, key: &MidasKey, token: &AccessToken) -> Request {
    let environment = environment(player.number);
    let body = signed_body(call, environment, key, Some((&player.key, token)));
    post(format!("{}?{}", C::path(environment), token.to_query()), body.into_bytes())
}

/// The game server that a player plays on: one of four.
fn zone(player: u64) -> String {
    (1 + player / 64 % 4).to_string()
}

fn get(by: By, path_and_query: String) -> Request {
    Request { method: Method::GET, path_and_query, body: Vec::new(), by }
}

fn post(path_and_query: String, body: Vec<u8>) -> Request {
    Request { method: Method::POST, path_and_query, body, by: By::Game }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_a_thousand_and_every_turn_comes() {
        assert_eq!(TURNS.iter().map(|(share, _)| share).sum::<u64>(), 1000);
        for (share, turn) in TURNS {
            let drawn = (0..1000).filter(|drawn| Turn::of(*drawn) == turn).count();
            assert_eq!(drawn as u64, share, "{turn:?}");
        }
    }

    #[test]
    fn a_kind_has_its_number_for_its_place() {
        for (place, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, place);
        }
    }
}
