//! Status page, HTTP API and metrics of a running Tandem.
