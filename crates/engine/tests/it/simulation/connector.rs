//! A system as Tandem reaches it, with all that can go wrong on the way.

use super::clock::pause;
use super::log::plain;
use super::setting::key_property;
use super::system::{DEADLINE, Job, OVERLAP, Request, State, System, refusal, told};
use async_trait::async_trait;
use jiff::SignedDuration;
use std::sync::MutexGuard;
use tandem_connector::{
    Capabilities, Change, ChangePage, Complete, Connector, Error, ErrorKind, Identification, Lane, ListPage,
    Outcome, PropertySchema, RefusalKind, Resumed, Schema, Scope, Write,
};
use tandem_engine::Clock;
use tandem_merge::record::{Observation, RecordKey, RecordType};
use tandem_merge::value::Value;

impl System {
    fn trouble(&self, kind: ErrorKind, message: &str) -> Error {
        Error {
            system: self.name.clone(),
            kind,
            message: message.to_owned(),
            advice: "Wait".to_owned(),
            retry_at: None,
            scope: Scope::System,
        }
    }

    /// A call arrives, if the system is there at all and shows what is asked for.
    fn enter(&self) -> Result<MutexGuard<'_, State>, Error> {
        let mut state = self.state.lock().unwrap();
        state.calls += 1;
        self.deliver_late(&mut state);
        self.work_on_jobs(&mut state);
        if state.down_until.is_some_and(|until| until > self.time.now()) {
            return Err(self.trouble(ErrorKind::Down, "it does not answer"));
        }
        if self.one_in(80) {
            return Err(self.trouble(ErrorKind::Refused, "the limit of calls is reached"));
        }
        Ok(state)
    }

    fn look(&self) -> Result<MutexGuard<'_, State>, Error> {
        let state = self.enter()?;
        if state.hidden.difference(&state.described_without).next().is_some() {
            return Err(self.trouble(ErrorKind::Missing, "no such property"));
        }
        Ok(state)
    }

    fn key(of: &RecordType, id: &str) -> RecordKey {
        RecordKey::new(&of.system, &of.name, id)
    }

    /// A request meets its fate.
    fn meet(&self, state: &mut State, request: &Request) -> Outcome {
        let lost = || Outcome::Unknown("no answer".to_owned());
        let protected = match &request.write.change {
            Change::Create { .. } => self.nature.unique || self.nature.idempotent,
            Change::Update { only_if, .. } | Change::Delete { only_if, .. } => only_if.is_some(),
        };
        if self.one_in(16) {
            return lost();
        }
        if self.one_in(16) {
            self.put_late(state, request);
            return lost();
        }
        if self.one_in(40) {
            return Outcome::Refused(refusal(RefusalKind::Busy, &[]));
        }
        if self.one_in(60) {
            return Outcome::NotSent(self.trouble(ErrorKind::Down, "it does not answer"));
        }
        let outcome = self.carry_out(state, request);
        let told = !self.one_in(16);
        if protected && self.one_in(30) {
            let told = told && matches!(outcome, Outcome::Applied { .. });
            let repeated = Request {
                told,
                again: matches!(outcome, Outcome::Applied { .. }),
                ..request.clone()
            };
            self.put_late(state, &repeated);
        }
        if told { outcome } else { lost() }
    }

    /// A request takes effect within its deadline, counted from when it left, or never.
    pub fn put_late(&self, state: &mut State, request: &Request) {
        let millis = self.dice.lock().unwrap().millis(18_000);
        let now = self.time.now();
        let at = now.checked_add(SignedDuration::from_millis(millis)).unwrap();
        let latest = request.left.checked_add(DEADLINE - SignedDuration::from_secs(1));
        let at = at.min(latest.unwrap());
        if at >= now {
            state.late.push((at, request.clone()));
        }
    }

    /// The process died: what was on its way may have got lost, or not.
    pub fn caller_died(&self) {
        let mut state = self.state.lock().unwrap();
        for request in std::mem::take(&mut state.flying) {
            self.doubt(&request.write);
            let fate = self.dice.lock().unwrap().below(3);
            match fate {
                0 => {}
                1 => {
                    let outcome = self.carry_out(&mut state, &request);
                    let mut log = self.log.lock().unwrap();
                    log.say(|| {
                        format!(
                            "    request {} still arrives: {}",
                            request.write.key,
                            told(&outcome)
                        )
                    });
                }
                _ => self.put_late(&mut state, &request),
            }
        }
    }

    fn doubt(&self, write: &Write) {
        if let Change::Create { values, .. } | Change::Update { values, .. } = &write.change {
            self.log.lock().unwrap().unclear(values);
        }
    }

    fn request(&self, state: &State, write: &Write) -> Request {
        let seen = match &write.change {
            Change::Create { .. } => 0,
            Change::Update { record, .. } | Change::Delete { record, .. } => {
                state.rows.get(record).map_or(0, |row| row.shown)
            }
        };
        Request {
            write: write.clone(),
            left: self.time.now(),
            seen,
            told: false,
            again: false,
        }
    }

    fn accept(&self, state: &mut State, batch: &[Write]) -> Vec<Outcome> {
        let mut open = state
            .jobs
            .iter()
            .filter(|(_, job)| job.begun.is_none() && !job.given_up);
        let open = open.next().map(|(handle, _)| handle.clone());
        let handle = open.unwrap_or_else(|| format!("job{}", state.jobs.len()));
        let requests: Vec<Request> = batch.iter().map(|write| self.request(state, write)).collect();
        state
            .jobs
            .entry(handle.clone())
            .or_default()
            .requests
            .extend(requests);
        batch
            .iter()
            .map(|_| Outcome::Accepted {
                handle: handle.clone(),
            })
            .collect()
    }

    /// A job begins when it is first asked for, and takes three seconds. All is told anew after a crash.
    fn go_on(&self, state: &mut State, handle: &str) -> Resumed {
        let Some(mut job) = state.jobs.remove(handle) else {
            return Resumed::Done(Vec::new());
        };
        if job.given_up {
            let error = self.trouble(ErrorKind::Down, "it was never begun");
            let unsent = |request: &Request| (request.write.intent, Outcome::NotSent(error.clone()));
            return Resumed::Done(job.requests.iter().map(unsent).collect());
        }
        let (now, takes) = (self.time.now(), SignedDuration::from_secs(3));
        let resumed = match job.begun {
            None => {
                job.begun = Some(now);
                Resumed::NotYet(takes)
            }
            Some(begun) if now.duration_since(begun) < takes => Resumed::NotYet(takes),
            Some(_) => self.told_of(state, &mut job),
        };
        if !matches!(resumed, Resumed::Done(_)) {
            state.jobs.insert(handle.to_owned(), job);
        }
        resumed
    }

    /// The rows of a job that has begun take effect at any moment of it, and are told of at its end.
    fn work_on_jobs(&self, state: &mut State) {
        let mut jobs = std::mem::take(&mut state.jobs);
        for job in jobs.values_mut().filter(|job| job.begun.is_some()) {
            if self.one_in(2) {
                self.process(state, job);
            }
        }
        state.jobs = jobs;
    }

    /// Carries out the rows of a job; of some nobody hears.
    fn process(&self, state: &mut State, job: &mut Job) {
        for request in std::mem::take(&mut job.requests) {
            let outcome = self.carry_out(state, &request);
            let untold = self.one_in(12);
            if untold {
                self.doubt(&request.write);
            } else {
                job.outcomes.push((request.write.intent, outcome));
            }
        }
    }

    fn told_of(&self, state: &mut State, job: &mut Job) -> Resumed {
        self.process(state, job);
        job.told = !job.told;
        if job.told {
            Resumed::Some(job.outcomes.clone())
        } else {
            Resumed::Done(Vec::new())
        }
    }

    /// Old states that a slow copy of the system shows once more.
    fn stale(&self, state: &State, keys: &[RecordKey]) -> Vec<Observation> {
        let mut found = Vec::new();
        for key in keys {
            if self.one_in(6)
                && let Some(old) = state.rows.get(key).and_then(|row| row.older.last())
                && state.described_without.is_empty()
                && old.values.len() == self.show(state, key).values.len()
            {
                found.push(old.clone());
            }
        }
        found
    }

    fn page(&self, types: &[RecordType], cursor: Option<&[u8]>) -> Result<ChangePage, Error> {
        let mut state = self.look()?;
        let now = self.now().as_millisecond();
        let place = match cursor {
            None => Place {
                from: i64::MIN,
                began: now,
                behind: (i64::MIN, String::new()),
            },
            Some(cursor) => {
                let mut place = Place::read(cursor);
                if place.behind.1.is_empty() {
                    let overlap = i64::try_from(self.overlap().as_millis()).unwrap();
                    place = Place {
                        from: place.from.saturating_sub(overlap),
                        began: now,
                        behind: (i64::MIN, String::new()),
                    };
                }
                place
            }
        };
        let rows = state.rows.iter().filter(|(key, row)| {
            let changed = row.modified.as_millisecond() >= place.from;
            types.contains(&key.record_type) && changed && self.is_listed(&state, key)
        });
        let mut rows: Vec<(i64, String, RecordKey)> = rows
            .map(|(key, row)| (row.modified.as_millisecond(), key.id.clone(), key.clone()))
            .filter(|(at, id, _)| (*at, id) > (place.behind.0, &place.behind.1))
            .collect();
        rows.sort();
        let more = rows.len() > self.nature.page;
        rows.truncate(self.nature.page);
        let next = match rows.last() {
            Some((at, id, _)) if more => Place {
                behind: (*at, id.clone()),
                ..place
            },
            _ => Place {
                from: place.began,
                began: place.began,
                behind: (0, String::new()),
            },
        };
        let keys: Vec<RecordKey> = rows.into_iter().map(|(_, _, key)| key).collect();
        let mut observations = self.stale(&state, &keys);
        let mut hints = Vec::new();
        for key in keys {
            if self.one_in(12) {
                hints.push(key);
            } else {
                observations.push(self.glance(&mut state, &key));
            }
        }
        let asked = types.iter().find(|of| state.compared.contains(*of)).cloned();
        let complete = asked.or_else(|| self.one_in(25).then(|| self.dice.lock().unwrap().of(types)));
        if let Some(kind) = &complete {
            state.compared.remove(kind);
            let of = |(key, row): &(&RecordKey, &super::system::Row)| {
                &key.record_type == kind && row.alive && self.is_listed(&state, key)
            };
            let keys: Vec<RecordKey> = state.rows.iter().filter(of).map(|(key, _)| key.clone()).collect();
            observations.extend(
                keys.iter()
                    .map(|key| self.glance(&mut state, key))
                    .collect::<Vec<_>>(),
            );
        }
        Ok(ChangePage {
            observations,
            hints,
            cursor: next.write(),
            more,
            incomplete: Vec::new(),
            wholes: Vec::new(),
            complete: complete.map(|record_type| Complete {
                record_type,
                after: None,
                to: None,
            }),
        })
    }

    fn overlap(&self) -> SignedDuration {
        if super::without_overlap() {
            SignedDuration::ZERO
        } else {
            OVERLAP
        }
    }
}

