//! The record browser.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::Org;

/// A page's status, where it leads, and its text.
async fn page(request: reqwest::RequestBuilder) -> (StatusCode, String, String) {
    let reply = request.send().await.unwrap();
    let to = reply
        .headers()
        .get("location")
        .map(|to| to.to_str().unwrap().to_owned())
        .unwrap_or_default();
    (reply.status(), to, reply.text().await.unwrap())
}

fn url(org: &Org, path: &str) -> String {
    format!("{}{path}", org.server.url())
}

#[tokio::test]
async fn pages_show_objects_records_and_links() {
    let org = Org::new().await;
    let account = org.add("Account", json!({ "Name": "Tom & <Sons>" })).await;
    let contact = org
        .add("Contact", json!({ "LastName": "Doe", "AccountId": account }))
        .await;
    let (status, _, home) = page(org.http.get(url(&org, "/"))).await;
    assert_eq!(status, StatusCode::OK);
    assert!(home.contains("href=\"/browse/Invoice__c\""));
    let (_, _, list) = page(org.http.get(url(&org, "/browse/Account?q=tom"))).await;
    assert!(list.contains("Tom &amp; &lt;Sons&gt;") && !list.contains("<Sons>"));
    let (_, _, none) = page(org.http.get(url(&org, "/browse/Account?q=nobody"))).await;
    assert!(!none.contains("Tom &amp;"));
    let (_, _, record) = page(org.http.get(url(&org, &format!("/browse/Contact/{contact}")))).await;
    assert!(record.contains(&format!("<a href=\"/browse/Account/{account}\">")));
    let (status, to, _) = page(org.http.get(url(&org, &format!("/{contact}")))).await;
    assert_eq!(
        (status, to),
        (StatusCode::SEE_OTHER, format!("/browse/Contact/{contact}"))
    );
    let (status, ..) = page(org.http.get(url(&org, "/browse/Nothing"))).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_form_changes_what_was_changed_and_counts_no_call() {
    let org = Org::new().await;
    let id = org
        .add(
            "Account",
            json!({ "Name": "Acme", "Description": "one\ntwo", "Phone": "1" }),
        )
        .await;
    let used = org.get("/_local/calls").await.body["total"].clone();
    let edit = url(&org, &format!("/browse/Account/{id}/edit"));
    let (_, _, form) = page(org.http.get(&edit)).await;
    let seen = form
        .split("name=\"_seen\" value=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned();
    let typed = [
        ("_seen", seen.as_str()),
        ("Name", "Acme AG"),
        ("Description", "one\r\ntwo"),
        ("Phone", ""),
    ];
    let (status, to, _) = page(org.http.post(&edit).form(&typed)).await;
    assert_eq!(
        (status, to),
        (StatusCode::SEE_OTHER, format!("/browse/Account/{id}"))
    );
    assert_eq!(org.get("/_local/calls").await.body["total"], used);
    let record = org.read("Account", &id).await;
    assert_eq!(
        (&record["Name"], &record["Description"], &record["Phone"]),
        (&json!("Acme AG"), &json!("one\ntwo"), &Value::Null)
    );
    let log = org.get(&format!("/_local/log?id={id}")).await.body;
    let change = &log["entries"][1];
    assert_eq!(
        (&change["origin"], change["fields"].as_array().unwrap().len()),
        (&json!("browser"), 2)
    );
    let by = org.query("SELECT LastModifiedBy.Name FROM Account").await;
    assert_eq!(by[0]["LastModifiedBy"]["Name"], "Alice Archer");
    // The form is as old as it was: a later change is not written over.
    org.advance(10).await;
    org.update("Account", &id, json!({ "Name": "Later" })).await;
    let (status, _, text) = page(org.http.post(&edit).form(&typed)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(text.contains("role=\"alert\"") && text.contains("Acme AG"));
    assert_eq!(org.read("Account", &id).await["Name"], "Later");
}

#[tokio::test]
async fn records_are_created_and_deleted_as_a_chosen_user() {
    let org = Org::new().await;
    let bob = org
        .query("SELECT Id FROM User WHERE Username = 'bob@tandem.example'")
        .await[0]["Id"]
        .as_str()
        .unwrap()
        .to_owned();
    let chosen = org
        .http
        .post(url(&org, "/as"))
        .form(&[("user", &bob)])
        .send()
        .await
        .unwrap();
    let cookie = chosen.headers()["set-cookie"]
        .to_str()
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let new = url(&org, "/browse/Account/new");
    let (status, _, text) = page(
        org.http
            .post(&new)
            .header("cookie", &cookie)
            .form(&[("Phone", "1")]),
    )
    .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(text.contains("Required fields are missing: [Name]"));
    let typed = [
        ("Name", "By Bob"),
        ("IsPartner", "true"),
        ("AnnualRevenue", "12.50"),
    ];
    let (status, to, _) = page(org.http.post(&new).header("cookie", &cookie).form(&typed)).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let found = org
        .query("SELECT Id, CreatedById, AnnualRevenue FROM Account")
        .await;
    assert_eq!(found[0]["CreatedById"], bob);
    assert_eq!(found[0]["AnnualRevenue"].to_string(), "12.5");
    let (status, ..) = page(
        org.http
            .post(url(&org, &format!("{to}/delete")))
            .header("cookie", &cookie),
    )
    .await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert!(org.query("SELECT Id FROM Account").await.is_empty());
}

#[tokio::test]
async fn a_refused_page_leaves_nothing_behind() {
    let org = Org::new().await;
    let book = org.query("SELECT Id FROM Pricebook2").await[0]["Id"]
        .as_str()
        .unwrap()
        .to_owned();
    let (status, _, text) = page(
        org.http
            .post(url(&org, &format!("/browse/Pricebook2/{book}/delete"))),
    )
    .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.contains("The standard price book cannot be deleted."));
    // Had the refused deletion stayed open, a user could not be created now.
    let refused = org.create("User", json!({ "LastName": "A" })).await;
    assert_eq!(refused.code(), "REQUIRED_FIELD_MISSING");
}

#[tokio::test]
async fn forms_of_other_sites_are_refused() {
    let org = Org::new().await;
    for (name, value) in [
        ("origin", "http://evil.example"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let request = org
            .http
            .post(url(&org, "/browse/Account/new"))
            .header(name, value)
            .form(&[("Name", "Evil")]);
        assert_eq!(page(request).await.0, StatusCode::FORBIDDEN);
    }
    assert!(org.query("SELECT Id FROM Account").await.is_empty());
}

#[tokio::test]
async fn an_owner_confirms_an_email_with_a_button() {
    let org = Org::new().await;
    let bob = org
        .query("SELECT Id FROM User WHERE Username = 'bob@tandem.example'")
        .await[0]["Id"]
        .as_str()
        .unwrap()
        .to_owned();
    org.update("User", &bob, json!({ "Email": "robert@tandem.example" }))
        .await;
    let record = format!("/browse/User/{bob}");
    let (_, _, text) = page(org.http.get(url(&org, &record))).await;
    assert!(text.contains("Confirm robert@tandem.example"));
    page(org.http.post(url(&org, &format!("{record}/confirm")))).await;
    assert_eq!(org.read("User", &bob).await["Email"], "robert@tandem.example");
}
