//! A system in memory: versions, unique properties, conditional writes, change feed, and faults on demand.

use crate::clock::Simulated;
use crate::flows::{dataflow, given_properties, unique_properties, with_contacts, with_lines};
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use tandem_connector::{
    Budget, Capabilities, Change, ChangePage, Complete, Connector, Error, ErrorKind, Identification,
    Incomplete, Lane, ListPage, Load, Outcome, Protection, Refusal, RefusalKind, Resumed, Schema, Scope,
    TypeSchema, Write,
};
use tandem_engine::Clock;
use tandem_merge::record::{Observation, Presence, RecordKey, RecordType, Values, Version};
use tandem_merge::value::Value;

/// What goes wrong with a write.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Carried out, but the answer is lost.
    LostAnswer,
    /// Lost on its way: never carried out.
    LostRequest,
    /// The answer is lost, and it is carried out so many seconds later.
    Late(i64),
    /// Refused.
    Refused(Refusal),
    /// An update refused, for somebody is at work on the row, who leaves this value in this property.
    Busy(String, String),
    /// Carried out and answered, but every read shows the state before it for so many seconds.
    ShownLate(i64),
    /// Accepted, without this property.
    Ignores(String),
}

/// How the system tells versions apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// A counter per record.
    Counted,
    /// Modification times of whole seconds, with a condition as coarse.
    Seconds,
}

#[derive(Clone, Debug)]
pub struct Row {
    pub values: Values,
    pub counter: i64,
    /// The place in the change feed.
    pub place: u64,
    pub created: Timestamp,
    pub modified: Timestamp,
    pub deleted: bool,
    /// Who made this state.
    pub author: Option<String>,
}

/// A rule that meets a write: on which type, which fault.
pub type FaultRule = (String, Fault);

/// What a system answers to a write, always; none: it is carried out.
pub type Mood = Box<dyn Fn(&Change, &State) -> Option<Outcome> + Send>;

/// Writes that were accepted for later.
#[derive(Clone, Debug, Default)]
pub struct Job {
    pub writes: Vec<Write>,
    /// When it was begun; what was not begun takes no effect.
    pub begun: Option<Timestamp>,
    /// It was opened by an earlier process: it never begins.
    pub given_up: bool,
    /// What became of its writes.
    pub outcomes: Vec<(u64, Outcome)>,
    pub told: bool,
}

#[derive(Default)]
pub struct State {
    pub rows: BTreeMap<RecordKey, Row>,
    pub faults: VecDeque<FaultRule>,
    /// Requests that take effect later.
    pub late: Vec<(Timestamp, Write)>,
    /// Old observations that turn up with the next changes.
    pub replays: Vec<Observation>,
    /// Edits by people right before the next write is carried out.
    pub meddling: VecDeque<(RecordKey, Values)>,
    /// What it answers always.
    pub moods: Vec<Mood>,
    /// Every write that it met.
    pub met: Vec<Change>,
    /// A record that makes every batch with it fail as a whole.
    pub poison: Option<RecordKey>,
    /// Records that it does not show to who asks for them by their ids: so a read of several fails as a whole.
    pub shy: BTreeSet<RecordKey>,
    /// A value that no search may name.
    pub unspeakable: Option<String>,
    /// It does not describe itself.
    pub mute: bool,
    /// What fails is not answered at all.
    pub silent: bool,
    /// Ids of every read by ids.
    pub asked: Vec<Vec<String>>,
    /// Records that the next changes hint at.
    pub hints: Vec<RecordKey>,
    /// What records were merged into, by id.
    pub merged: BTreeMap<RecordKey, String>,
    /// States that are shown instead of the present ones, until then.
    pub veiled: BTreeMap<RecordKey, (Timestamp, Observation)>,
    /// A type that the next changes compare in full.
    pub compared: Option<String>,
    /// Ranges of ids that the next changes show whole.
    pub wholes: Vec<Complete>,
    /// A type whose changes cannot be read to their end.
    pub cut_short: Option<String>,
    pub down: bool,
    /// Loads are refused until then.
    pub no_loads: Option<Timestamp>,
    /// It was said so in a refusal, or beforehand.
    pub no_loads_told: bool,
    /// Every write that was carried out.
    pub applied: Vec<Change>,
    /// How often each idempotency key was used.
    pub keys: BTreeMap<String, (String, Timestamp)>,
    /// By handle.
    pub jobs: BTreeMap<String, Job>,
    pub rows_read: u64,
    pub calls: u64,
    place: u64,
    next: u64,
}

/// The records as they were once.
pub type Backup = BTreeMap<RecordKey, Row>;

