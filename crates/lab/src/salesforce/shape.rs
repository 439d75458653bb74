//! The org's shape while it runs: changes of its objects and fields, and which fields a profile may see and write.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::fault::{Code, Fault, Outcome};
use super::id::RecordId;
use super::org::{Actor, Org};
use super::schema::{FieldIndex, ObjectIndex, Schema, SchemaChange};

/// What a profile may do with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldAccess {
    /// Whatever the field allows.
    Visible,
    /// To read it.
    ReadOnly,
    /// Nothing: to the profile's users there is no such field.
    Hidden,
}

/// One line of field-level security.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldSecurity {
    /// The profile's name; none: every profile.
    #[serde(default)]
    pub profile: Option<String>,
    /// The object's name.
    pub object: String,
    /// The field's name.
    pub field: String,
    /// What the profile may do.
    pub access: FieldAccess,
}

/// The schema as the profiles see it that do not see all of it.
#[derive(Debug, Default)]
pub(crate) struct Views {
    security: Vec<FieldSecurity>,
    by_profile: BTreeMap<RecordId, Arc<Schema>>,
}

impl Org {
    /// Changes objects and fields, all or none of them. Rows, cursors and logs stay valid.
    ///
    /// # Errors
    /// Where a change does not fit, or a validation rule names a field that would vanish.
    pub(crate) fn change_schema(&mut self, changes: &[SchemaChange]) -> Outcome<()> {
        let schema = Arc::new(self.schema.changed(changes)?);
        let before = std::mem::replace(&mut self.schema, schema);
        if let Err(fault) = self.rebind_rules() {
            self.schema = before;
            return Err(fault);
        }
        self.fit_tables();
        self.views.security.retain(|line| {
            let object = self.schema.find(&line.object);
            object.is_some_and(|at| self.schema.object(at).find(&line.field).is_some())
        });
        self.draw_views()
    }

    /// Sets what profiles may do with fields; a later line wins.
    ///
    /// # Errors
    /// Where a profile, an object or a field is unknown.
    pub(crate) fn secure(&mut self, lines: Vec<FieldSecurity>) -> Outcome<()> {
        let before = self.views.security.len();
        self.views.security.extend(lines);
        let drawn = self.draw_views();
        if drawn.is_err() {
            self.views.security.truncate(before);
            self.draw_views()?;
        }
        drawn
    }

    /// The schema as the actor sees it.
    pub(crate) fn view(&self, actor: Actor) -> Arc<Schema> {
        let view = || {
            let profile = self.value_of(actor.user, "ProfileId")?.as_reference()?;
            self.views.by_profile.get(&profile)
        };
        let restricted = !self.views.by_profile.is_empty();
        Arc::clone(restricted.then(view).flatten().unwrap_or(&self.schema))
    }

    /// Reads as the actor does: what the profile hides is not there.
    pub(crate) fn seen_as<T>(&mut self, actor: Actor, read: impl FnOnce(&mut Org) -> T) -> T {
        let view = self.view(actor);
        let whole = std::mem::replace(&mut self.schema, view);
        let answer = read(self);
        self.schema = whole;
        answer
    }

    /// The security in force.
    pub(crate) fn security_json(&self) -> Json {
        let line = |line: &FieldSecurity| {
            let access = match line.access {
                FieldAccess::Visible => "visible",
                FieldAccess::ReadOnly => "read-only",
                FieldAccess::Hidden => "hidden",
            };
            json!({ "profile": line.profile, "object": line.object, "field": line.field, "access": access })
        };
        json!({ "security": self.views.security.iter().map(line).collect::<Vec<Json>>() })
    }

    fn draw_views(&mut self) -> Outcome<()> {
        self.reshape();
        let mut lines: BTreeMap<RecordId, BTreeMap<(ObjectIndex, FieldIndex), FieldAccess>> = BTreeMap::new();
        let profiles: Vec<String> = self.options.profiles.clone();
        for line in &self.views.security {
            let object = self.schema.find(&line.object).ok_or_else(|| {
                Fault::new(
                    Code::InvalidType,
                    format!("sObject type '{}' is not supported.", line.object),
                )
            })?;
            let field = self.schema.object(object).find(&line.field).ok_or_else(|| {
                let text = format!(
                    "No such column '{}' on sobject of type {}",
                    line.field, line.object
                );
                Fault::new(Code::InvalidField, text)
            })?;
            let named: Vec<&String> = match &line.profile {
                Some(name) => vec![name],
                None => profiles.iter().collect(),
            };
            for name in named {
                let profile = self
                    .find_by_text("Profile", "Name", name)
                    .ok_or_else(|| Fault::new(Code::InvalidField, format!("no profile is called {name}")))?;
                lines
                    .entry(profile)
                    .or_default()
                    .insert((object, field), line.access);
            }
        }
        let view = |fields: BTreeMap<(ObjectIndex, FieldIndex), FieldAccess>| {
            let closed = fields
                .into_iter()
                .filter(|(_, access)| *access != FieldAccess::Visible);
            let closed =
                closed.map(|((object, field), access)| (object, field, access == FieldAccess::Hidden));
            Arc::new(self.schema.restricted(closed))
        };
        self.views.by_profile = lines
            .into_iter()
            .map(|(profile, fields)| (profile, view(fields)))
            .collect();
        Ok(())
    }
}
