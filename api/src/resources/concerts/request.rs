//! What a search for concerts asks for.

use std::sync::Arc;

use uuid::Uuid;

use super::rows;
use crate::{
    cache::{Found, Question},
    database::reader::Reader,
    error::ApiError,
    query::{Page, Parameters, Range, ValidationErrors},
    resources::venues::near::{self, Near},
};

/// Bands of one request: more than anybody follows, and few enough that all their concerts are found in one statement.
const MAX_BANDS: usize = 100;
/// Characters of an id with its provider: more than a feed may hold.
const MAX_ID_CHARACTERS: usize = 400;
/// What prices are compared in: the smallest unit of any currency.
const UNITS_PER_PRICE: f64 = 10_000.0;
/// More than any ticket costs in any currency.
const MAX_PRICE: f64 = 1e12;

/// Where a concert stands among all, latest first: its start, its event, and its place on the bill.
pub(super) type ConcertPlace = (i64, Uuid, i32);

/// The parameters, understood.
#[derive(Clone, Debug, PartialEq)]
pub struct ConcertsRequest {
    /// Whose concerts, each once and in order; any band's if there is none.
    pub(super) bands: Vec<String>,
    /// Where.
    pub near: Option<Near>,
    /// When.
    pub(super) range: Range,
    /// At most this price for the cheapest ticket, in ten-thousandths.
    pub(super) max_price: Option<i64>,
    /// Which part of the list.
    pub(super) page: Page<ConcertPlace>,
}

impl ConcertsRequest {
    /// Reads a query string.
    ///
    /// # Errors
    ///
    /// When anything in it is unknown, repeated, malformed or missing; the error names all of it.
    pub fn parse(query: &str) -> Result<Self, ApiError> {
        const KNOWN: [&str; 9] =
            ["bandIds", "latitude", "longitude", "radius", "starts_at", "ends_at", "max_price", "limit", "cursor"];
        let mut errors = ValidationErrors::default();
        let parameters = Parameters::read_with_lists(query, &KNOWN, &["bandIds"], &mut errors);
        let is_anything_asked = parameters.has("bandIds") || near::PARAMETERS.iter().any(|name| parameters.has(name));
        if !is_anything_asked {
            errors.add(
                "bandIds",
                "is missing: ask for bands by bandIds, for a place by latitude, longitude and radius, or for both",
            );
        }
        let bands = parameters.list("bandIds").map(|ids| bands(&ids, &mut errors)).unwrap_or_default();
        let near = Near::read(&parameters, &mut errors);
        let range = Range::read(&parameters, &mut errors);
        let max_price = parameters.get("max_price", &mut errors, parse_price);
        let mut request = Self { bands, near, range, max_price, page: Page::default() };
        request.page = Page::read(&parameters, &request.filter_key(), &mut errors);
        errors.or(request)
    }

    /// The filters in one form, however they were written.
    pub(super) fn filters(&self) -> Vec<(&'static str, String)> {
        let bands = (!self.bands.is_empty()).then(|| ("bandIds", self.bands.join(",")));
        let mut filters: Vec<_> = bands.into_iter().chain(self.near.iter().flat_map(Near::filters)).collect();
        filters.extend(self.range.filters());
        filters.extend(self.max_price.map(|units| ("max_price", price_text(units))));
        filters
    }

    /// The filters as a text that is equal for equal searches; a cursor is bound to it.
    pub(super) fn filter_key(&self) -> String {
        let mut key = form_urlencoded::Serializer::new("concerts ".to_owned());
        key.extend_pairs(self.filters());
        key.finish()
    }
}

impl Question for ConcertsRequest {
    fn key(&self) -> String {
        format!("{} {}", self.filter_key(), self.page.key())
    }

    async fn find(self, reader: Arc<Reader>) -> Result<Found, ApiError> {
        reader.read(rows::find(&reader.database, &self)).await
    }
}

fn bands(ids: &[&str], errors: &mut ValidationErrors) -> Vec<String> {
    if let Some(fault) = ids.iter().find_map(|id| fault_of_id(id)) {
        errors.add("bandIds", fault);
    }
    let mut ids: Vec<String> = ids.iter().map(|id| id.trim().to_owned()).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.len() > MAX_BANDS {
        errors.add("bandIds", format!("holds {} ids: want {MAX_BANDS} at most", ids.len()));
    }
    ids
}

fn fault_of_id(id: &str) -> Option<String> {
    let wanted = "want ids of performers with commas between them, such as 1,4,5";
    let id = id.trim();
    if id.is_empty() {
        Some(format!("holds an empty id: {wanted}"))
    } else if id.starts_with(':') || id.ends_with(':') {
        Some(format!("`{}` is only half of provider:id", shortened(id)))
    } else if id.chars().any(char::is_control) || id.chars().count() > MAX_ID_CHARACTERS {
        Some(format!("`{}` is no id: {wanted}", shortened(id)))
    } else {
        None
    }
}

