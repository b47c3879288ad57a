//! Whether a soaked bank leaks or stalls.
//!
//! A leak is told by the longest life of the process, the last one, in which nobody kills it. Its first quarter is left
//! out: caches fill. Then the median of the last quarter is held against that of the second: a median does not care for
//! a peak, and both quarters see the same load. What may still fill meanwhile, the engine's table of records above all,
//! has [`Rules::growth_max_bytes`]. So a bank passes that levels off, wherever; and one that leaks 14 bytes with every
//! call does not, in an hour at 2,000 calls a second. That it levels off where its settings say is another rule: no look
//! may see more memory than they allow.
//!
//! A stall is a call that waited for longer than [`Rules::stall_ms`], not counting what it waited while the bank was down
//! for a kill and what had queued up meanwhile was worked off ([`Window`]).

use std::time::Duration;

use serde::Serialize;

use super::samples::Sample;

/// A call, by milliseconds since the soak began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) due_ms: u64,
    pub(super) answered_ms: u64,
}

impl Call {
    pub(super) const fn waited_ms(self) -> u64 {
        self.answered_ms.saturating_sub(self.due_ms)
    }

    /// How much of its wait no kill excuses.
    pub(super) fn waited_outside_ms(self, windows: &[Window]) -> u64 {
        let excused: u64 = windows.iter().map(|window| window.share_of(self)).sum();
        self.waited_ms().saturating_sub(excused)
    }
}

/// When the bank was down for a kill, and some time afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Window {
    pub(super) from_ms: u64,
    pub(super) to_ms: u64,
}

impl Window {
    /// Whether it has a moment of this time in it.
    pub(super) const fn meets(self, from_ms: u64, to_ms: u64) -> bool {
        from_ms <= self.to_ms && self.from_ms <= to_ms
    }

    pub(super) const fn holds(self, at_ms: u64) -> bool {
        self.meets(at_ms, at_ms)
    }

    /// How much of a call's wait was in it.
    fn share_of(self, call: Call) -> u64 {
        call.answered_ms.min(self.to_ms).saturating_sub(call.due_ms.max(self.from_ms))
    }
}

/// What is allowed.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Rules {
    /// The longest that a call may wait.
    pub(super) stall_ms: u64,
    /// The most memory at any time.
    pub(super) memory_max_bytes: u64,
    /// How much more of it at the end of the longest life than in its second quarter.
    pub(super) growth_max_bytes: u64,
    /// The most open files and connections at any time.
    pub(super) handles_max: u64,
    /// How many more of them at the end of the longest life: connections come and go, and files of the journal and the
    /// views come.
    pub(super) handles_growth_max: u64,
    /// The most threads at any time.
    pub(super) threads_max: u64,
    /// How many more of them at the end of the longest life.
    pub(super) threads_growth_max: u64,
    /// How long a life has to be to tell of growth.
    pub(super) telling_life_s: f64,
}

impl Rules {
    pub(super) fn new(stall: Duration, memory_max_bytes: u64, connections: u64) -> Self {
        Self {
            stall_ms: u64::try_from(stall.as_millis()).unwrap_or(u64::MAX),
            memory_max_bytes,
            growth_max_bytes: 16 << 20,
            // Each twice while it is opened anew, and the files of the store.
            handles_max: 2 * connections + 128,
            handles_growth_max: 16,
            threads_max: 64,
            threads_growth_max: 1,
            telling_life_s: 600.0,
        }
    }
}

/// Something that a bank must not do.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum Finding {
    #[error(
        "a stall: {calls} calls outside of kills waited for longer than {allowed_ms} ms, one for {longest_ms} ms after {at_s} s"
    )]
    Stall { calls: usize, longest_ms: u64, at_s: u64, allowed_ms: u64 },
    #[error("{what}: {seen} after {at_s:.0} s, where {allowed} are allowed")]
    TooMany { what: &'static str, seen: u64, allowed: u64, at_s: f64 },
    #[error(
        "{what} leaks: from {before} in the second quarter of the longest life to {after} in its last, where {allowed} more are allowed"
    )]
    Growth { what: &'static str, before: u64, after: u64, allowed: u64 },
}

