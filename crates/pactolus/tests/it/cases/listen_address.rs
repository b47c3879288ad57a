//! Where the bank listens, in the forms that people write: `localhost:8790`, `:8790`, a port alone, a Unix socket, a
//! URL. Each is taken, or refused with what would be right.

use std::net::TcpListener;

use crate::process::{Folder, ServerProcess};

#[tokio::test]
async fn short_forms_are_served() {
    for form in
        ["localhost:PORT", ":PORT", "*:PORT", "PORT", "127.0.0.1:PORT", "[::1]:PORT", " localhost:PORT "]
    {
        let folder = Folder::with_config();
        // A port that was free a moment ago; in the configuration, where 0 would show nothing.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        let listen = format!("listen = \"{}\"", form.replace("PORT", &port));
        let config = folder.read("pactolus.toml").replace("listen = \"127.0.0.1:0\"", &listen);
        folder.write("pactolus.toml", &config);
        let bank = ServerProcess::serve(&folder);
        assert_eq!(bank.address.port().to_string(), port, "{form}");
        assert_eq!(bank.http.get("/readyz").await.unwrap().status, 200, "{form}");
        assert_eq!(bank.stop().code, Some(0));
    }
}

#[test]
fn other_forms_are_refused_with_a_right_one() {
    let folder = Folder::with_config();
    for (form, words) in [
        ("unix:/run/p.sock", "is a Unix socket, and the bank listens on TCP only"),
        ("/run/p.sock", "is a Unix socket, and the bank listens on TCP only"),
        ("@pactolus", "is a Unix socket, and the bank listens on TCP only"),
        ("http://127.0.0.1:8790", "is a URL; it must be an address without http://"),
        ("https://localhost:8790/", "is a URL; it must be an address without http://"),
        ("bank.example:8790", "is not an address with a port"),
        ("localhost", "is not an address with a port"),
        ("localhost:99999", "is not an address with a port"),
        ("1.2.3.4", "is not an address with a port"),
        ("::1", "is not an address with a port"),
        ("", "is not an address with a port"),
    ] {
        let listen = format!("listen = \"{form}\"");
        folder
            .write("other.toml", &folder.read("pactolus.toml").replace("listen = \"127.0.0.1:0\"", &listen));
        let ended = folder.run(&["serve", "--config", "other.toml"]);
        assert_eq!(ended.code, Some(3), "{form}: {}", ended.stderr);
        assert!(
            ended.stderr.contains(&format!("other.toml:1: `listen` {words}")),
            "{form}: {}",
            ended.stderr
        );
        assert!(ended.stderr.contains("like 127.0.0.1:8790"), "{form}: {}", ended.stderr);
        let ended = folder.run(&["serve", "--listen", form]);
        assert_eq!(ended.code, Some(2), "{form}: {}", ended.stderr);
    }
}
