//! Errors of the database and of the framework as errors of the API.

use entity::Failure;
use poem::{error::ResponseError, http::StatusCode};
use sea_orm::DbErr;

use super::ApiError;
use crate::database::CheckError;

impl From<DbErr> for ApiError {
    fn from(error: DbErr) -> Self {
        match Failure::of(&error) {
            Failure::ConnectionLost | Failure::Unavailable => Self::DatabaseUnavailable(error),
            Failure::StorageFull => Self::StorageFull(error),
            Failure::Corrupt => Self::DatabaseCorrupt(error),
            Failure::UndefinedName => Self::SchemaOutdated,
            Failure::Rejected => Self::Database(error),
        }
    }
}

impl From<CheckError> for ApiError {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Unresponsive(error) => Self::DatabaseUnavailable(error),
            CheckError::SchemaTooNew { .. } => Self::SchemaTooNew,
        }
    }
}

/// The error of a response without an [`ApiError`]: the framework rejected the request.
impl From<StatusCode> for ApiError {
    fn from(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::PathNotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            status => Self::Rejected(status),
        }
    }
}

/// The error of an endpoint: an [`ApiError`], or an error of the framework.
impl From<poem::Error> for ApiError {
    fn from(error: poem::Error) -> Self {
        let status = error.status();
        error.downcast().unwrap_or_else(|_| status.into())
    }
}

/// An operation fails with its error as a value, and the server's observer turns it into a problem response.
impl ResponseError for ApiError {
    fn status(&self) -> StatusCode {
        self.status()
    }
}
