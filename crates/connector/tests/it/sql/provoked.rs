//! What goes wrong in databases, made to go wrong in each.

use super::stage::Stage;
use super::{of, pages, round};
use crate::scene::{applied, one};
use std::collections::{BTreeMap, BTreeSet};
use tandem_connector::proof::{Effort, Proof, Verdict, prove};
use tandem_connector::sql::{Dialect, Sql, triggers};
use tandem_connector::{Change, Connector, Outcome, RefusalKind, Write};
use tandem_merge::record::{Observation, Presence, RecordKey, Values, Version};
use tandem_merge::value::Value;

macro_rules! provoked {
    ($($law:ident $tables:expr;)*) => {
        mod in_sqlite {
            $(#[tokio::test]
            async fn $law() {
                super::$law(&super::Stage::sqlite($tables).await).await;
            })*
        }
        mod in_mariadb {
            $(#[tokio::test]
            #[ignore = "wants a server: ./test --long, or clients/with-mariadb"]
            async fn $law() {
                super::$law(&super::Stage::mariadb(&$tables.replace("timestamp", "datetime(6)").replace('"', "`")).await).await;
            })*
        }
        mod in_postgres {
            $(#[tokio::test]
            #[ignore = "wants a server: ./test --long, or clients/with-postgres"]
            async fn $law() {
                super::$law(&super::Stage::postgres($tables).await).await;
            })*
        }
    };
}

provoked! {
    a_row_deleted_between_two_pages_makes_no_other_a_deletion super::ITEMS;
    two_edits_at_the_same_moment_are_told_apart super::ITEMS;
    a_row_that_is_dated_back_is_seen_within_the_overlap super::ITEMS;
    an_edit_between_read_and_write_is_stale super::ITEMS;
    columns_of_one_form_alone_are_proven_by_values_of_that_form super::FORMED;
    keys_of_several_columns_may_hold_anything super::LINES;
    a_reference_over_several_columns_names_a_record super::SHIPPED;
    what_is_written_never_becomes_sql super::ITEMS;
    numbers_are_kept_digit_for_digit super::ITEMS;
    triggers_tell_of_every_change super::ITEMS;
    what_fires_no_trigger_is_seen_once_a_day super::CHILDREN;
    a_value_that_a_trigger_changes_is_read_back super::ITEMS;
    nothing_is_written_where_it_is_only_read super::ITEMS;
    a_row_that_others_name_is_not_deleted super::FAMILY;
    a_clock_of_another_zone_is_read_right super::ITEMS;
    a_day_leaves_open_when_a_row_was_changed super::DAYS;
    times_and_counters_are_kept_by_us_where_nothing_else_does super::KEPT;
    a_row_that_is_marked_as_deleted_stays super::KEPT;
}

const ITEMS: &str = "
CREATE TABLE items (id integer PRIMARY KEY, name text, \"odd; name'\" text, amount numeric(24, 4), price real,
    at timestamp);";

const LINES: &str = "CREATE TABLE order_lines (a varchar(40) NOT NULL, b varchar(40) NOT NULL, amount integer, PRIMARY KEY (a, b));";

const SHIPPED: &str = "CREATE TABLE order_lines (a varchar(40) NOT NULL, b integer NOT NULL, PRIMARY KEY (a, b));
CREATE TABLE shipments (id integer PRIMARY KEY, a varchar(40), b integer, FOREIGN KEY (a, b) REFERENCES order_lines (a, b));
INSERT INTO order_lines VALUES ('x|y', 1), ('x', 2); INSERT INTO shipments VALUES (1, 'x|y', 1), (2, NULL, NULL);";

const KEPT: &str =
    "CREATE TABLE kept (id integer PRIMARY KEY, name varchar(40), status varchar(10), changed bigint,
    revision integer, note varchar(20) NOT NULL DEFAULT '');";

const FAMILY: &str = "
CREATE TABLE parents (id integer PRIMARY KEY, name text);
CREATE TABLE children (id integer PRIMARY KEY, parent integer REFERENCES parents (id));
INSERT INTO parents VALUES (1, 'Ann'); INSERT INTO children VALUES (1, 1);";

const COMPARED: &str = "record_types: { Item: { table: items, key: id } }";
const DATED: &str = "record_types: { Item: { table: items, key: id, modified: at, compare_every: 1d } }";

fn named(name: &str) -> Values {
    BTreeMap::from([("name".to_owned(), Value::text(name))])
}

fn create(name: &str, values: Values) -> Write {
    let change = Change::Create {
        record_type: of(name),
        values,
    };
    Write {
        intent: 1,
        key: "k-1".to_owned(),
        change,
    }
}

fn update(name: &str, id: &str, values: Values, only_if: Option<Version>) -> Write {
    let record = RecordKey::new("erp", name, id);
    let change = Change::Update {
        record,
        values,
        only_if,
    };
    Write {
        intent: 2,
        key: "k-2".to_owned(),
        change,
    }
}

