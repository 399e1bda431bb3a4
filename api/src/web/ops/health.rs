//! What needs an operator: a sentence for each problem, since when it exists, and the section of `docs/RUNBOOK.md` that describes what to
//! do. The limits are those of the alerts in `deploy/prometheus/rules/`.

use std::time::Duration;

use entity::{
    UtcInstant,
    job::Backlog,
    provider::{ProviderState, ProviderSummary},
};

use super::text::{bound, count, format_duration};
use crate::state::{Interval, State};

/// How long a copy may be overdue: longer than the longest pause that a provider can request, an hour.
const MAX_OVERDUE: Duration = Duration::from_secs(90 * 60);
/// How long a due job may wait.
const MAX_WAITING: Duration = Duration::from_secs(5 * 60);
/// Samples of five minutes.
const RECENT: usize = 30;
/// The share of failed requests that is a problem, and from how many on.
const MAX_FAILED_SHARE: f64 = 0.01;
const MIN_FAILED: f64 = 5.0;

/// How urgent something is, in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Nothing to do.
    Good,
    /// To be looked at within a day.
    Warning,
    /// To be looked at now.
    Critical,
}

impl Level {
    /// The class of the style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// A symbol, because not every reader distinguishes the colors.
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Self::Good => "✓",
            Self::Warning => "▲",
            Self::Critical => "✕",
        }
    }

    /// The symbol for a screen reader.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Good => "OK",
            Self::Warning => "Warning",
            Self::Critical => "Critical",
        }
    }
}

/// Something that needs an operator.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Problem {
    pub(super) level: Level,
    /// What is wrong, and since when.
    pub(super) text: String,
    /// What clients notice, or what to do first.
    pub(super) advice: &'static str,
    /// The heading in the runbook.
    pub(super) section: &'static str,
}

/// The problems of this process and of the servers that it uses.
pub(super) fn check_process(state: &State, intervals: &[Interval]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut add = |level, text: String, advice, section| problems.push(Problem { level, text, advice, section });
    let database = &state.availability;
    if database.is_schema_too_new() {
        let advice = "Replace the processes of the old release.";
        add(
            Level::Critical,
            "The schema of the database requires a newer release than this process.".to_owned(),
            advice,
            "MarqueeErrorsHigh",
        );
    } else if !database.is_available() {
        let since = format_duration(database.time_since_response());
        let advice = "Cached responses are served, other requests fail with 503. Syncs wait.";
        add(Level::Critical, format!("The database has not responded for {since}."), advice, "MarqueeDatabaseDown");
    } else if state.version.is_schema_outdated() {
        let advice = "Run `marquee-migrate up`.";
        add(Level::Critical, "The schema of the database is older than this process.".to_owned(), advice, "MarqueeErrorsHigh");
    } else if !state.version.accepts_writes() {
        let advice = "Reads are served. Feeds, prices and syncs wait.";
        add(Level::Critical, "The database does not accept writes.".to_owned(), advice, "MarqueeDatabaseDown");
    }
    if database.is_corrupt() {
        let advice = "Restore a backup, then restart.";
        add(Level::Critical, "Files of the database are damaged.".to_owned(), advice, "MarqueeDatabaseDown");
    }
    if let Some(replica) = state.reader.replica().map(|replica| &replica.source.availability)
        && !replica.is_available()
    {
        let since = format_duration(replica.time_since_response());
        let advice = "Reads use the primary, which has more load.";
        add(Level::Warning, format!("The read replica has not responded for {since}."), advice, "MarqueeReplicaDown");
    }
    if state.cache.is_redis_up() == Some(false) {
        let advice = "Responses come from this process and the database, which has more load.";
        add(Level::Warning, "Redis does not respond.".to_owned(), advice, "MarqueeRedisDown");
    }
    problems.extend(check_requests(&intervals[intervals.len().saturating_sub(RECENT)..]));
    problems
}

/// The problems of the requests in the last five minutes.
fn check_requests(intervals: &[Interval]) -> Vec<Problem> {
    let sum = |of: fn(&Interval) -> f64| intervals.iter().map(of).sum::<f64>();
    let (requests, failed) = (sum(|interval| interval.totals.requests), sum(|interval| interval.totals.failed));
    let shed = sum(|interval| interval.totals.shed);
    let mut problems = Vec::new();
    if failed >= MIN_FAILED && failed > requests * MAX_FAILED_SHARE {
        problems.push(Problem {
            level: Level::Critical,
            text: format!("{failed:.0} of {requests:.0} requests of the last 5 min failed with 5xx."),
            advice: "The log has the error of each: `request failed`.",
            section: "MarqueeErrorsHigh",
        });
    }
    if shed > 0.0 {
        problems.push(Problem {
            level: Level::Warning,
            text: format!("{shed:.0} requests of the last 5 min were rejected, because too many wait for the database."),
            advice: "They had 503 and Retry-After.",
            section: "MarqueeRequestsShed",
        });
    }
    problems
}

