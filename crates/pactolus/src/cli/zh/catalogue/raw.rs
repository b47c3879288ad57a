//! Findings about signatures over a raw body, and messages of refunds, TLS and the newer wires.

use super::Message;

pub(super) const MESSAGES: &[Message] = &[
    (
        "sign the very bytes that are sent, compare their length and SHA-256 with those that the bank received, and check that the key is this app's, complete, and without a line end",
        "请对实际发送的字节签名，将其长度和 SHA-256 与服务端收到的比较，并确认密钥属于这个应用、完整，且不含换行",
    ),
    ("send a smaller body", "请缩小请求体"),
    ("it verifies", "签名正确"),
    (
        "sign pay_sig with the app's key of the environment that env names, and signature with the session key",
        "pay_sig 请用 env 所指环境的应用密钥签名，signature 用 session_key 签名",
    ),
    (
        "sign pay_sig with the app's key, and signature with the player's session key",
        "pay_sig 请用应用的密钥签名，signature 用玩家的 session_key 签名",
    ),
    (
        "use the session key as text, as the login returned it",
        "请直接使用登录返回的 session_key 文本，不要解码",
    ),
    ("remove the line end or the space after the key", "请去掉密钥末尾的换行或空格"),
    ("join path and body with &", "请用 & 连接路径与请求体"),
    (
        "sign the path of the call alone, from its first slash, without host, query, method and a slash at its end",
        "路径部分只签接口的路径，以斜杠开头，不含主机、查询串、方法和末尾的斜杠",
    ),
    ("sign the body alone; only pay_sig covers the path", "只对请求体签名；只有 pay_sig 包含路径"),
    (
        "serialise the body once, sign those bytes, and send those bytes",
        "请求体只序列化一次，对这些字节签名，并发送同样的字节",
    ),
    (
        "sign path, & and the body as sent, with the app's key; nothing is sorted here",
        "请用应用的密钥对“路径 & 实际发送的请求体”签名；这里不作排序",
    ),
    ("write the signature in lowercase hex", "签名请写成小写十六进制"),
    ("write the signature as 64 lowercase hex digits", "签名请写成 64 位小写十六进制"),
    ("signed with the app's {} key", "用应用的 {} 密钥签名"),
    ("signed with the app's secret", "用应用的 secret 签名"),
    ("signed with the player's session key", "用玩家的 session_key 签名"),
    ("the session key decoded from base64", "base64 解码后的 session_key"),
    ("signed with the path before the body", "签名时在请求体之前加了路径"),
    ("pay_sig and signature stand in each other's place", "pay_sig 与 signature 的位置互换了"),
    (
        "signed as a call of /cgi-bin/midas, over the sorted fields",
        "按 /cgi-bin/midas 的方式对排序后的字段签名",
    ),
    (
        "written in uppercase hex, and this app accepts lowercase hex only",
        "写成了大写十六进制，而此应用只接受小写",
    ),
    ("signed without the first slash of the path", "签名时路径缺少开头的斜杠"),
    ("signed with a slash at the end of the path", "签名时路径末尾多了斜杠"),
    ("signed with the method beside the path", "签名时路径旁加了方法"),
    ("signed without & between path and body", "签名时路径与请求体之间没有 &"),
    ("the signed body has other spaces than the body sent", "签名的请求体与发送的请求体空格不同"),
    (
        "the signed body has its members in another order than the body sent",
        "签名的请求体与发送的请求体成员顺序不同",
    ),
    ("the signed body has other escapes than the body sent", "签名的请求体与发送的请求体转义不同"),
    ("the body was sent with a line end that was not signed", "发送的请求体末尾有未签名的换行"),
    ("the body was signed with a line end that was not sent", "签名的请求体末尾有未发送的换行"),
    // Refunds, and the operator's look-ups.
    ("all coins of the pay are given back", "这笔扣款已全部退还"),
    ("{} coins of the pay are left to give back", "这笔扣款还可退还 {} 个游戏币"),
    (
        "there are {} bill numbers, {} of them given back, and {} orders and {} pays given back",
        "共有 {} 个订单号，其中 {} 个已退还；而订单有 {} 笔，已退还的扣款有 {} 笔",
    ),
    ("must be one of {} on the wire {}", "必须是 {} 之一（协议 {}）"),
    ("needs openid beside it", "须同时提供 openid"),
    (
        "no order of the player {} in zone {} has bill_no {} in {}",
        "玩家 {} 在区服 {} 没有 bill_no 为 {} 的订单（{} 环境）",
    ),
    // TLS, and the wires of an app.
    ("holds no certificate in PEM", "不含 PEM 格式的证书"),
    ("holds no private key in PEM", "不含 PEM 格式的私钥"),
    (
        "is not the key of the certificate, or of a kind that is not supported",
        "不是该证书的私钥，或是不支持的类型",
    ),
    ("is missing; `cert` needs its key", "缺失；`cert` 须有对应的私钥"),
    ("is missing; `key` needs its certificate", "缺失；`key` 须有对应的证书"),
    (
        "is empty; it must hold at least one of \"midas\", \"game\" and \"xpay\"",
        "为空；须至少包含 \"midas\"、\"game\"、\"xpay\" 之一",
    ),
];
