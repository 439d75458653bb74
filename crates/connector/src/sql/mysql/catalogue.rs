//! What MySQL says of a table.

use super::super::catalogue::{Column, Foreign, Kind, May, Relation};
use super::super::description::TableName;
use super::super::driver::{Driver, Rows, Statement, Trouble};
use super::super::value::{Cell, text};
use super::Mysql;

/// Of a view nothing is said of what keeps its tables.
const TABLE: &str = "SELECT t.table_schema, t.table_name, t.table_type,
    CASE WHEN e.transactions = 'YES' OR t.engine IS NULL THEN '' ELSE t.engine END
    FROM information_schema.tables t LEFT JOIN information_schema.engines e ON e.engine = t.engine
    WHERE t.table_schema = COALESCE(?, DATABASE()) AND t.table_name = ?";

const COLUMNS: &str = "SELECT column_name, data_type, column_type, is_nullable,
    CAST(character_maximum_length AS char), CAST(numeric_precision AS char), CAST(numeric_scale AS char),
    column_default, extra, COALESCE(generation_expression, '')
    FROM information_schema.columns WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position";

/// Indexes over expressions, which have no column, say nothing of columns.
const INDEXES: &str = "SELECT index_name, column_name FROM information_schema.statistics
    WHERE table_schema = ? AND table_name = ? AND non_unique = 0
    ORDER BY index_name <> 'PRIMARY', index_name, seq_in_index";

const FOREIGN: &str = "SELECT constraint_name, column_name, referenced_table_schema, referenced_table_name,
    referenced_column_name FROM information_schema.key_column_usage
    WHERE table_schema = ? AND table_name = ? AND referenced_table_name IS NOT NULL
    ORDER BY constraint_name, ordinal_position";

pub(super) async fn relation(server: &Mysql, name: &TableName) -> Result<Option<Relation>, Trouble> {
    let schema = name
        .schema
        .as_ref()
        .map_or(Cell::Null, |schema| Cell::Text(schema.clone()));
    let found = ask(server, TABLE, [schema, Cell::Text(name.name.clone())]).await?;
    let Some([schema, table, of, engine]) = found.iter().next() else {
        return Ok(None);
    };
    let mut relation = Relation {
        schema: text(schema),
        name: text(table),
        is_view: text(of).contains("VIEW"),
        may: May::default(),
        untransacted: Some(text(engine)).filter(|engine| !engine.is_empty()),
        ..Relation::default()
    };
    let here = [Cell::Text(text(schema)), Cell::Text(text(table))];
    let columns = ask(server, COLUMNS, here.clone()).await?;
    relation.columns = columns.iter().map(column).collect();
    for row in ask(server, INDEXES, here.clone()).await?.iter() {
        let (index, column) = (text(&row[0]), text(&row[1]));
        relation
            .constraints
            .entry(index.clone())
            .or_default()
            .push(column.clone());
        let known = relation.constraints[&index].len();
        match relation.unique.last_mut() {
            Some(columns) if known > 1 => columns.push(column),
            _ => relation.unique.push(vec![column]),
        }
    }
    relation
        .unique
        .retain(|columns| columns.iter().all(|column| !column.is_empty()));
    let mut last = String::new();
    for row in ask(server, FOREIGN, here).await?.iter() {
        let (constraint, column) = (text(&row[0]), text(&row[1]));
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
    Ok(Some(relation))
}

async fn ask(server: &Mysql, sql: &str, given: [Cell; 2]) -> Result<Rows, Trouble> {
    let statement = Statement {
        sql: sql.to_owned(),
        given: given.to_vec(),
        answers: Vec::new(),
    };
    server.read(&statement).await
}

fn column(row: &[Cell]) -> Column {
    let (of, whole) = (text(&row[1]).to_lowercase(), text(&row[2]).to_lowercase());
    let kind = match of.as_str() {
        "tinyint" if whole.starts_with("tinyint(1)") => Kind::Boolean,
        "bit" if whole == "bit(1)" => Kind::Boolean,
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "year" | "bit" => Kind::Integer,
        "decimal" => Kind::Decimal,
        "float" | "double" => Kind::Float,
        "date" => Kind::Date,
        "datetime" => Kind::Civil,
        "timestamp" => Kind::Moment,
        "uuid" => Kind::Uuid,
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "enum" | "set" => Kind::Text,
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => Kind::Bytes,
        _ => Kind::Other,
    };
    let number = |at: usize| text(&row[at]).parse::<u32>().ok();
    let extra = text(&row[8]).to_lowercase();
    // MariaDB writes `NULL` for a column that is null where nothing is given.
    let default = !matches!(&row[7], Cell::Null) && text(&row[7]) != "NULL";
    let values = match of.as_str() {
        "enum" => entries(&text(&row[2])),
        _ => Vec::new(),
    };
    let long = matches!(kind, Kind::Text);
    Column {
        max_length: number(4)
            .filter(|_| long)
            .and_then(|length| usize::try_from(length).ok()),
        precision: number(5).filter(|_| matches!(kind, Kind::Integer | Kind::Decimal)),
        scale: number(6).filter(|_| matches!(kind, Kind::Integer | Kind::Decimal)),
        nullable: text(&row[3]) == "YES",
        filled: default || extra.contains("auto_increment") || extra.contains("on update"),
        counts: extra.contains("auto_increment"),
        generated: !text(&row[9]).is_empty(),
        values,
        ..Column::new(text(&row[0]), kind, whole)
    }
}

/// The entries of `enum('a','it''s')`.
fn entries(whole: &str) -> Vec<String> {
    let inner = whole.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    let inner = inner.unwrap_or_default().trim_matches('\'');
    let parts = inner.split("','");
    parts
        .filter(|part| !part.is_empty())
        .map(|part| part.replace("''", "'"))
        .collect()
}
