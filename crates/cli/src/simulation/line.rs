//! The lines to both systems: Tandem's, on which requests and answers get lost, late or refused, and the one of
//! people, which works.

use super::time::{now, pause};
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex, MutexGuard};
use tandem_connector::simulation::{Broken, Line, Received, Sent};
use tandem_fuzz::Dice;
use tandem_lab::{customerp, salesforce};
use tokio::io::DuplexStream;
use tokio::sync::Notify;

/// The longest time a request may still take effect, in milliseconds: what both systems declare.
const DEADLINE: u64 = 5_000;

/// Where each system is said to be.
pub(super) const HOSTS: [&str; 2] = ["http://127.0.0.1:1", "http://127.0.0.1:2"];

/// What can go wrong at the moment, and what is on its way.
pub(super) struct State {
    pub(super) dice: Dice,
    /// Something may go wrong.
    pub(super) trouble: bool,
    /// Requests that take effect later, by system.
    late: [Vec<(Timestamp, Sent)>; 2],
    /// Until when a system is not there.
    down: [Option<Timestamp>; 2],
    /// How many requests Tandem may still send until it is said never to end.
    left: u64,
    /// How often what came to pass.
    pub(super) counts: Counts,
    /// What happened, where that is asked for.
    told: Option<Vec<String>>,
}

/// How often something came to pass in schedules: what never does is not tested by them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Bulk jobs that were opened.
    pub(super) jobs: u64,
    /// Change events that were delivered.
    pub(super) events: u64,
    /// Records that the org's rules refused.
    pub(super) refused: u64,
    /// Contacts that went up in another.
    pub(super) merged: u64,
    /// Records deleted for good.
    pub(super) purged: u64,
}

impl Counts {
    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            jobs: self.jobs + other.jobs,
            events: self.events + other.events,
            refused: self.refused + other.refused,
            merged: self.merged + other.merged,
            purged: self.purged + other.purged,
        }
    }

    /// Whether anything never came to pass.
    pub(super) fn lacks_any(self) -> bool {
        [self.jobs, self.events, self.refused, self.merged, self.purged].contains(&0)
    }
}

/// Both systems and the lines to them.
pub(super) struct Lines {
    customerp: customerp::Inside,
    salesforce: salesforce::Inside,
    state: Mutex<State>,
    /// Told when more was asked than was allowed.
    exhausted: Notify,
}

/// What becomes of a request.
enum Fate {
    Answered,
    NotSent,
    Vanishes,
    Late,
    Unheard,
    Busy,
}

impl Lines {
    pub(super) fn new(
        dice: Dice,
        customerp: customerp::Inside,
        salesforce: salesforce::Inside,
        traced: bool,
    ) -> Self {
        let state = State {
            dice,
            trouble: false,
            late: [Vec::new(), Vec::new()],
            down: [None, None],
            left: u64::MAX,
            counts: Counts::default(),
            told: traced.then(Vec::new),
        };
        tokio::spawn(salesforce.jobs());
        Self {
            customerp,
            salesforce,
            state: Mutex::new(state),
            exhausted: Notify::new(),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn say(&self, what: impl FnOnce() -> String) {
        if let Some(told) = &mut self.state().told {
            told.push(format!("{}  {}", now(), what()));
        }
    }

    pub(super) fn told(&self) -> String {
        self.state().told.as_deref().unwrap_or_default().join("\n")
    }

    /// From now on Tandem may send so many requests; one more gets no answer ever, and [`Self::exhausted`] tells.
    pub(super) fn allow(&self, requests: u64) {
        self.state().left = requests;
    }

    /// Resolves once more was asked than was allowed (E17).
    pub(super) async fn exhausted(&self) {
        self.exhausted.notified().await;
    }

    /// Counts a request; one too many waits for ever.
    async fn count(&self) {
        let spent = {
            let mut state = self.state();
            state.left = state.left.saturating_sub(1);
            state.left == 0
        };
        if spent {
            self.exhausted.notify_one();
            std::future::pending::<()>().await;
        }
    }

    /// No more trouble; what is late still comes.
    pub(super) fn calm(&self) {
        let mut state = self.state();
        state.trouble = false;
        state.down = [None, None];
    }

    fn fate(&self, at: usize) -> Fate {
        let mut state = self.state();
        if !state.trouble {
            return Fate::Answered;
        }
        if state.dice.one_in(300) {
            let until = now() + SignedDuration::from_millis(i64::try_from(state.dice.below(4_000)).unwrap());
            state.down[at] = Some(until);
        }
        if state.down[at].is_some_and(|until| until > now()) {
            return Fate::NotSent;
        }
        match state.dice.below(120) {
            0 => Fate::NotSent,
            1..=3 => Fate::Vanishes,
            4..=6 => Fate::Late,
            7..=9 => Fate::Unheard,
            10 | 11 => Fate::Busy,
            _ => Fate::Answered,
        }
    }

    /// It takes effect within the deadline.
    fn postpone(&self, at: usize, sent: Sent) {
        let mut state = self.state();
        let within = i64::try_from(state.dice.below(DEADLINE - 100)).unwrap();
        state.late[at].push((now() + SignedDuration::from_millis(within), sent));
    }

    /// Carries a request out, after those whose time has come.
    pub(super) async fn answer(&self, at: usize, sent: Sent) -> Received {
        let due = {
            let mut state = self.state();
            let all = std::mem::take(&mut state.late[at]);
            let (mut due, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(|(when, _)| *when <= now());
            state.late[at] = rest;
            due.sort_by_key(|(when, _)| *when);
            due
        };
        for (_, late) in due {
            let name = format!("{} {}", late.method, late.target);
            let received = self.carry_out(at, late).await;
            self.say(|| format!("late {name}: {}", received.status));
        }
        self.carry_out(at, sent).await
    }

    async fn carry_out(&self, at: usize, sent: Sent) -> Received {
        let Sent {
            method,
            target,
            mut headers,
            body,
            ..
        } = sent;
        headers.push(("host".to_owned(), HOSTS[at].replace("http://", "")));
        let (status, headers, body) = match at {
            0 => self.customerp.answer(&method, &target, headers, body).await,
            _ => self.salesforce.answer(&method, &target, headers, body).await,
        };
        Received {
            status,
            headers,
            body,
        }
    }
}

fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(2_000).collect()
}

fn place(sent: &Sent) -> usize {
    HOSTS.iter().position(|host| *host == sent.host).unwrap()
}

/// People's own line.
pub(super) struct Clear(pub(super) Arc<Lines>);

#[async_trait]
impl Line for Clear {
    async fn exchange(&self, sent: Sent) -> Result<Received, Broken> {
        Ok(self.0.answer(place(&sent), sent).await)
    }

    fn events(&self) -> Option<DuplexStream> {
        Some(self.0.salesforce.pubsub())
    }
}

/// Tandem's line.
pub(super) struct Shaky(pub(super) Arc<Lines>);

/// A request that has not arrived yet: where its sender dies, it may arrive all the same.
struct Underway<'a>(&'a Lines, Option<Sent>);

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        if let Some(sent) = self.1.take()
            && self.0.state().dice.one_in(2)
        {
            self.0.postpone(place(&sent), sent);
        }
    }
}

