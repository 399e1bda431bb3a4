//! Compares the metrics of the programs with their documentation, and with the alert rules and dashboards that use them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::edges::root;

/// Series that are derived from a histogram.
const HISTOGRAM_SUFFIXES: [&str; 3] = ["_bucket", "_count", "_sum"];

#[test]
fn operations_lists_all_metrics() {
    let (mut names, mut described) = (BTreeSet::new(), BTreeSet::new());
    for folder in ["api/src", "worker/src", "telemetry/src"] {
        collect_metrics(&root().join(folder), &mut names, &mut described);
    }
    let missing: Vec<_> = names.difference(&described).collect();
    assert!(missing.is_empty(), "metrics without a help text: {missing:?}");
    assert_eq!(documented("### Worker metrics", "### Metrics of other exporters"), names);
}

#[test]
fn alert_rules_and_dashboards_use_documented_metrics() {
    let known = documented("### Worker metrics", "## Reading the log");
    let mut unknown = Vec::new();
    for (file, expressions) in expressions() {
        assert!(!expressions.is_empty(), "{} has no expressions", file.display());
        for expression in expressions {
            for name in metrics_of(&expression) {
                let base = HISTOGRAM_SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(&name);
                if !known.contains(base) && !known.contains(&name) {
                    unknown.push(format!("{}: {name} in {expression}", file.display()));
                }
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn each_alert_has_a_runbook_section_and_a_test() {
    let mut alerts = BTreeSet::new();
    for rules in files("deploy/prometheus/rules", "yml") {
        let text = fs::read_to_string(rules).unwrap();
        for alert in text.split("- alert: ").skip(1) {
            let name = alert.lines().next().unwrap();
            let link = format!("runbook_url: docs/RUNBOOK.md#{}\n", name.to_lowercase());
            assert!(alert.contains(&link), "{name} has no `{link}`");
            alerts.insert(name.to_owned());
        }
    }
    let sections = lines_after("docs/RUNBOOK.md", "## ");
    assert_eq!(sections, alerts, "the sections of docs/RUNBOOK.md");
    let tested = lines_after("deploy/prometheus/alerts.test.yml", "alertname: ");
    assert_eq!(tested, alerts, "the alerts in deploy/prometheus/alerts.test.yml");
}

/// The rest of each line that begins with `prefix`, apart from indentation.
fn lines_after(path: &str, prefix: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join(path)).unwrap();
    text.lines().filter_map(|line| line.trim_start().trim_start_matches("- ").strip_prefix(prefix)).map(str::to_owned).collect()
}

/// The metrics in the tables of OPERATIONS.md between two headings.
fn documented(from: &str, to: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("docs/OPERATIONS.md")).unwrap();
    let section = text.split(&format!("\n{from}\n")).nth(1).unwrap().split(&format!("\n{to}\n")).next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.flat_map(|row| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// Collects the names of metrics in the sources of a folder, and those with a `describe_counter!`, `describe_gauge!` or
/// `describe_histogram!`.
fn collect_metrics(folder: &Path, names: &mut BTreeSet<String>, described: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect_metrics(&path, names, described);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source: String = fs::read_to_string(&path).unwrap().split_whitespace().collect();
            names.extend(source.split('"').filter(|literal| is_metric(literal)).map(str::to_owned));
            for described_metric in source.split("describe_").skip(1).filter_map(|rest| rest.split_once("!(")) {
                let argument = described_metric.1.split(',').next().unwrap();
                let constant = format!("const{argument}:&str=");
                let literal = source.split_once(&constant).map_or(argument, |(_, rest)| rest.split(';').next().unwrap());
                described.insert(literal.trim_matches('"').to_owned());
            }
        }
    }
}

fn is_metric(literal: &str) -> bool {
    let is_name = literal.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    is_name && (literal.starts_with("marquee_") || literal.starts_with("process_"))
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    assert!(!files.is_empty(), "{folder} has no .{extension} files");
    files
}

/// The PromQL expressions of each file with alert rules and of each dashboard.
fn expressions() -> Vec<(PathBuf, Vec<String>)> {
    let mut expressions = Vec::new();
    for file in files("deploy/prometheus/rules", "yml") {
        let text = fs::read_to_string(&file).unwrap();
        let ends = ["\n        for: ", "\n        labels:"];
        let rules = text.split("expr: ").skip(1).map(|rest| ends.iter().fold(rest, |rest, end| rest.split(end).next().unwrap()));
        let rules = rules.map(|rule| rule.trim_start_matches('|').to_owned()).collect();
        expressions.push((file, rules));
    }
    for file in files("deploy/grafana/dashboards", "json") {
        let dashboard: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let mut queries = Vec::new();
        collect_queries(&dashboard, &mut queries);
        expressions.push((file, queries));
    }
    expressions
}

fn collect_queries(value: &Value, queries: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            queries.extend(fields.get("expr").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|field| collect_queries(field, queries));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_queries(item, queries)),
        _ => (),
    }
}

/// The metrics of a PromQL expression: `up`, and the names with an underscore that are neither labels nor functions.
fn metrics_of(expression: &str) -> BTreeSet<String> {
    let parts = [("{", "}"), ("[", "]"), ("by (", ")"), ("on (", ")")];
    let text = parts.iter().fold(expression.to_owned(), |text, (start, end)| remove_between(&text, start, end));
    let words = text.split_inclusive(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    let names =
        words.filter(|word| !word.ends_with('(')).map(|word| word.trim_end_matches(|end: char| !end.is_ascii_alphanumeric()));
    names.filter(|name| name.contains('_') || *name == "up").map(str::to_owned).collect()
}

fn remove_between(text: &str, start: &str, end: &str) -> String {
    let mut parts = text.split(start);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + " " + part.split_once(end).map_or("", |(_, rest)| rest))
}

#[test]
fn metrics_are_distinguished_from_labels_and_functions() {
    let expression =
        "histogram_quantile(0.99, sum by (le, of_route) (rate(a_bucket{label_b=\"c\"}[5m]))) > 1e3 and on (d_e) up == 0 or (f_g)";
    assert_eq!(metrics_of(expression).into_iter().collect::<Vec<_>>(), ["a_bucket", "f_g", "up"]);
}
