//! Storing plans in the model.

use super::books::{Books, Entry};
use crate::commit::smallest_linked;
use crate::constraint;
use crate::contract::{CommitReport, Decided, Taken};
use crate::guards::is_news;
use crate::item;
use crate::load::writes_record;
use crate::outbox::{slot, subject};
use crate::tally;
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::cluster::{Action, Companion, Intent, Record};
use tandem_merge::dataflow::Dataflow;
use tandem_merge::mutation::{Mutation, removed};
use tandem_merge::plan::Plan;
use tandem_merge::record::RecordKey;

/// Stores plans; one that breaks a constraint leaves everything as it was.
pub(super) fn plans(books: &mut Books, flows: &Dataflow, plans: &[Decided]) -> CommitReport {
    let mut report = CommitReport::default();
    for decided in plans {
        let mut next = books.clone();
        let stored = store(&mut next, flows, &decided.plan, &decided.token);
        match stored.and_then(|()| next.check_unique()) {
            Ok(()) => {
                *books = next;
                report.stored += 1;
            }
            Err(why) => report.put_back.push(why.to_owned()),
        }
    }
    report
}

type Stored = Result<(), &'static str>;

fn store(books: &mut Books, flows: &Dataflow, plan: &Plan, token: &Taken) -> Stored {
    let mut touched = books.taken(token)?;
    for key in plan.cluster.records.keys() {
        if !touched.contains(key) {
            books.welcome(flows, key)?;
            touched.insert(key.clone());
        }
    }
    let anchors = plan.cluster.heads.keys();
    let asked = plan.cluster.questions.iter().map(|question| &question.anchor);
    for anchor in anchors.chain(asked) {
        books.entry(&anchor.record);
        touched.insert(anchor.record.clone());
    }
    let mut work = Work {
        taken: books.taken(token)?,
        before: books.clone(),
        touched,
        changed: BTreeSet::new(),
        again: BTreeSet::new(),
        removed: Vec::new(),
    };
    work.companions(books, plan);
    work.intents(books, plan)?;
    work.links(books, flows, plan);
    work.inbox(books, token);
    work.records(books, flows, plan);
    work.items(books, flows, plan);
    work.waits(books, plan, token);
    work.history(books, flows, plan);
    work.wake(books);
    Ok(())
}

/// One plan being stored.
struct Work {
    /// The state before it.
    before: Books,
    taken: BTreeSet<RecordKey>,
    touched: BTreeSet<RecordKey>,
    changed: BTreeSet<RecordKey>,
    again: BTreeSet<RecordKey>,
    removed: Vec<Intent>,
}

impl Books {
    /// The records that were taken, if they are as they were.
    fn taken(&self, token: &Taken) -> Result<BTreeSet<RecordKey>, &'static str> {
        let revisions: BTreeMap<u64, u64> = token.records.iter().copied().collect();
        let mut taken = BTreeSet::new();
        for (key, entry) in &self.records {
            match revisions.get(&entry.number) {
                Some(revision) if *revision == entry.revision => taken.insert(key.clone()),
                Some(_) => return Err(constraint::CHANGED),
                None => continue,
            };
        }
        Ok(taken)
    }

    /// A record that was not taken: what was admitted of it on its own goes back into the inbox.
    fn welcome(&mut self, flows: &Dataflow, key: &RecordKey) -> Stored {
        let Some(state) = self.entry(key).state.clone() else {
            return Ok(());
        };
        let mut links = self.links.values().map(|(_, link)| link);
        let mut intents = self.intents.values();
        if links.any(|link| &link.first == key || &link.second == key)
            || intents.any(|intent| subject(&intent.action) == key && intent.sent.is_some())
        {
            return Err(constraint::CHANGED);
        }
        self.receive(flows, state.shadow.into_observation(key.clone()));
        Ok(())
    }

    fn check_unique(&self) -> Stored {
        let mut ends = BTreeSet::new();
        for (group, link) in self.links.values().filter(|_| !removed(Mutation::SharedLink)) {
            if !ends.insert((group, 1, &link.first)) || !ends.insert((group, 2, &link.second)) {
                return Err(constraint::LINK);
            }
        }
        let mut places = BTreeSet::new();
        let mut reserved = BTreeSet::new();
        for intent in self.intents.values() {
            if !places.insert((subject(&intent.action), slot(&intent.action))) {
                return Err(constraint::INTENT);
            }
            if let Action::Create {
                target, reservation, ..
            } = &intent.action
                && !reservation.is_empty()
                && !reserved.insert((target, reservation))
            {
                return Err(constraint::RESERVATION);
            }
        }
        Ok(())
    }
}

impl Work {
    fn was(&self, key: &RecordKey) -> Option<&Entry> {
        self.before.records.get(key)
    }

