//! Ingest jobs of the Bulk API 2.0.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::Org;
use tandem_lab::salesforce::Options;

/// The rows of a result by column.
pub(super) fn rows(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    reader
        .records()
        .map(|row| {
            let row = row.unwrap();
            header
                .iter()
                .zip(row.iter())
                .map(|(name, cell)| (name.to_owned(), cell.to_owned()))
                .collect()
        })
        .collect()
}

pub(super) async fn open(org: &Org, body: Value) -> String {
    let reply = org.call(Method::POST, "jobs/ingest", body).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    reply.body["id"].as_str().unwrap().to_owned()
}

pub(super) async fn put(org: &Org, id: &str, data: impl Into<reqwest::Body>) -> StatusCode {
    let (status, _, _) = org
        .send_text(
            Method::PUT,
            &format!("jobs/ingest/{id}/batches"),
            "text/csv",
            data,
        )
        .await;
    status
}

pub(super) async fn set_state(org: &Org, id: &str, state: &str) -> super::Reply {
    org.call(
        Method::PATCH,
        &format!("jobs/ingest/{id}"),
        json!({ "state": state }),
    )
    .await
}

/// Asks for the job until it is over.
pub(super) async fn finish(org: &Org, path: &str) -> Value {
    loop {
        let job = org.get(path).await.body;
        if ["JobComplete", "Failed", "Aborted"].contains(&job["state"].as_str().unwrap()) {
            return job;
        }
    }
}

/// Opens, loads, closes and awaits a job: its id and what is told of it then.
pub(super) async fn run(org: &Org, job: Value, data: &str) -> (String, Value) {
    let id = open(org, job).await;
    assert_eq!(put(org, &id, data.to_owned()).await, StatusCode::CREATED);
    let closed = set_state(org, &id, "UploadComplete").await;
    assert_eq!(closed.body["state"], "UploadComplete");
    let info = finish(org, &format!("jobs/ingest/{id}")).await;
    (id, info)
}

pub(super) async fn result(org: &Org, id: &str, file: &str) -> Vec<BTreeMap<String, String>> {
    let (status, headers, text) = org.text(&format!("jobs/ingest/{id}/{file}")).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    assert!(headers["content-type"].to_str().unwrap().starts_with("text/csv"));
    rows(&text)
}

fn seeded(seed: u64) -> Options {
    Options {
        seed: Some(seed),
        ..Options::default()
    }
}

#[tokio::test]
async fn a_job_of_25_000_rows_takes_the_good_and_refuses_the_bad() {
    let org = Org::start(seeded(7)).await;
    let mut data = "LastName,Customerp_Id__c,Email\n".to_owned();
    for n in 0..25_000 {
        let email = if n % 100 == 42 {
            "nonsense".to_owned()
        } else {
            format!("p{n}@example.com")
        };
        data.push_str(&format!("Person {n},C-{n},{email}\n"));
    }
    let id = open(
        &org,
        json!({ "object": "Contact", "operation": "insert", "contentType": "CSV" }),
    )
    .await;
    assert_eq!(put(&org, &id, data).await, StatusCode::CREATED);
    set_state(&org, &id, "UploadComplete").await;
    // Other requests go on meanwhile.
    let account = org.add("Account", json!({ "Name": "Meanwhile" })).await;
    let info = finish(&org, &format!("jobs/ingest/{id}")).await;
    assert_eq!(info["state"], "JobComplete");
    assert_eq!(
        (&info["numberRecordsProcessed"], &info["numberRecordsFailed"]),
        (&json!(25_000), &json!(250))
    );
    assert_eq!(info["jobType"], "V2Ingest");
    let good = result(&org, &id, "successfulResults").await;
    let bad = result(&org, &id, "failedResults/").await;
    assert_eq!((good.len(), bad.len()), (24_750, 250));
    assert!(good.iter().all(|row| row["sf__Created"] == "true"));
    let ids: BTreeSet<&String> = good.iter().map(|row| &row["sf__Id"]).collect();
    assert_eq!(ids.len(), 24_750);
    // The order is not the order of the data.
    assert_ne!(good[0]["LastName"], "Person 0");
    assert!(bad.iter().all(|row| {
        row["sf__Error"] == "INVALID_EMAIL_ADDRESS:Email: invalid email address: nonsense:Email --"
            && row["sf__Id"].is_empty()
            && row["Customerp_Id__c"].ends_with("42")
    }));
    assert!(result(&org, &id, "unprocessedrecords/").await.is_empty());
    let count = org.query_reply("SELECT COUNT() FROM Contact").await.body["totalSize"].clone();
    assert_eq!(count, 24_750);
    let found = org
        .query("SELECT Id FROM Contact WHERE Customerp_Id__c = 'C-24999'")
        .await;
    let row = good
        .iter()
        .find(|row| row["Customerp_Id__c"] == "C-24999")
        .unwrap();
    assert_eq!(found[0]["Id"], *row["sf__Id"]);
    assert_eq!(org.read("Account", &account).await["Name"], "Meanwhile");
    let limits = org.get("limits").await.body;
    assert_eq!(
        limits["DailyBulkApiBatches"],
        json!({ "Max": 15_000, "Remaining": 14_997 })
    );
}

