//! `tandem explain`: how a record stands, why, and who can mend what waits.

use super::history::what;
use super::items;
use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::mask::Masks;
use crate::screen::{Screen, table};
use clap::Args;
use serde_json::{Value as Json, json};
use tandem_merge::cluster::{Cluster, Parked, ParkedKind, Record};
use tandem_merge::dataflow::ConflictPolicy;
use tandem_merge::explain::{MemberStanding, MemberState, Standing, explain};
use tandem_merge::plan::{Event, EventKind};
use tandem_merge::record::{Presence, RecordKey};
use tandem_store::Store;

/// Lines of history read at a time.
const PAGE: usize = 1_000;

/// Tell how a record stands: what is held of it, what waits and why, and who can mend it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem explain Order:10248
  tandem explain Order:10248 description
  tandem explain salesforce/Contact:003000000000001AAA --json")]
pub(crate) struct Explain {
    /// A record: TYPE:ID or TYPE:KEY, with SYSTEM/ before it where both systems have the type
    #[arg(value_name = "RECORD")]
    record: String,
    /// Only this property
    #[arg(value_name = "PROPERTY")]
    property: Option<String>,
}

/// What is told of one record.
struct Story<'a> {
    key: &'a RecordKey,
    record: &'a Record,
    cluster: &'a Cluster,
    standings: Vec<Standing>,
    history: Vec<(u64, Event)>,
}

impl Explain {
    /// Explains every record that is named.
    pub(crate) fn tell(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let configuration = loading::configuration(common)?;
        let flows = &configuration.dataflow;
        let masks = Masks::asked(flows, common);
        let mut store = loading::look(common, &configuration)?;
        let mut waits = false;
        for key in loading::records_named(&mut store, flows, &self.record)? {
            let Some(cluster) = store.cluster(flows, &key)? else {
                continue;
            };
            let Some(record) = cluster.records.get(&key) else {
                continue;
            };
            let standings = explain(flows, &cluster, &key, self.property.as_deref());
            if let Some(property) = self.property.as_ref().filter(|_| standings.is_empty()) {
                return Err(Failure::usage(
                    format!("{key} has no property `{property}` that is kept in step"),
                    format!("`tandem explain {}` shows those that are", self.record),
                ));
            }
            let history = story_of(&mut store, &cluster)?;
            let story = Story {
                key: &key,
                record,
                cluster: &cluster,
                standings,
                history,
            };
            waits |= story.waits();
            screen.json(&story.as_json(&masks));
            if !screen.json {
                story.show(&masks, screen);
            }
        }
        Ok(if waits { Exit::Waits } else { Exit::Done })
    }
}

/// The history of all records of a cluster.
fn story_of(store: &mut dyn Store, cluster: &Cluster) -> Result<Vec<(u64, Event)>, Failure> {
    let mut lines = Vec::new();
    for key in cluster.records.keys() {
        let mut after = 0;
        loop {
            let page = store.history(Some(key), after, PAGE)?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            lines.extend(page);
        }
    }
    lines.sort_by_key(|(number, _)| *number);
    Ok(lines)
}

/// Something that waits: what it is about, whose record it is, and why.
type Waiting<'a> = (String, &'a RecordKey, &'a Parked);

