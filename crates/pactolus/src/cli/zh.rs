//! The help in Chinese: a text for each command and each of its arguments, by name.
//!
//! The English texts are where the arguments are declared. Tests hold that none is missing here and none is left over.

use clap::builder::Resettable;
use clap::{Arg, ArgAction, Command};

const HELP_TEMPLATE: &str = "\
{before-help}{about-with-newline}
用法：{usage}

{all-args}{after-help}";

/// The command line with its help in Chinese.
pub(super) fn translate(command: Command) -> Command {
    let version = Arg::new("version").short('V').long("version").action(ArgAction::Version).help("显示版本");
    let command = command.disable_version_flag(true).arg(version.help_heading("选项"));
    translate_level(command, "").mut_subcommands(|command| {
        let name = command.get_name().to_owned();
        translate_level(command, &name)
    })
}

fn translate_level(command: Command, name: &str) -> Command {
    let about = about(name).unwrap_or_default();
    let help = Arg::new("help").short('h').long("help").action(ArgAction::Help).help("显示帮助");
    let after = command.get_after_help().map(|text| after_help(name, &text.to_string()));
    let command = command
        .about(about)
        .long_about(Resettable::Reset)
        .help_template(HELP_TEMPLATE)
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .subcommand_help_heading("命令")
        .subcommand_value_name("命令")
        .mut_args(|argument| {
            let text = argument_help(name, argument.get_id().as_str());
            let heading = heading(&argument);
            let argument = argument.long_help(Resettable::Reset).help_heading(heading);
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

fn heading(argument: &Arg) -> &'static str {
    match argument.get_help_heading() {
        Some("Logs, on stderr") => "日志（输出到 stderr）",
        Some("Which bank") => "调用目标",
        Some("One gift") => "单笔赠币",
        Some("Many gifts") => "批量赠币",
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
  PACTOLUS_APPS_0_APPID、PACTOLUS_APPS_0_MIDAS_KEY 等：对应第一个 [[apps]]
  的键，用大写字母；列表以逗号分隔。
文件中的密钥也可以写作 { env = \"NAME\" } 或 { file = \"PATH\" }。
未知的键和未知的 PACTOLUS_ 变量会被拒绝。";

/// What each command does; the first is the program.
const COMMANDS: [(&str, &str); 24] = [
    ("", "兼容微信 Midas 虚拟支付协议的游戏币账户服务"),
    ("demo", "演示：正式与沙箱赠币、重复请求、伪造签名"),
    ("init", "生成带有全新密钥的 pactolus.toml，仅所有者可读"),
    ("serve", "按配置文件提供服务"),
    ("present", "给一个玩家，或文件中的所有玩家赠送游戏币"),
    ("pay", "扣除玩家的游戏币"),
    ("cancelpay", "退回一笔扣款"),
    ("balance", "查询玩家的余额"),
    ("order", "查询一个订单号对应的订单"),
    ("statement", "列出玩家的订单，最新的在前"),
    ("token", "输出应用的 access_token"),
    ("sign", "显示任一调用的待签名文本和签名"),
    ("explain", "说明一次调用被拒绝的原因"),
    ("audit", "核对账目"),
    ("digest", "在服务运行时输出代表内置存储全部订单的摘要"),
    ("migrate", "在 PostgreSQL 上创建或升级数据表"),
    ("copy", "将整个账户服务从一个存储复制到另一个，并核对双方账目"),
    ("rotate-keys", "用第一个主密钥重新加密所有登录与令牌，之后即可移除旧密钥"),
    ("backup", "在服务运行时备份内置存储"),
    ("restore", "从备份恢复存储，并核对账目"),
    ("export", "按日导出内置存储的订单或账户"),
    ("doctor", "检查服务的设置，并给出处理方法"),
    ("completions", "输出 shell 的命令补全脚本"),
    ("man", "生成手册页"),
];

/// What each argument is; without a command, what it is in all that have it.
const ARGUMENTS: [(&str, &str, &str); 67] = [
    ("", "lang", "语言：en 或 zh；默认取自系统区域设置"),
    ("", "log", "日志范围：error、warn、info、debug 或 模块=级别，以逗号分隔；也可用 RUST_LOG"),
    ("", "log_format", "日志格式"),
    ("", "config", "配置文件"),
    ("", "output", "输出格式"),
    ("", "env", "环境：live（正式）或 sandbox（沙箱）；除非配置档已指定，否则必填"),
    ("", "profile", "配置档：指明地址、应用及密钥；默认使用 default 配置档，若没有则使用本机服务的配置"),
    ("", "app", "应用；配置中有多个应用时使用"),
    ("", "url", "服务地址，替代配置档或配置中的地址"),
    ("", "timeout", "一次调用最多尝试的秒数；默认 10，批量赠币为 60"),
    ("", "openid", "玩家"),
    ("", "zone", "区服"),
    ("", "session_key", "玩家的 session_key，用于需要 mp_sig 的情形"),
    ("", "store", "存储，如 embedded:./data；默认取自配置"),
    ("demo", "listen", "监听地址；默认 127.0.0.1:8790，若被占用则另选端口"),
    ("demo", "keep", "结束时保留订单目录"),
    ("demo", "exit", "演示完毕后退出"),
    ("init", "force", "覆盖已有的配置文件；其中的密钥将丢失"),
    ("serve", "listen", "监听地址，替代配置中的地址；端口 0 表示任意空闲端口"),
    ("serve", "store", "存储，替代配置中的存储"),
    ("serve", "clock", "时钟"),
    ("serve", "migrate", "先创建或升级数据表（PostgreSQL）"),
    ("migrate", "distribute", "再将数据表分布到多台机器"),
    ("copy", "from", "要复制的存储，如 embedded:./data"),
    ("copy", "to", "目标存储，如 postgres://host/database"),
    (
        "rotate-keys",
        "drop_unreadable",
        "丢弃以已遗失的主密钥加密的记录：相关玩家须重新登录，后端须重新获取 access_token",
    ),
    ("present", "coins", "数量；批量时用于未写明数量的行"),
    ("present", "zone", "区服；批量时用于未写明区服的行"),
    ("present", "bill_no", "订单号；默认新生成一个，并在发送前显示"),
    ("present", "resume", "该订单号此前可能已为这笔赠币发送过：若对方只说订单号已使用，即视为已发放"),
    (
        "present",
        "input",
        "赠币文件（CSV，首行为列名：openid，以及按需的 zone_id、present_counts、bill_no、session_key、user_ip）；- 表示标准输入",
    ),
    ("present", "campaign", "活动名称：订单号由它、玩家和区服生成，同一文件运行两次也只发放一次"),
    ("present", "allow_duplicates", "同一区服中同一玩家的多行视为多笔赠币，而非错误"),
    ("present", "results", "结果文件；默认放在赠币文件旁，以活动或文件命名"),
    ("present", "concurrency", "同时发送的数量，1 到 256"),
    ("present", "rate", "每秒最多开始发送的数量"),
    ("present", "dry_run", "只检查文件并显示将要发放的内容，不实际发放"),
    ("present", "yes", "不询问确认；用于脚本"),
    ("pay", "coins", "数量"),
    ("pay", "bill_no", "订单号；默认新生成一个，并在发送前显示"),
    ("pay", "item", "用途，随订单记录"),
    ("pay", "remark", "备注"),
    ("pay", "resume", "该订单号此前可能已为这笔订单发送过：若对方只说订单号已使用，即视为已完成"),
    ("cancelpay", "bill_no", "扣款的订单号"),
    ("order", "bill_no", "订单号"),
    ("statement", "limit", "最多列出的订单数"),
    ("sign", "call", "调用"),
    ("sign", "body", "参数文件（JSON）；- 表示标准输入"),
    ("sign", "access_token", "请求中的 access_token，由 mp_sig 覆盖"),
    ("explain", "rid", "请求编号，见 errmsg 末尾"),
    ("explain", "url", "要询问的服务，不含 TLS；默认取配置中的地址"),
    ("explain", "request", "被拒绝的请求体，须逐字节一致"),
    ("explain", "path", "请求的路径"),
    ("explain", "token", "请求中的 access_token"),
    ("explain", "session_key", "玩家的 session_key；没有则不检查 mp_sig"),
    ("audit", "since", "同时核对：到此前记下的这一摘要为止，订单未被改动"),
    ("backup", "to", "备份目录，须不存在或为空"),
    ("restore", "from", "备份所在目录"),
    ("restore", "store", "要生成的存储，须不存在或为空，如 embedded:./data"),
    ("restore", "until", "只恢复最早的若干笔订单，即回到当时的状态"),
    ("export", "what", "导出内容"),
    ("export", "from", "起始日（UTC），如 2017-10-09"),
    ("export", "to", "截止日；默认与起始日相同"),
    ("export", "format", "格式"),
    ("export", "out", "输出文件，须不存在；默认输出到 stdout"),
    ("completions", "shell", "shell 类型"),
    ("man", "to", "输出目录"),
];

fn about(name: &str) -> Option<&'static str> {
    COMMANDS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

fn argument_help(command: &str, id: &str) -> Option<&'static str> {
    let of = |command: &str| ARGUMENTS.iter().find(|(known, name, _)| *known == command && *name == id);
    of(command).or_else(|| of("")).map(|(_, _, text)| *text)
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
                used.insert(text);
            }
        }
        for (command, id, text) in ARGUMENTS {
            assert!(used.contains(&Some(text)), "there is no {command} --{id}");
        }
        assert_eq!(program.get_subcommands().count() + 1, COMMANDS.len(), "a text of no command");
    }

    #[test]
    fn translated_command_definition_is_valid() {
        translate(Cli::command()).debug_assert();
    }
}
