//! Rate limits per client, if the operator sets one.
//!
//! Each client has a bucket that holds a burst and is refilled at a constant rate. Each process counts independently: a limit for the
//! whole deployment belongs into the load balancer.

mod client;

use std::{
    hash::{BuildHasher, RandomState},
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use clap::Args;
use governor::{
    DefaultDirectRateLimiter, DefaultKeyedRateLimiter, NotUntil,
    clock::{Clock, DefaultClock, QuantaInstant},
    middleware::{StateInformationMiddleware, StateSnapshot},
};
use ipnet::IpNet;
use poem::{
    Request, Response,
    http::{HeaderName, HeaderValue, Method},
};

use self::client::Client;
use crate::error::ApiError;

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// Paths without a limit: their clients decide whether the process is restarted.
const UNLIMITED: [&str; 3] = ["/livez", "/readyz", "/metrics"];
/// Clients with their own bucket: far more than are active while a bucket is refilled, and about ten MiB.
const MAX_CLIENTS: usize = 100_000;
/// Buckets that are shared by more clients than that. Rejecting all of them would let a flood block everyone else; accepting all would
/// disable the limit when it is needed; with shared buckets, a client is affected only by others in its bucket.
const SHARED_BUCKETS: u64 = 16_384;
/// Clients are counted once per this many requests, so at most this many more than [`MAX_CLIENTS`] have a bucket.
const REQUESTS_PER_COUNT: usize = 10_000;
/// How often full buckets are removed.
const SWEEP_INTERVAL: Duration = Duration::from_secs(2);

/// Settings of the rate limit.
#[derive(Args, Clone, Debug, Default)]
pub struct RateSettings {
    /// Requests per second that a client may make; unlimited if unset
    #[arg(long, env = "RATE_LIMIT_PER_SECOND", value_name = "NUMBER")]
    pub rate_limit_per_second: Option<NonZeroU32>,
    /// Requests that a client may make in a burst; by default, those of one second
    #[arg(long, env = "RATE_LIMIT_BURST", value_name = "NUMBER", requires = "rate_limit_per_second")]
    pub rate_limit_burst: Option<NonZeroU32>,
    /// Networks of proxies with a trusted X-Forwarded-For header: `10.0.0.0/8,fd00::/8`
    #[arg(long, env = "TRUSTED_PROXIES", value_name = "NETWORKS", value_delimiter = ',', value_parser = parse_network)]
    pub trusted_proxies: Vec<IpNet>,
}

/// How many requests a client may make.
#[derive(Clone, Debug)]
pub(crate) struct Quota {
    per_second: NonZeroU32,
    burst: NonZeroU32,
    /// The name of the quota in the headers.
    name: &'static str,
    /// The value of `RateLimit-Policy`.
    policy: HeaderValue,
}

impl Quota {
    /// A quota. By default, a burst has the requests of one second.
    pub(crate) fn new(name: &'static str, per_second: NonZeroU32, burst: Option<NonZeroU32>) -> Self {
        let burst = burst.unwrap_or(per_second);
        let window = round_up_to_seconds(Duration::from_secs_f64(f64::from(burst.get()) / f64::from(per_second.get())));
        let policy = HeaderValue::from_str(&format!("\"{name}\";q={burst};w={window}"));
        Self { per_second, burst, name, policy: policy.unwrap_or(HeaderValue::from_static("\"default\"")) }
    }

    fn to_governor(&self) -> governor::Quota {
        governor::Quota::per_second(self.per_second).allow_burst(self.burst)
    }

    /// The decision about a request, from what its bucket allows.
    fn decide(&self, checked: Result<StateSnapshot, NotUntil<QuantaInstant>>) -> RateDecision {
        let (remaining, retry_after) = match checked {
            Ok(state) => (state.remaining_burst_capacity(), None),
            Err(not_until) => (0, Some(not_until.wait_time_from(DefaultClock::default().now()))),
        };
        if retry_after.is_some() {
            metrics::counter!("marquee_rate_limited_total").increment(1);
        }
        let missing = f64::from(self.burst.get().saturating_sub(remaining));
        let full_in = Duration::from_secs_f64(missing / f64::from(self.per_second.get()));
        RateDecision { name: self.name, policy: self.policy.clone(), remaining, full_in, retry_after }
    }
}

/// The limit of one API key, whichever addresses its clients have.
pub(crate) struct KeyLimiter {
    bucket: DefaultDirectRateLimiter<StateInformationMiddleware>,
    quota: Quota,
}

impl KeyLimiter {
    pub(crate) fn new(quota: Quota) -> Self {
        Self { bucket: governor::RateLimiter::direct(quota.to_governor()).with_middleware(), quota }
    }

    /// Takes a request from the bucket.
    pub(crate) fn decide(&self) -> RateDecision {
        self.quota.decide(self.bucket.check())
    }
}

/// The buckets of all clients that have no separate limit.
#[derive(Debug)]
pub struct RateLimiter {
    buckets: DefaultKeyedRateLimiter<Bucket, StateInformationMiddleware>,
    quota: Quota,
    trusted: Vec<IpNet>,
    /// There are more clients than [`MAX_CLIENTS`], so they share buckets.
    is_crowded: AtomicBool,
    requests: AtomicUsize,
    max_clients: usize,
    hasher: RandomState,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Bucket {
    Own(Client),
    Shared(u64),
}

/// The decision about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RateDecision {
    name: &'static str,
    policy: HeaderValue,
    remaining: u32,
    /// Time until the bucket is full again.
    full_in: Duration,
    /// Time until the next request is allowed, if this one is not.
    retry_after: Option<Duration>,
}

impl RateDecision {
    /// The error of a request that exceeds the limit.
    pub(crate) fn rejection(&self) -> Option<ApiError> {
        self.retry_after.map(|wait| ApiError::RateLimited { retry_after: round_up_to_seconds(wait) })
    }

    /// Sets the headers that tell a client its remaining requests.
    pub(crate) fn set_headers(self, response: &mut Response) {
        let text = format!("\"{}\";r={};t={}", self.name, self.remaining, round_up_to_seconds(self.full_in));
        if let Ok(value) = HeaderValue::from_str(&text) {
            response.headers_mut().insert(RATELIMIT, value);
        }
        response.headers_mut().insert(RATELIMIT_POLICY, self.policy);
    }
}

/// Whether a request counts. The clients of the other paths decide whether the process is restarted, and a page cannot read
/// why its preflight was rejected.
pub(crate) fn is_limited(request: &Request) -> bool {
    !UNLIMITED.contains(&request.uri().path()) && request.method() != Method::OPTIONS
}

impl RateLimiter {
    /// The limiter of these settings, if they set a limit.
    #[must_use]
    pub fn from_settings(settings: &RateSettings) -> Option<Arc<Self>> {
        let quota = Quota::new("default", settings.rate_limit_per_second?, settings.rate_limit_burst);
        Some(Arc::new(Self::new(quota, settings.trusted_proxies.clone(), MAX_CLIENTS)))
    }

    fn new(quota: Quota, trusted: Vec<IpNet>, max_clients: usize) -> Self {
        Self {
            buckets: governor::RateLimiter::keyed(quota.to_governor()).with_middleware(),
            quota,
            trusted,
            is_crowded: AtomicBool::new(false),
            requests: AtomicUsize::new(0),
            max_clients,
            hasher: RandomState::new(),
        }
    }

    fn check(&self, client: Client) -> RateDecision {
        if self.requests.fetch_add(1, Ordering::Relaxed) % REQUESTS_PER_COUNT == REQUESTS_PER_COUNT - 1 {
            self.count_clients();
        }
        let bucket = if self.is_crowded.load(Ordering::Relaxed) {
            Bucket::Shared(self.hasher.hash_one(client) % SHARED_BUCKETS)
        } else {
            Bucket::Own(client)
        };
        self.quota.decide(self.buckets.check_key(&bucket))
    }

    /// Removes full buckets periodically. Never returns.
    pub(crate) async fn sweep(&self) {
        let mut interval = tokio::time::interval(SWEEP_INTERVAL);
        loop {
            interval.tick().await;
            self.remove_full_buckets();
        }
    }

    fn remove_full_buckets(&self) {
        self.buckets.retain_recent();
        self.buckets.shrink_to_fit();
        self.count_clients();
    }

    fn count_clients(&self) {
        self.is_crowded.store(self.buckets.len() > self.max_clients, Ordering::Relaxed);
    }

    /// Takes a request from the bucket of its client: of the API key that it sends, or else of its address.
    pub(crate) fn decide(&self, request: &Request, key_name: Option<&str>) -> RateDecision {
        let peer = request.remote_addr().as_socket_addr().map(std::net::SocketAddr::ip);
        self.check(match key_name {
            Some(name) => Client::Key(self.hasher.hash_one(name)),
            None => Client::identify(peer, request.headers(), &self.trusted),
        })
    }
}

/// Whole seconds, rounded up so that a client does not retry too early.
fn round_up_to_seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX).saturating_add(u32::from(duration.subsec_nanos() > 0)).max(1)
}

/// Parses a network, or an address as the network that contains only it.
pub(crate) fn parse_network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let parsed = text.parse::<IpNet>().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from));
    parsed.ok_or_else(|| format!("must be networks such as 10.0.0.0/8, got `{text}`"))
}

#[cfg(test)]
mod tests;
