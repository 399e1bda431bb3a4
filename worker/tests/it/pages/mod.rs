//! Feeds with several pages, from a server on a socket to the tables, on both databases.

mod limits;
mod links;
mod robots;
mod server;
mod sitemaps;
mod stored;

use entity::{ConnectionRole, feed_page, reject, sync_run};
use migration::testing::TestDatabase;
use sea_orm::{DatabaseConnection, EntityTrait, QueryFilter, QueryOrder};
use worker::{
    provider::{entry::ProviderEntry, fetch::FeedClient, format},
    sync::{Counts, FeedSource, SyncError, SyncReport},
};

pub(crate) use self::server::PageServer;
use crate::{
    copy::{Tables, runs_of, sync_now},
    entries, fetch,
};

const SLUG: &str = "northstage";

/// A copy of a feed with pages.
struct PagedTest {
    server: PageServer,
    entry: ProviderEntry,
    client: FeedClient,
    connection: DatabaseConnection,
}

impl PagedTest {
    /// With a feed at `/feed` in a format, and additional lines of its entry.
    async fn new(database: &TestDatabase, format: &str, more: &str) -> Self {
        let server = PageServer::new().await;
        // Tests do not wait between requests, unless they test that.
        let rate = if more.contains("max_requests_per_second") { "" } else { "max_requests_per_second = 1000\n" };
        let mut entry = entries::entry(SLUG, &format!("{}/feed", server.url), &format!("{rate}{more}"));
        entry.format = format::find(format).unwrap();
        Self { server, entry, client: fetch::client(), connection: database.connect(ConnectionRole::Worker).await }
    }

    async fn sync(&self) -> Result<SyncReport, SyncError> {
        sync_now(&self.connection, &self.entry, &FeedSource::Provider(self.client.clone())).await
    }

    /// Syncs successfully, and returns the counts.
    async fn accept(&self) -> Counts {
        self.sync().await.unwrap().counts
    }

    /// Syncs without success. Nothing has changed then; returns the code and the reason.
    async fn refuse(&self) -> (String, String) {
        let before = (self.tables().await, self.pages().await);
        let error = self.sync().await.unwrap_err();
        assert_eq!((self.tables().await, self.pages().await), before);
        let run = self.last_run().await;
        assert_eq!(run.reason_code.as_deref(), Some(error.code()));
        (error.code().to_owned(), run.reason.unwrap())
    }

    async fn tables(&self) -> Tables {
        Tables::of(&self.connection).await
    }

    /// The titles of the listed events.
    async fn titles(&self) -> Vec<String> {
        let tables = self.tables().await;
        let title = |id| tables.base_events.iter().find(|base_event| base_event.id == id).unwrap().title.clone();
        let mut titles: Vec<String> =
            tables.events.iter().filter(|event| event.left_at.is_none()).map(|event| title(event.base_event_id)).collect();
        titles.sort();
        titles
    }

    async fn pages(&self) -> Vec<feed_page::Model> {
        feed_page::Entity::find().order_by_asc(feed_page::Column::Url).all(&self.connection).await.unwrap()
    }

    async fn last_run(&self) -> sync_run::Model {
        runs_of(&self.connection, SLUG).await.pop().unwrap()
    }

    /// The rejects and warnings of the last run: line, column and reason.
    async fn notes(&self) -> Vec<(i64, i64, String)> {
        let run = self.last_run().await;
        let rows = reject::Entity::find().filter(reject::COLUMN.sync_run_id.eq(run.id));
        let rows = rows.order_by_asc(reject::Column::Position).all(&self.connection).await.unwrap();
        let without_port = |reason: &str| reason.replace(&self.server.url, "http://server");
        rows.iter().map(|row| (row.line, row.column, without_port(&row.reason))).collect()
    }
}

/// A document of JSON-LD with events of these names, and the path of the next page.
fn collection(names: &[&str], next: Option<&str>) -> String {
    let members: Vec<String> = names.iter().map(|name| json_event(name)).collect();
    let next = next.map(|next| format!(",\"hydra:next\":\"{next}\"")).unwrap_or_default();
    format!("{{\"hydra:member\":[{}],\"hydra:view\":{{\"@id\":\"/this\"{next}}}}}", members.join(","))
}

fn json_event(name: &str) -> String {
    format!("{{\"@type\":\"Event\",\"@id\":\"{name}\",\"name\":\"{name}\",\"startDate\":\"2031-08-01T20:00:00\"}}")
}

/// A web page with one event.
fn web_page(name: &str) -> String {
    let event = json_event(name);
    format!("<html>\n<p>{name}</p>\n  <script type=\"application/ld+json\">{event}</script>\n</html>")
}
