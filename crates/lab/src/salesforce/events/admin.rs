//! What a tester may look at and ask for: `/_local/events`.

use serde_json::{Map, Value as Json, json};

use super::capture::event;
use super::event::{ChangeType, Event};
use crate::salesforce::api::Call;
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::id::RecordId;
use crate::salesforce::org::Org;

/// Answers `/_local/events`.
pub(crate) fn local(org: &mut Org, call: &Call) -> Outcome<Json> {
    match call.method.as_str() {
        "GET" => {}
        "POST" => change(org, &call.object()?)?,
        "DELETE" => org.events.log.clear(),
        method => return Err(Fault::method_not_allowed(method, "GET,POST,DELETE")),
    }
    Ok(report(org))
}

fn report(org: &mut Org) -> Json {
    let now = org.now();
    org.events.log.expire(now);
    let delivered = org.events.allowance.used(now);
    let selected = org
        .events
        .members
        .list()
        .iter()
        .map(|member| member.entity.clone());
    json!({
        "allowed": org.events.allowance.allowed(),
        "delivered": delivered,
        "kept": org.events.log.len(),
        "selected": selected.collect::<Vec<String>>(),
        // The org itself listens too.
        "subscribers": org.events.news.receiver_count(),
    })
}

fn bad(text: impl Into<String>) -> Fault {
    Fault::new(Code::JsonParser, text)
}

fn change(org: &mut Org, body: &Map<String, Json>) -> Outcome<()> {
    if let Some(allowed) = body.get("allowed") {
        let allowed = allowed
            .as_u64()
            .ok_or_else(|| bad("allowed has to be a whole number"))?;
        org.events.allowance.allow(allowed);
    }
    if body.get("new_day") == Some(&Json::Bool(true)) {
        org.events.allowance.reset();
    }
    let Some(gap) = body.get("gap") else { return Ok(()) };
    let gap = gap.as_str().and_then(ChangeType::named);
    let gap = gap.ok_or_else(|| bad("gap has to be a change type such as GAP_UPDATE or GAP_OVERFLOW"))?;
    let object = body.get("object").and_then(Json::as_str);
    let object = object.ok_or_else(|| bad("object has to be the name of a selected object"))?;
    let ids = body
        .get("ids")
        .and_then(Json::as_array)
        .cloned()
        .unwrap_or_default();
    let ids: Option<Vec<RecordId>> = ids
        .iter()
        .map(|id| id.as_str().and_then(|id| RecordId::parse(id).ok()))
        .collect();
    let ids = ids.ok_or_else(|| bad("ids has to be a list of record ids"))?;
    org.emit_gap(gap, object, ids)
}

impl Org {
    /// Tells subscribers that something changed and not what: `ids` for a gap, none for an overflow.
    ///
    /// # Errors
    /// Where the object is not selected for events, the type is no gap, or records are missing or too many.
    pub(crate) fn emit_gap(&mut self, change: ChangeType, object: &str, ids: Vec<RecordId>) -> Outcome<()> {
        let fits = match change {
            ChangeType::GapOverflow => ids.is_empty(),
            ChangeType::GapCreate
            | ChangeType::GapUpdate
            | ChangeType::GapDelete
            | ChangeType::GapUndelete => !ids.is_empty(),
            _ => false,
        };
        if !fits {
            return Err(bad(
                "a gap names records, an overflow none, and nothing else can be asked for",
            ));
        }
        let schema = std::sync::Arc::clone(&self.schema);
        let commit = self.events.begin(&schema, self.now_milliseconds());
        let user = self.people().first().map_or(RecordId::MIN, |(id, _)| *id);
        let made = self.object_named(object).ok().and_then(|at| {
            let schema = self.event_schema(at)?;
            Some(Event {
                records: ids,
                ..event(schema, &commit, change, user)
            })
        });
        let made = made.ok_or_else(|| bad(format!("{object} is not selected for change events")))?;
        let now = self.now();
        self.events.publish(now, vec![made]);
        Ok(())
    }
}
