//! NetSuite, by its REST web services (NetSuite documentation: "SuiteTalk REST Web Services API Guide", "OAuth 2.0 Client Credentials
//! Flow"): records below `/services/rest/record/v1`, queries at `/services/rest/query/v1/suiteql`.
//!
//! Its habits: who asks for a token states who it is, signed; a query ends at so many rows without a word, shows nothing where a value
//! is blank, days and times as the account writes them unless they are formatted, times of the account's zone to the second, and
//! truth as `T` and `F`, while records have truth as JSON has it and references as `{"id": "5"}`; a write is answered with 204 and
//! nothing else; `PUT` to an external id makes the record or changes the one that is there; what was deleted stands in
//! `deletedrecord`; there are no conditions.

mod rows;
mod suiteql;

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use serde_json::{Map, Value as Json, json};

use super::answer::{Ask, Desk, Reply};
use super::clock::moment;
use super::shape::Kind;
use super::store::{Fault, Row, Store, Table, What, text_of};
use suiteql::Query;

pub(super) const TABLE: &str = include_str!("netsuite.txt");
/// Who may ask: a client, and the id of its certificate.
pub(super) const CLIENTS: [(&str, &str, &str); 2] = [
    ("tandem", "netsuite-tandem-client", "netsuite-tandem-certificate"),
    ("alice", "netsuite-alice-client", "netsuite-alice-certificate"),
];
/// The key of both certificates: no secret, for it signs here alone.
pub(super) const KEY: &str = include_str!("netsuite.pem");
/// So many rows a query shows at most, where nothing else is said.
pub(super) const CAP: u32 = 100_000;
/// How long an access token lasts, and a statement may, in seconds.
const LASTS: i64 = 3_600;
/// The most rows of a page.
const PAGE: usize = 1_000;
const TOKENS: &str = "/services/rest/auth/oauth2/v1/token";
/// The ERP.
#[derive(Debug)]
pub(super) struct Netsuite {
    /// So many rows a query shows at most.
    cap: usize,
    /// Access tokens: whose, and until when.
    tokens: BTreeMap<String, (&'static str, i64)>,
    given_out: u64,
}

/// A customer with a contact.
pub(super) fn sample(store: &mut Store, number: u32) {
    let mut made = |table: &str, values: Json| {
        let values = values.as_object().cloned().unwrap_or_default();
        store.create(table, &values, "alice").unwrap_or_default()
    };
    let name = format!("Company {number}");
    let email = format!("office@company{number}.example");
    let customer = made(
        "customer",
        json!({ "entityId": name, "companyName": name, "email": email }),
    );
    made(
        "contact",
        json!({ "firstName": "Ann", "lastName": format!("Contact {number}"), "company": customer }),
    );
}

impl Desk for Netsuite {
    fn answer(&mut self, store: &mut Store, ask: &Ask) -> Reply {
        if ask.method == "POST" && format!("/{}", ask.path.join("/")) == TOKENS {
            return self.token(store.clock.now(), ask);
        }
        let token = ask.header("authorization").strip_prefix("Bearer ");
        let known = token.and_then(|token| self.tokens.get(token));
        let Some((user, _)) = known.filter(|(_, until)| *until > store.clock.now()) else {
            return error(401, "INVALID_LOGIN", "Invalid login attempt.", None);
        };
        let user = *user;
        let done = match (ask.method.as_str(), ask.steps().as_slice()) {
            ("POST", ["services", "rest", "query", "v1", "suiteql"]) => self.query(store, ask),
            (method, ["services", "rest", "record", "v1", of, id @ ..]) => match store.table(of) {
                Some(_) => record(store, ask, (method, of, id), user),
                None => Err(error(
                    404,
                    "NONEXISTENT_TYPE",
                    &format!("Record type '{of}' does not exist."),
                    None,
                )),
            },
            _ => Err(error(404, "INVALID_URL", "Invalid URL.", None)),
        };
        done.unwrap_or_else(|refused| refused)
    }
}

impl Netsuite {
    pub(super) fn new(cap: u32) -> Self {
        Self {
            cap: cap as usize,
            tokens: BTreeMap::new(),
            given_out: 0,
        }
    }

    /// Gives out a token for a signed statement.
    fn token(&mut self, now: i64, ask: &Ask) -> Reply {
        let form: BTreeMap<String, String> = url::form_urlencoded::parse(&ask.body).into_owned().collect();
        let said = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        let asked = said("grant_type") == "client_credentials"
            && said("client_assertion_type") == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let stated = stated(now / 1_000_000, said("client_assertion")).filter(|_| asked);
        let Some(user) = stated else {
            return Reply::new(400, json!({ "error": "invalid_request" }));
        };
        self.given_out += 1;
        let token = format!("netsuite-{user}-access-{}", self.given_out);
        self.tokens.insert(token.clone(), (user, now + LASTS * 1_000_000));
        Reply::ok(json!({ "access_token": token, "expires_in": LASTS.to_string(), "token_type": "Bearer" }))
    }

