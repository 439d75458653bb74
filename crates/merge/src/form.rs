//! Forms: between a system's own form of a value and its canonical form.
//!
//! `decode` reads an own form, `encode` makes one. Both refuse rather than change what a value means: nothing is
//! cut, nothing is guessed (M10). References translate through [`Facts`].

use crate::cluster::ParkedKind;
use crate::dataflow::{CompanionKey, Flow, Kind, Mapping, Reference, Side, StandIn};
use crate::facts::{Facts, Referent, Referral};
use crate::record::{RecordKey, RecordType};
use crate::value::Value;
use rust_decimal::RoundingStrategy;
use std::collections::BTreeSet;

/// Why a value cannot be read or made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A person must mend it.
    Mend {
        /// What kind of trouble.
        kind: ParkedKind,
        /// Why.
        reason: String,
        /// What to do.
        advice: String,
    },
    /// It waits for another record; needs nobody.
    Waits(Box<Wait>),
    /// It points to something that has no counterpart by its nature (a queue, a lead): left as it is.
    LeftAlone,
}

/// What a value waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The record whose link (or whose companion) it waits for.
    pub on: RecordKey,
    /// The companion that is needed, if it goes through one.
    pub companion: Option<CompanionKey>,
    /// Nothing is known of the record: it must be read.
    pub read: bool,
    /// It will come by itself soon: better wait than go on without it.
    pub pending: bool,
    /// It does not come by itself, and nothing that is told stands in its way; why.
    pub never: Option<String>,
    /// The side on which the counterpart is missing.
    pub lacking: Side,
}

impl Wait {
    /// Waits for what a reference on a side leads to.
    pub(crate) fn for_reference(
        flow: &Flow,
        facts: &Facts,
        through: &Reference,
        (side, id): (Side, &str),
    ) -> Self {
        let record_type = match through {
            Reference::Flow(name) => {
                let known = facts.types.get(&(name.clone(), side)).cloned();
                known.unwrap_or_else(|| RecordType::new(&flow.end(side).record_type.system, name))
            }
            Reference::Companion { of, .. } => of.clone(),
        };
        let on = RecordKey {
            record_type,
            id: id.to_owned(),
        };
        let companion = match through {
            Reference::Flow(_) => None,
            Reference::Companion { role, .. } => Some(CompanionKey {
                role: role.clone(),
                owner: on.clone(),
            }),
        };
        Self {
            on,
            companion,
            read: false,
            pending: true,
            never: None,
            lacking: side.other(),
        }
    }
}

impl Trouble {
    /// The same wait for something that does not come by itself.
    fn for_good(mut self, why: String) -> Self {
        if let Self::Waits(wait) = &mut self {
            wait.never = Some(why);
        }
        self
    }

    fn mend(kind: ParkedKind, reason: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::Mend {
            kind,
            reason: reason.into(),
            advice: advice.into(),
        }
    }
}

/// One side of one mapping, with the facts that its references need.
#[derive(Clone, Copy, Debug)]
pub struct Form<'a> {
    /// The flow.
    pub flow: &'a Flow,
    /// The mapping.
    pub mapping: &'a Mapping,
    /// The side whose own form is meant.
    pub side: Side,
    /// Translated references.
    pub facts: &'a Facts,
}

