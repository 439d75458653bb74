//! `tandem resolve`: answers conflicts, one or many.

use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading::{self, Hand};
use crate::screen::{Cell, Screen, count_of, table};
use clap::{ArgGroup, Args};
use serde_json::{Value as Json, json};
use tandem_api::look::{Asked, asked};
use tandem_api::{Command, Done};
use tandem_api::{Masks, words};
use tandem_engine::Choice;
use tandem_ledger::Store;
use tandem_merge::cluster::Contender;
use tandem_merge::dataflow::Dataflow;
use tandem_merge::questions::{AnswerRule, pick};
use tandem_merge::record::RecordKey;

/// Answer conflicts.
#[derive(Debug, Args)]
#[command(after_help = "\
One conflict is answered at once. Several are shown first, and answered with --yes. An answer is refused where a value
has changed since the conflict was shown.

Examples:
  tandem resolve 12 --record customerp/Order:42     the value of this record wins
  tandem resolve 12 --value 'Second delivery'       neither: this value
  tandem resolve 12 --head                          nothing changes: the value before wins
  tandem resolve 12 13 14 --owner salesforce --yes  Salesforce's value wins in these three
  tandem resolve --all --flow contact-contact --latest
  tandem resolve --all --blank-loses --yes")]
#[command(group(ArgGroup::new("answer").required(true)
    .args(["record", "value", "head", "owner", "latest", "blank_loses"])))]
#[command(group(ArgGroup::new("which").required(true).args(["items", "all"])))]
pub(crate) struct Resolve {
    /// The items, as `tandem conflicts` numbers them
    #[arg(value_name = "ITEM")]
    items: Vec<u64>,
    /// All conflicts that wait
    #[arg(long, conflicts_with_all = ["record", "value"])]
    all: bool,
    /// Of all, only those of this flow
    #[arg(long, value_name = "FLOW", requires = "all")]
    flow: Option<String>,
    /// Of all, only those about this property, by either system's name
    #[arg(long, value_name = "PROPERTY", requires = "all")]
    property: Option<String>,
    /// The value of this record wins: SYSTEM/TYPE:ID
    #[arg(long, value_name = "RECORD")]
    record: Option<String>,
    /// This value wins, as the first system would hold it
    #[arg(long, value_name = "VALUE")]
    value: Option<String>,
    /// The value that stood before the conflict stays
    #[arg(long)]
    head: bool,
    /// The value of this system wins
    #[arg(long, value_name = "SYSTEM")]
    owner: Option<String>,
    /// The latest edit wins
    #[arg(long)]
    latest: bool,
    /// A value wins over blank; conflicts of several values are left
    #[arg(long)]
    blank_loses: bool,
    /// Answer several
    #[arg(long)]
    yes: bool,
}

/// A conflict with the answer that it gets; none where the rule says nothing about it.
struct Planned {
    asked: Asked,
    choice: Option<Choice>,
    shown: String,
}

impl Resolve {
    /// Notes the answers; the next sync carries them out.
    pub(crate) async fn carry_out(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let configuration = loading::configuration(common)?;
        let flows = &configuration.dataflow;
        let systems = &flows.systems;
        if let Some(owner) = self.owner.as_ref().filter(|owner| !systems.contains(owner)) {
            return Err(Failure::usage(
                format!("no system is called `{owner}`"),
                format!("Write --owner {} or --owner {}", systems[0], systems[1]),
            ));
        }
        if let Some(flow) = &self.flow {
            loading::known_flow(flows, flow)?;
        }
        let masks = common.masks(flows);
        let planned = self.plan(&mut loading::look(common, &configuration)?, flows, &masks)?;
        let many = self.all || planned.len() > 1;
        if many {
            show(&planned, &masks, self.yes, screen);
        }
        if many && !self.yes {
            screen.say("Nothing was answered: `--yes` does it.");
            return Ok(if planned.is_empty() {
                Exit::Done
            } else {
                Exit::Waits
            });
        }
        let mut hand = Hand::of(common, &configuration).await?;
        self.answer(&mut hand, planned, many, screen).await
    }

