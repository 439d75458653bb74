//! What people at Tandem's own desk do: they answer what waits for them, between two rounds and in the middle of one.

use super::dice::Dice;
use super::log::{Log, plain};
use super::system::{Row, System};
use crate::flows::CRM;
use futures::future::BoxFuture;
use std::sync::{Arc, Mutex};
use tandem_engine::{Choice, Engine, Request};
use tandem_ledger::{Item, LinkRow};
use tandem_merge::cluster::{ParkedKind, Verdict};
use tandem_merge::dataflow::{Dataflow, Mapping, Side};
use tandem_merge::record::RecordKey;

/// Somebody at the desk.
#[derive(Clone)]
pub struct Desk {
    pub systems: [Arc<System>; 2],
    pub flows: Dataflow,
    pub log: Arc<Mutex<Log>>,
    pub dice: Arc<Mutex<Dice>>,
    /// A system forgets what was deleted.
    pub forgets: bool,
    /// What is asked was decided with all that was seen.
    pub at_rest: bool,
}

impl Desk {
    fn below(&self, count: usize) -> usize {
        self.dice.lock().unwrap().below(count)
    }

    fn one_in(&self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn pick<T: Clone>(&self, all: &[T]) -> T {
        self.dice.lock().unwrap().of(all)
    }

    fn say(&self, what: impl FnOnce() -> String) {
        let now = self.systems[0].now();
        self.log.lock().unwrap().say(|| format!("{now}  {}", what()));
    }

    /// Something that somebody asks for while a round goes on.
    pub fn request(&self) -> Request {
        let desk = self.clone();
        Box::new(move |engine| desk.act(engine))
    }

    fn act(self, engine: &mut Engine) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.say(|| "-- somebody comes to the desk --".to_owned());
            match self.below(5) {
                0 => self.pause(engine),
                1 => self.resume(engine),
                2 => self.retry(engine),
                _ => {
                    if self.one_in(2) {
                        let items = engine.store().items(0, 100).unwrap();
                        let numbers: Vec<u64> = items.iter().map(|item| item.number).collect();
                        drop(engine.read_contenders(&numbers).await);
                    }
                    drop(self.answer(engine));
                }
            }
        })
    }

    fn pause(&self, engine: &mut Engine) {
        let flow = self.pick(&self.flows.flows).name;
        // It may rest already.
        let paused = engine.pause(&flow).is_ok();
        self.say(|| format!("person pauses {flow}: {paused}"));
    }

    /// Lets every flow go on that rests because somebody said so.
    pub fn resume(&self, engine: &mut Engine) {
        for flow in &self.flows.flows {
            if engine.resume(&flow.name).is_ok() {
                self.say(|| format!("person resumes {}", flow.name));
            }
        }
    }

    fn retry(&self, engine: &mut Engine) {
        let items = engine.store().items(0, 100).unwrap();
        let parked: Vec<RecordKey> = items.into_iter().map(|item| item.record).collect();
        if !parked.is_empty() {
            let record = self.pick(&parked);
            self.log.lock().unwrap().tried_anew();
            let retried = engine.retry(&record).is_ok();
            self.say(|| format!("person tries {record} again: {retried}"));
        }
    }

    /// People answer what waits for them. Whether anything did.
    pub fn answer(&self, engine: &mut Engine) -> Result<bool, String> {
        let items = engine.store().items(0, 100).map_err(|error| error.to_string())?;
        let mut any = false;
        for item in items {
            let answered = match item.kind {
                None => self.resolve(engine, &item),
                Some(ParkedKind::Approval | ParkedKind::DeleteConflict) => {
                    if self.at_rest {
                        self.weigh_question(engine, &item);
                    }
                    self.approve(engine, &item)
                }
                Some(ParkedKind::OutOfSight) if self.gives_up(&item) => self.approve(engine, &item),
                _ => continue,
            };
            // An answer to something that has changed is refused.
            any |= answered.is_ok();
        }
        Ok(any)
    }

    /// A person decides about a link whose end left no trace; at rest nobody does, so that it must be told.
    fn gives_up(&self, item: &Item) -> bool {
        let at_work = *self.systems[0].faults.lock().unwrap();
        item.property.is_none() && self.forgets && at_work && self.one_in(2)
    }

    fn resolve(&self, engine: &mut Engine, item: &Item) -> Result<(), tandem_engine::Error> {
        let choices = item.contenders.len();
        let (name, value) = item.contenders[self.below(choices)].clone();
        let mut rows = self.systems.iter().flat_map(|system| {
            let state = system.state.lock().unwrap();
            let alive = state.rows.iter().filter(|(_, row)| row.alive);
            alive.map(|(key, _)| key.clone()).collect::<Vec<_>>()
        });
        let record = rows.find(|key| name.starts_with(&format!("{key} ")));
        let choice = match record {
            Some(record) if !self.one_in(4) => Choice::Record(record),
            None => Choice::Head,
            Some(_) => {
                self.log.lock().unwrap().chosen(&value);
                Choice::Value(value)
            }
        };
        let outcome = engine.resolve(item.number, &choice);
        self.say(|| {
            format!(
                "person answers {name}: {choice:?}: {:?}",
                outcome.as_ref().map_err(ToString::to_string)
            )
        });
        outcome
    }

    fn approve(&self, engine: &mut Engine, item: &Item) -> Result<(), tandem_engine::Error> {
        let verdicts = [
            Verdict::Unlink,
            Verdict::Recreate,
            Verdict::Propagate,
            Verdict::Deactivate,
        ];
        let verdict = self.pick(&verdicts);
        self.judge(engine, item, verdict == Verdict::Recreate);
        self.log.lock().unwrap().tried_anew();
        let outcome = engine.approve(item.number, Some(verdict));
        self.say(|| {
            format!(
                "person decides {verdict:?} about {}: {:?}",
                item.record,
                outcome.as_ref().map_err(ToString::to_string)
            )
        });
        outcome
    }

    /// Both ends of the links of an item's record are a person's affair from now on. Who says that one is to be created
    /// again says it of their earlier counterparts too.
    fn judge(&self, engine: &mut Engine, item: &Item, recreated: bool) {
        let links = engine.store().links(None, 0, 1_000).unwrap();
        let of_item = |link: &&LinkRow| link.first == item.record || link.second == item.record;
        let ends: Vec<&RecordKey> = links
            .iter()
            .filter(of_item)
            .flat_map(|link| [&link.first, &link.second])
            .collect();
        let former = self.systems.iter().flat_map(|system| {
            let state = system.state.lock().unwrap();
            let gone = state.rows.iter().filter(|(_, row)| recreated && !row.alive);
            let of_ends = gone.filter(|(key, row)| ends.iter().any(|end| row.is_marked_as_of(key, end)));
            of_ends.map(|(key, _)| key.clone()).collect::<Vec<_>>()
        });
        let former: Vec<RecordKey> = former.collect();
        let mut log = self.log.lock().unwrap();
        ends.into_iter().chain(&former).for_each(|key| log.judged(key));
    }

    /// E18: nobody is asked about an edit of what Tandem put out of use, unless somebody touched it since, or what was
    /// typed before had not reached the deleted counterpart.
    fn weigh_question(&self, engine: &mut Engine, item: &Item) {
        if item.kind != Some(ParkedKind::DeleteConflict) {
            return;
        }
        let key = &item.record;
        let links = engine.store().links(item.flow.as_deref(), 0, 1_000).unwrap();
        let counterpart = links.iter().find_map(|link| match key {
            key if key == &link.first => Some((Side::First, &link.second)),
            key if key == &link.second => Some((Side::Second, &link.first)),
            _ => None,
        });
        let flow = item.flow.as_deref().and_then(|name| self.flows.flow(name));
        let (Some((side, lost)), Some(flow)) = (counterpart, flow) else {
            return;
        };
        let row = |key: &RecordKey| {
            let state = self.systems[usize::from(key.record_type.system == CRM)]
                .state
                .lock()
                .unwrap();
            state.rows.get(key).cloned()
        };
        let (Some(own), Some(lost)) = (row(key), row(lost)) else {
            return;
        };
        let edited = own.edited.values().max().copied().unwrap_or_default();
        let holds = |row: &Row, property: &str| row.values.get(property).map(plain).unwrap_or_default();
        let arrived = |mapping: &Mapping| {
            let property = mapping.property(side);
            !mapping.travels_to(side.other())
                || !own.edited.contains_key(property)
                || holds(&own, property) == holds(&lost, mapping.property(side.other()))
        };
        if own.fate.put_out.is_some_and(|at| at > edited) && flow.mappings.iter().all(arrived) {
            let what = format!(
                "E18: {key} was put out of use by Tandem and touched by nobody since, and its edit is asked about"
            );
            self.log.lock().unwrap().break_rule(what);
        }
    }
}
