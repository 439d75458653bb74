//! A description held against a page of its list: whether ids, properties and what leads to the next page stand where they are
//! said to. A place where nothing stands looks like a record without that value, and like the end of a list.

mod envelope;

use super::Rest;
use super::ask::Given;
use super::changes;
use super::description::pages::Paging;
use super::description::place::Place;
use super::description::property::DataKind;
use super::description::record::Moment;
use super::read::{self, Asked};
use super::served::Served;
use super::{paging, parts};
use crate::http::Reply;
use crate::proof::{HAS_ID, PAGES, PLACES, Verdict, ZONE};
use crate::{Error, Shape, Told};
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// Fewer rows are hardly what a page is bounded by.
const USUAL: usize = 10;

/// A page as it came.
struct Seen<'a> {
    served: &'a Served,
    body: &'a Json,
    reply: &'a Reply,
    /// The address that was asked.
    target: &'a str,
    rows: &'a [Json],
    /// The records on it: the rows, or what stands in them.
    items: Vec<Json>,
}

/// What a page at the beginning says of the description.
pub(super) async fn shape(rest: &Rest, served: &Served) -> Result<Shape, Error> {
    let mut shape = Shape {
        nobody: served.stranger(),
        places: places(served),
        told: Vec::new(),
    };
    let asked = Asked::list(&served.of.list, "list");
    if asked.window.is_some() {
        return Ok(shape);
    }
    let (body, reply, target) = read::raw(rest, served, &asked, &Given::default(), None).await?;
    let rows = read::items(rest, served, asked.items, &body)?;
    let items = match &served.of.inside {
        Some(inside) => {
            let of = |row: &Json| parts::entries(inside, row).unwrap_or_default();
            rows.iter().flat_map(of).collect()
        }
        None => rows.clone(),
    };
    let seen = Seen {
        served,
        body: &body,
        reply: &reply,
        target: &target,
        rows,
        items,
    };
    shape.told.push(ids(&seen));
    shape.told.push(pages(rest, &asked, &seen).await?);
    if served.of.list.partial != Some(true) {
        shape.told.extend(blank_everywhere(&seen));
    }
    shape.told.extend(zones(&seen));
    Ok(shape)
}

fn told(law: &'static str, verdict: Verdict, seen: impl Into<String>) -> Told {
    Told {
        law,
        verdict,
        seen: seen.into(),
    }
}

fn places(served: &Served) -> std::collections::BTreeMap<String, String> {
    let own = served.of.properties.iter();
    let own = own.filter(|(_, of)| of.computed.is_none());
    own.map(|(name, of)| (name.clone(), of.at.to_string())).collect()
}

/// Where the id of a type's records is said to stand.
pub(super) fn id_place(served: &Served) -> String {
    if let Some(inside) = &served.of.inside {
        return inside.id.to_string();
    }
    let all: Vec<String> = served.of.key.iter().map(|part| part.place.to_string()).collect();
    all.join(", ")
}

/// Rows that are nobody's are kept in step by nobody.
fn ids(seen: &Seen<'_>) -> Told {
    let served = seen.served;
    let nameless = |rows: &[Json], of: &Served| rows.iter().filter(|row| of.id(row).is_none()).count();
    let (own, all) = (nameless(&seen.items, served), seen.items.len());
    let (around, holders) = (nameless(seen.rows, served.holder()), seen.rows.len());
    if holders == 0 {
        return told(HAS_ID, Verdict::Untried, "the list shows no record");
    }
    if around > 0 {
        let place = id_place(served.holder());
        return told(HAS_ID, Verdict::Broken, no_id(around, holders, &place));
    }
    match own {
        0 => told(HAS_ID, Verdict::Holds, format!("{all} rows of a page")),
        own => told(HAS_ID, Verdict::Broken, no_id(own, all, &id_place(served))),
    }
}

fn no_id(count: usize, all: usize, place: &str) -> String {
    format!("{count} of {all} rows have no id at `{place}`, and are passed over: correct `id:`")
}

