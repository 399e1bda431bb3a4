//! Control characters that XML allows, in the values of attributes.

/// The characters of windows-1252 from 0x80 to 0x9F; NUL where there is none.
const WINDOWS_1252: [char; 32] = [
    '€', '\0', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\0', 'Ž', '\0', '\0', '‘', '’', '“', '”', '•', '–', '—',
    '˜', '™', 'š', '›', 'œ', '\0', 'ž', 'Ÿ',
];

/// Replaces white space by one space, and U+0080 to U+009F by the characters that they are in windows-1252, because publishers mean
/// these. Removes all other control characters.
pub(super) fn replace_controls(value: &str) -> String {
    let words = value.split([' ', '\t', '\n', '\r']).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").chars().filter_map(replace_control).collect()
}

fn replace_control(character: char) -> Option<char> {
    match character {
        '\u{80}'..='\u{9F}' => {
            let index = usize::try_from(u32::from(character) - 0x80).ok()?;
            WINDOWS_1252.get(index).copied().filter(|&replacement| replacement != '\0')
        }
        _ => Some(character).filter(|character| !character.is_control()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_white_space_and_windows_1252_and_removes_the_rest() {
        for (value, expected) in [
            ("Don\u{92}t look", "Don’t look"),
            ("\u{80} 5\u{85}", "€ 5…"),
            ("two \n\t lines\r\n", "two lines"),
            ("a\u{7f}b\u{81}c", "abc"),
        ] {
            assert_eq!(replace_controls(value), expected, "{value:?}");
        }
    }
}
