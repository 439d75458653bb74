//! Several requests in one, where a description says how.
//!
//! Whoever has a request waits here until all who are about to send have one, or a batch is full; then they travel together, and
//! each gets its own answer. Invariants: each write keeps an outcome of its own; a batch without an answer leaves every
//! write in it unknown; what a batch did not answer was not refused.

mod json;
mod multipart;

use super::Rest;
use super::ask::{Errand, Given, Otherwise};
use super::description::batches::{BatchForm, BatchText};
use super::description::errors::Means;
use super::errors::Answer;
use crate::Error;
use crate::http::{Failure, Reply, Request};
use futures::future::{BoxFuture, FutureExt, join, join_all};
use futures::stream::{self, StreamExt};
use reqwest::header::HeaderMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, oneshot};

/// The answer to one request.
type Told = Result<(Reply, Answer), Failure>;

/// A dependency in a batch failed: this one was not carried out.
const NOT_TRIED: u16 = 424;

/// Those who are about to send, and what waits for others.
pub(super) struct Pack {
    inner: Mutex<Inner>,
    moved: Notify,
    most: usize,
}

#[derive(Default)]
struct Inner {
    /// Those who have not ended yet.
    active: usize,
    waiting: Vec<Waiting>,
}

/// A request that waits for others.
struct Waiting {
    request: Request,
    errand: Purpose,
    told: oneshot::Sender<Told>,
}

/// What a request is for, by itself.
#[derive(Clone)]
struct Purpose {
    of: String,
    operation: &'static str,
    writes: bool,
    creates: bool,
    keyed: bool,
}

impl Purpose {
    fn of(errand: Errand<'_>) -> Self {
        let Errand {
            of,
            operation,
            writes,
            creates,
            keyed,
        } = errand;
        Self {
            of: of.to_owned(),
            operation,
            writes,
            creates,
            keyed,
        }
    }

    fn errand(&self) -> Errand<'_> {
        Errand {
            of: &self.of,
            operation: self.operation,
            writes: self.writes,
            creates: self.creates,
            keyed: self.keyed,
        }
    }
}

/// One answer of a batch as it came.
struct Part {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// Ends one of those who are about to send, however it ends.
struct Ends<'p>(&'p Pack);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.lock().active -= 1;
        self.0.moved.notify_one();
    }
}

impl Pack {
    /// A pack for so many who are about to send, where the ERP takes batches.
    pub(super) fn of(rest: &Rest, count: usize) -> Option<Self> {
        let text = rest.description.batch.as_ref().filter(|_| count > 1)?;
        Some(Self {
            inner: Mutex::new(Inner {
                active: count,
                waiting: Vec::new(),
            }),
            moved: Notify::new(),
            most: text.most(),
        })
    }

    /// Lets all of them run at once, and what they send through the pack travel together. They are as many as was said.
    pub(super) async fn run<T>(
        &self,
        rest: &Rest,
        all: impl Iterator<Item = impl Future<Output = T>>,
    ) -> Vec<T> {
        let all = all.map(|one| async {
            let _ends = Ends(self);
            one.await
        });
        let (done, ()) = join(join_all(all), self.carry(rest)).await;
        done
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request together with those of others.
    pub(super) async fn send(&self, request: Request, errand: Errand<'_>) -> Told {
        let (told, answer) = oneshot::channel();
        self.lock().waiting.push(Waiting {
            request,
            errand: Purpose::of(errand),
            told,
        });
        self.moved.notify_one();
        // Whoever carries answers everyone.
        answer.await.unwrap_or_else(|_| {
            let error = Error {
                system: String::new(),
                kind: crate::ErrorKind::Down,
                message: "a batch ended early".to_owned(),
                advice: "It is looked at again by itself".to_owned(),
                retry_at: None,
                scope: crate::Scope::Silence,
            };
            Err(Failure::Lost(error))
        })
    }

    /// Sends what waits, until nobody is about to send any more.
    async fn carry(&self, rest: &Rest) {
        loop {
            let batch = {
                let mut inner = self.lock();
                if inner.active == 0 {
                    return;
                }
                let ready = inner.waiting.len() >= self.most || inner.waiting.len() == inner.active;
                let end = inner.waiting.len().min(self.most);
                (ready && end > 0).then(|| inner.waiting.drain(..end).collect::<Vec<_>>())
            };
            match batch {
                Some(batch) => deliver(rest, batch).await,
                None => self.moved.notified().await,
            }
        }
    }
}

/// Sends a batch and tells each its answer. One that is refused as a whole is sent in halves, so that one request alone cannot
/// hold up the others.
fn deliver(rest: &Rest, mut batch: Vec<Waiting>) -> BoxFuture<'_, ()> {
    async move {
        let Some(text) = rest.description.batch.as_ref() else {
            return;
        };
        if batch.len() < 2 {
            return alone(rest, batch).await;
        }
        match together(rest, text, &batch).await {
            Ok(told) => {
                let mut again = Vec::new();
                for (one, told) in batch.into_iter().zip(told) {
                    match told {
                        Some(told) => drop(one.told.send(told)),
                        None => again.push(one),
                    }
                }
                alone(rest, again).await;
            }
            Err(Refused) => {
                let rest_of = batch.split_off(batch.len() / 2);
                deliver(rest, batch).await;
                deliver(rest, rest_of).await;
            }
        }
    }
    .boxed()
}

