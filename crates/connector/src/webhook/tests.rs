//! Messages: who may send them, and what they lead to.
#![allow(clippy::unwrap_used)]

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use ring::hmac;
use std::collections::BTreeMap;
use tandem_merge::config::{Encoding, SecretReference, SignedPart, Tells};

const SECRET: &str = "a secret that nobody guesses";
const NOW: i64 = 1_800_000_000;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

/// As Standard Webhooks has it.
fn standard() -> config::Webhook {
    let dot = || SignedPart::Text(".".to_owned());
    config::Webhook {
        secret: SecretReference::Env("HOOK".to_owned()),
        signature: "webhook-signature".to_owned(),
        prefix: "v1,".to_owned(),
        encoding: Encoding::Base64,
        signs: vec![
            SignedPart::Id,
            dot(),
            SignedPart::Timestamp,
            dot(),
            SignedPart::Body,
        ],
        timestamp: Some("webhook-timestamp".to_owned()),
        id: "webhook-id".to_owned(),
        window_ms: 300_000,
        tells: Some(Tells {
            at: "events".to_owned(),
            record_type: "entity".to_owned(),
            id: "data.id".to_owned(),
            address: None,
            types: BTreeMap::from([("kunde".to_owned(), "Customer".to_owned())]),
        }),
        echo: None,
        word: None,
    }
}

fn hook(of: &config::Webhook) -> Webhook {
    let types = ["Customer", "Order"].map(|name| RecordType::new("erp", name));
    Webhook::new("erp", of, SECRET, types.into()).unwrap()
}

fn signature(secret: &[u8], signed: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    STANDARD.encode(hmac::sign(&key, signed.as_bytes()))
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name: reqwest::header::HeaderName = name.parse().unwrap();
        headers.append(name, value.parse().unwrap());
    }
    headers
}

/// A message as the standard has it, made at `at`.
fn signed(id: &str, at: i64, body: &str) -> HeaderMap {
    let signature = signature(SECRET.as_bytes(), &format!("{id}.{at}.{body}"));
    let signature = format!("v1,{signature}");
    let at = at.to_string();
    headers(&[
        ("webhook-id", id),
        ("webhook-timestamp", &at),
        ("webhook-signature", &signature),
    ])
}

const BODY: &str = r#"{"events":[{"entity":"kunde","data":{"id":7}},{"entity":"Order","data":{"id":"A-1"}},{"entity":"Invoice","data":{"id":"9"}}]}"#;

fn customer() -> Vec<RecordType> {
    vec![RecordType::new("erp", "Customer")]
}

#[test]
fn a_message_that_is_signed_names_records_once() {
    let hook = hook(&standard());
    hook.take(&signed("m1", NOW, BODY), BODY.as_bytes(), now())
        .unwrap();
    let told = hook.told(&customer(), None);
    assert_eq!(told, vec![RecordKey::new("erp", "Customer", "7")]);
    // The others wait for whoever asks for them; a type that is not kept in step is nobody's.
    assert_eq!(hook.told(&customer(), None), vec![]);
    let order = RecordType::new("erp", "Order");
    assert_eq!(
        hook.told(&[order, RecordType::new("erp", "Invoice")], None),
        vec![RecordKey::new("erp", "Order", "A-1")]
    );
}

#[test]
fn what_is_not_proven_has_no_effect() {
    let hook = hook(&standard());
    let good = signed("m1", NOW, BODY);
    let without = |name: &str| {
        let mut headers = good.clone();
        headers.remove(name);
        headers
    };
    let other_body = BODY.replace('7', "8");
    let forged_stamp = {
        let mut headers = signed("m1", NOW - 3_600, BODY);
        headers.insert("webhook-timestamp", NOW.to_string().parse().unwrap());
        headers
    };
    let other_secret = headers(&[
        ("webhook-id", "m1"),
        ("webhook-timestamp", &NOW.to_string()),
        (
            "webhook-signature",
            &format!(
                "v1,{}",
                signature(b"another secret altogether", &format!("m1.{NOW}.{BODY}"))
            ),
        ),
    ]);
    for (headers, body, why) in [
        (without("webhook-signature"), BODY, "it has no signature"),
        (without("webhook-timestamp"), BODY, "it has no time stamp"),
        (without("webhook-id"), BODY, "it has no id"),
        (good.clone(), other_body.as_str(), "its signature does not fit"),
        (forged_stamp, BODY, "its signature does not fit"),
        (other_secret, BODY, "its signature does not fit"),
        (
            signed("m1", NOW - 301, BODY),
            BODY,
            "its time stamp is too far from now: it is old, or the clocks differ",
        ),
        (
            signed("m1", NOW + 301, BODY),
            BODY,
            "its time stamp is too far from now: it is old, or the clocks differ",
        ),
    ] {
        let refused = hook.take(&headers, body.as_bytes(), now());
        assert_eq!(refused, Err(Refused::Unproven(why)));
        assert_eq!(hook.told(&customer(), None), vec![], "{why}");
    }
}

#[tokio::test]
async fn a_message_that_comes_again_wakes_nobody() {
    let hook = hook(&standard());
    let message = signed("m1", NOW, BODY);
    hook.take(&message, BODY.as_bytes(), now()).unwrap();
    hook.changed().await;
    assert_eq!(hook.told(&customer(), None).len(), 1);
    // Taken, so that its sender is content; and nothing follows.
    hook.take(&message, BODY.as_bytes(), now()).unwrap();
    assert_eq!(hook.told(&customer(), None), vec![]);
    let woken = futures::poll!(std::pin::pin!(hook.changed()));
    assert!(woken.is_pending());
    // Another message that says the same is news.
    hook.take(&signed("m2", NOW, BODY), BODY.as_bytes(), now())
        .unwrap();
    assert_eq!(hook.told(&customer(), None).len(), 1);
    // What is forgotten is refused by its time stamp.
    let later = now().saturating_add(SignedDuration::from_secs(601)).unwrap();
    assert!(hook.take(&message, BODY.as_bytes(), later).is_err());
}

