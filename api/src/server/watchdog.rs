//! Ends connections whose client keeps them waiting: the times of [`Limits`] against what a connection is doing.
//!
//! It sets its timer only where a limit comes earlier than the timer would go off, so that a request costs no timer.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

use super::{
    Limits,
    progress::{Doing, Progress},
};

/// How long what is still on its way may come after the last answer: longer than a round trip, shorter than anybody waits for an end.
const LINGER_TIME: Duration = Duration::from_secs(1);
/// How long an idle connection is kept after the process was told to stop: a request that is on the wire already is still answered.
const QUIET_TIME: Duration = Duration::from_millis(100);
/// The same for a connection that has not sent anything: whoever has just connected is about to ask.
const FIRST_REQUEST_TIME: Duration = Duration::from_secs(1);
/// When to look again at a connection that has no limit at the moment.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// What is to be done with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is idle: say so, and close.
    Close(&'static str),
    /// Let go of it.
    Cut(Option<&'static str>),
}

pub(super) struct Watchdog {
    limits: Arc<Limits>,
    progress: Arc<Progress>,
    /// What it was doing, and whether the process was stopping, when the limit was set.
    seen: (Doing, bool),
    limit: Option<Instant>,
    timer: Pin<Box<Sleep>>,
    has_closed: bool,
}

impl Watchdog {
    pub(super) fn new(limits: Arc<Limits>, progress: Arc<Progress>) -> Self {
        let limit = Instant::now() + limits.idle_time;
        let seen = (progress.doing(), false);
        Self { limits, progress, seen, limit: Some(limit), timer: Box::pin(tokio::time::sleep_until(limit)), has_closed: false }
    }

    /// Ready when the client has kept the connection waiting for too long. To be polled whenever the connection was.
    pub(super) fn poll(&mut self, context: &mut Context<'_>, is_stopping: bool) -> Poll<Verdict> {
        let now_seen = (self.progress.doing(), is_stopping);
        if now_seen != self.seen {
            self.seen = now_seen;
            self.limit = self.time().map(|time| Instant::now() + time);
            if let Some(limit) = self.limit.filter(|limit| *limit < self.timer.deadline()) {
                self.timer.as_mut().reset(limit);
            }
        }
        while self.timer.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            let next = self.limit.unwrap_or(now + LOOK_AGAIN);
            if next <= now {
                return Poll::Ready(self.verdict());
            }
            self.timer.as_mut().reset(next);
        }
        Poll::Pending
    }

    fn time(&self) -> Option<Duration> {
        let (doing, is_stopping) = self.seen;
        match doing {
            Doing::Waiting { requests: 0, .. } if is_stopping => Some(FIRST_REQUEST_TIME),
            Doing::Waiting { .. } if is_stopping => Some(QUIET_TIME),
            Doing::Waiting { .. } => Some(self.limits.idle_time),
            Doing::Reading { .. } => Some(self.limits.head_time),
            Doing::Answering => None,
            Doing::Writing { .. } => Some(self.limits.write_time),
            Doing::Lingering => Some(LINGER_TIME),
        }
    }

    fn verdict(&mut self) -> Verdict {
        let (doing, is_stopping) = self.seen;
        match doing {
            // It was closed, and is still there: nothing more to wait for.
            Doing::Waiting { .. } if self.has_closed => Verdict::Cut(None),
            Doing::Waiting { .. } => {
                self.has_closed = true;
                self.limit = Some(Instant::now() + LINGER_TIME);
                Verdict::Close(if is_stopping { "drain" } else { "idle" })
            }
            Doing::Reading { .. } => Verdict::Cut(Some("header")),
            Doing::Writing { .. } => Verdict::Cut(Some("slow_reader")),
            Doing::Lingering | Doing::Answering => Verdict::Cut(None),
        }
    }
}