/// The problem of a provider, if it has one.
pub(super) fn check_provider(summary: &ProviderSummary, now: UtcInstant) -> Option<Problem> {
    let ProviderSummary { provider, state, newest_run } = summary;
    let slug = &provider.slug;
    let problem = |level, text, advice| Some(Problem { level, text, advice, section: "MarqueeProviderStale" });
    let reason = || match newest_run.as_ref().and_then(|run| run.reason.as_deref()) {
        Some(reason) => format!(": {}", bound(reason)),
        None => ".".to_owned(),
    };
    match (state, provider.overdue(now)) {
        (ProviderState::Retired, _) => None,
        _ if provider.purged_at.is_some() => {
            let advice =
                "Remove it from the providers file, or readmit it with `marquee-worker purge --provider SLUG --readmit`.";
            problem(Level::Warning, format!("The catalogue of {slug} was purged."), advice)
        }
        (ProviderState::New, _) => problem(Level::Warning, format!("{slug} was never copied."), "Its events are not shown yet."),
        (ProviderState::Failing, None) if provider.last_success_at.is_none() => {
            problem(Level::Critical, format!("{slug} was never copied{}", reason()), "Its events are not shown yet.")
        }
        (_, None) => {
            let text = format!("The age of the copy of {slug} is unknown{}", reason());
            problem(Level::Critical, text, "Its last copy is served. Check the clock of the database.")
        }
        (_, Some(overdue)) if overdue > MAX_OVERDUE => {
            let text = format!("The copy of {slug} should have been updated {} ago{}", format_duration(overdue), reason());
            problem(Level::Critical, text, "Its last copy is served.")
        }
        (ProviderState::Failing, Some(_)) => {
            let runs = count(u64::try_from(provider.failures).unwrap_or_default().max(1), "run");
            problem(Level::Warning, format!("{slug}: the last {runs} failed{}", reason()), "Its last copy is served.")
        }
        (ProviderState::Ok, Some(_)) => None,
    }
}

/// The problems of the job queue.
pub(super) fn check_jobs(backlog: Backlog) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(waiting) = backlog.oldest_due.filter(|waiting| *waiting > MAX_WAITING) {
        problems.push(Problem {
            level: Level::Critical,
            text: format!("A job has been due for {}, and no worker has started it.", format_duration(waiting)),
            advice: "Check that a worker is running.",
            section: "MarqueeJobsWaiting",
        });
    }
    if backlog.dead > 0 {
        problems.push(Problem {
            level: Level::Warning,
            text: format!("{} failed at all attempts.", count(backlog.dead, "job")),
            advice: "Correct the cause, then retry them on the page Jobs.",
            section: "MarqueeJobsDead",
        });
    }
    problems
}

/// The state of the service in one sentence.
pub(super) fn summarize(problems: &[Problem], copies: usize) -> (Level, String) {
    let critical = problems.iter().filter(|problem| problem.level == Level::Critical).count() as u64;
    match (problems.len() as u64, critical) {
        (0, _) => (Level::Good, format!("Everything works. The database responds, and {}.", describe_copies(copies))),
        (all, 0) => (Level::Warning, format!("{} to look at. Clients are served.", count(all, "problem"))),
        (all, critical) if all == critical => (Level::Critical, format!("{} to solve now.", count(critical, "problem"))),
        (all, critical) => (Level::Critical, format!("{} to solve now, {} in total.", count(critical, "problem"), all)),
    }
}

fn describe_copies(copies: usize) -> String {
    match copies {
        0 => "no provider is configured".to_owned(),
        1 => "the copy is up to date".to_owned(),
        copies => format!("all {copies} copies are up to date"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::state::Totals;

    fn interval(requests: f64, failed: f64, shed: f64) -> Interval {
        Interval { length: 10.0, totals: Totals { requests, failed, shed, ..Totals::default() } }
    }

    #[test]
    fn requests_are_a_problem_above_the_limits_of_the_alerts() {
        let sections =
            |intervals: &[Interval]| -> Vec<&str> { check_requests(intervals).iter().map(|problem| problem.section).collect() };
        assert!(sections(&[]).is_empty());
        assert!(sections(&[interval(1_000.0, 10.0, 0.0)]).is_empty(), "1 %");
        assert!(sections(&[interval(4.0, 4.0, 0.0)]).is_empty(), "too few");
        assert_eq!(
            sections(&[interval(1_000.0, 6.0, 0.0), interval(0.0, 5.0, 1.0)]),
            ["MarqueeErrorsHigh", "MarqueeRequestsShed"]
        );
    }

    #[test]
    fn jobs_are_a_problem_once_they_are_dead_or_late() {
        assert!(check_jobs(Backlog { queued: 9, running: 9, dead: 0, oldest_due: Some(MAX_WAITING) }).is_empty());
        let late = Backlog { dead: 2, oldest_due: Some(MAX_WAITING + Duration::from_secs(60)), ..Backlog::default() };
        let texts: Vec<String> = check_jobs(late).into_iter().map(|problem| problem.text).collect();
        assert_eq!(texts, ["A job has been due for 6 min, and no worker has started it.", "2 jobs failed at all attempts."]);
    }

    #[test]
    fn the_summary_has_the_most_urgent_level() {
        let problem = |level| Problem { level, text: String::new(), advice: "", section: "" };
        let (warning, critical) = (problem(Level::Warning), problem(Level::Critical));
        assert_eq!(summarize(&[], 0).1, "Everything works. The database responds, and no provider is configured.");
        assert_eq!(summarize(&[], 1).1, "Everything works. The database responds, and the copy is up to date.");
        assert_eq!(
            summarize(std::slice::from_ref(&warning), 1),
            (Level::Warning, "1 problem to look at. Clients are served.".to_owned())
        );
        assert_eq!(summarize(&[warning, critical], 1), (Level::Critical, "1 problem to solve now, 2 in total.".to_owned()));
    }

    #[test]
    fn every_section_is_in_the_runbook() {
        let (runbook, source) = (include_str!("../../../../docs/RUNBOOK.md"), include_str!("health.rs"));
        let source = source.split("#[cfg(test)]").next().unwrap();
        let sections: Vec<&str> = source.split('"').filter(|text| text.starts_with("Marquee")).collect();
        assert!(sections.len() >= 8, "{sections:?}");
        for section in sections {
            assert!(runbook.contains(&format!("\n## {section}\n")), "{section}");
        }
    }
}
