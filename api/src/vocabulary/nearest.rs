//! The words as an automaton, and the nearest one to a word.

use std::sync::LazyLock;

use fst::{Automaton, IntoStreamer, Set, Streamer, automaton::Str};
use levenshtein_automata::{DFA, Distance, LevenshteinAutomatonBuilder};

/// Letters of the shortest word that is corrected: most shorter words are one edit from many others.
const MIN_LETTERS: usize = 5;
/// Letters from which a word may have two edits.
const MIN_LETTERS_OF_TWO_EDITS: usize = 9;
/// Letters of the longest word that is corrected, as in the catalogue.
const MAX_LETTERS: usize = 40;

/// They describe how words differ, whatever the words: they are computed once. Swapped letters are one edit.
static AUTOMATA: LazyLock<[LevenshteinAutomatonBuilder; 2]> =
    LazyLock::new(|| [1, 2].map(|edits| LevenshteinAutomatonBuilder::new(edits, true)));

/// The words of all events.
#[derive(Debug)]
pub struct Vocabulary(Set<Vec<u8>>);

/// A word of a query, followed through the words.
struct Edits<'a>(&'a DFA);

impl Vocabulary {
    /// Builds it from words in any order.
    ///
    /// # Errors
    ///
    /// When the automaton is too large.
    pub fn build(mut words: Vec<String>) -> Result<Self, fst::Error> {
        words.sort_unstable();
        words.dedup();
        LazyLock::force(&AUTOMATA);
        Set::from_iter(words).map(Self)
    }

    /// The number of words.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no words.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The size in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.as_fst().as_bytes().len()
    }

    /// The nearest word to one that is unknown: with the fewest edits, then with the same first letter, then the first in the alphabet. `None`
    /// if the word is known, if none is near enough, and for what is not a word of Latin letters: short words, numbers, pairs of
    /// Chinese characters, symbols. With `is_prefix`, the beginning of a word is known, too.
    #[must_use]
    pub fn correct(&self, word: &str, is_prefix: bool) -> Option<String> {
        let letters = word.len();
        let is_latin = word.bytes().all(|letter| letter.is_ascii_lowercase());
        if !is_latin || !(MIN_LETTERS..MAX_LETTERS).contains(&letters) || self.is_known(word, is_prefix) {
            return None;
        }
        let edits = if letters < MIN_LETTERS_OF_TWO_EDITS { 1 } else { 2 };
        AUTOMATA[..edits].iter().find_map(|builder| self.find_nearest(word, &builder.build_dfa(word)))
    }

    fn is_known(&self, word: &str, is_prefix: bool) -> bool {
        let begins_one = || self.0.search(Str::new(word).starts_with()).into_stream().next().is_some();
        if is_prefix { begins_one() } else { self.0.contains(word) }
    }

    /// The words that the automaton accepts are all equally far: nearer ones were not found by the one before.
    fn find_nearest(&self, word: &str, dfa: &DFA) -> Option<String> {
        let mut found = self.0.search(Edits(dfa)).into_stream();
        let mut first = None;
        while let Some(key) = found.next() {
            let Ok(key) = std::str::from_utf8(key) else { continue };
            if key.as_bytes().first() == word.as_bytes().first() {
                return Some(key.to_owned());
            }
            first.get_or_insert_with(|| key.to_owned());
        }
        first
    }
}

impl Automaton for Edits<'_> {
    type State = u32;

    fn start(&self) -> u32 {
        self.0.initial_state()
    }

    fn is_match(&self, state: &u32) -> bool {
        matches!(self.0.distance(*state), Distance::Exact(_))
    }

    fn can_match(&self, state: &u32) -> bool {
        *state != levenshtein_automata::SINK_STATE
    }

    fn accept(&self, state: &u32, byte: u8) -> u32 {
        self.0.transition(*state, byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vocabulary(words: &[&str]) -> Vocabulary {
        Vocabulary::build(words.iter().map(|word| (*word).to_owned()).collect()).unwrap()
    }

    #[test]
    fn unknown_words_become_the_nearest_known_ones() {
        let vocabulary =
            vocabulary(&["barcelona", "berlin", "merlin", "concert", "concerto", "jazz", "madrid", "2024", "kino", "東京"]);
        for (word, expected) in [
            // One edit: a letter too many, too few, another one, or two that are swapped.
            ("madrrid", Some("madrid")),
            ("madrd", Some("madrid")),
            ("mandrid", Some("madrid")),
            ("mardid", Some("madrid")),
            // Two edits need nine letters.
            ("barzelonna", Some("barcelona")),
            ("braceloan", Some("barcelona")),
            ("mdrd", None),
            ("mardd", None),
            ("bercelone", Some("barcelona")),
            ("bercelonnes", None),
            // The fewest edits, then the same first letter, then the alphabet.
            ("concertt", Some("concert")),
            ("mberlin", Some("merlin")),
            ("zerlin", Some("berlin")),
            // Known, short, and not of letters.
            ("madrid", None),
            ("jaz", None),
            ("jezz", None),
            ("20245", None),
            ("東京都", None),
            ("", None),
        ] {
            assert_eq!(vocabulary.correct(word, false).as_deref(), expected, "{word}");
        }
    }

    #[test]
    fn the_beginning_of_a_word_is_known_only_as_a_prefix() {
        let vocabulary = vocabulary(&["barcelona", "barce"]);
        assert_eq!(vocabulary.correct("barcel", true), None);
        assert_eq!(vocabulary.correct("barcel", false).as_deref(), Some("barce"));
        assert_eq!(vocabulary.correct("barcelina", true).as_deref(), Some("barcelona"));
    }

    #[test]
    fn the_order_in_which_words_are_read_does_not_matter() {
        let words = ["berlin", "merlin", "perlin", "barcelona", "berlin"];
        let reversed: Vec<&str> = words.iter().rev().copied().collect();
        let (one, other) = (vocabulary(&words), vocabulary(&reversed));
        assert_eq!(one.len(), 4);
        for word in ["zerlin", "berlim", "perlino", "xarcelona"] {
            assert_eq!(one.correct(word, false), other.correct(word, false), "{word}");
        }
        assert!(vocabulary(&[]).is_empty());
        assert_eq!(vocabulary(&[]).correct("barcelona", true), None);
    }

    #[test]
    fn the_longest_words_have_a_bounded_cost() {
        let vocabulary = vocabulary(&["barcelona"]);
        for word in ["x".repeat(39), "x".repeat(40), "x".repeat(10_000)] {
            assert_eq!(vocabulary.correct(&word, false), None);
        }
    }
}
