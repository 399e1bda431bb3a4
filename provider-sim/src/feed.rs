//! The `event-list-xml` form of a catalogue.
//!
//! Owns how items are written and how a feed is cut into pieces for sending. Deliberately
//! builds no tree: a piece is written, handed on and forgotten.

use std::fmt::{self, Display, Formatter};
use std::iter;

use crate::catalogue::SimCatalogue;
use crate::model::{SellMode, SimBaseEvent, SimEvent, SimPerformer, SimVenue, SimZone};

/// What stands before the first base event.
pub(crate) const OPENING: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<eventList version=\"1.0\">\n  <output>\n";

/// What stands after the last.
const CLOSING: &str = "  </output>\n</eventList>\n";

/// A piece is handed on when it has reached this many bytes: large enough that sending it
/// costs little, small enough that making it does not hold up other connections.
const PIECE_BYTES: usize = 32 * 1024;

/// The whole feed at a poll: its opening, then [`pieces_after_opening`].
pub(crate) fn pieces(catalogue: &SimCatalogue, poll: u64) -> impl Iterator<Item = String> + Send + use<> {
    iter::once(OPENING.to_owned()).chain(pieces_after_opening(catalogue, poll))
}

/// The base events at a poll and the end of the feed. A piece holds whole base events.
pub(crate) fn pieces_after_opening(catalogue: &SimCatalogue, poll: u64) -> impl Iterator<Item = String> + Send + use<> {
    let mut base_events = catalogue.base_events(poll);
    let filled = iter::from_fn(move || {
        let mut piece = String::new();
        while piece.len() < PIECE_BYTES
            && let Some(base_event) = base_events.next()
        {
            piece.push_str(&base_event.to_string());
        }
        (!piece.is_empty()).then_some(piece)
    });
    filled.chain(iter::once(CLOSING.to_owned()))
}

/// The element as it stands in the feed, with its indentation and a line feed.
impl Display for SimBaseEvent {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let sell_mode = match self.sell_mode {
            SellMode::Online => "online",
            SellMode::Offline => "offline",
        };
        write!(out, "    <base_event base_event_id=\"{}\" sell_mode=\"{sell_mode}\"", self.id)?;
        if let Some(company) = self.organizer_company_id {
            write!(out, " organizer_company_id=\"{company}\"")?;
        }
        writeln!(out, " title=\"{}\">", Escaped(&self.title))?;
        for performer in &self.performers {
            write!(out, "      {performer}")?;
        }
        for event in &self.events {
            write!(out, "{event}")?;
        }
        out.write_str("    </base_event>\n")
    }
}

/// The element as it stands in the feed, with its indentation and a line feed.
impl Display for SimEvent {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        // The Debug form of a chrono date and time is documented to be the one of the feed,
        // and is written several times faster than by a format string.
        writeln!(
            out,
            "      <event event_start_date=\"{:?}\" event_end_date=\"{:?}\" event_id=\"{}\" \
             sell_from=\"{:?}\" sell_to=\"{:?}\" sold_out=\"{}\">",
            self.starts, self.ends, self.id, self.sell_from, self.sell_to, self.sold_out
        )?;
        write!(out, "        {}", self.venue)?;
        if let Some(support) = &self.support {
            write!(out, "        {support}")?;
        }
        for zone in &self.zones {
            write!(out, "        {zone}")?;
        }
        out.write_str("      </event>\n")
    }
}

/// The element as it stands in the feed, with a line feed.
impl Display for SimVenue {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "<venue venue_id=\"{}\" name=\"{}\" latitude=\"{}\" longitude=\"{}\" place_code=\"{}\"/>",
            self.id,
            Escaped(&self.name),
            self.latitude,
            self.longitude,
            self.place_code
        )
    }
}

/// The element as it stands in the feed, with a line feed.
impl Display for SimZone {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "<zone zone_id=\"{}\" capacity=\"{}\" price=\"{}.{:02}\" name=\"{}\" numbered=\"{}\"/>",
            self.id,
            self.capacity,
            self.price_cents / 100,
            self.price_cents % 100,
            Escaped(&self.name),
            self.numbered
        )
    }
}

/// The element as it stands in the feed, with a line feed.
impl Display for SimPerformer {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(out, "<performer performer_id=\"{}\" name=\"{}\"/>", self.id, Escaped(&self.name))
    }
}

/// Text as the value of an attribute in double quotes.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some((position, special)) = rest.char_indices().find(|(_, character)| "&<>\"'".contains(*character)) {
            out.write_str(&rest[..position])?;
            out.write_str(match special {
                '&' => "&amp;",
                '<' => "&lt;",
                '>' => "&gt;",
                '"' => "&quot;",
                _ => "&apos;",
            })?;
            rest = &rest[position + 1..];
        }
        out.write_str(rest)
    }
}
