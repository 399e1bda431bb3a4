//! Nodes that only mention an event of the document.

use super::{parse, parse_valid, titles};

#[test]
fn a_node_without_a_start_is_a_mention_of_its_namesake() {
    let complete = r#"{"@type":"Event",ID"name":"E","startDate":"2031-08-01"}"#;
    let mention = r#"{"@type":["MusicEvent"],ID"name":"Other","startDate":"","description":"Short"}"#;
    for (id, mentioned) in [
        (r#""@id":"e","#, r#""@id":"e","#),
        (r#""@id":"e","url":"https://x.example/e","#, r#""@id":"e","url":"https://x.example/other","#),
        (r#""identifier":"e","#, r#""identifier":{"value":"e"},"#),
        (r#""@id":"e","url":"https://x.example/e","#, r#""url":"https://x.example/e","#),
        (r#""@id":"e","url":"https://x.example/e","#, r#""@id":"_:b1","url":"https://x.example/e","#),
        (r#""url":"https://x.example/e","#, r##""@id":"#item","url":"https://x.example/e","##),
    ] {
        let (complete, mention) = (complete.replace("ID", id), mention.replace("ID", mentioned));
        let list = format!(r#"{{"@type":"ItemList","itemListElement":[{{"@type":"ListItem","item":{mention}}}]}}"#);
        for document in [format!("[{complete},{mention}]"), format!("[{mention},{complete}]"), format!("[{list},{complete}]")] {
            let base_events = parse_valid(&document);
            assert_eq!((titles(&base_events), base_events[0].events.len()), (vec!["E"], 1), "{document}");
            assert_eq!(base_events[0].details.description, None, "{document}");
        }
        let venue = format!(r#"[{complete},{{"@type":"MusicVenue","name":"Hall","event":[{mention}]}}]"#);
        assert_eq!(parse_valid(&venue)[0].events[0].venue.as_ref().map(|venue| venue.name.as_str()), Some("Hall"), "{venue}");
    }
    for (id, other) in [
        (r#""@id":"e","#, r#""@id":"f","#),
        (r#""@id":"e","url":"https://x.example/e","#, r#""@id":"f","url":"https://x.example/e","#),
        (r#""@id":"_:b1","identifier":"e","#, r#""@id":"_:b1","identifier":"f","#),
    ] {
        let document = format!("[{},{}]", complete.replace("ID", id), mention.replace("ID", other));
        let feed = parse(document.as_bytes()).unwrap();
        let reasons: Vec<_> = feed.rejects.iter().map(|reject| reject.reason.as_str()).collect();
        assert_eq!((feed.event_count(), reasons), (1, vec!["`startDate` is missing"]), "{document}");
    }
}

#[test]
fn a_listing_mentions_its_events() {
    let complete = |id: u8| format!(r#"{{"@type":"MusicEvent","@id":"e{id}","name":"E{id}","startDate":"2031-08-01"}}"#);
    let mention = |id: u8| format!(r#"{{"@type":"MusicEvent","@id":"e{id}","name":"E{id}","url":"https://x.example/{id}"}}"#);
    let [events, mentions] = [(0..12).map(complete).collect::<Vec<_>>(), (0..12).map(mention).collect()];
    let document =
        format!(r#"{{"@graph":[{{"@type":"ItemList","itemListElement":[{}]}},{}]}}"#, mentions.join(","), events.join(","));
    assert_eq!(parse_valid(&document).len(), 12);
}
