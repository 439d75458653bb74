//! The form of a model as text.

use super::{EntitySet, Filling, Kind, Model, Navigation, Property, Service, Version};
use crate::odata::value::Value;

/// A way that may name a set further down.
struct Way {
    line: usize,
    from: usize,
    words: Vec<String>,
}

/// A service, whose sets may stand further down.
struct Root {
    line: usize,
    words: Vec<String>,
}

pub(super) fn read(text: &str) -> Result<Model, String> {
    let mut sets: Vec<EntitySet> = Vec::new();
    let (mut ways, mut roots) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(text.lines()) {
        let at = |what: String| format!("line {number}: {what}");
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let Some(first) = words.first().filter(|word| !word.starts_with('#')) else {
            continue;
        };
        match (first.as_str(), line.starts_with(' ')) {
            ("service", false) => roots.push(Root { line: number, words }),
            ("set", false) => sets.push(set(&words).map_err(at)?),
            ("->", true) if !sets.is_empty() => ways.push(Way {
                line: number,
                from: sets.len() - 1,
                words,
            }),
            (_, true) if !sets.is_empty() => {
                let last = sets.len() - 1;
                let (property, key) = property(&words).map_err(at)?;
                if key {
                    let position = sets[last].properties.len();
                    sets[last].key.push(position);
                }
                sets[last].properties.push(property);
            }
            _ => return Err(at(format!("`{first}` is not understood here"))),
        }
    }
    if let Some(set) = sets.iter().find(|set| set.key.is_empty()) {
        return Err(format!("the set {} has no key", set.name));
    }
    for way in ways {
        let navigation = navigation(&sets, way.from, &way.words);
        let navigation = navigation.map_err(|what| format!("line {}: {what}", way.line))?;
        sets[way.from].navigations.push(navigation);
    }
    let root = |root: Root| service(&sets, &root.words).map_err(|what| format!("line {}: {what}", root.line));
    let services = roots.into_iter().map(root).collect::<Result<_, _>>()?;
    Ok(Model { services, sets })
}

/// `service v2|v4 PATH NAMESPACE [SET ...]`
fn service(sets: &[EntitySet], words: &[String]) -> Result<Service, String> {
    let [_, version, root, namespace, named @ ..] = words else {
        return Err("write `service v4 /path Namespace`".to_owned());
    };
    let version = match version.as_str() {
        "v2" => Version::V2,
        "v4" => Version::V4,
        other => return Err(format!("`{other}` is neither v2 nor v4")),
    };
    let find = |name: &String| {
        let position = sets.iter().position(|set| set.name == *name);
        position.ok_or_else(|| format!("there is no set {name}"))
    };
    let shown = if named.is_empty() {
        (0..sets.len()).collect()
    } else {
        named.iter().map(find).collect::<Result<_, _>>()?
    };
    Ok(Service {
        version,
        root: root.trim_end_matches('/').to_owned(),
        namespace: namespace.clone(),
        sets: shown,
    })
}

/// `set NAME TYPE [conditional] [permanent] [contained] [fixed] [upsert] [echo] [from=RECORDTYPE]`
fn set(words: &[String]) -> Result<EntitySet, String> {
    let [_, name, type_name, flags @ ..] = words else {
        return Err("write `set Customers Customer`".to_owned());
    };
    let mut set = EntitySet {
        name: name.clone(),
        type_name: type_name.clone(),
        properties: Vec::new(),
        key: Vec::new(),
        navigations: Vec::new(),
        conditional: false,
        permanent: false,
        contained: false,
        fixed: false,
        upsert: false,
        echo: false,
        source: None,
    };
    for flag in flags {
        match flag.split_once('=').unwrap_or((flag, "")) {
            ("conditional", _) => set.conditional = true,
            ("permanent", _) => set.permanent = true,
            ("contained", _) => set.contained = true,
            ("fixed", _) => set.fixed = true,
            ("upsert", _) => set.upsert = true,
            ("echo", _) => set.echo = true,
            ("from", source) => set.source = Some(source.to_owned()),
            _ => return Err(format!("`{flag}` is no flag of a set")),
        }
    }
    Ok(set)
}

