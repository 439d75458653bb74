//! A schedule: sessions of the real engine, cut off at any await, with people at work between its steps; then no more
//! edits and no more faults, until nothing moves.

use super::quirks::Quirk;
use super::world::World;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll};
use tandem_engine::{Clock, Engine, Summary};
use tokio::sync::mpsc;

/// Stretches between two awaits after which the engine is said never to end.
const ENDLESS: u64 = 4_000;

/// At one of so many steps somebody comes to the desk, in schedules in which anybody does.
const VISITS: usize = 12;

/// Writes that coming to rest may take.
const MOST_WRITES: u64 = 80;

/// How a stretch of work ended.
enum End<T> {
    Done(T),
    Died,
}

impl World {
    /// Polls a piece of work with people and faults between its steps; it may die at any of them.
    fn drive<T>(&mut self, work: impl Future<Output = T>, left: &mut u64) -> End<T> {
        let waker = futures::task::noop_waker();
        let mut context = Context::from_waker(&waker);
        let mut work = pin!(work);
        loop {
            if let Poll::Ready(done) = work.as_mut().poll(&mut context) {
                return End::Done(done);
            }
            if *left == 0 {
                return End::Died;
            }
            *left -= 1;
            if !self.step() {
                return End::Died;
            }
        }
    }

    /// What happens at an await. Whether the process goes on.
    fn step(&mut self) -> bool {
        let millis = match self.time.sleeps() {
            Some(left) if !self.one_in(3) => left,
            Some(left) => i64::try_from(self.below(usize::try_from(left.max(1)).unwrap())).unwrap(),
            None if self.one_in(12) => 500 + i64::try_from(self.below(2_500)).unwrap(),
            None => 1 + i64::try_from(self.below(40)).unwrap(),
        };
        self.time.pass(millis);
        if self.one_in(5) {
            self.people();
        }
        self.come_to_desk();
        if self.setting.faults && self.one_in(150) {
            self.outage();
        }
        !(self.setting.faults && self.one_in(70))
    }

    /// Now and then somebody asks the process for something while it works.
    fn come_to_desk(&mut self) {
        let Some((desk, asks)) = &self.visitors else {
            return;
        };
        if desk.dice.lock().unwrap().one_in(VISITS) {
            // Where several wait already, this one goes away.
            drop(asks.try_send(desk.request()));
        }
    }

    /// Polls a piece of work to its end, time jumping where it is waited for.
    fn undisturbed<T>(&mut self, work: impl Future<Output = T>) -> Result<T, String> {
        let waker = futures::task::noop_waker();
        let mut context = Context::from_waker(&waker);
        let mut work = pin!(work);
        for _ in 0..ENDLESS {
            if let Poll::Ready(done) = work.as_mut().poll(&mut context) {
                return Ok(done);
            }
            self.time.pass(self.time.sleeps().unwrap_or(3));
        }
        Err("E8: a sync does not end".to_owned())
    }

    /// A process begins.
    fn open(&mut self) -> Result<Engine, String> {
        self.reopen();
        let mut parts = self.parts();
        if self.setting.people.hides {
            parts.described = Some(self.described());
        }
        self.say(|| "-- a process begins --".to_owned());
        self.log.lock().unwrap().tried_anew();
        let opened = self.undisturbed(Engine::open(parts))?;
        let mut engine = opened.map_err(|error| format!("it does not open: {error}"))?;
        if let Some((_, asks)) = &mut self.visitors {
            let (ask, requests) = mpsc::channel(2);
            *asks = ask;
            engine.listen(requests);
        }
        Ok(engine)
    }

    /// Runs so many steps with people and faults.
    pub fn run(&mut self, steps: u64) -> Result<(), String> {
        self.set_faults(self.setting.faults);
        let mut left = steps;
        while left > 0 {
            let mut engine = self.open()?;
            let outcome = self.session(&mut engine, &mut left);
            self.kept = Some(engine.into_store());
            if !outcome? {
                self.say(|| "-- the process dies --".to_owned());
                self.forget_answers()?;
            }
            let pause = i64::try_from(self.below(3_000)).unwrap();
            self.time.pass(pause);
        }
        Ok(())
    }

    /// What was on its way when the process died may have got lost or not, and nobody heard what became of it.
    fn forget_answers(&mut self) -> Result<(), String> {
        for system in &self.systems {
            system.caller_died();
        }
        let store = self.kept.as_mut().unwrap();
        let told = |error: tandem_ledger::Error| error.to_string();
        let mut open = store.unsettled(0, 1_000).map_err(told)?;
        // Of a load that is under way nobody knows what it came to either.
        for system in &self.systems {
            for handle in store.handles(&system.name).map_err(told)? {
                open.extend(store.accepted(&handle, 0, 1_000).map_err(told)?);
            }
        }
        for intent in open {
            let values = intent
                .values
                .into_iter()
                .map(|(name, planned)| (name, planned.value));
            self.log.lock().unwrap().unclear(&values.collect());
        }
        Ok(())
    }

