//! How the day's calls and the properties in use stand, in words.

use crate::screen::thousands;
use serde_json::{Value as Json, json};
use tandem_connector::{Allowance, Budget, Identification};
use tandem_engine::{Hold, Notice};

/// `salesforce: 1,204 of 50,000 calls of the day spent (the org counts 3,811 of 100,000)`.
pub(crate) fn budget(system: &str, budget: &Budget) -> String {
    let spent = thousands(budget.spent);
    let mut text = match budget.share {
        Some(share) => format!("{system}: {spent} of {} calls of the day spent", thousands(share)),
        None => format!("{system}: {spent} calls of the day spent"),
    };
    let of = |allowance: Allowance| {
        format!(
            "{} of {}",
            thousands(allowance.used),
            thousands(allowance.allowed)
        )
    };
    let counted = budget
        .calls
        .map(|calls| format!("calls of everybody: {}", of(calls)));
    let bulk = budget.bulk.map(|bulk| format!("bulk jobs: {}", of(bulk)));
    let events = budget
        .events
        .map(|events| format!("event deliveries: {}", of(events)));
    let counted: Vec<String> = [counted, bulk, events].into_iter().flatten().collect();
    if !counted.is_empty() {
        text.push_str(&format!(" ({})", counted.join(", ")));
    }
    text
}

/// What waits for the next day; none where nothing does, or the day is over.
pub(crate) fn reached(system: &str, budget: &Budget, now: jiff::Timestamp) -> Option<String> {
    let share = thousands(budget.share?);
    let spent = thousands(budget.spent);
    if budget.live_waits.is_some_and(|until| until > now) {
        return Some(format!(
            "{system}: budget of the day reached: {spent} of {share} calls; live changes wait until 00:00 UTC"
        ));
    }
    budget.backfill_waits.filter(|until| *until > now).map(|_| {
        format!(
            "{system}: budget of the day for long work reached: {spent} of {share} calls; first loads, comparisons and \
             bulk loads wait until 00:00 UTC, live changes go on"
        )
    })
}

/// A notice as JSON.
pub(crate) fn notice(notice: &Notice) -> Json {
    json!({
        "system": notice.record_type.system,
        "type": notice.record_type.name,
        "property": notice.property,
        "what": notice.what,
        "words": notice.words,
        "advice": notice.advice(),
        "held": notice.held,
        "returning": notice.returning,
        "since": notice.since,
    })
}

/// A hold as JSON.
pub(crate) fn hold(hold: &Hold) -> Json {
    let mut shown = json!(hold);
    shown["advice"] = hold.advice().into();
    shown["needs_approval"] = hold.needs_approval().into();
    shown
}

/// `Acme (00D..., production, EU42)`.
pub(crate) fn who(who: &Identification) -> String {
    let kind = who
        .sandbox
        .map(|sandbox| if sandbox { "sandbox" } else { "production" });
    let parts = [Some(who.id.as_str()), kind, who.instance.as_deref()];
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    format!("{} ({})", who.name, parts.join(", "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn spent(spent: u64) -> Budget {
        let midnight = "2026-03-02T00:00:00Z".parse().ok();
        Budget {
            day: "2026-03-01".parse().unwrap(),
            spent,
            share: Some(50_000),
            backfill: Some(40_000),
            calls: Some(Allowance {
                used: 61_000,
                allowed: 100_000,
            }),
            bulk: None,
            events: None,
            backfill_waits: midnight.filter(|_| spent >= 40_000),
            live_waits: midnight.filter(|_| spent >= 50_000),
            open: false,
        }
    }

    #[test]
    fn a_reached_budget_says_what_waits_until_when() {
        let noon = "2026-03-01T12:00:00Z".parse().unwrap();
        assert_eq!(reached("salesforce", &spent(39_999), noon), None);
        let long = reached("salesforce", &spent(40_000), noon).unwrap();
        assert!(
            long.contains("for long work reached: 40,000 of 50,000 calls"),
            "{long}"
        );
        assert_eq!(
            reached("salesforce", &spent(50_000), noon).unwrap(),
            "salesforce: budget of the day reached: 50,000 of 50,000 calls; live changes wait until 00:00 UTC"
        );
        let tomorrow = "2026-03-02T08:00:00Z".parse().unwrap();
        assert_eq!(reached("salesforce", &spent(50_000), tomorrow), None);
        assert_eq!(
            budget("salesforce", &spent(7)),
            "salesforce: 7 of 50,000 calls of the day spent (calls of everybody: 61,000 of 100,000)"
        );
    }
}
