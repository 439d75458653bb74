//! Descriptions: what is wrong in them is told at once, with its place and what to write instead.

use super::stage::Stage;
use super::{config, of};
use tandem_connector::Connector;
use tandem_connector::sql::{Description, Sql, schema};

#[test]
fn all_problems_are_told_at_once_with_place_and_help() {
    let text = "
zone: Europe/Olso
chanel: x
record_types:
  Customer:
    table: sales.a.customers
    key: id
    changes: chnge_table
    modified: { colum: at }
  Order:
    table: orders
    key: []
    changes: modified
    compare_every: often
    write: alow
    properties:
      customer: { column: customer_id, references: Custmer, type: strng, find: lose }
";
    let problems = Description::read("erp.yaml", text).unwrap_err();
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let has = |line: u64, parts: &[&str]| {
        let fits = |text: &&String| {
            text.starts_with(&format!("erp.yaml:{line}:")) && parts.iter().all(|part| text.contains(part))
        };
        assert!(
            told.iter().any(|text| fits(&text)),
            "line {line} {parts:?}: {told:#?}"
        );
    };
    has(2, &["no time zone", "Europe/Olso"]);
    has(3, &["unknown key `chanel`", "Did you mean `channel`?"]);
    has(6, &["names no table", "schema.table"]);
    has(8, &["`chnge_table` is not known", "Did you mean `change_table`?"]);
    has(9, &["unknown key `colum`", "Did you mean `column`?"]);
    has(9, &["`column` is missing"]);
    has(11, &["`key` names no column"]);
    has(13, &["no column says when", "changes: comparison"]);
    has(14, &["no stretch of time", "15m"]);
    has(15, &["Did you mean `allow`?"]);
    has(17, &["no record type `Custmer`", "Did you mean `Customer`?"]);
    has(17, &["unknown type `strng`", "Did you mean `string`?"]);
    has(17, &["`lose` is not known", "Did you mean `loose`?"]);
}

#[test]
fn what_is_right_is_read() {
    let text = "
zone: Europe/Oslo
change_table: tandem_changes
record_types:
  Line: { table: order_lines, key: [order_id, line_no], changes: change_table }
  Customer: { table: sales.customers, key: id, version: xmin, modified: { column: [changed, made], granularity: 1s } }
";
    let described = Description::read("erp.yaml", text).unwrap();
    assert_eq!(described.record_types(), ["Customer", "Line"]);
    assert!(Description::read("erp.yaml", "record_types: {}").is_err());
    assert!(Description::read("erp.yaml", "").is_err());
}

#[test]
fn editors_are_given_a_schema_with_every_key() {
    let schema = schema().to_string();
    for key in [
        "record_types",
        "change_table",
        "compare_every",
        "granularity",
        "references",
        "write_to",
        "absent",
    ] {
        assert!(schema.contains(&format!("\"{key}\"")), "{key}");
    }
}

#[test]
fn what_stands_in_an_address_shows_nowhere() {
    let config = super::config(
        "postgres://clerk:url-secret@db.example.org/erp",
        "record_types: { A: { table: a, key: id } }",
    );
    let connector = tandem_connector::sql::Sql::connect(config.clone()).unwrap();
    assert!(!format!("{config:?} {connector:?}").contains("url-secret"));
    let odd = tandem_connector::sql::SqlConfig {
        url: "oracle://clerk:url-secret@db/erp".to_owned(),
        ..config
    };
    let error = tandem_connector::sql::Sql::connect(odd).unwrap_err();
    assert!(
        error.to_string().contains("`oracle` is no kind of database"),
        "{error}"
    );
    assert!(!format!("{error} {error:?}").contains("url-secret"));
}

#[test]
fn the_examples_are_right() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/northwind-postgres");
    for (name, types) in [("northwind.yaml", 7), ("northwind-with-triggers.yaml", 7)] {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        let described = Description::read(name, &text).unwrap_or_else(|problems| panic!("{problems:?}"));
        assert_eq!(described.record_types().len(), types, "{name}");
    }
}

/// A procedure that may end the transaction gives up the lock under which a row was compared.
#[test]
fn what_protects_a_table_is_said_of_each() {
    let text = "
record_types:
  Plain: { table: plain, key: id }
  Changed: { table: changed, key: id, update: { call: 'change(id, name)' } }
  Dropped: { table: dropped, key: id, delete: { call: drop_it(id) }, create: { call: make(name) } }";
    let can = |url: &str, name: &str| {
        let erp = Sql::connect(config(url, text)).unwrap();
        let can = erp.capabilities().of(&of(name));
        (can.conditional_write, can.conditional_delete, can.compares)
    };
    let locked = (true, true, false);
    for name in ["Plain", "Changed", "Dropped"] {
        assert_eq!(can("postgres://nowhere/none", name), locked, "{name}");
    }
    for url in ["mysql://nowhere/none", "mssql://nowhere/none"] {
        assert_eq!(can(url, "Plain"), locked);
        assert_eq!(can(url, "Changed"), (false, false, true));
        assert_eq!(can(url, "Dropped"), (true, false, true));
    }
}

#[tokio::test]
async fn a_description_tells_by_what_a_changed_row_is_known() {
    let tables = "CREATE TABLE a (id integer PRIMARY KEY, name text, row_version integer);
        CREATE TABLE b (id integer PRIMARY KEY, name text);";
    let stage = Stage::sqlite(tables).await;
    let erp = stage
        .erp("record_types: { A: { table: a, key: id, version: row_version }, B: { table: b, key: id } }");
    let mut schema = erp.describe().await.unwrap();
    let mut why = |name: &str| schema.types.remove(name).unwrap().watched.unwrap().why;
    let (a, b) = (why("A"), why("B"));
    assert!(
        a.ends_with("a row that was changed meanwhile is known by its column row_version"),
        "{a}"
    );
    assert!(b.ends_with("is known by all values that are read of it"), "{b}");
}
