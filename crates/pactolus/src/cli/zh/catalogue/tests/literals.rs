//! String literals of a Rust source, each with the calls around it.

/// A string literal.
#[derive(Debug)]
pub(super) struct Literal<'a> {
    /// From 1.
    pub(super) line: usize,
    /// Its text, with `{}` in the place of every `{…}`.
    pub(super) text: String,
    /// Names of the calls, macros, attributes and types whose brackets are open, such as `tr!`.
    pub(super) calls: Vec<&'a str>,
    /// The code before it on its line.
    pub(super) before: &'a str,
}

/// The literals of a source, without those of its tests and comments.
pub(super) fn literals(source: &str) -> Vec<Literal<'_>> {
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let mut scanner = Scanner { source, at: 0, calls: Vec::new(), literals: Vec::new() };
    while scanner.at < source.len() {
        scanner.step();
    }
    scanner.literals
}

struct Scanner<'a> {
    source: &'a str,
    at: usize,
    calls: Vec<&'a str>,
    literals: Vec<Literal<'a>>,
}

impl Scanner<'_> {
    fn step(&mut self) {
        let rest = &self.source[self.at..];
        if rest.starts_with("//") {
            self.at += rest.find('\n').unwrap_or(rest.len());
        } else if let Some(raw) = raw_literal(rest) {
            self.push(raw);
            self.at +=
                rest.find('"').unwrap() + raw.len() + 2 + rest.bytes().take_while(|b| *b != b'"').count();
        } else if rest.starts_with('"') {
            let end = literal_end(rest);
            self.push(&unescape(&rest[1..end]));
            self.at += end + 1;
        } else if let Some(length) = char_literal(rest) {
            self.at += length;
        } else {
            let c = rest.chars().next().unwrap();
            match c {
                '(' | '[' | '{' => self.calls.push(name_before(&self.source[..self.at])),
                ')' | ']' | '}' => drop(self.calls.pop()),
                _ => {}
            }
            self.at += c.len_utf8();
        }
    }

    fn push(&mut self, text: &str) {
        let before = &self.source[..self.at];
        let line = before.matches('\n').count() + 1;
        let before = before.rsplit('\n').next().unwrap();
        let text = without_names(text);
        self.literals.push(Literal { line, text, calls: self.calls.clone(), before });
    }
}

/// The text of `r"…"` or `r#"…"#`.
fn raw_literal(rest: &str) -> Option<&str> {
    let hashes = rest.strip_prefix('r')?;
    let text = hashes.trim_start_matches('#').strip_prefix('"')?;
    let hashes = &hashes[..hashes.len() - text.len() - 1];
    text.split(&format!("\"{hashes}")).next()
}

fn literal_end(rest: &str) -> usize {
    let mut is_escaped = false;
    let end = rest.char_indices().skip(1).find(|(_, c)| {
        let is_end = *c == '"' && !is_escaped;
        is_escaped = *c == '\\' && !is_escaped;
        is_end
    });
    end.map_or(rest.len() - 1, |(at, _)| at)
}

/// Length of a character literal; a lifetime is none.
fn char_literal(rest: &str) -> Option<usize> {
    let mut chars = rest.strip_prefix('\'')?.chars();
    let first = chars.next()?;
    if first == '\\' {
        return rest[3..].find('\'').map(|at| at + 4);
    }
    (chars.next() == Some('\'')).then(|| 2 + first.len_utf8())
}

fn name_before(code: &str) -> &str {
    let code = code.trim_end();
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '!');
    &code[code.trim_end_matches(is_name).len()..]
}

/// The text of a literal with the escapes that messages use.
fn unescape(literal: &str) -> String {
    let mut text = String::new();
    let mut rest = literal;
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        let escaped = after.chars().next().unwrap();
        rest = &after[escaped.len_utf8()..];
        match escaped {
            '\n' => rest = rest.trim_start(),
            'n' => text.push('\n'),
            't' => text.push('\t'),
            other => text.push(other),
        }
    }
    text + rest
}

/// The text with `{}` for `{name}`, `{0}` and `{name:?}`, and single braces for doubled ones.
fn without_names(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        plain.push_str(before);
        plain.push('{');
        if let Some(doubled) = after.strip_prefix('{') {
            rest = doubled;
            continue;
        }
        let name = after.find(|c: char| !(c.is_ascii_alphanumeric() || "_:?.#".contains(c)));
        let (name, tail) = after.split_at(name.unwrap_or(after.len()));
        rest = tail;
        if !tail.starts_with('}') {
            plain.push_str(name);
        }
    }
    (plain + rest).replace("}}", "}")
}

#[test]
fn literals_are_found_with_their_calls() {
    let source = r##"
        // "a comment" is none
        fn f<'a>(c: char) -> &'a str {
            let quote = ['"', '\'', '{'];
            expect("one \"two\" \
                    three");
            tr!(lang, "{name:?} of {0}", "{{}} x");
            #[error(r#"raw "text" here"#)]
            tracing::warn!(%error, "logged");
        }
    "##;
    let found = literals(source);
    let found: Vec<_> = found
        .iter()
        .map(|literal| (literal.line, literal.text.as_str(), *literal.calls.last().unwrap()))
        .collect();
    let expected = [
        (5, "one \"two\" three", "expect"),
        (7, "{} of {}", "tr!"),
        (7, "{} x", "tr!"),
        (8, "raw \"text\" here", "error"),
        (9, "logged", "tracing::warn!"),
    ];
    assert_eq!(found, expected);
}
