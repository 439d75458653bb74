//! The query options of a request.

use super::exchange::decoded;
use super::filter::Condition;
use super::model::{EntitySet, Model, Navigation, PropertyIndex, Service, Version};
use super::refusal::Refusal;

/// The options of a request as they were sent: decoded pairs, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options(Vec<(String, String)>);

/// What a request asks of a collection or an entity.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query {
    pub(crate) filter: Option<Condition>,
    /// Nothing: all properties.
    pub(crate) select: Option<Vec<PropertyIndex>>,
    /// With whether the greatest comes first.
    pub(crate) order: Vec<(PropertyIndex, bool)>,
    pub(crate) top: Option<usize>,
    pub(crate) skip: usize,
    pub(crate) count: bool,
    pub(crate) expand: Vec<Expansion>,
}

/// A way that is gone along, and what is asked there.
#[derive(Debug, Clone)]
pub(crate) struct Expansion {
    pub(crate) navigation: Navigation,
    pub(crate) query: Query,
}

/// System options that the standard has and this service does not.
const LEFT_OUT: [&str; 8] = [
    "$apply",
    "$compute",
    "$search",
    "$levels",
    "$schemaversion",
    "$index",
    "$id",
    "$root",
];

impl Options {
    /// Takes a query apart. A plus sign is a space, as forms write it.
    ///
    /// # Errors
    /// 400 for what is not percent-encoded, and for a system option that is named twice.
    pub(crate) fn read(query: &str) -> Result<Self, Refusal> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (
                decoded(&name.replace('+', " "))?,
                decoded(&value.replace('+', " "))?,
            );
            if name.starts_with('$') && pairs.iter().any(|(earlier, _)| *earlier == name) {
                return Err(Refusal::bad(format!("{name} is given twice.")));
            }
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The same without those, and with one more; percent-encoded.
    pub(crate) fn with(&self, without: &[&str], name: &str, value: &str) -> String {
        let kept = self
            .0
            .iter()
            .filter(|(given, _)| !without.contains(&given.as_str()));
        let pairs = kept.map(|(name, value)| (name.as_str(), value.as_str()));
        let pairs = pairs.chain([(name, value)]).map(|(name, value)| {
            let value = super::exchange::encoded(value).replace('=', "%3D");
            format!("{}={value}", super::exchange::encoded(name))
        });
        pairs.collect::<Vec<_>>().join("&")
    }

    /// What the options ask of entities of that set.
    ///
    /// # Errors
    /// 400 for what is malformed, 501 for what is left out.
    pub(crate) fn query(&self, model: &Model, service: &Service, set: &EntitySet) -> Result<Query, Refusal> {
        let mut query = Query::default();
        let mut nested: Vec<(String, String)> = Vec::new();
        for (name, value) in &self.0 {
            match (name.as_str(), service.version) {
                ("$filter", _) => query.filter = Some(Condition::read(value, set, service.version)?),
                ("$select", _) => (query.select, nested) = select(value, set)?,
                ("$orderby", _) => query.order = order(value, set)?,
                ("$top", _) => query.top = Some(whole(name, value)?),
                ("$skip", _) => query.skip = whole(name, value)?,
                ("$count", Version::V4) => query.count = truth(name, value)?,
                ("$inlinecount", Version::V2) => {
                    query.count = match value.as_str() {
                        "allpages" => true,
                        "none" => false,
                        _ => return Err(Refusal::bad("$inlinecount must be allpages or none.")),
                    }
                }
                ("$expand", _) => query.expand = expand(value, model, service, set)?,
                ("$format" | "$skiptoken" | "$deltatoken", _) => {}
                (other, _) if LEFT_OUT.contains(&other) => return Err(Refusal::left_out(other)),
                (other, _) if other.starts_with('$') => {
                    return Err(Refusal::bad(format!(
                        "This version of OData has no query option {other}."
                    )));
                }
                _ => {}
            }
        }
        for (way, property) in nested {
            let expansion = query
                .expand
                .iter_mut()
                .find(|expansion| expansion.navigation.name == way);
            let Some(expansion) = expansion else {
                return Err(Refusal::bad(format!(
                    "$select names {way}/{property}, and $expand does not name {way}."
                )));
            };
            let (chosen, _) = select(&property, &model.sets[expansion.navigation.target])?;
            let list = expansion.query.select.get_or_insert_with(Vec::new);
            list.extend(chosen.unwrap_or_default());
        }
        Ok(query)
    }
}

