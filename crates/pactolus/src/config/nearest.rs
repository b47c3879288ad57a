//! Spelling hints: the known name closest to an unknown one.

/// Maximum edit distance (a letter added, dropped, changed, or two swapped) that counts as a typo.
const EDITS_MAX: usize = 3;

/// The known name closest to `name`, unless it is too far to be a typo.
pub(crate) fn closest_match<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        // In a short name, three edits turn any word into any other.
        .filter(|(edits, candidate)| *edits <= EDITS_MAX && *edits * 2 < candidate.len())
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typo_matches_and_other_words_do_not() {
        let known = ["appid", "midas_key", "pf", "sandbox_midas_key"];
        assert_eq!(closest_match("midas_kay", known), Some("midas_key"));
        assert_eq!(closest_match("app_id", known), Some("appid"));
        assert_eq!(closest_match("fp", known), None);
        assert_eq!(closest_match("colour", known), None);
        assert_eq!(closest_match("", known), None);
    }
}
