//! A large state with a long history, made by the store alone.

use super::super::storage::{Contacts, TOGETHER};
use crate::failure::Failure;
use jiff::{SignedDuration, Timestamp};
use std::path::Path;
use tandem_ledger::{Decided, Home, Keys, Ledger, Page, Store};
use tandem_merge::cluster::{Anchor, Contender, Parked, ParkedKind, Question, Span};
use tandem_merge::dataflow::{Dataflow, Direction, Kind, Side};
use tandem_merge::plan::{Event, EventKind, Plan};
use tandem_merge::reconcile::reconcile;
use tandem_merge::record::RecordKey;
use tandem_merge::trace::Trace;
use tandem_merge::value::Value;

/// The flow of all links.
pub(super) const FLOW: &str = "contact-contact";
/// A flow in which nothing ever happened.
pub(super) const QUIET: &str = "quote-quote";
/// Of so many contacts one is parked.
const PARKED: usize = 100;
/// Of so many contacts one is asked about.
const ASKED: usize = 400;
/// Between two lines of the history.
const STEP: SignedDuration = SignedDuration::from_secs(20);

/// What the state is filled with.
pub(super) struct Filling {
    pub(super) contacts: Contacts,
    /// Links.
    pub(super) records: u32,
    /// Lines of the history, about.
    pub(super) lines: u32,
}

impl Filling {
    /// Links contacts, a page at a time, as if people had edited each of them since.
    pub(super) fn fill(&self, home: &Home, flows: &Dataflow) -> Result<(), Failure> {
        if let Home::Folder(folder) = home {
            made(folder)?;
        }
        let mut store = Ledger::open_at(home, &Keys::default())?;
        let now = Timestamp::now();
        for system in &flows.systems {
            store.mark_listed(system, now)?;
        }
        let of = Edits::of(flows)?;
        let each = self.lines.div_ceil(self.records) as usize;
        let mut at = now - STEP * i32::try_from(self.lines).unwrap_or(i32::MAX);
        let mut met = 0;
        for part in self.contacts.pages(self.records) {
            store.begin_run("sync", at)?;
            for side in Side::BOTH {
                let page = Page {
                    system: flows.systems[side.index()].clone(),
                    observations: part.iter().map(|pair| pair[side.index()].clone()).collect(),
                    cursor: Some(b"here".to_vec()),
                };
                store.commit_page(1, flows, &page)?;
            }
            loop {
                let taken = store.take_dirty(flows, usize::MAX, TOGETHER, now)?;
                if taken.is_empty() {
                    break;
                }
                let mut plans = Vec::with_capacity(taken.len());
                for dirty in taken {
                    let mut plan = reconcile(flows, dirty.cluster, dirty.inbox, &dirty.facts);
                    // What is marked once more was told of already.
                    if plan.history.is_empty() {
                        plans.push(Decided {
                            plan,
                            token: dirty.token,
                        });
                        continue;
                    }
                    plan.history.iter_mut().for_each(|event| event.at = at);
                    of.add(&mut plan, each, &mut at);
                    of.wait(&mut plan, met, at);
                    met += 1;
                    plans.push(Decided {
                        plan,
                        token: dirty.token,
                    });
                }
                store.commit_plans(1, flows, plans)?;
            }
        }
        Ok(())
    }
}

fn made(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| super::unserved(&error))
}

/// What happened to each contact since, and what waits.
struct Edits {
    /// A text that travels both ways, as each side calls it.
    properties: [String; 2],
}

impl Edits {
    fn of(flows: &Dataflow) -> Result<Self, Failure> {
        let mut mappings = flows.flow(FLOW).into_iter().flat_map(|flow| &flow.mappings);
        let found =
            mappings.find(|mapping| mapping.kind == Kind::String && mapping.direction == Direction::Both);
        let properties = found.map(|mapping| mapping.properties.clone());
        Ok(Self {
            properties: properties.ok_or_else(|| super::unserved(&"no text travels both ways"))?,
        })
    }

    /// The two ends of a plan's link.
    fn ends(plan: &Plan) -> Option<[RecordKey; 2]> {
        let link = plan.cluster.links.first()?;
        Some([link.first.clone(), link.second.clone()])
    }

    /// Adds lines up to a number: what somebody edited on one side, and what we wrote on the other.
    fn add(&self, plan: &mut Plan, lines: usize, at: &mut Timestamp) {
        let Some(ends) = Self::ends(plan) else { return };
        for line in plan.history.len()..lines {
            let (edit, number) = (line % 2 == 0, line / 2);
            let side = (number + usize::from(!edit)) % 2;
            let old = Value::text(format!("what stood there before edit {number}"));
            let new = Value::text(format!("what somebody wrote with edit {number}"));
            let span = Span { from: None, to: *at };
            plan.history.push(Event {
                run: 0,
                at: *at,
                record: ends[side].clone(),
                property: Some(self.properties[side].clone()),
                flow: None,
                what: match edit {
                    true => EventKind::Edited {
                        old,
                        new,
                        author: Some("alice".to_owned()),
                        made: Some(span),
                    },
                    false => EventKind::Wrote { old, new },
                },
                epoch: 1,
                trace: Trace::of(&ends[side], *at),
                why: "the latest edit is taken over".to_owned(),
            });
            *at += STEP;
        }
    }

    /// Lets something of some contacts wait.
    fn wait(&self, plan: &mut Plan, met: usize, at: Timestamp) {
        let Some([first, second]) = Self::ends(plan) else {
            return;
        };
        let property = &self.properties[0];
        if met % ASKED == 1 {
            let says = |record: &RecordKey, side: usize| Contender {
                record: Some(record.clone()),
                property: self.properties[side].clone(),
                value: Value::text(format!("what side {side} says")),
                base: None,
                span: Span { from: None, to: at },
                author: Some("alice".to_owned()),
            };
            plan.cluster.questions.push(Question {
                anchor: Anchor {
                    record: first.clone(),
                    property: property.clone(),
                },
                contenders: vec![says(&first, 0), says(&second, 1)],
                since: at,
                answer: None,
                first: None,
            });
        } else if met.is_multiple_of(PARKED)
            && let Some(record) = plan.cluster.records.get_mut(&first)
        {
            let parked = Parked {
                epoch: 1,
                kind: ParkedKind::TooLong,
                reason: "the value has 300 characters, and 255 are held".to_owned(),
                advice: "Shorten the value".to_owned(),
                since: at,
                by: None,
                grounds: None,
            };
            record.parked.insert(property.clone(), parked);
        }
    }
}