fn delete(name: &str, id: &str, only_if: Option<Version>) -> Write {
    let record = RecordKey::new("erp", name, id);
    Write {
        intent: 3,
        key: "k-3".to_owned(),
        change: Change::Delete { record, only_if },
    }
}

async fn read(erp: &Sql, name: &str, id: &str) -> Observation {
    let mut read = erp.fetch(&of(name), &[id.to_owned()]).await.unwrap();
    assert_eq!(read.len(), 1);
    read.remove(0)
}

fn ids(seen: &[Observation]) -> BTreeSet<String> {
    seen.iter().map(|seen| seen.key.id.clone()).collect()
}

async fn a_row_deleted_between_two_pages_makes_no_other_a_deletion(stage: &Stage) {
    let erp = stage
        .erp("record_types: { Item: { table: items, key: id, changes: comparison, compare_every: 0s } }");
    let rows: Vec<String> = (1..=2_500).map(|n| format!("({n}, 'Item {n}')")).collect();
    stage
        .run(&format!(
            "INSERT INTO items (id, name) VALUES {}",
            rows.join(", ")
        ))
        .await;
    // GIVEN a first load, THEN a comparison whose rows go away while it runs
    let mut page = erp.changes(&[of("Item")], None).await.unwrap();
    let mut known = ids(&page.observations);
    let (mut absent, mut compared, mut step) = (BTreeSet::new(), 0, 0);
    loop {
        let cursor = page.cursor.clone();
        page = erp.changes(&[of("Item")], Some(&cursor)).await.unwrap();
        let shown = ids(&page.observations);
        known.extend(shown.iter().cloned());
        if let Some(complete) = &page.complete {
            compared += 1;
            let within = |id: &&String| {
                complete.after.as_ref().is_none_or(|after| *id > after)
                    && complete.to.as_ref().is_none_or(|to| *id <= to)
            };
            absent.extend(
                known
                    .iter()
                    .filter(within)
                    .filter(|id| !shown.contains(*id))
                    .cloned(),
            );
            step += 1;
            match step {
                // Of the first page, which was read; and two that are still to come.
                1 => stage.run("DELETE FROM items WHERE id IN (10, 999, 998)").await,
                2 => stage.run("DELETE FROM items WHERE id = 1").await,
                _ => {}
            }
            if complete.to.is_none() {
                break;
            }
        }
        assert!(step < 9);
    }
    assert_eq!((known.len(), compared), (2_500, 3));
    assert_eq!(absent, BTreeSet::from(["998".to_owned(), "999".to_owned()]));
    let absent: Vec<String> = absent.into_iter().collect();
    let confirmed = erp.fetch(&of("Item"), &absent).await.unwrap();
    assert!(confirmed.iter().all(|seen| seen.presence == Presence::Deleted));
    // The next comparison misses the other two.
    let (pages, _) = pages(&erp, &[of("Item")], None).await;
    assert_eq!(
        pages.iter().map(|page| page.observations.len()).sum::<usize>(),
        2 * 2_496
    );
    // A listing that loses rows on its way shows all others.
    let first = erp.list(&of("Item"), None).await.unwrap();
    stage.run("DELETE FROM items WHERE id IN (2, 2000)").await;
    let second = erp.list(&of("Item"), first.resume.as_deref()).await.unwrap();
    let third = erp.list(&of("Item"), second.resume.as_deref()).await.unwrap();
    assert_eq!(third.resume, None);
    let all: usize = [&first, &second, &third]
        .iter()
        .map(|page| page.observations.len())
        .sum();
    assert_eq!(all, 2_495);
}

async fn two_edits_at_the_same_moment_are_told_apart(stage: &Stage) {
    let erp = stage.erp(DATED);
    stage.run("INSERT INTO items (id, name, at) VALUES (1, 'a', CURRENT_TIMESTAMP), (2, 'b', CURRENT_TIMESTAMP)").await;
    let (first, cursor) = round(&erp, &[of("Item")], None).await;
    stage.run("UPDATE items SET name = 'c' WHERE id = 1").await;
    let (second, _) = round(&erp, &[of("Item")], Some(cursor)).await;
    let edited = second.iter().find(|seen| seen.key.id == "1").unwrap();
    assert_eq!(edited.values["name"], Value::text("c"));
    let (before, after) = (first[0].version.clone().unwrap(), edited.version.clone().unwrap());
    assert_eq!(before.modified, after.modified);
    assert_ne!(before.token, after.token);
}

