//! JSON with members in their order: the document lists properties, statuses and media types as the code declares them, and
//! [`serde_json::Value`] would sort them.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, SeqAccess, Visitor},
    ser::SerializeMap,
};
use serde_json::Value;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Object(Object),
    Array(Vec<Json>),
    Scalar(Value),
}

/// The members of an object. There are few in each, so they are searched one by one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Object(pub(super) Vec<(String, Json)>);

impl Json {
    /// Converts what serializes to JSON.
    pub(super) fn of(value: &impl Serialize) -> Self {
        // Types of responses always serialize.
        serde_json::to_string(value).and_then(|text| serde_json::from_str(&text)).unwrap_or(Self::Scalar(Value::Null))
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Scalar(value) => value.as_str(),
            _ => None,
        }
    }

    pub(super) fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Scalar(value) => value.as_u64(),
            _ => None,
        }
    }

    pub(super) fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    pub(super) fn as_object_mut(&mut self) -> Option<&mut Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The elements of an array; none of another value.
    pub(super) fn elements(&self) -> &[Self] {
        match self {
            Self::Array(elements) => elements,
            _ => &[],
        }
    }

    /// The same for changing them.
    pub(super) fn elements_mut(&mut self) -> &mut [Self] {
        match self {
            Self::Array(elements) => elements,
            _ => &mut [],
        }
    }

    /// Calls a function for each member of each object of the value.
    pub(super) fn for_each_member(&self, call: &mut impl FnMut(&str, &Self)) {
        match self {
            Self::Object(object) => object.0.iter().for_each(|(name, value)| {
                call(name, value);
                value.for_each_member(call);
            }),
            Self::Array(elements) => elements.iter().for_each(|element| element.for_each_member(call)),
            Self::Scalar(_) => {}
        }
    }

    /// Changes each object of the value, from the innermost to the outermost.
    pub(super) fn visit_objects(&mut self, change: &mut impl FnMut(&mut Object)) {
        match self {
            Self::Object(object) => {
                object.0.iter_mut().for_each(|(_, value)| value.visit_objects(change));
                change(object);
            }
            Self::Array(elements) => elements.iter_mut().for_each(|element| element.visit_objects(change)),
            Self::Scalar(_) => {}
        }
    }
}

impl Object {
    pub(super) fn get(&self, name: &str) -> Option<&Json> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Json> {
        self.0.iter_mut().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The member, which is an empty object if it was absent.
    pub(super) fn object(&mut self, name: &str) -> &mut Object {
        if !self.get(name).is_some_and(|value| matches!(value, Json::Object(_))) {
            self.set(name, Object::default());
        }
        match self.get_mut(name) {
            Some(Json::Object(object)) => object,
            _ => unreachable!("`{name}` was set to an object"),
        }
    }

    /// Replaces a member, or adds it after all others.
    pub(super) fn set(&mut self, name: &str, value: impl Into<Json>) {
        match self.get_mut(name) {
            Some(existing) => *existing = value.into(),
            None => self.0.push((name.to_owned(), value.into())),
        }
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<Json> {
        let index = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(index).1)
    }

    /// The object with another member.
    pub(super) fn with(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.set(name, value);
        self
    }

    /// Removes a member that has this value.
    pub(super) fn remove_if(&mut self, name: &str, value: &Value) {
        self.0.retain(|(known, member)| known != name || !matches!(member, Json::Scalar(scalar) if scalar == value));
    }
}

impl From<Object> for Json {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

impl From<Vec<Json>> for Json {
    fn from(elements: Vec<Json>) -> Self {
        Self::Array(elements)
    }
}

macro_rules! from_scalar {
    ($($type:ty),+) => {$(
        impl From<$type> for Json {
            fn from(value: $type) -> Self {
                Self::Scalar(value.into())
            }
        }
    )+};
}

from_scalar!(&str, String, bool, u64, i64, f64);

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Object(Object(members)) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                members.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
                map.end()
            }
            Self::Array(elements) => elements.serialize(serializer),
            Self::Scalar(value) => value.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Object(members).into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Json, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = sequence.next_element()? {
            elements.push(element);
        }
        Ok(Json::Array(elements))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(text.into())
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(number.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
        Ok(number.into())
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Scalar(Value::Null))
    }
}
