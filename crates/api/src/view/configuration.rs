//! The configuration in force, as people can read it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// The configuration in force, and how its files stand to it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Configuration {
    /// The main file.
    pub file: String,
    /// Since when it is in force.
    pub since: Timestamp,
    /// The two systems.
    pub connections: Vec<ConnectionSettings>,
    /// The flows.
    pub flows: Vec<FlowSettings>,
    /// Where and how the state is kept.
    pub state: Vec<Setting>,
    /// Where pages and HTTP API are served.
    pub console: Vec<Setting>,
    /// Who signs in to them.
    pub people: Vec<Signer>,
    /// Who is told when something needs somebody.
    pub alerts: Vec<Setting>,
    /// What it leads to and its author may not expect.
    pub remarks: Vec<String>,
    /// How the files stand now.
    pub files: Files,
}

/// A setting, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Setting {
    /// What it is about.
    pub about: String,
    /// What is set.
    pub is: String,
}

/// How a system is reached.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ConnectionSettings {
    /// Its name.
    pub system: String,
    /// The connector.
    pub kind: String,
    /// What is set.
    pub settings: Vec<Setting>,
    /// Where its secrets come from; never what they are.
    pub secrets: Vec<Setting>,
}

/// What a flow does.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct FlowSettings {
    /// Its name.
    pub flow: String,
    /// The first and the second record type.
    pub types: [String; 2],
    /// How many properties it keeps in step.
    pub properties: u64,
    /// Policies.
    pub policies: Vec<Setting>,
    /// What stops before too much happens.
    pub guards: Vec<Setting>,
}

/// Somebody who signs in with a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Signer {
    /// The name.
    pub name: String,
    /// The role.
    pub role: String,
    /// Where the token comes from; never what it is.
    pub token: String,
}

/// How the files stand to what is in force.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Files {
    /// When they were looked at.
    pub at: Timestamp,
    /// What they say otherwise than what is in force; empty where they say the same.
    pub differ: Vec<String>,
    /// What is wrong with them: as they are they would not be taken.
    pub problems: Vec<FileProblem>,
    /// What they lead to and their author may not expect.
    pub remarks: Vec<String>,
}

/// Something wrong in a file of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FileProblem {
    /// The file.
    pub file: String,
    /// The line, from 1; none where the file cannot be read at all.
    pub line: Option<u64>,
    /// The column, from 1.
    pub column: Option<u64>,
    /// What is wrong.
    pub what: String,
    /// What to write instead, or what to do.
    pub instead: String,
}