#[tokio::test]
async fn rows_are_updated_upserted_and_deleted() {
    let org = Org::new().await;
    let account = org
        .add(
            "Account",
            json!({ "Name": "Acme", "Customerp_Id__c": "A-1", "Phone": "1", "Website": "w" }),
        )
        .await;
    let (id, info) = run(
        &org,
        json!({ "object": "Account", "operation": "upsert", "externalIdFieldName": "Customerp_Id__c" }),
        "Customerp_Id__c,Name,Phone,Website\nA-1,Acme 2,#N/A,\nA-2,New,,\n,Nameless,,\n",
    )
    .await;
    assert_eq!(info["externalIdFieldName"], "Customerp_Id__c");
    let good = result(&org, &id, "successfulResults").await;
    let created: BTreeMap<&str, &str> = good
        .iter()
        .map(|row| (row["Customerp_Id__c"].as_str(), row["sf__Created"].as_str()))
        .collect();
    assert_eq!(created, BTreeMap::from([("A-1", "false"), ("A-2", "true")]));
    let bad = result(&org, &id, "failedResults").await;
    assert_eq!(
        bad[0]["sf__Error"],
        "MISSING_ARGUMENT:Customerp_Id__c not specified:Customerp_Id__c --"
    );
    let read = org.read("Account", &account).await;
    assert_eq!(
        (&read["Name"], &read["Phone"], &read["Website"]),
        (&json!("Acme 2"), &Value::Null, &json!("w"))
    );
    let other = good.iter().find(|row| row["sf__Created"] == "true").unwrap()["sf__Id"].clone();
    let (id, _) = run(
        &org,
        json!({ "object": "Account", "operation": "update", "columnDelimiter": "SEMICOLON", "lineEnding": "CRLF" }),
        &format!("\u{feff}Id;Name;AnnualRevenue\r\n{account};\"Semi;colon\r\nand line\";12.5\r\n{other};;many\r\n;X;\r\n"),
    )
    .await;
    let read = org.read("Account", &account).await;
    assert_eq!(
        (&read["Name"], &read["AnnualRevenue"].to_string()),
        (&json!("Semi;colon\r\nand line"), &"12.5".to_owned())
    );
    let (_, _, text) = org.text(&format!("jobs/ingest/{id}/failedResults")).await;
    assert!(
        text.starts_with("\"sf__Id\";\"sf__Error\";\"Id\";\"Name\";\"AnnualRevenue\"\r\n"),
        "{text}"
    );
    assert!(
        text.contains("INVALID_TYPE_ON_FIELD_IN_RECORD:Annual Revenue: value not of required type: many:AnnualRevenue --"),
        "{text}"
    );
    assert!(
        text.contains("MISSING_ARGUMENT:Id not specified in an update call:--"),
        "{text}"
    );
    let (id, _) = run(
        &org,
        json!({ "object": "Account", "operation": "delete" }),
        &format!("Id\n{account}\n{account}\n"),
    )
    .await;
    assert_eq!(result(&org, &id, "successfulResults").await.len(), 1);
    let bad = result(&org, &id, "failedResults").await;
    assert_eq!(bad[0]["sf__Error"], "ENTITY_IS_DELETED:entity is deleted:--");
    assert_eq!(bad[0]["sf__Id"], account);
}

#[tokio::test]
async fn parents_are_named_by_their_external_ids() {
    let org = Org::new().await;
    let account = org
        .add("Account", json!({ "Name": "Acme", "Customerp_Id__c": "A-1" }))
        .await;
    let contact = json!({ "object": "Contact", "operation": "insert" });
    let (id, _) = run(
        &org,
        contact.clone(),
        "LastName,Account.Customerp_Id__c\nGood,A-1\nBad,A-9\nFree,\n",
    )
    .await;
    let found = org.query("SELECT Id FROM Contact WHERE AccountId != null").await;
    assert_eq!(found.len(), 1);
    let read = org.read("Contact", found[0]["Id"].as_str().unwrap()).await;
    assert_eq!(
        (&read["AccountId"], &read["LastName"]),
        (&json!(account), &json!("Good"))
    );
    let bad = result(&org, &id, "failedResults").await;
    assert!(
        bad[0]["sf__Error"].starts_with("INVALID_FIELD:Foreign key external ID"),
        "{bad:?}"
    );
    for (header, message) in [
        (
            "LastName,Nonsense",
            "InvalidBatch : Field name not found : Nonsense",
        ),
        (
            "LastName,Account.Name",
            "InvalidBatch : Field name not found : Account.Name",
        ),
        (
            "LastName,Account:Account.Customerp_Id__c",
            "InvalidBatch : type is not needed for non polymorphic foreign key : Account:Account.Customerp_Id__c",
        ),
    ] {
        let (id, info) = run(&org, contact.clone(), &format!("{header}\nX,Y\n")).await;
        assert_eq!(
            (&info["state"], &info["errorMessage"]),
            (&json!("Failed"), &json!(message))
        );
        let rest = result(&org, &id, "unprocessedrecords").await;
        assert_eq!(rest[0]["LastName"], "X");
        assert!(result(&org, &id, "successfulResults").await.is_empty());
    }
}

