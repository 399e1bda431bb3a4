//! Answers that are kept as they are sent, in two tiers before the database: in the process, and in Redis for all processes.
//!
//! What is kept is true for one version of the catalogue. In the process a key holds one answer, the newest; in Redis the version is a
//! part of the key. An answer is given while no newer version is known, or, marked, for a moment while the newer one is fetched, or
//! while the database is away. The cache knows nothing of searches: it keeps the answers to [`Question`]s.

mod answer;
mod asked;
mod flights;
mod key;
pub mod redis;
mod served;
mod settings;
mod tally;
pub mod version;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use metrics::gauge;
use poem::http::HeaderValue;

pub use self::{
    answer::Answer,
    asked::Asked,
    redis::{Redis, RedisError, describe_metrics},
    served::{Served, Source, Standing},
    settings::CacheSettings,
};
use self::{
    flights::{Flight, Flights},
    tally::Tally,
};
use crate::{
    cache::version::{Catalogue, Known},
    database::reader::Reader,
    error::ApiError,
    response::{Coding, encode},
};

/// For how long after a new version became known an answer of the one before may still be given, while the new one is fetched: so a
/// sync makes nobody wait. Asked for later, it is fetched before it is given.
const REVALIDATE_WITHIN: Duration = Duration::from_secs(2);

/// Something that can be asked of the catalogue, whose answer changes with the version alone.
pub trait Question: Clone + Send + Sync + 'static {
    /// Whether an answer of the version before may be given for a moment while the new one is fetched. Not where clients write what they
    /// ask for, because they would not find it.
    const MAY_LAG: bool = true;

    /// What is asked, in one form for all who ask the same.
    fn key(&self) -> String;

    /// Asks the database.
    fn find(self, reader: Arc<Reader>) -> impl Future<Output = Result<Found, ApiError>> + Send;
}

/// What the database says to a question.
#[derive(Debug)]
pub struct Found {
    /// The version of the snapshot that was read; none if nothing was found and it is not known.
    pub snapshot: Option<(i64, entity::UtcInstant)>,
    /// The encoded answer.
    pub body: Vec<u8>,
    /// The value of its `Link` header.
    pub link: Option<HeaderValue>,
}

impl Found {
    /// A page of this snapshot; `link` is the value of its `Link` header.
    #[must_use]
    pub fn page(snapshot: Option<(i64, entity::UtcInstant)>, body: Vec<u8>, link: Option<String>) -> Self {
        Self { snapshot, body, link: link.and_then(|link| link.try_into().ok()) }
    }
}

/// The tiers together.
#[derive(Debug)]
pub struct Cache {
    process: moka::sync::Cache<String, Arc<Answer>>,
    redis: Option<Redis>,
    flights: Arc<Flights>,
    catalogue: Arc<Catalogue>,
    reader: Arc<Reader>,
    tally: Tally,
}

impl Cache {
    /// An empty one of this many bytes; with 0 nothing is kept in the process.
    #[must_use]
    pub fn new(process_bytes: u64, redis: Option<Redis>, catalogue: Arc<Catalogue>, reader: Arc<Reader>) -> Self {
        let process = moka::sync::Cache::builder()
            .max_capacity(process_bytes)
            .weigher(|key: &String, answer: &Arc<Answer>| answer.weight(key))
            .build();
        Self { process, redis, flights: Arc::default(), catalogue, reader, tally: Tally::new() }
    }

    /// Whether Redis answers, if there is one.
    #[must_use]
    pub fn is_redis_up(&self) -> Option<bool> {
        self.redis.as_ref().map(Redis::is_up)
    }

    /// The answer if the process has it and may give it.
    #[must_use]
    pub fn at_once<Q: Question>(self: &Arc<Self>, asked: &Asked<Q>) -> Option<Served> {
        let answer = self.process.get(&asked.key)?;
        match self.standing(&answer) {
            Standing::Outdated(_) => None,
            Standing::Revalidating(_) if !Q::MAY_LAG => None,
            standing => {
                if matches!(standing, Standing::Revalidating(_)) {
                    let _lands_by_itself = self.fly(asked);
                }
                Some(self.served(answer, Source::Process, standing, false))
            }
        }
    }

    /// The refusal of what the process does not have, while nobody else could answer it: so many wait for the database that one more
    /// would be refused there, and there is no Redis to ask before.
    pub(crate) fn refusal(&self) -> Option<ApiError> {
        let is_hopeless = self.reader.is_full() && !self.is_redis_up().unwrap_or_default();
        is_hopeless.then(|| self.reader.shed())
    }

