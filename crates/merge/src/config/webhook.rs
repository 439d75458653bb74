//! How a system tells of changes by itself, and where that is listened to.

use super::SecretReference;
use super::connection::duration;
use super::known::Known;
use super::main_file::{ConnectionText, ListenText, TellsText, WebhooksText};
use super::node::At;
use super::problem::{Problems, suggestion};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// How a system tells of changes by itself, with signed messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Where the secret is kept that the messages are signed with.
    pub secret: SecretReference,
    /// The header with the signature, in small letters.
    pub signature: String,
    /// What stands before the signature.
    pub prefix: String,
    /// How the signature is written.
    pub encoding: Encoding,
    /// What is signed, part by part.
    pub signs: Vec<SignedPart>,
    /// The header with the time stamp, in small letters; none: messages have none.
    pub timestamp: Option<String>,
    /// The header with the message's id, in small letters.
    pub id: String,
    /// How old or how far ahead a time stamp may be, in milliseconds.
    pub window_ms: i64,
    /// Where a message names records; none: it only says that something changed.
    pub tells: Option<Tells>,
    /// The parameter that is sent back when the system asks whether somebody listens.
    pub echo: Option<String>,
    /// Where each entry of a message shows the secret itself, in place of a signature.
    pub word: Option<String>,
}

/// How a signature is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// In base64.
    Base64,
    /// In hexadecimal digits.
    Hex,
}

/// A part of what is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignedPart {
    /// These signs.
    Text(String),
    /// The message's id, as its header has it.
    Id,
    /// The time stamp, as its header has it.
    Timestamp,
    /// What the message says.
    Body,
}

/// Where a message names the records that changed, each as the way to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tells {
    /// Where the records stand; `.`: the message is one, or a list of them.
    pub at: String,
    /// Where each says its record type.
    pub record_type: String,
    /// Where each says its id.
    pub id: String,
    /// Where each says its address, which ends with type and id: `customers(7)`.
    pub address: Option<String>,
    /// Record types by the message's own words; a word that is not here is a record type's name.
    pub types: BTreeMap<String, String>,
}

/// Where systems are listened to that tell of changes by themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenSettings {
    /// The address.
    pub address: SocketAddr,
    /// How systems reach it from where they are, without a slash at its end.
    pub public: Option<String>,
}

impl Default for ListenSettings {
    fn default() -> Self {
        Self {
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8744),
            public: None,
        }
    }
}

/// A message may be so old where nothing is said, in milliseconds.
const WINDOW: i64 = 300_000;
/// Older than an hour is no window any more.
const WIDEST: i64 = 3_600_000;

/// Where it is listened to; the usual address where nothing is said.
pub(crate) fn listening(file: &str, text: Option<&ListenText>, problems: &mut Problems) -> ListenSettings {
    let written = text.and_then(|text| text.address.as_ref());
    let address = written.and_then(|address| {
        let read = address.value.parse::<SocketAddr>().ok();
        if read.is_none() {
            let message = format!("`{}` is no address to listen at", address.value);
            let help =
                "Write an address of this machine with a port, such as `127.0.0.1:8744` or `0.0.0.0:8744`.";
            problems.add(file, address, message, help);
        }
        read
    });
    let usual = ListenSettings::default();
    ListenSettings {
        address: address.unwrap_or(usual.address),
        public: public(file, text, problems),
    }
}

/// How systems reach it.
fn public(file: &str, text: Option<&ListenText>, problems: &mut Problems) -> Option<String> {
    let written = text.and_then(|text| text.public.as_ref())?;
    let host = ["https://", "http://"]
        .iter()
        .find_map(|scheme| written.value.strip_prefix(scheme));
    if host.is_none_or(|host| host.is_empty() || host.contains(['?', '#', ' '])) {
        let message = format!("`{}` is no address that a system could call", written.value);
        let help = "Write what leads to this machine from outside, such as `https://tandem.example.com`.";
        problems.add(file, written, message, help);
    }
    Some(written.value.trim_end_matches('/').to_owned())
}

