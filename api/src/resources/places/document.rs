//! The list of places: parsed as a whole, and validated before anything is written.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    marker::PhantomData,
};

use poem::Request;
use poem_openapi::{Object, types::Example};
use rates::quote;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{SeqAccess, Visitor},
};

use crate::{
    error::{ApiError, ValidationError},
    resources::upload::{JsonContents, media_type, require_no_coding},
    response::{Nullable, PlaceCode},
};

/// The largest body: several times the complete UN/LOCODE list of about 116,000 places.
pub(super) const MAX_BYTES: usize = 64 << 20;
/// The maximum number of places and regions, for the same reason.
const MAX_ITEMS: usize = 500_000;
/// The longest name or slug.
const MAX_CHARACTERS: usize = 200;
/// Validation errors that are reported for one list.
const MAX_ERRORS: usize = 100;

/// Regions and places. A region includes every place below it, at any depth.
#[derive(Clone, Debug, Default, Deserialize, Object, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct PlacesDocument {
    /// The regions, in any order.
    #[serde(deserialize_with = "read_items")]
    pub regions: Vec<RegionInput>,
    /// The places, in any order.
    #[serde(deserialize_with = "read_items")]
    pub places: Vec<PlaceInput>,
}

/// A region.
#[derive(Clone, Debug, Deserialize, Object, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RegionInput {
    /// The slug, by which requests refer to the region.
    #[oai(validator(min_length = 1, max_length = 200, pattern = "^[A-Za-z0-9_-]+$"))]
    pub slug: String,
    /// The name.
    #[oai(validator(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    ))]
    pub name: String,
    /// The slug of the parent region; null if there is none.
    #[serde(default)]
    #[oai(default)]
    pub parent_slug: Nullable<String>,
}

/// A place, between which and others rates apply.
#[derive(Clone, Debug, Deserialize, Object, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PlaceInput {
    /// The code, like UN/LOCODE: two capital letters of the country, and three capital letters or digits.
    pub code: PlaceCode,
    /// The name.
    #[oai(validator(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    ))]
    pub name: String,
    /// The slug of the region that contains the place; null if there is none.
    #[serde(default)]
    #[oai(default)]
    pub region_slug: Nullable<String>,
}

impl JsonContents for PlacesDocument {}

/// Checks how a list is encoded.
pub(super) fn check_headers(request: &Request) -> Result<(), ApiError> {
    media_type::<PlacesDocument>(request)?;
    require_no_coding(request)
}

/// Parses and validates a list.
pub(super) async fn parse(bytes: Vec<u8>) -> Result<PlacesDocument, ApiError> {
    // Parsing a long list would block the runtime.
    let parsed = tokio::task::spawn_blocking(move || {
        let document: PlacesDocument = serde_json::from_slice(without_bom(&bytes)).map_err(|error| syntax_error(&error))?;
        document.validate()?;
        Ok(document)
    });
    parsed.await.map_err(|_| ApiError::TaskPanicked)?
}

/// Reads items up to one more than [`MAX_ITEMS`], which is an error. The smallest items need ten times the memory of their JSON.
fn read_items<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    struct ItemsVisitor<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for ItemsVisitor<T> {
        type Value = Vec<T>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Vec<T>, A::Error> {
            let mut items = Vec::new();
            while let Some(item) = array.next_element()? {
                if items.len() <= MAX_ITEMS {
                    items.push(item);
                }
            }
            Ok(items)
        }
    }

    deserializer.deserialize_seq(ItemsVisitor(PhantomData))
}

/// Other readers of JSON accept a byte order mark, which some editors write, so it is ignored here, too.
fn without_bom(json: &[u8]) -> &[u8] {
    json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json)
}

fn syntax_error(error: &serde_json::Error) -> ApiError {
    let line = Some(error.line() as u64).filter(|line| *line > 0);
    // The parser quotes names and values in full.
    let cause: String = error.to_string().chars().take(MAX_CHARACTERS).collect();
    let message = format!("the body must be a JSON object with `regions` and `places` as documented: {cause}");
    ApiError::InvalidItems { errors: vec![ValidationError { line, message, ..ValidationError::default() }], count: 1 }
}

impl PlacesDocument {
    /// Validates the list.
    ///
    /// # Errors
    ///
    /// When items are invalid or inconsistent; the error lists them.
    pub fn validate(&self) -> Result<(), ApiError> {
        let items = self.regions.len() + self.places.len();
        if items > MAX_ITEMS {
            return Err(ApiError::BodyTooLarge { what: "places and regions per document", limit: MAX_ITEMS as u64 });
        }
        let mut errors = DocumentErrors::default();
        let parents: Parents<'_> =
            self.regions.iter().map(|region| (region.slug.as_str(), region.parent_slug.0.as_deref())).collect();
        self.validate_regions(&parents, &mut errors);
        self.validate_places(&parents, &mut errors);
        errors.finish()
    }

