//! The SOAP calls, in the envelopes that real clients send; merging, undeleting and the recycle bin.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::Org;

/// An envelope as jsforce writes it.
fn envelope(session: &str, call: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope \
         xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soapenv:Header \
         xmlns=\"urn:partner.soap.sforce.com\"><SessionHeader><sessionId>{session}</sessionId></SessionHeader>\
         </soapenv:Header><soapenv:Body xmlns=\"urn:partner.soap.sforce.com\">{call}</soapenv:Body></soapenv:Envelope>"
    )
}

async fn post(org: &Org, path: &str, body: String) -> (StatusCode, String) {
    let request = org
        .http
        .post(format!("{}{path}", org.server.url()))
        .header("content-type", "text/xml")
        .header("soapaction", "\"\"")
        .body(body);
    let reply = request.send().await.unwrap();
    assert_eq!(reply.headers()["content-type"], "text/xml;charset=UTF-8");
    (reply.status(), reply.text().await.unwrap())
}

async fn soap(org: &Org, call: &str) -> (StatusCode, String) {
    let session = org.login("tandem").await;
    post(org, "/services/Soap/u/62.0", envelope(&session, call)).await
}

/// A call that is answered.
async fn done(org: &Org, call: &str) -> String {
    let (status, text) = soap(org, call).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    text
}

fn between<'t>(text: &'t str, name: &str) -> Vec<&'t str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let parts = text.split(open.as_str()).skip(1);
    parts
        .map(|part| part.split(close.as_str()).next().unwrap())
        .collect()
}

async fn query_all(org: &Org, soql: &str) -> Vec<Value> {
    let reply = org.get(&format!("queryAll?q={}", super::url_encode(soql))).await;
    reply.body["records"].as_array().unwrap().clone()
}

fn merge_call(object: &str, winner: &str, fields: &str, losers: &[&str]) -> String {
    let losers: String = losers
        .iter()
        .map(|id| format!("<recordToMergeIds>{id}</recordToMergeIds>"))
        .collect();
    format!(
        "<merge><mergeRequests><masterRecord><type>{object}</type><Id>{winner}</Id>{fields}</masterRecord>{losers}\
         </mergeRequests></merge>"
    )
}

#[tokio::test]
async fn merged_records_hand_over_what_hung_on_them() {
    let org = Org::new().await;
    let account = org.add("Account", json!({ "Name": "Acme" })).await;
    let contact = |name: &str| json!({ "LastName": name, "AccountId": account });
    let winner = org.add("Contact", contact("Winner")).await;
    let loser = org.add("Contact", contact("Loser")).await;
    let report = org
        .add("Contact", json!({ "LastName": "Report", "ReportsToId": loser }))
        .await;
    let task = org
        .add(
            "Task",
            json!({ "Subject": "Call", "WhoId": loser, "Status": "Not Started", "Priority": "Normal" }),
        )
        .await;
    org.advance(60).await;

    let text = done(
        &org,
        &merge_call("Contact", &winner, "<Title>Boss &amp; more</Title>", &[&loser]),
    )
    .await;
    assert_eq!(between(&text, "success"), ["true"]);
    assert_eq!(between(&text, "id"), [&winner]);
    assert_eq!(between(&text, "mergedRecordIds"), [&loser]);
    let mut related = between(&text, "updatedRelatedIds");
    related.sort_unstable();
    let mut expected = [report.as_str(), task.as_str()];
    expected.sort_unstable();
    assert_eq!(related, expected);

    assert_eq!(org.read("Contact", &winner).await["Title"], "Boss & more");
    assert_eq!(org.read("Contact", &report).await["ReportsToId"], winner);
    assert_eq!(org.read("Task", &task).await["WhoId"], winner);
    let gone = query_all(
        &org,
        "SELECT Id, IsDeleted, MasterRecordId FROM Contact WHERE IsDeleted = true",
    )
    .await;
    assert_eq!((gone.len(), &gone[0]["MasterRecordId"]), (1, &json!(winner)));
    let refused = org.get(&format!("sobjects/Contact/{loser}")).await;
    assert_eq!(refused.code(), "ENTITY_IS_DELETED");
    org.advance(60).await;
    let now: jiff::Timestamp = gone_at(&org).await;
    let text = |seconds: i64| {
        let at = now + jiff::SignedDuration::from_secs(seconds);
        at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    };
    let deleted = org
        .get(&format!(
            "sobjects/Contact/deleted?start={}&end={}",
            text(-600),
            text(600)
        ))
        .await;
    assert_eq!(deleted.body["deletedRecords"][0]["id"], loser);
}

