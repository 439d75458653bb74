//! After the births: who is linked with whom, and what the counterparts were given.

use super::births::callsign;
use super::cast::{Player, shown};
use super::checklist::{About, Mismatch, Trial};
use super::script::{Part, RowAt, Spec};
use super::stage::Stage;
use crate::failure::Failure;
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::dataflow::{Direction, Kind, OnCreate, Side};
use tandem_merge::record::Values;
use tandem_merge::value::Value;

impl Stage {
    /// After the sync: who is linked with whom, and what the counterparts were given.
    pub(crate) async fn look_at_births(&mut self) -> Result<(), Failure> {
        let waiting = self.counterparts_to_be_found().await?;
        let links = self.links()?;
        let players: Vec<(Part, Player)> = self.cast.players.clone().into_iter().collect();
        for (part, player) in players {
            let second = self.linked(&part.of, &player, &links);
            for at in 0..self.promised.len() {
                if self.promised[at].types[0] == part.of {
                    self.every_one(at, &part, &player, second.get(&at), &waiting);
                }
            }
            for (at, id) in &second {
                let key = self.people.key(Side::Second, &self.promised[*at].types[1], id);
                if self.createable(*at) {
                    self.owns(key);
                }
            }
            if let Some(player) = self.cast.players.get_mut(&part) {
                player.second = second;
            }
        }
        for at in 0..self.promised.len() {
            if self.promised[at].name.is_none() {
                let [l, r] = self.promised[at].types.clone();
                self.list.about(About::EveryOne(at)).fails(Mismatch {
                    done: "looked at the configuration".to_owned(),
                    expected: format!("a flow from {l} to {r}"),
                    seen: "none".to_owned(),
                    because: None,
                });
            }
        }
        self.find_companions().await?;
        self.shown = self.people.read(self.keys()).await?;
        self.note_own()?;
        self.adopt_strangers().await?;
        self.tick_births().await
    }

    /// Counterparts that were there before point to records that nobody keeps in step, such as the owner of a
    /// standard Invoice. They are pointed to the run's own, as a person would before testing with them.
    async fn adopt_strangers(&mut self) -> Result<(), Failure> {
        let mut updates = Vec::new();
        for (part, values) in &self.script.births {
            for (at, flow) in self.promised.iter().enumerate() {
                let Some(key) = self
                    .key(part, Side::Second, at)
                    .filter(|_| flow.types[0] == part.of)
                else {
                    continue;
                };
                let own = (!self.createable(at)).then(|| self.strange(at, part, values));
                if let Some(own) = own.filter(|own| !own.is_empty()) {
                    updates.push((key, own));
                }
            }
        }
        if updates.is_empty() {
            return Ok(());
        }
        // What is refused here fails where its row is edited.
        let _ = self.people.update(updates).await?;
        self.sync_and_approve().await
    }

    /// References of a counterpart that lead to records without one, with what to point them to.
    fn strange(&self, at: usize, part: &Part, values: &BTreeMap<String, Spec>) -> Values {
        let Some(flow) = self.flow(at) else {
            return Values::new();
        };
        let rows = self.promised[at].rows.iter().enumerate();
        let own = rows.filter_map(|(row, promised)| {
            let both = promised.mapping.direction == Direction::Both && promised.unserved.is_none();
            let reference = matches!(promised.mapping.kind, Kind::Reference(_));
            let seen = self.seen(part, Side::Second, RowAt { flow: at, row })?;
            let form = self.cast.form(promised, flow, Side::Second);
            if !both || !reference || form.decode(&seen).is_ok() {
                return None;
            }
            let [first, second] = &promised.mapping.properties;
            let canonical = self.cast.canonical(values.get(first)?)?;
            Some((second.clone(), form.encode(&canonical).ok()?))
        });
        own.collect()
    }

    /// Whether the second side's records of a flow can be created at all.
    pub(crate) fn createable(&self, at: usize) -> bool {
        let name = &self.promised[at].types[1];
        let schema = self.people.schemas[1].types.get(name);
        schema.is_some_and(|schema| schema.createable)
    }

    /// Counterparts that no one can create and that must be there already, by flow: the names found.
    async fn counterparts_to_be_found(&self) -> Result<BTreeMap<usize, BTreeSet<Value>>, Failure> {
        let mut found = BTreeMap::new();
        for (at, flow) in self.promised.iter().enumerate() {
            if flow.name.is_none() || self.createable(at) {
                continue;
            }
            let Some([_, property]) = self
                .key_property(&flow.types[0])
                .filter(|_| self.flow(at).is_some())
            else {
                continue;
            };
            let property = self
                .flow(at)
                .and_then(|flow| Some(flow.match_rules.first()?.parts.first()?.properties[1].clone()))
                .unwrap_or(property);
            let names: Vec<Value> = self.parts(&flow.types[0]).iter().map(callsign).collect();
            let rows = self
                .people
                .find(Side::Second, &flow.types[1], &property, &names)
                .await?;
            let names = rows.iter().filter_map(|row| row.values.get(&property).cloned());
            found.insert(at, names.collect());
        }
        Ok(found)
    }

