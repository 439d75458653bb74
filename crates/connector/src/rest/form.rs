//! Values as an ERP writes them in JSON, and back.

mod moments;
#[cfg(test)]
mod tests;

pub(super) use moments::Moments;

use super::description::property::{DataKind, DataType, FormText, PadSide};
use super::language::{Language, Literal};
use crate::http::{json, salvage};
use rust_decimal::Decimal;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use tandem_merge::value::Value;

/// How a property's values are written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form {
    wrap: Option<String>,
    also: Vec<(String, Json)>,
    pair: bool,
    blank: Vec<String>,
    write_blank: Option<Json>,
    pad: Option<Pad>,
    labels: BTreeMap<String, String>,
    number: Number,
    /// References and texts of digits are numbers, truths are 1 and 0.
    numeric: bool,
    pub(super) moments: Moments,
    /// Texts that are of one form alone: `time` or `uuid`.
    pub(super) text: Option<&'static str>,
    /// How they are written in filters and addresses, where that is said.
    pub(super) literal: Option<Literal>,
}

#[derive(Clone, Debug)]
struct Pad {
    to: usize,
    with: char,
    left: bool,
}

/// How numbers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Number {
    /// As JSON does.
    #[default]
    Plain,
    /// As a text.
    Text,
    /// As a text with a comma before the fraction.
    Comma,
}

/// Why what is not there cannot be read.
pub(super) const NOT_SHOWN: &str = "it is not shown";
/// Forms of numbers.
/// Texts that are of one form alone.
const TEXTS: [&str; 2] = ["time", "uuid"];

pub(super) const NUMBERS: [&str; 3] = ["number", "text", "comma"];

