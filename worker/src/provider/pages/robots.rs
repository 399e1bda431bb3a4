//! `robots.txt` (RFC 9309): which pages the provider allows robots to request, and how fast.

use std::{collections::HashMap, time::Duration};

use reqwest::Url;
use robotxt::Robots;

use crate::{
    progress::ProgressCounter,
    provider::fetch::{self, FeedClient, FetchError, FetchOutcome, FetchRequest, FetchTarget, Validators},
};

/// The name of the robot in the files.
const AGENT: &str = "marquee";
/// Bytes of a file that are fetched. The parser ignores what exceeds 500 KiB, as the RFC allows.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// The files of the hosts of a feed. Each is requested once in a run.
#[derive(Debug, Default)]
pub(super) struct RobotsFiles {
    /// By origin.
    files: HashMap<String, Robots>,
}

impl RobotsFiles {
    /// The rules for a URL; `None` if its file was not requested yet.
    pub(super) fn find(&self, url: &Url) -> Option<RobotsRules<'_>> {
        self.files.get(&origin_of(url)).map(RobotsRules)
    }

    /// Requests the file for a URL.
    pub(super) async fn request(&mut self, client: &FeedClient, request: &FetchRequest<'_>, url: &Url) -> Result<(), FetchError> {
        let unavailable = |error| FetchError::RobotsUnavailable(Box::new(error));
        let file = url.join("/robots.txt").map_err(|_| FetchError::LinkRefused { why: "to an invalid URL" })?;
        let target = FetchTarget { url: &file, validators: &Validators::default(), limit_bytes: MAX_BYTES };
        let robots = match fetch::fetch_target(client, request, target, (&ProgressCounter::none(), false)).await {
            Ok(response) => match response.outcome {
                FetchOutcome::Modified(document) => {
                    let text = document.spool.read(0..document.spool.len()).map_err(FetchError::Disk)?;
                    let text = String::from_utf8_lossy(&text);
                    Robots::parse(text.as_bytes(), find_agent(&text))
                }
                FetchOutcome::NotModified { .. } => {
                    return Err(unavailable(FetchError::Status { status: 304, retry_after: None }));
                }
            },
            // There are no rules. Too many requests are an overload.
            Err(FetchError::Status { status: 204 | 400..=428 | 430..=499, .. } | FetchError::TooManyRedirects) => {
                Robots::allow_all()
            }
            Err(error) => return Err(unavailable(error)),
        };
        self.files.insert(origin_of(url), robots);
        Ok(())
    }
}

/// The rules of a host.
#[derive(Clone, Copy, Debug)]
pub(super) struct RobotsRules<'a>(&'a Robots);

impl RobotsRules<'_> {
    /// Whether a page may be requested.
    pub(super) fn allow(self, url: &Url) -> bool {
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        self.0.is_allowed(&format!("{}{query}", url.path()))
    }

    /// The shortest time between two requests.
    pub(super) fn crawl_delay(self) -> Duration {
        self.0.crawl_delay().unwrap_or_default()
    }
}

/// The name of the robot as a file has it: with a version if it was copied from the header `User-Agent`.
fn find_agent(file: &str) -> &str {
    let groups = file.split(['\r', '\n']).filter_map(|line| line.split_once(':'));
    let names = groups.filter(|(key, _)| key.trim().eq_ignore_ascii_case("user-agent"));
    let mut names = names.map(|(_, name)| name.split('#').next().unwrap_or_default().trim());
    let is_ours = |name: &&str| name.split('/').next().is_some_and(|product| product.eq_ignore_ascii_case(AGENT));
    names.find(is_ours).unwrap_or(AGENT)
}

fn origin_of(url: &Url) -> String {
    url.origin().ascii_serialization()
}
