//! Marquee itself: APIs and workers on one database, with a simulated provider.

use std::net::SocketAddr;

use programs::{Failure, find_built_program};
use provider_sim::{SimCatalogue, SimProvider};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    process::Program,
    sandbox::{Sandbox, free_address},
};

/// The provider that is polled.
pub(crate) const POLLED: &str = "polled";
/// The provider that receives pushed feeds.
pub(crate) const PUSHED: &str = "pushed";
/// The places of all prices.
pub(crate) const ORIGIN: &str = "XXAAA";
pub(crate) const DESTINATION: &str = "XXBBB";

/// Percentage of the polled events that change between two polls, so that cached responses expire.
const CHURN: f64 = 5.0;
/// Short, so that the jobs of a killed worker are soon claimed by another one.
pub(crate) const LEASE_SECONDS: u32 = 5;

/// An API or a worker, and its address.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) program: Program,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) async fn start(&mut self) -> Result<(), Failure> {
        self.program.start(self.address).await
    }
}

/// The settings of the programs.
#[derive(Clone, Debug)]
pub(crate) struct DeploymentSettings {
    pub(crate) database_url: String,
    pub(crate) database_read_url: Option<String>,
    /// One API for each. An empty URL is none.
    pub(crate) redis_urls: Vec<String>,
    pub(crate) workers: usize,
    /// The feed of the polled provider; `None` for one that this process simulates.
    pub(crate) provider_url: Option<String>,
    /// More entries of `providers.toml`.
    pub(crate) more_providers: String,
    pub(crate) lease_seconds: u32,
    /// More variables of the first worker.
    pub(crate) first_worker_variables: Vec<(&'static str, String)>,
}

/// Running programs.
#[derive(Debug)]
pub(crate) struct Deployment {
    pub(crate) apis: Vec<Server>,
    pub(crate) workers: Vec<Server>,
    migrate: Program,
    _stop_provider_on_drop: Option<DropGuard>,
}

impl Deployment {
    /// Creates the schema, and starts the programs.
    pub(crate) async fn start(sandbox: &Sandbox, settings: &DeploymentSettings) -> Result<Self, Failure> {
        let (provider_url, stop_provider) = match &settings.provider_url {
            Some(url) => (url.clone(), None),
            None => {
                let catalogue = SimCatalogue { churn: CHURN, ..SimCatalogue::default() };
                start_provider(catalogue).await.map(|(url, stop)| (url, Some(stop)))?
            }
        };
        let providers = format_providers(&provider_url) + &settings.more_providers;
        let providers = sandbox.write("providers.toml", &providers)?;
        let database_url = &settings.database_url;
        let migrate =
            sandbox.program("migrate", find_built_program("marquee-migrate")?).args(["up"]).env("DATABASE_URL", database_url);
        migrate.run().await?;
        let (mut apis, mut workers) = (Vec::new(), Vec::new());
        for (index, redis_url) in settings.redis_urls.iter().enumerate() {
            let address = free_address()?;
            let program = sandbox
                .program(&format!("api-{}", index + 1), find_built_program("marquee-api")?)
                .env("API_LISTEN", &address)
                .env("DATABASE_URL", database_url)
                .env("DATABASE_READ_URL", settings.database_read_url.as_ref().unwrap_or(database_url))
                .env("REDIS_URL", redis_url);
            apis.push(Server { program, address });
        }
        for index in 0..settings.workers {
            let address = free_address()?;
            let more = if index == 0 { &settings.first_worker_variables[..] } else { &[] };
            let program = sandbox
                .program(&format!("worker-{}", index + 1), find_built_program("marquee-worker")?)
                .args(["run"])
                .env("METRICS_LISTEN", &address)
                .env("DATABASE_URL", database_url)
                .env("PROVIDERS_FILE", &providers.display())
                .env("JOB_LEASE_SECONDS", &settings.lease_seconds);
            let program = more.iter().fold(program, |program, (name, value)| program.env(name, value));
            workers.push(Server { program, address });
        }
        for server in apis.iter_mut().chain(&mut workers) {
            server.start().await?;
        }
        Ok(Self { apis, workers, migrate, _stop_provider_on_drop: stop_provider })
    }

    /// Creates the schema, if it is missing.
    pub(crate) async fn migrate(&self) -> Result<(), Failure> {
        self.migrate.run().await.map(drop)
    }
}

/// Starts a simulated provider, and returns the URL of its feed.
pub(crate) async fn start_provider(catalogue: SimCatalogue) -> Result<(String, DropGuard), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/feed", listener.local_addr()?);
    let stop = CancellationToken::new();
    tokio::spawn(provider_sim::serve(listener, SimProvider::new(catalogue), stop.clone()));
    Ok((url, stop.drop_guard()))
}

/// A provider that is polled, and one that receives pushed feeds.
fn format_providers(url: &str) -> String {
    format_provider(POLLED, url, "*/2 * * * * *") + &format_provider(PUSHED, "http://127.0.0.1:1/", "0 0 0 1 1 *")
}

/// An entry of `providers.toml`.
pub(crate) fn format_provider(slug: &str, url: &str, schedule: &str) -> String {
    format!(
        "[[provider]]\nslug = \"{slug}\"\nurl = \"{url}\"\nformat = \"event-list-xml\"\nschedule = \"{schedule}\"\n\
         currency = \"EUR\"\nallow_private_addresses = true\n\n"
    )
}
