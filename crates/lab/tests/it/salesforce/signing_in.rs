//! The grants of OAuth, as clients use them, and who one is.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, StatusCode};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tandem_lab::salesforce::Options;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Org;

const KEY: &str = include_str!("keys/client.key");
const STRANGER: &str = include_str!("keys/stranger.key");
const CERTIFICATE: &str = include_str!("keys/client.crt");
const JWT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

fn now() -> u64 {
    let age = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    age.unwrap().as_secs()
}

fn sign(pem: &str, head: &Value, claims: &Value) -> String {
    let der: String = pem.lines().filter(|line| !line.starts_with("---")).collect();
    let der = base64::engine::general_purpose::STANDARD.decode(der).unwrap();
    let key = RsaKeyPair::from_pkcs8(&der).unwrap();
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let signed = format!("{}.{}", encode(head), encode(claims));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        signed.as_bytes(),
        &mut signature,
    )
    .unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn claims() -> Value {
    json!({
        "iss": "tandem",
        "sub": "integration@tandem.example",
        "aud": "https://login.salesforce.com",
        "exp": now() + 120,
    })
}

fn options() -> Options {
    let mut options = Options::default();
    options.users[0].certificate = Some(CERTIFICATE.to_owned());
    options.users[0].refresh_token = Some("kept-from-before".to_owned());
    options
}

async fn ask(org: &Org, form: &[(&str, &str)]) -> (StatusCode, Value) {
    let url = format!("{}/services/oauth2/token", org.server.url());
    let reply = org.http.post(url).form(form).send().await.unwrap();
    (reply.status(), reply.json().await.unwrap())
}

async fn works(org: &Org, token: &str) -> StatusCode {
    let reply = org.send(token, Method::GET, "limits", &[], Value::Null).await;
    reply.status
}

#[tokio::test]
async fn an_assertion_signed_by_the_clients_key_is_a_token() {
    let org = Org::start(options()).await;
    let own = org.server.url();
    for (name, value) in [
        ("aud", json!("https://login.salesforce.com")),
        ("aud", json!("https://test.salesforce.com")),
        ("aud", json!(own)),
        ("aud", json!([format!("{own}/services/oauth2/token")])),
        ("exp", json!((now() + 180).to_string())),
        // The official client counts milliseconds.
        ("exp", json!((now() + 180) * 1_000)),
    ] {
        let mut claims = claims();
        claims[name] = value;
        let assertion = sign(KEY, &json!({ "alg": "RS256", "typ": "JWT" }), &claims);
        let (status, body) = ask(&org, &[("grant_type", JWT), ("assertion", &assertion)]).await;
        assert_eq!(status, StatusCode::OK, "{claims}: {body}");
        assert_eq!(body["instance_url"], json!(own));
        assert_eq!(body["token_type"], "Bearer");
        assert!(body.get("refresh_token").is_none());
        assert_eq!(
            works(&org, body["access_token"].as_str().unwrap()).await,
            StatusCode::OK
        );
    }
}