fn whole(name: &str, value: &str) -> Result<usize, Refusal> {
    let number = value.trim().parse();
    number.map_err(|_| Refusal::bad(format!("{name} must be a whole number from 0, not `{value}`.")))
}

fn truth(name: &str, value: &str) -> Result<bool, Refusal> {
    let truth = value.trim().parse();
    truth.map_err(|_| Refusal::bad(format!("{name} must be true or false, not `{value}`.")))
}

fn unknown(name: &str, set: &EntitySet) -> Refusal {
    Refusal::bad(format!(
        "`{name}` is no property of {}; see the metadata.",
        set.type_name
    ))
}

/// The properties chosen (nothing where all are), and those of other entities (`Lines/Amount`).
type Selected = (Option<Vec<PropertyIndex>>, Vec<(String, String)>);

fn select(text: &str, set: &EntitySet) -> Result<Selected, Refusal> {
    let (mut chosen, mut nested, mut all) = (Vec::new(), Vec::new(), false);
    for name in text.split(',').map(str::trim) {
        if name == "*" {
            all = true;
        } else if let Some((way, property)) = name.split_once('/') {
            nested.push((way.to_owned(), property.to_owned()));
        } else if let Some(property) = set.property(name) {
            chosen.push(property);
        } else if set.navigation(name).is_none() {
            return Err(unknown(name, set));
        }
    }
    let only_nested = chosen.is_empty() && !nested.is_empty();
    Ok(((!all && !only_nested).then_some(chosen), nested))
}

fn order(text: &str, set: &EntitySet) -> Result<Vec<(PropertyIndex, bool)>, Refusal> {
    let mut order = Vec::new();
    for item in text.split(',') {
        let words: Vec<&str> = item.split_whitespace().collect();
        let (name, last_first) = match words.as_slice() {
            [name] | [name, "asc"] => (*name, false),
            [name, "desc"] => (*name, true),
            _ => return Err(Refusal::bad(format!("$orderby does not understand `{item}`."))),
        };
        if name.contains(['(', '/']) {
            return Err(Refusal::left_out("$orderby by anything but properties"));
        }
        order.push((set.property(name).ok_or_else(|| unknown(name, set))?, last_first));
    }
    Ok(order)
}

fn expand(text: &str, model: &Model, service: &Service, set: &EntitySet) -> Result<Vec<Expansion>, Refusal> {
    let mut expansions = Vec::new();
    for item in outside(text, ',') {
        let item = item.trim();
        let (name, inner) = match item.split_once('(') {
            Some((name, rest)) if service.version == Version::V4 => {
                let inner = rest.strip_suffix(')');
                (
                    name,
                    inner.ok_or_else(|| Refusal::bad("$expand lacks a closing parenthesis."))?,
                )
            }
            _ => (item, ""),
        };
        if name.contains(['/', '*', '$']) || inner.contains("$expand") {
            return Err(Refusal::left_out("$expand of more than one level"));
        }
        let way = set
            .navigation(name)
            .filter(|way| service.sets.contains(&way.target));
        let Some(navigation) = way else {
            return Err(Refusal::bad(format!(
                "{} has no navigation property {name}.",
                set.type_name
            )));
        };
        let options: Vec<(String, String)> = outside(inner, ';')
            .into_iter()
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.trim().to_owned(), value.to_owned()))
            .collect();
        if options
            .iter()
            .any(|(name, _)| name == "$count" || name == "$skip")
        {
            return Err(Refusal::left_out("$count and $skip inside $expand"));
        }
        let query = Options(options).query(model, service, &model.sets[navigation.target])?;
        expansions.push(Expansion {
            navigation: navigation.clone(),
            query,
        });
    }
    Ok(expansions)
}

/// The parts between separators that stand outside quotes and parentheses.
fn outside(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut depth, mut quoted) = (0, 0_i32, false);
    for (position, character) in text.char_indices() {
        match character {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            _ if character == separator && !quoted && depth == 0 => {
                parts.push(&text[start..position]);
                start = position + character.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}
