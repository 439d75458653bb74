//! Faults on request: rules that make the org misbehave as real ones do now and then, repeatably.

mod admin;
mod events;
mod rule;
mod strike;
mod subject;
mod veil;

use std::collections::VecDeque;

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use super::api::Call;
use super::fault::{Code, Fault, Outcome};
use super::id::RecordId;
use super::org::{Actor, Org, Origin, keep_latest};
use super::schema::ObjectIndex;
use super::value::moment_text;

pub(crate) use admin::answer;
pub use rule::{FaultAction, FaultRule};
pub(crate) use strike::{release, struck};
pub(crate) use veil::Veil;

/// How many faults the log keeps.
const LOG: usize = 100_000;

/// A rule at work.
struct Armed {
    rule: FaultRule,
    /// How many requests or rows fitted so far.
    met: u64,
    /// How many of them were struck.
    done: u64,
    /// The state of its dice.
    dice: u64,
}

/// A fault that was done.
struct Done {
    at: i64,
    rule: usize,
    action: FaultAction,
    method: String,
    path: String,
    row: Option<RecordId>,
}

/// What is about to be struck.
struct Target<'t> {
    method: &'t str,
    path: &'t str,
    objects: &'t [String],
    row: Option<RecordId>,
}

/// The rules with what they did.
pub(crate) struct Faults {
    seed: u64,
    armed: Vec<Armed>,
    log: VecDeque<Done>,
    dropped: u64,
    /// The path of the request that is carried out.
    path: String,
    /// The most rows of the page that is being answered.
    page: Option<usize>,
}

/// What befalls a request.
#[derive(Debug, Clone)]
pub(crate) struct Strike {
    rule: FaultRule,
}

impl Faults {
    pub(crate) fn new(seed: u64, rules: Vec<FaultRule>) -> Faults {
        let mut faults = Faults {
            seed,
            armed: Vec::new(),
            log: VecDeque::new(),
            dropped: 0,
            path: String::new(),
            page: None,
        };
        for rule in rules {
            faults.arm(rule);
        }
        faults
    }

    fn arm(&mut self, rule: FaultRule) {
        let place = self.armed.len() as u64;
        let seed = [self.seed.to_be_bytes(), place.to_be_bytes()].concat();
        let digest = Sha256::digest(seed);
        let dice = digest
            .iter()
            .take(8)
            .fold(0, |bits, byte| bits << 8 | u64::from(*byte));
        self.armed.push(Armed {
            rule,
            met: 0,
            done: 0,
            dice,
        });
    }

    /// What befalls a request of a client: the first rule that fits.
    pub(crate) fn meet(&mut self, now: i64, call: &Call) -> Option<Strike> {
        if self.armed.is_empty() || call.path.first().is_some_and(|part| part == "_local") {
            return None;
        }
        let path = path_of(call);
        let objects = subject::objects(call);
        let target = Target {
            method: &call.method,
            path: &path,
            objects: &objects,
            row: None,
        };
        let (rule, _) = self.first(now, &target, |rule| !rule.of_rows())?;
        Some(Strike { rule })
    }

    /// Begins to carry out a request, with the most rows of a page where a rule cuts it short.
    pub(crate) fn begin(&mut self, call: &Call, page: Option<usize>) {
        self.path = path_of(call);
        self.page = page;
    }

    /// Begins to carry out rows of a bulk job, whose path the rules know as `/jobs/ingest`.
    pub(crate) fn begin_job(&mut self) {
        "/jobs/ingest".clone_into(&mut self.path);
        self.page = None;
    }

    /// How many rows a page may have, where a rule cuts it short.
    pub(crate) fn page(&self) -> Option<usize> {
        self.page
    }

    /// The first rule that strikes the target, with a fresh throw of its dice.
    fn first(
        &mut self,
        now: i64,
        target: &Target<'_>,
        kind: impl Fn(&FaultRule) -> bool,
    ) -> Option<(FaultRule, u64)> {
        let strikes = |(_, armed): &(usize, &mut Armed)| kind(&armed.rule) && concerns(&armed.rule, target);
        let fitting = self.armed.iter_mut().enumerate().filter(strikes);
        let (place, rule, throw) = fitting
            .filter_map(|(place, armed)| {
                let throw = armed.strikes()?;
                Some((place, armed.rule.clone(), throw))
            })
            .next()?;
        self.log.push_back(Done {
            at: now,
            rule: place,
            action: rule.action,
            method: target.method.to_owned(),
            path: target.path.to_owned(),
            row: target.row,
        });
        self.dropped += keep_latest(&mut self.log, LOG);
        Some((rule, throw))
    }

