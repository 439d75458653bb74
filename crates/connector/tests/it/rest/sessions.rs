//! Signing in, staying signed in, and signing out.

use super::stage::{create, description, erp, header, listed, method, ok, parameter, sent, status, thing};
use crate::salesforce::office::Asked;
use crate::scene::{applied, one};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use tandem_connector::rest::Rest;
use tandem_connector::{ErrorKind, Outcome};

const THINGS: &str = "
record: { id: id }
list: { request: GET /things, query: { p: \"{page}\" }, items: rows, paging: { kind: page, pages: pages } }
read: { request: \"GET /things/{id}\" }
create: { request: POST /things, record: . }
";

fn page(asked: &Asked) -> (String, String) {
    let number: u32 = parameter(asked, "p").unwrap().parse().unwrap();
    ok(&json!({ "rows": [thing(number)], "pages": 3 }))
}

#[tokio::test]
async fn fixed_credentials_travel_as_the_description_says() {
    let cases = [
        ("{ kind: bearer }", "authorization", "Bearer s1"),
        (
            "{ kind: bearer, scheme: token, token: \"{secret.key}:{secret.token}\" }",
            "authorization",
            "token k1:s1",
        ),
        ("{ kind: basic }", "authorization", "Basic dTE6cDE="),
        (
            "{ kind: api-key, headers: { X-API-Key: \"{secret.key}\" } }",
            "x-api-key",
            "k1",
        ),
        ("{ kind: api-key, query: { key: \"{secret.key}\" } }", "", "k1"),
    ];
    let secrets = [("token", "s1"), ("user", "u1"), ("password", "p1"), ("key", "k1")];
    for (session, name, value) in cases {
        let text = description(&format!("session: {session}"), THINGS, "name: string");
        let (_office, rest) = erp(&text, &secrets, move |asked| {
            let carried = match name.is_empty() {
                true => parameter(asked, "key"),
                false => header(asked, name).map(str::to_owned),
            };
            match carried.as_deref() == Some(value) {
                true => page(asked),
                false => status("401 Unauthorized"),
            }
        })
        .await;
        assert_eq!(listed(&rest).await.unwrap().len(), 3, "{session}");
        assert!(!format!("{rest:?}").contains("s1"), "{rest:?}");
    }
    // A secret that is not there is named before anything is sent.
    let text = description("session: { kind: basic }", THINGS, "name: string");
    let config = super::config(&"http://127.0.0.1:1".parse().unwrap(), &text, &[("user", "u")]);
    let error = Rest::connect(config).unwrap_err();
    assert!(
        error.kind == ErrorKind::SignIn && error.message.contains("password"),
        "{error}"
    );
}

const LOGIN: &str = "
session:
  kind: login
  request: POST /login
  body: { UserName: \"{secret.user}\", Password: \"{secret.password}\" }
  token: session.id
  carry: { X-Session: \"{token}\" }
  logout: { request: POST /logout }";

#[tokio::test]
async fn a_session_that_ends_in_the_middle_is_begun_again_once() {
    let logins = AtomicUsize::new(0);
    let (office, rest) = erp(
        &description(LOGIN, THINGS, "name: string"),
        &[("user", "u"), ("password", "p\"x")],
        move |asked| {
            let number = logins.load(Ordering::SeqCst);
            match (method(asked), asked.path.as_str()) {
                ("POST", "/login") => {
                    assert_eq!(sent(asked), json!({ "UserName": "u", "Password": "p\"x" }));
                    let number = logins.fetch_add(1, Ordering::SeqCst) + 1;
                    ok(&json!({ "session": { "id": format!("s{number}") } }))
                }
                ("POST", "/logout") => {
                    assert_eq!(header(asked, "x-session"), Some("s2"));
                    ok(&json!({}))
                }
                // The first session ends behind the second page.
                _ if header(asked, "x-session") != Some(&format!("s{number}")) => status("401 Unauthorized"),
                _ if number == 1 && parameter(asked, "p").as_deref() == Some("3") => {
                    status("401 Unauthorized")
                }
                _ => page(asked),
            }
        },
    )
    .await;
    assert_eq!(listed(&rest).await.unwrap().len(), 3);
    let paths: Vec<String> = office.asked().iter().map(|asked| asked.path.clone()).collect();
    assert_eq!(
        paths.iter().filter(|path| *path == "/login").count(),
        2,
        "{paths:?}"
    );
    rest.sign_out().await.unwrap();
    assert_eq!(office.asked().last().unwrap().path, "/logout");
    // Nobody is signed in any more, so there is nothing to end.
    let before = office.asked().len();
    rest.sign_out().await.unwrap();
    assert_eq!(office.asked().len(), before);
}

#[tokio::test]
async fn who_is_not_known_is_not_asked_again_and_again() {
    let (office, rest) = erp(
        &description(LOGIN, THINGS, "name: string"),
        &[("user", "u"), ("password", "p")],
        |asked| match asked.path.as_str() {
            "/login" => ok(&json!({ "session": { "id": "s" } })),
            _ => status("401 Unauthorized"),
        },
    )
    .await;
    let error = listed(&rest).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::SignIn);
    assert_eq!(office.asked().len(), 4, "two sessions, one request in each");
    let outcome = one(&rest, create(&[("name", "x".into())])).await;
    let Outcome::NotSent(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(error.kind, ErrorKind::SignIn);
    // A sign-in that is refused is told as such.
    let (_office, rest) = erp(
        &description(LOGIN, THINGS, "name: string"),
        &[("user", "u"), ("password", "p")],
        |_| status("403 Forbidden"),
    )
    .await;
    let error = listed(&rest).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::SignIn);
    assert!(error.message.contains("sign in"), "{error}");
}

#[tokio::test]
async fn cookies_are_a_session_too() {
    let login = "
session:
  kind: login
  request: POST /login
  body: { user: \"{secret.user}\" }
  minutes: SessionTimeout";
    let (office, rest) = erp(
        &description(login, THINGS, "name: string"),
        &[("user", "u")],
        |asked| match asked.path.as_str() {
            "/login" => (
                "200 OK\r\nset-cookie: B1SESSION=abc; HttpOnly\r\nset-cookie: ROUTEID=.n1; path=/".to_owned(),
                json!({ "SessionTimeout": 30 }).to_string(),
            ),
            _ if header(asked, "cookie") == Some("B1SESSION=abc; ROUTEID=.n1") => page(asked),
            _ => status("401 Unauthorized"),
        },
    )
    .await;
    assert_eq!(listed(&rest).await.unwrap().len(), 3);
    assert_eq!(office.asked().len(), 4);
}

#[tokio::test]
async fn a_token_by_oauth_is_asked_for_once_and_again_when_it_is_over() {
    let session = "
session:
  kind: oauth
  token_url: /oauth/token
  scope: things.all
  fields: { resource: \"{secret.tenant}\" }";
    let secrets = [("client_id", "c"), ("client_secret", "s&s"), ("tenant", "t")];
    let given = AtomicUsize::new(0);
    let (office, rest) = erp(
        &description(session, THINGS, "name: string"),
        &secrets,
        move |asked| {
            if asked.path == "/oauth/token" {
                let field = |name| asked.field(name);
                assert_eq!(field("grant_type").as_deref(), Some("client_credentials"));
                assert_eq!(field("client_secret").as_deref(), Some("s&s"));
                assert_eq!(
                    (field("scope").as_deref(), field("resource").as_deref()),
                    (Some("things.all"), Some("t"))
                );
                let number = given.fetch_add(1, Ordering::SeqCst) + 1;
                return ok(&json!({ "access_token": format!("t{number}"), "expires_in": 3600 }));
            }
            let number = given.load(Ordering::SeqCst);
            let known = asked.bearer() == Some(&format!("t{number}"));
            match known && !(number == 1 && parameter(asked, "p").as_deref() == Some("2")) {
                true => page(asked),
                false => status("401 Unauthorized"),
            }
        },
    )
    .await;
    assert_eq!(listed(&rest).await.unwrap().len(), 3);
    let tokens = office
        .asked()
        .iter()
        .filter(|asked| asked.path == "/oauth/token")
        .count();
    assert_eq!(tokens, 2);
}

#[tokio::test]
async fn a_forged_request_token_is_fetched_with_its_cookie_and_again_when_it_is_refused() {
    let session = "
session: { kind: basic }
csrf: { request: GET / }
base: /srv/";
    let fetched = AtomicUsize::new(0);
    let (office, rest) = erp(
        &description(session, THINGS, "name: string"),
        &[("user", "u"), ("password", "p")],
        move |asked| {
            if asked.path == "/srv/" {
                assert_eq!(header(asked, "x-csrf-token"), Some("Fetch"));
                let number = fetched.fetch_add(1, Ordering::SeqCst) + 1;
                let line = format!("200 OK\r\nx-csrf-token: t{number}\r\nset-cookie: sap=c{number}");
                return (line, "{}".to_owned());
            }
            if method(asked) == "GET" {
                assert_eq!(header(asked, "x-csrf-token"), None, "reads need none");
                return page(asked);
            }
            // The first token is over when it is used a second time.
            let number = fetched.load(Ordering::SeqCst);
            let good = header(asked, "x-csrf-token") == Some(&format!("t{number}"))
                && header(asked, "cookie") == Some(&format!("sap=c{number}"))
                && !(number == 1 && sent(asked)["name"] == "second");
            match good {
                true => ("201 Created".to_owned(), thing(7).to_string()),
                false => status("403 Forbidden\r\nx-csrf-token: Required"),
            }
        },
    )
    .await;
    assert_eq!(listed(&rest).await.unwrap().len(), 3);
    for name in ["first", "second", "third"] {
        let outcome = one(&rest, create(&[("name", name.into())])).await;
        assert_eq!(applied(&outcome), "7", "{name}");
    }
    let fetches = office
        .asked()
        .iter()
        .filter(|asked| asked.path == "/srv/")
        .count();
    assert_eq!(fetches, 2);
}

#[tokio::test]
async fn a_new_session_has_a_new_token_against_forged_requests() {
    let session = format!("{LOGIN}\ncsrf: {{ request: GET /token }}");
    let logins = AtomicUsize::new(0);
    let secrets = [("user", "u"), ("password", "p")];
    let (_office, rest) = erp(
        &description(&session, THINGS, "name: string"),
        &secrets,
        move |asked| {
            if asked.path == "/login" {
                let number = logins.fetch_add(1, Ordering::SeqCst) + 1;
                return ok(&json!({ "session": { "id": format!("s{number}") } }));
            }
            let number = logins.load(Ordering::SeqCst);
            if header(asked, "x-session") != Some(&format!("s{number}")) {
                return status("401 Unauthorized");
            }
            if asked.path == "/token" {
                return (format!("200 OK\r\nx-csrf-token: t{number}"), "{}".to_owned());
            }
            match (number, header(asked, "x-csrf-token")) {
                // The session ends with the first write.
                (1, Some("t1")) => status("401 Unauthorized"),
                (2, Some("t2")) => ("201 Created".to_owned(), thing(7).to_string()),
                // An ERP that does not say why.
                _ => status("400 Bad Request"),
            }
        },
    )
    .await;
    assert_eq!(applied(&one(&rest, create(&[("name", "x".into())])).await), "7");
}
