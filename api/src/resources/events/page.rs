//! What the page of an event shows, as one cached response. It has no operation: it is nothing but the page in another form.

use std::{borrow::Cow, collections::BTreeMap};

use entity::footprint::{Scope, Selection};
use sea_orm::prelude::Uuid;
use serde::{Deserialize, Serialize};

use super::{
    Event, EventZone, ID_REQUIREMENT, export,
    price_history::{PriceHistory, find_price_history},
    rows::{self, ReadEvent, explain_missing},
};
use crate::{
    cache::{CachedQuery, CachedResource, QueryOutput},
    database::{reader::ReadSize, sql::ReadConnection},
    error::ApiError,
    public_url::PublicUrl,
    query::{Filters, parse_path},
};

/// A request for what the page of an event shows.
#[derive(Clone, Debug, Serialize)]
pub struct EventPageQuery {
    #[serde(skip)]
    id: Uuid,
    /// The address of the service, which the linked data contains.
    #[serde(skip)]
    public_url: Option<PublicUrl>,
}

/// What the page of an event shows, and where its button leads.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct EventPageContent {
    pub(crate) event: Event,
    pub(crate) zones: Vec<EventZone>,
    pub(crate) json_ld: String,
    /// Upcoming events of the same show, the earliest first.
    pub(crate) other_dates: Vec<Uuid>,
    /// `None` if there is only one price.
    pub(crate) prices: Option<PriceHistory>,
    /// The parameters by which the seller recognizes us.
    pub(crate) affiliate: BTreeMap<String, String>,
}

impl EventPageQuery {
    /// Parses the parameter `id` of a path.
    ///
    /// # Errors
    ///
    /// When it is not a UUID.
    pub fn parse(id: &str, public_url: Option<PublicUrl>) -> Result<Self, ApiError> {
        Ok(Self { id: parse_path("id", id, ID_REQUIREMENT)?, public_url })
    }
}

impl Filters for EventPageQuery {
    fn path(&self) -> Cow<'static, str> {
        format!("/e/{}", self.id).into()
    }
}

impl CachedQuery for EventPageQuery {
    const RESOURCE: CachedResource = CachedResource::EventPages;

    fn public_url(&self) -> Option<&PublicUrl> {
        self.public_url.as_ref()
    }

    fn selection(&self) -> Selection {
        // Its day and provider are only known when it has been read.
        Selection::all_of(&[Scope::Events, Scope::Concerts, Scope::Details])
    }

    fn needs_snapshot(&self) -> bool {
        true
    }

    fn read_size(&self) -> ReadSize {
        // It reads few changes of most events.
        ReadSize::Small
    }

    async fn run(&self, database: &impl ReadConnection) -> Result<QueryOutput, ApiError> {
        let Some(ReadEvent { rows, now, .. }) = rows::fetch(database, self.id).await? else {
            return Err(explain_missing(database, self.id, |target| target.to_string()).await?);
        };
        let json_ld = export::encode_json_ld(rows.clone().into_view(now), self.public_url.as_ref())?;
        let (zones, affiliate) = (rows.zones(), rows.provider.affiliate_parameters());
        let row = rows.event.clone();
        let event = Event::new(rows.into_view(now), false);
        let content = EventPageContent {
            json_ld: String::from_utf8(json_ld).map_err(|_| ApiError::ResponseBody)?,
            other_dates: rows::find_other_dates(database, &row).await?,
            prices: find_price_history(database, &row, event.min_price.0).await?,
            event,
            zones,
            affiliate,
        };
        let body = serde_json::to_vec(&content).map_err(ApiError::Encoding)?;
        Ok(QueryOutput { snapshot: None, body: body.into(), link: None })
    }
}
