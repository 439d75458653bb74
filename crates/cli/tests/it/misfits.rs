//! What does not fit is said before anything is written: by `check` with the cause alone, by `plan` in its last line.

use crate::local::run_in;
use crate::two_databases::Folder;
use rusqlite::Connection;

pub(crate) const CONFIG: &str = "connections:
  erp: { kind: sql, url: 'sqlite:erp.db', description: erp.yaml, overlap: 1s }
  shop: { kind: sql, url: 'sqlite:shop.db', description: shop.yaml, overlap: 1s }
flows: flows
";

const ERP: &str = "record_types:
  Artikel:
    table: artikel
    key: nr
    modified: geaendert
";

pub(crate) const SHOP: &str = "record_types:
  Product:
    table: products
    key: id
";

pub(crate) const FLOW: &str = "flow: article
erp: Artikel
shop: Product
match:
  - { nummer: trim }
create: { erp: off, shop: on }
on_delete: { erp: ask, shop: ask }
identity:
  shop: { property: erp_id }
properties:
  - { erp: nummer, shop: number, shop_length: 20 }
  - { erp: bezeichnung, shop: title, shop_length: 10 }
  - { erp: preis, shop: price, type: 'decimal(12,2)' }
";

/// A company's articles, with prices of four digits behind the point, and a shop whose prices have two.
fn scene() -> Folder {
    Folder::with(
        &[
            ("tandem.yaml", CONFIG),
            ("erp.yaml", ERP),
            ("shop.yaml", SHOP),
            ("flows/article.yaml", FLOW),
        ],
        &[
            (
                "erp.db",
            "CREATE TABLE artikel (nr INTEGER PRIMARY KEY, nummer VARCHAR(20) NOT NULL, bezeichnung VARCHAR(80),
               preis DECIMAL(12,4), geaendert TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f')));
             INSERT INTO artikel (nr, nummer, bezeichnung, preis) VALUES (1, 'A-1', 'Schraube', '200.22');",
            ),
            (
                "shop.db",
            "CREATE TABLE products (id INTEGER PRIMARY KEY, erp_id TEXT UNIQUE, number VARCHAR(20) NOT NULL, title VARCHAR(10),
               price DECIMAL(18,2));",
            ),
        ],
    )
}

/// What `check` finds of a weight.
#[track_caller]
fn found(scene: &Folder, code: i32, weight: &str) -> Vec<String> {
    let lines = scene.ran(code, &["check", "--json"]).lines();
    let lines = lines.iter().filter(|line| line["weight"] == weight);
    lines
        .map(|line| format!("{}; {}", line["what"], line["why"]))
        .collect()
}

#[test]
fn entries_that_a_list_lacks_are_told_before_anything_is_written() {
    let scene = scene();
    scene.sql(
        "erp.db",
        "ALTER TABLE artikel ADD COLUMN stand VARCHAR(10) CHECK (stand IN ('neu', 'aktiv', 'alt'))",
    );
    scene.sql(
        "shop.db",
        "ALTER TABLE products ADD COLUMN state VARCHAR(10) CHECK (state IN ('Neu', 'On sale'))",
    );
    let row = |row: &str| {
        let flow = format!("{FLOW}  - {row}\n");
        std::fs::write(scene.path("flows/article.yaml"), flow).unwrap();
    };
    // GIVEN a row that carries words as they are, THEN those that the other list lacks are told, with what to write
    row("{ erp: stand, shop: state, direction: to-shop }");
    let doubts = found(&scene, 0, "doubtful").join("\n");
    assert!(
        doubts.contains("no entries for `neu`, `aktiv`, `alt`")
            && doubts.contains("type: enum, values: { neu: Neu, aktiv: ?, alt: ? }"),
        "{doubts}"
    );
    // WHEN it maps them, to a word that is misspelled, THEN that word is told
    row("{ erp: stand, shop: state, direction: to-shop, type: enum, values: { neu: Neu, aktiv: On sales } }");
    let doubts = found(&scene, 0, "doubtful").join("\n");
    assert!(
        doubts.contains("no entry `On sales`") && doubts.contains("Did you mean `On sale`?"),
        "{doubts}"
    );
    let said = scene.ran(0, &["check"]).out;
    assert!(
        said.contains("to make sure of") && said.contains("flows/article.yaml:14:"),
        "{said}"
    );
    // A list may change while everything runs: what finds no entry holds up itself alone.
    scene.ran(0, &["sync", "--yes"]);
    // WHEN it is right, THEN what has no word yet is a remark, and both ways each list is looked through
    row("{ erp: stand, shop: state, type: enum, values: { neu: Neu, aktiv: On sale } }");
    let limits = found(&scene, 0, "limit").join("\n");
    assert!(limits.contains("`values` do not name: `alt`"), "{limits}");
    row(
        "{ erp: stand, shop: state, type: enum, values: { neu: Neu, aktiv: On sale, alt: On sale }, back: { On sale: aktiv } }",
    );
    let limits = found(&scene, 0, "limit").join("\n");
    assert!(!limits.contains("do not name"), "{limits}");
}

