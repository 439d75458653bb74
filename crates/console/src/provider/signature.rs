//! Whether a provider signed something: RSA, elliptic curves and Ed25519 by the keys that it publishes (RFC 7515-7518, 8037).
//!
//! Architecture invariant: the table of algorithms holds none without a private key. `none`, and sums with a secret that two
//! know, sign nothing here, and no key is taken for one of another kind.

use super::id_token::Head;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};
use serde::Deserialize;
use serde_json::Value as Json;

/// A key, as a provider publishes it.
#[derive(Deserialize)]
struct Key {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// How a name of an algorithm is checked.
enum Way {
    Rsa(&'static RsaParameters),
    /// With the name of the curve.
    Curve(&'static str, &'static dyn VerificationAlgorithm),
    Edwards,
}

fn way(algorithm: &str) -> Option<Way> {
    Some(match algorithm {
        "RS256" => Way::Rsa(&RSA_PKCS1_2048_8192_SHA256),
        "RS384" => Way::Rsa(&RSA_PKCS1_2048_8192_SHA384),
        "RS512" => Way::Rsa(&RSA_PKCS1_2048_8192_SHA512),
        "PS256" => Way::Rsa(&RSA_PSS_2048_8192_SHA256),
        "PS384" => Way::Rsa(&RSA_PSS_2048_8192_SHA384),
        "PS512" => Way::Rsa(&RSA_PSS_2048_8192_SHA512),
        "ES256" => Way::Curve("P-256", &ECDSA_P256_SHA256_FIXED),
        "ES384" => Way::Curve("P-384", &ECDSA_P384_SHA384_FIXED),
        "EdDSA" | "Ed25519" => Way::Edwards,
        _ => return None,
    })
}

/// Whether one of the provider's keys signed a text.
///
/// # Errors
/// None did: why, as part of a sentence.
pub(super) fn verify(head: &Head, keys: &Json, text: &[u8], sign: &[u8]) -> Result<(), String> {
    let way = way(&head.alg).ok_or("its ID token is signed in a way that proves nothing here (`alg`)")?;
    let keys = keys["keys"].as_array().ok_or("its keys are none")?;
    let keys = keys.iter().filter_map(|key| Key::deserialize(key).ok());
    let mut fitting = keys.filter(|key| {
        key.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
            && key.alg.as_ref().is_none_or(|alg| *alg == head.alg)
            && (head.kid.is_none() || key.kid.is_none() || key.kid == head.kid)
    });
    match fitting.any(|key| key.signed(&way, text, sign).is_some()) {
        true => Ok(()),
        false => Err("its ID token is signed by none of its keys".to_owned()),
    }
}

impl Key {
    fn signed(&self, way: &Way, text: &[u8], sign: &[u8]) -> Option<()> {
        let bytes = |part: &Option<String>| URL_SAFE_NO_PAD.decode(part.as_ref()?).ok();
        match way {
            Way::Rsa(parameters) if self.kty == "RSA" => {
                let [n, e] = [bytes(&self.n)?, bytes(&self.e)?].map(|mut number| {
                    let zeros = number.iter().take_while(|byte| **byte == 0).count();
                    number.drain(..zeros);
                    number
                });
                RsaPublicKeyComponents { n, e }
                    .verify(parameters, text, sign)
                    .ok()
            }
            Way::Curve(curve, algorithm) if self.kty == "EC" && self.crv.as_deref() == Some(*curve) => {
                let point = [vec![4], bytes(&self.x)?, bytes(&self.y)?].concat();
                UnparsedPublicKey::new(*algorithm, point).verify(text, sign).ok()
            }
            Way::Edwards if self.kty == "OKP" && self.crv.as_deref() == Some("Ed25519") => {
                UnparsedPublicKey::new(&ED25519, bytes(&self.x)?)
                    .verify(text, sign)
                    .ok()
            }
            _ => None,
        }
    }
}
