//! How OpenAPI documents parameters.
//!
//! An operation declares its parameters for the OpenAPI document only, and parses the query string itself with
//! [`Parameters`](super::Parameters): the framework's extractors ignore unknown parameters, stop at the first error, and name our types
//! in their messages.

use std::{fmt, marker::PhantomData, ops::Deref};

use poem::{Request, RequestBody, http::StatusCode};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaParamIn, MetaSchema, MetaSchemaRef, Registry},
    types::Type,
};
use rates::IdempotencyKey;

use super::MAX_ROWS;
use crate::response::ProviderSlug;

/// A parameter that is documented as a `K` and not extracted.
pub struct Documented<K>(PhantomData<fn() -> K>);

/// The text of a path parameter that is documented as a `K`. The operation parses it. poem-openapi recognizes path parameters by this
/// name of their type.
pub struct Path<K>(String, PhantomData<fn() -> K>);

/// A kind of parameter. It is defined beside the parser of its values, and both use the same bounds.
pub trait ParameterKind {
    /// Where it is, if it is not extracted.
    const IN: MetaParamIn = MetaParamIn::Query;
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

/// A number of rows.
#[derive(Debug)]
pub struct Limit;

/// A cursor.
#[derive(Debug)]
pub struct CursorText;

/// The header `Idempotency-Key`.
#[derive(Debug)]
pub struct IdempotencyKeyText;

/// The header `If-Match`.
#[derive(Debug)]
pub struct IfMatchText;

/// A UUID in a path.
#[derive(Debug)]
pub struct UuidText;

/// The slug of a provider in a path.
#[derive(Debug)]
pub struct ProviderSlugText;

/// The number of a row in a path.
#[derive(Debug)]
pub struct RowNumber;

/// Any text without NUL, which PostgreSQL rejects.
pub const WITHOUT_NUL: &str = r"^[^\x00]*$";
/// Any text without control characters.
pub const WITHOUT_CONTROLS: &str = r"^[^\x00-\x1f\x7f-\x9f]*$";
/// A date and time without an offset, or an empty text, which means that the parameter is absent.
const LOCAL_TIME: &str =
    r"^([0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?)?$";

impl<K: ParameterKind> ParameterKind for Required<K> {
    const IN: MetaParamIn = K::IN;
    const IS_REQUIRED: bool = true;

    fn schema() -> MetaSchema {
        K::schema()
    }
}

impl ParameterKind for DateOrTime {
    fn schema() -> MetaSchema {
        let forms = [
            MetaSchema::new_with_format("string", "date"),
            MetaSchema::new_with_format("string", "date-time"),
            MetaSchema { pattern: Some(LOCAL_TIME.to_owned()), ..MetaSchema::new("string") },
        ];
        MetaSchema { any_of: forms.map(|form| MetaSchemaRef::Inline(Box::new(form))).into(), ..MetaSchema::ANY }
    }
}

impl ParameterKind for Limit {
    #[expect(clippy::cast_precision_loss, reason = "the bound is small")]
    fn schema() -> MetaSchema {
        MetaSchema {
            minimum: Some(1.0),
            maximum: Some(MAX_ROWS as f64),
            default: Some(MAX_ROWS.into()),
            example: Some(10.into()),
            ..MetaSchema::new_with_format("integer", "int32")
        }
    }
}

impl ParameterKind for CursorText {
    fn schema() -> MetaSchema {
        MetaSchema { pattern: Some("^[A-Za-z0-9_-]*$".to_owned()), ..MetaSchema::new("string") }
    }
}

impl ParameterKind for IdempotencyKeyText {
    const IN: MetaParamIn = MetaParamIn::Header;

    fn schema() -> MetaSchema {
        MetaSchema {
            max_length: Some(IdempotencyKey::MAX_CHARACTERS),
            // Printable ASCII. Spaces around a header are not part of it, and a quote begins a string.
            pattern: Some("^[!#-~]([ -~]*[!-~])?$".to_owned()),
            ..MetaSchema::new("string")
        }
    }
}

impl ParameterKind for IfMatchText {
    const IN: MetaParamIn = MetaParamIn::Header;

    /// The example is the validator of no response: a request that is prefilled with it changes nothing.
    fn schema() -> MetaSchema {
        MetaSchema {
            pattern: Some(r#"^(\*|"[!#-~]*"(, *"[!#-~]*")*)$"#.to_owned()),
            example: Some(r#""replace-by-an-etag""#.into()),
            ..MetaSchema::new("string")
        }
    }
}

impl ParameterKind for UuidText {
    fn schema() -> MetaSchema {
        MetaSchema::new_with_format("string", "uuid")
    }
}

impl ParameterKind for ProviderSlugText {
    fn schema() -> MetaSchema {
        match ProviderSlug::schema_ref() {
            MetaSchemaRef::Inline(schema) => *schema,
            MetaSchemaRef::Reference(name) => unreachable!("{name} is an inline schema"),
        }
    }
}

impl ParameterKind for RowNumber {
    fn schema() -> MetaSchema {
        MetaSchema { minimum: Some(1.0), ..MetaSchema::new_with_format("integer", "int64") }
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
        Some(K::IN)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(MetaSchemaRef::Inline(Box::new(K::schema())))
    }

    async fn from_request(_: &'a Request, _: &mut RequestBody, _: ExtractParamOptions<()>) -> poem::Result<Self> {
        Ok(Self(PhantomData))
    }
}

impl<K> Deref for Path<K> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<K> fmt::Debug for Path<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl<'a, K: ParameterKind> ApiExtractor<'a> for Path<K> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];
    const PARAM_IS_REQUIRED: bool = true;

    type ParamType = ();
    type ParamRawType = ();

    fn register(_: &mut Registry) {}

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Path)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(MetaSchemaRef::Inline(Box::new(K::schema())))
    }

    async fn from_request(request: &'a Request, _: &mut RequestBody, options: ExtractParamOptions<()>) -> poem::Result<Self> {
        // Absent if it is not UTF-8.
        let text = request.raw_path_param(options.name).ok_or(StatusCode::BAD_REQUEST)?;
        Ok(Self(text.to_owned(), PhantomData))
    }
}