#[test]
fn a_row_that_keeps_fewer_digits_than_both_columns_is_refused_with_its_place() {
    let scene = scene();
    // GIVEN what both can hold, THEN it is fine, and what becomes of the rest is a remark
    let limits = found(&scene, 0, "limit").join("\n");
    assert!(
        limits.contains("artikel.preis has 4 digits behind the point and products.price has 2")
            || limits.contains("Artikel.preis has 4 digits behind the point and Product.price has 2"),
        "{limits}"
    );
    assert!(limits.contains("rounded to 2 (half away from zero)"), "{limits}");
    // WHEN the row keeps less
    scene.edit("flows/article.yaml", "decimal(12,2)", "decimal(18,0)");
    // THEN it is wrong, with file, line, both scales and what to write
    let said = scene.ran(2, &["check"]).err;
    for part in [
        "flows/article.yaml:13:38",
        "Artikel.preis has 4 digits behind the point and Product.price has 2, but the row keeps 0",
        "Write `type: decimal(12,2)`",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // AND nothing is written by it
    for command in [&["plan"][..], &["sync", "--yes"]] {
        let refused = scene.ran(2, command);
        assert!(refused.err.contains("the row keeps 0"), "{}", refused.err);
    }
    // AND of a row of another type its own digits are proposed
    scene.edit("flows/article.yaml", "decimal(18,0)", "boolean");
    let said = scene.ran(2, &["check"]).err;
    assert!(said.contains("Write `type: decimal(12,2)`"), "{said}");
}

#[test]
fn a_description_that_makes_a_column_with_cents_whole_is_told() {
    let scene = scene();
    let properties = "    properties:\n      preis: { column: preis, type: integer }\n";
    std::fs::write(scene.path("erp.yaml"), format!("{ERP}{properties}")).unwrap();
    let wrong = found(&scene, 2, "wrong").join("\n");
    assert!(
        wrong.contains("preis has 4 digits behind the point, and is described as integer"),
        "{wrong}"
    );
}

#[test]
fn what_a_create_needs_and_nothing_gives_is_wrong() {
    let scene = scene();
    scene.sql(
        "shop.db",
        "DROP TABLE products; CREATE TABLE products (id INTEGER PRIMARY KEY, erp_id TEXT UNIQUE, number VARCHAR(20) NOT NULL,
           title VARCHAR(10), price DECIMAL(18,2), status TEXT NOT NULL, kind TEXT NOT NULL DEFAULT 'new');",
    );
    let wrong = found(&scene, 2, "wrong");
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert!(
        wrong[0].contains("Product.status is required on create, and no row or constant gives it"),
        "{wrong:?}"
    );
    // A constant gives it, and where nothing is created nothing is needed.
    scene.edit(
        "flows/article.yaml",
        "properties:",
        "constants: { shop: { status: new } }\nproperties:",
    );
    assert_eq!(found(&scene, 0, "wrong"), [""; 0]);
    scene.edit("flows/article.yaml", "constants: { shop: { status: new } }\n", "");
    scene.edit("flows/article.yaml", "shop: on", "shop: off");
    assert_eq!(found(&scene, 0, "wrong"), [""; 0]);
}

