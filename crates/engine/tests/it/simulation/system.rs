//! One of the two systems: its rows, and what a request does to them. It knows nothing of Tandem but requests.

use super::clock::Time;
use super::dice::Dice;
use super::log::{Log, plain};
use super::quirks::Quirk;
use super::setting::{Nature, given, identities, key_property};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use tandem_connector::{Capabilities, Change, Load, Outcome, Protection, Refusal, RefusalKind, Write};
use tandem_engine::Clock;
use tandem_merge::record::{Observation, Presence, RecordKey, RecordType, Values, Version};
use tandem_merge::value::Value;

/// How long after its stamp a change may be committed; changes are shown again for so long.
pub const OVERLAP: SignedDuration = SignedDuration::from_secs(60);

/// The longest time a request may still take effect.
pub const DEADLINE: SignedDuration = SignedDuration::from_secs(20);

/// A record as the system holds it.
#[derive(Clone, Debug)]
pub struct Row {
    pub values: Values,
    pub counter: i64,
    /// By the system's own clock.
    pub modified: Timestamp,
    pub created: Timestamp,
    pub alive: bool,
    /// A person deleted it; else Tandem.
    pub deleted_by_person: bool,
    /// Tandem made it.
    pub ours: bool,
    /// It was made by a request that had been answered before and arrived once more.
    pub again: bool,
    /// When it came, by the log.
    pub born: u64,
    /// By property, when a person edited it last, by the log.
    pub edited: BTreeMap<String, u64>,
    /// When it was shown last, by the log.
    pub shown: u64,
    /// States that a slow copy of the system may still show.
    pub older: Vec<Observation>,
    /// It was deleted and left no trace.
    pub purged: bool,
    /// What went wrong with it, or was done to it, by habits of its system.
    pub fate: Fate,
    /// States from before writes of Tandem, with until when they are shown instead, the first ones first.
    pub veils: Vec<(Timestamp, Observation)>,
}

impl Row {
    /// Its identity says that it is the counterpart of a record of the other system.
    pub fn is_marked_as_of(&self, key: &RecordKey, counterpart: &RecordKey) -> bool {
        let marks = identities(&key.record_type)
            .iter()
            .filter_map(|name| self.values.get(*name));
        let mut ids = marks.filter_map(|mark| mark.as_text()?.rsplit(':').next());
        key.record_type.system != counterpart.record_type.system && ids.any(|id| id == counterpart.id)
    }

    /// Within the resolution of its times nobody can tell an edit of a new record from what its system filled in.
    pub fn may_be_filling_in(&self, now: Timestamp) -> bool {
        self.ours && self.counter < 2 && self.created.as_second() == now.as_second()
    }

    /// Between a write that did not come to stand and the first look at it, nobody could tell an edit from it.
    pub fn is_undecided(&self) -> bool {
        self.fate.ignored > self.shown
    }
}

/// What habits of its system did to a record.
#[derive(Clone, Debug, Default)]
pub struct Fate {
    /// By property, the id that a reference held when Tandem blanked it.
    pub taken: BTreeMap<String, String>,
    /// How often people pointed its reference anywhere.
    pub pointed: u32,
    /// When Tandem put it out of use, by the log.
    pub put_out: Option<u64>,
    /// When a value that Tandem wrote did not come to stand, by the log, and such values.
    pub ignored: u64,
    pub dropped: Vec<Value>,
}

/// A request with what was known when it was sent.
#[derive(Clone, Debug)]
pub struct Request {
    pub write: Write,
    /// When it left its sender.
    pub left: Timestamp,
    /// When its record was shown last, by the log.
    pub seen: u64,
    /// It was carried out and answered before, and arrives once more: its sender waits for nothing any more.
    pub told: bool,
    /// It was carried out before, answered or not. No sender can take back what a line delivers twice, so a record that
    /// a person deleted in between may come back by it.
    pub again: bool,
}

/// Writes accepted for later.
#[derive(Clone, Debug, Default)]
pub struct Job {
    pub requests: Vec<Request>,
    pub begun: Option<Timestamp>,
    pub given_up: bool,
    pub outcomes: Vec<(u64, Outcome)>,
    pub told: bool,
}

