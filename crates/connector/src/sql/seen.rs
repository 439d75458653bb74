//! All tables and views of a database, for whoever proposes a description of it.

use super::catalogue::{Kind, Relation};
use super::checks::allowed;
use super::description::TableName;
use super::driver::{Dialect, Rows, Statement, Trouble};
use super::value::{Cell, text};
use super::{Description, Sql};
use crate::Error;
use std::collections::BTreeMap;

/// A table or a view, as the database shows it.
#[derive(Clone, Debug)]
pub struct SeenTable {
    /// Its name, with its schema where it needs one.
    pub name: String,
    /// It is a view.
    pub is_view: bool,
    /// Its columns, in order.
    pub columns: Vec<SeenColumn>,
    /// The columns of its primary key, or of a unique index without blanks; none where there is no such thing.
    pub key: Vec<String>,
    /// Columns that name rows of other tables: those columns, the other table, and the columns there.
    pub foreign: Vec<(Vec<String>, String, Vec<String>)>,
    /// Whether rows may be inserted, updated and deleted by us, as far as the database says.
    pub may: [bool; 3],
}

/// A column.
#[derive(Clone, Debug)]
pub struct SeenColumn {
    /// Its name.
    pub name: String,
    /// `string`, `integer`, `decimal`, `boolean`, `date` or `datetime`; none where no property can hold it.
    pub data_type: Option<&'static str>,
    /// Its type in the database's own words.
    pub native: String,
    /// Longest text, in characters.
    pub max_length: Option<usize>,
    /// Digits in all and behind the point.
    pub digits: Option<(u32, u32)>,
    /// It may be null.
    pub nullable: bool,
    /// The database gives a value where none is given.
    pub filled: bool,
    /// It is computed, or always given by the database.
    pub generated: bool,
    /// No two rows share a value.
    pub unique: bool,
    /// The values of an enumeration.
    pub values: Vec<String>,
    /// The values that a check allows alone.
    pub checked: Vec<String>,
}

const POSTGRES: &str = "SELECT n.nspname::text, c.relname::text, n.nspname = ANY (current_schemas(false))
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND has_table_privilege(c.oid, 'SELECT')
    AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%' ORDER BY 1, 2";
const MYSQL: &str = "SELECT table_schema, table_name, 1 FROM information_schema.tables
    WHERE table_schema = DATABASE() ORDER BY 1, 2";
const SQLITE: &str = "SELECT 'main', name, 1 FROM sqlite_schema
    WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY 2";

const MSSQL: &str = "SELECT s.name, o.name, CASE WHEN s.name = SCHEMA_NAME() THEN 1 ELSE 0 END
    FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id
    WHERE o.type IN ('U', 'V') AND o.is_ms_shipped = 0 ORDER BY 1, 2";

/// The checks of tables: schema, table and what is checked.
const POSTGRES_CHECKS: &str = "SELECT n.nspname::text, c.relname::text, pg_get_constraintdef(k.oid)
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE k.contype = 'c'";
const MYSQL_CHECKS: &str = "SELECT t.constraint_schema, t.table_name, CAST(c.check_clause AS char)
    FROM information_schema.check_constraints c JOIN information_schema.table_constraints t
    ON t.constraint_schema = c.constraint_schema AND t.constraint_name = c.constraint_name
    WHERE t.constraint_schema = DATABASE() AND t.constraint_type = 'CHECK'";
const MSSQL_CHECKS: &str = "SELECT s.name, o.name, k.definition FROM sys.check_constraints k
    JOIN sys.objects o ON o.object_id = k.parent_object_id JOIN sys.schemas s ON s.schema_id = o.schema_id
    WHERE k.is_disabled = 0";
const SQLITE_CHECKS: &str =
    "SELECT 'main', name, sql FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%check%'";

impl Description {
    /// Nothing is described yet: what there is is about to be looked at.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            file: String::new(),
            records: BTreeMap::new(),
            zone: jiff::tz::TimeZone::UTC,
            names_zone: false,
            channel: None,
            change_table: None,
        }
    }
}

