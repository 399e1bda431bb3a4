//! A file of map tiles for the pages, in the format PMTiles. Browsers read parts of it; this program knows only its header.

mod header;
mod range;

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use clap::Args;
use futures_util::stream;
use poem::{
    Body, Response,
    http::{HeaderMap, HeaderValue, StatusCode, header as http_header},
};

use self::range::ByteRange;
use crate::response::{etag_of, is_modified};

/// The beginning of a file, which identifies it: its header and its first directory.
const START_BYTES: u64 = 16 * 1024;
/// Bytes that are read before the connection has sent the previous ones.
const CHUNK_BYTES: u64 = 64 * 1024;
const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/vnd.pmtiles");
/// Browsers do not request the same tiles again for each page. A new file is visible within an hour.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("public, max-age=3600");
const BYTES: HeaderValue = HeaderValue::from_static("bytes");

/// Where the tiles are.
#[derive(Args, Clone, Debug, Default)]
pub struct MapSettings {
    /// File of vector tiles (PMTiles) for the map of a search; unset, the map is the built-in one. It is read again after a restart only
    #[arg(long, env = "MAP_PMTILES", value_name = "FILE")]
    pub map_pmtiles: Option<PathBuf>,
}

/// Why the tiles cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MapTilesError {
    /// The file cannot be read.
    #[error("cannot read the map tiles {} (MAP_PMTILES)", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is not what is expected.
    #[error("the map tiles {} (MAP_PMTILES) cannot be used: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what is expected.
        reason: &'static str,
    },
}

/// An open file of tiles: the program continues to serve it if another one replaces it.
#[derive(Debug)]
pub struct MapTiles {
    file: Arc<File>,
    length: u64,
    /// The same for all processes with the same file.
    etag: HeaderValue,
    /// The largest zoom for which it has tiles: browsers enlarge those.
    pub(crate) max_zoom: u8,
}

impl MapSettings {
    /// Opens the file of these settings, if there is one.
    ///
    /// # Errors
    ///
    /// When it cannot be used.
    pub fn open(&self) -> Result<Option<Arc<MapTiles>>, MapTilesError> {
        self.map_pmtiles.as_deref().map(|path| MapTiles::open(path).map(Arc::new)).transpose()
    }
}

impl MapTiles {
    /// Opens a file and checks its header.
    ///
    /// # Errors
    ///
    /// When it cannot be used.
    pub fn open(path: &Path) -> Result<Self, MapTilesError> {
        let read = || -> io::Result<_> {
            let file = File::open(path)?;
            let length = file.metadata()?.len();
            let start = read_at(&file, 0, length.min(START_BYTES))?;
            Ok((file, length, start))
        };
        let (file, length, start) = read().map_err(|source| MapTilesError::Unreadable { path: path.to_owned(), source })?;
        let max_zoom =
            header::check(&start, length).map_err(|reason| MapTilesError::Invalid { path: path.to_owned(), reason })?;
        let etag = etag_of(&[&start[..], &length.to_le_bytes()].concat());
        Ok(Self { file: Arc::new(file), length, etag, max_zoom })
    }

    /// The response to a GET with these headers: the part that it requests, or all of it.
    #[must_use]
    pub fn respond(&self, request: &HeaderMap) -> Response {
        let mut response = if is_modified(request, &self.etag) {
            self.respond_with(ByteRange::of_request(request, self.length, &self.etag))
        } else {
            Response::from(StatusCode::NOT_MODIFIED)
        };
        let headers = response.headers_mut();
        headers.insert(http_header::ETAG, self.etag.clone());
        headers.insert(http_header::CACHE_CONTROL, CACHE_CONTROL);
        headers.insert(http_header::ACCEPT_RANGES, BYTES);
        response
    }

    fn respond_with(&self, range: ByteRange) -> Response {
        let (status, start, end) = match range {
            ByteRange::All => (StatusCode::OK, 0, self.length),
            ByteRange::Part { start, end } => (StatusCode::PARTIAL_CONTENT, start, end),
            ByteRange::Outside => return Response::from(StatusCode::BAD_REQUEST),
        };
        let mut response = Response::from(self.read(start, end));
        response.set_status(status);
        response.headers_mut().insert(http_header::CONTENT_TYPE, MEDIA_TYPE);
        insert(&mut response, http_header::CONTENT_LENGTH, &(end - start).to_string());
        if status == StatusCode::PARTIAL_CONTENT {
            let text = format!("bytes {start}-{}/{}", end - 1, self.length);
            insert(&mut response, http_header::CONTENT_RANGE, &text);
        }
        response
    }

    /// The bytes from `start` to before `end`, which are read while they are sent.
    fn read(&self, start: u64, end: u64) -> Body {
        let file = self.file.clone();
        Body::from_bytes_stream(stream::try_unfold(start, move |position| {
            let file = file.clone();
            async move {
                if position >= end {
                    return Ok(None);
                }
                let length = (end - position).min(CHUNK_BYTES);
                let reading = tokio::task::spawn_blocking(move || read_at(&file, position, length));
                let chunk = reading.await.map_err(io::Error::other)??;
                Ok::<_, io::Error>(Some((Bytes::from(chunk), position + length)))
            }
        }))
    }
}

fn insert(response: &mut Response, name: http_header::HeaderName, value: &str) {
    // Digits and ASCII words are valid.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn read_at(file: &File, position: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    file.read_exact_at(&mut bytes, position)?;
    Ok(bytes)
}
