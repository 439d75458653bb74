//! Texts with holes, such as `/contacts/{id}`. Whatever has a hole with nothing to fill it is left out.

mod body;

pub(crate) use body::Body;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value as Json;
use std::borrow::Cow;
use tandem_merge::config::node::{At, Content, Node};
use tandem_merge::config::written::{Reader, Written};

/// A text with holes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Hole(Hole),
}

/// What is to be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hole {
    /// Its name.
    pub(crate) name: String,
    /// How what fills it is written.
    how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Plain,
    /// As a number of JSON.
    Number,
    /// With its single quotes doubled, as OData and SQL want texts.
    Quoted,
    /// The entries of a list, with commas between.
    List,
    /// As JSON, where that travels in a text.
    Json,
    /// With what stands for other characters in a pattern (`%`, `_`) marked by a backslash, as SQL's LIKE wants texts.
    Like,
    /// As the language of filters writes a value: `'x'`, `5`, `ID=5,Line=1`.
    Literal,
    /// With ` and ` before it; nothing at all where there is nothing.
    And,
}

/// What joins conditions.
const AND: &str = " and ";

/// The name under which a value is filled in as a literal.
pub(crate) fn literal(name: &str) -> String {
    format!("{name}:literal")
}

/// The names of the holes in a name, such as `in_{property}`.
pub(crate) fn holes_of_name(name: &str) -> impl Iterator<Item = &str> {
    let behind = name.split('{').skip(1);
    let holes = behind.filter_map(|text| text.split_once('}').map(|(hole, _)| hole));
    holes.map(|hole| hole.split_once(':').map_or(hole, |(name, _)| name))
}

/// What fills holes, by name.
pub(crate) type Fill<'f> = dyn Fn(&str) -> Option<Json> + Sync + 'f;

impl Template {
    /// Reads it as it is written; `{{` and `}}` stand for braces.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (mut parts, mut plain) = (Vec::new(), String::new());
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let (brace, behind) = rest[at..].split_at(1);
            if behind.starts_with(brace) {
                plain.push_str(brace);
                rest = &behind[1..];
                continue;
            }
            let end = behind.find('}').filter(|_| brace == "{");
            let end = end.ok_or("a brace has no counterpart; write `{{` or `}}` for a brace itself")?;
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Hole(Hole::parse(&behind[..end])?));
            rest = &behind[end + 1..];
        }
        plain.push_str(rest);
        if !plain.is_empty() || parts.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self(parts))
    }

    /// The names of its holes.
    pub(crate) fn holes(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Hole(hole) => Some(hole.name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The names of the holes that are filled with what stands for them as it is, rather than with a literal.
    pub(crate) fn plain(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Hole(hole) if hole.how != How::Literal => Some(hole.name.as_str()),
            _ => None,
        })
    }

    /// Whether it writes something in the language of filters.
    pub(crate) fn writes_literals(&self) -> bool {
        let literal = |part: &Part| matches!(part, Part::Hole(hole) if hole.how == How::Literal);
        self.0.iter().any(literal)
    }

    /// The text; none where a hole stays empty, or nothing is left of it.
    pub(crate) fn text(&self, fill: &Fill<'_>) -> Option<String> {
        let made = self.made(fill, |text, _| text)?;
        let text = match self.0.first() {
            // What would have stood before it is not there.
            Some(Part::Hole(hole)) if hole.how == How::And => made.trim_start_matches(AND).to_owned(),
            _ => made,
        };
        let optional = |part: &Part| matches!(part, Part::Hole(hole) if hole.how == How::And);
        (!text.is_empty() || !self.0.iter().all(optional)).then_some(text)
    }

    /// The text as a path: what fills a hole cannot add a step to it, nor a query. A collection alone may be several steps: the
    /// description itself names it.
    pub(crate) fn path(&self, fill: &Fill<'_>) -> Option<String> {
        let segment = |text: String, hole: &Hole| -> String {
            // A dot alone would be a step up.
            if text.bytes().all(|byte| byte == b'.') {
                return "%2E".repeat(text.len());
            }
            let encoded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
            // These mean nothing to a path, and much to a key.
            let kept: &[(&str, &str)] = match (hole.how, hole.name.as_str()) {
                (How::Literal, _) => &[("%27", "'"), ("%3D", "="), ("%2C", ","), ("%3A", ":")],
                (_, "collection") => &[
                    ("%2F", "/"),
                    ("%28", "("),
                    ("%29", ")"),
                    ("%27", "'"),
                    ("%3D", "="),
                ],
                _ => &[],
            };
            let kept = kept.iter();
            kept.fold(encoded.replace('+', "%20"), |text, (code, sign)| {
                text.replace(code, sign)
            })
        };
        self.made(fill, segment)
    }

    fn made(&self, fill: &Fill<'_>, encode: impl Fn(String, &Hole) -> String) -> Option<String> {
        let mut made = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => made.push_str(text),
                Part::Hole(hole) if hole.how == How::And => {
                    if let Some(text) = fill(&hole.name).and_then(|value| hole.text(&value)) {
                        made.push_str(AND);
                        made.push_str(&text);
                    }
                }
                Part::Hole(hole) => made.push_str(&encode(hole.text(&hole.filled(fill)?)?, hole)),
            }
        }
        Some(made)
    }

    /// The value: what fills the only hole, else a text.
    fn json(&self, fill: &Fill<'_>) -> Option<Json> {
        match self.0.as_slice() {
            [Part::Hole(hole)] => hole.json(hole.filled(fill)?),
            _ => self.text(fill).map(Json::String),
        }
    }
}

