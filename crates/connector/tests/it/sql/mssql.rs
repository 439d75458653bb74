//! SQL Server, as far as a server of our own speaks like it (`tds`): what the connector says to it, and what it makes of the
//! answers. No real server was ever asked.

use super::tds::{Answer, Cell, Heard, Of, Step, Tds};
use super::{config, of};
use crate::scene::one;
use std::collections::BTreeMap;
use std::sync::Arc;
use tandem_connector::sql::{Dialect, Sql, SqlConfig, triggers};
use tandem_connector::{Change, Connector, ErrorKind, Outcome, RefusalKind, Write};
use tandem_merge::record::{RecordKey, Version};
use tandem_merge::value::Value;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls;

const ITEMS: &str = "record_types: { Item: { table: dbo.items, key: id, version: ver } }";

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

/// What the server says of a table `items`: its columns, that `code` is unique, and that `parent` names another item.
fn items() -> Vec<Step> {
    let (words, flags) = ([Of::Text, Of::Text], [Of::Int; 5]);
    let column = |name: &str, kind: &str, length, digits, scale, nullable, given, ours| {
        let numbers = [length, digits, scale, nullable, given, ours].map(Cell::Int);
        [vec![text(name), text(kind)], numbers.to_vec()].concat()
    };
    let columns = vec![
        column("id", "bigint", 8, 19, 0, 0, 0, 1),
        column("ver", "timestamp", 8, 0, 0, 0, 0, 0),
        column("name", "nvarchar", 80, 0, 0, 0, 0, 0),
        column("code", "varchar", 10, 0, 0, 1, 0, 0),
        column("amount", "decimal", 9, 18, 2, 1, 0, 0),
        column("price", "money", 8, 19, 4, 1, 0, 0),
        column("at", "datetime", 8, 23, 3, 1, 0, 0),
        column("active", "bit", 1, 1, 0, 1, 1, 0),
        column("parent", "bigint", 8, 19, 0, 1, 0, 0),
    ];
    let named = |names: &[&str]| names.iter().map(|name| text(name)).collect::<Vec<_>>();
    let there = [named(&["dbo", "items"]), [0, 0, 1, 1, 1].map(Cell::Int).to_vec()].concat();
    let index = |name: &str, column: &str| [named(&[name, column]), vec![Cell::Int(0)]].concat();
    vec![
        (
            "FROM sys.objects o",
            Answer::Rows([&words[..], &flags].concat(), vec![there]),
        ),
        (
            "FROM sys.columns c",
            Answer::Rows([&words[..], &[Of::Int; 6]].concat(), columns),
        ),
        (
            "FROM sys.indexes i",
            Answer::Rows(
                [&words[..], &[Of::Int]].concat(),
                vec![index("pk_items", "id"), index("uq_items_code", "code")],
            ),
        ),
        (
            "FROM sys.foreign_keys f",
            Answer::Rows(
                vec![Of::Text; 5],
                vec![named(&["fk_parent", "parent", "dbo", "items", "id"])],
            ),
        ),
        (
            "FROM sys.check_constraints k",
            Answer::Rows(words.to_vec(), vec![]),
        ),
        (
            "k.definition FROM sys.check_constraints k",
            Answer::Rows(vec![Of::Text; 3], vec![]),
        ),
    ]
}

/// The columns in the order in which they are asked for, and a row.
const ASKED: &str = "SELECT [id], CAST([ver] AS bigint), [active], [amount], [at], [code], [name], [parent], \
                     CAST([price] AS decimal(19,4)) FROM [dbo].[items]";

fn row(id: i64, version: i64, name: &str) -> Vec<Cell> {
    vec![
        Cell::Int(id),
        Cell::Int(version),
        Cell::Bit(true),
        Cell::Numeric(1_250, 2),
        Cell::Moment(739_800, 432_000_000_000),
        Cell::Null,
        text(name),
        Cell::Null,
        Cell::Numeric(144_000, 4),
    ]
}

fn rows(rows: Vec<Vec<Cell>>) -> Answer {
    let of = [
        Of::Int,
        Of::Int,
        Of::Bit,
        Of::Numeric(2),
        Of::Moment,
        Of::Text,
        Of::Text,
        Of::Int,
        Of::Numeric(4),
    ];
    Answer::Rows(of.to_vec(), rows)
}

fn settings(port: u16, description: &str) -> SqlConfig {
    let mut config = config(&format!("mssql://127.0.0.1:{port}/erp"), description);
    config.user = Some("tandem".into());
    config.password = Some("tandem-secret".into());
    config
}

