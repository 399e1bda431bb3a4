//! A list of what is new as a feed ([RFC 4287](https://www.rfc-editor.org/rfc/rfc4287)).

use entity::UtcInstant;
use sea_orm::prelude::Uuid;

use super::{
    event_text::EventText,
    news_list::{FoundNews, NewsList, title_of},
};
use crate::{
    error::ApiError,
    public_url::PublicUrl,
    resources::{
        changes::NewsEntry,
        events::{AtomEntry, AtomFeed, Event, encode_atom},
    },
};

/// Encodes the entries of a list.
pub(super) fn encode(list: &NewsList, found: &FoundNews, public_url: Option<&PublicUrl>) -> Result<Vec<u8>, ApiError> {
    let locate = |address: &str| public_url.map(|url| url.join(&format!("/{}", address.trim_start_matches("./"))));
    let address = list.feed();
    let url = locate(&address).unwrap_or_else(|| address.clone());
    let title = format!("Marquee: {}", title_of(list.chosen.language, list.news));
    let newest = found.entries.first().map_or(UtcInstant(0), |(entry, _)| entry.at);
    let entry = |(entry, event): &(NewsEntry, Event)| {
        let text = EventText(event, list.chosen.language);
        let parts = [Some(list.describe(entry, event)), Some(text.start()), text.place(), text.price()];
        AtomEntry {
            // An event may be in a list again, for another change.
            id: Uuid::new_v5(&entry.event_id, entry.cursor.encode().as_bytes()),
            title: event.title.clone(),
            at: entry.at,
            url: locate(&format!("e/{}", event.id.0)).or_else(|| text.buy_url().map(str::to_owned)),
            author: event.provider.name.0.clone().unwrap_or_else(|| event.provider.slug.0.clone()),
            summary: parts.into_iter().flatten().collect::<Vec<_>>().join(", "),
        }
    };
    encode_atom(&AtomFeed {
        id: Uuid::new_v5(&Uuid::NAMESPACE_URL, url.as_bytes()),
        title,
        updated_at: newest,
        url,
        page: locate(&list.link_to(list.news).href),
        entries: found.entries.iter().map(entry).collect(),
    })
}
