//! The change table and the triggers that feed it, as SQL for a person to read and run.

use super::description::{Changes, Description, Record, TableName};
use super::driver::Dialect;
use super::told::EMPTIED;
use std::fmt::Write as _;

/// The SQL that makes a description's change table, and the triggers that write to it and wake Tandem. It is for a person
/// to read, and to run as the owner of the tables.
#[must_use]
pub fn triggers(description: &Description, dialect: Dialect) -> String {
    let mut sql = String::from(
        "-- What Tandem needs to be told of changes. Read it, then run it as the owner of the tables.\n\
         -- Whoever writes to the tables needs no more rights than before.\n",
    );
    let told: Vec<&Record> = of(description, Changes::ChangeTable);
    if let Some(log) = description.change_table.as_ref().filter(|_| !told.is_empty()) {
        sql.push_str(&table(log, dialect));
        sql.push_str(untold(dialect));
        for record in &told {
            sql.push_str(&noting(log, record, dialect));
        }
    }
    if let (Some(channel), Dialect::Postgres) = (&description.channel, dialect) {
        sql.push_str(&waking(description, channel, !told.is_empty()));
    }
    sql
}

fn of(description: &Description, changes: Changes) -> Vec<&Record> {
    let mut records: Vec<&Record> = description
        .records
        .values()
        .filter(|record| record.changes == changes)
        .collect();
    records.sort_by(|one, other| one.table.cmp(&other.table));
    records.dedup_by(|one, other| one.table == other.table);
    records
}

/// A text as it stands in a statement.
fn literal(dialect: Dialect, text: &str) -> String {
    let text = text.replace('\'', "''");
    match dialect {
        Dialect::Mysql => format!("'{}'", text.replace('\\', "\\\\")),
        Dialect::Postgres | Dialect::Sqlite => format!("'{text}'"),
        Dialect::Mssql => format!("N'{text}'"),
    }
}

fn table(log: &TableName, dialect: Dialect) -> String {
    let name = dialect.table(log);
    let of = dialect.quoted("of");
    let index = dialect.quoted(&format!("{}_of", log.name));
    let (columns, order) = match dialect {
        Dialect::Postgres => (
            "seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,\n    \
             tx bigint NOT NULL DEFAULT CAST(CAST(pg_current_xact_id() AS text) AS bigint),\n    \
             at timestamptz NOT NULL DEFAULT clock_timestamp(),\n    ",
            "tx, seq",
        ),
        Dialect::Sqlite => (
            "seq INTEGER PRIMARY KEY AUTOINCREMENT,\n    at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,\n    ",
            "seq",
        ),
        Dialect::Mysql => (
            "seq BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,\n    at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),\n    ",
            "seq",
        ),
        Dialect::Mssql => (
            // No IDENTITY: whoever inserts a row into a table of the ERP may ask for `@@IDENTITY` afterwards.
            "ver rowversion NOT NULL PRIMARY KEY,\n    seq AS CAST(ver AS bigint),\n    \
             at datetime2 NOT NULL DEFAULT SYSUTCDATETIME(),\n    ",
            "ver",
        ),
    };
    let more = match dialect {
        Dialect::Mysql => format!(
            "CREATE INDEX {} ON {name} (at);\n",
            dialect.quoted(&format!("{}_at", log.name))
        ),
        Dialect::Postgres | Dialect::Sqlite | Dialect::Mssql => String::new(),
    };
    let (of_type, id_type) = match dialect {
        Dialect::Mysql => ("varchar(200)", "varchar(500)"),
        Dialect::Mssql => ("nvarchar(260)", "nvarchar(500)"),
        Dialect::Postgres | Dialect::Sqlite => ("text", "text"),
    };
    format!(
        "\n-- One row for each change. Rows may be deleted once Tandem has read them: some weeks are plenty.\n\
         CREATE TABLE {name} (\n    {columns}{of} {of_type} NOT NULL,\n    id {id_type} NOT NULL,\n    op char(1) NOT NULL\n);\n\
         CREATE INDEX {index} ON {name} ({of}, {order});\n{more}"
    )
}

