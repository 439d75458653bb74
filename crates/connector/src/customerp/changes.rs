//! Changes of a Customerp: listings by `updatedSince`, type by type, each from where its last complete round
//! began, less the overlap.

use super::Customerp;
use crate::http::Request;
use crate::http::json::text;
use crate::{ChangePage, Error, ErrorKind, Scope};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tandem_merge::record::{Observation, RecordType};
use url::form_urlencoded::byte_serialize;

/// Records in one page of the ERP; a page of changes ends when it has as many.
pub(super) const PAGE: usize = 1_000;

/// How far the changes were seen. What cannot be read begins anew: that costs time, never data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Cursor {
    /// By record type.
    types: BTreeMap<String, Seen>,
    /// A round is running.
    round: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Seen {
    /// When the last complete round of the type began, by the ERP's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    /// When the running round of the type began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    began: Option<Timestamp>,
    /// The ERP's own cursor within the running round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    page: Option<String>,
    /// The type was read to its end in the running round.
    #[serde(default)]
    done: bool,
}

impl Seen {
    fn target(&self, collection: &str, overlap: SignedDuration) -> String {
        let mut target = format!("/{collection}?limit={PAGE}");
        // A first load needs no tombstones: nothing of theirs was ever known.
        if let Some(since) = self.since {
            let from = since.checked_sub(overlap).unwrap_or(Timestamp::UNIX_EPOCH);
            target.push_str(&format!("&includeDeleted=true&updatedSince={from:.3}"));
        }
        if let Some(page) = &self.page {
            target.push_str("&cursor=");
            target.extend(byte_serialize(page.as_bytes()));
        }
        target
    }

    /// The clock that dates the changes went back beyond what is read again: changes since are not shown.
    fn is_ahead_of(&self, as_of: Timestamp, overlap: SignedDuration) -> bool {
        let end = as_of.checked_add(overlap).unwrap_or(Timestamp::MAX);
        self.since.is_some_and(|since| since > end)
    }

    /// Everything is read, deletions too.
    fn begin_anew(&mut self) {
        *self = Self {
            since: Some(Timestamp::UNIX_EPOCH),
            ..Self::default()
        };
    }

    /// The running round shows no more of it; the next one begins anew.
    fn give_up(&mut self) {
        *self = Self {
            since: self.since,
            done: true,
            ..Self::default()
        };
    }

    fn advance(&mut self, as_of: Timestamp, next: Option<String>) {
        let began = *self.began.get_or_insert(as_of);
        if next.is_none() {
            *self = Self {
                since: Some(began),
                done: true,
                ..Self::default()
            };
        } else {
            self.page = next;
        }
    }
}

/// The next page: types in the order given, until it is full or the round is over.
pub(super) async fn page(
    erp: &Customerp,
    types: &[RecordType],
    cursor: Option<&[u8]>,
) -> Result<ChangePage, Error> {
    let mut cursor: Cursor = cursor
        .and_then(|bytes| serde_json::from_slice(bytes).ok())
        .unwrap_or_default();
    if !cursor.round {
        cursor.round = true;
        cursor.types.values_mut().for_each(|seen| seen.done = false);
    }
    let mut page = ChangePage::default();
    let mut given_up: Vec<(&RecordType, Error)> = Vec::new();
    let mut any = false;
    for record_type in types {
        let seen = cursor.types.entry(record_type.name.clone()).or_default();
        if let Some(resting) = erp.listings.rests(record_type).filter(|_| !seen.done) {
            seen.give_up();
            page.incomplete.push(resting);
        } else {
            any |= seen.done;
        }
        while !seen.done && page.observations.len() < PAGE {
            match read_on(erp, record_type, seen).await {
                Ok(rows) => {
                    any = true;
                    page.observations.extend(rows);
                }
                // One type alone is passed over; where nothing else is answered either, the system is in trouble.
                Err(error) if is_of_one_type(&error) && (any || given_up.is_empty()) => {
                    seen.give_up();
                    given_up.push((record_type, error));
                }
                Err(error) => return Err(error),
            }
        }
        page.more |= !seen.done;
    }
    let resting = page.incomplete.iter().map(|one| &one.record_type);
    let open: Vec<&RecordType> = resting.chain(given_up.iter().map(|(of, _)| *of)).collect();
    if types.iter().all(|of| open.contains(&of))
        && let Some(error) = given_up
            .first()
            .map(|(_, error)| error)
            .or(page.incomplete.first().map(|one| &one.error))
    {
        return Err(error.clone());
    }
    let given_up = given_up
        .into_iter()
        .map(|(of, error)| erp.listings.rest(of, error));
    page.incomplete.extend(given_up);
    cursor.round = page.more;
    page.cursor = serde_json::to_vec(&cursor).unwrap_or_default();
    Ok(page)
}

/// Whether a trouble may be that of one type: not how we stand there, nor a binding that leads nowhere.
fn is_of_one_type(error: &Error) -> bool {
    let general = matches!(
        error.kind,
        ErrorKind::SignIn | ErrorKind::Refused | ErrorKind::Missing
    );
    !general && error.scope != Scope::System
}

/// The next page of one type.
async fn read_on(erp: &Customerp, of: &RecordType, seen: &mut Seen) -> Result<Vec<Observation>, Error> {
    let served = erp.served(of).await?;
    let name = format!("changes {}", served.name);
    if seen.page.is_none() {
        erp.listings.begin(&name);
    }
    let target = seen.target(&served.schema.object, erp.config.overlap);
    let (body, reply) = erp.read(Request::get(target)).await?;
    let as_of = text(&body, "asOf").and_then(|text| text.parse().ok());
    let as_of = as_of.ok_or_else(|| {
        let what = format!("a listing of {} does not say when it was read", served.name);
        erp.http.protocol(what)
    })?;
    erp.learn_clock(as_of, &reply);
    if seen.is_ahead_of(as_of, erp.config.overlap) {
        let system = erp.http.system();
        tracing::warn!(
            system,
            "{system}: its clock was set back: {} is read anew as a whole",
            served.name
        );
        seen.begin_anew();
        return Ok(Vec::new());
    }
    let rows = erp.items(&served, &body, &reply)?;
    let next = text(&body, "nextCursor");
    let stuck = erp.listings.page(&name, &rows, seen.page.as_deref(), next);
    stuck.map_err(|what| erp.stuck(&served.name, &what))?;
    seen.advance(as_of, next.map(str::to_owned));
    if seen.done {
        erp.listings.done(of);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_round_is_read_again_from_its_beginning_less_the_overlap() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let mut seen = Seen::default();
        let overlap = SignedDuration::from_secs(30);
        assert_eq!(seen.target("orders", overlap), "/orders?limit=1000");
        seen.advance(at("2024-01-01T00:01:00Z"), Some("p 1".to_owned()));
        assert_eq!(seen.target("orders", overlap), "/orders?limit=1000&cursor=p+1");
        seen.advance(at("2024-01-01T00:02:00Z"), None);
        assert!(seen.done);
        assert_eq!(
            seen.target("orders", overlap),
            "/orders?limit=1000&includeDeleted=true&updatedSince=2024-01-01T00:00:30.000Z"
        );
    }
}
