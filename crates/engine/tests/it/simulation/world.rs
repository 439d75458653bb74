//! Two systems, the people who work in them, and what is kept between two processes of Tandem.

use super::clock::Time;
use super::desk::Desk;
use super::dice::Dice;
use super::log::Log;
use super::quirks::{self, Quirk, Quirks};
use super::setting::{Setting, editable, key_property};
use super::system::System;
use crate::flows::{CRM, ERP};
use jiff::SignedDuration;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use tandem_connector::Connector;
use tandem_engine::{Clock, Engine, Happening, Parts, Request, Watcher};
use tandem_ledger::{Home, Keys, Ledger, MemoryStore, Server, Store};
use tandem_merge::dataflow::{DeleteAgainstEdit, DeletePolicy};
use tandem_merge::record::{RecordKey, RecordType, Values};
use tandem_merge::value::Value;
use tempfile::TempDir;
use tokio::sync::mpsc;

/// A home on disk: on the server that `TANDEM_POSTGRES` names, else in the folder beside it.
fn home() -> (Home, TempDir) {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let folder = crate::world::folder();
    #[allow(clippy::disallowed_methods, reason = "where the tests have a server")]
    let Ok(connection) = std::env::var("TANDEM_POSTGRES") else {
        return (Home::Folder(folder.path().to_owned()), folder);
    };
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let schema = format!("s{}_{number}", std::process::id());
    (Home::Server(Server::new(&connection, &schema).unwrap()), folder)
}

pub struct World {
    pub setting: Setting,
    pub quirks: Quirks,
    pub dice: Arc<Mutex<Dice>>,
    pub time: Arc<Time>,
    pub log: Arc<Mutex<Log>>,
    pub systems: [Arc<System>; 2],
    /// The state between two processes; none while one has it.
    pub kept: Option<Box<dyn Store>>,
    /// Who answers between two rounds.
    pub desk: Desk,
    /// Who comes while a round goes on, and the way to the process; none in schedules in which nobody does.
    pub visitors: Option<(Desk, mpsc::Sender<Request>)>,
    home: Option<(Home, TempDir)>,
    edits: u32,
}

/// Hears of the history as it is stored.
struct Ear(Arc<Mutex<Log>>, Arc<Time>);

impl Watcher for Ear {
    fn happened(&self, what: &Happening<'_>) {
        let mut log = self.0.lock().unwrap();
        match what {
            Happening::Decided { event } => log.filed(event),
            Happening::RoundBegan { round } => {
                log.say(|| format!("{}  round {round}", self.1.now()));
            }
            Happening::Trouble { error } => log.say(|| format!("    trouble: {error}")),
            Happening::Waiting { until, why } => log.say(|| format!("    waits until {until}: {why}")),
            _ => {}
        }
    }
}

