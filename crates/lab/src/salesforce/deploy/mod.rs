//! Deployments: the Metadata API's `deployRequest` and its SOAP calls.
//!
//! A deployment is carried out whole within the request that brings it, and told as pending there: its result is what
//! a client asks for next.

mod apply;
mod custom;
mod multipart;
mod package;
mod result;

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::api::{Call, Caller, Reply};
use super::fault::{Code, Fault, Outcome};
use super::id::RecordId;
use super::org::{Actor, Org};
use apply::Report;

/// What the ids of deployments begin with.
const PREFIX: &str = "0Af";

/// All deployments since the start, and what was deployed that is neither object nor field nor selection.
#[derive(Debug, Default)]
pub(crate) struct Deployments {
    list: Vec<Deployment>,
    permission_sets: BTreeSet<String>,
}

/// One deployment, at its end.
#[derive(Debug)]
struct Deployment {
    id: RecordId,
    user: RecordId,
    at: i64,
    options: DeployOptions,
    report: Report,
}

/// The documented options that matter here; others change nothing.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the documented options are yes and no"
)]
pub(crate) struct DeployOptions {
    /// What the package names need not be in it.
    pub(crate) allow_missing_files: bool,
    /// The deployment is judged and nothing of it is done.
    pub(crate) check_only: bool,
    /// Warnings let no deployment fail; the org has none.
    pub(crate) ignore_warnings: bool,
    /// All or nothing, as every deployment to the org is.
    pub(crate) rollback_on_error: bool,
}

/// Answers what lies at and below `/metadata/deployRequest`.
pub(crate) fn rest(org: &mut Org, caller: &Caller, call: &Call, rest: &[&str]) -> Outcome<Reply> {
    permit(caller.actor)?;
    let address = |id: RecordId| format!("{}/metadata/deployRequest/{id}", caller.base);
    match (call.method.as_str(), rest) {
        ("POST", []) => {
            let (options, zip) = multipart::read(call)?;
            let id = org.deploy(caller.actor, options, &zip);
            Ok(Reply::created(json!({
                "id": id.to_string(),
                "url": address(id),
                "validatedDeployRequestId": null,
                "deployOptions": {
                    "allowMissingFiles": options.allow_missing_files,
                    "checkOnly": options.check_only,
                    "ignoreWarnings": options.ignore_warnings,
                    "rollbackOnError": options.rollback_on_error,
                },
                "deployResult": org.pending(id)?,
            })))
        }
        ("GET" | "HEAD", [id]) => {
            let details = call.parameter("includeDetails") == Some("true");
            let result = org.deploy_result(id, details)?;
            let id = org.deployment(id)?.id;
            Ok(Reply::ok(
                json!({ "id": id.to_string(), "url": address(id), "deployResult": result }),
            ))
        }
        ("PATCH", [id]) => {
            org.deployment(id)?;
            Err(completed())
        }
        (method, []) => Err(Fault::method_not_allowed(method, "POST")),
        (method, [_]) => Err(Fault::method_not_allowed(method, "GET,PATCH")),
        _ => Err(Fault::not_found()),
    }
}

/// Whether the actor may use the Metadata API.
pub(crate) fn permit(actor: Actor) -> Outcome<()> {
    if actor.admin {
        return Ok(());
    }
    Err(Fault::new(
        Code::InsufficientMetadata,
        "use of the Metadata API requires a user with the ModifyAllData or ModifyMetadata permissions",
    ))
}

/// The refusal to cancel: deployments are at their end when they are known.
pub(crate) fn completed() -> Fault {
    Fault::new(
        Code::InvalidIdField,
        "Deployment already completed: it cannot be canceled any more",
    )
}

impl Org {
    /// Carries a deployment out, all or nothing, and keeps its result.
    pub(crate) fn deploy(&mut self, actor: Actor, options: DeployOptions, zip: &[u8]) -> RecordId {
        let report = apply::carry_out(self, options, zip);
        let number = u64::try_from(self.deployments.list.len()).unwrap_or(u64::MAX);
        let id = self.numbered(PREFIX, number.saturating_add(1));
        let at = self.now();
        self.deployments.list.push(Deployment {
            id,
            user: actor.user,
            at,
            options,
            report,
        });
        id
    }

    /// What a deployment came to.
    pub(crate) fn deploy_result(&self, id: &str, details: bool) -> Outcome<Json> {
        let deployment = self.deployment(id)?;
        let name = self.text_of(deployment.user, "Name").unwrap_or_default();
        Ok(result::told(deployment, &name, details))
    }

    fn pending(&self, id: RecordId) -> Outcome<Json> {
        let deployment = self.deployment(&id.to_string())?;
        Ok(result::pending(deployment))
    }

    fn deployment(&self, id: &str) -> Outcome<&Deployment> {
        let unknown = || {
            Fault::new(
                Code::InvalidCrossReferenceKey,
                format!("invalid cross reference id: {id}"),
            )
        };
        let id = RecordId::parse(id).map_err(|_| unknown())?;
        let mut list = self.deployments.list.iter();
        list.find(|deployment| deployment.id == id).ok_or_else(unknown)
    }
}
