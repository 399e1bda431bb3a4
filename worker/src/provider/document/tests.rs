use std::io::Write;

use flate2::{Compression, write::GzEncoder};

use super::*;

/// Copies bytes that arrive in small parts.
async fn convert(bytes: &[u8], charset: Option<&str>, part_bytes: usize) -> Result<String, CopyError> {
    let parts = futures_util::stream::iter(bytes.chunks(part_bytes).map(io::Result::Ok));
    let mut spool = SpoolWriter::new(1_000_000);
    copy(tokio_util::io::StreamReader::new(parts), charset, &mut spool).await?;
    let spool = spool.finish().await?;
    Ok(String::from_utf8_lossy(&spool.read(0..spool.len()).expect("a range within the spool")).into_owned())
}

fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// Text as UTF-16 with a byte order mark.
fn encode_utf16(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(to_bytes).collect()
}

#[tokio::test]
async fn converts_every_declared_encoding() {
    let declare = |name: &str, text: &[u8]| [format!("<?xml version=\"1.0\" {name}?>\n<a>").as_bytes(), text, b"</a>"].concat();
    let long = "é".repeat(5_000);
    let long_latin = [0xE9].repeat(5_000);
    for (what, bytes, charset, expected) in [
        ("UTF-8", declare("encoding='utf-8'", "Ñu €".as_bytes()), Some("iso-8859-1"), "Ñu €"),
        ("a byte order mark", [b"\xEF\xBB\xBF", declare("encoding='UTF-8'", "Ñu".as_bytes()).as_slice()].concat(), None, "Ñu"),
        (
            "a byte order mark before the declaration",
            [b"\xEF\xBB\xBF", declare("encoding='ISO-8859-1'", "Ñu".as_bytes()).as_slice()].concat(),
            None,
            "Ñu",
        ),
        ("ISO-8859-1", declare("encoding = 'ISO-8859-1'", b"\xD1u \x80"), None, "Ñu €"),
        ("ISO-8859-15", declare("encoding=\"iso-8859-15\"", b"\xD1u \xA4"), None, "Ñu €"),
        ("windows-1252", declare("encoding='Windows-1252' standalone='yes'", b"\xD1u \x80"), None, "Ñu €"),
        ("a Japanese encoding", declare("encoding='Shift_JIS'", b"\x89\xB9"), None, "音"),
        ("the declaration before the charset", declare("encoding='ISO-8859-1'", b"\xD1u"), Some("utf-8"), "Ñu"),
        ("the charset", declare("", b"\xD1u \xA4"), Some("ISO-8859-15"), "Ñu €"),
        ("an unknown charset", declare("", "Ñu".as_bytes()), Some("x-unknown"), "Ñu"),
        ("a charset of no text", declare("", "Ñu".as_bytes()), Some("iso-2022-kr"), "Ñu"),
        ("UTF-16 as the charset of ASCII", declare("", "Ñu".as_bytes()), Some("utf-16"), "Ñu"),
        ("the charset instead of an unknown encoding", declare("encoding='x-1252'", b"\xD1u"), Some("ISO-8859-1"), "Ñu"),
        ("a name of another language", declare("encoding='latin-1'", b"\xD1u"), None, "Ñu"),
        ("another such name", declare("encoding='ISO_8859_1'", b"\xD1u"), Some("utf-8"), "Ñu"),
        ("an encoding with escape sequences", declare("encoding='ISO-2022-JP'", b"\x1B$B2;\x1B(B"), None, "音"),
        ("ASCII", declare("encoding='US-ASCII'", "Ñu".as_bytes()), Some("us-ascii"), "Ñu"),
        ("other bytes than declared", declare("encoding='utf-8'", b"\xD1u"), None, "\u{fffd}u"),
        ("UTF-8 instead of the declared encoding", declare("encoding='ISO-8859-1'", "Ñu € é".as_bytes()), None, "Ñu € é"),
        ("the start of a character at the end", declare("encoding='ISO-8859-1'", b"\xE1"), None, "á"),
        ("a long text", declare("encoding='latin1'", &long_latin), None, long.as_str()),
        ("no declaration", b"\n <a>\xC3\xA9</a>".to_vec(), None, "é"),
    ] {
        for part_bytes in [1, 7, 100_000] {
            let text = convert(&bytes, charset, part_bytes).await.expect("a document");
            let content = text.split_once("<a>").and_then(|(_, rest)| rest.strip_suffix("</a>"));
            assert_eq!(content, Some(expected), "{what}: {text:?}");
            let declares_other = text.to_lowercase().contains("8859") || text.contains("1252");
            assert!(!declares_other, "{what}: {text:?}");
        }
    }
}

