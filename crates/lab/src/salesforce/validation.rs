//! Validation rules: conditions that no record may satisfy, with the message that its author is told.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::fault::{Code, Fault, Outcome};
use super::org::Org;
use super::schema::ObjectIndex;
use super::soql::Prepared;
use super::table::Row;

/// A rule as the options and `/_local/rules` give it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidationRule {
    /// The object's name.
    pub object: String,
    /// What is refused, as it would stand after WHERE: `LastName = 'Refused'`.
    pub condition: String,
    /// What the author is told.
    pub message: String,
    /// The field that the message stands at; none: the top of the page.
    #[serde(default)]
    pub field: Option<String>,
}

/// A rule, bound to the org's objects.
pub(crate) struct Bound {
    given: ValidationRule,
    object: ObjectIndex,
    query: Arc<Prepared>,
    field: Vec<String>,
}

impl Org {
    /// Adds a rule; it judges every later write.
    ///
    /// # Errors
    /// Where the object, the field or the condition does not fit.
    pub(crate) fn add_rule(&mut self, rule: ValidationRule) -> Outcome<()> {
        let bound = self.bind_rule(rule)?;
        self.rules.push(bound);
        Ok(())
    }

    fn bind_rule(&self, given: ValidationRule) -> Outcome<Bound> {
        let object = self.schema.find(&given.object).ok_or_else(|| {
            Fault::new(
                Code::InvalidType,
                format!("sObject type '{}' is not supported.", given.object),
            )
        })?;
        let kind = self.schema.object(object);
        let field = given.field.as_ref().map(|name| {
            let found = kind.named(name).map(|field| field.name.clone());
            found.ok_or_else(|| {
                Fault::new(
                    Code::InvalidField,
                    format!("No such column '{name}' on sobject of type {}", kind.name),
                )
            })
        });
        let text = format!("SELECT Id FROM {} WHERE {}", kind.name, given.condition);
        Ok(Bound {
            object,
            query: Arc::new(self.prepare(&text)?),
            field: field.transpose()?.into_iter().collect(),
            given,
        })
    }

    /// Refuses a row that satisfies a rule of its object: the first of them counts.
    pub(crate) fn check_rules(&self, object: ObjectIndex, row: &Row) -> Outcome<()> {
        let mut rules = self.rules.iter().filter(|rule| rule.object == object);
        match rules.find(|rule| rule.query.fits(self, row)) {
            None => Ok(()),
            Some(rule) => Err(Fault {
                code: Code::CustomValidation,
                message: rule.given.message.clone(),
                fields: rule.field.clone(),
            }),
        }
    }

    /// The rules in force.
    pub(crate) fn rules_json(&self) -> Json {
        let one = |rule: &Bound| {
            let given = &rule.given;
            json!({
                "object": given.object, "condition": given.condition, "message": given.message, "field": given.field,
            })
        };
        json!({ "rules": self.rules.iter().map(one).collect::<Vec<Json>>() })
    }

    /// Binds the rules anew, after the objects changed.
    ///
    /// # Errors
    /// Where a rule no longer fits, as when it names a field that is gone; the rules stay as they were then.
    pub(crate) fn rebind_rules(&mut self) -> Outcome<()> {
        let given = self.rules.iter().map(|rule| rule.given.clone());
        self.rules = given.map(|rule| self.bind_rule(rule)).collect::<Outcome<_>>()?;
        Ok(())
    }
}
