//! `/services/Soap/u/{version}` and `/services/Soap/c/{version}`: the calls that have no REST resource, and some that do.

mod calls;
mod envelope;
mod metadata;

use axum::body::Body;
use axum::http::{Response, header};
use serde_json::Value as Json;

use super::api::{Call, versions};
use super::fault::{Code, Fault, Outcome};
use super::org::{Actor, Org, Origin};
use envelope::Service;

/// What every refused login is told.
const NO_LOGIN: &str = "SOAP API login() is disabled by default in this org. Contact the org administrator to enable SOAP API login().";

/// Answers a SOAP call: one API call.
pub(crate) fn answer(org: &mut Org, call: &Call) -> Response<Body> {
    let service = match call.path.get(2).map(String::as_str) {
        Some("c") => Service::Enterprise,
        Some("m") => Service::Metadata,
        _ => Service::Partner,
    };
    let answered = run(org, call, service);
    org.commit();
    let (status, text) = match answered {
        Ok(text) => (200, text),
        Err(fault) => (500, envelope::fault(service, &fault)),
    };
    let response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "text/xml;charset=UTF-8");
    response.body(Body::from(text)).unwrap_or_default()
}

fn run(org: &mut Org, call: &Call, service: Service) -> Outcome<String> {
    let parts: Vec<&str> = call.path.iter().skip(2).map(String::as_str).collect();
    let version = match parts.as_slice() {
        ["u" | "c" | "m", version] | ["u" | "c" | "m", version, _] => {
            version.strip_suffix(".0").unwrap_or(version)
        }
        _ => return Err(Fault::not_found()),
    };
    if !version
        .parse()
        .is_ok_and(|number: u32| versions(org).contains(&number))
    {
        return Err(Fault::new(
            Code::UnsupportedApiVersion,
            format!("Invalid Api version specified on URL: {version}"),
        ));
    }
    org.events
        .set_origin(format!("com/salesforce/api/soap/{version}.0;client="));
    if call.method != "POST" {
        return Err(Fault::method_not_allowed(&call.method, "POST"));
    }
    let request = envelope::read(&call.body)?;
    if request.call.name == "login" {
        return Err(Fault::new(Code::InvalidOperation, NO_LOGIN));
    }
    let session = request.session.as_deref().unwrap_or_default();
    let actor = caller(org, session)?;
    org.calls.count("soap", None)?;
    org.events
        .set_origin(format!("com/salesforce/api/soap/{version}.0;client="));
    let results: Vec<Json> = match service {
        Service::Metadata => metadata::run(org, actor, &request.call)?,
        _ => calls::run(org, actor, session, &request.call)?,
    };
    Ok(envelope::reply(
        service,
        &request.call.name,
        &results,
        org.calls.usage(),
    ))
}

fn caller(org: &Org, session: &str) -> Outcome<Actor> {
    let user = org.sessions.user(session, org.now());
    let user = user.filter(|user| org.is_active(*user)).ok_or_else(|| {
        Fault::new(
            Code::InvalidSession,
            "Invalid Session ID found in SessionHeader: Illegal Session. Session not found, missing session hash",
        )
    })?;
    Ok(org.actor(user, Origin::Api))
}
