//! How pages follow each other, and when there are no more. A short page is never the end.

use super::ask::Given;
use super::description::pages::{Paging, Root};
use super::description::place::Place;
use reqwest::header::HeaderMap;
use serde_json::Value as Json;
use tandem_merge::config::written::Scalar;

/// One page as it came.
pub(super) struct Shown<'a> {
    pub(super) body: &'a Json,
    pub(super) headers: &'a HeaderMap,
    /// So many records.
    pub(super) rows: usize,
    /// The id of the last one.
    pub(super) last: Option<&'a str>,
}

/// What asks for the page at a continuation; none: the page at the beginning.
pub(super) fn given(paging: Option<&Paging>, at: Option<&str>) -> Given {
    let given = Given::default();
    match paging {
        None | Some(Paging::Url(_)) => given,
        Some(Paging::Cursor(_)) => given.maybe("cursor", at),
        Some(Paging::Keyset(keyset)) => {
            let from = keyset.from.as_ref().map(Scalar::text);
            given.maybe("after", at.map(str::to_owned).or(from))
        }
        Some(Paging::Page(page)) => given.with("page", counted(at, page.from.unwrap_or(1)).0),
        Some(Paging::Offset(offset)) => given.with("offset", counted(at, offset.from.unwrap_or(0)).0),
    }
}

/// The address of the page at a continuation, where that is one.
pub(super) fn address<'a>(paging: Option<&Paging>, at: Option<&'a str>) -> Option<&'a str> {
    at.filter(|_| matches!(paging, Some(Paging::Url(_))))
}

/// The continuation of pages that are counted: where it is, and how many records came before.
fn counted(at: Option<&str>, from: u32) -> (u64, u64) {
    let parts = at.and_then(|at| {
        let (number, rows) = at.split_once('+')?;
        Some((number.parse().ok()?, rows.parse().ok()?))
    });
    parts.unwrap_or((u64::from(from), 0))
}

/// The continuation behind a page; none at the end.
pub(super) fn next(paging: Option<&Paging>, at: Option<&str>, shown: &Shown<'_>) -> Option<String> {
    match paging? {
        Paging::Cursor(cursor) => {
            let next = cursor.next.text(shown.body, shown.headers)?;
            more(cursor.more.as_ref(), shown).then_some(next)
        }
        Paging::Url(url) => match &url.next {
            Place::Header(name) => {
                let values = shown.headers.get_all(name);
                let texts = values.iter().filter_map(|value| value.to_str().ok());
                let mut links = texts.filter_map(|text| linked(name.as_str(), text));
                links.next()
            }
            place => place.text(shown.body, shown.headers),
        },
        Paging::Page(page) => {
            let (number, before) = counted(at, page.from.unwrap_or(1));
            let rows = before + shown.rows as u64;
            let from = u64::from(page.from.unwrap_or(1));
            let last = count(page.pages.as_ref(), shown).is_some_and(|pages| number + 1 >= pages + from);
            let goes_on =
                !last && more(page.more.as_ref(), shown) && goes_on(page.total.as_ref(), rows, shown);
            goes_on.then(|| format!("{}+{rows}", number + 1))
        }
        Paging::Offset(offset) => {
            let (number, before) = counted(at, offset.from.unwrap_or(0));
            let rows = before + shown.rows as u64;
            let goes_on = more(offset.more.as_ref(), shown) && goes_on(offset.total.as_ref(), rows, shown);
            goes_on.then(|| format!("{}+{rows}", number + shown.rows as u64))
        }
        Paging::Keyset(keyset) => {
            let last = shown.last.filter(|_| more(keyset.more.as_ref(), shown))?;
            Some(last.to_owned())
        }
    }
}

/// What a flag says; where there is none the end shows otherwise.
fn more(flag: Option<&Place>, shown: &Shown<'_>) -> bool {
    let Some(flag) = flag else {
        return true;
    };
    let text = flag.text(shown.body, shown.headers).unwrap_or_default();
    !matches!(text.to_lowercase().as_str(), "" | "false" | "0" | "no")
}

