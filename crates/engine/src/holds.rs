//! Holds: flows that rest and systems that are not believed, because a person said so or a guard stopped them.
//!
//! A flow that rests observes and decides nothing: its links stay, what is seen is kept, and once it goes on nothing
//! was lost. A system whose versions went backwards stops everything until a person says what holds; one that
//! suddenly shows far fewer records than are known is not asked about the absent ones.

use crate::engine::FENCE;
use crate::{Engine, Error, Happening, Round, notes};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tandem_ledger::{Page, Store};
use tandem_merge::dataflow::{Flow, Side};
use tandem_merge::record::RecordType;

/// Where the state keeps them.
const NOTE: &str = "holds";

/// Where the state keeps the types that were never listed to their end.
const UNLISTED: &str = "unlisted";

/// Where the state keeps the flows whose edits were just approved.
const APPROVED: &str = "approved-edits";

/// Fewer known records than this tell nothing by their absence.
const FEW: usize = 10;

fn believed(system: &str) -> String {
    format!("believed:{system}")
}

/// Something that rests or is stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// What.
    #[serde(flatten)]
    pub of: Held,
    /// Why.
    pub why: Why,
    /// Why, for people: one sentence without the final stop.
    pub words: String,
    /// The record type that it is about, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<RecordType>,
    /// Since when.
    pub since: Timestamp,
}

/// What rests or is stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Held {
    /// A flow: it observes, and nothing is decided or written.
    Flow(String),
    /// A system.
    System(String),
}

/// Why something rests or is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// A person paused the flow.
    Paused,
    /// More of the flow's links were edited from one side than pass without approval.
    Edits,
    /// More records were linked for the first time that hold different values than pass without approval. What they
    /// differ in waits; the flow itself goes on.
    FirstLinks,
    /// The system showed far fewer records than are known: what it does not show is not asked about.
    FewerShown,
    /// The system shows older states than it did before, as after a restored backup: nothing is done until a person
    /// says what holds.
    Backwards,
}

impl Hold {
    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> String {
        match (&self.of, self.why) {
            (Held::Flow(flow), Why::Paused) => format!("`tandem resume {flow}` lets it go on"),
            (Held::Flow(name) | Held::System(name), Why::Edits | Why::Paused) => format!(
                "If it was meant, `tandem approve {name}`; else take it back where it was done, then `tandem approve {name}`"
            ),
            (Held::Flow(name) | Held::System(name), Why::FirstLinks) => format!(
                "`tandem conflicts` shows them: answer some, or `tandem approve {name}` lets the flow's policy decide all"
            ),
            (Held::Flow(name) | Held::System(name), Why::FewerShown) => format!(
                "If they are really gone, `tandem approve {name}`; else mend what Tandem's user sees there"
            ),
            (Held::Flow(name) | Held::System(name), Why::Backwards) => format!(
                "If the earlier state holds, `tandem approve {name}` takes it for edits; `tandem rebind --again {name}` \
                 compares everything anew; or restore the later state"
            ),
        }
    }

    /// Whether it needs a person. A pause was a person's own word.
    #[must_use]
    pub fn needs_approval(&self) -> bool {
        self.why != Why::Paused
    }
}

impl std::fmt::Display for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Held::Flow(name) | Held::System(name)) = &self.of;
        let stands = match self.why {
            Why::Paused => "paused",
            Why::Edits | Why::FirstLinks => "held",
            Why::FewerShown => "not believed",
            Why::Backwards => "stopped",
        };
        write!(f, "{name} is {stands}: {}. {}", self.words, self.advice())
    }
}

/// What rests or is stopped in a state.
///
/// # Errors
/// [`tandem_ledger::Error`].
pub fn holds(store: &mut dyn Store) -> Result<Vec<Hold>, tandem_ledger::Error> {
    Ok(notes::kept(store, NOTE)?.unwrap_or_default())
}

