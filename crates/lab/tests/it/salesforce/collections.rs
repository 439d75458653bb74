//! Several records in one call.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{BASE, Org};

fn account(name: &str) -> Value {
    json!({ "attributes": { "type": "Account" }, "Name": name })
}

#[tokio::test]
async fn two_hundred_are_created_in_one_call_and_in_order() {
    let org = Org::new().await;
    let records: Vec<Value> = (0..200).map(|n| account(&format!("Account {n:03}"))).collect();
    let reply = org
        .call(Method::POST, "composite/sobjects", json!({ "records": records }))
        .await;
    assert_eq!(reply.status, StatusCode::OK);
    let results = reply.body.as_array().unwrap();
    assert!(results.iter().all(|result| result["success"] == true));
    let found = org.query("SELECT Id, Name FROM Account ORDER BY Name").await;
    for (result, record) in results.iter().zip(&found) {
        assert_eq!(result["id"], record["Id"]);
    }
    let mut records = records;
    records.push(account("one too many"));
    let refused = org
        .call(Method::POST, "composite/sobjects", json!({ "records": records }))
        .await;
    assert_eq!(
        (refused.status, refused.code()),
        (StatusCode::BAD_REQUEST, "EXCEEDED_ID_LIMIT")
    );
}

#[tokio::test]
async fn one_failure_leaves_the_others_unless_all_or_none() {
    let org = Org::new().await;
    let records = json!([account("A"), account(""), account("C")]);
    let reply = org
        .call(Method::POST, "composite/sobjects", json!({ "records": records }))
        .await
        .body;
    assert_eq!(reply[0]["success"], true);
    assert_eq!(reply[1]["errors"][0]["statusCode"], "REQUIRED_FIELD_MISSING");
    assert_eq!(reply[1]["errors"][0]["fields"], json!(["Name"]));
    assert_eq!(reply[2]["success"], true);
    let all = org
        .call(
            Method::POST,
            "composite/sobjects",
            json!({ "allOrNone": true, "records": records }),
        )
        .await
        .body;
    assert_eq!(
        all[0]["errors"][0]["statusCode"],
        "ALL_OR_NONE_OPERATION_ROLLED_BACK"
    );
    assert_eq!(all[1]["errors"][0]["statusCode"], "REQUIRED_FIELD_MISSING");
    assert!(all[0].get("id").is_none());
    assert_eq!(
        org.names("SELECT Name FROM Account ORDER BY Name").await,
        ["A", "C"]
    );
}

#[tokio::test]
async fn at_most_ten_runs_of_equal_type() {
    let org = Org::new().await;
    let contact = json!({ "attributes": { "type": "Contact" }, "LastName": "Y" });
    let mixed = |count: usize| -> Vec<Value> {
        (0..count)
            .map(|n| if n % 2 == 0 { account("X") } else { contact.clone() })
            .collect()
    };
    let ten = org
        .call(
            Method::POST,
            "composite/sobjects",
            json!({ "records": mixed(10) }),
        )
        .await;
    assert!(
        ten.body
            .as_array()
            .unwrap()
            .iter()
            .all(|result| result["success"] == true)
    );
    let eleven = org
        .call(
            Method::POST,
            "composite/sobjects",
            json!({ "records": mixed(11) }),
        )
        .await;
    assert_eq!(
        (eleven.status, eleven.code()),
        (StatusCode::BAD_REQUEST, "LIMIT_EXCEEDED")
    );
}

