//! Merging the components of a cluster: members out of records, results back into records.

use crate::cluster::{Action, Anchor, Base, Cleared, Contender, Head, ParkedKind, Question, Record};
use crate::component::{self, Clash, Codec, Member, Merged, Rule};
use crate::dataflow::ConflictPolicy;
use crate::form::{Form, Trouble};
use crate::plan::EventKind;
use crate::record::RecordKey;
use crate::rest::Rest;
use crate::topology::{self, Component, Node, Sketch};
use crate::trace::Trace;
use crate::value::Value;
use crate::work::Work;
use std::collections::BTreeMap;

/// Values that records are owed, by record and property.
pub(crate) type Owed = BTreeMap<RecordKey, BTreeMap<String, Owing>>;

/// A value that a record is owed.
pub(crate) struct Owing {
    /// The record's own form.
    pub(crate) value: Value,
    /// The head's epoch.
    pub(crate) epoch: u64,
    /// The change that it carries.
    pub(crate) trace: Trace,
    /// Where the head comes from; none where a person gave it.
    pub(crate) origin: Option<RecordKey>,
    /// It was refused at this very epoch: written only if what that rests on changed.
    pub(crate) withheld: bool,
}

impl Codec for Form<'_> {
    fn decode(&self, own: &Value) -> Result<Value, Trouble> {
        Form::decode(self, own)
    }
    fn encode(&self, canonical: &Value) -> Result<Value, Trouble> {
        Form::encode(self, canonical)
    }
    fn fits(&self, canonical: &Value, own: &Value) -> bool {
        Form::fits(self, canonical, own)
    }
}

impl<'a> Work<'a> {
    /// Merges every component of the linked records, but for those that are at rest.
    pub(crate) fn merge_components(&mut self) -> Owed {
        let sketch = Sketch::of(self.flows, &self.cluster, false);
        let rest = Rest::of(self.flows, &self.cluster, &sketch.records);
        let components = sketch.components(|members| !rest.holds(members));
        let mut owed = Owed::new();
        for component in &components {
            self.merge_component(component, &mut owed);
        }
        owed
    }

    /// Merges one component and stores what came of it.
    pub(crate) fn merge_component(&mut self, component: &Component<'a>, owed: &mut Owed) {
        let awake = self.awake(component);
        let all = awake.as_deref().unwrap_or(&component.nodes);
        let nodes: Vec<&Node<'a>> = all.iter().filter(|node| self.takes_part(node)).collect();
        if nodes.is_empty() {
            return;
        }
        let (anchor, head, floor) = self.head_of(component);
        let head = head.map(|head| self.pointed_anew(&nodes, head));
        let forms: Vec<Form<'_>> = nodes.iter().map(|node| self.form(node)).collect();
        let members: Vec<Member<'_>> = nodes
            .iter()
            .zip(&forms)
            .map(|(node, form)| {
                let member = self.member(node, form, head.as_ref(), component.one_way());
                let loss = member
                    .loss
                    .or_else(|| self.loss_alone(node, form, &nodes, head.as_ref()));
                Member { loss, ..member }
            })
            .collect();
        let rule = Rule {
            policy: component.policy(),
            clock_error: self.flows.clock_error_seconds,
            answer: None,
            one_way: component.one_way(),
            floor,
        };
        let mut merged = component::merge(head.as_ref(), &members, &rule);
        let first = self.asks_first(&nodes, &members, &merged);
        let rule = match &first {
            Some(_) => Rule {
                policy: ConflictPolicy::Ask,
                ..rule
            },
            None => rule,
        };
        if first.is_some() {
            merged = component::merge(head.as_ref(), &members, &rule);
        }
        if let Some(answer) = self.answer(&nodes, &anchor, head.as_ref(), &merged) {
            let answer = Some(&answer);
            merged = component::merge(head.as_ref(), &members, &Rule { answer, ..rule });
        }
        drop(members);
        self.store(&nodes, (anchor.clone(), first), head, merged, owed);
        if let Some(awake) = &awake {
            self.agree_asleep(component, awake, &anchor);
        }
    }

