//! Reads of given records, one apart from the other. An answer that is no one's but one record's must not keep the others
//! away: what fails together is read in halves, until what cannot be read is alone. A system is in trouble only if unlike
//! requests fail too (E17).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tandem_connector::{Connector, Error, Schema, Scope};
use tandem_merge::mutation::{Mutation, removed};
use tandem_merge::record::{Observation, RecordKey, RecordType};

/// After so many failures in a row the system is asked something else.
const IN_A_ROW: u32 = 3;

/// So many records are looked for alone; what fails together with yet others is put off with them.
const MOST: usize = 20;
/// So many where nothing is answered: each of them takes as long as an answer may take.
const MOST_SILENT: usize = 3;

/// What reads of given records came to. Every one is among the rows, or cannot be read, unless the system is in trouble.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    /// What was shown.
    pub(crate) rows: Vec<Observation>,
    /// What cannot be read although its system is there, with what was answered.
    pub(crate) unread: BTreeMap<RecordKey, Error>,
    /// What stopped it.
    pub(crate) trouble: Option<Error>,
    /// What its system described when it was asked whether it is there: [`crate::sight`] has to know of it, for what is
    /// read from then on shows what that shows.
    pub(crate) described: Option<Schema>,
}

/// Reads records of one system by type and id. Those that could not be read the last time travel by themselves.
pub(crate) async fn look(
    system: &dyn Connector,
    types: &[(RecordType, Vec<String>)],
    suspects: &BTreeSet<RecordKey>,
) -> Looked {
    let mut look = Look {
        system,
        packs: packs(system, types, suspects),
        looked: Looked::default(),
        doubt: Doubt::default(),
    };
    if let Err(trouble) = look.go_on().await {
        look.looked.unread.clear();
        look.looked.trouble = Some(trouble);
    }
    look.looked.described = look.doubt.described;
    look.looked
}

/// Ids in as few requests as may be, suspects last.
fn packs(
    system: &dyn Connector,
    types: &[(RecordType, Vec<String>)],
    suspects: &BTreeSet<RecordKey>,
) -> VecDeque<(RecordType, Vec<String>)> {
    let most = system.capabilities().fetch_batch.max(1);
    let (mut first, mut last) = (VecDeque::new(), VecDeque::new());
    for (of, ids) in types {
        let suspected = |id: &&String| {
            let key = RecordKey {
                record_type: of.clone(),
                id: (*id).clone(),
            };
            suspects.contains(&key)
        };
        let (doubted, sound): (Vec<_>, Vec<_>) = ids.iter().partition(suspected);
        for (packs, ids) in [(&mut first, sound), (&mut last, doubted)] {
            let chunks = ids.chunks(most);
            packs.extend(chunks.map(|ids| (of.clone(), ids.iter().copied().cloned().collect())));
        }
    }
    first.append(&mut last);
    first
}

/// Whether what fails is one request's trouble or its system's.
#[derive(Debug, Default)]
pub(crate) struct Doubt {
    /// In a row.
    failures: u32,
    /// What it answered to something else since the first failure.
    pub(crate) described: Option<Schema>,
}

impl Doubt {
    pub(crate) fn went_well(&mut self) {
        self.failures = 0;
    }

    /// A request failed: the error where it is the system's.
    pub(crate) async fn failed(&mut self, system: &dyn Connector, error: &Error) -> Result<(), Error> {
        if error.scope == Scope::System || removed(Mutation::Impatience) {
            return Err(error.clone());
        }
        self.failures += 1;
        if error.scope == Scope::Silence {
            // Nobody waits in vain a second time before it is known that the system is there.
            self.described = Some(system.describe().await?);
        } else if self.failures >= IN_A_ROW {
            self.ask_otherwise(system).await?;
        }
        Ok(())
    }

    /// No more requests follow.
    pub(crate) async fn end(&mut self, system: &dyn Connector) -> Result<(), Error> {
        if self.failures > 0 {
            self.ask_otherwise(system).await?;
        }
        Ok(())
    }

    /// A system that answers nothing at all is in trouble.
    async fn ask_otherwise(&mut self, system: &dyn Connector) -> Result<(), Error> {
        if self.described.is_none() {
            self.described = Some(system.describe().await?);
        }
        Ok(())
    }
}

struct Look<'a> {
    system: &'a dyn Connector,
    packs: VecDeque<(RecordType, Vec<String>)>,
    looked: Looked,
    doubt: Doubt,
}

impl Look<'_> {
    async fn go_on(&mut self) -> Result<(), Error> {
        while let Some((of, ids)) = self.packs.pop_front() {
            match self.system.fetch(&of, &ids).await {
                Ok(rows) => {
                    self.doubt.went_well();
                    self.looked.rows.extend(rows);
                }
                Err(error) => {
                    self.doubt.failed(self.system, &error).await?;
                    self.part(of, ids, &error);
                }
            }
        }
        self.doubt.end(self.system).await
    }

    /// What failed together is read in halves; what failed alone cannot be read.
    fn part(&mut self, of: RecordType, mut ids: Vec<String>, error: &Error) {
        if let Some(rest) = halved(&mut ids, self.looked.unread.len(), error) {
            self.packs.push_front((of.clone(), rest));
            self.packs.push_front((of, ids));
            return;
        }
        let keys = ids.into_iter().map(|id| RecordKey {
            record_type: of.clone(),
            id,
        });
        self.looked.unread.extend(keys.map(|key| (key, error.clone())));
    }
}

/// The second half of what failed together, where it is to be asked for in halves: not where so much failed alone already
/// that what fails with it is put off.
pub(crate) fn halved<T>(together: &mut Vec<T>, alone: usize, error: &Error) -> Option<Vec<T>> {
    let most = match error.scope {
        Scope::Silence => MOST_SILENT,
        Scope::Answer | Scope::System => MOST,
    };
    (together.len() > 1 && alone < most).then(|| together.split_off(together.len() / 2))
}
