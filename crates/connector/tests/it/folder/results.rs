//! Results in files of their own: whenever the ERP imports them and exports anew, nothing that was written seems to be taken back.

use super::{ORDERS, create, of, one, read, round, shown, update};
use std::collections::BTreeMap;
use std::path::PathBuf;
use tandem_connector::folder::{Description, Folder, FolderConfig};
use tandem_connector::proof::{Effort, Verdict, prove};
use tandem_connector::{Change, Connector, Lane, Outcome, RefusalKind, Write};
use tandem_merge::record::{Presence, RecordKey};
use tandem_merge::value::Value;

const DESCRIPTION: &str = r#"
system: northwind-export
write_to: { folder: ../import, refused: ../refused, action: Was, create: neu, update: anders, delete: weg }
record_types:
  Customer:
    file: kunden.csv
    id: Nr
    new_id: erp
    key: Schluessel
    decimal: ","
    settle: 0s
    properties:
      name: { column: Firma, required: true, max_length: 40 }
      city: Ort
      credit: { column: Kredit, type: decimal }
      salesforceId: { column: CRM, unique: true }
  Order:
    file: orders.jsonl
    id: number
    new_id: uuid
    absent: deleted
    settle: 0s
    properties:
      customerId: { column: customer, references: Customer }
      total: { column: total, type: decimal }
"#;

const HEAD: &str = "Nr;Firma;Ort;Kredit;CRM;Notiz;Schluessel\n";

/// An export with its neighbours.
struct Place(tempfile::TempDir);

impl Place {
    fn new(rows: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        for folder in ["export", "import", "refused"] {
            std::fs::create_dir(place.0.path().join(folder)).unwrap();
        }
        place.export(rows);
        std::fs::write(place.path("export/orders.jsonl"), ORDERS).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A new export takes the place of the old one.
    fn export(&self, rows: &str) {
        let draft = self.path("draft");
        std::fs::write(&draft, format!("{HEAD}{rows}")).unwrap();
        std::fs::rename(&draft, self.path("export/kunden.csv")).unwrap();
    }

    fn described(&self, text: &str) -> Folder {
        Folder::connect(FolderConfig {
            name: "erp".to_owned(),
            folder: self.path("export"),
            description: Description::read("erp.yaml", text).unwrap(),
            read_only: false,
            fields: BTreeMap::from([
                (
                    "Customer".to_owned(),
                    ["name", "city", "credit", "salesforceId"]
                        .map(str::to_owned)
                        .into(),
                ),
                (
                    "Order".to_owned(),
                    ["customerId", "total"].map(str::to_owned).into(),
                ),
            ]),
            computed: BTreeMap::new(),
        })
    }

    /// One more process.
    fn connect(&self) -> Folder {
        self.described(DESCRIPTION)
    }

    /// The names of files that wait, or are refused.
    fn there(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The only file that waits.
    fn waits(&self) -> String {
        let there = self.there("import");
        assert_eq!(there.len(), 1, "{there:?}");
        there[0].clone()
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.path("import").join(self.waits())).unwrap()
    }

    /// The ERP takes all that waits.
    fn takes(&self) {
        for file in self.there("import") {
            std::fs::remove_file(self.path("import").join(file)).unwrap();
        }
    }

    /// The ERP refuses what waits.
    fn refuses(&self) -> String {
        let file = self.waits();
        let (from, to) = (self.path("import").join(&file), self.path("refused").join(&file));
        std::fs::rename(from, to).unwrap();
        file
    }

    fn pends(&self) -> bool {
        self.path("export/kunden.csv.tandem-pending").exists()
    }
}

async fn city(folder: &Folder, id: &str) -> Value {
    read(folder, "Customer", id).await.values["city"].clone()
}

fn applied(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Applied { id, .. } => id.clone(),
        other => panic!("{other:?}"),
    }
}

const TWO: &str = "7;Adler;Köln;1,50;;x;\n8;Biber;Bonn;;;y;\n";

/// Adler moves to Ulm.
async fn moved(place: &Place) -> Folder {
    let folder = place.connect();
    let version = read(&folder, "Customer", "7").await.version;
    let write = update("7", &[("city", "Ulm".into())], version);
    let Outcome::Applied { state, .. } = one(&folder, write).await else {
        panic!("not taken")
    };
    assert_eq!(state.unwrap().values["city"], Value::text("Ulm"));
    folder
}

