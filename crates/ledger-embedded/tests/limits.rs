//! A store in a process with few file descriptors, and in a parent folder that its user must not list.
//!
//! Limits and users are those of a process, so this program runs itself as a child for each case.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use pactolus_ledger::{Ledger, Order, PostError, Posted, Unavailable};
use pactolus_ledger_embedded::{EmbeddedSettings, EmbeddedStore};
use pactolus_test_support::files::files_in;
use pactolus_test_support::orders::numbered_present;
use pactolus_test_support::sample::NOW;
use pollster::block_on;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const ORDERS: usize = 600;
const PLAYERS: usize = 60;

/// An unprivileged user, by the number that most systems give it. Any other than root would do.
const OTHER_USER: u32 = 65534;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [_, "outlive-file-limit", folder] => outlive_file_limit(Path::new(folder)),
        [_, "open-without-files", folder] => open_without_files(Path::new(folder)),
        [_, "open-and-post", folder] => open_and_post(Path::new(folder)),
        _ => run_all(),
    }
}

fn run_all() {
    let folder = tempfile::tempdir().unwrap();
    run_child("outlive-file-limit", &folder.path().join("few"), None);
    run_child("open-without-files", &folder.path().join("none"), None);

    // A parent that its user may pass and not list. Root may list everything, so the child is another user then.
    let parent = folder.path().join("parent");
    let is_root = rustix::process::geteuid().is_root();
    fs::create_dir_all(parent.join("store")).unwrap();
    if is_root {
        chown(parent.join("store"), Some(OTHER_USER), Some(OTHER_USER)).unwrap();
    }
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&parent, Permissions::from_mode(if is_root { 0o711 } else { 0o311 })).unwrap();
    run_child("open-and-post", &parent.join("store"), is_root.then_some(OTHER_USER));
    fs::set_permissions(&parent, Permissions::from_mode(0o755)).unwrap();
    println!("3 passed, 0 failed");
}

fn run_child(case: &str, folder: &Path, user: Option<u32>) {
    // Another user may not be able to reach the build folder.
    let copies = tempfile::tempdir().unwrap();
    fs::set_permissions(copies.path(), Permissions::from_mode(0o755)).unwrap();
    let program = copies.path().join("limits");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mut child = Command::new(program);
    child.arg(case).arg(folder).current_dir("/");
    if let Some(user) = user {
        child.uid(user).gid(user);
    }
    assert!(child.status().unwrap().success(), "{case}");
}

fn settings() -> EmbeddedSettings {
    EmbeddedSettings {
        memtable_orders: 50,
        segment_bytes: 300,
        accounts_cached: 0,
        ..EmbeddedSettings::default()
    }
}

fn present(bill: usize) -> Order {
    numbered_present(bill, PLAYERS, 1)
}

fn post(store: &EmbeddedStore, bill: usize) -> Result<Posted, PostError> {
    block_on(store.post(present(bill), NOW))
}

fn limit_files(files: u64) {
    let limit = Rlimit { current: Some(files), maximum: getrlimit(Resource::Nofile).maximum };
    setrlimit(Resource::Nofile, limit).unwrap();
}

/// The bug: every file of the journal stayed open, so with a low limit the store failed after some hundred files, and
/// advised the operator to remove the views. The fix: sealed files are an LRU, and EMFILE refuses what needs a file.
fn outlive_file_limit(folder: &Path) {
    limit_files(64);
    let store = EmbeddedStore::open(folder, &settings()).unwrap();
    for bill in 0..ORDERS {
        assert!(matches!(post(&store, bill), Ok(Posted::Applied(_))), "bill-{bill}");
    }
    let files = files_in(&folder.join("journal")).len();
    assert!(files > 200, "only {files} files");
    for bill in 0..ORDERS {
        assert!(block_on(store.order(present(bill).bill())).unwrap().is_some());
        assert!(matches!(post(&store, bill), Ok(Posted::Replayed { .. })));
    }
    assert!(block_on(store.audit()).unwrap().is_clean());

    // Another part of the process takes all that is left.
    let taken: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    assert!(!taken.is_empty());
    let (mut next, mut busy) = (ORDERS, 0);
    for _ in 0..20 {
        match post(&store, next) {
            Ok(_) => next += 1,
            Err(error) => {
                assert_eq!(error, PostError::Unavailable(Unavailable::Busy));
                busy += 1;
            }
        }
        let read = block_on(store.order(present(next % ORDERS).bill()));
        assert!(matches!(read, Ok(Some(_)) | Err(Unavailable::Busy)), "{read:?}");
        assert_eq!(block_on(store.ready()), Ok(()));
    }
    assert!(busy > 0, "the limit refused nothing");
    assert_eq!(store.damage(), None, "it is no damage");

    drop(taken);
    let deadline = Instant::now() + Duration::from_secs(20);
    while let Err(error) = post(&store, next) {
        assert_eq!(error, PostError::Unavailable(Unavailable::Busy));
        assert!(Instant::now() < deadline, "it does not go on");
    }
    while let Err(error) = block_on(store.flush_all()) {
        assert_eq!(error, Unavailable::Busy);
        assert!(Instant::now() < deadline, "the flush does not go on");
    }
    for bill in next + 1..next + 200 {
        post(&store, bill).unwrap();
    }
    drop(store);
    let store = EmbeddedStore::open(folder, &settings()).unwrap();
    let audit = block_on(store.audit()).unwrap();
    assert!(audit.is_clean(), "{audit:?}");
    assert_eq!(audit.orders, next as u64 + 200);
}

fn open_without_files(folder: &Path) {
    drop(EmbeddedStore::open(folder, &settings()).unwrap());
    let mut refused = 0;
    for files in 4..20 {
        limit_files(files);
        match EmbeddedStore::open(folder, &settings()) {
            Ok(_) => break,
            Err(error) => {
                let said = error.to_string();
                assert!(
                    said.contains("too many open files") && said.contains("ulimit -n"),
                    "{files}: {said}"
                );
                refused += 1;
            }
        }
    }
    limit_files(256);
    assert!(refused > 2, "opening needs more files than that");
    assert_eq!(block_on(EmbeddedStore::open(folder, &settings()).unwrap().ready()), Ok(()));
}

/// The bug: opening listed the parent folder to sync it, so a store in a parent of mode 0711 was refused.
fn open_and_post(folder: &Path) {
    assert!(File::open(folder.parent().unwrap()).is_err(), "this user may list the parent");
    for bill in 0..3 {
        let store = EmbeddedStore::open(folder, &settings()).unwrap();
        post(&store, bill).unwrap();
    }
}
