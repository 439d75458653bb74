//! The parser, with statements at random, and the LIKE matcher against a slow but obvious one.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::lexer::{Token, tokens};
use super::like::{Piece, fits};
use super::parser::parse;
use super::statement::{Comparison, Condition, Literal, Name, Select};

fn condition(text: &str) -> Condition {
    parse(&format!("SELECT Id FROM Account WHERE {text}"))
        .unwrap()
        .condition
        .unwrap()
}

#[test]
fn a_statement_has_its_parts() {
    let query = parse("select Id, a.Owner.Name from Account a where (Name = 'x') order by Name desc nulls last limit 5 offset 2").unwrap();
    let Select::Columns(columns) = &query.select else {
        panic!("{query:?}")
    };
    assert_eq!(columns.len(), 2);
    assert_eq!(
        (query.alias.as_deref(), query.limit, query.offset),
        (Some("a"), Some(5), 2)
    );
    assert!(query.order[0].descending && query.order[0].nulls_last);
    assert_eq!(
        parse("SELECT count() FROM Account").unwrap().select,
        Select::Count
    );
}

#[test]
fn fuzz_soql() {
    let corpus: [&[u8]; 6] = [
        b"SELECT Id, a.Owner.Name from Account a where (Name = 'x') order by Name desc nulls last limit 5 offset 2",
        b"SELECT COUNT() FROM Order WHERE (NOT (Amount__c >= 1.5e3 AND Date__c IN (2024-01-01, TODAY)))",
        b"SELECT Id, (SELECT Id FROM Contacts WHERE Email LIKE '%x_\\'%') FROM Account WHERE Id NOT IN (SELECT AccountId FROM Contact)",
        b"SELECT Status, COUNT(Id) n FROM Order GROUP BY Status HAVING COUNT(Id) > 1",
        b"SELECT FIELDS(ALL) FROM Quote WHERE SystemModstamp > 2024-01-01T00:00:00Z AND X = LAST_N_DAYS:3 LIMIT 200",
        b"FIND {x} IN ALL FIELDS",
    ];
    tandem_fuzz::drive("soql", &corpus, |data| {
        let _ = parse(&String::from_utf8_lossy(data));
    });
}

#[test]
fn not_binds_closer_than_and() {
    let Condition::And(parts) = condition("NOT Name = 'a' AND Name = 'b'") else {
        panic!()
    };
    assert!(matches!(parts[0], Condition::Not(_)) && matches!(parts[1], Condition::Compare(..)));
}

#[test]
fn literals_have_their_types() {
    for (text, literal) in [
        ("null", Literal::Null),
        ("TRUE", Literal::Bool(true)),
        ("-1.50", Literal::Number("-1.50".to_owned())),
        ("2024-02-29", Literal::Date(jiff::civil::date(2024, 2, 29))),
        ("2024-01-01T00:00:00Z", Literal::Moment(1_704_067_200)),
        ("2024-01-01T01:00:00.000+01:00", Literal::Moment(1_704_067_200)),
        ("2024-01-01T00:00:00.000+0000", Literal::Moment(1_704_067_200)),
        (
            "LAST_N_DAYS:7",
            Literal::Period("LAST_N_DAYS".to_owned(), Some(7)),
        ),
        ("today", Literal::Period("TODAY".to_owned(), None)),
        (
            r"'it\'s \\ \n \u00e9 \%'",
            Literal::Text("it's \\ \n é \\%".to_owned()),
        ),
    ] {
        let Condition::Compare(_, Comparison::Equal, found, _) = condition(&format!("F = {text}")) else {
            panic!("{text}")
        };
        assert_eq!(found, literal, "{text}");
    }
}

#[test]
fn nesting_has_a_bound() {
    let deep = |levels: usize| {
        format!(
            "SELECT Id FROM A WHERE {}F = 1{}",
            "(".repeat(levels),
            ")".repeat(levels)
        )
    };
    assert!(parse(&deep(40)).is_ok());
    assert!(parse(&deep(100_000)).is_err());
    assert!(parse(&format!("SELECT Id FROM A WHERE {}F = 1", "NOT ".repeat(10_000))).is_err());
}

/// A condition as text and as the parser should read it.
fn any_condition() -> impl Strategy<Value = (String, Shape)> {
    let leaf = (0..5_u8).prop_map(|n| (format!("F{n} = {n}"), Shape::Leaf(n)));
    leaf.prop_recursive(4, 24, 4, |inner| {
        let join = |word: &'static str, shape: fn(Vec<Shape>) -> Shape| {
            prop::collection::vec(inner.clone(), 2..4).prop_map(move |parts| {
                let texts: Vec<String> = parts.iter().map(|(text, _)| format!("({text})")).collect();
                (
                    texts.join(word),
                    shape(parts.into_iter().map(|(_, shape)| shape).collect()),
                )
            })
        };
        prop_oneof![
            join(" AND ", Shape::And),
            join(" or ", Shape::Or),
            inner
                .clone()
                .prop_map(|(text, shape)| (format!("NOT ({text})"), Shape::Not(Box::new(shape)))),
        ]
    })
}

#[derive(Debug, Clone, PartialEq)]
enum Shape {
    Leaf(u8),
    And(Vec<Shape>),
    Or(Vec<Shape>),
    Not(Box<Shape>),
}

fn shape(condition: &Condition) -> Shape {
    match condition {
        Condition::And(parts) => Shape::And(parts.iter().map(shape).collect()),
        Condition::Or(parts) => Shape::Or(parts.iter().map(shape).collect()),
        Condition::Not(inner) => Shape::Not(Box::new(shape(inner))),
        Condition::Compare(Name { parts, .. }, ..) => Shape::Leaf(parts[0][1..].parse().unwrap()),
        Condition::In(..) | Condition::InQuery(..) => panic!("no list was written"),
    }
}

/// Whether a pattern fits, by trying everything.
fn fits_slowly(text: &[char], pattern: &[Piece]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((Piece::Any, rest)) => (0..=text.len()).any(|skip| fits_slowly(&text[skip..], rest)),
        Some((Piece::One, rest)) => !text.is_empty() && fits_slowly(&text[1..], rest),
        Some((Piece::Letter(letter), rest)) => text.first() == Some(letter) && fits_slowly(&text[1..], rest),
    }
}

proptest! {
    #[test]
    fn conditions_are_read_as_written((text, expected) in any_condition()) {
        prop_assert_eq!(shape(&condition(&text)), expected);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,60}", tail in "[ -~]{0,60}") {
        let _ = parse(&text);
        let _ = parse(&format!("SELECT Id FROM Account WHERE {tail}"));
        let _ = parse(&format!("SELECT {tail} FROM Account ORDER BY {text}"));
    }

    #[test]
    fn quoted_text_comes_back(text in "\\PC{0,30}") {
        let quoted = text.replace('\\', "\\\\").replace('\'', "\\'");
        let read = tokens(&format!("'{quoted}'")).unwrap();
        prop_assert_eq!(&read[0].0, &Token::Text(text));
    }

    #[test]
    fn like_is_what_trying_everything_says(text in "[ab]{0,8}", pattern in prop::collection::vec(0..4_u8, 0..7)) {
        let pieces: Vec<Piece> = pattern.iter().map(|n| match n {
            0 => Piece::Any,
            1 => Piece::One,
            2 => Piece::Letter('a'),
            _ => Piece::Letter('b'),
        }).collect();
        let letters: Vec<char> = text.chars().collect();
        prop_assert_eq!(fits(&letters, &pieces), fits_slowly(&letters, &pieces));
    }
}
