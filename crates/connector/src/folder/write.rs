//! Writes to files: a new file in the place of the old one, with all rows that nobody changed as they were, byte by byte.

use super::cell;
use super::description::{Column, NewId, Records};
use super::pending::Action;
use super::results::Out;
use super::table::{Content, Place, Row, Stamp, Table};
use crate::{Change, Outcome, Refusal, RefusalKind, Write};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use tandem_merge::record::Values;

/// What becomes of a file.
#[derive(Default)]
pub(super) struct Edits {
    /// New rows in the place of old ones; none: it goes.
    changed: BTreeMap<u64, Option<Vec<u8>>>,
    added: Vec<Vec<u8>>,
    /// The rows of a file for the ERP, where it takes such.
    pub(super) results: Vec<Out>,
}

/// What a write comes to once the file stands: the id that it is about, whose row is to be shown.
pub(super) enum Planned {
    Done(String),
    Ends(Box<Outcome>),
}

/// The version of a row: its bytes.
pub(super) fn token(row: &Row) -> String {
    crate::shown::token(super::table::without_end(&row.bytes))
}

/// Weighs one write against the file as it stands, and notes what it does to it.
pub(super) fn plan(table: &mut Table, of: &Records, write: &Write, edits: &mut Edits) -> io::Result<Planned> {
    if of.read_only {
        let why = format!("{} is read only", of.file);
        return Ok(refused(
            RefusalKind::Forbidden,
            Vec::new(),
            why,
            "Take `read_only` out of the description if Tandem may write it",
        ));
    }
    let (id, values, only_if) = match &write.change {
        Change::Create { values, .. } => return Ok(create(table, of, (values, &write.key), edits)),
        Change::Update {
            record,
            values,
            only_if,
        } => (&record.id, Some(values), only_if),
        Change::Delete { record, only_if } => (&record.id, None, only_if),
    };
    let place = match table.rows.get(id).map(Vec::as_slice) {
        Some([one]) => *one,
        Some([_, ..]) => {
            let why = format!("several rows of {} have the id {id}", of.file);
            return Ok(refused(
                RefusalKind::Invalid,
                vec![of.id.clone()],
                why,
                "Give each row an id of its own",
            ));
        }
        _ => return Ok(Planned::Ends(Box::new(Outcome::Gone))),
    };
    // What an earlier write of the same batch made of it is not in the file yet.
    if place.at == Place::NONE || edits.changed.contains_key(&place.at) {
        return Ok(Planned::Ends(Box::new(Outcome::Stale)));
    }
    let row = table.read(&[place], of.json)?.remove(0);
    if only_if
        .as_ref()
        .is_some_and(|version| version.token != token(&row))
    {
        return Ok(Planned::Ends(Box::new(Outcome::Stale)));
    }
    let Some(values) = values else {
        edits.changed.insert(place.at, None);
        if of.results.is_some() {
            let out = Out {
                action: Action::Delete,
                id: id.clone(),
                row: Some(row.content),
                values: Values::new(),
            };
            edits.results.push(out);
        }
        return Ok(Planned::Done(id.clone()));
    };
    if let Some(refusal) = check(table, of, values, Some(id), false) {
        return Ok(refusal);
    }
    match line(table, of, Some(row.content.clone()), values, None) {
        Ok(bytes) => drop(edits.changed.insert(place.at, Some(bytes))),
        Err(refusal) => return Ok(refusal),
    }
    if of.results.is_some() {
        edits.results.push(Out {
            action: Action::Update,
            id: id.clone(),
            row: Some(row.content),
            values: values.clone(),
        });
    }
    note(table, of, values, id);
    Ok(Planned::Done(id.clone()))
}