/// A server that was asked what `items` is like.
async fn stage() -> (Tds, Sql) {
    let tds = Tds::start(None).await;
    let erp = Sql::connect(settings(tds.port, ITEMS)).unwrap();
    tds.then(items());
    let schema = erp.describe().await.unwrap();
    assert_eq!(schema.missing, BTreeMap::new());
    tds.heard();
    (tds, erp)
}

fn write(change: Change) -> Write {
    Write {
        intent: 1,
        key: "k".to_owned(),
        change,
    }
}

fn update(name: &str, only_if: Option<&str>) -> Write {
    write(Change::Update {
        record: RecordKey::new("erp", "Item", "7"),
        values: BTreeMap::from([("name".to_owned(), Value::text(name))]),
        only_if: only_if.map(|token| Version {
            token: token.to_owned(),
            order: None,
            modified: jiff::Timestamp::UNIX_EPOCH,
            firm: true,
            coarse: jiff::SignedDuration::ZERO,
        }),
    })
}

fn create() -> Write {
    write(Change::Create {
        record_type: of("Item"),
        values: BTreeMap::from([
            ("name".to_owned(), Value::text("new")),
            ("code".to_owned(), Value::text("A-1")),
        ]),
    })
}

fn said(tds: &Tds) -> Vec<String> {
    tds.heard().into_iter().map(|heard| heard.sql).collect()
}

#[tokio::test]
async fn a_table_is_described_and_read_page_by_page() {
    let tds = Tds::start(None).await;
    let erp = Sql::connect(settings(tds.port, ITEMS)).unwrap();
    tds.then(items());
    let schema = erp.describe().await.unwrap();
    let item = &schema.types["Item"].properties;
    assert_eq!(
        (item["name"].max_length, item["code"].max_length),
        (Some(40), Some(10))
    );
    assert_eq!(
        (item["amount"].precision, item["amount"].scale),
        (Some(18), Some(2))
    );
    assert!(
        item["code"].unique
            && !item["ver"].createable
            && !item["id"].createable
            && item["id"].filled_on_create
    );
    assert_eq!(item["parent"].references, ["Item"]);
    assert_eq!(tds.heard()[0].given, [text("[dbo].[items]")]);
    // WHEN it is read, THEN a whole page is followed by what comes behind its last key
    let first = (1..=1_000).map(|id| row(id, id, &format!("Item {id}"))).collect();
    tds.then([
        (ASKED, rows(first)),
        (ASKED, rows(vec![row(1_001, 2_001, "last")])),
    ]);
    let page = erp.list(&of("Item"), None).await.unwrap();
    assert_eq!(page.observations.len(), 1_000);
    let last = erp.list(&of("Item"), page.resume.as_deref()).await.unwrap();
    assert_eq!((last.observations.len(), &last.resume), (1, &None));
    let seen = &last.observations[0];
    let number = |text: &str| Value::Decimal(text.parse().unwrap());
    assert_eq!(
        (&seen.values["amount"], &seen.values["price"]),
        (&number("12.50"), &number("14.4"))
    );
    assert_eq!(
        seen.values["at"],
        Value::DateTime("2026-07-04T12:00:00Z".parse().unwrap())
    );
    assert_eq!(
        (&seen.values["active"], &seen.values["code"]),
        (&Value::Boolean(true), &Value::Blank)
    );
    let version = seen.version.as_ref().unwrap();
    assert_eq!((version.token.as_str(), version.order), ("2001", Some(2_001)));
    let heard = tds.heard();
    assert_eq!(
        heard[0].sql,
        format!("{ASKED} ORDER BY [id] OFFSET 0 ROWS FETCH NEXT 1000 ROWS ONLY")
    );
    let behind = format!("{ASKED} WHERE [id] > @P1 ORDER BY [id] OFFSET 0 ROWS FETCH NEXT 1000 ROWS ONLY");
    assert_eq!(
        heard[1],
        Heard {
            sql: behind,
            given: vec![Cell::Int(1_000)]
        }
    );
}

#[tokio::test]
async fn a_row_of_another_version_is_not_overwritten() {
    let (tds, erp) = stage().await;
    let locked = "WITH (UPDLOCK, ROWLOCK) WHERE [id] = @P1";
    tds.then([
        ("BEGIN TRANSACTION", Answer::Done),
        (locked, rows(vec![row(7, 42, "theirs")])),
    ]);
    assert_eq!(one(&erp, update("ours", Some("41"))).await, Outcome::Stale);
    assert_eq!(said(&tds).len(), 2);
    // WHEN it stands as it was seen, THEN it is changed, read again and committed
    tds.then([
        ("BEGIN TRANSACTION", Answer::Done),
        (locked, rows(vec![row(7, 42, "theirs")])),
        (
            "UPDATE [dbo].[items] SET [name] = @P1 WHERE [id] = @P2; SELECT CAST(@@ROWCOUNT AS bigint)",
            Answer::Rows(vec![Of::Int], vec![vec![Cell::Int(1)]]),
        ),
        (ASKED, rows(vec![row(7, 43, "OURS")])),
        ("COMMIT", Answer::Done),
    ]);
    let outcome = one(&erp, update("ours", Some("42"))).await;
    let Outcome::Applied {
        state: Some(state), ..
    } = outcome
    else {
        panic!("{outcome:?}")
    };
    assert_eq!(state.values["name"], Value::text("OURS"));
    assert_eq!(state.version.unwrap().token, "43");
    assert_eq!(tds.heard()[2].given, [text("ours"), Cell::Int(7)]);
}

