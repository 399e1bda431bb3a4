//! Random feeds, synced as a worker does it, and requests to two processes with a shared Redis: a response that is not marked as stale
//! equals what the database contained at a version that the process knew, or later.

use std::{collections::BTreeMap, fmt::Write, fs, io::Read, sync::Arc, time::Duration};

use api::{
    State,
    cache::{
        Cache, CacheRequest, CacheResponse, CachedQuery, Freshness,
        redis::{Redis, RedisSettings},
    },
    error::ApiError,
    query::Parameters,
    resources::{
        concerts::ConcertsQuery, performers::PerformersQuery, places::PlacesQuery, search::SearchQuery, venues::VenuesQuery,
    },
    response::ContentCoding,
};
use entity::{
    ConnectionRole, catalogue_version, fold_name,
    footprint::{Footprint, Scope},
    job::{self, SyncJob},
    place,
    release::{self, Cause},
};
use flate2::read::GzDecoder;
use migration::{
    on_every_backend,
    testing::{Backend, TestDatabase},
};
use proptest::{
    collection::vec,
    option,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use sea_orm::{ActiveValue::Set, DatabaseConnection, EntityTrait, TransactionTrait};
use tempfile::TempDir;
use tokio::{runtime::Handle, task::block_in_place};
use uuid::Uuid;
use worker::{
    provider::entry::{ProviderEntry, read_providers},
    sync::{self, FeedSource},
};

use crate::wait::eventually;

on_every_backend!(responses_equal_the_catalogue_or_are_marked);

const CASES: u32 = 16;
const PROVIDERS: usize = 2;
const PROCESSES: usize = 2;
const CACHE_BYTES: u64 = 1 << 24;
/// So short that a stale response is only served while another request fetches it.
const REVALIDATE_WITHIN: Duration = Duration::ZERO;
/// In and around the cities, days and performers of the feeds.
const QUERIES: [&str; 17] = [
    "/search",
    "/search?limit=2",
    "/search?starts_at=2030-01-01&ends_at=2030-01-01",
    "/search?starts_at=2030-01-02&ends_at=2030-01-02",
    "/search?starts_at=2030-01-03&ends_at=2030-01-05",
    "/search?starts_at=2030-01-05",
    "/search?ends_at=2030-01-02",
    "/concerts?bandIds=1",
    "/concerts?bandIds=provider0:2,provider1:3",
    "/concerts?latitude=48.85&longitude=2.35&radius=5",
    "/concerts?latitude=41.38&longitude=2.17&radius=50&starts_at=2030-01-02&ends_at=2030-01-04",
    "/concerts?latitude=40&longitude=2&radius=3000&bandIds=2&max_price=20",
    "/performers",
    "/performers?q=the%20band%201",
    "/venues",
    "/venues?latitude=48.85&longitude=2.35&radius=5",
    "/places",
];
/// Two cities, and one where a venue moves.
const CITIES: [(f64, f64); 3] = [(48.85, 2.35), (41.38, 2.17), (35.68, 139.69)];

#[derive(Clone, Debug)]
struct ShowElement {
    title: u8,
    is_online: bool,
    performers: Vec<u8>,
    dates: BTreeMap<u8, DateElement>,
}

#[derive(Clone, Debug)]
struct DateElement {
    day: u8,
    days: u8,
    venue: Option<u8>,
    price: u8,
    capacity: u8,
}

/// The feed of a provider. Names of performers, and the names and cities of venues, apply to the whole feed.
#[derive(Clone, Debug, Default)]
struct Feed {
    shows: BTreeMap<u8, ShowElement>,
    performer_names: BTreeMap<u8, u8>,
    venues: BTreeMap<u8, (u8, usize)>,
}

#[derive(Clone, Debug)]
enum Change {
    Show(u8, Option<ShowElement>),
    Date(u8, u8, Option<DateElement>),
    Title(u8, u8),
    Online(u8),
    Capacity(u8, u8, u8),
    Performer(u8, u8),
    Venue(u8, (u8, usize)),
}

#[derive(Clone, Debug)]
enum Step {
    /// A worker syncs a provider after some changes of its feed.
    Sync(usize, Vec<Change>),
    /// A client adds a place to the list.
    AddPlace,
    /// A version of which nothing is known, as an older worker raises it.
    RaiseVersion,
    /// A client sends every request, mostly after the process has read the releases.
    Requests { process: usize, coding: ContentCoding, is_followed: bool },
}

fn any_date() -> impl Strategy<Value = DateElement> {
    (1_u8..7, 0_u8..3, option::weighted(0.8, 0_u8..3), 1_u8..4, 0_u8..3)
        .prop_map(|(day, days, venue, price, capacity)| DateElement { day, days, venue, price, capacity })
}

fn any_show() -> impl Strategy<Value = ShowElement> {
    let dates = vec((0_u8..3, any_date()), 0..3).prop_map(BTreeMap::from_iter);
    (0_u8..3, prop::bool::weighted(0.8), vec(1_u8..4, 0..3), dates)
        .prop_map(|(title, is_online, performers, dates)| ShowElement { title, is_online, performers, dates })
}

fn any_change() -> impl Strategy<Value = Change> {
    let show = || 0_u8..4;
    prop_oneof![
        4 => (show(), option::weighted(0.8, any_show())).prop_map(|(id, element)| Change::Show(id, element)),
        4 => (show(), 0_u8..3, option::weighted(0.8, any_date())).prop_map(|(id, date, element)| Change::Date(id, date, element)),
        1 => (show(), 0_u8..3).prop_map(|(id, title)| Change::Title(id, title)),
        1 => show().prop_map(Change::Online),
        1 => (show(), 0_u8..3, 0_u8..3).prop_map(|(id, date, capacity)| Change::Capacity(id, date, capacity)),
        1 => (1_u8..4, 0_u8..2).prop_map(|(id, name)| Change::Performer(id, name)),
        1 => (0_u8..3, (0_u8..2, 0..CITIES.len())).prop_map(|(id, venue)| Change::Venue(id, venue)),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..PROVIDERS, vec(any_change(), 1..3)).prop_map(|(provider, changes)| Step::Sync(provider, changes)),
        1 => Just(Step::AddPlace),
        1 => Just(Step::RaiseVersion),
        6 => (0..PROCESSES, prop_oneof![Just(ContentCoding::Identity), Just(ContentCoding::Gzip)], prop::bool::weighted(0.8))
            .prop_map(|(process, coding, is_followed)| Step::Requests { process, coding, is_followed }),
    ]
}

