//! How a command can fail, and the exit code that says so to a script.
//!
//! The table in `--help` is written from [`ExitCode`], so the two cannot differ.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use pactolus_client::OrderOutcome;
use pactolus_ledger::ImportError;
use pactolus_server::KeyCheckError;
use pactolus_types::AppId;

use crate::cli::i18n::{Lang, tr};
use crate::config::{ConfigError, InvalidStoreUrl, StoreUrl};

/// Why a command did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The configuration cannot be read, or something in it is wrong.
    #[error("the configuration is refused\n{0}")]
    Config(ConfigError),
    /// A clock that can be turned was asked for, and this app is not for development.
    #[error(
        "--clock manual needs login = \"open\" for every app, because it is for development; that of {0} is not open"
    )]
    ManualClock(AppId),
    /// The store cannot be opened.
    #[error("the store {store} cannot be opened")]
    StoreOpen {
        /// Which.
        store: StoreUrl,
        /// Why not, as its engine says it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The master keys are not those that the store is sealed with.
    #[error("the store {store} cannot be served with these master keys")]
    MissingMasterKey {
        /// Which.
        store: StoreUrl,
        /// Which key is missing.
        source: KeyCheckError,
    },
    /// What `--store` says is no store.
    #[error("the store of the command line {0}")]
    StoreUrl(InvalidStoreUrl),
    /// Only an embedded store can do this.
    #[error("{0} is not an embedded store, and only such a one can do this; a database has its own ways")]
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "every store is embedded"))]
    NotEmbedded(StoreUrl),
    /// There is no store where one should be.
    #[error("there is no store at {0}; a bank makes its store when it is first served")]
    StoreNotFound(StoreUrl),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The file is there already, and may hold keys that are in use.
    #[error("{} is there already; name another with --config, or overwrite it with --force", .0.display())]
    FileExists(PathBuf),
    /// An order cannot be copied.
    #[error("the bank was not copied whole")]
    Copy(#[from] ImportError),
    /// The audit found something; it is printed already.
    #[error("the books are not right")]
    AuditFailed,
    /// Some requests were cut off when the server stopped.
    #[error("some requests took too long and were cut off; whoever sent one may repeat it safely")]
    ShutdownTimeout,
    /// What a command says of itself, in the reader's language.
    #[error("{text}")]
    Message {
        /// What kind of failure it is.
        exit_code: ExitCode,
        /// What happened.
        text: String,
    },
    /// Something that nobody expects.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl CliError {
    /// What kind of failure it is.
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

    /// A failure whose words are a command's own.
    pub(crate) fn message(kind: ExitCode, words: String) -> Self {
        Self::Message { exit_code: kind, text: words }
    }

    /// What happened and why, each cause after a colon. A cause is in English: it is for whoever looks into it.
    pub(crate) fn localized(&self, lang: Lang) -> String {
        let words = match lang {
            Lang::En => self.to_string(),
            Lang::Zh => self.zh_text(),
        };
        match self.source() {
            Some(cause) => format!("{words}: {}", error_chain(cause)),
            None => words,
        }
    }

    /// A call to a bank that is not done, as its error says; `again` are the arguments with which it is asked again.
    pub(crate) fn from_call(
        error: &(dyn Error + 'static),
        (outcome, retryable): (OrderOutcome, bool),
        retry_args: &str,
        lang: Lang,
    ) -> Self {
        let why = error_chain(error);
        match (outcome, retryable) {
            (OrderOutcome::Unknown, _) => Self::message(
                ExitCode::Unknown,
                tr!(
                    lang,
                    "it is not known whether it is done: {why}; to know, run it again with {retry_args}",
                    "不清楚是否已完成：{why}；请用 {retry_args} 再次运行以确认"
                ),
            ),
            (OrderOutcome::NotApplied, true) => {
                Self::message(ExitCode::Unreachable, tr!(lang, "it is not done: {why}", "没有完成：{why}"))
            }
            (OrderOutcome::NotApplied, false) => {
                Self::message(ExitCode::Refused, tr!(lang, "it is refused: {why}", "被拒绝：{why}"))
            }
        }
    }

    fn zh_text(&self) -> String {
        match self {
            Self::Config(problems) => format!("配置有误\n{problems}"),
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
            Self::StoreUrl(problem) => format!("命令行中的存储有误：{problem}"),
            Self::NotEmbedded(store) => {
                format!("{store} 不是嵌入式存储，不支持此操作；请使用数据库自身的工具")
            }
            Self::Copy(_) => "未能完整复制".to_owned(),
            Self::AuditFailed => "账目有误".to_owned(),
            Self::ShutdownTimeout => "部分请求耗时过长而被中断；发送方可以放心重发".to_owned(),
            Self::Message { text: words, .. } => words.clone(),
            Self::Other(error) => error.to_string(),
        }
    }
}

/// What happened and why, each cause after a colon.
pub(crate) fn error_chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error: &&(dyn Error + 'static)| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The kinds of failure that a script can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitCode {
    /// What was asked for was tried, and did not succeed.
    Failed,
    /// The command line was not understood. `clap` ends with this one too.
    Usage,
    /// The configuration was refused.
    Config,
    /// The store could not be opened.
    Store,
    /// The address could not be listened on.
    Listen,
    /// The bank stopped, and cut off requests that took too long.
    ShutdownTimeout,
    /// Some of the gifts are given, and some are not, or are not known to be.
    SomeApplied,
    /// None of the gifts is given.
    NoneApplied,
    /// What was to be read was refused, and nothing was done.
    Input,
    /// The bank refused the call, and nothing moved.
    Refused,
    /// What became of the order is not known.
    Unknown,
    /// The bank could not be reached, and nothing moved.
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

    /// The exit code. These are for scripts: a number, once given, keeps its meaning.
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
                "it failed; for an audit: the books are not right",
                "执行失败；对 audit 而言：账目有误"
            ),
            Self::Usage => tr!(lang, "the command line was not understood", "命令行参数有误"),
            Self::Config => tr!(lang, "the configuration was refused", "配置有误"),
            Self::Store => tr!(lang, "the store could not be opened", "无法打开存储"),
            Self::Listen => tr!(lang, "the address could not be listened on", "无法监听该地址"),
            Self::ShutdownTimeout => tr!(
                lang,
                "the bank stopped, and cut off requests that took too long",
                "服务已停止，部分耗时过长的请求被中断"
            ),
            Self::SomeApplied => tr!(
                lang,
                "some gifts are given; run the same command again for the rest",
                "部分赠币已发放；重新运行同一命令即可补发其余部分"
            ),
            Self::NoneApplied => tr!(lang, "no gift is given", "没有发放任何赠币"),
            Self::Input => {
                tr!(lang, "what was to be read is wrong, and nothing was done", "输入有误，未做任何操作")
            }
            Self::Refused => {
                tr!(lang, "the bank refused it, and nothing moved", "对方拒绝，游戏币没有变动")
            }
            Self::Unknown => tr!(
                lang,
                "it is not known whether coins moved; the same command again tells",
                "不清楚游戏币是否变动；重新运行同一命令即可得知"
            ),
            Self::Unreachable => {
                tr!(lang, "the bank could not be reached, and nothing moved", "无法连接对方，游戏币没有变动")
            }
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(kind: ExitCode) -> Self {
        kind.as_u8().into()
    }
}

/// Every exit code with its meaning, a line each.
pub(crate) fn exit_code_table(lang: Lang) -> String {
    let failures = ExitCode::ALL.map(|kind| format!("\n  {:<2}  {}", kind.as_u8(), kind.description(lang)));
    tr!(lang, "  0   done{}", "  0   完成{}", failures.concat())
}
