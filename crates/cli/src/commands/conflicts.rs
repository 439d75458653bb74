//! `tandem conflicts`: values that no one value fits, waiting for an answer.

use super::items;
use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::mask::Masks;
use crate::screen::{Screen, count_of, table};
use clap::Args;

/// List conflicts that wait for an answer.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem conflicts
  tandem conflicts --json
  tandem resolve 12 --record salesforce/Order:801000000000001AAA")]
pub(crate) struct Conflicts {
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
}

impl Conflicts {
    /// Lists the conflicts; as JSON one object per line.
    pub(crate) fn list(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let configuration = loading::configuration(common)?;
        let masks = Masks::of(&configuration.dataflow);
        let mut store = loading::existing_state(common, &configuration)?;
        let found = items::all(&mut store, self.limit, |item| item.kind.is_none())?;
        let mut shown = table(["item", "property", "contender", "value", "since"]);
        for item in &found {
            screen.json(&items::as_json(item, &masks));
            let property = item.property.as_deref().unwrap_or_default();
            let heads = [
                item.number.to_string(),
                items::about(item),
                format!("{:.0}", item.since),
            ];
            let mut heads = Some(heads);
            for (record, value) in &item.contenders {
                let [number, about, since] = heads.take().unwrap_or_default();
                let value = masks.show(&item.record.record_type, property, value);
                shown.add_row([number, about, record.clone(), value, since]);
            }
        }
        if found.is_empty() {
            screen.result("No conflict waits for an answer.");
            return Ok(Exit::Done);
        }
        screen.result(shown);
        let count = count_of(found.len() as u64, "conflict", "conflicts");
        screen.say(format!(
            "{count}; answer with `tandem resolve ITEM --record RECORD` or `--value VALUE`"
        ));
        Ok(Exit::Waits)
    }
}
