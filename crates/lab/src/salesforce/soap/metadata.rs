//! The calls of the Metadata API, at `/services/Soap/m/{version}`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use super::envelope::Element;
use crate::salesforce::deploy::{self, DeployOptions};
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::org::{Actor, Org};

/// Carries out a call: the `result` element of its reply.
pub(super) fn run(org: &mut Org, actor: Actor, call: &Element) -> Outcome<Vec<Json>> {
    deploy::permit(actor)?;
    match call.name.as_str() {
        "deploy" => {
            let zip = call.text_of("ZipFile").replace(char::is_whitespace, "");
            let zip = STANDARD
                .decode(zip)
                .map_err(|error| Fault::new(Code::InvalidInput, format!("ZipFile is not base64: {error}")))?;
            let id = org.deploy(actor, options(call.child("DeployOptions")), &zip);
            Ok(vec![
                json!({ "done": false, "id": id.to_string(), "state": "Queued" }),
            ])
        }
        "checkDeployStatus" => {
            let details = call.text_of("includeDetails") == "true";
            Ok(vec![org.deploy_result(call.text_of("asyncProcessId"), details)?])
        }
        "cancelDeploy" => Err(deploy::completed()),
        other => Err(Fault::new(
            Code::NotImplemented,
            format!("the local org does not answer {other} of the Metadata API: see docs/local-org.md"),
        )),
    }
}

fn options(given: Option<&Element>) -> DeployOptions {
    let is = |name: &str| given.is_some_and(|options| options.text_of(name) == "true");
    DeployOptions {
        allow_missing_files: is("allowMissingFiles"),
        check_only: is("checkOnly"),
        ignore_warnings: is("ignoreWarnings"),
        rollback_on_error: is("rollbackOnError"),
    }
}
