//! Parameters left out or added, and values signed in another form than they were sent in.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;

use super::super::mistake::{Mistake, NumberForm};
use super::super::scheme::{Case, Pair, Recipe};
use super::super::search::{Search, Step};
use crate::parameter::{Form, Need, Parameter};

/// What a call may do without.
const OPTIONAL: [Parameter; 3] = [Parameter::UserIp, Parameter::PayItem, Parameter::AppRemark];

/// A parameter sent but not signed, or signed but not sent.
pub(super) fn fields(case: &Case<'_>, base: &Recipe<'_>, search: &mut Search) -> Step {
    let (sent, absent): (Vec<_>, Vec<_>) = OPTIONAL.into_iter().partition(|parameter| base.holds(*parameter));
    for missing in sets(&sent) {
        let signed = missing.iter().fold(base.clone(), |recipe, parameter| recipe.without(*parameter));
        search.attempt(&signed, || Mistake::NotSigned(missing))?;
    }
    let needed = case.evidence.path.kind.parameters().filter(|(_, need)| *need == Need::Needed);
    for (parameter, _) in needed {
        search.attempt(&base.without(parameter), || Mistake::NotSigned(vec![parameter]))?;
    }
    // What is sent, and is not a parameter of this call, was sent all the same.
    let absent: Vec<_> =
        absent.into_iter().filter(|parameter| case.evidence.sent(*parameter).is_none()).collect();
    for added in sets(&absent) {
        let signed = added.iter().fold(base.clone(), |recipe, parameter| recipe.with(*parameter, ""));
        search.attempt(&signed, || Mistake::NotSent(added))?;
    }
    Step::Continue(())
}

/// Every set of some of these, small ones first.
fn sets(of: &[Parameter]) -> Vec<Vec<Parameter>> {
    let chosen = |bits: usize| {
        let is_in = move |index: usize| bits >> index & 1 == 1;
        of.iter().enumerate().filter(|(index, _)| is_in(*index)).map(|(_, parameter)| *parameter).collect()
    };
    let mut sets: Vec<Vec<_>> = (1..1_usize << of.len()).map(chosen).collect();
    sets.sort_by_key(Vec::len);
    sets
}

/// An integer that was made a float or a text on its way into the text.
pub(super) fn numbers(_case: &Case<'_>, base: &Recipe<'_>, search: &mut Search) -> Step {
    let integers: Vec<_> =
        Parameter::ALL.iter().copied().filter(|parameter| parameter.form() == Form::Integer).collect();
    // Whoever explains a body by hand may have one that holds something else there.
    let is_integer = |value: &str| !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let holds_one = |parameter: &Parameter| {
        base.pairs.iter().any(|(key, value)| *key == parameter.name() && is_integer(value))
    };
    let held: Vec<_> = integers.into_iter().filter(holds_one).collect();
    for parameters in sets(&held) {
        for (form, write) in number_forms() {
            let mut signed = base.clone();
            for (key, value) in &mut signed.pairs {
                if parameters.iter().any(|parameter| *key == parameter.name()) {
                    *value = Cow::Owned(write(value));
                }
            }
            search.attempt(&signed, || Mistake::Number { parameters: parameters.clone(), form })?;
        }
    }
    Step::Continue(())
}

type Write = Box<dyn Fn(&str) -> String>;

fn number_forms() -> Vec<(NumberForm, Write)> {
    let mut forms: Vec<(NumberForm, Write)> = Vec::new();
    for zeros in [1, 2, 6] {
        let write: Write = Box::new(move |digits| format!("{digits}.{}", "0".repeat(zeros)));
        forms.push((NumberForm::Fraction(zeros), write));
    }
    for letter in ["e", "E", "e+", "E+"] {
        for width in [1, 2] {
            forms.push((NumberForm::Exponent, Box::new(move |digits| exponent(digits, letter, width, ""))));
        }
    }
    // Java writes a double below ten million with a fraction, and others with an exponent.
    forms.push((
        NumberForm::FractionOrExponent,
        Box::new(
            |digits| if digits.len() < 8 { format!("{digits}.0") } else { exponent(digits, "E", 1, ".0") },
        ),
    ));
    forms.push((NumberForm::Quoted, Box::new(|digits| format!("\"{digits}\""))));
    forms
}

/// `1507530737` as `1.507530737e9`; `fraction` goes where no digit follows the first.
fn exponent(digits: &str, letter: &str, width: usize, fraction: &str) -> String {
    let (first, rest) = digits.split_at(1);
    let rest = rest.trim_end_matches('0');
    let exponent = digits.len().saturating_sub(1);
    let mantissa = if rest.is_empty() { format!("{first}{fraction}") } else { format!("{first}.{rest}") };
    format!("{mantissa}{letter}{exponent:0width$}")
}

/// Texts in quotes, with escapes, percent-encoded.
pub(super) fn texts(case: &Case<'_>, base: &Recipe<'_>, search: &mut Search) -> Step {
    let written: HashMap<_, _> = case.evidence.written.iter().map(|(key, raw)| (&**key, *raw)).collect();
    let written = |key: &str| written.get(key).copied();
    let as_json = changed(base, |key, value| written(key).map_or_else(|| quoted(value), str::to_owned));
    search.attempt(&as_json, || Mistake::Quoted)?;
    let all_quoted = changed(base, |_, value| quoted(value));
    search.attempt(&all_quoted, || Mistake::Quoted)?;

    let escaped = changed(base, |key, value| {
        let inner = written(key).and_then(|raw| raw.strip_prefix('"')?.strip_suffix('"'));
        inner.unwrap_or(value).to_owned()
    });
    search.attempt(&escaped, || Mistake::EscapesSigned)?;
    for slash in ["/", "\\/"] {
        let escaped = changed(base, |_, value| escaped_for_ascii(value, slash));
        search.attempt(&escaped, || Mistake::EscapesSigned)?;
    }
    for unescaped in [&b"-._~"[..], b"-._~!*'()"] {
        let encoded = changed(base, |_, value| percent_encoded(value, unescaped));
        search.attempt(&encoded, || Mistake::PercentEncoded)?;
    }
    Step::Continue(())
}

fn changed<'a>(base: &Recipe<'a>, change: impl Fn(&str, &str) -> String) -> Recipe<'a> {
    let changed = |(key, value): &Pair<'a>| (key.clone(), Cow::Owned(change(key, value)));
    Recipe { pairs: base.pairs.iter().map(changed).collect(), ..base.clone() }
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

/// As encoders write JSON that is ASCII only.
fn escaped_for_ascii(text: &str, slash: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '/' => escaped.push_str(slash),
            '"' | '\\' => escaped.extend(['\\', c]),
            _ if c.is_ascii() => escaped.push(c),
            _ => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                write!(escaped, "\\u{unit:04x}").expect("a String takes everything");
            }),
        }
    }
    escaped
}

fn percent_encoded(text: &str, unescaped: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || unescaped.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a String takes everything");
        }
    }
    encoded
}
