//! A list of events in the formats of other programs: as a calendar, as a feed and as JSON.

use super::search_form::SearchForm;
use crate::public_url::PublicUrl;

/// The addresses of a list, relative to the page unless they are absolute.
#[derive(Debug)]
pub(super) struct FollowLinks {
    /// Subscribes in the reader's calendar program. Such an address must be absolute, so it needs the address of the service.
    pub(super) subscription: Option<String>,
    pub(super) calendar: String,
    /// The newest events first.
    pub(super) feed: String,
    pub(super) json: String,
}

impl FollowLinks {
    /// The addresses of the list of a form. `root` is the address of the service relative to the page, and `json` the path of the list.
    pub(super) fn new(public_url: Option<&PublicUrl>, root: &str, form: &SearchForm, json: &str) -> Self {
        let calendar = form.export("ics", "");
        Self {
            subscription: public_url.map(|url| url.webcal(&format!("/{calendar}"))),
            feed: format!("{root}{}", form.export("atom", "-first_seen_at")),
            calendar: format!("{root}{calendar}"),
            json: format!("{root}{}", json.trim_start_matches('/')),
        }
    }
}
