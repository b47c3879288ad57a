//! Every known mistake in `sig`, with the finding that names it.
//!
//! Read next: `mp_sig_mistakes.rs`, those in `mp_sig`.

use hmac::Hmac;
use sha2::{Digest as _, Sha256};

use super::mistakes::{MistakeCase, case};
use super::signing_client::{PAY, PRESENT, base64, hex, hmac, mac, mp_pairs};
use crate::bank::{SECRET, TOKEN};

pub(super) const SIG_MISTAKES: &[MistakeCase] = &[
    case("other-environments-key", "signed with the OTHER environment's key", PRESENT, "", |c, _| {
        let key = c.other().key();
        hmac(key, format!("{}&org_loc={}&method=POST&secret={key}", PRESENT.1, c.path(PRESENT)))
    }),
    case(
        "other-environment",
        "signed for the OTHER environment, with its key and its path",
        PRESENT,
        "",
        |c, _| c.other().sign(PRESENT, PRESENT.1),
    ),
    case("other-path", "signed for another path, OTHERPATH", PRESENT, "", |c, _| {
        hmac(c.key(), c.text(PRESENT, PRESENT.1).replace(&c.path(PRESENT), &c.other().path(PRESENT)))
    }),
    case("other-path", "signed for another path, GETBALANCE", PAY, "", |c, _| {
        hmac(c.key(), c.text(PAY, PAY.1).replace("/pay&", "/getbalance&"))
    }),
    case("path-form", "signed without the path", PRESENT, "", |c, _| {
        hmac(c.key(), c.text(PRESENT, PRESENT.1).replace(&c.path(PRESENT), ""))
    }),
    case("path-form", "signed with the host before the path", PRESENT, "", |c, _| {
        hmac(c.key(), c.text(PRESENT, PRESENT.1).replace("=/cgi", "=https://api.weixin.qq.com/cgi"))
    }),
    case("path-form", "signed with the query after the path", PRESENT, "", |c, _| {
        hmac(c.key(), c.text(PRESENT, PRESENT.1).replace("&method", "?access_token=ACCESSTOKEN&method"))
    }),
    case("path-form", "signed with a slash too few or too many in the path", PRESENT, "", |c, _| {
        hmac(c.key(), c.text(PRESENT, PRESENT.1).replace("=/cgi", "=cgi"))
    }),
    case("path-form", "signed with the path percent-encoded", PRESENT, "", |c, _| {
        hmac(c.key(), c.text(PRESENT, PRESENT.1).replace('/', "%2F"))
    }),
    case("method", "signed with another method than POST", PRESENT, "", |c, _| {
        hmac(c.key(), c.text(PRESENT, PRESENT.1).replace("POST", "GET"))
    }),
    case(
        "app-secret-as-key",
        "signed with the app's secret in place of the Midas key",
        PRESENT,
        "",
        |c, _| hmac(SECRET, c.text(PRESENT, PRESENT.1).replace(c.key(), SECRET)),
    ),
    case(
        "session-key-signs-sig",
        "signed with the player's session key in place of the Midas key",
        PRESENT,
        "",
        |c, _| c.mp_sign(PRESENT, PRESENT.1),
    ),
    case("key-not-in-text", "signed without the key at the end of the text", PRESENT, "", |c, _| {
        hmac(c.key(), c.text(PRESENT, PRESENT.1).replace(c.key(), ""))
    }),
    case("key-not-in-text", "signed without the key at the end of the text", PRESENT, "", |c, _| {
        hmac(c.key(), c.text(PRESENT, PRESENT.1).replace(&format!("&secret={}", c.key()), ""))
    }),
    case("key-name", "signed with the key at the end of the text under another name", PRESENT, "", |c, _| {
        hmac(c.key(), c.text(PRESENT, PRESENT.1).replace("&secret=", "&session_key="))
    }),
    case("proof-signed", "signed with access_token among the parameters", PRESENT, "", |c, _| {
        c.sign(PRESENT, &format!("access_token={TOKEN}&{}", PRESENT.1))
    }),
    case(
        "earlier-proof-signed",
        "signed with an earlier sig still among the parameters",
        PRESENT,
        "",
        |c, _| {
            let earlier = c.sign(PRESENT, PRESENT.1);
            c.sign(PRESENT, &PRESENT.1.replace("&ts=", &format!("&sig={earlier}&ts=")))
        },
    ),
    case(
        "earlier-proof-signed",
        "signed with an earlier mp_sig still among the parameters",
        PRESENT,
        "",
        |c, _| {
            let sig = c.sign(PRESENT, PRESENT.1);
            let mp_sig = c.mp_sign(PRESENT, &mp_pairs(PRESENT.1, &sig));
            let pairs = PRESENT.1.replace("&offer_id=", &format!("&mp_sig={mp_sig}&offer_id="));
            c.sign(PRESENT, &pairs.replace("&ts=", &format!("&sig={sig}&ts=")))
        },
    ),
    case("order", "parameters signed in the order in which they were sent", PRESENT, "", |c, _| {
        let pairs = "openid=odkx20ENSNa2w5y3g_qOkOvBNM1g&appid=wx1234567&offer_id=12345678&ts=1507530737&zone_id=1&pf=android&present_counts=233&bill_no=BillNo_123";
        c.sign(PRESENT, pairs)
    }),
    case("order", "parameters signed in the order of the documents", PRESENT, "", |c, _| {
        let pairs = "openid=odkx20ENSNa2w5y3g_qOkOvBNM1g&appid=wx1234567&offer_id=12345678&ts=1507530737&zone_id=1&pf=android&bill_no=BillNo_123&present_counts=233";
        c.sign(PRESENT, pairs)
    }),
    case("order", "parameters signed in descending order", PRESENT, "", |c, _| {
        let mut pairs: Vec<_> = PRESENT.1.split('&').collect();
        pairs.reverse();
        c.sign(PRESENT, &pairs.join("&"))
    }),
    case("order", "parameters sorted with `_` after the letters", PAY, "", |c, _| {
        let pairs = PAY.1.replace("app_remark=a/b&appid=wx1234567", "appid=wx1234567&app_remark=a/b");
        c.sign(PAY, &pairs)
    }),
    case("order", "path, method and key sorted in with the parameters", PRESENT, "", |c, _| {
        let (path, key) = (c.path(PRESENT), c.key());
        let pairs = PRESENT.1.replace("&offer_id", "&method=POST&offer_id");
        let pairs = pairs.replace("&pf=", &format!("&org_loc={path}&pf="));
        hmac(key, pairs.replace("&ts=", &format!("&secret={key}&ts=")))
    }),
    case("not-signed", "user_ip sent but not signed", PAY, "", |c, _| {
        c.sign(PAY, &PAY.1.replace("&user_ip=1.2.3.4", ""))
    }),
    case("not-signed", "pay_item and app_remark sent but not signed", PAY, "", |c, _| {
        c.sign(PAY, &PAY.1.replace("&pay_item=宝 1", "").replace("&app_remark=a/b", ""))
    }),
    case("not-signed", "bill_no sent but not signed", PRESENT, "", |c, _| {
        c.sign(PRESENT, &PRESENT.1.replace("&bill_no=BillNo_123", ""))
    }),
    case("not-sent", "user_ip signed as empty but not sent", PRESENT, "", |c, _| {
        c.sign(PRESENT, &PRESENT.1.replace("&zone_id", "&user_ip=&zone_id"))
    }),
    case("not-sent", "pay_item and app_remark signed as empty but not sent", PRESENT, "", |c, _| {
        c.sign(PRESENT, &format!("app_remark=&{}", PRESENT.1.replace("&pf=", "&pay_item=&pf=")))
    }),
    case("number-form", "present_counts signed with a fraction, as 233.0", PRESENT, "", |c, _| {
        c.sign(PRESENT, &PRESENT.1.replace("=233", "=233.0"))
    }),
    case(
        "number-form",
        "present_counts and ts signed with a fraction, as 233.000000",
        PRESENT,
        "",
        |c, _| c.sign(PRESENT, &PRESENT.1.replace("=233", "=233.000000").replace("0737", "0737.000000")),
    ),
    case("number-form", "present_counts signed with an exponent, as 2.33e2", PRESENT, "", |c, _| {
        c.sign(PRESENT, &PRESENT.1.replace("=233", "=2.33e2"))
    }),
    case("number-form", "ts signed with an exponent, as 2.33e2", PRESENT, "", |c, _| {
        c.sign(PRESENT, &PRESENT.1.replace("1507530737", "1.507530737e+09"))
    }),
    case("number-form", "amt and ts signed as floating point, as 233.0 and 1.5E9", PAY, "", |c, _| {
        c.sign(PAY, &PAY.1.replace("amt=5", "amt=5.0").replace("1507530737", "1.507530737E9"))
    }),
    case("number-form", "present_counts signed in quotes", PRESENT, "", |c, _| {
        c.sign(PRESENT, &PRESENT.1.replace("=233", "=\"233\""))
    }),
    case("quoted", "texts signed with quotes around them", PRESENT, "", |c, _| {
        let quoted = |pair: &str| {
            let (key, value) = pair.split_once('=').unwrap();
            let is_number = ["ts", "present_counts"].contains(&key);
            if is_number { pair.to_owned() } else { format!("{key}=\"{value}\"") }
        };
        c.sign(PRESENT, &PRESENT.1.split('&').map(quoted).collect::<Vec<_>>().join("&"))
    }),
    case("escapes-signed", "texts signed with JSON's escapes in them", PAY, "", |c, _| {
        c.sign(PAY, &PAY.1.replace('宝', r"\u5b9d").replace("a/b", r"a\/b"))
    }),
    case("percent-encoded", "values signed percent-encoded", PAY, "", |c, _| {
        c.sign(PAY, &PAY.1.replace("宝 1", "%E5%AE%9D%201").replace("a/b", "a%2Fb"))
    }),
    case("function", "signed with HMAC-MD5 in place of HMAC-SHA256", PRESENT, "", |c, _| {
        mac::<Hmac<md5::Md5>>(c.key(), c.text(PRESENT, PRESENT.1))
    }),
    case("function", "signed with HMAC-SHA1 in place of HMAC-SHA256", PRESENT, "", |c, _| {
        mac::<Hmac<sha1::Sha1>>(c.key(), c.text(PRESENT, PRESENT.1))
    }),
    case("function", "signed with plain MD5 in place of HMAC-SHA256", PRESENT, "", |c, _| {
        hex(md5::Md5::digest(c.text(PRESENT, PRESENT.1)))
    }),
    case("function", "signed with plain SHA-1 in place of HMAC-SHA256", PRESENT, "", |c, _| {
        hex(sha1::Sha1::digest(c.text(PRESENT, PRESENT.1)))
    }),
    case("function", "signed with plain SHA-256 in place of HMAC-SHA256", PRESENT, "", |c, _| {
        hex(Sha256::digest(c.text(PRESENT, PRESENT.1)))
    }),
    case("function", "signed with key and text in each other's place in the HMAC", PRESENT, "", |c, _| {
        hmac(c.text(PRESENT, PRESENT.1), c.key())
    }),
    case("line-end", "signed with a line end after the key", PRESENT, "", |c, _| {
        hmac(c.key(), c.text(PRESENT, PRESENT.1) + "\n")
    }),
    case("base64", "written in base64", PRESENT, "", |c, _| base64(&c.sign(PRESENT, PRESENT.1))),
    // The same mistakes in another dialect, which this app accepts.
    case(
        "other-environments-key",
        "signed with the OTHER environment's key",
        PRESENT,
        r#","extra":"x""#,
        |c, _| {
            let (key, pairs) = (c.other().key(), PRESENT.1.replace("&offer_id", "&extra=x&offer_id"));
            hmac(key, format!("{pairs}&org_loc={}&method=POST&secret={key}", c.path(PRESENT)))
        },
    ),
];
