//! Sight: what the systems' descriptions show of the properties in use, against the last good look.
//!
//! A property that its system no longer shows is never read as blank: it is out of sight, its base stays, and it
//! takes no part in any decision. When it is back, everything is read again before it takes part. Properties that
//! became narrower are reported and go on: what they refuse is parked.

use crate::engine::FENCE;
use crate::{Engine, Error, Happening, Round, notes};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use tandem_connector::{ErrorKind, PropertySchema, Refusal, Schema};
use tandem_ledger::{Item, Page, Store};
use tandem_merge::cluster::ParkedKind;
use tandem_merge::dataflow::{Dataflow, Side};
use tandem_merge::record::{Observation, Presence, RecordType};

/// While something moves, the descriptions are looked at again after so many minutes.
const LOOK_EVERY_MINUTES: i64 = 15;

/// Something that a system changed about a property in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The record type, with its system.
    #[serde(rename = "of")]
    pub record_type: RecordType,
    /// The property.
    pub property: String,
    /// What happened to it.
    pub what: Lost,
    /// For people: how it was, and how it is.
    pub words: String,
    /// Since when it is known.
    pub since: Timestamp,
    /// It takes no part in the sync: nothing of it is read, cleared or written.
    pub held: bool,
    /// It is back, and takes part again once everything was read.
    pub returning: bool,
}

/// What a property lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lost {
    /// It is not there, or hidden from us.
    Sight,
    /// It holds another kind of values.
    Type,
    /// We may not write it any more.
    Writing,
    /// It must not be blank any more.
    Blank,
    /// It holds shorter texts or smaller numbers.
    Length,
    /// It takes fewer entries.
    Entries,
}

impl Notice {
    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self.what {
            _ if self.returning => "It is back: it takes part again once everything was read",
            Lost::Sight => {
                "Restore the field, or show it to Tandem's user (field-level security), or take its row out of the flow; \
                 until then it stays as it is on the other side"
            }
            Lost::Type => {
                "Correct the row's type in the flow, or restore the field; until then it stays as it is"
            }
            Lost::Writing => "Give Tandem's user the right to edit it, or turn the row's direction round",
            Lost::Blank => "Give records without a value one, or declare `never_blank` in the flow",
            Lost::Length => {
                "Values that no longer fit are parked, never cut: shorten them, or widen the field"
            }
            Lost::Entries => {
                "Values that are no entries any more are parked: add them again, or change the flow's values"
            }
        }
    }

    fn same(&self, other: &Self) -> bool {
        self.record_type == other.record_type && self.property == other.property && self.what == other.what
    }
}

impl std::fmt::Display for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let held = if self.held { "held: " } else { "" };
        write!(
            f,
            "{held}{}.{} {}. {}",
            self.record_type,
            self.property,
            self.words,
            self.advice()
        )
    }
}

/// The last good look at a system.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Look {
    /// The properties in use when it was taken.
    used: String,
    good: Fitted,
    /// What may be done with records of a type: create, update, delete.
    #[serde(default)]
    rights: BTreeMap<String, [bool; 3]>,
    notices: Vec<Notice>,
}

/// What the engine knows of its sight.
#[derive(Debug, Default)]
pub(crate) struct Sight {
    looks: BTreeMap<String, Look>,
    /// When the last look was taken.
    at: Option<Timestamp>,
    /// Properties whose refusal led to a look.
    refused: BTreeSet<(RecordType, String)>,
    /// A refusal asks for a look.
    doubt: bool,
    /// Something came into sight or went out of it since the last round ended.
    moved: bool,
}

/// What a description showed.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// Something came into sight or went out of it.
    moved: bool,
    /// All is to be read again, for something is shown again.
    anew: bool,
}

/// The notices that a state keeps, system by system.
///
/// # Errors
/// [`tandem_ledger::Error`].
pub fn notices(store: &mut dyn Store, systems: &[String; 2]) -> Result<Vec<Notice>, tandem_ledger::Error> {
    let mut found = Vec::new();
    for system in systems {
        found.extend(load(store, system)?.notices);
    }
    Ok(found)
}

