//! The language of filters and keys that an interface speaks: how values are written where a filter or an address holds them.
//!
//! Invariant: what is written for a value is that value and nothing else. A text is quoted, and what is written bare is looked at
//! first, so no value can become a part of a filter.

use super::description::place::Place;
use super::description::words::words;
use tandem_merge::value::Value;

words! {
    /// A language of filters.
    enum Language {
        /// That of OData 4: `Name eq 'x'`, `Changed ge 2026-01-31T00:00:00Z`, `Orders(5)`.
        ODataV4 = "odata-v4",
        /// That of OData 2: `Changed ge datetime'2026-01-31T00:00:00'`, `guid'...'`, `12.5M`.
        ODataV2 = "odata-v2",
    }
}

words! {
    /// How a value is written in filters and addresses.
    enum Literal {
        /// In quotes.
        Text = "text",
        /// As it is: a number, or truth.
        Bare = "bare",
        /// An id of 32 hexadecimal digits.
        Guid = "guid",
        /// A large whole number.
        Int64 = "int64",
        /// A number with a fraction.
        Decimal = "decimal",
        /// A day.
        Date = "date",
        /// A moment without a zone.
        DateTime = "datetime",
        /// A moment with its zone.
        DateTimeOffset = "datetimeoffset",
    }
}

/// A member of a record's key.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) place: Place,
    pub(super) literal: Literal,
}

impl Literal {
    /// Whether a text can be written so. What is written bare and is no value would be the name of a member.
    fn holds(self, text: &str) -> bool {
        let number = || {
            let digits = text.strip_prefix('-').unwrap_or(text);
            let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
            [whole, fraction]
                .iter()
                .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
        };
        match self {
            Self::Text => true,
            Self::Bare => number() || matches!(text, "true" | "false"),
            Self::Int64 | Self::Decimal => number(),
            Self::Guid => {
                let fits = |byte: u8| byte == b'-' || byte.is_ascii_hexdigit();
                !text.is_empty() && text.bytes().all(fits)
            }
            Self::Date | Self::DateTime | Self::DateTimeOffset => {
                let fits = |byte: u8| byte.is_ascii_digit() || b"-+.:TZ".contains(&byte);
                text.bytes().next().is_some_and(|byte| byte.is_ascii_digit()) && text.bytes().all(fits)
            }
        }
    }
}

impl Language {
    /// A text as the literal of that kind; none where it is none.
    pub(super) fn literal(self, kind: Literal, text: &str) -> Option<String> {
        if kind == Literal::Text {
            return Some(format!("'{}'", text.replace('\'', "''")));
        }
        let bare = kind.holds(text).then(|| text.to_owned())?;
        Some(match (self, kind) {
            (Self::ODataV4, _) | (_, Literal::Bare | Literal::Text) => bare,
            (Self::ODataV2, Literal::Guid) => format!("guid'{bare}'"),
            (Self::ODataV2, Literal::Int64) => format!("{bare}L"),
            (Self::ODataV2, Literal::Decimal) => format!("{bare}M"),
            (Self::ODataV2, Literal::Date) => format!("datetime'{bare}T00:00:00'"),
            (Self::ODataV2, Literal::DateTime) => format!("datetime'{}'", bare.trim_end_matches('Z')),
            (Self::ODataV2, Literal::DateTimeOffset) => format!("datetimeoffset'{bare}'"),
        })
    }

    /// A value as the literal of that kind, where it can be one.
    pub(super) fn value(self, kind: Literal, value: &Value) -> Option<String> {
        match value {
            Value::DateTime(moment) => self.literal(kind, &format!("{moment:.3}")),
            Value::Blank => Some("null".to_owned()),
            other => self.literal(kind, &other.to_string()),
        }
    }

    /// The values of a key, each as a literal; none where the id is none of such keys.
    fn values(self, key: &[Part], id: &str) -> Option<Vec<String>> {
        let values = match key {
            [_] => vec![id.to_owned()],
            _ => crate::key::split(id, key.len())?,
        };
        key.iter()
            .zip(values)
            .map(|(part, value)| self.literal(part.literal, &value))
            .collect()
    }

    /// A key as an address holds it: `'ALFKI'`, or `OrderID=10248,ProductID=11`.
    pub(super) fn key(self, key: &[Part], id: &str) -> Option<String> {
        let values = self.values(key, id)?;
        if let [value] = values.as_slice() {
            return Some(value.clone());
        }
        let pairs = key.iter().zip(values);
        let pairs: Vec<String> = pairs
            .map(|(part, value)| format!("{}={value}", member(&part.place)))
            .collect();
        Some(pairs.join(","))
    }

