//! What is repeated and what is not, against a server that answers by a script.

use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tandem_connector::rest::{Rest, RestConfig};
use tandem_connector::salesforce::{Salesforce, SalesforceConfig, Share, SignIn, Watch, Writes};
use tandem_connector::{Change, Connector, ErrorKind, Lane, Outcome, Scope, Write};
use tandem_merge::record::{RecordKey, RecordType, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

const COMPANY: &str = r#"{"name":"Customerp","company":"c-1","user":"u","types":{}}"#;
const OK: &str = "200 OK";
const BUSY: &str = "503 Service Unavailable\r\nretry-after: 0";

/// A server that gives one answer (status line with headers, body) to each request, then hangs up.
struct Script {
    url: Url,
    served: Arc<AtomicUsize>,
}

impl Script {
    async fn of(answers: Vec<(&'static str, String)>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let served = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&served);
        tokio::spawn(async move {
            for (status, body) in answers {
                let (stream, _) = listener.accept().await.unwrap();
                answer(stream, status, &body).await;
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self {
            url: url.parse().unwrap(),
            served,
        }
    }

    fn served(&self) -> usize {
        self.served.load(Ordering::SeqCst)
    }

    fn customerp(&self) -> Rest {
        Rest::connect(customerp(&self.url)).unwrap()
    }

    fn salesforce(&self) -> Salesforce {
        self.salesforce_with(None)
    }

    fn salesforce_with(&self, authority: Option<Vec<u8>>) -> Salesforce {
        let config = SalesforceConfig {
            name: "salesforce".to_owned(),
            url: self.url.clone(),
            sign_in: SignIn::ClientCredentials {
                client_id: "tandem".to_owned(),
                client_secret: "secret".into(),
            },
            certificate_authority: authority,
            share: Share::default(),
            api_version: SalesforceConfig::API_VERSION.to_owned(),
            request_deadline: SignedDuration::from_secs(5),
            overlap: SignedDuration::ZERO,
            bindings: BTreeMap::from([("Contact".to_owned(), "Contact".to_owned())]),
            fields: BTreeMap::new(),
            writes: Writes::default(),
            watch: Watch::polling(),
        };
        Salesforce::connect(config).unwrap()
    }
}

/// An ERP of nothing but contacts.
const DESCRIBED: &str = "
base: /api/v1
session: { kind: bearer }
identity: { request: GET /, id: company, name: name }
errors:
  code: error.code
  rules:
    - { status: [503], code: [deadline], means: later }
record_types:
  Contact:
    collection: contacts
    record: { id: id, token: version, token_as: '\"{token}\"', order: version, modified: updatedAt }
    list: { request: GET /contacts, query: { cursor: \"{cursor}\" }, items: items, paging: { kind: cursor, next: nextCursor } }
    read: { request: \"GET /contacts/{id}\" }
    create: { request: POST /contacts, headers: { Idempotency-Key: \"{key}\" }, safe: idempotency-key, record: . }
    update: { request: \"PATCH /contacts/{id}\", headers: { If-Match: \"{token}\" }, record: . }
    delete: { request: \"DELETE /contacts/{id}\", headers: { If-Match: \"{token}\" } }
    properties: { LastName: string }
";

fn customerp(url: &Url) -> RestConfig {
    RestConfig {
        name: "customerp".to_owned(),
        overlap: SignedDuration::ZERO,
        ..crate::rest::config(url, DESCRIBED, &[("token", "secret")])
    }
}

async fn answer(mut stream: TcpStream, status: &str, body: &str) {
    let (mut request, mut part) = (Vec::new(), [0; 4_096]);
    // The whole request: a server that hangs up on the rest of one resets the connection.
    while !whole(&request) {
        let read = stream.read(&mut part).await.unwrap();
        request.extend_from_slice(&part[..read]);
    }
    let length = body.len();
    let reply = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(reply.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
}

fn whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

#[tokio::test]
async fn a_read_is_repeated_while_a_system_is_busy() {
    let script = Script::of(vec![
        (BUSY, String::new()),
        (BUSY, String::new()),
        (OK, COMPANY.to_owned()),
    ])
    .await;
    let erp = script.customerp();
    assert_eq!(erp.identify().await.unwrap().id, "c-1");
    assert_eq!((erp.calls(), script.served()), (3, 3));
}

#[tokio::test]
async fn a_system_that_stays_busy_is_down_and_says_until_when() {
    let busy = || ("503 Service Unavailable\r\nretry-after: 3600", String::new());
    let script = Script::of(vec![busy()]).await;
    let error = script.customerp().identify().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Down, "{error}");
    let wait = error.retry_at.unwrap().duration_since(jiff::Timestamp::now());
    assert!(wait > SignedDuration::from_mins(50), "{wait}");
    // Longer than anyone should wait within a call: it was not tried again.
    assert_eq!(script.served(), 1);
}

/// A server that reads each request and gives no answer: it hangs up, or waits for ever. How often it was asked.
async fn silent(hangs_up: bool) -> (Url, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let read = stream.read(&mut [0; 4_096]).await.unwrap();
            count.fetch_add(usize::from(read > 0), Ordering::SeqCst);
            if !hangs_up {
                held.push(stream);
            }
        }
    });
    (url.parse().unwrap(), asked)
}

#[tokio::test]
async fn a_read_without_an_answer_may_be_its_own_trouble_and_what_hung_is_not_waited_for_again() {
    for (hangs_up, attempts) in [(true, 3), (false, 1)] {
        let (url, asked) = silent(hangs_up).await;
        let erp = Rest::connect(RestConfig {
            request_deadline: SignedDuration::from_millis(500),
            ..customerp(&url)
        });
        let error = erp.unwrap().describe().await.unwrap_err();
        assert_eq!((error.kind, error.scope), (ErrorKind::Down, Scope::Silence));
        assert_eq!(asked.load(Ordering::SeqCst), attempts);
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = "302 Found\r\nlocation: https://stranger.example/";
    let script = Script::of(vec![(elsewhere, String::new())]).await;
    let error = script.customerp().identify().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Protocol, "{error}");
}

#[tokio::test]
async fn a_create_that_could_be_doubled_is_sent_once() {
    let described = r#"{"compositeResponse":[{"referenceId":"r0","httpStatusCode":200,"httpHeaders":{},
        "body":{"createable":true,"fields":[{"name":"LastName","type":"string"}]}}]}"#;
    let script = async |last: (&'static str, String)| {
        let token = r#"{"access_token":"t","instance_url":"http://127.0.0.1","id":"o/u"}"#;
        Script::of(vec![
            (OK, token.to_owned()),
            (OK, described.to_owned()),
            last,
            (OK, "[]".to_owned()),
        ])
        .await
    };
    let write = Write {
        intent: 1,
        key: "k".to_owned(),
        change: Change::Create {
            record_type: RecordType::new("salesforce", "Contact"),
            values: BTreeMap::from([("LastName".to_owned(), "Once".into())]),
        },
    };
    let busy = script((BUSY, String::new())).await;
    let outcome = busy
        .salesforce()
        .write(std::slice::from_ref(&write), Lane::Live)
        .await
        .remove(0);
    assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
    assert_eq!(busy.served(), 3);
    // An answer of a shape that is not understood leaves open what was done.
    let strange = script((OK, "{}".to_owned())).await;
    let outcome = strange.salesforce().write(&[write], Lane::Live).await.remove(0);
    assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
}

/// A create, an update and a deletion of one contact, the latter two on a condition where `conditional`.
fn writes(system: &str, conditional: bool) -> [Write; 3] {
    let record = RecordKey::new(system, "Contact", "7");
    let values = || BTreeMap::from([("LastName".to_owned(), "Once".into())]);
    let only_if = conditional.then(|| Version {
        token: "2026-01-01T00:00:00.000+0000".to_owned(),
        order: None,
        modified: jiff::Timestamp::UNIX_EPOCH,
        firm: true,
        coarse: jiff::SignedDuration::ZERO,
    });
    let changes = [
        Change::Create {
            record_type: record.record_type.clone(),
            values: values(),
        },
        Change::Update {
            record: record.clone(),
            values: values(),
            only_if: only_if.clone(),
        },
        Change::Delete { record, only_if },
    ];
    changes.map(|change| Write {
        intent: 1,
        key: "k".to_owned(),
        change,
    })
}

/// What becomes of a write, in one word.
fn word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Applied { .. } => "applied".to_owned(),
        Outcome::Refused(refusal) => format!("{:?}", refusal.kind),
        Outcome::Stale => "stale".to_owned(),
        Outcome::Gone => "gone".to_owned(),
        Outcome::Unknown(_) => "unknown".to_owned(),
        Outcome::NotSent(error) => format!("{:?}", error.kind),
        Outcome::Accepted { .. } => "accepted".to_owned(),
    }
}

/// Statuses with what becomes of a create and of a change that is answered so. What no table knows is the trouble of its
/// record and never of the system.
const STATUSES: [(&str, [&str; 2]); 18] = [
    ("302 Found", ["Unclear", "Unclear"]),
    ("402 Payment Required", ["Unclear", "Unclear"]),
    ("404 Not Found", ["Unclear", "gone"]),
    ("405 Method Not Allowed", ["Unclear", "Unclear"]),
    ("406 Not Acceptable", ["Unclear", "Unclear"]),
    ("408 Request Timeout", ["unknown", "unknown"]),
    ("410 Gone", ["Unclear", "gone"]),
    ("412 Precondition Failed", ["Unclear", "stale"]),
    ("415 Unsupported Media Type", ["Unclear", "Unclear"]),
    ("418 Teapot", ["Unclear", "Unclear"]),
    ("423 Locked", ["Unclear", "Unclear"]),
    ("428 Precondition Required", ["Unclear", "Unclear"]),
    ("431 Too Large", ["Unclear", "Unclear"]),
    ("451 Unavailable For Legal Reasons", ["Unclear", "Unclear"]),
    ("499 Odd", ["Unclear", "Unclear"]),
    ("500 Error\r\nretry-after: 3600", ["unknown", "unknown"]),
    ("503 Unavailable\r\nretry-after: 3600", ["unknown", "unknown"]),
    ("429 Too Many\r\nretry-after: 3600", ["Refused", "Refused"]),
];

#[tokio::test]
async fn every_status_of_a_write_has_its_meaning_and_one_that_no_table_knows_is_its_records_trouble() {
    let described = r#"{"compositeResponse":[{"referenceId":"r0","httpStatusCode":200,"httpHeaders":{},
        "body":{"createable":true,"fields":[{"name":"LastName","type":"string"}]}}]}"#;
    let token = r#"{"access_token":"t","instance_url":"http://127.0.0.1","id":"o/u"}"#;
    for (status, [create, change]) in STATUSES {
        for (place, expected) in [(0, create), (1, change), (2, change)] {
            let server = Script::of(vec![(status, String::new())]).await;
            let config = customerp(&server.url);
            let write = &writes("customerp", true)[place];
            let erp = Rest::connect(config).unwrap();
            let outcome = erp.write(std::slice::from_ref(write), Lane::Live).await.remove(0);
            assert_eq!(word(&outcome), expected, "customerp {status} {:?}", write.change);
            let answers = vec![
                (OK, token.to_owned()),
                (OK, described.to_owned()),
                (status, String::new()),
            ];
            let server = Script::of(answers).await;
            let write = &writes("salesforce", false)[place];
            let org = server.salesforce();
            let outcome = org.write(std::slice::from_ref(write), Lane::Live).await.remove(0);
            // A call of the org's that is gone is a version that was retired, and no record.
            let expected = if status.starts_with("410") {
                "Refused"
            } else {
                expected
            };
            assert_eq!(word(&outcome), expected, "salesforce {status} {:?}", write.change);
        }
    }
}

#[test]
fn an_address_that_would_carry_secrets_in_clear_is_refused() {
    let url = "http://erp.example".parse().unwrap();
    let error = Rest::connect(customerp(&url)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::SignIn);
    assert!(error.to_string().contains("https://"), "{error}");
}

#[tokio::test]
async fn a_reply_beyond_the_limits_is_refused_by_name_and_asked_for_once() {
    let many: Vec<String> = (0..10_001).map(|n| format!("\"{n}\":1")).collect();
    let members = format!("{{{}}}", many.join(","));
    for (body, word) in [
        ("[".repeat(100_000), "64 levels"),
        ("{\"a\":".repeat(5_000), "64 levels"),
        (members, "10000 properties"),
        (format!("[{}1]", "1,".repeat(2_000_000)), "2000000 values"),
        (" ".repeat((64 << 20) + 1), "larger than 64 MiB"),
    ] {
        for salesforce in [false, true] {
            let server = Script::of(vec![(OK, body.clone())]).await;
            let error = match salesforce {
                true => server.salesforce().identify().await.unwrap_err(),
                false => server.customerp().identify().await.unwrap_err(),
            };
            assert_eq!(error.kind, ErrorKind::Protocol, "{error}");
            assert!(error.message.contains(word), "{word}: {error}");
            assert!(!error.advice.is_empty());
        }
    }
}

/// A server that speaks TLS with a certificate of its own making in front of another, and the authority that vouches for it.
async fn behind_tls(server: &Url) -> (Url, Vec<u8>) {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let own = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names)
        .unwrap()
        .signed_by(&own, &issuer)
        .unwrap();
    let private = rustls::pki_types::PrivateKeyDer::try_from(own.serialize_der()).unwrap();
    drop(rustls::crypto::ring::default_provider().install_default());
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let target = format!("127.0.0.1:{}", server.port().unwrap());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (acceptor, target) = (acceptor.clone(), target.clone());
            tokio::spawn(async move {
                let mut client = acceptor.accept(client).await.ok()?;
                let mut server = TcpStream::connect(target).await.ok()?;
                tokio::io::copy_bidirectional(&mut client, &mut server).await.ok()
            });
        }
    });
    (url.parse().unwrap(), authority.pem().into_bytes())
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused_by_both_connectors() {
    let server = Script::of(vec![(OK, COMPANY.to_owned())]).await;
    let (url, authority) = behind_tls(&server.url).await;
    let (_, stranger) = behind_tls(&server.url).await;
    let customerp = |authority: Option<Vec<u8>>| {
        Rest::connect(RestConfig {
            certificate_authority: authority,
            ..customerp(&url)
        })
        .unwrap()
    };
    let salesforce = |authority: Option<Vec<u8>>| {
        let script = Script {
            url: url.clone(),
            served: Arc::clone(&server.served),
        };
        script.salesforce_with(authority)
    };
    for authority in [None, Some(stranger)] {
        let erp = customerp(authority.clone()).identify().await.unwrap_err();
        let org = salesforce(authority).identify().await.unwrap_err();
        for error in [erp, org] {
            assert_eq!(error.kind, ErrorKind::SignIn, "{error}");
            assert!(error.message.contains("certificate is not trusted"), "{error}");
        }
    }
    assert_eq!(server.served(), 0, "nothing was sent to a stranger");
    let who = customerp(Some(authority)).identify().await.unwrap();
    assert_eq!(who.id, "c-1");
}
