//! `pactolus serve --wait`: a database that comes up after the bank.
//!
//! The bug: a bank that compose starts together with its database ended at once with exit code 4, because the
//! database did not take connections yet. With `--wait` it tries again, and logs why it waits.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use pactolus_test_postgres::Cluster;

use crate::process::Folder;

#[test]
fn serve_waits_for_a_database() {
    let cluster = Cluster::start("");
    cluster.stop_immediately();
    let folder = Folder::with_config();
    let mut command = folder.command(&["serve", "--migrate", "--wait", "60", "--store", &cluster.url()]);
    let mut bank = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(bank.stderr.take().unwrap()).lines();
    assert!(log.any(|line| line.unwrap().contains("waiting for the database")));
    cluster.restart();
    let mut address = String::new();
    BufReader::new(bank.stdout.take().unwrap()).read_line(&mut address).unwrap();
    bank.kill().unwrap();
    bank.wait().unwrap();
    assert!(address.starts_with("listening on http://"), "{address}");
}

#[test]
fn wait_ends_with_the_stores_error() {
    let folder = Folder::with_config();
    let nowhere = "postgres://bank@127.0.0.1:1/x";
    for (wait, lines) in [("0", 0), ("1", 1)] {
        let ended = folder.run(&["serve", "--wait", wait, "--store", nowhere]);
        assert_eq!(ended.code, Some(4), "{}", ended.stderr);
        assert_eq!(ended.stderr.matches("waiting for the database").count(), lines, "{}", ended.stderr);
    }
}