#[tokio::test]
async fn a_batch_is_one_file_for_the_erp_and_its_export_stays_as_it_is() {
    let place = Place::new(TWO);
    let before = std::fs::read(place.path("export/kunden.csv")).unwrap();
    let folder = place.connect();
    let delete = Write {
        intent: 3,
        key: "k3".to_owned(),
        change: Change::Delete {
            record: RecordKey::new("erp", "Customer", "8"),
            only_if: None,
        },
    };
    let batch = [
        create(
            "Customer",
            &[("name", "Neu; \"x\"".into()), ("salesforceId", "001A".into())],
        ),
        update("7", &[("city", "Ulm".into())], None),
        delete,
    ];
    let outcomes = folder.write(&batch, Lane::Live).await;
    assert_eq!(outcomes.iter().map(applied).collect::<Vec<_>>(), ["k", "7", "8"]);
    assert_eq!(std::fs::read(place.path("export/kunden.csv")).unwrap(), before);
    let name = place.waits();
    assert!(
        name.ends_with("Z-Customer.csv") && name.starts_with("20"),
        "{name}"
    );
    assert_eq!(
        place.text(),
        "Was;Nr;Firma;Ort;Kredit;CRM;Schluessel\nneu;;\"Neu; \"\"x\"\"\";;;001A;k\nanders;7;Adler;Ulm;1,50;;\nweg;8;Biber;Bonn;;;\n"
    );
    // Another process knows what is under way.
    let other = place.connect();
    let listed = other.list(&of("Customer"), None).await.unwrap().observations;
    let ids: Vec<&str> = listed.iter().map(|shown| shown.key.id.as_str()).collect();
    assert_eq!(ids, ["7", "k"]);
    assert_eq!(read(&other, "Customer", "8").await.presence, Presence::Deleted);
    // Lines of JSON say what changes, and nothing else.
    place.takes();
    let values = [("total".to_owned(), Value::Decimal("9.90".parse().unwrap()))];
    let record = RecordKey::new("erp", "Order", "1");
    let change = Change::Update {
        record,
        values: values.into(),
        only_if: None,
    };
    let write = Write {
        intent: 4,
        key: "k4".to_owned(),
        change,
    };
    applied(&one(&folder, write).await);
    assert!(place.waits().ends_with("-Order.jsonl"));
    assert_eq!(place.text(), "{\"Was\":\"anders\",\"number\":1,\"total\":9.90}\n");
}

#[tokio::test]
async fn an_old_export_takes_nothing_back_before_the_import_or_after_it() {
    let place = Place::new(TWO);
    let (_, cursor) = round(&place.connect(), None).await;
    let folder = moved(&place).await;
    // The write is shown, once.
    let (pages, cursor) = round(&folder, Some(cursor)).await;
    let cities: Vec<Value> = shown(&pages)
        .iter()
        .filter_map(|row| row.values.get("city").cloned())
        .collect();
    assert!(
        cities.contains(&Value::text("Ulm")) && !cities.contains(&Value::text("Köln")),
        "{cities:?}"
    );
    let (pages, cursor) = round(&folder, Some(cursor)).await;
    assert_eq!(shown(&pages).len(), 0);
    // WHEN an export is written before the import, THEN ours is read over it, and whatever else changed is seen.
    place.export("7;Adler & Co;Köln;1,50;;x;\n8;Biber;Bonn;;;y;\n");
    let (pages, cursor) = round(&folder, Some(cursor)).await;
    let news = shown(&pages);
    assert_eq!(news.len(), 1);
    assert_eq!(
        (&news[0].values["name"], &news[0].values["city"]),
        (&Value::text("Adler & Co"), &Value::text("Ulm"))
    );
    // WHEN the ERP takes the file, THEN the export that lay there still takes nothing back, for other processes too.
    place.takes();
    let (pages, cursor) = round(&folder, Some(cursor)).await;
    assert_eq!(shown(&pages).len(), 0);
    assert_eq!(city(&place.connect(), "7").await, Value::text("Ulm"));
    assert!(place.pends());
    // WHEN a newer export shows the row, THEN it counts, and nothing is kept any more.
    place.export("7;Adler & Co;Ulm;1,50;;x;\n8;Biber;Bonn;;;y;\n");
    let (pages, cursor) = round(&folder, Some(cursor)).await;
    assert!(
        shown(&pages)
            .iter()
            .all(|row| row.values["city"] != Value::text("Köln"))
    );
    assert!(!place.pends());
    place.export(TWO);
    let (pages, _) = round(&folder, Some(cursor)).await;
    assert_eq!(shown(&pages).len(), 1);
    assert_eq!(city(&folder, "7").await, Value::text("Köln"));
}

