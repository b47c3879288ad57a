//! Ring of the newest rejections, bounded in number and in bytes.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use pactolus_protocol::Rid;

use super::rejection::{Diagnosis, Rejection};

/// Memory of a rejection besides its texts: itself, its entries in the map and in the queue, rounded up.
const REJECTION_OVERHEAD_BYTES: usize = 512;

/// Memory of a parameter or a finding besides its texts.
const ITEM_OVERHEAD_BYTES: usize = 96;

pub(super) struct Ring {
    entries_max: usize,
    bytes_max: usize,
    bytes: usize,
    by_rid: HashMap<Rid, Arc<Rejection>>,
    /// Oldest first.
    order: VecDeque<Rid>,
}

impl Ring {
    pub(super) fn new(entries_max: usize, bytes_max: usize) -> Self {
        Self { entries_max, bytes_max, bytes: 0, by_rid: HashMap::new(), order: VecDeque::new() }
    }

    pub(super) fn get(&self, rid: Rid) -> Option<Arc<Rejection>> {
        self.by_rid.get(&rid).cloned()
    }

    /// Newest first.
    pub(super) fn newest(&self, limit: usize) -> Vec<Arc<Rejection>> {
        self.order.iter().rev().take(limit).filter_map(|rid| self.get(*rid)).collect()
    }

    /// Adds `rejection` and evicts the oldest ones that no longer fit.
    pub(super) fn push(&mut self, rejection: Arc<Rejection>) {
        let bytes = memory_bytes(&rejection);
        if self.entries_max == 0 || bytes > self.bytes_max || self.by_rid.contains_key(&rejection.rid) {
            return;
        }
        while self.order.len() >= self.entries_max || self.bytes + bytes > self.bytes_max {
            let oldest = self.order.pop_front().expect("an empty ring fits any rejection within its bounds");
            let forgotten = self.by_rid.remove(&oldest).expect("every rid in the queue is in the map");
            self.bytes -= memory_bytes(&forgotten);
        }
        self.bytes += bytes;
        self.order.push_back(rejection.rid);
        self.by_rid.insert(rejection.rid, rejection);
    }
}

/// Approximate, in bytes.
fn memory_bytes(rejection: &Rejection) -> usize {
    let of_finding =
        |diagnosis: &Diagnosis| ITEM_OVERHEAD_BYTES + diagnosis.explanation.len() + diagnosis.fix.len();
    let findings: usize = rejection.diagnoses.iter().map(of_finding).sum();
    let shown = rejection.parameters.iter().flat_map(|parameters| &parameters.parameters);
    let parameters: usize = shown
        .map(|shown| {
            ITEM_OVERHEAD_BYTES
                + shown.name.len()
                + shown.form.len()
                + shown.value.as_ref().map_or(0, String::len)
        })
        .sum();
    let text = rejection.signed_text.as_ref().map_or(0, String::len);
    REJECTION_OVERHEAD_BYTES
        + rejection.method.as_str().len()
        + rejection.errmsg.len()
        + text
        + parameters
        + findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Method;
    use pactolus_protocol::WirePath;
    use pactolus_types::UnixMillis;

    fn rejection(number: u64, errmsg_bytes: usize) -> Arc<Rejection> {
        Arc::new(Rejection {
            rid: Rid::new(UnixMillis::new(0), number),
            at: UnixMillis::new(number),
            method: Method::POST,
            path: WirePath::parse("/cgi-bin/midas/present").unwrap(),
            environment: None,
            appid: None,
            errcode: 90011,
            errmsg: "x".repeat(errmsg_bytes),
            parameters: None,
            signed_text: None,
            diagnoses: Vec::new(),
        })
    }

    fn numbers(ring: &Ring) -> Vec<u64> {
        ring.newest(usize::MAX).iter().map(|rejection| rejection.at.get()).collect()
    }

    #[test]
    fn evicts_oldest_by_count_and_bytes() {
        let mut ring = Ring::new(3, 10_000);
        (0..5).for_each(|number| ring.push(rejection(number, 10)));
        assert_eq!(numbers(&ring), [4, 3, 2]);
        ring.push(rejection(5, 8000));
        assert_eq!(numbers(&ring), [5, 4, 3]);
        ring.push(rejection(6, 2000));
        assert_eq!(numbers(&ring), [6]);
        ring.push(rejection(7, 10_000));
        assert_eq!(numbers(&ring), [6], "a rejection too large for the ring must not empty it");
        assert!(ring.get(Rid::new(UnixMillis::new(0), 6)).is_some());
        assert!(ring.get(Rid::new(UnixMillis::new(0), 5)).is_none());
        assert_eq!((ring.by_rid.len(), ring.bytes), (1, memory_bytes(&rejection(6, 2000))));
    }

    #[test]
    fn zero_capacity_ring_stays_empty() {
        let mut ring = Ring::new(0, 10_000);
        ring.push(rejection(1, 10));
        assert_eq!(numbers(&ring), [0_u64; 0]);
    }
}
