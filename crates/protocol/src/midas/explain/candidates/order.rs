//! Mistakes in the order of the parameters.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;

use super::super::mistake::{Mistake, OrderForm};
use super::super::scheme::{SignatureCase, SignatureKind, SignedPair, SigningScheme, pair, sort_pairs};
use super::super::search::{Search, SearchFlow};
use crate::midas::call::CallKind;
use crate::midas::parameter::Parameter;

/// Every wrong order.
pub(super) fn try_orders(
    case: &SignatureCase<'_>,
    base: &SigningScheme<'_>,
    search: &mut Search,
) -> SearchFlow {
    let written = &case.evidence.raw_fields;
    let kind = case.evidence.path.kind;
    search.charge(3 * base.pairs_bytes() + 64 * written.len())?;
    let as_sent: Vec<&str> = written.iter().map(|(key, _)| &**key).collect();
    let [documented, in_the_example] = documented_orders(kind);
    for (order, form) in [
        (as_sent, OrderForm::AsSent),
        (documented, OrderForm::AsDocumented),
        (in_the_example, OrderForm::AsDocumented),
    ] {
        let mut pairs = search.copy_pairs(base, 1)?;
        // A body may hold a thousand fields: a linear search for each would take a million steps.
        let places: HashMap<_, _> = order.into_iter().zip(0..).collect();
        pairs.sort_by_cached_key(|(key, _)| places.get(&**key).copied().unwrap_or(usize::MAX));
        let sorted = base.with_pairs(pairs);
        search.try_scheme(&sorted, || Mistake::Order(form))?;
        try_proof_positions(case.kind, &sorted, search, form)?;
    }
    try_proof_positions(case.kind, base, search, OrderForm::ProofsApart)?;

    let mut descending = search.copy_pairs(base, 1)?;
    descending.sort_by(|a, b| Reverse(&a.0).cmp(&Reverse(&b.0)));
    search.try_scheme(&base.with_pairs(descending), || Mistake::Order(OrderForm::Descending))?;
    let mut underscore_last = search.copy_pairs(base, 2)?;
    underscore_last.sort_by_cached_key(|(key, _)| key.replace('_', "~"));
    search.try_scheme(&base.with_pairs(underscore_last), || Mistake::Order(OrderForm::UnderscoreLast))?;
    try_suffix_sorted(case, base, search)
}

/// The two documented orders: that of the tables, and that of the vendor's example, with the bill number last.
fn documented_orders(kind: CallKind) -> [Vec<&'static str>; 2] {
    let table: Vec<_> = kind.parameters().map(|(parameter, _)| parameter.name()).collect();
    let mut example = table.clone();
    if let Some(bill_no) = example.iter().position(|name| *name == Parameter::BillNo.name())
        && bill_no > 0
    {
        example.swap(bill_no - 1, bill_no);
    }
    [table, example]
}

/// `access_token` and `sig` of an `mp_sig` before or after the other parameters.
fn try_proof_positions(
    proof: SignatureKind,
    ordered: &SigningScheme<'_>,
    search: &mut Search,
    form: OrderForm,
) -> SearchFlow {
    if proof == SignatureKind::Sig {
        return SearchFlow::Continue(());
    }
    let is = |pair: &SignedPair<'_>, parameter: Parameter| pair.0 == parameter.name();
    let proofs = [Parameter::AccessToken, Parameter::Sig];
    let [token, sig] = proofs.map(|parameter| {
        let held = ordered.pairs.iter().find(|held| is(held, parameter)).cloned();
        held.unwrap_or_else(|| pair(parameter, ""))
    });
    let mut others = search.copy_pairs(ordered, 1)?;
    others.retain(|held| !proofs.iter().any(|parameter| is(held, *parameter)));
    for (before, after) in [
        (vec![], vec![token.clone(), sig.clone()]),
        (vec![], vec![sig.clone(), token.clone()]),
        (vec![token], vec![sig]),
    ] {
        search.charge(ordered.pairs_bytes())?;
        let pairs = [&before, &others[..], &after].concat();
        search.try_scheme(&ordered.with_pairs(pairs), || Mistake::Order(form))?;
    }
    SearchFlow::Continue(())
}

/// Path and method sorted in as parameters, with the key or before it.
fn try_suffix_sorted(case: &SignatureCase<'_>, base: &SigningScheme<'_>, search: &mut Search) -> SearchFlow {
    let mut pairs = search.copy_pairs(base, 1)?;
    search.charge(4 * 64 + base.appended_key.len())?;
    for (name, value) in [("org_loc", case.evidence.path.as_str()), ("method", "POST")] {
        pairs.push((Cow::Borrowed(name), Cow::Borrowed(value)));
    }
    sort_pairs(&mut pairs);
    let sorted = SigningScheme { path_and_method: Cow::Borrowed(""), ..base.with_pairs(pairs) };
    search.try_scheme(&sorted, || Mistake::Order(OrderForm::PathSorted))?;

    let Ok(key) = std::str::from_utf8(base.appended_key) else { return SearchFlow::Continue(()) };
    let mut pairs = search.copy_pairs(&sorted, 1)?;
    pairs.push((Cow::Borrowed(base.key_label.trim_matches(['&', '='])), Cow::Borrowed(key)));
    sort_pairs(&mut pairs);
    let sorted = SigningScheme { key_label: "", appended_key: b"", ..sorted.with_pairs(pairs) };
    search.try_scheme(&sorted, || Mistake::Order(OrderForm::SuffixSorted))
}
