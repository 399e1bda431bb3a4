//! Compares the documentation with the programs and the repository.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{deployment::program, edges::root};

const PROGRAMS: [&str; 4] = ["marquee-api", "marquee-worker", "marquee-migrate", "marquee-provider"];
const PROSE_COLUMNS: usize = 120;
const TABLE_COLUMNS: usize = 200;

/// A command line option that can also be set by an environment variable.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    flag: String,
    default: Option<String>,
}

/// All settings of the programs by name, from the help of each program and its subcommands.
pub(crate) fn load_settings() -> BTreeMap<String, Setting> {
    let mut settings = BTreeMap::new();
    for name in PROGRAMS {
        collect_settings(name, &[], &mut settings);
    }
    settings
}

fn collect_settings(name: &str, subcommands: &[&str], settings: &mut BTreeMap<String, Setting>) {
    let output = Command::new(program(name)).args(subcommands).arg("--help").env_clear().output().unwrap();
    assert!(output.status.success(), "{name} {subcommands:?} --help fails");
    let help = String::from_utf8(output.stdout).unwrap();
    // An option starts at its flag and ends before the next one.
    for option in help.split("\n      --").skip(1) {
        let Some(variable) = bracketed(option, "[env: ") else { continue };
        let flag = option.split([' ', '\n']).next().unwrap().to_owned();
        let setting = Setting { flag, default: bracketed(option, "[default: ").map(str::to_owned) };
        let variable = variable.trim_end_matches('=').to_owned();
        let known = settings.entry(variable.clone()).or_insert(Setting { flag: setting.flag.clone(), default: None });
        assert_eq!(known.flag, setting.flag, "{variable} has the same flag in all programs");
        known.default = setting.default.or(known.default.take());
    }
    let commands = help.split("\nCommands:\n").nth(1).unwrap_or_default();
    for line in commands.lines().take_while(|line| line.starts_with("  ")) {
        let command = line.split_whitespace().next().unwrap();
        // Deeper indentation continues a description.
        if command != "help" && !line.starts_with("   ") {
            collect_settings(name, &[subcommands, &[command]].concat(), settings);
        }
    }
}

#[test]
fn the_image_is_built_from_all_folders_of_the_programs() {
    let dockerfile = fs::read_to_string(root().join("deploy/Dockerfile")).unwrap();
    let copied: BTreeSet<&str> = dockerfile
        .lines()
        .filter_map(|line| line.strip_prefix("COPY ")?.split_once(' '))
        .filter_map(|(from, to)| (from == to).then_some(from))
        .collect();
    let crates: BTreeSet<&str> = copied.iter().filter_map(|folder| folder.strip_suffix("/src")).collect();
    assert!(crates.contains("api"), "{crates:?}");
    for name in crates {
        for entry in fs::read_dir(root().join(name)).unwrap().map(Result::unwrap) {
            let folder = format!("{name}/{}", entry.file_name().to_string_lossy());
            let is_built = entry.file_type().unwrap().is_dir() && !folder.ends_with("/tests");
            assert!(!is_built || copied.contains(folder.as_str()), "deploy/Dockerfile must copy {folder}");
        }
    }
}

/// The text between `start` and the next `]`.
fn bracketed<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    Some(text.split_once(start)?.1.split_once(']')?.0)
}

#[test]
fn flags_are_named_like_their_variables() {
    for (variable, setting) in load_settings() {
        assert_eq!(setting.flag, variable.to_lowercase().replace('_', "-"));
    }
}

#[test]
fn env_example_contains_all_settings_with_their_defaults() {
    let text = fs::read_to_string(root().join(".env.example")).unwrap();
    let documented: BTreeMap<&str, &str> =
        text.lines().filter_map(|line| line.strip_prefix('#')?.split_once('=')).filter(|(name, _)| is_variable(name)).collect();
    let settings = load_settings();
    assert_eq!(documented.keys().copied().collect::<Vec<_>>(), settings.keys().map(String::as_str).collect::<Vec<_>>());
    for (name, setting) in &settings {
        assert_eq!(documented[name.as_str()], setting.default.as_deref().unwrap_or_default(), "the default of {name}");
    }
}