#[derive(Default)]
pub struct State {
    pub rows: BTreeMap<RecordKey, Row>,
    /// Requests that take effect later.
    pub late: Vec<(Timestamp, Request)>,
    /// On their way: if the process dies, they may get lost.
    pub flying: Vec<Request>,
    /// Properties that are not shown, and what the last description left out.
    pub hidden: BTreeSet<(String, String)>,
    pub described_without: BTreeSet<(String, String)>,
    pub down_until: Option<Timestamp>,
    /// Types that are listed in full with the next page of changes.
    pub compared: BTreeSet<RecordType>,
    pub jobs: BTreeMap<String, Job>,
    /// When keys were looked for, by type and text, by the log.
    pub looked: BTreeMap<(String, String), u64>,
    /// Idempotency keys with what they made.
    pub keys: BTreeMap<String, String>,
    pub rows_read: u64,
    pub calls: u64,
    next: u64,
}

impl State {
    /// Takes the requests of a batch off their way.
    pub fn arrived(&mut self, batch: &[Write]) -> Vec<Request> {
        let of_batch = |request: &mut Request| batch.iter().any(|write| write.key == request.write.key);
        self.flying.extract_if(.., of_batch).collect()
    }
}

pub struct System {
    pub name: String,
    pub nature: Nature,
    pub limits: Capabilities,
    pub time: Arc<Time>,
    pub log: Arc<Mutex<Log>>,
    pub dice: Arc<Mutex<Dice>>,
    /// What it does by itself, with dice for it.
    pub quirks: BTreeSet<Quirk>,
    pub moods: Mutex<Dice>,
    /// Something may go wrong.
    pub faults: Mutex<bool>,
    /// Records whose type may be created again after a person deleted one.
    pub recreates: bool,
    /// Deletions go on whatever was edited.
    pub deletes_win: bool,
    /// Types that must not be written.
    pub read_only: BTreeSet<String>,
    pub state: Mutex<State>,
}

impl System {
    pub fn new(
        name: &str,
        nature: Nature,
        time: &Arc<Time>,
        log: &Arc<Mutex<Log>>,
        dice: &Arc<Mutex<Dice>>,
    ) -> Self {
        let limits = Capabilities {
            usual: Protection {
                conditional_write: nature.conditional,
                conditional_delete: nature.conditional,
                idempotent_create: nature.idempotent,
                ..Protection::default()
            },
            of_types: BTreeMap::new(),
            idempotency_life: SignedDuration::MAX,
            request_deadline: DEADLINE,
            commit_delay: OVERLAP,
            write_batch: 3,
            find_batch: 4,
            fetch_batch: 4,
            answers_with_state: nature.answers,
            load: nature.loads.then_some(Load {
                above: 1,
                batch: 3,
                updates: (!nature.conditional).then_some(1),
            }),
            asks_by_type: false,
        };
        Self {
            name: name.to_owned(),
            nature,
            limits,
            time: Arc::clone(time),
            log: Arc::clone(log),
            dice: Arc::clone(dice),
            quirks: BTreeSet::new(),
            moods: Mutex::new(Dice::new(0)),
            faults: Mutex::new(false),
            recreates: false,
            deletes_win: false,
            read_only: BTreeSet::new(),
            state: Mutex::default(),
        }
    }

    /// Now, by the system's own clock.
    pub fn now(&self) -> Timestamp {
        let ahead = SignedDuration::from_millis(self.nature.ahead);
        self.time.now().checked_add(ahead).unwrap()
    }

    pub fn one_in(&self, count: usize) -> bool {
        *self.faults.lock().unwrap() && self.dice.lock().unwrap().one_in(count)
    }

