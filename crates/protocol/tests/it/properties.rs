//! Property tests: no input panics, and every valid call survives signing, reading and verification.

use pactolus_protocol::{
    Body, Call, Caller, CancelPay, Dialect, DialectPolicy, FreeText, GetBalance, MpSig, Pay, Pf, Present,
    UnixSeconds, UnverifiedCall, sign, signed_body,
};
use pactolus_types::{Amount, AppId, BillNo, Coins, Environment, OfferId, OpenId, ZoneId};
use proptest::option::of;
use proptest::prelude::*;

use crate::samples::{midas_key, session_key, token};

fn environment() -> impl Strategy<Value = Environment> {
    prop_oneof![Just(Environment::Live), Just(Environment::Sandbox)]
}

fn amount() -> impl Strategy<Value = Amount> {
    prop_oneof![1..=1000u64, 1..=Coins::MAX.get()].prop_map(|count| Amount::new(count).unwrap())
}

fn bill_no() -> impl Strategy<Value = BillNo> {
    r"[0-9A-Za-z_|*@-]{1,63}".prop_map(|text| BillNo::new(&text).unwrap())
}

fn free_text() -> impl Strategy<Value = FreeText> {
    prop_oneof![r"[ -~]{1,40}", r"\PC{1,40}", r"(?s).{1,40}"]
        .prop_filter_map("it holds a parameter's pair", |text| FreeText::new(&text).ok())
}

fn caller() -> impl Strategy<Value = Caller> {
    let identifier = || "[0-9A-Za-z_-]{1,64}";
    let identifiers =
        (identifier(), identifier(), identifier(), r"[0-9A-Za-z_.:|*@-]{1,64}", "[0-9A-Za-z_-]{1,32}");
    (identifiers, 1..=Coins::MAX.get(), of(any::<std::net::IpAddr>())).prop_map(
        |((openid, appid, offer_id, zone_id, pf), ts, user_ip)| Caller {
            openid: OpenId::new(&openid).unwrap(),
            appid: AppId::new(&appid).unwrap(),
            offer_id: OfferId::new(&offer_id).unwrap(),
            ts: UnixSeconds::new(ts).unwrap(),
            zone_id: ZoneId::new(&zone_id).unwrap(),
            pf: Pf::new(&pf).unwrap(),
            user_ip,
        },
    )
}

/// The server reads and verifies the call that `signed_body` sends.
fn assert_round_trip<C: Call + PartialEq + std::fmt::Debug>(call: &C, environment: Environment) {
    let json = signed_body(call, environment, &midas_key(), Some((&session_key(), &token())));
    let body = Body::parse(json.as_bytes()).unwrap();
    let received = UnverifiedCall::<C>::read(environment, &body, MpSig::Required).unwrap();
    assert_eq!(received.call(), call);
    assert_eq!(received.verify_sig(&midas_key(), DialectPolicy::Strict), Ok(Dialect::DOCUMENTED));
    let mp_sig = received.verify_mp_sig(&session_key(), &token(), DialectPolicy::Strict);
    assert_eq!(mp_sig, Ok(Some(Dialect::DOCUMENTED)));
    assert_every_dialect_verifies::<C>(&json, environment);
}

/// A lenient app accepts the same body signed in any dialect.
fn assert_every_dialect_verifies<C: Call>(json: &str, environment: Environment) {
    let unsigned = format!("{}}}", &json[..json.find(r#","sig":""#).unwrap()]);
    let body = Body::parse(unsigned.as_bytes()).unwrap();
    for dialect in DialectPolicy::Lenient.accepted() {
        let sig = sign::sig(C::path(environment), &body, dialect, &midas_key());
        let sent = format!(r#"{},"sig":"{sig}"}}"#, &unsigned[..unsigned.len() - 1]);
        let sent = Body::parse(sent.as_bytes()).unwrap();
        let received = UnverifiedCall::<C>::read(environment, &sent, MpSig::IfPresent).unwrap();
        assert!(received.verify_sig(&midas_key(), DialectPolicy::Lenient).is_ok(), "{dialect}");
    }
}

proptest! {
    #[test]
    fn present_round_trips(
        caller in caller(), present_counts in amount(), bill_no in bill_no(), environment in environment(),
    ) {
        assert_round_trip(&Present { caller, present_counts, bill_no }, environment);
    }

    #[test]
    fn getbalance_round_trips(caller in caller(), environment in environment()) {
        assert_round_trip(&GetBalance { caller }, environment);
    }

    #[test]
    fn pay_round_trips(
        caller in caller(), amt in amount(), bill_no in bill_no(), pay_item in of(free_text()),
        app_remark in of(free_text()), environment in environment(),
    ) {
        assert_round_trip(&Pay { caller, amt, bill_no, pay_item, app_remark }, environment);
    }

    #[test]
    fn cancelpay_round_trips(
        caller in caller(), bill_no in bill_no(), pay_item in of(free_text()), environment in environment(),
    ) {
        assert_round_trip(&CancelPay { caller, bill_no, pay_item }, environment);
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Body::parse(&bytes);
    }

    /// Corrupted bodies: a sample with some bytes replaced.
    #[test]
    fn corrupted_body_does_not_panic(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = format!(r#"{{{},"sig":"a","mp_sig":"b"}}"#, crate::samples::PAY).into_bytes();
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Ok(body) = Body::parse(&bytes)
            && let Ok(received) = UnverifiedCall::<Pay>::read(Environment::Live, &body, MpSig::IfPresent)
        {
            prop_assert!(received.verify_sig(&midas_key(), DialectPolicy::Lenient).is_err());
        }
    }
}
