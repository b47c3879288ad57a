//! Chinese help: the texts of each command and each argument, by name.
//!
//! The English texts stand beside the declarations. Tests compare the two: none may be missing here or left over.

pub(in crate::cli) mod catalogue;
mod help;
mod support;

use clap::builder::{Resettable, StyledStr};
use clap::{Arg, ArgAction, Command};

pub(super) use help::requested_help;

const HELP_TEMPLATE: &str = "\
{before-help}{about-with-newline}
用法：{usage}

{all-args}{after-help}";

/// The tree of commands with Chinese help.
pub(super) fn translate(command: Command) -> Command {
    let version = Arg::new("version").short('V').long("version").action(ArgAction::Version).help("显示版本");
    let command = command.disable_version_flag(true).arg(version.help_heading("选项"));
    let command = translate_level(command, "").mut_subcommands(|command| {
        let name = command.get_name().to_owned();
        translate_level(command, &name)
    });
    command.subcommand(help::command())
}

fn translate_level(command: Command, name: &str) -> Command {
    let about = about(name).unwrap_or_default();
    let long_about: Resettable<StyledStr> =
        long_text(name).map(|text| StyledStr::from(format!("{about}\n\n{text}"))).into();
    let help = Arg::new("help").short('h').long("help").action(ArgAction::Help);
    let help = match long_text(name) {
        Some(_) => help.help("显示帮助（用 --help 查看详情）").long_help("显示帮助（用 -h 查看摘要）"),
        None => help.help("显示帮助"),
    };
    let after = command.get_after_help().map(|text| after_help(name, &text.to_string()));
    let command = command
        .about(about)
        .long_about(long_about)
        .help_template(HELP_TEMPLATE)
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .subcommand_help_heading("命令")
        .subcommand_value_name("命令")
        .mut_args(|argument| {
            let text = argument_help(name, argument.get_id().as_str());
            let heading = heading(&argument);
            let hide_values = has_described_values(&argument) || argument.is_hide_possible_values_set();
            let argument = argument.long_help(Resettable::Reset).help_heading(heading);
            let argument = argument.hide_possible_values(hide_values);
            match text {
                Some(text) => argument.help(text),
                None => argument,
            }
        })
        .arg(help.help_heading("选项"));
    match after {
        Some(after) => command.after_help(after),
        None => command,
    }
}

/// Whether the values of an argument have descriptions. Those are in English, so the Chinese text names the values.
fn has_described_values(argument: &Arg) -> bool {
    argument.get_possible_values().iter().any(|value| value.get_help().is_some())
}

fn heading(argument: &Arg) -> &'static str {
    match argument.get_help_heading() {
        Some("Logs, on stderr") => "日志（输出到 stderr）",
        Some("Target bank") => "调用目标",
        Some("One gift") => "单笔赠币",
        Some("One debit") => "单笔扣回",
        Some("Many orders") => "批量",
        Some("Output") => "输出",
        Some(_) | None if argument.is_positional() => "参数",
        Some(_) | None => "选项",
    }
}

fn after_help(name: &str, english: &str) -> String {
    match name {
        "serve" => SERVE_VARIABLES.to_owned(),
        _ => english.replace("Examples:", "示例："),
    }
}

const SERVE_VARIABLES: &str = "\
环境变量优先于配置文件，命令行选项优先于二者：
  PACTOLUS_LISTEN、PACTOLUS_STORE、PACTOLUS_OPERATOR_TOKEN
  PACTOLUS_LIMITS_REQUEST_TIMEOUT_S 等：节名与键名，用大写字母
  PACTOLUS_APPS_0_APPID、PACTOLUS_APPS_0_MIDAS_KEY 等：第一个 [[apps]] 的键；
  列表以逗号分隔
