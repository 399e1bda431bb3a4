//! The state of a run in responses.

use entity::sync_run;
use poem_openapi::Enum;
use serde::Serialize;

/// The state of a sync run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Accepted, not started.
    Queued,
    /// Started and not ended, or its worker was killed.
    Running,
    /// The feed was imported and changed the copy.
    Succeeded,
    /// The feed was read and changed nothing.
    Unchanged,
    /// The copy was not changed.
    Failed,
}

impl From<sync_run::RunState> for RunState {
    fn from(state: sync_run::RunState) -> Self {
        match state {
            sync_run::RunState::Queued => Self::Queued,
            sync_run::RunState::Running => Self::Running,
            sync_run::RunState::Succeeded => Self::Succeeded,
            sync_run::RunState::Unchanged => Self::Unchanged,
            sync_run::RunState::Failed => Self::Failed,
        }
    }
}
