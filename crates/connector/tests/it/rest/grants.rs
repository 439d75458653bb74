//! Tokens that are given out once, seldom, to whoever signs, or to so many at once.

use super::stage::{description, erp, header, listed, method, ok, parameter, status, thing};
use crate::salesforce::office::{Asked, Office};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{self, UnparsedPublicKey};
use serde_json::{Value as Json, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tandem_connector::rest::{Keep, Rest, RestConfig};
use tandem_connector::{Connector, ErrorKind};
use tandem_seal::{Files, Seal};

const THINGS: &str = "
record: { id: id }
list: { request: GET /things, items: rows }
read: { request: \"GET /things/{id}\" }
";

const REFRESH: &str = "session: { kind: oauth, grant: refresh-token, token_url: /token }";
const SECRETS: [(&str, &str); 3] = [
    ("client_id", "c"),
    ("client_secret", "s"),
    ("refresh_token", "r0\n"),
];

fn page() -> (String, String) {
    ok(&json!({ "rows": [thing(1)] }))
}

/// A process that keeps what it signs in with in a folder, sealed.
fn process(office: &Office, session: &str, secrets: &[(&str, &str)], folder: &Path) -> Rest {
    let seal = Arc::new(Seal::from_text(&STANDARD.encode([7; 32])).unwrap());
    let text = description(session, THINGS, "name: string");
    let config = RestConfig {
        keep: Some(Keep {
            folder: folder.to_owned(),
            files: Files::new(Some(seal), None),
        }),
        ..super::config(&office.url, &text, secrets)
    };
    Rest::connect(config).unwrap()
}

fn tokens(office: &Office) -> usize {
    office
        .asked()
        .iter()
        .filter(|asked| asked.path == "/token")
        .count()
}

/// An ERP that replaces its refresh token each time: `r0`, `r1`, ...
async fn rotating(folder: &Path) -> Office {
    let (number, kept) = (AtomicUsize::new(0), folder.join("erp.token"));
    Office::open(move |asked| {
        let given = number.load(Ordering::SeqCst);
        if asked.path == "/token" {
            assert_eq!(asked.field("grant_type").as_deref(), Some("refresh_token"));
            if asked.field("refresh_token") != Some(format!("r{given}")) {
                return ("400 Bad Request".to_owned(), json!({ "error": "invalid_grant" }).to_string());
            }
            let next = number.fetch_add(1, Ordering::SeqCst) + 1;
            return ok(&json!({ "access_token": format!("a{next}"), "refresh_token": format!("r{next}"), "expires_in": 600 }));
        }
        // The new one is durable, and sealed, before the token beside it is used.
        let durable = std::fs::read(&kept).unwrap();
        assert!(!durable.windows(2).any(|part| part == format!("r{given}").as_bytes()));
        match asked.bearer() == Some(&format!("a{given}")) {
            true => page(),
            false => status("401 Unauthorized"),
        }
    })
    .await
}

#[tokio::test]
async fn a_refresh_token_that_is_replaced_serves_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    let office = rotating(folder.path()).await;
    for number in 1..=3 {
        let rest = process(&office, REFRESH, &SECRETS, folder.path());
        assert_eq!(listed(&rest).await.unwrap().len(), 1, "process {number}");
        assert_eq!(tokens(&office), number);
    }
    // WHEN two processes sign in at once, THEN neither shows a token that the other one used up
    let [one, two] = [0, 1].map(|_| process(&office, REFRESH, &SECRETS, folder.path()));
    let (one, two) = tokio::join!(one.identify(), two.identify());
    assert_eq!(tokens(&office), 5);
    let shown: Vec<String> = office
        .asked()
        .iter()
        .filter_map(|asked| asked.field("refresh_token"))
        .collect();
    assert_eq!(shown, ["r0", "r1", "r2", "r3", "r4"], "{one:?} {two:?}");
}

#[tokio::test]
async fn a_refresh_token_that_is_refused_is_shown_once_and_replaced_by_people() {
    let folder = tempfile::tempdir().unwrap();
    let office = rotating(folder.path()).await;
    let rest = process(
        &office,
        REFRESH,
        &[("refresh_token", "stale"), SECRETS[0], SECRETS[1]],
        folder.path(),
    );
    let error = listed(&rest).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::SignIn);
    assert!(
        error.message.contains("does not take our refresh token"),
        "{error}"
    );
    assert!(error.advice.contains("sign in in the browser again"), "{error}");
    assert!(!error.to_string().contains("stale") && tokens(&office) == 1);
    // WHEN somebody puts a new one there, THEN that one counts, whatever is kept
    let rest = process(&office, REFRESH, &SECRETS, folder.path());
    assert_eq!(listed(&rest).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_token_that_cannot_be_kept_is_not_used_and_not_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let office = rotating(folder.path()).await;
    let obstacle = folder.path().join("erp.token.new");
    std::fs::create_dir(&obstacle).unwrap();
    let rest = process(&office, REFRESH, &SECRETS, folder.path());
    let error = listed(&rest).await.unwrap_err();
    assert!(error.message.contains("cannot be kept"), "{error}");
    assert!(listed(&rest).await.is_err());
    assert_eq!(
        office.asked().len(),
        1,
        "nothing was asked with it, and the old one was not shown again"
    );
    std::fs::remove_dir(&obstacle).unwrap();
    assert_eq!(listed(&rest).await.unwrap().len(), 1);
    // Without a folder nothing is begun that could not be gone on with.
    let text = description(REFRESH, THINGS, "name: string");
    let rest = Rest::connect(super::config(&office.url, &text, &SECRETS)).unwrap();
    let before = office.asked().len();
    let error = listed(&rest).await.unwrap_err();
    assert!(error.message.contains("no folder"), "{error}");
    assert_eq!(office.asked().len(), before);
}

#[tokio::test]
async fn a_token_that_is_given_out_seldom_is_kept_over_restarts() {
    let session = "session: { kind: oauth, token_url: /token, every: 10m }";
    let secrets = [("client_id", "c"), ("client_secret", "s")];
    let folder = tempfile::tempdir().unwrap();
    let refuses = Arc::new(AtomicBool::new(false));
    let refused = Arc::clone(&refuses);
    let office = Office::open(move |asked| match asked.path.as_str() {
        "/token" => ok(&json!({ "access_token": "a", "expires_in": "600" })),
        _ if refused.load(Ordering::SeqCst) => status("401 Unauthorized"),
        _ => page(),
    })
    .await;
    for _ in 0..3 {
        let rest = process(&office, session, &secrets, folder.path());
        assert_eq!(listed(&rest).await.unwrap().len(), 1);
    }
    assert_eq!(tokens(&office), 1);
    // WHEN it is not accepted any more, THEN no other one is asked for before its time, and that is said
    refuses.store(true, Ordering::SeqCst);
    let rest = process(&office, session, &secrets, folder.path());
    for _ in 0..2 {
        let error = listed(&rest).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Refused, "{error}");
        assert!(error.message.contains("is not accepted any more"), "{error}");
        let wait = error.retry_at.unwrap().duration_since(jiff::Timestamp::now());
        assert!(wait.as_secs() > 500 && wait.as_secs() <= 600, "{wait}");
    }
    assert_eq!(tokens(&office), 1);
    // Other secrets are another sign-in.
    let rest = process(
        &office,
        session,
        &[("client_id", "d"), ("client_secret", "s")],
        folder.path(),
    );
    listed(&rest).await.unwrap_err();
    assert_eq!(tokens(&office), 2);
}

