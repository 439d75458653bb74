//! A folder of files as an ERP exports them: how they are written is found out, what is not in them any more is a
//! suspicion, and what nobody changed stays as it was, byte by byte.

mod results;
pub(crate) mod scene;

use std::collections::BTreeMap;
use std::path::PathBuf;
use tandem_connector::folder::{Description, Folder, FolderConfig};
use tandem_connector::proof::{Effort, Verdict, prove};
use tandem_connector::{Change, ChangePage, Connector, ErrorKind, Lane, Outcome, RefusalKind, Write};
use tandem_merge::record::{Observation, Presence, RecordKey, RecordType, Values, Version};
use tandem_merge::value::Value;

const DESCRIPTION: &str = r#"
system: northwind-export
record_types:
  Customer:
    file: kunden.csv
    id: Nr
    new_id: number
    decimal: ","
    zone: Europe/Berlin
    settle: 0s
    properties:
      name: { column: Firma, required: true, max_length: 40 }
      city: Ort
      credit: { column: Kredit, type: decimal }
      active: { column: Aktiv, type: boolean, yes: J, no: N }
      since: { column: Seit, type: date, format: "%d.%m.%Y" }
      salesforceId: { column: CRM, unique: true }
  Order:
    file: orders.jsonl
    id: number
    absent: deleted
    new_id: uuid
    modified: changed
    settle: 0s
    properties:
      customerId: { column: customer, references: Customer }
      total: { column: total, type: decimal }
"#;

struct Place(tempfile::TempDir);

impl Place {
    /// A folder with the two files.
    fn new(customers: &[u8], orders: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        std::fs::write(place.path("kunden.csv"), customers).unwrap();
        std::fs::write(place.path("orders.jsonl"), orders).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// An export takes the place of the file.
    fn export(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path("draft"), bytes).unwrap();
        std::fs::rename(self.path("draft"), self.path(name)).unwrap();
    }

    fn connect(&self) -> Folder {
        self.described(DESCRIPTION)
    }

