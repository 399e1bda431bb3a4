//! Tests of the buckets, which cannot be observed over HTTP.

use super::*;

fn quota(per_second: u32, burst: u32) -> Quota {
    Quota::new("default", NonZeroU32::new(per_second).unwrap(), NonZeroU32::new(burst))
}

fn client(number: u64) -> Client {
    Client::V6(number)
}

#[test]
fn allows_a_burst_and_no_more() {
    let limiter = RateLimiter::new(quota(1, 3), Vec::new(), MAX_CLIENTS);
    for remaining in [2, 1, 0] {
        let decision = limiter.check(client(1));
        assert_eq!((decision.remaining, decision.retry_after), (remaining, None));
        assert_eq!(decision.full_in, Duration::from_secs(u64::from(3 - remaining)));
    }
    let retry_after = limiter.check(client(1)).retry_after.unwrap();
    assert!(retry_after > Duration::ZERO && retry_after <= Duration::from_secs(1), "{retry_after:?}");
    assert_eq!(limiter.check(client(2)).retry_after, None, "clients have separate limits");
}

#[test]
fn removes_full_buckets() {
    let limiter = RateLimiter::new(quota(1_000_000_000, 1), Vec::new(), MAX_CLIENTS);
    for number in 0..1_000 {
        limiter.check(client(number));
    }
    limiter.remove_full_buckets();
    assert_eq!(limiter.buckets.len(), 0);
}

#[test]
fn many_clients_use_bounded_memory_and_are_limited() {
    let limiter = RateLimiter::new(quota(1, 10), Vec::new(), 1_000);
    for number in 0..1_001 {
        limiter.check(client(number));
    }
    limiter.remove_full_buckets();
    for number in 1_001..100_000 {
        limiter.check(client(number));
    }
    assert!(limiter.buckets.len() <= 1_001 + usize::try_from(SHARED_BUCKETS).unwrap(), "{}", limiter.buckets.len());
    let rejected = (0..20).filter(|_| limiter.check(client(7)).retry_after.is_some()).count();
    assert!(rejected >= 10, "{rejected}");
}

/// Without waiting for a sweep.
#[test]
fn a_flood_of_clients_uses_bounded_memory() {
    let limiter = RateLimiter::new(quota(1, 10), Vec::new(), 1_000);
    for number in 0..100_000 {
        limiter.check(client(number));
    }
    let limit = REQUESTS_PER_COUNT + usize::try_from(SHARED_BUCKETS).unwrap();
    assert!(limiter.buckets.len() <= limit, "{}", limiter.buckets.len());
}

#[test]
fn seconds_are_rounded_up() {
    for (millis, expected) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2)] {
        assert_eq!(round_up_to_seconds(Duration::from_millis(millis)), expected);
    }
}

#[test]
fn parses_networks_with_and_without_a_length() {
    assert_eq!(parse_network(" 10.0.0.0/8 "), Ok("10.0.0.0/8".parse().unwrap()));
    assert_eq!(parse_network("10.1.2.3"), Ok("10.1.2.3/32".parse().unwrap()));
    assert_eq!(parse_network("fd00::1"), Ok("fd00::1/128".parse().unwrap()));
    assert!(parse_network("here").is_err());
}