#[tokio::test]
async fn a_newer_export_counts_whatever_it_shows() {
    let place = Place::new(TWO);
    let folder = moved(&place).await;
    place.takes();
    assert_eq!(city(&folder, "7").await, Value::text("Ulm"));
    place.export("7;Adler;Mainz;1,50;;x;\n");
    assert_eq!(city(&folder, "7").await, Value::text("Mainz"));
    assert!(!place.pends());
    // Between two looks the ERP took a file and exported anew: what shows it was written after it, what does not may not have been.
    let write = update("7", &[("credit", Value::Decimal("2.5".parse().unwrap()))], None);
    applied(&one(&folder, write).await);
    place.takes();
    place.export("7;Adler;Mainz;1,50;;x;\n");
    let seven = read(&folder, "Customer", "7").await;
    assert_eq!(seven.values["credit"], Value::Decimal("2.5".parse().unwrap()));
    place.export("7;Adler;Mainz;2,50;;x;\n");
    read(&folder, "Customer", "7").await;
    assert!(!place.pends());
    let write = update("7", &[("credit", Value::Decimal("3.5".parse().unwrap()))], None);
    applied(&one(&folder, write).await);
    place.takes();
    place.export("7;Adler;Mainz;3,50;;x;\n");
    read(&folder, "Customer", "7").await;
    assert!(!place.pends());
}

#[tokio::test]
async fn what_the_erp_refuses_is_told_and_its_own_value_counts_once_somebody_saw_to_it() {
    let place = Place::new(TWO);
    let folder = moved(&place).await;
    let (_, cursor) = round(&folder, None).await;
    let file = place.refuses();
    let (pages, cursor) = round(&folder, Some(cursor)).await;
    let news = shown(&pages);
    assert_eq!(news.len(), 1);
    let why = &news[0].unreadable["city"];
    assert_eq!(*why, format!("the ERP refused {file}, in which it is `Ulm`"));
    assert_eq!(news[0].values["name"], Value::text("Adler"));
    // Another process says the same, also after the next export.
    place.export("7;Adler;Köln;1,50;;x;\n8;Biber;Bonn;;;z;\n");
    assert!(
        read(&place.connect(), "Customer", "7")
            .await
            .unreadable
            .contains_key("city")
    );
    // WHEN the file is taken away there, THEN the export's value counts again.
    std::fs::remove_file(place.path("refused").join(&file)).unwrap();
    let (pages, _) = round(&folder, Some(cursor)).await;
    assert!(
        shown(&pages)
            .iter()
            .any(|row| row.values.get("city") == Some(&Value::text("Köln")))
    );
    assert!(!place.pends());
    // WHEN the ERP shows another value of its own, THEN that counts at once.
    moved(&place).await;
    let file = place.refuses();
    assert!(
        read(&folder, "Customer", "7")
            .await
            .unreadable
            .contains_key("city")
    );
    place.export("7;Adler;Mainz;1,50;;x;\n");
    assert_eq!(city(&folder, "7").await, Value::text("Mainz"));
    std::fs::remove_file(place.path("refused").join(&file)).unwrap();
    city(&folder, "7").await;
    // WHEN somebody puts it back to be imported, THEN it is under way again.
    moved(&place).await;
    let file = place.refuses();
    assert!(
        read(&folder, "Customer", "7")
            .await
            .unreadable
            .contains_key("city")
    );
    std::fs::rename(
        place.path("refused").join(&file),
        place.path("import").join(&file),
    )
    .unwrap();
    assert_eq!(city(&folder, "7").await, Value::text("Ulm"));
    place.takes();
    assert_eq!(city(&folder, "7").await, Value::text("Ulm"));
    // A record whose creation or deletion is refused is out of sight, with the reason, and never taken for deleted.
    let orders = place.connect();
    let values = [("customerId", Value::text("7"))];
    let id = applied(&one(&orders, create("Order", &values)).await);
    assert_eq!(read(&orders, "Order", &id).await.presence, Presence::Alive);
    let file = place.refuses();
    let made = read(&orders, "Order", &id).await;
    assert_eq!(made.presence, Presence::Missing);
    assert!(made.unreadable["number"].contains(&file), "{made:?}");
}

