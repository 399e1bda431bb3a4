//! The map of a search: circles with the numbers of its events, each a link to the search in its area.

use super::{
    language::Language,
    map_query::MapQuery,
    map_view::{LandImage, MapView},
    search_form::{SearchForm, SearchLink},
};
use crate::{
    find::{Cluster, CountedClusters},
    state::State,
};

/// The parameter that the links of the map set.
const AREA: &str = "bbox";
/// How much larger the area is after zooming out.
const ZOOM: f64 = 3.0;
/// Maximum width of an area in degrees: the squares at both ends of the widest one must not be the same.
const MAX_WIDTH: f64 = 315.0;
/// Digits of a degree in links: ten metres.
const DECIMALS: i32 = 4;
const MIN_RADIUS: f64 = 10.0;
/// By how much a circle for ten times as many events is larger.
const RADIUS_PER_DIGIT: f64 = 1.5;

/// A map.
#[derive(Debug)]
pub(super) struct SearchMap {
    pub(super) land: Vec<LandImage>,
    /// Most events first.
    pub(super) circles: Vec<MapCircle>,
    /// The search in a larger area, and everywhere, if it is in an area.
    pub(super) zoom_out: Vec<SearchLink>,
    /// Which events it does not show.
    pub(super) notes: Vec<String>,
}

/// The events at some places near to each other.
#[derive(Debug)]
pub(super) struct MapCircle {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) radius: f64,
    /// The number of events, in short.
    pub(super) number: String,
    /// The search for its events, which may be this one.
    pub(super) link: SearchLink,
}

impl SearchMap {
    /// The map of a search. None if the service cannot count its events now: the page can do without it. None for known events, and if no place
    /// of the events is known.
    pub(super) async fn read(state: &State, form: &SearchForm) -> Option<Self> {
        if form.has("ids") {
            return None;
        }
        let query = MapQuery::parse(&form.filters(&[], &[])).ok()?;
        let area = query.bounds();
        match state.cache.read(query).await {
            Ok((counted, _)) => Self::new(form, area, &counted),
            Err(error) => {
                super::log_unexpected("map", &error);
                None
            }
        }
    }

    fn new(form: &SearchForm, area: Option<[f64; 4]>, counted: &CountedClusters) -> Option<Self> {
        let view = MapView::fit(area.or_else(|| bounds_of(&counted.clusters))?);
        let shown: i64 = counted.clusters.iter().map(|cluster| cluster.count).sum();
        let note = |key: &str, count: i64| form.language.count(key, u64::try_from(count).unwrap_or_default());
        let missing = (shown < counted.total).then(|| note("map-without-place", counted.total - shown));
        let limit = (!counted.is_complete).then(|| note("map-limit", counted.total));
        Some(Self {
            land: view.land(),
            circles: counted.clusters.iter().map(|cluster| circle(form, &view, cluster)).collect(),
            zoom_out: area.map(|_| zoom_out(form, &view)).unwrap_or_default(),
            notes: missing.into_iter().chain(limit).collect(),
        })
    }
}

/// West, south, east and north of all clusters.
fn bounds_of(clusters: &[Cluster]) -> Option<[f64; 4]> {
    let bounds = clusters.iter().map(|cluster| cluster.bounds);
    bounds.reduce(|all, bounds| {
        let [west, south, east, north] = bounds;
        [all[0].min(west), all[1].min(south), all[2].max(east), all[3].max(north)]
    })
}

fn circle(form: &SearchForm, view: &MapView, cluster: &Cluster) -> MapCircle {
    let (x, y) = view.place(cluster.center);
    let count = u64::try_from(cluster.count).unwrap_or_default();
    let events = form.language.count("event-count", count);
    let label = match &cluster.city {
        Some(city) => form.language.with("map-circle", &[("place", city), ("events", &events)]),
        None => events,
    };
    let number = abbreviate(form.language, count);
    let area = area_text(cluster.bounds);
    let radius = MIN_RADIUS + RADIUS_PER_DIGIT * f64::from(count.max(1).ilog10());
    let link = SearchLink { label, is_current: form.value(AREA) == area, href: form.link(&[AREA], &[(AREA, &area)]) };
    MapCircle { x, y, radius, number, link }
}

