//! The operator token: its length, and wrong ones.
//!
//! The bug: a bank with an operator token of two characters was served, and thousands of wrong tokens a second left
//! no line in the log and met no delay, so a short token could be found unseen. Now a token has at least 12
//! characters, wrong ones are counted in the log, and many of them are delayed; the right one never waits.

use pactolus_protocol::OperatorToken;

use crate::process::{Folder, ServerProcess};
use pactolus_test_support::sample::operator_token;

#[test]
fn short_token_is_refused_with_its_line() {
    for token in ["ab", "12345678901"] {
        let folder = Folder::with_config();
        folder.write("pactolus.toml", &folder.read("pactolus.toml").replace("OPERATORTOKEN", token));
        let ended = folder.run(&["serve"]);
        assert_eq!(ended.code, Some(3));
        let words = "pactolus.toml:4: `token` is shorter than 12 characters";
        assert!(ended.stderr.contains(words) && !ended.stderr.contains(token), "{}", ended.stderr);
    }
    let folder = Folder::with_config();
    folder.write("pactolus.toml", &folder.read("pactolus.toml").replace("OPERATORTOKEN", "123456789012"));
    assert_eq!(ServerProcess::serve(&folder).stop().code, Some(0));
}

#[tokio::test]
async fn wrong_tokens_are_logged_and_lock_no_operator_out() {
    const GUESSES: usize = 200;
    let folder = Folder::with_config();
    let bank = ServerProcess::serve(&folder);
    let guesses: Vec<_> = (0..GUESSES)
        .map(|guess| {
            let (http, token) =
                (bank.http.clone(), OperatorToken::new(&format!("GUESSED-TOKEN-{guess}")).unwrap());
            tokio::spawn(async move {
                http.get_as_operator("/api/v1/clock", &token).await.unwrap().status.as_u16()
            })
        })
        .collect();
    let clock = bank.http.get_as_operator("/api/v1/clock", &operator_token()).await.unwrap();
    assert_eq!(clock.status, 200);
    let mut refused = 0;
    for guess in guesses {
        let status = guess.await.unwrap();
        assert!(status == 401 || status == 503, "{status}");
        refused += usize::from(status == 401);
    }
    assert!(refused >= 10, "{refused}");
    let ended = bank.stop();
    assert_eq!(ended.code, Some(0));
    let counts = ended
        .stderr
        .lines()
        .filter_map(|line| line.rsplit_once("wrong operator tokens within a second count="));
    let counts: Vec<usize> = counts.map(|(_, count)| count.parse().unwrap()).collect();
    assert_eq!(counts.iter().sum::<usize>(), GUESSES, "{}", ended.stderr);
    assert!(!ended.stderr.contains("GUESSED"), "{}", ended.stderr);
}