/// Which changes fire no trigger.
fn untold(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => "",
        Dialect::Mysql => {
            "\n-- No trigger fires for rows that a foreign key deletes or changes (ON DELETE CASCADE, SET NULL), nor for TRUNCATE:\n\
             -- what these do is seen when Tandem compares all rows, once a day unless `compare_every` says otherwise.\n"
        }
        Dialect::Sqlite => {
            "\n-- No trigger fires for a row that INSERT OR REPLACE removes, unless recursive_triggers is on: what it does is seen when\n\
             -- Tandem compares all rows, once a day unless `compare_every` says otherwise.\n"
        }
        Dialect::Mssql => {
            "\n-- No trigger fires for TRUNCATE, nor for BULK INSERT without FIRE_TRIGGERS: what these do is seen when Tandem compares\n\
             -- all rows, once a day unless `compare_every` says otherwise.\n"
        }
    }
}

/// The id of a row, as Tandem writes it.
fn id(record: &Record, row: &str, dialect: Dialect) -> String {
    let of = match dialect {
        Dialect::Mssql => "nvarchar(500)",
        _ => dialect.any_text(),
    };
    let part = |column: &String| format!("CAST({row}.{} AS {of})", dialect.quoted(column));
    let text = |text: &str| literal(dialect, text);
    if let [column] = record.key.as_slice() {
        let key = part(column);
        let first = if dialect == Dialect::Sqlite {
            format!("substr({key}, 1, 1)")
        } else {
            format!("left({key}, 1)")
        };
        let escaped = joined(dialect, &[text("\\"), key.clone()]);
        return format!(
            "CASE WHEN {key} = '' THEN {} WHEN {first} = {} THEN {escaped} ELSE {key} END",
            text("\\e"),
            text("\\")
        );
    }
    let mut parts = Vec::new();
    for column in &record.key {
        if !parts.is_empty() {
            parts.push(text("|"));
        }
        parts.push(format!(
            "replace(replace({}, {}, {}), {}, {})",
            part(column),
            text("\\"),
            text("\\\\"),
            text("|"),
            text("\\|")
        ));
    }
    joined(dialect, &parts)
}

fn joined(dialect: Dialect, parts: &[String]) -> String {
    match dialect {
        Dialect::Mysql => format!("concat({})", parts.join(", ")),
        Dialect::Postgres | Dialect::Sqlite => parts.join(" || "),
        Dialect::Mssql => parts.join(" + "),
    }
}

fn noting(log: &TableName, record: &Record, dialect: Dialect) -> String {
    let written = record.write_to.as_ref().unwrap_or(&record.table);
    let (into, on) = (dialect.table(log), dialect.table(written));
    let name = |deed: &str| dialect.quoted(&format!("{}_{}{deed}", log.name, written.name));
    let note = |row: &str, op: &str| {
        format!(
            "INSERT INTO {into} ({}, id, op) VALUES ({}, {}, '{op}');",
            dialect.quoted("of"),
            literal(dialect, &record.table.to_string()),
            id(record, row, dialect)
        )
    };
    if dialect == Dialect::Mssql {
        return noting_in_mssql(log, record, &into, &on);
    }
    let (made, went, changed) = (note("NEW", "I"), note("OLD", "D"), note("NEW", "U"));
    let moves = format!(
        "({} <> {})",
        id(record, "OLD", dialect),
        id(record, "NEW", dialect)
    );
    if dialect == Dialect::Postgres {
        let emptied = format!(
            "INSERT INTO {into} ({}, id, op) VALUES ({}, '', '{EMPTIED}');",
            dialect.quoted("of"),
            literal(dialect, &record.table.to_string())
        );
        let function = dialect.table(&TableName {
            schema: log.schema.clone(),
            name: format!("{}_{}", log.name, written.name),
        });
        return format!(
            "\nCREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$ BEGIN\n    \
             IF TG_OP = 'TRUNCATE' THEN\n        {emptied}\n    ELSIF TG_OP = 'INSERT' THEN\n        {made}\n    ELSIF TG_OP = 'DELETE' THEN\n        {went}\n    ELSE\n        \
             IF {moves} THEN\n            {went}\n        END IF;\n        {changed}\n    END IF;\n    RETURN NULL;\nEND $$;\n\
             CREATE TRIGGER {} AFTER INSERT OR UPDATE OR DELETE ON {on} FOR EACH ROW EXECUTE FUNCTION {function}();\n\
             CREATE TRIGGER {} AFTER TRUNCATE ON {on} FOR EACH STATEMENT EXECUTE FUNCTION {function}();\n",
            name(""),
            name("_t")
        );
    }
    let mut sql = String::from("\n");
    let each = if dialect == Dialect::Mysql {
        " FOR EACH ROW"
    } else {
        ""
    };
    let mut trigger = |deed: &str, word: &str, when: &str, body: &str| {
        let end = if dialect == Dialect::Mysql {
            String::new()
        } else {
            "; END".to_owned()
        };
        let begin = if dialect == Dialect::Mysql { "" } else { "BEGIN " };
        let body = body.trim_end_matches(';');
        let _infallible = writeln!(
            sql,
            "CREATE TRIGGER {} AFTER {word} ON {on}{each}{when} {begin}{body}{end};",
            name(deed)
        );
    };
    trigger("_i", "INSERT", "", &made);
    trigger("_d", "DELETE", "", &went);
    if dialect == Dialect::Mysql {
        // One statement, so that no other delimiter is needed.
        let of = literal(dialect, &record.table.to_string());
        let (old, new) = (id(record, "OLD", dialect), id(record, "NEW", dialect));
        let both = format!(
            "INSERT INTO {into} (`of`, id, op) SELECT {of}, {old}, 'D' FROM DUAL WHERE {moves} UNION ALL SELECT {of}, {new}, 'U' FROM DUAL"
        );
        trigger("_u", "UPDATE", "", &both);
        return sql;
    }
    trigger("_u", "UPDATE", "", &changed);
    if dialect == Dialect::Sqlite {
        trigger("_k", "UPDATE", &format!(" WHEN {moves}"), &went);
    }
    sql
}