#[tokio::test]
async fn a_record_goes_by_its_key_before_the_erp_gives_it_a_number_and_after() {
    let place = Place::new(TWO);
    let folder = place.connect();
    let (_, cursor) = round(&folder, None).await;
    let write = create(
        "Customer",
        &[("name", "Neu".into()), ("salesforceId", "001A".into())],
    );
    assert_eq!(applied(&one(&folder, write.clone()).await), "k");
    // The same create again makes nothing.
    assert_eq!(applied(&one(&place.connect(), write.clone()).await), "k");
    assert!(place.text().lines().count() == 2 && folder.capabilities().of(&of("Customer")).idempotent_create);
    // It cannot be referred to yet.
    let order = create("Order", &[("customerId", "k".into())]);
    let Outcome::Refused(refusal) = one(&folder, order.clone()).await else {
        panic!("taken")
    };
    assert_eq!(refusal.kind, RefusalKind::Busy, "{refusal:?}");
    // It is changed and deleted by its key meanwhile.
    applied(&one(&folder, update("k", &[("city", "Ulm".into())], None)).await);
    let last = place.there("import").pop().unwrap();
    let text = std::fs::read_to_string(place.path("import").join(last)).unwrap();
    assert!(text.ends_with("\nanders;;Neu;Ulm;;001A;k\n"), "{text}");
    place.takes();
    let (pages, cursor) = round(&folder, Some(cursor)).await;
    assert_eq!(
        shown(&pages)
            .iter()
            .map(|row| row.key.id.as_str())
            .collect::<Vec<_>>(),
        ["k"]
    );
    // An export that lacks it, newer or not, does not take it away.
    place.export(&format!("{TWO}9;Civette;;;;;\n"));
    assert_eq!(city(&folder, "k").await, Value::text("Ulm"));
    // Nor one that lacks it after it was deleted again.
    let again = Write {
        key: "again".to_owned(),
        ..create("Customer", &[("name", "Kurz".into())])
    };
    assert_eq!(applied(&one(&folder, again).await), "again");
    let delete = Write {
        intent: 3,
        key: "k3".to_owned(),
        change: Change::Delete {
            record: RecordKey::new("erp", "Customer", "again"),
            only_if: None,
        },
    };
    applied(&one(&folder, delete).await);
    place.takes();
    assert_eq!(
        read(&folder, "Customer", "again").await.presence,
        Presence::Deleted
    );
    place.export(&format!("{TWO}9;Civette;;;;;\n"));
    assert_eq!(
        read(&folder, "Customer", "again").await.presence,
        Presence::Missing
    );
    // WHEN the export shows it with a number, THEN it is the same record, known by both.
    place.export(&format!("{TWO}10;Neu;Ulm;;001A;;k\n"));
    let (pages, _) = round(&folder, Some(cursor)).await;
    assert!(shown(&pages).iter().all(|row| row.key.id != "10"));
    assert!(!place.pends());
    assert_eq!(city(&folder, "k").await, Value::text("Ulm"));
    assert_eq!(applied(&one(&folder, write).await), "k");
    assert_eq!(place.there("import").len(), 0);
    applied(&one(&folder, order).await);
    assert!(place.text().contains("\"customer\":\"10\""), "{}", place.text());
    place.takes();
    let order = ORDERS.replace("\"customer\": 7", "\"customer\": 10");
    std::fs::write(place.path("export/orders.jsonl"), order).unwrap();
    let shown = read(&folder, "Order", "1").await;
    assert_eq!(shown.values["customerId"], Value::text("k"));
}

#[tokio::test]
async fn a_deletion_is_one_until_a_newer_export_says_otherwise() {
    let place = Place::new(TWO);
    let folder = place.connect();
    let record = RecordKey::new("erp", "Customer", "8");
    let delete = || Write {
        intent: 3,
        key: "k3".to_owned(),
        change: Change::Delete {
            record: record.clone(),
            only_if: None,
        },
    };
    applied(&one(&folder, delete()).await);
    assert_eq!(one(&folder, delete()).await, Outcome::Gone);
    place.takes();
    assert_eq!(read(&folder, "Customer", "8").await.presence, Presence::Deleted);
    place.export(TWO);
    assert_eq!(read(&folder, "Customer", "8").await.presence, Presence::Alive);
    applied(&one(&folder, delete()).await);
    place.takes();
    place.export("7;Adler;Köln;1,50;;x;\n");
    assert_eq!(read(&folder, "Customer", "8").await.presence, Presence::Missing);
    assert!(!place.pends());
}

