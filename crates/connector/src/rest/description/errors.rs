//! What answers mean that are no success.

use super::place::Place;
use super::words::words;
use tandem_merge::config::node::At;
use tandem_merge::config::written::{Scalar, Table};
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
        /// Where its words stand.
        message: Option<Place>,
        /// Where its code stands.
        code: Option<Place>,
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
        /// The header that says how many requests are left.
        remaining: Option<At<String>>,
    }
}
