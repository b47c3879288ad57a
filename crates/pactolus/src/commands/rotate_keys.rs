//! `pactolus rotate-keys`: re-encrypts every login and token of a store, so that an old master key can be removed.
//!
//! Each record is written by compare-and-set, so the command may be interrupted, run again, or run while a database
//! is served. The final counts come from a second pass over the whole store.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::anyhow;
use indicatif::{ProgressBar, ProgressStyle};
use pactolus_ledger::{Portable, PutOutcome, RecordChange, Unavailable};
use pactolus_server::{KeyId, Keyring, OsRandomness, SealStatus, expire_record};
use pactolus_types::UnixMillis;
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::cli::escape::EscapedText;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::i18n::{Lang, tr};
use crate::cli::output::{self, OutputFormat};
use crate::commands::copy::{CHUNK_RECORDS, for_each_chunk};
use crate::config::StoreUrl;
use crate::runtime;
use crate::store::{self, StoreArgs};

/// Re-encrypt all logins and tokens of a store with the first master key
///
/// Prints how many records are still encrypted with each key. Remove an old key from the configuration once no record
/// uses it. The command may be interrupted and run again. Stop the bank before you run it on an embedded store. A
/// store on PostgreSQL may be served meanwhile, once all nodes have the new key.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    store: StoreArgs,
    /// Drop records encrypted with a lost key: their players log in again, and back ends get a new token
    #[arg(long)]
    drop_unreadable: bool,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    output: OutputFormat,
}

/// Re-encrypts the records and counts them. Fails unless all are encrypted with the first key.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    let (url, config) = args.store.resolve_with_config(lang)?;
    let keys = config.server.keys;
    let Some(first) = keys.primary().map(pactolus_server::MasterKey::id) else {
        return Err(CliError::message(
            ExitCode::Config,
            tr!(
                lang,
                "the configuration has no master key; add one to `master_keys` in [seal]",
                "配置中没有主密钥；请在 [seal] 的 `master_keys` 中设置"
            ),
        ));
    };
    if store::is_empty(&url) {
        return Err(CliError::StoreNotFound(url));
    }
    let runtime = runtime::start()?;
    let store = runtime.block_on(store::open_for_copy(&url))?;
    let outcome = rotate_keys(&runtime, &store, &keys, args.drop_unreadable, lang);
    runtime.block_on(store.close());
    let outcome = outcome.map_err(|failure| match failure {
        RotationError::Failed(failure) => failure,
        RotationError::MissingKeys(source) => CliError::MissingMasterKey { store: url.clone(), source },
    })?;
    match args.output {
        OutputFormat::Text => output::print(text(&url, first, &outcome, lang))?,
        OutputFormat::Json => output::print(format_args!("{}\n", json(&url, first, &outcome)))?,
    }
    if outcome.remaining() == 0 { Ok(()) } else { Err(incomplete_error(&outcome, lang)) }
}

/// Changes made, and the state of the store after them.
#[derive(Default)]
struct RotationReport {
    reencrypted: u64,
    dropped: u64,
    /// Whether some records were plaintext before.
    had_unsealed: bool,
    /// Number of records per status.
    counts: BTreeMap<SealStatus, u64>,
}

impl RotationReport {
    fn count(&self, found: SealStatus) -> u64 {
        self.counts.get(&found).copied().unwrap_or_default()
    }

    /// Number of records that need work.
    fn remaining(&self) -> u64 {
        let left = self
            .counts
            .iter()
            .filter(|(found, _)| !matches!(found, SealStatus::NoSecret | SealStatus::Current));
        left.map(|(_, count)| count).sum()
    }

    /// Records per key, for the statuses that `pick` selects.
    fn by_key(&self, pick: impl Fn(SealStatus) -> Option<KeyId>) -> Vec<(KeyId, u64)> {
        self.counts.iter().filter_map(|(found, count)| Some((pick(*found)?, *count))).collect()
    }