    fn companions(&mut self, books: &mut Books, plan: &Plan) {
        for (key, record) in &plan.cluster.records {
            let entry = books.entry(key);
            let mut next = record.companions.clone();
            if entry.state.is_none() {
                // Wanted by others while the record was known by its inbox rows alone.
                let wanted = entry.companions.iter();
                for (role, wanted) in wanted.filter(|(_, companion)| companion.id.is_none()) {
                    if !next.contains_key(role) {
                        next.insert(role.clone(), wanted.clone());
                        self.again.insert(key.clone());
                    }
                }
            }
            if entry.companions != next {
                entry.companions = next;
                self.changed.insert(key.clone());
            }
        }
    }

    fn intents(&mut self, books: &mut Books, plan: &Plan) -> Stored {
        let own = plan.cluster.records.values();
        let own = own.filter_map(|record| record.intent.as_ref());
        let planned: Vec<&Intent> = own.chain(&plan.cluster.creates).collect();
        let mut open: BTreeMap<u64, Intent> = BTreeMap::new();
        for (id, intent) in &books.intents {
            let of = subject(&intent.action);
            let left_out = writes_record(intent) && !plan.cluster.records.contains_key(of);
            if self.touched.contains(of) && !left_out {
                open.insert(*id, intent.clone());
            }
        }
        for intent in planned.iter().filter(|intent| intent.id != 0) {
            let known = open.remove(&intent.id).ok_or(constraint::CHANGED)?;
            if known.sent.is_none() {
                books.intents.insert(intent.id, (*intent).clone());
            }
        }
        for (id, intent) in open {
            books.intents.remove(&id);
            books.handles.remove(&id);
            self.changed.insert(subject(&intent.action).clone());
            self.removed.push(intent);
        }
        for intent in planned.into_iter().filter(|intent| intent.id == 0) {
            let id = books.number(1);
            let of = subject(&intent.action).clone();
            books.entry(&of);
            self.touched.insert(of);
            self.note_create(intent);
            let numbered = Intent { id, ..intent.clone() };
            books.intents.insert(id, numbered);
        }
        Ok(())
    }

    fn note_create(&mut self, intent: &Intent) {
        // What names a record that is to be deleted goes first.
        if !writes_record(intent) || matches!(intent.action, Action::Delete { .. }) {
            self.changed.insert(subject(&intent.action).clone());
        }
    }

    fn links(&mut self, books: &mut Books, flows: &Dataflow, plan: &Plan) {
        let mut new = plan.cluster.links.clone();
        let numbers: Vec<u64> = books.links.keys().copied().collect();
        for number in numbers {
            let (group, known) = books.links[&number].clone();
            let same = new.iter().position(|link| {
                link.flow == known.flow && link.first == known.first && link.second == known.second
            });
            if let Some(at) = same {
                if new[at].verdict != known.verdict || new[at].since != known.since {
                    self.changed.extend([known.first, known.second]);
                }
                books.links.insert(number, (group, new.remove(at)));
            } else if self.taken.contains(&known.first) || self.taken.contains(&known.second) {
                books.links.remove(&number);
                self.changed.extend([known.first, known.second]);
            }
        }
        for link in &new {
            books.entry(&link.first);
            books.entry(&link.second);
            self.touched.extend([link.first.clone(), link.second.clone()]);
        }
        for link in new {
            let group = flows.flow(&link.flow).map_or(&link.flow, |flow| &flow.group);
            let number = books.number(0);
            self.changed.extend([link.first.clone(), link.second.clone()]);
            books.links.insert(number, (group.clone(), link));
        }
    }

    fn inbox(&mut self, books: &mut Books, token: &Taken) {
        for seq in &token.inbox {
            books.inbox.remove(seq);
        }
        for key in &self.taken {
            let done = |mark: &super::books::Mark| mark.last <= token.marks;
            if books.dirty.get(key).is_some_and(done) && !books.has_inbox(key) {
                let mark = books.dirty.remove(key);
                if mark.is_some_and(|mark| mark.own) {
                    self.changed.insert(key.clone());
                }
            }
        }
    }

    fn records(&mut self, books: &mut Books, flows: &Dataflow, plan: &Plan) {
        for key in self.in_order(books, &self.touched) {
            let entry = books.entry(&key);
            let heads = plan.cluster.heads.iter();
            entry.heads = heads
                .filter(|(anchor, _)| anchor.record == key)
                .map(|(anchor, head)| (anchor.property.clone(), head.clone()))
                .collect();
            let questions = plan.cluster.questions.iter();
            entry.questions = questions
                .filter(|question| question.anchor.record == key)
                .cloned()
                .collect();
            if let Some(record) = plan.cluster.records.get(&key) {
                let no_companions: BTreeMap<String, Companion> = BTreeMap::new();
                entry.state = Some(Record {
                    intent: None,
                    companions: no_companions,
                    ..record.clone()
                });
                books.reindex(flows, &key);
            }
            self.revise(books, &key);
        }
    }

