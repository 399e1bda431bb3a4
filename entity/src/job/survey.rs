//! What the queue contains, for operators: counts, and the newest jobs, because a queue may have thousands of them.

use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{Column, Entity, JobState, Model};

/// How many jobs of a kind are in a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobCount {
    /// The [`JobKind::KIND`](super::JobKind::KIND).
    pub kind: String,
    /// The state.
    pub state: JobState,
    /// How many.
    pub count: u64,
}

/// Counts the jobs by kind and state, sorted by kind.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn count(database: &impl ConnectionTrait) -> Result<Vec<JobCount>, DbErr> {
    let counts = Entity::find()
        .select_only()
        .columns([Column::Kind, Column::State])
        .column_as(Column::Id.count(), "jobs")
        .group_by(Column::Kind)
        .group_by(Column::State)
        .into_tuple::<(String, JobState, i64)>();
    let rows = counts.all(database).await?;
    let mut counts: Vec<JobCount> =
        rows.into_iter().map(|(kind, state, jobs)| JobCount { kind, state, count: u64::try_from(jobs).unwrap_or(0) }).collect();
    counts.sort_by(|left, right| (&left.kind, left.state.name()).cmp(&(&right.kind, right.state.name())));
    Ok(counts)
}

/// The jobs in a state, newest first, at most `limit`.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn newest(database: &impl ConnectionTrait, state: JobState, limit: u64) -> Result<Vec<Model>, DbErr> {
    Entity::find().filter(Column::State.eq(state)).order_by_desc(Column::Id).limit(limit).all(database).await
}
