//! Conflicts that wait for an answer.

use super::{Looker, all_items, found_items};
use crate::view::{Change, Conflict, Member, Says};
use crate::{Masks, Refused, view, words};
use tandem_ledger::{Item, Store};
use tandem_merge::cluster::{Anchor, Cluster, Contender, Question};
use tandem_merge::dataflow::Dataflow;
use tandem_merge::record::{RecordKey, RecordType};
use tandem_merge::topology::{self, Component};
use tandem_merge::value::Value;

/// Lines of history shown of each record.
const LINES: usize = 10;

/// A conflict that waits, with the question and the cluster that it is about.
pub struct Asked {
    /// What waits.
    pub item: Item,
    /// The question.
    pub question: Question,
    /// The cluster.
    pub cluster: Cluster,
}

impl Asked {
    /// A value of a contender as a list shows it; personal where any property of the component is.
    #[must_use]
    pub fn shown(&self, contender: &Contender, value: &Value, masks: &Masks) -> String {
        let record = contender.record.as_ref().unwrap_or(&self.item.record);
        masks.show(&record.record_type, &contender.property, value)
    }
}

/// The conflicts that wait, of a flow or of all, at most `limit`.
///
/// # Errors
/// A state that cannot be read.
pub fn asked(
    store: &mut dyn Store,
    flows: &Dataflow,
    flow: Option<&str>,
    limit: usize,
) -> Result<Vec<Asked>, tandem_ledger::Error> {
    let wanted = |item: &Item| item.kind.is_none() && flow.is_none_or(|flow| is_of(flows, flow, item));
    let mut all = Vec::new();
    for item in all_items(store, limit, wanted)? {
        all.extend(about(store, flows, item)?);
    }
    Ok(all)
}

/// Some of the conflicts that wait, and how many there are of them.
pub struct AskedPage {
    /// Those that are shown, in the order of their numbers.
    pub asked: Vec<Asked>,
    /// How many there are, shown or not.
    pub all: u64,
    /// The number after which the next ones are; none behind the last one.
    pub next: Option<u64>,
}

/// The conflicts that wait, of a flow or of all: at most `limit` of those with a number after `after`.
///
/// # Errors
/// A state that cannot be read.
pub fn asked_after(
    store: &mut dyn Store,
    flows: &Dataflow,
    flow: Option<&str>,
    after: u64,
    limit: usize,
) -> Result<AskedPage, tandem_ledger::Error> {
    let wanted = |item: &Item| item.kind.is_none() && flow.is_none_or(|flow| is_of(flows, flow, item));
    let found = found_items(store, after, limit, wanted)?;
    let mut asked = Vec::new();
    for item in found.items {
        asked.extend(about(store, flows, item)?);
    }
    let (all, next) = (found.all, found.next);
    Ok(AskedPage { asked, all, next })
}

/// The question that an item is about.
fn about(store: &mut dyn Store, flows: &Dataflow, item: Item) -> Result<Option<Asked>, tandem_ledger::Error> {
    let cluster = store.cluster(flows, &item.record)?.unwrap_or_default();
    let about = |question: &&Question| {
        let anchor = &question.anchor;
        anchor.record == item.record && Some(&anchor.property) == item.property.as_ref()
    };
    let question = cluster.questions.iter().find(about).cloned();
    Ok(question.map(|question| Asked {
        item,
        question,
        cluster,
    }))
}

/// Whether a conflict is about a property that a flow maps.
fn is_of(flows: &Dataflow, flow: &str, item: &Item) -> bool {
    let mut ends = flows.flows_of(&item.record.record_type);
    ends.any(|(of, side)| {
        let mut rows = of.mappings.iter();
        of.name == flow && rows.any(|row| Some(row.property(side)) == item.property.as_deref())
    })
}

