//! `GET /`.

use std::{collections::BTreeSet, sync::Arc};

use entity::EventStatus;
use migration::{on_every_backend, testing::TestDatabase};

use super::{
    concert,
    html::{ORIGIN, links, submit, tags},
    open, start_app,
};
use crate::{
    cached_responses::create_state,
    fixtures::{CatalogueFixture, NewEvent},
    test_app::TestApp,
};

on_every_backend!(
    events_are_listed_with_what_matters,
    filters_restrict_the_list_and_remain_in_the_form,
    pages_are_followed_to_the_end,
    every_link_leads_somewhere,
    empty_results_state_which_filter_to_remove,
    a_search_is_a_calendar_and_a_feed,
    parameters_of_the_response_are_ignored,
    mistyped_words_are_corrected,
    times_have_an_offset_if_the_events_are_in_several_time_zones,
);

/// The response of the API to the same search.
async fn json_of(app: &TestApp, page: &str, html: &str) -> serde_json::Value {
    let link = links(page, html).into_iter().find(|link| link.starts_with("/events?"));
    app.get(&link.expect("a link to the same search as JSON")).await.json()
}

async fn events_are_listed_with_what_matters(database: Arc<TestDatabase>) {
    let sold_out = concert("Sold out show").starts("2099-02-11").with(|row| row.sold_out = true);
    let cancelled = concert("Cancelled show").starts("2099-02-12").with(|row| row.status = EventStatus::Cancelled);
    let id = sold_out.row.id;
    let app = start_app(&database, [concert("Show"), sold_out, cancelled]).await;

    let html = open(&app, "/?status=any").await;

    for text in [
        "3 events",
        "<bdi>Show</bdi>",
        "<time datetime=\"2099-02-10T20:00:00+00:00\">Tue 10 Feb 2099, 20:00</time>",
        "Sala Apolo, Barcelona",
        "30 to 55.50 EUR",
        "<strong class=\"mark\">Sold out</strong>",
        "<strong class=\"mark\">Cancelled</strong>",
        "tiles.svg#music",
    ] {
        assert!(html.contains(text), "{text}\n{html}");
    }
    assert!(links("/", &html).contains(&format!("/e/{id}")));
    assert!(open(&app, "/").await.contains("2 events"), "without cancelled events");
}

async fn filters_restrict_the_list_and_remain_in_the_form(database: Arc<TestDatabase>) {
    let elsewhere = concert("Elsewhere").venue_with("Hall", Some((40.4, -3.7)), |venue| venue.city = Some("Madrid".to_owned()));
    let app = start_app(&database, [concert("Here"), elsewhere, NewEvent::titled("past")]).await;
    for (query, titles) in [
        ("", &["Elsewhere", "Here"][..]),
        ("city=barcelona", &["Here"]),
        ("city=barcelona,madrid&category=music&category=film,theatre/opera&sort=-price", &["Elsewhere", "Here"]),
        (
            "starts_at=2099-02-10&ends_at=2099-02-10&time_zone=venue&range=overlaps&min_price=40&currency=EUR",
            &["Elsewhere", "Here"],
        ),
        ("starts_at=2099-02-10T19:00:00Z&status=scheduled,postponed&availability=unknown&country=ES&max_price=60", &["Here"]),
        ("latitude=41.4&longitude=2.2&radius=50&sort=distance", &["Here"]),
        ("range=all&listed=any", &["Elsewhere", "Here", "past"]),
    ] {
        let page = format!("/?{query}");
        let html = open(&app, &page).await;
        let found = json_of(&app, &page, &html).await;
        let events = found["data"]["events"].as_array().unwrap();
        let found_titles: BTreeSet<&str> = events.iter().map(|event| event["title"].as_str().unwrap()).collect();
        assert_eq!(found_titles, titles.iter().copied().collect(), "{query}");
        for title in titles {
            assert!(html.contains(&format!("<bdi>{title}</bdi>")), "{query}: {title}");
        }
        let again = format!("/?{}", submit(&html));
        assert_eq!(json_of(&app, &again, &open(&app, &again).await).await, found, "{query} became {again}");
    }
}

async fn pages_are_followed_to_the_end(database: Arc<TestDatabase>) {
    let app = start_app(&database, (0..30).map(|index| concert(&format!("Show {index}")))).await;
    let (mut page, mut shown, mut pages) = ("/?city=barcelona".to_owned(), BTreeSet::new(), 0);
    loop {
        let html = open(&app, &page).await;
        assert!(html.contains("30 events"), "{page}");
        shown.extend(links(&page, &html).into_iter().filter(|link| link.starts_with("/e/")));
        pages += 1;
        let Some(next) = tags(&html).into_iter().find(|tag| tag.get("rel") == Some("next")) else {
            assert!(links(&page, &html).contains(&"/?city=barcelona".to_owned()), "a link to the first page");
            break;
        };
        page = format!("/{}", next.get("href").unwrap());
    }
    assert_eq!((shown.len(), pages), (30, 2));
}