/// A place in the changes: from when on, when the round began, and behind which row of it.
struct Place {
    from: i64,
    began: i64,
    behind: (i64, String),
}

impl Place {
    fn read(cursor: &[u8]) -> Self {
        let text = String::from_utf8(cursor.to_vec()).unwrap();
        let parts: Vec<&str> = text.splitn(4, ' ').collect();
        Self {
            from: parts[0].parse().unwrap(),
            began: parts[1].parse().unwrap(),
            behind: (parts[2].parse().unwrap(), parts[3].to_owned()),
        }
    }

    fn write(&self) -> Vec<u8> {
        format!("{} {} {} {}", self.from, self.began, self.behind.0, self.behind.1).into_bytes()
    }
}

#[async_trait]
impl Connector for System {
    fn system(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.limits
    }

    async fn identify(&self) -> Result<Identification, Error> {
        let mut state = self.state.lock().unwrap();
        for job in state.jobs.values_mut().filter(|job| job.begun.is_none()) {
            job.given_up = true;
        }
        Ok(Identification {
            id: format!("id of {}", self.name),
            name: self.name.clone(),
            user: "tandem".to_owned(),
            author: None,
            sandbox: None,
            instance: None,
            version: None,
        })
    }

    async fn describe(&self) -> Result<Schema, Error> {
        pause().await;
        let mut state = self.enter()?;
        state.described_without = state.hidden.clone();
        Ok(self.schema(&state))
    }