文件中的密钥也可以写作 { env = \"NAME\" } 或 { file = \"PATH\" }。
未知的键，以及以 PACTOLUS_ 开头的未知变量，会被拒绝。

示例：
  pactolus serve
  pactolus serve --config /etc/pactolus.toml --listen 127.0.0.1:9000
  pactolus serve --migrate --store postgres://host/database";

/// The first line of each command's help; the first entry is the program.
const COMMANDS: &[(&str, &str)] = &[
    ("", "兼容微信 Midas 虚拟支付协议的游戏币账户服务"),
    ("demo", "运行示例服务：正式与沙箱赠币、重放、伪造签名"),
    ("init", "生成带有全新密钥的 pactolus.toml，仅所有者可读"),
    ("serve", "按配置文件提供服务"),
    ("present", "给一个玩家，或文件中的所有玩家赠送游戏币"),
    ("pay", "扣除玩家的游戏币"),
    ("cancelpay", "取消一笔扣款，退回游戏币"),
    ("balance", "查询玩家的余额"),
    ("order", "查询一个订单号对应的订单"),
    ("statement", "列出玩家的订单，最新的在前"),
    ("token", "输出应用的 access_token"),
    ("sign", "显示一次调用的待签名文本和签名"),
    ("explain", "诊断调用被拒绝的原因"),
    ("audit", "核对存储的账目"),
    ("digest", "在服务运行时输出嵌入式存储的历史摘要"),
    ("migrate", "在 PostgreSQL 上创建或升级数据表"),
    ("copy", "将整个账户服务复制到另一个存储，并核对双方账目"),
    ("rotate-keys", "用第一个主密钥重新加密存储中的所有登录与令牌"),
    ("backup", "在服务运行时备份嵌入式存储"),
    ("restore", "从备份恢复存储，并核对账目"),
    ("export", "按日导出订单或账户"),
    ("doctor", "检查服务的设置，并给出处理方法"),
    ("metrics", "列出服务的监控指标及各指标的时间序列数上限"),
    ("completions", "输出 shell 的命令补全脚本"),
    ("man", "生成手册页"),
];

/// The paragraphs after the first line, for `--help`. clap wraps lines at spaces only, so they are wrapped here.
const LONG_TEXTS: &[(&str, &str)] = &[
    (
        "demo",
        "\
用示例数据启动一个真实的服务，通过 HTTP 调用它，并显示每个请求和响应。之后服务
继续运行，供您自行调用，直到按下 Ctrl-C。其密钥是公开的示例：切勿存放真实的
游戏币。",
    ),
    (
        "serve",
        "\
开始受理请求时输出 `listening on http://ADDRESS`；设置了 operator_listen 时，先
输出 `operator API on http://ADDRESS`。收到 SIGTERM 或 Ctrl-C 后平滑停止：不再
接受新连接，处理完进行中的请求，关闭存储，以退出码 0 结束。若超过
shutdown_timeout_s 仍未完成，则退出码为 6。收到第二个信号立即结束，退出码为 143
或 130；已答复的订单不会丢失。SIGHUP 重新读取应用、密钥、限制和日志范围。
支持 systemd 的 Type=notify。",
    ),
    (
        "present",
        "\
单笔赠币使用 --openid 和 --coins。批量赠币（活动）用 --input 读取 CSV 文件，首行
为列名：openid 必填；未给出 --coins 时 present_counts 必填；未给出 --campaign 时
bill_no 必填；zone_id、session_key 和 user_ip 可选。

先检查所有的行，然后才发送第一笔。每笔赠币有唯一的订单号作为幂等键，因此不会重复
发放。每笔的结果都追加到结果文件。中断或崩溃之后，重新运行同一命令即可从中断处
继续。",
    ),
    (
        "pay",
        "\
优先扣除赠送的游戏币。订单号是幂等键：相同的订单号就是同一笔订单，不会重复扣除。",
    ),
    (
        "cancelpay",
        "\
操作是幂等的：重复取消同一笔扣款不会重复退回。",
    ),
    (
        "order",
        "\
显示订单及其取消或最后一次退还；按玩家唯一的订单号须指明玩家。需要运维令牌。",
    ),
    (
        "statement",
        "\
本命令调用运维接口，需要运维令牌。",
    ),
    (
        "token",
        "\
这是应用的稳定令牌，由应用的所有进程共用：获取它不会使其他令牌失效。令牌须保密：
在过期之前，持有者可以以应用的名义调用。",
    ),
    (
        "sign",
        "\
读取 JSON 对象形式的调用参数，显示后端需要签名的文本及其签名 `sig`。给出
session_key 和 access_token 时还显示 `mp_sig`。/wxa/game、/xpay 的路径则按文件
字节签名：`pay_sig` 与 `signature`。不发送请求，也不输出任何密钥。",
    ),
    (
        "explain",
        "\
给出 errmsg 或其末尾的 rid 时，向服务查询；服务保留最近的 Midas 调用拒绝记录。
其他拒绝（如 access_token 或登录被拒绝），则说明返回码的含义和处理方法。给出
--request 时离线诊断：按配置检查请求，并查找能得出其签名的已知错误。",
    ),
    (
        "audit",
        "\
重新裁决每一笔订单，并检查三条不变量：每笔订单都承接此前的订单；每个订单号恰好
对应一笔订单；每个账户等于其订单之和。逐条输出发现的问题；若有问题，退出码为 1。

核对嵌入式存储之前请先停止服务。PostgreSQL 上的存储可以同时提供服务：核对读取的
是开始时的快照。

对嵌入式存储还输出代表全部历史的摘要。请将它保存在存储之外：以后用 --since
核对，可以证明这些订单未被改动。",
    ),
    (
        "digest",
        "\
摘要代表到目前为止的全部订单。请将它保存在能写入存储的进程无法改动的地方：以后用
pactolus audit --since 可以证明这些订单未被改动。本命令只读取已保存的摘要，不作
核对；核对须用 audit。",
    ),
    (
        "migrate",
        "\
每一步迁移是一个事务。操作是幂等的，也可以同时运行多个。嵌入式存储不需要迁移。",
    ),
    (
        "copy",
        "\
请先停止服务：复制期间两个存储都不能提供服务。目标存储须为空，或含有同一服务
未完成的复制，此时从中断处继续。目标存储在 PostgreSQL 上时，请先运行
pactolus migrate。登录与令牌保持加密，因此副本需要相同的主密钥。",
    ),
    (
        "rotate-keys",
        "\
输出每个密钥仍加密着多少条记录。旧密钥不再加密任何记录后，即可从配置中移除。
本命令可以中断后重新运行。对嵌入式存储运行前请先停止服务。PostgreSQL 上的存储
可以同时提供服务，但须所有节点都已有新密钥。",
    ),
    (
        "backup",
        "\
将所有订单复制到新目录并逐一校验，然后输出历史摘要。备份不含 access_token 和
登录：恢复之后，客户端须重新获取令牌，玩家须重新登录。",
    ),
    (
        "restore",
        "\
逐一校验每笔订单，然后打开新存储并核对账目。核对通过之后，新存储才使用最终的
名称，因此未完成的恢复绝不会对外服务。使用 --until 可恢复到某一时点。",
    ),
    (
        "export",
        "\
可以在服务运行时使用。订单按服务裁决的顺序导出，在 PostgreSQL 上则按时间排序。
账户是这些日期内有变动的账户，取其在这些日期的最后一笔订单之后的状态；导出嵌入式
存储时保存在内存中，每个约 500 字节。日期按配置中各应用的 time_zone 计；
以 --store 指定存储时按 UTC 或 --time-zone 计。",
    ),
    (
        "doctor",
        "\
检查配置、时钟、磁盘、存储、端口，以及每个应用的设置。有错误时退出码为 1。警告不
影响退出码。本命令不作任何改动，可以在服务运行时使用。",
    ),
];

/// The text of each argument. An entry without a command holds for all commands with that argument.
const ARGUMENTS: &[(&str, &str, &str)] = &[
    ("", "lang", "帮助和消息的语言：en 或 zh；默认取自系统区域设置"),
    ("", "log", "日志范围：error、warn、info、debug 或 模块=级别，以逗号分隔；也可用 RUST_LOG"),
    ("", "log_format", "日志格式"),
    ("", "config", "配置文件；默认取自环境变量 PACTOLUS_CONFIG，若没有则为 pactolus.toml"),
    ("init", "config", "配置文件"),
    ("serve", "config", "配置文件"),
    ("doctor", "config", "配置文件"),
    ("", "output", "输出格式：table 供人阅读，json 供脚本使用（各语言相同）"),
    ("", "env", "环境：live（正式）或 sandbox（沙箱）；除非配置档已指定，否则必填"),
    (
        "",
        "profile",
        "配置档：含服务地址、应用及密钥，即 ~/.config/pactolus（或 $XDG_CONFIG_HOME/pactolus）中的 NAME.toml；默认取自环境变量 PACTOLUS_PROFILE，若没有则使用 default 配置档，再没有则使用本机服务的配置",
    ),
    ("", "app", "应用；配置中有多个应用时必填"),
    ("", "url", "服务地址，替代配置档或配置中的地址"),
    ("", "timeout", "一次调用（含重试）的超时秒数；默认 10，批量赠币为 60"),
    ("", "openid", "玩家"),
    ("", "zone", "区服"),
    ("", "session_key", "玩家的 session_key，用于要求 mp_sig 的服务"),
    ("", "session_key_file", "session_key 所在文件；- 表示标准输入；默认取环境变量 PACTOLUS_SESSION_KEY"),
    ("", "store", "存储，如 embedded:./data；也可写 env:变量名、file:文件 或 -（标准输入）；默认取自配置"),
    ("demo", "listen", "监听地址；默认 127.0.0.1:8790，若被占用则另选空闲端口"),
    ("demo", "keep", "结束时保留订单目录"),
    ("demo", "exit", "最后一步之后退出"),
    ("init", "force", "覆盖已有的配置文件；其中的密钥将丢失"),
    ("serve", "listen", "监听地址，替代配置中的地址；端口 0 表示任意空闲端口"),
    (
        "serve",
        "store",
        "存储，如 embedded:./data，替代配置中的存储；也可写 env:变量名、file:文件 或 -（标准输入）",
    ),
    (
        "serve",
        "clock",
        "时钟：system 为系统时钟；manual 从当前时间开始并静止，由 POST /api/v1/clock 拨动，仅供开发，要求每个应用都设置 login = \"open\"",
    ),
    ("serve", "wait", "等待尚未启动的数据库，最多若干秒；仅限 PostgreSQL 上的存储"),
    ("serve", "migrate", "先在 PostgreSQL 上创建或升级数据表"),
    ("migrate", "distribute", "再将数据表分布到多台机器；citus：用 create_distributed_table 按分区分布"),
    ("copy", "from", "要复制的存储，如 embedded:./data；也可写 env:变量名、file:文件 或 -（标准输入）"),
    ("copy", "to", "目标存储，如 postgres://host/database；也可写 env:变量名、file:文件 或 -（标准输入）"),
    (
        "rotate-keys",
        "drop_unreadable",
        "丢弃以已遗失的主密钥加密的记录：相关玩家须重新登录，后端须重新获取 access_token",
    ),
    ("present", "coins", "游戏币数量；批量时用于未写明数量的行"),
    ("present", "zone", "区服；批量时用于未写明区服的行"),
    ("present", "bill_no", "订单号；默认新生成一个，并在发送前显示；在正式环境且没有终端时必填"),
    ("present", "resume", "重试此前用该订单号进行的赠币：若服务端只说订单号已使用，即视为已发放"),
    ("present", "input", "赠币文件（CSV）；- 表示标准输入"),
    ("pay", "coins", "游戏币数量"),
    ("pay", "bill_no", "订单号；默认新生成一个，并在发送前显示；在正式环境且没有终端时必填"),
    ("pay", "item", "用途，随订单记录"),
    ("pay", "remark", "备注，随订单记录"),
    ("pay", "resume", "重试此前用该订单号进行的扣款：若服务端只说订单号已使用，即视为已完成"),
    ("cancelpay", "bill_no", "扣款的订单号"),
    ("order", "bill_no", "订单号"),
    ("order", "openid", "/wxa/game 或 /xpay 订单号所属的玩家"),
    ("order", "zone", "该玩家的区服"),
    ("statement", "limit", "最多列出的订单数"),
    ("statement", "output", "输出格式：table 供人阅读，json 供脚本使用（每行一笔订单）"),
    ("sign", "call", "present、getbalance、pay 或 cancelpay；或 /wxa/game、/xpay 的路径，如 /wxa/game/pay"),
    ("sign", "body", "参数文件（JSON）；- 表示标准输入"),
    ("sign", "access_token", "请求中的 access_token，由 mp_sig 覆盖"),
    (
        "sign",
        "access_token_file",
        "access_token 所在文件；- 表示标准输入；默认取环境变量 PACTOLUS_ACCESS_TOKEN",
    ),
    ("explain", "errmsg", "服务的答复：rid、errcode、errmsg，或整个回复"),
    ("explain", "request", "含有被拒绝的请求体的文件，须逐字节一致"),
    ("explain", "path", "请求的路径"),
    ("explain", "token", "请求中的 access_token"),
    ("explain", "token_file", "access_token 所在文件；- 表示标准输入；默认取环境变量 PACTOLUS_ACCESS_TOKEN"),
    ("explain", "session_key", "玩家的 session_key；没有则不检查 mp_sig"),
    ("audit", "since", "同时核对：到此前记下的这一摘要为止，订单未被改动"),
    ("backup", "to", "要创建的目录，须不存在或为空"),
    ("restore", "from", "备份所在目录"),
    ("restore", "store", "要创建的存储，如 embedded:./data，须不存在或为空"),
    ("restore", "until", "只恢复最早的若干笔订单，即恢复到当时的状态"),
    ("completions", "shell", "shell 类型"),
    ("man", "to", "输出目录"),
];

fn commands() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    COMMANDS.iter().chain(support::COMMANDS)
}