impl Feed {
    fn apply(&mut self, change: Change) {
        match change {
            Change::Show(id, Some(show)) => {
                self.shows.insert(id, show);
            }
            Change::Show(id, None) => {
                self.shows.remove(&id);
            }
            Change::Performer(id, name) => {
                self.performer_names.insert(id, name);
            }
            Change::Venue(id, venue) => {
                self.venues.insert(id, venue);
            }
            Change::Date(id, ..) | Change::Title(id, _) | Change::Online(id) | Change::Capacity(id, ..) => {
                if let Some(show) = self.shows.get_mut(&id) {
                    show.apply(change);
                }
            }
        }
    }

    fn document(&self) -> String {
        let mut text = String::from("<eventList><output>");
        for (id, show) in &self.shows {
            let sell_mode = if show.is_online { "online" } else { "offline" };
            write!(text, "<base_event base_event_id='{id}' title='show {}' sell_mode='{sell_mode}'>", show.title).unwrap();
            for performer in &show.performers {
                let name = self.performer_names.get(performer).copied().unwrap_or_default();
                write!(text, "<performer performer_id='{performer}' name='The Band {performer} {name}'/>").unwrap();
            }
            for (date, DateElement { day, days, venue, price, capacity }) in &show.dates {
                let end = day + days;
                write!(
                    text,
                    "<event event_id='{date}' event_date='2030-01-0{day}T20:00:00' event_end_date='2030-01-0{end}T23:00:00'>"
                )
                .unwrap();
                if let Some(venue) = venue {
                    let (name, city) = self.venues.get(venue).copied().unwrap_or((0, usize::from(*venue)));
                    let (latitude, longitude) = CITIES[city];
                    write!(
                        text,
                        "<venue venue_id='{venue}' name='Hall {venue} {name}' latitude='{latitude}' longitude='{longitude}'/>"
                    )
                    .unwrap();
                }
                write!(text, "<zone zone_id='1' price='{price}0' capacity='{capacity}'/></event>").unwrap();
            }
            text.push_str("</base_event>");
        }
        // A comment, so that no document is recognized by its bytes.
        write!(text, "</output></eventList><!-- {} -->", Uuid::new_v4()).unwrap();
        text
    }
}

