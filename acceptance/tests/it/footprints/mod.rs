//! Random feeds, synced as a worker does it, and requests to two processes with a shared Redis: a response that is not marked as stale
//! equals what the database contained at a version that the process knew, or later.

mod changes;
mod feeds;
mod past;
mod processes;

use std::{collections::BTreeMap, fs, sync::Arc, time::Duration};

use api::{State, cache::Freshness, response::ContentCoding};
use entity::{
    ConnectionRole, UtcInstant, begin_write, catalogue_version, daily_total, fold_name,
    footprint::{Footprint, Scope},
    job::{self, Claim, SyncJob},
    place, provider, pushed_feed,
    release::{self, Cause},
    takedown::{self, FoundEvent},
    undo,
};
use migration::{
    on_every_backend,
    testing::{Backend, TestDatabase},
};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder, TransactionTrait};
use tempfile::TempDir;
use tokio::{runtime::Handle, task::block_in_place};
use uuid::Uuid;
use worker::{
    backfill::{self, totals::Totals},
    provider::entry::{ProviderEntry, read_providers},
    sync::{self, FeedSource, SyncError, identity, revert},
};

use self::{
    feeds::{Change, Feed, any_change},
    processes::{content, respond, start_process},
};

on_every_backend!(responses_equal_the_catalogue_or_are_marked);

const CASES: u32 = 16;
const PROVIDERS: usize = 2;
/// The clocks that are the furthest from UTC, and currencies.
const CLOCKS: [(&str, &str); PROVIDERS] = [("Pacific/Kiritimati", "EUR"), ("Pacific/Pago_Pago", "GBP")];
const PROCESSES: usize = 2;
const CACHE_BYTES: u64 = 1 << 24;
/// So short that a stale response is only served while another request fetches it.
const REVALIDATE_WITHIN: Duration = Duration::ZERO;
/// In and around the cities, days, performers and categories of the feeds.
const QUERIES: [&str; 34] = [
    "/search",
    "/search?limit=2",
    "/search?starts_at=2030-01-01&ends_at=2030-01-01",
    "/search?starts_at=2030-01-02&ends_at=2030-01-02",
    "/search?starts_at=2030-01-03&ends_at=2030-01-05",
    "/search?starts_at=2030-01-05",
    "/search?ends_at=2030-01-02",
    "/search?category=music",
    "/search?category=music/jazz,theatre",
    "/search?category=theatre&starts_at=2030-01-02&ends_at=2030-01-04",
    "/search?category=music/jazz&q=show%202",
    "/events",
    "/events?sort=-updated_at&starts_at=2030-01-01&ends_at=2030-01-05",
    "/events?performer=provider0:1,provider1:2&listed=any",
    "/events?provider=provider1&category=music&status=any",
    "/events/facets?by=category,provider,status",
    "/events/facets?by=category&starts_at=2030-01-02&ends_at=2030-01-04",
    "/concerts?bandIds=1",
    "/concerts?bandIds=provider0:2,provider1:3",
    "/concerts?latitude=48.85&longitude=2.35&radius=5",
    "/concerts?latitude=41.38&longitude=2.17&radius=50&starts_at=2030-01-02&ends_at=2030-01-04",
    "/concerts?latitude=40&longitude=2&radius=3000&bandIds=2&max_price=20",
    "/events/calendar?starts_at=2030-01-01&ends_at=2030-01-08",
    "/events/calendar?starts_at=2030-01-03&ends_at=2030-01-03",
    "/events/calendar?starts_at=2030-01-01&ends_at=2030-01-08&category=theatre",
    "/performers",
    "/performers?q=the%20band%201",
    "/venues",
    "/venues?latitude=48.85&longitude=2.35&radius=5",
    "/places",
    // Pages of events, which may not exist: the provider, the show and the date.
    "/e/0:0:0",
    "/e/0:1:1",
    "/e/1:2:0",
    "/e/1:3:2",
];
#[derive(Clone, Debug)]
enum Step {
    /// A worker syncs a provider after some changes of its feed.
    Sync(usize, Vec<Change>),
    /// A worker applies the shows that have changed, which a provider has pushed.
    Push(usize, Vec<Change>),
    /// An operator reverts the last sync of a provider, if it can be reverted.
    Revert(usize),
    /// An operator removes an event, if there is one with these ids, for legal reasons.
    Takedown { provider: usize, show: u8, date: u8 },
    /// A client adds a place to the list.
    AddPlace,
    /// A version of which nothing is known, as an older worker raises it.
    RaiseVersion,
    /// A client sends every request, mostly after the process has read the releases.
    Requests { process: usize, coding: ContentCoding, is_followed: bool },
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..PROVIDERS, vec(any_change(), 1..3)).prop_map(|(provider, changes)| Step::Sync(provider, changes)),
        2 => (0..PROVIDERS, vec(any_change(), 1..3)).prop_map(|(provider, changes)| Step::Push(provider, changes)),
        1 => (0..PROVIDERS).prop_map(Step::Revert),
        1 => (0..PROVIDERS, 0_u8..4, 0_u8..3).prop_map(|(provider, show, date)| Step::Takedown { provider, show, date }),
        1 => Just(Step::AddPlace),
        1 => Just(Step::RaiseVersion),
        6 => (0..PROCESSES, prop_oneof![Just(ContentCoding::Identity), Just(ContentCoding::Gzip)], prop::bool::weighted(0.8))
            .prop_map(|(process, coding, is_followed)| Step::Requests { process, coding, is_followed }),
    ]
}

