//! Removals: what becomes of the counterpart when a linked record is deleted (RULES.md section 4, R6, R7).

use crate::cluster::{Action, Cleared, Head, Intent, Link, ParkedKind, Verdict};
use crate::dataflow::{DeleteAgainstEdit, DeletePolicy, Flow, Kind, Side};
use crate::form::Form;
use crate::merging::may_be_typed;
use crate::mutation::{Mutation, removed};
use crate::plan::EventKind;
use crate::record::{Presence, RecordKey};
use crate::topology;
use crate::trace::Trace;
use crate::value::Value;
use crate::work::Work;
use std::collections::{BTreeMap, BTreeSet};

/// What to do with the counterpart now.
enum Step {
    Delete,
    Deactivate,
    Unlink,
    Recreate,
    Hold(ParkedKind, String),
    Wait,
}

impl Work<'_> {
    /// Decides every link of which one end is deleted, but for those that wait. Runs before components are merged.
    pub(crate) fn settle_removals(&mut self, waiting: &BTreeSet<Link>) {
        self.withdraw_creates_of_the_deleted();
        if !self.may_be_about_removals() {
            return;
        }
        let links = self.cluster.links.clone();
        let flows = self.flows;
        let stands = |link: &Link| waiting.contains(link) || flows.rests(&link.flow);
        for link in links.into_iter().filter(|link| !stands(link)) {
            if let Some(gone) = self.vanished(&link) {
                self.settle_vanished(&link, gone);
                continue;
            }
            let deleted = |side| {
                let record = self.record(link.end(side));
                record.is_some_and(|record| record.shadow.presence == Presence::Deleted)
            };
            match (deleted(Side::First), deleted(Side::Second)) {
                (false, false) => {
                    self.forget_verdict(&link);
                    for side in Side::BOTH {
                        self.forget_refused_removal(link.end(side), &link.flow);
                    }
                }
                (true, true) => {
                    if !self.went_with_parent(&link) {
                        self.carried_on.push(link.flow.clone());
                    }
                    self.unlink(&link, Side::First, "both were deleted");
                }
                (first, _) => self.settle_removal(&link, if first { Side::First } else { Side::Second }),
            }
        }
    }

    /// Whether a record of the cluster is gone, or anything is left of one that was.
    fn may_be_about_removals(&self) -> bool {
        let about = |record: &crate::cluster::Record| {
            !record.alive() || record.held.values().any(|parked| parked.grounds.is_some())
        };
        self.cluster.records.values().any(about)
            || self.cluster.links.iter().any(|link| link.verdict.is_some())
    }

    /// What a person decided about a record that was gone is void once it is there again.
    fn forget_verdict(&mut self, link: &Link) {
        let mut links = self.cluster.links.iter_mut();
        if let Some(own) = links.find(|own| own.flow == link.flow && own.first == link.first) {
            own.verdict = None;
        }
    }

    fn withdraw_creates_of_the_deleted(&mut self) {
        if removed(Mutation::OrphanedCreate) {
            return;
        }
        let records = &self.cluster.records;
        let alive = |key: &RecordKey| records.get(key).is_some_and(crate::cluster::Record::alive);
        self.cluster.creates.retain(|intent| {
            intent.sent.is_some()
                || match &intent.action {
                    Action::Create { source, .. } => alive(source),
                    Action::Companion { key, .. } => alive(&key.owner),
                    Action::Update { .. } | Action::Delete { .. } => true,
                }
        });
    }

    fn settle_removal(&mut self, link: &Link, gone: Side) {
        let flows = self.flows;
        let Some(flow) = flows.flow(&link.flow) else {
            return;
        };
        let (deleted, other) = (link.end(gone).clone(), link.end(gone.other()).clone());
        let step = self.next_step(flow, link, gone);
        let closed = !flow.end(gone.other()).write;
        match step {
            // E9: what is never written is not deleted or put out of use either, whoever asks for it.
            Step::Delete | Step::Deactivate | Step::Hold(ParkedKind::Approval, _) if closed => {
                let why = format!(
                    "its counterpart was deleted; {} is not written",
                    other.record_type
                );
                self.unlink(link, gone, &why);
            }
            Step::Wait => {}
            _ if link.verdict.is_none() && self.stays_refused(flow, &other, gone.other(), &step) => {}
            Step::Hold(kind, mut reason) => {
                if matches!(kind, ParkedKind::Approval | ParkedKind::DeleteConflict) {
                    reason.push_str(&self.losses(&deleted));
                }
                let advice = match kind {
                    ParkedKind::Deferred => "nothing to do: it follows by itself".to_owned(),
                    ParkedKind::Protected => "set its parent back to a draft, and it follows".to_owned(),
                    _ => format!("`tandem approve`, with what shall become of {other}"),
                };
                let parked = self.parked(kind, 0, reason, advice);
                self.hold(&other, &flow.name, parked);
            }
            Step::Unlink => self.unlink(link, gone, "its counterpart was deleted"),
            Step::Recreate => {
                self.unlink(link, gone, "its counterpart was deleted and is created again");
                if let Some(record) = self.cluster.records.get_mut(&other) {
                    record.suppressed.remove(&flow.name);
                }
            }
            Step::Delete => {
                self.forget_refused_removal(&other, &flow.name);
                let reason = format!("{deleted} was deleted");
                let trace = self.trace_of(&deleted);
                self.intend(
                    &other,
                    |rank| removal(&other, rank, reason, trace),
                    Action::Delete {
                        record: other.clone(),
                    },
                );
            }
            Step::Deactivate => self.deactivate(flow, link, gone),
        }
    }

    /// Its removal was refused, of the record as it is.
    fn stays_refused(&self, flow: &Flow, key: &RecordKey, side: Side, step: &Step) -> bool {
        let put_out = flow.end(side).deactivate.clone().map(|(property, value)| {
            let planned = crate::cluster::Planned::own(value);
            BTreeMap::from([(property, planned)])
        });
        let deleted = matches!(step, Step::Delete | Step::Hold(ParkedKind::Approval, _));
        let put_out =
            put_out.filter(|_| matches!(step, Step::Deactivate | Step::Hold(ParkedKind::Approval, _)));
        let mut ways = put_out.into_iter().chain(deleted.then(BTreeMap::new));
        ways.any(|written| self.removal_was_refused(key, &flow.name, &written))
    }

    fn next_step(&mut self, flow: &Flow, link: &Link, gone: Side) -> Step {
        let (deleted, other) = (&link.end(gone).clone(), &link.end(gone.other()).clone());
        let Some(record) = self.record(other) else {
            return Step::Wait;
        };
        if record.in_flight() || record.shadow.presence == Presence::Missing {
            return Step::Wait;
        }
        if let Some(property) = self.unproven(other) {
            return Step::Hold(
                ParkedKind::Deferred,
                format!(
                    "{deleted} was deleted; whether {property} of {other} was cleared by a person is looked up"
                ),
            );
        }
        match link.verdict {
            Some(Verdict::Propagate) => return Step::Delete,
            Some(Verdict::Deactivate) => return Step::Deactivate,
            Some(Verdict::Unlink) => return Step::Unlink,
            Some(Verdict::Recreate) => return Step::Recreate,
            None => {}
        }
        if let Some(step) = self.step_with_parent(flow, link, gone) {
            return step;
        }
        if self.is_out_of_use(flow, link, gone) {
            return Step::Deactivate;
        }
        if let Some(property) = self.out_of_sight(flow, other) {
            return Step::Hold(
                ParkedKind::Deferred,
                format!("{deleted} was deleted; whether {property} of {other} was edited cannot be seen"),
            );
        }
        if !self.unedited_since(deleted, other) {
            match flow.delete_against_edit {
                DeleteAgainstEdit::Ask => {
                    let reason = format!("{deleted} was deleted, {other} was edited");
                    return Step::Hold(ParkedKind::DeleteConflict, reason);
                }
                DeleteAgainstEdit::EditWins => return Step::Recreate,
                DeleteAgainstEdit::DeleteWins => {}
            }
        }
        let asks = |what: &str| {
            Step::Hold(
                ParkedKind::Approval,
                format!("{deleted} was deleted: {what} {other}?"),
            )
        };
        let approval = flow.end(gone.other()).deactivate_needs_approval;
        match flow.end(gone).on_delete {
            DeletePolicy::Unlink => Step::Unlink,
            DeletePolicy::Recreate => Step::Recreate,
            DeletePolicy::Ask => asks("delete"),
            DeletePolicy::AskThenDeactivate => asks("deactivate"),
            DeletePolicy::Deactivate if approval => asks("deactivate"),
            DeletePolicy::Propagate | DeletePolicy::Deactivate if self.guarded(flow) => Step::Hold(
                ParkedKind::Approval,
                format!(
                    "{deleted} was deleted; so many of {} were that a person must approve",
                    flow.name
                ),
            ),
            DeletePolicy::Propagate if self.owes_others(other) => Step::Hold(
                ParkedKind::Deferred,
                format!("{deleted} was deleted; first others get what was edited in {other}"),
            ),
            DeletePolicy::Propagate => Step::Delete,
            DeletePolicy::Deactivate => Step::Deactivate,
        }
    }

    /// The counterpart was to be put out of use, and is: by our own write, which is nobody's edit whatever became of its
    /// answer, or by somebody who meant the same. Nothing is left to be asked or done.
    fn is_out_of_use(&self, flow: &Flow, link: &Link, gone: Side) -> bool {
        let deactivates = matches!(
            flow.end(gone).on_delete,
            DeletePolicy::Deactivate | DeletePolicy::AskThenDeactivate
        );
        let wanted = flow.end(gone.other()).deactivate.as_ref().filter(|_| deactivates);
        let other = self.record(link.end(gone.other()));
        let (Some((property, value)), Some(other)) = (wanted, other) else {
            return false;
        };
        other.value(property) == value && !removed(Mutation::OwnDeactivation)
    }

    /// A part that went may have gone with its parent: the parent is read first, and what becomes of it decides.
    fn step_with_parent(&mut self, flow: &Flow, link: &Link, gone: Side) -> Option<Step> {
        let (deleted, other) = (link.end(gone), link.end(gone.other()));
        let (parent, fact) = self.parent_of(deleted, flow, gone)?;
        let record = crate::support::parent_record(self.flows, &parent)?;
        let holds = |why: String| Some(Step::Hold(ParkedKind::Deferred, why));
        self.wait_for_parent(&parent);
        if fact.unread || self.just_deleted.contains(deleted) {
            return holds(format!("{deleted} was deleted; {record} is read again first"));
        }
        if fact.undecided {
            return holds(format!("{deleted} was deleted; {record} is decided first"));
        }
        if fact.is_deleted() {
            return match (&fact.other, fact.verdict) {
                (None, _) | (Some(_), Some(Verdict::Unlink | Verdict::Deactivate)) => Some(Step::Unlink),
                (Some(_), Some(Verdict::Propagate)) => Some(Step::Delete),
                (Some(_), Some(Verdict::Recreate)) => Some(Step::Recreate),
                (Some(_), None) => holds(format!(
                    "{deleted} was deleted with {record}: what becomes of that decides"
                )),
            };
        }
        let (there, at) = self.parent_of(other, flow, gone.other())?;
        let values = at.own.as_ref().map(|(_, values)| values)?;
        let (reason, _) = self.locked(&there, gone.other(), values)?;
        Some(Step::Hold(
            ParkedKind::Protected,
            format!("{deleted} was deleted; {reason}"),
        ))
    }

    /// A part that went with its parent, about which a person or the policy decided.
    fn went_with_parent(&self, link: &Link) -> bool {
        let flow = self.flows.flow(&link.flow);
        Side::BOTH.into_iter().any(|side| {
            let parent = flow.and_then(|flow| self.parent_of(link.end(side), flow, side));
            parent.is_some_and(|(_, fact)| fact.is_deleted())
        })
    }

    /// More deletions within the guard's window than pass without approval.
    fn guarded(&self, flow: &Flow) -> bool {
        if self.facts.approved.contains(&flow.name) {
            return false;
        }
        let seen = self.facts.deletions.get(&flow.name);
        seen.is_some_and(|seen| seen.pass(&flow.guard))
    }

    /// A property whose edits would stand against a deletion and that its system does not show.
    fn out_of_sight(&self, flow: &Flow, other: &RecordKey) -> Option<String> {
        if flow.delete_against_edit == DeleteAgainstEdit::DeleteWins {
            return None;
        }
        let components = topology::components(self.flows, &self.cluster, true);
        let mut own = components.iter().flat_map(|component| &component.nodes);
        let hidden = own.find(|node| {
            let of = &node.at.record;
            of == other && node.source() && self.is_hidden(of, &node.at.property)
        });
        hidden.map(|node| node.at.property.clone())
    }

    /// D1: the target is clean in every shared component, and the deleted record was not behind in any.
    fn unedited_since(&self, deleted: &RecordKey, other: &RecordKey) -> bool {
        topology::components(self.flows, &self.cluster, true)
            .iter()
            .all(|component| {
                let member = |key: &RecordKey| component.nodes.iter().find(|node| &node.at.record == key);
                let (Some(a), Some(b)) = (member(deleted), member(other)) else {
                    return true;
                };
                let base = |node: &topology::Node<'_>| {
                    self.record(&node.at.record)
                        .and_then(|record| record.bases.get(&node.at.property).cloned())
                };
                // What the other side edits counts although it is not written to the deleted one.
                let behind = (a.target() || b.source())
                    && self.has_not_seen(component, a, b)
                    && !removed(Mutation::DeleterBehind);
                let asked = self
                    .cluster
                    .questions
                    .iter()
                    .any(|question| component.nodes.iter().any(|node| node.at == question.anchor));
                let own = topology::own_value(&self.cluster, &b.at);
                // A value that never agreed with anything counts as edited: a person may be asked about it still. Not so
                // what a system gave by itself to a record that we created.
                let made = self.record(other).filter(|record| record.born);
                let given = made.and_then(|record| may_be_typed(record, b)) == Some(false);
                let unmerged = match base(b) {
                    Some(base) => base.value != own,
                    None => !component.one_way() && !own.is_blank() && !given,
                };
                let with_record = self.cleared(&b.at.record, &b.at.property) == Some(Cleared::WithRecord);
                let edited = asked || (b.source() && unmerged && !with_record);
                !behind && !edited
            })
    }

    /// A deleted member never had an edit that stands in the component of its counterpart. What stands there since before the
    /// one was created for the other is no edit: the create had to leave it out, or one of the two systems filled it in. Not
    /// so a plain value that the create could not give: whoever deletes the one never saw it.
    fn has_not_seen(
        &self,
        component: &topology::Component<'_>,
        deleted: &topology::Node<'_>,
        other: &topology::Node<'_>,
    ) -> bool {
        let heads = &self.cluster.heads;
        let Some(head) = component.nodes.iter().find_map(|node| heads.get(&node.at)) else {
            return false;
        };
        let ends = [deleted, other].map(|node| self.record(&node.at.record));
        let base = ends[0].and_then(|record| record.bases.get(&deleted.at.property));
        // What the two had agreed on before somebody typed another value.
        let replaced =
            base.is_some_and(|base| !base.value.is_blank() && self.differs(deleted, head, &base.value));
        if !replaced && self.came_with_its_record(head, other) {
            return false;
        }
        let born = ends.into_iter().flatten().any(|record| record.born);
        let withheld = !head.value.is_blank() && self.was_withheld(deleted);
        let first_word =
            !replaced && born && head.is_first_sight() && !component.starts_with_edit() && !withheld;
        // Without a base it has not seen the head (a one-way component has none before its first edit).
        match base.map(|base| base.epoch) {
            None | Some(0) => !first_word,
            Some(epoch) => epoch < head.epoch,
        }
    }

    /// Whether a value of a member says something else than the head.
    fn differs(&self, node: &topology::Node<'_>, head: &Head, own: &Value) -> bool {
        let part = &node.parts[0];
        let form = Form {
            flow: part.flow,
            mapping: part.mapping,
            side: part.side,
            facts: self.facts,
        };
        form.decode(own).is_ok() && !form.fits(&head.value, own)
    }

    /// We created the deleted one without a value that stands in the other: it was refused, did not fit or was out of sight.
    /// A reference had to wait, and what systems give by themselves is no person's.
    fn was_withheld(&self, deleted: &topology::Node<'_>) -> bool {
        let Some(record) = self.record(&deleted.at.record).filter(|record| record.born) else {
            return false;
        };
        let plain = |part: &topology::Part<'_>| {
            let mapping = part.mapping;
            let own = mapping.owned_by.is_some() || mapping.given_by.is_some();
            let filled = own || mapping.filled_on_create.contains(&true);
            !filled && !matches!(mapping.kind, Kind::Reference(_))
        };
        let base = record.bases.get(&deleted.at.property);
        base.is_none_or(|base| base.value.is_blank()) && deleted.parts.iter().all(plain)
    }

    /// The head is what the system of a record that we created gave it by itself, in place of the blank that we had for it.
    fn came_with_its_record(&self, head: &Head, node: &topology::Node<'_>) -> bool {
        let Some(record) = self.record(&node.at.record).filter(|record| record.born) else {
            return false;
        };
        let made = record
            .shadow
            .created
            .is_some_and(|created| head.span.to <= created);
        made && head.span.from.is_none() && head.origin.as_ref() == Some(&node.at.record)
    }

    /// What was edited in a record has not reached all its other counterparts: with it the edit would go.
    fn owes_others(&self, key: &RecordKey) -> bool {
        let components = topology::components(self.flows, &self.cluster, false);
        components.iter().any(|component| {
            let heads = &self.cluster.heads;
            let Some(head) = component.nodes.iter().find_map(|node| heads.get(&node.at)) else {
                return false;
            };
            let base = |node: &topology::Node<'_>| {
                let record = self.record(&node.at.record)?;
                record.bases.get(&node.at.property)
            };
            let unmerged = |node: &topology::Node<'_>| {
                let own = topology::own_value(&self.cluster, &node.at);
                let with_record =
                    self.cleared(&node.at.record, &node.at.property) == Some(Cleared::WithRecord);
                node.source() && !with_record && base(node).is_none_or(|base| base.value != own)
            };
            let behind = |node: &topology::Node<'_>| {
                node.target() && base(node).is_none_or(|base| base.epoch < head.epoch)
            };
            let (own, others): (Vec<_>, Vec<_>) =
                component.nodes.iter().partition(|node| &node.at.record == key);
            own.iter().any(|node| unmerged(node))
                || (!own.is_empty() && others.iter().any(|node| behind(node)))
        })
    }

    /// Puts the counterpart out of use; once it is, the link ends.
    pub(crate) fn deactivate(&mut self, flow: &Flow, link: &Link, gone: Side) {
        let other = link.end(gone.other()).clone();
        let Some((property, value)) = flow.end(gone.other()).deactivate.clone() else {
            return self.unlink(
                link,
                gone,
                "its counterpart was deleted; it cannot be put out of use",
            );
        };
        if self.cluster.records[&other].value(&property) == &value {
            self.carried_on.push(flow.name.clone());
            return self.unlink(link, gone, "its counterpart was deleted; it is out of use");
        }
        let kept = self.cluster.records[&other].parked.get(&property).cloned();
        if let Some(parked) = kept.filter(|parked| parked.kind == ParkedKind::Rewritten) {
            // It was accepted once and does not stand: asked for again when a person says so.
            return self.hold(&other, &flow.name, parked);
        }
        self.forget_refused_removal(&other, &flow.name);
        let deleted = link.end(gone).clone();
        let (reason, trace) = (format!("{deleted} was deleted"), self.trace_of(&deleted));
        let build = |rank| {
            let mut intent = removal(&other, rank, reason, trace);
            intent
                .values
                .insert(property, crate::cluster::Planned::own(value));
            intent
        };
        self.intend(
            &other,
            build,
            Action::Update {
                record: other.clone(),
            },
        );
    }

    /// The deletion of a record, as a change.
    fn trace_of(&self, deleted: &RecordKey) -> Trace {
        let version = self
            .record(deleted)
            .and_then(|record| record.shadow.version.as_ref());
        version.map_or(Trace::NONE, |version| {
            let saved = self
                .flows
                .by_our_clock(&deleted.record_type.system, version.modified);
            Trace::of(deleted, saved)
        })
    }

    pub(crate) fn intend(&mut self, key: &RecordKey, build: impl FnOnce(usize) -> Intent, action: Action) {
        let rank = self.flows.rank(&key.record_type);
        let Some(record) = self.cluster.records.get_mut(key) else {
            return;
        };
        let mut intent = build(rank);
        intent.action = action;
        intent.version = record.shadow.version.clone();
        intent.before = intent
            .values
            .keys()
            .map(|name| (name.clone(), record.value(name).clone()))
            .collect();
        let before: Vec<Intent> = record.intent.take().into_iter().collect();
        record.intent = Some(crate::creates::reuse(intent, &before));
        record.removing = true;
    }

    /// Ends a link: neither end is linked or created again in the flow, unless a person says so. Heads stay
    /// with what remains together; what the ends agreed on is forgotten where nothing ties them any more.
    pub(crate) fn unlink(&mut self, link: &Link, gone: Side, why: &str) {
        let (leaving, staying) = (link.end(gone).clone(), link.end(gone.other()).clone());
        for side in Side::BOTH {
            let deleted = |record: &crate::cluster::Record| record.shadow.presence == Presence::Deleted;
            if self.record(link.end(side)).is_some_and(deleted) {
                self.remember_former(link, side);
            }
        }
        self.part(link);
        self.forget_refused_removal(&staying, &link.flow);
        for key in [&leaving, &staying] {
            if let Some(record) = self.cluster.records.get_mut(key) {
                record.suppressed.insert(link.flow.clone());
            }
        }
        self.note(
            &staying,
            None,
            Some(&link.flow),
            EventKind::Unlinked { from: leaving },
            why.to_owned(),
        );
    }
}

pub(crate) fn removal(key: &RecordKey, rank: usize, reason: String, trace: Trace) -> Intent {
    Intent {
        id: 0,
        action: Action::Delete { record: key.clone() },
        values: std::collections::BTreeMap::new(),
        version: None,
        before: std::collections::BTreeMap::<String, Value>::new(),
        sent: None,
        first_sent: None,
        attempts: 0,
        unknown: false,
        rank,
        reason,
        follows: false,
        trace,
    }
}
