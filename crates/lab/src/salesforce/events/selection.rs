//! Selecting objects for change events.

use super::avro::{self, entity_name, event_name};
use super::members::STANDARD;
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::id::RecordId;
use crate::salesforce::org::Org;

impl Org {
    /// Selects an object, called by its own name or by that of its events; `name` is the member's own.
    ///
    /// # Errors
    /// Where the object does not exist, has no events, is selected already, or is one too many.
    pub(crate) fn select_for_events(&mut self, asked: &str, name: Option<&str>) -> Outcome<RecordId> {
        let entity = match self.optional(asked) {
            Some(_) => asked.to_owned(),
            None => entity_name(asked).unwrap_or_else(|| asked.to_owned()),
        };
        let object = self.optional(&entity).map(|at| self.schema.object(at));
        let Some(object) = object.filter(|object| avro::has_events(object)) else {
            return Err(Fault::of_field(
                Code::InvalidPicklistValue,
                "SelectedEntity",
                format!(
                    "Selected Entity: bad value for restricted picklist field: {asked}: no object with change events is called so"
                ),
            ));
        };
        let entity = object.name.clone();
        // A developer name has no two underscores in a row.
        let own_name = || format!("{STANDARD}_{}", event_name(&entity)).replace("__", "_");
        let name = name.map_or_else(own_name, str::to_owned);
        let taken = self.events.members.selects(&entity)
            || self
                .events
                .members
                .list()
                .iter()
                .any(|member| member.name == name);
        if taken {
            return Err(Fault::new(
                Code::DuplicateValue,
                format!(
                    "duplicate value found: {entity} is already selected in the channel {STANDARD}, or {name} is taken"
                ),
            ));
        }
        let pod = self.pod;
        self.events.members.add(pod, name, entity.clone()).map_err(|_| {
            Fault::new(
                Code::LimitExceeded,
                format!(
                    "{entity} cannot be selected: without the add-on an org selects 5 entities for Change Data \
                     Capture over all channels; deselect another, or start the local org with `event_addon`"
                ),
            )
        })
    }
}
