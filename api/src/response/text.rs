//! Texts with a form that the OpenAPI document states.

use std::borrow::Cow;

use entity::UtcInstant;
use poem_openapi::{
    registry::{MetaSchema, MetaSchemaRef},
    types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type},
};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

macro_rules! formatted_texts {
    ($($(#[doc = $doc:literal])+ $name:ident { $($key:ident: $value:expr),+ })+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl Type for $name {
            const IS_REQUIRED: bool = true;

            type RawValueType = Self;
            type RawElementValueType = Self;

            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn schema_ref() -> MetaSchemaRef {
                let schema = MetaSchema { $($key: Some($value.into()),)+ ..MetaSchema::new("string") };
                MetaSchemaRef::Inline(Box::new(schema))
            }

            fn as_raw_value(&self) -> Option<&Self> {
                Some(self)
            }

            fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
                Box::new(self.as_raw_value().into_iter())
            }
        }

        impl ToJSON for $name {
            fn to_json(&self) -> Option<Value> {
                Some(self.0.clone().into())
            }
        }

        impl ParseFromJSON for $name {
            fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
                String::parse_from_json(value).map(Self).map_err(ParseError::propagate)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    )+};
}

formatted_texts! {
    /// An instant: RFC 3339 in UTC.
    Instant { format: "date-time" }
    /// A date.
    LocalDate { format: "date" }
    /// A time of day.
    LocalTime { pattern: r"^[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]+)?$" }
    /// A date, or a date and time without an offset.
    LocalDateTime { pattern: r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]+)?)?$" }
    /// One of our ids of events.
    EventId { format: "uuid" }
    /// One of our ids of webhooks.
    WebhookId { format: "uuid" }
    /// A slug of a provider.
    ProviderSlug { pattern: r"^[a-z0-9-]+$" }
    /// A currency (ISO 4217).
    CurrencyCode { pattern: r"^[A-Z]{3}$" }
    /// A place, like UN/LOCODE: two letters of the country, and three letters or digits.
    PlaceCode { pattern: r"^[A-Z]{2}[A-Z0-9]{3}$" }
}

/// Formats an instant as RFC 3339 in UTC.
#[must_use]
pub fn to_rfc3339(instant: UtcInstant) -> String {
    instant.to_rfc3339()
}

impl From<UtcInstant> for Instant {
    fn from(instant: UtcInstant) -> Self {
        Self(to_rfc3339(instant))
    }
}

/// A member that is always null, so that successful responses and errors have the same two members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlwaysNull;

impl Serialize for AlwaysNull {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl Type for AlwaysNull {
    const IS_REQUIRED: bool = true;

    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "null".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema::new("null")))
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(self.as_raw_value().into_iter())
    }
}

impl ToJSON for AlwaysNull {
    fn to_json(&self) -> Option<Value> {
        Some(Value::Null)
    }
}

impl ParseFromJSON for AlwaysNull {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        match value {
            Some(Value::Null) => Ok(Self),
            _ => Err(ParseError::expected_input()),
        }
    }
}
