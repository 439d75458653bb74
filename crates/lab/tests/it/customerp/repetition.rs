//! Repeated and rival requests: one effect per idempotency key, one winner per version.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{Erp, Reply, send};

async fn create(erp: &Erp, user: &str, key: &str, name: &str) -> Reply {
    let body = json!({ "name": name }).to_string();
    send(
        erp.as_user(user, Method::POST, "/products")
            .header("idempotency-key", key)
            .body(body),
    )
    .await
}

async fn count(erp: &Erp) -> usize {
    erp.get("/products?limit=1000").await.body["items"]
        .as_array()
        .unwrap()
        .len()
}

#[tokio::test]
async fn a_repeated_create_has_one_effect() {
    let erp = Erp::empty().await;
    let first = create(&erp, "tandem", "k1", "Chai").await;
    erp.patch("/products/1", "\"1\"", r#"{"sku":"changed since"}"#)
        .await;
    let again = create(&erp, "tandem", "k1", "Chai").await;
    assert_eq!((first.replayed, again.replayed), (false, true));
    assert_eq!(
        (again.status, &again.body, &again.etag),
        (StatusCode::CREATED, &first.body, &first.etag)
    );
    assert_eq!(again.location, first.location);
    let other_body = create(&erp, "tandem", "k1", "Chang").await;
    assert_eq!(other_body.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(other_body.body["error"]["code"], "idempotency_mismatch");
    assert_eq!(
        create(&erp, "alice", "k1", "Chai").await.status,
        StatusCode::CREATED,
        "keys are per user"
    );
    assert_eq!(count(&erp).await, 2);
    erp.advance(24 * 3600 + 1).await;
    assert!(
        !create(&erp, "tandem", "k1", "Chai").await.replayed,
        "kept for a day"
    );
    assert_eq!(count(&erp).await, 3);
    erp.stop().await;
}

#[tokio::test]
async fn a_refused_create_is_tried_anew() {
    let erp = Erp::empty().await;
    let body = r#"{"lastName":"Anders","customerId":"1"}"#;
    let post = || {
        send(
            erp.request(Method::POST, "/contacts")
                .header("idempotency-key", "k")
                .body(body),
        )
    };
    assert_eq!(post().await.status, StatusCode::UNPROCESSABLE_ENTITY);
    erp.post("/customers", r#"{"name":"A"}"#).await;
    assert_eq!(post().await.status, StatusCode::CREATED);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_rivals_on_one_version_exactly_one_wins() {
    let erp = Erp::empty().await;
    erp.post("/products", r#"{"name":"Chai"}"#).await;
    let rivals = (0..16).map(|number| {
        let body = format!("{{\"name\":\"Rival {number}\"}}");
        let request = erp
            .request(Method::PATCH, "/products/1")
            .header("if-match", "\"1\"")
            .body(body);
        tokio::spawn(send(request))
    });
    let mut won = 0;
    for rival in rivals.collect::<Vec<_>>() {
        match rival.await.unwrap().status {
            StatusCode::OK => won += 1,
            status => assert_eq!(status, StatusCode::PRECONDITION_FAILED),
        }
    }
    assert_eq!(won, 1);
    assert_eq!(erp.get("/products/1").await.body["version"], 2);
}

/// What a client may do next.
#[derive(Debug, Clone)]
enum Step {
    Create { key: u8, name: u8 },
    Change { stale: bool, sku: u8 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let create = (0..3u8, 0..2u8).prop_map(|(key, name)| Step::Create { key, name });
    let change = (any::<bool>(), 0..3u8).prop_map(|(stale, sku)| Step::Change { stale, sku });
    proptest::collection::vec(prop_oneof![create, change], 1..12)
}

/// Against a model: a key makes at most one record; a change is accepted exactly when made on the present version, and
/// then counts exactly when it changes something.
async fn follow(steps: Vec<Step>) {
    let erp = Erp::empty().await;
    erp.post("/products", r#"{"name":"first"}"#).await;
    let mut keys: [Option<u8>; 3] = [None; 3];
    let (mut version, mut sku, mut records) = (1_u64, None, 1);
    for step in steps {
        match step {
            Step::Create { key, name } => {
                let reply = create(&erp, "tandem", &key.to_string(), &name.to_string()).await;
                let known = &mut keys[usize::from(key)];
                match *known {
                    Some(first) if first != name => {
                        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY)
                    }
                    Some(_) => assert!(reply.replayed),
                    None => {
                        assert!(!reply.replayed);
                        records += 1;
                        *known = Some(name);
                    }
                }
            }
            Step::Change { stale, sku: next } => {
                let tag = format!("\"{}\"", if stale { version + 1 } else { version });
                let reply = erp
                    .patch("/products/1", &tag, &format!("{{\"sku\":\"{next}\"}}"))
                    .await;
                if stale {
                    assert_eq!(reply.status, StatusCode::PRECONDITION_FAILED);
                } else {
                    version += u64::from(sku != Some(next));
                    sku = Some(next);
                    assert_eq!(reply.body["version"], version);
                }
            }
        }
    }
    assert_eq!(count(&erp).await, records);
    erp.stop().await;
}

#[test]
fn any_sequence_of_repetitions_and_stale_changes_is_answered_as_promised() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = ProptestConfig {
        cases: 40,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = TestRunner::new(config);
    runner
        .run(&steps(), |steps| {
            runtime.block_on(follow(steps));
            Ok(())
        })
        .unwrap();
}
