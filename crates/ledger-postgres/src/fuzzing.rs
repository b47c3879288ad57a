//! Fuzz targets of this crate: each function takes any bytes and panics when an invariant is violated.
//!
//! Read next: `fuzz/README.md`.

use pactolus_fuzz_support::Choices;

use crate::url::PostgresUrl;

/// No output contains the password, whatever the password and the rest of the URL. No URL makes the parser panic.
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
    // A password is the text between the user and the host; characters that need escaping are often left unescaped.
    let url = format!("postgres://{user}:{before}{MARK}{after}@{rest}");
    assert!(!rendered(&url).contains(MARK), "a password is shown");
    let option = format!("postgres://{user}@{rest}?password={before}{MARK}{after}");
    if !rest.contains(['?', '/', '@']) && !before.contains(['&', '@']) {
        assert!(!rendered(&option).contains(MARK), "a password is shown");
    }
}

/// Every text that a URL is ever shown as.
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
