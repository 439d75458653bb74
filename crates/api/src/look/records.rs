//! One record: how it stands, and why.

use super::Looker;
use super::refers::Named;
use crate::view::{Base, Change, HeadValue, LinkOf, Property, PropertyMember, Record, Waiting};
use crate::{Refused, words};
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::cluster::{self, Cluster, Parked};
use tandem_merge::dataflow::ConflictPolicy;
use tandem_merge::explain::{MemberStanding, Standing, explain};
use tandem_merge::plan::{Event, EventKind};
use tandem_merge::record::{Presence, RecordKey};

/// Lines of history read at a time.
const PAGE: usize = 200;
/// Lines of one record that are looked through for its last changes.
const LOOKED: usize = 5_000;

/// The line of the history that tells how a property came to be, by record and property.
type Deciding = BTreeMap<(RecordKey, String), (u64, Event)>;

impl Looker<'_> {
    /// A record with all that it is kept in step with, or one property of it; none where the record is not known.
    ///
    /// # Errors
    /// A state that cannot be read.
    pub fn record(&mut self, key: &RecordKey, property: Option<&str>) -> Result<Option<Record>, Refused> {
        let Some(cluster) = self.store.cluster(self.flows, key)? else {
            return Ok(None);
        };
        let Some(record) = cluster.records.get(key) else {
            return Ok(None);
        };
        let standings = explain(self.flows, &cluster, key, property);
        let deciding = self.deciding(&standings)?;
        let members = standings.iter().flat_map(|standing| &standing.members);
        let named = members.filter_map(|member| self.named(member));
        let known = self.known(named.collect::<Vec<_>>())?;
        let shown = standings
            .iter()
            .map(|standing| self.property(standing, &deciding, &known));
        let mut properties: Vec<Property> = shown.collect();
        let lines = properties.iter_mut().filter_map(|one| one.line.as_mut());
        self.name_rows(&mut lines.collect::<Vec<_>>())?;
        Ok(Some(Record {
            record: key.to_string(),
            name: self.name_in(&cluster, key),
            presence: match record.shadow.presence {
                Presence::Alive => "alive",
                Presence::Deleted => "deleted",
                Presence::Missing => "missing",
            }
            .to_owned(),
            changed: record.shadow.version.as_ref().map(|version| version.modified),
            by: record.shadow.author.clone(),
            links: self.links_of(&cluster, key),
            suppressed: record.suppressed.iter().cloned().collect(),
            properties,
            waits: waiting(key, record, &standings),
        }))
    }

    fn links_of(&self, cluster: &Cluster, key: &RecordKey) -> Vec<LinkOf> {
        let own = cluster.links.iter();
        let own = own.filter(|link| &link.first == key || &link.second == key);
        let shown = own.map(|link| {
            let other = if &link.first == key {
                &link.second
            } else {
                &link.first
            };
            LinkOf {
                flow: link.flow.clone(),
                first: link.first.to_string(),
                second: link.second.to_string(),
                other: self.name_in(cluster, other),
                since: link.since,
            }
        });
        shown.collect()
    }

    /// The newest lines that tell how the members of the standings came to be what they are.
    fn deciding(&mut self, standings: &[Standing]) -> Result<Deciding, Refused> {
        let members = standings.iter().flat_map(|standing| &standing.members);
        let mut wanted: BTreeMap<RecordKey, BTreeSet<String>> = BTreeMap::new();
        for member in members {
            let of = wanted.entry(member.at.record.clone()).or_default();
            of.insert(member.at.property.clone());
        }
        let mut found = Deciding::new();
        for (record, mut properties) in wanted {
            let (mut from, mut looked) = (u64::MAX, 0);
            while !properties.is_empty() && looked < LOOKED {
                let page = self.store.latest(Some(&record), from, PAGE)?;
                let last = page.len() < PAGE;
                looked += page.len();
                for (number, event) in page {
                    from = number;
                    let property = event.property.clone().unwrap_or_default();
                    if decides(&event) && properties.remove(&property) {
                        found.insert((record.clone(), property), (number, event));
                    }
                }
                if last {
                    break;
                }
            }
        }
        Ok(found)
    }

    fn property(&self, standing: &Standing, deciding: &Deciding, known: &Named) -> Property {
        let at = &standing.members[0].at;
        let head = standing.head.as_ref().map(|head| HeadValue {
            value: self.masks.text(&at.record.record_type, &at.property, &head.value),
            epoch: head.epoch,
            from: head.origin.as_ref().map(ToString::to_string),
            at: head.span.to,
        });
        let members = standing.members.iter();
        let last = members
            .filter_map(|member| deciding.get(&(member.at.record.clone(), member.at.property.clone())))
            .max_by_key(|(number, _)| *number);
        Property {
            head,
            conflicts: match standing.policy {
                ConflictPolicy::Wins(_) => "one system wins".to_owned(),
                other => words::policy(self.flows, other),
            },
            one_way: standing.one_way,
            asked: standing.question.is_some(),
            members: standing
                .members
                .iter()
                .map(|member| self.member(member, known))
                .collect(),
            line: last.map(|(number, event)| Change::of(*number, event, self.masks)),
            last_change: last.map(|(number, _)| *number),
            what: last.map(|(_, event)| words::what(event, self.masks)),
            why: last.map(|(_, event)| event.why.clone()),
        }
    }

    /// The record that a member's value names, where it is a reference.
    fn named(&self, member: &MemberStanding) -> Option<RecordKey> {
        let (of, property) = (&member.at.record.record_type, &member.at.property);
        let value = self.masks.text(of, property, &member.value);
        self.referred_by(of, property, value.as_deref())
    }

    fn member(&self, member: &MemberStanding, known: &Named) -> PropertyMember {
        let of = &member.at.record.record_type;
        let show = |value| self.masks.text(of, &member.at.property, value);
        PropertyMember {
            record: member.at.record.to_string(),
            system: of.system.clone(),
            property: member.at.property.clone(),
            value: show(&member.value),
            names: known.of(self.named(member).as_ref()),
            base: member.base.as_ref().map(|base| Base {
                value: show(&base.value),
                epoch: base.epoch,
            }),
            stands: member.state.word().to_owned(),
            waits: member.parked.as_ref().map(|parked| parked.reason.clone()),
        }
    }
}

