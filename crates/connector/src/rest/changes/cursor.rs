//! How far the changes of an ERP were seen. What cannot be read begins anew: that costs time, never data.

use super::Since;
use crate::http::clock;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::record::{Observation, RecordType};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// By record type.
    types: BTreeMap<String, Seen>,
    /// A round is running.
    pub(super) round: bool,
    /// Records are compared, and changes asked for again behind that.
    #[serde(default)]
    pub(super) comparing: bool,
    /// Types that were compared since there was nothing more.
    #[serde(default)]
    pub(super) compared: BTreeSet<String>,
}

/// How far one type was seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Seen {
    /// From where on changes are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) since: Option<Timestamp>,
    /// When the running round of the type began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    began: Option<Timestamp>,
    /// The same by our clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    began_own: Option<Timestamp>,
    /// When the last complete round of the type began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) began_last: Option<Timestamp>,
    /// The continuation within the running round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) page: Option<String>,
    /// The type was read to its end in the running round.
    #[serde(default)]
    pub(super) done: bool,
    /// The latest change that was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) newest: Option<Timestamp>,
    /// The latest change at the end of a round, and since when by our clock no later one is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    settled: Option<(Timestamp, Timestamp)>,
    /// The list of what was deleted is being read.
    #[serde(default)]
    pub(super) deleting: bool,
    /// From where on that is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) deleted_since: Option<Timestamp>,
    /// The link that shows what changed since the last complete round, where changes are told by links.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) delta: Option<String>,
    /// Some of the records that a link showed, each with its token: a link that shows them again does not tell changes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    marks: BTreeMap<String, String>,
    /// Changes may have been lost: all records are to be compared.
    #[serde(default)]
    pub(super) lost: bool,
    /// When all records were compared last, by our clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) compared: Option<Timestamp>,
}

impl Cursor {
    pub(super) fn read(bytes: Option<&[u8]>) -> Self {
        bytes
            .and_then(|bytes| serde_json::from_slice(bytes).ok())
            .unwrap_or_default()
    }

    pub(super) fn written(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(super) fn seen(&mut self, name: &str) -> &mut Seen {
        self.types.entry(name.to_owned()).or_default()
    }

    /// Begins a round, unless one is running. Whether its types are to be read.
    pub(super) fn begin(&mut self, types: &[RecordType]) -> bool {
        if self.round {
            return false;
        }
        if std::mem::take(&mut self.comparing) {
            types.iter().for_each(|of| self.seen(&of.name).done = true);
            return false;
        }
        self.round = true;
        true
    }
}

impl Seen {
    /// The clock that dates the changes went back beyond what is read again: changes since are not shown.
    pub(super) fn is_ahead_of(&self, as_of: Timestamp, overlap: SignedDuration) -> bool {
        let end = as_of.checked_add(overlap).unwrap_or(Timestamp::MAX);
        self.since.is_some_and(|since| since > end)
    }

    /// Everything is read, deletions too where changes show them; else what is absent is looked for.
    pub(super) fn begin_anew(&mut self, tombstones: bool) {
        *self = Self {
            since: tombstones.then_some(Timestamp::UNIX_EPOCH),
            deleted_since: Some(Timestamp::UNIX_EPOCH),
            lost: true,
            ..Self::default()
        };
    }

    /// Where changes are told of for so long alone, what lies further back is listed.
    pub(super) fn forget_beyond(&mut self, reach: Option<SignedDuration>) {
        let earliest = reach.and_then(|reach| clock::now().checked_sub(reach).ok());
        if let (Some(since), Some(earliest), None) = (self.since, earliest, &self.page)
            && since < earliest
        {
            *self = Self {
                lost: true,
                ..Self::default()
            };
        }
    }

    /// The running round shows no more of it; the next one begins anew.
    pub(super) fn give_up(&mut self) {
        *self = Self {
            since: self.since,
            began_last: self.began_last,
            deleted_since: self.deleted_since,
            compared: self.compared,
            newest: self.newest,
            settled: self.settled,
            delta: self.delta.take(),
            marks: std::mem::take(&mut self.marks),
            lost: self.lost,
            done: true,
            ..Self::default()
        };
    }

