//! Every signed text stands for one order.
//!
//! Regression: nothing in a signed text is escaped. A player whose remark held `x&appid=…&bill_no=…` made the studio
//! sign a text that read as two pays. Both were applied, the second to a player of the attacker's choice. A text with
//! `&`, a parameter's name and `=` is now refused, and the every-field dialect does not cover a field that holds one.

use std::collections::HashMap;

use pactolus_protocol::{
    Body, Call, Caller, CancelPay, DialectPolicy, GetBalance, MpSig, Pay, Present, UnverifiedCall, sign,
};
use pactolus_types::{Amount, BillNo, Environment};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::samples::midas_key;

/// All that the bank acts on. Free texts are kept only as notes.
type EffectiveOrder = (Caller, Option<Amount>, Option<BillNo>);

trait Effect: Call {
    fn effective_order(&self) -> EffectiveOrder;
}

impl Effect for Present {
    fn effective_order(&self) -> EffectiveOrder {
        (self.caller.clone(), Some(self.present_counts), Some(self.bill_no))
    }
}

impl Effect for GetBalance {
    fn effective_order(&self) -> EffectiveOrder {
        (self.caller.clone(), None, None)
    }
}

impl Effect for Pay {
    fn effective_order(&self) -> EffectiveOrder {
        (self.caller.clone(), Some(self.amt), Some(self.bill_no))
    }
}

impl Effect for CancelPay {
    fn effective_order(&self) -> EffectiveOrder {
        (self.caller.clone(), None, Some(self.bill_no))
    }
}

/// A field of a body: its key and its text.
type Field = (String, String);

const DOCUMENTED: [&str; 12] = [
    "amt",
    "app_remark",
    "appid",
    "bill_no",
    "offer_id",
    "openid",
    "pay_item",
    "pf",
    "present_counts",
    "ts",
    "user_ip",
    "zone_id",
];

/// Names that the every-field dialect signs beside the documented ones; the last two are part of the text itself.
const UNDOCUMENTED: [&str; 8] = ["aa", "b", "note", "pa", "pay_z", "zz", "method", "org_loc"];

/// Fields of these names, sorted, with values that tell the copies apart.
fn fields(names: &[&str], copy: u8) -> Vec<Field> {
    let value = |name: &str| match name {
        "amt" | "present_counts" | "ts" | "zone_id" => format!("{}", copy + 1),
        "user_ip" => format!("1.2.3.{copy}"),
        _ => format!("v{copy}"),
    };
    names.iter().map(|name| ((*name).to_owned(), value(name))).collect()
}

/// Two bodies with one text in the every-field dialect. In the first, the field at `opener` takes the first copy of
/// the fields after it, up to `closer`; in the second, the field at `closer` takes the second copy of them.
fn bodies_of_one_text(names: &[&str], opener: usize, closer: usize, split: usize) -> [Vec<Field>; 2] {
    let (first, second) = (fields(names, 0), fields(names, 1));
    let absorb = |field: &Field, absorbed: &[Field]| {
        let pair = |(key, value): &Field| format!("{key}={value}");
        let whole: Vec<_> = std::iter::once(field).chain(absorbed).map(pair).collect();
        let whole = whole.join("&");
        // A key may hold `=`, and so take a part of what follows too.
        let ends: Vec<_> = whole.match_indices('=').map(|(at, _)| at).collect();
        let end = ends[split % ends.len()];
        (whole[..end].to_owned(), whole[end + 1..].to_owned())
    };
    let inner = opener + 1..=closer;
    let one =
        [&first[..opener], &[absorb(&first[opener], &first[inner.clone()])], &second[opener + 1..]].concat();
    let other = [&first[..closer], &[absorb(&first[closer], &second[inner])], &second[closer + 1..]].concat();
    [one, other]
}

fn to_json(fields: &[Field], sig: Option<&str>) -> String {
    let sig = sig.map(|sig| ("sig".to_owned(), sig.to_owned()));
    let fields: serde_json::Map<_, _> =
        fields.iter().cloned().chain(sig).map(|(key, value)| (key, value.into())).collect();
    serde_json::Value::Object(fields).to_string()
}

/// Adds each accepted body under its signed texts; returns how many were accepted.
fn accept<C: Effect>(fields: &[Field], orders: &mut HashMap<String, EffectiveOrder>) -> usize {
    const LIVE: Environment = Environment::Live;
    let json = to_json(fields, None);
    let Ok(body) = Body::parse(json.as_bytes()) else { return 0 };
    let mut accepted = 0;
    for dialect in DialectPolicy::Lenient.accepted().take(3) {
        let sig = sign::sig(C::path(LIVE), &body, dialect, &midas_key()).to_string();
        let sent = to_json(fields, Some(&sig));
        let sent = Body::parse(sent.as_bytes()).unwrap();
        let Ok(call) = UnverifiedCall::<C>::read(LIVE, &sent, MpSig::Off) else { return accepted };
        if call.verify_sig(&midas_key(), DialectPolicy::Lenient).is_err() {
            continue;
        }
        accepted += 1;
        let text = sign::text::masked_sig_text(C::path(LIVE), &sent, dialect);
        let order = call.call().effective_order();
        let first = orders.entry(text.clone()).or_insert_with(|| order.clone());
        assert_eq!(*first, order, "two orders share the signed text {text}");
    }
    accepted
}

fn assert_one_order(bodies: &[Vec<Field>]) -> usize {
    let mut orders = HashMap::new();
    let mut accepted = 0;
    for fields in bodies.iter().filter(|fields| fields.is_sorted_by(|a, b| a.0 < b.0)) {
        accepted += accept::<Present>(fields, &mut orders);
        accepted += accept::<GetBalance>(fields, &mut orders);
        accepted += accept::<Pay>(fields, &mut orders);
        accepted += accept::<CancelPay>(fields, &mut orders);
    }
    accepted
}

fn sorted(names: impl IntoIterator<Item = &'static str>) -> Vec<&'static str> {
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_unstable();
    names
}

/// The attack, from each pair of fields.
#[test]
fn doubled_text_stands_for_one_order() {
    for undocumented in [vec![], vec!["note"], UNDOCUMENTED.to_vec()] {
        let names = sorted(DOCUMENTED.into_iter().chain(undocumented));
        for closer in 1..names.len() {
            for opener in 0..closer {
                for split in 0..3 {
                    assert_one_order(&bodies_of_one_text(&names, opener, closer, split));
                }
            }
        }
        // The search is no dead letter: bodies without an attack are accepted.
        assert!(assert_one_order(&[fields(&names, 0)]) > 0);
    }
}

proptest! {
    #[test]
    fn signed_text_stands_for_one_order(
        names in proptest::sample::subsequence([&DOCUMENTED[..], &UNDOCUMENTED[..]].concat(), 8..20),
        opener in any::<Index>(), closer in any::<Index>(), split in 0..6_usize,
    ) {
        let names = sorted(names);
        let closer = 1 + closer.index(names.len() - 1);
        assert_one_order(&bodies_of_one_text(&names, opener.index(closer), closer, split));
    }
}