    /// Makes a record.
    pub fn insert(&self, state: &mut State, of: &RecordType, values: Values, ours: bool) -> RecordKey {
        state.next += 1;
        let initial = of.name.chars().next().unwrap();
        let id = format!("{initial}{}", state.next);
        let key = RecordKey::new(&of.system, &of.name, id);
        let mut values = self.rewritten(&key, values);
        if let Some(property) = given(of) {
            values.insert(property.to_owned(), Value::Text(format!("given{}", state.next)));
        }
        let now = self.now();
        let row = Row {
            values,
            counter: 1,
            modified: now,
            created: now,
            alive: true,
            deleted_by_person: false,
            ours,
            again: false,
            born: self.log.lock().unwrap().tick(),
            edited: BTreeMap::new(),
            shown: 0,
            older: Vec::new(),
            purged: false,
            fate: Fate::default(),
            veils: Vec::new(),
        };
        state.rows.insert(key.clone(), row);
        key
    }

    fn rewritten(&self, key: &RecordKey, mut values: Values) -> Values {
        if let Some((kind, property)) = self.nature.shouts
            && key.record_type.name == kind
            && let Some(Value::Text(text)) = values.get_mut(property)
        {
            *text = if self.name == crate::flows::ERP {
                text.to_uppercase()
            } else {
                format!("{}'", text.to_lowercase().trim_end_matches('\''))
            };
        }
        values
    }

    /// Changes a record, at a moment by the system's clock.
    pub fn change(&self, state: &mut State, key: &RecordKey, values: Values, at: Timestamp) {
        let before = self.show(state, key);
        let values = self.rewritten(key, values);
        let row = state.rows.get_mut(key).unwrap();
        row.values.extend(values);
        self.touch(row, before, at);
    }

    /// Deletes a record.
    pub fn remove(&self, state: &mut State, key: &RecordKey, by_person: bool) {
        let before = self.show(state, key);
        let row = state.rows.get_mut(key).unwrap();
        row.alive = false;
        row.deleted_by_person = by_person;
        let now = self.now();
        self.touch(row, before, now);
        self.blank_references(state, key);
    }

    pub fn touch(&self, row: &mut Row, before: Observation, at: Timestamp) {
        row.counter += 1;
        row.modified = row.modified.max(at);
        row.older.push(before);
        if row.older.len() > 3 {
            row.older.remove(0);
        }
    }

    fn version(&self, row: &Row) -> Version {
        if self.nature.counted {
            return Version {
                token: row.counter.to_string(),
                order: Some(row.counter),
                modified: row.modified,
                firm: true,
                coarse: jiff::SignedDuration::ZERO,
            };
        }
        let modified = Timestamp::from_second(row.modified.as_second()).unwrap();
        Version {
            token: modified.to_string(),
            order: None,
            modified,
            firm: self.is_firm(modified),
            coarse: jiff::SignedDuration::ZERO,
        }
    }

    /// Whether no other version can have the same time any more.
    pub fn is_firm(&self, modified: Timestamp) -> bool {
        self.nature.counted || self.now().duration_since(modified) >= SignedDuration::from_secs(1)
    }

    /// A record as it is now, with the properties that are shown.
    pub fn show(&self, state: &State, key: &RecordKey) -> Observation {
        let nothing = Self::nothing(key, self.time.now());
        let Some(row) = state.rows.get(key).filter(|row| !row.purged) else {
            return nothing;
        };
        let shown = |(name, _): &(&String, &Value)| {
            let place = (key.record_type.name.clone(), (*name).clone());
            row.alive && !state.described_without.contains(&place)
        };
        let values = row.values.iter().filter(shown);
        let created = if self.nature.counted {
            row.created
        } else {
            Timestamp::from_second(row.created.as_second()).unwrap()
        };
        Observation {
            presence: if row.alive {
                Presence::Alive
            } else {
                Presence::Deleted
            },
            values: values
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            version: Some(self.version(row)),
            created: Some(created),
            ..nothing
        }
    }

    /// What is shown of a record that is not there.
    pub fn nothing(key: &RecordKey, read_began: Timestamp) -> Observation {
        Observation {
            key: key.clone(),
            presence: Presence::Missing,
            values: Values::new(),
            version: None,
            created: None,
            author: None,
            read_began,
            partial: false,
            protected: false,
            merged_into: None,
            unreadable: BTreeMap::new(),
        }
    }

