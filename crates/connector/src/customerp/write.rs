//! Writes to a Customerp, one call each: it has no collections.

use super::{Customerp, refusal};
use crate::http::{Failure, Reply, Request, json};
use crate::{Change, Error, Outcome, Write};
use reqwest::Method;
use serde_json::{Map, Value as Json};
use tandem_merge::record::{Presence, RecordKey, RecordType, Values, Version};

/// Carries out one write.
pub(super) async fn carry_out(erp: &Customerp, write: &Write) -> Outcome {
    let prepared = match prepare(erp, write).await {
        Ok(prepared) => prepared,
        Err(error) => return Outcome::NotSent(error),
    };
    match erp.send(prepared).await {
        Ok(reply) if reply.is_success() => applied(erp, write, &reply).await,
        Ok(reply) => {
            let creates = matches!(write.change, Change::Create { .. });
            refusal::outcome(&erp.http, &reply, creates)
        }
        Err(Failure::NotSent(error)) => Outcome::NotSent(error),
        Err(Failure::Lost(error)) => Outcome::Unknown(error.message),
    }
}

/// The request of a write. Each is repeatable: a create by its key, the others by their condition.
async fn prepare(erp: &Customerp, write: &Write) -> Result<Request, Error> {
    let request = match &write.change {
        Change::Create { record_type, values } => {
            let served = erp.served(record_type).await?;
            Request::new(Method::POST, format!("/{}", served.schema.object))
                .header("idempotency-key", &write.key)
                .json(&encoded(values))
                .repeatable()
        }
        Change::Update {
            record,
            values,
            only_if,
        } => {
            let request = conditional(erp, Method::PATCH, record, only_if.as_ref()).await?;
            request.json(&encoded(values))
        }
        Change::Delete { record, only_if } => {
            conditional(erp, Method::DELETE, record, only_if.as_ref()).await?
        }
    };
    Ok(request)
}

async fn conditional(
    erp: &Customerp,
    method: Method,
    record: &RecordKey,
    only_if: Option<&Version>,
) -> Result<Request, Error> {
    let served = erp.served(&record.record_type).await?;
    let mut target = format!("/{}/", served.schema.object);
    target.extend(url::form_urlencoded::byte_serialize(record.id.as_bytes()));
    let request = Request::new(method, target);
    Ok(match only_if {
        Some(version) => request.header("if-match", &version.token).repeatable(),
        None => request.header("if-match", "*"),
    })
}

fn encoded(values: &Values) -> Json {
    let members = values
        .iter()
        .map(|(name, value)| (name.clone(), json::encode(value)));
    Json::Object(members.collect::<Map<_, _>>())
}

fn subject(write: &Write) -> &RecordType {
    match &write.change {
        Change::Create { record_type, .. } => record_type,
        Change::Update { record, .. } | Change::Delete { record, .. } => &record.record_type,
    }
}

async fn applied(erp: &Customerp, write: &Write, reply: &Reply) -> Outcome {
    if let Change::Delete { record, .. } = &write.change {
        return Outcome::Applied {
            id: record.id.clone(),
            state: None,
        };
    }
    let body = reply.json();
    let shown = match erp.served(subject(write)).await {
        Ok(served) => erp.item(&served, &body, reply),
        Err(error) => return Outcome::Unknown(error.message),
    };
    match shown {
        Some(state) => Outcome::Applied {
            id: state.key.id.clone(),
            // Where the answer cannot be read, only another read can tell how the record stands now.
            state: (state.presence == Presence::Alive).then(|| Box::new(state)),
        },
        // It was carried out, but which record that made only a read can tell.
        None => Outcome::Unknown("the answer does not name the record".to_owned()),
    }
}
