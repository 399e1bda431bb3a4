//! User-visible text uses standard English terms: string literals and doc comments of the programs, Markdown,
//! `.env.example` and `openapi.json`.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Phrases that readers would not search for, and what to write instead. A phrase is a list of words; `a|an` matches
/// either word, `^a|b` any other word.
const BANNED: [(&str, &str); 68] = [
    ("a|the leaver", "an event removed from the feed"),
    ("an|the|kept|old|stale|such answer", "response"),
    ("answers|answer are|is kept", "responses are cached"),
    ("as usual", "as before, or omit it"),
    ("asked|asks|asking|ask for", "requested, requests"),
    ("asks|asked the database|redis|worker|server", "queries"),
    ("at once", "immediately, together, in one statement"),
    ("at three in the morning", "troubleshooting"),
    ("away", "unavailable, out"),
    ("bury|buries|buried", "mark as dead"),
    ("board|boards|boarded the|a flight", "join an in-flight request"),
    ("brings|bring|brought it|them|in", "imports, commits"),
    ("came|come|comes|coming in", "is accepted, is received"),
    ("custom error", "a sentence of our own, then the cause"),
    ("every now and then", "periodically, sometimes"),
    ("fault|faults in the", "error in the"),
    ("flight|flights is|are|of|land|lands", "in-flight request"),
    ("for ever", "forever, or without a limit"),
    ("gave|give|gives|given back", "releases, returns"),
    ("goes|went in|well", "succeeds, is committed"),
    ("hand|hands|handed|handing down", "propagate"),
    ("hand|hands|handed|handing out", "allocate, lease"),
    ("hears|hear that|nothing|so|of", "receives, is not told"),
    ("hold|holds|held against", "compare"),
    ("house", "workspace, deployment"),
    ("in vain", "without success"),
    ("is|are|was|be|been kept", "is cached, is stored"),
    ("^there is|are no ^longer|more|newer|older|later|less|different", "is not a"),
    ("is|are ill", "is failing"),
    ("is|are left alone", "is paused"),
    ("is|are news", "has changed"),
    ("is|are standing|stood", "is"),
    ("is|are|be|was|were taken", "is accepted"),
    ("is|are|be|was|were told", "is logged, is reported"),
    ("is|are well", "is healthy"),
    ("knows nothing of", "has no data about"),
    ("leaver|leavers", "event removed from the feed"),
    ("let go of", "close, cancel, release"),
    ("meanwhile", "in the meantime, concurrently"),
    ("mend|mends|mended", "fix, recover"),
    ("mistake|mistakes", "validation error, error"),
    ("nobody", "no client, no process, no one"),
    ("not taken", "rejected"),
    ("of its|their|his own", "its own, separate"),
    ("of ours", "our"),
    ("passenger|passengers", "waiting request"),
    ("query error", "a sentence of our own, then the cause"),
    ("raise|raises|raised the version", "increment the version"),
    ("rehearsal|rehearse|rehearses|rehearsed", "dry run"),
    ("room|rooms", "crate, capacity, memory"),
    ("says", "contains, reports, states"),
    ("seldom", "rarely"),
    ("set|sets|setting aside", "rejected"),
    ("so many", "this many, the number of"),
    ("stand|stands|stood in|under", "is in"),
    ("take|takes|taken|took back", "delete, undo"),
    ("takes|taken|took in", "imports, accepts"),
    ("tells|telling", "returns, reports"),
    ("the end of a process", "shutdown"),
    ("there is|are no such", "does not exist"),
    ("tidies|tidied|tidying", "clean up, purge"),
    ("told", "returned, reported, configured"),
    ("toml parse error", "a sentence of our own, then the cause"),
    ("want|wants|wanted a|an|the|one|from", "must be, expected"),
    ("what is wanted|kept|known|told|asked|there", "the expected value, cached responses"),
    ("whoever", "any client, every caller"),
    ("whose", "with, its"),
    ("^there is|are none of", "is not one of"),
];

/// Text that is correct although it contains a phrase.
const ALLOWED: [&str; 4] = ["database_away", "INSUFFICIENT DATA FOR MEANINGFUL ANSWER", "Single flight is", "taken over"];

/// Word lists for invented titles.
const SKIPPED: [&str; 2] = ["provider-sim/src/cities.rs", "provider-sim/src/words.rs"];

#[derive(Debug)]
struct TextWord {
    text: String,
    line: usize,
    /// Whether a phrase ends here: the word ends a sentence, a paragraph or a literal.
    is_last: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct LanguageFinding {
    line: usize,
    phrase: String,
    suggestion: &'static str,
}

#[test]
fn user_visible_text_uses_standard_terms() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut report = Vec::new();
    for file in list_files(root) {
        let text = fs::read_to_string(&file).unwrap();
        let words = match file.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => split_source(&text),
            _ => split_text(&text),
        };
        let name = file.strip_prefix(root).unwrap().display();
        report.extend(
            find_phrases(&words)
                .iter()
                .map(|LanguageFinding { line, phrase, suggestion }| format!("{name}:{line}: `{phrase}`, write: {suggestion}")),
        );
    }
    assert!(report.is_empty(), "{} phrases that are not standard terms:\n{}", report.len(), report.join("\n"));
}

fn list_files(root: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", ".env.example", "openapi.json"]
        .map(|name| root.join(name))
        .into();
    files.retain(|file| file.exists());
    collect(&root.join("docs"), "md", &mut files);
    for entry in fs::read_dir(root).unwrap() {
        collect(&entry.unwrap().path().join("src"), "rs", &mut files);
    }
    files.retain(|file| !SKIPPED.iter().any(|skipped| file.ends_with(skipped)));
    files.sort();
    files
}

