//! What the org says of its objects, asked once and kept.

use super::SalesforceConfig;
use super::composite::{self, SUBREQUESTS, Subrequest};
use super::refusal;
use super::session::Session;
use crate::http::Request;
use crate::http::json::{count, flag, text, texts};
use crate::{Error, PropertySchema, Schema, TypeSchema};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tandem_merge::config::suggestion;

/// The bound objects and the companions' objects.
#[derive(Default)]
pub(super) struct Described {
    objects: BTreeMap<String, Arc<Object>>,
    missing: BTreeMap<String, String>,
    /// The fields of Profile that tell who may do what no integration should undo.
    pub(super) powers: Vec<&'static str>,
}

/// One object that serves a record type.
pub(super) struct Object {
    /// The record type; for a companion the object's own name.
    pub(super) name: String,
    pub(super) schema: TypeSchema,
    /// The properties that observations show, with their data types.
    pub(super) shown: Vec<(String, String)>,
    /// Deleted rows stay visible to `queryAll`, with `IsDeleted`.
    pub(super) soft_deletion: bool,
    /// The object answers getDeleted.
    pub(super) replicateable: bool,
    /// What every query of the object selects.
    select: String,
}

impl Described {
    /// Asks the org, 25 objects to a call.
    pub(super) async fn ask(session: &Session, config: &SalesforceConfig) -> Result<Self, Error> {
        let mut wanted: BTreeMap<&str, &str> = BTreeMap::new();
        for name in config.fields.keys() {
            wanted.insert(name, name);
        }
        for (name, object) in &config.bindings {
            wanted.insert(name, object);
        }
        let objects: BTreeSet<&str> = wanted.values().copied().collect();
        let with_users = objects.contains("User");
        let objects: Vec<&str> = objects
            .into_iter()
            .chain(with_users.then_some("Profile"))
            .collect();
        let answers = describes(session, &objects).await?;
        let lacking = wanted.values().any(|object| !answers.contains_key(*object));
        let known = if lacking {
            names(session).await?
        } else {
            Vec::new()
        };
        let mut described = Self {
            powers: answers.get("Profile").map(powers).unwrap_or_default(),
            ..Self::default()
        };
        for (name, object) in wanted {
            match answers.get(object) {
                Some(answer) => {
                    let used = config.fields.get(name);
                    let object = Object::read(name, object, used.map(Vec::as_slice), answer);
                    described.objects.insert(name.to_owned(), Arc::new(object));
                }
                None => {
                    described
                        .missing
                        .insert(name.to_owned(), absent(name, object, &known));
                }
            }
        }
        Ok(described)
    }

    pub(super) fn schema(&self) -> Schema {
        let types = self.objects.iter();
        Schema {
            types: types
                .map(|(name, object)| (name.clone(), object.schema.clone()))
                .collect(),
            missing: self.missing.clone(),
        }
    }

    /// The object of a record type, or a sentence why there is none.
    pub(super) fn object(&self, name: &str) -> Result<Arc<Object>, String> {
        self.objects.get(name).cloned().ok_or_else(|| {
            let unbound = || format!("the record type {name} is bound to no object");
            self.missing.get(name).cloned().unwrap_or_else(unbound)
        })
    }
}

/// The describe of each object that the org has.
async fn describes(session: &Session, objects: &[&str]) -> Result<BTreeMap<String, Json>, Error> {
    let mut answers = BTreeMap::new();
    for pack in objects.chunks(SUBREQUESTS) {
        let reads = pack.iter().map(|object| {
            let address = session.path(&format!("/sobjects/{object}/describe"));
            Subrequest::new("GET", address)
        });
        let (parts, _) = composite::read(session, reads.collect()).await?;
        for (object, part) in pack.iter().zip(parts) {
            if part.is_success() {
                answers.insert((*object).to_owned(), part.body);
                continue;
            }
            let said = part.said();
            if !matches!(said.code.as_str(), "NOT_FOUND" | "INVALID_TYPE") {
                return Err(refusal::of_said(&session.http, &said));
            }
        }
    }
    Ok(answers)
}

fn powers(profile: &Json) -> Vec<&'static str> {
    let fields = profile.get("fields").and_then(Json::as_array);
    let names: BTreeSet<&str> = fields
        .into_iter()
        .flatten()
        .filter_map(|field| text(field, "name"))
        .collect();
    let powers = ["PermissionsModifyAllData", "PermissionsManageUsers"];
    powers.into_iter().filter(|power| names.contains(power)).collect()
}

/// The names of all objects that the org shows to us.
async fn names(session: &Session) -> Result<Vec<String>, Error> {
    let (body, _) = session.read(Request::get(session.path("/sobjects"))).await?;
    let objects = body.get("sobjects").and_then(Json::as_array);
    let names = objects
        .into_iter()
        .flatten()
        .filter_map(|object| text(object, "name"));
    Ok(names.map(str::to_owned).collect())
}

fn absent(name: &str, object: &str, known: &[String]) -> String {
    // A record type with a choice of objects is bound to one; any other has the object's own name.
    let near = suggestion(object, known.iter().map(String::as_str));
    if name == object && near.starts_with("Did you mean") {
        return format!("the org has no object {object} ({near})");
    }
    let what = match object.strip_suffix("__c") {
        Some(standard) => format!("deploy Tandem's metadata, or bind {name} to the standard {standard}"),
        None => format!("enable it in the org's setup, or bind {name} to {object}__c of Tandem's metadata"),
    };
    format!("the org has no object {object} ({what})")
}