/// The parts of a statement, once its signature was found right.
fn stated(jwt: &str, algorithm: &'static dyn signature::VerificationAlgorithm, key: &[u8]) -> [Json; 2] {
    let (text, signed) = jwt.rsplit_once('.').unwrap();
    let signed = URL_SAFE_NO_PAD.decode(signed).unwrap();
    UnparsedPublicKey::new(algorithm, key)
        .verify(text.as_bytes(), &signed)
        .unwrap();
    let (head, body) = text.split_once('.').unwrap();
    [head, body].map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
}

/// The key within the certificate's own envelope, as it is signed with.
fn rsa_public() -> Vec<u8> {
    let der = include_bytes!("../salesforce/keys/public.der");
    der.to_vec()
}

#[tokio::test]
async fn who_we_are_is_stated_and_signed_as_the_erp_wants_it() {
    let curve = rcgen::KeyPair::generate().unwrap();
    let rsa = include_str!("../salesforce/keys/pkcs8.pem").to_owned();
    let cases: [(
        &str,
        String,
        Vec<u8>,
        &'static dyn signature::VerificationAlgorithm,
    ); 3] = [
        (
            "ES256",
            curve.serialize_pem(),
            curve.public_key_raw().to_vec(),
            &signature::ECDSA_P256_SHA256_FIXED,
        ),
        (
            "PS256",
            rsa.clone(),
            rsa_public(),
            &signature::RSA_PSS_2048_8192_SHA256,
        ),
        ("RS256", rsa, rsa_public(), &signature::RSA_PKCS1_2048_8192_SHA256),
    ];
    for (algorithm, key, public, verified) in cases {
        let session = format!(
            "session: {{ kind: oauth, token_url: /token, assertion: {{ algorithm: {algorithm}, key_id: \"{{secret.kid}}\", \
             claims: {{ scope: [rest_webservices], sub: \"{{client_id}}-x\" }} }} }}"
        );
        let text = description(&session, THINGS, "name: string");
        let secrets = [("client_id", "c"), ("kid", "k7"), ("private_key", key.as_str())];
        let (office, rest) = erp(&text, &secrets, |asked| match asked.path.as_str() {
            "/token" => ok(&json!({ "access_token": "a" })),
            _ => page(),
        })
        .await;
        assert_eq!(listed(&rest).await.unwrap().len(), 1, "{algorithm}");
        let asked = &office.asked()[0];
        let field = |name| asked.field(name);
        assert_eq!(field("client_secret"), None);
        assert_eq!(
            field("client_assertion_type").as_deref(),
            Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
        );
        let [head, body] = stated(&field("client_assertion").unwrap(), verified, &public);
        assert_eq!(head, json!({ "alg": algorithm, "typ": "JWT", "kid": "k7" }));
        assert_eq!((&body["iss"], &body["sub"]), (&json!("c"), &json!("c-x")));
        assert_eq!(body["scope"], json!(["rest_webservices"]));
        assert_eq!(body["aud"], json!(format!("{}token", office.url)));
        assert_eq!(body["exp"].as_i64().unwrap() - body["iat"].as_i64().unwrap(), 120);
    }
    // A key of another kind is told before anything is sent, without a word of it.
    let session = "session: { kind: oauth, token_url: /token, grant: jwt-bearer, assertion: { algorithm: PS256, claims: { sub: u } } }";
    let key = curve.serialize_pem();
    let secrets = [("client_id", "c"), ("private_key", key.as_str())];
    let (office, rest) = erp(&description(session, THINGS, "name: string"), &secrets, |_| {
        page()
    })
    .await;
    let error = listed(&rest).await.unwrap_err();
    assert!(error.message.contains("does not sign by PS256"), "{error}");
    assert_eq!(office.asked().len(), 0);
}

