//! Observe: pages of changes into the inbox, each in the transaction that moves its cursor.

use crate::engine::FENCE;
use crate::{Engine, Error, Happening, Round};
use futures::stream::{FuturesUnordered, StreamExt};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tandem_connector::{ChangePage, Connector, Incomplete};
use tandem_merge::mutation::{Mutation, removed};
use tandem_merge::record::{Observation, RecordKey, RecordType};
use tandem_store::Page;

/// What one request for a page came to.
struct Turn {
    index: usize,
    page: Result<ChangePage, tandem_connector::Error>,
}

impl Engine {
    /// Pulls the changes of these systems (0, 1) until none wait, both at once: of all types or those that a sync
    /// still asks for. A system in trouble is noted in the round and passed over from then on.
    pub(crate) async fn observe(&mut self, which: &[usize], round: &mut Round) -> Result<(), Error> {
        let mut asked: [Vec<RecordType>; 2] = Default::default();
        for &index in which {
            asked[index] = self.flows.types_of(&self.flows.systems[index]);
            if let Some(only) = &self.asks_only[index] {
                asked[index].retain(|of| only.contains(of));
            }
            let by_type = self.systems[index].capabilities().asks_by_type;
            if by_type && self.rounds == 1 && self.listed.contains(&self.flows.systems[index]) {
                // What an earlier process's load is making is read once it is made.
                let all = std::mem::take(&mut asked[index]).into_iter();
                let (later, now): (Vec<_>, Vec<_>) = all.partition(|of| self.loads_type(of));
                asked[index] = now;
                later.iter().for_each(|of| round.touch(index, of));
            }
        }
        self.observe_types(asked, round).await
    }

    /// Pulls the changes of what was written to in this round, where a system shows these alone.
    pub(crate) async fn observe_touched(&mut self, which: &[usize], round: &mut Round) -> Result<(), Error> {
        let mut asked: [Vec<RecordType>; 2] = Default::default();
        for &index in which {
            asked[index] = self.flows.types_of(&self.flows.systems[index]);
            if self.systems[index].capabilities().asks_by_type {
                asked[index].retain(|of| round.touched[index].contains(of));
            }
        }
        self.observe_types(asked, round).await
    }

    /// Pulls the changes that show how these records of a system stand, as far as this round has not asked for them.
    pub(crate) async fn observe_unasked(
        &mut self,
        index: usize,
        records: &[RecordKey],
        round: &mut Round,
    ) -> Result<(), Error> {
        let unasked = |of: &&RecordType| !round.asked[index].contains(of);
        let wanted: BTreeSet<&RecordType> = records
            .iter()
            .map(|key| &key.record_type)
            .filter(unasked)
            .collect();
        let by_type = self.systems[index].capabilities().asks_by_type;
        let mut asked: [Vec<RecordType>; 2] = Default::default();
        if !wanted.is_empty() {
            asked[index] = self.flows.types_of(&self.flows.systems[index]);
            asked[index].retain(|of| !by_type || wanted.contains(of));
        }
        self.observe_types(asked, round).await
    }

