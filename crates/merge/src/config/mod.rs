//! The configuration: from the text of its files to validated types, or to all problems at once.
//!
//! Nothing here reads files or the environment: the caller brings the texts. [`load`] goes on after a problem, so
//! that one run names everything there is to mend, each with file, line and what to write instead.

mod check;
mod companion;
mod connection;
mod console;
mod end;
mod filter;
mod flow;
mod flow_file;
mod kind;
mod known;
mod load;
mod main_file;
mod mapping;
mod match_rule;
mod match_text;
pub mod node;
mod problem;
mod provider;
mod schema;
mod sign_in;
mod support;
mod type_text;
mod webhook;
pub mod written;

pub use kind::{scale_to_write, type_to_write};
pub use known::{Described, Kinds};
pub use load::{flows_folder, load, load_against, load_to_ask};
pub use problem::{Problem, Problems, suggestion};
pub use schema::{flow_schema, main_schema, schema_of};
pub use webhook::{Encoding, ListenSettings, SignedPart, Tells, Webhook};

use crate::dataflow::{Dataflow, Flow, Side, Unserved};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// The texts of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    /// Path and text of `tandem.yaml`. The path is only shown.
    pub main: (String, String),
    /// Path and text of every flow file.
    pub flows: Vec<(String, String)>,
    /// What is known of the kinds of systems.
    pub kinds: Kinds,
}

/// A valid configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Configuration {
    /// How to reach the two systems, the first one first.
    pub connections: [Connection; 2],
    /// What is kept in step.
    pub dataflow: Dataflow,
    /// The folder of the flow files, as written, from the main file's own folder.
    pub flows_folder: String,
    /// Which object serves a record type, per system, where there is a choice.
    pub bindings: [BTreeMap<String, String>; 2],
    /// Rows (flow, first side's property) that are passed over where a system lacks the property: see
    /// [`pass_over`].
    pub if_present: BTreeSet<(String, String)>,
    /// Where and how the state is kept.
    pub state: StateSettings,
    /// The pages and the HTTP API that are served.
    pub console: ConsoleSettings,
    /// Where systems are listened to that tell of changes by themselves.
    pub listen: ListenSettings,
    /// Who is told when something needs somebody; none: nobody.
    pub alerts: Option<AlertSettings>,
    /// The collector that gets a trace of each change; none: nobody.
    pub traces: Option<TraceSettings>,
    /// How long history is kept, in milliseconds.
    pub keep_history_ms: i64,
    /// Where flows and their rows are written.
    pub places: Places,
    /// What the configuration leads to and its author may not expect; for people.
    pub remarks: Vec<String>,
}

/// Where flows and their rows are written. Two configurations that say the same are alike wherever they say it.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// File, line and column by flow, and by the name of a row's property on either side; of the flow itself by no name.
    by_flow: BTreeMap<String, BTreeMap<String, String>>,
}

impl PartialEq for Places {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Places {
    /// Where a row of a flow is written; the flow itself where it has none of that name.
    #[must_use]
    pub fn of(&self, flow: &str, property: &str) -> Option<&str> {
        let rows = self.by_flow.get(flow)?;
        rows.get(property).or_else(|| rows.get("")).map(String::as_str)
    }
}

/// How to reach a system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// The system's name.
    pub name: String,
    /// The connector, such as `rest` or `sql`.
    pub kind: String,
    /// The address to begin at; empty where the kind is reached otherwise.
    pub url: String,
    /// The file that describes the system's interface, for kinds that are known by one.
    #[serde(default)]
    pub description: Option<String>,
    /// The folder that its files are in.
    #[serde(default)]
    pub folder: Option<String>,
    /// The program that speaks for it, with its arguments.
    #[serde(default)]
    pub command: Vec<String>,
    /// Nothing is ever written to it.
    #[serde(default)]
    pub read_only: bool,
    /// How to sign in, by the name the kind has for it; empty where there is one way alone.
    #[serde(default)]
    pub sign_in: String,
    /// The user to sign in as, where the way of signing in asks for one.
    #[serde(default)]
    pub user: Option<String>,
    /// Where secrets are kept, by name.
    pub secrets: BTreeMap<String, SecretReference>,
    /// The file with the certificates of the system's authority; none: the machine's own.
    #[serde(default)]
    pub certificate_authority: Option<String>,
    /// How much of the system's calls of a day may be used; none where it limits none.
    #[serde(default)]
    pub budget: Option<BudgetShare>,
    /// The longest time that a request may still take effect, in milliseconds; none: as the system declares.
    pub request_deadline_ms: Option<i64>,
    /// How far back changes are read again, in milliseconds.
    pub overlap_ms: i64,
    /// How often changes are asked for, in milliseconds.
    pub poll_ms: i64,
    /// How people's accounts are created; none: they are not.
    pub users: Option<Users>,
    /// Who owns records whose own owner has no account; none: the user that Tandem signs in as.
    #[serde(default)]
    pub owner: Option<String>,
    /// How changes are seen.
    pub changes: Changes,
    /// How writes travel.
    #[serde(default)]
    pub writes: Writes,
    /// How it tells of changes by itself; none: it does not.
    #[serde(default)]
    pub webhook: Option<Webhook>,
    /// The folder where is kept what the next process signs in with; whoever loads the configuration knows it.
    #[serde(skip)]
    pub keep: Option<String>,
}

