//! How many requests a client may make, if the operator sets a limit.
//!
//! Each client has a bucket that holds a burst and is filled at a constant rate. A process counts for itself: a limit of the whole
//! deployment is for what stands in front of it.

mod client;

use std::{
    hash::{BuildHasher, RandomState},
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use clap::Args;
use governor::{
    DefaultKeyedRateLimiter, Quota,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
};
use ipnet::IpNet;
use poem::{
    Endpoint, IntoResponse, Request, Response,
    http::{HeaderName, HeaderValue},
};

use self::client::Client;
use crate::error::ApiError;

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// What is never refused: whoever asks this decides whether the process lives.
const UNLIMITED: [&str; 3] = ["/livez", "/readyz", "/metrics"];
/// How many clients are known apart: far more than come within the seconds in which a bucket fills up, and some ten MiB.
const MAX_CLIENTS: usize = 100_000;
/// How many buckets the clients beyond share. To refuse them all would let a flood shut strangers out, to let them all in would make
/// the limit void when it is needed; sharing, a stranger suffers only from those who fall into the same bucket.
const SHARED_BUCKETS: u64 = 16_384;
/// How often clients whose buckets are full again are forgotten.
const SWEEP_PAUSE: Duration = Duration::from_secs(2);

/// How many requests a client may make.
#[derive(Args, Clone, Debug, Default)]
pub struct RateSettings {
    /// Requests a second that a client may make; unset, there is no limit
    #[arg(long, env = "RATE_LIMIT_PER_SECOND", value_name = "NUMBER")]
    pub rate_limit_per_second: Option<NonZeroU32>,
    /// Requests that a client may make at once; unset, as many as in a second
    #[arg(long, env = "RATE_LIMIT_BURST", value_name = "NUMBER", requires = "rate_limit_per_second")]
    pub rate_limit_burst: Option<NonZeroU32>,
    /// Networks of our own proxies, whose X-Forwarded-For is believed: `10.0.0.0/8,fd00::/8`
    #[arg(long, env = "TRUSTED_PROXIES", value_name = "NETWORKS", value_delimiter = ',', value_parser = network)]
    pub trusted_proxies: Vec<IpNet>,
}

/// The buckets of all clients.
#[derive(Debug)]
pub struct RateLimiter {
    buckets: DefaultKeyedRateLimiter<Bucket, StateInformationMiddleware>,
    per_second: NonZeroU32,
    burst: NonZeroU32,
    policy: HeaderValue,
    trusted: Vec<IpNet>,
    /// More clients than [`MAX_CLIENTS`]: from now on they share buckets.
    is_crowded: AtomicBool,
    max_clients: usize,
    hasher: RandomState,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Bucket {
    Of(Client),
    Shared(u64),
}

/// How a client stands after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    remaining: u32,
    /// Until the bucket is full again.
    full_in: Duration,
    /// If the request is one too many: until there is room for it.
    refused_for: Option<Duration>,
}

impl Standing {
    pub(crate) fn is_refused(self) -> bool {
        self.refused_for.is_some()
    }
}

/// Put into a request that is one too many: seconds after which there is room for it.
#[derive(Clone, Copy, Debug)]
struct OneTooMany(u32);

impl RateLimiter {
    /// The limiter of these settings, if they set a limit.
    #[must_use]
    pub fn of(settings: &RateSettings) -> Option<Arc<Self>> {
        let per_second = settings.rate_limit_per_second?;
        let burst = settings.rate_limit_burst.unwrap_or(per_second);
        Some(Arc::new(Self::new(per_second, burst, settings.trusted_proxies.clone(), MAX_CLIENTS)))
    }

    fn new(per_second: NonZeroU32, burst: NonZeroU32, trusted: Vec<IpNet>, max_clients: usize) -> Self {
        let window = seconds(Duration::from_secs_f64(f64::from(burst.get()) / f64::from(per_second.get())));
        let policy = format!("\"default\";q={burst};w={window}");
        Self {
            buckets: governor::RateLimiter::keyed(Quota::per_second(per_second).allow_burst(burst)).with_middleware(),
            per_second,
            burst,
            policy: HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("\"default\"")),
            trusted,
            is_crowded: AtomicBool::new(false),
            max_clients,
            hasher: RandomState::new(),
        }
    }

    fn check(&self, client: Client) -> Standing {
        let bucket = if self.is_crowded.load(Ordering::Relaxed) {
            Bucket::Shared(self.hasher.hash_one(client) % SHARED_BUCKETS)
        } else {
            Bucket::Of(client)
        };
        let (remaining, refused_for) = match self.buckets.check_key(&bucket) {
            Ok(state) => (state.remaining_burst_capacity(), None),
            Err(not_until) => (0, Some(not_until.wait_time_from(DefaultClock::default().now()))),
        };
        let missing = f64::from(self.burst.get().saturating_sub(remaining));
        Standing { remaining, full_in: Duration::from_secs_f64(missing / f64::from(self.per_second.get())), refused_for }
    }

    /// Forgets clients whose buckets are full again, every now and then, for ever.
    pub(crate) async fn sweep(&self) {
        let mut pauses = tokio::time::interval(SWEEP_PAUSE);
        loop {
            pauses.tick().await;
            self.forget();
        }
    }

    fn forget(&self) {
        self.buckets.retain_recent();
        self.buckets.shrink_to_fit();
        self.is_crowded.store(self.buckets.len() > self.max_clients, Ordering::Relaxed);
    }

    /// Counts a request, unless it is never limited; one that is too many is marked for [`refuse`].
    pub(crate) fn count(&self, request: &mut Request) -> Option<Standing> {
        if UNLIMITED.contains(&request.uri().path()) {
            return None;
        }
        let peer = request.remote_addr().as_socket_addr().map(std::net::SocketAddr::ip);
        let standing = self.check(Client::of(peer, request.headers(), &self.trusted));
        if let Some(wait) = standing.refused_for {
            metrics::counter!("marquee_rate_limited_total").increment(1);
            request.set_data(OneTooMany(seconds(wait)));
        }
        Some(standing)
    }

    /// Tells the client how it stands, whatever it is answered.
    pub(crate) fn tell(&self, response: &mut Response, standing: Standing) {
        let text = format!("\"default\";r={};t={}", standing.remaining, seconds(standing.full_in));
        if let Ok(value) = HeaderValue::from_str(&text) {
            response.headers_mut().insert(RATELIMIT, value);
        }
        response.headers_mut().insert(RATELIMIT_POLICY, self.policy.clone());
    }
}

/// Refuses what `RateLimiter::count` found to be one too many: within [`observe`](crate::server::observe), so that it is observed.
///
/// # Errors
///
/// When it is refused, or what the endpoint says.
pub async fn refuse(endpoint: Arc<impl Endpoint>, request: Request) -> poem::Result<Response> {
    match request.data::<OneTooMany>() {
        Some(OneTooMany(retry_after)) => Err(ApiError::RateLimited { retry_after: *retry_after }.into()),
        None => endpoint.call(request).await.map(IntoResponse::into_response),
    }
}

/// Whole seconds, rounded up: who comes then does not come too early.
fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX).saturating_add(u32::from(duration.subsec_nanos() > 0)).max(1)
}

/// A network, or an address for the network of it alone.
fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let parsed = text.parse::<IpNet>().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from));
    parsed.ok_or_else(|| format!("{text} is no network such as 10.0.0.0/8"))
}

#[cfg(test)]
mod tests;