#[tokio::test]
async fn a_plain_public_key_serves_as_well_as_a_certificate() {
    let mut options = options();
    options.users[0].certificate = Some(include_str!("keys/client.pub").to_owned());
    let org = Org::start(options).await;
    let assertion = sign(KEY, &json!({ "alg": "RS256" }), &claims());
    let (status, _) = ask(&org, &[("grant_type", JWT), ("assertion", &assertion)]).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn an_assertion_that_proves_nothing_is_refused_with_the_reason() {
    let org = Org::start(options()).await;
    let rs256 = json!({ "alg": "RS256" });
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        claims
    };
    for (assertion, error, description) in [
        (
            sign(STRANGER, &rs256, &claims()),
            "invalid_grant",
            "invalid assertion",
        ),
        (
            sign(KEY, &json!({ "alg": "none" }), &claims()),
            "invalid_grant",
            "invalid assertion",
        ),
        ("nonsense".to_owned(), "invalid_grant", "invalid assertion"),
        (
            sign(KEY, &rs256, &with("aud", json!("https://example.com"))),
            "invalid_grant",
            "audience is invalid",
        ),
        (
            sign(KEY, &rs256, &with("exp", json!((now() - 600) * 1_000))),
            "invalid_grant",
            "expired authorization code",
        ),
        (
            sign(KEY, &rs256, &with("exp", json!(now() - 600))),
            "invalid_grant",
            "expired authorization code",
        ),
        (
            sign(KEY, &rs256, &with("exp", json!(now() + 3600))),
            "invalid_grant",
            "invalid assertion",
        ),
        (
            sign(KEY, &rs256, &with("sub", json!("alice@tandem.example"))),
            "invalid_grant",
            "user hasn't approved this consumer",
        ),
        (
            sign(KEY, &rs256, &with("sub", json!("nobody@tandem.example"))),
            "invalid_grant",
            "user hasn't approved this consumer",
        ),
        (
            sign(KEY, &rs256, &with("iss", json!("unheard-of"))),
            "invalid_client_id",
            "client identifier invalid",
        ),
        (
            sign(KEY, &rs256, &with("iss", json!("alice"))),
            "invalid_grant",
            "invalid assertion",
        ),
    ] {
        let (status, body) = ask(&org, &[("grant_type", JWT), ("assertion", &assertion)]).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_eq!(
            (&body["error"], &body["error_description"]),
            (&json!(error), &json!(description))
        );
    }
}

#[tokio::test]
async fn a_certificate_that_is_none_is_refused_at_the_start() {
    let text = r#"{ "users": [{ "username": "a@b.example", "last_name": "A", "profile": "System Administrator",
        "client_id": "a", "certificate": "nonsense" }] }"#;
    let refused = Options::from_json(text).unwrap_err().to_string();
    assert!(refused.contains("certificate"), "{refused}");
}

fn refresh(token: &str) -> [(&str, &str); 4] {
    [
        ("grant_type", "refresh_token"),
        ("client_id", "tandem"),
        ("client_secret", "tandem-secret"),
        ("refresh_token", token),
    ]
}

#[tokio::test]
async fn a_refresh_token_is_good_again_and_again() {
    let org = Org::start(options()).await;
    for _ in 0..2 {
        let (status, body) = ask(&org, &refresh("kept-from-before")).await;
        assert_eq!(status, StatusCode::OK);
        assert!(body.get("refresh_token").is_none());
        assert_eq!(
            works(&org, body["access_token"].as_str().unwrap()).await,
            StatusCode::OK
        );
    }
    let (_, body) = ask(&org, &refresh("another")).await;
    assert_eq!(body["error_description"], "expired access/refresh token");
    let mut form = refresh("kept-from-before");
    form[2].1 = "wrong";
    assert_eq!(ask(&org, &form).await.1["error"], "invalid_client");
    let mut form = refresh("kept-from-before");
    (form[1].1, form[2].1) = ("alice", "alice-secret");
    assert_eq!(ask(&org, &form).await.1["error"], "invalid_grant");
}

