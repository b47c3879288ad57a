//! What a doctor looks at: each check says what it found and, where that is not good, what to do.

use std::fs::{self, File, TryLockError};
use std::path::Path;

use anyhow::Context as _;
use pactolus_protocol::MpSig;
use pactolus_server::{AppSettings, Clock as _, Keyring, LoginMode, SystemClock};
use tokio::net::TcpListener;

use super::CheckResult;
use crate::cli::i18n::{Lang, tr};
use crate::config::{Config, StoreUrl};
use crate::http::HttpClient;
use crate::{runtime, store};

/// The first second of 2025: no machine that runs this is earlier.
const CLOCK_MIN_S: u64 = 1_735_689_600;

/// The machine's clock, by which sessions end, tokens expire, and pays can be cancelled.
pub(super) fn clock(lang: Lang) -> CheckResult {
    let now = SystemClock.now().seconds();
    if now < CLOCK_MIN_S {
        return CheckResult::error(
            "clock",
            tr!(lang, "the machine's clock is wrong: it is before 2025", "系统时钟有误：早于 2025 年"),
            tr!(lang, "let the machine set its clock by NTP", "请用 NTP 校准系统时钟"),
        );
    }
    CheckResult::pass("clock", tr!(lang, "the machine's clock is plausible", "系统时钟正常"))
}

/// The file with the keys in it.
pub(super) fn configuration(path: &Path, lang: Lang) -> Vec<CheckResult> {
    let file = path.display();
    let mut findings = vec![CheckResult::pass("configuration", tr!(lang, "{file} is sound", "{file} 无误"))];
    if others_can_read(path) {
        findings.push(CheckResult::error(
            "configuration",
            tr!(lang, "{file} holds keys, and others can read it", "{file} 含有密钥，但其他用户可以读取"),
            format!("chmod 600 {file}"),
        ));
    }
    findings
}

#[cfg(unix)]
fn others_can_read(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn others_can_read(_: &Path) -> bool {
    false
}

/// A journal grows by some 130 bytes an order; this is room for seven million.
const FREE_BYTES_MIN: u64 = 1 << 30;

/// Where the orders are.
pub(super) fn store(config: &Config, lang: Lang) -> Vec<CheckResult> {
    let url = &config.store;
    match store::embedded_folder(url) {
        Ok(folder) => check_disk(folder, url, lang),
        Err(_) => vec![check_database(url, &config.server.keys, lang)],
    }
}

/// A store in a database has to answer, to be of this program's version, and to be sealed with keys that are here.
fn check_database(url: &StoreUrl, keys: &Keyring, lang: Lang) -> CheckResult {
    let opened = runtime::start().and_then(|runtime| {
        runtime.block_on(async {
            let store = store::open_existing(url).await?;
            let missing = keys.missing_keys(&*store.records).await;
            store.ledger.close().await;
            Ok(missing.context("the keys that it is sealed with cannot be read")?)
        })
    });
    match opened {
        Ok(missing) if !missing.is_empty() => CheckResult::error(
            "store",
            tr!(
                lang,
                "{url} is sealed with a master key that the configuration lacks; its id is {}",
                "{url} 中的记录以配置中没有的主密钥加密，其编号为 {}",
                missing.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            ),
            tr!(
                lang,
                "put that key into `master_keys`; if it is lost: pactolus rotate-keys --drop-unreadable",
                "请将该密钥放回 `master_keys`；若已遗失，请运行 pactolus rotate-keys --drop-unreadable"
            ),
        ),
        Ok(_) => CheckResult::pass("store", tr!(lang, "the database of {url} answers", "{url} 的数据库可用")),
        Err(failure) => CheckResult::error(
            "store",
            failure.localized(lang),
            tr!(
                lang,
                "see that the database runs and its URL is right, and run pactolus migrate",
                "请确认数据库正在运行且 URL 正确，并运行 pactolus migrate"
            ),
        ),
    }
}

/// What keeps logins from whoever takes the store.
pub(super) fn seal(config: &Config, lang: Lang) -> CheckResult {
    match config.server.keys.primary() {
        Some(key) => CheckResult::pass(
            "seal",
            tr!(
                lang,
                "logins and tokens are sealed in the store with the master key {}",
                "存储中的登录与令牌以主密钥 {} 加密",
                key.id()
            ),
        ),
        None => CheckResult::warning(
            "seal",
            tr!(
                lang,
                "players' session keys are kept in the store as they are: who takes its disk can sign as a player",
                "玩家的 session_key 以明文保存在存储中：取得磁盘的人可以冒充玩家签名"
            ),
            tr!(
                lang,
                "set `master_keys` of [seal] to what `openssl rand -hex 32` prints, restart, and see pactolus rotate-keys",
                "将 [seal] 的 `master_keys` 设为 `openssl rand -hex 32` 的输出，重新启动，并参见 pactolus rotate-keys"
            ),
        ),
    }
}

fn check_disk(folder: &Path, url: &StoreUrl, lang: Lang) -> Vec<CheckResult> {
    let mut findings = vec![check_folder(folder, url, lang)];
    let existing = folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("."));
    if let Ok(disk) = rustix::fs::statvfs(existing) {
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        let gib = free >> 30;
        findings.push(if free < FREE_BYTES_MIN {
            CheckResult::error(
                "disk",
                tr!(lang, "less than 1 GiB is free for the store", "存储所在磁盘的剩余空间不足 1 GiB"),
                tr!(
                    lang,
                    "make room, or move the store to a larger disk",
                    "请清理空间，或将存储移到更大的磁盘"
                ),
            )
        } else {
            CheckResult::pass(
                "disk",
                tr!(lang, "{gib} GiB are free for the store", "存储所在磁盘剩余 {gib} GiB"),
            )
        });
    }
    findings
}

