//! Every way of signing in against the local org, over https by its own certificate, with tokens that end in
//! mid-run.

use super::config;
use crate::scene::plain_client;
use futures::future::join_all;
use std::path::Path;
use tandem_connector::salesforce::{Salesforce, SalesforceConfig, SignIn};
use tandem_connector::{Connector, ErrorKind};
use tandem_lab::salesforce::{Options, Server, serve};

const PRIVATE: &str = include_str!("keys/pkcs8.pem");
const PUBLIC: &str = include_str!("keys/public.pem");
const USER: &str = "integration@tandem.example";
const IN_FLIGHT: usize = 50;

async fn office(rotate_refresh_tokens: bool) -> Server {
    let mut options = Options {
        rotate_refresh_tokens,
        ..Options::default()
    };
    let user = options
        .users
        .iter_mut()
        .find(|user| user.username == USER)
        .unwrap();
    user.certificate = Some(PUBLIC.to_owned());
    user.refresh_token = Some("token-from-the-browser".to_owned());
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    serve(options, listener).await.unwrap()
}

/// One process of Tandem.
fn connect(server: &Server, sign_in: SignIn) -> Salesforce {
    let url = server.https_url().parse().unwrap();
    Salesforce::connect(SalesforceConfig {
        sign_in,
        certificate_authority: Some(server.certificate().as_bytes().to_vec()),
        ..config(&url, "tandem")
    })
    .unwrap()
}

fn asserting() -> SignIn {
    SignIn::JwtBearer {
        client_id: "tandem".to_owned(),
        user: USER.to_owned(),
        private_key: PRIVATE.into(),
    }
}

fn refreshing(file: &Path) -> SignIn {
    SignIn::RefreshToken {
        client_id: "tandem".to_owned(),
        client_secret: Some("tandem-secret".into()),
        file: file.to_owned(),
    }
}

/// Ends every access token.
async fn expire(server: &Server) {
    let request = plain_client().delete(format!("{}/_local/tokens", server.url()));
    assert!(request.send().await.unwrap().status().is_success());
}

/// Fifty requests whose token ends while they are under way, and fifty that begin with an ended one.
async fn lose_nothing(server: &Server, org: &Salesforce) {
    let who = org.identify().await.unwrap();
    assert_eq!(who.user, USER);
    let all = || join_all((0..IN_FLIGHT).map(|_| org.identify()));
    let (under_way, ()) = futures::join!(all(), expire(server));
    expire(server).await;
    for answer in under_way.into_iter().chain(all().await) {
        assert_eq!(answer.unwrap().id, who.id);
    }
}

#[tokio::test]
async fn client_credentials_outlive_their_tokens() {
    let server = office(false).await;
    let sign_in = SignIn::ClientCredentials {
        client_id: "tandem".to_owned(),
        client_secret: "tandem-secret".into(),
    };
    lose_nothing(&server, &connect(&server, sign_in)).await;
}

#[tokio::test]
async fn assertions_outlive_their_tokens() {
    let server = office(false).await;
    lose_nothing(&server, &connect(&server, asserting())).await;
}

#[tokio::test]
async fn a_refresh_token_that_stays_serves_every_process() {
    let server = office(false).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "token-from-the-browser\n").unwrap();
    for _ in 0..2 {
        lose_nothing(&server, &connect(&server, refreshing(&file))).await;
    }
    assert_eq!(
        std::fs::read_to_string(&file).unwrap().trim(),
        "token-from-the-browser"
    );
}

#[tokio::test]
async fn a_refresh_token_that_is_replaced_at_every_use_outlives_tokens_and_processes() {
    let server = office(true).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "token-from-the-browser\n").unwrap();
    let mut shown = vec![std::fs::read_to_string(&file).unwrap()];
    for _ in 0..3 {
        // Another process begins with what the last one left in the file.
        lose_nothing(&server, &connect(&server, refreshing(&file))).await;
        let kept = std::fs::read_to_string(&file).unwrap();
        assert!(!shown.contains(&kept), "it was replaced");
        shown.push(kept);
    }
    // A replaced one is worth nothing, and ends what came of it.
    std::fs::write(&file, &shown[0]).unwrap();
    let error = connect(&server, refreshing(&file)).identify().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::SignIn);
    assert!(error.advice.contains("browser again"), "{error}");
    assert!(!format!("{error:?}").contains(shown[0].trim()));
}

#[tokio::test]
async fn an_org_whose_certificate_is_not_trusted_gets_no_secret() {
    let (ours, other) = (office(false).await, office(false).await);
    let url = ours.https_url().parse().unwrap();
    for authority in [None, Some(other.certificate().as_bytes().to_vec())] {
        let stranger = Salesforce::connect(SalesforceConfig {
            sign_in: asserting(),
            certificate_authority: authority,
            ..config(&url, "tandem")
        })
        .unwrap();
        assert_eq!(stranger.identify().await.unwrap_err().kind, ErrorKind::SignIn);
    }
}
