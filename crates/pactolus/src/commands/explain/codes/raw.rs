//! What the errcodes of `/wxa/game/*` and `/xpay/*` mean and what to do about them.

use pactolus_protocol::{GameCode, XpayCode};

use super::Texts;

pub(super) const fn explain_game(code: GameCode) -> Texts {
    match code {
        GameCode::OrderNotExist => ORDER_NOT_EXIST,
        GameCode::SignatureError => [
            "the player's signature does not verify",
            "signature 校验不通过",
            "pass the rid for the mistake in it; sign the bytes that are sent, with the newest session key",
            "请提供 rid 以查找错误；请以最新的 session_key 对实际发送的字节签名",
        ],
        GameCode::PaySigError => [
            "pay_sig does not verify",
            "pay_sig 校验不通过",
            "pass the rid for the mistake in it; sign the path, & and the bytes that are sent, with the key of the env",
            "请提供 rid 以查找错误；请以 env 对应的密钥对“路径 & 实际发送的字节”签名",
        ],
        GameCode::OrderExist => ORDER_EXIST,
        GameCode::BalanceNotEnough => BALANCE_NOT_ENOUGH,
        GameCode::OrderConfirmed => [
            "the pay is too old to be refunded",
            "扣款时间过久，不能退还",
            "give the coins back by a present with a number of its own",
            "请用新的订单号赠送，以退还游戏币",
        ],
        GameCode::OrderCanceled => ORDER_REFUNDED,
        GameCode::NoSession => NO_SESSION,
        GameCode::InvalidParameter => INVALID_PARAMETER,
        GameCode::TopUpNotExist => [
            "this player has no top-up with this number here",
            "该玩家在此没有这个单号的充值",
            "compare env, zone, openid and out_trade_no",
            "请核对 env、区服、openid 和 out_trade_no",
        ],
    }
}

pub(super) const fn explain_xpay(code: XpayCode) -> Texts {
    match code {
        XpayCode::InvalidOpenId => [
            "openid is missing or wrong",
            "openid 缺失或有误",
            "send the openid that the login of this very app returned",
            "请发送此应用登录所返回的 openid",
        ],
        XpayCode::InvalidParameter => INVALID_PARAMETER,
        XpayCode::SignatureError => [
            "pay_sig or signature does not verify; the errmsg says which",
            "pay_sig 或 signature 校验不通过；errmsg 指明是哪一个",
            "pass the rid for the mistake in it; sign the bytes that are sent",
            "请提供 rid 以查找错误；请对实际发送的字节签名",
        ],
        XpayCode::OrderExist => ORDER_EXIST,
        XpayCode::OrderCanceled => ORDER_REFUNDED,
        XpayCode::BalanceNotEnough => BALANCE_NOT_ENOUGH,
        XpayCode::NoSession => NO_SESSION,
        XpayCode::OrderProcessing => [
            "an order with this number is in flight",
            "该单号的订单正在处理",
            "repeat the same request a second later",
            "请一秒后重复同一请求",
        ],
        XpayCode::TooManyRequests => [
            "the app or the player made more calls in this second than the bank allows",
            "应用或玩家在这一秒内的调用次数超过上限",
            "repeat the same request a second later",
            "请一秒后重复同一请求",
        ],
    }
}

const ORDER_NOT_EXIST: Texts = [
    "this player has no pay with this number here",
    "该玩家在此没有这个单号的扣款",
    "compare env, zone, openid and number: live and sandbox have separate orders",
    "请核对 env、区服、openid 和单号：正式与沙箱的订单互相独立",
];

const ORDER_EXIST: Texts = [
    "this player has an order with this number",
    "该玩家已有此单号的订单",
    "without a detail it is this very order, applied before: take it for done. With a detail the number is another \
     order's: take a new number",
    "若没有说明，就是这笔订单，此前已完成：视为成功。若说明有参数不同，则该单号属于另一笔订单：请换用新的单号",
];

const ORDER_REFUNDED: Texts = [
    "the whole pay was refunded before",
    "这笔扣款此前已全部退还",
    "take it for done; a number is never used again",
    "视为成功；单号不能再次使用",
];

const BALANCE_NOT_ENOUGH: Texts = [
    "the player has fewer coins than the pay takes, or the pay has fewer left than the refund returns",
    "玩家的游戏币不足，或扣款所剩的可退数量不足",
    "check the balance in this environment and zone, and what was refunded",
    "请查询玩家在此环境和区服的余额，以及已退还的数量",
];

const NO_SESSION: Texts = [
    "the player has no login here, or it has ended",
    "玩家在此没有登录，或登录已失效",
    "log the player in again, and push the session to the bank before the call",
    "请让玩家重新登录，并在调用之前将会话推送到服务端",
];

const INVALID_PARAMETER: Texts = [
    "a parameter is missing or wrong; the errmsg names it and its rule",
    "参数缺失或有误；errmsg 指出了参数及其规则",
    "correct that parameter; sign the body again after each change",
    "请修正该参数；每次改动后须重新签名",
];
