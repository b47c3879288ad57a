//! Fuzz targets of configurations and store URLs.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use pactolus_fuzz_support::Choices;

use super::profile::profile;
use super::{CANCEL_WINDOW_MAX, Config, ConfigError, EnvSnapshot, StoreUrl, config as whole, load, reader};

/// Stands for a secret, and must not appear in any message.
const SECRET_MARKER: &str = "s3cretW0rd";

/// Any text, with any variables, is a valid configuration or is refused with messages that hold no secret.
pub fn config(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        check_outcome(read(text, &EnvSnapshot::default()).as_ref());
    }
    let mut choices = Choices::new(bytes);
    let (key, before, after) = (choices.below(SECRETS.len()), choices.text(24), choices.text(24));
    let names =
        ["LISTEN", "STORE", "OPERATOR_TOKEN", "APPS_0_PF", "APPS_0_MIDAS_KEY", "APPS_1_APPID", "LIMITS_X"];
    let (name, value) = (choices.one_of(&names), choices.text(32));
    let rest = String::from_utf8_lossy(choices.rest()).into_owned();
    if [&before, &after, &value, &rest].iter().any(|part| part.contains(SECRET_MARKER))
        || before.contains(['\n', '\r'])
    {
        return;
    }
    // A secret in the file, with any quotes around it.
    let text = with_secret(key, &format!("\"{before}{SECRET_MARKER}{after}\""), &rest);
    check_outcome(read(&text, &EnvSnapshot::default()).as_ref());
    // A secret in a variable, with another variable beside it.
    let secret = SECRETS[key].1.to_owned();
    let variables =
        [(secret, format!("{before}{SECRET_MARKER}{after}")), (format!("PACTOLUS_{name}"), value)];
    let variables = variables.map(|(name, value)| (OsString::from(name), OsString::from(value)));
    check_outcome(read(&with_secret(key, "\"another\"", &rest), &variables.into_iter().collect()).as_ref());
}

/// The secret keys and their variables.
const SECRETS: [(&str, &str); 6] = [
    ("token", "PACTOLUS_OPERATOR_TOKEN"),
    ("app_secret", "PACTOLUS_APPS_0_APP_SECRET"),
    ("midas_key", "PACTOLUS_APPS_0_MIDAS_KEY"),
    ("sandbox_midas_key", "PACTOLUS_APPS_0_SANDBOX_MIDAS_KEY"),
    ("static_access_tokens", "PACTOLUS_APPS_0_STATIC_ACCESS_TOKENS"),
    ("store", "PACTOLUS_STORE"),
];

/// A file in which one secret has this text, and the others another text; `rest` comes first.
fn with_secret(key: usize, secret: &str, rest: &str) -> String {
    let value =
        |name: &str| if SECRETS[key].0 == name { secret.to_owned() } else { "\"right-0\"".to_owned() };
    let store = if SECRETS[key].0 == "store" { format!("store = {secret}\n") } else { String::new() };
    let tokens = if SECRETS[key].0 == "static_access_tokens" {
        format!("static_access_tokens = [\"a-token\", {secret}]\n")
    } else {
        String::new()
    };
    format!(
        "{store}{}[operator]\ntoken = {}\n[[apps]]\nappid = \"wx1\"\napp_secret = {}\noffer_id = \"1\"\n\
         midas_key = {}\nsandbox_midas_key = {}\n{tokens}",
        rest.lines().next().map(|line| format!("{line}\n")).unwrap_or_default(),
        value("token"),
        value("app_secret"),
        value("midas_key"),
        value("sandbox_midas_key"),
    )
}

fn read(text: &str, variables: &EnvSnapshot) -> Option<Result<Config, ConfigError>> {
    // A secret may be in any file, and the fuzzer may name an endless one.
    if text.contains("file") && text.contains(['/', '\\']) {
        return None;
    }
    // An unknown key is shown by its name. A name is not a secret.
    let names_it =
        |line: &str| line.split_once(SECRET_MARKER).is_some_and(|(_, rest)| rest.contains(['=', ']']));
    if text.lines().any(names_it) {
        return None;
    }
    let path = Path::new("pactolus.toml");
    let _ = load::read_text(path, text, variables, reader::PROFILE_PREFIX, profile).map_err(checked_text);
    Some(load::read_text(path, text, variables, reader::PREFIX, whole))
}

#[expect(clippy::needless_pass_by_value, reason = "it ends an error")]
fn checked_text(problems: ConfigError) -> String {
    let shown = format!("{problems} {problems:?}");
    assert!(!shown.contains(SECRET_MARKER), "a secret is shown: {shown}");
    shown
}

fn check_outcome(read: Option<&Result<Config, ConfigError>>) {
    match read {
        None => {}
        Some(Ok(config)) => {
            let apps = &config.server.apps;
            let appids: BTreeSet<_> = apps.iter().map(|app| app.appid).collect();
            assert!(!apps.is_empty() && appids.len() == apps.len(), "each app is there once");
            for app in apps {
                assert!(!app.pf.is_empty() && app.cancel_window <= CANCEL_WINDOW_MAX);
                assert!(!app.midas_key.expose().is_empty());
            }
            let shown = format!("{config:?} {}", config.store);
            assert!(!shown.contains(SECRET_MARKER), "a secret is shown: {shown}");
        }
        Some(Err(problems)) => {
            let shown = format!("{problems} {problems:?}");
            assert!(!shown.contains(SECRET_MARKER), "a secret is shown: {shown}");
            assert!(
                shown.starts_with("pactolus.toml") || shown.starts_with("environment variable"),
                "{shown}"
            );
        }
    }
}

/// Any text is a store URL or is refused. A folder is kept unchanged, and a password is never shown.
pub fn store_url(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        match text.parse::<StoreUrl>() {
            Ok(url @ StoreUrl::Embedded(_)) => {
                assert_eq!(url.to_string(), text);
                assert_eq!(url.clone().relative_to(Path::new("")), url);
            }
            #[cfg(feature = "postgres")]
            Ok(url @ StoreUrl::Postgres(_)) => {
                assert_eq!(url.clone().relative_to(Path::new("elsewhere")), url);
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    let mut choices = Choices::new(bytes);
    let [user, before, after, rest] = [0; 4].map(|_| choices.text(16));
    let marked = [&user, &before, &after, &rest].iter().any(|part| part.contains(SECRET_MARKER));
    if !marked && !user.contains([':', '@', '/']) {
        let url = format!("postgres://{user}:{before}{SECRET_MARKER}{after}@{rest}").parse::<StoreUrl>();
        let shown = match url {
            Ok(url) => format!("{url} {url:?}"),
            Err(error) => format!("{error} {error:?}"),
        };
        assert!(!shown.contains(SECRET_MARKER), "a password is shown: {shown}");
    }
}
