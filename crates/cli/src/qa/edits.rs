//! Edits as people make them, and their arrival on the other side.

use super::cast::shown;
use super::causes;
use super::checklist::{About, Mismatch, Trial};
use super::script::{Edit, Part, RowAt, Scene};
use super::stage::Stage;
use crate::failure::Failure;
use std::collections::BTreeMap;
use tandem_merge::dataflow::Side;
use tandem_merge::record::{Observation, RecordKey, Values};
use tandem_merge::value::Value;

/// An edit, ready to be made.
#[derive(Clone, Debug)]
struct Wish {
    edit: Edit,
    key: RecordKey,
    property: String,
    canonical: Value,
    own: Value,
}

impl Stage {
    /// Makes the edits of a scene, syncs, and ticks off what arrived.
    pub(crate) async fn play(&mut self, scene: &Scene) -> Result<(), Failure> {
        let before = self.shown.clone();
        let made = self.make(scene).await?;
        self.sync_and_approve().await?;
        // An edit may have needed companions that nothing needed before.
        self.find_companions().await?;
        for wish in &made {
            let side = wish.edit.side;
            let done = format!("edited in {} to {}", self.people.name(side), shown(&wish.own));
            match side {
                Side::First => {
                    for at in self.rows_of(&wish.edit) {
                        let trial = Trial::FromFirst;
                        self.tick(at, &wish.edit.part, Side::Second, &wish.canonical, trial, &done);
                    }
                }
                Side::Second => {
                    let trial = Trial::FromSecond;
                    self.tick(
                        wish.edit.at,
                        &wish.edit.part,
                        Side::First,
                        &wish.canonical,
                        trial,
                        &done,
                    );
                }
            }
        }
        self.tick_moved(&before);
        Ok(())
    }

    /// Edits read-only sides, syncs, and ticks off that the other sides stayed as they were.
    pub(crate) async fn play_drift(&mut self, scene: &Scene) -> Result<(), Failure> {
        let former = self.shown.clone();
        let made = self.make(scene).await?;
        let before: Vec<Option<Value>> = made.iter().map(|wish| self.opposite(wish)).collect();
        self.sync_and_approve().await?;
        for (wish, before) in made.iter().zip(before) {
            let after = self.opposite(wish);
            let (Some(before), Some(after)) = (before, after) else {
                continue;
            };
            let to = self.people.name(wish.edit.side.other()).to_owned();
            let evidence = self.list.about(About::Row(wish.edit.at));
            if before == after {
                evidence.holds(Trial::ReadOnlySide);
            } else {
                evidence.fails(Mismatch {
                    done: format!("edited on its read-only side to {}", shown(&wish.own)),
                    expected: format!("{} in {to} as before", shown(&before)),
                    seen: shown(&after),
                    because: None,
                });
            }
        }
        self.take_back(&made, &former).await
    }

    /// Records that are kept do not take drift into the next run.
    async fn take_back(
        &mut self,
        made: &[Wish],
        former: &BTreeMap<RecordKey, Observation>,
    ) -> Result<(), Failure> {
        let kept = made.iter().filter(|wish| self.is_kept(&wish.edit.part.of));
        let back = kept.filter_map(|wish| {
            let value = former.get(&wish.key)?.values.get(&wish.property)?;
            let values = Values::from([(wish.property.clone(), value.clone())]);
            Some((wish.key.clone(), values))
        });
        // What is refused fails in the next run, on its own row.
        let _ = self.people.update(back.collect()).await?;
        Ok(())
    }

    fn opposite(&self, wish: &Wish) -> Option<Value> {
        self.seen(&wish.edit.part, wish.edit.side.other(), wish.edit.at)
    }

    /// All rows that an edit on the first side travels by.
    fn rows_of(&self, edit: &Edit) -> Vec<RowAt> {
        let first = &self.row(edit.at).mapping.properties[0];
        let flows = self.promised.iter().enumerate();
        let own = flows.filter(|(_, flow)| flow.types[0] == edit.part.of);
        own.flat_map(|(flow, promised)| {
            let rows = promised.rows.iter().enumerate();
            let travels = rows.filter(|(_, row)| {
                &row.mapping.properties[0] == first
                    && row.unserved.is_none()
                    && !row.through_companion
                    && row.mapping.travels_to(Side::Second)
            });
            travels.map(move |(row, _)| RowAt { flow, row })
        })
        .collect()
    }

    /// What moved on the second side by itself has to stand on the first side.
    fn tick_moved(&mut self, before: &BTreeMap<RecordKey, Observation>) {
        for flow in 0..self.promised.len() {
            let part = Part {
                of: self.promised[flow].types[0].clone(),
                letter: 'B',
            };
            let Some(key) = self.key(&part, Side::Second, flow) else {
                continue;
            };
            for row in 0..self.promised[flow].rows.len() {
                let at = RowAt { flow, row };
                let promised = self.row(at);
                if promised.unserved.is_some() || !promised.derived() {
                    continue;
                }
                let property = &promised.mapping.properties[1];
                let value = |shown: &BTreeMap<RecordKey, Observation>| {
                    shown.get(&key).and_then(|row| row.values.get(property).cloned())
                };
                if value(before) != value(&self.shown) {
                    self.tick_derived(at, &part, "moved by its cause");
                }
            }
        }
    }

