//! Changes of a Customerp: listings by `updatedSince`, type by type, each from where its last complete round
//! began, less the overlap.

use super::Customerp;
use crate::http::Request;
use crate::http::json::text;
use crate::{ChangePage, Error};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tandem_merge::record::RecordType;
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
    for record_type in types {
        let seen = cursor.types.entry(record_type.name.clone()).or_default();
        while !seen.done && page.observations.len() < PAGE {
            let served = erp.served(record_type).await?;
            let target = seen.target(&served.schema.object, erp.config.overlap);
            let (body, reply) = erp.read(Request::get(target)).await?;
            let as_of = text(&body, "asOf").and_then(|text| text.parse().ok());
            let as_of = as_of.ok_or_else(|| erp.http.protocol("a listing does not say when it was read"))?;
            page.observations.extend(erp.items(&served, &body, &reply)?);
            seen.advance(as_of, text(&body, "nextCursor").map(str::to_owned));
        }
        page.more |= !seen.done;
    }
    cursor.round = page.more;
    page.cursor = serde_json::to_vec(&cursor).unwrap_or_default();
    Ok(page)
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