#[tokio::test]
async fn reads_the_encoding_of_a_web_page() {
    let title = b"<title>\xD1u \xA4</title>".as_slice();
    for (head, charset, expected) in [
        ("<!DOCTYPE html>\n<html><head><meta charset=\"iso-8859-15\">", None, "Ñu €"),
        ("<META CHARSET=ISO-8859-1>", None, "Ñu ¤"),
        (
            "<html><meta name=x content='a'><meta http-equiv='Content-Type' content='text/html; charset=iso-8859-15'>",
            None,
            "Ñu €",
        ),
        ("<!-- <meta charset=x> --><meta http-equiv=content-type content=\"text/html;charset='windows-1252'\">", None, "Ñu ¤"),
        ("<meta charset=iso-8859-1>", Some("iso-8859-15"), "Ñu €"),
        ("<meta charset=iso-8859-15>", Some("x-unknown"), "Ñu €"),
        ("<meta charset=iso-8859-15>", Some(""), "Ñu €"),
        ("<meta charset=iso-8859-1>", Some("utf-8"), "\u{fffd}u \u{fffd}"),
        ("<meta name=description content='charset=iso-8859-15'>", None, "\u{fffd}u \u{fffd}"),
        ("<meta charset=utf-16le>", None, "\u{fffd}u \u{fffd}"),
        ("<list><meta charset=iso-8859-1>", None, "\u{fffd}u \u{fffd}"),
        ("{\"page\": \"<meta charset=iso-8859-1>", None, "\u{fffd}u \u{fffd}"),
    ] {
        for part_bytes in [1, 100_000] {
            let text = convert(&[head.as_bytes(), title].concat(), charset, part_bytes).await.expect("a document");
            let content = text.split_once("<title>").and_then(|(_, rest)| rest.strip_suffix("</title>"));
            assert_eq!(content, Some(expected), "{head}: {text:?}");
        }
    }
    let utf_8 = "<meta charset=iso-8859-1><title>Ñu</title>";
    assert_eq!(convert(utf_8.as_bytes(), None, 100).await.expect("a document"), utf_8);
}

#[tokio::test]
async fn converts_utf_16_with_a_byte_order_mark() {
    let text = "\n<?xml version='1.0' encoding='utf-16'?>\n<a title='Ñu 🎵'/>";
    for bytes in [encode_utf16(text, u16::to_le_bytes), encode_utf16(text, u16::to_be_bytes)] {
        for part_bytes in [1, 3, 1_000] {
            assert_eq!(convert(&bytes, None, part_bytes).await.expect("a document"), text.replace("utf-16", "UTF-8"));
        }
    }
}

#[tokio::test]
async fn converts_utf_16_without_a_byte_order_mark() {
    let text = "{\"a\": \"Ñu\"}";
    for bytes in [encode_utf16(text, u16::to_le_bytes), encode_utf16(text, u16::to_be_bytes)] {
        for charset in ["utf-16", "UTF-16LE", "utf-16be"] {
            assert_eq!(convert(&bytes[2..], Some(charset), 1_000).await.expect("a document"), text, "{charset}");
        }
    }
}

#[tokio::test]
async fn decompresses_gzip_that_is_not_declared() {
    let text = "<?xml version='1.0' encoding='ISO-8859-1'?>\n<a/>";
    let expected = text.replace("ISO-8859-1", "UTF-8");
    let members = [compress(text.as_bytes()), compress(b"\xE9")].concat();
    assert_eq!(convert(&members, None, 10).await.expect("a document"), format!("{expected}é"));
    let truncated = &members[..members.len() - 5];
    assert!(matches!(convert(truncated, None, 10).await, Err(CopyError::Read(_))));
    let bomb = compress(&[b' '; 1_000_001]);
    assert!(matches!(convert(&bomb, None, 1_000).await, Err(CopyError::Spool(SpoolError::TooLarge { .. }))));
}

#[tokio::test]
async fn copies_an_empty_document() {
    assert_eq!(convert(b"", None, 1).await.expect("a document"), "");
}

#[tokio::test]
async fn stops_reading_an_endless_file_at_the_limit() {
    let result = copy_file(Path::new("/dev/zero"), 3_000_000).await;
    assert!(matches!(result, Err(SpoolError::TooLarge { limit_bytes: 3_000_000 })), "{result:?}");
    let missing = copy_file(Path::new("/nowhere/at/all"), 3).await;
    assert!(matches!(missing, Err(SpoolError::Unreadable(_))), "{missing:?}");
    assert!(copy_file(Path::new("/dev/null"), 3).await.unwrap().is_empty());
}