/// One trigger for all rows that a statement changes at once: those as they were and those as they are, held against each
/// other by their ids.
fn noting_in_mssql(log: &TableName, record: &Record, into: &str, on: &str) -> String {
    let dialect = Dialect::Mssql;
    let written = record.write_to.as_ref().unwrap_or(&record.table);
    let trigger = dialect.table(&TableName {
        schema: written.schema.clone(),
        name: format!("{}_{}", log.name, written.name),
    });
    let of = literal(dialect, &record.table.to_string());
    let (old, new) = (id(record, "d", dialect), id(record, "i", dialect));
    let pair: Vec<String> = record
        .key
        .iter()
        .map(|column| format!("d.{0} = i.{0}", dialect.quoted(column)))
        .collect();
    let pair = pair.join(" AND ");
    format!(
        "GO\nCREATE TRIGGER {trigger} ON {on} AFTER INSERT, UPDATE, DELETE AS BEGIN\n    SET NOCOUNT ON;\n    \
         INSERT INTO {into} ([of], id, op) SELECT {of}, {old}, 'D' FROM deleted d\n        \
         WHERE NOT EXISTS (SELECT 1 FROM inserted i WHERE {pair});\n    \
         INSERT INTO {into} ([of], id, op)\n        \
         SELECT {of}, {new}, CASE WHEN EXISTS (SELECT 1 FROM deleted) THEN 'U' ELSE 'I' END FROM inserted i;\nEND;\nGO\n"
    )
}

/// Statements that wake whoever listens, once for each statement that changed something.
fn waking(description: &Description, channel: &str, log: bool) -> String {
    let dialect = Dialect::Postgres;
    let function = dialect.quoted(&format!("{channel}_wake"));
    let mut sql = format!(
        "\n-- Wakes Tandem.\nCREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN\n    \
         PERFORM pg_notify({}, '');\n    RETURN NULL;\nEND $$;\n",
        literal(dialect, channel)
    );
    let mut tables: Vec<&TableName> = of(description, Changes::Modified)
        .into_iter()
        .map(|record| record.write_to.as_ref().unwrap_or(&record.table))
        .collect();
    tables.extend(description.change_table.as_ref().filter(|_| log));
    for table in tables {
        let _infallible = writeln!(
            sql,
            "CREATE TRIGGER {function} AFTER INSERT OR UPDATE OR DELETE ON {} FOR EACH STATEMENT EXECUTE FUNCTION {function}();",
            dialect.table(table)
        );
    }
    sql
}
