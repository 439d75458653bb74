//! What people are told of a proposal: what was written, what is to be decided, what is still to be written by hand.

use crate::proposing::{Connections, Proposal, Topic};
use crate::screen::{Lines, Screen, Sentence, count_of};
use serde_json::json;
use std::path::PathBuf;

/// So many record types are named for a question at most.
const NAMED: usize = 6;

/// What was written where.
pub(super) struct Written {
    pub(super) config: PathBuf,
    pub(super) description: PathBuf,
    /// The configuration was there before.
    pub(super) has_main: bool,
    pub(super) kept: Vec<PathBuf>,
}

/// What people are told.
pub(super) struct Said<'a> {
    pub(super) proposal: &'a Proposal,
    pub(super) written: &'a Written,
    pub(super) connections: &'a Connections<'a>,
    pub(super) must: &'a [&'static str],
    pub(super) types: usize,
    /// The record types that are left out, and why.
    pub(super) left: &'a [String],
    pub(super) why_left: &'static str,
}

/// The first of some names, and how many more there are.
fn named(all: &[String]) -> String {
    match all.len().saturating_sub(NAMED) {
        0 => all.join(", "),
        more => format!("{} and {more} more", all[..NAMED].join(", ")),
    }
}

impl Said<'_> {
    pub(super) fn tell(&self, screen: &Screen) {
        let Self {
            proposal, written, ..
        } = self;
        let guessed = |text: &str| text.lines().filter(|line| line.contains("# guessed: ")).count();
        let guesses = guessed(&proposal.description)
            + proposal
                .flows
                .iter()
                .map(|flow| guessed(&flow.text))
                .sum::<usize>();
        let must: &[&str] = if written.has_main { &[] } else { self.must };
        screen.json(&json!({
            "config": written.config.display().to_string(),
            "description": written.description.display().to_string(),
            "types": self.types,
            "left_out": self.left.len(),
            "left": self.left,
            "flows": proposal.flows.iter().map(|flow| json!({ "flow": flow.name, "type": flow.of, "object": flow.object, "unmapped": flow.unmapped })).collect::<Vec<_>>(),
            "guessed": guesses,
            "must": must,
            "decide": proposal.decisions.iter().map(|(topic, what, about)| json!({ "topic": topic.word(), "what": what, "about": about })).collect::<Vec<_>>(),
            "kept": written.kept,
        }));
        let types = count_of(self.types as u64, "record type", "record types");
        let flows = count_of(proposal.flows.len() as u64, "flow", "flows");
        let folder = written.config.with_file_name("flows");
        screen.say(Sentence(format!(
            "Wrote {} with {types}, and {flows} in {}.",
            written.description.display(),
            folder.display()
        )));
        for flow in &proposal.flows {
            screen.say(format!("  {:<12} {} with {}", flow.name, flow.of, flow.object));
        }
        for flow in proposal.flows.iter().filter(|flow| !flow.unmapped.is_empty()) {
            let count = count_of(flow.unmapped.len() as u64, "property", "properties");
            screen.say(Sentence(format!(
                "No row of {} maps {count} of {}, listed at the end of its file: {}.",
                flow.name,
                flow.of,
                named(&flow.unmapped)
            )));
        }
        if !self.left.is_empty() {
            let others = count_of(self.left.len() as u64, "record type is", "record types are");
            screen.say(Sentence(format!(
                "{others} left out, for {}: {}. --types names others, or all.",
                self.why_left,
                named(self.left)
            )));
        }
        for path in &written.kept {
            screen.say(Sentence(format!(
                "What was there before is kept in {}.",
                path.display()
            )));
        }
        let config = written.config.display();
        screen.say(Sentence(match written.has_main {
            true => format!(
                "{config} was there already and stays as it is: name {} in it.",
                written.description.display()
            ),
            false => format!("Wrote {config}."),
        }));
        self.decisions(screen);
        if !written.has_main {
            screen.say("Wherever Tandem runs it reads these variables; set them there, all at once:");
            screen.say(Lines(self.variables()));
        }
        let lines = count_of(guesses as u64, "line is a guess", "lines are guesses");
        screen.say(Sentence(format!("{lines}, marked `# guessed:` where it stands.")));
        if !must.is_empty() {
            let lines = count_of(must.len() as u64, "line", "lines");
            screen.say(Sentence(format!(
                "{lines} to write before the systems can be asked: {}.",
                must.join("; ")
            )));
        }
        screen.say(Sentence(
            "Next: `tandem check`, then `tandem connector test` of the ERP, then `tandem plan`.",
        ));
    }

    fn decisions(&self, screen: &Screen) {
        if self.proposal.decisions.is_empty() {
            return;
        }
        screen.say("To decide, with whoever knows the ERP:");
        let mut last: Option<Topic> = None;
        for (topic, what, about) in &self.proposal.decisions {
            if last != Some(*topic) {
                screen.say(format!("{}:", topic.word()));
                last = Some(*topic);
            }
            let about = match about.as_slice() {
                [] => String::new(),
                [some @ .., _] if some.len() > NAMED => {
                    format!(" ({} and {} more)", some[..NAMED].join(", "), about.len() - NAMED)
                }
                some => format!(" ({})", some.join(", ")),
            };
            screen.say(Sentence(format!("  - {what}{about}")));
        }
    }

    fn variables(&self) -> Vec<String> {
        let own = self.proposal.secrets.iter().map(|secret| {
            (
                self.connections.variable(secret),
                format!("the secret `{secret}` of the ERP"),
            )
        });
        let [id, secret] = self.connections.client;
        let theirs = [
            (
                id.to_owned(),
                "the client id of the connected app in Salesforce".to_owned(),
            ),
            (
                secret.to_owned(),
                "the client secret of the connected app".to_owned(),
            ),
        ];
        let all: Vec<(String, String)> = own.chain(theirs).collect();
        let width = all.iter().map(|(name, _)| name.len()).max().unwrap_or_default() + "export ='...'".len();
        let line = |(name, holds): &(String, String)| {
            format!("{:<width$}   # {holds}", format!("export {name}='...'"))
        };
        all.iter().map(line).collect()
    }
}