/// Properties as they were when they last fitted, by record type and name.
type Fitted = BTreeMap<String, BTreeMap<String, PropertySchema>>;

/// How a state's systems described the properties in use when they last fitted, system by system: what they describe
/// otherwise since is told by notices.
///
/// # Errors
/// [`tandem_ledger::Error`].
pub fn fitted(store: &mut dyn Store, systems: &[String; 2]) -> Result<[Fitted; 2], tandem_ledger::Error> {
    let [first, second] = systems;
    Ok([load(store, first)?.good, load(store, second)?.good])
}

fn load(store: &mut dyn Store, system: &str) -> Result<Look, tandem_ledger::Error> {
    Ok(notes::kept(store, &note(system))?.unwrap_or_default())
}

fn note(system: &str) -> String {
    format!("sight:{system}")
}

impl Engine {
    /// What systems changed about properties in use.
    #[must_use]
    pub fn notices(&self) -> Vec<Notice> {
        let looks = self.sight.looks.values();
        looks.flat_map(|look| look.notices.clone()).collect()
    }

    /// Compares what the systems describe with the last good look, before anything is read.
    pub(crate) fn first_look(&mut self, schemas: Option<&[Schema; 2]>) -> Result<(), Error> {
        for system in self.flows.systems.clone() {
            let look = load(self.store.as_mut(), &system)?;
            self.sight.looks.insert(system, look);
        }
        self.hide();
        for (index, schema) in schemas.into_iter().flatten().enumerate() {
            self.take_look(index, schema)?;
        }
        Ok(())
    }

    /// Looks again where a round gave reason to, or where it is time. Whether anything is in or out of sight since.
    pub(crate) async fn look_again(&mut self, round: &mut Round) -> Result<bool, Error> {
        let now = self.clock.now();
        let age = self.sight.at.map(|at| now.duration_since(at).as_mins());
        let moved = round.observed + round.sent > 0;
        // What was lost may be given back while nothing moves.
        let lost =
            !self.sight.refused.is_empty() || self.sight.looks.values().any(|look| !look.notices.is_empty());
        let due = age.is_some_and(|age| age >= LOOK_EVERY_MINUTES) && (moved || lost);
        let doubt = std::mem::take(&mut self.sight.doubt);
        let mut changed = std::mem::take(&mut self.sight.moved);
        for index in 0..2 {
            let name = &self.flows.systems[index];
            let strange = |error: &tandem_connector::Error| {
                &error.system == name && matches!(error.kind, ErrorKind::Missing | ErrorKind::Protocol)
            };
            let strange = round
                .troubles
                .iter()
                .chain(round.incomplete.values())
                .any(strange);
            if !(strange || ((due || doubt) && !round.is_down(name))) {
                continue;
            }
            let system = std::sync::Arc::clone(&self.systems[index]);
            match system.describe().await {
                Ok(schema) => changed |= self.take_look(index, &schema)?.moved,
                Err(error) => self.trouble(round, error),
            }
        }
        Ok(changed)
    }