async fn gone_at(org: &Org) -> jiff::Timestamp {
    let now = org.get("/_local/clock").await.body["now"]
        .as_str()
        .unwrap()
        .replace("+0000", "Z");
    now.parse().unwrap()
}

#[tokio::test]
async fn a_merge_frees_the_losers_unique_values_for_the_winner() {
    let org = Org::new().await;
    let winner = org.add("Account", json!({ "Name": "Winner" })).await;
    let loser = org
        .add("Account", json!({ "Name": "Loser", "Customerp_Id__c": "K-1" }))
        .await;
    let third = org.add("Account", json!({ "Name": "Third" })).await;
    let fields = "<Customerp_Id__c>K-1</Customerp_Id__c>";
    let text = done(&org, &merge_call("Account", &winner, fields, &[&loser, &third])).await;
    assert_eq!(between(&text, "success"), ["true"], "{text}");
    assert_eq!(org.read("Account", &winner).await["Customerp_Id__c"], "K-1");
    assert_eq!(org.names("SELECT Name FROM Account").await, ["Winner"]);
    // Now the value is the winner's: the loser cannot come back with it.
    let text = done(&org, &format!("<undelete><ids>{loser}</ids></undelete>")).await;
    assert_eq!(between(&text, "statusCode"), ["DUPLICATE_VALUE"]);
    let text = done(&org, &format!("<undelete><ids>{third}</ids></undelete>")).await;
    assert_eq!(between(&text, "success"), ["true"]);
    assert_eq!(org.read("Account", &third).await["MasterRecordId"], Value::Null);
}

#[tokio::test]
async fn a_merge_that_makes_no_sense_does_nothing() {
    let org = Org::new().await;
    let one = org.add("Account", json!({ "Name": "One" })).await;
    let two = org.add("Account", json!({ "Name": "Two" })).await;
    let contact = org.add("Contact", json!({ "LastName": "C" })).await;
    let product = org.add("Product2", json!({ "Name": "P" })).await;
    for (call, code) in [
        (merge_call("Account", &one, "", &[&one]), "INVALID_ID_FIELD"),
        (merge_call("Account", &one, "", &[&contact]), "INVALID_ID_FIELD"),
        (
            merge_call("Account", &one, "", &["0010000000AAAAA"]),
            "INVALID_CROSS_REFERENCE_KEY",
        ),
        (merge_call("Account", &one, "", &["nonsense"]), "MALFORMED_ID"),
        (merge_call("Account", &one, "", &[]), "MISSING_ARGUMENT"),
        (merge_call("Account", "", "", &[&two]), "MISSING_ARGUMENT"),
        (merge_call("Nothing", &one, "", &[&two]), "INVALID_TYPE"),
        (
            merge_call("Product2", &product, "", &[&two]),
            "INVALID_TYPE_FOR_OPERATION",
        ),
        (
            merge_call("Account", &one, "<Nothing>x</Nothing>", &[&two]),
            "INVALID_FIELD",
        ),
    ] {
        let text = done(&org, &call).await;
        assert_eq!(between(&text, "statusCode"), [code], "{text}");
        assert_eq!(between(&text, "success"), ["false"]);
    }
    assert_eq!(org.query("SELECT Id FROM Account").await.len(), 2);
}

#[tokio::test]
async fn undeleting_brings_back_what_went_together() {
    let org = Org::new().await;
    let account = org.add("Account", json!({ "Name": "Acme" })).await;
    let contact = org
        .add("Contact", json!({ "LastName": "With", "AccountId": account }))
        .await;
    let earlier = org
        .add("Contact", json!({ "LastName": "Before", "AccountId": account }))
        .await;
    let child = org
        .add("Account", json!({ "Name": "Child", "ParentId": account }))
        .await;
    org.delete("Contact", &earlier).await;
    org.delete("Account", &account).await;
    assert_eq!(org.read("Account", &child).await["ParentId"], Value::Null);
    // A contact does not come back without its account.
    let text = done(&org, &format!("<undelete><ids>{contact}</ids></undelete>")).await;
    assert_eq!(between(&text, "statusCode"), ["UNDELETE_FAILED"]);

    let text = done(
        &org,
        &format!("<undelete><ids>{account}</ids><ids>{child}</ids><ids>no</ids></undelete>"),
    )
    .await;
    assert_eq!(between(&text, "success"), ["true", "false", "false"]);
    assert_eq!(between(&text, "statusCode"), ["UNDELETE_FAILED", "MALFORMED_ID"]);
    assert_eq!(org.read("Contact", &contact).await["AccountId"], account);
    assert_eq!(org.read("Account", &child).await["ParentId"], account);
    assert_eq!(org.query("SELECT Id FROM Contact").await.len(), 1);
    let log = org.get(&format!("/_local/log?id={account}")).await;
    let last = log.body["entries"].as_array().unwrap().last().unwrap();
    assert_eq!(last["action"], "undelete");
}

