//! The ledger's statements in PostgreSQL's words. They are written so that little differs: how a list is given, how a
//! parameter is called, and hints that SQLite's planner needs.

/// A statement. `?1` is a parameter; a list is given as JSON.
pub(crate) fn statement(sql: &str) -> String {
    let sql = sql
        .replace(
            "SELECT value, value FROM json_each(?1)",
            "SELECT value, value FROM json_array_elements_text(CAST(?1 AS json)) AS t (text), \
             LATERAL (SELECT CAST(text AS BIGINT) AS value) AS number",
        )
        .replace(
            "SELECT value FROM json_each(?1)",
            "SELECT CAST(value AS BIGINT) FROM json_array_elements_text(CAST(?1 AS json)) AS t (value)",
        )
        .replace(
            "json_each(?1) AS asked",
            "json_array_elements(CAST(?1 AS json)) AS asked (value)",
        )
        .replace("CROSS JOIN", "JOIN")
        .replace("+link.flow", "link.flow")
        .replace("BEGIN IMMEDIATE", "BEGIN");
    numbered(&one_at_a_time(&sql))
}

/// Lets what is asked for of each row be looked up by an index, row by row: the planner would rather read the whole of a
/// table once, which is small when it is asked and large later. An offset keeps it from that.
fn one_at_a_time(sql: &str) -> String {
    const ASKED: &str = "EXISTS (";
    let mut text = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some((before, after)) = rest.split_once(ASKED) {
        let mut open = 1;
        let end = after.find(|letter| {
            open += i32::from(letter == '(') - i32::from(letter == ')');
            open == 0
        });
        let (inner, behind) = after.split_at(end.unwrap_or(after.len()));
        text.push_str(before);
        text.push_str(ASKED);
        text.push_str(&one_at_a_time(inner));
        text.push_str(" OFFSET 0");
        rest = behind;
    }
    text.push_str(rest);
    text
}

/// Parameters as PostgreSQL numbers them: `?2` is `$2`, and the third `?` without a number is `$3`.
fn numbered(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len());
    let mut parts = sql.split('?');
    text.push_str(parts.next().unwrap_or_default());
    for (before, part) in parts.enumerate() {
        text.push('$');
        if !part.starts_with(|first: char| first.is_ascii_digit()) {
            text.push_str(&(before + 1).to_string());
        }
        text.push_str(part);
    }
    text
}

/// The tables. Texts are compared byte by byte, as everywhere else.
pub(crate) fn tables(sqlite: &str) -> String {
    sqlite
        .replace(") WITHOUT ROWID", ")")
        .replace(" INTEGER", " BIGINT")
        .replace(" BLOB", " BYTEA")
        .replace(" TEXT", " TEXT COLLATE \"C\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_put_into_its_words() {
        let told = |sql: &str| statement(sql);
        assert_eq!(
            told("INSERT INTO t (a, b) VALUES (?,?),(?,?)"),
            "INSERT INTO t (a, b) VALUES ($1,$2),($3,$4)"
        );
        assert_eq!(
            told("SELECT a FROM t WHERE b = ?2 AND c = ?10"),
            "SELECT a FROM t WHERE b = $2 AND c = $10"
        );
        assert_eq!(
            told("DELETE FROM t WHERE a IN (SELECT value FROM json_each(?1))"),
            "DELETE FROM t WHERE a IN (SELECT CAST(value AS BIGINT) FROM \
             json_array_elements_text(CAST($1 AS json)) AS t (value))"
        );
        assert_eq!(
            told(
                "SELECT EXISTS (SELECT 1 FROM t WHERE a IN (?1, ?2)) OR EXISTS (SELECT 1 FROM s WHERE EXISTS (SELECT 1 FROM u))"
            ),
            "SELECT EXISTS (SELECT 1 FROM t WHERE a IN ($1, $2) OFFSET 0) OR \
             EXISTS (SELECT 1 FROM s WHERE EXISTS (SELECT 1 FROM u OFFSET 0) OFFSET 0)"
        );
        assert_eq!(
            tables("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT, c BLOB) WITHOUT ROWID;"),
            "CREATE TABLE t (a BIGINT PRIMARY KEY, b TEXT COLLATE \"C\", c BYTEA);"
        );
    }
}
