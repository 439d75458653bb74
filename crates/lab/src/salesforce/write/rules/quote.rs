//! Quotes, and the Opportunities they belong to.

use jiff::civil::Date;
use rust_decimal::Decimal;

use super::Draft;
use crate::salesforce::org::Org;
use crate::salesforce::value::Value;

/// Stage, probability in percent, forecast category.
const STAGES: [(&str, u32, &str); 10] = [
    ("Prospecting", 10, "Pipeline"),
    ("Qualification", 10, "Pipeline"),
    ("Needs Analysis", 20, "Pipeline"),
    ("Value Proposition", 50, "Pipeline"),
    ("Id. Decision Makers", 60, "Pipeline"),
    ("Perception Analysis", 70, "Pipeline"),
    ("Proposal/Price Quote", 75, "Pipeline"),
    ("Negotiation/Review", 90, "Pipeline"),
    ("Closed Won", 100, "Closed"),
    ("Closed Lost", 0, "Omitted"),
];

pub(super) fn fill_in(org: &Org, draft: &mut Draft) {
    draft.set_default("Status", Value::text("Draft"));
    if let Some(opportunity) = draft.reference("OpportunityId") {
        let currency = org.value_of(opportunity, "CurrencyIsoCode");
        draft.set_default("CurrencyIsoCode", currency);
    }
}

/// A quote is for the Account of its Opportunity.
pub(super) fn check(org: &Org, draft: &mut Draft) {
    let account = draft
        .reference("OpportunityId")
        .and_then(|id| org.value_of(id, "AccountId"));
    draft.set("AccountId", account);
    let sum = draft.number("TotalPrice").unwrap_or_default();
    total(draft, sum);
}

/// `TotalPrice` and `Subtotal` from the lines, `GrandTotal` with tax and shipping.
pub(super) fn total(draft: &mut Draft, sum: Decimal) {
    let extra = ["Tax", "ShippingHandling"]
        .iter()
        .filter_map(|field| draft.number(field))
        .sum::<Decimal>();
    draft.set("Subtotal", Some(Value::Number(sum)));
    draft.set("TotalPrice", Some(Value::Number(sum)));
    draft.set("GrandTotal", Some(Value::Number(sum + extra)));
}

pub(super) fn fill_in_opportunity(draft: &mut Draft) {
    let stage = draft.text("StageName").unwrap_or_default().to_owned();
    if let Some((_, probability, _)) = STAGES.iter().find(|(name, ..)| *name == stage) {
        draft.set_default("Probability", Value::Number((*probability).into()));
    }
}

/// What derives from stage, amount and closing day.
pub(super) fn check_opportunity(org: &Org, draft: &mut Draft) {
    let stage = draft.text("StageName").unwrap_or_default().to_owned();
    if let Some((_, probability, category)) = STAGES.iter().find(|(name, ..)| *name == stage) {
        if draft.changed("StageName") && !draft.is_new() && !draft.changed("Probability") {
            draft.set("Probability", Some(Value::Number((*probability).into())));
        }
        draft.set("ForecastCategory", Some(Value::text(*category)));
        draft.set_default("ForecastCategoryName", Value::text(*category));
    }
    draft.set("IsClosed", Some(Value::Bool(stage.starts_with("Closed"))));
    draft.set("IsWon", Some(Value::Bool(stage == "Closed Won")));
    if draft.changed("StageName") && !draft.is_new() {
        draft.set("LastStageChangeDate", Some(Value::Moment(org.now())));
    }
    let expected = draft.number("Amount").zip(draft.number("Probability"));
    let expected = expected.map(|(amount, percent)| Value::Number(amount * percent / Decimal::ONE_HUNDRED));
    draft.set("ExpectedRevenue", expected);
    if let Some(Value::Date(day)) = draft.get("CloseDate").cloned() {
        fiscal(draft, day);
    }
}

fn fiscal(draft: &mut Draft, day: Date) {
    let quarter = (day.month() - 1) / 3 + 1;
    draft.set("FiscalYear", Some(Value::Number(day.year().into())));
    draft.set("FiscalQuarter", Some(Value::Number(quarter.into())));
    draft.set("Fiscal", Some(Value::text(format!("{} {quarter}", day.year()))));
}

/// The quotes of an Opportunity follow it to another Account.
pub(super) fn follow_account(org: &mut Org, opportunity: &Draft) {
    let Some(quotes) = org.optional("Quote") else {
        return;
    };
    let account = opportunity.get("AccountId").cloned();
    for quote in org.children(opportunity.row.id, "Quote", "OpportunityId") {
        org.recompute(quotes, quote, |draft| draft.set("AccountId", account.clone()));
    }
}
