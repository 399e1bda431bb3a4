//! An answer on its way to a client, with what the client is to know of where it comes from.

use std::{sync::Arc, time::Duration};

use poem::{
    Response,
    http::{HeaderMap, HeaderName, HeaderValue, header},
};

use super::Answer;
use crate::response::{Asker, CACHE_CONTROL, VARY};

/// [RFC 9211](https://www.rfc-editor.org/rfc/rfc9211): which caches had it, the one nearest to the database first.
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
/// What an answer has of headers, at most, with those that are added on the way.
const HEADERS: usize = 16;

/// Who had the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// This process.
    Process,
    /// Redis.
    Redis,
    /// Only the database.
    Database,
}

/// What an answer is worth now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is no newer version, as far as is known.
    Fresh,
    /// There is a newer version for so long, and its answer is being fetched.
    Revalidating(Duration),
    /// Whether there is a newer version cannot be known: the database has been silent for so long.
    DatabaseAway(Duration),
    /// There is a newer version for so long: to be given only by one who has asked for the newer and could not have it.
    Outdated(Duration),
}

/// An answer, and how it was found.
#[derive(Clone, Debug)]
pub struct Served {
    /// The answer.
    pub answer: Arc<Answer>,
    /// Who had it.
    pub source: Source,
    /// What it is worth.
    pub standing: Standing,
    /// Whether another request had asked for it before, and this one waited with it.
    pub is_collapsed: bool,
    /// Whether there is a Redis that could have had it.
    pub has_redis: bool,
}

impl Served {
    /// The response for whoever asked.
    pub(crate) fn respond(self, asker: &Asker<'_>) -> Response {
        let mut headers = HeaderMap::with_capacity(HEADERS);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, CACHE_CONTROL);
        headers.insert(header::VARY, VARY);
        headers.insert(CACHE_STATUS, HeaderValue::from_static(self.cache_status()));
        headers.insert(header::ETAG, self.answer.etag.clone());
        if let Some(coding) = self.answer.coding.header() {
            headers.insert(header::CONTENT_ENCODING, coding);
        }
        if let Some(link) = &self.answer.link {
            headers.insert(header::LINK, link.clone());
        }
        let age = match self.standing {
            Standing::Fresh => HeaderValue::from_static("0"),
            Standing::Revalidating(stale) | Standing::Outdated(stale) => {
                headers.insert(header::WARNING, HeaderValue::from_static("110 - \"Response is Stale\""));
                stale.as_secs().into()
            }
            Standing::DatabaseAway(silence) => {
                headers.insert(header::WARNING, HeaderValue::from_static("111 - \"Revalidation Failed\""));
                silence.as_secs().into()
            }
        };
        headers.insert(header::AGE, age);
        asker.respond(headers, self.answer.body.clone())
    }

    fn cache_status(&self) -> &'static str {
        match (self.source, self.standing, self.is_collapsed, self.has_redis) {
            (Source::Process, Standing::Fresh, ..) => "marquee-process; hit",
            (Source::Process, Standing::DatabaseAway(_), ..) => "marquee-process; hit; detail=DATABASE_AWAY",
            (Source::Process, ..) => "marquee-process; hit; detail=REVALIDATING",
            (Source::Redis, _, false, _) => "marquee-redis; hit, marquee-process; fwd=miss; stored",
            (Source::Redis, _, true, _) => "marquee-redis; hit, marquee-process; fwd=miss; collapsed",
            (Source::Database, _, false, true) => "marquee-redis; fwd=miss; stored, marquee-process; fwd=miss; stored",
            (Source::Database, _, true, true) => "marquee-redis; fwd=miss, marquee-process; fwd=miss; collapsed",
            (Source::Database, _, false, false) => "marquee-process; fwd=miss; stored",
            (Source::Database, _, true, false) => "marquee-process; fwd=miss; collapsed",
        }
    }
}
