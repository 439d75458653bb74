//! What a sync has written, taken from the records of both systems, as a script that a bare loader sends to fresh
//! systems without deciding anything.
//!
//! Ids are given anew there: where a request names a record that an earlier one made, the script has a place for it.

use crate::failure::Failure;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Where the number of a place begins and ends.
pub(super) const PLACE: [char; 2] = ['\u{1}', '\u{2}'];
/// Characters of a record's id in Salesforce.
const ID: usize = 18;
/// Jobs of Bulk API 2.0.
const JOBS: &str = "/jobs/ingest";
/// Headers of parts of a call hold conditions, which hold for the first systems alone.
const CONDITIONS: &str = "httpHeaders";

/// One request of the script, or one job.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Step {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) media: String,
    pub(super) body: String,
    /// The data of a job; then the others are those of its making.
    pub(super) data: Option<String>,
    /// The places that its answer fills, in the order of the answer.
    pub(super) makes: Vec<u32>,
    /// So many writes were refused.
    pub(super) refused: usize,
    /// Earlier steps of the same system that name a record which this one names: they come first.
    pub(super) after: BTreeSet<u64>,
}

impl Step {
    /// The places of the records that it names.
    fn names(&self) -> BTreeSet<u32> {
        let texts = [Some(&self.path), Some(&self.body), self.data.as_ref()];
        let parts = texts
            .into_iter()
            .flatten()
            .flat_map(|text| text.split(PLACE[0]).skip(1));
        let places = parts.filter_map(|part| part.split_once(PLACE[1])?.0.parse().ok());
        places.collect()
    }
}

/// What the script asks of the loader.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(super) struct Summary {
    /// Steps for the ERP and for the org.
    pub(super) steps: [u64; 2],
    /// So many requests each was asked at once.
    pub(super) at_once: [usize; 2],
    /// So many places there are.
    pub(super) places: u32,
}

/// A line of a system's record.
#[derive(Deserialize)]
struct Line {
    arrived: i64,
    answered: i64,
    method: String,
    path: String,
    media: String,
    body: String,
    status: u16,
    answer: String,
}

/// Writes the script of what was written. `records`: what both systems have recorded; `scripts`: the files to write.
///
/// # Errors
/// Where a file cannot be read or written.
pub(super) fn of_writes(records: &[PathBuf; 2], scripts: &[PathBuf; 2]) -> Result<Summary, Failure> {
    let mut author = Author::default();
    let step = |system, line| {
        if system == 0 {
            author.of_erp(line)
        } else {
            author.of_org(line)
        }
    };
    let mut summary = write(records, scripts, step)?;
    summary.places = u32::try_from(author.places.len()).unwrap_or(u32::MAX);
    Ok(summary)
}

/// Writes the script of what was read since a moment, in milliseconds since 1970.
///
/// # Errors
/// Where a file cannot be read or written.
pub(super) fn of_reads(
    records: &[PathBuf; 2],
    scripts: &[PathBuf; 2],
    since: i64,
) -> Result<Summary, Failure> {
    let author = Author::default();
    write(records, scripts, |_, line| {
        let reads = line.arrived >= since && line.status < 300 && is_read(&line);
        reads.then(|| author.step(line, None, Vec::new(), 0))
    })
}

/// Whether a request asks for records.
fn is_read(line: &Line) -> bool {
    let parts = || serde_json::from_str::<Json>(&line.body).unwrap_or_default();
    match line.method.as_str() {
        "GET" => line.path.contains("/query") || line.path.starts_with("/api/v1/"),
        "POST" if line.path.ends_with("/composite") => {
            let parts = parts();
            let mut parts = parts["compositeRequest"].as_array().into_iter().flatten();
            parts.all(|part| {
                part["method"] == "GET" && part["url"].as_str().is_some_and(|url| url.contains("/query"))
            })
        }
        "POST" => line.path.ends_with("/lookup"),
        _ => false,
    }
}