    fn query(&self, store: &Store, ask: &Ask) -> Result<Reply, Reply> {
        let refused = |what: &str| {
            error(
                400,
                "INVALID_PARAMETER",
                &format!("Invalid search query. {what}"),
                None,
            )
        };
        if ask.header("prefer") != "transient" {
            return Err(refused(
                "The required request header 'Prefer' is missing or not 'transient'.",
            ));
        }
        let number = |name: &str, otherwise: usize| {
            let said = ask.query.get(name);
            said.map_or(Some(otherwise), |text| text.parse().ok())
        };
        let pages = number("limit", PAGE).zip(number("offset", 0));
        let right = |(limit, offset): &(usize, usize)| (1..=PAGE).contains(limit) && offset % limit == 0;
        let Some((limit, offset)) = pages.filter(right) else {
            return Err(refused(
                "The limit is at most 1000, and the offset is divisible by it.",
            ));
        };
        let text = text_of(ask.json().get("q"));
        let query = Query::read(&text).map_err(|what| refused(&what))?;
        let mut rows = rows::of(store, &query).map_err(|what| refused(&what))?;
        // What lies behind is never shown, and nothing says so.
        rows.truncate(self.cap);
        let total = rows.len();
        let items: Vec<Json> = rows.into_iter().skip(offset).take(limit).collect();
        Ok(Reply::ok(json!({
            "links": [], "count": items.len(), "hasMore": offset + items.len() < total, "items": items,
            "offset": offset, "totalResults": total
        })))
    }
}

/// Who states who it is, rightly signed and in time.
fn stated(now: i64, text: &str) -> Option<&'static str> {
    let (signed, signature) = text.rsplit_once('.')?;
    let (head, claims) = signed.split_once('.')?;
    let read = |part: &str| -> Option<Json> {
        let part = URL_SAFE_NO_PAD.decode(part).ok()?;
        serde_json::from_slice(&part).ok()
    };
    let (head, claims) = (read(head)?, read(claims)?);
    let (user, _, certificate) = CLIENTS.iter().find(|(_, client, _)| claims["iss"] == *client)?;
    let scope = claims["scope"].to_string().contains("rest_webservices");
    let named =
        head["alg"] == "ES256" && head["kid"] == *certificate && claims["aud"].as_str()?.ends_with(TOKENS);
    let (from, until) = (claims["iat"].as_i64()?, claims["exp"].as_i64()?);
    let timely = from <= now + 60 && now < until && until - from <= LASTS;
    let body: String = KEY.lines().filter(|line| !line.starts_with('-')).collect();
    let key = STANDARD.decode(body).ok()?;
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key, &SystemRandom::new()).ok()?;
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.public_key().as_ref().to_vec());
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    let right = key.verify(signed.as_bytes(), &signature).is_ok();
    (scope && named && timely && right).then_some(*user)
}

fn error(status: u16, code: &str, detail: &str, path: Option<&str>) -> Reply {
    let title = match status {
        401 => "Unauthorized",
        404 => "Not Found",
        _ => "Bad Request",
    };
    let mut one = json!({ "detail": detail, "o:errorCode": code });
    if let Some(path) = path {
        one["o:errorPath"] = path.into();
    }
    let kind = "https://www.rfc-editor.org/rfc/rfc9110.html#section-15.5";
    let body = json!({ "type": kind, "title": title, "status": status, "o:errorDetails": [one] });
    Reply::new(status, body)
}