pub struct Fake {
    name: String,
    versions: Versions,
    limits: Capabilities,
    clock: Arc<Simulated>,
    unique: BTreeMap<String, BTreeSet<String>>,
    given: BTreeMap<String, (String, String)>,
    /// A property that the system rewrites, in capitals or in small letters.
    shouts: Option<(String, bool)>,
    /// References that it blanks by itself when the record that they name is deleted: type and property.
    blanks: Vec<(String, String)>,
    /// It refuses to delete what such a reference names.
    keeps_named: bool,
    /// It keeps no condition of a deletion.
    deletes_anyway: bool,
    /// A property that the system adds something to whenever it is written.
    adds: Option<(String, String)>,
    /// It shows who made a state.
    signs: bool,
    /// How long changes are shown again.
    overlap: SignedDuration,
    pub state: Mutex<State>,
}

impl Fake {
    pub fn new(name: &str, versions: Versions, clock: Arc<Simulated>) -> Self {
        Self {
            name: name.to_owned(),
            versions,
            limits: Capabilities {
                usual: Protection {
                    conditional_write: true,
                    conditional_delete: true,
                    ..Protection::default()
                },
                of_types: BTreeMap::new(),
                idempotency_life: SignedDuration::MAX,
                request_deadline: SignedDuration::from_secs(30),
                commit_delay: SignedDuration::from_secs(60),
                write_batch: 3,
                find_batch: 5,
                fetch_batch: 4,
                answers_with_state: false,
                load: None,
                asks_by_type: false,
            },
            clock,
            unique: unique_properties(name),
            given: given_properties(name),
            shouts: None,
            blanks: Vec::new(),
            keeps_named: false,
            deletes_anyway: false,
            adds: None,
            signs: false,
            overlap: SignedDuration::from_secs(60),
            state: Mutex::default(),
        }
    }

    /// Writes what it is given in capitals.
    pub fn shouting(mut self, property: &str) -> Self {
        self.shouts = Some((property.to_owned(), true));
        self
    }

    /// Adds something to what it is given.
    pub fn adding(mut self, property: &str, what: &str) -> Self {
        self.adds = Some((property.to_owned(), what.to_owned()));
        self
    }

    /// Writes what it is given in small letters.
    pub fn muttering(mut self, property: &str) -> Self {
        self.shouts = Some((property.to_owned(), false));
        self
    }

    /// Blanks a reference by itself when the record that it names is deleted.
    pub fn blanking(mut self, kind: &str, property: &str) -> Self {
        self.blanks.push((kind.to_owned(), property.to_owned()));
        self
    }

    /// Refuses to delete what its references name, instead of blanking them.
    pub fn keeping_named(mut self) -> Self {
        self.keeps_named = true;
        self
    }

    /// Deletes whatever the condition says.
    pub fn deleting_anyway(mut self) -> Self {
        self.deletes_anyway = true;
        self.limits.usual.conditional_delete = false;
        self
    }

    /// Accepts more creates of a type than two, and more updates where conditions are given up, for later.
    pub fn loading(mut self) -> Self {
        self.limits.load = Some(Load {
            above: 2,
            batch: 3,
            updates: (!self.limits.usual.conditional_write).then_some(2),
        });
        self
    }

    /// Shows who made a state: `tandem` is our own user.
    pub fn signing(mut self) -> Self {
        self.signs = true;
        self
    }

    pub fn without_conditions(mut self) -> Self {
        self.limits.usual.conditional_write = false;
        self
    }

    /// It holds to no condition for records of one type.
    pub fn without_conditions_of(mut self, kind: &str) -> Self {
        let of = self.limits.of(&RecordType::new(&self.name, kind));
        let bare = Protection {
            conditional_write: false,
            conditional_delete: false,
            ..of
        };
        self.limits.of_types.insert(kind.to_owned(), bare);
        self
    }

    /// What connects to it reads records before it writes them, and compares.
    pub fn comparing(mut self) -> Self {
        self.limits.usual.compares = true;
        self
    }

    /// It knows a request to create again, by its key.
    pub fn knowing_requests(mut self) -> Self {
        self.limits.usual.idempotent_create = true;
        self
    }

    /// It knows a request again for so long, from when it came first.
    pub fn knowing_requests_for(mut self, life: SignedDuration) -> Self {
        self.limits.idempotency_life = life;
        self.knowing_requests()
    }

    pub fn without_unique(mut self) -> Self {
        self.unique.clear();
        self
    }

    /// A person makes a record.
    pub fn add(&self, kind: &str, values: &[(&str, &str)]) -> RecordKey {
        let values = texts(values);
        let mut state = self.state.lock().unwrap();
        let record_type = RecordType::new(self.name.clone(), kind);
        self.insert(&mut state, &record_type, values)
    }

    /// A person edits a record.
    pub fn edit(&self, key: &RecordKey, property: &str, value: &str) {
        let mut state = self.state.lock().unwrap();
        self.change(&mut state, key, &texts(&[(property, value)]));
    }

    /// A sum moves, as a view would: no version, no place in the feed.
    pub fn whisper(&self, key: &RecordKey, property: &str, value: &str) {
        let mut state = self.state.lock().unwrap();
        let row = state.rows.get_mut(key).unwrap();
        row.values.insert(property.to_owned(), Value::text(value));
    }

