//! Problems of the configuration and of profiles.

use super::Message;

pub(super) const MESSAGES: &[Message] = &[
    ("`{}` {}", "`{}` {}"),
    ("item {} {}", "第 {} 项{}"),
    ("environment variable {}: {}", "环境变量 {}：{}"),
    (
        "cannot be read: {}; name another with --config, or write one with `pactolus init`",
        "无法读取：{}；请用 --config 指定其他文件，或用 `pactolus init` 生成",
    ),
    ("is not TOML here: {}", "此处不是有效的 TOML：{}"),
    ("is {}; it must be {}", "为 {}；应为 {}"),
    ("is {}; it must be {} to {}", "为 {}；应为 {} 到 {}"),
    ("is {}; it must be {} to {} seconds", "为 {}；应为 {} 到 {} 秒"),
    ("is {}; it must be 1 to {} seconds", "为 {}；应为 1 到 {} 秒"),
    ("a plain number", "整数"),
    ("a plain number of seconds", "整数秒数"),
    ("a plain number or \"off\"", "整数或 \"off\""),
    ("must be 1 to 86400 seconds, or \"off\"", "应为 1 到 86400 秒，或 \"off\""),
    ("must be 1 to 4294967295 calls a second, or \"off\"", "应为每秒 1 到 4294967295 次，或 \"off\""),
    ("must be 1 to 1000000000 connections, or \"off\"", "应为 1 到 1000000000 个连接，或 \"off\""),
    ("is still a placeholder; it must be {}", "仍是占位文本；应为 {}"),
    (
        "the secret in quotes, { env = \"NAME\" } or { file = \"PATH\" }",
        "带引号的密钥、{ env = \"NAME\" } 或 { file = \"PATH\" }",
    ),
    ("is a table of another form; it must be {}", "是其他形式的表；应为 {}"),
    ("is in the environment variable {}, which {}", "取自环境变量 {}，而它{}"),
    ("is not set", "没有设置"),
    ("is in the file {}, which cannot be read: {}", "取自文件 {}，而它无法读取：{}"),
    ("is empty; it must be a path", "为空；应为路径"),
    ("is unknown; did you mean {}?", "未知；是否指 {}？"),
    (
        "is unknown; unset it, or see `pactolus serve --help` for the known variables",
        "未知；请取消设置，可用的变量见 `pactolus serve --help`",
    ),
    ("{} lacks `{}`; set it there or in {}", "{} 缺少 `{}`；请在其中设置，或设置 {}"),
    ("the file", "文件"),
    ("is {}; it must be a table, {}", "是 {}；应为表 {}"),
    ("is empty; add at least one {}", "为空；请至少添加一个 {}"),
    ("is not a list of tables; write each as {}", "不是表的列表；每项请写作 {}"),
    ("unknown key `{}`; did you mean `{}`?", "未知的键 `{}`；是否指 `{}`？"),
    ("unknown key `{}`; known keys are {}", "未知的键 `{}`；可用的键有 {}"),
    ("is not UTF-8 text", "不是 UTF-8 文本"),
    ("text in quotes", "带引号的文本"),
    ("a list in brackets", "方括号中的列表"),
    ("text", "文本"),
    ("an integer", "整数"),
    ("a float", "小数"),
    ("a boolean", "布尔值"),
    ("a date or time", "日期或时间"),
    ("a list", "列表"),
    ("a table", "表"),
    ("is {}, as in an app above; configure each app once", "为 {}，与上面的应用相同；每个应用只能配置一次"),
    (
        "is empty; it must hold at least one platform, such as \"android\"",
        "为空；至少应有一个平台，如 \"android\"",
    ),
    (
        "holds a token that is used twice; each must identify one app",
        "含有重复的令牌；每个令牌只能对应一个应用",
    ),
    // Addresses and stores.
    (
        "is a Unix socket, and the bank listens on TCP only; it must be like 127.0.0.1:8790",
        "是 Unix 套接字，而服务只监听 TCP；应形如 127.0.0.1:8790",
    ),
    (
        "is a URL; it must be an address without http://, like 127.0.0.1:8790",
        "是 URL；应为不带 http:// 的地址，如 127.0.0.1:8790",
    ),
    (
        "is not an address with a port; it must be like 127.0.0.1:8790 or [::]:8790",
        "不是带端口的地址；应形如 127.0.0.1:8790 或 [::]:8790",
    ),
    ("has an unknown scheme; it must be like embedded:./data", "类型未知；应形如 embedded:./data"),
    ("names no folder; it must be like embedded:./data", "没有指定目录；应形如 embedded:./data"),
    (
        "is PostgreSQL, which this program was built without (its feature `postgres`)",
        "是 PostgreSQL，而此程序构建时未启用它（功能 `postgres`）",
    ),
    ("does not begin with postgres:// or postgresql://", "不以 postgres:// 或 postgresql:// 开头"),
    (
        "has more than one @; one that is part of the password must be written as %40",
        "含有多个 @；密码中的 @ 应写作 %40",
    ),
    (
        "is not valid; it must be like postgres://user:password@host:5432/database",
        "无效；应形如 postgres://user:password@host:5432/database",
    ),
    (
        "names no host; it must be like postgres://user:password@host:5432/database",
        "没有指定主机；应形如 postgres://user:password@host:5432/database",
    ),
    (
        "names no user; it must be like postgres://user:password@host:5432/database",
        "没有指定用户；应形如 postgres://user:password@host:5432/database",
    ),
    (
        "asks for TLS, which this program does not support; use a trusted host or tunnel, and sslmode=disable",
        "要求 TLS，而此程序不支持；请使用可信的主机或隧道，并设置 sslmode=disable",
    ),
    // Master keys.
    ("is not 64 hexadecimal digits", "不是 64 位十六进制数"),
    (
        "has an unknown sslmode; it must be disable, prefer, require, verify-ca or verify-full",
        "的 sslmode 未知；应为 disable、prefer、require、verify-ca 或 verify-full",
    ),
    (
        "has sslrootcert=system, which needs sslmode=verify-full: others have certificates of these roots too",
        "设置了 sslrootcert=system，它需要 sslmode=verify-full：其他人也持有这些根证书签发的证书",
    ),
    (
        "has one of sslcert and sslkey; a client certificate needs both",
        "只设置了 sslcert 和 sslkey 之一；客户端证书需要两者",
    ),
    ("is {}, which {}; did you mean {}?", "为 {}，{}；是否指 {}？"),
    ("is {}, which {}", "为 {}，{}"),
    (
        "is no time zone of the IANA database, such as \"Asia/Shanghai\" or \"UTC\"",
        "不是 IANA 数据库中的时区（如 \"Asia/Shanghai\" 或 \"UTC\"）",
    ),
];
