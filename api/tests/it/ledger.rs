//! Rows of the ledger for a test: a plain run of a provider, and rejects.

use entity::{UtcInstant, provider, reject, sync_run};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{NotSet, Set},
    EntityTrait, IntoActiveModel,
};

use crate::catalogue::Catalogue;

impl Catalogue {
    /// A run from 1970-01-01T00:00:00 on, that took 1.25 s if it has ended and failed for the status 503 if it has failed.
    pub(crate) async fn run(&self, provider: &provider::Model, state: sync_run::RunState) -> sync_run::Model {
        let has_ended = !matches!(state, sync_run::RunState::Queued | sync_run::RunState::Running);
        let has_failed = state == sync_run::RunState::Failed;
        let row = sync_run::ActiveModel {
            id: NotSet,
            provider_id: Set(provider.id),
            state: Set(state),
            started_at: Set(UtcInstant(0)),
            ended_at: Set(has_ended.then_some(UtcInstant(1_250_000))),
            http_status: Set(has_ended.then_some(if has_failed { 503 } else { 200 })),
            bytes: Set(has_ended.then_some(5_000_000_000)),
            fetched: Set(6),
            inserted: Set(1),
            updated: Set(2),
            unchanged: Set(3),
            left: Set(4),
            rejected: Set(5),
            reason_code: Set(has_failed.then(|| "http_status".to_owned())),
            reason: Set(has_failed.then(|| "the provider answered with status 503".to_owned())),
            tick_at: Set(has_ended.then_some(UtcInstant(-250_000))),
            parse_ms: Set(has_ended.then_some(7)),
            diff_ms: Set(has_ended.then_some(8)),
            write_ms: Set(has_ended.then_some(9)),
            ..Default::default()
        };
        row.insert(&self.database).await.unwrap()
    }

    /// As many rejects of a run, told apart by their lines: 1, 2, 3, ...
    pub(crate) async fn rejects(&self, run: &sync_run::Model, count: i32) {
        let rows = (0..count).map(|position| {
            let row = reject::Model {
                sync_run_id: run.id,
                position,
                line: i64::from(position) + 1,
                column: 7,
                base_event_source_id: (position > 0).then(|| "291".to_owned()),
                event_source_id: (position > 1).then(|| "1642".to_owned()),
                reason: "there is no such day as 2021-09-31".to_owned(),
                raw: "<event event_date=\"2021-09-31\"/>".to_owned(),
            };
            row.into_active_model()
        });
        reject::Entity::insert_many(rows).exec_without_returning(&self.database).await.unwrap();
    }
}
