//! Secrets, by reference to environment or file.

use crate::failure::Failure;
use secrecy::SecretString;
use tandem_merge::config::{Connection, SecretReference};

/// The secret of that name of a connection.
pub(crate) fn secret(connection: &Connection, name: &str) -> Result<SecretString, Failure> {
    let system = &connection.name;
    let reference = connection.secrets.get(name).ok_or_else(|| {
        Failure::usage(
            format!("{system} has no secret `{name}`"),
            format!("Add `{name}: {{ env: NAME }}` under its `secrets:`"),
        )
    })?;
    let text = match reference {
        SecretReference::Env(variable) => std::env::var(variable).map_err(|_| {
            Failure::usage(
                format!("the environment variable {variable} with the `{name}` of {system} is not set"),
                format!("Set {variable}, or name another place in the configuration"),
            )
        })?,
        SecretReference::File(path) => std::fs::read_to_string(path).map_err(|error| {
            Failure::usage(
                format!("the file {path} with the `{name}` of {system} cannot be read ({error})"),
                "Write the secret there, or name another place in the configuration",
            )
        })?,
    };
    let text = text.trim();
    if text.is_empty() {
        return Err(Failure::usage(
            format!("the `{name}` of {system} is empty"),
            "Put the secret where the configuration says",
        ));
    }
    Ok(SecretString::from(text.to_owned()))
}