/// Sends requests one by one.
async fn alone(rest: &Rest, all: Vec<Waiting>) {
    let sent = all.into_iter().map(|one| async move {
        let told = rest.send(one.request, one.errand.errand()).await;
        drop(one.told.send(told));
    });
    let sent: Vec<_> = sent.collect();
    stream::iter(sent)
        .buffer_unordered(super::CONCURRENCY)
        .collect::<Vec<()>>()
        .await;
}

/// A batch was not taken as a whole: nothing of it was carried out.
struct Refused;

/// Sends one batch; what became of each, where `None` was surely not carried out and may be sent by itself.
async fn together(rest: &Rest, text: &BatchText, batch: &[Waiting]) -> Result<Vec<Option<Told>>, Refused> {
    let all = |failure: fn(Error) -> Failure, error: &Error| {
        Ok(batch.iter().map(|_| Some(Err(failure(error.clone())))).collect())
    };
    // It is sent like a write, whatever it carries: where writes need a token against forged requests it does.
    let errand = Errand::writing("batch", "batch");
    let request = match composed(rest, text, batch) {
        Ok(request) => request,
        Err(error) => return all(Failure::NotSent, &error),
    };
    let (reply, answer) = match rest.send(request, errand).await {
        Ok(told) => told,
        Err(Failure::NotSent(error)) => return all(Failure::NotSent, &error),
        Err(Failure::Lost(error)) => return all(Failure::Lost, &error),
    };
    if let Some(means) = answer.means {
        let error = answer.error(&rest.http, &reply);
        return match means {
            Means::SignIn | Means::Csrf | Means::Quota | Means::Later if !reply.repeated => {
                all(Failure::NotSent, &error)
            }
            Means::Unknown => all(Failure::Lost, &error),
            _ if reply.repeated || reply.is_success() => all(Failure::Lost, &error),
            _ if (400..500).contains(&reply.status) => Err(Refused),
            _ => all(Failure::Lost, &error),
        };
    }
    let parts = match text.form {
        Some(BatchForm::Multipart) => multipart::parts(&reply, batch.len()),
        _ => json::parts(text, &reply, batch.len()),
    };
    let Some(parts) = parts else {
        let error = rest.http.protocol("the reply to a batch cannot be read");
        return all(Failure::Lost, &error);
    };
    Ok(sorted_out(rest, text, batch, parts, &reply))
}

/// What became of each request of a batch that was answered.
fn sorted_out(
    rest: &Rest,
    text: &BatchText,
    batch: &[Waiting],
    parts: Vec<Option<Part>>,
    reply: &Reply,
) -> Vec<Option<Told>> {
    let atomic = text.atomic == Some(true);
    let failed = |part: &Part| !(200..300).contains(&part.status) && part.status != NOT_TRIED;
    let undone = atomic && parts.iter().flatten().any(failed);
    let one = |(waiting, part): (&Waiting, Option<Part>)| match part {
        Some(part) if part.status == NOT_TRIED => None,
        // Beside one that failed, what is said to be done was undone, or was not: only a read can tell.
        Some(part) if undone && !failed(&part) => {
            let error = rest
                .http
                .protocol("a batch that is carried out as a whole failed in part");
            Some(Err(Failure::Lost(error)))
        }
        Some(part) => {
            let reply = Reply {
                status: part.status,
                headers: part.headers,
                body: part.body,
                began: reply.began,
                reached: reply.reached,
                repeated: reply.repeated,
            };
            let answer = Answer::of(&rest.description, &reply, waiting.errand.errand());
            Some(Ok((reply, answer)))
        }
        // Where all or nothing is carried out and something failed, nothing was.
        None if undone && !reply.repeated => None,
        None => {
            let error = rest
                .http
                .protocol("a batch was answered without a word of this request");
            Some(Err(Failure::Lost(error)))
        }
    };
    batch.iter().zip(parts).map(one).collect()
}

/// The request that carries the others.
fn composed(rest: &Rest, text: &BatchText, batch: &[Waiting]) -> Result<Request, Error> {
    let requests: Vec<&Request> = batch.iter().map(|one| &one.request).collect();
    let mut request = rest.request(text.call(), &Given::default(), &Otherwise(None))?;
    match text.form {
        Some(BatchForm::Multipart) => {
            let (kind, body) = multipart::body(&requests);
            request = request.header("content-type", &kind);
            request.body = Some(body);
        }
        _ => {
            let root = format!("{}/", rest.root);
            request = request.json(&json::body(text, &requests, &root));
        }
    }
    // Twice has the effect of once only where that is so for each.
    if requests.iter().all(|one| one.repeatable) {
        request = request.repeatable();
    }
    Ok(request)
}
