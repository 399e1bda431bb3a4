//! Splits texts into the words by which events are found. Both programs and both databases use these words, so a query selects the same
//! events everywhere.
//!
//! A word consists of lower-case letters and digits without accents, as in [`fold_name`](crate::fold_name()). Scripts that do not separate
//! words by spaces are split into overlapping pairs of characters. An emoji is a word. A sign between spaces, such as `!!!`, is one, too, but
//! a query ignores it beside other words. No word contains ASCII punctuation or a space, so no tokenizer of a database splits it.

use deunicode::deunicode_char;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Characters of a word. What follows is ignored, in texts and in queries.
const MAX_CHARACTERS: usize = 40;
/// Where ASCII punctuation is moved: characters for private use.
const MOVED_PUNCTUATION: u32 = 0xe000;

/// A word of a query.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Term {
    /// The word.
    pub word: String,
    /// Whether words that begin with it are matches.
    pub is_prefix: bool,
}

/// A piece of a text.
#[derive(Debug)]
enum Piece {
    /// A word between spaces or punctuation.
    Word(String),
    /// Characters of a script that does not separate words.
    Run(Vec<char>),
    /// An emoji or another picture.
    Picture(char),
    /// Punctuation between spaces.
    Signs(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Letter,
    Unspaced,
    Picture,
    /// Belongs to the character before it.
    Mark,
    Separator,
}

/// The words of a text, in its order.
#[must_use]
pub fn split_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for piece in split(text) {
        match piece {
            Piece::Word(word) => words.push(word),
            Piece::Run(run) => {
                words.extend(run.windows(2).map(|pair| pair.iter().collect()));
                // Each character begins a word, so that a query of one character is a prefix.
                words.extend(run.last().map(char::to_string));
                words.push(fold_letters(&run));
            }
            Piece::Picture(picture) => words.push(picture.to_string()),
            Piece::Signs(signs) => words.push(signs),
        }
    }
    words
}

/// The words of a query, in its order. The last one of the text matches words that begin with it. Joined by spaces, they are a query of the
/// same words.
#[must_use]
pub fn split_query(text: &str) -> Vec<Term> {
    let mut pieces = split(text);
    if pieces.iter().any(|piece| !matches!(piece, Piece::Signs(_))) {
        pieces.retain(|piece| !matches!(piece, Piece::Signs(_)));
    }
    let last = pieces.len().saturating_sub(1);
    let mut terms = Vec::new();
    for (index, piece) in pieces.into_iter().enumerate() {
        match piece {
            Piece::Word(word) | Piece::Signs(word) => terms.push(Term { word, is_prefix: index == last }),
            Piece::Run(run) if run.len() == 1 => terms.push(Term { word: run.iter().collect(), is_prefix: true }),
            Piece::Run(run) => {
                terms.extend(run.windows(2).map(|pair| Term { word: pair.iter().collect(), is_prefix: false }));
            }
            Piece::Picture(picture) => terms.push(Term { word: picture.to_string(), is_prefix: false }),
        }
    }
    terms
}

fn split(text: &str) -> Vec<Piece> {
    let text: String = text.chars().filter(|character| !is_invisible(*character)).nfkc().collect();
    text.split(|character: char| character.is_whitespace() || character.is_control()).flat_map(split_chunk).collect()
}

/// Splits what is between spaces.
fn split_chunk(chunk: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut group = Vec::new();
    let mut class = Class::Separator;
    for character in chunk.chars() {
        match classify(character) {
            Class::Mark => {}
            next => {
                if next != class {
                    flush(&mut pieces, class, &mut group);
                    class = next;
                }
                group.push(character);
            }
        }
    }
    flush(&mut pieces, class, &mut group);
    if pieces.is_empty() && !chunk.is_empty() {
        pieces.push(Piece::Signs(chunk.chars().take(MAX_CHARACTERS).map(move_punctuation).collect()));
    }
    pieces
}

fn flush(pieces: &mut Vec<Piece>, class: Class, group: &mut Vec<char>) {
    let group = std::mem::take(group);
    match class {
        Class::Letter => pieces.push(Piece::Word(fold_letters(&group))),
        Class::Unspaced => pieces.push(Piece::Run(group)),
        Class::Picture => pieces.extend(group.into_iter().map(Piece::Picture)),
        Class::Mark | Class::Separator => {}
    }
}

/// Letters and digits as the nearest ones of ASCII, or as they are if ASCII has none.
fn fold_letters(letters: &[char]) -> String {
    let mut folded = String::new();
    for &letter in letters {
        match deunicode_char(letter) {
            Some(plain) => {
                folded.extend(plain.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()));
            }
            None => folded.extend(letter.to_lowercase()),
        }
    }
    if folded.is_empty() {
        folded = letters.iter().flat_map(|letter| letter.to_lowercase()).collect();
    }
    match folded.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => folded[..end].to_owned(),
        None => folded,
    }
}

fn move_punctuation(character: char) -> char {
    let moved = character.is_ascii().then(|| char::from_u32(MOVED_PUNCTUATION + u32::from(character)));
    moved.flatten().unwrap_or(character)
}

