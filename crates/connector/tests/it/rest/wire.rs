//! What is shown of requests and replies where people look, however one signs in.

use super::stage::{create, description, erp, ok};
use crate::scene::{applied, one};
use serde_json::json;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

const CREATED: &str = "
record: { id: id }
list: { request: GET /things, items: rows }
read: { request: \"GET /things/{id}\" }
create: { request: POST /things, headers: { X-Shop: \"{key}\" }, record: . }
";

/// Keeps what is said about requests.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<String>>);

impl Visit for Listener {
    fn record_debug(&mut self, _: &Field, value: &dyn Debug) {
        self.0.lock().unwrap().push_str(&format!("{value:?}\n"));
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "tandem_connector::wire"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn what_travels_is_shown_and_no_secret_is_however_one_signs_in() {
    let ways = [
        "session: { kind: bearer, token: \"{secret.key}\" }",
        "session: { kind: basic, user: \"{secret.user}\", password: \"{secret.key}\" }",
        "session: { kind: api-key, query: { k: \"{secret.key}\" } }",
        "session: { kind: api-key, headers: { X-Plain: \"{secret.key}\" } }",
        "session: { kind: oauth, token_url: /sign, client_id: \"{secret.user}\", client_secret: \"{secret.key}\" }",
        "session: { kind: login, request: PUT /sign, query: { k: \"{secret.key}\" }, token: access_token, carry: { X-Ours: \"{token}\" } }",
        "session: { kind: login, request: POST /sign, body: { u: \"{secret.user}\", p: \"{secret.key}\" } }\ncsrf: { request: GET /csrf, header: X-Forged }",
        "session: { kind: oauth1, consumer_key: \"{secret.user}\", consumer_secret: \"{secret.key}\", token_id: a, token_secret: \"{secret.key}\" }",
        "headers: { X-Tenant: \"{secret.key}\" }",
    ];
    const KEY: &str = "ca nary\"/+é-1f8b";
    // As they are, in addresses, forms and JSON, and those that the ERP gives out.
    let hidden = [
        "nary",
        "Y2EgbmFyeSIvK8OpLTFmOGI",
        "given-out-77",
        "cookie-55",
        "forged-33",
        "1f8b",
    ];
    for way in ways {
        let plain =
            way.contains("kind: api-key, headers") || way.starts_with("headers") || way.contains("bearer");
        // No header carries what is not ASCII.
        let key = if plain { "canary\"/+-1f8b" } else { KEY };
        let listener = Listener::default();
        let guard = tracing::subscriber::set_default(listener.clone());
        let (_office, rest) = erp(&description(way, CREATED, "name: string"), &[("key", key), ("user", "canary-user")], move |asked| {
            match asked.path.split('?').next().unwrap() {
                "/sign" => ("200 OK\r\nset-cookie: s=cookie-55".to_owned(), json!({ "access_token": "given-out-77", "expires_in": 3600 }).to_string()),
                "/csrf" => ("200 OK\r\nx-forged: forged-33".to_owned(), "{}".to_owned()),
                // It repeats what it was told.
                _ => ok(&json!({ "id": 7, "name": "Acme", "echo": [asked.path, asked.head, key], "api_key": "given-out-77" })),
            }
        })
        .await;
        applied(&one(&rest, create(&[("name", "Acme".into())])).await);
        drop(guard);
        let shown = listener.0.lock().unwrap().clone();
        for part in [
            "> POST http://",
            "/things",
            "> x-shop: ",
            "> {\"name\":\"Acme\"}",
            "< 200",
            "\"id\":7",
        ] {
            assert!(shown.contains(part), "{way}: no {part} in\n{shown}");
        }
        for part in hidden {
            assert!(!shown.contains(part), "{way}: {part} in\n{shown}");
        }
    }
}
