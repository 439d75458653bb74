//! What waits.

use super::{Looker, no_cursor};
use crate::view::{Item, ItemGroup, Page};
use crate::{Refused, words};
use std::collections::BTreeMap;
use tandem_ledger::Store;

/// Items read at a time.
const PAGE: usize = 1_000;

/// Which items are wanted: all that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct ItemsOf {
    /// What they mean: `parked`, `approval`, `conflict`, `deferred`, `listed`.
    pub standing: Option<String>,
    /// Their kind, such as `too-long`.
    pub kind: Option<String>,
    /// Their flow.
    pub flow: Option<String>,
    /// Only those that wait for a person.
    pub for_people: bool,
    /// Those too that nobody wants to hear of.
    pub ignored: bool,
}

impl ItemsOf {
    fn takes(&self, item: &tandem_ledger::Item) -> bool {
        let fits =
            |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        (self.ignored || item.ignored.is_none())
            && fits(&self.standing, words::standing(item))
            && fits(&self.kind, &words::kind(item))
            && self.flow.as_ref().is_none_or(|flow| flow == &item.area)
            && (!self.for_people || for_people(item))
    }
}

/// Whether it waits for a person.
fn for_people(item: &tandem_ledger::Item) -> bool {
    matches!(words::standing(item), "parked" | "approval" | "conflict")
}

/// All items that a test lets through, at most `limit`.
///
/// # Errors
/// A state that cannot be read.
pub fn all_items(
    store: &mut dyn Store,
    limit: usize,
    wanted: impl Fn(&tandem_ledger::Item) -> bool,
) -> Result<Vec<tandem_ledger::Item>, tandem_ledger::Error> {
    let mut found = Vec::new();
    let mut after = 0;
    loop {
        let page = store.items(after, PAGE)?;
        let last = page.len() < PAGE;
        after = page.last().map_or(after, |item| item.number);
        found.extend(page.into_iter().filter(&wanted));
        if last || found.len() >= limit {
            found.truncate(limit);
            return Ok(found);
        }
    }
}

/// Some of the items that a test lets through, and how many there are of them.
#[derive(Clone, Debug)]
pub struct Found {
    /// Those that are shown, in the order of their numbers.
    pub items: Vec<tandem_ledger::Item>,
    /// How many there are, shown or not.
    pub all: u64,
    /// The number after which the next ones are; none behind the last one.
    pub next: Option<u64>,
}

/// Items that a test lets through: at most `limit` of those with a number after `after`, and how many there are in all.
///
/// # Errors
/// A state that cannot be read.
pub fn found_items(
    store: &mut dyn Store,
    after: u64,
    limit: usize,
    mut wanted: impl FnMut(&tandem_ledger::Item) -> bool,
) -> Result<Found, tandem_ledger::Error> {
    let (mut items, mut all, mut next, mut read) = (Vec::new(), 0, None, 0);
    loop {
        let page = store.items(read, PAGE)?;
        let last = page.len() < PAGE;
        read = page.last().map_or(read, |item| item.number);
        for item in page.into_iter().filter(&mut wanted) {
            all += 1;
            match item.number > after {
                true if items.len() < limit => items.push(item),
                true => {
                    next = items
                        .last()
                        .map(|item: &tandem_ledger::Item| item.number)
                        .or(Some(after))
                }
                false => {}
            }
        }
        if last {
            return Ok(Found { items, all, next });
        }
    }
}

impl Looker<'_> {
    /// What waits, that which has waited longest first.
    ///
    /// # Errors
    /// A cursor that is none; a state that cannot be read.
    pub fn items(&mut self, of: &ItemsOf, cursor: Option<&str>, limit: usize) -> Result<Page<Item>, Refused> {
        let mut page = self.items_without_names(of, cursor, limit)?;
        let names = self.names(page.rows.iter().map(Item::key))?;
        for row in &mut page.rows {
            row.name = names.get(&row.key()).cloned();
        }
        Ok(page)
    }

    /// The same, without what people call their records: for many that are not shown.
    ///
    /// # Errors
    /// As [`Looker::items`].
    pub fn items_without_names(
        &mut self,
        of: &ItemsOf,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Item>, Refused> {
        let read = |text: &str| text.parse::<u64>().map_err(|_| no_cursor(text));
        let mut after = cursor.map_or(Ok(0), read)?;
        let mut rows: Vec<Item> = Vec::new();
        loop {
            let page = self.store.items(after, PAGE)?;
            let last = page.len() < PAGE;
            for item in page {
                if rows.len() == limit {
                    let next = rows.last().map(|row| row.item.to_string());
                    return Ok(Page { rows, next });
                }
                after = item.number;
                if of.takes(&item) {
                    rows.push(Item::of(&item, self.masks, Some(self.flows)));
                }
            }
            if last {
                return Ok(Page { rows, next: None });
            }
        }
    }

    /// One item; none where nothing waits under the number any more.
    ///
    /// # Errors
    /// A state that cannot be read.
    pub fn item(&mut self, number: u64) -> Result<Option<Item>, Refused> {
        let found = self.store.items(number.saturating_sub(1), 1)?;
        let found = found.into_iter().find(|item| item.number == number);
        Ok(found.map(|item| Item::of(&item, self.masks, Some(self.flows))))
    }

    /// What waits, by its kind: what needs a person first, then the most.
    ///
    /// # Errors
    /// A state that cannot be read.
    pub fn item_groups(&mut self, of: &ItemsOf) -> Result<Vec<ItemGroup>, Refused> {
        let mut groups: BTreeMap<String, ItemGroup> = BTreeMap::new();
        let mut after = 0;
        loop {
            let page = self.store.items(after, PAGE)?;
            let last = page.len() < PAGE;
            after = page.last().map_or(after, |item| item.number);
            for item in page.iter().filter(|item| of.takes(item)) {
                let [title, fix] = words::group(item.kind);
                let group = groups.entry(words::kind(item)).or_insert_with(|| ItemGroup {
                    kind: words::kind(item),
                    standing: words::standing(item).to_owned(),
                    title: title.to_owned(),
                    fix: fix.to_owned(),
                    count: 0,
                    since: item.since,
                });
                group.count += 1;
                group.since = group.since.min(item.since);
            }
            if last {
                break;
            }
        }
        let rests = |group: &ItemGroup| matches!(group.standing.as_str(), "deferred" | "listed");
        let mut groups: Vec<ItemGroup> = groups.into_values().collect();
        groups.sort_by_key(|group| (rests(group), std::cmp::Reverse(group.count)));
        Ok(groups)
    }
}
