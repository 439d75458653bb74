//! The guide's checklist: each example is right, and each test that it names is there.

use std::path::Path;
use tandem_connector::rest::Description;

const GUIDE: &str = include_str!("../../../../../docs/rest.md");
/// Keys that stand at the top.
const TOP: [&str; 8] = [
    "session", "csrf", "base", "errors", "limits", "forms", "identity", "batch",
];
/// Keys of a record type.
const OF_A_TYPE: [&str; 13] = [
    "record",
    "list",
    "changes",
    "deletions",
    "read",
    "find",
    "create",
    "update",
    "delete",
    "actions",
    "push",
    "compare_every",
    "inside",
];

/// The rows of the checklist: number, what, examples and test.
fn table() -> Vec<[String; 4]> {
    let (_, behind) = GUIDE.split_once("## Checklist").unwrap();
    let lines = behind
        .lines()
        .skip_while(|line| !line.starts_with("| --- |"))
        .skip(1);
    let rows = lines.take_while(|line| line.starts_with('|'));
    let cells = |row: &str| {
        let row = row.replace("\\|", "\u{1}");
        let cells: Vec<String> = row
            .split('|')
            .map(|cell| cell.trim().replace('\u{1}', "|"))
            .collect();
        [1, 2, 3, 4].map(|at| cells.get(at).cloned().unwrap_or_default())
    };
    rows.map(cells).collect()
}

fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// A description that is right but for what the example says.
fn around(example: &str) -> String {
    let key = example.split(':').next().unwrap();
    let top = if TOP.contains(&key) { example } else { "" };
    let session = if key == "csrf" || example.contains("seats") {
        "session: { kind: login, request: POST /login, logout: { request: POST /logout } }\n"
    } else {
        ""
    };
    let mut of = vec![
        "record: { id: id, token: version, modified: changed }".to_owned(),
        "list: { request: GET /things, items: rows }".to_owned(),
        "read: { request: \"GET /things/{id}\" }".to_owned(),
        "update: { request: \"PATCH /things/{id}\", headers: { If-Match: \"{token}\" } }".to_owned(),
    ];
    let (mut property, mut part) = ("name: string", String::new());
    match key {
        "inside" => {
            part = format!(
                "  Line:\n    {example}\n    properties: {{ thing: {{ type: reference(Thing), at: ^.id }}, quantity: integer }}\n"
            );
        }
        key if OF_A_TYPE.contains(&key) => {
            of.retain(|line| !line.starts_with(&format!("{key}:")));
            of.push(example.to_owned());
            if key == "record" {
                of.retain(|line| !line.starts_with("update:"));
            }
        }
        key if !TOP.contains(&key) => property = example,
        _ => {}
    }
    let of: String = of.iter().map(|line| format!("    {line}\n")).collect();
    format!("{session}{top}\nrecord_types:\n  Thing:\n{of}    properties:\n      {property}\n{part}")
}

#[test]
fn each_example_of_the_checklist_is_right() {
    let table = table();
    let numbers: Vec<u32> = table.iter().filter_map(|row| row[0].parse().ok()).collect();
    assert_eq!(numbers, (1..=30).collect::<Vec<_>>());
    let mut tried = 0;
    for [_, what, examples, _] in &table {
        assert!(!examples.is_empty(), "{what} has no example");
        let examples = quoted(examples).into_iter();
        for example in examples.filter(|example| example.contains(": ")) {
            tried += 1;
            if let Err(problems) = Description::read("example.yaml", &around(example)) {
                let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
                panic!("{what}: {example}\n{}", said.join("\n"));
            }
            // It is the example that is read: with a key that nobody knows it is wrong.
            let wrong = around(&example.replacen(": {", ": { nonsense: 1, ", 1));
            let said = Description::read("example.yaml", &wrong);
            assert!(said.is_err() || !example.contains(": {"), "{what}: {wrong}");
        }
    }
    assert!(tried > 40, "{tried}");
}

#[test]
fn each_test_of_the_checklist_is_there() {
    let mut sources = String::new();
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![home.join("tests/it"), home.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.extension().is_some_and(|end| end == "rs") => {
                    sources.push_str(&std::fs::read_to_string(path).unwrap());
                }
                false => {}
            }
        }
    }
    for [_, what, examples, test] in table() {
        let said = !examples.starts_with("not by a description");
        assert_eq!(quoted(&test).len(), usize::from(said), "{what}");
        for name in quoted(&test) {
            assert!(
                sources.contains(&format!("fn {name}(")),
                "{what}: no test is called {name}"
            );
        }
    }
}
