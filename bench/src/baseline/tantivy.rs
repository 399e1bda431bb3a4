//! Baseline of searches for words: a hyper server over an index of `tantivy` with the documents and words of `show_text`.
//!
//! It requires all words, the last one as a prefix. It leaves out events that ended, left their feed or were cancelled, sorts by start, and
//! returns a page of stored JSON of a similar length. The catalogue must have one event for each document. It has no other filters, orders
//! or pages, does not validate requests or correct typos, sends no validators, and does not see changes of the catalogue.

use std::{
    convert::Infallible,
    fmt::Write,
    net::SocketAddr,
    ops::Bound,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use entity::words::split_query;
use futures_util::TryStreamExt;
use hyper::{Request, Response, StatusCode, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use reqwest::Url;
use sqlx::{PgPool, Row};
use tantivy::{
    Index, IndexReader, IndexWriter, Order, TantivyDocument, Term,
    collector::{FilterCollector, TopDocs},
    query::{BooleanQuery, InvertedIndexRangeQuery, Query, TermQuery},
    schema::{FAST, Field, INDEXED, IndexRecordOption, STORED, Schema, TextFieldIndexing, TextOptions, Value},
};
use tokio::net::TcpListener;

use crate::Failure;

const STARTS_AT: &str = "starts_at";
const ENDS_AT: &str = "ends_at";
/// What the writer buffers before it writes a segment.
const WRITER_BYTES: usize = 256 * 1024 * 1024;

/// Each document with its event.
const DOCUMENTS: &str = "SELECT array_to_string(tsvector_to_array(show_text.words), ' '), listing.starts_at, listing.ends_at, \
    listing.upcoming AND listing.status <> 'cancelled', CAST(json_build_object('id', event.id, 'base_event_id', event.base_event_id, \
    'title', base_event.title, 'name', event.name, 'category', listing.category, 'description', base_event.description, \
    'url', base_event.url, 'image_url', base_event.image_url, 'organizer', base_event.organizer_name, 'status', event.status, \
    'local_start', event.local_start, 'local_end', event.local_end, 'starts_at', to_timestamp(event.starts_at / 1000000), \
    'ends_at', to_timestamp(event.ends_at / 1000000), 'sell_from', event.sell_from, 'sell_to', event.sell_to, \
    'sold_out', event.sold_out, 'min_price', event.min_price, 'max_price', event.max_price, 'currency', listing.currency, \
    'first_seen_at', event.first_seen_at, 'updated_at', listing.updated_at, \
    'provider', json_build_object('slug', provider.slug, 'name', provider.name, 'attribution', provider.attribution), \
    'venue', json_build_object('id', venue.id, 'name', venue.name, 'latitude', venue.latitude, 'longitude', venue.longitude, \
    'address', venue.address, 'city', venue.city, 'country', venue.country), \
    'performers', (SELECT json_agg(json_build_object('id', performer.id, 'name', performer.name) ORDER BY event_performer.position) \
    FROM event_performer JOIN performer ON performer.id = event_performer.performer_id WHERE event_performer.event_id = event.id)) AS TEXT) \
    FROM show_text JOIN listing ON listing.show_text_id = show_text.id JOIN event ON event.id = listing.event_id \
    JOIN base_event ON base_event.id = listing.base_event_id JOIN provider ON provider.id = listing.provider_id \
    LEFT JOIN venue ON venue.id = listing.venue_id";

/// A server that runs until the runtime stops.
#[derive(Clone, Debug)]
pub(crate) struct WordServer {
    address: SocketAddr,
}

impl WordServer {
    /// Indexes the documents of a database, and serves pages of this many events.
    pub(crate) async fn start(database_url: &str, rows: usize) -> Result<Self, Failure> {
        let words = Arc::new(WordIndex::fill(database_url).await?);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(accept(listener, words, rows));
        Ok(Self { address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn accept(listener: TcpListener, words: Arc<WordIndex>, rows: usize) {
    while let Ok((stream, _)) = listener.accept().await {
        let words = words.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| std::future::ready(words.respond(&request, rows)));
            // A closed connection is reported by the client.
            let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// The index, in mapped files of a temporary folder.
struct WordIndex {
    reader: IndexReader,
    fields: Fields,
}

#[derive(Clone, Copy)]
struct Fields {
    words: Field,
    /// Whether the event is found by default until it ends.
    is_found: Field,
    starts_at: Field,
    ends_at: Field,
    event: Field,
}

impl WordIndex {
    async fn fill(database_url: &str) -> Result<Self, Failure> {
        let mut schema = Schema::builder();
        let split = TextFieldIndexing::default().set_tokenizer("whitespace").set_fieldnorms(false);
        let split = split.set_index_option(IndexRecordOption::Basic);
        let fields = Fields {
            words: schema.add_text_field("words", TextOptions::default().set_indexing_options(split)),
            is_found: schema.add_bool_field("is_found", INDEXED),
            starts_at: schema.add_i64_field(STARTS_AT, FAST),
            ends_at: schema.add_i64_field(ENDS_AT, FAST),
            event: schema.add_text_field("event", STORED),
        };
        let index = Index::create_from_tempdir(schema.build())?;
        let mut writer: IndexWriter = index.writer_with_num_threads(2, WRITER_BYTES)?;
        let pool = PgPool::connect(database_url).await?;
        let mut rows = sqlx::query(DOCUMENTS).fetch(&pool);
        let mut count = 0;
        while let Some(row) = rows.try_next().await? {
            let mut document = TantivyDocument::new();
            document.add_text(fields.words, row.try_get::<&str, _>(0)?);
            document.add_i64(fields.starts_at, row.try_get(1)?);
            document.add_i64(fields.ends_at, row.try_get(2)?);
            document.add_bool(fields.is_found, row.try_get(3)?);
            document.add_text(fields.event, row.try_get::<&str, _>(4)?);
            writer.add_document(document)?;
            count += 1;
        }
        drop(rows);
        let (documents,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM show_text").fetch_one(&pool).await?;
        pool.close().await;
        if count != documents {
            return Err(format!("{documents} documents have {count} events").into());
        }
        writer.commit()?;
        // One segment is searched fastest.
        writer.merge(&index.searchable_segment_ids()?).await?;
        writer.wait_merging_threads()?;
        Ok(Self { reader: index.reader()?, fields })
    }

    fn respond(&self, request: &Request<Incoming>, rows: usize) -> Result<Response<String>, Infallible> {
        let failed = |failure: Failure| {
            let mut response = Response::new(failure.to_string());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        };
        Ok(self.respond_with_events(request, rows).unwrap_or_else(failed))
    }

    fn respond_with_events(&self, request: &Request<Incoming>, rows: usize) -> Result<Response<String>, Failure> {
        let url = Url::parse("http://localhost")?.join(&request.uri().to_string())?;
        let text = url.query_pairs().find_map(|(name, value)| (name == "q").then_some(value)).ok_or("the request has no q")?;
        let mut events = self.find(&text, rows + 1)?;
        let has_next = events.len() > rows;
        events.truncate(rows);
        let mut body = String::with_capacity(64 + events.iter().map(|event| event.len() + 1).sum::<usize>());
        // Writing to a String cannot fail.
        let _written = write!(body, r#"{{"data":{{"events":[{}]}},"meta":{{"has_next":{has_next}}}}}"#, events.join(","));
        Ok(Response::builder().header("content-type", "application/json; charset=utf-8").body(body)?)
    }

    /// The first events with these words.
    fn find(&self, text: &str, rows: usize) -> Result<Vec<String>, Failure> {
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros())?;
        let first = TopDocs::with_limit(rows).order_by_fast_field::<i64>(STARTS_AT, Order::Asc);
        let first = FilterCollector::new(ENDS_AT.to_owned(), move |ends_at: i64| ends_at > now, first);
        let searcher = self.reader.searcher();
        let found = searcher.search(&self.query(text), &first)?;
        let events = found.into_iter().map(|(_, document)| {
            let document: TantivyDocument = searcher.doc(document)?;
            let event = document.get_first(self.fields.event).and_then(|event| event.as_str().map(str::to_owned));
            event.ok_or_else(|| Failure::from("the document has no event"))
        });
        events.collect()
    }

    fn query(&self, text: &str) -> BooleanQuery {
        let of_word = |word: &str| Term::from_field_text(self.fields.words, word);
        let equal = |term| -> Box<dyn Query> { Box::new(TermQuery::new(term, IndexRecordOption::Basic)) };
        let mut queries = vec![equal(Term::from_field_bool(self.fields.is_found, true))];
        queries.extend(split_query(text).into_iter().map(|term| -> Box<dyn Query> {
            let first = of_word(&term.word);
            if !term.is_prefix {
                return equal(first);
            }
            let after = of_word(&format!("{}{}", term.word, char::MAX));
            Box::new(InvertedIndexRangeQuery::new(Bound::Included(first), Bound::Excluded(after)))
        }));
        BooleanQuery::intersection(queries)
    }
}