    /// A system described itself when it was asked whether it is there at all. What is read from then on shows what that
    /// description shows, so it is looked at before any of it is taken in; rows that were read on the way may show what the
    /// one before showed. Whether all is to be read again: what was on its way must not move the cursor then.
    pub(crate) fn take_described<'r>(
        &mut self,
        index: usize,
        described: Option<Schema>,
        rows: impl IntoIterator<Item = &'r mut [Observation]>,
    ) -> Result<bool, Error> {
        let Some(schema) = described else {
            return Ok(false);
        };
        rows.into_iter().for_each(|rows| self.leave_out(rows));
        let seen = self.take_look(index, &schema)?;
        self.sight.moved |= seen.moved;
        Ok(seen.anew)
    }

    /// A refusal that names properties gives reason to look, once for each of them.
    pub(crate) fn doubt(&mut self, record_type: &RecordType, refusal: &Refusal) {
        if self.sight.at.is_none() {
            return;
        }
        for property in &refusal.properties {
            let place = (record_type.clone(), property.clone());
            self.sight.doubt |= self.sight.refused.insert(place);
        }
    }

    fn take_look(&mut self, index: usize, schema: &Schema) -> Result<Seen, Error> {
        let system = self.flows.systems[index].clone();
        let now = self.clock.now();
        self.sight.at = Some(now);
        let mut look = self.sight.looks.remove(&system).unwrap_or_default();
        let used = used(&self.flows, &system);
        let words = format!("{used:?}");
        let reconfigured = look.used != words;
        let before = std::mem::take(&mut look.notices);
        let mut otherwise = BTreeSet::new();
        for (record_type, properties) in &used {
            let described = schema
                .types
                .get(&record_type.name)
                .filter(|it| !it.properties.is_empty());
            let Some(described) = described else { continue };
            let rights = [described.createable, described.updateable, described.deletable];
            if look
                .rights
                .insert(record_type.name.clone(), rights)
                .is_some_and(|known| known != rights)
            {
                otherwise.insert(record_type.clone());
            }
            let good = look.good.entry(record_type.name.clone()).or_default();
            good.retain(|property, _| properties.contains(property));
            for property in properties {
                let shown = described.properties.get(property);
                let lost = match (good.get(property), shown) {
                    (_, None) => Some((Lost::Sight, format!("is no longer shown by {system}"))),
                    (Some(known), Some(shown)) if !reconfigured => lost(known, shown),
                    _ => None,
                };
                let was = before
                    .iter()
                    .find(|old| &old.record_type == record_type && &old.property == property);
                let notice = Notice {
                    record_type: record_type.clone(),
                    property: property.clone(),
                    what: Lost::Sight,
                    words: String::new(),
                    since: now,
                    held: true,
                    returning: false,
                };
                match (lost, shown) {
                    (Some((what, words)), _) => look.notices.push(Notice {
                        what,
                        words,
                        since: was.filter(|was| was.what == what).map_or(now, |was| was.since),
                        held: matches!(what, Lost::Sight | Lost::Type),
                        ..notice
                    }),
                    (None, Some(shown)) => {
                        // What it lost and has again counts too: the last good look is as it is now.
                        let regained = was.is_some_and(|was| !was.held);
                        if regained || good.get(property).is_some_and(|known| known != shown) {
                            otherwise.insert(record_type.clone());
                        }
                        good.insert(property.clone(), shown.clone());
                        look.notices.extend(was.filter(|was| was.held).map(|was| Notice {
                            returning: true,
                            words: "is shown again".to_owned(),
                            ..was.clone()
                        }));
                    }
                    (None, None) => {}
                }
            }
        }
        look.used = words;
        let news = look
            .notices
            .iter()
            .filter(|new| !before.iter().any(|old| old.same(new)));
        for notice in news {
            self.tell(&Happening::Sight { notice });
        }
        let back =
            |notice: &Notice| notice.returning && !before.iter().any(|old| old.returning && old.same(notice));
        let anew = look.notices.iter().any(back);
        if anew {
            // Everything is read again: what was edited meanwhile shows no change of its own.
            let page = Page {
                system: system.clone(),
                observations: Vec::new(),
                cursor: Some(Vec::new()),
            };
            self.store.commit_page(FENCE, &self.flows, &page)?;
        }
        let moved = look.notices != before;
        self.keep_look(&system, look)?;
        self.free_described(&otherwise)?;
        Ok(Seen { moved, anew })
    }

    fn keep_look(&mut self, system: &str, look: Look) -> Result<(), Error> {
        self.sight.looks.insert(system.to_owned(), look.clone());
        let before = self.flows.out_of_sight.clone();
        self.hide();
        if self.flows.out_of_sight != before {
            self.store.touch_all(&self.flows)?;
        }
        // Noted last: whoever dies in between marks all again.
        Ok(notes::keep(self.store.as_mut(), &note(system), &look)?)
    }

    pub(crate) fn hide(&mut self) {
        let looks = self.sight.looks.values();
        let held = looks.flat_map(|look| look.notices.iter().filter(|notice| notice.held));
        let held = held.map(|notice| (notice.record_type.clone(), notice.property.clone()));
        self.flows.out_of_sight = held.chain(self.unread.iter().cloned()).collect();
    }

    /// A system was read to its end: what is back takes part again, and what was parked for its sake is free.
    pub(crate) fn regain(&mut self, system: &str) -> Result<(), Error> {
        let back = |notice: &Notice| notice.returning;
        let Some(look) = self
            .sight
            .looks
            .get(system)
            .filter(|look| look.notices.iter().any(back))
        else {
            return Ok(());
        };
        let mut look = look.clone();
        let (returned, left): (Vec<_>, Vec<_>) = look.notices.into_iter().partition(back);
        look.notices = left;
        self.keep_look(system, look)?;
        self.free_refused(|item| {
            returned.iter().any(|notice| {
                notice.record_type == item.record.record_type
                    && Some(&notice.property) == item.property.as_ref()
            })
        })
    }

    /// Tries again what systems refused: what they said may no longer hold.
    pub(crate) fn free_refused(&mut self, concerned: impl Fn(&Item) -> bool) -> Result<(), Error> {
        let mut after = 0;
        loop {
            let items = self.store.items(after, 500)?;
            let Some(last) = items.last() else { return Ok(()) };
            after = last.number;
            let refused = items
                .iter()
                .filter(|item| matches!(item.kind, Some(ParkedKind::Refused | ParkedKind::Busy)));
            for item in refused.filter(|item| concerned(item)) {
                match self.retry(&item.record) {
                    // Something else stands in its way: it stays parked.
                    Err(Error::Command { what, .. }) => tracing::debug!("{what}"),
                    done => done?,
                }
            }
        }
    }

    /// Tries again what was refused about a record type, or about the making of its records: the system describes it
    /// otherwise now.
    fn free_described(&mut self, types: &BTreeSet<RecordType>) -> Result<(), Error> {
        if types.is_empty() {
            return Ok(());
        }
        let flows = self.flows.clone();
        self.free_refused(|item| {
            let made = item.flow.as_deref().and_then(|name| flows.flow(name));
            let made = made.is_some_and(|flow| flow.ends.iter().any(|end| types.contains(&end.record_type)));
            made || types.contains(&item.record.record_type)
        })
    }

    /// Takes out of observations what is out of sight: what was not shown is not blank.
    pub(crate) fn leave_out(&self, observations: &mut [Observation]) {
        let hidden = self.sight.looks.values().flat_map(|look| &look.notices);
        let hidden: Vec<&Notice> = hidden.filter(|notice| notice.held && !notice.returning).collect();
        if hidden.is_empty() {
            return;
        }
        for seen in observations
            .iter_mut()
            .filter(|seen| seen.presence == Presence::Alive)
        {
            for notice in hidden
                .iter()
                .filter(|notice| notice.record_type == seen.key.record_type)
            {
                seen.values.remove(&notice.property);
                seen.partial = true;
            }
        }
    }
}

