//! A bank whose clock can be turned: for development, and for nothing else.

use serde_json::Value;

use crate::gifts::operator_token;
use crate::process::{Folder, Running};

/// A folder whose only app logs in like this.
fn folder(login: &str) -> Folder {
    let folder = Folder::with_config();
    let config = format!("{}login = \"{login}\"\n", folder.read("pactolus.toml"));
    folder.write("pactolus.toml", &config);
    folder
}

async fn clock(bank: &Running) -> Value {
    let response = bank.http.get_as_operator("/api/v1/clock", &operator_token()).await.unwrap();
    serde_json::from_str(&response.body).unwrap()
}

#[tokio::test]
async fn it_stands_still_where_it_is_asked_for() {
    let folder = folder("open");
    let bank = Running::serve(&folder);
    assert_eq!(clock(&bank).await["clock"], "system");
    let ended = bank.stop();
    assert!(ended.stderr.contains("logs in whoever shows any code"), "{}", ended.stderr);

    let bank = Running::start(folder.pactolus(&["serve", "--clock", "manual"]));
    let told = clock(&bank).await;
    assert_eq!(told["clock"], "manual");
    assert_eq!(clock(&bank).await, told);
    let ended = bank.stop();
    assert_eq!(ended.code, Some(0));
    assert!(ended.stderr.contains("the clock stands still until it is turned"), "{}", ended.stderr);
}

#[test]
fn an_app_in_earnest_has_none() {
    for folder in [folder("push"), Folder::with_config()] {
        let ended = folder.run(&["serve", "--clock", "manual"]);
        assert_eq!((ended.code, &*ended.stdout), (Some(3), ""));
        assert_eq!(
            ended.stderr,
            "error: --clock manual needs login = \"open\" for every app, because it is for development; \
             that of wx1234567 is not open\n"
        );
        assert!(!folder.path().join("data").exists(), "the store was not opened");
    }
}
