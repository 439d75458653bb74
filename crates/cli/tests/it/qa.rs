//! `tandem qa` in its three settings, and with flows that are broken on purpose.

use crate::local::Pair;
use crate::rest::{get, get_customerp, query_salesforce};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

/// Both systems as other people use them.
const AS_ALICE: [&str; 6] = [
    "--as-user",
    "customerp.token=QA_TOKEN",
    "--as-user",
    "salesforce.client_id=QA_ID",
    "--as-user",
    "salesforce.client_secret=QA_SECRET",
];

/// Lets no flow ask before first links overwrite anything.
fn decide_at_once(pair: &Pair) {
    for entry in std::fs::read_dir(pair.path("flows")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|it| it == "yaml") {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(!text.contains("\nguard:"), "{path:?}");
            std::fs::write(&path, format!("{text}\nguard: {{ overwrites: false }}\n")).unwrap();
        }
    }
}

/// Runs `tandem qa` and returns its exit code with its JSON.
fn tick_off(pair: &Pair) -> (Option<i32>, Json) {
    let mut command = pair.command(&["qa", "--yes", "--json"]);
    command
        .args(AS_ALICE)
        .env("QA_TOKEN", "customerp-alice-token")
        .env("QA_ID", "alice")
        .env("QA_SECRET", "alice-secret");
    let run = crate::local::Ran::from(command.output().unwrap());
    assert!(run.code != Some(1) && run.code != Some(2), "{}", run.err);
    (run.code, run.last())
}

/// The invoices of an org that has standard ones: nobody can create them through the API.
fn billing_options(pair_folder: &std::path::Path) -> String {
    let names = ["ORDER-A", "ORDER-B", "ORDER-C", "QUOTE-A", "QUOTE-B", "QUOTE-C"];
    let invoices = names.iter().enumerate().map(|(place, name)| {
        json!({ "number": format!("QA-{name}"), "total": format!("{}.50", place + 1), "account": "QA Billing" })
    });
    let options = json!({ "preset": "billing", "invoices": invoices.collect::<Vec<_>>() });
    let path = pair_folder.join("billing.json");
    std::fs::write(&path, options.to_string()).unwrap();
    path.display().to_string()
}

/// All lines with their flow's title.
fn lines(found: &Json) -> Vec<(String, Json)> {
    let sections = found["flows"].as_array().unwrap();
    let lines = sections.iter().flat_map(|section| {
        let title = section["title"].as_str().unwrap().to_owned();
        let lines = section["lines"].as_array().unwrap().clone();
        lines.into_iter().map(move |line| (title.clone(), line))
    });
    lines.collect()
}

/// The lines that came out in a way: the flow's title with the line's text.
fn of_result(found: &Json, result: &str) -> BTreeSet<(String, String)> {
    lines(found)
        .into_iter()
        .filter(|(_, line)| line["result"] == result)
        .map(|(title, line)| (title, line["text"].as_str().unwrap().to_owned()))
        .collect()
}

fn failures(found: &Json) -> String {
    let failed = lines(found)
        .into_iter()
        .filter(|(_, line)| line["result"] == "fail");
    let each = failed.map(|(title, line)| format!("{title}: {} {}\n", line["text"], line["failure"]));
    each.collect()
}

/// The rows that passed, by flow and the first side's property.
fn passed_rows(found: &Json) -> BTreeSet<(String, String)> {
    let passed = lines(found)
        .into_iter()
        .filter(|(_, line)| line["result"] == "pass");
    let rows = passed.filter_map(|(title, line)| Some((title, line["properties"][0].as_str()?.to_owned())));
    rows.collect()
}

/// Every row of the table, by flow and the first side's property.
fn promised_rows() -> BTreeSet<(String, String)> {
    let table = include_str!("../../../../flows/customerp-salesforce/properties.csv");
    let row = |line: &str| {
        let fields: Vec<&str> = line.splitn(8, ',').collect();
        // `decimal(18,2)` stands in quotes and moves what follows by one.
        let second = if fields[3].starts_with('"') {
            fields[7].split(',').next()?
        } else {
            fields[6]
        };
        Some((
            format!("Customerp {} to Salesforce {second}", fields[1]),
            fields[2].to_owned(),
        ))
    };
    table.lines().skip(1).filter_map(row).collect()
}