/// A process dies on the way: what was written down counts and is handed over, what was not is as if it had never been.
#[tokio::test]
async fn a_death_in_between_hands_over_all_or_nothing() {
    let place = Place::new(TWO);
    drop(moved(&place).await);
    let file = place.waits();
    let draft = place.path("import").join(format!(".{file}.tandem-new"));
    // GIVEN one that died just before it handed the file over
    std::fs::rename(place.path("import").join(&file), &draft).unwrap();
    // THEN the next one does, and whoever only looks says the same
    assert_eq!(city(&place.connect(), "7").await, Value::text("Ulm"));
    assert_eq!(place.waits(), file);
    place.takes();
    place.export("7;Adler;Ulm;1,50;;x;\n");
    city(&place.connect(), "7").await;
    // GIVEN one that died just before it wrote down what is in the file
    std::fs::write(&draft, "half").unwrap();
    let folder = place.connect();
    assert_eq!(city(&folder, "7").await, Value::text("Ulm"));
    applied(&one(&folder, update("7", &[("city", "Bonn".into())], None)).await);
    // THEN nobody ever takes it
    assert_ne!(place.waits(), file);
    // What is pending and cannot be read is not taken for nothing.
    std::fs::write(place.path("export/kunden.csv.tandem-pending"), "half").unwrap();
    let error = place
        .connect()
        .fetch(&of("Customer"), &["7".to_owned()])
        .await
        .unwrap_err();
    assert!(error.to_string().contains("pending"), "{error}");
}

/// A folder that cannot be reached was not emptied by the ERP.
#[tokio::test]
async fn a_folder_of_results_that_is_away_says_nothing() {
    let place = Place::new(TWO);
    let folder = moved(&place).await;
    std::fs::rename(place.path("import"), place.path("away")).unwrap();
    assert!(folder.fetch(&of("Customer"), &["7".to_owned()]).await.is_err());
    let error = place.connect().identify().await.unwrap_err();
    assert!(error.to_string().contains("import"), "{error}");
    std::fs::rename(place.path("away"), place.path("import")).unwrap();
    place.export("7;Adler;Mainz;1,50;;x;\n");
    assert_eq!(city(&folder, "7").await, Value::text("Ulm"));
}

#[tokio::test]
async fn a_folder_with_results_keeps_every_law() {
    let place = Place::new(&format!("{TWO}9;Civette;;;;;\n"));
    let effort = Effort {
        pages: 20,
        write: true,
        ..Effort::default()
    };
    let proofs = prove(&place.connect(), &[of("Customer"), of("Order")], effort)
        .await
        .unwrap();
    let broken: Vec<_> = proofs
        .iter()
        .filter(|proof| proof.verdict == Verdict::Broken)
        .collect();
    assert_eq!(broken, Vec::<&tandem_connector::proof::Proof>::new());
    let holds = proofs.iter().filter(|proof| proof.verdict == Verdict::Holds);
    assert!(holds.count() >= 18, "{proofs:#?}");
}

#[test]
fn a_description_that_leaves_open_what_becomes_of_a_create_is_refused() {
    let told = |from: &str, to: &str| {
        assert!(DESCRIPTION.contains(from), "{from}");
        let problems = Description::read("erp.yaml", &DESCRIPTION.replace(from, to)).unwrap_err();
        problems
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    };
    let cases = [
        (
            "    key: Schluessel\n",
            "",
            "which record of the ERP is the one that was created",
        ),
        (
            "new_id: erp\n    key: Schluessel",
            "new_id: number",
            "may give a number to somebody else",
        ),
        ("key: Schluessel", "key: CRM", "`CRM` cannot be the key"),
        ("action: Was", "action: Ort", "`Ort` is a column of the export"),
        ("update: anders", "update: neu", "two actions have the same word"),
        ("../import", ".", "cannot lie in one folder"),
        ("../refused", "../import/", "cannot lie in one folder"),
        (
            "write_to: { folder: ../import, refused: ../refused, action: Was, create: neu, update: anders, delete: weg }",
            "",
            "has no id of the ERP",
        ),
    ];
    for (from, to, part) in cases {
        let told = told(from, to);
        assert!(told.contains(part), "{to}: {told}");
    }
}
