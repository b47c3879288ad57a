//! `pactolus audit`: verifies the books of a store.

use anyhow::Context as _;
use jiff::Timestamp;
use pactolus_ledger::{Audit, HistoryDigest};
use pactolus_server::{Clock as _, SystemClock};
use pactolus_types::UnixMillis;
use serde_json::json;

use crate::cli::escape::escaped_line;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::i18n::{Lang, localize, tr};
use crate::cli::output::{self, OutputFormat};
use crate::config::StoreUrl;
use crate::store::{self, StoreArgs};

/// Verify the books of a store
///
/// Decides every order again and checks three invariants: each order follows from the orders before it, each bill
/// number leads to exactly one order, and each account is the sum of its orders. Prints each finding, and exits with
/// 1 if there is one.
///
/// Stop the bank before you audit an embedded store. A store on PostgreSQL may be served meanwhile: the audit reads a
/// snapshot from its start.
///
/// For an embedded store it also prints a digest of the whole history. Keep it outside the store: a later audit with
/// --since proves that these orders are unchanged.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    store: StoreArgs,
    /// Also verify that the orders up to this digest, noted earlier, are unchanged
    #[arg(long, value_name = "DIGEST")]
    since: Option<HistoryDigest>,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    output: OutputFormat,
}

/// Audits the store and prints the findings. Fails if there are any.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    let url = args.store.resolve(lang)?;
    if args.since.is_some() && store::embedded_folder(&url).is_err() {
        return Err(no_digest_error(&url, lang));
    }
    let audit = store::audit(&url, args.since)?
        .with_context(|| tr!(lang, "the audit did not complete", "审计未能完成"))?;
    match args.output {
        OutputFormat::Text => output::print(text(&url, &audit, SystemClock.now(), lang))?,
        OutputFormat::Json => output::print(json(&url, &audit, SystemClock.now()))?,
    }
    if audit.is_clean() { Ok(()) } else { Err(CliError::AuditFailed) }
}

/// A database can change a row without a trace, so a digest computed from its own rows would prove nothing.
fn no_digest_error(url: &StoreUrl, lang: Lang) -> CliError {
    let message = tr!(
        lang,
        "{url} keeps no history digest, so --since cannot be verified; omit --since, and archive the database's own \
         log",
        "{url} 不保存历史摘要，无法据此核对；请去掉 --since，并保留数据库自身的日志归档"
    );
    CliError::message(ExitCode::Usage, message)
}

/// The time of the latest order, if it is ahead of `now`: the clock was or is wrong. The books are still right.
fn ahead_of(audit: &Audit, now: UnixMillis) -> Option<String> {
    let latest = audit.latest_order.filter(|latest| *latest > now)?;
    let time = i64::try_from(latest.get()).ok().and_then(|at| Timestamp::from_millisecond(at).ok());
    Some(time.map_or_else(|| latest.to_string(), |time| time.to_string()))
}

fn text(store: &StoreUrl, audit: &Audit, now: UnixMillis, lang: Lang) -> String {
    let Audit { orders, accounts, history, findings, latest_order: _ } = audit;
    let outcome = match findings.len() {
        0 => tr!(lang, "audit passed", "账目无误"),
        count @ Audit::FINDINGS_MAX => {
            tr!(lang, "at least {count} problems", "至少有 {count} 个问题")
        }
        count => tr!(lang, "problems: {count}", "问题数：{count}"),
    };
    let mut lines: Vec<_> = findings.iter().map(|finding| localize(&finding.to_string(), lang)).collect();
    lines.push(tr!(
        lang,
        "{store}: {outcome}; orders: {orders}, accounts: {accounts}",
        "{store}：{outcome}；订单数：{orders}，账户数：{accounts}"
    ));
    lines.extend(ahead_of(audit, now).map(|latest| {
        tr!(
            lang,
            "note: an order is dated {latest}, ahead of this machine's clock",
            "注意：有订单的时间是 {latest}，晚于本机时钟"
        )
    }));
    lines.extend(history.map(|history| tr!(lang, "digest: {history}", "摘要：{history}")));
    lines.iter().map(escaped_line).collect()
}

fn json(store: &StoreUrl, audit: &Audit, now: UnixMillis) -> String {
    let findings: Vec<_> = audit.findings.iter().map(ToString::to_string).collect();
    let outcome = json!({
        "store": store.to_string(),
        "clean": audit.is_clean(),
        "orders": audit.orders,
        "accounts": audit.accounts,
        "digest": audit.history.map(|history| history.to_string()),
        "findings": findings,
        "order_ahead_of_clock": ahead_of(audit, now),
    });
    format!("{outcome}\n")
}

#[cfg(test)]
mod tests {
    use super::{Audit, Lang, StoreUrl, UnixMillis};

    const NOW: UnixMillis = UnixMillis::new(1_507_530_737_000);

    fn rendered(print: fn(&StoreUrl, &Audit) -> String, findings: usize) -> String {
        let mut audit = Audit { orders: 3, accounts: 2, ..Audit::default() };
        (0..findings).for_each(|number| audit.add_finding(format!("finding {number}")));
        print(&StoreUrl::default(), &audit)
    }

    fn text(store: &StoreUrl, audit: &Audit) -> String {
        super::text(store, audit, NOW, Lang::En)
    }

    fn json(store: &StoreUrl, audit: &Audit) -> String {
        super::json(store, audit, NOW)
    }

    #[test]
    fn order_ahead_of_the_clock_is_a_note() {
        let at = |latest| Audit { orders: 3, accounts: 2, latest_order: Some(latest), ..Audit::default() };
        let passed = "embedded:./data: audit passed; orders: 3, accounts: 2\n";
        let note = "note: an order is dated 2017-10-09T06:32:17.001Z, ahead of this machine's clock\n";
        assert_eq!(text(&StoreUrl::default(), &at(NOW)), passed);
        let ahead = at(UnixMillis::new(NOW.get() + 1));
        assert_eq!(text(&StoreUrl::default(), &ahead), format!("{passed}{note}"));
    }

    #[test]
    fn each_finding_is_on_its_own_line() {
        assert_eq!(rendered(text, 0), "embedded:./data: audit passed; orders: 3, accounts: 2\n");
        assert_eq!(
            rendered(text, 2),
            "finding 0\nfinding 1\nembedded:./data: problems: 2; orders: 3, accounts: 2\n"
        );
        assert!(rendered(text, 200).ends_with("at least 100 problems; orders: 3, accounts: 2\n"));
    }

    #[test]
    fn json_output_has_the_same_findings() {
        let clean = r#"{"accounts":2,"clean":true,"digest":null,"findings":[],"order_ahead_of_clock":null,"orders":3,"store":"embedded:./data"}"#;
        assert_eq!(rendered(json, 0), format!("{clean}\n"));
        let wrong = clean.replace("true", "false").replace("[]", r#"["finding 0"]"#);
        assert_eq!(rendered(json, 1), format!("{wrong}\n"));
    }
}
