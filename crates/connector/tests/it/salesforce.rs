//! What only Salesforce has, and how the conformance suite reaches an org.

use crate::scene::{Scene, Words, applied, one};
use jiff::SignedDuration;
use std::collections::BTreeMap;
use tandem_connector::salesforce::{Salesforce, SalesforceConfig};
use tandem_connector::{Change, Connector, ErrorKind, Outcome, RefusalKind, Write};
use tandem_merge::record::{Observation, Presence, RecordKey, RecordType, Values, Version};
use tandem_merge::value::Value;
use tandem_sandbox::salesforce::{InvoiceSeed, Options, Server, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Url;

const NOBODY: &str = "003000000000001AAA";

fn config(url: &Url, user: &str) -> SalesforceConfig {
    let same = [
        "Contact", "User", "Order", "Task", "Product2", "Quote", "Division",
    ]
    .map(|name| (name, name));
    let others = [("Invoice", "Invoice__c"), ("Nonsense", "Nonsense__c")];
    let bindings = same.into_iter().chain(others);
    let fields: [(&str, &[&str]); 7] = [
        (
            "Contact",
            &[
                "LastName",
                "Email",
                "Phone",
                "Description",
                "Birthdate",
                "Customerp_Id__c",
                "ReportsToId",
                "Fax__c",
            ],
        ),
        (
            "User",
            &["Username", "LastName", "Email", "IsActive", "EmployeeNumber"],
        ),
        (
            "Quote",
            &["Name", "Tax", "QuoteNumber", "OpportunityId", "Status"],
        ),
        ("Division", &["Name", "IsActive", "SortOrder"]),
        ("Account", &["Name", "Customerp_Id__c"]),
        (
            "Opportunity",
            &["Name", "StageName", "CloseDate", "Customerp_Id__c"],
        ),
        ("Invoice", &["InvoiceNumber__c", "Description__c"]),
    ];
    let fields = fields.map(|(name, names)| {
        let names = names.iter().map(|name| (*name).to_owned());
        (name.to_owned(), names.collect())
    });
    SalesforceConfig {
        name: "salesforce".to_owned(),
        url: url.clone(),
        client_id: user.to_owned(),
        client_secret: format!("{user}-secret").into(),
        api_version: SalesforceConfig::API_VERSION.to_owned(),
        request_deadline: SignedDuration::from_secs(5),
        overlap: SignedDuration::from_secs(30),
        bindings: bindings
            .map(|(name, to)| (name.to_owned(), to.to_owned()))
            .collect(),
        fields: fields.into(),
        throughput: false,
    }
}

fn connect(url: &Url, user: &str) -> Box<dyn Connector> {
    Box::new(Salesforce::connect(config(url, user)).unwrap())
}

async fn start(options: Options) -> (Server, Url) {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let server = serve(options, listener).await.unwrap();
    let url = server.url().parse().unwrap();
    (server, url)
}

pub(crate) async fn scene() -> Scene {
    let (server, url) = start(Options::default()).await;
    Scene {
        words: Words {
            last_name: "LastName",
            email: "Email",
            phone: "Phone",
            description: "Description",
            birthdate: "Birthdate",
            external: "Customerp_Id__c",
            reports_to: "ReportsToId",
            nobody: NOBODY,
            clock: "advance",
            secret: "tandem-secret",
        },
        ours: connect(&url, "tandem"),
        person: connect(&url, "alice"),
        connect,
        http: reqwest::Client::builder().no_proxy().build().unwrap(),
        url,
        _server: Box::new(server),
    }
}

fn of(name: &str) -> RecordType {
    RecordType::new("salesforce", name)
}

fn values(pairs: &[(&str, Value)]) -> Values {
    let pairs = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    pairs.collect()
}

fn create(name: &str, intent: u64, pairs: &[(&str, Value)]) -> Write {
    Write {
        intent,
        key: format!("key-{intent}"),
        change: Change::Create {
            record_type: of(name),
            values: values(pairs),
        },
    }
}

fn update(name: &str, id: &str, pairs: &[(&str, Value)], only_if: Option<Version>) -> Write {
    Write {
        intent: 1,
        key: "key-1".to_owned(),
        change: Change::Update {
            record: RecordKey::new("salesforce", name, id),
            values: values(pairs),
            only_if,
        },
    }
}

fn user(username: &str) -> Write {
    let text = |name: &'static str, value: &str| (name, Value::text(value));
    create(
        "User",
        50,
        &[
            text("Username", username),
            text("LastName", "New"),
            text("Email", username),
            text("Alias", "new"),
            text("TimeZoneSidKey", "Europe/Berlin"),
            text("LocaleSidKey", "en_US"),
            text("EmailEncodingKey", "UTF-8"),
            text("LanguageLocaleKey", "en_US"),
        ],
    )
}

/// The profile of a user that the org began with.
async fn profile_of(scene: &Scene, username: &str) -> Value {
    let mut config = config(&scene.url, "tandem");
    config.fields.insert(
        "User".to_owned(),
        vec!["Username".to_owned(), "ProfileId".to_owned()],
    );
    let org = Salesforce::connect(config).unwrap();
    let found = org
        .find(&of("User"), &["Username".to_owned()], &[vec![username.into()]])
        .await;
    found.unwrap()[0].values["ProfileId"].clone()
}

#[tokio::test]
async fn the_secret_is_redacted_in_debug() {
    let config = config(&"http://127.0.0.1:1".parse().unwrap(), "tandem");
    assert!(!format!("{config:?}").contains("tandem-secret"));
    let org = Salesforce::connect(config).unwrap();
    assert!(!format!("{org:?}").contains("tandem-secret"));
}

#[tokio::test]
async fn a_version_is_firm_once_its_second_has_passed() {
    let scene = scene().await;
    let id = scene.made("Quick").await;
    // The read may still see edits of the same second, which the condition would let pass.
    assert!(!scene.read(&id).await.version.unwrap().firm);
    let firm = scene.firm(&id).await;
    assert_eq!(firm.order, None);
    assert!(firm.token.ends_with(".000+0000"), "{}", firm.token);
}

#[tokio::test]
async fn an_expired_token_is_renewed_once_for_all() {
    let scene = scene().await;
    let id = scene.made("Someone").await;
    scene.read(&id).await;
    let tokens = scene.url.join("/_local/tokens").unwrap();
    assert!(
        scene
            .http
            .delete(tokens)
            .send()
            .await
            .unwrap()
            .status()
            .is_success()
    );
    let ids = [id.clone()];
    let contact = scene.contact();
    let reads = (0..6).map(|_| scene.ours.fetch(&contact, &ids));
    for read in futures::future::join_all(reads).await {
        assert_eq!(read.unwrap()[0].presence, Presence::Alive);
    }
    let made = one(scene.ours.as_ref(), scene.create(1, scene.named("After"))).await;
    applied(&made);
}

#[tokio::test]
async fn calls_are_packed() {
    let scene = scene().await;
    let org = scene.ours.as_ref();
    org.describe().await.unwrap();
    let measured = async |work: &mut dyn AsyncWork| {
        let before = org.calls();
        work.run(org).await;
        org.calls() - before
    };
    // 400 creates: 200 to a call.
    let many: Vec<_> = (0..400)
        .map(|n| scene.create(n, scene.named(&format!("Name {n}"))))
        .collect();
    let mut made = Writing(many, Vec::new());
    assert_eq!(measured(&mut made).await, 2);
    let ids: Vec<String> = made.1.iter().map(applied).collect();
    // 1,500 keys, 2,000 ids: one call each.
    let keys: Vec<_> = (0..1_500)
        .map(|n| vec![Value::text(format!("Name {n}"))])
        .collect();
    let mut finding = Finding(scene.contact(), keys, Vec::new());
    assert_eq!(measured(&mut finding).await, 1);
    assert_eq!(finding.2.len(), 400);
    let mut fetched: Vec<String> = ids.clone();
    fetched.extend((0..1_600).map(|n| format!("0030000000{n:05}AAA")));
    let mut fetching = Fetching(scene.contact(), fetched, Vec::new());
    assert_eq!(measured(&mut fetching).await, 1);
    assert_eq!(fetching.2.len(), 2_000);
    // 50 conditional updates: 25 to a call.
    scene.firm(&ids[0]).await;
    let alive = org.fetch(&scene.contact(), &ids[..50]).await.unwrap();
    let changed =
        |shown: &Observation| scene.update(&shown.key.id, scene.described("new"), shown.version.clone());
    let mut updates = Writing(alive.iter().map(changed).collect(), Vec::new());
    assert_eq!(measured(&mut updates).await, 2);
    updates.1.iter().for_each(|outcome| drop(applied(outcome)));
}

/// Work whose calls are counted.
#[async_trait::async_trait]
trait AsyncWork: Send {
    async fn run(&mut self, org: &dyn Connector);
}

struct Writing(Vec<Write>, Vec<Outcome>);
struct Finding(RecordType, Vec<Vec<Value>>, Vec<Observation>);
struct Fetching(RecordType, Vec<String>, Vec<Observation>);

#[async_trait::async_trait]
impl AsyncWork for Writing {
    async fn run(&mut self, org: &dyn Connector) {
        self.1 = org.write(&self.0).await;
    }
}

#[async_trait::async_trait]
impl AsyncWork for Finding {
    async fn run(&mut self, org: &dyn Connector) {
        self.2 = org
            .find(&self.0, &["LastName".to_owned()], &self.1)
            .await
            .unwrap();
    }
}

#[async_trait::async_trait]
impl AsyncWork for Fetching {
    async fn run(&mut self, org: &dyn Connector) {
        self.2 = org.fetch(&self.0, &self.1).await.unwrap();
    }
}

#[tokio::test]
async fn a_quiet_round_over_eight_types_takes_two_calls() {
    let scene = scene().await;
    let names = [
        "Contact", "Division", "Invoice", "Order", "Product2", "Quote", "Task", "User",
    ];
    let types = names.map(of);
    let round = async |mut cursor: Option<Vec<u8>>| {
        let (mut seen, mut more) = (Vec::new(), true);
        while more {
            let page = scene.ours.changes(&types, cursor.as_deref()).await.unwrap();
            (cursor, more) = (Some(page.cursor), page.more);
            seen.extend(page.observations);
        }
        (seen, cursor)
    };
    let (first, cursor) = round(None).await;
    let names: Vec<_> = first
        .iter()
        .map(|shown| shown.key.record_type.name.as_str())
        .collect();
    assert_eq!(names, ["Division", "User", "User", "User"]);
    let mut last = cursor;
    for quiet in [false, false, true] {
        let before = scene.ours.calls();
        // Beyond the overlap, within the life of the token.
        scene.advance(1_800).await;
        let (seen, cursor) = round(last.clone()).await;
        assert_eq!(scene.ours.calls() - before, 2);
        assert_eq!(seen.is_empty(), quiet, "{seen:?}");
        assert_ne!(cursor, last);
        last = cursor;
    }
    // Deletions were asked for in the same calls: what they cover moved on with the org's clock.
    let cursor: serde_json::Value = serde_json::from_slice(&last.unwrap()).unwrap();
    let covered = cursor["types"]["Contact"]["covered"].as_str().unwrap().to_owned();
    assert!(
        covered.parse::<jiff::Timestamp>().unwrap() > jiff::Timestamp::now(),
        "{covered}"
    );
}

#[tokio::test]
async fn users_with_powers_are_protected_and_created_apart() {
    let scene = scene().await;
    let page = scene.ours.list(&of("User"), None).await.unwrap();
    let protected: BTreeMap<&str, bool> = page
        .observations
        .iter()
        .map(|shown| (shown.values["Username"].as_text().unwrap(), shown.protected))
        .collect();
    let expected = [("alice", true), ("bob", false), ("integration", true)];
    let names: Vec<_> = expected
        .iter()
        .map(|(name, on)| (format!("{name}@tandem.example"), *on))
        .collect();
    assert_eq!(
        protected,
        names.iter().map(|(name, on)| (name.as_str(), *on)).collect()
    );
    // A batch may hold users and others; they travel apart.
    let mut new = user("new@tandem.example");
    if let Change::Create { values, .. } = &mut new.change {
        values.insert(
            "ProfileId".to_owned(),
            profile_of(&scene, "bob@tandem.example").await,
        );
    }
    let batch = [
        scene.create(1, scene.named("First")),
        new,
        scene.create(2, scene.named("Last")),
    ];
    let outcomes = scene.ours.write(&batch).await;
    let ids: Vec<String> = outcomes.iter().map(applied).collect();
    assert_eq!([&ids[0][..3], &ids[1][..3], &ids[2][..3]], ["003", "005", "003"]);
    let twice = one(scene.ours.as_ref(), user("new@tandem.example")).await;
    let Outcome::Refused(refusal) = twice else {
        panic!("{twice:?}")
    };
    assert!(
        matches!(refusal.kind, RefusalKind::Invalid | RefusalKind::Duplicate),
        "{refusal:?}"
    );
}

#[tokio::test]
async fn companions_are_known_by_their_object_and_amounts_are_exact() {
    let scene = scene().await;
    let org = scene.ours.as_ref();
    let account = [
        ("Name", Value::text("Acme")),
        ("Customerp_Id__c", "Customer:1".into()),
    ];
    let account = applied(&one(org, create("Account", 1, &account)).await);
    let close = Value::Date("2030-01-01".parse().unwrap());
    let opportunity = [
        ("Name", Value::text("Offer")),
        ("StageName", "Prospecting".into()),
        ("CloseDate", close.clone()),
        ("AccountId", account.as_str().into()),
        ("Customerp_Id__c", "Quote:1".into()),
    ];
    let opportunity = applied(&one(org, create("Opportunity", 2, &opportunity)).await);
    let found = org
        .find(
            &of("Opportunity"),
            &["Customerp_Id__c".to_owned()],
            &[vec!["Quote:1".into()]],
        )
        .await
        .unwrap();
    assert_eq!(
        found[0].key,
        RecordKey::new("salesforce", "Opportunity", &opportunity)
    );
    assert_eq!(found[0].values["CloseDate"], close);
    let amount: rust_decimal::Decimal = "9007199254740993.01".parse().unwrap();
    let quote = [
        ("Name", Value::text("Offer")),
        ("OpportunityId", opportunity.as_str().into()),
        ("Tax", Value::Decimal(amount)),
    ];
    let quote = applied(&one(org, create("Quote", 3, &quote)).await);
    let read = org.fetch(&of("Quote"), &[quote]).await.unwrap().remove(0);
    assert_eq!(read.values["Tax"], Value::Decimal(amount));
    assert!(!read.values["QuoteNumber"].is_blank());
}

#[tokio::test]
async fn unconditional_writes_travel_as_collections_and_answer_each_row() {
    let scene = scene().await;
    let many: Vec<_> = (0..30)
        .map(|n| scene.create(n, scene.named(&format!("Name {n}"))))
        .collect();
    let ids: Vec<String> = scene.ours.write(&many).await.iter().map(applied).collect();
    let before = scene.ours.calls();
    let mut updates: Vec<_> = ids
        .iter()
        .map(|id| scene.update(id, scene.described("new"), None))
        .collect();
    updates[7] = scene.update(NOBODY, scene.described("new"), None);
    updates[8] = scene.update(&ids[8], scene.named(&"x".repeat(100)), None);
    let outcomes = scene.ours.write(&updates).await;
    assert_eq!(scene.ours.calls() - before, 1);
    assert_eq!(outcomes[7], Outcome::Gone);
    let Outcome::Refused(refusal) = &outcomes[8] else {
        panic!("{:?}", outcomes[8])
    };
    assert_eq!(refusal.properties, ["LastName"]);
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Outcome::Applied { .. }))
            .count(),
        28
    );
    // In throughput mode conditions are given up for updates.
    let throughput = SalesforceConfig {
        throughput: true,
        ..config(&scene.url, "tandem")
    };
    let throughput = Salesforce::connect(throughput).unwrap();
    assert!(!throughput.capabilities().conditional_write);
    let old = Version {
        token: "2000-01-01T00:00:00.000+0000".to_owned(),
        order: None,
        modified: "2000-01-01T00:00:00Z".parse().unwrap(),
        firm: true,
    };
    applied(
        &one(
            &throughput,
            scene.update(&ids[0], scene.described("forced"), Some(old.clone())),
        )
        .await,
    );
    let guarded = scene.update(&ids[0], scene.described("guarded"), Some(old));
    assert_eq!(one(scene.ours.as_ref(), guarded).await, Outcome::Stale);
}