impl Form {
    /// The form that is written: what the property says before what its type says before what all say.
    ///
    /// # Errors
    /// What no type of this kind can have, with what may be written: the form, or the zone.
    pub(super) fn read(kind: DataKind, texts: &[&FormText]) -> Result<Self, (&'static str, String, String)> {
        fn said<'t, T: 't>(texts: &[&'t FormText], of: impl Fn(&'t FormText) -> Option<T>) -> Option<T> {
            texts.iter().find_map(|text| of(text))
        }
        let mut form = Self {
            wrap: said(texts, |text| text.wrap.clone()),
            also: said(texts, |text| text.also.as_ref())
                .into_iter()
                .flat_map(|also| &also.0)
                .map(|(name, value)| (name.value.clone(), scalar(value)))
                .collect(),
            pair: said(texts, |text| text.pair.as_ref().map(|pair| pair.value)).unwrap_or_default(),
            blank: said(texts, |text| text.blank.as_ref())
                .into_iter()
                .flatten()
                .map(tandem_merge::config::written::Scalar::text)
                .collect(),
            write_blank: said(texts, |text| text.write_blank.as_ref()).map(scalar),
            literal: said(texts, |text| text.literal),
            ..Self::default()
        };
        form.pad = said(texts, |text| text.pad.as_ref()).map(|pad| Pad {
            to: pad.to as usize,
            with: pad
                .with
                .as_ref()
                .and_then(|with| with.chars().next())
                .unwrap_or(' '),
            left: pad.side == Some(PadSide::Left),
        });
        if let Some(labels) = said(texts, |text| text.labels.as_ref()) {
            form.labels = labels
                .0
                .iter()
                .map(|(name, label)| (name.value.clone(), label.clone()))
                .collect();
        }
        let (written, zone) = (
            said(texts, |text| text.r#as.as_ref().map(|word| word.value.as_str())),
            said(texts, |text| text.zone.as_ref().map(|zone| zone.value.as_str())),
        );
        match kind {
            DataKind::Date | DataKind::DateTime => {
                form.moments = Moments::read(kind == DataKind::DateTime, written, zone)?;
            }
            DataKind::Integer | DataKind::Decimal => {
                form.number = match written {
                    None | Some("number") => Number::Plain,
                    Some("text") => Number::Text,
                    Some("comma") => Number::Comma,
                    Some(other) => {
                        let help = tandem_merge::config::suggestion(other, NUMBERS);
                        return Err(("as", format!("no number is written as `{other}`"), help));
                    }
                };
            }
            DataKind::Reference | DataKind::Boolean => form.numeric = written == Some("number"),
            DataKind::String if written == Some("number") => {
                form.numeric = true;
                form.literal = form.literal.or(Some(Literal::Bare));
            }
            DataKind::String => form.text = TEXTS.into_iter().find(|form| written == Some(*form)),
            // What `any` says of numbers and times says nothing here.
            _ => {}
        }
        Ok(form)
    }

    /// A member of a record as a value.
    ///
    /// # Errors
    /// Why it cannot be read. What is not there is not blank.
    pub(super) fn decode(&self, data_type: &DataType, shown: Option<&Json>) -> Result<Value, String> {
        let Some(shown) = shown else {
            return Err(NOT_SHOWN.to_owned());
        };
        if let Some(why) = salvage::reason(shown) {
            return Err(why.to_owned());
        }
        let inner = match &self.wrap {
            Some(member) if shown.is_object() => shown.get(member).unwrap_or(&Json::Null),
            _ => shown,
        };
        let inner = match inner {
            Json::Array(entries) if self.pair => entries.first().unwrap_or(&Json::Null),
            other => other,
        };
        if inner.is_null() || self.is_blank(inner) {
            return Ok(Value::Blank);
        }
        let noun = match inner {
            Json::Null => "nothing",
            Json::Bool(_) => "true or false",
            Json::Number(_) => "a number",
            Json::String(_) => "a text",
            Json::Array(_) => "a list",
            Json::Object(_) => "a table",
        };
        let kind = data_type.kind;
        self.value(kind, inner)
            .ok_or_else(|| format!("{noun} is shown that is no {}", kind.word()))
    }

    fn is_blank(&self, json: &Json) -> bool {
        let text = match json {
            Json::String(text) => text.clone(),
            Json::Bool(_) | Json::Number(_) => json.to_string(),
            _ => return false,
        };
        self.blank.contains(&text)
    }

    fn value(&self, kind: DataKind, shown: &Json) -> Option<Value> {
        match kind {
            DataKind::Integer => match shown {
                Json::String(text) => text.trim().parse().ok().map(Value::Integer),
                other => whole(other).map(Value::Integer),
            },
            DataKind::Decimal => self.decimal(shown).map(Value::Decimal),
            DataKind::Boolean => match (shown, self.labels.is_empty()) {
                (Json::Bool(yes), _) => Some(Value::Boolean(*yes)),
                (Json::Number(number), true) if self.numeric => {
                    number.as_i64().map(|number| Value::Boolean(number != 0))
                }
                (_, true) => None,
                (other, false) => {
                    let label = super::description::place::plain(other)?;
                    let name = self.name_of(&label)?;
                    Some(Value::Boolean(name == "true"))
                }
            },
            DataKind::Date => self.moments.date(shown).map(Value::Date),
            DataKind::DateTime => self.moments.moment(shown).map(Value::DateTime),
            DataKind::Enum => {
                let label = super::description::place::plain(shown)?;
                Some(Value::text(self.name_of(&label).unwrap_or(&label)))
            }
            DataKind::Reference => {
                let id = super::description::place::plain(shown)?;
                Some(Value::text(self.unpadded(&id)))
            }
            DataKind::String if self.numeric && shown.is_number() => Some(Value::text(shown.to_string())),
            DataKind::String => shown.as_str().map(|text| Value::text(self.unpadded(text))),
        }
    }

    fn name_of(&self, label: &str) -> Option<&str> {
        let found = self.labels.iter().find(|(_, known)| *known == label);
        found.map(|(name, _)| name.as_str())
    }

    fn decimal(&self, shown: &Json) -> Option<Decimal> {
        match (shown, self.number) {
            (Json::Number(number), _) => json::decimal(number),
            (Json::String(text), Number::Comma) => {
                text.trim().replace('.', "").replace(',', ".").parse().ok()
            }
            (Json::String(text), _) => text.trim().parse().ok(),
            _ => None,
        }
    }

    fn unpadded<'t>(&self, text: &'t str) -> &'t str {
        match &self.pad {
            Some(pad) if pad.left => text.trim_start_matches(pad.with),
            Some(pad) => text.trim_end_matches(pad.with),
            None => text,
        }
    }

    fn padded(&self, text: &str) -> String {
        let Some(pad) = &self.pad else {
            return text.to_owned();
        };
        let missing = pad.to.saturating_sub(text.chars().count());
        let fill: String = std::iter::repeat_n(pad.with, missing).collect();
        match pad.left {
            true => fill + text,
            false => text.to_owned() + &fill,
        }
    }

    /// A value as the ERP takes it.
    pub(super) fn encode(&self, kind: DataKind, value: &Value) -> Json {
        self.wrapped(self.bare(kind, value))
    }

    /// A moment as the ERP takes it, with so many digits of a second where the form has any.
    pub(super) fn encode_moment(&self, moment: jiff::Timestamp, digits: usize) -> Json {
        self.wrapped(self.moments.print_to(moment, digits))
    }

    fn wrapped(&self, inner: Json) -> Json {
        if inner.is_null() && !self.also.is_empty() {
            return inner;
        }
        let mut made = match &self.wrap {
            Some(member) => Json::Object([(member.clone(), inner)].into_iter().collect()),
            None => inner,
        };
        if let Json::Object(members) = &mut made {
            members.extend(self.also.iter().cloned());
        }
        made
    }

    /// A value as a filter or an address holds it.
    pub(super) fn in_filters(&self, language: Language, kind: DataKind, value: &Value) -> Option<String> {
        let literal = self.literal.unwrap_or_else(|| usual(kind));
        match value {
            // As the ERP shows it: by its own word, filled up.
            Value::Text(_) => {
                let shown = self.bare(kind, value);
                let text = shown.as_str().map_or_else(|| shown.to_string(), str::to_owned);
                language.literal(literal, &text)
            }
            _ => language.value(literal, value),
        }
    }

    /// A value without what is wrapped around it, as a search takes it.
    pub(super) fn bare(&self, kind: DataKind, value: &Value) -> Json {
        match value {
            Value::Blank => self.write_blank.clone().unwrap_or(Json::Null),
            Value::Date(date) => self.moments.print_date(*date),
            Value::DateTime(moment) => self.moments.print(*moment),
            Value::Decimal(_) | Value::Integer(_) => match (json::encode(value).to_string(), self.number) {
                (text, Number::Text) => Json::String(text),
                (text, Number::Comma) => Json::String(text.replace('.', ",")),
                _ => json::encode(value),
            },
            Value::Boolean(yes) => match self.labels.get(if *yes { "true" } else { "false" }) {
                Some(label) => Json::String(label.clone()),
                None if self.numeric => u8::from(*yes).into(),
                None => Json::Bool(*yes),
            },
            Value::Text(text) if self.numeric => digits(text).unwrap_or_else(|| Json::String(text.clone())),
            Value::Text(text) => {
                let label = self.labels.get(text).filter(|_| kind == DataKind::Enum);
                Json::String(label.cloned().unwrap_or_else(|| self.padded(text)))
            }
        }
    }
}

