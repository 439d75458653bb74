//! What people decide: approvals, answers to conflicts, another try. Each takes a cluster, changes it by a
//! pure function, and lets the core decide it again in the same transaction.

use crate::{Engine, Error, Round};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tandem_ledger::{Decided, Item};
use tandem_merge::admit::admit;
use tandem_merge::cluster::{Cluster, ParkedKind, Question, Record, Verdict};
use tandem_merge::dataflow::{Dataflow, DeletePolicy, Side};
use tandem_merge::facts::Facts;
use tandem_merge::form::{Form, Trouble};
use tandem_merge::guarded;
use tandem_merge::reconcile::reconcile;
use tandem_merge::record::{Observation, Presence, RecordKey, RecordType};
use tandem_merge::value::Value;

/// Items read at a time.
const PAGE: usize = 500;

/// A person's answer to a conflict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// The value of this record wins. Its key, as a conflict's contenders name it.
    Record(RecordKey),
    /// The head stays.
    Head,
    /// A value given by the person, in canonical form.
    Value(Value),
    /// A value given by the person as a text, as the first system would hold it.
    Text(String),
}

/// What a change of a cluster may look at.
struct Work<'a> {
    flows: &'a Dataflow,
    facts: &'a Facts,
    /// What was seen since.
    inbox: &'a [Observation],
}

impl Engine {
    /// Approves what waits under an item's number (see `Store::items`): a deletion gets the verdict
    /// (`None`: what the flow's policy offers first).
    ///
    /// # Errors
    /// [`Error::Command`] when no such item waits for approval.
    pub fn approve(&mut self, item: u64, verdict: Option<Verdict>) -> Result<(), Error> {
        let item = self.item(item)?;
        let waits = [
            ParkedKind::Approval,
            ParkedKind::DeleteConflict,
            ParkedKind::OutOfSight,
        ];
        let about_link = item.property.is_none() && item.kind.is_some_and(|kind| waits.contains(&kind));
        let refused = item.kind == Some(ParkedKind::Refused) && item.flow.is_some();
        if !refused && !about_link {
            return Err(Error::command(
                format!("item {} does not wait for approval", item.number),
                "`tandem failures` says what it waits for",
            ));
        }
        if item.kind == Some(ParkedKind::DeleteConflict) && verdict.is_none() {
            return Err(Error::command(
                format!("item {} is a conflict: {}", item.number, item.reason),
                format!(
                    "Say what holds: `--verdict {}` for the deletion, `--verdict recreate` for the edit, `--verdict unlink` for both",
                    self.word_for_deletion(&item)
                ),
            ));
        }
        if item.kind == Some(ParkedKind::OutOfSight) && verdict.is_none() {
            return Err(Error::command(
                format!("nobody knows whether that was deleted: {}", item.reason),
                format!(
                    "Say what holds: `--verdict {}` if it was deleted, `--verdict recreate` to create it again, `--verdict unlink` to keep what is there",
                    self.word_for_deletion(&item)
                ),
            ));
        }
        self.give_verdict(&item, verdict)
    }

