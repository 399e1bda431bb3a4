//! All kinds of jobs of a worker.

use entity::{datum, job::Claim, pushed_feed, sync_run};
use sea_orm::DatabaseConnection;

use super::{
    acquiring,
    runner::{Ended, Work},
    syncing::Syncing,
    tidying,
};

/// Does every kind.
#[derive(Debug)]
pub(super) struct AllWork {
    pub(super) database: DatabaseConnection,
    pub(super) syncing: Syncing,
}

impl Work for AllWork {
    fn kinds(&self) -> &'static [&'static str] {
        &[sync_run::JOB_KIND, pushed_feed::JOB_KIND, datum::JOB_KIND, tidying::KIND]
    }

    async fn perform(&self, claim: &Claim) -> Ended {
        match claim.kind.as_str() {
            datum::JOB_KIND => acquiring::acquire(&self.database, claim).await,
            tidying::KIND => tidying::tidy(&self.database).await,
            _ => self.syncing.perform(claim).await,
        }
    }
}
