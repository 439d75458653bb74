//! A wrong configuration is refused with all its problems before any call is made.

use crate::local::{Pair, run_in};
use serde_json::Value as Json;

#[test]
fn without_a_configuration_it_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let run = run_in(folder.path(), &["sync"]);
    assert_eq!(run.code, Some(2));
    assert!(
        run.err.contains("tandem.yaml") && run.err.contains("tandem init"),
        "{}",
        run.err
    );
}

#[test]
fn all_problems_are_told_at_once_before_any_call() {
    // GIVEN a configuration with three mistakes in three files
    let pair = Pair::start(&["--records", "2"], &[]);
    let break_file = |name: &str, from: &str, to: &str| {
        let path = pair.path(name);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{name} has no {from}");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
    };
    break_file(
        "flows/contact-contact.yaml",
        "customerp: lastName",
        "customerp: latsName",
    );
    break_file(
        "flows/order-order.yaml",
        "references: employee-user",
        "references: employee-usr",
    );
    break_file("flows/product-product2.yaml", "type: boolean", "type: bolean");
    let before = calls(&pair);
    // WHEN a sync is asked for
    let run = pair.run(&["sync", "--json"]);
    // THEN all three are told with their place, and nobody was called
    assert_eq!(run.code, Some(2), "{}", run.err);
    let said: Json = serde_json::from_str(run.err.lines().last().unwrap()).unwrap();
    let problems = said["problems"].as_array().unwrap();
    for (file, word) in [
        ("contact-contact.yaml", "latsName"),
        ("order-order.yaml", "employee-usr"),
        ("product-product2.yaml", "bolean"),
    ] {
        let told = problems.iter().any(|problem| {
            problem["file"].as_str().unwrap().ends_with(file)
                && ["message", "help"]
                    .iter()
                    .any(|part| problem[*part].as_str().unwrap().contains(word))
                && problem["line"].as_u64().unwrap() > 1
                && !problem["help"].as_str().unwrap().is_empty()
        });
        assert!(told, "{file}: {}", run.err);
    }
    let text = pair.run(&["status"]);
    assert!(text.err.contains("A row maps `latsName`"), "{}", text.err);
    assert_eq!(calls(&pair), before);
}

fn calls(pair: &Pair) -> u64 {
    let shown = crate::rest::get(&format!("{}/_local/calls", pair.customerp.url));
    shown["total"].as_u64().unwrap()
}

#[test]
fn init_overwrites_nothing() {
    let pair = Pair::start(&["--records", "2"], &[]);
    let again = pair.run(&[
        "init",
        "--customerp-url",
        &pair.customerp.url,
        "--salesforce-url",
        &pair.salesforce.url,
    ]);
    assert_eq!(again.code, Some(2));
    assert!(again.err.contains("there already"), "{}", again.err);
}

/// GIVEN a description with two places where nothing stands, one of which may be blank
#[test]
fn check_tells_a_wrong_description_and_what_is_in_doubt() {
    let pair = Pair::start(&["--records", "2"], &[]);
    let right = include_str!("../../../../examples/customerp-rest/customerp.yaml");
    let wrong = right
        .replace(
            "lastName: { type: string(4000)",
            "lastName: { at: lstName, type: string(4000)",
        )
        .replace(
            "phone: string(4000)",
            "phone: { at: telephon, type: string(4000), optional: true }",
        );
    std::fs::write(pair.path("customerp.yaml"), wrong).unwrap();
    let config = std::fs::read_to_string(pair.path("tandem.yaml")).unwrap();
    let described = config.replace("kind: customerp", "kind: rest\n    description: customerp.yaml");
    std::fs::write(pair.path("tandem.yaml"), described).unwrap();
    // WHEN it is checked
    let told = pair.run(&["check", "--json"]);
    assert_eq!(told.code, Some(2), "{}{}", told.out, told.err);
    // THEN the one is wrong, and the other is remarked
    let lines = told.lines();
    let weighs = |weight: &str, words: &str| {
        lines.iter().any(|finding| {
            finding["weight"] == weight && finding["why"].as_str().is_some_and(|why| why.contains(words))
        })
    };
    assert!(
        weighs("wrong", "`lastName` at `lstName` cannot be read in any"),
        "{}",
        told.out
    );
    assert!(weighs("doubtful", "`phone` at `telephon`"), "{}", told.out);
}

