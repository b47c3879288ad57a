//! A zone id that a program rewrote, such as `1.0` or `01`, opens an account that no game server reads: the coins are
//! given, and the player sees none.

use pactolus_protocol::{Call as _, Present};
use pactolus_types::Environment;

use super::raw::{Bank, assert_refused, parameters, present, signed};

#[test]
fn unlisted_zone_is_refused() {
    let bank = Bank::with_settings("zones = [\"1\", \"2_7\"]\n");
    let in_zone = |zone: &str| {
        let body = parameters("one", r#","present_counts":5,"bill_no":"n""#);
        let body = body.replace(r#""zone_id":"1""#, &format!(r#""zone_id":"{zone}""#));
        signed(Present::path(Environment::Sandbox), &body)
    };
    for zone in ["1.0", "01", "zone-one", "2", "2_07", "1_"] {
        assert_refused(
            &bank.call("present", in_zone(zone)),
            90018,
            "invalid parameter: zone_id is not a zone of this app",
        );
    }
    assert_eq!(bank.call("present", in_zone("2_7"))["balance"], 5);
    assert_eq!(bank.call("present", present("one", "m", 5))["balance"], 5);

    // A campaign refuses a decimal zone before it sends anything, whatever the list.
    bank.folder.write("players.csv", "openid,zone_id,present_counts\none,1,5\none,1.0,5\n");
    let url = format!("http://{}", bank.address());
    let arguments =
        ["present", "--env", "sandbox", "--url", &url, "--input", "players.csv", "--campaign", "c", "--yes"];
    let ended = bank.folder.run(&arguments);
    assert_eq!(ended.code, Some(9), "{}", ended.stderr);
    assert!(ended.stderr.contains("players.csv:3: zone_id \"1.0\" is refused as a zone"), "{}", ended.stderr);
    bank.stop(2);
}