    /// Makes edits, as many to a call as a record has. Returns those that were made.
    async fn make(&mut self, scene: &Scene) -> Result<Vec<Wish>, Failure> {
        let mut by_record: BTreeMap<RecordKey, Vec<Wish>> = BTreeMap::new();
        for edit in scene {
            if let Some(wish) = self.wish(edit) {
                by_record.entry(wish.key.clone()).or_default().push(wish);
            }
        }
        for wishes in by_record.values_mut() {
            let mut possible = Vec::new();
            for wish in wishes.drain(..) {
                if self.give_what_it_needs(&wish).await? {
                    possible.push(wish);
                } else {
                    let evidence = self.list.about(About::Row(wish.edit.at));
                    evidence.cannot("there is no product to give the order a line with");
                }
            }
            *wishes = possible;
        }
        by_record.retain(|_, wishes| !wishes.is_empty());
        let updates = by_record
            .iter()
            .map(|(key, wishes)| (key.clone(), values(wishes)));
        let answers = self.people.update(updates.collect()).await?;
        let mut made = Vec::new();
        for (answer, (_, wishes)) in answers.into_iter().zip(by_record) {
            match answer {
                Ok(_) => made.extend(wishes),
                Err(why) => made.extend(self.one_by_one(wishes, &why).await?),
            }
        }
        self.confirm(made).await
    }

    fn wish(&mut self, edit: &Edit) -> Option<Wish> {
        let key = self.key(&edit.part, edit.side, edit.at.flow);
        let canonical = self.cast.canonical(&edit.value);
        let (Some(key), Some(canonical)) = (key, canonical) else {
            let evidence = self.list.about(About::Row(edit.at));
            evidence.cannot("it has no counterpart");
            return None;
        };
        let row = self.row(edit.at);
        let flow = self.flow(edit.at.flow)?;
        let own = self.cast.form(row, flow, edit.side).encode(&canonical);
        let property = row.mapping.properties[edit.side.index()].clone();
        match own {
            Ok(own) => Some(Wish {
                edit: edit.clone(),
                key,
                property,
                canonical,
                own,
            }),
            Err(trouble) => {
                let evidence = self.list.about(About::Row(edit.at));
                evidence.cannot(super::cast::told(&trouble));
                None
            }
        }
    }

    /// After a refusal of several edits at once: each alone, with what it needs first.
    async fn one_by_one(&mut self, wishes: Vec<Wish>, why: &str) -> Result<Vec<Wish>, Failure> {
        let alone = wishes.len() == 1;
        let mut made = Vec::new();
        for wish in wishes {
            let one = |wish: &Wish| vec![(wish.key.clone(), values(std::slice::from_ref(wish)))];
            let mut answer = if alone {
                Err(why.to_owned())
            } else {
                only(self.people.update(one(&wish)).await?)
            };
            if answer.is_err() && self.make_possible(&wish).await? {
                answer = only(self.people.update(one(&wish)).await?);
            }
            match answer {
                Ok(_) => made.push(wish),
                Err(why) => {
                    let system = super::checklist::capital(self.people.name(wish.edit.side));
                    let evidence = self.list.about(About::Row(wish.edit.at));
                    evidence.cannot(format!("{system} refuses the edit: {why}"));
                }
            }
        }
        Ok(made)
    }

    /// A value that is written alone on the second side needs a line there, wherever it is edited. Whether it can be
    /// made.
    async fn give_what_it_needs(&mut self, wish: &Wish) -> Result<bool, Failure> {
        let apart = self.flow(wish.edit.at.flow).is_some_and(|flow| {
            let mut mappings = flow.mappings.iter();
            mappings.any(|mapping| {
                mapping.alone == Some(Side::Second) && mapping.property(wish.edit.side) == wish.property
            })
        });
        if wish.edit.side == Side::Second || !apart || self.people.kinds[1] != "salesforce" {
            return Ok(true);
        }
        let Some(order) = self.key(&wish.edit.part, Side::Second, wish.edit.at.flow) else {
            return Ok(true);
        };
        let id = [Value::from(order.id.as_str())];
        let lines = self
            .people
            .find(Side::Second, "OrderItem", "OrderId", &id)
            .await?;
        Ok(!lines.is_empty() || self.give_line(wish, &order).await?)
    }

    /// Does what a refused edit needs to be possible. Returns whether it was done.
    async fn make_possible(&mut self, wish: &Wish) -> Result<bool, Failure> {
        let salesforce = self.people.kinds[wish.edit.side.index()] == "salesforce";
        let object = &self.promised[wish.edit.at.flow].object;
        if !salesforce || object != "Order" || wish.property != "Status" {
            return Ok(false);
        }
        self.give_line(wish, &wish.key).await
    }

