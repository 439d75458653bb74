//! A picture as a description, in the words of docs/rest.md or docs/sql.md.

use super::picture::{Line, Picture, Property, RecordType, Way};
use super::yaml::{comment, commented, lines, remark, scalar, table};
use std::fmt::Write;

/// The text of a description.
pub(crate) fn text(picture: &Picture, command: &str) -> String {
    let page = match picture.way {
        Way::Rest => "docs/rest.md",
        Way::Sql => "docs/sql.md",
    };
    let mut text = String::new();
    text += &comment(0, &format!("Proposed by `{command}` out of {}.", picture.from));
    let page = match picture.top.iter().any(|line| line.key == "odata") {
        true => "docs/rest.md, and what `odata:` fills in in docs/odata.md",
        false => page,
    };
    text += &comment(
        0,
        &format!("What was guessed says so, and what to ask. Every key is explained in {page}."),
    );
    text += &lines(&picture.top, 0);
    text += "\nrecord_types:\n";
    for (place, of) in picture.types.iter().enumerate() {
        if place > 0 {
            text.push('\n');
        }
        text += &record_type(of, picture.way);
    }
    text
}

fn record_type(of: &RecordType, way: Way) -> String {
    let mut text = format!("  {}:\n", scalar(&of.name));
    text += &lines(&of.lines, 2);
    match way {
        Way::Rest => {
            text += "    properties:\n";
            for property in &of.properties {
                let said = rest_property(property);
                let _ = writeln!(
                    text,
                    "      {}: {said}{}",
                    scalar(&property.name),
                    remark(property.guess.as_ref())
                );
            }
        }
        Way::Sql => {
            let said = of.properties.iter().filter_map(sql_property);
            text += &lines(&said.collect::<Vec<_>>().into_iter().fold(Vec::new(), under), 2);
        }
    }
    match &of.not {
        Some(why) => comment(1, &format!("left out: {why}")) + &commented(&text),
        None => text,
    }
}

/// Puts a property under the one key `properties`.
fn under(mut all: Vec<Line>, line: Line) -> Vec<Line> {
    match all.first_mut() {
        Some(properties) => properties.below.push(line),
        None => all.push(Line::over("properties", vec![line])),
    }
    all
}

fn rest_property(property: &Property) -> String {
    let kind = scalar(&property.kind.text());
    let yes = |key: &'static str, said: bool| said.then(|| (key, "true".to_owned()));
    let mut keys = vec![("type", kind.clone())];
    keys.extend(property.at.as_ref().map(|at| ("at", scalar(at))));
    keys.extend(yes("required", property.required));
    keys.extend(yes("unique", property.unique));
    keys.extend(yes("read_only", property.read_only));
    keys.extend(yes("create_only", property.create_only));
    keys.extend(yes("filled", property.filled && !property.read_only));
    keys.extend(property.form.as_ref().map(|form| ("form", form.clone())));
    match keys.len() {
        1 => kind,
        _ => table(&keys),
    }
}

/// What a database does not say of a column by itself.
fn sql_property(property: &Property) -> Option<Line> {
    let (key, value) = property.form.as_ref()?.split_once(": ")?;
    let keys = [("column", scalar(&property.name)), (key, value.to_owned())];
    Some(Line::new(&property.name, table(&keys)).guessed(property.guess.clone()))
}
