//! Batches in both forms.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Lab, Reply, send};

async fn batch(lab: &Lab, requests: Value) -> Reply {
    lab.post("$batch", json!({ "requests": requests })).await
}

fn statuses(reply: &Reply) -> Vec<u64> {
    let responses = reply.body["responses"]
        .as_array()
        .unwrap_or_else(|| panic!("{}", reply.text));
    responses
        .iter()
        .map(|response| response["status"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn requests_follow_each_other_and_refer_to_what_was_made() {
    let lab = Lab::five(100).await;
    let reply = batch(
        &lab,
        json!([
            { "id": "1", "method": "POST", "url": "Orders", "headers": { "content-type": "application/json" },
              "body": { "Number": 3, "CustomerNumber": "C1", "OrderDate": "2026-01-05" } },
            { "id": "2", "method": "POST", "url": "$1/Lines", "dependsOn": ["1"],
              "body": { "LineNumber": 1, "Quantity": 1, "UnitPrice": 2.5 } },
            { "id": "3", "method": "GET", "url": "/v4/Orders(3)?$expand=Lines" },
        ]),
    )
    .await;
    assert_eq!(statuses(&reply), [201, 201, 200], "{}", reply.text);
    assert_eq!(
        reply.body["responses"][2]["body"]["Lines"][0]["UnitPrice"].to_string(),
        "2.5000"
    );
}

#[tokio::test]
async fn a_group_is_carried_out_entirely_or_not_at_all() {
    let lab = Lab::five(100).await;
    let body = json!({ "requests": [
        { "id": "a", "atomicityGroup": "g", "method": "DELETE", "url": "Customers('C1')", "headers": { "If-Match": "*" } },
        { "id": "b", "atomicityGroup": "g", "method": "PATCH", "url": "Customers('C2')", "headers": { "If-Match": "W/\"no\"" },
          "body": { "Name": "x" } },
        { "id": "c", "dependsOn": ["g"], "method": "DELETE", "url": "Customers('C3')", "headers": { "If-Match": "*" } },
        { "id": "d", "method": "DELETE", "url": "Customers('C4')", "headers": { "If-Match": "*" } },
    ] });
    let request = lab
        .request(Method::POST, "$batch")
        .header("prefer", "odata.continue-on-error")
        .json(&body);
    let reply = send(request).await;
    assert_eq!(statuses(&reply), [424, 412, 424, 204], "{}", reply.text);
    assert_eq!(lab.get("Customers").await.all("Number"), ["C1", "C2", "C3", "C5"]);
    let stopped = lab.post("$batch", body).await;
    assert_eq!(
        statuses(&stopped),
        [424, 412],
        "without that wish it ends with the failure"
    );
}

#[tokio::test]
async fn a_batch_that_is_none_is_refused() {
    let lab = Lab::five(100).await;
    let many: Vec<Value> = (0..101)
        .map(|id| json!({ "id": id.to_string(), "method": "GET", "url": "Customers" }))
        .collect();
    for requests in [
        json!(many),
        json!([{ "id": "1", "method": "GET", "url": "x" }, { "id": "1", "method": "GET", "url": "x" }]),
        json!([{ "id": "1", "atomicityGroup": "g", "method": "GET", "url": "x" }, { "id": "2", "method": "GET", "url": "x" },
               { "id": "3", "atomicityGroup": "g", "method": "GET", "url": "x" }]),
        json!("x"),
    ] {
        assert_eq!(batch(&lab, requests).await.status, StatusCode::BAD_REQUEST);
    }
    let inside = batch(&lab, json!([{ "id": "1", "method": "POST", "url": "$batch" }])).await;
    assert_eq!(statuses(&inside), [400]);
}

fn multipart(lab: &Lab, text: &str) -> reqwest::RequestBuilder {
    let body = text.replace('\n', "\r\n");
    let request = lab
        .request(Method::POST, "$batch")
        .header("content-type", "multipart/mixed; boundary=b");
    request.body(body)
}

const CHANGES: &str = "--b
Content-Type: multipart/mixed; boundary=c

--c
Content-Type: application/http
Content-Transfer-Encoding: binary
Content-ID: 1

POST Products HTTP/1.1
Content-Type: application/json

{\"Number\":\"P1\",\"Name\":\"Rad\"}
--c
Content-Type: application/http
Content-Transfer-Encoding: binary

PATCH $1 HTTP/1.1
Content-Type: application/json
If-Match: TAG

{\"Category\":\"Räder\"}
--c--
--b
Content-Type: application/http

GET Products/$count HTTP/1.1


--b--
";

#[tokio::test]
async fn a_change_set_is_carried_out_entirely_or_not_at_all() {
    let lab = Lab::five(100).await;
    let failed =
        multipart(&lab, &CHANGES.replace("TAG", "\"no\"")).header("prefer", "continue-on-error=true");
    let failed = send(failed).await;
    assert_eq!(failed.text.matches("HTTP/1.1 412").count(), 1, "{}", failed.text);
    assert!(
        !failed.text.contains("HTTP/1.1 201") && failed.text.contains("\r\n\r\n0\r\n"),
        "{}",
        failed.text
    );
    let done = send(multipart(&lab, &CHANGES.replace("TAG", "*"))).await;
    assert!(
        done.header("content-type")
            .starts_with("multipart/mixed; boundary=")
    );
    for part in [
        "HTTP/1.1 201 Created",
        "HTTP/1.1 204 No Content",
        "\r\n\r\n1\r\n",
        "Content-ID: 1",
    ] {
        assert!(done.text.contains(part), "{part} in {}", done.text);
    }
    assert_eq!(lab.get("Products('P1')").await.body["Category"], "Räder");
    for text in [
        "--b\n",
        "--b\nnothing\n--b--\n",
        "--b\nContent-Type: application/http\n\n\n--b--\n",
    ] {
        assert_eq!(
            send(multipart(&lab, text)).await.status,
            StatusCode::BAD_REQUEST,
            "{text}"
        );
    }
}