    /// Every conflict that is asked for, with its answer.
    fn plan(&self, store: &mut dyn Store, flows: &Dataflow, masks: &Masks) -> Result<Vec<Planned>, Failure> {
        let mut found = asked(store, flows, self.flow.as_deref(), usize::MAX)?;
        if self.all {
            found.retain(|asked| {
                self.property
                    .as_ref()
                    .is_none_or(|property| is_about(asked, property))
            });
        } else {
            for item in &self.items {
                if !found.iter().any(|asked| asked.item.number == *item) {
                    return Err(Failure::usage(
                        format!(
                            "no conflict waits under the number {item} any more, or another one than was shown"
                        ),
                        "`tandem conflicts` lists those that wait now",
                    ));
                }
            }
            found.retain(|asked| self.items.contains(&asked.item.number));
        }
        let record = match &self.record {
            Some(record) => Some(contender(store, flows, record)?),
            None => None,
        };
        let plan = |asked: Asked| {
            let picked = match (&record, &self.value) {
                (Some(record), _) => Some((Choice::Record(record.clone()), record.to_string())),
                (None, Some(value)) => Some((Choice::Text(value.clone()), value.clone())),
                (None, None) if self.head => Some((Choice::Head, "the value known so far".to_owned())),
                (None, None) => {
                    let picked = self.rule().and_then(|rule| pick(&asked.question, &rule));
                    picked.map(|picked| (choice(picked), told(&asked, picked, masks)))
                }
            };
            let (choice, shown) = match picked {
                Some((choice, shown)) => (Some(choice), shown),
                None => (None, "left: the rule says nothing about it".to_owned()),
            };
            Planned { asked, choice, shown }
        };
        Ok(found.into_iter().map(plan).collect())
    }

    fn rule(&self) -> Option<AnswerRule> {
        match &self.owner {
            Some(owner) => Some(AnswerRule::Owner(owner.clone())),
            None if self.latest => Some(AnswerRule::Latest),
            None if self.blank_loses => Some(AnswerRule::BlankLoses),
            None => None,
        }
    }

    /// Reads the contenders once more, then answers; each refusal is a line of its own.
    async fn answer(
        &self,
        hand: &mut Hand,
        planned: Vec<Planned>,
        many: bool,
        screen: &Screen,
    ) -> Result<Exit, Failure> {
        let answers = planned
            .iter()
            .filter_map(|one| Some((one.asked.item.number, one.choice.clone()?)));
        let answers = answers.collect();
        let (mut resolved, mut refused) = match hand.act(Command::Resolve { answers }).await? {
            Done::Answered { resolved, refused } => (resolved, refused),
            _ => return Err(loading::misunderstood()),
        };
        if !many && let Some(why) = refused.pop() {
            return Err(why.into());
        }
        resolved.sort_unstable();
        for why in &refused {
            screen.complain(&why.clone().into());
        }
        let refused = refused.len();
        let left = planned.len() - resolved.len();
        match (many, resolved.as_slice()) {
            (false, [item]) => {
                screen.json(&json!({ "resolved": item }));
                screen.say(format!(
                    "Item {item} is answered; {} carries it out.",
                    hand.who_goes_on()
                ));
            }
            _ => {
                screen.json(&json!({ "resolved": resolved, "refused": refused, "left": left }));
                let count = count_of(resolved.len() as u64, "conflict is", "conflicts are");
                screen.say(format!(
                    "{count} answered; {} carries them out. {left} left.",
                    hand.who_goes_on()
                ));
            }
        }
        Ok(if left == 0 { Exit::Done } else { Exit::Waits })
    }
}

fn is_about(asked: &Asked, property: &str) -> bool {
    let mut contenders = asked.question.contenders.iter();
    asked.question.anchor.property == property || contenders.any(|contender| contender.property == property)
}

fn choice(picked: &Contender) -> Choice {
    picked.record.clone().map_or(Choice::Head, Choice::Record)
}

fn told(asked: &Asked, picked: &Contender, masks: &Masks) -> String {
    let place = picked.record.as_ref();
    let place = place.map_or("the value known so far".to_owned(), ToString::to_string);
    format!("{} ({place})", asked.shown(picked, &picked.value, masks))
}

fn show(planned: &[Planned], masks: &Masks, done: bool, screen: &Screen) {
    let mut shown = table(["item", "property", "values", "answer"]);
    for Planned {
        asked,
        choice,
        shown: answer,
    } in planned
    {
        let values = asked.question.contenders.iter();
        let values: Vec<String> = values.map(|contender| told(asked, contender, masks)).collect();
        let list: Vec<Json> = values.iter().map(|value| value.as_str().into()).collect();
        if !done {
            screen.json(&json!({
                "item": asked.item.number,
                "property": words::about(&asked.item),
                "values": list,
                "answer": choice.as_ref().map(|_| answer),
            }));
        }
        shown.add_row([
            asked.item.number.to_string().into(),
            words::about(&asked.item).into(),
            Cell::stacked(values),
            answer.into(),
        ]);
    }
    match planned.is_empty() {
        true => screen.result("No conflict waits for an answer."),
        false => screen.result(shown),
    }
}

fn contender(store: &mut dyn Store, flows: &Dataflow, record: &str) -> Result<RecordKey, Failure> {
    let mut found = loading::records_named(store, flows, record)?;
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        _ => Err(Failure::usage(
            format!("`{record}` names several records"),
            "Name the system and the id: SYSTEM/TYPE:ID",
        )),
    }
}
