//! Reading the log of changes, for the API and for webhooks: positions, selections, pages and the JSON of a change
//! ([ADR 35](../../../docs/adr/0035-change-log.md)).

mod document;
mod page;
mod position;
mod statement;

use std::{collections::BTreeSet, ops::RangeInclusive, sync::Arc};

use sea_orm::prelude::Uuid;

pub use self::{
    document::{ChangeDocument, FieldChange},
    page::{LogPage, LoggedChange, is_of_log, read_page},
    position::{ChangeCursor, ChangePosition, LOG, cursor_after, cursor_after_release, cursor_after_version, parse_cursor},
    statement::statement,
};
use crate::{change::ChangeKind, event_state::ChangedStates, state_filter::StateFilter};

/// Changes that are read for one of a page with filters of events, which may select few of them.
const EXAMINED_FOR_ONE: u64 = 5;
/// Changes that are read for a page with filters, at least and at most, so that no request reads the whole log.
const EXAMINED: RangeInclusive<u64> = 100..=1_000;

/// Which changes, and where a page of them begins.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangesQuery {
    /// The position after which the page begins.
    pub after: Option<ChangeCursor>,
    /// The kinds; empty for all.
    pub kinds: BTreeSet<ChangeKind>,
    /// The slugs of providers; empty for all.
    pub providers: BTreeSet<String>,
    /// Which states of the event, before or after the change; `None` for all.
    pub states: Option<Arc<StateFilter>>,
    /// The only event, without providers.
    pub event: Option<Uuid>,
    /// Whether the changed fields are read. Otherwise they are empty.
    pub has_fields: bool,
    /// Whether the states of the changes are read.
    pub has_states: bool,
    /// The maximum number of changes.
    pub limit: u64,
    /// The bytes of fields and states after which a page ends. It has at least one change.
    pub max_bytes: usize,
}

impl ChangesQuery {
    /// All changes after a position, without their states.
    #[must_use]
    pub fn all(after: Option<ChangeCursor>, limit: u64) -> Self {
        let (kinds, providers) = (BTreeSet::new(), BTreeSet::new());
        Self {
            after,
            kinds,
            providers,
            states: None,
            event: None,
            has_fields: true,
            has_states: false,
            limit,
            max_bytes: usize::MAX,
        }
    }

    /// All changes after a position, with their states.
    #[must_use]
    pub fn all_after(position: ChangeCursor, limit: u64) -> Self {
        Self { has_states: true, ..Self::all(Some(position), limit) }
    }

    /// How many changes are read for a page.
    #[must_use]
    pub fn examined(&self) -> u64 {
        let examined = (self.limit * EXAMINED_FOR_ONE).clamp(*EXAMINED.start(), *EXAMINED.end());
        if self.states.is_some() { examined } else { self.limit }
    }

    /// Whether a change of this kind, provider and states is selected.
    #[must_use]
    pub fn selects(&self, kind: ChangeKind, provider: &str, states: Option<&ChangedStates>) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&kind))
            && (self.providers.is_empty() || self.providers.contains(provider))
            && self.selects_states(states, provider)
    }

    /// Whether states are selected. Unknown ones are: a consumer must not miss a change.
    fn selects_states(&self, states: Option<&ChangedStates>, provider: &str) -> bool {
        let Some((filter, states)) = self.states.as_ref().zip(states) else { return true };
        filter.selects(states, provider)
    }
}
