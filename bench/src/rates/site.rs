//! A database of its own with an API on it, which knows the places and no price.

use std::time::{Duration, Instant};

use bytes::Bytes;
use migration::testing::{Backend, TestDatabase};
use reqwest::{Client, Method, StatusCode, header};
use serde::Deserialize;

use super::prices;
use crate::{
    Failure,
    search::programs::{Api, ApiSettings},
};

pub(super) struct Site {
    pub(super) database: TestDatabase,
    pub(super) api: Api,
    client: Client,
}

/// A day of an answer.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(super) struct Rate {
    pub(super) count: u64,
    pub(super) day: String,
    pub(super) price: Option<f64>,
}

#[derive(Deserialize)]
struct Answer {
    rates: Vec<Rate>,
}

impl Site {
    pub(super) async fn new(backend: Backend, change: impl FnOnce(&mut ApiSettings)) -> Result<Self, Failure> {
        let database = TestDatabase::migrated(backend).await;
        let mut settings = ApiSettings::on(database.settings.url.expose());
        change(&mut settings);
        // A connection for each request: none is found closed when it is wanted.
        let client = Client::builder().no_proxy().pool_max_idle_per_host(0).build()?;
        let site = Self { api: Api::start(&settings).await?, database, client };
        site.send(Method::PUT, "/places", "application/json", prices::places(), StatusCode::OK).await?;
        Ok(site)
    }

    /// Brings a batch in; how long it takes from the first byte sent to the answer.
    pub(super) async fn post(&self, csv: &Bytes) -> Result<Duration, Failure> {
        let begun = Instant::now();
        self.send(Method::POST, "/rates/batches", "text/csv", csv.clone(), StatusCode::CREATED).await?;
        Ok(begun.elapsed())
    }

    async fn send(&self, method: Method, path: &str, kind: &str, body: Bytes, wanted: StatusCode) -> Result<(), Failure> {
        let request = self.client.request(method, self.url(path)).header(header::CONTENT_TYPE, kind);
        let answer = request.body(body).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if status == wanted { Ok(()) } else { Err(format!("{path} answers {status}: {text}").into()) }
    }

    pub(super) async fn rates(&self, path: &str) -> Result<Vec<Rate>, Failure> {
        let answer = self.client.get(self.url(path)).send().await?.error_for_status()?;
        Ok(serde_json::from_slice::<Answer>(&answer.bytes().await?)?.rates)
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.api.address)
    }

    pub(super) async fn remove(self) {
        drop(self.api);
        self.database.remove().await;
    }
}
