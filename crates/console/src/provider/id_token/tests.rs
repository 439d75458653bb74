//! ID tokens that are believed, and all that is not.

#![allow(clippy::unwrap_used)]
use super::*;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::json;

const NOW: i64 = 1_800_000_000;

/// Who signs.
enum Signer {
    Curve(EcdsaKeyPair),
    Edwards(Ed25519KeyPair),
}

fn curve() -> Signer {
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(
        &ECDSA_P256_SHA256_FIXED_SIGNING,
        made.as_ref(),
        &SystemRandom::new(),
    );
    Signer::Curve(pair.unwrap())
}

fn edwards() -> Signer {
    let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    Signer::Edwards(Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap())
}

fn text(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Signer {
    fn key(&self) -> Json {
        match self {
            Self::Curve(pair) => {
                let point = pair.public_key().as_ref();
                json!({ "kty": "EC", "crv": "P-256", "kid": "one", "use": "sig", "x": text(&point[1..33]), "y": text(&point[33..]) })
            }
            Self::Edwards(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref()) })
            }
        }
    }

    fn sign(&self, head: &Json, said: &Json) -> String {
        let signed = format!("{}.{}", text(head.to_string()), text(said.to_string()));
        let sign = match self {
            Self::Curve(pair) => text(pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap()),
            Self::Edwards(pair) => text(pair.sign(signed.as_bytes())),
        };
        format!("{signed}.{sign}")
    }
}

fn honest() -> Json {
    json!({ "iss": "https://a.example", "aud": "tandem", "sub": "7", "nonce": "n", "iat": NOW - 1, "exp": NOW + 300 })
}

fn read_by(keys: &Json, token: &str) -> Result<Map<String, Json>, String> {
    let expected = Expected {
        issuer: "https://a.example",
        client_id: "tandem",
        nonce: "n",
        now: Timestamp::from_second(NOW).unwrap(),
    };
    read(token, keys, &expected)
}

/// What is said of a token with other claims; null takes one away.
fn said_of(other: &Json) -> Result<Map<String, Json>, String> {
    let signer = curve();
    let mut said = honest();
    for (claim, value) in other.as_object().unwrap() {
        match value {
            Json::Null => drop(said.as_object_mut().unwrap().remove(claim)),
            value => said[claim] = value.clone(),
        }
    }
    let token = signer.sign(&json!({ "alg": "ES256", "kid": "one" }), &said);
    read_by(&json!({ "keys": [signer.key()] }), &token)
}

#[test]
fn what_is_said_to_us_now_by_the_provider_is_believed() {
    for well in [
        json!({}),
        json!({ "aud": ["tandem"] }),
        json!({ "aud": ["other", "tandem"], "azp": "tandem" }),
        json!({ "azp": "tandem" }),
        // Two clocks are never the same.
        json!({ "iat": NOW + 60, "nbf": NOW + 60 }),
        json!({ "exp": NOW - 60 }),
    ] {
        assert_eq!(said_of(&well).unwrap()["sub"], "7", "{well}");
    }
}

#[test]
fn what_is_said_by_others_to_others_of_others_or_at_another_time_is_not() {
    for (other, why) in [
        (json!({ "iss": "https://a.example/" }), "`iss`"),
        (json!({ "iss": null }), "`iss`"),
        (json!({ "iss": ["https://a.example"] }), "`iss`"),
        (json!({ "aud": "other" }), "`aud`"),
        (json!({ "aud": null }), "`aud`"),
        (json!({ "aud": [] }), "`aud`"),
        (json!({ "aud": ["tandem", "other"] }), "`azp`"),
        (json!({ "aud": ["tandem", "other"], "azp": "other" }), "`azp`"),
        (json!({ "azp": "other" }), "`azp`"),
        (json!({ "azp": ["tandem"] }), "`azp`"),
        (json!({ "nonce": "m" }), "`nonce`"),
        (json!({ "nonce": null }), "`nonce`"),
        (json!({ "sub": null }), "`sub`"),
        (json!({ "sub": "" }), "`sub`"),
        (json!({ "sub": 7 }), "`sub`"),
        (json!({ "sub": "7".repeat(256) }), "`sub`"),
        (json!({ "exp": NOW - 121 }), "expired"),
        (json!({ "exp": null }), "`exp`"),
        (json!({ "exp": "tomorrow" }), "`exp`"),
        (json!({ "iat": null }), "`iat`"),
        (json!({ "iat": NOW + 121 }), "`iat`"),
        (json!({ "iat": NOW - 721 }), "`iat`"),
        (json!({ "nbf": NOW + 121 }), "`nbf`"),
        (json!({ "nbf": "later" }), "`nbf`"),
    ] {
        let said = said_of(&other).unwrap_err();
        assert!(said.contains(why), "{other}: {said}");
    }
}

