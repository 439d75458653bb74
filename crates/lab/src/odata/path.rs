//! The resource that a path names.

use super::exchange::{decoded, encoded};
use super::filter::{self, Shape};
use super::model::{EntitySet, Model, PropertyIndex, Service, SetIndex, Version};
use super::refusal::Refusal;
use super::store::{Key, Store};
use super::value::Value;

/// What a path leads to.
#[derive(Debug)]
pub(crate) enum Resource {
    /// The service document.
    Document,
    Metadata,
    Batch,
    Collection(Collection),
    /// The number of its entities.
    Count(Collection),
    Entity(Address),
    /// One property of an entity; its bare text where `$value` follows.
    Property(Address, PropertyIndex, bool),
    /// A way to one entity that leads to none.
    Nothing,
}

/// Entities of a set, all or those that belong to another.
#[derive(Debug, Clone)]
pub(crate) struct Collection {
    pub(crate) set: SetIndex,
    /// What these properties hold.
    pub(crate) fixed: Vec<(PropertyIndex, Value)>,
    /// The path below the root, percent-encoded.
    pub(crate) path: String,
}

/// One entity, which need not exist.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) set: SetIndex,
    pub(crate) key: Key,
    /// What it belongs to by its path.
    pub(crate) fixed: Vec<(PropertyIndex, Value)>,
    pub(crate) path: String,
}

/// Follows a path below the root.
///
/// # Errors
/// 404 for what is not there, 400 for keys that are none.
pub(crate) fn resolve(
    model: &Model,
    service: &Service,
    store: &Store,
    path: &str,
) -> Result<Resource, Refusal> {
    let path = path.trim_matches('/');
    let mut segments = path.split('/');
    let first = segments.next().unwrap_or_default();
    match first {
        "" => return Ok(Resource::Document),
        "$metadata" => return Ok(Resource::Metadata),
        "$batch" => return Ok(Resource::Batch),
        _ => {}
    }
    let first = decoded(first)?;
    let (name, predicate) = split(&first)?;
    let unknown = || Refusal::not_found(format!("There is no entity set {name}."));
    let set = service.set_named(model, name).ok_or_else(unknown)?;
    let all = Collection {
        set,
        fixed: Vec::new(),
        path: name.to_owned(),
    };
    let mut found = keyed(model, service, all, predicate)?;
    for segment in segments {
        let segment = decoded(segment)?;
        found = match found {
            Resource::Collection(collection) if segment == "$count" => Resource::Count(collection),
            Resource::Entity(address) => follow(model, service, store, address, &segment)?,
            Resource::Property(address, property, false) if segment == "$value" => {
                Resource::Property(address, property, true)
            }
            _ => {
                return Err(Refusal::not_found(format!(
                    "Nothing is at `{segment}` of {path}."
                )));
            }
        };
    }
    Ok(found)
}

/// `Customers('A')` in name and what is in parentheses.
fn split(segment: &str) -> Result<(&str, Option<&str>), Refusal> {
    let Some((name, rest)) = segment.split_once('(') else {
        return Ok((segment, None));
    };
    let inner = rest.strip_suffix(')');
    let inner = inner.ok_or_else(|| Refusal::bad(format!("`{segment}` lacks its closing parenthesis.")))?;
    Ok((name, Some(inner)))
}

fn keyed(
    model: &Model,
    service: &Service,
    collection: Collection,
    predicate: Option<&str>,
) -> Result<Resource, Refusal> {
    let Some(predicate) = predicate.filter(|text| !text.is_empty()) else {
        return Ok(Resource::Collection(collection));
    };
    let set = &model.sets[collection.set];
    let key = key(set, &collection.fixed, predicate, service.version)?;
    let path = format!(
        "{}({})",
        collection.path,
        predicate_of(set, &key, service.version)
    );
    Ok(Resource::Entity(Address {
        set: collection.set,
        key,
        fixed: collection.fixed,
        path,
    }))
}

