//! Two ERPs and no Salesforce: what is kept in step is whatever the two systems have.

use crate::two_databases::Folder;

const CONFIG: &str = "
connections:
  factory: { kind: sql, url: 'sqlite:factory.db', description: factory.yaml, overlap: 1s }
  shop: { kind: sql, url: 'sqlite:shop.db', description: shop.yaml, overlap: 1s }
flows: flows
";

const FACTORY: &str = "
record_types:
  Kunde: { table: kunden, key: nr, modified: geaendert, version: version, compare_every: 1s }
  Auftrag: { table: auftraege, key: nr, modified: geaendert, version: version, compare_every: 1s }
";

const SHOP: &str = "
record_types:
  Client: { table: clients, key: id, modified: changed_at, version: row_version, compare_every: 1s }
  Purchase: { table: purchases, key: id, modified: changed_at, version: row_version, compare_every: 1s }
";

const CLIENTS: &str = "
flow: client
factory: Kunde
shop: Client
match:
  - { ustid: trim }
conflict: latest
create: { factory: on, shop: on }
on_delete: { factory: propagate, shop: propagate }
properties:
  - { factory: name, shop: title, never_blank: [factory, shop] }
  - { factory: ustid, shop: vat_number }
  - { factory: ort, shop: town }
";

const PURCHASES: &str = "
flow: purchase
factory: Auftrag
shop: Purchase
match:
  - { nummer: trim }
conflict: latest
create: { factory: on, shop: on }
on_delete: { factory: propagate, shop: propagate }
properties:
  - { factory: nummer, shop: number, never_blank: [factory, shop] }
  - { factory: kunde_nr, shop: client_id, references: client }
  - { factory: betrag, shop: amount, type: 'decimal(12,2)' }
";

/// A factory's database and a shop's, with words of their own.
fn scene() -> Folder {
    Folder::with(
        &[
            ("tandem.yaml", CONFIG),
            ("factory.yaml", FACTORY),
            ("shop.yaml", SHOP),
            ("flows/client.yaml", CLIENTS),
            ("flows/purchase.yaml", PURCHASES),
        ],
        &[
            (
                "factory.db",
            "CREATE TABLE kunden (nr INTEGER PRIMARY KEY, name VARCHAR(80) NOT NULL, ustid VARCHAR(20) UNIQUE, ort VARCHAR(40),
               geaendert TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f')), version INTEGER NOT NULL DEFAULT 1);
             CREATE TABLE auftraege (nr INTEGER PRIMARY KEY, nummer VARCHAR(20) NOT NULL UNIQUE, kunde_nr INTEGER REFERENCES kunden(nr),
               betrag DECIMAL(12,2), geaendert TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f')), version INTEGER NOT NULL DEFAULT 1);
             CREATE TRIGGER k AFTER UPDATE OF name, ustid, ort ON kunden BEGIN UPDATE kunden SET
               geaendert = strftime('%Y-%m-%d %H:%M:%f'), version = version + 1 WHERE nr = new.nr; END;
             CREATE TRIGGER a AFTER UPDATE OF nummer, kunde_nr, betrag ON auftraege BEGIN UPDATE auftraege SET
               geaendert = strftime('%Y-%m-%d %H:%M:%f'), version = version + 1 WHERE nr = new.nr; END;
             INSERT INTO kunden (nr, name, ustid, ort) VALUES (10, 'Müller', 'DE1', 'Ulm'), (11, 'Schmidt', 'DE2', 'Köln');
             INSERT INTO auftraege (nr, nummer, kunde_nr, betrag) VALUES (100, 'A-1', 10, '99.50');",
            ),
            (
                "shop.db",
            "CREATE TABLE clients (id INTEGER PRIMARY KEY, title VARCHAR(80) NOT NULL, vat_number VARCHAR(20) UNIQUE, town VARCHAR(40),
               changed_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f')), row_version INTEGER NOT NULL DEFAULT 1);
             CREATE TABLE purchases (id INTEGER PRIMARY KEY, number VARCHAR(20) NOT NULL UNIQUE, client_id INTEGER REFERENCES clients(id),
               amount DECIMAL(12,2), changed_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f')), row_version INTEGER NOT NULL DEFAULT 1);
             CREATE TRIGGER c AFTER UPDATE OF title, vat_number, town ON clients BEGIN UPDATE clients SET
               changed_at = strftime('%Y-%m-%d %H:%M:%f'), row_version = row_version + 1 WHERE id = new.id; END;
             CREATE TRIGGER p AFTER UPDATE OF number, client_id, amount ON purchases BEGIN UPDATE purchases SET
               changed_at = strftime('%Y-%m-%d %H:%M:%f'), row_version = row_version + 1 WHERE id = new.id; END;
             INSERT INTO clients (id, title, vat_number, town) VALUES (1, 'Müller', 'DE1', 'Ulm'), (2, 'Dupont', 'FR9', 'Lyon');
             INSERT INTO purchases (id, number, client_id, amount) VALUES (7, 'P-7', 2, '10.00');",
            ),
        ],
    )
}

#[test]
fn two_databases_are_kept_in_step_without_any_salesforce() {
    let scene = scene();
    scene.ran(0, &["check"]);
    scene.ran(0, &["sync", "--yes"]);
    // One was found on both sides, one came from each, and orders name the right customers.
    let clients = "SELECT title, vat_number, town FROM clients ORDER BY vat_number";
    let kunden = "SELECT name, ustid, ort FROM kunden ORDER BY ustid";
    let all = ["Müller|DE1|Ulm", "Schmidt|DE2|Köln", "Dupont|FR9|Lyon"];
    assert_eq!(scene.rows("shop.db", clients), all);
    assert_eq!(scene.rows("factory.db", kunden), all);
    let purchases = "SELECT number, vat_number, CAST(amount AS REAL) FROM purchases JOIN clients ON client_id = clients.id ORDER BY number";
    let auftraege = "SELECT nummer, ustid, CAST(betrag AS REAL) FROM auftraege JOIN kunden ON kunde_nr = kunden.nr ORDER BY nummer";
    let orders = ["A-1|DE1|99.50", "P-7|FR9|10.00"];
    assert_eq!(scene.rows("shop.db", purchases), orders);
    assert_eq!(scene.rows("factory.db", auftraege), orders);
    // Edits travel both ways, and a deletion.
    scene.sql("factory.db", "UPDATE kunden SET ort = 'Bonn' WHERE ustid = 'DE2'");
    scene.sql("shop.db", "UPDATE clients SET title = 'Dupont SA' WHERE vat_number = 'FR9'; DELETE FROM purchases WHERE number = 'A-1'");
    // Nothing tells of a deletion: it is found when the rows are compared, at most once a second, and confirmed by its key.
    let began = std::time::Instant::now();
    while scene.rows("factory.db", auftraege).len() > 1 {
        assert!(
            began.elapsed() < std::time::Duration::from_secs(60),
            "the deletion never arrives"
        );
        scene.ran(0, &["sync", "--yes"]);
    }
    scene.ran(0, &["sync", "--yes"]);
    let all = ["Müller|DE1|Ulm", "Schmidt|DE2|Bonn", "Dupont SA|FR9|Lyon"];
    assert_eq!(scene.rows("shop.db", clients), all);
    assert_eq!(scene.rows("factory.db", kunden), all);
    let verified = scene.ran(0, &["verify", "--json"]).last();
    assert_eq!(
        (&verified["different"], &verified["pairs"]),
        (&0.into(), &4.into()),
        "{verified}"
    );
    assert_eq!(scene.rows("factory.db", auftraege), ["P-7|FR9|10.00"]);
}