/// Whether pages lead to each other as described.
async fn pages(rest: &Rest, asked: &Asked<'_>, seen: &Seen<'_>) -> Result<Told, Error> {
    if seen.rows.is_empty() {
        return Ok(told(PAGES, Verdict::Untried, "the list shows no record"));
    }
    let last = seen
        .rows
        .iter()
        .rev()
        .find_map(|row| seen.served.holder().id(row));
    let shown = paging::Shown {
        body: seen.body,
        headers: &seen.reply.headers,
        rows: seen.rows.len(),
        last: last.as_deref(),
    };
    if paging::next(asked.paging, None, &shown).is_some() {
        return Ok(goes_on(asked, seen));
    }
    // The list is said to be over here. What else speaks of more?
    if let Some(flag) = paging::flag(asked.paging).filter(|flag| !stands(flag, seen))
        && let Some(others) = behind(rest, asked, seen, &shown).await?
    {
        return Ok(match others {
            0 => told(PAGES, Verdict::Holds, "the page behind it shows no other record"),
            others => told(
                PAGES,
                Verdict::Broken,
                format!(
                    "nothing stands at `{flag}`, which is taken for the end, and the page behind it shows {others} more records: correct `more:`"
                ),
            ),
        });
    }
    let place = paging::place(asked.paging);
    let absent = place.filter(|place| !stands(place, seen));
    if place.is_some() && absent.is_none() {
        return Ok(told(
            PAGES,
            Verdict::Holds,
            "the page says that it is the last one",
        ));
    }
    let said = match absent {
        Some(place) => format!("nothing stands at `{place}`"),
        None => "no `paging:` is described for the list".to_owned(),
    };
    if place.is_none() && asked.paging.is_some() {
        return Ok(told(
            PAGES,
            Verdict::Holds,
            "pages are counted, and end where it says so",
        ));
    }
    if let Some(hint) = envelope::more(seen.body, &seen.reply.headers, seen.rows.len()) {
        let seen = format!("{said}, which is taken for the end of the list, but {hint}: correct `paging:`");
        return Ok(told(PAGES, Verdict::Broken, seen));
    }
    let rows = seen.rows.len();
    if is_full(seen) {
        let seen = format!(
            "{said}, which is taken for the end of the list. It shows {rows} records, as many as a page may hold: whether there are more could not be told"
        );
        return Ok(told(PAGES, Verdict::Doubtful, seen));
    }
    let seen = format!("{said}: its {rows} records stand on one page");
    Ok(told(PAGES, Verdict::Untried, seen))
}

/// The page names another one; how many there are in all it may say elsewhere.
fn goes_on(asked: &Asked<'_>, seen: &Seen<'_>) -> Told {
    let counted = paging::counted_by(asked.paging);
    match counted.iter().find(|place| !stands(place, seen)) {
        Some(place) => told(
            PAGES,
            Verdict::Doubtful,
            format!("nothing stands at `{place}`: pages are asked for until one is empty"),
        ),
        None => told(PAGES, Verdict::Holds, "the page leads to the next one"),
    }
}

fn stands(place: &Place, seen: &Seen<'_>) -> bool {
    place.shown(seen.body, &seen.reply.headers).is_some()
}

/// So many records that are not on this page stand on the one behind it; none where no way leads there but the flag's word.
async fn behind(
    rest: &Rest,
    asked: &Asked<'_>,
    seen: &Seen<'_>,
    shown: &paging::Shown<'_>,
) -> Result<Option<usize>, Error> {
    let unflagged: Option<Paging> = asked.paging.map(paging::without_flag);
    let Some(at) = paging::next(unflagged.as_ref(), None, shown) else {
        return Ok(None);
    };
    let (body, ..) = read::raw(rest, seen.served, asked, &Given::default(), Some(&at)).await?;
    let holder = seen.served.holder();
    let known: BTreeSet<String> = seen.rows.iter().filter_map(|row| holder.id(row)).collect();
    let rows = read::items(rest, seen.served, asked.items, &body)?;
    let others = rows.iter().filter_map(|row| holder.id(row));
    Ok(Some(others.filter(|id| !known.contains(id)).count()))
}

