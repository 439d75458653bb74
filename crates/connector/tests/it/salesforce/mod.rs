//! What only Salesforce has, and how the conformance suite reaches an org.

mod budget;
mod bulk;
mod calls;
mod events;
mod features;
mod fitting;
mod grants;
mod objects;
pub(crate) mod office;
mod prices;
mod sign_in;
mod stage;
mod watching;

use crate::scene::{Line, Scene, Words, plain_client};
use jiff::SignedDuration;
use tandem_connector::salesforce::{Salesforce, SalesforceConfig, Share, SignIn, Watch, Writes};
use tandem_connector::{Change, Connector, ErrorKind, Write};
use tandem_lab::salesforce::{Options, Server, serve};
use tandem_merge::record::{RecordKey, RecordType, Values, Version};
use tandem_merge::value::Value;
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
        sign_in: SignIn::ClientCredentials {
            client_id: user.to_owned(),
            client_secret: format!("{user}-secret").into(),
        },
        certificate_authority: None,
        share: Share::default(),
        api_version: SalesforceConfig::API_VERSION.to_owned(),
        request_deadline: SignedDuration::from_secs(5),
        overlap: SignedDuration::from_secs(30),
        bindings: bindings
            .map(|(name, to)| (name.to_owned(), to.to_owned()))
            .collect(),
        fields: fields.into(),
        writes: Writes::default(),
        watch: Watch::polling(),
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
        http: plain_client(),
        aging: None,
        line: Line::Network,
        repeats: true,
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

fn delete(name: &str, id: &str) -> Write {
    Write {
        intent: 2,
        key: "key-2".to_owned(),
        change: Change::Delete {
            record: RecordKey::new("salesforce", name, id),
            only_if: None,
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
    // A read of the same second may still miss edits that the condition would let pass. Only a quick read is one.
    let (mut id, mut same_second) = (String::new(), false);
    for _ in 0..30 {
        id = scene.made("Quick").await;
        same_second = !scene.read(&id).await.version.unwrap().firm;
        if same_second {
            break;
        }
    }
    assert!(same_second);
    let firm = scene.firm(&id).await;
    assert_eq!(firm.order, None);
    assert!(firm.token.ends_with(".000+0000"), "{}", firm.token);
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