    async fn changes(&self, types: &[RecordType], cursor: Option<&[u8]>) -> Result<ChangePage, Error> {
        pause().await;
        let page = self.page(types, cursor)?;
        pause().await;
        Ok(page)
    }

    async fn list(&self, record_type: &RecordType, _resume: Option<&[u8]>) -> Result<ListPage, Error> {
        pause().await;
        let mut state = self.look()?;
        let rows = state
            .rows
            .iter()
            .filter(|(key, row)| &key.record_type == record_type && row.alive && self.is_listed(&state, key));
        let keys: Vec<RecordKey> = rows.map(|(key, _)| key.clone()).collect();
        let observations = keys.iter().map(|key| self.glance(&mut state, key)).collect();
        Ok(ListPage {
            observations,
            resume: None,
        })
    }

    async fn fetch(&self, record_type: &RecordType, ids: &[String]) -> Result<Vec<Observation>, Error> {
        pause().await;
        if let Some(scope) = self.hides(ids) {
            let error = self.trouble(ErrorKind::Down, "it showed nothing");
            return Err(Error { scope, ..error });
        }
        let rows = {
            let mut state = self.look()?;
            let glance = |id: &String| self.glance(&mut state, &Self::key(record_type, id));
            ids.iter().map(glance).collect()
        };
        pause().await;
        Ok(rows)
    }

