//! The zones of an app.
//!
//! Bug: a zone that a program rewrote, such as `1.0` or `01`, opened an account that no game server reads, and the player
//! saw no coins. An app may list its zones; any other is refused.

use pactolus_protocol::{GetBalance, Present};
use pactolus_server::AppSettings;
use pactolus_types::Environment;

use crate::bank::{TestBank, assert_refused, caller, gift, sample_app, sign};

#[tokio::test]
async fn only_listed_zones_are_taken() {
    let zones = ["1", "2", "S1_role"].map(|zone| zone.parse().unwrap()).to_vec();
    let bank = TestBank::with_app(AppSettings { zones, ..sample_app() }).await;
    for environment in Environment::ALL {
        for (zone, is_listed) in [
            ("1", true),
            ("2", true),
            ("S1_role", true),
            ("1.0", false),
            ("01", false),
            ("zone-one", false),
            ("3", false),
            ("1_2", false),
            ("s1_role", false),
        ] {
            let mut gift = gift(&format!("in-{zone}").replace('.', "_"), 5);
            gift.caller.zone_id = zone.parse().unwrap();
            let mut balance = GetBalance { caller: caller() };
            balance.caller.zone_id = zone.parse().unwrap();
            let given = bank.call::<Present>(environment, sign(&gift, environment)).await;
            let read = bank.call::<GetBalance>(environment, sign(&balance, environment)).await;
            for reply in [given, read] {
                if is_listed {
                    assert_eq!(reply["balance"], 5, "{zone}: {reply}");
                } else {
                    assert_refused(&reply, 90018, "invalid parameter: zone_id is not a zone of this app");
                }
            }
        }
    }
}
