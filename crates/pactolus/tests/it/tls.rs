//! TLS of the command line: a private authority from the profile and from `SSL_CERT_FILE`, and the causes of failures.
//!
//! The bug: only the web's roots were trusted, and a plaintext address said nothing. The loss: no bank behind a private
//! authority could be called, and secrets crossed networks unnoticed. The fix: `ca_file`, `SSL_CERT_FILE`, a warning.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use pactolus_test_support::tls_host;

use crate::process::{Folder, Process, ProcessOutput};

/// A folder with a profile for `url`.
fn folder_with_profile(url: &str, more: &str) -> Folder {
    let folder = Folder::empty();
    std::fs::create_dir(folder.path().join("pactolus")).unwrap();
    folder.write(
        "pactolus/default.toml",
        &format!(
            "url = \"{url}\"\nenv = \"sandbox\"\nappid = \"wx1234567\"\noffer_id = \"12345678\"\n\
             app_secret = \"APPSECRET\"\nsandbox_midas_key = \"a-key\"\n{more}"
        ),
    );
    folder
}

fn token(folder: &Folder, variables: &[(&str, &str)]) -> ProcessOutput {
    let mut command = folder.command(&["token", "--timeout", "1"]);
    for name in
        ["SSL_CERT_FILE", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"]
    {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied());
    Process::start(command).wait()
}

#[test]
fn private_authority_is_trusted() {
    let (port, pem) = tls_host::start("localhost");
    let url = format!("https://localhost:{port}");

    // A relative path is taken from the profile's folder.
    let by_profile = folder_with_profile(&url, "ca_file = \"ca.pem\"\n");
    by_profile.write("pactolus/ca.pem", &pem);
    let ended = token(&by_profile, &[]);
    assert_eq!((ended.code, &*ended.stdout, &*ended.stderr), (Some(0), "TOKEN\n", ""));

    let by_variable = folder_with_profile(&url, "");
    by_variable.write("ca.pem", &pem);
    let ended = token(&by_variable, &[("SSL_CERT_FILE", "ca.pem")]);
    assert_eq!((ended.code, &*ended.stdout, &*ended.stderr), (Some(0), "TOKEN\n", ""));

    let ended = token(&by_variable, &[]);
    assert_eq!(ended.code, Some(12), "{}", ended.stderr);
    assert!(ended.stderr.contains("invalid peer certificate: UnknownIssuer"), "{}", ended.stderr);
}

#[test]
fn tls_failures_name_their_cause() {
    let (port, pem) = tls_host::start("bank.example");
    let folder = folder_with_profile(&format!("https://localhost:{port}"), "ca_file = \"ca.pem\"\n");
    folder.write("pactolus/ca.pem", &pem);
    let ended = token(&folder, &[]);
    assert_eq!(ended.code, Some(12), "{}", ended.stderr);
    assert!(ended.stderr.contains("not valid for name \"localhost\""), "{}", ended.stderr);

    folder.write("pactolus/ca.pem", "no certificate\n");
    let ended = token(&folder, &[]);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stderr.contains("ca.pem holds no certificate"), "{}", ended.stderr);
    let absent = folder_with_profile("https://localhost", "ca_file = \"absent.pem\"\n");
    let ended = token(&absent, &[]);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stderr.contains("absent.pem cannot be read: No such file"), "{}", ended.stderr);

    let refused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ended = token(&folder_with_profile(&format!("https://{refused}"), ""), &[]);
    assert!(ended.stderr.contains("Connection refused"), "{}", ended.stderr);
}

/// The bug: commands of the operator spoke plain http only, so their token had to cross the network in plaintext.
#[test]
fn operator_commands_speak_tls() {
    let (port, pem) = tls_host::start("localhost");
    let operator = "operator_token = \"OPERATORTOKEN\"\nca_file = \"ca.pem\"\n";
    let folder = folder_with_profile(&format!("https://localhost:{port}"), operator);
    folder.write("pactolus/ca.pem", &pem);
    folder.write("rules.json", "[]");
    // The host answers each request, in the form of another API.
    let set = ["faults", "--set", "rules.json", "--timeout", "1"];
    let ended = folder.run(&set);
    assert_eq!(ended.code, Some(10), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("the reply is not one of a Pactolus bank's operator API"),
        "{}",
        ended.stderr
    );
    folder.write("pactolus/ca.pem", &tls_host::start("localhost").1);
    let ended = folder.run(&set);
    assert_eq!(ended.code, Some(12), "{}", ended.stderr);
    assert!(ended.stderr.contains("invalid peer certificate"), "{}", ended.stderr);
    let plain = folder_with_profile("http://0.0.0.0:1", "operator_token = \"OPERATORTOKEN\"\n");
    let ended = plain.run(&["order", "n1", "--timeout", "1"]);
    assert_eq!(ended.stderr.matches("is not encrypted").count(), 1, "{}", ended.stderr);
}