    /// The answer from whichever tier has it.
    ///
    /// # Errors
    ///
    /// When none has it and the database does not give it.
    pub async fn answer<Q: Question>(self: &Arc<Self>, asked: &Asked<Q>) -> Result<Served, ApiError> {
        if let Some(served) = self.at_once(asked) {
            return Ok(served);
        }
        let (flight, is_new) = self.fly(asked);
        match flight.await {
            Ok((answer, source)) => {
                // Outdated if it comes from a replica that lags behind the one that told of the version: the headers say so.
                let standing = self.standing(&answer);
                Ok(self.served(answer, source, standing, !is_new))
            }
            Err(error) => {
                // Better an old answer, and said so, than none.
                let kept = self.process.get(&asked.key).filter(|_| error.is_database_unavailable());
                let away = Standing::DatabaseAway(self.catalogue.silence());
                kept.map(|answer| self.served(answer, Source::Process, away, false)).ok_or(ApiError::Shared(error))
            }
        }
    }

    /// Tells the metrics how much is kept.
    pub fn measure(&self) {
        // What came since is in no sum yet.
        self.process.run_pending_tasks();
        gauge!("marquee_cache_bytes").set(self.process.weighted_size() as f64);
        gauge!("marquee_cache_entries").set(self.process.entry_count() as f64);
    }

    fn served(&self, answer: Arc<Answer>, source: Source, standing: Standing, is_collapsed: bool) -> Served {
        let served = Served { answer, source, standing, is_collapsed, has_redis: self.redis.is_some() };
        self.tally.answered(&served);
        served
    }

    fn standing(&self, answer: &Answer) -> Standing {
        if self.catalogue.is_away() {
            return Standing::DatabaseAway(self.catalogue.silence());
        }
        match self.catalogue.version() {
            Some(version) if answer.version < version => {
                let stale = self.catalogue.known().map_or(Duration::ZERO, |known| known.since.elapsed());
                if stale < REVALIDATE_WITHIN { Standing::Revalidating(stale) } else { Standing::Outdated(stale) }
            }
            // Of a database before it was restored from a backup.
            Some(version) if answer.version > version => Standing::Outdated(Duration::ZERO),
            _ => Standing::Fresh,
        }
    }

    /// Fetches the answer for the version that is known now. Whoever knows of a newer one does not board the same flight.
    fn fly<Q: Question>(self: &Arc<Self>, asked: &Asked<Q>) -> (Flight, bool) {
        let known = self.catalogue.known();
        let flight_key = format!("{} {}", known.map_or(-1, |known| known.version), asked.key);
        self.flights.board(flight_key, || self.clone().fetch(asked.clone(), known))
    }

    async fn fetch<Q: Question>(
        self: Arc<Self>,
        asked: Asked<Q>,
        known: Option<Known>,
    ) -> Result<(Arc<Answer>, Source), ApiError> {
        if let Some(answer) = self.shared(&asked.key, asked.coding, known).await {
            self.tally.landed_from_redis();
            return Ok((self.keep(asked.key, answer), Source::Redis));
        }
        if asked.coding != Coding::Identity {
            // Boxed, for its type would hold itself.
            let plain = Box::pin(self.answer(&asked.plain())).await?;
            let body = encode(plain.answer.body.clone(), asked.coding).await?;
            let answer = plain.answer.in_coding(asked.coding, body);
            self.share(&asked.key, &answer, self.catalogue.known());
            return Ok((self.keep(asked.key, answer), plain.source));
        }
        let Found { snapshot, body, link } = asked.question.find(self.reader.clone()).await?;
        self.tally.landed_from_database();
        if let Some((version, raised_at)) = snapshot {
            self.catalogue.acknowledge(version, raised_at);
        }
        // Known before the database was asked: what was found cannot be older than it is said to be.
        let version = snapshot.map(|(version, _)| version).or(known.map(|known| known.version)).unwrap_or_default();
        let answer = Answer::new(version, Bytes::from(body), link);
        self.share(&asked.key, &answer, self.catalogue.known());
        Ok((self.keep(asked.key, answer), Source::Database))
    }

    async fn shared(&self, key: &str, coding: Coding, known: Option<Known>) -> Option<Answer> {
        let (redis, known) = (self.redis.as_ref()?, known?);
        let bytes = redis.get(&key::shared(known.version, known.raised_at, key)).await?;
        Answer::from_bytes(&bytes, known.version, coding)
    }

    fn share(&self, key: &str, answer: &Answer, known: Option<Known>) {
        if let (Some(redis), Some(known)) = (&self.redis, known)
            && known.version == answer.version
            && let Some(bytes) = answer.to_bytes()
        {
            redis.put(key::shared(known.version, known.raised_at, key), bytes);
        }
    }

    /// Keeps an answer in the process, unless a newer one is there. What is newer than all that is known comes from before a restore.
    fn keep(&self, key: String, answer: Answer) -> Arc<Answer> {
        let answer = Arc::new(answer);
        if self.process.policy().max_capacity() == Some(0) {
            // It would stay until the next one comes.
            return answer;
        }
        let newest = self.catalogue.version().unwrap_or(i64::MAX);
        self.process.entry(key).and_upsert_with(|kept| match kept {
            Some(kept) if (answer.version + 1..=newest).contains(&kept.value().version) => kept.into_value(),
            _ => answer.clone(),
        });
        answer
    }
}
