//! Wrong descriptions are refused with the place and what to write instead; all problems at once.

use super::CUSTOMERP;
use tandem_connector::rest::{Description, schema};

/// The least that is right.
const RIGHT: &str = "\
session: { kind: bearer }
record_types:
  Contact:
    record: { id: id, token: etag }
    list: { request: GET /contacts, items: items }
    read: { request: \"GET /contacts/{id}\" }
    create: { request: POST /contacts, record: . }
    update: { request: \"PATCH /contacts/{id}\", headers: { If-Match: \"{token}\" } }
    properties:
      name: string
      status: enum(a|b)
";

fn problems(text: &str) -> Vec<String> {
    match Description::read("erp.yaml", text) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_right_description_is_taken_and_says_what_it_has() {
    assert_eq!(problems(RIGHT), Vec::<String>::new());
    let description = Description::read("erp.yaml", RIGHT).unwrap();
    assert_eq!(description.record_types().collect::<Vec<_>>(), ["Contact"]);
    assert_eq!(description.secrets().collect::<Vec<_>>(), ["token"]);
    assert_eq!(description.properties("Contact").unwrap().count(), 2);
    assert!(description.properties("Nobody").is_none());
    let shipped = Description::read("customerp.yaml", CUSTOMERP).unwrap();
    assert_eq!(shipped.record_types().count(), 9);
}

/// What is replaced in the right one by what, where the problem is, and what is said about it.
const WRONG: [(&str, &str, &str, &[&str]); 24] = [
    (
        "token: etag",
        "token: \"header:ETag\"",
        "4:30",
        &["no header of a single record", "partial: true"],
    ),
    (
        "record: { id: id, token: etag }",
        "record: { token: etag }",
        "4:13",
        &["the id of a Contact", "record: { id: ... }"],
    ),
    (
        "list:",
        "lst:",
        "5:5",
        &["unknown key `lst`", "Did you mean `list`?"],
    ),
    (
        "items: items",
        "itms: items",
        "5:37",
        &["unknown key `itms`", "`items`"],
    ),
    (
        "kind: bearer",
        "kind: baerer",
        "1:18",
        &["unknown kind `baerer`", "`bearer`"],
    ),
    (
        "kind: bearer",
        "token: x",
        "1:10",
        &["`kind` is missing", "bearer, basic"],
    ),
    (
        "GET /contacts/{id}",
        "GET /contacts",
        "6:11",
        &["`read` does not name the record", "{id}"],
    ),
    (
        "PATCH /contacts/{id}",
        "PATCH /contacts",
        "8:13",
        &["`update` does not name the record"],
    ),
    (
        "GET /contacts/{id}",
        "GET /contacts/{ids}",
        "6:11",
        &["`{ids}` in `read`", "`id`"],
    ),
    (
        "GET /contacts/{id}",
        "FETCH /contacts/{id}",
        "6:22",
        &["unknown method `FETCH`", "GET"],
    ),
    (
        "GET /contacts/{id}",
        "GET contacts/{id}",
        "6:22",
        &["no path", "Begin the path with `/`"],
    ),
    (
        "name: string",
        "name: strng",
        "10:13",
        &["unknown type `strng`", "`string`"],
    ),
    (
        "name: string",
        "name: { type: string, at: status }",
        "11:7",
        &["`status` and `name` are both written at `status`"],
    ),
    (
        "name: string",
        "name: { type: string, read_only: true, create_only: true }",
        "10:59",
        &["never written, and given", "Keep one of"],
    ),
    (
        "name: string",
        "name: { type: string, read_only: true, write_at: name2 }",
        "10:56",
        &["`name` is never written, and has a place", "write_at"],
    ),
    (
        "name: string",
        "name: reference(Nobody)",
        "10:13",
        &["refers to `Nobody`", "Contact"],
    ),
    (
        "token: etag",
        "order: v",
        "8:13",
        &["`{token}` is sent", "token:"],
    ),
    (
        "items: items }",
        "items: items, paging: { kind: page } }",
        "5:59",
        &["`{page}` is missing"],
    ),
    (
        "record: . }",
        "safe: idempotency-key }",
        "7:13",
        &["which record a create made"],
    ),
    (
        "record: . }",
        "record: ., safe: idempotency-key }",
        "7:57",
        &["`{key}` is missing"],
    ),
    (
        "record: . }",
        "record: ., safe: { unique: 24h } }",
        "7:57",
        &["says nothing of what keeps a create safe", "idempotency-key: 24h"],
    ),
    (
        "enum(a|b)",
        "{ type: enum(a|b), form: { labels: { a: X, b: X } } }",
        "11:58",
        &["shown as the same"],
    ),
    (
        "name: string",
        "name: { type: datetime, form: { zone: Mars/Base } }",
        "10:21",
        &["unknown zone `Mars/Base`", "Europe/Berlin"],
    ),
    (
        "name: string",
        "name: string\n      name: text",
        "11:7",
        &["name"],
    ),
];

#[test]
fn wrong_descriptions_are_refused_with_place_and_help() {
    for (right, wrong, place, words) in WRONG {
        assert!(RIGHT.contains(right), "{right}");
        let said = problems(&RIGHT.replacen(right, wrong, 1));
        let fits = |line: &String| {
            line.starts_with(&format!("erp.yaml:{place}: ")) && words.iter().all(|word| line.contains(word))
        };
        assert!(said.iter().any(fits), "{wrong}:\n{}", said.join("\n"));
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let wrong = RIGHT
        .replacen("baerer", "bearer", 1)
        .replacen("kind: bearer", "kind: baerer", 1)
        .replacen("name: string", "name: strng", 1)
        .replacen("items: items", "itms: items", 1);
    assert_eq!(problems(&wrong).len(), 3, "{:#?}", problems(&wrong));
    assert_eq!(problems("").len(), 1);
    assert!(problems("record_types: {}")[0].contains("no record types"));
}

#[test]
fn the_schema_knows_the_keys() {
    let schema = schema().to_string();
    for key in [
        "record_types",
        "idempotency-key",
        "keyset",
        "token_granularity",
        "write_at",
    ] {
        assert!(schema.contains(key), "{key}");
    }
}

const COMPUTED: &str = "\
name:
        type: string
        computed:
          read: record.last + ', ' + record.first
          write: { last: \"value.split(', ')[0]\", first: \"value.split(', ')[1]\" }
          samples:
            - { record: { first: Ann, last: Lee }, value: \"Lee, Ann\" }";

#[test]
fn m10_what_is_computed_must_read_and_write_the_same() {
    let with = |from: &str, to: &str| {
        assert!(COMPUTED.contains(from), "{from}");
        problems(&RIGHT.replace("name: string", &COMPUTED.replacen(from, to, 1))).join("\n")
    };
    assert_eq!(with("Ann", "Ann"), "");
    for (from, to, words) in [
        ("\"Lee, Ann\"", "\"Ann Lee\"", "does not read as the sample says"),
        ("[1]\"", "[0]\"", "not written as it is read: \"Lee\" at `first`"),
        ("record.last", "rec.last", "nothing called `rec`"),
        ("record.last +", "record.last + +", "no expression"),
        (
            "- { record: { first: Ann, last: Lee }, value: \"Lee, Ann\" }",
            "[]",
            "nothing shows that `name` is written",
        ),
        (
            "computed:",
            "at: x\n        computed:",
            "`name` is computed, and has a place of its own",
        ),
        (
            "computed:",
            "read_only: true\n        computed:",
            "never written, and computed to be written",
        ),
    ] {
        let said = with(from, to);
        assert!(said.contains(words), "{to}: {said}");
    }
}

#[test]
fn the_committed_schemas_are_current() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/schema");
    for (name, schema) in [
        ("rest", schema()),
        ("sql", tandem_connector::sql::schema()),
        ("folder", tandem_connector::folder::schema()),
    ] {
        let path = format!("{folder}/{name}.schema.json");
        let wanted = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
        if std::env::var_os("TANDEM_WRITE_DOCS").is_some() {
            std::fs::write(&path, &wanted).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == wanted, "run this test once with TANDEM_WRITE_DOCS=1");
    }
}

/// All keys that may be written.
fn keys(schema: &serde_json::Value, found: &mut std::collections::BTreeSet<String>) {
    match schema {
        serde_json::Value::Object(members) => {
            if let Some(serde_json::Value::Object(properties)) = members.get("properties") {
                found.extend(properties.keys().cloned());
            }
            members.values().for_each(|member| keys(member, found));
        }
        serde_json::Value::Array(entries) => entries.iter().for_each(|entry| keys(entry, found)),
        _ => {}
    }
}

#[test]
fn the_guide_explains_every_key_and_its_examples_are_right() {
    let guide = include_str!("../../../../../docs/rest.md");
    let mut all = std::collections::BTreeSet::new();
    keys(&schema(), &mut all);
    // The key `properties` is itself described by a table.
    all.remove("additionalProperties");
    assert!(all.len() > 80, "{}", all.len());
    let word = |key: &str| {
        let mut parts = guide.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
        parts.any(|part| part == key) || key.contains('-') && guide.contains(key)
    };
    let silent: Vec<&String> = all.iter().filter(|key| !word(key)).collect();
    assert!(silent.is_empty(), "{silent:?}");
    let blocks: Vec<&str> = guide
        .split("```yaml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    let [whole, delta, push, inside, batch, computed, limits] = blocks.as_slice() else {
        panic!("{blocks:?}")
    };
    assert_eq!(problems(whole), Vec::<String>::new());
    let inside = inside.replace('\n', "\n  ");
    let orders = format!("{}  {inside}\n", RIGHT.replace("  Contact:", "  Order:"));
    assert_eq!(problems(&orders), Vec::<String>::new());
    assert_eq!(problems(&format!("{batch}{whole}")), Vec::<String>::new());
    assert_eq!(problems(&format!("{limits}{whole}")), Vec::<String>::new());
    let push = format!("defaults:\n  {}\n", push.trim_end().replace('\n', "\n  "));
    assert_eq!(problems(&format!("{push}{whole}")), Vec::<String>::new());
    let (before, rest) = whole.split_once("    changes:\n").unwrap();
    let after = rest.find("    read:").unwrap();
    let delta = format!("    {}", delta.trim_end().replace('\n', "\n    "));
    let by_links = format!("{before}{delta}\n{}", &rest[after..]);
    assert_eq!(problems(&by_links), Vec::<String>::new());
    let computed = computed.replace('\n', "\n      ");
    assert_eq!(
        problems(&RIGHT.replace("name: string", &computed)),
        Vec::<String>::new()
    );
}

#[test]
fn what_types_fill_in_and_parts_of_records_are_known_by_name() {
    let with = |from: &str, to: &str| problems(&RIGHT.replace(from, to));
    let list = "    fill: { only: [name] }\n    list: { request: POST /find, body: { ask: \"{fill.only}\" }, items: items }";
    let from = "    list: { request: GET /contacts, items: items }";
    assert_eq!(with(from, list), Vec::<String>::new());
    let unknown = with(from, &list.replace("fill.only", "fill.olny"));
    assert!(
        unknown[0].contains("nothing says what `{fill.olny}` stands for"),
        "{unknown:?}"
    );
    // A part of the token, a member of the record, and a name with a hole.
    let parts = "headers: { If-Match: \"{token.2}\" }, body: { \"{id}\": \"{record.company.id}\" }";
    assert_eq!(
        with("headers: { If-Match: \"{token}\" }", parts),
        Vec::<String>::new()
    );
    for wrong in ["{token.0}", "{token.x}", "{record.a..b}"] {
        let told = with(
            "headers: { If-Match: \"{token}\" }",
            &parts.replace("{token.2}", wrong),
        );
        assert!(
            told[0].contains(wrong.trim_matches(['{', '}'])),
            "{wrong}: {told:?}"
        );
    }
    let searched = "    find: { request: GET /contacts, query: { \"in_{property}\": \"{value}\" }, items: items }\n    properties:";
    assert_eq!(with("    properties:", searched), Vec::<String>::new());
    let open = with(
        "    properties:",
        &searched.replace("in_{property}", "in_{property"),
    );
    assert!(!open.is_empty());
    let empty = with("token: etag", "token: []");
    assert!(empty[0].contains("the list is empty"), "{empty:?}");
}