    /// That a record's key comes behind another one.
    pub(super) fn behind(self, key: &[Part], id: &str) -> Option<String> {
        let values = self.values(key, id)?;
        let names: Vec<String> = key.iter().map(|part| member(&part.place)).collect();
        let ways: Vec<String> = (0..names.len())
            .map(|at| {
                let same = names.iter().zip(&values).take(at);
                let mut all: Vec<String> = same.map(|(name, value)| format!("{name} eq {value}")).collect();
                all.push(format!("{} gt {}", names[at], values[at]));
                all.join(" and ")
            })
            .collect();
        Some(match ways.as_slice() {
            [way] => way.clone(),
            ways => format!("({})", ways.join(" or ")),
        })
    }

    /// That a record has one of these keys.
    pub(super) fn keys(self, key: &[Part], ids: &[&str]) -> Option<String> {
        let one = |id: &&str| {
            let values = self.values(key, id)?;
            let pairs = key.iter().zip(values);
            let pairs: Vec<String> = pairs
                .map(|(part, value)| format!("{} eq {value}", member(&part.place)))
                .collect();
            Some(match pairs.as_slice() {
                [pair] => pair.clone(),
                pairs => format!("({})", pairs.join(" and ")),
            })
        };
        any(ids.iter().map(one).collect::<Option<Vec<_>>>()?)
    }

    /// That a member has one of these values, which are literals.
    pub(super) fn matches(self, place: &Place, values: &[String]) -> Option<String> {
        let name = member(place);
        any(values.iter().map(|value| format!("{name} eq {value}")).collect())
    }

    /// That a record was changed since a moment, which is a literal: by the first of its times that is not blank.
    pub(super) fn changed(self, places: &[Place], since: &str) -> Option<String> {
        let names: Vec<String> = places.iter().map(member).collect();
        let ways = (0..names.len()).map(|at| {
            let blank = names.iter().take(at).map(|name| format!("{name} eq null"));
            let mut all: Vec<String> = blank.collect();
            all.push(format!("{} ge {since}", names[at]));
            match all.as_slice() {
                [one] => one.clone(),
                all => format!("({})", all.join(" and ")),
            }
        });
        any(ways.collect())
    }

    /// A list of other records within a record, as it is named to be shown with it.
    pub(super) fn expansion(self, list: &Place) -> String {
        let name = member(list);
        match self {
            // There a list stands under a word of its own.
            Self::ODataV2 => name.strip_suffix("/results").map(str::to_owned).unwrap_or(name),
            Self::ODataV4 => name,
        }
    }

    /// The id that the end of an address names: `Orders(OrderID=5,Line=1)`.
    pub(super) fn id(self, key: &[Part], address: &str) -> Option<String> {
        let path = address.split(['?', '#']).next()?.trim_end_matches('/');
        let inner = path.strip_suffix(')')?;
        // A step may hold a slash within quotes: the key begins at the last bracket that opens outside of them.
        let mut quoted = false;
        let mut open = None;
        for (at, letter) in inner.char_indices() {
            match letter {
                '\'' => quoted = !quoted,
                '(' if !quoted => open = Some(at + 1),
                _ => {}
            }
        }
        let inner = percent_decoded(inner.get(open?..)?);
        let parts = split_outside_quotes(&inner);
        let values: Vec<String> = match key {
            [_] => vec![value_of(parts.first().filter(|_| parts.len() == 1)?)?],
            _ => {
                let of = |part: &Part| {
                    let name = member(&part.place);
                    let mut pairs = parts.iter().filter_map(|pair| pair.split_once('='));
                    pairs
                        .find(|(known, _)| known.trim() == name)
                        .and_then(|(_, value)| value_of(value))
                };
                key.iter().map(of).collect::<Option<Vec<_>>>()?
            }
        };
        match values.as_slice() {
            [value] => Some(value.clone()),
            values => Some(crate::key::join(values)),
        }
    }
}

/// A member by its name in filters: `Address/City`.
pub(super) fn member(place: &Place) -> String {
    match place {
        Place::Body(steps) => steps.join("/"),
        Place::Header(name) => name.to_string(),
    }
}

fn any(conditions: Vec<String>) -> Option<String> {
    match conditions.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        all => Some(format!("({})", all.join(" or "))),
    }
}

fn percent_decoded(text: &str) -> String {
    let pair = format!("t={}", text.replace('+', "%2B").replace('&', "%26"));
    let decoded = url::form_urlencoded::parse(pair.as_bytes()).next();
    decoded.map(|(_, text)| text.into_owned()).unwrap_or_default()
}

fn split_outside_quotes(text: &str) -> Vec<String> {
    let (mut parts, mut quoted) = (vec![String::new()], false);
    for letter in text.chars() {
        match letter {
            ',' if !quoted => {
                parts.push(String::new());
                continue;
            }
            '\'' => quoted = !quoted,
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(letter);
        }
    }
    parts
}