#[test]
fn a_mistake_in_the_description_is_told_with_its_place_and_without_what_follows_from_it() {
    for (from, to, told) in [
        (
            "modified: geaendert",
            "modified: geandert",
            "erp.yaml:5:15: the database's artikel has no column geandert. Did you mean `geaendert`?",
        ),
        (
            "key: nr",
            "key: nrr",
            "erp.yaml:4:10: the database's artikel has no column nrr",
        ),
        (
            "table: artikel",
            "table: artikle",
            "erp.yaml:3:12: erp has no table or view artikle for Artikel",
        ),
        (
            "key: nr",
            "key: nr\n    properties: { preis: pries }",
            "erp.yaml:5:26: the database's artikel has no column pries. Did you mean `preis`?",
        ),
    ] {
        let scene = scene();
        scene.edit("erp.yaml", from, to);
        let ran = scene.ran(2, &["check", "--json"]);
        let wrong: Vec<_> = ran
            .lines()
            .into_iter()
            .filter(|line| line["weight"] == "wrong")
            .collect();
        assert_eq!(wrong.len(), 1, "{}{}", ran.out, ran.err);
        assert!(
            wrong[0]["what"].as_str().unwrap().contains(told),
            "{told}: {}",
            ran.out
        );
        assert!(!ran.err.contains("has no record type"), "{}", ran.err);
    }
}

#[test]
fn of_two_names_that_are_nearly_the_same_the_one_that_the_erp_does_not_have_is_told() {
    let scene = scene();
    // GIVEN a row with a misspelled column that a match key names rightly
    scene.edit("flows/article.yaml", "erp: nummer", "erp: numer");
    let said = scene.ran(2, &["check"]).err;
    assert!(
        said.contains("Artikel has no property `numer`") && said.contains("Did you mean `nummer`?"),
        "{said}"
    );
    assert!(!said.contains("mapped by no row"), "{said}");
    // Before the ERP is asked, neither is offered for the other.
    let said = scene.ran(2, &["status"]).err;
    assert!(
        said.contains("A row maps `numer`") && !said.contains("Did you mean"),
        "{said}"
    );
    // AND the other way round, the key is what is told
    scene.edit("flows/article.yaml", "erp: numer", "erp: nummer");
    scene.edit("flows/article.yaml", "{ nummer: trim }", "{ numer: trim }");
    let said = scene.ran(2, &["check"]).err;
    assert!(
        said.contains("match key `numer` is mapped by no row") && said.contains("Did you mean `nummer`?"),
        "{said}"
    );
}

#[test]
fn a_plan_ends_with_what_will_not_happen_and_why() {
    let scene = scene();
    assert!(!scene.ran(0, &["plan"]).out.contains("not done"));
    // GIVEN two articles whose names are too long for the shop
    scene.sql(
        "erp.db",
        "INSERT INTO artikel (nr, nummer, bezeichnung, preis) VALUES (2, 'A-2', 'Unterlegscheibe', 1), (3, 'A-3', 'Sechskantmutter M8', 2);",
    );
    // THEN the last line says so, and the exit code, too
    let plan = scene.ran(3, &["plan"]);
    let last = plan.out.lines().last().unwrap();
    assert!(last.contains("; not done: parked "), "{}", plan.out);
    assert!(
        last.contains("bezeichnung has … characters, and title holds … (2)"),
        "{last}"
    );
    let json = scene.ran(3, &["plan", "--json"]).last();
    assert_eq!(json["plan"]["waits"]["reasons"][0]["count"], 2, "{json}");
}