/// Forgets what stopped a system: the state goes over to another, or compares it anew.
pub(crate) fn forget(store: &mut dyn Store, system: &str) -> Result<(), tandem_ledger::Error> {
    let mut left = holds(store)?;
    left.retain(|hold| hold.of != Held::System(system.to_owned()));
    notes::keep(store, NOTE, &left)
}

impl Engine {
    /// What rests or is stopped.
    #[must_use]
    pub fn holds(&self) -> &[Hold] {
        &self.holds
    }

    /// Takes up what the state holds.
    pub(crate) fn find_holds(&mut self) -> Result<(), Error> {
        self.holds = holds(self.store.as_mut())?;
        self.unlisted = notes::kept(self.store.as_mut(), UNLISTED)?.unwrap_or_default();
        self.let_rest();
        Ok(())
    }

    fn let_rest(&mut self) {
        let flows = self.holds.iter().filter_map(|hold| match &hold.of {
            Held::Flow(flow) if hold.why != Why::FirstLinks => Some(flow.clone()),
            Held::Flow(_) | Held::System(_) => None,
        });
        let paused = flows.chain(self.unready_flows(&self.unlisted)).collect();
        self.flows.paused = paused;
    }

    /// Flows of whose records some were never seen, as types are unlisted, and those that share a group with them: nobody
    /// can tell yet which records have a counterpart.
    fn unready_flows(&self, unlisted: &BTreeSet<RecordType>) -> Vec<String> {
        let unlisted = |flow: &&Flow| flow.ends.iter().any(|end| unlisted.contains(&end.record_type));
        let groups: BTreeSet<&String> = self
            .flows
            .flows
            .iter()
            .filter(unlisted)
            .map(|flow| &flow.group)
            .collect();
        let flows = self.flows.flows.iter();
        flows
            .filter(|flow| groups.contains(&flow.group))
            .map(|flow| flow.name.clone())
            .collect()
    }

    /// Notes which types of a system were never listed to their end; one that was now is ready.
    pub(crate) fn keep_unlisted(
        &mut self,
        system: &str,
        asked: &[RecordType],
        round: &Round,
    ) -> Result<(), Error> {
        let mut unlisted = self.unlisted.clone();
        if !self.listed.contains(system) {
            let open = round.incomplete.keys().filter(|of| of.system == system);
            unlisted.extend(open.cloned());
        }
        let read = |of: &RecordType| asked.contains(of) && !round.incomplete.contains_key(of);
        unlisted.retain(|of| !read(of));
        if unlisted == self.unlisted {
            return Ok(());
        }
        let rest = self.unready_flows(&unlisted);
        for flow in self.unready_flows(&self.unlisted) {
            if !rest.contains(&flow) {
                self.touch_flow(&flow)?;
            }
        }
        notes::keep(self.store.as_mut(), UNLISTED, &unlisted)?;
        self.unlisted = unlisted;
        self.let_rest();
        Ok(())
    }

    fn keep_holds(&mut self) -> Result<(), Error> {
        notes::keep(self.store.as_mut(), NOTE, &self.holds)?;
        self.let_rest();
        Ok(())
    }

    /// The hold on a flow or a system.
    fn hold_on(&self, name: &str, why: impl Fn(Why) -> bool) -> Option<&Hold> {
        self.holds.iter().find(|hold| {
            let (Held::Flow(of) | Held::System(of)) = &hold.of;
            of == name && why(hold.why)
        })
    }

    pub(crate) fn hold(&mut self, of: Held, why: Why, words: String) -> Result<(), Error> {
        if self.holds.iter().any(|hold| hold.of == of && hold.why == why) {
            return Ok(());
        }
        self.add(of, why, words, None)
    }

    fn add(&mut self, of: Held, why: Why, words: String, about: Option<RecordType>) -> Result<(), Error> {
        let hold = Hold {
            of,
            why,
            words,
            about,
            since: self.clock.now(),
        };
        self.tell(&Happening::Held { hold: &hold });
        self.holds.push(hold);
        self.keep_holds()
    }