struct Trial {
    database: TestDatabase,
    connection: DatabaseConnection,
    feeds: Vec<Feed>,
    entries: Vec<ProviderEntry>,
    folder: TempDir,
    /// Without a cache.
    oracle: State,
    processes: Vec<State>,
    /// The responses of each version, in the order of `QUERIES`.
    history: BTreeMap<i64, Vec<String>>,
}

impl Trial {
    async fn start(backend: Backend) -> Self {
        let database = TestDatabase::migrated(backend).await;
        let connection = database.connect(ConnectionRole::Worker).await;
        let folder = TempDir::new().unwrap();
        let entries = (0..PROVIDERS).map(|number| entry(&folder, number)).collect();
        let namespace = Uuid::new_v4().to_string();
        let mut processes = Vec::new();
        for _ in 0..PROCESSES {
            processes.push(start_process(&database, &namespace).await);
        }
        let oracle =
            State::new(database.connect(ConnectionRole::Api).await, database.connect(ConnectionRole::Watch).await, 0, None);
        let feeds = vec![Feed::default(); PROVIDERS];
        let mut trial = Self { database, connection, feeds, entries, folder, oracle, processes, history: BTreeMap::new() };
        trial.record().await;
        trial
    }

    async fn run(&mut self, step: Step) -> Result<(), TestCaseError> {
        if let Step::Requests { process, coding, is_followed } = step {
            if is_followed {
                self.processes[process].version.refresh().await.unwrap();
            }
            return self.send_requests(process, coding).await;
        }
        self.apply(step).await;
        self.record().await;
        Ok(())
    }

    async fn apply(&mut self, step: Step) {
        match step {
            Step::Sync(provider, changes) => {
                changes.into_iter().for_each(|change| self.feeds[provider].apply(change));
                self.sync(provider).await;
            }
            Step::Push(provider, changes) => {
                let shows: Vec<u8> = changes.iter().filter_map(Change::show).collect();
                changes.into_iter().for_each(|change| self.feeds[provider].apply(change));
                self.push(provider, self.feeds[provider].document_of(|id| shows.contains(&id))).await;
            }
            Step::Revert(provider) => self.revert(provider).await,
            Step::Takedown { provider, show, date } => self.remove_event(provider, show, date).await,
            Step::AddPlace => self.add_place().await,
            Step::RaiseVersion => {
                catalogue_version::increment(&self.connection).await.unwrap();
            }
            Step::Requests { .. } => {}
        }
    }

    async fn sync(&self, provider: usize) {
        let file = self.folder.path().join("feed.xml");
        fs::write(&file, self.feeds[provider].document()).unwrap();
        let entry = &self.entries[provider];
        let claim = self.start_job(provider).await;
        match sync::sync(&self.connection, entry, &FeedSource::File(file), &claim).await {
            Ok(_) => {}
            Err(SyncError::RevertedDocument) => assert!(job::queue::finish(&self.connection, &claim).await.unwrap()),
            Err(error) => panic!("{error}"),
        }
    }

    async fn push(&self, provider: usize, document: String) {
        let Some(provider_row) = self.find_provider(provider).await else { return };
        let claim = self.start_job(provider).await;
        let pushed = pushed_feed::ActiveModel {
            provider_id: Set(provider_row.id),
            job_id: Set(claim.id),
            mode: Set(pushed_feed::Mode::Delta),
            coding: Set(String::new()),
            body: Set(Some(document.into_bytes())),
            body_hash: Set(String::new()),
            accepted_at: Set(UtcInstant::now()),
            ..Default::default()
        };
        let pushed = pushed.insert(&self.connection).await.unwrap();
        let source = FeedSource::Pushed(Box::new(pushed));
        sync::sync(&self.connection, &self.entries[provider], &source, &claim).await.unwrap();
    }

    async fn find_provider(&self, provider: usize) -> Option<provider::Model> {
        let of_slug = provider::COLUMN.slug.eq(&self.entries[provider].slug);
        provider::Entity::find().filter(of_slug).one(&self.connection).await.unwrap()
    }

    async fn revert(&self, provider: usize) {
        let newest = undo::Entity::find().order_by_desc(undo::Column::SyncRunId);
        let Some(provider_row) = self.find_provider(provider).await else { return };
        let newest = newest.filter(undo::COLUMN.provider_id.eq(provider_row.id)).one(&self.connection).await.unwrap();
        let Some(undo) = newest else { return };
        let (run, _) = revert::find_run(&self.connection, undo.sync_run_id).await.unwrap();
        let claim = self.start_job(provider).await;
        revert::revert(&self.connection, &run, Some(&claim)).await.unwrap();
    }

