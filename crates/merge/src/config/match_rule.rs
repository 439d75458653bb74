//! Match keys: by which properties counterparts are known, and what must be true besides.

use super::flow::Scope;
use super::flow_file::FlowText;
use super::known::PropertyKnown;
use super::match_text::{AgreementPairText, AgreementText, AgreementsText, MatchPairText, MatchText};
use super::node::At;
use super::problem::{nearest, suggestion};
use crate::dataflow::{
    Agreement, Kind, Mapping, MatchPart, MatchRule, Normaliser, Reference, Side, Unserved,
};
use crate::record::RecordType;

/// What the rows of a flow say about its properties.
struct Rows<'a> {
    served: &'a [Mapping],
    unserved: &'a [Unserved],
}

impl Rows<'_> {
    fn is_unserved(&self, name: &str) -> bool {
        self.unserved.iter().any(|row| row.first == name)
    }

    /// The row of a first-side property.
    fn of(&self, scope: &mut Scope<'_>, what: &str, name: &At<String>) -> Option<&Mapping> {
        let named = |mapping: &&Mapping| mapping.property(Side::First) == name.value;
        let found = self.served.iter().find(named);
        if found.is_none() {
            self.tell_unmapped(scope, what, name);
        }
        found
    }

    /// Tells that no row maps a name. Which of two names is misspelled the system knows, once it described itself; until then
    /// neither is offered for the other.
    fn tell_unmapped(&self, scope: &mut Scope<'_>, what: &str, name: &At<String>) {
        let object = scope.objects[0].clone();
        let known = |name: &str| scope.known[0].property(&object, name);
        let rows = self.served.iter().map(|mapping| mapping.property(Side::First));
        let (misspelled, rows): (Vec<&str>, Vec<&str>) =
            rows.partition(|row| matches!(known(row), PropertyKnown::Absent(_)));
        let there = !matches!(known(&name.value), PropertyKnown::Absent(_));
        // The row that is meant has its own name wrong, and that is told there.
        if there && nearest(&name.value, misspelled).is_some() {
            return;
        }
        let free = known(&name.value) == PropertyKnown::Free;
        let near = nearest(&name.value, rows.iter().copied()).filter(|_| free);
        if near.is_some() && scope.known[0].is_asked_next() {
            return;
        }
        let help = match near {
            Some(near) => format!(
                "A row maps `{near}`: if the two mean the same, write it in both places as {} has it.",
                scope.systems[0]
            ),
            None => suggestion(&name.value, rows),
        };
        scope.problem(name, format!("{what} `{}` is mapped by no row", name.value), help);
    }
}

/// The match rules of a flow: those whose properties the bindings in use serve.
pub(crate) fn match_rules(
    scope: &mut Scope<'_>,
    text: &FlowText,
    mappings: &[Mapping],
    unserved: &[Unserved],
    has_identity: bool,
) -> Vec<MatchRule> {
    let Some(written) = &text.r#match else {
        let help =
            "Add `match:` with the properties that tell counterparts, or `match: []` for the identity alone.";
        scope.problem(&text.flow, "`match` is missing", help);
        return Vec::new();
    };
    let rows = Rows {
        served: mappings,
        unserved,
    };
    // A key that holds within something holds nowhere where that is not served.
    let object = scope.objects[1].clone();
    let lost = |within: &AgreementsText| {
        within.0.value.iter().any(|one| match one {
            AgreementText::Row(name) => rows.is_unserved(&name.value),
            AgreementText::Pair(pair) => pair.second.of(&object).is_none(),
        })
    };
    let usable = |rule: &&MatchText| {
        !rule.names().into_iter().any(|name| rows.is_unserved(name)) && !rule.terms()[0].is_some_and(lost)
    };
    let usable: Vec<&MatchText> = written.value.iter().filter(usable).collect();
    let none = usable.is_empty();
    let rules = usable
        .into_iter()
        .filter_map(|rule| match_rule(scope, rule, &rows))
        .collect();
    if none && !has_identity {
        scope.problem(
            written,
            format!("flow {} has no match key and no identity", text.flow.value),
            "Name a property under `match:` that both sides have, or declare `identity:`.",
        );
    }
    rules
}

fn match_rule(scope: &mut Scope<'_>, rule: &MatchText, rows: &Rows<'_>) -> Option<MatchRule> {
    let parts = parts(scope, rule, rows);
    let [within, agree, contradicted_by] = rule.terms();
    let needed = agree.map(|agree| agree.0.with(()));
    let [within, agree, contradicted_by] = [within, agree, contradicted_by].map(|written| {
        let all = written.into_iter().flat_map(|written| &written.0.value);
        all.filter_map(|one| agreement(scope, one, rows))
            .collect::<Vec<_>>()
    });
    if let Some(at) = needed.filter(|_| agree.is_empty()) {
        scope.problem(
            &at,
            "nothing that must agree is served by the object in use",
            "Name a property that both sides have, or leave the key out.",
        );
    }
    (!parts.is_empty()).then_some(MatchRule {
        parts,
        within,
        agree,
        contradicted_by,
    })
}

