#![allow(clippy::unwrap_used)]

use super::*;
use serde_json::json;
use tandem_merge::config::node::At;
use tandem_merge::config::written::{Scalar, Table};

fn blank() -> FormText {
    FormText {
        r#as: None,
        zone: None,
        wrap: None,
        also: None,
        pair: None,
        blank: None,
        write_blank: None,
        pad: None,
        labels: None,
        literal: None,
    }
}

fn at<T>(value: T) -> At<T> {
    At {
        line: 1,
        column: 1,
        value,
    }
}

fn written(r#as: &str, zone: Option<&str>) -> FormText {
    FormText {
        r#as: Some(at(r#as.to_owned())),
        zone: zone.map(|zone| at(zone.to_owned())),
        ..blank()
    }
}

fn of(kind: DataKind) -> DataType {
    DataType {
        kind,
        length: None,
        precision: None,
        scale: None,
        values: Vec::new(),
        references: None,
    }
}

/// What is shown, read, and written again.
fn round(kind: DataKind, text: &FormText, shown: Json) -> (Value, Json) {
    let form = Form::read(kind, &[text]).unwrap();
    let value = form.decode(&of(kind), Some(&shown)).unwrap();
    let back = form.encode(kind, &value);
    (value, back)
}

#[test]
fn only_digits_are_numbers_to_an_erp_that_shows_texts_as_numbers() {
    let form = Form::read(DataKind::String, &[&written("number", None)]).unwrap();
    for (text, sent) in [
        ("4711", json!(4711)),
        ("0042", json!("0042")),
        ("1e5", json!("1e5")),
        ("4.0", json!("4.0")),
        ("A-7", json!("A-7")),
    ] {
        assert_eq!(form.encode(DataKind::String, &Value::text(text)), sent);
    }
}

#[test]
fn what_is_read_is_what_would_be_written() {
    for (kind, text, shown) in [
        (DataKind::String, blank(), json!(" two  blanks ")),
        (DataKind::String, written("number", None), json!(4711)),
        (DataKind::Integer, blank(), json!(42)),
        (DataKind::Integer, written("text", None), json!("42")),
        (DataKind::Decimal, written("text", None), json!("12.50")),
        (DataKind::Decimal, written("comma", None), json!("12,50")),
        (DataKind::Boolean, blank(), json!(false)),
        (DataKind::Date, blank(), json!("2024-02-29")),
        (DataKind::Date, written("%d.%m.%Y", None), json!("29.02.2024")),
        (
            DataKind::Date,
            written("/Date()/", None),
            json!("/Date(1709164800000)/"),
        ),
        (DataKind::DateTime, blank(), json!("2024-02-29T12:00:00.123Z")),
        (
            DataKind::DateTime,
            written("local", Some("Europe/Berlin")),
            json!("2024-02-29 13:00:00.123"),
        ),
        (
            DataKind::DateTime,
            written("/Date()/", None),
            json!("/Date(1709208000123)/"),
        ),
        (DataKind::DateTime, written("seconds", None), json!(1709208000)),
        (
            DataKind::DateTime,
            written("milliseconds", None),
            json!(1709208000123_i64),
        ),
        (DataKind::Reference, blank(), json!("1001")),
    ] {
        assert_eq!(round(kind, &text, shown.clone()).1, shown, "{kind:?}");
    }
}

#[test]
fn amounts_keep_their_digits_and_thousands_are_no_fractions() {
    let comma = round(DataKind::Decimal, &written("comma", None), json!("1.234,50"));
    assert_eq!(comma.0, Value::Decimal("1234.50".parse().unwrap()));
    let large: Json = serde_json::from_str("9999999999999999.90").unwrap();
    assert_eq!(round(DataKind::Decimal, &blank(), large.clone()).1, large);
}

#[test]
fn times_without_a_zone_are_those_of_the_zone_named() {
    let (value, _) = round(
        DataKind::DateTime,
        &written("iso", Some("Europe/Berlin")),
        json!("2024-07-01T12:00:00"),
    );
    assert_eq!(value, Value::DateTime("2024-07-01T10:00:00Z".parse().unwrap()));
    let (value, _) = round(
        DataKind::DateTime,
        &written("/Date()/", None),
        json!("/Date(-1000+0200)/"),
    );
    assert_eq!(value, Value::DateTime("1969-12-31T23:59:59Z".parse().unwrap()));
    let moments = Moments::read(true, None, Some("Europe/Berlin")).unwrap();
    let joined = moments.joined(&json!("2024-07-01T00:00:00Z"), &json!(93000));
    assert_eq!(joined, Some("2024-07-01T07:30:00Z".parse().unwrap()));
    let floor = moments.floor(
        "2024-07-01T21:30:00Z".parse().unwrap(),
        SignedDuration::from_hours(24),
    );
    assert_eq!(
        floor,
        "2024-06-30T22:00:00Z".parse().unwrap(),
        "the day begins in Berlin"
    );
    assert_eq!(Moments::read(true, Some("%d.%m.%Y"), None).unwrap_err().0, "as");
    assert_eq!(
        Moments::read(true, None, Some("Mars/Base")).unwrap_err().0,
        "zone"
    );
}

