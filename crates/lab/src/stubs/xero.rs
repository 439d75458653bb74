//! Xero's accounting interface ("Accounting API": Contacts, Items, Invoices; "OAuth 2.0": token types, custom connections; "Requests and
//! responses"; "Limits"; "Idempotency"): `/api.xro/2.0/...` under a bearer token and `Xero-Tenant-Id`.
//!
//! Its habits: tokens last thirty minutes, and a refresh token serves once; times are `/Date(ms+0000)/`; changes are asked for by the header
//! `If-Modified-Since`, to the second; what is archived is hidden unless `includeArchived` is said, and nothing else is ever deleted; a
//! create and an update are both a POST; with `summarizeErrors=false` what is wrong with a record stands inside a success; the same
//! `Idempotency-Key` is answered with the same answer; 60 requests a minute, and how many are left stands in headers.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::answer::{Ask, Desk, Reply};
use super::clock::moment;
use super::shape::Kind;
use super::store::{Fault, Row, Store, Table, What, text_of};

pub(super) const TABLE: &str = include_str!("xero.txt");
/// The organisation that requests must name.
pub(super) const TENANT: &str = "45e4708e-d862-4111-ab3a-dd8cd03913e1";
/// Who may ask: a client with its secret, and the refresh token that a sign-in in a browser left.
pub(super) const CLIENTS: [(&str, &str, &str); 2] = [
    ("tandem", "xero-tandem-secret", "xero-tandem-refresh-0"),
    ("alice", "xero-alice-secret", "xero-alice-refresh-0"),
];
/// How long an access token lasts, in seconds.
const LASTS: i64 = 1_800;

