//! What is asked, and what comes of it.
//!
//! The wire's own requests also hold the app and the caller's clock, which the client adds.

use std::net::IpAddr;

use pactolus_protocol::{FreeText, Pf, SessionKey};
use pactolus_types::{Amount, BillNo, Coins, OpenId, ZoneId};

/// A player in a zone, and what the wire wants to know of the player's own client.
#[derive(Clone, Debug)]
pub struct Player {
    /// Who.
    pub openid: OpenId,
    /// In which zone; `1` in games without zones.
    pub zone_id: ZoneId,
    /// The key of the player's login, which signs `mp_sig`. Without it no `mp_sig` is sent, which some apps' banks
    /// take.
    pub session_key: Option<SessionKey>,
    /// The platform; `android` unless the app may name another.
    pub pf: Pf,
    /// The player's address, if it is to be told.
    pub user_ip: Option<IpAddr>,
}

impl Player {
    /// A player in the zone of games without zones, on `android`, without a login.
    pub fn new(openid: OpenId) -> Self {
        Self {
            openid,
            zone_id: ZoneId::new("1").expect("it keeps the rule of a zone"),
            session_key: None,
            pf: Pf::new("android").expect("it keeps the rule of a platform"),
            user_ip: None,
        }
    }

    /// The same player, logged in with `session_key`.
    #[must_use]
    pub fn with_session_key(self, session_key: SessionKey) -> Self {
        Self { session_key: Some(session_key), ..self }
    }

    /// The same player in another zone.
    #[must_use]
    pub fn with_zone(self, zone_id: ZoneId) -> Self {
        Self { zone_id, ..self }
    }
}

/// Coins to give to a player.
#[derive(Clone, Debug)]
pub struct PresentRequest {
    /// To whom.
    pub player: Player,
    /// How many.
    pub coins: Amount,
    /// The order's number. The same one again is the same order.
    pub bill_no: BillNo,
}

/// Coins to take from a player.
#[derive(Clone, Debug)]
pub struct PayRequest {
    /// From whom.
    pub player: Player,
    /// How many.
    pub coins: Amount,
    /// The order's number. The same one again is the same order.
    pub bill_no: BillNo,
    /// What for, if it is to be told.
    pub item: Option<FreeText>,
    /// What else there is to note.
    pub remark: Option<FreeText>,
}

impl PayRequest {
    /// A pay with nothing noted.
    pub const fn new(player: Player, coins: Amount, bill_no: BillNo) -> Self {
        Self { player, coins, bill_no, item: None, remark: None }
    }
}

/// A pay to give back.
#[derive(Clone, Debug)]
pub struct CancelPayRequest {
    /// To whom.
    pub player: Player,
    /// The number of the pay.
    pub bill_no: BillNo,
    /// What the pay was for, if it is to be told.
    pub item: Option<FreeText>,
}

/// Which try it was that the bank did as it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppliedBy {
    /// The one that it answered so.
    ThisAttempt,
    /// An earlier try of this call, whose answer was lost.
    EarlierAttempt,
    /// A call before this one: the very same order was there already.
    EarlierCall,
}

/// Coins that are given, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PresentReceipt {
    /// The order's number.
    pub bill_no: BillNo,
    /// The player's coins. Of an order that was there already Pactolus tells them, the vendor's host does not.
    pub balance: Option<Coins>,
    /// Which try it was.
    pub applied_by: AppliedBy,
}

/// Coins that are taken, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayReceipt {
    /// The order's number.
    pub bill_no: BillNo,
    /// The player's coins. Of an order that was there already Pactolus tells them, the vendor's host does not.
    pub balance: Option<Coins>,
    /// Gifted coins among those taken; not told of an order that was there already.
    pub gifted_spent: Option<Coins>,
    /// Which try it was.
    pub applied_by: AppliedBy,
}

/// A pay that is given back, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CancelPayReceipt {
    /// The number of the pay.
    pub bill_no: BillNo,
    /// Which try it was.
    pub applied_by: AppliedBy,
}
