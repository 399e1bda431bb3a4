//! The list of places that is sent: read whole, and checked before anything is written.

use std::collections::{HashMap, HashSet};

use poem::Request;
use poem_openapi::{
    Object,
    registry::{MetaMediaType, Registry},
    types::{Example, Type},
};
use rates::quote;
use serde::{Deserialize, Serialize};

use crate::{
    error::{ApiError, ValidationError},
    response::Nullable,
    upload::{Contents, Upload, media_type},
};

/// The body: several times the list of all places of UN/LOCODE, which has some 116,000.
const MAX_BYTES: usize = 64 << 20;
/// Places and regions of one list, for the same reason.
const MAX_ITEMS: usize = 500_000;
/// Characters of a name or slug: more than any has.
const MAX_CHARACTERS: usize = 200;
/// Faults that are told of one list.
const MAX_ERRORS: usize = 100;

/// Regions and places. A region means every place below it, at any depth.
#[derive(Clone, Debug, Default, Deserialize, Object, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct PlacesDocument {
    /// The regions, in any order.
    pub regions: Vec<Region>,
    /// The places, in any order.
    pub places: Vec<Place>,
}

/// A part of the world.
#[derive(Clone, Debug, Deserialize, Object, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// What it is asked for by.
    pub slug: String,
    /// What it is called.
    pub name: String,
    /// The region it lies in; null if in none.
    #[serde(default)]
    pub parent_slug: Nullable<String>,
}

/// Where one can travel from and to.
#[derive(Clone, Debug, Deserialize, Object, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Five characters in the manner of UN/LOCODE: two letters of the country and three letters or digits.
    pub code: String,
    /// What it is called.
    pub name: String,
    /// The region it lies in; null if in none.
    #[serde(default)]
    pub region_slug: Nullable<String>,
}

impl Contents for PlacesDocument {
    const MEDIA_TYPES: &'static [&'static str] = &["application/json"];
    const ACCEPTED: &'static str = "a body of Content-Type application/json";

    fn described() -> Vec<MetaMediaType> {
        vec![MetaMediaType { content_type: "application/json", schema: Self::schema_ref() }]
    }

    fn register(registry: &mut Registry) {
        <Self as Type>::register(registry);
    }
}

/// Reads and checks a list.
pub(super) async fn read(request: &Request, upload: Upload<PlacesDocument>) -> Result<PlacesDocument, ApiError> {
    media_type::<PlacesDocument>(request)?;
    let bytes = upload.bytes(MAX_BYTES).await?;
    // A long list takes its time.
    let read = tokio::task::spawn_blocking(move || {
        let list: PlacesDocument = serde_json::from_slice(&bytes).map_err(|error| unreadable(&error))?;
        list.check()?;
        Ok(list)
    });
    read.await.map_err(|_| ApiError::TaskPanicked)?
}

fn unreadable(error: &serde_json::Error) -> ApiError {
    let line = Some(error.line() as u64).filter(|line| *line > 0);
    // It quotes names and values as long as they are.
    let message = error.to_string().chars().take(MAX_CHARACTERS).collect();
    ApiError::InvalidItems { errors: vec![ValidationError { line, message, ..ValidationError::default() }], count: 1 }
}

impl PlacesDocument {
    /// Whether the list holds together; if not, the error names each item that does not.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub fn check(&self) -> Result<(), ApiError> {
        let items = self.regions.len() + self.places.len();
        if items > MAX_ITEMS {
            return Err(ApiError::BodyTooLarge { what: "places and regions per document", limit: MAX_ITEMS as u64 });
        }
        let mut faults = Faults::default();
        let codes: HashSet<&str> = self.places.iter().map(|place| place.code.as_str()).collect();
        let parents: HashMap<&str, Option<&str>> =
            self.regions.iter().map(|region| (region.slug.as_str(), region.parent_slug.0.as_deref())).collect();
        let known = |slug: Option<&str>| slug.is_none_or(|slug| parents.contains_key(slug));

