//! Two keys mixed in one signature: the HMAC keyed with one of the app's keys, the text ended with another. Both are
//! right keys, so a look at the configuration shows nothing.

use pactolus_test_support::sample::{APP_SECRET, MIDAS_KEY, SANDBOX_MIDAS_KEY};

use super::raw::{Bank, assert_refused, parameters};

type HmacSha256 = hmac::Hmac<sha2::Sha256>;

fn mac(key: &str, text: &str) -> String {
    use hmac::Mac as _;
    let mut mac = <HmacSha256 as hmac::KeyInit>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    let bytes = mac.finalize().into_bytes();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

#[test]
fn mixed_keys_are_named() {
    let bank = Bank::serve();
    let pairs = "appid=wx1234567&bill_no=n&offer_id=12345678&openid=one&pf=android&present_counts=5&ts=1507530737&zone_id=1";
    let path = "&org_loc=/cgi-bin/midas/sandbox/present&method=POST&secret=";
    let keys = [
        (SANDBOX_MIDAS_KEY, "the sandbox Midas key"),
        (MIDAS_KEY, "the live Midas key"),
        (APP_SECRET, "the app's secret"),
    ];
    for (hmac_key, hmac_name) in keys {
        for (text_key, text_name) in keys.into_iter().filter(|(key, _)| *key != hmac_key) {
            let sig = mac(hmac_key, &format!("{pairs}{path}{text_key}"));
            let body = parameters("one", &format!(r#","present_counts":5,"bill_no":"n","sig":"{sig}""#));
            let reply = bank.call("present", &body);
            let finding = format!("signed with {hmac_name} while the text ends with {text_name}");
            assert_refused(&reply, 90011, &format!("sig error: {finding}"));
            let url = format!("http://{}", bank.address());
            let ended = bank.folder.run(&["explain", reply["errmsg"].as_str().unwrap(), "--url", &url]);
            assert!(ended.stdout.contains(&finding), "{}", ended.stdout);
            for key in keys.map(|(key, _)| key) {
                assert!(!ended.stdout.contains(key) && !reply.to_string().contains(key), "{reply}");
            }
        }
    }
    bank.stop(0);
}