impl Connection {
    /// What its system can do is said by a description, a folder or a program, and so is to be proven.
    #[must_use]
    pub fn is_described(&self) -> bool {
        self.description.is_some() || self.folder.is_some() || !self.command.is_empty()
    }
}

/// How writes to a system travel, where its connector has a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writes {
    /// Updates give up their conditions for fewer calls.
    pub throughput: bool,
    /// More writes of one kind and object than this travel as a job; 0: none.
    pub bulk_above: u32,
}

impl Default for Writes {
    fn default() -> Self {
        Self {
            throughput: false,
            bulk_above: 2_000,
        }
    }
}

/// How changes of a system are seen, where its connector has a choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// Record types whose changes come as events, the most important first.
    pub events: Vec<String>,
    /// The address that events come from; none: that of its kind.
    pub pubsub: Option<String>,
    /// How often types without events are asked for while others have them, in milliseconds.
    pub poll_ms: i64,
    /// How often each type is compared in full, in milliseconds; 0: never.
    pub compare_every_ms: i64,
}

/// How much of a system's calls of a day may be used, in percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetShare {
    /// Of the calls that the system allows in a day.
    pub share: u32,
    /// Of that share, what long work leaves for live changes.
    pub live_reserve: u32,
}

/// Where a secret is kept. The secret itself never stands in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretReference {
    /// In this environment variable.
    Env(String),
    /// In this file.
    File(String),
}

/// Where and how the state is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateSettings {
    /// The server that it is kept on; none: in a folder.
    pub server: Option<StateServer>,
    /// The key; none: the state is in clear.
    pub key: Option<SecretReference>,
    /// The key before it, while keys change.
    pub former_key: Option<SecretReference>,
}

/// The pages and the HTTP API that `tandem run` serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsoleSettings {
    /// Where they are served; none: where nothing is said.
    pub address: Option<SocketAddr>,
    /// Names that they answer to besides the machine's own.
    pub names: Vec<String>,
    /// Who signs in with a token.
    pub people: Vec<ConsolePerson>,
    /// The provider that people sign in with; none: nobody does.
    pub sign_in: Option<ConsoleProvider>,
    /// So many may be connected at once.
    pub connections: usize,
}

impl Default for ConsoleSettings {
    fn default() -> Self {
        Self {
            address: None,
            names: Vec::new(),
            people: Vec::new(),
            sign_in: None,
            connections: Self::CONNECTIONS,
        }
    }
}

impl ConsoleSettings {
    /// So many may be connected at once where the configuration does not say.
    pub const CONNECTIONS: usize = 256;
}

/// A provider of OpenID Connect, and who gets which role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsoleProvider {
    /// The provider, as it calls itself.
    pub issuer: String,
    /// What it knows Tandem as.
    pub client_id: String,
    /// Where the secret is kept that it gave to Tandem; none: it asks for none.
    pub client_secret: Option<SecretReference>,
    /// What people know it as.
    pub called: String,
    /// Where people's browsers reach the console, without a path; none: at the address that it listens at.
    pub reached_at: Option<String>,
    /// Who gets which role.
    pub roles: Vec<(ConsoleMark, ConsoleRole)>,
    /// The claim that names groups.
    pub groups_claim: String,
    /// What it is asked for besides who somebody is.
    pub scopes: Vec<String>,
    /// So long a session lasts, in milliseconds.
    pub session_ms: i64,
    /// The file with the certificates of the provider's authority; none: the machine's own.
    pub certificate_authority: Option<String>,
}

