//! What systems do by habit ([`Quirk`]): what they show late, blank, forget, ignore and never let happen.

use super::log::plain;
use super::quirks::Quirk;
use super::setting::{OUT_OF_USE, in_use, references};
use super::system::{State, System, refusal};
use jiff::SignedDuration;
use tandem_connector::{Change, Outcome, RefusalKind, Scope, Write};
use tandem_engine::Clock;
use tandem_merge::record::{Observation, Presence, RecordKey, RecordType, Values, Version};
use tandem_merge::value::Value;

/// Properties of which values may not come to stand.
const IGNORED: [&str; 4] = ["due", "title", "Due", "Name"];

/// So often an equal request may be sent that is refused: once, and once more where the same value won a conflict, which
/// is a decision of its own (it is parked at an epoch, M12).
const MOST_REFUSED: u32 = 2;

/// The same of answers that settle nothing: four tries, and four more once the system is known to work.
const MOST_IN_VAIN: u32 = 8;

impl System {
    /// What a look shows: the record as it is, or as it was before a write of Tandem that is not shown yet.
    pub fn glance(&self, state: &mut State, key: &RecordKey) -> Observation {
        let Some(before) = self.veiled(state, key) else {
            return self.tell(state, key);
        };
        state.rows_read += 1;
        before
    }

    /// The state from before a write of Tandem, where that is what a look shows.
    fn veiled(&self, state: &State, key: &RecordKey) -> Option<Observation> {
        let now = self.time.now();
        let (_, before) = state
            .rows
            .get(key)?
            .veils
            .iter()
            .find(|(until, _)| *until > now)?;
        let version = before.version.clone().map(|version| Version {
            firm: self.is_firm(version.modified),
            ..version
        });
        state.described_without.is_empty().then(|| Observation {
            version,
            read_began: now,
            ..before.clone()
        })
    }

    /// Whether a listing shows a record at all.
    pub fn is_listed(&self, state: &State, key: &RecordKey) -> bool {
        let before = self.veiled(state, key);
        let there = state.rows.get(key).is_some_and(|row| !row.purged);
        there && before.is_none_or(|before| before.presence != Presence::Missing)
    }

    /// What Tandem did to a record may be shown late: before it, it stood like this.
    pub fn veil(&self, state: &mut State, before: Observation) {
        let mut moods = self.moods.lock().unwrap();
        let late = self.quirks.contains(&Quirk::ShowsLate) && moods.one_in(2);
        if !late || !state.described_without.is_empty() {
            return;
        }
        let late = SignedDuration::from_millis(1_000 + moods.millis(19_000));
        let until = self.time.now().checked_add(late).unwrap();
        if let Some(row) = state.rows.get_mut(&before.key) {
            // A copy that is behind catches up in order.
            let until = row.veils.last().map_or(until, |(last, _)| until.max(*last));
            row.veils.push((until, before));
        }
    }

    /// References to a record that was deleted go blank with it.
    pub fn blank_references(&self, state: &mut State, deleted: &RecordKey) {
        if !self.quirks.contains(&Quirk::Blanks) {
            return;
        }
        let names = |key: &RecordKey, values: &Values| {
            let mut all = references(&key.record_type).iter();
            let found = all.find(|(property, kind)| {
                let held = values.get(*property).and_then(Value::as_text);
                *kind == deleted.record_type.name && held == Some(deleted.id.as_str())
            });
            found.map(|(property, _)| (*property).to_owned())
        };
        let rows = state.rows.iter().filter(|(_, row)| row.alive);
        let blanked: Vec<(RecordKey, String)> = rows
            .filter_map(|(key, row)| Some((key.clone(), names(key, &row.values)?)))
            .collect();
        for (key, property) in blanked {
            self.log
                .lock()
                .unwrap()
                .say(|| format!("    {property} of {key} goes blank with {deleted}"));
            self.change(state, &key, Values::from([(property, Value::Blank)]), self.now());
        }
    }

    /// Whether a person's deletion leaves no trace.
    pub fn forgets(&self) -> bool {
        self.quirks.contains(&Quirk::Forgets) && self.moods.lock().unwrap().one_in(2)
    }

