//! `tandem resolve`: answers a conflict.

use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::screen::Screen;
use clap::{ArgGroup, Args};
use serde_json::json;
use tandem_engine::Choice;
use tandem_merge::value::Value;

/// Answer a conflict.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem resolve 12 --record customerp/Order:42     the value of this record wins
  tandem resolve 12 --value 'Second delivery'       neither: this value
  tandem resolve 12 --head                          nothing changes: the value before wins")]
#[command(group(ArgGroup::new("answer").required(true).args(["record", "value", "head"])))]
pub(crate) struct Resolve {
    /// The item, as `tandem conflicts` numbers it
    #[arg(value_name = "ITEM")]
    item: u64,
    /// The value of this record wins: SYSTEM/TYPE:ID
    #[arg(long, value_name = "RECORD")]
    record: Option<String>,
    /// This value wins, as the first system would hold it
    #[arg(long, value_name = "VALUE")]
    value: Option<String>,
    /// The value that stood before the conflict stays
    #[arg(long)]
    head: bool,
}

impl Resolve {
    /// Notes the answer; the next sync carries it out.
    pub(crate) async fn carry_out(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let mut engine = loading::engine_of_existing_state(common).await?;
        let choice = match (&self.record, &self.value) {
            (Some(record), _) => Choice::Record(self.contender(&mut engine, record)?),
            (None, Some(value)) => Choice::Value(Value::text(value.clone())),
            (None, None) => Choice::Head,
        };
        engine.resolve(self.item, &choice)?;
        screen.json(&json!({ "resolved": self.item }));
        screen.say(format!(
            "Item {} is answered; the next sync carries it out.",
            self.item
        ));
        Ok(Exit::Done)
    }

    fn contender(
        &self,
        engine: &mut tandem_engine::Engine,
        record: &str,
    ) -> Result<tandem_merge::record::RecordKey, Failure> {
        let flows = engine.flows().clone();
        let mut found = loading::records_named(engine.store(), &flows, record)?;
        match (found.pop(), found.is_empty()) {
            (Some(one), true) => Ok(one),
            _ => Err(Failure::usage(
                format!("`{record}` names several records"),
                "Name the system and the id: SYSTEM/TYPE:ID",
            )),
        }
    }
}
