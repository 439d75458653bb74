//! Record types whose records stand inside others.

use super::super::inside::{Inside, InsideStyle, InsideText};
use super::super::place::Place;
use super::super::record::{KeyText, Possible, RecordText, RecordTypeText};
use super::super::{Property, Type};
use super::Scope;
use crate::rest::description::operations::Style;
use crate::rest::description::property::DataKind;
use crate::rest::language::{Literal, Part};
use std::collections::BTreeMap;
use std::sync::Arc;
use tandem_merge::config::node::At;
use tandem_merge::config::suggestion;

impl Scope<'_, '_> {
    /// A type that is read and written with the one that holds it.
    pub(super) fn part(
        &mut self,
        own: RecordTypeText,
        inside: &At<InsideText>,
        types: &BTreeMap<String, Arc<Type>>,
    ) -> Option<Type> {
        self.apart(&own);
        let inside = self.inside(&own, inside, types)?;
        let holder = Arc::clone(&inside.holder);
        let written = own.properties.unwrap_or_default();
        if written.0.is_empty() {
            let help = "Add `properties: { quantity: integer }`.";
            self.problem(self.name, format!("{} has no properties", self.name.value), help);
        }
        let mut properties = self.properties(written, holder.update.is_some());
        self.around(&inside, &mut properties);
        Some(Type {
            name: self.name.value.clone(),
            collection: holder.collection.clone(),
            fill: holder.fill.clone(),
            key: vec![Part {
                place: inside.id.clone(),
                literal: Literal::Text,
            }],
            language: None,
            record: inside_record(own.record.map(|record| record.value), &inside, self.name),
            list: holder.list.clone(),
            changes: holder.changes.clone(),
            deletions: holder.deletions.clone(),
            read: holder.read.clone(),
            find: None,
            create: None,
            update: None,
            delete: None,
            actions: Vec::new(),
            push: None,
            compare_every: own.compare_every.or(holder.compare_every),
            properties,
            moments: self.form(DataKind::DateTime, self.name, &[]),
            inside: Some(inside),
        })
    }

    /// Where its records stand, and what can be done with them there.
    fn inside(
        &mut self,
        own: &RecordTypeText,
        inside: &At<InsideText>,
        types: &BTreeMap<String, Arc<Type>>,
    ) -> Option<Inside> {
        let text = &inside.value;
        let named = &text.r#type;
        let found = types.get(&named.value);
        let Some(holder) = found.filter(|of| of.inside.is_none()) else {
            let message = match self.names.contains(&named.value) {
                true => format!(
                    "`{}` stands inside another one itself, or is not right yet",
                    named.value
                ),
                false => format!("there is no record type `{}`", named.value),
            };
            let help = suggestion(&named.value, types.keys().map(String::as_str));
            self.problem(named, message, help);
            return None;
        };
        if holder
            .changes
            .as_ref()
            .is_some_and(|changes| changes.delta.is_some())
        {
            let message = format!(
                "changes of {} come by links, which do not show what stands inside",
                holder.name
            );
            let help = "Ask for its changes by `since`, or write `changes: none`.";
            self.problem(inside, message, help);
        }
        for place in [&text.at, &text.id] {
            if matches!(place.value, Place::Header(_)) {
                self.problem(
                    place,
                    "a header is no member of a record",
                    "Write the way to a member.",
                );
            }
        }
        let style = holder.update.as_ref().and_then(|update| update.style.as_ref());
        if style.is_some_and(|style| style.value == Style::Dataset) {
            let message = format!(
                "{} is a set of data, whose rows say themselves what becomes of them",
                holder.name
            );
            let help = "Describe its rows as a record type of their own, with `style: dataset`.";
            self.problem(inside, message, help);
        }
        // OData has lists that are shown with a record; only some services take one that is sent back with it.
        let read_alone = self.odata && text.style.is_none();
        let style = text
            .style
            .as_ref()
            .map_or(InsideStyle::Replace, |style| style.value);
        if let (InsideStyle::Replace, Some(_)) = (style, &text.removed) {
            let help = "Take `removed:` out, or write `style: merge`.";
            self.problem(
                inside,
                "an entry is taken away by leaving it out where all are sent",
                help,
            );
        }
        let may = |said: bool| said && !read_alone && holder.update.is_some();
        let takes_away = style == InsideStyle::Replace || text.removed.is_some();
        Some(Inside {
            at: text.at.value.clone(),
            id: text.id.value.clone(),
            style,
            creates: may(possible(own.create.as_ref())),
            updates: may(possible(own.update.as_ref())),
            deletes: may(possible(own.delete.as_ref())) && takes_away,
            removed: text.removed.clone(),
            holder: Arc::clone(holder),
        })
    }

    /// What stands around a record is read; but what names its holder is given when the record is created.
    fn around(&mut self, inside: &Inside, properties: &mut BTreeMap<String, Property>) {
        let holder = &inside.holder;
        let named = holder
            .record
            .id
            .as_ref()
            .and_then(|id| id.value.alone()?.seen_inside());
        let mut says = false;
        for property in properties.values_mut().filter(|one| one.at.is_around()) {
            match Some(&property.at) == named.as_ref() {
                true => (property.create_only, says) = (true, true),
                false => property.read_only = true,
            }
        }
        if inside.creates && !says {
            let help = match named {
                Some(place) => format!(
                    "Add a property such as `{}: {{ type: reference({}), at: {place} }}`, or write `create: none`.",
                    holder.name.to_lowercase(),
                    holder.name
                ),
                None => "Write `create: none`: no property holds a key of several members.".to_owned(),
            };
            let message = format!("nothing says of which {} a {} is", holder.name, self.name.value);
            self.problem(self.name, message, help);
        }
    }

    /// Complains about requests of its own.
    fn apart(&mut self, own: &RecordTypeText) {
        fn places<T>(said: Option<&At<T>>) -> Option<At<()>> {
            said.map(|said| said.with(()))
        }
        fn yes<T>(said: Option<&At<Possible<T>>>) -> Option<At<()>> {
            said.filter(|said| said.value.yes().is_some())
                .map(|said| said.with(()))
        }
        let said = [
            ("list", places(own.list.as_ref())),
            ("read", places(own.read.as_ref())),
            ("changes", yes(own.changes.as_ref())),
            ("deletions", yes(own.deletions.as_ref())),
            ("find", yes(own.find.as_ref())),
            ("create", yes(own.create.as_ref())),
            ("update", yes(own.update.as_ref())),
            ("delete", yes(own.delete.as_ref())),
        ];
        for (key, place) in said {
            if let Some(place) = place {
                let message =
                    format!("what stands inside another record is read and written with it, not by `{key}`");
                let help =
                    format!("Take `{key}:` out, or `inside:`, where the ERP has requests for these alone.");
                self.problem(&place, message, help);
            }
        }
    }
}

/// Nothing forbids it.
fn possible<T>(said: Option<&At<Possible<T>>>) -> bool {
    said.is_none_or(|said| said.value.yes().is_some())
}

/// Where things stand in a record inside another one: who changed it, and when, is said of the whole.
fn inside_record(own: Option<RecordText>, inside: &Inside, name: &At<String>) -> RecordText {
    let own = own.unwrap_or_else(RecordText::empty);
    let around = &inside.holder.record;
    RecordText {
        id: Some(name.with(KeyText(vec![inside.id.clone()]))),
        ids: None,
        modified: own.modified.or_else(|| around.modified.as_ref()?.seen_inside()),
        author: own.author.or_else(|| around.author.as_ref()?.seen_inside()),
        ..own
    }
}
