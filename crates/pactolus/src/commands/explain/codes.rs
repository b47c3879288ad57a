//! What an errcode means and what to do about it: for a refusal that no bank can look up, such as that of a token.

mod raw;

use pactolus_protocol::{ErrorCode, GameCode, PlatformCode, XpayCode};

use self::raw::{explain_game, explain_xpay};
use crate::cli::i18n::BilingualText;

/// Meaning and remedy of an errcode.
pub(super) struct CodeExplanation {
    /// The vendor's words.
    pub(super) errmsg: &'static str,
    pub(super) meaning: BilingualText,
    pub(super) fix: BilingualText,
}

/// The explanation of an errcode; `None` if neither Pactolus nor this list knows it.
pub(super) fn explain(errcode: i32) -> Option<CodeExplanation> {
    let own =
        known_codes().find(|code| code.code() == errcode).map(|code| (code.errmsg(), explain_code(code)));
    let (errmsg, [en, zh, fix_en, fix_zh]) = own.or_else(|| explain_vendor_code(errcode))?;
    Some(CodeExplanation {
        errmsg,
        meaning: BilingualText { en, zh },
        fix: BilingualText { en: fix_en, zh: fix_zh },
    })
}

/// The codes of all wires. A number that two wires share is explained once, under the first.
pub(super) fn known_codes() -> impl Iterator<Item = ErrorCode> {
    let game = GameCode::ALL.iter().map(|code| ErrorCode::Game(*code));
    let xpay = XpayCode::ALL.iter().map(|code| ErrorCode::Xpay(*code));
    ErrorCode::of_midas().chain(game).chain(xpay)
}

