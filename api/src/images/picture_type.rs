//! The types of pictures that are shown. The first bytes decide, and not what a server declares.

/// The media type of a picture of pixels. SVG is a document that may refer to others, so it is none.
pub(super) fn find_media_type(body: &[u8]) -> Option<&'static str> {
    match body {
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', b'f' | b's', ..] => Some("image/avif"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_decide() {
        for (body, expected) in [
            (&b"\xff\xd8\xff\xe0\x00\x10JFIF"[..], Some("image/jpeg")),
            (b"\x89PNG\r\n\x1a\n\x00", Some("image/png")),
            (b"GIF89a\x01", Some("image/gif")),
            (b"GIF87a\x01", Some("image/gif")),
            (b"RIFF\x24\x00\x00\x00WEBPVP8 ", Some("image/webp")),
            (b"\x00\x00\x00\x20ftypavif\x00", Some("image/avif")),
            (b"\x00\x00\x00\x20ftypmp42\x00", None),
            (b"RIFF\x24\x00\x00\x00WAVE", None),
            (b"GIF88a\x01", None),
            (b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>", None),
            (b"<!doctype html>", None),
            (b"\xff\xd8", None),
            (b"", None),
        ] {
            assert_eq!(find_media_type(body), expected, "{body:?}");
        }
    }
}
