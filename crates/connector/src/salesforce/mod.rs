//! The connector to a Salesforce org.