    /// The verdict that lets a deletion go on, by its word.
    fn word_for_deletion(&self, item: &Item) -> &'static str {
        let verdicts = verdicts_for(&self.flows, item);
        let goes_on = |verdict: &&Verdict| matches!(verdict, Verdict::Propagate | Verdict::Deactivate);
        verdicts
            .iter()
            .find(goes_on)
            .unwrap_or(&Verdict::Propagate)
            .word()
    }

    fn give_verdict(&mut self, item: &Item, verdict: Option<Verdict>) -> Result<(), Error> {
        self.refuse_not_offered(item, verdict)?;
        let flow = item.flow.clone();
        self.change(&item.record, |work, cluster| {
            let count = match item.property {
                Some(_) => 0,
                None => judge(work.flows, cluster, &item.record, flow.as_deref(), verdict),
            };
            if count == 0
                && !guarded::approve(cluster, &item.record, item.property.as_deref(), flow.as_deref())
            {
                return Err(Error::command(
                    format!("nothing of {} waits for approval", item.record),
                    "It may have been decided meanwhile; look again",
                ));
            }
            Ok(())
        })
    }

    /// Refuses a verdict that the item's flow does not offer, whoever gives it.
    fn refuse_not_offered(&self, item: &Item, verdict: Option<Verdict>) -> Result<(), Error> {
        let offered = match item.kind {
            // A deletion that its system refused may be judged otherwise, too.
            Some(ParkedKind::Refused) => verdicts_of(&self.flows, item),
            _ => verdicts_for(&self.flows, item),
        };
        match verdict {
            Some(verdict) if !offered.is_empty() && !offered.contains(&verdict) => Err(not_offered(
                verdict,
                item.flow.as_deref().unwrap_or_default(),
                &offered,
            )),
            _ => Ok(()),
        }
    }

    /// Refuses a verdict that something of what waits in a flow does not offer: then nothing of it is done.
    fn refuse_not_offered_in(&mut self, flow: &str, verdict: Option<Verdict>) -> Result<(), Error> {
        let mut after = 0;
        while verdict.is_some() {
            let items = self.store.items(after, PAGE)?;
            let Some(last) = items.last() else { break };
            after = last.number;
            let waits = |item: &&Item| awaits_approval_in(&self.flows, item, flow);
            items
                .iter()
                .filter(waits)
                .try_for_each(|item| self.refuse_not_offered(item, verdict))?;
        }
        Ok(())
    }

    /// Approves what waits in a flow, up to now: every deletion (`verdict`, or what the flow's policy offers first),
    /// and the edits and first links that its guards hold. Conflicts of delete and edit wait on: each wants a word of
    /// its own. Answers how many deletions were approved, and whether a guard held anything.
    ///
    /// # Errors
    /// [`Error::Command`] when there is no such flow.
    pub fn approve_flow(&mut self, flow: &str, verdict: Option<Verdict>) -> Result<(u64, bool), Error> {
        self.known_flow(flow)?;
        self.refuse_not_offered_in(flow, verdict)?;
        let edits = self.approve_edits(flow)?;
        let held = self.approve_first_links(flow)? || edits;
        self.store.approve_flow(flow, self.clock.now())?;
        let (mut after, mut approved) = (0, 0);
        loop {
            let items = self.store.items(after, PAGE)?;
            let Some(last) = items.last() else {
                return Ok((approved, held));
            };
            after = last.number;
            let waits = |item: &&Item| awaits_approval_in(&self.flows, item, flow);
            let items: Vec<Item> = items.iter().filter(waits).cloned().collect();
            for item in &items {
                match self.give_verdict(item, verdict) {
                    // Decided meanwhile, or something stands in its way: it is no reason to leave the others.
                    Err(Error::Command { what, .. }) => tracing::warn!("{what}"),
                    done => {
                        done?;
                        approved += 1;
                    }
                }
            }
        }
    }

    /// Leaves an item out of what needs a person, until a moment or for good: until its reason changes.
    ///
    /// # Errors
    /// [`Error::Command`] when nothing stands under the number.
    pub fn ignore(&mut self, item: u64, until: Option<Timestamp>) -> Result<(), Error> {
        if self.store.ignore(item, until)? {
            return Ok(());
        }
        self.item(item).map(drop)
    }

    /// Reads the records that contend in conflicts (items' numbers), so that an answer cannot miss what was edited
    /// since they were shown.
    ///
    /// # Errors
    /// [`Error::Store`] alone; systems in trouble are named in [`Round::troubles`].
    pub async fn read_contenders(&mut self, items: &[u64]) -> Result<Round, Error> {
        let mut records = BTreeSet::new();
        for number in items {
            let Ok(item) = self.item(*number) else { continue };
            let cluster = self.store.cluster(&self.flows, &item.record)?.unwrap_or_default();
            let contenders = cluster.questions.iter().flat_map(|question| &question.contenders);
            records.extend(contenders.filter_map(|contender| contender.record.clone()));
        }
        let mut round = Round::default();
        self.read_all_of(&records, &mut round).await?;
        Ok(round)
    }

    /// Reads records of which a person decides, into the inbox, those too that could not be read lately. One that cannot
    /// is as much a trouble as its system would be.
    pub(crate) async fn read_all_of(
        &mut self,
        records: &BTreeSet<RecordKey>,
        round: &mut Round,
    ) -> Result<(), Error> {
        records.iter().for_each(|record| self.suspects.remove(record));
        self.read(records, round).await?;
        let unread = records
            .iter()
            .find_map(|record| round.unread.get_key_value(record));
        if let Some((record, error)) = unread {
            let message = format!("{record} cannot be read: {}", error.message);
            let error = tandem_connector::Error {
                message,
                ..error.clone()
            };
            self.trouble(round, error);
        }
        Ok(())
    }

    /// Answers a conflict (an item's number) with a choice. Refused when a contender has changed since it
    /// was shown.
    ///
    /// # Errors
    /// [`Error::Command`] when no such conflict waits or a contender has changed.
    pub fn resolve(&mut self, item: u64, choice: &Choice) -> Result<(), Error> {
        let item = self.item(item)?;
        let property = item.property.clone().filter(|_| item.kind.is_none());
        let Some(property) = property else {
            return Err(Error::command(
                format!("item {} is no conflict", item.number),
                "`tandem conflicts` lists them",
            ));
        };
        self.change(&item.record, |work, cluster| {
            answer(work, cluster, &item.record, &property, choice)
        })
    }

    /// Tries again what is parked on a record and on its companions, and looks again for records linked with it that are out
    /// of sight.
    ///
    /// # Errors
    /// [`Error::Command`] when the record is not known.
    pub fn retry(&mut self, record: &RecordKey) -> Result<(), Error> {
        // What could not be read is read again with the next round.
        self.unreadable_read = None;
        self.suspects.remove(record);
        self.offered
            .retain(|(_, source, found)| source != record && found != record);
        let mut decided = self.changed(record, |_, cluster| {
            let known = cluster.records.get_mut(record);
            let known = known.ok_or_else(|| unknown_record(record))?;
            free(known);
            tandem_merge::unreadable::believe(known);
            Ok(())
        })?;
        let plan = &mut decided.plan;
        let records = plan.cluster.records.iter();
        let missing = records.filter(|(_, known)| known.shadow.presence == Presence::Missing);
        plan.waits
            .reread
            .extend(missing.map(|(key, _)| (key.clone(), plan.at)));
        self.keep_change(record, decided)
    }

    fn item(&mut self, number: u64) -> Result<Item, Error> {
        let found = self.store.items(number.saturating_sub(1), 1)?;
        let found = found.into_iter().find(|item| item.number == number);
        found.ok_or_else(|| {
            Error::command(
                format!("nothing waits under the number {number} any more, or something else than was shown"),
                "`tandem failures` and `tandem conflicts` list what waits now",
            )
        })
    }

    /// Changes the cluster of a record and decides it again, as one unit of work.
    fn change(
        &mut self,
        record: &RecordKey,
        change: impl FnOnce(&Work<'_>, &mut Cluster) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let decided = self.changed(record, change)?;
        self.keep_change(record, decided)
    }

    /// The cluster of a record, changed and decided again.
    fn changed(
        &mut self,
        record: &RecordKey,
        change: impl FnOnce(&Work<'_>, &mut Cluster) -> Result<(), Error>,
    ) -> Result<Decided, Error> {
        self.store.begin_run("command", self.clock.now())?;
        let records = std::slice::from_ref(record);
        let taken = self.store.take_records(&self.flows, records, self.clock.now())?;
        let Some(mut dirty) = taken.into_iter().next() else {
            return Err(unknown_record(record));
        };
        let work = Work {
            flows: &self.flows,
            facts: &dirty.facts,
            inbox: &dirty.inbox,
        };
        change(&work, &mut dirty.cluster)?;
        Ok(Decided {
            plan: reconcile(&self.flows, dirty.cluster, dirty.inbox, &dirty.facts),
            token: dirty.token,
        })
    }

    fn keep_change(&mut self, record: &RecordKey, decided: Decided) -> Result<(), Error> {
        let report = self.commit(vec![decided], &mut Round::default())?;
        match report.put_back.is_empty() {
            true => Ok(()),
            false => Err(in_the_way(record)),
        }
    }
}

pub(crate) fn in_the_way(record: &RecordKey) -> Error {
    Error::command(
        format!("the decision about {record} could not be stored, another record stands in its way"),
        "Look at `tandem failures`, then try again",
    )
}

pub(crate) fn unknown_record(record: &RecordKey) -> Error {
    Error::command(
        format!("{record} is not known"),
        "Give system, record type and id as `tandem links` shows them",
    )
}

/// Gives the links of a record whose one end is gone a person's verdict. Returns how many.
fn judge(
    flows: &Dataflow,
    cluster: &mut Cluster,
    record: &RecordKey,
    flow: Option<&str>,
    verdict: Option<Verdict>,
) -> usize {
    let mut count = 0;
    for link in &mut cluster.links {
        let about = &link.first == record || &link.second == record;
        if !about || flow.is_some_and(|flow| flow != link.flow) {
            continue;
        }
        let gone = |side: &Side| {
            cluster
                .records
                .get(link.end(*side))
                .is_some_and(|end| !end.alive())
        };
        let Some(gone) = Side::BOTH.into_iter().find(gone) else {
            continue;
        };
        let policy = flows.flow(&link.flow).map(|flow| flow.end(gone).on_delete);
        link.verdict = verdict.or_else(|| policy.map(offered));
        count += 1;
    }
    count
}

/// Whether an item waits for approval in a flow: a deletion, a link, or a guarded value.
#[must_use]
pub fn awaits_approval_in(flows: &Dataflow, item: &Item, flow: &str) -> bool {
    let of = match (&item.flow, &item.property) {
        (Some(of), _) => Some(of.as_str()),
        (None, Some(property)) => {
            guarded::guarding(flows, &item.record, property).map(|flow| flow.name.as_str())
        }
        (None, None) => None,
    };
    item.kind == Some(ParkedKind::Approval) && of == Some(flow)
}

/// What may become of the record that an item is about, because its counterpart was deleted or may have been: first what
/// approving means without a further word. Where the flow puts such a record out of use nobody is offered to delete it, and
/// where it has no way to put it out of use, nobody that. Empty where it is about something else.
#[must_use]
pub fn verdicts_for(flows: &Dataflow, item: &Item) -> Vec<Verdict> {
    let kinds = [
        ParkedKind::Approval,
        ParkedKind::DeleteConflict,
        ParkedKind::OutOfSight,
    ];
    match item.kind.is_some_and(|kind| kinds.contains(&kind)) {
        true => verdicts_of(flows, item),
        false => Vec::new(),
    }
}

/// What an item's flow offers for its record; nothing where the item is about a property.
fn verdicts_of(flows: &Dataflow, item: &Item) -> Vec<Verdict> {
    let flow = item.flow.as_deref().and_then(|name| flows.flow(name));
    let side = flow.and_then(|flow| flow.side_of(&item.record.record_type));
    let (None, Some(flow), Some(side)) = (&item.property, flow, side) else {
        return Vec::new();
    };
    let policy = flow.end(side.other()).on_delete;
    let deactivates = matches!(policy, DeletePolicy::Deactivate | DeletePolicy::AskThenDeactivate);
    let is_possible = |verdict: &Verdict| match verdict {
        Verdict::Propagate => !deactivates,
        Verdict::Deactivate => flow.end(side).deactivate.is_some(),
        Verdict::Unlink | Verdict::Recreate => true,
    };
    let first = offered(policy);
    let rest = Verdict::ALL.into_iter().filter(|verdict| *verdict != first);
    [first].into_iter().chain(rest.filter(is_possible)).collect()
}

fn not_offered(verdict: Verdict, flow: &str, offered: &[Verdict]) -> Error {
    let words = offered.iter().map(|verdict| format!("`{}`", verdict.word()));
    let words: Vec<String> = words.collect();
    Error::command(
        format!("{flow} does not offer `{}` for a deletion", verdict.word()),
        format!("It offers {}", words.join(", ")),
    )
}

/// What approving without a further word means.
fn offered(policy: DeletePolicy) -> Verdict {
    match policy {
        DeletePolicy::Propagate | DeletePolicy::Ask => Verdict::Propagate,
        DeletePolicy::Deactivate | DeletePolicy::AskThenDeactivate => Verdict::Deactivate,
        DeletePolicy::Unlink => Verdict::Unlink,
        DeletePolicy::Recreate => Verdict::Recreate,
    }
}

/// Puts a person's answer into the question of a component.
fn answer(
    work: &Work<'_>,
    cluster: &mut Cluster,
    record: &RecordKey,
    property: &str,
    choice: &Choice,
) -> Result<(), Error> {
    let about = |question: &&Question| {
        let anchor = &question.anchor;
        (&anchor.record == record && anchor.property == property)
            || question
                .contenders
                .iter()
                .any(|one| one.record.as_ref() == Some(record) && one.property == property)
    };
    let Some(question) = cluster.questions.iter().find(about).cloned() else {
        return Err(Error::command(
            format!("no conflict about {property} of {record} waits"),
            "It may have been settled meanwhile; look again",
        ));
    };
    let mut records = cluster.records.clone();
    for seen in work.inbox {
        admit(work.flows, &mut records, seen.clone());
    }
    let changed = question.contenders.iter().find(|one| {
        let known = one.record.as_ref().and_then(|record| records.get(record));
        known.is_some_and(|known| !known.alive() || known.value(&one.property) != &one.value)
    });
    if let Some(changed) = changed {
        let who = changed
            .record
            .as_ref()
            .map_or_else(String::new, ToString::to_string);
        return Err(Error::command(
            format!("{property} of {who} has changed since the conflict was shown"),
            "Run `tandem sync`, look at the conflict again, then answer it",
        ));
    }
    let value = chosen(work, &question, choice)?;
    for known in &mut cluster.questions {
        if known.anchor == question.anchor {
            known.answer = Some(value.clone());
        }
    }
    Ok(())
}

/// The canonical value that a choice stands for.
fn chosen(work: &Work<'_>, question: &Question, choice: &Choice) -> Result<Value, Error> {
    let wanted = match choice {
        Choice::Value(value) => return Ok(value.clone()),
        Choice::Text(text) => return given(work, question, text),
        Choice::Head => None,
        Choice::Record(record) => Some(record),
    };
    let contender = question
        .contenders
        .iter()
        .find(|one| one.record.as_ref() == wanted);
    let Some(contender) = contender else {
        return Err(Error::command(
            "the chosen record takes no part in the conflict",
            "`tandem conflicts` lists the records that do",
        ));
    };
    let Some(record) = &contender.record else {
        return Ok(contender.value.clone());
    };
    let forms = forms(work, &record.record_type, &contender.property);
    let canonical = forms.iter().find_map(|form| form.decode(&contender.value).ok());
    canonical.ok_or_else(|| {
        Error::command(
            format!(
                "the value of {} on {record} cannot be carried to the other side",
                contender.property
            ),
            "Correct it in its system first, or choose another",
        )
    })
}

/// The forms of a record type's property, one for each row that maps it.
fn forms<'a>(work: &Work<'a>, of: &RecordType, property: &str) -> Vec<Form<'a>> {
    let (flows, facts) = (work.flows, work.facts);
    let ends = flows
        .flows
        .iter()
        .flat_map(|flow| Side::BOTH.map(|side| (flow, side)));
    let ends = ends.filter(|(flow, side)| &flow.end(*side).record_type == of);
    let forms = ends.flat_map(|(flow, side)| {
        let rows = flow
            .mappings
            .iter()
            .filter(move |row| row.property(side) == property);
        rows.map(move |mapping| Form {
            flow,
            mapping,
            side,
            facts,
        })
    });
    forms.collect()
}