    /// Rounds of one process. Whether it ended by itself.
    fn session(&mut self, engine: &mut Engine, left: &mut u64) -> Result<bool, String> {
        for _ in 0..4 {
            let error = |error: tandem_engine::Error| format!("the engine fails: {error}");
            if self.one_in(3) {
                match self.drive(engine.sync(), left) {
                    End::Done(summary) => drop(summary.map_err(error)?),
                    End::Died => return Ok(false),
                }
            } else {
                match self.drive(engine.round(), left) {
                    End::Done(round) => drop(round.map_err(error)?),
                    End::Died => return Ok(false),
                }
            }
            if self.one_in(3) {
                self.desk.answer(engine)?;
            }
            for _ in 0..self.below(3) {
                *left = left.saturating_sub(1);
                self.people();
            }
            let pause = if self.one_in(8) { 40_000 } else { 3_000 };
            let pause = i64::try_from(self.below(pause)).unwrap();
            self.time.pass(pause);
        }
        Ok(true)
    }

    /// No more edits and no more faults: until nothing moves and nobody is asked any more.
    pub fn rest(&mut self) -> Result<Engine, String> {
        self.say(|| "-- no more edits or faults --".to_owned());
        self.set_faults(false);
        self.compare_all();
        let before = self.log.lock().unwrap().writes;
        let mut engine = self.open()?;
        self.desk.resume(&mut engine);
        for _ in 0..30 {
            self.time.pass(25_000);
            let writes = self.log.lock().unwrap().writes;
            self.calm_sync(&mut engine)?;
            let moved = self.log.lock().unwrap().writes != writes;
            if !self.desk.answer(&mut engine)?
                && !moved
                && !self.compares()
                && !self.waits_for_sight(&mut engine)
            {
                let took = self.log.lock().unwrap().writes - before;
                if took > MOST_WRITES {
                    return Err(format!("E13: {took} writes without an edit"));
                }
                self.idle(&mut engine)?;
                return Ok(engine);
            }
        }
        Err("E8: it does not come to rest".to_owned())
    }

    /// Who forgets what was deleted lists all of it once more.
    fn compare_all(&self) {
        for system in self
            .systems
            .iter()
            .filter(|it| it.quirks.contains(&Quirk::Forgets))
        {
            let types = self.types().into_iter().filter(|of| of.system == system.name);
            system.state.lock().unwrap().compared = types.collect();
        }
    }

    fn compares(&self) -> bool {
        let mut systems = self.systems.iter();
        systems.any(|system| !system.state.lock().unwrap().compared.is_empty())
    }

    /// What Tandem did is not shown yet, or it waits for the look that tells whether it was kept (late sight).
    fn waits_for_sight(&self, engine: &mut Engine) -> bool {
        let now = self.time.now();
        self.systems.iter().any(|system| {
            let state = system.state.lock().unwrap();
            let mut veils = state.rows.values().flat_map(|row| &row.veils);
            let doubted = engine.store().doubted(&system.name, now, 1).unwrap();
            veils.any(|(until, _)| *until > now) || !doubted.is_empty()
        })
    }

    fn calm_sync(&mut self, engine: &mut Engine) -> Result<Summary, String> {
        let summary = self.undisturbed(engine.sync())?;
        let summary = summary.map_err(|error| format!("the engine fails: {error}"))?;
        let trouble = summary.troubles.first().map(ToString::to_string);
        trouble.map_or(Ok(summary), |trouble| {
            Err(format!("E8: trouble at rest: {trouble}"))
        })
    }

    /// E7: with nothing to do nothing is written, and behind the overlap nothing is read.
    fn idle(&mut self, engine: &mut Engine) -> Result<(), String> {
        let writes = self.log.lock().unwrap().writes;
        for _ in 0..2 {
            self.time.pass(70_000);
            self.calm_sync(engine)?;
        }
        if self.log.lock().unwrap().writes != writes {
            return Err("E7: at rest something is written".to_owned());
        }
        self.time.pass(70_000);
        let read = self.rows_read();
        self.calm_sync(engine)?;
        let read = self.rows_read() - read;
        if read > 0 {
            return Err(format!("E7: behind the overlap {read} rows are read"));
        }
        Ok(())
    }
}
