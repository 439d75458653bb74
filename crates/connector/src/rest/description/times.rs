//! Lengths of time, and how exactly an ERP tells it.

use super::words::words;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;
use tandem_merge::config::node::Node;
use tandem_merge::config::written::{Reader, Written};

words! {
    /// The least difference of two times.
    enum Granularity {
        /// A millionth of a second.
        Microsecond = "us",
        /// A thousandth of a second.
        Millisecond = "ms",
        /// A second.
        Second = "s",
        /// A minute.
        Minute = "min",
        /// A day.
        Day = "day",
    }
}

words! {
    /// What `{since}` is taken from.
    enum Source {
        /// The ERP's clock when a round of changes began.
        Clock = "clock",
        /// The latest time of change that a round showed.
        Newest = "newest",
    }
}

impl Granularity {
    /// As a length of time.
    pub(crate) fn length(self) -> jiff::SignedDuration {
        match self {
            Self::Microsecond => jiff::SignedDuration::from_micros(1),
            Self::Millisecond => jiff::SignedDuration::from_millis(1),
            Self::Second => jiff::SignedDuration::from_secs(1),
            Self::Minute => jiff::SignedDuration::from_mins(1),
            Self::Day => jiff::SignedDuration::from_hours(24),
        }
    }
}

/// A moment is written as all times are: as `forms: datetime` says.
pub(crate) const AS_FORM: &str = "form";

/// A length of time: `30s`, `15m`, `24h`, `30d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) jiff::SignedDuration);

impl Written for Span {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = String::read(node, reader)?;
        let (number, unit) = text.split_at(text.len() - text.len().min(1));
        let seconds = match unit {
            "s" => Some(1),
            "m" => Some(60),
            "h" => Some(3_600),
            "d" => Some(86_400),
            _ => None,
        };
        let number = number.trim().parse::<u32>().ok();
        match number.zip(seconds) {
            Some((number, seconds)) => {
                Some(Self(jiff::SignedDuration::from_secs(i64::from(number) * seconds)))
            }
            None => {
                let help = "Write a whole number with s, m, h or d, such as `30s` or `24h`.";
                reader.problem(node, format!("`{text}` is no length of time"), help);
                None
            }
        }
    }
}

impl JsonSchema for Span {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]+[smhd]$" })
    }
}
