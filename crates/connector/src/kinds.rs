//! What is known of the kinds of systems before any is asked: data for whoever validates a configuration.

use tandem_merge::config::Kinds;

/// Every kind that there is a connector for, and the properties of Salesforce's own objects.
pub const KINDS: Kinds = Kinds {
    kinds: include_str!("kinds/kinds.csv"),
    properties: include_str!("kinds/properties.csv"),
};
