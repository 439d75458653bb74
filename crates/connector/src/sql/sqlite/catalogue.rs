//! What SQLite says of a table. It keeps no types, so a column is what its declaration is understood to say.

use super::super::catalogue::{Column, Foreign, Kind, May, Relation};
use super::super::description::TableName;
use super::super::driver::Dialect;
use rusqlite::{Connection, OptionalExtension, Result, Row};

pub(super) fn relation(connection: &Connection, table: &TableName) -> Result<Option<Relation>> {
    let schema = table.schema.as_deref().unwrap_or("main");
    let sql = format!(
        "SELECT name, type = 'view' FROM {}.sqlite_schema WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE",
        Dialect::Sqlite.quoted(schema)
    );
    let found = connection.query_row(&sql, [&table.name], |row| Ok((row.get(0)?, row.get(1)?)));
    let Some((name, is_view)) = found.optional().or_else(unknown)? else {
        return Ok(None);
    };
    let mut relation = Relation {
        schema: schema.to_owned(),
        name,
        is_view,
        may: May::default(),
        ..Relation::default()
    };
    columns(connection, &mut relation)?;
    indexes(connection, &mut relation)?;
    foreign(connection, &mut relation)?;
    Ok(Some(relation))
}

/// A schema that is not attached.
fn unknown<T>(error: rusqlite::Error) -> Result<Option<T>> {
    match error.to_string().contains("unknown database") || error.to_string().contains("no such table") {
        true => Ok(None),
        false => Err(error),
    }
}

fn all<T>(
    connection: &Connection,
    sql: &str,
    given: [&str; 2],
    read: impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    connection.prepare(sql)?.query_map(given, read)?.collect()
}

fn columns(connection: &Connection, relation: &mut Relation) -> Result<()> {
    let sql = "SELECT name, type, \"notnull\", dflt_value IS NOT NULL, pk, hidden FROM pragma_table_xinfo(?1, ?2) WHERE hidden <> 1";
    let mut keys: Vec<(i64, String)> = Vec::new();
    let found = all(connection, sql, [&relation.name, &relation.schema], |row| {
        let (name, of): (String, String) = (row.get(0)?, row.get(1)?);
        let place: i64 = row.get(4)?;
        if place > 0 {
            keys.push((place, name.clone()));
        }
        let mut column = column(name, &of);
        column.nullable = !row.get::<_, bool>(2)? && place == 0;
        column.filled = row.get(3)?;
        column.generated = row.get::<_, i64>(5)? > 1;
        Ok(column)
    })?;
    relation.columns = found;
    keys.sort();
    let keys: Vec<String> = keys.into_iter().map(|(_, name)| name).collect();
    if let [only] = keys.as_slice()
        && let Some(column) = relation.columns.iter_mut().find(|column| column.name == *only)
        && column.native.eq_ignore_ascii_case("integer")
    {
        // The number of the row, given where none is.
        column.filled = true;
    }
    if !keys.is_empty() {
        relation.unique.push(keys);
    }
    Ok(())
}

/// Length and kind out of a declaration such as `VARCHAR(40)` or `DECIMAL(18, 2)`.
fn column(name: String, declared: &str) -> Column {
    let (word, digits) = declared.split_once('(').unwrap_or((declared, ""));
    let word = word.trim().to_ascii_uppercase();
    let digits: Vec<u32> = digits
        .trim_end_matches(')')
        .split(',')
        .filter_map(|digit| digit.trim().parse().ok())
        .collect();
    let has = |part: &str| word.contains(part);
    let kind = if has("BOOL") {
        Kind::Boolean
    } else if has("INT") {
        Kind::Integer
    } else if has("TIMESTAMP") || has("DATETIME") {
        Kind::Civil
    } else if has("DATE") {
        Kind::Date
    } else if has("CHAR") || has("CLOB") || has("TEXT") || word.is_empty() {
        Kind::Text
    } else if has("BLOB") {
        Kind::Bytes
    } else if has("UUID") || has("GUID") {
        Kind::Uuid
    } else if has("REAL") || has("FLOA") || has("DOUB") {
        Kind::Float
    } else if has("DEC") || has("NUM") || has("MONEY") {
        Kind::Decimal
    } else {
        Kind::Text
    };
    let first = digits.first().copied();
    Column {
        max_length: first
            .filter(|_| kind == Kind::Text)
            .and_then(|length| usize::try_from(length).ok()),
        precision: first.filter(|_| kind == Kind::Decimal),
        scale: digits
            .get(1)
            .copied()
            .or(first.map(|_| 0))
            .filter(|_| kind == Kind::Decimal),
        ..Column::new(name, kind, word)
    }
}

fn indexes(connection: &Connection, relation: &mut Relation) -> Result<()> {
    let sql = "SELECT name FROM pragma_index_list(?1, ?2) WHERE \"unique\" AND NOT partial";
    let names = all(connection, sql, [&relation.name, &relation.schema], |row| {
        row.get::<_, String>(0)
    })?;
    for name in names {
        let sql = "SELECT name FROM pragma_index_info(?1, ?2) ORDER BY seqno";
        let columns = all(connection, sql, [&name, &relation.schema], |row| {
            row.get::<_, Option<String>>(0)
        })?;
        // One over an expression says nothing of its columns.
        if let Some(columns) = columns.into_iter().collect::<Option<Vec<String>>>()
            && !relation.unique.contains(&columns)
        {
            relation.unique.push(columns);
        }
    }
    Ok(())
}

fn foreign(connection: &Connection, relation: &mut Relation) -> Result<()> {
    let sql = "SELECT id, \"table\", \"from\", \"to\" FROM pragma_foreign_key_list(?1, ?2) ORDER BY id, seq";
    let rows = all(connection, sql, [&relation.name, &relation.schema], |row| {
        Ok((
            row.get::<_, i64>(0)?,
            row.get::<_, String>(1)?,
            row.get::<_, String>(2)?,
            row.get::<_, Option<String>>(3)?,
        ))
    })?;
    let mut last = None;
    for (id, table, from, to) in rows {
        if last != Some(id) {
            relation.foreign.push(Foreign {
                columns: Vec::new(),
                schema: relation.schema.clone(),
                table,
                to: Vec::new(),
            });
        }
        last = Some(id);
        if let Some(foreign) = relation.foreign.last_mut() {
            foreign.columns.push(from);
            foreign.to.extend(to);
        }
    }
    Ok(())
}
