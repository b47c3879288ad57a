//! Requests of the calls and their receipts.
//!
//! The client adds the app and the clock, which the wire's own requests also hold.

use std::net::IpAddr;

use pactolus_protocol::{FreeText, Pf, SessionKey};
use pactolus_types::{Amount, BillNo, Coins, OpenId, ZoneId};

/// A player in a zone, with the wire's parameters about the player's device.
#[derive(Clone, Debug)]
pub struct Player {
    /// The player's id.
    pub openid: OpenId,
    /// The zone; `1` in games without zones.
    pub zone_id: ZoneId,
    /// The key of the player's session, which signs `mp_sig`. Without it no `mp_sig` is sent, which only some apps
    /// accept.
    pub session_key: Option<SessionKey>,
    /// The platform; `android` unless the app allows another.
    pub pf: Pf,
    /// The player's IP address, if it is to be sent.
    pub user_ip: Option<IpAddr>,
}

impl Player {
    /// A player in zone `1`, on `android`, without a session.
    pub fn new(openid: OpenId) -> Self {
        Self {
            openid,
            zone_id: ZoneId::new("1").expect("a valid zone"),
            session_key: None,
            pf: Pf::new("android").expect("a valid platform"),
            user_ip: None,
        }
    }

    /// The same player with a session.
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
    /// The player who receives them.
    pub player: Player,
    /// The amount.
    pub coins: Amount,
    /// The order's number and idempotency key.
    pub bill_no: BillNo,
}

/// Coins to take from a player.
#[derive(Clone, Debug)]
pub struct PayRequest {
    /// The player who pays.
    pub player: Player,
    /// The amount.
    pub coins: Amount,
    /// The order's number and idempotency key.
    pub bill_no: BillNo,
    /// The item bought, sent as `pay_item`.
    pub item: Option<FreeText>,
    /// A note, sent as `app_remark`.
    pub remark: Option<FreeText>,
}

impl PayRequest {
    /// A pay without item and remark.
    pub const fn new(player: Player, coins: Amount, bill_no: BillNo) -> Self {
        Self { player, coins, bill_no, item: None, remark: None }
    }
}

/// A pay to cancel.
#[derive(Clone, Debug)]
pub struct CancelPayRequest {
    /// The player who gets the coins back.
    pub player: Player,
    /// The bill number of the pay.
    pub bill_no: BillNo,
    /// The item of the pay, sent as `pay_item`.
    pub item: Option<FreeText>,
}

/// The attempt by which the order was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppliedBy {
    /// The attempt that the bank replied to.
    ThisAttempt,
    /// An earlier attempt of this call, whose reply was lost.
    EarlierAttempt,
    /// An earlier call: this is an idempotent replay.
    EarlierCall,
}

/// Receipt of a present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PresentReceipt {
    /// The order's number.
    pub bill_no: BillNo,
    /// The player's coins. On a replay Pactolus sends them; the vendor's host does not.
    pub balance: Option<Coins>,
    /// The attempt that applied the order.
    pub applied_by: AppliedBy,
}

/// Receipt of a pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayReceipt {
    /// The order's number.
    pub bill_no: BillNo,
    /// The player's coins. On a replay Pactolus sends them; the vendor's host does not.
    pub balance: Option<Coins>,
    /// Gifted coins among those taken. On a replay Pactolus sends them; the vendor's host does not.
    pub gifted_spent: Option<Coins>,
    /// The attempt that applied the order.
    pub applied_by: AppliedBy,
}

/// Receipt of a cancelpay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CancelPayReceipt {
    /// The bill number of the pay.
    pub bill_no: BillNo,
    /// The attempt that applied the order.
    pub applied_by: AppliedBy,
}
