//! Refusals of the operator API, in the `detail` of its problem documents.

use super::Message;

pub(super) const MESSAGES: &[Message] = &[
    (
        "no rejection with this rid is kept; the bank evicts the oldest, and a restart drops those in memory",
        "没有保存这个 rid 的拒绝记录；服务端会清除最早的记录，内存中的记录在重新启动后也会丢失",
    ),
    ("no order has bill_no {} in {}", "{1} 环境中没有订单号为 {0} 的订单"),
    (
        "this bank runs on the system's clock; start it with `pactolus serve --clock manual` to set its clock",
        "服务使用系统时钟；如需设置时钟，请以 `pactolus serve --clock manual` 启动",
    ),
    ("one of advance_s and now_ms must be given, not both", "advance_s 和 now_ms 必须且只能给出一个"),
    (
        "login is set to open for this app: any code logs a player in",
        "此应用的 login 为 open：任意登录码都可登录",
    ),
    ("the body must be a JSON object", "请求体应为 JSON 对象"),
    ("the body must be a JSON list", "请求体应为 JSON 列表"),
    ("the list has {} items; the most is {}", "列表有 {} 项；最多 {} 项"),
    ("it must be a JSON object", "应为 JSON 对象"),
    ("a fault's answer must be {}, not {}", "故障的返回码应为 {}，而不是 {}"),
    ("a fault's delay_ms must be at most {}, not {}", "故障的 delay_ms 最大为 {}，而不是 {}"),
    ("the order with bill_no {} has another {}; nothing changed", "订单号 {} 的订单的 {} 不同；没有任何变动"),
    (
        "is too large; the coins that the account ever received would pass {}",
        "太大；账户累计收到的游戏币将超过 {}",
    ),
    (
        "this path does not take this method; the header `allow` lists those it takes",
        "此路径不接受这个方法；可用的方法见 `allow` 头",
    ),
    ("must be 1 to {}", "应为 1 到 {}"),
    ("must be 1 to {} seconds", "应为 1 到 {} 秒"),
    ("is the `next` of another account's statement", "是另一个账户的 `next`"),
    ("is not the `next` of a page", "不是某一页的 `next`"),
    ("is before from", "早于 from"),
    ("is too late; a query covers at most {} days", "太晚；一次查询最多 {} 天"),
    ("is not a day like 2017-10-09, from 1970-01-01 on", "不是形如 2017-10-09 的日期，最早为 1970-01-01"),
    ("too many wrong operator tokens; try again later", "错误的运维令牌过多；请稍后再试"),
    ("the bearer token is not the operator's", "令牌不是运维令牌"),
    ("this bank has no app {}", "服务端没有应用 {}"),
    ("no answer within {}; repeat the same request", "{} 内没有答复；请重复同一请求"),
    (
        "would set the clock outside its range, which is 0 to {} in milliseconds",
        "会使时钟超出范围；范围为 0 到 {} 毫秒",
    ),
    ("the bank is stopping", "服务正在停止"),
    ("this bank has no such path", "服务端没有这个路径"),
    (
        "has no effect on a cancel; it returns all coins of its pay",
        "对取消无效；取消会退回该笔扣款的全部游戏币",
    ),
    ("has an effect on a debit only", "只对收回订单有效"),
    ("the order with bill_no {} is not a pay; nothing changed", "订单号 {} 的订单不是扣款；没有任何变动"),
    ("the pay with bill_no {} has another {}; nothing changed", "订单号 {} 的扣款的 {} 不同；没有任何变动"),
    ("no pay has bill_no {}; nothing changed", "没有订单号为 {} 的扣款；没有任何变动"),
    (
        "the pay with bill_no {} is older than the app's cancel window; nothing changed",
        "订单号 {} 的扣款已超过应用的可取消时限；没有任何变动",
    ),
    (
        "the balance is 0, so there is nothing to take; nothing changed",
        "余额为 0，没有可收回的游戏币；没有任何变动",
    ),
    (
        "the balance is {}, and a debit never goes below 0; nothing changed. With \"shortfall\": \"take_available\" it takes what is there",
        "余额为 {}，收回订单不会使余额低于 0；没有任何变动。设置 \"shortfall\": \"take_available\" 可收回现有的游戏币",
    ),
    ("is out of range", "超出范围"),
];
