//! What fuzz targets promise of this crate: each function takes any bytes, and panics when a promise is broken.
//!
//! Read next: `fuzz/README.md`.

use pactolus_fuzz_support::Choices;

use crate::url::PostgresUrl;

/// A password stands in no message, whatever it is and whatever stands around it; and no URL is too strange.
pub fn postgres_url(bytes: &[u8]) {
    const MARK: &str = "s3cretW0rd";
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = rendered(text);
    }
    let mut choices = Choices::new(bytes);
    let [user, before, after] = [0; 3].map(|_| choices.text(16));
    let rest = choices.text(64);
    if [&user, &before, &after, &rest].iter().any(|part| part.contains(MARK))
        || user.contains([':', '@', '/'])
    {
        return;
    }
    // A password is what is written between the name and the host; what is to be escaped in it often is not.
    let url = format!("postgres://{user}:{before}{MARK}{after}@{rest}");
    assert!(!rendered(&url).contains(MARK), "a password is shown");
    let option = format!("postgres://{user}@{rest}?password={before}{MARK}{after}");
    if !rest.contains(['?', '/', '@']) && !before.contains(['&', '@']) {
        assert!(!rendered(&option).contains(MARK), "a password is shown");
    }
}

/// All that is ever shown of a URL.
fn rendered(text: &str) -> String {
    match text.parse::<PostgresUrl>() {
        Ok(url) => {
            let other = url.with_database("other");
            format!("{url} {url:?} {other} {other:?}")
        }
        Err(error) => format!("{error} {error:?}"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn url_corpus_passes() {
        pactolus_fuzz_support::run_corpus("postgres_url", super::postgres_url);
    }
}