async fn a_row_that_is_dated_back_is_seen_within_the_overlap(stage: &Stage) {
    let erp = stage.erp(DATED);
    let (_, cursor) = round(&erp, &[of("Item")], None).await;
    let (_, cursor) = round(&erp, &[of("Item")], Some(cursor)).await;
    let ago = |seconds: u32| match stage.dialect {
        Dialect::Sqlite => format!("datetime('now', '-{seconds} seconds')"),
        Dialect::Mysql => format!("UTC_TIMESTAMP(6) - INTERVAL {seconds} SECOND"),
        Dialect::Postgres => format!("timezone('UTC', now()) - interval '{seconds} seconds'"),
        Dialect::Mssql => unreachable!("no such server runs here"),
    };
    stage
        .run(&format!(
            "INSERT INTO items (id, at) VALUES (1, {}), (2, {})",
            ago(20),
            ago(100)
        ))
        .await;
    let (seen, cursor) = round(&erp, &[of("Item")], Some(cursor)).await;
    assert_eq!(ids(&seen), BTreeSet::from(["1".to_owned()]));
    // It is shown as long as the overlap reaches, and no longer.
    stage
        .run(&format!("UPDATE items SET at = {} WHERE id = 1", ago(100)))
        .await;
    let (seen, _) = round(&erp, &[of("Item")], Some(cursor)).await;
    assert_eq!(seen, []);
}

async fn an_edit_between_read_and_write_is_stale(stage: &Stage) {
    let erp = stage.erp(COMPARED);
    stage.run("INSERT INTO items (id, name) VALUES (1, 'a')").await;
    let version = read(&erp, "Item", "1").await.version;
    stage.run("UPDATE items SET amount = 1 WHERE id = 1").await;
    let write = update("Item", "1", named("ours"), version.clone());
    assert_eq!(one(&erp, write).await, Outcome::Stale);
    assert_eq!(one(&erp, delete("Item", "1", version)).await, Outcome::Stale);
    let seen = read(&erp, "Item", "1").await;
    assert_eq!(seen.values["name"], Value::text("a"));
    // WHEN nobody edits, THEN the answer shows the state that later reads show, at the same version
    let write = update("Item", "1", named("ours"), seen.version.clone());
    let Outcome::Applied {
        state: Some(state), ..
    } = one(&erp, write).await
    else {
        panic!("not applied")
    };
    let after = read(&erp, "Item", "1").await;
    assert_eq!((&state.values, &state.version), (&after.values, &after.version));
    assert!(state.version.as_ref().unwrap().modified > seen.version.unwrap().modified);
    // No read that began while the write was under way is taken for a later one.
    assert!(state.version.as_ref().unwrap().modified > state.read_began);
    applied(&one(&erp, delete("Item", "1", after.version)).await);
    assert_eq!(read(&erp, "Item", "1").await.presence, Presence::Deleted);
    assert_eq!(one(&erp, delete("Item", "1", None)).await, Outcome::Gone);
}

async fn keys_of_several_columns_may_hold_anything(stage: &Stage) {
    let erp = stage.erp("record_types: { Line: { table: order_lines, key: [a, b] } }");
    let odd = [
        "|",
        "\\",
        "a|b",
        "a\\|b",
        "' OR 1=1 --",
        "\"; DROP TABLE order_lines",
        "Ä ö",
        "%_",
    ];
    let mut made = BTreeMap::new();
    for (n, a) in odd.iter().enumerate() {
        for b in odd {
            let values = [
                ("a", Value::text(*a)),
                ("b", Value::text(b)),
                ("amount", Value::Integer(n as i64)),
            ];
            let values = values.map(|(name, value)| (name.to_owned(), value)).into();
            let id = applied(&one(&erp, create("Line", values)).await);
            assert_eq!(made.insert(id, (*a, b)), None);
        }
    }
    let (seen, _) = round(&erp, &[of("Line")], None).await;
    assert_eq!(ids(&seen), made.keys().cloned().collect());
    for (id, (a, b)) in &made {
        let shown = read(&erp, "Line", id).await;
        assert_eq!(
            (&shown.values["a"], &shown.values["b"]),
            (&Value::text(*a), &Value::text(*b))
        );
    }
    // One of them is changed, one deleted, and no other.
    let ids: Vec<&String> = made.keys().collect();
    let ten = BTreeMap::from([("amount".to_owned(), Value::Integer(99))]);
    applied(&one(&erp, update("Line", ids[0], ten, None)).await);
    applied(&one(&erp, delete("Line", ids[1], None)).await);
    let (seen, _) = round(&erp, &[of("Line")], None).await;
    assert_eq!(seen.len(), made.len() - 1);
    let changed = seen
        .iter()
        .filter(|seen| seen.values["amount"] == Value::Integer(99));
    assert_eq!(changed.map(|seen| &seen.key.id).collect::<Vec<_>>(), [ids[0]]);
    // An id that no key has is nobody's.
    assert_eq!(read(&erp, "Line", "a").await.presence, Presence::Missing);
    assert_eq!(one(&erp, delete("Line", "a|b|c", None)).await, Outcome::Gone);
}

