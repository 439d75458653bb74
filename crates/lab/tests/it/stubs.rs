//! Stubs of well-known ERPs: what all of them have. How each behaves the connector's tests see, by its ready description.

#![allow(clippy::unwrap_used)]

use serde_json::{Value as Json, json};
use tandem_lab::stubs::{Options, Vendor, serve};

fn client() -> reqwest::Client {
    let none = Vec::<reqwest::Certificate>::new();
    // Whoever comes second finds it there.
    let _there = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only(none)
        .build()
        .unwrap()
}

#[test]
fn each_is_known_by_its_name_and_has_two_users() {
    for vendor in Vendor::ALL {
        assert_eq!(Vendor::of(vendor.name()), Some(vendor));
        let users = vendor.users();
        assert_eq!(
            users.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
            ["tandem", "alice"]
        );
        assert_ne!(users[0].1, users[1].1);
    }
    assert_eq!(Vendor::of("sap"), None);
}

/// A page of another site can make a browser send requests here; they are refused, whatever they ask for.
#[tokio::test]
async fn only_programs_of_this_machine_are_served() {
    let server = serve(Options::of(Vendor::Odoo)).await.unwrap();
    let asked = async |header: &str, value: &str| {
        let request = client()
            .get(format!("{}/_local/calls", server.url()))
            .header(header, value);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(asked("accept", "*/*").await, 200);
    assert_eq!(asked("host", "evil.example").await, 403);
    assert_eq!(asked("origin", "http://evil.example").await, 403);
    server.shutdown().await;
}

#[tokio::test]
async fn nobody_without_a_secret_is_answered() {
    for vendor in Vendor::ALL {
        let server = serve(Options {
            records: 1,
            ..Options::of(vendor)
        })
        .await
        .unwrap();
        let path = match vendor {
            Vendor::Odoo => "json/2/res.partner/search_read",
            Vendor::Erpnext => "api/resource/Customer",
            Vendor::Xero => "api.xro/2.0/Contacts",
            Vendor::Netsuite => "services/rest/record/v1/customer/1",
        };
        let address = format!("{}/{path}", server.url());
        let request = match vendor {
            Vendor::Odoo => client()
                .post(address)
                .header("x-odoo-database", "odoo-local")
                .body("{}"),
            _ => client().get(address),
        };
        let reply = request.send().await.unwrap();
        assert_eq!(reply.status().as_u16(), 401, "{}", vendor.name());
        assert!(reply.headers().contains_key("date"));
        let body = reply.text().await.unwrap();
        assert!(!body.contains("Company 1"), "{body}");
    }
}

#[tokio::test]
async fn tests_move_the_clock_edit_records_and_choose_answers() {
    let server = serve(Options::of(Vendor::Erpnext)).await.unwrap();
    let call = async |method: &str, path: &str, body: Json| -> (u16, Json) {
        let request = client().request(method.parse().unwrap(), format!("{}/{path}", server.url()));
        let reply = request.body(body.to_string()).send().await.unwrap();
        let status = reply.status().as_u16();
        (
            status,
            serde_json::from_str(&reply.text().await.unwrap()).unwrap(),
        )
    };
    let now = async || -> jiff::Timestamp {
        let said = call("GET", "_local/clock", Json::Null).await.1;
        said["now"].as_str().unwrap().parse().unwrap()
    };
    let before = now().await;
    call("POST", "_local/clock", json!({ "advanceSeconds": 3_600 })).await;
    assert!(now().await.duration_since(before).as_secs() >= 3_600);
    let made = call("POST", "_local/rows/Customer", json!({ "customer_name": "Acme" })).await;
    assert_eq!(made, (200, json!({ "id": "Acme" })));
    // What is wrong is refused, and nothing changes.
    let refused = call(
        "PATCH",
        "_local/rows/Customer/Acme",
        json!({ "customer_type": "Cat", "territory": "x" }),
    )
    .await;
    assert_eq!(
        refused,
        (422, json!({ "property": "customer_type", "what": "Unfit" }))
    );
    let rows = call("GET", "_local/rows/Customer", Json::Null).await.1;
    assert_eq!(rows[0]["values"]["territory"], Json::Null);
    call(
        "POST",
        "_local/instead",
        json!({ "status": 503, "body": { "x": 1 } }),
    )
    .await;
    assert_eq!(
        call("GET", "api/resource/Customer", Json::Null).await,
        (503, json!({ "x": 1 }))
    );
    assert_eq!(call("GET", "api/resource/Customer", Json::Null).await.0, 401);
    assert_eq!(
        call("GET", "_local/calls", Json::Null).await.1,
        json!({ "requests": 2 })
    );
}
