//! Lists: they page, say how many there are, name records by name and id, and fit a terminal.

use crate::local::{Pair, Ran};
use crate::rest;
use crate::terminal::{on_a_terminal, plain};
use serde_json::{Value as Json, json};

fn ended(ran: &Ran, code: i32) {
    assert_eq!(ran.code, Some(code), "{}{}", ran.out, ran.err);
}

/// Two systems with seven conflicts and six parked titles.
fn scene() -> Pair {
    let pair = Pair::start(&["--records", "8", "--seed", "5"], &[]);
    let file = pair.path("flows/product-product2.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("conflict: latest", "conflict: ask")).unwrap();
    for number in 0..7 {
        let product = json!({ "name": format!("Tea {number}") });
        rest::post_customerp(&pair.customerp.url, "products", &product);
    }
    ended(&pair.run(&["sync"]), 0);
    let links = pair
        .run(&["links", "--flow", "product-product2", "--json"])
        .lines();
    let teas = links.iter().filter(|link| {
        link["names"]["customerp"]
            .as_str()
            .is_some_and(|name| name.starts_with("Tea "))
    });
    for link in teas {
        let id = |system: &str| link[system].as_str().unwrap().split_once(':').unwrap().1;
        let here = json!({ "description": "Here" });
        rest::patch_customerp(
            &pair.customerp.url,
            &format!("products/{}", id("customerp")),
            &here,
        );
        rest::patch_salesforce(
            &pair.salesforce.url,
            "Product2",
            id("salesforce"),
            &json!({ "Description": "There" }),
        );
    }
    for number in 1..7 {
        let long = json!({ "title": "long ".repeat(40) });
        rest::patch_customerp(&pair.customerp.url, &format!("contacts/{number}"), &long);
    }
    ended(&pair.run(&["sync"]), 3);
    pair
}

/// Follows a list page by page, by the option that each page names; how many rows each had.
fn followed(pair: &Pair, command: &[&str], all: &str) -> Vec<usize> {
    let mut pages = Vec::new();
    let mut option: Vec<String> = Vec::new();
    loop {
        let further: Vec<&str> = option.iter().map(String::as_str).collect();
        let text = pair.run(&[command, &further].concat());
        let rows = pair.run(&[command, &further, &["--json"]].concat()).lines();
        pages.push(rows.len());
        let said = text.out.lines().last().unwrap();
        assert!(said.contains(all), "{command:?}: {said}");
        let Some((_, rest)) = said.split_once("; `--") else {
            return pages;
        };
        let (next, _) = rest.split_once('`').unwrap();
        assert!(pages.len() < 50, "{command:?} never ends: {said}");
        option = format!("--{next}").split(' ').map(str::to_owned).collect();
    }
}

#[test]
fn lists_page_and_say_how_many_there_are() {
    let pair = scene();
    assert_eq!(
        followed(&pair, &["conflicts", "--limit", "3"], " conflicts"),
        [3, 3, 1]
    );
    assert_eq!(
        followed(
            &pair,
            &["failures", "--kind", "too-long", "--limit", "4"],
            "6 items"
        ),
        [4, 2]
    );
    let links = pair.run(&["links", "--json"]).lines().len();
    let pages = followed(&pair, &["links", "--limit", "20"], &format!("{links} links"));
    assert_eq!(pages.iter().sum::<usize>(), links);
    let flow = followed(
        &pair,
        &["links", "--flow", "product-product2", "--limit", "5"],
        " links",
    );
    assert_eq!(
        flow.iter().sum::<usize>(),
        pair.run(&["links", "--flow", "product-product2", "--json"])
            .lines()
            .len()
    );
    let lines = pair
        .run(&["history", "--limit", "100000", "--json"])
        .lines()
        .len();
    let pages = followed(&pair, &["history", "--limit", "200"], "lines");
    assert_eq!(pages.iter().sum::<usize>(), lines);
    assert_eq!(
        followed(&pair, &["history", "--runs", "--limit", "1"], "2 runs"),
        [1, 1]
    );
    // As JSON nothing is left out unasked.
    assert_eq!(pair.run(&["conflicts", "--json"]).lines().len(), 7);
    // Records are named by name and id.
    let conflicts = pair.run(&["conflicts", "--json"]).lines();
    assert!(
        conflicts
            .iter()
            .all(|row: &Json| row["name"].as_str().unwrap().starts_with("Tea ")),
        "{conflicts:?}"
    );
    for command in [
        &["conflicts"][..],
        &["history", "--limit", "1000"],
        &["links", "--flow", "product-product2"],
    ] {
        assert!(pair.run(command).out.contains("(Tea 3)"), "{command:?}");
    }
}

#[test]
fn whatever_is_listed_fits_a_narrow_terminal_and_is_in_colour_nowhere_else() {
    let pair = scene();
    let item = pair.run(&["conflicts", "--json"]).lines()[0]["item"].to_string();
    for columns in [80, 140] {
        for command in [
            &["conflicts"][..],
            &["conflicts", &item],
            &["failures"],
            &["links"],
            &["history"],
            &["history", "--runs"],
            &["status"],
            &["explain", "customerp/Contact:1"],
            &["plan"],
        ] {
            let Some(shown) = on_a_terminal(pair.folder.path(), columns, &[], command, "") else {
                return;
            };
            let text = plain(&shown.text);
            // Bars have a test of their own.
            let lines = text.split(['\n', '\r']).filter(|line| !line.contains(" work   "));
            let widest = lines.max_by_key(|line| line.chars().count()).unwrap_or_default();
            assert!(
                widest.chars().count() <= usize::from(columns),
                "{columns} {command:?}\n{widest}"
            );
            assert!(!pair.run(command).out.contains('\u{1b}'), "{command:?}");
        }
    }
}

#[test]
fn a_terminal_that_does_not_say_how_wide_it_is_gets_whole_lines() {
    let pair = Pair::start(&["--records", "1", "--seed", "6"], &[]);
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    let Some(shown) = on_a_terminal(pair.folder.path(), 0, &[], &["status"], "") else {
        return;
    };
    let text = plain(&shown.text);
    assert!(
        text.lines()
            .any(|line| line.contains(" records known; customerp listed in full at ")),
        "{text}"
    );
    assert!(
        text.lines()
            .any(|line| line.contains("product-product2") && line.matches('┆').count() > 2),
        "{text}"
    );
}

#[test]
fn bars_are_as_wide_as_the_terminal_at_most_and_nowhere_but_there() {
    let pair = Pair::start(&["--records", "4", "--seed", "5"], &[]);
    let Some(shown) = on_a_terminal(pair.folder.path(), 60, &[], &["sync", "--yes"], "") else {
        return;
    };
    let text = plain(&shown.text);
    // Each bar fills its line to the edge, where the terminal itself begins the next one: so all begin at an edge.
    let boards = text.split(['\n', '\r']).filter(|line| line.contains(" work   "));
    let mut bars = 0;
    for board in boards {
        let names = [" salesforce  ", " customerp   ", " work        "];
        let begin = |(at, _): (usize, &str)| board[..at].chars().count() - 1;
        let mut begins: Vec<usize> = names
            .iter()
            .flat_map(|name| board.match_indices(name).map(begin))
            .collect();
        begins.sort_unstable();
        bars += begins.len();
        assert!(
            begins.windows(2).all(|two| two[1] - two[0] == 60),
            "{begins:?} {board:?}"
        );
    }
    assert!(bars > 5, "{text}");
    // Elsewhere nothing is drawn over.
    let piped = pair.run(&["sync"]);
    assert!(!piped.err.contains(['\r', '\u{1b}']) && !piped.out.contains(['\r', '\u{1b}']));
}
