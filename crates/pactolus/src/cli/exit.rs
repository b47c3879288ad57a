//! Errors of commands, and their exit codes.
//!
//! The table in `--help` is generated from [`ExitCode`], so the two cannot differ.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use pactolus_client::OrderOutcome;
use pactolus_ledger::ImportError;
use pactolus_server::KeyCheckError;
use pactolus_types::{AppId, BillNo};

use crate::cli::escape::EscapedText;
use crate::cli::i18n::{Lang, localize, localized_chain, tr};
use crate::config::{ConfigError, InvalidStoreUrl, StoreUrl};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The configuration cannot be read, or is invalid.
    #[error("the configuration is invalid\n{0}")]
    Config(ConfigError),
    /// `--clock manual` with an app that is not for development.
    #[error(
        "--clock manual is for development and needs login = \"open\" for every app; {0} has another login mode"
    )]
    ManualClock(AppId),
    /// The store cannot be opened.
    #[error("the store {store} cannot be opened")]
    StoreOpen {
        store: StoreUrl,
        /// The engine's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The configuration lacks a master key that encrypted records of the store.
    #[error("the store {store} cannot be served with these master keys")]
    MissingMasterKey {
        store: StoreUrl,
        /// The missing keys.
        source: KeyCheckError,
    },
    /// A store URL on the command line is invalid.
    #[error("the store URL on the command line {0}")]
    StoreUrl(InvalidStoreUrl),
    /// The command supports embedded stores only.
    #[error("{0} is not an embedded store, which this command needs; use the tools of the database")]
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "every store is embedded"))]
    NotEmbedded(StoreUrl),
    /// The store does not exist.
    #[error("no store at {0}; `pactolus serve` creates it at its first start")]
    StoreNotFound(StoreUrl),
    /// The address cannot be bound.
    #[error("cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The file exists, and may hold keys in use.
    #[error("{} already exists; name another file with --config, or overwrite it with --force", .0.display())]
    FileExists(PathBuf),
    /// An order cannot be copied.
    #[error("the copy is incomplete")]
    Copy(#[from] ImportError),
    /// The audit printed findings.
    #[error("the audit found errors")]
    AuditFailed,
    /// The shutdown timeout expired, and open requests were aborted.
    #[error("some requests exceeded shutdown_timeout_s and were aborted; clients can retry them safely")]
    ShutdownTimeout,
    /// A command's own message, already localized.
    #[error("{text}")]
    Message { exit_code: ExitCode, text: String },
    /// An unexpected error.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl CliError {
    /// The exit code of this error.
    pub(crate) const fn exit_code(&self) -> ExitCode {
        match self {
            Self::FileExists(_) | Self::Copy(_) | Self::AuditFailed | Self::Other(_) => ExitCode::Failed,
            Self::StoreUrl(_) | Self::NotEmbedded(_) => ExitCode::Usage,
            Self::Config(_)
            | Self::ManualClock(_)
            | Self::MissingMasterKey { source: KeyCheckError::MissingKeys(_), .. } => ExitCode::Config,
            Self::MissingMasterKey { source: KeyCheckError::Unavailable(_), .. }
            | Self::StoreOpen { .. }
            | Self::StoreNotFound(_) => ExitCode::Store,
            Self::Listen { .. } => ExitCode::Listen,
            Self::ShutdownTimeout => ExitCode::ShutdownTimeout,
            Self::Message { exit_code: kind, .. } => *kind,
        }
    }

    /// An error with a message of the command itself.
    pub(crate) fn message(kind: ExitCode, words: String) -> Self {
        Self::Message { exit_code: kind, text: words }
    }

    /// The message and its causes, each after a colon. One line, without unsafe characters; a configuration has a line
    /// for each problem.
    pub(crate) fn localized(&self, lang: Lang) -> String {
        if let Self::Config(problems) = self {
            let problems = problems.lines(lang).join("\n");
            return tr!(lang, "the configuration is invalid\n{problems}", "配置有误\n{problems}");
        }
        let text = match lang {
            Lang::En => self.to_string(),
            Lang::Zh => self.zh_text(),
        };
        let text = match self.source() {
            Some(cause) => tr!(lang, "{text}: {}", "{text}：{}", localized_chain(cause, lang)),
            None => text,
        };
        EscapedText(text).to_string()
    }

    /// The error of a failed call; `retry_args` are the arguments that repeat the call with its idempotency key.
    pub(crate) fn from_call(
        error: &(dyn Error + 'static),
        (outcome, retryable): (OrderOutcome, bool),
        retry_args: &str,
        lang: Lang,
    ) -> Self {
        let why = localized_chain(error, lang);
        match (outcome, retryable) {
            (OrderOutcome::Unknown, _) => Self::message(
                ExitCode::Unknown,
                tr!(
                    lang,
                    "the outcome is unknown: {why}; to find out, run the command again with {retry_args}",
                    "结果未知：{why}；请用 {retry_args} 再次运行以确认"
                ),
            ),
            (OrderOutcome::NotApplied, true) => {
                Self::message(ExitCode::Unreachable, tr!(lang, "nothing was done: {why}", "未执行：{why}"))
            }
            (OrderOutcome::NotApplied, false) => {
                Self::message(ExitCode::Refused, tr!(lang, "refused: {why}", "被拒绝：{why}"))
            }
        }
    }

    /// The error of a used bill number, if the bank does not say for which order: only the user knows whether this
    /// order was sent before.
    pub(crate) fn number_used(why: &str, bill_no: BillNo, lang: Lang) -> Self {
        Self::message(
            ExitCode::Unknown,
            tr!(
                lang,
                "the outcome is unknown: {why}; if this very order was sent as {bill_no} before, run the command again \
                 with --resume; take another number only if it never was",
                "结果未知：{why}；如果这笔订单曾以 {bill_no} 发送过，请加 --resume 再次运行；只有确定从未发送过，才可换用新的订单号"
            ),
        )
    }

    fn zh_text(&self) -> String {
        match self {
            Self::Config(problems) => problems.lines(Lang::Zh).join("\n"),
            Self::ManualClock(appid) => format!(
                "--clock manual 仅供开发使用，要求每个应用都设置 login = \"open\"；{appid} 没有这样设置"
            ),
            Self::StoreOpen { store, .. } => format!("无法打开存储 {store}"),
            Self::MissingMasterKey { store, .. } => format!("无法用这些主密钥打开存储 {store} 中的记录"),
            Self::StoreNotFound(store) => format!("{store} 处没有存储；首次运行 pactolus serve 时才会创建"),
            Self::Listen { address, .. } => format!("无法监听 {address}"),
            Self::FileExists(path) => {
                format!("{} 已存在；请用 --config 另取一个名字，或用 --force 覆盖", path.display())
            }
            Self::StoreUrl(problem) => {
                format!("命令行中的存储 URL {}", localize(&problem.to_string(), Lang::Zh))
            }
            Self::NotEmbedded(store) => {
                format!("{store} 不是嵌入式存储，不支持此操作；请使用数据库自身的工具")
            }
            Self::Copy(_) => "未能完整复制".to_owned(),
            Self::AuditFailed => "账目有误".to_owned(),
            Self::ShutdownTimeout => {
                "部分请求超过 shutdown_timeout_s 而被中断；客户端可以放心重试".to_owned()
            }
            Self::Message { text: words, .. } => words.clone(),
            Self::Other(error) => localize(&error.to_string(), Lang::Zh),
        }
    }
}

/// The message and its causes in English, each after a colon: for a log or a file. People get `localized_chain`.
pub(crate) fn error_chain(error: &(dyn Error + 'static)) -> String {
    localized_chain(error, Lang::En)
}

/// The exit codes, for scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitCode {
    /// The command ran, and failed.
    Failed,
    /// The command line is invalid. `clap` exits with this code too.
    Usage,
    /// The configuration is invalid.
    Config,
    /// The store could not be opened.
    Store,
    /// The address could not be bound.
    Listen,
    /// The shutdown timeout expired, and some requests were aborted.
    ShutdownTimeout,
    /// Some gifts are given; others failed, or their outcome is unknown.
    SomeApplied,
    /// No gift is given.
    NoneApplied,
    /// The input is invalid, and nothing was done.
    Input,
    /// The bank refused the call, and no coins moved.
    Refused,
    /// The outcome of the order is unknown.
    Unknown,
    /// The bank is unreachable, and no coins moved.
    Unreachable,
}

impl ExitCode {
    const ALL: [Self; 12] = [
        Self::Failed,
        Self::Usage,
        Self::Config,
        Self::Store,
        Self::Listen,
        Self::ShutdownTimeout,
        Self::SomeApplied,
        Self::NoneApplied,
        Self::Input,
        Self::Refused,
        Self::Unknown,
        Self::Unreachable,
    ];

    /// The number. It is a stable interface: a number never changes its meaning.
    pub(crate) const fn as_u8(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Config => 3,
            Self::Store => 4,
            Self::Listen => 5,
            Self::ShutdownTimeout => 6,
            Self::SomeApplied => 7,
            Self::NoneApplied => 8,
            Self::Input => 9,
            Self::Refused => 10,
            Self::Unknown => 11,
            Self::Unreachable => 12,
        }
    }

    fn description(self, lang: Lang) -> String {
        match self {
            Self::Failed => tr!(
                lang,
                "the command failed; for an audit: it found errors",
                "命令执行失败；对 audit 而言：账目有误"
            ),
            Self::Usage => tr!(lang, "the command line is invalid", "命令行参数有误"),
            Self::Config => tr!(lang, "the configuration is invalid", "配置有误"),
            Self::Store => tr!(lang, "the store could not be opened", "无法打开存储"),
            Self::Listen => tr!(lang, "cannot listen on the address", "无法监听该地址"),
            Self::ShutdownTimeout => tr!(
                lang,
                "the shutdown timeout expired, and some requests were aborted",
                "停止超时，部分请求被中断"
            ),
            Self::SomeApplied => tr!(
                lang,
                "some rows of a file are done; the message says how to do the rest",
                "文件中的部分行已完成；完成其余部分的方法见提示信息"
            ),
            Self::NoneApplied => tr!(lang, "no row of a file is done", "文件中没有任何一行完成"),
            Self::Input => {
                tr!(lang, "the input is invalid, and nothing was done", "输入有误，未做任何操作")
            }
            Self::Refused => {
                tr!(lang, "the bank refused the call, and no coins moved", "服务端拒绝了调用，游戏币没有变动")
            }
            Self::Unknown => tr!(
                lang,
                "the outcome is unknown; run the command of the message, which\n      keeps the bill number, to find out (--bill-no NUMBER --resume)",
                "结果未知；请运行提示信息中的命令确认，它沿用同一订单号\n      （--bill-no NUMBER --resume）"
            ),
            Self::Unreachable => {
                tr!(lang, "the bank is unreachable, and no coins moved", "无法连接服务端，游戏币没有变动")
            }
        }
    }
}

/// Exit code of a process that SIGPIPE ended, by convention of shells.
pub(crate) const EXIT_SIGPIPE: u8 = 141;

/// The exit code of a command whose reader closed stdout or stderr early.
///
/// The codes about coins stay: a script has to know what happened to a gift, whether or not its output was read.
pub(crate) fn code_of_closed_output(code: u8) -> u8 {
    let about_coins = [
        ExitCode::SomeApplied,
        ExitCode::NoneApplied,
        ExitCode::Refused,
        ExitCode::Unknown,
        ExitCode::Unreachable,
    ];
    if about_coins.iter().any(|kind| kind.as_u8() == code) { code } else { EXIT_SIGPIPE }
}

/// The table of exit codes, one a line.
pub(crate) fn exit_code_table(lang: Lang) -> String {
    let failures = ExitCode::ALL.map(|kind| format!("\n  {:<2}  {}", kind.as_u8(), kind.description(lang)));
    tr!(
        lang,
        "  0   done{}\n  141 the reader of the output closed it",
        "  0   完成{}\n  141 输出的读取方已提前关闭",
        failures.concat()
    )
}