const NAMED: &str = "
record_types:
  Line: { table: order_lines, key: [a, b] }
  Shipment:
    table: shipments
    key: id
    properties: { line: { column: [a, b], references: Line } }
    hide: [b]";

async fn a_reference_over_several_columns_names_a_record(stage: &Stage) {
    let erp = stage.erp(NAMED);
    let schema = erp.describe().await.unwrap();
    let line = &schema.types["Shipment"].properties["line"];
    assert_eq!(
        (
            line.data_type.as_str(),
            line.references.as_slice(),
            line.createable,
            line.updateable
        ),
        ("reference", &["Line".to_owned()][..], true, true)
    );
    assert_eq!(
        read(&erp, "Shipment", "1").await.values["line"],
        Value::text("x\\|y|1")
    );
    assert_eq!(read(&erp, "Shipment", "2").await.values["line"], Value::Blank);
    let to = |id: &str| BTreeMap::from([("line".to_owned(), Value::text(id))]);
    // WHEN it is written, THEN all of its columns are, and it is found by them
    let outcome = one(&erp, update("Shipment", "2", to("x|2"), None)).await;
    let Outcome::Applied {
        state: Some(state), ..
    } = outcome
    else {
        panic!("{outcome:?}")
    };
    assert_eq!(
        (&state.values["line"], &state.values["a"]),
        (&Value::text("x|2"), &Value::text("x"))
    );
    let found = erp
        .find(
            &of("Shipment"),
            &["line".to_owned()],
            &[vec![Value::text("x|2")], vec![Value::text("x|7")]],
        )
        .await
        .unwrap();
    assert_eq!(ids(&found), BTreeSet::from(["2".to_owned()]));
    let mut made = to("x\\|y|1");
    made.insert("id".to_owned(), Value::Integer(3));
    applied(&one(&erp, create("Shipment", made)).await);
    assert_eq!(
        read(&erp, "Shipment", "3").await.values["line"],
        Value::text("x\\|y|1")
    );
    let blank = BTreeMap::from([("line".to_owned(), Value::Blank)]);
    applied(&one(&erp, update("Shipment", "3", blank, None)).await);
    assert_eq!(read(&erp, "Shipment", "3").await.values["line"], Value::Blank);
    // What names nobody, and what cannot be a key at all, is refused by its name.
    for nobody in ["x|7", "x", "x|two"] {
        let Outcome::Refused(refusal) = one(&erp, update("Shipment", "2", to(nobody), None)).await else {
            panic!("it refers to nobody")
        };
        assert_eq!(
            (refusal.kind, refusal.properties),
            (RefusalKind::BadReference, vec!["line".to_owned()]),
            "{nobody}"
        );
    }
    // A column that is given twice has to be given the same.
    let mut both = to("x|2");
    both.insert("a".to_owned(), Value::text("z"));
    let Outcome::Refused(refusal) = one(&erp, update("Shipment", "2", both, None)).await else {
        panic!("two values for one column")
    };
    assert!(
        refusal.message.contains("two properties of Shipment give a"),
        "{}",
        refusal.message
    );
    // A description that does not fit is told.
    let short = stage.erp(&NAMED.replace("column: [a, b]", "column: [a, b, id]"));
    let missing = short.describe().await.unwrap().missing["Shipment"].clone();
    assert!(
        missing.contains("line of Shipment has 3 columns, and the key of Line has 2"),
        "{missing}"
    );
}

async fn what_is_written_never_becomes_sql(stage: &Stage) {
    let erp = stage.erp(COMPARED);
    let nasty = [
        "'; DROP TABLE items; --",
        "\\'; --",
        "$1",
        "?",
        "Robert\"); DELETE FROM items",
        "\u{1F600} %s",
    ];
    for (n, text) in nasty.iter().enumerate() {
        let mut values = named(text);
        values.insert("odd; name'".to_owned(), Value::text(*text));
        values.insert("id".to_owned(), Value::Integer(n as i64));
        let id = applied(&one(&erp, create("Item", values)).await);
        let shown = read(&erp, "Item", &id).await;
        assert_eq!(shown.values["name"], Value::text(*text));
        assert_eq!(shown.values["odd; name'"], Value::text(*text));
        let found = erp
            .find(&of("Item"), &["name".to_owned()], &[vec![Value::text(*text)]])
            .await
            .unwrap();
        assert_eq!(ids(&found), BTreeSet::from([id]));
    }
    assert_eq!(round(&erp, &[of("Item")], None).await.0.len(), nasty.len());
    // A name that the database does not know is told, and no error of its own.
    let odd = stage.erp("record_types: { Item: { table: 'items; DROP TABLE items', key: id } }");
    let schema = odd.describe().await.unwrap();
    assert!(
        schema.missing["Item"].contains("items; DROP TABLE items"),
        "{:?}",
        schema.missing
    );
    let odd = stage.erp("record_types: { Item: { table: items, key: 'id FROM items; --' } }");
    assert!(odd.describe().await.unwrap().missing["Item"].contains("no column"));
    assert_eq!(round(&erp, &[of("Item")], None).await.0.len(), nasty.len());
}