#[tokio::test]
async fn a_create_answers_with_its_key_and_a_second_of_the_same_is_a_duplicate() {
    let (tds, erp) = stage().await;
    let insert = "DECLARE @made TABLE ([id] bigint); INSERT INTO [dbo].[items] ([code], [name]) OUTPUT inserted.[id] INTO @made \
                  VALUES (CAST(@P1 AS varchar(8000)), @P2); SELECT [id] FROM @made";
    let made = Answer::Rows(vec![Of::Int], vec![vec![Cell::Int(8)]]);
    tds.then([
        ("BEGIN TRANSACTION", Answer::Done),
        (insert, made),
        ("WHERE [id] = @P1", rows(vec![row(8, 50, "new")])),
        ("COMMIT", Answer::Done),
    ]);
    let outcome = one(&erp, create()).await;
    assert!(
        matches!(&outcome, Outcome::Applied { id, state: Some(_) } if id == "8"),
        "{outcome:?}"
    );
    assert_eq!(tds.heard()[1].given, [text("A-1"), text("new")]);
    let refusals = [
        (
            2627,
            "Violation of UNIQUE KEY constraint 'uq_items_code'. Cannot insert duplicate key in object 'dbo.items'.",
            RefusalKind::Duplicate,
            vec!["code"],
        ),
        (
            2601,
            "Cannot insert duplicate key row in object 'dbo.items' with unique index 'uq_items_code'.",
            RefusalKind::Duplicate,
            vec!["code"],
        ),
        (
            515,
            "Cannot insert the value NULL into column 'name', table 'erp.dbo.items'; column does not allow nulls.",
            RefusalKind::Invalid,
            vec!["name"],
        ),
        (
            547,
            "The INSERT statement conflicted with the FOREIGN KEY SAME TABLE constraint \"fk_parent\". The conflict occurred in \
               database \"erp\", table \"dbo.items\", column 'id'.",
            RefusalKind::BadReference,
            vec!["parent"],
        ),
        (
            547,
            "The INSERT statement conflicted with the CHECK constraint \"ck\".",
            RefusalKind::Invalid,
            vec![],
        ),
        (
            2628,
            "String or binary data would be truncated in table 'erp.dbo.items', column 'code'. Truncated value: 'A'.",
            RefusalKind::Invalid,
            vec!["code"],
        ),
        (
            229,
            "The INSERT permission was denied on the object 'items'.",
            RefusalKind::Forbidden,
            vec![],
        ),
        (1205, "Transaction was deadlocked.", RefusalKind::Busy, vec![]),
        (50_000, "No such customer.", RefusalKind::Invalid, vec![]),
    ];
    for (code, sentence, kind, properties) in refusals {
        tds.then([
            ("BEGIN TRANSACTION", Answer::Done),
            ("DECLARE @made", Answer::Error(code, sentence)),
        ]);
        let Outcome::Refused(refusal) = one(&erp, create()).await else {
            panic!("{sentence}")
        };
        assert_eq!(
            (refusal.kind, refusal.properties),
            (kind, properties.into_iter().map(str::to_owned).collect()),
            "{sentence}"
        );
        assert!(
            refusal.message.contains(&code.to_string()) && refusal.message.contains(sentence),
            "{}",
            refusal.message
        );
        tds.heard();
    }
}

