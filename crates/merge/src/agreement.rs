//! Agreement: what besides an equal key must be true of two records before they are taken for one another. Two
//! companies have a quote of the same title, two people share a mailbox: a key alone knows nothing of that.

use crate::dataflow::{Agreement, Dataflow, Flow, Kind, MatchRule, Normaliser, Reference, Side};
use crate::facts::{Facts, MatchKey, Referent, Referral};
use crate::form::{Form, Wait};
use crate::matching::{self, ID, flow_keys, normalise, rule_key};
use crate::record::{RecordKey, Values};
use crate::value::Value;

/// How two records stand to one another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// They are counterparts.
    Same,
    /// They are strangers.
    Strangers,
    /// Their keys are equal and something speaks against it: a person decides. What it is, for people.
    Doubtful(String),
    /// Their keys are equal, and what tells the rest will come.
    Waits(Box<Wait>),
}

/// How two records stand to one another in one property.
enum Look {
    Equal,
    Different,
    /// Blank on a side, out of sight, or a reference that cannot be translated.
    Unsaid,
    Waits(Box<Wait>),
}

/// Two records that could be counterparts in a flow.
#[derive(Clone, Copy)]
pub(crate) struct Pairing<'a> {
    pub(crate) flows: &'a Dataflow,
    pub(crate) facts: &'a Facts,
    pub(crate) flow: &'a Flow,
    pub(crate) first: (&'a RecordKey, &'a Values),
    pub(crate) second: (&'a RecordKey, &'a Values),
}

