//! `MAP_PMTILES`: a file of map tiles, which browsers read in parts.

use std::{fs, path::PathBuf, sync::Arc};

use api::{State, map_tiles::MapTiles};
use entity::ConnectionRole;
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use tempfile::TempDir;

use super::{
    concert,
    html::{Tag, tags},
    open, start_app,
};
use crate::{api_process::build_command, fixtures::CatalogueFixture, test_app::TestApp};

on_every_backend!(parts_of_the_file_are_sent, the_map_of_a_search_is_shown_on_tiles);

const LENGTH: usize = 200_000;

/// A file with the header of PMTiles, and bytes after it that are not read here.
fn write_tiles(folder: &TempDir) -> (PathBuf, Vec<u8>) {
    let mut content: Vec<u8> = (0..LENGTH).map(|position| u8::try_from(position % 251).unwrap()).collect();
    content[..127].fill(0);
    content[..8].copy_from_slice(b"PMTiles\x03");
    content[56..72].copy_from_slice(&[127_u64, (LENGTH - 127) as u64].map(u64::to_le_bytes).concat());
    (content[97], content[98], content[99], content[101]) = (2, 2, 1, 13);
    let path = folder.path().join("world.pmtiles");
    fs::write(&path, &content).unwrap();
    (path, content)
}

async fn start_with_tiles(database: &TestDatabase) -> (TestApp, Vec<u8>) {
    CatalogueFixture::new(database).await.insert([concert("Show")]).await;
    let folder = TempDir::new().unwrap();
    let (path, content) = write_tiles(&folder);
    let map_tiles = Some(Arc::new(MapTiles::open(&path).unwrap()));
    let connection = database.connect(ConnectionRole::Api).await;
    (TestApp::with_state(&State { map_tiles, ..State::new(connection.clone(), connection, 0, None) }), content)
}

async fn parts_of_the_file_are_sent(database: Arc<TestDatabase>) {
    let (app, content) = start_with_tiles(&database).await;
    let all = app.get("/map.pmtiles").await;
    assert_eq!((all.status.as_u16(), all.header("content-length")), (200, Some("200000")));
    assert!(all.body == content, "although the file was removed after the start");
    let etag = all.header("etag").unwrap();
    for (range, part, content_range) in [
        ("bytes=0-16383", 0..16_384, "bytes 0-16383/200000"),
        ("bytes=199990-300000", 199_990..LENGTH, "bytes 199990-199999/200000"),
        ("bytes=-5", 199_995..LENGTH, "bytes 199995-199999/200000"),
        ("bytes=1000-151000", 1_000..151_001, "bytes 1000-151000/200000"),
    ] {
        let response = app.send(Method::GET, "/map.pmtiles", &[("range", range), ("accept-encoding", "gzip")]).await;
        assert_eq!((response.status.as_u16(), response.header("content-range")), (206, Some(content_range)));
        assert_eq!(response.header("content-length"), Some(&*part.len().to_string()));
        assert_eq!((response.header("content-encoding"), response.header("etag")), (None, Some(etag)));
        assert_eq!(response.header("cache-control"), Some("public, max-age=3600"));
        assert!(response.body == content[part], "{range}");
    }
    let outside = app.send(Method::GET, "/map.pmtiles", &[("range", "bytes=200000-")]).await;
    outside.problem(400, "bad_request");
    for (headers, status) in [
        ([("range", "bytes=0-9"), ("if-range", etag)], 206),
        ([("range", "bytes=0-9"), ("if-range", "\"other\"")], 200),
        ([("range", "bytes=0-9"), ("if-none-match", etag)], 304),
    ] {
        assert_eq!(app.send(Method::GET, "/map.pmtiles", &headers).await.status, status, "{headers:?}");
    }
    let head = app.send(Method::HEAD, "/map.pmtiles", &[]).await;
    assert_eq!((head.status.as_u16(), head.body.len(), head.header("accept-ranges")), (200, 0, Some("bytes")));
    app.get("/map.pmtiles?z=1").await.problem(400, "invalid_parameter");
    TestApp::new(&database).await.get("/map.pmtiles").await.problem(404, "path_not_found");
}

async fn the_map_of_a_search_is_shown_on_tiles(database: Arc<TestDatabase>) {
    let with_tiles = open(&start_with_tiles(&database).await.0, "/").await;
    let map = tags(&with_tiles).into_iter().find(|tag| tag.get("id") == Some("map")).unwrap();
    assert_eq!((map.get("data-tiles"), map.get("data-max-zoom")), (Some("map.pmtiles"), Some("13")));
    assert_eq!(map.get("data-bounds"), Some("2.169,41.374,2.169,41.374"));
    assert!(with_tiles.contains("data-point=\"41.374,2.169\""), "{with_tiles}");
    assert!(with_tiles.contains("<circle "), "the map of readers without script remains");
    let scripts = |html: &str| {
        let sources =
            tags(html).into_iter().filter(|tag: &Tag| tag.name == "script").filter_map(|tag| tag.get("src").map(str::to_owned));
        sources.map(|source| source.rsplit('/').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(scripts(&with_tiles), ["leaflet.js", "protomaps-leaflet.js", "map.js", "search.js"]);
    let without = open(&start_app(&database, []).await, "/").await;
    assert_eq!(scripts(&without), ["search.js"]);
    assert!(!without.contains("data-tiles") && !without.contains("data-point"), "{without}");
}

#[tokio::test]
async fn a_file_that_cannot_be_used_prevents_the_start() {
    let folder = TempDir::new().unwrap();
    let [missing, invalid] = ["missing", "invalid"].map(|name| folder.path().join(format!("{name}.pmtiles")));
    fs::write(&invalid, "{\"tiles\": []}").unwrap();
    let database = format!("sqlite://{}?mode=rwc", folder.path().join("marquee.db").display());
    for (path, expected) in [
        (&missing, "cannot read the map tiles"),
        (&folder.path().to_owned(), "cannot read the map tiles"),
        (&invalid, "(MAP_PMTILES) cannot be used: it is not a PMTiles file"),
    ] {
        let text = path.to_str().unwrap();
        for command in [&[][..], &["check"]] {
            let arguments = [&["--database-url", &database, "--api-listen", "127.0.0.1:0", "--map-pmtiles", text], command];
            let output = build_command(&arguments.concat()).output().await.unwrap();
            let written = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
            assert_eq!(output.status.code(), Some(1), "{written}");
            assert!(written.contains(expected) && written.contains(text), "{command:?}: {written}");
        }
    }
}
