//! The registry of job kinds: which kinds this process claims, and which handler runs each.

use std::{collections::BTreeMap, fmt, future::Future};

use entity::job::{Claim, JobKind};
use futures_util::future::BoxFuture;

use super::outcome::JobOutcome;

/// Runs the jobs of one kind with the resources in `C`.
pub trait Handler<C>: JobKind {
    /// Runs one attempt. It may be dropped at any moment and the job be run again, so it must be idempotent.
    fn run(self, context: &C, claim: &Claim) -> impl Future<Output = JobOutcome> + Send;
}

type RunHandler<C> = for<'a> fn(&'a C, &'a Claim) -> BoxFuture<'a, JobOutcome>;

/// Handlers by the kind of their jobs.
pub struct Registry<C> {
    handlers: BTreeMap<&'static str, RunHandler<C>>,
}

impl<C> Default for Registry<C> {
    fn default() -> Self {
        Self { handlers: BTreeMap::new() }
    }
}

impl<C> fmt::Debug for Registry<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.handlers.keys()).finish()
    }
}

impl<C: Sync> Registry<C> {
    /// Adds a kind.
    #[must_use]
    pub fn with<K: Handler<C>>(mut self) -> Self {
        for kind in std::iter::once(&K::KIND).chain(K::PREVIOUS_KINDS) {
            self.handlers.insert(kind, run::<C, K>);
        }
        self
    }

    /// The kinds that can be claimed.
    #[must_use]
    pub fn kinds(&self) -> Vec<&'static str> {
        self.handlers.keys().copied().collect()
    }

    /// Runs a job with the handler of its kind.
    pub async fn dispatch(&self, context: &C, claim: &Claim) -> JobOutcome {
        match self.handlers.get(claim.kind.as_str()) {
            Some(run) => run(context, claim).await,
            None => JobOutcome::Failed { reason: format!("the job kind `{}` is unknown", claim.kind) },
        }
    }
}

fn run<'a, C: Sync, K: Handler<C>>(context: &'a C, claim: &'a Claim) -> BoxFuture<'a, JobOutcome> {
    Box::pin(async move {
        match K::decode(&claim.payload) {
            Ok(job) => job.run(context, claim).await,
            Err(error) => {
                let reason = format!("the payload is not a valid `{}` job: {error}", K::KIND);
                JobOutcome::Failed { reason }
            }
        }
    })
}
