//! Parsing in pieces returns the same as parsing in one pass, for any document and any split.

use std::collections::HashSet;

use entity::UtcInstant;
use proptest::prelude::*;

use super::{
    super::{event_list_xml, recurrence::ReadMonth},
    *,
};
use crate::provider::{category::CategoryMap, item::RejectedItem};

fn view(spool: &Spool) -> SpoolView<'_> {
    SpoolView { spool, page: None }
}

fn conventions() -> Conventions {
    let currency = "EUR".parse().unwrap_or_else(|error| panic!("{error}"));
    let origin = "https://feeds.example/".parse().expect("a URL");
    let category_map = CategoryMap::default();
    let month = ReadMonth::of(UtcInstant(0));
    Conventions { time_zone: chrono_tz::Europe::Madrid, currency, category_map, id_from: None, origin, month }
}

fn parse_in_one_pass(document: &[u8]) -> Result<ParsedFeed, FeedDocumentError> {
    event_list_xml::PIECES.parse_whole(document, &conventions())
}

fn parse_in_pieces(document: &[u8], bytes: u64) -> Result<ParsedFeed, FeedDocumentError> {
    parse_unknown(document, bytes, ElementFilter::NONE)
}

fn parse_unknown(document: &[u8], bytes: u64, filter: ElementFilter<'_>) -> Result<ParsedFeed, FeedDocumentError> {
    let spool = Spool::from_bytes(document.to_vec());
    let sizes = PieceSizes { first: bytes, regular: bytes, max: 1 << 30 };
    let (conventions, digest) = (conventions(), |feed| feed);
    let reader = PieceReader {
        format: event_list_xml::PIECES,
        spool: view(&spool),
        settings: PieceSettings { filter, ..PieceSettings::whole(&conventions) },
        digest: &digest,
        sizes,
    };
    let mut whole = ParsedFeed::default();
    let read = reader.read_all(&mut |piece: ParsedFeed| {
        whole.append(piece);
        Ok(())
    });
    match read {
        Ok(()) => Ok(whole),
        Err(FeedReadError::Document(error)) => Err(error),
        Err(FeedReadError::Spool(error)) => panic!("{error}"),
    }
}

/// The parts of generated documents: valid and invalid items, and constructs that may hide what looks like an item.
const PARTS: [&str; 30] = [
    "<base_event base_event_id=\"1\" sell_mode=\"online\" title=\"One\"><event event_id=\"1\" event_date=\"2031-07-01T20:00:00\"><zone zone_id=\"1\" price=\"9.50\"/></event></base_event>",
    "<base_plan base_plan_id=\"2\" sell_mode=\"offline\" title=\"Two\">\n<plan plan_id=\"7\" event_date=\"2031-09-31\"/></base_plan>\n",
    "<base_event base_event_id=\"8\" sell_mode=\"online\" title=\"A & B&nbsp;\" url=\"x\"><event event_id=\"1\" event_date=\"2031-07-01\" event_end_date=\"2030\" status=\"x\">\n<zone price=\"1\"/><venue venue_id=\"1\" name=\"V\" latitude=\"41.4\" longitude=\"2.2\"/></event><performer/></base_event>",
    "Tom & Bea &nbsp; &#1;",
    "<evnt title=\"&",
    "<base_event base_event_id=\"3\" sell_mode=\"online\" title=\"\"/>",
    "<base_event base_event_id=\"4\" sell_mode=\"online\" title=\"<base_event \"/>",
    "<base_event base_event_id=\"5\" sell_mode=\"online\" title=\"a>b\"><base_event base_event_id=\"6\"/></base_event>",
    "<!-- <base_event base_event_id=\"7\" sell_mode=\"online\" title=\"no\"/> -->",
    "<!-- ",
    " -->",
    "<![CDATA[ <base_event> </output> ]]>",
    "<![CDATA[",
    "]]>",
    "<?pi <base_plan ?>",
    "<?pi ",
    "?>",
    "</output><output>",
    "</output><more><base_event/></more><n:output xmlns:n=\"u\">",
    "</n:output><output>",
    "</output>",
    "</eventList>",
    "<unknown><base_event a=\"b\"/></unknown>",
    "&amp;<base_event",
    "&broken",
    "<base_evnt title=\"&#146;\"/><q:unknown xmlns:q=\"u\"/>",
    "<q:unknown/><base_event q:a=\"\"/>",
    " ]]> \u{1}",
    "\n  \u{e9}",
    "\0",
];

