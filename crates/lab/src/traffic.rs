//! What every request passes on its way to a system: a delay, as a network makes it, and a record of it and its answer.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::header;
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;

/// The largest body that is recorded, in bytes: the data of a bulk job.
const MOST: usize = 200 * 1024 * 1024;
/// What the local systems answer of themselves is no part of their APIs.
const OWN: &str = "/_local";

/// The way to one system and back.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    latency: Duration,
    record: Option<Record>,
}

#[derive(Debug)]
struct Record(Mutex<BufWriter<File>>);

/// A request and its answer, as a line of JSON. Times are milliseconds since 1970.
#[derive(Serialize)]
struct Line<'a> {
    arrived: i64,
    answered: i64,
    method: &'a str,
    path: &'a str,
    media: &'a str,
    body: &'a str,
    status: u16,
    answer: &'a str,
}

impl Traffic {
    /// A way that takes so many milliseconds; what travels is written to the file, where one is named.
    ///
    /// # Errors
    /// Where the file cannot be made.
    pub(crate) fn open(latency_ms: u64, record: Option<&Path>) -> io::Result<Self> {
        let record =
            record.map(|path| File::create(path).map(|file| Record(Mutex::new(BufWriter::new(file)))));
        Ok(Self {
            latency: Duration::from_millis(latency_ms),
            record: record.transpose()?,
        })
    }

    /// Lets a request pass, and its answer.
    pub(crate) async fn pass<A>(&self, request: Request, answer: impl FnOnce(Request) -> A) -> Response
    where
        A: Future<Output = Response>,
    {
        if request.uri().path().starts_with(OWN) {
            return answer(request).await;
        }
        let arrived = Timestamp::now();
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
        }
        match &self.record {
            None => answer(request).await,
            Some(record) => record.pass(arrived, request, answer).await,
        }
    }
}

impl Record {
    async fn pass<A>(
        &self,
        arrived: Timestamp,
        request: Request,
        answer: impl FnOnce(Request) -> A,
    ) -> Response
    where
        A: Future<Output = Response>,
    {
        let (head, body) = request.into_parts();
        // Of what is cut off or too large nothing arrives.
        let body = to_bytes(body, MOST).await.unwrap_or_default();
        let (method, uri, media) = (head.method.clone(), head.uri.clone(), head.headers.clone());
        let response = answer(Request::from_parts(head, Body::from(body.clone()))).await;
        let (head, shown) = response.into_parts();
        let shown = to_bytes(shown, MOST).await.unwrap_or_default();
        let media = media.get(header::CONTENT_TYPE);
        self.write(&Line {
            arrived: arrived.as_millisecond(),
            answered: Timestamp::now().as_millisecond(),
            method: method.as_str(),
            path: uri.path_and_query().map_or("/", |whole| whole.as_str()),
            media: media.and_then(|media| media.to_str().ok()).unwrap_or_default(),
            body: &text(&body),
            status: head.status.as_u16(),
            answer: &text(&shown),
        });
        Response::from_parts(head, Body::from(shown))
    }

    fn write(&self, line: &Line<'_>) {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let written = serde_json::to_writer(&mut *file, line)
            .map_err(io::Error::from)
            .and_then(|()| file.write_all(b"\n"))
            .and_then(|()| file.flush());
        if let Err(error) = written {
            tracing::error!(%error, "a request could not be recorded");
        }
    }
}

fn text(bytes: &Bytes) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