    /// The same, told to Tandem.
    pub fn tell(&self, state: &mut State, key: &RecordKey) -> Observation {
        let shown = self.show(state, key);
        if let Some(row) = state.rows.get_mut(key) {
            row.shown = self.log.lock().unwrap().tick();
        }
        state.rows_read += 1;
        shown
    }

    /// Carries out what was on its way for so long.
    pub fn deliver_late(&self, state: &mut State) {
        let now = self.time.now();
        let late = std::mem::take(&mut state.late);
        let (due, rest): (Vec<_>, Vec<_>) = late.into_iter().partition(|(at, _)| *at <= now);
        state.late = rest;
        for (_, request) in due {
            let outcome = self.carry_out(state, &request);
            let mut log = self.log.lock().unwrap();
            log.say(|| format!("    late request {}: {}", request.write.key, told(&outcome)));
        }
    }

    /// Carries a request out, if nothing is against it.
    pub fn carry_out(&self, state: &mut State, request: &Request) -> Outcome {
        let write = &request.write;
        if let Change::Create { .. } = &write.change
            && self.nature.idempotent
            && let Some(id) = state.keys.get(&write.key)
        {
            let (id, state) = (id.clone(), None);
            return Outcome::Applied { id, state };
        }
        let (record, only_if) = match &write.change {
            Change::Create { .. } => (None, None),
            Change::Update { record, only_if, .. } | Change::Delete { record, only_if } => {
                (Some(record), only_if.as_ref())
            }
        };
        if let Some(record) = record {
            let Some(row) = state.rows.get(record).filter(|row| row.alive) else {
                return Outcome::Gone;
            };
            let token = self.version(row).token;
            if only_if.is_some_and(|version| version.token != token) {
                return Outcome::Stale;
            }
        }
        if let Some(outcome) = self.stubborn(write) {
            return outcome;
        }
        if let Some(refusal) = self.refusal(state, write) {
            return Outcome::Refused(refusal);
        }
        let id = match &write.change {
            Change::Create { record_type, values } => {
                self.before_create(state, request, record_type, values);
                let kept = self.kept(record_type, values);
                let key = self.insert(state, record_type, kept.clone(), true);
                self.note_ignored(state, &key, values, &kept);
                self.veil(state, Self::nothing(&key, self.time.now()));
                state.rows.get_mut(&key).unwrap().again = request.told;
                state.keys.insert(write.key.clone(), key.id.clone());
                let mut log = self.log.lock().unwrap();
                let named = values
                    .values()
                    .filter(|value| !value.is_blank())
                    .map(plain)
                    .collect();
                log.named.insert(key.id.to_lowercase(), named);
                log.effects
                    .entry(write.key.clone())
                    .or_default()
                    .push(key.clone());
                key.id
            }
            Change::Update { record, values, .. } => {
                self.before_update(state, request, record, values);
                let (before, now) = (self.show(state, record), self.now());
                let kept = self.kept(&record.record_type, values);
                self.change(state, record, kept.clone(), now);
                self.note_ignored(state, record, values, &kept);
                self.note_written(state, record, values);
                self.veil(state, before);
                record.id.clone()
            }
            Change::Delete { record, .. } => {
                self.before_delete(state, request, record);
                let before = self.show(state, record);
                self.remove(state, record, false);
                self.veil(state, before);
                record.id.clone()
            }
        };
        self.log.lock().unwrap().writes += 1;
        let shows = self.nature.answers && matches!(write.change, Change::Update { .. });
        let shown = shows.then(|| Box::new(self.tell(state, record.unwrap())));
        Outcome::Applied { id, state: shown }
    }

