//! What an item shows of a record: its values, and the state that it is in.

use super::super::description::place::{Place, plain};
use super::super::description::property::{DataKind, DataType};
use super::super::description::record::{Moment, TokenPlaces};
use super::super::description::times::Granularity;
use super::{PARTS, Served, Sight};
use crate::shown::{compute, missing, token};
use jiff::{SignedDuration, Timestamp};
use reqwest::header::HeaderMap;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use tandem_merge::record::{Observation, Presence, RecordKey, Values, Version};
use tandem_merge::value::Value;

impl Served {
    /// The state that an item shows; none if it does not say whose. Of one whose state cannot be told apart from others
    /// nothing is taken.
    pub(in super::super) fn observation(
        &self,
        system: &str,
        item: &Json,
        sight: &Sight<'_>,
    ) -> Option<Observation> {
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
                let mut latest = None;
                for place in places {
                    let each = place.each(item);
                    let each = each.ok_or_else(|| (place.to_string(), "it is not shown".to_owned()))?;
                    for shown in each {
                        latest = latest.max(self.decoded_moment(place, shown)?);
                    }
                }
                return Ok(latest);
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
            if let Some(moment) = self.decoded_moment(place, shown)? {
                return Ok(Some(moment));
            }
        }
        match (shown_at_all, places.last()) {
            (false, Some(place)) => Err((place.to_string(), "it is not shown".to_owned())),
            _ => Ok(None),
        }
    }

    /// The time that is shown at a place; none where it is blank.
    fn decoded_moment(&self, place: &Place, shown: &Json) -> Result<Option<Timestamp>, (String, String)> {
        match self.of.moments.decode(&moment_type(), Some(shown)) {
            Ok(Value::DateTime(moment)) => Ok(Some(moment)),
            Ok(_) => Ok(None),
            Err(why) => Err((place.to_string(), why)),
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
        let mut shown = places.iter().filter_map(|place| place.each(item)).flatten();
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

fn moment_type() -> DataType {
    DataType {
        kind: DataKind::DateTime,
        length: None,
        precision: None,
        scale: None,
        values: Vec::new(),
        references: None,
    }
}

/// A name for the state of a record whose ERP gives it none.
fn digest(values: &Values, modified: Option<Timestamp>) -> String {
    token(&serde_json::to_vec(&(values, modified)).unwrap_or_default())
}