impl Sql {
    /// All tables and views that can be read, but for the database's own.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub async fn catalogue(&self) -> Result<Vec<SeenTable>, Error> {
        self.all_tables().await.map_err(|trouble| self.trouble(trouble))
    }

    async fn all_tables(&self) -> Result<Vec<SeenTable>, Trouble> {
        let tables = match self.driver.dialect() {
            Dialect::Postgres => POSTGRES,
            Dialect::Mysql => MYSQL,
            Dialect::Sqlite => SQLITE,
            Dialect::Mssql => MSSQL,
        };
        let found = self.asked(tables).await?;
        let names: Vec<(TableName, bool)> = found
            .iter()
            .map(|row| {
                let near = matches!(row[2], Cell::Boolean(true) | Cell::Integer(1));
                let name = TableName {
                    schema: Some(text(&row[0])),
                    name: text(&row[1]),
                };
                (name, near)
            })
            .collect();
        let tables: Vec<TableName> = names.iter().map(|(name, _)| name.clone()).collect();
        let near = |schema: &str, table: &str| {
            let found = names
                .iter()
                .find(|(name, _)| name.name == table && name.schema.as_deref() == Some(schema));
            match found.is_none_or(|(_, near)| *near) {
                true => table.to_owned(),
                false => format!("{schema}.{table}"),
            }
        };
        let relations = self.relations(&tables).await?;
        Ok(relations
            .iter()
            .flatten()
            .map(|relation| seen(relation, near))
            .collect())
    }

    /// What the database says of tables and views, with what their checks allow; none for one that is not there.
    pub(super) async fn relations(&self, tables: &[TableName]) -> Result<Vec<Option<Relation>>, Trouble> {
        let mut relations = self.driver.relations(tables).await?;
        let checks = match self.driver.dialect() {
            Dialect::Postgres => POSTGRES_CHECKS,
            Dialect::Mysql => MYSQL_CHECKS,
            Dialect::Sqlite => SQLITE_CHECKS,
            Dialect::Mssql => MSSQL_CHECKS,
        };
        // Servers that know no checks, or hide them, still have tables.
        let checks = match self.asked(checks).await {
            Ok(rows) => rows,
            Err(Trouble::Said(_)) => Rows::default(),
            Err(trouble) => return Err(trouble),
        };
        for relation in relations.iter_mut().flatten() {
            let of = checks
                .iter()
                .filter(|row| text(&row[0]) == relation.schema && text(&row[1]) == relation.name);
            let of: Vec<String> = of.map(|row| text(&row[2])).collect();
            let allowed = |column| of.iter().find_map(|check| allowed(check, column, relation));
            let checked: Vec<Vec<String>> = relation
                .columns
                .iter()
                .map(|column| allowed(column).unwrap_or_default())
                .collect();
            for (column, checked) in relation.columns.iter_mut().zip(checked) {
                column.checked = checked;
            }
        }
        Ok(relations)
    }

    async fn asked(&self, sql: &str) -> Result<Rows, Trouble> {
        let statement = Statement {
            sql: sql.to_owned(),
            ..Statement::default()
        };
        self.driver.read(&statement).await
    }
}

fn seen(relation: &Relation, near: impl Fn(&str, &str) -> String) -> SeenTable {
    let blank = |name: &String| relation.column(name).is_none_or(|column| column.nullable);
    let key = relation.unique.iter().find(|columns| !columns.iter().any(blank));
    let foreign = relation.foreign.iter().map(|foreign| {
        let table = near(&foreign.schema, &foreign.table);
        (foreign.columns.clone(), table, foreign.to.clone())
    });
    let columns = relation.columns.iter().map(|column| SeenColumn {
        name: column.name.clone(),
        data_type: (column.kind != Kind::Bytes).then(|| column.kind.data_type()),
        native: column.native.clone(),
        max_length: column.max_length,
        digits: column.precision.zip(column.scale),
        nullable: column.nullable,
        filled: column.filled,
        generated: column.generated,
        unique: relation.is_unique(&column.name),
        values: column.values.clone(),
        checked: column.checked.clone(),
    });
    SeenTable {
        name: near(&relation.schema, &relation.name),
        is_view: relation.is_view,
        columns: columns.collect(),
        key: key.cloned().unwrap_or_default(),
        foreign: foreign.collect(),
        may: [relation.may.insert, relation.may.update, relation.may.delete],
    }
}