async fn numbers_are_kept_digit_for_digit(stage: &Stage) {
    let erp = stage.erp(COMPARED);
    let amount: rust_decimal::Decimal = "12345678901234567890.1234".parse().unwrap();
    // A file keeps numbers with no more than fifteen digits.
    let amount = match stage.dialect {
        Dialect::Sqlite => "12345678901.1234".parse().unwrap(),
        _ => amount,
    };
    let price: rust_decimal::Decimal = "14.4".parse().unwrap();
    let values = [
        ("id", Value::Integer(1)),
        ("amount", Value::Decimal(amount)),
        ("price", Value::Decimal(price)),
    ];
    let values: Values = values.map(|(name, value)| (name.to_owned(), value)).into();
    let outcome = one(&erp, create("Item", values.clone())).await;
    let Outcome::Applied {
        state: Some(state), ..
    } = outcome
    else {
        panic!("{outcome:?}")
    };
    for seen in [*state, read(&erp, "Item", "1").await] {
        assert_eq!(
            (&seen.values["amount"], &seen.values["price"]),
            (&values["amount"], &values["price"])
        );
    }
    let schema = erp.describe().await.unwrap();
    let amount = &schema.types["Item"].properties["amount"];
    assert_eq!(
        (amount.data_type.as_str(), amount.precision, amount.scale),
        ("decimal", Some(24), Some(4))
    );
    let wrong = BTreeMap::from([
        ("id".to_owned(), Value::Integer(2)),
        ("amount".to_owned(), Value::text("many")),
    ]);
    let Outcome::Refused(refusal) = one(&erp, create("Item", wrong)).await else {
        panic!("a text is no number")
    };
    assert_eq!(
        (refusal.kind, refusal.properties),
        (RefusalKind::Invalid, vec!["amount".to_owned()])
    );
}

const TOLD: &str = "
change_table: tandem_changes
channel: tandem_changes
record_types: { Item: { table: items, key: id, changes: change_table } }";

async fn triggers_tell_of_every_change(stage: &Stage) {
    stage
        .run("INSERT INTO items (id, name) VALUES (1, 'a'), (2, 'b'), (3, 'c')")
        .await;
    stage.run(&triggers(&super::described(TOLD), stage.dialect)).await;
    let mut config = stage.config(TOLD);
    config.overlap = jiff::SignedDuration::ZERO;
    let erp = Sql::connect(config).unwrap();
    let (seen, cursor) = round(&erp, &[of("Item")], None).await;
    assert_eq!(seen.len(), 3);
    let (seen, cursor) = round(&erp, &[of("Item")], Some(cursor)).await;
    assert_eq!(seen, []);
    // WHEN rows are made, changed, deleted, and given another key, THEN all is shown, once
    stage
        .run(
            "INSERT INTO items (id, name) VALUES (4, 'd'); UPDATE items SET name = 'B' WHERE id = 2;
             UPDATE items SET name = 'BB' WHERE id = 2; DELETE FROM items WHERE id = 1; UPDATE items SET id = 30 WHERE id = 3",
        )
        .await;
    let (seen, cursor) = round(&erp, &[of("Item")], Some(cursor)).await;
    let shown: BTreeMap<&str, (Presence, Option<&Value>)> = seen
        .iter()
        .map(|seen| (seen.key.id.as_str(), (seen.presence, seen.values.get("name"))))
        .collect();
    assert_eq!(shown.len(), seen.len());
    let alive = |text: &str| (Presence::Alive, Some(Value::text(text)));
    let [b, c, d] = ["BB", "c", "d"].map(alive);
    let expected = BTreeMap::from([
        ("1", (Presence::Deleted, None)),
        ("2", (b.0, b.1.as_ref())),
        ("3", (Presence::Deleted, None)),
        ("30", (c.0, c.1.as_ref())),
        ("4", (d.0, d.1.as_ref())),
    ]);
    assert_eq!(shown, expected);
    super::comes_to_rest(&erp, &[of("Item")], cursor).await;
    // Read by id, what was deleted is, and what never was is not.
    assert_eq!(read(&erp, "Item", "1").await.presence, Presence::Deleted);
    let view = "{ change_table: tandem_changes, record_types: { Item: { table: items, key: id, changes: change_table, absent: out_of_sight } } }";
    let erp = stage.erp(view);
    assert_eq!(read(&erp, "Item", "1").await.presence, Presence::Deleted);
    assert_eq!(read(&erp, "Item", "77").await.presence, Presence::Missing);
}

const DAYS: &str = "
CREATE TABLE items (id integer PRIMARY KEY, changed date, at timestamp);
INSERT INTO items VALUES (1, '2026-03-02', '2026-03-02 12:30:00');";

