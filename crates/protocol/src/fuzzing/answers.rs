//! Fuzz target `answers`: the replies that a client reads and a bank writes.

use pactolus_fuzz_support::Choices;
use pactolus_types::{Coins, UnixMillis};

use super::choose::bill_no;
use super::keys::VALID;
use crate::error::{ErrorCode, ErrorReply, ExistingOrder};
use crate::midas::call::{Call, CancelPay, GetBalance, Pay, Present};
use crate::midas::reply::{
    ApiError, BalanceReply, CancelPayReply, PayReply, PresentReply, Reply, ReplyOutcome, error_to_json,
    parse_reply, to_json,
};
use crate::platform::token::TokenReply;
use crate::rid::Rid;

/// A parsed reply round-trips, and a reply that a bank writes is read back unchanged.
pub fn answers(bytes: &[u8]) {
    check_reply::<Present>(bytes);
    check_reply::<GetBalance>(bytes);
    check_reply::<Pay>(bytes);
    check_reply::<CancelPay>(bytes);
    if let Ok(ReplyOutcome::Success(reply)) = TokenReply::parse(bytes) {
        let Ok(ReplyOutcome::Success(again)) = TokenReply::parse(&reply.to_json()) else {
            panic!("it reads back")
        };
        assert!(again.access_token.matches(reply.access_token.expose()));
        assert_eq!(again.expires_in, reply.expires_in);
    }
    let mut choices = Choices::new(bytes);
    let bill_no = bill_no(&mut choices);
    let mut coins = || Coins::new(choices.number() % (Coins::MAX.get() + 1)).expect(VALID);
    let (balance, used_gen_amt) = (coins(), coins());
    let all = BalanceReply {
        balance,
        gen_balance: coins(),
        save_amt: coins(),
        save_sum: coins(),
        cost_sum: coins(),
        present_sum: coins(),
    };
    check_reply_round_trip::<Present>(&PresentReply { balance, bill_no });
    check_reply_round_trip::<GetBalance>(&all);
    check_reply_round_trip::<Pay>(&PayReply { bill_no, balance, used_gen_amt });
    check_reply_round_trip::<CancelPay>(&CancelPayReply { bill_no });
    let rid = Rid::new(UnixMillis::new(choices.number()), choices.number());
    let code = choices.one_of(&ErrorCode::of_midas().collect::<Vec<_>>());
    let detail = choices.text(64);
    let refusal = if choices.flag() {
        ErrorReply::with_detail(code, detail)
    } else {
        let used_gen_amt = (used_gen_amt <= balance).then_some(used_gen_amt);
        ErrorReply::replayed(ExistingOrder { bill_no, balance, used_gen_amt })
    };
    let json = error_to_json(&refusal, rid);
    let Ok(ReplyOutcome::Refused(refused)) = parse_reply::<Present>(&json) else { panic!("it reads back") };
    assert_eq!((refused.errcode, refused.code()), (refusal.code().code(), Some(refusal.code())));
    assert!(refused.errmsg.ends_with(&format!("rid: {rid}")));
    assert_eq!(refused.existing.as_ref(), refusal.existing());
}

fn check_reply<C: Call>(bytes: &[u8])
where
    C::Reply: PartialEq + std::fmt::Debug,
{
    let json: Option<serde_json::Value> = serde_json::from_slice(bytes).ok();
    match parse_reply::<C>(bytes) {
        Ok(ReplyOutcome::Success(reply)) => {
            // Invalid UTF-8 in an unknown field is ignored.
            if let Some(json) = json {
                assert_eq!(json["errcode"], 0, "success means 0");
            }
            check_reply_round_trip::<C>(&reply);
        }
        Ok(ReplyOutcome::Refused(refused)) => {
            let ApiError { errcode, .. } = refused;
            assert_ne!(errcode, 0, "0 means success");
            let _ = (refused.code(), refused.mismatched_parameter());
        }
        Err(_) => {}
    }
}

fn check_reply_round_trip<C: Call>(reply: &C::Reply)
where
    C::Reply: Reply + PartialEq + std::fmt::Debug,
{
    match parse_reply::<C>(&to_json(reply)) {
        Ok(ReplyOutcome::Success(read)) => assert_eq!(&read, reply),
        other => panic!("a success reply parses as {}", other.is_ok()),
    }
}
