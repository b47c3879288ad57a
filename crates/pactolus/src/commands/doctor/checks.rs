//! The doctor's checks. Each returns a finding, with a fix unless it passes.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use pactolus_protocol::MpSig;
use pactolus_server::{AppSettings, Clock as _, Keyring, LoginMode, SystemClock};
use tokio::net::TcpListener;

use super::{CheckResult, permissions};
use crate::cli::i18n::{Lang, localize, localized_chain, tr};
use crate::config::{Config, StoreUrl};
use crate::http::HttpClient;
use crate::{runtime, store};

/// The first second of 2025: any earlier time is a wrong clock.
const CLOCK_MIN_S: u64 = 1_735_689_600;

/// Checks the system clock, which decides when sessions end, tokens expire, and cancel windows close.
pub(super) fn clock(lang: Lang) -> CheckResult {
    let now = SystemClock.now().seconds();
    if now < CLOCK_MIN_S {
        return CheckResult::error(
            "clock",
            tr!(lang, "the system clock is wrong: it is before 2025", "系统时钟有误：早于 2025 年"),
            tr!(lang, "synchronise the system clock by NTP", "请用 NTP 校准系统时钟"),
        );
    }
    CheckResult::pass("clock", tr!(lang, "the system clock is plausible", "系统时钟正常"))
}

/// Checks who can read the configuration, which holds keys.
pub(super) fn configuration(path: &Path, lang: Lang) -> Vec<CheckResult> {
    let file = path.display();
    let mut findings = vec![CheckResult::pass("configuration", tr!(lang, "{file} is valid", "{file} 无误"))];
    let mode = permissions::mode(path);
    if mode & permissions::OTHERS != 0 {
        findings.push(CheckResult::error(
            "configuration",
            tr!(
                lang,
                "{file} holds keys and is accessible to other users",
                "{file} 含有密钥，但其他用户可以访问"
            ),
            format!("chmod 600 {file}"),
        ));
    } else if mode & permissions::GROUP != 0 {
        findings.push(CheckResult::warning(
            "configuration",
            tr!(
                lang,
                "{file} holds keys and is accessible to its group",
                "{file} 含有密钥，其所属组的用户可以访问"
            ),
            tr!(
                lang,
                "chmod 600 {file}, unless the group is the bank's own",
                "若该组不是服务专用的组，请运行 chmod 600 {file}"
            ),
        ));
    }
    findings
}

/// The journal grows by some 130 bytes an order: 1 GiB is room for some seven million.
const FREE_BYTES_MIN: u64 = 1 << 30;

/// Checks the store, and the disk of an embedded one.
pub(super) fn store(config: &Config, lang: Lang) -> Vec<CheckResult> {
    let url = &config.store;
    if let Ok(folder) = store::embedded_folder(url) {
        return check_disk(folder, url, lang);
    }
    let mut findings = vec![check_database(url, &config.server.keys, lang)];
    findings.extend(check_encryption(url, lang));
    findings
}

/// Warns of a database on another machine whose connections may be plaintext.
fn check_encryption(url: &StoreUrl, lang: Lang) -> Option<CheckResult> {
    let is_exposed = match url {
        StoreUrl::Embedded(_) => false,
        #[cfg(feature = "postgres")]
        StoreUrl::Postgres(database) => database.may_be_plaintext(),
    };
    is_exposed.then(|| {
        CheckResult::warning(
            "store",
            tr!(
                lang,
                "connections to {url} may be plaintext, with players' session keys in them",
                "与 {url} 的连接可能未加密，其中含有玩家的 session_key"
            ),
            tr!(
                lang,
                "set sslmode=verify-full in its URL, or sslmode=require at least",
                "请在其 URL 中设置 sslmode=verify-full，至少 sslmode=require"
            ),
        )
    })
}

/// Checks that the database responds, has this program's schema version, and needs no missing master key.
fn check_database(url: &StoreUrl, keys: &Keyring, lang: Lang) -> CheckResult {
    let opened = runtime::start().and_then(|runtime| {
        runtime.block_on(async {
            let store = store::open_existing(url).await?;
            let missing = keys.missing_keys(&*store.records).await;
            store.ledger.close().await;
            Ok(missing.context("the ids of its encryption keys cannot be read")?)
        })
    });
    match opened {
        Ok(missing) if !missing.is_empty() => CheckResult::error(
            "store",
            tr!(
                lang,
                "the configuration lacks a master key that encrypted records of {url}; its id is {}",
                "{url} 中的记录以配置中没有的主密钥加密，其编号为 {}",
                missing.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            ),
            tr!(
                lang,
                "add that key to `master_keys`; if it is lost: pactolus rotate-keys --drop-unreadable",
                "请将该密钥放回 `master_keys`；若已遗失，请运行 pactolus rotate-keys --drop-unreadable"
            ),
        ),
        Ok(_) => {
            CheckResult::pass("store", tr!(lang, "the database of {url} responds", "{url} 的数据库可用"))
        }
        Err(failure) => CheckResult::error(
            "store",
            failure.localized(lang),
            tr!(
                lang,
                "check that the database runs and that its URL is right, then run pactolus migrate",
                "请确认数据库正在运行且 URL 正确，并运行 pactolus migrate"
            ),
        ),
    }
}

