//! Messages to the service manager, such as systemd: the process is ready, makes progress, or shuts down.
//!
//! Each is a datagram to the socket in `NOTIFY_SOCKET`. Without that variable nothing is sent.

use std::{convert::Infallible, sync::mpsc, thread, time::Duration};

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Reports that the process is ready, and later that it shuts down. If the service manager has a watchdog, also reports progress, so that
/// a process that hangs is restarted. Must be called in a tokio runtime.
pub fn notify_ready(shutdown: &CancellationToken) {
    let (states, received) = mpsc::channel();
    // Sending blocks while the service manager does not receive. A blocking thread of the runtime would delay the exit.
    thread::spawn(move || received.iter().for_each(send));
    let (stopping, shutdown) = (states.clone(), shutdown.clone());
    let report = move |state| states.send(state).unwrap_or_default();
    report(NotifyState::Ready);
    tokio::spawn(async move {
        shutdown.cancelled().await;
        stopping.send(NotifyState::Stopping)
    });
    if let Some(timeout) = sd_notify::watchdog_enabled().filter(|timeout| !timeout.is_zero()) {
        tokio::spawn(report_progress(timeout / 2, move || report(NotifyState::Watchdog)));
    }
}

/// Reports while the runtime executes tasks and its blocking threads are available. Deliberately without a request or a query: neither
/// overload nor an outage of the database is repaired by a restart.
async fn report_progress(every: Duration, report: impl Fn() + Send) -> Infallible {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if tokio::task::spawn_blocking(|| ()).await.is_ok() {
            report();
        }
    }
}

fn send(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(error = crate::with_causes(&error), "the service manager cannot be notified");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use tokio::runtime::Builder;

    use super::*;

    const EVERY: Duration = Duration::from_millis(10);
    /// Many times longer.
    const PAUSE: Duration = Duration::from_millis(500);
    const PATIENCE: Duration = Duration::from_secs(60);

    #[test]
    fn no_progress_is_reported_while_all_threads_are_blocked() {
        for is_blocking_pool in [true, false] {
            let runtime = Builder::new_multi_thread().worker_threads(1).max_blocking_threads(1).enable_time().build().unwrap();
            let (report, reports) = mpsc::channel();
            runtime.spawn(report_progress(EVERY, move || report.send(()).unwrap_or_default()));
            reports.recv_timeout(PATIENCE).unwrap();

            let (release, released) = mpsc::channel::<()>();
            let (block, blocked) = mpsc::channel();
            let wait = move || {
                block.send(()).unwrap();
                released.recv().unwrap();
            };
            if is_blocking_pool {
                runtime.spawn_blocking(wait);
            } else {
                runtime.spawn(async move { wait() });
            }
            blocked.recv_timeout(PATIENCE).unwrap();
            reports.try_iter().for_each(drop);
            // At most the report that was being sent.
            assert!(std::iter::from_fn(|| reports.recv_timeout(PAUSE).ok()).count() <= 1);

            release.send(()).unwrap();
            reports.recv_timeout(PATIENCE).unwrap();
        }
    }
}
