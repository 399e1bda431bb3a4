//! Loads pictures of events from the hosts of providers and sellers, within limits. The responses are untrusted.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use ipnet::IpNet;
use metrics::counter;
use moka::{Expiry, future::Cache};
use outbound::{AllowedAddresses, BoxedCause, ClientTimeouts, OutboundClient, RequestError, Url};
use tokio::{
    sync::{AcquireError, Semaphore},
    time::timeout,
};

use super::picture_type::find_media_type;
use crate::{cache::LargeBodies, error::ApiError};

/// Pictures that are loaded at the same time: those of a page, which need little memory.
const LOADS: usize = 16;
/// Those of one host: a slow one must not occupy all of them.
const LOADS_PER_HOST: usize = 4;
/// Memory for pictures that were loaded: some hundred.
const CACHE_BYTES: u64 = 32 * 1024 * 1024;
/// How long a picture is stored: a changed picture is visible within an hour.
const PICTURE_LIFETIME: Duration = Duration::from_hours(1);
/// How long a failure is remembered, so that the readers of a page are not as many requests to a server that fails.
const FAILURE_LIFETIME: Duration = Duration::from_mins(1);
/// How long a connection waits for the next picture of a page. Pictures of many hosts must not occupy all files of the process.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

/// Limits of a picture.
#[derive(Clone, Copy, Debug)]
pub struct PictureLimits {
    /// Its size: photos for the web are smaller.
    pub bytes: usize,
    /// Until its server accepts a connection or continues within a response.
    pub read_timeout: Duration,
    /// Until it is loaded: a reader has left by then.
    pub load_timeout: Duration,
    /// Until it begins to be loaded. Proxies wait for this and the previous time.
    pub waiting_time: Duration,
}

impl Default for PictureLimits {
    fn default() -> Self {
        Self {
            bytes: 4 * 1024 * 1024,
            read_timeout: Duration::from_secs(5),
            load_timeout: Duration::from_secs(10),
            waiting_time: Duration::from_secs(3),
        }
    }
}

/// A picture of an event.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    pub(crate) media_type: &'static str,
    pub(crate) body: Bytes,
}

/// Why there is no picture. Display never contains the URL.
#[derive(Debug, thiserror::Error)]
enum PictureError {
    #[error("the URL of the picture is not one of the web")]
    Url,
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error("the server responded with status {0}, expected 200")]
    Status(u16),
    #[error("the picture exceeds the limit of {0} bytes")]
    TooLarge(usize),
    #[error("the response is incomplete")]
    Incomplete(#[source] BoxedCause),
    #[error("the response is not a picture in the format JPEG, PNG, GIF, WebP or AVIF")]
    NotAPicture,
    #[error("the picture was not loaded in time")]
    TimedOut,
}

impl PictureError {
    /// The outcome in metrics.
    fn outcome(&self) -> &'static str {
        match self {
            Self::Request(RequestError::AddressRefused(_) | RequestError::RedirectRefused { .. }) => "refused",
            Self::Request(RequestError::TimedOut(_)) | Self::TimedOut => "timed_out",
            Self::TooLarge(_) => "too_large",
            Self::Url | Self::NotAPicture => "not_a_picture",
            Self::Request(_) | Self::Status(_) | Self::Incomplete(_) => "failed",
        }
    }
}

/// Loads pictures, each once for all who wait for it.
#[derive(Debug)]
pub struct PictureProxy {
    client: OutboundClient,
    limits: PictureLimits,
    loads: Semaphore,
    hosts: HostLoads,
    /// `None` stands for a failure.
    stored: Cache<String, Option<Picture>>,
    /// The memory of pictures that are stored or sent.
    memory: LargeBodies,
}

impl PictureProxy {
    /// A proxy that connects to public addresses and to these networks.
    ///
    /// # Errors
    ///
    /// When the TLS certificates of the machine cannot be read.
    pub fn new(networks: &[IpNet], limits: PictureLimits) -> Result<Self, BoxedCause> {
        let timeouts = ClientTimeouts { connect: limits.read_timeout, read: limits.read_timeout, idle: IDLE_TIMEOUT };
        let stored = Cache::builder()
            .max_capacity(CACHE_BYTES)
            .weigher(|url: &String, picture: &Option<Picture>| weigh(url, picture.as_ref()))
            .expire_after(Lifetime)
            .build();
        Ok(Self {
            client: OutboundClient::new(AllowedAddresses::public_and(networks), timeouts)?,
            limits,
            loads: Semaphore::new(LOADS),
            hosts: HostLoads::default(),
            stored,
            memory: LargeBodies::new(CACHE_BYTES),
        })
    }

