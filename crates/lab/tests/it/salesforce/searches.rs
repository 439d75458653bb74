//! SOSL and parameterized searches.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Org, url_encode};

async fn names(org: &Org, path: &str) -> Vec<String> {
    let reply = org.get(path).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    let records = reply.body["searchRecords"].as_array().unwrap().clone();
    let mut names: Vec<String> = records
        .iter()
        .map(|record| record["Name"].as_str().unwrap_or("no name").to_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn searches_find_words() {
    let org = Org::new().await;
    for name in ["Acme Trading", "Acme Shipping", "Other"] {
        org.add("Account", json!({ "Name": name })).await;
    }
    org.add(
        "Contact",
        json!({ "LastName": "Acme", "Email": "lee@trading.example" }),
    )
    .await;
    let find = |sosl: &str| format!("search?q={}", url_encode(sosl));
    let sosl =
        "FIND {acme} IN NAME FIELDS RETURNING Account(Id, Name WHERE Name != 'Acme Shipping'), Contact(Name)";
    assert_eq!(names(&org, &find(sosl)).await, ["Acme", "Acme Trading"]);
    assert_eq!(
        names(
            &org,
            &find("FIND {trad*} RETURNING Account(Name), Contact(Name) LIMIT 1")
        )
        .await,
        ["Acme Trading"]
    );
    assert_eq!(names(&org, &find("FIND {acme}")).await, ["no name"; 3]);
    assert_eq!(org.get(&find("FIND {a}")).await.code(), "MALFORMED_SEARCH");
    assert_eq!(
        org.get(&find("FIND {acme} RETURNING Nonsense")).await.code(),
        "INVALID_TYPE"
    );
    let path = "parameterizedSearch?q=acme&sobject=Account&Account.fields=Id,Name&Account.limit=1";
    assert_eq!(names(&org, path).await.len(), 1);
    let body =
        json!({ "q": "lee", "in": "EMAIL", "fields": ["Id", "Name"], "sobjects": [{ "name": "Contact" }] });
    let posted = org.call(Method::POST, "parameterizedSearch", body).await;
    assert_eq!(posted.body["searchRecords"][0]["Name"], "Acme");
    let refused = org
        .call(Method::POST, "parameterizedSearch", json!({ "q": "" }))
        .await;
    assert_eq!(refused.code(), "MALFORMED_SEARCH");
    assert_ne!(posted.body["searchRecords"], Value::Null);
}
