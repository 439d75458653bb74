//! An ERP by description: the local Customerp, which nobody bends for it, and what only such a connector has.

mod asking;
mod batches;
mod changes;
mod checklist;
mod conditions;
mod delta;
mod description;
mod edges;
mod expanded;
mod found;
mod grants;
pub(crate) mod lab;
mod later;
mod lying;
mod mistakes;
mod odata;
mod parts;
mod pushed;
pub(crate) mod ready;
mod remaining;
mod sessions;
mod several;
mod stage;
mod windows;
mod wire;
mod writes;

use crate::scene::{Line, Scene, Words, applied, one, plain_client};
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::sync::Arc;
use tandem_connector::rest::{Description, Rest, RestConfig};
use tandem_connector::{Change, Connector, Outcome, RefusalKind, Write};
use tandem_lab::customerp::{Options, serve};
use tandem_merge::record::{RecordKey, RecordType};
use tandem_merge::value::Value;
use url::Url;

/// The description of the local Customerp as it is shipped.
pub(crate) const CUSTOMERP: &str = include_str!("../../../../../examples/customerp-rest/customerp.yaml");

/// A description that must be right.
pub(crate) fn described(text: &str) -> Arc<Description> {
    match Description::read("erp.yaml", text) {
        Ok(description) => Arc::new(description),
        Err(problems) => {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            panic!("{}", lines.join("\n"))
        }
    }
}

/// The configuration of an ERP that is described so.
pub(crate) fn config(url: &Url, text: &str, secrets: &[(&str, &str)]) -> RestConfig {
    let secrets = secrets
        .iter()
        .map(|(name, secret)| ((*name).to_owned(), (*secret).into()));
    RestConfig {
        name: "erp".to_owned(),
        url: url.clone(),
        certificate_authority: None,
        description: described(text),
        secrets: secrets.collect(),
        keep: None,
        request_deadline: SignedDuration::from_secs(5),
        overlap: SignedDuration::from_secs(30),
        fields: BTreeMap::new(),
        computed: BTreeMap::new(),
    }
}

pub(crate) fn customerp(url: &Url, user: &str) -> RestConfig {
    let fields = [
        "lastName",
        "email",
        "phone",
        "description",
        "birthdate",
        "salesforceId",
        "reportsToId",
    ];
    let token = format!("customerp-{user}-token");
    RestConfig {
        name: "customerp".to_owned(),
        fields: BTreeMap::from([
            ("Contact".to_owned(), fields.map(str::to_owned).into()),
            ("Quote".to_owned(), Vec::new()),
            ("Order".to_owned(), Vec::new()),
            ("Nonsense".to_owned(), Vec::new()),
        ]),
        ..config(url, CUSTOMERP, &[("token", &token)])
    }
}

fn connect(url: &Url, user: &str) -> Box<dyn Connector> {
    Box::new(Rest::connect(customerp(url, user)).unwrap())
}

pub(crate) async fn scene() -> Scene {
    let server = serve(Options::default()).await.unwrap();
    let url: Url = server.url().parse().unwrap();
    Scene {
        words: Words {
            last_name: "lastName",
            email: "email",
            phone: "phone",
            description: "description",
            birthdate: "birthdate",
            external: "salesforceId",
            reports_to: "reportsToId",
            nobody: "999999",
            clock: "advanceSeconds",
            secret: "customerp-tandem-token",
        },
        aging: None,
        line: Line::Network,
        repeats: true,
        ours: connect(&url, "tandem"),
        person: connect(&url, "alice"),
        connect,
        http: plain_client(),
        url,
        _server: Box::new(server),
    }
}

fn create(name: &str, intent: u64, values: &[(&str, Value)]) -> Write {
    let values = values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    Write {
        intent,
        key: format!("key-{intent}"),
        change: Change::Create {
            record_type: RecordType::new("customerp", name),
            values: values.collect(),
        },
    }
}

#[tokio::test]
async fn the_token_is_redacted_in_debug() {
    let url = "http://127.0.0.1:1".parse().unwrap();
    let config = customerp(&url, "tandem");
    assert!(!format!("{config:?}").contains("customerp-tandem-token"));
    let connector = Rest::connect(config).unwrap();
    assert!(!format!("{connector:?}").contains("customerp-tandem-token"));
}

#[tokio::test]
async fn the_same_key_twice_is_one_create_with_one_answer() {
    let scene = scene().await;
    assert!(scene.ours.capabilities().usual.idempotent_create);
    let write = scene.create(5, scene.named("Twice"));
    let first = one(scene.ours.as_ref(), write.clone()).await;
    let second = one(scene.ours.as_ref(), write).await;
    assert_eq!(applied(&first), applied(&second));
    assert_eq!(scene.round(None).await.0.len(), 1);
}