    /// Moves the revision of a record that is not as it was.
    fn revise(&mut self, books: &mut Books, key: &RecordKey) {
        let told = |books: &Books| {
            let state = books.records.get(key).and_then(|entry| entry.state.as_ref());
            let presence = state.map(|record| record.shadow.presence);
            (presence, state.is_some_and(|record| record.doubted().is_some()))
        };
        let ((was, doubted), (is, doubts)) = (told(&self.before), told(books));
        if was != is || (doubted && !doubts) {
            self.changed.insert(key.clone());
        }
        let woken = self.changed.contains(key);
        let same = self.was(key).is_some_and(|was| {
            let is = &books.records[key];
            was.state == is.state
                && was.heads == is.heads
                && was.questions == is.questions
                && was.keys == is.keys
                && self.before.in_flight(key) == books.in_flight(key)
        });
        if woken {
            let now = books.tick();
            books.entry(key).woke = now;
        }
        if woken || !same {
            books.entry(key).revision += 1;
        }
    }

    fn items(&mut self, books: &mut Books, flows: &Dataflow, plan: &Plan) {
        for key in self.in_order(books, &self.touched) {
            let record = plan.cluster.records.get(&key);
            let questions = books.records[&key].questions.clone();
            let standing = item::of_record(flows, &key, record, &questions, &plan.cluster.links);
            let mut open: BTreeMap<String, u64> = BTreeMap::new();
            for (number, (of, known)) in &books.items {
                if of == &key {
                    open.insert(known.slot.clone(), *number);
                }
            }
            for standing in standing {
                let number = open.remove(&standing.slot).unwrap_or_else(|| books.number(2));
                if books
                    .items
                    .get(&number)
                    .is_some_and(|(_, known)| is_news(&known.item, &standing.item))
                {
                    books.ignored.remove(&number);
                }
                books.items.insert(number, (key.clone(), standing));
            }
            for number in open.into_values() {
                books.items.remove(&number);
                books.ignored.remove(&number);
            }
        }
    }

    fn waits(&mut self, books: &mut Books, plan: &Plan, token: &Taken) {
        books.waits.retain(|(_, waiting)| !self.touched.contains(waiting));
        for (key, at) in &plan.waits.reread {
            books.note_reread(key, *at, false);
        }
        for (key, at) in &plan.waits.later {
            books.note_reread(key, *at, true);
        }
        let woken = plan.waits.wake.iter();
        self.again
            .extend(woken.filter(|key| books.records.contains_key(*key)).cloned());
        let records = plan.cluster.records.keys();
        let waiting = smallest_linked(records, &plan.cluster.links);
        for target in plan.waits.on.union(&plan.waits.read) {
            let woke = books.entry(target).woke;
            for waiting in &waiting {
                books.waits.insert((target.clone(), (*waiting).clone()));
                if woke > token.marks && !self.touched.contains(target) {
                    self.again.insert((*waiting).clone());
                }
            }
        }
        for key in &plan.waits.companions {
            let owner = books.entry(&key.owner);
            if owner.companions.contains_key(&key.role) {
                continue;
            }
            owner.companions.insert(key.role.clone(), Companion::default());
            owner.revision += u64::from(owner.state.is_some());
            self.again.insert(key.owner.clone());
        }
    }

    fn history(&mut self, books: &mut Books, flows: &Dataflow, plan: &Plan) {
        for event in &plan.history {
            books.entry(&event.record);
            books.tell(event);
        }
        let carried_on = plan.carried_on.iter();
        books
            .deletions
            .extend(carried_on.map(|flow| (flow.clone(), plan.at)));
        for (flow, side, key) in &plan.edited {
            books.entry(key);
            books.edited.insert((flow.clone(), *side, key.clone()), plan.at);
        }
        for (of, n) in tally::counts(flows, plan, &self.removed) {
            *books.tallies.entry(of).or_default() += n;
        }
    }

    fn wake(&mut self, books: &mut Books) {
        for (target, waiting) in &books.waits {
            if self.changed.contains(target) && !self.touched.contains(waiting) {
                self.again.insert(waiting.clone());
            }
        }
        for key in self.in_order(books, &self.again) {
            books.mark_dirty(&key, false);
        }
    }

    /// In the order of first naming.
    fn in_order(&self, books: &Books, keys: &BTreeSet<RecordKey>) -> Vec<RecordKey> {
        let mut all: Vec<(u64, &RecordKey)> =
            keys.iter().map(|key| (books.records[key].number, key)).collect();
        all.sort();
        all.into_iter().map(|(_, key)| key.clone()).collect()
    }
}