async fn a_day_leaves_open_when_a_row_was_changed(stage: &Stage) {
    for (modified, hours) in [
        ("changed", 24),
        ("at", 0),
        ("{ column: at, granularity: 6h }", 6),
        ("{ column: changed, granularity: 6h }", 24),
    ] {
        let erp = stage.erp(&format!(
            "record_types: {{ Item: {{ table: items, key: id, modified: {modified} }} }}"
        ));
        let version = read(&erp, "Item", "1").await.version.unwrap();
        assert_eq!(
            version.coarse,
            jiff::SignedDuration::from_hours(hours),
            "{modified}"
        );
    }
}

const CHILDREN: &str = "
CREATE TABLE parents (id integer PRIMARY KEY);
CREATE TABLE items (id integer PRIMARY KEY, parent integer, other integer,
    FOREIGN KEY (parent) REFERENCES parents (id) ON DELETE CASCADE,
    FOREIGN KEY (other) REFERENCES parents (id) ON DELETE SET NULL);
INSERT INTO parents VALUES (1), (2); INSERT INTO items VALUES (1, 1, NULL), (2, 2, 1), (3, 2, 2);";

async fn what_fires_no_trigger_is_seen_once_a_day(stage: &Stage) {
    stage.run(&triggers(&super::described(TOLD), stage.dialect)).await;
    let mut config = stage.config(TOLD);
    config.overlap = jiff::SignedDuration::ZERO;
    let erp = Sql::connect(config).unwrap();
    let (_, cursor) = round(&erp, &[of("Item")], None).await;
    // GIVEN a deletion that goes on to other rows, of which no trigger tells
    let silent = match stage.dialect {
        Dialect::Mysql => "DELETE FROM parents WHERE id = 1",
        Dialect::Sqlite => {
            "DROP TRIGGER tandem_changes_items_d; DROP TRIGGER tandem_changes_items_u; DELETE FROM parents WHERE id = 1"
        }
        _ => {
            "ALTER TABLE items DISABLE TRIGGER USER; DELETE FROM parents WHERE id = 1; ALTER TABLE items ENABLE TRIGGER USER"
        }
    };
    stage.run(silent).await;
    let (pages_now, cursor) = pages(&erp, &[of("Item")], Some(cursor)).await;
    assert!(
        pages_now
            .iter()
            .all(|page| page.complete.is_none() && page.observations.is_empty())
    );
    // WHEN a day has passed, THEN all rows are compared, once
    let mut later: serde_json::Value = serde_json::from_slice(&cursor).unwrap();
    let compared = &mut later["types"]["Item"]["compared"];
    let day = jiff::SignedDuration::from_hours(24);
    let earlier = compared.as_str().unwrap().parse::<jiff::Timestamp>().unwrap() - day;
    *compared = earlier.to_string().into();
    let cursor = serde_json::to_vec(&later).unwrap();
    let (compared, cursor) = pages(&erp, &[of("Item")], Some(cursor)).await;
    let shown: Vec<&Observation> = compared
        .iter()
        .filter(|page| page.complete.is_some())
        .flat_map(|page| &page.observations)
        .collect();
    let shown: BTreeMap<&str, &Value> = shown
        .iter()
        .map(|row| (row.key.id.as_str(), &row.values["other"]))
        .collect();
    assert_eq!(
        shown,
        BTreeMap::from([("2", &Value::Blank), ("3", &Value::Integer(2))])
    );
    assert_eq!(read(&erp, "Item", "1").await.presence, Presence::Deleted);
    let (rest, _) = pages(&erp, &[of("Item")], Some(cursor)).await;
    assert!(rest.iter().all(|page| page.complete.is_none()));
}

async fn a_value_that_a_trigger_changes_is_read_back(stage: &Stage) {
    stage
        .run(match stage.dialect {
            Dialect::Sqlite => {
                "CREATE TRIGGER loud AFTER UPDATE OF name ON items BEGIN
                     UPDATE items SET name = upper(NEW.name) WHERE id = NEW.id; END"
            }
            Dialect::Mysql => {
                "CREATE TRIGGER loud BEFORE UPDATE ON items FOR EACH ROW SET NEW.name = upper(NEW.name)"
            }
            Dialect::Postgres => {
                "CREATE FUNCTION loud() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                     UPDATE items SET name = upper(NEW.name) WHERE id = NEW.id; RETURN NULL; END $$;
                 CREATE TRIGGER loud AFTER UPDATE OF name ON items FOR EACH ROW
                     WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION loud()"
            }
            Dialect::Mssql => unreachable!("no such server runs here"),
        })
        .await;
    let erp = stage.erp(COMPARED);
    stage.run("INSERT INTO items (id, name) VALUES (1, 'a')").await;
    let version = read(&erp, "Item", "1").await.version;
    let Outcome::Applied {
        state: Some(state), ..
    } = one(&erp, update("Item", "1", named("quiet"), version)).await
    else {
        panic!("not applied")
    };
    assert_eq!(state.values["name"], Value::text("QUIET"));
    assert_eq!(read(&erp, "Item", "1").await.version, state.version);
}

