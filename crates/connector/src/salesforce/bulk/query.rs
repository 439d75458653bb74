//! Bulk queries: what is too much for pages of 2,000 rows.
//!
//! The org runs the query as a job and gives its rows in large parts by locator. A part is kept in a file, and
//! shown in pages; a cursor says which part and how far, so that a crash costs no rows and hardly a call. A job that
//! the org knows no more begins anew.

use super::spool::make_folder;
use crate::Error;
use crate::http::json::text;
use crate::http::{Failure, Reply, Request, salvage};
use crate::salesforce::Salesforce;
use crate::salesforce::composite::{self, Subrequest};
use crate::salesforce::record::Reading;
use crate::salesforce::schema::Object;
use crate::salesforce::{refusal, soql};
use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use std::io::{self, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;
use tandem_merge::record::Observation;
use tandem_seal::Files;

/// With more rows than this a job is fewer calls than pages: it takes three or four.
pub(in crate::salesforce) const ABOVE: u64 = 6_000;
/// Rows of a part.
const PART: usize = 250_000;
/// Rows of a page.
const PAGE: usize = 2_000;
/// Rows that an org gathers in a second, about: earlier it is not asked for them.
const PACE: u64 = 20_000;
/// How often the state of a job is asked for, every 16 seconds in the end: after half an hour pages are sooner there.
const MOST_ASKED: u32 = 120;
/// Bytes that a part may have before its time is up.
const PART_BYTES: u64 = 512 * 1024 * 1024;

/// A query under way; part of a cursor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::salesforce) struct Large {
    /// The job's id.
    job: String,
    /// Before the job was made, by our clock.
    began: Timestamp,
    /// A moment that the org's clock had surely reached then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reached: Option<Timestamp>,
    /// How many rows were counted before.
    #[serde(default)]
    rows: u64,
    /// How often its state was asked for; none once it has ended.
    asked: Option<u32>,
    /// The part at hand; none: the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    locator: Option<String>,
    /// How far the part at hand was shown, in bytes; none: it is not fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    /// The part behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// The parts that were shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    shown: Vec<String>,
}

/// What the next look at a query came to.
pub(in crate::salesforce) enum Page {
    /// The org is still at work; it was waited for a while.
    Waiting,
    /// Rows; there are more.
    Rows(Vec<Observation>),
    /// The last rows.
    Last(Vec<Observation>),
    /// The org has lost the job, or cannot carry it out.
    Lost,
}

/// Counts the rows of statements (without `SELECT ... `), five to a call. None: the org does not say.
pub(in crate::salesforce) async fn counts(
    org: &Salesforce,
    conditions: &[(String, bool)],
) -> Result<Vec<Option<u64>>, Error> {
    let mut counts = Vec::new();
    for pack in conditions.chunks(composite::QUERIES) {
        let reads = pack.iter().map(|(condition, all)| {
            let statement = format!("SELECT COUNT() FROM {condition}");
            Subrequest::new("GET", soql::address(&org.session, &statement, *all))
        });
        let (parts, _) = composite::read(&org.session, reads.collect()).await?;
        let counted = |part: &composite::Part| match part.is_success() {
            true => part.body.get("totalSize").and_then(Json::as_u64),
            false => None,
        };
        counts.extend(parts.iter().map(counted));
    }
    Ok(counts)
}