    /// What comes to stand of what is written.
    pub fn kept(&self, of: &RecordType, values: &Values) -> Values {
        let ignored = |(property, value): &(&String, &Value)| {
            let text = plain(value);
            let number = text.trim_start_matches('e').parse::<u32>();
            let unlucky = number.is_ok_and(|number| number.is_multiple_of(3));
            self.quirks.contains(&Quirk::Ignores) && IGNORED.contains(&property.as_str()) && unlucky
        };
        let kept = values.iter().filter(|one| of.name == "Division" || !ignored(one));
        kept.map(|(property, value)| (property.clone(), value.clone()))
            .collect()
    }

    pub fn note_ignored(&self, state: &mut State, key: &RecordKey, values: &Values, kept: &Values) {
        let dropped = values
            .iter()
            .filter(|(property, _)| !kept.contains_key(*property));
        let dropped: Vec<Value> = dropped.map(|(_, value)| value.clone()).collect();
        if let Some(row) = state.rows.get_mut(key).filter(|_| !dropped.is_empty()) {
            let mut log = self.log.lock().unwrap();
            log.say(|| format!("    {key} does not keep {dropped:?}"));
            row.fate.ignored = log.tick();
            row.fate.dropped.extend(dropped);
        }
    }

    /// What Tandem did to references of a record, and to its use.
    pub fn note_written(&self, state: &mut State, key: &RecordKey, values: &Values) {
        let Some(row) = state.rows.get_mut(key) else {
            return;
        };
        let before = row.older.last().map(|before| before.values.clone());
        for (property, _) in references(&key.record_type) {
            let held = before.as_ref().and_then(|values| values.get(*property));
            match (values.get(*property), held.and_then(Value::as_text)) {
                (Some(Value::Blank), Some(held)) => {
                    row.fate.taken.insert((*property).to_owned(), held.to_owned());
                }
                (Some(_), _) => drop(row.fate.taken.remove(*property)),
                (None, _) => {}
            }
        }
        if values.get(in_use(&self.name)) == Some(&Value::from(OUT_OF_USE)) {
            row.fate.put_out = Some(self.log.lock().unwrap().tick());
        }
    }

    /// What is answered where nothing is ever done.
    pub fn stubborn(&self, write: &Write) -> Option<Outcome> {
        let record = match &write.change {
            Change::Delete { .. } if self.quirks.contains(&Quirk::KeepsAll) => {
                return Some(Outcome::Refused(refusal(RefusalKind::Invalid, &[])));
            }
            Change::Update { record, .. } if self.quirks.contains(&Quirk::NeverSettles) => record,
            _ => return None,
        };
        let number: u32 = record.id.trim_start_matches(char::is_alphabetic).parse().ok()?;
        match number % 6 {
            0 => Some(Outcome::Stale),
            2 => Some(Outcome::Gone),
            4 => Some(Outcome::Unknown("an error of its own".to_owned())),
            _ => None,
        }
    }

    /// What becomes of a read that asks for one of these: it is answered with an error, or not at all.
    pub fn hides(&self, ids: &[String]) -> Option<Scope> {
        if !self.quirks.contains(&Quirk::Hides) || !*self.faults.lock().unwrap() {
            return None;
        }
        ids.iter().find_map(|id| {
            let number = id.trim_start_matches(char::is_alphabetic).parse::<u32>();
            match number.ok()? % 10 {
                3 => Some(Scope::Answer),
                8 => Some(Scope::Silence),
                _ => None,
            }
        })
    }

    /// Counts a request that came to nothing.
    pub fn count_vain(&self, write: &Write, outcome: Option<&Outcome>) {
        let most = match outcome {
            Some(Outcome::Refused(refusal)) if refusal.kind != RefusalKind::Busy => MOST_REFUSED,
            Some(Outcome::Refused(_) | Outcome::Stale | Outcome::Gone | Outcome::Unknown(_)) => MOST_IN_VAIN,
            _ => return,
        };
        let (state, target) = match &write.change {
            Change::Create { .. } => (0, format!("{:?}", write.change)),
            Change::Update { record, values, .. } => (self.counter(record), format!("{record} {values:?}")),
            Change::Delete { record, .. } => (self.counter(record), format!("{record} deleted")),
        };
        let mut log = self.log.lock().unwrap();
        log.in_vain(format!("{target} at {state}, at most {most}"), most);
    }

    fn counter(&self, record: &RecordKey) -> i64 {
        let state = self.state.lock().unwrap();
        state.rows.get(record).map_or(0, |row| row.counter)
    }
}
