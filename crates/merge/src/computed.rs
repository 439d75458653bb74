//! Computed values: properties that no system has and that are made out of others, for an org that cannot hold the
//! originals. The set is closed, the arithmetic exact.

use crate::record::{RecordType, Values};
use crate::value::Value;
use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Formula {
    /// Quantity x price x (1 - discount / 100), rounded half up to the cent.
    LineAmount,
    /// The line's own words, then `5 x 18.00 less 15 %`.
    LineSummary,
    /// Always 1: the quantity of a line whose price is its amount.
    One,
}

impl Formula {
    /// Its names in the configuration.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("line-amount", Self::LineAmount),
        ("line-summary", Self::LineSummary),
        ("one", Self::One),
    ];

    /// The data type of its result.
    #[must_use]
    pub fn data_type(self) -> &'static str {
        match self {
            Self::LineAmount | Self::One => "decimal(18,2)",
            Self::LineSummary => "string",
        }
    }
}

/// A computed property: the formula with the properties that it takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Computation {
    /// The formula.
    pub formula: Formula,
    /// The property that holds the quantity.
    pub quantity: Option<String>,
    /// The property that holds the price of one.
    pub price: Option<String>,
    /// The property that holds the discount in percent.
    pub discount: Option<String>,
    /// The property that holds the line's own words.
    pub text: Option<String>,
}

impl Computation {
    /// The properties that it takes.
    pub fn inputs(&self) -> impl Iterator<Item = &str> {
        let all = [&self.quantity, &self.price, &self.discount, &self.text];
        all.into_iter().flatten().map(String::as_str)
    }

    /// Its value; blank where quantity or price is.
    #[must_use]
    pub fn value(&self, values: &Values) -> Value {
        let number = |name: &Option<String>| number(values.get(name.as_ref()?)?);
        let (quantity, price) = (number(&self.quantity), number(&self.price));
        let discount = number(&self.discount).unwrap_or_default();
        match self.formula {
            Formula::One => Value::Decimal(Decimal::ONE),
            Formula::LineAmount => quantity
                .zip(price)
                .and_then(|(quantity, price)| line_amount(quantity, price, discount))
                .map_or(Value::Blank, Value::Decimal),
            Formula::LineSummary => {
                let words = self.text.as_ref().and_then(|name| values.get(name));
                let words = words.and_then(Value::as_text).unwrap_or_default();
                let Some((quantity, price)) = quantity.zip(price) else {
                    return Value::text(words);
                };
                let summary = line_summary(quantity, price, discount);
                Value::Text(match words.trim() {
                    "" => summary,
                    words => format!("{words} ({summary})"),
                })
            }
        }
    }
}

/// Quantity x price x (1 - discount / 100), rounded half up (away from zero) to the cent. None where the numbers are
/// too great.
#[must_use]
pub fn line_amount(quantity: Decimal, price: Decimal, discount: Decimal) -> Option<Decimal> {
    let kept = Decimal::ONE_HUNDRED.checked_sub(discount)?;
    let full = quantity.checked_mul(price)?.checked_mul(kept)?;
    let exact = full.checked_div(Decimal::ONE_HUNDRED)?;
    Some(exact.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero))
}

/// `5 x 18.00 less 15 %`.
fn line_summary(quantity: Decimal, price: Decimal, discount: Decimal) -> String {
    let (quantity, mut price, discount) = (quantity.normalize(), price.normalize(), discount.normalize());
    if price.scale() < 2 {
        price.rescale(2);
    }
    if discount.is_zero() {
        return format!("{quantity} x {price}");
    }
    format!("{quantity} x {price} less {discount} %")
}

fn number(value: &Value) -> Option<Decimal> {
    match value {
        Value::Decimal(number) => Some(*number),
        Value::Integer(number) => Some((*number).into()),
        _ => None,
    }
}

/// The computed properties of record types, as a dataflow declares them.
#[must_use]
pub fn of_types(flows: &crate::dataflow::Dataflow) -> BTreeMap<RecordType, BTreeMap<String, Computation>> {
    let mut all: BTreeMap<RecordType, BTreeMap<String, Computation>> = BTreeMap::new();
    let ends = flows.flows.iter().flat_map(|flow| &flow.ends);
    for end in ends.filter(|end| !end.computed.is_empty()) {
        let of = all.entry(end.record_type.clone()).or_default();
        of.extend(end.computed.clone());
    }
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn amount(quantity: &str, price: &str, discount: &str) -> String {
        let amount = line_amount(decimal(quantity), decimal(price), decimal(discount));
        amount.unwrap().to_string()
    }

    #[test]
    fn amounts_are_rounded_half_up_to_the_cent() {
        assert_eq!(amount("5", "18.00", "15"), "76.50");
        // 1.005 and -1.005: a binary fraction would fall short of the half.
        assert_eq!(amount("1", "1.005", "0"), "1.01");
        assert_eq!(amount("-1", "1.005", "0"), "-1.01");
        assert_eq!(amount("3", "0.15", "50"), "0.23");
        assert_eq!(amount("21", "64.80", "25"), "1020.60");
        let most = Decimal::MAX;
        assert_eq!(line_amount(most, most, Decimal::ZERO), None);
    }

    #[test]
    fn a_summary_says_what_the_line_was() {
        let rule = Computation {
            formula: Formula::LineSummary,
            quantity: Some("quantity".to_owned()),
            price: Some("unitPrice".to_owned()),
            discount: Some("discount".to_owned()),
            text: Some("description".to_owned()),
        };
        let mut values = Values::from([
            ("quantity".to_owned(), Value::Decimal(decimal("5.0000"))),
            ("unitPrice".to_owned(), Value::Decimal(decimal("18"))),
            ("discount".to_owned(), Value::Decimal(decimal("15.00"))),
        ]);
        assert_eq!(rule.value(&values), Value::text("5 x 18.00 less 15 %"));
        values.insert("description".to_owned(), Value::text("Chai"));
        assert_eq!(rule.value(&values), Value::text("Chai (5 x 18.00 less 15 %)"));
        values.insert("discount".to_owned(), Value::Blank);
        values.insert("unitPrice".to_owned(), Value::Decimal(decimal("0.125")));
        assert_eq!(rule.value(&values), Value::text("Chai (5 x 0.125)"));
        values.insert("quantity".to_owned(), Value::Blank);
        assert_eq!(rule.value(&values), Value::text("Chai"));
        let one = Computation {
            formula: Formula::One,
            ..rule.clone()
        };
        assert_eq!(one.value(&Values::new()), Value::Decimal(Decimal::ONE));
        assert_eq!(rule.inputs().count(), 4);
    }
}
