//! `GET /sitemap.xml`: the list of all pages of the sitemap.

use std::{borrow::Cow, fmt::Write};

use entity::footprint::{Scope, Selection};
use poem::http::HeaderValue;
use serde::Serialize;

use super::{
    NAMESPACE, XML, XML_DECLARATION,
    part::{SitemapKind, SitemapPart},
    rows,
};
use crate::{
    cache::{CachedQuery, CachedResource, QueryOutput},
    database::{reader::ReadSize, sql::ReadConnection},
    error::ApiError,
    public_url::PublicUrl,
    query::Filters,
};

/// Rows of a page on average. Pages of the same kind differ by a percent, and one of 50,000 is the largest that is accepted.
pub(super) const ROWS_PER_PAGE: u64 = 40_000;

/// A request for the list.
#[derive(Clone, Debug, Serialize)]
pub(super) struct SitemapIndex {
    #[serde(skip)]
    pub(super) public_url: PublicUrl,
}

impl Filters for SitemapIndex {
    fn path(&self) -> Cow<'static, str> {
        "/sitemap.xml".into()
    }
}

impl CachedQuery for SitemapIndex {
    const CONTENT_TYPE: HeaderValue = XML;
    const RESOURCE: CachedResource = CachedResource::Sitemaps;

    fn public_url(&self) -> Option<&PublicUrl> {
        Some(&self.public_url)
    }

    fn selection(&self) -> Selection {
        Selection::all_of(&[Scope::Events, Scope::Venues, Scope::Performers])
    }

    fn needs_snapshot(&self) -> bool {
        true
    }

    fn read_size(&self) -> ReadSize {
        ReadSize::Large
    }

    async fn run(&self, database: &impl ReadConnection) -> Result<QueryOutput, ApiError> {
        let mut body = format!("{XML_DECLARATION}<sitemapindex xmlns=\"{NAMESPACE}\">\n");
        for kind in SitemapKind::ALL {
            let rows = rows::estimate(database, kind).await?;
            // A catalogue may be too small for the sample to have any row. The first page of events has the search page.
            if kind != SitemapKind::Events
                && rows == 0
                && rows::read(database, SitemapPart::first(kind, 0), None, 1).await?.is_empty()
            {
                continue;
            }
            for part in SitemapPart::divide(kind, rows, ROWS_PER_PAGE) {
                let url = self.public_url.join(&format!("/sitemaps/{part}"));
                // Writing to a string cannot fail.
                let _infallible = writeln!(body, "<sitemap><loc>{url}</loc></sitemap>");
            }
        }
        body.push_str("</sitemapindex>\n");
        Ok(QueryOutput { snapshot: None, body: body.into(), link: None })
    }
}
