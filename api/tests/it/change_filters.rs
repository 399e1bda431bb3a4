//! `GET /changes` with filters of events. The log of random syncs is compared with the catalogue in `acceptance/tests/it/footprints`.

use std::sync::Arc;

use entity::{
    EventStatus,
    alias::{self, AliasKind},
    change::{ChangeKind, NewChange},
    event_state::{EventState, ItemKey, VenueState},
    place, region,
};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel, prelude::Uuid};

use crate::{
    changes::{events, next},
    fixtures::{CatalogueFixture, state_in, with_states},
    rates::put_places,
    test_app::TestApp,
};

on_every_backend!(
    a_change_is_selected_by_the_state_before_or_after_it,
    names_are_resolved,
    changes_without_states_match_all_filters,
    a_page_examines_a_bounded_number_of_changes,
    parameters_that_states_do_not_have_are_rejected,
    regions_with_too_many_places_are_rejected,
);

const PERFORMER: Uuid = Uuid::from_u128(7);
const VENUE: Uuid = Uuid::from_u128(8);

/// A change of the event with this number.
async fn change(catalogue: &CatalogueFixture, number: u128, old: Option<&EventState>, new: Option<&EventState>) -> NewChange {
    let change = catalogue.change(ChangeKind::Updated, "fever", Uuid::from_u128(number), "{}").await;
    with_states(change, old.cloned(), new.cloned())
}

async fn a_change_is_selected_by_the_state_before_or_after_it(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let paris = state_in("paris");
    let madrid = EventState { category: Some("music/jazz".to_owned()), ..state_in("madrid") };
    let cancelled =
        EventState { status: EventStatus::Cancelled, min_price: Some(105_000), max_price: Some(250_000), ..paris.clone() };
    let left = EventState {
        listed: false,
        availability: "sold_out".to_owned(),
        organizers: vec!["12".to_owned(), "Live, Inc.".to_owned()],
        venue: None,
        ..madrid.clone()
    };
    let states = [
        (None, Some(&paris)),
        (Some(&paris), Some(&madrid)),
        (Some(&paris), Some(&cancelled)),
        (Some(&cancelled), None),
        (Some(&madrid), Some(&left)),
    ];
    let mut changes = Vec::new();
    for (number, (old, new)) in (1..).zip(states) {
        changes.push(change(&catalogue, number, old, new).await);
    }
    catalogue.release(changes).await;
    let app = TestApp::new(&database).await;
    for (query, expected) in [
        ("", &[1_u128, 2, 3, 4, 5][..]),
        ("city=Paris", &[1, 2, 3, 4]),
        ("city=MADRID,lisbon", &[2, 5]),
        ("city=lisbon", &[]),
        ("status=cancelled", &[3, 4]),
        ("status=scheduled", &[1, 2, 3, 5]),
        ("status=any", &[1, 2, 3, 4, 5]),
        ("category=music", &[2, 5]),
        ("listed=false", &[5]),
        ("availability=sold_out", &[5]),
        ("min_price=25&currency=EUR", &[3, 4]),
        ("min_price=25.01&currency=EUR", &[]),
        ("max_price=10.5&currency=EUR", &[3, 4]),
        ("max_price=10.5&currency=USD", &[]),
        ("organizer=fever:12", &[5]),
        ("organizer=other:12", &[]),
        ("city=paris&status=cancelled&kind=updated&provider=fever", &[3, 4]),
        ("city=madrid&status=cancelled", &[]),
        ("city=paris&kind=left", &[]),
    ] {
        assert_eq!(events(&app.get(&format!("/changes?{query}")).await), expected, "{query}");
    }
}

