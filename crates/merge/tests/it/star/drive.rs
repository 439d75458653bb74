//! Random schedules: what people, the network and the engine do, one choice after the other; then rest.

use super::Choices;
use super::engine::{Air, Engine};
use super::flows::{Policies, star};
use super::oracle::Oracle;
use super::systems::Systems;
use std::collections::BTreeSet;
use tandem_merge::cluster::{Action, ParkedKind, Verdict};
use tandem_merge::dataflow::{ConflictPolicy, DeleteAgainstEdit, DeletePolicy, Side};
use tandem_merge::record::{RecordKey, RecordType, Values};
use tandem_merge::value::Value;

/// A world under a schedule.
pub(crate) struct World {
    pub(crate) choices: Choices,
    pub(crate) systems: Systems,
    pub(crate) engine: Engine,
    pub(crate) oracle: Oracle,
    pub(crate) edits: u32,
    by_hand: BTreeSet<RecordKey>,
    pub(crate) trace: Vec<String>,
}

/// Which of the star's properties people edit, by record type.
fn editable(of: &RecordType) -> &'static [&'static str] {
    match (of.system.as_str(), of.name.as_str()) {
        ("erp", _) => &["description", "description", "due", "note"],
        (_, "Invoice") => &["Description", "Description", "Due"],
        _ => &["Description"],
    }
}