async fn nothing_is_written_where_it_is_only_read(stage: &Stage) {
    stage.run("INSERT INTO items (id, name) VALUES (1, 'a')").await;
    let mut config = stage.config(COMPARED);
    config.read_only = true;
    let by_config = Sql::connect(config).unwrap();
    let by_description = stage.erp("record_types: { Item: { table: items, key: id, write: read_only } }");
    for erp in [by_config, by_description] {
        let schema = erp.describe().await.unwrap();
        let item = &schema.types["Item"];
        assert!(!item.createable && !item.updateable && !item.deletable);
        assert!(
            item.properties
                .values()
                .all(|property| !property.createable && !property.updateable)
        );
        let mut values = named("new");
        values.insert("id".to_owned(), Value::Integer(2));
        for write in [
            create("Item", values),
            update("Item", "1", named("x"), None),
            delete("Item", "1", None),
        ] {
            let Outcome::Refused(refusal) = one(&erp, write).await else {
                panic!("it was written")
            };
            assert_eq!(refusal.kind, RefusalKind::Forbidden);
            assert!(refusal.message.contains("only read"), "{}", refusal.message);
        }
        let (seen, _) = round(&erp, &[of("Item")], None).await;
        assert_eq!((seen.len(), &seen[0].values["name"]), (1, &Value::text("a")));
    }
}

async fn a_row_that_others_name_is_not_deleted(stage: &Stage) {
    let erp = stage
        .erp("record_types: { Parent: { table: parents, key: id }, Child: { table: children, key: id } }");
    let schema = erp.describe().await.unwrap();
    let parent = &schema.types["Child"].properties["parent"];
    assert_eq!(
        (parent.data_type.as_str(), parent.references.as_slice()),
        ("reference", &["Parent".to_owned()][..])
    );
    // A reference is the id of a record, whatever its column holds.
    assert_eq!(read(&erp, "Child", "1").await.values["parent"], Value::text("1"));
    let Outcome::Refused(refusal) = one(&erp, delete("Parent", "1", None)).await else {
        panic!("it was deleted")
    };
    assert_eq!(refusal.kind, RefusalKind::Locked);
    let to = |id: &str| BTreeMap::from([("parent".to_owned(), Value::text(id))]);
    for nobody in ["7", "no id"] {
        let Outcome::Refused(refusal) = one(&erp, update("Child", "1", to(nobody), None)).await else {
            panic!("it refers to nobody")
        };
        assert_eq!(
            (refusal.kind, refusal.properties),
            (RefusalKind::BadReference, vec!["parent".to_owned()])
        );
    }
    applied(&one(&erp, delete("Child", "1", None)).await);
    applied(&one(&erp, delete("Parent", "1", None)).await);
    assert_eq!(read(&erp, "Parent", "1").await.presence, Presence::Deleted);
}

async fn a_clock_of_another_zone_is_read_right(stage: &Stage) {
    let erp = stage.erp(
        "{ zone: Asia/Kolkata, record_types: { Item: { table: items, key: id, modified: at, created: at } } }",
    );
    stage
        .run("INSERT INTO items (id, at) VALUES (1, '2026-03-01 12:00:00')")
        .await;
    let seen = read(&erp, "Item", "1").await;
    let moment: jiff::Timestamp = "2026-03-01T06:30:00Z".parse().unwrap();
    assert_eq!(seen.version.unwrap().modified, moment);
    assert_eq!(
        (seen.values["at"].clone(), seen.created),
        (Value::DateTime(moment), Some(moment))
    );
}

const KEEPS: &str = "
record_types:
  Item:
    table: kept
    key: id
    modified: { column: changed, set: true }
    version: { column: revision, set: true }
    deleted: { column: status, is: gone }
    properties:
      changed: { column: changed, type: unix_seconds }
      note: { column: note, blank: empty }";

