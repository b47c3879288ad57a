//! Faults on demand: what the sandbox does wrong when it is told to, so that a back end can test what it does then.
//!
//! An app has a list of [`Rule`]s, kept in memory only. Which requests a rule hits follows from its seed and from how
//! many requests it has seen, so that a test that failed once fails again.
//! The live environment never does any of it: rules are asked about a [`SandboxCall`], and no live path makes one.
//! Read `midas/faults/inject.rs` next: where the faults happen. How to use them: `docs/operating/faults.md`.

pub(crate) mod inject;

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU64;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use pactolus_protocol::{CallKind, CallPath, ErrorCode};
use pactolus_types::{AppId, Environment};

use crate::random::splitmix64;

/// The most rules of an app: each of its sandbox calls looks at them all.
pub(crate) const RULES_MAX: usize = 32;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The call is not done, and answered with this code.
    Answer(ErrorCode),
    /// The call is done, and its reply held back.
    Delay(Duration),
    /// The connection is closed, and the call is not done.
    CloseBefore,
    /// The call is done, and the connection closed in place of the reply.
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

/// When something goes wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    /// For which call; for any where there is none.
    pub(crate) call: Option<CallKind>,
    pub(crate) fault: Fault,
    /// For one in how many requests, on average.
    pub(crate) one_in: NonZeroU64,
    /// Which of them.
    pub(crate) seed: u64,
    /// How often at most.
    pub(crate) times: Option<NonZeroU64>,
}

/// A rule, and what it has done since it was set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ActiveRule {
    pub(crate) rule: Rule,
    /// How many requests of its call came in, whether another rule hit them or not.
    requests: u64,
    pub(crate) hits: u64,
}

impl ActiveRule {
    /// Looks at the next request; says whether the rule would hit it.
    fn observe(&mut self, call: SandboxCall) -> bool {
        if self.rule.call.is_some_and(|kind| kind != call.0) {
            return false;
        }
        self.requests = self.requests.wrapping_add(1);
        let drawn = splitmix64(self.rule.seed, self.requests).is_multiple_of(self.rule.one_in.get());
        drawn && self.rule.times.is_none_or(|times| self.hits < times.get())
    }
}

/// A call of the sandbox.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SandboxCall(CallKind);

impl SandboxCall {
    /// The call of a path; none if it is a live one.
    pub(crate) fn from_path(path: CallPath) -> Option<Self> {
        match path.environment {
            Environment::Sandbox => Some(Self(path.kind)),
            Environment::Live => None,
        }
    }
}

/// The rules of all apps.
pub(crate) struct FaultRules(HashMap<AppId, Mutex<Vec<ActiveRule>>>);

impl FaultRules {
    pub(crate) fn new(apps: impl Iterator<Item = AppId>) -> Self {
        Self(apps.map(|appid| (appid, Mutex::default())).collect())
    }

    /// Replaces the rules of an app, and begins to count anew.
    pub(crate) fn set(&self, appid: AppId, rules: impl IntoIterator<Item = Rule>) {
        if let Some(mut armed) = self.lock(appid) {
            *armed = rules.into_iter().map(|rule| ActiveRule { rule, requests: 0, hits: 0 }).collect();
        }
    }

    /// The rules of an app.
    pub(crate) fn get(&self, appid: AppId) -> Vec<ActiveRule> {
        self.lock(appid).map_or_else(Vec::new, |armed| armed.clone())
    }

    /// What goes wrong with a request: what the first rule says that hits it.
    fn pick(&self, appid: AppId, call: SandboxCall) -> Option<Fault> {
        let mut armed = self.lock(appid)?;
        let mut first = None;
        // Every rule sees every request of its call, so that none depends on those before it.
        for (index, rule) in armed.iter_mut().enumerate() {
            if rule.observe(call) && first.is_none() {
                first = Some(index);
            }
        }
        let rule = &mut armed[first?];
        rule.hits += 1;
        Some(rule.rule.fault)
    }

    /// The lock is held while rules are counted or copied, never while anything is awaited.
    fn lock(&self, appid: AppId) -> Option<MutexGuard<'_, Vec<ActiveRule>>> {
        self.0.get(&appid).map(|armed| armed.lock().expect("nothing panics while it holds rules"))
    }
}
