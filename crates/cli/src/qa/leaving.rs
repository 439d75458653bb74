//! What is left of a run: everything is deleted that can be, the rest is put out of use, kept and listed.

use super::births::callsign;
use super::script::Part;
use super::stage::Stage;
use crate::failure::Failure;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::dataflow::{CompanionValue, Kind, Reference, Side};
use tandem_merge::record::{RecordKey, Values};
use tandem_merge::value::Value;

/// Under which name the state notes what a run made.
const NOTE: &str = "qa";
/// How often what is left is deleted before it counts as stuck: references are at most this deep.
const ATTEMPTS: usize = 4;

/// What a run left.
#[derive(Clone, Debug, Default)]
pub(crate) struct Left {
    /// How many records were deleted.
    pub(crate) deleted: u64,
    /// Records that are kept for the next run.
    pub(crate) kept: Vec<String>,
    /// Records that could not be deleted, each with the reason.
    pub(crate) stuck: Vec<String>,
}

impl Stage {
    /// Notes what the run made, so that the next one finds it even if this one dies.
    pub(crate) fn note_own(&mut self) -> Result<(), Failure> {
        self.learn_companions()?;
        let kept: BTreeMap<String, String> = self
            .cast
            .players
            .iter()
            .filter(|(part, _)| self.is_kept(&part.of))
            .map(|(part, player)| (format!("{} {}", part.of, part.letter), player.first.clone()))
            .collect();
        // Others refer to companions: they go last, and what was made last goes first.
        let companions = self.companions(|of| !self.is_kept(of));
        let own: Vec<Json> = companions
            .iter()
            .chain(&self.own)
            .filter(|key| !self.is_kept_record(key))
            .map(|key| json!([key.record_type.system, key.record_type.name, key.id]))
            .collect();
        let text = json!({ "kept": kept, "own": own }).to_string();
        self.engine.store().set_note(NOTE, &text)?;
        self.list_remains()
    }

    /// Companions come into being whenever a record of the run needs one.
    fn learn_companions(&mut self) -> Result<(), Failure> {
        let flows = self.engine.flows().clone();
        let owners: Vec<(String, RecordKey)> = self
            .cast
            .players
            .iter()
            .map(|(part, player)| {
                (
                    part.of.clone(),
                    self.people.key(Side::First, &part.of, &player.first),
                )
            })
            .collect();
        for (of, owner) in owners {
            let cluster = self.engine.store().cluster(&flows, &owner)?.unwrap_or_default();
            let companions = cluster.records.get(&owner).into_iter();
            let made = companions.flat_map(|record| &record.companions);
            for (role, companion) in made.filter(|(_, companion)| companion.created) {
                if let Some(id) = &companion.id {
                    let key = (role.clone(), of.clone(), owner.id.clone());
                    self.cast.companions.entry(key).or_insert_with(|| id.clone());
                }
            }
        }
        Ok(())
    }

    /// Lists what the run has made, and what it keeps, in the file beside the state.
    fn list_remains(&mut self) -> Result<(), Failure> {
        let kept = self
            .cast
            .players
            .iter()
            .filter(|(part, _)| self.is_kept(&part.of));
        let kept = kept.flat_map(|(part, player)| {
            let first = self.people.key(Side::First, &part.of, &player.first);
            let seconds = player.second.iter();
            let seconds =
                seconds.map(|(at, id)| self.people.key(Side::Second, &self.promised[*at].types[1], id));
            seconds.chain([first]).collect::<Vec<_>>()
        });
        let mut all: BTreeSet<RecordKey> = kept.chain(self.own.iter().cloned()).collect();
        all.extend(self.companions(|_| true));
        // What earlier runs left and its system deletes for nobody is there for good.
        all.extend(self.remains.records().into_iter().filter(|key| !self.can_go(key)));
        let all: Vec<(RecordKey, bool)> = all
            .into_iter()
            .map(|key| {
                let kept = self.is_kept_record(&key);
                (key, kept)
            })
            .collect();
        self.remains.keep(&self.run, &self.sites, all)
    }

    fn noted(&mut self) -> Result<Json, Failure> {
        let text = self.engine.store().note(NOTE)?.unwrap_or_default();
        Ok(serde_json::from_str(&text).unwrap_or(Json::Null))
    }

    /// The kept records that earlier runs noted.
    pub(crate) fn noted_players(&mut self) -> Result<BTreeMap<Part, String>, Failure> {
        let noted = self.noted()?;
        let kept = noted["kept"].as_object().cloned().unwrap_or_default();
        let part = |(name, id): (String, Json)| {
            let (of, letter) = name.rsplit_once(' ')?;
            let part = Part {
                of: of.to_owned(),
                letter: letter.chars().next()?,
            };
            Some((part, id.as_str()?.to_owned()))
        };
        Ok(kept.into_iter().filter_map(part).collect())
    }