impl World {
    pub fn new(seed: u64, traced: bool) -> Self {
        let mut dice = Dice::new(seed);
        let quirks = Quirks::draw(seed);
        let setting = Setting::draw(&mut dice, &quirks);
        let dice = Arc::new(Mutex::new(dice));
        let time = Arc::new(Time::new());
        let log = Arc::new(Mutex::new(Log::new(traced)));
        log.lock().unwrap().rewrites = setting.natures.iter().any(|nature| nature.shouts.is_some());
        log.lock().unwrap().say(|| setting.words.clone());
        let system = |index: usize, name: &str| {
            let nature = setting.natures[index].clone();
            let mut system = System::new(name, nature, &time, &log, &dice);
            system.quirks = quirks.of(index).clone();
            system.moods = Mutex::new(quirks::dice(seed.wrapping_add(1 + index as u64)));
            let ends = setting.flows.flows.iter().flat_map(|flow| &flow.ends);
            let against = setting.flows.flows[0].delete_against_edit;
            system.recreates = against == DeleteAgainstEdit::EditWins
                || ends.clone().any(|end| end.on_delete == DeletePolicy::Recreate);
            system.deletes_win = against == DeleteAgainstEdit::DeleteWins;
            let closed = ends.filter(|end| end.record_type.system == name && !end.write);
            system.read_only = closed.map(|end| end.record_type.name.clone()).collect();
            Arc::new(system)
        };
        let systems = [system(0, ERP), system(1, CRM)];
        let home = setting.on_disk.then(home);
        let desk = Desk {
            systems: systems.clone(),
            flows: setting.flows.clone(),
            log: Arc::clone(&log),
            dice: Arc::clone(&dice),
            forgets: quirks.any(Quirk::Forgets),
            at_rest: true,
        };
        // Nobody draws from the schedule's own dice here: the others stay what they are.
        let visits = quirks::dice(seed.wrapping_mul(31));
        let visitor = Desk {
            dice: Arc::new(Mutex::new(visits)),
            at_rest: false,
            ..desk.clone()
        };
        let visitors = seed.is_multiple_of(3).then(|| (visitor, mpsc::channel(1).0));
        let mut world = Self {
            setting,
            quirks,
            dice,
            time,
            log,
            systems,
            kept: Some(Box::new(MemoryStore::new("sim"))),
            desk,
            visitors,
            home,
            edits: 0,
        };
        world.reopen();
        world.populate();
        world
    }

    /// A process whose state is on disk opens it anew.
    pub fn reopen(&mut self) {
        if let Some((home, _)) = &self.home {
            drop(self.kept.take());
            self.kept = Some(Box::new(Ledger::open_at(home, &Keys::default()).unwrap()));
        }
    }

    pub fn parts(&mut self) -> Parts {
        Parts {
            flows: self.setting.flows.clone(),
            store: self.kept.take().unwrap(),
            systems: [
                Arc::clone(&self.systems[0]) as Arc<dyn Connector>,
                Arc::clone(&self.systems[1]) as Arc<dyn Connector>,
            ],
            clock: Arc::clone(&self.time) as _,
            watcher: Arc::new(Ear(Arc::clone(&self.log), Arc::clone(&self.time))),
            described: None,
        }
    }

    /// What the two systems describe before a process begins, where it looks at all.
    pub fn described(&self) -> [tandem_connector::Schema; 2] {
        self.systems.each_ref().map(|system| {
            let mut state = system.state.lock().unwrap();
            state.described_without = state.hidden.clone();
            system.schema(&state)
        })
    }

    pub fn below(&self, count: usize) -> usize {
        self.dice.lock().unwrap().below(count)
    }

