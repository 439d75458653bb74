//! A provider of OpenID Connect that says what a test wants it to say. It asks nobody for a password: whoever comes is
//! the person of the moment.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What Tandem shows for being who it is.
pub(super) const SECRET: &str = "s3cret & more";

/// What is said of whoever comes, and how.
#[derive(Clone)]
pub(super) struct Mood {
    /// Claims of the ID token beside the honest ones, or instead of them; null takes one away.
    pub(super) said: Json,
    /// What is said to whoever asks once more.
    pub(super) more: Json,
    /// The name of the algorithm in the head; whatever it says, it is signed by the key of the moment, `none` by none.
    pub(super) algorithm: &'static str,
    /// It signs with a key that it does not publish.
    pub(super) forged: bool,
    /// What stands behind the question mark when it leads back, beside `state` and `code`, or instead of them.
    pub(super) back: Json,
    /// It knows clients by what stands in the form.
    pub(super) in_form: bool,
    /// The description says otherwise.
    pub(super) description: Json,
}

impl Default for Mood {
    fn default() -> Self {
        Self {
            said: json!({}),
            more: json!({}),
            algorithm: "ES256",
            forged: false,
            back: json!({}),
            in_form: false,
            description: json!({}),
        }
    }
}

struct Inner {
    url: String,
    keys: [EcdsaKeyPair; 2],
    mood: Mutex<Mood>,
    /// What each code was given for.
    codes: Mutex<BTreeMap<String, BTreeMap<String, String>>>,
    /// What was asked for, as `GET /path`.
    asked: Mutex<Vec<String>>,
}

/// A provider, for as long as the test lasts.
pub(super) struct Provider(Arc<Inner>);

fn key() -> EcdsaKeyPair {
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    EcdsaKeyPair::from_pkcs8(
        &ECDSA_P256_SHA256_FIXED_SIGNING,
        made.as_ref(),
        &SystemRandom::new(),
    )
    .unwrap()
}

fn text(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Lays one object over another; null takes away.
fn over(mut below: Json, above: &Json) -> Json {
    for (name, value) in above.as_object().unwrap() {
        match value {
            Json::Null => drop(below.as_object_mut().unwrap().remove(name)),
            value => below[name] = value.clone(),
        }
    }
    below
}

/// What stands behind a question mark, or in a form.
pub(super) fn pairs(encoded: &str) -> BTreeMap<String, String> {
    let pairs = url::form_urlencoded::parse(encoded.as_bytes());
    pairs.into_owned().collect()
}

impl Provider {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let inner = Arc::new(Inner {
            url: format!("http://{}", listener.local_addr().unwrap()),
            keys: [key(), key()],
            mood: Mutex::default(),
            codes: Mutex::default(),
            asked: Mutex::default(),
        });
        let serving = inner.clone();
        std::thread::spawn(move || {
            for line in listener.incoming() {
                serving.answer(line.unwrap());
            }
        });
        Self(inner)
    }

    pub(super) fn url(&self) -> &str {
        &self.0.url
    }

    pub(super) fn is(&self, mood: Mood) {
        *self.0.mood.lock().unwrap() = mood;
    }

    /// What it was asked for since the last time.
    pub(super) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.asked.lock().unwrap())
    }
}

