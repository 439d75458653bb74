//! Values that an org keeps otherwise than written or refuses, and what is made of them.

use super::{connect, create, of, start, values};
use crate::scene::{applied, one};
use tandem_connector::{Change, ErrorKind, Lane, Outcome, Refusal, RefusalKind, Write};
use tandem_lab::salesforce::Options;
use tandem_merge::record::RecordKey;
use tandem_merge::value::Value;

fn refused(outcome: &Outcome) -> &Refusal {
    match outcome {
        Outcome::Refused(refusal) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

fn update(name: &str, id: &str, pairs: &[(&str, Value)]) -> Write {
    Write {
        intent: 9,
        key: "key-9".to_owned(),
        change: Change::Update {
            record: RecordKey {
                record_type: of(name),
                id: id.to_owned(),
            },
            values: values(pairs),
            only_if: None,
        },
    }
}

#[tokio::test]
async fn what_would_be_rounded_or_does_not_fit_is_refused_before_it_is_sent() {
    // GIVEN an org that rounds numbers beyond 15 digits, counts as Java does and knows the years 1700 to 4000
    let (_server, url) = start(Options::default()).await;
    let org = connect(&url, "tandem");
    org.describe().await.unwrap();
    let before = org.calls();
    // WHEN such values are written
    let amount: rust_decimal::Decimal = "9007199254740993.01".parse().unwrap();
    let faces = "\u{1F600}".repeat(41);
    let batch = [
        create(
            "Quote",
            1,
            &[("Name", "Offer".into()), ("Tax", Value::Decimal(amount))],
        ),
        create(
            "Contact",
            2,
            &[
                ("LastName", faces.as_str().into()),
                ("Birthdate", Value::Date("0204-05-01".parse().unwrap())),
            ],
        ),
    ];
    let outcomes = org.write(&batch, Lane::Live).await;
    // THEN each is refused with the properties at fault, and nothing was asked of the org
    let quote = refused(&outcomes[0]);
    assert_eq!(
        (quote.kind, quote.properties.as_slice()),
        (RefusalKind::Invalid, &["Tax".to_owned()][..])
    );
    assert!(quote.message.contains("15 digits") && !quote.message.contains("9007"));
    let contact = refused(&outcomes[1]);
    assert_eq!(contact.properties, ["Birthdate", "LastName"]);
    assert!(contact.message.contains("82 characters"), "{}", contact.message);
    assert_eq!(org.calls(), before);
    // AND what just fits is written
    let fits = [
        ("LastName", "\u{1F600}".repeat(40).as_str().into()),
        ("Birthdate", Value::Date("1700-01-01".parse().unwrap())),
    ];
    let id = applied(&one(org.as_ref(), create("Contact", 3, &fits)).await);
    let read = org.fetch(&of("Contact"), &[id]).await.unwrap().remove(0);
    assert_eq!(read.values["LastName"], fits[0].1);
    assert_eq!(read.values["Birthdate"], fits[1].1);
}

#[tokio::test]
async fn a_retired_version_takes_no_record_for_gone() {
    // GIVEN a connector whose version of the API is retired while it runs
    let (_server, url) = start(Options::default()).await;
    let org = connect(&url, "tandem");
    let id = applied(&one(org.as_ref(), create("Contact", 1, &[("LastName", "A".into())])).await);
    let (_newer, url) = start(Options {
        oldest_version: 63,
        ..Options::default()
    })
    .await;
    let retired = connect(&url, "tandem");
    // WHEN it reads or writes
    let error = retired
        .fetch(&of("Contact"), std::slice::from_ref(&id))
        .await
        .unwrap_err();
    let change = update("Contact", &id, &[("Phone", "1".into())]);
    let outcome = one(retired.as_ref(), change).await;
    // THEN the system as a whole refuses, and nothing is said of the record
    assert_eq!(error.kind, ErrorKind::Refused, "{error}");
    assert!(error.message.contains("version of its API"), "{error}");
    assert!(
        matches!(&outcome, Outcome::NotSent(error) if error.kind == ErrorKind::Refused),
        "{outcome:?}"
    );
}