#[tokio::test]
async fn a_rotated_refresh_token_is_refused_and_its_reuse_revokes_all() {
    let mut options = options();
    options.rotate_refresh_tokens = true;
    let org = Org::start(options).await;
    let (_, first) = ask(&org, &refresh("kept-from-before")).await;
    let next = first["refresh_token"].as_str().unwrap();
    let (status, second) = ask(&org, &refresh(next)).await;
    assert_eq!(status, StatusCode::OK);
    let access = second["access_token"].as_str().unwrap();
    assert_eq!(works(&org, access).await, StatusCode::OK);

    let (status, body) = ask(&org, &refresh("kept-from-before")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(body["error"], "invalid_grant");
    assert_eq!(works(&org, access).await, StatusCode::UNAUTHORIZED);
    let newest = second["refresh_token"].as_str().unwrap();
    assert_eq!(ask(&org, &refresh(newest)).await.0, StatusCode::BAD_REQUEST);
}

const CALLBACK: &str = "http://localhost:1717/OauthRedirect";
const VERIFIER: &str = "a-verifier-that-only-this-client-knows";

async fn approve(org: &Org, decision: &str) -> url::Url {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let asked = [
        ("response_type", "code"),
        ("client_id", "PlatformCLI"),
        ("redirect_uri", CALLBACK),
        ("state", "a b"),
        ("scope", "refresh_token api web"),
        ("code_challenge", challenge.as_str()),
    ];
    let url = format!("{}/services/oauth2/authorize", org.server.url());
    let page = org.http.get(&url).query(&asked).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    let page = page.text().await.unwrap();
    assert!(
        page.contains("PlatformCLI") && page.contains("Alice Archer"),
        "{page}"
    );
    let alice = page
        .split("<option value=\"")
        .find(|part| part.contains("Alice Archer"));
    let alice = alice.unwrap().split('"').next().unwrap();
    let mut form = asked.to_vec();
    form.extend([("user", alice), ("decision", decision)]);
    let reply = org.http.post(&url).form(&form).send().await.unwrap();
    assert_eq!(reply.status(), StatusCode::FOUND);
    url::Url::parse(reply.headers()["location"].to_str().unwrap()).unwrap()
}

fn parameter(url: &url::Url, name: &str) -> String {
    let found = url.query_pairs().find(|(known, _)| known == name);
    found.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

#[tokio::test]
async fn a_person_lets_a_client_in_through_the_page() {
    let org = Org::new().await;
    let back = approve(&org, "allow").await;
    assert_eq!((back.port(), back.path()), (Some(1717), "/OauthRedirect"));
    assert_eq!(parameter(&back, "state"), "a b");
    let code = parameter(&back, "code");
    let mut form = [
        ("grant_type", "authorization_code"),
        ("client_id", "PlatformCLI"),
        ("redirect_uri", CALLBACK),
        ("code", code.as_str()),
        ("code_verifier", VERIFIER),
    ];
    let (status, body) = ask(&org, &form).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let token = body["access_token"].as_str().unwrap();
    let me = org
        .send(token, Method::GET, "/services/oauth2/userinfo", &[], Value::Null)
        .await;
    assert_eq!(me.body["preferred_username"], "alice@tandem.example");
    let again = [
        ("grant_type", "refresh_token"),
        ("client_id", "PlatformCLI"),
        ("refresh_token", body["refresh_token"].as_str().unwrap()),
    ];
    assert_eq!(ask(&org, &again).await.0, StatusCode::OK);

    assert_eq!(
        ask(&org, &form).await.1["error_description"],
        "expired authorization code"
    );
    let code = parameter(&approve(&org, "allow").await, "code");
    (form[3].1, form[4].1) = (code.as_str(), "another-verifier");
    assert_eq!(
        ask(&org, &form).await.1["error_description"],
        "invalid code verifier"
    );
}

#[tokio::test]
async fn a_person_refuses_and_strange_clients_see_no_page() {
    let org = Org::new().await;
    let back = approve(&org, "deny").await;
    assert_eq!(parameter(&back, "error"), "access_denied");
    assert_eq!(parameter(&back, "code"), "");
    let url = format!("{}/services/oauth2/authorize", org.server.url());
    for (query, words) in [
        (
            "client_id=no&response_type=code&redirect_uri=http://localhost/",
            "invalid_client_id",
        ),
        (
            "client_id=tandem&response_type=code&redirect_uri=https://example.com/",
            "redirect_uri_mismatch",
        ),
    ] {
        let reply = org.http.get(format!("{url}?{query}")).send().await.unwrap();
        assert_eq!(reply.status(), StatusCode::BAD_REQUEST);
        assert!(reply.text().await.unwrap().contains(words));
    }
    let query = "client_id=tandem&response_type=token&redirect_uri=http://localhost/";
    let reply = org.http.get(format!("{url}?{query}")).send().await.unwrap();
    let to = reply.headers()["location"].to_str().unwrap();
    assert!(to.contains("unsupported_response_type"), "{to}");
}

#[tokio::test]
async fn user_names_and_passwords_are_refused() {
    let org = Org::new().await;
    let form = [
        ("grant_type", "password"),
        ("client_id", "tandem"),
        ("client_secret", "tandem-secret"),
        ("username", "integration@tandem.example"),
        ("password", "secret"),
    ];
    let (status, body) = ask(&org, &form).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(body["error"], "invalid_grant");
    assert_eq!(body["error_description"], "authentication failure");
}

#[tokio::test]
async fn one_learns_who_one_is() {
    let org = Org::new().await;
    let token = org.login("alice").await;
    let me = org
        .send(&token, Method::GET, "/services/oauth2/userinfo", &[], Value::Null)
        .await;
    let info = &me.body;
    let organization = org.query("SELECT Id FROM Organization").await[0]["Id"].clone();
    assert_eq!(info["organization_id"], organization);
    assert_eq!(info["given_name"], "Alice");
    assert_eq!(info["zoneinfo"], "Europe/Berlin");
    assert_eq!(info["utcOffset"], 3_600_000);
    for name in [
        "rest",
        "sobjects",
        "query",
        "partner",
        "enterprise",
        "metadata",
        "tooling_rest",
    ] {
        let address = info["urls"][name].as_str().unwrap();
        assert!(
            address.starts_with(&org.server.url()) && address.contains("{version}"),
            "{address}"
        );
    }
    let sub = info["sub"].as_str().unwrap();
    let path = sub.strip_prefix(&org.server.url()).unwrap();
    let me = org
        .send(
            &token,
            Method::GET,
            &format!("{path}?version=latest"),
            &[],
            Value::Null,
        )
        .await;
    assert_eq!(me.body["username"], "alice@tandem.example");
    assert_eq!(me.body["user_id"], info["user_id"]);
    let rest = me.body["urls"]["rest"].as_str().unwrap();
    assert!(rest.ends_with("/services/data/v68.0/"), "{rest}");

    let refused = org
        .http
        .get(format!("{}{path}", org.server.url()))
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert_eq!(refused.text().await.unwrap(), "Missing_OAuth_Token");
    let other = org.login("bob").await;
    let refused = org.send(&other, Method::GET, path, &[], Value::Null).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let refused = org
        .send("no", Method::GET, "/services/oauth2/userinfo", &[], Value::Null)
        .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_revoked_token_is_over_and_introspection_says_so() {
    let org = Org::start(options()).await;
    let (_, body) = ask(&org, &refresh("kept-from-before")).await;
    let access = body["access_token"].as_str().unwrap();
    let post = async |path: &str, token: &str| {
        let url = format!("{}/services/oauth2/{path}", org.server.url());
        let form = [
            ("token", token),
            ("client_id", "tandem"),
            ("client_secret", "tandem-secret"),
        ];
        let reply = org.http.post(url).form(&form).send().await.unwrap();
        let (status, text) = (reply.status(), reply.text().await.unwrap());
        (status, serde_json::from_str::<Value>(&text).unwrap_or_default())
    };
    let (_, seen) = post("introspect", access).await;
    assert_eq!(
        (&seen["active"], &seen["username"]),
        (&json!(true), &json!("integration@tandem.example"))
    );
    assert_eq!(
        post("introspect", "kept-from-before").await.1["token_type"],
        "refresh_token"
    );

    assert_eq!(post("revoke", "kept-from-before").await.0, StatusCode::OK);
    assert_eq!(works(&org, access).await, StatusCode::UNAUTHORIZED);
    assert_eq!(post("introspect", access).await.1, json!({ "active": false }));
    let (status, refused) = post("revoke", access).await;
    assert_eq!(
        (status, &refused["error"]),
        (StatusCode::BAD_REQUEST, &json!("invalid_token"))
    );
    let form = [
        ("token", access),
        ("client_id", "tandem"),
        ("client_secret", "wrong"),
    ];
    let url = format!("{}/services/oauth2/introspect", org.server.url());
    let refused = org.http.post(url).form(&form).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_form_may_arrive_in_chunks() {
    let org = Org::start(options()).await;
    let body = "grant_type=client_credentials&client_id=tandem&client_secret=tandem-secret";
    let mut request = String::from(
        "POST /services/oauth2/token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    for chunk in body.as_bytes().chunks(7) {
        let text = std::str::from_utf8(chunk).unwrap();
        request.push_str(&format!("{:x}\r\n{text}\r\n", chunk.len()));
    }
    request.push_str("0\r\n\r\n");
    let mut stream = tokio::net::TcpStream::connect(org.server.address())
        .await
        .unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    assert!(
        reply.starts_with("HTTP/1.1 200") && reply.contains("access_token"),
        "{reply}"
    );
}
