//! Replies in JSON of which a part cannot be read: that part is marked, the rest is read.
//!
//! A text that is too long or no text, half a character, a number that is none: one of them makes a whole reply
//! unreadable for a parser, and one record must not keep all others away. The value is replaced by a mark that says why;
//! a decoder that meets it answers that this property cannot be read.

use serde_json::Value as Json;

/// Bytes of a text.
const TEXT: usize = 8 * 1024 * 1024;

/// The only member of a mark.
const MARK: &str = "tandem:unreadable";

const LONG: &str = "it is longer than 8 MiB";
const ENCODING: &str = "it is no text in UTF-8";
const CHARACTERS: &str = "it holds control characters that JSON does not allow";
const HALF: &str = "it holds half a character (a lone surrogate)";
const ESCAPE: &str = "it holds an escape sequence that JSON does not know";
const LITERAL: &str = "it is no value that JSON knows";

/// Why a value cannot be read; none where it is no mark.
pub(crate) fn reason(json: &Json) -> Option<&str> {
    json.as_object()
        .filter(|members| members.len() == 1)
        .and_then(|members| members.get(MARK))
        .and_then(Json::as_str)
}

/// A cell of a file as text, or the mark that stands for it.
pub(crate) fn text(cell: &[u8]) -> Result<&str, Json> {
    let mark = |why: &str| serde_json::json!({ MARK: why });
    if cell.len() > TEXT {
        return Err(mark(LONG));
    }
    std::str::from_utf8(cell).map_err(|_| mark(ENCODING))
}

/// The body with marks in place of what cannot be read; as it is where everything can, or where it is no JSON.
pub(crate) fn salvage(body: Vec<u8>) -> Vec<u8> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if !matches!(first, Some(b'{' | b'[')) {
        return body;
    }
    let marks = marks(&body);
    if marks.is_empty() {
        return body;
    }
    let mut whole = Vec::with_capacity(body.len());
    let mut from = 0;
    for mark in marks {
        whole.extend_from_slice(&body[from..mark.start]);
        let text = match mark.is_name {
            true => format!("\"{MARK}\""),
            false => format!("{{\"{MARK}\":\"{}\"}}", mark.why),
        };
        whole.extend_from_slice(text.as_bytes());
        from = mark.end;
    }
    whole.extend_from_slice(&body[from..]);
    whole
}

/// A part that cannot be read.
struct Mark {
    start: usize,
    end: usize,
    why: &'static str,
    /// It is the name of a member.
    is_name: bool,
}

fn marks(body: &[u8]) -> Vec<Mark> {
    let mut marks = Vec::new();
    let mut at = 0;
    while let Some(byte) = body.get(at) {
        let start = at;
        let why = match byte {
            b'"' => {
                let inner = inside(&body[at + 1..]);
                at += inner.len() + 2;
                trouble_of_text(inner)
            }
            b'{' | b'}' | b'[' | b']' | b',' | b':' => {
                at += 1;
                None
            }
            byte if byte.is_ascii_whitespace() => {
                at += 1;
                None
            }
            _ => {
                let ends = |byte: &u8| b"{}[],:\"".contains(byte) || byte.is_ascii_whitespace();
                let length = body[at..].iter().position(ends).unwrap_or(body.len() - at);
                at += length;
                (!is_literal(&body[start..at])).then_some(LITERAL)
            }
        };
        if let Some(why) = why {
            let end = at.min(body.len());
            let next = body[end..].iter().find(|byte| !byte.is_ascii_whitespace());
            marks.push(Mark {
                start,
                end,
                why,
                is_name: next == Some(&b':'),
            });
        }
    }
    marks
}

/// The inside of a text whose first quote is behind us.
fn inside(rest: &[u8]) -> &[u8] {
    let mut escaped = false;
    let end = rest.iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    &rest[..end.unwrap_or(rest.len())]
}

