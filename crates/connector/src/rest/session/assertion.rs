//! Signed statements of who we are (JWT): RS256, PS256 and ES256.

use super::super::description::session::{Algorithm, Assertion};
use super::Session;
use crate::http::Http;
use crate::{Error, ErrorKind};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair,
};
use serde_json::{Map, Value as Json, json};

/// How long a statement is good where nothing is said, in seconds.
const LIFETIME: i64 = 120;

/// A key that signs.
enum Key {
    Rsa(RsaKeyPair),
    Curve(EcdsaKeyPair),
}

/// A signed statement, by the client and the address that gives out tokens.
pub(super) fn signed(
    session: &Session,
    http: &Http,
    written: &Assertion,
    [client, url]: [&str; 2],
    now: Timestamp,
) -> Result<String, Error> {
    let algorithm = written.algorithm.unwrap_or(Algorithm::Rs256);
    let pem = session.text(http, written.key.as_ref(), "private_key")?;
    let random = SystemRandom::new();
    let key = Key::read(&pem, algorithm, &random).map_err(|(what, advice)| {
        let what = format!("the private key {what}");
        http.error(ErrorKind::SignIn, what, advice)
    })?;
    let mut header = json!({ "alg": algorithm.word(), "typ": "JWT" });
    if let Some(id) = &written.key_id {
        header["kid"] = Json::String(session.text(http, Some(id), "")?);
    }
    let lasts = written.lasts.map_or(LIFETIME, |span| span.0.as_secs());
    let mut number = [0_u8; 16];
    let unsigned = || {
        let what = "this machine gives no random numbers to sign with";
        http.error(
            ErrorKind::SignIn,
            what,
            "Check the machine's source of randomness",
        )
    };
    random.fill(&mut number).map_err(|_| unsigned())?;
    let mut claims = Map::new();
    for name in ["iss", "sub"] {
        claims.insert(name.to_owned(), client.into());
    }
    claims.insert("aud".to_owned(), url.into());
    claims.insert("iat".to_owned(), now.as_second().into());
    claims.insert("exp".to_owned(), (now.as_second() + lasts).into());
    claims.insert("jti".to_owned(), URL_SAFE_NO_PAD.encode(number).into());
    let fill = |name: &str| match name {
        "client_id" => Some(client.into()),
        "token_url" => Some(url.into()),
        secret => session.secret(secret),
    };
    for (name, claim) in written.claims.iter().flat_map(|claims| &claims.0) {
        if let Some(value) = claim.value.json(&fill) {
            claims.insert(name.value.clone(), value);
        }
    }
    let part = |json: &Json| URL_SAFE_NO_PAD.encode(json.to_string());
    let text = format!("{}.{}", part(&header), part(&Json::Object(claims)));
    let signature = key
        .sign(text.as_bytes(), algorithm, &random)
        .ok_or_else(unsigned)?;
    Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

impl Key {
    /// Reads a key in PEM.
    ///
    /// # Errors
    /// It is another one than the signature wants; its text is never repeated.
    fn read(pem: &str, algorithm: Algorithm, random: &SystemRandom) -> Result<Self, (String, String)> {
        let unfit = |what: &str, advice: &str| (what.to_owned(), advice.to_owned());
        let lines = || pem.lines().map(str::trim);
        let label = lines().find_map(|line| line.strip_prefix("-----BEGIN ")?.strip_suffix("-----"));
        let curve = algorithm == Algorithm::Es256;
        let make = match curve {
            true => {
                "Make one with `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem`"
            }
            false => {
                "Make one with `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out key.pem`"
            }
        };
        let rsa = match (label, curve) {
            (Some("ENCRYPTED PRIVATE KEY"), _) => {
                return Err(unfit(
                    "is locked with a password",
                    "Unlock it: `openssl pkey -in key.pem -out unlocked.pem`, and keep that file readable by its owner alone",
                ));
            }
            (Some("EC PRIVATE KEY"), true) => {
                return Err(unfit(
                    "is no PKCS#8",
                    "Write it so: `openssl pkcs8 -topk8 -nocrypt -in key.pem -out key8.pem`",
                ));
            }
            (Some("RSA PRIVATE KEY"), false) if !pem.contains("ENCRYPTED") => RsaKeyPair::from_der,
            (Some("PRIVATE KEY"), _) => RsaKeyPair::from_pkcs8,
            _ => return Err(unfit("is no private key in PEM", make)),
        };
        let body = lines()
            .skip_while(|line| !line.starts_with("-----BEGIN "))
            .skip(1);
        let body: String = body.take_while(|line| !line.starts_with("-----END ")).collect();
        let der = STANDARD
            .decode(body)
            .map_err(|_| unfit("cannot be read: its text is damaged", make))?;
        let refused = |why: ring::error::KeyRejected| {
            let what = format!("does not sign by {} ({why})", algorithm.word());
            (what, make.to_owned())
        };
        match curve {
            true => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der, random).map(Self::Curve),
            false => rsa(&der).map(Self::Rsa),
        }
        .map_err(refused)
    }

    fn sign(&self, text: &[u8], algorithm: Algorithm, random: &SystemRandom) -> Option<Vec<u8>> {
        match self {
            Self::Curve(key) => Some(key.sign(random, text).ok()?.as_ref().to_vec()),
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                let padding: &'static dyn ring::signature::RsaEncoding = match algorithm {
                    Algorithm::Ps256 => &RSA_PSS_SHA256,
                    _ => &RSA_PKCS1_SHA256,
                };
                key.sign(padding, random, text, &mut signature).ok()?;
                Some(signature)
            }
        }
    }
}
