//! What the probe says.

use entity::datum;
use poem_openapi::{Object, types::Example};
use serde::Serialize;

use crate::{query::to_rfc3339, response::Nullable};

/// A datum is queued. The words are those of the system that the probe comes from.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct Updated {
    /// Always the same.
    pub response: String,
}

/// A page of data.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct Acquired {
    /// The data, newest first.
    pub data: Vec<Datum>,
}

/// What was given at one time.
#[derive(Clone, Debug, Object, Serialize)]
pub struct Datum {
    /// Rises with each datum.
    pub id: i64,
    /// What it says.
    pub data: String,
    /// When it was accepted.
    pub accepted_at: String,
    /// When a worker acquired it; null while it waits.
    pub processed_at: Nullable<String>,
}

impl Default for Updated {
    fn default() -> Self {
        Self { response: "MultiVAC updated!".to_owned() }
    }
}

impl From<datum::Model> for Datum {
    fn from(datum: datum::Model) -> Self {
        Self {
            id: datum.id,
            data: datum.data,
            accepted_at: to_rfc3339(datum.accepted_at),
            processed_at: datum.processed_at.map(to_rfc3339).into(),
        }
    }
}

impl From<Vec<datum::Model>> for Acquired {
    fn from(data: Vec<datum::Model>) -> Self {
        Self { data: data.into_iter().map(Datum::from).collect() }
    }
}

impl Example for Updated {
    fn example() -> Self {
        Self::default()
    }
}

impl Example for Acquired {
    fn example() -> Self {
        let datum = Datum {
            id: 7,
            data: "LET THERE BE LIGHT!".to_owned(),
            accepted_at: "2021-01-02T08:00:00Z".to_owned(),
            processed_at: Nullable(Some("2021-01-02T08:00:00.25Z".to_owned())),
        };
        Self { data: vec![datum] }
    }
}