    /// The rules and the log of what they did.
    fn report(&self) -> Json {
        let rule = |armed: &Armed| {
            json!({
                "action": name(armed.rule.action),
                "method": armed.rule.method,
                "path": armed.rule.path,
                "object": armed.rule.object,
                "met": armed.met,
                "done": armed.done,
            })
        };
        let done = |(number, done): (u64, &Done)| {
            json!({
                "number": number,
                "at": moment_text(done.at),
                "rule": done.rule,
                "action": name(done.action),
                "method": done.method,
                "path": done.path,
                "row": done.row.map(|id| id.to_string()),
            })
        };
        json!({
            "rules": self.armed.iter().map(rule).collect::<Vec<Json>>(),
            "done": (self.dropped..).zip(&self.log).map(done).collect::<Vec<Json>>(),
        })
    }

    /// Forgets every rule and the log.
    fn clear(&mut self) {
        self.armed.clear();
        self.log.clear();
        self.dropped = 0;
    }
}

fn path_of(call: &Call) -> String {
    format!("/{}", call.path.join("/"))
}

fn name(action: FaultAction) -> String {
    let mut name = String::new();
    for letter in format!("{action:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

fn concerns(rule: &FaultRule, target: &Target<'_>) -> bool {
    let method = rule.method.as_deref();
    let object = rule.object.as_deref();
    method.is_none_or(|method| method.eq_ignore_ascii_case(target.method))
        && rule
            .path
            .as_deref()
            .is_none_or(|pattern| rule::fits(pattern, target.path))
        && object.is_none_or(|object| target.objects.iter().any(|one| one.eq_ignore_ascii_case(object)))
}

impl Armed {
    /// Counts what fitted; a throw of the dice where the rule strikes it.
    fn strikes(&mut self) -> Option<u64> {
        self.met += 1;
        let begun = self.rule.nth.is_none_or(|nth| self.met >= nth);
        let left = self.rule.times.is_none_or(|times| self.done < times);
        if !begun || !left {
            return None;
        }
        // One throw decides, the next is for what the fault itself leaves open.
        let chance = self.rule.probability.unwrap_or(1.0);
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
        let thrown = (self.throw() >> 11) as f64 / (1_u64 << 53) as f64;
        let open = self.throw();
        if thrown >= chance {
            return None;
        }
        self.done += 1;
        Some(open)
    }

    fn throw(&mut self) -> u64 {
        // SplitMix64.
        self.dice = self.dice.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.dice;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

impl Org {
    /// The rule of this action that strikes a row, with a throw of its dice.
    fn row_fault(
        &mut self,
        action: FaultAction,
        method: &str,
        object: ObjectIndex,
        row: Option<RecordId>,
    ) -> Option<(FaultRule, u64)> {
        if self.faults.armed.is_empty() {
            return None;
        }
        let objects = [self.schema.object(object).name.clone()];
        let (now, path) = (self.now(), self.faults.path.clone());
        let target = Target {
            method,
            path: &path,
            objects: &objects,
            row,
        };
        self.faults.first(now, &target, |rule| rule.action == action)
    }

    /// Refuses a row that a rule locks.
    pub(crate) fn check_lock(
        &mut self,
        actor: Actor,
        method: &str,
        object: ObjectIndex,
        row: Option<RecordId>,
    ) -> Outcome<()> {
        if actor.origin != Origin::Api || self.row_fault(FaultAction::Lock, method, object, row).is_none() {
            return Ok(());
        }
        Err(Fault::new(
            Code::UnableToLockRow,
            "unable to obtain exclusive access to this record or 1 records: ".to_owned()
                + &row.map(|id| id.to_string()).unwrap_or_default(),
        ))
    }

    /// Whether a bulk job of this object breaks off before its next row.
    pub(crate) fn job_breaks(&mut self, object: ObjectIndex) -> bool {
        self.row_fault(FaultAction::JobBroken, "POST", object, None)
            .is_some()
    }
}