    fn older(&self) -> Vec<(KeyId, u64)> {
        self.by_key(|found| if let SealStatus::OldKey(id) = found { Some(id) } else { None })
    }

    fn lost(&self) -> Vec<(KeyId, u64)> {
        self.by_key(|found| if let SealStatus::LostKey(id) = found { Some(id) } else { None })
    }
}

enum RotationError {
    /// A master key is missing, and `--drop-unreadable` was not given.
    MissingKeys(pactolus_server::KeyCheckError),
    Failed(CliError),
}

impl From<CliError> for RotationError {
    fn from(failure: CliError) -> Self {
        Self::Failed(failure)
    }
}

fn rotate_keys(
    runtime: &Runtime,
    store: &Arc<dyn Portable>,
    keys: &Keyring,
    drop_unreadable: bool,
    lang: Lang,
) -> Result<RotationReport, RotationError> {
    if !drop_unreadable {
        // Registers the first key in the store, so an interrupted rotation still requires it.
        runtime.block_on(keys.check_keys(&**store)).map_err(RotationError::MissingKeys)?;
    }
    let mut outcome = RotationReport::default();
    let bar = spinner(lang);
    for_each_record_chunk(store, |chunk| {
        let read = chunk.len();
        let (mut to_reseal, mut to_drop) = (Vec::new(), Vec::new());
        for record in chunk {
            let found = keys.inspect(&record);
            outcome.had_unsealed |= found == SealStatus::Plaintext;
            match found {
                SealStatus::Plaintext | SealStatus::OldKey(_) => {
                    to_reseal.extend(keys.reseal(&OsRandomness, record));
                }
                SealStatus::LostKey(_) | SealStatus::Damaged if drop_unreadable => {
                    to_drop.push(expire_record(record));
                }
                SealStatus::NoSecret | SealStatus::Current | SealStatus::LostKey(_) | SealStatus::Damaged => {
                }
            }
        }
        outcome.reencrypted += runtime.block_on(put_each(store, to_reseal)).map_err(interrupted_error)?;
        outcome.dropped += runtime.block_on(put_each(store, to_drop)).map_err(interrupted_error)?;
        bar.inc(u64::try_from(read).unwrap_or(u64::MAX));
        Ok(())
    })?;
    if outcome.dropped > 0 {
        runtime.block_on(store.sweep(UnixMillis::new(1))).map_err(interrupted_error)?;
    }
    for_each_record_chunk(store, |chunk| {
        for record in chunk {
            *outcome.counts.entry(keys.inspect(&record)).or_default() += 1;
        }
        Ok(())
    })?;
    bar.finish_and_clear();
    let only_first_key =
        outcome.count(SealStatus::Plaintext) == 0 && outcome.older().is_empty() && outcome.lost().is_empty();
    if only_first_key {
        runtime.block_on(keys.retire_old_keys(&**store)).map_err(interrupted_error)?;
    }
    Ok(outcome)
}

fn for_each_record_chunk(
    store: &Arc<dyn Portable>,
    take: impl FnMut(Vec<RecordChange>) -> Result<(), CliError>,
) -> Result<(), CliError> {
    for_each_chunk(store, CHUNK_RECORDS, |store, visit| store.for_each_record(visit), take)
}

/// Writes each record by a compare-and-set of its own, all concurrently. Returns the number written. A conflict is
/// left to the second pass, which counts the record.
async fn put_each(store: &Arc<dyn Portable>, changes: Vec<RecordChange>) -> Result<u64, Unavailable> {
    let mut puts = JoinSet::new();
    for change in changes {
        let store = Arc::clone(store);
        puts.spawn(async move { store.put(vec![change]).await });
    }
    let mut made = 0;
    while let Some(put) = puts.join_next().await {
        match put.map_err(|_| Unavailable::Failed)?? {
            PutOutcome::Stored => made += 1,
            PutOutcome::Conflict => {}
        }
    }
    Ok(made)
}

