//! A bank with a damaged order: -1 for its account, "degraded" for its operator, and service for everybody else.

use std::fs;

use pactolus_protocol::ReplyOutcome;
use pactolus_test_support::files::files_in;
use pactolus_test_support::sample::CONFIG;
use pactolus_types::Environment;

use crate::gifts::{Gift, Player};
use crate::process::{Folder, ServerProcess};

fn gift(player: usize, bill_no: &str) -> Gift {
    Gift { environment: Environment::Live, player: Player(player), bill_no: bill_no.to_owned(), coins: 5 }
}

/// The bug: one read of a damaged order stopped the bank for every player, until a restart and the next read. The fix:
/// that account is refused, and readiness, doctor, log and audit name the same place.
#[tokio::test]
async fn damaged_order_degrades_the_bank() {
    let folder = Folder::with_config();
    let bank = ServerProcess::serve(&folder);
    for player in 0..3 {
        Player(player).log_in(&bank.http).await;
        assert!(matches!(
            gift(player, &format!("sound-{player}")).send(&bank.http).await,
            Ok(ReplyOutcome::Success(_))
        ));
    }
    assert!(matches!(gift(1, "damaged-bill").send(&bank.http).await, Ok(ReplyOutcome::Success(_))));
    assert_eq!(bank.stop().code, Some(0));
    let [journal] = &files_in(&folder.path().join("data/journal"))[..] else { panic!("one file") };
    let mut bytes = fs::read(journal).unwrap();
    let at = bytes.windows(12).position(|window| window == b"damaged-bill").unwrap();
    bytes[at] ^= 1;
    fs::write(journal, bytes).unwrap();

    let mut places = Vec::new();
    for round in 0..2 {
        let bank = ServerProcess::serve(&folder);
        assert_eq!(bank.http.get("/readyz").await.unwrap().body, "ok\n", "nothing has read it yet");
        let answer = gift(1, &format!("new-{round}")).send(&bank.http).await.unwrap();
        assert!(matches!(&answer, ReplyOutcome::Refused(refused) if refused.errcode == -1), "{answer:?}");
        for player in [0, 2] {
            let others = gift(player, &format!("other-{round}-{player}"));
            assert!(matches!(others.send(&bank.http).await, Ok(ReplyOutcome::Success(_))));
        }
        let ready = bank.http.get("/readyz").await.unwrap();
        assert_eq!(ready.status, 200, "it keeps its traffic");
        let place = ready.body.trim_end().strip_prefix("degraded: ").unwrap().to_owned();
        assert!(place.starts_with("journal/00000000000000000000.journal is damaged at offset "), "{place}");

        let config = CONFIG.replace("127.0.0.1:0", &bank.address.to_string());
        folder.write("served.toml", &config);
        let doctor = folder.run(&["doctor", "--config", "served.toml"]);
        assert_eq!(doctor.code, Some(1), "{doctor:?}");
        assert!(doctor.stdout.contains(&place), "{}", doctor.stdout);
        let stopped = bank.stop();
        assert_eq!(stopped.code, Some(0));
        assert_eq!(stopped.stderr.matches(&place).count(), 1, "the log names it once: {}", stopped.stderr);
        places.push(place);
    }
    assert_eq!(places[0], places[1]);
    let audit = folder.run(&["audit"]);
    assert_eq!(audit.code, Some(1));
    assert!(audit.stdout.contains(&places[0]), "{} is not in {}", places[0], audit.stdout);
}
