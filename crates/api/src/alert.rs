//! What somebody should be woken for, and when it is over.
//!
//! Pure: what stands is computed from an [`Overview`] and from the systems in trouble; who is told how is another's affair.

use crate::view::{FlowState, Overview};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// What is parked is compared with what was parked this long ago.
const GROWTH: SignedDuration = SignedDuration::from_hours(1);
/// So many more are worth waking somebody.
const MANY: u64 = 20;
/// Something on the way that does not move for this long is stuck.
const STUCK: SignedDuration = SignedDuration::from_mins(10);

/// Where something is on the way without a pause for this long, edits arrive late.
const LATE: SignedDuration = SignedDuration::from_mins(30);

/// When somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// So long a system may be in trouble before anybody is told.
    pub after: SignedDuration,
    /// What lasts is told again after so long.
    pub again: SignedDuration,
}

/// What somebody is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Alert {
    /// What it is about, the same as long as it lasts: `trouble salesforce`, `held order-order`, `parked`.
    pub alert: String,
    /// It began, lasts, or is over.
    pub state: State,
    /// What it is, in words.
    pub text: String,
    /// Since when.
    pub since: Timestamp,
    /// When this was told.
    pub at: Timestamp,
}

/// How an alert stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It began.
    Began,
    /// It lasts.
    Lasts,
    /// It is over.
    Over,
}

/// A system in trouble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The system.
    pub system: String,
    /// What it says.
    pub words: String,
    /// Since when.
    pub since: Timestamp,
}

/// What stands, what was told of it, and what is remembered to compare with.
#[derive(Debug, Default)]
pub struct Vigil {
    told: BTreeMap<String, Standing>,
    parked: VecDeque<(Timestamp, u64)>,
    /// The latest counts that moved, and when they did.
    moved: Option<(Timestamp, Vec<u64>)>,
    /// Since when something has been on the way without a pause.
    busy: Option<Timestamp>,
}

/// What was told and is not over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    since: Timestamp,
    text: String,
    last: Timestamp,
}

impl Vigil {
    /// One that goes on after another, which had told this.
    #[must_use]
    pub fn after(told: BTreeMap<String, Standing>) -> Self {
        Self {
            told,
            ..Self::default()
        }
    }

    /// What was told and is not over.
    #[must_use]
    pub fn told(&self) -> &BTreeMap<String, Standing> {
        &self.told
    }

    /// What is to be told now.
    pub fn look(
        &mut self,
        overview: &Overview,
        troubles: &[Trouble],
        patience: Patience,
        now: Timestamp,
    ) -> Vec<Alert> {
        let mut stands = standing(overview, troubles, patience, now);
        stands.extend(self.growing(overview, now));
        // What does not move because a system is away, or because somebody said so, has been told.
        let explained = !troubles.is_empty()
            || !overview.holds.is_empty()
            || stands.keys().any(|alert| alert.starts_with("budget "));
        let (stuck, late) = (self.stuck(overview, now), self.late(overview, now));
        stands.extend(stuck.or(late).filter(|_| !explained));
        let mut news = Vec::new();
        let told = std::mem::take(&mut self.told);
        for (alert, standing) in told {
            match stands.remove(&alert) {
                Some((_, text)) => {
                    let due = now.duration_since(standing.last) >= patience.again;
                    if due {
                        news.push(Alert::new(&alert, State::Lasts, &text, standing.since, now));
                    }
                    let last = if due { now } else { standing.last };
                    let since = standing.since;
                    self.told.insert(alert, Standing { since, text, last });
                }
                None => news.push(Alert::new(
                    &alert,
                    State::Over,
                    &standing.text,
                    standing.since,
                    now,
                )),
            }
        }
        for (alert, (since, text)) in stands {
            news.push(Alert::new(&alert, State::Began, &text, since, now));
            let last = now;
            self.told.insert(alert, Standing { since, text, last });
        }
        news
    }

    /// Parked work that grew by many within an hour.
    fn growing(&mut self, overview: &Overview, now: Timestamp) -> Option<(String, (Timestamp, String))> {
        let parked: u64 = overview.flows.iter().map(|flow| flow.parked).sum();
        while self
            .parked
            .front()
            .is_some_and(|(at, _)| now.duration_since(*at) > GROWTH)
        {
            self.parked.pop_front();
        }
        let (since, least) = self
            .parked
            .iter()
            .copied()
            .min_by_key(|(_, count)| *count)
            .unwrap_or((now, parked));
        if self
            .parked
            .back()
            .is_none_or(|(at, _)| now.duration_since(*at) >= SignedDuration::from_mins(1))
        {
            self.parked.push_back((now, parked));
        }
        let more = parked.saturating_sub(least);
        let text = format!(
            "{more} more items need mending than {:.0} ago; {parked} in all",
            now.duration_since(since)
        );
        (more >= MANY).then(|| ("parked".to_owned(), (since, text)))
    }