#[tokio::test]
async fn the_answer_shows_what_the_erp_filled_in() {
    let scene = scene().await;
    let amount: rust_decimal::Decimal = "9007199254740993.10".parse().unwrap();
    let values = [("title", Value::from("Offer")), ("tax", Value::Decimal(amount))];
    let outcome = one(scene.ours.as_ref(), create("Quote", 1, &values)).await;
    let Outcome::Applied {
        state: Some(state), ..
    } = outcome
    else {
        panic!("{outcome:?}")
    };
    assert_eq!(state.values["quoteNumber"], Value::text("Q-100001"));
    assert_eq!(state.values["tax"], Value::Decimal(amount));
    assert_eq!(state.values["status"], Value::text("draft"));
    assert_eq!(state.author.as_deref(), Some("tandem"));
    let version = state.version.unwrap();
    assert_eq!((version.order, version.firm), (Some(1), true));
}

#[tokio::test]
async fn a_record_that_others_refer_to_is_locked_against_deletion() {
    let scene = scene().await;
    let chief = scene.made("Chief").await;
    let mut values = scene.named("Report");
    values.insert("reportsToId".to_owned(), chief.as_str().into());
    applied(&one(scene.ours.as_ref(), scene.create(1, values)).await);
    let outcome = one(scene.ours.as_ref(), scene.delete(&chief, None)).await;
    let Outcome::Refused(refusal) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(refusal.kind, RefusalKind::Locked);
}

#[tokio::test]
async fn a_type_that_is_not_described_is_one_clear_sentence() {
    let scene = scene().await;
    let unbound = RecordType::new("customerp", "Invoice");
    let error = scene.ours.list(&unbound, None).await.unwrap_err();
    assert_eq!(error.kind, tandem_connector::ErrorKind::Missing);
    assert!(error.to_string().contains("Invoice is not described"), "{error}");
    let write = Write {
        intent: 1,
        key: "k".to_owned(),
        change: Change::Delete {
            record: RecordKey::new("customerp", "Invoice", "1"),
            only_if: None,
        },
    };
    let outcome = one(scene.ours.as_ref(), write).await;
    assert!(matches!(outcome, Outcome::NotSent(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_round_walks_all_types() {
    let scene = scene().await;
    scene.made("Someone").await;
    let quote = create("Quote", 1, &[("title", "Offer".into())]);
    applied(&one(scene.ours.as_ref(), quote).await);
    let types = ["Contact", "Order", "Quote"].map(|name| RecordType::new("customerp", name));
    let page = scene.ours.changes(&types, None).await.unwrap();
    let seen: Vec<_> = page
        .observations
        .iter()
        .map(|shown| shown.key.record_type.name.as_str())
        .collect();
    assert_eq!((seen, page.more), (vec!["Contact", "Quote"], false));
}

/// The description says of every property what the ERP says of it.
#[tokio::test]
async fn the_shipped_description_says_what_the_erp_says_of_itself() {
    let server = serve(Options::default()).await.unwrap();
    let url: Url = server.url().parse().unwrap();
    let whole = config(&url, CUSTOMERP, &[("token", "customerp-tandem-token")]);
    let described = Rest::connect(whole).unwrap().describe().await.unwrap();
    let asked = plain_client().get(url.join("/api/v1").unwrap());
    let said = asked.bearer_auth("customerp-tandem-token").send().await.unwrap();
    let said: serde_json::Value = serde_json::from_slice(&said.bytes().await.unwrap()).unwrap();
    let offered = said["types"].as_object().unwrap();
    assert_eq!((described.types.len(), offered.len()), (9, 9));
    for (name, of) in offered {
        let known = &described.types[name];
        assert_eq!(of["collection"], known.object.as_str());
        let properties = of["properties"].as_array().unwrap();
        assert_eq!(properties.len(), known.properties.len(), "{name}");
        for said in properties {
            let property = said["name"].as_str().unwrap();
            let known = &known.properties[property];
            let flag = |name: &str| said[name].as_bool().unwrap_or(false);
            let count = |name: &str| said[name].as_u64();
            let filled =
                flag("assigned") || said.get("default").is_some_and(|it| !it.is_null()) || flag("readOnly");
            let values = said["values"].as_array().cloned().unwrap_or_default();
            let values: Vec<&str> = values.iter().filter_map(|it| it.as_str()).collect();
            let references: Vec<&str> = said["references"].as_str().into_iter().collect();
            assert_eq!(
                known.max_length.map(|it| it as u64),
                count("maxLength"),
                "{name} {property}"
            );
            assert_eq!(known.scale.map(u64::from), count("scale"), "{name} {property}");
            assert_eq!(
                [
                    known.nillable,
                    known.createable,
                    known.updateable,
                    known.filled_on_create,
                    known.unique
                ],
                [
                    !flag("required"),
                    !flag("readOnly"),
                    !flag("readOnly") && !flag("createOnly"),
                    filled,
                    flag("unique")
                ],
                "{name} {property}"
            );
            assert_eq!(known.values, values, "{name} {property}");
            assert_eq!(known.references, references, "{name} {property}");
        }
    }
}