/// Whether a page shows as many rows as were asked for, or a number that pages have.
fn is_full(seen: &Seen<'_>) -> bool {
    let rows = seen.rows.len();
    let query = seen.target.split_once('?').map_or("", |(_, query)| query);
    let mut asked = url::form_urlencoded::parse(query.as_bytes());
    let round = rows >= USUAL && (rows.is_multiple_of(10) || rows.is_multiple_of(25));
    round || asked.any(|(_, value)| value.parse() == Ok(rows))
}

/// Properties that may be left out, and that no record shows.
fn blank_everywhere(seen: &Seen<'_>) -> Option<Told> {
    let items = &seen.items;
    let nowhere = seen.served.shown.iter().filter_map(|name| {
        let of = seen.served.of.properties.get(name)?;
        let absent =
            of.optional && of.computed.is_none() && items.iter().all(|item| of.at.of(item).is_none());
        absent.then(|| format!("`{name}` at `{}`", of.at))
    });
    let nowhere: Vec<String> = nowhere.collect();
    if items.is_empty() {
        return Some(told(PLACES, Verdict::Untried, "the list shows no record"));
    }
    Some(match nowhere.as_slice() {
        [] => told(PLACES, Verdict::Holds, format!("{} records", items.len())),
        some => {
            let seen = format!(
                "blank in all {} records seen: {}. Does it stand there?",
                items.len(),
                some.join(", ")
            );
            told(PLACES, Verdict::Doubtful, seen)
        }
    })
}

/// Times that are taken for those of UTC, for nothing says which zone they are of.
fn zones(seen: &Seen<'_>) -> Option<Told> {
    let of = &seen.served.of;
    let modified = of.record.modified.iter().flat_map(|at| match at {
        Moment::At(places) | Moment::Latest(places) => places.iter(),
        Moment::Split { .. } => [].iter(),
    });
    let assumed = |place: &&Place| {
        let mut shown = seen.items.iter().filter_map(|item| place.of(item));
        shown.any(|shown| of.moments.moments.is_assumed(shown))
    };
    let split = matches!(of.record.modified, Some(Moment::Split { .. })) && !of.moments.moments.names_zone();
    let mut said: Vec<String> = modified
        .filter(assumed)
        .map(|place| format!("times at `{place}`"))
        .collect();
    if split {
        said.push("`modified`".to_owned());
    }
    for name in &seen.served.shown {
        let dated = of.properties.get(name);
        let Some(dated) = dated.filter(|dated| dated.data_type.kind == DataKind::DateTime) else {
            continue;
        };
        let mut shown = seen.items.iter().filter_map(|item| dated.at.of(item));
        if dated.computed.is_none() && shown.any(|shown| dated.form.moments.is_assumed(shown)) {
            said.push(format!("`{name}`"));
        }
    }
    let forms = said.len();
    let since = of.changes.as_ref().and_then(|changes| changes.since.as_ref());
    if seen.served.changes.is_some() && changes::is_zone_assumed(seen.served, since) {
        said.push("`since`".to_owned());
    }
    let help = match (forms, said.len()) {
        (0, 0) => return None,
        (0, _) => "Write `zone: Europe/Berlin`, or whichever it is, under `since:`",
        (some, all) if some == all => {
            "Write `forms: { datetime: { zone: Europe/Berlin } }`, or whichever it is"
        }
        _ => "Write `zone: Europe/Berlin`, or whichever it is, under `forms: datetime:` and under `since:`",
    };
    let seen = format!(
        "no zone stands with {}, and none is described: UTC is assumed. {help}; `UTC` where that is right",
        said.join(", ")
    );
    Some(told(ZONE, Verdict::Doubtful, seen))
}