/// What a connection says of it; none where the system tells nothing.
pub(crate) fn told(
    file: &str,
    written: &ConnectionText,
    known: &Known,
    problems: &mut Problems,
) -> Option<Webhook> {
    let text = written.webhooks.as_ref()?;
    if known.events().is_some() {
        let message = format!("{} tells of changes by events", written.kind.value);
        let help = "Remove `webhooks`; `changes` says which types come as events.";
        problems.add(file, text, message, help);
    }
    let secret = text.value.secret.value.as_ref()?.reference();
    let said = |text: &Option<At<String>>, usual: &str| {
        text.as_ref()
            .map_or_else(|| usual.to_owned(), |text| text.value.to_lowercase())
    };
    let timestamp = said(&text.value.timestamp, "webhook-timestamp");
    let id = said(&text.value.id, "webhook-id");
    let signs = signs(file, text, timestamp != "none", problems);
    Some(Webhook {
        secret,
        signature: said(&text.value.signature, "webhook-signature"),
        prefix: text.value.prefix.clone().unwrap_or_else(|| "v1,".to_owned()),
        encoding: encoding(file, text.value.encoding.as_ref(), problems),
        signs,
        timestamp: (timestamp != "none").then_some(timestamp),
        id,
        window_ms: window(file, text.value.window.as_ref(), problems),
        tells: text.value.records.as_ref().map(tells),
        echo: text.value.echo.as_ref().map(|echo| echo.value.clone()),
        word: word(file, &text.value, problems),
    })
}

/// Where messages show the secret itself: then they have no signature.
fn word(file: &str, text: &WebhooksText, problems: &mut Problems) -> Option<String> {
    let word = text.word.as_ref()?;
    if text.signature.is_some() || text.signs.is_some() {
        let help = "Remove `word`: a signature proves more.";
        problems.add(file, word, "messages show a shared word or a signature", help);
    }
    Some(word.value.clone())
}

fn encoding(file: &str, text: Option<&At<String>>, problems: &mut Problems) -> Encoding {
    match text.map(|text| text.value.as_str()) {
        None | Some("base64") => Encoding::Base64,
        Some("hex") => Encoding::Hex,
        Some(other) => {
            let help = suggestion(other, ["base64", "hex"]);
            if let Some(text) = text {
                problems.add(file, text, format!("no signature is written as `{other}`"), help);
            }
            Encoding::Base64
        }
    }
}

fn window(file: &str, text: Option<&At<String>>, problems: &mut Problems) -> i64 {
    let Some(text) = text else { return WINDOW };
    let Some(long) = duration(file, text, problems) else {
        return WINDOW;
    };
    if !(1_000..=WIDEST).contains(&long) {
        let message = format!("`{}` is no window that keeps old messages out", text.value);
        problems.add(file, text, message, "Write from `1s` to `1h`; `5m` if in doubt.");
    }
    long
}

/// What is signed, in its parts. Whatever decides something must be among them.
fn signs(file: &str, of: &At<WebhooksText>, dated: bool, problems: &mut Problems) -> Vec<SignedPart> {
    let usual = match dated {
        true => "{id}.{timestamp}.{body}",
        false => "{body}",
    };
    let text = of.value.signs.as_ref();
    let whole = text.map_or(usual, |text| text.value.as_str());
    let place = text.map_or_else(|| of.with(()), |text| text.with(()));
    let (mut parts, mut rest) = (Vec::new(), whole);
    while let Some((before, behind)) = rest.split_once('{') {
        let (hole, after) = behind.split_once('}').unwrap_or((behind, ""));
        if !before.is_empty() {
            parts.push(SignedPart::Text(before.to_owned()));
        }
        match hole {
            "body" => parts.push(SignedPart::Body),
            "timestamp" => parts.push(SignedPart::Timestamp),
            "id" => parts.push(SignedPart::Id),
            other => {
                let message = format!("`{{{other}}}` cannot be signed");
                let help = suggestion(other, ["body", "id", "timestamp"]);
                problems.add(file, &place, message, help);
            }
        }
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(SignedPart::Text(rest.to_owned()));
    }
    let mut needs = |part: SignedPart, needed: bool, message: &str, help: &str| {
        if parts.contains(&part) != needed {
            problems.add(file, &place, message, help);
        }
    };
    let body = "what a message says is not signed, so that anybody could say it";
    needs(SignedPart::Body, true, body, "Write `{body}` into `signs`.");
    let (message, help) = match dated {
        true => (
            "the time stamp is not signed, so that an old message could be sent again",
            "Write `{timestamp}` into `signs`, or `timestamp: none` if the system sends none.",
        ),
        false => (
            "messages without a time stamp cannot sign one",
            "Name its header with `timestamp:`, or take `{timestamp}` out of `signs`.",
        ),
    };
    needs(SignedPart::Timestamp, dated, message, help);
    parts
}

fn tells(text: &At<TellsText>) -> Tells {
    let path = |text: &Option<At<String>>, usual: &str| {
        text.as_ref()
            .map_or_else(|| usual.to_owned(), |text| text.value.clone())
    };
    let types = text.value.types.iter().flat_map(|types| &types.0);
    Tells {
        at: path(&text.value.at, "."),
        record_type: path(&text.value.r#type, "type"),
        id: path(&text.value.id, "id"),
        address: text.value.address.as_ref().map(|text| text.value.clone()),
        types: types
            .map(|(theirs, ours)| (theirs.value.clone(), ours.value.clone()))
            .collect(),
    }
}