impl Form<'_> {
    /// The canonical value of an own form.
    ///
    /// # Errors
    /// The value is not of the declared type, outside the enum, or a reference that cannot be translated.
    pub fn decode(&self, own: &Value) -> Result<Value, Trouble> {
        if own.is_blank() {
            return Ok(Value::Blank);
        }
        let canonical = match (&self.mapping.kind, own) {
            (Kind::String, Value::Text(text)) if self.mapping.holds_entries() => entries(text),
            (Kind::String, Value::Text(text)) => tidy(text),
            (Kind::Integer, Value::Integer(number)) => Value::Integer(*number),
            (Kind::Decimal { scale }, Value::Decimal(number)) => quantise(*number, *scale),
            (Kind::Decimal { scale }, Value::Integer(number)) => quantise((*number).into(), *scale),
            (Kind::Boolean, Value::Boolean(yes)) => Value::Boolean(*yes),
            (Kind::Date, Value::Date(date)) => Value::Date(*date),
            (Kind::DateTime { whole_seconds }, Value::DateTime(moment)) => whole(*moment, *whole_seconds),
            (Kind::Enum(map), Value::Text(entry)) => {
                let names = match self.side {
                    Side::First => map.to_second.contains_key(entry).then_some(entry),
                    Side::Second => map.to_first.get(entry),
                };
                Value::Text(names.ok_or_else(|| self.unknown_entry(entry))?.clone())
            }
            (Kind::Reference(through), Value::Text(id)) => Value::Text(self.referred(through, id)?),
            _ => return Err(self.wrong_type(own)),
        };
        Ok(canonical)
    }

    /// The own form of a canonical value on this side.
    ///
    /// # Errors
    /// The side cannot hold it: too long, must not be blank, outside the enum, a reference that cannot be
    /// translated.
    pub fn encode(&self, canonical: &Value) -> Result<Value, Trouble> {
        let index = self.side.index();
        if canonical.is_blank() {
            return if self.mapping.never_blank[index] {
                Err(self.blank())
            } else {
                Ok(Value::Blank)
            };
        }
        match (&self.mapping.kind, canonical) {
            (Kind::Enum(map), Value::Text(name)) => {
                let entry = match self.side {
                    Side::First => Some(name),
                    Side::Second => map.to_second.get(name),
                };
                Ok(Value::Text(
                    entry.ok_or_else(|| self.unknown_entry(name))?.clone(),
                ))
            }
            (Kind::Reference(through), Value::Text(id)) if self.side == Side::Second => {
                Ok(Value::Text(self.translate(through, Side::First, id)?))
            }
            (Kind::String, Value::Text(text)) => {
                let length = text.chars().count();
                match self.mapping.max_length[index] {
                    Some(most) if length > most => Err(self.too_long(length, most)),
                    _ => Ok(canonical.clone()),
                }
            }
            _ => Ok(canonical.clone()),
        }
    }

    /// Whether a canonical value stands in an own form: nothing needs to be written.
    #[must_use]
    pub fn fits(&self, canonical: &Value, own: &Value) -> bool {
        self.encode(canonical).is_ok_and(|form| &form == own)
            || self.decode(own).is_ok_and(|value| &value == canonical)
    }

    /// The first side's id of a reference shown on this side.
    fn referred(&self, through: &Reference, id: &str) -> Result<String, Trouble> {
        match self.side {
            Side::Second => self.translate(through, Side::Second, id),
            Side::First if self.mapping.properties[0] == "id" => Ok(id.to_owned()),
            Side::First => match self.referent(through, Side::First, id) {
                Referent::Gone => Err(self.nothing(id)),
                Referent::Unknown => Err(self.waits(through, Side::First, id, true, true)),
                _ => Ok(id.to_owned()),
            },
        }
    }

    /// The id on the other side of `from`.
    fn translate(&self, through: &Reference, from: Side, id: &str) -> Result<String, Trouble> {
        match self.referent(through, from, id) {
            Referent::Linked(other) => Ok(other),
            Referent::Gone if from == Side::First => Err(self.nothing(id)),
            Referent::Gone | Referent::Forgotten => Err(Trouble::LeftAlone),
            Referent::Pending => Err(self.waits(through, from, id, false, true)),
            Referent::Unknown => Err(self.waits(through, from, id, true, true)),
            Referent::Never(_) if self.goes_without(from.other()) => Err(Trouble::LeftAlone),
            Referent::Never(why) => Err(self.waits(through, from, id, false, false).for_good(why)),
            Referent::Unlinked if from == Side::Second && matches!(through, Reference::Companion { .. }) => {
                Err(Trouble::LeftAlone)
            }
            Referent::Unlinked => {
                let companion = matches!(through, Reference::Companion { .. });
                Err(self.waits(through, from, id, false, companion))
            }
        }
    }

    /// The first side's records do without what has no counterpart there: it is left as it is.
    fn goes_without(&self, lacking: Side) -> bool {
        let stand_in = &self.mapping.stand_in[lacking.index()];
        lacking == Side::First && stand_in == &Some(StandIn::Nothing)
    }

    fn referent(&self, through: &Reference, side: Side, id: &str) -> Referent {
        let asked = Referral {
            through: through.clone(),
            side,
            id: id.to_owned(),
        };
        let known = self.facts.referrals.get(&asked);
        let backwards = || {
            let found = self.facts.referrals.iter().find(|(referral, referent)| {
                referral.through == *through
                    && referral.side == side.other()
                    && matches!(referent, Referent::Linked(other) if other == id)
            });
            found.map(|(referral, _)| Referent::Linked(referral.id.clone()))
        };
        known.cloned().or_else(backwards).unwrap_or(Referent::Pending)
    }

    fn waits(&self, through: &Reference, side: Side, id: &str, read: bool, pending: bool) -> Trouble {
        let wait = Wait::for_reference(self.flow, self.facts, through, (side, id));
        Trouble::Waits(Box::new(Wait {
            read,
            pending,
            ..wait
        }))
    }

    fn nothing(&self, id: &str) -> Trouble {
        let property = self.mapping.property(Side::First);
        Trouble::mend(
            ParkedKind::ReferenceToNothing,
            format!("{property} names {id}, which does not exist"),
            format!("choose an existing record for {property}, or clear it"),
        )
    }

    fn blank(&self) -> Trouble {
        let (here, there) = (
            self.mapping.property(self.side),
            self.mapping.property(self.side.other()),
        );
        Trouble::mend(
            ParkedKind::MissingMandatory,
            format!("{there} is blank, and {here} must have a value"),
            format!("give {there} a value"),
        )
    }

    fn too_long(&self, length: usize, most: usize) -> Trouble {
        let (here, there) = (
            self.mapping.property(self.side),
            self.mapping.property(self.side.other()),
        );
        Trouble::mend(
            ParkedKind::TooLong,
            format!("{there} has {length} characters, and {here} holds {most}"),
            format!("shorten {there} to {most} characters"),
        )
    }

    fn unknown_entry(&self, entry: &str) -> Trouble {
        let property = self.mapping.property(self.side);
        let shown = if self.mapping.personal {
            "a value".to_owned()
        } else {
            format!("{entry:?}")
        };
        Trouble::mend(
            ParkedKind::UnknownEnum,
            format!("{property} is {shown}, which the mapping does not name"),
            format!("choose one of the mapped values, or add {shown} to the values of {property}"),
        )
    }

    fn wrong_type(&self, own: &Value) -> Trouble {
        let property = self.mapping.property(self.side);
        let declared = &self.mapping.data_types[self.side.index()];
        let shown = match own {
            Value::Blank => "blank",
            Value::Text(_) => "text",
            Value::Integer(_) => "a whole number",
            Value::Decimal(_) => "a decimal",
            Value::Boolean(_) => "yes or no",
            Value::Date(_) => "a date",
            Value::DateTime(_) => "a moment",
        };
        Trouble::mend(
            ParkedKind::WrongType,
            format!("{property} is {shown}, and the mapping declares {declared}"),
            format!("correct the declared type of {property}"),
        )
    }
}

