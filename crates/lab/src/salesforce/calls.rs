//! How many API calls were made, of which kind, and how many a day allows.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::fault::{Code, Fault, Outcome};

/// The book of API calls: one per HTTP request, whatever it carries.
pub(crate) struct Calls {
    allowed: u64,
    used: u64,
    by_kind: BTreeMap<&'static str, u64>,
    by_object: BTreeMap<String, BTreeMap<&'static str, u64>>,
}

impl Calls {
    pub(crate) fn new(allowed: u64) -> Calls {
        Calls {
            allowed,
            used: 0,
            by_kind: BTreeMap::new(),
            by_object: BTreeMap::new(),
        }
    }

    /// Counts a call of a kind; `object` where the address names one.
    ///
    /// # Errors
    /// `REQUEST_LIMIT_EXCEEDED` where the day's calls are used up; the call is not counted then.
    pub(crate) fn count(&mut self, kind: &'static str, object: Option<&str>) -> Outcome<()> {
        if self.used >= self.allowed {
            return Err(Fault::new(Code::RequestLimit, "TotalRequests Limit exceeded."));
        }
        self.used += 1;
        *self.by_kind.entry(kind).or_default() += 1;
        if let Some(object) = object {
            *self
                .by_object
                .entry(object.to_owned())
                .or_default()
                .entry(kind)
                .or_default() += 1;
        }
        Ok(())
    }

    /// The calls so far and how many the day allows.
    pub(crate) fn usage(&self) -> (u64, u64) {
        (self.used, self.allowed)
    }

    /// The header of every reply.
    pub(crate) fn header(&self) -> String {
        format!("api-usage={}/{}", self.used, self.allowed)
    }

    /// The day's calls: how many are allowed, how many are left.
    pub(crate) fn left(&self) -> (u64, u64) {
        (self.allowed, self.allowed.saturating_sub(self.used))
    }

    pub(crate) fn report(&self) -> Json {
        json!({ "total": self.used, "allowed": self.allowed, "kinds": self.by_kind, "objects": self.by_object })
    }

    /// Begins a new day.
    pub(crate) fn reset(&mut self) {
        *self = Calls::new(self.allowed);
    }

    pub(crate) fn allow(&mut self, allowed: u64) {
        self.allowed = allowed;
    }
}
