//! What a local Customerp is started with.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use serde::Deserialize;

use super::fault::FaultKind;
use super::server::StartError;

/// A person or program that may use the API, by the token it sends.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The name that records show as `updatedBy`.
    pub name: String,
    /// What is sent as `Authorization: Bearer <token>`.
    pub token: String,
}

/// How a local Customerp is set up and filled. As a JSON file every field may be left out.
///
/// Records come from the generator (`records` above 0), from a Northwind dump (`northwind` or `northwind_sql`), or
/// there are none.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The address to listen on: loopback, anything else is refused.
    pub address: IpAddr,
    /// The port to listen on; 0 takes a free one.
    pub port: u16,
    /// The company's identifier, by which a client knows which ERP it talks to.
    pub company: String,
    /// The currency given to orders and quotes without one: three capital letters.
    pub currency: String,
    /// Who may use the API.
    pub users: Vec<User>,
    /// How many customers to generate; the other types follow in a fixed ratio.
    pub records: u32,
    /// The seed of the generator: the same seed gives the same records.
    pub seed: u64,
    /// How many pairs of generated customers share a name.
    pub ties: u32,
    /// Whether orders and quotes that are generated or imported have lines.
    pub lines: bool,
    /// A PostgreSQL dump of the Northwind data to import.
    pub northwind: Option<PathBuf>,
    /// The text of such a dump.
    pub northwind_sql: Option<String>,
    /// How many milliseconds a request is on its way.
    pub latency_ms: u64,
    /// A file for every request and its answer, a line of JSON each.
    pub record: Option<PathBuf>,
    /// Faults to plant beneath validation, one record each; a kind given several times is planted several times.
    pub faults: Vec<FaultKind>,
}

impl Default for Options {
    fn default() -> Self {
        let user = |name: &str| User {
            name: name.to_owned(),
            token: format!("customerp-{name}-token"),
        };
        Self {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            company: "customerp-local".to_owned(),
            currency: "EUR".to_owned(),
            users: vec![user("tandem"), user("alice"), user("bob")],
            records: 0,
            seed: 1,
            ties: 0,
            lines: true,
            northwind: None,
            northwind_sql: None,
            latency_ms: 0,
            record: None,
            faults: Vec::new(),
        }
    }
}

impl Options {
    /// Reads options from JSON text.
    ///
    /// # Errors
    /// [`StartError::Options`] with the place, for malformed text, unknown fields and unfit values.
    pub fn from_json(text: &str) -> Result<Self, StartError> {
        let options: Self =
            serde_json::from_str(text).map_err(|error| StartError::Options(error.to_string()))?;
        options.check()?;
        Ok(options)
    }

    /// Whether a server can be started with them.
    ///
    /// # Errors
    /// [`StartError::NotLoopback`], or [`StartError::Options`] with everything that is wrong.
    pub fn check(&self) -> Result<(), StartError> {
        if !self.address.is_loopback() {
            return Err(StartError::NotLoopback(self.address));
        }
        let sources = [
            self.records > 0,
            self.northwind.is_some(),
            self.northwind_sql.is_some(),
        ];
        let currency =
            self.currency.len() == 3 && self.currency.bytes().all(|byte| byte.is_ascii_uppercase());
        let unusable = |user: &User| user.name.trim().is_empty() || user.token.trim().is_empty();
        let shared = |user: &User| {
            self.users
                .iter()
                .filter(|other| other.token == user.token)
                .count()
                > 1
        };
        let problems = [
            (self.company.trim().is_empty(), "company must not be blank"),
            (!currency, "currency must be three capital letters such as EUR"),
            (self.users.is_empty(), "users must name at least one user"),
            (
                self.users.iter().any(unusable),
                "every user needs a name and a token",
            ),
            (
                self.users.iter().any(shared),
                "every user needs a token of their own",
            ),
            (
                sources.iter().filter(|given| **given).count() > 1,
                "choose one of records, northwind and northwind_sql",
            ),
            (
                u64::from(self.ties) * 2 > u64::from(self.records),
                "ties must be at most half of records",
            ),
            (self.records > 1_000_000, "records must be at most 1000000"),
        ];
        let found: Vec<_> = problems
            .iter()
            .filter(|(wrong, _)| *wrong)
            .map(|(_, what)| *what)
            .collect();
        if found.is_empty() {
            Ok(())
        } else {
            Err(StartError::Options(found.join("; ")))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_may_leave_anything_out() {
        let options =
            Options::from_json(r#"{"records": 5, "faults": ["too-long", "too-long", "unknown-enum"]}"#)
                .unwrap();
        assert_eq!(
            options.faults,
            [FaultKind::TooLong, FaultKind::TooLong, FaultKind::UnknownEnum]
        );
        assert_eq!(options.users[0].token, "customerp-tandem-token");
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let error = Options::from_json(r#"{"currency": "euro", "users": [], "ties": 1}"#)
            .unwrap_err()
            .to_string();
        for part in ["currency", "at least one user", "ties"] {
            assert!(error.contains(part), "{error}");
        }
        assert!(
            Options::from_json(r#"{"recrods": 5}"#)
                .unwrap_err()
                .to_string()
                .contains("recrods")
        );
    }

    #[test]
    fn only_loopback_is_served() {
        let options = Options {
            address: "0.0.0.0".parse().unwrap(),
            ..Options::default()
        };
        assert!(matches!(options.check(), Err(StartError::NotLoopback(_))));
    }
}
