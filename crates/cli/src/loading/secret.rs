//! Secrets, by reference to environment or file.

use crate::arguments::Common;
use crate::failure::Failure;
use secrecy::{ExposeSecret, SecretString};
use std::collections::HashMap;
use std::sync::Arc;
use tandem_console::access::{Person, Role, Token};
use tandem_ledger::{Home, Keys, Server};
use tandem_merge::config::{
    AlertSettings, Configuration, Connection, ConsolePerson, ConsoleRole, SecretReference, TraceSettings,
};
use tandem_seal::Seal;

/// The secret of that name of a connection.
pub(crate) fn secret(connection: &Connection, name: &str) -> Result<SecretString, Failure> {
    let system = &connection.name;
    let reference = connection.secrets.get(name).ok_or_else(|| {
        Failure::usage(
            format!("{system} has no secret `{name}`"),
            format!("Add `{name}: {{ env: NAME }}` under its `secrets:`"),
        )
    })?;
    resolved(reference, name, system)
}

/// The keys of the state.
pub(crate) fn keys(configuration: &Configuration) -> Result<Keys, Failure> {
    let one = |reference: &Option<SecretReference>, name: &str| -> Result<Option<Arc<Seal>>, Failure> {
        let Some(reference) = reference else {
            return Ok(None);
        };
        let text = resolved(reference, name, "the state")?;
        let seal = Seal::from_text(text.expose_secret()).map_err(|_| {
            Failure::usage(
                format!("the `{name}` of the state is not 32 bytes in base64"),
                "Make one with `openssl rand -base64 32`, and keep it where no backup of the state is",
            )
        })?;
        Ok(Some(Arc::new(seal)))
    };
    Ok(Keys {
        current: one(&configuration.state.key, "key")?,
        former: one(&configuration.state.former_key, "former_key")?,
    })
}

/// Characters of the shortest token.
const SHORTEST: usize = 12;

/// Who signs in to the console with a token.
pub(crate) fn console_tokens(configuration: &Configuration) -> Result<Vec<Token>, Failure> {
    let people = configuration.console.people.iter();
    let token = |one: &ConsolePerson| {
        let token = resolved(&one.token, "token", &one.name)?;
        Ok(Token {
            person: Person {
                name: one.name.clone(),
                role: role(one.role),
            },
            token: token.expose_secret().to_owned(),
        })
    };
    let tokens: Vec<Token> = people.map(token).collect::<Result<_, Failure>>()?;
    for (place, one) in tokens.iter().enumerate() {
        let name = &one.person.name;
        if one.token.chars().count() < SHORTEST {
            return Err(Failure::usage(
                format!("the `token` of {name} has fewer than {SHORTEST} characters"),
                "Make one that nobody guesses, such as with `openssl rand -base64 24`",
            ));
        }
        if let Some(other) = tokens[..place].iter().find(|other| other.token == one.token) {
            return Err(Failure::usage(
                format!("{name} and {} have the same `token`", other.person.name),
                "Give each a token of their own",
            ));
        }
    }
    Ok(tokens)
}

/// A role, as the console knows it.
pub(super) fn role(of: ConsoleRole) -> Role {
    match of {
        ConsoleRole::Viewer => Role::Viewer,
        ConsoleRole::Operator => Role::Operator,
        ConsoleRole::Admin => Role::Admin,
    }
}

/// Where alerts are posted.
pub(crate) fn alert_address(settings: &AlertSettings) -> Result<reqwest::Url, Failure> {
    let address = resolved(&settings.webhook, "webhook", "the alerts")?;
    let read = reqwest::Url::parse(address.expose_secret()).ok();
    let usable = read.filter(|url| matches!(url.scheme(), "http" | "https"));
    usable.ok_or_else(|| {
        Failure::usage(
            "the `webhook` of the alerts is no address",
            "Put an address there that begins with https:// (or http:// on this machine)",
        )
    })
}

/// What a collector of traces asks for with each request.
pub(crate) fn trace_headers(settings: &TraceSettings) -> Result<HashMap<String, String>, Failure> {
    let Some(reference) = &settings.headers else {
        return Ok(HashMap::new());
    };
    let text = resolved(reference, "headers", "the traces")?;
    let pairs = text.expose_secret().split(',');
    let pairs = pairs.map(|pair| {
        let (name, value) = pair.split_once('=')?;
        Some((name.trim().to_owned(), value.trim().to_owned()))
    });
    pairs.collect::<Option<_>>().ok_or_else(|| {
        Failure::usage(
            "the `headers` of the traces are none",
            "Write them as `name=value`, with commas between them",
        )
    })
}

/// Where the state is kept: on the server that the configuration names, else in the folder.
pub(crate) fn home(common: &Common, configuration: &Configuration) -> Result<Home, Failure> {
    let Some(named) = &configuration.state.server else {
        return Ok(Home::Folder(common.state_folder()));
    };
    let connection = resolved(&named.connection, "postgres", "the state")?;
    let server = Server::new(connection.expose_secret(), &named.schema).map_err(|why| {
        Failure::usage(
            format!("the `postgres` of the state is no connection string ({why})"),
            "Write it as `postgres://user:password@host/database`, or as `host=.. user=.. dbname=..`",
        )
    })?;
    Ok(Home::Server(server.with_files_in(common.state_folder())))
}

/// What stands where a reference leads to.
pub(super) fn resolved(
    reference: &SecretReference,
    name: &str,
    system: &str,
) -> Result<SecretString, Failure> {
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
