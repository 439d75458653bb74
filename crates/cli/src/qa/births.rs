//! The records of the run on the first side: new ones, and those that earlier runs kept.

use super::cast::Player;
use super::checklist::About;
use super::script::{Part, Spec};
use super::stage::Stage;
use crate::failure::Failure;
use std::collections::BTreeMap;
use tandem_merge::dataflow::Side;
use tandem_merge::record::Values;
use tandem_merge::value::Value;

/// The name that a kept record is found by in every run.
pub(crate) fn callsign(part: &Part) -> Value {
    Value::Text(format!("QA-{}-{}", part.of.to_uppercase(), part.letter))
}

impl Stage {
    /// Makes the records of the run on the first side, or takes those kept from an earlier one.
    pub(crate) async fn births(&mut self) -> Result<(), Failure> {
        let births = self.script.births.clone();
        let mut types: Vec<String> = births.iter().map(|(part, _)| part.of.clone()).collect();
        types.dedup();
        for of in &types {
            self.take_kept(of).await?;
        }
        // Parents first: an owner has to be in use before anything can be given to it.
        for of in &types {
            let kept = |part: &Part| &part.of == of && self.cast.players.contains_key(part);
            let kept: Vec<_> = births.iter().filter(|(part, _)| kept(part)).cloned().collect();
            self.refresh_kept(&kept).await?;
        }
        for of in &types {
            let new = |part: &Part| &part.of == of && !self.cast.players.contains_key(part);
            let new: Vec<_> = births.iter().filter(|(part, _)| new(part)).cloned().collect();
            self.create(of, new).await?;
        }
        Ok(())
    }

    /// The property that kept records of a type are known by.
    pub(crate) fn key_property(&self, of: &str) -> Option<[String; 2]> {
        let flows = (0..self.promised.len()).filter(|at| self.promised[*at].types[0] == of);
        let mut rules = flows.filter_map(|at| self.flow(at)?.match_rules.first().cloned());
        rules.find_map(|rule| rule.parts.into_iter().next().map(|part| part.properties))
    }

    /// Looks for records of a type that earlier runs kept.
    async fn take_kept(&mut self, of: &str) -> Result<(), Failure> {
        if !self.is_kept(of) {
            return Ok(());
        }
        let parts: Vec<Part> = self.parts(of);
        let noted = self.noted_players()?;
        let ids: BTreeMap<Part, String> = noted
            .into_iter()
            .filter(|(part, _)| parts.contains(part))
            .collect();
        let keys = ids.values().map(|id| self.people.key(Side::First, of, id));
        let alive = self.people.read(keys).await?;
        for (part, id) in ids {
            if alive.contains_key(&self.people.key(Side::First, of, &id)) {
                self.keep(part, id);
            }
        }
        let Some([property, _]) = self.key_property(of) else {
            return Ok(());
        };
        let names: Vec<Value> = parts.iter().map(callsign).collect();
        for found in self.people.find(Side::First, of, &property, &names).await? {
            let name = found.values.get(&property);
            let part = parts.iter().find(|part| name == Some(&callsign(part)));
            if let Some(part) = part.filter(|part| !self.cast.players.contains_key(part)) {
                self.keep(part.clone(), found.key.id);
            }
        }
        Ok(())
    }

    /// The parts of a type.
    pub(crate) fn parts(&self, of: &str) -> Vec<Part> {
        let births = self.script.births.iter().map(|(part, _)| part);
        births.filter(|part| part.of == of).cloned().collect()
    }

    fn keep(&mut self, part: Part, first: String) {
        let player = Player {
            first,
            second: BTreeMap::new(),
            kept: true,
        };
        self.cast.players.insert(part, player);
    }

    /// Gives kept records the values of new ones, before anything new refers to them.
    async fn refresh_kept(&mut self, kept: &[(Part, BTreeMap<String, Spec>)]) -> Result<(), Failure> {
        if kept.is_empty() {
            return Ok(());
        }
        let mut updates = Vec::new();
        for (part, values) in kept {
            let travels = |first: &String| self.travels(&part.of, first);
            let values: BTreeMap<String, Spec> = values
                .iter()
                .filter(|(first, _)| travels(first))
                .map(|(first, value)| (first.clone(), value.clone()))
                .collect();
            let first = self.cast.players[part].first.clone();
            updates.push((
                self.people.key(Side::First, &part.of, &first),
                self.own_values(part, &values),
            ));
        }
        for (answer, (part, _)) in self.people.update(updates).await?.into_iter().zip(kept) {
            if let Err(why) = answer {
                self.refused(&part.of, &why);
            }
        }
        self.sync_and_approve().await
    }

    /// Whether a first property travels to the second side in a flow of the type.
    fn travels(&self, of: &str, first: &str) -> bool {
        let flows = self.promised.iter().filter(|flow| flow.types[0] == of);
        flows
            .flat_map(|flow| &flow.rows)
            .any(|row| row.mapping.properties[0] == first && row.mapping.travels_to(Side::Second))
    }

    fn own_values(&self, part: &Part, values: &BTreeMap<String, Spec>) -> Values {
        let canonical = |(first, spec): (&String, &Spec)| Some((first.clone(), self.cast.canonical(spec)?));
        let mut own: Values = values.iter().filter_map(canonical).collect();
        if self.is_kept(&part.of)
            && let Some([property, _]) = self.key_property(&part.of)
        {
            own.insert(property, callsign(part));
        }
        own
    }

    async fn create(&mut self, of: &str, new: Vec<(Part, BTreeMap<String, Spec>)>) -> Result<(), Failure> {
        let records: Vec<Values> = new
            .iter()
            .map(|(part, values)| self.own_values(part, values))
            .collect();
        let answers = self.people.create(Side::First, of, records).await?;
        for ((part, _), answer) in new.into_iter().zip(answers) {
            match answer {
                Ok(first) => {
                    self.owns(self.people.key(Side::First, of, &first));
                    let player = Player {
                        first,
                        ..Player::default()
                    };
                    self.cast.players.insert(part, player);
                }
                Err(why) => self.refused(of, &why),
            }
        }
        self.note_own()
    }

    fn refused(&mut self, of: &str, why: &str) {
        let system = super::checklist::capital(self.people.name(Side::First));
        for at in 0..self.promised.len() {
            if self.promised[at].types[0] == of {
                let evidence = self.list.about(About::EveryOne(at));
                evidence.cannot(format!("{system} refuses the record: {why}"));
            }
        }
    }
}
