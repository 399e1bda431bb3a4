//! `GET /map.pmtiles`: the file of map tiles, if there is one.

use poem::{Request, Response};

use crate::{error::ApiError, query::no_parameters, state::State};

/// Responds with the file, or with a part of it.
pub(super) async fn respond(state: State, request: Request) -> poem::Result<Response> {
    let tiles = state.map_tiles.as_ref().ok_or(ApiError::PathNotFound)?;
    no_parameters(&request)?;
    Ok(tiles.respond(request.headers()))
}
