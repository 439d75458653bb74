//! A fault rule: what it waits for, and what it then does.

use serde::Deserialize;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultAction {
    /// The request waits for `milliseconds`, then is carried out.
    Latency,
    /// The request is answered by `status` and not carried out.
    ErrorBefore,
    /// The request is carried out, then answered by `status`.
    ErrorAfter,
    /// The request is carried out after `milliseconds` even where nobody waits any more, and answered then.
    CommitLate,
    /// As `commit-late`, and the connection is closed without an answer.
    CommitLateUnanswered,
    /// The connection is closed; the request is not carried out.
    DropBefore,
    /// The request is carried out, then the connection is closed without an answer.
    DropAfter,
    /// The request's access token becomes invalid: 401 `INVALID_SESSION_ID`.
    SessionExpired,
    /// 403 `REQUEST_LIMIT_EXCEEDED`.
    RequestLimit,
    /// The rows of a query's page are at most `rows`; the rest follows by `nextRecordsUrl`.
    ShortPage,
    /// A row is refused by `UNABLE_TO_LOCK_ROW`, wherever it is written.
    Lock,
    /// A row that was written is seen only after `seconds`, or after a time between that and `up_to_seconds`.
    LateVisibility,
    /// A bulk job fails before its next row: the rows after that stay unprocessed.
    JobBroken,
    /// A row's change event says only that there was one: its type is GAP_CREATE, GAP_UPDATE, GAP_DELETE or GAP_UNDELETE.
    GapEvent,
    /// A row's change event is replaced by one of type GAP_OVERFLOW.
    OverflowEvent,
}

/// A rule. What a matcher leaves out, it does not ask for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// The HTTP method. A row's is POST where it is created, PATCH where it is changed, DELETE where it is deleted.
    #[serde(default)]
    pub method: Option<String>,
    /// A pattern for the path; `*` stands for any characters. Rows are matched by the path of their request.
    #[serde(default)]
    pub path: Option<String>,
    /// The object that the request is about, or the row's.
    #[serde(default)]
    pub object: Option<String>,
    /// Only from the fitting request (or row) of this number on, counted from 1.
    #[serde(default)]
    pub nth: Option<u64>,
    /// Between 0 and 1; 1 where it is left out.
    #[serde(default)]
    pub probability: Option<f64>,
    /// How many times at most.
    #[serde(default)]
    pub times: Option<u64>,
    /// What goes wrong.
    pub action: FaultAction,
    /// For `latency` and `commit-late`; 1,000 where it is left out.
    #[serde(default)]
    pub milliseconds: Option<u64>,
    /// For `error-before` and `error-after`: 500 to 599; 503 where it is left out.
    #[serde(default)]
    pub status: Option<u16>,
    /// For `late-visibility`; 60 where it is left out.
    #[serde(default)]
    pub seconds: Option<u32>,
    /// For `late-visibility`: each row's time is drawn between `seconds` and this.
    #[serde(default)]
    pub up_to_seconds: Option<u32>,
    /// For `short-page`; 200 where it is left out.
    #[serde(default)]
    pub rows: Option<usize>,
}

impl FaultRule {
    /// A rule that strikes whatever it can.
    #[must_use]
    pub fn new(action: FaultAction) -> FaultRule {
        FaultRule {
            method: None,
            path: None,
            object: None,
            nth: None,
            probability: None,
            times: None,
            action,
            milliseconds: None,
            status: None,
            seconds: None,
            up_to_seconds: None,
            rows: None,
        }
    }

    /// What is wrong with the rule, if anything.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        if self
            .probability
            .is_some_and(|chance| !(0.0..=1.0).contains(&chance))
        {
            return Some("probability has to lie between 0 and 1");
        }
        if self.status.is_some_and(|status| !(500..600).contains(&status)) {
            return Some("status has to lie between 500 and 599");
        }
        if self
            .up_to_seconds
            .is_some_and(|most| most < self.seconds.unwrap_or(0))
        {
            return Some("up_to_seconds has to be at least seconds");
        }
        None
    }

    /// Whether it concerns rows rather than requests.
    pub(super) fn of_rows(&self) -> bool {
        matches!(
            self.action,
            FaultAction::Lock
                | FaultAction::LateVisibility
                | FaultAction::JobBroken
                | FaultAction::GapEvent
                | FaultAction::OverflowEvent
        )
    }
}

/// Whether a path fits a pattern in which `*` stands for any characters.
pub(super) fn fits(pattern: &str, path: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = path.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, path, expected) in [
            ("/services/data/*", "/services/data/v62.0/query", true),
            (
                "*/sobjects/Contact*",
                "/services/data/v62.0/sobjects/Contact/003",
                true,
            ),
            (
                "*/sobjects/Contact",
                "/services/data/v62.0/sobjects/Contact/003",
                false,
            ),
            ("*/query", "/services/data/v62.0/query", true),
            ("/services/*/query", "/services/data/v62.0/query", true),
            ("/services/*/query", "/services/data/v62.0/queryAll", false),
            ("/query", "/query", true),
            ("/query", "/queryAll", false),
            ("*", "", true),
        ] {
            assert_eq!(fits(pattern, path), expected, "{pattern} {path}");
        }
    }
}
