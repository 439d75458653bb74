//! The connectors to the two systems.

use super::fields::Fields;
use super::proven::Proofs;
use super::secret::{resolved, secret};
use super::{kinds, leaving};
use crate::failure::Failure;
use jiff::SignedDuration;
use secrecy::ExposeSecret;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
#[cfg(feature = "lab")]
use tandem_connector::rest;
use tandem_connector::salesforce::{Bulk, Salesforce, SalesforceConfig, Share, SignIn, Watch, Writes};
use tandem_connector::webhook::Webhook;
use tandem_connector::{Beside, Connector, is_loopback};
use tandem_merge::computed::Computation;
use tandem_merge::config::{Configuration, Connection, SecretReference};
use tandem_merge::dataflow::Dataflow;
#[cfg(feature = "lab")]
use tandem_merge::record::RecordType;
use tandem_seal::Files;
use url::Url;

/// Makes both connectors ready; nothing is sent yet. `folder`: the state's, for what is on its way in bulk;
/// without one nothing travels so.
pub(crate) async fn connect(
    configuration: &Configuration,
    folder: Option<&Path>,
) -> Result<[Arc<dyn Connector>; 2], Failure> {
    let fields = Fields::of(&configuration.dataflow);
    let [first, second] = &configuration.connections;
    Ok([
        one(configuration, first, &fields, folder).await?,
        one(configuration, second, &fields, folder).await?,
    ])
}

async fn one(
    configuration: &Configuration,
    connection: &Connection,
    fields: &Fields,
    folder: Option<&Path>,
) -> Result<Arc<dyn Connector>, Failure> {
    let proofs = folder.filter(|_| connection.is_described());
    let proofs = proofs.map(|folder| Proofs::of(folder, connection));
    let connector = match connection.kind.as_str() {
        #[cfg(feature = "lab")]
        "customerp" => customerp(configuration, connection, fields)?,
        #[cfg(not(feature = "lab"))]
        "customerp" => {
            return Err(Failure::usage(
                format!(
                    "{}: the local Customerp is no part of this program",
                    connection.name
                ),
                "Write `kind: rest` with `description:` and the path of its description",
            ));
        }
        "salesforce" => salesforce(configuration, connection, fields, folder)?,
        _ => kinds::connect(configuration, connection, fields, proofs.as_ref()).await?,
    };
    let reliable = proofs.and_then(|proofs| proofs.reliable(connector.capabilities()));
    let beside = Beside::new(connector).relying_on(reliable);
    let webhook = webhook(configuration, connection)?;
    let connector: Arc<dyn Connector> = Arc::new(beside.told_by(webhook));
    if connection.is_described() {
        leaving::opened(&connector).await;
    }
    Ok(connector)
}

/// What takes the messages by which a system tells of changes.
fn webhook(configuration: &Configuration, connection: &Connection) -> Result<Option<Arc<Webhook>>, Failure> {
    let Some(of) = &connection.webhook else {
        return Ok(None);
    };
    let secret = resolved(
        &of.secret,
        "secret",
        &format!("the webhooks of {}", connection.name),
    )?;
    let ends = configuration.dataflow.flows.iter().flat_map(|flow| &flow.ends);
    let types = ends
        .map(|end| &end.record_type)
        .filter(|of| of.system == connection.name);
    let taken = Webhook::new(
        &connection.name,
        of,
        secret.expose_secret(),
        types.cloned().collect(),
    );
    let taken = taken.map_err(|what| {
        let advice = "Correct `webhooks:` there; `openssl rand -base64 32` makes a secret for both sides";
        Failure::usage(format!("{}: {what}", connection.name), advice)
    })?;
    Ok(Some(Arc::new(taken)))
}

/// The local Customerp, by the description that comes with the program.
#[cfg(feature = "lab")]
fn customerp(
    configuration: &Configuration,
    connection: &Connection,
    fields: &Fields,
) -> Result<Arc<dyn Connector>, Failure> {
    /// What the ERP declares where the configuration says nothing.
    const DEADLINE: SignedDuration = SignedDuration::from_secs(5);
    const DESCRIPTION: &str = include_str!("../../../../examples/customerp-rest/customerp.yaml");
    let description =
        rest::Description::read("customerp.yaml", DESCRIPTION).map_err(Failure::Configuration)?;
    kinds::described_rest(configuration, connection, fields, description, DEADLINE)
}

/// What is computed out of a system's properties, by record type and name.
pub(super) fn computed(
    configuration: &Configuration,
    connection: &Connection,
) -> BTreeMap<String, BTreeMap<String, Computation>> {
    let all = tandem_merge::computed::of_types(&configuration.dataflow).into_iter();
    let own = all.filter(|(of, _)| of.system == connection.name);
    own.map(|(of, rules)| (of.name.clone(), rules)).collect()
}

fn salesforce(
    configuration: &Configuration,
    connection: &Connection,
    fields: &Fields,
    folder: Option<&Path>,
) -> Result<Arc<dyn Connector>, Failure> {
    /// A transaction of Salesforce ends after ten minutes at the latest.
    const DEADLINE: SignedDuration = SignedDuration::from_mins(10);
    let connector = Salesforce::connect(SalesforceConfig {
        name: connection.name.clone(),
        url: address(connection)?,
        sign_in: sign_in(connection)?,
        certificate_authority: authority(connection)?,
        share: share(connection),
        api_version: SalesforceConfig::API_VERSION.to_owned(),
        request_deadline: deadline(connection, DEADLINE),
        overlap: SignedDuration::from_millis(connection.overlap_ms),
        bindings: objects(&configuration.dataflow, &connection.name),
        fields: fields.of_system(&connection.name),
        writes: writes(configuration, connection, folder)?,
        watch: watch(connection)?,
    })?;
    Ok(Arc::new(match &connection.users {
        Some(users) => connector.with_user_reserve(u32::try_from(users.free_licences).unwrap_or(u32::MAX)),
        None => connector,
    }))
}

