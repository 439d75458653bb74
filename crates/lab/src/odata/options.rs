//! What a local OData service is started with.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use serde::Deserialize;

use super::lies::Lie;
use super::server::StartError;

/// A person or program that may use the service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The name for Basic, and the client id for a token.
    pub name: String,
    /// The password for Basic, and the client secret for a token.
    pub password: String,
    /// What is sent as `Authorization: Bearer <token>`.
    pub token: String,
}

/// Which company is served.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// A small company, in v4 at `/v4` and in v2 at `/v2`.
    #[default]
    Company,
    /// Paths, names and manners of Business Central's API v2.0.
    BusinessCentral,
    /// Paths, names and manners of three services of S/4HANA, in v2.
    S4hana,
}

/// How links to further pages are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Links {
    /// With scheme and host.
    #[default]
    Absolute,
    /// From the host's root: `/v4/Customers?..`.
    HostRelative,
    /// From the service's root: `Customers?..`.
    ServiceRelative,
}

/// How a local OData service is set up and filled. As a JSON file every field may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The address to listen on: loopback, anything else is refused.
    pub address: IpAddr,
    /// The port to listen on; 0 takes a free one.
    pub port: u16,
    /// Which company is served.
    pub preset: Preset,
    /// Who may use it.
    pub users: Vec<User>,
    /// How many customers to generate; the others follow in a fixed ratio.
    pub records: u32,
    /// The seed of the generator: the same seed gives the same records.
    pub seed: u64,
    /// A PostgreSQL dump of the Northwind data to fill it with instead.
    pub northwind: Option<PathBuf>,
    /// The text of such a dump.
    pub northwind_sql: Option<String>,
    /// The most entities of one page.
    pub page_size: usize,
    /// How links to further pages are written.
    pub links: Links,
    /// Whether a change needs the token of its session; nothing: in v2 services only.
    pub csrf: Option<bool>,
    /// The most requests of one batch.
    pub batch_most: usize,
    /// What it does wrong from its start on.
    pub lies: Vec<Lie>,
    /// By how many milliseconds late lies are late.
    pub lateness_ms: u32,
    /// How many milliseconds a request is on its way.
    pub latency_ms: u64,
    /// A file for every request and its answer, a line of JSON each.
    pub record: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        let user = |name: &str| User {
            name: name.to_owned(),
            password: format!("odata-{name}-password"),
            token: format!("odata-{name}-token"),
        };
        Self {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            preset: Preset::Company,
            users: vec![user("tandem"), user("alice"), user("bob")],
            records: 0,
            seed: 1,
            northwind: None,
            northwind_sql: None,
            page_size: 100,
            links: Links::Absolute,
            csrf: None,
            batch_most: 100,
            lies: Vec::new(),
            lateness_ms: 5_000,
            latency_ms: 0,
            record: None,
        }
    }
}

impl Preset {
    /// The names of all, as options write them.
    pub const NAMES: [&str; 3] = ["company", "business-central", "s4hana"];

    /// The preset of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        serde_json::from_value(serde_json::Value::String(name.to_owned())).ok()
    }

    /// The model, as text.
    pub(crate) fn model(self) -> &'static str {
        match self {
            Self::Company => include_str!("models/company.txt"),
            Self::BusinessCentral => include_str!("models/business-central.txt"),
            Self::S4hana => include_str!("models/s4hana.txt"),
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
        let unusable = |user: &User| {
            [&user.name, &user.password, &user.token]
                .iter()
                .any(|text| text.trim().is_empty())
        };
        let problems = [
            (self.users.is_empty(), "users must name at least one user"),
            (
                self.users.iter().any(unusable),
                "every user needs a name, a password and a token",
            ),
            (
                sources.iter().filter(|given| **given).count() > 1,
                "choose one of records, northwind and northwind_sql",
            ),
            (self.page_size == 0, "page_size must be at least 1"),
            (self.batch_most == 0, "batch_most must be at least 1"),
            (self.records > 100_000, "records must be at most 100000"),
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