    fn refusal(&self, state: &State, write: &Write) -> Option<Refusal> {
        let (of, own, values) = match &write.change {
            Change::Create { record_type, values } => (record_type, None, values),
            Change::Update { record, values, .. } => (&record.record_type, Some(record), values),
            Change::Delete { .. } => return None,
        };
        let hides = |name: &&String| state.hidden.contains(&(of.name.clone(), (*name).clone()));
        if let Some(hidden) = values.keys().find(hides) {
            return Some(refusal(RefusalKind::Invalid, &[hidden]));
        }
        if let Some((rest, named)) = self.nature.refuses
            && of.name == "Invoice"
            && let Some(number) = values
                .get("Description")
                .and_then(|value| plain(value).trim_start_matches('e').parse::<u32>().ok())
            && number % 5 == rest
        {
            let properties: &[&str] = if named { &["Description"] } else { &[] };
            return Some(refusal(RefusalKind::Invalid, properties));
        }
        if !self.nature.unique {
            return None;
        }
        let taken = |property: &&&str| {
            let value = values.get(**property).filter(|value| !value.is_blank());
            let mut rows = state
                .rows
                .iter()
                .filter(|(key, row)| &key.record_type == of && row.alive && Some(*key) != own);
            value.is_some() && rows.any(|(_, row)| row.values.get(**property) == value)
        };
        let taken = identities(of).iter().find(taken)?;
        Some(refusal(RefusalKind::Duplicate, &[taken]))
    }

    /// What the log says about a create that is about to happen.
    fn before_create(&self, state: &State, request: &Request, of: &RecordType, values: &Values) {
        let (write, may_come_back) = (&request.write, self.recreates || request.again);
        let mut log = self.log.lock().unwrap();
        if self.read_only.contains(&of.name) {
            log.break_rule(format!("E9: {of} must not be written and is created"));
        }
        let earlier = log.effects.get(&write.key).cloned().unwrap_or_default();
        // What was answered and arrives once more finds another identity where the record went over to another one.
        let renamed = |row: &Row| {
            let carried = |property: &&&str| values.get(**property).is_some_and(|value| !value.is_blank());
            let mut carried = identities(of).iter().filter(carried);
            request.told && carried.any(|property| row.values.get(*property) != values.get(*property))
        };
        if earlier
            .iter()
            .any(|key| state.rows[key].alive && !renamed(&state.rows[key]))
        {
            log.break_rule(format!(
                "E3: the create {} has a second effect beside {earlier:?}",
                write.key
            ));
        }
        // What a create left that nobody answered, and that was purged since, left nothing by which it could be known.
        let unheard_of = |key: &RecordKey, row: &Row| row.purged && earlier.contains(key);
        for property in identities(of) {
            let Some(value) = values.get(*property).filter(|value| !value.is_blank()) else {
                continue;
            };
            let same = state
                .rows
                .iter()
                .filter(|(key, row)| &key.record_type == of && row.values.get(*property) == Some(value));
            for (key, row) in same {
                if row.alive {
                    log.break_rule(format!("E3: {key} is there for {value}, and another one is made"));
                } else if row.deleted_by_person
                    && !unheard_of(key, row)
                    && !may_come_back
                    && !log.is_judged(key)
                {
                    log.break_rule(format!(
                        "E16: {key} of {value} was deleted by a person and is created again"
                    ));
                }
            }
        }
        // A record that Tandem made out of one that a person deleted since does not bring that one back.
        let source = identities(of)
            .first()
            .and_then(|property| values.get(*property))
            .map(plain)
            .unwrap_or_default();
        let source = source.rsplit(':').next().unwrap_or_default().to_owned();
        let named = log.named.get(&source).cloned().unwrap_or_default();
        for (key, row) in state.rows.iter().filter(|(key, _)| &key.record_type == of) {
            if row.deleted_by_person
                && named.contains(&key.id.to_lowercase())
                && !may_come_back
                && !log.is_judged(key)
            {
                log.break_rule(format!(
                    "E16: {source} was made for {key}, which a person deleted, and brings it back"
                ));
            }
        }
        // What a person deleted since is no sign any more, and no sender can take back a request that arrives twice.
        let once_more = !earlier.is_empty() && earlier.iter().all(|key| state.rows[key].deleted_by_person);
        if !request.told && !once_more {
            self.before_keyed_create(state, of, values, &mut log);
        }
    }

