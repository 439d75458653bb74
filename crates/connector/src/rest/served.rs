//! A record type as it is served: what its records show, and how it is described.

mod fields;
mod observing;
mod schema;

use super::ask::Given;
use super::description::errors::Means;
use super::description::operations::{ListText, Style};
use super::description::place::{Place, plain};
use super::description::record::{Ids, Tombstone};
use super::description::template::literal;
use super::description::{Property, Type};
use super::language::{Part, member};
use super::parts;
use crate::TypeSchema;
use crate::http::Reply;
use jiff::Timestamp;
use reqwest::header::HeaderMap;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Arc;
use tandem_merge::computed::Computation;

/// Stands between the parts of a token.
pub(super) const PARTS: &str = "\u{1f}";

/// A number that hardly any record has for its id.
const NUMBER: &str = "2147483646";

/// One record type in use.
pub(super) struct Served {
    pub(super) of: Arc<Type>,
    pub(super) schema: TypeSchema,
    /// How changes are asked for, with what the list says besides.
    pub(super) changes: Option<ListText>,
    /// The properties that observations show.
    pub(super) shown: Vec<String>,
    /// The members of a record that are looked at.
    fields: Vec<String>,
    /// The ways to them.
    ways: Vec<String>,
    /// The list in a record that is shown with it, where records inside it are asked for.
    expansion: Option<String>,
    /// The properties that are computed out of them.
    computed: BTreeMap<String, Computation>,
    /// The type whose records hold them.
    holder: Option<Box<Served>>,
}

/// What shows a record: a reply of its own, or a page of a list.
pub(super) struct Sight<'a> {
    /// The headers of the reply, where it is the record's own.
    pub(super) headers: Option<&'a HeaderMap>,
    /// When the read began, by our clock.
    pub(super) began: Timestamp,
    /// A moment that the ERP's clock had reached then.
    pub(super) reached: Option<Timestamp>,
}

impl<'a> Sight<'a> {
    /// A page.
    pub(super) fn page(reply: &Reply) -> Self {
        Self {
            headers: None,
            began: reply.began,
            reached: reply.reached,
        }
    }

    /// A reply about one record.
    pub(super) fn own(reply: &'a Reply) -> Self {
        Self {
            headers: Some(&reply.headers),
            ..Self::page(reply)
        }
    }
}

impl Served {
    pub(super) fn new(
        of: &Arc<Type>,
        used: Option<&Vec<String>>,
        computed: BTreeMap<String, Computation>,
    ) -> Self {
        let names = of.properties.keys();
        let shown = names
            .filter(|name| used.is_none_or(|used| used.contains(name)))
            .cloned();
        let shown: Vec<String> = shown.collect();
        let holder = of.inside.as_ref().map(|inside| {
            let mut holder = Self::new(&inside.holder, None, BTreeMap::new());
            holder.fields.extend(fields::outermost(&inside.at));
            holder.ways.extend(fields::way(&inside.at));
            holder.expansion = holder.of.language.map(|language| language.expansion(&inside.at));
            Box::new(holder)
        });
        Self {
            fields: fields::looked_at(of, &shown),
            ways: fields::ways(of, &shown),
            shown,
            expansion: None,
            schema: schema::described(of, &computed),
            changes: of.changes.as_ref().map(|changes| changes.over(&of.list)),
            computed,
            holder,
            of: Arc::clone(of),
        }
    }

    /// The type whose records are asked for: the one that holds them, or itself.
    pub(super) fn holder(&self) -> &Self {
        self.holder.as_deref().unwrap_or(self)
    }

    /// Whether a property says of which holder a record is.
    pub(super) fn names_holder(&self, property: &str) -> bool {
        let place = self
            .holder
            .as_ref()
            .and_then(|holder| holder.of.record.id.as_ref());
        let place = place.and_then(|place| place.value.alone()?.seen_inside());
        place.is_some() && self.of.properties.get(property).map(|of| &of.at) == place.as_ref()
    }

    /// Whether a record says that it is deleted.
    pub(super) fn is_dead(&self, item: &Json) -> bool {
        let tombstone = self.of.record.deleted.as_ref();
        tombstone.is_some_and(|tombstone| is_dead(tombstone, item))
    }

    /// The name of the type.
    pub(super) fn name(&self) -> &str {
        &self.of.name
    }

    /// What fills the holes that every request of this type may have.
    pub(super) fn given(&self) -> Given {
        // What stands inside others is asked for with them, and as they are.
        if let Some(holder) = &self.holder {
            return holder.given();
        }
        let order: Vec<String> = self.of.key.iter().map(|part| member(&part.place)).collect();
        let given = Given::default()
            .with("collection", self.of.collection.as_str())
            .with("fields", self.fields.clone())
            .with("ways", self.ways.clone())
            .with("order", order.join(","))
            .maybe("select", self.selected())
            .maybe("expand", self.expansion.clone());
        let own = self.of.fill.iter();
        own.fold(given, |given, (name, json)| {
            given.with(&format!("fill.{name}"), json.clone())
        })
    }

