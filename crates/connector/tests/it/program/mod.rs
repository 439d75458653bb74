//! A program that speaks for a system, and the laws that programs which lie are found by. The program is the example in
//! Python, and the same with a line changed.

pub(crate) mod scene;

use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tandem_connector::program::{Program, ProgramConfig};
use tandem_connector::proof::{Effort, Proof, Verdict, prove};
use tandem_connector::{Change, Connector, ErrorKind, Lane, Outcome, RefusalKind, Write};
use tandem_merge::record::{Presence, RecordKey, RecordType, Values};
use tandem_merge::value::Value;

/// The example's text.
const EXAMPLE: &str = include_str!("../../../../../examples/program/erp.py");

/// A folder with a program in it.
struct Place(tempfile::TempDir);

impl Place {
    fn with(program: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("erp.py"), program).unwrap();
        Self(folder)
    }

    /// The example with lines changed.
    fn lying(changes: &[(&str, &str)]) -> Self {
        let mut text = EXAMPLE.to_owned();
        for (from, to) in changes {
            assert!(text.contains(from), "the example has no `{from}`");
            text = text.replacen(from, to, 1);
        }
        Self::with(&text)
    }

    fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    async fn connect(&self, user: &str) -> Program {
        Program::connect(config(self.0.path(), user)).await.unwrap()
    }
}

fn config(folder: &Path, user: &str) -> ProgramConfig {
    let used = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let contact = used(&[
        "lastName",
        "firstName",
        "email",
        "description",
        "birthdate",
        "reportsToId",
        "salesforceId",
    ]);
    ProgramConfig {
        name: "erp".to_owned(),
        command: ["python3", "erp.py", "erp.db"].map(str::to_owned).into(),
        folder: folder.to_owned(),
        secrets: BTreeMap::from([("user".to_owned(), user.into())]),
        request_deadline: SignedDuration::from_secs(20),
        fields: BTreeMap::from([
            ("Contact".to_owned(), contact),
            ("Customer".to_owned(), used(&["name", "active", "email"])),
        ]),
        computed: BTreeMap::new(),
    }
}

fn of(name: &str) -> RecordType {
    RecordType::new("erp", name)
}

fn named(last_name: &str) -> Values {
    Values::from([("lastName".to_owned(), Value::text(last_name))])
}

fn create(key: &str, values: Values) -> Write {
    let change = Change::Create {
        record_type: of("Contact"),
        values,
    };
    Write {
        intent: 1,
        key: key.to_owned(),
        change,
    }
}

async fn one(program: &Program, write: Write) -> Outcome {
    program.write(&[write], Lane::Live).await.remove(0)
}

async fn made(program: &Program, last_name: &str) -> String {
    match one(program, create(last_name, named(last_name))).await {
        Outcome::Applied { id, .. } => id,
        other => panic!("{other:?}"),
    }
}

const ALL: Effort = Effort {
    pages: 20,
    write: true,
    conditions: std::collections::BTreeSet::new(),
};

async fn proofs(program: &Program) -> Vec<Proof> {
    prove(program, &[of("Contact"), of("Customer")], ALL)
        .await
        .unwrap()
}

fn broken(proofs: &[Proof]) -> Vec<String> {
    let broken = proofs.iter().filter(|proof| proof.verdict == Verdict::Broken);
    broken
        .map(|proof| {
            format!(
                "{}: {}: {}",
                proof.record_type.as_deref().unwrap_or_default(),
                proof.law,
                proof.seen
            )
        })
        .collect()
}

#[tokio::test]
async fn the_example_keeps_every_law() {
    let place = Place::with(EXAMPLE);
    let program = place.connect("tandem").await;
    for number in 0..3 {
        made(&program, &format!("Person {number}")).await;
    }
    let proofs = proofs(&program).await;
    assert_eq!(broken(&proofs), Vec::<String>::new());
    let held = proofs
        .iter()
        .filter(|proof| proof.verdict == Verdict::Holds)
        .count();
    assert!(held >= 24, "{held}: {proofs:#?}");
    // What was made for the proofs is gone again.
    let left = program.list(&of("Contact"), None).await.unwrap().observations;
    assert_eq!(left.len(), 3);
}