fn count(place: Option<&Place>, shown: &Shown<'_>) -> Option<u64> {
    place?.text(shown.body, shown.headers)?.parse().ok()
}

/// Where a flag says whether there is more.
pub(super) fn flag(paging: Option<&Paging>) -> Option<&Place> {
    match paging? {
        Paging::Cursor(cursor) => cursor.more.as_ref(),
        Paging::Page(page) => page.more.as_ref(),
        Paging::Offset(offset) => offset.more.as_ref(),
        Paging::Keyset(keyset) => keyset.more.as_ref(),
        Paging::Url(_) => None,
    }
}

/// The same without its flag.
pub(super) fn without_flag(paging: &Paging) -> Paging {
    let mut paging = paging.clone();
    match &mut paging {
        Paging::Cursor(cursor) => cursor.more = None,
        Paging::Page(page) => page.more = None,
        Paging::Offset(offset) => offset.more = None,
        Paging::Keyset(keyset) => keyset.more = None,
        Paging::Url(_) => {}
    }
    paging
}

/// Where what leads to the next page stands.
pub(super) fn place(paging: Option<&Paging>) -> Option<&Place> {
    match paging? {
        Paging::Cursor(cursor) => Some(&cursor.next),
        Paging::Url(url) => Some(&url.next),
        Paging::Page(_) | Paging::Offset(_) | Paging::Keyset(_) => None,
    }
}

/// Where numbers of all pages and records stand.
pub(super) fn counted_by(paging: Option<&Paging>) -> Vec<&Place> {
    match paging {
        Some(Paging::Page(page)) => page.pages.iter().chain(&page.total).collect(),
        Some(Paging::Offset(offset)) => offset.total.iter().collect(),
        _ => Vec::new(),
    }
}

/// How many records there are in all, where the reply says so.
pub(super) fn total(paging: Option<&Paging>, shown: &Shown<'_>) -> Option<u64> {
    match paging? {
        Paging::Page(page) => count(page.total.as_ref(), shown),
        Paging::Offset(offset) => count(offset.total.as_ref(), shown),
        _ => None,
    }
}

/// Whether pages that are counted go on behind so many records.
fn goes_on(total: Option<&Place>, rows: u64, shown: &Shown<'_>) -> bool {
    shown.rows > 0 && count(total, shown).is_none_or(|total| rows < total)
}

/// The address that a header names as the next one.
fn linked(name: &str, text: &str) -> Option<String> {
    if name != "link" {
        return Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    }
    // A comma may stand in an address, so entries are told apart by their brackets.
    let mut rest = text;
    while let Some(open) = rest.find('<') {
        let (address, behind) = rest[open + 1..].split_once('>')?;
        let end = behind.find('<').unwrap_or(behind.len());
        let is_next = behind[..end].split(';').any(|part| {
            let part = part.trim().trim_end_matches([',', ' ']).to_lowercase();
            let relation = part
                .strip_prefix("rel=")
                .map(|value| value.trim_matches('"').to_owned());
            relation.is_some_and(|value| value.split(' ').any(|word| word == "next"))
        });
        if is_next {
            return Some(address.to_owned());
        }
        rest = &behind[end..];
    }
    None
}

/// Where an address of a next page leads: `root` is the path of the connection, `asked` the address that named it.
pub(super) fn resolved(paging: Option<&Paging>, next: &str, root: &str, asked: &str) -> String {
    let Some(Paging::Url(url)) = paging else {
        return next.to_owned();
    };
    if next.starts_with("http://") || next.starts_with("https://") || next.starts_with("//") {
        return next.to_owned();
    }
    match url.relative_to {
        Some(Root::Service) => format!("{root}/{}", next.trim_start_matches('/')),
        Some(Root::Request) if !next.starts_with('/') => {
            let path = asked.split('?').next().unwrap_or_default();
            match next.starts_with('?') {
                true => format!("{path}{next}"),
                false => format!(
                    "{}/{next}",
                    path.rsplit_once('/').map_or("", |(folder, _)| folder)
                ),
            }
        }
        _ if next.starts_with('/') => next.to_owned(),
        _ => format!("/{next}"),
    }
}