#[tokio::test]
async fn a_connection_that_is_lost_leaves_open_what_a_commit_did_and_nothing_else() {
    let (tds, erp) = stage().await;
    // GIVEN a connection that is lost within a transaction, THEN nothing was written
    for cut in ["UPDLOCK", "UPDATE"] {
        tds.then([("BEGIN TRANSACTION", Answer::Done)]);
        if cut == "UPDATE" {
            tds.then([("UPDLOCK", rows(vec![row(7, 42, "a")]))]);
        }
        tds.then([(cut, Answer::Cut)]);
        let outcome = one(&erp, update("b", None)).await;
        assert!(
            matches!(&outcome, Outcome::NotSent(error) if error.kind == ErrorKind::Down),
            "{outcome:?}"
        );
        tds.heard();
    }
    // GIVEN one that is lost at the commit, THEN nobody knows
    tds.then([
        ("BEGIN TRANSACTION", Answer::Done),
        ("UPDLOCK", rows(vec![row(7, 42, "a")])),
        ("UPDATE", Answer::Rows(vec![Of::Int], vec![vec![Cell::Int(1)]])),
        ("WHERE [id] = @P1", rows(vec![row(7, 43, "b")])),
        ("COMMIT", Answer::Cut),
    ]);
    let outcome = one(&erp, update("b", None)).await;
    assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
    tds.heard();
    // What only reads is asked again on a new connection.
    tds.then([
        ("FETCH NEXT", rows(vec![])),
        ("FETCH NEXT", Answer::Cut),
        ("FETCH NEXT", rows(vec![row(1, 1, "a")])),
    ]);
    assert_eq!(erp.list(&of("Item"), None).await.unwrap().observations.len(), 0);
    assert_eq!(erp.list(&of("Item"), None).await.unwrap().observations.len(), 1);
    tds.heard();
}

#[tokio::test]
async fn whoever_may_not_sign_in_is_told_so() {
    let tds = Tds::start(None).await;
    let mut config = settings(tds.port, ITEMS);
    config.url = config.url.replace("/erp", "/none");
    config.user = Some("nobody".into());
    let mut named = config.clone();
    named.name = "erp".to_owned();
    let error = Sql::connect(named).unwrap().identify().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::SignIn, "{error:?}");
    assert!(error.message.contains("18456"), "{}", error.message);
    for (url, wrong) in [
        ("mssql://127.0.0.1:1433", "write mssql://host/database"),
        ("mssql://127.0.0.1/erp?encrypt=no", "only `encrypt=true`"),
    ] {
        config.url = url.to_owned();
        let error = Sql::connect(config.clone()).unwrap_err();
        assert!(error.message.contains(wrong), "{}", error.message);
    }
}

/// A certificate for this machine, and whoever takes connections by it.
fn certificate() -> (Vec<u8>, TlsAcceptor) {
    let made =
        rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (made.cert.pem().into_bytes(), TlsAcceptor::from(Arc::new(config)))
}

#[tokio::test]
async fn what_is_said_is_encrypted_and_the_server_is_known_by_its_certificate() {
    let (pem, acceptor) = certificate();
    let tds = Tds::start(Some(acceptor)).await;
    let mut config = settings(tds.port, ITEMS);
    config.url.push_str("?encrypt=true");
    config.certificate_authority = Some(pem);
    tds.then([(
        "SELECT DB_NAME()",
        Answer::Rows(
            vec![Of::Text; 3],
            vec![vec![text("erp"), text("tandem"), text("6f9619ff")]],
        ),
    )]);
    let known = Sql::connect(config.clone()).unwrap().identify().await.unwrap();
    assert_eq!(
        (known.id.as_str(), known.user.as_str()),
        ("mssql:6f9619ff:erp", "tandem")
    );
    tds.heard();
    // GIVEN one that another authority vouches for, THEN nothing is said to it
    config.certificate_authority = Some(certificate().0);
    let error = Sql::connect(config.clone())
        .unwrap()
        .identify()
        .await
        .unwrap_err();
    assert!(error.message.contains("certificate"), "{}", error.message);
    // GIVEN one that does not encrypt, THEN nothing is said to it either
    let plain = Tds::start(None).await;
    config.url = config.url.replace(&tds.port.to_string(), &plain.port.to_string());
    let error = Sql::connect(config).unwrap().identify().await.unwrap_err();
    assert!(error.message.contains("encrypt=false"), "{}", error.message);
    assert_eq!((tds.heard(), plain.heard()), (vec![], vec![]));
}

const TOLD: &str = "
change_table: dbo.tandem_changes
record_types: { Line: { table: dbo.lines, key: [a, b], changes: change_table } }";

#[test]
fn triggers_note_what_was_deleted_and_what_is_there() {
    let sql = triggers(&super::described(TOLD), Dialect::Mssql);
    for part in [
        "CREATE TABLE [dbo].[tandem_changes] (",
        "ver rowversion NOT NULL",
        "CREATE TRIGGER [dbo].[tandem_changes_lines] ON [dbo].[lines] AFTER INSERT, UPDATE, DELETE AS BEGIN",
        "WHERE NOT EXISTS (SELECT 1 FROM inserted i WHERE d.[a] = i.[a] AND d.[b] = i.[b]);",
        "replace(replace(CAST(i.[a] AS nvarchar(500)), N'\\', N'\\\\'), N'|', N'\\|') + N'|' + ",
    ] {
        assert!(sql.contains(part), "{part}\n{sql}");
    }
}