    pub(crate) fn lift(&mut self, of: &Held, why: Why) -> Result<(), Error> {
        let before = self.holds.len();
        self.holds.retain(|hold| &hold.of != of || hold.why != why);
        if self.holds.len() < before {
            self.keep_holds()?;
        }
        Ok(())
    }

    /// Lets a flow rest.
    ///
    /// # Errors
    /// [`Error::Command`] when there is no such flow, or it rests already.
    pub fn pause(&mut self, flow: &str) -> Result<(), Error> {
        self.known_flow(flow)?;
        if self.hold_on(flow, |why| why == Why::Paused).is_some() {
            return Err(Error::command(
                format!("{flow} is paused already"),
                format!("`tandem resume {flow}` lets it go on"),
            ));
        }
        let words = "a person paused it; changes are seen and kept".to_owned();
        self.touch_flow(flow)?;
        self.hold(Held::Flow(flow.to_owned()), Why::Paused, words)
    }

    /// Lets a paused flow go on: what was seen meanwhile is decided with the next round.
    ///
    /// # Errors
    /// [`Error::Command`] when it is not paused.
    pub fn resume(&mut self, flow: &str) -> Result<(), Error> {
        self.known_flow(flow)?;
        if self.hold_on(flow, |why| why == Why::Paused).is_none() {
            let advice = match self.hold_on(flow, |_| true) {
                Some(hold) => hold.advice(),
                None => "`tandem status` says what rests".to_owned(),
            };
            return Err(Error::command(format!("{flow} is not paused"), advice));
        }
        self.touch_flow(flow)?;
        self.lift(&Held::Flow(flow.to_owned()), Why::Paused)
    }

    pub(crate) fn known_flow(&self, flow: &str) -> Result<(), Error> {
        match self.flows.flow(flow) {
            Some(_) => Ok(()),
            None => Err(Error::command(
                format!("there is no flow {flow}"),
                "`tandem status` lists them",
            )),
        }
    }

    /// Marks all records of a flow, so that they are decided anew: before it is noted that it rests or goes on, so that
    /// whoever dies in between does it again.
    fn touch_flow(&mut self, flow: &str) -> Result<(), Error> {
        let ends = self.flows.flow(flow).map(|flow| &flow.ends);
        let types: Vec<RecordType> = ends
            .into_iter()
            .flatten()
            .map(|end| end.record_type.clone())
            .collect();
        Ok(self.store.touch_types(&types)?)
    }

    /// Lets what a guard holds of a flow go on: the edits so far. Whether any were held.
    pub(crate) fn approve_edits(&mut self, flow: &str) -> Result<bool, Error> {
        if self.hold_on(flow, |why| why == Why::Edits).is_none() {
            return Ok(false);
        }
        let mut approved = self.approved_edits()?;
        approved.insert(flow.to_owned());
        self.keep_approved_edits(&approved)?;
        self.touch_flow(flow)?;
        self.lift(&Held::Flow(flow.to_owned()), Why::Edits)?;
        Ok(true)
    }

    /// Flows whose edits were approved and are decided with the next round: those seen by then are none to count.
    fn approved_edits(&mut self) -> Result<BTreeSet<String>, Error> {
        Ok(notes::kept(self.store.as_mut(), APPROVED)?.unwrap_or_default())
    }

    fn keep_approved_edits(&mut self, flows: &BTreeSet<String>) -> Result<(), Error> {
        Ok(notes::keep(self.store.as_mut(), APPROVED, flows)?)
    }

