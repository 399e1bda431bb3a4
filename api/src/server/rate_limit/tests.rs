//! What cannot be seen from outside: how buckets are counted.

use super::*;

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

fn client(number: u64) -> Client {
    Client::V6(number)
}

#[test]
fn a_burst_is_let_in_and_no_more() {
    let limiter = RateLimiter::new(number(1), number(3), Vec::new(), MAX_CLIENTS);
    for remaining in [2, 1, 0] {
        let standing = limiter.check(client(1));
        assert_eq!((standing.remaining, standing.refused_for), (remaining, None));
        assert_eq!(standing.full_in, Duration::from_secs(u64::from(3 - remaining)));
    }
    let refused = limiter.check(client(1)).refused_for.unwrap();
    assert!(refused > Duration::ZERO && refused <= Duration::from_secs(1), "{refused:?}");
    assert_eq!(limiter.check(client(2)).refused_for, None, "one client does not use up what another may");
}

#[test]
fn clients_are_forgotten_once_their_buckets_are_full() {
    let limiter = RateLimiter::new(number(1_000_000_000), number(1), Vec::new(), MAX_CLIENTS);
    for number in 0..1_000 {
        limiter.check(client(number));
    }
    limiter.forget();
    assert_eq!(limiter.buckets.len(), 0);
}

#[test]
fn a_crowd_takes_bounded_memory_and_is_limited() {
    let limiter = RateLimiter::new(number(1), number(10), Vec::new(), 1_000);
    for number in 0..1_001 {
        limiter.check(client(number));
    }
    limiter.forget();
    for number in 1_001..100_000 {
        limiter.check(client(number));
    }
    assert!(limiter.buckets.len() <= 1_001 + usize::try_from(SHARED_BUCKETS).unwrap(), "{}", limiter.buckets.len());
    let refused = (0..20).filter(|_| limiter.check(client(7)).refused_for.is_some()).count();
    assert!(refused >= 10, "{refused}");
}

#[test]
fn seconds_are_rounded_up() {
    for (millis, expected) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2)] {
        assert_eq!(seconds(Duration::from_millis(millis)), expected);
    }
}

#[test]
fn networks_are_understood_with_and_without_a_length() {
    assert_eq!(network(" 10.0.0.0/8 "), Ok("10.0.0.0/8".parse().unwrap()));
    assert_eq!(network("10.1.2.3"), Ok("10.1.2.3/32".parse().unwrap()));
    assert_eq!(network("fd00::1"), Ok("fd00::1/128".parse().unwrap()));
    assert!(network("here").is_err());
}