impl Story<'_> {
    /// What waits of the record, and of the counterparts that its values go to.
    fn waiting(&self) -> Vec<Waiting<'_>> {
        let record = self.record;
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
        let own = own.map(|(about, parked)| (about, self.key, parked));
        let members = self.standings.iter().flat_map(|standing| &standing.members);
        let others = members.filter(|member| &member.at.record != self.key);
        let others = others.filter_map(|member| {
            let about = format!("{}.{}", member.at.record, member.at.property);
            Some((about, &member.at.record, member.parked.as_ref()?))
        });
        own.chain(others).collect()
    }

    fn waits(&self) -> bool {
        let mends = |kind: ParkedKind| {
            let rests = [ParkedKind::Deferred, ParkedKind::NotCreated, ParkedKind::StandIn];
            !rests.contains(&kind)
        };
        self.waiting().iter().any(|(.., parked)| mends(parked.kind))
            || self.standings.iter().any(|standing| standing.question.is_some())
    }

    fn state(&self) -> String {
        let shadow = &self.record.shadow;
        let there = match shadow.presence {
            Presence::Alive => "there",
            Presence::Deleted => "deleted",
            Presence::Missing => "out of sight",
        };
        let modified = shadow
            .version
            .as_ref()
            .map(|version| format!(", changed {:.0}", version.modified));
        let by = shadow.author.as_ref().map(|name| format!(" by {name}"));
        format!(
            "{there}{}{}",
            modified.unwrap_or_default(),
            by.unwrap_or_default()
        )
    }

    fn show(&self, masks: &Masks, screen: &Screen) {
        screen.result(format!("{}: {}", self.key, self.state()));
        for link in &self.cluster.links {
            if &link.first == self.key || &link.second == self.key {
                let other = if &link.first == self.key {
                    &link.second
                } else {
                    &link.first
                };
                screen.result(format!(
                    "  linked with {other} in {} since {:.0}",
                    link.flow, link.since
                ));
            }
        }
        for flow in &self.record.suppressed {
            screen.result(format!("  neither linked nor created again in {flow}"));
        }
        let mut shown = table(["property", "stands", "value", "held to be current", "last change"]);
        for standing in &self.standings {
            let head = standing.head.as_ref();
            let last = self.last_change(standing);
            let last = last.map(|(number, event)| format!("{number}: {}; {}", what(event, masks), event.why));
            let mut firsts = Some([
                head.map_or_else(
                    || "nothing yet".to_owned(),
                    |head| self.head(standing, head.epoch, masks),
                ),
                last.unwrap_or_default(),
            ]);
            for member in &standing.members {
                let [head, last] = firsts.take().unwrap_or_default();
                let value = masks.show(&member.at.record.record_type, &member.at.property, &member.value);
                let name = format!("{}.{}", member.at.record, member.at.property);
                shown.add_row([name, stands(member, standing), value, head, last]);
            }
        }
        screen.result(shown);
        let waiting = self.waiting();
        if !waiting.is_empty() {
            let mut shown = table(["waits", "why", "what to do", "who can"]);
            for (about, whose, parked) in waiting {
                let who = items::mender(parked.kind, whose);
                shown.add_row([about, parked.reason.clone(), parked.advice.clone(), who]);
            }
            screen.result(shown);
        }
    }

    fn head(&self, standing: &Standing, epoch: u64, masks: &Masks) -> String {
        let Some(head) = &standing.head else {
            return String::new();
        };
        let at = &standing.members[0].at;
        let value = masks.show(&at.record.record_type, &at.property, &head.value);
        let origin = match &head.origin {
            Some(origin) => format!("from {origin}"),
            None => "given by a person".to_owned(),
        };
        format!("{value} (change {epoch} of it, {origin}, {:.0})", head.span.to)
    }

    /// The line that tells how the head came to be.
    fn last_change(&self, standing: &Standing) -> Option<&(u64, Event)> {
        let decides = |event: &Event| {
            matches!(
                event.what,
                EventKind::Edited { .. } | EventKind::Conflict { .. } | EventKind::Undone { .. }
            )
        };
        self.history.iter().rev().find(|(_, event)| {
            let mut members = standing.members.iter();
            decides(event)
                && members.any(|member| {
                    member.at.record == event.record && Some(&member.at.property) == event.property.as_ref()
                })
        })
    }

    fn as_json(&self, masks: &Masks) -> Json {
        let links = self.cluster.links.iter();
        let links = links.filter(|link| &link.first == self.key || &link.second == self.key);
        let links = links.map(|link| {
            json!({ "flow": link.flow, "first": link.first.to_string(), "second": link.second.to_string(),
                    "since": link.since })
        });
        let waiting = self.waiting();
        let waiting = waiting.iter().map(|(about, whose, parked)| {
            json!({ "about": about, "kind": parked.kind, "reason": parked.reason, "advice": parked.advice,
                    "since": parked.since, "who": items::mender(parked.kind, whose) })
        });
        let standings = self
            .standings
            .iter()
            .map(|standing| self.standing_json(standing, masks));
        json!({
            "record": self.key.to_string(),
            "presence": self.record.shadow.presence,
            "changed": self.record.shadow.version.as_ref().map(|version| version.modified),
            "by": self.record.shadow.author,
            "links": links.collect::<Vec<_>>(),
            "suppressed": self.record.suppressed,
            "properties": standings.collect::<Vec<_>>(),
            "waits": waiting.collect::<Vec<_>>(),
        })
    }

    fn standing_json(&self, standing: &Standing, masks: &Masks) -> Json {
        let at = &standing.members[0].at;
        let head = standing.head.as_ref().map(|head| {
            json!({ "value": masks.json(&at.record.record_type, &at.property, &head.value), "epoch": head.epoch,
                    "from": head.origin.as_ref().map(ToString::to_string), "at": head.span.to })
        });
        let members = standing.members.iter().map(|member| {
            let show = |value| masks.json(&member.at.record.record_type, &member.at.property, value);
            let base = member.base.as_ref();
            let base = base.map(|base| json!({ "value": show(&base.value), "epoch": base.epoch }));
            json!({ "record": member.at.record.to_string(), "property": member.at.property,
                    "value": show(&member.value), "base": base, "stands": member.state.word(),
                    "waits": member.parked.as_ref().map(|parked| &parked.reason) })
        });
        let last = self.last_change(standing);
        json!({
            "head": head,
            "conflicts": policy(standing.policy),
            "one_way": standing.one_way,
            "asked": standing.question.is_some(),
            "members": members.collect::<Vec<_>>(),
            "last_change": last.map(|(number, _)| number),
            "why": last.map(|(_, event)| &event.why),
        })
    }
}

fn policy(policy: ConflictPolicy) -> &'static str {
    match policy {
        ConflictPolicy::Latest => "the latest edit wins",
        ConflictPolicy::Wins(_) => "one system wins",
        ConflictPolicy::Ask => "a person is asked",
    }
}

fn stands(member: &MemberStanding, standing: &Standing) -> String {
    let word = member.state.word();
    match (&member.parked, member.state, &standing.question) {
        (Some(parked), ..) => format!("{word}: {}", parked.reason),
        (None, MemberState::Asked, Some(_)) => format!("{word}: `tandem conflicts`"),
        _ => word.to_owned(),
    }
}
