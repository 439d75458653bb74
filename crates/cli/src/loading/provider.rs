//! The provider that people sign in to the console with.

use super::secret::{resolved, role};
use crate::failure::Failure;
use jiff::SignedDuration;
use secrecy::ExposeSecret;
use std::time::Duration;
use tandem_console::provider::{Mark, Provider, Settings};
use tandem_merge::config::{Configuration, ConsoleMark, ConsoleProvider};

/// The longest that a provider may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The provider that people sign in with, where the configuration names one. It is not asked for anything yet.
pub(crate) fn console_provider(configuration: &Configuration) -> Result<Option<Provider>, Failure> {
    let Some(named) = &configuration.console.sign_in else {
        return Ok(None);
    };
    let secret = named.client_secret.as_ref();
    let secret = secret.map(|reference| resolved(reference, "client_secret", "the console's provider"));
    let mark = |mark: &ConsoleMark| match mark {
        ConsoleMark::Group(group) => Mark::Group(group.clone()),
        ConsoleMark::Email(email) => Mark::Email(email.clone()),
    };
    let roles = named.roles.iter().map(|(given, to)| (mark(given), role(*to)));
    let settings = Settings {
        issuer: named.issuer.clone(),
        called: named.called.clone(),
        client_id: named.client_id.clone(),
        client_secret: secret
            .transpose()?
            .map(|secret| secret.expose_secret().to_owned()),
        reached_at: named.reached_at.clone(),
        scopes: named.scopes.clone(),
        groups_claim: named.groups_claim.clone(),
        roles: roles.collect(),
        session: SignedDuration::from_millis(named.session_ms),
    };
    Ok(Some(Provider::new(settings, client(named)?)))
}

fn client(named: &ConsoleProvider) -> Result<reqwest::Client, Failure> {
    let unfit = |why: String| {
        Failure::usage(
            format!("the provider of the console cannot be asked ({why})"),
            "Name a PEM file with `certificate_authority:`, or leave it out",
        )
    };
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("tandem/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE);
    if let Some(path) = &named.certificate_authority {
        let pem = std::fs::read(path).map_err(|error| unfit(format!("{path} cannot be read: {error}")))?;
        let read = reqwest::Certificate::from_pem_bundle(&pem)
            .ok()
            .filter(|read| !read.is_empty());
        let read = read.ok_or_else(|| unfit(format!("{path} holds no certificate")))?;
        builder = builder.tls_certs_only(read);
    }
    builder
        .build()
        .map_err(|error| unfit(error.without_url().to_string()))
}
