//! The first load of a large feed: on SQLite written in parts, everywhere visible as a whole.

use std::{
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use entity::{begin_write, event, job};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::{DbBackend, EntityTrait, PaginatorTrait};

use super::Copying;
use crate::{
    feeds::{base_event, event as event_element, feed},
    patience::eventually,
};

on_every_backend!(a_large_first_load_is_hidden_until_it_is_complete, an_interrupted_first_load_is_continued);

const BASE_EVENTS: usize = 12_000;
/// The deadline of a write of the API. The target is 5 s, which a machine that runs much else can miss.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// A feed that is long, so that it is written in parts, and has few rows.
fn document(base_events: Range<usize>) -> String {
    let title = "A long title. ".repeat(45);
    let format = |id: usize| base_event(&id.to_string(), "online", &title, &[event_element(&format!("{id}1"), &["5.00"])]);
    feed(&base_events.map(format).collect::<Vec<_>>())
}

async fn a_large_first_load_is_hidden_until_it_is_complete(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let version = copying.version().await;
    let (mut incomplete, mut longest) = (0, Duration::ZERO);
    let other_writes = async {
        loop {
            let begun_at = Instant::now();
            begin_write(&copying.database).await.unwrap().commit().await.unwrap();
            longest = longest.max(begun_at.elapsed());
            if event::Entity::find().count(&copying.database).await.unwrap() > 0 {
                // In this order, because the load may be completed between the two reads.
                let (now, provider) = (copying.version().await, copying.provider().await);
                let is_complete = provider.last_success_at.is_some();
                assert_eq!(provider.loading_since.is_none(), is_complete);
                assert!(is_complete || now == version, "no version has a part of the feed");
                incomplete += usize::from(!is_complete);
            }
        }
    };
    let report = tokio::select! {
        report = copying.sync(document(0..BASE_EVENTS)) => report.unwrap(),
        () = other_writes => unreachable!(),
    };
    assert_eq!(report.counts.inserted, BASE_EVENTS);
    assert!(longest < MAX_WAIT, "a write waited for {longest:?}");
    let is_in_parts = copying.database.get_database_backend() == DbBackend::Sqlite;
    assert_eq!(incomplete > 0, is_in_parts);
    assert_eq!(copying.provider().await.loading_since, None);
    assert_eq!(copying.version().await, version + 1);
    assert_eq!(event::Entity::find().count(&copying.database).await.unwrap(), BASE_EVENTS as u64);
}

async fn an_interrupted_first_load_is_continued(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    if copying.database.get_database_backend() != DbBackend::Sqlite {
        return;
    }
    let has_part = eventually("a part is written", async || {
        let events = event::Entity::find().count(&copying.database).await.unwrap();
        (events > 0).then_some(())
    });
    tokio::select! {
        _ = copying.sync(document(0..BASE_EVENTS)) => panic!("the load has one part"),
        () = has_part => (),
    }
    assert!(copying.provider().await.loading_since.is_some());
    job::Entity::delete_many().exec(&copying.database).await.unwrap();

    // The feed has changed: 100 base events left, and others are new.
    let version = copying.version().await;
    let counts = copying.accept(document(100..BASE_EVENTS + 100)).await;
    assert!(counts.unchanged > 0 && counts.inserted > 0, "{counts:?}");
    assert_eq!((counts.fetched, counts.left), (BASE_EVENTS, 100));
    let provider = copying.provider().await;
    assert_eq!((provider.loading_since, provider.event_count), (None, 12_000));
    assert_eq!(copying.version().await, version + 1);
}
