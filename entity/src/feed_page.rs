//! `feed_page`: the pages of a feed that was fetched in several.
//!
//! They are those of the document that was copied last. A page that the provider confirms with 304 is read from here.

use sea_orm::entity::prelude::*;

/// What a page contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum PageKind {
    /// A part of the document.
    #[sea_orm(string_value = "page")]
    Page,
    /// A list of the URLs of pages.
    #[sea_orm(string_value = "sitemap")]
    Sitemap,
    /// A list of the URLs of sitemaps.
    #[sea_orm(string_value = "sitemap_index")]
    SitemapIndex,
}

/// One page.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "feed_page")]
pub struct Model {
    /// The provider.
    #[sea_orm(primary_key, auto_increment = false)]
    pub provider_id: i32,
    /// Its URL, with its secrets.
    #[sea_orm(primary_key, auto_increment = false)]
    pub url: String,
    /// What it contains.
    pub kind: PageKind,
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub last_modified: Option<String>,
    /// The URL of the next page.
    pub next: Option<String>,
    /// What is read of it, in a form that only `worker` knows.
    pub content: Vec<u8>,
}

impl ActiveModelBehavior for ActiveModel {}
