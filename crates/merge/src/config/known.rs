//! What is known of the kinds of systems before any of them is asked: their objects with properties and types,
//! the objects that may serve a record type, and the secrets that a connection needs. It finds wrong types without a
//! call, and misspelled names where a kind has no others; an *open* kind may have any, and only what is no name at all
//! is found before it is asked. What a system says of itself wins over it later. The knowledge is data: no system's
//! name stands in the code.

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
    /// The ways of signing in, the usual one first.
    sign_ins: Vec<SignInKnown>,
    /// The share of the system's day and, of that, what is kept for live changes, in percent; none where the
    /// system limits no calls.
    budget: Option<(u32, u32)>,
    /// How the names of objects and properties end that a customer adds.
    custom: Option<&'static str>,
    /// It has objects and properties besides those listed: it is asked about names.
    open: bool,
}

/// A way of signing in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SignInKnown {
    /// Its name; empty where the kind has one way alone.
    pub(crate) name: &'static str,
    /// The secrets it takes.
    pub(crate) secrets: Vec<SecretKnown>,
    /// It signs in as a user, who is named.
    pub(crate) user: bool,
}

/// A secret that a way of signing in takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SecretKnown {
    /// Its name.
    pub(crate) name: &'static str,
    /// It may be left out.
    pub(crate) optional: bool,
    /// It is replaced now and then, so it is kept in a file.
    pub(crate) replaced: bool,
}

impl SignInKnown {
    /// Reads `client_id client_secret? refresh_token! user=`.
    fn read(name: &'static str, takes: &'static str) -> Self {
        let words = takes.split_whitespace().filter(|word| !word.ends_with('='));
        let secrets = words.map(|word| SecretKnown {
            name: word.trim_end_matches(['?', '!']),
            optional: word.ends_with('?'),
            replaced: word.ends_with('!'),
        });
        Self {
            name,
            secrets: secrets.collect(),
            user: takes.split_whitespace().any(|word| word == "user="),
        }
    }
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
                "secret" => known.sign_ins.push(SignInKnown::read("", name)),
                "sign-in" => known.sign_ins.push(SignInKnown::read(name, value)),
                "budget" => known.budget = name.parse().ok().zip(value.parse().ok()),
                "custom" => known.custom = Some(*name),
                "open" => known.open = true,
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

    /// The ways of signing in, the usual one first; none of a kind that is not listed.
    pub(crate) fn sign_ins(&self) -> &[SignInKnown] {
        &self.sign_ins
    }

    /// The usual budget: share and live reserve, in percent.
    pub(crate) fn budget(&self) -> Option<(u32, u32)> {
        self.budget
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

    /// Whether there can be an object of that name: it is listed, one that a customer added, of a kind that is not
    /// listed at all, or of an open kind.
    pub(crate) fn can_have(&self, object: &str) -> bool {
        match self.open {
            true => is_name(object),
            false => self.objects.is_empty() || self.objects.contains_key(object) || self.is_custom(object),
        }
    }

    /// What to write instead of an object that there cannot be.
    pub(crate) fn instead_of(&self, object: &str) -> String {
        match self.open {
            true => NAMES.to_owned(),
            false => suggestion(object, self.objects().chain(self.types_with_choices())),
        }
    }

    /// What is known of a property.
    pub(crate) fn property(&self, object: &str, name: &str) -> PropertyKnown {
        if self.open && !is_name(name) {
            return PropertyKnown::Absent(NAMES.to_owned());
        }
        let Some(properties) = self.objects.get(object) else {
            return PropertyKnown::Free;
        };
        if let Some(type_text) = properties.get(name) {
            return PropertyKnown::There(type_text);
        }
        if self.open {
            return PropertyKnown::Free;
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

/// What every name of an open kind is made of.
const NAMES: &str = "Names begin with a letter and have letters, digits and `_` alone.";

fn is_name(name: &str) -> bool {
    let signs = |sign: char| sign.is_ascii_alphanumeric() || sign == '_';
    name.starts_with(|sign: char| sign.is_ascii_alphabetic()) && name.chars().all(signs)
}

fn rows(table: &'static str) -> impl Iterator<Item = std::str::Split<'static, char>> {
    table.lines().skip(1).map(|line| line.split(','))
}