/// What somebody gets a role for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConsoleMark {
    /// They are in this group.
    Group(String),
    /// This e-mail address is theirs; in small letters.
    Email(String),
}

/// Who is told when something needs somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertSettings {
    /// Where the address is kept that alerts are posted to.
    pub webhook: SecretReference,
    /// So long a system may be in trouble before anybody is told, in milliseconds.
    pub after_ms: i64,
    /// What lasts is told again after so long, in milliseconds.
    pub again_ms: i64,
}

/// The collector of OpenTelemetry that gets a trace of each change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceSettings {
    /// The address at which it takes OTLP over HTTP.
    pub endpoint: String,
    /// Where the headers are kept that it asks for.
    pub headers: Option<SecretReference>,
    /// One of so many changes is traced, from 1.
    pub one_in: u32,
}

/// Somebody who signs in with a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsolePerson {
    /// The name.
    pub name: String,
    /// What they may do.
    pub role: ConsoleRole,
    /// Where the token is kept.
    pub token: SecretReference,
}

/// What somebody may do. Each may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConsoleRole {
    /// Looks; personal values are masked.
    Viewer,
    /// Answers, approves, retries, pauses.
    Operator,
    /// Sees personal values, and takes changes back.
    Admin,
}

/// A PostgreSQL server that keeps a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateServer {
    /// Where its connection string is kept, which may hold a password.
    pub connection: SecretReference,
    /// The schema that is the state's own.
    pub schema: String,
}

/// Whether a text can name the schema of a state: up to 32 small letters, digits and underscores, no digit first. The
/// database takes such a name as it stands, and there is room for a moment behind it. `public` is everybody's, and names
/// that begin with `pg_` are the database's own.
#[must_use]
pub fn is_schema_name(text: &str) -> bool {
    let letter = |first: char| first.is_ascii_lowercase() || first == '_';
    (1..=32).contains(&text.len())
        && text != "public"
        && text != "information_schema"
        && !text.starts_with("pg_")
        && text.starts_with(letter)
        && text.chars().all(|it| letter(it) || it.is_ascii_digit())
}

/// How people's accounts are created in a system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Users {
    /// The profile, by name.
    pub profile: String,
    /// Licences that are left free.
    pub free_licences: u64,
    /// The time zone.
    pub time_zone: String,
    /// The locale.
    pub locale: String,
    /// The encoding of e-mail.
    pub encoding: String,
    /// The language.
    pub language: String,
}

impl Users {
    /// The settings that constants of a flow can take as `${users.NAME}`.
    pub(crate) const SETTINGS: [&'static str; 5] = ["profile", "time_zone", "locale", "encoding", "language"];

    /// A setting by its name.
    pub(crate) fn setting(&self, name: &str) -> Option<&str> {
        match name {
            "profile" => Some(&self.profile),
            "time_zone" => Some(&self.time_zone),
            "locale" => Some(&self.locale),
            "encoding" => Some(&self.encoding),
            "language" => Some(&self.language),
            _ => None,
        }
    }
}

/// Moves the row of a first-side property among the unserved ones, with the reason: what becomes of a row marked
/// `if_present` when a system lacks the property. Match rules that need it go too. Does nothing without such a row.
pub fn pass_over(flow: &mut Flow, first: &str, why: &str) {
    let named = |mapping: &crate::dataflow::Mapping| mapping.property(Side::First) == first;
    let Some(at) = flow.mappings.iter().position(named) else {
        return;
    };
    let mapping = flow.mappings.remove(at);
    let of = |properties: &[String; 2]| properties[0] == first;
    flow.match_rules.retain_mut(|rule| {
        let agreed = !rule.agree.is_empty();
        rule.agree.retain(|one| !of(&one.properties));
        rule.contradicted_by.retain(|one| !of(&one.properties));
        let uses = rule.parts.iter().any(|part| of(&part.properties));
        let lost = rule.within.iter().any(|one| of(&one.properties)) || agreed && rule.agree.is_empty();
        !uses && !lost
    });
    flow.unserved.push(Unserved {
        first: first.to_owned(),
        second: Some(mapping.property(Side::Second).to_owned()),
        why: why.to_owned(),
        personal: mapping.personal,
    });
}