/// Begins a query of about so many rows; `all` sees deleted rows too.
pub(in crate::salesforce) async fn begin(
    org: &Salesforce,
    statement: &str,
    all: bool,
    rows: u64,
) -> Result<Large, Error> {
    let operation = if all { "queryAll" } else { "query" };
    let job = json!({"operation": operation, "query": statement, "contentType": "CSV", "lineEnding": "LF"});
    // A query that is asked twice costs a job, and no more.
    let request = Request::new(Method::POST, "/jobs/query").json(&job);
    let (body, reply) = org.session.read(request).await?;
    let id = text(&body, "id").filter(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let id = id.ok_or_else(|| org.session.http.protocol("a Bulk query has no id"))?;
    Ok(Large {
        job: id.to_owned(),
        began: reply.began,
        reached: reply.reached,
        rows,
        asked: Some(0),
        locator: None,
        offset: None,
        next: None,
        shown: Vec::new(),
    })
}

/// The next rows of a query.
pub(in crate::salesforce) async fn page(
    org: &Salesforce,
    (folder, files): (&Path, &Files),
    object: &Object,
    large: &mut Large,
) -> Result<Page, Error> {
    let path = folder.join(format!("{}.csv", large.job));
    if let Some(asked) = large.asked {
        let seconds = (large.rows / PACE).clamp(1, 4) << asked.min(2);
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        // Whoever asks for rows too early is refused, and mostly it is not: the first time they are asked for at once.
        if asked > 0 || !fetch(org, large, (&path, files)).await? {
            match state(org, &large.job).await?.as_deref() {
                Some("JobComplete") => {}
                Some("UploadComplete" | "InProgress") if asked < MOST_ASKED => {
                    large.asked = Some(asked + 1);
                    return Ok(Page::Waiting);
                }
                _ => return Ok(Page::Lost),
            }
        }
        large.asked = None;
    }
    if (large.offset.is_none() || !path.exists()) && !fetch(org, large, (&path, files)).await? {
        return Ok(Page::Lost);
    }
    let protection = org.protection(object).await?;
    // What the rows share is when they were read, no later than when the job was made.
    let reply = Reply {
        status: 200,
        headers: HeaderMap::new(),
        body: Vec::new(),
        began: large.began,
        reached: large.reached,
        repeated: false,
    };
    let reading = Reading {
        system: &org.config.name,
        object,
        protection: &protection,
        reply: &reply,
    };
    let unkept = |error: io::Error| org.session.http.unkept(&path, &error);
    let (rows, offset) = read(object, (&path, files), large.offset.unwrap_or_default()).map_err(unkept)?;
    let observations: Vec<Observation> = rows.iter().filter_map(|row| reading.shown(row)).collect();
    large.offset = offset;
    if offset.is_some() {
        return Ok(Page::Rows(observations));
    }
    drop(std::fs::remove_file(&path));
    large.shown.extend(large.locator.take());
    large.locator = large.next.take();
    if large
        .locator
        .as_ref()
        .is_some_and(|next| large.shown.contains(next))
    {
        let (system, of) = (org.session.http.system(), &object.name);
        tracing::warn!(
            system,
            "{system}: a Bulk query of {of} gives the same part again: it is read in pages"
        );
        return Ok(Page::Lost);
    }
    Ok(match large.locator {
        Some(_) => Page::Rows(observations),
        None => Page::Last(observations),
    })
}

async fn state(org: &Salesforce, job: &str) -> Result<Option<String>, Error> {
    let request = Request::get(format!("/jobs/query/{job}"));
    let reply = org.session.send(request).await.map_err(Failure::into_error)?;
    if matches!(reply.status, 400 | 404 | 409) {
        return Ok(None);
    }
    if !reply.is_success() {
        return Err(refusal::error(&org.session.http, &reply));
    }
    Ok(text(&reply.json(), "state").map(str::to_owned))
}

/// Fetches the part at hand into its file. Answers whether the org has it.
async fn fetch(org: &Salesforce, large: &mut Large, (path, files): (&Path, &Files)) -> Result<bool, Error> {
    let folder = path.parent().unwrap_or(path);
    make_folder(folder).map_err(|error| org.session.http.unkept(folder, &error))?;
    let locator = large
        .locator
        .as_ref()
        .map(|locator| format!("&locator={locator}"));
    let resource = format!("/jobs/query/{}/results?maxRecords={PART}", large.job);
    let request = Request::get(resource + &locator.unwrap_or_default())
        .header("accept", "text/csv")
        .into_file(path.to_path_buf(), files, PART_BYTES);
    let reply = org.session.send(request).await.map_err(Failure::into_error)?;
    // Before a query has ended older versions answer with nothing at all.
    if matches!(reply.status, 204 | 400 | 404 | 409 | 412) {
        return Ok(false);
    }
    if !reply.is_success() {
        return Err(refusal::error(&org.session.http, &reply));
    }
    let next = reply
        .headers
        .get("sforce-locator")
        .and_then(|next| next.to_str().ok());
    large.next = next
        .filter(|next| !matches!(*next, "null" | ""))
        .map(str::to_owned);
    large.offset.get_or_insert(0);
    Ok(true)
}

/// Rows of a part from an offset on, as a query would show them, and the next offset; none at the end.
fn read(
    object: &Object,
    (path, files): (&Path, &Files),
    offset: u64,
) -> Result<(Vec<Json>, Option<u64>), io::Error> {
    let mut file = files.open(path)?;
    let mut reader = csv::Reader::from_reader(&mut file);
    let head = reader.headers()?.clone();
    let body = reader.position().byte();
    drop(reader);
    let start = offset.max(body);
    file.seek(SeekFrom::Start(start))?;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(file);
    let mut record = csv::ByteRecord::new();
    let mut rows = Vec::new();
    while rows.len() < PAGE {
        if !reader.read_byte_record(&mut record)? {
            return Ok((rows, None));
        }
        rows.push(row(object, &head, &record));
    }
    Ok((rows, Some(start + reader.position().byte())))
}

/// A row as a query would show it.
fn row(object: &Object, head: &csv::StringRecord, record: &csv::ByteRecord) -> Json {
    let mut row = Map::new();
    for (name, cell) in head.iter().zip(record) {
        let cell = match salvage::text(cell) {
            Ok(cell) => cell,
            Err(mark) => {
                row.insert(name.to_owned(), mark);
                continue;
            }
        };
        match name.split_once('.') {
            Some((relation, name)) if !cell.is_empty() => {
                row.insert(relation.to_owned(), json!({ name: cell }));
            }
            Some(_) => {}
            None => drop(row.insert(name.to_owned(), value(object.data_type(name), cell))),
        }
    }
    Json::Object(row)
}

fn value(data_type: Option<&str>, cell: &str) -> Json {
    if cell.is_empty() {
        return Json::Null;
    }
    let text = || Json::String(cell.to_owned());
    match data_type {
        Some("boolean") if cell.eq_ignore_ascii_case("true") => Json::Bool(true),
        Some("boolean") if cell.eq_ignore_ascii_case("false") => Json::Bool(false),
        Some("int" | "long" | "double" | "currency" | "percent") => {
            cell.parse().map_or_else(|_| text(), Json::Number)
        }
        // Versions are told apart by their text.
        Some("datetime") => match cell.strip_suffix('Z') {
            Some(moment) => Json::String(format!("{moment}+0000")),
            None => text(),
        },
        _ => text(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_part_is_read_in_pages_as_a_query_would_show_it() {
        let object = Object::for_tests(&[
            ("Id", "id"),
            ("SystemModstamp", "datetime"),
            ("IsDeleted", "boolean"),
            ("Amount", "currency"),
            ("Name", "string"),
        ]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part.csv");
        let mut text = String::from(
            "\"Id\",\"SystemModstamp\",\"IsDeleted\",\"LastModifiedBy.Name\",\"Amount\",\"Name\"\n",
        );
        for number in 0..PAGE + 1 {
            let line = format!(
                "\"{number}\",\"2024-01-01T00:00:00.000Z\",\"false\",\"Ann\",\"1234567890123456.78\",\"a,\n{number}\"\n"
            );
            text.push_str(&line);
        }
        std::fs::write(&path, text).unwrap();
        let files = Files::default();
        let (rows, offset) = read(&object, (&path, &files), 0).unwrap();
        assert_eq!(rows.len(), PAGE);
        let row = r#"{"Amount":1234567890123456.78,"Id":"0","IsDeleted":false,"LastModifiedBy":{"Name":"Ann"},
             "Name":"a,\n0","SystemModstamp":"2024-01-01T00:00:00.000+0000"}"#;
        assert_eq!(rows[0], serde_json::from_str::<Json>(row).unwrap());
        let (rest, end) = read(&object, (&path, &files), offset.unwrap()).unwrap();
        assert_eq!((rest.len(), end), (1, None));
        assert_eq!(rest[0]["Name"], format!("a,\n{PAGE}"));
    }

    #[test]
    fn fuzz_csv() {
        let object = Object::for_tests(&[
            ("Id", "id"),
            ("IsDeleted", "boolean"),
            ("Amount", "currency"),
            ("At", "datetime"),
        ]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part.csv");
        let corpus: [&[u8]; 4] = [
            b"Id,IsDeleted,Amount,At\n001,false,1.50,2024-01-01T00:00:00.000Z\n\"002\",\"true\",\"1e999\",\"\"\n",
            b"\"Id\",\"LastModifiedBy.Name\",\"A.B.C\"\n\"1\",\"a\"\"b\n\",\n",
            b"sf__Id,sf__Error,Id\n,\"FIELD_CUSTOM_VALIDATION_EXCEPTION:no: way:Name,Email --\",1\n",
            b"",
        ];
        tandem_fuzz::drive("csv", &corpus, |data| {
            std::fs::write(&path, data).unwrap();
            let mut offset = 0;
            // However the rows are cut, reading comes to an end.
            for _ in 0..50 {
                let Ok((rows, next)) = read(&object, (&path, &Files::default()), offset) else {
                    return;
                };
                for row in &rows {
                    let _ = crate::salesforce::refusal::Said::of_row(&row.to_string());
                }
                let Some(next) = next else { return };
                assert!(next > offset, "no way on from {offset}");
                offset = next;
            }
        });
    }
}
