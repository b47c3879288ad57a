//! Fault injection in the sandbox, so that a back end can test its error handling.
//!
//! Each app has a list of [`Rule`]s, kept in memory only. The hits of a rule follow from its seed and its count of
//! requests, so that a failed test fails again.
//! Invariant: the live environment has no faults. Rules match a [`SandboxCall`], and no live call makes one.
//! Read next: `midas/faults/inject.rs`. Usage: `docs/operating/faults.md`.

pub(crate) mod inject;

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU64;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use pactolus_protocol::{CallKind, CallPath, ErrorCode, RawCallKind, RawPath, Wire};
use pactolus_types::{AppId, Environment};

use crate::random::splitmix64;

/// Rules per app: each of its sandbox calls scans them all.
pub(crate) const RULES_MAX: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Answers with this code without running the call.
    Answer(ErrorCode),
    /// Runs the call and delays its reply.
    Delay(Duration),
    /// Closes the connection without running the call.
    CloseBefore,
    /// Runs the call and closes the connection instead of replying.
    CloseAfter,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(code) => write!(f, "answer {}", code.code()),
            Self::Delay(delay) => write!(f, "delay {} ms", delay.as_millis()),
            Self::CloseBefore => f.write_str("close before"),
            Self::CloseAfter => f.write_str("close after"),
        }
    }
}

/// When a fault is injected.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    /// The family of the calls that it matches.
    pub(crate) wire: Wire,
    /// `None` matches every call of it.
    pub(crate) call: Option<CallKind>,
    pub(crate) fault: Fault,
    /// Hits one in this many requests, on average.
    pub(crate) one_in: NonZeroU64,
    /// Selects the requests that are hit.
    pub(crate) seed: u64,
    /// Most hits; `None` is unlimited.
    pub(crate) times: Option<NonZeroU64>,
}

/// A rule and its counters since it was set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ActiveRule {
    pub(crate) rule: Rule,
    /// Requests of its call, whether another rule hit them or not.
    requests: u64,
    pub(crate) hits: u64,
}

impl ActiveRule {
    /// Counts a request. Returns whether the rule would hit it.
    fn observe(&mut self, call: SandboxCall) -> bool {
        let is_other = self.rule.call.is_some_and(|kind| Some(kind) != call.kind);
        if is_other || self.rule.wire != call.wire {
            return false;
        }
        self.requests = self.requests.wrapping_add(1);
        let is_hit = splitmix64(self.rule.seed, self.requests).is_multiple_of(self.rule.one_in.get());
        is_hit && self.rule.times.is_none_or(|times| self.hits < times.get())
    }
}

/// Witness that a call is of the sandbox.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SandboxCall {
    wire: Wire,
    /// The call of the first wire with its purpose; `None` if there is none.
    kind: Option<CallKind>,
}

impl SandboxCall {
    /// `None` for a live path.
    pub(crate) fn from_path(path: CallPath) -> Option<Self> {
        match path.environment {
            Environment::Sandbox => Some(Self { wire: Wire::Midas, kind: Some(path.kind) }),
            Environment::Live => None,
        }
    }

    /// `None` for a call in the live environment.
    pub(crate) fn from_raw(path: RawPath, environment: Environment) -> Option<Self> {
        let kind = match path.kind() {
            RawCallKind::Balance => Some(CallKind::GetBalance),
            RawCallKind::Pay => Some(CallKind::Pay),
            RawCallKind::Refund => Some(CallKind::CancelPay),
            RawCallKind::Present => Some(CallKind::Present),
            RawCallKind::TopUp => None,
        };
        match environment {
            Environment::Sandbox => Some(Self { wire: Wire::Raw(path.wire()), kind }),
            Environment::Live => None,
        }
    }
}

/// Rules by app. They outlive a reload of the settings.
#[derive(Default)]
pub(crate) struct FaultRules(Mutex<HashMap<AppId, Vec<ActiveRule>>>);

impl FaultRules {
    /// Replaces the rules of an app and resets their counters.
    pub(crate) fn set(&self, appid: AppId, rules: impl IntoIterator<Item = Rule>) {
        let rules: Vec<_> = rules.into_iter().map(|rule| ActiveRule { rule, requests: 0, hits: 0 }).collect();
        self.lock().insert(appid, rules);
    }

    pub(crate) fn get(&self, appid: AppId) -> Vec<ActiveRule> {
        self.lock().get(&appid).cloned().unwrap_or_default()
    }

    /// The fault of the first rule that hits a request.
    pub(crate) fn pick(&self, appid: AppId, call: SandboxCall) -> Option<Fault> {
        let mut apps = self.lock();
        let rules = apps.get_mut(&appid)?;
        let mut first = None;
        // Every rule counts every request of its call, so that none depends on the rules before it.
        for (index, rule) in rules.iter_mut().enumerate() {
            if rule.observe(call) && first.is_none() {
                first = Some(index);
            }
        }
        let rule = &mut rules[first?];
        rule.hits += 1;
        Some(rule.rule.fault)
    }

    /// Held while rules are counted or copied, never across an await.
    fn lock(&self) -> MutexGuard<'_, HashMap<AppId, Vec<ActiveRule>>> {
        self.0.lock().expect("nothing panics while it holds the lock")
    }
}
