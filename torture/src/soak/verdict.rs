//! Verdict: whether the bank leaks or stalls.
//!
//! A leak is judged by the longest run of the process, the last one, which has no kills. Its first quarter is left
//! out, because caches fill. The median of the last quarter is compared with that of the second: a median ignores
//! peaks, and both quarters have the same load. [`Rules::growth_max_bytes`] allows for what may still fill meanwhile,
//! above all redb's table of records. So a bank whose memory levels off passes, at any level. A bank that leaks 14
//! bytes with every call does not, in an hour at 2,000 calls a second. A second rule bounds the level: no sample may
//! have more memory than the settings allow.
//!
//! A stall is a call that waited for longer than [`Rules::stall_ms`]. The wait does not count while the bank was down
//! for a kill and while the backlog of that time was worked off ([`KillWindow`]).

use std::time::Duration;

use serde::Serialize;

use super::samples::Sample;

/// Times of a call, in milliseconds since the soak began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CallTiming {
    pub(super) due_ms: u64,
    pub(super) answered_ms: u64,
}

impl CallTiming {
    pub(super) const fn wait_ms(self) -> u64 {
        self.answered_ms.saturating_sub(self.due_ms)
    }

    /// The wait outside of kill windows.
    pub(super) fn unexcused_wait_ms(self, windows: &[KillWindow]) -> u64 {
        let excused: u64 = windows.iter().map(|window| window.overlap_ms(self)).sum();
        self.wait_ms().saturating_sub(excused)
    }
}

/// Downtime of a kill, and the catch-up time after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct KillWindow {
    pub(super) from_ms: u64,
    pub(super) to_ms: u64,
}

impl KillWindow {
    /// Whether the window and this interval share a moment.
    pub(super) const fn overlaps(self, from_ms: u64, to_ms: u64) -> bool {
        from_ms <= self.to_ms && self.from_ms <= to_ms
    }

    pub(super) const fn contains(self, at_ms: u64) -> bool {
        self.overlaps(at_ms, at_ms)
    }

    /// The part of a call's wait inside the window.
    fn overlap_ms(self, call: CallTiming) -> u64 {
        call.answered_ms.min(self.to_ms).saturating_sub(call.due_ms.max(self.from_ms))
    }
}

/// Limits.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Rules {
    /// Longest wait of a call.
    pub(super) stall_ms: u64,
    /// Limit of memory in every sample.
    pub(super) memory_max_bytes: u64,
    /// Limit of memory growth from the second to the last quarter of the longest run.
    pub(super) growth_max_bytes: u64,
    /// Limit of open files and connections in every sample.
    pub(super) handles_max: u64,
    /// Limit of their growth: connections come and go, and the journal and the views gain files.
    pub(super) handles_growth_max: u64,
    /// Limit of threads in every sample.
    pub(super) threads_max: u64,
    /// Limit of their growth.
    pub(super) threads_growth_max: u64,
    /// Shortest run, in seconds, whose growth is judged.
    pub(super) telling_life_s: f64,
}

impl Rules {
    pub(super) fn new(stall: Duration, memory_max_bytes: u64, connections: u64) -> Self {
        Self {
            stall_ms: u64::try_from(stall.as_millis()).unwrap_or(u64::MAX),
            memory_max_bytes,
            growth_max_bytes: 16 << 20,
            // Each connection counts twice while it is reopened; the rest is for the files of the store.
            handles_max: 2 * connections + 128,
            handles_growth_max: 16,
            threads_max: 64,
            threads_growth_max: 1,
            telling_life_s: 600.0,
        }
    }
}

/// A violation of the rules.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum Finding {
    #[error(
        "a stall: {calls} calls outside of kills waited for longer than {allowed_ms} ms, one for {longest_ms} ms after {at_s} s"
    )]
    Stall { calls: usize, longest_ms: u64, at_s: u64, allowed_ms: u64 },
    #[error("{what}: {seen} after {at_s:.0} s, where {allowed} are allowed")]
    LimitExceeded { what: &'static str, seen: u64, allowed: u64, at_s: f64 },
    #[error(
        "{what} leaks: from {before} in the second quarter of the longest run to {after} in its last, where {allowed} more are allowed"
    )]
    Leak { what: &'static str, before: u64, after: u64, allowed: u64 },
}

/// Growth of a quantity in the longest run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Growth {
    /// Median of the second quarter.
    pub(super) before: u64,
    /// Median of the last quarter.
    pub(super) after: u64,
}