    /// The records that an earlier run noted as its own.
    pub(crate) fn noted_records(&mut self) -> Result<Vec<RecordKey>, Failure> {
        let noted = self.noted()?;
        let key = |row: &Json| {
            let text = |at: usize| row.get(at)?.as_str().map(str::to_owned);
            Some(RecordKey::new(text(0)?, text(1)?, text(2)?))
        };
        let own = noted["own"].as_array().into_iter().flatten();
        Ok(own.filter_map(key).collect())
    }

    /// Deletes what an earlier run that died left behind.
    pub(crate) async fn sweep(&mut self) -> Result<u64, Failure> {
        let left = self.noted_records()?;
        if left.is_empty() {
            return Ok(0);
        }
        self.own.clone_from(&left);
        let alive = self.people.read(left.iter().cloned()).await?;
        // What was made last refers to what was made first.
        let mut left: Vec<RecordKey> = left
            .into_iter()
            .rev()
            .filter(|key| alive.contains_key(key))
            .collect();
        left.sort_by_key(|key| key.record_type.system == self.people.name(Side::First));
        let mut deleted = 0;
        for key in left {
            let answers = self.people.delete(vec![key]).await?;
            deleted += u64::from(answers.iter().all(Result::is_ok));
        }
        self.sync_and_approve().await?;
        self.own.clear();
        self.items.clear();
        Ok(deleted)
    }

    fn is_kept_record(&self, key: &RecordKey) -> bool {
        self.promised.iter().any(|flow| {
            let named = flow.types.iter().any(|name| name == &key.record_type.name);
            let system = key.record_type.system == self.people.name(Side::First);
            let end = usize::from(!system);
            named && flow.types[end] == key.record_type.name && self.is_kept(&flow.types[0])
        })
    }

    /// Kept records let go of those that are about to be deleted.
    pub(crate) async fn let_go_of_others(&mut self) -> Result<(), Failure> {
        let mut updates = Vec::new();
        for (part, player) in &self.cast.players {
            if !self.is_kept(&part.of) {
                continue;
            }
            let values: Values = self
                .promised
                .iter()
                .filter(|flow| flow.types[0] == part.of)
                .flat_map(|flow| &flow.rows)
                .filter(|row| {
                    row.editable[0] && row.unserved.is_none() && self.points_to_passing(&row.mapping.kind)
                })
                .map(|row| (row.mapping.properties[0].clone(), Value::Blank))
                .collect();
            if !values.is_empty() {
                updates.push((self.people.key(Side::First, &part.of, &player.first), values));
            }
        }
        if updates.is_empty() {
            return Ok(());
        }
        // What is refused here shows when the record that is pointed to cannot be deleted.
        let _ = self.people.update(updates).await?;
        self.sync_and_approve().await
    }

    fn points_to_passing(&self, kind: &Kind) -> bool {
        let Kind::Reference(through) = kind else {
            return false;
        };
        let of = match through {
            Reference::Companion { of, .. } => Some(of.name.clone()),
            Reference::Flow(name) => {
                let flow = self.promised.iter().find(|flow| flow.name.as_ref() == Some(name));
                flow.map(|flow| flow.types[0].clone())
            }
        };
        of.is_some_and(|of| !self.is_kept(&of))
    }

    /// Deletes what is left of types that are not kept, on both sides.
    pub(crate) async fn strike(&mut self, level: &BTreeSet<String>) -> Result<(), Failure> {
        let keys: Vec<RecordKey> = self
            .cast
            .players
            .iter()
            .filter(|(part, _)| level.contains(&part.of) && !self.is_kept(&part.of))
            .flat_map(|(part, player)| {
                let first = self.people.key(Side::First, &part.of, &player.first);
                let seconds = player.second.iter();
                let seconds =
                    seconds.map(|(at, id)| self.people.key(Side::Second, &self.promised[*at].types[1], id));
                seconds.chain([first]).collect::<Vec<_>>()
            })
            .collect();
        let alive = self.people.read(keys.clone()).await?;
        let left: Vec<RecordKey> = keys.into_iter().filter(|key| alive.contains_key(key)).collect();
        if left.is_empty() {
            return Ok(());
        }
        // What is refused is looked for, and listed, at the end.
        let _ = self.people.delete(left).await?;
        self.sync_and_approve().await
    }

