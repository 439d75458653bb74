//! Whether what is computed is read and written the same, as samples show.

use super::super::place::Place;
use super::super::property::ComputedText;
use super::super::template::Body;
use super::super::{Computed, Property};
use super::Scope;
use crate::rest::expression::Expression;
use serde_json::{Map, Value as Json};
use tandem_merge::config::node::At;

impl Scope<'_, '_> {
    /// The expressions of a property.
    pub(super) fn computed(&mut self, name: &At<String>, text: &At<ComputedText>) -> Option<Computed> {
        let read = self.expression(name, &text.value.read, "record");
        let mut write = Vec::new();
        for (member, expression) in text.value.write.iter().flat_map(|write| &write.0) {
            let place = match Place::parse(&member.value) {
                Ok(place @ Place::Body(_)) => Some(place),
                Ok(Place::Header(_)) => {
                    self.problem(
                        member,
                        "a header is no member of a record",
                        "Write the way to a member.",
                    );
                    None
                }
                Err((message, help)) => {
                    self.problem(member, message, help);
                    None
                }
            };
            write.extend(place.zip(self.expression(name, expression, "value")));
        }
        let samples = text.value.samples.iter().flatten();
        let shown = samples.filter_map(|sample| match &sample.value.record {
            Body::Table(members) => Some(members.iter().filter_map(|(name, _)| name.text(&|_: &str| None))),
            _ => None,
        });
        Some(Computed {
            members: shown.flatten().collect(),
            read: read?,
            write,
        })
    }

    fn expression(
        &mut self,
        name: &At<String>,
        text: &At<String>,
        variable: &'static str,
    ) -> Option<Expression> {
        match Expression::read(&text.value, variable) {
            Ok(expression) => Some(expression),
            Err(why) => {
                let message = format!("`{}` cannot be computed: {why}", name.value);
                let help = format!("Write an expression over `{variable}`; docs/rest.md has the functions.");
                self.problem(text, message, help);
                None
            }
        }
    }

    /// Whether each sample reads as it says, and is written back as it stands.
    pub(super) fn samples(&mut self, name: &At<String>, property: &Property, text: &ComputedText) {
        let Some(computed) = &property.computed else {
            return;
        };
        let samples = text.samples.as_deref().unwrap_or_default();
        if let (true, Some(write)) = (samples.is_empty(), &text.write) {
            let at = write
                .0
                .first()
                .map_or_else(|| name.clone(), |(member, _)| member.clone());
            let help = "Add `samples: [{ record: {...}, value: ... }]`, so that both directions are tried.";
            self.problem(
                &at,
                format!("nothing shows that `{}` is written as it is read", name.value),
                help,
            );
        }
        let fill = |_: &str| None;
        for sample in samples {
            let record = sample.value.record.json(&fill).unwrap_or_default();
            let wanted = sample.value.value.json(&fill).unwrap_or_default();
            if let Err(message) = sample_fits(name, property, computed, &record, &wanted) {
                self.problem(sample, message, "Correct the expressions or the sample.");
            }
        }
    }
}

/// Whether a sample reads as it says, and is written back as it stands.
fn sample_fits(
    name: &At<String>,
    property: &Property,
    computed: &Computed,
    record: &Json,
    wanted: &Json,
) -> Result<(), String> {
    let name = &name.value;
    let expected = property.form.decode(&property.data_type, Some(wanted));
    let expected =
        expected.map_err(|why| format!("the value of the sample of `{name}` is no such value: {why}"))?;
    let shown = property.shown(record);
    if shown.as_ref() != Ok(&expected) {
        let shown = shown.map_or_else(|why| why, |value| format!("`{value}` is read"));
        return Err(format!("`{name}` does not read as the sample says: {shown}"));
    }
    let mut back = Json::Object(Map::new());
    let put = property.put(&mut back, &expected);
    put.map_err(|why| format!("`{name}` cannot be written: {why}"))?;
    match computed
        .write
        .iter()
        .find(|(place, _)| place.of(record) != place.of(&back))
    {
        Some((place, _)) => {
            let written = place.of(&back).unwrap_or(&Json::Null);
            Err(format!(
                "`{name}` is not written as it is read: {written} at `{place}`"
            ))
        }
        None => Ok(()),
    }
}