    /// A person deletes a record.
    pub fn delete(&self, key: &RecordKey) {
        let mut state = self.state.lock().unwrap();
        self.remove(&mut state, key);
    }

    /// A person brings a deleted record back as it was; what was blanked with it stays blank.
    pub fn undelete(&self, key: &RecordKey) {
        let mut state = self.state.lock().unwrap();
        state.rows.get_mut(key).unwrap().deleted = false;
        self.change(&mut state, key, &Values::new());
    }

    /// Changes a value without a trace, as a formula does: no version, no place in the feed.
    pub fn drift(&self, key: &RecordKey, property: &str, value: &str) {
        let mut state = self.state.lock().unwrap();
        let row = state.rows.get_mut(key).unwrap();
        row.values.insert(property.to_owned(), Value::text(value));
    }

    /// The records as they are.
    pub fn back_up(&self) -> Backup {
        self.state.lock().unwrap().rows.clone()
    }

    /// Goes back to a backup: the feed of changes tells nothing of it.
    pub fn restore(&self, backup: &Backup) {
        let mut state = self.state.lock().unwrap();
        let earliest = backup.values().map(|row| row.place).max().unwrap_or_default();
        state.rows = backup.clone();
        state.place = state.place.max(earliest);
    }

    /// Takes a record away without a trace: purged, or hidden from us.
    pub fn take_away(&self, key: &RecordKey) -> Row {
        self.state.lock().unwrap().rows.remove(key).unwrap()
    }

    /// Shows it again.
    pub fn give_back(&self, key: &RecordKey, row: Row) {
        let mut state = self.state.lock().unwrap();
        state.rows.insert(key.clone(), row);
    }

    /// Deletes without a tombstone in the feed.
    pub fn vanish(&self, key: &RecordKey) {
        let mut state = self.state.lock().unwrap();
        let row = state.rows.get_mut(key).unwrap();
        (row.deleted, row.place) = (true, 0);
    }

    pub fn fault(&self, kind: &str, fault: Fault) {
        self.state
            .lock()
            .unwrap()
            .faults
            .push_back((kind.to_owned(), fault));
    }

    /// Answers so from now on.
    pub fn always(&self, mood: impl Fn(&Change, &State) -> Option<Outcome> + Send + 'static) {
        self.state.lock().unwrap().moods.push(Box::new(mood));
    }

    /// Answers as it should again.
    pub fn mended(&self) {
        self.state.lock().unwrap().moods.clear();
    }

    /// How many writes it met that fit, since they were counted last.
    pub fn met(&self, fits: impl Fn(&Change) -> bool) -> usize {
        let met = std::mem::take(&mut self.state.lock().unwrap().met);
        met.iter().filter(|change| fits(change)).count()
    }

    pub fn value(&self, key: &RecordKey, property: &str) -> String {
        let state = self.state.lock().unwrap();
        let row = state.rows.get(key).unwrap_or_else(|| panic!("no {key}"));
        row.values
            .get(property)
            .map(ToString::to_string)
            .unwrap_or_default()
    }

    pub fn live(&self, kind: &str) -> Vec<RecordKey> {
        let state = self.state.lock().unwrap();
        let rows = state
            .rows
            .iter()
            .filter(|(key, row)| key.record_type.name == kind && !row.deleted);
        rows.map(|(key, _)| key.clone()).collect()
    }

    pub fn applied(&self) -> usize {
        self.state.lock().unwrap().applied.len()
    }

    pub fn observe(&self, key: &RecordKey) -> Observation {
        let state = self.state.lock().unwrap();
        self.show(&state, key, self.clock.now())
    }

    fn insert(&self, state: &mut State, record_type: &RecordType, values: Values) -> RecordKey {
        let mut values = self.rewritten(values);
        state.next += 1;
        state.place += 1;
        if let Some((property, prefix)) = self.given.get(&record_type.name) {
            let shown = values.entry(property.clone()).or_default();
            if shown.is_blank() {
                *shown = Value::Text(format!("{prefix}{}", state.next));
            }
        }
        let now = self.clock.now();
        let key = RecordKey {
            record_type: record_type.clone(),
            id: format!("{}{}", record_type.name.to_lowercase(), state.next),
        };
        let row = Row {
            values,
            counter: 1,
            place: state.place,
            created: now,
            modified: now,
            deleted: false,
            author: None,
        };
        state.rows.insert(key.clone(), row);
        key
    }

    fn rewritten(&self, mut values: Values) -> Values {
        if let Some((name, loud)) = &self.shouts
            && let Some(Value::Text(text)) = values.get_mut(name)
        {
            *text = if *loud {
                text.to_uppercase()
            } else {
                text.to_lowercase()
            };
        }
        if let Some((name, what)) = &self.adds
            && let Some(Value::Text(text)) = values.get_mut(name)
        {
            text.push_str(what);
        }
        values
    }

    fn change(&self, state: &mut State, key: &RecordKey, values: &Values) {
        state.place += 1;
        let place = state.place;
        let row = state.rows.get_mut(key).unwrap();
        row.values.extend(self.rewritten(values.clone()));
        row.counter += 1;
        row.place = place;
        row.author = None;
        row.modified = self.clock.now();
    }

