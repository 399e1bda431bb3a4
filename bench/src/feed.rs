//! The invented feed of the timings: as compact as the feeds in the field, made piece by piece in any order.
//!
//! Not `provider_sim::Catalogue`, whose feeds say more of each event (1.5 times the bytes) and keep one order: here 50 MiB hold what the
//! targets speak of, about 42,000 base events, 84,000 events and 337,000 zones.

use std::fmt::Write;

use bytes::Bytes;

/// Bytes of one base event on average; measured, so that a size in MiB can be turned into a number of base events.
const BASE_EVENT_BYTES: u64 = 1_245;
/// A piece is handed on when it has reached this many bytes, so that making it costs little beside sending it.
const PIECE_BYTES: usize = 64 * 1024;
/// One base event in this many differs from edition to edition.
const CHANGED_EVERY: u64 = 100;

const EVENTS: u64 = 2;
const ZONES: u64 = 4;

/// A feed; the same settings give the same bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Feed {
    pub(crate) base_events: u64,
    /// Another one gives another order of the same base events.
    pub(crate) order: u64,
    /// Another one gives another price to one base event in a hundred.
    pub(crate) edition: u64,
}

impl Feed {
    /// About this large.
    pub(crate) fn of_mib(mib: u64) -> Self {
        Self { base_events: (mib * 1024 * 1024 / BASE_EVENT_BYTES).max(CHANGED_EVERY), order: 0, edition: 0 }
    }

    pub(crate) fn event_count(&self) -> u64 {
        self.base_events * EVENTS
    }

    pub(crate) fn zone_count(&self) -> u64 {
        self.event_count() * ZONES
    }

    /// The whole document.
    pub(crate) fn bytes(self) -> Bytes {
        let mut document = Vec::with_capacity(usize::try_from(self.base_events * BASE_EVENT_BYTES).unwrap_or(0));
        for piece in self.pieces() {
            document.extend_from_slice(&piece);
        }
        document.into()
    }

    /// The document piece by piece: memory does not grow with its length.
    pub(crate) fn pieces(self) -> impl Iterator<Item = Bytes> + Send {
        let opening = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<eventList version=\"1.0\">\n<output>\n".to_owned();
        let mut positions = 0..self.base_events;
        let mut next = Some(opening);
        std::iter::from_fn(move || {
            let mut piece = next.take()?;
            for position in positions.by_ref() {
                self.base_event(self.at(position), &mut piece);
                if piece.len() >= PIECE_BYTES {
                    next = Some(String::new());
                    return Some(piece.into());
                }
            }
            piece.push_str("</output>\n</eventList>\n");
            Some(piece.into())
        })
    }

    /// Which base event stands at this position.
    fn at(self, position: u64) -> u64 {
        if self.order == 0 {
            position
        } else {
            // Backwards, and begun elsewhere in each order: neither two neighbours nor the first ones stay where they were.
            (2 * self.base_events - 1 - position + self.order * 9_973 % self.base_events) % self.base_events
        }
    }

    fn base_event(self, index: u64, out: &mut String) {
        let random = mixed(index);
        let (head, tail) = (WORDS[(random % 16) as usize], WORDS[(random / 16 % 16) as usize]);
        let mode = if random.is_multiple_of(10) { "offline" } else { "online" };
        // A String takes whatever is written.
        let _written = writeln!(
            out,
            "<base_event base_event_id=\"{index}\" sell_mode=\"{mode}\" organizer_company_id=\"{}\" title=\"{head} &amp; {tail} en \
             concierto, temporada {}\">",
            random % 97,
            random % 1_009
        );
        if random.is_multiple_of(4) {
            let performer = random / 4 % 5_000;
            let _written = writeln!(
                out,
                "<performer performer_id=\"{performer}\" name=\"{head} {performer}\"/>",
                head = WORDS[(performer % 16) as usize]
            );
        }
        for number in 0..EVENTS {
            self.event(index, number, out);
        }
        out.push_str("</base_event>\n");
    }

