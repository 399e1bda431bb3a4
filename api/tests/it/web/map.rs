//! The map of a search, and those of an event and a venue.

use std::sync::Arc;

use migration::{on_every_backend, testing::TestDatabase};

use super::{
    concert,
    html::{Tag, links, tags},
    open, start_app,
};
use crate::fixtures::NewEvent;

on_every_backend!(
    circles_lead_to_the_events_that_they_count,
    the_map_has_the_filters_of_the_search,
    an_area_may_cross_the_antimeridian,
    events_without_a_place_are_counted_beside_the_map,
    pages_of_events_and_venues_show_the_point,
);

/// An event at a venue of the same name.
fn event_at(title: &str, city: Option<&str>, point: (f64, f64)) -> NewEvent {
    concert(title).venue_with(title, Some(point), |venue| {
        venue.city = city.map(str::to_owned);
    })
}

fn spain() -> Vec<NewEvent> {
    let madrid = [(40.42, -3.70), (40.43, -3.69), (40.45, -3.68)];
    let madrid = madrid.into_iter().enumerate().map(|(index, point)| event_at(&format!("Madrid {index}"), Some("Madrid"), point));
    let suburb = event_at("Suburb", Some("Getafe"), (40.31, -3.73));
    let barcelona = [event_at("Rock", Some("Barcelona"), (41.37, 2.17)), event_at("Opera", Some("Barcelona"), (41.38, 2.17))];
    madrid.chain([suburb]).chain(barcelona).chain([event_at("Sea", None, (35.9, -5.3))]).collect()
}

/// The part of a page with the map.
fn map_of(html: &str) -> &str {
    html.split_once("<section id=\"map\"").expect("a map").1.split_once("</section>").unwrap().0
}

/// The circles of a page: the texts of their links, and the links.
fn circles(html: &str) -> Vec<(String, String)> {
    let parts = map_of(html).split("<a ").filter(|part| part.contains("<circle"));
    let text = |part: &str| part.split_once("<title>").unwrap().1.split_once("</title>").unwrap().0.to_owned();
    parts.map(|part| (text(part), links("/", &format!("<a {part}")).remove(0))).collect()
}

/// Where the circles of a page are from west to east.
fn centers_of(html: &str) -> Vec<f64> {
    tags(map_of(html)).iter().filter_map(|tag| tag.get("cx")?.parse().ok()).collect()
}

fn is_current(tag: &Tag) -> bool {
    tag.name == "a" && tag.get("aria-current") == Some("true") && tag.get("href").is_some_and(|href| href.contains("bbox="))
}

async fn circles_lead_to_the_events_that_they_count(database: Arc<TestDatabase>) {
    let app = start_app(&database, spain()).await;
    let html = open(&app, "/").await;
    let found = circles(&html);
    let labels: Vec<&str> = found.iter().map(|(label, _)| label.as_str()).collect();
    assert_eq!(labels, ["Madrid: 4 events", "Barcelona: 2 events", "1 event"], "{}", map_of(&html));
    assert!(map_of(&html).contains("/land.svg\""));
    // Every part of the map, down to single places.
    let (mut areas, mut visited) = (found, 0);
    while let Some((label, area)) = areas.pop() {
        let html = open(&app, &area).await;
        let count = label.rsplit(": ").next().unwrap();
        assert!(html.contains(&format!("<h2 id=\"results\">{count}</h2>")), "{label} at {area}");
        let within = circles(&html);
        let is_single = within.iter().any(|(_, link)| *link == area);
        assert_eq!(tags(map_of(&html)).iter().filter(|tag| is_current(tag)).count(), usize::from(is_single), "{area}");
        areas.extend(within.into_iter().filter(|(_, link)| *link != area));
        visited += 1;
    }
    assert!(visited > 7, "the parts of Madrid and Barcelona, too: {visited}");
}

