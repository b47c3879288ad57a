//! Fuzz target `requests`: the calls that a client signs.
//!
//! Read next: `signatures.rs`, which compares a corrupted call with the reference.

use pactolus_fuzz_support::Choices;
use pactolus_types::{Amount, AppId, Coins, Environment, OfferId, OpenId, ZoneId};

use super::choose::{WORD_CHARS, bill_no};
use super::keys::{VALID, midas_key, session_key, token};
use super::signatures::check_against_reference;
use crate::midas::body::Body;
use crate::midas::call::{Call, CallKind, Caller, CancelPay, GetBalance, Pay, Present};
use crate::midas::request::signed_body;
use crate::midas::sign::{Dialect, DialectPolicy, MpSig, UnverifiedCall};
use crate::values::{FreeText, Pf, UnixSeconds};

/// A signed call verifies in the documented dialect. A corrupted one agrees with the reference.
pub fn requests(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let kind = choices.one_of(&CallKind::ALL);
    let environment = choices.one_of(&Environment::ALL);
    let changes = [0; 3].map(|_| (choices.number(), choices.byte()));
    let caller = caller(&mut choices);
    let text = |choices: &mut Choices<'_>| FreeText::new(&choices.text(300)).ok();
    match kind {
        CallKind::Present => {
            let (present_counts, bill_no) = (amount(&mut choices), bill_no(&mut choices));
            check_signed_call(&Present { caller, present_counts, bill_no }, environment, &changes);
        }
        CallKind::GetBalance => check_signed_call(&GetBalance { caller }, environment, &changes),
        CallKind::Pay => {
            let (amt, bill_no) = (amount(&mut choices), bill_no(&mut choices));
            let (pay_item, app_remark) = (text(&mut choices), text(&mut choices));
            check_signed_call(&Pay { caller, amt, bill_no, pay_item, app_remark }, environment, &changes);
        }
        CallKind::CancelPay => {
            let (bill_no, pay_item) = (bill_no(&mut choices), text(&mut choices));
            check_signed_call(&CancelPay { caller, bill_no, pay_item }, environment, &changes);
        }
    }
}

fn caller(choices: &mut Choices<'_>) -> Caller {
    Caller {
        openid: OpenId::new(&choices.word(64, WORD_CHARS)).expect(VALID),
        appid: AppId::new(&choices.word(64, WORD_CHARS)).expect(VALID),
        offer_id: OfferId::new(&choices.word(64, WORD_CHARS)).expect(VALID),
        ts: UnixSeconds::new(choices.number() % Coins::MAX.get() + 1).expect(VALID),
        zone_id: ZoneId::new(&choices.word(64, &format!("{WORD_CHARS}.:|*@"))).expect(VALID),
        pf: Pf::new(&choices.word(32, WORD_CHARS)).expect(VALID),
        user_ip: match choices.below(3) {
            0 => None,
            1 => Some(
                std::net::Ipv4Addr::from_bits(u32::try_from(choices.number() >> 32).expect(VALID)).into(),
            ),
            _ => Some(std::net::Ipv6Addr::from_bits(u128::from(choices.number()) << 40).into()),
        },
    }
}

fn amount(choices: &mut Choices<'_>) -> Amount {
    Amount::new(choices.number() % Coins::MAX.get() + 1).expect(VALID)
}

fn check_signed_call<C: Call + PartialEq + std::fmt::Debug>(
    call: &C,
    environment: Environment,
    changes: &[(u64, u8)],
) {
    let path = C::path(environment);
    let (midas_key, session_key, token) = (midas_key(environment), session_key(), token());
    let json = signed_body(call, environment, &midas_key, Some((&session_key, &token)));
    let body = Body::parse(json.as_bytes()).expect("a client sends a body");
    let received =
        UnverifiedCall::<C>::read(environment, &body, MpSig::Required).expect("with valid parameters");
    assert_eq!(received.call(), call);
    assert_eq!(received.verify_sig(&midas_key, DialectPolicy::Strict), Ok(Dialect::DOCUMENTED));
    assert_eq!(
        received.verify_mp_sig(&session_key, &token, DialectPolicy::Strict),
        Ok(Some(Dialect::DOCUMENTED))
    );
    let mut sent = json.clone().into_bytes();
    for (at, with) in changes {
        let at = usize::try_from(*at).unwrap_or(usize::MAX) % sent.len();
        sent[at] ^= with;
    }
    if sent != json.as_bytes() {
        check_against_reference::<C>(path, &sent, DialectPolicy::Lenient);
    }
}
