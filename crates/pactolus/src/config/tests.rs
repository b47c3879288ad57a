//! Tests of [`Config::read`]: accepted settings, and the exact text of every problem.

use std::ffi::OsString;
use std::fs;

use super::*;

mod limits;

/// The smallest valid file.
const MINIMAL: &str = r#"[operator]
token = "operator-token"

[[apps]]
appid = "wx1234567"
app_secret = "app-secret"
offer_id = "12345678"
midas_key = "live-key"
sandbox_midas_key = "sandbox-key"
"#;

/// A folder with a `pactolus.toml`, and an environment.
struct ConfigFixture {
    folder: tempfile::TempDir,
    variables: Vec<(OsString, OsString)>,
}

impl ConfigFixture {
    fn new(text: &str) -> Self {
        let case = Self { folder: tempfile::tempdir().unwrap(), variables: Vec::new() };
        case.file("pactolus.toml", text)
    }

    fn file(self, name: &str, text: &str) -> Self {
        fs::write(self.folder.path().join(name), text).unwrap();
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    fn read(&self) -> Result<Config, String> {
        let variables = self.variables.iter().cloned().collect();
        Config::read(&self.folder.path().join("pactolus.toml"), &variables).map_err(|problems| {
            problems.to_string().replace(&format!("{}/", self.folder.path().display()), "")
        })
    }

    #[track_caller]
    fn config(&self) -> Config {
        self.read().unwrap_or_else(|problems| panic!("refused: {problems}"))
    }

    #[track_caller]
    fn assert_refused(&self, problems: &[&str]) {
        let error = self.read().expect_err("it has to be refused");
        assert_eq!(error.lines().collect::<Vec<_>>(), problems);
    }
}

/// [`MINIMAL`] with one line replaced by another; lines keep their numbers.
fn minimal_with(line: &str, other: &str) -> String {
    assert!(MINIMAL.contains(line), "{line}");
    MINIMAL.replace(line, other)
}

/// [`MINIMAL`] with settings of the app added: the first of them is line 10.
fn minimal_with_app_settings(more: &str) -> String {
    format!("{MINIMAL}{more}\n")
}

#[test]
fn missing_settings_have_defaults() {
    let case = ConfigFixture::new(MINIMAL);
    let config = case.config();
    assert_eq!(config.listen, DEFAULT_LISTEN);
    assert_eq!(config.store, StoreUrl::Embedded(case.folder.path().join("./data")));
    let [app] = &config.server.apps[..] else { panic!("one app, not {}", config.server.apps.len()) };
    assert_eq!(app.appid.as_str(), "wx1234567");
    assert_eq!(app.mp_sig, MpSig::Required);
    assert_eq!(app.dialects, DialectPolicy::Lenient);
    assert_eq!(app.login, LoginMode::Push);
    assert_eq!(app.pf, [android_pf()]);
    assert!(app.static_access_tokens.is_empty());
    assert_eq!(app.cancel_window, AppSettings::CANCEL_WINDOW);
    assert_eq!((app.rate_limit_per_second, app.rate_limit_per_player_per_second), (None, None));
    assert_eq!((app.present_max, app.present_max_per_player_per_day), (None, None));
    assert_eq!(app.time_zone.name(), "UTC");
}

#[test]
fn file_settings_are_read() {
    let text = r#"
listen = "[::]:0"
store = "embedded:/var/lib/pactolus"
operator.token = "operator-token"

[[apps]]
appid = "wx1"
app_secret = "app-secret"
offer_id = "1"
midas_key = "live-key"
sandbox_midas_key = "sandbox-key"
mp_sig = "if-present"
dialects = "strict"
pf = ["android", "web"]
login = "open"
static_access_tokens = ["ONE", { env = "TOKEN_TWO" }]

[[apps]]
appid = "wx2"
app_secret = "app-secret"
offer_id = "1"
midas_key = "live-key"
sandbox_midas_key = "live-key"
wires = ["xpay", "midas"]
present_signature = "off"
mp_sig = "off"
cancel_window_s = 3600
"#;
    let config = ConfigFixture::new(text).variable("TOKEN_TWO", "TWO").config();
    assert_eq!(config.listen.to_string(), "[::]:0");
    assert_eq!(config.store.to_string(), "embedded:/var/lib/pactolus");
    assert!(config.server.operator_token.matches("operator-token"));
    let [one, two] = &config.server.apps[..] else { panic!("two apps, not {}", config.server.apps.len()) };
    assert!(one.app_secret.matches("app-secret"));
    assert!(one.midas_key.matches("live-key"));
    assert!(one.sandbox_midas_key.matches("sandbox-key"));
    assert_eq!(one.offer_id.as_str(), "1");
    assert_eq!((one.mp_sig, two.mp_sig), (MpSig::IfPresent, MpSig::Off));
    assert_eq!(
        (&*one.wires, &*two.wires),
        (&AppSettings::WIRES[..], &[Wire::Raw(RawWire::Xpay), Wire::Midas][..])
    );
    assert_eq!(two.present_signature, PresentSignature::Off);
    assert_eq!((one.login, two.login), (LoginMode::Open, LoginMode::Push));
    assert_eq!((one.dialects, two.dialects), (DialectPolicy::Strict, DialectPolicy::Lenient));
    assert_eq!(one.pf, [android_pf(), Pf::new("web").unwrap()]);
    assert_eq!(two.cancel_window, Duration::from_secs(3600));
    assert!(one.static_access_tokens[0].matches("ONE") && one.static_access_tokens[1].matches("TWO"));
}

#[test]
fn secret_is_read_from_variable_or_file() {
    let in_file = minimal_with("\"live-key\"", "{ file = \"live.key\" }");
    for contents in ["from-file", "from-file\n", "from-file\r\n"] {
        let config = ConfigFixture::new(&in_file).file("live.key", contents).config();
        assert!(config.server.apps[0].midas_key.matches("from-file"));
    }
    let in_variable = minimal_with("\"operator-token\"", "{ env = \"PACTOLUS_MY_TOKEN\" }");
    let config = ConfigFixture::new(&in_variable).variable("PACTOLUS_MY_TOKEN", "from-variable").config();
    assert!(config.server.operator_token.matches("from-variable"));
}

#[test]
fn variable_overrides_the_file() {
    let config = ConfigFixture::new(&minimal_with_app_settings("pf = [\"android\"]"))
        .variable("PACTOLUS_LISTEN", "0.0.0.0:80")
        .variable("PACTOLUS_STORE", "embedded:here")
        .variable("PACTOLUS_OPERATOR_TOKEN", "other-operator-token")
        .variable("PACTOLUS_APPS_0_MIDAS_KEY", "other-key")
        .variable("PACTOLUS_APPS_0_PF", "web, android")
        .variable("PACTOLUS_APPS_0_MP_SIG", "off")
        .variable("PACTOLUS_APPS_0_CANCEL_WINDOW_S", "60")
        .config();
    assert_eq!(config.listen.to_string(), "0.0.0.0:80");
    assert_eq!(config.store.to_string(), "embedded:here");
    assert!(config.server.operator_token.matches("other-operator-token"));
    assert!(config.server.apps[0].midas_key.matches("other-key"));
    assert_eq!(config.server.apps[0].pf, [Pf::new("web").unwrap(), android_pf()]);
    assert_eq!(config.server.apps[0].mp_sig, MpSig::Off);
    assert_eq!(config.server.apps[0].cancel_window, Duration::from_secs(60));
}

#[test]
fn environment_alone_is_enough() {
    let config = ConfigFixture::new("")
        .variable("PACTOLUS_OPERATOR_TOKEN", "operator-token")
        .variable("PACTOLUS_APPS_0_APPID", "wx1")
        .variable("PACTOLUS_APPS_0_APP_SECRET", "app-secret")
        .variable("PACTOLUS_APPS_0_OFFER_ID", "1")
        .variable("PACTOLUS_APPS_0_MIDAS_KEY", "live-key")
        .variable("PACTOLUS_APPS_0_SANDBOX_MIDAS_KEY", "sandbox-key")
        .variable("PACTOLUS_APPS_0_STATIC_ACCESS_TOKENS", "")
        .config();
    assert_eq!(config.server.apps[0].appid.as_str(), "wx1");
}

#[test]
fn foreign_variables_are_ignored() {
    ConfigFixture::new(MINIMAL)
        .variable("PACTOLUS_CONFIG", "pactolus.toml")
        .variable("PACTOLUS_LOG", "info")
        .variable("PACTOLUS_LOG_FORMAT", "json")
        .variable("PACTOLUS_TEST_SEED", "7")
        .variable("PACTOLUS_SERVICE_HOST", "10.0.0.1")
        .variable("PACTOLUS_SERVICE_PORT_HTTP", "8790")
        .variable("PACTOLUS_PORT", "tcp://10.0.0.1:8790")
        .variable("PACTOLUS_PORT_8790_TCP_ADDR", "10.0.0.1")
        .variable("LISTEN", "nowhere")
        .config();
}

#[cfg(unix)]
#[test]
fn non_utf8_variable_is_refused() {
    use std::os::unix::ffi::OsStringExt;
    let mut case = ConfigFixture::new(MINIMAL);
    case.variables.push(("PACTOLUS_STORE".into(), OsString::from_vec(vec![0xff])));
    case.assert_refused(&["environment variable PACTOLUS_STORE: `store` is not UTF-8 text"]);
}

#[test]
fn empty_file_reports_required_settings() {
    ConfigFixture::new("").assert_refused(&[
        "pactolus.toml: [operator] lacks `token`; set it there or in PACTOLUS_OPERATOR_TOKEN",
        "pactolus.toml: `apps` is empty; add at least one [[apps]]",
    ]);
}

#[test]
fn all_errors_are_reported_in_line_order() {
    let text = r#"
listen = "localhost"
stores = "embedded:./data"

[operator]
token = 5

[[apps]]
appid = "wx 1"
midas_kay = "live-key"
mp_sig = "sometimes"

[[apps]]
appid = "wx2"
app_secret = "app-secret"
offer_id = ""
midas_key = "…"
sandbox_midas_key = "sandbox-key"
pf = "android"
"#;
    ConfigFixture::new(text).variable("PACTOLUS_STORE", "sqlite:bank.db").variable("PACTOLUS_LISTN", "x").assert_refused(&[
        "pactolus.toml:2: `listen` is not an address with a port; it must be like 127.0.0.1:8790 or [::]:8790",
        "pactolus.toml:3: unknown key `stores`; did you mean `store`?",
        "pactolus.toml:6: `token` is an integer; it must be the secret in quotes, { env = \"NAME\" } or { file = \"PATH\" }",
        "pactolus.toml:8: [[apps]] lacks `app_secret`; set it there or in PACTOLUS_APPS_0_APP_SECRET",
        "pactolus.toml:8: [[apps]] lacks `midas_key`; set it there or in PACTOLUS_APPS_0_MIDAS_KEY",
        "pactolus.toml:8: [[apps]] lacks `offer_id`; set it there or in PACTOLUS_APPS_0_OFFER_ID",
        "pactolus.toml:8: [[apps]] lacks `sandbox_midas_key`; set it there or in PACTOLUS_APPS_0_SANDBOX_MIDAS_KEY",
        "pactolus.toml:9: `appid` holds ' '; 1 to 64 digits, letters or any of _- are allowed",
        "pactolus.toml:10: unknown key `midas_kay`; did you mean `midas_key`?",
        "pactolus.toml:11: `mp_sig` is \"sometimes\"; it must be \"required\", \"if-present\" or \"off\"",
        "pactolus.toml:16: `offer_id` is empty; 1 to 64 digits, letters or any of _- are allowed",
        "pactolus.toml:17: `midas_key` is still a placeholder; it must be the secret in quotes, { env = \"NAME\" } or { file = \"PATH\" }",
        "pactolus.toml:19: `pf` is text; it must be a list in brackets",
        "environment variable PACTOLUS_LISTN: is unknown; did you mean PACTOLUS_LISTEN?",
        "environment variable PACTOLUS_STORE: `store` has an unknown scheme; it must be like embedded:./data",
    ]);
}

#[test]
fn duplicate_apps_and_tokens_are_refused() {
    let app = MINIMAL.split_once("\n\n").unwrap().1;
    ConfigFixture::new(&format!("{MINIMAL}\n{app}")).assert_refused(&[
        "pactolus.toml:12: `appid` is wx1234567, as in an app above; configure each app once",
    ]);
    let other = app.replace("wx1234567", "wx2");
    let tokens = "static_access_tokens = [\"TOKEN\"]";
    ConfigFixture::new(&format!("{MINIMAL}{tokens}\n\n{other}{tokens}")).assert_refused(&[
        "pactolus.toml:18: `static_access_tokens` holds a token that is used twice; each must identify one app",
    ]);
}

#[test]
fn wrong_shapes_are_refused() {
    let operator = "operator = \"token\"\n";
    let apps = MINIMAL.split_once("\n\n").unwrap().1;
    ConfigFixture::new(&format!("{operator}{apps}"))
        .assert_refused(&["pactolus.toml:1: `operator` is text; it must be a table, [operator]"]);
    ConfigFixture::new("apps = {}\noperator.token = \"operator-token\"")
        .assert_refused(&["pactolus.toml:1: `apps` is not a list of tables; write each as [[apps]]"]);
    ConfigFixture::new("apps = []\noperator.token = \"operator-token\"")
        .assert_refused(&["pactolus.toml:1: `apps` is empty; add at least one [[apps]]"]);
    ConfigFixture::new(&minimal_with_app_settings("pf = []")).assert_refused(&[
        "pactolus.toml:10: `pf` is empty; it must hold at least one platform, such as \"android\"",
    ]);
    ConfigFixture::new(&minimal_with_app_settings("pf = [\"android\", 1]"))
        .assert_refused(&["pactolus.toml:10: `pf` item 2 is an integer; it must be text in quotes"]);
    ConfigFixture::new(&minimal_with_app_settings("login = \"closed\"")).assert_refused(&[
        "pactolus.toml:10: `login` is \"closed\"; it must be \"push\", \"open\" or \"open-sandbox\"",
    ]);
    ConfigFixture::new(&minimal_with_app_settings("colour = \"gold\"")).assert_refused(&[
        "pactolus.toml:10: unknown key `colour`; known keys are appid, app_secret, offer_id, midas_key, sandbox_midas_key, midas_key_previous, sandbox_midas_key_previous, wires, mp_sig, present_signature, dialects, pf, zones, ts_window_s, login, static_access_tokens, cancel_window_s, rate_limit_per_second, rate_limit_per_player_per_second, present_max, present_max_per_player_per_day, time_zone",
    ]);
}

#[test]
fn cancel_window_is_seconds_up_to_a_year() {
    let cases = [
        ("0", "is \"0\"; it must be 1 to 31622400 seconds"),
        ("-1", "is \"-1\"; it must be 1 to 31622400 seconds"),
        ("31622401", "is \"31622401\"; it must be 1 to 31622400 seconds"),
        ("99999999999999999999", "is \"99999999999999999999\"; it must be 1 to 31622400 seconds"),
        ("0x10", "is an integer; it must be a plain number of seconds"),
        ("1.5", "is a float; it must be a plain number of seconds"),
        ("\"48h\"", "is text; it must be a plain number of seconds"),
    ];
    for (value, wrong) in cases {
        ConfigFixture::new(&minimal_with_app_settings(&format!("cancel_window_s = {value}")))
            .assert_refused(&[&format!("pactolus.toml:10: `cancel_window_s` {wrong}")]);
    }
    ConfigFixture::new(MINIMAL).variable("PACTOLUS_APPS_0_CANCEL_WINDOW_S", "48h").assert_refused(&[
        "environment variable PACTOLUS_APPS_0_CANCEL_WINDOW_S: `cancel_window_s` is \"48h\"; it must be 1 to 31622400 seconds",
    ]);
}

#[test]
fn limit_is_a_number_or_off() {
    let limits = "rate_limit_per_second = 10\nrate_limit_per_player_per_second = 4294967295\npresent_max = 1\npresent_max_per_player_per_day = \"off\"";
    let config = ConfigFixture::new(&minimal_with_app_settings(limits))
        .variable("PACTOLUS_APPS_0_PRESENT_MAX", "off")
        .config();
    let app = &config.server.apps[0];
    assert_eq!(app.rate_limit_per_second, NonZeroU32::new(10));
    assert_eq!(app.rate_limit_per_player_per_second, Some(NonZeroU32::MAX));
    assert_eq!((app.present_max, app.present_max_per_player_per_day), (None, None));
    assert!(app.zones.is_empty() && app.ts_window.is_none());
    let config =
        ConfigFixture::new(&minimal_with_app_settings("zones = [\"1\", \"S2_a\"]\nts_window_s = 300"))
            .config();
    let app = &config.server.apps[0];
    assert_eq!(app.zones, ["1", "S2_a"].map(|zone| zone.parse().unwrap()));
    assert_eq!(app.ts_window, Some(Duration::from_secs(300)));
    let config = ConfigFixture::new(MINIMAL).variable("PACTOLUS_APPS_0_PRESENT_MAX", "233").config();
    assert_eq!(config.server.apps[0].present_max, Amount::new(233).ok());

    let rate = "must be 1 to 4294967295 calls a second, or \"off\"";
    let number = "it must be a plain number or \"off\"";
    let zone = "is no time zone of the IANA database, such as \"Asia/Shanghai\" or \"UTC\"";
    let cases = [
        ("rate_limit_per_second", "0", rate),
        ("rate_limit_per_player_per_second", "4294967296", rate),
        ("rate_limit_per_second", "-1", &format!("is \"-1\"; {number}")),
        ("rate_limit_per_second", "\"10/s\"", &format!("is text; {number}")),
        ("wires", "[\"xpai\"]", "item 1 is \"xpai\"; it must be \"midas\", \"game\" or \"xpay\""),
        ("wires", "[]", "is empty; it must hold at least one of \"midas\", \"game\" and \"xpay\""),
        ("ts_window_s", "0", "must be 1 to 86400 seconds, or \"off\""),
        ("ts_window_s", "300000", "must be 1 to 86400 seconds, or \"off\""),
        ("zones", "\"1\"", "is text; it must be a list in brackets"),
        (
            "zones",
            "[\"1\", \"a b\"]",
            "item 2 holds ' '; 1 to 64 digits, letters or any of _-.:|*@ are allowed",
        ),
        ("present_max", "0", "is 0; it must be at least 1"),
        ("present_max", "false", &format!("is a boolean; {number}")),
        ("present_max_per_player_per_day", "9007199254740992", "is too large; the most is 9007199254740991"),
        ("time_zone", "\"+08:00\"", &format!("is \"+08:00\", which {zone}")),
        (
            "time_zone",
            "\"Asia/Shangai\"",
            &format!("is \"Asia/Shangai\", which {zone}; did you mean \"Asia/Shanghai\"?"),
        ),
        ("time_zone", "8", "is an integer; it must be text in quotes"),
    ];
    for (key, value, wrong) in cases {
        ConfigFixture::new(&minimal_with_app_settings(&format!("{key} = {value}")))
            .assert_refused(&[&format!("pactolus.toml:10: `{key}` {wrong}")]);
    }
}

#[test]
fn empty_secret_is_reported_as_empty() {
    ConfigFixture::new(MINIMAL)
        .variable("PACTOLUS_OPERATOR_TOKEN", "")
        .assert_refused(&["environment variable PACTOLUS_OPERATOR_TOKEN: `token` is empty"]);
}

#[test]
fn missing_secret_names_its_source() {
    ConfigFixture::new(&minimal_with("\"live-key\"", "{ env = \"NOT_SET\" }")).assert_refused(&[
        "pactolus.toml:8: `midas_key` is in the environment variable NOT_SET, which is not set",
    ]);
    ConfigFixture::new(&minimal_with("\"live-key\"", "{ file = \"absent.key\" }")).assert_refused(&[
        "pactolus.toml:8: `midas_key` is in the file absent.key, which cannot be read: No such file or directory (os error 2)",
    ]);
    for table in ["{ enw = \"NAME\" }", "{ env = 1 }", "{}", "{ env = \"A\", file = \"B\" }"] {
        ConfigFixture::new(&minimal_with("\"live-key\"", table)).assert_refused(&[
            "pactolus.toml:8: `midas_key` is a table of another form; it must be the secret in quotes, { env = \"NAME\" } or { file = \"PATH\" }",
        ]);
    }
}

#[test]
fn missing_or_invalid_file_is_reported() {
    let case = ConfigFixture::new("");
    fs::remove_file(case.folder.path().join("pactolus.toml")).unwrap();
    case.assert_refused(&[
        "pactolus.toml: cannot be read: No such file or directory (os error 2); name another with --config, or write one with `pactolus init`",
    ]);
    let error = ConfigFixture::new("listen = \"127.0.0.1:1\"\nlisten = 5\n[operator\n").read().unwrap_err();
    let places: Vec<_> =
        error.lines().map(|line| line.split(" is not TOML").next().unwrap_or(line)).collect();
    assert_eq!(places, ["pactolus.toml:2:", "pactolus.toml:3:"], "{error}");
}

#[test]
fn no_error_shows_a_secret() {
    const SECRET: &str = "hunter2";
    // A stray quote, a control character, a wrong table: the message must not show the value.
    for value in
        ["\"hunter2", "\"hunter2\\u0007\"", "{ hunter2 = \"hunter2\" }", "[\"hunter2\"]", "\"hunter2 \""]
    {
        let error = ConfigFixture::new(&minimal_with("\"live-key\"", value)).read().expect_err(value);
        assert!(error.starts_with("pactolus.toml:8: "), "{error}");
        assert!(!error.contains(SECRET), "{error}");
    }
    let debug = format!("{:?}", ConfigFixture::new(&minimal_with("\"live-key\"", "\"hunter2\"")).config());
    assert!(!debug.contains(SECRET), "{debug}");
}
