//! From the rows of a CSV file to decisions, or to everything that is wrong with them.

use crate::sheet::Sheet;
use std::collections::BTreeMap;
use tandem_connector::salesforce::full_id;
use tandem_merge::config::{Configuration, Problem};
use tandem_merge::dataflow::{Flow, Side};
use tandem_merge::decisions::Decision;
use tandem_merge::record::RecordKey;

/// What people write into the column `decision`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Link,
    Different,
    Leave,
}

impl Word {
    const ALL: [(&str, Self); 3] = [
        ("link", Self::Link),
        ("different", Self::Different),
        ("leave", Self::Leave),
    ];

    pub(super) fn of(decision: &Decision) -> Self {
        match decision {
            Decision::Link { .. } => Self::Link,
            Decision::Different { .. } => Self::Different,
            Decision::Leave { .. } => Self::Leave,
        }
    }
}

/// A decision with the line that it stands on.
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) decision: Decision,
}

/// What a file says.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) decided: Vec<Row>,
    /// Rows without a decision.
    pub(super) undecided: u64,
    pub(super) problems: Vec<Problem>,
    /// Where decisions stand; the first column in an id map.
    pub(super) decision_column: usize,
}

/// Where what stands.
struct Columns {
    decision: Option<usize>,
    flow: Option<usize>,
    ids: [usize; 2],
}

impl Rows {
    /// Reads all rows; `flow`: of rows that name none.
    pub(super) fn read(configuration: &Configuration, sheet: &Sheet, flow: Option<&str>) -> Self {
        let mut rows = Self::default();
        let Some(columns) = rows.columns(configuration, sheet, flow) else {
            return rows;
        };
        rows.decision_column = columns.decision.unwrap_or_default();
        let reading = Reading {
            configuration,
            sheet,
            columns: &columns,
            flow,
        };
        let mut known: BTreeMap<Vec<RecordKey>, (u64, Decision)> = BTreeMap::new();
        for (line, cells) in &sheet.rows {
            match reading.row(*line, cells) {
                Err(problem) => rows.problems.push(problem),
                Ok(None) => rows.undecided += 1,
                Ok(Some(decision)) => rows.add(sheet, *line, decision, &mut known),
            }
        }
        rows
    }

    /// A decision that stands there twice counts once; two that contradict each other are a problem.
    fn add(
        &mut self,
        sheet: &Sheet,
        line: u64,
        decision: Decision,
        known: &mut BTreeMap<Vec<RecordKey>, (u64, Decision)>,
    ) {
        let records = decision.records().into_iter().cloned().collect();
        match known.get(&records) {
            Some((_, before)) if before == &decision => {}
            Some((before, other)) if other.flow() == decision.flow() => {
                let message = format!("line {before} decides otherwise about the same records");
                let help = "Leave one of the two decisions empty.";
                let problem = sheet.problem(line, self.decision_column, message, help);
                self.problems.push(problem);
            }
            _ => {
                known.insert(records, (line, decision.clone()));
                self.decided.push(Row { line, decision });
            }
        }
    }

    fn columns(
        &mut self,
        configuration: &Configuration,
        sheet: &Sheet,
        flow: Option<&str>,
    ) -> Option<Columns> {
        let systems = &configuration.dataflow.systems;
        let ids = systems.each_ref().map(|system| {
            let names = [system.clone(), format!("{system} id"), format!("{system}_id")];
            sheet.column(&names.each_ref().map(String::as_str))
        });
        for (system, column) in systems.iter().zip(ids) {
            if column.is_none() {
                let help = format!("Head the column with the ids of {system} by `{system}`.");
                self.problems
                    .push(sheet.problem(1, 0, format!("there is no column `{system}`"), help));
            }
        }
        let flow_column = sheet.column(&["flow"]);
        if flow_column.is_none() && flow.is_none() {
            let help = "Add the column, or name the flow of all rows with --flow.";
            self.problems
                .push(sheet.problem(1, 0, "there is no column `flow`", help));
        }
        let [Some(first), Some(second)] = ids else {
            return None;
        };
        self.problems.is_empty().then_some(Columns {
            decision: sheet.column(&["decision"]),
            flow: flow_column,
            ids: [first, second],
        })
    }
}

struct Reading<'a> {
    configuration: &'a Configuration,
    sheet: &'a Sheet,
    columns: &'a Columns,
    flow: Option<&'a str>,
}

