//! Keeps the lines: one task in the background makes them, watches over them, and replaces them. Readers and writers only look
//! whether there are any, and tell what they met; they never wait for a connection.
//!
//! Three states: *away*, with no lines, where a try is made every [`PAUSE`]; *here*; and *in doubt*, after a few calls in a row
//! that nobody answered, where readers are sent away until the keeper has asked for itself. Only going away and coming back are
//! logged. Of a cluster only parts are in doubt.

use std::{
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    sync::Notify,
    time::{MissedTickBehavior, interval, timeout},
};

use super::{
    address::RedisUrl,
    lines::{Fault, Line, Lines, Target},
    metrics,
    ranges::Ranges,
};

/// How many calls in a row nobody answers before it is doubted that Redis is there; as many questions the keeper asks then. One or
/// two are a hiccup of the network or of this process.
pub(super) const FAULTS_IN_A_ROW: u32 = 3;
/// The pause between tries to connect: hits come again within moments, and a server that starts is not run over.
pub(super) const PAUSE: Duration = Duration::from_millis(500);
/// How often Redis is asked whether it is there while nobody else asks: then its absence is known before it costs a request, and no
/// firewall forgets the line.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How old lines must be before they are replaced only because a server says that it is the wrong one, or does not answer on some:
/// if that lasts, new ones seldom help.
const REPLACEMENT_AGE: Duration = Duration::from_secs(5);

/// What readers, writers and the keeper know of each other.
pub(super) struct Board {
    url: RedisUrl,
    lines: RwLock<Option<Lines>>,
    /// Readers are sent away until the keeper has asked for itself.
    in_doubt: AtomicBool,
    faults_in_a_row: AtomicU32,
    /// Of a cluster: its parts that do not answer.
    ranges: Ranges,
    replacement_wanted: AtomicBool,
    attention: Notify,
}

impl Board {
    pub(super) fn new(url: RedisUrl) -> Self {
        metrics::up(false);
        Self {
            url,
            lines: RwLock::new(None),
            in_doubt: AtomicBool::new(false),
            faults_in_a_row: AtomicU32::new(0),
            ranges: Ranges::new(),
            replacement_wanted: AtomicBool::new(false),
            attention: Notify::new(),
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.lines.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// A line for a reader of the key, unless what he wants is away or in doubt.
    pub(super) fn reads(&self, key: &str) -> Option<Line> {
        self.look(|lines| lines.reads.clone()).filter(|line| {
            if line.is_of_a_cluster() { self.ranges.lets_through(key) } else { !self.in_doubt.load(Ordering::Relaxed) }
        })
    }

    /// A line for a writer, likewise.
    pub(super) fn writes(&self, key: &str) -> Option<Line> {
        self.look(|lines| lines.writes.clone())
            .filter(|line| if line.is_of_a_cluster() { self.ranges.is_open(key) } else { !self.in_doubt.load(Ordering::Relaxed) })
    }

    fn look(&self, choose: impl FnOnce(&Lines) -> Line) -> Option<Line> {
        self.lines.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(choose)
    }

    /// A reader had an answer.
    pub(super) fn answered(&self, key: &str, line_is_a_clusters: bool) {
        if line_is_a_clusters {
            self.ranges.answered(key);
        } else if self.faults_in_a_row.load(Ordering::Relaxed) != 0 {
            // Looked at first: a write by every reader would carry the number from core to core.
            self.faults_in_a_row.store(0, Ordering::Relaxed);
        }
    }

    /// A reader had none, or one that is no value.
    pub(super) fn failed(&self, key: &str, line_is_a_clusters: bool, fault: &Fault) {
        if fault.is_an_answer() {
            self.answered(key, line_is_a_clusters);
            if fault.is_the_wrong_server() {
                self.want_replacement();
            }
        } else if line_is_a_clusters {
            // It mends itself, and one node that is away says nothing about the others; but it learns of a failover only from nodes
            // that answer, so that new lines may help.
            self.ranges.unanswered(key);
            self.want_replacement();
        } else if self.faults_in_a_row.fetch_add(1, Ordering::Relaxed) + 1 >= FAULTS_IN_A_ROW || fault.ends_the_line() {
            self.in_doubt.store(true, Ordering::Relaxed);
            self.attention.notify_one();
        }
    }

    /// A value was not stored. That says nothing about reading: a server without memory refuses all writes and answers all reads.
    pub(super) fn not_stored(&self, fault: &Fault) {
        if fault.is_the_wrong_server() || !fault.is_an_answer() {
            self.want_replacement();
        }
    }

    fn want_replacement(&self) {
        self.replacement_wanted.store(true, Ordering::Relaxed);
        self.attention.notify_one();
    }

    fn put_up(&self, lines: Option<Lines>) {
        let old = std::mem::replace(&mut *self.lines.write().unwrap_or_else(PoisonError::into_inner), lines);
        self.faults_in_a_row.store(0, Ordering::Relaxed);
        self.replacement_wanted.store(false, Ordering::Relaxed);
        self.in_doubt.store(false, Ordering::Relaxed);
        // Not under the lock: it ends tasks and frees what waited there.
        drop(old);
    }

    /// Asks for itself whether somebody is there.
    async fn check(&self) -> Result<(), Fault> {
        let Some(line) = self.look(|lines| lines.reads.clone()) else { return Ok(()) };
        let mut answer = line.check().await;
        for _ in 1..FAULTS_IN_A_ROW {
            match &answer {
                Err(fault) if !fault.ends_the_line() => answer = line.check().await,
                Ok(()) | Err(_) => break,
            }
        }
        answer
    }
}

/// What the keeper has said last, so that it says each thing once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Away,
}

/// Works until it is aborted.
pub(super) async fn keep(mut target: Target, board: std::sync::Arc<Board>) {
    let mut tries = interval(PAUSE);
    tries.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = Told::Nothing;
    loop {
        tries.tick().await;
        match target.connect().await {
            Ok(lines) => {
                board.put_up(Some(lines));
                metrics::up(true);
                if told == Told::Away {
                    tracing::info!(redis = %board.url, "Redis is back");
                }
                told = Told::Nothing;
            }
            // Lines that were to be replaced still serve.
            Err(_) if board.is_up() => {}
            Err(fault) => tell_away(&board, &mut told, &fault),
        }
        if let Some(fault) = watch(&board).await {
            board.put_up(None);
            tell_away(&board, &mut told, &fault);
        }
    }
}

/// Watches over the lines until they fail, and says how, or shall be replaced.
async fn watch(board: &Board) -> Option<Fault> {
    let since = Instant::now();
    while board.is_up() {
        // Nobody needs attention for a while: then it is time for a heartbeat.
        let _ = timeout(HEARTBEAT, board.attention.notified()).await;
        if let Err(fault) = board.check().await {
            return Some(fault);
        }
        board.in_doubt.store(false, Ordering::Relaxed);
        board.faults_in_a_row.store(0, Ordering::Relaxed);
        if since.elapsed() >= REPLACEMENT_AGE && board.replacement_wanted.swap(false, Ordering::Relaxed) {
            return None;
        }
    }
    None
}

fn tell_away(board: &Board, told: &mut Told, fault: &Fault) {
    metrics::up(false);
    if *told != Told::Away {
        tracing::warn!(redis = %board.url, cause = telemetry::with_causes(fault), "Redis is away: answers are made without it");
    }
    *told = Told::Away;
}
