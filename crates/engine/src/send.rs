//! Send: packs travel, several to a system at once, each marked durably before its first byte; what they are answered is
//! settled while others travel.

use crate::engine::FENCE;
use crate::pack::{Batch, target};
use crate::under_way::UnderWay;
use crate::{Clock, Engine, Error, Happening, Round};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use tandem_connector::{Capabilities, Change, Connector, ErrorKind, Lane, Outcome, RefusalKind, Write};
use tandem_merge::cluster::{Action, Intent};
use tandem_merge::mutation::{Mutation, removed};
use tandem_merge::record::Values;

/// Before busy rows are written again: a pause in seconds, and into how many packs they are cut then, one after
/// the other. Smaller packs hold fewer locks at a time.
const BUSY: [(i64, usize); 3] = [(1, 1), (2, 2), (4, 8)];

/// Attempts after which a row that was locked is refused like any other, where each attempt begins with a look at it.
const BUSY_ATTEMPTS: u32 = 3;

/// So many packs to a system are under way at once at most: one travels while another is settled.
const MOST_PACKS: usize = 2;

/// A strained system takes one pack at a time, until so many in a row went well.
const WELL: u32 = 8;

/// Batches by system.
pub(crate) type Queues = [VecDeque<Batch>; 2];

/// A write with its answer.
pub(crate) struct Answer {
    pub(crate) intent: Intent,
    pub(crate) outcome: Outcome,
}

/// A pack with its answers.
pub(crate) struct Landed {
    index: usize,
    lane: Lane,
    pub(crate) answers: Vec<Answer>,
    /// Rows were locked, or the system did not take it.
    strained: bool,
}

/// Packs under way.
#[derive(Default)]
pub(crate) struct Sending {
    under_way: UnderWay<Landed>,
    roads: [Road; 2],
}

/// How one system takes packs.
#[derive(Clone, Copy, Default)]
struct Road {
    /// Under way.
    packs: usize,
    /// The one under way travels alone.
    alone: bool,
    /// So many more have to go well before several travel at once again.
    wary: u32,
}

impl Road {
    fn takes(self, batch: &Batch) -> bool {
        let most = if self.wary > 0 || batch.alone {
            1
        } else {
            MOST_PACKS
        };
        !self.alone && self.packs < most
    }
}

impl Sending {
    /// Breaks off what is under way, as a process that dies does.
    pub(crate) fn break_off(&mut self) {
        self.under_way = UnderWay::default();
        for road in &mut self.roads {
            (road.packs, road.alone) = (0, false);
        }
    }

    async fn begin(
        &mut self,
        index: usize,
        batch: &Batch,
        carried: impl Future<Output = Landed> + Send + 'static,
    ) {
        let road = &mut self.roads[index];
        road.packs += 1;
        road.alone = batch.alone;
        self.under_way.begin(carried).await;
    }

    /// The next pack that was answered; none where none is under way.
    async fn next(&mut self) -> Option<Landed> {
        let landed = self.under_way.next().await?;
        let road = &mut self.roads[landed.index];
        road.packs -= 1;
        road.alone = false;
        road.wary = match landed.strained {
            true => WELL,
            false => road.wary.saturating_sub(1),
        };
        Some(landed)
    }
}

impl Engine {
    /// Sends batches and settles each, while others travel. Returns the systems that got any write.
    pub(crate) async fn send(
        &mut self,
        mut queues: Queues,
        round: &mut Round,
    ) -> Result<BTreeSet<usize>, Error> {
        let mut sent = BTreeSet::new();
        loop {
            if self.asked.is_undecided() {
                // What a person said since may concern what was chosen: it is chosen anew.
                queues.iter_mut().for_each(VecDeque::clear);
            }
            self.begin_packs(&mut queues, &mut sent, round).await?;
            // People first: they are few, and packs may land all the time.
            let landed = tokio::select! {
                biased;
                request = self.asked.next() => {
                    self.serve(request).await?;
                    continue;
                }
                landed = self.sending.next() => landed,
            };
            let Some(landed) = landed else {
                return Ok(sent);
            };
            if !landed.strained && !self.asked.is_undecided() {
                self.begin_packs(&mut queues, &mut sent, round).await?;
            }
            self.note_backlog()?;
            let Landed { index, lane, .. } = landed;
            let answers = self.put_aside(index, lane, landed.answers, round)?;
            let answers = self.put_back_busy(index, answers)?;
            self.settle_answers(index, answers, round).await?;
        }
    }