    fn remove(&self, state: &mut State, key: &RecordKey) {
        state.place += 1;
        let place = state.place;
        let row = state.rows.get_mut(key).unwrap();
        row.deleted = true;
        row.counter += 1;
        row.place = place;
        row.modified = self.clock.now();
        self.blank(state, &key.id);
    }

    /// The references that name a record: whose, and by which property.
    fn naming(&self, state: &State, id: &str) -> Vec<(RecordKey, String)> {
        let names = |key: &RecordKey, row: &Row, (kind, property): &(String, String)| {
            let named = row.values.get(property).and_then(Value::as_text);
            &key.record_type.name == kind && !row.deleted && named == Some(id)
        };
        let mut found = Vec::new();
        for (key, row) in &state.rows {
            let own = self.blanks.iter().filter(|reference| names(key, row, reference));
            found.extend(own.map(|(_, property)| (key.clone(), property.clone())));
        }
        found
    }

    /// Blanks what names a record that is no more.
    fn blank(&self, state: &mut State, id: &str) {
        for (key, property) in self.naming(state, id) {
            self.change(state, &key, &Values::from([(property, Value::Blank)]));
        }
    }

    fn version(&self, row: &Row, now: Timestamp) -> Version {
        match self.versions {
            Versions::Counted => Version {
                token: row.counter.to_string(),
                order: Some(row.counter),
                modified: row.modified,
                firm: true,
                coarse: jiff::SignedDuration::ZERO,
            },
            Versions::Seconds => {
                let modified = Timestamp::from_second(row.modified.as_second()).unwrap();
                Version {
                    token: modified.to_string(),
                    order: None,
                    modified,
                    firm: now.duration_since(modified) >= SignedDuration::from_secs(1),
                    coarse: jiff::SignedDuration::ZERO,
                }
            }
        }
    }

    fn show(&self, state: &State, key: &RecordKey, now: Timestamp) -> Observation {
        if let Some((_, before)) = state.veiled.get(key).filter(|(until, _)| now < *until) {
            return Observation {
                read_began: now,
                ..before.clone()
            };
        }
        let row = state.rows.get(key);
        let alive = row.is_some_and(|row| !row.deleted);
        Observation {
            key: key.clone(),
            presence: match row {
                None => Presence::Missing,
                Some(row) if row.deleted => Presence::Deleted,
                Some(_) => Presence::Alive,
            },
            values: row
                .filter(|_| alive)
                .map(|row| row.values.clone())
                .unwrap_or_default(),
            version: row.map(|row| self.version(row, now)),
            created: row.map(|row| row.created),
            author: row
                .filter(|_| self.signs)
                .map(|row| row.author.clone().unwrap_or_else(|| "alice".to_owned())),
            read_began: now,
            partial: false,
            protected: false,
            merged_into: state.merged.get(key).cloned(),
            unreadable: std::collections::BTreeMap::new(),
        }
    }

    /// An answer that is none, or none at all.
    fn fails(&self, silent: bool) -> Error {
        let (message, scope) = match silent {
            true => ("it did not answer in time", Scope::Silence),
            false => ("it answered 500 (an error of its own)", Scope::Answer),
        };
        Error {
            system: self.name.clone(),
            kind: ErrorKind::Down,
            message: message.to_owned(),
            advice: "Look there".to_owned(),
            retry_at: None,
            scope,
        }
    }

