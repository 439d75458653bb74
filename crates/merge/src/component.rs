//! The merge of one component: the properties of a cluster that stand for the same thing.
//!
//! A closed algebra: it knows no flow, no system and no store. Every member is compared with its *own* base,
//! the head with none. RULES.md section 1 names the states, section 2 the transactions; the invariants M1-M12
//! are its laws.

use crate::cluster::{Base, Head, Span};
use crate::dataflow::{ConflictPolicy, Side};
use crate::form::Trouble;
use crate::mutation::{Mutation, removed};
use crate::record::RecordKey;
use crate::value::Value;
use std::cmp::{Ordering, Reverse};

/// How a member's own form answers to canonical values.
pub trait Codec {
    /// See [`crate::form::Form::decode`].
    ///
    /// # Errors
    /// The own form has no canonical value.
    fn decode(&self, own: &Value) -> Result<Value, Trouble>;
    /// See [`crate::form::Form::encode`].
    ///
    /// # Errors
    /// The member cannot hold the value.
    fn encode(&self, canonical: &Value) -> Result<Value, Trouble>;
    /// Whether nothing needs to be written for the value to stand there.
    fn fits(&self, canonical: &Value, own: &Value) -> bool;
}

/// One member: a property of a record, as it is now.
pub struct Member<'a> {
    /// The record, for the origin of heads.
    pub record: RecordKey,
    /// The side that its system is on.
    pub side: Side,
    /// The shadow's value, own form.
    pub shadow: Value,
    /// What it and the head last agreed on.
    pub base: Option<Base>,
    /// When its present value came to be.
    pub span: Span,
    /// Its edits may move the head.
    pub source: bool,
    /// The head is written to it.
    pub target: bool,
    /// Its value flows from the start: owned by its side, or given by its system on create.
    pub from_start: bool,
    /// Clearing it is an edit.
    pub blank_is_edit: bool,
    /// Created by us and now seen in full for the first time: what the system filled in is base silently,
    /// what the create left out (`Some(true)`) is still owed.
    pub newborn: Option<bool>,
    /// Its present value came to be with our own last write, as far as times tell.
    pub ours: bool,
    /// A write that carries it is under way.
    pub in_flight: bool,
    /// It was refused at this epoch.
    pub parked: Option<u64>,
    /// Why its blank is no edit of its own: the record that it named was deleted.
    pub loss: Option<Loss>,
    /// Its forms.
    pub codec: &'a dyn Codec,
}

/// Why a reference that went blank is no edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It may be one: whether the record that it named was deleted is not known yet.
    Unproven,
    /// The record that it named was deleted, and what becomes of that is not settled, or leaves it blank.
    Waits,
    /// The deletion was withdrawn: it gets its reference back.
    GivenBack,
    /// The same, and the very record that it named is there.
    StillThere,
}

/// What decides a component's conflicts.
#[derive(Clone, Debug)]
pub struct Rule<'a> {
    /// The policy.
    pub policy: ConflictPolicy,
    /// Intervals closer than this are not certain, in seconds.
    pub clock_error: i64,
    /// A person's answer to exactly these contenders.
    pub answer: Option<&'a Value>,
    /// Values flow one way only: without an owned member there is no head before the source's first edit.
    pub one_way: bool,
    /// A head that moves goes above this epoch: running components were joined, or a write that is under way carries
    /// the epoch of a head that is no more.
    pub floor: u64,
}

/// The result of merging a component.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Merged {
    /// The head afterwards.
    pub head: Option<Head>,
    /// The members' bases afterwards.
    pub bases: Vec<Option<Base>>,
    /// Members to be written, with the own-form value; it stands for the head's epoch.
    pub owed: Vec<(usize, Value)>,
    /// Members that are owed the head's value and parked at this very epoch, with the own-form value.
    pub withheld: Vec<(usize, Value)>,
    /// Members whose value cannot be read, or that cannot hold the head.
    pub troubles: Vec<(usize, Trouble)>,
    /// Contenders whose value the head took over now.
    pub edits: Vec<usize>,
    /// Members whose system changes what it is given, once too often: what it made of the value is left there.
    pub rewritten: Vec<usize>,
    /// A conflict, if there was one.
    pub conflict: Option<Clash>,
}

