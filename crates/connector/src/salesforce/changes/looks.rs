//! What events name is read by id, until the record shows what the event told: rows become visible late.

use super::super::Salesforce;
use super::super::composite::{self, QUERIES, Subrequest};
use super::super::events::{Change, Told};
use super::super::record::bare;
use super::super::schema::Object;
use super::super::{form, read, refusal, soql};
use super::cursor::Cursor;
use crate::http::clock;
use crate::{Error, Scope};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tandem_merge::record::{Observation, Presence, RecordKey, Version};

/// The most ids that are read in one call.
const AT_ONCE: usize = 400 * QUERIES;
/// The longest pause between two looks.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_secs(30);

/// A record to look at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Look {
    /// The record type.
    of: String,
    id: String,
    want: Want,
    /// The modification time that it must show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    modified: Option<Timestamp>,
    /// When the change was committed, by the org's clock.
    at: Timestamp,
    /// When it is looked at next.
    next: Timestamp,
    /// How often it was looked at.
    #[serde(default)]
    tries: u32,
}

/// What a record must show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Want {
    /// It is there.
    Alive,
    /// It is gone.
    Gone,
    /// Either.
    Any,
}

impl Look {
    /// What an event asks to look at.
    pub(super) fn all(of: &str, told: &Told, now: Timestamp) -> Vec<Self> {
        let want = match told.change {
            Change::Created | Change::Undeleted => Want::Alive,
            Change::Deleted => Want::Gone,
            Change::Updated | Change::Gap => Want::Any,
            Change::Overflow => return Vec::new(),
        };
        let ids = told.ids.iter().filter_map(|id| form::whole_id(id));
        ids.map(|id| Self {
            of: of.to_owned(),
            id,
            want,
            modified: told.modified.filter(|_| want != Want::Gone),
            at: told.at.unwrap_or(now),
            next: now,
            tries: 0,
        })
        .collect()
    }

    /// Whether a record shows what was told; none where it cannot be known.
    fn shown_by(&self, seen: &Observation) -> Option<bool> {
        let modified = seen.version.as_ref().map(|version| version.modified);
        let reached = self
            .modified
            .map(|told| modified.is_some_and(|modified| modified >= told));
        match (self.want, seen.presence) {
            (Want::Gone, presence) => Some(presence != Presence::Alive),
            (Want::Alive, Presence::Alive) => Some(reached.unwrap_or(true)),
            (Want::Alive, _) => Some(false),
            (Want::Any, Presence::Deleted) => Some(true),
            (Want::Any, _) => reached,
        }
    }

    /// The look after one that did not show enough; none once it is too late to become visible.
    fn again(self, now: Timestamp, certain: bool, overlap: SignedDuration) -> Option<Self> {
        let end = self.at.checked_add(overlap).unwrap_or(Timestamp::MAX);
        if now >= end {
            return None;
        }
        let pause = SignedDuration::from_secs(1_i64 << self.tries.min(5)).min(LONGEST_PAUSE);
        let soon = now.checked_add(pause).unwrap_or(end).min(end);
        Some(Self {
            // Where nothing says whether it is enough, one look at the end is.
            next: if certain { soon } else { end },
            tries: self.tries + 1,
            ..self
        })
    }
}

/// The record type and the id of what is looked at.
type Place = (String, String);

/// Looks at the records that are due, in one call. What it shows, and what cannot be read for its own sake: whoever asks
/// for changes is to look at that.
pub(super) async fn look(
    org: &Salesforce,
    cursor: &mut Cursor,
    now: Timestamp,
) -> Result<(Vec<Observation>, Vec<RecordKey>), Error> {
    let mut due: BTreeMap<Place, Look> = BTreeMap::new();
    let mut later = Vec::new();
    for look in std::mem::take(&mut cursor.looks) {
        let key = (look.of.clone(), look.id.clone());
        if look.next <= now && (due.len() < AT_ONCE || due.contains_key(&key)) {
            // The last word on a record counts, but no moment that was told is forgotten.
            let modified = due.get(&key).and_then(|before| before.modified);
            let modified = modified.filter(|_| look.want != Want::Gone).max(look.modified);
            due.insert(key, Look { modified, ..look });
        } else {
            later.push(look);
        }
    }
    cursor.looks = later;
    if due.is_empty() {
        return Ok(Default::default());
    }
    let mut shown = ask_apart(org, due.keys().cloned().collect()).await?;
    let mut unread = Vec::new();
    for (key, look) in due {
        let Some(seen) = shown.get_mut(&key) else {
            unread.push(RecordKey::new(&org.config.name, &key.0, &key.1));
            cursor.looks.extend(look.again(now, true, org.overlap()));
            continue;
        };
        if look.want == Want::Gone && seen.presence == Presence::Missing && seen.unreadable.is_empty() {
            bury(seen, &look);
        }
        let (shows, missing) = (look.shown_by(seen), seen.presence == Presence::Missing);
        let again = look.again(now, shows.is_some(), org.overlap());
        let Some(again) = again.filter(|_| shows != Some(true)) else {
            continue;
        };
        // Out of sight and expected to come is no news yet.
        if missing {
            shown.remove(&key);
        }
        cursor.looks.push(again);
    }
    Ok((shown.into_values().collect(), unread))
}

