//! Removes an event for legal reasons, in one transaction.

use entity::{
    begin_write,
    takedown::{self, FoundEvent, MAX_REASON_CHARACTERS},
};
use poem_openapi::registry::MetaSchema;
use sea_orm::{DatabaseConnection, DatabaseTransaction, prelude::Uuid};

use super::{
    EventDetails,
    rows::{self, ReadEvent},
};
use crate::{
    error::ApiError,
    query::{ParameterKind, WITHOUT_CONTROLS},
    response::{Envelope, Precondition},
};

/// Why an event is removed.
#[derive(Debug)]
pub struct ReasonText;

impl ParameterKind for ReasonText {
    fn schema() -> MetaSchema {
        MetaSchema {
            min_length: Some(1),
            max_length: Some(MAX_REASON_CHARACTERS),
            pattern: Some(WITHOUT_CONTROLS.to_owned()),
            example: Some("court order 12/2026".into()),
            ..MetaSchema::new("string")
        }
    }
}

/// Parses a reason.
pub(super) fn parse_reason(text: &str) -> Result<String, String> {
    let is_valid = text.chars().count() <= MAX_REASON_CHARACTERS && !text.contains(char::is_control);
    let requirement = || format!("must have at most {MAX_REASON_CHARACTERS} characters, none of them a control character");
    is_valid.then(|| text.to_owned()).ok_or_else(requirement)
}

/// Removes an event, unless it was removed before.
pub(super) async fn remove(
    database: &DatabaseConnection,
    id: Uuid,
    reason: &str,
    precondition: Option<Precondition>,
) -> Result<(), ApiError> {
    let transaction = begin_write(database).await?;
    match takedown::lock(&transaction, id).await? {
        FoundEvent::Stored(event) => {
            if let Some(precondition) = precondition {
                check(&transaction, id, &precondition).await?;
            }
            event.remove(&transaction, reason).await?;
        }
        FoundEvent::Removed => (),
        FoundEvent::Unknown => return Err(ApiError::not_found("event", &id)),
    }
    transaction.commit().await?;
    Ok(())
}

/// Checks a condition of the client. No sync can change the event any more.
async fn check(transaction: &DatabaseTransaction, id: Uuid, precondition: &Precondition) -> Result<(), ApiError> {
    let ReadEvent { rows, now, .. } = rows::fetch(transaction, id).await?.ok_or(ApiError::PreconditionFailed)?;
    let body = serde_json::to_vec(&Envelope::from(EventDetails::new(rows, now))).map_err(ApiError::Encoding)?;
    precondition.check(body.into()).await
}