#[test]
fn a_plan_shows_mapped_values_first_and_what_stood_before() {
    let scene = scene();
    let plan = scene.ran(0, &["plan"]);
    let all = plan.out.replace(['\n', ' '], "");
    let (number, price, identity) = (all.find("number="), all.find("price="), all.find("erp_id="));
    assert!(
        number < price && price < identity && number.is_some(),
        "{}",
        plan.out
    );
    scene.ran(0, &["sync", "--yes"]);
    scene.sql(
        "erp.db",
        "UPDATE artikel SET preis = '99.5', geaendert = strftime('%Y-%m-%d %H:%M:%f', 'now', '+1 second');",
    );
    let plan = scene.ran(0, &["plan"]);
    assert!(plan.out.contains("price=200.22 -> 99.5"), "{}", plan.out);
}

#[test]
fn lines_of_an_order_outside_the_filter_are_left_out_quietly_until_it_belongs() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let erp = Connection::open(path("erp.db")).unwrap();
    erp.execute_batch(
        "CREATE TABLE auftraege (nr INTEGER PRIMARY KEY, status TEXT NOT NULL);
         CREATE TABLE positionen (nr INTEGER PRIMARY KEY, auftrag INTEGER NOT NULL REFERENCES auftraege (nr), menge INTEGER NOT NULL);
         INSERT INTO auftraege VALUES (1, 'offen'), (2, 'fertig');
         INSERT INTO positionen VALUES (11, 1, 5), (21, 2, 7);",
    )
    .unwrap();
    let shop = Connection::open(path("shop.db")).unwrap();
    shop.execute_batch(
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, erp_id TEXT UNIQUE, state TEXT);
         CREATE TABLE lines (id INTEGER PRIMARY KEY, erp_id TEXT UNIQUE, order_id INTEGER REFERENCES orders (id), quantity INTEGER);",
    )
    .unwrap();
    std::fs::create_dir_all(path("flows")).unwrap();
    for (name, text) in [
        ("tandem.yaml", CONFIG),
        (
            "erp.yaml",
            "record_types:\n  Auftrag: { table: auftraege, key: nr }\n  Position: { table: positionen, key: nr }\n",
        ),
        (
            "shop.yaml",
            "record_types:\n  Order: { table: orders, key: id }\n  Line: { table: lines, key: id }\n",
        ),
        (
            "flows/order.yaml",
            "flow: order\nerp: Auftrag\nshop: Order\nmatch: []\non_delete: { erp: ask, shop: ask }\nidentity: { shop: { property: erp_id } }\n\
             only: { erp: \"status = 'fertig'\" }\nproperties:\n  - { erp: status, shop: state, direction: to-shop }\n",
        ),
        (
            "flows/line.yaml",
            "flow: line\nsupports: order\nerp: Position\nshop: Line\nmatch: []\non_delete: { erp: ask, shop: ask }\n\
             identity: { shop: { property: erp_id } }\nproperties:\n  - { erp: auftrag, shop: order_id, references: order, never_blank: [erp, shop] }\n  \
             - { erp: menge, shop: quantity, type: integer }\n",
        ),
    ] {
        std::fs::write(path(name), text).unwrap();
    }
    let synced = |code: i32| {
        let ran = run_in(folder.path(), &["sync", "--yes", "--json"]);
        assert_eq!(ran.code, Some(code), "{}{}", ran.out, ran.err);
        let count = |table: &str| {
            let sql = format!("SELECT count(*) FROM {table}");
            shop.query_row(&sql, [], |row| row.get::<_, u32>(0)).unwrap()
        };
        (count("orders"), count("lines"))
    };
    // GIVEN an open order, which the filter leaves out, THEN its line is no trouble, nor after another round
    assert_eq!(synced(0), (1, 1));
    assert_eq!(synced(0), (1, 1));
    let listed = run_in(folder.path(), &["failures", "--json", "--all"]).out;
    println!("{listed}");
    // WHEN it belongs, THEN its line follows
    erp.execute_batch("UPDATE auftraege SET status = 'fertig' WHERE nr = 1")
        .unwrap();
    assert_eq!(synced(0), (2, 2));
}