/// The properties in use, by record type.
pub(crate) fn used(flows: &Dataflow, system: &str) -> BTreeMap<RecordType, BTreeSet<String>> {
    let mut used: BTreeMap<RecordType, BTreeSet<String>> = BTreeMap::new();
    for flow in &flows.flows {
        for side in Side::BOTH {
            let end = flow.end(side);
            if end.record_type.system != system {
                continue;
            }
            let names = used.entry(end.record_type.clone()).or_default();
            names.extend(
                flow.mappings
                    .iter()
                    .map(|mapping| mapping.property(side).to_owned()),
            );
            names.extend(end.identity.iter().map(|identity| identity.property.clone()));
            let keys = flow.match_rules.iter().flat_map(|rule| rule.properties(side));
            names.extend(keys.map(str::to_owned));
            let filter = end.filter.iter().flat_map(|filter| filter.properties());
            names.extend(filter.map(str::to_owned));
            names.remove("id");
        }
    }
    used
}

/// What a property lost, the gravest first.
fn lost(known: &PropertySchema, shown: &PropertySchema) -> Option<(Lost, String)> {
    let was = |what: &str, now: &str| format!("was {what} and is {now}");
    if class(&known.data_type) != class(&shown.data_type) {
        return Some((Lost::Type, was(&known.data_type, &shown.data_type)));
    }
    if known.updateable && !shown.updateable {
        return Some((Lost::Writing, "is read-only now".to_owned()));
    }
    if known.nillable && !shown.nillable && !shown.filled_on_create {
        return Some((Lost::Blank, "must not be blank any more".to_owned()));
    }
    let longest = |length: Option<usize>| length.map_or("unlimited".to_owned(), |length| length.to_string());
    if shown
        .max_length
        .is_some_and(|now| known.max_length.is_none_or(|then| then > now))
    {
        let words = was(&longest(known.max_length), &longest(shown.max_length));
        return Some((Lost::Length, format!("{words} characters long")));
    }
    let digits = |schema: &PropertySchema| {
        schema
            .precision
            .map(|all| all.saturating_sub(schema.scale.unwrap_or(0)))
    };
    if digits(shown) < digits(known) || shown.scale < known.scale {
        return Some((Lost::Length, "holds fewer digits than before".to_owned()));
    }
    let gone: Vec<&str> = known
        .values
        .iter()
        .filter(|entry| !shown.values.is_empty() && !shown.values.contains(entry))
        .map(String::as_str)
        .collect();
    if !gone.is_empty() {
        return Some((Lost::Entries, format!("no longer takes {}", gone.join(", "))));
    }
    if known.values.is_empty() && !shown.values.is_empty() {
        return Some((
            Lost::Entries,
            format!("takes only {} now", shown.values.join(", ")),
        ));
    }
    None
}

