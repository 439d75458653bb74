//! What people do with pages and programs with requests, as commands.

use crate::access::Person;
use crate::desk::Desk;
use crate::problem::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tandem_api::look::ItemsOf;
use tandem_api::view::{Item, Undo};
use tandem_api::{Choice, Command, Done, How, RecordKey, Selection, Verdict};

/// So many items are taken by one act on all of a kind; the next act takes the next.
const MANY: usize = 10_000;

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Acted {
    /// How many items, flows or records it was done to.
    pub(crate) done: u64,
    /// Why it was not done to the others, in words.
    pub(crate) refused: Vec<String>,
}

impl Acted {
    pub(crate) fn well(done: u64) -> Self {
        Self {
            done,
            refused: Vec::new(),
        }
    }
}

/// What happens to the counterpart of a deleted record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Fate {
    /// It is deleted, too.
    Propagate,
    /// It is put out of use.
    Deactivate,
    /// The link ends, it stays.
    Unlink,
    /// The deleted record is created again.
    Recreate,
}

impl From<Fate> for Verdict {
    fn from(fate: Fate) -> Self {
        match fate {
            Fate::Propagate => Self::Propagate,
            Fate::Deactivate => Self::Deactivate,
            Fate::Unlink => Self::Unlink,
            Fate::Recreate => Self::Recreate,
        }
    }
}

impl From<Verdict> for Fate {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Propagate => Self::Propagate,
            Verdict::Deactivate => Self::Deactivate,
            Verdict::Unlink => Self::Unlink,
            Verdict::Recreate => Self::Recreate,
        }
    }
}

impl Desk {
    /// The item of a number.
    pub(crate) async fn item(&self, person: &Person, number: u64) -> Result<Item, Problem> {
        let found = self.look(person, move |looker| looker.item(number)).await?;
        found.ok_or_else(|| {
            Problem::not_found(format!("nothing waits under the number {number} any more"))
                .advised("The inbox shows what waits now")
        })
    }

    /// Lets an item go ahead.
    pub(crate) async fn approve(
        &self,
        person: &Person,
        item: u64,
        fate: Option<Fate>,
    ) -> Result<Acted, Problem> {
        let verdict = fate.map(Verdict::from);
        self.act(person, Command::Approve { item, verdict }).await?;
        Ok(Acted::well(1))
    }

    /// Lets several items go ahead; those that are refused hold up no other.
    pub(crate) async fn approve_many(
        &self,
        person: &Person,
        items: Vec<u64>,
        fate: Option<Fate>,
    ) -> Result<Acted, Problem> {
        let verdict = fate.map(Verdict::from);
        one_by_one(self.act(person, Command::ApproveMany { items, verdict }).await?)
    }

    /// Tries items again: what is parked on their records.
    pub(crate) async fn retry(&self, person: &Person, items: &[u64]) -> Result<Acted, Problem> {
        let (mut records, mut refused) = (Vec::new(), Vec::new());
        for item in items {
            match self.item(person, *item).await {
                Ok(found) => records.push(found.key()),
                Err(problem) if problem.status == 404 => refused.push(problem.detail),
                Err(problem) => return Err(problem),
            }
        }
        if let (true, Some(why)) = (records.is_empty(), refused.pop()) {
            return Err(Problem::not_found(why).advised("The inbox shows what waits now"));
        }
        let mut acted = self.retry_records(person, records).await?;
        acted.refused = refused;
        Ok(acted)
    }

    async fn retry_records(&self, person: &Person, mut records: Vec<RecordKey>) -> Result<Acted, Problem> {
        records.sort();
        records.dedup();
        let done = records.len() as u64;
        self.act(person, Command::Retry { records }).await?;
        Ok(Acted::well(done))
    }

    /// All items of a kind, of a flow or of all.
    pub(crate) async fn of_kind(
        &self,
        person: &Person,
        kind: &str,
        flow: Option<String>,
    ) -> Result<Vec<Item>, Problem> {
        let of = ItemsOf {
            kind: Some(kind.to_owned()),
            flow,
            ..ItemsOf::default()
        };
        let page = self
            .look(person, move |looker| looker.items_without_names(&of, None, MANY))
            .await?;
        Ok(page.rows)
    }

    /// Tries again everything of a kind.
    pub(crate) async fn retry_kind(
        &self,
        person: &Person,
        kind: &str,
        flow: Option<String>,
    ) -> Result<Acted, Problem> {
        let items = self.of_kind(person, kind, flow).await?;
        let parked = items.iter().filter(|item| item.standing == "parked");
        self.retry_records(person, parked.map(Item::key).collect()).await
    }

