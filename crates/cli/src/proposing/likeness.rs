//! Which record types look like objects of Salesforce, and which of their properties like whose. What is known of them is
//! data: `objects.csv` and `targets.csv`.

use super::names::{plain, singular};
use super::picture::{Kind, Picture, Property, RecordType};
use std::collections::BTreeMap;

const OBJECTS: &str = include_str!("objects.csv");
const TARGETS: &str = include_str!("targets.csv");

/// An object of Salesforce that a record type may look like.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) name: &'static str,
    /// The name of its flow.
    pub(crate) flow: &'static str,
    pub(crate) conflict: &'static str,
    /// Match keys, the first one first.
    pub(crate) keys: Vec<&'static str>,
    names: Vec<&'static str>,
    pub(crate) targets: Vec<Target>,
}

/// A property of Salesforce that one of the ERP's may answer to.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// The type in Salesforce's words.
    pub(crate) data_type: String,
    pub(crate) length: &'static str,
    how: Vec<&'static str>,
    names: Vec<&'static str>,
}

impl Target {
    /// Whether something holds for it.
    pub(crate) fn is(&self, word: &str) -> bool {
        self.how.contains(&word)
    }

    /// The flow that it refers to.
    pub(crate) fn refers_to(&self) -> Option<&'static str> {
        self.how.iter().find_map(|word| word.strip_prefix("to:"))
    }

    /// Whether values of the ERP's kind can stand there.
    fn takes(&self, kind: &Kind) -> bool {
        match self.data_type.split('(').next().unwrap_or_default() {
            "boolean" => *kind == Kind::Boolean,
            "date" => *kind == Kind::Date,
            "double" | "currency" | "percent" => matches!(kind, Kind::Integer | Kind::Decimal(_)),
            "reference" => matches!(kind, Kind::Reference(_)),
            _ => matches!(kind, Kind::Text(_) | Kind::Enum(_)),
        }
    }
}

/// All objects, in the order in which their flows stand.
pub(crate) fn objects() -> Vec<Object> {
    let cells = |line: &'static str| line.split(',').collect::<Vec<_>>();
    let words = |text: &'static str| text.split_whitespace().collect::<Vec<_>>();
    let targets: Vec<(&str, Target)> = TARGETS
        .lines()
        .skip(1)
        .filter_map(|line| match cells(line).as_slice() {
            [object, name, data_type, length, how, names] => Some((
                *object,
                Target {
                    name,
                    data_type: data_type.replace(';', ","),
                    length,
                    how: words(how),
                    names: words(names),
                },
            )),
            _ => None,
        })
        .collect();
    let rows = OBJECTS
        .lines()
        .skip(1)
        .filter_map(|line| match cells(line).as_slice() {
            [name, flow, conflict, keys, names] => Some(Object {
                name,
                flow,
                conflict,
                keys: keys.split(';').filter(|key| !key.is_empty()).collect(),
                names: words(names),
                targets: targets
                    .iter()
                    .filter(|(of, _)| of == name)
                    .map(|(_, target)| target.clone())
                    .collect(),
            }),
            _ => None,
        });
    rows.collect()
}

/// A property that likely stands for one of Salesforce's.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) property: Property,
    pub(crate) target: Target,
}

impl Row {
    /// Whether both are called the same.
    pub(crate) fn is_plain(&self) -> bool {
        let theirs = self.target.name.trim_start_matches('-').trim_end_matches("__c");
        plain(&self.property.name) == plain(theirs)
    }
}

/// A record type that looks like an object.
#[derive(Clone, Debug)]
pub(crate) struct Likeness {
    pub(crate) of: RecordType,
    pub(crate) object: Object,
    pub(crate) rows: Vec<Row>,
}

/// What a picture's likenesses are, and what looked like one and is none.
#[derive(Default)]
pub(crate) struct Likenesses {
    pub(crate) found: Vec<Likeness>,
    /// Record type, object, why there is no flow.
    pub(crate) not: Vec<(String, &'static str, String)>,
}

/// How much the name of a record type looks like an object's; none: not at all.
fn alike(name: &str, object: &Object) -> Option<usize> {
    /// What is bought is not what is sold.
    const OTHERS: [&str; 12] = [
        "purchase",
        "supplier",
        "vendor",
        "einkauf",
        "lieferant",
        "inkoop",
        "achat",
        "compra",
        "production",
        "work",
        "credit",
        "return",
    ];
    let own = plain(&singular(name));
    if OTHERS.iter().any(|other| own.contains(other)) {
        return None;
    }
    if let Some(place) = object
        .names
        .iter()
        .position(|known| *known == own || *known == plain(name))
    {
        return Some(1_000 - place);
    }
    // `sales_customer`, `A_Customer`, `TblCustomer`: the last word, and nothing that names another thing.
    let ends = object
        .names
        .iter()
        .filter(|known| known.len() > 3 && own.ends_with(**known) && own.len() <= known.len() + 5);
    ends.map(|known| known.len()).max()
}

/// Whether a record type looks like any object.
pub(crate) fn looks_like(name: &str) -> Option<&'static str> {
    let best = objects()
        .into_iter()
        .filter_map(|object| Some((alike(name, &object)?, object.name)));
    best.max_by_key(|(score, _)| *score).map(|(_, name)| name)
}

