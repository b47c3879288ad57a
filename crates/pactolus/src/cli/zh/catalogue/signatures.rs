//! Findings of a diagnosis: mistakes in signatures, tokens, sessions and times, and their fixes.

use super::Message;

pub(super) const MESSAGES: &[Message] = &[
    ("it verifies in the dialect {}", "签名正确，方言为 {}"),
    ("no known mistake makes this signature", "没有已知的错误会得到这个签名"),
    ("the body is too large to try every known mistake", "请求体过大，无法逐一尝试已知的错误"),
    ("nothing to fix", "无须处理"),
    (
        "compare the text that you sign with the text that the bank signed, and check that the key is this app's, complete, and without a space or a line end",
        "请将您的签名文本与服务端的签名文本逐字比较，并确认密钥属于这个应用、完整，且不含空格或换行",
    ),
    ("send a smaller body, without undocumented fields", "请缩小请求体，去掉文档之外的字段"),
    // Keys.
    ("signed with the {} environment's key", "用 {} 环境的密钥签名"),
    ("sign sandbox calls with the sandbox's Midas key", "沙箱的调用请用沙箱的 Midas 密钥签名"),
    ("sign live calls with the live Midas key", "正式环境的调用请用正式的 Midas 密钥签名"),
    ("signed for the {} environment, with its key and its path", "为 {} 环境签名，用的是该环境的密钥和路径"),
    (
        "call the path of the {} environment, or sign for the one you call",
        "请调用 {} 环境的路径，或为所调用的环境签名",
    ),
    ("signed with the app's secret in place of the Midas key", "用应用的 secret 代替 Midas 密钥签名"),
    (
        "sign with the Midas key; the app's secret only asks for access tokens",
        "请用 Midas 密钥签名；应用的 secret 只用来获取 access_token",
    ),
    (
        "signed with the player's session key in place of the Midas key",
        "用玩家的 session_key 代替 Midas 密钥签名",
    ),
    (
        "sign `sig` with the Midas key; the session key signs `mp_sig`",
        "`sig` 请用 Midas 密钥签名；session_key 用于 `mp_sig`",
    ),
    (
        "signed with the Midas key in place of the player's session key",
        "用 Midas 密钥代替玩家的 session_key 签名",
    ),
    (
        "sign `mp_sig` with the player's session key; the Midas key signs `sig`",
        "`mp_sig` 请用玩家的 session_key 签名；Midas 密钥用于 `sig`",
    ),
    ("sig and mp_sig stand in each other's place", "sig 与 mp_sig 的位置互换了"),
    ("send each signature under its own name", "请将两个签名各自放在对应的参数中"),
    ("signed with the session key of an earlier login", "用较早一次登录的 session_key 签名"),
    (
        "use the session key of the player's latest login; a new login ends the previous session",
        "请使用玩家最近一次登录的 session_key；新的登录会使之前的会话失效",
    ),
    ("signed with the session key decoded from base64", "用 base64 解码后的 session_key 签名"),
    (
        "use the session key as the text it is, 24 characters, without decoding it",
        "请直接使用 session_key 的 24 个字符，不要解码",
    ),
    ("signed with {} while the text ends with {}", "HMAC 用的是{}，而签名文本末尾是{}"),
    (
        "use one key for both: the environment's Midas key for `sig`, the session key for `mp_sig`",
        "两处须用同一个密钥：`sig` 用该环境的 Midas 密钥，`mp_sig` 用 session_key",
    ),
    ("the {} Midas key", "{} 环境的 Midas 密钥"),
    ("the app's secret", "应用的 secret"),
    ("the session key", "session_key"),
    ("the session key of an earlier login", "较早一次登录的 session_key"),
    ("signed with a line end or a space after the key", "签名时密钥后带有换行或空格"),
    ("strip the line end and spaces from the key after it is read", "读取密钥后请去掉换行和空格"),
    ("signed without the key at the end of the text", "签名文本末尾没有密钥"),
    (
        "end the text with the key, besides keying the HMAC with it",
        "密钥除用作 HMAC 的密钥外，还须放在文本末尾",
    ),
    ("signed with the key at the end of the text under another name", "签名文本末尾的密钥使用了其他名称"),
    (
        "end the text of `sig` with `&secret=` and the key, that of `mp_sig` with `&session_key=`",
        "`sig` 的文本以 `&secret=` 和密钥结尾，`mp_sig` 的文本以 `&session_key=` 结尾",
    ),
    // Paths.
    ("signed for another path, {}", "签名的是另一个路径 {}"),
    (
        "sign the very path that you call, `/sandbox` included where it has one",
        "请对实际调用的路径签名，含 `/sandbox` 的也要包含",
    ),
    ("signed without the path", "签名文本中没有路径"),
    ("signed with the host before the path", "签名文本中路径前带有主机名"),
    ("signed with the query after the path", "签名文本中路径后带有查询串"),
    ("signed with the whole URL in place of the path", "签名文本中用整个 URL 代替了路径"),
    ("signed with a slash too few or too many in the path", "签名文本的路径中斜杠多了或少了"),
    ("signed with the path percent-encoded", "签名文本中的路径经过了 URL 编码"),
    ("sign the path alone: from its first slash to before the `?`", "只对路径签名：从第一个斜杠到 `?` 之前"),
    ("signed with another method than POST", "签名文本中的方法不是 POST"),
    ("sign `&method=POST`, as you call", "请与实际调用一致，对 `&method=POST` 签名"),
    // Parameters.
    ("signed with {} among the parameters", "签名的参数中含有 {}"),
    (
        "leave access_token out of `sig`; only `mp_sig` covers it",
        "`sig` 不包含 access_token；只有 `mp_sig` 包含",
    ),
    (
        "sign the parameters alone, before any signature is among them",
        "请只对参数签名，此时其中不应有任何签名",
    ),
    ("signed with an earlier {} still among the parameters", "签名的参数中残留着之前的 {}"),
    (
        "build new parameters for each request, or remove both signatures first",
        "每次请求请重新构造参数，或先去掉两个签名",
    ),
    (
        "signed with the access_token of the body, not the query's",
        "签名用的是请求体中的 access_token，而不是查询串中的",
    ),
    (
        "sign the access_token of the query; one in the body is ignored",
        "请对查询串中的 access_token 签名；请求体中的不起作用",
    ),
    ("signed with sig in the other case than it is sent in", "签名时 sig 的大小写与发送的不同"),
    ("sign `sig` in the very digits that you send", "请对实际发送的 `sig` 原样签名"),
    ("{} sent but not signed", "发送了 {}，但没有签名"),
    ("sign every documented parameter that you send", "请对发送的每个文档参数签名"),
    ("{} signed as empty but not sent", "{} 以空值签名，但没有发送"),
    ("send what you sign, or leave it out of both", "签名的参数须发送，否则两处都不要"),
    ("{} signed {}", "{} 签名时{}"),
    ("with a fraction, as {}", "带有小数，如 {}"),
    ("with an exponent, as {}", "用了指数形式，如 {}"),
    ("as floating point, as {}", "用了浮点数形式，如 {}"),
    ("in quotes", "带有引号"),
    (
        "sign the digits as you send them; keep integers out of floating point",
        "请对实际发送的数字签名；整数不要转成浮点数",
    ),
    ("ts signed with another value than sent", "签名用的 ts 与发送的不同"),
    (
        "read the clock once for each request, and sign the very ts that you send",
        "每次请求只取一次时间，并对实际发送的 ts 签名",
    ),
    ("{} signed under a name in other letter case", "{} 签名时名称的大小写不同"),
    ("sign the names as you send them, in lower case with `_`", "名称请与发送的一致：小写，以 `_` 连接"),
    ("texts signed with quotes around them", "签名的文本带有引号"),
    ("sign the text without the quotes", "签名文本不应带引号"),
    ("texts signed with JSON's escapes in them", "签名的文本带有 JSON 转义"),
    ("sign the text itself, not how JSON escapes it", "请对文本本身签名，而不是 JSON 转义后的形式"),
    ("values signed percent-encoded", "签名的值经过了 URL 编码"),
    ("sign values as they are, without encoding them", "请对值原样签名，不要编码"),
    (
        "signed with an undocumented field whose `&` and `=` could stand for another parameter",
        "签名包含了文档之外的字段，其中的 `&` 和 `=` 可能被当作其他参数",
    ),
    (
        "sign the documented parameters alone, without undocumented fields",
        "请只对文档参数签名，不包含其他字段",
    ),
    (
        "signed in the dialect {}, but this app accepts only the documented one",
        "签名方言为 {}，但这个应用只接受文档规定的方式",
    ),
    (
        "sign as documented, or set dialects = \"lenient\" for the app",
        "请按文档签名，或为应用设置 dialects = \"lenient\"",
    ),
    // Order.
    ("parameters signed in the order in which they were sent", "参数按发送的顺序签名"),
    ("parameters signed in the order of the documents", "参数按文档中的顺序签名"),
    ("parameters signed in descending order", "参数按降序签名"),
    ("sort the parameters by name, in byte order", "参数须按名称的字节顺序升序排列"),
    ("parameters sorted with `_` after the letters", "参数排序时 `_` 排在了字母之后"),
    (
        "sort by bytes: `_` comes before the letters, so app_remark before appid",
        "请按字节排序：`_` 排在字母之前，因此 app_remark 在 appid 之前",
    ),
    (
        "sig and access_token signed apart from the sorted parameters",
        "sig 和 access_token 没有与其他参数一起排序",
    ),
    ("sort access_token and sig in with the other parameters", "access_token 和 sig 须与其他参数一起排序"),
    ("path and method sorted in with the parameters", "路径和方法与参数一起排了序"),
    ("path, method and key sorted in with the parameters", "路径、方法和密钥与参数一起排了序"),
    (
        "sort the parameters alone; path, method and key always follow them, in this order",
        "只对参数排序；路径、方法和密钥始终依次接在其后",
    ),
    // Hashes.
    ("signed with {}", "签名使用了 {}"),
    ("{} in place of HMAC-SHA256", "{}，而应为 HMAC-SHA256"),
    ("plain SHA-256", "不带密钥的 SHA-256"),
    ("plain SHA-1", "不带密钥的 SHA-1"),
    ("plain MD5", "不带密钥的 MD5"),
    ("key and text in each other's place in the HMAC", "密钥与文本互换的 HMAC"),
    ("swap them: HMAC-SHA256(key, text)", "请调换两者：HMAC-SHA256(密钥, 文本)"),
    ("use HMAC-SHA256, keyed with the key", "请使用 HMAC-SHA256，以密钥为键"),
    ("signed with a line end after the key", "签名文本的密钥后带有换行"),
    ("sign the text without a line end", "签名文本不应带换行"),
    ("written in base64", "签名写成了 base64"),
    ("write the signature as 64 hex digits", "签名请写成 64 位十六进制数"),
    // Times, sessions and tokens.
    ("ts is in milliseconds, a thousand times too large", "ts 的单位是毫秒，大了一千倍"),
    ("send and sign whole seconds since 1970", "请发送 1970 年以来的整数秒，并对其签名"),
    (
        "ts is {}, and {} is {}; this app takes a difference of {} s",
        "ts 为 {}，而{}为 {}；此应用最多允许相差 {} 秒",
    ),
    ("the bank's clock", "服务端的时钟"),
    ("this machine's clock", "本机的时钟"),
    // Settings of the app.
    ("pf is {}, which is not a platform of this app", "pf 为 {}，不是此应用的平台"),
    ("send {}, or add the platform to `pf` of the app", "请发送{}，或将该平台加入应用的 `pf`"),
    ("zone_id is {}, which is not a zone of this app", "zone_id 为 {}，不是此应用的区服"),
    ("send {}, or add the zone to `zones` of the app", "请发送{}，或将该区服加入应用的 `zones`"),
    ("offer_id is {}, which is not the offer of this app", "offer_id 为 {}，与此应用的不符"),
    ("send the offer_id {}", "请发送 offer_id {}"),
    ("one of {}", "以下之一：{}"),
    (
        "sign each request when it is sent, and keep the clocks in step (NTP)",
        "请在发送时签名，并用 NTP 保持时钟同步",
    ),
    (
        "more signatures failed in this second than are searched for a mistake",
        "这一秒内失败的签名过多，没有查找错误",
    ),
    (
        "send the request again a second later, or in the sandbox, where each is searched",
        "请过一秒再发送，或在沙箱中发送，那里每次都会查找",
    ),
    ("a newer login replaced this session at {}", "新的登录已于 {} 取代这个会话"),
    ("use the session key of the newest login", "请使用最近一次登录的 session_key"),
    (
        "the player never logged in here, or the bank no longer remembers it",
        "玩家从未在此登录，或记录已被清除",
    ),
    ("the session expired at {}", "会话已于 {} 过期"),
    ("it replaced an earlier session at {}", "它已于 {} 取代较早的会话"),
    (
        "log the player in again, and push the session to the bank before the call",
        "请让玩家重新登录，并在调用之前将会话推送到服务端",
    ),
    (
        "this bank never issued the token, or no longer remembers it",
        "服务端没有签发过这个 access_token，或记录已被清除",
    ),
    (
        "request a token from /cgi-bin/token, and share it among all callers",
        "请从 /cgi-bin/token 获取 access_token，并由所有调用方共用",
    ),
    (
        "the token was issued for another secret of the app",
        "这个 access_token 是用应用的另一个 secret 获取的",
    ),
    ("request a token with the app's current secret", "请用应用当前的 secret 获取 access_token"),
    ("a newer token replaced it; it was valid until {}", "新的 access_token 已将其取代；它的有效期至 {}"),
    (
        "share one token among all callers: each new one ends the one before",
        "所有调用方请共用一个 access_token：获取新的会使旧的失效",
    ),
    ("the token expired at {}", "access_token 已于 {} 过期"),
    ("{} ms after 1970", "1970 年之后 {} 毫秒"),
    // Parameters that a rejection shows.
    ("a string", "字符串"),
    ("a number", "数字"),
    ("an object or an array", "对象或数组"),
    // Placeholders in the place of a token.
    (
        "it is a placeholder or an unset variable, not a token; request one from {}",
        "它是占位文本或未设置的变量，不是 access_token；请从 {} 获取",
    ),
];