impl Reading<'_> {
    fn row(&self, line: u64, cells: &[String]) -> Result<Option<Decision>, Problem> {
        let cell = |column: usize| cells.get(column).map(|cell| cell.trim()).unwrap_or_default();
        let word = match self.columns.decision {
            None => Word::Link,
            Some(column) if cell(column).is_empty() => return Ok(None),
            Some(column) => self.word(line, column, cell(column))?,
        };
        let flow = self.flow(line, self.columns.flow.map(cell).unwrap_or_default())?;
        let [first, second] = Side::BOTH.map(|side| {
            let column = self.columns.ids[side.index()];
            let text = cell(column);
            (!text.is_empty())
                .then(|| self.key(flow, side, line, column, text))
                .transpose()
        });
        let (first, second) = (first?, second?);
        let name = flow.name.clone();
        match (word, first, second) {
            (Word::Link, Some(first), Some(second)) => Ok(Some(Decision::Link {
                flow: name,
                first,
                second,
            })),
            (Word::Different, Some(first), Some(second)) => Ok(Some(Decision::Different {
                flow: name,
                first,
                second,
            })),
            (Word::Leave, Some(record), None) | (Word::Leave, None, Some(record)) => {
                Ok(Some(Decision::Leave { flow: name, record }))
            }
            (Word::Leave, ..) => {
                let help = "Keep the id of the record that is to be left alone, and empty the other cell.";
                Err(self.problem(line, 0, "`leave` is about one record", help))
            }
            (_, first, _) => {
                let side = if first.is_none() {
                    Side::First
                } else {
                    Side::Second
                };
                let column = self.columns.ids[side.index()];
                let system = &self.configuration.dataflow.systems[side.index()];
                let message = format!("no id of {system} stands here");
                Err(self.problem(line, column, message, "Write the id of the counterpart."))
            }
        }
    }

    fn problem(
        &self,
        line: u64,
        column: usize,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Problem {
        self.sheet.problem(line, column, message, help)
    }

    fn word(&self, line: u64, column: usize, text: &str) -> Result<Word, Problem> {
        let mut all = Word::ALL.into_iter();
        let found = all.find(|(word, _)| word.eq_ignore_ascii_case(text));
        found.map(|(_, word)| word).ok_or_else(|| {
            let help = "Write `link`, `different` or `leave`, or leave the cell empty.";
            self.problem(line, column, format!("`{text}` is no decision"), help)
        })
    }

    fn flow(&self, line: u64, text: &str) -> Result<&Flow, Problem> {
        let flows = &self.configuration.dataflow;
        let name = match (text, self.flow) {
            ("", Some(flow)) => flow,
            (text, _) => text,
        };
        flows.flow(name).ok_or_else(|| {
            let known: Vec<&str> = flows.flows.iter().map(|flow| flow.name.as_str()).collect();
            let help = format!("Write one of {}.", known.join(", "));
            let column = self.columns.flow.unwrap_or_default();
            self.problem(line, column, format!("no flow is called `{name}`"), help)
        })
    }

    /// A record by its id, with or without the type before it.
    fn key(
        &self,
        flow: &Flow,
        side: Side,
        line: u64,
        column: usize,
        text: &str,
    ) -> Result<RecordKey, Problem> {
        let record_type = flow.end(side).record_type.clone();
        let mut id = text;
        if let Some((name, rest)) = text.split_once(':')
            && let Some(known) = self.type_named(name)
        {
            if known != record_type.name {
                let message = format!("`{text}` is no {} of {}", record_type.name, record_type.system);
                let help = format!("In {} the ids of {} stand here.", flow.name, record_type.name);
                return Err(self.problem(line, column, message, help));
            }
            id = rest;
        }
        let kind = self.configuration.connections[side.index()].kind.as_str();
        let full = (kind == "salesforce").then(|| full_id(id)).flatten();
        Ok(RecordKey {
            record_type,
            id: full.unwrap_or_else(|| id.to_owned()),
        })
    }

    fn type_named(&self, name: &str) -> Option<&str> {
        let flows = self.configuration.dataflow.flows.iter();
        let mut types = flows.flat_map(|flow| flow.ends.iter().map(|end| end.record_type.name.as_str()));
        types.find(|known| *known == name)
    }
}