/// Writes what becomes of each line, in the order of the answers.
fn write(
    records: &[PathBuf; 2],
    scripts: &[PathBuf; 2],
    mut step: impl FnMut(usize, Line) -> Option<Step>,
) -> Result<Summary, Failure> {
    let read = |path: &PathBuf| File::open(path).map(|file| BufReader::new(file).lines());
    let mut lines = [
        read(&records[0]).map_err(unusable)?,
        read(&records[1]).map_err(unusable)?,
    ];
    let mut files = [make(&scripts[0])?, make(&scripts[1])?];
    let mut next = [line(&mut lines[0])?, line(&mut lines[1])?];
    let mut under_way = [Vec::new(), Vec::new()];
    let mut named = [HashMap::new(), HashMap::new()];
    let mut summary = Summary::default();
    loop {
        let system = match &next {
            [None, None] => break,
            [Some(erp), Some(org)] => usize::from(org.answered < erp.answered),
            [erp, _] => usize::from(erp.is_none()),
        };
        let upcoming = line(&mut lines[system])?;
        let Some(one) = std::mem::replace(&mut next[system], upcoming) else {
            break;
        };
        let times = [one.arrived, one.answered];
        if let Some(mut step) = step(system, one) {
            let (names, number) = (step.names(), summary.steps[system]);
            step.after = names
                .iter()
                .filter_map(|place| named[system].get(place).copied())
                .collect();
            named[system].extend(names.into_iter().map(|place| (place, number)));
            summary.steps[system] += 1;
            under_way[system].push(times);
            serde_json::to_writer(&mut files[system], &step).map_err(|error| unusable(error.into()))?;
            files[system].write_all(b"\n").map_err(unusable)?;
        }
    }
    for file in &mut files {
        file.flush().map_err(unusable)?;
    }
    summary.at_once = under_way.map(at_once);
    Ok(summary)
}

/// The most requests that were under way together.
fn at_once(times: Vec<[i64; 2]>) -> usize {
    let ends = times
        .into_iter()
        .flat_map(|[from, until]| [(from, 1), (until, -1)]);
    let mut ends: Vec<(i64, i64)> = ends.collect();
    // What is answered in the same millisecond is over.
    ends.sort_unstable();
    let mut now = 0;
    let most = ends.into_iter().map(|(_, step)| {
        now += step;
        now
    });
    usize::try_from(most.max().unwrap_or_default())
        .unwrap_or_default()
        .max(1)
}

/// Makes steps of what was recorded.
#[derive(Default)]
struct Author {
    /// Records by their first ids.
    places: HashMap<String, u32>,
    jobs: HashMap<String, Job>,
}

/// A job that is not over.
struct Job {
    making: Line,
    data: String,
}

impl Author {
    /// Writes to the ERP. Its ids are the same in every run.
    fn of_erp(&self, line: Line) -> Option<Step> {
        let writes = matches!(line.method.as_str(), "POST" | "PATCH" | "DELETE");
        if !writes || line.path.ends_with("/lookup") || line.status >= 300 {
            return None;
        }
        Some(self.step(line, None, Vec::new(), 0))
    }

    fn of_org(&mut self, mut line: Line) -> Option<Step> {
        if line.status >= 300 || !line.path.starts_with("/services/data") {
            return None;
        }
        if line.path.contains(JOBS) {
            return self.of_job(line);
        }
        if line.method == "GET" || line.path.ends_with("/composite") && !keep_writes(&mut line.body) {
            return None;
        }
        let answer = serde_json::from_str(&line.answer).unwrap_or_default();
        let made = ids(&answer);
        let makes = made.into_iter().filter_map(|id| self.place(&id)).collect();
        Some(self.step(line, None, makes, refused(&answer)))
    }

    /// A job is one step, known once its results were read.
    fn of_job(&mut self, line: Line) -> Option<Step> {
        let path = line.path.clone();
        let (_, rest) = path.split_once(JOBS)?;
        let mut parts = rest.trim_start_matches('/').split('/');
        let id = parts.next().unwrap_or_default();
        match (line.method.as_str(), parts.next()) {
            ("POST", None) => {
                let answer: Json = serde_json::from_str(&line.answer).ok()?;
                let job = Job {
                    making: line,
                    data: String::new(),
                };
                self.jobs.insert(answer["id"].as_str()?.to_owned(), job);
                None
            }
            ("PUT", Some("batches")) => {
                self.jobs.get_mut(id)?.data = line.body;
                None
            }
            ("GET", Some(results)) if results.starts_with("successfulResults") => {
                let job = self.jobs.remove(id)?;
                let made = ids_of_results(&line.answer);
                let makes = made.into_iter().filter_map(|id| self.place(&id)).collect();
                Some(self.step(job.making, Some(job.data), makes, 0))
            }
            _ => None,
        }
    }

