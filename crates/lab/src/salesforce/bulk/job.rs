//! One job: what it is to do, how far it is, and how a reply shows it.

use bytes::Bytes;
use serde_json::{Map, Value as Json, json};

use super::outcomes::Outcomes;
use super::query::Pages;
use crate::salesforce::api::Call;
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::id::RecordId;
use crate::salesforce::schema::ObjectIndex;
use crate::salesforce::value::moment_text;

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Takes data; nothing of it is carried out.
    Open,
    /// Waits for its turn.
    UploadComplete,
    InProgress,
    JobComplete,
    Failed,
    Aborted,
}

impl State {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            State::Open => "Open",
            State::UploadComplete => "UploadComplete",
            State::InProgress => "InProgress",
            State::JobComplete => "JobComplete",
            State::Failed => "Failed",
            State::Aborted => "Aborted",
        }
    }

    /// Whether the background work still has to do with it.
    pub(super) fn is_running(self) -> bool {
        matches!(self, State::UploadComplete | State::InProgress)
    }

    /// Whether nothing of it changes any more.
    pub(super) fn is_over(self) -> bool {
        matches!(self, State::JobComplete | State::Failed | State::Aborted)
    }

    /// How the refusal of a change of state names it.
    fn spoken(self) -> &'static str {
        match self {
            State::JobComplete => "Completed",
            State::UploadComplete => "Closed",
            other => other.as_str(),
        }
    }
}

/// What an ingest job does with its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Insert,
    Update,
    Upsert,
    Delete,
    HardDelete,
}

impl Operation {
    const NAMES: [(&'static str, Operation); 5] = [
        ("insert", Operation::Insert),
        ("update", Operation::Update),
        ("upsert", Operation::Upsert),
        ("delete", Operation::Delete),
        ("hardDelete", Operation::HardDelete),
    ];

    pub(super) fn as_str(self) -> &'static str {
        Operation::NAMES
            .iter()
            .find(|(_, known)| *known == self)
            .map_or("", |(name, _)| name)
    }
}

/// How lines end, in the data and in the results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineEnding {
    Lf,
    CrLf,
}

impl LineEnding {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            LineEnding::Lf => "LF",
            LineEnding::CrLf => "CRLF",
        }
    }
}

/// The delimiters by name.
const DELIMITERS: [(&str, u8); 6] = [
    ("COMMA", b','),
    ("BACKQUOTE", b'`'),
    ("CARET", b'^'),
    ("PIPE", b'|'),
    ("SEMICOLON", b';'),
    ("TAB", b'\t'),
];

/// The form of a job's CSV.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) delimiter: u8,
    pub(super) lines: LineEnding,
}

impl Form {
    /// Reads `columnDelimiter`, `lineEnding` and `contentType` of a request.
    pub(super) fn read(body: &Map<String, Json>) -> Outcome<Form> {
        let delimiter = text(body, "columnDelimiter")?.unwrap_or("COMMA");
        let delimiter = DELIMITERS
            .iter()
            .find(|(name, _)| *name == delimiter)
            .ok_or_else(|| unknown_value("columnDelimiter", delimiter))?;
        let lines = match text(body, "lineEnding")?.unwrap_or("LF") {
            "LF" => LineEnding::Lf,
            "CRLF" => LineEnding::CrLf,
            other => return Err(unknown_value("lineEnding", other)),
        };
        match text(body, "contentType")? {
            None | Some("CSV") => {}
            Some(other) => return Err(unknown_value("contentType", other)),
        }
        Ok(Form {
            delimiter: delimiter.1,
            lines,
        })
    }

    /// A writer that quotes every value, as the API does.
    pub(super) fn writer<W: std::io::Write>(self, to: W) -> csv::Writer<W> {
        let ending = match self.lines {
            LineEnding::Lf => csv::Terminator::Any(b'\n'),
            LineEnding::CrLf => csv::Terminator::CRLF,
        };
        csv::WriterBuilder::new()
            .delimiter(self.delimiter)
            .terminator(ending)
            .quote_style(csv::QuoteStyle::Always)
            .from_writer(to)
    }

    fn delimiter_name(self) -> &'static str {
        DELIMITERS
            .iter()
            .find(|(_, byte)| *byte == self.delimiter)
            .map_or("COMMA", |(name, _)| name)
    }
}

/// A text member of a request; null counts as absent.
pub(super) fn text<'b>(body: &'b Map<String, Json>, name: &str) -> Outcome<Option<&'b str>> {
    match body.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(other) => Err(Fault::new(
            Code::JsonParser,
            format!("{name} has to be a text, not {other}"),
        )),
    }
}

fn unknown_value(name: &str, value: &str) -> Fault {
    Fault::new(
        Code::InvalidJob,
        format!("InvalidJob : Unsupported {name}: {value}"),
    )
}

/// What an ingest job is.
pub(super) struct Load {
    pub(super) operation: Operation,
    pub(super) external_id: Option<String>,
    /// The rows as uploaded; gone when they are carried out.
    pub(super) data: Option<Bytes>,
    pub(super) outcomes: Outcomes,
}

/// What a query job is.
pub(super) struct Extract {
    pub(super) query: String,
    pub(super) all: bool,
    pub(super) pages: Pages,
}

/// Either kind of work.
pub(super) enum Work {
    Load(Load),
    Extract(Extract),
}

/// A job.
pub(super) struct Job {
    pub(super) id: RecordId,
    pub(super) user: RecordId,
    pub(super) object: ObjectIndex,
    pub(super) object_name: String,
    pub(super) version: u32,
    /// Seconds since 1970 UTC.
    pub(super) created: i64,
    pub(super) stamp: i64,
    pub(super) state: State,
    pub(super) form: Form,
    pub(super) processed: u64,
    pub(super) failed: u64,
    /// The time spent on rows, in milliseconds.
    pub(super) active: u64,
    pub(super) error: Option<String>,
    pub(super) work: Work,
}

