//! The pause between the attempts of a job.

use std::time::Duration;

/// "Full jitter" from Marc Brooker's "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015): a random pause between zero
/// and `base * 2^(attempt - 1)`, at most `ceiling`. Jobs that failed together are then not retried together.
///
/// `attempt` counts from 1; `random` is between 0 and 1.
#[must_use]
pub fn backoff(base: Duration, ceiling: Duration, attempt: u32, random: f64) -> Duration {
    let doubled = 2_u32.checked_pow(attempt.saturating_sub(1)).and_then(|factor| base.checked_mul(factor));
    doubled.unwrap_or(ceiling).min(ceiling).mul_f64(random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_with_each_attempt_up_to_the_ceiling() {
        let longest = |attempt| backoff(Duration::from_secs(5), Duration::from_secs(300), attempt, 1.0).as_secs();
        assert_eq!([0, 1, 2, 3, 6, 7, 8, 33, u32::MAX].map(longest), [5, 5, 10, 20, 160, 300, 300, 300, 300]);
    }

    #[test]
    fn the_jitter_covers_the_whole_range() {
        let pause = |random| backoff(Duration::from_secs(5), Duration::from_secs(300), 3, random);
        assert_eq!((pause(0.0), pause(0.25), pause(7.0)), (Duration::ZERO, Duration::from_secs(5), Duration::from_secs(20)));
    }
}
