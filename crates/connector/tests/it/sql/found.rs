//! Wrong descriptions of a database are found by what a check tries.

use super::stage::Stage;
use tandem_connector::proof::{Effort, Proof, Verdict, prove};
use tandem_merge::record::RecordType;

const TABLES: &str = "
CREATE TABLE items (id INTEGER PRIMARY KEY, number VARCHAR(20), changed DATETIME);
CREATE VIEW seen AS SELECT id, number FROM items;
CREATE TABLE loose (id INTEGER, number VARCHAR(20));
INSERT INTO items VALUES (1, 'a', '2024-03-01T10:00:00'), (2, 'a', '2024-03-01T11:00:00'), (3, 'b', '2024-03-01T12:00:00');";

async fn proven(stage: &Stage, description: &str) -> Vec<Proof> {
    let effort = Effort {
        pages: 3,
        ..Effort::default()
    };
    let item = RecordType::new("erp", "Item");
    prove(&stage.erp(description), &[item], effort).await.unwrap()
}

#[tokio::test]
async fn a_key_is_held_against_the_catalogue() {
    let stage = Stage::sqlite(TABLES).await;
    for (table, key, verdict, words) in [
        ("items", "id", Verdict::Holds, "id is unique in items"),
        (
            "items",
            "number",
            Verdict::Broken,
            "number is not unique in items",
        ),
        ("seen", "id", Verdict::Doubtful, "seen is a view"),
        ("loose", "id", Verdict::Doubtful, "loose is a table without a key"),
    ] {
        let text = format!("zone: UTC\nrecord_types: {{ Item: {{ table: {table}, key: {key} }} }}");
        let proofs = proven(&stage, &text).await;
        let told = proofs.iter().find(|proof| proof.law.starts_with("the key tells"));
        let told = told.unwrap();
        assert_eq!(told.verdict, verdict, "{told:?}");
        assert!(told.seen.contains(words), "{told:?}");
    }
}

#[tokio::test]
async fn times_without_a_zone_are_told_unless_it_is_said() {
    let stage = Stage::sqlite(TABLES).await;
    let text = "record_types: { Item: { table: items, key: id, modified: changed } }";
    for (top, told) in [("", true), ("zone: UTC\n", false)] {
        let proofs = proven(&stage, &format!("{top}{text}")).await;
        let zone = proofs
            .iter()
            .find(|proof| proof.law.starts_with("times have a zone"));
        assert_eq!(
            zone.is_some_and(|zone| zone.verdict == Verdict::Doubtful),
            told,
            "{proofs:#?}"
        );
        let sent = proofs
            .iter()
            .find(|proof| proof.law.starts_with("an id that no record has"));
        assert!(sent.unwrap().seen.contains("`2147483646`"), "{proofs:#?}");
    }
}
