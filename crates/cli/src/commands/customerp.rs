//! `tandem customerp`: what an ERP needs to be given.

use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::screen::{Lines, Screen};
use clap::{Args, Subcommand};
use serde_json::json;

/// Tools for the ERP's side.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem customerp sql-triggers > triggers.sql")]
pub(crate) struct Customerp {
    #[command(subcommand)]
    tool: Tool,
}

#[derive(Debug, Subcommand)]
enum Tool {
    /// Print the SQL of a change table that triggers fill, for review; nothing is carried out
    SqlTriggers(SqlTriggers),
}

/// Print the SQL of a change table that triggers fill, for review; nothing is carried out.
#[derive(Debug, Args)]
#[command(after_help = "\
The tables are those whose record types say `changes: change_table`. Whoever administers the database reads the SQL, and runs it.

Examples:
  tandem customerp sql-triggers
  tandem customerp sql-triggers > triggers.sql && psql erp < triggers.sql")]
struct SqlTriggers {}

impl Customerp {
    /// Carries out the tool.
    pub(crate) fn carry_out(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        match &self.tool {
            Tool::SqlTriggers(_) => {
                let configuration = loading::configuration(common)?;
                let sql = loading::sql_triggers(&configuration)?;
                screen.json(&json!({ "sql": sql }));
                screen.result(Lines(sql.lines().collect::<Vec<_>>()));
                Ok(Exit::Done)
            }
        }
    }
}