    async fn find(
        &self,
        of: &RecordType,
        properties: &[String],
        values: &[Vec<Value>],
    ) -> Result<Vec<Observation>, Error> {
        pause().await;
        let rows = {
            let mut state = self.look()?;
            let place = self.log.lock().unwrap().tick();
            if let [property] = properties
                && property == key_property(of)
            {
                let texts = values.iter().map(|wanted| (of.name.clone(), plain(&wanted[0])));
                state.looked.extend(texts.map(|text| (text, place)));
            }
            let shown = |row: &super::system::Row| -> Vec<String> {
                let values = properties
                    .iter()
                    .map(|name| row.values.get(name).cloned().unwrap_or_default());
                values.map(|value| plain(&value)).collect()
            };
            let wanted: Vec<Vec<String>> = values.iter().map(|all| all.iter().map(plain).collect()).collect();
            let rows = state
                .rows
                .iter()
                .filter(|(key, row)| &key.record_type == of && row.alive);
            let keys: Vec<RecordKey> = rows
                .filter(|(_, row)| wanted.contains(&shown(row)))
                .map(|(key, _)| key.clone())
                .collect();
            keys.iter().map(|key| self.tell(&mut state, key)).collect()
        };
        pause().await;
        Ok(rows)
    }

    async fn find_deleted(
        &self,
        of: &RecordType,
        property: &str,
        values: &[Value],
    ) -> Result<Vec<Observation>, Error> {
        pause().await;
        let state = self.look()?;
        let carries = |row: &super::system::Row| {
            row.values
                .get(property)
                .is_some_and(|value| values.contains(value))
        };
        let rows = state
            .rows
            .iter()
            .filter(|(key, row)| &key.record_type == of && !row.alive && !row.purged && carries(row));
        let shown = rows.map(|(key, row)| Observation {
            values: [(property.to_owned(), row.values[property].clone())].into(),
            ..self.show(&state, key)
        });
        Ok(shown.collect())
    }

