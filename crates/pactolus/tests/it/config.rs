//! Configuration and command-line errors: their messages and exit codes. Nothing starts.

use crate::process::{Folder, Process, ProcessOutput, ServerProcess};

#[track_caller]
fn assert_refused(ended: &ProcessOutput, lines: &[&str]) {
    assert_eq!(ended.stderr.lines().collect::<Vec<_>>(), lines);
    assert_eq!((ended.code, &*ended.stdout), (Some(3), ""));
}

#[test]
fn missing_config_suggests_init() {
    let missing = "pactolus.toml: cannot be read: No such file or directory (os error 2); name another with \
                   --config, or write one with `pactolus init`";
    let folder = Folder::empty();
    for command in ["serve", "audit"] {
        assert_refused(&folder.run(&[command]), &["error: the configuration is invalid", missing]);
    }
    assert_refused(
        &folder.run(&["serve", "--config", "other.toml"]),
        &["error: the configuration is invalid", &missing.replace("pactolus.toml", "other.toml")],
    );
}

#[test]
fn all_config_problems_are_listed() {
    let folder = Folder::empty();
    folder.write(
        "pactolus.toml",
        r#"
listen = "localhost"
store = "sqlite:bank.db"
[operator]
token = "…"
[[apps]]
appid = "wx1234567"
app_secret = "APPSECRET"
offer_id = "12345678"
midas_kay = "a-key-that-stays-secret"
sandbox_midas_key = { env = "NOT_SET" }
cancel_window_s = 0
"#,
    );
    let mut serve = folder.command(&["serve"]);
    serve.env("PACTOLUS_LISTN", "127.0.0.1:0");
    assert_refused(
        &Process::start(serve).wait(),
        &[
            "error: the configuration is invalid",
            "pactolus.toml:2: `listen` is not an address with a port; it must be like 127.0.0.1:8790 or [::]:8790",
            "pactolus.toml:3: `store` has an unknown scheme; it must be like embedded:./data",
            "pactolus.toml:5: `token` is still a placeholder; it must be the secret in quotes, { env = \"NAME\" } or { file = \"PATH\" }",
            "pactolus.toml:6: [[apps]] lacks `midas_key`; set it there or in PACTOLUS_APPS_0_MIDAS_KEY",
            "pactolus.toml:10: unknown key `midas_kay`; did you mean `midas_key`?",
            "pactolus.toml:11: `sandbox_midas_key` is in the environment variable NOT_SET, which is not set",
            "pactolus.toml:12: `cancel_window_s` is \"0\"; it must be 1 to 31622400 seconds",
            "environment variable PACTOLUS_LISTN: is unknown; did you mean PACTOLUS_LISTEN?",
        ],
    );
}

#[test]
fn config_path_comes_from_the_environment() {
    let folder = Folder::with_config();
    let elsewhere = Folder::empty();
    let mut serve = elsewhere.command(&["serve"]);
    serve.env("PACTOLUS_CONFIG", folder.path().join("pactolus.toml")).env("PACTOLUS_LOG", "off");
    let ended = ServerProcess::start(serve).stop();
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    // The store's path is relative to the file.
    assert!(folder.path().join("data").is_dir());
    folder.audit(0);
}

#[test]
fn invalid_command_line_exits_2() {
    let folder = Folder::with_config();
    let cases: [(&[&str], &str); 5] = [
        (&[], "Usage: pactolus"),
        (&["sevre"], "'serve'"),
        (&["serve", "--listen", "localhost"], "--listen <ADDRESS:PORT>"),
        (&["serve", "--store", "sqlite:bank.db"], "has an unknown scheme; it must be like embedded:./data"),
        (&["serve", "--log", "pactolus=loud"], "--log <FILTER>"),
    ];
    for (arguments, words) in cases {
        let ended = folder.run(arguments);
        assert_eq!(ended.code, Some(2), "{arguments:?}");
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
}

#[test]
fn help_lists_commands_and_exit_codes_in_80_columns() {
    let folder = Folder::empty();
    let help = folder.run(&["--help"]).stdout;
    for words in [
        "\n  demo ",
        "\n  init ",
        "\n  serve ",
        "\n  audit ",
        "\n  migrate ",
        "\n  copy ",
        "\n  0   done",
        "\n  6   ",
        "\n  12  ",
    ] {
        assert!(help.contains(words), "{words:?}: {help}");
    }
    for command in ["demo", "init", "serve", "audit", "migrate", "copy"] {
        let help = help.clone() + &folder.run(&[command, "--help"]).stdout;
        let longest = help.lines().max_by_key(|line| line.chars().count()).unwrap();
        assert!(longest.chars().count() <= 80, "{longest}");
    }
}
