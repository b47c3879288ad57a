//! Mistakes in the set of parameters and in the form of their values.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::ControlFlow;

use super::super::SignatureFinding;
use super::super::mistake::{Mistake, NumberForm};
use super::super::scheme::{SignatureCase, SignedPair, SigningScheme, sort_pairs};
use super::super::search::{Search, SearchFlow};
use crate::midas::parameter::{JsonForm, Parameter, Presence};

const OPTIONAL: [Parameter; 3] = [Parameter::UserIp, Parameter::PayItem, Parameter::AppRemark];

/// A parameter sent but not signed, or signed but not sent.
pub(super) fn try_fields(
    case: &SignatureCase<'_>,
    base: &SigningScheme<'_>,
    search: &mut Search,
) -> SearchFlow {
    let (sent, absent): (Vec<_>, Vec<_>) =
        OPTIONAL.into_iter().partition(|parameter| base.contains(*parameter));
    for missing in subsets(&sent) {
        let signed = search.without(base, &missing)?;
        search.try_scheme(&signed, || Mistake::NotSigned(missing))?;
    }
    let needed = case.evidence.path.kind.parameters().filter(|(_, need)| *need == Presence::Required);
    for (parameter, _) in needed {
        let signed = search.without(base, &[parameter])?;
        search.try_scheme(&signed, || Mistake::NotSigned(vec![parameter]))?;
    }
    // A parameter of another call may still have been sent.
    let absent: Vec<_> =
        absent.into_iter().filter(|parameter| case.evidence.raw_text(*parameter).is_none()).collect();
    for added in subsets(&absent) {
        let mut signed = base.clone();
        for parameter in &added {
            signed = search.with(&signed, *parameter, "")?;
        }
        search.try_scheme(&signed, || Mistake::NotSent(added))?;
    }
    SearchFlow::Continue(())
}

/// Every non-empty subset, small ones first.
fn subsets(of: &[Parameter]) -> Vec<Vec<Parameter>> {
    let chosen = |bits: usize| {
        let is_in = move |index: usize| bits >> index & 1 == 1;
        of.iter().enumerate().filter(|(index, _)| is_in(*index)).map(|(_, parameter)| *parameter).collect()
    };
    let mut sets: Vec<Vec<_>> = (1..1_usize << of.len()).map(chosen).collect();
    sets.sort_by_key(Vec::len);
    sets
}

/// An integer signed as a float or in quotes.
pub(super) fn try_number_forms(base: &SigningScheme<'_>, search: &mut Search) -> SearchFlow {
    let integers: Vec<_> =
        Parameter::ALL.iter().copied().filter(|parameter| parameter.form() == JsonForm::Integer).collect();
    // The body was not validated, so the field may hold something else.
    let is_integer = |value: &str| !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let holds_one = |parameter: &Parameter| {
        base.pairs.iter().any(|(key, value)| *key == parameter.name() && is_integer(value))
    };
    let held: Vec<_> = integers.into_iter().filter(holds_one).collect();
    for parameters in subsets(&held) {
        for (form, write) in number_forms() {
            let mut pairs = search.copy_pairs(base, 2)?;
            for (key, value) in &mut pairs {
                if parameters.iter().any(|parameter| *key == parameter.name()) {
                    *value = Cow::Owned(write(value));
                }
            }
            search.try_scheme(&base.with_pairs(pairs), || Mistake::Number {
                parameters: parameters.clone(),
                form,
            })?;
        }
    }
    SearchFlow::Continue(())
}

type NumberFormatter = Box<dyn Fn(&str) -> String>;

fn number_forms() -> Vec<(NumberForm, NumberFormatter)> {
    let mut forms: Vec<(NumberForm, NumberFormatter)> = Vec::new();
    for zeros in [1, 2, 6] {
        let write: NumberFormatter = Box::new(move |digits| format!("{digits}.{}", "0".repeat(zeros)));
        forms.push((NumberForm::Fraction(zeros), write));
    }
    for letter in ["e", "E", "e+", "E+"] {
        for width in [1, 2] {
            forms.push((
                NumberForm::Exponent,
                Box::new(move |digits| format_exponent(digits, letter, width, "")),
            ));
        }
    }
    // Java writes a double below ten million with a fraction, and a larger one with an exponent.
    forms.push((
        NumberForm::FractionOrExponent,
        Box::new(|digits| {
            if digits.len() < 8 { format!("{digits}.0") } else { format_exponent(digits, "E", 1, ".0") }
        }),
    ));
    forms.push((NumberForm::Quoted, Box::new(|digits| format!("\"{digits}\""))));
    forms
}

/// `1507530737` as `1.507530737e9`; `fraction` is used if no digit but zeros follows the first.
fn format_exponent(digits: &str, letter: &str, width: usize, fraction: &str) -> String {
    let (first, rest) = digits.split_at(1);
    let rest = rest.trim_end_matches('0');
    let exponent = digits.len().saturating_sub(1);
    let mantissa = if rest.is_empty() { format!("{first}{fraction}") } else { format!("{first}.{rest}") };
    format!("{mantissa}{letter}{exponent:0width$}")
}