/// Contenders that no one value fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clash {
    /// The members that contend.
    pub members: Vec<usize>,
    /// The head contends too.
    pub head: bool,
    /// The canonical value that won; none when a person is asked.
    pub winner: Option<Value>,
    /// Intervals overlapped: the order is an estimate.
    pub estimated: bool,
}

/// A member's state towards the head.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Clean,
    Owed,
    Edited,
    Concurrent,
    /// No base: it joins.
    Joining,
}

/// How often in a row a head may move back to what a system had made of it before (E13).
const REWRITES: u32 = 1;

struct Work<'a, 'b> {
    members: &'a [Member<'b>],
    rule: &'a Rule<'a>,
    head: Option<Head>,
    bases: Vec<Option<Base>>,
    out: Merged,
    /// Members that must stay as they are: unreadable, or asked about.
    frozen: Vec<bool>,
    /// Members whose own edit was weighed now, which frees what was parked.
    weighed: Vec<bool>,
}

/// Merges one component.
#[must_use]
pub fn merge(head: Option<&Head>, members: &[Member<'_>], rule: &Rule<'_>) -> Merged {
    let mut work = Work {
        members,
        rule,
        head: head.cloned(),
        bases: members.iter().map(|member| member.base.clone()).collect(),
        out: Merged::default(),
        frozen: vec![false; members.len()],
        weighed: vec![false; members.len()],
    };
    work.lower_bases();
    work.adopt_silently();
    work.leave_rewritten();
    work.give_back();
    let contenders = work.contenders();
    let contenders = work.without_sources(contenders);
    if !contenders.is_empty() {
        work.contend(contenders);
    }
    work.collect_owed();
    work.out.head = work.head;
    work.out.bases = work.bases;
    work.out
}

impl Work<'_, '_> {
    fn epoch(&self) -> u64 {
        self.head.as_ref().map_or(0, |head| head.epoch)
    }

    fn set_base(&mut self, index: usize, epoch: u64) {
        self.bases[index] = Some(Base {
            value: self.members[index].shadow.clone(),
            epoch,
        });
    }

    fn state(&self, index: usize) -> State {
        let Some(base) = &self.bases[index] else {
            return State::Joining;
        };
        let changed = base.value != self.members[index].shadow;
        match (changed, base.epoch < self.epoch()) {
            (false, false) => State::Clean,
            (false, true) => State::Owed,
            (true, false) => State::Edited,
            (true, true) if removed(Mutation::BehindIsOnTop) => State::Edited,
            (true, true) => State::Concurrent,
        }
    }

    /// A write that was on its way when its component ended carries an epoch of a head that is no more: what it left
    /// behind stands for none that the present head knows (S3).
    fn lower_bases(&mut self) {
        let Some(epoch) = self.head.as_ref().map(|head| head.epoch) else {
            return; // The next head goes above all bases.
        };
        for base in self.bases.iter_mut().flatten().filter(|base| base.epoch > epoch) {
            base.epoch = epoch.saturating_sub(1);
        }
    }

    /// Members that join without a say: what a system filled in at our create, and the ends of a one-way
    /// component that is not owned (nothing flows at the link).
    fn adopt_silently(&mut self) {
        // A create follows the direction: what it had to leave out is still owed, so its source has a say.
        let owed_by_create =
            self.head.is_none() && self.members.iter().any(|member| member.newborn == Some(true));
        for index in 0..self.members.len() {
            let member = &self.members[index];
            if owed_by_create && member.source && member.newborn.is_none() {
                self.bases[index] = None;
                continue;
            }
            if self.bases[index].is_some() || member.from_start {
                continue;
            }
            match member.newborn {
                Some(left_out) if left_out || self.came_after_create() => self.set_base(index, 0),
                Some(_) => self.set_base(index, self.epoch()),
                None if self.rule.one_way && !self.any_from_start() => self.set_base(index, self.epoch()),
                None => {}
            }
        }
    }

    /// Systems that change each other's form are followed for two rounds; then what one makes of the value stays there.
    fn leave_rewritten(&mut self) {
        let Some(head) = self.head.clone().filter(|head| head.rewritten >= REWRITES) else {
            return;
        };
        for (index, member) in self.members.iter().enumerate() {
            let again = member.codec.decode(&member.shadow).ok();
            if member.ours && self.state(index) == State::Edited && again.is_some() && again == head.before {
                self.bases[index] = Some(Base {
                    value: member.shadow.clone(),
                    epoch: head.epoch,
                });
                self.out.rewritten.push(index);
            }
        }
    }

    /// What went blank with a deletion that was withdrawn is owed what the others hold still.
    fn give_back(&mut self) {
        for (index, member) in self.members.iter().enumerate() {
            self.frozen[index] |= member.loss == Some(Loss::Unproven);
            if matches!(member.loss, Some(Loss::GivenBack | Loss::StillThere))
                && self.released(index).is_none()
                && let Some(before) = self.epoch().checked_sub(1)
            {
                let known = self.bases[index].as_ref().map_or(before, |base| base.epoch);
                self.set_base(index, known.min(before));
            }
        }
    }

    /// What a member named before it went blank, where the record is there and the head cannot name it any more: what the
    /// head names was deleted, and that is not carried on.
    fn released(&self, index: usize) -> Option<Value> {
        let (member, head) = (&self.members[index], self.head.as_ref()?);
        let base = self.bases[index].as_ref()?;
        let agreed = base.epoch == head.epoch && !base.value.is_blank();
        let still = member.loss == Some(Loss::StillThere) && member.codec.encode(&head.value).is_err();
        (agreed && still).then(|| base.value.clone())
    }

    /// The create gave nothing for it, so the head was blank then.
    fn came_after_create(&self) -> bool {
        self.head.as_ref().is_some_and(|head| !head.value.is_blank())
    }

    fn any_from_start(&self) -> bool {
        self.members.iter().any(|member| member.from_start)
    }

    /// Readable members that contend, with their canonical values.
    fn contenders(&mut self) -> Vec<(usize, Value)> {
        let mut values = Vec::new();
        let mut blanks = Vec::new();
        for (index, member) in self.members.iter().enumerate() {
            let state = self.state(index);
            if !member.source || member.loss.is_some() || matches!(state, State::Clean | State::Owed) {
                continue;
            }
            if member.shadow.is_blank() && !member.blank_is_edit && state != State::Joining {
                continue;
            }
            match member.codec.decode(&member.shadow) {
                Ok(value) if value.is_blank() && state == State::Joining => blanks.push((index, value)),
                Ok(value) => values.push((index, value)),
                Err(trouble) => {
                    self.frozen[index] = true;
                    self.out.troubles.push((index, trouble));
                }
            }
        }
        if values.is_empty() && self.head.is_none() {
            blanks
        } else {
            values
        }
    }

    /// As long as there is no head, a create gives what its source holds. Where what it made was edited since, that was on
    /// top of the source as it still stands (M6): the two agreed before, and the source contends with nobody.
    fn without_sources(&mut self, contenders: Vec<(usize, Value)>) -> Vec<(usize, Value)> {
        if self.head.is_some() {
            return contenders;
        }
        let given = |(index, _): &(usize, Value)| {
            let base = self.bases[*index].as_ref().filter(|base| base.epoch == 0)?;
            let value = self.members[*index].codec.decode(&base.value).ok();
            value.filter(|value| !value.is_blank())
        };
        let given: Vec<Value> = contenders.iter().filter_map(given).collect();
        let (sources, others): (Vec<_>, Vec<_>) = contenders.into_iter().partition(|(index, _)| {
            let member = &self.members[*index];
            let stands = given.iter().any(|value| member.codec.fits(value, &member.shadow));
            stands && self.bases[*index].is_none()
        });
        sources.iter().for_each(|(index, _)| self.set_base(*index, 0));
        others
    }

    fn contend(&mut self, contenders: Vec<(usize, Value)>) {
        for (index, _) in &contenders {
            self.weighed[*index] = self.bases[*index].is_some();
        }
        let edited = contenders
            .iter()
            .any(|(index, _)| self.state(*index) == State::Edited);
        let joining = contenders
            .iter()
            .all(|(index, _)| self.state(*index) == State::Joining);
        let blank_head = self.head.as_ref().is_some_and(|head| head.value.is_blank());
        let with_head = self.head.is_some() && !edited && !(joining && blank_head);
        match self.agreed(&contenders, with_head) {
            Some(value) => self.agree(&contenders, value),
            None => self.clash(&contenders, with_head),
        }
    }

    /// The value that encodes to every contender's shadow, if there is one: the largest of several, so that
    /// neither names nor order matter (M2).
    fn agreed(&self, contenders: &[(usize, Value)], with_head: bool) -> Option<Value> {
        let fits_all = |candidate: &Value, own: Option<usize>| {
            contenders.iter().all(|(index, _)| {
                let member = &self.members[*index];
                own == Some(*index) || member.codec.fits(candidate, &member.shadow)
            })
        };
        // A head that contends is the only candidate.
        if let Some(head) = self.head.as_ref().filter(|_| with_head) {
            return fits_all(&head.value, None).then(|| head.value.clone());
        }
        let fitting = contenders
            .iter()
            .filter(|(index, value)| fits_all(value, Some(*index)));
        fitting.map(|(_, value)| value).max().cloned()
    }

    fn agree(&mut self, contenders: &[(usize, Value)], value: Value) {
        let latest = contenders
            .iter()
            .map(|(index, _)| *index)
            .max_by(|a, b| self.later(*a, *b));
        let moved = self.move_head(value, latest);
        for (index, _) in contenders {
            if moved && self.bases[*index].is_some() {
                self.out.edits.push(*index);
            }
            self.set_base(*index, self.epoch());
        }
    }

    fn later(&self, a: usize, b: usize) -> Ordering {
        let key = |index: usize| {
            let member = &self.members[index];
            (
                member.span.to,
                Reverse(member.side),
                &member.shadow,
                &member.record,
            )
        };
        key(a).cmp(&key(b))
    }

    /// Makes a value the head; the same value keeps its epoch. Whether the head moved.
    fn move_head(&mut self, value: Value, from: Option<usize>) -> bool {
        if self.head.as_ref().is_some_and(|head| head.value == value) {
            return false;
        }
        let bases = self.bases.iter().flatten().map(|base| base.epoch).max();
        let epoch = self.epoch().max(self.rule.floor).max(bases.unwrap_or_default()) + 1;
        let origin = from.map(|index| self.members[index].record.clone());
        let known = self.head.as_ref().map(|head| head.span);
        let ours = from.filter(|index| self.members[*index].ours && self.bases[*index].is_some());
        let left = self.head.take().filter(|_| ours.is_some());
        let back = left.as_ref().filter(|head| head.before.as_ref() == Some(&value));
        let rewritten = back.map_or(0, |head| head.rewritten + 1);
        let before = left.map(|head| head.value);
        let span = from.map(|index| self.members[index].span).or(known);
        let span = span.unwrap_or(Span {
            from: None,
            to: jiff::Timestamp::UNIX_EPOCH,
        });
        self.head = Some(Head {
            value,
            epoch,
            span,
            origin,
            before,
            rewritten,
        });
        true
    }

    fn clash(&mut self, contenders: &[(usize, Value)], with_head: bool) {
        let members: Vec<usize> = contenders.iter().map(|(index, _)| *index).collect();
        let winner = self.choose(contenders, with_head);
        let estimated = self.estimated(&members, with_head);
        let Some((from, value)) = winner else {
            members.iter().for_each(|index| self.frozen[*index] = true);
            self.frozen.iter_mut().for_each(|frozen| *frozen = true);
            self.out.conflict = Some(Clash {
                members,
                head: with_head,
                winner: None,
                estimated,
            });
            return;
        };
        let before: Vec<u64> = members
            .iter()
            .map(|index| self.bases[*index].as_ref().map_or(0, |base| base.epoch))
            .collect();
        let head_wins = with_head && from.is_none() && self.rule.answer.is_none();
        let moved = !head_wins && self.move_anyway(value.clone(), from);
        for (index, old_epoch) in members.iter().zip(before) {
            let held = &self.members[*index];
            let won = from == Some(*index) || held.codec.fits(&value, &held.shadow);
            self.set_base(
                *index,
                if won || removed(Mutation::LoserCaughtUp) {
                    self.epoch()
                } else {
                    old_epoch.min(self.epoch().saturating_sub(1))
                },
            );
            if won && moved {
                self.out.edits.push(*index);
            }
        }
        self.out.conflict = Some(Clash {
            members,
            head: with_head,
            winner: Some(value),
            estimated,
        });
    }

    /// A resolution always counts as a change of the head, so that every loser is behind.
    fn move_anyway(&mut self, value: Value, from: Option<usize>) -> bool {
        if !self.move_head(value, from)
            && let Some(head) = &mut self.head
        {
            head.epoch = head.epoch.max(self.rule.floor) + 1;
        }
        true
    }

    /// The winner by policy: the member (none for the head or a person's value) with the canonical value.
    fn choose(&self, contenders: &[(usize, Value)], with_head: bool) -> Option<(Option<usize>, Value)> {
        if let Some(answer) = self.rule.answer {
            return Some((None, answer.clone()));
        }
        let head = self.head.as_ref().filter(|_| with_head);
        let origin_side = |head: &Head| {
            let origin = head.origin.as_ref()?;
            self.members
                .iter()
                .find(|member| &member.record == origin)
                .map(|member| member.side)
        };
        match self.rule.policy {
            ConflictPolicy::Ask => None,
            ConflictPolicy::Latest => self.latest(contenders, head),
            ConflictPolicy::Wins(side) => {
                let own: Vec<_> = contenders
                    .iter()
                    .filter(|(index, _)| self.members[*index].side == side)
                    .cloned()
                    .collect();
                let own_head = head.filter(|head| origin_side(head) == Some(side));
                if own.is_empty() && own_head.is_none() {
                    self.latest(contenders, head)
                } else {
                    self.latest(&own, own_head)
                }
            }
        }
    }

    fn latest(&self, contenders: &[(usize, Value)], head: Option<&Head>) -> Option<(Option<usize>, Value)> {
        let of_members = contenders
            .iter()
            .map(|(index, value)| (self.members[*index].span.to, value, Some(*index)));
        let of_head = head.map(|head| (head.span.to, &head.value, None));
        let by = |a: &(jiff::Timestamp, &Value, Option<usize>),
                  b: &(jiff::Timestamp, &Value, Option<usize>)| {
            (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| self.by_record(a.2, b.2))
        };
        of_members
            .chain(of_head)
            .max_by(by)
            .map(|(_, value, from)| (from, value.clone()))
    }

    fn by_record(&self, a: Option<usize>, b: Option<usize>) -> Ordering {
        let key = |index: Option<usize>| index.map(|index| &self.members[index].record);
        key(a).cmp(&key(b))
    }

    fn estimated(&self, members: &[usize], with_head: bool) -> bool {
        let head = self.head.as_ref().filter(|_| with_head).map(|head| head.span);
        let spans: Vec<Span> = members
            .iter()
            .map(|index| self.members[*index].span)
            .chain(head)
            .collect();
        let error = jiff::SignedDuration::from_secs(self.rule.clock_error);
        let apart = |a: &Span, b: &Span| b.from.is_some_and(|from| from.duration_since(a.to) > error);
        let Some(last) = spans.iter().max_by_key(|span| span.to) else {
            return false;
        };
        spans
            .iter()
            .filter(|span| *span != last)
            .any(|span| !apart(span, last))
            || spans.iter().filter(|span| *span == last).count() > 1
    }

    /// Writes what is owed: only to members whose value was seen and settled.
    fn collect_owed(&mut self) {
        let Some(head) = self.head.clone() else { return };
        for (index, member) in self.members.iter().enumerate() {
            let released = self.released(index);
            let behind = self.bases[index]
                .as_ref()
                .is_none_or(|base| base.epoch < head.epoch);
            if !(behind || released.is_some()) || self.frozen[index] || member.in_flight {
                continue;
            }
            if member.codec.fits(&head.value, &member.shadow) {
                self.set_base(index, head.epoch);
                continue;
            }
            let parked = member.parked == Some(head.epoch)
                && !self.weighed[index]
                && !removed(Mutation::ParkedForgotten);
            if !member.target {
                continue;
            }
            match released.map_or_else(|| member.codec.encode(&head.value), Ok) {
                Ok(own) if parked => self.out.withheld.push((index, own)),
                // What it refers to is on its way or gone: that comes first.
                Err(trouble @ Trouble::Waits(_)) => self.out.troubles.push((index, trouble)),
                Err(_) if parked => {}
                Ok(own) => self.out.owed.push((index, own)),
                Err(Trouble::LeftAlone) => {}
                Err(trouble) => self.out.troubles.push((index, trouble)),
            }
        }
    }
}