impl Inner {
    fn answer(&self, mut line: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(line.try_clone().ok()?);
        let mut first = String::new();
        reader.read_line(&mut first).ok()?;
        let (mut length, mut credentials) = (0, None);
        loop {
            let mut head = String::new();
            reader.read_line(&mut head).ok()?;
            let (name, value) = head.trim().split_once(": ").unwrap_or((head.trim(), ""));
            match name.to_lowercase().as_str() {
                "" => break,
                "content-length" => length = value.parse().ok()?,
                "authorization" => credentials = Some(value.to_owned()),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let mut words = first.split(' ');
        let (method, target) = (words.next()?, words.next()?);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        self.asked.lock().unwrap().push(format!("{method} {path}"));
        let (status, header, said) = match path {
            "/.well-known/openid-configuration" => (200, String::new(), self.description()),
            "/auth" => (303, format!("location: {}\r\n", self.lead_back(query)), json!({})),
            "/token" => self.token(credentials.as_deref(), &String::from_utf8(body).ok()?),
            "/keys" => (200, String::new(), self.published()),
            "/userinfo" => self.more(credentials.as_deref()),
            _ => (404, String::new(), json!({})),
        };
        let said = said.to_string();
        let length = said.len();
        let answer = format!(
            "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{header}connection: close\r\n\r\n{said}"
        );
        line.write_all(answer.as_bytes()).ok()
    }

    fn description(&self) -> Json {
        let at = |path: &str| format!("{}/{path}", self.url);
        let honest = json!({
            "issuer": self.url, "authorization_endpoint": at("auth?tenant=1"), "token_endpoint": at("token"),
            "jwks_uri": at("keys"), "userinfo_endpoint": at("userinfo"), "end_session_endpoint": at("end"),
            "authorization_response_iss_parameter_supported": true,
        });
        over(honest, &self.mood.lock().unwrap().description)
    }

    fn published(&self) -> Json {
        let point = self.keys[0].public_key().as_ref();
        json!({ "keys": [{ "kty": "EC", "crv": "P-256", "kid": "one", "use": "sig", "x": text(&point[1..33]), "y": text(&point[33..]) }] })
    }

    /// Where somebody is led back to who came to sign in.
    fn lead_back(&self, query: &str) -> String {
        let asked = pairs(query);
        assert_eq!(
            (asked["tenant"].as_str(), asked["response_type"].as_str()),
            ("1", "code")
        );
        assert_eq!(
            (
                asked["client_id"].as_str(),
                asked["code_challenge_method"].as_str()
            ),
            ("tandem", "S256")
        );
        assert_eq!(asked["scope"], "openid email profile groups");
        let code = format!("code {}", text(digest(&SHA256, asked["state"].as_bytes())));
        let honest = json!({ "state": asked["state"], "code": code, "iss": self.url });
        let said = over(honest, &self.mood.lock().unwrap().back);
        let mut back = url::Url::parse(&asked["redirect_uri"]).unwrap();
        for (name, value) in said.as_object().unwrap() {
            back.query_pairs_mut().append_pair(name, value.as_str().unwrap());
        }
        self.codes.lock().unwrap().insert(code, asked);
        back.into()
    }

    /// Gives tokens for a code: once, to whom it was given, for the place that it was given for.
    fn token(&self, credentials: Option<&str>, form: &str) -> (u16, String, Json) {
        let refused = |error: &str| (400, String::new(), json!({ "error": error }));
        let (shown, given) = (
            format!("Basic {}", STANDARD.encode("tandem:s3cret+%26+more")),
            pairs(form),
        );
        let mood = self.mood.lock().unwrap().clone();
        let known = match mood.in_form {
            true => credentials.is_none() && given.get("client_secret").is_some_and(|it| it == SECRET),
            false => credentials == Some(&shown),
        };
        if !known {
            return refused("invalid_client");
        }
        let Some(asked) = self.codes.lock().unwrap().remove(&given["code"]) else {
            return refused("invalid_grant");
        };
        let challenge = text(digest(&SHA256, given["code_verifier"].as_bytes()));
        if challenge != asked["code_challenge"] || given["redirect_uri"] != asked["redirect_uri"] {
            return refused("invalid_grant");
        }
        let now = jiff::Timestamp::now().as_second();
        let honest = json!({
            "iss": self.url, "aud": "tandem", "sub": "248289761001", "nonce": asked["nonce"], "iat": now, "exp": now + 300,
        });
        let head = json!({ "alg": mood.algorithm, "kid": "one" });
        let signed = format!(
            "{}.{}",
            text(head.to_string()),
            text(over(honest, &mood.said).to_string())
        );
        let key = &self.keys[usize::from(mood.forged)];
        let sign = match mood.algorithm {
            "none" => String::new(),
            _ => text(key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap()),
        };
        let tokens = json!({ "id_token": format!("{signed}.{sign}"), "access_token": "for-more", "token_type": "Bearer" });
        (200, String::new(), tokens)
    }

    fn more(&self, credentials: Option<&str>) -> (u16, String, Json) {
        assert_eq!(credentials, Some("Bearer for-more"));
        let said = over(json!({ "sub": "248289761001" }), &self.mood.lock().unwrap().more);
        (200, String::new(), said)
    }
}
