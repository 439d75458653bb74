//! Types as configuration files name them, and values of them.

use super::node::Content;
use super::written::Scalar;
use crate::value::Value;
use jiff::{Timestamp, civil::Date};
use rust_decimal::Decimal;

/// What kinds of values a data type holds; types of one family answer to one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Text,
    Integer,
    Decimal,
    Boolean,
    Date,
    DateTime,
    Reference,
}

impl Family {
    /// The family of a data type of either system; none for a word that is no type.
    pub(crate) fn of(type_text: &str) -> Option<Self> {
        let word = type_text.split('(').next().unwrap_or_default().trim();
        Some(match word {
            "string" | "textarea" | "email" | "phone" | "url" | "combobox" | "picklist" | "multipicklist"
            | "autonumber" | "enum" => Self::Text,
            "integer" | "int" => Self::Integer,
            "decimal" | "currency" | "double" | "percent" => Self::Decimal,
            "boolean" => Self::Boolean,
            "date" => Self::Date,
            "datetime" => Self::DateTime,
            "reference" | "id" => Self::Reference,
            _ => return None,
        })
    }

    /// The type to write for it.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Integer => "integer",
            Self::Decimal => "decimal(18,2)",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::DateTime => "datetime",
            Self::Reference => "reference",
        }
    }

    /// A written value in the family's own form.
    pub(crate) fn value(self, scalar: &Scalar) -> Option<Value> {
        let text = scalar.text();
        match self {
            Self::Text | Self::Reference => Some(Value::text(text)),
            Self::Integer => text.parse().ok().map(Value::Integer),
            Self::Decimal => text.parse::<Decimal>().ok().map(Value::Decimal),
            Self::Boolean => text.parse().ok().map(Value::Boolean),
            Self::Date => text.parse::<Date>().ok().map(Value::Date),
            Self::DateTime => text.parse::<Timestamp>().ok().map(Value::DateTime),
        }
    }
}

/// The names of types that rows may declare.
pub(crate) const ROW_TYPES: [&str; 8] = [
    "string",
    "integer",
    "decimal(18,2)",
    "boolean",
    "date",
    "datetime",
    "enum",
    "reference",
];

/// A written value of a property whose type is not known: as it looks.
pub(crate) fn as_it_looks(scalar: &Scalar) -> Value {
    match &scalar.0 {
        Content::Boolean(yes) => Value::Boolean(*yes),
        Content::Integer(number) => Value::Integer(*number),
        _ => Value::text(scalar.text()),
    }
}

/// The digits behind the point of `decimal(18,2)`: 2.
pub(crate) fn scale(type_text: &str) -> Option<u32> {
    let inside = inside(type_text)?;
    inside.split_once(',')?.1.trim().parse().ok()
}

/// The digits in all and behind the point of a number such as `currency(18,2)`.
pub(crate) fn digits(type_text: &str) -> Option<(u32, u32)> {
    let (all, behind) = inside(type_text)?.split_once(',')?;
    let digits = (all.trim().parse().ok()?, behind.trim().parse().ok()?);
    (Family::of(type_text) == Some(Family::Decimal)).then_some(digits)
}

/// What stands in parentheses: `Contact` of `reference(Contact)`.
pub(crate) fn inside(type_text: &str) -> Option<&str> {
    let (_, rest) = type_text.split_once('(')?;
    rest.strip_suffix(')')
}

/// A length of time such as `500ms`, `5s`, `10m`, `2h`, in milliseconds.
pub(crate) fn milliseconds(text: &str) -> Option<i64> {
    let digits = text.find(|sign: char| !sign.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn lengths_of_time_have_a_unit() {
        assert_eq!(milliseconds("500ms"), Some(500));
        assert_eq!(milliseconds("5s"), Some(5_000));
        assert_eq!(milliseconds("10m"), Some(600_000));
        assert_eq!(milliseconds("2 h"), Some(7_200_000));
        assert_eq!(milliseconds("400d"), Some(34_560_000_000));
        for wrong in ["", "5", "s", "5 days", "-5s", "99999999999999999h"] {
            assert_eq!(milliseconds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn types_of_either_system_fall_into_families() {
        assert_eq!(Family::of("currency(18,2)"), Some(Family::Decimal));
        assert_eq!(Family::of("reference(Contact)"), Some(Family::Reference));
        assert_eq!(Family::of("picklist"), Family::of("enum"));
        assert_eq!(Family::of("text"), None);
        assert_eq!(scale("decimal(18,2)"), Some(2));
        assert_eq!(inside("reference(Contact)"), Some("Contact"));
        assert_eq!(digits("currency(12, 4)"), Some((12, 4)));
        assert_eq!((digits("decimal"), digits("string(12,4)")), (None, None));
    }

    #[test]
    fn values_are_read_by_family() {
        let text = |text: &str| Scalar(Content::Text(text.to_owned()));
        assert_eq!(
            Family::Date.value(&text("2030-12-31")),
            Some(Value::Date("2030-12-31".parse().unwrap()))
        );
        assert_eq!(Family::Date.value(&text("31.12.2030")), None);
        assert_eq!(
            Family::Boolean.value(&Scalar(Content::Boolean(false))),
            Some(Value::Boolean(false))
        );
        assert_eq!(
            Family::Decimal.value(&text("1.10")),
            Some(Value::Decimal("1.1".parse().unwrap()))
        );
    }
}
