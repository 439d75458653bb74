//! Personal values are masked in lists and logs.

use std::collections::BTreeSet;
use tandem_merge::dataflow::Dataflow;
use tandem_merge::privacy::MASK;
use tandem_merge::record::RecordType;
use tandem_merge::value::Value;

/// Longer values are cut in lists, in characters.
const SHOWN: usize = 60;

/// Which properties hold a person's own values.
#[derive(Clone, Debug, Default)]
pub struct Masks(BTreeSet<(RecordType, String)>);

impl Masks {
    /// The personal properties of a dataflow.
    #[must_use]
    pub fn of(flows: &Dataflow) -> Self {
        Self(tandem_merge::privacy::personal(flows))
    }

    /// Nothing is masked: whoever looks may see everything.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// What either of the two masks.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).cloned().collect())
    }

    /// A value in full, masked where personal; none where it is blank.
    #[must_use]
    pub fn text(&self, record_type: &RecordType, property: &str, value: &Value) -> Option<String> {
        match value {
            Value::Blank => None,
            _ if self.hides(record_type, property) => Some(MASK.to_owned()),
            value => Some(value.to_string()),
        }
    }

    /// Whether a property is masked.
    #[must_use]
    pub fn hides(&self, record_type: &RecordType, property: &str) -> bool {
        self.0.contains(&(record_type.clone(), property.to_owned()))
    }

    /// A value in full, masked where personal.
    #[must_use]
    pub fn whole(&self, record_type: &RecordType, property: &str, value: &Value) -> String {
        match value {
            Value::Blank => String::new(),
            _ if self.hides(record_type, property) => MASK.to_owned(),
            value => value.to_string(),
        }
    }

    /// A value as a list shows it: on one line, cut where long, masked where personal.
    #[must_use]
    pub fn show(&self, record_type: &RecordType, property: &str, value: &Value) -> String {
        match value {
            Value::Blank => "blank".to_owned(),
            _ if self.hides(record_type, property) => MASK.to_owned(),
            value => shorten(&value.to_string()),
        }
    }
}

/// A text on one line, cut where long.
#[must_use]
pub fn shorten(text: &str) -> String {
    let line = text.replace(['\n', '\r'], " ");
    if line.chars().count() <= SHOWN {
        return line;
    }
    let cut: String = line.chars().take(SHOWN - 1).collect();
    format!("{cut}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn personal_values_are_masked_and_blank_is_told() {
        let contact = RecordType::new("customerp", "Contact");
        let masks = Masks(BTreeSet::from([(contact.clone(), "email".to_owned())]));
        assert_eq!(masks.show(&contact, "email", &"a@b.example".into()), MASK);
        assert_eq!(masks.show(&contact, "email", &Value::Blank), "blank");
        assert_eq!(
            masks.show(&contact, "title", &"Head\nof sales".into()),
            "Head of sales"
        );
    }
}
