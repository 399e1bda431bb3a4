//! Query parameters as OpenAPI shall describe them.
//!
//! An operation lists its parameters for the description alone and reads the query string itself, in one pass
//! ([`Parameters`](super::Parameters)): the framework's own reading would ignore unknown names, stop at the first fault and
//! name our types in its messages.

use std::{borrow::Cow, fmt, marker::PhantomData};

use poem_openapi::{
    registry::{MetaSchema, MetaSchemaRef},
    types::{ParseFromParameter, ParseResult, Type},
};

use super::MAX_ROWS;

/// A parameter that is described as `K` and not read here.
pub struct Described<K>(PhantomData<fn() -> K>);

/// A kind of parameter.
pub trait Kind {
    /// What its values look like.
    fn schema() -> MetaSchema;
}

/// A date and time, or a date.
#[derive(Debug)]
pub struct Moment;

/// A day.
#[derive(Debug)]
pub struct Date;

/// A number of rows.
#[derive(Debug)]
pub struct Limit;

/// A cursor as clients hand it back.
#[derive(Debug)]
pub struct CursorText;

/// A name.
#[derive(Debug)]
pub struct Word;

/// Names, with commas between them.
#[derive(Debug)]
pub struct Words;

/// A number with or without a fraction.
#[derive(Debug)]
pub struct Number;

impl Kind for Moment {
    fn schema() -> MetaSchema {
        MetaSchema { example: Some("2021-02-01T00:00:00Z".into()), ..MetaSchema::new("string") }
    }
}

impl Kind for Date {
    fn schema() -> MetaSchema {
        MetaSchema { example: Some("2021-01-31".into()), ..MetaSchema::new_with_format("string", "date") }
    }
}

impl Kind for Limit {
    #[expect(clippy::cast_precision_loss, reason = "the bound is small")]
    fn schema() -> MetaSchema {
        MetaSchema { minimum: Some(1.0), maximum: Some(MAX_ROWS as f64), ..MetaSchema::new_with_format("integer", "int32") }
    }
}

impl Kind for CursorText {
    fn schema() -> MetaSchema {
        MetaSchema::new("string")
    }
}

impl Kind for Word {
    fn schema() -> MetaSchema {
        MetaSchema::new("string")
    }
}

impl Kind for Words {
    fn schema() -> MetaSchema {
        MetaSchema { example: Some("1,4,5".into()), ..MetaSchema::new("string") }
    }
}

impl Kind for Number {
    fn schema() -> MetaSchema {
        MetaSchema::new_with_format("number", "double")
    }
}

impl<K> fmt::Debug for Described<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Described")
    }
}

impl<K: Kind> Type for Described<K> {
    const IS_REQUIRED: bool = false;

    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        K::schema().ty.into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(K::schema()))
    }

    fn as_raw_value(&self) -> Option<&Self> {
        None
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::empty())
    }
}

impl<K: Kind> ParseFromParameter for Described<K> {
    fn parse_from_parameter(_: &str) -> ParseResult<Self> {
        Ok(Self(PhantomData))
    }

    fn parse_from_parameters<I: IntoIterator<Item = A>, A: AsRef<str>>(_: I) -> ParseResult<Self> {
        Ok(Self(PhantomData))
    }
}
