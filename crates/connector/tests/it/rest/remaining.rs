//! What an ERP says is left, and where its words stand.

use super::described;
use super::stage::{description, erp, listed, ok, sent, status, things};
use crate::salesforce::office::{Answer, Asked};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::sync::Mutex;
use std::time::Duration;
use tandem_connector::rest::Description;
use tandem_connector::{Connector, ErrorKind};

const PLAIN: &str = "
record: { id: id }
list: { request: GET /things, items: rows }
read: { request: \"GET /things/{id}\" }";

/// An ERP that takes one request and then none until a moment, of which a header tells; a request before is answered with 429.
fn strict(
    lasts: Duration,
    told: impl Fn() -> String + Send + Sync + 'static,
) -> impl Fn(&Asked) -> Answer + Send + Sync {
    let until: Mutex<Option<std::time::Instant>> = Mutex::default();
    move |_| {
        let now = std::time::Instant::now();
        let mut until = until.lock().unwrap();
        if until.is_some_and(|until| now < until) {
            return status("429 Too Many Requests");
        }
        *until = Some(now + lasts);
        let (_, body) = ok(&json!({ "rows": [] }));
        (
            format!("200 OK\r\nx-left-day: 70\r\nx-left: 0\r\n{}", told()),
            body,
        )
    }
}

fn left(of: &str) -> String {
    let limits =
        format!("limits: {{ remaining: [{{ header: X-Left-Day, of: day }}, {{ header: X-Left{of} }}] }}");
    description(&limits, PLAIN, "name: string")
}

/// Whole seconds until a moment are told too short by less than one: so the ERP's moment is what it tells.
#[tokio::test]
async fn what_is_used_up_is_waited_for_until_it_is_counted_anew() {
    let soon = |wait: i64| Timestamp::now().as_second() + wait;
    let http = |at: i64| {
        let at = Timestamp::from_second(at).unwrap();
        at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    };
    let dated = move |how: String| format!("date: {}\r\nx-again: {how}", http(soon(0)));
    type Told = Box<dyn Fn() -> String + Send + Sync>;
    let cases: [(&str, Told); 3] = [
        ("seconds", Box::new(|| "x-again: 1".to_owned())),
        ("epoch", Box::new(move || dated(soon(1).to_string()))),
        ("date", Box::new(move || dated(http(soon(1))))),
    ];
    for (form, told) in cases {
        let text = left(&format!(", of: hour, reset: {{ header: X-Again, as: {form} }}"));
        let (office, rest) = erp(&text, &[], strict(Duration::from_millis(990), told)).await;
        for _ in 0..3 {
            listed(&rest).await.unwrap();
        }
        // None was answered with 429, which would have been sent again.
        assert_eq!(office.asked().len(), 3, "{form}");
    }
}

#[tokio::test]
async fn what_is_used_up_for_long_is_told_with_the_time_at_which_it_goes_on() {
    let reset = ", of: minute, reset: { header: X-Again, as: seconds }";
    for (of, told, hours) in [
        (", of: day", "x-none: 1", 24),
        (", of: hour", "x-none: 1", 1),
        (reset, "x-again: 7200", 2),
    ] {
        let (office, rest) = erp(&left(of), &[], strict(Duration::ZERO, || told.to_owned())).await;
        listed(&rest).await.unwrap();
        let error = listed(&rest).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Refused);
        assert!(error.message.contains("`x-left`"), "{error}");
        let off =
            error.retry_at.unwrap().duration_since(Timestamp::now()) - SignedDuration::from_hours(hours);
        assert!(off.abs() < SignedDuration::from_secs(30), "{of}: {off}");
        assert_eq!(office.asked().len(), 1);
    }
}

#[test]
fn the_headers_of_what_is_left_are_written_short_or_one_by_one() {
    for right in [
        "X-Left",
        "{ header: X-Left, of: hour }",
        "[{ header: X-Left }, { header: X-Day, of: day }]",
    ] {
        described(&description(
            &format!("limits: {{ remaining: {right} }}"),
            PLAIN,
            "name: string",
        ));
    }
    for (wrong, said) in [
        ("{ header: X-Left, of: week }", "`week` is none of the words"),
        ("[{ of: day }]", "header"),
    ] {
        let text = description(
            &format!("limits: {{ remaining: {wrong} }}"),
            PLAIN,
            "name: string",
        );
        let problems = Description::read("erp.yaml", &text).unwrap_err();
        assert!(
            problems.iter().any(|one| one.to_string().contains(said)),
            "{problems:?}"
        );
    }
}

#[tokio::test]
async fn the_words_of_an_error_stand_in_the_first_place_that_holds_some() {
    let errors =
        "errors: { message: [errors.0.detail, error.message, message], code: [errors.0.code, error.code] }";
    for (body, words) in [
        (
            json!({ "errors": [{ "detail": "one", "code": "E1" }], "message": "none" }),
            "E1: one",
        ),
        (
            json!({ "errors": [], "error": { "message": "two", "code": 7 } }),
            "7: two",
        ),
        (json!({ "error": { "message": "" }, "message": "three" }), "three"),
    ] {
        let answer = move |_: &Asked| ("400 Bad Request".to_owned(), body.to_string());
        let (_office, rest) = erp(&description(errors, PLAIN, "name: string"), &[], answer).await;
        let error = listed(&rest).await.unwrap_err();
        assert!(error.message.contains(&format!("({words})")), "{error}");
    }
}

#[tokio::test]
async fn ways_name_members_within_members() {
    let of = "
record: { id: id, modified: meta.changedAt }
list: { request: POST /search, body: { only: \"{ways}\", text: \"{ways:list}\" } }
read: { request: \"GET /things/{id}\" }";
    let properties =
        "name: string\ncity: { type: string, at: address.city }\nmail: { type: string, at: mails.0.text }";
    let (office, rest) = erp(&description("", of, properties), &[], |_| ok(&json!([]))).await;
    listed(&rest).await.unwrap();
    let asked = sent(&office.asked()[0]);
    assert_eq!(
        asked["only"],
        json!(["id", "meta.changedAt", "address.city", "mails", "name"])
    );
    assert_eq!(asked["text"], "id,meta.changedAt,address.city,mails,name");
}

/// What a record type says of an operation without its request is laid over the one that holds for all.
#[tokio::test]
async fn one_thing_of_an_operation_is_said_without_the_rest_of_it() {
    let text = "\
session: { kind: none }
defaults:
  record: { id: id }
  list: { request: 'GET /{collection}', query: { size: 50, hidden: true }, items: rows }
  read: { request: 'GET /{collection}/{id}' }
record_types:
  Thing:
    list: { query: { size: 7, hidden: null } }
    read: { gone: [404] }
    properties: { name: string }
  Other: { list: { request: GET /all, items: rows }, properties: { name: string } }
";
    let (office, rest) = erp(text, &[], |asked| match asked.path.starts_with("/Thing/") {
        true => status("404 Not Found"),
        false => ok(&json!({ "rows": [] })),
    })
    .await;
    listed(&rest).await.unwrap();
    let other = tandem_merge::record::RecordType::new("erp", "Other");
    rest.list(&other, None).await.unwrap();
    let read = rest.fetch(&things(), &["1".to_owned()]).await.unwrap();
    assert_eq!(read[0].presence, tandem_merge::record::Presence::Deleted);
    let paths: Vec<String> = office.asked().iter().map(|asked| asked.path.clone()).collect();
    // A request of its own stands alone.
    assert_eq!(paths, ["/Thing?size=7", "/all", "/Thing/1"]);
}