#[tokio::test]
async fn line_endings_have_to_be_those_of_the_job() {
    let org = Org::new().await;
    for (setting, data) in [("LF", "Name\r\nA\r\n"), ("CRLF", "Name\nA\n")] {
        let job = json!({ "object": "Account", "operation": "insert", "lineEnding": setting });
        let (_, info) = run(&org, job, data).await;
        assert_eq!(info["state"], "Failed");
        assert_eq!(
            info["errorMessage"],
            format!(
                "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is {setting}"
            )
        );
    }
    assert_eq!(org.query("SELECT Id FROM Account").await.len(), 0);
}

#[tokio::test]
async fn an_open_job_is_never_carried_out() {
    let org = Org::new().await;
    let id = open(&org, json!({ "object": "Account", "operation": "insert" })).await;
    assert_eq!(put(&org, &id, "Name\nA\n").await, StatusCode::CREATED);
    // Another job passes through meanwhile.
    run(
        &org,
        json!({ "object": "Account", "operation": "insert" }),
        "Name\nB\n",
    )
    .await;
    let info = org.get(&format!("jobs/ingest/{id}")).await.body;
    assert_eq!(
        (&info["state"], &info["numberRecordsProcessed"]),
        (&json!("Open"), &json!(0))
    );
    assert!(
        info["contentUrl"]
            .as_str()
            .unwrap()
            .ends_with(&format!("jobs/ingest/{id}/batches"))
    );
    assert_eq!(org.names("SELECT Name FROM Account").await, ["B"]);
    let aborted = set_state(&org, &id, "Aborted").await.body;
    assert_eq!(aborted["state"], "Aborted");
    assert_eq!(result(&org, &id, "unprocessedrecords").await[0]["Name"], "A");
}

#[tokio::test]
async fn an_aborted_job_accounts_for_every_row() {
    let org = Org::new().await;
    let mut data = "Name,Customerp_Id__c\n".to_owned();
    for n in 0..20_000 {
        data.push_str(&format!("Account {n},A-{n}\n"));
    }
    let id = open(&org, json!({ "object": "Account", "operation": "insert" })).await;
    put(&org, &id, data).await;
    set_state(&org, &id, "UploadComplete").await;
    let path = format!("jobs/ingest/{id}");
    while org.get(&path).await.body["numberRecordsProcessed"] == 0 {}
    assert_eq!(set_state(&org, &id, "Aborted").await.status, StatusCode::OK);
    let info = org.get(&path).await.body;
    let done = usize::try_from(info["numberRecordsProcessed"].as_u64().unwrap()).unwrap();
    assert_eq!(info["state"], "Aborted");
    assert!(done > 0 && done < 20_000, "{done}");
    let (good, rest) = (
        result(&org, &id, "successfulResults").await,
        result(&org, &id, "unprocessedrecords").await,
    );
    assert_eq!((good.len(), good.len() + rest.len()), (done, 20_000));
    let keys: BTreeSet<&String> = good
        .iter()
        .chain(&rest)
        .map(|row| &row["Customerp_Id__c"])
        .collect();
    assert_eq!(keys.len(), 20_000);
    let count = org.query_reply("SELECT COUNT() FROM Account").await.body["totalSize"].clone();
    assert_eq!(count, done);
}

#[tokio::test]
async fn a_record_comes_once_in_a_batch() {
    let org = Org::new().await;
    let a = org.add("Account", json!({ "Name": "A" })).await;
    let b = org.add("Account", json!({ "Name": "B" })).await;
    let update = json!({ "object": "Account", "operation": "update" });
    let data = format!("Id,Name\n{a},1\n{b},2\n{a},3\n");
    let (id, info) = run(&org, update, &data).await;
    assert_eq!(info["numberRecordsFailed"], 2);
    let failed = result(&org, &id, "failedResults").await;
    for row in &failed {
        let error = format!("DUPLICATE_VALUE:Duplicate id specified: {a}:Id --");
        assert_eq!((&row["sf__Id"], &row["sf__Error"]), (&a, &error));
    }
    let upsert =
        json!({ "object": "Account", "operation": "upsert", "externalIdFieldName": "Customerp_Id__c" });
    let data = "Customerp_Id__c,Name\nC-1,X\nC-2,Y\nC-1,Z\n";
    let (id, _) = run(&org, upsert, data).await;
    let failed = result(&org, &id, "failedResults").await;
    assert_eq!(failed.len(), 2);
    assert!(
        failed.iter().all(|row| row["sf__Error"]
            == "DUPLICATE_VALUE:Duplicate external id specified: C-1:Customerp_Id__c --")
    );
    let names = org.names("SELECT Name FROM Account ORDER BY Name").await;
    assert_eq!(names, ["2", "A", "Y"]);
}
