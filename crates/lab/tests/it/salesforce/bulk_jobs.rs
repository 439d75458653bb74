//! What may be done with ingest jobs, and when.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::Org;
use super::bulk_loads::{finish, open, put, run, set_state};

#[tokio::test]
async fn wrong_changes_of_state_are_refused() {
    let org = Org::new().await;
    let refused = |reply: super::Reply, message: &str| {
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{reply:?}");
        assert_eq!(
            (reply.code(), reply.body[0]["message"].as_str().unwrap()),
            ("INVALIDJOBSTATE", message)
        );
    };
    let job = json!({ "object": "Account", "operation": "insert" });
    let (done, _) = run(&org, job.clone(), "Name\nA\n").await;
    refused(
        set_state(&org, &done, "Aborted").await,
        "Aborting already Completed Job not allowed",
    );
    refused(
        set_state(&org, &done, "UploadComplete").await,
        "Closing already Completed Job not allowed",
    );
    let id = open(&org, job).await;
    let path = format!("jobs/ingest/{id}");
    refused(
        org.call(Method::DELETE, &path, Value::Null).await,
        "Deleting a job in state Open not allowed",
    );
    refused(
        org.get(&format!("{path}/successfulResults")).await,
        "Results are not available for a job in state Open",
    );
    assert_eq!(set_state(&org, &id, "Open").await.code(), "INVALIDJOB");
    assert_eq!(put(&org, &id, "Name\nA\n").await, StatusCode::CREATED);
    assert_eq!(put(&org, &id, "Name\nA\n").await, StatusCode::BAD_REQUEST);
    set_state(&org, &id, "Aborted").await;
    refused(
        set_state(&org, &id, "Aborted").await,
        "Aborting already Aborted Job not allowed",
    );
    assert_eq!(
        org.call(Method::DELETE, &path, Value::Null).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(org.get(&path).await.code(), "NOT_FOUND");
    let other = org.get(&format!("/services/data/v58.0/jobs/ingest/{done}")).await;
    assert_eq!(
        (other.status, other.code()),
        (StatusCode::CONFLICT, "INVALIDVERSION")
    );
}

#[tokio::test]
async fn jobs_that_cannot_be_are_refused_at_once() {
    let org = Org::new().await;
    for (job, code) in [
        (
            json!({ "object": "Nonsense", "operation": "insert" }),
            "INVALIDENTITY",
        ),
        (
            json!({ "object": "Division", "operation": "delete" }),
            "INVALIDENTITY",
        ),
        (
            json!({ "object": "Account", "operation": "explode" }),
            "INVALIDJOB",
        ),
        (
            json!({ "object": "Account", "operation": "upsert" }),
            "INVALIDJOB",
        ),
        (
            json!({ "object": "Account", "operation": "upsert", "externalIdFieldName": "Phone" }),
            "INVALIDJOB",
        ),
        (
            json!({ "object": "Account", "operation": "insert", "columnDelimiter": "DOT" }),
            "INVALIDJOB",
        ),
        (
            json!({ "object": "Account", "operation": "insert", "contentType": "XML" }),
            "INVALIDJOB",
        ),
        (
            json!({ "object": "Account", "operation": "insert", "colour": "red" }),
            "JSON_PARSER_ERROR",
        ),
    ] {
        let reply = org.call(Method::POST, "jobs/ingest", job.clone()).await;
        assert_eq!(
            (reply.status, reply.code()),
            (StatusCode::BAD_REQUEST, code),
            "{job}"
        );
    }
    let id = open(&org, json!({ "object": "Account", "operation": "insert" })).await;
    let path = format!("jobs/ingest/{id}/batches");
    let (status, _, _) = org.send_text(Method::PUT, &path, "application/json", "{}").await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn a_job_and_its_data_may_come_in_one_request() {
    let org = Org::new().await;
    let body = "--BOUNDARY\r\nContent-Type: application/json\r\nContent-Disposition: form-data; name=\"job\"\r\n\r\n\
        {\"object\": \"Account\", \"operation\": \"insert\"}\r\n\
        --BOUNDARY\r\nContent-Type: text/csv\r\nContent-Disposition: form-data; name=\"content\"; filename=\"content\"\r\n\r\n\
        Name\nA\nB\n\r\n--BOUNDARY--\r\n";
    let (status, _, text) = org
        .send_text(
            Method::POST,
            "jobs/ingest",
            "multipart/form-data; boundary=BOUNDARY",
            body,
        )
        .await;
    assert_eq!(status, StatusCode::OK, "{text}");
    let job: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(job["state"], "UploadComplete");
    let info = finish(&org, &format!("jobs/ingest/{}", job["id"].as_str().unwrap())).await;
    assert_eq!(info["numberRecordsProcessed"], 2);
    assert_eq!(
        org.names("SELECT Name FROM Account ORDER BY Name").await,
        ["A", "B"]
    );
    let (status, _, _) = org
        .send_text(
            Method::POST,
            "jobs/ingest",
            "multipart/form-data; boundary=X",
            "--X--",
        )
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn all_jobs_are_listed() {
    let org = Org::new().await;
    let ids = [
        open(&org, json!({ "object": "Account", "operation": "insert" })).await,
        open(&org, json!({ "object": "Contact", "operation": "insert" })).await,
    ];
    let list = org.get("jobs/ingest").await.body;
    assert_eq!(
        (&list["done"], &list["nextRecordsUrl"]),
        (&json!(true), &Value::Null)
    );
    let listed: Vec<&Value> = list["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| &job["id"])
        .collect();
    assert_eq!(listed, [&json!(ids[0]), &json!(ids[1])]);
    assert_eq!(list["records"][0]["jobType"], "V2Ingest");
    for none in [
        "jobs/ingest?jobType=Classic",
        "jobs/ingest?isPkChunkingEnabled=true",
        "jobs/query",
    ] {
        assert_eq!(org.get(none).await.body["records"], json!([]), "{none}");
    }
    assert_eq!(org.get("jobs/ingest?jobType=Odd").await.code(), "INVALIDJOB");
    assert_eq!(
        org.get("jobs/ingest?queryLocator=x").await.code(),
        "INVALID_QUERY_LOCATOR"
    );
    let calls = org.get("/_local/calls").await.body;
    assert_eq!(calls["kinds"]["bulk_ingest"], 7);
}

#[tokio::test]
async fn another_may_abort_a_job_but_not_close_it() {
    let org = Org::new().await;
    let id = open(&org, json!({ "object": "Account", "operation": "insert" })).await;
    let path = format!("jobs/ingest/{id}");
    let close = org
        .call_as(
            "alice",
            Method::PATCH,
            &path,
            json!({ "state": "UploadComplete" }),
        )
        .await;
    assert_eq!(close.status, StatusCode::FORBIDDEN);
    let abort = org
        .call_as("alice", Method::PATCH, &path, json!({ "state": "Aborted" }))
        .await;
    assert_eq!(abort.body["state"], "Aborted");
}