impl Hole {
    fn parse(text: &str) -> Result<Self, String> {
        let (name, how) = text.split_once(':').unwrap_or((text, ""));
        let how = match how.trim() {
            "" => How::Plain,
            "number" => How::Number,
            "quoted" => How::Quoted,
            "list" => How::List,
            "json" => How::Json,
            "like" => How::Like,
            "literal" => How::Literal,
            "and" => How::And,
            other => {
                return Err(format!(
                    "nothing is filled in as `{other}`; write `number`, `quoted`, `list`, `json`, `like`, `literal` or `and` behind the colon"
                ));
            }
        };
        let name = name.trim().to_owned();
        if name.is_empty() {
            return Err("a hole has no name; write `{{}}` for two braces".to_owned());
        }
        Ok(Self { name, how })
    }

    /// What fills it.
    fn filled(&self, fill: &Fill<'_>) -> Option<Json> {
        match self.how {
            How::Literal => fill(&literal(&self.name)),
            _ => fill(&self.name),
        }
    }

    fn text(&self, value: &Json) -> Option<String> {
        if self.how == How::Json {
            return Some(value.to_string());
        }
        let text = match value {
            Json::String(text) => text.clone(),
            Json::Array(entries) => {
                let entries: Option<Vec<String>> = entries.iter().map(|entry| self.text(entry)).collect();
                return Some(entries?.join(","));
            }
            Json::Null | Json::Object(_) => return None,
            other => other.to_string(),
        };
        Some(match self.how {
            How::Quoted => text.replace('\'', "''"),
            How::Like => text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"),
            _ => text,
        })
    }

    fn json(&self, value: Json) -> Option<Json> {
        match (self.how, value) {
            (How::Number, Json::String(text)) => {
                let number = text.parse().map(Json::Number);
                Some(number.unwrap_or(Json::String(text)))
            }
            (How::Number, Json::Array(entries)) => {
                entries.into_iter().map(|entry| self.json(entry)).collect()
            }
            (How::Quoted | How::List | How::Json | How::Like, value) => self.text(&value).map(Json::String),
            (_, value) => Some(value),
        }
    }
}

impl Written for Template {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = match &node.value {
            Content::Boolean(yes) => yes.to_string(),
            Content::Table(_) => {
                let help = "Write a text with braces in quotes: \"{since}\".";
                reader.problem(node, "here stands a table, not a text", help);
                return None;
            }
            _ => String::read(node, reader)?,
        };
        match Self::parse(&text) {
            Ok(template) => Some(template),
            Err(what) => {
                let help = "Write names of what is filled in between braces, such as `{id}`.";
                reader.problem(node, what, help);
                None
            }
        }
    }
}