    fn described(&self, description: &str) -> Folder {
        Folder::connect(FolderConfig {
            name: "erp".to_owned(),
            folder: self.0.path().to_owned(),
            description: Description::read("erp.yaml", description).unwrap(),
            read_only: false,
            fields: BTreeMap::from([
                (
                    "Customer".to_owned(),
                    ["name", "city", "credit", "active", "since", "salesforceId"]
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
}

fn of(name: &str) -> RecordType {
    RecordType::new("erp", name)
}

async fn page(folder: &Folder, cursor: Option<&[u8]>) -> ChangePage {
    folder
        .changes(&[of("Customer"), of("Order")], cursor)
        .await
        .unwrap()
}

/// A round to its end.
async fn round(folder: &Folder, cursor: Option<Vec<u8>>) -> (Vec<ChangePage>, Vec<u8>) {
    let (mut pages, mut at) = (Vec::new(), cursor);
    loop {
        let page = page(folder, at.as_deref()).await;
        let (more, cursor) = (page.more, page.cursor.clone());
        pages.push(page);
        at = Some(cursor.clone());
        if !more {
            return (pages, cursor);
        }
    }
}

fn shown(pages: &[ChangePage]) -> Vec<&Observation> {
    pages.iter().flat_map(|page| &page.observations).collect()
}

async fn read(folder: &Folder, name: &str, id: &str) -> Observation {
    folder.fetch(&of(name), &[id.to_owned()]).await.unwrap().remove(0)
}

fn write(change: Change) -> Write {
    Write {
        intent: 1,
        key: "k".to_owned(),
        change,
    }
}

fn update(id: &str, values: &[(&str, Value)], only_if: Option<Version>) -> Write {
    let values = values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    write(Change::Update {
        record: RecordKey::new("erp", "Customer", id),
        values: values.collect(),
        only_if,
    })
}

fn create(name: &str, values: &[(&str, Value)]) -> Write {
    let values: Values = values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    write(Change::Create {
        record_type: of(name),
        values,
    })
}

async fn one(folder: &Folder, write: Write) -> Outcome {
    folder.write(&[write], Lane::Live).await.remove(0)
}

/// As people in Germany save it: Windows-1252, semicolons, commas in numbers, `\r\n`, a quoted line break, and a column that
/// nobody told us of.
const KUNDEN: &[u8] = b"Nr;Firma;Ort;Kredit;Aktiv;Seit;CRM;Notiz\r\n7;M\xfcller & S\xf6hne;K\xf6ln;1.234,50;J;29.02.2024;;\"zwei\r\nZeilen; mit \"\"Zitat\"\"\"\r\n10;Adler;;;N;;;x\r\n";
const ORDERS: &str = "{\"number\": 1, \"customer\": 7, \"total\": 12.50, \"changed\": \"2026-01-31T12:00:00Z\", \"other\": {\"a\": [1]}}\n";

#[tokio::test]
async fn how_a_file_is_written_is_found_out() {
    let place = Place::new(KUNDEN, ORDERS);
    let folder = place.connect();
    let seven = read(&folder, "Customer", "7").await;
    assert_eq!(seven.values["name"], Value::text("Müller & Söhne"));
    assert_eq!(seven.values["city"], Value::text("Köln"));
    assert_eq!(seven.values["credit"], Value::Decimal("1234.50".parse().unwrap()));
    assert_eq!(seven.values["active"], Value::Boolean(true));
    assert_eq!(seven.values["since"], Value::Date("2024-02-29".parse().unwrap()));
    let ten = read(&folder, "Customer", "10").await;
    assert_eq!(
        (&ten.values["city"], &ten.values["credit"], &ten.values["since"]),
        (&Value::Blank, &Value::Blank, &Value::Blank)
    );
    let order = read(&folder, "Order", "1").await;
    assert_eq!(order.values["customerId"], Value::text("7"));
    assert_eq!(
        order.version.unwrap().modified.to_string(),
        "2026-01-31T12:00:00Z"
    );
    // The same with a byte order mark in UTF-8, and with tabs.
    let text = "\u{feff}Nr\tFirma\tOrt\tKredit\tAktiv\tSeit\tCRM\n1\tŁódź\t\t\tJ\t\t\n";
    let place = Place::new(text.as_bytes(), "");
    assert_eq!(
        read(&place.connect(), "Customer", "1").await.values["name"],
        Value::text("Łódź")
    );
}

/// A text in UTF-16 with its mark.
fn wide(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(bytes).collect()
}

#[tokio::test]
async fn a_file_in_utf_16_is_read_by_its_mark_and_written_back_so() {
    for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
        // Letters whose halves look like the end of a line, and no end behind the last row.
        let head = "Nr;Firma;Ort;Kredit;Aktiv;Seit;CRM\r\n1;\u{0a41}\u{410a};\"zwei\r\nZeilen\";;J;;\r\n";
        let place = Place::new(&wide(&format!("{head}2;Łódź;;;N;;"), bytes), ORDERS);
        let folder = place.connect();
        let one_of = read(&folder, "Customer", "1").await;
        assert_eq!(one_of.values["name"], Value::text("\u{0a41}\u{410a}"));
        assert_eq!(one_of.values["city"], Value::text("zwei\r\nZeilen"));
        let two = read(&folder, "Customer", "2").await;
        assert_eq!(two.values["name"], Value::text("Łódź"));
        let values = [("city", "Gdańsk".into())];
        let outcome = one(&folder, update("2", &values, two.version)).await;
        assert!(matches!(outcome, Outcome::Applied { .. }), "{outcome:?}");
        let expected = format!("{head}2;Łódź;Gdańsk;;N;;\r\n");
        assert_eq!(place.bytes("kunden.csv"), wide(&expected, bytes));
        let outcome = one(&folder, create("Customer", &[("name", "Ö".into())])).await;
        assert!(matches!(outcome, Outcome::Applied { .. }), "{outcome:?}");
        assert_eq!(
            place.bytes("kunden.csv"),
            wide(&format!("{expected}3;Ö;;;;;\r\n"), bytes)
        );
    }
}

#[tokio::test]
async fn a_file_is_read_and_written_in_the_encoding_that_is_said() {
    let said = DESCRIPTION.replace("id: Nr", "id: Nr\n    encoding: windows-1250");
    let text = b"Nr;Firma;Ort;Kredit;Aktiv;Seit;CRM\n1;\xa3\xf3d\x9f;;;J;;\n";
    let place = Place::new(text, ORDERS);
    let folder = place.described(&said);
    let first = read(&folder, "Customer", "1").await;
    assert_eq!(first.values["name"], Value::text("Łódź"));
    let values = [("city", "Gdańsk".into())];
    let outcome = one(&folder, update("1", &values, first.version)).await;
    assert!(matches!(outcome, Outcome::Applied { .. }), "{outcome:?}");
    assert_eq!(
        place.bytes("kunden.csv"),
        b"Nr;Firma;Ort;Kredit;Aktiv;Seit;CRM\n1;\xa3\xf3d\x9f;Gda\xf1sk;;J;;\n"
    );
    let wrong = said.replace("windows-1250", "klingon");
    let problems = Description::read("erp.yaml", &wrong).unwrap_err();
    assert!(problems[0].to_string().contains("klingon"), "{problems:?}");
}

/// What one code page of DOS has another lacks: who is at fault is one record, and all others are written.
#[tokio::test]
async fn a_file_of_dos_is_read_and_written_in_its_code_page() {
    let cases: [(&str, &[u8], &str, &str); 5] = [
        ("cp850", b"M\x81ller \x9d", "Müller Ø", "Ł"),
        ("ibm437", b"M\x81ller \xe3", "Müller π", "Ø"),
        ("DOS-852", b"\x9d\xa2d\xab", "Łódź", "Ø"),
        ("866", b"\x8c\xe3\xa7", "Муз", "Ø"),
        ("cp858", b"\xd5", "€", "Ł"),
    ];
    for (encoding, bytes, name, foreign) in cases {
        let said = DESCRIPTION.replace("id: Nr", &format!("id: Nr\n    encoding: \"{encoding}\""));
        let row = [b"1;", bytes, b";;;J;;\n"].concat();
        let text = [
            b"Nr;Firma;Ort;Kredit;Aktiv;Seit;CRM\n",
            row.as_slice(),
            b"2;B;;;J;;\n",
        ]
        .concat();
        let place = Place::new(&text, ORDERS);
        let folder = place.described(&said);
        let first = read(&folder, "Customer", "1").await;
        assert_eq!(first.values["name"], Value::text(name), "{encoding}");
        let batch = [
            update("1", &[("city", foreign.into()), ("name", "A".into())], None),
            update("2", &[("city", name.into())], None),
        ];
        let outcomes = folder.write(&batch, Lane::Live).await;
        let Outcome::Refused(refusal) = &outcomes[0] else {
            panic!("{encoding}: {outcomes:?}")
        };
        assert_eq!(refusal.properties, ["city"], "{refusal:?}");
        assert!(
            refusal.message.contains(&format!("`{foreign}` of city")),
            "{refusal:?}"
        );
        assert!(
            matches!(outcomes[1], Outcome::Applied { .. }),
            "{encoding}: {outcomes:?}"
        );
        let head = &text[..text.len() - b"2;B;;;J;;\n".len()];
        let expected = [head, b"2;B;", bytes, b";;J;;\n"].concat();
        assert_eq!(place.bytes("kunden.csv"), expected, "{encoding}");
    }
}

#[tokio::test]
async fn a_write_changes_its_row_and_no_other_byte() {
    let place = Place::new(KUNDEN, ORDERS);
    let folder = place.connect();
    let version = read(&folder, "Customer", "10").await.version;
    let values = [
        ("city", Value::text("Straße; \"A\"")),
        ("credit", Value::Decimal("7.25".parse().unwrap())),
        ("active", Value::Boolean(true)),
    ];
    let outcome = one(&folder, update("10", &values, version.clone())).await;
    let Outcome::Applied {
        state: Some(state), ..
    } = outcome
    else {
        panic!("{outcome:?}")
    };
    assert_eq!(state.values["city"], Value::text("Straße; \"A\""));
    let at = KUNDEN.windows(4).position(|it| it == b"10;A").unwrap();
    let bytes = place.bytes("kunden.csv");
    assert_eq!(&bytes[..at], &KUNDEN[..at]);
    assert_eq!(&bytes[at..], b"10;Adler;\"Stra\xdfe; \"\"A\"\"\";7,25;J;;;x\r\n");
    // The state before is another now.
    assert_eq!(one(&folder, update("10", &values, version)).await, Outcome::Stale);
    assert_eq!(one(&folder, update("11", &values, None)).await, Outcome::Gone);
    // What the encoding of the file cannot hold is refused, not turned into a question mark.
    let Outcome::Refused(refusal) = one(&folder, update("7", &[("city", "Łódź".into())], None)).await
    else {
        panic!("taken")
    };
    assert!(refusal.message.contains("windows-1252"), "{refusal:?}");
    // Lines of JSON keep what nobody described.
    let record = RecordKey::new("erp", "Order", "1");
    let values = Values::from([("total".to_owned(), Value::Decimal("99.90".parse().unwrap()))]);
    let outcome = one(
        &folder,
        write(Change::Update {
            record,
            values,
            only_if: None,
        }),
    )
    .await;
    assert!(matches!(outcome, Outcome::Applied { .. }), "{outcome:?}");
    let line: serde_json::Value = serde_json::from_slice(&place.bytes("orders.jsonl")).unwrap();
    assert_eq!(
        (line["total"].to_string().as_str(), &line["other"]["a"][0]),
        ("99.90", &serde_json::json!(1))
    );
}

#[tokio::test]
async fn a_batch_is_one_new_file() {
    let place = Place::new(KUNDEN, "");
    let folder = place.connect();
    let batch = [
        create(
            "Customer",
            &[("name", "Neu".into()), ("salesforceId", "001A".into())],
        ),
        create(
            "Customer",
            &[("name", "Noch".into()), ("salesforceId", "001A".into())],
        ),
        create("Customer", &[("name", Value::Blank)]),
        create("Customer", &[("name", "x".repeat(41).as_str().into())]),
        create("Customer", &[("name", "Fremd".into()), ("nonsense", "x".into())]),
        create("Customer", &[("name", "Dritter".into())]),
        write(Change::Delete {
            record: RecordKey::new("erp", "Customer", "7"),
            only_if: None,
        }),
    ];
    let outcomes = folder.write(&batch, Lane::Live).await;
    let told: Vec<String> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Applied { id, .. } => id.clone(),
            Outcome::Refused(refusal) => format!("{:?} {}", refusal.kind, refusal.properties.join(",")),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(
        told,
        [
            "11",
            "Duplicate salesforceId",
            "Invalid name",
            "Invalid name",
            "Invalid nonsense",
            "12",
            "7"
        ]
    );
    let listed = folder.list(&of("Customer"), None).await.unwrap().observations;
    let ids: Vec<&str> = listed.iter().map(|shown| shown.key.id.as_str()).collect();
    assert_eq!(ids, ["10", "11", "12"]);
    let no_ids = DESCRIPTION.replace("    new_id: number\n", "");
    let Outcome::Refused(refusal) = one(&place.described(&no_ids), batch[5].clone()).await else {
        panic!("taken")
    };
    assert_eq!(
        (refusal.kind, refusal.advice.contains("new_id")),
        (RefusalKind::Forbidden, true)
    );
}

#[tokio::test]
async fn what_changed_is_news_and_what_is_not_there_is_looked_for() {
    let place = Place::new(KUNDEN, ORDERS);
    let folder = place.connect();
    let (pages, cursor) = round(&folder, None).await;
    assert_eq!(shown(&pages).len(), 3);
    assert!(pages.iter().all(|page| page.complete.is_some()));
    // Nothing changed: nothing is read.
    let (pages, cursor) = round(&folder, Some(cursor)).await;
    assert_eq!(shown(&pages).len(), 0);
    // Our own write is shown, alone.
    assert!(matches!(
        one(&folder, update("10", &[("city", "Ulm".into())], None)).await,
        Outcome::Applied { .. }
    ));
    let (pages, cursor) = round(&folder, Some(cursor)).await;
    assert_eq!(
        shown(&pages)
            .iter()
            .map(|it| it.key.id.as_str())
            .collect::<Vec<_>>(),
        ["10"]
    );
    // The next export lacks a customer and an order: both are looked for, one is out of sight, the other deleted.
    place.export(
        "kunden.csv",
        b"Nr;Firma;Ort;Kredit;Aktiv;Seit;CRM;Notiz\r\n10;Adler;Ulm;;N;;;x\r\n",
    );
    place.export("orders.jsonl", b"");
    let (pages, cursor) = round(&folder, Some(cursor)).await;
    let hints: Vec<String> = pages
        .iter()
        .flat_map(|page| &page.hints)
        .map(ToString::to_string)
        .collect();
    assert_eq!(hints, ["erp Customer 7", "erp Order 1"]);
    assert_eq!(read(&folder, "Customer", "7").await.presence, Presence::Missing);
    assert_eq!(read(&folder, "Order", "1").await.presence, Presence::Deleted);
    // Another process knows nothing of what was listed before: it lists again what changed since, and that alone.
    place.export("kunden.csv", KUNDEN);
    let (pages, _) = round(&place.connect(), Some(cursor)).await;
    assert_eq!(shown(&pages).len(), 2);
    assert_eq!(
        pages[0].complete.as_ref().map(|it| it.record_type.name.as_str()),
        Some("Customer")
    );
}

#[tokio::test]
async fn large_files_come_in_pages_and_begin_anew_where_they_change_between_two() {
    let mut text = String::from("Nr,Firma,Ort,Kredit,Aktiv,Seit,CRM\n");
    (0..2_500).for_each(|number| text.push_str(&format!("{number},Name {number},,,,,\n")));
    let place = Place::new(text.as_bytes(), "");
    let folder = place.connect();
    let (pages, _) = round(&folder, None).await;
    assert_eq!(shown(&pages).len(), 2_500);
    let ranges: Vec<_> = pages
        .iter()
        .filter_map(|page| page.complete.clone())
        .filter(|it| it.record_type.name == "Customer")
        .collect();
    assert_eq!(ranges.len(), 3);
    assert!(ranges.windows(2).all(|pair| pair[0].to == pair[1].after));
    assert_eq!((&ranges[0].after, &ranges[2].to), (&None, &None));
    // A row goes between two pages: the file is read from its beginning, and no other row is missed.
    let first = page(&folder, None).await;
    place.export("kunden.csv", text.replacen("5,Name 5,,,,,\n", "", 1).as_bytes());
    let (pages, _) = round(&folder, Some(first.cursor)).await;
    let ids: std::collections::BTreeSet<&str> = shown(&pages).iter().map(|it| it.key.id.as_str()).collect();
    assert_eq!(ids.len(), 2_499);
    assert_eq!(pages[0].complete.as_ref().unwrap().after, None);
}

#[tokio::test]
async fn a_bad_row_is_told_by_its_line_and_holds_up_no_other() {
    let rows = "Nr;Firma;Ort;Kredit;Aktiv;Seit;CRM\n1;A;;zwölf;J;;\n2;B;;;vielleicht;31.02.2024;\n3;C;;\n;D;;;;;\n4;E;;;;;\n4;F;;;;;\n5;G;;;;;\n";
    let place = Place::new(
        rows.as_bytes(),
        "{\"number\": 1, \"customer\": 3, \"total\": 2, \"changed\": null}\nnonsense\n",
    );
    let folder = place.connect();
    let why = async |id: &str| {
        let shown = read(&folder, "Customer", id).await;
        (
            shown.presence,
            shown
                .unreadable
                .into_iter()
                .map(|(name, why)| format!("{name}: {why}"))
                .collect::<Vec<_>>()
                .join("; "),
        )
    };
    assert_eq!(
        why("1").await,
        (
            Presence::Alive,
            "credit: line 2 of kunden.csv: `zwölf` is no decimal".to_owned()
        )
    );
    let (_, two) = why("2").await;
    assert!(
        two.contains("`vielleicht` is neither `J` nor `N`") && two.contains("`31.02.2024` is no date"),
        "{two}"
    );
    assert_eq!(
        why("3").await,
        (
            Presence::Missing,
            "Nr: line 4 of kunden.csv: it has 4 cells where the headings have 7".to_owned()
        )
    );
    let (_, four) = why("4").await;
    assert!(four.contains("2 rows of kunden.csv have this id"), "{four}");
    assert_eq!(why("5").await, (Presence::Alive, String::new()));
    let Outcome::Refused(refusal) = one(&folder, update("3", &[("city", "Ulm".into())], None)).await else {
        panic!("taken")
    };
    assert_eq!(refusal.kind, RefusalKind::Locked);
    assert_eq!(
        folder.list(&of("Order"), None).await.unwrap().observations.len(),
        1
    );
}

#[tokio::test]
async fn a_file_that_is_not_there_deletes_nothing() {
    let place = Place::new(KUNDEN, ORDERS);
    let folder = place.connect();
    let (_, cursor) = round(&folder, None).await;
    std::fs::remove_file(place.path("kunden.csv")).unwrap();
    let page = page(&folder, Some(&cursor)).await;
    assert_eq!(page.incomplete.len(), 1);
    assert!(
        page.incomplete[0]
            .error
            .to_string()
            .contains("nothing is taken for deleted"),
        "{:?}",
        page.incomplete
    );
    assert!(folder.fetch(&of("Customer"), &["7".to_owned()]).await.is_err());
    let outcome = one(&folder, update("7", &[("city", "Ulm".into())], None)).await;
    assert!(
        matches!(&outcome, Outcome::NotSent(error) if error.kind == ErrorKind::Down),
        "{outcome:?}"
    );
    // A file that is being written is left alone until it rests.
    let slow = DESCRIPTION.replace("settle: 0s", "settle: 1h");
    let resting = place.described(&slow);
    let types = [of("Order")];
    // What was never read is not nothing.
    let error = resting.changes(&types, None).await.unwrap_err();
    assert!(error.to_string().contains("may still be"), "{error}");
}

#[tokio::test]
async fn a_folder_keeps_every_law() {
    let place = Place::new(KUNDEN, ORDERS);
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
    assert!(
        proofs
            .iter()
            .filter(|proof| proof.verdict == Verdict::Holds)
            .count()
            >= 18,
        "{proofs:#?}"
    );
    // What was made for the proofs is gone, and the files are what they were.
    assert_eq!(place.bytes("kunden.csv"), KUNDEN);
}

#[test]
fn a_wrong_description_is_told_with_place_and_remedy() {
    let wrong = r#"
system: x
record_types:
  Customer:
    file: ../kunden.xls
    id: Nr
    new_id: counter
    zone: Europe/Nowhere
    propertis: {}
    properties:
      name: Firma
      other: Firma
      born: { column: Seit, type: dat, format: "%Q" }
      chief: { column: Chef, references: Custmer }
"#;
    let problems = Description::read("erp.yaml", wrong).unwrap_err();
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    for part in [
        "erp.yaml:5:11: `../kunden.xls` is no file of cells or lines",
        "is not in the folder itself",
        "`counter` is none of the words here",
        "`Europe/Nowhere` is no zone",
        "unknown key `propertis`. Did you mean `properties`?",
        "`other` is in the column of `name`",
        "unknown type `dat`. Did you mean `date`?",
        "no record type is called `Custmer`. Did you mean `Customer`?",
    ] {
        assert!(told.iter().any(|it| it.contains(part)), "{part}: {told:#?}");
    }
    let missing = Description::read("erp.yaml", "system: x\n").unwrap_err();
    assert!(
        missing[0].to_string().contains("`record_types` is missing"),
        "{missing:?}"
    );
}

#[tokio::test]
async fn a_quote_within_a_cell_opens_nothing() {
    let rows = "Nr;Firma;Ort;Kredit;Aktiv;Seit;CRM\n5;12\" pipe;x;;;;\n6;B;;;;;\n7;\"C\";;;;;\n8;D\";;;;;\n";
    let place = Place::new(rows.as_bytes(), "");
    let folder = place.connect();
    let listed = folder.list(&of("Customer"), None).await.unwrap().observations;
    let names: Vec<String> = listed
        .iter()
        .map(|shown| shown.values["name"].to_string())
        .collect();
    assert_eq!(names, ["12\" pipe", "B", "C", "D\""]);
    assert!(matches!(
        one(&folder, update("5", &[("city", "Ulm".into())], None)).await,
        Outcome::Applied { .. }
    ));
    assert_eq!(
        folder
            .list(&of("Customer"), None)
            .await
            .unwrap()
            .observations
            .len(),
        4
    );
    // One that is opened and never closed takes its own row out of sight, and the rest of the file with it: nothing is written.
    let open = Place::new(
        b"Nr;Firma;Ort;Kredit;Aktiv;Seit;CRM\n5;\"open;x;;;;\n6;B;;;;;\n",
        "",
    );
    let folder = open.connect();
    assert_eq!(read(&folder, "Customer", "5").await.presence, Presence::Missing);
    let Outcome::Refused(refusal) = one(&folder, update("5", &[("city", "Ulm".into())], None)).await else {
        panic!("taken")
    };
    assert_eq!(refusal.kind, RefusalKind::Locked);
}

#[tokio::test]
async fn the_number_of_a_deleted_record_is_never_given_out_again() {
    let place = Place::new(KUNDEN, "");
    let made = async |folder: &Folder| match one(folder, create("Customer", &[("name", "Neu".into())])).await
    {
        Outcome::Applied { id, .. } => id,
        other => panic!("{other:?}"),
    };
    let folder = place.connect();
    assert_eq!(made(&folder).await, "11");
    let record = RecordKey::new("erp", "Customer", "11");
    assert!(matches!(
        one(
            &folder,
            write(Change::Delete {
                record,
                only_if: None
            })
        )
        .await,
        Outcome::Applied { .. }
    ));
    assert_eq!(made(&folder).await, "12");
    // Nor that of a row which the ERP itself took away, by another process.
    folder.list(&of("Customer"), None).await.unwrap();
    place.export("kunden.csv", KUNDEN);
    assert_eq!(made(&place.connect()).await, "13");
}

/// What is being written may only not be there yet.
#[tokio::test]
async fn nothing_is_written_into_a_file_that_does_not_rest_and_nothing_follows_from_what_it_lacks() {
    let place = Place::new(KUNDEN, ORDERS);
    let folder = place.described(&DESCRIPTION.replace("settle: 0s", "settle: 1h"));
    let outcome = one(&folder, update("7", &[("city", "Ulm".into())], None)).await;
    assert!(
        matches!(&outcome, Outcome::NotSent(error) if error.kind == ErrorKind::Down),
        "{outcome:?}"
    );
    assert_eq!(place.bytes("kunden.csv"), KUNDEN);
    let absent = folder.fetch(&of("Order"), &["2".to_owned()]).await.unwrap_err();
    assert!(absent.to_string().contains("may still be"), "{absent}");
    assert_eq!(
        folder.fetch(&of("Order"), &["1".to_owned()]).await.unwrap().len(),
        1
    );
}

#[tokio::test]
async fn a_few_bad_bytes_make_a_few_bad_rows() {
    let mut rows = "Nr;Firma;Ort;Kredit;Aktiv;Seit;CRM\n1;Müller;Köln;;;;\n2;B"
        .to_owned()
        .into_bytes();
    rows.extend(b"\xfcrger;;;;;\n3;Jos\xc3\xa9;;;;;\n");
    let place = Place::new(&rows, "");
    let folder = place.connect();
    assert_eq!(
        read(&folder, "Customer", "1").await.values["name"],
        Value::text("Müller")
    );
    assert_eq!(
        read(&folder, "Customer", "3").await.values["name"],
        Value::text("José")
    );
    let two = read(&folder, "Customer", "2").await;
    assert!(two.unreadable["Nr"].contains("no UTF-8"), "{two:?}");
}

#[tokio::test]
async fn a_member_that_no_line_has_is_a_mistake_and_not_blank() {
    let place = Place::new(
        KUNDEN,
        "{\"number\": 1, \"kunde\": 7, \"total\": 1, \"changed\": null}\n",
    );
    let error = place.connect().list(&of("Order"), None).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("orders.jsonl has no column customer; it has changed, kunde"),
        "{error}"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_to_a_file_stays_one() {
    let place = Place::new(KUNDEN, "");
    std::fs::rename(place.path("kunden.csv"), place.path("real.csv")).unwrap();
    std::os::unix::fs::symlink("real.csv", place.path("kunden.csv")).unwrap();
    let folder = place.connect();
    assert!(matches!(
        one(&folder, update("10", &[("city", "Ulm".into())], None)).await,
        Outcome::Applied { .. }
    ));
    assert!(place.path("kunden.csv").is_symlink());
    assert!(String::from_utf8_lossy(&place.bytes("real.csv")).contains("Ulm"));
}

/// Blank cells at the end of a row are cells, and a blank at the end of a text is part of it.
#[tokio::test]
async fn the_end_of_a_row_is_the_end_of_its_line_and_nothing_else() {
    let rows = |city: &str| {
        format!("Nr\tFirma\tKredit\tAktiv\tSeit\tCRM\tOrt\n1\tA\t\t\t\t\t{city}\n2\tB\t\t\t\t\t\n")
    };
    let place = Place::new(rows("Ulm").as_bytes(), "");
    let folder = place.connect();
    let (pages, cursor) = round(&folder, None).await;
    assert_eq!(
        shown(&pages)
            .iter()
            .map(|row| row.unreadable.len())
            .collect::<Vec<_>>(),
        [0, 0]
    );
    let before = read(&folder, "Customer", "1").await.version;
    place.export("kunden.csv", rows("Ulm ").as_bytes());
    let (pages, _) = round(&folder, Some(cursor)).await;
    assert_eq!(shown(&pages).len(), 1);
    assert_eq!(
        one(&folder, update("1", &[("city", "Bonn".into())], before)).await,
        Outcome::Stale
    );
}