    async fn write(&self, batch: &[Write], lane: Lane) -> Vec<Outcome> {
        {
            let mut state = self.state.lock().unwrap();
            let requests: Vec<_> = batch.iter().map(|write| self.request(&state, write)).collect();
            state.flying.extend(requests);
            self.log.lock().unwrap().say(|| {
                let all = batch
                    .iter()
                    .map(|write| format!("{} {:?}", write.key, write.change));
                format!(
                    "    {} {lane:?} gets {}",
                    self.name,
                    all.collect::<Vec<_>>().join("; ")
                )
            });
        }
        pause().await;
        let outcomes: Vec<Outcome> = match self.enter() {
            Err(error) => batch.iter().map(|_| Outcome::NotSent(error.clone())).collect(),
            Ok(mut state) if lane == Lane::Load => {
                state.arrived(batch);
                self.accept(&mut state, batch)
            }
            Ok(mut state) => {
                let requests = state.arrived(batch);
                let cut = if self.one_in(30) {
                    self.dice.lock().unwrap().below(batch.len())
                } else {
                    batch.len()
                };
                let met = requests
                    .iter()
                    .take(cut)
                    .map(|request| self.meet(&mut state, request));
                met.collect()
            }
        };
        self.state.lock().unwrap().arrived(batch);
        for (place, write) in batch.iter().enumerate() {
            let outcome = outcomes.get(place);
            if outcome.is_none_or(|outcome| matches!(outcome, Outcome::Unknown(_))) {
                self.doubt(write);
            }
            self.log.lock().unwrap().say(|| {
                format!(
                    "    {}: {}",
                    write.key,
                    outcome.map_or("cut off".to_owned(), told)
                )
            });
            self.count_vain(write, outcome);
        }
        pause().await;
        outcomes
    }

    async fn resume(&self, handle: &str) -> Result<Resumed, Error> {
        pause().await;
        let resumed = {
            let mut state = self.enter()?;
            self.go_on(&mut state, handle)
        };
        pause().await;
        Ok(resumed)
    }

    fn calls(&self) -> u64 {
        self.state.lock().unwrap().calls
    }
}

impl System {
    pub fn schema(&self, state: &State) -> Schema {
        let mut schema = Schema::default();
        let kinds: &[(&str, &[&str])] = if self.name == crate::flows::ERP {
            &[
                ("Customer", &["number", "name", "stamp"]),
                (
                    "Order",
                    &[
                        "number",
                        "title",
                        "description",
                        "due",
                        "note",
                        "customer",
                        "stamp",
                        "invoiceStamp",
                        "crmNumber",
                    ],
                ),
                ("Quote", &["number", "description", "stamp"]),
            ]
        } else {
            &[
                ("Division", &["Number", "Name", "Ext"]),
                ("Invoice", &["Number", "Description", "Due", "Division", "Ext"]),
                (
                    "Order",
                    &[
                        "Reference",
                        "Description",
                        "Name",
                        "Note",
                        "Given",
                        "Account",
                        "Ext",
                    ],
                ),
            ]
        };
        for (kind, properties) in kinds {
            let described = schema.types.entry((*kind).to_owned()).or_default();
            let use_of = self.quirks.contains(&super::quirks::Quirk::PutsOut);
            let use_of = use_of.then(|| super::setting::in_use(&self.name));
            for property in properties.iter().copied().chain(use_of) {
                let place = ((*kind).to_owned(), property.to_owned());
                if !state.described_without.contains(&place) {
                    let plain = PropertySchema {
                        data_type: "string".to_owned(),
                        nillable: true,
                        createable: true,
                        updateable: true,
                        ..PropertySchema::default()
                    };
                    described.properties.insert(property.to_owned(), plain);
                }
            }
        }
        schema
    }
}
