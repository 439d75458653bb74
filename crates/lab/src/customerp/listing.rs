//! Reading many records: pages of changes, records by id, and lookups by value.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Serialize, Serializer};
use serde_json::Value as Json;

use super::api::{object, type_of};
use super::gate::Rows;
use super::problem::Refusal;
use super::record::{Record, Shown};
use super::schema::{RecordType, TypeIndex};
use super::server::Erp;
use super::value::{millis, moment};

/// The largest page.
pub(crate) const PAGE_MAX: usize = 1_000;
/// The page when none is asked for.
const PAGE_DEFAULT: usize = 100;
/// The most ids in one request.
pub(crate) const IDS_MAX: usize = 200;
/// The most values in one lookup.
pub(crate) const VALUES_MAX: usize = 1_000;

/// What a listing was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    updated_since: Option<i64>,
    limit: Option<usize>,
    cursor: Option<Cursor>,
    include_deleted: bool,
    ids: Option<Vec<String>>,
}

/// The last row of a page, after which the next one goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cursor {
    updated_at: i64,
    id: u64,
    include_deleted: bool,
}

/// Rows in the form in which they leave the server.
struct Rendered<'a> {
    record_type: &'a RecordType,
    records: &'a [Arc<Record>],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    items: Rendered<'a>,
    next_cursor: Option<String>,
    as_of: String,
}

#[derive(Serialize)]
struct Found<'a> {
    items: Rendered<'a>,
}

/// `GET /{collection}`
pub(crate) async fn list(
    State(erp): State<Arc<Erp>>,
    Path(collection): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Refusal> {
    let type_index = type_of(&erp, &collection)?;
    let mut asked = read_query(&query)?;
    let (as_of, records, next) = match asked.ids.take() {
        Some(ids) => by_ids(&erp, type_index, &ids, &asked)?,
        None => page(&erp, type_index, &asked),
    };
    let items = Rendered {
        record_type: &erp.catalog.types[type_index],
        records: &records,
    };
    let page = Page {
        items,
        next_cursor: next.map(Cursor::encode),
        as_of: moment(as_of),
    };
    Ok(answer(&page, records.len()))
}

/// `POST /{collection}/lookup`
pub(crate) async fn lookup(
    State(erp): State<Arc<Erp>>,
    Path(collection): Path<String>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let type_index = type_of(&erp, &collection)?;
    let record_type = &erp.catalog.types[type_index];
    let (name, values) = read_lookup(&body)?;
    let records = if name == "id" {
        let store = erp.read();
        let ids = values.iter().filter_map(|value| value.trim().parse().ok());
        let mut ids: Vec<u64> = ids.collect();
        ids.sort_unstable();
        ids.dedup();
        ids.iter()
            .filter_map(|id| store.live(type_index, *id))
            .cloned()
            .collect()
    } else {
        let unknown = || Refusal::bad_request(format!("`{name}` is no property of {}.", record_type.name));
        let property = record_type.property(&name).ok_or_else(unknown)?;
        erp.read().find(type_index, property, &values)
    };
    Ok(answer(
        &Found {
            items: Rendered {
                record_type,
                records: &records,
            },
        },
        records.len(),
    ))
}

type Listed = (i64, Vec<Arc<Record>>, Option<Cursor>);

fn page(erp: &Erp, type_index: TypeIndex, asked: &Asked) -> Listed {
    let include_deleted = asked.include_deleted || asked.cursor.is_some_and(|cursor| cursor.include_deleted);
    // Ids count from 1, so (moment, 0) lies just before all records of that moment.
    let since = (asked.updated_since.unwrap_or(i64::MIN), 0);
    let position = asked
        .cursor
        .map_or(since, |cursor| since.max((cursor.updated_at, cursor.id)));
    let limit = asked.limit.unwrap_or(PAGE_DEFAULT);
    let store = erp.read();
    let as_of = store.clock().reading();
    let wanted = store
        .changed_after(type_index, position)
        .filter(|record| include_deleted || !record.deleted);
    let mut records: Vec<_> = wanted.take(limit + 1).cloned().collect();
    let more = records.len() > limit;
    records.truncate(limit);
    let last = records.last().filter(|_| more);
    let next = last.map(|last| Cursor {
        updated_at: last.updated_at,
        id: last.id,
        include_deleted,
    });
    (as_of, records, next)
}

fn by_ids(erp: &Erp, type_index: TypeIndex, ids: &[String], asked: &Asked) -> Result<Listed, Refusal> {
    if *asked != Asked::default()
        && *asked
            != (Asked {
                include_deleted: true,
                ..Asked::default()
            })
    {
        return Err(Refusal::bad_request(
            "`ids` cannot be combined with updatedSince, limit or cursor.",
        ));
    }
    let store = erp.read();
    let as_of = store.clock().reading();
    let mut numbers: Vec<u64> = ids.iter().filter_map(|id| id.parse().ok()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let records = numbers
        .iter()
        .filter_map(|id| store.get(type_index, *id))
        .cloned()
        .collect();
    Ok((as_of, records, None))
}

fn read_query(query: &[(String, String)]) -> Result<Asked, Refusal> {
    let mut asked = Asked::default();
    for (name, value) in query {
        let unfit = |expected: &str| Refusal::bad_request(format!("`{name}` must be {expected}."));
        match name.as_str() {
            "updatedSince" => {
                // A `+` of an offset that was not escaped arrives as a blank.
                let since = millis(&value.replace(' ', "+"));
                asked.updated_since = Some(since.ok_or_else(|| unfit("an RFC 3339 moment"))?);
            }
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=PAGE_MAX).contains(limit));
                asked.limit = Some(limit.ok_or_else(|| unfit("a number from 1 to 1000"))?);
            }
            "cursor" => asked.cursor = Some(Cursor::decode(value).ok_or_else(|| unfit("a nextCursor"))?),
            "includeDeleted" => {
                asked.include_deleted = value.parse().map_err(|_| unfit("true or false"))?;
            }
            "ids" => {
                let ids: Vec<String> = value.split(',').map(|id| id.trim().to_owned()).collect();
                if ids.len() > IDS_MAX {
                    return Err(unfit("at most 200 ids"));
                }
                asked.ids = Some(ids);
            }
            _ => {
                return Err(Refusal::bad_request(format!(
                    "`{name}` is no parameter of a listing."
                )));
            }
        }
    }
    Ok(asked)
}

