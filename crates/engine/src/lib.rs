//! Observe, reconcile, write, settle, recover: the way of the data.
//!
//! An [`Engine`] holds a store and two systems and moves data one way: observations into the inbox, plans
//! out of the core, writes out of the outbox, outcomes back into the store. Every arrow is one transaction of
//! the store, so the process may die at any await. Clock and randomness come from outside ([`Clock`]).

mod apart;
mod asked;
mod backwards;
mod budget;
mod clock;
mod clocks;
mod command;
mod confirm;
mod decide;
mod doings;
mod doubt;
mod engine;
mod error;
mod first_links;
mod forget;
mod hand;
mod holds;
mod identity;
mod keep;
mod load;
mod matches;
mod notes;
mod numbers;
mod observe;
mod pack;
mod passes;
mod patience;
mod reached;
mod rebind;
mod reconcile;
mod reconfigure;
mod recover;
mod rehearse;
mod schedule;
mod send;
mod settle;
mod sight;
mod stood;
mod strangers;
mod summary;
mod sync;
mod under_way;
mod undo;
mod unreadable;
mod verify;
mod watch;
mod write;

pub use asked::{Request, Requests};
pub use budget::{budgets, restore_budgets};
pub use clock::Clock;
pub use clocks::{apart, clocks, measured};
pub use command::{Choice, awaits_approval_in, verdicts_for};
pub use doings::Counts;
pub use engine::{Engine, Parts};
pub use error::Error;
pub use holds::{Held, Hold, Why, holds};
pub use keep::KEEP_HISTORY;
pub use matches::{Match, MatchCounts, MatchReport, ScoredPair, Shown, matches};
pub use reached::reached;
pub use rebind::{Move, bound_to, moves, rebind};
pub use reconfigure::{Change, Changed};
pub use rehearse::{PlanReport, PlannedAction, PlannedWrite, Rehearsal, plan};
pub use schedule::Schedule;
pub use sight::{Lost, Notice, fitted, notices};
pub use strangers::{Stranger, strangers};
pub use summary::{FlowSummary, Round, Standing, Summary};
pub use undo::{Selection, UndoReport};
pub use verify::{Difference, Verification};
pub use watch::{Happening, Quiet, Watcher};
