//! What answers mean that are no success.

use super::place::{Place, Places};
use super::words::words;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;
use tandem_merge::config::node::{At, Content, Node};
use tandem_merge::config::written::{Reader, Scalar, Table, Written};
use tandem_merge::written;

words! {
    /// What an answer means.
    enum Means {
        /// It does not know us: sign in again.
        SignIn = "sign-in",
        /// The token against forged requests is missing or over.
        Csrf = "csrf",
        /// The record is another than the one that was seen.
        Stale = "stale",
        /// It wants a condition, and got none.
        Condition = "condition",
        /// What it was asked by is over: what it would have shown is lost.
        Expired = "expired",
        /// There is no such record.
        Gone = "gone",
        /// Another record has a value that must be there once.
        Duplicate = "duplicate",
        /// A reference leads nowhere.
        BadReference = "bad-reference",
        /// A value is at fault.
        Invalid = "invalid",
        /// We may not.
        Forbidden = "forbidden",
        /// The record's own state forbids it.
        Locked = "locked",
        /// A licence or the space is used up.
        Limit = "limit",
        /// Somebody else writes the record right now.
        Busy = "busy",
        /// Too many requests.
        Quota = "quota",
        /// Every seat of the licence is taken: nobody else may log in.
        Seats = "seats",
        /// Nothing was carried out; later it will be.
        Later = "later",
        /// It may or may not have been carried out.
        Unknown = "unknown",
        /// Nothing was carried out, and nobody knows why.
        Unclear = "unclear",
    }
}

written! {
    /// How an ERP says what went wrong.
    struct ErrorsText {
        /// Where its words stand; of several places the first that holds something.
        message: Option<Places>,
        /// Where its code stands; of several places the first that holds something.
        code: Option<Places>,
        /// A reply with a status of success that is an error all the same.
        failed: Option<At<FailedText>>,
        /// What it says of single properties.
        fields: Option<FieldsText>,
        /// What answers mean; the topmost that fits counts, and statuses as usual where none does.
        rules: Option<Vec<At<RuleText>>>,
    }
}

written! {
    /// An error inside a success.
    struct FailedText {
        /// A place where something stands only if it failed.
        at: Place,
        /// What stands there then; anything but `null`, `false`, nothing and an empty list where nothing is said.
        equals: Option<Vec<Scalar>>,
    }
}

written! {
    /// The list of properties that are at fault.
    struct FieldsText {
        /// Where it stands.
        at: Place,
        /// Where an entry names the property.
        property: Option<Place>,
        /// Where an entry holds a code.
        code: Option<Place>,
        /// What codes mean.
        means: Option<Table<Means>>,
    }
}

written! {
    /// What an answer means.
    struct RuleText {
        /// Its status is one of these.
        status: Option<Vec<u32>>,
        /// Its code is one of these.
        code: Option<Vec<String>>,
        /// Its words hold this text, whatever the case.
        contains: Option<String>,
        /// It has this header, with this text in it.
        header: Option<Table<String>>,
        /// Only of a write.
        writes: Option<bool>,
        /// What it means.
        means: At<Means>,
        /// What to do about it.
        advice: Option<String>,
    }
}

written! {
    /// How much the ERP takes.
    struct LimitsText {
        /// Requests under way at once.
        concurrency: Option<u32>,
        /// Requests in a minute.
        per_minute: Option<u32>,
        /// Requests in a day.
        per_day: Option<u32>,
        /// Answers with an error in an hour, of one operation of one record type.
        errors_per_hour: Option<u32>,
        /// Log-ins that our licence has for us at once.
        seats: Option<At<u32>>,
        /// The headers that say how many requests are left.
        remaining: Option<RemainingText>,
    }
}

words! {
    /// A length of time that requests are counted in.
    enum Period {
        /// A minute.
        Minute = "minute",
        /// An hour.
        Hour = "hour",
        /// A day.
        Day = "day",
    }
}

words! {
    /// How a header says when requests are counted anew.
    enum ResetForm {
        /// In so many seconds.
        Seconds = "seconds",
        /// The moment, in seconds since 1970.
        Epoch = "epoch",
        /// The moment, as HTTP writes dates.
        Date = "date",
    }
}

written! {
    /// A header that says how many requests are left.
    struct LeftText {
        /// The header.
        header: String,
        /// What they are counted in; a minute where nothing is said.
        of: Option<Period>,
        /// Which header says when they are counted anew.
        reset: Option<ResetText>,
    }
}

written! {
    /// A header that says when requests are counted anew.
    struct ResetText {
        /// The header.
        header: String,
        /// How it says that.
        r#as: ResetForm,
    }
}

/// The headers that say how many requests are left: a name, a table, or a list of tables.
#[derive(Clone, Debug)]
pub(crate) struct RemainingText(pub(crate) Vec<LeftText>);

impl Written for RemainingText {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self(match &node.value {
            Content::List(_) => Vec::read(node, reader)?,
            Content::Table(_) => vec![LeftText::read(node, reader)?],
            _ => vec![LeftText {
                header: String::read(node, reader)?,
                of: None,
                reset: None,
            }],
        }))
    }
}

impl JsonSchema for RemainingText {
    fn schema_name() -> Cow<'static, str> {
        "Remaining".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<LeftText>();
        let many = generator.subschema_for::<Vec<LeftText>>();
        json_schema!({ "anyOf": [{ "type": "string" }, one, many] })
    }
}
