//! JSON Schemas of the files, for editors.

use super::flow_file::FlowText;
use super::main_file::MainText;
use super::written::key;
use schemars::JsonSchema;
use serde_json::{Map, Value};

/// The schema of `tandem.yaml` for systems of these names.
#[must_use]
pub fn main_schema(systems: &[String; 2]) -> Value {
    schema_of::<MainText>(systems)
}

/// The schema of a flow file for systems of these names.
#[must_use]
pub fn flow_schema(systems: &[String; 2]) -> Value {
    schema_of::<FlowText>(systems)
}

/// The schema of a file that is declared as `T`, for systems of these names.
#[must_use]
pub fn schema_of<T: JsonSchema>(systems: &[String; 2]) -> Value {
    let schema = schemars::generate::SchemaSettings::draft07()
        .into_generator()
        .into_root_schema_for::<T>();
    renamed(schema.to_value(), systems, false)
}

/// The declarations' `first` and `second` under the systems' own names.
fn renamed(value: Value, systems: &[String; 2], keys: bool) -> Value {
    match value {
        Value::Object(entries) => {
            let rename = |(name, value): (String, Value)| {
                let inner = renamed(value, systems, name == "properties" && !keys);
                let name = if keys { key(systems, &name) } else { name };
                let inner = if name == "required" {
                    required(inner, systems)
                } else {
                    inner
                };
                (name, inner)
            };
            Value::Object(entries.into_iter().map(rename).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(
            items
                .into_iter()
                .map(|item| renamed(item, systems, false))
                .collect(),
        ),
        other => other,
    }
}

fn required(value: Value, systems: &[String; 2]) -> Value {
    match value {
        Value::Array(names) => {
            let rename = |name: Value| {
                name.as_str()
                    .map_or(name.clone(), |text| key(systems, text).into())
            };
            Value::Array(names.into_iter().map(rename).collect())
        }
        other => other,
    }
}