fn policies(choices: &mut Choices) -> Policies {
    let conflict = [
        ConflictPolicy::Latest,
        ConflictPolicy::Wins(Side::First),
        ConflictPolicy::Wins(Side::Second),
        ConflictPolicy::Ask,
    ];
    let on_delete = [
        DeletePolicy::Ask,
        DeletePolicy::Propagate,
        DeletePolicy::Unlink,
        DeletePolicy::Recreate,
    ];
    let against = [DeleteAgainstEdit::Ask, DeleteAgainstEdit::EditWins];
    Policies {
        conflict: choices.of(&conflict),
        reverse: choices.one_in(2),
        on_delete: [choices.of(&on_delete), choices.of(&on_delete)],
        against_edit: choices.of(&against),
        short: choices.one_in(4).then_some(3),
    }
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut choices = Choices::new(seed);
        let policies = policies(&mut choices);
        let refuses = choices.one_in(3).then_some(2);
        let systems = Systems {
            clock: 10,
            refuses,
            ..Systems::default()
        };
        let trace = vec![format!("{policies:?} refuses {refuses:?}")];
        let engine = Engine::new(star(policies));
        let mut world = Self {
            choices,
            systems,
            engine,
            oracle: Oracle::default(),
            edits: 0,
            by_hand: BTreeSet::new(),
            trace,
        };
        for of in [("erp", "Order"), ("sf", "Invoice"), ("sf", "Order")] {
            if world.choices.below(3) > 0 {
                world.create(&RecordType::new(of.0, of.1), "1");
            }
        }
        world
    }

    fn say(&mut self, what: String) {
        self.trace.push(format!("{:>3} {what}", self.systems.clock));
    }

    fn create(&mut self, of: &RecordType, number: &str) {
        let name = match (of.system.as_str(), of.name.as_str()) {
            ("erp", _) => "number",
            (_, "Invoice") => "Number",
            _ => "Reference",
        };
        let values = Values::from([(name.to_owned(), Value::from(number))]);
        let key = self.systems.insert(of, values);
        self.by_hand.insert(key.clone());
        self.say(format!("person creates {key} number {number}"));
        self.edit(&key, editable(of)[0]);
    }

    fn edit(&mut self, key: &RecordKey, property: &str) {
        // Within the resolution of its times nobody can tell an edit of a new record from what its system filled in.
        let row = &self.systems.rows[key];
        if row.version > 0
            && row.version < 2
            && row.modified == self.systems.stamp(key)
            && self.engine_made(key)
        {
            return;
        }
        self.edits += 1;
        let space = if self.choices.one_in(6) { " " } else { "" };
        let value = format!("e{}{space}", self.edits);
        self.say(format!("person sets {key} {property} := {value:?}"));
        let row = self.systems.rows.get_mut(key).unwrap();
        let old = row
            .values
            .insert(property.to_owned(), Value::from(value.as_str()));
        self.oracle.edited(old.as_ref(), &value);
        self.systems.touch(key);
    }

    fn engine_made(&self, key: &RecordKey) -> bool {
        !self.by_hand.contains(key)
    }

    /// One step of the schedule.
    pub(crate) fn step(&mut self) {
        self.systems.clock += i64::try_from(self.choices.below(3)).unwrap();
        match self.choices.below(32) {
            0..=6 => self.people_edit(),
            7 => self.people_create_or_delete(),
            8..=11 => {
                let side = self.choices.below(2);
                self.say(format!("poll {side}"));
                self.engine.poll(&self.systems, side);
            }
            12..=16 => self.deliver(true),
            17..=22 => {
                let one = self.choices.below(8);
                if self.engine.reconcile(&self.systems, Some(one)) {
                    self.say(format!("reconcile one: {}", self.summary()));
                }
            }
            23..=27 => self.send(),
            28 => self.recover(),
            29 => {
                self.say("crash".to_owned());
                self.engine.crash();
            }
            30 => self.answer_questions(),
            _ => self.answer_removals(),
        }
    }

    fn people_edit(&mut self) {
        let alive: Vec<RecordKey> = self
            .systems
            .rows
            .iter()
            .filter(|(_, row)| row.alive)
            .map(|(key, _)| key.clone())
            .collect();
        if alive.is_empty() {
            return;
        }
        let key = alive[self.choices.below(alive.len())].clone();
        let property = self.choices.of(editable(&key.record_type));
        self.edit(&key, property);
    }

    fn people_create_or_delete(&mut self) {
        let keys: Vec<RecordKey> = self
            .systems
            .rows
            .iter()
            .filter(|(_, row)| row.alive)
            .map(|(key, _)| key.clone())
            .collect();
        if self.choices.one_in(2) && !keys.is_empty() {
            let key = keys[self.choices.below(keys.len())].clone();
            self.say(format!("person deletes {key}"));
            let row = self.systems.rows.get_mut(&key).unwrap();
            row.alive = false;
            self.oracle.deleted(&row.values);
            self.systems.touch(&key);
        } else if keys.len() < 6 {
            let of = self
                .choices
                .of(&[("erp", "Order"), ("sf", "Invoice"), ("sf", "Order")]);
            let number = if self.choices.one_in(4) { "2" } else { "1" };
            self.create(&RecordType::new(of.0, of.1), number);
        }
    }

    /// Something in the air arrives, in any order, or is lost.
    fn deliver(&mut self, faults: bool) {
        if self.engine.air.is_empty() {
            return;
        }
        let index = if faults {
            self.choices.below(self.engine.air.len())
        } else {
            0
        };
        match self.engine.air.remove(index) {
            Air::Page(page) => {
                if !page.is_empty() {
                    self.say(format!("page of {} arrives", page.len()));
                }
                self.engine.commit(&self.systems, page);
            }
            Air::Request(intent) => {
                let fate = if faults { self.choices.below(10) } else { 9 };
                if fate == 0 {
                    return self.say(format!("request {} is lost", intent.id));
                }
                if fate == 1 {
                    self.say(format!("request {} is late", intent.id));
                    return self.engine.air.push(Air::Late(intent));
                }
                self.oracle.about_to(&self.systems, &self.engine, &intent);
                let answer = self.systems.carry_out(&intent);
                self.say(format!("request {} {:?}: {answer:?}", intent.id, intent.values));
                if fate != 2 {
                    self.engine.air.push(Air::Answer(intent.id, answer));
                }
            }
            Air::Late(intent) => {
                // A late create of something that was there before: the recycle bin knows its external id.
                let again = match &intent.action {
                    Action::Create {
                        target,
                        identity: Some((property, value)),
                        ..
                    } => self.systems.find_identity(target, property, value).is_some(),
                    _ => false,
                };
                if !again {
                    self.oracle.about_to(&self.systems, &self.engine, &intent);
                    let answer = self.systems.carry_out(&intent);
                    self.say(format!("late request {}: {answer:?}", intent.id));
                }
            }
            Air::Answer(id, answer) => {
                self.engine.answered(&self.systems, id, answer);
                self.say(format!("answer {id} settled: {}", self.summary()));
            }
        }
    }

    fn send(&mut self) {
        let unsent: Vec<_> = self
            .engine
            .intents()
            .into_iter()
            .filter(|intent| intent.sent.is_none())
            .collect();
        if !unsent.is_empty() {
            let intent = &unsent[self.choices.below(unsent.len())];
            self.engine.send(&self.systems, intent);
            self.say(format!(
                "send {} {:?} {:?}",
                intent.id, intent.action, intent.values
            ));
        }
    }

    fn recover(&mut self) {
        let unknown = self.engine.unknown();
        if !unknown.is_empty() {
            let intent = &unknown[self.choices.below(unknown.len())];
            self.engine.recover(&self.systems, intent);
            self.say(format!("recover {}: {}", intent.id, self.summary()));
        }
    }

    fn answer_questions(&mut self) {
        if self.engine.cluster.questions.is_empty() {
            return;
        }
        let at = self.choices.below(self.engine.cluster.questions.len());
        let question = &mut self.engine.cluster.questions[at];
        let chosen = self.choices.below(question.contenders.len());
        let value = question.contenders[chosen].value.to_string();
        question.answer = Some(Value::text(value.trim()));
        self.say(format!("person answers {value:?}"));
        self.engine.decide(&self.systems, Vec::new(), Vec::new());
    }

    fn answer_removals(&mut self) {
        let engine = &self.engine;
        let waits = |key: &RecordKey, flow: &str| {
            let held = engine
                .cluster
                .records
                .get(key)
                .and_then(|record| record.held.get(flow));
            held.is_some_and(|parked| {
                matches!(parked.kind, ParkedKind::Approval | ParkedKind::DeleteConflict)
            })
        };
        let open = engine.cluster.links.iter().position(|link| {
            link.verdict.is_none() && (waits(&link.first, &link.flow) || waits(&link.second, &link.flow))
        });
        let Some(open) = open else { return };
        let verdict = self
            .choices
            .of(&[Verdict::Unlink, Verdict::Recreate, Verdict::Propagate]);
        let link = &mut self.engine.cluster.links[open];
        link.verdict = Some(verdict);
        let ends = [link.first.clone(), link.second.clone()];
        self.oracle.judged(&ends);
        self.say(format!("person decides {verdict:?}"));
        self.engine.decide(&self.systems, Vec::new(), Vec::new());
    }

    /// No more edits and no more faults: until nothing moves.
    pub(crate) fn rest(&mut self) -> Result<(), String> {
        self.say("-- rest --".to_owned());
        let before = self.systems.writes;
        for _ in 0..60 {
            let (writes, known) = (self.systems.writes, self.engine.cluster.clone());
            self.round();
            let still =
                self.systems.writes == writes && self.engine.air.is_empty() && self.engine.inbox.is_empty();
            if still && self.engine.cluster == known && self.engine.intents().is_empty() {
                let due = self.systems.writes - before;
                return if due < 60 {
                    Ok(())
                } else {
                    Err(format!("E13: {due} writes without an edit"))
                };
            }
        }
        Err(format!("E8: does not come to rest: {:?}", self.engine.intents()))
    }

    fn round(&mut self) {
        self.systems.clock += 5;
        for _ in 0..100 {
            if self.engine.air.is_empty() {
                break;
            }
            self.deliver(false);
        }
        for intent in self.engine.unknown() {
            self.engine.recover(&self.systems, &intent);
        }
        for side in 0..2 {
            self.engine.listed.insert(side);
            self.engine.poll(&self.systems, side);
            while !self.engine.air.is_empty() {
                self.deliver(false);
            }
        }
        while self.engine.reconcile(&self.systems, None) {}
        self.engine.confirm(&self.systems);
        self.say(format!("round: {}", self.summary()));
        self.answer_questions();
        self.answer_removals();
        let unsent: Vec<_> = self
            .engine
            .intents()
            .into_iter()
            .filter(|intent| intent.sent.is_none())
            .collect();
        for intent in unsent {
            let current = self
                .engine
                .intents()
                .into_iter()
                .find(|open| open.id == intent.id && open.sent.is_none());
            if let Some(intent) = current {
                self.say(format!(
                    "send {} {:?} {:?}",
                    intent.id, intent.action, intent.values
                ));
                self.engine.send(&self.systems, &intent);
                while !self.engine.air.is_empty() {
                    self.deliver(false);
                }
            }
        }
    }

    fn summary(&self) -> String {
        let cluster = &self.engine.cluster;
        let heads: Vec<String> = cluster
            .heads
            .iter()
            .map(|(at, head)| {
                format!(
                    "{}.{}={:?}@{}",
                    at.record.id,
                    at.property,
                    head.value.to_string(),
                    head.epoch
                )
            })
            .collect();
        let links: Vec<String> = cluster
            .links
            .iter()
            .map(|link| format!("{}-{}", link.first.id, link.second.id))
            .collect();
        let intents: Vec<u64> = self.engine.intents().iter().map(|intent| intent.id).collect();
        format!("links {links:?} heads {heads:?} intents {intents:?}")
    }
}
