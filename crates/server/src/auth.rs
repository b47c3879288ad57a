//! Authentication: access tokens for apps, sessions for players. Both are stored sealed and cached in memory.

mod cache;
pub(crate) mod codes;
mod locks;
pub(crate) mod open;
pub(crate) mod sessions;
pub(crate) mod token_place;
pub(crate) mod tokens;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// SHA-256 of a secret: its key in the store and in the cache.
type Digest = [u8; 32];

/// Attempts at a compare-and-set. A lost attempt means that another change got through, and no session or token
/// changes many times while one attempt runs.
const ATTEMPTS_MAX: usize = 8;

fn digest(text: &str) -> Digest {
    Sha256::digest(text).into()
}

/// Lowercase hex, zeroed on drop: it may be a secret.
fn to_hex(bytes: &[u8]) -> Zeroizing<String> {
    use std::fmt::Write as _;
    let mut text = Zeroizing::new(String::with_capacity(2 * bytes.len()));
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a String takes everything");
    }
    text
}
