//! Errors of identifiers, numbers, secrets and other values.

use super::Message;

pub(super) const MESSAGES: &[Message] = &[
    ("is empty; 1 to {} digits, letters or any of {} are allowed", "为空；只允许 1 到 {} 个数字、字母或 {}"),
    (
        "is {} bytes long; 1 to {} digits, letters or any of {} are allowed",
        "长 {} 字节；只允许 1 到 {} 个数字、字母或 {}",
    ),
    (
        "holds {}; 1 to {} digits, letters or any of {} are allowed",
        "含有 {}；只允许 1 到 {} 个数字、字母或 {}",
    ),
    ("a space", "空格"),
    ("a control character", "控制字符"),
    ("a character that is not allowed", "不允许的字符"),
    ("a character outside ASCII", "非 ASCII 字符"),
    ("is 0; it must be at least 1", "为 0；至少为 1"),
    ("is too large; the most is {}", "太大；最大为 {}"),
    ("is neither live nor sandbox", "不是 live 或 sandbox"),
    ("is empty", "为空"),
    ("is missing", "缺失"),
    ("is longer than {} bytes", "超过 {} 字节"),
    ("is longer than {} characters", "超过 {} 个字符"),
    ("is shorter than {} characters", "不足 {} 个字符"),
    ("holds a character that is not visible ASCII", "含有不可见或非 ASCII 的字符"),
    (
        "is not 16 bytes in base64 (24 characters, the last two ==)",
        "不是 16 字节的 base64（24 个字符，以 == 结尾）",
    ),
    ("is not unix seconds; it must be 1 to {}", "不是 unix 秒数；应为 1 到 {}"),
    ("is not 1 to {} digits, letters or any of _-", "不是 1 到 {} 个数字、字母、_ 或 -"),
    ("is not 1 to {} bytes", "不是 1 到 {} 字节"),
    (
        "holds &{}= in its text, which the signed text could not tell from the parameter {}",
        "文本中含有 &{}=，签名文本无法将其与参数 {} 区分",
    ),
    ("is not three groups of eight lowercase hex digits", "不是三组八位小写十六进制数"),
    (
        "is not a digest of a history: a number of orders, a hyphen, and 64 hexadecimal digits",
        "不是历史摘要；应为订单数、连字符和 64 位十六进制数",
    ),
    ("it must be 64 hex digits", "应为 64 位十六进制数"),
    ("is not 64 hex digits", "不是 64 位十六进制数"),
    ("is not like https://host or http://host:port", "不是 https://主机 或 http://主机:端口 的形式"),
    ("has a query or a fragment; only a path may follow the host", "含有 ? 或 # 部分；主机后只能有路径"),
    ("holds a user name or a password; remove it", "含有用户名或密码；请去掉"),
    ("holds U+0000, which no text may hold", "含有 U+0000；文本中不允许这个字符"),
];
