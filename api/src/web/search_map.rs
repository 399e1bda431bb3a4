//! The map of a search: circles with the numbers of its events, each a link to the search in its area.

use std::time::Duration;

use tokio::time::timeout;
use tracing::Instrument;

use super::{
    language::Language,
    map_query::MapQuery,
    map_view::{LandImage, MapView},
    search_form::{SearchForm, SearchLink},
};
use crate::{
    cache::CacheSource,
    error::ApiError,
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
const TURN: f64 = 360.0;
/// How long a page waits for its map: longer would be noticed.
const WAITING_TIME: Duration = Duration::from_millis(1_500);

/// A map.
#[derive(Debug)]
pub(super) struct SearchMap {
    pub(super) land: Vec<LandImage>,
    /// West, south, east and north of what it shows.
    pub(super) bounds: [f64; 4],
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
    /// Its latitude and longitude.
    pub(super) point: (f64, f64),
    pub(super) radius: f64,
    /// The number of events, in short.
    pub(super) number: String,
    /// The search for its events, which may be this one.
    pub(super) link: SearchLink,
}

impl SearchMap {
    /// The map of a search. None if the service cannot count its events now: the page can do without it. None for known events, and if no place
    /// of the events is known.
    pub(super) async fn read(state: &State, form: &SearchForm) -> Option<(Option<Self>, CacheSource)> {
        if form.has("ids") {
            return None;
        }
        let query = MapQuery::parse(&form.filters(&[], &[])).ok()?;
        let area = query.bounds();
        let cache = state.cache.clone();
        let reading = async move { cache.read_source(query).await };
        match wait_briefly(WAITING_TIME, reading).await? {
            Ok((counted, source)) => Some((Self::new(form, area, counted), source)),
            Err(error) => {
                super::log_unexpected("map", &error);
                None
            }
        }
    }

    fn new(form: &SearchForm, area: Option<[f64; 4]>, mut counted: CountedClusters) -> Option<Self> {
        if area.is_none() {
            join_across_antimeridian(&mut counted.clusters);
        }
        let bounds = area.or_else(|| bounds_of(&counted.clusters))?;
        let view = MapView::fit(bounds);
        let shown: i64 = counted.clusters.iter().map(|cluster| cluster.count).sum();
        let note = |key: &str, count: i64| form.language.count(key, u64::try_from(count).unwrap_or_default());
        let missing = (shown < counted.total).then(|| note("map-without-place", counted.total - shown));
        let limit = (!counted.is_complete).then(|| note("map-limit", counted.total));
        Some(Self {
            land: view.land(),
            bounds,
            circles: counted.clusters.iter().map(|cluster| circle(form, &view, cluster)).collect(),
            zoom_out: area.map(|_| zoom_out(form, &view)).unwrap_or_default(),
            notes: missing.into_iter().chain(limit).collect(),
        })
    }
}

/// The result of a read, which continues in the background if the page does not wait for it: then the next page finds it in the cache.
async fn wait_briefly<T: Send + 'static>(
    waiting_time: Duration,
    reading: impl Future<Output = Result<T, ApiError>> + Send + 'static,
) -> Option<Result<T, ApiError>> {
    let reading = tokio::spawn(reading.in_current_span());
    let joined = timeout(waiting_time, reading).await.ok()?;
    Some(joined.unwrap_or(Err(ApiError::TaskPanicked)))
}

/// Moves the clusters in the west of the map beyond its east if they are nearer to the others there.
fn join_across_antimeridian(clusters: &mut [Cluster]) {
    let Some(start) = west_of_narrowest(clusters) else { return };
    for cluster in clusters.iter_mut().filter(|cluster| cluster.bounds[0] < start) {
        cluster.center.1 += TURN;
        cluster.bounds[0] += TURN;
        cluster.bounds[2] += TURN;
    }
}

/// The west of the narrowest area with all clusters: it begins after the widest gap between them. The map of more than half of the world
/// has its usual form.
fn west_of_narrowest(clusters: &[Cluster]) -> Option<f64> {
    let mut spans: Vec<(f64, f64)> = clusters.iter().map(|cluster| (cluster.bounds[0], cluster.bounds[2])).collect();
    spans.sort_by(|one, other| one.0.total_cmp(&other.0));
    let first = spans.first()?.0;
    let last = spans.iter().map(|span| span.1).fold(first, f64::max);
    let (mut start, mut widest, mut end) = (first, first + TURN - last, first);
    for (west, east) in spans {
        if west - end > widest {
            (start, widest) = (west, west - end);
        }
        end = end.max(east);
    }
    Some(if widest > TURN / 2.0 { start } else { first })
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
    MapCircle { x, y, point: cluster.center, radius, number, link }
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
        SearchMap::new(&form, area, counted)
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
    fn clusters_near_the_antimeridian_are_beside_each_other() {
        let pacific = [(-18.14, 178.44), (-13.83, -171.77), (-36.85, 174.76)];
        let found = map("", pacific.map(|center| cluster(1, None, center)).into()).unwrap();
        let x: Vec<f64> = found.circles.iter().map(|circle| circle.x).collect();
        assert!(x[2] < x[0] && x[0] < x[1] && x[1] - x[2] > 50.0, "{x:?}");
        let href = &found.circles[1].link.href;
        assert!(href.starts_with("?bbox=-171.78") && href.contains("%2C-171.757"), "{href}");
        for (longitudes, start) in
            [(&[-3.7, 2.2][..], -3.7), (&[-74.0, 2.2, 151.2], -74.0), (&[-120.0, 140.0], 140.0), (&[7.0], 7.0)]
        {
            let clusters: Vec<Cluster> = longitudes.iter().map(|longitude| cluster(1, None, (0.0, *longitude))).collect();
            assert_eq!(west_of_narrowest(&clusters), Some(start - 0.01), "{longitudes:?}");
        }
    }

    #[tokio::test]
    async fn a_page_does_not_wait_for_a_slow_map_which_the_next_page_finds() {
        let (finish, finished) = tokio::sync::oneshot::channel();
        let (sender, result) = tokio::sync::oneshot::channel();
        let slow = async move {
            let _number = finished.await;
            Ok(sender.send(7))
        };
        assert!(wait_briefly(Duration::ZERO, slow).await.is_none());
        finish.send(()).unwrap();
        assert_eq!(result.await, Ok(7), "it continues");
        let ready = wait_briefly(Duration::from_secs(600), async { Ok(7) }).await;
        assert!(matches!(ready, Some(Ok(7))), "{ready:?}");
    }

    #[test]
    fn areas_cross_the_antimeridian() {
        assert_eq!(area_text([170.0, -20.0, 190.0, -10.0]), "170,-20,-170,-10");
        assert_eq!(area_text([-190.0, -100.0, -170.0, 95.0]), "170,-90,-170,90");
    }
}