use jiff::SignedDuration;

#[test]
fn wrapped_paired_padded_and_labelled_values_are_taken_out_and_put_back() {
    let wrapped = FormText {
        wrap: Some("value".to_owned()),
        ..blank()
    };
    let (value, back) = round(DataKind::String, &wrapped, json!({ "value": "x" }));
    assert_eq!((value, back), (Value::text("x"), json!({ "value": "x" })));
    assert_eq!(round(DataKind::String, &wrapped, json!({})).0, Value::Blank);
    let pair = FormText {
        pair: Some(at(true)),
        blank: Some(vec![Scalar(tandem_merge::config::node::Content::Boolean(false))]),
        write_blank: Some(Scalar(tandem_merge::config::node::Content::Boolean(false))),
        ..blank()
    };
    let (value, back) = round(DataKind::Reference, &pair, json!([7, "Azure"]));
    assert_eq!((value, back), (Value::text("7"), json!("7")));
    let (value, back) = round(DataKind::Reference, &pair, json!(false));
    assert_eq!((value, back), (Value::Blank, json!(false)));
    let padded = FormText {
        pad: Some(super::super::description::property::PadText {
            to: 6,
            with: Some("0".to_owned()),
            side: Some(PadSide::Left),
        }),
        ..blank()
    };
    let (value, back) = round(DataKind::String, &padded, json!("000042"));
    assert_eq!((value, back), (Value::text("42"), json!("000042")));
    let labels = FormText {
        labels: Some(Table(vec![(at("draft".to_owned()), "Entwurf".to_owned())])),
        ..blank()
    };
    let (value, back) = round(DataKind::Enum, &labels, json!("Entwurf"));
    assert_eq!((value, back), (Value::text("draft"), json!("Entwurf")));
}

#[test]
fn a_value_of_another_type_is_not_guessed() {
    let decode = |kind, shown: Json| Form::default().decode(&of(kind), Some(&shown));
    for (kind, shown) in [
        (DataKind::Boolean, json!("yes")),
        (DataKind::Date, json!("29.2.2024")),
        (DataKind::Date, json!("2024-02-29T13:00:00Z")),
        (DataKind::String, json!(5)),
        (DataKind::Integer, json!(5.5)),
        (DataKind::Reference, json!([1, "x"])),
    ] {
        assert!(decode(kind, shown.clone()).is_err(), "{kind:?} {shown}");
    }
    assert_eq!(decode(DataKind::String, json!("")), Ok(Value::Blank));
    assert!(Form::default().decode(&of(DataKind::String), None).is_err());
}

#[test]
fn dates_are_tables_of_their_parts_and_values_have_others_beside_them() {
    let text = |word: &str| Scalar(tandem_merge::config::node::Content::Text(word.to_owned()));
    let beside = |word: &str| Some(Table(vec![(at("__class__".to_owned()), text(word))]));
    let parts = |word: &str| FormText {
        also: beside(word),
        ..written("parts", None)
    };
    let day = json!({ "__class__": "date", "year": 2026, "month": 2, "day": 28 });
    let (value, back) = round(DataKind::Date, &parts("date"), day.clone());
    assert_eq!(value, Value::Date(jiff::civil::date(2026, 2, 28)));
    assert_eq!(back, day);
    let moment = json!({
        "__class__": "datetime", "year": 2026, "month": 2, "day": 28, "hour": 23, "minute": 59, "second": 1, "microsecond": 5_000,
    });
    let (value, back) = round(DataKind::DateTime, &parts("datetime"), moment.clone());
    assert_eq!(
        value,
        Value::DateTime("2026-02-28T23:59:01.005Z".parse().unwrap())
    );
    assert_eq!(back, moment);
    let amount = FormText {
        wrap: Some("decimal".to_owned()),
        also: beside("Decimal"),
        ..written("text", None)
    };
    let shown = json!({ "__class__": "Decimal", "decimal": "12.5" });
    assert_eq!(round(DataKind::Decimal, &amount, shown.clone()).1, shown);
    // Nothing is nothing, not a table with nothing in it.
    let form = Form::read(DataKind::Decimal, &[&amount]).unwrap();
    assert_eq!(form.encode(DataKind::Decimal, &Value::Blank), Json::Null);
    // A day that there is not cannot be read.
    let form = Form::read(DataKind::Date, &[&parts("date")]).unwrap();
    let wrong = json!({ "year": 2026, "month": 2, "day": 30 });
    assert!(form.decode(&of(DataKind::Date), Some(&wrong)).is_err());
}

#[test]
fn truths_may_be_numbers() {
    let number = written("number", None);
    assert_eq!(
        round(DataKind::Boolean, &number, json!(1)),
        (Value::Boolean(true), json!(1))
    );
    assert_eq!(
        round(DataKind::Boolean, &number, json!(false)),
        (Value::Boolean(false), json!(0))
    );
}
