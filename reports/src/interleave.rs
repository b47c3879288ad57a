//! Interleaved measurement: each round measures every subject once, so that noise of the machine hits all alike.

use std::fmt;

use serde::Serialize;

use crate::table::format_number;

/// Measures each of `subjects` once per round. Returns the samples of each subject, in the order of the rounds.
pub fn measure_interleaved<S, T>(
    rounds: u64,
    subjects: &[S],
    mut measure: impl FnMut(&S) -> anyhow::Result<T>,
) -> anyhow::Result<Vec<Vec<T>>> {
    let mut measured: Vec<Vec<T>> = subjects.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (subject, measured) in subjects.iter().zip(&mut measured) {
            measured.push(measure(subject)?);
        }
    }
    Ok(measured)
}

/// Minimum, median and maximum of some samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Minimum.
    pub least: f64,
    /// Median.
    pub median: f64,
    /// Maximum.
    pub most: f64,
}

impl Spread {
    /// Samples in any order. The median of an even count is the lower middle one. No samples give zeros.
    pub fn from_samples(samples: impl IntoIterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = samples.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let last = figures.len().saturating_sub(1);
        let at = |index: usize| figures.get(index).copied().unwrap_or_default();
        Self { least: at(0), median: at(last / 2), most: at(last) }
    }

    /// Spread of the ratios, each of two samples of one round.
    pub fn from_ratios(
        numerators: impl IntoIterator<Item = f64>,
        denominators: impl IntoIterator<Item = f64>,
    ) -> Self {
        Self::from_samples(numerators.into_iter().zip(denominators).map(|(above, below)| above / below))
    }
}

/// `least · median · most`, with the decimals of the format's precision, such as `{:.2}`.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = f.precision().unwrap_or_default();
        let [least, median, most] =
            [self.least, self.median, self.most].map(|value| format_number(value, decimals));
        write!(f, "{least} · {median} · {most}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_interleaved_by_round() {
        let mut order = Vec::new();
        let measured = measure_interleaved(2, &["a", "b"], |subject| {
            order.push(*subject);
            Ok(order.len())
        });
        assert_eq!(measured.unwrap(), [[1, 3], [2, 4]]);
        assert_eq!(order, ["a", "b", "a", "b"]);
    }

    #[test]
    fn median_of_even_count_is_the_lower_middle() {
        let spread = |figures: &[f64]| Spread::from_samples(figures.iter().copied()).to_string();
        assert_eq!(spread(&[]), "0 · 0 · 0");
        assert_eq!(spread(&[7.0]), "7 · 7 · 7");
        assert_eq!(spread(&[3.0, 1.0, 2000.0]), "1 · 3 · 2,000");
        assert_eq!(spread(&[4.0, 1.0, 3.0, 2.0]), "1 · 2 · 4");
        assert_eq!(format!("{:.2}", Spread::from_ratios([1.0, 3.0], [2.0, 4.0])), "0.50 · 0.50 · 0.75");
    }
}
