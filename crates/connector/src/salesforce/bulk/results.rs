//! What became of the rows of a job, read row by row from the files that the org gave.

use super::job::Operation;
use super::rows::ID;
use super::spool::Spool;
use super::unprocessed;
use crate::http::json::count;
use crate::http::{Failure, Request};
use crate::salesforce::Salesforce;
use crate::salesforce::refusal::{self, Said};
use crate::{Error, Outcome};
use serde_json::Value as Json;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use tandem_seal::Source;

/// A list of results: the file that it is kept in, and its resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum List {
    Failed,
    Unprocessed,
    Successful,
}

impl List {
    const ALL: [Self; 3] = [Self::Failed, Self::Unprocessed, Self::Successful];

    fn file(self) -> &'static str {
        match self {
            Self::Failed => "failed.csv",
            Self::Unprocessed => "unprocessed.csv",
            Self::Successful => "successful.csv",
        }
    }

    fn resource(self) -> &'static str {
        match self {
            Self::Failed => "failedResults",
            Self::Unprocessed => "unprocessedrecords",
            Self::Successful => "successfulResults",
        }
    }
}

/// Fetches the lists that the job's counters say have rows. An update that is in no list of trouble was carried
/// out, and its id is known: that list is not needed.
pub(super) async fn fetch(org: &Salesforce, spool: &Spool, id: &str, job: &Json) -> Result<(), Error> {
    let counted = |name: &str| u64::from(count(job, name).unwrap_or_default());
    let (processed, failed) = (counted("numberRecordsProcessed"), counted("numberRecordsFailed"));
    let complete = job["state"] == "JobComplete";
    for list in List::ALL {
        let wanted = match list {
            List::Failed => failed > 0,
            List::Unprocessed => !complete || processed < spool.count(),
            List::Successful => spool.ledger.operation == Operation::Insert && processed > failed,
        };
        let path = spool.path(list.file());
        if !wanted {
            // Of an earlier attempt to fetch.
            drop(std::fs::remove_file(&path));
            continue;
        }
        let resource = format!("/jobs/ingest/{id}/{}", list.resource());
        let request = Request::get(resource).header("accept", "text/csv");
        let request = request.into_file(path, &spool.files, spool.bytes.max(1 << 20) * 2);
        let reply = org.session.send(request).await.map_err(Failure::into_error)?;
        if !reply.is_success() {
            return Err(refusal::error(&org.session.http, &reply));
        }
    }
    Ok(())
}

/// Tells the outcomes of a job that has ended.
pub(super) struct Telling {
    operation: Operation,
    key: String,
    /// The intents without an outcome so far, by key.
    left: BTreeMap<String, u64>,
    lists: VecDeque<(List, csv::Reader<Source>, csv::StringRecord)>,
}

impl Telling {
    pub(super) fn new(spool: &Spool) -> Result<Self, io::Error> {
        let mut left = BTreeMap::new();
        spool.each_row(|row, _, _| {
            left.insert(row.key, row.intent);
        })?;
        let mut lists = VecDeque::new();
        for list in List::ALL {
            match spool.files.open(&spool.path(list.file())) {
                Ok(file) => {
                    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file);
                    let head = reader.headers()?.clone();
                    lists.push_back((list, reader, head));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self {
            operation: spool.ledger.operation,
            key: spool.ledger.key.clone(),
            left,
            lists,
        })
    }

    /// The next outcomes, at most so many; none when all are told that are known.
    pub(super) fn next(&mut self, org: &Salesforce, most: usize) -> Result<Vec<(u64, Outcome)>, io::Error> {
        let mut told = Vec::new();
        while told.len() < most {
            let Some((list, reader, head)) = self.lists.front_mut() else {
                break;
            };
            let mut record = csv::StringRecord::new();
            if !reader.read_record(&mut record)? {
                self.lists.pop_front();
                continue;
            }
            let cell = |name: &str| {
                let place = head.iter().position(|column| column.eq_ignore_ascii_case(name));
                place.and_then(|place| record.get(place)).unwrap_or_default()
            };
            let key = match cell(&self.key) {
                "" if self.key == ID => cell("sf__Id"),
                key => key,
            };
            let Some(intent) = self.left.remove(key) else {
                continue;
            };
            let outcome = match list {
                List::Failed => failed(self.operation, cell("sf__Error")),
                List::Unprocessed => Outcome::NotSent(unprocessed(org)),
                List::Successful => applied(cell("sf__Id")),
            };
            told.push((intent, outcome));
        }
        if self.operation == Operation::Update && self.lists.is_empty() {
            while told.len() < most
                && let Some((id, intent)) = self.left.pop_first()
            {
                told.push((intent, applied(&id)));
            }
        }
        Ok(told)
    }
}

fn applied(id: &str) -> Outcome {
    match id {
        "" => Outcome::Unknown("the job does not tell the id of a new record".to_owned()),
        id => Outcome::Applied {
            id: id.to_owned(),
            state: None,
        },
    }
}

fn failed(operation: Operation, error: &str) -> Outcome {
    let said = Said::of_row(error);
    match operation {
        Operation::Update if said.is_gone() => Outcome::Gone,
        _ => Outcome::Refused(said.refusal()),
    }
}
