//! Rows of replies as observations, and which of them may not be written.

use super::form;
use super::refusal::Said;
use super::schema::{Described, Object};
use super::session::Session;
use super::soql;
use crate::http::json::{self, flag, text};
use crate::http::{Reply, Request};
use crate::{Error, ErrorKind};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::record::{Observation, Presence, RecordKey, Values, Version};

/// `If-Unmodified-Since` and `SystemModstamp` have whole seconds.
const RESOLUTION: SignedDuration = SignedDuration::from_secs(1);

/// The users that are never written: ourselves, administrators, and all but standard users.
#[derive(Default)]
pub(super) struct Protection {
    ourselves: String,
    /// Profiles that may manage users or modify all data.
    powerful: BTreeSet<String>,
}

impl Protection {
    /// Asks the org which profiles are powerful.
    pub(super) async fn ask(session: &Session, described: &Described) -> Result<Self, Error> {
        // An org that does not show the permissions has the standard administrators at least.
        let condition = match described.powers.as_slice() {
            [] => "Name = 'System Administrator'".to_owned(),
            powers => powers
                .iter()
                .map(|power| format!("{power} = true"))
                .collect::<Vec<_>>()
                .join(" OR "),
        };
        let statement = format!("SELECT Id FROM Profile WHERE {condition}");
        let ourselves = session.token(None).await?.user.clone();
        let reply = session
            .send(Request::get(soql::address(session, &statement, false)))
            .await;
        let reply = reply.map_err(crate::http::Failure::into_error)?;
        let body = reply.json();
        if !reply.is_success() {
            let said = Said::read(u64::from(reply.status), &body);
            let mut error = super::refusal::of_said(&session.http, &said);
            if error.kind == ErrorKind::Missing {
                error.advice =
                    "Let Tandem's user see profiles: users with great powers are never written".to_owned();
            }
            return Err(error);
        }
        let rows = body.get("records").and_then(Json::as_array);
        let powerful = rows.into_iter().flatten().filter_map(|row| text(row, "Id"));
        Ok(Self {
            ourselves,
            powerful: powerful.map(str::to_owned).collect(),
        })
    }

    fn covers(&self, object: &Object, row: &Json) -> bool {
        match object.schema.object.as_str() {
            "User" => {
                let powerful = text(row, "ProfileId").is_none_or(|id| self.powerful.contains(id));
                let standard = text(row, "UserType") == Some("Standard");
                powerful || !standard || text(row, "Id") == Some(&self.ourselves)
            }
            // Written through the Account that it is a part of.
            "Contact" => flag(row, "IsPersonAccount"),
            _ => false,
        }
    }
}

/// What all rows of one reply share.
pub(super) struct Reading<'a> {
    pub(super) system: &'a str,
    pub(super) object: &'a Object,
    pub(super) protection: &'a Protection,
    pub(super) reply: &'a Reply,
}

impl Reading<'_> {
    /// The state that a row shows; none if it does not say whose. Of one whose state cannot be told apart from others
    /// nothing is taken.
    pub(super) fn observation(&self, row: &Json) -> Option<Observation> {
        let id = text(row, "Id")?;
        let Some(version) = text(row, "SystemModstamp").and_then(|stamp| self.version(stamp)) else {
            let why = "it is no moment".to_owned();
            return Some(Observation {
                unreadable: BTreeMap::from([("SystemModstamp".to_owned(), why)]),
                ..self.bare(id, Presence::Missing)
            });
        };
        let deleted = flag(row, "IsDeleted");
        let (mut values, mut unreadable) = (Values::new(), BTreeMap::new());
        for (name, data_type) in self.object.shown.iter().filter(|_| !deleted) {
            match json::read(row.get(name), data_type, form::decode) {
                Ok(value) => drop(values.insert(name.clone(), value)),
                Err(why) => drop(unreadable.insert(name.clone(), why)),
            }
        }
        let author = row.get("LastModifiedBy").and_then(|user| text(user, "Name"));
        Some(Observation {
            presence: if deleted {
                Presence::Deleted
            } else {
                Presence::Alive
            },
            values,
            version: Some(version),
            created: created(row),
            author: author.map(str::to_owned),
            protected: self.protection.covers(self.object, row),
            merged_into: text(row, "MasterRecordId").filter(|_| deleted).map(str::to_owned),
            unreadable,
            ..self.bare(id, Presence::Alive)
        })
    }

    /// The same; one without an id is nobody's, and no reason to leave the others.
    pub(super) fn shown(&self, row: &Json) -> Option<Observation> {
        let shown = self.observation(row);
        if shown.is_none() {
            let (system, object) = (self.system, &self.object.schema.object);
            tracing::warn!(
                system,
                "{system}: a row of {object} without a readable id is passed over"
            );
        }
        shown
    }

    /// A tombstone known by the moment of the deletion alone.
    pub(super) fn tombstone(&self, record: &Json) -> Option<Observation> {
        Some(Observation {
            version: Some(self.version(text(record, "deletedDate")?)?),
            ..self.bare(text(record, "id")?, Presence::Deleted)
        })
    }

    /// A record of which nothing more is known.
    pub(super) fn bare(&self, id: &str, presence: Presence) -> Observation {
        bare(self.system, &self.object.name, id, presence, self.reply.began)
    }

    fn version(&self, stamp: &str) -> Option<Version> {
        let modified = form::moment(stamp)?;
        let next = modified.checked_add(RESOLUTION).ok()?;
        Some(Version {
            token: stamp.to_owned(),
            order: None,
            modified,
            // Read in a later second than the version's: whatever comes after shows another second.
            firm: self.reply.reached.is_some_and(|reached| reached >= next),
            coarse: jiff::SignedDuration::ZERO,
        })
    }
}

/// When a row was created: before the moment of its version, if it is known to have been changed since. Two times in whole
/// seconds do not show a change within the second of the create, a last author other than the creator does.
fn created(row: &Json) -> Option<Timestamp> {
    let created = text(row, "CreatedDate").and_then(form::moment)?;
    let changed = text(row, "SystemModstamp").and_then(form::moment);
    let by = ["CreatedById", "LastModifiedById"].map(|name| text(row, name));
    let by_another = by[0].is_some() && by[1].is_some() && by[0] != by[1];
    if by_another && changed == Some(created) {
        return created.checked_sub(SignedDuration::from_millis(1)).ok();
    }
    Some(created)
}

/// A record of which nothing more is known.
pub(super) fn bare(system: &str, name: &str, id: &str, presence: Presence, began: Timestamp) -> Observation {
    Observation {
        key: RecordKey::new(system, name, id),
        presence,
        values: Values::new(),
        version: None,
        created: None,
        author: None,
        read_began: began,
        partial: false,
        protected: false,
        merged_into: None,
        unreadable: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn e5_an_edit_by_another_within_the_second_of_the_create_is_an_edit() {
        let row = |changed: &str, by: &str| {
            json!({
                "CreatedDate": "2026-03-02T08:00:12.000+0000", "CreatedById": "005A",
                "SystemModstamp": changed, "LastModifiedById": by,
            })
        };
        let second = "2026-03-02T08:00:12.000+0000";
        let at: Timestamp = "2026-03-02T08:00:12Z".parse().unwrap();
        assert_eq!(created(&row(second, "005A")), Some(at));
        assert!(created(&row(second, "005B")).unwrap() < at);
        assert_eq!(created(&row("2026-03-02T08:00:13.000+0000", "005B")), Some(at));
        assert_eq!(created(&json!({ "SystemModstamp": second })), None);
    }
}
