//! Texts of systems on people's screens: whatever records, names and messages hold, nothing that a terminal obeys
//! comes out of any command, and no line can be forged.

use crate::local::{Pair, Ran};
use crate::proxy::{Fate, between};
use crate::rest;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

/// A title of the window, a cleared screen, a line of its own, and words turned around; by C0 and by C1.
const HOSTILE: &str =
    "A\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}2J\rB\nFORGED line\u{202e}C\u{2028}FORGED too\u{7f}";
/// The same in a message of a system.
const REFUSAL: &str = r#"[{"errorCode":"FIELD_CUSTOM_VALIDATION_EXCEPTION","fields":[],"message":"No\u001b]0;owned\u0007\u001b[2J\u009b2J\r\nFORGED line\u202eC\u2028FORGED too\u007f"}]"#;

/// Whether a text would do more on a terminal than stand there.
fn harm(text: &str) -> Option<char> {
    let harmful = |sign: &char| {
        (sign.is_control() && *sign != '\n')
            || matches!(sign, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().find(harmful)
}

/// The commands of the test, by their first words.
#[derive(Default)]
struct Told(BTreeSet<String>);

impl Told {
    /// Runs a command in all its ways: what it tells stands there and does nothing. As JSON it is exact.
    fn tells(&mut self, pair: &Pair, arguments: &[&str]) -> Ran {
        let ran = pair.run(&[arguments, &["-vv"]].concat());
        self.0.insert(arguments[0].to_owned());
        for text in [&ran.out, &ran.err] {
            let around = |sign: char| {
                let at = text.find(sign).unwrap_or_default();
                let begins = text[..at].char_indices().rev().nth(60).map_or(0, |(at, _)| at);
                text[begins..].chars().take(160).collect::<String>()
            };
            assert_eq!(harm(text).map(around), None, "{arguments:?}");
            let forged = text.lines().find(|line| line.trim_start().starts_with("FORGED"));
            assert_eq!(forged, None, "{arguments:?}");
        }
        ran
    }
}

fn ids(pair: &Pair, flow: &str) -> Vec<(String, String)> {
    let links = pair.run(&["links", "--flow", flow, "--json"]).lines();
    let id = |link: &Json, system: &str| {
        let text = link[system].as_str().unwrap();
        text.split_once(':').unwrap().1.to_owned()
    };
    links
        .iter()
        .map(|link| (id(link, "customerp"), id(link, "salesforce")))
        .collect()
}

#[test]
#[allow(clippy::too_many_lines)] // Every command, one after the other.
fn no_command_tells_a_terminal_what_to_do() {
    let mut told = Told::default();
    // GIVEN hostile records, a flow that asks, and one that asks before it deletes
    let pair = Pair::start(&["--records", "2", "--seed", "5"], &[]);
    for (flow, from, to) in [
        ("product-product2", "conflict: latest", "conflict: ask"),
        (
            "contact-contact",
            "on_delete: { customerp: ",
            "on_delete: { customerp: ask, # ",
        ),
    ] {
        let file = pair.path(&format!("flows/{flow}.yaml"));
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{flow}");
        let line = text.lines().find(|line| line.contains(from)).unwrap();
        let new = match flow {
            "contact-contact" => "on_delete: { customerp: ask, salesforce: ask }".to_owned(),
            _ => line.replace(from, to),
        };
        std::fs::write(&file, text.replace(line, &new)).unwrap();
    }
    let erp = &pair.customerp.url;
    let customer = rest::post_customerp(
        erp,
        "customers",
        &json!({ "name": HOSTILE, "description": HOSTILE }),
    );
    let customer = customer["id"].as_str().unwrap().to_owned();
    let twin = json!({ "name": HOSTILE });
    rest::post_customerp(erp, "customers", &twin);
    for n in 0..2 {
        let named = json!({ "lastName": format!("{HOSTILE} {n}"), "title": HOSTILE, "customerId": customer });
        rest::post_customerp(erp, "contacts", &named);
        rest::post_customerp(
            erp,
            "products",
            &json!({ "name": format!("{HOSTILE} {n}"), "description": HOSTILE }),
        );
    }
    for command in [
        &["check"][..],
        &["plan"],
        &["plan", "--matches"],
        &["sync"],
        &["sync"],
    ] {
        told.tells(&pair, command);
    }
    // WHEN both sides are edited, deleted, hidden and refused
    let [_customerp, salesforce] = between(&pair, [false, true]);
    let products = ids(&pair, "product-product2");
    let (here, there) = products.last().unwrap().clone();
    rest::patch_customerp(
        erp,
        &format!("products/{here}"),
        &json!({ "description": format!("1 {HOSTILE}") }),
    );
    let theirs = json!({ "Description": format!("2 {HOSTILE}") });
    rest::patch_salesforce(&pair.salesforce.url, "Product2", &there, &theirs);
    let contacts = ids(&pair, "contact-contact");
    let (gone, _) = contacts.last().unwrap().clone();
    let (refused, _) = contacts.first().unwrap().clone();
    rest::delete_customerp(erp, &format!("contacts/{gone}"));
    rest::patch_customerp(
        erp,
        &format!("contacts/{refused}"),
        &json!({ "title": "asked for" }),
    );
    salesforce.rule(
        |method, path, request| match request.contains("asked for") && method != "GET" {
            true if path.contains("/composite") || path.contains("/sobjects/Contact") => {
                Fate::Answer(400, REFUSAL)
            }
            _ => Fate::Deliver,
        },
    );
    told.tells(&pair, &["plan"]);
    told.tells(&pair, &["sync"]);
    // THEN all that tells of it tells it harmlessly
    let contact = format!("customerp/Contact:{refused}");
    let product = format!("customerp/Product:{here}");
    let failures = told.tells(&pair, &["failures"]);
    assert!(
        failures.out.contains("FORGED"),
        "the refusal is told: {}{}",
        failures.out,
        failures.err
    );
    let conflicts = told.tells(&pair, &["conflicts"]);
    assert!(
        conflicts.out.contains("owned"),
        "the values are told: {}",
        conflicts.out
    );
    let conflict = pair.run(&["conflicts", "--json"]).lines()[0].clone();
    assert_eq!(
        conflict["contenders"][0]["value"]
            .as_str()
            .map(|text| text.contains("owned")),
        Some(true)
    );
    let item = conflict["item"].to_string();
    let approvals = pair
        .run(&["failures", "--standing", "approval", "--json"])
        .lines();
    let approval = approvals[0]["item"].to_string();
    let looks: [&[&str]; 22] = [
        &["plan", "--matches"],
        &["conflicts", &item],
        &["history"],
        &["history", &product],
        &["history", "--runs"],
        &["explain", &contact],
        &["explain", &product],
        &["links"],
        &["status"],
        &["verify"],
        &["approve"],
        &["approve", "contact-contact"],
        &["undo", "--since", "1h"],
        &["forget", &contact],
        &["resolve", &item, "--head"],
        &["retry", "--flow", "contact-contact"],
        &["ignore", &approval],
        &["document"],
        &["pause", "order-order"],
        &["resume", "order-order"],
        &["backup", "copy.tandem"],
        &["links", "export", "links.csv"],
    ];
    for look in looks {
        told.tells(&pair, look);
    }
    let (first, second) = products.first().unwrap();
    let ends = [
        format!("customerp/Product:{first}"),
        format!("salesforce/Product2:{second}"),
    ];
    told.tells(&pair, &["unlink", &ends[0]]);
    told.tells(&pair, &["link", &ends[0], &ends[1]]);
    told.tells(&pair, &["links", "import", "links.csv"]);
    told.tells(&pair, &["approve", &approval]);
    told.tells(&pair, &["resolve", &item, "--head", "--yes"]);
    told.tells(&pair, &["sync"]);
    // A system whose name, or whose whole answer, is hostile
    salesforce.rule(|_, _, _| Fate::Answer(400, REFUSAL));
    for command in [
        &["sync"][..],
        &["check"],
        &[
            "connector",
            "test",
            "customerp",
            "--type",
            "Contact",
            "--pages",
            "1",
        ],
        &["verify"],
        &["plan"],
        &["rebind"],
        &["qa", "--yes"],
        // Alone over a state in a folder it only says why not; what it tells else is what `run` does.
        &["worker", "--no-console"],
    ] {
        told.tells(&pair, command);
    }
    salesforce.rule(|_, _, _| Fate::Deliver);
    told.tells(&pair, &["salesforce", "metadata", "--folder", "tree"]);
    told.tells(&pair, &["restore", "copy.tandem"]);
    runs_harmlessly(&pair, &here);
    told.0.insert("run".to_owned());
    every_command_is_told(&told);
}

/// What `run` tells while it keeps in step.
fn runs_harmlessly(pair: &Pair, product: &str) {
    let mut run = pair.command(&["run", "-vv"]);
    let mut run = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut notes = run.stderr.take().unwrap();
    let notes = std::thread::spawn(move || {
        let mut text = String::new();
        notes.read_to_string(&mut text).map(|_| text).unwrap()
    });
    let edit = json!({ "description": format!("3 {HOSTILE}") });
    rest::patch_customerp(&pair.customerp.url, &format!("products/{product}"), &edit);
    let mut lines = BufReader::new(run.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let mut told: Vec<String> = Vec::new();
    for line in lines.by_ref() {
        told.push(line);
        if told.last().is_some_and(|line| line.contains("3 A")) {
            break;
        }
    }
    assert!(told.last().is_some_and(|line| line.contains("3 A")), "{told:?}");
    let stopped = Command::new("kill").arg(run.id().to_string()).status().unwrap();
    assert!(stopped.success());
    told.extend(lines);
    assert_eq!(run.wait().unwrap().code(), Some(0));
    for text in [told.join("\n"), notes.join().unwrap()] {
        assert_eq!(harm(&text), None, "{text:?}");
        assert!(!text.lines().any(|line| line.starts_with("FORGED")), "{text}");
    }
}

/// A command that is added and not tried here fails this.
fn every_command_is_told(told: &Told) {
    let help = crate::local::tandem().arg("--help").output().unwrap();
    let text = String::from_utf8(help.stdout).unwrap();
    let listed = text
        .split("Commands:")
        .nth(1)
        .unwrap()
        .split("Options:")
        .next()
        .unwrap();
    let names = listed
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    // These tell nothing of a system's records.
    let apart = [
        "help",
        "customerp",
        "demo",
        "sandbox",
        "init",
        "bench",
        "console",
        "shell",
    ];
    for name in names.filter_map(|line| line.split_whitespace().next()) {
        assert!(
            told.0.contains(name) || apart.contains(&name),
            "{name} is not tried"
        );
    }
}
