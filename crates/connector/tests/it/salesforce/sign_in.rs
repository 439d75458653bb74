//! The three grants, renewal, rotation, and where a token may go.

use super::config;
use super::office::{Answer, Asked, Office};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::future::join_all;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tandem_connector::salesforce::{Salesforce, SalesforceConfig, SignIn};
use tandem_connector::{Connector, ErrorKind};
use url::Url;

const KEYS: [&str; 2] = [include_str!("keys/pkcs1.pem"), include_str!("keys/pkcs8.pem")];
const PUBLIC: &[u8] = include_bytes!("keys/public.der");

fn ok(body: &str) -> Answer {
    ("200 OK".to_owned(), body.to_owned())
}

/// A reply to a sign-in at the office itself.
fn token(asked: &Asked, access: &str, more: &str) -> Answer {
    let host = asked
        .head
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap();
    ok(&format!(
        r#"{{"access_token":"{access}","instance_url":"http://{host}","id":"http://{host}/id/00D/005"{more}}}"#
    ))
}

/// Who the org is, as the connector asks for it.
fn organization() -> Answer {
    ok(r#"{"compositeResponse":[
        {"httpStatusCode":200,"referenceId":"r0","body":{"done":true,"records":[{"Id":"00D000000000001EAA","Name":"Acme","IsSandbox":true,"InstanceName":"EU42"}]}},
        {"httpStatusCode":200,"referenceId":"r1","body":{"done":true,"records":[{"Id":"005","Username":"tandem@acme.example"}]}}]}"#)
}

fn org(url: &Url, sign_in: SignIn) -> Salesforce {
    Salesforce::connect(SalesforceConfig {
        sign_in,
        ..config(url, "tandem")
    })
    .unwrap()
}

fn refreshing(file: &std::path::Path) -> SignIn {
    SignIn::RefreshToken {
        client_id: "tandem".to_owned(),
        client_secret: None,
        file: file.to_owned(),
    }
}

#[tokio::test]
async fn an_assertion_is_signed_and_says_who_and_for_whom() {
    for pem in KEYS {
        let office = Office::open(|asked| match asked.is_sign_in() {
            true => token(asked, "t-1", ""),
            false => organization(),
        })
        .await;
        let org = org(
            &office.url,
            SignIn::JwtBearer {
                client_id: "the-app".to_owned(),
                user: "tandem@acme.example".to_owned(),
                private_key: pem.into(),
            },
        );
        let who = org.identify().await.unwrap();
        assert_eq!((who.sandbox, who.instance.as_deref()), (Some(true), Some("EU42")));
        let asked = &office.asked()[0];
        assert_eq!(
            asked.field("grant_type").unwrap(),
            "urn:ietf:params:oauth:grant-type:jwt-bearer"
        );
        let assertion = asked.field("assertion").unwrap();
        let (signed, signature) = assertion.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, PUBLIC)
            .verify(signed.as_bytes(), &signature)
            .unwrap();
        let claims = URL_SAFE_NO_PAD.decode(signed.split_once('.').unwrap().1).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["iss"], "the-app");
        assert_eq!(claims["sub"], "tandem@acme.example");
        assert_eq!(claims["aud"], office.url.origin().ascii_serialization());
        let left = claims["exp"].as_i64().unwrap() - jiff::Timestamp::now().as_second();
        assert!((60..=180).contains(&left), "{left}");
    }
}

#[tokio::test]
async fn an_assertion_that_a_wrong_clock_made_is_made_anew_by_the_orgs_clock() {
    let tries = AtomicUsize::new(0);
    let office = Office::open(move |asked| match asked.is_sign_in() {
        true if tries.fetch_add(1, Ordering::SeqCst) == 0 => (
            "400 Bad Request\r\ndate: Sun, 01 Mar 2026 12:00:00 GMT".to_owned(),
            r#"{"error":"invalid_grant","error_description":"assertion expired"}"#.to_owned(),
        ),
        true => token(asked, "t-1", ""),
        false => organization(),
    })
    .await;
    let org = org(
        &office.url,
        SignIn::JwtBearer {
            client_id: "the-app".to_owned(),
            user: "u".to_owned(),
            private_key: KEYS[0].into(),
        },
    );
    org.identify().await.unwrap();
    let assertion = office.asked()[1].field("assertion").unwrap();
    let claims = URL_SAFE_NO_PAD
        .decode(assertion.split('.').nth(1).unwrap())
        .unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    let noon: jiff::Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    let ahead = claims["exp"].as_i64().unwrap() - noon.as_second();
    assert!((60..=180).contains(&ahead), "{ahead}");
}

#[tokio::test]
async fn a_replaced_refresh_token_is_durable_before_the_first_call_and_serves_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "token-0").unwrap();
    let kept = file.clone();
    let office = Office::open(move |asked| {
        let in_file = std::fs::read_to_string(&kept).unwrap();
        if !asked.is_sign_in() {
            // What came with the token in use is in the file already.
            let number = asked.bearer().unwrap().strip_prefix("access-").unwrap();
            assert_eq!(in_file.trim(), format!("token-{number}"));
            return organization();
        }
        let shown = asked.field("refresh_token").unwrap();
        assert_eq!(shown, in_file.trim(), "only the token in force is shown");
        let next = shown.strip_prefix("token-").unwrap().parse::<u32>().unwrap() + 1;
        token(
            asked,
            &format!("access-{next}"),
            &format!(r#","refresh_token":"token-{next}""#),
        )
    })
    .await;
    for round in 1..=3 {
        org(&office.url, refreshing(&file)).identify().await.unwrap();
        assert_eq!(
            std::fs::read_to_string(&file).unwrap().trim(),
            format!("token-{round}")
        );
    }
}