fn check_folder(folder: &Path, url: &StoreUrl, lang: Lang) -> CheckResult {
    let is_empty = folder.read_dir().map_or(true, |mut entries| entries.next().is_none());
    if is_empty {
        return CheckResult::warning(
            "store",
            tr!(lang, "there is no store at {url} yet", "{url} 处还没有存储"),
            tr!(lang, "pactolus serve makes it", "运行 pactolus serve 时会创建"),
        );
    }
    let lock = File::open(folder.join("lock")).map(|lock| lock.try_lock());
    match lock {
        Ok(Err(TryLockError::WouldBlock)) => {
            CheckResult::pass("store", tr!(lang, "{url} is being served", "{url} 正在提供服务"))
        }
        Ok(Ok(())) => CheckResult::pass(
            "store",
            tr!(
                lang,
                "{url} is not being served; pactolus audit proves its books",
                "{url} 当前未提供服务；可用 pactolus audit 核对账目"
            ),
        ),
        Ok(Err(TryLockError::Error(error))) | Err(error) => CheckResult::error(
            "store",
            tr!(lang, "{url} is no store, or cannot be read: {error}", "{url} 不是存储，或无法读取：{error}"),
            tr!(
                lang,
                "name another folder, or let the bank's user own this one",
                "请另选目录，或将该目录的所有者改为运行服务的用户"
            ),
        ),
    }
}

/// The address that the bank listens on.
pub(super) async fn port(config: &Config, lang: Lang) -> CheckResult {
    let address = config.listen;
    if TcpListener::bind(address).await.is_ok() {
        return CheckResult::pass(
            "port",
            tr!(lang, "{address} is free; no bank is being served there", "{address} 空闲；当前没有服务"),
        );
    }
    let ready = HttpClient::new(address).get_as_operator("/readyz", &config.server.operator_token).await;
    match ready {
        Ok(response) if response.status.is_success() => CheckResult::pass(
            "port",
            tr!(lang, "the bank at {address} takes orders", "{address} 的服务可以受理订单"),
        ),
        Ok(response) => CheckResult::error(
            "port",
            tr!(
                lang,
                "what is at {address} takes no orders now: {}",
                "{address} 目前不受理订单：{}",
                response.body.trim()
            ),
            tr!(lang, "look at its log, and start it again", "请查看日志并重新启动"),
        ),
        Err(error) => CheckResult::error(
            "port",
            tr!(
                lang,
                "{address} is no address of this machine, or taken by something that is no bank: {error}",
                "{address} 不是本机地址，或被其他程序占用：{error}"
            ),
            tr!(
                lang,
                "stop what is there, or set `listen` to another address",
                "请停止该程序，或将 `listen` 改为其他地址"
            ),
        ),
    }
}