async fn names_are_resolved(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let venue = VenueState {
        key: ItemKey(VENUE, "hall".to_owned()),
        city: None,
        country: Some("ES".to_owned()),
        place: Some("ESBCN".to_owned()),
        location: Some((41.38, 2.17)),
    };
    let state =
        EventState { venue: Some(venue), performers: vec![ItemKey(PERFORMER, "band".to_owned())], ..state_in("barcelona") };
    catalogue.release(vec![change(&catalogue, 1, Some(&state), None).await]).await;
    let region = |id, slug: &str, parent_id| region::Model {
        id,
        slug: slug.to_owned(),
        name: slug.to_owned(),
        folded_name: slug.to_owned(),
        parent_id,
    };
    for row in [region(1, "europe", None), region(2, "spain", Some(1))] {
        region::Entity::insert(row.into_active_model()).exec_without_returning(&catalogue.database).await.unwrap();
    }
    let place = place::ActiveModel {
        code: Set("ESBCN".to_owned()),
        name: Set("Barcelona".to_owned()),
        folded_name: Set("barcelona".to_owned()),
        region_id: Set(Some(2)),
        listed: Set(true),
        ..Default::default()
    };
    place.insert(&catalogue.database).await.unwrap();
    for (old, kind, target) in [(17, AliasKind::Performer, PERFORMER), (18, AliasKind::Venue, VENUE)] {
        let row = alias::ActiveModel { id: Set(Uuid::from_u128(old)), kind: Set(kind), target: Set(target), provider_id: Set(1) };
        row.insert(&catalogue.database).await.unwrap();
    }
    let app = TestApp::new(&database).await;
    let [old_performer, old_venue] = [17, 18].map(Uuid::from_u128);
    for (query, is_selected) in [
        (format!("performer={PERFORMER}"), true),
        (format!("performer={old_performer}"), true),
        (format!("performer={VENUE}"), false),
        ("performer=fever:band".to_owned(), true),
        ("performer=other:band,fever:hall".to_owned(), false),
        (format!("venue={VENUE}"), true),
        (format!("venue={old_venue}"), true),
        ("venue=fever:hall".to_owned(), true),
        ("venue=fever:band".to_owned(), false),
        ("place=ESBCN".to_owned(), true),
        ("place=europe".to_owned(), true),
        ("place=spain,x".to_owned(), true),
        ("place=ESMAD".to_owned(), false),
        ("country=es".to_owned(), true),
        ("country=fr".to_owned(), false),
        ("bbox=2,41,3,42".to_owned(), true),
        ("bbox=170,41,3,42".to_owned(), true),
        ("bbox=3,41,170,42".to_owned(), false),
        ("latitude=41.4&longitude=2.2&radius=5".to_owned(), true),
        ("latitude=41.4&longitude=2.2&radius=1".to_owned(), false),
    ] {
        let expected: &[u128] = if is_selected { &[1] } else { &[] };
        assert_eq!(events(&app.get(&format!("/changes?{query}")).await), expected, "{query}");
    }
}

async fn changes_without_states_match_all_filters(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let unknown = catalogue.change(ChangeKind::Left, "fever", Uuid::from_u128(1), "{}").await;
    let unreadable = NewChange { states: Some("{\"new\":7}".to_owned()), event_id: Uuid::from_u128(2), ..unknown.clone() };
    catalogue.release(vec![unknown, unreadable]).await;
    let app = TestApp::new(&database).await;
    assert_eq!(events(&app.get("/changes?city=paris&kind=left").await), [1, 2]);
    assert!(events(&app.get("/changes?city=paris&provider=other").await).is_empty(), "the provider is known");
}

async fn a_page_examines_a_bounded_number_of_changes(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let (paris, madrid) = (state_in("paris"), state_in("madrid"));
    let template = change(&catalogue, 0, Some(&madrid), None).await;
    let others = |numbers: std::ops::Range<u128>| {
        numbers.map(|number| NewChange { event_id: Uuid::from_u128(number), ..template.clone() }).collect::<Vec<_>>()
    };
    let mut changes = others(1..151);
    changes.push(change(&catalogue, 151, None, Some(&paris)).await);
    changes.push(change(&catalogue, 152, None, Some(&paris)).await);
    catalogue.release(changes).await;
    let app = TestApp::new(&database).await;
    let mut after = String::new();
    for (expected, has_more) in [(&[][..], true), (&[151][..], true), (&[152], false), (&[], false)] {
        let page = app.get(&format!("/changes?city=paris&limit=1&after={after}")).await;
        assert_eq!((events(&page).as_slice(), page.json()["meta"]["has_more"].as_bool()), (expected, Some(has_more)));
        after = next(&page);
    }
}

async fn parameters_that_states_do_not_have_are_rejected(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    for path in ["/changes", "/changes/stream"] {
        for (query, parameter, message) in [
            ("q=jazz", "q", "is not a known parameter"),
            ("updated_since=2026-01-01", "updated_since", "is not a known parameter"),
            ("min_price=5", "currency", "is required with `min_price` and `max_price`"),
            ("range=all&starts_at=2026-01-01", "range", "`all` cannot be combined with `starts_at` and `ends_at`"),
            ("status=gone", "status", "must be `any` or statuses: "),
        ] {
            let errors = app.get(&format!("{path}?{query}")).await.validation_errors();
            assert!(errors.len() == 1 && errors[0].0 == parameter && errors[0].1.starts_with(message), "{query}: {errors:?}");
        }
    }
    let errors = app.get("/events/c4a626ff-9f25-5533-a0a8-2b67472b5ee3/history?city=paris").await.validation_errors();
    assert_eq!(errors[0].0, "city");
}

async fn regions_with_too_many_places_are_rejected(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    let codes: Vec<String> = (0..2_001).map(|number| format!("EE{number:03X}")).collect();
    let mut places: Vec<(&str, &str)> = codes.iter().map(|code| (code.as_str(), "north")).collect();
    places[0].1 = "south";
    put_places(&app, &[("world", ""), ("north", "world"), ("south", "world")], &places).await;
    assert_eq!(app.get("/changes?place=north").await.status, 200, "2,000 places");
    for path in ["/changes?place=world", "/changes/stream?place=world"] {
        let errors = app.get(path).await.validation_errors();
        assert_eq!(errors, [("place".to_owned(), "must be regions with at most 2000 places, got `world`".to_owned())], "{path}");
    }
}