/// A request about a record: `5`, or `eid:EXTERNAL`.
fn record(
    store: &mut Store,
    ask: &Ask,
    (method, of, id): (&str, &str, &[&str]),
    user: &str,
) -> Result<Reply, Reply> {
    let said = id.first().copied().unwrap_or_default();
    let external = said.strip_prefix("eid:");
    let found = store.table(of).and_then(|table| match external {
        Some(external) => table
            .rows
            .values()
            .find(|row| text_of(row.values.get("externalId")) == external),
        None => table.row(said),
    });
    let found = found.map(|row| row.id.clone());
    let absent = || {
        let what = "The record instance does not exist. Provide a valid record instance ID.";
        error(404, "NONEXISTENT_ID", what, None)
    };
    let refused = |fault: Fault| told(&fault);
    match (method, id, external) {
        ("POST", [], _) => {
            let values = kept(store, ask, of, true)?;
            store
                .create(of, &values, user)
                .map(|id| made(ask, of, &id))
                .map_err(refused)
        }
        ("PUT", [_], Some(external)) => {
            let mut values = kept(store, ask, of, found.is_none())?;
            values.insert("externalId".to_owned(), external.into());
            let id = match found {
                Some(id) => store.update(of, &id, &values, user).map(|()| id),
                None => store.create(of, &values, user),
            };
            id.map(|id| made(ask, of, &id)).map_err(refused)
        }
        ("PATCH", [_], _) => {
            let id = found.ok_or_else(absent)?;
            let values = kept(store, ask, of, false)?;
            store
                .update(of, &id, &values, user)
                .map(|()| made(ask, of, &id))
                .map_err(refused)
        }
        ("DELETE", [_], _) => {
            let id = found.ok_or_else(absent)?;
            store.delete(of, &id).map(|()| done()).map_err(refused)
        }
        ("GET", [_], _) => {
            let id = found.ok_or_else(absent)?;
            let row = store.table(of).and_then(|table| Some((table, table.row(&id)?)));
            row.map(|(table, row)| Reply::ok(document(table, row)))
                .ok_or_else(absent)
        }
        _ => Err(error(
            405,
            "METHOD_NOT_ALLOWED",
            "The method is not allowed here.",
            None,
        )),
    }
}

/// Done, and nothing to tell.
fn done() -> Reply {
    Reply {
        status: 204,
        headers: Vec::new(),
        body: None,
    }
}

/// Done, and where the record stands.
fn made(ask: &Ask, of: &str, id: &str) -> Reply {
    let address = format!("http://{}/services/rest/record/v1/{of}/{id}", ask.header("host"));
    Reply {
        headers: vec![("location", address)],
        ..done()
    }
}

/// What is kept of a record that is sent.
fn kept(store: &Store, ask: &Ask, of: &str, creates: bool) -> Result<Map<String, Json>, Reply> {
    let Some(table) = store.table(of) else {
        return Err(error(
            404,
            "NONEXISTENT_TYPE",
            "Record type does not exist.",
            None,
        ));
    };
    let strict = ask.header("x-netsuite-propertynamevalidation") == "Error";
    let mut values = Map::new();
    for (name, value) in ask.members() {
        let value = match table.shape.fields.get(&name).map(|field| &field.kind) {
            None if strict => {
                let what = format!("Unknown reference or field name '{name}'.");
                return Err(error(400, "INVALID_CONTENT", &what, Some(&name)));
            }
            // Dropped without a word.
            None => continue,
            Some(Kind::Reference(_)) if value.is_object() => value.get("id").cloned().unwrap_or_default(),
            Some(_) => value,
        };
        values.insert(name, value);
    }
    // A customer is called after its company where nothing else is said.
    if creates && of == "customer" && !values.contains_key("entityId") {
        let name = values.get("companyName").cloned().unwrap_or_default();
        values.insert("entityId".to_owned(), name);
    }
    Ok(values)
}

/// A record as a read of its own shows it: what is blank is left out.
fn document(table: &Table, row: &Row) -> Json {
    let mut all = Map::from_iter([
        ("links".to_owned(), json!([])),
        ("id".to_owned(), row.id.clone().into()),
        (
            "lastModifiedDate".to_owned(),
            moment(row.modified)
                .strftime("%Y-%m-%dT%H:%M:%SZ")
                .to_string()
                .into(),
        ),
    ]);
    for (name, value) in row.values.iter().filter(|(_, value)| !value.is_null()) {
        let value = match &table.shape.fields[name].kind {
            Kind::Reference(_) => json!({ "links": [], "id": value }),
            _ => value.clone(),
        };
        all.insert(name.clone(), value);
    }
    Json::Object(all)
}

/// A write that is refused, in its words.
fn told(fault: &Fault) -> Reply {
    let field = &fault.field;
    let (code, what) = match fault.what {
        What::Twice => ("USER_ERROR", "This entity already exists.".to_owned()),
        What::Missing => ("USER_ERROR", format!("Please enter value(s) for: {field}.")),
        What::Long => {
            let what =
                format!("The field {field} contained more than the maximum number of characters allowed.");
            ("INVALID_CONTENT", what)
        }
        What::Dangling => {
            let what = format!("You have entered an Invalid Field Value for the following field: {field}");
            ("INVALID_CONTENT", what)
        }
        What::Used => {
            let what = "This record cannot be deleted because it has dependent records.".to_owned();
            return error(400, "USER_ERROR", &what, None);
        }
        What::Unfit | What::Unknown => ("INVALID_CONTENT", format!("Invalid value for {field}.")),
    };
    error(
        400,
        code,
        &format!("Error while accessing a resource. {what}"),
        Some(field),
    )
}
