//! What clients rely on that nobody here wrote: headers, conditions, compressed bodies, and paths beside the usual ones.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tandem_lab::salesforce::Options;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{BASE, Org};

#[tokio::test]
async fn headers_have_their_documented_case() {
    let org = Org::new().await;
    let mut stream = tokio::net::TcpStream::connect(org.server.address())
        .await
        .unwrap();
    let request = format!(
        "GET {BASE}/limits HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
        org.server.address(),
        org.token
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, _) = answer.split_once("\r\n\r\n").unwrap();
    for name in ["Content-Type: application/json", "Sforce-Limit-Info: ", "Date: "] {
        assert!(head.contains(&format!("\r\n{name}")), "{head}");
    }
}

#[tokio::test]
async fn rows_of_account_have_entity_tags() {
    let org = Org::new().await;
    let id = org.add("Account", json!({ "Name": "A" })).await;
    let path = format!("sobjects/Account/{id}");
    let read = org.get(&path).await;
    let tag = read.headers["etag"].to_str().unwrap().to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'));
    let with = |method: Method, name: &'static str, value: String, body: Value| {
        let (org, path) = (&org, &path);
        async move {
            org.call_with(method, path, &[(name, value.as_str())], body)
                .await
                .status
        }
    };
    let get = |name, value: &str| with(Method::GET, name, value.to_owned(), Value::Null);
    let patch = |name, value: &str| with(Method::PATCH, name, value.to_owned(), json!({ "Phone": "1" }));
    assert_eq!(get("If-None-Match", &tag).await, StatusCode::NOT_MODIFIED);
    assert_eq!(get("If-None-Match", "\"other\"").await, StatusCode::OK);
    assert_eq!(
        get("If-Match", "\"other\"").await,
        StatusCode::PRECONDITION_FAILED
    );
    assert_eq!(
        patch("If-Match", "\"other\"").await,
        StatusCode::PRECONDITION_FAILED
    );
    assert_eq!(
        patch("If-None-Match", &tag).await,
        StatusCode::PRECONDITION_FAILED
    );
    assert_eq!(patch("If-Match", "no tag").await, StatusCode::BAD_REQUEST);
    assert!(org.read("Account", &id).await["Phone"].is_null());
    let list = format!("\"other\", {tag}");
    assert_eq!(patch("If-Match", &list).await, StatusCode::NO_CONTENT);
    // What changed has another tag, within the same second too.
    assert_eq!(patch("If-Match", &tag).await, StatusCode::PRECONDITION_FAILED);
    assert_eq!(get("If-None-Match", &tag).await, StatusCode::OK);
    let contact = org.add("Contact", json!({ "LastName": "B" })).await;
    let read = org.get(&format!("sobjects/Contact/{contact}")).await;
    assert!(!read.headers.contains_key("etag"));
}

#[tokio::test]
async fn a_delete_heeds_its_condition_where_the_org_does() {
    for heeds in [true, false] {
        let org = Org::start(Options {
            conditional_delete: heeds,
            ..Options::default()
        })
        .await;
        let id = org.add("Account", json!({ "Name": "A" })).await;
        let path = format!("sobjects/Account/{id}");
        let since = [("If-Unmodified-Since", "Mon, 01 Jan 2024 00:00:00 GMT")];
        let update = org
            .call_with(Method::PATCH, &path, &since, json!({ "Phone": "1" }))
            .await;
        assert_eq!(update.status, StatusCode::PRECONDITION_FAILED);
        let reply = org.call_with(Method::DELETE, &path, &since, Value::Null).await;
        let expected = if heeds {
            StatusCode::PRECONDITION_FAILED
        } else {
            StatusCode::NO_CONTENT
        };
        assert_eq!(reply.status, expected);
    }
}

#[tokio::test]
async fn describes_are_told_once() {
    let org = Org::new().await;
    for path in ["sobjects/Account/describe", "sobjects"] {
        let first = org.get(path).await;
        let last = first.headers["last-modified"].to_str().unwrap().to_owned();
        let since = [("If-Modified-Since", last.as_str())];
        let again = org.call_with(Method::GET, path, &since, Value::Null).await;
        assert_eq!(
            (again.status, again.body),
            (StatusCode::NOT_MODIFIED, Value::Null)
        );
        org.advance(2).await;
        let change =
            json!({ "change": "add-field", "object": "Account", "field": format!("F{}__c", path.len()) });
        let changed = org.call(Method::POST, "/_local/schema", change).await;
        assert_eq!(changed.status, StatusCode::OK);
        let again = org.call_with(Method::GET, path, &since, Value::Null).await;
        assert_eq!(again.status, StatusCode::OK);
        assert_ne!(again.headers["last-modified"], last.as_str());
    }
}

