//! A record type as it is served: what its records show, and how it is described.

mod fields;
mod schema;

use super::ask::Given;
use super::description::errors::Means;
use super::description::operations::{ListText, Style};
use super::description::place::{Place, plain};
use super::description::record::{Ids, Moment, TokenPlaces, Tombstone};
use super::description::template::literal;
use super::description::times::Granularity;
use super::description::{Property, Type};
use super::language::{Part, member};
use super::parts;
use crate::TypeSchema;
use crate::http::Reply;
use crate::shown::{compute, missing, token};
use jiff::{SignedDuration, Timestamp};
use reqwest::header::HeaderMap;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Arc;
use tandem_merge::computed::Computation;
use tandem_merge::record::{Observation, Presence, RecordKey, Values, Version};
use tandem_merge::value::Value;

/// Stands between the parts of a token.
pub(super) const PARTS: &str = "\u{1f}";

/// One record type in use.
pub(super) struct Served {
    pub(super) of: Arc<Type>,
    pub(super) schema: TypeSchema,
    /// How changes are asked for, with what the list says besides.
    pub(super) changes: Option<ListText>,
    /// The properties that observations show.
    shown: Vec<String>,
    /// The members of a record that are looked at.
    fields: Vec<String>,
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
            Box::new(holder)
        });
        Self {
            fields: fields::looked_at(of, &shown),
            shown,
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
            .with("order", order.join(","))
            .maybe("select", self.selected());
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

    /// An id that no record has.
    pub(super) fn nobody(&self) -> &'static str {
        match self.of.record.ids {
            Some(Ids::Digits) => "2147483646",
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

    /// The state that an item shows; none if it does not say whose. Of one whose state cannot be told apart from others
    /// nothing is taken.
    pub(super) fn observation(&self, system: &str, item: &Json, sight: &Sight<'_>) -> Option<Observation> {
        let key = RecordKey::new(system, self.name(), self.id(item)?);
        let blank = missing(key, sight.began);
        let deleted = self.is_dead(item);
        let (values, unreadable) = if deleted {
            Default::default()
        } else {
            self.values(item)
        };
        let version = match self.version(item, sight, &values) {
            Ok(version) => version,
            Err((place, why)) => {
                return Some(Observation {
                    unreadable: BTreeMap::from([(place, why)]),
                    ..blank
                });
            }
        };
        let author = self.of.record.author.as_ref();
        let mut shown = Observation {
            presence: match deleted {
                true => Presence::Deleted,
                false => Presence::Alive,
            },
            values,
            version: Some(version),
            created: self
                .of
                .record
                .created
                .as_ref()
                .and_then(|at| self.moment(at, item).ok().flatten()),
            author: author.and_then(|at| at.of(item)).and_then(plain),
            unreadable,
            ..blank
        };
        compute(&mut shown, &self.computed);
        Some(shown)
    }

    /// A time of a record; none where it is blank.
    fn moment(&self, at: &Moment, item: &Json) -> Result<Option<Timestamp>, (String, String)> {
        let form = &self.of.moments.moments;
        let places = match at {
            Moment::At(places) => places.as_slice(),
            Moment::Latest(places) => {
                let each = places
                    .iter()
                    .map(|place| self.first_moment(std::slice::from_ref(place), item));
                let all: Vec<Option<Timestamp>> = each.collect::<Result<_, _>>()?;
                return Ok(all.into_iter().flatten().max());
            }
            Moment::Split { date, time } => {
                let both = date.of(item).zip(time.of(item));
                let joined = both.and_then(|(date, time)| form.joined(date, time));
                let why = || (date.to_string(), "it is no date with a time of day".to_owned());
                return joined.map(Some).ok_or_else(why);
            }
        };
        self.first_moment(places, item)
    }

    /// The first time of these that is not blank.
    fn first_moment(&self, places: &[Place], item: &Json) -> Result<Option<Timestamp>, (String, String)> {
        let mut shown_at_all = false;
        for place in places {
            let Some(shown) = place.of(item) else {
                continue;
            };
            shown_at_all = true;
            let of = moment_type();
            match self.of.moments.decode(&of, Some(shown)) {
                Ok(Value::DateTime(moment)) => return Ok(Some(moment)),
                Ok(_) => {}
                Err(why) => return Err((place.to_string(), why)),
            }
        }
        match (shown_at_all, places.last()) {
            (false, Some(place)) => Err((place.to_string(), "it is not shown".to_owned())),
            _ => Ok(None),
        }
    }

    /// The state that an item shows, or which member does not tell it, and why.
    fn version(&self, item: &Json, sight: &Sight<'_>, values: &Values) -> Result<Version, (String, String)> {
        let record = &self.of.record;
        let modified = match &record.modified {
            Some(at) => self.moment(at, item)?,
            None => None,
        };
        if let (Some(Moment::At(places) | Moment::Latest(places)), None) = (&record.modified, modified) {
            let place = places.last().map(ToString::to_string).unwrap_or_default();
            return Err((place, "it is blank".to_owned()));
        }
        let order = match &record.order {
            Some(place) => {
                let number = place
                    .of(item)
                    .and_then(plain)
                    .and_then(|text| text.parse::<i64>().ok());
                let why = || (place.to_string(), "it is no whole number".to_owned());
                Some(number.ok_or_else(why)?)
            }
            None => None,
        };
        let token = match &record.token {
            Some(places) => {
                let token = named(&places.value, item, sight)?;
                let fill = |_: &str| Some(Json::String(token.clone()));
                let written = record.token_as.as_ref().and_then(|text| text.value.text(&fill));
                written.unwrap_or(token)
            }
            // When its holder was changed says nothing of a record inside it.
            None => digest(values, modified.filter(|_| self.of.inside.is_none())),
        };
        Ok(Version {
            token,
            order,
            modified: modified.unwrap_or(sight.began),
            firm: self.firm(modified, sight),
            coarse: modified.map_or(SignedDuration::ZERO, |modified| self.coarse(item, modified)),
        })
    }

    /// How coarse the time is at which an item says that it was changed. What stands on a minute or a day is as coarse as
    /// times that are asked for by; seconds are within what clocks differ by.
    fn coarse(&self, item: &Json, modified: Timestamp) -> SignedDuration {
        let form = &self.of.moments.moments;
        let places = match &self.of.record.modified {
            Some(Moment::At(places) | Moment::Latest(places)) => places.as_slice(),
            _ => &[],
        };
        let mut shown = places.iter().filter_map(|place| place.of(item));
        if shown.any(|shown| form.is_day(shown) && form.moment(shown) == Some(modified)) {
            return Granularity::Day.length();
        }
        let since = self
            .of
            .changes
            .as_ref()
            .and_then(|changes| changes.since.as_ref());
        let step = since.and_then(|since| since.granularity).map(Granularity::length);
        let coarse = |step: &SignedDuration| {
            *step > SignedDuration::from_secs(1) && form.floor(modified, *step) == modified
        };
        step.filter(coarse).unwrap_or_default()
    }

    /// Whether later edits must show another token.
    fn firm(&self, modified: Option<Timestamp>, sight: &Sight<'_>) -> bool {
        let Some((step, modified)) = self.of.record.token_granularity.zip(modified) else {
            return true;
        };
        let after = modified.checked_add(Granularity::length(step));
        after.is_ok_and(|after| sight.reached.is_some_and(|reached| reached >= after))
    }

    /// The values of an item, and why the others cannot be read.
    fn values(&self, item: &Json) -> (Values, BTreeMap<String, String>) {
        let (mut values, mut unreadable) = (Values::new(), BTreeMap::new());
        for name in &self.shown {
            let Some(property) = self.of.properties.get(name) else {
                continue;
            };
            match property.shown(item) {
                Ok(value) => drop(values.insert(name.clone(), value)),
                Err(why) => drop(unreadable.insert(name.clone(), why)),
            }
        }
        (values, unreadable)
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

/// What names the state of a record, part by part.
fn named(places: &TokenPlaces, item: &Json, sight: &Sight<'_>) -> Result<String, (String, String)> {
    let none = HeaderMap::new();
    let part = |place: &Place| {
        let shown = place.shown(item, sight.headers.unwrap_or(&none))?;
        plain(&shown).or_else(|| match shown.as_ref() {
            // A list of what belongs to the record: any change in it is one of the record.
            table @ (Json::Array(_) | Json::Object(_)) if places.alone().is_none() => {
                Some(token(table.to_string().as_bytes()))
            }
            _ => None,
        })
    };
    let parts: Vec<Option<String>> = places.0.iter().map(part).collect();
    match (parts.first(), places.0.first()) {
        (Some(None), Some(place)) => {
            let why = "the record's token is not shown".to_owned();
            Err((place.to_string(), why))
        }
        _ => {
            let texts: Vec<String> = parts.into_iter().map(Option::unwrap_or_default).collect();
            Ok(texts.join(PARTS))
        }
    }
}

fn moment_type() -> super::description::property::DataType {
    super::description::property::DataType {
        kind: super::description::property::DataKind::DateTime,
        length: None,
        precision: None,
        scale: None,
        values: Vec::new(),
        references: None,
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

/// A name for the state of a record whose ERP gives it none.
fn digest(values: &Values, modified: Option<Timestamp>) -> String {
    token(&serde_json::to_vec(&(values, modified)).unwrap_or_default())
}