    /// The same about its natural key.
    fn before_keyed_create(&self, state: &State, of: &RecordType, values: &Values, log: &mut Log) {
        let name = key_property(of);
        let text = values.get(name).map(plain).unwrap_or_default();
        if text.is_empty() {
            return;
        }
        let carries = |row: &Row| row.values.get(name).is_some_and(|value| plain(value) == text);
        let twin = state
            .rows
            .iter()
            .find(|(key, row)| &key.record_type == of && row.alive && row.ours && !row.again && carries(row));
        if let Some((key, _)) = twin {
            log.break_rule(format!(
                "S5: Tandem made {key} with the key {text}, and makes another"
            ));
        }
        let place = (of.name.clone(), text.clone());
        let looked = state.looked.get(&place).copied().unwrap_or(0);
        let twin = state.rows.iter().find(|(key, row)| {
            &key.record_type == of && row.alive && !row.ours && carries(row) && row.born < looked.max(1)
        });
        let unseen = state.rows.iter().any(|(key, row)| {
            &key.record_type == of && row.alive && !row.ours && carries(row) && looked == 0
        });
        if twin.is_some() || unseen {
            log.break_rule(format!(
                "E3: a {of} with the key {text} is made beside the one that a person had made"
            ));
        }
    }

    /// What the log says about an update that is about to happen.
    fn before_update(&self, state: &State, request: &Request, record: &RecordKey, values: &Values) {
        let row = &state.rows[record];
        let mut log = self.log.lock().unwrap();
        if self.read_only.contains(&record.record_type.name) {
            log.break_rule(format!("E9: {record} must not be written"));
        }
        // Where nothing protects from it, and the state that was overtaken is shown afterwards, nobody can tell it from
        // an edit (RULES.md section 8).
        let overtakes = row.edited.values().any(|at| *at > request.seen) && !self.nature.conditional;
        let shown_late = overtakes && self.quirks.contains(&Quirk::ShowsLate);
        if shown_late {
            log.unclear(&row.values);
            log.unclear(values);
        }
        for (property, new) in values {
            let old = row.values.get(property).cloned().unwrap_or_default();
            if shown_late || (overtakes && self.quirks.contains(&Quirk::Ignores)) {
                log.raced(new, &old);
            }
            let unseen = row.edited.get(property).is_some_and(|at| *at > request.seen);
            if unseen && self.nature.conditional {
                log.break_rule(format!("E2: {property} of {record} is overwritten unseen"));
            } else if unseen {
                log.raced(&old, new);
            } else if property != "Note" {
                log.overwritten(record, property, &old, new);
            }
        }
    }

    /// What the log says about a deletion that is about to happen (D1).
    fn before_delete(&self, state: &State, request: &Request, record: &RecordKey) {
        let row = &state.rows[record];
        let mut log = self.log.lock().unwrap();
        if self.read_only.contains(&record.record_type.name) {
            log.break_rule(format!("E9: {record} must not be written and is deleted"));
        }
        if self.deletes_win || log.is_judged(record) {
            log.deleted(&row.values);
            return;
        }
        for (property, value) in &row.values {
            let text = plain(value);
            let unseen = row.edited.get(property).is_some_and(|at| *at > request.seen);
            if unseen && !self.nature.conditional {
                log.raced(value, &Value::Blank);
                continue;
            }
            // What the deleted counterpart may not know is kept in the history; all know these.
            let shared = property.eq_ignore_ascii_case("description");
            if unseen {
                log.break_rule(format!(
                    "E2: {record} is deleted with {text:?}, which was not seen"
                ));
            } else if shared && !log.may_go(&text) {
                log.say(|| format!("    {text:?} of {record} goes with it"));
                log.endangered(&text, record);
            }
        }
    }
}

/// A refusal in the system's words.
pub fn refusal(kind: RefusalKind, properties: &[&str]) -> Refusal {
    Refusal {
        kind,
        properties: properties.iter().map(|name| (*name).to_owned()).collect(),
        message: format!("refused: {kind:?}"),
        advice: "mend it".to_owned(),
    }
}

/// An outcome in a word.
pub fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Applied { id, .. } => format!("applied to {id}"),
        Outcome::Refused(refusal) => format!("refused {:?} {:?}", refusal.kind, refusal.properties),
        other => format!("{other:?}"),
    }
}