#[test]
fn only_a_key_of_the_provider_signs() {
    let (ours, other, second) = (curve(), curve(), edwards());
    let keys = json!({ "keys": [{ "kty": "odd" }, 7, ours.key(), second.key()] });
    let head = |alg: &str| json!({ "alg": alg, "kid": "one" });
    let well = ours.sign(&head("ES256"), &honest());
    assert!(read_by(&keys, &well).is_ok());
    assert!(read_by(&keys, &ours.sign(&json!({ "alg": "ES256" }), &honest())).is_ok());
    assert!(read_by(&keys, &second.sign(&json!({ "alg": "EdDSA" }), &honest())).is_ok());
    let none = |alg: &str| format!("{}.{}.", text(head(alg).to_string()), text(honest().to_string()));
    let (signed, sign) = well.rsplit_once('.').unwrap();
    let (begun, _) = signed.split_once('.').unwrap();
    let richer = text(json!({ "sub": "1" }).to_string());
    for forged in [
        other.sign(&head("ES256"), &honest()),
        none("none"),
        none("None"),
        none("ES256"),
        none("HS256"),
        // The kind of a signature is its key's, not what it calls itself.
        ours.sign(&head("EdDSA"), &honest()),
        ours.sign(&head("RS256"), &honest()),
        ours.sign(&json!({ "alg": "ES256", "kid": "two" }), &honest()),
        ours.sign(
            &json!({ "alg": "ES256", "crit": ["b64"], "b64": true }),
            &honest(),
        ),
        format!("{begun}.{richer}.{sign}"),
        format!("{signed}.{}", sign.chars().rev().collect::<String>()),
        format!("{signed}.{}", &sign[..sign.len() - 4]),
        format!("{well}="),
        signed.to_owned(),
        String::new(),
        "..".to_owned(),
    ] {
        assert!(read_by(&keys, &forged).is_err(), "{forged}");
    }
    // A key that is for something else signs nobody in.
    for other in [
        json!({ "use": "enc" }),
        json!({ "alg": "ES384" }),
        json!({ "crv": "P-384" }),
    ] {
        let mut key = ours.key();
        for (name, value) in other.as_object().unwrap() {
            key[name] = value.clone();
        }
        assert!(read_by(&json!({ "keys": [key] }), &well).is_err(), "{other}");
    }
    for nothing in [json!({}), json!({ "keys": [] }), json!([]), json!(null)] {
        assert!(read_by(&nothing, &well).is_err(), "{nothing}");
    }
}

/// A sum with a public key as its secret is the oldest forgery of all.
#[test]
fn a_sum_with_what_everybody_knows_signs_nothing() {
    let ours = curve();
    let signed = format!(
        "{}.{}",
        text(r#"{"alg":"HS256","kid":"one"}"#),
        text(honest().to_string())
    );
    for secret in [ours.key().to_string(), "tandem-secret".to_owned()] {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
        let token = format!("{signed}.{}", text(ring::hmac::sign(&key, signed.as_bytes())));
        assert!(
            read_by(&json!({ "keys": [ours.key()] }), &token)
                .unwrap_err()
                .contains("`alg`")
        );
    }
}

/// The example of RFC 7515, A.2: whoever signs by RSA is understood.
#[test]
fn rsa_is_read_as_its_specification_writes_it() {
    let key = json!({ "kty": "RSA", "e": "AQAB", "n":
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMs\
         D1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdV\
         MTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ" });
    let signed = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let sign = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t\
                1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwu\
                sC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    let keys = json!({ "keys": [key] });
    // Signed by the right one, and about nothing that concerns us.
    let said = read_by(&keys, &format!("{signed}.{sign}")).unwrap_err();
    assert!(said.contains("`iss`"), "{said}");
    let said = read_by(&keys, &format!("{signed}.{}", sign.replacen('c', "d", 1))).unwrap_err();
    assert!(said.contains("none of its keys"), "{said}");
}
