//! How long a failed attempt waits for the next one.

use std::time::Duration;

/// "Full jitter" of Marc Brooker's "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015): anything from nothing to
/// `base * 2^(attempt - 1)`, at most `ceiling`. What failed together then does not come back together.
///
/// `attempt` counts from 1; `share` is a random number from 0 to 1.
#[must_use]
pub fn backoff(base: Duration, ceiling: Duration, attempt: u32, share: f64) -> Duration {
    let doubled = 2_u32.checked_pow(attempt.saturating_sub(1)).and_then(|factor| base.checked_mul(factor));
    doubled.unwrap_or(ceiling).min(ceiling).mul_f64(share.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_attempt_waits_up_to_twice_as_long_up_to_the_ceiling() {
        let longest = |attempt| backoff(Duration::from_secs(5), Duration::from_secs(300), attempt, 1.0).as_secs();
        assert_eq!([0, 1, 2, 3, 6, 7, 8, 33, u32::MAX].map(longest), [5, 5, 10, 20, 160, 300, 300, 300, 300]);
    }

    #[test]
    fn the_jitter_is_full() {
        let wait = |share| backoff(Duration::from_secs(5), Duration::from_secs(300), 3, share);
        assert_eq!((wait(0.0), wait(0.25), wait(7.0)), (Duration::ZERO, Duration::from_secs(5), Duration::from_secs(20)));
    }
}