impl Looker<'_> {
    /// A conflict in full; none where no conflict waits under the number any more.
    ///
    /// # Errors
    /// A state that cannot be read.
    pub fn conflict(&mut self, number: u64) -> Result<Option<Conflict>, Refused> {
        self.conflict_with(number, true)
    }

    /// A conflict without what happened before, for lists of many.
    ///
    /// # Errors
    /// A state that cannot be read.
    pub fn question(&mut self, number: u64) -> Result<Option<Conflict>, Refused> {
        self.conflict_with(number, false)
    }

    fn conflict_with(&mut self, number: u64, history: bool) -> Result<Option<Conflict>, Refused> {
        let items = self.store.items(number.saturating_sub(1), 1)?;
        let item = items
            .into_iter()
            .find(|item| item.number == number && item.kind.is_none());
        let Some(item) = item else { return Ok(None) };
        let Some(asked) = about(self.store, self.flows, item)? else {
            return Ok(None);
        };
        let components = topology::components(self.flows, &asked.cluster, true);
        let component = components.iter().find(|component| {
            let mut nodes = component.nodes.iter();
            nodes.any(|node| node.at == asked.question.anchor)
        });
        let policy = component.map(|component| words::policy(self.flows, component.policy()));
        let members = component.map(|component| self.members(&asked.cluster, component));
        let history = match history {
            true => self.happened(&asked.question.anchor, component)?,
            false => Vec::new(),
        };
        let says = asked.question.contenders.iter();
        let says = says.map(|contender| Says::of(contender, &asked.item.record, self.masks));
        let mut says: Vec<Says> = says.collect();
        self.name_says(&mut says)?;
        Ok(Some(Conflict {
            says,
            members: members.unwrap_or_default(),
            policy,
            history,
            item: view::Item::of(&asked.item, self.masks, Some(self.flows)),
        }))
    }

    /// Names the records that values of contenders name.
    fn name_says(&mut self, says: &mut [Says]) -> Result<(), Refused> {
        let keys: Vec<_> = says.iter().filter_map(|one| self.said_names(one)).collect();
        let known = self.known(keys)?;
        for one in says {
            one.names = known.of(self.said_names(one).as_ref());
        }
        Ok(())
    }

    fn said_names(&self, says: &Says) -> Option<RecordKey> {
        let of = RecordType::new(says.system.as_ref()?, says.record_type.as_ref()?);
        self.referred_by(&of, &says.property, says.value.as_deref())
    }

    fn members(&self, cluster: &Cluster, component: &Component<'_>) -> Vec<Member> {
        let nodes = component.nodes.iter();
        let members = nodes.filter_map(|node| {
            let (at, of) = (&node.at, &node.at.record.record_type);
            let record = cluster.records.get(&at.record)?;
            let base = record.bases.get(&at.property);
            let value = topology::own_value(cluster, at);
            Some(Member {
                system: of.system.clone(),
                record_type: of.name.clone(),
                id: at.record.id.clone(),
                property: at.property.clone(),
                value: self.masks.text(of, &at.property, &value),
                base: base.and_then(|base| self.masks.text(of, &at.property, &base.value)),
            })
        });
        members.collect()
    }

    /// What happened last to a property in each record, newest first.
    fn happened(
        &mut self,
        anchor: &Anchor,
        component: Option<&Component<'_>>,
    ) -> Result<Vec<Change>, Refused> {
        let nodes = component.into_iter().flat_map(|component| &component.nodes);
        let mut places: Vec<Anchor> = nodes.map(|node| node.at.clone()).collect();
        if places.is_empty() {
            places.push(anchor.clone());
        }
        let mut all = Vec::new();
        for at in places {
            let lines = self.store.latest(Some(&at.record), u64::MAX, LINES * LINES)?;
            let about = |property: &Option<String>| property.as_ref().is_none_or(|it| it == &at.property);
            let lines = lines.into_iter().filter(|(_, event)| about(&event.property));
            all.extend(lines.take(LINES));
        }
        all.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        all.dedup_by_key(|(number, _)| *number);
        let shown = all
            .iter()
            .map(|(number, event)| Change::of(*number, event, self.masks));
        Ok(shown.collect())
    }
}
