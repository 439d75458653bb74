//! What a Customerp says of itself.

use super::{CustomerpConfig, form};
use crate::http::json::{self, count, flag, text, texts};
use crate::shown::{compute, described, missing};
use crate::{Identification, PropertySchema, Schema, TypeSchema};
use jiff::Timestamp;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Arc;
use tandem_merge::computed::Computation;
use tandem_merge::record::{Observation, Presence, RecordKey, Values, Version};
use tandem_merge::value::Value;

/// Digits of a decimal in all: 16 before the point and 2 behind it.
const DECIMAL_DIGITS: u32 = 18;

/// The ERP and its bound record types.
pub(super) struct Described {
    pub(super) identification: Identification,
    types: BTreeMap<String, Arc<Served>>,
    missing: BTreeMap<String, String>,
}

/// One bound record type.
pub(super) struct Served {
    pub(super) name: String,
    pub(super) schema: TypeSchema,
    /// The properties that observations show, with their data types.
    shown: Vec<(String, String)>,
    /// The properties that are computed out of them.
    computed: BTreeMap<String, Computation>,
}

impl Described {
    /// Reads the description; none if it is not one.
    pub(super) fn read(config: &CustomerpConfig, body: &Json) -> Option<Self> {
        let identification = Identification {
            id: text(body, "company")?.to_owned(),
            name: text(body, "name")?.to_owned(),
            user: text(body, "user").unwrap_or_default().to_owned(),
            author: text(body, "user").map(str::to_owned),
            sandbox: None,
            instance: None,
        };
        let offered = body.get("types")?.as_object()?;
        let mut described = Self {
            identification,
            types: BTreeMap::new(),
            missing: BTreeMap::new(),
        };
        for (name, collection) in &config.bindings {
            let kind = offered
                .values()
                .find(|kind| text(kind, "collection") == Some(collection));
            match kind {
                Some(kind) => {
                    let served = Served::read(config, name, collection, kind);
                    described.types.insert(name.clone(), Arc::new(served));
                }
                None => {
                    let known: Vec<_> = offered
                        .values()
                        .filter_map(|kind| text(kind, "collection"))
                        .collect();
                    let sentence = format!(
                        "{} has no collection `{collection}` for {name}; it has {}",
                        config.name,
                        known.join(", ")
                    );
                    described.missing.insert(name.clone(), sentence);
                }
            }
        }
        Some(described)
    }

    pub(super) fn schema(&self) -> Schema {
        let types = self.types.iter();
        Schema {
            types: types
                .map(|(name, served)| (name.clone(), served.schema.clone()))
                .collect(),
            missing: self.missing.clone(),
        }
    }

    /// The type of that name, or a sentence why there is none.
    pub(super) fn served(&self, name: &str) -> Result<Arc<Served>, String> {
        self.types.get(name).cloned().ok_or_else(|| {
            let unbound = || format!("the record type {name} is bound to no collection");
            self.missing.get(name).cloned().unwrap_or_else(unbound)
        })
    }
}

impl Served {
    fn read(config: &CustomerpConfig, name: &str, collection: &str, kind: &Json) -> Self {
        let offered = kind.get("properties").and_then(Json::as_array);
        let properties: BTreeMap<String, PropertySchema> = offered
            .into_iter()
            .flatten()
            .filter_map(|json| Some((text(json, "name")?.to_owned(), property(json))))
            .collect();
        let used = config.fields.get(name);
        let computed = config.computed.get(name).cloned().unwrap_or_default();
        let shown = properties
            .iter()
            .filter(|(name, _)| used.is_none_or(|used| used.contains(name)))
            .map(|(name, property)| (name.clone(), property.data_type.clone()))
            .collect();
        let computed_too = computed
            .iter()
            .map(|(name, rule)| (name.clone(), described(rule)));
        Self {
            name: name.to_owned(),
            schema: TypeSchema {
                object: collection.to_owned(),
                watched: None,
                createable: true,
                updateable: true,
                deletable: true,
                properties: properties.into_iter().chain(computed_too).collect(),
            },
            shown,
            computed,
        }
    }

    /// The state that an item shows; none if it does not say whose. Of one whose state cannot be told apart from others
    /// nothing is taken.
    pub(super) fn observation(&self, system: &str, item: &Json, began: Timestamp) -> Option<Observation> {
        let key = RecordKey::new(system, &self.name, text(item, "id")?);
        let version = match version(item) {
            Ok(version) => version,
            Err((property, why)) => {
                return Some(Observation {
                    unreadable: BTreeMap::from([(property.to_owned(), why)]),
                    ..missing(key, began)
                });
            }
        };
        let deleted = flag(item, "deleted");
        let (values, unreadable) = if deleted {
            Default::default()
        } else {
            self.values(item)
        };
        let mut shown = Observation {
            presence: if deleted {
                Presence::Deleted
            } else {
                Presence::Alive
            },
            values,
            version: Some(version),
            created: text(item, "createdAt").and_then(|created| created.parse().ok()),
            author: text(item, "updatedBy").map(str::to_owned),
            unreadable,
            ..missing(key, began)
        };
        compute(&mut shown, &self.computed);
        Some(shown)
    }

    /// The values of an item, and why the others cannot be read.
    fn values(&self, item: &Json) -> (Values, BTreeMap<String, String>) {
        let (mut values, mut unreadable) = (Values::new(), BTreeMap::new());
        for (name, data_type) in &self.shown {
            match json::read(item.get(name), data_type, form::decode) {
                Ok(value) => drop(values.insert(name.clone(), value)),
                Err(why) => drop(unreadable.insert(name.clone(), why)),
            }
        }
        (values, unreadable)
    }
}

/// The state that an item shows, or which member does not tell it, and why.
fn version(item: &Json) -> Result<Version, (&'static str, String)> {
    let number = item.get("version").and_then(Json::as_i64);
    let number = number.ok_or_else(|| ("version", "it is no whole number".to_owned()))?;
    let modified = json::read(item.get("updatedAt"), "datetime", form::decode);
    match modified.map_err(|why| ("updatedAt", why))? {
        Value::DateTime(modified) => Ok(Version {
            token: format!("\"{number}\""),
            order: Some(number),
            modified,
            firm: true,
        }),
        _ => Err(("updatedAt", "it is blank".to_owned())),
    }
}

fn property(json: &Json) -> PropertySchema {
    let data_type = text(json, "type").unwrap_or("string").to_owned();
    let writable = !flag(json, "readOnly");
    let filled = flag(json, "assigned") || json.get("default").is_some_and(|value| !value.is_null());
    PropertySchema {
        max_length: count(json, "maxLength").and_then(|length| usize::try_from(length).ok()),
        precision: (data_type == "decimal").then_some(DECIMAL_DIGITS),
        scale: count(json, "scale"),
        nillable: !flag(json, "required"),
        createable: writable,
        updateable: writable && !flag(json, "createOnly"),
        filled_on_create: filled || !writable,
        unique: flag(json, "unique"),
        values: texts(json, "values"),
        references: text(json, "references").map(str::to_owned).into_iter().collect(),
        data_type,
    }
}
