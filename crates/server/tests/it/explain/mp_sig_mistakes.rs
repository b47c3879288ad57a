//! Every known mistake in `mp_sig`, with the finding that names it.
//!
//! Read next: `signing_client.rs`, the client that makes them.

use super::OLD_SESSION_KEY;
use super::mistakes::{MistakeCase, case};
use super::signing_client::{PRESENT, hmac, mp_pairs};
use crate::bank::{SESSION_KEY, TOKEN};

/// [`SESSION_KEY`], decoded.
const SESSION_BYTES: [u8; 16] =
    [0x57, 0xb4, 0x37, 0xf3, 0xf8, 0xb6, 0x29, 0x76, 0xaa, 0xad, 0x0c, 0xa5, 0xd9, 0x8c, 0x7d, 0x1e];

pub(super) const MP_SIG_MISTAKES: &[MistakeCase] = &[
    case("old-session-key", "signed with the session key of an earlier login", PRESENT, "", |c, sig| {
        let text = c.mp_text(PRESENT, &mp_pairs(PRESENT.1, sig));
        hmac(OLD_SESSION_KEY, text.replace(SESSION_KEY, OLD_SESSION_KEY))
    }),
    case("session-key-decoded", "signed with the session key decoded from base64", PRESENT, "", |c, sig| {
        hmac(SESSION_BYTES, c.mp_text(PRESENT, &mp_pairs(PRESENT.1, sig)))
    }),
    case(
        "midas-key-signs-mp-sig",
        "signed with the Midas key in place of the player's session key",
        PRESENT,
        "",
        |c, sig| c.sign(PRESENT, &mp_pairs(PRESENT.1, sig)),
    ),
    case(
        "midas-key-signs-mp-sig",
        "signed with the Midas key in place of the player's session key",
        PRESENT,
        "",
        |_, sig| sig.to_owned(),
    ),
    case(
        "key-name",
        "signed with the key at the end of the text under another name",
        PRESENT,
        "",
        |c, sig| {
            let text = c.mp_text(PRESENT, &mp_pairs(PRESENT.1, sig));
            hmac(SESSION_KEY, text.replace("&session_key=", "&secret="))
        },
    ),
    case("not-signed", "access_token sent but not signed", PRESENT, "", |c, sig| {
        let pairs = mp_pairs(PRESENT.1, sig).replace(&format!("access_token={TOKEN}&"), "");
        c.mp_sign(PRESENT, &pairs)
    }),
    case("not-signed", "sig sent but not signed", PRESENT, "", |c, sig| {
        c.mp_sign(PRESENT, &mp_pairs(PRESENT.1, sig).replace(&format!("&sig={sig}"), ""))
    }),
    case("not-signed", "access_token and sig sent but not signed", PRESENT, "", |c, _| {
        c.mp_sign(PRESENT, PRESENT.1)
    }),
    case(
        "bodys-access-token",
        "signed with the access_token of the body, not the query's",
        PRESENT,
        r#","access_token":"OTHERTOKEN""#,
        |c, sig| c.mp_sign(PRESENT, &mp_pairs(PRESENT.1, sig).replace(TOKEN, "OTHERTOKEN")),
    ),
    case(
        "sig-in-other-case",
        "signed with sig in the other case than it is sent in",
        PRESENT,
        "",
        |c, sig| c.mp_sign(PRESENT, &mp_pairs(PRESENT.1, &sig.to_uppercase())),
    ),
    case("proof-signed", "signed with mp_sig among the parameters", PRESENT, "", |c, sig| {
        let pairs = mp_pairs(PRESENT.1, sig).replace("&offer_id", "&mp_sig=&offer_id");
        c.mp_sign(PRESENT, &pairs)
    }),
    case(
        "earlier-proof-signed",
        "signed with an earlier mp_sig still among the parameters",
        PRESENT,
        "",
        |c, sig| {
            let earlier = c.mp_sign(PRESENT, &mp_pairs(PRESENT.1, sig));
            let pairs = mp_pairs(PRESENT.1, sig).replace("&offer_id", &format!("&mp_sig={earlier}&offer_id"));
            c.mp_sign(PRESENT, &pairs)
        },
    ),
    case("order", "sig and access_token signed apart from the sorted parameters", PRESENT, "", |c, sig| {
        c.mp_sign(PRESENT, &format!("{}&access_token={TOKEN}&sig={sig}", PRESENT.1))
    }),
    case("other-path", "signed for another path, OTHERPATH", PRESENT, "", |c, sig| {
        c.other().mp_sign(PRESENT, &mp_pairs(PRESENT.1, sig))
    }),
    case("number-form", "ts signed with a fraction, as 233.0", PRESENT, "", |c, sig| {
        c.mp_sign(PRESENT, &mp_pairs(PRESENT.1, sig).replace("0737", "0737.0"))
    }),
];
