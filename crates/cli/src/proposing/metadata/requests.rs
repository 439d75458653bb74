//! The requests for a set's records, as each version wants them.

use super::super::picture::{Kind, Line, Property};
use super::super::yaml::{list, scalar, table};
use super::Reading;
use super::model::Version;

impl Reading<'_> {
    pub(super) fn by_version<'t>(&self, four: &'t str, two: &'t str) -> &'t str {
        match self.service.version {
            Version::V4 => four,
            Version::V2 => two,
        }
    }

    pub(super) fn list(&self) -> Line {
        let next = self.by_version("/@odata.nextLink", "d.__next");
        let paging = table(&[("kind", "url"), ("next", next), ("relative_to", "request")]);
        Line::over(
            "list",
            vec![
                Line::new("request", "\"GET /{collection}\""),
                Line::new("items", self.by_version("value", "d.results")),
                Line::new("paging", paging),
            ],
        )
    }

    pub(super) fn changes(&self, modified: &str) -> Line {
        let filter = format!("{modified} ge {{since}}");
        let mut below = vec![Line::new("query", table(&[("$filter", scalar(&filter))]))];
        if self.service.version == Version::V2 {
            let since = table(&[
                ("format", "\"datetime'%Y-%m-%dT%H:%M:%S'\""),
                ("granularity", "s"),
            ]);
            below.push(Line::new("since", since));
        }
        Line::over("changes", below)
    }

    /// The address of a record: keys are written as their type wants it.
    fn address(&self) -> String {
        let key = self.set.properties.iter().find(|property| property.is_key);
        let id = match (key.map_or("", |key| key.of.as_str()), self.service.version) {
            ("Edm.String", _) => "'{id:quoted}'",
            ("Edm.Guid", Version::V2) => "guid'{id}'",
            ("Edm.Int64", Version::V2) => "{id}L",
            _ => "{id}",
        };
        format!("/{{collection}}({id})")
    }

    pub(super) fn requests(
        &self,
        properties: &[Property],
        concurrent: bool,
        [creates, updates, deletes]: [bool; 3],
    ) -> Vec<Line> {
        let address = self.address();
        let whole = self.by_version(".", "d").to_owned();
        let request = |method: &str, path: &str| Line::new("request", scalar(&format!("{method} {path}")));
        let condition = || concurrent.then(|| table(&[("If-Match", "\"{token}\"")]));
        let mut lines = vec![Line::over(
            "read",
            vec![request("GET", &address), Line::new("record", whole.clone())],
        )];
        let texts: Vec<&str> = properties
            .iter()
            .filter(|property| matches!(property.kind, Kind::Text(_)) && property.at.is_none())
            .filter(|property| {
                self.set.properties.iter().any(|known| {
                    known.name == property.name
                        && known.of == "Edm.String"
                        && !known.says("filterable", "false")
                })
            })
            .map(|property| property.name.as_str())
            .collect();
        if !texts.is_empty() {
            lines.push(Line::over(
                "find",
                vec![
                    request("GET", "/{collection}"),
                    Line::new(
                        "query",
                        table(&[("$filter", "\"{property} eq '{value:quoted}'\"")]),
                    ),
                    Line::new("items", self.by_version("value", "d.results")),
                    Line::new("properties", list(&texts)),
                ],
            ));
        }
        if creates {
            let mut below = vec![request("POST", "/{collection}")];
            if self.service.version == Version::V4 {
                below.push(Line::new(
                    "headers",
                    table(&[("Prefer", "return=representation")]),
                ));
            }
            below.push(Line::new("record", whole.clone()));
            lines.push(Line::over("create", below));
        }
        if updates {
            let mut headers: Vec<(&str, &str)> = Vec::new();
            let mut below = match self.service.version {
                Version::V4 => vec![request("PATCH", &address)],
                Version::V2 => {
                    headers.push(("X-HTTP-Method", "MERGE"));
                    vec![request("POST", &address)]
                }
            };
            headers.extend(concurrent.then_some(("If-Match", "\"{token}\"")));
            if !headers.is_empty() {
                below.push(Line::new("headers", table(&headers)));
            }
            lines.push(Line::over("update", below));
        }
        if deletes {
            let mut below = vec![request("DELETE", &address)];
            below.extend(condition().map(|headers| Line::new("headers", headers)));
            lines.push(Line::over("delete", below));
        }
        lines
    }
}