fn read_lookup(body: &[u8]) -> Result<(String, Vec<String>), Refusal> {
    let mut body = object(body)?;
    let shape = || Refusal::bad_request("A lookup is {\"property\": \"email\", \"values\": [\"a\", \"b\"]}.");
    let (Some(Json::String(property)), Some(Json::Array(values))) =
        (body.remove("property"), body.remove("values"))
    else {
        return Err(shape());
    };
    if values.len() > VALUES_MAX {
        return Err(Refusal::bad_request("A lookup takes at most 1000 values."));
    }
    let text = |value| match value {
        Json::String(text) => Ok(text),
        Json::Number(number) => Ok(number.to_string()),
        Json::Bool(value) => Ok(value.to_string()),
        _ => Err(shape()),
    };
    let values = values.into_iter().map(text).collect::<Result<_, _>>()?;
    Ok((property, values))
}

fn answer<T: Serialize>(body: &T, rows: usize) -> Response {
    // Nothing in a record fails to serialize; see `Shown`.
    let text = serde_json::to_string(body).unwrap_or_default();
    let mut response = ([(header::CONTENT_TYPE, "application/json")], text).into_response();
    response.extensions_mut().insert(Rows(rows));
    response
}

impl Serialize for Rendered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let record_type = self.record_type;
        serializer.collect_seq(self.records.iter().map(|record| Shown { record_type, record }))
    }
}

impl Cursor {
    fn encode(self) -> String {
        let deleted = if self.include_deleted { "d" } else { "" };
        URL_SAFE_NO_PAD.encode(format!("{}.{}.{deleted}", self.updated_at, self.id))
    }

    fn decode(text: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let mut parts = text.split('.');
        let (updated_at, id) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(Self {
            updated_at,
            id,
            include_deleted: parts.next()? == "d",
        })
    }
}