fn shortened(id: &str) -> String {
    id.chars().take(40).filter(|character| !character.is_control()).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
fn parse_price(text: &str) -> Result<i64, String> {
    match text.parse::<f64>() {
        Ok(price) if (0.0..=MAX_PRICE).contains(&price) => Ok((price * UNITS_PER_PRICE).round() as i64),
        _ => Err("want a price, such as 30 or 27.50".to_owned()),
    }
}

#[expect(clippy::cast_precision_loss, reason = "the range was checked")]
fn price_text(units: i64) -> String {
    (units as f64 / UNITS_PER_PRICE).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(query: &str) -> ConcertsRequest {
        ConcertsRequest::parse(query).unwrap_or_else(|error| panic!("{query}: {error:?}"))
    }

    fn faults(query: &str) -> Vec<(String, String)> {
        match ConcertsRequest::parse(query) {
            Err(ApiError::InvalidParameters(errors)) => {
                errors.into_iter().map(|mistake| (mistake.parameter.unwrap_or_default(), mistake.message)).collect()
            }
            other => panic!("{query}: {other:?}"),
        }
    }

    #[test]
    fn equal_questions_have_equal_keys() {
        let key = parsed("bandIds=5,4,1&latitude=48.5&longitude=-0&radius=5").key();
        for same in [
            "bandIds=1&bandIds=4&bandIds=5,4&radius=5.0&longitude=0&latitude=%2B48.50",
            "radius=5e0&latitude=48.5&longitude=0.0&bandIds=%201,4%20,5",
        ] {
            assert_eq!(parsed(same).key(), key, "{same}");
        }
        for other in ["bandIds=1,4,5", "bandIds=1,4&latitude=48.5&longitude=0&radius=5", "latitude=48.5&longitude=0&radius=5"] {
            assert_ne!(parsed(other).key(), key, "{other}");
        }
        assert_ne!(parsed("bandIds=1").key(), parsed("bandIds=1&max_price=0").key());
    }

    #[test]
    fn faults_name_their_parameter() {
        for (query, parameter, part) in [
            ("", "bandIds", "ask for bands"),
            ("latitude=1&longitude=2", "radius", "is missing"),
            ("bandIds=1&radius=2", "latitude", "is missing"),
            ("band=32", "band", "did you mean `bandIds`?"),
            ("bandIds=", "bandIds", "empty id"),
            ("bandIds=1,,2", "bandIds", "empty id"),
            ("bandIds=1,", "bandIds", "empty id"),
            ("bandIds=a%07b", "bandIds", "is no id"),
            ("bandIds=:4", "bandIds", "half of provider:id"),
            ("bandIds=northstage:", "bandIds", "half of provider:id"),
            ("latitude=91&longitude=2&radius=3", "latitude", "from -90 to 90"),
            ("latitude=1&longitude=180.1&radius=3", "longitude", "from -180 to 180"),
            ("latitude=1&longitude=2&radius=-1", "radius", "from 0 to 20038"),
            ("latitude=1&longitude=2&radius=20038.1", "radius", "from 0 to 20038"),
            ("latitude=1&longitude=2&radius=ten", "radius", "a number of kilometres"),
            ("latitude=NaN&longitude=2&radius=1", "latitude", "a number of degrees"),
            ("latitude=1&longitude=inf&radius=1", "longitude", "a number of degrees"),
            ("latitude=1&longitude=2&radius=1e999", "radius", "a number of kilometres"),
            ("bandIds=1&max_price=-1", "max_price", "want a price"),
            ("bandIds=1&limit=0", "limit", "from 1 to"),
            ("bandIds=1&cursor=x", "cursor", "no cursor of ours"),
            ("bandIds=1&radius=1&radius=2", "radius", "more than once"),
            ("bandIds=1&starts_at=2021-02-02&ends_at=2021-02-01", "ends_at", "must not be before"),
        ] {
            let faults = faults(query);
            assert!(faults.iter().any(|(named, message)| named == parameter && message.contains(part)), "{query}: {faults:?}");
        }
    }

    #[test]
    fn the_number_of_bands_is_bounded() {
        let ids = |count: usize| (0..count).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
        assert_eq!(parsed(&format!("bandIds={}", ids(100))).bands.len(), 100);
        assert_eq!(faults(&format!("bandIds={}", ids(101)))[0].1, "holds 101 ids: want 100 at most");
        assert_eq!(parsed(&format!("bandIds={},1,2", ids(100))).bands.len(), 100, "each counts once");
    }

    #[test]
    fn the_least_and_the_most_are_allowed() {
        let near = parsed("latitude=-90&longitude=180&radius=0").near;
        assert_eq!(near, Some(Near { latitude: -90.0, longitude: 180.0, radius: 0.0 }));
        assert_eq!(parsed("latitude=90&longitude=-180&radius=20038").near.map(|near| near.radius), Some(20_038.0));
        assert_eq!(parsed("bandIds=1&max_price=19.99").max_price, Some(199_900));
    }
}
