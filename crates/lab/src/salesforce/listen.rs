//! Connections to the org, plain or through TLS, on one port: the first byte tells which.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The first byte of every TLS connection.
const HANDSHAKE: u8 = 0x16;
/// A connection says what it is, and agrees on keys, within this time.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections that wait to be served.
const QUEUE: usize = 128;
const ONLY_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\
    Content-Length: 33\r\n\r\nThis port speaks https, not http.";

/// What a listener lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admits {
    /// Both http and https.
    Both,
    /// Nothing but TLS.
    OnlyTls,
}

/// How a connection came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Whether through TLS.
    pub(crate) secure: bool,
}

/// One connection.
#[derive(Debug)]
pub(crate) enum Connection {
    Plain(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
}

/// The connections of one listener, ready to be read from.
pub(crate) struct Door {
    address: SocketAddr,
    incoming: mpsc::Receiver<Connection>,
    task: AbortHandle,
}

impl Door {
    /// Opens a listener; must be called inside a runtime.
    pub(crate) fn open(
        listener: std::net::TcpListener,
        tls: Arc<ServerConfig>,
        admits: Admits,
    ) -> io::Result<Door> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        let (ready, incoming) = mpsc::channel(QUEUE);
        let task = tokio::spawn(accept(listener, TlsAcceptor::from(tls), admits, ready));
        Ok(Door {
            address,
            incoming,
            task: task.abort_handle(),
        })
    }

    /// The next connection; none when the listener is closed.
    pub(crate) async fn next(&mut self) -> Option<Connection> {
        self.incoming.recv().await
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, admits: Admits, ready: mpsc::Sender<Connection>) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file handles, as a rule: let some connections end first.
                tracing::debug!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (tls, ready) = (tls.clone(), ready.clone());
        tokio::spawn(async move {
            match tokio::time::timeout(PATIENCE, greet(stream, tls, admits)).await {
                Ok(Ok(Some(connection))) => {
                    // The receiver is gone only where the server stops.
                    let _ = ready.send(connection).await;
                }
                Ok(Ok(None)) | Err(_) => {}
                Ok(Err(error)) => tracing::debug!(%error, "a connection was not agreed upon"),
            }
        });
    }
}

async fn greet(mut stream: TcpStream, tls: TlsAcceptor, admits: Admits) -> io::Result<Option<Connection>> {
    stream.set_nodelay(true)?;
    let mut first = [0];
    if stream.peek(&mut first).await? == 0 {
        return Ok(None);
    }
    if first[0] == HANDSHAKE {
        return Ok(Some(Connection::Secure(Box::new(tls.accept(stream).await?))));
    }
    if admits == Admits::OnlyTls {
        stream.write_all(ONLY_TLS).await?;
        return Ok(None);
    }
    Ok(Some(Connection::Plain(stream)))
}

impl tokio_stream::Stream for Door {
    type Item = io::Result<Connection>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.incoming.poll_recv(context).map(|next| next.map(Ok))
    }
}

impl tonic::transport::server::Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl Door {
    /// The socket that the door stands at.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Connection::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Connection::Secure(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Connection::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Connection::Secure(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Connection::Plain(stream) => Pin::new(stream).poll_flush(context),
            Connection::Secure(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Connection::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Connection::Secure(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