/// How values of a kind are written in filters where nothing is said.
pub(super) fn usual(kind: DataKind) -> Literal {
    match kind {
        DataKind::String | DataKind::Enum | DataKind::Reference => Literal::Text,
        DataKind::Integer | DataKind::Boolean => Literal::Bare,
        DataKind::Decimal => Literal::Decimal,
        DataKind::Date => Literal::Date,
        DataKind::DateTime => Literal::DateTime,
    }
}

/// A text of digits as a number; none where the number would be another text when it is read again.
fn digits(text: &str) -> Option<Json> {
    let bare = text.strip_prefix('-').unwrap_or(text);
    let whole = bare.bytes().all(|sign| sign.is_ascii_digit());
    text.parse().ok().filter(|_| whole).map(Json::Number)
}

/// A whole number, also one that is written with a fraction of nothing.
fn whole(json: &Json) -> Option<i64> {
    let Json::Number(number) = json else {
        return None;
    };
    let exact = json::decimal(number)?.normalize();
    (exact.scale() == 0).then(|| exact.try_into().ok()).flatten()
}

fn scalar(written: &tandem_merge::config::written::Scalar) -> Json {
    use tandem_merge::config::node::Content;
    match &written.0 {
        Content::Integer(number) => (*number).into(),
        Content::Boolean(yes) => (*yes).into(),
        Content::Text(text) => Json::String(text.clone()),
        Content::Blank | Content::List(_) | Content::Table(_) => Json::Null,
    }
}
