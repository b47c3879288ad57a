//! Permissions of the files that the program makes, and what `doctor` says about looser ones.
//!
//! The bug: stores, backups and results were created with 0644 and 0755, so every user of the machine could read the
//! players' logins and orders. Now all new files are private, and `doctor` reports older ones with the fix. `doctor`
//! also sent the operator token to any program that listened on the bank's port; it now sends none.

use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use pactolus_protocol::ReplyOutcome;
use pactolus_types::Environment;

use crate::gifts::{Gift, Player};
use crate::process::{Folder, ServerProcess};

/// Every file and folder under `root`, itself included.
fn tree(root: &Path) -> Vec<PathBuf> {
    let mut found = vec![root.to_owned()];
    if root.is_dir() {
        found.extend(fs::read_dir(root).unwrap().flat_map(|entry| tree(&entry.unwrap().path())));
    }
    found
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(folder: &Folder, name: &str, mode: u32) {
    fs::set_permissions(folder.path().join(name), Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn new_files_are_private() {
    let folder = Folder::with_config();
    let bank = ServerProcess::serve_with_small_segments(&folder);
    Player(0).log_in(&bank.http).await;
    for order in 0..250 {
        let bill_no = format!("gift-{order}");
        let gift = Gift { environment: Environment::Live, player: Player(0), bill_no, coins: 1 };
        assert!(matches!(gift.send(&bank.http).await, Ok(ReplyOutcome::Success(_))));
    }
    assert_eq!(bank.stop().code, Some(0));
    let backup = folder.run(&["backup", "--to", "copy"]);
    assert_eq!(backup.code, Some(0), "{}", backup.stderr);
    assert_eq!(folder.run(&["init", "--config", "fresh.toml"]).code, Some(0));
    for root in ["data", "copy", "fresh.toml"] {
        for path in tree(&folder.path().join(root)) {
            assert_eq!(mode(&path) & 0o077, 0, "{}: {:o}", path.display(), mode(&path));
        }
    }
    assert!(tree(&folder.path().join("data")).len() > 8, "it has journal, views and records");
}

#[test]
fn doctor_reports_an_accessible_store() {
    let folder = Folder::with_config();
    assert_eq!(ServerProcess::serve(&folder).stop().code, Some(0));
    let finding = "is accessible to other users of this machine";
    assert!(!folder.run(&["doctor"]).stdout.contains(finding));
    for loose in [0o755, 0o750, 0o701] {
        set_mode(&folder, "data", loose);
        let found = folder.run(&["doctor"]).stdout;
        assert!(found.contains(finding) && found.contains("fix: chmod -R go= ./data\n"), "{found}");
        assert_eq!(ServerProcess::serve(&folder).stop().code, Some(0), "an older store still opens");
    }
}

#[test]
fn doctor_reports_a_store_it_cannot_write() {
    let folder = Folder::with_config();
    let found = folder.run(&["doctor"]).stdout;
    assert!(!found.contains("cannot be written"), "{found}");
    folder.write("file", "not a folder");
    for store in ["embedded:./file", "embedded:./file/data"] {
        let mut command = folder.command(&["doctor"]);
        command.env("PACTOLUS_STORE", store);
        let found = String::from_utf8(command.output().unwrap().stdout).unwrap();
        assert!(found.contains("bad   store: ") && found.contains("cannot be written"), "{found}");
    }
}

#[test]
fn doctor_warns_of_a_config_for_a_group() {
    let folder = Folder::with_config();
    for (mode, words) in [
        (0o640, "note  configuration: ./pactolus.toml holds keys and is accessible to its group"),
        (0o644, "bad   configuration: ./pactolus.toml holds keys and is accessible to other users"),
        (0o604, "bad   configuration: ./pactolus.toml holds keys and is accessible to other users"),
    ] {
        set_mode(&folder, "pactolus.toml", mode);
        let found = folder.run(&["doctor"]).stdout;
        assert!(found.replace(": pactolus", ": ./pactolus").contains(words), "{found}");
    }
    set_mode(&folder, "pactolus.toml", 0o600);
    let found = folder.run(&["doctor"]).stdout;
    assert!(!found.contains("holds keys"), "{found}");
}

/// Any program may listen on the bank's port while the bank is down.
#[test]
fn doctor_sends_no_token_to_the_listener() {
    for (answer, finding) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "is not a bank"),
        (
            "HTTP/1.1 503 Busy\r\nContent-Length: 22\r\n\r\nthe disk is full\x1b[2J\nx\n",
            "accept orders: the disk is full\\u001b[2J\n",
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n", "accepts orders"),
    ] {
        let folder = Folder::with_config();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut command = folder.command(&["doctor"]);
        command.env("PACTOLUS_LISTEN", listener.local_addr().unwrap().to_string());
        let heard = std::thread::spawn(move || {
            let (mut caller, _) = listener.accept().unwrap();
            let mut bytes = vec![0; 4096];
            let length = caller.read(&mut bytes).unwrap();
            caller.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(bytes[..length].to_vec()).unwrap()
        });
        let found = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let request = heard.join().unwrap();
        assert!(request.starts_with("GET /readyz HTTP/1.1\r\n"), "{request}");
        assert!(!request.to_lowercase().contains("authorization") && !request.contains("OPERATORTOKEN"));
        assert!(found.contains(finding), "{finding}: {found}");
        assert!(!found.contains("restart it\n"), "{found}");
    }
}
