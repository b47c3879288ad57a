//! Fuzz targets of this crate: each function takes any bytes, and panics when an invariant is broken.
//!
//! Read next: `fuzz/README.md`.

use hyper::Uri;

use crate::base_url::BaseUrl;

/// An accepted base URL is a URI with every path appended, and holds no user name or password.
pub fn base_url(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    // A long one behaves like a short one, or is rejected.
    let long = || format!("{text}{}", "/a".repeat(32_000));
    for text in [Some(text.to_owned()), text.ends_with("//").then(long)].into_iter().flatten() {
        let Ok(url) = BaseUrl::new(&text) else { continue };
        assert_eq!(BaseUrl::new(url.as_str()).as_ref(), Ok(&url), "an accepted URL parses again");
        let path = "/cgi-bin/midas/sandbox/getbalance";
        let query = format!("access_token={}", "%2F".repeat(512));
        let uri: Uri = format!("{url}{path}?{query}").parse().expect("a call has a URI");
        assert!(uri.path().ends_with(path), "{uri} has another path");
        assert_eq!(uri.query(), Some(&*query));
        let authority = uri.authority().expect("a call has an authority");
        assert!(!authority.as_str().contains('@'), "{authority} holds a user name or a password");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn base_url_corpus_passes() {
        pactolus_fuzz_support::run_corpus("base_url", super::base_url);
    }
}