/// The ERP.
#[derive(Debug, Default)]
pub(super) struct Xero {
    /// Access tokens: whose, and until when.
    tokens: BTreeMap<String, (&'static str, i64)>,
    /// The refresh token of each client that is good now.
    refresh: BTreeMap<&'static str, String>,
    /// Answers by idempotency key.
    answered: BTreeMap<String, Reply>,
    given_out: u64,
}

/// A customer.
pub(super) fn sample(store: &mut Store, number: u32) {
    let values = json!({ "Name": format!("Company {number}"), "EmailAddress": format!("office@company{number}.example") });
    // The built-in values fit.
    let _ = store.create("Contacts", values.as_object().unwrap_or(&Map::new()), "alice");
}

impl Desk for Xero {
    fn answer(&mut self, store: &mut Store, ask: &Ask) -> Reply {
        // Tokens are given out by another host; here by any path that ends so.
        if ask.steps().ends_with(&["connect", "token"]) {
            return self.token(store.clock.now(), ask);
        }
        let token = ask
            .header("authorization")
            .strip_prefix("Bearer ")
            .unwrap_or_default();
        let known = self.tokens.get(token);
        let Some((client, _)) = known.filter(|(_, until)| *until > store.clock.now()) else {
            let body = json!({ "Type": null, "Title": "Unauthorized", "Status": 401, "Detail": "AuthenticationUnsuccessful" });
            return Reply::new(401, body);
        };
        let client = *client;
        if ask.header("xero-tenant-id") != TENANT {
            let body = json!({ "Title": "Forbidden", "Status": 403, "Detail": "AuthenticationUnsuccessful" });
            return Reply::new(403, body);
        }
        let key = ask.header("idempotency-key").to_owned();
        if let Some(reply) = self.answered.get(&key).filter(|_| ask.method == "POST") {
            return reply.clone();
        }
        let mut reply = api(store, ask, client).unwrap_or_else(|refused| refused);
        reply.headers.push(("x-minlimit-remaining", "59".to_owned()));
        reply.headers.push(("x-daylimit-remaining", "4999".to_owned()));
        if ask.method == "POST" && !key.is_empty() && reply.status == 200 {
            self.answered.insert(key, reply.clone());
        }
        reply
    }
}

impl Xero {
    /// Gives out tokens. A refresh token serves once: with each a new one is given.
    fn token(&mut self, now: i64, ask: &Ask) -> Reply {
        let form: BTreeMap<String, String> = url::form_urlencoded::parse(&ask.body).into_owned().collect();
        let said = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        let refused = |what: &str| Reply::new(400, json!({ "error": what }));
        let (id, secret) =
            credentials(ask).unwrap_or((said("client_id").to_owned(), said("client_secret").to_owned()));
        let Some((client, _, first)) = CLIENTS
            .iter()
            .find(|(client, known, _)| *client == id && *known == secret)
        else {
            return refused("invalid_client");
        };
        if said("grant_type") == "refresh_token" {
            let good = self.refresh.entry(client).or_insert_with(|| (*first).to_owned());
            if said("refresh_token") != good {
                return refused("invalid_grant");
            }
        } else if said("grant_type") != "client_credentials" {
            return refused("unsupported_grant_type");
        }
        self.given_out += 1;
        let token = format!("xero-{client}-access-{}", self.given_out);
        let mut body = json!({ "access_token": token, "expires_in": LASTS, "token_type": "Bearer" });
        if said("grant_type") == "refresh_token" {
            let next = format!("xero-{client}-refresh-{}", self.given_out);
            body["refresh_token"] = next.clone().into();
            self.refresh.insert(client, next);
        }
        self.tokens.insert(token, (client, now + LASTS * 1_000_000));
        Reply::ok(body)
    }
}

/// Client and secret where they stand in a header.
fn credentials(ask: &Ask) -> Option<(String, String)> {
    use base64::Engine;
    let pair = ask.header("authorization").strip_prefix("Basic ")?;
    let pair = base64::engine::general_purpose::STANDARD.decode(pair).ok()?;
    let (id, secret) = std::str::from_utf8(&pair).ok()?.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

fn api(store: &mut Store, ask: &Ask, client: &str) -> Result<Reply, Reply> {
    let steps = ask.steps();
    let ["api.xro", "2.0", of, rest @ ..] = steps.as_slice() else {
        return Err(nowhere());
    };
    if *of == "Organisation" {
        let organisation =
            json!({ "OrganisationID": "b2c885a9-4bb9-4a00-9b6e-6c2bf60b1a2b", "Name": "Xero Local" });
        return Ok(Reply::ok(
            json!({ "Status": "OK", "Organisations": [organisation] }),
        ));
    }
    match (ask.method.as_str(), rest) {
        ("GET", []) => list(store, of, ask),
        ("GET", [id]) => {
            let table = store.table(of).ok_or_else(nowhere)?;
            let row = table.row(id).ok_or_else(nowhere)?;
            Ok(wrapped(of, vec![shown(store, table, row)]))
        }
        ("POST", [] | [_]) => write(store, of, rest.first().copied(), ask, client),
        _ => Err(nowhere()),
    }
}

fn nowhere() -> Reply {
    let what = "The resource you're looking for cannot be found";
    Reply::new(
        404,
        json!({ "Title": "Not Found", "Status": 404, "Detail": what }),
    )
}

fn wrapped(of: &str, rows: Vec<Json>) -> Reply {
    Reply::ok(json!({ "Status": "OK", of: rows }))
}

/// The name of the member that holds the id.
fn id_of(of: &str) -> String {
    format!("{}ID", of.trim_end_matches('s'))
}

fn slash(stamp: i64) -> String {
    format!("/Date({}+0000)/", moment(stamp).as_millisecond())
}

fn shown(store: &Store, table: &Table, row: &Row) -> Json {
    let mut all = Map::new();
    all.insert(id_of(&table.shape.name), row.id.clone().into());
    all.insert("UpdatedDateUTC".to_owned(), slash(row.modified).into());
    for (name, value) in &row.values {
        let kind = &table.shape.fields[name].kind;
        let value = match (kind, value) {
            // What is blank is left out.
            (_, Json::Null) if name != "Phone" => continue,
            (Kind::Date, Json::String(text)) => {
                let midnight = text.parse::<jiff::civil::Date>().ok();
                let midnight = midnight.and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC).ok());
                midnight.map_or(Json::Null, |at| slash(at.timestamp().as_microsecond()).into())
            }
            (Kind::Reference(_), id) => {
                let named = store
                    .table("Contacts")
                    .and_then(|table| table.row(&text_of(Some(id))));
                json!({ "ContactID": id, "Name": named.map(|row| text_of(row.values.get("Name"))) })
            }
            (_, value) => value.clone(),
        };
        match name.as_str() {
            // A contact has a phone of each kind, whether there is a number or not.
            "Phone" => drop(all.insert(
                "Phones".to_owned(),
                json!([
                    { "PhoneType": "DDI", "PhoneNumber": "" },
                    { "PhoneType": "DEFAULT", "PhoneNumber": text_of(Some(&value)) },
                ]),
            )),
            _ => drop(all.insert(name.clone(), value)),
        }
    }
    Json::Object(all)
}

