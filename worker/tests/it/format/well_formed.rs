//! What an XML parser rejects as not well-formed is rejected as `malformed`, at the position of the error.

use worker::provider::format::FeedDocumentError;

use super::parse;
use crate::fixtures;

/// A changed part of `sound/small.xml`. In the changed text, `¦` marks the position of the error.
type Damage = (&'static str, &'static str, &'static str);

/// Tags and attributes.
const TAGS: [Damage; 19] = [
    ("<zone zone_id", "<zone¦<zone_id", "`<` is not allowed in a tag"),
    ("<zone zone_id", "<zone¦=zone_id", "`=` is not allowed in a name"),
    ("<zone zone_id", "<_id¦=}", "`=` is not allowed in a name"),
    ("<zone zone_id", "<¦ zone zone_id", "a name is missing"),
    ("<zone zone_id", "<¦2zone zone_id", "a name must not start with `2`"),
    ("<zone zone_id", "<zo¦\u{d7}ne zone_id", "`×` is not allowed in a name"),
    ("<zone zone_id", "<zo¦\u{92}ne zone_id", "U+0092 is not allowed in a name"),
    ("<zone zone_id", "<zone zone¦\u{7}_id", "U+0007 is not allowed in a name"),
    ("<zone zone_id", "<zone ¦2zone_id", "a name must not start with `2`"),
    ("<zone zone_id", "<zone zone¦?id", "`?` is not allowed in a name"),
    ("<zone zone_id=", "<zone ¦=", "a name must not start with `=`"),
    ("zone_id=\"1\"", "zone_id=\"¦<1\"", "`<` is not allowed in a tag"),
    ("zone_id=\"1\" price=\"", "zone_id=\"1 price=\"¦", "white space is missing before the attribute"),
    ("zone_id=\"1\"", "zone_id=¦1", "the value of an attribute must be in quotes"),
    ("zone_id=\"1\"", "zone_id ¦\"1\"", "`=` is missing after the name of an attribute"),
    ("zone_id=\"1\"", "zone_id¦\"1\"", "`\"` is not allowed in a name"),
    ("zone_id=\"1\"", "zone_id=\"1\" ¦zone_id=\"2\"", "the attribute `zone_id` is repeated"),
    ("zone_id=\"1\"", "zone_id=\"1\"¦more=\"2\"", "white space is missing before the attribute"),
    ("</event>", "¦</event id=\"1\">", "the closing tag must be `</event>`"),
];

/// Everything that is not a tag.
const CONTENT: [Damage; 17] = [
    ("<output>", "<output>a ¦]]> b", "`]]>` is not allowed in a text"),
    ("<output>", "<output><!-- a ¦-- b -->", "`--` is not allowed in a comment"),
    ("<output>", "<output><!-- a - b ¦--->", "`--` is not allowed in a comment"),
    ("<output>", "<output>¦<!output>", "unknown markup"),
    ("<output>", "<output>¦<![cdata[ ]]>", "unknown markup"),
    ("<output>", "<output><?¦xMl version=\"1.0\"?>", "the target `xMl` of a processing instruction is reserved"),
    ("<output>", "<output><?¦ feed?>", "a name is missing"),
    ("<output>", "<output><?fe¦\"ed?>", "`\"` is not allowed in a name"),
    ("<output>", "<output>¦<?xml version=\"1.0\"?>", "the XML declaration must be at the start"),
    ("</eventList>", "</eventList>¦<![CDATA[]]>", "no content is allowed after the root"),
    ("</eventList>", "</eventList><!-- ¦-- -->", "`--` is not allowed in a comment"),
    ("<eventList", "¦text<eventList", "it must start with `<`"),
    ("<?xml", "<!-- a -->¦<?xml", "it must start with `<`"),
    ("<eventList", "<!-- ¦-- --><eventList", "`--` is not allowed in a comment"),
    ("</output>", "¦</output/>", "the closing tag must be `</output>`"),
    ("</output>", "¦</ output>", "the closing tag must be `</output>`"),
    ("</output>", "</output>¦</output>", "the closing tag must be `</eventList>`"),
];

/// The XML declaration and namespaces.
const DECLARATIONS: [Damage; 23] = [
    ("encoding=\"UTF-8\"", "encoding=\"UTF-8\" ¦encoding=\"UTF-8\"", "the attribute `encoding` is repeated"),
    ("version=\"1.0\" ", "¦", "`encoding` is not allowed here"),
    (" version=\"1.0\" encoding=\"UTF-8\"", " ", "the XML declaration has no version"),
    ("version=\"1.0\"", "¦version=\"2.0\"", "must not have the version `2.0`"),
    ("version=\"1.0\"", "¦version=\"1.\"", "must not have the version `1.`"),
    ("version=\"1.0\" ", "version=\"1.0\"¦", "white space is missing"),
    ("encoding=\"UTF-8\"", "¦standalone=\"maybe\"", "must not have the standalone `maybe`"),
    ("encoding=\"UTF-8\"", "standalone=\"no\" ¦encoding=\"UTF-8\"", "`encoding` is not allowed here"),
    ("encoding=\"UTF-8\"", "¦encoding=\"UTF 8\"", "must not have the encoding `UTF 8`"),
    ("encoding=\"UTF-8\"", "¦more=\"1\"", "`more` is not allowed here"),
    ("encoding=\"UTF-8\"", "encoding=¦UTF-8", "must be in quotes"),
    ("<zone zone_id", "<¦q:zone zone_id", "the prefix of `q:zone` is not declared"),
    ("<zone zone_id", "<zone ¦q:zone_id", "the prefix of `q:zone_id` is not declared"),
    ("<zone zone_id", "<zone xmlns:q=\"u\"/><¦q:zone zone_id", "the prefix of `q:zone` is not declared"),
    ("<zone zone_id", "<¦q:r:zone zone_id", "must be a prefix, `:` and a name"),
    ("<zone zone_id", "<zone ¦:zone_id", "must be a prefix, `:` and a name"),
    ("<zone zone_id", "<zone xmlns:q=\"u\" xmlns:r=\"u\" q:a=\"1\" ¦r:a=\"1\" zone_id", "the attribute `r:a` is repeated"),
    ("<zone zone_id", "<zone ¦xmlns:q=\"\" zone_id", "the namespace must not be empty"),
    ("<zone zone_id", "<zone ¦xmlns:xml=\"u\" zone_id", "the prefix is reserved"),
    ("<zone zone_id", "<zone ¦xmlns:q=\"a b\" zone_id", "the namespace must be a URI"),
    ("<zone zone_id", "<zone ¦xmlns:q=\"5rn:example\" zone_id", "the namespace must be a URI"),
    ("<zone zone_id", "<zone ¦xmlns:q=\"u\u{7f}rn:example\" zone_id", "the namespace must be a URI"),
    ("<zone zone_id", "<zone ¦xmlns:q=\"urn:a%2\" zone_id", "the namespace must be a URI"),
];

#[test]
fn rejects_what_is_not_well_formed_at_its_position() {
    for (original, changed, expected) in TAGS.into_iter().chain(CONTENT).chain(DECLARATIONS) {
        let marked = fixtures::text("sound/small.xml").replacen(original, changed, 1);
        let position = marked.find('¦');
        let document = marked.replace('¦', "");
        match parse(document.as_bytes()) {
            Err(FeedDocumentError::Malformed { line, column, detail }) => {
                assert!(detail.contains(expected), "{changed}: {detail}");
                if let Some(position) = position {
                    let before = &marked[..position];
                    let start_of_line = before.rfind('\n').map_or(0, |newline| newline + 1);
                    let expected = (before.matches('\n').count() + 1, before[start_of_line..].chars().count() + 1);
                    assert_eq!((line, column), expected, "{changed}: {detail}");
                }
            }
            other => panic!("{changed}: {other:?}"),
        }
    }
}

#[test]
fn accepts_everything_that_is_well_formed() {
    for (original, changed) in [
        ("<zone zone_id", "<zone\n\tzone_id"),
        ("zone_id=\"1\"", "zone_id = '1'"),
        ("<zone zone_id", "<zone xmlns='' xmlns:q='u:/?a=b%20c#d' q:zone_id=\"2\" é-·2.=\"\" xml:lang=\"en\" zone_id"),
        ("<zone zone_id", "<日本/><q:_ xmlns:q='u'/><zone zone_id"),
        ("<zone zone_id", "<zone more=\"&#x26;&#38;&lt;&gt;&quot;&apos;]]>--\u{85}\u{fffd}\u{fdd0}\u{1F600}&#x10FFFF;\" zone_id"),
        ("<output>", "<output>]] > ]]&gt; -- \u{7f}\u{92}&#133;<!-- - ]]> < & --><![CDATA[<&]] --]]><?a-b ]]> -- < & ?>"),
        ("<output>", "<output>Tom & Bea &nbsp; &#0; &#x110000; &#+65; &"),
        ("<?xml", "\r\n\n <?xml"),
        ("<output>", "<output>\u{b}<!-- \u{1b}[2J --><![CDATA[\u{ffff}]]>"),
        ("</output>", "</output\n >"),
        ("encoding=\"UTF-8\"", "encoding='utf-8' standalone = 'yes' "),
        ("version=\"1.0\" ", "version=\"1.1\" "),
        ("</eventList>", "</eventList><!-- after --><?the end?>"),
    ] {
        let document = fixtures::text("sound/small.xml").replacen(original, changed, 1);
        let feed = parse(document.as_bytes()).unwrap_or_else(|error| panic!("{changed}: {error}"));
        assert_eq!((feed.event_count(), feed.rejects.len()), (1, 0), "{changed}: {:?}", feed.rejects);
    }
}