fn interrupted_error(error: Unavailable) -> CliError {
    anyhow!(error).context("interrupted; run the command again to resume").into()
}

/// A spinner on stderr if that is a terminal.
fn spinner(lang: Lang) -> ProgressBar {
    let template = match lang {
        Lang::En => "{spinner} records {human_pos}",
        Lang::Zh => "{spinner} 记录 {human_pos}",
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner());
    ProgressBar::no_length().with_style(style)
}

fn text(url: &StoreUrl, first: KeyId, outcome: &RotationReport, lang: Lang) -> String {
    let RotationReport { reencrypted: resealed, dropped, .. } = outcome;
    let current = outcome.count(SealStatus::Current);
    let url = EscapedText(url);
    let mut text = tr!(
        lang,
        "{url}: re-encrypted: {resealed}; encrypted with the first key ({first}): {current}\n",
        "{url}：重新加密：{resealed}；以第一个主密钥（{first}）加密：{current}\n"
    );
    if *dropped > 0 {
        text += &tr!(lang, "dropped: {dropped}\n", "已丢弃：{dropped}\n");
    }
    for (id, count) in outcome.older() {
        text += &tr!(lang, "still encrypted with key {id}: {count}\n", "仍以主密钥 {id} 加密：{count}\n");
    }
    for (id, count) in outcome.lost() {
        text += &tr!(
            lang,
            "encrypted with a key that is not in the configuration ({id}): {count}\n",
            "以配置中没有的主密钥（{id}）加密：{count}\n"
        );
    }
    let (open, damaged) = (outcome.count(SealStatus::Plaintext), outcome.count(SealStatus::Damaged));
    if open > 0 {
        text += &tr!(lang, "plaintext: {open}\n", "未加密：{open}\n");
    }
    if damaged > 0 {
        text += &tr!(lang, "damaged: {damaged}\n", "已损坏：{damaged}\n");
    }
    if outcome.remaining() == 0 {
        text += &tr!(
            lang,
            "every other key can be removed from the configuration\n",
            "其他主密钥都可以从配置中移除\n"
        );
    }
    if outcome.had_unsealed {
        text += &tr!(
            lang,
            "records that were plaintext may remain in freed space of the store; pactolus copy to a new store leaves \
             them behind\n",
            "此前未加密的内容可能仍留在存储已释放的空间中；用 pactolus copy 复制到新的存储即可摆脱它们\n"
        );
    }
    text
}

fn json(url: &StoreUrl, first: KeyId, outcome: &RotationReport) -> serde_json::Value {
    let counts = |counts: Vec<(KeyId, u64)>| {
        let counts = counts.into_iter().map(|(id, count)| (id.to_string(), json!(count)));
        serde_json::Value::Object(counts.collect())
    };
    json!({
        "store": url.to_string(),
        "key": first.to_string(),
        "resealed": outcome.reencrypted,
        "forgotten": outcome.dropped,
        "current": outcome.count(SealStatus::Current),
        "older": counts(outcome.older()),
        "lost": counts(outcome.lost()),
        "open": outcome.count(SealStatus::Plaintext),
        "damaged": outcome.count(SealStatus::Damaged),
    })
}

fn incomplete_error(outcome: &RotationReport, lang: Lang) -> CliError {
    let message = if outcome.lost().is_empty() && outcome.count(SealStatus::Damaged) == 0 {
        tr!(
            lang,
            "some records were written with an old key meanwhile; put the new key first on every node, then run it again",
            "部分记录在此期间被改写；请确认每个节点都已把新密钥放在首位，然后重新运行"
        )
    } else {
        tr!(
            lang,
            "some records cannot be decrypted; restore the key that encrypted them, or drop them with --drop-unreadable",
            "部分记录无法解密；请找回对应的主密钥，或用 --drop-unreadable 丢弃它们"
        )
    };
    CliError::message(ExitCode::Failed, message)
}
