//! What is known of the kinds of systems before any of them is asked: what a connection of that kind needs, the objects
//! that may serve a record type, and properties of its objects with their types. Names are asked for: an *open*
//! kind may have any, and only what can be no name at all is found without a call. What a system said of itself
//! ([`Described`]) finds the rest. The knowledge is data that comes with the connectors ([`Kinds`]).

use super::problem::suggestion;
use super::type_text::digits;
use std::collections::{BTreeMap, BTreeSet};

/// The name of a record's own id.
const ID: &str = crate::matching::ID;

/// The kinds of systems that there are connectors for, as tables with commas, each below a line of headings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds {
    /// `kind,what,name,value`: a fact about a kind.
    pub kinds: &'static str,
    /// `kind,object,property,type`: a property that every system of a kind has.
    pub properties: &'static str,
}

/// What a system said of itself: by record type or object, its properties with their types, such as
/// `reference(Customer)`.
pub type Described = BTreeMap<String, BTreeMap<String, String>>;

/// What is known of one kind of system. Nothing at all of a kind that is not listed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// Properties with their types, by object.
    objects: BTreeMap<String, BTreeMap<String, String>>,
    /// The objects are those that a system described: they have these properties and no others.
    described: bool,
    /// What the system said of itself, of whatever kind it is.
    said: Described,
    /// It is asked next: what it alone can tell is not guessed.
    asked_next: bool,
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
    open: Option<Names>,
    /// What a connection says besides its kind.
    needs: Vec<&'static str>,
    /// How its address begins, where that is not by HTTP.
    schemes: Vec<&'static str>,
    /// The record types that it tells of by events where the configuration does not say, the most important first; none
    /// where it tells of nothing by itself.
    events: Option<Vec<&'static str>>,
    /// Its writes may travel in several ways.
    ways: bool,
}

/// What names of an open kind are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    /// ASCII letters, digits and `_`, a letter first.
    Letters,
    /// Anything that can be read.
    Any,
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
    There(String),
    /// Nothing is known: an object that is not listed, or a property that the customer added.
    Free,
    /// It is not there, and what to write instead.
    Absent(String),
}

impl Kinds {
    /// Their names.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        let kinds: BTreeSet<_> = rows(self.kinds).filter_map(|mut cells| cells.next()).collect();
        kinds.into_iter().collect()
    }
}

impl Known {
    /// What is known of a kind.
    pub(crate) fn of(kind: &str, kinds: &Kinds) -> Self {
        let mut known = Self::default();
        for row in rows(kinds.kinds).map(Iterator::collect::<Vec<_>>) {
            let [of, what, name, value] = row.as_slice() else {
                continue;
            };
            match *what {
                _ if *of != kind => {}
                "secret" => known.sign_ins.push(SignInKnown::read("", name)),
                "sign-in" => known.sign_ins.push(SignInKnown::read(name, value)),
                "budget" => known.budget = name.parse().ok().zip(value.parse().ok()),
                "custom" => known.custom = Some(*name),
                "open" if *name == "letters" => known.open = Some(Names::Letters),
                "open" => known.open = Some(Names::Any),
                "needs" => known.needs = name.split(' ').collect(),
                "schemes" => known.schemes = name.split(' ').collect(),
                "ways" => known.ways = true,
                "events" => known.events = Some(name.split(' ').collect()),
                _ => known.choices.entry(*name).or_default().push(*value),
            }
        }
        for row in rows(kinds.properties).map(Iterator::collect::<Vec<_>>) {
            if let [of, object, property, type_text] = row.as_slice()
                && *of == kind
            {
                let properties = known.objects.entry((*object).to_owned()).or_default();
                properties.insert((*property).to_owned(), (*type_text).to_owned());
            }
        }
        known
    }

    /// The same where a system of an open kind described itself; a kind whose names are listed stays as it is.
    pub(crate) fn described(mut self, described: Option<&Described>) -> Self {
        if let (Some(described), Some(Names::Any)) = (described, self.open) {
            self.objects.clone_from(described);
            self.described = true;
        }
        if let Some(described) = described {
            self.said.clone_from(described);
        }
        self
    }

    /// The same for whoever asks the system next.
    pub(crate) fn asked_next(self, asked_next: bool) -> Self {
        Self { asked_next, ..self }
    }

