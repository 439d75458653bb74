//! Results in files of their own: what is written goes to a folder from which the ERP imports, and the export stays as it is.

use super::cell;
use super::description::{Records, Results};
use super::files::Files;
use super::pending::{self, Action, Entry, Folders, Pending};
use super::table::{Content, Table};
use super::write::{Edits, Planned};
use crate::http::clock;
use crate::{Change, Error, ErrorKind, Outcome, Refusal, RefusalKind, Write};
use jiff::Timestamp;
use serde_json::{Map, Value as Json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use tandem_merge::record::Values;
use tandem_merge::value::Value;

/// A row of a result.
pub(super) struct Out {
    pub(super) action: Action,
    pub(super) id: String,
    /// The row as it stands; none of a new record.
    pub(super) row: Option<Content>,
    pub(super) values: Values,
}

impl Out {
    /// What is written, by column.
    fn cells(&self, of: &Records) -> BTreeMap<String, String> {
        let known = self
            .values
            .iter()
            .filter_map(|(name, value)| Some((of.properties.get(name)?, value)));
        let cells = known.map(|(column, value)| (column.column.clone(), cell::write(of, column, value)));
        let key = of.key.iter().filter(|_| self.action == Action::Create);
        let own =
            (self.action == Action::Create && of.key.is_none()).then(|| (of.id.clone(), self.id.clone()));
        cells
            .chain(key.map(|key| (key.clone(), self.id.clone())))
            .chain(own)
            .collect()
    }

    fn entry(&self, of: &Records, table: &Table, file: &str, at: Timestamp) -> Entry {
        let cells = self.cells(of);
        let before = self.row.iter().flat_map(|row| {
            let shown = cells
                .keys()
                .filter_map(|column| Some((column, row.get(&table.headings, column)?)));
            shown
                .map(|(column, text)| (column.clone(), text.into_owned()))
                .collect::<Vec<_>>()
        });
        Entry {
            file: file.to_owned(),
            action: self.action,
            at,
            before: before.collect(),
            cells,
            taken: None,
            refused: false,
        }
    }

    /// One line of a file of JSON: what is to be done with which record, and what changes of it.
    fn line(&self, of: &Records, results: &Results, table: &Table) -> String {
        let mut members = Map::new();
        members.insert(results.action.clone(), Json::from(results.word(self.action)));
        let number = table.number(&self.id);
        if !number.is_empty() {
            members.insert(
                of.id.clone(),
                number
                    .parse::<u64>()
                    .map_or_else(|_| Json::from(number), Json::from),
            );
        }
        if let Some(key) = of.key.as_ref().filter(|_| number != self.id) {
            members.insert(key.clone(), Json::from(self.id.as_str()));
        }
        let named = self
            .values
            .iter()
            .filter_map(|(name, value)| Some((of.properties.get(name)?, value)));
        members.extend(
            named.map(|(column, value)| (column.column.clone(), super::write::json(of, column, value))),
        );
        Json::Object(members).to_string()
    }

    /// The cells of a row, whole: the ERP cannot tell a cell that is left out from one that is blank.
    fn row(&self, of: &Records, results: &Results, table: &Table, columns: &[&String]) -> Vec<String> {
        let cells = self.cells(of);
        let text = |column: &&String| {
            let there = || {
                self.row
                    .as_ref()?
                    .get(&table.headings, column)
                    .map(Cow::into_owned)
            };
            cells.get(*column).cloned().or_else(there).unwrap_or_default()
        };
        let action = results.word(self.action).to_owned();
        [action].into_iter().chain(columns.iter().map(text)).collect()
    }
}

/// A file with these rows, in the way of the export.
fn composed(of: &Records, results: &Results, table: &Table, rows: &[Out]) -> Option<Vec<u8>> {
    let end = if table.crlf { "\r\n" } else { "\n" };
    let mut text = String::from(if table.marked { "\u{feff}" } else { "" });
    if of.json {
        rows.iter().for_each(|row| {
            text.push_str(&row.line(of, results, table));
            text.push_str(end);
        });
        return table.encoded(&text);
    }
    let described = |column: &&String| {
        let property = of.properties.values().any(|known| known.column == **column);
        property || **column == of.id || of.key.as_ref() == Some(*column)
    };
    let columns: Vec<&String> = table.headings.iter().filter(described).collect();
    let mut headings = vec![results.action.clone()];
    headings.extend(columns.iter().map(|column| (*column).clone()));
    text.push_str(&table.line(&headings));
    rows.iter()
        .for_each(|row| text.push_str(&table.line(&row.row(of, results, table, &columns))));
    table.encoded(&text)
}

impl Files {
    pub(super) fn folders(&self, results: &Results) -> Folders {
        Folders::of(&self.config.folder, results)
    }

    /// Finds the folders that the ERP takes results from and puts refused ones into.
    pub(super) fn reach_results(&self) -> Result<(), Error> {
        let Some(results) = &self.config.description.results else {
            return Ok(());
        };
        let folders = self.folders(results);
        let refused = folders.refused.iter().map(|folder| (folder, "refused"));
        for (folder, key) in [(&folders.results, "folder")].into_iter().chain(refused) {
            std::fs::read_dir(folder).map_err(|error| {
                let what = format!("the folder {} cannot be read ({error})", folder.display());
                let advice = format!("Make it, or correct `{key}:` below `write_to:` in the description");
                self.error(ErrorKind::Down, what, &advice)
            })?;
        }
        Ok(())
    }

    /// Carries out the writes of one type: all go into one new file for the ERP.
    pub(super) fn write_results(
        &self,
        of: &Records,
        results: &Results,
        writes: &[Write],
    ) -> Result<Vec<Outcome>, Error> {
        let mut table = Table::clone(&*self.resting(of)?);
        let mut edits = Edits::default();
        let mut planned = Vec::new();
        for write in writes {
            let plan = match self.by_numbers(of, write) {
                Ok(write) => super::write::plan(&mut table, of, &write, &mut edits)
                    .map_err(|error| self.unreadable(of, &error))?,
                Err(refusal) => Planned::Ends(Box::new(Outcome::Refused(refusal))),
            };
            planned.push(plan);
        }
        if !edits.results.is_empty() {
            self.hand_over(of, results, &table, &edits.results)
                .map_err(|error| {
                    let what = format!("{} cannot take what is written ({error})", results.folder);
                    let advice = "Let Tandem's user write into that folder, and into the one of the exports";
                    self.error(ErrorKind::Refused, what, advice)
                })?;
        }
        Ok(self.answered(of, planned, None))
    }

    /// Writes a file beside those that the ERP takes, notes what is in it, and only then hands it over.
    fn hand_over(&self, of: &Records, results: &Results, table: &Table, rows: &[Out]) -> io::Result<()> {
        let folders = self.folders(results);
        let bytes = composed(of, results, table, rows)
            .ok_or_else(|| io::Error::other("a heading cannot be written in the encoding of the export"))?;
        let _alone = pending::alone(&table.path)?;
        let at = clock::now();
        let file = name(of, &folders, at);
        let draft = folders.draft(&file);
        let mut written = File::create(&draft)?;
        written.write_all(&bytes)?;
        written.sync_all()?;
        let mut pending = Pending::over(&table.path)?;
        let named = |file: &str| pending.records.values().flatten().any(|entry| entry.file == file);
        folders.clear(&of.name, |known| known == file || named(known))?;
        for row in rows {
            let entries = pending.records.entry(row.id.clone()).or_default();
            entries.push(row.entry(of, table, &file, at));
        }
        pending.keep(&table.path)?;
        // From here on it counts, whoever hands it over.
        match std::fs::rename(&draft, folders.results.join(&file)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let system = &self.config.name;
                tracing::warn!(system, "{system}: {file} is not handed over yet ({error})");
                Ok(())
            }
            _ => File::open(&folders.results)?.sync_all(),
        }
    }

    /// The write with the ERP's own ids where it refers to records. One that has none yet cannot be referred to.
    fn by_numbers(&self, of: &Records, write: &Write) -> Result<Write, Refusal> {
        let mut write = write.clone();
        let (Change::Create { values, .. } | Change::Update { values, .. }) = &mut write.change else {
            return Ok(write);
        };
        for (name, value) in values {
            let target = of.properties.get(name).and_then(|column| self.keyed(column));
            let (Some(target), Some(id)) = (target, value.as_text()) else {
                continue;
            };
            let number = self.table(target).map(|table| table.number(id).to_owned());
            match number {
                Ok(number) if !number.is_empty() => *value = Value::text(number),
                Ok(_) => {
                    return Err(waits(
                        name,
                        format!("the ERP has given {id} no {} yet", target.id),
                    ));
                }
                Err(error) => return Err(waits(name, error.to_string())),
            }
        }
        Ok(write)
    }
}

fn waits(name: &str, why: String) -> Refusal {
    Refusal {
        kind: RefusalKind::Busy,
        properties: vec![name.to_owned()],
        message: why,
        advice: "It is tried again by itself".to_owned(),
    }
}

/// A name that no file has: the moment, and the record type.
fn name(of: &Records, folders: &Folders, at: Timestamp) -> String {
    let ending = of.file.rsplit_once('.').map_or("csv", |(_, ending)| ending);
    let millisecond = jiff::SignedDuration::from_millis(1);
    let mut moment = at;
    loop {
        let file = format!("{}-{}.{ending}", moment.strftime("%Y%m%dT%H%M%S%3fZ"), of.name);
        if !folders.know(&file) {
            return file;
        }
        moment = moment.saturating_add(millisecond).unwrap_or(moment);
    }
}