fn create(table: &mut Table, of: &Records, (values, key): (&Values, &str), edits: &mut Edits) -> Planned {
    if of.new_id == Some(NewId::Erp) && table.rows.contains_key(key) {
        // It comes again.
        return Planned::Done(key.to_owned());
    }
    if let Some(refusal) = check(table, of, values, None, true) {
        return refusal;
    }
    let id = match of.new_id {
        None => {
            let why = format!("{} makes no ids for new records", of.file);
            return refused(
                RefusalKind::Forbidden,
                Vec::new(),
                why,
                "Add `new_id: number` to the description if Tandem may create",
            );
        }
        Some(NewId::Uuid) => uuid(),
        Some(NewId::Erp) => key.to_owned(),
        Some(NewId::Number) => match next_number(table) {
            Ok(number) => number.to_string(),
            Err(error) => {
                return Planned::Ends(Box::new(Outcome::Refused(Refusal {
                    kind: RefusalKind::Busy,
                    properties: Vec::new(),
                    message: format!("no number can be given out ({error})"),
                    advice: "Let Tandem's user write into the folder".to_owned(),
                })));
            }
        },
    };
    match line(table, of, None, values, Some(&id)) {
        Ok(bytes) => edits.added.push(bytes),
        Err(refusal) => return refusal,
    }
    if of.results.is_some() {
        edits.results.push(Out {
            action: Action::Create,
            id: id.clone(),
            row: None,
            values: values.clone(),
        });
    }
    note(table, of, values, &id);
    // Its place is not known yet: the next create of the batch gets another id.
    table.rows.insert(
        id.clone(),
        vec![Place {
            at: Place::NONE,
            length: 0,
            line: 0,
            hash: 0,
            over: 0,
        }],
    );
    Planned::Done(id)
}

/// Notes who holds what must be unique, for the writes that follow in the batch.
fn note(table: &mut Table, of: &Records, values: &Values, id: &str) {
    for (name, value) in values {
        if let Some(column) = of.properties.get(name).filter(|column| column.unique) {
            table.holds(&column.column, cell::write(of, column, value), id);
        }
    }
}

/// Sixteen random bytes as people write them.
fn uuid() -> String {
    let mut bytes = [0; 16];
    // Without randomness the next create has the same id, and is refused.
    let _ = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "{}-{}-4{}-a{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[13..16],
        &hex[17..20],
        &hex[20..]
    )
}

/// What the description forbids.
fn check(
    table: &mut Table,
    of: &Records,
    values: &Values,
    id: Option<&str>,
    creates: bool,
) -> Option<Planned> {
    let blank = |name: &str| values.get(name).is_none_or(tandem_merge::value::Value::is_blank);
    for (name, column) in &of.properties {
        if column.required && blank(name) && (creates || values.contains_key(name)) {
            return Some(invalid(name, "it must not be blank".to_owned()));
        }
    }
    for (name, value) in values {
        let Some(column) = of.properties.get(name) else {
            return Some(invalid(
                name,
                format!("the description of {} has no such property", of.name),
            ));
        };
        if column.read_only {
            return Some(invalid(name, "it is read only".to_owned()));
        }
        let length = value.as_text().map_or(0, |text| text.chars().count());
        if column.max_length.is_some_and(|most| length > most) {
            return Some(invalid(name, format!("{length} characters are too long")));
        }
        if column.unique && !value.is_blank() {
            let text = cell::write(of, column, value);
            match table.holder(of, &column.column, &text, id) {
                Ok(None) => {}
                Ok(Some(other)) => {
                    let why = format!("record {other} has the same {name}");
                    let advice = "Another record holds the value: link to that one, or change one of the two";
                    return Some(refused(RefusalKind::Duplicate, vec![name.clone()], why, advice));
                }
                Err(error) => return Some(Planned::Ends(Box::new(Outcome::Unknown(error.to_string())))),
            }
        }
    }
    None
}