async fn every_link_leads_somewhere(database: Arc<TestDatabase>) {
    let show = concert("Show");
    let event = format!("/e/{}", show.row.id);
    let mut tomorrow = concert("Tomorrow").starts("2099-02-11T20:00:00");
    tomorrow.row.base_event_id = show.row.base_event_id;
    tomorrow.base_event = show.base_event.clone();
    let app = start_app(&database, [show, tomorrow]).await;
    for page in ["/", "/?city=barcelona&status=any", "/?city=nowhere", &event, "/?min_price=cheap"] {
        let response = app.get(page).await;
        let html = response.text();
        let found = links(page, &html);
        assert!(found.len() > 4, "{found:?}");
        for link in found {
            let expected = if link.starts_with("/out/") { 302 } else { 200 };
            assert_eq!(app.get(&link).await.status, expected, "{page}: {link}");
        }
        for tag in tags(&html).iter().filter(|tag| tag.name != "a" && tag.name != "meta") {
            let reference = tag.get("href").or(tag.get("src")).unwrap_or_default();
            assert!(!reference.trim_start_matches(ORIGIN).contains("//"), "{page} loads {reference}");
        }
    }
}

async fn empty_results_state_which_filter_to_remove(database: Arc<TestDatabase>) {
    let elsewhere = concert("Elsewhere").venue_with("Hall", None, |venue| venue.city = Some("Madrid".to_owned()));
    let app = start_app(&database, [concert("Show"), elsewhere, concert("Another")]).await;

    let html = open(&app, "/?city=nowhere&category=music").await;
    assert!(html.contains("No event meets all filters"), "{html}");
    assert!(html.contains("Without “<bdi>City: nowhere</bdi>”</a> (3)"), "{html}");
    assert!(html.contains("<bdi>Barcelona</bdi></a> (2), ") && html.contains("<bdi>Madrid</bdi></a> (1)"), "{html}");
    let found = links("/", &html);
    for link in ["/?category=music", "/?category=music&city=madrid"] {
        assert!(found.contains(&link.to_owned()), "{link}: {found:?}");
        assert!(!open(&app, link).await.contains("0 events"));
    }
    assert!(!html.contains("Without “<bdi>Category"), "there is no event in this city in any category");

    let html = open(&app, "/?city=nowhere&category=film").await;
    assert!(html.contains("nor all but one of them"), "{html}");
    let html = open(&app, "/?q=nothing&starts_at=2099-02-10&ends_at=2099-02-10").await;
    assert!(html.contains("Without “<bdi>Words: nothing</bdi>”</a> (3)"), "{html}");
}

async fn a_search_is_a_calendar_and_a_feed(database: Arc<TestDatabase>) {
    let elsewhere = concert("Elsewhere").venue_with("Hall", None, |venue| venue.city = Some("Madrid".to_owned()));
    let app = start_app(&database, [concert("Show"), elsewhere]).await;
    let html = open(&app, "/?q=show&city=barcelona&sort=relevance").await;
    assert!(html.contains("<option value=\"relevance\" selected>Best match</option>"), "{html}");
    for (path, content_type) in [("/events.ics?", "text/calendar"), ("/events.atom?", "application/atom+xml")] {
        let link = links("/", &html).into_iter().find(|link| link.starts_with(path)).unwrap();
        let response = app.get(&link).await;
        assert!(response.header("content-type").unwrap().starts_with(content_type), "{link}");
        assert!(response.text().contains("Show") && !response.text().contains("Elsewhere"), "{link}");
    }
}

async fn parameters_of_the_response_are_ignored(database: Arc<TestDatabase>) {
    let app = start_app(&database, (0..30).map(|index| concert(&format!("Show {index}")))).await;
    let html = open(&app, "/?limit=50000&fields=id&total=false").await;
    assert!(html.contains("30 events"));
    assert_eq!(html.matches("<li class=\"event\">").count(), 24);
}

async fn mistyped_words_are_corrected(database: Arc<TestDatabase>) {
    CatalogueFixture::new(&database).await.insert([concert("Filharmonia")]).await;
    let state = create_state(&database).await;
    state.version.refresh().await.unwrap();
    state.cache.vocabulary().refresh(&state.reader, &state.version).await.unwrap();
    let html = open(&TestApp::with_state(&state), "/?q=filharmonja").await;
    assert!(html.contains("<bdi>filharmonia</bdi>") && html.contains("<bdi>filharmonja</bdi>"), "{html}");
    assert!(html.contains("<bdi>Filharmonia</bdi>"), "{html}");
}

async fn times_have_an_offset_if_the_events_are_in_several_time_zones(database: Arc<TestDatabase>) {
    let here = concert("Here");
    let mut there = concert("There").venue_with("Hall", None, |venue| venue.city = Some("New York".to_owned()));
    there.row.time_zone = Some("America/New_York".to_owned());
    let show = format!("/e/{}", here.row.id);
    (there.row.base_event_id, there.base_event) = (here.row.base_event_id, here.base_event.clone());
    let app = start_app(&database, [here, there]).await;
    let zone = |offset: &str, label: &str, name: &str| {
        let label = format!("<span class=\"hidden\">({label}: {name})</span>");
        format!("</time> <span class=\"time-zone\" title=\"{name}\">{offset} {label}</span></p>")
    };
    for (language, label) in [("en", "Time zone"), ("es", "Zona horaria")] {
        let html = open(&app, &format!("/?lang={language}")).await;
        assert!(html.contains(&zone("UTC", label, "UTC")), "{html}");
        assert!(html.contains(&zone("UTC−5", label, "America/New_York")), "{html}");
        let html = open(&app, &format!("{show}?lang={language}")).await;
        assert!(html.contains(&format!("UTC−5 <span class=\"hidden\">({label}: America/New_York)</span>")), "{html}");
    }
    assert!(!open(&app, "/?city=barcelona").await.contains("class=\"time-zone\""), "all in one zone");
}