    pub fn one_in(&self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub fn pick<T: Clone>(&self, all: &[T]) -> T {
        self.dice.lock().unwrap().of(all)
    }

    pub fn say(&self, what: impl FnOnce() -> String) {
        let now = self.time.now();
        self.log.lock().unwrap().say(|| format!("{now}  {}", what()));
    }

    pub fn system(&self, of: &RecordType) -> &Arc<System> {
        &self.systems[usize::from(of.system == CRM)]
    }

    /// The record types that people work with.
    pub fn types(&self) -> Vec<RecordType> {
        let systems = self.setting.flows.systems.iter();
        systems
            .flat_map(|system| self.setting.flows.types_of(system))
            .collect()
    }

    fn populate(&mut self) {
        for of in self.types() {
            if self.below(3) > 0 || (of.system == ERP && of.name == "Order") {
                self.make(&of, "1");
            }
        }
        if self.one_in(3) {
            self.make(&RecordType::new(ERP, "Order"), "2");
        }
        if self.quirks.any(Quirk::Blanks) {
            self.people_refer();
        }
    }

    pub fn alive(&self, of: Option<&RecordType>) -> Vec<RecordKey> {
        let mut found = Vec::new();
        for system in &self.systems {
            let state = system.state.lock().unwrap();
            let rows = state.rows.iter().filter(|(key, row)| {
                row.alive && key.record_type.name != "Account" && of.is_none_or(|of| &key.record_type == of)
            });
            found.extend(rows.map(|(key, _)| key.clone()));
        }
        found
    }

    /// One thing that people do.
    pub fn people(&mut self) {
        let people = self.setting.people;
        match self.below(20) {
            0 | 1 if people.creates => self.people_make(),
            2 if people.deletes => self.people_delete(),
            3 if people.hides => self.hide_or_show(),
            4 if people.creates => self.people_refer(),
            5 | 6 if self.quirks.any(Quirk::Blanks) => self.people_refer(),
            7 if self.quirks.any(Quirk::Blanks) => self.people_delete_one_named(),
            7 if people.deletes && self.has_deletions() => self.people_delete(),
            _ => self.people_edit(),
        }
    }

    fn people_make(&mut self) {
        if self.alive(None).len() < 7 {
            let of = self.pick(&self.types());
            let number = if self.one_in(4) { "2" } else { "1" };
            self.make(&of, number);
        }
    }

    fn make(&mut self, of: &RecordType, number: &str) {
        let values = Values::from([(key_property(of).to_owned(), Value::from(number))]);
        let system = Arc::clone(self.system(of));
        let key = system.insert(&mut system.state.lock().unwrap(), of, values, false);
        self.say(|| format!("person creates {key} with the key {number}"));
        self.edit(&key, editable(of)[0]);
    }

    /// A habit is about deletions: there are more of them.
    fn has_deletions(&self) -> bool {
        let all = [Quirk::PutsOut, Quirk::Forgets, Quirk::KeepsAll];
        all.into_iter().any(|quirk| self.quirks.any(quirk))
    }

    fn people_delete(&mut self) {
        self.delete_one_of(&self.alive(None));
    }

    /// A record is deleted that others may name.
    fn people_delete_one_named(&mut self) {
        let mut keys = self.alive(Some(&RecordType::new(ERP, "Customer")));
        keys.extend(self.alive(Some(&RecordType::new(CRM, "Division"))));
        self.delete_one_of(&keys);
    }

    fn delete_one_of(&self, keys: &[RecordKey]) {
        if keys.is_empty() {
            return;
        }
        let key = self.pick(keys);
        let system = self.system(&key.record_type);
        let purged = system.forgets();
        let how = if purged { ", without a trace" } else { "" };
        self.say(|| format!("person deletes {key}{how}"));
        let mut state = system.state.lock().unwrap();
        self.log.lock().unwrap().deleted(&state.rows[&key].values);
        system.remove(&mut state, &key, true);
        state.rows.get_mut(&key).unwrap().purged = purged;
    }

    /// A reference to a customer is set.
    fn people_refer(&mut self) {
        let customers = self.alive(Some(&RecordType::new(ERP, "Customer")));
        let orders = self.alive(Some(&RecordType::new(ERP, "Order")));
        if customers.is_empty() || orders.is_empty() {
            return self.people_edit();
        }
        let (customer, order) = (self.pick(&customers), self.pick(&orders));
        let values = Values::from([("customer".to_owned(), Value::Text(customer.id.clone()))]);
        let system = self.system(&order.record_type);
        let mut state = system.state.lock().unwrap();
        let row = &state.rows[&order];
        if row.may_be_filling_in(system.now()) || row.is_undecided() {
            return;
        }
        self.log.lock().unwrap().edited_beside(&row.fate.dropped);
        self.say(|| format!("person makes {order} refer to {customer}"));
        system.change(&mut state, &order, values, system.now());
        state.rows.get_mut(&order).unwrap().fate.pointed += 1;
    }

    fn hide_or_show(&mut self) {
        let system = &self.systems[self.below(2)];
        let mut state = system.state.lock().unwrap();
        let places = [
            ("Order", "title"),
            ("Invoice", "Due"),
            ("Order", "Name"),
            ("Order", "due"),
        ];
        if state.hidden.pop_first().is_none() {
            let (kind, property) = self.pick(&places);
            state.hidden.insert((kind.to_owned(), property.to_owned()));
        }
        let hidden = state.hidden.clone();
        drop(state);
        self.say(|| format!("{} hides {hidden:?}", system.name));
    }

    fn people_edit(&mut self) {
        let keys = self.alive(None);
        if !keys.is_empty() {
            let key = self.pick(&keys);
            let property = self.pick(editable(&key.record_type));
            self.edit(&key, property);
        }
    }

    fn edit(&mut self, key: &RecordKey, property: &str) {
        let system = Arc::clone(self.system(&key.record_type));
        let mut state = system.state.lock().unwrap();
        let row = &state.rows[key];
        if row.may_be_filling_in(system.now()) {
            return;
        }
        if row.is_undecided() {
            return;
        }
        self.log.lock().unwrap().edited_beside(&row.fate.dropped);
        let hidden = state
            .hidden
            .contains(&(key.record_type.name.clone(), property.to_owned()));
        if hidden {
            return;
        }
        let old = row.values.get(property).cloned();
        let text = self.text(old.as_ref());
        let mut at = system.now();
        let veiled = row.veils.iter().any(|(until, _)| *until > self.time.now());
        if system.nature.late && self.one_in(8) && !veiled {
            // A long transaction: its stamp is from when it began.
            let before = SignedDuration::from_millis(self.dice.lock().unwrap().millis(50_000));
            let begun = at.checked_sub(before).unwrap();
            let free = row
                .modified
                .max(row.created)
                .checked_add(SignedDuration::from_secs(1))
                .unwrap();
            if begun > free {
                at = begun;
            }
        }
        let stamp = at;
        system.change(
            &mut state,
            key,
            Values::from([(property.to_owned(), Value::text(text.clone()))]),
            at,
        );
        let place = self.log.lock().unwrap().tick();
        state
            .rows
            .get_mut(key)
            .unwrap()
            .edited
            .insert(property.to_owned(), place);
        self.log.lock().unwrap().edited(old.as_ref(), &text);
        drop(state);
        self.say(|| format!("person sets {property} of {key} to {text:?}, stamped {stamp}"));
    }

    /// What a person types: nearly always something new.
    fn text(&mut self, old: Option<&Value>) -> String {
        match self.below(40) {
            0 => String::new(),
            1 => format!("e{}", self.below(usize::try_from(self.edits).unwrap() + 1)),
            2 if old.is_some_and(|old| !old.is_blank()) => format!("{} ", old.unwrap()),
            n => {
                self.edits += 1;
                let space = if n < 8 { " " } else { "" };
                format!("e{}{space}", self.edits)
            }
        }
    }

    /// A system is away for a moment.
    pub fn outage(&self) {
        let system = &self.systems[self.below(2)];
        let millis = self.dice.lock().unwrap().millis(4_000);
        let until = self
            .time
            .now()
            .checked_add(SignedDuration::from_millis(millis))
            .unwrap();
        system.state.lock().unwrap().down_until = Some(until);
        self.say(|| format!("{} is down until {until}", system.name));
    }

    pub fn set_faults(&self, on: bool) {
        for system in &self.systems {
            *system.faults.lock().unwrap() = on;
            let mut state = system.state.lock().unwrap();
            if !on {
                state.down_until = None;
                state.hidden.clear();
            }
        }
    }

    pub fn rows_read(&self) -> u64 {
        self.systems
            .iter()
            .map(|system| system.state.lock().unwrap().rows_read)
            .sum()
    }
}

/// Whether an engine's store keeps a text in its history, in any form that a system gave it.
pub fn history_keeps(engine: &mut Engine, text: &str) -> bool {
    let lines = engine.store().history(None, 0, 100_000).unwrap();
    let lines = format!("{lines:?}").to_lowercase();
    let forms = ["", " ", "'", " '"].map(|habit| format!("\"{text}{habit}\""));
    forms.iter().any(|form| lines.contains(form))
}