    /// Whether the system is asked next.
    pub(crate) fn is_asked_next(&self) -> bool {
        self.asked_next
    }

    /// What a connection says besides its kind: `url`, `description`, `folder`, `command`.
    pub(crate) fn needs(&self) -> &[&'static str] {
        &self.needs
    }

    /// The ways of signing in, the usual one first; none of a kind that is not listed.
    pub(crate) fn sign_ins(&self) -> &[SignInKnown] {
        &self.sign_ins
    }

    /// Its record types go by the names that its description gives them.
    pub(crate) fn names_objects(&self) -> bool {
        self.open == Some(Names::Any)
    }

    /// How its address begins.
    pub(crate) fn schemes(&self) -> &[&'static str] {
        match self.schemes.as_slice() {
            [] => &["https://", "http://"],
            schemes => schemes,
        }
    }

    /// The usual budget: share and live reserve, in percent.
    pub(crate) fn budget(&self) -> Option<(u32, u32)> {
        self.budget
    }

    /// The record types that it tells of by events; none where it tells of nothing by itself.
    pub(crate) fn events(&self) -> Option<&[&'static str]> {
        self.events.as_deref()
    }

    /// Whether its writes may travel in several ways.
    pub(crate) fn has_ways(&self) -> bool {
        self.ways
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
    pub(crate) fn objects(&self) -> impl Iterator<Item = &str> {
        self.objects.keys().map(String::as_str)
    }

    /// Whether the name is one that a customer may have added.
    pub(crate) fn is_custom(&self, name: &str) -> bool {
        self.custom.is_some_and(|ending| name.ends_with(ending))
    }

    /// Whether there can be an object of that name: it is listed, one that a customer added, of a kind that is not
    /// listed at all, or of an open kind.
    pub(crate) fn can_have(&self, object: &str) -> bool {
        match self.open {
            Some(names) if !self.described => names.has(object),
            _ => self.objects.is_empty() || self.objects.contains_key(object) || self.is_custom(object),
        }
    }

    /// What to write instead of an object that there cannot be.
    pub(crate) fn instead_of(&self, object: &str) -> String {
        match self.open {
            Some(names) if !self.described => names.said().to_owned(),
            _ => suggestion(object, self.objects().chain(self.choices.keys().copied())),
        }
    }

    /// What is known of a property.
    pub(crate) fn property(&self, object: &str, name: &str) -> PropertyKnown {
        if let Some(names) = self.open.filter(|names| !names.has(name)) {
            return PropertyKnown::Absent(names.said().to_owned());
        }
        let Some(properties) = self.objects.get(object) else {
            return PropertyKnown::Free;
        };
        if let Some(type_text) = properties.get(name) {
            return PropertyKnown::There(type_text.clone());
        }
        // A record's own id is always there, and never described.
        if name == ID || (self.open.is_some() && !self.described) || self.is_custom(name) {
            return PropertyKnown::Free;
        }
        PropertyKnown::Absent(suggestion(name, properties.keys().map(String::as_str)))
    }

    /// How many digits a number has in all and behind the point, where the system said so.
    pub(crate) fn digits(&self, object: &str, name: &str) -> Option<(u32, u32)> {
        digits(self.said.get(object)?.get(name)?)
    }

    /// The type of a property, where it is known.
    pub(crate) fn type_of(&self, object: &str, name: &str) -> Option<String> {
        match self.property(object, name) {
            PropertyKnown::There(type_text) => Some(type_text),
            PropertyKnown::Free | PropertyKnown::Absent(_) => None,
        }
    }
}

impl Names {
    fn has(self, name: &str) -> bool {
        let signs = |sign: char| sign.is_ascii_alphanumeric() || sign == '_';
        match self {
            Self::Letters => {
                name.starts_with(|sign: char| sign.is_ascii_alphabetic()) && name.chars().all(signs)
            }
            Self::Any => !name.is_empty() && name.trim() == name && !name.chars().any(char::is_control),
        }
    }

    /// For people.
    fn said(self) -> &'static str {
        match self {
            Self::Letters => "Names begin with a letter and have letters, digits and `_` alone.",
            Self::Any => "A name has letters or other signs that can be read, and no space at its ends.",
        }
    }
}

fn rows(table: &'static str) -> impl Iterator<Item = std::str::Split<'static, char>> {
    table.lines().skip(1).map(|line| line.split(','))
}
