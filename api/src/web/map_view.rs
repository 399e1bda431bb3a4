//! A part of the built-in map: which degrees it shows, and where a point is in it.
//!
//! It is a plate carrée, narrowed by the cosine of the latitude in its middle, so that shapes near there are true. The coasts are one file for
//! all parts: the picture is scaled and moved.

/// The width and the height of a map in its own units.
const SIZE: (f64, f64) = (320.0, 200.0);
/// The part of each side that remains free.
const MARGIN: f64 = 0.08;
/// The smallest width in degrees: less shows nothing of the coasts.
const MIN_DEGREES: f64 = 0.05;
/// Degrees to each side of a single point: its country and some of its neighbours.
const AROUND_POINT: f64 = 8.0;
/// Farther from the equator, shapes would become too narrow.
const MAX_NARROWING: f64 = 70.0;
/// What the file of the coasts shows: the latitudes in its north and its south, and all longitudes.
const LAND: (f64, f64) = (84.0, -60.0);
const TURN: f64 = 360.0;

/// Which part of the map is shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct MapView {
    west: f64,
    north: f64,
    /// Units of a degree of longitude, and of latitude.
    scale: (f64, f64),
}

/// Where the picture of the coasts is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LandImage {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl MapView {
    /// The part that shows a rectangle of degrees: west, south, east and north.
    pub(super) fn fit([west, south, east, north]: [f64; 4]) -> Self {
        let (longitude, latitude) = (f64::midpoint(west, east), f64::midpoint(south, north));
        let narrowing = latitude.clamp(-MAX_NARROWING, MAX_NARROWING).to_radians().cos();
        let (width, height) = ((east - west).max(MIN_DEGREES), (north - south).max(MIN_DEGREES));
        let free = 1.0 - 2.0 * MARGIN;
        let scale = (SIZE.0 * free / width).min(SIZE.1 * free * narrowing / height).max(SIZE.0 / TURN);
        let scale = (scale, scale / narrowing);
        Self { west: longitude - SIZE.0 / 2.0 / scale.0, north: latitude + SIZE.1 / 2.0 / scale.1, scale }
    }

    /// The part around a latitude and a longitude, which are in its middle.
    pub(super) fn around((latitude, longitude): (f64, f64)) -> Self {
        Self::fit([longitude - AROUND_POINT, latitude, longitude + AROUND_POINT, latitude])
    }

    /// Where a latitude and a longitude are.
    pub(super) fn place(&self, (latitude, longitude): (f64, f64)) -> (f64, f64) {
        (round((longitude - self.west) * self.scale.0), round((self.north - latitude) * self.scale.1))
    }

    /// West, south, east and north of a part that is larger by a factor and has the same middle.
    pub(super) fn enlarge(&self, factor: f64) -> [f64; 4] {
        let (width, height) = (SIZE.0 / self.scale.0, SIZE.1 / self.scale.1);
        let (longitude, latitude) = (self.west + width / 2.0, self.north - height / 2.0);
        let (width, height) = (width * factor / 2.0, height * factor / 2.0);
        [longitude - width, latitude - height, longitude + width, latitude + height]
    }

    /// The pictures of the coasts: two where the part crosses the antimeridian.
    pub(super) fn land(&self) -> Vec<LandImage> {
        let image = |west: f64| {
            let (x, y) = self.place((LAND.0, west));
            LandImage { x, y, width: round(TURN * self.scale.0), height: round((LAND.0 - LAND.1) * self.scale.1) }
        };
        let images = [-TURN, 0.0, TURN].map(|turn| image(turn - 180.0));
        images.into_iter().filter(|image| image.x < SIZE.0 && image.x + image.width > 0.0).collect()
    }
}

/// To a tenth, which no screen shows.
fn round(units: f64) -> f64 {
    // Adding zero turns -0 into 0.
    (units * 10.0).round() / 10.0 + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_inside((x, y): (f64, f64)) -> bool {
        (0.0..=SIZE.0).contains(&x) && (0.0..=SIZE.1).contains(&y)
    }

    #[test]
    fn a_rectangle_is_shown_with_a_margin() {
        for bounds in
            [[-9.5, 36.0, 3.3, 43.8], [2.1, 41.3, 2.2, 41.5], [170.0, -47.0, 185.0, -16.0], [-180.0, -60.0, 180.0, 84.0]]
        {
            let view = MapView::fit(bounds);
            let [west, south, east, north] = bounds;
            assert!(is_inside(view.place((south, west))) && is_inside(view.place((north, east))), "{bounds:?}");
            let [x, y] = [f64::midpoint(west, east), f64::midpoint(south, north)];
            assert_eq!(view.place((y, x)), (SIZE.0 / 2.0, SIZE.1 / 2.0));
        }
        let view = MapView::fit([2.0, 41.0, 2.0, 41.0]);
        assert!(is_inside(view.place((41.0, 2.03))), "a point is not enlarged without limit");
        assert!(!is_inside(view.place((41.0, 2.1))), "and fills the map");
    }

    #[test]
    fn the_coasts_are_on_both_sides_of_the_antimeridian() {
        let left_edges = |bounds| MapView::fit(bounds).land().into_iter().map(|image| image.x).collect::<Vec<_>>();
        assert_eq!(left_edges([-180.0, -60.0, 180.0, 84.0]), [0.0]);
        for bounds in [[170.0, -47.0, 190.0, -16.0], [-190.0, -47.0, -170.0, -16.0]] {
            let edges = left_edges(bounds);
            assert_eq!(edges.len(), 2, "{bounds:?}");
            assert!((edges[1] - SIZE.0 / 2.0).abs() < 0.1, "the second begins in the middle: {edges:?}");
        }
    }

    #[test]
    fn shapes_have_the_width_that_they_have_at_their_latitude() {
        let view = MapView::around((60.0, 10.0));
        assert!((view.scale.0 / view.scale.1 - 0.5).abs() < 1e-9);
        assert_eq!(view.place((60.0, 10.0)), (160.0, 100.0));
        let [west, south, east, north] = view.enlarge(1.0);
        assert_eq!((view.place((north, west)), view.place((south, east))), ((0.0, 0.0), SIZE));
    }
}