#[tokio::test]
async fn a_refresh_whose_reply_is_lost_is_not_repeated_blindly() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "token-0").unwrap();
    let office = Office::open(|_| ("503 Service Unavailable".to_owned(), String::new())).await;
    let error = org(&office.url, refreshing(&file)).identify().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Down);
    assert_eq!(office.sign_ins(), 1);
}

#[tokio::test]
async fn fifty_calls_that_meet_an_expired_token_renew_it_once() {
    // GIVEN an org whose first token ends after the first call
    let calls = AtomicUsize::new(0);
    let signed = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&signed);
    let office = Office::open(move |asked| {
        if asked.is_sign_in() {
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            return token(asked, &format!("t-{number}"), "");
        }
        let first = calls.fetch_add(1, Ordering::SeqCst) == 0;
        if asked.bearer() == Some("t-1") && !first {
            return (
                "401 Unauthorized".to_owned(),
                r#"[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]"#.to_owned(),
            );
        }
        organization()
    })
    .await;
    let org = org(
        &office.url,
        SignIn::ClientCredentials {
            client_id: "tandem".to_owned(),
            client_secret: "secret".into(),
        },
    );
    org.identify().await.unwrap();
    // WHEN fifty calls meet it
    let all = join_all((0..50).map(|_| org.identify())).await;
    // THEN all are answered, after one renewal, and each was repeated once at most
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(signed.load(Ordering::SeqCst), 2);
    let calls = office.asked().len() - office.sign_ins();
    assert!(calls <= 1 + 2 * 50, "{calls}");
}

#[tokio::test]
async fn an_org_that_accepts_no_token_is_asked_twice_and_no_more() {
    let office = Office::open(|asked| match asked.is_sign_in() {
        true => token(asked, "t", ""),
        false => (
            "401 Unauthorized".to_owned(),
            r#"[{"message":"no","errorCode":"INVALID_SESSION_ID"}]"#.to_owned(),
        ),
    })
    .await;
    let sign_in = SignIn::ClientCredentials {
        client_id: "tandem".to_owned(),
        client_secret: "secret".into(),
    };
    let error = org(&office.url, sign_in).identify().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::SignIn);
    assert_eq!((office.sign_ins(), office.asked().len()), (2, 4));
}

#[tokio::test]
async fn what_an_org_says_of_a_refusal_is_shown_but_never_a_secret_it_repeats() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "canary-token").unwrap();
    for (words, shown) in [
        (
            "expired access/refresh token",
            "invalid_grant: expired access/refresh token",
        ),
        ("token canary-token is unknown", "no reason that could be shown"),
    ] {
        let body = format!(r#"{{"error":"invalid_grant","error_description":"{words}"}}"#);
        let office = Office::open(move |_| ("400 Bad Request".to_owned(), body.clone())).await;
        let error = org(&office.url, refreshing(&file)).identify().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::SignIn);
        assert!(error.message.contains(shown), "{error}");
        assert!(error.advice.contains("browser again"), "{error}");
        assert!(!format!("{error} {error:?}").contains("canary-token"));
    }
}

#[tokio::test]
async fn a_next_page_on_another_host_is_not_asked() {
    let stranger = Office::open(|_| ok("{}")).await;
    let port = stranger.url.port().unwrap();
    let office = Office::open(move |asked| {
        if asked.is_sign_in() {
            return token(asked, "t-1", "");
        }
        if asked.body.contains("/describe") {
            let describe = r#"{"name":"Contact","queryable":true,"fields":[{"name":"Id","type":"id"},{"name":"SystemModstamp","type":"datetime"}]}"#;
            let count = asked.body.matches("/describe").count();
            let parts = (0..count).map(|n| format!(r#"{{"httpStatusCode":200,"referenceId":"r{n}","body":{describe}}}"#));
            return ok(&format!(r#"{{"compositeResponse":[{}]}}"#, parts.collect::<Vec<_>>().join(",")));
        }
        let row = r#"{"Id":"003000000000001AAA","SystemModstamp":"2026-03-01T12:00:00.000+0000"}"#;
        ok(&format!(
            r#"{{"compositeResponse":[{{"httpStatusCode":200,"referenceId":"r0","body":{{"done":false,"nextRecordsUrl":"https://stranger.example:{port}/next","records":[{row}]}}}}]}}"#
        ))
    })
    .await;
    let sign_in = SignIn::ClientCredentials {
        client_id: "tandem".to_owned(),
        client_secret: "secret".into(),
    };
    let org = org(&office.url, sign_in);
    let ids = ["003000000000001AAA".to_owned()];
    let error = org.fetch(&super::of("Contact"), &ids).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Protocol);
    assert!(error.message.contains("another host"), "{error}");
    assert!(stranger.asked().is_empty());
}

#[tokio::test]
async fn nothing_secret_shows_in_debug() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "canary-token").unwrap();
    let ways = [
        refreshing(&file),
        SignIn::JwtBearer {
            client_id: "tandem".to_owned(),
            user: "u".to_owned(),
            private_key: KEYS[1].into(),
        },
        SignIn::ClientCredentials {
            client_id: "tandem".to_owned(),
            client_secret: "canary-secret".into(),
        },
    ];
    let office = Office::open(|asked| match asked.is_sign_in() {
        true => token(asked, "canary-access", ""),
        false => organization(),
    })
    .await;
    for way in ways {
        let org = org(&office.url, way.clone());
        let who = org.identify().await.unwrap();
        let shown = format!("{way:?} {org:?} {who:?} {:?}", org.budget());
        for secret in ["canary", "MII", "PRIVATE"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