impl Template {
    /// The name of a member.
    fn named(name: &At<String>, reader: &mut Reader<'_>) -> Option<Self> {
        match Self::parse(&name.value) {
            Ok(template) => Some(template),
            Err(what) => {
                let help = "Write `{{` and `}}` for braces in a name.";
                reader.problem(name, what, help);
                None
            }
        }
    }
}

impl JsonSchema for Template {
    fn schema_name() -> Cow<'static, str> {
        "Template".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer", "boolean"],
            "description": "A text, with `{name}` where something is filled in. Left out where there is nothing to fill in."
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn fill(name: &str) -> Option<Json> {
        match name {
            "id" => Some(json!("a/b ?'c")),
            "version" => Some(json!("7")),
            "ids" => Some(json!(["1", "2"])),
            "up" => Some(json!("..")),
            "pattern" => Some(json!(r"10% a_b c:\")),
            "table" => Some(json!({ "x": null })),
            "key:literal" => Some(json!("A='a/''b',B=5")),
            "collection" => Some(json!("co(1)/c ?")),
            "more" => Some(json!("x gt 1")),
            _ => None,
        }
    }

    #[test]
    fn what_fills_a_hole_cannot_break_out_of_it() {
        let path = |text: &str| Template::parse(text).unwrap().path(&fill);
        assert_eq!(path("/c/{id}").unwrap(), "/c/a%2Fb%20%3F%27c");
        assert_eq!(path("/c('{id:quoted}')").unwrap(), "/c('a%2Fb%20%3F%27%27c')");
        assert_eq!(path("/c/{up}").unwrap(), "/c/%2E%2E");
        assert_eq!(path("/c/{nothing}"), None);
        let text = |text: &str| Template::parse(text).unwrap().text(&fill);
        assert_eq!(text("{{{ids}}}").unwrap(), "{1,2}");
        assert_eq!(
            text("[[\"id\",\"=\",{id:json}]]").unwrap(),
            r#"[["id","=","a/b ?'c"]]"#
        );
        assert_eq!(text("{ids:json}").unwrap(), r#"["1","2"]"#);
        assert_eq!(text("{pattern:like}").unwrap(), r"10\% a\_b c:\\");
        assert_eq!(path("/c({key:literal})").unwrap(), "/c(A='a%2F''b',B=5)");
        assert_eq!(
            path("/{collection}({id})").unwrap(),
            "/co(1)/c%20%3F(a%2Fb%20%3F%27c)"
        );
        assert_eq!(text("y eq 2{more:and}").unwrap(), "y eq 2 and x gt 1");
        assert_eq!(text("y eq 2{nothing:and}").unwrap(), "y eq 2");
        assert_eq!(text("{more:and}").unwrap(), "x gt 1");
        assert_eq!(text("{nothing:and}"), None);
        for wrong in ["{id", "id}", "{}", "{id:sideways}"] {
            assert!(Template::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_body_is_filled_with_values_and_keeps_nothing_empty() {
        let hole = |text: &str| Body::Text(Template::parse(text).unwrap());
        let name = |text: &str| Template::parse(text).unwrap();
        let body = Body::Table(vec![
            (name("v"), hole("{version:number}")),
            (name("t"), hole("{table}")),
            (name("n"), hole("{nothing}")),
            (name("l"), hole("{ids}")),
            (name("s"), hole("v{version}")),
            (name("m"), hole("{ids:number}")),
            (name("party,{version}"), hole("a")),
            (name("party,{nothing}"), hole("b")),
        ]);
        let made = body.json(&fill).unwrap();
        assert_eq!(
            made,
            json!({ "v": 7, "t": { "x": null }, "l": ["1", "2"], "s": "v7", "m": [1, 2], "party,7": "a" })
        );
    }
}