/// What records show, each apart from the others: what fails together is asked in halves, where nothing is answered only
/// while the org answers something else. One that fails alone is absent from the answer.
async fn ask_apart(org: &Salesforce, due: Vec<Place>) -> Result<BTreeMap<Place, Observation>, Error> {
    // So many failures in a row lead to one record and a few more; then the org is in trouble.
    let most = due.len().checked_ilog2().unwrap_or_default() + 4;
    let (mut shown, mut failures) = (BTreeMap::new(), 0);
    let mut packs = vec![due];
    while let Some(mut pack) = packs.pop() {
        match ask(org, &pack).await {
            Ok(rows) => {
                failures = 0;
                shown.extend(rows);
            }
            Err(error) if error.scope == Scope::System || failures >= most => return Err(error),
            Err(error) => {
                failures += 1;
                if error.scope == Scope::Silence {
                    org.session.greet().await?;
                }
                if pack.len() > 1 {
                    packs.push(pack.split_off(pack.len() / 2));
                    packs.push(pack);
                    continue;
                }
                let (system, (of, id)) = (&error.system, &pack[0]);
                tracing::debug!(system, "{of} {id} cannot be read: {}", error.message);
            }
        }
    }
    Ok(shown)
}

/// The org told of the deletion, and nothing is left of the record: that is a tombstone.
fn bury(seen: &mut Observation, look: &Look) {
    seen.presence = Presence::Deleted;
    seen.version = Some(Version {
        token: look.at.to_string(),
        order: None,
        modified: look.at,
        firm: true,
        coarse: jiff::SignedDuration::ZERO,
    });
}

/// Reads records of several types, by id, five statements to a call.
async fn ask(org: &Salesforce, due: &[Place]) -> Result<BTreeMap<Place, Observation>, Error> {
    let mut statements: Vec<(Arc<Object>, String)> = Vec::new();
    let types: BTreeSet<&str> = due.iter().map(|(of, _)| of.as_str()).collect();
    for of in types {
        let object = org.object(of).await?;
        let mine = due.iter().filter(|(name, _)| name == of);
        let literals: Vec<String> = mine.map(|(_, id)| soql::quoted(id)).collect();
        let packed = soql::packed(&format!("{} WHERE Id", object.select()), &literals);
        statements.extend(
            packed
                .into_iter()
                .map(|statement| (Arc::clone(&object), statement)),
        );
    }
    let began = clock::now();
    let mut shown = BTreeMap::new();
    for pack in statements.chunks(QUERIES) {
        let reads = pack.iter().map(|(object, statement)| {
            Subrequest::new(
                "GET",
                soql::address(&org.session, statement, object.soft_deletion),
            )
        });
        let (parts, reply) = composite::read(&org.session, reads.collect()).await?;
        for ((object, _), part) in pack.iter().zip(parts) {
            if !part.is_success() {
                return Err(refusal::of_said(&org.session.http, &part.said()));
            }
            for row in read::whole(org, object, &part.body, &reply).await? {
                shown.insert((object.name.clone(), row.key.id.clone()), row);
            }
        }
    }
    for (of, id) in due {
        let key = (of.clone(), id.clone());
        let missing = || bare(&org.config.name, of, id, Presence::Missing, began);
        shown.entry(key).or_insert_with(missing);
    }
    Ok(shown)
}

/// The moment of the next look.
pub(super) fn next(looks: &[Look]) -> Option<Timestamp> {
    looks.iter().map(|look| look.next).min()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn told(change: Change, modified: Option<i64>) -> Look {
        let told = Told {
            ids: vec!["003000000000001AAA".to_owned()],
            change,
            fields: None,
            modified: modified.map(at),
            at: Some(at(10)),
        };
        Look::all("Contact", &told, at(10)).remove(0)
    }

    fn row(presence: Presence, modified: i64) -> Observation {
        let version = Version {
            token: String::new(),
            order: None,
            modified: at(modified),
            firm: true,
            coarse: jiff::SignedDuration::ZERO,
        };
        Observation {
            version: Some(version),
            ..bare("salesforce", "Contact", "003000000000001AAA", presence, at(10))
        }
    }

    #[test]
    fn a_row_that_is_not_yet_visible_does_not_settle_its_event() {
        let updated = told(Change::Updated, Some(9));
        assert_eq!(updated.shown_by(&row(Presence::Alive, 3)), Some(false));
        assert_eq!(updated.shown_by(&row(Presence::Alive, 9)), Some(true));
        assert_eq!(updated.shown_by(&row(Presence::Deleted, 9)), Some(true));
        assert_eq!(
            told(Change::Created, Some(9)).shown_by(&row(Presence::Missing, 0)),
            Some(false)
        );
        assert_eq!(
            told(Change::Deleted, None).shown_by(&row(Presence::Alive, 9)),
            Some(false)
        );
        assert_eq!(
            told(Change::Undeleted, None).shown_by(&row(Presence::Deleted, 9)),
            Some(false)
        );
        assert_eq!(told(Change::Gap, None).shown_by(&row(Presence::Alive, 9)), None);
    }

    #[test]
    fn looks_come_at_growing_pauses_until_the_overlap_has_passed() {
        let overlap = SignedDuration::from_secs(100);
        let mut look = told(Change::Updated, Some(9));
        let mut waits = Vec::new();
        let mut now = at(10);
        while let Some(next) = look.clone().again(now, true, overlap) {
            waits.push(next.next.duration_since(now).as_secs());
            now = next.next;
            look = next;
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30, 9]);
        // Where nothing tells, once more at the end.
        let gap = told(Change::Gap, None).again(at(10), false, overlap).unwrap();
        assert_eq!(gap.next, at(110));
        assert_eq!(gap.again(at(110), false, overlap), None);
    }
}
