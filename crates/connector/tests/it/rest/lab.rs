//! OData against the local service, which does what the standard says, and lies where it is told to.

use super::config;
use super::stage::ids;
use crate::scene::{Line, Scene, Words, applied, one, plain_client};
use jiff::SignedDuration;
use std::collections::BTreeSet;
use tandem_connector::proof::{Effort, Proof, Verdict, prove};
use tandem_connector::rest::{Rest, RestConfig};
use tandem_connector::{Change, Connector, Lane, Outcome, Write};
use tandem_lab::odata::{Lie, Options, serve};
use tandem_merge::record::{Observation, Presence, RecordType, Version};
use tandem_merge::value::Value;
use url::Url;

const SECRET: &str = "odata-tandem-token";

/// Customers as contacts: what the laws of all connectors speak of, by properties that there are.
fn description(odata: &str) -> String {
    let base = if odata.contains("v2") { "/v2" } else { "/v4" };
    format!(
        "odata: {odata}
base: {base}
session: {{ kind: bearer }}
defaults:
  read: {{ gone: [404, 410] }}
  find: {{ properties: [lastName, external] }}
record_types:
  Contact:
    collection: Customers
    record: {{ id: Number, modified: ModifiedAt, created: CreatedAt, author: ModifiedBy }}
    properties:
      lastName: {{ type: \"string(200)\", at: Name, required: true }}
      email: {{ type: \"string(200)\", at: Email }}
      phone: {{ type: \"string(100)\", at: Phone }}
      description: {{ type: \"string(4000)\", at: Remarks }}
      birthdate: {{ type: date, at: Website, form: {{ as: iso }} }}
      external: {{ type: \"string(40)\", at: ExternalId, unique: true }}
      reportsTo: {{ type: reference(Contact), at: State }}
"
    )
}

/// How moments stand in filters: version 2 of the service has them with a zone.
fn described(odata: &str) -> String {
    let since = "  changes: { since: { format: \"datetimeoffset'%Y-%m-%dT%H:%M:%SZ'\" } }\n";
    match odata.contains("v2") {
        true => description(odata).replace("defaults:\n", &format!("defaults:\n{since}")),
        false => description(odata),
    }
}

fn configured(url: &Url, odata: &str, user: &str) -> RestConfig {
    configured_by(url, (odata, ""), user)
}

fn configured_by(url: &Url, (odata, besides): (&str, &str), user: &str) -> RestConfig {
    let collection = "    collection: Customers\n";
    let text = described(odata).replace(collection, &format!("{collection}{besides}"));
    let token = format!("odata-{user}-token");
    let of = [
        "lastName",
        "email",
        "phone",
        "description",
        "birthdate",
        "external",
        "reportsTo",
    ];
    RestConfig {
        fields: [
            ("Contact".to_owned(), of.map(str::to_owned).into()),
            ("Nonsense".to_owned(), Vec::new()),
        ]
        .into(),
        ..config(url, &text, &[("token", &token)])
    }
}

const V4: &str = "v4";
const V4_BY_LINKS: &str = "{ version: v4, paging: links, changes: delta, batch: json }";
const V2: &str = "{ version: v2, batch: multipart }";

fn connect_v4(url: &Url, user: &str) -> Box<dyn Connector> {
    Box::new(Rest::connect(configured(url, V4, user)).unwrap())
}

fn connect_links(url: &Url, user: &str) -> Box<dyn Connector> {
    Box::new(Rest::connect(configured(url, V4_BY_LINKS, user)).unwrap())
}

fn connect_v2(url: &Url, user: &str) -> Box<dyn Connector> {
    Box::new(Rest::connect(configured(url, V2, user)).unwrap())
}

async fn scene(connect: fn(&Url, &str) -> Box<dyn Connector>) -> Scene {
    let server = serve(Options::default()).await.unwrap();
    let url: Url = server.url().parse().unwrap();
    Scene {
        words: Words {
            last_name: "lastName",
            email: "email",
            phone: "phone",
            description: "description",
            birthdate: "birthdate",
            external: "external",
            reports_to: "reportsTo",
            nobody: "C99999",
            clock: "advanceSeconds",
            secret: SECRET,
        },
        aging: None,
        line: Line::Network,
        repeats: true,
        ours: connect(&url, "tandem"),
        person: connect(&url, "alice"),
        connect,
        http: plain_client(),
        url,
        _server: Box::new(server),
    }
}

pub(crate) async fn v4() -> Scene {
    scene(connect_v4).await
}

pub(crate) async fn v4_by_links() -> Scene {
    scene(connect_links).await
}

pub(crate) async fn v2() -> Scene {
    scene(connect_v2).await
}

/// A service with some records in small pages, which lies so, and a connector to it that waits for nothing long.
async fn service(lies: &[Lie], records: u32, odata: &str) -> (tandem_lab::odata::Server, Rest) {
    service_by(lies, records, (odata, "")).await
}

/// The same, with something said besides of how contacts are written.
async fn service_by(
    lies: &[Lie],
    records: u32,
    (odata, besides): (&str, &str),
) -> (tandem_lab::odata::Server, Rest) {
    let options = Options {
        records,
        page_size: 5,
        lies: lies.to_vec(),
        lateness_ms: 5_000,
        ..Options::default()
    };
    let server = serve(options).await.unwrap();
    let url: Url = server.url().parse().unwrap();
    let mut config = RestConfig {
        overlap: SignedDuration::ZERO,
        request_deadline: SignedDuration::from_secs(2),
        ..configured_by(&url, (odata, besides), "tandem")
    };
    // What its records show there is no date.
    let honest = described(odata).replace(
        "{ type: date, at: Website, form: { as: iso } }",
        "{ type: string, at: Website }",
    );
    config.description = super::described(&honest);
    (server, Rest::connect(config).unwrap())
}

fn contacts() -> RecordType {
    RecordType::new("erp", "Contact")
}

async fn proven(lies: &[Lie], odata: &str) -> Vec<Proof> {
    proven_by(lies, (odata, "")).await
}

async fn proven_by(lies: &[Lie], described: (&str, &str)) -> Vec<Proof> {
    let (_server, rest) = service_by(lies, 12, described).await;
    let effort = Effort {
        pages: 50,
        write: true,
        ..Effort::default()
    };
    prove(&rest, &[contacts()], effort).await.unwrap()
}

fn broken(proofs: &[Proof]) -> Vec<String> {
    let broken = proofs.iter().filter(|proof| proof.verdict == Verdict::Broken);
    broken
        .map(|proof| format!("{}: {}", proof.law, proof.seen))
        .collect()
}

#[tokio::test]
async fn an_honest_service_keeps_all_laws_in_either_version() {
    for odata in [
        V4,
        "{ version: v4, paging: links }",
        V4_BY_LINKS,
        V2,
        "{ version: v2, paging: links }",
    ] {
        let proofs = proven(&[], odata).await;
        assert_eq!(broken(&proofs), Vec::<String>::new(), "{odata}");
        let held = |law: &str| {
            proofs
                .iter()
                .any(|proof| proof.law.contains(law) && proof.verdict == Verdict::Holds)
        };
        assert!(
            held("an update of an old version") && held("a deletion of an old version"),
            "{odata}"
        );
        assert!(held("goes away between two pages"), "{odata}: {proofs:#?}");
        assert_eq!(held("since a moment that lies ahead"), odata != V4_BY_LINKS);
        assert_eq!(
            held("a link for changes that it never gave out"),
            odata == V4_BY_LINKS
        );
        let version = if odata.contains("v2") {
            "DataServiceVersion: 2.0"
        } else {
            "OData-Version: 4.0"
        };
        assert!(proofs[0].seen.contains(version), "{}", proofs[0].seen);
    }
}

#[tokio::test]
async fn every_lie_is_found() {
    const LINKS: &str = "{ version: v4, paging: links }";
    let cases = [
        (Lie::OffsetPaging, LINKS, "goes away between two pages"),
        (Lie::IgnoresFilters, LINKS, "since a moment that lies ahead"),
        (Lie::IgnoresFilters, V4, "a listing ends"),
        (
            Lie::IgnoresDeltaTokens,
            V4_BY_LINKS,
            "a link for changes that it never gave out",
        ),
        (Lie::IgnoresConditions, V4, "an update of an old version"),
        (Lie::IgnoresConditions, V2, "an update of an old version"),
        (
            Lie::LateTombstones,
            V4_BY_LINKS,
            "that a record was deleted, in time",
        ),
        (Lie::RepeatsAPage, LINKS, "a listing ends"),
        (Lie::EtagNeverChanges, V4, "the version moves with it"),
        (Lie::SlowCommit, V4_BY_LINKS, "a record that was made, in time"),
    ];
    for (lie, odata, law) in cases {
        let found = broken(&proven(&[lie], odata).await);
        assert!(
            found.iter().any(|found| found.contains(law)),
            "{lie:?} {odata}: {found:#?}"
        );
        // In words, and in no way that a program notes things.
        let noted = |said: &&String| {
            ["Some(", " { ", "Refused(", "Unknown("]
                .iter()
                .any(|sign| said.contains(sign))
        };
        assert_eq!(found.iter().find(noted), None);
    }
}

/// A whole record goes back, of which a normal write has compared the version before.
#[tokio::test]
async fn e2_a_service_that_ignores_conditions_is_found_out_where_records_are_written_back_as_a_whole() {
    const WHOLE: &str = "    update: { request: \"PUT /{collection}({id:literal})\", style: full }\n";
    for odata in [V4, V2] {
        let honest = broken(&proven_by(&[], (odata, WHOLE)).await);
        assert_eq!(honest, Vec::<String>::new(), "{odata}");
        let found = broken(&proven_by(&[Lie::IgnoresConditions], (odata, WHOLE)).await);
        for law in ["an update of an old version", "a deletion of an old version"] {
            assert!(
                found.iter().any(|found| found.contains(law)),
                "{odata}: {found:#?}"
            );
        }
    }
}

/// All changes until there are no more.
async fn round(rest: &Rest, mut cursor: Option<Vec<u8>>) -> (Vec<Observation>, Vec<u8>, bool) {
    let (mut seen, mut complete) = (Vec::new(), false);
    loop {
        let page = rest.changes(&[contacts()], cursor.as_deref()).await.unwrap();
        assert_eq!(page.incomplete, []);
        seen.extend(page.observations);
        complete |= page.complete.is_some();
        if !page.more {
            return (seen, page.cursor, complete);
        }
        cursor = Some(page.cursor);
    }
}

fn delete(id: &str) -> Write {
    let record = tandem_merge::record::RecordKey::new("erp", "Contact", id);
    let change = Change::Delete {
        record,
        only_if: None,
    };
    Write {
        intent: 1,
        key: id.to_owned(),
        change,
    }
}

/// Makes so many.
async fn make(rest: &Rest, count: u64) -> Vec<String> {
    let create = |n: u64| Write {
        intent: n,
        key: n.to_string(),
        change: Change::Create {
            record_type: contacts(),
            values: [("lastName".to_owned(), Value::text(format!("Name {n}")))].into(),
        },
    };
    let writes: Vec<Write> = (0..count).map(create).collect();
    let outcomes = rest.write(&writes, Lane::Live).await;
    outcomes.iter().map(applied).collect()
}

/// Where any state would do, a condition that fails says that there is no record; where one was named, it may be another one.
#[tokio::test]
async fn a_write_to_a_record_that_is_gone_is_told_so() {
    for odata in [V4, V2] {
        let (_server, rest) = service(&[], 0, odata).await;
        let id = make(&rest, 1).await.remove(0);
        let read = rest.fetch(&contacts(), std::slice::from_ref(&id)).await.unwrap();
        applied(&one(&rest, delete(&id)).await);
        assert_eq!(one(&rest, delete(&id)).await, Outcome::Gone, "{odata}");
        let change = |only_if| Write {
            intent: 1,
            key: id.clone(),
            change: Change::Update {
                record: read[0].key.clone(),
                values: [("description".to_owned(), Value::text("late"))].into(),
                only_if,
            },
        };
        assert_eq!(one(&rest, change(None)).await, Outcome::Gone, "{odata}");
        assert_eq!(
            one(&rest, change(read[0].version.clone())).await,
            Outcome::Stale,
            "{odata}"
        );
    }
}

#[tokio::test]
async fn r6_a_link_shows_edits_and_deletions_and_a_lost_one_loses_none() {
    let (server, rest) = service(&[], 0, V4_BY_LINKS).await;
    make(&rest, 8).await;
    let (all, cursor, _) = round(&rest, None).await;
    assert_eq!(all.len(), 8);
    let (quiet, cursor, _) = round(&rest, Some(cursor)).await;
    assert_eq!(quiet, []);
    // WHEN one is deleted, THEN the link says so
    applied(&one(&rest, delete(&all[0].key.id)).await);
    let (seen, cursor, complete) = round(&rest, Some(cursor)).await;
    assert_eq!(
        (seen.len(), seen[0].presence, complete),
        (1, Presence::Deleted, false)
    );
    // WHEN the link is over when another one is deleted, THEN all records are compared: it is absent
    let expire = plain_client().post(format!("{}/_local/expire", server.url().trim_end_matches('/')));
    let expired = expire
        .header("content-type", "application/json")
        .body("{\"what\":\"delta\"}")
        .send()
        .await;
    assert!(expired.unwrap().status().is_success());
    applied(&one(&rest, delete(&all[1].key.id)).await);
    let (seen, cursor, complete) = round(&rest, Some(cursor)).await;
    assert!(complete);
    let shown: BTreeSet<&str> = ids(&seen).into_iter().collect();
    assert_eq!(shown.len(), 6);
    let read = rest.fetch(&contacts(), &[all[1].key.id.clone()]).await.unwrap();
    assert_eq!(read[0].presence, Presence::Deleted);
    assert_eq!(round(&rest, Some(cursor)).await.0, []);
}

#[tokio::test]
async fn r6_a_row_that_goes_between_two_pages_makes_no_other_a_deletion() {
    let (_server, rest) = service(&[Lie::OffsetPaging], 0, "{ version: v4, paging: links }").await;
    make(&rest, 8).await;
    let first = rest.list(&contacts(), None).await.unwrap();
    let known = round(&rest, None).await.0;
    applied(&one(&rest, delete(&first.observations[0].key.id)).await);
    let second = rest.list(&contacts(), first.resume.as_deref()).await.unwrap();
    let shown: BTreeSet<&str> = ids(first.observations.iter().chain(&second.observations))
        .into_iter()
        .collect();
    let skipped: Vec<String> = known
        .iter()
        .map(|row| row.key.id.clone())
        .filter(|id| !shown.contains(id.as_str()))
        .collect();
    assert_eq!(skipped.len(), 1, "the page that is counted skips one");
    let read = rest.fetch(&contacts(), &skipped).await.unwrap();
    assert_eq!(read[0].presence, Presence::Alive);
}

#[tokio::test]
async fn writes_travel_in_batches_of_every_form_and_keep_their_conditions() {
    let forms = [
        "{ version: v4, batch: json }",
        "{ version: v4, batch: multipart }",
        V2,
    ];
    for odata in forms {
        let (_server, rest) = service(&[], 0, odata).await;
        let calls = rest.calls();
        let made = make(&rest, 20).await;
        assert!(
            rest.calls() - calls < 5,
            "{odata}: {} calls",
            rest.calls() - calls
        );
        let read = rest.fetch(&contacts(), &made).await.unwrap();
        let of = |id: &str| read.iter().find(|row| row.key.id == id).unwrap();
        let update = |id: &str, version: Option<Version>| Write {
            intent: 1,
            key: id.to_owned(),
            change: Change::Update {
                record: of(id).key.clone(),
                values: [("description".to_owned(), Value::text("new"))].into(),
                only_if: version,
            },
        };
        let old = Some(Version {
            token: "W/\"0\"".to_owned(),
            ..of(&made[1]).version.clone().unwrap()
        });
        let both = [
            update(&made[0], of(&made[0]).version.clone()),
            update(&made[1], old),
        ];
        let outcomes = rest.write(&both, Lane::Live).await;
        assert!(
            matches!(outcomes[0], Outcome::Applied { .. }),
            "{odata}: {outcomes:?}"
        );
        assert_eq!(outcomes[1], Outcome::Stale, "{odata}");
        let read = rest.fetch(&contacts(), &made[..2]).await.unwrap();
        let value =
            |id: &str| read.iter().find(|row| row.key.id == id).unwrap().values["description"].clone();
        assert_eq!(
            (value(&made[0]), value(&made[1])),
            (Value::text("new"), Value::Blank)
        );
    }
}

/// What is a text to others may be a time of day there, and nothing else is taken.
#[tokio::test]
async fn a_time_of_day_is_proven_by_one() {
    let told = async |callback: &str| {
        let text = format!(
            "odata: v4
base: /v4
session: {{ kind: bearer }}
defaults:
  read: {{ gone: [404, 410] }}
record_types:
  Contact:
    collection: Contacts
    record: {{ id: Id, ids: guid, modified: ModifiedAt }}
    properties:
      lastName: {{ type: \"string(100)\", at: LastName, required: true }}
      callAfter: {{ type: string, at: CallAfter{callback} }}
"
        );
        let server = serve(Options::default()).await.unwrap();
        let url: Url = server.url().parse().unwrap();
        let config = RestConfig {
            overlap: SignedDuration::ZERO,
            ..config(&url, &text, &[("token", SECRET)])
        };
        let rest = Rest::connect(config).unwrap();
        let effort = Effort {
            pages: 20,
            write: true,
            ..Effort::default()
        };
        broken(&prove(&rest, &[contacts()], effort).await.unwrap())
    };
    let refused = told("").await;
    assert!(
        refused.iter().any(|found| found.contains("a time such as")),
        "{refused:#?}"
    );
    assert_eq!(told(", form: { as: time }").await, Vec::<String>::new());
}
