//! https beside http, by a certificate that the org makes.

use reqwest::{Certificate, Client, Method};
use serde_json::{Value, json};
use tandem_lab::salesforce::Options;

use super::Org;

fn trusting(org: &Org) -> Client {
    let authority = Certificate::from_pem(org.server.certificate().as_bytes()).unwrap();
    Client::builder().tls_certs_only([authority]).build().unwrap()
}

async fn login(client: &Client, url: &str) -> Value {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "tandem"),
        ("client_secret", "tandem-secret"),
    ];
    let reply = client
        .post(format!("{url}/services/oauth2/token"))
        .form(&form)
        .send();
    reply.await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn https_and_http_share_a_port_and_each_client_goes_on_as_it_came() {
    let org = Org::new().await;
    let client = trusting(&org);
    let port = org.server.address().port();
    for url in [
        format!("https://127.0.0.1:{port}"),
        format!("https://localhost:{port}"),
        format!("http://localhost:{port}"),
    ] {
        let reply = login(&client, &url).await;
        assert_eq!(reply["instance_url"], json!(url));
        assert!(reply["id"].as_str().unwrap().starts_with(&url));
        let token = reply["access_token"].as_str().unwrap();
        let limits = client
            .get(format!("{url}/services/data/v62.0/limits"))
            .bearer_auth(token);
        assert_eq!(limits.send().await.unwrap().status(), 200);
    }
    assert!(org.server.url().starts_with("http://"));
    assert_eq!(org.server.https_url(), format!("https://127.0.0.1:{port}"));
}

#[tokio::test]
async fn a_client_that_does_not_trust_the_certificate_is_not_served() {
    let org = Org::new().await;
    let other = Org::new().await;
    let stranger = trusting(&other).get(org.server.https_url()).send().await;
    assert!(stranger.unwrap_err().is_connect());
}

#[tokio::test]
async fn an_org_of_https_alone_turns_http_away() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let options = Options {
        tls: true,
        ..Options::default()
    };
    let server = tandem_lab::salesforce::serve(options, listener).await.unwrap();
    assert!(server.url().starts_with("https://"));
    let authority = Certificate::from_pem(server.certificate().as_bytes()).unwrap();
    let client = Client::builder().tls_certs_only([authority]).build().unwrap();
    let reply = login(&client, &server.url()).await;
    assert_eq!(reply["instance_url"], json!(server.url()));
    let plain = format!("http://{}/", server.address());
    let refused = client.request(Method::GET, plain).send().await.unwrap();
    assert_eq!(refused.status(), 400);
    assert_eq!(refused.text().await.unwrap(), "This port speaks https, not http.");
}