impl ShowElement {
    fn apply(&mut self, change: Change) {
        match change {
            Change::Date(_, date, Some(element)) => {
                self.dates.insert(date, element);
            }
            Change::Date(_, date, None) => {
                self.dates.remove(&date);
            }
            Change::Title(_, title) => self.title = title,
            Change::Online(_) => self.is_online = !self.is_online,
            Change::Capacity(_, date, capacity) => {
                if let Some(date) = self.dates.get_mut(&date) {
                    date.capacity = capacity;
                }
            }
            Change::Show(..) | Change::Performer(..) | Change::Venue(..) => {}
        }
    }
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
        match step {
            Step::Sync(provider, changes) => {
                changes.into_iter().for_each(|change| self.feeds[provider].apply(change));
                self.sync(provider).await;
            }
            Step::AddPlace => self.add_place().await,
            Step::RaiseVersion => catalogue_version::increment(&self.connection).await.unwrap(),
            Step::Requests { process, coding, is_followed } => {
                if is_followed {
                    self.processes[process].version.refresh().await.unwrap();
                }
                return self.send_requests(process, coding).await;
            }
        }
        self.record().await;
        Ok(())
    }

    async fn sync(&self, provider: usize) {
        let file = self.folder.path().join("feed.xml");
        fs::write(&file, self.feeds[provider].document()).unwrap();
        let entry = &self.entries[provider];
        let job = SyncJob::new(&entry.slug, Uuid::new_v4().to_string());
        let claim = job::queue::start(&self.connection, &job, "test", Duration::from_secs(600)).await.unwrap();
        sync::sync(&self.connection, entry, &FeedSource::File(file), &claim.unwrap()).await.unwrap();
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
    }

    async fn send_requests(&self, process: usize, coding: ContentCoding) -> Result<(), TestCaseError> {
        let state = &self.processes[process];
        for (number, query) in QUERIES.iter().enumerate() {
            let known = state.version.current().unwrap_or_default();
            let response = respond(state, query, coding).await;
            let body = content(&response);
            let mut possible = self.history.range(known..).map(|(_, responses)| &responses[number]);
            prop_assert!(
                response.freshness != Freshness::Fresh || possible.any(|possible| *possible == body),
                "{query} of {:?}, version {}, is not what version {known} or a later one contains: {body}",
                response.tier,
                response.body.version
            );
        }
        Ok(())
    }
}

async fn start_process(database: &TestDatabase, namespace: &str) -> State {
    let url = std::env::var("TEST_REDIS_URL").expect("TEST_REDIS_URL is not set: run `make test`, or set it to a Redis server");
    let settings = RedisSettings { redis_url: Some(url.parse().unwrap()), redis_ca_file: None };
    let redis = Redis::new(&settings, namespace).unwrap().unwrap();
    eventually("Redis is up", async || redis.is_up().then_some(())).await;
    let (reads, watch) = (database.connect(ConnectionRole::Api).await, database.connect(ConnectionRole::Watch).await);
    let state = State::new(reads, watch, CACHE_BYTES, None);
    let (version, availability, reader) = (state.version.clone(), state.availability.clone(), state.reader.clone());
    let cache = Cache::new(CACHE_BYTES, REVALIDATE_WITHIN, Some(redis), version, availability, reader);
    State { cache: Arc::new(cache), ..state }
}

async fn respond(state: &State, query: &str, coding: ContentCoding) -> CacheResponse {
    let (path, parameters) = query.split_once('?').unwrap_or((query, ""));
    let parameters = Parameters::parse(parameters);
    match path {
        "/search" => get(state, SearchQuery::parse(parameters), coding).await,
        "/concerts" => get(state, ConcertsQuery::parse(parameters), coding).await,
        "/performers" => get(state, PerformersQuery::parse(parameters), coding).await,
        "/venues" => get(state, VenuesQuery::parse(parameters), coding).await,
        "/places" => get(state, PlacesQuery::parse(parameters), coding).await,
        _ => panic!("{path} is not cached"),
    }
}

async fn get<Q: CachedQuery>(state: &State, query: Result<Q, ApiError>, coding: ContentCoding) -> CacheResponse {
    state.cache.get(&CacheRequest::new(query.unwrap(), coding)).await.unwrap()
}

/// The decoded body and the link to the next page.
fn content(response: &CacheResponse) -> String {
    let bytes = response.body.bytes();
    let mut text = String::new();
    match response.body.representation.coding {
        ContentCoding::Identity => text.push_str(std::str::from_utf8(bytes).unwrap()),
        _ => drop(GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap()),
    }
    text + &format!("{:?}", response.body.link)
}

fn entry(folder: &TempDir, number: usize) -> ProviderEntry {
    let file = folder.path().join("providers.toml");
    let text = format!(
        "[[provider]]\nslug = \"provider{number}\"\nurl = \"http://localhost/feed\"\nformat = \"event-list-xml\"\n\
         currency = \"EUR\"\nschedule = \"0 0 0 1 1 *\"\nallow_private_addresses = true\nmax_shrink_share = 1.0\n"
    );
    fs::write(&file, text).unwrap();
    read_providers(&file).unwrap().remove(0)
}

async fn responses_equal_the_catalogue_or_are_marked(database: Arc<TestDatabase>) {
    let is_postgres = database.settings.url.expose().starts_with("postgres");
    let backend = if is_postgres { Backend::Postgres } else { Backend::Sqlite };
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let run = |steps: Vec<Step>| {
        block_in_place(|| {
            Handle::current().block_on(async {
                let mut trial = Trial::start(backend).await;
                for step in steps {
                    trial.run(step).await?;
                }
                trial.connection.close().await.unwrap();
                trial.database.remove().await;
                Ok(())
            })
        })
    };
    TestRunner::new(config).run(&vec(any_step(), 10..40), run).unwrap();
}
