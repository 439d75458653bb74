//! Batches, graphs and trees.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{BASE, Org};

#[tokio::test]
async fn a_batch_is_one_call_of_independent_subrequests() {
    let org = Org::new().await;
    let account = org.add("Account", json!({ "Name": "Acme" })).await;
    let requests = json!([
        { "method": "PATCH", "url": format!("v62.0/sobjects/Account/{account}"), "richInput": { "Name": "New" } },
        { "method": "GET", "url": "v62.0/sobjects/Account/nonsense" },
        { "method": "GET", "url": format!("{BASE}/sobjects/Account/{account}?fields=Name") },
        { "method": "POST", "url": "v62.0/composite/sobjects" },
    ]);
    let before = org.get("/_local/calls").await.body["total"].as_u64().unwrap();
    let reply = org
        .call(
            Method::POST,
            "composite/batch",
            json!({ "batchRequests": requests }),
        )
        .await;
    assert_eq!(org.get("/_local/calls").await.body["total"], before + 1);
    assert_eq!(
        (reply.status, &reply.body["hasErrors"]),
        (StatusCode::OK, &json!(true))
    );
    let statuses: Vec<&Value> = reply.body["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| &result["statusCode"])
        .collect();
    assert_eq!(statuses, [&json!(204), &json!(404), &json!(200), &json!(404)]);
    assert_eq!(reply.body["results"][0]["result"], Value::Null);
    assert_eq!(reply.body["results"][2]["result"]["Name"], "New");
    let halted = org
        .call(
            Method::POST,
            "composite/batch",
            json!({ "haltOnError": true, "batchRequests": [requests[1], requests[2]] }),
        )
        .await
        .body;
    assert_eq!(
        (
            &halted["results"][1]["statusCode"],
            &halted["results"][1]["result"][0]["errorCode"]
        ),
        (&json!(412), &json!("BATCH_PROCESSING_HALTED"))
    );
    let many: Vec<&Value> = std::iter::repeat_n(&requests[2], 26).collect();
    let refused = org
        .call(Method::POST, "composite/batch", json!({ "batchRequests": many }))
        .await;
    assert_eq!(refused.code(), "LIMIT_EXCEEDED");
}

fn create(reference: &str, object: &str, body: &Value) -> Value {
    json!({ "method": "POST", "url": format!("{BASE}/sobjects/{object}"), "referenceId": reference, "body": body })
}

#[tokio::test]
async fn each_graph_is_all_or_none() {
    let org = Org::new().await;
    let good = json!([
        create("a", "Account", &json!({ "Name": "Good" })),
        create(
            "c",
            "Contact",
            &json!({ "LastName": "Lee", "AccountId": "@{a.id}" })
        ),
    ]);
    let bad = json!([
        create("a", "Account", &json!({ "Name": "Bad" })),
        create("c", "Contact", &json!({ "AccountId": "@{a.id}" })),
    ]);
    let graphs = json!([
        { "graphId": "one", "compositeRequest": good },
        { "graphId": "two", "compositeRequest": bad },
    ]);
    let reply = org
        .call(Method::POST, "composite/graph", json!({ "graphs": graphs }))
        .await
        .body;
    assert_eq!(
        (
            &reply["graphs"][0]["isSuccessful"],
            &reply["graphs"][1]["isSuccessful"]
        ),
        (&json!(true), &json!(false))
    );
    let answers = &reply["graphs"][1]["graphResponse"]["compositeResponse"];
    assert_eq!(answers[0]["body"][0]["errorCode"], "PROCESSING_HALTED");
    assert_eq!(answers[1]["body"][0]["errorCode"], "REQUIRED_FIELD_MISSING");
    assert_eq!(org.names("SELECT Name FROM Account").await, ["Good"]);
    assert_eq!(
        org.names("SELECT Name FROM Contact WHERE Account.Name = 'Good'")
            .await,
        ["Lee"]
    );
    let query = json!([{ "method": "GET", "url": format!("{BASE}/query?q=x"), "referenceId": "q" }]);
    let many: Vec<Value> = (0..501)
        .map(|n| create(&format!("a{n}"), "Account", &json!({ "Name": "X" })))
        .collect();
    for nodes in [query, json!(many)] {
        let graphs = json!({ "graphs": [{ "graphId": "one", "compositeRequest": nodes }] });
        let refused = org.call(Method::POST, "composite/graph", graphs).await;
        assert_eq!(refused.code(), "LIMIT_EXCEEDED");
    }
}

#[tokio::test]
async fn trees_are_created_whole_or_not_at_all() {
    let org = Org::new().await;
    let tree = |last_name: &str| {
        json!({ "records": [{
            "attributes": { "type": "Account", "referenceId": "a" },
            "Name": "Acme",
            "Contacts": { "records": [
                { "attributes": { "type": "Contact", "referenceId": "c1" }, "LastName": last_name },
                { "attributes": { "type": "Contact", "referenceId": "c2" }, "LastName": "Kim" },
            ] },
        }] })
    };
    let refused = org.call(Method::POST, "composite/tree/Account", tree("")).await;
    assert_eq!(
        (refused.status, &refused.body["hasErrors"]),
        (StatusCode::BAD_REQUEST, &json!(true))
    );
    assert_eq!(refused.body["results"][0]["referenceId"], "c1");
    assert_eq!(
        refused.body["results"][0]["errors"][0]["statusCode"],
        "REQUIRED_FIELD_MISSING"
    );
    assert!(org.query("SELECT Id FROM Account").await.is_empty());
    let created = org
        .call(Method::POST, "composite/tree/Account", tree("Lee"))
        .await;
    assert_eq!(
        (created.status, &created.body["hasErrors"]),
        (StatusCode::CREATED, &json!(false))
    );
    let account = created.body["results"][0]["id"].as_str().unwrap();
    let names = org
        .names(&format!(
            "SELECT Name FROM Contact WHERE AccountId = '{account}' ORDER BY Name"
        ))
        .await;
    assert_eq!(names, ["Kim", "Lee"]);
    let twice = json!({ "records": [
        { "attributes": { "type": "Account", "referenceId": "a" }, "Name": "A" },
        { "attributes": { "type": "Account", "referenceId": "a" }, "Name": "B" },
    ] });
    assert_eq!(
        org.call(Method::POST, "composite/tree/Account", twice)
            .await
            .code(),
        "INVALID_INPUT"
    );
}
