//! `pactolus backup` and `pactolus restore`: online backup of an embedded store, and restore with an audit.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use pactolus_ledger_embedded::backup::{self, BackupError, CopySummary};
use serde_json::json;

use crate::cli::exit::{CliError, ExitCode};
use crate::cli::i18n::{Lang, localize, localized_chain, tr};
use crate::cli::output::{self, OutputFormat};
use crate::config::StoreUrl;
use crate::store::{self, StoreArg, StoreArgs};

/// Back up an embedded store while it is served
///
/// Copies and verifies all orders into a new folder, and prints a digest of the history. A backup holds no access
/// tokens and no logins: after a restore clients get a new token, and players log in again.
#[derive(clap::Args)]
pub(crate) struct BackupArgs {
    /// Folder to create; must be missing or empty
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
    #[command(flatten)]
    store: StoreArgs,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    output: OutputFormat,
}

/// Restore a store from a backup, and verify its books
///
/// Verifies every order on the way, then opens and audits the new store. The store gets its final name only after the
/// audit, so an incomplete restore is never served. With --until it is a point-in-time restore.
#[derive(clap::Args)]
pub(crate) struct RestoreArgs {
    /// Folder of the backup
    #[arg(long, value_name = "FOLDER")]
    from: PathBuf,
    /// Store to create, such as embedded:./data; must be missing or empty
    #[arg(long, value_name = "URL")]
    store: StoreArg,
    /// Restore only the first ORDERS orders, as a point-in-time restore
    #[arg(long, value_name = "ORDERS")]
    until: Option<u64>,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    output: OutputFormat,
}

/// Backs up the store.
pub(crate) fn back_up(args: &BackupArgs, lang: Lang) -> Result<(), CliError> {
    let url = args.store.resolve(lang)?;
    let CopySummary { orders, bytes, history } = backup::back_up(store::embedded_folder(&url)?, &args.to)
        .map_err(|error| backup_error(&error, lang))?;
    let to = args.to.display();
    match args.output {
        OutputFormat::Json => {
            let object = json!({
                "orders": orders,
                "bytes": bytes,
                "folder": to.to_string(),
                "digest": history.to_string(),
            });
            output::print(format_args!("{object}\n"))
        }
        OutputFormat::Text => output::print_lines([
            tr!(
                lang,
                "{to}: backed up; orders: {orders}, bytes: {bytes}",
                "{to}：备份完成；订单数：{orders}，字节数：{bytes}"
            ),
            tr!(lang, "digest: {history}", "摘要：{history}"),
        ]),
    }
}

/// Restores the store.
pub(crate) fn restore(args: &RestoreArgs, lang: Lang) -> Result<(), CliError> {
    let url = args.store.url(lang)?;
    let folder = store::embedded_folder(&url)?;
    if folder.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(backup_error(&BackupError::NotEmpty(folder.to_owned()), lang));
    }
    // An unverified store must not be served by mistake, so it has a temporary name until the audit.
    let staging = staging_path(folder);
    let CopySummary { orders, .. } =
        backup::restore(&args.from, &staging, args.until).map_err(|error| backup_error(&error, lang))?;
    let accounts = audit_restored(&staging, lang)?;
    let name = staging.display();
    std::fs::rename(&staging, folder)
        .with_context(|| tr!(lang, "{name} cannot be renamed", "无法重命名 {name}"))?;
    let store = &url;
    match args.output {
        OutputFormat::Json => {
            let object = json!({ "orders": orders, "accounts": accounts, "store": store.to_string() });
            output::print(format_args!("{object}\n"))
        }
        OutputFormat::Text => output::print_lines([tr!(
            lang,
            "{store}: restored, audit passed; orders: {orders}, accounts: {accounts}",
            "{store}：恢复完成，账目无误；订单数：{orders}，账户数：{accounts}"
        )]),
    }
}

/// Opens the store in `folder`, which rebuilds its views, and audits it. Returns the number of accounts.
fn audit_restored(folder: &Path, lang: Lang) -> Result<u64, CliError> {
    let audit = store::audit(&StoreUrl::Embedded(folder.to_owned()), None)?;
    let audit = audit.with_context(|| tr!(lang, "the audit did not complete", "审计未能完成"))?;
    for finding in &audit.findings {
        output::eprintln(localize(&finding.to_string(), lang));
    }
    if audit.is_clean() { Ok(audit.accounts) } else { Err(CliError::AuditFailed) }
}

/// The temporary name: `data.restoring` for `data`.
fn staging_path(folder: &Path) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".restoring");
    folder.with_file_name(name)
}

pub(crate) fn backup_error(error: &BackupError, lang: Lang) -> CliError {
    let en = localized_chain(error, Lang::En);
    let zh = match error {
        BackupError::NoStore(folder) => format!("{} 中没有存储", folder.display()),
        BackupError::NotABackup(folder) => {
            format!("{} 不是完整的备份；中断的备份无法使用", folder.display())
        }
        BackupError::NotEmpty(folder) => format!("目录 {} 不为空；请另取一个目录", folder.display()),
        BackupError::Truncated { folder, expected, found } => {
            format!("备份 {} 只有 {found} 笔订单，应有 {expected} 笔；请重新备份", folder.display())
        }
        BackupError::TooFewOrders { orders, until } => format!("备份共有 {orders} 笔订单，不足 {until} 笔"),
        BackupError::Journal(_) | BackupError::Io(_) => localized_chain(error, Lang::Zh),
    };
    CliError::message(ExitCode::Store, tr!(lang, "{en}", "{zh}"))
}
