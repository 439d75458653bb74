//! The durable state of Tandem, as units of work over an embedded database.