#[tokio::test]
async fn updates_reads_and_deletes_come_in_collections_too() {
    let org = Org::new().await;
    let (a, b) = (
        org.add("Account", json!({ "Name": "A" })).await,
        org.add("Account", json!({ "Name": "B" })).await,
    );
    let missing = format!("{}ZZZ", &a[..12]);
    let change =
        |id: &str, name: &str| json!({ "attributes": { "type": "Account" }, "id": id, "Name": name });
    let body = json!({ "records": [change(&a, "A2"), change(&missing, "X"), change("nonsense", "X")] });
    let reply = org.call(Method::PATCH, "composite/sobjects", body).await.body;
    assert_eq!(reply[0], json!({ "id": a, "success": true, "errors": [] }));
    assert_eq!(reply[1]["errors"][0]["statusCode"], "INVALID_CROSS_REFERENCE_KEY");
    assert_eq!(reply[2]["errors"][0]["statusCode"], "MALFORMED_ID");
    let asked = json!({ "ids": [b, missing, a], "fields": ["Name"] });
    let read = org
        .call(Method::POST, "composite/sobjects/Account", asked)
        .await
        .body;
    assert_eq!(
        (&read[0]["Name"], &read[1], &read[2]["Name"]),
        (&json!("B"), &Value::Null, &json!("A2"))
    );
    let read = org
        .get(&format!("composite/sobjects/Account?ids={a}&fields=Name,Id"))
        .await
        .body;
    assert_eq!(read[0]["Name"], "A2");
    let gone = org
        .call(
            Method::DELETE,
            &format!("composite/sobjects?ids={a},{b},{a}"),
            Value::Null,
        )
        .await
        .body;
    assert_eq!(
        (&gone[0]["success"], &gone[1]["success"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(gone[2]["errors"][0]["statusCode"], "ENTITY_IS_DELETED");
}

#[tokio::test]
async fn upsert_creates_once_and_updates_afterwards() {
    let org = Org::new().await;
    let path = "sobjects/Contact/Customerp_Id__c/Contact:1";
    let first = org
        .call(Method::PATCH, path, json!({ "LastName": "Anders" }))
        .await;
    assert_eq!(
        (first.status, &first.body["created"]),
        (StatusCode::CREATED, &json!(true))
    );
    let second = org.call(Method::PATCH, path, json!({ "LastName": "Berg" })).await;
    assert_eq!(
        (second.status, &second.body["created"]),
        (StatusCode::OK, &json!(false))
    );
    assert_eq!(org.get(path).await.body["LastName"], "Berg");
    let guard = [("If-Unmodified-Since", "Mon, 01 Jan 2024 00:00:00 GMT")];
    let late = org
        .call_with(Method::PATCH, path, &guard, json!({ "LastName": "Late" }))
        .await;
    assert_eq!(late.status, StatusCode::PRECONDITION_FAILED);
    let records = json!([
        { "attributes": { "type": "Contact" }, "Customerp_Id__c": "Contact:1", "LastName": "Carl" },
        { "attributes": { "type": "Contact" }, "Customerp_Id__c": "Contact:2", "LastName": "Dahl" },
        { "attributes": { "type": "Contact" }, "LastName": "Nobody" },
    ]);
    let body = json!({ "records": records });
    let reply = org
        .call(Method::PATCH, "composite/sobjects/Contact/Customerp_Id__c", body)
        .await
        .body;
    assert_eq!(
        (&reply[0]["created"], &reply[1]["created"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(reply[2]["errors"][0]["statusCode"], "MISSING_ARGUMENT");
    // An e-mail address finds records but is not unique.
    for _ in 0..2 {
        org.add(
            "Contact",
            json!({ "LastName": "Twin", "Email": "twin@example.com" }),
        )
        .await;
    }
    let several = org
        .call(
            Method::PATCH,
            "sobjects/Contact/Email/twin@example.com",
            json!({ "LastName": "X" }),
        )
        .await;
    assert_eq!(several.status.as_u16(), 300);
    assert_eq!(several.body.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn users_do_not_mix_with_other_records() {
    let org = Org::new().await;
    let user = json!({ "attributes": { "type": "User" }, "LastName": "X" });
    let reply = org
        .call(
            Method::POST,
            "composite/sobjects",
            json!({ "records": [account("A"), user] }),
        )
        .await
        .body;
    assert_eq!(reply[0]["success"], true);
    assert_eq!(reply[1]["errors"][0]["statusCode"], "MIXED_DML_OPERATION");
}

#[tokio::test]
async fn a_composite_carries_references_and_headers() {
    let org = Org::new().await;
    let body = json!({ "compositeRequest": [
        { "method": "POST", "url": format!("{BASE}/sobjects/Account"), "referenceId": "acme", "body": { "Name": "Acme" } },
        { "method": "POST", "url": format!("{BASE}/sobjects/Contact"), "referenceId": "who",
          "body": { "LastName": "Doe", "AccountId": "@{acme.id}" } },
        { "method": "GET", "url": format!("{BASE}/query?q=SELECT+Name+FROM+Contact+WHERE+AccountId='@{{acme.id}}'"), "referenceId": "found" },
        { "method": "PATCH", "url": format!("{BASE}/sobjects/Account/@{{acme.id}}"), "referenceId": "late",
          "httpHeaders": { "If-Unmodified-Since": "Mon, 01 Jan 2024 00:00:00 GMT" }, "body": { "Name": "Never" } },
        { "method": "PATCH", "url": format!("{BASE}/sobjects/Account/@{{acme.id}}"), "referenceId": "timely",
          "httpHeaders": { "If-Unmodified-Since": "Mon, 01 Jan 2046 00:00:00 GMT" }, "body": { "Site": "Here" } },
        { "method": "GET", "url": format!("{BASE}/sobjects/Account/@{{nobody.id}}"), "referenceId": "lost" },
    ] });
    org.call(Method::DELETE, "/_local/calls", Value::Null).await;
    let reply = org.call(Method::POST, "composite", body).await;
    let of = |place: usize| &reply.body["compositeResponse"][place];
    let statuses: Vec<u64> = (0..6)
        .map(|place| of(place)["httpStatusCode"].as_u64().unwrap())
        .collect();
    assert_eq!(statuses, [201, 201, 200, 412, 204, 400], "{reply:?}");
    assert_eq!(of(2)["body"]["records"][0]["Name"], "Doe");
    assert_eq!(of(3)["referenceId"], "late");
    assert_eq!(of(5)["body"][0]["errorCode"], "PROCESSING_HALTED");
    assert_eq!(org.names("SELECT Name FROM Account").await, ["Acme"]);
    assert_eq!(org.get("/_local/calls").await.body["kinds"]["composite"], 1);
}

#[tokio::test]
async fn a_composite_of_all_or_none_takes_everything_back() {
    let org = Org::new().await;
    let create = |reference: &str, body: Value| json!({ "method": "POST", "url": format!("{BASE}/sobjects/Account"), "referenceId": reference, "body": body });
    let subrequests = [
        create("one", json!({ "Name": "A" })),
        create("two", json!({})),
        create("three", json!({ "Name": "C" })),
    ];
    let body = json!({ "allOrNone": true, "compositeRequest": subrequests });
    let reply = org.call(Method::POST, "composite", body).await.body;
    let code = |place: usize| reply["compositeResponse"][place]["body"][0]["errorCode"].clone();
    assert_eq!(
        [code(0), code(1), code(2)],
        ["PROCESSING_HALTED", "REQUIRED_FIELD_MISSING", "PROCESSING_HALTED"]
    );
    assert!(org.query("SELECT Id FROM Account").await.is_empty());
    assert!(
        org.get("/_local/log?object=Account").await.body["entries"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_composite_has_its_limits() {
    let org = Org::new().await;
    let many = |count: usize, url: &str| -> Value {
        let one = |n: usize| json!({ "method": "GET", "url": format!("{BASE}/{url}"), "referenceId": format!("r{n}") });
        json!({ "compositeRequest": (0..count).map(one).collect::<Vec<Value>>() })
    };
    for (count, url, status) in [
        (25, "limits", 200),
        (26, "limits", 400),
        (5, "query?q=SELECT+Id+FROM+Account", 200),
        (6, "query?q=SELECT+Id+FROM+Account", 400),
    ] {
        let reply = org.call(Method::POST, "composite", many(count, url)).await;
        assert_eq!(reply.status.as_u16(), status, "{count} {url}");
    }
}
