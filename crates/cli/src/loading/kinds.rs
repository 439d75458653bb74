//! Systems of kinds that are known by a description, a folder or a program.

use super::fields::Fields;
use super::secret::secret;
use super::systems::{computed, deadline};
use crate::failure::Failure;
use jiff::SignedDuration;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tandem_connector::Connector;
use tandem_connector::program::{Program, ProgramConfig};
use tandem_merge::config::{Configuration, Connection, Problem};

/// Makes the connector to such a system ready.
pub(super) async fn connect(
    configuration: &Configuration,
    connection: &Connection,
    fields: &Fields,
) -> Result<Arc<dyn Connector>, Failure> {
    match connection.kind.as_str() {
        "program" => program(configuration, connection, fields).await,
        other => Err(Failure::usage(
            format!("no connector is called `{other}`"),
            "Write one of customerp, folder, program, rest, salesforce, sql after `kind:`",
        )),
    }
}

async fn program(
    configuration: &Configuration,
    connection: &Connection,
    fields: &Fields,
) -> Result<Arc<dyn Connector>, Failure> {
    /// A program that is silent for longer is taken for stuck.
    const DEADLINE: SignedDuration = SignedDuration::from_mins(1);
    let connector = Program::connect(ProgramConfig {
        name: connection.name.clone(),
        command: connection.command.clone(),
        folder: PathBuf::from(connection.folder.clone().unwrap_or_default()),
        secrets: secrets(connection)?,
        request_deadline: deadline(connection, DEADLINE),
        fields: fields.of_system(&connection.name),
        computed: computed(configuration, connection),
    });
    Ok(Arc::new(connector.await?))
}

/// All secrets of a connection, by name.
fn secrets(connection: &Connection) -> Result<BTreeMap<String, SecretString>, Failure> {
    let names = connection.secrets.keys();
    names
        .map(|name| Ok((name.clone(), secret(connection, name)?)))
        .collect()
}

/// Paths of the configuration's connections from the folder of its file, and what is wrong with what they lead to.
pub(super) fn resolve(configuration: &mut Configuration, folder: &Path) -> Vec<Problem> {
    let from_here = |path: &str| folder.join(path).display().to_string();
    for connection in &mut configuration.connections {
        connection.description = connection.description.as_deref().map(from_here);
        connection.folder = match (&connection.folder, connection.kind.as_str()) {
            (Some(own), _) => Some(from_here(own)),
            // A program is started beside the configuration.
            (None, "program") => Some(from_here(".")),
            (None, _) => None,
        };
    }
    Vec::new()
}
