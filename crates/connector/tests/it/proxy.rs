//! A proxy that swallows replies on demand: the request is carried out, the caller never learns of it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinHandle;
use url::Url;

/// A listening proxy; it ends when it is dropped.
pub(crate) struct Proxy {
    url: Url,
    to_swallow: Arc<AtomicUsize>,
    refused: Refused,
    heard: Heard,
    task: JoinHandle<()>,
}

/// All that callers sent.
type Heard = Arc<Mutex<String>>;

/// Requests with all of these texts are answered with status 500, or not at all.
type Refused = Arc<Mutex<(Vec<String>, bool)>>;

impl Proxy {
    /// A proxy in front of the server at that address. Of a database it swallows answers to commits alone.
    pub(crate) async fn before(server: &Url) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let socket = server.query_pairs().find_map(|(name, value)| match &*name {
            "host" => Some(format!("{value}/.s.PGSQL.5432")),
            "socket" => Some(value.into_owned()),
            _ => None,
        });
        let target = format!("127.0.0.1:{}", server.port().unwrap_or_default());
        let only = socket.is_some().then_some("COMMIT");
        let to_swallow = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&to_swallow);
        let refused = Refused::default();
        let texts = Arc::clone(&refused);
        let heard = Heard::default();
        let book = Arc::clone(&heard);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (counter, texts) = (Arc::clone(&counter), (Arc::clone(&texts), Arc::clone(&book)));
                match &socket {
                    Some(socket) => {
                        let server = UnixStream::connect(socket).await.unwrap().into_split();
                        tokio::spawn(carry(client, server, counter, texts, only));
                    }
                    None => {
                        let server = TcpStream::connect(&target).await.unwrap().into_split();
                        tokio::spawn(carry(client, server, counter, texts, only));
                    }
                }
            }
        });
        Self {
            url: match only {
                Some(_) => format!("{}://127.0.0.1:{port}{}", server.scheme(), server.path()),
                None => format!("http://127.0.0.1:{port}"),
            }
            .parse()
            .unwrap(),
            to_swallow,
            refused,
            heard,
            task,
        }
    }

    /// All that callers sent so far.
    pub(crate) fn heard(&self) -> String {
        self.heard.lock().unwrap().clone()
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// Requests that hold all of these texts are answered with status 500 from now on; none: no request is.
    pub(crate) fn refuse(&self, texts: &[&str]) {
        self.strike(texts, false);
    }

    /// The same, but the connection ends without an answer.
    pub(crate) fn hang_up(&self, texts: &[&str]) {
        self.strike(texts, true);
    }

    fn strike(&self, texts: &[&str], silent: bool) {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        *self.refused.lock().unwrap() = (texts, silent);
    }

    /// The next replies are swallowed, and their connections cut.
    pub(crate) fn swallow(&self, replies: usize) {
        self.to_swallow.store(replies, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(
    client: TcpStream,
    (mut from_server, mut to_server): (
        impl AsyncRead + Unpin + Send + 'static,
        impl AsyncWrite + Unpin + Send + 'static,
    ),
    to_swallow: Arc<AtomicUsize>,
    (refused, heard): (Refused, Heard),
    only: Option<&'static str>,
) {
    let (mut from_client, to_client) = client.into_split();
    let due = Arc::new(AtomicBool::new(only.is_none()));
    let said = Arc::clone(&due);
    let to_client = Arc::new(tokio::sync::Mutex::new(to_client));
    let refuses = Arc::clone(&to_client);
    let asking = tokio::spawn(async move {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
            let text = String::from_utf8_lossy(&buffer[..read]).into_owned();
            if only.is_some_and(|only| text.contains(only)) {
                said.store(true, Ordering::SeqCst);
            }
            heard.lock().unwrap().push_str(&text);
            let (texts, silent) = refused.lock().unwrap().clone();
            if !texts.is_empty() && texts.iter().all(|one| text.contains(one)) {
                let mut client = refuses.lock().await;
                if silent {
                    let _ = client.shutdown().await;
                    break;
                }
                let _ = client.write_all(REFUSAL).await;
            } else if to_server.write_all(&buffer[..read]).await.is_err() {
                break;
            }
        }
    });
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read) = from_server.read(&mut buffer).await {
        let less_one = |left: usize| left.checked_sub(1);
        let swallowed = due.load(Ordering::SeqCst)
            && to_swallow
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less_one)
                .is_ok();
        let mut client = to_client.lock().await;
        if read == 0 || swallowed || client.write_all(&buffer[..read]).await.is_err() {
            break;
        }
    }
    asking.abort();
}

const REFUSAL: &[u8] = b"HTTP/1.1 500 Said\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n[]";