fn collect(folder: &Path, extension: &str, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, extension, files);
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
}

fn find_phrases(words: &[TextWord]) -> Vec<LanguageFinding> {
    let phrases: Vec<(Vec<&str>, &'static str)> =
        BANNED.iter().map(|(phrase, suggestion)| (phrase.split(' ').collect(), *suggestion)).collect();
    let mut findings = Vec::new();
    for start in 0..words.len() {
        for (phrase, suggestion) in &phrases {
            if let Some(words) = words[start..].get(..phrase.len())
                && matches_phrase(words, phrase)
            {
                let phrase = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
                findings.push(LanguageFinding { line: words[0].line, phrase, suggestion });
            }
        }
    }
    findings
}

fn matches_phrase(words: &[TextWord], phrase: &[&str]) -> bool {
    let is_match = words.iter().zip(phrase).all(|(word, part)| match part.strip_prefix('^') {
        Some(others) => others.split('|').all(|other| other != word.text),
        None => part.split('|').any(|option| option == word.text),
    });
    is_match && words[..words.len() - 1].iter().all(|word| !word.is_last)
}

/// The words of Markdown, JSON or a settings file.
fn split_text(text: &str) -> Vec<TextWord> {
    let mut words = Vec::new();
    push_words(text, 1, &mut words);
    words
}

fn push_words(text: &str, first_line: usize, words: &mut Vec<TextWord>) {
    for (number, line) in (first_line..).zip(text.lines()) {
        if line.trim().is_empty() {
            end_sentence(words);
        }
        let line = ALLOWED.iter().fold(line.to_owned(), |line, allowed| line.replace(allowed, ";"));
        for part in line.split(|character: char| character.is_whitespace() || "\"`()[]{}<>|*/=\\".contains(character)) {
            let text = part.trim_matches(|character: char| !character.is_alphanumeric()).to_lowercase();
            if text.is_empty() {
                if !part.is_empty() {
                    end_sentence(words);
                }
            } else {
                words.push(TextWord { text, line: number, is_last: part.ends_with(['.', ',', ';', ':', '?', '!']) });
            }
        }
    }
    end_sentence(words);
}

fn end_sentence(words: &mut [TextWord]) {
    if let Some(word) = words.last_mut() {
        word.is_last = true;
    }
}

/// The words of string literals and doc comments.
fn split_source(source: &str) -> Vec<TextWord> {
    let mut words = Vec::new();
    // Text of adjacent doc comment lines, so that phrases are found across lines.
    let mut comment = (String::new(), 0);
    let (mut rest, mut line, mut counted) = (source, 1, 0);
    while let Some(at) = rest.find(['"', '/', '\'', 'r']) {
        let position = source.len() - rest.len() + at;
        line += source[counted..position].matches('\n').count();
        counted = position;
        let is_adjacent = rest[..at].trim().is_empty();
        rest = &rest[at..];
        if rest.starts_with("//") {
            let end = rest.find('\n').unwrap_or(rest.len());
            if let Some(text) = rest.strip_prefix("///").or(rest.strip_prefix("//!")) {
                if !is_adjacent || comment.0.is_empty() {
                    push_words(&std::mem::take(&mut comment.0), comment.1, &mut words);
                    comment.1 = line;
                }
                comment.0.push_str(&text[..end - 3]);
                comment.0.push('\n');
            }
            rest = &rest[end..];
            continue;
        }
        let (literal, length) = parse_literal(rest);
        if let Some(literal) = literal {
            push_words(literal, line, &mut words);
        }
        rest = &rest[length..];
    }
    push_words(&comment.0, comment.1, &mut words);
    words.sort_by_key(|word| word.line);
    words
}

/// The text of the string literal at the start of `source`, if it is one, and the bytes to skip.
fn parse_literal(source: &str) -> (Option<&str>, usize) {
    if let Some(raw) = source.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if let Some(text) = raw[hashes..].strip_prefix('"') {
            let terminator = format!("\"{}", "#".repeat(hashes));
            let end = text.find(&terminator).unwrap_or(text.len());
            return (Some(&text[..end]), (hashes + 2 + end + terminator.len()).min(source.len()));
        }
        return (None, 1);
    }
    if let Some(text) = source.strip_prefix('"') {
        let mut characters = text.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => drop(characters.next()),
                '"' => return (Some(&text[..at]), at + 2),
                _ => (),
            }
        }
        return (Some(text), source.len());
    }
    // A quote in a character literal starts no string.
    let length = ["'\"'", "'\\\"'", "'\\''"].iter().find(|quote| source.starts_with(**quote)).map_or(1, |quote| quote.len());
    (None, length)
}

#[test]
fn the_scanner_reports_phrases_in_text_and_not_in_code() {
    let source = "/// A seldom\n/// used value is\n/// kept.\nlet seldom = \"at\\nonce \\\"whose\\\"\"; // nobody\nlet quote = '\"'; let away = r#\"at \"once\"\"#;";
    let findings = find_phrases(&split_source(source));
    let found: Vec<_> = findings.iter().map(|finding| (finding.line, finding.phrase.as_str())).collect();
    assert_eq!(found, [(1, "seldom"), (2, "is kept"), (4, "whose"), (5, "at once")]);
}

#[test]
fn phrases_end_with_a_sentence() {
    let found = |text: &str| find_phrases(&split_text(text)).len();
    assert_eq!((found("Look at. Once"), found("look at\nonce"), found("at\n\nonce"), found("At once!")), (0, 1, 0, 1));
}
