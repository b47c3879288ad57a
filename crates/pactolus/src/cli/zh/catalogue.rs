//! Message catalogue: English messages of other crates, of libraries and of a remote bank, with their Chinese twins.
//!
//! The command line writes its own messages with `tr!`, in both languages. A library's errors are English, as the log
//! needs them, and a bank sends its findings in English. Here they are looked up by their text: `{}` stands for the
//! values in it, which are looked up in turn.
//!
//! A message without a twin is printed in English. The tests read the sources and fail on each such message, so a new
//! one needs a line in the table of its origin.

mod arguments;
mod calls;
mod config;
mod operator;
mod raw;
mod signatures;
mod store;
mod system;
mod values;

#[cfg(test)]
mod tests;

/// English template, Chinese template. In the Chinese one `{}` is the next value and `{0}` the first; a value after `“`
/// is quoted as it is.
type Message = (&'static str, &'static str);

const TABLES: [&[Message]; 9] = [
    arguments::MESSAGES,
    calls::MESSAGES,
    config::MESSAGES,
    operator::MESSAGES,
    raw::MESSAGES,
    signatures::MESSAGES,
    store::MESSAGES,
    system::MESSAGES,
    values::MESSAGES,
];

/// The Chinese twin of a message; `None` if the catalogue lacks it.
pub(in crate::cli) fn translate(text: &str) -> Option<String> {
    let matching = TABLES.into_iter().flatten().filter_map(|(english, chinese)| {
        let values = values_of(english, text)?;
        Some((english.len() - HOLE.len() * values.len(), chinese, values))
    });
    // The most literal template is the most specific one.
    let best = matching.max_by_key(|(literal_bytes, ..)| *literal_bytes);
    best.map(|(_, chinese, values)| fill(chinese, &values))
        .or_else(|| translate_list(text))
        .or_else(|| translate_chain(text))
}

const HOLE: &str = "{}";

/// The values of the holes if `template` matches the whole `text`. Each value is as short as possible.
fn values_of<'a>(template: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let mut literals = template.split(HOLE);
    let mut rest = text.strip_prefix(literals.next()?)?;
    let mut literals = literals.peekable();
    let mut values = Vec::new();
    while let Some(literal) = literals.next() {
        let is_last = literals.peek().is_none();
        let at = if is_last { rest.len().checked_sub(literal.len())? } else { rest.find(literal)? };
        let (value, after) = rest.split_at_checked(at)?;
        values.push(value);
        rest = after.strip_prefix(literal)?;
    }
    rest.is_empty().then_some(values)
}

/// The Chinese text with its values.
fn fill(template: &str, values: &[&str]) -> String {
    let mut text = String::new();
    let mut following = values.iter();
    let mut rest = template;
    while let Some((before, hole, after)) = next_hole(rest) {
        push_spaced(&mut text, before);
        let value = match hole {
            Some(index) => values.get(index),
            None => following.next(),
        };
        let value = value.copied().unwrap_or_default();
        if before.ends_with('“') {
            text.push_str(value);
        } else {
            push_spaced(&mut text, &translate(value).unwrap_or_else(|| value.to_owned()));
        }
        rest = after;
    }
    push_spaced(&mut text, rest);
    text
}

/// Appends a part with a space between a Chinese character and a letter or digit, and none between two Chinese ones.
fn push_spaced(text: &mut String, part: &str) {
    let is_chinese = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
    let last = text.trim_end_matches(' ').chars().last();
    let next = part.trim_start_matches(' ').chars().next();
    let chinese = (last.is_some_and(is_chinese), next.is_some_and(is_chinese));
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let is_spaced = text.ends_with(' ') || part.starts_with(' ');
    if chinese == (true, true) {
        text.truncate(text.trim_end_matches(' ').len());
        text.push_str(part.trim_start_matches(' '));
        return;
    }
    if !is_spaced && (chinese.0 && is_word(next) || chinese.1 && is_word(last)) {
        text.push(' ');
    }
    text.push_str(part);
}

/// The text before the first `{}` or `{0}`, the index in it, and the text after it. Other braces are text.
fn next_hole(template: &str) -> Option<(&str, Option<usize>, &str)> {
    template.match_indices('{').find_map(|(at, _)| {
        let (inside, after) = template[at + 1..].split_once('}')?;
        let index = inside.parse().ok();
        (inside.is_empty() || index.is_some()).then_some((&template[..at], index, after))
    })
}

/// A list of names or words: `a and b`, `a, b or c`.
fn translate_list(text: &str) -> Option<String> {
    let (first, last, joint) = text
        .rsplit_once(" or ")
        .map(|(first, last)| (first, last, "或"))
        .or_else(|| text.rsplit_once(" and ").map(|(first, last)| (first, last, "和")))?;
    let items: Vec<_> = first.split(", ").collect();
    let is_list = items.iter().chain([&last]).all(|item| !item.is_empty() && !item.contains(' '));
    is_list.then(|| format!("{} {joint} {last}", items.join("、")))
}

/// An error with its causes, each after a colon.
fn translate_chain(text: &str) -> Option<String> {
    text.match_indices(": ").find_map(|(at, colon)| {
        let (error, cause) = (&text[..at], &text[at + colon.len()..]);
        let cause = || translate(cause).unwrap_or_else(|| cause.to_owned());
        translate(error).map(|error| format!("{error}：{}", cause()))
    })
}