    /// Deletes companions, puts kept records out of use under their own names, and lists what stays.
    pub(crate) async fn leave(&mut self) -> Result<Left, Failure> {
        let mut left = Left::default();
        let companions = self.companions(|of| !self.is_kept(of));
        let answers = self.people.delete(companions.clone()).await?;
        for (key, answer) in companions.into_iter().zip(answers) {
            match answer {
                Ok(_) => left.deleted += 1,
                Err(why) => left.stuck.push(format!("{key}: {why}")),
            }
        }
        self.put_out_of_use(&mut left).await?;
        self.sync_and_approve().await?;
        let own: Vec<RecordKey> = self.own.clone();
        let alive = self.delete_the_rest().await?;
        for key in own {
            match alive.contains_key(&key) {
                false => left.deleted += 1,
                true if self.is_kept_record(&key) => {}
                true => left
                    .stuck
                    .push(format!("{key}: it could not be deleted: {}", alive[&key])),
            }
        }
        for (part, player) in &self.cast.players {
            if self.is_kept(&part.of) {
                left.kept.push(self.kept_line(part, player));
            }
        }
        self.own.retain(|key| alive.contains_key(key));
        self.note_own()?;
        Ok(left)
    }

    /// Tries again what was refused while something else referred to it: packs of one batch travel side by side,
    /// so that a record may be reached before what refers to it. Returns what is still there, and what was said
    /// of it last.
    async fn delete_the_rest(&mut self) -> Result<BTreeMap<RecordKey, String>, Failure> {
        let mut said: BTreeMap<RecordKey, String> = BTreeMap::new();
        for _ in 0..ATTEMPTS {
            let alive = self.people.read(self.own.iter().cloned()).await?;
            let still = |key: &RecordKey| said.get(key).cloned().unwrap_or_default();
            let rest: BTreeMap<RecordKey, String> =
                alive.keys().map(|key| (key.clone(), still(key))).collect();
            let keys: Vec<RecordKey> = rest
                .keys()
                .filter(|key| !self.is_kept_record(key))
                .cloned()
                .collect();
            if keys.is_empty() {
                return Ok(rest);
            }
            let answers = self.people.delete(keys.clone()).await?;
            let refused = keys
                .into_iter()
                .zip(answers)
                .filter_map(|(key, answer)| Some((key, answer.err()?)));
            said.extend(refused);
            self.sync_and_approve().await?;
        }
        let alive = self.people.read(self.own.iter().cloned()).await?;
        let still = |key: RecordKey| {
            let why = said.remove(&key).unwrap_or_default();
            (key, why)
        };
        Ok(alive.into_keys().map(still).collect())
    }

    fn kept_line(&self, part: &Part, player: &super::cast::Player) -> String {
        let own = player.second.iter();
        let seconds = own.map(|(at, id)| {
            self.people
                .key(Side::Second, &self.promised[*at].types[1], id)
                .to_string()
        });
        let seconds: Vec<String> = seconds.collect();
        let first = self.people.key(Side::First, &part.of, &player.first);
        format!(
            "{} ({first}), linked with {}",
            callsign(part),
            seconds.join(" and ")
        )
    }

    /// Companions of records of types that are wanted, those that hang on others first.
    fn companions(&self, wanted: impl Fn(&str) -> bool) -> Vec<RecordKey> {
        let mut rules = self.companion_rules();
        let hangs = |value: &CompanionValue| {
            matches!(
                value,
                CompanionValue::Companion { .. } | CompanionValue::Linked { .. }
            )
        };
        rules.sort_by_key(|rule| !rule.values.values().any(hangs));
        let of_rule = |rule: &tandem_merge::dataflow::CompanionRule| {
            let own = self.cast.companions.iter();
            let own = own.filter(|((role, of, _), _)| role == &rule.role && wanted(of));
            let keys = own.map(|(_, id)| self.people.key(Side::Second, &rule.record_type.name, id));
            keys.collect::<Vec<_>>()
        };
        rules.iter().flat_map(of_rule).collect()
    }

    async fn put_out_of_use(&mut self, left: &mut Left) -> Result<(), Failure> {
        let mut updates = Vec::new();
        for (part, player) in &self.cast.players {
            if !self.is_kept(&part.of) {
                continue;
            }
            let mut values = Values::new();
            if let Some([property, _]) = self.key_property(&part.of) {
                values.insert(property, callsign(part));
            }
            let flows = (0..self.promised.len()).filter(|at| self.promised[*at].types[0] == part.of);
            let ends = flows.filter_map(|at| self.flow(at)?.end(Side::First).deactivate.clone());
            values.extend(ends);
            updates.push((self.people.key(Side::First, &part.of, &player.first), values));
        }
        let keys: Vec<RecordKey> = updates.iter().map(|(key, _)| key.clone()).collect();
        for (key, answer) in keys.into_iter().zip(self.people.update(updates).await?) {
            if let Err(why) = answer {
                left.stuck
                    .push(format!("{key}: it could not be put out of use, {why}"));
            }
        }
        Ok(())
    }
}
