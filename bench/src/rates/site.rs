//! A database with places but without prices, and an API on it.

use std::time::{Duration, Instant};

use bytes::Bytes;
use migration::testing::{Backend, TestDatabase};
use reqwest::{Client, Method, StatusCode, header};
use serde::Deserialize;

use super::prices;
use crate::{
    Failure,
    search::programs::{ApiServer, ApiSettings},
};

pub(super) struct RatesSite {
    pub(super) database: TestDatabase,
    pub(super) api: ApiServer,
    client: Client,
}

/// A day of a response.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(super) struct RateDay {
    pub(super) count: u64,
    pub(super) day: String,
    pub(super) price: Option<f64>,
}

#[derive(Deserialize)]
struct RatesResponse {
    rates: Vec<RateDay>,
}

impl RatesSite {
    pub(super) async fn new(backend: Backend, change: impl FnOnce(&mut ApiSettings)) -> Result<Self, Failure> {
        let database = TestDatabase::migrated(backend).await;
        let mut settings = ApiSettings::on(database.settings.url.expose());
        change(&mut settings);
        // One connection per request, so that no pooled connection is closed.
        let client = Client::builder().no_proxy().pool_max_idle_per_host(0).build()?;
        let site = Self { api: ApiServer::start(&settings).await?, database, client };
        site.send(Method::PUT, "/places", "application/json", prices::places(), StatusCode::OK).await?;
        Ok(site)
    }

    /// Imports a batch; returns the time from its first byte to the response.
    pub(super) async fn post(&self, csv: &Bytes) -> Result<Duration, Failure> {
        let started = Instant::now();
        self.send(Method::POST, "/rates/batches", "text/csv", csv.clone(), StatusCode::CREATED).await?;
        Ok(started.elapsed())
    }

    async fn send(&self, method: Method, path: &str, kind: &str, body: Bytes, expected: StatusCode) -> Result<(), Failure> {
        let request = self.client.request(method, self.url(path)).header(header::CONTENT_TYPE, kind);
        let answer = request.body(body).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if status == expected { Ok(()) } else { Err(format!("the status of {path} is {status}: {text}").into()) }
    }

    pub(super) async fn rates(&self, path: &str) -> Result<Vec<RateDay>, Failure> {
        let answer = self.client.get(self.url(path)).send().await?.error_for_status()?;
        Ok(serde_json::from_slice::<RatesResponse>(&answer.bytes().await?)?.rates)
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.api.address)
    }

    pub(super) async fn remove(self) {
        drop(self.api);
        self.database.remove().await;
    }
}