    /// Shows records no more to who asks for them by their ids.
    pub fn hide_from_reads<'a>(&self, keys: impl IntoIterator<Item = &'a RecordKey>) {
        let mut state = self.state.lock().unwrap();
        state.shy.extend(keys.into_iter().cloned());
        state.asked.clear();
    }

    /// Shows them again.
    pub fn show_to_reads(&self) {
        self.state.lock().unwrap().shy.clear();
    }

    /// How many reads by ids there were since they were counted last, and how many of them asked for a record.
    pub fn reads_of(&self, key: &RecordKey) -> (usize, usize) {
        let asked = std::mem::take(&mut self.state.lock().unwrap().asked);
        (
            asked.len(),
            asked.iter().filter(|ids| ids.contains(&key.id)).count(),
        )
    }

    fn enter(&self) -> Result<std::sync::MutexGuard<'_, State>, Error> {
        let mut state = self.state.lock().unwrap();
        state.calls += 1;
        if state.down {
            return Err(Error {
                system: self.name.clone(),
                kind: ErrorKind::Down,
                message: "it does not answer".to_owned(),
                advice: "Start it".to_owned(),
                retry_at: None,
                scope: Scope::System,
            });
        }
        self.late_ones(&mut state);
        Ok(state)
    }

    /// Carries out what was on its way for so long.
    fn late_ones(&self, state: &mut State) {
        let now = self.clock.now();
        let (due, rest) = std::mem::take(&mut state.late)
            .into_iter()
            .partition(|(at, _)| *at <= now);
        state.late = rest;
        let due: Vec<(Timestamp, Write)> = due;
        for (_, write) in due {
            self.carry_out(state, &write);
        }
    }

    fn carry_out(&self, state: &mut State, write: &Write) -> Outcome {
        if let Some((key, values)) = state.meddling.pop_front() {
            self.change(state, &key, &values);
        }
        if let Change::Create { .. } = &write.change
            && self.limits.usual.idempotent_create
            && let Some((id, came)) = state.keys.get(&write.key)
            && self.clock.now().duration_since(*came) < self.limits.idempotency_life
        {
            return Outcome::Applied {
                id: id.clone(),
                state: None,
            };
        }
        let outcome = self.perform(state, &write.change);
        if let Outcome::Applied { id, .. } = &outcome {
            state.applied.push(write.change.clone());
            let came = self.clock.now();
            state.keys.insert(write.key.clone(), (id.clone(), came));
        }
        outcome
    }

    fn perform(&self, state: &mut State, change: &Change) -> Outcome {
        let own = match change {
            Change::Create { .. } => None,
            Change::Update { record, only_if, .. } | Change::Delete { record, only_if } => {
                let Some(row) = state.rows.get(record).filter(|row| !row.deleted) else {
                    return Outcome::Gone;
                };
                let now = self.version(row, self.clock.now());
                let kept = !(self.deletes_anyway && matches!(change, Change::Delete { .. }));
                if kept && only_if.as_ref().is_some_and(|version| version.token != now.token) {
                    return Outcome::Stale;
                }
                Some(record)
            }
        };
        if let Change::Delete { record, .. } = change
            && self.keeps_named
            && !self.naming(state, &record.id).is_empty()
        {
            return Outcome::Refused(refusal(RefusalKind::Invalid, &[]));
        }
        if let Change::Create { values, .. } | Change::Update { values, .. } = change
            && let Some(refusal) = self.duplicate(state, change, own, values)
        {
            return Outcome::Refused(refusal);
        }
        let id = match change {
            Change::Create { record_type, values } => self.insert(state, record_type, values.clone()).id,
            Change::Update { record, values, .. } => {
                self.change(state, record, values);
                record.id.clone()
            }
            Change::Delete { record, .. } => {
                self.remove(state, record);
                record.id.clone()
            }
        };
        let of = match change {
            Change::Create { record_type, .. } => record_type,
            Change::Update { record, .. } | Change::Delete { record, .. } => &record.record_type,
        };
        let key = RecordKey {
            record_type: of.clone(),
            id: id.clone(),
        };
        if let Some(row) = state.rows.get_mut(&key) {
            row.author = Some("tandem".to_owned());
        }
        Outcome::Applied { id, state: None }
    }

    fn duplicate(
        &self,
        state: &State,
        change: &Change,
        own: Option<&RecordKey>,
        values: &Values,
    ) -> Option<Refusal> {
        let kind = match change {
            Change::Create { record_type, .. } => record_type,
            Change::Update { record, .. } | Change::Delete { record, .. } => &record.record_type,
        };
        let unique = self.unique.get(&kind.name)?;
        let taken = unique.iter().find(|property| {
            let mut rows = state
                .rows
                .iter()
                .filter(|(key, row)| &key.record_type == kind && !row.deleted);
            let value = values.get(*property).filter(|value| !value.is_blank());
            value.is_some() && rows.any(|(key, row)| Some(key) != own && row.values.get(*property) == value)
        })?;
        Some(refusal(RefusalKind::Duplicate, &[taken.as_str()]))
    }
}

/// Whether a batch holds the record that makes it fail.
fn poisoned(state: &State, batch: &[Write]) -> bool {
    batch.iter().any(|write| match &write.change {
        Change::Create { .. } => false,
        Change::Update { record, .. } | Change::Delete { record, .. } => {
            state.poison.as_ref() == Some(record)
        }
    })
}

pub fn refusal(kind: RefusalKind, properties: &[&str]) -> Refusal {
    Refusal {
        kind,
        properties: properties.iter().map(|name| (*name).to_owned()).collect(),
        message: format!("refused: {kind:?}"),
        advice: "mend it".to_owned(),
    }
}

pub fn texts(values: &[(&str, &str)]) -> Values {
    let pairs = values.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), Value::text(*value)))
        .collect()
}

/// Page length of changes and listings.
const PAGE: usize = 7;

#[async_trait]
impl Connector for Fake {
    fn system(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.limits
    }

    async fn identify(&self) -> Result<Identification, Error> {
        let mut state = self.enter()?;
        for job in state.jobs.values_mut().filter(|job| job.begun.is_none()) {
            job.given_up = true;
        }
        drop(state);
        Ok(Identification {
            id: format!("id of {}", self.name),
            name: self.name.clone(),
            user: "tandem".to_owned(),
            author: self.signs.then(|| "tandem".to_owned()),
            sandbox: None,
            instance: None,
            version: None,
        })
    }

