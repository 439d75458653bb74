//! A proxy that swallows replies on demand: the request is carried out, the caller never learns of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use url::Url;

/// A listening proxy; it ends when it is dropped.
pub(crate) struct Proxy {
    url: Url,
    to_swallow: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// A proxy in front of the server at that address.
    pub(crate) async fn before(server: &Url) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let target = format!("127.0.0.1:{}", server.port().unwrap());
        let to_swallow = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&to_swallow);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&target).await.unwrap();
                tokio::spawn(carry(client, server, Arc::clone(&counter)));
            }
        });
        Self {
            url: format!("http://127.0.0.1:{port}").parse().unwrap(),
            to_swallow,
            task,
        }
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
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

async fn carry(client: TcpStream, server: TcpStream, to_swallow: Arc<AtomicUsize>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let asking = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read) = from_server.read(&mut buffer).await {
        let less_one = |left: usize| left.checked_sub(1);
        let swallowed = to_swallow.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less_one);
        if read == 0 || swallowed.is_ok() || to_client.write_all(&buffer[..read]).await.is_err() {
            break;
        }
    }
    asking.abort();
}
