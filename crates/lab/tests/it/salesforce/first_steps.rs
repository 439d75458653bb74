//! Logging in, looking around, writing a first record.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tandem_lab::salesforce::{Options, RecordId, ServeError, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{BASE, Org};

/// Sends bytes as they are and answers with all that comes back until the server closes.
async fn raw(org: &Org, request: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(org.server.address())
        .await
        .unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    reply
}

#[tokio::test]
async fn a_login_answers_as_documented() {
    let org = Org::new().await;
    // Some clients send the form in chunks, without a length.
    let reply = raw(
        &org,
        "POST /services/oauth2/token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n\
         29\r\ngrant_type=client_credentials&client_id=t\r\n\
         22\r\nandem&client_secret=tandem-secret&\r\n0\r\n\r\n",
    )
    .await;
    let body = reply
        .split("\r\n\r\n")
        .nth(1)
        .unwrap_or_else(|| panic!("{reply}"));
    let reply: Value = serde_json::from_str(body).unwrap();
    assert_eq!(reply["token_type"], "Bearer");
    assert_eq!(reply["instance_url"], org.server.url());
    for field in ["access_token", "id", "issued_at", "signature", "scope"] {
        assert!(reply[field].is_string(), "{field}");
    }
    let token = reply["access_token"].as_str().unwrap();
    let me = org
        .send(token, Method::GET, "/services/oauth2/userinfo", &[], Value::Null)
        .await;
    assert_eq!(me.body["preferred_username"], "integration@tandem.example");
}

#[tokio::test]
async fn what_does_not_arrive_in_time_is_not_carried_out() {
    let org = Org::new().await;
    let token = org.login("tandem").await;
    let head = format!(
        "POST {BASE}/sobjects/Account HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{\"Name\":"
    );
    let reply = raw(&org, &head).await;
    assert!(
        reply.starts_with("HTTP/1.1 503") && reply.contains("SERVER_UNAVAILABLE"),
        "{reply}"
    );
    assert!(org.query("SELECT Id FROM Account").await.is_empty());
}

#[tokio::test]
async fn only_loopback_addresses_are_served() {
    let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let refused = serve(Options::default(), listener).await.unwrap_err();
    assert!(matches!(refused, ServeError::NotLoopback(_)), "{refused}");
}

