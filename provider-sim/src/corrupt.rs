//! Applies faults to the bytes of a document, before content coding. `response` applies the other faults.

use std::io;
use std::iter;

use bytes::Bytes;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::document::{Chunks, FeedDocument, measure_length, single_chunk, take_bytes};
use crate::fault::InjectedFault;
use crate::feed;

/// Applies the faults to the document in their order.
pub(crate) fn corrupt(document: &FeedDocument, faults: &[InjectedFault]) -> io::Result<Chunks> {
    let Some((last, earlier)) = faults.split_last() else {
        return Ok(document.chunks());
    };
    let chunks = corrupt(document, earlier)?;
    Ok(match last {
        InjectedFault::Truncate(Some(bytes)) => take_bytes(chunks, *bytes),
        InjectedFault::Truncate(None) => {
            let middle = measure_length(corrupt(document, earlier)?)? / 2;
            truncate_after_tag(chunks, middle)
        }
        InjectedFault::Garbage => single_chunk(generate_garbage()),
        InjectedFault::Html => single_chunk(HTML_PAGE),
        InjectedFault::Encoding => Box::new(chunks.map(|chunk| chunk.map(|chunk| insert_latin_1(&chunk)))),
        InjectedFault::Bomb(mebibytes) => add_spaces(document, *mebibytes),
        InjectedFault::Status { .. }
        | InjectedFault::Latency(_)
        | InjectedFault::Slow(_)
        | InjectedFault::Hang
        | InjectedFault::Reset
        | InjectedFault::GzipGarbage
        | InjectedFault::Redirect(_)
        | InjectedFault::RedirectLoop
        | InjectedFault::RedirectTo(_)
        | InjectedFault::Coding(_)
        | InjectedFault::Members => chunks,
    })
}

const HTML_PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Sorry</title></head>\n\
    <body><h1>We'll be back soon</h1><p>The site is under maintenance.<br>Please try again later.</body></html>\n";

const GARBAGE_BYTES: usize = 16 * 1024;

const MEBIBYTE: usize = 1024 * 1024;

/// One chunk of spaces.
const SPACES: &[u8] = &[b' '; MEBIBYTE / 16];

/// The chunks up to the first `>` at or after the byte `least`. The feed escapes `>` in text.
fn truncate_after_tag(mut chunks: Chunks, least: u64) -> Chunks {
    let mut left = least;
    let mut ended = false;
    Box::new(iter::from_fn(move || {
        if ended {
            return None;
        }
        Some(chunks.next()?.map(|chunk| {
            let skipped = left.min(chunk.len() as u64) as usize;
            left -= skipped as u64;
            match chunk[skipped..].iter().position(|&byte| byte == b'>') {
                Some(position) => {
                    ended = true;
                    chunk.slice(..=skipped + position)
                }
                None => chunk,
            }
        }))
    }))
}

/// Deterministic, so that a failing test fails again.
fn generate_garbage() -> Vec<u8> {
    let mut bytes = vec![0; GARBAGE_BYTES];
    ChaCha8Rng::seed_from_u64(0).fill_bytes(&mut bytes);
    bytes
}

/// Inserts an `é` in Latin-1 at the start of every title. No chunk ends within an attribute.
fn insert_latin_1(chunk: &[u8]) -> Bytes {
    const BEFORE_TITLE: &[u8] = b" title=\"";
    let mut written = Vec::with_capacity(chunk.len());
    for (position, &byte) in chunk.iter().enumerate() {
        written.push(byte);
        if chunk[..=position].ends_with(BEFORE_TITLE) {
            written.push(0xE9);
        }
    }
    written.into()
}

/// Adds spaces where XML allows any number of them: after the opening of the feed, or after a fixed document.
fn add_spaces(document: &FeedDocument, mebibytes: u32) -> Chunks {
    let chunks = mebibytes as usize * (MEBIBYTE / SPACES.len());
    let spaces = iter::repeat_n(Bytes::from_static(SPACES), chunks).map(Ok);
    match document {
        FeedDocument::Catalogue { catalogue, poll } => {
            let rest = feed::pieces_after_opening(catalogue, *poll);
            Box::new(single_chunk(feed::OPENING).chain(spaces).chain(rest.map(|piece| Ok(Bytes::from(piece)))))
        }
        FeedDocument::Fixed(_) => Box::new(document.chunks().chain(spaces)),
    }
}
