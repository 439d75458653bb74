//! A server that answers every request as a test says, and remembers what it was asked.

use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn is_sign_in(&self) -> bool {
        self.path == "/services/oauth2/token"
    }

    /// A field of the form.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        let mut fields = url::form_urlencoded::parse(self.body.as_bytes());
        fields
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.into_owned())
    }

    /// The token that the request carries.
    pub(crate) fn bearer(&self) -> Option<&str> {
        let mut lines = self.head.lines();
        lines.find_map(|line| line.strip_prefix("authorization: Bearer "))
    }
}

/// What to answer: status with further headers, and body.
pub(crate) type Answer = (String, String);

/// The status of no answer at all.
pub(crate) const HANGS_UP: &str = "";

/// The running server.
pub(crate) struct Office {
    pub(crate) url: Url,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Office {
    /// A server that answers by `answer`.
    pub(crate) async fn open(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap())
            .parse()
            .unwrap();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (book, answer) = (Arc::clone(&asked), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (book, answer) = (Arc::clone(&book), Arc::clone(&answer));
                tokio::spawn(async move { serve(stream, &book, answer.as_ref()).await });
            }
        });
        Self { url, asked }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn sign_ins(&self) -> usize {
        self.asked().iter().filter(|asked| asked.is_sign_in()).count()
    }
}

async fn serve(mut stream: TcpStream, book: &Mutex<Vec<Asked>>, answer: &(dyn Fn(&Asked) -> Answer + Sync)) {
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; 16 * 1024]);
    let asked = loop {
        let read = stream.read(&mut buffer).await.unwrap_or(0);
        if read == 0 {
            return;
        }
        bytes.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.trim().parse().unwrap()) {
            break Asked {
                path: head.split(' ').nth(1).unwrap_or_default().to_owned(),
                head: head.to_owned(),
                body: body.to_owned(),
            };
        }
    };
    let (status, body) = answer(&asked);
    book.lock().unwrap().push(asked);
    if status == HANGS_UP {
        return;
    }
    let head = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    // A caller that hung up needs no answer.
    let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
}
