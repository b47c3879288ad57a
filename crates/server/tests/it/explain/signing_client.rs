//! Signs sample calls as a client does: the texts are written out and hashed, without the bank's code.
//!
//! Read next: `mistakes.rs`, the mistakes that such a client makes.

use hmac::{Hmac, KeyInit, Mac};
use pactolus_test_support::sample::PRESENT_FIELDS;
use pactolus_types::Environment;
use sha2::Sha256;

use crate::bank::{MIDAS_KEY, SANDBOX_KEY, SESSION_KEY, TOKEN};

/// A present: its JSON fields, and its signed pairs.
pub(super) const PRESENT: (&str, &str) = (
    PRESENT_FIELDS,
    "appid=wx1234567&bill_no=BillNo_123&offer_id=12345678&openid=odkx20ENSNa2w5y3g_qOkOvBNM1g&pf=android&present_counts=233&ts=1507530737&zone_id=1",
);

/// A pay, with every optional parameter.
pub(super) const PAY: (&str, &str) = (
    r#""openid":"odkx20ENSNa2w5y3g_qOkOvBNM1g","appid":"wx1234567","offer_id":"12345678","ts":1507530737,"zone_id":"1","pf":"android","user_ip":"1.2.3.4","amt":5,"bill_no":"pay-1","pay_item":"\u5b9d 1","app_remark":"a\/b""#,
    "amt=5&app_remark=a/b&appid=wx1234567&bill_no=pay-1&offer_id=12345678&openid=odkx20ENSNa2w5y3g_qOkOvBNM1g&pay_item=宝 1&pf=android&ts=1507530737&user_ip=1.2.3.4&zone_id=1",
);

/// A client in one environment.
#[derive(Clone, Copy)]
pub(super) struct SigningClient(pub(super) Environment);

pub(super) type SampleCall = (&'static str, &'static str);

impl SigningClient {
    pub(super) fn is_live(self) -> bool {
        self.0 == Environment::Live
    }

    pub(super) fn other(self) -> Self {
        Self(if self.is_live() { Environment::Sandbox } else { Environment::Live })
    }

    pub(super) fn key(self) -> &'static str {
        if self.is_live() { MIDAS_KEY } else { SANDBOX_KEY }
    }

    pub(super) fn path(self, sample: SampleCall) -> String {
        let call = if sample == PAY { "pay" } else { "present" };
        format!("/cgi-bin/midas/{}{call}", if self.is_live() { "" } else { "sandbox/" })
    }

    /// The signed text of `sig` with these pairs.
    pub(super) fn text(self, sample: SampleCall, pairs: &str) -> String {
        format!("{pairs}&org_loc={}&method=POST&secret={}", self.path(sample), self.key())
    }

    /// `sig` over these pairs, otherwise correct.
    pub(super) fn sign(self, sample: SampleCall, pairs: &str) -> String {
        hmac(self.key(), self.text(sample, pairs))
    }

    pub(super) fn mp_text(self, sample: SampleCall, pairs: &str) -> String {
        format!("{pairs}&org_loc={}&method=POST&session_key={SESSION_KEY}", self.path(sample))
    }

    pub(super) fn mp_sign(self, sample: SampleCall, pairs: &str) -> String {
        hmac(SESSION_KEY, self.mp_text(sample, pairs))
    }
}

pub(super) fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

pub(super) fn mac<M: Mac + KeyInit>(key: impl AsRef<[u8]>, text: impl AsRef<[u8]>) -> String {
    let mut mac = <M as KeyInit>::new_from_slice(key.as_ref()).unwrap();
    mac.update(text.as_ref());
    hex(mac.finalize().into_bytes())
}

pub(super) fn hmac(key: impl AsRef<[u8]>, text: impl AsRef<[u8]>) -> String {
    mac::<Hmac<Sha256>>(key, text)
}

/// The pairs of an `mp_sig`: those of the call plus `access_token` and `sig`, sorted.
pub(super) fn mp_pairs(pairs: &str, sig: &str) -> String {
    let mut all: Vec<_> = pairs.split('&').map(str::to_owned).collect();
    all.extend([format!("access_token={TOKEN}"), format!("sig={sig}")]);
    all.sort_by_key(|pair| pair.split('=').next().unwrap().to_owned());
    all.join("&")
}

/// Converts hex to base64.
pub(super) fn base64(hex: &str) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits =
        hex.chars().fold(String::new(), |bits, digit| bits + &format!("{:04b}", digit.to_digit(16).unwrap()));
    let digit = |six: &[u8]| {
        let six = format!("{:0<6}", std::str::from_utf8(six).unwrap());
        char::from(DIGITS[usize::from_str_radix(&six, 2).unwrap()])
    };
    let digits: String = bits.as_bytes().chunks(6).map(digit).collect();
    format!("{digits:=<44}")
}