/// Of what it cannot do for one type nothing is expected there, and all of the others.
#[tokio::test]
async fn a_program_says_of_each_type_what_protects_it() {
    let says = |can: &str| {
        Place::lying(&[
            (
                "{name: {\"properties\": properties} for name",
                &format!(
                    "{{name: {{\"properties\": properties, \"can\": {can} if name == \"Customer\" else {{}}}} for name"
                ),
            ),
            (
                "if ask.get(\"only_if\") not in",
                "if ask[\"type\"] == \"Contact\" and ask.get(\"only_if\") not in",
            ),
        ])
    };
    let place = says("{\"conditional_write\": False}");
    let program = place.connect("tandem").await;
    let [contact, customer] = ["Contact", "Customer"].map(|name| program.capabilities().of(&of(name)));
    assert!(contact.conditional_write && contact.conditional_delete);
    assert!(!customer.conditional_write && !customer.conditional_delete && customer.idempotent_create);
    assert_eq!(broken(&proofs(&program).await), Vec::<String>::new());
    // What is said of one type alone is tried there alone.
    let place = says("{\"conditional_delete\": False}");
    let program = place.connect("tandem").await;
    let customer = program.capabilities().of(&of("Customer"));
    assert!(customer.conditional_write && !customer.conditional_delete);
    let found = broken(&proofs(&program).await);
    assert!(
        found.iter().all(|found| found.starts_with("Customer: an update")),
        "{found:?}"
    );
    assert!(!found.is_empty());
}

/// Whatever a system only pretends to do is found, and named.
#[tokio::test]
async fn a_program_that_lies_is_found_out() {
    let cases: [(&[(&str, &str)], &str); 10] = [
        (
            &[("if ask.get(\"only_if\") not in", "if None not in")],
            "an update of an old version is refused",
        ),
        (
            &[("it for it in alive if key(", "it for it in alive if True or key(")],
            "nothing is found by a value that no record has",
        ),
        (
            &[
                ("return {\"record\": again[0]}", "pass"),
                (
                    "ask[\"key\"], json.dumps(ask[\"values\"])",
                    "None, json.dumps(ask[\"values\"])",
                ),
            ],
            "a create that is sent twice makes one record",
        ),
        (&[("version = version + 1, ", "")], "the version moves with it"),
        (
            &[("known.get(\"max_length\", 32000)", "32000")],
            "a text that is too long is refused",
        ),
        (
            &[(
                "raise Refused(\"invalid\", [name], \"there is no such property\")",
                "continue",
            )],
            "a property that there is not is refused",
        ),
        (
            &[
                (
                    "ids = [int(id) for id in ask[\"ids\"] if id.isascii() and id.isdigit()]",
                    "ids = [int(id) if id.isdigit() else 1 for id in ask[\"ids\"]]",
                ),
                (
                    "[{\"type\": type, \"id\": str(id)",
                    "[{\"type\": type, \"id\": getattr(self, \"asked\", str(id))",
                ),
                (
                    "return {\"records\": self.shown(f\"type = ? AND id IN",
                    "self.asked = ask[\"ids\"][0]\n        return {\"records\": self.shown(f\"type = ? AND id IN",
                ),
            ],
            "an id that no record has is answered with no record",
        ),
        (
            &[("{**found[0][\"values\"], **values}", "values")],
            "an update changes what it names and nothing else",
        ),
        (
            &[("now(), self.user, deleted,", "now(), self.user, False,")],
            "a deletion takes the record away",
        ),
        (
            &[(
                "found[-1][\"id\"]) if len(found) == PAGE else None",
                "found[0][\"id\"]) - 1 if found and not ask[\"after\"] else None",
            )],
            "a listing ends, shows each record once",
        ),
    ];
    for (changes, law) in cases {
        let place = Place::lying(changes);
        let program = place.connect("tandem").await;
        for number in 0..3 {
            made(&program, &format!("Person {number}")).await;
        }
        let broken = broken(&proofs(&program).await);
        assert!(broken.iter().any(|it| it.contains(law)), "{law}: {broken:#?}");
    }
}

/// A program that ignores since when it is asked shows what is long over.
#[tokio::test]
async fn a_program_that_ignores_since_when_it_is_asked_is_found_out() {
    let place = Place::lying(&[
        ("ask[\"since\"] or 0, *types)", "0, *types)"),
        (
            "return datetime.now(timezone.utc)",
            "return datetime(2020, 1, 1, tzinfo=timezone.utc)",
        ),
    ]);
    let program = place.connect("tandem").await;
    made(&program, "Old").await;
    let broken = broken(&proofs(&program).await);
    assert!(
        broken
            .iter()
            .any(|it| it.contains("what was shown before is not shown again")),
        "{broken:#?}"
    );
}

