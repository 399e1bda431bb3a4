//! The files that pages refer to, embedded in the program. The address of each contains a hash of its content, so that browsers may store
//! it forever.

use std::sync::LazyLock;

use poem::{
    Endpoint, Request, Response, Result,
    http::{HeaderValue, header},
};
use xxhash_rust::xxh3::xxh3_64;

use crate::{error::ApiError, response::StaticDocument};

const STYLE: File =
    File { name: "style.css", content_type: "text/css; charset=utf-8", content: include_str!("assets/style.css") };
const TILES: File = File { name: "tiles.svg", content_type: "image/svg+xml", content: include_str!("assets/tiles.svg") };
const LAND: File = File { name: "land.svg", content_type: "image/svg+xml", content: include_str!("assets/land.svg") };
const SEARCH_SCRIPT: File =
    File { name: "search.js", content_type: "text/javascript; charset=utf-8", content: include_str!("assets/search.js") };
const MAP_SCRIPT: File =
    File { name: "map.js", content_type: "text/javascript; charset=utf-8", content: include_str!("assets/map.js") };
const LEAFLET: File = File {
    name: "leaflet.js",
    content_type: "text/javascript; charset=utf-8",
    content: include_str!("assets/vendor/leaflet-1.9.4/leaflet.js"),
};
const LEAFLET_STYLE: File = File {
    name: "leaflet.css",
    content_type: "text/css; charset=utf-8",
    content: include_str!("assets/vendor/leaflet-1.9.4/leaflet.css"),
};
const PROTOMAPS: File = File {
    name: "protomaps-leaflet.js",
    content_type: "text/javascript; charset=utf-8",
    content: include_str!("assets/vendor/protomaps-leaflet-5.1.0/protomaps-leaflet.js"),
};
const OPS_STYLE: File =
    File { name: "ops.css", content_type: "text/css; charset=utf-8", content: include_str!("assets/ops.css") };
const OPS_SCRIPT: File =
    File { name: "ops.js", content_type: "text/javascript; charset=utf-8", content: include_str!("assets/ops.js") };
const FILES: [File; 10] =
    [STYLE, TILES, LAND, SEARCH_SCRIPT, MAP_SCRIPT, LEAFLET, LEAFLET_STYLE, PROTOMAPS, OPS_STYLE, OPS_SCRIPT];
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Where the files are, relative to the address of the service.
pub(super) static PATHS: LazyLock<AssetPaths> = LazyLock::new(|| AssetPaths {
    style: STYLE.path(),
    tiles: TILES.path(),
    land: LAND.path(),
    search_script: SEARCH_SCRIPT.path(),
    map_script: MAP_SCRIPT.path(),
    leaflet: LEAFLET.path(),
    leaflet_style: LEAFLET_STYLE.path(),
    protomaps: PROTOMAPS.path(),
    ops_style: OPS_STYLE.path(),
    ops_script: OPS_SCRIPT.path(),
});

/// An address for each file.
#[derive(Debug)]
pub(super) struct AssetPaths {
    pub(super) style: String,
    pub(super) tiles: String,
    pub(super) land: String,
    pub(super) search_script: String,
    pub(super) map_script: String,
    pub(super) leaflet: String,
    pub(super) leaflet_style: String,
    pub(super) protomaps: String,
    pub(super) ops_style: String,
    pub(super) ops_script: String,
}

/// An embedded file.
#[derive(Clone, Copy)]
struct File {
    name: &'static str,
    content_type: &'static str,
    content: &'static str,
}

impl File {
    fn hash(&self) -> String {
        format!("{:016x}", xxh3_64(self.content.as_bytes()))
    }

    fn path(&self) -> String {
        format!("assets/{}/{}", self.hash(), self.name)
    }
}

/// Serves the files.
pub(super) struct Assets([StaticDocument; FILES.len()]);

impl Default for Assets {
    fn default() -> Self {
        Self(FILES.map(|file| StaticDocument::new(file.content_type, file.content)))
    }
}

impl Endpoint for Assets {
    type Output = Response;

    /// The address of another release returns the file of this one, to be revalidated: during a deployment, the page may come from one
    /// release and its files from another.
    async fn call(&self, request: Request) -> Result<Response> {
        let name = request.raw_path_param("name").unwrap_or_default();
        let index = FILES.iter().position(|file| file.name == name).ok_or(ApiError::PathNotFound)?;
        let is_current = request.raw_path_param("hash") == Some(FILES[index].hash().as_str());
        let mut response = self.0[index].call(request).await?;
        if is_current {
            response.headers_mut().insert(header::CACHE_CONTROL, IMMUTABLE);
        }
        Ok(response)
    }
}
