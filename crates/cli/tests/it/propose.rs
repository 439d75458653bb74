//! `tandem init --from`: what it proposes out of what ERPs say of themselves, and how little is left to write by hand.

mod documents;
mod odata;

use crate::local::{Ran, System, northwind, run_in, tandem};
use crate::rest;
use crate::terminal::{on_a_terminal, plain};
use serde_json::{Value as Json, json};
use std::path::Path;

#[track_caller]
fn ended(ran: &Ran, code: i32) {
    assert_eq!(ran.code, Some(code), "{}{}", ran.out, ran.err);
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// Runs the binary with the secret of the ERP's connection.
fn run(folder: &Path, arguments: &[&str]) -> Ran {
    run_with("customerp-tandem-token", folder, arguments)
}

/// The same, with this secret.
fn run_with(token: &str, folder: &Path, arguments: &[&str]) -> Ran {
    let mut command = tandem();
    command.env("ERP_TOKEN", token).env("ERP_USER", "tandem");
    command
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap()
        .into()
}

/// The local Customerp says of itself all that is needed: not a line is written by hand.
#[test]
fn the_local_customerp_is_connected_by_its_own_openapi_document_without_a_line_by_hand() {
    let (erp, org) = (
        System::start("customerp", &["--records", "6", "--seed", "3"]),
        System::start("salesforce", &[]),
    );
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let from = format!("{}/api/v1/openapi.json", erp.url);
    let arguments = [
        "init",
        "--from",
        &from,
        "--token-env",
        "ERP_TOKEN",
        "--salesforce-url",
        &org.url,
        "--json",
    ];
    let proposed = run(folder, &arguments);
    ended(&proposed, 0);
    let said = proposed.last();
    println!(
        "lines that a person must touch before `tandem check`: {}; guesses marked: {}; questions: {}",
        said["must"].as_array().unwrap().len(),
        said["guessed"],
        said["decide"].as_array().unwrap().len()
    );
    assert_eq!(said["must"], json!([]), "{said}");
    assert_eq!(
        flows_of(&said),
        [
            "customer",
            "contact",
            "product",
            "order",
            "order-line",
            "quote",
            "quote-line",
            "project",
            "employee"
        ]
    );
    // THEN what it says of itself was understood
    let description = read(folder, "erp.yaml");
    for part in [
        "base: /api/v1",
        "session: { kind: bearer }",
        "paging: { kind: cursor, next: nextCursor }",
        "query: { includeDeleted: true, updatedSince: \"{since}\" }",
        "safe: idempotency-key",
        "headers: { If-Match: \"{token}\" }",
        "deleted: deleted",
        "enum(draft|confirmed)",
        "\"decimal(18,4)\"",
        "means: { too_long: invalid",
        "items: items, at_most: 200 }",
    ] {
        assert!(description.contains(part), "{part}\n{description}");
    }
    // AND it passes the checks with the laws of reading tried, and is kept in step
    let checked = run(folder, &["check"]);
    ended(&checked, 0);
    ended(&run(folder, &["check", "--offline"]), 0);
    let plan = run(folder, &["plan"]);
    ended_well(&plan);
    assert!(plan.out.contains("create 84, update 81, link 0"), "{}", plan.out);
    let synced = run(folder, &["sync", "--yes", "--json"]);
    assert!(matches!(synced.code, Some(0 | 3)), "{}{}", synced.out, synced.err);
    let verified = run(folder, &["verify", "--json"]).last();
    assert_eq!(verified["different"], 0, "{verified}");
    assert!(verified["pairs"].as_u64().unwrap() > 20, "{verified}");
    // AND an edit goes each way
    let accounts = rest::query_salesforce(
        &org.url,
        "SELECT Id, Customerp_Id__c, Phone FROM Account WHERE Customerp_Id__c LIKE 'Customer:%'",
    );
    let (account, number) = (
        accounts[0]["Id"].as_str().unwrap(),
        accounts[0]["Customerp_Id__c"].as_str().unwrap(),
    );
    let number = number.trim_start_matches("Customer:");
    rest::patch_salesforce(&org.url, "Account", account, &json!({ "Phone": "+49 30 1234" }));
    ended_well(&run(folder, &["sync", "--yes"]));
    let customer = rest::get_customerp(&erp.url, &format!("customers/{number}"));
    assert_eq!(customer["phone"], "+49 30 1234", "{customer}");
    rest::patch_customerp(
        &erp.url,
        &format!("customers/{number}"),
        &json!({ "phone": "+49 30 9876" }),
    );
    ended_well(&run(folder, &["sync", "--yes"]));
    let account = rest::get_salesforce(&org.url, &format!("sobjects/Account/{account}"));
    assert_eq!(account["Phone"], "+49 30 9876", "{account}");
}

#[track_caller]
fn ended_well(ran: &Ran) {
    assert!(matches!(ran.code, Some(0 | 3)), "{}{}", ran.out, ran.err);
}

/// Northwind as a database file: the dump's tables with their keys, and its rows.
fn northwind_in_a_file(dump: &str, file: &Path) {
    let text = std::fs::read_to_string(dump).unwrap();
    let connection = rusqlite::Connection::open(file).unwrap();
    let constraint = |table: &str| -> String {
        let begin = format!("ALTER TABLE ONLY {table}\n");
        let all = text
            .split(&begin)
            .skip(1)
            .map(|rest| rest.split(';').next().unwrap());
        all.map(|one| format!(", {}", one.trim().trim_start_matches("ADD ")))
            .collect()
    };
    connection
        .execute_batch("PRAGMA foreign_keys = OFF; BEGIN")
        .unwrap();
    for part in text.split("CREATE TABLE ").skip(1) {
        let table = part.split(" (").next().unwrap();
        let body = part.split("\n);").next().unwrap();
        let sql =
            format!("CREATE TABLE {body}{})", constraint(table)).replace("character varying", "varchar");
        connection
            .execute_batch(&sql)
            .unwrap_or_else(|error| panic!("{error}: {sql}"));
    }
    for line in text.lines().filter(|line| line.starts_with("INSERT INTO ")) {
        connection
            .execute_batch(line)
            .unwrap_or_else(|error| panic!("{error}: {line}"));
    }
    connection.execute_batch("COMMIT").unwrap();
}

/// The flows that were proposed.
fn flows_of(said: &Json) -> Vec<&str> {
    let flows = said["flows"].as_array().unwrap().iter();
    flows.map(|flow| flow["flow"].as_str().unwrap()).collect()
}

/// What Northwind's tables show, whichever database holds them.
fn northwind_is_kept_in_step(folder: &Path, said: &Json) {
    assert_eq!(said["must"], json!([]), "{said}");
    assert_eq!(
        flows_of(said),
        ["customer", "product", "order", "order-line", "employee"],
        "{said}"
    );
    let description = read(folder, "erp.yaml");
    for part in ["key: customer_id", "key: [order_id, product_id]"] {
        assert!(description.contains(part), "{part}\n{description}");
    }
    let order = read(folder, "flows/order.yaml");
    assert!(
        order.contains("{ erp: customer_id, salesforce: AccountId, references: customer"),
        "{order}"
    );
    ended(&run(folder, &["check"]), 0);
    let synced = run(folder, &["sync", "--yes", "--json"]);
    ended_well(&synced);
    let verified = run(folder, &["verify", "--json"]).last();
    assert_eq!(verified["different"], 0, "{verified}");
    // Customers, products, orders and their lines; no accounts are created for employees.
    assert_eq!(verified["pairs"], 91 + 77 + 830 + 2_155, "{verified}");
}

#[test]
fn northwind_in_a_file_is_proposed_and_kept_in_step() {
    let Some(dump) = northwind() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    northwind_in_a_file(&dump, &folder.join("northwind.db"));
    let org = System::start("salesforce", &[]);
    // The kind is found by looking: a file without a scheme will do.
    let proposed = run(
        folder,
        &[
            "init",
            "--from",
            "northwind.db",
            "--salesforce-url",
            &org.url,
            "--json",
        ],
    );
    ended(&proposed, 0);
    northwind_is_kept_in_step(folder, &proposed.last());
}

#[test]
#[ignore = "needs a server: clients/with-postgres"]
fn northwind_in_postgres_is_proposed_and_kept_in_step() {
    let Some(dump) = northwind() else {
        return;
    };
    let name = format!("proposed_{}", std::process::id());
    let server = std::env::var("TANDEM_POSTGRES").unwrap();
    let sql = |database: &str, arguments: &[&str]| {
        let mut psql = std::process::Command::new("psql");
        let psql = psql
            .args(["-q", "-v", "ON_ERROR_STOP=1", "-d"])
            .arg(format!("{server} dbname={database}"));
        let ran = psql.args(arguments).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    };
    sql("postgres", &["-c", &format!("CREATE DATABASE {name}")]);
    sql(&name, &["-o", "/dev/null", "-f", &dump]);
    let host = server
        .split(' ')
        .find_map(|part| part.strip_prefix("host="))
        .unwrap()
        .replace('/', "%2F");
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let org = System::start("salesforce", &[]);
    let from = format!("postgres://{host}/{name}");
    let arguments = [
        "init",
        "--from",
        &from,
        "--user-env",
        "ERP_USER",
        "--salesforce-url",
        &org.url,
        "--json",
    ];
    let proposed = run(folder, &arguments);
    ended(&proposed, 0);
    assert!(read(folder, "tandem.yaml").contains("secrets: { user: { env: ERP_USER } }"));
    northwind_is_kept_in_step(folder, &proposed.last());
    sql("postgres", &["-c", &format!("DROP DATABASE {name} WITH (FORCE)")]);
}

/// Tables of every kind: what their columns are taken for, and what cannot be had.
#[test]
fn what_tables_say_of_themselves_is_understood_and_guesses_are_marked() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let connection = rusqlite::Connection::open(folder.join("erp.db")).unwrap();
    let tables = "
        CREATE TABLE Kunden (KundenNr INTEGER PRIMARY KEY, Firmenname VARCHAR(80) NOT NULL, Ort VARCHAR(40), PLZ VARCHAR(10),
            Status TEXT CHECK (Status IN ('aktiv', 'gesperrt')), GeaendertAm DATETIME, AngelegtAm DATETIME NOT NULL,
            Version INTEGER NOT NULL DEFAULT 1, Geloescht BOOLEAN NOT NULL DEFAULT 0, salesforce_id TEXT UNIQUE);
        CREATE TABLE Artikel (ArtikelNr INTEGER PRIMARY KEY, Bezeichnung VARCHAR(120) NOT NULL, Farbe TEXT, Lagerort INTEGER,
            Rabattgruppe TEXT);
        CREATE TABLE Auftraege (AuftragNr INTEGER PRIMARY KEY, Kunde INTEGER NOT NULL REFERENCES Kunden (KundenNr), Auftragsdatum DATE NOT NULL);
        CREATE TABLE Auftragspositionen (Nr INTEGER PRIMARY KEY, Auftrag INTEGER NOT NULL REFERENCES Auftraege (AuftragNr),
            Artikel INTEGER NOT NULL REFERENCES Artikel (ArtikelNr), Menge DECIMAL(12,3) NOT NULL, Preis DECIMAL(12,4) NOT NULL,
            Rabatt DECIMAL(5,2));
        CREATE TABLE Protokoll (Zeile TEXT);
        CREATE VIEW Ansprechpartner AS SELECT KundenNr AS id, Firmenname AS Nachname FROM Kunden;
        INSERT INTO Kunden (KundenNr, Firmenname, Ort, AngelegtAm) VALUES (1, 'Acme', 'Ulm', '2026-01-31 12:00:00')";
    connection.execute_batch(tables).unwrap();
    drop(connection);
    let proposed = run_in(folder, &["init", "--from", "sqlite:erp.db", "--types", "all"]);
    ended(&proposed, 0);
    let description = read(folder, "erp.yaml");
    for part in [
        "modified: { column: [GeaendertAm, AngelegtAm] }   # guessed: ",
        "deleted: Geloescht   # guessed: ",
        "Status: { column: Status, values: [aktiv, gesperrt] }",
        "# left out: it has no key",
        "key: id   # guessed: ",
        "write: read_only   # guessed: ",
    ] {
        assert!(description.contains(part), "{part}\n{description}");
    }
    // A number that does not move with every change would let an edit be overwritten unseen.
    assert!(!description.contains("version:"), "{description}");
    let flow = read(folder, "flows/customer.yaml");
    assert!(
        flow.contains("erp: { property: salesforce_id }")
            && flow.contains("{ erp: Ort, salesforce: BillingCity"),
        "{flow}"
    );
    // What no row maps is named, money and status first.
    let product = read(folder, "flows/product.yaml");
    let unmapped: Vec<&str> = product
        .lines()
        .filter_map(|line| line.strip_prefix("  # - "))
        .collect();
    assert_eq!(
        unmapped,
        ["Rabattgruppe: string", "Lagerort: integer", "Farbe: string"],
        "{product}"
    );
    assert!(
        proposed.out.contains("No row of product maps 3 properties of"),
        "{}",
        proposed.out
    );
    // A deletion in Salesforce deletes nothing of the ERP's unasked.
    let lines = read(folder, "flows/order-line.yaml");
    assert!(
        lines.contains("on_delete: { erp: propagate, salesforce: ask }   # guessed: "),
        "{lines}"
    );
    for part in [
        "May a deletion in Salesforce delete lines in the ERP?",
        "To decide",
        "changes:",
        "`modified`",
        "Protokoll",
        "`version: Version`",
        "`url:` of Salesforce",
    ] {
        assert!(proposed.out.contains(part), "{part}\n{}", proposed.out);
    }
    // What is there is not overwritten without a word.
    let again = run_in(folder, &["init", "--from", "sqlite:erp.db"]);
    ended(&again, 2);
    assert!(
        again.err.contains("erp.yaml") && again.err.contains("--yes"),
        "{}",
        again.err
    );
    std::fs::write(folder.join("erp.yaml"), "# by hand\n").unwrap();
    let anew = run_in(folder, &["init", "--from", "sqlite:erp.db", "--yes"]);
    ended(&anew, 0);
    assert_eq!(read(folder, "erp.yaml.before"), "# by hand\n");
    assert!(anew.out.contains("stays as it is"), "{}", anew.out);
}

#[test]
fn on_a_terminal_it_asks_which_record_types() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("erp.json"), documents::openapi().to_string()).unwrap();
    for columns in [80, 140] {
        let arguments = ["init", "--from", "erp.json", "--description", "mine.yaml"];
        let Some(shown) = on_a_terminal(folder, columns, &[], &arguments, "Custmer\n2, contact\ny\n") else {
            return;
        };
        let text = plain(&shown.text);
        assert_eq!(shown.code, Some(0), "{text}");
        assert!(
            text.contains("looks like Account") && text.contains("Did you mean `Customer`?"),
            "{text}"
        );
        println!("{columns} columns:\n{text}");
        let wide = text
            .lines()
            .filter(|line| !line.starts_with("export ") && !line.starts_with("Numbers or names"))
            .filter(|line| line.chars().count() > usize::from(columns));
        assert_eq!(wide.collect::<Vec<_>>(), Vec::<&str>::new());
    }
    let description = read(folder, "mine.yaml");
    assert!(
        description.contains("\n  Contact:") && description.contains("\n  Customer:"),
        "{description}"
    );
    assert!(!description.contains("\n  Item:"), "{description}");
}
