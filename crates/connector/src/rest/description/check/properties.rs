//! Whether properties are read and written by means that fit together.

use super::super::Property;
use super::super::place::Place;
use super::super::property::{DataKind, PropertyTable, PropertyText};
use super::Scope;
use std::collections::BTreeMap;
use tandem_merge::config::node::At;
use tandem_merge::config::suggestion;
use tandem_merge::config::written::Table;

impl Scope<'_, '_> {
    /// The properties; `writes`: records of the type are written at all.
    pub(super) fn properties(
        &mut self,
        written: Table<PropertyText>,
        writes: bool,
    ) -> BTreeMap<String, Property> {
        let mut properties: BTreeMap<String, Property> = BTreeMap::new();
        let mut places: BTreeMap<String, String> = BTreeMap::new();
        for (name, PropertyText(text)) in written.0 {
            if properties.contains_key(&name.value) {
                let help = "Keep one of them.";
                self.problem(
                    &name,
                    format!("the property `{}` stands here twice", name.value),
                    help,
                );
                continue;
            }
            self.contradictions(&name, &text, writes);
            let property = self.property(&name, &text);
            let own = [property.write_at.clone()];
            let places_of: Vec<String> = match &property.computed {
                _ if property.read_only => Vec::new(),
                Some(computed) => computed
                    .write
                    .iter()
                    .map(|(place, _)| place.to_string())
                    .collect(),
                None => own.iter().map(ToString::to_string).collect(),
            };
            for place in places_of {
                if let Some(other) = places.insert(place.clone(), name.value.clone()) {
                    let message = format!("`{}` and `{other}` are both written at `{place}`", name.value);
                    self.problem(&name, message, "Make one of them `read_only: true`.");
                }
            }
            properties.insert(name.value.clone(), property);
        }
        properties
    }

    fn property(&mut self, name: &At<String>, text: &PropertyTable) -> Property {
        let at = text.at.as_ref().map(|at| at.value.clone());
        let at = at.unwrap_or_else(|| Place::member(&name.value));
        let own: Vec<_> = text.form.iter().collect();
        let data_type = text.r#type.value.clone();
        let form = self.form(data_type.kind, &text.r#type, &own);
        let flag = |flag: &Option<At<bool>>| flag.as_ref().is_some_and(|flag| flag.value);
        let computed = text
            .computed
            .as_ref()
            .and_then(|computed| self.computed(name, computed));
        let one_way = computed
            .as_ref()
            .is_some_and(|computed| computed.write.is_empty());
        let property = Property {
            write_at: text
                .write_at
                .as_ref()
                .map_or_else(|| at.clone(), |at| at.value.clone()),
            at,
            required: flag(&text.required),
            unique: text.unique.unwrap_or_default(),
            read_only: flag(&text.read_only) || one_way,
            create_only: flag(&text.create_only),
            filled: text.filled.unwrap_or_default(),
            optional: text.optional.unwrap_or_default(),
            form,
            data_type,
            computed,
        };
        if let Some(written) = &text.computed {
            self.samples(name, &property, &written.value);
        }
        property
    }

    fn contradictions(&mut self, name: &At<String>, text: &PropertyTable, writes: bool) {
        let yes = |flag: &Option<At<bool>>| flag.as_ref().filter(|flag| flag.value).cloned();
        let (read_only, create_only) = (yes(&text.read_only), yes(&text.create_only));
        let said = &name.value;
        if let (Some(_), Some(at)) = (&read_only, &create_only) {
            let message = format!("`{said}` is never written, and given when a record is created");
            self.problem(at, message, "Keep one of `read_only` and `create_only`.");
        }
        if let (Some(_), Some(at)) = (&read_only, &text.write_at) {
            let message = format!("`{said}` is never written, and has a place to be written at");
            self.problem(at, message, "Keep one of `read_only` and `write_at`.");
        }
        if let (false, Some(at)) = (writes, &text.write_at) {
            let message = format!(
                "`{said}` is written, and nothing says how a {} is",
                self.name.value
            );
            self.problem(at, message, "Add `create:` or `update:`, or take `write_at` out.");
        }
        for (at, which) in [(&text.at, "at"), (&text.write_at, "write_at")] {
            if let Some(at) = at
                && matches!(at.value, Place::Header(_))
            {
                let help = "Write the way to a member of the record.";
                self.problem(at, format!("`{which}` of `{said}` is a header"), help);
            }
        }
        if let Some(computed) = &text.computed {
            for at in [&text.at, &text.write_at].into_iter().flatten() {
                let message = format!("`{said}` is computed, and has a place of its own");
                self.problem(at, message, "Keep one of `computed` and `at` or `write_at`.");
            }
            if let (Some(at), Some(_)) = (&read_only, &computed.value.write) {
                let message = format!("`{said}` is never written, and computed to be written");
                self.problem(
                    at,
                    message,
                    "Keep one of `read_only` and `write` under `computed`.",
                );
            }
        }
        let kind = text.r#type.value.kind;
        if let Some(pair) = text.form.as_ref().and_then(|form| form.pair.as_ref())
            && pair.value
            && kind != DataKind::Reference
        {
            let message = format!("`{said}` is shown as id and name, and is no reference");
            self.problem(pair, message, "Write `type: reference(...)`, or take `pair` out.");
        }
        if let Some(zone) = text.form.as_ref().and_then(|form| form.zone.as_ref())
            && kind != DataKind::DateTime
        {
            let message = format!("`{said}` has a zone, and is no datetime");
            self.problem(zone, message, "Take `zone` out, or write `type: datetime`.");
        }
        self.labels(name, text);
        let target = text.r#type.value.references.as_ref();
        if let Some(target) = target.filter(|target| !self.names.contains(target)) {
            let help = suggestion(target, self.names.iter().map(String::as_str));
            self.problem(
                &text.r#type,
                format!("`{said}` refers to `{target}`, which is not described"),
                help,
            );
        }
    }

    fn labels(&mut self, name: &At<String>, text: &PropertyTable) {
        let Some(labels) = text.form.as_ref().and_then(|form| form.labels.as_ref()) else {
            return;
        };
        let kind = text.r#type.value.kind;
        let said = &name.value;
        let values: Vec<&str> = match kind {
            DataKind::Enum => text.r#type.value.values.iter().map(String::as_str).collect(),
            DataKind::Boolean => vec!["true", "false"],
            _ => {
                let message = format!("`{said}` has labels, and is no enum");
                self.problem(name, message, "Write `type: enum(a|b)`, or take `labels` out.");
                return;
            }
        };
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        for (value, label) in &labels.0 {
            if !values.contains(&value.value.as_str()) {
                let help = suggestion(&value.value, values.iter().copied());
                self.problem(value, format!("`{}` is no value of `{said}`", value.value), help);
            }
            if let Some(other) = seen.insert(label, &value.value) {
                let message = format!(
                    "`{other}` and `{}` of `{said}` are shown as the same",
                    value.value
                );
                self.problem(value, message, "Give each value a label of its own.");
            }
        }
    }
}
