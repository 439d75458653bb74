//! Query jobs of the Bulk API 2.0.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::Org;
use super::bulk_loads::{finish, open, put, rows, set_state};

/// Fills the org with this many accounts by an ingest job.
async fn accounts(org: &Org, count: usize) {
    let id = open(org, json!({ "object": "Account", "operation": "insert" })).await;
    let lines: String = (0..count).map(|n| format!("Account {n},{n}.5\n")).collect();
    put(org, &id, format!("Name,AnnualRevenue\n{lines}")).await;
    set_state(org, &id, "UploadComplete").await;
    finish(org, &format!("jobs/ingest/{id}")).await;
}

async fn ask(org: &Org, body: Value) -> String {
    let reply = org.call(Method::POST, "jobs/query", body).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    assert_eq!(reply.body["state"], "UploadComplete");
    reply.body["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn ten_thousand_rows_are_read_by_locator() {
    let org = Org::new().await;
    accounts(&org, 10_000).await;
    let id = ask(
        &org,
        json!({ "operation": "query", "query": "SELECT Id, Name FROM Account" }),
    )
    .await;
    let info = finish(&org, &format!("jobs/query/{id}")).await;
    assert_eq!(
        (&info["state"], &info["numberRecordsProcessed"], &info["jobType"]),
        (&json!("JobComplete"), &json!(10_000), &json!("V2Query"))
    );
    let (mut names, mut locator) = (Vec::new(), String::new());
    let mut pages = 0;
    while locator != "null" {
        let path = format!("jobs/query/{id}/results?maxRecords=3000&locator={locator}");
        let (status, headers, text) = org.text(&path).await;
        assert_eq!(status, StatusCode::OK, "{text}");
        let page = rows(&text);
        assert_eq!(headers["sforce-numberofrecords"], page.len().to_string().as_str());
        names.extend(page.into_iter().map(|mut row| row.remove("Name").unwrap()));
        headers["sforce-locator"]
            .to_str()
            .unwrap()
            .clone_into(&mut locator);
        pages += 1;
    }
    names.sort();
    names.dedup();
    assert_eq!((names.len(), pages), (10_000, 4));
    for bad in ["locator=nonsense", "locator=OTk5OTk5", "maxRecords=0"] {
        let reply = org.get(&format!("jobs/query/{id}/results?{bad}")).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{bad}");
    }
    let limits = org.get("limits").await.body;
    assert_eq!(
        limits["DailyBulkV2QueryJobs"],
        json!({ "Max": 10_000, "Remaining": 9_999 })
    );
    assert_eq!(limits["DailyBulkV2QueryFileStorageMB"]["Remaining"], 976_561);
}

#[tokio::test]
async fn results_are_csv_as_documented() {
    let org = Org::start(tandem_lab::salesforce::Options::default()).await;
    let account = org.add("Account", json!({ "Name": "A \"quoted\", one" })).await;
    let contact =
        json!({ "LastName": "Lee", "AccountId": account, "Birthdate": "1990-02-03", "DoNotCall": true });
    org.add("Contact", contact).await;
    let query = "SELECT LastName, Account.Name, Birthdate, DoNotCall, Email, CreatedDate FROM Contact";
    let job =
        json!({ "operation": "query", "query": query, "columnDelimiter": "PIPE", "lineEnding": "CRLF" });
    let id = ask(&org, job).await;
    finish(&org, &format!("jobs/query/{id}")).await;
    let (_, headers, text) = org.text(&format!("jobs/query/{id}/results")).await;
    assert_eq!(headers["sforce-locator"], "null");
    let lines: Vec<&str> = text.split("\r\n").collect();
    assert_eq!(
        lines[0],
        "\"LastName\"|\"Account.Name\"|\"Birthdate\"|\"DoNotCall\"|\"Email\"|\"CreatedDate\""
    );
    let (row, created) = lines[1].rsplit_once('|').unwrap();
    assert_eq!(
        row,
        "\"Lee\"|\"A \"\"quoted\"\", one\"|\"1990-02-03\"|\"true\"|\"\""
    );
    assert!(created.ends_with(".000Z\""), "{created}");
}

#[tokio::test]
async fn deleted_rows_are_for_query_all() {
    let org = Org::new().await;
    let id = org.add("Account", json!({ "Name": "Gone" })).await;
    org.delete("Account", &id).await;
    for (operation, count) in [("query", 0), ("queryAll", 1)] {
        let job = ask(
            &org,
            json!({ "operation": operation, "query": "SELECT Id, IsDeleted FROM Account" }),
        )
        .await;
        let info = finish(&org, &format!("jobs/query/{job}")).await;
        assert_eq!(
            (&info["operation"], &info["numberRecordsProcessed"]),
            (&json!(operation), &json!(count))
        );
        let (_, _, text) = org.text(&format!("jobs/query/{job}/results")).await;
        assert!(text.starts_with("\"Id\",\"IsDeleted\"\n"), "{text}");
    }
}

#[tokio::test]
async fn what_query_jobs_do_not_take_is_refused() {
    let org = Org::new().await;
    for (query, code) in [
        ("SELECT COUNT() FROM Account", "API_ERROR"),
        ("SELECT Id FROM Account LIMIT 5 OFFSET 5", "API_ERROR"),
        ("SELECT BillingAddress FROM Account", "API_ERROR"),
        ("SELECT FIELDS(STANDARD) FROM Account", "API_ERROR"),
        ("SELECT Nonsense FROM Account", "INVALID_FIELD"),
        ("SELECT", "MALFORMED_QUERY"),
    ] {
        let reply = org
            .call(
                Method::POST,
                "jobs/query",
                json!({ "operation": "query", "query": query }),
            )
            .await;
        assert_eq!(
            (reply.status, reply.code()),
            (StatusCode::BAD_REQUEST, code),
            "{query}"
        );
    }
    let odd = json!({ "operation": "insert", "query": "SELECT Id FROM Account" });
    assert_eq!(
        org.call(Method::POST, "jobs/query", odd).await.code(),
        "INVALIDJOB"
    );
}

#[tokio::test]
async fn a_query_job_keeps_to_its_states_and_its_version() {
    let org = Org::new().await;
    accounts(&org, 5_000).await;
    let id = ask(
        &org,
        json!({ "operation": "query", "query": "SELECT Id FROM Account" }),
    )
    .await;
    let path = format!("jobs/query/{id}");
    let aborted = org
        .call(Method::PATCH, &path, json!({ "state": "Aborted" }))
        .await;
    assert_eq!(aborted.body["state"], "Aborted", "{aborted:?}");
    assert_eq!(
        org.get(&format!("{path}/results")).await.code(),
        "INVALIDJOBSTATE"
    );
    let again = org
        .call(Method::PATCH, &path, json!({ "state": "Aborted" }))
        .await;
    assert_eq!(again.code(), "INVALIDJOBSTATE");
    let listed = org.get("jobs/query?jobType=V2Query").await.body;
    assert_eq!(listed["records"][0]["id"], *id);
    let other = org.get(&format!("/services/data/v61.0/{path}/results")).await;
    assert_eq!(
        (other.status, other.code()),
        (StatusCode::CONFLICT, "INVALIDVERSION")
    );
    let deleted = org.call(Method::DELETE, &path, Value::Null).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    assert_eq!(org.get(&path).await.code(), "NOT_FOUND");
}
