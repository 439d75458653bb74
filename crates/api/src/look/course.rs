//! How things went over days.

use super::Looker;
use crate::Refused;
use crate::view::{Course, FlowCourse, SystemCourse};
use jiff::Timestamp;
use std::collections::BTreeMap;
use tandem_ledger::{Hour, Stood};

/// How far back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// A day, hour by hour.
    Day,
    /// A week, in steps of six hours.
    Week,
    /// Thirty days, day by day.
    Month,
}

impl Over {
    /// All of them, the shortest first.
    pub const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    /// Its name in addresses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// By its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|over| over.name() == name)
    }

    /// Hours of a step, and steps.
    #[must_use]
    pub fn steps(self) -> (i64, usize) {
        match self {
            Self::Day => (1, 24),
            Self::Week => (6, 28),
            Self::Month => (24, 30),
        }
    }
}

impl Looker<'_> {
    /// How things went up to a moment: by flow what happened to records of its types, and how much waited.
    ///
    /// # Errors
    /// A state that cannot be read.
    pub fn course(&mut self, now: Timestamp, over: Over) -> Result<Course, Refused> {
        let (step, columns) = over.steps();
        let length = step * 3_600;
        let last = now.as_second().div_euclid(length);
        let first = last - columns as i64 + 1;
        let from = Timestamp::from_second(first * length).unwrap_or(Timestamp::UNIX_EPOCH);
        let hours = self.store.hours(from)?;
        let [mut backlog, mut written, mut watched] =
            [const { Vec::new() }; 3].map(|_: Vec<u64>| vec![0; columns]);
        let systems = self.flows.systems.iter();
        let mut systems: BTreeMap<String, SystemCourse> = systems
            .map(|system| (system.clone(), SystemCourse::new(columns)))
            .collect();
        let none = FlowCourse::new(columns);
        let flows = self.flows.flows.iter();
        let mut flows: BTreeMap<String, FlowCourse> =
            flows.map(|flow| (flow.name.clone(), none.clone())).collect();
        for hour in hours {
            let column = usize::try_from(hour.began.as_second().div_euclid(length) - first);
            let Some(column) = column.ok().filter(|column| *column < columns) else {
                continue;
            };
            let Hour {
                record_type, what, n, ..
            } = hour;
            let Some(of) = record_type else {
                if let Some(most) = backlog.get_mut(column).filter(|_| what == "backlog") {
                    *most = n.max(*most);
                }
                if let Some(stood) = Stood::of(&what) {
                    let seconds = match &stood {
                        Stood::Watched => Some(&mut watched),
                        Stood::Held(flow) => flows.get_mut(flow).map(|it| &mut it.held_seconds),
                        Stood::Paused(flow) => flows.get_mut(flow).map(|it| &mut it.paused_seconds),
                        Stood::Away(system) => systems.get_mut(system).map(|it| &mut it.away_seconds),
                        Stood::Stopped(system) => systems.get_mut(system).map(|it| &mut it.stopped_seconds),
                    };
                    // What is configured no more is passed over.
                    if let Some(sum) = seconds.and_then(|all| all.get_mut(column)) {
                        *sum += n;
                    }
                }
                continue;
            };
            if let Some(all) = written.get_mut(column).filter(|_| FlowCourse::is_write(&what)) {
                *all += n;
            }
            for (flow, _) in self.flows.flows_of(&of) {
                if let Some(course) = flows.get_mut(&flow.name) {
                    course.add(column, &what, n);
                }
            }
        }
        Ok(Course {
            from,
            step_seconds: length.unsigned_abs(),
            written,
            backlog,
            watched_seconds: watched,
            systems,
            flows,
        })
    }
}
