//! Connections: how many there are at once, and for how long one may do nothing.
//!
//! Whoever opens lines and says nothing, or says it slowly, keeps nobody out: where there are too many, the one that has
//! been idle for longest is closed for the next, or else one that takes nothing of its answer. Where there is none, the
//! next is told to come back.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep};
use tower::ServiceExt;

/// So many beyond the limit are told so; others are closed without a word.
const TOLD: usize = 32;
/// Who takes nothing of an answer for so long gives way.
const STUCK: Duration = Duration::from_secs(60);
/// A machine that has no more lines to give is asked again after so long.
const BREATH: Duration = Duration::from_millis(200);

/// What a console's connections are held to.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// So many at once.
    pub(crate) most: usize,
    /// Within so long the head of a request has come as a whole, from the beginning or from the answer before.
    pub(crate) head: Duration,
    /// Within so long what a request brings along has come.
    pub(crate) body: Duration,
    /// Who takes nothing of an answer for so long gives way.
    pub(crate) stuck: Duration,
}

impl Limits {
    /// The usual patience with so many.
    pub(crate) fn of(most: usize) -> Self {
        Self {
            most,
            head: Duration::from_secs(30),
            body: Duration::from_secs(30),
            stuck: STUCK,
        }
    }
}

/// The connections that are open.
#[derive(Default)]
struct Room {
    lines: Mutex<(u64, BTreeMap<u64, Line>)>,
}

/// One of them.
struct Line {
    /// Requests of it that are being answered.
    busy: usize,
    /// Since when it is as it is: when a request began or ended, and when a piece of an answer was taken last.
    since: Instant,
    closed: Arc<Notify>,
}

/// A place in the room, until this is dropped.
struct Place {
    room: Arc<Room>,
    number: u64,
    closed: Arc<Notify>,
}

/// A request that is being answered, until this is dropped.
struct Busy(Arc<Place>);

impl Room {
    /// Takes a connection in, for which the one that has been idle for longest may have to go. None where all are busy.
    fn enter(self: &Arc<Self>, limits: Limits) -> Option<Place> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.1.len() >= limits.most {
            let spare = |line: &Line| line.busy == 0 || line.since.elapsed() >= limits.stuck;
            let spare = lines.1.iter().filter(|(_, line)| spare(line));
            let (number, _) = spare.min_by_key(|(_, line)| (line.busy > 0, line.since))?;
            let number = *number;
            let line = lines.1.remove(&number)?;
            line.closed.notify_one();
        }
        lines.0 += 1;
        let number = lines.0;
        let line = Line {
            busy: 0,
            since: Instant::now(),
            closed: Arc::default(),
        };
        let closed = line.closed.clone();
        lines.1.insert(number, line);
        Some(Place {
            room: self.clone(),
            number,
            closed,
        })
    }

    fn change(&self, number: u64, change: impl FnOnce(&mut Line)) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.1.get_mut(&number) {
            change(line);
            line.since = Instant::now();
        }
    }
}

impl Busy {
    fn new(place: &Arc<Place>) -> Self {
        place.room.change(place.number, |line| line.busy += 1);
        Self(place.clone())
    }

    /// A piece of the answer is taken.
    fn goes_on(&self) {
        self.0.room.change(self.0.number, |_| {});
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.room.change(self.0.number, |line| line.busy -= 1);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut lines = self.room.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.1.remove(&self.number);
    }
}

/// Serves whoever connects until told to stop, then lets requests under way end.
pub(crate) async fn serve(
    listener: TcpListener,
    app: Router,
    limits: Limits,
    mut stopped: oneshot::Receiver<()>,
) {
    let (room, beyond) = (Arc::<Room>::default(), Arc::new(Semaphore::new(TOLD)));
    let mut lines = JoinSet::new();
    let (stop, stops) = watch::channel(());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stopped => break,
            Some(_) = lines.join_next() => continue,
        };
        match accepted {
            Ok((stream, _)) => match room.enter(limits) {
                Some(place) => {
                    lines.spawn(converse(stream, app.clone(), limits, place, stops.clone()));
                }
                None => {
                    if let Ok(turn) = beyond.clone().try_acquire_owned() {
                        lines.spawn(async move {
                            turn_away(stream).await;
                            drop(turn);
                        });
                    }
                }
            },
            Err(error) if is_theirs(&error) => {}
            Err(error) => {
                tracing::warn!("the console takes no more connections for a moment ({error})");
                sleep(BREATH).await;
            }
        }
    }
    drop(listener);
    // Nothing is ever sent: who waits is told by its end.
    drop(stop);
    while lines.join_next().await.is_some() {}
}

/// Whether a connection broke off before it was taken.
fn is_theirs(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

/// Answers the requests of one connection.
async fn converse(
    stream: TcpStream,
    app: Router,
    limits: Limits,
    place: Place,
    mut stops: watch::Receiver<()>,
) {
    let place = Arc::new(place);
    let closed = place.closed.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let (app, busy) = (app.clone(), Busy::new(&place));
        async move {
            let request = request.map(|body| Body::new(Timed::new(body, limits.body)));
            let answer = app.oneshot(request).await?;
            Ok::<_, Infallible>(answer.map(|body| Held { body, busy }))
        }
    });
    let mut conversation = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head)
            .serve_connection(TokioIo::new(stream), service)
    );
    let ended = tokio::select! {
        ended = conversation.as_mut() => ended,
        // Nothing of it is being answered, or nobody takes that: it is closed as it is.
        () = closed.notified() => return,
        _ = stops.changed() => {
            conversation.as_mut().graceful_shutdown();
            conversation.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to the console broke off");
    }
}

/// Tells one that is too many to come back.
async fn turn_away(stream: TcpStream) {
    let service = service_fn(|_: Request<Incoming>| async {
        let mut answer = Response::new(Body::from("too many are connected: try again in a moment\n"));
        *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        let headers = answer.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        Ok::<_, Infallible>(answer)
    });
    let conversation = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(2))
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // It is gone either way.
    let _told = conversation.await;
}

/// What is answered; while it is on its way, the connection is busy.
struct Held {
    body: Body,
    busy: Busy,
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if frame.is_ready() {
            self.busy.goes_on();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What a request brings along, for as long as somebody waits for it.
struct Timed {
    body: Incoming,
    until: Option<Pin<Box<Sleep>>>,
}

impl Timed {
    fn new(body: Incoming, patience: Duration) -> Self {
        let until = (!body.is_end_stream()).then(|| Box::pin(sleep(patience)));
        Self { body, until }
    }
}

impl http_body::Body for Timed {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let late = self
            .until
            .as_mut()
            .is_some_and(|until| until.as_mut().poll(cx).is_ready());
        match late {
            true => Poll::Ready(Some(Err("what it brings along takes too long".into()))),
            false => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests;
