//! A deployment's result, in the documented shape.

use serde_json::{Value as Json, json};

use super::Deployment;
use super::apply::{Fate, Message};
use crate::salesforce::value::moment_text;

/// What is told when a deployment was taken, and nothing of it is known yet.
pub(super) fn pending(deployment: &Deployment) -> Json {
    let options = &deployment.options;
    json!({
        "checkOnly": options.check_only,
        "ignoreWarnings": options.ignore_warnings,
        "rollbackOnError": options.rollback_on_error,
        "status": "Pending",
        "done": false,
        "success": false,
        "numberComponentsDeployed": 0,
        "numberComponentsTotal": 0,
        "numberComponentErrors": 0,
        "numberTestsCompleted": 0,
        "numberTestsTotal": 0,
        "numberTestErrors": 0,
        "runTestsEnabled": false,
    })
}

/// The result; `details` adds what became of every component. `name` is the user's.
pub(super) fn told(deployment: &Deployment, name: &str, details: bool) -> Json {
    let report = &deployment.report;
    let (all, errors) = (report.messages.len(), report.errors());
    let succeeded = report.succeeded();
    // All or nothing: where one is refused none is deployed.
    let deployed = if succeeded { all } else { 0 };
    let at = moment_text(deployment.at);
    let mut told = pending(deployment);
    let end = json!({
        "id": deployment.id.to_string(),
        "status": if succeeded { "Succeeded" } else { "Failed" },
        "done": true,
        "success": succeeded,
        "numberComponentsDeployed": deployed,
        "numberComponentsTotal": all,
        "numberComponentErrors": errors,
        "createdBy": deployment.user.to_string(),
        "createdByName": name,
        "createdDate": at,
        "startDate": at,
        "completedDate": at,
        "lastModifiedDate": at,
    });
    merge(&mut told, end);
    if let Some((code, text)) = &report.error {
        merge(
            &mut told,
            json!({ "errorStatusCode": code, "errorMessage": text }),
        );
    }
    if details {
        let listed = |refused: bool| {
            let list = report.messages.iter();
            let list = list.filter(|one| matches!(one.fate, Fate::Refused(_)) == refused);
            list.map(|one| message(one, deployment, &at))
                .collect::<Vec<Json>>()
        };
        let tests = json!({ "numFailures": 0, "numTestsRun": 0, "totalTime": 0.0 });
        let details = json!({
            "componentFailures": listed(true),
            "componentSuccesses": listed(false),
            "runTestResult": tests,
        });
        merge(&mut told, json!({ "details": details }));
    }
    told
}

fn merge(told: &mut Json, more: Json) {
    if let (Json::Object(told), Json::Object(more)) = (told, more) {
        told.extend(more);
    }
}

fn message(message: &Message, deployment: &Deployment, at: &str) -> Json {
    let done = deployment.report.succeeded() && !deployment.options.check_only;
    let created = message.fate == Fate::Created;
    let mut told = json!({
        "changed": created && done,
        "componentType": message.kind,
        "created": created && done,
        "createdDate": at,
        "deleted": false,
        "fileName": message.file,
        "fullName": message.name,
        "success": true,
        "warning": false,
    });
    if let Fate::Refused(problem) = &message.fate {
        let (line, column) = message.place;
        merge(
            &mut told,
            json!({
                "success": false,
                "problem": problem,
                "problemType": "Error",
                "lineNumber": line,
                "columnNumber": column,
            }),
        );
    }
    told
}
