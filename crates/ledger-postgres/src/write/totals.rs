//! Totals that a batch adds to: one row per total, with the sums of the batch.

use std::collections::BTreeMap;

use pactolus_ledger::{OrderTallies, TotalKey};

use crate::rows::{columns, environment_code, to_bigint};

/// Inserts the rows of [`SumColumns`], or adds them to those that exist.
pub(super) const ADD_TOTALS: &str = "\
    INSERT INTO pactolus.totals AS t (part, app, environment, quarter, offer, zone, saves, saved, presents, presented, \
        pays, paid, cancels, cancelled, debits, debited) \
    SELECT k.part, k.app, k.environment, k.quarter, k.offer, k.zone, k.saves, k.saved::numeric, k.presents, \
        k.presented::numeric, k.pays, k.paid::numeric, k.cancels, k.cancelled::numeric, k.debits, k.debited::numeric \
    FROM unnest($1::smallint[], $2::text[], $3::smallint[], $4::bigint[], $5::text[], $6::text[], $7::bigint[], \
        $8::text[], $9::bigint[], $10::text[], $11::bigint[], $12::text[], $13::bigint[], $14::text[], \
        $15::bigint[], $16::text[]) \
        AS k (part, app, environment, quarter, offer, zone, saves, saved, presents, presented, pays, paid, cancels, \
            cancelled, debits, debited) \
    ON CONFLICT (part, app, environment, quarter, offer, zone) DO UPDATE SET \
        saves = t.saves + excluded.saves, saved = t.saved + excluded.saved, \
        presents = t.presents + excluded.presents, presented = t.presented + excluded.presented, \
        pays = t.pays + excluded.pays, paid = t.paid + excluded.paid, \
        cancels = t.cancels + excluded.cancels, cancelled = t.cancelled + excluded.cancelled, \
        debits = t.debits + excluded.debits, debited = t.debited + excluded.debited";

columns! {
    /// Totals to insert or add to.
    SumColumns<'a> {
        part: i16,
        app: &'a str,
        environment: i16,
        quarter: i64,
        offer: &'a str,
        zone: &'a str,
        saves: i64,
        saved: String,
        presents: i64,
        presented: String,
        pays: i64,
        paid: String,
        cancels: i64,
        cancelled: String,
        debits: i64,
        debited: String,
    }
}

pub(super) fn total_columns(sums: &BTreeMap<TotalKey, OrderTallies>, part: i16) -> SumColumns<'_> {
    let mut columns = SumColumns::default();
    for (key, OrderTallies { saves, presents, pays, cancels, debits }) in sums {
        columns.push((
            part,
            key.app.as_str(),
            environment_code(key.environment),
            i64::from(key.quarter.get()),
            key.offer.as_str(),
            key.zone.as_str(),
            to_bigint(saves.orders),
            saves.coins.to_string(),
            to_bigint(presents.orders),
            presents.coins.to_string(),
            to_bigint(pays.orders),
            pays.coins.to_string(),
            to_bigint(cancels.orders),
            cancels.coins.to_string(),
            to_bigint(debits.orders),
            debits.coins.to_string(),
        ));
    }
    columns
}
