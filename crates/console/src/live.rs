//! What happens, told while it happens.

use crate::access::Person;
use crate::desk::{Desk, Listening};
use crate::http_api::Asked;
use crate::problem::Problem;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures::Stream;
use futures::stream::unfold;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use tandem_api::view::Change;
use tokio::sync::watch;

/// Lines read at a time.
const LINES: usize = 200;

/// One who listens: what was read and not told, and the number of the last line that was read.
struct Listener {
    desk: Arc<Desk>,
    person: Person,
    news: watch::Receiver<u64>,
    closing: watch::Receiver<bool>,
    after: u64,
    unread: VecDeque<Change>,
    _counted: Listening,
}

impl Listener {
    /// The next change; none once the state cannot be read.
    async fn next(&mut self) -> Option<Change> {
        loop {
            if let Some(change) = self.unread.pop_front() {
                return Some(change);
            }
            // What comes while the lines are read is seen again.
            let newest = *self.news.borrow_and_update();
            if newest <= self.after {
                tokio::select! {
                    changed = self.news.changed() => changed.ok()?,
                    _ = self.closing.wait_for(|closing| *closing) => return None,
                }
                continue;
            }
            let after = self.after;
            let read = self
                .desk
                .look(&self.person, move |looker| looker.changes_after(after, LINES));
            let lines = read.await.ok()?;
            self.after = lines.last().map_or(newest, |line| line.number);
            self.unread = lines.into();
        }
    }
}

/// What happens from now on, or after a line, as server-sent events.
pub(crate) async fn events(
    State(desk): State<Arc<Desk>>,
    person: Person,
    headers: HeaderMap,
    asked: Asked,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let counted = desk.listen(&person)?;
    let last = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok()?.parse().ok());
    let news = desk.pulse.newest.subscribe();
    let now = *news.borrow();
    let after = match last.or(asked.after) {
        Some(after) => after,
        // Before the first look nothing is known; what was before is no news.
        None if now == 0 => desk
            .look(&person, |looker| looker.newest_line())
            .await
            .unwrap_or(u64::MAX),
        None => now,
    };
    let listener = Listener {
        after,
        closing: desk.closing.subscribe(),
        unread: VecDeque::new(),
        desk,
        person,
        news,
        _counted: counted,
    };
    let told = unfold(listener, |mut listener| async {
        let change = listener.next().await?;
        let event = Event::default().event("change").id(change.number.to_string());
        let event = event.json_data(&change).unwrap_or_default();
        Some((Ok(event), listener))
    });
    Ok(Sse::new(told).keep_alive(KeepAlive::default()))
}