fn about(name: &str) -> Option<&'static str> {
    commands().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

fn long_text(name: &str) -> Option<&'static str> {
    LONG_TEXTS.iter().chain(support::LONG_TEXTS).find(|(known, _)| *known == name).map(|(_, text)| *text)
}

fn argument_help(command: &str, id: &str) -> Option<&'static str> {
    let all = || ARGUMENTS.iter().chain(support::ARGUMENTS);
    let lookup = |command: &str| all().find(|(known, name, _)| *known == command && *name == id);
    lookup(command).or_else(|| lookup("")).map(|(_, _, text)| *text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn every_command_and_argument_is_translated() {
        let mut used = BTreeSet::new();
        let program = Cli::command();
        let all = std::iter::once(("", &program)).chain(program.get_subcommands().map(|c| (c.get_name(), c)));
        for (name, command) in all {
            assert!(about(name).is_some(), "the command {name} has no Chinese text");
            for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
                let id = argument.get_id().as_str();
                if id == "help" || id == "version" {
                    continue;
                }
                let text = argument_help(name, id);
                assert!(text.is_some(), "{name} --{id} has no Chinese text");
                if has_described_values(argument) {
                    for value in argument.get_possible_values() {
                        let value = value.get_name();
                        assert!(text.is_some_and(|text| text.contains(value)), "{name} --{id} lacks {value}");
                    }
                }
                used.insert(text);
            }
        }
        for (command, id, text) in ARGUMENTS.iter().chain(support::ARGUMENTS) {
            assert!(used.contains(&Some(*text)), "there is no {command} --{id}");
        }
        assert_eq!(program.get_subcommands().count() + 1, commands().count(), "a text of no command");
    }

    #[test]
    fn every_long_text_is_translated() {
        let program = Cli::command();
        assert_eq!((program.get_long_about(), long_text("")), (None, None));
        for command in program.get_subcommands() {
            let name = command.get_name();
            let paragraphs = |text: String| text.split("\n\n").count();
            let english = command.get_long_about().map(|text| paragraphs(text.to_string()) - 1);
            let chinese = long_text(name).map(|text| paragraphs(text.to_owned()));
            assert_eq!(english, chinese, "{name}: paragraphs of the long text in English and in Chinese");
        }
        for (name, _) in LONG_TEXTS.iter().chain(support::LONG_TEXTS) {
            assert!(program.find_subcommand(name).is_some(), "there is no command {name}");
        }
    }

    #[test]
    fn long_texts_fit_80_columns() {
        let texts = LONG_TEXTS.iter().chain(support::LONG_TEXTS).copied();
        for (name, text) in texts.chain([("serve", SERVE_VARIABLES)]) {
            for line in text.lines() {
                let columns: usize = line.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum();
                assert!(columns <= 80, "{name}: {columns} columns: {line}");
            }
        }
    }

    #[test]
    fn translated_command_definition_is_valid() {
        translate(Cli::command()).debug_assert();
    }
}