#[tokio::test]
async fn an_upsert_may_be_for_updates_alone() {
    let org = Org::new().await;
    let path = "sobjects/Account/Customerp_Id__c/Customer:1?updateOnly=true";
    let body = json!({ "Name": "A" });
    let reply = org.call(Method::PATCH, path, body.clone()).await;
    assert_eq!((reply.status, reply.code()), (StatusCode::NOT_FOUND, "NOT_FOUND"));
    assert!(org.query("SELECT Id FROM Account").await.is_empty());
    let id = org
        .add("Account", json!({ "Name": "B", "Customerp_Id__c": "Customer:1" }))
        .await;
    assert_eq!(org.call(Method::PATCH, path, body).await.status, StatusCode::OK);
    assert_eq!(org.read("Account", &id).await["Name"], "A");
}

#[tokio::test]
async fn the_id_may_stand_in_the_place_of_an_external_id() {
    let org = Org::new().await;
    let reply = org
        .call(Method::POST, "sobjects/Account/Id", json!({ "Name": "A" }))
        .await;
    assert_eq!(reply.status, StatusCode::CREATED);
    assert_eq!(reply.body["created"], true);
    assert_eq!(org.read("Account", &reply.id()).await["Name"], "A");
}

#[tokio::test]
async fn relationships_are_followed() {
    let org = Org::new().await;
    let parent = org.add("Account", json!({ "Name": "Parent" })).await;
    let account = org
        .add("Account", json!({ "Name": "A", "ParentId": parent }))
        .await;
    let contact = org
        .add("Contact", json!({ "LastName": "B", "AccountId": account }))
        .await;
    let path = format!("sobjects/Contact/{contact}/Account");
    let read = org.get(&format!("{path}?fields=Name")).await;
    assert_eq!(
        (&read.body["Id"], &read.body["Name"]),
        (&json!(account), &json!("A"))
    );
    assert_eq!(org.get(&format!("{path}/Parent")).await.body["Name"], "Parent");
    let update = org.call(Method::PATCH, &path, json!({ "Phone": "1" })).await;
    assert_eq!(update.status, StatusCode::NO_CONTENT);
    assert_eq!(org.read("Account", &account).await["Phone"], "1");
    let children = org.get(&format!("sobjects/Account/{account}/Contacts")).await;
    assert_eq!(
        (&children.body["totalSize"], &children.body["records"][0]["Id"]),
        (&json!(1), &json!(contact))
    );
    for missing in [
        format!("sobjects/Contact/{contact}/ReportsTo"),
        format!("sobjects/Contact/{contact}/Nonsense"),
        format!("sobjects/Account/{contact}/Contacts"),
    ] {
        assert_eq!(org.get(&missing).await.code(), "NOT_FOUND", "{missing}");
    }
}

#[tokio::test]
async fn records_are_counted_by_object() {
    let org = Org::new().await;
    org.add("Account", json!({ "Name": "A" })).await;
    let gone = org.add("Account", json!({ "Name": "B" })).await;
    org.delete("Account", &gone).await;
    let reply = org
        .get("limits/recordCount?sObjects=Account,Nonsense__c,Contact")
        .await;
    let expected = json!([{ "count": 1, "name": "Account" }, { "count": 0, "name": "Contact" }]);
    assert_eq!(reply.body["sObjects"], expected);
    let all = org.get("limits/recordCount").await;
    assert!(all.body["sObjects"].as_array().unwrap().len() > 10);
}

#[tokio::test]
async fn a_subrequest_bears_no_authorization_of_its_own() {
    let org = Org::new().await;
    for (header, status) in [
        ("Authorization", StatusCode::BAD_REQUEST),
        ("content-type", StatusCode::BAD_REQUEST),
        ("Sforce-Auto-Assign", StatusCode::OK),
    ] {
        let part = json!({
            "method": "POST", "url": format!("{BASE}/sobjects/Account"), "referenceId": "a",
            "body": { "Name": header }, "httpHeaders": { header: "FALSE" },
        });
        let reply = org
            .call(Method::POST, "composite", json!({ "compositeRequest": [part] }))
            .await;
        assert_eq!(reply.status, status, "{header}");
    }
    assert_eq!(
        org.names("SELECT Name FROM Account").await,
        ["Sforce-Auto-Assign"]
    );
}