    async fn describe(&self) -> Result<Schema, Error> {
        let (mute, silent) = {
            let state = self.enter()?;
            (state.mute, state.silent)
        };
        if mute {
            return Err(self.fails(silent));
        }
        let mut schema = Schema::default();
        for (kind, (property, _)) in &self.given {
            let mut described = TypeSchema::default();
            for flows in [dataflow(), with_contacts(), with_lines()] {
                let all = crate::veil::described(&flows, &self.name).types.remove(kind);
                described.properties.extend(all.unwrap_or_default().properties);
            }
            let filled = tandem_connector::PropertySchema {
                data_type: "string".to_owned(),
                filled_on_create: true,
                ..tandem_connector::PropertySchema::default()
            };
            described.properties.insert(property.clone(), filled);
            schema.types.insert(kind.clone(), described);
        }
        Ok(schema)
    }

    async fn changes(&self, types: &[RecordType], cursor: Option<&[u8]>) -> Result<ChangePage, Error> {
        tokio::task::yield_now().await;
        let mut state = self.enter()?;
        let now = self.clock.now();
        let text = cursor.map(|cursor| String::from_utf8(cursor.to_vec()).unwrap());
        let (place, until) = match text.as_deref().and_then(|text| text.split_once(' ')) {
            None => (0, state.place),
            Some((place, until)) => (place.parse::<u64>().unwrap(), until.parse::<u64>().unwrap()),
        };
        // A round that is over starts again inside the overlap.
        let (place, until) = if place >= until && cursor.is_some() {
            let recent = state
                .rows
                .values()
                .filter(|row| row.place > 0 && now.duration_since(row.modified) <= self.overlap);
            let earliest = recent.map(|row| row.place.saturating_sub(1)).min();
            (
                earliest.map_or(place, |earliest| earliest.min(place)),
                state.place,
            )
        } else {
            (place, until)
        };
        let mut shown: Vec<(u64, RecordKey)> = state
            .rows
            .iter()
            .filter(|(key, row)| types.contains(&key.record_type) && row.place > place && row.place <= until)
            .map(|(key, row)| (row.place, key.clone()))
            .collect();
        shown.sort();
        let more = shown.len() > PAGE;
        shown.truncate(PAGE);
        let last = if more {
            shown.last().map_or(until, |(place, _)| *place)
        } else {
            until
        };
        let mut observations = std::mem::take(&mut state.replays);
        let rows = shown.iter().map(|(_, key)| self.show(&state, key, now));
        observations.extend(rows.collect::<Vec<_>>());
        let compared = state
            .compared
            .take()
            .map(|kind| RecordType::new(&self.name, kind));
        if let Some(kind) = &compared {
            let alive = |(key, row): &(&RecordKey, &Row)| &key.record_type == kind && !row.deleted;
            let rows = state.rows.iter().filter(alive);
            let rows: Vec<_> = rows.map(|(key, _)| self.show(&state, key, now)).collect();
            observations.extend(rows);
        }
        let cut_short = state
            .cut_short
            .iter()
            .map(|kind| RecordType::new(&self.name, kind));
        let cut_short: Vec<RecordType> = cut_short.filter(|of| types.contains(of)).collect();
        observations.retain(|seen| !cut_short.contains(&seen.key.record_type));
        state.rows_read += observations.len() as u64;
        Ok(ChangePage {
            observations,
            hints: std::mem::take(&mut state.hints),
            cursor: format!("{last} {until}").into_bytes(),
            // A round that an earlier process began may end before the latest changes.
            more: more || state.place > until,
            incomplete: cut_short
                .into_iter()
                .map(|record_type| Incomplete {
                    record_type,
                    error: self.fails(state.silent),
                })
                .collect(),
            wholes: std::mem::take(&mut state.wholes),
            complete: compared.map(|record_type| Complete {
                record_type,
                after: None,
                to: None,
            }),
        })
    }

    async fn list(&self, record_type: &RecordType, resume: Option<&[u8]>) -> Result<ListPage, Error> {
        let state = self.enter()?;
        let now = self.clock.now();
        let after = resume.map(|resume| String::from_utf8(resume.to_vec()).unwrap());
        let rows = state
            .rows
            .iter()
            .filter(|(key, row)| &key.record_type == record_type && !row.deleted);
        let rows = rows.filter(|(key, _)| after.as_ref().is_none_or(|after| &key.id > after));
        let keys: Vec<RecordKey> = rows.map(|(key, _)| key.clone()).take(PAGE).collect();
        Ok(ListPage {
            observations: keys.iter().map(|key| self.show(&state, key, now)).collect(),
            resume: keys
                .last()
                .filter(|_| keys.len() == PAGE)
                .map(|key| key.id.clone().into_bytes()),
        })
    }

