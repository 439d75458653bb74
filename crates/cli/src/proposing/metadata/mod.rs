//! An OData metadata document as a picture of record types.

mod annotations;
mod model;
mod requests;

use super::names::{likeliest, singular};
use super::picture::{Guess, Kind, Line, Picture, Property, RecordType, Topic, Way};
use super::yaml::{scalar, table};
use crate::failure::Failure;
use model::{Declared, Service, Set, Version, local};
use std::collections::{BTreeMap, BTreeSet};
use url::Url;

/// Reads a document.
pub(crate) fn picture(from: &str, text: &str, at: Option<&Url>) -> Result<Picture, Failure> {
    let service = model::read(from, text)?;
    let mut picture = Picture {
        way: Way::Rest,
        from: from.to_owned(),
        url: at.map(|at| at.origin().ascii_serialization()),
        secrets: Vec::new(),
        top: Vec::new(),
        types: Vec::new(),
        open: Vec::new(),
    };
    if let Some(base) = at
        .and_then(|at| at.path().strip_suffix("/$metadata"))
        .filter(|base| !base.is_empty())
    {
        picture.top.push(Line::new("base", scalar(base)));
    } else if at.is_none() {
        picture.ask(
            Topic::SignIn,
            "",
            "At which path does the service begin? Write it as `base:`.",
        );
    }
    top(&service, &mut picture);
    let names = type_names(&service);
    let by_entity: BTreeMap<&str, &str> = service
        .sets
        .iter()
        .filter_map(|set| Some((set.of.as_str(), names.get(&set.name)?.as_str())))
        .collect();
    for set in &service.sets {
        let name = names.get(&set.name).cloned().unwrap_or_default();
        let of = Reading {
            service: &service,
            set,
            name,
            by_entity: &by_entity,
        }
        .record_type(&mut picture);
        picture.types.push(of);
    }
    Ok(picture)
}

/// What holds for all of the service.
fn top(service: &Service, picture: &mut Picture) {
    let why = "a metadata document does not say how a program signs in";
    picture.top.push(Line::new("session", "{ kind: basic }").not(why));
    picture.ask(
        Topic::SignIn,
        "",
        "How does a program sign in? Write `session:` into the description.",
    );
    if service.version == Version::V2 {
        let csrf = table(&[
            ("request", "GET /"),
            ("header", "X-CSRF-Token"),
            ("fetch", "Fetch"),
        ]);
        picture
            .top
            .push(Line::new("csrf", csrf).not("it belongs to a session; SAP's services want it for writes"));
        picture.ask(
            Topic::SignIn,
            "",
            "Do writes need a token against forged requests? Then write `csrf:`.",
        );
    }
    let (accept, message) = match service.version {
        Version::V4 => ("\"application/json;odata.metadata=minimal\"", "error.message"),
        Version::V2 => ("application/json", "error.message.value"),
    };
    picture
        .top
        .push(Line::new("headers", table(&[("Accept", accept)])));
    let below = vec![Line::new("code", "error.code"), Line::new("message", message)];
    picture.top.push(Line::over("errors", below));
    if service.version == Version::V2 {
        let below = vec![
            Line::new("decimal", "{ as: text }"),
            Line::new("date", "{ as: /Date()/ }"),
            Line::new("datetime", "{ as: /Date()/ }"),
        ];
        picture.top.push(Line::over("forms", below));
    }
}

/// What the record type of each set is called.
fn type_names(service: &Service) -> BTreeMap<String, String> {
    let mut taken = BTreeSet::new();
    let mut names = BTreeMap::new();
    for set in &service.sets {
        let own = set
            .of
            .strip_suffix("Type")
            .filter(|rest| !rest.is_empty())
            .unwrap_or(&set.of);
        let own = own.strip_prefix("A_").unwrap_or(own);
        let own = singular(own);
        let (mut name, mut number) = (own.clone(), 2);
        while !taken.insert(name.clone()) {
            name = format!("{own}{number}");
            number += 1;
        }
        names.insert(set.name.clone(), name);
    }
    names
}

/// One set about to be told.
struct Reading<'a> {
    service: &'a Service,
    set: &'a Set,
    name: String,
    by_entity: &'a BTreeMap<&'a str, &'a str>,
}

