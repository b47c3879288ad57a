//! Who is logged in: apps by access tokens, players by sessions. Both are kept in the store, sealed, and held in memory.

mod cache;
pub(crate) mod codes;
mod locks;
pub(crate) mod open;
pub(crate) mod sessions;
pub(crate) mod tokens;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// What a secret is looked up and kept by.
type Digest = [u8; 32];

/// How often a change is tried that others came before. Each time one of them got through, and nobody changes a login
/// or a token many times in the moment that a try takes.
const ATTEMPTS_MAX: usize = 8;

fn digest(text: &str) -> Digest {
    Sha256::digest(text).into()
}

/// The digits of what may be a secret.
fn to_hex(bytes: &[u8]) -> Zeroizing<String> {
    use std::fmt::Write as _;
    let mut text = Zeroizing::new(String::with_capacity(2 * bytes.len()));
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a String takes everything");
    }
    text
}
