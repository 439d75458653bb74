//! How several requests travel as one.

use super::place::Place;
use super::requests::{Call, Line};
use super::template::{Body, Template};
use super::words::words;
use tandem_merge::config::node::At;
use tandem_merge::config::written::Table;
use tandem_merge::written;

words! {
    /// How requests stand in one.
    enum BatchForm {
        /// As a list in JSON.
        Json = "json",
        /// As parts of `multipart/mixed`, each change in a change set of its own.
        Multipart = "multipart",
    }
}

written! {
    /// How several requests travel as one.
    struct BatchText {
        /// Method and path.
        request: At<Line>,
        /// Parameters behind the path.
        query: Option<Table<At<Template>>>,
        /// Headers.
        headers: Option<Table<At<Template>>>,
        /// How requests stand in it; `json` where nothing is said.
        form: Option<BatchForm>,
        /// So many at most; 20 where nothing is said.
        at_most: Option<u32>,
        /// Either all of a batch is carried out or nothing.
        atomic: Option<bool>,
        /// Reads by id travel in batches, too.
        reads: Option<bool>,
        /// Where the list of requests stands; `requests` where nothing is said.
        requests: Option<Place>,
        /// What stands there for each: `{method}`, `{path}` on the host or `{relative}` to `base`, `{headers}`, `{body}`, `{number}`.
        each: Option<At<Body>>,
        /// Where the list of answers stands; `responses` where nothing is said.
        answers: Option<Place>,
        /// Where things stand in an answer.
        answer: Option<BatchAnswerText>,
    }
}

written! {
    /// Where things stand in one answer of a batch.
    struct BatchAnswerText {
        /// The `{number}` of its request; without it answers come in the order of the requests.
        number: Option<Place>,
        /// Its status; `status` where nothing is said.
        status: Option<Place>,
        /// Its headers; `headers` where nothing is said.
        headers: Option<Place>,
        /// Its body; `body` where nothing is said.
        body: Option<Place>,
    }
}

static NONE: Table<At<Template>> = Table(Vec::new());

impl BatchText {
    /// What is sent, but for the body.
    pub(crate) fn call(&self) -> Call<'_> {
        Call {
            line: &self.request,
            query: self.query.as_ref().unwrap_or(&NONE),
            headers: self.headers.as_ref().unwrap_or(&NONE),
            body: None,
        }
    }

    /// So many requests at most.
    pub(crate) fn most(&self) -> usize {
        self.at_most.map_or(20, |most| most as usize).max(1)
    }
}
