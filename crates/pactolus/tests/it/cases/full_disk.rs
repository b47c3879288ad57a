//! The disk fills, with and without a reader of the log, and is freed again. While it is full, orders get -1; with
//! room again there is service again, without a restart, and no answered order is lost.
//!
//! The bug: the bank wanted to log the full disk on a stderr without a reader, panicked, and stayed unready.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::raw::{present, send};
use crate::campaign;
use crate::process::Folder;

/// Far longer than the bank's polls of the disk, on a busy machine too.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A bank whose store is on a disk of its own: 64 MiB of memory, mounted in a namespace of the process.
struct SmallDisk {
    bank: Child,
    address: std::net::SocketAddr,
    /// The disk, from outside of the namespace.
    root: PathBuf,
}

impl SmallDisk {
    fn serve(folder: &Folder, stderr: impl Into<Stdio>) -> Self {
        use std::io::{BufRead as _, BufReader};
        std::fs::create_dir(folder.path().join("data")).unwrap();
        let script = "mount -t tmpfs -o size=64m none data && exec \"$0\" serve";
        let mut command = Command::new("unshare");
        command.args([
            "--user",
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            script,
            env!("CARGO_BIN_EXE_pactolus"),
        ]);
        let mut bank = command
            .current_dir(folder.path())
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        drop(command);
        let mut line = String::new();
        BufReader::new(bank.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address =
            line.trim_end().strip_prefix("listening on http://").expect("unshare needs user namespaces");
        let data = folder.path().canonicalize().unwrap().join("data");
        let root = PathBuf::from(format!("/proc/{}/root{}", bank.id(), data.display()));
        Self { address: address.parse().unwrap(), bank, root }
    }

    fn present(&self, bill_no: &str) -> i64 {
        let path = "/cgi-bin/midas/sandbox/present?access_token=ACCESSTOKEN";
        let (status, reply) = send(self.address, "POST", path, &[], present("one", bill_no, 1).as_bytes());
        assert_eq!(status, 200);
        serde_json::from_str::<serde_json::Value>(&reply).unwrap()["errcode"].as_i64().unwrap()
    }

    fn is_ready(&self) -> bool {
        send(self.address, "GET", "/readyz", &[], b"").0 == 200
    }

    /// Writes a file until the disk is full.
    fn fill(&self) -> PathBuf {
        let path = self.root.join("ballast");
        let mut file = File::create(&path).unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // An error means that it has exited already.
        let _ = self.bank.kill();
        let _ = self.bank.wait();
    }
}

fn wait_until(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < TIMEOUT, "it never came");
        std::thread::yield_now();
    }
}

fn fill_and_free(folder: &Folder, disk: &mut SmallDisk) {
    assert_eq!(disk.present("before"), 0);
    let ballast = disk.fill();
    let mut number = 0;
    wait_until(|| {
        number += 1;
        disk.present(&format!("full-{number}")) == -1
    });
    assert!(!disk.is_ready());
    assert_eq!(disk.present("before"), 90012, "a replay is answered");
    // A wrong call is logged, too.
    for _ in 0..100 {
        send(disk.address, "POST", "/cgi-bin/midas/present?access_token=wrong", &[], b"{}");
    }
    std::fs::remove_file(ballast).unwrap();
    wait_until(|| disk.is_ready());
    wait_until(|| matches!(disk.present("after"), 0 | 90012));
    // The open folder keeps the disk after the process and its namespace.
    let root = File::open(&disk.root).unwrap();
    let pid = disk.bank.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(disk.bank.wait().unwrap().code(), Some(0));
    let path = PathBuf::from(format!("/proc/self/fd/{}/.", root.as_raw_fd()));
    pactolus_test_support::files::copy_folder(&path, &folder.path().join("copy"));
    let ended = folder.run(&["audit", "--store", "embedded:copy", "--output", "json"]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
}

#[test]
fn service_returns_with_room() {
    let folder = campaign::folder_without_mp_sig();
    let mut disk = SmallDisk::serve(&folder, Stdio::null());
    fill_and_free(&folder, &mut disk);
}

#[test]
fn service_returns_with_room_without_a_log_reader() {
    let folder = campaign::folder_without_mp_sig();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut disk = SmallDisk::serve(&folder, writer);
    fill_and_free(&folder, &mut disk);
}
