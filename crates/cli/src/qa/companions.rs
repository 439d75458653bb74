//! The companions of the run's records: found by their identity, and what travels through them alone.

use super::cast::shown;
use super::checklist::{About, Mismatch, Trial};
use super::script::{Part, RowAt, Spec};
use super::stage::Stage;
use crate::failure::Failure;
use std::collections::BTreeMap;
use tandem_merge::dataflow::{CompanionRule, CompanionValue, Flow, Side};
use tandem_merge::record::RecordKey;
use tandem_merge::value::Value;

/// A flow that keeps what would be companions, as their rule: they are found and taken away in the same way.
fn as_companion(flow: &Flow) -> Option<CompanionRule> {
    let [first, second] = &flow.ends;
    Some(CompanionRule {
        role: flow.keeps.clone()?,
        property: String::new(),
        of: "id".to_owned(),
        owner: first.record_type.clone(),
        record_type: second.record_type.clone(),
        find: Vec::new(),
        identity: second.identity.clone(),
        create: true,
        values: BTreeMap::new(),
    })
}

impl Stage {
    /// The companions of the run's records, by their identity.
    pub(crate) async fn find_companions(&mut self) -> Result<(), Failure> {
        for rule in self.companion_rules() {
            let Some(identity) = &rule.identity else {
                continue;
            };
            let owners = self
                .cast
                .players
                .iter()
                .filter(|(part, _)| part.of == rule.owner.name);
            let wanted: BTreeMap<Value, String> = owners
                .map(|(_, player)| (identity.value(&player.first), player.first.clone()))
                .collect();
            let values: Vec<Value> = wanted.keys().cloned().collect();
            let object = &rule.record_type.name;
            let found = self
                .people
                .find(Side::Second, object, &identity.property, &values)
                .await?;
            for row in found {
                let owner = row
                    .values
                    .get(&identity.property)
                    .and_then(|value| wanted.get(value));
                if let Some(owner) = owner {
                    let key = (rule.role.clone(), rule.owner.name.clone(), owner.clone());
                    self.cast.companions.insert(key, row.key.id.clone());
                }
            }
        }
        self.cast.learn(&self.promised, self.engine.flows());
        Ok(())
    }

    /// The rules of companions, each role once.
    pub(crate) fn companion_rules(&self) -> Vec<CompanionRule> {
        let mut rules: Vec<CompanionRule> = Vec::new();
        for rule in self.engine.flows().flows.iter().flat_map(|flow| &flow.companions) {
            if !rules.iter().any(|known| known.role == rule.role) {
                rules.push(rule.clone());
            }
        }
        rules.extend(self.engine.flows().flows.iter().filter_map(as_companion));
        rules
    }

    /// The counterpart hangs on a companion, which hangs on the companion of the first property's record.
    pub(crate) async fn tick_companion(
        &mut self,
        at: RowAt,
        part: &Part,
        spec: Option<&Spec>,
    ) -> Result<(), Failure> {
        let first = self.row(at).mapping.properties[0].clone();
        let rules = self
            .flow(at.flow)
            .map(|flow| flow.companions.clone())
            .unwrap_or_default();
        let flows = self.engine.flows().clone();
        let leads = |rule: &CompanionRule| {
            let mut values = rule.values.clone().into_iter();
            values.find_map(|(name, value)| match value {
                CompanionValue::Companion { role, of, owner } if of == first => Some((name, role, owner)),
                CompanionValue::Linked { flow, of } if of == first => {
                    let flow = flows.flow(&flow)?;
                    Some((
                        name,
                        flow.keeps.clone()?,
                        flow.end(Side::First).record_type.clone(),
                    ))
                }
                _ => None,
            })
        };
        let found = rules.iter().find_map(|rule| Some((rule, leads(rule)?)));
        let Some((rule, (property, role, owner))) = found else {
            return Ok(());
        };
        let id = self.cast_value(spec);
        let expected = id.and_then(|id| self.cast.companions.get(&(role, owner.name.clone(), id)).cloned());
        let counterpart = self.key(part, Side::Second, at.flow);
        let between = counterpart.and_then(|key| {
            let value = self.shown.get(&key)?.values.get(&rule.property)?;
            value.as_text().map(str::to_owned)
        });
        let seen = match between {
            Some(id) => {
                self.companion_value(&rule.record_type.name, &id, &property)
                    .await?
            }
            None => Value::Blank,
        };
        let evidence = self.list.about(About::Row(at));
        match expected {
            Some(expected) if seen.as_text() == Some(&expected) => evidence.holds(Trial::OnCreate),
            Some(expected) => evidence.fails(Mismatch {
                done: "created".to_owned(),
                expected: format!("{} {property} {expected:?}", rule.role),
                seen: shown(&seen),
                because: None,
            }),
            None => evidence.cannot(format!("the {} of the record it names was not found", rule.role)),
        }
        Ok(())
    }

    fn cast_value(&self, spec: Option<&Spec>) -> Option<String> {
        let value = self.cast.canonical(spec?)?;
        value.as_text().map(str::to_owned)
    }

    async fn companion_value(&self, object: &str, id: &str, property: &str) -> Result<Value, Failure> {
        let key: RecordKey = self.people.key(Side::Second, object, id);
        let shown = self.people.read([key.clone()]).await?;
        let row = shown.get(&key);
        Ok(row
            .and_then(|row| row.values.get(property).cloned())
            .unwrap_or_default())
    }
}