/// The links to larger areas.
fn zoom_out(form: &SearchForm, view: &MapView) -> Vec<SearchLink> {
    let [west, south, east, north] = view.enlarge(ZOOM);
    let link = |key: &str, area: &[(&str, &str)]| SearchLink {
        label: form.language.text(key),
        href: form.link(&[AREA], area),
        is_current: false,
    };
    let larger = (east - west < MAX_WIDTH).then(|| link("map-zoom-out", &[(AREA, &area_text([west, south, east, north]))]));
    larger.into_iter().chain([link("map-everywhere", &[])]).collect()
}

/// An area as the value of the filter. It is rounded so that it contains its edges.
fn area_text([west, south, east, north]: [f64; 4]) -> String {
    let unit = 10_f64.powi(DECIMALS);
    let turn = |degrees: f64| match degrees {
        degrees if degrees > 180.0 => degrees - 360.0,
        degrees if degrees < -180.0 => degrees + 360.0,
        degrees => degrees,
    };
    let [west, south] = [turn(west), south.max(-90.0)].map(|degrees| (degrees * unit).floor() / unit);
    let [east, north] = [turn(east), north.min(90.0)].map(|degrees| (degrees * unit).ceil() / unit);
    format!("{west},{south},{east},{north}")
}

/// A number that fits into a circle.
fn abbreviate(language: Language, number: u64) -> String {
    match number {
        0..1_000 => number.to_string(),
        1_000..10_000 => format!("{}{}{}k", number / 1_000, language.text("decimal-separator"), number % 1_000 / 100),
        _ => format!("{}k", number / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(count: i64, city: Option<&str>, center: (f64, f64)) -> Cluster {
        let (latitude, longitude) = center;
        let bounds = [longitude - 0.01, latitude - 0.01, longitude + 0.012_34, latitude + 0.01];
        Cluster { count, city: city.map(str::to_owned), center, bounds }
    }

    fn map(query: &str, clusters: Vec<Cluster>) -> Option<SearchMap> {
        let counted = CountedClusters { total: 1_240, is_complete: true, clusters };
        let form = SearchForm::of(query);
        let area = MapQuery::parse(&form.filters(&[], &[])).unwrap().bounds();
        SearchMap::new(&form, area, &counted)
    }

    fn spain() -> Vec<Cluster> {
        vec![cluster(1_234, Some("Madrid"), (40.4, -3.7)), cluster(5, None, (41.4, 2.2))]
    }

    #[test]
    fn circles_select_their_area_and_retain_the_other_filters() {
        let map = map("q=jazz&cursor=x", spain()).unwrap();
        let [madrid, other] = &map.circles[..] else { panic!("{map:?}") };
        assert_eq!(madrid.link.href, "?q=jazz&bbox=-3.71%2C40.39%2C-3.6876%2C40.41");
        assert_eq!((madrid.link.label.as_str(), madrid.number.as_str()), ("Madrid: 1,234 events", "1.2k"));
        assert_eq!((other.link.label.as_str(), other.number.as_str()), ("5 events", "5"));
        assert!(madrid.x < other.x && madrid.y > other.y && madrid.radius > other.radius);
        assert!(map.zoom_out.is_empty());
        assert_eq!(map.notes, ["1 event is not on the map: its place is not known."]);
    }

    #[test]
    fn an_area_has_links_to_larger_ones() {
        let area = "-3.71,40.39,-3.6876,40.41";
        let found = map(&format!("q=jazz&bbox={area}"), spain()).unwrap();
        assert!(found.circles[0].link.is_current && !found.circles[1].link.is_current);
        let [larger, everywhere] = &found.zoom_out[..] else { panic!("{found:?}") };
        assert_eq!(everywhere.href, "?q=jazz");
        assert!(larger.href.starts_with("?q=jazz&bbox=-3.88"), "{}", larger.href);
        assert_eq!(map("bbox=-170,-50,170,80", spain()).unwrap().zoom_out.len(), 1);
        assert_eq!(map("bbox=1,2,3,4", Vec::new()).unwrap().circles.len(), 0, "an area without events is shown");
        assert!(map("q=jazz", Vec::new()).is_none());
    }

    #[test]
    fn areas_cross_the_antimeridian() {
        assert_eq!(area_text([170.0, -20.0, 190.0, -10.0]), "170,-20,-170,-10");
        assert_eq!(area_text([-190.0, -100.0, -170.0, 95.0]), "170,-90,-170,90");
    }
}