async fn times_and_counters_are_kept_by_us_where_nothing_else_does(stage: &Stage) {
    let erp = stage.erp(KEEPS);
    let (_, cursor) = round(&erp, &[of("Item")], None).await;
    let mut values = named("a");
    values.insert("id".to_owned(), Value::Integer(1));
    values.insert("note".to_owned(), Value::Blank);
    let outcome = one(&erp, create("Item", values)).await;
    let Outcome::Applied {
        state: Some(state), ..
    } = outcome
    else {
        panic!("{outcome:?}")
    };
    let version = state.version.unwrap();
    assert_eq!((version.order, &state.values["note"]), (Some(1), &Value::Blank));
    assert_eq!(state.values["changed"], Value::DateTime(version.modified));
    assert!(state.read_began.duration_since(version.modified).abs().as_secs() <= 2);
    // What we do not set ourselves nobody gives.
    let forged = BTreeMap::from([("revision".to_owned(), Value::Integer(9))]);
    let Outcome::Refused(refusal) = one(&erp, update("Item", "1", forged, None)).await else {
        panic!("it was written")
    };
    assert_eq!(refusal.properties, ["revision"]);
    let outcome = one(&erp, update("Item", "1", named("b"), Some(version.clone()))).await;
    let Outcome::Applied {
        state: Some(after), ..
    } = outcome
    else {
        panic!("{outcome:?}")
    };
    assert_eq!(after.version.as_ref().unwrap().order, Some(2));
    let (seen, _) = round(&erp, &[of("Item")], Some(cursor)).await;
    assert_eq!((seen.len(), &seen[0].version), (1, &after.version));
    assert_eq!(
        one(&erp, delete("Item", "1", Some(version))).await,
        Outcome::Stale
    );
}

async fn a_row_that_is_marked_as_deleted_stays(stage: &Stage) {
    let erp = stage.erp(KEEPS);
    let (_, cursor) = round(&erp, &[of("Item")], None).await;
    let values = [("id", Value::Integer(1)), ("name", Value::text("b"))];
    let values = values.map(|(name, value)| (name.to_owned(), value)).into();
    applied(&one(&erp, create("Item", values)).await);
    let after = read(&erp, "Item", "1").await;
    applied(&one(&erp, delete("Item", "1", after.version)).await);
    let gone = read(&erp, "Item", "1").await;
    assert_eq!(
        (gone.presence, gone.version.unwrap().order),
        (Presence::Deleted, Some(2))
    );
    assert_eq!(erp.list(&of("Item"), None).await.unwrap().observations, []);
    let found = erp
        .find(&of("Item"), &["name".to_owned()], &[vec!["b".into()]])
        .await
        .unwrap();
    assert_eq!(found, []);
    let (seen, _) = round(&erp, &[of("Item")], Some(cursor)).await;
    assert_eq!(
        seen.iter().map(|seen| seen.presence).collect::<Vec<_>>(),
        [Presence::Deleted]
    );
    assert_eq!(
        one(&erp, update("Item", "1", named("c"), None)).await,
        Outcome::Gone
    );
    // Another value is no mark, and what is not there at all was never seen to go.
    stage.run("UPDATE kept SET status = 'open' WHERE id = 1").await;
    assert_eq!(read(&erp, "Item", "1").await.presence, Presence::Alive);
    assert_eq!(read(&erp, "Item", "2").await.presence, Presence::Missing);
    let hidden = stage.erp("record_types: { Item: { table: kept, key: id, absent: out_of_sight } }");
    assert_eq!(read(&hidden, "Item", "2").await.presence, Presence::Missing);
    let whole = stage.erp("record_types: { Item: { table: kept, key: id } }");
    assert_eq!(read(&whole, "Item", "2").await.presence, Presence::Deleted);
}

const FORMED: &str = "CREATE TABLE items (id integer PRIMARY KEY, name text, note text,
    token uuid NOT NULL, calls time, last time(3) NOT NULL, at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP);";

/// A time of day and a UUID are texts to others, and no other text is one.
async fn columns_of_one_form_alone_are_proven_by_values_of_that_form(stage: &Stage) {
    let erp = stage
        .erp("record_types: { Item: { table: items, key: id, compare_every: 0s, changes: comparison } }");
    let schema = erp.describe().await.unwrap();
    let of_item = &schema.types["Item"].properties;
    let types = ["token", "calls", "last", "name"].map(|name| of_item[name].data_type.as_str());
    assert_eq!(types, ["uuid", "time", "time", "string"]);
    let effort = Effort {
        pages: 20,
        write: true,
        ..Effort::default()
    };
    // Empty, and with a row that shows its own.
    let row = "INSERT INTO items (id, name, token, calls, last) VALUES
        (1, 'a', '0b8e3a52-6d8d-4f4f-9c0e-1f2a3b4c5d6e', '08:15:00', '23:59:59.125')";
    for before in ["", row] {
        if !before.is_empty() {
            stage.run(before).await;
        }
        let proofs = prove(&erp, &[of("Item")], effort.clone()).await.unwrap();
        let broken: Vec<_> = proofs
            .iter()
            .filter(|proof| proof.verdict == Verdict::Broken)
            .collect();
        assert!(broken.is_empty(), "{broken:#?}");
        let made = |proof: &&Proof| proof.law.starts_with("a create makes a record");
        assert_eq!(proofs.iter().find(made).unwrap().verdict, Verdict::Holds);
    }
    let shown = erp.fetch(&of("Item"), &["1".to_owned()]).await.unwrap().remove(0);
    assert_eq!(shown.values["last"], Value::text("23:59:59.125"));
    assert_eq!(shown.values["calls"], Value::text("08:15:00"));
}
