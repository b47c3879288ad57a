//! Migration of a bank of schema version 1, with orders as that version wrote them.

use std::time::Duration;

use pactolus_ledger::{DailyLimit, Gift, GiftLimits, Ledger, LimitDays, Order, OrderKind, Periods, Posted};
use pactolus_ledger_postgres::{PostgresSettings, PostgresStore, PostgresUrl, migrate};
use pactolus_test_postgres::{Database, execute, query_scalar};
use pactolus_test_support::orders::{account, amount, debit, order, pay, present, save};
use pactolus_test_support::sample::{APPID, NOW};
use pactolus_types::{Environment, QuarterHour, UnixMillis};

/// The tables of version 1, from those of this version: the columns that it lacked are gone, and totals are by day.
const DOWNGRADE: &str = "
    ALTER TABLE pactolus.orders DROP COLUMN pay_no, DROP COLUMN back_coins, DROP COLUMN back_gifted,
        DROP COLUMN of_account;
    ALTER TABLE pactolus.accounts DROP COLUMN debited;
    ALTER TABLE pactolus.orders DROP COLUMN debited_after, DROP COLUMN amount, DROP COLUMN take_available,
        DROP COLUMN paid_first, DROP COLUMN utc_offset_min;
    ALTER TABLE pactolus.totals DROP COLUMN debits, DROP COLUMN debited;
    ALTER TABLE pactolus.totals RENAME COLUMN quarter TO day;
    CREATE TABLE by_day AS SELECT part, app, environment, day / 96 AS day, offer, zone, sum(saves) AS a,
        sum(saved) AS b, sum(presents) AS c, sum(presented) AS d, sum(pays) AS e, sum(paid) AS f, sum(cancels) AS g,
        sum(cancelled) AS h FROM pactolus.totals GROUP BY part, app, environment, day / 96, offer, zone;
    DELETE FROM pactolus.totals;
    INSERT INTO pactolus.totals SELECT * FROM by_day;
    DROP TABLE by_day;
    UPDATE pactolus.meta SET version = 1";

/// A gift under a daily limit, decided by the rule of version 1.
fn limited(count: u64) -> OrderKind {
    let per_day = Some(DailyLimit { max: amount(10), days: LimitDays::LegacyUtc });
    OrderKind::Present(Gift { amount: amount(count), limits: GiftLimits { per_order: None, per_day } })
}

fn hours(count: u64) -> UnixMillis {
    NOW.saturating_add(Duration::from_secs(count * 3600))
}

#[tokio::test]
async fn bank_of_version_1_keeps_its_books() {
    let database = Database::create();
    let url: PostgresUrl = database.url().parse().unwrap();
    let open = async || PostgresStore::open(&url, &PostgresSettings::default()).await.unwrap();
    migrate(&url, None).await.unwrap();
    let store = open().await;
    let in_zone = |zone: &str, bill_no: &str, kind| {
        let mut order: Order = order("one", bill_no, kind);
        order.account.zone = zone.parse().unwrap();
        order
    };
    let orders = [
        (in_zone("1", "a", save(100)), hours(0)),
        (in_zone("1_mage", "b", present(20)), hours(1)),
        (in_zone("_", "c", present(3)), hours(1)),
        (in_zone("1", "d", pay(40)), hours(30)),
        (in_zone("1", "d", OrderKind::Cancel { window: Duration::from_secs(3600) }), hours(31)),
        // The clock was ahead, and the count of version 1 goes on from there.
        (in_zone("1", "e", limited(6)), hours(24 * 400)),
        (in_zone("1", "f", limited(4)), hours(32)),
    ];
    for (order, at) in orders {
        let posted = store.post(order, at).await;
        assert!(matches!(posted, Ok(Posted::Applied(_))), "{posted:?}");
    }
    let start = QuarterHour::from_time(NOW).get();
    let bounds = [0, 4, 8, 120, 124, 200].map(|quarters| QuarterHour::new(start + quarters));
    let periods = Periods::new([&bounds[..], &[QuarterHour::MAX]].concat()).unwrap();
    let app = APPID.parse().unwrap();
    let totals =
        async |store: &PostgresStore| store.totals(app, Environment::Live, periods.clone()).await.unwrap();
    let before = totals(&store).await;
    assert!(before.len() > 5, "{before:?}");
    store.close().await;

    execute(&database.url(), DOWNGRADE);
    let error = PostgresStore::open(&url, &PostgresSettings::default()).await.err().unwrap().to_string();
    assert!(error.contains("schema version 1") && error.contains("run `pactolus migrate`"), "{error}");
    let days = "SELECT count(*) FROM pactolus.totals WHERE day > 1000000";
    assert_eq!(query_scalar(&database.url(), days), "0", "days, not quarters");
    let report = migrate(&url, None).await.unwrap();
    assert_eq!((report.from, report.to), (1, 3));

    let store = open().await;
    assert_eq!(totals(&store).await, before, "the quarters of the old orders");
    let audit = store.audit().await.unwrap();
    assert!(audit.is_clean() && audit.orders == 7, "{audit:?}");
    assert_eq!(audit.latest_order, Some(hours(24 * 400)));
    let posted = store.post(in_zone("1", "g", debit(30)), hours(33)).await;
    assert!(matches!(posted, Ok(Posted::Applied(_))), "{posted:?}");
    assert_eq!(store.account(account("one")).await.unwrap().balance().get(), 80);
    let audit = store.audit().await.unwrap();
    assert!(audit.is_clean(), "{audit:?}");
}
