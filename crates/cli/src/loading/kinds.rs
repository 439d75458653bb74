//! Systems of kinds that are known by a description, a folder or a program.

use super::fields::Fields;
use super::proven::Proofs;
use super::secret::secret;
use super::systems::{address, authority, computed, deadline};
use crate::failure::Failure;
use jiff::SignedDuration;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tandem_connector::Connector;
use tandem_connector::folder::{self, Folder, FolderConfig};
use tandem_connector::program::{Program, ProgramConfig};
use tandem_connector::rest::{self, Rest, RestConfig};
use tandem_connector::sql::{self, Sql, SqlConfig};
use tandem_merge::config::{Configuration, Connection, Problem};
use tandem_seal::Files;

/// Makes the connector to such a system ready.
pub(super) async fn connect(
    configuration: &Configuration,
    connection: &Connection,
    fields: &Fields,
    proofs: Option<&Proofs>,
) -> Result<Arc<dyn Connector>, Failure> {
    match connection.kind.as_str() {
        "rest" => rest(configuration, connection, fields, proofs),
        "sql" => sql(configuration, connection, fields),
        "folder" => folder(configuration, connection, fields),
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

fn rest(
    configuration: &Configuration,
    connection: &Connection,
    fields: &Fields,
    proofs: Option<&Proofs>,
) -> Result<Arc<dyn Connector>, Failure> {
    /// Servers and what stands before them give up after that.
    const DEADLINE: SignedDuration = SignedDuration::from_mins(1);
    let mut description = described(connection, rest::Description::read)?;
    if let Some(proofs) = proofs {
        let all = description.record_types().map(str::to_owned).collect();
        let [find, changes] = proofs.pretended(all);
        description = description.without(&find, &changes);
    }
    described_rest(configuration, connection, fields, description, DEADLINE)
}

/// An ERP whose interface is described.
pub(super) fn described_rest(
    configuration: &Configuration,
    connection: &Connection,
    fields: &Fields,
    description: rest::Description,
    usual: SignedDuration,
) -> Result<Arc<dyn Connector>, Failure> {
    let usual = description.request_deadline().unwrap_or(usual);
    let connector = Rest::connect(RestConfig {
        name: connection.name.clone(),
        url: address(connection)?,
        certificate_authority: authority(connection)?,
        description: Arc::new(description),
        secrets: secrets(connection)?,
        keep: keep(configuration, connection)?,
        request_deadline: deadline(connection, usual),
        overlap: SignedDuration::from_millis(connection.overlap_ms),
        fields: fields.of_system(&connection.name),
        computed: computed(configuration, connection),
    })?;
    Ok(Arc::new(connector))
}

/// Where is kept what the next process signs in with: sealed where the state is.
fn keep(configuration: &Configuration, connection: &Connection) -> Result<Option<rest::Keep>, Failure> {
    let Some(folder) = &connection.keep else {
        return Ok(None);
    };
    let keys = super::keys(configuration)?;
    Ok(Some(rest::Keep {
        folder: folder.into(),
        files: Files::new(keys.current, keys.former),
    }))
}

fn sql(
    configuration: &Configuration,
    connection: &Connection,
    fields: &Fields,
) -> Result<Arc<dyn Connector>, Failure> {
    /// A statement that takes longer is ended.
    const DEADLINE: SignedDuration = SignedDuration::from_mins(1);
    let mut secrets = secrets(connection)?;
    let connector = Sql::connect(SqlConfig {
        name: connection.name.clone(),
        url: connection.url.clone(),
        user: secrets.remove("user"),
        password: secrets.remove("password"),
        certificate_authority: authority(connection)?,
        description: described(connection, sql::Description::read)?,
        request_deadline: deadline(connection, DEADLINE),
        overlap: SignedDuration::from_millis(connection.overlap_ms),
        read_only: connection.read_only,
        fields: fields.of_system(&connection.name),
        computed: computed(configuration, connection),
    })?;
    Ok(Arc::new(connector))
}

fn folder(
    configuration: &Configuration,
    connection: &Connection,
    fields: &Fields,
) -> Result<Arc<dyn Connector>, Failure> {
    Ok(Arc::new(Folder::connect(FolderConfig {
        name: connection.name.clone(),
        folder: PathBuf::from(connection.folder.clone().unwrap_or_default()),
        description: described(connection, folder::Description::read)?,
        read_only: connection.read_only,
        fields: fields.of_system(&connection.name),
        computed: computed(configuration, connection),
    })))
}

/// The SQL of a change table that triggers fill, for the system that is a database.
pub(crate) fn sql_triggers(configuration: &Configuration) -> Result<String, Failure> {
    let mut connections = configuration.connections.iter();
    let Some(connection) = connections.find(|connection| connection.kind == "sql") else {
        return Err(Failure::usage(
            "neither system is a database",
            "Name a configuration that has one with `kind: sql` with --config",
        ));
    };
    let dialect = match connection.url.split(':').next() {
        Some("sqlite") => sql::Dialect::Sqlite,
        Some("mysql" | "mariadb") => sql::Dialect::Mysql,
        Some("mssql" | "sqlserver") => sql::Dialect::Mssql,
        _ => sql::Dialect::Postgres,
    };
    Ok(sql::triggers(
        &described(connection, sql::Description::read)?,
        dialect,
    ))
}

/// The description of a connection, as its kind reads it.
fn described<T>(
    connection: &Connection,
    read: fn(&str, &str) -> Result<T, Vec<Problem>>,
) -> Result<T, Failure> {
    let file = connection.description.as_deref().unwrap_or_default();
    let text = std::fs::read_to_string(file).map_err(|error| {
        let what = format!(
            "{file}, the description of {}, cannot be read ({error})",
            connection.name
        );
        Failure::usage(what, "Correct `description:` in the configuration")
    })?;
    read(file, &text).map_err(Failure::Configuration)
}

/// All secrets of a connection, by name.
fn secrets(connection: &Connection) -> Result<BTreeMap<String, SecretString>, Failure> {
    let names = connection.secrets.keys();
    names
        .map(|name| Ok((name.clone(), secret(connection, name)?)))
        .collect()
}

/// Paths of the configuration's connections from the folder of its file, after a look at the descriptions that are there.
pub(super) fn resolve(configuration: &mut Configuration, folder: &Path) -> Result<(), Failure> {
    let from_here = |path: &str| folder.join(path).display().to_string();
    let mut problems = Vec::new();
    for connection in &mut configuration.connections {
        connection.description = connection.description.as_deref().map(from_here);
        if let Some(path) = connection.url.strip_prefix("sqlite:") {
            connection.url = format!("sqlite:{}", from_here(path));
        }
        connection.folder = match (&connection.folder, connection.kind.as_str()) {
            (Some(own), _) => Some(from_here(own)),
            // A program is started beside the configuration.
            (None, "program") => Some(from_here(".")),
            (None, _) => None,
        };
        let looked = match connection.kind.as_str() {
            "rest" => described(connection, rest::Description::read).map(drop),
            "sql" => described(connection, sql::Description::read).map(drop),
            "folder" => described(connection, folder::Description::read).map(drop),
            _ => Ok(()),
        };
        match looked {
            Err(Failure::Configuration(found)) => problems.extend(found),
            other => other?,
        }
    }
    match problems.is_empty() {
        true => Ok(()),
        false => Err(Failure::Configuration(problems)),
    }
}
