//! Writes that are taken for later.

use super::place::Place;
use super::times::Span;
use tandem_merge::config::written::Scalar;
use tandem_merge::written;

written! {
    /// A reply may tell of a job that carries the write out. It is asked for until it says how it ended.
    struct JobText {
        /// Where the reply names the job's address.
        at: Place,
        /// Statuses of a reply that tells of a job; 202 where nothing is said.
        status: Option<Vec<u32>>,
        /// Where the job says how it stands.
        state: Place,
        /// What stands there once it is carried out.
        done: Vec<Scalar>,
        /// What stands there once it is refused.
        failed: Vec<Scalar>,
        /// Where the job names the address of its result, if it does not show that itself.
        result: Option<Place>,
        /// How often it is asked for; every two seconds where nothing is said.
        every: Option<Span>,
        /// The longest time that a job may take; ten minutes where nothing is said.
        lasts: Option<Span>,
    }
}
