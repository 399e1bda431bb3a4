//! How OpenAPI documents query parameters.
//!
//! An operation declares its parameters for the OpenAPI document only, and parses the query string itself with
//! [`Parameters`](super::Parameters): the framework's extractors ignore unknown parameters, stop at the first error, and name our types
//! in their messages.

use std::{fmt, marker::PhantomData};

use poem::{Request, RequestBody};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaParamIn, MetaSchema, MetaSchemaRef, Registry},
};

use super::MAX_ROWS;

/// A query parameter that is documented as a `K` and not extracted.
pub struct Documented<K>(PhantomData<fn() -> K>);

/// A kind of parameter.
pub trait ParameterKind {
    /// Whether the parameter is required.
    const IS_REQUIRED: bool = false;

    /// The schema of its values.
    fn schema() -> MetaSchema;
}

/// The same kind of a parameter that is required.
#[derive(Debug)]
pub struct Required<K>(PhantomData<fn() -> K>);

/// A date and time, or a date.
#[derive(Debug)]
pub struct DateOrTime;

/// A date.
#[derive(Debug)]
pub struct Date;

/// A number of rows.
#[derive(Debug)]
pub struct Limit;

/// A cursor.
#[derive(Debug)]
pub struct CursorText;

/// A text.
#[derive(Debug)]
pub struct Word;

/// Texts, separated by commas.
#[derive(Debug)]
pub struct Words;

/// A number with or without a fraction.
#[derive(Debug)]
pub struct Number;

impl<K: ParameterKind> ParameterKind for Required<K> {
    const IS_REQUIRED: bool = true;

    fn schema() -> MetaSchema {
        K::schema()
    }
}

impl ParameterKind for DateOrTime {
    fn schema() -> MetaSchema {
        MetaSchema { example: Some("2021-02-01T00:00:00Z".into()), ..MetaSchema::new("string") }
    }
}

impl ParameterKind for Date {
    fn schema() -> MetaSchema {
        MetaSchema { example: Some("2021-01-31".into()), ..MetaSchema::new_with_format("string", "date") }
    }
}

impl ParameterKind for Limit {
    #[expect(clippy::cast_precision_loss, reason = "the bound is small")]
    fn schema() -> MetaSchema {
        MetaSchema { minimum: Some(1.0), maximum: Some(MAX_ROWS as f64), ..MetaSchema::new_with_format("integer", "int32") }
    }
}

impl ParameterKind for CursorText {
    fn schema() -> MetaSchema {
        MetaSchema::new("string")
    }
}

impl ParameterKind for Word {
    fn schema() -> MetaSchema {
        MetaSchema::new("string")
    }
}

impl ParameterKind for Words {
    fn schema() -> MetaSchema {
        MetaSchema { example: Some("1,4,5".into()), ..MetaSchema::new("string") }
    }
}

impl ParameterKind for Number {
    fn schema() -> MetaSchema {
        MetaSchema::new_with_format("number", "double")
    }
}

impl<K> fmt::Debug for Documented<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Documented")
    }
}

impl<'a, K: ParameterKind> ApiExtractor<'a> for Documented<K> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];
    const PARAM_IS_REQUIRED: bool = K::IS_REQUIRED;

    type ParamType = ();
    type ParamRawType = ();

    fn register(_: &mut Registry) {}

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Query)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(MetaSchemaRef::Inline(Box::new(K::schema())))
    }

    async fn from_request(_: &'a Request, _: &mut RequestBody, _: ExtractParamOptions<()>) -> poem::Result<Self> {
        Ok(Self(PhantomData))
    }
}
