//! Many lines at once, over real sockets. Nothing sleeps: each line is heard until something happens on it.

#![allow(clippy::unwrap_used)]
use super::*;
use axum::extract::State;
use axum::routing::{get, post};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

/// A server that answers at once, keeps who asks waiting until it is let go, or reads what is brought along.
struct Served {
    address: SocketAddr,
    /// Told by each who waits.
    waits: mpsc::UnboundedReceiver<()>,
    go: watch::Sender<bool>,
    stop: Option<oneshot::Sender<()>>,
    ended: tokio::task::JoinHandle<()>,
}

type Waiting = (mpsc::UnboundedSender<()>, watch::Receiver<bool>);

async fn wait(State((told, mut go)): State<Waiting>) -> &'static str {
    told.send(()).unwrap();
    go.wait_for(|go| *go).await.unwrap();
    "waited"
}

async fn serve_with(limits: Limits) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (told, waits) = mpsc::unbounded_channel();
    let (go, goes) = watch::channel(false);
    let app = Router::new()
        .route("/", get(|| async { "here" }))
        .route("/wait", get(wait))
        .route("/take", post(|body: String| async { body }))
        .with_state((told, goes));
    let (stop, stopped) = oneshot::channel();
    let ended = tokio::spawn(serve(listener, app, limits, stopped));
    Served {
        address,
        waits,
        go,
        stop: Some(stop),
        ended,
    }
}

/// As patient as it takes, with so many.
fn patient(most: usize) -> Limits {
    let long = Duration::from_secs(600);
    Limits {
        most,
        head: long,
        body: long,
        stuck: long,
    }
}

