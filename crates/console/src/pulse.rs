//! How things go on over time: the newest line of the history, counts for the last hour, and who is told when something
//! changed.

use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tandem_api::view::{Answering, Change, FlowState, Overview};
use tandem_api::{RecordType, Traffic, Window};
use tokio::sync::watch;

/// How often it is looked whether something changed.
const BEAT: Duration = Duration::from_millis(500);
/// Counts are taken at every so many beats.
const COUNTED: u32 = 4;
/// Lines that are looked at for the lags of edits between two beats, the newest.
const LINES: u64 = 500;
/// What one column of a chart stands for.
pub(crate) const COLUMN: jiff::SignedDuration = jiff::SignedDuration::from_mins(1);
/// Columns of a chart.
pub(crate) const COLUMNS: usize = 60;

/// What the process at work knows beside the state.
#[derive(Clone, Debug, Default)]
pub struct Now {
    /// Systems in trouble, one sentence each.
    pub troubles: Vec<String>,
    /// Calls by system since the start.
    pub calls: BTreeMap<String, u64>,
    /// How the systems answered since the start.
    pub traffic: BTreeMap<String, Traffic>,
}

impl Now {
    /// How a system answers.
    pub(crate) fn answering(&self, system: &str) -> Answering {
        let mut troubles = self.troubles.iter();
        let trouble = troubles.find(|trouble| trouble.starts_with(&format!("{system}:")));
        let calls = self.calls.get(system).copied().unwrap_or_default();
        let traffic = self.traffic.get(system).cloned().unwrap_or_default();
        Answering::new(system, trouble.cloned(), calls, &traffic)
    }
}

/// What was counted at a moment.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) at: Timestamp,
    /// Per flow: creates and updates applied since the beginning.
    pub(crate) written: BTreeMap<String, u64>,
    pub(crate) backlog: u64,
    pub(crate) stood: Minute,
}

/// How things stood in a column.
#[derive(Clone, Debug, Default)]
pub(crate) struct Minute {
    /// Flows that a guard held.
    pub(crate) held: BTreeSet<String>,
    /// Flows that a person had paused.
    pub(crate) paused: BTreeSet<String>,
    /// A system did not answer, or was stopped.
    pub(crate) away: bool,
}

impl Minute {
    fn of(overview: &Overview, troubled: bool) -> Self {
        let flows = |state: FlowState| {
            let flows = overview.flows.iter().filter(move |flow| flow.state == state);
            flows.map(|flow| flow.flow.clone()).collect()
        };
        Self {
            held: flows(FlowState::Held),
            paused: flows(FlowState::Paused),
            away: troubled || overview.holds.iter().any(|hold| hold.system.is_some()),
        }
    }

    /// What stood so at some time within it.
    fn and(&mut self, earlier: Self) {
        self.held.extend(earlier.held);
        self.paused.extend(earlier.paused);
        self.away |= earlier.away;
    }
}

/// How things go on.
pub(crate) struct Pulse {
    latest: Mutex<Option<Arc<Overview>>>,
    /// A sample a column, the oldest first; the last one is the newest of its column.
    samples: Mutex<VecDeque<Sample>>,
    /// Per flow: how many seconds its latest edit had been made before it was taken up.
    lags: Mutex<BTreeMap<String, f64>>,
    /// Since when something has been on the way without a pause.
    busy: Mutex<Option<Timestamp>>,
    /// The number of the newest line of the history.
    pub(crate) newest: watch::Sender<u64>,
}

impl Pulse {
    pub(crate) fn new() -> Self {
        Self {
            latest: Mutex::default(),
            samples: Mutex::default(),
            lags: Mutex::default(),
            busy: Mutex::default(),
            newest: watch::Sender::new(0),
        }
    }

    /// The latest counts; none before the first.
    pub(crate) fn latest(&self) -> Option<Arc<Overview>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes of a flow (or of all) in each column of the last hour, the oldest first.
    pub(crate) fn written(&self, flow: Option<&str>) -> Vec<u64> {
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = |sample: &Sample| match flow {
            Some(flow) => sample.written.get(flow).copied().unwrap_or_default(),
            None => sample.written.values().sum(),
        };
        let counts: Vec<u64> = samples.iter().map(sum).collect();
        counts
            .windows(2)
            .map(|two| two[1].saturating_sub(two[0]))
            .collect()
    }

    /// The same for each flow.
    pub(crate) fn written_by_flow(&self) -> BTreeMap<String, Vec<u64>> {
        let latest = self.latest();
        let flows = latest.iter().flat_map(|overview| overview.flows.iter());
        flows
            .map(|flow| (flow.flow.clone(), self.written(Some(&flow.flow))))
            .collect()
    }

