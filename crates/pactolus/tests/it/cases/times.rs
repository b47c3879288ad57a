//! `ts` in milliseconds, as `Date.now()` gives it. Nothing notices it until another host does, so the bank tells where
//! it may speak: in the sandbox's errmsgs, and where the app has a window.

use pactolus_protocol::{Call as _, Present};
use pactolus_types::Environment;

use super::raw::{Bank, assert_refused, parameters, signed};

fn present_at(ts: &str, bill_no: &str) -> String {
    let more = format!(r#","present_counts":5,"bill_no":"{bill_no}""#);
    let body = parameters("one", &more).replace("1507530737", ts);
    signed(Present::path(Environment::Sandbox), &body)
}

#[test]
fn milliseconds_are_named() {
    let open = Bank::serve();
    for (number, ts) in ["1507530737000", "100000000000", "1764552000123"].into_iter().enumerate() {
        // Without a window the call counts, as on the vendor's host.
        assert_eq!(open.call("present", present_at(ts, &format!("n{number}")))["errcode"], 0);
        let forged = present_at(ts, "forged").replace("\"sig\":\"", "\"sig\":\"0").replace("0\"}", "\"}");
        let reply = open.call("present", &forged);
        assert_eq!(reply["errcode"], 90011, "{reply}");
    }
    open.stop(3);

    let strict = Bank::with_settings("ts_window_s = 300\n");
    for ts in ["1507530737000", "1764552000123"] {
        let words = "invalid parameter: ts is in milliseconds; it must be seconds";
        assert_refused(&strict.call("present", present_at(ts, "ms")), 90018, words);
    }
    for (ts, side) in [("1507530737", "behind"), ("9999999999", "ahead of")] {
        let reply = strict.call("present", present_at(ts, "old"));
        assert_refused(&reply, 90018, "invalid parameter: ts is ");
        assert!(
            reply["errmsg"].as_str().unwrap().contains(&format!(" s {side} the bank's clock")),
            "{reply}"
        );
    }
    strict.stop(0);
}