#[test]
fn every_row_passes_in_one_of_three_settings_and_none_fails() {
    let found: Vec<(Pair, Option<i32>, Json)> = std::thread::scope(|scope| {
        let runs = ["default", "no-divisions", "billing"].map(|setting| {
            scope.spawn(move || {
                let options = tempfile::tempdir().unwrap();
                let billing = billing_options(options.path());
                let org: [&str; 2] = match setting {
                    "billing" => ["--options", &billing],
                    preset => ["--preset", preset],
                };
                let pair = Pair::start(&["--records", "3"], &org);
                if setting == "billing" {
                    // Its invoices are there before Tandem is: the flows' policies decide at once.
                    decide_at_once(&pair);
                }
                let (code, found) = tick_off(&pair);
                (pair, code, found)
            })
        });
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    let mut passed = BTreeSet::new();
    for (_, code, found) in &found {
        assert_eq!(failures(found), "");
        assert_eq!(*code, Some(0));
        assert_eq!(found["stuck"], json!([]));
        let not_served = of_result(found, "not-served");
        assert_eq!(
            found["counts"]["not_served"].as_u64().unwrap(),
            not_served.len() as u64,
            "what is not served is counted apart"
        );
        passed.extend(passed_rows(found));
    }
    let missing: Vec<_> = promised_rows().difference(&passed).cloned().collect();
    assert_eq!(missing, [], "rows that passed nowhere");
    nothing_of_it_is_left(&found[1].0);
    a_second_run_uses_the_kept_records(&found[0].0, &found[0].2);
}

/// Without Divisions everything but the users can be deleted.
fn nothing_of_it_is_left(pair: &Pair) {
    for (collection, property) in [
        ("customers", "name"),
        ("contacts", "lastName"),
        ("products", "name"),
        ("quotes", "title"),
        ("orders", "title"),
        ("projects", "name"),
    ] {
        let shown = list(pair, collection);
        let own = shown
            .iter()
            .filter(|row| row[property].as_str().is_some_and(|name| name.starts_with("QA-")));
        assert_eq!(own.count(), 0, "{collection}");
    }
    assert_eq!(list(pair, "customers").len(), 3, "the others are there");
    let inactive = list(pair, "employees")
        .into_iter()
        .filter(|row| row["active"] == false)
        .count();
    assert_eq!(inactive, 3, "the users of the run are out of use");
}

/// However often it runs, there is one set of users and Divisions.
fn a_second_run_uses_the_kept_records(pair: &Pair, first: &Json) {
    let counted = |pair: &Pair| ["customers", "employees"].map(|name| list(pair, name).len());
    let before = counted(pair);
    let (code, second) = tick_off(pair);
    assert_eq!(failures(&second), "");
    assert_eq!(code, Some(0));
    assert_eq!(second["kept"], first["kept"]);
    assert_eq!(counted(pair), before);
}

fn list(pair: &Pair, collection: &str) -> Vec<Json> {
    let shown = get_customerp(&pair.customerp.url, &format!("{collection}?limit=1000"));
    shown["items"].as_array().unwrap().clone()
}

#[test]
fn what_is_broken_fails_on_its_own_line() {
    // GIVEN flows with a wrong converter, two wrong directions, two properties swapped, and a flow switched off
    let pair = Pair::start(&[], &[]);
    let breaks = [
        (
            "project-task",
            "high: High, normal: Normal, low: Low",
            "high: Low, normal: Normal, low: High",
        ),
        (
            "contact-contact",
            "{ customerp: title, salesforce: Title, salesforce_length: 128 }",
            "{ customerp: title, salesforce: Title, salesforce_length: 128, direction: to-salesforce }",
        ),
        (
            "order-order",
            "{ customerp: customerReference, salesforce: PoNumber, salesforce_length: 80 }",
            "{ customerp: customerReference, salesforce: PoNumber, salesforce_length: 80, direction: to-customerp }",
        ),
        (
            "quote-quote",
            "customerp: tax, salesforce: Tax,",
            "customerp: tax, salesforce: ShippingHandling,",
        ),
        (
            "quote-quote",
            "customerp: shippingCost, salesforce: ShippingHandling,",
            "customerp: shippingCost, salesforce: Tax,",
        ),
        (
            "product-product2",
            "create: { salesforce: on,",
            "create: { salesforce: off,",
        ),
    ];
    for (flow, from, to) in breaks {
        let path = pair.path(&format!("flows/{flow}.yaml"));
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{flow} has no {from}");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
    }
    // WHEN everything is ticked off
    let (code, found) = tick_off(&pair);
    // THEN exactly these lines fail, each with what was expected and what was seen
    assert_eq!(code, Some(3));
    let wanted = [
        ("Customerp Contact to Salesforce Contact", "title <-> Title"),
        (
            "Customerp Order to Salesforce Order",
            "customerReference <-> PoNumber",
        ),
        (
            "Customerp Product to Salesforce Product2",
            "Every Customerp Product will be synchronized with a Salesforce Product2.",
        ),
        ("Customerp Project to Salesforce Task", "priority <-> Priority"),
        (
            "Customerp Quote to Salesforce Quote",
            "shippingCost <-> ShippingHandling",
        ),
        ("Customerp Quote to Salesforce Quote", "tax <-> Tax"),
    ];
    let wanted: BTreeSet<_> = wanted.map(|(a, b)| (a.to_owned(), b.to_owned())).into();
    assert_eq!(of_result(&found, "fail"), wanted, "{}", failures(&found));
    let failure_of = |row: &str| {
        let failed = lines(&found)
            .into_iter()
            .filter(|(_, line)| line["result"] == "fail");
        let mut failed = failed.filter(|(_, line)| line["text"] == row);
        failed.next().unwrap().1["failure"].clone()
    };
    let priority = failure_of("priority <-> Priority");
    assert_eq!(priority["expected"], "\"High\" in salesforce");
    assert_eq!(priority["seen"], "\"Low\"");
    let title = failure_of("title <-> Title");
    assert!(
        title["done"]
            .as_str()
            .unwrap()
            .starts_with("edited in salesforce"),
        "{title}"
    );
    let cannot = of_result(&found, "cannot-be-tried");
    let product = (
        "Customerp Product to Salesforce Product2".to_owned(),
        "name <-> Name".to_owned(),
    );
    assert!(
        cannot.contains(&product),
        "what hangs on a broken flow is not blamed on its rows"
    );
}

/// Everything that a run makes, finds and keeps is named QA.
fn own_records(pair: &Pair) -> usize {
    let named = |property: &'static str| {
        move |row: &Json| row[property].as_str().is_some_and(|name| name.starts_with("QA"))
    };
    let here = [
        ("customers", "name"),
        ("employees", "lastName"),
        ("products", "name"),
        ("contacts", "lastName"),
    ];
    let here = here.map(|(collection, property)| {
        list(pair, collection)
            .iter()
            .filter(|row| named(property)(row))
            .count()
    });
    let there = [("Contact", "LastName"), ("Product2", "Name"), ("Account", "Name")];
    let there = there.map(|(object, property)| {
        let soql = format!("SELECT Id FROM {object} WHERE {property} LIKE 'QA%'");
        query_salesforce(&pair.salesforce.url, &soql).len()
    });
    here.into_iter().chain(there).sum()
}

fn writes(pair: &Pair) -> [Json; 2] {
    let log = get(&format!("{}/_local/log", pair.customerp.url));
    let calls = get(&format!("{}/_local/log", pair.salesforce.url));
    [log, calls]
}

#[test]
fn nothing_is_written_before_a_person_says_yes() {
    let pair = Pair::start(&["--records", "1"], &[]);
    let before = writes(&pair);
    let run = pair.run(&["qa"]);
    assert_eq!(run.code, Some(2), "{}{}", run.out, run.err);
    for told in [
        "in customerp: ",
        &pair.customerp.url,
        "in salesforce: ",
        "Contact",
        "Product2",
        "qa-left.json",
    ] {
        assert!(run.out.contains(told), "{told}: {}", run.out);
    }
    assert!(
        run.err.contains("nothing was written") && run.err.contains("--yes"),
        "{}",
        run.err
    );
    let as_json = pair.run(&["qa", "--json"]);
    assert_eq!(as_json.code, Some(2), "{}{}", as_json.out, as_json.err);
    let sites = as_json.lines()[0]["will_write"].clone();
    assert_eq!(sites[0]["system"], "customerp");
    assert!(
        sites[1]["makes"]["Contact"]
            .as_u64()
            .is_some_and(|count| count > 0),
        "{sites}"
    );
    assert_eq!(writes(&pair), before);
}

#[test]
fn what_looks_like_production_is_refused_even_with_a_yes() {
    // GIVEN an org that says that it is no sandbox
    let pair = Pair::start(&["--records", "1"], &[]);
    let [_, salesforce] = crate::proxy::between(&pair, [false, true]);
    salesforce.alter(|_, body| match String::from_utf8(body) {
        Ok(text) => text
            .replace("\"IsSandbox\":true", "\"IsSandbox\":false")
            .into_bytes(),
        Err(binary) => binary.into_bytes(),
    });
    let before = writes(&pair);
    for words in [&["qa"][..], &["qa", "--yes"], &["qa", "--yes", "--clean"]] {
        let run = pair.run(words);
        assert_eq!(run.code, Some(2), "{words:?} {}{}", run.out, run.err);
    }
    let run = pair.run(&["qa", "--yes"]);
    assert!(run.err.contains("looks like a production system"), "{}", run.err);
    assert!(run.err.contains("--in-production"), "{}", run.err);
    assert_eq!(writes(&pair), before);
    // WHEN a person overrules it THEN asking is all that is left
    let run = pair.run(&["qa", "--in-production"]);
    assert!(
        run.err.contains("--yes") && !run.err.contains("production"),
        "{}",
        run.err
    );
    assert_eq!(writes(&pair), before);
}

#[test]
fn what_a_run_leaves_is_listed_in_a_file_and_cleaned_up() {
    // GIVEN a run that leaves everything where it is
    let pair = Pair::start(&["--records", "1"], &[]);
    let file = pair.path("state/qa-left.json");
    let run = pair.run(&["qa", "--yes", "--keep", "--json"]);
    assert!(matches!(run.code, Some(0 | 3)), "{}{}", run.out, run.err);
    let left: Json = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let records = left["records"].as_array().unwrap();
    assert!(records.len() > 20 && own_records(&pair) > 10, "{left}");
    let unsaid = pair.run(&["qa", "--clean"]);
    assert_eq!(unsaid.code, Some(2), "{}", unsaid.err);
    for record in records {
        let line = format!(
            "{} {}",
            record["type"].as_str().unwrap(),
            record["id"].as_str().unwrap()
        );
        assert!(unsaid.out.contains(&line), "{line}: {}", unsaid.out);
    }
    // WHEN it is cleaned up
    let clean = pair.run(&["qa", "--clean", "--yes", "--json"]);
    assert_eq!(clean.code, Some(0), "{}{}", clean.out, clean.err);
    // THEN what stays is what Salesforce deletes for nobody, and the file lists that alone
    let told = clean.last();
    assert_eq!(told["stuck"], json!([]), "{told}");
    let kept = told["kept"].as_array().unwrap();
    let listed: Json = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let types: BTreeSet<&str> = listed["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["type"].as_str().unwrap())
        .collect();
    assert_eq!(types, BTreeSet::from(["Division", "User"]), "{kept:?}");
    assert_eq!(own_records(&pair), 0);
    assert_eq!(list(&pair, "customers").len(), 1, "the others are there");
    // AND a run afterwards is as good as the first
    let again = pair.run(&["qa", "--yes", "--json"]);
    assert_eq!(again.code, Some(0), "{}{}", again.out, again.err);
}

#[test]
fn what_a_user_calls_wrongly_is_refused_before_any_call() {
    let pair = Pair::start(&[], &[]);
    let run = pair.run(&["qa", "--as-user", "customerp.password=X"]);
    assert_eq!(run.code, Some(2), "{}", run.err);
    assert!(run.err.contains("customerp.password"), "{}", run.err);
    let run = pair.run(&["qa", "--promise", "no-such.csv"]);
    assert_eq!(run.code, Some(2), "{}", run.err);
}