/// `NAME KIND [key] [required] [once] [hidden] [padded] [number=FIRST] [default=VALUE] [new] [created] [changed] [user]
/// [from=PROPERTY]`, and whether it is part of the key.
fn property(words: &[String]) -> Result<(Property, bool), String> {
    let [name, kind, flags @ ..] = words else {
        return Err("write a name and a kind".to_owned());
    };
    let kind = kind_named(kind)?;
    let mut property = Property {
        name: name.clone(),
        kind,
        required: false,
        hidden: false,
        once: false,
        padded: None,
        filling: Filling::Client,
        source: None,
    };
    let mut key = false;
    for flag in flags {
        match flag.split_once('=').unwrap_or((flag, "")) {
            ("key", _) => (key, property.required, property.once) = (true, true, true),
            ("required", _) => property.required = true,
            ("once", _) => property.once = true,
            ("hidden", _) => property.hidden = true,
            ("padded", _) => match kind {
                Kind::Text(width) => property.padded = Some(width),
                _ => return Err("only text is padded".to_owned()),
            },
            ("number", first) => {
                let digits = first.trim_start_matches(|character: char| !character.is_ascii_digit());
                property.filling = Filling::Number {
                    prefix: first[..first.len() - digits.len()].to_owned(),
                    first: digits
                        .parse()
                        .map_err(|_| format!("`{first}` ends with no number"))?,
                };
            }
            ("default", value) => {
                property.filling = Filling::Default(
                    Value::of_text(kind, value).map_err(|what| format!("`{value}`: {what}"))?,
                );
            }
            ("new", _) => property.filling = Filling::NewGuid,
            ("created", _) => property.filling = Filling::Stamp { creation: true },
            ("changed", _) => property.filling = Filling::Stamp { creation: false },
            ("user", _) => property.filling = Filling::User,
            ("from", source) => property.source = Some(source.to_owned()),
            _ => return Err(format!("`{flag}` is no flag of a property")),
        }
    }
    Ok((property, key))
}

/// `text:N`, `decimal:PRECISION:SCALE` and the plain ones.
fn kind_named(word: &str) -> Result<Kind, String> {
    let mut parts = word.split(':');
    let name = parts.next().unwrap_or_default();
    let mut number = || -> Option<u32> { parts.next()?.parse().ok() };
    let kind = match name {
        "text" => number()
            .and_then(|most| usize::try_from(most).ok())
            .map(Kind::Text),
        "decimal" => number()
            .zip(number())
            .map(|(precision, scale)| Kind::Decimal { precision, scale }),
        "boolean" => Some(Kind::Boolean),
        "int" => Some(Kind::Int32),
        "long" => Some(Kind::Int64),
        "guid" => Some(Kind::Guid),
        "date" => Some(Kind::Date),
        "time" => Some(Kind::Time),
        "moment" => Some(Kind::Moment),
        _ => None,
    };
    kind.ok_or_else(|| format!("`{word}` is no kind"))
}

/// `-> NAME SET one|many|parts OWN=THEIRS ...`
fn navigation(sets: &[EntitySet], from: usize, words: &[String]) -> Result<Navigation, String> {
    let [_, name, target, count, pairs @ ..] = words else {
        return Err("write `-> Orders Orders many Id=CustomerId`".to_owned());
    };
    let target = sets.iter().position(|set| set.name == *target);
    let target = target.ok_or_else(|| format!("{name} leads to no set"))?;
    let find = |set: usize, name: &str| {
        let properties = &sets[set].properties;
        let position = properties.iter().position(|property| property.name == name);
        position.ok_or_else(|| format!("{} has no property {name}", sets[set].name))
    };
    let pair = |pair: &String| {
        let (own, theirs) = pair
            .split_once('=')
            .ok_or_else(|| format!("`{pair}` is not OWN=THEIRS"))?;
        Ok::<_, String>((find(from, own)?, find(target, theirs)?))
    };
    let by = pairs.iter().map(pair).collect::<Result<Vec<_>, _>>()?;
    match count.as_str() {
        _ if by.is_empty() => Err(format!("{name} does not say by which properties")),
        "one" | "many" | "parts" => Ok(Navigation {
            name: name.clone(),
            target,
            many: count != "one",
            parts: count == "parts",
            by,
        }),
        other => Err(format!("`{other}` is none of one, many and parts")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, message) in [
            ("service v3 /x X", "line 1: `v3` is neither v2 nor v4"),
            ("service v4 /x X Nothing", "line 1: there is no set Nothing"),
            ("\nset A", "line 2: write `set Customers Customer`"),
            ("set A B\n  id guid", "the set A has no key"),
            ("set A B\n  id what key", "line 2: `what` is no kind"),
            (
                "set A B\n  id int key\n  -> Cs C many id=id",
                "line 3: Cs leads to no set",
            ),
            (
                "set A B\n  id int key\n  -> As A some id=id",
                "line 3: `some` is none of",
            ),
            (
                "set A B\n  id int key\n  -> As A many id=no",
                "line 3: A has no property no",
            ),
            ("set A B\n  id int key default=x", "line 2: `x`: "),
            ("id int key", "line 1: `id` is not understood here"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