    async fn start_job(&self, provider: usize) -> Claim {
        let job = SyncJob::new(&self.entries[provider].slug, Uuid::new_v4().to_string());
        job::queue::start(&self.connection, &job, "test", Duration::from_secs(600)).await.unwrap().unwrap()
    }

    async fn remove_event(&self, provider: usize, show: u8, date: u8) {
        let id = identity::event_id(&self.entries[provider].slug, &show.to_string(), &date.to_string());
        let transaction = begin_write(&self.connection).await.unwrap();
        if let FoundEvent::Stored(event) = takedown::lock(&transaction, id).await.unwrap() {
            event.remove(&transaction, "test").await.unwrap();
        }
        transaction.commit().await.unwrap();
    }

    async fn add_place(&self) {
        let name = Uuid::new_v4().to_string();
        let transaction = self.connection.begin().await.unwrap();
        let place = place::ActiveModel {
            code: Set(name.clone()),
            folded_name: Set(fold_name(&name)),
            name: Set(name),
            listed: Set(true),
            ..Default::default()
        };
        place::Entity::insert(place).exec_without_returning(&transaction).await.unwrap();
        release::publish(&transaction, (Cause::Places, None), &Footprint::all_of(&[Scope::Places])).await.unwrap();
        transaction.commit().await.unwrap();
    }

    /// Records what the database contains.
    async fn record(&mut self) {
        let version = catalogue_version::fetch_version(&self.connection).await.unwrap();
        let mut responses = Vec::new();
        for query in QUERIES {
            responses.push(content(&respond(&self.oracle, query, ContentCoding::Identity).await));
        }
        self.history.insert(version, responses);
        self.assert_totals().await;
    }

    /// Calendars that read totals equal those that count events.
    async fn assert_totals(&self) {
        for provider in daily_total::select_invalid().all(&self.connection).await.unwrap() {
            assert_eq!(provider.totals_release, None, "only a first load leaves totals to the job: {provider:?}");
        }
        backfill::run::<Totals>(&self.connection).await.unwrap();
        assert_eq!(daily_total::select_invalid().one(&self.connection).await.unwrap(), None);
        // The second one has the same days, but not the whole of the first.
        let [read, counted] =
            ["2029-12-31", "2029-12-31T00:01"].map(|first| format!("/events/calendar?starts_at={first}&ends_at=2030-01-08"));
        let read = content(&respond(&self.oracle, &read, ContentCoding::Identity).await);
        let counted = content(&respond(&self.oracle, &counted, ContentCoding::Identity).await);
        assert_eq!(read, counted);
    }

    async fn send_requests(&self, process: usize, coding: ContentCoding) -> Result<(), TestCaseError> {
        let state = &self.processes[process];
        for (number, query) in QUERIES.iter().enumerate() {
            let known = state.version.current().unwrap_or_default();
            let response = respond(state, query, coding).await;
            let body = content(&response);
            let mut possible = self.history.range(known..).map(|(_, responses)| &responses[number]);
            let is_marked = response.as_ref().is_ok_and(|response| response.freshness != Freshness::Fresh);
            prop_assert!(
                is_marked || possible.any(|possible| *possible == body),
                "{query} of {:?} is not what version {known} or a later one contains: {body}",
                response.map(|response| (response.tier, response.body.version)),
            );
        }
        Ok(())
    }
}

fn entry(folder: &TempDir, number: usize) -> ProviderEntry {
    let (time_zone, currency) = CLOCKS[number];
    let file = folder.path().join("providers.toml");
    let text = format!(
        "[[provider]]\nslug = \"provider{number}\"\nurl = \"http://localhost/feed\"\nformat = \"event-list-xml\"\n\
         time_zone = \"{time_zone}\"\ncurrency = \"{currency}\"\nschedule = \"0 0 0 1 1 *\"\nallow_private_addresses = true\nmax_shrink_share = 1.0\nmax_churn_share = 1.0\n\
         max_price_jump_share = 1.0\n"
    );
    fs::write(&file, text).unwrap();
    read_providers(&file).unwrap().remove(0)
}

async fn responses_equal_the_catalogue_or_are_marked(database: Arc<TestDatabase>) {
    run_trials(&database, &vec(any_step(), 10..40), &async |trial: &mut Trial, steps: Vec<Step>| {
        for step in steps {
            trial.run(step).await?;
        }
        Ok(())
    });
}

/// Runs a test with random steps, each time with an empty database.
fn run_trials(
    database: &TestDatabase,
    steps: &impl Strategy<Value = Vec<Step>>,
    test: &impl AsyncFn(&mut Trial, Vec<Step>) -> Result<(), TestCaseError>,
) {
    let is_postgres = database.settings.url.expose().starts_with("postgres");
    let backend = if is_postgres { Backend::Postgres } else { Backend::Sqlite };
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let run = |steps: Vec<Step>| {
        block_in_place(|| {
            Handle::current().block_on(async {
                let mut trial = Trial::start(backend).await;
                test(&mut trial, steps).await?;
                trial.connection.close().await.unwrap();
                trial.database.remove().await;
                Ok(())
            })
        })
    };
    TestRunner::new(config).run(steps, run).unwrap();
}
