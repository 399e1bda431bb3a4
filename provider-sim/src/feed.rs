//! Formats a catalogue as `event-list-xml`, in pieces, so that memory does not grow with the feed.

use std::fmt::{self, Display, Formatter};
use std::iter;

use crate::catalogue::SimCatalogue;
use crate::model::{SellMode, SimAddress, SimBaseEvent, SimDetails, SimEvent, SimPerformer, SimStatus, SimVenue, SimZone};

/// The text before the first base event.
pub(crate) const OPENING: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<eventList version=\"1.0\">\n  <output>\n";

/// The text after the last base event.
const CLOSING: &str = "  </output>\n</eventList>\n";

/// The least size of a piece: large enough to be sent efficiently, small enough that formatting it does not delay other
/// connections.
const PIECE_BYTES: usize = 32 * 1024;

/// The feed at a poll.
pub(crate) fn pieces(catalogue: &SimCatalogue, poll: u64) -> impl Iterator<Item = String> + Send + use<> {
    iter::once(OPENING.to_owned()).chain(pieces_after_opening(catalogue, poll))
}

/// The feed at a poll without [`OPENING`]. A piece contains whole base events.
pub(crate) fn pieces_after_opening(catalogue: &SimCatalogue, poll: u64) -> impl Iterator<Item = String> + Send + use<> {
    let mut base_events = catalogue.base_events(poll);
    let base_event_pieces = iter::from_fn(move || {
        let mut piece = String::new();
        while piece.len() < PIECE_BYTES
            && let Some(base_event) = base_events.next()
        {
            piece.push_str(&base_event.to_string());
        }
        (!piece.is_empty()).then_some(piece)
    });
    base_event_pieces.chain(iter::once(CLOSING.to_owned()))
}

/// The XML element with indentation and a line feed.
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
        write!(out, " title=\"{}\"", Escaped(&self.title))?;
        writeln!(out, "{}>", self.details)?;
        for performer in &self.performers {
            write!(out, "      {performer}")?;
        }
        for event in &self.events {
            write!(out, "{event}")?;
        }
        out.write_str("    </base_event>\n")
    }
}

/// The XML attributes, each after a space.
impl Display for SimDetails {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write_optional(out, "category", self.category)?;
        write_optional(out, "description", self.description.as_deref())?;
        write_optional(out, "organizer_name", self.organizer_name.as_deref())?;
        write_optional(out, "url", self.url.as_deref())?;
        write_optional(out, "image_url", self.image_url.as_deref())
    }
}

fn write_optional(out: &mut Formatter<'_>, attribute: &str, value: Option<&str>) -> fmt::Result {
    value.map_or(Ok(()), |value| write!(out, " {attribute}=\"{}\"", Escaped(value)))
}

/// The value of the XML attribute.
impl Display for SimStatus {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Scheduled => "scheduled",
            Self::Cancelled => "cancelled",
            Self::Postponed => "postponed",
            Self::Rescheduled => "rescheduled",
            Self::MovedOnline => "moved_online",
        })
    }
}

/// The XML element with indentation and a line feed.
impl Display for SimEvent {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        // The documented Debug format of chrono is the format of the feed, and several times faster than a format string.
        write!(
            out,
            "      <event event_start_date=\"{:?}\" event_end_date=\"{:?}\" event_id=\"{}\" \
             sell_from=\"{:?}\" sell_to=\"{:?}\" sold_out=\"{}\"",
            self.starts, self.ends, self.id, self.sell_from, self.sell_to, self.sold_out
        )?;
        // An event without a status is scheduled.
        if let Some(status) = self.status.filter(|status| *status != SimStatus::Scheduled) {
            write!(out, " status=\"{status}\"")?;
        }
        write_optional(out, "name", self.name)?;
        out.write_str(">\n")?;
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

/// The XML element with a line feed.
impl Display for SimVenue {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "<venue venue_id=\"{}\" name=\"{}\" latitude=\"{}\" longitude=\"{}\" place_code=\"{}\"",
            self.id,
            Escaped(&self.name),
            self.latitude,
            self.longitude,
            self.place_code
        )?;
        if let Some(SimAddress { street, city, region, country, postal_code, time_zone }) = &self.address {
            write!(
                out,
                " address=\"{}\" postal_code=\"{postal_code}\" city=\"{}\" region=\"{}\" country=\"{country}\" \
                 time_zone=\"{time_zone}\"",
                Escaped(street),
                Escaped(city),
                Escaped(region)
            )?;
        }
        out.write_str("/>\n")
    }
}

/// The XML element with a line feed.
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

/// The XML element with a line feed.
impl Display for SimPerformer {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(out, "<performer performer_id=\"{}\" name=\"{}\"/>", self.id, Escaped(&self.name))
    }
}

/// Escapes the value of an attribute in double quotes.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

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
