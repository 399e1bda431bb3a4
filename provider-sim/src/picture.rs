//! Pictures of shows: posters with the title, as SVG.

use std::fmt::Write;

use crate::feed::Escaped;

const LINE_CHARACTERS: usize = 20;
const LINE_HEIGHT: usize = 52;

/// The path of a picture on the server of the feed.
pub(crate) fn path_of(base_event: u64) -> String {
    format!("/images/{base_event}.svg")
}

/// The id of the base event with this picture.
pub(crate) fn base_event_of(path: &str) -> Option<u64> {
    path.strip_prefix("/images/")?.strip_suffix(".svg")?.parse().ok()
}

/// Draws the picture of a base event.
pub(crate) fn draw(base_event: u64, title: &str) -> String {
    // The golden angle: shows that follow each other have distant colors.
    let hue = base_event % 360 * 137 % 360;
    let (light_hue, x, radius) = ((hue + 40) % 360, 120 + base_event % 7 * 60, 110 + base_event % 5 * 30);
    let mut text = String::new();
    for (line, y) in wrap(title).iter().zip((150..).step_by(LINE_HEIGHT)) {
        // Writing to a String cannot fail.
        let _ = write!(text, "<text x=\"40\" y=\"{y}\">{}</text>", Escaped(line));
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 600 400\"><rect width=\"600\" height=\"400\" \
         fill=\"hsl({hue},45%,28%)\"/><circle cx=\"{x}\" cy=\"210\" r=\"{radius}\" fill=\"hsl({light_hue},55%,42%)\"/>\
         <g font-family=\"sans-serif\" font-size=\"44\" font-weight=\"bold\" fill=\"#fff\">{text}</g></svg>\n"
    )
}

/// The words of a title in lines.
fn wrap(title: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in title.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < LINE_CHARACTERS => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_escaped_and_in_short_lines() {
        let picture = draw(1, "Harrow & Vine: the very <last> evening in this old town");
        assert_eq!(picture.matches("<text ").count(), 3, "{picture}");
        assert!(picture.contains(">Harrow &amp; Vine: the</text>"), "{picture}");
        assert!(picture.contains(">very &lt;last&gt; evening</text>"), "{picture}");
    }

    #[test]
    fn a_path_has_the_id_of_its_base_event() {
        assert_eq!(base_event_of(&path_of(17)), Some(17));
        for path in ["/images/17", "/images/.svg", "/images/-1.svg", "/17.svg"] {
            assert_eq!(base_event_of(path), None, "{path}");
        }
    }
}
