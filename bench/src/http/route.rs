//! What is asked of the server: the bank's own routes, and those beside them that do a part of what a present does.

use std::ops::Range;

use pactolus_protocol::{Call, GetBalance, Present};
use serde::Serialize;

use crate::load::PreparedRequests;
use crate::load::schedule::RequestSource;
use crate::workload::{ACCESS_TOKEN, APPID, ENVIRONMENT, PresentWorkload, ZONE_ID};

/// What opens the operator API of the server that is measured.
pub(crate) const OPERATOR_TOKEN: &str = "operators-token";

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
    pub(crate) const fn description(self) -> &'static str {
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
    const fn expected_prefix(self) -> &'static [u8] {
        match self {
            Self::Null | Self::Verified | Self::Posted | Self::Present | Self::GetBalance => {
                br#"{"errcode":0,"#
            }
            Self::Statement => br#"{"orders":[{"#,
        }
    }

    /// The requests with these numbers.
    pub(crate) fn requests(
        self,
        host: &str,
        workload: &PresentWorkload,
        numbers: Range<u64>,
    ) -> PreparedRequests {
        PreparedRequests::new(numbers, self.expected_prefix(), |number, bytes| {
            self.write_request(host, workload, number, bytes);
        })
    }

    /// Adds the request with this number to `bytes`.
    pub(crate) fn write_request(
        self,
        host: &str,
        workload: &PresentWorkload,
        number: u64,
        bytes: &mut Vec<u8>,
    ) {
        let request_text = match self {
            Self::Null | Self::Verified | Self::Posted => {
                request("POST", host, self.path(), "", &workload.signed_present(number))
            }
            Self::Present => {
                let path = format!("{}?access_token={ACCESS_TOKEN}", Present::path(ENVIRONMENT));
                request("POST", host, &path, "", &workload.signed_present(number))
            }
            Self::GetBalance => {
                let path = format!("{}?access_token={ACCESS_TOKEN}", GetBalance::path(ENVIRONMENT));
                request("POST", host, &path, "", &workload.signed_get_balance(number))
            }
            Self::Statement => {
                let player = workload.player(number);
                let query = format!("env={ENVIRONMENT}&openid={player}&zone_id={ZONE_ID}&limit=20");
                operator_request("GET", host, &format!("/api/v1/apps/{APPID}/statement?{query}"), "")
            }
        };
        bytes.extend_from_slice(request_text.as_bytes());
    }
}

/// A request to the operator API.
pub(super) fn operator_request(method: &str, host: &str, path: &str, body: &str) -> String {
    let extra = format!("authorization: Bearer {OPERATOR_TOKEN}\r\ncontent-type: application/json\r\n");
    request(method, host, path, &extra, body)
}

fn request(method: &str, host: &str, path: &str, extra: &str, body: &str) -> String {
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n{extra}content-length: {length}\r\n\r\n{body}")
}

/// Presents to a server, made one by one.
#[derive(Clone)]
pub(crate) struct PresentRequests {
    pub(crate) host: String,
    pub(crate) workload: PresentWorkload,
}

impl RequestSource for PresentRequests {
    const EXPECTED_PREFIX: &'static [u8] = Route::Present.expected_prefix();

    fn write_request(&self, number: u64, bytes: &mut Vec<u8>) {
        bytes.clear();
        Route::Present.write_request(&self.host, &self.workload, number, bytes);
    }
}