    /// Sends as much of the queues as the systems take at once.
    async fn begin_packs(
        &mut self,
        queues: &mut Queues,
        sent: &mut BTreeSet<usize>,
        round: &Round,
    ) -> Result<(), Error> {
        for (index, queue) in queues.iter_mut().enumerate() {
            if round.is_down(&self.flows.systems[index]) {
                queue.clear();
            }
            if round.delays(&self.flows.systems[index]) {
                queue.retain(|batch| batch.lane == Lane::Live);
            }
            while let Some(batch) = queue.pop_front_if(|batch| self.sending.roads[index].takes(batch)) {
                let marked = self.mark(index, &batch.intents).await?;
                if !marked.is_empty() {
                    sent.insert(index);
                    let carried = self.carry(index, marked, batch.lane);
                    self.sending.begin(index, &batch, carried).await;
                }
            }
        }
        Ok(())
    }

    /// Takes the writes out of a load's answers that a system will take on its next day alone: no reason to rest,
    /// for live changes go on.
    fn put_aside(
        &mut self,
        index: usize,
        lane: Lane,
        answers: Vec<Answer>,
        round: &mut Round,
    ) -> Result<Vec<Answer>, Error> {
        let refused = |answer: &Answer| match &answer.outcome {
            Outcome::NotSent(error) if error.kind == ErrorKind::Refused => Some(error.clone()),
            _ => None,
        };
        let Some(error) = answers.iter().find_map(refused) else {
            return Ok(answers);
        };
        if lane != Lane::Load || !self.loads_wait_alone(index) {
            return Ok(answers);
        }
        round.delay(error);
        let (aside, rest): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|answer| refused(answer).is_some());
        let numbers: Vec<u64> = aside.iter().map(|answer| answer.intent.id).collect();
        self.store.mark_unknown(FENCE, &numbers, true)?;
        Ok(rest)
    }

    /// Takes the writes out of a pack's answers whose rows were locked and that no condition protects: they are sent again
    /// once their records were read again (E5), and only so often.
    fn put_back_busy(&mut self, index: usize, answers: Vec<Answer>) -> Result<Vec<Answer>, Error> {
        let limits = self.systems[index].capabilities();
        let again = |answer: &Answer| {
            let Answer { intent, outcome } = answer;
            busy(outcome) && intent.attempts <= BUSY_ATTEMPTS && is_bare(intent, limits)
        };
        let (again, rest): (Vec<_>, Vec<_>) = answers.into_iter().partition(again);
        let numbers: Vec<u64> = again.iter().map(|answer| answer.intent.id).collect();
        if !numbers.is_empty() {
            self.store.mark_unknown(FENCE, &numbers, true)?;
        }
        Ok(rest)
    }

    /// Marks a batch as sent, durably. What was withdrawn in the meantime falls out.
    pub(crate) async fn mark(&mut self, index: usize, batch: &[u64]) -> Result<Vec<Intent>, Error> {
        // Here, and not in the store: whoever stops the work need not wait for it.
        self.store.looked_over().await;
        self.begin_own_time(&self.flows.systems[index].clone())?;
        let intents = self.store.begin_write(FENCE, batch, self.clock.now())?;
        let system = &self.flows.systems[index];
        self.patience.count(&intents);
        if !intents.is_empty() {
            self.tell(&Happening::Sending {
                system,
                intents: &intents,
            });
        }
        Ok(intents)
    }

    /// Hands a batch to its connector and waits for every answer.
    pub(crate) fn carry(
        &self,
        index: usize,
        intents: Vec<Intent>,
        lane: Lane,
    ) -> impl Future<Output = Landed> + Send + use<> {
        let system = Arc::clone(&self.systems[index]);
        let clock = Arc::clone(&self.clock);
        let limits = system.capabilities();
        let write = |intent: &Intent| write_of(intent, &self.state_id, limits);
        let writes: Vec<Write> = intents.iter().map(write).collect();
        let bare: Vec<bool> = intents.iter().map(|intent| is_bare(intent, limits)).collect();
        async move {
            let mut outcomes = answers(system.as_ref(), &writes, lane).await;
            let strains = |outcome: &Outcome| busy(outcome) || matches!(outcome, Outcome::NotSent(_));
            let strained = outcomes.iter().any(strains);
            again_if_busy(system.as_ref(), clock.as_ref(), &writes, &bare, &mut outcomes).await;
            let pairs = intents.into_iter().zip(outcomes);
            let answers = pairs.map(|(intent, outcome)| Answer { intent, outcome });
            Landed {
                index,
                lane,
                answers: answers.collect(),
                strained,
            }
        }
    }
}

/// Whether nothing protects what somebody does beside a write: an update or a deletion without a condition.
fn is_bare(intent: &Intent, limits: &Capabilities) -> bool {
    let conditional = limits.of(target(intent)).conditional_write;
    let changes = matches!(intent.action, Action::Update { .. } | Action::Delete { .. });
    changes && !(conditional && intent.version.is_some())
}