fn parts(scope: &mut Scope<'_>, rule: &MatchText, rows: &Rows<'_>) -> Vec<MatchPart> {
    let parts: Vec<(At<String>, Option<At<String>>)> = match rule {
        MatchText::One(name) => vec![(name.clone(), None)],
        MatchText::All(names) => names.iter().map(|name| (name.clone(), None)).collect(),
        MatchText::Compared(table) => {
            let parts = table.parts.0.iter();
            parts
                .map(|(name, how)| (name.clone(), Some(how.clone())))
                .collect()
        }
        MatchText::Pair(pair) => return match_pair(scope, pair).into_iter().collect(),
    };
    let mut known = Vec::new();
    for (name, how) in parts {
        let normaliser = how.map_or(Some(Normaliser::Trim), |how| normaliser(scope, &how));
        let mapping = rows.of(scope, "match key", &name);
        if let (Some(normaliser), Some(mapping)) = (normaliser, mapping) {
            known.push(MatchPart {
                properties: mapping.properties.clone(),
                normaliser,
            });
        }
    }
    known
}

/// A key of one property of each system, such as an id that one holds of the other.
fn match_pair(scope: &mut Scope<'_>, pair: &MatchPairText) -> Option<MatchPart> {
    check_pair(scope, [&pair.first, &pair.second])?;
    let normaliser = match &pair.compare {
        Some(how) => normaliser(scope, how)?,
        None => Normaliser::Trim,
    };
    Some(MatchPart {
        properties: [pair.first.value.clone(), pair.second.value.clone()],
        normaliser,
    })
}

fn check_pair(scope: &mut Scope<'_>, names: [&At<String>; 2]) -> Option<()> {
    let is_id = |name: &At<String>| name.value == crate::matching::ID;
    for (side, name) in Side::BOTH.into_iter().zip(names) {
        if !is_id(name) {
            scope.check_property(side, name);
        }
    }
    if names.into_iter().all(is_id) {
        let help = "Name the property of one system that holds the other system's id.";
        scope.problem(names[0], "two systems' own ids are never equal", help);
        return None;
    }
    Some(())
}

/// What must agree; none where the object in use does not serve it.
fn agreement(scope: &mut Scope<'_>, text: &AgreementText, rows: &Rows<'_>) -> Option<Agreement> {
    match text {
        AgreementText::Row(name) if rows.is_unserved(&name.value) => None,
        AgreementText::Row(name) => {
            let mapping = rows.of(scope, "agreement", name)?;
            Some(Agreement {
                properties: mapping.properties.clone(),
                normaliser: Normaliser::CaseFold,
                through: match &mapping.kind {
                    Kind::Reference(through) => Some(through.clone()),
                    _ => None,
                },
            })
        }
        AgreementText::Pair(pair) => agreement_pair(scope, pair),
    }
}

fn agreement_pair(scope: &mut Scope<'_>, pair: &AgreementPairText) -> Option<Agreement> {
    scope.check_objects(Side::Second, &pair.second);
    let second = pair.second.of(&scope.objects[1])?.clone();
    check_pair(scope, [&pair.first, &second])?;
    let normaliser = match &pair.compare {
        Some(how) => normaliser(scope, how)?,
        None => Normaliser::CaseFold,
    };
    let through = match (&pair.references, &pair.companion) {
        (None, None) => None,
        (Some(flow), None) => {
            known_flow(scope, flow)?;
            Some(Reference::Flow(flow.value.clone()))
        }
        (None, Some(role)) => Some(companion(scope, role)?),
        (Some(flow), Some(_)) => {
            scope.problem(
                flow,
                "more than one of references and companion",
                "Keep one of them.",
            );
            return None;
        }
    };
    Some(Agreement {
        properties: [pair.first.value.clone(), second.value],
        normaliser,
        through,
    })
}

fn known_flow(scope: &mut Scope<'_>, flow: &At<String>) -> Option<()> {
    if scope.heads.contains_key(&flow.value) {
        return Some(());
    }
    if !scope.half_read.contains(&flow.value) {
        let help = suggestion(&flow.value, scope.heads.keys().map(String::as_str));
        scope.problem(flow, format!("`{}` refers to no flow", flow.value), help);
    }
    None
}

fn companion(scope: &mut Scope<'_>, role: &At<String>) -> Option<Reference> {
    let Some(known) = scope.roles.get(&role.value) else {
        if scope.half_read.is_empty() {
            let help = suggestion(&role.value, scope.roles.keys().map(String::as_str));
            scope.problem(role, format!("no companion has the role `{}`", role.value), help);
        }
        return None;
    };
    Some(Reference::Companion {
        role: role.value.clone(),
        of: RecordType::new(&scope.systems[0], known.owner.clone()?),
    })
}

fn normaliser(scope: &mut Scope<'_>, how: &At<String>) -> Option<Normaliser> {
    let options = [
        ("exact", Normaliser::Exact),
        ("trim", Normaliser::Trim),
        ("case-fold", Normaliser::CaseFold),
        ("email", Normaliser::Email),
        ("phone", Normaliser::Phone),
        ("digits", Normaliser::Digits),
    ];
    scope.choose("comparison", how, &options)
}