    fn event(self, index: u64, number: u64, out: &mut String) {
        let random = mixed(index * EVENTS + number + (1 << 40));
        let (month, day, hour) = (random % 12 + 1, random / 12 % 28 + 1, random / 336 % 3 + 19);
        let sold_out = random.is_multiple_of(20);
        let _written = writeln!(
            out,
            "<event event_start_date=\"2026-{month:02}-{day:02}T{hour:02}:00:00\" event_end_date=\"2026-{month:02}-{day:02}T{end:02}:30:00\" \
             event_id=\"{id}\" sell_from=\"2025-{month:02}-{day:02}T00:00:00\" sell_to=\"2026-{month:02}-{day:02}T{hour:02}:00:00\" \
             sold_out=\"{sold_out}\">",
            end = hour + 1,
            id = index * EVENTS + number
        );
        if random.is_multiple_of(4) {
            let venue = random / 4 % 300;
            let _written = writeln!(
                out,
                "<venue venue_id=\"{venue}\" name=\"Sala {}\" latitude=\"40.{venue:03}\" longitude=\"-3.{venue:03}\" place_code=\"ESMAD\"/>",
                WORDS[(venue % 16) as usize]
            );
        }
        let is_changed = number == 0 && index % CHANGED_EVERY == CHANGED_EVERY / 2;
        for zone in 0..ZONES {
            let price = 15 + random % 80 + 5 * zone + if is_changed && zone == 0 { self.edition } else { 0 };
            let _written = writeln!(
                out,
                "<zone zone_id=\"{}\" capacity=\"{}\" price=\"{price}.50\" name=\"{}\" numbered=\"{}\"/>",
                random % 400 + zone,
                random / 7 % 900,
                ["Platea", "Grada 2", "Anfiteatro", "A28"][zone as usize],
                zone.is_multiple_of(2)
            );
        }
        out.push_str("</event>\n");
    }
}

const WORDS: [&str; 16] = [
    "Camela",
    "Pantomima Full",
    "Los Morancos",
    "Orquesta de Cámara",
    "El Lago de los Cisnes",
    "Noche Flamenca",
    "La Traviata",
    "Jazz",
    "Ópera Prima",
    "Niños Cantores",
    "Ballet Nacional",
    "Tributo a Queen",
    "Candlelight",
    "Monólogos",
    "Gran Gala",
    "Festival de Otoño",
];

/// SplitMix64: well spread numbers without a state, so that any base event can be made alone.
pub(crate) fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted_lines(feed: Feed) -> Vec<String> {
        let document = String::from_utf8(feed.bytes().to_vec()).expect("text");
        let mut base_events: Vec<String> =
            document.split("</base_event>\n").map(|part| part.replace("</output>\n</eventList>\n", "")).collect();
        base_events[0] = base_events[0].split("<output>\n").nth(1).unwrap_or_default().to_owned();
        base_events.sort();
        base_events
    }

    #[test]
    fn another_order_is_another_document_with_the_same_base_events() {
        let feed = Feed::of_mib(1);
        let other = Feed { order: 3, ..feed };
        assert_ne!(feed.bytes(), other.bytes());
        assert_eq!(sorted_lines(feed), sorted_lines(other));
    }

    #[test]
    fn another_edition_changes_one_base_event_in_a_hundred() {
        let feed = Feed { base_events: 1_000, order: 0, edition: 0 };
        let (before, after) = (sorted_lines(feed), sorted_lines(Feed { edition: 1, ..feed }));
        assert_eq!(before.iter().zip(&after).filter(|(one, other)| one != other).count(), 10);
    }

    #[test]
    fn a_feed_is_about_as_large_as_was_asked() {
        let length = Feed::of_mib(8).bytes().len() as f64 / (8.0 * 1024.0 * 1024.0);
        assert!((0.95..1.05).contains(&length), "{length}");
    }
}
