//! Placeholders: texts of samples and templates, which anyone could guess, in the place of a secret.

/// Whether `text` is a placeholder.
pub(super) fn is_placeholder(text: &str) -> bool {
    let text = text.trim().to_lowercase();
    let words = text.replace(['-', '_', ' '], "");
    is_one_character_repeated(&text)
        || (text.starts_with('<') && text.ends_with('>'))
        || ["your-", "your_", "your "].iter().any(|your| text.starts_with(your))
        || ["changeme", "replaceme", "placeholder", "todo"].contains(&words.as_str())
}

/// `xxxx`, `...` or `…`. An empty text is not a placeholder; the parser of every secret refuses it.
fn is_one_character_repeated(text: &str) -> bool {
    let mut characters = text.chars();
    let first = characters.next();
    first.is_some() && characters.all(|c| Some(c) == first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_not_placeholders() {
        for placeholder in
            ["…", "...", "xxxxxxxx", "<midas key>", "change-me", "CHANGE_ME", "your-midas-key", "TODO"]
        {
            assert!(is_placeholder(placeholder), "{placeholder}");
        }
        for key in ["", "zNLgAGgqsEWJOg1nFVaO5r7fAlIQxr1u", "ACCESSTOKEN", "yourselves", "a-b"] {
            assert!(!is_placeholder(key), "{key}");
        }
    }
}
