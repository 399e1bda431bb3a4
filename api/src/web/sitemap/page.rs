//! `GET /sitemaps/{name}`: one page of a sitemap.

use std::{borrow::Cow, fmt::Write};

use entity::footprint::{Scope, Selection};
use poem::http::HeaderValue;
use serde::Serialize;

use super::{
    NAMESPACE, XML, XML_DECLARATION,
    index::ROWS_PER_PAGE,
    part::{SitemapKind, SitemapPart},
    rows,
};
use crate::{
    cache::{CachedQuery, CachedResource, QueryOutput},
    database::{reader::ReadSize, sql::ReadConnection},
    error::ApiError,
    public_url::PublicUrl,
    query::Filters,
    response::{BodyWriter, to_rfc3339},
};

/// The URLs of a page that search engines accept.
const MAX_URLS: u64 = 50_000;
/// Rows of one statement: a few milliseconds.
const ROWS_PER_READ: u64 = 5_000;

/// A request for a page.
#[derive(Clone, Debug, Serialize)]
pub(super) struct SitemapPage {
    #[serde(skip)]
    pub(super) part: SitemapPart,
    #[serde(skip)]
    pub(super) public_url: PublicUrl,
}

impl Filters for SitemapPage {
    fn path(&self) -> Cow<'static, str> {
        format!("/sitemaps/{}", self.part).into()
    }
}

impl CachedQuery for SitemapPage {
    const CONTENT_TYPE: HeaderValue = XML;
    const RESOURCE: CachedResource = CachedResource::Sitemaps;

    fn public_url(&self) -> Option<&PublicUrl> {
        Some(&self.public_url)
    }

    fn selection(&self) -> Selection {
        match self.part.kind {
            SitemapKind::Events => Selection::all_of(&[Scope::Events]),
            SitemapKind::Venues => Selection::all_of(&[Scope::Venues, Scope::Events]),
            SitemapKind::Performers => Selection::all_of(&[Scope::Performers, Scope::Events]),
        }
    }

    fn needs_snapshot(&self) -> bool {
        true
    }

    fn read_size(&self) -> ReadSize {
        ReadSize::Large
    }

    async fn run(&self, database: &impl ReadConnection) -> Result<QueryOutput, ApiError> {
        let rows = rows::estimate(database, self.part.kind).await?;
        if !self.part.is_of_division(rows, ROWS_PER_PAGE) || self.part.share_of(rows) > MAX_URLS {
            return Err(ApiError::not_found("sitemap", &self.part));
        }
        let (mut body, mut after, mut written) = (BodyWriter::default(), None, 0);
        while written < MAX_URLS {
            let limit = Ord::min(ROWS_PER_READ, MAX_URLS - written);
            let rows = rows::read(database, self.part, after, limit).await?;
            let count = rows.len() as u64;
            for row in rows {
                let url = self.public_url.join(&format!("/{}/{}", self.part.kind.folder(), row.id));
                let changed = row.updated_at.map(|at| format!("<lastmod>{}</lastmod>", to_rfc3339(at))).unwrap_or_default();
                body.append(|body| {
                    body.extend_from_slice(format!("<url><loc>{url}</loc>{changed}</url>\n").as_bytes());
                    Ok(())
                })?;
                after = Some(row.id);
            }
            written += count;
            if count < limit {
                break;
            }
        }
        let mut head = format!("{XML_DECLARATION}<urlset xmlns=\"{NAMESPACE}\">\n");
        if self.part.kind == SitemapKind::Events && self.part.is_first() {
            // The search page, so that the first page is never empty. Writing to a string cannot fail.
            let _infallible = writeln!(head, "<url><loc>{}</loc></url>", self.public_url.join("/"));
        }
        let body = body.finish(head.as_bytes(), b"</urlset>\n")?;
        Ok(QueryOutput { snapshot: None, body, link: None })
    }
}