    async fn fetch(&self, record_type: &RecordType, ids: &[String]) -> Result<Vec<Observation>, Error> {
        tokio::task::yield_now().await;
        let mut state = self.enter()?;
        state.rows_read += ids.len() as u64;
        state.asked.push(ids.to_vec());
        let mut shy = state.shy.iter();
        if shy.any(|key| &key.record_type == record_type && ids.contains(&key.id)) {
            return Err(self.fails(state.silent));
        }
        let now = self.clock.now();
        let key = |id: &String| RecordKey {
            record_type: record_type.clone(),
            id: id.clone(),
        };
        Ok(ids.iter().map(|id| self.show(&state, &key(id), now)).collect())
    }

    async fn find(
        &self,
        record_type: &RecordType,
        properties: &[String],
        values: &[Vec<Value>],
    ) -> Result<Vec<Observation>, Error> {
        tokio::task::yield_now().await;
        let state = self.enter()?;
        let mut named = values.iter().flatten().map(ToString::to_string);
        if named.any(|value| Some(value) == state.unspeakable) {
            return Err(self.fails(state.silent));
        }
        let now = self.clock.now();
        let rows = state
            .rows
            .iter()
            .filter(|(key, row)| &key.record_type == record_type && !row.deleted);
        let fits = rows.filter(|(_, row)| {
            let shown: Vec<Value> = properties
                .iter()
                .map(|name| row.values.get(name).cloned().unwrap_or_default())
                .collect();
            let fold = |values: &[Value]| -> Vec<String> {
                values
                    .iter()
                    .map(|value| value.to_string().trim().to_lowercase())
                    .collect()
            };
            values.iter().any(|wanted| fold(wanted) == fold(&shown))
        });
        Ok(fits.map(|(key, _)| self.show(&state, key, now)).collect())
    }

    async fn find_deleted(
        &self,
        of: &RecordType,
        property: &str,
        values: &[Value],
    ) -> Result<Vec<Observation>, Error> {
        let state = self.enter()?;
        let now = self.clock.now();
        let carries = |row: &Row| {
            row.values
                .get(property)
                .is_some_and(|value| values.contains(value))
        };
        let rows = state.rows.iter();
        let rows = rows.filter(|(key, row)| &key.record_type == of && row.deleted && carries(row));
        let shown = rows.map(|(key, row)| Observation {
            values: [(property.to_owned(), row.values[property].clone())].into(),
            ..self.show(&state, key, now)
        });
        Ok(shown.collect())
    }

    async fn write(&self, batch: &[Write], lane: Lane) -> Vec<Outcome> {
        assert!(
            batch.len() <= self.limits.write_batch,
            "a batch of {}",
            batch.len()
        );
        if lane == Lane::Load {
            return match self.refuse_load() {
                Some(error) => batch.iter().map(|_| Outcome::NotSent(error.clone())).collect(),
                None => self.accept(batch).await,
            };
        }
        // The request is on its way: a crash here leaves it unsent, one after leaves it done.
        tokio::task::yield_now().await;
        let outcomes = {
            match self.enter() {
                Err(error) => batch.iter().map(|_| Outcome::NotSent(error.clone())).collect(),
                Ok(mut state) if poisoned(&state, batch) => {
                    state.met.extend(batch.iter().map(|write| write.change.clone()));
                    let unknown = |_| Outcome::Unknown("status 500".to_owned());
                    batch.iter().map(unknown).collect()
                }
                Ok(mut state) => batch.iter().map(|write| self.meet(&mut state, write)).collect(),
            }
        };
        tokio::task::yield_now().await;
        outcomes
    }

    async fn resume(&self, handle: &str) -> Result<Resumed, Error> {
        tokio::task::yield_now().await;
        let resumed = {
            let mut state = self.enter()?;
            self.go_on(&mut state, handle)
        };
        tokio::task::yield_now().await;
        Ok(resumed)
    }

    fn calls(&self) -> u64 {
        self.state.lock().unwrap().calls
    }

    fn budget(&self) -> Option<Budget> {
        let state = self.state.lock().unwrap();
        Some(Budget {
            day: jiff::civil::Date::constant(2026, 3, 1),
            spent: 8,
            share: Some(10),
            backfill: Some(8),
            calls: None,
            bulk: None,
            events: None,
            backfill_waits: state.no_loads.filter(|_| state.no_loads_told),
            live_waits: None,
            open: false,
        })
    }
}

impl Fake {
    fn refuse_load(&self) -> Option<Error> {
        let mut state = self.state.lock().unwrap();
        let until = state.no_loads.filter(|until| *until > self.clock.now())?;
        assert!(
            !state.no_loads_told,
            "a load was sent although it was said to wait"
        );
        state.no_loads_told = true;
        Some(Error {
            system: self.name.clone(),
            kind: ErrorKind::Refused,
            message: "budget of the day for long work reached".to_owned(),
            advice: "Wait".to_owned(),
            retry_at: Some(until),
            scope: Scope::System,
        })
    }