/// Types whose values are read alike.
fn class(data_type: &str) -> &str {
    match data_type {
        "double" | "currency" | "percent" | "decimal" => "number",
        "int" | "integer" => "integer",
        "boolean" | "date" | "datetime" => data_type,
        _ => "text",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn text() -> PropertySchema {
        PropertySchema {
            data_type: "string".to_owned(),
            max_length: Some(80),
            nillable: true,
            createable: true,
            updateable: true,
            ..PropertySchema::default()
        }
    }

    #[test]
    fn every_loss_is_named_and_no_gain_is() {
        let entries = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let cases: Vec<(PropertySchema, Option<Lost>)> = vec![
            (text(), None),
            (
                PropertySchema {
                    data_type: "picklist".to_owned(),
                    ..text()
                },
                None,
            ),
            (
                PropertySchema {
                    max_length: Some(255),
                    unique: true,
                    ..text()
                },
                None,
            ),
            (
                PropertySchema {
                    data_type: "double".to_owned(),
                    ..text()
                },
                Some(Lost::Type),
            ),
            (
                PropertySchema {
                    updateable: false,
                    ..text()
                },
                Some(Lost::Writing),
            ),
            (
                PropertySchema {
                    nillable: false,
                    ..text()
                },
                Some(Lost::Blank),
            ),
            (
                PropertySchema {
                    max_length: Some(40),
                    ..text()
                },
                Some(Lost::Length),
            ),
            (
                PropertySchema {
                    values: entries(&["a"]),
                    ..text()
                },
                Some(Lost::Entries),
            ),
        ];
        for (now, expected) in cases {
            assert_eq!(lost(&text(), &now).map(|(what, _)| what), expected, "{now:?}");
        }
        let listed = PropertySchema {
            values: entries(&["a", "b"]),
            ..text()
        };
        let fewer = PropertySchema {
            values: entries(&["a", "c"]),
            ..text()
        };
        let (what, words) = lost(&listed, &fewer).unwrap();
        assert_eq!((what, words.as_str()), (Lost::Entries, "no longer takes b"));
    }
}
