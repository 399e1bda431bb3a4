//! The generated feed of the sync benchmarks: as compact as real feeds, generated in pieces in any order.
//!
//! `provider_sim::SimCatalogue` has 1.5 times the bytes per event and a fixed order. Here 50 MiB contain about 42,000 base
//! events, 84,000 events and 337,000 zones.

use std::fmt::Write;

use bytes::Bytes;

/// The average size of a base event, measured, to convert MiB to a number of base events.
const BASE_EVENT_BYTES: u64 = 1_245;
/// The least size of a piece.
const PIECE_BYTES: usize = 64 * 1024;
/// One in this number of base events differs between editions.
const CHANGED_EVERY: u64 = 100;

const EVENTS: u64 = 2;
const ZONES: u64 = 4;

/// A feed. The same settings produce the same bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BenchFeed {
    pub(crate) base_events: u64,
    /// Selects the order of the base events.
    pub(crate) order: u64,
    /// Selects the price of one base event in a hundred.
    pub(crate) edition: u64,
}

impl BenchFeed {
    /// A feed of about this size.
    pub(crate) fn with_mib(mib: u64) -> Self {
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

    /// The document in pieces.
    pub(crate) fn pieces(self) -> impl Iterator<Item = Bytes> + Send {
        let opening = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<eventList version=\"1.0\">\n<output>\n".to_owned();
        let mut positions = 0..self.base_events;
        let mut next = Some(opening);
        std::iter::from_fn(move || {
            let mut piece = next.take()?;
            for position in positions.by_ref() {
                self.base_event(self.base_event_at(position), &mut piece);
                if piece.len() >= PIECE_BYTES {
                    next = Some(String::new());
                    return Some(piece.into());
                }
            }
            piece.push_str("</output>\n</eventList>\n");
            Some(piece.into())
        })
    }

    /// The base event at a position.
    fn base_event_at(self, position: u64) -> u64 {
        if self.order == 0 {
            position
        } else {
            // Reversed and rotated, so that no base event has the same neighbors.
            (2 * self.base_events - 1 - position + self.order * 9_973 % self.base_events) % self.base_events
        }
    }

    fn base_event(self, index: u64, out: &mut String) {
        let random = split_mix(index);
        let (head, tail) = (WORDS[(random % 16) as usize], WORDS[(random / 16 % 16) as usize]);
        let mode = if random.is_multiple_of(10) { "offline" } else { "online" };
        // Writing to a String cannot fail.
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
        let random = split_mix(index * EVENTS + number + (1 << 40));
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

pub(crate) const WORDS: [&str; 16] = [
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

/// SplitMix64: a hash that generates any base event independently of the others.
pub(crate) fn split_mix(number: u64) -> u64 {
    let mut hash = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted_lines(feed: BenchFeed) -> Vec<String> {
        let document = String::from_utf8(feed.bytes().to_vec()).expect("text");
        let mut base_events: Vec<String> =
            document.split("</base_event>\n").map(|part| part.replace("</output>\n</eventList>\n", "")).collect();
        base_events[0] = base_events[0].split("<output>\n").nth(1).unwrap_or_default().to_owned();
        base_events.sort();
        base_events
    }

    #[test]
    fn another_order_has_the_same_base_events() {
        let feed = BenchFeed::with_mib(1);
        let other = BenchFeed { order: 3, ..feed };
        assert_ne!(feed.bytes(), other.bytes());
        assert_eq!(sorted_lines(feed), sorted_lines(other));
    }

    #[test]
    fn another_edition_changes_one_base_event_in_a_hundred() {
        let feed = BenchFeed { base_events: 1_000, order: 0, edition: 0 };
        let (before, after) = (sorted_lines(feed), sorted_lines(BenchFeed { edition: 1, ..feed }));
        assert_eq!(before.iter().zip(&after).filter(|(one, other)| one != other).count(), 10);
    }

    #[test]
    fn a_feed_has_about_the_requested_size() {
        let length = BenchFeed::with_mib(8).bytes().len() as f64 / (8.0 * 1024.0 * 1024.0);
        assert!((0.95..1.05).contains(&length), "{length}");
    }
}
