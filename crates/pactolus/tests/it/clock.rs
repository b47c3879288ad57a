//! Manual clock of `pactolus serve`: for development only.

use pactolus_test_support::sample::operator_token;
use serde_json::Value;

use crate::process::{Folder, ServerProcess};

/// A folder whose only app has this login mode.
fn folder_with_login(login: &str) -> Folder {
    let folder = Folder::with_config();
    let config = format!("{}login = \"{login}\"\n", folder.read("pactolus.toml"));
    folder.write("pactolus.toml", &config);
    folder
}

async fn clock(bank: &ServerProcess) -> Value {
    let response = bank.http.get_as_operator("/api/v1/clock", &operator_token()).await.unwrap();
    serde_json::from_str(&response.body).unwrap()
}

#[tokio::test]
async fn clock_flag_starts_a_manual_clock() {
    let folder = folder_with_login("open");
    let bank = ServerProcess::serve(&folder);
    assert_eq!(clock(&bank).await["clock"], "system");
    let ended = bank.stop();
    assert!(ended.stderr.contains("accepts any login code"), "{}", ended.stderr);

    let bank = ServerProcess::start(folder.command(&["serve", "--clock", "manual"]));
    let first = clock(&bank).await;
    assert_eq!(first["clock"], "manual");
    assert_eq!(clock(&bank).await, first);
    let ended = bank.stop();
    assert_eq!(ended.code, Some(0));
    assert!(ended.stderr.contains("the manual clock moves only by POST /api/v1/clock"), "{}", ended.stderr);
}

#[test]
fn manual_clock_requires_open_login() {
    for folder in [folder_with_login("push"), Folder::with_config()] {
        let ended = folder.run(&["serve", "--clock", "manual"]);
        assert_eq!((ended.code, &*ended.stdout), (Some(3), ""));
        assert_eq!(
            ended.stderr,
            "error: --clock manual is for development and needs login = \"open\" for every app; wx1234567 has \
             another login mode\n"
        );
        assert!(!folder.path().join("data").exists(), "the store was not opened");
    }
}
