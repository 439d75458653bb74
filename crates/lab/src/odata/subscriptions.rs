//! Messages of changes as Business Central posts them: to whoever subscribed, for three days, and only to an address that
//! answers with the word that it is asked with.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use serde_json::{Map, Value as Json, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

use super::csrf::random;
use super::exchange::{Answer, Call};
use super::model::Version;
use super::refusal::Refusal;
use super::server::Erp;
use super::value::moment;

/// How long a subscription lasts, in milliseconds.
const LASTS: i64 = 3 * 24 * 60 * 60 * 1000;
/// How long an address may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
struct Subscription {
    id: String,
    url: String,
    resource: String,
    word: String,
    ends: i64,
    version: u64,
}

/// Who is told of changes, and up to which they were.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    all: Vec<Subscription>,
    upto: u64,
}

impl Subscriptions {
    fn lock(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscription {
    fn etag(&self) -> String {
        format!("W/\"{}-{}\"", self.id, self.version)
    }

    fn shown(&self) -> Json {
        json!({
            "@odata.etag": self.etag(),
            "subscriptionId": self.id,
            "notificationUrl": self.url,
            "resource": self.resource,
            "clientState": self.word,
            "expirationDateTime": moment(self.ends),
        })
    }
}

/// The answer to a request about subscriptions; none where it is about something else.
pub(crate) async fn answer(erp: &Erp, call: &Call) -> Option<Answer> {
    let subscriptions = erp.subscriptions.as_ref()?;
    let rest = call.path.strip_prefix("subscriptions")?;
    let now = erp.clock.now();
    subscriptions.lock().all.retain(|one| one.ends > now);
    let id = rest.strip_prefix("('").and_then(|rest| rest.strip_suffix("')"));
    let done = match (&call.method, id) {
        (&Method::GET, None) => {
            let all: Vec<Json> = subscriptions.lock().all.iter().map(Subscription::shown).collect();
            Ok(Answer::json(StatusCode::OK, &json!({ "value": all })))
        }
        (&Method::POST, None) => made(erp, subscriptions, call, now).await,
        (&Method::PATCH, Some(id)) => renewed(subscriptions, call, id, now).await,
        (&Method::DELETE, Some(id)) => held(subscriptions, call, id).map(|held| {
            subscriptions.lock().all.retain(|one| one.id != held.id);
            Answer::empty(StatusCode::NO_CONTENT)
        }),
        _ => Err(Refusal::method("GET, POST, PATCH, DELETE")),
    };
    Some(done.unwrap_or_else(|refusal| Answer::refused(&refusal, Version::V4)))
}

fn text(body: &Map<String, Json>, name: &str) -> Option<String> {
    let text = body.get(name)?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

async fn made(erp: &Erp, subscriptions: &Subscriptions, call: &Call, now: i64) -> Result<Answer, Refusal> {
    let body = call.object()?;
    let (url, resource) = text(&body, "notificationUrl")
        .zip(text(&body, "resource"))
        .ok_or_else(|| Refusal::bad("A subscription needs notificationUrl and resource."))?;
    let set = resource.rsplit('/').next().unwrap_or_default();
    if erp.model.set_named(set).is_none() {
        return Err(Refusal::bad(format!("Nobody can subscribe to {set}.")));
    }
    shake_hands(&url).await?;
    let made = Subscription {
        id: random(),
        url,
        resource,
        word: text(&body, "clientState").unwrap_or_default(),
        ends: now + LASTS,
        version: 1,
    };
    let upto = erp.state().store.changes();
    let mut told = subscriptions.lock();
    if told.all.is_empty() {
        told.upto = upto;
    }
    told.all.push(made.clone());
    Ok(Answer::json(StatusCode::CREATED, &made.shown()))
}

/// The subscription of that id, for whoever has seen its state.
fn held(subscriptions: &Subscriptions, call: &Call, id: &str) -> Result<Subscription, Refusal> {
    let told = subscriptions.lock();
    let found = told.all.iter().find(|one| one.id == id);
    let found = found.ok_or_else(|| Refusal::not_found("There is no such subscription."))?;
    match call.header("if-match") {
        "" => {
            let message = "A change needs If-Match.";
            Err(Refusal::new(
                StatusCode::PRECONDITION_REQUIRED,
                "BadRequest_IfMatch",
                message,
            ))
        }
        tag if tag == "*" || tag == found.etag() => Ok(found.clone()),
        _ => {
            let message = "Another user has already changed the record.";
            Err(Refusal::new(
                StatusCode::CONFLICT,
                "Request_EntityChanged",
                message,
            ))
        }
    }
}

async fn renewed(subscriptions: &Subscriptions, call: &Call, id: &str, now: i64) -> Result<Answer, Refusal> {
    let held = held(subscriptions, call, id)?;
    shake_hands(&held.url).await?;
    let mut told = subscriptions.lock();
    let found = told.all.iter_mut().find(|one| one.id == id);
    let found = found.ok_or_else(|| Refusal::not_found("There is no such subscription."))?;
    found.ends = now + LASTS;
    found.version += 1;
    Ok(Answer::json(StatusCode::OK, &found.shown()))
}

/// Asks an address whether it listens: it must send a word back.
async fn shake_hands(url: &str) -> Result<(), Refusal> {
    let word = random();
    let asked = format!("{url}?validationToken={word}");
    match post(&asked, "").await {
        Some((200, said)) if said == word => Ok(()),
        _ => Err(Refusal::bad(format!(
            "{url} did not send the validation token back."
        ))),
    }
}

/// Tells of the changes that nobody was told of yet.
pub(crate) fn tell(erp: &Arc<Erp>) {
    let Some(subscriptions) = &erp.subscriptions else {
        return;
    };
    let now = erp.clock.now();
    let mut told = subscriptions.lock();
    let changes = erp.state().store.log_after(told.upto).to_vec();
    told.upto = changes.last().map_or(told.upto, |change| change.change);
    let live: Vec<Subscription> = told.all.iter().filter(|one| one.ends > now).cloned().collect();
    drop(told);
    for one in live {
        let set = one.resource.rsplit('/').next().unwrap_or_default().to_owned();
        let entries: Vec<Json> = changes
            .iter()
            .filter(|change| change.set == set)
            .map(|change| {
                json!({
                    "subscriptionId": one.id,
                    "clientState": one.word,
                    "expirationDateTime": moment(one.ends),
                    "resource": format!("{}({})", one.resource.trim_start_matches('/'), change.key.join(",")),
                    "changeType": change.action,
                    "lastModifiedDateTime": change.at,
                })
            })
            .collect();
        if !entries.is_empty() {
            let body = json!({ "value": entries }).to_string();
            tokio::spawn(async move { post(&one.url, &body).await });
        }
    }
}

/// The status and body that an address of this machine answers with.
async fn post(url: &str, body: &str) -> Option<(u16, String)> {
    let url: Url = url.parse().ok()?;
    let (host, port) = (url.host_str()?, url.port_or_known_default()?);
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let head = format!(
        "POST {target} HTTP/1.1\r\nhost: {host}:{port}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let exchange = async {
        let mut stream = TcpStream::connect((host, port)).await.ok()?;
        stream.write_all(format!("{head}{body}").as_bytes()).await.ok()?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, body.to_owned()))
    };
    tokio::time::timeout(PATIENCE, exchange).await.ok()?
}