impl Reading<'_> {
    fn can(&self, flag: &str) -> bool {
        self.set.flags.get(flag).is_none_or(|said| said != "false")
    }

    fn record_type(&self, picture: &mut Picture) -> RecordType {
        let set = self.set;
        let (creates, updates, deletes) = (
            self.can("creatable"),
            self.can("updatable"),
            self.can("deletable"),
        );
        let mut properties: Vec<Property> = set
            .properties
            .iter()
            .flat_map(|declared| self.properties(declared))
            .collect();
        let by = |what: &str, fits: fn(&Kind) -> bool| {
            let fitting = properties
                .iter()
                .filter(|property| fits(&property.kind) && property.at.is_none());
            likeliest(fitting, |property| property.name.as_str(), what).map(|property| property.name.clone())
        };
        let modified = by("modified", |kind| *kind == Kind::DateTime);
        let created = by("created", |kind| *kind == Kind::DateTime);
        let kept: BTreeSet<String> = modified.iter().chain(&created).cloned().collect();
        let mut record = vec![Line::new(
            "id",
            scalar(set.key.first().map_or("", String::as_str)),
        )];
        let concurrent = self.set.flags.contains_key("concurrency");
        if concurrent {
            record.push(Line::new(
                "token",
                self.by_version("/@odata.etag", "__metadata.etag"),
            ));
        } else if updates {
            picture.ask(Topic::Versions, &self.name, "Does a record show an ETag? The document does not say so: without `token:` a record is read just before it is written.");
        }
        let moment = |key: &str, name: &Option<String>, ask: &str| {
            let guess = Guess::new(Topic::Changes, "by its name and type", ask);
            name.as_ref()
                .map(|name| Line::new(key, scalar(name)).guessed(Some(guess)))
        };
        record.extend(moment("modified", &modified, "does every change set it?"));
        record.extend(moment("created", &created, "is it when the record was made?"));
        let mut lines = vec![
            Line::new("collection", scalar(&set.name)),
            Line::over("record", record),
            self.list(),
        ];
        let asked = modified.as_ref().filter(|name| {
            let declared = set.properties.iter().find(|declared| declared.name == **name);
            declared.is_some_and(|declared| !declared.says("filterable", "false"))
        });
        match asked {
            Some(name) => lines.push(self.changes(name)),
            None => picture.ask(Topic::Changes, &self.name, "How does one ask for what changed? Without `changes:` all records are compared, every 10 minutes."),
        }
        picture.ask(Topic::Deletions, &self.name, "How are deletions seen? As it stands all records are compared once a day, and what is absent is read by its id.");
        let not = match set.key.as_slice() {
            [_] => None,
            several => Some(format!(
                "its key is made of {}, and a description names one",
                several.join(", ")
            )),
        };
        lines.extend(self.requests(&properties, concurrent, [creates, updates, deletes]));
        if creates {
            picture.ask(Topic::Creates, &self.name, "Can a create be sent twice safely? Without `safe:` the record is looked for before it is made again.");
        }
        for property in properties
            .iter_mut()
            .filter(|property| kept.contains(&property.name))
        {
            property.read_only = true;
            property.create_only = false;
        }
        if !creates && !updates {
            properties
                .iter_mut()
                .for_each(|property| property.create_only = false);
        }
        RecordType {
            name: self.name.clone(),
            lines,
            properties,
            creates,
            updates,
            not,
        }
    }

    /// A property, or those of the part that it is.
    fn properties(&self, declared: &Declared) -> Vec<Property> {
        if let Some(part) = self
            .service
            .parts
            .get(local(&declared.of))
            .filter(|_| !declared.of.starts_with("Edm."))
        {
            let inner = part.iter().filter_map(|within| {
                let mut property = self.property(within)?;
                property.name = format!("{}{}", declared.name, super::names::capital(&within.name));
                property.at = Some(format!("{}.{}", declared.name, within.name));
                Some(property)
            });
            return inner.collect();
        }
        self.property(declared).into_iter().collect()
    }

    fn property(&self, declared: &Declared) -> Option<Property> {
        let day = declared.says("display-format", "Date");
        let kind = match declared.of.as_str() {
            "Edm.String" => Kind::Text(declared.max_length.filter(|length| *length > 0)),
            "Edm.Guid" | "Edm.Time" | "Edm.TimeOfDay" | "Edm.Duration" => Kind::Text(None),
            "Edm.Byte" | "Edm.SByte" | "Edm.Int16" | "Edm.Int32" | "Edm.Int64" => Kind::Integer,
            "Edm.Decimal" => Kind::Decimal(declared.precision.zip(declared.scale.or(Some(0)))),
            "Edm.Double" | "Edm.Single" => Kind::Decimal(None),
            "Edm.Boolean" => Kind::Boolean,
            "Edm.Date" => Kind::Date,
            "Edm.DateTime" if day => Kind::Date,
            "Edm.DateTime" | "Edm.DateTimeOffset" => Kind::DateTime,
            other if !other.starts_with("Edm.") && !other.starts_with("Collection(") => {
                Kind::Enum(self.service.enums.get(local(other))?.clone())
            }
            _ => return None,
        };
        let mut property = Property::new(&declared.name, kind);
        property.required = !declared.nullable;
        property.unique = declared.is_key && self.set.key.len() == 1;
        let never = |flag: &str| declared.says(flag, "false");
        property.read_only = declared.says("computed", "true") || never("creatable") && never("updatable");
        property.create_only = !property.read_only
            && (declared.says("immutable", "true") || never("updatable") || declared.is_key);
        property.filled = declared.says("default", "true");
        if property.read_only {
            property.required = false;
        }
        // A number of eight bytes is a text in version 2, and so are numbers that are read for their digits.
        let v2 = self.service.version == Version::V2;
        if v2 && declared.of == "Edm.Int64" {
            property.form = Some("{ as: text }".to_owned());
        }
        if v2 && matches!(declared.of.as_str(), "Edm.Double" | "Edm.Single") {
            property.form = Some("{ as: text }".to_owned());
        }
        if let Some(to) = declared
            .refers
            .as_ref()
            .and_then(|to| self.by_entity.get(to.as_str()))
        {
            property.kind = Kind::Reference((*to).to_owned());
            property.form = matches!(
                declared.of.as_str(),
                "Edm.Int16" | "Edm.Int32" | "Edm.Int64" | "Edm.Byte"
            )
            .then(|| "{ as: number }".to_owned());
        }
        Some(property)
    }
}