    fn validate_regions(&self, parents: &Parents<'_>, errors: &mut DocumentErrors) {
        let codes: HashSet<&str> = self.places.iter().map(|place| place.code.0.as_str()).collect();
        let mut slugs = HashSet::new();
        for (index, RegionInput { slug, name, parent_slug }) in self.regions.iter().enumerate() {
            let pointer = |member| format!("/regions/{index}/{member}");
            let quoted = quote(slug.as_bytes());
            if !is_slug(slug) {
                errors.add(pointer("slug"), format!("must be 1 to 200 letters, digits, `_` and `-`, got {quoted}"));
            }
            if !slugs.insert(slug.as_str()) {
                errors.add(pointer("slug"), format!("must be unique, got {quoted} more than once"));
            }
            if codes.contains(slug.as_str()) {
                errors.add(pointer("slug"), format!("must differ from every place code, got {quoted}"));
            }
            errors.check_name(pointer("name"), name);
            errors.check_region(pointer("parent_slug"), parent_slug.0.as_deref(), parents);
        }
        for index in find_cycles(&self.regions, parents) {
            let slug = quote(self.regions[index].slug.as_bytes());
            errors.add(format!("/regions/{index}/parent_slug"), format!("must not make the region {slug} contain itself"));
        }
    }

    fn validate_places(&self, parents: &Parents<'_>, errors: &mut DocumentErrors) {
        let mut codes = HashSet::new();
        for (index, PlaceInput { code: PlaceCode(code), name, region_slug }) in self.places.iter().enumerate() {
            let pointer = |member| format!("/places/{index}/{member}");
            let quoted = quote(code.as_bytes());
            if !is_code(code) {
                errors.add(
                    pointer("code"),
                    format!("must be two capital letters and three capital letters or digits, such as `EETLL`, got {quoted}"),
                );
            }
            if !codes.insert(code.as_str()) {
                errors.add(pointer("code"), format!("must be unique, got {quoted} more than once"));
            }
            errors.check_name(pointer("name"), name);
            errors.check_region(pointer("region_slug"), region_slug.0.as_deref(), parents);
        }
    }
}

/// The parent of each region.
type Parents<'a> = HashMap<&'a str, Option<&'a str>>;

fn is_slug(slug: &str) -> bool {
    let is_allowed = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
    (1..=MAX_CHARACTERS).contains(&slug.len()) && slug.chars().all(is_allowed)
}

