//! `GET /e/{id}`.

use std::sync::Arc;

use entity::{alias::AliasKind, change::ChangeKind};
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use serde_json::Value;

use super::{
    concert,
    html::{ORIGIN, links, tags},
    html_of, open, start_app,
};
use crate::{
    aliases::{self, OLD},
    fixtures::{CatalogueFixture, instant},
    rates::{CsvBatch, import_batch, put_places},
};

on_every_backend!(
    an_event_is_shown_with_all_details,
    other_dates_of_the_show_are_linked,
    an_event_that_left_its_feed_is_marked,
    prices_that_have_changed_are_drawn_and_listed,
    events_nearby_on_the_same_day_are_linked,
    travel_has_the_prices_from_the_chosen_place,
    an_old_id_redirects_to_the_page_of_the_new_one,
    a_removed_event_is_gone,
);

async fn an_event_is_shown_with_all_details(database: Arc<TestDatabase>) {
    let event = concert("Show & more").zone("A", |zone| {
        (zone.name, zone.capacity, zone.price, zone.numbered) = (Some("Stalls".to_owned()), Some(7), 2_000, Some(true));
    });
    let id = event.row.id;
    let app = start_app(&database, [event]).await;

    let html = open(&app, &format!("/e/{id}")).await;

    for text in [
        "<title>Show &#38; more - Marquee</title>",
        "Tue 10 Feb 2099, 20:00</time> until <time datetime=\"2099-02-10T21:30:00+00:00\">21:30</time> (UTC)",
        "<bdi>Sala Apolo</bdi></a><br><bdi>Nou de la Rambla 113</bdi><br><bdi>Barcelona</bdi><br><bdi>ES</bdi><br><a href=\"https://www.openstreetmap.org/",
        "<dd>20 to 55.50 EUR</dd>",
        "Music: jazz",
        "<bdi>Performer 12</bdi>",
        "<p dir=\"auto\">First line.</p>",
        "<bdi>Stalls</bdi></th><td>20 EUR</td><td>7</td><td>numbered</td>",
        "From <bdi>fever</bdi>",
    ] {
        assert!(html.contains(text), "{text}\n{html}");
    }
    let tags = tags(&html);
    let buy = tags.iter().find(|tag| tag.get("class") == Some("button")).unwrap();
    assert_eq!((buy.get("href"), buy.get("rel")), (Some(&*format!("../out/{id}")), Some("nofollow noopener")));
    let canonical = tags.iter().find(|tag| tag.get("rel") == Some("canonical")).unwrap();
    assert_eq!(canonical.get("href"), Some(&*format!("{ORIGIN}/e/{id}")));
    let (_, data) = html.split_once("<script type=\"application/ld+json\">").unwrap();
    let data: Value = serde_json::from_str(data.split_once("</script>").unwrap().0).unwrap();
    assert_eq!((&data["name"], &data["offers"]["lowPrice"]), (&"Show & more".into(), &20.0.into()));
}