/// Most seconds between two readings of the clock for one request.
const CLOCK_READINGS_APART: u64 = 5;

/// The clock read twice, once for the text and once for the body; or one of them in milliseconds.
pub(super) fn try_other_times(base: &SigningScheme<'_>, search: &mut Search) -> SearchFlow {
    let sent = base.pairs.iter().find(|(key, _)| *key == Parameter::Ts.name());
    let Some(sent) = sent.and_then(|(_, value)| value.parse::<u64>().ok()) else {
        return SearchFlow::Continue(());
    };
    let apart =
        (1..=CLOCK_READINGS_APART).flat_map(|seconds| [sent.checked_sub(seconds), sent.checked_add(seconds)]);
    let in_other_unit = [sent.checked_mul(1000), Some(sent / 1000)];
    for signed in apart.chain(in_other_unit).flatten() {
        let changed = search.with(base, Parameter::Ts, signed.to_string())?;
        search.try_scheme(&changed, || Mistake::TsDiffers)?;
    }
    SearchFlow::Continue(())
}

/// Names signed in camel case, such as `openId` and `zoneId`: one of them, then all.
pub(super) fn try_name_cases(base: &SigningScheme<'_>, search: &mut Search) -> SearchFlow {
    let is_held = |parameter: &Parameter| base.contains(*parameter) && !parameter.is_proof();
    let held: Vec<_> = Parameter::ALL.iter().copied().filter(is_held).collect();
    let renamed: Vec<_> =
        held.into_iter().filter(|parameter| camel_case(*parameter) != parameter.name()).collect();
    for parameters in renamed.iter().map(std::slice::from_ref).chain([&renamed[..]]) {
        let mut pairs = search.copy_pairs(base, 2)?;
        for (key, _) in &mut pairs {
            if let Some(parameter) = parameters.iter().find(|parameter| *key == parameter.name()) {
                *key = Cow::Owned(camel_case(*parameter));
            }
        }
        sort_pairs(&mut pairs);
        search.try_scheme(&base.with_pairs(pairs), || Mistake::NameCase(parameters.to_vec()))?;
    }
    SearchFlow::Continue(())
}

/// The name as a field of a class would be called.
fn camel_case(parameter: Parameter) -> String {
    match parameter {
        Parameter::OpenId => "openId".to_owned(),
        Parameter::AppId => "appId".to_owned(),
        other => {
            let mut words = other.name().split('_');
            let first = words.next().unwrap_or_default().to_owned();
            words.fold(first, |name, word| name + &word[..1].to_ascii_uppercase() + &word[1..])
        }
    }
}

/// Texts in quotes, with JSON escapes, or percent-encoded.
pub(super) fn try_text_forms(
    case: &SignatureCase<'_>,
    base: &SigningScheme<'_>,
    search: &mut Search,
) -> SearchFlow {
    search.charge(64 * case.evidence.raw_fields.len())?;
    let written: HashMap<_, _> = case.evidence.raw_fields.iter().map(|(key, raw)| (&**key, *raw)).collect();
    let written = |key: &str| written.get(key).copied();
    let as_json =
        map_values(base, search, |key, value| written(key).map_or_else(|| quote(value), str::to_owned))?;
    search.try_scheme(&as_json, || Mistake::Quoted)?;
    let all_quoted = map_values(base, search, |_, value| quote(value))?;
    search.try_scheme(&all_quoted, || Mistake::Quoted)?;

    let escaped = map_values(base, search, |key, value| {
        let inner = written(key).and_then(|raw| raw.strip_prefix('"')?.strip_suffix('"'));
        inner.unwrap_or(value).to_owned()
    })?;
    search.try_scheme(&escaped, || Mistake::EscapesSigned)?;
    for slash in ["/", "\\/"] {
        let escaped = map_values(base, search, |_, value| escape_non_ascii(value, slash))?;
        search.try_scheme(&escaped, || Mistake::EscapesSigned)?;
    }
    for unescaped in [&b"-._~"[..], b"-._~!*'()"] {
        let encoded = map_values(base, search, |_, value| percent_encode(value, unescaped))?;
        search.try_scheme(&encoded, || Mistake::PercentEncoded)?;
    }
    SearchFlow::Continue(())
}

/// How much longer a text form is: JSON writes at most six bytes for one of the text.
const TEXT_FORM_GROWTH: usize = 6;

fn map_values<'a>(
    base: &SigningScheme<'a>,
    search: &mut Search,
    change: impl Fn(&str, &str) -> String,
) -> ControlFlow<SignatureFinding, SigningScheme<'a>> {
    search.charge(TEXT_FORM_GROWTH * base.pairs_bytes())?;
    let changed = |(key, value): &SignedPair<'a>| (key.clone(), Cow::Owned(change(key, value)));
    ControlFlow::Continue(base.with_pairs(base.pairs.iter().map(changed).collect()))
}

fn quote(text: &str) -> String {
    format!("\"{text}\"")
}

/// As an ASCII-only JSON encoder writes it.
fn escape_non_ascii(text: &str, slash: &str) -> String {
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

fn percent_encode(text: &str, unescaped: &[u8]) -> String {
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
