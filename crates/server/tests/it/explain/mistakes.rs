//! A mistake of a client: its name, its finding, and the signature made with it.
//!
//! Read next: `sig_mistakes.rs` and `mp_sig_mistakes.rs`, the mistakes.

use super::signing_client::{SampleCall, SigningClient};

/// A mistake: its name, its finding, the request, and the signature that a client computes with it.
pub(super) struct MistakeCase {
    pub(super) name: &'static str,
    pub(super) words: &'static str,
    pub(super) sample: SampleCall,
    /// JSON fields in addition to those of the call.
    pub(super) extra: &'static str,
    /// Computes the signature. The second argument is the correct `sig`, for an `mp_sig`.
    pub(super) make: fn(SigningClient, &str) -> String,
}

pub(super) const fn case(
    name: &'static str,
    words: &'static str,
    sample: SampleCall,
    extra: &'static str,
    make: fn(SigningClient, &str) -> String,
) -> MistakeCase {
    MistakeCase { name, words, sample, extra, make }
}
