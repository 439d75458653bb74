//! What a set's records are: their key, what tells of changes, and what cannot be done with them.

use super::super::names::likeliest;
use super::super::picture::{Guess, Kind, Line, Picture, Property, RecordType, Topic};
use super::super::yaml::{list, scalar, table};
use super::model::{Declared, Service, Set, Version};
use super::properties::time_without_a_date;
use std::collections::BTreeMap;

/// One set about to be told.
pub(super) struct Reading<'a> {
    pub(super) service: &'a Service,
    pub(super) set: &'a Set,
    pub(super) name: String,
    pub(super) by_entity: &'a BTreeMap<&'a str, &'a str>,
}

/// When a record was changed and when it was made, as far as names and types tell.
struct Times<'a> {
    modified: Option<&'a Declared>,
    created: Option<&'a Declared>,
}

impl Reading<'_> {
    pub(super) fn record_type(&self, picture: &mut Picture) -> RecordType {
        let set = self.set;
        let [creates, updates] = ["creatable", "updatable"].map(|flag| set.can(flag));
        let mut properties: Vec<Property> = set
            .properties
            .iter()
            .flat_map(|declared| self.properties(declared))
            .collect();
        let times = self.times(&properties);
        let mut lines = vec![
            Line::new("collection", scalar(&set.name)),
            Line::over("record", self.record(&times)),
        ];
        lines.extend(self.changes(&times));
        lines.extend(self.find(&properties));
        let flags = [
            ("create", "creatable"),
            ("update", "updatable"),
            ("delete", "deletable"),
        ];
        let never = flags.into_iter().filter(|(_, flag)| !set.can(flag));
        lines.extend(never.map(|(key, _)| Line::new(key, "none")));
        self.ask(&times, picture);
        for property in &mut properties {
            let time = [times.modified, times.created]
                .into_iter()
                .flatten()
                .any(|time| time.name == property.name);
            property.read_only |= time;
            property.required &= !time;
            property.create_only &= !time && (creates || updates);
        }
        RecordType {
            name: self.name.clone(),
            lines,
            properties,
            creates,
            updates,
            not: self.keyless(),
        }
    }

    /// Why a record cannot be named by its key.
    fn keyless(&self) -> Option<String> {
        let told = |name: &&String| {
            let declared = self.set.properties.iter().find(|one| one.name == **name);
            declared.is_some_and(|one| self.property(one).is_some() && time_without_a_date(&one.of).is_none())
        };
        let missing = self.set.key.iter().find(|name| !told(name))?;
        let declared = self.set.properties.iter().find(|one| one.name == *missing);
        let noun = declared.and_then(|one| time_without_a_date(&one.of));
        Some(match (missing.as_str(), noun) {
            ("", _) => "its key has a member without a name".to_owned(),
            (name, Some(noun)) => {
                format!("its key has {name}, {noun}, which no description can write into an address")
            }
            (name, None) => format!("its key has {name}, which is no property that can be read"),
        })
    }

    fn times(&self, properties: &[Property]) -> Times<'_> {
        let by = |what: &str| {
            let fitting = properties
                .iter()
                .filter(|property| property.kind == Kind::DateTime && property.at.is_none());
            let found = likeliest(fitting, |property| property.name.as_str(), what)?;
            self.set.properties.iter().find(|one| one.name == found.name)
        };
        Times {
            modified: by("modified"),
            created: by("created"),
        }
    }

    fn record(&self, times: &Times<'_>) -> Vec<Line> {
        let set = self.set;
        let id = match set.key.as_slice() {
            [one] => scalar(one),
            several => list(several),
        };
        let mut record = vec![Line::new("id", id)];
        let guid = |one: &Declared| one.is_key && one.of == "Edm.Guid";
        if set.key.len() == 1 && set.properties.iter().any(guid) {
            record.push(Line::new("ids", "guid"));
        }
        let moment = |key: &str, text: String, ask: &str| {
            let guess = Guess::new(Topic::Changes, "by its name and type", ask);
            Line::new(key, text).guessed(Some(guess))
        };
        if let Some(modified) = times.modified {
            // Where a change may not have set it yet, the record is as old as it is.
            let first = times.created.filter(|created| {
                modified.nullable && created.of == modified.of && !created.says("filterable", "false")
            });
            let text = match first {
                Some(created) => list(&[&modified.name, &created.name]),
                None => scalar(&modified.name),
            };
            record.push(moment("modified", text, "does every change set it?"));
        }
        if let Some(created) = times.created {
            record.push(moment(
                "created",
                scalar(&created.name),
                "is it when the record was made?",
            ));
        }
        record
    }

    /// Whether changes can be asked for by a time.
    fn by_time(&self, times: &Times<'_>) -> bool {
        self.set.can("filterable")
            && times
                .modified
                .is_some_and(|time| !time.says("filterable", "false"))
    }

    /// How changes are asked for, where it is otherwise than the dialect has it.
    fn changes(&self, times: &Times<'_>) -> Option<Line> {
        let modified = times.modified.filter(|_| self.by_time(times));
        if self.service.tracks_changes() {
            return match (self.set.tracks_changes(), modified) {
                (true, _) => None,
                (false, None) => Some(Line::new("changes", "none")),
                (false, Some(_)) => {
                    let query = table(&[("$filter", "\"{changed}\"")]);
                    let keys = [("query", query.as_str()), ("headers", "null"), ("delta", "null")];
                    Some(Line::new("changes", table(&keys)))
                }
            };
        }
        match modified {
            Some(time) if self.service.version == Version::V2 && time.of == "Edm.DateTimeOffset" => {
                let since = table(&[("format", "\"datetimeoffset'%Y-%m-%dT%H:%M:%SZ'\"")]);
                Some(Line::over("changes", vec![Line::new("since", since)]))
            }
            Some(_) => None,
            // Without a time the dialect asks for none.
            None => times.modified.map(|_| Line::new("changes", "none")),
        }
    }

    /// By which properties records are found, where it is not by all.
    fn find(&self, properties: &[Property]) -> Option<Line> {
        let findable = |property: &&Property| {
            let own = |one: &&Declared| match &property.at {
                Some(at) => at.split('.').next() == Some(one.name.as_str()),
                None => one.name == property.name,
            };
            let declared = self.set.properties.iter().find(own);
            let literal = match (&property.kind, declared.map(|one| one.of.as_str())) {
                // No description can say how these are written in filters.
                (Kind::Enum(_), _) => false,
                (_, Some(of)) if time_without_a_date(of).is_some() => false,
                (_, Some("Edm.Double" | "Edm.Single")) => self.service.version == Version::V4,
                _ => true,
            };
            literal && declared.is_some_and(|one| !one.says("filterable", "false"))
        };
        let found: Vec<&str> = properties
            .iter()
            .filter(findable)
            .map(|property| property.name.as_str())
            .collect();
        match found.len() {
            0 => Some(Line::new("find", "none")),
            _ if !self.set.can("filterable") => Some(Line::new("find", "none")),
            all if all == properties.len() => None,
            _ => Some(Line::over("find", vec![Line::new("properties", list(&found))])),
        }
    }

    fn ask(&self, times: &Times<'_>, picture: &mut Picture) {
        let mut ask = |topic, what: &str| picture.ask(topic, &self.name, what);
        if !self.set.tracks_changes() {
            if !self.by_time(times) {
                ask(
                    Topic::Changes,
                    "How does one ask for what changed? Without `modified:` all records are compared, every 10 minutes.",
                );
            }
            ask(
                Topic::Deletions,
                "How are deletions seen? As it stands all records are compared once a day, and what is absent is read by its key. If 404 never means *hidden*, write `read: { gone: [404, 410] }`.",
            );
        }
        if let Some(first) = self.set.contains.first() {
            let (set, all) = (&self.set.name, self.set.contains.join(", "));
            ask(
                Topic::Values,
                &format!(
                    "Are these records wanted, which stand below each of {set}: {all}? Then write record types for them: those of one alone, with its key in `collection: {set}(KEY)/{first}`; those of all, to be read with them, with `inside: {{ type: {}, at: {first}, id: ... }}`.",
                    self.name
                ),
            );
        }
        if self.set.can("creatable") {
            ask(
                Topic::Creates,
                "Can a create be sent twice safely? Without `safe:` the record is looked for before it is made again.",
            );
        }
    }
}