/// Whether an event made a value what it is.
fn decides(event: &Event) -> bool {
    matches!(
        event.what,
        EventKind::Edited { .. } | EventKind::Conflict { .. } | EventKind::Undone { .. }
    )
}

/// What waits of a record, and of the counterparts that its values go to.
fn waiting(key: &RecordKey, record: &cluster::Record, standings: &[Standing]) -> Vec<Waiting> {
    let held = record
        .held
        .iter()
        .map(|(flow, parked)| (format!("flow {flow}"), parked));
    let parked = record
        .parked
        .iter()
        .map(|(property, parked)| (property.clone(), parked));
    let companions = record.companions.iter();
    let companions = companions
        .filter_map(|(role, companion)| Some((format!("companion {role}"), companion.parked.as_ref()?)));
    let own = held.chain(parked).chain(companions);
    let own = own.map(|(about, parked)| waits(about, key, parked));
    let members = standings.iter().flat_map(|standing| &standing.members);
    let others = members.filter(|member| &member.at.record != key);
    let others = others.filter_map(|member| {
        let about = format!("{}.{}", member.at.record, member.at.property);
        Some(waits(about, &member.at.record, member.parked.as_ref()?))
    });
    own.chain(others).collect()
}

fn waits(about: String, whose: &RecordKey, parked: &Parked) -> Waiting {
    Waiting {
        about,
        kind: words::kind_of(Some(parked.kind)),
        reason: parked.reason.clone(),
        advice: parked.advice.clone(),
        since: parked.since,
        who: words::mender(parked.kind, whose),
    }
}