    /// Leaves items out of what needs a person.
    pub(crate) async fn ignore(
        &self,
        person: &Person,
        items: Vec<u64>,
        until: Option<jiff::Timestamp>,
    ) -> Result<Acted, Problem> {
        let done = items.len() as u64;
        self.act(person, Command::Ignore { items, until }).await?;
        Ok(Acted::well(done))
    }

    /// Answers conflicts.
    pub(crate) async fn resolve(
        &self,
        person: &Person,
        answers: Vec<(u64, Choice)>,
    ) -> Result<Acted, Problem> {
        one_by_one(self.act(person, Command::Resolve { answers }).await?)
    }

    /// Answers several conflicts with what one system's records say.
    pub(crate) async fn resolve_by(
        &self,
        person: &Person,
        items: &[u64],
        system: &str,
    ) -> Result<Acted, Problem> {
        let (mut answers, mut refused) = (Vec::new(), Vec::new());
        for number in items {
            let number = *number;
            let found = self.look(person, move |looker| looker.conflict(number)).await?;
            let says = found.map(|conflict| conflict.says).unwrap_or_default();
            let mut own = says.iter().filter(|says| says.system.as_deref() == Some(system));
            match (own.next(), own.next()) {
                (Some(says), None) => answers.extend(choice(says).map(|choice| (number, choice))),
                _ => refused.push(format!(
                    "{system} says nothing, or several things, about item {number}"
                )),
            }
        }
        let mut acted = match answers.is_empty() {
            true => Acted::default(),
            false => self.resolve(person, answers).await?,
        };
        acted.refused.extend(refused);
        Ok(acted)
    }

    /// Takes a run or a line of the history back, or says what that would come to.
    pub(crate) async fn undo(
        &self,
        person: &Person,
        selection: Selection,
        what: String,
        carry_out: bool,
    ) -> Result<Undo, Problem> {
        let how = How {
            overwrite: false,
            delete_created: false,
            what,
        };
        let command = Command::Undo {
            selection,
            how,
            carry_out,
        };
        match self.act(person, command).await? {
            Done::Undone { report } => {
                let masks = self.window.masks(person.role == crate::access::Role::Admin);
                Ok(Undo::of(&report, carry_out, masks))
            }
            _ => Err(misunderstood()),
        }
    }

    /// Lets a flow rest, or go on.
    pub(crate) async fn rest(&self, person: &Person, flow: String, rests: bool) -> Result<Acted, Problem> {
        let command = match rests {
            true => Command::Pause { flow },
            false => Command::Resume { flow },
        };
        self.act(person, command).await?;
        Ok(Acted::well(1))
    }

    /// Lets go ahead all that waits in a flow.
    pub(crate) async fn approve_flow(
        &self,
        person: &Person,
        flow: String,
        fate: Option<Fate>,
    ) -> Result<Acted, Problem> {
        let verdict = fate.map(Verdict::from);
        match self.act(person, Command::ApproveFlow { flow, verdict }).await? {
            Done::Approved { items, held } => Ok(Acted::well(items + u64::from(held))),
            _ => Err(misunderstood()),
        }
    }

    /// Believes a system again.
    pub(crate) async fn approve_system(&self, person: &Person, system: String) -> Result<Acted, Problem> {
        self.act(person, Command::ApproveSystem { system }).await?;
        Ok(Acted::well(1))
    }
}

/// What one side of a conflict says, as the answer.
pub(crate) fn choice(says: &tandem_api::view::Says) -> Option<Choice> {
    let Some(system) = &says.system else {
        return Some(Choice::Head);
    };
    Some(Choice::Record(RecordKey {
        record_type: tandem_api::RecordType::new(system, says.record_type.as_ref()?),
        id: says.id.clone()?,
    }))
}

/// What was done to items, and why not to the others.
fn one_by_one(done: Done) -> Result<Acted, Problem> {
    match done {
        Done::Answered { resolved, refused } => Ok(Acted {
            done: resolved.len() as u64,
            refused: refused
                .into_iter()
                .map(|why| format!("{}. {}", why.what, why.advice))
                .collect(),
        }),
        _ => Err(misunderstood()),
    }
}

fn misunderstood() -> Problem {
    tandem_api::Refused::trouble(
        "the answer is one to something else",
        "Look whether it was done, then try again",
    )
    .into()
}