        let mut slugs = HashSet::new();
        for (index, Region { slug, name, parent_slug }) in self.regions.iter().enumerate() {
            let at = |member| format!("/regions/{index}/{member}");
            let shown = quote(slug.as_bytes());
            if !is_slug(slug) {
                faults.add(at("slug"), format!("{shown} is no slug: want letters, digits, _ and -"));
            }
            if !slugs.insert(slug.as_str()) {
                faults.add(at("slug"), format!("{shown} stands more than once"));
            }
            if codes.contains(slug.as_str()) {
                faults.add(at("slug"), format!("{shown} is the code of a place, too"));
            }
            faults.check_name(at("name"), name);
            if !known(parent_slug.0.as_deref()) {
                faults.add(at("parent_slug"), unknown(parent_slug.0.as_deref()));
            }
        }
        for index in cycles(&self.regions, &parents) {
            let slug = quote(self.regions[index].slug.as_bytes());
            faults.add(format!("/regions/{index}/parent_slug"), format!("{slug} lies within itself"));
        }
        let mut seen = HashSet::new();
        for (index, Place { code, name, region_slug }) in self.places.iter().enumerate() {
            let at = |member| format!("/places/{index}/{member}");
            let shown = quote(code.as_bytes());
            if !is_code(code) {
                faults.add(
                    at("code"),
                    format!("{shown} is no code: want two capital letters and three letters or digits, such as EETLL"),
                );
            }
            if !seen.insert(code.as_str()) {
                faults.add(at("code"), format!("{shown} stands more than once"));
            }
            faults.check_name(at("name"), name);
            if !known(region_slug.0.as_deref()) {
                faults.add(at("region_slug"), unknown(region_slug.0.as_deref()));
            }
        }
        faults.or_none()
    }
}

fn unknown(slug: Option<&str>) -> String {
    format!("there is no region {} in the list", quote(slug.unwrap_or_default().as_bytes()))
}

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

/// Where a region was met.
enum Seen {
    /// On the way that is gone now.
    OnTheWay,
    /// On one before: it leads to a region without a parent, or to what was told already.
    Before,
}

/// The regions that lie within themselves, each of them.
fn cycles(regions: &[Region], parents: &HashMap<&str, Option<&str>>) -> Vec<usize> {
    let mut seen: HashMap<&str, Seen> = HashMap::new();
    let mut within_itself: HashSet<&str> = HashSet::new();
    for region in regions {
        let mut way = Vec::new();
        let mut here = Some(region.slug.as_str());
        while let Some(slug) = here {
            match seen.get(slug) {
                None => {
                    seen.insert(slug, Seen::OnTheWay);
                    way.push(slug);
                    here = parents.get(slug).copied().flatten();
                }
                Some(Seen::OnTheWay) => {
                    let start = way.iter().position(|on_way| *on_way == slug).unwrap_or_default();
                    within_itself.extend(&way[start..]);
                    break;
                }
                Some(Seen::Before) => break,
            }
        }
        seen.extend(way.into_iter().map(|slug| (slug, Seen::Before)));
    }
    let is_within = |(index, region): (usize, &Region)| within_itself.contains(region.slug.as_str()).then_some(index);
    regions.iter().enumerate().filter_map(is_within).collect()
}

#[derive(Default)]
struct Faults {
    first: Vec<ValidationError>,
    count: u64,
}

impl Faults {
    fn add(&mut self, pointer: String, message: String) {
        self.count += 1;
        if self.first.len() < MAX_ERRORS {
            self.first.push(ValidationError::at_pointer(pointer, message));
        }
    }

    fn check_name(&mut self, pointer: String, name: &str) {
        if name.trim().is_empty() || name.chars().count() > MAX_CHARACTERS || name.chars().any(char::is_control) {
            self.add(pointer, format!("want a name of 1 to {MAX_CHARACTERS} characters"));
        }
    }

    fn or_none(self) -> Result<(), ApiError> {
        if self.count == 0 { Ok(()) } else { Err(ApiError::InvalidItems { errors: self.first, count: self.count }) }
    }
}

