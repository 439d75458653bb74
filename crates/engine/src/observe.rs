//! Observe: pages of changes into the inbox, each in the transaction that moves its cursor.

use crate::apart::{Looked, look};
use crate::engine::FENCE;
use crate::under_way::UnderWay;
use crate::{Engine, Error, Happening, Round};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tandem_connector::{ChangePage, Complete, Connector, Incomplete};
use tandem_ledger::Page;
use tandem_merge::mutation::{Mutation, removed};
use tandem_merge::record::{Observation, RecordKey, RecordType};

/// What one request for a page came to.
struct Turn {
    index: usize,
    page: Result<(ChangePage, Looked), tandem_connector::Error>,
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
        let mut turns = UnderWay::default();
        let (mut broken_off, begun_anew) = (self.passes, self.begun_anew);
        for (index, types) in asked.iter().enumerate().filter(|(_, types)| !types.is_empty()) {
            if !round.is_down(&self.flows.systems[index]) {
                let cursor = self.store.cursor(&self.flows.systems[index])?;
                // An empty one begins anew.
                let cursor = cursor.filter(|cursor| !cursor.is_empty());
                types.iter().for_each(|of| round.ask(index, of));
                turns.begin(self.turn(index, types, cursor)).await;
            }
        }
        while let Some(Turn { index, page }) = self.meanwhile(turns.next()).await? {
            if self.begun_anew != begun_anew {
                // A page of before would have the cursor go on where it was.
                return Ok(());
            }
            match page {
                Err(error) => self.trouble(round, error),
                Ok((mut page, hinted)) => {
                    let absent = self.look_for_absent(index, &page).await?;
                    if !self.take_in(index, &mut page, [hinted, absent], round)? {
                        continue;
                    }
                    for one in std::mem::take(&mut page.incomplete) {
                        self.incomplete(round, one);
                    }
                    let (more, cursor) = (page.more, page.cursor.clone());
                    let anew = !more && std::mem::take(&mut broken_off[index]);
                    if more {
                        self.keep_pass(index, true)?;
                    }
                    if more || anew {
                        // It travels while this one is stored.
                        turns.begin(self.turn(index, &asked[index], Some(cursor))).await;
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
                        self.keep_pass(index, false)?;
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
        let (types, suspects) = (types.to_vec(), self.suspects.keys());
        async move {
            let page = changes(system.as_ref(), &types, cursor.as_deref(), &suspects).await;
            Turn { index, page }
        }
    }

    /// Reads the records that a page of a complete comparison, or what it shows whole, should show and does not: only what the system says of
    /// each by its id counts (R6).
    async fn look_for_absent(&mut self, index: usize, page: &ChangePage) -> Result<Looked, Error> {
        let shown: BTreeSet<&RecordKey> = page.observations.iter().map(|row| &row.key).collect();
        let mut types: Vec<(RecordType, Vec<String>)> = Vec::new();
        if let Some(complete) = &page.complete {
            let (known, absent) = self.absent(complete, &shown)?;
            if self.believes(&complete.record_type, known, absent.len())? && !absent.is_empty() {
                types.push((complete.record_type.clone(), absent));
            }
        }
        let mut parts: BTreeMap<&RecordType, (usize, usize, Vec<String>)> = BTreeMap::new();
        for whole in &page.wholes {
            let (known, absent) = self.absent(whole, &shown)?;
            let (lacking, all, gone) = parts.entry(&whole.record_type).or_default();
            *lacking += usize::from(!absent.is_empty());
            *all += known;
            gone.extend(absent);
        }
        for (of, (lacking, known, absent)) in parts {
            // What stands in one record may well go together; what is lacking in many is asked about as a comparison is (R7).
            let believed = lacking <= 1 || self.believes(of, known, absent.len())?;
            if believed && !absent.is_empty() {
                types.push((of.clone(), absent));
            }
        }
        if types.is_empty() {
            return Ok(Looked::default());
        }
        let system = Arc::clone(&self.systems[index]);
        Ok(look(system.as_ref(), &types, &self.suspects.keys()).await)
    }

    /// How many records are known within a range, and which of them are not shown.
    fn absent(
        &mut self,
        range: &Complete,
        shown: &BTreeSet<&RecordKey>,
    ) -> Result<(usize, Vec<String>), Error> {
        let (after, to) = (range.after.as_deref(), range.to.as_deref());
        let known = self.store.alive_between(&range.record_type, after, to)?;
        let all = known.len();
        let absent = known.into_iter().filter(|key| !shown.contains(key));
        Ok((all, absent.map(|key| key.id).collect()))
    }

    /// Adds what was read beside a page to it, so that its cursor covers that too. False where the page is not to be kept:
    /// its system is in trouble, what could not be read would be forgotten, or all is to be read again.
    fn take_in(
        &mut self,
        index: usize,
        page: &mut ChangePage,
        beside: [Looked; 2],
        round: &mut Round,
    ) -> Result<bool, Error> {
        for mut looked in beside {
            let rows = [page.observations.as_mut_slice(), looked.rows.as_mut_slice()];
            if self.take_described(index, looked.described.take(), rows)? {
                return Ok(false);
            }
            let marked = self.take_looked(&looked, round)?;
            let first = looked.unread.into_values().next().filter(|_| !marked);
            if let Some(error) = looked.trouble.take().or(first) {
                self.trouble(round, error);
                return Ok(false);
            }
            looked.rows.iter().for_each(|row| self.suspects.remove(&row.key));
            page.observations.append(&mut looked.rows);
        }
        Ok(true)
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
        round.echoes += report.echoes;
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
        let seen = self.fetch(keys, round).await?;
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
                round.echoes += report.echoes;
            }
        }
        seen.keys().for_each(|key| self.suspects.remove(key));
        Ok(seen)
    }

    /// Reads records by id, packed per type, both systems at once, storing nothing but which of them cannot be read.
    pub(crate) async fn fetch(
        &mut self,
        keys: &BTreeSet<RecordKey>,
        round: &mut Round,
    ) -> Result<BTreeMap<RecordKey, Observation>, Error> {
        let types = self.readable(keys, round);
        let (seen, looked) = self.look_up_all(types, round).await?;
        for looked in &looked {
            self.take_looked(looked, round)?;
        }
        Ok(seen)
    }

    /// The same, also of records that rest, storing nothing at all: what cannot be read is noted in the round.
    pub(crate) async fn fetch_anyway(
        &mut self,
        keys: &BTreeSet<RecordKey>,
        round: &mut Round,
    ) -> Result<BTreeMap<RecordKey, Observation>, Error> {
        let mut types: BTreeMap<RecordType, Vec<String>> = BTreeMap::new();
        for key in keys {
            let ids = types.entry(key.record_type.clone()).or_default();
            ids.push(key.id.clone());
        }
        let (seen, looked) = self.look_up_all(types, round).await?;
        for looked in looked {
            round.unread.extend(looked.unread);
        }
        Ok(seen)
    }

    /// Reads records by type and id, both systems at once.
    async fn look_up_all(
        &mut self,
        types: BTreeMap<RecordType, Vec<String>>,
        round: &mut Round,
    ) -> Result<(BTreeMap<RecordKey, Observation>, [Looked; 2]), Error> {
        let suspects = self.suspects.keys();
        let side = |index: usize| {
            let system = Arc::clone(&self.systems[index]);
            let name = &self.flows.systems[index];
            let mine = types.iter().filter(|(kind, _)| &kind.system == name);
            let mine = mine.map(|(kind, ids)| (kind.clone(), ids.clone()));
            let (mine, suspects): (Vec<_>, _) = (mine.collect(), &suspects);
            async move { look(system.as_ref(), &mine, suspects).await }
        };
        let (first, second) = (side(0), side(1));
        let (first, second) = self.meanwhile(futures::future::join(first, second)).await?;
        let (mut seen, mut both) = (BTreeMap::new(), [first, second]);
        for (index, looked) in both.iter_mut().enumerate() {
            self.take_described(index, looked.described.take(), [looked.rows.as_mut_slice()])?;
            if let Some(row) = looked.rows.first() {
                let system = row.key.record_type.system.clone();
                self.count_rows(&system, &looked.rows);
            }
            let mut rows = looked.rows.clone();
            self.leave_out(&mut rows);
            seen.extend(rows.into_iter().map(|row| (row.key.clone(), row)));
            if let Some(error) = looked.trouble.take() {
                self.trouble(round, error);
            }
        }
        Ok((seen, both))
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

/// One page of changes, with the records that it only hints at read: what is found belongs to it, so that its cursor
/// covers them.
async fn changes(
    system: &dyn Connector,
    types: &[RecordType],
    cursor: Option<&[u8]>,
    suspects: &BTreeSet<RecordKey>,
) -> Result<(ChangePage, Looked), tandem_connector::Error> {
    let page = system.changes(types, cursor).await?;
    let shown: BTreeSet<&RecordKey> = page.observations.iter().map(|row| &row.key).collect();
    let mut hinted: BTreeMap<RecordType, Vec<String>> = BTreeMap::new();
    for hint in page.hints.iter().filter(|hint| !shown.contains(hint)) {
        let ids = hinted.entry(hint.record_type.clone()).or_default();
        ids.push(hint.id.clone());
    }
    let hinted: Vec<_> = hinted.into_iter().collect();
    let looked = look(system, &hinted, suspects).await;
    Ok((page, looked))
}