#[tokio::test]
async fn two_tokens_make_a_session_whose_token_is_a_password() {
    let session = "
session:
  kind: login
  request: PUT /token/session
  query: { consumerToken: \"{secret.consumer}\", employeeToken: \"{secret.employee}\", expirationDate: \"{until}\" }
  token: value.token
  basic_user: \"0\"
  lasts: 24h";
    let secrets = [("consumer", "c1"), ("employee", "e1")];
    let (office, rest) = erp(
        &description(session, THINGS, "name: string"),
        &secrets,
        |asked| match method(asked) {
            "PUT" => ok(&json!({ "value": { "token": "t1" } })),
            _ if header(asked, "authorization") == Some("Basic MDp0MQ==") => page(),
            _ => status("401 Unauthorized"),
        },
    )
    .await;
    assert_eq!(listed(&rest).await.unwrap().len(), 1);
    let asked = &office.asked()[0];
    let tomorrow = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24);
    assert_eq!(
        (
            parameter(asked, "consumerToken").as_deref(),
            parameter(asked, "expirationDate")
        ),
        (
            Some("c1"),
            Some(jiff::tz::TimeZone::UTC.to_datetime(tomorrow).date().to_string())
        )
    );
}

#[tokio::test]
async fn each_attempt_of_a_request_is_signed_anew() {
    let session = "session: { kind: oauth1, realm: \"{secret.account}\" }";
    let secrets = [
        ("account", "123_SB1"),
        ("consumer_key", "ck"),
        ("consumer_secret", "cs"),
        ("token_id", "ti"),
        ("token_secret", "ts"),
    ];
    let count = AtomicUsize::new(0);
    let (office, rest) = erp(
        &description(session, THINGS, "name: string"),
        &secrets,
        move |_| match count.fetch_add(1, Ordering::SeqCst) {
            0 => status("503 Busy"),
            _ => page(),
        },
    )
    .await;
    assert_eq!(listed(&rest).await.unwrap().len(), 1);
    let signed = |asked: &Asked| header(asked, "authorization").unwrap_or_default().to_owned();
    let all: Vec<String> = office.asked().iter().map(signed).collect();
    assert_eq!(all.len(), 2);
    for one in &all {
        assert!(
            one.starts_with("OAuth realm=\"123_SB1\", oauth_consumer_key=\"ck\""),
            "{one}"
        );
        assert!(
            one.contains("oauth_signature_method=\"HMAC-SHA256\"") && !one.contains("ts\""),
            "{one}"
        );
    }
    let nonce = |one: &str| {
        one.split("oauth_nonce=\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap()
            .to_owned()
    };
    assert_ne!(nonce(&all[0]), nonce(&all[1]), "a server takes each once");
}

const SEATS: &str = "
limits: { seats: 1 }
errors: { rules: [{ status: [403], contains: \"user limit\", means: seats }] }
session: { kind: login, request: POST /login, token: id, carry: { X-Session: \"{token}\" }, logout: { request: POST /logout } }";

#[tokio::test]
async fn processes_share_the_seats_that_a_licence_has() {
    let folder = tempfile::tempdir().unwrap();
    let office = Office::open(|asked| match asked.path.as_str() {
        "/login" => ok(&json!({ "id": "s" })),
        _ => page(),
    })
    .await;
    let logins = || {
        office
            .asked()
            .iter()
            .filter(|asked| asked.path == "/login")
            .count()
    };
    let [first, second] = [0, 1].map(|_| process(&office, SEATS, &[], folder.path()));
    assert_eq!(listed(&first).await.unwrap().len(), 1);
    let error = listed(&second).await.unwrap_err();
    assert!(
        error.message.contains("all 1 seats are taken by other processes"),
        "{error}"
    );
    assert_eq!(
        (error.kind, logins(), error.retry_at.is_some()),
        (ErrorKind::Refused, 1, true)
    );
    // WHEN the first one logs out, THEN its seat is free
    first.leave().await;
    assert_eq!(office.asked().last().unwrap().path, "/logout");
    assert_eq!(listed(&second).await.unwrap().len(), 1);
}

#[tokio::test]
async fn who_finds_no_seat_waits_and_does_not_log_in_again_and_again() {
    let (office, rest) = erp(&description(SEATS, THINGS, "name: string"), &[], |_| {
        (
            "403 Forbidden\r\nretry-after: 90".to_owned(),
            "API user limit reached".to_owned(),
        )
    })
    .await;
    for _ in 0..3 {
        let error = listed(&rest).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Refused);
        assert!(
            error.message.contains("every seat that it has for us is taken"),
            "{error}"
        );
        let wait = error.retry_at.unwrap().duration_since(jiff::Timestamp::now());
        assert!(wait.as_secs() > 60 && wait.as_secs() <= 90, "{wait}");
    }
    assert_eq!(office.asked().len(), 1);
}