    async fn give_line(&mut self, wish: &Wish, order: &RecordKey) -> Result<bool, Failure> {
        let product = (0..self.promised.len()).find_map(|at| {
            let of = self.promised[at].types[0].clone();
            let wanted = self.promised[at].object == "Product2";
            // Record B may be deleted on this side while the order still has its line.
            let part = Part { of, letter: 'A' };
            self.key(&part, Side::Second, at).filter(|_| wanted)
        });
        let Some(product) = product else {
            return Ok(false);
        };
        let shown = self.shown.get(order);
        let currency = shown.and_then(|row| row.values.get("CurrencyIsoCode").cloned());
        let given = causes::give_line(&self.people, order, &product.id, currency.as_ref()).await?;
        match given {
            Ok(line) => {
                self.owns(line);
                Ok(true)
            }
            Err(why) => {
                let evidence = self.list.about(About::Row(wish.edit.at));
                evidence.cannot(format!("the order could not be given a product: {why}"));
                Ok(false)
            }
        }
    }

    /// Confirms what a system took only for later; what cannot be confirmed was not made.
    async fn confirm(&mut self, made: Vec<Wish>) -> Result<Vec<Wish>, Failure> {
        let shown = self.people.read(made.iter().map(|wish| wish.key.clone())).await?;
        let mut held = Vec::new();
        for wish in made {
            let row = self.row(wish.edit.at);
            let seen = shown
                .get(&wish.key)
                .and_then(|row| row.values.get(&wish.property));
            let taken = self.flow(wish.edit.at.flow).is_some_and(|flow| {
                let form = self.cast.form(row, flow, wish.edit.side);
                seen.is_none_or(|seen| form.fits(&wish.canonical, seen))
            });
            if taken {
                held.push(wish);
                continue;
            }
            let side = wish.edit.side.index();
            let user = self.promised[wish.edit.at.flow].object == "User";
            let confirmed = if self.people.kinds[side] == "salesforce" && user {
                causes::confirm_email(&self.people.urls[side], &wish.key.id).await
            } else {
                Err(format!(
                    "{} did not take the value over",
                    self.people.name(wish.edit.side)
                ))
            };
            match confirmed {
                Ok(()) => held.push(wish),
                Err(why) => self.list.about(About::Row(wish.edit.at)).cannot(why),
            }
        }
        Ok(held)
    }

    /// Ticks off that links and their marks are what they were after all edits.
    pub(crate) fn look_at_links(&mut self) -> Result<(), Failure> {
        let links = self.links()?;
        let players = self.cast.players.clone();
        for (part, player) in &players {
            let now = self.linked(&part.of, player, &links);
            for (at, second) in &player.second {
                let kept = now.get(at) == Some(second);
                let marks = self.wrong_mark(*at, &player.first, second);
                let evidence = self.list.about(About::InSync(*at));
                let fail = |expected: String, seen: String| Mismatch {
                    done: "looked after all edits".to_owned(),
                    expected,
                    seen,
                    because: None,
                };
                match marks {
                    _ if !kept => {
                        let seen = now
                            .get(at)
                            .map_or("none".to_owned(), |id| format!("one with {id}"));
                        evidence.fails(fail(format!("the link with {second}"), seen));
                    }
                    Some((expected, seen)) => evidence.fails(fail(expected, seen)),
                    None => evidence.holds(Trial::FromFirst),
                }
            }
        }
        Ok(())
    }

    /// A mark of a linked pair that is not as it should be: expected and seen.
    fn wrong_mark(&self, at: usize, first: &str, second: &str) -> Option<(String, String)> {
        let flow = self.flow(at)?;
        for side in Side::BOTH {
            let (own, other) = match side {
                Side::First => (first, second),
                Side::Second => (second, first),
            };
            let key = self.people.key(side, &self.promised[at].types[side.index()], own);
            let Some(row) = self.shown.get(&key) else {
                return Some((format!("{key} to be there"), "it is not".to_owned()));
            };
            let Some(identity) = &flow.end(side).identity else {
                continue;
            };
            let expected = identity.value(other);
            let seen = row.values.get(&identity.property).cloned().unwrap_or_default();
            if seen != expected {
                let place = format!("{} of {key}", identity.property);
                return Some((format!("{} in {place}", shown(&expected)), shown(&seen)));
            }
        }
        None
    }
}

fn values(wishes: &[Wish]) -> Values {
    let each = wishes
        .iter()
        .map(|wish| (wish.property.clone(), wish.own.clone()));
    each.collect()
}

fn only(answers: Vec<Result<String, String>>) -> Result<String, String> {
    let unanswered = || Err("it was not answered".to_owned());
    answers.into_iter().next().unwrap_or_else(unanswered)
}
