//! `.atom`: a feed of events ([RFC 4287](https://www.rfc-editor.org/rfc/rfc4287)).

use std::io;

use entity::UtcInstant;
use quick_xml::{Writer, events::BytesText};
use uuid::Uuid;

use super::{
    ExportContext, ExportFormat, page_of,
    place::place_lines,
    text::{clean, to_uri},
};
use crate::{
    error::ApiError,
    find::EventView,
    public_url::PublicUrl,
    response::{FileFormat, to_rfc3339},
};

const HEAD: &[u8] = b"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\">";

/// A feed of entries with their own texts.
#[derive(Debug)]
pub(crate) struct AtomFeed {
    pub(crate) id: Uuid,
    pub(crate) title: String,
    pub(crate) updated_at: UtcInstant,
    /// The URL of the feed.
    pub(crate) url: String,
    /// The URL of the same as a page, if the address of the service is known.
    pub(crate) page: Option<String>,
    pub(crate) entries: Vec<AtomEntry>,
}

/// An entry of such a feed.
#[derive(Debug)]
pub(crate) struct AtomEntry {
    pub(crate) id: Uuid,
    pub(crate) title: String,
    pub(crate) at: UtcInstant,
    pub(crate) url: Option<String>,
    pub(crate) author: String,
    pub(crate) summary: String,
}

/// A feed while it is written.
#[derive(Clone, Debug)]
pub(crate) struct Atom {
    /// When an entry changed last.
    updated_at: UtcInstant,
    public_url: Option<PublicUrl>,
}

impl FileFormat for Atom {
    const MEDIA_TYPE: &'static str = "application/atom+xml; charset=utf-8";

    type Schema = String;
}

impl ExportFormat for Atom {
    const PATH: &'static str = "/events.atom";
    const TAIL: &'static [u8] = b"</feed>\n";

    fn new(context: &ExportContext) -> Self {
        Self { updated_at: UtcInstant(0), public_url: context.public_url.clone() }
    }

    fn write(&mut self, event: EventView, body: &mut Vec<u8>) -> Result<(), ApiError> {
        self.updated_at = self.updated_at.max(event.updated_at);
        finish(|| write_entry(&mut Writer::new(body), &event, self.public_url.as_ref()))
    }

    fn head(&self, context: &ExportContext) -> Result<Vec<u8>, ApiError> {
        let mut head = HEAD.to_vec();
        let mut writer = Writer::new(&mut head);
        finish(|| {
            write_element(&mut writer, "id", &format!("urn:uuid:{}", context.id()))?;
            write_element(&mut writer, "title", "Marquee")?;
            write_element(&mut writer, "updated", &to_rfc3339(self.updated_at))?;
            write_link(&mut writer, "self", &context.self_url())?;
            if let Some(search) = context.search_url() {
                write_link(&mut writer, "alternate", &search)?;
            }
            write_name(&mut writer, "author", "Marquee")
        })?;
        Ok(head)
    }
}

fn write_entry(writer: &mut Writer<&mut Vec<u8>>, event: &EventView, public_url: Option<&PublicUrl>) -> io::Result<()> {
    writer.create_element("entry").write_inner_content(|writer| {
        let title = event.name.as_ref().map_or_else(|| event.title.clone(), |name| format!("{}: {name}", event.title));
        let mut summary = vec![event.local_start.replace('T', " ")];
        summary.extend(place_lines(event));
        let summary = summary.join(", ");
        write_element(writer, "id", &format!("urn:uuid:{}", event.id))?;
        write_element(writer, "title", &title)?;
        write_element(writer, "updated", &to_rfc3339(event.updated_at))?;
        write_element(writer, "published", &to_rfc3339(event.first_seen_at))?;
        let (page, seller) = (page_of(public_url, event), event.url.as_deref().and_then(to_uri));
        let links = [("alternate", page.as_ref().or(seller.as_ref())), ("related", page.as_ref().and(seller.as_ref()))];
        for (relation, url) in links {
            url.map(|url| write_link(writer, relation, url)).transpose()?;
        }
        write_name(writer, "author", event.provider_name.as_deref().unwrap_or(&event.provider_slug))?;
        if let Some(category) = &event.category {
            writer.create_element("category").with_attribute(("term", &*clean(category))).write_empty()?;
        }
        write_element(writer, "summary", &summary)?;
        // An entry without a link must have a content.
        write_element(writer, "content", event.description.as_deref().unwrap_or(&summary))?;
        if let Some(rights) = event.provider_attribution.as_deref().or(event.provider_licence.as_deref()) {
            write_element(writer, "rights", rights)?;
        }
        Ok(())
    })?;
    Ok(())
}

/// Encodes a feed.
pub(crate) fn encode(feed: &AtomFeed) -> Result<Vec<u8>, ApiError> {
    let mut body = HEAD.to_vec();
    let mut writer = Writer::new(&mut body);
    finish(|| {
        write_element(&mut writer, "id", &format!("urn:uuid:{}", feed.id))?;
        write_element(&mut writer, "title", &feed.title)?;
        write_element(&mut writer, "updated", &to_rfc3339(feed.updated_at))?;
        write_link(&mut writer, "self", &feed.url)?;
        feed.page.iter().try_for_each(|page| write_link(&mut writer, "alternate", page))?;
        write_name(&mut writer, "author", "Marquee")?;
        feed.entries.iter().try_for_each(|entry| entry.write(&mut writer))
    })?;
    body.extend_from_slice(Atom::TAIL);
    Ok(body)
}

impl AtomEntry {
    fn write(&self, writer: &mut Writer<&mut Vec<u8>>) -> io::Result<()> {
        writer.create_element("entry").write_inner_content(|writer| {
            write_element(writer, "id", &format!("urn:uuid:{}", self.id))?;
            write_element(writer, "title", &self.title)?;
            write_element(writer, "updated", &to_rfc3339(self.at))?;
            self.url.as_deref().and_then(to_uri).iter().try_for_each(|url| write_link(writer, "alternate", url))?;
            write_name(writer, "author", &self.author)?;
            // An entry without a link must have a content.
            write_element(writer, "content", &self.summary)
        })?;
        Ok(())
    }
}

fn write_element(writer: &mut Writer<&mut Vec<u8>>, name: &str, text: &str) -> io::Result<()> {
    writer.create_element(name).write_text_content(BytesText::new(&clean(text)))?;
    Ok(())
}

fn write_link(writer: &mut Writer<&mut Vec<u8>>, relation: &str, url: &str) -> io::Result<()> {
    writer.create_element("link").with_attributes([("rel", relation), ("href", url)]).write_empty()?;
    Ok(())
}

fn write_name(writer: &mut Writer<&mut Vec<u8>>, role: &str, name: &str) -> io::Result<()> {
    writer.create_element(role).write_inner_content(|writer| write_element(writer, "name", name))?;
    Ok(())
}

/// Writing to memory does not fail.
fn finish(write: impl FnOnce() -> io::Result<()>) -> Result<(), ApiError> {
    write().map_err(|_| ApiError::ResponseBody)
}