#[test]
fn remote_plaintext_is_warned_of_once() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (host, warnings) in [("0.0.0.0", 1), ("127.0.0.1", 0), ("localhost", 0)] {
        let folder = folder_with_profile(&format!("http://{host}:{port}"), "");
        let ended = token(&folder, &[]);
        assert_eq!(ended.stderr.matches("is not encrypted").count(), warnings, "{}", ended.stderr);
        let ended = token(&folder, &[("LC_ALL", "zh_CN.UTF-8")]);
        assert_eq!(ended.stderr.matches("未加密").count(), warnings, "{}", ended.stderr);
        // A CA file that no connection needs is not read.
        let ended = token(&folder, &[("SSL_CERT_FILE", "/absent.pem")]);
        assert_eq!(ended.code, Some(12), "{}", ended.stderr);
    }
}

/// A proxy that takes CONNECT with these credentials, and keeps the targets that it was asked for.
fn start_proxy(authorization: &'static str) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, targets) = (listener.local_addr().unwrap(), Arc::default());
    let asked: Arc<Mutex<Vec<String>>> = Arc::clone(&targets);
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let asked = Arc::clone(&asked);
            std::thread::spawn(move || tunnel(client.unwrap(), authorization, &asked));
        }
    });
    (address, targets)
}

fn tunnel(mut client: TcpStream, authorization: &str, asked: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    let target = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()).unwrap().to_owned();
    asked.lock().unwrap().push(target.clone());
    if !head.to_lowercase().contains(&format!("proxy-authorization: {}\r\n", authorization.to_lowercase())) {
        client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").unwrap();
        return;
    }
    let mut bank = TcpStream::connect(target).unwrap();
    client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").unwrap();
    let (mut replies, mut to_client) = (bank.try_clone().unwrap(), client.try_clone().unwrap());
    let copying = std::thread::spawn(move || io::copy(&mut replies, &mut to_client));
    let _ = io::copy(&mut client, &mut bank);
    let _ = copying.join();
}

/// The bug: a network that lets calls out through a proxy alone had no way to a bank. The fix: the proxy variables,
/// for https only, so that no proxy reads a secret.
#[test]
fn https_bank_is_called_through_the_proxy() {
    let (port, pem) = tls_host::start("localhost");
    let folder = folder_with_profile(&format!("https://localhost:{port}"), "ca_file = \"ca.pem\"\n");
    folder.write("pactolus/ca.pem", &pem);
    // "user:pass" in base64.
    let (address, targets) = start_proxy("Basic dXNlcjpwYXNz");
    let proxy = format!("http://user:pass@{address}");
    for (variables, asked) in [
        (&[("HTTPS_PROXY", &*proxy)][..], 1),
        (&[("https_proxy", &*proxy)], 2),
        (&[("ALL_PROXY", &*proxy)], 3),
        (&[("HTTPS_PROXY", &*proxy), ("NO_PROXY", "example.com,localhost")], 3),
        (&[("HTTP_PROXY", &*proxy)], 3),
        (&[], 3),
    ] {
        let ended = token(&folder, variables);
        assert_eq!((ended.code, &*ended.stdout, &*ended.stderr), (Some(0), "TOKEN\n", ""), "{variables:?}");
        assert_eq!(*targets.lock().unwrap(), vec![format!("localhost:{port}"); asked], "{variables:?}");
    }

    // A proxy that refuses the credentials is an unreachable bank, and no password is shown.
    let ended = token(&folder, &[("HTTPS_PROXY", &format!("http://user:secret@{address}"))]);
    assert_eq!(ended.code, Some(12), "{}", ended.stderr);
    assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);

    // Without TLS a proxy would read the app's secret.
    let plain = folder_with_profile(&format!("http://localhost:{port}"), "");
    let before = targets.lock().unwrap().len();
    token(&plain, &[("HTTP_PROXY", &*proxy), ("ALL_PROXY", &*proxy)]);
    assert_eq!(targets.lock().unwrap().len(), before);
}