#[tokio::test]
async fn what_two_people_write_is_seen_and_protected() {
    let place = Place::with(EXAMPLE);
    let (ours, person) = (place.connect("tandem").await, place.connect("ann").await);
    let id = made(&person, "Adams").await;
    let page = ours.changes(&[of("Contact")], None).await.unwrap();
    assert_eq!(page.observations.len(), 1);
    assert_eq!(page.observations[0].author.as_deref(), Some("ann"));
    let version = page.observations[0].version.clone();
    let update = |text: &str, only_if| Write {
        intent: 2,
        key: "two".to_owned(),
        change: Change::Update {
            record: RecordKey::new("erp", "Contact", &id),
            values: Values::from([("description".to_owned(), Value::text(text))]),
            only_if,
        },
    };
    assert!(matches!(
        one(&person, update("theirs", None)).await,
        Outcome::Applied { .. }
    ));
    assert_eq!(one(&ours, update("ours", version)).await, Outcome::Stale);
    let later = ours.changes(&[of("Contact")], Some(&page.cursor)).await.unwrap();
    assert_eq!(later.observations.len(), 1);
    assert_eq!(later.observations[0].values["description"], Value::text("theirs"));
    let mut values = named("Other");
    values.insert("reportsToId".to_owned(), Value::text("999"));
    let Outcome::Refused(refusal) = one(&ours, create("bad", values)).await else {
        panic!("taken")
    };
    assert_eq!(
        (refusal.kind, refusal.properties),
        (RefusalKind::BadReference, vec!["reportsToId".to_owned()])
    );
}

/// Without changes of its own a system is listed in the order of its ids, page by page, and each page says between which
/// ids it shows everything.
#[tokio::test]
async fn a_program_that_tells_no_changes_is_listed_and_compared() {
    let place = Place::lying(&[
        ("\"changes\": True", "\"changes\": False"),
        ("PAGE = 500", "PAGE = 2"),
        (
            "AND id > ? AND NOT deleted ORDER BY id",
            "AND CAST(id AS TEXT) > CAST(? AS TEXT) AND NOT deleted ORDER BY CAST(id AS TEXT)",
        ),
    ]);
    let program = place.connect("tandem").await;
    for number in 0..11 {
        made(&program, &format!("Person {number}")).await;
    }
    let (mut cursor, mut ranges, mut seen) = (None, Vec::new(), 0);
    loop {
        let page = program
            .changes(&[of("Contact"), of("Customer")], cursor.as_deref())
            .await
            .unwrap();
        let complete = page.complete.unwrap();
        ranges.push((complete.record_type.name.clone(), complete.after, complete.to));
        seen += page.observations.len();
        cursor = Some(page.cursor);
        if !page.more {
            break;
        }
    }
    assert_eq!(seen, 11);
    assert_eq!(
        ranges.first().unwrap(),
        &("Contact".to_owned(), None, Some("10".to_owned()))
    );
    assert!(
        ranges
            .windows(2)
            .all(|pair| pair[0].0 != pair[1].0 || pair[0].2 == pair[1].1),
        "{ranges:?}"
    );
    assert_eq!(ranges.last().unwrap(), &("Customer".to_owned(), None, None));
    // Out of order nothing follows from what is not shown.
    let place = Place::lying(&[("\"changes\": True", "\"changes\": False")]);
    let program = place.connect("tandem").await;
    for number in 0..11 {
        made(&program, &format!("Person {number}")).await;
    }
    let error = program.changes(&[of("Contact")], None).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("not in the order of ids: Contact 10 is listed behind 9"),
        "{error}"
    );
}

/// Whatever a program does, what it got and did not answer is unknown, and the next one is started.
#[tokio::test]
async fn a_program_that_ends_in_the_middle_is_started_again() {
    let place = Place::lying(&[(
        "        self.db.execute(\"COMMIT\")\n",
        "        self.db.execute(\"COMMIT\")\n        if \"Fatal\" in str(ask):\n            sys.exit(1)\n",
    )]);
    let program = place.connect("tandem").await;
    let outcome = one(&program, create("k", named("Fatal"))).await;
    assert!(
        matches!(&outcome, Outcome::Unknown(why) if why.contains("ended before it answered")),
        "{outcome:?}"
    );
    // It is started again, and shows what it had made.
    let (of, by) = (of("Contact"), ["lastName".to_owned()]);
    let found = program
        .find(&of, &by, &[vec![Value::text("fatal")]])
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
}