impl Object {
    fn read(name: &str, object: &str, used: Option<&[String]>, answer: &Json) -> Self {
        let fields = answer.get("fields").and_then(Json::as_array);
        let properties: BTreeMap<String, PropertySchema> = fields
            .into_iter()
            .flatten()
            .filter_map(|field| Some((text(field, "name")?.to_owned(), property(field))))
            .collect();
        let shown: Vec<(String, String)> = properties
            .iter()
            .filter(|(name, property)| match used {
                Some(used) => used.contains(name),
                None => !matches!(property.data_type.as_str(), "address" | "location" | "base64"),
            })
            .map(|(name, property)| (name.clone(), property.data_type.clone()))
            .collect();
        let soft_deletion = properties.contains_key("IsDeleted");
        let select = select(&properties, &shown, object);
        Self {
            name: name.to_owned(),
            soft_deletion,
            replicateable: flag(answer, "replicateable"),
            select,
            shown,
            schema: TypeSchema {
                object: object.to_owned(),
                watched: None,
                createable: flag(answer, "createable"),
                updateable: flag(answer, "updateable"),
                deletable: flag(answer, "deletable"),
                properties,
            },
        }
    }

    /// `SELECT ... FROM Object`.
    pub(super) fn select(&self) -> &str {
        &self.select
    }

    /// The data type of a property, if the org has it.
    pub(super) fn data_type(&self, property: &str) -> Option<&str> {
        self.schema
            .properties
            .get(property)
            .map(|property| property.data_type.as_str())
    }
}

#[cfg(test)]
impl Object {
    /// An object with properties of these types.
    pub(super) fn for_tests(properties: &[(&str, &str)]) -> Self {
        let fields: Vec<Json> = properties
            .iter()
            .map(|(name, data_type)| serde_json::json!({"name": name, "type": data_type}))
            .collect();
        Self::read("Test", "Test", None, &serde_json::json!({ "fields": fields }))
    }
}

fn select(properties: &BTreeMap<String, PropertySchema>, shown: &[(String, String)], object: &str) -> String {
    let mut names: Vec<&str> = vec!["Id"];
    // Evidence around the values: version, age, presence, author, and whether the row may be written.
    let evidence = [
        "SystemModstamp",
        "CreatedDate",
        "CreatedById",
        "LastModifiedById",
        "IsDeleted",
        "MasterRecordId",
        "UserType",
        "ProfileId",
        "IsPersonAccount",
    ];
    let wanted = |name: &str| match name {
        "UserType" | "ProfileId" => object == "User",
        "IsPersonAccount" => object == "Contact",
        _ => true,
    };
    let known = evidence
        .into_iter()
        .filter(|name| wanted(name) && properties.contains_key(*name));
    names.extend(known);
    if properties.contains_key("LastModifiedById") {
        names.push("LastModifiedBy.Name");
    }
    let more = shown.iter().map(|(name, _)| name.as_str());
    let more: Vec<&str> = more.filter(|name| !names.contains(name)).collect();
    names.extend(more);
    format!("SELECT {} FROM {object}", names.join(", "))
}

fn property(field: &Json) -> PropertySchema {
    let data_type = text(field, "type").unwrap_or("string").to_owned();
    let number = matches!(data_type.as_str(), "double" | "currency" | "percent" | "int");
    let digits = if data_type == "int" { "digits" } else { "precision" };
    let length = count(field, "length").filter(|length| *length > 0);
    let entries = field.get("picklistValues").and_then(Json::as_array);
    let restricted = flag(field, "restrictedPicklist");
    let values = entries
        .into_iter()
        .flatten()
        .filter(|entry| restricted && flag(entry, "active"))
        .filter_map(|entry| text(entry, "value"));
    let createable = flag(field, "createable");
    PropertySchema {
        max_length: length.and_then(|length| usize::try_from(length).ok()),
        precision: count(field, digits).filter(|_| number),
        scale: count(field, "scale").filter(|_| number),
        nillable: flag(field, "nillable"),
        createable,
        updateable: flag(field, "updateable"),
        filled_on_create: flag(field, "defaultedOnCreate")
            || flag(field, "autoNumber")
            || data_type == "boolean",
        unique: flag(field, "unique"),
        values: values.map(str::to_owned).collect(),
        references: texts(field, "referenceTo"),
        data_type,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_is_used_and_there_is_selected() {
        let answer = json!({"replicateable": true, "fields": [
            {"name": "Id", "type": "id"}, {"name": "SystemModstamp", "type": "datetime"},
            {"name": "LastModifiedById", "type": "reference"}, {"name": "Name", "type": "string", "length": 80},
            {"name": "SortOrder", "type": "int", "digits": 9},
        ]});
        let used = ["Name".to_owned(), "CurrencyIsoCode".to_owned()];
        let object = Object::read("Division", "Division", Some(&used), &answer);
        assert_eq!(
            object.select(),
            "SELECT Id, SystemModstamp, LastModifiedById, LastModifiedBy.Name, Name FROM Division"
        );
        assert!(!object.soft_deletion && object.replicateable);
        assert_eq!(object.data_type("SortOrder"), Some("int"));
        assert_eq!(object.schema.properties["Name"].max_length, Some(80));
        assert_eq!(object.schema.properties["SortOrder"].precision, Some(9));
    }

    #[test]
    fn absence_says_what_to_do() {
        let known = ["Invoice", "Lead"].map(str::to_owned);
        let sentence = absent("Leed", "Leed", &known);
        assert_eq!(sentence, "the org has no object Leed (Did you mean `Lead`?)");
        let sentence = absent("Invoice", "Invoice__c", &known);
        assert_eq!(
            sentence,
            "the org has no object Invoice__c (deploy Tandem's metadata, or bind Invoice to the standard Invoice)"
        );
    }
}
