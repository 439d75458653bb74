//! One linked pair, property by property.

use super::{Difference, Verification};
use rust_decimal::RoundingStrategy;
use tandem_merge::cluster::Cluster;
use tandem_merge::dataflow::{Dataflow, Direction, Equal, Flow, Mapping, Side};
use tandem_merge::facts::Facts;
use tandem_merge::form::{Form, Trouble};
use tandem_merge::record::{Observation, RecordKey};
use tandem_merge::value::Value;

/// Two records as their systems show them now, with what the state knows.
pub(super) struct Pair<'a> {
    pub(super) flows: &'a Dataflow,
    pub(super) flow: &'a Flow,
    pub(super) shown: [&'a Observation; 2],
    pub(super) cluster: &'a Cluster,
    pub(super) facts: &'a Facts,
}

/// How two values stand to each other.
enum Likeness {
    Same,
    Different,
    /// One of them leads to something without a counterpart by its nature.
    LeftAlone,
    /// One of them cannot be read.
    Unreadable,
}

impl Pair<'_> {
    pub(super) fn compare(&self, found: &mut Verification) {
        for mapping in &self.flow.mappings {
            if self.is_hidden(mapping, found) {
                continue;
            }
            found.compared += 1;
            match self.likeness(mapping) {
                Likeness::Same => {}
                Likeness::LeftAlone => found.waiting += 1,
                Likeness::Different | Likeness::Unreadable => self.explain(mapping, found),
            }
        }
        for side in Side::BOTH {
            self.compare_identity(side, found);
        }
        for equal in &self.flow.equal {
            self.compare_totals(equal, found);
        }
    }

    /// Whether one of the two systems does not show the property, or shows it in another form, of all records or of this
    /// one; it is counted apart.
    fn is_hidden(&self, mapping: &Mapping, found: &mut Verification) -> bool {
        let mut hidden = false;
        for side in Side::BOTH {
            let (of, property) = (&self.flow.end(side).record_type, mapping.property(side));
            let unreadable = self.shown[side.index()].unreadable.contains_key(property);
            if unreadable || self.flows.hides(of, property) {
                found.hides(of, property);
                hidden = true;
            }
        }
        hidden
    }

    /// Two numbers that must be equal; while parts are on their way they need not be.
    fn compare_totals(&self, equal: &Equal, found: &mut Verification) {
        let shown = |side: Side| {
            let values = &self.shown[side.index()].values;
            values.get(&equal.properties[side.index()]).cloned()
        };
        let hidden = Side::BOTH.into_iter().filter(|side| shown(*side).is_none());
        let hidden: Vec<Side> = hidden.collect();
        for side in &hidden {
            found.hides(&self.flow.end(*side).record_type, &equal.properties[side.index()]);
        }
        if !hidden.is_empty() {
            return;
        }
        found.totals += 1;
        let own = |side: Side| shown(side).unwrap_or_default();
        let round = |value: &Value| match value {
            Value::Decimal(number) => {
                Some(number.round_dp_with_strategy(equal.scale, RoundingStrategy::MidpointAwayFromZero))
            }
            Value::Integer(number) => Some((*number).into()),
            _ => None,
        };
        let values = Side::BOTH.map(own);
        let [first, second] = values.each_ref().map(round);
        if first.unwrap_or_default() == second.unwrap_or_default() {
            return;
        }
        found.unequal += 1;
        let mut apart = self
            .flow
            .mappings
            .iter()
            .filter(|mapping| mapping.alone.is_some());
        if apart.any(|mapping| self.waits(mapping)) {
            found.waiting += 1;
            return;
        }
        found.differ(Difference {
            flow: self.flow.name.clone(),
            records: self.shown.map(|row| row.key.clone()).to_vec(),
            properties: equal.properties.clone(),
            values,
            what: "the two sums are not equal".to_owned(),
        });
    }

    fn own(&self, mapping: &Mapping, side: Side) -> Value {
        let shown = self.shown[side.index()];
        match mapping.property(side) {
            "id" => Value::Text(shown.key.id.clone()),
            property => shown.values.get(property).cloned().unwrap_or_default(),
        }
    }

    fn likeness(&self, mapping: &Mapping) -> Likeness {
        let mut unreadable = false;
        for from in Side::BOTH {
            let form = |side| Form {
                flow: self.flow,
                mapping,
                side,
                facts: self.facts,
            };
            match form(from).decode(&self.own(mapping, from)) {
                Ok(canonical) => {
                    let other = self.own(mapping, from.other());
                    if form(from.other()).fits(&canonical, &other)
                        || (canonical.is_blank() && other.is_blank())
                    {
                        return Likeness::Same;
                    }
                }
                Err(Trouble::LeftAlone) => return Likeness::LeftAlone,
                Err(_) => unreadable = true,
            }
        }
        if unreadable {
            Likeness::Unreadable
        } else {
            Likeness::Different
        }
    }

    /// Sorts a difference: declared, waiting, or wrong.
    fn explain(&self, mapping: &Mapping, found: &mut Verification) {
        if self.waits(mapping) {
            found.waiting += 1;
        } else if self.is_filled_in(mapping) {
            found.filled_in += 1;
        } else if !self.flows_from_start(mapping) {
            found.one_way_differs += 1;
        } else {
            let records = self.shown.map(|row| row.key.clone()).to_vec();
            found.differ(Difference {
                flow: self.flow.name.clone(),
                records,
                properties: mapping.properties.clone(),
                values: Side::BOTH.map(|side| self.own(mapping, side)),
                what: "the two values do not stand for the same".to_owned(),
            });
        }
    }

    /// A one-way property that its source does not own flows only from the source's first edit on.
    fn flows_from_start(&self, mapping: &Mapping) -> bool {
        let to = match mapping.direction {
            Direction::Both => return Side::BOTH.into_iter().all(|side| self.is_written(mapping, side)),
            Direction::To(to) => to,
        };
        let source = Some(to.other());
        let owned = mapping.owned_by == source || mapping.given_by == source;
        owned && self.is_written(mapping, to)
    }

    fn is_written(&self, mapping: &Mapping, side: Side) -> bool {
        let end = self.flow.end(side);
        end.write && mapping.travels_to(side) && !self.shown[side.index()].protected
    }

    /// In conflict, parked or deferred, on either end or anywhere in the property's component.
    fn waits(&self, mapping: &Mapping) -> bool {
        let at = |side: Side| (&self.shown[side.index()].key, mapping.property(side));
        let parked = |(key, property): (&RecordKey, &str)| {
            let record = self.cluster.records.get(key);
            record.is_some_and(|record| {
                // A reference that went blank with its record waits for what becomes of that.
                record.parked.contains_key(property)
                    || record.held.contains_key(&self.flow.name)
                    || record.cleared.contains_key(property)
            })
        };
        let asked = |(key, property): (&RecordKey, &str)| {
            let mut questions = self.cluster.questions.iter();
            questions.any(|question| {
                let anchor = &question.anchor.record == key && question.anchor.property == property;
                let contends = |one: &tandem_merge::cluster::Contender| {
                    one.record.as_ref() == Some(key) && one.property == property
                };
                anchor || question.contenders.iter().any(contends)
            })
        };
        Side::BOTH
            .into_iter()
            .any(|side| parked(at(side)) || asked(at(side)))
            || self.elsewhere(mapping)
    }

    /// The component's source is parked on another record of the cluster.
    fn elsewhere(&self, mapping: &Mapping) -> bool {
        let on_first = |flow: &Flow, other: &Mapping| {
            flow.ends[0].record_type == self.flow.ends[0].record_type
                && other.properties[0] == mapping.properties[0]
        };
        self.cluster.records.iter().any(|(key, record)| {
            self.flows.flows_of(&key.record_type).any(|(flow, side)| {
                let same = flow.mappings.iter().filter(|other| on_first(flow, other));
                let mut names = same.map(|other| other.property(side));
                names.any(|name| record.parked.contains_key(name))
            })
        })
    }

    /// One side is blank, the other was given a value by its own system at the create.
    fn is_filled_in(&self, mapping: &Mapping) -> bool {
        Side::BOTH.into_iter().any(|side| {
            let given = mapping.filled_on_create[side.index()] || mapping.given_by == Some(side);
            let own = self.own(mapping, side);
            given && !own.is_blank() && self.own(mapping, side.other()).is_blank()
        })
    }

    /// Whether a record names its counterpart where it can.
    fn compare_identity(&self, side: Side, found: &mut Verification) {
        let end = self.flow.end(side);
        let shown = self.shown[side.index()];
        let counterpart = self.shown[side.other().index()];
        let Some(identity) = &end.identity else { return };
        let Some(value) = shown.values.get(&identity.property) else {
            return;
        };
        let parked = self.cluster.records.get(&shown.key);
        let parked = parked.is_some_and(|record| record.parked.contains_key(&identity.property));
        if !end.write || shown.protected || parked || self.flows.hides(&end.record_type, &identity.property) {
            return;
        }
        found.compared += 1;
        let wanted = identity.value(&counterpart.key.id);
        if value != &wanted {
            let mut properties = [String::new(), String::new()];
            let mut values = [Value::Blank, Value::Blank];
            properties[side.index()].clone_from(&identity.property);
            values[side.index()] = value.clone();
            values[side.other().index()] = Value::Text(counterpart.key.id.clone());
            found.differ(Difference {
                flow: self.flow.name.clone(),
                records: self.shown.map(|row| row.key.clone()).to_vec(),
                properties,
                values,
                what: format!("{} should be {wanted}", identity.property),
            });
        }
    }
}
