//! Routes under measurement: the bank's own, and baseline routes that do a part of a present's work.

use std::ops::Range;

use pactolus_protocol::{Call, GetBalance, Present};
use pactolus_test_support::sample::{ACCESS_TOKEN, APPID, ZONE_ID};
use serde::Serialize;

use crate::load::PreparedRequests;
use crate::load::schedule::RequestSource;
use crate::workload::{ENVIRONMENT, PresentWorkload};

/// Bearer token of the measured server's operator API.
pub(crate) const OPERATOR_TOKEN: &str = "operators-token";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Route {
    /// Parses a present's body and returns a constant.
    Null,
    /// `Null`, plus both signatures.
    Verified,
    /// `Verified`, plus the order: posted to the ledger and on disk.
    Posted,
    /// The bank's own call: `Posted`, plus token, session, rate limits, timeouts, log and reply; without the router.
    Present,
    /// The bank's own call: a signed query of a player's balance.
    GetBalance,
    /// The operator API: the newest 20 orders of a player.
    Statement,
}

impl Route {
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

    /// The route's work, for a table.
    pub(crate) const fn description(self) -> &'static str {
        match self {
            Self::Null => "null: parses the body",
            Self::Verified => "verified: plus both signatures",
            Self::Posted => "posted: plus the order, on disk",
            Self::Present => "present: the whole call",
            Self::GetBalance => "getbalance, signed",
            Self::Statement => "statement page of 20 orders",
        }
    }

    /// Start of a successful reply's body.
    const fn expected_prefix(self) -> &'static [u8] {
        match self {
            Self::Null | Self::Verified | Self::Posted | Self::Present | Self::GetBalance => {
                br#"{"errcode":0,"#
            }
            Self::Statement => br#"{"orders":[{"#,
        }
    }

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

    /// Appends request `number` to `bytes`.
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

pub(super) fn operator_request(method: &str, host: &str, path: &str, body: &str) -> String {
    let extra = format!("authorization: Bearer {OPERATOR_TOKEN}\r\ncontent-type: application/json\r\n");
    request(method, host, path, &extra, body)
}

fn request(method: &str, host: &str, path: &str, extra: &str, body: &str) -> String {
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n{extra}content-length: {length}\r\n\r\n{body}")
}

/// Presents generated one at a time during the load.
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