impl Served {
    async fn line(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

async fn ask(line: &mut TcpStream, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    line.write_all(request.as_bytes()).await.unwrap();
}

/// What comes until a text has.
async fn heard(line: &mut TcpStream, until: &str) -> String {
    let mut said = String::new();
    while !said.contains(until) {
        let mut part = [0; 4096];
        let read = line.read(&mut part).await.unwrap();
        assert!(read > 0, "it was closed after {said:?}");
        said.push_str(std::str::from_utf8(&part[..read]).unwrap());
    }
    said
}

/// Hears a line until it ends, whichever way.
async fn ended(line: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let _cut = line.read_to_end(&mut said).await;
    String::from_utf8(said).unwrap()
}

#[tokio::test]
async fn lines_that_say_nothing_keep_nobody_out() {
    let served = serve_with(patient(4)).await;
    let mut silent = Vec::new();
    for _ in 0..4 {
        let mut line = served.line().await;
        ask(&mut line, "/").await;
        heard(&mut line, "here").await;
        silent.push(line);
    }
    // Each that comes finds room, and the one that was silent for longest makes it.
    let mut others = Vec::new();
    for line in &mut silent {
        let mut next = served.line().await;
        ask(&mut next, "/").await;
        heard(&mut next, "here").await;
        assert_eq!(ended(line).await, "");
        others.push(next);
    }
}

#[tokio::test]
async fn a_head_that_never_ends_makes_room_too() {
    let served = serve_with(patient(2)).await;
    let mut slow = [served.line().await, served.line().await];
    for line in &mut slow {
        line.write_all(b"GET / HTTP/1.1\r\nx: ").await.unwrap();
    }
    let mut others = Vec::new();
    for line in &mut slow {
        let mut next = served.line().await;
        ask(&mut next, "/").await;
        heard(&mut next, "here").await;
        assert_eq!(ended(line).await, "");
        others.push(next);
    }
}

#[tokio::test]
async fn who_is_being_answered_stays_and_who_comes_beyond_is_told_so() {
    let mut served = serve_with(patient(3)).await;
    let mut lines = Vec::new();
    for _ in 0..3 {
        let mut line = served.line().await;
        ask(&mut line, "/wait").await;
        served.waits.recv().await.unwrap();
        lines.push(line);
    }
    let mut beyond = served.line().await;
    ask(&mut beyond, "/").await;
    let said = ended(&mut beyond).await;
    assert!(
        said.starts_with("HTTP/1.1 503 ") && said.contains("retry-after: 5"),
        "{said}"
    );
    // Once they are answered there is room again.
    served.go.send(true).unwrap();
    for line in &mut lines {
        heard(line, "waited").await;
    }
    let mut next = served.line().await;
    ask(&mut next, "/").await;
    heard(&mut next, "here").await;
}

#[tokio::test]
async fn an_answer_that_goes_on_is_no_idle_line() {
    let app = Router::new().route("/", get(|| async { "here" })).route(
        "/stream",
        get(|| async {
            let first = futures::stream::iter([Ok::<_, Infallible>("begun ")]);
            Body::from_stream(futures::StreamExt::chain(first, futures::stream::pending()))
        }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_stop, stopped) = oneshot::channel();
    tokio::spawn(serve(listener, app, patient(2), stopped));
    let mut stream = TcpStream::connect(address).await.unwrap();
    ask(&mut stream, "/stream").await;
    heard(&mut stream, "begun").await;
    let mut before = None;
    for _ in 0..3 {
        let mut next = TcpStream::connect(address).await.unwrap();
        ask(&mut next, "/").await;
        heard(&mut next, "here").await;
        if let Some(mut line) = before.replace(next) {
            assert_eq!(ended(&mut line).await, "");
        }
    }
    let mut part = [0; 16];
    assert_eq!(
        stream.try_read(&mut part).unwrap_err().kind(),
        io::ErrorKind::WouldBlock,
        "it goes on"
    );
}

#[tokio::test]
async fn who_says_nothing_or_too_slowly_is_not_waited_for() {
    let short = Duration::from_millis(30);
    let served = serve_with(Limits {
        most: 9,
        head: short,
        body: short,
        stuck: short,
    })
    .await;
    // Nothing, half a head, nothing after an answer, half of what it brings along.
    let mut lines = Vec::new();
    for said in ["", "GET / HTTP/1.1\r\nx: ", "GET / HTTP/1.1\r\nhost: x\r\n\r\n"] {
        let mut line = served.line().await;
        line.write_all(said.as_bytes()).await.unwrap();
        lines.push(line);
    }
    let answered = ended(&mut lines[2]).await;
    assert!(answered.ends_with("here"), "{answered}");
    for line in &mut lines[..2] {
        assert!(!ended(line).await.contains("200"));
    }
    let mut half = served.line().await;
    let begun =
        b"POST /take HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\ncontent-length: 9\r\n\r\nhalf";
    half.write_all(begun).await.unwrap();
    let said = ended(&mut half).await;
    assert!(said.starts_with("HTTP/1.1 400 "), "{said}");
}

#[tokio::test]
async fn at_the_end_requests_under_way_are_answered_and_idle_lines_closed() {
    let mut served = serve_with(patient(9)).await;
    let (mut idle, mut fresh, mut busy) = (served.line().await, served.line().await, served.line().await);
    ask(&mut idle, "/").await;
    heard(&mut idle, "here").await;
    ask(&mut busy, "/wait").await;
    served.waits.recv().await.unwrap();
    served.stop.take().unwrap().send(()).unwrap();
    assert_eq!(ended(&mut idle).await, "");
    served.go.send(true).unwrap();
    assert!(ended(&mut busy).await.ends_with("waited"));
    // One that has not said anything yet need not be waited for either.
    drop(fresh.shutdown().await);
    served.ended.await.unwrap();
}

#[tokio::test]
async fn who_takes_nothing_of_an_answer_for_long_gives_way_where_nobody_is_idle() {
    let limits = Limits {
        stuck: Duration::ZERO,
        ..patient(2)
    };
    let mut served = serve_with(limits).await;
    let (mut one, mut two) = (served.line().await, served.line().await);
    ask(&mut one, "/wait").await;
    served.waits.recv().await.unwrap();
    ask(&mut two, "/wait").await;
    served.waits.recv().await.unwrap();
    let mut three = served.line().await;
    ask(&mut three, "/").await;
    heard(&mut three, "here").await;
    let mut rest = Vec::new();
    assert_eq!(one.read_to_end(&mut rest).await.unwrap_or_default(), 0);
}