/// Finds them.
pub(crate) fn likenesses(picture: &Picture) -> Likenesses {
    let types: Vec<&RecordType> = picture.types.iter().filter(|of| of.not.is_none()).collect();
    let all = objects();
    // Each type goes to the object that it looks like most, each object takes the one type that looks like it most.
    let mut chosen: BTreeMap<&str, (usize, usize, &RecordType, &Object)> = BTreeMap::new();
    let mut out = Likenesses::default();
    for of in types {
        let scored = all
            .iter()
            .filter_map(|object| Some((alike(&of.name, object)?, object)));
        let Some((score, object)) = scored.max_by_key(|(score, _)| *score) else {
            continue;
        };
        let rows = own_rows(of, object).len();
        let before = chosen.get(object.name).copied();
        let better = before.is_none_or(|(other, others, ..)| (score, rows) > (other, others));
        if let Some((.., lost, _)) = before.filter(|_| better) {
            out.not.push((
                lost.name.clone(),
                object.name,
                format!("{} looks more like it", of.name),
            ));
        }
        match better {
            true => drop(chosen.insert(object.name, (score, rows, of, object))),
            false => {
                let other = before
                    .map(|(.., other, _)| other.name.clone())
                    .unwrap_or_default();
                out.not.push((
                    of.name.clone(),
                    object.name,
                    format!("{other} looks more like it"),
                ));
            }
        }
    }
    let mut flows: BTreeMap<&str, &str> = chosen
        .values()
        .map(|(.., of, object)| (object.flow, of.name.as_str()))
        .collect();
    // A flow that lacks what Salesforce requires is none, and so is one that refers to it and must.
    loop {
        let drafted: Vec<Likeness> = all
            .iter()
            .filter_map(|object| chosen.get(object.name))
            .filter(|(.., object)| flows.contains_key(object.flow))
            .map(|(.., of, object)| Likeness {
                of: (*of).clone(),
                object: (*object).clone(),
                rows: rows(of, object, &flows),
            })
            .collect();
        let lacking = drafted.iter().find_map(|draft| Some((draft, lacks(draft)?)));
        let Some((draft, target)) = lacking else {
            out.found = drafted;
            return out;
        };
        let why = format!(
            "nothing in it looks like {}, which Salesforce requires",
            target.name.trim_start_matches('-')
        );
        out.not.push((draft.of.name.clone(), draft.object.name, why));
        flows.remove(draft.object.flow);
    }
}

fn lacks(draft: &Likeness) -> Option<&Target> {
    let mut required = draft.object.targets.iter().filter(|target| target.is("required"));
    required.find(|target| draft.rows.iter().all(|row| row.target.name != target.name))
}

/// The rows that need no other flow.
fn own_rows(of: &RecordType, object: &Object) -> Vec<Row> {
    rows(of, object, &BTreeMap::new())
}

/// The rows of a flow, each property once, with the flows that there are.
fn rows(of: &RecordType, object: &Object, flows: &BTreeMap<&str, &str>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let own = [plain(&of.name), plain(&singular(&of.name))];
    for target in &object.targets {
        let to = match target.refers_to() {
            Some(flow) => match flows.get(flow) {
                Some(to) => Some(*to),
                None => continue,
            },
            None => None,
        };
        let fits = |property: &&Property| {
            let refers = match (&property.kind, to) {
                (Kind::Reference(there), Some(to)) => there == to,
                (_, Some(_)) => false,
                _ => target.takes(&property.kind),
            };
            refers && rows.iter().all(|row| row.property.name != property.name)
        };
        let fitting: Vec<&Property> = of.properties.iter().filter(fits).collect();
        let named = target
            .names
            .iter()
            .find_map(|name| fitting.iter().find(|property| called(&property.name, name, &own)));
        // The one reference to a record type is that reference, whatever it is called.
        let only = || match (to, fitting.as_slice()) {
            (Some(to), [one]) if to != of.name && sole(of, to) => Some(one),
            _ => None,
        };
        if let Some(property) = named.or_else(only) {
            rows.push(Row {
                property: (*property).clone(),
                target: target.clone(),
            });
        }
    }
    rows
}

/// Whether one property alone refers to a type.
fn sole(of: &RecordType, to: &str) -> bool {
    let refer = of
        .properties
        .iter()
        .filter(|property| matches!(&property.kind, Kind::Reference(there) if there == to));
    refer.count() == 1
}

/// Whether a property goes by a name, also with its record type's before it: `customer_name`.
fn called(property: &str, name: &str, own: &[String; 2]) -> bool {
    let plain = plain(property);
    plain == name
        || own
            .iter()
            .any(|own| plain.strip_prefix(own.as_str()) == Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_types_are_known_in_several_languages() {
        let expected = [
            ("customers", Some("Account")),
            ("Kunden", Some("Account")),
            ("A_Customer", Some("Account")),
            ("order_details", Some("OrderItem")),
            ("SalesOrder", Some("Order")),
            ("Pedidos", Some("Order")),
            ("Artikel", Some("Product2")),
            ("Mitarbeiter", Some("User")),
            ("fakturor", Some("Invoice")),
            ("PurchaseOrder", None),
            ("Supplier", None),
            ("Shipper", None),
            ("ProductCategoryTree", None),
        ];
        for (name, object) in expected {
            assert_eq!(looks_like(name), object, "{name}");
        }
    }

    #[test]
    fn the_data_is_whole() {
        let all = objects();
        assert_eq!(all.len(), OBJECTS.lines().count() - 1);
        let targets: usize = all.iter().map(|object| object.targets.len()).sum();
        assert_eq!(targets, TARGETS.lines().count() - 1);
        for target in all.iter().flat_map(|object| &object.targets) {
            assert!(!target.names.is_empty(), "{}", target.name);
            let flow = target.refers_to();
            assert!(
                flow.is_none_or(|flow| all.iter().any(|object| object.flow == flow)),
                "{}",
                target.name
            );
        }
    }
}
