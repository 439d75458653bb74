//! Change events: made with each commit, kept for 72 hours, delivered by the Pub/Sub API.

mod admin;
mod allowance;
mod avro;
mod capture;
mod encode;
mod event;
mod log;
mod members;
mod refusal;
mod selection;
mod service;
mod statement;
mod subscription;
mod tooling;
mod wire;

use std::collections::HashMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::options::Options;
use super::org::Org;
use super::schema::{ObjectIndex, Schema};
use allowance::Allowance;
use avro::EventSchema;
use event::Commit;
use log::Log;
use members::Members;

pub(crate) use admin::local;
pub(crate) use avro::event_name;
pub(crate) use capture::Before;
pub(crate) use event::{ChangeType, Event};
pub(crate) use service::PubSub;
pub(crate) use tooling::tooling;

/// What is selected where the options do not say, as far as the org has it.
const DEFAULT_SELECTION: [&str; 5] = ["Contact", "Order", "Quote", "Task", "Invoice__c"];

/// Everything about events that belongs to the org.
pub(crate) struct Events {
    pub(crate) allowance: Allowance,
    pub(crate) members: Members,
    log: Log,
    /// The schemas ever given out, by id.
    schemas: HashMap<String, Arc<EventSchema>>,
    /// The schemas of today, and the org's schema that they were made of.
    current: HashMap<ObjectIndex, Arc<EventSchema>>,
    made_of: Option<Arc<Schema>>,
    /// Which kind of client the running call comes from.
    origin: String,
    seed: u64,
    commits: i64,
    drawn: u64,
    overflow: usize,
    /// Whether the org is open for business: its first records make no events.
    open: bool,
    /// Tells subscribers that there is something new.
    news: watch::Sender<u64>,
}

impl Events {
    pub(crate) fn new(options: &Options, seed: u64) -> Events {
        Events {
            allowance: Allowance::new(options.daily_event_deliveries),
            members: Members::new(options.event_addon),
            log: Log::new(seed, options.event_entries),
            schemas: HashMap::new(),
            current: HashMap::new(),
            made_of: None,
            origin: String::new(),
            seed,
            commits: 0,
            drawn: 0,
            overflow: options.event_overflow,
            open: false,
            news: watch::Sender::new(0),
        }
    }

    /// Names the kind of client behind the changes until the next call: `com/salesforce/api/rest/62.0;client=NAME`.
    pub(crate) fn set_origin(&mut self, origin: String) {
        self.origin = origin;
    }

    /// A fresh name in the form of a UUID.
    fn draw_uuid(&mut self) -> String {
        self.drawn += 1;
        let digest = Sha256::digest([self.seed.to_be_bytes(), self.drawn.to_be_bytes()].concat());
        let hex: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
    }

    /// Whether changes make events.
    pub(crate) fn open(&self) -> bool {
        self.open
    }

    /// Begins the events of a transaction; `now` in milliseconds.
    pub(crate) fn begin(&mut self, schema: &Arc<Schema>, now: i64) -> Arc<Commit> {
        self.refresh(schema);
        self.commits += 1;
        Arc::new(Commit {
            origin: self.origin.clone(),
            transaction: self.draw_uuid(),
            at: now,
            number: 10_000_000_000 + self.commits,
        })
    }

    /// Keeps the events of a commit and wakes the subscribers.
    pub(crate) fn publish(&mut self, now: i64, events: Vec<Event>) {
        if events.is_empty() {
            return;
        }
        self.log.expire(now);
        let mut last = 0;
        for mut event in events {
            event.id = self.draw_uuid();
            last = self.log.push(now, Some(Arc::new(event)));
        }
        self.news.send_replace(last);
    }

    /// Makes today's schemas where the org's objects are others than before.
    fn refresh(&mut self, schema: &Arc<Schema>) {
        if self
            .made_of
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, schema))
        {
            return;
        }
        self.current.clear();
        for (at, object) in schema.objects.iter().enumerate() {
            if avro::has_events(object) {
                let made = Arc::new(EventSchema::new(object));
                self.schemas.insert(made.id.clone(), Arc::clone(&made));
                self.current.insert(at, made);
            }
        }
        self.made_of = Some(Arc::clone(schema));
    }
}

impl Org {
    /// From now on changes make events.
    ///
    /// # Errors
    /// A sentence where the options select what has no events, or too much.
    pub(crate) fn open_events(&mut self) -> Result<(), String> {
        let asked = self.options.change_events.clone();
        let selected: Vec<String> = match asked {
            Some(names) => names,
            None => DEFAULT_SELECTION
                .iter()
                .filter(|name| self.optional(name).is_some())
                .map(|name| (*name).to_owned())
                .collect(),
        };
        for name in selected {
            self.select_for_events(&name, None)
                .map_err(|fault| fault.message)?;
        }
        self.events.open = true;
        Ok(())
    }
}