/// A sampled quantity with its limits.
struct Metric {
    name: &'static str,
    value: fn(&Sample) -> u64,
    limit: u64,
    growth_limit: u64,
}

/// Every violation of the rules.
pub(super) fn judge(
    samples: &[Sample],
    slow: &[CallTiming],
    windows: &[KillWindow],
    rules: &Rules,
) -> Vec<Finding> {
    let watched = [
        Metric {
            name: "MiB of memory",
            value: |sample| sample.memory_bytes >> 20,
            limit: rules.memory_max_bytes >> 20,
            growth_limit: rules.growth_max_bytes >> 20,
        },
        Metric {
            name: "file handles",
            value: |sample| sample.handles,
            limit: rules.handles_max,
            growth_limit: rules.handles_growth_max,
        },
        Metric {
            name: "threads",
            value: |sample| sample.threads,
            limit: rules.threads_max,
            growth_limit: rules.threads_growth_max,
        },
    ];
    let too_many = watched.iter().filter_map(|Metric { name: what, value: of, limit: most, .. }| {
        let sample = samples.iter().max_by_key(|sample| of(sample))?;
        let seen = of(sample);
        (seen > *most).then_some(Finding::LimitExceeded { what, seen, allowed: *most, at_s: sample.at_s })
    });
    let growing =
        watched.iter().filter_map(|Metric { name: what, value: of, growth_limit: growth_most, .. }| {
            let Growth { before, after } = growth(samples, rules, *of)?;
            let allowed = *growth_most;
            (after > before + allowed).then_some(Finding::Leak { what, before, after, allowed })
        });
    find_stall(slow, windows, rules).into_iter().chain(too_many).chain(growing).collect()
}

/// The calls that waited during a kill window.
pub(super) fn calls_around_kills<'a>(
    slow: &'a [CallTiming],
    windows: &'a [KillWindow],
) -> impl Iterator<Item = CallTiming> + 'a {
    slow.iter().copied().filter(|call| windows.iter().any(|window| window.overlap_ms(*call) > 0))
}

fn find_stall(slow: &[CallTiming], windows: &[KillWindow], rules: &Rules) -> Option<Finding> {
    let waits = || slow.iter().map(|call| (call.unexcused_wait_ms(windows), call));
    let (longest_ms, longest) = waits().max_by_key(|(waited_ms, _)| *waited_ms)?;
    let calls = waits().filter(|(waited_ms, _)| *waited_ms > rules.stall_ms).count();
    let (at_s, allowed_ms) = (longest.due_ms / 1000, rules.stall_ms);
    (calls > 0).then_some(Finding::Stall { calls, longest_ms, at_s, allowed_ms })
}

/// Growth in the longest run; `None` if that is shorter than [`Rules::telling_life_s`].
pub(super) fn growth(samples: &[Sample], rules: &Rules, of: fn(&Sample) -> u64) -> Option<Growth> {
    let longest = samples.chunk_by(|one, next| one.run_no == next.run_no).max_by_key(|run| run.len())?;
    if longest.last()?.at_s - longest.first()?.at_s < rules.telling_life_s {
        return None;
    }
    let quarter = longest.len() / 4;
    let median = |samples: &[Sample]| {
        let mut values: Vec<_> = samples.iter().map(of).collect();
        values.sort_unstable();
        values.get(values.len() / 2).copied()
    };
    Some(Growth {
        before: median(longest.get(quarter..2 * quarter)?)?,
        after: median(longest.get(longest.len() - quarter..)?)?,
    })
}

#[cfg(test)]
mod tests {
    use pactolus_reports::latency::LatencySamples;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn rules() -> Rules {
        Rules::new(Duration::from_secs(2), 300 * MIB, 64)
    }

