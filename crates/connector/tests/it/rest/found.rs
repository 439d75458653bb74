//! Wrong descriptions of a small ERP: each mistake is found by what a check tries, and said in words.

use super::stage::{description, erp, ok, parameter, status, things};
use crate::salesforce::office::{Answer, Asked};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};
use tandem_connector::Connector;
use tandem_connector::proof::{Effort, Proof, Verdict, prove};
use tandem_connector::rest::Description;

/// What the ERP does otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Odd {
    Nothing,
    /// It has no records.
    Empty,
    /// Its times show no zone.
    NoZone,
    /// It was changed in two hours.
    Ahead,
    /// All versions are the same.
    OneVersion,
    /// One row has no number.
    Nameless,
    /// On the last page it says nothing of a next one.
    LeavesNextOut,
    /// A filter that it does not know is ignored.
    IgnoresUnknown,
    /// Filters are ignored, whatever they are.
    IgnoresAll,
}

const OF: &str = "
record: { id: nr, token: version, modified: changed }
list: { request: GET /things, query: { limit: 2, cursor: \"{cursor}\" }, items: rows, paging: { kind: cursor, next: nextCursor } }
changes: { query: { since: \"{since}\" }, since: { granularity: s } }
read: { request: \"GET /things/{id}\" }
find: { request: GET /things, query: { \"{property}\": \"{value}\" }, items: rows, properties: [name] }
";
const PROPERTIES: &str = "
name: string
city: { type: string, at: address.city, optional: true }
";

fn records(odd: Odd) -> Vec<Json> {
    let moment = |nr: i64| {
        let at: Timestamp = "2024-03-01T10:00:00Z".parse().unwrap();
        let hours = SignedDuration::from_hours(nr);
        match odd {
            Odd::Ahead if nr == 3 => (Timestamp::now() + SignedDuration::from_hours(2)).to_string(),
            Odd::NoZone => (at + hours).to_string().trim_end_matches('Z').to_owned(),
            _ => (at + hours).to_string(),
        }
    };
    let one = |nr: i64| {
        let version = if odd == Odd::OneVersion { 7 } else { nr };
        let mut row =
            json!({ "nr": nr, "name": format!("n{nr}"), "version": version, "changed": moment(nr) });
        row["address"] = json!({ "city": format!("city {nr}") });
        if odd == Odd::Nameless && nr == 2 {
            row.as_object_mut().unwrap().remove("nr");
        }
        row
    };
    match odd {
        Odd::Empty => Vec::new(),
        _ => (1..=3).map(one).collect(),
    }
}

/// A moment with a zone, or without one: then it is of UTC.
fn read_moment(text: &str) -> Timestamp {
    let text = text.replace(' ', "T");
    text.parse()
        .unwrap_or_else(|_| format!("{}Z", text.trim_end_matches('Z')).parse().unwrap())
}

fn answer(asked: &Asked, odd: Odd) -> Answer {
    let mut rows = records(odd);
    let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
    if let Some(nr) = path.strip_prefix("/things/") {
        let found = rows
            .into_iter()
            .find(|row| row["nr"] == nr.parse::<u64>().unwrap());
        return found.map_or_else(|| status("404 Not Found"), |row| ok(&row));
    }
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "limit" | "cursor" | "skip" => {}
            _ if odd == Odd::IgnoresAll => {}
            "since" => {
                let since = read_moment(&value);
                rows.retain(|row| read_moment(row["changed"].as_str().unwrap()) >= since);
            }
            "name" => rows.retain(|row| row["name"] == value.as_ref()),
            _ if odd == Odd::IgnoresUnknown => {}
            _ => return status("400 Bad Request"),
        }
    }
    let number = |name: &str| parameter(asked, name).and_then(|text| text.parse::<usize>().ok());
    let from = number("cursor").or(number("skip")).unwrap_or(0);
    let to = rows.len().min(from + number("limit").unwrap_or(100));
    let more = to < rows.len();
    let mut body = json!({ "rows": rows[from.min(to)..to], "hasMore": more, "nextCursor": more.then(|| to.to_string()) });
    if odd == Odd::LeavesNextOut && !more {
        body.as_object_mut().unwrap().remove("nextCursor");
    }
    ok(&body)
}

/// What is proven of the ERP by a description of it, whose first lines are `top`.
async fn proven(odd: Odd, top: &str, of: &str, properties: &str) -> Vec<Proof> {
    let text = description(top, of, properties);
    let (_office, rest) = erp(&text, &[], move |asked| answer(asked, odd)).await;
    let effort = Effort {
        pages: 3,
        ..Effort::default()
    };
    prove(&rest, &[things()], effort).await.unwrap()
}

/// What was seen of the laws of the type with one of these verdicts.
fn with(proofs: &[Proof], verdicts: &[Verdict]) -> Vec<String> {
    let of_type = proofs.iter().filter(|proof| proof.record_type.is_some());
    let such = of_type.filter(|proof| verdicts.contains(&proof.verdict));
    such.map(|proof| format!("{}: {}", proof.law, proof.seen))
        .collect()
}

/// A description in which something else is written is found out: so, in these words.
async fn is_told(odd: Odd, (from, to): (&str, &str), verdict: Verdict, words: &[&str]) {
    let (of, properties) = (OF.replace(from, to), PROPERTIES.replace(from, to));
    assert!(from.is_empty() || of != OF || properties != PROPERTIES, "{from}");
    let proofs = proven(odd, "", &of, &properties).await;
    let told = with(&proofs, &[verdict]);
    let fits = |line: &String| words.iter().all(|word| line.contains(word));
    assert!(told.iter().any(fits), "{odd:?} {to}: {proofs:#?}");
}

#[tokio::test]
async fn a_right_description_is_not_suspected() {
    for odd in [Odd::Nothing, Odd::LeavesNextOut] {
        let proofs = proven(odd, "", OF, PROPERTIES).await;
        let suspected = with(&proofs, &[Verdict::Broken, Verdict::Doubtful]);
        assert_eq!(suspected, Vec::<String>::new(), "{odd:?}");
    }
}

#[tokio::test]
async fn rows_without_an_id_are_told_and_are_no_empty_list() {
    let words = &["none of the 2 rows", "`number`"];
    is_told(Odd::Nothing, ("id: nr", "id: number"), Verdict::Broken, words).await;
    let words = &["every row of a list has an id", "1 of 2 rows have no id at `nr`"];
    is_told(Odd::Nameless, ("", ""), Verdict::Broken, words).await;
    // A sync does not take it for a list without records either.
    let text = description("", &OF.replace("id: nr", "id: number"), PROPERTIES);
    let (_office, rest) = erp(&text, &[], |asked| answer(asked, Odd::Nothing)).await;
    let error = rest.changes(&[things()], None).await.unwrap_err();
    assert!(error.to_string().contains("has an id at `number`"), "{error}");
}

#[tokio::test]
async fn a_wrong_place_of_the_next_page_is_told_where_something_speaks_of_more() {
    let next = ("next: nextCursor", "next: nextCursr");
    let words = &[
        "nothing stands at `nextCursr`",
        "`nextCursor` says where it goes on",
    ];
    is_told(Odd::Nothing, next, Verdict::Broken, words).await;
    let flag = (
        "cursor: \"{cursor}\" }, items: rows, paging: { kind: cursor, next: nextCursor }",
        "skip: \"{offset}\" }, items: rows, paging: { kind: offset, more: hasMor }",
    );
    let words = &["nothing stands at `hasMor`", "the page behind it shows 1 more"];
    is_told(Odd::Nothing, flag, Verdict::Broken, words).await;
    let unpaged = (
        ", cursor: \"{cursor}\" }, items: rows, paging: { kind: cursor, next: nextCursor }",
        " }, items: rows",
    );
    is_told(
        Odd::Nothing,
        unpaged,
        Verdict::Broken,
        &["no `paging:`", "`nextCursor`"],
    )
    .await;
    // Where nothing speaks of more it is said that it could not be told, or not at all.
    let full = ("limit: 2", "limit: 3");
    is_told(
        Odd::LeavesNextOut,
        full,
        Verdict::Doubtful,
        &["could not be told"],
    )
    .await;
    let wide = ("limit: 2", "limit: 9");
    is_told(Odd::LeavesNextOut, wide, Verdict::Untried, &["stand on one page"]).await;
}

#[tokio::test]
async fn a_place_that_no_record_has_is_told() {
    let words = &["blank in all 2 records seen", "`city` at `adress.city`"];
    is_told(
        Odd::Nothing,
        ("at: address.city", "at: adress.city"),
        Verdict::Doubtful,
        words,
    )
    .await;
    let nowhere = ("name: string", "name: { type: string, at: nam }");
    let words = &[
        "`name` at `nam` cannot be read in any of 3 records",
        "it is not shown",
    ];
    is_told(Odd::Nothing, nowhere, Verdict::Broken, words).await;
    let words = &[
        "`name` cannot be read in any of 3 records",
        "a text is shown that is no",
    ];
    is_told(
        Odd::Nothing,
        ("name: string", "name: integer"),
        Verdict::Broken,
        words,
    )
    .await;
}

#[tokio::test]
async fn times_of_an_unknown_or_wrong_zone_are_told() {
    is_told(
        Odd::NoZone,
        ("", ""),
        Verdict::Doubtful,
        &["times at `changed`", "UTC is assumed"],
    )
    .await;
    let zoned = proven(Odd::NoZone, "forms: { datetime: { zone: UTC } }", OF, PROPERTIES).await;
    assert_eq!(
        with(&zoned, &[Verdict::Doubtful, Verdict::Broken]),
        Vec::<String>::new()
    );
    is_told(
        Odd::Ahead,
        ("", ""),
        Verdict::Broken,
        &["lies ahead", "3 says that it was changed"],
    )
    .await;
    let local = (
        "since: { granularity: s }",
        "since: { format: local, granularity: s }",
    );
    is_told(
        Odd::Nothing,
        local,
        Verdict::Doubtful,
        &["`since`", "UTC is assumed"],
    )
    .await;
    let wrong = (
        "since: { granularity: s }",
        "since: { format: local, zone: Asia/Tokyo, granularity: s }",
    );
    let words = &["changes since a moment", "3 was changed at", "`zone`"];
    is_told(Odd::Nothing, wrong, Verdict::Broken, words).await;
}

#[tokio::test]
async fn a_version_that_all_records_share_is_told() {
    is_told(
        Odd::OneVersion,
        ("", ""),
        Verdict::Doubtful,
        &["all 3 records say `7`"],
    )
    .await;
}

#[tokio::test]
async fn an_unknown_filter_that_is_ignored_is_told_unless_it_is_said() {
    let words = &["an unknown filter is refused", "3 records are shown"];
    is_told(Odd::IgnoresUnknown, ("", ""), Verdict::Broken, words).await;
    is_told(Odd::IgnoresAll, ("", ""), Verdict::Broken, words).await;
    let said = OF.replace("properties: [name]", "properties: [name], ignores_unknown: true");
    let proofs = proven(Odd::IgnoresUnknown, "", &said, PROPERTIES).await;
    assert_eq!(with(&proofs, &[Verdict::Broken]), Vec::<String>::new());
}

#[tokio::test]
async fn what_proves_nothing_is_not_called_kept() {
    let kept = with(&proven(Odd::Empty, "", OF, PROPERTIES).await, &[Verdict::Holds]);
    let [only] = kept.as_slice() else {
        panic!("{kept:#?}")
    };
    assert!(only.starts_with("an id that no record has"), "{only}");
    // An id that is no number would not be sent at all.
    let words = &["an id that no record has", "`2147483646` is answered"];
    is_told(
        Odd::Nothing,
        ("id: nr", "id: nr, ids: digits"),
        Verdict::Holds,
        words,
    )
    .await;
}

#[test]
fn a_reply_without_a_record_says_one_thing_only() {
    let both = OF.replace("{id}\" }", "{id}\", absent: row, empty: deleted }");
    let problems = Description::read("erp.yaml", &description("", &both, PROPERTIES)).unwrap_err();
    let [problem] = problems.as_slice() else {
        panic!("{problems:?}")
    };
    let said = problem.to_string();
    assert!(
        said.contains("`absent` takes a reply") && said.contains("empty: missing"),
        "{said}"
    );
}