/// Writes rows again that were locked, some times, in smaller packs each time. Those that nothing protects wait once, and are
/// not sent again blindly.
async fn again_if_busy(
    system: &dyn Connector,
    clock: &dyn Clock,
    writes: &[Write],
    bare: &[bool],
    outcomes: &mut [Outcome],
) {
    for (round, (pause, packs)) in BUSY.into_iter().enumerate() {
        let locked = (0..writes.len()).filter(|place| outcomes.get(*place).is_some_and(busy));
        let (waits, places): (Vec<usize>, Vec<usize>) = locked.partition(|place| bare[*place]);
        if places.is_empty() && (waits.is_empty() || round > 0) {
            break;
        }
        let until = clock.now().saturating_add(SignedDuration::from_secs(pause));
        clock.sleep_until(until.unwrap_or(Timestamp::MAX)).await;
        for pack in places.chunks(places.len().div_ceil(packs).max(1)) {
            let again = pack.iter().filter_map(|place| writes.get(*place).cloned());
            let again: Vec<Write> = again.collect();
            let second = answers(system, &again, Lane::Live).await;
            for (place, outcome) in pack.iter().zip(second) {
                outcomes[*place] = outcome;
            }
        }
    }
}

/// Whether a row was locked by somebody else.
pub(crate) fn busy(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Refused(refusal) if refusal.kind == RefusalKind::Busy)
}

/// One outcome per write.
async fn answers(system: &dyn Connector, writes: &[Write], lane: Lane) -> Vec<Outcome> {
    let mut outcomes = system.write(writes, lane).await;
    outcomes.resize_with(writes.len(), || {
        Outcome::Unknown("the connector gave no answer".to_owned())
    });
    outcomes
}

/// The write that carries out an intent: the same bytes in every attempt. Its version goes along where it is the system's
/// condition, or is compared by the connector.
fn write_of(intent: &Intent, state: &str, limits: &Capabilities) -> Write {
    let protection = limits.of(target(intent));
    let versioned = protection.conditional_write || protection.compares;
    let mut values: Values = BTreeMap::new();
    for (property, planned) in &intent.values {
        values.insert(property.clone(), planned.value.clone());
    }
    let only_if = intent
        .version
        .clone()
        .filter(|_| versioned && !removed(Mutation::NoCondition));
    let change = match &intent.action {
        Action::Create { target, identity, .. } | Action::Companion { target, identity, .. } => {
            values.extend(identity.clone());
            Change::Create {
                record_type: target.clone(),
                values,
            }
        }
        Action::Update { record } => Change::Update {
            record: record.clone(),
            values,
            only_if,
        },
        Action::Delete { record } => Change::Delete {
            record: record.clone(),
            only_if,
        },
    };
    Write {
        intent: intent.id,
        key: format!("{state}-{}", intent.id),
        change,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(alone: bool) -> Batch {
        Batch {
            lane: Lane::Live,
            alone,
            intents: Vec::new(),
        }
    }

    /// Sends as many packs as the system takes now, and hands out what each is answered. Answers how many travelled.
    async fn fill(sending: &mut Sending, batch: &Batch, strained: bool) -> usize {
        let mut packs = 0;
        while sending.roads[1].takes(batch) {
            let landed = Landed {
                index: 1,
                lane: Lane::Live,
                answers: Vec::new(),
                strained,
            };
            sending.begin(1, batch, async { landed }).await;
            packs += 1;
        }
        while sending.next().await.is_some() {}
        packs
    }

    #[tokio::test]
    async fn a_strained_system_gets_one_pack_at_a_time_until_eight_went_well() {
        let mut sending = Sending::default();
        assert_eq!(fill(&mut sending, &batch(false), false).await, 2, "at first two");
        assert_eq!(
            fill(&mut sending, &batch(false), true).await,
            2,
            "both meet a locked row"
        );
        for well in 0..WELL {
            assert_eq!(fill(&mut sending, &batch(false), false).await, 1, "after {well}");
        }
        assert_eq!(fill(&mut sending, &batch(false), false).await, 2, "it recovered");
        // One bad answer among good ones begins the count anew.
        fill(&mut sending, &batch(false), true).await;
        fill(&mut sending, &batch(false), false).await;
        fill(&mut sending, &batch(false), true).await;
        for _ in 0..WELL {
            assert_eq!(fill(&mut sending, &batch(false), false).await, 1);
        }
        assert_eq!(fill(&mut sending, &batch(false), false).await, 2);
    }

    #[tokio::test]
    async fn deletions_and_loads_travel_alone() {
        let mut sending = Sending::default();
        assert_eq!(fill(&mut sending, &batch(true), false).await, 1);
        let landed = |index| Landed {
            index,
            lane: Lane::Live,
            answers: Vec::new(),
            strained: false,
        };
        sending.begin(0, &batch(false), async move { landed(0) }).await;
        assert!(
            !sending.roads[0].takes(&batch(true)),
            "what is before it comes first"
        );
        assert!(sending.roads[0].takes(&batch(false)) && sending.roads[1].takes(&batch(true)));
        sending.next().await;
        sending.begin(0, &batch(true), async move { landed(0) }).await;
        assert!(
            !sending.roads[0].takes(&batch(false)),
            "and what is behind it waits"
        );
    }
}