    /// A run of two minutes and one of twenty, with a sample every five seconds. `hold` sets a sample's values from
    /// the seconds since its run began.
    fn two_runs(hold: impl Fn(&mut Sample, f64)) -> Vec<Sample> {
        let looks = (0..24).map(|look| (0, look)).chain((0..240).map(|look| (1, look)));
        let at = |(life, look): (usize, u32)| {
            let since = f64::from(look) * 5.0;
            let mut sample = Sample {
                at_s: if life == 0 { since } else { 125.0 + since },
                run_no: life,
                memory_bytes: 80 * MIB,
                handles: 100,
                threads: 12,
                cpu_percent: 10.0,
                store_bytes: 0,
                calls: 0,
                latency: LatencySamples::default().summarize(),
                failures: Default::default(),
                unexpected: 0,
            };
            hold(&mut sample, since);
            sample
        };
        looks.map(at).collect()
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small figures")]
    fn truncate(figure: f64) -> u64 {
        figure as u64
    }

    fn judge_samples(samples: &[Sample]) -> Vec<Finding> {
        judge(samples, &[], &[], &rules())
    }

    #[test]
    fn plateau_is_not_a_leak() {
        assert_eq!(judge_samples(&two_runs(|_, _| {})), []);
        // Caches that fill in the first five minutes, and peaks such as merges of runs cause.
        let filling = two_runs(|sample, since| {
            sample.memory_bytes +=
                truncate(since.min(300.0) / 2.0) * MIB + truncate(since) % 7 / 6 * 40 * MIB;
            sample.handles += truncate(since) % 20;
        });
        assert_eq!(judge_samples(&filling), []);
    }

    #[test]
    fn steady_growth_is_a_leak() {
        // Sixteen bytes a call at 2,000 calls a second: below every limit, but unbounded.
        let memory = two_runs(|sample, since| sample.memory_bytes += truncate(since * 2000.0 * 16.0));
        assert!(
            matches!(judge_samples(&memory)[..], [Finding::Leak { what: "MiB of memory", .. }]),
            "{:?}",
            judge_samples(&memory)
        );
        // Detected under a sawtooth that is far higher than the growth within one of its periods.
        let saw = two_runs(|sample, since| {
            sample.memory_bytes += truncate(since * 2000.0 * 20.0) + truncate(since) % 60 * MIB;
        });
        assert!(
            matches!(judge_samples(&saw)[..], [Finding::Leak { what: "MiB of memory", .. }]),
            "{:?}",
            judge_samples(&saw)
        );
        let handles = two_runs(|sample, since| sample.handles += truncate(since / 20.0));
        assert!(matches!(judge_samples(&handles)[..], [Finding::Leak { what: "file handles", .. }]));
        let threads = two_runs(|sample, since| sample.threads += truncate(since / 200.0));
        assert!(matches!(judge_samples(&threads)[..], [Finding::Leak { what: "threads", .. }]));
    }

    #[test]
    fn short_run_is_checked_against_limits_only() {
        let samples = two_runs(|sample, since| sample.memory_bytes += truncate(since * 2000.0 * 16.0));
        let short: Vec<_> = samples.into_iter().filter(|sample| sample.run_no == 0).collect();
        assert_eq!(growth(&short, &rules(), |sample| sample.memory_bytes), None);
        assert_eq!(judge_samples(&short), []);
        let mut large = short;
        large[3].memory_bytes = 301 * MIB;
        let expected = Finding::LimitExceeded { what: "MiB of memory", seen: 301, allowed: 300, at_s: 15.0 };
        assert_eq!(judge_samples(&large), [expected]);
    }

    #[test]
    fn stall_is_reported() {
        let slow = [(1000, 1500), (7000, 9001), (8000, 12_000)];
        let slow = slow.map(|(due_ms, answered_ms)| CallTiming { due_ms, answered_ms });
        let found = judge(&two_runs(|_, _| {}), &slow, &[], &rules());
        assert_eq!(found, [Finding::Stall { calls: 2, longest_ms: 4000, at_s: 8, allowed_ms: 2000 }]);
        assert_eq!(judge(&two_runs(|_, _| {}), &slow[..1], &[], &rules()), []);
    }

    #[test]
    fn stall_around_a_kill_is_excused() {
        let window = KillWindow { from_ms: 10_000, to_ms: 15_000 };
        let cases = [
            // Due before the kill window, in it, and just before its end.
            (9000, 12_500, 0),
            (11_000, 14_000, 0),
            (14_000, 17_000, 0),
            // Answered before the kill window, and due after its end.
            (7000, 9999, 1),
            (15_001, 18_000, 1),
            // A kill does not excuse a stall before it or long after it.
            (7000, 12_000, 1),
            (14_000, 18_000, 1),
        ];
        for (due_ms, answered_ms, findings) in cases {
            let found =
                judge(&two_runs(|_, _| {}), &[CallTiming { due_ms, answered_ms }], &[window], &rules());
            assert_eq!(found.len(), findings, "{due_ms} {answered_ms}");
        }
    }
}