fn is_code(code: &str) -> bool {
    let (country, place) = code.as_bytes().split_at(code.len().min(2));
    code.len() == 5
        && country.iter().all(u8::is_ascii_uppercase)
        && place.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// The state of a region during the search for cycles.
enum Visit {
    /// It is on the current path.
    OnPath,
    /// It was visited on an earlier path, and its cycle, if any, was recorded.
    Done,
}

/// The regions that contain themselves.
fn find_cycles(regions: &[RegionInput], parents: &Parents<'_>) -> Vec<usize> {
    let mut visits: HashMap<&str, Visit> = HashMap::new();
    let mut in_cycle: HashSet<&str> = HashSet::new();
    for region in regions {
        let mut path = Vec::new();
        let mut current = Some(region.slug.as_str());
        while let Some(slug) = current {
            match visits.get(slug) {
                None => {
                    visits.insert(slug, Visit::OnPath);
                    path.push(slug);
                    current = parents.get(slug).copied().flatten();
                }
                Some(Visit::OnPath) => {
                    let start = path.iter().position(|on_path| *on_path == slug).unwrap_or_default();
                    in_cycle.extend(&path[start..]);
                    break;
                }
                Some(Visit::Done) => break,
            }
        }
        visits.extend(path.into_iter().map(|slug| (slug, Visit::Done)));
    }
    let index_in_cycle = |(index, region): (usize, &RegionInput)| in_cycle.contains(region.slug.as_str()).then_some(index);
    regions.iter().enumerate().filter_map(index_in_cycle).collect()
}

/// The validation errors of a list, up to [`MAX_ERRORS`].
#[derive(Default)]
struct DocumentErrors {
    first: Vec<ValidationError>,
    count: u64,
}

impl DocumentErrors {
    fn add(&mut self, pointer: String, message: String) {
        self.count += 1;
        if self.first.len() < MAX_ERRORS {
            self.first.push(ValidationError::at_pointer(pointer, message));
        }
    }

    fn check_name(&mut self, pointer: String, name: &str) {
        if name.trim().is_empty() || name.chars().count() > MAX_CHARACTERS || name.chars().any(char::is_control) {
            let quoted = quote(name.as_bytes());
            self.add(pointer, format!("must have 1 to {MAX_CHARACTERS} printable characters, got {quoted}"));
        }
    }

    fn check_region(&mut self, pointer: String, slug: Option<&str>, parents: &Parents<'_>) {
        if let Some(slug) = slug.filter(|slug| !parents.contains_key(slug)) {
            self.add(pointer, format!("must be the slug of a region in the list, got {}", quote(slug.as_bytes())));
        }
    }

    fn finish(self) -> Result<(), ApiError> {
        if self.count == 0 { Ok(()) } else { Err(ApiError::InvalidItems { errors: self.first, count: self.count }) }
    }
}

impl Example for PlacesDocument {
    fn example() -> Self {
        let text = |text: &str| text.to_owned();
        Self {
            regions: vec![
                RegionInput { slug: text("northern_europe"), name: text("Northern Europe"), parent_slug: Nullable(None) },
                RegionInput { slug: text("baltic"), name: text("Baltic"), parent_slug: Nullable(Some(text("northern_europe"))) },
            ],
            places: vec![PlaceInput { code: "EETLL".into(), name: text("Tallinn"), region_slug: Nullable(Some(text("baltic"))) }],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(slug: &str, parent: &str) -> RegionInput {
        let parent_slug = Some(parent.to_owned()).filter(|parent| !parent.is_empty()).into();
        RegionInput { slug: slug.to_owned(), name: "R".to_owned(), parent_slug }
    }

    fn place(code: &str, region: &str) -> PlaceInput {
        let region_slug = Some(region.to_owned()).filter(|region| !region.is_empty()).into();
        PlaceInput { code: code.into(), name: "P".to_owned(), region_slug }
    }

    fn errors(regions: &[RegionInput], places: &[PlaceInput]) -> Vec<(String, String)> {
        match (PlacesDocument { regions: regions.to_vec(), places: places.to_vec() }).validate() {
            Ok(()) => Vec::new(),
            Err(ApiError::InvalidItems { errors, count }) => {
                assert_eq!(errors.len() as u64, count);
                errors.into_iter().map(|error| (error.pointer.unwrap(), error.message)).collect()
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn accepts_a_consistent_list() {
        let regions = [region("baltic", "europe"), region("europe", ""), region("empty-1", "baltic")];
        assert_eq!(errors(&regions, &[place("EETLL", "baltic"), place("US2BX", "")]), []);
        assert_eq!(errors(&[], &[]), []);
    }

    #[test]
    fn reports_each_invalid_item() {
        for (regions, places, pointer, part) in [
            (vec![region("a", "b")], vec![], "/regions/0/parent_slug", "a region in the list, got `b`"),
            (vec![region("a", ""), region("a", "")], vec![], "/regions/1/slug", "more than once"),
            (vec![region("EETLL", "")], vec![place("EETLL", "")], "/regions/0/slug", "differ from every place code"),
            (vec![region("a b", "")], vec![], "/regions/0/slug", "must be 1 to 200 letters"),
            (vec![region("", "")], vec![], "/regions/0/slug", "must be 1 to 200 letters"),
            (vec![], vec![place("EETLL", "x")], "/places/0/region_slug", "a region in the list, got `x`"),
            (vec![], vec![place("EETLL", ""), place("EETLL", "")], "/places/1/code", "more than once"),
            (vec![], vec![place("eetll", "")], "/places/0/code", "must be two capital letters"),
            (vec![], vec![place("EET", "")], "/places/0/code", "must be two capital letters"),
            (vec![], vec![place("É", "")], "/places/0/code", "must be two capital letters"),
            (vec![], vec![place("EETLLL", "")], "/places/0/code", "must be two capital letters"),
        ] {
            let found = errors(&regions, &places);
            assert!(found.iter().any(|(at, message)| at == pointer && message.contains(part)), "{pointer}: {found:?}");
        }
        let nameless = PlaceInput { name: " ".to_owned(), ..place("EETLL", "") };
        assert_eq!(errors(&[], &[nameless])[0].0, "/places/0/name");
    }

    #[test]
    fn reports_every_region_of_a_cycle_and_none_that_only_leads_to_one() {
        let regions = [region("a", "b"), region("b", "c"), region("c", "b"), region("d", "d"), region("e", ""), region("f", "e")];
        let pointers: Vec<String> = errors(&regions, &[]).into_iter().map(|(pointer, _)| pointer).collect();
        assert_eq!(pointers, ["/regions/1/parent_slug", "/regions/2/parent_slug", "/regions/3/parent_slug"]);
    }

    #[test]
    fn accepts_a_deep_chain_of_regions() {
        let chain: Vec<RegionInput> =
            (0..100_000).map(|index| region(&format!("r{index}"), &format!("r{}", index + 1))).collect();
        let top = region("r100000", "");
        assert_eq!(errors(&[chain, vec![top]].concat(), &[]), []);
    }
}