    /// Something on the way while nothing moves.
    fn stuck(&mut self, overview: &Overview, now: Timestamp) -> Option<(String, (Timestamp, String))> {
        let waits = waiting(overview);
        let done = overview.flows.iter().map(|flow| flow.updated + flow.linked);
        let counts: Vec<u64> = [waits, overview.history.lines].into_iter().chain(done).collect();
        let since = match &self.moved {
            Some((since, before)) if *before == counts => *since,
            _ => now,
        };
        self.moved = Some((since, counts));
        let lasting = waits > 0 && now.duration_since(since) >= STUCK;
        let text = format!("{waits} changes are on the way and nothing moves since {since:.0}");
        lasting.then(|| ("stuck".to_owned(), (since, text)))
    }

    /// Something on the way all the time, though it moves: more comes in than goes out. A first sync may take its time.
    fn late(&mut self, overview: &Overview, now: Timestamp) -> Option<(String, (Timestamp, String))> {
        let first = overview.systems.iter().any(|system| system.listed.is_none());
        let waits = waiting(overview);
        self.busy = self.busy.or(Some(now)).filter(|_| waits > 0 && !first);
        let since = self.busy.filter(|since| now.duration_since(*since) >= LATE)?;
        let text = format!(
            "edits arrive late: changes have been on the way without a pause since {since:.0}, {waits} now"
        );
        Some(("late".to_owned(), (since, text)))
    }
}

/// Changes on the way.
fn waiting(overview: &Overview) -> u64 {
    overview.to_decide + overview.to_send + overview.unanswered
}

/// What stands at this moment: by its name, since when, in words.
fn standing(
    overview: &Overview,
    troubles: &[Trouble],
    patience: Patience,
    now: Timestamp,
) -> BTreeMap<String, (Timestamp, String)> {
    let mut stands = BTreeMap::new();
    for trouble in troubles {
        if now.duration_since(trouble.since) >= patience.after {
            let text = trouble.words.clone();
            stands.insert(format!("trouble {}", trouble.system), (trouble.since, text));
        }
    }
    for hold in overview.holds.iter().filter(|hold| hold.needs_approval) {
        let name = hold
            .flow
            .as_ref()
            .or(hold.system.as_ref())
            .map_or("", String::as_str);
        let text = format!("{name} is {}: {}. {}", hold.stands, hold.words, hold.advice);
        stands.insert(format!("held {name}"), (hold.since, text));
    }
    for flow in overview
        .flows
        .iter()
        .filter(|flow| flow.approvals > 0 && flow.state != FlowState::Paused)
    {
        let text = format!("{} of {} wait for approval", flow.approvals, flow.flow);
        stands.insert(format!("approval {}", flow.flow), (now, text));
    }
    for system in &overview.systems {
        let Some(budget) = &system.budget else { continue };
        if let Some(until) = budget.live_waits.filter(|until| *until > now) {
            let text = format!(
                "{}: the calls of the day are spent; live changes wait until {until:.0}",
                system.system
            );
            stands.insert(format!("budget {}", system.system), (now, text));
        }
    }
    for notice in &overview.notices {
        stands.insert(format!("notice {}", gist(notice)), (now, notice.clone()));
    }
    stands
}

/// What a notice is about, the same as long as it lasts: its beginning, without counts and moments.
fn gist(notice: &str) -> String {
    let beginning = notice.split([',', '.']).next().unwrap_or_default();
    beginning.chars().filter(|sign| !sign.is_ascii_digit()).collect()
}

