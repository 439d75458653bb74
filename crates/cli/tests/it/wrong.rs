//! Descriptions that are wrong in one thing: `check` finds it at the live system and says what to write, before anything is
//! kept in step by it.

use crate::examples::{Example, customerp_by_description};
use crate::local::{Ran, System};
use crate::misfits::{CONFIG, FLOW, SHOP};
use crate::proxy::Proxy;
use crate::two_databases::Folder;

/// The local Customerp by its description, over a line that may change what it answers.
struct Scene {
    example: Example,
    _erp: System,
    line: Proxy,
}

fn customerp() -> Scene {
    let erp = System::start("customerp", &["--records", "12", "--seed", "6"]);
    let line = Proxy::before(&erp.url);
    let example = customerp_by_description(&line.url);
    Scene {
        example,
        _erp: erp,
        line,
    }
}

/// What `check` says is wrong, all in one line.
#[track_caller]
fn wrong(what: &str, ran: &Ran, told: &[&str]) {
    let said = format!("{}{}", ran.out, ran.err);
    assert!(ran.code.is_some_and(|code| code != 0), "{what}: {said}");
    for word in told {
        assert!(said.contains(word), "{what} lacks `{word}`: {said}");
    }
}

#[test]
fn what_is_wrong_with_a_description_of_a_rest_interface_is_found_at_the_live_system() {
    let scene = customerp();
    let checked = scene.example.done(&["check"]);
    assert!(!checked.out.contains("to make sure of"), "{}", checked.out);
    let honest = std::fs::read_to_string(scene.example.path("customerp.yaml")).unwrap();
    for (what, from, to, told) in [
        (
            "no id stands there",
            "    id: id\n    ids: digits",
            "    id: idd\n    ids: digits",
            &["idd"][..],
        ),
        (
            "a key that several share",
            "    collection: customers\n",
            "    collection: customers\n    record: { id: country, ids: text }\n",
            &["Customer", "of them twice", "`id`"],
        ),
        (
            "no records stand there",
            "items: items\n    paging",
            "items: itemz\n    paging",
            &["itemz"],
        ),
        (
            "a property stands elsewhere",
            "name: { type: string(4000), required: true }\n      active",
            "name: { type: string(4000), required: true, at: label }\n      active",
            &["`name` at `label`"],
        ),
        (
            "the next page is asked for by nothing",
            "limit: 1000, cursor: \"{cursor}\" }",
            "limit: 5, curser: \"{cursor}\" }",
            &["curser"][..],
        ),
        (
            "changes are asked for by an unknown word",
            "updatedSince: \"{since}\"",
            "updatedAfter: \"{since}\"",
            &["updatedAfter"],
        ),
        (
            "a token that every record has",
            "    token: version\n",
            "    token: deleted\n",
            &["token"],
        ),
        (
            "records that stand inside one another",
            "  Contact:\n    collection: contacts\n",
            "  Contact:\n    collection: contacts\n    inside: { type: Contact, at: people, id: id }\n",
            &["inside"],
        ),
    ] {
        assert!(honest.contains(from), "{what}: {from}");
        std::fs::write(scene.example.path("customerp.yaml"), honest.replacen(from, to, 1)).unwrap();
        let ran = scene.example.run(&["check"]);
        wrong(what, &ran, told);
    }
    std::fs::write(scene.example.path("customerp.yaml"), &honest).unwrap();
    // What the ERP itself shows otherwise than it is described.
    let times = |edit: fn(&str) -> String| {
        move |_: &str, body: Vec<u8>| {
            let text = String::from_utf8_lossy(&body).into_owned();
            let mut parts = text.split("\"updatedAt\":\"");
            let mut made = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                let (at, rest) = part.split_once('"').unwrap();
                made += &format!("\"updatedAt\":\"{}\"{rest}", edit(at));
            }
            made.into_bytes()
        }
    };
    scene.line.alter(times(|at| at.trim_end_matches('Z').to_owned()));
    let ran = scene.example.run(&["check"]);
    let doubted = format!("{}{}", ran.out, ran.err);
    assert!(
        doubted.contains("to make sure of") && doubted.contains("UTC is assumed"),
        "{doubted}"
    );
    scene.line.alter(times(|at| {
        let at: jiff::Timestamp = at.parse().unwrap();
        (at + jiff::SignedDuration::from_hours(9)).to_string()
    }));
    let ran = scene.example.run(&["check"]);
    wrong("times of another zone", &ran, &["`zone`"]);
    scene.line.alter(|_, body| body);
    scene.example.done(&["check"]);
}

/// The flow of articles with their numbers alone.
fn articles() -> &'static str {
    FLOW.split("  - { erp: bezeichnung").next().unwrap()
}

const ROWS: &str = "  - { erp: preis, shop: price, type: 'decimal(18,2)' }
  - { erp: seit, shop: since, type: date }