fn list(store: &Store, of: &str, ask: &Ask) -> Result<Reply, Reply> {
    let table = store.table(of).ok_or_else(nowhere)?;
    let since = ask.header("if-modified-since");
    let since = since.parse::<jiff::civil::DateTime>().ok();
    let since = since.and_then(|since| since.to_zoned(jiff::tz::TimeZone::UTC).ok());
    let since = since.map_or(i64::MIN, |since| since.timestamp().as_microsecond());
    let said = |name: &str| ask.query.get(name).map(String::as_str).unwrap_or_default();
    let archived = said("includeArchived") == "true";
    let named = said("where").split_once("==");
    let named = named.and_then(|(name, value)| Some((name, serde_json::from_str::<String>(value).ok()?)));
    let seen = |row: &&Row| {
        let hidden = text_of(row.values.get("ContactStatus")) == "ARCHIVED" && !archived;
        let fits = named
            .as_ref()
            .is_none_or(|(name, value)| text_of(row.values.get(*name)).eq_ignore_ascii_case(value));
        !hidden && fits && row.modified > since
    };
    let number = |name: &str, otherwise: usize| said(name).parse().unwrap_or(otherwise).max(1);
    let (page, size) = (number("page", 1), number("pageSize", 100).min(1_000));
    let rows: Vec<&Row> = table.rows.values().filter(seen).collect();
    let pages = rows.len().div_ceil(size);
    let shown: Vec<Json> = rows
        .iter()
        .skip((page - 1) * size)
        .take(size)
        .map(|row| shown(store, table, row))
        .collect();
    let pagination = json!({ "page": page, "pageSize": size, "pageCount": pages, "itemCount": rows.len() });
    Ok(Reply::ok(
        json!({ "Status": "OK", "pagination": pagination, of: shown }),
    ))
}

/// What is kept of a record that is sent.
fn kept(table: &Table, sent: &Json) -> Result<Map<String, Json>, Reply> {
    let mut values = Map::new();
    for (name, value) in sent.as_object().into_iter().flatten() {
        let kind = table.shape.fields.get(name).map(|field| &field.kind);
        let value = match (kind, value) {
            (_, Json::String(text)) if text.is_empty() => Json::Null,
            (Some(Kind::Date), Json::String(text)) => match text.strip_prefix("/Date(") {
                Some(millis) => {
                    let millis = millis
                        .split([')', '+'])
                        .next()
                        .and_then(|text| text.parse::<i64>().ok());
                    let at = millis.map(|millis| moment(millis * 1_000));
                    at.map_or(Json::Null, |at| at.strftime("%Y-%m-%d").to_string().into())
                }
                None => value.clone(),
            },
            (Some(Kind::Reference(_)), value) => value.get("ContactID").cloned().unwrap_or_default(),
            (Some(_), value) => value.clone(),
            (None, Json::Array(phones)) if name == "Phones" => {
                // Phones of other kinds stay as they are.
                let own = phones
                    .iter()
                    .find(|phone| phone.get("PhoneType").and_then(Json::as_str) == Some("DEFAULT"));
                let Some(phone) = own else { continue };
                let number = text_of(phone.get("PhoneNumber"));
                let number = if number.is_empty() {
                    Json::Null
                } else {
                    number.into()
                };
                values.insert("Phone".to_owned(), number);
                continue;
            }
            // What it does not know it drops without a word.
            (None, _) => continue,
        };
        values.insert(name.clone(), value);
    }
    Ok(values)
}

fn write(store: &mut Store, of: &str, id: Option<&str>, ask: &Ask, client: &str) -> Result<Reply, Reply> {
    let body = ask.json();
    let list = body.get(of).and_then(Json::as_array).cloned();
    let list = list.unwrap_or_else(|| vec![body]);
    let summarized = ask.query.get("summarizeErrors").map(String::as_str) != Some("false");
    let mut answers = Vec::new();
    for sent in &list {
        let table = store.table(of).ok_or_else(nowhere)?;
        let values = kept(table, sent)?;
        let named = sent.get(id_of(of)).and_then(Json::as_str);
        let id = named.or(id).map(str::to_owned);
        if let Some(id) = &id
            && table.row(id).is_none()
        {
            return Err(nowhere());
        }
        let done = match id {
            Some(id) => store.update(of, &id, &values, client).map(|()| id),
            None => store.create(of, &values, client),
        };
        answers.push(match done {
            Ok(id) => {
                let table = store.table(of).ok_or_else(nowhere)?;
                let row = table.row(&id).ok_or_else(nowhere)?;
                let mut row = shown(store, table, row);
                row["StatusAttributeString"] = "OK".into();
                row
            }
            Err(fault) => {
                let mut sent = sent.clone();
                sent["StatusAttributeString"] = "ERROR".into();
                sent["ValidationErrors"] = json!([{ "Message": words(of, &fault) }]);
                if summarized {
                    let body = json!({ "ErrorNumber": 10, "Type": "ValidationException",
                        "Message": "A validation exception occurred", "Elements": [sent] });
                    return Err(Reply::new(400, body));
                }
                sent
            }
        });
    }
    Ok(wrapped(of, answers))
}

fn words(of: &str, fault: &Fault) -> String {
    let field = &fault.field;
    match fault.what {
        What::Twice => format!("The {field} is already assigned to another of the {of}. It must be unique."),
        What::Missing => format!("{field} must be specified"),
        What::Long => format!("The length of the {field} is too long"),
        What::Dangling => format!("The {field} could not be found"),
        What::Unfit | What::Unknown | What::Used => format!("The {field} is not valid"),
    }
}