    /// Loads the picture with this URL. None if it cannot be loaded now. The result is stored, also if the caller leaves.
    ///
    /// # Errors
    ///
    /// When too many others are being loaded or sent.
    pub(crate) async fn load(self: &Arc<Self>, url: &str) -> Result<Option<Picture>, ApiError> {
        if let Some(stored) = self.stored.get(url).await {
            count("cached");
            return Ok(stored);
        }
        let (proxy, url) = (self.clone(), url.to_owned());
        let loading = tokio::spawn(async move {
            // Another request may load it.
            let mut outcome = "cached";
            let load = async {
                let (picture, new) = proxy.load_new(&url).await?;
                outcome = new;
                Ok(picture)
            };
            let loaded: Result<_, Arc<TooBusy>> = proxy.stored.try_get_with_by_ref(&url, load).await;
            loaded.map(|picture| (picture, outcome))
        });
        // It fails if the runtime shuts down.
        let loaded = loading.await.unwrap_or_else(|_| Err(Arc::new(TooBusy)));
        count(loaded.as_ref().map_or("busy", |(_, outcome)| outcome));
        loaded.map(|(picture, _)| picture).map_err(|_| ApiError::Overloaded)
    }

    /// The picture, and the outcome in metrics.
    async fn load_new(&self, url: &str) -> Result<(Option<Picture>, &'static str), TooBusy> {
        let of_host = self.hosts.of(host_of(url).unwrap_or_default());
        // Whoever waits for its host must not occupy what others could use.
        let permits = async { Ok::<_, AcquireError>((of_host.acquire().await?, self.loads.acquire().await?)) };
        let permits = timeout(self.limits.waiting_time, permits).await;
        let Ok(Ok(_permits)) = permits else { return Err(TooBusy) };
        let requested = timeout(self.limits.load_timeout, self.request(url)).await.unwrap_or(Err(PictureError::TimedOut));
        match requested {
            Ok(picture) => {
                let body = self.memory.count(picture.body).map_err(|_| TooBusy)?;
                Ok((Some(Picture { body, ..picture }), "loaded"))
            }
            Err(error) => {
                tracing::info!(picture.host = host_of(url), error = telemetry::with_causes(&error), "picture not loaded");
                Ok((None, error.outcome()))
            }
        }
    }

    async fn request(&self, url: &str) -> Result<Picture, PictureError> {
        let url: Url = url.parse().map_err(|_| PictureError::Url)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(PictureError::Url);
        }
        let (mut response, _) = self.client.get(&url, |_, request| request).await?;
        if response.status() != 200 {
            return Err(PictureError::Status(response.status().as_u16()));
        }
        let limit = self.limits.bytes;
        let length = response.content_length().map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        if length.is_some_and(|length| length > limit) {
            return Err(PictureError::TooLarge(limit));
        }
        let mut body = Vec::with_capacity(length.unwrap_or_default());
        while let Some(chunk) = response.chunk().await.map_err(|error| match outbound::is_timeout(&error) {
            true => PictureError::TimedOut,
            false => PictureError::Incomplete(error.without_url().into()),
        })? {
            if body.len() + chunk.len() > limit {
                return Err(PictureError::TooLarge(limit));
            }
            body.extend_from_slice(&chunk);
        }
        body.shrink_to_fit();
        let media_type = find_media_type(&body).ok_or(PictureError::NotAPicture)?;
        Ok(Picture { media_type, body: body.into() })
    }
}

/// The loads of each host from which pictures are loaded now.
#[derive(Debug, Default)]
struct HostLoads(Mutex<HashMap<String, Arc<Semaphore>>>);

impl HostLoads {
    fn of(&self, host: String) -> Arc<Semaphore> {
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.retain(|_, loads| Arc::strong_count(loads) > 1);
        hosts.entry(host).or_insert_with(|| Arc::new(Semaphore::new(LOADS_PER_HOST))).clone()
    }
}

fn host_of(url: &str) -> Option<String> {
    url.parse().ok().and_then(|url: Url| url.host_str().map(str::to_owned))
}

/// A picture would need too much time or memory now.
#[derive(Debug)]
struct TooBusy;

/// How long what was loaded is stored.
struct Lifetime;

impl Expiry<String, Option<Picture>> for Lifetime {
    fn expire_after_create(&self, _url: &String, picture: &Option<Picture>, _created_at: Instant) -> Option<Duration> {
        Some(if picture.is_some() { PICTURE_LIFETIME } else { FAILURE_LIFETIME })
    }
}

fn weigh(url: &str, picture: Option<&Picture>) -> u32 {
    let bytes = url.len() + picture.map_or(0, |picture| picture.body.len());
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

fn count(outcome: &'static str) {
    counter!("marquee_pictures_total", "outcome" => outcome).increment(1);
}