impl Job {
    pub(super) fn is_query(&self) -> bool {
        matches!(self.work, Work::Extract(_))
    }

    pub(super) fn load(&mut self) -> Option<&mut Load> {
        match &mut self.work {
            Work::Load(load) => Some(load),
            Work::Extract(_) => None,
        }
    }

    /// Moves to a state. What was not carried out of a job that ends is kept as unprocessed.
    pub(super) fn enter(&mut self, state: State, now: i64) {
        self.state = state;
        self.stamp = now;
    }

    pub(super) fn fail(&mut self, message: String, now: i64) {
        self.error = Some(message);
        self.enter(State::Failed, now);
    }

    /// Carries out `{"state": ...}`.
    pub(super) fn change_state(&mut self, call: &Call, caller: RecordId, now: i64) -> Outcome<State> {
        let body = call.object()?;
        let wanted = match text(&body, "state")? {
            Some("UploadComplete") if !self.is_query() => State::UploadComplete,
            Some("Aborted") => State::Aborted,
            Some(other) => {
                return Err(Fault::new(
                    Code::InvalidJob,
                    format!("InvalidJob : Invalid job state: {other}"),
                ));
            }
            None => return Err(Fault::new(Code::InvalidJob, "InvalidJob : state is missing")),
        };
        let (doing, possible) = if wanted == State::Aborted {
            ("Aborting", !self.state.is_over())
        } else {
            ("Closing", self.state == State::Open)
        };
        if !possible {
            return Err(Fault::new(
                Code::InvalidJobState,
                format!("{doing} already {} Job not allowed", self.state.spoken()),
            ));
        }
        if wanted == State::UploadComplete && self.user != caller {
            return Err(Fault::new(
                Code::InsufficientAccess,
                "only the user who created a job can close it",
            ));
        }
        self.enter(wanted, now);
        Ok(wanted)
    }

    /// Refuses where results are asked for too early, or of a job without them.
    pub(super) fn check_results(&self, ready: bool) -> Outcome<()> {
        if ready {
            return Ok(());
        }
        Err(Fault::new(
            Code::InvalidJobState,
            format!(
                "Results are not available for a job in state {}",
                self.state.as_str()
            ),
        ))
    }

    /// Refuses the deletion of a job that takes data or is being carried out.
    pub(super) fn check_deletable(&self) -> Outcome<()> {
        if self.state.is_over() || (self.state == State::UploadComplete && !self.is_query()) {
            return Ok(());
        }
        Err(Fault::new(
            Code::InvalidJobState,
            format!("Deleting a job in state {} not allowed", self.state.as_str()),
        ))
    }

    /// Refuses another version than the one that the job was created under.
    pub(super) fn check_version(&self, version: u32) -> Outcome<()> {
        if version == self.version {
            return Ok(());
        }
        Err(Fault::new(
            Code::InvalidVersion,
            format!(
                "The API version {version}.0 does not match version {}.0, under which the job was created",
                self.version
            ),
        ))
    }

    /// The reply to the job's creation and to changes of its state.
    pub(super) fn head(&self) -> Json {
        let mut head = json!({
            "id": self.id.to_string(),
            "operation": self.operation(),
            "object": self.object_name,
            "createdById": self.user.to_string(),
            "createdDate": moment_text(self.created),
            "systemModstamp": moment_text(self.stamp),
            "state": self.state.as_str(),
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": f64::from(self.version),
            "lineEnding": self.form.lines.as_str(),
            "columnDelimiter": self.form.delimiter_name(),
        });
        if let Work::Load(load) = &self.work {
            if let Some(field) = &load.external_id {
                head["externalIdFieldName"] = json!(field);
            }
            if self.state == State::Open {
                head["contentUrl"] = json!(format!(
                    "services/data/v{}.0/jobs/ingest/{}/batches",
                    self.version, self.id
                ));
            }
        }
        head
    }

    /// One entry of the list of all jobs.
    pub(super) fn entry(&self) -> Json {
        let mut entry = self.head();
        entry["jobType"] = json!(self.kind());
        entry
    }

    /// Everything about the job.
    pub(super) fn info(&self) -> Json {
        let mut info = self.entry();
        info["numberRecordsProcessed"] = json!(self.processed);
        info["retries"] = json!(0);
        info["totalProcessingTime"] = json!(self.active);
        if self.is_query() {
            info["isPkChunkingSupported"] = json!(true);
        } else {
            info["numberRecordsFailed"] = json!(self.failed);
            info["apiActiveProcessingTime"] = json!(self.active);
            info["apexProcessingTime"] = json!(0);
        }
        if let Some(error) = &self.error {
            info["errorMessage"] = json!(error);
        }
        info
    }

    /// `V2Ingest` or `V2Query`.
    pub(super) fn kind(&self) -> &'static str {
        if self.is_query() { "V2Query" } else { "V2Ingest" }
    }

    fn operation(&self) -> &'static str {
        match &self.work {
            Work::Load(load) => load.operation.as_str(),
            Work::Extract(extract) if extract.all => "queryAll",
            Work::Extract(_) => "query",
        }
    }
}

/// The operation of an ingest job that a request names.
pub(super) fn operation(body: &Map<String, Json>) -> Outcome<Operation> {
    let name = text(body, "operation")?
        .ok_or_else(|| Fault::new(Code::InvalidJob, "InvalidJob : operation is missing"))?;
    Operation::NAMES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, operation)| *operation)
        .ok_or_else(|| unknown_value("operation", name))
}
