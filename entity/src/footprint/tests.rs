use proptest::{collection::vec, prelude::*};

use super::*;

const EVENTS: &[Scope] = &[Scope::Events];

fn instant(day: i32) -> UtcInstant {
    UtcInstant(i64::from(day) * MICROS_PER_DAY + 5)
}

#[test]
fn a_part_changes_only_responses_that_it_intersects_in_every_dimension() {
    let mut part = PartBuilder::new(&[Scope::Events, Scope::Concerts]).of_providers(["fever"]);
    part.add_days(instant(10), instant(12));
    part.add_cell(Cell::at(48.85, 2.35));
    part.add_performer(7);
    part.add_category("music/jazz");
    let footprint = Footprint::of_parts([part]);

    let all = Selection::all_of(EVENTS);
    let near = |latitude, longitude, radius| Some((Direction::from_degrees(latitude, longitude), radius));
    let slugs = |slugs: &[&str]| Some(slugs.iter().map(|slug| (*slug).to_owned()).collect());
    for (selection, expected) in [
        (all.clone(), true),
        (Selection::all_of(&[Scope::Rates, Scope::Places]), false),
        (Selection { providers: slugs(&["other", "fever"]), ..all.clone() }, true),
        (Selection { providers: slugs(&["other"]), ..all.clone() }, false),
        (Selection { days: Some((12, 20)), ..all.clone() }, true),
        (Selection { days: Some((13, 20)), ..all.clone() }, false),
        (Selection { days: Some((i32::MIN, 10)), ..all.clone() }, true),
        (Selection { days: Some((i32::MIN, 9)), ..all.clone() }, false),
        (Selection { area: near(48.0, 2.0, 1.0), ..all.clone() }, true),
        (Selection { area: near(40.4, -3.7, 10.0), ..all.clone() }, false),
        (Selection { area: near(40.4, -3.7, 20_038.0), ..all.clone() }, true),
        (Selection { performers: Some(vec![1, 7]), ..all.clone() }, true),
        (Selection { performers: Some(vec![1]), ..all.clone() }, false),
        (Selection { categories: slugs(&["music", "music/jazz"]), ..all.clone() }, true),
        (Selection { categories: slugs(&["music", "music/rock"]), ..all.clone() }, false),
        (Selection { performers: Some(vec![7]), days: Some((13, 20)), ..all }, false),
    ] {
        assert_eq!(footprint.intersects(&selection), expected, "{selection:?}");
    }
    assert!(!Footprint::default().intersects(&Selection::all_of(EVENTS)));
    assert!(Footprint::everything().intersects(&Selection::all_of(EVENTS)));
}

#[test]
fn cells_at_the_edges_of_the_map() {
    for (latitude, longitude) in [(90.0, 0.0), (-90.0, 180.0), (0.0, 180.0), (0.0, -180.0), (51.5, 179.9)] {
        let cell = Cell::at(latitude, longitude);
        assert!(cell.0 < 64_800);
        assert!(cell.may_be_within((Direction::from_degrees(latitude, longitude), 0.0)), "{latitude} {longitude}");
    }
    let beyond_the_antimeridian = (Direction::from_degrees(0.0, -179.9), 50.0);
    assert!(Cell::at(0.0, 179.9).may_be_within(beyond_the_antimeridian));
}

#[test]
fn a_dimension_that_is_too_large_is_unbounded() {
    let mut part = PartBuilder::new(EVENTS);
    for number in 0..1_000 {
        part.add_days(instant(number * 3), instant(number * 3));
        part.add_performer(number.unsigned_abs());
        part.add_category(&number.to_string());
    }
    assert_eq!(part.overflowed(), ["performers", "categories"]);
    let part = part.finish();
    assert!(part.days.is_some_and(|days| days.len() <= MAX_DAY_RANGES));
    assert_eq!((part.performers, part.categories), (None, None));
    assert_eq!(part.cells, Some(Vec::new()));
}

proptest! {
    #[test]
    fn a_point_is_within_the_area_of_its_cell(latitude in -90.0..=90.0, longitude in -180.0..=180.0) {
        let point = Direction::from_degrees(latitude, longitude);
        prop_assert!(Cell::at(latitude, longitude).may_be_within((point, 0.0)));
    }

    #[test]
    fn ranges_contain_every_day_that_was_added(days in vec((-500..500, 0..40), 1..200)) {
        let mut part = PartBuilder::new(EVENTS);
        for (first, length) in &days {
            part.add_days(instant(*first), instant(first + length));
        }
        let footprint = Footprint::of_parts([part]);
        for (first, length) in days {
            for day in [first, first + length / 2, first + length] {
                let selection = Selection { days: Some((day, day)), ..Selection::all_of(EVENTS) };
                prop_assert!(footprint.intersects(&selection), "{day}");
            }
        }
    }

    #[test]
    fn the_stored_form_round_trips(days in vec((-500..500, 0..40), 0..50), cells in vec((-90.0..90.0, -180.0..180.0), 0..200)) {
        let mut part = PartBuilder::new(EVENTS);
        for (first, length) in days {
            part.add_days(instant(first), instant(first + length));
        }
        for (latitude, longitude) in cells {
            part.add_cell(Cell::at(latitude, longitude));
        }
        let footprint = Footprint::of_parts([part, PartBuilder::new(EVENTS)]);
        for footprint in [footprint.clone().of_takedown(), footprint] {
            let text = serde_json::to_string(&footprint).unwrap();
            prop_assert_eq!(serde_json::from_str::<Footprint>(&text).unwrap(), footprint);
        }
    }
}
