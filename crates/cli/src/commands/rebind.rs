//! `tandem rebind`: lets the state go over to another org, such as a refreshed sandbox.

use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::screen::{Cell, Screen, count_of, number, table};
use crate::standing::who;
use clap::Args;
use serde_json::json;
use std::sync::Arc;
use tandem_engine::Move;

/// Let the state go over to another org or ERP, such as a refreshed sandbox.
#[derive(Debug, Args)]
#[command(after_help = "\
Without --yes it says what would happen and changes nothing.

Examples:
  tandem rebind
  tandem rebind --yes
  tandem rebind --again customerp       compare a system anew that went back to a backup
  tandem rebind --json --state /var/lib/tandem")]
pub(crate) struct Rebind {
    /// Go over
    #[arg(long)]
    yes: bool,
    /// Compare this system anew though it is the same, as after a restored backup
    #[arg(long, value_name = "SYSTEM")]
    again: Option<String>,
}

impl Rebind {
    /// Says what going over means, and does it where asked to.
    pub(crate) async fn go_over(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let configuration = loading::configuration(common)?;
        let store = loading::existing_state(common, &configuration)?;
        let quiet = Arc::new(tandem_engine::Quiet);
        let mut parts = loading::parts(&configuration, Box::new(store), quiet, None).await?;
        if let Some(system) = &self.again
            && !parts.flows.systems.contains(system)
        {
            return Err(Failure::usage(
                format!("no system is called `{system}`"),
                format!("Write one of {}", parts.flows.systems.join(", ")),
            ));
        }
        let moves = tandem_engine::moves(&mut parts, self.again.as_deref()).await?;
        if moves.is_empty() {
            screen.json(&json!({ "moves": [] }));
            screen.say("Both systems are those that the state belongs to: there is nothing to rebind.");
            return Ok(Exit::Done);
        }
        for to in &moves {
            tell(to, screen);
            if self.yes {
                let done = tandem_engine::rebind(&mut parts, to)?;
                screen.json(&json!({ "system": to.system, "kept": done.kept, "dropped": done.dropped }));
                screen.say(format!(
                    "{} is {} from now on: {}, {} to be matched again. The next `tandem sync` compares everything anew.",
                    to.system,
                    who(&to.to),
                    count_of(done.kept, "link kept", "links kept"),
                    count_of(done.dropped, "link", "links"),
                ));
            }
        }
        match self.yes {
            true => Ok(Exit::Done),
            false => Err(Failure::usage(
                "nothing was changed",
                "Run `tandem plan` with a copy of the state if in doubt, then `tandem rebind --yes`",
            )),
        }
    }
}

fn tell(to: &Move, screen: &Screen) {
    let [kept, dropped] = to.totals();
    screen.json(&json!({
        "system": to.system,
        "from": to.from,
        "to": to.to,
        "links": to.links.iter().map(|(flow, [kept, dropped])| json!({
            "flow": flow, "found": kept, "matched_again": dropped,
        })).collect::<Vec<_>>(),
        "found": kept,
        "matched_again": dropped,
    }));
    screen.say(format!("The state belongs to {} {}.", to.system, who(&to.from)));
    screen.say(format!("Now {} answers as {}.", to.system, who(&to.to)));
    let mut shown = table(["flow", "links kept", "matched again"]);
    for (flow, [kept, dropped]) in &to.links {
        shown.add_row([Cell::new(flow), number(*kept), number(*dropped)]);
    }
    screen.result(shown);
    screen.say(
        "Links whose records are found by their ids stay; the others end, and their records are matched again by external \
         id and match keys. Writes that wait, parked items and open conflicts are forgotten; history stays. Everything is \
         listed and compared anew, values that differ are settled by the flows' conflict policies, and nothing is \
         deleted because it is absent.",
    );
}
