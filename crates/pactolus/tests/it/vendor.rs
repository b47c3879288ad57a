//! Gifts through the vendor's own host, whose replay error says only that the bill number is used.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::process::{Folder, ProcessOutput};

/// A host that issues tokens and answers every order as a replay. It serves until the test ends.
fn spawn_replaying_host() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || serve_one(stream.unwrap()));
        }
    });
    address
}

fn serve_one(mut stream: TcpStream) {
    let mut request = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(request.read_line(&mut head).unwrap() > 0, "the request ends within its header");
    }
    let length = head.to_lowercase().split_once("content-length: ").unwrap().1.to_owned();
    let length: u64 = length.split_once("\r\n").unwrap().0.parse().unwrap();
    let mut body = Vec::new();
    request.take(length).read_to_end(&mut body).unwrap();
    let json = if head.starts_with("POST /cgi-bin/stable_token ") {
        r#"{"access_token":"TOKEN","expires_in":7200}"#
    } else {
        r#"{"errcode":90012,"errmsg":"order exist"}"#
    };
    let length = json.len();
    let response = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{json}");
    stream.write_all(response.as_bytes()).unwrap();
}

fn present(folder: &Folder, host: SocketAddr, more: &[&str]) -> ProcessOutput {
    let url = format!("http://{host}");
    folder.run(&[&["present", "--api", "midas", "--env", "live", "--url", &url], more].concat())
}

#[test]
fn replay_counts_only_for_own_bill_no() {
    let folder = Folder::with_config();
    let host = spawn_replaying_host();

    // Only this campaign makes its bill numbers, so a replay means that the gift was given before.
    folder.write("players.csv", "openid,present_counts\none,5\ntwo,6\n");
    let campaign = present(&folder, host, &["--input", "players.csv", "--campaign", "spring", "--yes"]);
    assert_eq!(campaign.code, Some(0), "{}", campaign.stderr);
    assert_eq!(campaign.stdout, "rows 2: given 0, given before 2\nresults: spring.results.csv\n");

    // A bill number of the file may be used by another order, or by this gift in a run whose results are lost, so a
    // replay proves nothing. The bug: it was "refused", exit code 10. The loss: a new number gives the coins twice. The
    // fix: an outcome of its own, which a further run does not turn into "given before".
    folder.write("numbers.csv", "openid,present_counts,bill_no\none,5,n1\n");
    let numbers = ["--input", "numbers.csv", "--yes"];
    let first = present(&folder, host, &numbers);
    assert_eq!(first.code, Some(11), "{}", first.stderr);
    assert!(first.stdout.contains("unknown 1"), "{}", first.stdout);
    assert!(folder.read("numbers.results.csv").contains(",number-used,,\"the bill number was used before"));
    let second = present(&folder, host, &numbers);
    assert_eq!((second.code, second.stdout.contains("unknown 1")), (Some(11), true), "{}", second.stdout);

    // Nor is a row added after a run that ended: that run did not send it.
    folder.write("numbers.csv", "openid,present_counts,bill_no\none,5,n1\ntwo,6,n2\n");
    let added = present(&folder, host, &numbers);
    assert_eq!(added.code, Some(11), "{}", added.stderr);
    assert!(added.stdout.starts_with("rows 2: given 0, unknown 2\n"), "{}", added.stdout);
    folder.write("numbers.csv", "openid,present_counts,bill_no\none,5,n1\n");

    // Unless an interrupted run may have sent it: then the results file exists and lacks the row.
    let results = folder.read("numbers.results.csv");
    let header = results.split_inclusive('\n').next().unwrap();
    folder.write("numbers.results.csv", header);
    let resumed = present(&folder, host, &numbers);
    assert_eq!(resumed.code, Some(0), "{}", resumed.stderr);
    assert_eq!(resumed.stdout, "rows 1: given 0, given before 1\nresults: numbers.results.csv\n");

    // The bug: a run that sent nothing left a header, and the next one reported numbers used by others as given. The
    // players got nothing. The fix: the header is written just before the first gift is sent.
    std::fs::remove_file(folder.path().join("numbers.results.csv")).unwrap();
    let unconfirmed = present(&folder, host, &numbers[..2]);
    assert_eq!(unconfirmed.code, Some(8), "{}", unconfirmed.stderr);
    let fresh = present(&folder, host, &numbers);
    assert_eq!(fresh.code, Some(11), "{}", fresh.stderr);
    assert!(fresh.stdout.contains("unknown 1"), "{}", fresh.stdout);

    let one = ["--openid", "one", "--coins", "5", "--bill-no", "n1"];
    let fresh = present(&folder, host, &one);
    assert_eq!(fresh.code, Some(11), "{}", fresh.stderr);
    assert!(fresh.stderr.contains("with --resume; take another number only if"), "{}", fresh.stderr);
    let again = present(&folder, host, &[&one[..], &["--resume"]].concat());
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert!(again.stdout.contains("given-before"), "{}", again.stdout);
}

/// A pay of a used number, as above: exit code 11 in place of 10.
#[test]
fn pay_of_a_used_bill_no_is_unknown() {
    let folder = Folder::with_config();
    let host = spawn_replaying_host();
    let url = format!("http://{host}");
    let pay = ["pay", "--env", "live", "--url", &url, "--openid", "one", "--coins", "5", "--bill-no", "n1"];
    let fresh = folder.run(&pay);
    assert_eq!(fresh.code, Some(11), "{}", fresh.stderr);
    assert!(fresh.stderr.contains("n1"), "{}", fresh.stderr);
    assert!(fresh.stderr.contains("with --resume; take another number only if"), "{}", fresh.stderr);
    let again = folder.run(&[&pay[..], &["--resume"]].concat());
    assert_eq!(again.code, Some(0), "{}", again.stderr);
}

/// The vendor's host has no operator API, so gifts to it are signed, and the operator token stays here.
#[test]
fn vendor_host_is_never_sent_orders_of_the_operator() {
    let folder = Folder::with_config();
    folder.write("players.csv", "openid,present_counts\none,5\n");
    let preview = |url: &str| {
        let file = ["--input", "players.csv", "--campaign", "spring", "--dry-run"];
        let ended = folder.run(&[&["present", "--env", "live", "--url", url], &file[..]].concat());
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.stderr.contains("sent as orders of the operator")
    };
    for vendor in ["https://api.weixin.qq.com", "https://api.weixin.qq.com/"] {
        assert!(!preview(vendor), "{vendor}");
    }
    assert!(preview("https://bank.example"));
}
