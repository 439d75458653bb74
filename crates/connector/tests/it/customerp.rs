//! What only Customerp has, and how the conformance suite reaches one.

use crate::scene::{Scene, Words, applied, one, plain_client};
use jiff::SignedDuration;
use std::collections::BTreeMap;
use tandem_connector::customerp::{Customerp, CustomerpConfig};
use tandem_connector::{Change, Connector, Outcome, RefusalKind, Write};
use tandem_merge::record::{RecordKey, RecordType};
use tandem_merge::value::Value;
use tandem_sandbox::customerp::{Options, serve};
use url::Url;

fn config(url: &Url, user: &str) -> CustomerpConfig {
    let bindings = [
        ("Contact", "contacts"),
        ("Quote", "quotes"),
        ("Order", "orders"),
        ("Nonsense", "Nonsense"),
    ];
    let fields = [
        "lastName",
        "email",
        "phone",
        "description",
        "birthdate",
        "salesforceId",
        "reportsToId",
    ];
    CustomerpConfig {
        name: "customerp".to_owned(),
        url: url.clone(),
        certificate_authority: None,
        token: format!("customerp-{user}-token").into(),
        request_deadline: SignedDuration::from_secs(5),
        overlap: SignedDuration::from_secs(30),
        bindings: bindings.map(|(name, to)| (name.to_owned(), to.to_owned())).into(),
        computed: BTreeMap::new(),
        fields: BTreeMap::from([("Contact".to_owned(), fields.map(str::to_owned).into())]),
    }
}

fn connect(url: &Url, user: &str) -> Box<dyn Connector> {
    Box::new(Customerp::connect(config(url, user)).unwrap())
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
        ours: connect(&url, "tandem"),
        person: connect(&url, "alice"),
        connect,
        http: plain_client(),
        aging: None,
        repeats: true,
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
    let config = config(&url, "tandem");
    assert!(!format!("{config:?}").contains("customerp-tandem-token"));
    let connector = Customerp::connect(config).unwrap();
    assert!(!format!("{connector:?}").contains("customerp-tandem-token"));
}

#[tokio::test]
async fn the_same_key_twice_is_one_create_with_one_answer() {
    let scene = scene().await;
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
async fn an_unbound_type_is_one_clear_sentence() {
    let scene = scene().await;
    let unbound = RecordType::new("customerp", "Invoice");
    let error = scene.ours.list(&unbound, None).await.unwrap_err();
    assert_eq!(error.kind, tandem_connector::ErrorKind::Missing);
    assert!(
        error.to_string().contains("Invoice is bound to no collection"),
        "{error}"
    );
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
    applied(
        &one(
            scene.ours.as_ref(),
            create("Quote", 1, &[("title", "Offer".into())]),
        )
        .await,
    );
    let types = ["Contact", "Order", "Quote"].map(|name| RecordType::new("customerp", name));
    let page = scene.ours.changes(&types, None).await.unwrap();
    let seen: Vec<_> = page
        .observations
        .iter()
        .map(|shown| shown.key.record_type.name.as_str())
        .collect();
    assert_eq!((seen, page.more), (vec!["Contact", "Quote"], false));
}
