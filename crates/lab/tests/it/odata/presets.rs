//! v2 and the presets.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tandem_lab::odata::{Options, Preset};

use super::{Lab, send};

/// The number of an S/4HANA client's session: cookie and token.
async fn session(lab: &Lab, path: &str) -> (String, String) {
    let fetched = send(lab.request(Method::GET, path).header("x-csrf-token", "Fetch")).await;
    let cookie = fetched.header("set-cookie").split(';').next().unwrap().to_owned();
    (cookie, fetched.header("x-csrf-token").to_owned())
}

async fn sap() -> Lab {
    Lab::start(Options {
        preset: Preset::S4hana,
        records: 20,
        page_size: 8,
        ..Options::default()
    })
    .await
}

#[tokio::test]
async fn v2_wraps_and_writes_as_v2_does() {
    let lab = sap().await;
    let page = lab
        .get("A_BusinessPartner?$inlinecount=allpages&$select=BusinessPartner")
        .await;
    assert_eq!(
        (page.header("dataserviceversion"), &page.body["d"]["__count"]),
        ("2.0", &json!("20"))
    );
    let rows = page.body["d"]["results"].as_array().unwrap();
    assert_eq!(
        (rows.len(), &rows[0]["BusinessPartner"]),
        (8, &json!("0001000001"))
    );
    let next = page.body["d"]["__next"].as_str().unwrap();
    assert_eq!(
        lab.get(next).await.body["d"]["results"][0]["BusinessPartner"],
        "0001000009"
    );
    let one = lab.get("A_BusinessPartner('1000002')").await;
    let one = &one.body["d"];
    assert!(
        one["LastChangeDate"].as_str().unwrap().starts_with("/Date("),
        "{one}"
    );
    assert!(one["LastChangeTime"].as_str().unwrap().starts_with("PT"), "{one}");
    assert_eq!(
        one["__metadata"]["type"],
        "API_BUSINESS_PARTNER.A_BusinessPartnerType"
    );
    let deferred = one["to_BusinessPartnerAddress"]["__deferred"]["uri"]
        .as_str()
        .unwrap();
    assert_eq!(
        lab.get(deferred).await.body["d"]["results"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    for (filter, count) in [
        ("BusinessPartner eq '1000003'", 1),
        ("substringof('zzz',OrganizationBPName1)", 0),
        (
            "CreationDate ge datetime'2020-01-01T00:00:00' and CreationDate lt datetime'2999-01-01T00:00:00'",
            20,
        ),
        ("LastChangeTime ge time'PT00H00M00S'", 20),
    ] {
        let path = format!("A_BusinessPartner/$count?$filter={}", filter.replace(' ', "%20"));
        assert_eq!(lab.get(&path).await.text, count.to_string(), "{filter}");
    }
    for filter in ["contains(OrganizationBPName1,'a')", "CreationDate ge 2020-01-01"] {
        let path = format!("A_BusinessPartner?$filter={}", filter.replace(' ', "%20"));
        let refused = lab.get(&path).await;
        assert!(refused.status.as_u16() >= 400, "{filter}");
        assert!(refused.body["error"]["message"]["value"].is_string());
    }
}

#[tokio::test]
async fn a_change_in_v2_needs_token_cookie_and_entity_tag() {
    let lab = sap().await;
    let bare = lab
        .change("MERGE", "A_BusinessPartner('1000001')", "*", json!({}))
        .await;
    assert_eq!(
        (bare.status, bare.header("x-csrf-token")),
        (StatusCode::FORBIDDEN, "Required")
    );
    let (cookie, token) = session(&lab, "A_BusinessPartner").await;
    let change = |method: &str, path: &str, if_match: &str, body: Value| {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = lab
            .request(method, path)
            .header("cookie", &cookie)
            .header("x-csrf-token", &token);
        let request = request.json(&body);
        if if_match.is_empty() {
            request
        } else {
            request.header("if-match", if_match)
        }
    };
    let path = "A_BusinessPartner('1000001')";
    let blocked = json!({ "BusinessPartnerIsBlocked": true });
    assert_eq!(
        send(change("MERGE", path, "", blocked.clone())).await.status,
        StatusCode::PRECONDITION_REQUIRED
    );
    assert_eq!(
        send(change("MERGE", path, "*", blocked.clone())).await.status,
        StatusCode::NO_CONTENT
    );
    let tunnelled = change("POST", path, "*", blocked).header("x-http-method", "MERGE");
    assert_eq!(send(tunnelled).await.status, StatusCode::NO_CONTENT);
    assert_eq!(lab.get(path).await.body["d"]["BusinessPartnerIsBlocked"], true);
    assert_eq!(
        send(change("DELETE", path, "*", json!({}))).await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
    let body = json!({ "OrganizationBPName1": "Neu", "to_BusinessPartnerAddress": { "results": [{ "CityName": "Ulm" }] } });
    let made = send(change("POST", "A_BusinessPartner", "", body)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let key = made.body["d"]["BusinessPartner"].as_str().unwrap();
    let address = lab
        .get(&format!("A_BusinessPartner('{key}')/to_BusinessPartnerAddress"))
        .await;
    assert_eq!(address.body["d"]["results"][0]["CityName"], "Ulm");
    let alone = lab
        .request(Method::POST, "A_BusinessPartner")
        .header("x-csrf-token", &token)
        .json(&json!({}));
    assert_eq!(
        send(alone).await.status,
        StatusCode::FORBIDDEN,
        "the token is nothing without its cookie"
    );
    lab.local("expire", json!({ "what": "csrf" })).await;
    assert_eq!(
        send(change("MERGE", path, "*", json!({}))).await.status,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn orders_of_v2_have_decimals_as_texts() {
    let lab = sap().await;
    let orders = lab.server.services()[1].clone();
    let page = lab
        .get(&format!("{orders}/A_SalesOrder?$top=1&$expand=to_Item"))
        .await;
    let order = &page.body["d"]["results"][0];
    let total = order["TotalNetAmount"].as_str().unwrap();
    assert!(total.ends_with('0') && total.contains('.'), "{total}");
    assert!(!order["to_Item"]["results"].as_array().unwrap().is_empty());
    assert!(order["LastChangeDateTime"].as_str().unwrap().ends_with("+0000)/"));
    let filter = format!("{orders}/A_SalesOrder?$filter=TotalNetAmount%20eq%20{total}M");
    assert!(
        !lab.get(&filter).await.body["d"]["results"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        lab.get(&format!("{orders}/A_BusinessPartner")).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn business_central_has_the_company_in_its_path() {
    let lab = Lab::start(Options {
        preset: Preset::BusinessCentral,
        records: 10,
        ..Options::default()
    })
    .await;
    assert!(lab.root.ends_with("/v2.0/tandem-tenant/sandbox/api/v2.0"));
    let companies = lab.get("companies").await;
    let company = companies.body["value"][0]["id"].as_str().unwrap();
    let root = format!("companies({company})");
    assert_eq!(lab.get("customers").await.status, StatusCode::NOT_FOUND);
    let customers = lab.get(&format!("{root}/customers?$top=1")).await;
    let customer = &customers.body["value"][0];
    assert!(customer.get("companyId").is_none(), "told by the path alone");
    assert_eq!(customer["addressLine2"], "", "blank is no null");
    let id = customer["id"].as_str().unwrap();
    let path = format!("{root}/customers({id})");
    let bare = lab.change("PATCH", &path, "", json!({ "city": "Ulm" })).await;
    assert_eq!(bare.status, StatusCode::PRECONDITION_REQUIRED);
    let tag = customer["@odata.etag"].as_str().unwrap();
    let changed = lab.change("PATCH", &path, tag, json!({ "city": "Ulm" })).await;
    assert_eq!(
        (changed.status, &changed.body["city"]),
        (StatusCode::OK, &json!("Ulm")),
        "{}",
        changed.text
    );
    let made = lab
        .post(&format!("{root}/customers"), json!({ "displayName": "Neu" }))
        .await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    assert_eq!(lab.get(made.header("location")).await.body["displayName"], "Neu");
    let orders = lab
        .get(&format!(
            "{root}/salesOrders?$expand=salesOrderLines,customer&$top=1"
        ))
        .await;
    let order = &orders.body["value"][0];
    assert_eq!(order["customer"]["id"], order["customerId"]);
    assert_eq!(order["customer"]["number"], order["customerNumber"]);
    assert!(!order["salesOrderLines"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn northwind_fills_every_preset() {
    let dump =
        std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/northwind/northwind.sql");
    let dump = std::env::var_os("TANDEM_NORTHWIND").map_or(dump, std::path::PathBuf::from);
    if !dump.exists() {
        eprintln!(
            "passed over: no Northwind dump at {}; set TANDEM_NORTHWIND",
            dump.display()
        );
        return;
    }
    for (preset, path, count) in [
        (Preset::Company, "OrderLines/$count", "2155"),
        (Preset::S4hana, "A_BusinessPartner/$count", "91"),
    ] {
        let northwind = Some(dump.clone());
        let lab = Lab::start(Options {
            preset,
            northwind,
            ..Options::default()
        })
        .await;
        assert_eq!(lab.get(path).await.text, count);
    }
}