    /// What waited to be decided or sent in each column of the last hour.
    pub(crate) fn backlog(&self) -> Vec<u64> {
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        samples.iter().map(|sample| sample.backlog).collect()
    }

    /// How things stood in each column of the last hour, the oldest first.
    pub(crate) fn minutes(&self) -> Vec<Minute> {
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        samples.iter().map(|sample| sample.stood.clone()).collect()
    }

    /// Per flow: how many seconds its latest edit had been made before it was taken up.
    pub(crate) fn lags(&self) -> BTreeMap<String, f64> {
        self.lags.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// For how many seconds something has been on the way without a pause; 0 where nothing is.
    pub(crate) fn busy(&self, now: Timestamp) -> f64 {
        let busy = *self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        busy.map_or(0.0, |since| now.duration_since(since).as_secs_f64())
    }

    /// Takes the lags of edits that are new.
    fn lag(&self, window: &Window, lines: &[Change]) {
        let mut lags = self.lags.lock().unwrap_or_else(PoisonError::into_inner);
        for line in lines {
            let Some(made) = line.made else { continue };
            // A clock that is ahead of ours makes an edit of the future: it was seen at once.
            let lag = line.at.duration_since(made).as_secs_f64().max(0.0);
            let of = RecordType::new(&line.system, &line.record_type);
            for (flow, _) in window.flows().flows_of(&of) {
                lags.insert(flow.name.clone(), lag);
            }
        }
    }

    fn count(&self, overview: Overview, troubled: bool) {
        let moving = overview.to_decide + overview.to_send + overview.unanswered > 0;
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        *busy = moving.then(|| busy.unwrap_or(overview.at));
        drop(busy);
        let flows = overview.flows.iter();
        let mut sample = Sample {
            stood: Minute::of(&overview, troubled),
            at: overview.at,
            written: flows
                .map(|flow| {
                    (
                        flow.flow.clone(),
                        flow.updated + flow.created[0] + flow.created[1],
                    )
                })
                .collect(),
            backlog: overview.to_decide + overview.to_send + overview.unanswered,
        };
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let beside = samples.len().checked_sub(2).and_then(|place| samples.get(place));
        let same = beside.is_some_and(|before| sample.at.duration_since(before.at) < COLUMN);
        if same && let Some(earlier) = samples.pop_back() {
            sample.stood.and(earlier.stood);
        }
        samples.push_back(sample);
        while samples.len() > COLUMNS + 1 {
            samples.pop_front();
        }
        drop(samples);
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(overview));
    }

    /// Looks again and again, until it is dropped.
    pub(crate) async fn beat(
        self: Arc<Self>,
        window: Arc<Window>,
        troubled: Arc<dyn Fn() -> bool + Send + Sync>,
    ) {
        let mut beats = 0_u32;
        loop {
            let counts = beats.is_multiple_of(COUNTED);
            // Between two counts only those look who are told.
            if counts || self.newest.receiver_count() > 0 {
                let (pulse, window, troubled) = (self.clone(), window.clone(), troubled.clone());
                let looked =
                    tokio::task::spawn_blocking(move || pulse.look(&window, counts, troubled.as_ref()));
                let looked = looked.await;
                if let Ok(Err(refused)) = looked {
                    tracing::warn!("the console cannot look at the state: {}", refused.what);
                }
            }
            beats = beats.wrapping_add(1);
            tokio::time::sleep(BEAT).await;
        }
    }

    fn look(
        &self,
        window: &Window,
        counts: bool,
        troubled: &dyn Fn() -> bool,
    ) -> Result<(), tandem_api::Refused> {
        let known = *self.newest.borrow();
        let (newest, lines, overview) = window.look(false, |looker| {
            let newest = looker.newest_line()?;
            // Before the first look nothing is new.
            let lines = match known {
                0 => Vec::new(),
                _ if newest <= known => Vec::new(),
                _ => looker.changes_after(known.max(newest.saturating_sub(LINES)), LINES as usize)?,
            };
            let overview = counts.then(|| looker.overview(Timestamp::now())).transpose()?;
            Ok((newest, lines, overview))
        })?;
        self.lag(window, &lines);
        if let Some(overview) = overview {
            self.count(overview, troubled());
        }
        self.newest.send_if_modified(|known| {
            let news = *known != newest;
            *known = newest;
            news
        });
        Ok(())
    }
}