    /// Members in flows that rest are not decided about. One that holds what the head says agrees with it all the same: what
    /// somebody types over that value is typed over the head (M7).
    fn agree_asleep(&mut self, component: &Component<'a>, awake: &[Node<'a>], anchor: &Anchor) {
        let Some(head) = self.cluster.heads.get(anchor).cloned() else {
            return;
        };
        for node in &component.nodes {
            if awake.iter().any(|other| other.at == node.at) || !self.takes_part(node) {
                continue;
            }
            let fits = self
                .record(&node.at.record)
                .is_some_and(|record| self.form(node).fits(&head.value, record.value(&node.at.property)));
            let record = self.cluster.records.get_mut(&node.at.record);
            let Some(record) = record.filter(|record| fits && !record.in_flight()) else {
                continue;
            };
            let shown = record.value(&node.at.property).clone();
            let base = record.bases.get_mut(&node.at.property);
            if let Some(base) = base.filter(|base| base.value == shown && base.epoch < head.epoch) {
                base.epoch = head.epoch;
            }
        }
    }

    /// The flow that asks before a first link overwrites anything, where this is one that would: a value that was never
    /// agreed on contends, and the policy decides.
    fn asks_first(&self, nodes: &[&Node<'a>], members: &[Member<'_>], merged: &Merged) -> Option<String> {
        let clash = merged.conflict.as_ref().filter(|clash| clash.winner.is_some())?;
        let joins = |index: &&usize| members[**index].base.is_none() && members[**index].newborn.is_none();
        let joining = clash.members.iter().filter(joins);
        let mut flows = joining.flat_map(|index| nodes[*index].parts.iter().map(|part| &part.flow.name));
        flows.find(|flow| self.flows.asks_first.contains(*flow)).cloned()
    }

    /// A reference is held by the first side's id: where another record took the place of the one that was deleted there,
    /// it is that one which is meant from now on.
    fn pointed_anew(&self, nodes: &[&Node<'a>], head: Head) -> Head {
        match self.replaced(nodes, &head.value) {
            Some(id) => Head {
                value: Value::Text(id),
                epoch: head.epoch + 1,
                ..head
            },
            None => head,
        }
    }

    /// The component's members in flows that do not rest, where one does.
    fn awake(&self, component: &Component<'a>) -> Option<Vec<Node<'a>>> {
        let rests = |part: &topology::Part<'_>| self.flows.rests(&part.flow.name);
        let mut parts = component.nodes.iter().flat_map(|node| &node.parts);
        if !parts.any(rests) {
            return None;
        }
        let awake = component.nodes.iter().map(|node| Node {
            at: node.at.clone(),
            parts: node.parts.iter().filter(|part| !rests(part)).copied().collect(),
        });
        Some(awake.filter(|node| !node.parts.is_empty()).collect())
    }

    /// A record that we created and have not seen since takes part only with what the create gave it; one whose write is
    /// under way, only with what its last look showed: a property that is back in sight may wait behind the write.
    pub(crate) fn takes_part(&self, node: &Node<'_>) -> bool {
        let Some(record) = self.record(&node.at.record) else {
            return false;
        };
        let unseen = record.newborn.as_ref().is_some_and(|newborn| !newborn.observed);
        let property = &node.at.property;
        let unread = record.in_flight()
            && record.bases.contains_key(property)
            && !record.shadow.values.contains_key(property);
        let hidden = unread || self.is_hidden(&node.at.record, property);
        !hidden && record.alive() && (!unseen || record.bases.contains_key(property))
    }

    pub(crate) fn form(&self, node: &Node<'a>) -> Form<'a> {
        let part = &node.parts[0];
        Form {
            flow: part.flow,
            mapping: part.mapping,
            side: part.side,
            facts: self.facts,
        }
    }

    fn member<'m>(
        &self,
        node: &Node<'a>,
        form: &'m Form<'a>,
        head: Option<&Head>,
        one_way: bool,
    ) -> Member<'m> {
        let record = &self.cluster.records[&node.at.record];
        let property = node.at.property.as_str();
        let newborn = record.newborn.as_ref().filter(|newborn| newborn.observed);
        let part = &node.parts[0];
        // What the system gave by itself counts from the start only where the record is new to the component.
        let from_start = node
            .parts
            .iter()
            .any(|part| part.mapping.owned_by == Some(part.side))
            || (node.from_start() && newborn.is_some() && head.is_some());
        Member {
            record: node.at.record.clone(),
            side: part.side,
            shadow: topology::own_value(&self.cluster, &node.at),
            base: record
                .bases
                .get(property)
                .cloned()
                .or_else(|| base_of_newborn(record, node, head).filter(|_| !one_way && !from_start)),
            span: record.span(property),
            source: node.source(),
            target: node.target() && !record.shadow.protected,
            from_start,
            blank_is_edit: node.parts.iter().all(|part| part.mapping.blank_is_edit),
            newborn: newborn.map(|newborn| newborn.left_out.contains(property)),
            ours: self.came_with_our_write(&node.at.record, record),
            in_flight: is_carried(record, property),
            parked: record.parked.get(property).map(|parked| parked.epoch),
            loss: self.loss(node),
            codec: form,
        }
    }

    /// The state of a record is as old as our last write of it, by the clocks.
    pub(crate) fn came_with_our_write(&self, key: &RecordKey, record: &Record) -> bool {
        let error = jiff::SignedDuration::from_secs(self.flows.clock_error_seconds + 1);
        let until = record.wrote_at.and_then(|at| at.checked_add(error).ok());
        let version = record.shadow.version.as_ref();
        let modified =
            version.map(|version| self.flows.by_our_clock(&key.record_type.system, version.modified));
        until.is_some_and(|until| modified.is_some_and(|modified| modified <= until))
    }

    /// The component's head with its anchor, and the epoch above which a new one starts: writes that are under way carry
    /// epochs of heads that may be no more. Two running components that a link joins start anew: all their values contend.
    fn head_of(&mut self, component: &Component<'_>) -> (Anchor, Option<Head>, u64) {
        let found: Vec<Anchor> = component
            .nodes
            .iter()
            .map(|node| &node.at)
            .filter(|at| self.cluster.heads.contains_key(at))
            .cloned()
            .collect();
        let flying = component.nodes.iter().map(|node| self.flying(&node.at));
        let flying = flying.max().unwrap_or_default();
        match found.as_slice() {
            [] => (component.nodes[0].at.clone(), None, flying),
            [anchor] => (anchor.clone(), self.cluster.heads.get(anchor).cloned(), flying),
            several => {
                let dropped = several
                    .iter()
                    .filter_map(|anchor| self.cluster.heads.remove(anchor));
                let floor = dropped.map(|head| head.epoch).fold(flying, u64::max);
                for node in &component.nodes {
                    if let Some(record) = self.cluster.records.get_mut(&node.at.record) {
                        record.bases.remove(&node.at.property);
                    }
                }
                (component.nodes[0].at.clone(), None, floor)
            }
        }
    }

    /// The latest epoch that a write under way carries a property at: one of its record, or a create out of it.
    fn flying(&self, at: &Anchor) -> u64 {
        let own = self.record(&at.record).and_then(|record| record.intent.as_ref());
        let own = own.filter(|intent| intent.sent.is_some());
        let own = own.and_then(|intent| intent.values.get(&at.property));
        let sent = self.cluster.creates.iter().filter(|intent| intent.sent.is_some());
        let copies = sent.filter_map(|intent| match &intent.action {
            Action::Create { flow, source, .. } if source == &at.record => {
                Some((self.flows.flow(flow)?, intent))
            }
            _ => None,
        });
        let copied = copies.flat_map(|(flow, intent)| {
            let side = flow.side_of(&at.record.record_type);
            let rows = flow.mappings.iter().filter_map(move |row| Some((row, side?)));
            let rows = rows.filter(|(row, side)| row.property(*side) == at.property);
            rows.filter_map(|(row, side)| intent.values.get(row.property(side.other())))
        });
        own.into_iter()
            .chain(copied)
            .map(|planned| planned.epoch)
            .max()
            .unwrap_or_default()
    }

    fn store(
        &mut self,
        nodes: &[&Node<'a>],
        (anchor, first): (Anchor, Option<String>),
        before: Option<Head>,
        merged: Merged,
        owed: &mut Owed,
    ) {
        self.tell_edits(nodes, &merged);
        self.tell_conflict(nodes, &anchor, before.as_ref(), (&merged, first));
        let (epoch, trace) = led_if(&anchor, merged.head.as_ref());
        let origin = merged.head.as_ref().and_then(|head| head.origin.clone());
        if let Some(head) = merged.head {
            self.cluster.heads.insert(anchor, head);
        }
        for (index, (node, base)) in nodes.iter().zip(merged.bases).enumerate() {
            let Some(record) = self.cluster.records.get_mut(&node.at.record) else {
                continue;
            };
            let property = &node.at.property;
            let caught_up = base.as_ref().is_some_and(|base| base.epoch == epoch)
                && record.bases.get(property).is_none_or(|old| old.epoch < epoch);
            let tried_again = merged.owed.iter().any(|(owed, _)| *owed == index);
            let superseded = |epochs: u64| 0 < epochs && epochs < epoch;
            record.parked.retain(|name, parked| {
                name != property || !(caught_up || tried_again || superseded(parked.epoch))
            });
            if let Some(base) = base {
                record.bases.insert(node.at.property.clone(), base);
            }
        }
        let owing = merged.owed.into_iter().map(|owing| (owing, false));
        let withheld = merged.withheld.into_iter().map(|owing| (owing, true));
        for ((index, value), withheld) in owing.chain(withheld) {
            let at = &nodes[index].at;
            let owing = Owing {
                value,
                epoch,
                trace,
                origin: origin.clone(),
                withheld,
            };
            owed.entry(at.record.clone())
                .or_default()
                .insert(at.property.clone(), owing);
        }
        self.release(nodes, owed);
        for node in nodes {
            self.list_loss(node, epoch);
        }
        for index in merged.rewritten {
            self.park_rewritten(&nodes[index].at, epoch);
        }
        for (index, trouble) in merged.troubles {
            let node = nodes[index];
            let parked = match trouble {
                Trouble::LeftAlone => Some(self.left_alone(node, epoch)),
                trouble => self.trouble(trouble, epoch, Some(node.parts[0].mapping)),
            };
            let Some(parked) = parked else { continue };
            let at = &nodes[index].at;
            if let Some(record) = self.cluster.records.get_mut(&at.record) {
                record.parked.insert(at.property.clone(), parked);
            }
        }
    }

    /// What names a record that is to be deleted goes blank first. The head stays, so that the value comes back where the
    /// deletion does not come about.
    fn release(&mut self, nodes: &[&Node<'a>], owed: &mut Owed) {
        let refers = |node: &&Node<'a>| {
            let mut parts = node.parts.iter();
            parts.any(|part| crate::cleared::may_go_with_record(part.mapping))
        };
        if !nodes.iter().any(refers) {
            return;
        }
        let releases = self.releases(nodes);
        for (index, node) in nodes.iter().enumerate().filter(|(_, node)| refers(node)) {
            let (key, property) = (&node.at.record, &node.at.property);
            let release = releases.iter().find(|(released, _)| *released == index);
            let Some(record) = self.cluster.records.get_mut(key) else {
                continue;
            };
            let Some((_, value)) = release else {
                // What was refused of a release counts no longer than that is wanted.
                record
                    .parked
                    .retain(|name, parked| name != property || parked.epoch > 0);
                continue;
            };
            let owing = Owing {
                value: value.clone(),
                epoch: 0,
                trace: Trace::NONE,
                origin: Some(key.clone()),
                withheld: record.parked.contains_key(property),
            };
            owed.entry(key.clone())
                .or_default()
                .insert(property.clone(), owing);
        }
    }

    /// A reference that went blank with its record is listed as long as that waits.
    fn list_loss(&mut self, node: &Node<'a>, epoch: u64) {
        let Some(reason) = self.wait_of_loss(node) else {
            return;
        };
        let advice = "nothing to do: it follows by itself".to_owned();
        let parked = self.parked(ParkedKind::Deferred, epoch, reason, advice);
        if let Some(record) = self.cluster.records.get_mut(&node.at.record) {
            record.parked.entry(node.at.property.clone()).or_insert(parked);
        }
    }

    /// E13: what a system makes of a value stays, and a person is told.
    fn park_rewritten(&mut self, at: &Anchor, epoch: u64) {
        let system = at.record.record_type.system.clone();
        let reason =
            format!("{system} changes what it is given, and so do others: its own value stays there");
        let advice = "Find the rule in that system that changes the value and switch it off, or take one form on both \
                      sides; the next edit is carried again";
        let parked = self.parked(ParkedKind::Rewritten, epoch, reason.clone(), advice.to_owned());
        let what = EventKind::Parked {
            kind: ParkedKind::Rewritten,
        };
        self.note(&at.record, Some(&at.property), None, what, reason);
        if let Some(record) = self.cluster.records.get_mut(&at.record) {
            record.parked.insert(at.property.clone(), parked);
        }
    }

    fn tell_edits(&mut self, nodes: &[&Node<'a>], merged: &Merged) {
        let epoch = merged.head.as_ref().map_or(0, |head| head.epoch);
        for index in &merged.edits {
            let at = &nodes[*index].at;
            let Some(record) = self.record(&at.record) else {
                continue;
            };
            let old = record
                .bases
                .get(&at.property)
                .map(|base| base.value.clone())
                .unwrap_or_default();
            let (new, author) = (record.value(&at.property).clone(), record.shadow.author.clone());
            let span = record.span(&at.property);
            let trace = Trace::of(&at.record, span.to);
            // What a first link settles is no edit.
            let known = record.bases.contains_key(&at.property);
            // Nor is what a system blanked with a deletion that was carried on.
            let with_record = self.cleared(&at.record, &at.property) == Some(Cleared::WithRecord);
            let parts = nodes[*index].parts.iter().filter(|_| known && !with_record);
            // What its own side owns, such as a total that the system computes, overwrites nothing that anybody typed.
            let parts = parts.filter(|part| part.mapping.owned_by != Some(part.side));
            for part in parts.filter(|part| part.mapping.travels_to(part.side.other())) {
                let place = (part.flow.name.clone(), part.side, at.record.clone());
                self.edited.insert(place);
            }
            let flow = nodes[*index].parts[0].flow.name.clone();
            let what = EventKind::Edited {
                old,
                new,
                author,
                made: Some(span),
            };
            let (record, property) = (at.record.clone(), at.property.clone());
            let why = if with_record {
                format!(
                    "went blank with the record that it named; {}",
                    goes_to(nodes, merged)
                )
            } else {
                goes_to(nodes, merged)
            };
            self.note_at((epoch, trace), &record, Some(&property), Some(&flow), what, why);
        }
    }

    fn tell_conflict(
        &mut self,
        nodes: &[&Node<'a>],
        anchor: &Anchor,
        head: Option<&Head>,
        (merged, first): (&Merged, Option<String>),
    ) {
        let Some(clash) = &merged.conflict else {
            self.cluster
                .questions
                .retain(|question| &question.anchor != anchor);
            return;
        };
        let contenders = self.contenders(nodes, anchor, head, clash);
        let flow = nodes[0].parts[0].flow.name.clone();
        let asked = clash.winner.is_none()
            && self.cluster.questions.iter().any(|question| {
                &question.anchor == anchor && question.answer.is_none() && question.contenders == contenders
            });
        let what = EventKind::Conflict {
            contenders: contenders.clone(),
            winner: clash.winner.clone(),
            estimated: clash.estimated,
            anchor: anchor.clone(),
        };
        if !asked {
            let part = &nodes[0].parts[0];
            let policy = part.mapping.conflict.unwrap_or(part.flow.conflict);
            let mut questions = self.cluster.questions.iter();
            let answered = questions.any(|question| &question.anchor == anchor && question.answer.is_some());
            let why = match (&clash.winner, policy) {
                (None, _) => "a person is asked".to_owned(),
                (Some(_), _) if answered => "answered by a person".to_owned(),
                (Some(_), ConflictPolicy::Wins(side)) => {
                    let system = &part.flow.end(side).record_type.system;
                    format!("settled by the policy: {system} wins")
                }
                (Some(_), _) => "settled by the policy: the latest edit wins".to_owned(),
            };
            let decided = merged.head.as_ref().filter(|_| clash.winner.is_some());
            let led = led_if(anchor, decided);
            let (record, property) = (anchor.record.clone(), anchor.property.clone());
            // What a guard of first links looks at before the policy decides is told once it is decided.
            if first.is_none() || clash.winner.is_some() {
                self.note_at(led, &record, Some(&property), Some(&flow), what, why);
            }
            self.cluster
                .questions
                .retain(|question| &question.anchor != anchor);
        }
        if clash.winner.is_none() && !asked {
            let since = self.facts.now;
            self.cluster.questions.push(Question {
                anchor: anchor.clone(),
                contenders,
                since,
                answer: None,
                first,
            });
        }
    }

    fn contender(&self, at: &Anchor) -> Contender {
        let record = &self.cluster.records[&at.record];
        Contender {
            record: Some(at.record.clone()),
            property: at.property.clone(),
            value: topology::own_value(&self.cluster, at),
            base: record.bases.get(&at.property).map(|base| base.value.clone()),
            span: record.span(&at.property),
            author: record.shadow.author.clone(),
        }
    }

    fn contenders(
        &self,
        nodes: &[&Node<'a>],
        anchor: &Anchor,
        head: Option<&Head>,
        clash: &Clash,
    ) -> Vec<Contender> {
        let members = clash
            .members
            .iter()
            .map(|index| self.contender(&nodes[*index].at));
        let head = head.filter(|_| clash.head).map(|head| Contender {
            record: None,
            property: anchor.property.clone(),
            value: head.value.clone(),
            base: None,
            span: head.span,
            author: None,
        });
        members.chain(head).collect()
    }

    /// A person's answer counts only for exactly the contenders that were shown.
    fn answer(
        &self,
        nodes: &[&Node<'a>],
        anchor: &Anchor,
        head: Option<&Head>,
        merged: &Merged,
    ) -> Option<Value> {
        let clash = merged.conflict.as_ref().filter(|clash| clash.winner.is_none())?;
        let question = self
            .cluster
            .questions
            .iter()
            .find(|question| &question.anchor == anchor)?;
        let shown = |contender: &Contender| {
            let Contender {
                record,
                property,
                value,
                ..
            } = contender;
            (record.clone(), property.clone(), value.clone())
        };
        let now = self.contenders(nodes, anchor, head, clash);
        let same = now.iter().map(shown).eq(question.contenders.iter().map(shown));
        question.answer.clone().filter(|_| same)
    }

    /// The member and the head agree at this epoch on the value that stands there.
    fn settled_at(&self, at: &Anchor, own: &Value, epoch: u64) -> bool {
        let base = self
            .record(&at.record)
            .and_then(|record| record.bases.get(&at.property));
        base.is_some_and(|base| base.epoch == epoch && base.value == *own)
    }

    /// The canonical value a record's property has in its component, with the head's epoch and change: the head, else its
    /// own.
    pub(crate) fn canonical(
        &self,
        at: &Anchor,
        form: &Form<'_>,
        component: Option<&Component<'_>>,
    ) -> Result<(Value, (u64, Trace)), Trouble> {
        let head = component.and_then(|component| {
            component
                .nodes
                .iter()
                .find_map(|node| self.cluster.heads.get_key_value(&node.at))
        });
        let own = topology::own_value(&self.cluster, at);
        let saved = self.record(&at.record).map(|record| record.span(&at.property).to);
        let saved = saved.map_or(Trace::NONE, |saved| Trace::of(&at.record, saved));
        match head.or_else(|| self.cluster.heads.get_key_value(at)) {
            // What the record's own system filled in where nothing was given is what stands there now.
            Some((anchor, head)) if head.value.is_blank() && self.settled_at(at, &own, head.epoch) => {
                form.decode(&own).map(|value| (value, led(anchor, head)))
            }
            Some((anchor, head)) => Ok((head.value.clone(), led(anchor, head))),
            None => form.decode(&own).map(|value| (value, (0, saved))),
        }
    }
}

/// A head's epoch, and the change that made it what it is.
fn led(anchor: &Anchor, head: &Head) -> (u64, Trace) {
    (head.epoch, Trace::of_head(anchor, head))
}

fn led_if(anchor: &Anchor, head: Option<&Head>) -> (u64, Trace) {
    head.map_or((0, Trace::NONE), |head| led(anchor, head))
}

/// What is done about an edit, for people: where its value goes.
fn goes_to(nodes: &[&Node<'_>], merged: &Merged) -> String {
    let mut to = merged.owed.iter().map(|(index, _)| &nodes[*index].at.record);
    let left = |trouble: &&(usize, Trouble)| trouble.1 == Trouble::LeftAlone;
    match (to.next(), to.next(), to.count()) {
        (None, ..) => match merged.troubles.iter().find(left) {
            Some((index, _)) => format!("{} keeps its own", nodes[*index].at.record),
            None => "nothing else has to change".to_owned(),
        },
        (Some(one), None, _) => format!("goes to {one}"),
        (Some(one), Some(two), 0) => format!("goes to {one} and {two}"),
        (Some(one), Some(_), more) => format!("goes to {one} and {} others", more + 1),
    }
}

/// Whether a write that is under way carries the property: what stands there is not known until it is settled.
fn is_carried(record: &Record, property: &str) -> bool {
    let sent = record.intent.as_ref().filter(|intent| intent.sent.is_some());
    sent.is_some_and(|intent| intent.values.contains_key(property))
}

/// A record that we created and that somebody changed before we saw it first: what it got since is an edit on
/// top of the blank that the create left, unless its system is known to fill the property in.
fn base_of_newborn(record: &Record, node: &Node<'_>, head: Option<&Head>) -> Option<Base> {
    record.newborn.as_ref().filter(|newborn| newborn.observed)?;
    let epoch = head
        .filter(|head| head.value.is_blank())
        .map_or(0, |head| head.epoch);
    let value = Value::Blank;
    may_be_typed(record, node)?.then_some(Base { value, epoch })
}

/// Whether somebody may have typed what stands in a record that we created and gave nothing: it was changed since, and its
/// system is not known to fill the property in. None where that cannot be told.
pub(crate) fn may_be_typed(record: &Record, node: &Node<'_>) -> Option<bool> {
    let changed = record.shadow.version.as_ref()?.modified > record.shadow.created?;
    let mut parts = node.parts.iter();
    let filled = parts.any(|part| part.mapping.filled_on_create[part.side.index()]);
    Some(changed && !filled)
}
