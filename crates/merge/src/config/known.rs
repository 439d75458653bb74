//! What is known of the kinds of systems before any of them is asked: their objects with properties and types,
//! the objects that may serve a record type, and the secrets that a connection needs. It finds misspelled names
//! and wrong types without a call; what a system says of itself wins over it later. The knowledge is data: no
//! system's name stands in the code.

use super::problem::suggestion;
use std::collections::{BTreeMap, BTreeSet};

const KINDS: &str = include_str!("known/kinds.csv");
const PROPERTIES: &str = include_str!("known/properties.csv");

/// What is known of one kind of system. Nothing at all of a kind that is not listed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// Properties with their types, by object.
    objects: BTreeMap<&'static str, BTreeMap<&'static str, &'static str>>,
    /// The objects that may serve a record type, where there is a choice.
    choices: BTreeMap<&'static str, Vec<&'static str>>,
    /// The secrets that a connection needs.
    secrets: BTreeSet<&'static str>,
    /// How the names of objects and properties end that a customer adds.
    custom: Option<&'static str>,
}

/// What is known of a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PropertyKnown {
    /// It is there, with this type.
    There(&'static str),
    /// Nothing is known: an object that is not listed, or a property that the customer added.
    Free,
    /// It is not there, and what to write instead.
    Absent(String),
}

/// The kinds of systems that have connectors.
pub(crate) fn kinds() -> Vec<&'static str> {
    let kinds: BTreeSet<_> = rows(KINDS).filter_map(|mut cells| cells.next()).collect();
    kinds.into_iter().collect()
}

impl Known {
    /// What is known of a kind.
    pub(crate) fn of(kind: &str) -> Self {
        let mut known = Self::default();
        for row in rows(KINDS).map(Iterator::collect::<Vec<_>>) {
            let [of, what, name, value] = row.as_slice() else {
                continue;
            };
            match *what {
                _ if *of != kind => {}
                "secret" => {
                    known.secrets.insert(*name);
                }
                "custom" => known.custom = Some(*name),
                _ => known.choices.entry(*name).or_default().push(*value),
            }
        }
        for row in rows(PROPERTIES).map(Iterator::collect::<Vec<_>>) {
            if let [of, object, property, type_text] = row.as_slice()
                && *of == kind
            {
                let properties = known.objects.entry(*object).or_default();
                properties.insert(*property, *type_text);
            }
        }
        known
    }

    /// The secrets that a connection needs.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &'static str> {
        self.secrets.iter().copied()
    }

    /// The objects that may serve a record type, where there is a choice.
    pub(crate) fn choices(&self, record_type: &str) -> Option<&[&'static str]> {
        self.choices.get(record_type).map(Vec::as_slice)
    }

    /// The record types with a choice of objects.
    pub(crate) fn types_with_choices(&self) -> impl Iterator<Item = &'static str> {
        self.choices.keys().copied()
    }

    /// The objects listed.
    pub(crate) fn objects(&self) -> impl Iterator<Item = &'static str> {
        self.objects.keys().copied()
    }

    /// Whether the name is one that a customer may have added.
    pub(crate) fn is_custom(&self, name: &str) -> bool {
        self.custom.is_some_and(|ending| name.ends_with(ending))
    }

    /// Whether the object is listed.
    pub(crate) fn has_object(&self, object: &str) -> bool {
        self.objects.contains_key(object)
    }

    /// What is known of a property.
    pub(crate) fn property(&self, object: &str, name: &str) -> PropertyKnown {
        let Some(properties) = self.objects.get(object) else {
            return PropertyKnown::Free;
        };
        if let Some(type_text) = properties.get(name) {
            return PropertyKnown::There(type_text);
        }
        if self.is_custom(name) {
            return PropertyKnown::Free;
        }
        PropertyKnown::Absent(suggestion(name, properties.keys().copied()))
    }

    /// The type of a property, where it is known.
    pub(crate) fn type_of(&self, object: &str, name: &str) -> Option<&'static str> {
        match self.property(object, name) {
            PropertyKnown::There(type_text) => Some(type_text),
            PropertyKnown::Free | PropertyKnown::Absent(_) => None,
        }
    }
}

fn rows(table: &'static str) -> impl Iterator<Item = std::str::Split<'static, char>> {
    table.lines().skip(1).map(|line| line.split(','))
}