impl Example for PlacesDocument {
    fn example() -> Self {
        let text = |text: &str| text.to_owned();
        Self {
            regions: vec![
                Region { slug: text("northern_europe"), name: text("Northern Europe"), parent_slug: Nullable(None) },
                Region { slug: text("baltic"), name: text("Baltic"), parent_slug: Nullable(Some(text("northern_europe"))) },
            ],
            places: vec![Place { code: text("EETLL"), name: text("Tallinn"), region_slug: Nullable(Some(text("baltic"))) }],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(slug: &str, parent: &str) -> Region {
        let parent_slug = Some(parent.to_owned()).filter(|parent| !parent.is_empty()).into();
        Region { slug: slug.to_owned(), name: "R".to_owned(), parent_slug }
    }

    fn place(code: &str, region: &str) -> Place {
        let region_slug = Some(region.to_owned()).filter(|region| !region.is_empty()).into();
        Place { code: code.to_owned(), name: "P".to_owned(), region_slug }
    }

    fn faults(regions: &[Region], places: &[Place]) -> Vec<(String, String)> {
        match (PlacesDocument { regions: regions.to_vec(), places: places.to_vec() }).check() {
            Ok(()) => Vec::new(),
            Err(ApiError::InvalidItems { errors, count }) => {
                assert_eq!(errors.len() as u64, count);
                errors.into_iter().map(|mistake| (mistake.pointer.unwrap(), mistake.message)).collect()
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_list_that_holds_together_is_taken() {
        let regions = [region("baltic", "europe"), region("europe", ""), region("empty-1", "baltic")];
        assert_eq!(faults(&regions, &[place("EETLL", "baltic"), place("US2BX", "")]), []);
        assert_eq!(faults(&[], &[]), []);
    }

    #[test]
    fn what_does_not_hold_together_is_named() {
        for (regions, places, pointer, part) in [
            (vec![region("a", "b")], vec![], "/regions/0/parent_slug", "no region `b`"),
            (vec![region("a", ""), region("a", "")], vec![], "/regions/1/slug", "more than once"),
            (vec![region("EETLL", "")], vec![place("EETLL", "")], "/regions/0/slug", "code of a place"),
            (vec![region("a b", "")], vec![], "/regions/0/slug", "is no slug"),
            (vec![region("", "")], vec![], "/regions/0/slug", "is no slug"),
            (vec![], vec![place("EETLL", "x")], "/places/0/region_slug", "no region `x`"),
            (vec![], vec![place("EETLL", ""), place("EETLL", "")], "/places/1/code", "more than once"),
            (vec![], vec![place("eetll", "")], "/places/0/code", "is no code"),
            (vec![], vec![place("EET", "")], "/places/0/code", "is no code"),
            (vec![], vec![place("É", "")], "/places/0/code", "is no code"),
            (vec![], vec![place("EETLLL", "")], "/places/0/code", "is no code"),
        ] {
            let found = faults(&regions, &places);
            assert!(found.iter().any(|(at, message)| at == pointer && message.contains(part)), "{pointer}: {found:?}");
        }
        let nameless = Place { name: " ".to_owned(), ..place("EETLL", "") };
        assert_eq!(faults(&[], &[nameless])[0].0, "/places/0/name");
    }

    #[test]
    fn every_region_of_a_cycle_is_named_and_none_that_only_leads_to_one() {
        let regions = [region("a", "b"), region("b", "c"), region("c", "b"), region("d", "d"), region("e", ""), region("f", "e")];
        let named: Vec<String> = faults(&regions, &[]).into_iter().map(|(pointer, _)| pointer).collect();
        assert_eq!(named, ["/regions/1/parent_slug", "/regions/2/parent_slug", "/regions/3/parent_slug"]);
    }

    #[test]
    fn a_deep_chain_is_no_trouble() {
        let chain: Vec<Region> = (0..100_000).map(|at| region(&format!("r{at}"), &format!("r{}", at + 1))).collect();
        let top = region("r100000", "");
        assert_eq!(faults(&[chain, vec![top]].concat(), &[]), []);
    }
}