#[test]
fn operations_lists_all_settings_with_their_defaults() {
    let text = fs::read_to_string(root().join("docs/OPERATIONS.md")).unwrap();
    let section = text.split("\n## Settings\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut documented = BTreeMap::new();
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let name = cells[1].trim_matches('`');
        if is_variable(name) {
            documented.insert(name, cells[2]);
        }
    }
    let settings = load_settings();
    assert_eq!(documented.keys().copied().collect::<Vec<_>>(), settings.keys().map(String::as_str).collect::<Vec<_>>());
    for (name, setting) in &settings {
        if let Some(default) = &setting.default {
            assert_eq!(documented[name.as_str()], format!("`{default}`"), "the default of {name}");
        }
    }
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

#[test]
fn paths_in_the_documentation_exist() {
    let folders: BTreeSet<String> = fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .filter(|name| !["target", ".git"].contains(&name.as_str()))
        .collect();
    let mut missing = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(root().join(&page)).unwrap();
        for target in link_targets(&text) {
            let path = target.split('#').next().unwrap();
            if !path.is_empty() && !root().join(&page).parent().unwrap().join(path).exists() {
                missing.push(format!("{}: link to {path}", page.display()));
            }
        }
        for span in code_spans(&text) {
            let is_path = span.contains('/') && span.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
            let is_in_repository = is_path && folders.contains(span.split('/').next().unwrap());
            if is_in_repository && !root().join(span).exists() {
                missing.push(format!("{}: {span}", page.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn anchors_in_the_documentation_exist() {
    let mut missing = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(root().join(&page)).unwrap();
        for target in link_targets(&text) {
            let Some((path, anchor)) = target.split_once('#') else { continue };
            let linked = if path.is_empty() { root().join(&page) } else { root().join(&page).parent().unwrap().join(path) };
            let headings = fs::read_to_string(&linked).unwrap_or_default();
            if !headings.lines().filter(|line| line.starts_with('#')).any(|line| slug(line.trim_start_matches('#')) == anchor) {
                missing.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The anchor that GitHub gives a heading.
fn slug(heading: &str) -> String {
    let text = heading.trim().to_lowercase().replace(' ', "-");
    text.chars().filter(|character| character.is_alphanumeric() || "-_".contains(*character)).collect()
}

#[test]
fn make_targets_in_the_documentation_exist() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let targets: BTreeSet<&str> =
        makefile.lines().filter_map(|line| line.split_once(':')).flat_map(|(names, _)| names.split_whitespace()).collect();
    let mut missing = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(root().join(&page)).unwrap();
        let commands = text.lines().filter_map(|line| line.strip_prefix("$ "));
        for command in code_spans(&text).chain(commands) {
            let mut words = command.split_whitespace();
            if let (Some("make"), Some(target)) = (words.next(), words.next())
                && !targets.contains(target)
            {
                missing.push(format!("{}: {command}", page.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn decision_records_have_a_status_and_a_date_and_are_listed() {
    let index = fs::read_to_string(root().join("docs/adr/README.md")).unwrap();
    let records = pages().into_iter().filter(|page| page.starts_with("docs/adr") && !page.ends_with("README.md"));
    for record in records {
        let text = fs::read_to_string(root().join(&record)).unwrap();
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let name = record.file_name().unwrap().to_str().unwrap();
        assert!(field("Status").is_some(), "{name} has no line `Status: ...`");
        assert!(index.contains(name), "{name} is not listed in docs/adr/README.md");
        if !name.starts_with("000-") {
            let date = field("Date").unwrap_or_default();
            assert!(date.parse::<chrono::NaiveDate>().is_ok(), "{name} has no line `Date: YYYY-MM-DD`");
        }
    }
}

#[test]
fn documentation_is_wrapped() {
    let mut long = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(root().join(&page)).unwrap();
        for (number, line) in prose(&text) {
            let limit = if line.starts_with('|') { TABLE_COLUMNS } else { PROSE_COLUMNS };
            if line.chars().count() > limit {
                long.push(format!("{}:{number}: {} columns, at most {limit}", page.display(), line.chars().count()));
            }
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

/// The Markdown pages of the repository, as paths from its root.
fn pages() -> Vec<PathBuf> {
    let mut pages = Vec::new();
    for folder in ["", "docs", "docs/adr", "docs/runbooks", ".github"] {
        let Ok(entries) = fs::read_dir(root().join(folder)) else { continue };
        let paths = entries.map(|entry| Path::new(folder).join(entry.unwrap().file_name()));
        pages.extend(paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    assert!(pages.contains(&PathBuf::from("README.md")) && pages.contains(&PathBuf::from("docs/OPERATIONS.md")));
    pages.sort();
    pages
}

/// The lines outside of code blocks, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_code = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        (!is_code && !is_fence).then_some((index + 1, line))
    })
}

/// The targets of relative links.
fn link_targets(text: &str) -> impl Iterator<Item = &str> {
    let targets = prose(text).flat_map(|(_, line)| line.split("](").skip(1).filter_map(|rest| rest.split_once(')')));
    targets.map(|(target, _)| target).filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
}

/// The texts between backticks.
fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    prose(text).flat_map(|(_, line)| line.split('`').skip(1).step_by(2))
}