async fn prices_that_have_changed_are_drawn_and_listed(database: Arc<TestDatabase>) {
    let event = concert("Show");
    let (id, path) = (event.row.id, format!("/e/{}", event.row.id));
    let app = start_app(&database, [event]).await;
    assert!(!open(&app, &path).await.contains("Price history"), "the price has not changed");
    let catalogue = CatalogueFixture::new(&database).await;
    for (old, new) in [("50", "20.5"), ("20.5", "30")] {
        let changed = format!(r#"{{"min_price":{{"old":{old},"new":{new}}}}}"#);
        let change = catalogue.change(ChangeKind::PriceChanged, "fever", id, &changed).await;
        catalogue.release(vec![change]).await;
    }
    for (uri, texts) in [
        (path.clone(), ["The lowest price was between 20.50 EUR and 50 EUR.", "</time></th><td>20.50 EUR</td>"]),
        (format!("{path}?lang=es"), ["El precio más bajo estuvo entre 20,50 EUR y 50 EUR.", "</time></th><td>20,50 EUR</td>"]),
    ] {
        let html = open(&app, &uri).await;
        assert!(texts.iter().all(|text| html.contains(text)), "{html}");
        let (_, figure) = html.split_once("<figure class=\"prices\">").unwrap();
        assert_eq!(figure.split("</figure>").next().unwrap().matches("<polyline points=\"0.0,8.0 ").count(), 1);
        let table = figure.split("<tbody>").nth(1).unwrap().split("</tbody>").next().unwrap();
        assert_eq!(table.matches("<tr>").count(), 3, "{table}");
    }
    let history = app.get(&format!("/events/{id}/history")).await.json();
    let html = open(&app, &path).await;
    for change in history["data"]["changes"].as_array().unwrap() {
        assert!(html.contains(&format!("<time datetime={}>", change["at"])), "{change}");
    }
}

async fn other_dates_of_the_show_are_linked(database: Arc<TestDatabase>) {
    let show = concert("Show");
    let other_date = |wall_clock: &str| {
        let mut event = concert(wall_clock).starts(wall_clock);
        (event.row.base_event_id, event.base_event) = (show.row.base_event_id, show.base_event.clone());
        event
    };
    let (later, sooner, past) = (other_date("2099-03-01"), other_date("2099-02-11"), other_date("2021-02-11"));
    let path = format!("/e/{}", show.row.id);
    let app = start_app(&database, [show.clone(), later.clone(), sooner.clone(), past, concert("Another")]).await;
    let html = open(&app, &path).await;
    let (_, dates) = html.split_once("Other dates").unwrap();
    let linked: Vec<String> = tags(dates).iter().filter_map(|tag| tag.get("href").map(str::to_owned)).take(2).collect();
    assert_eq!(linked, [sooner.row.id.to_string(), later.row.id.to_string()]);
    assert_eq!(dates.matches("<li>").count(), 2);
}

async fn events_nearby_on_the_same_day_are_linked(database: Arc<TestDatabase>) {
    let show = concert("Show");
    let mut same_show = concert("Same show");
    (same_show.row.base_event_id, same_show.base_event) = (show.row.base_event_id, show.base_event.clone());
    let at = |title: &str, longitude: f64| concert(title).venue_with(title, Some((41.374, longitude)), |_| {});
    let events =
        [at("Farther", 2.3), at("Far", 2.6), at("Near", 2.2), concert("Tomorrow").starts("2099-02-11").ends("2099-02-11")];
    let path = format!("/e/{}", show.row.id);
    let app = start_app(&database, events.into_iter().chain([show, same_show])).await;
    let html = open(&app, &path).await;
    let (_, nearby) = html.split_once("Nearby on the same day").unwrap();
    let titles: Vec<&str> = nearby.split("<h3>").skip(1).map(|entry| entry.split(['<', '>']).nth(4).unwrap()).collect();
    assert_eq!(titles, ["Near", "Farther"]);
}

async fn travel_has_the_prices_from_the_chosen_place(database: Arc<TestDatabase>) {
    let with_code = |title: &str, code: Option<&str>| concert(title).venue(title, (41.374, 2.169), code);
    let (show, unknown, without) =
        (with_code("Show", Some("ESBCN")), with_code("Unknown", Some("ESXXX")), with_code("Without", None));
    let [show_page, unknown_page, page_without] = [&show, &unknown, &without].map(|event| format!("/e/{}", event.row.id));
    let app = start_app(&database, [show, unknown, without]).await;
    put_places(&app, &[("baltic", "")], &[("ESBCN", ""), ("EETLL", "baltic"), ("EETAY", "baltic")]).await;
    let prices = ["90", "100", "110"].into_iter();
    let prices = prices.fold(CsvBatch::default(), |batch, price| batch.add("EETLL", "ESBCN", "2099-02-09", price));
    import_batch(&app, &prices).await;

    let form = open(&app, &show_page).await;
    assert!(form.contains("<input id=\"from\"") && !form.contains("role=\"status\""), "{form}");
    for from in ["EETLL", "eetl", "Baltic", "bal"] {
        let html = open(&app, &format!("{show_page}?from={from}")).await;
        assert!(html.contains("<th scope=\"row\">Mon 9 Feb 2099</th><td>100</td>"), "{from}: {html}");
        let (_, travel) = html.split_once("<h2 id=\"travel\">").unwrap();
        assert_eq!(travel.matches("<th scope=\"row\">").count(), 1, "only days with a price");
    }
    let html = open(&app, &format!("{show_page}?from=eet")).await;
    let choices: Vec<String> = links(&show_page, &html).into_iter().filter(|link| link.contains("?from=")).collect();
    assert_eq!(choices, ["EETAY", "EETLL"].map(|code| format!("{show_page}?from={code}")));
    assert!(links(&show_page, &html).contains(&format!("{show_page}?lang=es&from=eet")), "{html}");
    assert!(!open(&app, &format!("{show_page}?from=+")).await.contains("role=\"status\""), "a blank place is none");
    let html = open(&app, &choices[0]).await;
    assert!(html.contains("There are not enough prices from <bdi>EETAY (EETAY)</bdi>"), "{html}");
    let html = open(&app, &format!("{show_page}?from=%3Czz%3E")).await;
    assert!(html.contains("No place has a name that begins with “<bdi>&#60;zz&#62;</bdi>”"), "{html}");
    let html = open(&app, &format!("{unknown_page}?from=EETLL")).await;
    assert!(html.contains("There are not enough prices"), "{html}");
    for page in [page_without.clone(), format!("{page_without}?from=EETLL")] {
        assert!(!open(&app, &page).await.contains("Getting there"));
    }
    for query in [format!("from={}", "x".repeat(101)), "orig_code=EETLL".to_owned()] {
        html_of(&app.get(&format!("{show_page}?{query}")).await, 400);
    }
}

async fn an_event_that_left_its_feed_is_marked(database: Arc<TestDatabase>) {
    let event = concert("Show").with(|row| row.left_at = Some(instant("2026-02-01T08:10:00")));
    let path = format!("/e/{}", event.row.id);
    let app = start_app(&database, [event]).await;
    let html = open(&app, &path).await;
    assert!(html.contains("No longer offered") && html.contains("removed by the provider"), "{html}");
}

async fn an_old_id_redirects_to_the_page_of_the_new_one(database: Arc<TestDatabase>) {
    let (app, target) = aliases::start_app(&database, AliasKind::Event).await;
    let response = app.get(&format!("/e/{OLD}")).await;
    html_of(&response, 308);
    assert_eq!(response.location(), format!("/e/{target}"));
    open(&app, &response.location()).await;
}

async fn a_removed_event_is_gone(database: Arc<TestDatabase>) {
    let event = concert("Show");
    let id = event.row.id;
    let app = start_app(&database, [event]).await;
    let removal = app.send(Method::DELETE, &format!("/events/{id}?reason=x"), &[]).await;
    assert_eq!(removal.status, 204, "{}", removal.text());
    let html = html_of(&app.get(&format!("/e/{id}")).await, 410);
    assert!(html.contains("<h1>Event removed</h1>") && !html.contains("Show"), "{html}");
}
