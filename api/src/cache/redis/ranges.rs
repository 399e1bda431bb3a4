//! Which parts of a cluster do not answer. A node that hangs would cost each reader of its keys the whole time that a read may
//! take; so readers of its part are sent away after the first few, and one now and then is let through to see whether it is back.
//! Nodes own ranges of slots, mostly long ones: no map of the cluster is needed.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Instant,
};

use super::keeper::{FAULTS_IN_A_ROW, PAUSE};

/// How many slots a cluster has, by the protocol.
const SLOTS: u16 = 16_384;
/// How many parts are told apart: enough that most hold keys of one node only, and few, because each learns by itself, at the cost of
/// some readers.
const RANGES: usize = 16;

/// All parts of a cluster.
pub(super) struct Ranges {
    since: Instant,
    ranges: [Range; RANGES],
}

#[derive(Default)]
struct Range {
    faults_in_a_row: AtomicU32,
    /// When the next reader is let through, in ms; 0 while all are.
    shut_until: AtomicU64,
}

impl Ranges {
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), ranges: std::array::from_fn(|_| Range::default()) }
    }

    /// Whether a reader of the key may ask. After a pause one may, on behalf of all.
    pub(super) fn lets_through(&self, key: &str) -> bool {
        let range = self.of(key);
        let until = range.shut_until.load(Ordering::Relaxed);
        if until == 0 {
            return true;
        }
        let now = self.now();
        now >= until && range.shut_until.compare_exchange(until, now + pause(), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Whether the part of the key answers, as far as is known.
    pub(super) fn is_open(&self, key: &str) -> bool {
        self.of(key).shut_until.load(Ordering::Relaxed) == 0
    }

    pub(super) fn answered(&self, key: &str) {
        let range = self.of(key);
        if range.faults_in_a_row.load(Ordering::Relaxed) != 0 {
            range.faults_in_a_row.store(0, Ordering::Relaxed);
            range.shut_until.store(0, Ordering::Relaxed);
        }
    }

    pub(super) fn unanswered(&self, key: &str) {
        let range = self.of(key);
        if range.faults_in_a_row.fetch_add(1, Ordering::Relaxed) + 1 >= FAULTS_IN_A_ROW {
            range.shut_until.store(self.now() + pause(), Ordering::Relaxed);
        }
    }

    fn of(&self, key: &str) -> &Range {
        &self.ranges[usize::from(slot(key.as_bytes())) * RANGES / usize::from(SLOTS)]
    }

    fn now(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX / 2)
    }
}

fn pause() -> u64 {
    PAUSE.as_millis() as u64
}

/// The slot of a key: CRC-16/XMODEM of it, or of what stands in its first braces.
fn slot(key: &[u8]) -> u16 {
    let tag = key.iter().position(|&byte| byte == b'{').and_then(|open| {
        let behind = &key[open + 1..];
        let tag = &behind[..behind.iter().position(|&byte| byte == b'}')?];
        (!tag.is_empty()).then_some(tag)
    });
    let sum = tag.unwrap_or(key).iter().fold(0_u16, |sum, &byte| {
        (0..8).fold(sum ^ (u16::from(byte) << 8), |sum, _| if sum & 0x8000 == 0 { sum << 1 } else { (sum << 1) ^ 0x1021 })
    });
    sum % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_redis() {
        // As CLUSTER KEYSLOT tells.
        for (key, number) in [("foo", 12_182), ("123456789", 12_739), ("{foo}:bar", 12_182), ("a{}b", 13_694), ("", 0)] {
            assert_eq!(slot(key.as_bytes()), number, "{key}");
        }
    }

    #[test]
    fn a_part_that_does_not_answer_is_shut_and_the_others_are_not() {
        let ranges = Ranges::new();
        for _ in 0..FAULTS_IN_A_ROW {
            assert!(ranges.lets_through("foo") && ranges.is_open("foo"));
            ranges.unanswered("foo");
        }
        assert!(!ranges.lets_through("foo") && !ranges.is_open("foo"));
        assert!(ranges.lets_through("123456789") && ranges.is_open("123456789"));
        // The pause is over.
        ranges.of("foo").shut_until.store(ranges.now().max(1), Ordering::Relaxed);
        while ranges.now() < 1 {
            std::hint::spin_loop();
        }
        assert!(ranges.lets_through("foo"));
        assert!(!ranges.lets_through("foo"), "one tries, the others wait for what he finds");
        ranges.answered("foo");
        assert!(ranges.lets_through("foo") && ranges.is_open("foo"));
    }
}