/// Checks that logins are encrypted at rest.
pub(super) fn seal(config: &Config, lang: Lang) -> CheckResult {
    match config.server.keys.primary() {
        Some(key) => CheckResult::pass(
            "seal",
            tr!(
                lang,
                "logins and tokens are encrypted in the store with the master key {}",
                "存储中的登录与令牌以主密钥 {} 加密",
                key.id()
            ),
        ),
        None => CheckResult::warning(
            "seal",
            tr!(
                lang,
                "players' session keys are plaintext in the store: anyone with a copy of its disk can sign as a player",
                "玩家的 session_key 以明文保存在存储中：取得磁盘的人可以冒充玩家签名"
            ),
            tr!(
                lang,
                "set `master_keys` in [seal] to the output of `openssl rand -hex 32`, restart, and see pactolus rotate-keys",
                "将 [seal] 的 `master_keys` 设为 `openssl rand -hex 32` 的输出，重新启动，并参见 pactolus rotate-keys"
            ),
        ),
    }
}

fn check_disk(folder: &Path, url: &StoreUrl, lang: Lang) -> Vec<CheckResult> {
    let mut findings = vec![check_folder(folder, url, lang)];
    findings.extend(permissions::check_writable(folder, url, lang));
    findings.extend(permissions::check_private(folder, url, lang));
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
                    "free some space, or move the store to a larger disk",
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
            tr!(lang, "no store at {url} yet", "{url} 处还没有存储"),
            tr!(lang, "pactolus serve creates it", "运行 pactolus serve 时会创建"),
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
                "{url} is not being served; pactolus audit verifies its books",
                "{url} 当前未提供服务；可用 pactolus audit 核对账目"
            ),
        ),
        Ok(Err(TryLockError::Error(error))) | Err(error) => CheckResult::error(
            "store",
            tr!(
                lang,
                "{url} is not a store, or cannot be read: {}",
                "{url} 不是存储，或无法读取：{}",
                localize(&error.to_string(), lang)
            ),
            tr!(
                lang,
                "name another folder, or make the bank's user the owner of this one",
                "请另选目录，或将该目录的所有者改为运行服务的用户"
            ),
        ),
    }
}

/// Time for the listener to answer; a program that is not a bank may never do so.
const READY_TIMEOUT: Duration = Duration::from_secs(5);

/// Checks the listen address.
pub(super) async fn port(config: &Config, lang: Lang) -> CheckResult {
    let address = config.listen;
    if config.tls.is_some() && config.operator_listen.is_none() && TcpListener::bind(address).await.is_err() {
        return CheckResult::pass(
            "port",
            tr!(
                lang,
                "{address} is in use; with TLS, the check needs operator_listen to ask the bank",
                "{address} 已被占用；启用 TLS 时，须设置 operator_listen 才能检查服务"
            ),
        );
    }
    let address = if config.tls.is_some() { config.operator_address() } else { address };
    if TcpListener::bind(address).await.is_ok() {
        return CheckResult::pass(
            "port",
            tr!(lang, "{address} is free; no bank listens there", "{address} 空闲；当前没有服务"),
        );
    }
    // Without a token: the listener may be any program.
    let http = HttpClient::new(address);
    let ready = tokio::time::timeout(READY_TIMEOUT, http.get("/readyz")).await;
    let ready = if let Ok(ready) = ready {
        ready.map_err(|error| localized_chain(error.as_ref(), lang))
    } else {
        let seconds = READY_TIMEOUT.as_secs();
        Err(tr!(lang, "no response within {seconds} s", "{seconds} 秒内没有响应"))
    };
    match ready {
        Ok(response) if response.status.is_success() && response.body == "ok\n" => CheckResult::pass(
            "port",
            tr!(lang, "the bank at {address} accepts orders", "{address} 的服务可以受理订单"),
        ),
        Ok(response) if response.status.is_success() && response.body.starts_with("degraded: ") => {
            CheckResult::error(
                "store",
                tr!(
                    lang,
                    "the bank at {address} serves all orders but those that need damaged bytes; {}",
                    "{address} 的服务可以受理订单，但需要读取已损坏数据的订单除外；{}",
                    first_line(&response.body)
                ),
                tr!(
                    lang,
                    "run pactolus audit on a copy of the store, and restore the store from a backup",
                    "请用存储的副本运行 pactolus audit，并从备份恢复存储"
                ),
            )
        }
        Ok(response) if response.status.as_u16() != 503 => CheckResult::error(
            "port",
            tr!(lang, "the server at {address} is not a bank", "{address} 的服务不是 Pactolus"),
            tr!(
                lang,
                "stop that program, or set `listen` to another address",
                "请停止该程序，或将 `listen` 改为其他地址"
            ),
        ),
        Ok(response) => CheckResult::error(
            "port",
            tr!(
                lang,
                "the server at {address} does not accept orders: {}",
                "{address} 目前不受理订单：{}",
                localize(&first_line(&response.body), lang)
            ),
            tr!(
                lang,
                "remove the cause; its log has more. Restart it only if the store failed: after a full disk or a lost database it goes on by itself",
                "请消除上述原因，详情见其日志。只有存储出错时才需要重新启动；磁盘恢复空间或数据库恢复连接后会自动继续"
            ),
        ),
        Err(error) => CheckResult::error(
            "port",
            tr!(
                lang,
                "{address} is not an address of this machine, or another program uses it: {error}",
                "{address} 不是本机地址，或被其他程序占用：{error}"
            ),
            tr!(
                lang,
                "stop that program, or set `listen` to another address",
                "请停止该程序，或将 `listen` 改为其他地址"
            ),
        ),
    }
}

