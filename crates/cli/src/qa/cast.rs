//! The cast: which records play which part, on both sides.

use super::promise::{PromisedFlow, Row};
use super::script::{Part, Spec};
use std::collections::BTreeMap;
use tandem_merge::dataflow::{Dataflow, Reference, Side};
use tandem_merge::facts::{Facts, Referent, Referral};
use tandem_merge::form::{Form, Trouble};
use tandem_merge::value::Value;

/// A record of the run with its counterparts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Player {
    /// The first side's id.
    pub(crate) first: String,
    /// The second side's ids by the flow's place in the promise.
    pub(crate) second: BTreeMap<usize, String>,
    /// It was there before this run.
    pub(crate) kept: bool,
}

impl Player {
    /// The id on a side, in a flow.
    pub(crate) fn id(&self, side: Side, flow: usize) -> Option<&str> {
        match side {
            Side::First => Some(&self.first),
            Side::Second => self.second.get(&flow).map(String::as_str),
        }
    }
}

/// All records of the run, with the translations of references between them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cast {
    /// By part.
    pub(crate) players: BTreeMap<Part, Player>,
    /// Companions by role, owner's type and owner's id.
    pub(crate) companions: BTreeMap<(String, String, String), String>,
    facts: Facts,
}

impl Cast {
    /// Derives the translations of references from what is linked.
    pub(crate) fn learn(&mut self, promised: &[PromisedFlow], flows: &Dataflow) {
        let mut facts = Facts {
            types: tandem_merge::facts::types(flows),
            ..Facts::default()
        };
        let mut tie = |through: Reference, first: &str, second: &str| {
            for (side, id, other) in [(Side::First, first, second), (Side::Second, second, first)] {
                let asked = Referral {
                    through: through.clone(),
                    side,
                    id: id.to_owned(),
                };
                facts.referrals.insert(asked, Referent::Linked(other.to_owned()));
            }
        };
        for player in self.players.values() {
            for (flow, second) in &player.second {
                if let Some(name) = &promised[*flow].name {
                    tie(Reference::Flow(name.clone()), &player.first, second);
                }
            }
        }
        for ((role, of, owner), id) in &self.companions {
            let through = Reference::Companion {
                role: role.clone(),
                of: tandem_merge::record::RecordType::new(&flows.systems[0], of),
            };
            tie(through, owner, id);
        }
        self.facts = facts;
    }

    /// The canonical value that a spec stands for; none where nobody plays the part.
    pub(crate) fn canonical(&self, spec: &Spec) -> Option<Value> {
        match spec {
            Spec::Value(value) => Some(value.clone()),
            Spec::Points(part) => self
                .players
                .get(part)
                .map(|player| Value::Text(player.first.clone())),
        }
    }

    /// The promised form of a row on a side.
    pub(crate) fn form<'a>(
        &'a self,
        row: &'a Row,
        flow: &'a tandem_merge::dataflow::Flow,
        side: Side,
    ) -> Form<'a> {
        Form {
            flow,
            mapping: &row.mapping,
            side,
            facts: &self.facts,
        }
    }
}

/// Why a form could not be made, for people.
pub(crate) fn told(trouble: &Trouble) -> String {
    match trouble {
        Trouble::Mend { reason, .. } => reason.clone(),
        Trouble::Waits(wait) => format!("{} has no counterpart", wait.on),
        Trouble::LeftAlone => "it points to something without a counterpart".to_owned(),
    }
}

/// A value for people.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::Blank => "(blank)".to_owned(),
        Value::Text(text) => format!("{text:?}"),
        other => other.to_string(),
    }
}
