//! What is asked of the server: the bank's own routes, and those beside them that do a part of what a present does.

use std::ops::Range;

use pactolus_protocol::{Call, GetBalance, Present};
use serde::Serialize;

use crate::load::Requests;
use crate::load::schedule::Write;
use crate::workload::{APPID, ENVIRONMENT, Gifts, TOKEN, ZONE};

/// What opens the operator API of the server that is measured.
pub(crate) const OPERATOR: &str = "operators-token";

/// A route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Route {
    /// Parses a present's body and answers a constant.
    Null,
    /// Verifies both signatures besides.
    Verified,
    /// Posts the order to the ledger besides, and waits until it is on disk.
    Posted,
    /// The bank's own: besides, the token, the session, rates, deadlines, the log, and the answer; without the router.
    Present,
    /// The bank's own: a signed question for a player's balance.
    GetBalance,
    /// The operator API's: the newest twenty orders of a player.
    Statement,
}

impl Route {
    /// Where it is.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Null => "/null",
            Self::Verified => "/verified",
            Self::Posted => "/posted",
            Self::Present => "/cgi-bin/midas/present",
            Self::GetBalance => "/cgi-bin/midas/getbalance",
            Self::Statement => "/api/v1/apps/{appid}/statement",
        }
    }

    /// What it does, for a table.
    pub(crate) const fn does(self) -> &'static str {
        match self {
            Self::Null => "null: the body parsed",
            Self::Verified => "and both signatures verified",
            Self::Posted => "and posted to the ledger, on disk",
            Self::Present => "a present, as a back end calls it",
            Self::GetBalance => "a balance, signed",
            Self::Statement => "a statement's page of 20 orders",
        }
    }

    /// How its answer begins if all is well.
    const fn expected(self) -> &'static [u8] {
        match self {
            Self::Null | Self::Verified | Self::Posted | Self::Present | Self::GetBalance => {
                br#"{"errcode":0,"#
            }
            Self::Statement => br#"{"orders":[{"#,
        }
    }

    /// The requests with these numbers.
    pub(crate) fn requests(self, host: &str, gifts: &Gifts, numbers: Range<u64>) -> Requests {
        Requests::new(numbers, self.expected(), |number, bytes| self.write(host, gifts, number, bytes))
    }

    /// Adds the request with this number to `bytes`.
    pub(crate) fn write(self, host: &str, gifts: &Gifts, number: u64, bytes: &mut Vec<u8>) {
        let own = match self {
            Self::Null | Self::Verified | Self::Posted => {
                request("POST", host, self.path(), "", &gifts.signed_present(number))
            }
            Self::Present => {
                let path = format!("{}?access_token={TOKEN}", Present::path(ENVIRONMENT));
                request("POST", host, &path, "", &gifts.signed_present(number))
            }
            Self::GetBalance => {
                let path = format!("{}?access_token={TOKEN}", GetBalance::path(ENVIRONMENT));
                request("POST", host, &path, "", &gifts.signed_get_balance(number))
            }
            Self::Statement => {
                let player = gifts.player(number);
                let query = format!("env={ENVIRONMENT}&openid={player}&zone_id={ZONE}&limit=20");
                operator("GET", host, &format!("/api/v1/apps/{APPID}/statement?{query}"), "")
            }
        };
        bytes.extend_from_slice(own.as_bytes());
    }
}

/// A request to the operator API.
pub(super) fn operator(method: &str, host: &str, path: &str, body: &str) -> String {
    let extra = format!("authorization: Bearer {OPERATOR}\r\ncontent-type: application/json\r\n");
    request(method, host, path, &extra, body)
}

fn request(method: &str, host: &str, path: &str, extra: &str, body: &str) -> String {
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n{extra}content-length: {length}\r\n\r\n{body}")
}

/// Presents to a server, made one by one.
#[derive(Clone)]
pub(crate) struct Presents {
    pub(crate) host: String,
    pub(crate) gifts: Gifts,
}

impl Write for Presents {
    const EXPECTED: &'static [u8] = Route::Present.expected();

    fn write(&self, number: u64, bytes: &mut Vec<u8>) {
        bytes.clear();
        Route::Present.write(&self.host, &self.gifts, number, bytes);
    }
}