/// One segment on from an entity, which must be there.
fn follow(
    model: &Model,
    service: &Service,
    store: &Store,
    from: Address,
    segment: &str,
) -> Result<Resource, Refusal> {
    let set = &model.sets[from.set];
    let entity = store
        .live(from.set, &from.key)
        .filter(|entity| from.holds(&entity.values));
    let entity = entity.ok_or_else(|| from.missing(model))?;
    let (name, predicate) = split(segment)?;
    if predicate.is_none()
        && let Some(property) = set.property(name)
    {
        return Ok(Resource::Property(from, property, false));
    }
    let shown = |target: &SetIndex| service.sets.contains(target);
    let way = set.navigation(name).filter(|way| shown(&way.target));
    let Some(way) = way else {
        let what = format!(
            "{} has neither a property nor a way called {name}.",
            set.type_name
        );
        return Err(Refusal::not_found(what));
    };
    if way.many {
        let by = way.by.iter();
        let fixed = by
            .map(|(own, theirs)| (*theirs, entity.values[*own].clone()))
            .collect();
        let collection = Collection {
            set: way.target,
            fixed,
            path: format!("{}/{name}", from.path),
        };
        return keyed(model, service, collection, predicate);
    }
    if predicate.is_some() {
        return Err(Refusal::bad(format!(
            "{name} leads to one entity and takes no key."
        )));
    }
    match store.led_to(way, &entity.values).next() {
        Some((key, _)) => Ok(Resource::Entity(Address {
            set: way.target,
            key: key.clone(),
            fixed: Vec::new(),
            path: format!(
                "{}({})",
                model.sets[way.target].name,
                predicate_of(&model.sets[way.target], key, service.version)
            ),
        })),
        None => Ok(Resource::Nothing),
    }
}

impl Address {
    /// Whether an entity with these values belongs to what the path says.
    pub(crate) fn holds(&self, values: &[Value]) -> bool {
        self.fixed
            .iter()
            .all(|(property, value)| values[*property] == *value)
    }

    pub(crate) fn missing(&self, model: &Model) -> Refusal {
        let key: Vec<String> = self.key.iter().map(Value::plain).collect();
        let name = &model.sets[self.set].type_name;
        Refusal::not_found(format!("There is no {name} with the key {}.", key.join(", ")))
    }
}

/// The key that a predicate names; parts that the path says already may be left out.
fn key(
    set: &EntitySet,
    fixed: &[(PropertyIndex, Value)],
    predicate: &str,
    version: Version,
) -> Result<Key, Refusal> {
    let parts = parts(predicate);
    let mut given: Vec<(Option<&str>, &str)> = Vec::new();
    for part in &parts {
        let name = part.split_once('=').map(|(name, _)| name.trim());
        let named = name.filter(|name| {
            name.chars()
                .all(|character| character.is_alphanumeric() || character == '_')
        });
        given.push(named.map_or((None, *part), |name| {
            (Some(name), &part[part.find('=').unwrap_or(0) + 1..])
        }));
    }
    let said = |property: &PropertyIndex| {
        let found = fixed.iter().find(|(fixed, _)| fixed == property);
        found.map(|(_, value)| value.clone())
    };
    let open = set.key.iter().filter(|property| said(property).is_none()).count();
    let wanted = || {
        let names: Vec<&str> = set
            .key
            .iter()
            .map(|property| set.properties[*property].name.as_str())
            .collect();
        Refusal::bad(format!(
            "The key of {} is {}, not ({predicate}).",
            set.type_name,
            names.join(", ")
        ))
    };
    let mut key = Vec::new();
    for property in &set.key {
        let definition = &set.properties[*property];
        let text = given
            .iter()
            .find_map(|(name, text)| (*name == Some(definition.name.as_str())).then_some(*text));
        let alone = given.len() == 1 && given[0].0.is_none() && (set.key.len() == 1 || open == 1);
        let text = text.or_else(|| (alone && (open != 1 || said(property).is_none())).then(|| given[0].1));
        let value = match text {
            Some(text) => {
                let (value, shape) = filter::literal(text, version)?;
                if value == Value::Null || !shape.goes_with(Shape::of(definition.kind, version)) {
                    return Err(wanted());
                }
                value.of_kind(definition.kind).padded(definition)
            }
            None => said(property).ok_or_else(wanted)?,
        };
        key.push(value);
    }
    if given.len() > set.key.len() {
        return Err(wanted());
    }
    Ok(key)
}

/// The parts between commas that stand outside quotes.
fn parts(predicate: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut quoted) = (0, false);
    for (position, character) in predicate.char_indices() {
        match character {
            '\'' => quoted = !quoted,
            ',' if !quoted => {
                parts.push(predicate[start..position].trim());
                start = position + 1;
            }
            _ => {}
        }
    }
    parts.push(predicate[start..].trim());
    parts
}

/// The key as it stands in an address, percent-encoded.
pub(crate) fn predicate_of(set: &EntitySet, key: &[Value], version: Version) -> String {
    let literal = |(property, value): (&PropertyIndex, &Value)| {
        encoded(&value.literal(set.properties[*property].kind, version))
    };
    if let ([property], [value]) = (set.key.as_slice(), key) {
        return literal((property, value));
    }
    let named = set.key.iter().zip(key).map(|(property, value)| {
        format!(
            "{}={}",
            set.properties[*property].name,
            literal((property, value))
        )
    });
    named.collect::<Vec<_>>().join(",")
}