#[tokio::test]
async fn what_is_no_program_of_ours_is_said_clearly() {
    let say = |script: &str| Place::with(script);
    let failed = async |place: &Place, deadline: u64| {
        let mut config = config(&place.path(), "tandem");
        config.request_deadline = SignedDuration::try_from(Duration::from_secs(deadline)).unwrap();
        Program::connect(config).await.unwrap_err().to_string()
    };
    let garbage = failed(&say("print('hello there')"), 10).await;
    assert!(
        garbage.contains("does not answer `hello`") && garbage.contains("docs/program.md"),
        "{garbage}"
    );
    let silent = failed(&say("import time\ntime.sleep(60)"), 1).await;
    assert!(silent.contains("does not answer `hello`"), "{silent}");
    let older = failed(&say("import json, sys\nfor line in sys.stdin:\n    print(json.dumps({'ask': json.loads(line)['ask'], 'protocol': 9}), flush=True)"), 10).await;
    assert!(older.contains("`\"protocol\": 1`"), "{older}");
    let mut config = config(Path::new("/"), "tandem");
    config.command = vec!["no-such-program-anywhere".to_owned()];
    let absent = Program::connect(config).await.unwrap_err();
    assert_eq!(absent.kind, ErrorKind::Missing);
    assert!(
        absent
            .to_string()
            .contains("`no-such-program-anywhere` cannot be started"),
        "{absent}"
    );
}

#[tokio::test]
async fn a_secret_shows_nowhere() {
    let place = Place::lying(&[(
        "self.user = ask",
        "raise ValueError(ask)\n        self.user = ask",
    )]);
    let config = config(&place.path(), "very-secret-word");
    assert!(!format!("{config:?}").contains("very-secret-word"));
    let error = Program::connect(config).await.unwrap_err();
    assert!(
        !format!("{error} {error:?}").contains("very-secret-word"),
        "{error}"
    );
}

#[tokio::test]
async fn ids_are_answered_whatever_they_look_like() {
    let place = Place::with(EXAMPLE);
    let program = place.connect("tandem").await;
    let id = made(&program, "Adams").await;
    let asked = [id.clone(), "999".to_owned(), "no id, at 'all'\n".to_owned()];
    let shown = program.fetch(&of("Contact"), &asked).await.unwrap();
    let presences: Vec<_> = shown.iter().map(|shown| shown.presence).collect();
    assert_eq!(presences, [Presence::Alive, Presence::Missing, Presence::Missing]);
}

/// Only what is said is taken for done.
#[tokio::test]
async fn an_answer_that_says_nothing_known_is_unknown() {
    for (answer, word) in [
        ("{}", "shows no record"),
        ("{\"ok\": False}", "shows no record"),
        ("{\"record\": self.shown(\"id = 1\")[0]}", "another record, 1"),
    ] {
        let place = Place::lying(&[(
            "        return {\"record\": self.shown(\"id = ?\", ask[\"id\"])[0]}",
            &format!("        return {answer}"),
        )]);
        let program = place.connect("tandem").await;
        made(&program, "One").await;
        let id = made(&program, "Two").await;
        let record = RecordKey::new("erp", "Contact", &id);
        let values = Values::from([("description".to_owned(), Value::text("x"))]);
        let change = Change::Update {
            record,
            values,
            only_if: None,
        };
        let outcome = one(
            &program,
            Write {
                intent: 1,
                key: "k".to_owned(),
                change,
            },
        )
        .await;
        assert!(
            matches!(&outcome, Outcome::Unknown(why) if why.contains(word)),
            "{answer}: {outcome:?}"
        );
    }
    // Nothing is no trouble.
    let place = Place::lying(&[(
        "**erp.answer(ask)}",
        "\"error\": None, \"refused\": None, **erp.answer(ask)}",
    )]);
    made(&place.connect("tandem").await, "Fine").await;
}

/// One that does not read any more holds nobody up for ever.
#[tokio::test]
async fn a_program_that_does_not_read_is_ended() {
    let place = Place::lying(&[(
        "    for line in sys.stdin:\n        ask = json.loads(line)\n",
        "    for line in sys.stdin:\n        ask = json.loads(line)\n        if \"Stuck\" in line:\n            import time\n            time.sleep(60)\n",
    )]);
    let mut config = config(&place.path(), "tandem");
    config.request_deadline = SignedDuration::from_secs(2);
    let program = Program::connect(config).await.unwrap();
    let large = "x".repeat(1 << 20);
    for description in ["Stuck", &large] {
        let mut values = named("Stuck");
        values.insert("description".to_owned(), Value::text(description));
        let outcome = one(&program, create(description.get(..5).unwrap(), values)).await;
        assert!(
            matches!(&outcome, Outcome::Unknown(why) if why.contains("was ended")),
            "{outcome:?}"
        );
    }
    made(&program, "Goes on").await;
}
