//! Where one thing that a description says meets another.

use super::stage::{create, description, erp, method, ok, status, things, update};
use crate::scene::one;
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tandem_connector::{Connector, ErrorKind, Lane, Outcome, Write};
use tandem_merge::record::Presence;

const BATCH: &str = "
batch:
  request: POST /batch
  each: { method: \"{method}\", path: \"{path}\", headers: \"{headers}\", body: \"{body}\" }
";

const WHOLE: &str = "
record: { id: id, token: v }
list: { request: GET /things, items: rows }
read: { request: \"GET /things/{id}\" }
update: { request: \"PUT /things/{id}\", headers: { If-Match: \"{token}\" }, style: full, record: . }
";

const NAMED: &str = "
record: { id: id, token: v }
list: { request: GET /things, items: rows }
read:
  request: \"GET /things/{id}\"
  gone_if: { request: GET /deleted, query: { of: \"{id}\" }, items: rows }
";

fn rename(id: &str) -> Write {
    update(id, &[("name", "b".into())], None)
}

#[tokio::test]
async fn what_is_written_back_as_a_whole_waits_for_no_batch() {
    let (_office, rest) = erp(&description(BATCH, WHOLE, "name: string"), &[], |asked| {
        let id = asked.path.rsplit('/').next().unwrap();
        ok(&json!({ "id": id, "v": 1, "name": "a" }))
    })
    .await;
    // More than there are turns: some of them share one.
    let writes: Vec<Write> = (0..70).map(|id| rename(&id.to_string())).collect();
    let done = tokio::time::timeout(Duration::from_secs(60), rest.write(&writes, Lane::Live)).await;
    let outcomes = done.expect("nobody waits for somebody who waits");
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, Outcome::Applied { .. })),
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn a_record_is_written_back_over_itself_alone() {
    // An ERP that answers every read with the same record.
    let written = std::sync::Arc::new(AtomicBool::new(false));
    let seen = written.clone();
    let (_office, rest) = erp(&description("", WHOLE, "name: string"), &[], move |asked| {
        seen.fetch_or(method(asked) == "PUT", Ordering::SeqCst);
        ok(&json!({ "id": 1, "v": 1, "name": "a" }))
    })
    .await;
    let outcome = one(&rest, rename("5")).await;
    assert!(matches!(outcome, Outcome::Gone), "{outcome:?}");
    assert!(!written.load(Ordering::SeqCst));
}

#[tokio::test]
async fn who_names_what_never_was_as_deleted_proves_no_deletion() {
    for honest in [true, false] {
        let (_office, rest) = erp(
            &description("", NAMED, "name: string"),
            &[],
            move |asked| match asked.path.as_str() {
                "/deleted?of=7" => ok(&json!({ "rows": [{ "id": 7 }] })),
                path if path.starts_with("/deleted") && honest => ok(&json!({ "rows": [] })),
                path if path.starts_with("/deleted") => ok(&json!({ "rows": [{ "id": 3 }] })),
                _ => status("404 Not Found"),
            },
        )
        .await;
        let read = rest.fetch(&things(), &["7".to_owned()]).await;
        match honest {
            true => assert_eq!(read.unwrap()[0].presence, Presence::Deleted),
            false => assert_eq!(read.unwrap_err().kind, ErrorKind::Protocol),
        }
    }
}

#[tokio::test]
async fn a_batch_that_is_undone_and_says_otherwise_is_not_believed() {
    let atomic = BATCH.replace(
        "  request: POST /batch\n",
        "  request: POST /batch\n  atomic: true\n",
    );
    let of = "
record: { id: id, token: v }
list: { request: GET /things, items: rows }
read: { request: \"GET /things/{id}\" }
create: { request: POST /things, record: . }
";
    let (_office, rest) = erp(&description(&atomic, of, "name: string"), &[], |_| {
        ok(&json!({ "responses": [
            { "status": 201, "body": { "id": 1, "v": 1, "name": "a" } },
            { "status": 400, "body": {} },
        ] }))
    })
    .await;
    let writes = [create(&[("name", "a".into())]), create(&[("name", "b".into())])];
    let outcomes = rest.write(&writes, Lane::Live).await;
    assert!(matches!(outcomes[0], Outcome::Unknown(_)), "{outcomes:?}");
}
