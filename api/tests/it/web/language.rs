//! Pages in English and Spanish.

use std::{collections::BTreeSet, sync::Arc};

use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use sea_orm::prelude::Uuid;

use super::{
    PUBLIC_URL, concert,
    html::{links, metadata, submit, tags},
    html_of, open, start_app, start_public_app,
};

on_every_backend!(
    pages_are_in_the_language_that_the_browser_prefers,
    a_chosen_language_remains_in_every_link,
    each_language_has_an_address,
    errors_are_in_the_language_of_the_page,
);

async fn pages_are_in_the_language_that_the_browser_prefers(database: Arc<TestDatabase>) {
    let event = concert("Show").prices(&[3_000, 5_550]);
    let path = format!("/e/{}", event.row.id);
    let app = start_app(&database, [event]).await;
    for (uri, english, spanish) in [
        (
            "/",
            ["Tue 10 Feb 2099, 20:00", "1 event<", "30 to 55.50 EUR"],
            ["mar, 10 feb 2099, 20:00", "1 evento<", "de 30 a 55,50 EUR"],
        ),
        (&path, ["Buy tickets", "Music: jazz", "<dt>Where"], ["Comprar entradas", "Música: jazz", "<dt>Dónde"]),
    ] {
        for (accepted, language, texts) in [("de, en;q=0.5, es;q=0.4", "en", english), ("es-AR,es;q=0.9,en;q=0.8", "es", spanish)]
        {
            let response = app.send(Method::GET, uri, &[("accept-language", accepted)]).await;
            let html = html_of(&response, 200);
            assert_eq!(response.header("content-language"), Some(language));
            assert!(response.headers.get_all("vary").iter().any(|vary| vary == "accept-language"));
            assert!(html.contains(&format!("<html lang=\"{language}\">")));
            for text in texts {
                assert!(html.contains(text), "{uri}: {text}\n{html}");
            }
        }
    }
    let data = app.send(Method::GET, "/events", &[("accept-language", "es")]).await;
    assert!(data.header("content-language").is_none() && data.header("vary") == Some("accept-encoding"));
}

async fn a_chosen_language_remains_in_every_link(database: Arc<TestDatabase>) {
    let show = concert("Show");
    let path = format!("/e/{}", show.row.id);
    let mut events: Vec<_> = (0..30).map(|index| concert(&format!("Show {index}"))).collect();
    events[0].row.base_event_id = show.row.base_event_id;
    events[0].base_event = show.base_event.clone();
    let app = start_app(&database, events.into_iter().chain([show])).await;
    let event = format!("{path}?lang=es");
    let mut pages =
        BTreeSet::from(["/?lang=es".to_owned(), "/?city=nowhere&lang=es".to_owned(), "/new?lang=es".to_owned(), event.clone()]);
    let items = links(&path, &open(&app, &event).await).into_iter();
    pages.extend(items.filter(|link| link.starts_with("/v/") || link.starts_with("/p/")));
    assert_eq!(pages.len(), 6);
    for page in pages {
        let html = open(&app, &page).await;
        assert!(html.contains("<html lang=\"es\">"), "{page}");
        // The address without a language is an alternative of each page.
        let default = page.replace("?lang=es", "").replace("&lang=es", "");
        let (defaults, links): (Vec<_>, Vec<_>) = links(&page, &html).into_iter().partition(|link| *link == default);
        assert!(!defaults.is_empty(), "{page}");
        for link in links {
            let (target, query) = link.split_once('?').unwrap_or((&link, ""));
            let is_page = ["/", "/new", "/new.atom"].contains(&target)
                || ["/e/", "/v/", "/p/"].iter().any(|folder| target.starts_with(folder));
            assert_eq!(is_page, query.contains("lang="), "{page}: {link}");
            assert_ne!(app.get(&link).await.status, 400, "{page}: {link}");
        }
    }
    let html = open(&app, "/?city=barcelona&lang=es").await;
    assert!(submit(&html).contains("lang=es"), "the form sends it");
    assert!(!html.contains("Lang"), "it is not a filter");
}

async fn each_language_has_an_address(database: Arc<TestDatabase>) {
    let event = concert("Show");
    let id = event.row.id;
    let app = start_public_app(&database, [event]).await;
    for (uri, english, spanish, canonical) in [
        ("/?city=barcelona".to_owned(), "/?city=barcelona&lang=en", "/?city=barcelona&lang=es", "/?city=barcelona"),
        (
            "/?lang=es&city=barcelona".to_owned(),
            "/?city=barcelona&lang=en",
            "/?city=barcelona&lang=es",
            "/?city=barcelona&lang=es",
        ),
        (format!("/e/{id}"), &*format!("/e/{id}?lang=en"), &*format!("/e/{id}?lang=es"), &*format!("/e/{id}")),
    ] {
        let html = open(&app, &uri).await;
        let any = english.replace("&lang=en", "").replace("?lang=en", "");
        assert_eq!(metadata(&html, "canonical"), Some(format!("{PUBLIC_URL}{canonical}")), "{uri}");
        let tags = tags(&html);
        let alternates = tags.iter().filter(|tag| tag.name == "link" && tag.get("hreflang").is_some());
        let alternates: Vec<&str> = alternates.map(|tag| tag.get("href").unwrap()).collect();
        assert_eq!(alternates, [english, spanish, &any].map(|address| format!("{PUBLIC_URL}{address}")), "{uri}");
    }
}

async fn errors_are_in_the_language_of_the_page(database: Arc<TestDatabase>) {
    let app = start_app(&database, []).await;
    let missing = format!("/e/{}", Uuid::nil());
    for (uri, accepted) in [(missing.clone(), "es"), (format!("{missing}?lang=es"), "en")] {
        let response = app.send(Method::GET, &uri, &[("accept-language", accepted)]).await;
        assert!(html_of(&response, 404).contains("<h1>No existe</h1>"), "{}", response.text());
        assert_eq!(response.header("content-language"), Some("es"));
    }
    for uri in ["/?lang=xx".to_owned(), format!("{missing}?lang=xx")] {
        let html = html_of(&app.get(&uri).await, 400);
        assert!(html.contains("&#34;lang&#34; must be &#34;en&#34; or &#34;es&#34;, got &#34;xx&#34;"), "{html}");
    }
    app.get("/events?lang=es").await.problem(400, "invalid_parameter");
}