#[tokio::test]
async fn a_stopped_server_is_gone() {
    let org = Org::new().await;
    let address = org.server.address();
    org.server.shutdown().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_seed_makes_ids_repeatable_and_other_orgs_differ() {
    let id = async |seed: Option<u64>| {
        let org = Org::start(Options {
            seed,
            ..Options::default()
        })
        .await;
        org.query("SELECT Id FROM Organization").await[0]["Id"].clone()
    };
    assert_eq!(id(Some(1)).await, id(Some(1)).await);
    assert_ne!(id(Some(1)).await, id(Some(2)).await);
}

#[test]
fn an_options_file_starts_from_a_preset() {
    let text = r#"{ "preset": "billing", "licenses": 3, "invoices": [{ "number": "10248" }] }"#;
    let options = Options::from_json(text).unwrap();
    assert!(options.billing && options.divisions);
    assert_eq!(
        (options.licenses, options.invoices.len(), options.users.len()),
        (3, 1, 3)
    );
    for (text, words) in [
        (r#"{ "preset": "huge" }"#, "no-divisions"),
        (r#"{ "quote": true }"#, "quote"),
        (r#"{ "users": [] }"#, "at least one user"),
        (r#"{ "time_zone": "Mars/Olympus" }"#, "Mars/Olympus"),
        (r#"{ "invoices": [{ "number": "1" }] }"#, "billing"),
        (
            r#"{ "users": [{ "username": "a@b.example", "last_name": "A", "profile": "Boss" }] }"#,
            "System Administrator",
        ),
        ("nonsense", "options of the local org"),
    ] {
        let refused = Options::from_json(text).unwrap_err().to_string();
        assert!(refused.contains(words), "{text}: {refused}");
    }
}

#[tokio::test]
async fn a_wrong_login_is_an_oauth_error() {
    let org = Org::new().await;
    let url = format!("{}/services/oauth2/token", org.server.url());
    for (form, error) in [
        (
            "grant_type=client_credentials&client_id=tandem&client_secret=no",
            "invalid_client",
        ),
        (
            "grant_type=client_credentials&client_id=no&client_secret=no",
            "invalid_client_id",
        ),
        ("grant_type=other", "unsupported_grant_type"),
        ("", "invalid_request"),
    ] {
        let request = org
            .http
            .post(&url)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        let reply = request.send().await.unwrap();
        assert_eq!(reply.status(), StatusCode::BAD_REQUEST);
        let body: Value = reply.json().await.unwrap();
        assert_eq!(body["error"], error);
        assert!(body["error_description"].is_string());
    }
}

#[tokio::test]
async fn a_token_expires() {
    let org = Org::new().await;
    assert_eq!(org.get("limits").await.status, StatusCode::OK);
    org.advance(7_201).await;
    let reply = org.get("limits").await;
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    assert_eq!(reply.code(), "INVALID_SESSION_ID");
}

#[tokio::test]
async fn versions_and_resources_are_listed() {
    let org = Org::new().await;
    let versions = org.get("/services/data").await.body;
    assert_eq!(versions.as_array().unwrap().last().unwrap()["version"], "68.0");
    assert_eq!(org.get("").await.body["query"], format!("{BASE}/query"));
    assert_eq!(
        org.get("/services/data/v99.0/limits").await.status,
        StatusCode::NOT_FOUND
    );
    let left_out = org.get("analytics/reports").await;
    assert_eq!(
        (left_out.status, left_out.code()),
        (StatusCode::NOT_IMPLEMENTED, "FUNCTIONALITY_NOT_ENABLED")
    );
}

#[tokio::test]
async fn objects_depend_on_the_options() {
    for (preset, there, absent) in [
        (
            "default",
            vec!["Division", "Invoice__c", "Quote"],
            vec!["Division__c", "Invoice"],
        ),
        (
            "no-divisions",
            vec!["Division__c", "Invoice__c"],
            vec!["Division", "Invoice"],
        ),
        (
            "billing",
            vec!["Division", "Invoice", "InvoiceLine"],
            vec!["Invoice__c"],
        ),
    ] {
        let org = Org::preset(preset).await;
        let listed = org.get("sobjects").await.body;
        let has = |name: &str| {
            listed["sobjects"]
                .as_array()
                .unwrap()
                .iter()
                .any(|object| object["name"] == name)
        };
        assert!(there.iter().all(|name| has(name)), "{preset}");
        assert!(!absent.iter().any(|name| has(name)), "{preset}");
        assert_eq!(
            org.get(&format!("sobjects/{}/describe", absent[0])).await.status,
            StatusCode::NOT_FOUND
        );
    }
}

#[tokio::test]
async fn describe_has_the_shape_of_the_api() {
    let org = Org::new().await;
    let described = org.get("sobjects/Contact/describe").await.body;
    assert_eq!(
        (&described["keyPrefix"], &described["createable"]),
        (&json!("003"), &json!(true))
    );
    let fields = described["fields"].as_array().unwrap();
    let field = |name: &str| fields.iter().find(|field| field["name"] == name).unwrap().clone();
    let last = field("LastName");
    assert_eq!(
        (
            &last["type"],
            &last["length"],
            &last["nillable"],
            &last["createable"],
            &last["defaultedOnCreate"]
        ),
        (
            &json!("string"),
            &json!(80),
            &json!(false),
            &json!(true),
            &json!(false)
        )
    );
    let key = field("Customerp_Id__c");
    for flag in ["externalId", "unique", "caseSensitive", "idLookup", "custom"] {
        assert_eq!(key[flag], true, "{flag}");
    }
    let owner = field("AccountId");
    assert_eq!(
        (&owner["referenceTo"], &owner["relationshipName"]),
        (&json!(["Account"]), &json!("Account"))
    );
    assert_eq!(field("CurrencyIsoCode")["restrictedPicklist"], true);
    assert_eq!(field("Description")["filterable"], false);
}

#[tokio::test]
async fn a_record_is_created_read_changed_and_deleted() {
    let org = Org::new().await;
    let reply = org
        .create(
            "Account",
            json!({ "Name": "  Acme \n", "Description": "", "AnnualRevenue": 1000 }),
        )
        .await;
    assert_eq!(reply.status, StatusCode::CREATED);
    let id = reply.id();
    assert_eq!(id.len(), 18);
    assert_eq!(RecordId::parse(&id).unwrap().prefix(), "001");
    let record = org.read("Account", &id[..15]).await;
    assert_eq!(record["Id"], id);
    assert_eq!(
        (&record["Name"], &record["Description"]),
        (&json!("Acme"), &Value::Null)
    );
    assert_eq!(record["AnnualRevenue"].to_string(), "1000.0");
    assert_eq!(record["attributes"]["type"], "Account");
    assert_eq!(record["CreatedById"], record["LastModifiedById"]);
    assert_eq!(
        record["CreatedDate"].as_str().unwrap().len(),
        "2024-01-01T00:00:00.000+0000".len()
    );
    org.advance(10).await;
    assert_eq!(
        org.update("Account", &id, json!({ "Name": "Acme AG" }))
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    let changed = org.read("Account", &id).await;
    assert_eq!(changed["Name"], "Acme AG");
    assert_ne!(changed["SystemModstamp"], record["SystemModstamp"]);
    assert_eq!(org.delete("Account", &id).await.status, StatusCode::NO_CONTENT);
    let gone = org.get(&format!("sobjects/Account/{id}")).await;
    assert_eq!(
        (gone.status, gone.code()),
        (StatusCode::NOT_FOUND, "ENTITY_IS_DELETED")
    );
}

#[tokio::test]
async fn a_precondition_guards_single_rows() {
    let org = Org::new().await;
    let id = org.add("Account", json!({ "Name": "Acme" })).await;
    let path = format!("sobjects/Account/{id}");
    let seen = org.get(&path).await.headers["last-modified"]
        .to_str()
        .unwrap()
        .to_owned();
    let guard = [("If-Unmodified-Since", seen.as_str())];
    let change = json!({ "Name": "Beta" });
    assert_eq!(
        org.call_with(Method::PATCH, &path, &guard, change.clone())
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    org.advance(5).await;
    org.update("Account", &id, json!({ "Name": "Gamma" })).await;
    let refused = org.call_with(Method::PATCH, &path, &guard, change).await;
    assert_eq!(refused.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(
        org.call_with(Method::DELETE, &path, &guard, Value::Null)
            .await
            .status,
        StatusCode::PRECONDITION_FAILED
    );
    assert_eq!(org.read("Account", &id).await["Name"], "Gamma");
    let now = org.get(&path).await.headers["last-modified"]
        .to_str()
        .unwrap()
        .to_owned();
    let unchanged = org
        .call_with(Method::GET, &path, &[("If-Modified-Since", &now)], Value::Null)
        .await;
    assert_eq!(unchanged.status, StatusCode::NOT_MODIFIED);
    let unread = org
        .call_with(
            Method::PATCH,
            &path,
            &[("If-Unmodified-Since", "soon")],
            json!({}),
        )
        .await;
    assert_eq!(unread.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn every_call_is_counted_once() {
    let org = Org::new().await;
    org.call(Method::DELETE, "/_local/calls", Value::Null).await;
    org.add("Account", json!({ "Name": "Acme" })).await;
    org.query("SELECT Id FROM Account").await;
    let reply = org.get("limits").await;
    assert_eq!(reply.headers["sforce-limit-info"], "api-usage=3/1000000");
    assert_eq!(reply.body["DailyApiRequests"]["Remaining"], 999_997);
    let report = org.get("/_local/calls").await.body;
    assert_eq!(report["total"], 3);
    assert_eq!(report["kinds"], json!({ "create": 1, "limits": 1, "query": 1 }));
    org.call(Method::POST, "/_local/calls", json!({ "allowed": 3 }))
        .await;
    let refused = org.get("limits").await;
    assert_eq!(
        (refused.status, refused.code()),
        (StatusCode::FORBIDDEN, "REQUEST_LIMIT_EXCEEDED")
    );
}

#[tokio::test]
async fn a_long_address_and_a_foreign_name_are_refused() {
    let org = Org::new().await;
    let long = format!("limits?x={}", "y".repeat(16_384));
    assert_eq!(org.get(&long).await.status, StatusCode::URI_TOO_LONG);
    let foreign = org
        .call_with(Method::GET, "/", &[("Host", "evil.example")], Value::Null)
        .await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
    let wrong = org
        .call_with(
            Method::POST,
            "sobjects/Account",
            &[("Content-Type", "text/xml")],
            Value::Null,
        )
        .await;
    assert_eq!(wrong.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(
        org.call(Method::PUT, "sobjects/Account", Value::Null)
            .await
            .status,
        StatusCode::METHOD_NOT_ALLOWED
    );
}
