//! What SQL Server says of a table.

use super::super::catalogue::{Column, Foreign, Kind, May, Relation};
use super::super::description::TableName;
use super::super::driver::{Dialect, Driver, Rows, Statement, Trouble};
use super::super::value::{Cell, text};
use super::Mssql;

const TABLE: &str = "SELECT s.name, o.name, CASE o.type WHEN 'V' THEN 1 ELSE 0 END,
    CASE WHEN EXISTS (SELECT 1 FROM sys.security_predicates p WHERE p.target_object_id = o.object_id AND p.predicate_type = 0)
        THEN 1 ELSE 0 END,
    HAS_PERMS_BY_NAME(@P1, 'OBJECT', 'INSERT'), HAS_PERMS_BY_NAME(@P1, 'OBJECT', 'UPDATE'), HAS_PERMS_BY_NAME(@P1, 'OBJECT', 'DELETE')
    FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id
    WHERE o.object_id = OBJECT_ID(@P1) AND o.type IN ('U', 'V')";

const COLUMNS: &str =
    "SELECT c.name, TYPE_NAME(c.system_type_id), CAST(c.max_length AS int), CAST(c.precision AS int),
    CAST(c.scale AS int), CAST(c.is_nullable AS int), CASE WHEN c.default_object_id <> 0 THEN 1 ELSE 0 END,
    CASE WHEN c.is_computed = 1 OR c.is_identity = 1 OR c.generated_always_type <> 0 THEN 1 ELSE 0 END
    FROM sys.columns c WHERE c.object_id = OBJECT_ID(@P1) ORDER BY c.column_id";

/// Indexes over some rows alone say nothing of the whole.
const INDEXES: &str = "SELECT i.name, c.name, CAST(i.has_filter AS int) FROM sys.indexes i
    JOIN sys.index_columns k ON k.object_id = i.object_id AND k.index_id = i.index_id
    JOIN sys.columns c ON c.object_id = k.object_id AND c.column_id = k.column_id
    WHERE i.object_id = OBJECT_ID(@P1) AND i.is_unique = 1 AND k.is_included_column = 0
    ORDER BY i.is_primary_key DESC, i.name, k.key_ordinal";

const FOREIGN: &str = "SELECT f.name, c.name, s.name, t.name, r.name FROM sys.foreign_keys f
    JOIN sys.foreign_key_columns k ON k.constraint_object_id = f.object_id
    JOIN sys.columns c ON c.object_id = k.parent_object_id AND c.column_id = k.parent_column_id
    JOIN sys.columns r ON r.object_id = k.referenced_object_id AND r.column_id = k.referenced_column_id
    JOIN sys.objects t ON t.object_id = k.referenced_object_id JOIN sys.schemas s ON s.schema_id = t.schema_id
    WHERE f.parent_object_id = OBJECT_ID(@P1) ORDER BY f.name, k.constraint_column_id";

/// Conditions of one column.
const CHECKS: &str = "SELECT k.name, c.name FROM sys.check_constraints k
    JOIN sys.columns c ON c.object_id = k.parent_object_id AND c.column_id = k.parent_column_id
    WHERE k.parent_object_id = OBJECT_ID(@P1)";

pub(super) async fn relation(server: &Mssql, name: &TableName) -> Result<Option<Relation>, Trouble> {
    let named = Dialect::Mssql.table(name);
    let found = ask(server, TABLE, &named).await?;
    let Some([schema, table, view, hides, insert, update, delete]) = found.iter().next() else {
        return Ok(None);
    };
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
    relation.columns = ask(server, COLUMNS, &named).await?.iter().map(column).collect();
    let mut last = String::new();
    for row in ask(server, INDEXES, &named).await?.iter() {
        let (index, column) = (text(&row[0]), text(&row[1]));
        let columns = relation.constraints.entry(index.clone()).or_default();
        columns.push(column.clone());
        match relation.unique.last_mut() {
            _ if yes(&row[2]) => {}
            Some(columns) if last == index => columns.push(column),
            _ => relation.unique.push(vec![column]),
        }
        last = index;
    }
    last.clear();
    for row in ask(server, FOREIGN, &named).await?.iter() {
        let (constraint, column) = (text(&row[0]), text(&row[1]));
        let columns = relation.constraints.entry(constraint.clone()).or_default();
        columns.push(column.clone());
        if last != constraint {
            relation.foreign.push(Foreign {
                columns: Vec::new(),
                schema: text(&row[2]),
                table: text(&row[3]),
                to: Vec::new(),
            });
        }
        if let Some(foreign) = relation.foreign.last_mut() {
            foreign.columns.push(column);
            foreign.to.push(text(&row[4]));
        }
        last = constraint;
    }
    for row in ask(server, CHECKS, &named).await?.iter() {
        relation.constraints.insert(text(&row[0]), vec![text(&row[1])]);
    }
    Ok(Some(relation))
}

async fn ask(server: &Mssql, sql: &str, named: &str) -> Result<Rows, Trouble> {
    let statement = Statement {
        sql: sql.to_owned(),
        given: vec![Cell::Text(named.to_owned())],
        answers: Vec::new(),
    };
    server.read(&statement).await
}

fn yes(cell: &Cell) -> bool {
    *cell == Cell::Integer(1)
}

fn column(row: &[Cell]) -> Column {
    let of = text(&row[1]).to_lowercase();
    let number = |at: usize| match row[at] {
        Cell::Integer(number) => u32::try_from(number).ok(),
        _ => None,
    };
    let kind = match of.as_str() {
        "char" | "varchar" | "nchar" | "nvarchar" => Kind::Text,
        "tinyint" | "smallint" | "int" | "bigint" | "timestamp" => Kind::Integer,
        "decimal" | "numeric" | "money" | "smallmoney" => Kind::Decimal,
        "float" | "real" => Kind::Float,
        "bit" => Kind::Boolean,
        "date" => Kind::Date,
        "datetime" | "smalldatetime" | "datetime2" => Kind::Civil,
        "datetimeoffset" => Kind::Moment,
        "uniqueidentifier" => Kind::Uuid,
        "binary" | "varbinary" | "image" => Kind::Bytes,
        _ => Kind::Other,
    };
    // Texts of two bytes a letter; none: as long as one likes.
    let width = if of.starts_with('n') { 2 } else { 1 };
    let length = number(2)
        .filter(|_| kind == Kind::Text)
        .map(|bytes| bytes / width);
    let (precision, scale) = (number(3), number(4).unwrap_or_default());
    let native = match (of.as_str(), length, precision) {
        ("char" | "varchar" | "nchar" | "nvarchar", Some(length), _) => format!("{of}({length})"),
        ("char" | "varchar" | "nchar" | "nvarchar", None, _) => format!("{of}(max)"),
        ("decimal" | "numeric", _, Some(digits)) => format!("{of}({digits},{scale})"),
        ("datetime2" | "datetimeoffset" | "time", ..) => format!("{of}({scale})"),
        ("timestamp", ..) => "rowversion".to_owned(),
        _ => of.clone(),
    };
    Column {
        max_length: length.and_then(|length| usize::try_from(length).ok()),
        precision: precision.filter(|_| matches!(kind, Kind::Integer | Kind::Decimal)),
        scale: Some(scale).filter(|_| matches!(kind, Kind::Integer | Kind::Decimal)),
        nullable: yes(&row[5]),
        filled: yes(&row[6]),
        generated: yes(&row[7]) || of == "timestamp",
        ..Column::new(text(&row[0]), kind, native)
    }
}