/// How a quantity went on in the longest life.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Growth {
    /// The median of the second quarter.
    pub(super) before: u64,
    /// The median of the last.
    pub(super) after: u64,
}

/// A quantity that is watched.
struct Watched {
    what: &'static str,
    of: fn(&Sample) -> u64,
    most: u64,
    growth_most: u64,
}

/// All that breaks the rules.
pub(super) fn judge(samples: &[Sample], slow: &[Call], windows: &[Window], rules: &Rules) -> Vec<Finding> {
    let watched = [
        Watched {
            what: "MiB of memory",
            of: |sample| sample.memory_bytes >> 20,
            most: rules.memory_max_bytes >> 20,
            growth_most: rules.growth_max_bytes >> 20,
        },
        Watched {
            what: "file handles",
            of: |sample| sample.handles,
            most: rules.handles_max,
            growth_most: rules.handles_growth_max,
        },
        Watched {
            what: "threads",
            of: |sample| sample.threads,
            most: rules.threads_max,
            growth_most: rules.threads_growth_max,
        },
    ];
    let too_many = watched.iter().filter_map(|Watched { what, of, most, .. }| {
        let sample = samples.iter().max_by_key(|sample| of(sample))?;
        let seen = of(sample);
        (seen > *most).then_some(Finding::TooMany { what, seen, allowed: *most, at_s: sample.at_s })
    });
    let growing = watched.iter().filter_map(|Watched { what, of, growth_most, .. }| {
        let Growth { before, after } = growth(samples, rules, *of)?;
        let allowed = *growth_most;
        (after > before + allowed).then_some(Finding::Growth { what, before, after, allowed })
    });
    stall(slow, windows, rules).into_iter().chain(too_many).chain(growing).collect()
}

/// The calls that a kill met.
pub(super) fn around<'a>(slow: &'a [Call], windows: &'a [Window]) -> impl Iterator<Item = Call> + 'a {
    slow.iter().copied().filter(|call| windows.iter().any(|window| window.share_of(*call) > 0))
}

fn stall(slow: &[Call], windows: &[Window], rules: &Rules) -> Option<Finding> {
    let waits = || slow.iter().map(|call| (call.waited_outside_ms(windows), call));
    let (longest_ms, longest) = waits().max_by_key(|(waited_ms, _)| *waited_ms)?;
    let calls = waits().filter(|(waited_ms, _)| *waited_ms > rules.stall_ms).count();
    let (at_s, allowed_ms) = (longest.due_ms / 1000, rules.stall_ms);
    (calls > 0).then_some(Finding::Stall { calls, longest_ms, at_s, allowed_ms })
}