#[tokio::test]
async fn an_emptied_recycle_bin_gives_nothing_back() {
    let org = Org::new().await;
    let id = org.add("Account", json!({ "Name": "Acme" })).await;
    let empty = format!("<emptyRecycleBin><ids>{id}</ids></emptyRecycleBin>");
    assert_eq!(between(&done(&org, &empty).await, "success"), ["false"]);
    org.delete("Account", &id).await;
    assert_eq!(between(&done(&org, &empty).await, "success"), ["true"]);
    assert!(query_all(&org, "SELECT Id FROM Account").await.is_empty());
    let text = done(&org, &format!("<undelete><ids>{id}</ids></undelete>")).await;
    assert_eq!(between(&text, "statusCode"), ["UNDELETE_FAILED"]);
}

#[tokio::test]
async fn records_are_written_through_soap_too() {
    let org = Org::new().await;
    let create = "<create xmlns=\"urn:partner.soap.sforce.com\" xmlns:ns1=\"sobject.partner.soap.sforce.com\">\
                  <ns1:sObjects><type>Contact</type><LastName>A &lt; B</LastName><DoNotCall>true</DoNotCall>\
                  </ns1:sObjects><ns1:sObjects><type>Contact</type></ns1:sObjects></create>";
    let text = done(&org, create).await;
    assert_eq!(between(&text, "success"), ["true", "false"]);
    assert_eq!(between(&text, "statusCode"), ["REQUIRED_FIELD_MISSING"]);
    assert_eq!(between(&text, "fields"), ["LastName"]);
    let id = between(&text, "id")[0].to_owned();
    let row = org.read("Contact", &id).await;
    assert_eq!(
        (&row["LastName"], &row["DoNotCall"]),
        (&json!("A < B"), &json!(true))
    );
    let update = format!(
        "<update><sObjects><type>Contact</type><fieldsToNull>DoNotCall</fieldsToNull><Id>{id}</Id>\
         <Title>T</Title></sObjects></update>"
    );
    assert_eq!(between(&done(&org, &update).await, "success"), ["true"]);
    assert_eq!(org.read("Contact", &id).await["Title"], "T");
    let upsert = |title: &str| {
        format!(
            "<upsert><externalIDFieldName>Customerp_Id__c</externalIDFieldName><sObjects><type>Contact</type>\
             <Customerp_Id__c>U-1</Customerp_Id__c><LastName>U</LastName><Title>{title}</Title></sObjects></upsert>"
        )
    };
    assert_eq!(between(&done(&org, &upsert("A")).await, "created"), ["true"]);
    assert_eq!(between(&done(&org, &upsert("B")).await, "created"), ["false"]);
    assert_eq!(
        org.query("SELECT Title FROM Contact WHERE LastName = 'U'").await[0]["Title"],
        "B"
    );
    let twice = format!(
        "<update><sObjects><type>Contact</type><Id>{id}</Id><Title>1</Title></sObjects><sObjects><type>Contact</type>\
         <Id>{}</Id><Title>2</Title></sObjects></update>",
        &id[..15]
    );
    let refused = done(&org, &twice).await;
    assert_eq!(between(&refused, "statusCode"), ["DUPLICATE_VALUE"; 2]);
    assert_eq!(org.read("Contact", &id).await["Title"], "T");
    let one = upsert("C");
    let (start, end) = (one.find("<sObjects>").unwrap(), one.find("</upsert>").unwrap());
    let twice = one.replace("</upsert>", &format!("{}</upsert>", &one[start..end]));
    let refused = done(&org, &twice).await;
    assert_eq!(between(&refused, "statusCode"), ["DUPLICATE_VALUE"; 2]);
    let delete = format!("<delete><ids>{id}</ids></delete>");
    assert_eq!(between(&done(&org, &delete).await, "success"), ["true"]);
    assert_eq!(
        between(&done(&org, &delete).await, "statusCode"),
        ["ENTITY_IS_DELETED"]
    );
}