/// The canonical value of a text that a person gave, which all contenders must be able to hold.
fn given(work: &Work<'_>, question: &Question, text: &str) -> Result<Value, Error> {
    let refused = |why: String| {
        let advice = "Give a value as the first system would hold it; `''` for nothing";
        Error::command(format!("`{text}` cannot be the answer: {why}"), advice)
    };
    let members = question.contenders.iter().filter_map(|one| {
        let record = one.record.as_ref()?;
        Some(forms(work, &record.record_type, &one.property))
    });
    let members: Vec<Form<'_>> = members.flatten().collect();
    let Some(some) = members.first() else {
        return Ok(Value::text(text));
    };
    let own = some.mapping.kind.read(text);
    let own = own.ok_or_else(|| refused(format!("it is no {}", some.mapping.data_types[0])))?;
    let first = Form {
        side: Side::First,
        ..*some
    };
    let value = first.decode(&own).map_err(|trouble| refused(why(&trouble)))?;
    for member in &members {
        member.encode(&value).map_err(|trouble| refused(why(&trouble)))?;
    }
    Ok(value)
}

fn why(trouble: &Trouble) -> String {
    match trouble {
        Trouble::Mend { reason, .. } => reason.clone(),
        Trouble::Waits(wait) => format!("{} has no counterpart yet", wait.on),
        Trouble::LeftAlone => "it leads to nothing that has a counterpart".to_owned(),
    }
}

/// Forgets why a record waits, so that it is decided anew.
fn free(record: &mut Record) {
    record.parked.clear();
    record.held.clear();
    for companion in record.companions.values_mut() {
        // Whoever tries again after it was deleted wants another.
        if companion.parked.take().is_some() {
            companion.lost = None;
        }
    }
}