    fn step(&self, line: Line, data: Option<String>, makes: Vec<u32>, refused: usize) -> Step {
        Step {
            path: self.with_places(&line.path),
            body: self.with_places(&line.body),
            data: data.map(|data| self.with_places(&data)),
            method: line.method,
            media: line.media,
            makes,
            refused,
            after: BTreeSet::new(),
        }
    }

    fn place(&mut self, id: &str) -> Option<u32> {
        let next = u32::try_from(self.places.len()).ok()?;
        Some(*self.places.entry(id.to_owned()).or_insert(next))
    }

    /// A text with places instead of the ids of records that were made before.
    fn with_places(&self, text: &str) -> String {
        let mut written = String::with_capacity(text.len());
        for part in text.split_inclusive(|letter: char| !letter.is_ascii_alphanumeric()) {
            let word = part.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric());
            match self.places.get(word).filter(|_| word.len() == ID) {
                Some(place) => {
                    let [begin, end] = PLACE;
                    written.extend([begin.to_string(), place.to_string(), end.to_string()]);
                    written.push_str(&part[word.len()..]);
                }
                None => written.push_str(part),
            }
        }
        written
    }
}

/// Leaves the writes of a call with parts, without their conditions; whether there is one.
fn keep_writes(body: &mut String) -> bool {
    let Ok(mut call) = serde_json::from_str::<Json>(body) else {
        return false;
    };
    let Some(parts) = call["compositeRequest"].as_array_mut() else {
        return false;
    };
    parts.retain(|part| part["method"] != "GET");
    for part in parts.iter_mut().filter_map(Json::as_object_mut) {
        part.remove(CONDITIONS);
    }
    let some = !parts.is_empty();
    *body = call.to_string();
    some
}

/// The ids of records in an answer to writes, in its order.
pub(super) fn ids(answer: &Json) -> Vec<String> {
    match answer {
        Json::Array(parts) => parts.iter().flat_map(ids).collect(),
        Json::Object(fields) => {
            let id = fields
                .get("id")
                .and_then(Json::as_str)
                .filter(|id| id.len() == ID);
            let within = fields
                .iter()
                .filter(|(name, _)| *name != "id")
                .flat_map(|(_, value)| ids(value));
            id.map(str::to_owned).into_iter().chain(within).collect()
        }
        _ => Vec::new(),
    }
}

/// How many writes an answer refuses.
pub(super) fn refused(answer: &Json) -> usize {
    match answer {
        Json::Array(parts) => parts.iter().map(refused).sum(),
        Json::Object(fields) => {
            let failed = fields.get("success") == Some(&Json::Bool(false))
                || fields
                    .get("httpStatusCode")
                    .and_then(Json::as_u64)
                    .is_some_and(|status| status >= 400);
            usize::from(failed) + fields.values().map(refused).sum::<usize>()
        }
        _ => 0,
    }
}

/// The ids of records in the results of a job, in their order.
pub(super) fn ids_of_results(results: &str) -> Vec<String> {
    let mut rows = csv::Reader::from_reader(results.as_bytes());
    let headers = rows.headers().cloned().unwrap_or_default();
    let Some(column) = headers.iter().position(|name| name == "sf__Id") else {
        return Vec::new();
    };
    let rows = rows.into_records().filter_map(Result::ok);
    rows.filter_map(|row| row.get(column).map(str::to_owned))
        .collect()
}

fn line(lines: &mut std::io::Lines<BufReader<File>>) -> Result<Option<Line>, Failure> {
    let text = lines.next().transpose().map_err(unusable)?;
    let read = text.map(|text| serde_json::from_str(&text)).transpose();
    read.map_err(|error| unusable(error.into()))
}