async fn the_map_has_the_filters_of_the_search(database: Arc<TestDatabase>) {
    let app = start_app(&database, spain()).await;
    let html = open(&app, "/?city=barcelona&sort=price&lang=es").await;
    let found = circles(&html);
    assert!(found.iter().all(|(label, _)| label.starts_with("Barcelona: ")), "{found:?}");
    assert!(found.iter().all(|(_, link)| link.contains("city=barcelona&sort=price&lang=es&bbox=2.1")), "{found:?}");
    assert!(!map_of(&html).contains("Alejar"), "all is shown");

    let html = open(&app, "/?bbox=-4,40,-3,41").await;
    assert!(html.contains("<bdi>Area of the map</bdi>"), "the filter can be removed: {html}");
    let [larger, everywhere] =
        <[Tag; 2]>::try_from(tags(map_of(&html)).into_iter().filter(|tag| tag.name == "a").take(2).collect::<Vec<_>>()).unwrap();
    let wide = open(&app, &format!("/{}", larger.get("href").unwrap())).await;
    assert!(wide.contains("4 events") && larger.get("href").unwrap().starts_with("?bbox=-"), "{larger:?}");
    assert_eq!(everywhere.get("href"), Some("./"));
    let empty = open(&app, "/?bbox=100,10,101,11").await;
    assert!(circles(&empty).is_empty() && map_of(&empty).contains("Zoom out"), "an area without events can be left");
    let nothing = open(&app, "/?city=nowhere").await;
    assert!(!nothing.contains("id=\"map\""));
}

async fn an_area_may_cross_the_antimeridian(database: Arc<TestDatabase>) {
    let islands = [("Suva", (-18.14, 178.44)), ("Apia", (-13.83, -171.77))];
    let app = start_app(&database, islands.map(|(city, point)| event_at(city, Some(city), point))).await;
    let html = open(&app, "/?bbox=175,-25,-168,-10").await;
    assert_eq!(map_of(&html).matches("<image ").count(), 2, "the coasts of both sides");
    let found = circles(&html);
    assert_eq!(found.len(), 2, "{found:?}");
    for (label, area) in found {
        let html = open(&app, &area).await;
        assert!(html.contains("<h2 id=\"results\">1 event</h2>"), "{area}");
        assert_eq!(circles(&html)[0].0, label);
    }
    let centers = centers_of(&html);
    assert!(centers.iter().all(|x| (0.0..320.0).contains(x)), "{centers:?}");

    let html = open(&app, "/").await;
    let labels: Vec<String> = circles(&html).into_iter().map(|(label, _)| label).collect();
    let (x_of_suva, x_of_apia) = match &*labels {
        [first, _] if first.starts_with("Suva") => (centers_of(&html)[0], centers_of(&html)[1]),
        _ => (centers_of(&html)[1], centers_of(&html)[0]),
    };
    assert!(x_of_suva < x_of_apia, "without an area, the map shows the Pacific between them: {labels:?}");
}

async fn events_without_a_place_are_counted_beside_the_map(database: Arc<TestDatabase>) {
    let nowhere = |title: &str| concert(title).venue_with(title, None, |_| {});
    let app = start_app(&database, [event_at("Rock", None, (41.37, 2.17)), nowhere("One"), nowhere("Two")]).await;
    let html = open(&app, "/").await;
    assert_eq!(circles(&html).len(), 1);
    assert!(map_of(&html).contains("2 events are not on the map"), "{}", map_of(&html));
}

async fn pages_of_events_and_venues_show_the_point(database: Arc<TestDatabase>) {
    let (event, nowhere) = (concert("Show"), concert("Nowhere").venue_with("Hall", None, |_| {}));
    let [path, other] = [&event, &nowhere].map(|event| format!("/e/{}", event.row.id));
    let app = start_app(&database, [event, nowhere]).await;
    let html = open(&app, &path).await;
    let venue = links(&path, &html).into_iter().find(|link| link.starts_with("/v/")).unwrap();
    for (page, html) in [(&path, &html), (&venue, &open(&app, &venue).await)] {
        let tags = tags(html);
        let land = tags.iter().find(|tag| tag.name == "image").and_then(|tag| tag.get("href")).unwrap();
        assert_eq!(
            app.get(&links(page, &format!("<image href=\"{land}\">"))[0]).await.header("content-type"),
            Some("image/svg+xml")
        );
        assert!(html.contains("aria-label=\"The place on a map\""), "{page}");
    }
    assert!(!open(&app, &other).await.contains("<image "), "its point is not known");
}
