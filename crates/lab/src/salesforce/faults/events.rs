//! What befalls change events: gaps and overflows by rule, and lateness where their rows are not in sight yet.

use super::FaultAction;
use crate::salesforce::events::{ChangeType, Event};
use crate::salesforce::org::Org;

impl Org {
    /// The events that go out now; those of hidden rows wait until the rows are in sight.
    pub(crate) fn befall_events(&mut self, made: Vec<Event>) -> Vec<Event> {
        let mut out = Vec::with_capacity(made.len());
        for mut event in made {
            let until = self.hidden_until(&event);
            self.break_event(&mut event);
            match until {
                Some(until) => self.late_events.push((until, event)),
                None => out.push(event),
            }
        }
        out
    }

    /// Sends the events out whose rows have come in sight.
    pub(crate) fn release_events(&mut self) {
        let now = self.now();
        if self.late_events.iter().all(|(until, _)| *until > now) {
            return;
        }
        let (due, waiting) = std::mem::take(&mut self.late_events)
            .into_iter()
            .partition::<Vec<_>, _>(|(until, _)| *until <= now);
        self.late_events = waiting;
        let mut due = due;
        due.sort_by_key(|(until, _)| *until);
        let due = due.into_iter().map(|(_, event)| event).collect();
        self.events.publish(now, due);
    }

    fn hidden_until(&self, event: &Event) -> Option<i64> {
        let object = self.schema.find(&event.schema.entity)?;
        let hidden = event
            .records
            .iter()
            .filter_map(|id| self.veil.until((object, *id)));
        hidden.max().filter(|until| *until > self.now())
    }

    fn break_event(&mut self, event: &mut Event) {
        let (method, gap) = match event.change {
            ChangeType::Create => ("POST", ChangeType::GapCreate),
            ChangeType::Update => ("PATCH", ChangeType::GapUpdate),
            ChangeType::Delete => ("DELETE", ChangeType::GapDelete),
            ChangeType::Undelete => ("PATCH", ChangeType::GapUndelete),
            _ => return,
        };
        let Some(object) = self.schema.find(&event.schema.entity) else {
            return;
        };
        let row = event.records.first().copied();
        if self
            .row_fault(FaultAction::OverflowEvent, method, object, row)
            .is_some()
        {
            event.change = ChangeType::GapOverflow;
            event.records.clear();
            event.cells.clear();
        } else if self
            .row_fault(FaultAction::GapEvent, method, object, row)
            .is_some()
        {
            event.change = gap;
            event.cells.clear();
        }
    }
}
