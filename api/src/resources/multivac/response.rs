//! The responses of the probe.

use entity::datum;
use poem_openapi::{Enum, Object, types::Example};
use serde::Serialize;

use crate::response::{Instant, Nullable};

/// The confirmation of a queued datum. Its text is the one that clients of the original probe expect.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct DatumQueued {
    /// Always the same.
    pub response: Confirmation,
}

/// What the probe responds to a datum.
#[derive(Clone, Copy, Debug, Enum, Serialize)]
pub enum Confirmation {
    /// The datum is queued.
    #[oai(rename = "MultiVAC updated!")]
    #[serde(rename = "MultiVAC updated!")]
    Updated,
}

/// A page of data.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct DatumList {
    /// The data, newest first.
    pub data: Vec<Datum>,
}

/// A datum.
#[derive(Clone, Debug, Object, Serialize)]
pub struct Datum {
    /// The id, which increases with each datum.
    #[oai(validator(minimum(value = "1")))]
    pub id: i64,
    /// The text of the datum.
    pub data: String,
    /// When the datum was accepted.
    pub accepted_at: Instant,
    /// When a worker processed the datum; null while it is queued.
    pub processed_at: Nullable<Instant>,
}

impl Default for DatumQueued {
    fn default() -> Self {
        Self { response: Confirmation::Updated }
    }
}

impl From<datum::Model> for Datum {
    fn from(datum: datum::Model) -> Self {
        Self {
            id: datum.id,
            data: datum.data,
            accepted_at: datum.accepted_at.into(),
            processed_at: datum.processed_at.map(Instant::from).into(),
        }
    }
}

impl From<Vec<datum::Model>> for DatumList {
    fn from(data: Vec<datum::Model>) -> Self {
        Self { data: data.into_iter().map(Datum::from).collect() }
    }
}

impl Example for DatumQueued {
    fn example() -> Self {
        Self::default()
    }
}

impl Example for DatumList {
    fn example() -> Self {
        let datum = Datum {
            id: 7,
            data: "LET THERE BE LIGHT!".to_owned(),
            accepted_at: "2021-01-02T08:00:00Z".into(),
            processed_at: Nullable(Some("2021-01-02T08:00:00.25Z".into())),
        };
        Self { data: vec![datum] }
    }
}