impl Pairing<'_> {
    /// The first key with a value on both sides decides, with what it asks for; an identity by itself.
    pub(crate) fn fit(&self) -> Fit {
        let ours = flow_keys(self.flow, Side::First, self.first.0, self.first.1);
        let theirs = flow_keys(self.flow, Side::Second, self.second.0, self.second.1);
        let mut both = ours.iter();
        let decisive = both.find_map(|a| theirs.iter().find(|b| b.rule == a.rule).map(|b| (a, b)));
        match decisive {
            Some((a, b)) if a.key == b.key => self.fit_by(a),
            _ => Fit::Strangers,
        }
    }

    /// How they stand by their natural keys, whatever identity they carry.
    pub(crate) fn natural_fit(&self) -> Fit {
        let decisive = self.flow.match_rules.iter().find_map(|rule| {
            let first = rule_key(rule, Side::First, self.first.0, self.first.1)?;
            let second = rule_key(rule, Side::Second, self.second.0, self.second.1)?;
            Some((rule, first == second))
        });
        match decisive {
            Some((rule, true)) => self.fit_of(rule),
            _ => Fit::Strangers,
        }
    }

    fn fit_by(&self, key: &MatchKey) -> Fit {
        let rule = usize::try_from(key.rule).ok();
        match rule.and_then(|rule| self.flow.match_rules.get(rule)) {
            Some(rule) => self.fit_of(rule),
            None => Fit::Same,
        }
    }

    /// How two records of equal keys stand by what their rule asks for besides.
    fn fit_of(&self, rule: &MatchRule) -> Fit {
        self.within(rule)
            .or_else(|| self.agreed(rule))
            .or_else(|| self.contradicted(rule))
            .unwrap_or(Fit::Same)
    }

    fn within(&self, rule: &MatchRule) -> Option<Fit> {
        let looks: Vec<Look> = rule.within.iter().map(|one| self.look(one)).collect();
        if looks.iter().any(|look| matches!(look, Look::Different)) {
            return Some(Fit::Strangers);
        }
        if let Some(wait) = first_wait(&looks) {
            return Some(wait);
        }
        let unsaid = named(&rule.within, &looks, |look| matches!(look, Look::Unsaid));
        (!unsaid.is_empty()).then(|| Fit::Doubtful(format!("{unsaid} cannot be compared")))
    }

    fn agreed(&self, rule: &MatchRule) -> Option<Fit> {
        let looks: Vec<Look> = rule.agree.iter().map(|one| self.look(one)).collect();
        let different = named(&rule.agree, &looks, |look| matches!(look, Look::Different));
        if !different.is_empty() {
            return Some(Fit::Doubtful(format!("{different} {}", differs(&different))));
        }
        if let Some(wait) = first_wait(&looks) {
            return Some(wait);
        }
        let equal = looks.iter().any(|look| matches!(look, Look::Equal));
        (!equal && !looks.is_empty()).then(|| {
            let names = named(&rule.agree, &looks, |_| true);
            Fit::Doubtful(format!("{names} cannot be compared"))
        })
    }

    fn contradicted(&self, rule: &MatchRule) -> Option<Fit> {
        let looks: Vec<Look> = rule.contradicted_by.iter().map(|one| self.look(one)).collect();
        if looks.iter().any(|look| matches!(look, Look::Equal)) {
            return None;
        }
        let different = named(&rule.contradicted_by, &looks, |look| {
            matches!(look, Look::Different)
        });
        if different.is_empty() {
            return None;
        }
        let doubt = || Fit::Doubtful(format!("{different} {}", differs(&different)));
        Some(first_wait(&looks).unwrap_or_else(doubt))
    }

    fn look(&self, agreement: &Agreement) -> Look {
        let [first, second] = [(Side::First, self.first), (Side::Second, self.second)]
            .map(|(side, record)| self.shown(agreement, side, record));
        let (Some(first), Some(second)) = (first, second) else {
            return Look::Unsaid;
        };
        match &agreement.through {
            Some(through) => self.look_through(through, &first, &second),
            None => self.compared(agreement, &first, &second),
        }
    }

    /// A record's value; none where it is blank or out of sight.
    fn shown(
        &self,
        agreement: &Agreement,
        side: Side,
        (record, values): (&RecordKey, &Values),
    ) -> Option<Value> {
        let property = agreement.properties[side.index()].as_str();
        if property == ID {
            return Some(Value::text(record.id.as_str()));
        }
        if self.flows.hides(&record.record_type, property) {
            return None;
        }
        values.get(property).filter(|value| !value.is_blank()).cloned()
    }

    fn compared(&self, agreement: &Agreement, first: &Value, second: &Value) -> Look {
        let mut mappings = self.flow.mappings.iter();
        let mapping = mappings.find(|mapping| {
            mapping.properties == agreement.properties && !matches!(mapping.kind, Kind::String)
        });
        let canonical = |side: Side, own: &Value| {
            let form = mapping.map(|mapping| Form {
                flow: self.flow,
                mapping,
                side,
                facts: self.facts,
            });
            let value = form.and_then(|form| form.decode(own).ok());
            normalise(value.as_ref().unwrap_or(own), agreement.normaliser)
        };
        match (canonical(Side::First, first), canonical(Side::Second, second)) {
            (Some(first), Some(second)) if first == second => Look::Equal,
            (Some(_), Some(_)) => Look::Different,
            _ => Look::Unsaid,
        }
    }

    /// References agree where the first side's leads to what the second side's names.
    fn look_through(&self, through: &Reference, first: &Value, second: &Value) -> Look {
        let (Some(first), Some(second)) = (first.as_text(), second.as_text()) else {
            return Look::Unsaid;
        };
        let referent = |side: Side, id: &str| {
            let referral = Referral {
                through: through.clone(),
                side,
                id: id.to_owned(),
            };
            self.facts.referrals.get(&referral).cloned()
        };
        let equal = |yes: bool| if yes { Look::Equal } else { Look::Different };
        let led = referent(Side::First, first);
        if let Some(Referent::Linked(other)) = &led {
            return equal(other == second);
        }
        let of_flow = matches!(through, Reference::Flow(_));
        if of_flow && let Some(Referent::Linked(other)) = referent(Side::Second, second) {
            return equal(other == first);
        }
        let comes = match led {
            None | Some(Referent::Pending | Referent::Unknown) => true,
            Some(Referent::Unlinked) => !of_flow,
            Some(Referent::Gone | Referent::Forgotten | Referent::Never(_) | Referent::Linked(_)) => false,
        };
        // What is not written gets no companion.
        if !comes || !(of_flow || self.flow.end(Side::Second).write) {
            return Look::Unsaid;
        }
        let wait = Wait::for_reference(self.flow, self.facts, through, (Side::First, first));
        Look::Waits(Box::new(Wait {
            read: led == Some(Referent::Unknown),
            ..wait
        }))
    }
}