fn make(path: &Path) -> Result<BufWriter<File>, Failure> {
    File::create(path).map(BufWriter::new).map_err(unusable)
}

pub(super) fn unusable(error: std::io::Error) -> Failure {
    Failure::trouble(
        format!("the record of the requests cannot be read, or the script of it not written ({error})"),
        "Free space, or set TMPDIR",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const FIRST: &str = "001ZbU000000001IBA";
    const OTHER: &str = "003ZbU000000001IBA";

    fn line(at: i64, method: &str, path: &str, body: &str, answer: &str) -> String {
        serde_json::json!({
            "arrived": at, "answered": at + 5, "method": method, "path": path, "media": "application/json",
            "body": body, "status": 200, "answer": answer,
        })
        .to_string()
    }

    #[test]
    fn what_names_a_record_that_was_made_before_has_a_place_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let data = "/services/data/v62.0";
        let made = format!(r#"[{{"id":"{FIRST}","success":true}}]"#);
        let condition = r#""httpHeaders":{"If-Unmodified-Since":"yesterday"}"#;
        let call = format!(
            r#"{{"compositeRequest":[{{"method":"GET","url":"{data}/limits"}},{{"method":"PATCH","url":"{data}/sobjects/Contact/{OTHER}",{condition},"body":{{"AccountId":"{FIRST}"}}}}]}}"#
        );
        let org = [
            line(0, "POST", "/services/oauth2/token", "secret", "{}"),
            line(10, "POST", &format!("{data}/composite/sobjects"), "{}", &made),
            line(20, "GET", &format!("{data}/query?q=SELECT"), "", &made),
            line(22, "POST", &format!("{data}/composite"), &call, "{}"),
        ];
        let erp = [
            line(1, "GET", "/api/v1/customers", "", "{}"),
            line(
                30,
                "PATCH",
                "/api/v1/customers/1",
                &format!(r#"{{"salesforceId":"{FIRST}"}}"#),
                "{}",
            ),
        ];
        std::fs::write(at("erp"), erp.join("\n")).unwrap();
        std::fs::write(at("org"), org.join("\n")).unwrap();
        let (records, scripts) = ([at("erp"), at("org")], [at("erp.script"), at("org.script")]);
        let steps = |script: &Path| -> Vec<Step> {
            let text = std::fs::read_to_string(script).unwrap();
            text.lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect()
        };
        // WHEN what was written is made a script
        let summary = of_writes(&records, &scripts).unwrap();
        // THEN ids have places, reads, secrets and conditions are left out, and it says what went at once
        assert_eq!((summary.steps, summary.places), ([1, 2], 1));
        assert_eq!(summary.at_once, [1, 1]);
        let [begin, end] = PLACE;
        let erp = steps(&scripts[0]);
        assert_eq!(erp[0].body, format!(r#"{{"salesforceId":"{begin}0{end}"}}"#));
        let org = steps(&scripts[1]);
        assert_eq!((org[0].makes.clone(), org[0].refused), (vec![0], 0));
        assert!(
            org[1].body.contains(&format!(r#""AccountId":"{begin}0{end}""#)),
            "{}",
            org[1].body
        );
        assert!(
            org[1].body.contains(OTHER) && !org[1].body.contains("limits"),
            "{}",
            org[1].body
        );
        assert!(!org[1].body.contains("yesterday"), "{}", org[1].body);
        assert!(org[1].after.is_empty(), "it waits for the id alone");
        // WHEN what was read since a moment is made one
        let summary = of_reads(&records, &scripts, 2).unwrap();
        assert_eq!(summary.steps, [0, 1]);
    }

    #[test]
    fn results_of_a_job_name_its_records_in_their_order() {
        let results = format!(
            "\"sf__Id\",\"sf__Created\",\"Name\"\n\"{OTHER}\",\"true\",\"A, B\"\n\"{FIRST}\",\"true\",\"C\"\n"
        );
        assert_eq!(ids_of_results(&results), [OTHER, FIRST]);
        assert_eq!(
            refused(
                &serde_json::json!([{ "success": false }, { "httpStatusCode": 404 }, { "success": true }])
            ),
            2
        );
    }
}
