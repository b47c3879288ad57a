//! Workload: presents of one app to its players, as orders and as signed requests.
//!
//! A number stands for a gift. Its bill number and its player look random, and no two numbers have the same bill
//! number.

use pactolus_ledger::{AccountKey, Memo, Numbering, Order, OrderKind};
use pactolus_protocol::{
    AccessToken, Call, Caller, GetBalance, MidasKey, Pf, Present, SessionKey, UnixSeconds, signed_body,
};
use pactolus_test_support::sample::{APPID, OFFER_ID, TS, ZONE_ID, access_token, midas_key, session_key};
use pactolus_types::{Amount, AppId, BillNo, Environment, OfferId, OpenId, ZoneId};

/// The environment of all gifts.
pub(crate) const ENVIRONMENT: Environment = Environment::Live;

/// Reason of the `expect`s on the constants above.
const VALID: &str = "these values are valid";

/// An app with everything it signs with.
#[derive(Clone)]
pub(crate) struct PresentWorkload {
    players: u64,
    pub(crate) midas_key: MidasKey,
    pub(crate) session_key: SessionKey,
    pub(crate) access_token: AccessToken,
    appid: AppId,
    offer_id: OfferId,
    zone_id: ZoneId,
    pf: Pf,
    ts: UnixSeconds,
}

impl PresentWorkload {
    pub(crate) fn for_players(players: u64) -> Self {
        Self {
            players: players.max(1),
            midas_key: midas_key(ENVIRONMENT),
            session_key: session_key(),
            access_token: access_token(),
            appid: AppId::new(APPID).expect(VALID),
            offer_id: OfferId::new(OFFER_ID).expect(VALID),
            zone_id: ZoneId::new(ZONE_ID).expect(VALID),
            pf: Pf::new("android").expect(VALID),
            ts: UnixSeconds::new(TS).expect(VALID),
        }
    }

    /// The recipient of gift `number`.
    pub(crate) fn player(&self, number: u64) -> OpenId {
        player(split_mix64(split_mix64(number)) % self.players)
    }

    pub(crate) fn players(&self) -> impl Iterator<Item = OpenId> {
        (0..self.players).map(player)
    }

    /// Gift `number`, as a call.
    pub(crate) fn present(&self, number: u64) -> Present {
        Present { caller: self.caller(number), present_counts: amount(number), bill_no: bill_no(number) }
    }

    /// Gift `number`, as an order.
    pub(crate) fn order(&self, number: u64) -> Order {
        order(&self.present(number))
    }

    /// The body of gift `number`, signed as documented.
    pub(crate) fn signed_present(&self, number: u64) -> String {
        self.sign(&self.present(number))
    }

    /// The signed balance query of the recipient of gift `number`.
    pub(crate) fn signed_get_balance(&self, number: u64) -> String {
        self.sign(&GetBalance { caller: self.caller(number) })
    }

    fn caller(&self, number: u64) -> Caller {
        Caller {
            openid: self.player(number),
            appid: self.appid,
            offer_id: self.offer_id,
            ts: self.ts,
            zone_id: self.zone_id,
            pf: self.pf,
            user_ip: None,
        }
    }

    fn sign<C: Call>(&self, call: &C) -> String {
        signed_body(call, ENVIRONMENT, &self.midas_key, Some((&self.session_key, &self.access_token)))
    }
}

/// The order of a present.
pub(crate) fn order(present: &Present) -> Order {
    let caller = &present.caller;
    Order {
        account: AccountKey {
            app: caller.appid,
            environment: ENVIRONMENT,
            offer: caller.offer_id,
            player: caller.openid,
            zone: caller.zone_id,
        },
        bill_no: present.bill_no,
        numbering: Numbering::OfApp,
        kind: OrderKind::Present(present.present_counts.into()),
        memo: Memo::default(),
    }
}

fn player(number: u64) -> OpenId {
    OpenId::new(&format!("odkx20ENSNa2w5y3g_{number:010}")).expect(VALID)
}

fn amount(number: u64) -> Amount {
    Amount::new(1 + number % 1000).expect(VALID)
}

fn bill_no(number: u64) -> BillNo {
    BillNo::new(&format!("{:016x}{:08x}", split_mix64(number), number & 0xffff_ffff)).expect(VALID)
}

/// SplitMix64: a bijection, so bill numbers never repeat.
fn split_mix64(number: u64) -> u64 {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
