//! `tandem connector`: tools for whoever connects an ERP.

use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::screen::{Screen, Sentence, Table, count_of, table};
use clap::{Args, Subcommand};
use tandem_connector::proof::{Effort, Proof, Verdict, prove};
use tandem_merge::record::RecordType;

/// Tools for whoever connects an ERP.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem connector test erp")]
pub(crate) struct Connector {
    #[command(subcommand)]
    tool: Tool,
}

#[derive(Debug, Subcommand)]
enum Tool {
    /// Try on a system, as it runs, every law that a connector keeps
    Test(Test),
}

/// Try on a system, as it runs, every law that a connector keeps.
#[derive(Debug, Args)]
#[command(after_help = "\
What a system can do is tried both ways: what is there is shown, and what is not there is not. So a system is found out that
accepts in silence what it does not understand, such as a filter or a condition that it ignores.

Examples:
  tandem connector test erp
  tandem connector test erp --write                   make, change and delete a record of each type, in a test system
  tandem connector test erp --type Customer --json | jq 'select(.verdict == \"broken\")'")]
struct Test {
    /// The system, by its name in the configuration
    #[arg(value_name = "SYSTEM")]
    system: String,
    /// Only this record type; may be repeated
    #[arg(long = "type", value_name = "NAME")]
    types: Vec<String>,
    /// Try writing too: a record of each type is made, changed and deleted again
    #[arg(long)]
    write: bool,
    /// Read so many pages of a listing at most
    #[arg(long, value_name = "N", default_value_t = 20)]
    pages: usize,
}

impl Connector {
    /// Carries out the tool.
    pub(crate) async fn carry_out(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        match &self.tool {
            Tool::Test(test) => test.prove(common, screen).await,
        }
    }
}

impl Test {
    async fn prove(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let configuration = loading::configuration(common)?;
        let names = &configuration.dataflow.systems;
        let at = names
            .iter()
            .position(|name| *name == self.system)
            .ok_or_else(|| {
                Failure::usage(
                    format!("no system is called `{}`", self.system),
                    format!("Write one of {}", names.join(", ")),
                )
            })?;
        let types = self.types(configuration.dataflow.types_of(&self.system))?;
        let systems = loading::connect(&configuration, None).await?;
        let effort = Effort {
            pages: self.pages.max(1),
            write: self.write,
            ..Effort::default()
        };
        let proofs = prove(systems[at].as_ref(), &types, effort).await?;
        let connection = &configuration.connections[at];
        if connection.is_described() {
            let who = systems[at].identify().await?;
            loading::keep_proofs(common, connection, &who, &proofs);
        }
        proofs.iter().for_each(|proof| screen.json(proof));
        screen.result(shown(&proofs));
        let of = |verdict| proofs.iter().filter(|proof| proof.verdict == verdict).count() as u64;
        let broken = of(Verdict::Broken);
        let doubtful = match of(Verdict::Doubtful) {
            0 => String::new(),
            some => format!("{some} in doubt, "),
        };
        screen.say(Sentence(format!(
            "{}: {} kept, {broken} broken, {doubtful}{} not tried.",
            self.system,
            count_of(of(Verdict::Holds), "law", "laws"),
            of(Verdict::Untried),
        )));
        Ok(if broken > 0 { Exit::Usage } else { Exit::Done })
    }

    fn types(&self, all: impl IntoIterator<Item = RecordType>) -> Result<Vec<RecordType>, Failure> {
        let all: Vec<RecordType> = all.into_iter().collect();
        let known = || {
            all.iter()
                .map(|of| of.name.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        };
        let unknown = self
            .types
            .iter()
            .find(|name| all.iter().all(|of| of.name != **name));
        if let Some(name) = unknown {
            return Err(Failure::usage(
                format!("no flow keeps a record type `{name}` of {}", self.system),
                format!("Write one of {}", known()),
            ));
        }
        let wanted = |of: &RecordType| self.types.is_empty() || self.types.contains(&of.name);
        Ok(all.into_iter().filter(wanted).collect())
    }
}

/// Proofs, one below the other.
fn shown(proofs: &[Proof]) -> Table {
    let mut shown = table(["", "type", "law", "seen"]);
    for proof in proofs {
        let word = match proof.verdict {
            Verdict::Holds => "kept",
            Verdict::Broken => "BROKEN",
            Verdict::Doubtful => "in doubt",
            Verdict::Untried => "not tried",
        };
        let of = proof.record_type.as_deref().unwrap_or_default();
        shown.add_row([word, of, &proof.law, &proof.seen]);
    }
    shown
}
