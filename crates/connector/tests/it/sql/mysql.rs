//! MySQL and MariaDB: a database of its own on the server that `TANDEM_MYSQL` names (`clients/with-mariadb` starts one).

use super::{CONTACTS, config, of, round, used, words};
use crate::scene::{Line, Scene, applied, one, plain_client};
use jiff::SignedDuration;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tandem_connector::sql::Sql;
use tandem_connector::{Change, Connector, Outcome, RefusalKind, Write};
use tandem_merge::record::RecordKey;
use tandem_merge::value::Value;
use tokio::sync::Mutex;
use url::Url;

const TABLES: &str = "
CREATE TABLE contacts (
    id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    last_name varchar(80) NOT NULL,
    email varchar(80), phone varchar(40), description text, birthdate date, external_id varchar(100) UNIQUE,
    reports_to bigint, FOREIGN KEY (reports_to) REFERENCES contacts (id),
    version bigint NOT NULL DEFAULT 1,
    modified timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    created timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    modified_by varchar(80) NOT NULL DEFAULT 'somebody',
    deleted boolean NOT NULL DEFAULT false,
    INDEX (modified, id)
);
CREATE TRIGGER changed BEFORE UPDATE ON contacts FOR EACH ROW BEGIN
    IF NEW.modified = OLD.modified THEN
        SET NEW.version = OLD.version + 1, NEW.modified = SYSDATE(6), NEW.modified_by = USER();
    END IF;
END;
CREATE USER IF NOT EXISTS tandem@localhost IDENTIFIED BY 'tandem-secret', alice@localhost IDENTIFIED BY 'alice-secret';
GRANT ALL ON *.* TO tandem@localhost, alice@localhost;";

/// A database with tables, its address, and a session there.
pub(super) async fn database(tables: &str) -> (Url, Conn) {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let name = format!(
        "erp{}_{}",
        std::process::id(),
        MADE.fetch_add(1, Ordering::Relaxed)
    );
    let named = std::env::var("TANDEM_MYSQL");
    let named = named.expect("TANDEM_MYSQL names a server: ./test --long, or clients/with-mariadb");
    let opts = Opts::from_url(&named).unwrap();
    let mut conn = Conn::new(opts.clone()).await.unwrap();
    conn.query_drop(format!("CREATE DATABASE {name} CHARACTER SET utf8mb4"))
        .await
        .unwrap();
    let mut there = Conn::new(OptsBuilder::from_opts(opts).db_name(Some(&name)))
        .await
        .unwrap();
    there.query_drop(tables).await.unwrap();
    let url: Url = named.parse().unwrap();
    (
        format!("mysql://localhost/{name}?{}", url.query().unwrap())
            .parse()
            .unwrap(),
        there,
    )
}

/// The address, as the first user.
pub(super) fn as_root(url: &Url) -> String {
    url.as_str().replace("//localhost", "//root@localhost")
}

fn connect(url: &Url, user: &str) -> Box<dyn Connector> {
    let url = match url.scheme() {
        "mysql" => url.to_string(),
        _ => format!("mysql://127.0.0.1:{}/none", url.port().unwrap()),
    };
    let mut config = config(&url, CONTACTS);
    config.user = Some(user.into());
    config.password = Some(format!("{user}-secret").into());
    config.fields = used();
    Box::new(Sql::connect(config).unwrap())
}

pub(crate) async fn scene() -> Scene {
    let (url, conn) = database(TABLES).await;
    let conn = Arc::new(Mutex::new(conn));
    let aged = Arc::clone(&conn);
    Scene {
        words: words("tandem-secret"),
        ours: connect(&url, "tandem"),
        person: connect(&url, "alice"),
        connect,
        http: plain_client(),
        aging: Some(Box::new(move |seconds| {
            let conn = Arc::clone(&aged);
            Box::pin(async move {
                let by = format!("INTERVAL {seconds} SECOND");
                let sql = format!("UPDATE contacts SET modified = modified - {by}, created = created - {by}");
                conn.lock().await.query_drop(sql).await.unwrap();
            })
        })),
        line: Line::Network,
        repeats: false,
        url,
        _server: Box::new(conn),
    }
}

