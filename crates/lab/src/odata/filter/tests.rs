#![allow(clippy::unwrap_used)]

use super::Condition;
use crate::odata::model::{Model, Version};
use crate::odata::value::Value;

const MODEL: &str = "set Things Thing\n  Id int key\n  Name text:50\n  Price decimal:15:2\n  Big long\n  Day date\n  At moment\n  \
                     Hour time\n  Code guid\n  Good boolean";

/// Whether the entity 1, 'Rad', 12.50, 7, 2026-01-05, ... meets the filter.
fn meets(text: &str, version: Version) -> Result<bool, String> {
    let model = Model::read(MODEL).unwrap();
    let values = [
        Value::Number(1.into()),
        Value::Text("Rad".into()),
        Value::Number("12.50".parse().unwrap()),
        Value::Number(7.into()),
        Value::Date("2026-01-05".parse().unwrap()),
        Value::Moment(1_767_607_200_123),
        Value::Time("13:20:00".parse().unwrap()),
        Value::Guid("0f8fad5b-d9cb-469f-a165-70867728950e".into()),
        Value::Null,
    ];
    let condition = Condition::read(text, &model.sets[0], version);
    condition
        .map(|condition| condition.meets(&values))
        .map_err(|refusal| refusal.message)
}

#[test]
fn each_version_has_its_literals() {
    for (v2, v4) in [
        ("Price eq 12.5M", "Price eq 12.5"),
        ("Big eq 7L and Big lt 8", "Big eq 7 and Big lt 8"),
        ("Day eq datetime'2026-01-05T00:00:00'", "Day eq 2026-01-05"),
        (
            "At gt datetimeoffset'2026-01-05T10:00:00.122Z'",
            "At gt 2026-01-05T10:00:00.122Z",
        ),
        ("Hour eq time'PT13H20M00S'", "Hour eq 13:20:00"),
        (
            "Code eq guid'0F8FAD5B-D9CB-469F-A165-70867728950E'",
            "Code eq 0F8FAD5B-D9CB-469F-A165-70867728950E",
        ),
        ("substringof('a',Name)", "contains(Name,'a')"),
        ("year(Day) eq 2026", "month(At) eq 1 and day(Day) eq 5"),
    ] {
        assert_eq!(meets(v2, Version::V2), Ok(true), "{v2}");
        assert_eq!(meets(v4, Version::V4), Ok(true), "{v4}");
        if v2.contains(['\'', 'M', 'L']) {
            meets(v2, Version::V4).unwrap_err();
        }
    }
    for v4 in ["Day eq 2026-01-05", "Name in ('Rad')", "contains(Name,'a')"] {
        meets(v4, Version::V2).unwrap_err();
    }
}

#[test]
fn null_is_neither_more_nor_less_nor_true() {
    for (filter, expected) in [
        ("Good eq null", true),
        ("Good ne null", false),
        ("Good eq true", false),
        ("Good ne true", true),
        ("Good", false),
        ("not Good", false),
        ("Good or Id eq 1", true),
        ("not (Good and Id eq 2)", true),
        ("Price gt null", false),
        ("Price le null", false),
    ] {
        assert_eq!(meets(filter, Version::V4), Ok(expected), "{filter}");
    }
}

#[test]
fn what_is_too_deep_or_too_long_is_refused() {
    let deep = format!("{}Id eq 1{}", "(".repeat(200), ")".repeat(200));
    let long = vec!["Id eq 1"; 400].join(" or ");
    for filter in [deep, long] {
        meets(&filter, Version::V4).unwrap_err();
    }
    assert_eq!(meets(&vec!["Id eq 1"; 300].join(" and "), Version::V4), Ok(true));
}

#[test]
fn fuzz_filters() {
    let corpus: [&[u8]; 5] = [
        b"not (Name eq 'a''b' or Price ge -12.5M) and Id in (1,2)",
        b"startswith(tolower(Name),'r') and Day lt datetime'2026-01-05T00:00:00'",
        b"At gt 2026-01-05T10:00:00.122+01:00 or Good",
        b"year(Day) eq 2026 and Hour eq time'PT13H20M00S'",
        b"Code eq guid'0F8FAD5B-D9CB-469F-A165-70867728950E'",
    ];
    tandem_fuzz::drive("odata-filter", &corpus, |data| {
        let text = String::from_utf8_lossy(data);
        for version in [Version::V2, Version::V4] {
            // Whatever it says, it ends.
            let _ = meets(&text, version);
        }
    });
}
