//! What a plan leaves undone: how much, and for which reasons most.

use crate::screen::thousands;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use tandem_engine::{PlanReport, PlannedAction};

/// So many reasons are named.
const NAMED: usize = 3;

/// Whether something would be parked, which a person has to mend.
pub(super) fn are_parked(report: &PlanReport) -> bool {
    count(report, PlannedAction::Park) > 0
}

/// `; parked 12, deferred 3: REASON (10), REASON (5)`; nothing where nothing is left undone.
pub(super) fn told(report: &PlanReport) -> String {
    let [parked, deferred] = [PlannedAction::Park, PlannedAction::Defer].map(|action| count(report, action));
    if parked + deferred == 0 {
        return String::new();
    }
    let reasons = reasons(report).into_iter();
    let reasons: Vec<String> = reasons
        .map(|(reason, count)| format!("{reason} ({})", thousands(count)))
        .collect();
    format!(
        "; not done: parked {}, deferred {}: {}",
        thousands(parked),
        thousands(deferred),
        reasons.join("; ")
    )
}

/// The same as JSON.
pub(super) fn as_json(report: &PlanReport) -> Json {
    let reasons = reasons(report).into_iter();
    let reasons = reasons.map(|(reason, count)| json!({ "reason": reason, "count": count }));
    json!({
        "parked": count(report, PlannedAction::Park),
        "deferred": count(report, PlannedAction::Defer),
        "reasons": reasons.collect::<Vec<_>>(),
    })
}

fn count(report: &PlanReport, action: PlannedAction) -> u64 {
    report
        .writes
        .iter()
        .filter(|write| write.action == action)
        .count() as u64
}

/// The most frequent reasons, whichever records they name.
fn reasons(report: &PlanReport) -> Vec<(String, u64)> {
    let undone = report.writes.iter();
    let undone = undone.filter(|write| matches!(write.action, PlannedAction::Park | PlannedAction::Defer));
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for write in undone {
        *counts.entry(alike(&write.reason)).or_default() += 1;
    }
    let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts.truncate(NAMED);
    counts
}

/// A reason without the ids and numbers in it: two that differ in these alone are one.
fn alike(reason: &str) -> String {
    let mut words: Vec<&str> = Vec::new();
    for word in reason.trim_end_matches('.').split_whitespace() {
        let word = match word.chars().any(|sign| sign.is_ascii_digit()) {
            true => "…",
            false => word,
        };
        if word != "…" || words.last() != Some(&"…") {
            words.push(word);
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_alike_whichever_record_they_name() {
        let one = alike("erp Auftraege 1 does not belong to order: see its `only`");
        assert_eq!(one, "erp Auftraege … does not belong to order: see its `only`");
        assert_eq!(
            alike("erp Auftraege 4711 does not belong to order: see its `only`."),
            one
        );
    }
}