#[async_trait]
impl Line for Shaky {
    async fn exchange(&self, sent: Sent) -> Result<Received, Broken> {
        let lines = &self.0;
        let at = place(&sent);
        let name = format!("{} {}", sent.method, sent.target);
        let mut underway = Underway(lines, Some(sent));
        lines.count().await;
        let millis = 1 + lines.state().dice.below(40);
        pause(millis).await;
        let sent = underway.1.take().unwrap();
        let fate = lines.fate(at);
        match fate {
            Fate::Answered => {}
            Fate::NotSent => return Err(Broken::NotSent),
            Fate::Busy => {
                lines.say(|| format!("{name}: 503"));
                return Ok(Received {
                    status: 503,
                    headers: vec![("retry-after".to_owned(), "1".to_owned())],
                    body: Vec::new(),
                });
            }
            Fate::Vanishes | Fate::Late | Fate::Unheard => {
                let asked = text(&sent.body);
                match fate {
                    Fate::Late => lines.postpone(at, sent),
                    Fate::Unheard => drop(lines.answer(at, sent).await),
                    _ => {}
                }
                let word = match fate {
                    Fate::Late => "comes late",
                    Fate::Unheard => "is carried out, no answer comes back",
                    _ => "vanishes",
                };
                lines.say(|| format!("{name} {word}: {asked}"));
                pause(DEADLINE).await;
                return Err(Broken::Lost);
            }
        }
        let asked = text(&sent.body);
        let opens_job = sent.method == "POST" && sent.target.ends_with("/jobs/ingest");
        let received = lines.answer(at, sent).await;
        let refused = text(&received.body).contains("FIELD_CUSTOM_VALIDATION_EXCEPTION");
        {
            let counts = &mut lines.state().counts;
            counts.jobs += u64::from(opens_job);
            counts.refused += u64::from(refused);
        }
        lines.say(|| format!("{name} {asked}: {} {}", received.status, text(&received.body)));
        let millis = 1 + lines.state().dice.below(40);
        pause(millis).await;
        Ok(received)
    }

    /// Events come for a while; then the connection breaks, unless nothing goes wrong any more.
    fn events(&self) -> Option<DuplexStream> {
        let lines = Arc::clone(&self.0);
        let (life, trouble) = {
            let mut state = lines.state();
            let trouble = state.trouble;
            if trouble && state.dice.one_in(4) {
                return None;
            }
            (1 + state.dice.below(120_000), trouble)
        };
        let mut system = lines.salesforce.pubsub();
        if !trouble {
            return Some(system);
        }
        let (mut near, far) = tokio::io::duplex(64 * 1024);
        tokio::spawn(async move {
            let both = tokio::io::copy_bidirectional(&mut near, &mut system);
            let broke = tokio::time::timeout(std::time::Duration::from_millis(life), both).await;
            lines.say(|| format!("the connection for events ends: {}", broke.is_err()));
        });
        Some(far)
    }
}
