//! Two words, in a catalogue with a document for each event: compared with the bare SQL, and with an index of `tantivy`.

use std::{net::SocketAddr, time::Duration};

use entity::{show_text, words::split_query};
use migration::testing::{
    Backend, TestDatabase,
    event_catalogue::{CITIES, EventCatalogue},
};
use sea_orm::DbBackend;

use super::{CONNECTIONS, FindSide, ROWS, WARM_SECONDS, count, ids};
use crate::{
    Failure,
    baseline::{
        find::{BareQuery, BareValue},
        select::Select,
        tantivy::WordServer,
    },
    load::LoadSettings,
    samples::Samples,
    search::programs::ApiServer,
    settings::FindSettings,
    table::{Table, progress},
};

/// Events of a base event, each at another venue.
const EVENTS_PER_BASE_EVENT: u64 = 4;
/// Maximum ratios of the p99 to the p99 of `tantivy`, and of the bare SQL.
const OF_TANTIVY: f64 = 2.0;
const OF_QUERY: f64 = 1.5;
/// Queries for which both servers must find the same events.
const COMPARED: u64 = 100;

/// Two words. The second one is a number, which is a prefix of other numbers.
struct Pair {
    name: &'static str,
    first: &'static str,
    numbers: fn(&EventCatalogue) -> u64,
}

const PAIRS: [Pair; 2] = [
    // All documents have the first word. The second one selects a ninth of them if it is one digit, or one of some thousands.
    Pair { name: "the name of a venue", first: "hall", numbers: EventCatalogue::venue_count },
    // A tenth of the documents have the first word.
    Pair { name: "a category and the number of a city", first: "jazz", numbers: |_| CITIES },
];

impl Pair {
    fn text(&self, catalogue: &EventCatalogue, number: u64) -> String {
        // Adjacent numbers have similar frequencies.
        let (count, step) = ((self.numbers)(catalogue), 7_919);
        format!("{} {}", self.first, number * step % count)
    }

    fn path(&self, catalogue: &EventCatalogue, number: u64) -> String {
        format!("/events?limit={ROWS}&q={}", self.text(catalogue, number).replace(' ', "%20"))
    }

    fn bare_query(&self, catalogue: &EventCatalogue, number: u64) -> BareQuery {
        let terms = split_query(&self.text(catalogue, number));
        let mut query = BareQuery::default();
        query.and(
            "listing.show_text_id IN (SELECT id FROM show_text WHERE words @@ CAST(? AS tsquery))",
            [BareValue::Text(show_text::match_text(DbBackend::Postgres, &terms))],
        );
        query
    }
}

/// The times of one server, or of the bare SQL.
#[derive(Default)]
struct Times {
    p50: Samples,
    p99: Samples,
}

impl Times {
    fn push(&mut self, (p50, p99): (Duration, Duration)) {
        self.p50.push(p50);
        self.p99.push(p99);
    }
}

/// The catalogue and what is compared on it.
struct Contest<'a> {
    side: FindSide<'a>,
    api: ApiServer,
    tantivy: Option<WordServer>,
    select: Select<BareQuery>,
}

pub(super) async fn measure(settings: &FindSettings, table: &mut Table) -> Result<(), Failure> {
    let database = TestDatabase::migrated(Backend::Postgres).await;
    let outcome = on(&database, settings, table).await;
    database.remove().await;
    outcome
}

async fn on(database: &TestDatabase, settings: &FindSettings, table: &mut Table) -> Result<(), Failure> {
    let side = FindSide::fill(database, settings.base_events * EVENTS_PER_BASE_EVENT).await?;
    let url = database.settings.url.expose();
    progress("writing the index of tantivy");
    let tantivy = match WordServer::start(url, ROWS as usize).await {
        Ok(server) => Some(server),
        Err(failure) => {
            table.failed("two words; baseline: a hyper server over tantivy", failure);
            None
        }
    };
    let (api, select) = (side.start_api().await?, Select::for_bare(url, ROWS.cast_signed()).await?);
    let contest = Contest { side, api, tantivy, select };
    for pair in &PAIRS {
        contest.compare(pair, settings, table).await?;
    }
    contest.select.close().await;
    Ok(())
}

impl Contest<'_> {
    async fn compare(&self, pair: &Pair, settings: &FindSettings, table: &mut Table) -> Result<(), Failure> {
        self.compare_events(pair).await?;
        let [mut marquee, mut of_tantivy, mut bare] = [(); 3].map(|()| Times::default());
        for round in 0..=settings.rounds {
            progress(format_args!("two words, {}, round {round} of {}", pair.name, settings.rounds));
            let seconds = if round == 0 { WARM_SECONDS } else { settings.turn_seconds() };
            let of_api = self.load(pair, self.api.address, seconds).await?;
            let of_query = self.query(pair, seconds).await?;
            if round > 0 {
                marquee.push(of_api);
                bare.push(of_query);
            }
            if let Some(tantivy) = &self.tantivy {
                let times = self.load(pair, tantivy.address(), seconds).await?;
                if round > 0 {
                    of_tantivy.push(times);
                }
            }
        }
        let name = format!("two words, {}, {} base events", pair.name, settings.base_events);
        table.comparison(&format!("{name}, p50; baseline: the bare SQL"), &marquee.p50, &bare.p50);
        table.ratio(&format!("{name}, p99; baseline: the bare SQL"), &marquee.p99, &bare.p99, OF_QUERY);
        if self.tantivy.is_some() {
            table.comparison(&format!("{name}, p50; baseline: a hyper server over tantivy"), &marquee.p50, &of_tantivy.p50);
            table.ratio(
                &format!("{name}, p99; baseline: a hyper server over tantivy"),
                &marquee.p99,
                &of_tantivy.p99,
                OF_TANTIVY,
            );
        }
        Ok(())
    }

    /// Fails if the servers find other events.
    async fn compare_events(&self, pair: &Pair) -> Result<(), Failure> {
        let Some(tantivy) = &self.tantivy else { return Ok(()) };
        for number in 0..COMPARED {
            let path = pair.path(&self.side.catalogue, number);
            let (body, _) = self.api.get(&path).await?;
            let response = reqwest::get(format!("http://{}{path}", tantivy.address())).await?.error_for_status()?;
            let (ours, theirs) = (ids(&body)?, ids(&response.bytes().await?)?);
            if ours.is_empty() || ours != theirs {
                return Err(format!("{path}: the API found {ours:?}, and tantivy {theirs:?}").into());
            }
        }
        Ok(())
    }

    /// The median and the 99th percentile of a server.
    async fn load(&self, pair: &Pair, address: SocketAddr, seconds: f64) -> Result<(Duration, Duration), Failure> {
        let paths: Vec<String> = (0..count(seconds)).map(|number| pair.path(&self.side.catalogue, number)).collect();
        let report = LoadSettings::closed(address, CONNECTIONS, seconds).run(&paths).await?;
        if report.errors() > 0 {
            return Err(format!("requests failed: {}", report.counts()).into());
        }
        Ok((report.all.p50(), report.all.p99()))
    }

    async fn query(&self, pair: &Pair, seconds: f64) -> Result<(Duration, Duration), Failure> {
        let queries = (0..count(seconds)).map(|number| pair.bare_query(&self.side.catalogue, number)).collect();
        let times = self.select.times(queries, CONNECTIONS, seconds).await?;
        let of = |share: f64| times.quantile(share).map(Duration::from_secs_f64).ok_or("no query was executed");
        Ok((of(0.5)?, of(0.99)?))
    }
}