    /// Takes a batch for later, into a job that was not begun.
    async fn accept(&self, batch: &[Write]) -> Vec<Outcome> {
        tokio::task::yield_now().await;
        let handle = {
            let mut state = self.enter().unwrap();
            let mut open = state
                .jobs
                .iter()
                .filter(|(_, job)| job.begun.is_none() && !job.given_up);
            let open = open.next().map(|(handle, _)| handle.clone());
            let handle = open.unwrap_or_else(|| format!("job{}", state.jobs.len()));
            let job = state.jobs.entry(handle.clone()).or_default();
            job.writes.extend_from_slice(batch);
            handle
        };
        tokio::task::yield_now().await;
        let accepted = |_: &Write| Outcome::Accepted {
            handle: handle.clone(),
        };
        batch.iter().map(accepted).collect()
    }

    /// A job begins when it is first asked for, and takes three seconds; outcomes are told two at a time.
    fn go_on(&self, state: &mut State, handle: &str) -> Resumed {
        let Some(mut job) = state.jobs.remove(handle) else {
            return Resumed::Done(Vec::new());
        };
        let now = self.clock.now();
        if job.given_up {
            let error = Error {
                system: self.name.clone(),
                kind: ErrorKind::Down,
                message: "it was never begun".to_owned(),
                advice: "It is sent again".to_owned(),
                retry_at: None,
                scope: Scope::System,
            };
            let unsent = |write: &Write| (write.intent, Outcome::NotSent(error.clone()));
            return Resumed::Done(job.writes.iter().map(unsent).collect());
        }
        let pause = SignedDuration::from_secs(3);
        let resumed = match job.begun {
            None => {
                job.begun = Some(now);
                Resumed::NotYet(pause)
            }
            Some(begun) if now.duration_since(begun) < pause => Resumed::NotYet(pause),
            Some(_) => {
                let mut told = Vec::new();
                for write in std::mem::take(&mut job.writes) {
                    told.push((write.intent, self.meet(state, &write)));
                }
                job.outcomes.extend(told);
                // All are told anew after a crash, and the end by itself.
                job.told = !job.told;
                match job.told {
                    true => Resumed::Some(job.outcomes.clone()),
                    false => Resumed::Done(Vec::new()),
                }
            }
        };
        if !matches!(resumed, Resumed::Done(_)) {
            state.jobs.insert(handle.to_owned(), job);
        }
        resumed
    }

    /// Carries a write out behind a veil.
    fn carry_out_late(&self, state: &mut State, write: &Write, seconds: i64) -> Outcome {
        let now = self.clock.now();
        let before: Vec<Observation> = state.rows.keys().map(|key| self.show(state, key, now)).collect();
        let outcome = self.carry_out(state, write);
        if let Outcome::Applied { id, .. } = &outcome {
            let of = match &write.change {
                Change::Create { record_type, .. } => record_type,
                Change::Update { record, .. } | Change::Delete { record, .. } => &record.record_type,
            };
            let key = RecordKey {
                record_type: of.clone(),
                id: id.clone(),
            };
            let known = before.into_iter().find(|row| row.key == key);
            let until = now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
            let before = known.unwrap_or_else(|| Observation {
                presence: Presence::Missing,
                values: Values::new(),
                version: None,
                created: None,
                ..self.show(state, &key, now)
            });
            state.veiled.insert(key, (until, before));
        }
        outcome
    }

    /// A write meets its fault, if one waits for its type.
    fn meet(&self, state: &mut State, write: &Write) -> Outcome {
        state.met.push(write.change.clone());
        if let Some(outcome) = state.moods.iter().find_map(|mood| mood(&write.change, state)) {
            return outcome;
        }
        let kind = match &write.change {
            Change::Create { record_type, .. } => record_type.name.clone(),
            Change::Update { record, .. } | Change::Delete { record, .. } => record.record_type.name.clone(),
        };
        let place = state.faults.iter().position(|(of, _)| *of == kind);
        let fault = place.and_then(|place| state.faults.remove(place));
        match fault.map(|(_, fault)| fault) {
            None => self.carry_out(state, write),
            Some(Fault::LostAnswer) => {
                self.carry_out(state, write);
                Outcome::Unknown("time-out".to_owned())
            }
            Some(Fault::LostRequest) => Outcome::Unknown("time-out".to_owned()),
            Some(Fault::Late(seconds)) => {
                let at = self
                    .clock
                    .now()
                    .checked_add(SignedDuration::from_secs(seconds))
                    .unwrap();
                state.late.push((at, write.clone()));
                Outcome::Unknown("time-out".to_owned())
            }
            Some(Fault::Refused(refusal)) => Outcome::Refused(refusal),
            Some(Fault::Busy(property, value)) => {
                if let Change::Update { record, .. } = &write.change {
                    self.change(state, record, &texts(&[(&property, &value)]));
                }
                Outcome::Refused(refusal(RefusalKind::Busy, &[]))
            }
            Some(Fault::ShownLate(seconds)) => self.carry_out_late(state, write, seconds),
            Some(Fault::Ignores(property)) => {
                let mut write = write.clone();
                if let Change::Create { values, .. } | Change::Update { values, .. } = &mut write.change {
                    values.remove(&property);
                }
                self.carry_out(state, &write)
            }
        }
    }
}