#[tokio::test]
async fn other_apis_are_refused_in_a_sentence() {
    let org = Org::new().await;
    for path in [
        "/services/async/62.0/job",
        "/cometd/62.0/handshake",
        "/services/apexrest/mine",
        "analytics/reports",
        "support/knowledgeArticles",
        "sobjects/Account/listviews",
    ] {
        let reply = org.call(Method::POST, path, json!({})).await;
        assert_eq!(reply.status, StatusCode::NOT_IMPLEMENTED, "{path}");
        let message = reply.body[0]["message"].as_str().unwrap();
        assert!(message.contains("docs/local-org.md"), "{message}");
    }
}

#[tokio::test]
async fn retired_versions_are_gone() {
    let org = Org::new().await;
    let reply = org.get("/services/data/v30.0/sobjects").await;
    assert_eq!((reply.status, reply.code()), (StatusCode::GONE, "GONE"));
    for unknown in ["v99.0", "v6.0", "v31.5"] {
        let reply = org.get(&format!("/services/data/{unknown}/sobjects")).await;
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{unknown}");
    }
    let newer = Org::start(Options {
        oldest_version: 63,
        ..Options::default()
    })
    .await;
    assert_eq!(newer.get("sobjects").await.status, StatusCode::GONE);
    let versions = newer.get("/services/data").await;
    assert_eq!(versions.body[0]["version"], "63.0");
}

#[tokio::test]
async fn bodies_may_be_compressed() {
    let org = Org::new().await;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packed, br#"{ "Name": "Packed" }"#).unwrap();
    let packed = packed.finish().unwrap();
    let send = |encoding: &'static str| {
        let url = format!("{}{BASE}/sobjects/Account", org.server.url());
        let request = org.http.post(url).bearer_auth(&org.token);
        let request = request
            .header("Content-Type", "application/json")
            .header("Content-Encoding", encoding)
            .body(packed.clone());
        async move { request.send().await.unwrap().status() }
    };
    assert_eq!(send("gzip").await, StatusCode::CREATED);
    assert_eq!(send("br").await, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(send("deflate").await, StatusCode::BAD_REQUEST);
    assert_eq!(org.names("SELECT Name FROM Account").await, ["Packed"]);
}

#[tokio::test]
async fn one_record_comes_once_in_a_call() {
    let org = Org::new().await;
    let a = org.add("Account", json!({ "Name": "A" })).await;
    let b = org.add("Account", json!({ "Name": "B" })).await;
    let record =
        |id: &str, name: &str| json!({ "attributes": { "type": "Account" }, "id": id, "Name": name });
    // The short form of an id is the same id.
    let records = [record(&a, "1"), record(&b, "2"), record(&a[..15], "3")];
    let reply = org
        .call(Method::PATCH, "composite/sobjects", json!({ "records": records }))
        .await;
    let code = |at: usize| reply.body[at]["errors"][0]["statusCode"].clone();
    assert_eq!(
        (code(0), code(1), code(2)),
        (json!("DUPLICATE_VALUE"), Value::Null, json!("DUPLICATE_VALUE"))
    );
    let names = org.names("SELECT Name FROM Account ORDER BY Name").await;
    assert_eq!(names, ["2", "A"]);
    let record = |key: &str, name: &str| json!({ "attributes": { "type": "Account" }, "Customerp_Id__c": key, "Name": name });
    let records = [
        record("Customer:1", "C"),
        record("Customer:2", "D"),
        record("Customer:1", "E"),
    ];
    let path = "composite/sobjects/Account/Customerp_Id__c";
    let reply = org.call(Method::PATCH, path, json!({ "records": records })).await;
    let told: Vec<&Value> = (0..3).map(|at| &reply.body[at]["success"]).collect();
    assert_eq!(told, [&json!(false), &json!(true), &json!(false)]);
    assert_eq!(
        reply.body[0]["errors"][0]["message"],
        "Duplicate external id specified: Customer:1"
    );
    let names = org.names("SELECT Name FROM Account ORDER BY Name").await;
    assert_eq!(names, ["2", "A", "D"]);
}
