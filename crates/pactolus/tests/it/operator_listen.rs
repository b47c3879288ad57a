//! `operator_listen`: the game's port answers the game alone, and the operator API has a port of its own.

use std::net::{SocketAddr, TcpListener};

use pactolus_test_support::sample::{CONFIG, operator_token};
use pactolus_types::Environment;

use crate::gifts::{Gift, Player};
use crate::http::HttpClient;
use crate::process::{Folder, Process, ServerProcess};

/// A bank with two listeners, and a client of the operator's.
fn serve_on_two_ports(folder: &Folder) -> (ServerProcess, HttpClient) {
    let mut process = Process::start(folder.command(&["serve"]));
    let operator: SocketAddr = process.wait_for_line("operator API on http://").parse().unwrap();
    let address = process.wait_for_line("listening on http://").parse().unwrap();
    assert_ne!(operator, address);
    (ServerProcess { process, address, http: HttpClient::new(address) }, HttpClient::new(operator))
}

#[tokio::test]
async fn each_port_answers_its_own_audience() {
    let folder = Folder::empty();
    folder.write("pactolus.toml", &format!("operator_listen = \"127.0.0.1:0\"\n{CONFIG}"));
    let (bank, operator) = serve_on_two_ports(&folder);
    let token = operator_token();
    Player(0).log_in(&operator).await;
    let gift = Gift {
        environment: Environment::Live,
        player: Player(0),
        bill_no: "of-two-ports".to_owned(),
        coins: 7,
    };
    assert!(gift.send(&bank.http).await.is_ok());

    // The game's calls are unknown to the operator's port, whatever the token.
    let (path, body) = gift.request();
    for path in [&*path, "/cgi-bin/token", "/sns/jscode2session", "/wxa/checksession"] {
        assert_eq!(operator.post(path, &body).await.unwrap().status, 404, "{path}");
    }
    // The operator's are unknown to the game's port.
    for path in ["/api/v1/clock", "/api/v1/openapi.json", "/metrics", "/api/v1/rejections"] {
        assert_eq!(bank.http.get_as_operator(path, &token).await.unwrap().status, 404, "{path}");
        assert_ne!(operator.get_as_operator(path, &token).await.unwrap().status, 404, "{path}");
    }
    for http in [&bank.http, &operator] {
        assert_eq!(http.get("/healthz").await.unwrap().status, 200);
        assert_eq!(http.get("/readyz").await.unwrap().status, 200);
    }
    assert_eq!(operator.get("/api/v1/clock").await.unwrap().status, 401, "the token is still needed");
    assert_eq!(bank.stop().code, Some(0));
    folder.audit(1);
}

#[test]
fn operator_commands_call_the_operators_port() {
    let folder = Folder::empty();
    let [operator, game] = [0; 2].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    let address = |listener: &TcpListener| listener.local_addr().unwrap();
    let listen = format!("operator_listen = \"{}\"\nlisten = \"{}\"", address(&operator), address(&game));
    folder.write("pactolus.toml", &CONFIG.replace("listen = \"127.0.0.1:0\"", &listen));
    drop((operator, game));
    let (bank, _) = serve_on_two_ports(&folder);
    let ended = folder.run(&["statement", "--env", "live", "--openid", "one", "--zone", "1"]);
    // The operator API answers that the player has none.
    assert_eq!(ended.code, Some(10), "{}", ended.stderr);
    assert!(ended.stderr.contains("has no orders"), "{}", ended.stderr);
    assert_eq!(bank.stop().code, Some(0));
}