#[tokio::test]
#[ignore = "wants a server: ./test --long, or clients/with-mariadb"]
async fn a_date_that_is_none_is_out_of_sight_for_its_record_alone() {
    let tables = "CREATE TABLE items (id integer PRIMARY KEY, name varchar(40), born date, active tinyint(1), kind enum('a','b'));
        SET sql_mode = ''; INSERT INTO items VALUES (1, 'a', '0000-00-00', 1, 'a'), (2, 'b', '2024-02-29', 0, 'b'), (3, 'c', NULL, NULL, NULL);";
    let (url, _conn) = database(tables).await;
    let erp = Sql::connect(config(
        &as_root(&url),
        "record_types: { Item: { table: items, key: id } }",
    ))
    .unwrap();
    let schema = erp.describe().await.unwrap();
    let property = |name: &str| schema.types["Item"].properties[name].clone();
    assert_eq!(
        (property("kind").data_type.as_str(), property("kind").values),
        ("enum", vec!["a".to_owned(), "b".to_owned()])
    );
    assert_eq!(
        (property("active").data_type.as_str(), property("name").max_length),
        ("boolean", Some(40))
    );
    let (seen, _) = round(&erp, &[of("Item")], None).await;
    assert_eq!(seen[0].unreadable["born"], "`0000-00-00` is no date");
    assert!(!seen[0].values.contains_key("born") && seen[1].unreadable.is_empty());
    assert_eq!(seen[1].values["born"], Value::Date("2024-02-29".parse().unwrap()));
    let active: Vec<&Value> = seen.iter().map(|seen| &seen.values["active"]).collect();
    assert_eq!(
        active,
        [&Value::Boolean(true), &Value::Boolean(false), &Value::Blank]
    );
}

#[tokio::test]
#[ignore = "wants a server: ./test --long, or clients/with-mariadb"]
async fn what_is_too_long_is_refused_and_never_cut_and_what_is_locked_is_busy() {
    let tables =
        "CREATE TABLE items (id integer PRIMARY KEY, name varchar(4)); INSERT INTO items VALUES (1, 'a');";
    let (url, mut conn) = database(tables).await;
    let mut config = config(
        &as_root(&url),
        "record_types: { Item: { table: items, key: id } }",
    );
    config.request_deadline = SignedDuration::from_secs(3);
    let erp = Sql::connect(config).unwrap();
    let named = |name: &str| Write {
        intent: 1,
        key: "k".to_owned(),
        change: Change::Update {
            record: RecordKey::new("erp", "Item", "1"),
            values: BTreeMap::from([("name".to_owned(), Value::text(name))]),
            only_if: None,
        },
    };
    let refused = |outcome: Outcome| match outcome {
        Outcome::Refused(refusal) => (refusal.kind, refusal.properties),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        refused(one(&erp, named("too long")).await),
        (RefusalKind::Invalid, vec!["name".to_owned()])
    );
    conn.query_drop("START TRANSACTION; UPDATE items SET name = 'b' WHERE id = 1")
        .await
        .unwrap();
    assert_eq!(refused(one(&erp, named("c")).await), (RefusalKind::Busy, vec![]));
    conn.query_drop("COMMIT").await.unwrap();
    applied(&one(&erp, named("c")).await);
    // What is written as it was is written.
    applied(&one(&erp, named("c")).await);
}

fn create(name: &str, values: &[(&str, Value)]) -> Write {
    let values = values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    Write {
        intent: 1,
        key: "k".to_owned(),
        change: Change::Create {
            record_type: of(name),
            values: values.collect(),
        },
    }
}

#[tokio::test]
#[ignore = "wants a server: ./test --long, or clients/with-mariadb"]
async fn in_mariadb_a_table_without_transactions_is_read_and_never_written() {
    let tables = "CREATE TABLE items (id integer PRIMARY KEY, name varchar(40)) ENGINE = MyISAM; INSERT INTO items VALUES (1, 'a');";
    let (url, mut conn) = database(tables).await;
    let item = "record_types: { Item: { table: items, key: id } }";
    let erp = Sql::connect(config(&as_root(&url), item)).unwrap();
    let schema = erp.describe().await.unwrap();
    let described = &schema.types["Item"];
    assert!(!described.createable && !described.updateable && !described.properties["name"].updateable);
    let why = &described.watched.as_ref().unwrap().why;
    assert!(
        why.contains("kept by MyISAM, which knows no transactions"),
        "{why}"
    );
    let values = [("id", Value::Integer(2)), ("name", Value::text("b"))];
    let Outcome::Refused(refusal) = one(&erp, create("Item", &values)).await else {
        panic!("it was written")
    };
    assert_eq!(refusal.kind, RefusalKind::Forbidden);
    assert!(
        refusal.advice.contains("ALTER TABLE `items` ENGINE = InnoDB"),
        "{}",
        refusal.advice
    );
    assert_eq!(round(&erp, &[of("Item")], None).await.0.len(), 1);
    // WHEN that was done, THEN it is written
    conn.query_drop("ALTER TABLE items ENGINE = InnoDB")
        .await
        .unwrap();
    erp.describe().await.unwrap();
    applied(&one(&erp, create("Item", &values)).await);
}

