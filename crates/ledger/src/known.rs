//! Whether an observation shows anything new.

use std::collections::BTreeMap;
use tandem_merge::cluster::{Newborn, Shadow};
use tandem_merge::record::{Observation, Presence, Values, Version};
use tandem_merge::unreadable::WHOLE;
use tandem_merge::value::Value;

/// The state last known of a record: the newest inbox row, or the shadow.
pub(crate) struct Known<'a> {
    presence: Presence,
    values: &'a Values,
    unreadable: &'a BTreeMap<String, String>,
    version: Option<&'a Version>,
    protected: bool,
    partial: bool,
    /// We created it and never saw it whole: what its system filled in is news, whatever it is.
    unseen: bool,
}

impl<'a> From<&'a Observation> for Known<'a> {
    fn from(seen: &'a Observation) -> Self {
        Self {
            presence: seen.presence,
            values: &seen.values,
            unreadable: &seen.unreadable,
            version: seen.version.as_ref(),
            protected: seen.protected,
            partial: seen.partial,
            unseen: false,
        }
    }
}

impl<'a> Known<'a> {
    /// A record's shadow.
    pub(crate) fn shadow(shadow: &'a Shadow, newborn: Option<&Newborn>) -> Self {
        Self {
            presence: shadow.presence,
            values: &shadow.values,
            unreadable: &shadow.unreadable,
            version: shadow.version.as_ref(),
            protected: shadow.protected,
            partial: false,
            unseen: newborn.is_some_and(|newborn| !newborn.observed),
        }
    }
}

impl Known<'_> {
    /// Whether the observation shows nothing that is not known: the same version, values and presence. Who
    /// read it when is no news; that a version became firm is.
    pub(crate) fn covers(&self, seen: &Observation) -> bool {
        let whole = seen.presence == Presence::Alive && !seen.partial;
        self.presence == seen.presence
            && !(self.unseen && whole)
            && self.protected == seen.protected
            && self.covers_version(seen)
            && self.covers_unreadable(seen)
            && (seen.presence != Presence::Alive || self.covers_values(seen))
    }

    fn covers_version(&self, seen: &Observation) -> bool {
        match (self.version, seen.version.as_ref()) {
            (None, None) => true,
            (Some(known), Some(seen)) => {
                let same =
                    known.token == seen.token && known.order == seen.order && known.modified == seen.modified;
                same && (known.firm || !seen.firm)
            }
            _ => false,
        }
    }

    fn covers_values(&self, seen: &Observation) -> bool {
        match (self.partial, seen.partial) {
            (false, true) => {
                let mut shown = seen.values.iter();
                shown.all(|(property, value)| self.values.get(property) == Some(value))
            }
            (known, shown) => {
                let read = |(property, _): &(&String, &Value)| !seen.unreadable.contains_key(*property);
                known == shown && self.values.iter().filter(read).eq(seen.values.iter())
            }
        }
    }

    /// What cannot be read is no news a second time; why it cannot is.
    fn covers_unreadable(&self, seen: &Observation) -> bool {
        match seen.partial {
            true => {
                seen.unreadable
                    .iter()
                    .all(|(property, why)| self.unreadable.get(property) == Some(why))
                    && !self
                        .unreadable
                        .keys()
                        .any(|property| property == WHOLE || seen.values.contains_key(property))
            }
            false => self.unreadable == &seen.unreadable,
        }
    }
}

/// The values that a record has once an observation is laid over what is known.
pub(crate) fn laid_over(known: Option<&Values>, seen: &Observation) -> Values {
    match known {
        Some(known) => tandem_merge::admit::laid_over(known.clone(), seen),
        None => seen.values.clone(),
    }
}