    /// Believes a system again that a guard stopped: what it shows from now on counts, and what it shows otherwise
    /// than before is an edit.
    ///
    /// # Errors
    /// [`Error::Command`] when it is not stopped.
    pub fn approve_system(&mut self, system: &str) -> Result<(), Error> {
        let of = Held::System(system.to_owned());
        let Some(why) = self.hold_on(system, |_| true).map(|hold| hold.why) else {
            return Err(Error::command(
                format!("{system} is not stopped"),
                "`tandem status` says what waits for approval",
            ));
        };
        if why == Why::Backwards {
            self.store.forget_versions(system)?;
            let page = Page {
                system: system.to_owned(),
                observations: Vec::new(),
                cursor: Some(Vec::new()),
            };
            self.store.commit_page(FENCE, &self.flows, &page)?;
            self.begun_anew += 1;
            self.forget_witnesses(system)?;
        } else {
            self.believe_absence(system)?;
        }
        self.lift(&of, why)
    }

    /// Whether what a complete comparison did not show is worth asking about: not where far less is shown than is
    /// known, unless a person said so (R7).
    pub(crate) fn believes(&mut self, of: &RecordType, known: usize, absent: usize) -> Result<bool, Error> {
        let held = |hold: &Hold| hold.why == Why::FewerShown && hold.about.as_ref() == Some(of);
        if known < FEW || absent * 2 <= known {
            if self.holds.iter().any(held) {
                self.holds.retain(|hold| !held(hold));
                self.keep_holds()?;
            }
            return Ok(true);
        }
        let until: Option<Timestamp> = notes::kept(self.store.as_mut(), &believed(&of.system))?;
        if until.is_some_and(|until| until > self.clock.now()) {
            return Ok(true);
        }
        let words = format!(
            "it shows {} of {known} records of {} that are known; the others are not taken for deleted",
            known - absent,
            of.name
        );
        if !self.holds.iter().any(held) {
            let system = Held::System(of.system.clone());
            self.add(system, Why::FewerShown, words, Some(of.clone()))?;
        }
        Ok(false)
    }

    /// What a system does not show is asked about, for a day.
    fn believe_absence(&mut self, system: &str) -> Result<(), Error> {
        let until = self.clock.now().saturating_add(SignedDuration::from_hours(24));
        let until = until.unwrap_or(Timestamp::MAX);
        Ok(notes::keep(self.store.as_mut(), &believed(system), &until)?)
    }

    /// Stops flows of which more links were edited from one side than pass without approval. Whether any was.
    pub(crate) fn guard_edits(&mut self) -> Result<bool, Error> {
        let now = self.clock.now();
        let mut stopped = false;
        let approved = self.approved_edits()?;
        if !approved.is_empty() {
            for flow in &approved {
                self.store.forget_edits(flow)?;
            }
            self.keep_approved_edits(&BTreeSet::new())?;
        }
        for flow in self.flows.flows.clone() {
            let Some(guard) = flow.guard.edits.filter(|_| !self.flows.rests(&flow.name)) else {
                continue;
            };
            let from = now.saturating_sub(SignedDuration::from_hours(guard.hours));
            let seen = self
                .store
                .edits(&flow.name, from.unwrap_or(Timestamp::UNIX_EPOCH))?;
            let passed = |side: &Side| guard.is_passed(seen.edited[side.index()], seen.links);
            let Some(side) = Side::BOTH.into_iter().find(passed) else {
                continue;
            };
            let words = format!(
                "{} of {} links were edited from {} within {} h; nothing of it is written",
                seen.edited[side.index()],
                seen.links,
                flow.end(side).record_type.system,
                guard.hours
            );
            self.touch_flow(&flow.name)?;
            self.hold(Held::Flow(flow.name.clone()), Why::Edits, words)?;
            stopped = true;
        }
        Ok(stopped)
    }

    /// The systems that are stopped: nothing is done.
    pub(crate) fn is_stopped(&self) -> bool {
        self.holds.iter().any(|hold| hold.why == Why::Backwards)
    }

    /// Notes a system that went back to an earlier state; the round at hand leaves it alone.
    pub(crate) fn went_backwards(
        &mut self,
        system: &str,
        words: String,
        round: &mut Round,
    ) -> Result<(), Error> {
        round.resting.extend(self.flows.systems.iter().cloned());
        self.hold(Held::System(system.to_owned()), Why::Backwards, words)
    }
}