fn first_wait(looks: &[Look]) -> Option<Fit> {
    looks.iter().find_map(|look| match look {
        Look::Waits(wait) => Some(Fit::Waits(wait.clone())),
        _ => None,
    })
}

/// The first side's names of the properties that look so, for people.
fn named(all: &[Agreement], looks: &[Look], so: impl Fn(&Look) -> bool) -> String {
    let found = all.iter().zip(looks).filter(|(_, look)| so(look));
    let names: Vec<&str> = found.map(|(one, _)| one.properties[0].as_str()).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
    }
}

fn differs(names: &str) -> &'static str {
    if names.contains(" and ") {
        "differ"
    } else {
        "differs"
    }
}

/// The references that agreements of a flow compare, as a record shows them.
pub(crate) fn referrals(flow: &Flow, side: Side, record: &RecordKey, values: &Values) -> Vec<Referral> {
    let agreements = flow.match_rules.iter().flat_map(MatchRule::agreements);
    let found = agreements.filter_map(|agreement| {
        let through = agreement.through.clone()?;
        let id = match agreement.properties[side.index()].as_str() {
            ID => record.id.clone(),
            property => values.get(property)?.as_text()?.to_owned(),
        };
        Some(Referral { through, side, id })
    });
    found.collect()
}

/// Whether both sides hold the same text where they agree.
fn is_text(flow: &Flow, agreement: &Agreement) -> bool {
    let mut mappings = flow.mappings.iter();
    let mapping = mappings.find(|mapping| mapping.properties == agreement.properties);
    mapping.is_none_or(|mapping| mapping.kind == Kind::String)
}

/// Whether a record of a side is a stranger to one with these values where its key holds.
pub(crate) fn is_outside(flow: &Flow, side: Side, scope: &[(String, Value)], values: &Values) -> bool {
    let how = |property: &str| {
        let mut all = flow.match_rules.iter().flat_map(|rule| &rule.within);
        let found = all.find(|agreement| agreement.properties[side.index()] == property);
        found.map_or(Normaliser::Exact, |agreement| agreement.normaliser)
    };
    scope.iter().any(|(property, wanted)| {
        let how = how(property);
        let shown = values.get(property).and_then(|shown| normalise(shown, how));
        shown.is_some() && shown != normalise(wanted, how)
    })
}

/// The values of the record that a create would make by which strangers with the same key are told: properties and
/// values of the created record's side. What cannot be told yet is left out.
pub(crate) fn scope(
    flow: &Flow,
    facts: &Facts,
    from: Side,
    source: (&RecordKey, &Values),
) -> Vec<(String, Value)> {
    let rule = matching::first_rule(flow, from, source);
    let within = rule.into_iter().flat_map(|rule| &rule.within);
    let told = within.filter_map(|agreement| {
        let value = match agreement.properties[from.index()].as_str() {
            ID => Value::text(source.0.id.as_str()),
            property => source.1.get(property)?.clone(),
        };
        let there = match &agreement.through {
            None if !is_text(flow, agreement) => return None,
            None => value,
            Some(through) => {
                let referral = Referral {
                    through: through.clone(),
                    side: from,
                    id: value.as_text()?.to_owned(),
                };
                match facts.referrals.get(&referral)? {
                    Referent::Linked(id) => Value::text(id.as_str()),
                    _ => return None,
                }
            }
        };
        Some((agreement.properties[from.other().index()].clone(), there))
    });
    told.filter(|(_, value)| !value.is_blank()).collect()
}