/// Text without the habits of browsers and forms: newlines are `\n`, no white space around. A no-break space
/// is content.
fn tidy(text: &str) -> Value {
    let unified = text.replace("\r\n", "\n").replace('\r', "\n");
    Value::text(unified.trim_matches(|c: char| c.is_ascii_whitespace()))
}

/// Each entry once, in an order of their own.
fn entries(text: &str) -> Value {
    let entries: BTreeSet<&str> = text
        .split(';')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .collect();
    Value::text(entries.into_iter().collect::<Vec<&str>>().join(";"))
}

fn quantise(number: rust_decimal::Decimal, scale: u32) -> Value {
    Value::Decimal(
        number
            .round_dp_with_strategy(scale, RoundingStrategy::MidpointAwayFromZero)
            .normalize(),
    )
}

fn whole(moment: jiff::Timestamp, whole_seconds: bool) -> Value {
    let cut = if whole_seconds {
        jiff::Timestamp::from_second(moment.as_second()).ok()
    } else {
        None
    };
    Value::DateTime(cut.unwrap_or(moment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m10_entries_have_no_order_and_come_once() {
        for text in ["B;A", "A;B", " A ; B;A", "B;;A;"] {
            assert_eq!(entries(text), Value::from("A;B"), "{text}");
        }
        assert_eq!(entries(" ; "), Value::Blank);
    }
}