#[tokio::test]
#[ignore = "wants a server: ./test --long, or clients/with-mariadb"]
async fn in_mariadb_a_key_that_is_partly_given_is_completed_by_the_counter_or_refused() {
    let tables = "CREATE TABLE counted (a varchar(9) NOT NULL, n integer NOT NULL AUTO_INCREMENT, name varchar(9), PRIMARY KEY (a, n), KEY (n));
        CREATE TABLE filled (a varchar(9) NOT NULL, b varchar(9) NOT NULL DEFAULT 'x', name varchar(9), PRIMARY KEY (a, b));";
    let (url, mut conn) = database(tables).await;
    let both =
        "record_types: { Counted: { table: counted, key: [a, n] }, Filled: { table: filled, key: [a, b] } }";
    let erp = Sql::connect(config(&as_root(&url), both)).unwrap();
    let values = [("a", Value::text("one")), ("name", Value::text("first"))];
    let outcome = one(&erp, create("Counted", &values)).await;
    let Outcome::Applied {
        id,
        state: Some(state),
    } = outcome
    else {
        panic!("{outcome:?}")
    };
    assert_eq!(
        (id.as_str(), &state.values["name"]),
        ("one|1", &Value::text("first"))
    );
    let Outcome::Refused(refusal) = one(&erp, create("Filled", &values)).await else {
        panic!("nobody says which row it made")
    };
    assert_eq!(refusal.kind, RefusalKind::Invalid);
    assert!(
        refusal
            .message
            .contains("nothing gives b, a part of the key of Filled"),
        "{}",
        refusal.message
    );
    let made: Option<i64> = conn.query_first("SELECT count(*) FROM filled").await.unwrap();
    assert_eq!(made, Some(0));
}

/// A procedure that commits, and then fails, or waits until its connection is lost.
#[tokio::test]
#[ignore = "wants a server: ./test --long, or clients/with-mariadb"]
async fn in_mariadb_a_procedure_that_commits_by_itself_is_not_taken_for_one_that_did_nothing() {
    let tables = "CREATE TABLE items (id integer AUTO_INCREMENT PRIMARY KEY, name varchar(40));
        CREATE PROCEDURE make_item(named varchar(40)) BEGIN
            INSERT INTO items (name) VALUES (named);
            IF named = 'refused' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no such name'; END IF;
            COMMIT;
            IF named = 'late' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'too late'; END IF;
            IF named = 'slow' THEN DO SLEEP(60); END IF;
            SELECT LAST_INSERT_ID();
        END;";
    let (url, mut conn) = database(tables).await;
    let by_call = "record_types: { Item: { table: items, key: id, create: { call: make_item(name) } } }";
    let erp = Sql::connect(config(&as_root(&url), by_call)).unwrap();
    let named = |name: &str| create("Item", &[("name", Value::text(name))]);
    applied(&one(&erp, named("well")).await);
    let Outcome::Refused(refusal) = one(&erp, named("refused")).await else {
        panic!("it is refused")
    };
    assert!(refusal.message.contains("no such name"), "{}", refusal.message);
    let Outcome::Unknown(why) = one(&erp, named("late")).await else {
        panic!("it was made")
    };
    assert!(
        why.contains("too late") && why.contains("make_item may have committed"),
        "{why}"
    );
    // WHEN the connection is lost while it works, THEN nobody knows
    let slow = tokio::spawn(async move { one(&erp, named("slow")).await });
    let busy =
        "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND state LIKE 'User sleep%'";
    let id = loop {
        if let Some(id) = conn.query_first::<u64, _>(busy).await.unwrap() {
            break id;
        }
        assert!(!slow.is_finished());
    };
    conn.query_drop(format!("KILL {id}")).await.unwrap();
    assert!(matches!(slow.await.unwrap(), Outcome::Unknown(_)));
    let made: Vec<String> = conn.query("SELECT name FROM items ORDER BY id").await.unwrap();
    assert_eq!(made, ["well", "late", "slow"]);
}