/// How writes to an org travel.
fn writes(
    configuration: &Configuration,
    connection: &Connection,
    folder: Option<&Path>,
) -> Result<Writes, Failure> {
    let keys = super::keys(configuration)?;
    let above = usize::try_from(connection.writes.bulk_above).ok();
    let bulk = folder.map(|folder| Bulk {
        above: above.filter(|above| *above > 0),
        query_above: None,
        job_bytes: None,
        folder: folder.join("bulk").join(&connection.name),
        files: Files::new(keys.current.clone(), keys.former.clone()),
    });
    Ok(Writes {
        throughput: connection.writes.throughput,
        bulk,
    })
}

/// How changes of an org are seen.
fn watch(connection: &Connection) -> Result<Watch, Failure> {
    let changes = &connection.changes;
    // A local org is on its own: nothing of it is known at Salesforce's address.
    let usual = (!is_loopback(&address(connection)?)).then_some(tandem_connector::salesforce::EVENTS);
    let parsed = |written: &str| {
        let url = Url::parse(written);
        url.map_err(|error| {
            let what = format!("`{written}` is no address ({error})");
            let how = format!(
                "Write `changes: {{ pubsub: https://... }}` for {}",
                connection.name
            );
            Failure::usage(what, how)
        })
    };
    Ok(Watch {
        events: changes.events.clone(),
        pubsub: changes.pubsub.as_deref().or(usual).map(parsed).transpose()?,
        poll: SignedDuration::from_millis(changes.poll_ms),
        compare_every: SignedDuration::from_millis(changes.compare_every_ms),
    })
}

/// How to sign in, with its secrets.
fn sign_in(connection: &Connection) -> Result<SignIn, Failure> {
    let client_id = secret(connection, "client_id")?.expose_secret().to_owned();
    Ok(match connection.sign_in.as_str() {
        "jwt-bearer" => SignIn::JwtBearer {
            client_id,
            user: connection.user.clone().unwrap_or_default(),
            private_key: secret(connection, "private_key")?,
        },
        "refresh-token" => SignIn::RefreshToken {
            client_id,
            client_secret: match connection.secrets.contains_key("client_secret") {
                true => Some(secret(connection, "client_secret")?),
                false => None,
            },
            file: match connection.secrets.get("refresh_token") {
                Some(SecretReference::File(path)) => path.into(),
                _ => {
                    return Err(Failure::usage(
                        format!("{} has no file with a refresh token", connection.name),
                        "Add `refresh_token: { file: PATH }` under its `secrets:`",
                    ));
                }
            },
        },
        _ => SignIn::ClientCredentials {
            client_id,
            client_secret: secret(connection, "client_secret")?,
        },
    })
}

/// The certificates of the system's authority, where the configuration names any.
pub(super) fn authority(connection: &Connection) -> Result<Option<Vec<u8>>, Failure> {
    let Some(path) = &connection.certificate_authority else {
        return Ok(None);
    };
    std::fs::read(path).map(Some).map_err(|error| {
        Failure::usage(
            format!(
                "the certificate authority {path} of {} cannot be read ({error})",
                connection.name
            ),
            "Name a PEM file with `certificate_authority:`, or leave it out",
        )
    })
}

/// How much of the day may be used; pauses are no longer than the time between two questions for changes.
fn share(connection: &Connection) -> Share {
    let usual = Share::default();
    Share {
        percent: connection.budget.map_or(usual.percent, |budget| budget.share),
        live_reserve: connection
            .budget
            .map_or(usual.live_reserve, |budget| budget.live_reserve),
        longest_pause: SignedDuration::from_millis(connection.poll_ms),
    }
}

/// The objects that serve the record types of a system.
fn objects(flows: &Dataflow, system: &str) -> BTreeMap<String, String> {
    let ends = flows.flows.iter().flat_map(|flow| flow.ends.iter());
    let ends = ends.filter(|end| end.record_type.system == system);
    ends.map(|end| (end.record_type.name.clone(), end.object.clone()))
        .collect()
}

/// The collection that serves a record type of a Customerp: as bound, else the type's plural.
#[cfg(feature = "lab")]
pub(crate) fn collection(configuration: &Configuration, record_type: &RecordType) -> String {
    let systems = &configuration.dataflow.systems;
    let at = systems.iter().position(|name| *name == record_type.system);
    let bound = configuration.bindings[at.unwrap_or_default()].get(&record_type.name);
    bound.cloned().unwrap_or_else(|| plural(&record_type.name))
}

/// `OrderLine` as `order-lines`.
#[cfg(feature = "lab")]
fn plural(name: &str) -> String {
    let mut plural = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !plural.is_empty() {
            plural.push('-');
        }
        plural.extend(letter.to_lowercase());
    }
    plural + "s"
}

pub(super) fn deadline(connection: &Connection, usual: SignedDuration) -> SignedDuration {
    connection
        .request_deadline_ms
        .map_or(usual, SignedDuration::from_millis)
}

pub(super) fn address(connection: &Connection) -> Result<Url, Failure> {
    Url::parse(&connection.url).map_err(|error| {
        Failure::usage(
            format!("`{}` is no address ({error})", connection.url),
            format!("Write `url: https://...` for {}", connection.name),
        )
    })
}