/// What callers of an app meet.
pub(super) fn app(app: &AppSettings, lang: Lang) -> Vec<CheckResult> {
    let appid = app.appid;
    let mut findings = Vec::new();
    if app.midas_key.matches(app.sandbox_midas_key.expose()) {
        findings.push(CheckResult::error(
            "app",
            tr!(
                lang,
                "{appid} has one Midas key for live and sandbox: a test signs for real coins",
                "{appid} 的正式与沙箱环境使用同一个 Midas 密钥：测试签名可以动用真实游戏币"
            ),
            tr!(lang, "give the sandbox a key of its own", "请为沙箱设置独立的密钥"),
        ));
    }
    if app.login == LoginMode::Open {
        findings.push(CheckResult::warning(
            "app",
            tr!(lang, "{appid} logs in whoever shows any code", "{appid} 接受任意登录码"),
            tr!(
                lang,
                "login = \"push\", unless it is for development",
                "除开发用途外，请设置 login = \"push\""
            ),
        ));
    }
    if !app.static_access_tokens.is_empty() {
        findings.push(CheckResult::warning(
            "app",
            tr!(lang, "{appid} has access tokens that never expire", "{appid} 有永不过期的 access_token"),
            tr!(
                lang,
                "remove static_access_tokens, unless it is for development",
                "除开发用途外，请移除 static_access_tokens"
            ),
        ));
    }
    if app.mp_sig == MpSig::Off {
        findings.push(CheckResult::warning(
            "app",
            tr!(lang, "{appid} is called without the player's own signature", "{appid} 的调用不校验玩家签名"),
            tr!(
                lang,
                "mp_sig = \"required\" where back ends have session keys, as midasPresent documents",
                "若后端持有 session_key，请按 midasPresent 文档设置 mp_sig = \"required\""
            ),
        ));
    }
    if app.present_max.is_none() && app.present_max_per_player_per_day.is_none() {
        findings.push(CheckResult::warning(
            "app",
            tr!(lang, "{appid} may give any number of coins at once", "{appid} 单次赠币数量没有上限"),
            tr!(
                lang,
                "present_max bounds what a slip of a digit, or a stolen key, can give",
                "设置 present_max，可限制笔误或密钥泄露造成的损失"
            ),
        ));
    }
    if findings.is_empty() {
        findings.push(CheckResult::pass(
            "app",
            tr!(lang, "{appid} is set up as it should be", "{appid} 设置得当"),
        ));
    }
    findings
}

/// Shorter tokens can be guessed by who can try often.
const OPERATOR_TOKEN_CHARS_MIN: usize = 16;

/// What opens the operator API.
pub(super) fn operator(config: &Config, lang: Lang) -> Option<CheckResult> {
    let is_short = config.server.operator_token.expose().len() < OPERATOR_TOKEN_CHARS_MIN;
    is_short.then(|| {
        CheckResult::error(
            "operator",
            tr!(
                lang,
                "the operator's token has fewer than {OPERATOR_TOKEN_CHARS_MIN} characters",
                "运维令牌少于 {OPERATOR_TOKEN_CHARS_MIN} 个字符"
            ),
            tr!(
                lang,
                "take 32 random hex digits, as pactolus init does",
                "请使用 32 位随机十六进制数，与 pactolus init 相同"
            ),
        )
    })
}