impl Alert {
    fn new(alert: &str, state: State, text: &str, since: Timestamp, now: Timestamp) -> Self {
        let text = match state {
            State::Over => format!("Over: {text}"),
            State::Began | State::Lasts => text.to_owned(),
        };
        Self {
            alert: alert.to_owned(),
            state,
            text,
            since,
            at: now,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::view::{Flow, HistorySize, System};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn system(name: &str) -> System {
        System {
            system: name.to_owned(),
            listed: None,
            clock_ahead: None,
            budget: None,
        }
    }

    fn seen(parked: u64, to_send: u64) -> Overview {
        let flow = Flow {
            flow: "order-order".to_owned(),
            types: ["Order".to_owned(), "Order".to_owned()],
            state: FlowState::Fine,
            why: None,
            since: None,
            linked: 1,
            created: [0, 0],
            updated: 0,
            conflicts: 0,
            questions: 0,
            parked,
            deferred: 0,
            approvals: 0,
            not_created: 0,
            ignored: 0,
        };
        Overview {
            at: at(0),
            systems: [system("erp"), system("crm")],
            flows: vec![flow],
            holds: Vec::new(),
            notices: Vec::new(),
            records: BTreeMap::new(),
            to_decide: 0,
            to_send,
            unanswered: 0,
            bytes: 0,
            history: HistorySize {
                lines: 0,
                bytes: 0,
                oldest: None,
            },
        }
    }

    const PATIENCE: Patience = Patience {
        after: SignedDuration::from_mins(1),
        again: SignedDuration::from_hours(4),
    };

    fn told(
        vigil: &mut Vigil,
        overview: &Overview,
        troubles: &[Trouble],
        second: i64,
    ) -> Vec<(String, State)> {
        let news = vigil.look(overview, troubles, PATIENCE, at(second));
        news.into_iter().map(|alert| (alert.alert, alert.state)).collect()
    }

    #[test]
    fn a_trouble_is_told_once_it_lasts_again_after_hours_and_when_it_is_over() {
        let mut vigil = Vigil::default();
        let trouble = [Trouble {
            system: "crm".to_owned(),
            words: "crm: it does not answer".to_owned(),
            since: at(0),
        }];
        let (fine, name) = (seen(0, 0), "trouble crm".to_owned());
        assert_eq!(told(&mut vigil, &fine, &trouble, 59), []);
        assert_eq!(
            told(&mut vigil, &fine, &trouble, 60),
            [(name.clone(), State::Began)]
        );
        assert_eq!(told(&mut vigil, &fine, &trouble, 90), []);
        assert_eq!(
            told(&mut vigil, &fine, &trouble, 60 + 14_400),
            [(name.clone(), State::Lasts)]
        );
        assert_eq!(told(&mut vigil, &fine, &[], 14_500), [(name, State::Over)]);
        assert_eq!(told(&mut vigil, &fine, &[], 14_501), []);
    }

    #[test]
    fn parked_work_is_told_when_it_grows_and_not_because_it_is_there() {
        let mut vigil = Vigil::default();
        assert_eq!(told(&mut vigil, &seen(500, 0), &[], 0), []);
        assert_eq!(told(&mut vigil, &seen(519, 0), &[], 600), []);
        let name = "parked".to_owned();
        assert_eq!(
            told(&mut vigil, &seen(520, 0), &[], 700),
            [(name.clone(), State::Began)]
        );
        // What has grown and stays so is over once the hour is.
        assert_eq!(told(&mut vigil, &seen(520, 0), &[], 760), []);
        assert_eq!(told(&mut vigil, &seen(520, 0), &[], 5_000), [(name, State::Over)]);
    }

    #[test]
    fn what_is_on_the_way_and_does_not_move_is_told() {
        let mut vigil = Vigil::default();
        assert_eq!(told(&mut vigil, &seen(0, 3), &[], 0), []);
        assert_eq!(told(&mut vigil, &seen(0, 2), &[], 500), []);
        assert_eq!(told(&mut vigil, &seen(0, 2), &[], 1_099), []);
        assert_eq!(
            told(&mut vigil, &seen(0, 2), &[], 1_100),
            [("stuck".to_owned(), State::Began)]
        );
        assert_eq!(
            told(&mut vigil, &seen(0, 0), &[], 1_101),
            [("stuck".to_owned(), State::Over)]
        );
    }

    #[test]
    fn edits_that_arrive_late_are_told_though_everything_moves_and_a_first_sync_is_not() {
        let (mut vigil, mut first) = (Vigil::default(), Vigil::default());
        let late = "late".to_owned();
        for minute in 0..30 {
            let mut overview = seen(0, 100 + minute);
            assert_eq!(told(&mut first, &overview, &[], minute as i64 * 60), []);
            overview
                .systems
                .iter_mut()
                .for_each(|system| system.listed = Some(at(0)));
            assert_eq!(told(&mut vigil, &overview, &[], minute as i64 * 60), []);
        }
        let mut overview = seen(0, 90);
        assert_eq!(told(&mut first, &overview, &[], 1_800), []);
        overview
            .systems
            .iter_mut()
            .for_each(|system| system.listed = Some(at(0)));
        assert_eq!(
            told(&mut vigil, &overview, &[], 1_800),
            [(late.clone(), State::Began)]
        );
        overview.to_send = 0;
        assert_eq!(told(&mut vigil, &overview, &[], 1_860), [(late, State::Over)]);
        overview.to_send = 1;
        assert_eq!(told(&mut vigil, &overview, &[], 1_861), []);
    }
}