";

#[test]
fn what_is_wrong_with_a_description_of_a_database_is_found_at_the_live_system() {
    let honest = "record_types:
  Artikel:
    table: artikel
    key: nr
    modified: geaendert
    version: fassung
";
    let scene = Folder::with(
        &[
            ("tandem.yaml", CONFIG),
            ("erp.yaml", honest),
            ("shop.yaml", SHOP),
            ("flows/article.yaml", articles()),
        ],
        &[
            (
                "erp.db",
                "CREATE TABLE artikel (nr INTEGER PRIMARY KEY, nummer VARCHAR(20) NOT NULL, gruppe VARCHAR(20), ort TEXT, fassung INTEGER NOT NULL DEFAULT 1,
                   geaendert TEXT NOT NULL);
                 CREATE TRIGGER t AFTER UPDATE ON artikel BEGIN UPDATE artikel SET fassung = old.fassung + 1 WHERE nr = new.nr AND fassung = old.fassung; END;
                 CREATE VIEW alle AS SELECT * FROM artikel UNION ALL SELECT * FROM artikel;
                 INSERT INTO artikel (nr, nummer, gruppe, ort, fassung, geaendert) VALUES
                   (1, 'A-1', 'Holz', strftime('%Y-%m-%d %H:%M:%f', 'now', '+9 hours'), 4, '2026-01-02 10:00:00.100'),
                   (2, 'A-2', 'Holz', strftime('%Y-%m-%d %H:%M:%f', 'now', '+9 hours'), 7, '2026-01-03 10:00:00.100');",
            ),
            (
                "shop.db",
                "CREATE TABLE products (id INTEGER PRIMARY KEY, erp_id TEXT UNIQUE, number VARCHAR(20) NOT NULL);",
            ),
        ],
    );
    scene.ran(0, &["check"]);
    for (what, from, to, told) in [
        (
            "a table that is not there",
            "table: artikel",
            "table: artikeln",
            &["erp.yaml:3:", "artikeln"][..],
        ),
        (
            "a column that is not there",
            "modified: geaendert",
            "modified: geandert",
            &["erp.yaml:5:", "geandert"],
        ),
        ("a key that is not unique", "key: nr", "key: gruppe", &["gruppe"]),
        (
            "a view that shows each row twice",
            "table: artikel\n",
            "table: alle\n    write: read_only\n",
            &["twice"],
        ),
        (
            "a time of another zone",
            "modified: geaendert",
            "modified: ort",
            &["ahead"],
        ),
    ] {
        std::fs::write(scene.path("erp.yaml"), honest.replacen(from, to, 1)).unwrap();
        let ran = crate::local::run_in(&scene.path(""), &["check"]);
        wrong(what, &ran, told);
    }
}

#[test]
fn what_is_wrong_with_a_description_of_files_is_found_at_the_live_system() {
    let honest = "system: files
record_types:
  Artikel:
    file: artikel.csv
    id: nr
    settle: 0s
    properties:
      nummer: { column: nummer, required: true }
      preis: { column: preis, type: decimal }
      seit: { column: seit, type: date }
";
    let files = CONFIG.replace(
        "{ kind: sql, url: 'sqlite:erp.db', description: erp.yaml, overlap: 1s }",
        "{ kind: folder, folder: files, description: erp.yaml }",
    );
    let scene = Folder::with(
        &[
            ("tandem.yaml", &files),
            ("erp.yaml", honest),
            ("shop.yaml", SHOP),
            ("flows/article.yaml", &format!("{}{ROWS}", articles())),
            (
                "files/artikel.csv",
                "nr;nummer;gruppe;preis;seit\n1;A-1;Holz;1.50;2026-01-02\n2;A-2;Holz;2.00;2026-01-03\n",
            ),
        ],
        &[(
            "shop.db",
            "CREATE TABLE products (id INTEGER PRIMARY KEY, erp_id TEXT UNIQUE, number VARCHAR(20) NOT NULL, price DECIMAL(18,2), since DATE);",
        )],
    );
    scene.ran(0, &["check"]);
    for (what, from, to, told) in [
        (
            "a file that is not there",
            "artikel.csv",
            "artikeln.csv",
            &["artikeln.csv"][..],
        ),
        (
            "a column that is not there",
            "column: nummer",
            "column: numer",
            &["numer"],
        ),
        (
            "an id that several rows share",
            "id: nr",
            "id: gruppe",
            &["gruppe"],
        ),
        (
            "a number that is none",
            "column: preis",
            "column: gruppe",
            &["preis"],
        ),
        ("a day that is none", "column: seit", "column: gruppe", &["seit"]),
    ] {
        std::fs::write(scene.path("erp.yaml"), honest.replacen(from, to, 1)).unwrap();
        let ran = crate::local::run_in(&scene.path(""), &["check"]);
        wrong(what, &ran, told);
    }
}