#[test]
fn other_forms_of_signatures_are_taken_too() {
    // As many do: hexadecimal digits over the body alone, without a time stamp.
    let plain = config::Webhook {
        signature: "x-signature".to_owned(),
        prefix: "sha256=".to_owned(),
        encoding: Encoding::Hex,
        signs: vec![SignedPart::Body],
        timestamp: None,
        tells: None,
        ..standard()
    };
    let hook = hook(&plain);
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let tag = hmac::sign(&key, b"changed");
    let digits: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let header = format!("sha256={digits}");
    hook.take(&headers(&[("x-signature", &header)]), b"changed", now())
        .unwrap();
    let refused = hook.take(&headers(&[("x-signature", &header)]), b"changes", now());
    assert_eq!(refused, Err(Refused::Unproven("its signature does not fit")));
    // While secrets change there are two signatures.
    let standard = standard();
    let hook = self::hook(&standard);
    let mut both = signed("m3", NOW, BODY);
    let second = both["webhook-signature"].to_str().unwrap().to_owned();
    both.insert("webhook-signature", format!("v1,AAAA {second}").parse().unwrap());
    hook.take(&both, BODY.as_bytes(), now()).unwrap();
}

#[test]
fn a_standard_secret_is_decoded_and_a_short_one_refused() {
    let types = BTreeSet::new();
    let secret = format!("whsec_{}", STANDARD.encode(SECRET));
    let hook = Webhook::new("erp", &standard(), &secret, types.clone()).unwrap();
    hook.take(&signed("m1", NOW, BODY), BODY.as_bytes(), now())
        .unwrap();
    for bad in ["short", "whsec_???", "whsec_c2hvcnQ="] {
        assert!(
            Webhook::new("erp", &standard(), bad, types.clone()).is_err(),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn what_is_not_understood_still_says_that_something_changed() {
    for body in ["no JSON", r#"{"other":1}"#, r#"{"events":[{"entity":"kunde"}]}"#] {
        let hook = hook(&standard());
        let refused = hook.take(&signed("m1", NOW, body), body.as_bytes(), now());
        assert!(matches!(refused, Err(Refused::Unreadable(_))), "{body}");
        hook.changed().await;
    }
}

#[test]
fn more_records_than_are_remembered_are_asked_for() {
    let hook = hook(&standard());
    for number in 0..10_001 {
        let body = format!(r#"{{"events":{{"entity":"kunde","data":{{"id":{number}}}}}}}"#);
        hook.take(&signed(&number.to_string(), NOW, &body), body.as_bytes(), now())
            .unwrap();
    }
    assert_eq!(hook.told(&customer(), None).len(), 10_000);
}

#[test]
fn what_went_with_a_page_that_was_not_kept_comes_again() {
    let hook = hook(&standard());
    hook.take(&signed("m1", NOW, BODY), BODY.as_bytes(), now())
        .unwrap();
    let told = hook.told(&customer(), Some(b"before"));
    hook.went_with(told.clone(), b"behind");
    // Whoever asks from where the page began has not kept it.
    assert_eq!(hook.told(&customer(), Some(b"before")), told);
    hook.went_with(told, b"behind");
    assert_eq!(hook.told(&customer(), Some(b"behind")), vec![]);
}

#[test]
fn a_place_that_is_none_is_told() {
    let mut of = standard();
    of.tells.as_mut().unwrap().id = "data..id".to_owned();
    let told = Webhook::new("erp", &of, SECRET, BTreeSet::new()).unwrap_err();
    assert!(told.contains("`data..id` is no place"), "{told}");
}

#[test]
fn every_entry_must_show_the_shared_word_and_an_address_names_a_record() {
    let of = config::Webhook {
        word: Some("value.clientState".to_owned()),
        tells: Some(Tells {
            at: "value".to_owned(),
            record_type: "type".to_owned(),
            id: "id".to_owned(),
            address: Some("resource".to_owned()),
            types: BTreeMap::from([("customers".to_owned(), "Customer".to_owned())]),
        }),
        ..standard()
    };
    let hook = hook(&of);
    let entry = |word: &str, resource: &str| format!(r#"{{"clientState":"{word}","resource":"{resource}"}}"#);
    let take = |entries: &[String]| {
        let body = format!(r#"{{"value":[{}]}}"#, entries.join(","));
        hook.take(&HeaderMap::new(), body.as_bytes(), now())
    };
    let right = entry(SECRET, "api/v2.0/companies(1)/customers(a-7)");
    let list = entry(SECRET, "api/v2.0/companies(1)/customers?$filter=x gt 1");
    let wrong = entry("a guess", "api/v2.0/companies(1)/customers(8)");
    assert!(matches!(take(&[right.clone(), wrong]), Err(Refused::Unproven(_))));
    assert!(matches!(take(&[]), Err(Refused::Unproven(_))));
    take(&[right, list]).unwrap();
    let told = hook.told(&[RecordType::new("erp", "Customer")], None);
    assert_eq!(told, [RecordKey::new("erp", "Customer", "a-7")]);
}
