//! What faults do to the bytes of a document, before any content coding.
//!
//! Owns the spoiled forms. Faults that concern the answer instead (its status, its timing,
//! its connection, its headers) pass through here untouched and are `answer`'s.

use std::io;
use std::iter;

use bytes::Bytes;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::document::{Chunks, FeedDocument, first_bytes, length, one};
use crate::fault::InjectedFault;
use crate::feed;

/// The document after all of `faults`, in their order.
pub(crate) fn spoiled(document: &FeedDocument, faults: &[InjectedFault]) -> io::Result<Chunks> {
    let Some((last, earlier)) = faults.split_last() else {
        return Ok(document.chunks());
    };
    let chunks = spoiled(document, earlier)?;
    Ok(match last {
        InjectedFault::Truncate(Some(bytes)) => first_bytes(chunks, *bytes),
        InjectedFault::Truncate(None) => {
            let middle = length(spoiled(document, earlier)?)? / 2;
            until_tag_ends(chunks, middle)
        }
        InjectedFault::Garbage => one(garbage()),
        InjectedFault::Html => one(HTML_PAGE),
        InjectedFault::Encoding => Box::new(chunks.map(|chunk| chunk.map(|chunk| with_latin_1(&chunk)))),
        InjectedFault::Bomb(mebibytes) => bomb(document, *mebibytes),
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

/// A sixteenth of a mebibyte at a time.
const SPACES: &[u8] = &[b' '; MEBIBYTE / 16];

/// The chunks up to the end of the tag that the byte `least` lies in or after: no `>` stands
/// anywhere else, since the feed escapes it.
fn until_tag_ends(mut chunks: Chunks, least: u64) -> Chunks {
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

/// The same bytes each time, so that a failing test fails again.
fn garbage() -> Vec<u8> {
    let mut bytes = vec![0; GARBAGE_BYTES];
    ChaCha8Rng::seed_from_u64(0).fill_bytes(&mut bytes);
    bytes
}

/// Every title begins with an `é` as Latin-1 writes it. A whole chunk is looked at, and none
/// ends within an attribute.
fn with_latin_1(chunk: &[u8]) -> Bytes {
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

/// Spaces after the opening of the feed, where XML allows any number of them; after the
/// whole of a fixed document, where it does too.
fn bomb(document: &FeedDocument, mebibytes: u32) -> Chunks {
    let chunks = mebibytes as usize * (MEBIBYTE / SPACES.len());
    let spaces = iter::repeat_n(Bytes::from_static(SPACES), chunks).map(Ok);
    match document {
        FeedDocument::Catalogue { catalogue, poll } => {
            let rest = feed::pieces_after_opening(catalogue, *poll);
            Box::new(one(feed::OPENING).chain(spaces).chain(rest.map(|piece| Ok(Bytes::from(piece)))))
        }
        FeedDocument::Fixed(_) => Box::new(document.chunks().chain(spaces)),
    }
}
