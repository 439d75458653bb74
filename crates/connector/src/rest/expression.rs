//! Values that are computed from a record, and back: small typed expressions without loops, time or chance.
//!
//! Numbers with a fraction travel as texts: nothing is ever rounded by an expression.

use cel::objects::{Key, Map};
use cel::{Context, Env, Program, Value as Cel, extensions};
use serde_json::{Map as Members, Number, Value as Json};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

/// What expressions know: the standard functions, and those on texts.
static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = Env::stdlib();
    // Fails only where two functions share a name.
    if let Err(error) = env.add_extension(extensions::strings) {
        tracing::error!("functions on texts are not there: {error}");
    }
    Arc::new(env)
});

/// An expression over one variable.
#[derive(Clone, Debug)]
pub(super) struct Expression {
    program: Arc<Program>,
    variable: &'static str,
}

impl Expression {
    /// Reads it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(text: &str, variable: &'static str) -> Result<Self, String> {
        let program = ENVIRONMENT.compile(text).map_err(|errors| {
            let first = errors.errors.first().map(|error| error.msg.clone());
            format!("it is no expression ({})", first.unwrap_or_default())
        })?;
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        context.add_variable_from_value(variable, Cel::Null);
        match program.execute(&context) {
            Err(cel::ExecutionError::UndeclaredReference(name)) => {
                Err(format!("it knows `{variable}` and nothing called `{name}`"))
            }
            _ => Ok(Self {
                program: Arc::new(program),
                variable,
            }),
        }
    }

    /// What it gives.
    ///
    /// # Errors
    /// Why it gives nothing that can be used; no word of what it was given.
    pub(super) fn value(&self, of: &Json) -> Result<Json, String> {
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        context.add_variable_from_value(self.variable, given(of));
        let found = self.program.execute(&context);
        match found {
            Ok(found) => taken(&found),
            Err(cel::ExecutionError::NoSuchKey(_)) => {
                Err("its expression asks for a member that is not shown".to_owned())
            }
            Err(
                cel::ExecutionError::NoSuchOverload(_)
                | cel::ExecutionError::UnsupportedBinaryOperator(..)
                | cel::ExecutionError::UnexpectedType { .. },
            ) => Err("its expression does not fit the types of what is shown".to_owned()),
            Err(_) => Err("its expression cannot be computed".to_owned()),
        }
    }
}

fn given(json: &Json) -> Cel {
    match json {
        Json::Null => Cel::Null,
        Json::Bool(yes) => Cel::Bool(*yes),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Cel::Int(whole),
            None => Cel::String(Arc::new(number.to_string())),
        },
        Json::String(text) => Cel::String(Arc::new(text.clone())),
        Json::Array(entries) => Cel::List(Arc::new(entries.iter().map(given).collect())),
        Json::Object(members) => {
            let members = members
                .iter()
                .map(|(name, member)| (Key::from(name.clone()), given(member)));
            let map: HashMap<Key, Cel> = members.collect();
            Cel::Map(Map { map: Arc::new(map) })
        }
    }
}

fn taken(value: &Cel) -> Result<Json, String> {
    Ok(match value {
        Cel::Null => Json::Null,
        Cel::Bool(yes) => Json::Bool(*yes),
        Cel::Int(number) => Json::Number(Number::from(*number)),
        Cel::UInt(number) => Json::Number(Number::from(*number)),
        Cel::String(text) => Json::String(text.as_ref().clone()),
        Cel::List(entries) => Json::Array(entries.iter().map(taken).collect::<Result<_, _>>()?),
        Cel::Map(map) => {
            let member = |(key, member): (&Key, &Cel)| match key {
                Key::String(name) => Ok((name.as_ref().clone(), taken(member)?)),
                _ => Err("its expression gives a table whose keys are no texts".to_owned()),
            };
            Json::Object(
                map.map
                    .iter()
                    .map(member)
                    .collect::<Result<Members<_, _>, String>>()?,
            )
        }
        Cel::Float(_) => {
            return Err("its expression gives a fraction, which is not exact; let it give a text".to_owned());
        }
        _ => return Err("its expression gives no value".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn expressions_compute_texts_whole_numbers_and_truths() {
        let record: Json = serde_json::from_str(
            r#"{ "first": " Ann ", "last": "Lee", "tags": ["a", "b"], "n": 4, "price": 12.50, "none": null }"#,
        )
        .unwrap();
        let value = |text: &str| Expression::read(text, "record").unwrap().value(&record);
        for (text, wanted) in [
            ("record.first.trim() + ' ' + record.last", json!("Ann Lee")),
            ("record.tags.join('|')", json!("a|b")),
            ("record.n * 2 > 7 ? 'many' : 'few'", json!("many")),
            ("has(record.email) ? record.email : null", json!(null)),
            ("record.price", json!("12.50")),
            ("record.none == null", json!(true)),
            ("{'a': record.n}", json!({ "a": 4 })),
        ] {
            assert_eq!(value(text).unwrap(), wanted, "{text}");
        }
        for (text, words) in [
            ("record.email", "not shown"),
            ("record.n + record.last", "types"),
            ("1.5", "not exact"),
            ("1 / 0", "cannot be computed"),
        ] {
            assert!(
                value(text).unwrap_err().contains(words),
                "{text}: {:?}",
                value(text)
            );
        }
        for (text, words) in [
            ("record.", "no expression"),
            ("other.x", "nothing called `other`"),
            ("1 +", "no expression"),
        ] {
            let error = Expression::read(text, "record").unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
