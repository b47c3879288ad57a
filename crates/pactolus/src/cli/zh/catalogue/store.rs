//! Errors of stores, findings of an audit, and problems of backups and copies.

use super::Message;

pub(super) const MESSAGES: &[Message] = &[
    // The ledger.
    ("the ledger is busy", "账本正忙"),
    ("the ledger's database cannot be reached", "无法连接账本的数据库"),
    ("the ledger's disk is full", "账本所在的磁盘已满"),
    ("the ledger is closed", "账本已关闭"),
    ("the ledger's store failed", "账本的存储出错"),
    ("the bill number belongs to an order with another {}", "该订单号属于另一笔订单，其 {} 不同"),
    ("the balance is {}", "余额为 {}"),
    ("the account's sums would exceed {}", "账户的总额将超过 {}"),
    ("one order may give at most {} coins", "一笔订单最多赠送 {} 个游戏币"),
    ("the daily limit of gifts is {} coins, {} of them left", "每日赠币上限为 {} 个，还剩 {} 个"),
    ("no pay has this bill number", "没有使用该订单号的扣款"),
    ("the pay is older than its cancel window", "扣款已超过可取消的时限"),
    ("bill number {} of app {} ({})", "应用 {1}（{2}）的订单号 {0}"),
    (
        "{} cannot be copied: {}; the target store has orders of its own",
        "无法复制{}：{}；目标存储中有其他订单",
    ),
    (
        "{} has another effect in the target than in the source; the target store has orders of its own",
        "{}在目标存储中的结果与来源不同；目标存储中有其他订单",
    ),
    // Audits.
    ("the journal ends before the orders that were acknowledged", "日志缺少已确认的订单"),
    (
        "the history of the first {} orders is not the one that {} stands for",
        "最早 {} 笔订单的历史与摘要 {} 不符",
    ),
    ("{} does not lead to its {}", "{}没有指向其{}"),
    ("order", "订单"),
    ("cancel", "取消"),
    ("{} follows an order of another account", "{}接在另一个账户的订单之后"),
    ("{} is not what the rule makes of the orders before it", "{}与依照规则由之前订单得出的结果不符"),
    ("the account row at position {} differs from its last order", "位置 {} 的账户记录与其最后一笔订单不符"),
    ("the accounts have {} orders and the journal has {}", "账户共有 {} 笔订单，而日志中有 {} 笔"),
    (
        "the order at position {} is of another account than its index entry",
        "位置 {} 的订单与其索引所属的账户不同",
    ),
    ("the sums of {} are not those of its orders", "{} 的汇总与其订单不符"),
    ("there are sums of {}, which has no orders", "{} 没有订单，却有汇总"),
    ("the order {} is of an account that is not there", "订单 {} 所属的账户不存在"),
    ("the account {} is not the sum of its orders", "账户 {} 与其订单的总和不符"),
    ("the account {} has the id of another", "账户 {} 使用了其他账户的编号"),
    (
        "there are {} bill numbers, {} of them cancelled, and {} orders and {} cancels",
        "共有 {} 个订单号，其中 {} 个已取消；而订单有 {} 笔，取消有 {} 笔",
    ),
    ("the audit did not complete", "审计未能完成"),
    ("{} cannot be audited", "无法核对 {}"),
    ("{} of {} is not what the rule makes of it", "{1} 的 {0} 与规则得出的结果不符"),
    (
        "the journal's order at position {} has another key than its index entry",
        "位置 {} 的订单与其索引的键不同",
    ),
    ("the store failed and refuses orders until it is reopened", "存储出错，重新打开之前不受理订单"),
    // An embedded store.
    (
        "the store {} is in use by another process; stop that process first, or name another folder",
        "存储 {} 正被另一个进程使用；请先停止该进程，或另选目录",
    ),
    (
        "the folder {} is neither empty nor a Pactolus store; name another folder",
        "目录 {} 不为空，也不是 Pactolus 存储；请另选目录",
    ),
    (
        "{} has format {}, and this program reads formats up to {}; use a newer Pactolus",
        "{} 的格式为 {}，此程序最多支持格式 {}；请使用更新的 Pactolus",
    ),
    (
        "{} is damaged at offset {}: {} cannot be read; restore the store from a backup",
        "{} 在偏移 {} 处损坏：无法读取{}；请从备份恢复存储",
    ),
    ("a batch's orders", "一批订单"),
    ("an order", "订单"),
    ("a frame", "帧"),
    ("the frame", "帧"),
    ("the chain of digests", "摘要链"),
    ("the segment's header", "分段文件头"),
    ("the format's version", "格式版本"),
    (
        "{} does not follow on {}: a file of the journal is missing or cut; restore the store from a backup",
        "{} 与 {} 不连续：日志缺少文件或被截断；请从备份恢复存储",
    ),
    (
        "{} is not the beginning of the journal: a file is missing; restore the store from a backup",
        "{} 不是日志的开头：缺少文件；请从备份恢复存储",
    ),
    (
        "the journal ends before its views do: its last file is missing or cut; restore the store from a backup",
        "日志比视图短：最后一个文件缺失或被截断；请从备份恢复存储",
    ),
    (
        "the views cannot be opened; they can be rebuilt: remove the folder {} and start again",
        "无法打开视图；视图可以重建：请删除目录 {} 后重新启动",
    ),
    ("the records of tokens and sessions in {} cannot be opened", "无法打开 {} 中的令牌与会话记录"),
    (
        "the disk of the store {} is full; free some space and start again",
        "存储 {} 所在的磁盘已满；请清理空间后重新启动",
    ),
    ("the store's files cannot be read or written", "无法读写存储的文件"),
    ("the disk is full", "磁盘已满"),
    ("writing failed", "写入失败"),
    ("{} holds no order at offset {}", "{} 的偏移 {} 处没有订单"),
    ("{} is damaged at offset {}", "{} 在偏移 {} 处损坏"),
    ("{} is damaged: {}", "{} 已损坏：{}"),
    ("reading the journal failed", "读取日志失败"),
    ("reading the views failed", "读取视图失败"),
    ("writing the views failed", "写入视图失败"),
    ("the totals per zone and day cannot be read or written", "无法读写按区服和日期的汇总"),
    ("a row of the totals cannot be read", "无法读取汇总中的一行"),
    ("the table failed before; reopen the store", "数据表此前出错；请重新打开存储"),
    ("the storage engine failed", "存储引擎出错"),
    ("the storage engine panicked on its pages", "存储引擎的页面已损坏"),
    ("the checksum of a row is wrong", "一行的校验和有误"),
    ("a record is damaged", "一条记录已损坏"),
    // Backups and copies.
    ("there is no store in {}", "{} 中没有存储"),
    (
        "{} is not a complete backup; an interrupted one cannot be restored",
        "{} 不是完整的备份；中断的备份无法使用",
    ),
    ("the folder {} is not empty; name another", "目录 {} 不为空；请另取一个目录"),
    (
        "the backup {} ends after {} of {} orders; take another",
        "备份 {} 只有 {} 笔订单，应有 {} 笔；请重新备份",
    ),
    ("the backup has {} orders, fewer than the {} requested", "备份共有 {} 笔订单，不足 {} 笔"),
    ("the files cannot be read or written", "无法读写文件"),
    ("the store {} cannot be exported", "无法导出存储 {}"),
    ("the export cannot be written", "无法写出导出的内容"),
    ("the orders cannot be counted", "无法统计订单数"),
    ("the reader thread panicked", "读取线程意外终止"),
    ("the source store cannot be read", "无法读取来源存储"),
    ("the records cannot be copied", "无法复制记录"),
    ("an unconditional write of a record conflicted", "无条件写入的记录发生冲突"),
    (
        "{} has {} orders of {} accounts, and {} has {} of {}",
        "{} 有 {} 笔订单、{} 个账户，而 {} 有 {} 笔、{} 个",
    ),
    ("interrupted; run the command again to resume", "已中断；请重新运行以继续"),
    ("the ids of its encryption keys cannot be read", "无法读取其加密密钥的编号"),
    // Master keys.
    (
        "is not 32 bytes in hex (64 digits) or base64 (44 characters, the last =); `openssl rand -hex 32` makes one",
        "不是 32 字节的十六进制（64 位）或 base64（44 个字符，以 = 结尾）；可用 `openssl rand -hex 32` 生成",
    ),
    ("holds the key with the id {} twice; each must be another", "重复含有编号为 {} 的密钥；每个密钥应不同"),
    (
        "its sessions and tokens are sealed with a master key that the configuration lacks (id {}); add it to `master_keys`, or if it is lost, drop the records that it sealed with `pactolus rotate-keys --drop-unreadable`",
        "其会话与令牌以配置中没有的主密钥加密（编号 {}）；请将其加入 `master_keys`；若已遗失，请用 `pactolus rotate-keys --drop-unreadable` 丢弃由它加密的记录",
    ),
    (
        "it is sealed with a master key that is not in the configuration; its id is {}",
        "它以配置中没有的主密钥加密，其编号为 {}",
    ),
    (
        "it was changed after it was sealed, or belongs to another record",
        "它在加密后被改动，或属于另一条记录",
    ),
    ("a later version of this program sealed it", "它由更新版本的程序加密"),
    // PostgreSQL.
    (
        "the database has no schema yet; run `pactolus migrate`, or start with `pactolus serve --migrate`",
        "数据库中还没有数据表；请运行 `pactolus migrate`，或以 `pactolus serve --migrate` 启动",
    ),
    (
        "the database has schema version {}, and this program needs {}; run `pactolus migrate` once all nodes run this version",
        "数据表的版本为 {}，此程序需要 {}；请在所有节点升级后运行 `pactolus migrate`",
    ),
    (
        "the database has schema version {}, and this program supports {}; use a newer Pactolus",
        "数据表的版本为 {}，此程序支持 {}；请使用更新的 Pactolus",
    ),
    (
        "the bank in the database has {} partitions, and this program supports 256; use the Pactolus that created it",
        "数据库中的数据有 {} 个分区，此程序支持 256 个；请使用创建它的 Pactolus",
    ),
    ("the database cannot be used: {}", "无法使用数据库：{}"),
    ("the database did not answer in time", "数据库没有及时响应"),
    ("error connecting to server: {}", "无法连接数据库服务器：{}"),
    ("error connecting to server", "无法连接数据库服务器"),
    ("connection closed", "连接已关闭"),
    ("db error", "数据库错误"),
    ("an account was inserted between two reads of the batch", "两次读取之间插入了新的账户"),
    ("{} (SQLSTATE {})", "“{}”（SQLSTATE {}）"),
    ("kind of coins to take first", "优先收回的游戏币种类"),
    ("shortfall rule", "余额不足时的规则"),
    (
        "an order that this request needs is damaged on the ledger's disk",
        "此请求所需的一笔订单在账本的磁盘上已损坏",
    ),
    (
        "the records of tokens and sessions failed; no login is stored until the bank is restarted",
        "令牌与会话的记录出错；重新启动之前不保存任何登录",
    ),
    ("too many open files", "打开的文件过多"),
    (
        "the views in {} cannot be written; mend the disk or the folder's permissions and start again",
        "无法写入 {} 中的视图；请修复磁盘或目录权限后重新启动",
    ),
    (
        "too many open files (EMFILE) while opening the store {}; raise the limit of open files, ulimit -n or LimitNOFILE, and start again",
        "打开存储 {} 时打开的文件过多（EMFILE）；请提高文件数上限（ulimit -n 或 LimitNOFILE）后重新启动",
    ),
    ("{}; damaged places found: {}", "{}；发现的损坏位置数：{}"),
    ("{} cannot be read at offset {}", "{} 在偏移 {} 处无法读取"),
    ("the storage engine cannot read or write its file", "存储引擎无法读写其文件"),
    ("the flusher ended", "写盘线程已终止"),
    ("the totals per zone cannot be read or written", "无法读写按区服的汇总"),
    (
        "the totals in views/totals are damaged; the next start counts them again",
        "views/totals 中的汇总已损坏；下次启动时会重新统计",
    ),
    ("the audit panicked", "核对意外终止"),
    (
        "the tables have schema version {}, which this program does not support",
        "数据表的版本为 {}，此程序不支持",
    ),
    (
        "the database has the encoding {}, and a bank needs UTF8; create another database: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0",
        "数据库的编码为 {}，而服务需要 UTF8；请另建数据库：CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0",
    ),
    (
        "the database allows {} connections, and a node needs {}; raise max_connections, or the limit of the user or database",
        "数据库允许 {} 个连接，而一个节点需要 {} 个；请提高 max_connections，或用户、数据库的上限",
    ),
    (
        "a pooler in transaction mode is in front of the database: prepared statements and settings of a session are lost; connect directly, or set the pooler's pool_mode to session",
        "数据库前有事务模式的连接池，会丢失预备语句和会话设置；请直接连接，或将连接池的 pool_mode 设为 session",
    ),
    (
        "the database, or a pooler in front of it, serves one connection at a time; a node needs several: raise the pool's size",
        "数据库或其前面的连接池一次只服务一个连接，而节点需要多个；请增大连接池",
    ),
    ("a trial order failed", "试写订单失败"),
    ("the URL names no host for TLS", "URL 没有指定 TLS 所需的主机名"),
    ("{} cannot be read: {}", "无法读取 {}：{}"),
    (
        "{} holds no certificate; it must be a PEM file with BEGIN CERTIFICATE",
        "{} 不含证书；应为含有 BEGIN CERTIFICATE 的 PEM 文件",
    ),
    (
        "{} holds no private key without a passphrase; it must be a PEM file",
        "{} 不含无口令的私钥；应为 PEM 文件",
    ),
    (
        "the system has no bundle of root certificates; name a file with sslrootcert, or set SSL_CERT_FILE",
        "系统没有根证书；请用 sslrootcert 指定文件，或设置 SSL_CERT_FILE",
    ),
    ("TLS cannot be set up: {}", "无法建立 TLS：{}"),
];