fn document() -> impl Strategy<Value = Vec<u8>> {
    let parts = prop::collection::vec(prop::sample::select(PARTS.to_vec()), 0..12);
    (parts, any::<bool>(), 0..200_usize).prop_map(|(parts, is_closed, cut)| {
        let end = if is_closed { "</output></eventList>\n" } else { "" };
        let mut document = format!("<?xml version=\"1.0\"?>\n<eventList><output>{}{end}", parts.concat()).into_bytes();
        if cut < 20 {
            document.truncate(document.len() - cut);
        }
        document
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn pieces_of_any_size_match_a_single_pass(document in document(), bytes in 1..400_u64) {
        prop_assert_eq!(parse_in_pieces(&document, bytes), parse_in_one_pass(&document));
    }

    /// Elements of an earlier document are skipped, and everything else is parsed as without them.
    #[test]
    fn known_elements_are_skipped(earlier in document(), document in document(), bytes in 1..400_u64) {
        let known: HashSet<i64> =
            parse_in_one_pass(&earlier).map(|feed| feed.recognizable.iter().map(|element| element.hash).collect()).unwrap_or_default();
        let is_known = |hash| known.contains(&hash);
        let actual = parse_unknown(&document, bytes, ElementFilter { seed: 0, is_known: &is_known });
        let expected = parse_in_one_pass(&document);
        let Ok(actual) = actual else {
            prop_assert_eq!(actual, expected);
            return Ok(());
        };
        let mut expected = expected.unwrap_or_default();
        // An element after a text is parsed, unless a piece starts with it.
        prop_assert!(actual.known.iter().all(|element| is_known(element.hash) && expected.recognizable.contains(element)));
        let is_parsed = |span: &Range<usize>| actual.known.iter().all(|element| element.span != *span);
        expected.base_events.retain(|item| is_parsed(&item.span));
        expected.recognizable.retain(|element| is_parsed(&element.span));
        expected.known.clone_from(&actual.known);
        prop_assert_eq!(actual, expected);
    }

    #[test]
    fn reparsing_a_base_event_returns_the_same(document in document()) {
        let Ok(feed) = parse_in_one_pass(&document) else { return Ok(()) };
        let spool = Spool::from_bytes(document);
        for base_event in &feed.base_events {
            let span = base_event.span.start as u64..base_event.span.end as u64;
            let again = event_list_xml::PIECES.reparse(&spool, span, &conventions()).unwrap_or_default();
            prop_assert_eq!(again.base_events.as_slice(), std::slice::from_ref(base_event));
            let is_inside = |reject: &&RejectedItem| base_event.span.contains(&reject.span.start);
            prop_assert_eq!(again.rejects, feed.rejects.iter().filter(is_inside).cloned().collect::<Vec<_>>());
        }
    }
}

#[test]
fn an_element_after_the_root_is_the_error_wherever_its_tag_is_split() {
    let document = format!("<eventList><output></output></eventList><evnt title=\"{}\"/>", "<base_event ".repeat(40));
    for bytes in 1..document.len() as u64 {
        let pieces = parse_in_pieces(document.as_bytes(), bytes);
        assert_eq!(pieces, parse_in_one_pass(document.as_bytes()), "pieces of {bytes} bytes");
    }
}

#[test]
fn known_elements_are_skipped_after_tags() {
    let show = |id: u32| format!("<base_event base_event_id=\"{id}\" sell_mode=\"online\" title=\"T\"><event/></base_event>\n");
    let with_event = |id: u32| show(id).replace("<event/>", "<event event_id=\"1\" event_date=\"2031-07-01\"/>");
    let document = |shows: &[String]| format!("<eventList>\n<output>\n{}</output></eventList>", shows.concat());
    let earlier = parse_in_one_pass(document(&[1, 2, 3].map(with_event)).as_bytes()).unwrap();
    let known: HashSet<i64> = earlier.recognizable.iter().map(|element| element.hash).collect();
    assert_eq!(known.len(), 3);
    let shows = [with_event(3), show(4), "<!-- 2 -->".to_owned(), with_event(2), with_event(1), with_event(5)];
    let is_known = |hash| known.contains(&hash);
    let feed = parse_unknown(document(&shows).as_bytes(), 1 << 20, ElementFilter { seed: 0, is_known: &is_known }).unwrap();
    let parsed: Vec<&str> = feed.base_events.iter().map(|item| item.source_id.as_str()).collect();
    assert_eq!((parsed, feed.known.len(), feed.rejects.len()), (vec!["4", "2", "5"], 2, 1));
    let other = parse_unknown(document(&shows).as_bytes(), 1 << 20, ElementFilter { seed: 1, is_known: &is_known }).unwrap();
    assert_eq!((other.base_events.len(), other.known.len()), (5, 0), "other settings");
}

#[test]
fn reports_the_line_of_a_base_event_that_is_too_large() {
    let document = format!("<eventList>\n<output>\n<base_event>{}", "<event/>\n".repeat(1_000));
    let spool = Spool::from_bytes(document);
    let sizes = PieceSizes { first: 64, regular: 64, max: 4096 };
    let (conventions, digest) = (conventions(), |_| ());
    let reader = PieceReader {
        format: event_list_xml::PIECES,
        spool: view(&spool),
        settings: PieceSettings::whole(&conventions),
        digest: &digest,
        sizes,
    };
    let result = reader.read_all(&mut |()| Ok(())).map_err(|error| error.to_string());
    assert_eq!(result, Err("the document exceeds the limit of 4096 bytes in a base event (line 3)".to_owned()));
}
