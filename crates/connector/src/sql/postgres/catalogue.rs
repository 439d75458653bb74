//! What PostgreSQL says of a table.

use super::super::catalogue::{Column, Foreign, Kind, May, Relation};
use super::super::description::TableName;
use super::super::driver::{Dialect, Driver, Rows, Statement, Trouble};
use super::super::value::{Cell, text};
use super::Postgres;

const TABLE: &str = "SELECT c.oid::int8, n.nspname::text, c.relname::text, c.relkind IN ('v', 'm'),
    c.relrowsecurity AND NOT row_security_active(c.oid) IS FALSE,
    has_table_privilege(c.oid, 'INSERT') OR has_any_column_privilege(c.oid, 'INSERT'),
    has_table_privilege(c.oid, 'UPDATE') OR has_any_column_privilege(c.oid, 'UPDATE'),
    has_table_privilege(c.oid, 'DELETE')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = to_regclass($1) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')";

/// Domains are what they are made of.
const COLUMNS: &str = "SELECT a.attnum::int8, a.attname::text, b.typname::text, b.typtype::text,
    CASE WHEN b.typtype = 'e' THEN quote_ident(n.nspname) || '.' || quote_ident(b.typname) ELSE format_type(b.oid, NULL) END,
    CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END::int8,
    a.attnotnull OR t.typnotnull,
    a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL,
    a.attgenerated <> '' OR a.attidentity = 'a',
    (SELECT string_agg(e.enumlabel, E'\\n' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = b.oid)
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
    JOIN pg_namespace n ON n.oid = b.typnamespace
    WHERE a.attrelid = CAST(CAST($1 AS text) AS oid) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

const CONSTRAINTS: &str = "SELECT c.conname::text, c.contype::text, array_to_string(c.conkey, ','),
    coalesce(n.nspname::text, ''), coalesce(f.relname::text, ''),
    coalesce((SELECT string_agg(a.attname::text, E'\\n' ORDER BY k.place) FROM unnest(c.confkey) WITH ORDINALITY k (number, place)
        JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.number), '')
    FROM pg_constraint c LEFT JOIN pg_class f ON f.oid = c.confrelid LEFT JOIN pg_namespace n ON n.oid = f.relnamespace
    WHERE c.conrelid = CAST(CAST($1 AS text) AS oid) AND c.conkey IS NOT NULL ORDER BY c.contype <> 'p', c.conname";

/// Indexes over expressions or over some rows alone say nothing of the whole.
const INDEXES: &str = "SELECT i.relname::text, array_to_string(x.indkey::int2[], ',') FROM pg_index x
    JOIN pg_class i ON i.oid = x.indexrelid WHERE x.indrelid = CAST(CAST($1 AS text) AS oid)
    AND x.indisunique AND x.indexprs IS NULL AND x.indpred IS NULL ORDER BY NOT x.indisprimary, i.relname";

/// The indexes that are about expressions, with the columns that these use.
const EXPRESSIONS: &str =
    "SELECT i.relname::text, string_agg(DISTINCT d.refobjsubid::text, ',') FROM pg_index x
    JOIN pg_class i ON i.oid = x.indexrelid
    JOIN pg_depend d ON d.objid = x.indexrelid AND d.refobjid = x.indrelid AND d.refobjsubid > 0
    WHERE x.indrelid = CAST(CAST($1 AS text) AS oid) AND x.indisunique AND (x.indexprs IS NOT NULL OR x.indpred IS NOT NULL)
    GROUP BY i.relname";

pub(super) async fn relation(server: &Postgres, name: &TableName) -> Result<Option<Relation>, Trouble> {
    let named = Cell::Text(Dialect::Postgres.table(name));
    let found = match ask(server, TABLE, named).await {
        // A schema that we may not even look into.
        Err(Trouble::Said(_)) => return Ok(None),
        found => found?,
    };
    let Some([oid, schema, table, view, hides, insert, update, delete]) = found.iter().next() else {
        return Ok(None);
    };
    let yes = |cell: &Cell| *cell == Cell::Boolean(true);
    let mut relation = Relation {
        schema: text(schema),
        name: text(table),
        is_view: yes(view),
        hides_rows: yes(hides),
        may: May {
            insert: yes(insert),
            update: yes(update),
            delete: yes(delete),
        },
        ..Relation::default()
    };
    let oid = Cell::Text(text(oid));
    let columns = ask(server, COLUMNS, oid.clone()).await?;
    let mut numbers = Vec::new();
    for row in columns.iter() {
        numbers.push(text(&row[0]));
        relation.columns.push(column(row));
    }
    let named = |list: &Cell| -> Vec<String> {
        let list = text(list).replace(' ', ",");
        let places = list
            .split(',')
            .filter_map(|number| numbers.iter().position(|known| known == number));
        places.map(|place| relation.columns[place].name.clone()).collect()
    };
    let (mut unique, mut constraints, mut foreign) = (Vec::new(), Vec::new(), Vec::new());
    for row in ask(server, CONSTRAINTS, oid.clone()).await?.iter() {
        let columns = named(&row[2]);
        if text(&row[1]) == "f" {
            foreign.push(Foreign {
                columns: columns.clone(),
                schema: text(&row[3]),
                table: text(&row[4]),
                to: text(&row[5]).lines().map(str::to_owned).collect(),
            });
        }
        constraints.push((text(&row[0]), columns));
    }
    for row in ask(server, INDEXES, oid.clone()).await?.iter() {
        unique.push(named(&row[1]));
        constraints.push((text(&row[0]), named(&row[1])));
    }
    for row in ask(server, EXPRESSIONS, oid).await?.iter() {
        constraints.push((text(&row[0]), named(&row[1])));
    }
    relation.unique = unique;
    relation.constraints = constraints.into_iter().collect();
    relation.foreign = foreign;
    Ok(Some(relation))
}

async fn ask(server: &Postgres, sql: &str, given: Cell) -> Result<Rows, Trouble> {
    let statement = Statement {
        sql: sql.to_owned(),
        given: vec![given],
        answers: Vec::new(),
    };
    server.read(&statement).await
}

fn column(row: &[Cell]) -> Column {
    let yes = |at: usize| row[at] == Cell::Boolean(true);
    let (of, type_kind, native) = (text(&row[2]), text(&row[3]), text(&row[4]));
    let modifier = match row[5] {
        Cell::Integer(number) => u32::try_from(number).ok(),
        _ => None,
    };
    let kind = match (of.as_str(), type_kind.as_str()) {
        (_, "e") => Kind::Other,
        ("text" | "varchar" | "bpchar" | "name", _) => Kind::Text,
        ("int2" | "int4" | "int8", _) => Kind::Integer,
        ("numeric", _) => Kind::Decimal,
        ("float4" | "float8", _) => Kind::Float,
        ("bool", _) => Kind::Boolean,
        ("date", _) => Kind::Date,
        ("timestamp", _) => Kind::Civil,
        ("timestamptz", _) => Kind::Moment,
        ("uuid", _) => Kind::Uuid,
        ("bytea", _) => Kind::Bytes,
        _ => Kind::Other,
    };
    let long = modifier.and_then(|modifier| modifier.checked_sub(4));
    let digits = long.filter(|_| kind == Kind::Decimal);
    let (precision, scale) = match of.as_str() {
        "int2" => (Some(5), Some(0)),
        "int4" => (Some(10), Some(0)),
        "int8" => (Some(19), Some(0)),
        _ => (
            digits.map(|digits| digits >> 16),
            digits.map(|digits| digits & 0x7FF),
        ),
    };
    let length = long.filter(|_| matches!(of.as_str(), "varchar" | "bpchar"));
    let values = match &row[9] {
        Cell::Text(labels) => labels.lines().map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    Column {
        max_length: length.and_then(|length| usize::try_from(length).ok()),
        precision,
        scale,
        nullable: !yes(6),
        filled: yes(7),
        generated: yes(8),
        values,
        ..Column::new(text(&row[1]), kind, native)
    }
}