    /// Goes on behind a page that was read at these moments of the ERP's clock and of ours.
    pub(super) fn advance(&mut self, as_of: Timestamp, own: Timestamp, next: Option<String>, since: &Since) {
        let began = *self.began.get_or_insert(as_of);
        let own = *self.began_own.get_or_insert(own);
        self.page = next;
        if self.page.is_some() {
            return;
        }
        self.since = match since {
            Since::Clock => Some(began),
            Since::Newest { overlap, step } => {
                if self.settled.map(|(newest, _)| newest) != self.newest {
                    self.settled = self.newest.map(|newest| (newest, own));
                }
                // What was the newest for so long is shown as a whole, whatever shares its moment included.
                let wait = overlap.saturating_add(*step);
                let settled = self.settled.is_some_and(|(_, at)| own.duration_since(at) > wait);
                self.newest.map(|newest| {
                    let from = match settled {
                        true => newest.checked_add(*step),
                        false => newest.checked_sub(*overlap),
                    };
                    from.unwrap_or(newest)
                })
            }
        };
        (self.began, self.began_own) = (None, None);
        (self.began_last, self.done) = (Some(began), true);
    }

    /// Goes on behind a page of changes by links; the last one names the link for the next round.
    pub(super) fn advance_link(&mut self, as_of: Timestamp, next: Option<String>, link: Option<String>) {
        let began = *self.began.get_or_insert(as_of);
        self.page = next;
        if self.page.is_none() {
            (self.since, self.delta) = (Some(began), link);
            (self.began, self.began_last, self.done) = (None, Some(began), true);
        }
    }

    /// The link is refused: all is read anew, and what went meanwhile is looked for.
    pub(super) fn lose_link(&mut self) {
        self.marks.clear();
        (self.page, self.delta, self.began, self.lost) = (None, None, None, true);
    }

    /// Whether rows are what was shown before, in the states of before.
    pub(super) fn shows_again(&self, rows: &[Observation]) -> bool {
        let same = |row: &&Observation| {
            let token = row.version.as_ref().map(|version| &version.token);
            token.is_some() && self.marks.get(&row.key.id) == token
        };
        let again = rows.iter().filter(same).count();
        again > 0 && again * 2 >= self.marks.len()
    }

    /// Remembers the states of some rows; `anew`: of these, else of those that are remembered.
    pub(super) fn mark(&mut self, rows: &[Observation], anew: bool) {
        const MOST: usize = 20;
        if anew {
            self.marks.clear();
        }
        for row in rows {
            let Some(version) = &row.version else {
                self.marks.remove(&row.key.id);
                continue;
            };
            if (anew && self.marks.len() < MOST) || self.marks.contains_key(&row.key.id) {
                self.marks.insert(row.key.id.clone(), version.token.clone());
            }
        }
    }

    pub(super) fn go_to_deletions(&mut self) {
        (self.done, self.deleting, self.page) = (false, true, None);
    }

    pub(super) fn advance_deletions(&mut self, as_of: Timestamp, next: Option<String>) {
        let began = *self.began.get_or_insert(as_of);
        self.page = next;
        if self.page.is_none() {
            self.deleted_since = Some(began);
            (self.began, self.deleting, self.done) = (None, false, true);
        }
    }

    /// Whether all records are to be compared: after so long, and where they were not since a moment.
    pub(super) fn compares(
        &self,
        every: Option<SignedDuration>,
        now: Timestamp,
        since: Option<Timestamp>,
    ) -> bool {
        if self.lost {
            return true;
        }
        let Some(every) = every else {
            return false;
        };
        let due =
            |last: Timestamp| now.duration_since(last) >= every || since.is_some_and(|since| last < since);
        self.compared.is_none_or(due)
    }
}