/// The bytes of a row with these values; what nobody speaks of stays.
fn line(
    table: &Table,
    of: &Records,
    row: Option<Content>,
    values: &Values,
    id: Option<&str>,
) -> Result<Vec<u8>, Planned> {
    if let Some(why) = row.as_ref().and_then(Content::broken) {
        return Err(refused(
            RefusalKind::Locked,
            Vec::new(),
            format!("its row cannot be read: {why}"),
            "Mend the row in the file",
        ));
    }
    let named = values
        .iter()
        .filter_map(|(name, value)| Some((name, of.properties.get(name)?, value)));
    let ending = if table.crlf { "\r\n" } else { "\n" };
    let text = if of.json {
        let mut members = match row {
            Some(Content::Json(members)) => members,
            _ => Map::new(),
        };
        members.extend(id.map(|id| {
            (
                of.id.clone(),
                id.parse::<u64>().map_or_else(|_| Json::from(id), Json::from),
            )
        }));
        members.extend(named.map(|(_, column, value)| (column.column.clone(), json(of, column, value))));
        format!("{}{ending}", Json::Object(members))
    } else {
        let mut cells = match row {
            Some(Content::Cells(cells)) => cells,
            _ => vec![String::new(); table.headings.len()],
        };
        let own = id.map(|id| (&of.id, id.to_owned())).into_iter();
        let given = named.map(|(_, column, value)| (&column.column, cell::write(of, column, value)));
        for (column, text) in own.chain(given) {
            let at = table.headings.iter().position(|heading| heading == column);
            match at.and_then(|at| cells.get_mut(at)) {
                Some(cell) => *cell = text,
                None => return Err(invalid(column, format!("{} has no such column", of.file))),
            }
        }
        table.line(&cells)
    };
    table.encoded(&text).ok_or_else(|| unwritable(table, of, values))
}

/// The refusal of values that the file's encoding cannot hold.
fn unwritable(table: &Table, of: &Records, values: &Values) -> Planned {
    let written = values
        .iter()
        .filter_map(|(name, value)| Some((name, cell::write(of, of.properties.get(name)?, value))));
    let lacking = written
        .filter_map(|(name, text)| Some((name.clone(), lacking(table, &text)?)))
        .collect::<Vec<(String, char)>>();
    let letters: Vec<String> = lacking
        .iter()
        .map(|(name, letter)| format!("`{letter}` of {name}"))
        .collect();
    let why = format!(
        "{} is written in {}, which has no {}",
        of.file,
        table.encoding.name(),
        letters.join(", no ")
    );
    let properties = lacking.into_iter().map(|(name, _)| name).collect();
    refused(
        RefusalKind::Invalid,
        properties,
        why,
        "Write it with other letters, or let the ERP write its file in UTF-8",
    )
}

/// The first letter of a text that the file's encoding lacks.
fn lacking(table: &Table, text: &str) -> Option<char> {
    text.chars()
        .find(|letter| table.encoded(letter.encode_utf8(&mut [0; 4])).is_none())
}

pub(super) fn json(of: &Records, column: &Column, value: &tandem_merge::value::Value) -> Json {
    use tandem_merge::value::Value;
    match value {
        Value::Blank | Value::Integer(_) => crate::http::json::encode(value),
        Value::Decimal(_) if !of.decimal_comma => crate::http::json::encode(value),
        Value::Boolean(_) if column.yes == "true" && column.no == "false" => crate::http::json::encode(value),
        _ => Json::String(cell::write(of, column, value)),
    }
}