fn classify(character: char) -> Class {
    match character {
        // Apostrophes do not separate words: Guns N' Roses.
        '\'' | '’' => Class::Mark,
        _ if is_unspaced(character) => Class::Unspaced,
        // Vowels of Hebrew and Arabic are optional; those of later scripts are letters.
        _ if is_combining_mark(character) && (character < '\u{900}' || !character.is_alphanumeric()) => Class::Mark,
        _ if character.is_alphanumeric() => Class::Letter,
        // The tones of skin.
        '\u{1f3fb}'..='\u{1f3ff}' => Class::Mark,
        '\u{2190}'..='\u{2bff}' | '\u{1f000}'..='\u{1fbff}' => Class::Picture,
        _ => Class::Separator,
    }
}

/// Whether it is of a script without spaces between words: those of China, Japan, Korea and Southeast Asia.
fn is_unspaced(character: char) -> bool {
    let is_of_script = matches!(character,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1100}'..='\u{11ff}' | '\u{1780}'..='\u{17ff}' | '\u{2e80}'..='\u{2fdf}'
        | '\u{3005}'..='\u{3007}' | '\u{3041}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{a960}'..='\u{a97f}'
        | '\u{ac00}'..='\u{d7ff}' | '\u{f900}'..='\u{faff}' | '\u{1b000}'..='\u{1b16f}' | '\u{20000}'..='\u{323af}');
    is_of_script && (character.is_alphanumeric() || is_combining_mark(character))
}

/// Characters that are not shown: soft hyphens, joiners, marks of direction, selectors of variants, tags.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(text: &str, query: &str) -> bool {
        let words = split_words(text);
        let terms = split_query(query);
        !terms.is_empty()
            && terms
                .iter()
                .all(|term| words.iter().any(|word| *word == term.word || term.is_prefix && word.starts_with(&term.word)))
    }

    #[test]
    fn texts_are_found_however_they_are_written() {
        for (text, queries) in [
            ("Mötley Crüe", &["motley", "MÖTLEY CRÜE", "Mo\u{308}tley cru\u{308}e", "crue motley", "crue mot"][..]),
            ("Große Straße", &["strasse", "STRAẞE", "grosse", "große stra"]),
            ("Bjørn Łąki", &["bjorn", "laki", "BJØRN ŁĄKI"]),
            ("Guns N’ Roses", &["guns n' roses", "guns n roses", "roses"]),
            ("AC/DC live!", &["ac/dc", "ac dc", "live", "live!"]),
            ("ＡＢＣ ﬁne ①", &["abc", "fine", "1"]),
            ("東京ドームコンサート", &["東京", "ドーム", "東京ドーム", "京", "ト", "dongjing", "東京 コンサート", "ﾄﾞｰﾑ"]),
            ("か\u{3099}くせい", &["がくせい", "がく"]),
            ("서울 재즈", &["서울", "서", "재즈", "서울 재", "seoul"]),
            ("คอนเสิร์ต", &["คอน", "เสิร์ต"]),
            ("مهرجان مُوسيقى", &["مهرجان", "موسيقى", "موس"]),
            ("שָׁלוֹם עולם", &["שלום", "עולם", "שלום עו"]),
            ("Кино", &["кино", "КИНО", "kino", "ки"]),
            ("🎸Rock👩\u{200d}🎤", &["🎸", "rock", "rock 🎸", "🎤", "👩"]),
            ("!!! (Chk Chk Chk)", &["!!!", "!!", "chk", "!!! chk"]),
            ("Fest\u{ad}ival", &["festival"]),
            ("हिन्दी", &["हिन्दी", "हि"]),
            ("Rock & Roll", &["rock & roll", "rock - roll", "rock roll", "&"]),
        ] {
            for query in queries {
                assert!(matches(text, query), "{query} finds {text}: {:?} in {:?}", split_query(query), split_words(text));
            }
        }
    }

    #[test]
    fn the_words_of_a_query_are_a_query_of_the_same_words() {
        for query in [
            "the a",
            "rock ROLL jazz jazz",
            "東京都 jaz",
            "京 jaz 京",
            "rock 🎸",
            "🎸🎸 a",
            "!!! &",
            "!!!",
            "Кино ﷺ",
            "AC/DC l'été",
        ] {
            let terms = split_query(query);
            let words: Vec<&str> = terms.iter().map(|term| term.word.as_str()).collect();
            assert_eq!(split_query(&words.join(" ")), terms, "{query}");
        }
    }

    #[test]
    fn only_the_last_word_is_a_prefix() {
        assert!(!matches("Mötley Crüe", "mot crue"));
        assert!(!matches("Mötley Crüe", "otley"));
        assert!(!matches("東京ドーム", "大阪"));
        assert!(!matches("Rock", "!!!"));
    }

    #[test]
    fn words_are_short_and_texts_without_words_have_none() {
        for (text, count) in [("", 0), (" \t\n\u{200b}", 0), (&"x".repeat(1_000), 1), (&"y ".repeat(200), 200)] {
            let words = split_words(text);
            assert_eq!(words.len(), count, "{text}");
            assert!(words.iter().all(|word| word.chars().count() <= MAX_CHARACTERS));
        }
        assert!(matches(&"x".repeat(1_000), &"x".repeat(500)));
    }

    #[test]
    fn no_word_contains_what_a_tokenizer_splits() {
        for character in ('\0'..='\u{32fff}').filter(|character| !character.is_whitespace()) {
            for word in split_words(&format!("a{character} {character} {character}{character}")) {
                let is_split = |letter: char| letter.is_ascii() && !letter.is_ascii_lowercase() && !letter.is_ascii_digit();
                assert!(!word.is_empty() && !word.contains(is_split), "{character:?}: {word:?}");
            }
        }
    }
}