fn trouble_of_text(inner: &[u8]) -> Option<&'static str> {
    if inner.len() > TEXT {
        return Some(LONG);
    }
    if inner.iter().any(|byte| *byte < b' ') {
        return Some(CHARACTERS);
    }
    if std::str::from_utf8(inner).is_err() {
        return Some(ENCODING);
    }
    trouble_of_escapes(inner)
}

fn trouble_of_escapes(inner: &[u8]) -> Option<&'static str> {
    let mut at = 0;
    let unit = |at: usize| {
        let digits = inner.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    while let Some(found) = inner.get(at..)?.iter().position(|byte| *byte == b'\\') {
        at += found;
        match inner.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at += 2,
            Some(b'u') => match unit(at) {
                Some(0xd800..=0xdbff) => match unit(at + 6) {
                    Some(0xdc00..=0xdfff) => at += 12,
                    _ => return Some(HALF),
                },
                Some(0xdc00..=0xdfff) => return Some(HALF),
                Some(_) => at += 6,
                None => return Some(ESCAPE),
            },
            _ => return Some(ESCAPE),
        }
    }
    None
}

fn is_literal(token: &[u8]) -> bool {
    matches!(token, b"true" | b"false" | b"null") || is_number(token)
}

/// Whether a token is a number as JSON writes it.
fn is_number(token: &[u8]) -> bool {
    let digits = |rest: &[u8]| rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let token = token.strip_prefix(b"-").unwrap_or(token);
    let whole = digits(token);
    if whole == 0 || (whole > 1 && token[0] == b'0') {
        return false;
    }
    let mut rest = &token[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let behind = digits(fraction);
        if behind == 0 {
            return false;
        }
        rest = &fraction[behind..];
    }
    match rest {
        [] => true,
        [b'e' | b'E', power @ ..] => {
            let power = power
                .strip_prefix(b"+")
                .or_else(|| power.strip_prefix(b"-"))
                .unwrap_or(power);
            !power.is_empty() && digits(power) == power.len()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::http::json::parse;

    fn read(body: &[u8]) -> Json {
        parse(&salvage(body.to_vec())).unwrap()
    }

    #[test]
    fn one_value_that_cannot_be_read_leaves_the_others_alone() {
        for (value, why) in [
            (br#""a\ud800b""#.as_slice(), HALF),
            (br#""\udc00""#, HALF),
            (br#""\ud83d\u0041""#, HALF),
            (br#""\x""#, ESCAPE),
            (br#""\u12""#, ESCAPE),
            (b"\"a\xffb\"", ENCODING),
            (b"\"a\x01b\"", CHARACTERS),
            (b"NaN", LITERAL),
            (b"-Infinity", LITERAL),
            (b"007", LITERAL),
            (b".5", LITERAL),
            (b"None", LITERAL),
        ] {
            let body = [
                br#"{"items":[{"id":"1","x":"#.as_slice(),
                value,
                br#","y":"\ud83d\ude00"},{"id":"2"}]}"#,
            ];
            let shown = read(&body.concat());
            assert_eq!(
                reason(&shown["items"][0]["x"]),
                Some(why),
                "{}",
                String::from_utf8_lossy(value)
            );
            assert_eq!(shown["items"][0]["y"], "\u{1f600}");
            assert_eq!(shown["items"][1]["id"], "2");
        }
        let long = format!(r#"["{}",1]"#, "x".repeat(TEXT + 1));
        assert_eq!(reason(&read(long.as_bytes())[0]), Some(LONG));
        assert_eq!(read(br#"{"\ud800": 1, "a": 2}"#)["a"], 2);
    }

    #[test]
    fn what_can_be_read_stays_as_it_is() {
        for body in [
            r#"{"a":[1,-2.50,3e+4,1E5,0.1,true,false,null,"\"\\\/\b\f\n\r\t\u00e9"],"b":{}}"#,
            r#"{"a":"}{[,:"}"#,
            "no JSON: NaN",
            "{\"cut off",
            "",
        ] {
            assert_eq!(salvage(body.as_bytes().to_vec()), body.as_bytes());
        }
    }
}