    fn every_one(
        &mut self,
        at: usize,
        part: &Part,
        player: &Player,
        second: Option<&String>,
        waiting: &BTreeMap<usize, BTreeSet<Value>>,
    ) {
        let [l, r] = self.promised[at].types.clone();
        let Some(name) = self.promised[at].name.clone() else {
            return;
        };
        let first = self.people.key(Side::First, &l, &player.first);
        let said = self.items.iter().find(|item| {
            item.record == first
                && item.flow.as_ref().is_none_or(|flow| flow == &name)
                && item.property.is_none()
        });
        let because = said.map(|item| item.reason.clone());
        let there = waiting
            .get(&at)
            .is_some_and(|names| names.contains(&callsign(part)));
        let createable = self.createable(at);
        let [one, other] = Side::BOTH.map(|side| super::checklist::capital(self.people.name(side)));
        let evidence = self.list.about(About::EveryOne(at));
        match second {
            Some(_) => evidence.holds(Trial::OnCreate),
            None if !createable && !there => evidence.cannot(format!(
                "no {other} {r} can be created, and none is called {} for this run to be linked with",
                shown(&callsign(part))
            )),
            None => evidence.fails(Mismatch {
                done: format!("created {one} {l} {}", player.first),
                expected: format!("a {other} {r} linked with it"),
                seen: "none".to_owned(),
                because,
            }),
        }
    }

    async fn tick_births(&mut self) -> Result<(), Failure> {
        let births = self.script.births.clone();
        for (part, values) in &births {
            let Some(player) = self.cast.players.get(part).cloned() else {
                continue;
            };
            for flow in player.second.keys() {
                for row in 0..self.promised[*flow].rows.len() {
                    let at = RowAt { flow: *flow, row };
                    if self.row(at).unserved.is_none() {
                        self.tick_birth(at, part, &player, values).await?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn tick_birth(
        &mut self,
        at: RowAt,
        part: &Part,
        player: &Player,
        values: &BTreeMap<String, Spec>,
    ) -> Result<(), Failure> {
        let row = self.row(at).clone();
        let first = row.mapping.properties[0].clone();
        if row.derived() {
            self.tick_derived(at, part, "created");
        } else if row.through_companion {
            self.tick_companion(at, part, values.get(&first)).await?;
        } else if player.kept || !self.createable(at.flow) {
            return Ok(());
        } else if let OnCreate::Constant(constant) = &row.mapping.on_create {
            let canonical = self.flow(at.flow).and_then(|flow| {
                let form = self.cast.form(&row, flow, Side::Second);
                form.decode(constant).ok()
            });
            if let Some(canonical) = canonical {
                self.tick(at, part, Side::Second, &canonical, Trial::OnCreate, "created");
            }
        } else if row.given_on_create() {
            let canonical = match values.get(&first) {
                _ if first == "id" => Some(Value::Text(player.first.clone())),
                // The record is known by its callsign instead of the sample.
                Some(_) if self.is_kept(&part.of) && self.is_key(&part.of, &first) => Some(callsign(part)),
                Some(spec) => self.cast.canonical(spec),
                None => None,
            };
            if let Some(canonical) = canonical {
                self.tick(at, part, Side::Second, &canonical, Trial::OnCreate, "created");
            }
        }
        Ok(())
    }

    fn is_key(&self, of: &str, first: &str) -> bool {
        self.key_property(of)
            .is_some_and(|[property, _]| property == first)
    }

    /// What the second side shows by itself stands on the first side. Plain yes-or-no proves nothing here.
    pub(crate) fn tick_derived(&mut self, at: RowAt, part: &Part, done: &str) {
        let row = self.row(at).clone();
        let Some(own) = self.seen(part, Side::Second, at) else {
            return;
        };
        if own.is_blank() || (done == "created" && row.mapping.kind == Kind::Boolean) {
            return;
        }
        let canonical = self.flow(at.flow).and_then(|flow| {
            let form = self.cast.form(&row, flow, Side::Second);
            form.decode(&own).ok()
        });
        if let Some(canonical) = canonical {
            self.tick(at, part, Side::First, &canonical, Trial::ByItsCause, done);
        }
    }
}