/// What a literal stands for; `5L` and `guid'...'` lose what tells their kind.
fn value_of(literal: &str) -> Option<String> {
    let literal = literal.trim();
    // A single key may be written with its name.
    let literal = match literal.split_once('=') {
        Some((name, value)) if !name.contains('\'') => value.trim(),
        _ => literal,
    };
    if let Some((_, quoted)) = literal.split_once('\'') {
        return Some(quoted.strip_suffix('\'')?.replace("''", "'"));
    }
    let bare = match literal.strip_suffix(['L', 'l', 'M', 'm']) {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') => digits,
        _ => literal,
    };
    (!bare.is_empty()).then(|| bare.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use Language::{ODataV2, ODataV4};

    fn key(parts: &[(&str, Literal)]) -> Vec<Part> {
        let part = |(name, literal): &(&str, Literal)| Part {
            place: Place::member(name),
            literal: *literal,
        };
        parts.iter().map(part).collect()
    }

    #[test]
    fn a_value_is_written_as_each_version_takes_it() {
        let cases = [
            (Literal::Text, "O'Neil", "'O''Neil'", "'O''Neil'"),
            (Literal::Bare, "5", "5", "5"),
            (Literal::Int64, "5", "5", "5L"),
            (Literal::Decimal, "-12.50", "-12.50", "-12.50M"),
            (
                Literal::Date,
                "2026-01-31",
                "2026-01-31",
                "datetime'2026-01-31T00:00:00'",
            ),
            (
                Literal::DateTime,
                "2026-01-31T12:00:00.000Z",
                "2026-01-31T12:00:00.000Z",
                "datetime'2026-01-31T12:00:00.000'",
            ),
            (
                Literal::DateTimeOffset,
                "2026-01-31T12:00:00Z",
                "2026-01-31T12:00:00Z",
                "datetimeoffset'2026-01-31T12:00:00Z'",
            ),
            (Literal::Guid, "0aBc", "0aBc", "guid'0aBc'"),
        ];
        for (kind, text, four, two) in cases {
            assert_eq!(ODataV4.literal(kind, text).unwrap(), four);
            assert_eq!(ODataV2.literal(kind, text).unwrap(), two);
        }
        // Nothing that is written bare can become a part of a filter.
        for bad in ["", "5 or 1 eq 1", "5)", "'", "a/b", "Name", "1.", "-"] {
            assert_eq!(ODataV4.literal(Literal::Bare, bad), None, "{bad}");
        }
    }

    #[test]
    fn keys_are_written_into_addresses_and_read_back_out_of_them() {
        let one = key(&[("ID", Literal::Text)]);
        let two = key(&[("Order", Literal::Int64), ("Line", Literal::Text)]);
        for language in [ODataV4, ODataV2] {
            for id in ["ALFKI", "O'Neil", "a/b (c)", "x=1,y", "5L"] {
                let address = format!("http://erp/v/C({})?x=1", language.key(&one, id).unwrap());
                assert_eq!(language.id(&one, &address).unwrap(), id);
                let both = crate::key::join(&["5".to_owned(), id.to_owned()]);
                let address = format!("C({})", language.key(&two, &both).unwrap());
                assert_eq!(language.id(&two, &address).unwrap(), both, "{address}");
            }
        }
        assert_eq!(ODataV4.id(&one, "C(%27a%2Fb%27)").unwrap(), "a/b");
        assert_eq!(ODataV4.id(&one, "C(ID='a')").unwrap(), "a");
        assert_eq!(ODataV4.id(&one, "C"), None);
        assert_eq!(ODataV4.id(&two, "C(Order=5)"), None);
        assert_eq!(ODataV2.key(&two, "5|a").unwrap(), "Order=5L,Line='a'");
        assert_eq!(ODataV2.key(&two, "5"), None);
    }

    #[test]
    fn filters_say_what_comes_behind_what_matches_and_what_changed() {
        let one = key(&[("ID", Literal::Text)]);
        let two = key(&[("A", Literal::Bare), ("B", Literal::Text)]);
        assert_eq!(ODataV4.behind(&one, "x").unwrap(), "ID gt 'x'");
        assert_eq!(
            ODataV4.behind(&two, "1|x").unwrap(),
            "(A gt 1 or A eq 1 and B gt 'x')"
        );
        assert_eq!(
            ODataV4.keys(&two, &["1|x", "2|y"]).unwrap(),
            "((A eq 1 and B eq 'x') or (A eq 2 and B eq 'y'))"
        );
        let city = Place::parse("address.city").unwrap();
        assert_eq!(
            ODataV4
                .matches(&city, &["'a'".to_owned(), "'b'".to_owned()])
                .unwrap(),
            "(address/city eq 'a' or address/city eq 'b')"
        );
        let times = [Place::member("Changed"), Place::member("Made")];
        assert_eq!(
            ODataV4.changed(&times, "T").unwrap(),
            "(Changed ge T or (Changed eq null and Made ge T))"
        );
        assert_eq!(ODataV4.changed(&times[..1], "T").unwrap(), "Changed ge T");
    }
}