/// How a quantity went on in the longest life, if that is long enough to tell.
pub(super) fn growth(samples: &[Sample], rules: &Rules, of: fn(&Sample) -> u64) -> Option<Growth> {
    let longest = samples.chunk_by(|one, next| one.life == next.life).max_by_key(|life| life.len())?;
    if longest.last()?.at_s - longest.first()?.at_s < rules.telling_life_s {
        return None;
    }
    let quarter = longest.len() / 4;
    let median = |samples: &[Sample]| {
        let mut seen: Vec<_> = samples.iter().map(of).collect();
        seen.sort_unstable();
        seen.get(seen.len() / 2).copied()
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

    /// A life of two minutes and one of twenty, with a look every five seconds, at which `hold` makes of the seconds of
    /// the life what is held.
    fn lives(hold: impl Fn(&mut Sample, f64)) -> Vec<Sample> {
        let looks = (0..24).map(|look| (0, look)).chain((0..240).map(|look| (1, look)));
        let at = |(life, look): (usize, u32)| {
            let since = f64::from(look) * 5.0;
            let mut sample = Sample {
                at_s: if life == 0 { since } else { 125.0 + since },
                life,
                memory_bytes: 80 * MIB,
                handles: 100,
                threads: 12,
                cpu_percent: 10.0,
                store_bytes: 0,
                calls: 0,
                latency: LatencySamples::default().summarize(),
                troubles: Default::default(),
                unexpected: 0,
            };
            hold(&mut sample, since);
            sample
        };
        looks.map(at).collect()
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small figures")]
    fn whole(figure: f64) -> u64 {
        figure as u64
    }

    fn judged(samples: &[Sample]) -> Vec<Finding> {
        judge(samples, &[], &[], &rules())
    }

    #[test]
    fn what_levels_off_is_no_leak() {
        assert_eq!(judged(&lives(|_, _| {})), []);
        // Caches that fill in the first five minutes, and a peak now and then as when runs are merged.
        let filling = lives(|sample, since| {
            sample.memory_bytes += whole(since.min(300.0) / 2.0) * MIB + whole(since) % 7 / 6 * 40 * MIB;
            sample.handles += whole(since) % 20;
        });
        assert_eq!(judged(&filling), []);
    }

    #[test]
    fn what_goes_on_growing_is_a_leak() {
        // Sixteen bytes a call, at 2,000 a second: under every bound, but it does not end.
        let memory = lives(|sample, since| sample.memory_bytes += whole(since * 2000.0 * 16.0));
        assert!(
            matches!(judged(&memory)[..], [Finding::Growth { what: "MiB of memory", .. }]),
            "{:?}",
            judged(&memory)
        );
        // It is told through a saw that is ten times as high as the growth between two of its teeth.
        let saw = lives(|sample, since| {
            sample.memory_bytes += whole(since * 2000.0 * 20.0) + whole(since) % 60 * MIB;
        });
        assert!(
            matches!(judged(&saw)[..], [Finding::Growth { what: "MiB of memory", .. }]),
            "{:?}",
            judged(&saw)
        );
        let handles = lives(|sample, since| sample.handles += whole(since / 20.0));
        assert!(matches!(judged(&handles)[..], [Finding::Growth { what: "file handles", .. }]));
        let threads = lives(|sample, since| sample.threads += whole(since / 200.0));
        assert!(matches!(judged(&threads)[..], [Finding::Growth { what: "threads", .. }]));
    }

    #[test]
    fn a_short_life_tells_nothing_of_growth_but_is_bounded() {
        let samples = lives(|sample, since| sample.memory_bytes += whole(since * 2000.0 * 16.0));
        let short: Vec<_> = samples.into_iter().filter(|sample| sample.life == 0).collect();
        assert_eq!(growth(&short, &rules(), |sample| sample.memory_bytes), None);
        assert_eq!(judged(&short), []);
        let mut large = short;
        large[3].memory_bytes = 301 * MIB;
        let expected = Finding::TooMany { what: "MiB of memory", seen: 301, allowed: 300, at_s: 15.0 };
        assert_eq!(judged(&large), [expected]);
    }

    #[test]
    fn a_stall_is_found_and_named() {
        let slow = [(1000, 1500), (7000, 9001), (8000, 12_000)];
        let slow = slow.map(|(due_ms, answered_ms)| Call { due_ms, answered_ms });
        let found = judge(&lives(|_, _| {}), &slow, &[], &rules());
        assert_eq!(found, [Finding::Stall { calls: 2, longest_ms: 4000, at_s: 8, allowed_ms: 2000 }]);
        assert_eq!(judge(&lives(|_, _| {}), &slow[..1], &[], &rules()), []);
    }

    #[test]
    fn a_stall_around_a_kill_is_not_counted() {
        let window = Window { from_ms: 10_000, to_ms: 15_000 };
        let cases = [
            // Due before the kill, in it, and just before its end.
            (9000, 12_500, 0),
            (11_000, 14_000, 0),
            (14_000, 17_000, 0),
            // Answered before the kill, and due after its end.
            (7000, 9999, 1),
            (15_001, 18_000, 1),
            // A kill does not excuse what stood still before it or long after it.
            (7000, 12_000, 1),
            (14_000, 18_000, 1),
        ];
        for (due_ms, answered_ms, findings) in cases {
            let found = judge(&lives(|_, _| {}), &[Call { due_ms, answered_ms }], &[window], &rules());
            assert_eq!(found.len(), findings, "{due_ms} {answered_ms}");
        }
    }
}
