//! Mistakes with keys, times and names.

use super::OLD_SESSION_KEY;
use super::mistakes::{MistakeCase, case};
use super::signing_client::{PAY, PRESENT, hmac, mp_pairs};
use crate::bank::{MIDAS_KEY, SANDBOX_KEY, SECRET, SESSION_KEY};

pub(super) const SIG_MISTAKES: &[MistakeCase] = &[
    case(
        "ambiguous-field",
        "signed with an undocumented field whose `&` and `=` could stand for another parameter",
        PRESENT,
        r#","note":"x&pf=y""#,
        |c, _| c.sign(PRESENT, &PRESENT.1.replace("&offer_id", "&note=x&pf=y&offer_id")),
    ),
    case(
        "keys-mixed",
        "signed with the live Midas key while the text ends with the app's secret",
        PRESENT,
        "",
        |c, _| hmac(MIDAS_KEY, c.text(PRESENT, PRESENT.1).replace(c.key(), SECRET)),
    ),
    case(
        "keys-mixed",
        "signed with the app's secret while the text ends with the live Midas key",
        PAY,
        "",
        |c, _| hmac(SECRET, c.text(PAY, PAY.1).replace(c.key(), MIDAS_KEY)),
    ),
    case(
        "keys-mixed",
        "signed with the sandbox Midas key while the text ends with the live Midas key",
        PRESENT,
        "",
        |c, _| hmac(SANDBOX_KEY, c.text(PRESENT, PRESENT.1).replace(c.key(), MIDAS_KEY)),
    ),
    case(
        "keys-mixed",
        "signed with the sandbox Midas key while the text ends with the session key",
        PAY,
        "",
        |c, _| hmac(SANDBOX_KEY, c.text(PAY, PAY.1).replace(c.key(), SESSION_KEY)),
    ),
    case("key-with-line-end", "signed with a line end or a space after the key", PRESENT, "", |c, _| {
        let key = format!("{}\n", c.key());
        hmac(&key, c.text(PRESENT, PRESENT.1).replace(c.key(), &key))
    }),
    case("key-with-line-end", "signed with a line end or a space after the key", PAY, "", |c, _| {
        hmac(format!("{}\r\n", c.key()), c.text(PAY, PAY.1))
    }),
    case("ts-differs", "ts signed with another value than sent", PRESENT, "", |c, _| {
        c.sign(PRESENT, &PRESENT.1.replace("1507530737", "1507530736"))
    }),
    case("ts-differs", "ts signed with another value than sent", PAY, "", |c, _| {
        c.sign(PAY, &PAY.1.replace("1507530737", "1507530737000"))
    }),
    case("order", "path and method sorted in with the parameters", PRESENT, "", |c, _| {
        let pairs = PRESENT.1.replace("&offer_id", "&method=POST&offer_id");
        let pairs = pairs.replace("&pf=", &format!("&org_loc={}&pf=", c.path(PRESENT)));
        hmac(c.key(), format!("{pairs}&secret={}", c.key()))
    }),
    case("name-case", "openid signed under a name in other letter case", PRESENT, "", |c, _| {
        c.sign(PRESENT, &PRESENT.1.replace("openid", "openId"))
    }),
    case("name-case", "zone_id signed under a name in other letter case", PAY, "", |c, _| {
        c.sign(PAY, &PAY.1.replace("zone_id", "zoneId"))
    }),
    case(
        "name-case",
        "appid, bill_no, offer_id, openid, present_counts and zone_id signed under a name in other letter case",
        PRESENT,
        "",
        |c, _| {
            let names =
                [("appid", "appId"), ("bill_no", "billNo"), ("offer_id", "offerId"), ("openid", "openId")];
            let more = [("present_counts", "presentCounts"), ("zone_id", "zoneId")];
            let pairs = names
                .iter()
                .chain(&more)
                .fold(PRESENT.1.to_owned(), |pairs, (name, camel)| pairs.replace(name, camel));
            c.sign(PRESENT, &pairs)
        },
    ),
];

pub(super) const MP_SIG_MISTAKES: &[MistakeCase] = &[
    case(
        "keys-mixed",
        "signed with the session key while the text ends with the app's secret",
        PRESENT,
        "",
        |c, sig| {
            hmac(SESSION_KEY, c.mp_text(PRESENT, &mp_pairs(PRESENT.1, sig)).replace(SESSION_KEY, SECRET))
        },
    ),
    case(
        "keys-mixed",
        "signed with the session key of an earlier login while the text ends with the session key",
        PAY,
        "",
        |c, sig| hmac(OLD_SESSION_KEY, c.mp_text(PAY, &mp_pairs(PAY.1, sig))),
    ),
    case("key-with-line-end", "signed with a line end or a space after the key", PRESENT, "", |c, sig| {
        hmac(format!("{SESSION_KEY}\n"), c.mp_text(PRESENT, &mp_pairs(PRESENT.1, sig)))
    }),
    case("ts-differs", "ts signed with another value than sent", PRESENT, "", |c, sig| {
        c.mp_sign(PRESENT, &mp_pairs(PRESENT.1, sig).replace("1507530737", "1507530740"))
    }),
];
