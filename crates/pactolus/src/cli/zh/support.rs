//! Chinese help of the support commands.

/// The first line of each command's help.
pub(super) const COMMANDS: &[(&str, &str)] = &[
    ("topup", "为玩家充值游戏币"),
    ("gift", "以运营方名义给玩家赠送游戏币"),
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
        "balance",
        "\
有运维令牌且未给出 session_key 时调用运维接口，否则进行应用的签名调用。",
    ),
    (
        "totals",
        "\
按游戏服和日输出各类订单的笔数与游戏币数，只列出有订单的。带角色的区服（如
1_mage）计入其游戏服（1）。本命令调用运维接口，需要运维令牌。",
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
];