/// The reason of a reply. Any program may have written it.
fn first_line(body: &str) -> String {
    const CHARS_MAX: usize = 200;
    let line = body.lines().next().unwrap_or_default();
    line.chars().take(CHARS_MAX).collect()
}

/// Checks the settings of an app.
pub(super) fn app(app: &AppSettings, lang: Lang) -> Vec<CheckResult> {
    let appid = app.appid;
    let mut findings = Vec::new();
    if app.midas_key.matches(app.sandbox_midas_key.expose()) {
        findings.push(CheckResult::error(
            "app",
            tr!(
                lang,
                "{appid} has one Midas key for live and sandbox: a test signature is valid for real coins",
                "{appid} 的正式与沙箱环境使用同一个 Midas 密钥：测试签名可以动用真实游戏币"
            ),
            tr!(lang, "give the sandbox a separate key", "请为沙箱设置独立的密钥"),
        ));
    }
    if app.login == LoginMode::Open {
        findings.push(CheckResult::warning(
            "app",
            tr!(lang, "{appid} accepts any login code, in live too", "{appid} 接受任意登录码，包括正式环境"),
            tr!(
                lang,
                "set login = \"push\", or \"open-sandbox\" for testers; \"open\" is for development",
                "请设置 login = \"push\"，供测试者使用时设为 \"open-sandbox\"；\"open\" 仅供开发"
            ),
        ));
    }
    if !app.static_access_tokens.is_empty() {
        findings.push(CheckResult::warning(
            "app",
            tr!(lang, "{appid} has access tokens that never expire", "{appid} 有永不过期的 access_token"),
            tr!(
                lang,
                "remove static_access_tokens, except for development",
                "除开发用途外，请移除 static_access_tokens"
            ),
        ));
    }
    if app.mp_sig == MpSig::Off {
        findings.push(CheckResult::warning(
            "app",
            tr!(lang, "{appid} does not verify the player's signature", "{appid} 的调用不校验玩家签名"),
            tr!(
                lang,
                "set mp_sig = \"required\" if the back end has session keys, as midasPresent documents",
                "若后端持有 session_key，请按 midasPresent 文档设置 mp_sig = \"required\""
            ),
        ));
    }
    if app.present_max.is_none() && app.present_max_per_player_per_day.is_none() {
        findings.push(CheckResult::warning(
            "app",
            tr!(lang, "{appid} has no limit on the coins of one present", "{appid} 单次赠币数量没有上限"),
            tr!(
                lang,
                "set present_max to bound the loss from a typo or a stolen key",
                "设置 present_max，可限制笔误或密钥泄露造成的损失"
            ),
        ));
    }
    if findings.is_empty() {
        findings.push(CheckResult::pass("app", tr!(lang, "{appid} has no problems", "{appid} 设置得当")));
    }
    findings
}

/// A shorter token could be guessed by brute force.
const OPERATOR_TOKEN_CHARS_MIN: usize = 16;

/// Checks the operator token.
pub(super) fn operator(config: &Config, lang: Lang) -> Option<CheckResult> {
    let is_short = config.server.operator_token.expose().len() < OPERATOR_TOKEN_CHARS_MIN;
    is_short.then(|| {
        CheckResult::error(
            "operator",
            tr!(
                lang,
                "the operator token has fewer than {OPERATOR_TOKEN_CHARS_MIN} characters",
                "运维令牌少于 {OPERATOR_TOKEN_CHARS_MIN} 个字符"
            ),
            tr!(
                lang,
                "use 32 random hex digits, as pactolus init does",
                "请使用 32 位随机十六进制数，与 pactolus init 相同"
            ),
        )
    })
}
