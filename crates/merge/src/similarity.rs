//! How alike two records are, for people who decide about ties. Whole numbers, and the same in every run.

use crate::dataflow::{Flow, Kind, Mapping, MatchRule, Side};
use crate::facts::Facts;
use crate::form::Form;
use crate::record::Values;
use crate::value::Value;

/// Of longer texts the beginning is compared, in characters.
const COMPARED: usize = 200;

/// The properties that are compared and shown, first and second side's names: those of the match rules, with what
/// must agree, before the others. References and ids say nothing to the eye and are left out.
#[must_use]
pub fn compared(flow: &Flow) -> Vec<[String; 2]> {
    let rules = flow.match_rules.iter().flat_map(|rule| &rule.parts);
    let rules = rules.map(|part| part.properties.clone());
    let agreements = flow.match_rules.iter().flat_map(MatchRule::agreements);
    let agreements = agreements.filter(|one| one.through.is_none());
    let rules = rules.chain(agreements.map(|one| one.properties.clone()));
    let rows = flow.mappings.iter().filter(|mapping| telling(mapping));
    let rows = rows.map(|mapping| mapping.properties.clone());
    let mut all: Vec<[String; 2]> = Vec::new();
    for pair in rules.chain(rows) {
        if !all.contains(&pair) {
            all.push(pair);
        }
    }
    all
}

fn telling(mapping: &Mapping) -> bool {
    !matches!(mapping.kind, Kind::Reference(_))
        && mapping.properties.iter().all(|name| name != crate::matching::ID)
}

/// How alike two records are, from 0 to 100: the mean over the mapped properties that have a value on either side.
/// Equal values count 100, blank against a value 50, others by the share of characters that need not be changed.
#[must_use]
pub fn similarity(flow: &Flow, first: &Values, second: &Values) -> u32 {
    let (mut sum, mut count) = (0_u32, 0_u32);
    for mapping in flow.mappings.iter().filter(|mapping| telling(mapping)) {
        let texts = [
            canonical(flow, mapping, Side::First, first),
            canonical(flow, mapping, Side::Second, second),
        ];
        let Some(likeness) = likeness(&texts) else {
            continue;
        };
        sum += likeness;
        count += 1;
    }
    sum.checked_div(count).unwrap_or_default()
}

/// A property's value as both sides would write it; as it stands where it cannot be read.
fn canonical(flow: &Flow, mapping: &Mapping, side: Side, values: &Values) -> Vec<char> {
    let own = values.get(mapping.property(side)).unwrap_or(&Value::Blank);
    let facts = Facts::default();
    let form = Form {
        flow,
        mapping,
        side,
        facts: &facts,
    };
    let value = form.decode(own).unwrap_or_else(|_| own.clone());
    let text = value.to_string().trim().to_lowercase();
    text.chars().take(COMPARED).collect()
}

fn likeness([first, second]: &[Vec<char>; 2]) -> Option<u32> {
    let longer = first.len().max(second.len());
    if longer == 0 {
        return None;
    }
    if first.is_empty() || second.is_empty() {
        return Some(50);
    }
    let changed = strsim::generic_levenshtein(first, second).min(longer);
    u32::try_from((longer - changed) * 100 / longer).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likeness_is_a_share_of_characters() {
        let of = |a: &str, b: &str| likeness(&[a.chars().collect(), b.chars().collect()]);
        assert_eq!(of("", ""), None);
        assert_eq!(of("meier", ""), Some(50));
        assert_eq!(of("meier", "meier"), Some(100));
        assert_eq!(of("meier", "maier"), Some(80));
        assert_eq!(of("abc", "xyz"), Some(0));
    }
}