#[tokio::test]
async fn one_asks_who_and_when_one_is_and_goes() {
    let org = Org::new().await;
    let before = org.get("/_local/calls").await.body["total"].as_u64().unwrap();
    let text = done(&org, "<getUserInfo></getUserInfo>").await;
    assert_eq!(between(&text, "userName"), ["integration@tandem.example"]);
    assert_eq!(between(&text, "organizationMultiCurrency"), ["true"]);
    assert_eq!(between(&text, "sessionSecondsValid"), ["7200"]);
    assert_eq!(between(&text, "current"), [(before + 1).to_string()]);
    let text = done(&org, "<getServerTimestamp></getServerTimestamp>").await;
    let stamp = between(&text, "timestamp")[0];
    assert!(stamp.parse::<jiff::Timestamp>().is_ok(), "{stamp}");

    let session = org.login("alice").await;
    let (status, _) = post(&org, "/services/Soap/c/62.0", envelope(&session, "<logout/>")).await;
    assert_eq!(status, StatusCode::OK);
    let (status, text) = post(
        &org,
        "/services/Soap/u/62.0",
        envelope(&session, "<getUserInfo/>"),
    )
    .await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(between(&text, "faultcode"), ["sf:INVALID_SESSION_ID"]);
    assert_eq!(between(&text, "sf:exceptionCode"), ["INVALID_SESSION_ID"]);
}

#[tokio::test]
async fn a_login_by_name_and_password_is_refused_as_new_orgs_refuse_it() {
    let org = Org::new().await;
    let call = "<login><username>integration@tandem.example</username><password>x</password></login>";
    let (status, text) = post(&org, "/services/Soap/u/62.0", envelope("", call)).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(between(&text, "sf:exceptionCode"), ["INVALID_OPERATION"]);
    assert!(text.contains("SOAP API login() is disabled by default in this org"));
    for (path, body, code) in [
        (
            "/services/Soap/u/99.0",
            envelope("", call),
            "UNSUPPORTED_API_VERSION",
        ),
        (
            "/services/Soap/u/62.0",
            "no xml".to_owned(),
            "INVALID_SOAP_HEADER",
        ),
    ] {
        assert_eq!(
            between(&post(&org, path, body).await.1, "sf:exceptionCode"),
            [code]
        );
    }
    let (_, text) = soap(&org, "<convertLead></convertLead>").await;
    assert_eq!(between(&text, "sf:exceptionCode"), ["FUNCTIONALITY_NOT_ENABLED"]);
}

#[tokio::test]
async fn the_browser_restores_and_merges() {
    let org = Org::new().await;
    let page = async |path: &str| {
        let reply = org
            .http
            .get(format!("{}{path}", org.server.url()))
            .send()
            .await
            .unwrap();
        reply.text().await.unwrap()
    };
    let submit = async |path: &str, form: &[(&str, &str)]| {
        let request = org.http.post(format!("{}{path}", org.server.url())).form(form);
        let reply = request.send().await.unwrap();
        (reply.status(), reply.text().await.unwrap())
    };
    let stays = org
        .add("Contact", json!({ "LastName": "Stays", "Title": "Old" }))
        .await;
    let goes = org
        .add(
            "Contact",
            json!({ "LastName": "Goes", "Title": "New", "Phone": "1" }),
        )
        .await;
    assert!(
        page(&format!("/browse/Contact/{stays}"))
            .await
            .contains("/merge\"")
    );
    assert!(
        page(&format!("/browse/Contact/{stays}/merge"))
            .await
            .contains(&goes)
    );
    let compared = page(&format!("/browse/Contact/{stays}/merge?other={goes}")).await;
    assert!(compared.contains("name=\"Title\"") && compared.contains("name=\"Phone\""));
    let form = [
        ("_other", goes.as_str()),
        ("Title", "other"),
        ("Phone", "this"),
        ("LastName", "this"),
    ];
    let (status, _) = submit(&format!("/browse/Contact/{stays}/merge"), &form).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let row = org.read("Contact", &stays).await;
    assert_eq!(
        (&row["Title"], &row["LastName"], &row["Phone"]),
        (&json!("New"), &json!("Stays"), &Value::Null)
    );

    assert!(page("/recycle-bin").await.contains("Goes"));
    assert_eq!(
        submit(&format!("/recycle-bin/{goes}"), &[]).await.0,
        StatusCode::SEE_OTHER
    );
    assert_eq!(org.read("Contact", &goes).await["LastName"], "Goes");
    let (status, text) = submit(&format!("/recycle-bin/{goes}"), &[]).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(text.contains("not in the recycle bin"));
}

#[tokio::test]
async fn describe_says_what_merges_and_comes_back() {
    let org = Org::new().await;
    for (object, mergeable, undeletable) in [
        ("Contact", true, true),
        ("Product2", false, true),
        ("User", false, false),
    ] {
        let told = org
            .call(Method::GET, &format!("sobjects/{object}/describe"), Value::Null)
            .await
            .body;
        assert_eq!(
            (&told["mergeable"], &told["undeletable"]),
            (&json!(mergeable), &json!(undeletable)),
            "{object}"
        );
    }
}