    async fn observe_types(&mut self, asked: [Vec<RecordType>; 2], round: &mut Round) -> Result<(), Error> {
        let mut turns = FuturesUnordered::new();
        for (index, types) in asked.iter().enumerate().filter(|(_, types)| !types.is_empty()) {
            if !round.is_down(&self.flows.systems[index]) {
                let cursor = self.store.cursor(&self.flows.systems[index])?;
                // An empty one begins anew.
                let cursor = cursor.filter(|cursor| !cursor.is_empty());
                types.iter().for_each(|of| round.ask(index, of));
                turns.push(self.turn(index, types, cursor));
            }
        }
        while let Some(Turn { index, page }) = turns.next().await {
            match page {
                Err(error) => self.trouble(round, error),
                Ok(mut page) => {
                    if let Err(error) = self.add_absent(index, &mut page).await? {
                        self.trouble(round, error);
                        continue;
                    }
                    for one in std::mem::take(&mut page.incomplete) {
                        self.incomplete(round, one);
                    }
                    let (more, cursor) = (page.more, page.cursor.clone());
                    if more {
                        turns.push(self.turn(index, &asked[index], Some(cursor)));
                    }
                    if removed(Mutation::CursorFirst) {
                        let cursor = page.cursor.clone();
                        let early = ChangePage {
                            cursor,
                            ..ChangePage::default()
                        };
                        self.keep_page(index, early, round)?;
                        tokio::task::yield_now().await;
                    }
                    self.keep_page(index, page, round)?;
                    if !more {
                        self.complete(index, &asked[index], round)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The request for a system's next page, free of the engine so that both can be under way at once.
    fn turn(
        &self,
        index: usize,
        types: &[RecordType],
        cursor: Option<Vec<u8>>,
    ) -> impl Future<Output = Turn> + Send + use<> {
        let system = Arc::clone(&self.systems[index]);
        let types = types.to_vec();
        async move {
            let page = changes(system.as_ref(), &types, cursor.as_deref()).await;
            Turn { index, page }
        }
    }

    /// Reads the records that a page of a complete comparison should show and does not, and adds what is found:
    /// only what the system says of each by its id counts (R6). Answers what stopped it.
    async fn add_absent(
        &mut self,
        index: usize,
        page: &mut ChangePage,
    ) -> Result<Result<(), tandem_connector::Error>, Error> {
        let Some(complete) = &page.complete else {
            return Ok(Ok(()));
        };
        let (after, to) = (complete.after.as_deref(), complete.to.as_deref());
        let known = self.store.alive_between(&complete.record_type, after, to)?;
        let shown: BTreeSet<&RecordKey> = page.observations.iter().map(|row| &row.key).collect();
        let all = known.len();
        let absent = known.into_iter().filter(|key| !shown.contains(key));
        let absent: Vec<String> = absent.map(|key| key.id).collect();
        if !self.believes(&complete.record_type, all, absent.len())? || absent.is_empty() {
            return Ok(Ok(()));
        }
        let system = Arc::clone(&self.systems[index]);
        let (rows, trouble) = fetch_types(system.as_ref(), &[(complete.record_type.clone(), absent)]).await;
        page.observations.extend(rows);
        Ok(trouble.map_or(Ok(()), Err))
    }

    fn keep_page(&mut self, index: usize, mut page: ChangePage, round: &mut Round) -> Result<(), Error> {
        self.leave_out(&mut page.observations);
        let system = self.flows.systems[index].clone();
        self.keep_in_mind(&system, &page.observations);
        self.count_rows(&system, &page.observations);
        self.notice_strangers(&system, &page.observations)?;
        let page = Page {
            system,
            observations: page.observations,
            cursor: Some(page.cursor),
        };
        let report = self.store.commit_page(FENCE, &self.flows, &page)?;
        round.observed += report.new;
        Ok(())
    }

    /// A system's changes were read to their end: if it was the first time, it is listed in full, but for types that
    /// were not: their flows rest until they are.
    fn complete(&mut self, index: usize, asked: &[RecordType], round: &Round) -> Result<(), Error> {
        let system = self.flows.systems[index].clone();
        self.keep_unlisted(&system, asked, round)?;
        if !round.incomplete.keys().any(|of| of.system == system) {
            self.regain(&system)?;
            self.note_read(&system)?;
        }
        let system = &system;
        if self.listed.contains(system) {
            return Ok(());
        }
        self.store.mark_listed(system, self.clock.now())?;
        self.watcher.happened(&Happening::Listed { system });
        self.listed.insert(system.clone());
        Ok(())
    }

    /// Counts rows for budgets and tells the watcher, per record type.
    fn count_rows(&mut self, system: &str, rows: &[Observation]) {
        *self.tally.rows_read.entry(system.to_owned()).or_default() += rows.len() as u64;
        let mut types: BTreeMap<&str, u64> = BTreeMap::new();
        for row in rows {
            *types.entry(row.key.record_type.name.as_str()).or_default() += 1;
        }
        for (record_type, records) in types {
            self.tell(&Happening::Observed {
                system,
                record_type,
                records,
                first_load: !self.listed.contains(system),
            });
        }
    }

    /// Reads records by id, packed per type, and puts what is seen into the inbox. What could not be read
    /// is absent from the answer; its system is noted in the round.
    pub(crate) async fn read(
        &mut self,
        keys: &BTreeSet<RecordKey>,
        round: &mut Round,
    ) -> Result<BTreeMap<RecordKey, Observation>, Error> {
        let seen = self.fetch(keys, round).await;
        for system in self.flows.systems.clone() {
            let mine = seen.values().filter(|row| row.key.record_type.system == system);
            let page = Page {
                observations: mine.cloned().collect(),
                system,
                cursor: None,
            };
            if !page.observations.is_empty() {
                let report = self.store.commit_page(FENCE, &self.flows, &page)?;
                round.observed += report.new;
            }
        }
        Ok(seen)
    }

    /// Reads records by id, packed per type, both systems at once, storing nothing.
    pub(crate) async fn fetch(
        &mut self,
        keys: &BTreeSet<RecordKey>,
        round: &mut Round,
    ) -> BTreeMap<RecordKey, Observation> {
        let mut types: BTreeMap<&RecordType, Vec<String>> = BTreeMap::new();
        for key in keys.iter().filter(|key| !round.is_down(&key.record_type.system)) {
            types.entry(&key.record_type).or_default().push(key.id.clone());
        }
        let side = |index: usize| {
            let system = Arc::clone(&self.systems[index]);
            let name = &self.flows.systems[index];
            let mine = types.iter().filter(|(kind, _)| &kind.system == name);
            let mine = mine.map(|(kind, ids)| ((*kind).clone(), ids.clone()));
            let mine: Vec<_> = mine.collect();
            async move { fetch_types(system.as_ref(), &mine).await }
        };
        let (first, second) = futures::join!(side(0), side(1));
        let mut seen = BTreeMap::new();
        for (rows, trouble) in [first, second] {
            if let Some(row) = rows.first() {
                let system = row.key.record_type.system.clone();
                self.count_rows(&system, &rows);
            }
            let mut rows = rows;
            self.leave_out(&mut rows);
            seen.extend(rows.into_iter().map(|row| (row.key.clone(), row)));
            if let Some(error) = trouble {
                self.trouble(round, error);
            }
        }
        seen
    }

    /// Notes a type that was not shown to its end, and tells the watcher, once per round.
    fn incomplete(&self, round: &mut Round, one: Incomplete) {
        let known = round.incomplete.insert(one.record_type, one.error.clone());
        if known.is_none() {
            self.tell(&Happening::Trouble { error: &one.error });
        }
    }

    /// Notes a system in trouble and tells the watcher, once per round.
    pub(crate) fn trouble(&self, round: &mut Round, error: tandem_connector::Error) {
        self.tell(&Happening::Trouble { error: &error });
        round.trouble(error);
    }
}

/// One page of changes, with the records that it only hints at read and added, so that the cursor covers
/// them.
async fn changes(
    system: &dyn Connector,
    types: &[RecordType],
    cursor: Option<&[u8]>,
) -> Result<ChangePage, tandem_connector::Error> {
    let mut page = system.changes(types, cursor).await?;
    let shown: BTreeSet<&RecordKey> = page.observations.iter().map(|row| &row.key).collect();
    let mut hinted: BTreeMap<RecordType, Vec<String>> = BTreeMap::new();
    for hint in page.hints.iter().filter(|hint| !shown.contains(hint)) {
        let ids = hinted.entry(hint.record_type.clone()).or_default();
        ids.push(hint.id.clone());
    }
    let hinted: Vec<_> = hinted.into_iter().collect();
    let (rows, trouble) = fetch_types(system, &hinted).await;
    page.observations.extend(rows);
    trouble.map_or(Ok(page), Err)
}

/// Records of one system by type and id, with what stopped it.
async fn fetch_types(
    system: &dyn Connector,
    types: &[(RecordType, Vec<String>)],
) -> (Vec<Observation>, Option<tandem_connector::Error>) {
    let mut seen = Vec::new();
    for (record_type, ids) in types {
        for ids in ids.chunks(system.capabilities().fetch_batch.max(1)) {
            match system.fetch(record_type, ids).await {
                Ok(rows) => seen.extend(rows),
                Err(error) => return (seen, Some(error)),
            }
        }
    }
    (seen, None)
}
