//! What a taking reads together: the rows of records and of all that links tie to them, with what hangs on each.

use crate::companion;
use crate::db::{Db, Rid, Trouble};
use crate::load::{self, Has, IntentRow, LinkLine, Row};
use std::collections::{BTreeMap, HashMap};
use tandem_merge::cluster::Companion;
use tandem_merge::record::{Observation, RecordKey};

/// A record's row with what hangs on it.
pub(crate) struct Member {
    pub(crate) row: Row,
    pub(crate) links: Vec<LinkLine>,
    pub(crate) intents: Vec<IntentRow>,
    pub(crate) companions: BTreeMap<String, Companion>,
    /// By number, in order of arrival.
    pub(crate) inbox: Vec<(i64, Observation)>,
}

/// Members that were read and not handed out yet.
#[derive(Default)]
pub(crate) struct Gathered {
    members: HashMap<Rid, Member>,
    /// Inbox rows are left out: they are known already, or cleared.
    without_inbox: bool,
}

impl Gathered {
    pub(crate) fn without_inbox() -> Self {
        Self {
            without_inbox: true,
            ..Self::default()
        }
    }

    /// Reads the clusters of records whole, however many, with one statement for each table that holds something.
    pub(crate) fn read(&mut self, db: &Db, seeds: impl IntoIterator<Item = Rid>) -> Result<(), Trouble> {
        let unread = |rid: &Rid| !self.members.contains_key(rid);
        let seeds: Vec<Rid> = seeds.into_iter().filter(unread).collect();
        if seeds.is_empty() {
            return Ok(());
        }
        let rows = load::tied_rows(db, &seeds)?;
        let having = |what: fn(Has) -> bool| {
            let rows = rows.iter().filter(|row| what(row.has));
            rows.map(|row| row.rid).collect::<Vec<Rid>>()
        };
        let links = load::links_from(db, &having(Has::links))?;
        let intents = load::intents_of(db, &having(Has::intents))?;
        let companions = companion::of(db, &having(Has::companions))?;
        let inbox = if self.without_inbox {
            Vec::new()
        } else {
            load::inbox_of(db, &having(Has::inbox))?
        };
        let mut read: HashMap<Rid, Member> =
            rows.into_iter().map(|row| (row.rid, Member::bare(row))).collect();
        for line in links {
            for end in [line.first, line.second] {
                if let Some(member) = read.get_mut(&end) {
                    member.links.push(line.clone());
                }
            }
        }
        for row in intents {
            if let Some(member) = read.get_mut(&row.record) {
                member.intents.push(row);
            }
        }
        for (owner, role, companion) in companions {
            if let Some(member) = read.get_mut(&owner) {
                member.companions.insert(role, companion);
            }
        }
        for (rid, seq, seen) in inbox {
            if let Some(member) = read.get_mut(&rid) {
                member.inbox.push((seq, seen));
            }
        }
        for (rid, member) in read {
            self.members.entry(rid).or_insert(member);
        }
        Ok(())
    }

    /// Forgets what was read of records: it changed since.
    pub(crate) fn forget(&mut self, rids: impl IntoIterator<Item = Rid>) {
        for rid in rids {
            self.members.remove(&rid);
        }
    }

    /// Hands a record out that may not have been named before.
    pub(crate) fn make(&mut self, db: &Db, key: &RecordKey) -> Result<Member, Trouble> {
        match db.rid(key)? {
            Some(rid) => self.take(db, rid),
            None => load::make_row(db, key).map(Member::bare),
        }
    }

    /// Hands a member out.
    pub(crate) fn take(&mut self, db: &Db, rid: Rid) -> Result<Member, Trouble> {
        self.read(db, [rid])?;
        let member = self.members.remove(&rid);
        member.ok_or_else(|| Trouble::Unreadable(format!("record {rid} is not there")))
    }
}

impl Member {
    fn bare(row: Row) -> Self {
        Self {
            row,
            links: Vec::new(),
            intents: Vec::new(),
            companions: BTreeMap::new(),
            inbox: Vec::new(),
        }
    }
}