/// Writes the new file and puts it in the place of the old one, unless that is another by now: none.
pub(super) fn replace(table: &Table, edits: &Edits) -> io::Result<Option<Stamp>> {
    let mut draft = table.path.clone().into_os_string();
    draft.push(format!(".tandem-{}", std::process::id()));
    let mut old = File::open(&table.path)?;
    let mut new = io::BufWriter::new(File::create(&draft)?);
    io::copy(&mut io::Read::take(&mut old, table.head), &mut new)?;
    let places = table.rows.values().flatten().filter(|place| place.length > 0);
    let mut changed: Vec<&Place> = places
        .filter(|place| edits.changed.contains_key(&place.at))
        .collect();
    changed.sort_by_key(|place| place.at);
    let mut at = table.head;
    for place in changed {
        io::copy(&mut io::Read::take(&mut old, place.at - at), &mut new)?;
        io::copy(&mut io::Read::take(&mut old, place.length), &mut io::sink())?;
        if let Some(Some(bytes)) = edits.changed.get(&place.at) {
            new.write_all(bytes)?;
        }
        at = place.at + place.length;
    }
    io::copy(&mut old, &mut new)?;
    if !edits.added.is_empty() && !ends_a_line(table)? {
        let end = table.encoded(if table.crlf { "\r\n" } else { "\n" });
        new.write_all(&end.unwrap_or_default())?;
    }
    edits.added.iter().try_for_each(|bytes| new.write_all(bytes))?;
    let new = new.into_inner().map_err(io::IntoInnerError::into_error)?;
    new.set_permissions(old.metadata()?.permissions())?;
    new.sync_all()?;
    if Stamp::of(&table.path)? != table.stamp {
        std::fs::remove_file(&draft)?;
        return Ok(None);
    }
    let left = Stamp::of(draft.as_ref())?;
    std::fs::rename(&draft, &table.path)?;
    if let Some(folder) = table.path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(Some(left))
}

/// The next number for the file. A number that was given out is never given out again, also where its row is gone: so the
/// largest is kept beside the file.
fn next_number(table: &Table) -> io::Result<u64> {
    let next = largest(table)?.0 + 1;
    keep_largest(table, next)?;
    Ok(next)
}

/// Notes the largest number that a file ever showed, for those that Tandem gives out.
pub(super) fn note_largest(table: &Table) -> io::Result<()> {
    match largest(table)? {
        (largest, kept) if largest > kept => keep_largest(table, largest),
        _ => Ok(()),
    }
}

fn beside(table: &Table) -> std::path::PathBuf {
    let mut beside = table.path.clone().into_os_string();
    beside.push(".tandem-largest");
    beside.into()
}

/// The largest number that was ever there, and the one that is kept. What is kept and cannot be read is not taken for nothing.
fn largest(table: &Table) -> io::Result<(u64, u64)> {
    let unreadable = |_| io::Error::other("the largest number beside it cannot be read");
    let kept = match std::fs::read_to_string(beside(table)) {
        Ok(text) => text.trim().parse().map_err(unreadable)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    let numbers = table.rows.keys().filter_map(|id| id.parse::<u64>().ok());
    Ok((numbers.max().unwrap_or_default().max(kept), kept))
}

fn keep_largest(table: &Table, number: u64) -> io::Result<()> {
    let place = beside(table);
    let draft = place.with_extension("tandem-largest-new");
    let mut file = File::create(&draft)?;
    writeln!(file, "{number}")?;
    file.sync_all()?;
    std::fs::rename(&draft, &place)
}

fn ends_a_line(table: &Table) -> io::Result<bool> {
    use io::{Read, Seek};
    let mut file = File::open(&table.path)?;
    // The last letter, which may be two bytes.
    let length = file.metadata()?.len().saturating_sub(table.head).min(2);
    if length == 0 {
        return Ok(true);
    }
    file.seek(io::SeekFrom::End(-i64::try_from(length).unwrap_or_default()))?;
    let mut last = Vec::new();
    file.read_to_end(&mut last)?;
    Ok(table.ends_a_line(&last))
}

fn invalid(property: &str, why: String) -> Planned {
    refused(
        RefusalKind::Invalid,
        vec![property.to_owned()],
        format!("{property}: {why}"),
        "Correct the record, then retry",
    )
}

fn refused(kind: RefusalKind, properties: Vec<String>, message: String, advice: &str) -> Planned {
    Planned::Ends(Box::new(Outcome::Refused(Refusal {
        kind,
        properties,
        message,
        advice: advice.to_owned(),
    })))
}