#[tokio::test]
async fn used_up_calls_are_not_sent_and_say_when_to_return() {
    let scene = scene().await;
    let id = scene.made("Someone").await;
    scene.read(&id).await;
    let calls = scene.url.join("/_local/calls").unwrap();
    let limit = scene
        .http
        .post(calls)
        .header("content-type", "application/json")
        .body("{\"allowed\":0}");
    assert!(limit.send().await.unwrap().status().is_success());
    let outcome = one(scene.ours.as_ref(), scene.create(1, scene.named("Never"))).await;
    let Outcome::NotSent(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(error.kind, ErrorKind::Refused);
    assert!(error.retry_at.unwrap() > jiff::Timestamp::now());
    let error = scene.ours.fetch(&scene.contact(), &[id]).await.unwrap_err();
    assert_eq!((error.kind, error.retry_at.is_some()), (ErrorKind::Refused, true));
}

#[tokio::test]
async fn the_org_decides_what_there_is() {
    // GIVEN an org with the standard Invoice, to which Invoice is bound
    let invoice = InvoiceSeed {
        number: "INV-1".to_owned(),
        description: None,
        date: None,
        account: None,
        total: None,
        status: None,
    };
    let options = Options {
        invoices: vec![invoice],
        ..Options::preset("billing").unwrap()
    };
    let (_server, url) = start(options).await;
    let mut standard = config(&url, "tandem");
    let fields = ["InvoiceNumber", "Description", "Balance"].map(str::to_owned);
    standard.fields.insert("Invoice".to_owned(), fields.into());
    // WHEN our custom object is bound, THEN it is missing, with one clear sentence
    let custom = Salesforce::connect(standard.clone()).unwrap();
    let missing = &custom.describe().await.unwrap().missing["Invoice"];
    assert!(
        missing.contains("no object Invoice__c (deploy Tandem's metadata, or bind"),
        "{missing}"
    );
    let error = custom.list(&of("Invoice"), None).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Missing);
    // WHEN the standard one is bound, THEN it can be read and changed, not created
    standard
        .bindings
        .insert("Invoice".to_owned(), "Invoice".to_owned());
    let org = Salesforce::connect(standard).unwrap();
    let schema = org.describe().await.unwrap();
    assert!(!schema.types["Invoice"].createable && schema.types["Invoice"].updateable);
    assert!(!schema.types["Division"].deletable);
    let page = org.list(&of("Invoice"), None).await.unwrap();
    let shown = &page.observations[0];
    assert_eq!(shown.values["InvoiceNumber"], Value::text("INV-1"));
    assert_eq!(page.resume, None);
    applied(
        &one(
            &org,
            update("Invoice", &shown.key.id, &[("Description", "new".into())], None),
        )
        .await,
    );
    let outcome = one(&org, create("Invoice", 1, &[("InvoiceNumber", "INV-2".into())])).await;
    let Outcome::Refused(refusal) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(refusal.kind, RefusalKind::Forbidden, "{refusal:?}");
}

#[tokio::test]
async fn the_token_is_not_handed_to_another_host() {
    // GIVEN a sign-in that points elsewhere
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4_096];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        let body = r#"{"access_token":"t","instance_url":"https://stranger.example","id":"x/y"}"#;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        stream
            .write_all(format!("{head}{body}").as_bytes())
            .await
            .unwrap();
    });
    let org = connect(&url.parse().unwrap(), "tandem");
    let error = org.identify().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Protocol);
    assert!(error.message.contains("stranger.example"), "{error}");
    task.await.unwrap();
}
