//! Schema migrations: how a database gets the tables of a bank, and how they change between versions.
//!
//! Each migration is one transaction that locks the version row. Of several programs that migrate at once, one
//! applies it and the others find it done. To add one: a file beside `migrate/0001.sql`, and its line in
//! [`MIGRATIONS`].

use std::time::Duration;

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::error::DatabaseError;
use crate::id::PARTITIONS;
use crate::session::PgSession;
use crate::url::PostgresUrl;
use crate::{OpenError, PostgresSettings, requirements};

/// SQL that upgrades each version to the next.
const MIGRATIONS: [&str; 3] =
    [include_str!("migrate/0001.sql"), include_str!("migrate/0002.sql"), include_str!("migrate/0003.sql")];

/// The schema version of this program.
pub(crate) const VERSION: i32 = 3;

const _: () = assert!(MIGRATIONS.len() == 3, "the version is the number of migrations");

/// The version row. Its row lock is the only lock taken, which works on every engine.
const CREATE_META: [&str; 3] = [
    "CREATE SCHEMA IF NOT EXISTS pactolus",
    "CREATE TABLE IF NOT EXISTS pactolus.meta (
        part smallint NOT NULL, version integer NOT NULL, partitions smallint NOT NULL,
        CONSTRAINT meta_pkey PRIMARY KEY (part))",
    "INSERT INTO pactolus.meta (part, version, partitions) VALUES (0, 0, 256) ON CONFLICT (part) DO NOTHING",
];

const _: () = assert!(PARTITIONS == 256, "it is what the row says");

/// Result of a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MigrationReport {
    /// Schema version before; 0 is a database without a bank.
    pub from: u32,
    /// Schema version after.
    pub to: u32,
}

/// Distribution of the tables over several machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// Citus: every table is sharded by partition, and a partition's rows of all tables are on one machine.
    Citus,
}

impl Distribution {
    /// The SQL statements that set it up, to run in sequence.
    pub fn statements(self) -> Vec<String> {
        match self {
            Self::Citus => {
                let distribute = |(index, table): (usize, &str)| {
                    let with = if index == 0 { "none" } else { "pactolus.accounts" };
                    format!(
                        "SELECT create_distributed_table('pactolus.{table}', 'part', colocate_with => '{with}')"
                    )
                };
                let tables = ["accounts", "orders", "bills", "totals", "records"];
                let reference = "SELECT create_reference_table('pactolus.meta')".to_owned();
                tables.into_iter().enumerate().map(distribute).chain([reference]).collect()
            }
        }
    }
}

/// Upgrades the database to this program's schema version, and distributes its tables if requested.
pub async fn migrate(
    url: &PostgresUrl,
    distribution: Option<Distribution>,
) -> Result<MigrationReport, OpenError> {
    let session = PgSession::open_long_running(url).await?;
    requirements::check(url, &session, &PostgresSettings::default()).await?;
    let client = &session.client;
    create_meta(client).await?;
    let from = schema_version(client).await?;
    if from > VERSION {
        return Err(OpenError::SchemaTooNew { found: from });
    }
    for (index, migration) in MIGRATIONS.iter().enumerate() {
        let to = i32::try_from(index + 1).expect("there are few migrations");
        let apply = async {
            client.batch_execute("BEGIN").await?;
            let row =
                client.query_one("SELECT version FROM pactolus.meta WHERE part = 0 FOR UPDATE", &[]).await?;
            if row.try_get::<_, i32>(0)? < to {
                client.batch_execute(migration).await?;
                client.execute("UPDATE pactolus.meta SET version = $1 WHERE part = 0", &[&to]).await?;
            }
            client.batch_execute("COMMIT").await
        };
        apply.await.map_err(DatabaseError::from)?;
    }
    if let Some(distribution) = distribution {
        for statement in distribution.statements() {
            client.batch_execute(&statement).await.map_err(DatabaseError::from)?;
        }
    }
    let to = schema_version(client).await?;
    let count = |version: i32| u32::try_from(version).unwrap_or_default();
    Ok(MigrationReport { from: count(from), to: count(to) })
}

/// Maximum attempts per statement of [`create_meta`]. Two programs that create the same schema at once fail with one
/// of several errors, each of them a sign that the other has created it.
const ATTEMPTS_MAX: u32 = 20;

/// Creates the schema and the version row.
async fn create_meta(client: &Client) -> Result<(), OpenError> {
    for statement in CREATE_META {
        let mut attempts = 0;
        while let Err(error) = client.batch_execute(statement).await {
            attempts += 1;
            let racy_codes = [
                SqlState::UNIQUE_VIOLATION,
                SqlState::DUPLICATE_SCHEMA,
                SqlState::DUPLICATE_TABLE,
                SqlState::DUPLICATE_OBJECT,
                SqlState::T_R_SERIALIZATION_FAILURE,
                SqlState::INTERNAL_ERROR,
            ];
            if attempts == ATTEMPTS_MAX || !error.code().is_some_and(|code| racy_codes.contains(code)) {
                return Err(DatabaseError::from(error).into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}

async fn schema_version(client: &Client) -> Result<i32, DatabaseError> {
    let row = client.query_one("SELECT version FROM pactolus.meta WHERE part = 0", &[]).await?;
    Ok(row.try_get(0)?)
}

/// Checks that the database has this program's schema version and partition count.
pub(crate) async fn check_schema(client: &Client) -> Result<(), OpenError> {
    let result = client
        .query_opt(
            "SELECT version, partitions, current_setting('fsync') FROM pactolus.meta WHERE part = 0",
            &[],
        )
        .await;
    let row = match result {
        Ok(row) => row,
        Err(error)
            if [SqlState::UNDEFINED_TABLE, SqlState::INVALID_SCHEMA_NAME]
                .iter()
                .any(|none| error.code() == Some(none)) =>
        {
            None
        }
        Err(error) => return Err(DatabaseError::from(error).into()),
    };
    let Some(row) = row else { return Err(OpenError::NotMigrated) };
    let read = || Ok::<_, tokio_postgres::Error>((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
    let (version, partitions, fsync): (i32, i16, &str) = read().map_err(DatabaseError::from)?;
    if fsync == "off" {
        tracing::warn!("the database has fsync = off: a power loss loses committed orders");
    }
    match version {
        0 => Err(OpenError::NotMigrated),
        VERSION if partitions == PARTITIONS => Ok(()),
        VERSION => Err(OpenError::PartitionMismatch { found: partitions }),
        found if found < VERSION => Err(OpenError::SchemaTooOld { found }),
        found => Err(OpenError::SchemaTooNew { found }),
    }
}