#[test]
fn check_tells_what_is_not_served_and_that_all_is_well() {
    let pair = Pair::start(&["--records", "2"], &[]);
    let run = pair.run(&["check", "--json"]);
    assert_eq!(run.code, Some(0), "{}{}", run.out, run.err);
    let findings = run.lines();
    let not_served = |flow: &str, property: &str| {
        findings.iter().any(|finding| {
            finding["weight"] == "not-served" && finding["flow"] == flow && finding["property"] == property
        })
    };
    // The standard Division has a name and a switch, no more.
    assert!(not_served("customer-division", "email"), "{}", run.out);
    let identity = findings.iter().any(|finding| {
        finding["flow"] == "customer-division"
            && finding["what"]
                .as_str()
                .unwrap_or_default()
                .contains("no identity")
    });
    assert!(identity, "{}", run.out);
    // People are told the verdict first, and the rest where they ask for it.
    let remarks =
        |finding: &&serde_json::Value| finding["weight"] == "limit" || finding["weight"] == "not-served";
    let remarks = findings.iter().filter(remarks).count();
    let short = pair.run(&["check"]);
    let lines: Vec<&str> = short.out.lines().collect();
    let count = format!("{remarks} remarks: `tandem check --all` shows them, and what fits.");
    assert_eq!(lines[0], "Everything that is configured can be kept in step.");
    assert_eq!(lines[1..].last(), Some(&count.as_str()));
    assert!(
        lines.len() < 8 && !short.out.contains("identity"),
        "{}",
        short.out
    );
    let all = pair.run(&["check", "--all"]);
    assert_eq!(all.out.lines().next(), Some(lines[0]));
    assert!(
        all.out.contains("no identity") && all.out.contains("are kept in step"),
        "{}",
        all.out
    );
    assert_eq!(
        all.out.lines().last(),
        Some(format!("{remarks} remarks.").as_str())
    );
}

#[test]
fn what_check_calls_wrong_is_refused_by_whatever_would_write() {
    // GIVEN a row that maps a read-only property both ways
    let pair = Pair::start(&["--records", "2"], &[]);
    let path = pair.path("flows/contact-contact.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let row = "customerp: department, salesforce: Department";
    assert!(text.contains(row), "{text}");
    let both = text.replacen(row, "customerp: department, salesforce: Name", 1);
    std::fs::write(&path, both).unwrap();
    let contacts = || crate::rest::get_customerp(&pair.customerp.url, "contacts")["items"].clone();
    let before = contacts();
    // WHEN it is checked, THEN that is wrong
    let check = pair.run(&["check", "--json"]);
    assert_eq!(check.code, Some(2), "{}{}", check.out, check.err);
    let findings = check.lines();
    let wrong: Vec<&str> = findings
        .iter()
        .filter(|finding| finding["weight"] == "wrong")
        .map(|finding| finding["what"].as_str().unwrap())
        .collect();
    assert_eq!(wrong, ["Contact.Name is read-only"]);
    let told = pair.run(&["check"]).out;
    let told: Vec<&str> = told.lines().collect();
    assert_eq!(told[0], "1 thing to correct before a sync:");
    assert!(
        told[1..5]
            .iter()
            .any(|line| line.contains("Contact.Name is read-only")),
        "{told:?}"
    );
    // AND whatever would write refuses with the same words, and writes nothing
    for command in [&["plan"][..], &["sync"][..], &["run"][..]] {
        let refused = pair.run(command);
        assert_eq!(
            refused.code,
            Some(2),
            "{command:?}: {}{}",
            refused.out,
            refused.err
        );
        for words in [wrong[0], "turn the row's direction round", "contact-contact"] {
            assert!(refused.err.contains(words), "{command:?}: {}", refused.err);
        }
    }
    assert_eq!(contacts(), before);
    let there = crate::rest::query_salesforce(&pair.salesforce.url, "SELECT Id FROM Contact");
    assert!(there.is_empty(), "{there:?}");
}