/// Meaning in English and Chinese, remedy in English and Chinese.
pub(super) type Texts = [&'static str; 4];

const GET_TOKEN_EN: &str =
    "get a token from /cgi-bin/stable_token or /cgi-bin/token, and share it among all callers";
const GET_TOKEN_ZH: &str =
    "请从 /cgi-bin/stable_token 或 /cgi-bin/token 获取 access_token，并由所有调用方共用";

#[expect(clippy::too_many_lines, reason = "a row for each errcode")]
const fn explain_code(code: ErrorCode) -> Texts {
    match code {
        ErrorCode::SystemError => [
            "the bank is busy or failing, and the outcome of the order is unknown",
            "服务端繁忙或出错，订单结果未知",
            "repeat the same request with the same bill number until it is answered; never take a new number",
            "请用同一订单号重复同一请求，直到得到答复；切勿换用新的订单号",
        ],
        ErrorCode::InvalidCredential => [
            "the access token is not valid: unknown, replaced by a newer one, or issued for another secret",
            "access_token 无效：不存在、已被新的取代，或是用另一个 secret 获取的",
            "get a token from /cgi-bin/stable_token, and share it: each process that calls /cgi-bin/token ends the token \
             of the others. If the vendor's host answers this to /cgi-bin/token itself, the secret is wrong",
            "请从 /cgi-bin/stable_token 获取并共用：每个进程各自调用 /cgi-bin/token 会使其他进程的失效。若微信服务器对 /cgi-bin/token 本身返回它，则是 secret 有误",
        ],
        ErrorCode::InvalidGrantType => [
            "the call does not take this grant_type",
            "此接口不接受这个 grant_type",
            "send grant_type=client_credential for a token, authorization_code for a login",
            "获取 access_token 用 client_credential，登录用 authorization_code",
        ],
        ErrorCode::InvalidAppId => [
            "no app has this appid",
            "没有这个 appid 的应用",
            "send the appid of an app in pactolus.toml; a test appid is not known to the live bank",
            "请发送 pactolus.toml 中已配置的 appid；正式服务不认识测试用的 appid",
        ],
        ErrorCode::InvalidCode => [
            "the login code was never issued here, has expired, or is of another app",
            "登录码不是在此签发的、已过期，或属于另一个应用",
            "exchange the code once, within five minutes of wx.login; with login = \"push\", push the session or code first",
            "请在 wx.login 之后五分钟内换取，且只换一次；login = \"push\" 时，请先推送会话或登录码",
        ],
        ErrorCode::InvalidUrl => [
            "the bank has no call at this path",
            "服务端没有这个路径的接口",
            "compare the path with the contract: /cgi-bin/midas/… for live, /cgi-bin/midas/sandbox/… for the sandbox",
            "请核对路径：正式环境为 /cgi-bin/midas/…，沙箱为 /cgi-bin/midas/sandbox/…",
        ],
        ErrorCode::InvalidAppSecret => [
            "the secret is not the app's",
            "secret 与应用不符",
            "send app_secret of the app in pactolus.toml, whole and without a space or a line end; it is not the Midas key",
            "请发送 pactolus.toml 中该应用的 app_secret，须完整且不含空格或换行；它不是 Midas 密钥",
        ],
        ErrorCode::CodeUsed => [
            "the login code was exchanged before; a code works once",
            "登录码已被使用；每个登录码只能用一次",
            "call wx.login again, and exchange the new code; keep the session key of the first exchange instead of \
             repeating it",
            "请再次调用 wx.login 并换取新的登录码；请保存首次换取的 session_key，不要重复换取",
        ],
        ErrorCode::AccessTokenMissing => [
            "the query has no access_token",
            "查询串中没有 access_token",
            "append ?access_token=TOKEN to the URL; a header or the body is not read",
            "请在 URL 后加上 ?access_token=…；放在请求头或请求体中不起作用",
        ],
        ErrorCode::AppIdMissing => {
            ["the query has no appid", "缺少 appid", "send appid, by this name", "请发送 appid，名称须一致"]
        }
        ErrorCode::AppSecretMissing => [
            "the query has no secret",
            "缺少 secret",
            "send the app's secret as secret; for a stable token in the JSON body",
            "请以 secret 发送应用的密钥；获取 stable_token 时放在 JSON 请求体中",
        ],
        ErrorCode::AccessTokenExpired => [
            "the access token has expired; a token lives two hours",
            "access_token 已过期；有效期为两小时",
            GET_TOKEN_EN,
            GET_TOKEN_ZH,
        ],
        ErrorCode::RequirePost => [
            "the call takes POST only",
            "此接口只接受 POST",
            "send POST with a JSON body",
            "请用 POST 发送 JSON 请求体",
        ],
        ErrorCode::EmptyPostData => [
            "the body is empty",
            "请求体为空",
            "send the parameters as one JSON object in the body; a redirect or a proxy may have dropped it",
            "请在请求体中以一个 JSON 对象发送参数；重定向或代理可能丢弃了请求体",
        ],
        ErrorCode::QuotaReached => [
            "the app or the player made more calls in this second than the bank allows",
            "应用或玩家在这一秒内的调用次数超过上限",
            "repeat the same request a second later; raise rate_limit_per_second or rate_limit_per_player_per_second of \
             the app if the calls are wanted",
            "请一秒后重复同一请求；如确需这样的频率，请调高应用的 rate_limit_per_second 或 rate_limit_per_player_per_second",
        ],
        ErrorCode::DataFormat => [
            "the body is not one JSON object",
            "请求体不是一个 JSON 对象",
            "send one JSON object in UTF-8: no form, no multipart, no compression",
            "请发送一个 UTF-8 的 JSON 对象，不要使用表单、multipart 或压缩",
        ],
        ErrorCode::InvalidSignature => [
            "the signature of the session check is not made with the player's session key",
            "会话校验的签名不是用玩家的 session_key 生成的",
            "sign the empty text by HMAC-SHA256 with the newest session key, as text; if that fails, log the player in again",
            "请以最新的 session_key（按文本）对空串做 HMAC-SHA256；仍失败时，请让玩家重新登录",
        ],
        ErrorCode::OrderNotExist => [
            "this player has no pay with this bill number here",
            "该玩家在此没有这个订单号的扣款",
            "compare environment, zone, openid and bill number: live and sandbox have separate orders",
            "请核对环境、区服、openid 和订单号：正式与沙箱的订单互相独立",
        ],
        ErrorCode::MpSigError => [
            "mp_sig does not verify",
            "mp_sig 校验不通过",
            "pass the rid, or the body with --request, for the mistake in it; it needs the newest session key",
            "请提供 rid，或用 --request 提供请求体，以查找错误；须使用最新的 session_key",
        ],
        ErrorCode::NoSession => [
            "the player has no login here, or it has ended; on /wxa/game the player's signature does not verify",
            "玩家在此没有登录，或登录已失效；在 /wxa/game 上则是 signature 校验不通过",
            "log the player in again, and push the session to the bank before the call; on /wxa/game pass the rid for \
             the mistake",
            "请让玩家重新登录，并在调用之前将会话推送到服务端；在 /wxa/game 上请提供 rid 以查找错误",
        ],
        ErrorCode::SigError => [
            "sig does not verify",
            "sig 校验不通过",
            "pass the rid, or the body with --request, for the mistake in it",
            "请提供 rid，或用 --request 提供请求体，以查找错误",
        ],
        ErrorCode::OrderExist => [
            "an order with this bill number exists",
            "该订单号已有订单",
            "without a detail it is this very order, applied before: take it for done. With a detail the number is \
             another order's: take a new number",
            "若没有说明，就是这笔订单，此前已完成：视为成功。若说明有参数不同，则该订单号属于另一笔订单：请换用新的订单号",
        ],
        ErrorCode::BalanceNotEnough => [
            "the player has fewer coins than the pay takes",
            "玩家的游戏币不足",
            "check the balance in this environment and zone",
            "请查询玩家在此环境和区服的余额",
        ],
        ErrorCode::OrderConfirmed => [
            "the pay is too old to be cancelled",
            "扣款时间过久，不能取消",
            "give the coins back by a present with a number of its own",
            "请用新的订单号赠送，以退还游戏币",
        ],
        ErrorCode::OrderCanceled => [
            "the pay was cancelled before",
            "这笔扣款已取消",
            "take it for done; a number is never used again",
            "视为成功；订单号不能再次使用",
        ],
        ErrorCode::OrderProcessing => [
            "an order with this bill number is in flight; on /wxa/game the player has no login here, or it has ended",
            "该订单号的订单正在处理；在 /wxa/game 上则是玩家在此没有登录，或登录已失效",
            "repeat the same request a second later; on /wxa/game log the player in again",
            "请一秒后重复同一请求；在 /wxa/game 上请让玩家重新登录",
        ],
        ErrorCode::NoPrivilege => [
            "appid is not the app of the access token, or offer_id is not the offer of that app",
            "appid 与 access_token 所属的应用不符，或 offer_id 不是该应用的",
            "use appid, offer_id and token of one app",
            "请使用同一个应用的 appid、offer_id 和 access_token",
        ],
        ErrorCode::InvalidParameter => [
            "a parameter is missing or wrong; the errmsg names it and its rule",
            "参数缺失或有误；errmsg 指出了参数及其规则",
            "correct that parameter; names are in lower case with _",
            "请修正该参数；名称为小写，以 _ 连接",
        ],
        ErrorCode::Platform(PlatformCode::ApiUnauthorized) => [
            "the app has no right to this call: its wires do not list the wire of this path",
            "此应用没有该接口的权限：其 wires 未列出这个路径所属的协议",
            "add the wire to wires of the app in pactolus.toml; on the vendor's host apply for virtual payment",
            "请在 pactolus.toml 中该应用的 wires 里加上它；在微信服务器上则须开通虚拟支付",
        ],
        ErrorCode::Game(code) => explain_game(code),
        ErrorCode::Xpay(code) => explain_xpay(code),
    }
}

/// Codes of the vendor's host that no Pactolus answers with.
fn explain_vendor_code(errcode: i32) -> Option<(&'static str, Texts)> {
    Some(match errcode {
        40003 => (
            "invalid openid",
            [
                "the vendor's host does not know this player in this app",
                "微信服务器在此应用中找不到该玩家",
                "send the openid that the login of this very app returned",
                "请发送此应用登录所返回的 openid",
            ],
        ),
        40014 => (
            "invalid access_token",
            [
                "the vendor's host takes the access token for malformed; Pactolus answers 40001",
                "微信服务器认为 access_token 格式有误；Pactolus 返回 40001",
                GET_TOKEN_EN,
                GET_TOKEN_ZH,
            ],
        ),
        40164 => (
            "invalid ip, not in whitelist",
            [
                "the vendor's host takes token requests from listed addresses only; Pactolus has no such list",
                "微信服务器只接受白名单中的 IP 获取 access_token；Pactolus 没有此限制",
                "add the address of the server to the list in the vendor's console",
                "请在微信后台将服务器的 IP 加入白名单",
            ],
        ),
        40226 => (
            "code blocked",
            [
                "the vendor's host refuses the login of this user as a risk",
                "微信服务器因风险拒绝了该用户的登录",
                "the user has to follow the vendor's notice; a retry does not help",
                "须由用户按微信的提示处理；重试无效",
            ],
        ),
        45011 => (
            "api minute-quota reached",
            [
                "the vendor's host counts too many logins of this user in a minute",
                "该用户一分钟内的登录次数超过微信的上限",
                "wait a minute, and keep the session instead of logging in for each call",
                "请等待一分钟，并保存会话，不要每次调用都登录",
            ],
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_remedy_in_both_languages() {
        let vendor = [40003, 40014, 40164, 40226, 45011];
        for errcode in known_codes().map(ErrorCode::code).chain(vendor) {
            let CodeExplanation { errmsg, meaning, fix } = explain(errcode).unwrap();
            assert!(!errmsg.is_empty(), "{errcode}");
            for BilingualText { en, zh } in [meaning, fix] {
                assert!(en.is_ascii() || en.contains('…'), "{errcode}: {en}");
                assert!(!zh.is_ascii(), "{errcode}: {zh}");
            }
        }
        assert!(explain(12345).is_none());
    }
}
