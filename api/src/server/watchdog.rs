//! Closes connections of slow clients: enforces the times of [`Limits`] on what a connection is doing.
//!
//! The timer is only reset if a limit is earlier than its deadline, so a request does not cost a timer.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

use super::{
    Limits,
    progress::{Activity, Progress},
};

/// How long bytes may still arrive after the last response: longer than a round trip.
const LINGER_TIME: Duration = Duration::from_secs(1);
/// How long an idle connection stays open during a drain: a request that was already sent is still handled.
const DRAIN_IDLE_TIME: Duration = Duration::from_millis(100);
/// The same for a new connection: its client is about to send a request.
const DRAIN_FIRST_REQUEST_TIME: Duration = Duration::from_secs(1);
/// The pause between checks of a connection without a limit.
const CHECK_INTERVAL: Duration = Duration::from_secs(60);

/// What to do with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Close it gracefully, because it is idle.
    Close(&'static str),
    /// Drop it.
    Abort(Option<&'static str>),
}

pub(super) struct Watchdog {
    limits: Arc<Limits>,
    progress: Arc<Progress>,
    /// The activity, and whether the process was draining, when the deadline was set.
    observed: (Activity, bool),
    deadline: Option<Instant>,
    timer: Pin<Box<Sleep>>,
    has_closed: bool,
}

impl Watchdog {
    pub(super) fn new(limits: Arc<Limits>, progress: Arc<Progress>) -> Self {
        let deadline = Instant::now() + limits.idle_time;
        let observed = (progress.activity(), false);
        let timer = Box::pin(tokio::time::sleep_until(deadline));
        Self { limits, progress, observed, deadline: Some(deadline), timer, has_closed: false }
    }

    /// Ready when the client has exceeded a limit. Must be polled whenever the connection was.
    pub(super) fn poll(&mut self, context: &mut Context<'_>, is_draining: bool) -> Poll<Verdict> {
        self.progress.set_waker(context.waker());
        let current = (self.progress.activity(), is_draining);
        if current != self.observed {
            let now = Instant::now();
            self.progress.record_change(now);
            self.observed = current;
            self.deadline = self.limit().map(|limit| now + limit);
            if let Some(deadline) = self.deadline.filter(|deadline| *deadline < self.timer.deadline()) {
                self.timer.as_mut().reset(deadline);
            }
        }
        if self.progress.is_evicted() {
            return Poll::Ready(Verdict::Abort(Some("evicted")));
        }
        while self.timer.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            let next = self.deadline.unwrap_or(now + CHECK_INTERVAL);
            if next <= now {
                return Poll::Ready(self.verdict());
            }
            self.timer.as_mut().reset(next);
        }
        Poll::Pending
    }

    fn limit(&self) -> Option<Duration> {
        let (activity, is_draining) = self.observed;
        match activity {
            Activity::Idle { requests: 0, .. } if is_draining => Some(DRAIN_FIRST_REQUEST_TIME),
            Activity::Idle { .. } if is_draining => Some(DRAIN_IDLE_TIME),
            Activity::Idle { .. } => Some(self.limits.idle_time),
            Activity::ReadingHead { .. } => Some(self.limits.head_time),
            Activity::Handling => None,
            Activity::Writing { .. } => Some(self.limits.write_time),
            Activity::Lingering => Some(LINGER_TIME),
        }
    }

    fn verdict(&mut self) -> Verdict {
        let (activity, is_draining) = self.observed;
        match activity {
            // The graceful close did not end it.
            Activity::Idle { .. } if self.has_closed => Verdict::Abort(None),
            Activity::Idle { .. } => {
                self.has_closed = true;
                self.deadline = Some(Instant::now() + LINGER_TIME);
                Verdict::Close(if is_draining { "drain" } else { "idle" })
            }
            Activity::ReadingHead { .. } => Verdict::Abort(Some("header")),
            Activity::Writing { .. } => Verdict::Abort(Some("slow_reader")),
            Activity::Lingering | Activity::Handling => Verdict::Abort(None),
        }
    }
}
