//! Entities as JSON, in the form of either version.

use serde_json::{Map, Value as Json, json};

use super::lies::{Lie, Lies};
use super::model::{EntitySet, Model, Navigation, PropertyIndex, Service, SetIndex, Version};
use super::path::predicate_of;
use super::query::Query;
use super::store::{Entity, Key, Store};
use super::value::Form;

/// How much a v4 answer says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    None,
    Minimal,
    Full,
}

/// What an answer needs to know to write entities.
#[derive(Clone, Copy)]
pub(crate) struct Writer<'a> {
    pub(crate) model: &'a Model,
    pub(crate) service: &'a Service,
    pub(crate) store: &'a Store,
    pub(crate) lies: &'a Lies,
    /// The service's root as the client called it, such as `http://127.0.0.1:8083/v4`.
    pub(crate) root: &'a str,
    pub(crate) form: Form,
    pub(crate) detail: Detail,
}

/// The weak entity tag of a state.
pub(crate) fn etag(entity: &Entity, lies: &Lies) -> String {
    if lies.tells(Lie::EtagNeverChanges) {
        return "W/\"'0'\"".to_owned();
    }
    format!("W/\"'{}'\"", entity.change)
}

impl Writer<'_> {
    /// One entity. `path`: where it lies below the root.
    pub(crate) fn entity(
        &self,
        set: SetIndex,
        entity: &Entity,
        query: &Query,
        path: &str,
    ) -> Map<String, Json> {
        let definition = &self.model.sets[set];
        let mut object = Map::new();
        match self.service.version {
            Version::V4 => self.annotate(&mut object, definition, entity, path),
            Version::V2 => {
                let metadata = json!({
                    "id": format!("{}/{path}", self.root),
                    "uri": format!("{}/{path}", self.root),
                    "type": format!("{}.{}", self.service.namespace, definition.type_name),
                    "etag": etag(entity, self.lies),
                });
                object.insert("__metadata".to_owned(), metadata);
            }
        }
        for (position, property) in definition.shown() {
            if chosen(query, position) {
                let value = entity.values[position].write(property.kind, self.form);
                object.insert(property.name.clone(), value);
            }
        }
        self.ways(&mut object, definition, entity, query, path);
        object
    }

    fn annotate(&self, object: &mut Map<String, Json>, definition: &EntitySet, entity: &Entity, path: &str) {
        if self.detail != Detail::None {
            object.insert("@odata.etag".to_owned(), etag(entity, self.lies).into());
        }
        if self.detail == Detail::Full {
            let name = format!("#{}.{}", self.service.namespace, definition.type_name);
            object.insert("@odata.type".to_owned(), name.into());
            object.insert("@odata.id".to_owned(), format!("{}/{path}", self.root).into());
            object.insert("@odata.editLink".to_owned(), path.into());
        }
    }

    /// Where the entity leads: expanded where asked, in v2 told otherwise.
    fn ways(
        &self,
        object: &mut Map<String, Json>,
        definition: &EntitySet,
        entity: &Entity,
        query: &Query,
        path: &str,
    ) {
        for expansion in &query.expand {
            let value = self.expanded(&expansion.navigation, &expansion.query, entity, path);
            object.insert(expansion.navigation.name.clone(), value);
        }
        if self.service.version == Version::V4 || query.select.is_some() {
            return;
        }
        let shown = definition
            .navigations
            .iter()
            .filter(|way| self.service.sets.contains(&way.target));
        for way in shown.filter(|way| !object_has(query, way)) {
            let uri = format!("{}/{path}/{}", self.root, way.name);
            object.insert(way.name.clone(), json!({ "__deferred": { "uri": uri } }));
        }
    }

    fn expanded(&self, way: &Navigation, query: &Query, entity: &Entity, path: &str) -> Json {
        let found = self.store.led_to(way, &entity.values);
        let met = |(_, entity): &(&Key, &Entity)| {
            query
                .filter
                .as_ref()
                .is_none_or(|filter| filter.meets(&entity.values))
        };
        let mut found: Vec<_> = found.filter(met).collect();
        sort(&mut found, &query.order);
        found.truncate(query.top.unwrap_or(usize::MAX));
        let target = &self.model.sets[way.target];
        let write = |(key, entity): &(&Key, &Entity)| {
            let predicate = predicate_of(target, key, self.service.version);
            let place = if target.contained {
                format!("{path}/{}({predicate})", way.name)
            } else {
                format!("{}({predicate})", target.name)
            };
            Json::Object(self.entity(way.target, entity, query, &place))
        };
        if !way.many {
            return found.first().map_or(Json::Null, write);
        }
        let all: Vec<Json> = found.iter().map(write).collect();
        match self.service.version {
            Version::V4 => Json::Array(all),
            Version::V2 => json!({ "results": all }),
        }
    }
}

fn object_has(query: &Query, way: &Navigation) -> bool {
    let mut expanded = query.expand.iter();
    expanded.any(|expansion| expansion.navigation.name == way.name)
}

fn chosen(query: &Query, property: PropertyIndex) -> bool {
    query
        .select
        .as_ref()
        .is_none_or(|select| select.contains(&property))
}

/// In the order asked for; what is equal stays in the order of its keys.
pub(crate) fn sort(entities: &mut [(&Key, &Entity)], order: &[(PropertyIndex, bool)]) {
    if order.is_empty() {
        return;
    }
    entities.sort_by(|(_, left), (_, right)| compare(&left.values, &right.values, order));
}

pub(crate) fn compare(
    left: &[super::value::Value],
    right: &[super::value::Value],
    order: &[(PropertyIndex, bool)],
) -> std::cmp::Ordering {
    for (property, last_first) in order {
        let ordering = left[*property].cmp(&right[*property]);
        let ordering = if *last_first { ordering.reverse() } else { ordering };
        if ordering.is_ne() {
            return ordering;
        }
    }
    std::cmp::Ordering::Equal
}