    /// The id that an item shows.
    pub(super) fn id(&self, item: &Json) -> Option<String> {
        if let Some(inside) = &self.of.inside {
            return parts::shown_id(self, inside, item);
        }
        let part = |part: &Part| {
            let shown = part.place.of(item)?;
            match crate::http::salvage::reason(shown) {
                Some(_) => None,
                None => plain(shown),
            }
        };
        match self.of.key.as_slice() {
            [one] => part(one),
            all => Some(crate::key::join(
                &all.iter().map(part).collect::<Option<Vec<_>>>()?,
            )),
        }
    }

    /// Whether an id stands in an item that cannot be read.
    pub(super) fn is_id_unreadable(&self, item: &Json) -> bool {
        let places = self.of.key.iter().filter_map(|part| part.place.of(item));
        places
            .into_iter()
            .any(|shown| crate::http::salvage::reason(shown).is_some())
    }

    /// Whether a text can be an id here.
    pub(super) fn may_be_id(&self, id: &str) -> bool {
        let Some(parts) = self.parts(id) else {
            return false;
        };
        let fits = |part: &String| match self.of.record.ids {
            Some(Ids::Digits) => part.bytes().all(|byte| byte.is_ascii_digit()),
            Some(Ids::Guid) => is_guid(part),
            Some(Ids::Text) | None => true,
        };
        !id.is_empty()
            && parts.iter().all(fits)
            && self
                .of
                .language
                .is_none_or(|language| language.key(&self.of.key, id).is_some())
    }

    /// An id that no record has, and that is asked for as others are; none where that is none that can be thought of.
    pub(super) fn stranger(&self) -> Option<String> {
        if self.of.inside.is_some() {
            return Some(parts::id(self.holder().nobody(), self.nobody()));
        }
        let all = |part: &str| match self.of.key.len() {
            0 | 1 => part.to_owned(),
            parts => crate::key::join(&vec![part.to_owned(); parts]),
        };
        let tried = [self.nobody(), NUMBER].map(all);
        tried.into_iter().find(|id| self.may_be_id(id))
    }

    /// An id that no record has.
    pub(super) fn nobody(&self) -> &'static str {
        match self.of.record.ids {
            Some(Ids::Digits) => NUMBER,
            Some(Ids::Guid) => "ffffffff-ffff-4fff-bfff-fffffffffff0",
            Some(Ids::Text) | None => "tandem-no-such-record-0",
        }
    }

    /// The parts of an id; none where no key of so many members has it.
    fn parts(&self, id: &str) -> Option<Vec<String>> {
        match self.of.key.len() {
            1 => Some(vec![id.to_owned()]),
            parts => crate::key::split(id, parts),
        }
    }

    /// What a record's id is filled in as: whole, in parts, and as the language of filters writes it.
    pub(super) fn named(&self, id: &str) -> Given {
        let given = self.given().with("id", id);
        let parts = self.of.key.iter().zip(self.parts(id).unwrap_or_default());
        let given = parts.fold(given, |given, (part, value)| {
            given.with(&format!("id.{}", member(&part.place)), value)
        });
        let language = self
            .of
            .language
            .and_then(|language| language.key(&self.of.key, id));
        given.maybe(&literal("id"), language)
    }

    /// The id that the end of an address names.
    pub(super) fn id_of(&self, address: &str) -> Option<String> {
        match self.of.language {
            Some(language) => language.id(&self.of.key, address),
            None => Some(super::write::last_step(address)).filter(|id| !id.is_empty()),
        }
    }

    /// The members that are used; none where all are asked for: what is computed may use any of them, and what is written
    /// back as a whole must be read as a whole.
    fn selected(&self) -> Option<String> {
        let full = self.of.update.as_ref().and_then(|update| update.style.as_ref());
        if full.is_some_and(|style| style.value != Style::Partial) {
            return None;
        }
        let computed = |name: &String| {
            self.of
                .properties
                .get(name)
                .is_none_or(|of| of.computed.is_some())
        };
        if self.shown.iter().any(computed) {
            return None;
        }
        // What a reply says about a record is no member of it.
        let members = self.fields.iter().map(String::as_str);
        let names: Vec<&str> = members
            .filter(|name| !name.contains('@') && !name.starts_with("__"))
            .collect();
        Some(names.join(","))
    }

    /// The name of the property that the ERP calls so.
    pub(super) fn property_of(&self, named: &str) -> String {
        let place = Place::parse(named).ok();
        let is = |property: &Property| {
            Some(&property.write_at) == place.as_ref() || Some(&property.at) == place.as_ref()
        };
        let found = self.of.properties.iter().find(|(_, property)| is(property));
        found.map_or_else(|| named.to_owned(), |(name, _)| name.clone())
    }

    /// Whether a read that is answered so says that the record was deleted.
    pub(super) fn says_deleted(&self, status: u16, means: Option<Means>) -> bool {
        let named = self.of.read.as_ref().and_then(|read| read.gone.as_ref());
        match named {
            Some(named) => named.contains(&u32::from(status)),
            None => status == 410 && means == Some(Means::Gone),
        }
    }
}

/// 32 hexadecimal digits in groups of 8, 4, 4, 4 and 12.
fn is_guid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths = groups.iter().map(|group| group.len());
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

fn is_dead(tombstone: &Tombstone, item: &Json) -> bool {
    let shown = tombstone.at.of(item).and_then(plain);
    shown.is_some_and(|shown| tombstone.equals.contains(&shown))
}
