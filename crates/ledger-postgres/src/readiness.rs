//! Readiness: whether this node can post an order now.
//!
//! It posts one and rolls it back, on a connection of its own, and reads the version of the tables. So a database that
//! answers `SELECT 1` and takes no order, such as a full one or one whose user lost a right, is not ready. The order is
//! of an account of no app. Load balancers poll; an answer is kept for [`KEPT`], so strangers cannot load the database.

use std::sync::Arc;
use std::time::Duration;

use pactolus_ledger::{AccountKey, Memo, Numbering, Order, OrderKind, Unavailable};
use pactolus_types::{Amount, Environment, UnixMillis};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio::try_join;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::error::DatabaseError;
use crate::id::PARTITIONS;
use crate::migrate::VERSION;
use crate::random::{FillRandom, random_u64};
use crate::session::{Connector, PgSession, SharedSession};
use crate::write::PendingOrder;
use crate::write::batch::{self, BatchStatements};

/// How long an answer is kept.
const KEPT: Duration = Duration::from_millis(500);

pub(crate) struct ReadinessProbe {
    connector: Connector,
    session: SharedSession<BatchStatements>,
    randomness: FillRandom,
    timeout: Duration,
    /// The last answer. Held while a probe runs, because two would share one transaction. The probe takes the lock of
    /// its session; no other task takes both.
    last: Mutex<Option<(Instant, Result<(), Unavailable>)>>,
}

impl ReadinessProbe {
    /// Number of connections.
    pub(crate) const CONNECTIONS: usize = 1;

    pub(crate) fn new(connector: &Connector, randomness: FillRandom, timeout: Duration) -> Self {
        let session = SharedSession::for_lookups(connector);
        Self { connector: connector.clone(), session, randomness, timeout, last: Mutex::new(None) }
    }

    pub(crate) async fn check(&self) -> Result<(), Unavailable> {
        let mut last = self.last.lock().await;
        if let Some((at, answer)) = &*last
            && at.elapsed() < KEPT
        {
            return *answer;
        }
        let answer = self.probe().await.map_err(|error| {
            self.connector.failures.report("a trial order failed", &error);
            error.unavailable()
        });
        *last = Some((Instant::now(), answer));
        answer
    }

    async fn probe(&self) -> Result<(), DatabaseError> {
        let number = random_u64(self.randomness);
        let order = &[trial_order(number)];
        // Nodes seldom choose the same row, and a trial of another node is over soon.
        let part = i16::try_from(number % u64::from(PARTITIONS.unsigned_abs())).unwrap_or(0);
        let trial = |session: Arc<PgSession<BatchStatements>>| async move {
            let version = check_version(&session.client);
            try_join!(biased; version, batch::rehearse(&session, order, part)).map(drop)
        };
        self.session.with(trial, self.timeout).await
    }
}

/// A gift to an account that no app has, under a bill number of its own.
fn trial_order(number: u64) -> PendingOrder {
    const VALID: &str = "it keeps the rules";
    let account = AccountKey {
        app: "pactolus-readiness".parse().expect(VALID),
        environment: Environment::Sandbox,
        offer: "trial".parse().expect(VALID),
        player: format!("trial-{number:x}").parse().expect(VALID),
        zone: "1".parse().expect(VALID),
    };
    let bill_no = format!("trial-{number:x}").parse().expect(VALID);
    let kind = OrderKind::Present(Amount::new(1).expect(VALID).into());
    let (numbering, memo) = (Numbering::OfApp, Memo::default());
    PendingOrder::new(Order { account, bill_no, numbering, kind, memo }, UnixMillis::new(0))
}

/// Checks that no other version migrated the tables since this node opened them.
async fn check_version(client: &Client) -> Result<(), DatabaseError> {
    let messages = client.simple_query("SELECT version FROM pactolus.meta WHERE part = 0").await?;
    let version = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
        _ => None,
    });
    match version {
        Some(VERSION) => Ok(()),
        found => Err(DatabaseError::OtherSchema(found.unwrap_or(0))),
    }
}
