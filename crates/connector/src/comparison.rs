//! Changes of systems that tell of none: their records are listed in the order of their ids, and whoever compares learns
//! what moved and what is not there any more.

use crate::{ChangePage, Complete, Error, ListPage};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tandem_merge::record::RecordType;

/// How far a round of listings is. What cannot be read begins anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    /// Types that this round has listed to their end.
    done: BTreeSet<String>,
    /// Where the listing of the next one goes on.
    resume: Option<Vec<u8>>,
    /// The last id that it showed.
    after: Option<String>,
}

/// The next page of a round; `list` shows the next page of a type in the order of the bytes of its ids.
///
/// # Errors
/// That of the listing, or how its order is broken.
pub(crate) async fn page<F: Future<Output = Result<ListPage, Error>>>(
    types: &[RecordType],
    cursor: Option<&[u8]>,
    list: impl Fn(RecordType, Option<Vec<u8>>) -> F,
    broken: impl Fn(String) -> Error,
) -> Result<ChangePage, Error> {
    let read = cursor.and_then(|bytes| serde_json::from_slice::<Cursor>(bytes).ok());
    let mut cursor = read.unwrap_or_default();
    if types.iter().all(|of| cursor.done.contains(&of.name)) {
        cursor = Cursor::default();
    }
    let mut page = ChangePage::default();
    if let Some(of) = types.iter().find(|of| !cursor.done.contains(&of.name)) {
        let listed = list(of.clone(), cursor.resume.take()).await?;
        let mut last = cursor.after.clone();
        for shown in &listed.observations {
            let id = &shown.key.id;
            if last.as_ref().is_some_and(|last| id <= last) {
                let what = format!("{} {id} is listed behind {}", of.name, last.unwrap_or_default());
                return Err(broken(what));
            }
            last = Some(id.clone());
        }
        page.complete = Some(Complete {
            record_type: of.clone(),
            after: cursor.after.take(),
            to: listed.resume.is_some().then(|| last.clone()).flatten(),
        });
        match listed.resume {
            // Nothing was shown up to anywhere: nothing follows from what is not there.
            Some(_) if last.is_none() => page.complete = None,
            _ => {}
        }
        if listed.resume.is_some() {
            (cursor.resume, cursor.after) = (listed.resume, last);
        } else {
            cursor.done.insert(of.name.clone());
        }
        page.observations = listed.observations;
    }
    page.more = !types.iter().all(|of| cursor.done.contains(&of.name));
    page.cursor = serde_json::to_vec(&cursor).unwrap_or_default();
    Ok(page)
}
