//! Chinese help of the support commands and of `export`.

/// The first line of each command's help.
pub(super) const COMMANDS: &[(&str, &str)] = &[
    ("topup", "为玩家充值游戏币"),
    ("gift", "以运营方名义给玩家赠送游戏币"),
    ("debit", "从一个玩家，或文件中的所有玩家扣回游戏币"),
    ("totals", "汇总若干日的订单"),
    ("session", "为测试玩家登录或退出"),
    ("faults", "列出、设置或清除沙箱的故障规则"),
    ("clock", "显示服务的时钟，或拨动手动时钟"),
    ("rejections", "列出最近被拒绝的 Midas 调用"),
];

/// The paragraphs after the first line, for `--help`.
pub(super) const LONG_TEXTS: &[(&str, &str)] = &[
    (
        "topup",
        "\
用于在游戏之外购买的游戏币。订单号是幂等键：相同的订单号就是同一笔订单，不会重复
充值。本命令调用运维接口，需要运维令牌。",
    ),
    (
        "gift",
        "\
订单号是幂等键：相同的订单号就是同一笔订单，不会重复赠送。本命令调用运维接口，需
要运维令牌，不需要 session_key，也不受应用的赠币上限约束。",
    ),
    (
        "debit",
        "\
用于误发的赠币或已退款的充值。单笔扣回使用 --openid 和 --coins。CSV 文件的列与
pactolus present 相同，因此活动的文件可以用另一个名称扣回。订单号是幂等键：相同
的订单号就是同一笔订单，不会重复扣回。

余额绝不会低于 0：数量超过余额时拒绝扣回，或用 --take-available 扣回现有的部分。
本命令调用运维接口，需要运维令牌。",
    ),
    (
        "balance",
        "\
有运维令牌且未给出 session_key 时调用运维接口，否则进行应用的签名调用。",
    ),
    (
        "totals",
        "\
按游戏服和日输出各类订单的笔数与游戏币数，只列出有订单的。带角色的区服（如
1_mage）计入其游戏服（1）。日期按应用的 time_zone 计。本命令调用运维接口，
需要运维令牌。",
    ),
    (
        "session",
        "\
--login 存入一个会话以取代玩家当前的会话，并输出其密钥（须保密）。--code 签发一
次性登录码，如同游戏客户端从平台取得的。--end 以一个密钥已丢弃、一秒后到期的会话
取代当前会话。本命令调用运维接口，需要运维令牌。会话在正式与沙箱环境中都有效。服
务不会显示会话的密钥。",
    ),
    (
        "faults",
        "\
没有 --set 和 --clear 时列出规则及其命中次数。规则使服务丢失、延迟或拒绝沙箱的调
用，用于测试后端；正式环境绝不受影响。本命令调用运维接口，需要运维令牌。",
    ),
    (
        "clock",
        "\
没有选项时显示时间。以 serve --clock manual 启动的服务可以向前或向后拨动时钟，用
于测试到期的情形。使用系统时钟的服务会拒绝。本命令调用运维接口，需要运维令牌。",
    ),
    (
        "rejections",
        "\
服务保留最近的拒绝记录及其诊断；用 pactolus explain RID 查看。本命令调用运维接
口，需要运维令牌。",
    ),
];

/// The text of each argument. An entry without a command holds for all commands with that argument.
pub(super) const ARGUMENTS: &[(&str, &str, &str)] = &[
    (
        "present",
        "api",
        "接口：midas 以应用的密钥签名调用，并发送 session_key；operator 只需运维令牌，且不受应用的赠币上限约束；默认：有运维令牌且未给出 session_key 时为 operator",
    ),
    ("topup", "coins", "游戏币数量"),
    ("topup", "bill_no", "订单号；默认新生成一个，并在发送前显示；在正式环境且没有终端时必填"),
    ("topup", "item", "购买的物品，随订单记录"),
    ("topup", "remark", "备注，随订单记录"),
    ("gift", "coins", "游戏币数量"),
    ("gift", "bill_no", "订单号；默认新生成一个，并在发送前显示；在正式环境且没有终端时必填"),
    ("gift", "item", "购买的物品，随订单记录"),
    ("gift", "remark", "备注，随订单记录"),
    ("debit", "input", "扣回文件（CSV）；- 表示标准输入"),
    ("debit", "coins", "游戏币数量；使用文件时用于未写明数量的行"),
    ("debit", "zone", "区服；使用文件时用于未写明区服的行"),
    ("debit", "take_available", "余额不足时扣回现有的部分，而不是拒绝"),
    ("debit", "paid_first", "优先扣回充值的游戏币，用于已退款的充值；默认优先扣回赠送的游戏币"),
    ("debit", "bill_no", "订单号；默认新生成一个，并在发送前显示；在正式环境且没有终端时必填"),
    ("debit", "item", "物品，随订单记录"),
    ("debit", "remark", "备注，随订单记录"),
    ("", "campaign", "活动名称：订单号由它、玩家和区服生成，同一文件发送两次也只生效一次"),
    ("", "allow_duplicates", "同一区服中同一玩家的多行视为多笔订单，而非错误"),
    ("", "ignore_unknown_columns", "忽略订单用不到的列，如游戏自身导出的其他列"),
    ("", "results", "结果文件；默认放在输入文件旁，以活动或文件命名"),
    ("", "concurrency", "同时在途的订单数，1 到 256；默认 16"),
    ("", "rate", "速率上限：每秒发送的订单数"),
    ("", "dry_run", "只检查文件并预览订单，不发送"),
    ("", "yes", "跳过确认；用于脚本"),
    ("totals", "from", "起始日，如 2017-10-09"),
    ("totals", "to", "截止日；默认与起始日相同"),
    ("totals", "output", "输出格式：table 供人阅读，json 供脚本使用（每行一个区服的一日）"),
    ("session", "login", "为玩家登录"),
    ("session", "code", "签发一次性登录码"),
    ("session", "end", "结束玩家的会话"),
    ("session", "session_key", "session_key；默认新生成一个"),
    ("session", "expires_in", "会话的有效秒数；默认为一天"),
    ("faults", "set", "以 JSON 文件中的规则取代现有规则；- 表示标准输入"),
    ("faults", "clear", "清除所有规则"),
    ("faults", "output", "输出格式：table 供人阅读，json 供脚本使用（每行一条规则）"),
    ("clock", "set", "将时钟拨到某一时刻，如 2017-10-09T06:32:17Z"),
    ("clock", "advance", "将时钟向前拨动若干秒；负数表示向后"),
    ("clock", "system_time", "将时钟拨到本机时间"),
    ("rejections", "limit", "筛选之后最多列出的记录数"),
    ("rejections", "env", "只列出某一环境的：live（正式）或 sandbox（沙箱）"),
    ("rejections", "appid", "只列出某一应用的"),
    ("rejections", "errcode", "只列出某一 errcode 的，如 90011"),
    ("rejections", "output", "输出格式：table 供人阅读，json 供脚本使用（每行一条记录）"),
    ("export", "what", "要导出的数据"),
    ("export", "from", "起始日，如 2017-10-09"),
    ("export", "to", "截止日；默认与起始日相同"),
    ("export", "time_zone", "日期所用的时区，如 Asia/Shanghai；默认用各应用自己的时区"),
    ("export", "format", "文件格式"),
    ("", "spreadsheet", "写出供电子表格使用的 CSV：带字节顺序标记，并在会被当作公式的单元格前加 '"),
    ("export", "out", "要创建的文件，须不存在；默认输出到 stdout"),
];
